/* Whatever the bytes are: a token is read or refused, its claims are judged, and no key verifies it
 * that did not sign it. Input: a JWK set; behind a zero byte, a token. */
#include <assert.h>

#include "front/mcp/parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MEMORY_MAX = 64 * 1024 * 1024 };

static void check_claims(const struct mcp_jwt *jwt)
{
	const struct mcp_jwt_wanted wanted = {.issuer = STR("https://login.example"),
					      .audience = STR("https://ats.example/mcp/mcp_1"),
					      .now_ms = 1790000000000};
	struct error err;

	if (!mcp_jwt_check(jwt, &wanted, &err))
		assert(err.code == ERROR_UNAUTHORIZED && err.message[0] != '\0');
	assert((mcp_jwt_kinds(jwt) & ~(unsigned)(TOOL_READ | TOOL_WRITE | TOOL_CUSTOM)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str token = str_make((const char *)data, len);
	struct mcp_jwk *keys = NULL;
	struct mcp_jwt jwt;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, MEMORY_MAX);
	struct str set = str_cut(&token, '\0');
	bool has_keys = mcp_jwks_read(&arena, set, &keys, &count, &err);

	assert(has_keys || count == 0);
	if (mcp_jwt_read(&arena, token, &jwt, &err)) {
		check_claims(&jwt);
		for (size_t i = 0; i < count; i++)
			if (mcp_jwt_verify(&jwt, &keys[i]))
				assert(mcp_jwt_fits(&jwt, &keys[i]));
	} else {
		assert(err.code == ERROR_UNAUTHORIZED);
	}
	assert(!arena_is_over(&arena));
	arena_finish(&arena);
	return 0;
}

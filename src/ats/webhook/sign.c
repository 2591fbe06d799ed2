/* Signatures of messages, as Standard Webhooks 1.0.0 has them. */
#include <assert.h>
#include <sodium.h>

#include "ats/webhook/parts.h"

struct str webhook_base64(struct arena *arena, const char *prefix, const unsigned char *bytes,
			  size_t len)
{
	size_t room = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	size_t prefix_len = strlen(prefix);
	char *text = arena_alloc(arena, prefix_len + room);

	memcpy(text, prefix, prefix_len);
	sodium_bin2base64(text + prefix_len, room, bytes, len, sodium_base64_VARIANT_ORIGINAL);
	return str_make(text, prefix_len + room - 1);
}

static struct str sign_shared(struct arena *arena, const struct webhook_key *key, struct str text)
{
	crypto_auth_hmacsha256_state state;
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)key->bytes.bytes,
				    key->bytes.len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.data, text.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof state);
	return webhook_base64(arena, "v1,", mac, sizeof mac);
}

static struct str sign_privately(struct arena *arena, const struct webhook_key *key,
				 struct str text)
{
	unsigned char signature[crypto_sign_BYTES];

	assert(key->bytes.len == crypto_sign_SECRETKEYBYTES);
	crypto_sign_detached(signature, NULL, (const unsigned char *)text.data, text.len,
			     (const unsigned char *)key->bytes.bytes);
	return webhook_base64(arena, "v1a,", signature, sizeof signature);
}

struct str webhook_sign(struct arena *arena, const struct webhook_key *keys, size_t count,
			struct str id, int64_t seconds, struct str body)
{
	struct buffer text, out;

	buffer_init(&text, arena, SIZE_MAX);
	buffer_room(&text, id.len + body.len + 32);
	buffer_append_format(&text, "%.*s.%lld.", STR_ARGS(id), (long long)seconds);
	buffer_append(&text, body);
	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		buffer_append_c(&out, i > 0 ? " " : "");
		buffer_append(&out, keys[i].is_asymmetric
					    ? sign_privately(arena, &keys[i], buffer_str(&text))
					    : sign_shared(arena, &keys[i], buffer_str(&text)));
	}
	return buffer_str(&out);
}

/* The primitives, and the format over them, against cases of another implementation
 * (vectors/make). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "ats/vault/envelope.h"

enum { WORDS_MAX = 10, FILE_BYTES_MAX = 8 * 1024 * 1024 };

struct words {
	struct str raw[WORDS_MAX];   /* as they stand there */
	struct str bytes[WORDS_MAX]; /* read as hex */
	size_t count;
};

static struct words split(struct arena *arena, struct str line)
{
	struct words words = {.count = 0};

	while (line.len > 0 && words.count < WORDS_MAX) {
		struct str word = str_cut(&line, ' ');
		unsigned char *bytes = arena_alloc(arena, word.len / 2 + 1);
		size_t len = 0;
		sodium_hex2bin(bytes, word.len / 2 + 1, word.data, word.len, NULL, &len, NULL);
		words.raw[words.count] = word;
		words.bytes[words.count++] = str_make((char *)bytes, len);
	}
	return words;
}

static const unsigned char *u(struct str s)
{
	return (const unsigned char *)s.data;
}

static bool opens_as_aead(struct arena *arena, const struct words *words)
{
	struct str sealed = words->bytes[6], plain = words->bytes[5], bound = words->bytes[4];
	unsigned char *out = arena_alloc(arena, sealed.len);
	unsigned long long len;

	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, &len, NULL, u(sealed), sealed.len,
							  u(bound), bound.len, u(words->bytes[3]),
							  u(words->bytes[2])) == 0 &&
	       str_equal(str_make((char *)out, len), plain);
}

static bool is_hmac(const struct words *words)
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, u(words->bytes[2]), words->bytes[2].len);
	crypto_auth_hmacsha256_update(&state, u(words->bytes[3]), words->bytes[3].len);
	crypto_auth_hmacsha256_final(&state, mac);
	return memcmp(mac, words->bytes[4].data, sizeof mac) == 0;
}

static bool opens_as_envelope(struct arena *arena, const struct words *words)
{
	enum { HEAD = 10 };
	struct vault_binding binding = {
		words->bytes[3], words->bytes[4], words->bytes[5],
		strtoll(arena_c(arena, words->raw[6]), NULL, 10)};
	struct str plain = words->bytes[7], sealed = words->bytes[8];
	char *out = arena_alloc(arena, sealed.len);

	return envelope_open(u(words->bytes[2]), HEAD, &binding, sealed, out) &&
	       memcmp(out, plain.data, plain.len) == 0;
}

static void every_case_is_as_another_implementation_has_it(void **state)
{
	const char *source = getenv("TENON_SOURCE");
	struct arena arena;
	struct error err;
	struct str text;
	int counts[3] = {0};

	(void)state;
	assert_non_null(source);
	arena_init(&arena, 16L * FILE_BYTES_MAX);
	const char *path =
		arena_format(&arena, "%s/tests/unit/ats/vectors/envelope.txt", source).data;
	assert_true(disk_read(disk_system(), &arena, path, FILE_BYTES_MAX, &text, &err));
	for (int line = 1; text.len > 0; line++) {
		struct words words = split(&arena, str_cut(&text, '\n'));
		bool wanted = str_equal_c(words.raw[1], "valid"), got;
		int kind = str_equal_c(words.raw[0], "aead") ? 0 :
			   str_equal_c(words.raw[0], "hmac") ? 1 :
							       2;
		got = kind == 0 ? opens_as_aead(&arena, &words) :
		      kind == 1 ? is_hmac(&words) :
				  opens_as_envelope(&arena, &words);
		if (got != wanted)
			fail_msg("line %d", line);
		counts[kind]++;
	}
	assert_true(counts[0] > 500 && counts[1] > 200 && counts[2] > 150);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_is_as_another_implementation_has_it),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

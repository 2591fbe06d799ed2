#include "ats/account/accounts.h"

enum { RANDOM_LEN = 32, CHECK_LEN = 6 };

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 as zlib has it, so that a scanner of leaks can check a key with what it has. */
static uint32_t crc32(const char *bytes, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static void write_check(const char *body, size_t len, char check[CHECK_LEN])
{
	uint32_t crc = crc32(body, len);

	for (int i = CHECK_LEN - 1; i >= 0; i--) {
		check[i] = digits[crc % 62];
		crc /= 62;
	}
}

struct str token_text_make(const struct random *random, struct arena *arena, const char *prefix)
{
	size_t len = strlen(prefix), body_len = len + RANDOM_LEN;
	char *text = arena_alloc(arena, body_len + CHECK_LEN);
	unsigned char byte;

	memcpy(text, prefix, len);
	while (len < body_len) {
		random_fill(random, &byte, 1);
		if (byte < 248) /* the last incomplete run of 62 would favour some digits */
			text[len++] = digits[byte % 62];
	}
	write_check(text, body_len, text + body_len);
	return str_make(text, body_len + CHECK_LEN);
}

bool token_text_check(struct str text, const char *prefix)
{
	size_t prefix_len = strlen(prefix), body_len = prefix_len + RANDOM_LEN;
	char check[CHECK_LEN];

	if (text.len != body_len + CHECK_LEN || memcmp(text.data, prefix, prefix_len) != 0)
		return false;
	/* Whether the rest are base62 digits, the digest will tell: one that we made has them. */
	write_check(text.data, body_len, check);
	return memcmp(text.data + body_len, check, CHECK_LEN) == 0;
}

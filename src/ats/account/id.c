#include "ats/account/accounts.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct str id_make(struct accounts *accounts, struct arena *arena, const char *prefix)
{
	unsigned char bytes[16];
	uint64_t ms = (uint64_t)clock_unix_ms(accounts->clock);
	char *text = arena_alloc(arena, ID_LEN);

	for (int i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	random_fill(accounts->random, bytes + 6, 10);
	memcpy(text, prefix, 4);
	/* 128 bits in 26 digits of five: the first digit has the upper three. */
	for (int i = 0; i < 26; i++) {
		unsigned value = 0;
		for (int bit = 5 * i - 2; bit < 5 * i + 3; bit++)
			value = value << 1 |
				(bit < 0 ? 0U : (unsigned)bytes[bit / 8] >> (7 - bit % 8) & 1U);
		text[4 + i] = digits[value];
	}
	return str_make(text, ID_LEN);
}

bool id_check(struct str id, const char *prefix)
{
	if (id.len != ID_LEN || memcmp(id.data, prefix, 4) != 0)
		return false;
	for (size_t i = 4; i < ID_LEN; i++)
		if (id.data[i] == '\0' || strchr(digits, id.data[i]) == NULL)
			return false;
	return true;
}

#include "lang/json/scan.h"

static bool is_follower(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Past a run of ASCII. */
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end)
{
	while (end - at >= 8) {
		uint64_t word;

		memcpy(&word, at, sizeof word);
		if ((word & 0x8080808080808080) != 0)
			break;
		at += 8;
	}
	while (at < end && *at < 0x80)
		at++;
	return at;
}

/* The length of the sequence of 2 to 4 bytes that begins at `at`, or 0 when there is none. The
 * bounds of the second byte are those of table 3-7 of the Unicode standard. */
static size_t measure_sequence(const unsigned char *at, size_t left)
{
	if (at[0] >= 0xc2 && at[0] <= 0xdf)
		return left >= 2 && is_follower(at[1]) ? 2 : 0;
	if (at[0] >= 0xe0 && at[0] <= 0xef) {
		if (left < 3 || !is_follower(at[1]) || !is_follower(at[2]))
			return 0;
		if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f))
			return 0;
		return 3;
	}
	if (at[0] >= 0xf0 && at[0] <= 0xf4) {
		if (left < 4 || !is_follower(at[1]) || !is_follower(at[2]) || !is_follower(at[3]))
			return 0;
		if ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

bool scan_is_utf8(const char *text, const char *text_end)
{
	const unsigned char *at = (const unsigned char *)text;
	const unsigned char *end = (const unsigned char *)text_end;

	while (at < end) {
		if (*at < 0x80) {
			at = skip_ascii(at, end);
			continue;
		}
		size_t len = measure_sequence(at, (size_t)(end - at));
		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

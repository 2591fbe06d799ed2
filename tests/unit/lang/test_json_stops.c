/* Every way of finding stops finds the same ones, and the plain way those that the header says. */
#include "json_testing.h"

#include <stdlib.h>

#include "lang/json/stops.h"

enum { BASE = 1000 };

static bool is_stop(const unsigned char *text, size_t i)
{
	return text[i] < 0x20 || text[i] == '"' || text[i] == '\\' ||
	       (text[i] >= 0x80 && (i % STOPS_BLOCK == 0 || text[i - 1] < 0x80));
}

/* The text is copied to memory of its size, so that a byte read past it does not go unseen. */
static void check_text(const char *text, size_t len)
{
	uint32_t wanted[STOPS_ROOM], got[STOPS_ROOM];
	size_t count = 0;
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, text, len);
	for (size_t i = 0; i < len; i++)
		if (is_stop((const unsigned char *)copy, i))
			wanted[count++] = BASE + (uint32_t)i;
	for (int i = 0; i < STOPS_METHODS_MAX && stops_methods[i].find != NULL; i++) {
		if (!stops_methods[i].is_supported())
			continue;
		if (stops_methods[i].find(copy, len, BASE, got) != count ||
		    memcmp(got, wanted, count * sizeof *got) != 0)
			fail_msg("%s differs for %zu bytes", stops_methods[i].name, len);
	}
	assert_int_equal(stops_find(copy, len, BASE, got), count);
	free(copy);
}

/* Each byte there is, at each place of texts shorter and longer than a block. */
static void test_each_byte(void **state)
{
	char text[STOPS_BLOCK * 2 + 3];

	(void)state;
	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < sizeof text; at++) {
			memset(text, 'a', sizeof text);
			text[at] = (char)byte;
			check_text(text, sizeof text);
			check_text(text, at + 1);
		}
}

static void test_each_length(void **state)
{
	char text[STOPS_BLOCK * 3];

	(void)state;
	for (size_t len = 0; len <= sizeof text; len++) {
		memset(text, 'a', sizeof text);
		check_text(text, len);
		memset(text, '"', sizeof text);
		check_text(text, len);
		memset(text, 0xe2, sizeof text);
		check_text(text, len);
	}
}

/* As many as a window can have, and mixtures of few and many. */
static void test_windows(void **state)
{
	static const char bytes[] = "\"\\\n\x1f\x20\x7f\x80\xc3\xff:,{}[]ab";
	static char text[STOPS_WINDOW];
	uint32_t chance = 1;

	(void)state;
	memset(text, '\\', sizeof text);
	check_text(text, sizeof text);
	for (int round = 0; round < 400; round++) {
		for (size_t i = 0; i < sizeof text; i++) {
			chance = chance * 1664525 + 1013904223;
			bool is_any = (chance >> 8) % 64 < (uint32_t)round % 65;

			text[i] = is_any ? bytes[(chance >> 16) % (sizeof bytes - 1)] : 'x';
		}
		check_text(text, sizeof text - (size_t)round);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_each_length),
		cmocka_unit_test(test_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where a string may end or needs a closer look: found for a window of the text at once, ahead of
 * the parser, which then goes from one stop to the next instead of over the bytes. Private to the
 * room. */
#ifndef LANG_JSON_STOPS_H
#define LANG_JSON_STOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STOPS_BLOCK = 64,    /* bytes looked at in one step */
	STOPS_WINDOW = 2048, /* so many bytes are looked at ahead */
	/* Room for the stops of a window: every byte may be one, and a step may write as many
	 * places past its last as it has bytes. */
	STOPS_ROOM = STOPS_WINDOW + STOPS_BLOCK,
};

/* Writes `base` + i for each i below len where text[i] is a quote, a backslash, a control byte or
 * the first of some bytes that are not ASCII (perhaps for more of these), in order; returns their
 * number. len is at most STOPS_WINDOW, `stops` has STOPS_ROOM. Reads nothing past text + len. */
typedef size_t stops_find_function(const char *text, size_t len, uint32_t base, uint32_t *stops);

/* The ways there are on this kind of processor, the best last; the first is plain C. Those past
 * the last have no find. */
struct stops_method {
	const char *name;
	stops_find_function *find;
	bool (*is_supported)(void);
};
enum { STOPS_METHODS_MAX = 4 };
extern const struct stops_method stops_methods[STOPS_METHODS_MAX];

/* By the best way that this processor has. */
size_t stops_find(const char *text, size_t len, uint32_t base, uint32_t *stops);

#endif

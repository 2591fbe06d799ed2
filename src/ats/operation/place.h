/* Where in a native list an operation stands: what a cursor carries from one call to the next.
 * Private to this room. All texts are borrowed. */
#ifndef ATS_OPERATION_PLACE_H
#define ATS_OPERATION_PLACE_H

#include "ats/operation/run.h"

enum {
	PLACE_IDS_MAX = 200,
	PLACE_IDS_MIN = 8,
};

struct place {
	int64_t call;   /* which call of the plan */
	int64_t offset; /* PAGE_OFFSET, PAGE_NONE: records passed; PAGE_NUMBER: the page's number */
	int64_t size;   /* page size asked for, which PAGE_NUMBER and PAGE_CURSOR keep; 0: none */
	int64_t passed; /* PAGE_NUMBER, PAGE_CURSOR, PAGE_LINK: records passed of that page */
	struct str token; /* PAGE_CURSOR, PAGE_LINK: of that page; empty: the first */
	/* The native record which is being unwound by `each`: so many of its records are out. */
	struct json parent; /* its id; undefined: it has none */
	int64_t children;
	/* The last record passed: its order key (undefined: no order), how many at the end of `ids`
	 * have this same key, and whether there were more of them than `ids` tells. */
	struct json key;
	size_t tie_count;
	bool has_more_ties;
	/* Of the records passed last, newest last: room for PLACE_IDS_MAX in the arena, taken with
	 * the first, for while an operation waits for its first page nothing was passed. */
	struct json *ids;
	size_t id_count;
	struct arena *arena;
};

/* The beginning of the list. The arena must live as long as the place. */
void place_init(struct place *place, struct arena *arena);
/* Room for the ids. */
void place_reserve(struct place *place);

/* Notes that a record was passed. `key` and `id` may be undefined. At most `ties_max` ids of one
 * key are kept (at least PLACE_IDS_MIN of any). */
void place_pass(struct place *place, struct json key, struct json id, size_t ties_max);
bool place_has_id(const struct place *place, struct json id);
/* Makes the place independent of what its texts were borrowed from. */
void place_keep(struct place *place, struct arena *arena);
/* To the next call of the plan. */
void place_next_call(struct place *place);

/* A record's member as id or order key: a text or a number; else undefined. */
struct json place_member(struct json record, struct str name);
/* Below, equal or above 0: numbers by size, texts bytewise, a number before a text. */
int place_compare(struct json a, struct json b);

/* --- cursor.c -------------------------------------------------------------------------------- */

/* An opaque, unforgeable text, good for this account, resource and set of filters alone. */
struct str cursor_seal(const struct run *run, const struct place *place);
/* What it says of a place, before it is sealed: the same of the same place. */
void place_pack(struct buffer *out, const struct place *place);
/* ERROR_INVALID, field "next_cursor", for anything else. */
bool cursor_open(const struct run *run, struct str cursor, struct place *place,
		 struct error *err) MUST_CHECK;

/* --- page.c ---------------------------------------------------------------------------------- */

/* A stretch of a native list, and which of its records are still to be passed. */
struct window {
	struct json body;
	struct json records; /* an array */
	uint32_t *items;     /* indexes of the records not passed yet */
	size_t count;        /* of those */
	int64_t start;       /* place of records[0] in the native list (PAGE_OFFSET) */
	bool is_last;        /* the native list ends here */
	struct str next;     /* token of the next page */
};

/* Fetches the next stretch after the place, for `want` records. False with err->code ERROR_NONE
 * when run->page_calls ran out: the place is then as it was. */
bool page_fetch(struct run *run, const struct native_call *call, struct place *place, int64_t want,
		struct window *window, struct error *err) MUST_CHECK;
/* The i-th item of the window was passed. */
void page_pass(const struct native_method *method, struct place *place,
	       const struct window *window, size_t item);
/* All of the window was passed, and it was not the last. */
void page_leave(const struct native_method *method, struct place *place,
		const struct window *window);

#endif

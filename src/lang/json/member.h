/* Keys of one object: finding repeated ones and bringing two objects into one order. Private to
 * the room. Keys come from strangers and json_key_hash has no secret, so nothing here may cost
 * the square of a large number when all keys share a hash. */
#ifndef LANG_JSON_MEMBER_H
#define LANG_JSON_MEMBER_H

#include "lang/json/json.h"

/* Tells keys apart by bits of their hashes. Each object has a stamp of its own, so that nothing
 * need be cleared between two. */
enum { MEMBER_FILTER_PLACES = 2048 };
struct member_filter {
	uint16_t stamp;
	uint16_t seen[MEMBER_FILTER_PLACES]; /* the stamp of the last object with such a key */
};

static inline void member_filter_init(struct member_filter *filter)
{
	memset(filter, 0, sizeof *filter);
}

/* Gives each repeated key its last value at its first place, closes the gaps and returns how
 * many members are left. */
size_t member_make_unique(struct json_member *members, size_t count, struct member_filter *filter);

/* For each member of a its counterpart in b: NULL with *is_same when the keys are in the same
 * order already; else an array of `count` indexes that the caller frees, or NULL when the keys
 * differ. */
uint32_t *member_match(const struct json_member *a, const struct json_member *b, size_t count,
		       bool *is_same);

static inline bool member_key_equal(const struct json_member *a, const struct json_member *b)
{
	return json_has_key(a, json_name(b), b->key_hash);
}

#endif

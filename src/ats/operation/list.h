/* A page of a unified list under way. Private to this room. */
#ifndef ATS_OPERATION_LIST_H
#define ATS_OPERATION_LIST_H

#include "ats/operation/mapping.h"
#include "ats/operation/place.h"

struct listing {
	struct run *run;
	struct place place;
	struct json_builder items;
	size_t limit;
	bool is_sparse; /* how many records a native one gives is not known */
	bool has_moved; /* from where it began: there is a cursor to go on with */
	size_t whole;	/* items which were fetched whole already */
	size_t fetches;
	bool is_one_answer; /* a page ends with the ATS's */
};

bool list_is_full(const struct listing *listing);
/* Going on must not need more memory than a request may have. */
bool list_has_memory(const struct run *run);
/* The record at which an earlier page stopped: how many of its children that page gave. */
size_t list_first_child(const struct listing *listing, struct json record);
/* A filter compares what the record does not have, and what tells it cannot be had. */
bool list_refuse(const struct run *run, const struct run_filter *lacking, struct error *err);

/* All records that pass the filters, in the ATS's order. ERROR_LIMIT, field "sort_by", when they are
 * more than may be read at once. */
bool list_read_whole(struct run *run, struct json *records, struct error *err) MUST_CHECK;

/* --- memory.c -------------------------------------------------------------------------------- */

/* Is each page to be one of the ATS's own, for a memory? */
bool memory_wants(const struct run *run);
/* Does the operation's memory know the listing's first window? Then its page is made. */
bool memory_knows(struct listing *listing, const struct window *window);

/* --- budget.c -------------------------------------------------------------------------------- */

/* Before a record is added: where the list goes on with it. */
void budget_note(struct run *run, const struct place *place);
/* Ends the page before the first record that has no room. */
void budget_apply(struct run *run);

/* --- sort.c ---------------------------------------------------------------------------------- */

enum sort_kind { SORT_NUMBER, SORT_TEXT, SORT_NOTHING };

struct sort_key {
	enum sort_kind kind;
	int64_t integer; /* moments, whole numbers; of others what is before the point */
	double number;
	struct str text;
};

/* A record and its keys: one for each order, and its id. */
struct sort_entry {
	const struct operation *operation;
	struct sort_key keys[OPERATION_SORTS_MAX + 1];
	struct json record;
	int64_t number; /* of one that is kept */
};
/* Borrows from the record. ERROR_INVALID names a field by which it cannot be sorted. */
bool sort_read(const struct run *run, struct json record, struct sort_entry *entry,
	       struct error *err) MUST_CHECK;
/* Of what the operation's cursor stands behind. */
bool sort_open(const struct run *run, struct sort_entry *entry, struct error *err) MUST_CHECK;
/* For qsort(). What has no value comes last, in either direction. */
int sort_compare(const void *left, const void *right);

/* A page of the list in the operation's order; its cursor tells the record after which to go on. */
bool sort_list(struct run *run, struct error *err) MUST_CHECK;
/* The cursor behind a record of it. */
struct str sort_seal(const struct run *run, struct json record);

/* --- sift.c ---------------------------------------------------------------------------------- */

/* Is there a filter which these records do not tell? */
bool sift_is_needed(const struct mapping *mapping);
/* The window's records, those fetched whole which no other filter leaves out. *taken of its items
 * were passed. False with err->code ERROR_NONE when run->sift_calls, or the memory, ran out. */
bool sift_window(struct listing *listing, struct mapping *mapping, const struct window *window,
		 size_t *taken, struct error *err) MUST_CHECK;

#endif

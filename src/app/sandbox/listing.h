/* Which records a list route answers, in which order, and the text of one page of them. What was
 * selected is kept until something changes, so that the pages of one walk cost little. */
#ifndef APP_SANDBOX_LISTING_H
#define APP_SANDBOX_LISTING_H

#include "app/sandbox/company.h"

struct selection {
	struct record **records;
	size_t count;
};

struct selections {
	struct map kept; /* key to struct selection */
	uint64_t version; /* of the company */
};

/* One request for a list. */
struct listing {
	const struct route_definition *route;
	const struct http_exchange *exchange;
	struct record *owner; /* the record which the path names, or NULL */
	struct arena *arena;
	struct json *variables;
	/* Filled by listing_select. */
	const struct selection *selection;
	struct search_condition *conditions;
	size_t condition_count;
};

void selections_init(struct selections *selections);
void selections_finish(struct selections *selections);

/* Fills listing->selection. ERROR_INVALID when a search is no JSON. */
bool listing_select(struct selections *selections, struct company *company,
		    struct listing *listing, struct error *err) MUST_CHECK;

/* The values of all query fields of this name, "name" and "name[]", with commas between them.
 * False when there is none. */
bool read_parameter(const struct http_exchange *exchange, struct arena *arena, const char *name,
		    struct str *out);

/* search.c: conditions of a search, see search_read there. */
struct search_condition;
bool search_read(struct listing *listing, struct error *err) MUST_CHECK;
bool search_matches(struct company *company, const struct listing *listing, struct record *record,
		    bool *matches, struct error *err) MUST_CHECK;
/* {"stages.name.in": [{"key", "count"}, …]} over the selection. */
bool search_count(struct company *company, const struct listing *listing, struct json *out,
		  struct error *err) MUST_CHECK;

#endif

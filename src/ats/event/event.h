/* What happened, in order: a row for each thing, written in the transaction of the thing itself,
 * so that there is never one without the other. Numbers are an environment's own, 1, 2, 3 … without
 * a gap. This room owns the table event. */
#ifndef ATS_EVENT_EVENT_H
#define ATS_EVENT_EVENT_H

#include "io/store/store.h"
#include "lang/json/json.h"

struct event {
	int64_t number;
	struct str type; /* "integrated_account:created" */
	struct str account_id;
	struct json payload; /* object; no secrets */
	int64_t created_ms;
};

/* The statement which goes with the others of a write. `type` is a literal; the rest must live as
 * long as the statement. */
struct store_statement event_statement(struct arena *arena, struct str environment_id,
				       struct str account_id, const char *type,
				       struct json payload, int64_t now_ms);

struct event_query {
	struct str environment_id;
	int64_t after;	       /* number; 0: from the first */
	size_t limit;	       /* 1 to 1000 */
	struct str account_id; /* empty: of all */
	struct str type;       /* empty: all */
};
/* In the order of their numbers. */
bool event_list(struct store *store, struct arena *arena, const struct event_query *query,
		struct event **list, size_t *count, struct error *err) MUST_CHECK;

#endif

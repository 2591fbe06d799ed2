/* What happened, in order: a row for each thing, written in the transaction of the thing itself,
 * so that there is never one without the other. Numbers are an environment's own, 1, 2, 3 … without
 * a gap, in the order in which things were committed. This room owns the table event. */
#ifndef ATS_EVENT_EVENT_H
#define ATS_EVENT_EVENT_H

#include "io/store/store.h"
#include "lang/json/json.h"

struct event {
	int64_t number;
	struct str type; /* "integrated_account:created" */
	struct str account_id;
	struct str resource;  /* of the record that it is about; empty: it is about the account */
	struct str record_id;
	int64_t version;      /* of the record: its events count 1, 2, 3 … */
	struct json payload; /* object; no secrets */
	int64_t created_ms;
};

/* One that is to be written. All of it must live as long as the statement. */
struct event_new {
	struct str environment_id;
	struct str account_id;
	struct str type;
	struct str resource; /* empty: it is about the account */
	struct str record_id;
	int64_t version;
	struct str payload; /* JSON object, as text */
	int64_t created_ms;
};
/* The statement which goes with the others of a write. */
struct store_statement event_statement(struct arena *arena, const struct event_new *event);

/* Which events are wanted. Lists are JSON arrays of texts; empty texts: all. */
struct event_query {
	struct str environment_id;
	int64_t after;	       /* number; 0: from the first */
	int64_t until;	       /* the last that is wanted; 0: no end */
	size_t limit;	       /* 1 to 1000 */
	struct str account_id; /* one; found by an index, as records are */
	struct str resource;
	struct str record_id;  /* with account_id and resource: by an index */
	struct str types;      /* list of names, "record:*" and "*" among them */
	struct str resources;  /* list; what is about no record passes */
	struct str accounts;   /* list */
};
struct event_page {
	struct event *items; /* in the order of their numbers */
	size_t count;
	int64_t seen;	     /* all up to this number was looked at */
	bool is_end;	     /* there was nothing behind it */
};
/* No more than some thousand events are looked at in one go: a page may have few events, or none,
 * and not be the end. */
bool event_read(struct store *store, struct arena *arena, const struct event_query *query,
		struct event_page *page, struct error *err) MUST_CHECK;
/* The events of that page. */
bool event_list(struct store *store, struct arena *arena, const struct event_query *query,
		struct event **list, size_t *count, struct error *err) MUST_CHECK;
/* One by its number; ERROR_NOT_FOUND. */
bool event_get(struct store *store, struct arena *arena, struct str environment_id,
	       int64_t number, struct event *out, struct error *err) MUST_CHECK;
/* The number of the latest; 0: there is none. */
bool event_newest(struct store *store, struct arena *arena, struct str environment_id,
		  int64_t *number, struct error *err) MUST_CHECK;

/* As everybody is told of it, by the API and by webhooks: {"id": "evt_…", "number", "event",
 * "environment_id", "integrated_account_id", "resource", "record_id", "version", "payload",
 * "created_at"}. The id is the same whenever and wherever it is told. */
struct json event_json(struct arena *arena, struct str environment_id, const struct event *event);
struct str event_id(struct arena *arena, struct str environment_id, int64_t number);
/* The number in an id of this environment's; false when it is none. */
bool event_read_id(struct str environment_id, struct str id, int64_t *number) MUST_CHECK;

/* Rings when events were committed, of whatever environment. Shared by all workers. */
struct event_bell;
/* Watches the store (store_watch()). */
struct event_bell *event_bell_create(struct store *store);
/* Nobody may be waiting. NULL is accepted. */
void event_bell_destroy(struct event_bell *bell);
/* How often it has rung: asked before one looks for events. */
uint64_t event_bell_count(const struct event_bell *bell);
/* In a fiber: until it has rung since `count`. False when the deadline came first, or the fiber was
 * interrupted. */
bool event_bell_wait(struct event_bell *bell, uint64_t count, int64_t deadline_ns);

#endif

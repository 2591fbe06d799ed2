/* Overrides: expressions that an environment, or one account in it, has in place of a connector's
 * own. Layers, later wins: connector, environment, account. Each is about one field of one
 * resource and leaves all others as they are.
 *
 * This room owns the tables environment_override and account_override, and holds what they make of
 * a connector: a connector like any other, compiled once, shared by all workers, given up when a
 * layer changes. */
#ifndef ATS_OVERRIDE_OVERRIDE_H
#define ATS_OVERRIDE_OVERRIDE_H

#include "ats/account/account.h"
#include "ats/connector/connector.h"

enum {
	OVERRIDES_MAX = 500,		    /* of one layer */
	OVERRIDE_BYTES_MAX = 16 * 1024,	    /* of one expression */
	OVERRIDES_BYTES_MAX = 256 * 1024,   /* of all expressions of a layer */
	OVERRIDE_STEPS_MAX = 10 * 1000 * 1000, /* that those of one operation may take in all */
};

struct overrides;

/* Everything is borrowed; one for the whole process. */
struct overrides *overrides_create(struct store *store, const struct connectors *connectors,
				   const struct clock *clock, const struct random *random);
/* NULL is accepted. */
void overrides_destroy(struct overrides *overrides);
/* Another process has changed some. */
void overrides_forget(struct overrides *overrides);

/* --- what is overridden ---------------------------------------------------------------------- */

/* Of an account's connector in an environment, or of the account alone. */
struct override_layer {
	struct str environment_id;
	struct str connector;
	struct str account_id; /* empty: the environment's layer */
};

/* One override. `part` is where the field is:
 *   response             a field of the record, whichever field table it comes from
 *   tables/NAME          the same, of one field table alone
 *   request/METHOD/CALL  a member of a native request: METHOD is unified, CALL "resource.method"
 * `field` is "name", "owner.name", "custom_fields.ID"; of a request "body.a.b" or "query.x". */
struct override {
	struct str resource;
	struct str part;
	struct str field;
	struct str expression; /* empty: there shall be none */
	struct str connector;  /* of the environment's layer, where it was read from the store */
	bool is_account;       /* of the account's layer */
	int64_t created_ms;
	int64_t updated_ms;
};

/* "connector", "environment" or "account": of the origin that a map's entry, a part or a value of a
 * request has. */
const char *override_layer_name(const char *origin);

/* What is wrong with one: which, and JSONata's own fault where it is one. */
struct override_fault {
	struct str path; /* "response.name": as in the document */
	bool is_expression;
	struct jsonata_error error;
};

/* "response.name", "tables.file.name", "request.create.candidates.create.body.candidate.name" */
struct str override_path(struct arena *arena, const struct override *override);

/* {"response": {field: expression}, "tables": {name: {…}}, "request": {method: {call: {…}}}} to
 * overrides of the resource; null for an expression: none. ERROR_INVALID names the member. */
bool override_read(struct arena *arena, struct str resource, struct json document,
		   struct override **list, size_t *count, struct error *err) MUST_CHECK;
/* The other way round, of those of the resource which are in the layer asked for. */
struct json override_print(struct arena *arena, const struct override *list, size_t count,
			   struct str resource, bool is_account);

/* --- keeping them ---------------------------------------------------------------------------- */

/* Those of a layer, sorted; with an account also its environment's, these first. Of an environment
 * with an empty connector: for all connectors. */
bool override_list(struct overrides *overrides, struct arena *arena,
		   const struct override_layer *layer, bool with_environment,
		   struct override **list, size_t *count, struct error *err) MUST_CHECK;
/* Checks the changes and keeps them: in place of all that the layer has for the resource, or over
 * it. Every operation that begins after it goes by them. ERROR_INVALID with *fault, ERROR_LIMIT. */
bool override_save(struct overrides *overrides, struct arena *arena,
		   const struct override_layer *layer, struct str resource,
		   const struct override *changes, size_t count, bool replaces_all,
		   struct override_fault *fault, struct error *err) MUST_CHECK;
/* Can it be used? What was saved by an earlier version may not. */
bool override_check(struct overrides *overrides, struct arena *arena, struct str connector,
		    const struct override *override, struct error *err) MUST_CHECK;
/* The account itself was removed. */
void override_forget(struct overrides *overrides, const struct override_layer *layer);

/* --- what they make -------------------------------------------------------------------------- */

/* A connector with overrides in it. Immutable and shared. */
struct overriding {
	const struct connector *connector; /* as it is to be used */
	const struct connector *base;	   /* as its files have it */
};

/* What an operation on this account goes by; *overriding is NULL when nothing is overridden. It is
 * held until the arena ends, for the operation's result may have texts of its expressions.
 * ERROR_CONFLICT names an override of the resource which was saved, and which this version of the
 * program or the connector cannot use any more. */
bool overriding_hold(struct overrides *overrides, struct arena *arena,
		     const struct account *account, struct str resource,
		     const struct overriding **overriding, struct error *err) MUST_CHECK;
/* As if `changes` had been saved in the account's layer, or, with an empty account id, in the
 * environment's; without what was saved and cannot be used. Lives in the arena, and is not to be
 * dropped. */
bool overriding_make(struct overrides *overrides, struct arena *arena,
		     const struct override_layer *layer, const struct override *changes,
		     size_t count, const struct overriding **overriding,
		     struct override_fault *fault, struct error *err) MUST_CHECK;

/* [{"field", "before", "after"}]: where two values differ, down to members and items. */
struct json override_difference(struct arena *arena, struct json before, struct json after);

/* How many are held: for tests. */
size_t overrides_held(struct overrides *overrides);

#endif

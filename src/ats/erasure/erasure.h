/* Erasing one person: everything that tenon keeps of a candidate of an account is blanked, in the
 * copy and wherever else texts of records lie (events, bodies of webhooks, replies kept for
 * idempotency), and a keyed hash of what was erased keeps the next sync from bringing it back.
 *
 * A candidate's own records are those of the candidate and all that refer to it, to those, and so
 * on (applications, scorecards of an interview …). They become tombstones with nothing but an id,
 * and record:deleted tells of them. Other records lose what they say of the person: references to
 * it, and its e-mail addresses and its name in texts.
 *
 * This room owns the tables erasure and erased_record. It alone has SQL about tables of other
 * rooms, those in which such texts lie (places.c). */
#ifndef ATS_ERASURE_ERASURE_H
#define ATS_ERASURE_ERASURE_H

#include "ats/copy/copy.h"
#include "ats/idempotency/idempotency.h"

struct erasures;
struct erasures_options {
	struct store *store;
	struct vault *vault;
	struct accounts *accounts; /* makes ids */
	struct idempotency *idempotency;
	const struct model *model;
	const struct clock *clock;
};
/* Everything borrowed. Shared by all workers. */
struct erasures *erasures_create(const struct erasures_options *options,
				 struct error *err) MUST_CHECK;
/* NULL is accepted. */
void erasures_destroy(struct erasures *erasures);
/* What was erased is read anew: after a change, here or in another process. */
bool erasures_load(struct erasures *erasures, struct error *err) MUST_CHECK;

/* For copies_leave_out(): whether the record, or one that it refers to, was erased. */
bool erasures_has(void *erasures, const struct copy_place *place, struct json record);

struct erasure_counts {
	int64_t records;	 /* of the person: blanked */
	int64_t records_changed; /* others which told of the person */
	int64_t events;
	int64_t inbound_deliveries; /* webhooks of the ATS */
	int64_t webhook_deliveries;
	int64_t replies; /* kept under Idempotency-Keys */
};
struct erasure {
	struct str id; /* "era_…" */
	struct str environment_id;
	struct str account_id;
	int64_t created_ms;
	struct erasure_counts counts;
};
struct erasure_request {
	const struct account *account;
	struct str candidate_id; /* one of the two; the other is empty */
	struct str email;
};
/* In a fiber. When it has returned, all is blanked. Broken off, it is to be said again.
 * ERROR_NOT_FOUND (field "email"): the copy has no candidate with this address. */
bool erasure_run(struct erasures *erasures, struct arena *arena,
		 const struct erasure_request *request, struct erasure *out,
		 struct error *err) MUST_CHECK;

/* By id, behind `after`. */
bool erasure_list(struct erasures *erasures, struct arena *arena, struct str environment_id,
		  struct str after, size_t limit, struct erasure **list, size_t *count,
		  struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND. */
bool erasure_find(struct erasures *erasures, struct arena *arena, struct str environment_id,
		  struct str id, struct erasure *out, struct error *err) MUST_CHECK;
/* From now on the person may be copied again. ERROR_NOT_FOUND. */
bool erasure_lift(struct erasures *erasures, struct str environment_id, struct str id,
		  struct error *err) MUST_CHECK;

#endif

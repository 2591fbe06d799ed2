/* Writes that are done once, however often they are asked for: what a caller asks under an
 * Idempotency-Key is noted before the ATS is called and after, and kept for seven days. The same
 * again is answered from the note; where an earlier attempt was cut off it is taken up where it
 * ended, and what cannot be known is looked for in the ATS before anything is sent (see struct
 * operation_journal). What is older is forgotten, about once an hour. Keys belong to an account.
 * An attempt under way is one node's, which is written down with it; where that node is dead
 * another takes it up, and the first may send nothing more for it.
 * Replies and results are sealed at rest. */
#ifndef ATS_IDEMPOTENCY_IDEMPOTENCY_H
#define ATS_IDEMPOTENCY_IDEMPOTENCY_H

#include "ats/node/node.h"
#include "ats/operation/operation.h"

enum { IDEMPOTENCY_KEY_BYTES_MAX = 255, IDEMPOTENCY_DAYS = 7 };

struct idempotency;

/* Everything is borrowed. One for the whole process. */
struct idempotency *idempotency_create(struct store *store, struct vault *vault,
				       struct node *node, const struct clock *clock,
				       const struct random *random);
/* NULL is accepted. */
void idempotency_destroy(struct idempotency *idempotency);
/* From any thread. What could not be written because the database is away is tried no more. */
void idempotency_stop(struct idempotency *idempotency);

/* What makes two requests the same. */
struct idempotency_request {
	struct str environment_id;
	struct str account_id;
	struct str key;
	struct str method;
	struct str path; /* as it came */
	struct str body;
	/* NULL, or what follows the body as a stream. Whether it is the same can be told only when
	 * all of it was read: a digest of it is kept with the reply. Until there is a reply its
	 * length alone counts. */
	struct http_source *source;
	/* What is noted from longer ago is another request's, and is forgotten; 0: all that there
	 * is counts. */
	int64_t age_max_ms;
};

/* A reply that was given before. */
struct idempotency_reply {
	int status; /* 0: there is none */
	struct str body;
};

struct idempotency_attempt;

/* Begins an attempt, in a fiber; or fills *reply from an earlier one, and *attempt is then NULL.
 * Both live in the arena; an attempt must be ended. ERROR_INVALID (field "Idempotency-Key") for a
 * key that is none, ERROR_CONFLICT when it was used for another request, or when an attempt is
 * under way; or what came of reading the stream, which is done here where there is a reply. */
bool idempotency_begin(struct idempotency *idempotency, struct arena *arena,
		       const struct idempotency_request *request,
		       struct idempotency_attempt **attempt, struct idempotency_reply *reply,
		       struct error *err) MUST_CHECK;
/* What the attempt's operation is to be given. */
struct operation_journal *idempotency_journal(struct idempotency_attempt *attempt);
/* The request's stream, to be read by the operation. */
struct http_source *idempotency_source(struct idempotency_attempt *attempt);
/* Ends it. `reply` is kept when its status is a success; NULL where it failed: the same request
 * may then be tried again. */
void idempotency_end(struct idempotency_attempt *attempt, const struct idempotency_reply *reply);

/* Replies, and results of calls, of which `tells` says that they tell of somebody: a reply is left
 * with its id, of a call it is then not known what came of it. Adds to *count. */
bool idempotency_erase(struct idempotency *idempotency, struct str environment_id,
		       struct str account_id,
		       bool (*tells)(void *context, struct arena *arena, struct str text),
		       void *context, int64_t *count, struct error *err) MUST_CHECK;

#endif

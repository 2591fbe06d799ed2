/* The rows of one key. Private to this room. */
#ifndef ATS_IDEMPOTENCY_ROWS_H
#define ATS_IDEMPOTENCY_ROWS_H

#include <pthread.h>
#include <sodium.h>

#include "ats/idempotency/idempotency.h"
#include "base/map.h"

enum { HASH_BYTES = 32 };

struct idempotency {
	struct store *store;
	struct vault *vault;
	struct node *node;
	const struct clock *clock;
	_Atomic int64_t expired_ms; /* when old rows were deleted last */
	pthread_mutex_t mutex;
	struct map running; /* keys of attempts under way here, in all workers; under the mutex */
	_Atomic bool is_ending;
};

/* A call of an earlier attempt. */
struct noted_call {
	int64_t number;
	int64_t sent_ms;
	struct str result; /* sealed; data NULL: not known */
};

struct idempotency_attempt {
	struct operation_journal journal;
	struct idempotency *idempotency;
	struct arena *arena;
	struct node_term term; /* whose it is, where there may be several nodes */
	struct str environment_id;
	struct str account_id;
	struct str key_hash;
	struct str request_hash; /* behind it, of a stream that was read to its end, its digest */
	struct http_source source; /* reads `inner` and digests it on the way */
	struct http_source *inner;
	crypto_generichash_state *digest;
	bool is_read;
	bool may_be_ours; /* it was to be written that the attempt is this node's */
	int64_t age_max_ms;
	const struct noted_call *calls;
	size_t call_count;
};

struct noted_attempt {
	bool is_there;
	struct str request_hash;
	struct idempotency_reply reply; /* status 0: none yet */
	struct str owner;		/* the node that is at it, or was; empty: none */
	bool is_free;			/* no node that lives is */
};
bool rows_find(struct idempotency_attempt *attempt, struct noted_attempt *noted,
	       struct error *err) MUST_CHECK;
/* Both make it this node's. ERROR_CONFLICT: another was faster. */
bool rows_insert(struct idempotency_attempt *attempt, struct error *err) MUST_CHECK;
bool rows_take_over(struct idempotency_attempt *attempt, struct str owner,
		    struct error *err) MUST_CHECK;
/* The calls of the attempt before this one. */
bool rows_find_calls(struct idempotency_attempt *attempt, struct error *err) MUST_CHECK;
/* Another attempt has it: ERROR_CONFLICT, to be asked again soon. */
bool rows_refuse_for_now(struct error *err);
/* The same where a write that belongs to an attempt was refused; gives `ok` back. */
bool rows_explain(bool ok, struct error *err);
/* Ended without a reply: it is nobody's. */
bool rows_give_up(const struct idempotency_attempt *attempt, struct error *err) MUST_CHECK;
/* ERROR_CONFLICT: another node has it by now. */
bool rows_begin_call(struct idempotency_attempt *attempt, int64_t number, int64_t sent_ms,
		     struct error *err) MUST_CHECK;
/* `result` undefined: it was not done, and the note goes. */
bool rows_end_call(const struct idempotency_attempt *attempt, int64_t number, struct json result,
		   struct error *err) MUST_CHECK;
bool rows_keep_reply(const struct idempotency_attempt *attempt,
		     const struct idempotency_reply *reply, struct error *err) MUST_CHECK;
/* Deletes what is older than seven days, some time later; does nothing within an hour of the last
 * time. */
void rows_expire(struct idempotency *idempotency);
/* Opens what is kept of a call, or of the reply (number -1), into the arena. */
bool rows_open(const struct idempotency_attempt *attempt, int64_t number, struct str sealed,
	       struct str *plain, struct error *err) MUST_CHECK;
/* Tells the vault of the two columns. */
void rows_register(struct vault *vault);
/* Where they belong; and where they did in the first format. */
struct vault_binding rows_binding(struct arena *arena, struct str environment_id,
				  struct str account_id, struct str key_hash, int64_t number);
struct vault_binding rows_first_binding(struct str environment_id, struct str account_id);

#endif

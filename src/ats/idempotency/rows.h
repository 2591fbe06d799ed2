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
	const struct clock *clock;
	_Atomic int64_t expired_ms; /* when old rows were deleted last */
	pthread_mutex_t mutex;
	struct map running; /* keys of attempts under way, in all workers; under the mutex */
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
	struct str environment_id;
	struct str account_id;
	struct str key_hash;
	struct str request_hash; /* behind it, of a stream that was read to its end, its digest */
	struct http_source source; /* reads `inner` and digests it on the way */
	struct http_source *inner;
	crypto_generichash_state *digest;
	bool is_read;
	int64_t age_max_ms;
	const struct noted_call *calls;
	size_t call_count;
};

/* What is there of the key: *is_there, and then the request's hash, the reply and the calls. */
bool rows_find(struct idempotency_attempt *attempt, bool *is_there, struct str *request_hash,
	       struct idempotency_reply *reply, struct error *err) MUST_CHECK;
bool rows_insert(const struct idempotency_attempt *attempt, struct error *err) MUST_CHECK;
bool rows_begin_call(const struct idempotency_attempt *attempt, int64_t number, int64_t sent_ms,
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

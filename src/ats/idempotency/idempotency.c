#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "ats/idempotency/rows.h"

enum {
	PIECE_BYTES = 32 * 1024,
	LINE_BYTES = 64,
	LEFTOVER_BYTES_MAX = 64 * 1024,
	LEFTOVER_STEP_MS = 250,
};

struct idempotency *idempotency_create(struct store *store, struct vault *vault,
				       struct node *node, const struct clock *clock,
				       const struct random *random)
{
	struct idempotency *idempotency = calloc(1, sizeof *idempotency);

	if (idempotency == NULL)
		die("no memory");
	idempotency->store = store;
	idempotency->vault = vault;
	idempotency->node = node;
	idempotency->clock = clock;
	pthread_mutex_init(&idempotency->mutex, NULL);
	map_init(&idempotency->running, random);
	rows_register(vault);
	return idempotency;
}

void idempotency_destroy(struct idempotency *idempotency)
{
	if (idempotency == NULL)
		return;
	map_finish(&idempotency->running);
	pthread_mutex_destroy(&idempotency->mutex);
	free(idempotency);
}

/* --- attempts under way ---------------------------------------------------------------------- */

static struct str running_key(const struct idempotency_attempt *attempt)
{
	char hex[HASH_BYTES * 2 + 1];

	sodium_bin2hex(hex, sizeof hex, (const unsigned char *)attempt->key_hash.data, HASH_BYTES);
	return arena_format(attempt->arena, "%.*s%s", STR_ARGS(attempt->account_id), hex);
}

/* False when another one is. */
static bool enter(struct idempotency_attempt *attempt)
{
	struct idempotency *idempotency = attempt->idempotency;
	struct str key = running_key(attempt);

	pthread_mutex_lock(&idempotency->mutex);
	bool is_free = map_get(&idempotency->running, key) == NULL;
	if (is_free)
		map_put(&idempotency->running, key, idempotency);
	pthread_mutex_unlock(&idempotency->mutex);
	return is_free;
}

static void leave(struct idempotency_attempt *attempt)
{
	struct idempotency *idempotency = attempt->idempotency;

	pthread_mutex_lock(&idempotency->mutex);
	map_remove(&idempotency->running, running_key(attempt));
	pthread_mutex_unlock(&idempotency->mutex);
}

/* --- attempts that could not be given up ----------------------------------------------------- */

struct leftover {
	struct arena arena;
	struct idempotency_attempt attempt;
};

/* The other nodes take it for under way until this is done, or this node's lease has run out. */
static void give_up_at_last(void *context)
{
	struct leftover *leftover = context;
	struct idempotency_attempt *attempt = &leftover->attempt;
	struct idempotency *idempotency = attempt->idempotency;
	struct error err;

	(void)store_enter(attempt->environment_id);
	while (!rows_give_up(attempt, &err) && err.code == ERROR_UNAVAILABLE &&
	       node_has(idempotency->node, attempt->term.number) && !idempotency->is_ending)
		loop_sleep_ms(LEFTOVER_STEP_MS);
	leave(attempt);
	arena_finish(&leftover->arena);
	free(leftover);
}

/* The database is away: when it is back it is told. Until then nobody here takes the key up. */
static void leave_later(const struct idempotency_attempt *attempt)
{
	struct leftover *leftover = calloc(1, sizeof *leftover);

	if (leftover == NULL)
		die("out of memory for an attempt");
	arena_init(&leftover->arena, LEFTOVER_BYTES_MAX);
	leftover->attempt = (struct idempotency_attempt){
		.idempotency = attempt->idempotency,
		.arena = &leftover->arena,
		.environment_id = arena_str(&leftover->arena, attempt->environment_id),
		.account_id = arena_str(&leftover->arena, attempt->account_id),
		.key_hash = arena_str(&leftover->arena, attempt->key_hash),
	};
	/* Under an older name, whose lease has run out, it is nobody's already. */
	node_now(attempt->idempotency->node, &leftover->attempt.term);
	loop_spawn(loop_current(), give_up_at_last, leftover);
}

void idempotency_stop(struct idempotency *idempotency)
{
	idempotency->is_ending = true;
}

/* --- the journal ----------------------------------------------------------------------------- */

static enum journal_state find_call(struct operation_journal *journal, size_t number,
				    struct arena *arena, struct json *result, int64_t *sent_ms)
{
	struct idempotency_attempt *attempt = (struct idempotency_attempt *)journal;
	struct error ignored;
	struct str text;

	for (size_t i = 0; i < attempt->call_count; i++) {
		const struct noted_call *call = &attempt->calls[i];

		if (call->number != (int64_t)number)
			continue;
		*sent_ms = call->sent_ms;
		/* What cannot be opened any more is as good as not known. */
		if (call->result.data == NULL ||
		    !rows_open(attempt, call->number, call->result, &text, &ignored) ||
		    !json_parse(arena, text, &json_limits_default, result, &ignored))
			return JOURNAL_UNKNOWN;
		return JOURNAL_DONE;
	}
	return JOURNAL_NONE;
}

static bool begin_call(struct operation_journal *journal, size_t number, int64_t now_ms,
		       struct error *err)
{
	return rows_begin_call((struct idempotency_attempt *)journal, (int64_t)number, now_ms, err);
}

static bool end_call(struct operation_journal *journal, size_t number, struct json result,
		     struct error *err)
{
	return rows_end_call((struct idempotency_attempt *)journal, (int64_t)number, result, err);
}

struct operation_journal *idempotency_journal(struct idempotency_attempt *attempt)
{
	return &attempt->journal;
}

/* --- a body that is a stream ----------------------------------------------------------------- */

static ssize_t read_source(void *context, void *bytes, size_t max, struct error *err)
{
	struct idempotency_attempt *attempt = context;
	ssize_t got = attempt->inner->read(attempt->inner->context, bytes, max, err);

	if (got > 0)
		crypto_generichash_update(attempt->digest, bytes, (unsigned long long)got);
	attempt->is_read = got == 0;
	return got;
}

struct http_source *idempotency_source(struct idempotency_attempt *attempt)
{
	return attempt->inner == NULL ? NULL : &attempt->source;
}

static void init_source(struct idempotency_attempt *attempt, struct http_source *inner)
{
	attempt->inner = inner;
	attempt->source = (struct http_source){read_source, attempt, inner->length};
	/* It wants to stand on lines of the cache. */
	char *room = arena_alloc(attempt->arena, sizeof *attempt->digest + LINE_BYTES);

	room += LINE_BYTES - (uintptr_t)room % LINE_BYTES;
	attempt->digest = (crypto_generichash_state *)(void *)room;
	crypto_generichash_init(attempt->digest, NULL, 0, HASH_BYTES);
}

/* The request's hash with the digest of its stream. */
static struct str finish_hash(struct idempotency_attempt *attempt)
{
	unsigned char *both = arena_alloc(attempt->arena, 2 * HASH_BYTES);

	memcpy(both, attempt->request_hash.data, HASH_BYTES);
	crypto_generichash_final(attempt->digest, both + HASH_BYTES, HASH_BYTES);
	return str_make((const char *)both, 2 * HASH_BYTES);
}

static bool read_all(struct idempotency_attempt *attempt, struct error *err)
{
	char *bytes = arena_alloc(attempt->arena, PIECE_BYTES);
	ssize_t got;

	do
		got = read_source(attempt, bytes, PIECE_BYTES, err);
	while (got > 0);
	return got == 0;
}

/* --- beginning and ending -------------------------------------------------------------------- */

static struct str hash(struct arena *arena, const struct str *parts, size_t count)
{
	unsigned char *digest = arena_alloc(arena, HASH_BYTES);
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, HASH_BYTES);
	for (size_t i = 0; i < count; i++) {
		uint64_t len = parts[i].len;

		/* Lengths between them: "ab", "c" is not "a", "bc". */
		crypto_generichash_update(&state, (const unsigned char *)&len, sizeof len);
		crypto_generichash_update(&state, (const unsigned char *)parts[i].data,
					  parts[i].len);
	}
	crypto_generichash_final(&state, digest, HASH_BYTES);
	return str_make((const char *)digest, HASH_BYTES);
}

static bool check_key(struct str key, struct error *err)
{
	bool is_plain = key.len > 0 && key.len <= IDEMPOTENCY_KEY_BYTES_MAX;

	for (size_t i = 0; i < key.len; i++)
		is_plain = is_plain && key.data[i] >= ' ' && key.data[i] <= '~';
	return is_plain || error_set_field(err, ERROR_INVALID, "Idempotency-Key",
					   "1 to 255 printable ASCII characters",
					   "this cannot be an Idempotency-Key");
}

static struct idempotency_attempt *make_attempt(struct idempotency *idempotency,
						struct arena *arena,
						const struct idempotency_request *request)
{
	struct idempotency_attempt *attempt = arena_zero(arena, sizeof *attempt);
	int64_t length = request->source == NULL ? 0 : request->source->length;
	const struct str parts[] = {request->method, request->path, request->body,
				    str_make((const char *)&length, sizeof length)};

	*attempt = (struct idempotency_attempt){
		.journal = {find_call, begin_call, end_call},
		.idempotency = idempotency,
		.arena = arena,
		.environment_id = request->environment_id,
		.account_id = request->account_id,
		.age_max_ms = request->age_max_ms,
		.key_hash = hash(arena, &request->key, 1),
		.request_hash = hash(arena, parts, request->source == NULL ? 3 : 4),
	};
	if (request->source != NULL)
		init_source(attempt, request->source);
	return attempt;
}

static bool is_same(struct idempotency_attempt *attempt, struct str before, bool has_reply,
		    bool *is_so, struct error *err)
{
	struct str now = attempt->request_hash;

	*is_so = str_equal(str_slice(before, 0, HASH_BYTES), now);
	if (!*is_so || !has_reply || before.len == HASH_BYTES || attempt->inner == NULL)
		return true;
	if (!read_all(attempt, err))
		return false;
	*is_so = str_equal(before, finish_hash(attempt));
	return true;
}

static bool take_up(struct idempotency_attempt *attempt, struct str owner, struct error *err)
{
	return rows_explain(rows_take_over(attempt, owner, err), err) &&
	       rows_find_calls(attempt, err);
}

/* Under the lock of enter(): nobody else of this process looks at the key meanwhile. */
static bool look_up(struct idempotency_attempt *attempt, struct idempotency_reply *reply,
		    struct error *err)
{
	struct noted_attempt noted;
	bool is_so = false;

	if (!rows_explain(rows_find(attempt, &noted, err), err))
		return false;
	*reply = noted.reply;
	if (!noted.is_there) {
		rows_expire(attempt->idempotency);
		return rows_explain(rows_insert(attempt, err), err);
	}
	bool has_reply = reply->status != 0;

	if (!has_reply && !noted.is_free)
		return rows_refuse_for_now(err);
	if (!is_same(attempt, noted.request_hash, has_reply, &is_so, err))
		return false;
	if (!is_so)
		return error_set_field(err, ERROR_CONFLICT, "Idempotency-Key", "a key of its own",
				       "this Idempotency-Key was used for another request");
	return has_reply || take_up(attempt, noted.owner, err);
}

bool idempotency_begin(struct idempotency *idempotency, struct arena *arena,
		       const struct idempotency_request *request,
		       struct idempotency_attempt **attempt, struct idempotency_reply *reply,
		       struct error *err)
{
	assert(request->account_id.len > 0);
	*attempt = NULL;
	*reply = (struct idempotency_reply){0};
	if (!check_key(request->key, err))
		return false;
	struct idempotency_attempt *made = make_attempt(idempotency, arena, request);

	if (!enter(made))
		return rows_refuse_for_now(err);
	bool ok = look_up(made, reply, err);
	if (ok && reply->status == 0)
		*attempt = made;
	else if (!ok && err->code == ERROR_UNAVAILABLE && made->may_be_ours)
		leave_later(made);
	else
		leave(made);
	return ok;
}

void idempotency_end(struct idempotency_attempt *attempt, const struct idempotency_reply *reply)
{
	bool is_kept = reply != NULL && reply->status >= 200 && reply->status < 300;
	struct error err;

	if (attempt->is_read)
		attempt->request_hash = finish_hash(attempt);
	if (is_kept && !rows_keep_reply(attempt, reply, &err)) {
		/* The calls are noted as done: the same again does none of them. */
		LOG(LOG_WARNING, "reply_not_kept", LOG_S(account_id, attempt->account_id),
		    LOG_C(error, error_name(err.code)));
		is_kept = false;
	}
	bool is_ended = is_kept || rows_give_up(attempt, &err);
	if (!is_ended)
		LOG(LOG_WARNING, "attempt_not_ended", LOG_S(account_id, attempt->account_id),
		    LOG_C(error, error_name(err.code)));
	if (!is_ended && err.code == ERROR_UNAVAILABLE)
		leave_later(attempt);
	else
		leave(attempt);
}

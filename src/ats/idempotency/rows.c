#include "ats/idempotency/rows.h"

#include <stdatomic.h>

enum { PARAMETERS = 8 };

/* The first three parameters of every statement. */
static void bind_key(const struct idempotency_attempt *attempt, struct store_value *values)
{
	values[0] = store_text(attempt->environment_id);
	values[1] = store_text(attempt->account_id);
	values[2] = store_blob(attempt->key_hash);
}

/* `number` is of the call, or REPLY. */
enum { REPLY = -1 };

static struct vault_binding binding_of(const struct idempotency_attempt *attempt, int64_t number)
{
	return rows_binding(attempt->arena, attempt->environment_id, attempt->account_id,
			    attempt->key_hash, number);
}

struct vault_binding rows_binding(struct arena *arena, struct str environment_id,
				  struct str account_id, struct str key_hash, int64_t number)
{
	struct buffer field;

	buffer_init(&field, arena, 128);
	buffer_append_c(&field, number == REPLY ? "idempotency.reply." : "idempotency.call.");
	for (size_t i = 0; i < key_hash.len; i++)
		buffer_append_format(&field, "%02x", (unsigned char)key_hash.data[i]);
	return (struct vault_binding){.environment = environment_id,
				      .subject = account_id,
				      .field = buffer_str(&field),
				      .version = number + 1};
}

static bool seal(const struct idempotency_attempt *attempt, int64_t number, struct str plain,
		 struct store_value *value, struct error *err)
{
	struct vault_binding binding = binding_of(attempt, number);
	struct str sealed;

	if (!vault_seal(attempt->idempotency->vault, attempt->arena, &binding, plain, &sealed, err))
		return false;
	*value = store_blob(sealed);
	return true;
}

bool rows_open(const struct idempotency_attempt *attempt, int64_t number, struct str sealed,
	       struct str *plain, struct error *err)
{
	struct vault_binding binding = binding_of(attempt, number);
	struct secret secret;
	struct vault_binding first =
		rows_first_binding(attempt->environment_id, attempt->account_id);

	if (!vault_open_sealed(attempt->idempotency->vault, &binding, sealed, &secret, err) &&
	    (!vault_is_first_format(sealed) ||
	     !vault_open_sealed(attempt->idempotency->vault, &first, sealed, &secret, err)))
		return false;
	*plain = arena_str(attempt->arena, secret_str(&secret));
	secret_finish(&secret);
	return true;
}

struct vault_binding rows_first_binding(struct str environment_id, struct str account_id)
{
	return (struct vault_binding){.environment = environment_id,
				      .subject = account_id,
				      .field = STR("idempotency")};
}

bool rows_find_calls(struct idempotency_attempt *attempt, struct error *err)
{
	struct store_value values[PARAMETERS];
	struct store_rows rows;
	struct noted_call *calls;

	bind_key(attempt, values);
	if (!store_query(attempt->idempotency->store, attempt->arena,
			 "SELECT number, sent_ms, result FROM idempotency_call WHERE"
			 " environment_id = ?1 AND account_id = ?2 AND key_hash = ?3",
			 values, 3, &rows, err))
		return false;
	calls = arena_array(attempt->arena, rows.count + 1, sizeof *calls);
	for (size_t i = 0; i < rows.count; i++) {
		const struct store_value *result = store_cell(&rows, i, 2);

		calls[i] = (struct noted_call){
			store_cell(&rows, i, 0)->integer, store_cell(&rows, i, 1)->integer,
			result->type == STORE_NULL ? (struct str){NULL, 0} : result->bytes};
	}
	attempt->calls = calls;
	attempt->call_count = rows.count;
	return true;
}

static bool write_one(const struct idempotency_attempt *attempt, const char *sql,
		      const struct store_value *values, size_t count, struct error *err)
{
	const struct store_statement statement = {.sql = sql,
						  .parameters = values,
						  .parameter_count = count,
						  .changes_expected = 1};

	return store_write(attempt->idempotency->store, &statement, 1, err);
}

/* Its calls go with it. */
static bool forget(const struct idempotency_attempt *attempt, struct error *err)
{
	struct store_value values[PARAMETERS];

	bind_key(attempt, values);
	return write_one(attempt,
			 "DELETE FROM idempotency WHERE environment_id = ?1 AND account_id = ?2"
			 " AND key_hash = ?3",
			 values, 3, err);
}

static bool is_too_old(const struct idempotency_attempt *attempt, int64_t created_ms)
{
	int64_t now_ms = clock_unix_ms(attempt->idempotency->clock);

	return attempt->age_max_ms > 0 && now_ms - created_ms > attempt->age_max_ms;
}

/* One that this process is at is known in its memory. */
static bool is_this_node(const struct idempotency_attempt *attempt, struct str owner)
{
	struct node_term term;

	node_now(attempt->idempotency->node, &term);
	return str_equal_c(owner, term.name);
}

bool rows_find(struct idempotency_attempt *attempt, struct noted_attempt *noted,
	       struct error *err)
{
	struct store_value values[PARAMETERS];
	struct store_rows rows;

	bind_key(attempt, values);
	values[3] = store_int(clock_unix_ms(attempt->idempotency->clock));
	*noted = (struct noted_attempt){0};
	if (!store_query(attempt->idempotency->store, attempt->arena,
			 "SELECT request_hash, status, reply, created_ms, owner,"
			 " iif(" NODE_IS_FREE("idempotency.owner", "?4") ", 1, 0)"
			 " FROM idempotency WHERE"
			 " environment_id = ?1 AND account_id = ?2 AND key_hash = ?3",
			 values, 4, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	if (is_too_old(attempt, store_cell(&rows, 0, 3)->integer))
		return forget(attempt, err);
	noted->is_there = true;
	noted->request_hash = store_cell(&rows, 0, 0)->bytes;
	noted->reply.status = (int)store_cell(&rows, 0, 1)->integer;
	noted->owner = store_cell(&rows, 0, 4)->bytes;
	noted->is_free = store_cell(&rows, 0, 5)->integer != 0 ||
			 is_this_node(attempt, noted->owner);
	return noted->reply.status == 0 ||
	       rows_open(attempt, REPLY, store_cell(&rows, 0, 2)->bytes, &noted->reply.body, err);
}

/* --- whose it is ----------------------------------------------------------------------------- */

/* In a process that is alone its map says who is at what. */
static bool is_alone(const struct idempotency_attempt *attempt)
{
	return node_is_alone(attempt->idempotency->node);
}

/* Empty where nobody else could be. */
static struct store_value owner_of(const struct idempotency_attempt *attempt)
{
	return store_text(is_alone(attempt) ? STR("") : str_from_c(attempt->term.name));
}

/* Under a lease that has run out nothing may be begun. */
static bool check_term(const struct idempotency_attempt *attempt, const struct node_term *term,
		       struct error *err)
{
	if (node_has(attempt->idempotency->node, term->number))
		return true;
	error_set(err, ERROR_UNAVAILABLE, "this node has lost touch with the database");
	err->retry_after_ms = 1000;
	return false;
}

static bool take_term(struct idempotency_attempt *attempt, struct error *err)
{
	node_now(attempt->idempotency->node, &attempt->term);
	attempt->may_be_ours = check_term(attempt, &attempt->term, err);
	return attempt->may_be_ours;
}

bool rows_insert(struct idempotency_attempt *attempt, struct error *err)
{
	struct store_value values[PARAMETERS];

	if (!take_term(attempt, err))
		return false;
	bind_key(attempt, values);
	values[3] = store_blob(attempt->request_hash);
	values[4] = store_int(clock_unix_ms(attempt->idempotency->clock));
	values[5] = owner_of(attempt);
	return write_one(attempt,
			 "INSERT INTO idempotency (environment_id, account_id, key_hash,"
			 " request_hash, status, reply, created_ms, owner)"
			 " VALUES (?1, ?2, ?3, ?4, 0, NULL, ?5, ?6)",
			 values, 6, err);
}

bool rows_take_over(struct idempotency_attempt *attempt, struct str owner, struct error *err)
{
	struct store_value values[PARAMETERS];

	if (is_alone(attempt))
		return true;
	if (!take_term(attempt, err))
		return false;
	bind_key(attempt, values);
	values[3] = store_text(owner);
	values[4] = owner_of(attempt);
	return write_one(attempt,
			 "UPDATE idempotency SET owner = ?5 WHERE environment_id = ?1 AND"
			 " account_id = ?2 AND key_hash = ?3 AND owner = ?4 AND status = 0",
			 values, 5, err);
}

/* The last call may have been begun under a newer name of the node, and nobody heard of it; no
 * other attempt of this node has the key meanwhile. */
bool rows_give_up(const struct idempotency_attempt *attempt, struct error *err)
{
	struct store_value values[PARAMETERS];
	struct node_term now;
	const struct store_statement statement = {
		"UPDATE idempotency SET owner = '' WHERE environment_id = ?1 AND"
		" account_id = ?2 AND key_hash = ?3 AND owner IN (?4, ?5)",
		values, 5, -1};

	if (is_alone(attempt))
		return true;
	node_now(attempt->idempotency->node, &now);
	bind_key(attempt, values);
	values[3] = owner_of(attempt);
	values[4] = store_text(str_from_c(now.name));
	return store_write(attempt->idempotency->store, &statement, 1, err);
}

/* --- calls ----------------------------------------------------------------------------------- */

bool rows_refuse_for_now(struct error *err)
{
	error_set_field(err, ERROR_CONFLICT, "Idempotency-Key", NULL,
			"a request with this Idempotency-Key is under way");
	err->retry_after_ms = 1000;
	return false;
}

bool rows_explain(bool ok, struct error *err)
{
	return ok || (err->code == ERROR_CONFLICT && rows_refuse_for_now(err));
}

/* Where the node's lease had run out and nobody has taken the attempt, it goes on under the new
 * one. Once that has run out, too, nothing is sent: another may have begun. */
bool rows_begin_call(struct idempotency_attempt *attempt, int64_t number, int64_t sent_ms,
		     struct error *err)
{
	struct store_value key[PARAMETERS], values[PARAMETERS];
	struct node_term term;
	const struct store_statement statements[] = {
		{"INSERT INTO idempotency_call (environment_id, account_id, key_hash,"
		 " number, sent_ms, result) VALUES (?1, ?2, ?3, ?4, ?5, NULL)"
		 " ON CONFLICT (environment_id, account_id, key_hash, number)"
		 " DO UPDATE SET sent_ms = ?5, result = NULL",
		 values, 5, 1},
		{"UPDATE idempotency SET owner = ?5 WHERE environment_id = ?1 AND"
		 " account_id = ?2 AND key_hash = ?3 AND owner = ?4",
		 key, 5, 1},
	};

	node_now(attempt->idempotency->node, &term);
	bind_key(attempt, values);
	values[3] = store_int(number);
	values[4] = store_int(sent_ms);
	bind_key(attempt, key);
	key[3] = owner_of(attempt);
	key[4] = store_text(str_from_c(term.name));
	if (!rows_explain(store_write(attempt->idempotency->store, statements,
				      is_alone(attempt) ? 1 : 2, err),
			  err))
		return false;
	attempt->term = term;
	return check_term(attempt, &term, err);
}

/* Another that has begun the same call anew needs its note. */
static bool forget_call(const struct idempotency_attempt *attempt, int64_t number,
			struct error *err)
{
	struct store_value values[PARAMETERS], key[PARAMETERS];
	const struct store_statement statements[] = {
		{"DELETE FROM idempotency_call WHERE environment_id = ?1 AND"
		 " account_id = ?2 AND key_hash = ?3 AND number = ?4",
		 values, 4, 1},
		{"UPDATE idempotency SET owner = ?4 WHERE environment_id = ?1 AND"
		 " account_id = ?2 AND key_hash = ?3 AND owner = ?4",
		 key, 4, 1},
	};

	bind_key(attempt, values);
	values[3] = store_int(number);
	bind_key(attempt, key);
	key[3] = owner_of(attempt);
	return store_write(attempt->idempotency->store, statements, is_alone(attempt) ? 1 : 2, err);
}

/* What was done is so, whoever has the attempt by now. */
bool rows_end_call(const struct idempotency_attempt *attempt, int64_t number, struct json result,
		   struct error *err)
{
	struct store_value values[PARAMETERS];
	struct buffer text;

	if (json_is(result, JSON_UNDEFINED))
		return forget_call(attempt, number, err);
	bind_key(attempt, values);
	values[3] = store_int(number);
	buffer_init(&text, attempt->arena, (size_t)64 << 20);
	json_print(&text, result);
	return buffer_check(&text, "what the ATS answered", err) &&
	       seal(attempt, number, buffer_str(&text), &values[4], err) &&
	       write_one(attempt,
			 "UPDATE idempotency_call SET result = ?5 WHERE environment_id = ?1 AND"
			 " account_id = ?2 AND key_hash = ?3 AND number = ?4",
			 values, 5, err);
}

/* The calls are then told by the reply. */
bool rows_keep_reply(const struct idempotency_attempt *attempt,
		     const struct idempotency_reply *reply, struct error *err)
{
	struct store_value values[PARAMETERS];
	const struct store_statement statements[] = {
		{"UPDATE idempotency SET status = ?4, reply = ?5, request_hash = ?6, owner = ''"
		 " WHERE environment_id = ?1 AND"
		 " account_id = ?2 AND key_hash = ?3 AND owner = ?7",
		 values, 7, 1},
		{"DELETE FROM idempotency_call WHERE environment_id = ?1 AND account_id = ?2 AND"
		 " key_hash = ?3",
		 values, 3, -1},
	};

	bind_key(attempt, values);
	values[3] = store_int(reply->status);
	if (!seal(attempt, REPLY, reply->body, &values[4], err))
		return false;
	values[5] = store_blob(attempt->request_hash);
	values[6] = owner_of(attempt);
	return store_write(attempt->idempotency->store, statements, 2, err);
}

void rows_expire(struct idempotency *idempotency)
{
	const int64_t hour_ms = 3600 * 1000, age_ms = IDEMPOTENCY_DAYS * 24 * hour_ms;
	int64_t now_ms = clock_unix_ms(idempotency->clock), last_ms = idempotency->expired_ms;
	const struct store_value before = store_int(now_ms - age_ms);
	const struct store_statement statement = {
		.sql = "DELETE FROM idempotency WHERE created_ms < ?1",
		.parameters = &before,
		.parameter_count = 1,
		.changes_expected = -1,
	};
	struct error ignored;

	/* Of several that come at once one does it; when the queue is full it is done next time. */
	if (now_ms - last_ms < hour_ms ||
	    !atomic_compare_exchange_strong(&idempotency->expired_ms, &last_ms, now_ms))
		return;
	struct store_scope scope = store_enter_all();
	if (!store_write_later(idempotency->store, &statement, &ignored))
		idempotency->expired_ms = last_ms;
	store_leave(&scope);
}

/* --- for the rotation of keys --------------------------------------------------------------- */

static void place_reply(struct arena *arena, const struct store_value *row, bool is_first,
			struct vault_binding *out)
{
	*out = is_first ? rows_first_binding(row[1].bytes, row[2].bytes) :
			  rows_binding(arena, row[1].bytes, row[2].bytes, row[3].bytes, REPLY);
}

static void place_call(struct arena *arena, const struct store_value *row, bool is_first,
		       struct vault_binding *out)
{
	*out = is_first ? rows_first_binding(row[1].bytes, row[2].bytes) :
			  rows_binding(arena, row[1].bytes, row[2].bytes, row[3].bytes,
				       row[4].integer);
}

/* Without the keys what was kept cannot be read: a write under the same Idempotency-Key is a new
 * one then. */
static const struct vault_column columns[] = {
	{.name = "idempotency",
	 .walk = "SELECT reply, environment_id, account_id, key_hash FROM idempotency"
		 " WHERE (environment_id, account_id, key_hash) > (?1, ?2, ?3)"
		 " AND reply IS NOT NULL ORDER BY environment_id, account_id, key_hash LIMIT ?4",
	 .replace = "UPDATE idempotency SET reply = ?2 WHERE reply = ?1 AND environment_id = ?3"
		    " AND account_id = ?4 AND key_hash = ?5",
	 .count = "SELECT iif(substr(reply, 1, 1) = x'02', substr(reply, 3, 8), x''), count(*)"
		  " FROM idempotency WHERE reply IS NOT NULL AND environment_id = ?1 GROUP BY 1",
	 .revoke = "DELETE FROM idempotency WHERE environment_id = ?1",
	 .keys = 3,
	 .types = {[2] = STORE_BLOB},
	 .place = place_reply},
	{.name = "idempotency_call",
	 .walk = "SELECT result, environment_id, account_id, key_hash, number FROM idempotency_call"
		 " WHERE (environment_id, account_id, key_hash, number) > (?1, ?2, ?3, ?4)"
		 " AND result IS NOT NULL"
		 " ORDER BY environment_id, account_id, key_hash, number LIMIT ?5",
	 .replace = "UPDATE idempotency_call SET result = ?2 WHERE result = ?1"
		    " AND environment_id = ?3 AND account_id = ?4 AND key_hash = ?5 AND number = ?6",
	 .count = "SELECT iif(substr(result, 1, 1) = x'02', substr(result, 3, 8), x''), count(*)"
		  " FROM idempotency_call WHERE result IS NOT NULL AND environment_id = ?1"
		  " GROUP BY 1",
	 .keys = 4,
	 .types = {[2] = STORE_BLOB, [3] = STORE_INT},
	 .place = place_call},
};

void rows_register(struct vault *vault)
{
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		vault_add_column(vault, &columns[i]);
}

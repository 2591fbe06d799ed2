/* The states of accounts: what moves them, and what is told of it. */
#include "ats/account/state.h"

#include "ats/account/held.h"
#include "ats/event/event.h"

/* --- what is told ----------------------------------------------------------------------------- */

static struct json show(struct arena *arena, const struct account *account, struct json last_error)
{
	struct str tenant = account->tenant_id;
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(account->id));
	json_builder_set(&out, STR("tenant_id"), tenant.len > 0 ? json_string(tenant) : json_null());
	json_builder_set(&out, STR("connector"), json_string(account->connector));
	json_builder_set(&out, STR("status"),
			 json_string_c(account_status_name(account->status)));
	json_builder_set(&out, STR("context"),
			 json_is(account->context, JSON_OBJECT) ? account->context
								: json_object(NULL, 0));
	json_builder_set(&out, STR("created_at"),
			 json_string(clock_format_ms(arena, account->created_ms)));
	json_builder_set(&out, STR("updated_at"),
			 json_string(clock_format_ms(arena, account->updated_ms)));
	json_builder_set(&out, STR("last_error"), last_error);
	return json_builder_object(&out);
}

static struct store_statement tell(struct arena *arena, const struct account *account,
				   const char *type, struct json last_error)
{
	const struct event_new event = {
		.environment_id = account->environment_id,
		.account_id = account->id,
		.type = str_from_c(type),
		.payload = json_text(arena, show(arena, account, last_error)),
		.created_ms = account->updated_ms,
	};

	return event_statement(arena, &event);
}

size_t state_changed(struct arena *arena, const struct account *account, const char *type,
		     struct store_statement *statements)
{
	statements[0] = tell(arena, account, type, json_undefined());
	return 1;
}

/* NULL: a state that is no news. */
static const char *name_of_move(const struct account *account, enum account_status from)
{
	/* Linked anew it is checked as if it were new. */
	bool is_first = from == ACCOUNT_ACTIVE ||
			(from == ACCOUNT_CONNECTING && account->token.version <= 1);

	switch (account->status) {
	case ACCOUNT_ACTIVE:
		return is_first ? "integrated_account:active" : "integrated_account:reactivated";
	case ACCOUNT_NEEDS_REAUTH:
		return "integrated_account:authentication_error";
	case ACCOUNT_VALIDATION_ERROR:
		return "integrated_account:validation_error";
	case ACCOUNT_POST_INSTALL_ERROR:
		return "integrated_account:post_install_error";
	case ACCOUNT_CONNECTING:
		return NULL;
	}
	return NULL;
}

size_t state_moved(struct arena *arena, const struct account *account, enum account_status from,
		   struct json last_error, struct store_statement *statements)
{
	const char *name = name_of_move(account, from);

	if (name == NULL)
		return 0;
	statements[0] = tell(arena, account, name, last_error);
	return 1;
}

size_t state_created(struct arena *arena, const struct account *account,
		     struct store_statement *statements)
{
	size_t count = state_changed(arena, account, "integrated_account:created", statements);

	return count + state_moved(arena, account, ACCOUNT_CONNECTING, json_undefined(),
				   statements + count);
}

struct store_statement state_deleted(struct accounts *accounts, struct arena *arena,
				     struct str environment_id, struct str id)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(id));
	const struct event_new event = {
		.environment_id = environment_id,
		.account_id = id,
		.type = STR("integrated_account:deleted"),
		.payload = json_text(arena, json_builder_object(&out)),
		.created_ms = clock_unix_ms(accounts->clock),
	};
	return event_statement(arena, &event);
}

/* --- moving ----------------------------------------------------------------------------------- */

/* The account was in another state than the caller believed, or is gone. */
static bool explain_conflict(struct accounts *accounts, const struct account *account,
			     enum account_status status, struct error *err)
{
	struct arena arena;
	struct account now;

	arena_init(&arena, QUERY_BYTES_MAX);
	bool ok = account_find(accounts, &arena, account->environment_id, account->id, &now, err);
	/* Somebody else brought it there meanwhile. */
	if (ok && now.status != status)
		ok = error_set_field(err, ERROR_CONFLICT, "status", NULL,
				     "the account is %s now", account_status_name(now.status));
	arena_finish(&arena);
	return ok;
}

static struct json make_error(struct arena *arena, struct str why, int64_t now_ms)
{
	struct json_builder out;

	if (why.len == 0)
		return json_null();
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("message"), json_string(why));
	json_builder_set(&out, STR("occurred_at"), json_string(clock_format_ms(arena, now_ms)));
	return json_builder_object(&out);
}

static struct store_value print(struct arena *arena, struct json value)
{
	struct buffer text;

	buffer_init(&text, arena, QUERY_BYTES_MAX);
	json_print(&text, value);
	return store_text(buffer_str(&text));
}

/* From the state that the caller saw: a late "the key was refused" must not undo that the account
 * was linked anew. */
static struct store_statement move(struct arena *arena, const struct account *moved,
				   enum account_status from, struct json last_error)
{
	const struct store_value values[] = {
		store_text(moved->environment_id),
		store_text(moved->id),
		store_text(str_from_c(account_status_name(from))),
		store_text(str_from_c(account_status_name(moved->status))),
		store_int(moved->updated_ms),
		print(arena, last_error),
	};

	return store_keep(arena,
			  "UPDATE account SET status = ?4, updated_ms = ?5, last_error = ?6"
			  " WHERE environment_id = ?1 AND id = ?2 AND status = ?3",
			  values, 6, 1);
}

bool account_set_status(struct accounts *accounts, const struct account *account,
			enum account_status status, struct str why, struct error *err)
{
	struct store_statement statements[3];
	struct account moved = *account;
	struct arena arena;

	if (account->status == status)
		return true;
	arena_init(&arena, QUERY_BYTES_MAX);
	moved.status = status;
	moved.updated_ms = clock_unix_ms(accounts->clock);
	struct json last_error = make_error(&arena, why, moved.updated_ms);
	statements[0] = move(&arena, &moved, account->status, last_error);
	size_t count = 1 + state_moved(&arena, &moved, account->status, last_error, statements + 1);
	bool ok = store_write(accounts->store, statements, count, err);
	arena_finish(&arena);
	held_forget(accounts, account->environment_id, account->id);
	if (!ok && err->code == ERROR_CONFLICT)
		return explain_conflict(accounts, account, status, err);
	return ok;
}

/* --- what was refused ------------------------------------------------------------------------- */

static uint64_t add_digest(uint64_t digest, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		digest = (digest ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return (digest ^ 0xff) * 0x100000001b3;
}

/* A program that goes on asking for what it may not have must not keep the disk busy. Another
 * credential may be refused the same, which is news. */
static bool is_news(struct accounts *accounts, const struct account *account, struct str what,
		    int64_t now_ms)
{
	uint64_t digest = 0xcbf29ce484222325 ^ (uint64_t)account->token.version;

	digest = add_digest(digest, account->environment_id);
	digest = add_digest(add_digest(digest, account->id), what);
	struct refusal *refusal = &accounts->refusals[digest % REFUSALS];
	int64_t written_ms = refusal->written_ms;

	if (refusal->digest == digest && written_ms <= now_ms &&
	    now_ms - written_ms < REFUSAL_EACH_MS)
		return false;
	refusal->written_ms = now_ms;
	refusal->digest = digest;
	return true;
}

static struct json add_time(struct arena *arena, struct json what, int64_t now_ms)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set_others(&out, what, json_undefined());
	json_builder_set(&out, STR("occurred_at"), json_string(clock_format_ms(arena, now_ms)));
	return json_builder_object(&out);
}

static void write_forbidden(struct accounts *accounts, struct arena *arena,
			    const struct account *account, struct json what)
{
	struct error err;
	struct store_value values[] = {
		store_text(account->environment_id),
		store_text(account->id),
		print(arena, what),
	};
	struct store_statement statement = {
		.sql = "UPDATE account SET last_forbidden_error = ?3 WHERE environment_id = ?1"
		       " AND id = ?2",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};
	if (!store_write_later(accounts->store, &statement, &err))
		err.code = ERROR_NONE; /* nothing hangs on it */
}

void account_note_forbidden(struct accounts *accounts, const struct account *account,
			    struct json what)
{
	int64_t now_ms = clock_unix_ms(accounts->clock);
	struct arena arena;

	arena_init(&arena, QUERY_BYTES_MAX);
	if (is_news(accounts, account, print(&arena, what).bytes, now_ms))
		write_forbidden(accounts, &arena, account, add_time(&arena, what, now_ms));
	arena_finish(&arena);
}

bool account_find_trouble(struct accounts *accounts, struct arena *arena,
			  const struct account *account, struct account_trouble *out,
			  struct error *err)
{
	struct store_value values[] = {store_text(account->environment_id),
				       store_text(account->id)};
	struct store_rows rows;

	*out = (struct account_trouble){json_null(), json_null()};
	if (!store_query(accounts->store, arena,
			 "SELECT last_error, last_forbidden_error FROM account"
			 " WHERE environment_id = ?1 AND id = ?2",
			 values, 2, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	return json_parse(arena, store_cell(&rows, 0, 0)->bytes, &json_limits_default,
			  &out->last_error, err) &&
	       json_parse(arena, store_cell(&rows, 0, 1)->bytes, &json_limits_default,
			  &out->last_forbidden_error, err);
}

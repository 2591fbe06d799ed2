#include "ats/retention/retention.h"

#include "base/log.h"

enum { TURN_MS = 3600 * 1000, QUERY_BYTES_MAX = 16 * 1024 * 1024 };
static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

/* What is kept for so long. The statement deletes up to 500 of what is older, ?1 being the
 * environment, ?2 the time; the question tells whether there is such a one. */
struct kind {
	const char *member;
	const char *is_there;
	const char *delete_some;
};

/* On PostgreSQL what goes with its block within a day is left for that. */
#define BOTH(before, old, table, after)                                                            \
	STORE_TEXTS(before old("") after,                                                          \
		    before old(" AND tableoid <> ALL ((SELECT blocks_due('" table "'))::oid[])") after)
#define OLD_EVENTS(more)                                                                           \
	"FROM event AS e WHERE e.environment_id = ?1 AND e.created_ms < ?2" more " AND e.number <" \
	" (SELECT max(number) FROM event WHERE environment_id = ?1) AND e.number <= ifnull("       \
	"(SELECT min(seen) FROM webhook WHERE environment_id = ?1 AND state = 'active'),"          \
	" e.number) AND NOT EXISTS (SELECT 1 FROM webhook AS w JOIN webhook_delivery AS d"         \
	" ON d.environment_id = w.environment_id AND d.webhook_id = w.id AND d.number = e.number"  \
	" WHERE w.environment_id = ?1 AND w.state = 'active' AND d.state = 'pending')"
#define OLD_DELIVERIES(more)                                                                       \
	"FROM webhook_delivery WHERE environment_id = ?1 AND last_ms < ?2 AND state <> 'pending'"  \
	more
#define OLD_TOMBSTONES(more)                                                                       \
	"FROM copy AS c CROSS JOIN record AS r WHERE r.copy = c.number AND c.environment_id = ?1"  \
	more " AND r.deleted_ms > 0 AND r.deleted_ms < ?2 AND NOT EXISTS (SELECT 1 FROM event AS e"\
	" WHERE e.environment_id = c.environment_id AND e.account_id = c.account_id"               \
	" AND e.resource = c.resource AND e.resource <> '' AND e.record_id = r.id)"
/* On SQLite of an index alone, which has no environment but by the copy. On PostgreSQL within the
 * partition where the copy's records are. */
#define OF_TOMBSTONES(before, after)                                                               \
	STORE_TEXTS(before OLD_TOMBSTONES("") after,                                               \
		    before OLD_TOMBSTONES(" AND r.environment_id = ?1 AND r.number > c.number << 32" \
					  " AND r.number < (c.number + 1) << 32") after)
#define OLD_ABSENT "FROM record WHERE ?1 = '' AND deleted_ms < 0 AND deleted_ms > ?2"
/* Ids of the log are milliseconds times 2^20. */
#define OLD_CALLS "FROM call_log WHERE environment_id = ?1 AND id < ?2 << 20"

static const struct kind kinds[] = {
	{"events_days", BOTH("SELECT 1 ", OLD_EVENTS, "event", " LIMIT 1"),
	 BOTH("DELETE FROM event WHERE environment_id = ?1 AND number IN (SELECT e.number ",
	      OLD_EVENTS, "event", " ORDER BY e.number LIMIT 500)")},
	{"deliveries_days", BOTH("SELECT 1 ", OLD_DELIVERIES, "webhook_delivery", " LIMIT 1"),
	 BOTH("DELETE FROM webhook_delivery WHERE environment_id = ?1 AND (webhook_id, number) IN"
	      " (SELECT webhook_id, number ",
	      OLD_DELIVERIES, "webhook_delivery", " LIMIT 500)")},
	{"tombstones_days", OF_TOMBSTONES("SELECT 1 ", " LIMIT 1"),
	 OF_TOMBSTONES("DELETE FROM record WHERE environment_id = ?1 AND number IN (SELECT r.number ",
		       " LIMIT 500)")},
	{"log_days", "SELECT 1 " OLD_CALLS " LIMIT 1",
	 "DELETE FROM call_log WHERE environment_id = ?1 AND id IN (SELECT id " OLD_CALLS
	 " ORDER BY id LIMIT 500)"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* --- what is said ----------------------------------------------------------------------------- */

static bool read_settings(struct store *store, struct arena *arena, struct str environment_id,
			  struct json *out, struct error *err)
{
	const struct store_value id = store_text(environment_id);
	struct store_rows rows;

	if (!store_query(store, arena, "SELECT retention FROM environment WHERE id = ?1", &id, 1,
			 &rows, err))
		return false;
	if (rows.count == 0)
		return error_set_field(err, ERROR_NOT_FOUND, "environment", NULL,
				       "there is no such environment");
	return json_parse(arena, store_cell(&rows, 0, 0)->bytes, &json_limits_default, out, err);
}

bool retention_show(struct store *store, struct arena *arena, struct str environment_id,
		    struct json *out, struct error *err)
{
	struct json settings, days;
	struct json_builder shown;

	if (!read_settings(store, arena, environment_id, &settings, err))
		return false;
	json_builder_init(&shown, arena);
	for (size_t i = 0; i < KINDS; i++) {
		days = json_get_c(settings, kinds[i].member);
		json_builder_set(&shown, str_from_c(kinds[i].member),
				 json_is(days, JSON_INT) ? days : json_null());
	}
	*out = json_builder_object(&shown);
	return true;
}

static bool check_member(const struct json_member *member, struct error *err)
{
	int64_t days;

	for (size_t i = 0; i < KINDS; i++) {
		if (!str_equal_c(json_name(member), kinds[i].member))
			continue;
		if (json_is(member->value, JSON_NULL) ||
		    (json_to_int64(member->value, &days) && days >= 1 &&
		     days <= RETENTION_DAYS_MAX))
			return true;
		return error_set_field(err, ERROR_INVALID, kinds[i].member,
				       "days, 1 to 36500, or null",
				       "%s must be a number of days, or null", kinds[i].member);
	}
	return error_set_field(err, ERROR_INVALID, "retention",
			       "events_days, deliveries_days, tombstones_days, log_days",
			       "retention has no member \"%.*s\"",
			       STR_ARGS(str_slice(json_name(member), 0, 64)));
}

bool retention_check(struct json changes, struct error *err)
{
	if (json_is(changes, JSON_UNDEFINED))
		return true;
	if (!json_is(changes, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "retention", "an object",
				       "retention must be an object");
	for (size_t i = 0; i < changes.count; i++)
		if (!check_member(&changes.members[i], err))
			return false;
	return true;
}

bool retention_change(struct store *store, struct arena *arena, struct str environment_id,
		      struct json changes, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id),
					     store_text(json_text(arena, changes))};
	const struct store_statement statement = {
		.sql = "UPDATE environment SET retention = json_patch(retention, ?2) WHERE id = ?1",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1,
	};

	return store_write(store, &statement, 1, err);
}

/* --- whole blocks of numbers, on PostgreSQL --------------------------------------------------- */

/* The next ones are made, and those in which all is old dropped, without a look at their rows. Each
 * is a write of its own, that one table is locked for a moment, and no other with it. */
static const struct block_step {
	const char *sql;
	const char *table;
	bool has_time;
} block_steps[] = {
	{"SELECT block_ahead(?1, ?2)", "event", false},
	{"SELECT block_ahead(?1, ?2)", "webhook_delivery", false},
	{"SELECT block_ahead(?1, ?2)", "record", false},
	{"SELECT block_expire(?1, ?2)", "webhook_delivery", true},
	{"SELECT block_expire(?1, ?2)", "event", true},
};

static bool do_step(struct store *store, const struct block_step *step, int64_t now_ms,
		    struct error *err)
{
	const struct store_value values[] = {store_text(str_from_c(step->table)),
					     store_int(step->has_time ? now_ms : 0)};
	const struct store_statement statement = {
		.sql = step->sql,
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = -1,
	};

	return store_write(store, &statement, 1, err);
}

/* What fails is done the next time; rows that are old go meanwhile. */
static void tend_blocks(struct store *store, int64_t now_ms)
{
	struct error err;

	for (size_t i = 0; i < sizeof block_steps / sizeof block_steps[0]; i++)
		if (!do_step(store, &block_steps[i], now_ms, &err))
			LOG(LOG_WARNING, "blocks_not_tended", LOG_C(error, err.message));
}

/* --- what is old goes ------------------------------------------------------------------------- */

static bool is_there(struct store *store, const struct kind *kind,
		     const struct store_value values[2], bool *found, struct error *err)
{
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, QUERY_BYTES_MAX);
	bool ok = store_query(store, &arena, kind->is_there, values, 2, &rows, err);
	*found = ok && rows.count > 0;
	arena_finish(&arena);
	return ok;
}

static bool delete_old(struct store *store, const struct kind *kind, struct str environment_id,
		       int64_t before_ms, struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_int(before_ms)};
	const struct store_statement statement = {
		.sql = kind->delete_some,
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = -1,
	};
	bool found = true, ok = true;

	while (ok && found) {
		ok = is_there(store, kind, values, &found, err) &&
		     (!found || store_write(store, &statement, 1, err));
		loop_sleep_ms(0);
	}
	return ok;
}

/* Records that were gone before the copy had them, of all environments: by then no read is under
 * way that could bring them in. */
static bool forget_absent(struct store *store, int64_t now_ms, struct error *err)
{
	static const struct kind absent = {
		NULL, "SELECT 1 " OLD_ABSENT " LIMIT 1",
		STORE_TEXTS("DELETE FROM record WHERE number IN"
			    " (SELECT number " OLD_ABSENT " LIMIT 500)",
			    "DELETE FROM record WHERE (environment_id, number) IN"
			    " (SELECT environment_id, number " OLD_ABSENT " LIMIT 500)")};

	return delete_old(store, &absent, STR(""), day_ms - now_ms, err);
}

static bool apply_to(struct store *store, struct arena *arena, struct str environment_id,
		     struct str text, int64_t now_ms, struct error *err)
{
	struct json settings;
	int64_t days;

	if (!json_parse(arena, text, &json_limits_default, &settings, err))
		return false;
	for (size_t i = 0; i < KINDS; i++)
		if (json_to_int64(json_get_c(settings, kinds[i].member), &days) &&
		    !delete_old(store, &kinds[i], environment_id, now_ms - days * day_ms, err))
			return false;
	return true;
}

bool retention_apply(struct store *store, const struct clock *clock, struct error *err)
{
	struct store_rows rows;
	struct arena arena;

	if (store_is_postgresql(store))
		tend_blocks(store, clock_unix_ms(clock));
	arena_init(&arena, QUERY_BYTES_MAX);
	bool ok = store_query(store, &arena,
			      "SELECT id, retention FROM environment WHERE retention <> '{}'", NULL,
			      0, &rows, err) &&
		  forget_absent(store, clock_unix_ms(clock), err);
	for (size_t i = 0; ok && i < rows.count; i++)
		ok = apply_to(store, &arena, store_cell(&rows, i, 0)->bytes,
			      store_cell(&rows, i, 1)->bytes, clock_unix_ms(clock), err);
	arena_finish(&arena);
	return ok;
}

/* --- by itself -------------------------------------------------------------------------------- */

/* One node does it for all. */
static void apply_in_turn(const struct retention_sweep *sweep)
{
	struct node_duty duty;
	struct error err;
	bool is_ours = false;
	bool ok = node_take_duty(sweep->node, STR("retention"), &duty, &is_ours, &err);

	if (is_ours) {
		ok = retention_apply(sweep->store, sweep->clock, &err);
		node_end_duty(sweep->node, &duty);
	}
	if (!ok)
		LOG(LOG_WARNING, "retention_failed", LOG_C(error, err.message));
}

static void run(void *context)
{
	struct retention_sweep *sweep = context;

	(void)store_enter_all();
	while (!sweep->is_stopping) {
		struct loop_wait wait;

		apply_in_turn(sweep);
		if (sweep->is_stopping)
			break;
		loop_wait_init(&wait);
		sweep->wait = &wait;
		loop_wait(&wait,
			  clock_monotonic_ns(sweep->clock) + (int64_t)TURN_MS * 1000000);
		sweep->wait = NULL;
	}
	sweep->is_running = false;
}

void retention_sweep_start(struct retention_sweep *sweep, struct loop *loop)
{
	sweep->is_running = true;
	loop_post(loop, run, sweep);
}

void retention_sweep_stop(struct retention_sweep *sweep)
{
	sweep->is_stopping = true;
	if (sweep->wait != NULL)
		loop_wake(sweep->wait);
}

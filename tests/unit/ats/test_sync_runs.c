/* Sync jobs against a real store and a made-up ATS, in simulated time: first loads, runs that go on
 * where they were left, the fence, deletions and their guard, drift, hints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ats/retention/retention.h"
#include "ats/sync/flight.h"
#include "world.h"

enum { INTERVAL_MS = 600 * 1000 };

/* A server's part of the world: ended and begun anew, it is as after a restart. (Between the two its
 * rows can still be asked for.) */
struct stage {
	struct world *world;
	struct copies *copies;
	struct node *node;
	struct syncs *syncs;
	struct sync_runner runner;
	struct sync_job job;
	struct copy_place place;
	int64_t page_records;
};
static struct stage stage;

static void begin_server(struct world *world)
{
	/* As a process of the same data folder: what the one before had is free. */
	const struct node_options node = {.store = world->store,
					  .clock = &world->time.clock,
					  .random = &world->random,
					  .is_alone = true,
					  .version = "0"};

	syncs_destroy(stage.syncs);
	struct node *before = stage.node;
	stage.node = node_create(&node, &world->err);
	WORLD_CHECK(stage.node != NULL, world->err);
	node_destroy(before);
	const struct sync_options options = {
		.store = world->store,
		.node = stage.node,
		.copies = stage.copies,
		.accounts = world->accounts,
		.connectors = &world->connectors,
		.model = world->model,
		.clock = &world->time.clock,
		.random = &world->random,
		.page_records = stage.page_records,
	};

	stage.syncs = syncs_create(&options);
	stage.runner = (struct sync_runner){
		.syncs = stage.syncs, .services = &world->services, .loop = world->loop};
	sync_runner_start(&stage.runner);
}

static void end_server(void)
{
	if (!stage.runner.is_stopping)
		sync_runner_stop(&stage.runner);
	while (stage.runner.active > 0)
		loop_sleep_ms(10);
}

static void begin_with(struct world *world, size_t count, int64_t page_records)
{
	stage = (struct stage){.world = world, .page_records = page_records};
	stage.copies = copies_create(world->store, world->model, &world->time.clock);
	stage.place = (struct copy_place){world->account.environment_id, world->account.id,
					  STR("details")};
	kiln_fill(&world->kiln, (int)count);
	begin_server(world);
}

static void begin(struct world *world, size_t count)
{
	begin_with(world, count, 10);
}

static void end(void)
{
	end_server();
	syncs_destroy(stage.syncs);
	node_destroy(stage.node);
	copies_destroy(stage.copies);
}

static void create_job_with(struct world *world, bool is_expanded)
{
	const struct str resource = STR("details");
	struct sync_job wanted;

	sync_job_init(&wanted);
	wanted.interval_ms = INTERVAL_MS;
	wanted.is_expanded = is_expanded;
	bool ok = sync_job_create(stage.syncs, &world->arena, &world->account, &wanted, &resource, 1,
				  &stage.job, &world->err);
	WORLD_CHECK(ok, world->err);
}

static void create_job(struct world *world)
{
	create_job_with(world, false);
}

static struct sync_run last_run(struct world *world)
{
	struct sync_run *list;
	size_t count;
	bool ok = sync_run_list(stage.syncs, &world->arena, &stage.job, 0, 1, &list, &count,
				&world->err);

	WORLD_CHECK(ok, world->err);
	return count == 0 ? (struct sync_run){.number = 0} : list[0];
}

/* The run that comes after `number` has ended. */
static struct sync_run wait_for_run(struct world *world, int64_t number)
{
	struct sync_run run = last_run(world);

	while (run.number <= number || run.ended_ms == 0) {
		loop_sleep_ms(100);
		run = last_run(world);
	}
	return run;
}

static struct sync_run run_again(struct world *world, unsigned wishes)
{
	int64_t number = last_run(world).number;
	bool ok = sync_job_wish(stage.syncs, &stage.job, wishes, &world->err);

	WORLD_CHECK(ok, world->err);
	return wait_for_run(world, number);
}

static int64_t count_records(struct world *world)
{
	struct copy_state state;
	bool ok = copy_read_state(stage.copies, &world->arena, &stage.place, &state, &world->err);

	WORLD_CHECK(ok, world->err);
	return state.record_count;
}

static int64_t ask_number(struct world *world, const char *sql)
{
	struct store_rows rows;
	bool ok = store_query(world->store, &world->arena, sql, NULL, 0, &rows, &world->err);

	WORLD_CHECK(ok, world->err);
	return store_cell(&rows, 0, 0)->integer;
}

static void assert_status(struct sync_run run, const char *status)
{
	if (!str_equal_c(run.status, status))
		fail_msg("%.*s: %.*s", STR_ARGS(run.status), STR_ARGS(run.error));
}

/* --- the first load --------------------------------------------------------------------------- */

static void load(struct world *world)
{
	begin(world, 100);
	create_job(world);
	struct sync_run run = wait_for_run(world, 0);

	assert_status(run, "completed");
	assert_true(run.is_full);
	assert_int_equal(run.records, 100);
	assert_int_equal(run.counts.created, 100);
	assert_int_equal(count_records(world), 100);
	/* It tells of itself, and of no record. */
	assert_int_equal(ask_number(world, "SELECT count(*) FROM event WHERE type GLOB 'record:*'"), 0);
	assert_int_equal(
		ask_number(world, "SELECT count(*) FROM event WHERE type = 'sync_job_run:completed'"), 1);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM sync_seen"), 0);
	bool ok = sync_job_show(stage.syncs, &world->arena, stage.job.environment_id, stage.job.id,
				&stage.job, &world->err);
	WORLD_CHECK(ok, world->err);
	assert_true(stage.job.next_ms >= run.started_ms + INTERVAL_MS);
	/* Nothing has changed: no record is written, and nobody is told. */
	snprintf(world->kiln.pots[5].name, sizeof world->kiln.pots[5].name, "new");
	run = run_again(world, SYNC_WISH_RUN);
	assert_int_equal(run.counts.updated, 1);
	assert_int_equal(run.counts.unchanged, 99);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM event WHERE type GLOB 'record:*'"), 1);
	end();
}

static void refuse_jobs(struct world *world)
{
	const struct str unknown = STR("nothings"), twice[] = {STR("plains"), STR("plains")};
	struct sync_job wanted, jobs[2];

	begin(world, 1);
	sync_job_init(&wanted);
	assert_false(sync_job_create(stage.syncs, &world->arena, &world->account, &wanted, &unknown,
				     1, jobs, &world->err));
	assert_int_equal(world->err.code, ERROR_NOT_SUPPORTED);
	assert_string_equal(world->err.field, "resource");
	assert_false(sync_job_create(stage.syncs, &world->arena, &world->account, &wanted, twice, 2,
				     jobs, &world->err));
	assert_string_equal(world->err.field, "resources");
	wanted.mode = SYNC_INCREMENTAL;
	assert_false(sync_job_create(stage.syncs, &world->arena, &world->account, &wanted, twice, 1,
				     jobs, &world->err));
	assert_string_equal(world->err.field, "mode");
	create_job(world);
	sync_job_init(&wanted);
	const struct str again = STR("details");
	assert_false(sync_job_create(stage.syncs, &world->arena, &world->account, &wanted, &again, 1,
				     jobs, &world->err));
	assert_int_equal(world->err.code, ERROR_CONFLICT);
	wait_for_run(world, 0);
	end();
}

/* --- known pages ------------------------------------------------------------------------------ */

static uint64_t pages_known(void)
{
	return sync_counts(stage.syncs)->pages_known;
}

static int64_t sum_pages(struct world *world)
{
	return ask_number(world, "SELECT coalesce(sum(page + 1), 0) FROM sync_page");
}

/* The next full run, of which so many pages are known. */
static struct sync_run run_knowing(struct world *world, uint64_t known)
{
	uint64_t before = pages_known();
	struct sync_run run = run_again(world, SYNC_WISH_FULL);

	assert_status(run, "completed");
	assert_int_equal(pages_known() - before, known);
	return run;
}

/* What is as it was is met, counted and watched as if it had been taken in. */
static void know_pages(struct world *world)
{
	begin(world, 100);
	create_job(world);
	struct sync_run first = wait_for_run(world, 0);
	uint64_t pages = sync_counts(stage.syncs)->pages_read;
	assert_true(pages >= 10);
	assert_int_equal(pages_known(), 0);
	int64_t kept = sum_pages(world);
	struct sync_run run = run_knowing(world, pages);
	assert_int_equal(run.records, 100);
	assert_int_equal(run.counts.unchanged, 100);
	assert_int_equal(run.counts.deleted, 0);
	assert_true(str_equal(run.shares, first.shares));
	assert_int_equal(sum_pages(world), kept);
	assert_int_equal(sync_counts(stage.syncs)->pages_read, pages);
	end();
}

static void read_pages_that_differ(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	uint64_t pages = sync_counts(stage.syncs)->pages_read;
	/* Not among the last of its page, which are read again with the next. */
	snprintf(world->kiln.pots[93].name, sizeof world->kiln.pots[93].name, "new");
	struct sync_run run = run_knowing(world, pages - 1);
	assert_int_equal(run.counts.updated, 1);
	assert_int_equal(run.counts.unchanged, 99);
	run_knowing(world, pages);
	/* One that is gone moves all that come after it. */
	kiln_remove(&world->kiln, 95);
	run = run_again(world, SYNC_WISH_FULL);
	assert_int_equal(count_records(world), 99);
	kiln_fill(&world->kiln, 100);
	run = run_again(world, SYNC_WISH_FULL);
	assert_int_equal(count_records(world), 100);
	end();
}

/* Another program may map the same answer otherwise. */
static void read_pages_for_another_mapping(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	uint64_t pages = sync_counts(stage.syncs)->pages_read;
	world->services.version = STR("another");
	run_knowing(world, 0);
	run_knowing(world, pages);
	/* The records are the same bytes, and what they refer to is not. */
	world->kiln.shelf = "bottom";
	struct sync_run run = run_knowing(world, 0);
	assert_true(run.counts.updated > 0);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record WHERE body GLOB '*bottom*'"),
			 run.counts.updated);
	end();
}

static void put_by_hand(struct world *world, const char *record)
{
	const struct copy_write write = {.place = stage.place,
					 .read_ms = clock_unix_ms(&world->time.clock)};
	struct copy_counts counts;
	struct json value;
	bool ok = json_parse(&world->arena, str_from_c(record), &json_limits_default, &value,
			     &world->err) &&
		  copy_put(stage.copies, &world->arena, &write, &value, 1, true, NULL, &counts,
			   &world->err);

	WORLD_CHECK(ok, world->err);
	assert_int_equal(counts.updated, 1);
}

/* Somebody else has written a record meanwhile: the list, which was read later, is believed. */
static void read_pages_of_written_records(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	uint64_t pages = sync_counts(stage.syncs)->pages_read;
	char record[64];
	snprintf(record, sizeof record, "{\"id\": \"%lld\", \"name\": \"other\"}",
		 (long long)world->kiln.pots[50].id);
	put_by_hand(world, record);
	loop_sleep_ms(1000);
	struct sync_run run = run_knowing(world, pages - 1);
	assert_int_equal(run.counts.updated, 1);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record WHERE body GLOB '*other*'"), 0);
	run_knowing(world, pages);
	end();
}

static void change_pages(struct world *world, const char *sql)
{
	const struct store_statement statement = {.sql = sql, .changes_expected = -1};

	WORLD_CHECK(store_write(world->store, &statement, 1, &world->err), world->err);
}

/* A place to go on from that is of no use any more costs one reading of all. */
static void forget_pages(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	uint64_t pages = sync_counts(stage.syncs)->pages_read;
	change_pages(world, "UPDATE sync_page SET next_cursor = 'of another time' WHERE page = 3");
	struct sync_run run = run_knowing(world, 4);
	assert_int_equal(run.counts.unchanged, 100 + 40);
	assert_int_equal(sum_pages(world), 0);
	run_knowing(world, 0);
	run_knowing(world, pages);
	/* One that was kept by hands that do not know better. */
	change_pages(world, "UPDATE sync_page SET shares = 'no JSON'");
	run_knowing(world, 0);
	run_knowing(world, pages);
	end();
}

/* --- large records ---------------------------------------------------------------------------- */

static void ask_for_fewer(struct world *world)
{
	enum { VALUES = 3000000 }; /* of 16 bytes each, once they are read */
	static const char head[] = "{\"pots\": [], \"more\": [", tail[] = "0]}";
	char *body = calloc(1, sizeof head + sizeof tail + 2 * VALUES);

	assert_non_null(body);
	memcpy(body, head, sizeof head);
	for (size_t i = 0, at = strlen(head); i < VALUES; i++, at += 2)
		memcpy(body + at, "0,", 2);
	memcpy(body + strlen(head) + 2 * VALUES, tail, sizeof tail);
	begin(world, 100);
	world->kiln.faults[0] = (struct fault){.body = body};
	world->kiln.fault_count = 1;
	create_job(world);
	struct sync_run run = wait_for_run(world, 0);
	assert_status(run, "completed");
	assert_int_equal(run.records, 100);
	assert_int_equal(count_records(world), 100);
	assert_true(sync_counts(stage.syncs)->pages_read >= 20);
	end();
	free(body);
}

/* --- checkpoint and fence --------------------------------------------------------------------- */

static void stop(void *context)
{
	sync_runner_stop(context);
}

static void stop_at_fifth(struct kiln *kiln)
{
	if (kiln->calls == 5)
		loop_post(stage.world->loop, stop, &stage.runner);
}

static void go_on(struct world *world)
{
	begin(world, 100);
	world->kiln.before_call = stop_at_fifth;
	create_job(world);
	while (!stage.runner.is_stopping)
		loop_sleep_ms(10);
	end_server();
	struct sync_run left = last_run(world);
	assert_int_equal(left.ended_ms, 0);
	assert_true(left.records > 0 && left.records < 100);
	assert_int_equal(count_records(world), left.records);
	assert_true(ask_number(world, "SELECT count(*) FROM sync_seen") > 0);
	world->kiln.before_call = NULL;
	size_t calls = world->kiln.calls;
	begin_server(world);
	struct sync_run run = wait_for_run(world, 0);
	assert_status(run, "completed");
	/* The same run, and what was read before is not read again. */
	assert_true(str_equal(run.id, left.id));
	assert_int_equal(run.records, 100);
	assert_int_equal(run.counts.created, 100);
	assert_int_equal(run.counts.deleted, 0);
	assert_true(run.fence > left.fence);
	assert_true(world->kiln.calls - calls <= (size_t)(100 - left.records) / 10 * 2 + 2);
	end();
}

static struct fault take_time(struct kiln *kiln)
{
	(void)kiln;
	return (struct fault){.takes_ms = 10};
}

/* A page is left while its records are fetched one by one: it is read again, and none is missed. */
static void go_on_within_a_page(struct world *world)
{
	/* More than are fetched at once. */
	begin_with(world, 100, 50);
	world->kiln.before_call = stop_at_fifth;
	world->kiln.next_fault = take_time;
	create_job_with(world, true);
	while (!stage.runner.is_stopping)
		loop_sleep_ms(10);
	end_server();
	assert_int_equal(count_records(world), 0);
	world->kiln.before_call = NULL;
	begin_server(world);
	struct sync_run run = wait_for_run(world, 0);
	assert_status(run, "completed");
	assert_int_equal(run.records, 100);
	assert_int_equal(count_records(world), 100);
	end();
}

static void take_away(struct kiln *kiln)
{
	const struct store_statement statement = {
		.sql = "UPDATE sync_job SET owner = 'another', fence = fence + 1, next_ms = 1 << 60",
		.changes_expected = 1};
	const struct store_statement run = {.sql = "UPDATE sync_run SET fence = fence + 1",
					    .changes_expected = 1};
	const struct store_statement both[] = {statement, run};

	if (kiln->calls != 5)
		return;
	WORLD_CHECK(store_write(stage.world->store, both, 2, &stage.world->err), stage.world->err);
}

static void fence(struct world *world)
{
	begin(world, 100);
	world->kiln.before_call = take_away;
	create_job(world);
	while (ask_number(world, "SELECT count(*) FROM sync_job WHERE owner = 'another'") == 0 ||
	       stage.runner.runs > 0)
		loop_sleep_ms(10);
	/* Nothing that it read after that is in the store. */
	struct sync_run run = last_run(world);
	assert_int_equal(run.ended_ms, 0);
	assert_true(run.records < 100);
	assert_int_equal(count_records(world), run.records);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM sync_job WHERE owner = 'another'"), 1);
	end();
}

/* --- what is missing -------------------------------------------------------------------------- */

static void remove_pots(struct world *world, size_t count)
{
	while (count-- > 0)
		kiln_remove(&world->kiln, 3);
}

static void guard(struct world *world)
{
	begin(world, 600);
	create_job(world);
	wait_for_run(world, 0);
	remove_pots(world, 61);
	struct sync_run run = run_again(world, SYNC_WISH_FULL);
	assert_status(run, "failed");
	assert_true(str_find(run.error, STR("deletion_guard")) >= 0);
	assert_true(str_find(run.error, STR("61 of 600")) >= 0);
	assert_int_equal(run.counts.deleted, 0);
	assert_int_equal(count_records(world), 600);
	run = run_again(world, SYNC_WISH_FULL | SYNC_WISH_DELETIONS);
	assert_status(run, "completed");
	assert_int_equal(run.counts.deleted, 61);
	assert_int_equal(count_records(world), 539);
	end();
}

static void take_a_second(struct kiln *kiln)
{
	(void)kiln;
	stage.world->time.now_ns += 1000000000;
}

static void delete_few(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	kiln_remove(&world->kiln, 50);
	world->kiln.before_call = take_a_second;
	struct sync_run run = run_again(world, SYNC_WISH_FULL);
	world->kiln.before_call = NULL;
	assert_status(run, "completed");
	assert_int_equal(run.counts.deleted, 1);
	/* As of the get, which comes after the list: no list that is under way brings it back. */
	assert_true(ask_number(world, "SELECT read_ms FROM record WHERE id = '50'") >=
		    run.started_ms + 9000);
	assert_int_equal(
		ask_number(world, "SELECT count(*) FROM event WHERE type = 'record:deleted'"), 1);
	assert_int_equal(ask_number(world, "SELECT deleted_ms > 0 FROM record WHERE id = '50'"), 1);
	/* It comes again with the same data: told as created, with the next version. */
	kiln_add(&world->kiln, 50, 60 * 50, 2);
	run = run_again(world, SYNC_WISH_FULL);
	assert_int_equal(run.counts.created, 1);
	assert_int_equal(ask_number(world, "SELECT max(version) FROM event WHERE record_id = '50'"), 2);
	end();
}

/* --- drift ------------------------------------------------------------------------------------ */

/* The first search after a load need not wait until they are taken in. */
static void take_words(struct world *world)
{
	begin(world, 250);
	create_job(world);
	wait_for_run(world, 0);
	while (ask_number(world, "SELECT count(*) FROM record_text_due") > 0)
		loop_sleep_ms(10);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record_text"), 250);
	end();
}

static void drift(struct world *world)
{
	begin(world, 100);
	create_job(world);
	wait_for_run(world, 0);
	remove_pots(world, 30);
	run_again(world, SYNC_WISH_FULL);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM event WHERE type = 'sync_job:drift'"),
			 0);
	remove_pots(world, 22);
	assert_status(run_again(world, SYNC_WISH_FULL), "completed");
	assert_int_equal(ask_number(world, "SELECT json_extract(payload, '$.records_before') FROM event"
					   " WHERE type = 'sync_job:drift'"),
			 70);
	assert_int_equal(ask_number(world, "SELECT json_extract(payload, '$.has_dropped') FROM event"
					   " WHERE type = 'sync_job:drift'"),
			 1);
	end();
}

/* --- hints ------------------------------------------------------------------------------------ */

static size_t hint(struct world *world, const char *resource, const char *id)
{
	const struct sync_hint one = {.resource = str_from_c(resource), .id = str_from_c(id)};
	size_t taken;
	bool ok = sync_take_hints(stage.syncs, &world->arena, world->account.environment_id,
				  world->account.id, &one, 1, NULL, 0, &taken, &world->err);

	WORLD_CHECK(ok, world->err);
	return taken;
}

static void wait_for_hints(struct world *world)
{
	while (ask_number(world, "SELECT count(*) FROM sync_hint") > 0)
		loop_sleep_ms(10);
}

static void forget_old(struct world *world)
{
	bool ok = retention_apply(world->store, &world->time.clock, &world->err);

	WORLD_CHECK(ok, world->err);
}

static void follow_hints(struct world *world)
{
	begin(world, 20);
	create_job(world);
	int64_t number = wait_for_run(world, 0).number;
	size_t calls = world->kiln.calls;

	snprintf(world->kiln.pots[4].name, sizeof world->kiln.pots[4].name, "new");
	assert_int_equal(hint(world, "details", "16"), 1);
	assert_int_equal(hint(world, "details", "16"), 1);
	wait_for_hints(world);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record WHERE body LIKE '%\"new\"%'"), 1);
	kiln_remove(&world->kiln, 4);
	hint(world, "details", "16");
	wait_for_hints(world);
	assert_int_equal(ask_number(world, "SELECT deleted_ms > 0 FROM record WHERE id = '16'"), 1);
	/* A few calls, and no run. */
	assert_in_range(world->kiln.calls - calls, 2, 6);
	assert_int_equal(last_run(world).number, number);
	/* One that was gone before it was ever seen is noted, for a day. */
	hint(world, "details", "999");
	wait_for_hints(world);
	assert_int_equal(ask_number(world, "SELECT deleted_ms < 0 FROM record WHERE id = '999'"), 1);
	forget_old(world);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record WHERE id = '999'"), 1);
	world->time.now_ns += 24 * 3600 * 1000000000LL;
	forget_old(world);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM record WHERE id = '999'"), 0);
	/* Nobody keeps these. */
	assert_int_equal(hint(world, "plains", "1"), 0);
	end();
}

static void write_sql(struct world *world, const char *sql)
{
	const struct store_statement statement = {.sql = sql, .changes_expected = 1};

	WORLD_CHECK(store_write(world->store, &statement, 1, &world->err), world->err);
}

static void hint_list(struct world *world)
{
	const struct sync_hint one = {.resource = STR("details"),
				      .filter_name = STR("name"),
				      .filter_value = STR("pot 3")};
	size_t taken;
	bool ok = sync_take_hints(stage.syncs, &world->arena, world->account.environment_id,
				  world->account.id, &one, 1, NULL, 0, &taken, &world->err);

	WORLD_CHECK(ok, world->err);
	assert_int_equal(taken, 1);
}

/* What that run has read and not yet written may be what the list has no more. */
static void keep_hint_for_run(struct world *world)
{
	begin(world, 20);
	create_job(world);
	wait_for_run(world, 0);
	hint_list(world);
	wait_for_hints(world);
	write_sql(world, "UPDATE sync_run SET ended_ms = 0");
	size_t calls = world->kiln.calls;
	hint_list(world);
	while (ask_number(world, "SELECT count(*) FROM sync_hint WHERE next_ms < made_ms + 1000000") > 0)
		loop_sleep_ms(10);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM sync_hint"), 1);
	assert_true(world->kiln.calls > calls);
	/* The run ends: it is followed again, and done. */
	bool ok = sync_job_wish(stage.syncs, &stage.job, SYNC_WISH_RUN, &world->err);
	WORLD_CHECK(ok, world->err);
	wait_for_hints(world);
	assert_int_equal(ask_number(world, "SELECT ended_ms > 0 FROM sync_run WHERE number = 1"), 1);
	end();
}

/* --- pausing and removing --------------------------------------------------------------------- */

static void pause_and_remove(struct world *world)
{
	begin(world, 20);
	create_job(world);
	wait_for_run(world, 0);
	bool ok = sync_job_set_state(stage.syncs, &stage.job, SYNC_PAUSED, &world->err);
	WORLD_CHECK(ok, world->err);
	loop_sleep_ms(2 * INTERVAL_MS);
	assert_int_equal(last_run(world).number, 1);
	ok = sync_job_set_state(stage.syncs, &stage.job, SYNC_ACTIVE, &world->err);
	WORLD_CHECK(ok, world->err);
	assert_status(wait_for_run(world, 1), "completed");
	ok = sync_job_remove(stage.syncs, &world->arena, &stage.job, true, &world->err);
	WORLD_CHECK(ok, world->err);
	assert_int_equal(count_records(world), 0);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM sync_run"), 0);
	assert_false(sync_job_wish(stage.syncs, &stage.job, SYNC_WISH_RUN, &world->err));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	end();
}

/* --- environments ----------------------------------------------------------------------------- */

/* The id of a job leads nowhere in another environment than its own. */
static void keep_apart(struct world *world)
{
	struct sync_run *list, run;
	struct seen seen = {0};
	size_t count;

	begin(world, 10);
	create_job(world);
	wait_for_run(world, 0);
	end_server();
	write_sql(world, "INSERT INTO sync_seen (environment_id, job_id, chunk, bits) SELECT"
			 " environment_id, id, 0, zeroblob(4096) FROM sync_job");
	write_sql(world, "UPDATE sync_run SET ended_ms = 0");
	struct sync_job theirs = stage.job;
	theirs.environment_id = STR("env_another");
	bool ok = sync_run_list(stage.syncs, &world->arena, &theirs, 0, 10, &list, &count,
				&world->err);
	WORLD_CHECK(ok, world->err);
	assert_int_equal(count, 0);
	assert_false(sync_find_run(stage.syncs, &world->arena, &theirs, 1, &run, &world->err));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	ok = seen_load(stage.syncs, &world->arena, &theirs, &seen, &world->err);
	WORLD_CHECK(ok, world->err);
	assert_int_equal(seen.chunks, 0);
	assert_false(sync_job_set_state(stage.syncs, &theirs, SYNC_PAUSED, &world->err));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	assert_int_equal(ask_number(world, "SELECT count(*) FROM sync_run WHERE ended_ms = 0"), 1);
	ok = seen_load(stage.syncs, &world->arena, &stage.job, &seen, &world->err);
	WORLD_CHECK(ok, world->err);
	assert_int_equal(seen.chunks, 1);
	seen_finish(&seen);
	end();
}

/* --------------------------------------------------------------------------------------------- */

#define IN_WORLD(name, body)              \
	static void name(void **state)    \
	{                                 \
		(void)state;              \
		world_run(body);          \
	}
IN_WORLD(a_first_load_fills_the_copy_in_silence, load)
IN_WORLD(what_is_as_it_was_is_not_read_again, know_pages)
IN_WORLD(what_has_changed_is_read, read_pages_that_differ)
IN_WORLD(what_is_mapped_otherwise_is_read, read_pages_for_another_mapping)
IN_WORLD(what_was_written_meanwhile_is_read, read_pages_of_written_records)
IN_WORLD(what_cannot_be_gone_on_with_is_forgotten, forget_pages)
IN_WORLD(of_large_records_fewer_are_asked_for, ask_for_fewer)
IN_WORLD(jobs_that_cannot_be_are_refused, refuse_jobs)
IN_WORLD(a_run_goes_on_where_it_was_left, go_on)
IN_WORLD(a_page_that_was_left_is_read_again, go_on_within_a_page)
IN_WORLD(who_has_lost_the_job_writes_no_more, fence)
IN_WORLD(much_that_is_missing_is_not_believed, guard)
IN_WORLD(what_is_gone_is_told_once, delete_few)
IN_WORLD(words_are_taken_in_after_a_load, take_words)
IN_WORLD(a_count_that_drops_is_told, drift)
IN_WORLD(hints_are_fetched_without_a_run, follow_hints)
IN_WORLD(a_hint_about_a_list_outlives_the_run_before_it, keep_hint_for_run)
IN_WORLD(a_paused_job_waits, pause_and_remove)
IN_WORLD(a_job_is_of_its_environment_alone, keep_apart)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_load_fills_the_copy_in_silence),
		cmocka_unit_test(what_is_as_it_was_is_not_read_again),
		cmocka_unit_test(what_has_changed_is_read),
		cmocka_unit_test(what_is_mapped_otherwise_is_read),
		cmocka_unit_test(what_was_written_meanwhile_is_read),
		cmocka_unit_test(what_cannot_be_gone_on_with_is_forgotten),
		cmocka_unit_test(of_large_records_fewer_are_asked_for),
		cmocka_unit_test(jobs_that_cannot_be_are_refused),
		cmocka_unit_test(a_run_goes_on_where_it_was_left),
		cmocka_unit_test(a_page_that_was_left_is_read_again),
		cmocka_unit_test(who_has_lost_the_job_writes_no_more),
		cmocka_unit_test(much_that_is_missing_is_not_believed),
		cmocka_unit_test(what_is_gone_is_told_once),
		cmocka_unit_test(words_are_taken_in_after_a_load),
		cmocka_unit_test(a_count_that_drops_is_told),
		cmocka_unit_test(hints_are_fetched_without_a_run),
		cmocka_unit_test(a_hint_about_a_list_outlives_the_run_before_it),
		cmocka_unit_test(a_paused_job_waits),
		cmocka_unit_test(a_job_is_of_its_environment_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

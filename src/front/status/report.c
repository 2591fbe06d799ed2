/* /status: all that an operator looks at first. Over the server's own socket of all environments,
 * or of the one that is named; with an admin key of the key's own, and nothing of the machine. */
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "front/status/parts.h"

enum { LISTED_MAX = 10 };

struct report {
	const struct door *door;
	struct arena *arena;
	struct caller caller;
	bool is_local;
	int64_t now_ms;
	bool is_up;	   /* the store answers */
	struct error err;  /* why not */
	struct json_builder out;
};

static void set_number(struct json_builder *item, const char *name, uint64_t value)
{
	json_builder_set(item, str_from_c(name), json_int((int64_t)value));
}

/* Seconds since then; null: there is nothing. */
static struct json age(const struct report *report, int64_t since_ms)
{
	int64_t ms = report->now_ms - since_ms;

	return since_ms == 0 ? json_null() : json_int(ms < 0 ? 0 : ms / 1000);
}

static void put_server(struct report *report)
{
	const struct door *door = report->door;
	bool is_draining = atomic_load(door->is_draining);
	char host[256] = "";

	json_builder_set(&report->out, STR("version"), json_string_c(door->version));
	json_builder_set(&report->out, STR("state"),
			 json_string_c(is_draining     ? "draining"
				       : report->is_up ? "ready"
						       : "unavailable"));
	json_builder_set(&report->out, STR("started_at"), json_time(report->arena, door->started_ms));
	json_builder_set(&report->out, STR("uptime_s"), age(report, door->started_ms));
	if (!report->is_local)
		return;
	gethostname(host, sizeof host - 1);
	json_builder_set(&report->out, STR("host"),
			 json_string(arena_str(report->arena, str_from_c(host))));
	set_number(&report->out, "process_id", (uint64_t)getpid());
	set_number(&report->out, "workers", door->workers);
}

static void put_store(struct report *report)
{
	struct store_counts counts;
	struct json_builder item;
	bool is_postgresql = store_is_postgresql(report->door->store);

	store_count(report->door->store, &counts);
	json_builder_init(&item, report->arena);
	json_builder_set(&item, STR("kind"), json_string_c(is_postgresql ? "postgresql" : "sqlite"));
	json_builder_set(&item, STR("is_up"), json_bool(report->is_up));
	json_builder_set(&item, STR("error"),
			 report->is_up ? json_null() : json_string_c(report->err.message));
	set_number(&item, "queue_length", counts.queue_length);
	set_number(&item, "writes", counts.writes);
	set_number(&item, "commits", counts.commits);
	set_number(&item, "failures", counts.failures);
	if (is_postgresql) {
		set_number(&item, "connections", counts.connections);
		set_number(&item, "connections_busy", counts.connections_busy);
		json_builder_set(&item, STR("is_bound"),
				 json_bool(store_is_bound(report->door->store)));
	}
	json_builder_set(&report->out, STR("store"), json_builder_object(&item));
}

/* Who shares the database. */
static void put_nodes(struct report *report)
{
	struct json_builder list;
	struct node_peer *peers;
	struct error ignored;
	size_t count;

	if (!report->is_local || !report->is_up ||
	    !store_is_postgresql(report->door->store) ||
	    !node_list(report->door->node, report->arena, &peers, &count, &ignored))
		return;
	json_builder_init(&list, report->arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder item;
		json_builder_init(&item, report->arena);
		json_builder_set(&item, STR("id"), json_string(peers[i].name));
		json_builder_set(&item, STR("version"), json_string(peers[i].version));
		json_builder_set(&item, STR("started_at"),
				 json_time(report->arena, peers[i].started_ms));
		json_builder_set(&item, STR("is_this"), json_bool(peers[i].is_own));
		json_builder_add(&list, json_builder_object(&item));
	}
	json_builder_set(&report->out, STR("nodes"), json_builder_array(&list));
}

static void put_requests(struct report *report)
{
	const struct door_counts *counts = report->door->counts;
	struct json_builder item;
	uint64_t all = 0;

	for (size_t i = 0; i < 6; i++)
		all += counts->requests[i];
	json_builder_init(&item, report->arena);
	set_number(&item, "answered", all);
	set_number(&item, "failed", counts->requests[5]);
	set_number(&item, "in_flight", counts->in_flight);
	json_builder_set(&report->out, STR("requests"), json_builder_object(&item));
}

/* --- what the store tells -------------------------------------------------------------------- */

static void put_accounts(struct report *report, const struct tally *tally)
{
	struct json_builder item;

	json_builder_init(&item, report->arena);
	for (int i = 0; i < STATUS_ACCOUNTS; i++)
		set_number(&item, account_status_name((enum account_status)i), tally->accounts[i]);
	json_builder_set(&report->out, STR("accounts"), json_builder_object(&item));
}

static struct json show_job(const struct report *report, const struct sync_job *job)
{
	struct json_builder item;
	struct sync_run *runs;
	struct error ignored;
	size_t count;

	json_builder_init(&item, report->arena);
	json_builder_set(&item, STR("id"), json_string(job->id));
	json_builder_set(&item, STR("environment_id"), json_string(job->environment_id));
	json_builder_set(&item, STR("integrated_account_id"), json_string(job->account_id));
	json_builder_set(&item, STR("resource"), json_string(job->resource));
	json_builder_set(&item, STR("failures"), json_int(job->failures));
	json_builder_set(&item, STR("next_run_at"), json_time(report->arena, job->next_ms));
	bool has_run = sync_run_list(report->door->syncs, report->arena, job, 0, 1, &runs, &count,
				     &ignored) &&
		       count > 0;
	json_builder_set(&item, STR("error"),
			 has_run ? json_get_c(sync_run_json(report->door->syncs, report->arena,
							    &runs[0]),
					      "error")
				 : json_null());
	return json_builder_object(&item);
}

static bool put_sync(struct report *report, const struct sync_tally *tally, struct error *err)
{
	struct json_builder item, failing;
	struct sync_job *jobs;
	size_t count;

	if (!sync_failing(report->door->syncs, report->arena, report->caller.environment_id,
			  LISTED_MAX, &jobs, &count, err))
		return false;
	json_builder_init(&failing, report->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&failing, show_job(report, &jobs[i]));
	json_builder_init(&item, report->arena);
	set_number(&item, "active", (uint64_t)tally->jobs[SYNC_ACTIVE]);
	set_number(&item, "paused", (uint64_t)tally->jobs[SYNC_PAUSED]);
	set_number(&item, "stopped", (uint64_t)tally->jobs[SYNC_STOPPED]);
	set_number(&item, "running", (uint64_t)tally->running);
	set_number(&item, "due", (uint64_t)tally->due);
	json_builder_set(&item, STR("behind_s"), age(report, tally->due_ms));
	set_number(&item, "failing", (uint64_t)tally->failing);
	set_number(&item, "hints", (uint64_t)tally->hints);
	json_builder_set(&item, STR("failing_jobs"), json_builder_array(&failing));
	json_builder_set(&report->out, STR("sync"), json_builder_object(&item));
	return true;
}

static struct json show_webhook(const struct report *report, const struct webhook *webhook)
{
	struct json_builder item;

	json_builder_init(&item, report->arena);
	json_builder_set(&item, STR("id"), json_string(webhook->id));
	json_builder_set(&item, STR("environment_id"), json_string(webhook->environment_id));
	json_builder_set(&item, STR("state"), json_string(webhook->state));
	json_builder_set(&item, STR("reason"),
			 webhook->reason.len == 0 ? json_null() : json_string(webhook->reason));
	json_builder_set(&item, STR("failing_since"), json_time(report->arena, webhook->failing_ms));
	return json_builder_object(&item);
}

static bool put_webhooks(struct report *report, const struct webhook_tally *tally,
			 struct error *err)
{
	struct json_builder item, troubled;
	struct webhook *webhooks;
	size_t count;

	if (!webhook_troubled(report->door->webhooks, report->arena, report->caller.environment_id,
			      LISTED_MAX, &webhooks, &count, err))
		return false;
	json_builder_init(&troubled, report->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&troubled, show_webhook(report, &webhooks[i]));
	json_builder_init(&item, report->arena);
	for (size_t i = 0; i < WEBHOOK_STATES; i++)
		set_number(&item, webhook_states[i], (uint64_t)tally->endpoints[i]);
	set_number(&item, "failing", (uint64_t)tally->failing);
	set_number(&item, "waiting", (uint64_t)tally->waiting[WEBHOOK_ACTIVE]);
	set_number(&item, "waiting_for_paused", (uint64_t)tally->waiting[WEBHOOK_PAUSED]);
	json_builder_set(&item, STR("oldest_s"), age(report, tally->oldest_ms));
	json_builder_set(&item, STR("troubled"), json_builder_array(&troubled));
	json_builder_set(&report->out, STR("webhooks"), json_builder_object(&item));
	return true;
}

static void put_stored(struct report *report, const struct tally *tally)
{
	struct error err;

	if (!report->is_up) {
		json_builder_set(&report->out, STR("accounts"), json_null());
		json_builder_set(&report->out, STR("sync"), json_null());
		json_builder_set(&report->out, STR("webhooks"), json_null());
		return;
	}
	put_accounts(report, tally);
	if (!put_sync(report, &tally->sync, &err))
		json_builder_set(&report->out, STR("sync"), json_null());
	if (!put_webhooks(report, &tally->webhooks, &err))
		json_builder_set(&report->out, STR("webhooks"), json_null());
}

/* --- the log --------------------------------------------------------------------------------- */

/* The latest warnings and errors, as they stand in the log. */
static void put_messages(struct report *report)
{
	char *bytes = arena_alloc(report->arena, LOG_KEPT * LOG_LINE_BYTES);
	struct str rest = str_make(bytes, log_recent(bytes));
	struct json_builder lines;
	struct error ignored;
	struct json line;

	json_builder_init(&lines, report->arena);
	while (rest.len > 0)
		if (json_parse(report->arena, str_cut(&rest, '\n'), &json_limits_default, &line,
			       &ignored))
			json_builder_add(&lines, line);
	set_number(&report->out, "warnings", log_count(LOG_WARNING));
	set_number(&report->out, "errors", log_count(LOG_ERROR));
	json_builder_set(&report->out, STR("messages"), json_builder_array(&lines));
}

void status_report(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	const struct door *door = context;
	struct report report = {.door = door,
				.arena = exchange->arena,
				.is_local = exchange->is_local,
				.now_ms = clock_unix_ms(door->services->clock)};
	struct tally tally;
	struct error err;

	(void)match;
	if (!door_authorise(door, exchange, KEY_SCOPE_ADMIN, &report.caller, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	report.is_up = tally_read(door, report.caller.environment_id, &tally, &report.err);
	json_builder_init(&report.out, exchange->arena);
	put_server(&report);
	put_store(&report);
	put_nodes(&report);
	put_requests(&report);
	put_stored(&report, &tally);
	if (report.is_local)
		put_messages(&report);
	door_reply(exchange, 200, json_builder_object(&report.out));
}

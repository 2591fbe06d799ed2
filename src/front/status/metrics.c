/* /metrics: the text format 0.0.4. Labels have few values, none of which anybody else can make:
 * classes, states, and the connectors that were loaded. */
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "front/status/parts.h"

enum { METRICS_BYTES_MAX = 1024 * 1024 };

static void put_head(struct buffer *out, const char *name, const char *type, const char *help)
{
	buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_one(struct buffer *out, const char *name, const char *type, const char *help,
		    uint64_t value)
{
	put_head(out, name, type, help);
	buffer_append_format(out, "%s %llu\n", name, (unsigned long long)value);
}

static void put_seconds(struct buffer *out, const char *name, const char *type, const char *help,
			double value)
{
	put_head(out, name, type, help);
	buffer_append_format(out, "%s %.6f\n", name, value);
}

static void put_with(struct buffer *out, const char *name, const char *label, const char *value,
		     uint64_t number)
{
	buffer_append_format(out, "%s{%s=\"%s\"} %llu\n", name, label, value,
			     (unsigned long long)number);
}

/* `counts` has one bucket more than there are bounds, each without those before it. */
static void put_histogram(struct buffer *out, const char *name, const char *help,
			  const double *bounds_ms, size_t bounds, const uint64_t *counts,
			  uint64_t duration_us)
{
	uint64_t seen = 0;

	put_head(out, name, "histogram", help);
	for (size_t i = 0; i <= bounds; i++) {
		char bound[32] = "+Inf";
		seen += counts[i];
		if (i < bounds)
			snprintf(bound, sizeof bound, "%g", bounds_ms[i] / 1000);
		buffer_append_format(out, "%s_bucket{le=\"%s\"} %llu\n", name, bound,
				     (unsigned long long)seen);
	}
	buffer_append_format(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)duration_us / 1e6,
			     name, (unsigned long long)seen);
}

/* --- the process ----------------------------------------------------------------------------- */

static void read_memory(uint64_t *virtual_bytes, uint64_t *resident_bytes)
{
	unsigned long long all = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "r");

	if (file != NULL && fscanf(file, "%llu %llu", &all, &resident) != 2)
		all = resident = 0;
	if (file != NULL)
		fclose(file);
	*virtual_bytes = all * page;
	*resident_bytes = resident * page;
}

static uint64_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count < 3 ? 0 : count - 3; /* ".", "..", and its own */
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void put_process(struct buffer *out, const struct door *door)
{
	struct rlimit limit = {0};
	struct rusage usage = {0};
	uint64_t virtual_bytes, resident_bytes;

	read_memory(&virtual_bytes, &resident_bytes);
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &limit);
	put_head(out, "tenon_info", "gauge", "The version that runs.");
	buffer_append_format(out, "tenon_info{version=\"%s\"} 1\n", door->version);
	put_one(out, "tenon_workers", "gauge", "Worker threads.", door->workers);
	put_seconds(out, "process_start_time_seconds", "gauge",
		    "When the server started, Unix time.", (double)door->started_ms / 1000);
	put_seconds(out, "process_cpu_seconds_total", "counter", "Time of the processors.",
		    seconds(usage.ru_utime) + seconds(usage.ru_stime));
	put_one(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes);
	put_one(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.", virtual_bytes);
	put_one(out, "process_open_fds", "gauge", "Open descriptors.", count_descriptors());
	put_one(out, "process_max_fds", "gauge", "Descriptors that may be open.", limit.rlim_cur);
	put_head(out, "tenon_log_messages_total", "counter",
		 "Warnings and errors, whether they were written into the log or left out.");
	put_with(out, "tenon_log_messages_total", "level", "warning", log_count(LOG_WARNING));
	put_with(out, "tenon_log_messages_total", "level", "error", log_count(LOG_ERROR));
}

/* --- calls ----------------------------------------------------------------------------------- */

static void put_requests(struct buffer *out, const struct door_counts *counts)
{
	uint64_t buckets[12];

	put_head(out, "tenon_requests_total", "counter", "Requests answered, by class of status.");
	for (size_t i = 1; i < 6; i++)
		buffer_append_format(out, "tenon_requests_total{class=\"%zuxx\"} %llu\n", i,
				     (unsigned long long)counts->requests[i]);
	put_one(out, "tenon_requests_in_flight", "gauge", "Requests that are being answered.",
		counts->in_flight);
	for (size_t i = 0; i < 12; i++)
		buckets[i] = counts->duration_buckets[i];
	put_histogram(out, "tenon_request_duration_seconds",
		      "Time from the whole request to the reply.", door_bucket_bounds_ms, 11,
		      buckets, counts->duration_us_total);
}

static void put_operations(struct buffer *out, const struct operation_counts *counts)
{
	put_one(out, "tenon_operations_total", "counter", "Operations run.", counts->operations);
	put_one(out, "tenon_upstream_calls_total", "counter", "Calls sent to ATSs.",
		counts->upstream_calls);
	put_one(out, "tenon_upstream_retries_total", "counter", "Calls sent again.",
		counts->upstream_retries);
	put_one(out, "tenon_upstream_rate_limited_total", "counter",
		"Answers of ATSs that said: too many requests.", counts->upstream_rate_limited);
	put_one(out, "tenon_upstream_failures_total", "counter",
		"Operations that failed because of the ATS.", counts->upstream_failures);
	put_one(out, "tenon_limiter_waits_total", "counter",
		"Calls that waited for an account's rate limit.", counts->limiter_waits);
	put_seconds(out, "tenon_limiter_wait_seconds_total", "counter", "How long they waited.",
		    (double)counts->limiter_wait_us / 1e6);
	put_one(out, "tenon_mapping_misfits_total", "counter",
		"Mapped values that did not fit their field.", counts->mapping_misfits);
}

static void put_errors(struct buffer *out, const char *connector, const char *kind, uint64_t count)
{
	buffer_append_format(out, "tenon_connector_errors_total{connector=\"%s\",kind=\"%s\"} %llu\n",
			     connector, kind, (unsigned long long)count);
}

/* Connectors that were called: of hundreds that there may be a server uses few. */
static void put_connectors(struct buffer *out, const struct door *door)
{
	const struct connectors *connectors = door->services->connectors;
	const struct connector_counts *all = door->services->counts->of_connector;

	put_head(out, "tenon_connector_call_duration_seconds", "summary",
		 "Calls of each connector's ATS, to the answer.");
	for (size_t i = 0; i < connectors->count; i++) {
		struct str name = connectors->items[i]->name;
		if (all[i].calls > 0)
			buffer_append_format(
				out,
				"tenon_connector_call_duration_seconds_sum{connector=\"%.*s\"} %.6f\n"
				"tenon_connector_call_duration_seconds_count{connector=\"%.*s\"} %llu\n",
				STR_ARGS(name), (double)all[i].duration_us / 1e6, STR_ARGS(name),
				(unsigned long long)all[i].calls);
	}
	put_head(out, "tenon_connector_errors_total", "counter",
		 "Those that were refused, failed or not answered.");
	for (size_t i = 0; i < connectors->count; i++) {
		if (all[i].calls == 0)
			continue;
		char name[64];
		snprintf(name, sizeof name, "%.*s", STR_ARGS(connectors->items[i]->name));
		put_errors(out, name, "rate_limited", all[i].rate_limited);
		put_errors(out, name, "client_error", all[i].client_errors);
		put_errors(out, name, "server_error", all[i].server_errors);
		put_errors(out, name, "no_answer", all[i].no_answers);
	}
}

static void put_tokens(struct buffer *out, const struct door *door)
{
	static const char name[] = "tenon_oauth_refreshes_total";
	const struct oauth_counts *counts = oauth_counts(door->services->oauth);

	put_head(out, name, "counter", "Tokens that were to be replaced, by how that ended.");
	put_with(out, name, "result", "given", counts->given);
	put_with(out, name, "result", "refused", counts->refused);
	put_with(out, name, "result", "failed", counts->failed);
}

static void put_calls(struct buffer *out, struct calls *calls)
{
	struct calls_counts counts;

	calls_count(calls, &counts);
	put_one(out, "tenon_log_records_total", "counter", "Calls put into the log.",
		counts.written);
	put_one(out, "tenon_log_dropped_total", "counter",
		"Calls not in the log: its queue was full, or the store refused them.",
		counts.dropped);
}

static void put_traces(struct buffer *out, struct tracer *tracer)
{
	static const char name[] = "tenon_trace_spans_total";
	struct tracer_counts counts;

	tracer_count(tracer, &counts);
	put_head(out, name, "counter", "Spans of traces, by what became of them.");
	put_with(out, name, "result", "exported", counts.exported);
	put_with(out, name, "result", "dropped", counts.dropped);
	put_with(out, name, "result", "refused", counts.refused);
	put_one(out, "tenon_trace_queue_length", "gauge", "Spans that wait to be sent.",
		counts.queue_length);
}

/* --- the store ------------------------------------------------------------------------------- */

static void put_pool(struct buffer *out, const struct store_counts *counts)
{
	static const char name[] = "tenon_store_connections";

	put_head(out, name, "gauge", "Connections of the workers to PostgreSQL.");
	put_with(out, name, "state", "busy", counts->connections_busy);
	put_with(out, name, "state", "idle", counts->connections - counts->connections_busy);
	put_one(out, "tenon_store_connection_waits_total", "counter",
		"Queries and writes that waited for a connection.", counts->waits);
	put_seconds(out, "tenon_store_connection_wait_seconds_total", "counter",
		    "How long they waited.", (double)counts->wait_us / 1e6);
}

static void put_store(struct buffer *out, struct store *store)
{
	struct store_counts counts;

	store_count(store, &counts);
	put_one(out, "tenon_store_commits_total", "counter", "Transactions of the store.",
		counts.commits);
	put_one(out, "tenon_store_writes_total", "counter", "Writes done by them.", counts.writes);
	put_one(out, "tenon_store_queries_total", "counter", "Queries of the store.",
		counts.queries);
	put_one(out, "tenon_store_failures_total", "counter",
		"Queries and writes that were not done, for the store was away or full.",
		counts.failures);
	put_one(out, "tenon_store_queue_length", "gauge", "Writes that wait.", counts.queue_length);
	put_histogram(out, "tenon_store_write_duration_seconds",
		      "Time from a write to its commit.", store_bucket_bounds_ms, STORE_BUCKETS - 1,
		      counts.buckets, counts.duration_us);
	if (store_is_postgresql(store))
		put_pool(out, &counts);
}

/* --- copy, sync, webhooks -------------------------------------------------------------------- */

static void put_background(struct buffer *out, const struct door *door)
{
	static const char runs[] = "tenon_sync_runs_total", pages[] = "tenon_sync_pages_total",
			  records[] = "tenon_copy_records_total",
			  attempts[] = "tenon_webhook_attempts_total";
	const struct sync_counts *sync = sync_counts(door->syncs);
	const struct copies_counts *copies = copies_counts(door->copies);
	const struct webhook_counts *webhooks = webhook_counts(door->webhooks);

	put_head(out, runs, "counter", "Runs of sync jobs that ended, by how.");
	put_with(out, runs, "result", "completed", sync->completed);
	put_with(out, runs, "result", "failed", sync->failed);
	put_with(out, runs, "result", "stopped", sync->stopped);
	put_head(out, pages, "counter", "Pages of lists that sync jobs asked for.");
	put_with(out, pages, "result", "read", sync->pages_read);
	put_with(out, pages, "result", "known", sync->pages_known);
	put_head(out, records, "counter", "Records put into the local copies, by what changed.");
	put_with(out, records, "change", "created", copies->created);
	put_with(out, records, "change", "updated", copies->updated);
	put_with(out, records, "change", "deleted", copies->deleted);
	put_with(out, records, "change", "none", copies->unchanged);
	put_head(out, attempts, "counter", "Messages sent to webhooks, by what came of it.");
	put_with(out, attempts, "result", "delivered", webhooks->delivered);
	put_with(out, attempts, "result", "postponed", webhooks->postponed);
	put_with(out, attempts, "result", "given_up", webhooks->given_up);
}

static double age(int64_t now_ms, int64_t since_ms)
{
	return since_ms == 0 || since_ms > now_ms ? 0 : (double)(now_ms - since_ms) / 1000;
}

static void put_jobs(struct buffer *out, const struct sync_tally *tally, int64_t now_ms)
{
	static const char name[] = "tenon_sync_jobs";

	put_head(out, name, "gauge", "Sync jobs, by state.");
	put_with(out, name, "state", "active", (uint64_t)tally->jobs[SYNC_ACTIVE]);
	put_with(out, name, "state", "paused", (uint64_t)tally->jobs[SYNC_PAUSED]);
	put_with(out, name, "state", "stopped", (uint64_t)tally->jobs[SYNC_STOPPED]);
	put_one(out, "tenon_sync_jobs_running", "gauge", "Those that run.",
		(uint64_t)tally->running);
	put_one(out, "tenon_sync_jobs_due", "gauge", "Those that are due and do not run yet.",
		(uint64_t)tally->due);
	put_one(out, "tenon_sync_jobs_failing", "gauge", "Active ones whose last run failed.",
		(uint64_t)tally->failing);
	put_seconds(out, "tenon_sync_lag_seconds", "gauge",
		    "How long the one that is due longest has been waiting.",
		    age(now_ms, tally->due_ms));
	put_one(out, "tenon_sync_hints", "gauge",
		"Records that are to be fetched, since something told of a change.",
		(uint64_t)tally->hints);
}

static void put_webhooks(struct buffer *out, const struct webhook_tally *tally, int64_t now_ms)
{
	static const char name[] = "tenon_webhooks", waiting[] = "tenon_webhook_waiting";

	put_head(out, name, "gauge", "Endpoints of webhooks, by state.");
	for (size_t i = 0; i < WEBHOOK_STATES; i++)
		put_with(out, name, "state", webhook_states[i], (uint64_t)tally->endpoints[i]);
	put_one(out, "tenon_webhooks_failing", "gauge",
		"Active ones that have answered with nothing but failures since a while.",
		(uint64_t)tally->failing);
	put_head(out, waiting, "gauge",
		 "Events that endpoints have not been told yet, by the endpoint's state.");
	for (size_t i = 0; i < WEBHOOK_GONE; i++)
		put_with(out, waiting, "state", webhook_states[i], (uint64_t)tally->waiting[i]);
	put_seconds(out, "tenon_webhook_oldest_seconds", "gauge",
		    "How long the oldest event that an active endpoint has not been told waits.",
		    age(now_ms, tally->oldest_ms));
}

/* What is counted in the store, where that answers. */
static void put_stored(struct buffer *out, const struct door *door)
{
	struct store_scope before = store_enter_all();
	struct error err;
	struct tally tally;
	bool is_up = tally_recent(door, &tally, &err);
	int64_t now_ms = clock_unix_ms(door->services->clock);

	store_leave(&before);
	put_one(out, "tenon_store_up", "gauge", "Whether the store answers.", is_up);
	if (!is_up)
		return;
	put_head(out, "tenon_integrated_accounts", "gauge", "Integrated accounts, by status.");
	for (int i = 0; i < STATUS_ACCOUNTS; i++)
		put_with(out, "tenon_integrated_accounts", "status",
			 account_status_name((enum account_status)i), tally.accounts[i]);
	put_jobs(out, &tally.sync, now_ms);
	put_webhooks(out, &tally.webhooks, now_ms);
}

void status_metrics(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	const struct door *door = context;
	struct buffer out;

	(void)match;
	buffer_init(&out, exchange->arena, METRICS_BYTES_MAX);
	put_process(&out, door);
	put_requests(&out, door->counts);
	put_operations(&out, door->services->counts);
	put_connectors(&out, door);
	put_tokens(&out, door);
	put_calls(&out, door->calls);
	put_traces(&out, door->services->tracer);
	put_store(&out, door->store);
	put_background(&out, door);
	put_stored(&out, door);
	exchange->content_type = STR("text/plain; version=0.0.4; charset=utf-8");
	exchange->reply = buffer_str(&out);
}

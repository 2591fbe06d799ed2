#include "front/status/status.h"

#include <stdatomic.h>
#include <unistd.h>

enum { METRICS_BYTES_MAX = 256 * 1024 };

static void handle_health(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	(void)context;
	(void)match;
	exchange->reply = STR("{\"status\":\"ok\"}");
}

/* Ready means: not draining, and the store answers. */
static void handle_ready(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	const struct door *door = context;
	struct store_rows rows;
	struct error err;

	(void)match;
	if (atomic_load(door->is_draining)) {
		error_set(&err, ERROR_UNAVAILABLE, "the server is shutting down");
		door_reply_error(exchange, &err, NULL);
	} else if (!store_query(door->store, exchange->arena, "select 1", NULL, 0, &rows, &err)) {
		door_reply_error(exchange, &err, NULL);
	} else {
		exchange->reply = STR("{\"status\":\"ready\"}");
	}
}

/* --- /metrics: the text format 0.0.4 -------------------------------------------------------- */

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

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_requests(struct buffer *out, const struct door_counts *counts)
{
	uint64_t seen = 0;

	put_head(out, "tenon_requests_total", "counter", "Requests answered, by class of status.");
	for (size_t i = 1; i < 6; i++)
		buffer_append_format(out, "tenon_requests_total{class=\"%zuxx\"} %llu\n", i,
				     (unsigned long long)counts->requests[i]);
	put_head(out, "tenon_request_duration_seconds", "histogram",
		 "Time from the whole request to the reply.");
	for (size_t i = 0; i < 12; i++) {
		seen += counts->duration_buckets[i];
		buffer_append_c(out, "tenon_request_duration_seconds_bucket{le=\"");
		if (i < 11)
			buffer_append_format(out, "%g", door_bucket_bounds_ms[i] / 1000);
		else
			buffer_append_c(out, "+Inf");
		buffer_append_format(out, "\"} %llu\n", (unsigned long long)seen);
	}
	buffer_append_format(out,
			     "tenon_request_duration_seconds_sum %.6f\n"
			     "tenon_request_duration_seconds_count %llu\n",
			     (double)counts->duration_us_total / 1e6, (unsigned long long)seen);
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
	put_one(out, "tenon_mapping_misfits_total", "counter",
		"Mapped values that did not fit their field.", counts->mapping_misfits);
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
	put_one(out, "tenon_store_queue_length", "gauge", "Writes that wait.", counts.queue_length);
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

static bool put_accounts(struct buffer *out, const struct door *door, struct error *err)
{
	size_t counts[5];

	if (!account_count(door->services->accounts, counts, err))
		return false;
	put_head(out, "tenon_integrated_accounts", "gauge", "Integrated accounts, by status.");
	for (int i = 0; i < 5; i++)
		buffer_append_format(out, "tenon_integrated_accounts{status=\"%s\"} %zu\n",
				     account_status_name((enum account_status)i), counts[i]);
	return true;
}

static void handle_metrics(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	const struct door *door = context;
	struct buffer out;
	struct error err;

	(void)match;
	buffer_init(&out, exchange->arena, METRICS_BYTES_MAX);
	put_head(&out, "tenon_info", "gauge", "The version that runs.");
	buffer_append_format(&out, "tenon_info{version=\"%s\"} 1\n", door->version);
	put_one(&out, "tenon_start_time_seconds", "gauge", "When the server started, Unix time.",
		(uint64_t)(door->started_ms / 1000));
	put_one(&out, "tenon_resident_memory_bytes", "gauge", "Resident memory of the process.",
		resident_bytes());
	put_requests(&out, door->counts);
	put_operations(&out, door->services->counts);
	put_store(&out, door->store);
	put_calls(&out, door->calls);
	if (!put_accounts(&out, door, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	exchange->content_type = STR("text/plain; version=0.0.4; charset=utf-8");
	exchange->reply = buffer_str(&out);
}

const struct http_route status_routes[] = {
	{HTTP_GET, "/healthz", handle_health},
	{HTTP_GET, "/readyz", handle_ready},
	{HTTP_GET, "/metrics", handle_metrics},
};
const size_t status_route_count = sizeof status_routes / sizeof status_routes[0];

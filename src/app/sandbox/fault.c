/* Misbehaves as it is told: faults drawn for each request, and the true rate limit. */
#include "app/sandbox/serve.h"
#include "base/log.h"

static const char *const names[] = {
#define ROW(kind, name) name,
	SANDBOX_FAULT_TABLE(ROW)
#undef ROW
};

#define ROW(kind, name) " " name
static const char all_names[] = SANDBOX_FAULT_TABLE(ROW);
#undef ROW

const char *fault_name(enum sandbox_fault kind)
{
	return names[kind];
}

bool fault_from_name(struct str name, enum sandbox_fault *kind, struct error *err)
{
	for (size_t i = 0; i < SANDBOX_FAULTS; i++) {
		*kind = (enum sandbox_fault)i;
		if (str_equal_c(name, names[i]))
			return true;
	}
	return error_set_field(err, ERROR_INVALID, "fault", all_names + 1,
			       "there is no fault of the kind %.*s; allowed:%s", STR_ARGS(name),
			       all_names);
}

void faults_init(struct faults *faults, const struct sandbox_options *options)
{
	*faults = (struct faults){.draw = {options->seed ^ 0x5eedfa17}};
	memcpy(faults->probability, options->faults, sizeof faults->probability);
}

static bool draw(struct faults *faults, double probability)
{
	return (double)(random_seeded_next(&faults->draw) >> 11) * 0x1p-53 < probability;
}

bool fault_is_due(struct faults *faults, enum sandbox_fault kind)
{
	if (faults->probability[kind] <= 0 || !draw(faults, faults->probability[kind]))
		return false;
	faults->given[kind]++;
	return true;
}

/* --- the rate limit ------------------------------------------------------------------------- */

static bool is_rate_limited(struct sandbox *sandbox, struct http_exchange *exchange)
{
	int64_t wait_ns = rate_take_ns(&sandbox->rate, clock_monotonic_ns(sandbox->clock));

	if (wait_ns == 0)
		return false;
	answer_fixed(sandbox, exchange, ANSWER_RATE_LIMITED, NULL);
	http_exchange_set_header(exchange, "Retry-After",
				 arena_format(exchange->arena, "%lld",
					      (long long)((wait_ns + 999999999) / 1000000000)));
	return true;
}

/* --- the kinds ------------------------------------------------------------------------------ */

static void fail_rate_limit(struct sandbox *sandbox, struct http_exchange *exchange)
{
	answer_fixed(sandbox, exchange, ANSWER_RATE_LIMITED, NULL);
	if (draw(&sandbox->faults, 0.5))
		http_exchange_set_header(exchange, "Retry-After",
					 draw(&sandbox->faults, 0.5) ? STR("1") : STR("0"));
}

static bool is_write(const struct http_exchange *exchange)
{
	return exchange->method != HTTP_GET && exchange->method != HTTP_HEAD;
}

/* A write may have been carried out although its answer says nothing of it: half of them are.
 * What was answered is thrown away. */
static void maybe_write(struct sandbox *sandbox, struct http_exchange *exchange)
{
	if (!is_write(exchange) || draw(&sandbox->faults, 0.5))
		return;
	answer_request(sandbox, exchange);
	exchange->status = 200;
	exchange->reply = (struct str){0};
	exchange->reply_header_count = 0;
	exchange->content_type = STR("application/json");
}

/* 502 and 503 come from the machine before the ATS, which speaks HTML. A write that got a 502 may
 * have been carried out; 500 and 503 were not. */
static void fail_server_error(struct sandbox *sandbox, struct http_exchange *exchange)
{
	static const int statuses[] = {500, 502, 503};
	int status = statuses[random_seeded_next(&sandbox->faults.draw) % 3];

	if (status == 502)
		maybe_write(sandbox, exchange);
	answer_fixed(sandbox, exchange, ANSWER_SERVER_ERROR, "Server internal error");
	exchange->status = status;
	if (status == 500)
		return;
	exchange->content_type = STR("text/html");
	exchange->reply = status == 502
				  ? STR("<html><body><h1>502 Bad Gateway</h1></body></html>")
				  : STR("<html><body><h1>503 Service Unavailable</h1></body></html>");
}

/* Somewhere in the answer; at 0 nothing of it comes. */
static void cut_anywhere(struct sandbox *sandbox, struct http_exchange *exchange)
{
	uint64_t at = random_seeded_next(&sandbox->faults.draw);

	exchange->is_cut = true;
	exchange->cut_after = exchange->reply.len == 0 ? 0 : at % exchange->reply.len;
}

/* Half of the time before the request was carried out, else after. */
static void fail_reset(struct sandbox *sandbox, struct http_exchange *exchange)
{
	if (draw(&sandbox->faults, 0.5))
		answer_request(sandbox, exchange);
	cut_anywhere(sandbox, exchange);
	exchange->cut_with_reset = true;
}

static void fail_truncate(struct sandbox *sandbox, struct http_exchange *exchange)
{
	answer_request(sandbox, exchange);
	cut_anywhere(sandbox, exchange);
}

/* A client that waits no more does not know whether its write was carried out: half are before
 * the wait, half after it. */
static void fail_stall(struct sandbox *sandbox, struct http_exchange *exchange)
{
	bool is_late = !is_write(exchange) || draw(&sandbox->faults, 0.5);

	if (!is_late)
		answer_request(sandbox, exchange);
	pause_ms(sandbox, sandbox->stall_ms);
	if (is_late)
		answer_request(sandbox, exchange);
}

static void fail(struct sandbox *sandbox, struct http_exchange *exchange, enum sandbox_fault kind)
{
	switch (kind) {
	case SANDBOX_RATE_LIMIT:
		fail_rate_limit(sandbox, exchange);
		return;
	case SANDBOX_SERVER_ERROR:
		fail_server_error(sandbox, exchange);
		return;
	case SANDBOX_RESET:
		fail_reset(sandbox, exchange);
		return;
	case SANDBOX_STALL:
		fail_stall(sandbox, exchange);
		return;
	case SANDBOX_TRUNCATE:
		fail_truncate(sandbox, exchange);
		return;
	case SANDBOX_CONTENT_TYPE:
		maybe_write(sandbox, exchange);
		exchange->content_type = STR("text/html");
		exchange->reply = STR("<!DOCTYPE html><html><body>Please sign in.</body></html>");
		return;
	case SANDBOX_GARBAGE:
		maybe_write(sandbox, exchange);
		exchange->reply = STR("{\"meta\": {\"page\": 1, \"tot\xff");
		return;
	case SANDBOX_PAGE_SHIFT:
	case SANDBOX_FAULTS:
		return;
	}
}

void answer_or_fail(struct sandbox *sandbox, struct http_exchange *exchange)
{
	if (is_rate_limited(sandbox, exchange))
		return;
	for (size_t i = 0; i < SANDBOX_PAGE_SHIFT; i++)
		if (fault_is_due(&sandbox->faults, (enum sandbox_fault)i)) {
			fail(sandbox, exchange, (enum sandbox_fault)i);
			return;
		}
	answer_request(sandbox, exchange);
}

/* --- records that come and go --------------------------------------------------------------- */

static bool add_record(struct sandbox *sandbox, struct collection *collection, struct error *err)
{
	struct company *company = &sandbox->company;
	struct arena *arena = &company->arena;
	struct str now = format_us(arena, company_clock_us(company));
	struct json_builder fields;
	struct record *record;

	json_builder_init(&fields, arena);
	json_builder_set(&fields, STR("created_at"), json_string(now));
	json_builder_set(&fields, STR("updated_at"), json_string(now));
	return company_create(company, collection, NULL, json_builder_object(&fields), &record,
			      err);
}

static bool remove_record(struct sandbox *sandbox, struct collection *collection,
			  struct error *err)
{
	uint64_t start = random_seeded_next(&sandbox->faults.draw);

	for (size_t i = 0; i < collection->count; i++) {
		struct record *record = collection->records[(start + i) % collection->count];
		if (record_is_alive(record))
			return company_delete(&sandbox->company, record, err);
	}
	return true;
}

void shift_page(struct sandbox *sandbox, struct collection *collection)
{
	uint64_t which = random_seeded_next(&sandbox->faults.draw) % 3;
	struct error err;
	bool ok = true;

	if (which != 0)
		ok = add_record(sandbox, collection, &err);
	if (ok && which != 1)
		ok = remove_record(sandbox, collection, &err);
	if (!ok)
		LOG(LOG_ERROR, "sandbox", LOG_C(message, err.message));
}

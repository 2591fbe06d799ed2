/* One native call brought to its end: under the account's rate limit, tried again where that is
 * safe and may help, its account's status kept true. What a write did is not known when its
 * connection breaks, so it is never sent twice unless it certainly did nothing. */
#include <assert.h>

#include "ats/operation/run.h"
#include "base/log.h"

enum {
	TRIES_MAX = 8,
	BACKOFF_BASE_MS = 100,
	BACKOFF_MAX_MS = 20000,
};
static const int64_t SECOND_NS = 1000000000;
static const int64_t MS_NS = 1000000;

/* What became of a try. */
struct outcome {
	bool is_done;
	bool may_repeat;        /* another try is safe and may help */
	int64_t cost;           /* of the retry, from the account's budget */
	int64_t retry_after_ms; /* as the ATS says; -1: it does not */
	bool is_rate_limited;
	bool is_unknown; /* it may have been done */
	bool is_stale;	 /* the token was refused, which another may not be */
};

static int64_t now_ns(const struct run *run)
{
	return clock_monotonic_ns(run->services->clock);
}

/* --- judging a try --------------------------------------------------------------------------- */

static bool is_repeatable(const struct native_method *method)
{
	return method->is_repeatable || method->verb == HTTP_GET || method->verb == HTTP_HEAD;
}

static bool is_passing(int status)
{
	return status == 408 || status == 425 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

/* No whole response. `err` is the client's. */
static struct outcome judge_failure(const struct native_method *method,
				    const struct http_response *response, struct error *err)
{
	struct outcome outcome = {.cost = RETRY_COST, .retry_after_ms = -1};

	switch (response->outcome) {
	case HTTP_NOT_SENT:
		outcome.may_repeat = true;
		break;
	case HTTP_BROKEN:
		outcome.may_repeat = is_repeatable(method);
		outcome.is_unknown = true;
		break;
	case HTTP_TIMED_OUT:
		outcome.may_repeat = is_repeatable(method);
		outcome.is_unknown = true;
		outcome.cost = RETRY_COST_TIMEOUT;
		break;
	case HTTP_TOO_LARGE:
		outcome.is_unknown = true;
		err->code = ERROR_UPSTREAM; /* the caller's request was not too large */
		break;
	case HTTP_REFUSED:
	case HTTP_COMPLETE:
		break;
	}
	return outcome;
}

static bool is_page(const struct http_response *response)
{
	return str_find(http_response_header(response, "content-type"), STR("text/html")) >= 0;
}

static bool has_json_type(const struct http_response *response)
{
	struct str type = http_response_header(response, "content-type");

	return type.len == 0 || str_find(type, STR("json")) >= 0;
}

/* Nothing more of the answer is to be known. */
static bool is_fit(const struct native_call *call, const struct http_response *response)
{
	if (call->answer == ANSWER_FILE)
		return response->body.len == 0 || (!has_json_type(response) && !is_page(response));
	/* One that says JSON and is none was broken on its way. */
	return call->answer == ANSWER_ANY &&
	       (response->body.len == 0 ||
		str_find(http_response_header(response, "content-type"), STR("json")) < 0);
}

/* A body that is cut or is a proxy's page has nothing to do with what was asked: another try may
 * bring the right one. One that passes our limits would do so again. */
static struct outcome judge_body(const struct run *run, const struct native_call *call,
				 const struct http_response *response, struct native_reply *reply,
				 struct error *err)
{
	struct outcome outcome = {.cost = RETRY_COST, .retry_after_ms = -1};
	struct error fault;

	reply->body = json_null();
	outcome.is_done = response->status == 204 || is_fit(call, response);
	if (outcome.is_done)
		return outcome;
	outcome.may_repeat = is_repeatable(call->method);
	outcome.is_unknown = true;
	if (!has_json_type(response)) {
		error_set(err, ERROR_UPSTREAM, "the ATS answered with something else than JSON");
		return outcome;
	}
	outcome.is_done =
		json_parse(run->arena, response->body, &json_limits_default, &reply->body, &fault);
	if (!outcome.is_done) {
		outcome.may_repeat = outcome.may_repeat && fault.code != ERROR_LIMIT;
		error_set(err, arena_is_over(run->arena) ? ERROR_LIMIT : ERROR_UPSTREAM,
			  "the ATS's answer cannot be read: %s", fault.message);
	}
	return outcome;
}

static struct outcome judge_status(const struct run *run, const struct native_method *method,
				   const struct http_response *response, struct error *err)
{
	struct outcome outcome = {.cost = RETRY_COST};
	struct json body = json_undefined();
	struct error unused;

	if (has_json_type(response) &&
	    !json_parse(run->arena, response->body, &json_limits_default, &body, &unused))
		body = json_undefined();
	outcome.is_rate_limited = remote_error(run, response, body, err);
	run->services->counts->upstream_rate_limited += outcome.is_rate_limited;
	remote_note(run, response, body);
	outcome.may_repeat =
		outcome.is_rate_limited || (is_passing(response->status) && is_repeatable(method));
	/* A proxy before the ATS may say so of a request which the ATS has done, or does yet. */
	outcome.is_unknown = response->status >= 500;
	outcome.retry_after_ms = http_parse_retry_after_ms(
		http_response_header(response, "retry-after"), clock_unix_ms(run->services->clock));
	return outcome;
}

/* How often another host may be asked is nothing to the account's limiter, and what it refuses
 * nothing to the credential, which it did not get. */
static struct outcome judge_answer(const struct run *run, const struct native_call *call,
				   const struct http_response *response, struct error *err)
{
	struct outcome outcome = judge_status(run, call->method, response, err);

	if (call->is_elsewhere) {
		outcome.may_repeat |= outcome.is_rate_limited;
		outcome.is_rate_limited = false;
		outcome.retry_after_ms = -1;
		run->result->remote_insight.missing_rights = json_undefined();
	}
	return outcome;
}

/* --- the account ----------------------------------------------------------------------------- */

/* A credential that the ATS refuses asks for its owner; one that works again does not. What is
 * wrong after an account was linked is not mended by a call that works. */
static enum account_status judge_account(enum account_status now, int status)
{
	if (status == 401)
		return now == ACCOUNT_VALIDATION_ERROR ? now : ACCOUNT_NEEDS_REAUTH;
	return status >= 300 || now == ACCOUNT_POST_INSTALL_ERROR ? now : ACCOUNT_ACTIVE;
}

static void keep_status(struct run *run, int status, const struct error *told)
{
	const struct account *account = run->account;
	enum account_status next = judge_account(account->status, status);
	struct error err;

	if (next == account->status || run->is_status_told || json_is(run->credential, JSON_OBJECT))
		return;
	run->is_status_told = true;
	struct str why = next == ACCOUNT_ACTIVE ? STR("") : str_from_c(told->message);
	if (!account_set_status(run->services->accounts, account, next, why, &err))
		LOG(LOG_WARNING, "account_status_not_set", LOG_S(account_id, account->id),
		    LOG_C(error, error_name(err.code)));
}

/* --- tokens ---------------------------------------------------------------------------------- */

/* A token may be refused because it is not the newest any more, and then because it has run out:
 * more than these two is no matter of its age. */
enum { RENEWALS_MAX = 2 };

static bool has_token(const struct run *run, const struct native_call *call)
{
	return run->services->oauth != NULL && connector_is_oauth(run->format) &&
	       !call->is_elsewhere && !json_is(run->credential, JSON_OBJECT);
}

static bool ready_token(struct run *run, const struct native_call *call, struct error *err)
{
	return !has_token(run, call) ||
	       oauth_ready(run->services->oauth, run->services->client, run->account, run->format,
			   run->deadline_ns, &run->token_version, err);
}

/* What the ATS has refused is the answer no more: another came, or it was about an old token. */
static void forget_refusal(struct run *run)
{
	run->result->remote_status = 0;
	run->result->remote_body = (struct str){NULL, 0};
}

/* The ATS refused the token, and did nothing. Is there another one for another try? */
static bool renew_token(struct run *run, const struct native_call *call, struct error *err)
{
	struct error why = *err;

	run->renewals++;
	if (call->source != NULL && !resend_rewind(call->source))
		return false;
	if (oauth_refresh(run->services->oauth, run->services->client, run->account,
			  run->token_version, run->deadline_ns, err)) {
		*err = why;
		forget_refusal(run);
		return true;
	}
	return false;
}

/* --- time ------------------------------------------------------------------------------------ */

/* One connection that stalls must not eat the time of the tries after it. */
static int64_t try_deadline_ns(const struct run *run, const struct native_call *call, int tries)
{
	/* What has been sent for minutes is not given up for another try. */
	if (call->source != NULL)
		return run->deadline_ns;
	int64_t rest = run->deadline_ns - now_ns(run);
	int64_t limit = tries < 2 ? (tries + 1) * 5 * SECOND_NS : 15 * SECOND_NS;

	if (limit > rest / 2)
		limit = rest / 2;
	if (limit < SECOND_NS)
		limit = SECOND_NS;
	return run->deadline_ns - rest + (limit < rest ? limit : rest);
}

/* Full jitter: fibers that failed together do not come back together. */
static int64_t backoff_ms(const struct run *run, int tries)
{
	int64_t most = BACKOFF_MAX_MS;

	if (tries < 8 && (BACKOFF_BASE_MS << tries) < most)
		most = BACKOFF_BASE_MS << tries;
	return 1 + (int64_t)random_below(run->services->random, (uint64_t)most);
}

/* How long to wait before the next try. What an ATS says by Retry-After holds for all calls of
 * the account, and so does every 429: also when this call gives up. */
static int64_t find_delay_ms(struct run *run, const struct outcome *outcome, int tries,
			     struct error *err)
{
	int64_t delay_ms = backoff_ms(run, tries);

	if (outcome->retry_after_ms > delay_ms)
		delay_ms = outcome->retry_after_ms;
	if (outcome->is_rate_limited || outcome->retry_after_ms >= 0)
		limiter_pause(run->limiter, now_ns(run) + delay_ms * MS_NS);
	if (outcome->is_rate_limited)
		err->retry_after_ms = delay_ms;
	return delay_ms;
}

/* Waits and pays for another try, or is false when there shall be none. */
static bool wait_for_retry(struct run *run, const struct outcome *outcome, int tries,
			   struct error *err)
{
	int64_t delay_ms = find_delay_ms(run, outcome, tries, err);
	int64_t start_ns = now_ns(run);

	if (!outcome->may_repeat || tries + 1 >= TRIES_MAX || loop_is_interrupted() ||
	    start_ns + delay_ms * MS_NS >= run->deadline_ns ||
	    !limiter_pay_retry(run->limiter, outcome->cost))
		return false;
	loop_sleep_ms(delay_ms);
	run->result->wait_ns += now_ns(run) - start_ns;
	if (loop_is_interrupted())
		return false;
	run->result->retries++;
	run->services->counts->upstream_retries++;
	return true;
}

/* --- the call -------------------------------------------------------------------------------- */

static bool acquire(struct run *run, const struct native_call *call, struct error *err)
{
	int64_t waited_ns = 0;
	struct span span;
	bool ok;

	if (now_ns(run) >= run->deadline_ns)
		return error_set(err, ERROR_TIMEOUT, "the time for this operation is used up");
	if (loop_is_interrupted())
		return error_set(err, ERROR_TIMEOUT, "the operation was given up");
	if (call->is_elsewhere)
		return true;
	span_begin(&span, SPAN_INTERNAL, "wait for the rate limit");
	/* It may not be told: what is done meanwhile is a child of what is around it. */
	if (span_is_on(&span))
		loop_set_context(span.outer);
	ok = run->operation != NULL && run->operation->is_background
		     ? limiter_acquire_background(run->limiter, run->operation->share_percent,
						  run->deadline_ns, &waited_ns, err)
		     : limiter_acquire(run->limiter, run->deadline_ns, &waited_ns, err);
	run->result->wait_ns += waited_ns;
	if (waited_ns > 0) {
		run->services->counts->limiter_waits++;
		run->services->counts->limiter_wait_us += (uint64_t)waited_ns / 1000;
		span_end(&span);
	} else {
		span_drop(&span);
	}
	return ok;
}

/* The last entry is of the try under way. */
static struct operation_trace *begin_trace(struct run *run, const struct native_call *call)
{
	struct operation_result *result = run->result;
	struct error ignored;

	if (run->operation == NULL || !run->operation->is_traced ||
	    result->trace_count == OPERATION_TRACE_MAX)
		return NULL;
	if (result->trace == NULL)
		result->trace = arena_array(run->home, OPERATION_TRACE_MAX, sizeof *result->trace);
	struct operation_trace *trace = &result->trace[result->trace_count++];
	*trace = (struct operation_trace){
		.verb = call->method->verb, .body = json_undefined(), .is_page = call->is_page};
	if (native_url(run, call, &trace->url, &ignored))
		trace->url = arena_str(run->home, trace->url);
	return trace;
}

static void end_trace(struct run *run, struct operation_trace *trace, int64_t start_ns,
		      const struct http_response *response)
{
	struct error ignored;

	if (trace == NULL)
		return;
	trace->duration_ns = now_ns(run) - start_ns;
	trace->status = response->status;
	trace->bytes = response->body.len;
	/* A search gives each page an arena of its own; what is told lives as long as the result.
	 */
	if (!json_parse(run->home, arena_str(run->home, response->body), &json_limits_default,
			&trace->body, &ignored))
		trace->body = json_undefined();
}

static void release(struct run *run, const struct native_call *call)
{
	if (call->is_elsewhere)
		return;
	if (run->operation != NULL && run->operation->is_background)
		limiter_release_background(run->limiter);
	else
		limiter_release(run->limiter);
}

/* A file is under way until its last byte. */
static void note_try(struct run *run, const struct native_call *call, int64_t took_ns, bool is_over)
{
	if (is_over)
		release(run, call);
	run->result->upstream_ns += took_ns;
	run->result->calls++;
	run->services->counts->upstream_calls++;
	if (is_over && run->operation != NULL && run->operation->progress != NULL)
		run->operation->progress->told(run->operation->progress, run->result->calls,
					       run->note_count);
	/* What a caller took to send a body is not to be missing for the calls after it. */
	if (call->source != NULL && run->deadline_ns < INT64_MAX - took_ns)
		run->deadline_ns += took_ns;
}

static void count_try(const struct run *run, const struct http_response *response, int64_t took_ns)
{
	struct connector_counts *counts = run->counts;
	int status = response->outcome == HTTP_COMPLETE ? response->status : 0;

	if (counts == NULL)
		return;
	counts->calls++;
	counts->duration_us += (uint64_t)took_ns / 1000;
	counts->no_answers += status == 0;
	counts->rate_limited += status == 429;
	counts->client_errors += status >= 400 && status < 500 && status != 429;
	counts->server_errors += status >= 500;
}

/* Its first bytes are with the caller before the last ones came: it is tried no more. */
static struct outcome pass_file(struct run *run, const struct native_call *call,
				const struct http_response *response, struct http_call *file,
				struct native_reply *reply, struct error *err)
{
	struct outcome outcome = {.cost = RETRY_COST, .retry_after_ms = -1};

	run->result->remote_status = 0;
	reply->body = json_null();
	reply->status = response->status;
	run->result->status = response->status;
	outcome.is_done = file_pass(run, call->sink, response, file, err);
	release(run, call);
	return outcome;
}

/* The account remembers what its credential was refused. */
static struct outcome note_refusal(struct run *run, const struct native_call *call,
				   const struct http_response *response, bool is_stale,
				   struct error *err)
{
	struct outcome outcome = judge_answer(run, call, response, err);
	struct json missing = run->result->remote_insight.missing_rights;
	struct json_builder what;

	outcome.is_stale = is_stale;
	if (call->is_elsewhere)
		return outcome;
	if (!is_stale)
		keep_status(run, response->status, err);
	if (!json_is(missing, JSON_ARRAY) || json_is(run->credential, JSON_OBJECT))
		return outcome;
	json_builder_init(&what, run->arena);
	json_builder_set(&what, STR("resource"), json_string(call->method->resource));
	json_builder_set(&what, STR("method"), json_string(call->method->name));
	json_builder_set(&what, STR("missing_scopes"), missing);
	account_note_forbidden(run->services->accounts, run->account,
			       json_builder_object(&what));
	return outcome;
}

/* No host and no path: they may name the customer. The ATS is not told of the trace either. */
static void begin_span(struct span *span, const struct run *run, const struct native_call *call,
		       int tries)
{
	const char *verb = http_method_name(call->method->verb);

	span_begin(span, SPAN_CLIENT, verb);
	if (!span_is_on(span))
		return;
	span_name(span, "%s %.*s", verb, STR_ARGS(run->connector->name));
	span_text(span, "http.request.method", str_from_c(verb));
	span_text(span, "tenon.connector", run->connector->name);
	span_text(span, "tenon.resource", call->method->resource);
	span_text(span, "tenon.method", call->method->name);
	span_text(span, "tenon.account_id", run->account->id);
	if (tries > 0)
		span_number(span, "http.request.resend_count", tries);
}

static void end_span(struct span *span, const struct run *run,
		     const struct http_response *response, const struct error *err)
{
	int status = response->outcome == HTTP_COMPLETE ? response->status : 0;

	if (status > 0)
		span_number(span, "http.response.status_code", status);
	if (status >= 400)
		span_fail(span, arena_format(run->arena, "%d", status));
	else if (status == 0)
		span_fail(span, str_from_c(error_name(err->code)));
	span_end(span);
}

static struct outcome try_once(struct run *run, const struct native_call *call, int tries,
			       struct native_reply *reply, struct error *err)
{
	struct http_response response;
	struct operation_trace *trace = begin_trace(run, call);
	int64_t start_ns = now_ns(run);
	struct http_call *file;
	struct span span;

	begin_span(&span, run, call, tries);
	bool is_whole = native_try(run, call, try_deadline_ns(run, call, tries), &response, &file,
				   err);

	note_try(run, call, now_ns(run) - start_ns, file == NULL);
	count_try(run, &response, now_ns(run) - start_ns);
	end_span(&span, run, &response, err);
	end_trace(run, trace, start_ns, &response);
	if (!is_whole)
		return judge_failure(call->method, &response, err);
	bool is_good = response.status >= 200 && response.status < 300;
	bool is_stale = response.status == 401 && has_token(run, call) &&
			run->renewals < RENEWALS_MAX;
	if (!call->is_elsewhere) {
		rate_note(run, &response);
		if (is_good || file != NULL)
			keep_status(run, response.status, err);
	}
	if (file != NULL)
		return pass_file(run, call, &response, file, reply, err);
	if (call->answer == ANSWER_BYTES && response.status / 100 == 3)
		reply->location = http_response_header(&response, "location");
	if (!is_good)
		return note_refusal(run, call, &response, is_stale, err);
	reply->link_header = http_response_header(&response, "link");
	reply->status = response.status;
	reply->bytes = response.body;
	reply->content_type = http_response_header(&response, "content-type");
	return judge_body(run, call, &response, reply, err);
}

static void note_success(struct run *run, int64_t paid)
{
	limiter_refund(run->limiter, paid > 0 ? paid : 1);
	forget_refusal(run);
}

bool native_send(struct run *run, const struct native_call *call, struct native_reply *reply,
		 struct error *err)
{
	struct error last = {0};
	bool is_unknown = false;
	int64_t paid = 0;

	*reply = (struct native_reply){0};
	for (int tries = 0;; tries++) {
		if (!ready_token(run, call, err))
			break;
		if (!acquire(run, call, err)) {
			/* What the ATS said tells more than that there was no time to ask again. */
			if (last.code != ERROR_NONE)
				*err = last;
			break;
		}
		struct outcome outcome = try_once(run, call, tries, reply, err);
		is_unknown = is_unknown || outcome.is_unknown;
		if (outcome.is_done) {
			note_success(run, paid);
			return true;
		}
		if (outcome.is_stale) {
			if (renew_token(run, call, err))
				continue;
			run->services->counts->upstream_failures++;
			break;
		}
		last = *err;
		if (call->source != NULL && outcome.may_repeat)
			outcome.may_repeat = resend_rewind(call->source);
		if (!wait_for_retry(run, &outcome, tries, err)) {
			run->services->counts->upstream_failures++;
			break;
		}
		paid = outcome.cost;
	}
	reply->is_outcome_unknown = is_unknown;
	return false;
}

bool native_refuse_unknown(const struct run *run, bool may_end, struct error *err)
{
	struct error why = *err;

	error_set(err, ERROR_OUTCOME_UNKNOWN, "whether %.*s did this is not known: %s%s",
		  STR_ARGS(run->connector->label), why.message,
		  may_end ? "" : "; it is not sent again");
	err->remote_status = why.remote_status;
	if (may_end)
		err->retry_after_ms = why.retry_after_ms > 1000 ? why.retry_after_ms : 1000;
	return false;
}

void journal_end(const struct run *run, size_t number, struct json result)
{
	struct operation_journal *journal = run->operation->journal;
	struct error err;

	if (journal != NULL && !journal->end(journal, number, result, &err))
		LOG(LOG_WARNING, "call_not_noted", LOG_S(account_id, run->account->id),
		    LOG_C(error, error_name(err.code)));
}

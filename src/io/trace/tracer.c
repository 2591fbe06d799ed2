/* The queue, and the thread that sends. A thread of its own: that a collector is slow or away is
 * nothing to those who work. */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "io/trace/parts.h"
#include "lang/json/json.h"

enum {
	QUEUE_MAX = 4096,
	BATCH_MAX = 512,
	BATCH_BYTES_MAX = 4 * 1024 * 1024,
	REPLY_BYTES_MAX = 64 * 1024,
	PAUSE_MS = 1000,
	FINISH_MS = 5000,
	CALL_MS = 10000,
	TRIES_MAX = 6, /* of a batch: about a minute */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 30000,
};

/* --- the queue ------------------------------------------------------------------------------- */

/* With the lock held. */
static void wake_sender(struct tracer *tracer)
{
	if (tracer->waiting != NULL)
		loop_wake(tracer->waiting);
	tracer->waiting = NULL;
}

void tracer_tell(struct tracer *tracer, struct told *told)
{
	pthread_mutex_lock(&tracer->lock);
	bool is_full = tracer->length >= tracer->options.queue_max;
	if (!is_full) {
		told->next = NULL;
		*tracer->last = told;
		tracer->last = &told->next;
		tracer->length++;
		if (tracer->length == BATCH_MAX)
			wake_sender(tracer);
	}
	pthread_mutex_unlock(&tracer->lock);
	if (is_full) {
		tracer->dropped++;
		free(told);
	}
}

/* The first ones, as one list. */
static struct told *take_batch(struct tracer *tracer, size_t *count)
{
	struct told **end = &tracer->first;
	size_t bytes = 0;

	pthread_mutex_lock(&tracer->lock);
	struct told *batch = tracer->first;
	for (*count = 0; *end != NULL && *count < BATCH_MAX; (*count)++) {
		bytes += (*end)->len;
		if (bytes > BATCH_BYTES_MAX)
			break;
		end = &(*end)->next;
	}
	if (*count > 0) {
		struct told *rest = *end;
		*end = NULL;
		tracer->first = rest;
		if (rest == NULL)
			tracer->last = &tracer->first;
		tracer->length -= *count;
	}
	pthread_mutex_unlock(&tracer->lock);
	return *count == 0 ? NULL : batch;
}

/* --- sending --------------------------------------------------------------------------------- */

static bool is_stopping(struct tracer *tracer)
{
	pthread_mutex_lock(&tracer->lock);
	bool is = tracer->is_stopping;
	pthread_mutex_unlock(&tracer->lock);
	return is;
}

/* Until there is a batch, or the end has come, or so long. */
static void wait_ms(struct tracer *tracer, int64_t ms, bool for_batch)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	pthread_mutex_lock(&tracer->lock);
	bool is_now = tracer->is_stopping || (for_batch && tracer->length >= BATCH_MAX);
	if (!is_now)
		tracer->waiting = &wait;
	pthread_mutex_unlock(&tracer->lock);
	if (is_now)
		return;
	(void)loop_wait(&wait, loop_now_ns(tracer->loop) + ms * 1000000);
	pthread_mutex_lock(&tracer->lock);
	tracer->waiting = NULL;
	pthread_mutex_unlock(&tracer->lock);
}

static struct str make_body(struct tracer *tracer, struct arena *arena, const struct told *batch)
{
	struct buffer out;

	buffer_init(&out, arena, 2 * BATCH_BYTES_MAX);
	buffer_append(&out, tracer->resource);
	for (const struct told *told = batch; told != NULL; told = told->next) {
		buffer_append(&out, str_make(told->bytes, told->len));
		if (told->next != NULL)
			buffer_append_byte(&out, ',');
	}
	buffer_append_c(&out, "]}]}]}");
	return buffer_str(&out);
}

/* {"partialSuccess": {"rejectedSpans": "3", …}}: taken but for so many. */
static void note_success(struct tracer *tracer, struct arena *arena, struct str body, size_t count)
{
	struct json reply, rejected;
	struct error ignored;
	int64_t number = 0;

	if (json_parse(arena, body, &json_limits_default, &reply, &ignored)) {
		rejected = json_get_c(json_get_c(reply, "partialSuccess"), "rejectedSpans");
		if (json_is(rejected, JSON_STRING) && !str_to_int64(json_str(rejected), &number))
			number = 0;
		else if (!json_is(rejected, JSON_STRING) && !json_to_int64(rejected, &number))
			number = 0;
	}
	if (number < 0 || (size_t)number > count)
		number = 0;
	tracer->refused += (uint64_t)number;
	tracer->exported += count - (uint64_t)number;
	if (tracer->is_failing)
		LOG(LOG_INFO, "traces_sent_again", LOG_N(count, (int64_t)count));
	tracer->is_failing = false;
}

static void note_failure(struct tracer *tracer, int status, const struct error *err)
{
	if (!tracer->is_failing)
		LOG(LOG_WARNING, "traces_not_sent", LOG_N(remote_status, status),
		    LOG_C(message, status == 0 ? err->message : "the collector refused them"));
	tracer->is_failing = true;
}

static bool is_worth_a_try(const struct http_response *response)
{
	int status = response->status;

	return response->outcome != HTTP_COMPLETE || status == 429 || status == 502 ||
	       status == 503 || status == 504;
}

static int64_t pause_ms(struct tracer *tracer, const struct http_response *response, int tries)
{
	int64_t most = BACKOFF_MS << tries;
	int64_t asked = response->outcome != HTTP_COMPLETE
				? -1
				: http_parse_retry_after_ms(
					  http_response_header(response, "retry-after"),
					  clock_unix_ms(tracer->options.clock));

	if (asked >= 0)
		return asked > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : asked + 1;
	if (most > BACKOFF_MAX_MS)
		most = BACKOFF_MAX_MS;
	return most / 2 + (int64_t)random_below(tracer->options.random, (uint64_t)most / 2 + 1);
}

static int64_t deadline_ns(struct tracer *tracer)
{
	int64_t deadline = clock_monotonic_ns(tracer->options.clock) + CALL_MS * 1000000LL;

	pthread_mutex_lock(&tracer->lock);
	if (tracer->is_stopping && tracer->stop_ns < deadline)
		deadline = tracer->stop_ns;
	pthread_mutex_unlock(&tracer->lock);
	return deadline;
}

/* One try; true when there shall be no other. */
static bool try(struct tracer *tracer, struct str body, size_t count, int tries)
{
	const struct http_request request = {
		.method = HTTP_POST,
		.url = tracer->url,
		.headers = tracer->headers,
		.header_count = tracer->header_count,
		.body = body,
		.has_body = true,
		.deadline_ns = deadline_ns(tracer),
		.response_bytes_max = REPLY_BYTES_MAX,
	};
	struct http_response response;
	struct arena arena;
	struct error err = {0};

	arena_init(&arena, 1024 * 1024);
	bool ok = http_client_send(tracer->client, &arena, &request, &response, &err) &&
		  response.status / 100 == 2;
	bool is_over = ok || !is_worth_a_try(&response) || tries + 1 >= TRIES_MAX ||
		       is_stopping(tracer);
	if (ok)
		note_success(tracer, &arena, response.body, count);
	else
		note_failure(tracer, response.outcome == HTTP_COMPLETE ? response.status : 0, &err);
	if (!ok && is_over)
		tracer->refused += count;
	int64_t ms = is_over ? 0 : pause_ms(tracer, &response, tries);
	arena_finish(&arena);
	if (!is_over)
		wait_ms(tracer, ms, false);
	return is_over;
}

static void send_batch(struct tracer *tracer, struct told *batch, size_t count)
{
	struct arena arena;

	arena_init(&arena, 4 * BATCH_BYTES_MAX);
	struct str body = make_body(tracer, &arena, batch);
	for (int tries = 0; !try(tracer, body, count, tries); tries++)
		;
	arena_finish(&arena);
	for (struct told *next; batch != NULL; batch = next) {
		next = batch->next;
		free(batch);
	}
}

void tracer_send_all(void *context)
{
	struct tracer *tracer = context;
	bool is_last;

	do {
		struct told *batch;
		size_t count;

		wait_ms(tracer, tracer->options.pause_ms, true);
		is_last = is_stopping(tracer);
		while ((batch = take_batch(tracer, &count)) != NULL)
			send_batch(tracer, batch, count);
	} while (!is_last);
	loop_stop(tracer->loop);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *run(void *context)
{
	struct tracer *tracer = context;

	loop_run(tracer->loop);
	return NULL;
}

static bool start(struct tracer *tracer, struct error *err)
{
	const struct http_client_options client = {
		.user_agent = arena_format(&tracer->arena, "tenon/%s", tracer->options.version).data,
		.connections_max = 1,
		.reach = &tracer->reach,
	};
	sigset_t all, before;

	tracer->loop = loop_create(tracer->options.clock, tracer->options.random, err);
	if (tracer->loop == NULL)
		return false;
	tracer->client = http_client_create(tracer->loop, &client, err);
	if (tracer->client == NULL)
		return false;
	sigfillset(&all); /* signals are the main thread's matter */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&tracer->thread, NULL, run, tracer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		return error_set(err, ERROR_UNAVAILABLE, "no thread for traces is to be had");
	loop_post(tracer->loop, tracer_send_all, tracer);
	return true;
}

static void free_tracer(struct tracer *tracer)
{
	http_client_destroy(tracer->client);
	loop_destroy(tracer->loop);
	pthread_mutex_destroy(&tracer->lock);
	arena_finish(&tracer->arena);
	free(tracer);
}

static void fill_in(struct tracer_options *options)
{
	if (options->queue_max == 0)
		options->queue_max = QUEUE_MAX;
	if (options->pause_ms == 0)
		options->pause_ms = PAUSE_MS;
	if (options->finish_ms == 0)
		options->finish_ms = FINISH_MS;
}

struct tracer *tracer_create(const struct tracer_options *options, struct error *err)
{
	struct tracer *tracer = calloc(1, sizeof *tracer);

	if (tracer == NULL)
		die("out of memory");
	arena_init(&tracer->arena, 1024 * 1024);
	tracer->options = *options;
	fill_in(&tracer->options);
	pthread_mutex_init(&tracer->lock, NULL);
	tracer->last = &tracer->first;
	if (tracer_configure(tracer, err) && start(tracer, err))
		return tracer;
	free_tracer(tracer);
	return NULL;
}

void tracer_destroy(struct tracer *tracer)
{
	if (tracer == NULL)
		return;
	pthread_mutex_lock(&tracer->lock);
	tracer->is_stopping = true;
	tracer->stop_ns = clock_monotonic_ns(tracer->options.clock) +
			  tracer->options.finish_ms * 1000000;
	wake_sender(tracer);
	pthread_mutex_unlock(&tracer->lock);
	pthread_join(tracer->thread, NULL);
	free_tracer(tracer);
}

void tracer_count(struct tracer *tracer, struct tracer_counts *counts)
{
	*counts = (struct tracer_counts){0};
	if (tracer == NULL)
		return;
	counts->exported = tracer->exported;
	counts->dropped = tracer->dropped;
	counts->refused = tracer->refused;
	pthread_mutex_lock(&tracer->lock);
	counts->queue_length = tracer->length;
	pthread_mutex_unlock(&tracer->lock);
}

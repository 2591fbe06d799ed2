/* Calls whose bodies are streams. libcurl calls back on the loop's stack; the fiber of the call
 * fills and empties small windows in between. libcurl pauses what finds no room, or nothing to
 * send, and goes on when the fiber says so. */
#include <assert.h>

#include "io/http/client.h"

enum {
	/* Two pieces as large as libcurl hands out at once. */
	WINDOW_BYTES = 2 * CURL_MAX_WRITE_SIZE,
	READ_BYTES_MAX = 32 * 1024,
	/* Two of the largest chunks that fit into what libcurl sends at once. */
	SOURCE_BYTES = 2 * (16 * 1024 - 12),
	IDLE_TIMEOUT_MS = 30000,
};

struct call {
	struct http_call base;
	struct client *client;
	struct transfer *transfer;
	struct multi *multi; /* NULL: not begun */
	const struct http_request *request;
	struct loop_wait *waiter; /* the fiber, until something of this changes */
	bool has_ended;
	/* The response's body. */
	char *window;
	size_t from, to;
	uint64_t taken;
	bool is_full; /* libcurl holds more */
	bool is_over; /* more came than response_bytes_max */
	/* The request's. */
	char *bytes;
	struct str piece; /* of them: not yet taken by libcurl */
	uint64_t given;
	bool is_whole;	 /* the source is at its end */
	bool is_starved; /* libcurl waits for more */
	bool is_dry;	 /* the source failed when the response was there already */
};

/* --- what libcurl tells -------------------------------------------------------------------- */

static void wake(struct call *call)
{
	if (call->waiter != NULL)
		loop_wake(call->waiter);
	call->waiter = NULL;
}

void call_end(struct call *call)
{
	call->has_ended = true;
	wake(call);
}

void call_note_head(struct call *call)
{
	wake(call);
}

size_t call_take(struct call *call, struct str bytes)
{
	size_t bytes_max = call->request->response_bytes_max;

	if (call->window == NULL)
		call->window = arena_alloc(call->transfer->arena, WINDOW_BYTES);
	if (bytes.len > WINDOW_BYTES - call->to) {
		call->is_full = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	call->taken += bytes.len;
	if (bytes_max > 0 && call->taken > bytes_max) {
		call->is_over = true;
		return 0;
	}
	memcpy(call->window + call->to, bytes.data, bytes.len);
	call->to += bytes.len;
	if (call->to - call->from > call->client->window_peak)
		call->client->window_peak = call->to - call->from;
	wake(call);
	return bytes.len;
}

size_t call_give(struct call *call, char *bytes, size_t room)
{
	size_t len = call->piece.len < room ? call->piece.len : room;

	if (len == 0 && call->is_whole)
		return 0;
	if (len == 0) {
		call->is_starved = true;
		return CURL_READFUNC_PAUSE;
	}
	memcpy(bytes, call->piece.data, len);
	call->piece = str_slice(call->piece, len, call->piece.len);
	if (call->piece.len == 0)
		wake(call);
	return len;
}

/* --- the fiber ----------------------------------------------------------------------------- */

static int64_t now_ns(const struct call *call)
{
	return clock_monotonic_ns(loop_clock(call->client->loop));
}

/* Libcurl goes on with what has room, or bytes, now. It may call back from within. */
static void unpause(struct call *call)
{
	int still = (call->is_full ? CURLPAUSE_RECV : 0) | (call->is_starved ? CURLPAUSE_SEND : 0);
	CURLcode code = curl_easy_pause(call->transfer->easy, still);

	if (code == CURLE_OK || call->has_ended)
		return;
	call->transfer->result = code;
	call->has_ended = true;
}

/* Until libcurl has something to tell. False when the time ran out, or the fiber was interrupted:
 * then the transfer ends. */
static bool await(struct call *call, int64_t deadline_ns)
{
	struct loop_wait wait;

	loop_wait_init(&wait);
	call->waiter = &wait;
	if (deadline_ns == INT64_MAX)
		deadline_ns = LOOP_UNTIL_INTERRUPTED;
	if (loop_wait(&wait, deadline_ns))
		return true;
	call->waiter = NULL;
	if (!call->has_ended) {
		call->transfer->result = CURLE_OPERATION_TIMEDOUT;
		call->has_ended = true;
	}
	return false;
}

static int64_t idle_deadline_ns(const struct call *call)
{
	int64_t ms = call->request->idle_timeout_ms;

	return now_ns(call) + (ms > 0 ? ms : (int64_t)IDLE_TIMEOUT_MS) * 1000000;
}

static bool is_hungry(const struct call *call)
{
	return call->request->source != NULL && call->piece.len == 0 && !call->is_whole &&
	       !call->is_dry;
}

/* The last piece of a known length goes out only when it is certain that nothing follows. */
static bool check_end(struct call *call, struct error *err)
{
	const struct http_source *source = call->request->source;
	char more;

	ssize_t got = source->read(source->context, &more, 1, err);
	if (got < 0)
		return false;
	if (got > 0)
		return error_set_field(err, ERROR_INVALID, "body", NULL,
				       "the body is longer than was said");
	call->is_whole = true;
	return true;
}

static bool feed(struct call *call, struct error *err)
{
	const struct http_source *source = call->request->source;
	size_t max = SOURCE_BYTES;
	bool is_known = source->length != HTTP_LENGTH_UNKNOWN;

	if (call->bytes == NULL)
		call->bytes = arena_alloc(call->transfer->arena, SOURCE_BYTES);
	if (is_known && (uint64_t)source->length - call->given < max)
		max = (size_t)((uint64_t)source->length - call->given);
	ssize_t got = max == 0 ? 0 : source->read(source->context, call->bytes, max, err);
	if (got < 0)
		return false;
	call->given += (uint64_t)got;
	if (got == 0 && max > 0 && is_known)
		return error_set_field(err, ERROR_INVALID, "body", NULL,
				       "the body is shorter than was said");
	if (is_known && call->given == (uint64_t)source->length && !check_end(call, err))
		return false;
	if (got == 0)
		call->is_whole = true;
	call->piece = str_make(call->bytes, (size_t)got);
	if (call->is_starved && !call->has_ended) {
		call->is_starved = false;
		unpause(call);
	}
	return true;
}

/* Feeds the request until the head of the response is there, or the end. False with *err when the
 * source failed. */
static bool converse(struct call *call, int64_t started_ns, struct error *err)
{
	int64_t allowance_ns = call->request->deadline_ns == INT64_MAX
				       ? INT64_MAX
				       : call->request->deadline_ns - started_ns;
	int64_t deadline_ns = call->request->deadline_ns;

	while (!call->has_ended && !call->transfer->has_head) {
		bool was_hungry = is_hungry(call);

		if (was_hungry && !feed(call, err))
			return false;
		if (was_hungry && call->is_whole && allowance_ns != INT64_MAX)
			deadline_ns = now_ns(call) + allowance_ns;
		if (call->multi == NULL)
			call->multi = multi_begin(&call->client->multis, call->transfer->easy);
		bool is_feeding = call->request->source != NULL && !call->is_whole;
		if (!call->has_ended && !call->transfer->has_head && !is_hungry(call))
			await(call, is_feeding ? idle_deadline_ns(call) : deadline_ns);
	}
	return true;
}

static struct call *create(struct client *client, struct arena *arena,
			   const struct http_request *request, struct transfer *transfer)
{
	struct call *call = arena_zero(arena, sizeof *call);

	call->base.client = &client->base;
	call->client = client;
	call->transfer = transfer;
	call->request = request;
	transfer->call = call;
	return call;
}

static bool begin(struct call *call, struct arena *arena, int64_t started_ns,
		  struct http_response *response, struct error *err)
{
	struct transfer *transfer = call->transfer;
	long buffer_bytes = client_buffer_bytes(call->client);

	response->outcome = HTTP_REFUSED;
	if (buffer_bytes > READ_BYTES_MAX)
		buffer_bytes = READ_BYTES_MAX;
	if (!transfer_begin(transfer, arena, call->request, started_ns, buffer_bytes, err) ||
	    !converse(call, started_ns, err))
		return false;
	if (!transfer->has_head && call->has_ended && transfer->result == CURLE_OK)
		transfer->is_in_head = true; /* cut off between two lines */
	if (!transfer->has_head && !transfer_judge(transfer, now_ns(call), &response->outcome, err))
		return false;
	return transfer_read_head(transfer, response, err);
}

struct http_call *call_open(struct http_client *base, struct arena *arena,
			    const struct http_request *request, struct http_response *response,
			    struct error *err)
{
	struct client *client = (struct client *)base;
	const struct clock *clock = loop_clock(client->loop);
	int64_t started_ns = clock_monotonic_ns(clock);
	struct call *call = NULL;

	assert(loop_current() == client->loop);
	*response = (struct http_response){.outcome = HTTP_NOT_SENT};
	struct transfer *transfer = client_take(client, request->deadline_ns, err);
	if (transfer != NULL) {
		call = create(client, arena, request, transfer);
		if (!begin(call, arena, started_ns, response, err)) {
			call_close(&call->base);
			call = NULL;
		}
	}
	response->duration_ns = clock_monotonic_ns(clock) - started_ns;
	return call == NULL ? NULL : &call->base;
}

/* A peer may answer before it has heard all. Libcurl would still go on sending. */
static bool is_answered(const struct call *call)
{
	curl_off_t length = HTTP_LENGTH_UNKNOWN;

	if (call->request->source == NULL || call->is_whole)
		return false;
	curl_easy_getinfo(call->transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length >= 0 && call->taken >= (uint64_t)length;
}

static ssize_t conclude(struct call *call, struct error *err)
{
	enum http_outcome outcome;

	if (call->is_over) {
		error_set(err, ERROR_LIMIT, "%.*s answered with more than %zu bytes",
			  STR_ARGS(transfer_host(call->request->url)),
			  call->request->response_bytes_max);
		return -1;
	}
	return transfer_judge(call->transfer, now_ns(call), &outcome, err) ? 0 : -1;
}

ssize_t call_read(struct http_call *base, void *bytes, size_t max, struct error *err)
{
	struct call *call = (struct call *)base;

	while (call->from == call->to) {
		call->from = call->to = 0;
		if (call->has_ended)
			return conclude(call, err);
		if (is_answered(call))
			return 0;
		if (call->is_full) {
			call->is_full = false;
			unpause(call);
		} else if (is_hungry(call)) {
			call->is_dry = !feed(call, err);
		} else {
			await(call, idle_deadline_ns(call));
		}
	}
	size_t len = call->to - call->from < max ? call->to - call->from : max;
	memcpy(bytes, call->window + call->from, len);
	call->from += len;
	return (ssize_t)len;
}

void call_close(struct http_call *base)
{
	struct call *call = (struct call *)base;

	call->waiter = NULL;
	if (call->multi != NULL)
		multi_end(call->multi, call->transfer->easy);
	client_give_back(call->client, call->transfer);
}

/* --- streamed there, whole back ------------------------------------------------------------ */

static bool read_all(struct call *call, struct arena *arena, struct http_response *response,
		     struct error *err)
{
	struct buffer body;
	ssize_t got;

	buffer_init(&body, arena, call->request->response_bytes_max + WINDOW_BYTES);
	do {
		char *room = buffer_room(&body, WINDOW_BYTES);

		if (room == NULL)
			return buffer_check(&body, "the response", err);
		got = call_read(&call->base, room, WINDOW_BYTES, err);
		body.len += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	response->body = buffer_str(&body);
	return got == 0;
}

bool call_send(struct http_client *base, struct arena *arena, const struct http_request *request,
	       struct http_response *response, struct error *err)
{
	const struct clock *clock = loop_clock(((struct client *)base)->loop);
	int64_t started_ns = clock_monotonic_ns(clock);
	struct http_call *call = call_open(base, arena, request, response, err);

	if (call == NULL)
		return false;
	bool ok = read_all((struct call *)call, arena, response, err);
	if (!ok)
		response->outcome = err->code == ERROR_LIMIT	 ? HTTP_TOO_LARGE
				    : err->code == ERROR_TIMEOUT ? HTTP_TIMED_OUT
								 : HTTP_BROKEN;
	call_close(call);
	response->duration_ns = clock_monotonic_ns(clock) - started_ns;
	return ok;
}

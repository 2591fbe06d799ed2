/* The client: a call is a fiber that waits until its transfer is done. */
#include <assert.h>
#include <pthread.h>

#include "io/http/client.h"
#include "io/http/message.h"

enum {
	CONNECTIONS_KEPT = 256,
	IDLE_TRANSFERS_MAX = 128,
	LATE_ANSWER_MS = 1000,
};

/* One call in the queue; lives on its fiber's stack. */
struct turn {
	struct loop_wait wait;
	struct turn *next;
};

/* --- calls --------------------------------------------------------------------------------- */

static struct transfer *create_transfer(struct client *client)
{
	struct transfer *transfer = transfer_create(&client->options);

	transfer->multis = &client->multis;
	multi_set_adopt(&client->multis, transfer->easy);
	return transfer;
}

static struct transfer *take_transfer(struct client *client)
{
	struct transfer *transfer = client->idle;

	if (transfer == NULL)
		return create_transfer(client);
	client->idle = transfer->next_idle;
	client->idle_count--;
	return transfer;
}

/* What a read may bring. Large pages want large reads; thousands of calls at once want little
 * memory each. */
long client_buffer_bytes(const struct client *client)
{
	if (client->active < 128)
		return 64 * 1024;
	return client->active < 1024 ? 16 * 1024 : 2 * 1024;
}

static void wake_caller(CURL *easy, CURLcode result)
{
	struct transfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	transfer->result = result;
	if (transfer->call != NULL)
		call_end(transfer->call);
	else
		loop_wake(&transfer->wait);
}

/* Where the whole process stood still past the deadline, an answer may be there that nobody has
 * looked at, and what was sent once is good for no other: it is looked for after the deadline. */
static void await_only_answer(struct client *client, struct transfer *transfer)
{
	int64_t deadline_ns = transfer->request->deadline_ns;

	if (deadline_ns == INT64_MAX)
		deadline_ns = LOOP_UNTIL_INTERRUPTED;
	if (loop_wait(&transfer->wait, deadline_ns))
		return;
	loop_wait_init(&transfer->wait);
	int64_t now_ns = clock_monotonic_ns(loop_clock(client->loop));
	(void)loop_wait(&transfer->wait, now_ns + (int64_t)LATE_ANSWER_MS * 1000000);
}

static void run(struct client *client, struct transfer *transfer)
{
	loop_wait_init(&transfer->wait);
	struct multi *multi = multi_begin(&client->multis, transfer->easy);
	/* The deadline is libcurl's matter, so that the transfer never outlives this wait. One that
	 * an interruption ends takes its connection along. */
	transfer->result = CURLE_OPERATION_TIMEDOUT;
	if (transfer->request->is_sent_once)
		await_only_answer(client, transfer);
	else
		(void)loop_wait(&transfer->wait, LOOP_UNTIL_INTERRUPTED);
	multi_end(multi, transfer->easy);
}

/* False when it stands there no more. */
static bool leave_queue(struct client *client, struct turn *turn)
{
	struct turn **at = &client->first_turn;

	while (*at != NULL && *at != turn)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = turn->next;
	if (client->last_turn == &turn->next)
		client->last_turn = at;
	return true;
}

/* Every call takes a descriptor, of which a process has so many: past calls_max a call waits for
 * its turn, first come first served. Whoever ends hands its place on, so `active` stays. */
static bool take_place(struct client *client, int64_t deadline_ns, struct error *err)
{
	struct turn turn = {.next = NULL};

	if (client->options.calls_max == 0 || client->active < client->options.calls_max) {
		client->active++;
		return true;
	}
	loop_wait_init(&turn.wait);
	*client->last_turn = &turn;
	client->last_turn = &turn.next;
	/* A place that was handed over in the moment when the wait ended is there all the same. */
	if (loop_wait(&turn.wait, deadline_ns) || !leave_queue(client, &turn))
		return true;
	return error_set(err, ERROR_TIMEOUT, "no connection to the ATS became free in time");
}

static void hand_place_on(struct client *client)
{
	struct turn *turn = client->first_turn;

	if (turn == NULL) {
		client->active--;
		return;
	}
	(void)leave_queue(client, turn);
	loop_wake(&turn->wait);
}

static void keep(struct client *client, struct transfer *transfer)
{
	transfer_end(transfer);
	if (client->idle_count >= IDLE_TRANSFERS_MAX) {
		transfer_destroy(transfer);
		return;
	}
	transfer->next_idle = client->idle;
	client->idle = transfer;
	client->idle_count++;
}

struct transfer *client_take(struct client *client, int64_t deadline_ns, struct error *err)
{
	return take_place(client, deadline_ns, err) ? take_transfer(client) : NULL;
}

void client_give_back(struct client *client, struct transfer *transfer)
{
	keep(client, transfer);
	hand_place_on(client);
}

static bool send_request(struct http_client *base, struct arena *arena,
			 const struct http_request *request, struct http_response *response,
			 struct error *err)
{
	struct client *client = (struct client *)base;
	const struct clock *clock = loop_clock(client->loop);
	int64_t started_ns = clock_monotonic_ns(clock);
	bool ok = false;

	assert(loop_current() == client->loop);
	if (request->source != NULL)
		return call_send(base, arena, request, response, err);
	*response = (struct http_response){.outcome = HTTP_NOT_SENT};
	struct transfer *transfer = client_take(client, request->deadline_ns, err);
	if (transfer == NULL) {
		response->duration_ns = clock_monotonic_ns(clock) - started_ns;
		return false;
	}
	response->outcome = HTTP_REFUSED;
	if (transfer_begin(transfer, arena, request, started_ns, client_buffer_bytes(client),
			   err)) {
		run(client, transfer);
		ok = transfer_conclude(transfer, clock_monotonic_ns(clock), response, err);
	}
	client_give_back(client, transfer);
	response->duration_ns = clock_monotonic_ns(clock) - started_ns;
	return ok;
}

/* --- life ---------------------------------------------------------------------------------- */

static void init_libcurl(void)
{
	http_ignore_broken_pipes();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		die("libcurl does not start");
}

struct http_client *http_client_create(struct loop *loop, const struct http_client_options *options,
				       struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct client *client = calloc(1, sizeof *client);
	size_t kept = options->connections_max > 0 ? options->connections_max : CONNECTIONS_KEPT;

	if (client == NULL)
		die("out of memory for a client");
	pthread_once(&once, init_libcurl);
	client->base = (struct http_client){send_request, call_open, call_read, call_close};
	client->loop = loop;
	client->options = *options;
	client->last_turn = &client->first_turn;
	if (!multi_set_init(&client->multis, loop, kept, wake_caller)) {
		free(client);
		error_set(err, ERROR_UNAVAILABLE, "libcurl does not start");
		return NULL;
	}
	return &client->base;
}

void http_client_destroy(struct http_client *base)
{
	struct client *client = (struct client *)base;

	if (client == NULL)
		return;
	assert(client->active == 0);
	while (client->idle != NULL) {
		struct transfer *transfer = client->idle;

		client->idle = transfer->next_idle;
		transfer_destroy(transfer);
	}
	multi_set_finish(&client->multis);
	free(client);
}

size_t http_client_window_peak(const struct http_client *base)
{
	return ((const struct client *)base)->window_peak;
}

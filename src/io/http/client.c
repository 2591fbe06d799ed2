/* The client: a call is a fiber that waits until its transfer is done. */
#include <assert.h>
#include <pthread.h>

#include "io/http/message.h"
#include "io/http/multi.h"
#include "io/http/transfer.h"

enum {
	CONNECTIONS_KEPT = 256,
	IDLE_TRANSFERS_MAX = 128,
};

struct client {
	struct http_client base;
	struct loop *loop;
	struct http_client_options options;
	struct multi_set multis;
	struct transfer *idle;
	size_t idle_count;
	size_t active;
};

/* --- calls --------------------------------------------------------------------------------- */

static struct transfer *create_transfer(struct client *client)
{
	struct transfer *transfer = transfer_create(&client->options);

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

static void give_back(struct client *client, struct transfer *transfer)
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

/* What a read may bring. Large pages want large reads; thousands of calls at once want little
 * memory each. */
static long choose_buffer_bytes(const struct client *client)
{
	if (client->active < 128)
		return 64 * 1024;
	return client->active < 1024 ? 16 * 1024 : 4 * 1024;
}

static void wake_caller(CURL *easy, CURLcode result)
{
	struct transfer *transfer = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
	transfer->result = result;
	loop_wake(&transfer->wait);
}

static void run(struct client *client, struct transfer *transfer)
{
	loop_wait_init(&transfer->wait);
	struct multi *multi = multi_begin(&client->multis, transfer->easy);
	/* The deadline is libcurl's matter, so that the transfer never outlives this wait. */
	loop_wait(&transfer->wait, INT64_MAX);
	multi_end(multi, transfer->easy);
}

static bool send_request(struct http_client *base, struct arena *arena,
			 const struct http_request *request, struct http_response *response,
			 struct error *err)
{
	struct client *client = (struct client *)base;
	const struct clock *clock = loop_clock(client->loop);
	int64_t started_ns = clock_monotonic_ns(clock);
	struct transfer *transfer = take_transfer(client);
	bool ok = false;

	assert(loop_current() == client->loop);
	*response = (struct http_response){.outcome = HTTP_REFUSED};
	client->active++;
	if (transfer_begin(transfer, arena, request, started_ns, choose_buffer_bytes(client),
			   err)) {
		run(client, transfer);
		ok = transfer_conclude(transfer, clock_monotonic_ns(clock), response, err);
	}
	client->active--;
	give_back(client, transfer);
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
	client->base.send = send_request;
	client->loop = loop;
	client->options = *options;
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

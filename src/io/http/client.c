/* The client: libcurl's multi interface on the loop. Its callbacks say which sockets to watch and
 * when to come back; a call is a fiber that waits until its transfer is done. */
#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "io/http/message.h"
#include "io/http/transfer.h"

enum {
	CONNECTIONS_KEPT = 256,
	IDLE_TRANSFERS_MAX = 128,
	/* Large pages want large reads; thousands of calls at once want little memory each. */
	BUFFER_LARGE = 64 * 1024,
	BUFFER_SMALL = 16 * 1024,
	CROWD = 512,
};

struct socket_watch {
	struct loop_watch watch;
	uint32_t events;
	struct socket_watch *next_idle;
};

struct client {
	struct http_client base;
	struct loop *loop;
	CURLM *multi;
	struct http_client_options options;
	struct loop_timer timer;
	struct loop_hook hook;
	bool has_new; /* transfers were added in this turn */
	struct transfer *idle;
	size_t idle_count;
	struct socket_watch *idle_watches;
	size_t active;
};

/* --- libcurl on the loop ------------------------------------------------------------------- */

/* The only place where transfers end. */
static void collect(struct client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer->result = message->data.result;
		loop_wake(&transfer->wait);
	}
}

static void act(struct client *client, curl_socket_t socket, int what)
{
	int under_way;
	CURLMcode code = curl_multi_socket_action(client->multi, socket, what, &under_way);

	if (code != CURLM_OK)
		die("libcurl: %s", curl_multi_strerror(code));
	collect(client);
}

static void socket_ready(struct loop_watch *watch, uint32_t events)
{
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(watch->context, watch->fd, what);
}

static struct socket_watch *take_watch(struct client *client)
{
	struct socket_watch *item = client->idle_watches;

	if (item != NULL)
		client->idle_watches = item->next_idle;
	else if ((item = malloc(sizeof *item)) == NULL)
		die("out of memory for a socket");
	return item;
}

static void watch_socket(struct client *client, curl_socket_t socket, uint32_t events)
{
	struct socket_watch *item = take_watch(client);
	struct error err;

	*item = (struct socket_watch){.watch = {socket, socket_ready, client}, .events = events};
	if (!loop_watch_add(client->loop, &item->watch, events, &err))
		die("%s", err.message);
	curl_multi_assign(client->multi, socket, item);
}

static void forget_socket(struct client *client, struct socket_watch *item)
{
	loop_watch_remove(client->loop, &item->watch);
	item->next_idle = client->idle_watches;
	client->idle_watches = item;
}

static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
	struct client *client = context;
	struct socket_watch *item = known;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (item != NULL)
			forget_socket(client, item);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (item == NULL) {
		watch_socket(client, socket, events);
	} else if (item->events != events) {
		item->events = events;
		loop_watch_change(client->loop, &item->watch, events);
	}
	return 0;
}

static void time_is_up(struct loop_timer *timer)
{
	act(timer->context, CURL_SOCKET_TIMEOUT, 0);
}

static int time_wanted(CURLM *multi, long timeout_ms, void *context)
{
	struct client *client = context;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_clear(client->loop, &client->timer);
	else
		loop_timer_set(client->loop, &client->timer,
			       clock_monotonic_ns(loop_clock(client->loop)) + timeout_ms * 1000000);
	return 0;
}

/* New transfers start at the end of the turn, all at once and on the thread's own large stack:
 * a fiber that sends needs little stack of its own. */
static int start_new(struct loop_hook *hook)
{
	struct client *client = hook->context;

	if (client->has_new) {
		client->has_new = false;
		act(client, CURL_SOCKET_TIMEOUT, 0);
	}
	return -1;
}

/* --- calls --------------------------------------------------------------------------------- */

static struct transfer *take_transfer(struct client *client)
{
	struct transfer *transfer = client->idle;

	if (transfer == NULL)
		return transfer_create(&client->options);
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

static void run(struct client *client, struct transfer *transfer)
{
	loop_wait_init(&transfer->wait);
	CURLMcode code = curl_multi_add_handle(client->multi, transfer->easy);
	if (code != CURLM_OK)
		die("libcurl: %s", curl_multi_strerror(code));
	client->has_new = true;
	/* The deadline is libcurl's matter, so that the transfer never outlives this wait. */
	loop_wait(&transfer->wait, INT64_MAX);
	curl_multi_remove_handle(client->multi, transfer->easy);
}

static bool send_request(struct http_client *base, struct arena *arena,
			 const struct http_request *request, struct http_response *response,
			 struct error *err)
{
	struct client *client = (struct client *)base;
	const struct clock *clock = loop_clock(client->loop);
	int64_t started_ns = clock_monotonic_ns(clock);
	struct transfer *transfer = take_transfer(client);
	long buffer_bytes = client->active >= CROWD ? BUFFER_SMALL : BUFFER_LARGE;
	bool ok = false;

	assert(loop_current() == client->loop);
	*response = (struct http_response){.outcome = HTTP_REFUSED};
	client->active++;
	if (transfer_begin(transfer, arena, request, started_ns, buffer_bytes, err)) {
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

static void set_options(struct client *client)
{
	size_t kept = client->options.connections_max;

	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, time_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
			  kept > 0 ? (long)kept : (long)CONNECTIONS_KEPT);
}

struct http_client *http_client_create(struct loop *loop,
				       const struct http_client_options *options,
				       struct error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL)
		die("out of memory for a client");
	pthread_once(&once, init_libcurl);
	client->base.send = send_request;
	client->loop = loop;
	client->options = *options;
	client->timer = (struct loop_timer){.callback = time_is_up, .context = client};
	client->hook = (struct loop_hook){.before_sleep = start_new, .context = client};
	client->multi = curl_multi_init();
	if (client->multi == NULL) {
		free(client);
		error_set(err, ERROR_UNAVAILABLE, "libcurl does not start");
		return NULL;
	}
	set_options(client);
	loop_hook_add(loop, &client->hook);
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
	/* Closes the kept connections, which may call socket_wanted for the last time. */
	curl_multi_cleanup(client->multi);
	loop_timer_clear(client->loop, &client->timer);
	loop_hook_remove(client->loop, &client->hook);
	while (client->idle_watches != NULL) {
		struct socket_watch *item = client->idle_watches;

		client->idle_watches = item->next_idle;
		free(item);
	}
	free(client);
}

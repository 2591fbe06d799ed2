/* The client: libcurl's multi interface on the loop. Its callbacks say which sockets to watch and
 * when to come back; a call is a fiber that waits until its transfer is done. */
#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http/message.h"
#include "io/http/transfer.h"

enum {
	CONNECTIONS_KEPT = 256,
	IDLE_TRANSFERS_MAX = 128,
};

/* libcurl lets go of a socket after each call and wants it back for the next one. Meanwhile it
 * stays in the loop's set, parked, which saves two system calls a request. Only sockets which we
 * have opened for it are parked: those we also close, and so know when they are gone. */
struct socket_watch {
	struct loop_watch watch;
	bool is_ours;
	bool is_watched;
	bool is_parked;
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
	struct socket_watch **watches; /* by descriptor */
	size_t watch_count;
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

static struct socket_watch *take_watch(struct client *client)
{
	struct socket_watch *item = client->idle_watches;

	if (item != NULL)
		client->idle_watches = item->next_idle;
	else if ((item = malloc(sizeof *item)) == NULL)
		die("out of memory for a socket");
	return item;
}

static void socket_ready(struct loop_watch *watch, uint32_t events);

static struct socket_watch *find_watch(struct client *client, int fd)
{
	return (size_t)fd < client->watch_count ? client->watches[fd] : NULL;
}

static void note_watch(struct client *client, int fd, struct socket_watch *item)
{
	size_t count = client->watch_count;

	if ((size_t)fd >= count) {
		client->watch_count = (size_t)fd * 2 + 64;
		client->watches = realloc(client->watches,
					  client->watch_count * sizeof *client->watches);
		if (client->watches == NULL)
			die("out of memory for %zu sockets", client->watch_count);
		memset(client->watches + count, 0,
		       (client->watch_count - count) * sizeof *client->watches);
	}
	client->watches[fd] = item;
}

/* The record of a socket; a new one for a number that is not known. */
static struct socket_watch *get_watch(struct client *client, int fd)
{
	struct socket_watch *item = find_watch(client, fd);

	if (item != NULL)
		return item;
	item = take_watch(client);
	*item = (struct socket_watch){.watch = {fd, socket_ready, client}};
	note_watch(client, fd, item);
	return item;
}

static void stop_watching(struct client *client, struct socket_watch *item)
{
	if (item->is_watched)
		loop_watch_remove(client->loop, &item->watch);
	item->is_watched = false;
	item->is_parked = false;
}

static void forget_socket(struct client *client, struct socket_watch *item)
{
	stop_watching(client, item);
	client->watches[item->watch.fd] = NULL;
	item->next_idle = client->idle_watches;
	client->idle_watches = item;
}

static void socket_ready(struct loop_watch *watch, uint32_t events)
{
	struct client *client = watch->context;
	struct socket_watch *item = (struct socket_watch *)watch;
	int what = 0;

	/* The peer has closed a connection that nobody uses: libcurl finds out when it wants it. */
	if (item->is_parked) {
		stop_watching(client, item);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(client, watch->fd, what);
}

static void watch_socket(struct client *client, struct socket_watch *item, uint32_t events)
{
	struct error err;

	item->is_parked = false;
	if (!item->is_watched) {
		if (!loop_watch_add(client->loop, &item->watch, events, &err))
			die("%s", err.message);
		item->is_watched = true;
	} else if (item->events != events) {
		loop_watch_change(client->loop, &item->watch, events);
	}
	item->events = events;
}

static void let_go(struct client *client, struct socket_watch *item)
{
	if (item == NULL)
		return;
	if (item->is_ours)
		item->is_parked = item->is_watched;
	else
		forget_socket(client, item);
}

static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
	struct client *client = context;
	uint32_t events = 0;

	(void)easy, (void)known;
	if (what == CURL_POLL_REMOVE) {
		let_go(client, find_watch(client, socket));
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	watch_socket(client, get_watch(client, socket), events);
	return 0;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	get_watch(context, fd)->is_ours = true;
	return fd;
}

/* A parked watch must not outlive its socket: the number may be given out again at once. */
static int close_socket(void *context, curl_socket_t socket)
{
	struct client *client = context;
	struct socket_watch *item = find_watch(client, socket);

	if (item != NULL)
		forget_socket(client, item);
	return close(socket);
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

static struct transfer *create_transfer(struct client *client)
{
	struct transfer *transfer = transfer_create(&client->options);

	curl_easy_setopt(transfer->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(transfer->easy, CURLOPT_OPENSOCKETDATA, client);
	curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(transfer->easy, CURLOPT_CLOSESOCKETDATA, client);
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
	/* Closes the kept connections. */
	curl_multi_cleanup(client->multi);
	loop_timer_clear(client->loop, &client->timer);
	loop_hook_remove(client->loop, &client->hook);
	while (client->idle_watches != NULL) {
		struct socket_watch *item = client->idle_watches;

		client->idle_watches = item->next_idle;
		free(item);
	}
	free(client->watches);
	free(client);
}

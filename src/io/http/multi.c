/* What libcurl wants of the loop: its callbacks say which sockets to watch, and when to return. */
#include "io/http/multi.h"

#include <assert.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_S = 5, REST_S = 10 };

/* libcurl lets go of a socket after each call and wants it back for the next one. Meanwhile it
 * stays in the loop's set, parked, which saves two system calls a request. Only sockets which we
 * have opened for it are parked: those we also close, and so know when they are gone. */
struct socket_watch {
	struct loop_watch watch;
	struct multi_set *set;
	bool is_ours;
	bool is_watched;
	bool is_parked;
	uint32_t events;
	struct socket_watch *next_idle;
};

static void check(CURLMcode code)
{
	if (code != CURLM_OK)
		die("libcurl: %s", curl_multi_strerror(code));
}

/* The only place where transfers end. */
static void collect(struct multi *multi)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi->handle, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE)
			multi->set->ended(message->easy_handle, message->data.result);
	}
}

static void act(struct multi *multi, curl_socket_t socket, int what)
{
	int under_way;

	check(curl_multi_socket_action(multi->handle, socket, what, &under_way));
	collect(multi);
}

/* --- sockets ------------------------------------------------------------------------------- */

static struct socket_watch *take_watch(struct multi_set *set)
{
	struct socket_watch *item = set->idle_watches;

	if (item != NULL)
		set->idle_watches = item->next_idle;
	else if ((item = malloc(sizeof *item)) == NULL)
		die("out of memory for a socket");
	return item;
}

static void socket_ready(struct loop_watch *watch, uint32_t events);

static struct socket_watch *find_watch(struct multi_set *set, int fd)
{
	return (size_t)fd < set->watch_count ? set->watches[fd] : NULL;
}

static void note_watch(struct multi_set *set, int fd, struct socket_watch *item)
{
	size_t count = set->watch_count;

	if ((size_t)fd >= count) {
		set->watch_count = (size_t)fd * 2 + 64;
		set->watches = realloc(set->watches, set->watch_count * sizeof *set->watches);
		if (set->watches == NULL)
			die("out of memory for %zu sockets", set->watch_count);
		memset(set->watches + count, 0, (set->watch_count - count) * sizeof *set->watches);
	}
	set->watches[fd] = item;
}

/* The record of a socket; a new one for a number that is not known. */
static struct socket_watch *get_watch(struct multi_set *set, int fd)
{
	struct socket_watch *item = find_watch(set, fd);

	if (item != NULL)
		return item;
	item = take_watch(set);
	*item = (struct socket_watch){.watch = {fd, socket_ready, NULL}, .set = set};
	note_watch(set, fd, item);
	return item;
}

static void stop_watching(struct multi_set *set, struct socket_watch *item)
{
	if (item->is_watched)
		loop_watch_remove(set->loop, &item->watch);
	item->is_watched = false;
	item->is_parked = false;
}

static void forget_socket(struct multi_set *set, struct socket_watch *item)
{
	stop_watching(set, item);
	set->watches[item->watch.fd] = NULL;
	item->next_idle = set->idle_watches;
	set->idle_watches = item;
}

static void socket_ready(struct loop_watch *watch, uint32_t events)
{
	struct multi *multi = watch->context;
	struct socket_watch *item = (struct socket_watch *)watch;
	int what = 0;

	/* The peer has closed a connection that nobody uses: libcurl finds out when it wants it. */
	if (item->is_parked) {
		stop_watching(item->set, item);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(multi, watch->fd, what);
}

static void watch_socket(struct multi_set *set, struct socket_watch *item, uint32_t events)
{
	struct error err;

	item->is_parked = false;
	if (!item->is_watched) {
		if (!loop_watch_add(set->loop, &item->watch, events, &err))
			die("%s", err.message);
		item->is_watched = true;
	} else if (item->events != events) {
		loop_watch_change(set->loop, &item->watch, events);
	}
	item->events = events;
}

static void let_go(struct multi_set *set, struct socket_watch *item)
{
	if (item == NULL)
		return;
	if (item->is_ours)
		item->is_parked = item->is_watched;
	else
		forget_socket(set, item);
}

static int socket_wanted(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
	struct multi *multi = context;
	struct multi_set *set = multi->set;
	struct socket_watch *item;
	uint32_t events = 0;

	(void)easy, (void)known;
	if (what == CURL_POLL_REMOVE) {
		let_go(set, find_watch(set, socket));
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	item = get_watch(set, socket);
	item->watch.context = multi;
	watch_socket(set, item, events);
	return 0;
}

curl_socket_t multi_open_socket(struct multi_set *set, const struct curl_sockaddr *address)
{
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	struct socket_watch *stale;

	if (fd < 0)
		return CURL_SOCKET_BAD;
	/* libcurl closes a socket that was never connected without a word: what is known of the
	 * number is not about this one. */
	stale = find_watch(set, fd);
	if (stale != NULL)
		forget_socket(set, stale);
	get_watch(set, fd)->is_ours = true;
	return fd;
}

/* A parked watch must not outlive its socket: the number may be given out again at once. */
static int close_socket(void *context, curl_socket_t socket)
{
	struct multi_set *set = context;
	struct socket_watch *item = find_watch(set, socket);

	if (item != NULL)
		forget_socket(set, item);
	return close(socket);
}

/* --- time ---------------------------------------------------------------------------------- */

static void time_is_up(struct loop_timer *timer)
{
	act(timer->context, CURL_SOCKET_TIMEOUT, 0);
}

static int time_wanted(CURLM *handle, long timeout_ms, void *context)
{
	struct multi *multi = context;
	struct loop *loop = multi->set->loop;

	(void)handle;
	if (timeout_ms < 0)
		loop_timer_clear(loop, &multi->timer);
	else
		loop_timer_set(loop, &multi->timer,
			       clock_monotonic_ns(loop_clock(loop)) + timeout_ms * 1000000);
	return 0;
}

/* New transfers start at the end of the turn, all at once and on the thread's own large stack:
 * a fiber that sends needs little stack of its own. */
static int start_new(struct loop_hook *hook)
{
	struct multi_set *set = hook->context;

	for (size_t i = 0; i < set->count; i++) {
		if (set->multis[i]->has_new) {
			set->multis[i]->has_new = false;
			act(set->multis[i], CURL_SOCKET_TIMEOUT, 0);
		}
	}
	return -1;
}

/* --- handles ------------------------------------------------------------------------------- */

static struct multi *add_multi(struct multi_set *set)
{
	struct multi *multi = calloc(1, sizeof *multi);

	if (multi == NULL || (multi->handle = curl_multi_init()) == NULL)
		die("out of memory for a client");
	multi->set = set;
	multi->timer = (struct loop_timer){.callback = time_is_up, .context = multi};
	check(curl_multi_setopt(multi->handle, CURLMOPT_SOCKETFUNCTION, socket_wanted));
	check(curl_multi_setopt(multi->handle, CURLMOPT_SOCKETDATA, multi));
	check(curl_multi_setopt(multi->handle, CURLMOPT_TIMERFUNCTION, time_wanted));
	check(curl_multi_setopt(multi->handle, CURLMOPT_TIMERDATA, multi));
	check(curl_multi_setopt(multi->handle, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING));
	check(curl_multi_setopt(multi->handle, CURLMOPT_MAXCONNECTS, (long)set->connections_kept));
	set->multis[set->count++] = multi;
	return multi;
}

static void remove_last_multi(struct multi_set *set)
{
	struct multi *multi = set->multis[--set->count];

	assert(multi->active == 0);
	/* Closes the kept connections. */
	check(curl_multi_cleanup(multi->handle));
	loop_timer_clear(set->loop, &multi->timer);
	free(multi);
}

/* The first handle stays; those of a rush go when they have rested for a while. */
static void sweep(struct loop_timer *timer)
{
	struct multi_set *set = timer->context;
	int64_t now_ns = loop_now_ns(set->loop);

	while (set->count > 1) {
		struct multi *last = set->multis[set->count - 1];

		if (last->active > 0 || now_ns - last->since_ns < (int64_t)REST_S * 1000000000)
			break;
		remove_last_multi(set);
	}
	if (set->count > 1)
		loop_timer_set(set->loop, timer, now_ns + (int64_t)SWEEP_S * 1000000000);
}

static struct multi *choose(struct multi_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->multis[i]->active < MULTI_CALLS)
			return set->multis[i];
	}
	if (set->count == MULTI_COUNT_MAX)
		return set->multis[MULTI_COUNT_MAX - 1];
	if (set->sweep.place == 0)
		loop_timer_set(set->loop, &set->sweep,
			       loop_now_ns(set->loop) + (int64_t)SWEEP_S * 1000000000);
	return add_multi(set);
}

struct multi *multi_begin(struct multi_set *set, CURL *easy)
{
	struct multi *multi = choose(set);

	multi->active++;
	multi->has_new = true;
	check(curl_multi_add_handle(multi->handle, easy));
	return multi;
}

void multi_end(struct multi *multi, CURL *easy)
{
	check(curl_multi_remove_handle(multi->handle, easy));
	multi->active--;
	multi->since_ns = loop_now_ns(multi->set->loop);
}

/* --- the set ------------------------------------------------------------------------------- */

void multi_set_adopt(struct multi_set *set, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SHARE, set->shared);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, set);
}

bool multi_set_init(struct multi_set *set, struct loop *loop, size_t connections_kept,
		    void (*ended)(CURL *easy, CURLcode result))
{
	*set = (struct multi_set){
		.loop = loop,
		.connections_kept = connections_kept,
		.ended = ended,
		.shared = curl_share_init(),
	};
	if (set->shared == NULL)
		return false;
	curl_share_setopt(set->shared, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(set->shared, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	set->hook = (struct loop_hook){.before_sleep = start_new, .context = set};
	set->sweep = (struct loop_timer){.callback = sweep, .context = set};
	loop_hook_add(loop, &set->hook);
	add_multi(set);
	return true;
}

/* Those of sockets which were closed without a word: somebody else may have the number now. */
static void free_stale(struct multi_set *set)
{
	for (size_t fd = 0; fd < set->watch_count; fd++) {
		struct socket_watch *item = set->watches[fd];

		if (item == NULL)
			continue;
		item->watch.fd = -1;
		stop_watching(set, item);
		free(item);
	}
}

void multi_set_finish(struct multi_set *set)
{
	while (set->count > 0)
		remove_last_multi(set);
	curl_share_cleanup(set->shared);
	loop_timer_clear(set->loop, &set->sweep);
	loop_hook_remove(set->loop, &set->hook);
	free_stale(set);
	while (set->idle_watches != NULL) {
		struct socket_watch *item = set->idle_watches;

		set->idle_watches = item->next_idle;
		free(item);
	}
	free(set->watches);
}

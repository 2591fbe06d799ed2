#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "app/cli/commands.h"

/* What goes on besides requests is given so long to end. */
enum { DRAIN_MS = 2000 };

struct listener {
	struct loop *loop;
	struct http_server *server;
	pthread_t thread;
};

static void *run(void *context)
{
	struct listener *listener = context;

	loop_run(listener->loop);
	return NULL;
}

static struct listener *fail(struct listener *listener)
{
	http_server_destroy(listener->server);
	loop_destroy(listener->loop);
	free(listener);
	return NULL;
}

struct listener *listener_start(struct arena *arena, struct http_handler *handler,
				const struct http_server_limits *limits, struct str address,
				struct str *bound, struct error *err)
{
	struct listener *listener = calloc(1, sizeof *listener);
	int fd;

	if (listener == NULL)
		die("out of memory");
	listener->loop = loop_create(clock_system(), random_system(), err);
	if (listener->loop == NULL)
		return fail(listener);
	if (!http_listen(arena, address, &fd, 1, bound, err))
		return fail(listener);
	listener->server = http_server_create(listener->loop, fd, false, limits, handler, err);
	if (listener->server == NULL)
		return fail(listener);
	if (pthread_create(&listener->thread, NULL, run, listener) != 0) {
		error_set(err, ERROR_UNAVAILABLE, "no thread is to be had");
		return fail(listener);
	}
	return listener;
}

struct loop *listener_loop(const struct listener *listener)
{
	return listener->loop;
}

static void end(void *context)
{
	struct listener *listener = context;

	http_server_quiesce(listener->server);
	loop_stop(listener->loop);
}

void listener_stop(struct listener *listener)
{
	if (listener == NULL)
		return;
	loop_post(listener->loop, end, listener);
	pthread_join(listener->thread, NULL);
	/* Requests that are held up on purpose are not waited for: the process ends. */
	if (http_server_active(listener->server) == 0 &&
	    loop_drain(listener->loop, DRAIN_MS)) {
		http_server_destroy(listener->server);
		loop_destroy(listener->loop);
	}
	free(listener);
}

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void block_signals(void)
{
	sigset_t set = ending_signals();

	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int wait_for_signal(void)
{
	sigset_t set = ending_signals();
	int signal;

	while (sigwait(&set, &signal) != 0)
		continue;
	return signal;
}

int wait_for_signal_or(int seconds)
{
	const struct timespec time = {.tv_sec = seconds};
	sigset_t set = ending_signals();

	sigaddset(&set, SIGHUP);
	int signal = sigtimedwait(&set, NULL, &time);
	return signal < 0 ? 0 : signal;
}

/* Stands in front of the C library in a server under test (LD_PRELOAD): a fiber that waits must not
 * hold a lock, for the others of its thread would wait for it for ever. With SQLite a question is
 * answered at once, with PostgreSQL it is waited for: so who comes to epoll_wait() with a lock of
 * the program's own ends the program, and says where that lock was taken. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LOCKS_MAX = 32, FRAMES_MAX = 16 };

struct held {
	const void *lock;
	int depth;
	void *frames[FRAMES_MAX];
};

static __thread struct held held[LOCKS_MAX];
static __thread int held_count;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Libraries have locks of their own, which they keep to themselves. */
static int is_own(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && strstr(info.dli_fname, ".so") == NULL;
}

static void add(const void *caller, const void *lock)
{
	if (!is_own(caller) || held_count == LOCKS_MAX)
		return;
	held[held_count].lock = lock;
	held[held_count].depth = backtrace(held[held_count].frames, FRAMES_MAX);
	held_count++;
}

static void take_away(const void *lock)
{
	for (int i = held_count - 1; i >= 0; i--) {
		if (held[i].lock != lock)
			continue;
		memmove(&held[i], &held[i + 1], (size_t)(held_count - i - 1) * sizeof held[0]);
		held_count--;
		return;
	}
}

#define LOCKING(name, type)                                                                        \
	int name(type *lock)                                                                       \
	{                                                                                          \
		static int (*real)(type *);                                                        \
		if (real == NULL)                                                                  \
			real = (int (*)(type *))next(#name);                                       \
		int result = real(lock);                                                           \
		add(__builtin_return_address(0), lock);                                            \
		return result;                                                                     \
	}
#define UNLOCKING(name, type)                                                                      \
	int name(type *lock)                                                                       \
	{                                                                                          \
		static int (*real)(type *);                                                        \
		if (real == NULL)                                                                  \
			real = (int (*)(type *))next(#name);                                       \
		take_away(lock);                                                                   \
		return real(lock);                                                                 \
	}

LOCKING(pthread_mutex_lock, pthread_mutex_t)
UNLOCKING(pthread_mutex_unlock, pthread_mutex_t)
LOCKING(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCKING(pthread_rwlock_wrlock, pthread_rwlock_t)
UNLOCKING(pthread_rwlock_unlock, pthread_rwlock_t)

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	static const char what[] = "a lock is held while something is waited for; it was taken here:\n";
	static int (*real)(int, struct epoll_event *, int, int);

	if (real == NULL)
		real = (int (*)(int, struct epoll_event *, int, int))next("epoll_wait");
	if (held_count > 0) {
		if (write(STDERR_FILENO, what, sizeof what - 1) > 0)
			backtrace_symbols_fd(held[0].frames, held[0].depth, STDERR_FILENO);
		abort();
	}
	return real(fd, events, max, timeout_ms);
}

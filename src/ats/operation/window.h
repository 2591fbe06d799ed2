/* The calls that an ATS may still count in one window of its rate limit. Private to this room, and
 * without a lock of its own: the limiter's is held. */
#ifndef ATS_OPERATION_WINDOW_H
#define ATS_OPERATION_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_GROUPS = 128 };

/* Calls that ended one after the other; all of them are taken for as late as the last. */
struct window_group {
	int64_t last_ns;
	int64_t calls;
};

struct window {
	int64_t requests; /* 0: there is no window */
	int64_t length_ns;
	int64_t calls; /* that have ended, and are in it yet */
	struct window_group *groups; /* a ring, the oldest first; made when the first call ends */
	size_t first;
	size_t count;
};

/* At most `requests` in any `length_ns`; 0: no such limit, and all is forgotten. */
void window_set(struct window *window, int64_t requests, int64_t length_ns);
void window_finish(struct window *window);

/* Forgets what is older than the window. */
void window_expire(struct window *window, int64_t now_ns);
/* A call that was counted at `at_ns` at the latest. */
void window_note(struct window *window, int64_t at_ns);

/* When there is room for the one who has `before` calls in front of him that are to begin, while
 * `under_way` have not ended; never later than that can be. */
int64_t window_ready_ns(const struct window *window, int64_t under_way, int64_t before,
			int64_t now_ns);

#endif

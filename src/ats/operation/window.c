/* When exactly an ATS counts a call is not known: some time between when it is sent and when its
 * answer is there. So one is held against the window until its length after the answer. Whatever
 * window the ATS then lays, at most `requests` calls are in it. */
#include "ats/operation/window.h"

#include <stdlib.h>

#include "base/error.h"

void window_set(struct window *window, int64_t requests, int64_t length_ns)
{
	if (requests == 0)
		window_finish(window);
	window->requests = requests;
	window->length_ns = length_ns;
}

void window_finish(struct window *window)
{
	free(window->groups);
	*window = (struct window){0};
}

static struct window_group *group_at(const struct window *window, size_t i)
{
	return &window->groups[(window->first + i) % WINDOW_GROUPS];
}

void window_expire(struct window *window, int64_t now_ns)
{
	while (window->count > 0 && group_at(window, 0)->last_ns + window->length_ns <= now_ns) {
		window->calls -= group_at(window, 0)->calls;
		window->first = (window->first + 1) % WINDOW_GROUPS;
		window->count--;
	}
}

/* A large limit is kept in groups, so that a window is of a fixed size. */
static struct window_group *open_group(struct window *window)
{
	int64_t each = (window->requests + WINDOW_GROUPS - 1) / WINDOW_GROUPS;
	struct window_group *last =
		window->count == 0 ? NULL : group_at(window, window->count - 1);

	if (last != NULL && (last->calls < each || window->count == WINDOW_GROUPS))
		return last;
	struct window_group *next = group_at(window, window->count++);
	*next = (struct window_group){.last_ns = last == NULL ? INT64_MIN : last->last_ns};
	return next;
}

void window_note(struct window *window, int64_t at_ns)
{
	if (window->requests == 0)
		return;
	if (window->groups == NULL)
		window->groups = calloc(WINDOW_GROUPS, sizeof *window->groups);
	if (window->groups == NULL)
		die("out of memory for a rate limit");
	struct window_group *group = open_group(window);

	if (group->last_ns < at_ns)
		group->last_ns = at_ns;
	group->calls++;
	window->calls++;
}

/* When so many of those that have ended are out of the window. */
static int64_t gone_ns(const struct window *window, int64_t calls)
{
	size_t i = 0;

	for (int64_t sum = group_at(window, 0)->calls; sum < calls; i++)
		sum += group_at(window, i + 1)->calls;
	return group_at(window, i)->last_ns + window->length_ns;
}

/* Of all calls in their order, ended, under way or to begin, each begins a window's length after
 * the one `requests` before it has ended. */
int64_t window_ready_ns(const struct window *window, int64_t under_way, int64_t before,
			int64_t now_ns)
{
	int64_t place = window->calls + under_way + before + 1 - window->requests;
	int64_t begun = window->calls + under_way, rounds = 0;

	if (place > begun)
		rounds = (place - begun + window->requests - 1) / window->requests;
	place -= rounds * window->requests;
	int64_t ready_ns = now_ns;
	if (place > window->calls)
		ready_ns = now_ns + window->length_ns;
	else if (place > 0)
		ready_ns = gone_ns(window, place);
	if (ready_ns < now_ns)
		ready_ns = now_ns;
	return ready_ns + rounds * window->length_ns;
}

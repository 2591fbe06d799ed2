/* A binary heap of the loop's timers. A timer knows its place, so that it can be moved and
 * cleared without a search. */
#include <assert.h>

#include "io/loop/state.h"

static bool is_before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->turn < b->turn;
}

static void put(struct timer_heap *heap, size_t at, struct heap_entry entry)
{
	heap->entries[at] = entry;
	entry.timer->place = at + 1;
}

static void sift_up(struct timer_heap *heap, size_t at, struct heap_entry entry)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!is_before(&entry, &heap->entries[parent]))
			break;
		put(heap, at, heap->entries[parent]);
		at = parent;
	}
	put(heap, at, entry);
}

static void sift_down(struct timer_heap *heap, size_t at, struct heap_entry entry)
{
	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    is_before(&heap->entries[child + 1], &heap->entries[child]))
			child++;
		if (!is_before(&heap->entries[child], &entry))
			break;
		put(heap, at, heap->entries[child]);
		at = child;
	}
	put(heap, at, entry);
}

/* The place is free; the entry may have to go either way. */
static void settle(struct timer_heap *heap, size_t at, struct heap_entry entry)
{
	if (at > 0 && is_before(&entry, &heap->entries[(at - 1) / 2]))
		sift_up(heap, at, entry);
	else
		sift_down(heap, at, entry);
}

static void grow(struct timer_heap *heap)
{
	heap->capacity = heap->capacity == 0 ? 64 : heap->capacity * 2;
	heap->entries = realloc(heap->entries, heap->capacity * sizeof *heap->entries);
	if (heap->entries == NULL)
		die("out of memory: %zu timers", heap->capacity);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns)
{
	struct timer_heap *heap = &loop->timers;
	struct heap_entry entry = {at_ns, heap->next_turn++, timer};

	timer->at_ns = at_ns;
	if (timer->place != 0) {
		settle(heap, timer->place - 1, entry);
		return;
	}
	if (heap->count == heap->capacity)
		grow(heap);
	heap->count++;
	sift_up(heap, heap->count - 1, entry);
}

static void remove_at(struct timer_heap *heap, size_t at)
{
	struct heap_entry last = heap->entries[heap->count - 1];

	heap->entries[at].timer->place = 0;
	heap->count--;
	if (at < heap->count)
		settle(heap, at, last);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	if (timer->place == 0)
		return;
	assert(loop->timers.entries[timer->place - 1].timer == timer);
	remove_at(&loop->timers, timer->place - 1);
}

void timer_heap_ring(struct timer_heap *heap, int64_t now_ns)
{
	uint64_t end = heap->next_turn;

	while (heap->count > 0 && heap->entries[0].at_ns <= now_ns && heap->entries[0].turn < end) {
		struct loop_timer *timer = heap->entries[0].timer;

		remove_at(heap, 0);
		timer->callback(timer);
	}
}

int64_t timer_heap_next_ns(const struct timer_heap *heap)
{
	return heap->count == 0 ? INT64_MAX : heap->entries[0].at_ns;
}

void timer_heap_finish(struct timer_heap *heap)
{
	free(heap->entries);
	*heap = (struct timer_heap){0};
}

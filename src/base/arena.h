/* Memory with one lifetime: everything allocated from an arena is freed at once. A request or a
 * job has one arena; so has every compiled thing that lives as long as the process. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/error.h"
#include "base/str.h"

struct arena_block;

struct arena {
	char *next;                 /* first free byte of the newest block */
	char *end;                  /* its end */
	struct arena_block *blocks; /* newest first */
	struct arena_finisher *finishers;
	size_t bytes;               /* taken from the system so far */
	size_t bytes_max;
};

/* An arena that may take `bytes_max` bytes. It takes nothing before the first allocation. */
void arena_init(struct arena *arena, size_t bytes_max);
/* Runs the finishers, newest first, and frees everything. The arena is then as after init. */
void arena_finish(struct arena *arena);

/* Never NULL, aligned to 16, not zeroed. The limit is soft: an allocation past it succeeds, and
 * arena_check() then fails; loops that allocate call that, so the overshoot stays one step of
 * the loop. Only when the system has no memory does the process end. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
void *arena_zero(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
/* An array of `count` items; the multiplication is checked. */
void *arena_array(struct arena *arena, size_t count, size_t item_size)
	__attribute__((malloc, returns_nonnull));
/* Like realloc for the array at `old` (may be NULL) which had `old_size` bytes: grows in place
 * when it is the newest allocation, else copies. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
	__attribute__((returns_nonnull));

/* False with ERROR_LIMIT once more than bytes_max were taken. */
bool arena_check(const struct arena *arena, struct error *err) MUST_CHECK;
static inline bool arena_is_over(const struct arena *arena)
{
	return arena->bytes > arena->bytes_max;
}

struct str arena_str(struct arena *arena, struct str s);
/* NUL-terminated copy. */
char *arena_c(struct arena *arena, struct str s);
struct str arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Calls finish(thing) when the arena ends: for what the arena owns and cannot free itself. */
void arena_on_finish(struct arena *arena, void (*finish)(void *thing), void *thing);

#endif

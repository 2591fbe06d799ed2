/* Memory with one lifetime: everything allocated from an arena is freed at once. A request or a
 * job has one arena; so has every compiled thing that lives as long as the process. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/error.h"
#include "base/str.h"

/* Under AddressSanitizer what was not allocated is poisoned, so nothing may go unseen here. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifndef ARENA_POISONS
#define ARENA_POISONS 0
#endif

enum { ARENA_ALIGNMENT = 16 };

struct arena_block;

struct arena {
	char *next;		    /* first free byte of the newest block */
	char *end;		    /* its end */
	struct arena_block *blocks; /* newest first */
	struct arena_finisher *finishers;
	size_t bytes; /* taken from the system so far */
	size_t bytes_max;
};

/* An arena that may take `bytes_max` bytes. It takes nothing before the first allocation. */
void arena_init(struct arena *arena, size_t bytes_max);
/* Runs the finishers, newest first, and frees everything. The arena is then as after init. */
void arena_finish(struct arena *arena);
/* Freed blocks are kept by their thread for its next arenas; this gives them back to the system. */
void arena_let_go(void);

/* Never NULL, aligned to 16, not zeroed. The limit is soft: an allocation past it succeeds, and
 * arena_check() then fails; loops that allocate call that, so the overshoot stays one step of
 * the loop. Only when the system has no memory does the process end. */
static inline void *arena_alloc(struct arena *arena, size_t size)
	__attribute__((malloc, returns_nonnull));
static inline void *arena_zero(struct arena *arena, size_t size)
	__attribute__((malloc, returns_nonnull));
/* An array of `count` items; the multiplication is checked. */
static inline void *arena_array(struct arena *arena, size_t count, size_t item_size)
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

/* --- the short way, inline ----------------------------------------------------------------- */

/* Takes another block where need be. */
void *arena_alloc_slowly(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));

static inline void *arena_alloc(struct arena *arena, size_t size)
{
	size_t left = (size_t)(arena->end - arena->next); /* a multiple of the alignment */
	char *at = arena->next;

	/* A size of 0 wraps and goes the long way, too. */
	if (ARENA_POISONS || size - 1 >= left)
		return arena_alloc_slowly(arena, size);
	arena->next += (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
	return at;
}

static inline void *arena_zero(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

static inline void *arena_array(struct arena *arena, size_t count, size_t item_size)
{
	size_t size;

	if (__builtin_mul_overflow(count, item_size, &size))
		size = SIZE_MAX; /* which no arena gives */
	return arena_alloc(arena, size);
}

#endif

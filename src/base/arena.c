#include "base/arena.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#if ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum {
	BLOCK_FIRST = 4096 - 32, /* with malloc's head it stays within a page */
	BLOCK_MAX = 1024 * 1024,
#if ARENA_POISONS
	KEPT_BYTES_MAX = 0, /* a freed block must be seen as freed */
#else
	KEPT_BYTES_MAX = 12 * 1024 * 1024,
#endif
	KEPT_SIZES = 9, /* BLOCK_FIRST doubled so often is still at most BLOCK_MAX */
};

struct arena_block {
	struct arena_block *older;
	size_t size;
	_Alignas(ARENA_ALIGNMENT) char bytes[];
};

/* Blocks of the usual sizes, kept by the thread that freed them: a page of records takes a few
 * MiB, and asking the kernel for them anew each time costs more than parsing them. */
static _Thread_local struct {
	struct arena_block *first[KEPT_SIZES];
	size_t bytes;
} kept;

struct arena_finisher {
	struct arena_finisher *older;
	void (*finish)(void *thing);
	void *thing;
};

/* Which of the usual sizes, or KEPT_SIZES. */
static size_t size_class(size_t size)
{
	size_t class = 0;

	while (class < KEPT_SIZES && (size_t)BLOCK_FIRST << class != size)
		class ++;
	return class;
}

static struct arena_block *take_block(size_t size)
{
	size_t class = size_class(size);
	struct arena_block *block = class < KEPT_SIZES ? kept.first[class] : NULL;

	if (block != NULL) {
		kept.first[class] = block->older;
		kept.bytes -= size;
		return block;
	}
	block = malloc(sizeof *block + size);
	if (block == NULL)
		die("out of memory: %zu bytes wanted", size);
	block->size = size;
	return block;
}

static void give_block(struct arena_block *block)
{
	size_t class = size_class(block->size);

	if (class == KEPT_SIZES || kept.bytes + block->size > KEPT_BYTES_MAX) {
		free(block);
		return;
	}
	block->older = kept.first[class];
	kept.first[class] = block;
	kept.bytes += block->size;
}

void arena_init(struct arena *arena, size_t bytes_max)
{
	*arena = (struct arena){.bytes_max = bytes_max};
}

void arena_let_go(void)
{
	for (size_t i = 0; i < KEPT_SIZES; i++)
		while (kept.first[i] != NULL) {
			struct arena_block *block = kept.first[i];

			kept.first[i] = block->older;
			free(block);
		}
	kept.bytes = 0;
	malloc_trim(0);
}

void arena_finish(struct arena *arena)
{
	for (struct arena_finisher *f = arena->finishers; f != NULL; f = f->older)
		f->finish(f->thing);
	for (struct arena_block *block = arena->blocks, *older; block != NULL; block = older) {
		older = block->older;
		ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
		give_block(block);
	}
	arena_init(arena, arena->bytes_max);
}

/* Blocks double, so that a small request stays in one page and a large one makes few calls. */
static size_t next_block_size(const struct arena *arena, size_t wanted)
{
	size_t at_least = arena->blocks == NULL ? 0 : arena->blocks->size * 2;
	size_t size = BLOCK_FIRST;

	if (at_least < wanted)
		at_least = wanted;
	while (size < at_least && size * 2 <= BLOCK_MAX)
		size *= 2;
	return size < wanted ? wanted : size;
}

static void add_block(struct arena *arena, size_t wanted)
{
	size_t size = next_block_size(arena, wanted);
	struct arena_block *block = take_block(size);

	block->older = arena->blocks;
	arena->blocks = block;
	arena->bytes += size;
	arena->next = block->bytes;
	arena->end = block->bytes + size;
	ASAN_POISON_MEMORY_REGION(block->bytes, size);
}

static size_t align_up(size_t size)
{
	if (size > SIZE_MAX / 2)
		die("an allocation of %zu bytes cannot be meant", size);
	return (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
}

void *arena_alloc_slowly(struct arena *arena, size_t size)
{
	size_t step = align_up(size == 0 ? 1 : size);

	if ((size_t)(arena->end - arena->next) < step)
		add_block(arena, step);
	char *at = arena->next;

	arena->next += step;
	ASAN_UNPOISON_MEMORY_REGION(at, size);
	return at;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
	size_t old_step = align_up(old_size == 0 ? 1 : old_size);
	size_t new_step = align_up(new_size);

	assert(new_size >= old_size);
	if (old != NULL && (char *)old + old_step == arena->next &&
	    (size_t)(arena->end - (char *)old) >= new_step) {
		arena->next = (char *)old + new_step;
		ASAN_UNPOISON_MEMORY_REGION(old, new_size);
		return old;
	}
	void *grown = arena_alloc(arena, new_size);

	if (old_size > 0)
		memcpy(grown, old, old_size);
	return grown;
}

bool arena_check(const struct arena *arena, struct error *err)
{
	if (!arena_is_over(arena))
		return true;
	return error_set(err, ERROR_LIMIT, "the work needs more than its %zu bytes of memory",
			 arena->bytes_max);
}

struct str arena_str(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.len);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return str_make(copy, s.len);
}

char *arena_c(struct arena *arena, struct str s)
{
	char *copy = arena_alloc(arena, s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return copy;
}

struct str arena_format(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;

	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	assert(len >= 0);
	char *text = arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(arguments);
	return str_make(text, (size_t)len);
}

void arena_on_finish(struct arena *arena, void (*finish)(void *thing), void *thing)
{
	struct arena_finisher *finisher = arena_alloc(arena, sizeof *finisher);

	*finisher = (struct arena_finisher){arena->finishers, finish, thing};
	arena->finishers = finisher;
}

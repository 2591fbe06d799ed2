#include "base/fiber.h"

#include <assert.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define FIBER_TSAN 1
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(from, to) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#ifndef __clang__
/* getcontext() returns once here; gcc fears that it returns twice. */
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

enum {
#ifdef FIBER_ASAN
	STACK_DEFAULT = 1024 * 1024, /* frames are several times as large there */
#else
	STACK_DEFAULT = 256 * 1024,
#endif
	IDLE_MAX = 64,
};

struct fiber {
	struct fiber_pool *pool;
	struct fiber *next_idle;
	fiber_function *function;
	void *context;
	ucontext_t own;
	ucontext_t resumer;
	char *mapping; /* guard page, then the stack */
	size_t mapping_bytes;
	unsigned valgrind_id;
	bool is_done;
	/* What the sanitizers want kept across a switch. */
	void *fake_stack;
	const void *resumer_stack;
	size_t resumer_stack_bytes;
	void *tsan_own;
	void *tsan_resumer;
};

static _Thread_local struct fiber *current;

struct fiber *fiber_current(void)
{
	return current;
}

void fiber_pool_init(struct fiber_pool *pool, size_t stack_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (stack_bytes == 0)
		stack_bytes = STACK_DEFAULT;
	*pool = (struct fiber_pool){.stack_bytes = (stack_bytes + page - 1) / page * page};
}

static void unmap(struct fiber *fiber)
{
#ifdef FIBER_TSAN
	__tsan_destroy_fiber(fiber->tsan_own);
#endif
	VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
	munmap(fiber->mapping, fiber->mapping_bytes);
}

void fiber_pool_finish(struct fiber_pool *pool)
{
	assert(pool->alive == 0);
	while (pool->idle != NULL) {
		struct fiber *fiber = pool->idle;
		pool->idle = fiber->next_idle;
		unmap(fiber);
	}
	pool->idle_count = 0;
}

/* The fiber's own record lies at the top of its stack: one mapping, one page touched. */
static struct fiber *map_fiber(struct fiber_pool *pool)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = pool->stack_bytes + page;
	char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (mapping == MAP_FAILED || mprotect(mapping, page, PROT_NONE) != 0)
		die("no memory for the stack of a fiber (%zu in use)", pool->alive);
	size_t record = (sizeof(struct fiber) + 63) & ~(size_t)63;
	struct fiber *fiber = (struct fiber *)(void *)(mapping + bytes - record);

	*fiber = (struct fiber){.pool = pool, .mapping = mapping, .mapping_bytes = bytes};
	fiber->valgrind_id = VALGRIND_STACK_REGISTER(mapping + page, (char *)fiber);
#ifdef FIBER_TSAN
	fiber->tsan_own = __tsan_create_fiber(0);
#endif
	return fiber;
}

/* Called on the fiber's own stack right after a switch to it. */
static void arrived(struct fiber *fiber)
{
	(void)fiber;
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->resumer_stack,
					&fiber->resumer_stack_bytes);
#endif
}

static void leave(struct fiber *fiber)
{
#ifdef FIBER_ASAN
	/* A NULL place to keep the fake stack tells ASan that this stack is given up. */
	__sanitizer_start_switch_fiber(fiber->is_done ? NULL : &fiber->fake_stack,
				       fiber->resumer_stack, fiber->resumer_stack_bytes);
#endif
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(fiber->tsan_resumer, 0);
#endif
	swapcontext(&fiber->own, &fiber->resumer);
	arrived(fiber);
}

static void trampoline(unsigned high, unsigned low)
{
	struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);

	arrived(fiber);
	fiber->function(fiber->context);
	fiber->is_done = true;
	leave(fiber);
	die("a fiber was resumed after its end");
}

struct fiber *fiber_create(struct fiber_pool *pool, fiber_function *function, void *context)
{
	struct fiber *fiber = pool->idle;

	if (fiber != NULL) {
		pool->idle = fiber->next_idle;
		pool->idle_count--;
	} else {
		fiber = map_fiber(pool);
	}
	pool->alive++;
	fiber->function = function;
	fiber->context = context;
	fiber->is_done = false;
	fiber->fake_stack = NULL;
	if (getcontext(&fiber->own) != 0)
		die("getcontext failed");
	size_t guard = fiber->mapping_bytes - pool->stack_bytes;
	fiber->own.uc_stack.ss_sp = fiber->mapping + guard;
	fiber->own.uc_stack.ss_size = (size_t)((char *)fiber - (fiber->mapping + guard));
	fiber->own.uc_link = NULL;
	/* makecontext passes ints only, hence the pointer in two halves. */
	makecontext(&fiber->own, (void (*)(void))trampoline, 2,
		    (unsigned)((uintptr_t)fiber >> 32), (unsigned)(uintptr_t)fiber);
	return fiber;
}

static void retire(struct fiber *fiber)
{
	struct fiber_pool *pool = fiber->pool;

	pool->alive--;
	if (pool->idle_count >= IDLE_MAX) {
		unmap(fiber);
		return;
	}
	fiber->next_idle = pool->idle;
	pool->idle = fiber;
	pool->idle_count++;
}

void fiber_resume(struct fiber *fiber)
{
	assert(current == NULL && !fiber->is_done);
	current = fiber;
#ifdef FIBER_TSAN
	fiber->tsan_resumer = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(fiber->tsan_own, 0);
#endif
#ifdef FIBER_ASAN
	void *fake_stack;
	__sanitizer_start_switch_fiber(&fake_stack, fiber->own.uc_stack.ss_sp,
				       fiber->own.uc_stack.ss_size);
#endif
	swapcontext(&fiber->resumer, &fiber->own);
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
	current = NULL;
	if (fiber->is_done)
		retire(fiber);
}

void fiber_yield(void)
{
	assert(current != NULL);
	leave(current);
}

#include "base/fiber.h"

#include <assert.h>
#include <setjmp.h>
#include <string.h>
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
#define VALGRIND_STACK_DEREGISTER(id)	  ((void)(id))
#endif

#ifndef __clang__
/* gcc fears for locals where a function returns twice; none is changed in between here. */
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

/* A place to go on at. swapcontext() asks the kernel for the signal mask on each switch, which is
 * the same for all fibers; so it only begins a stack, and the switches are jumps. The jump is
 * named by its plain symbol: the fortified one does not expect to change stacks. ASan would take
 * the checks off all frames that a jump leaves, live ones too, and gets the slow way. */
#ifdef FIBER_ASAN
typedef ucontext_t place;
#else
typedef jmp_buf place;

int save_place(jmp_buf here) __asm__("_setjmp") __attribute__((returns_twice));
_Noreturn void go_to_place(jmp_buf there, int value) __asm__("longjmp");
#endif

enum {
#ifdef FIBER_ASAN
	STACK_DEFAULT = 1024 * 1024, /* frames are several times as large there */
#else
	STACK_DEFAULT = 256 * 1024,
#endif
	IDLE_MAX = 128,
};

struct fiber {
	struct fiber_pool *pool;
	struct fiber *next_idle;
	fiber_function *function; /* NULL: the stack is given up */
	void *context;
	place own;
	place resumer;
	char *mapping; /* guard page, then the stack */
	size_t mapping_bytes;
	size_t stack_bytes; /* right below this record */
	unsigned valgrind_id;
	bool is_done;
	uint64_t room[FIBER_OWN_BYTES / sizeof(uint64_t)];
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

/* --- switching ----------------------------------------------------------------------------- */

/* TSan keeps the places by fiber: it is told between the two steps. */
static void switch_place(place *from, place *to, void *tsan_to)
{
	(void)tsan_to;
#ifdef FIBER_ASAN
	swapcontext(from, to);
#else
	if (save_place(*from) != 0)
		return;
#ifdef FIBER_TSAN
	__tsan_switch_to_fiber(tsan_to, 0);
#endif
	go_to_place(*to, 1);
#endif
}

/* Called on the fiber's own stack right after a switch to it. */
static void arrive(struct fiber *fiber)
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
	__sanitizer_start_switch_fiber(fiber->function == NULL ? NULL : &fiber->fake_stack,
				       fiber->resumer_stack, fiber->resumer_stack_bytes);
#endif
	switch_place(&fiber->own, &fiber->resumer, fiber->tsan_resumer);
	arrive(fiber);
}

static void go_to(struct fiber *fiber)
{
#ifdef FIBER_TSAN
	fiber->tsan_resumer = __tsan_get_current_fiber();
#endif
#ifdef FIBER_ASAN
	char *bottom = (char *)fiber - fiber->stack_bytes;
	void *fake_stack;
	__sanitizer_start_switch_fiber(&fake_stack, bottom, fiber->stack_bytes);
#endif
	switch_place(&fiber->resumer, &fiber->own, fiber->tsan_own);
#ifdef FIBER_ASAN
	__sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
}

/* --- stacks -------------------------------------------------------------------------------- */

/* Runs one function after the other: between two the fiber is idle in the pool. */
static void trampoline(unsigned high, unsigned low)
{
	struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);

#ifndef FIBER_ASAN
	/* Back to begin(): from now on there is a place to jump to. */
	switch_place(&fiber->own, &fiber->resumer, fiber->tsan_resumer);
#endif
	arrive(fiber);
	while (fiber->function != NULL) {
		fiber->function(fiber->context);
		fiber->is_done = true;
		leave(fiber);
	}
	leave(fiber);
	die("a fiber was resumed after its end");
}

static void make_context(struct fiber *fiber, ucontext_t *context)
{
	if (getcontext(context) != 0)
		die("getcontext failed");
	context->uc_stack.ss_sp = (char *)fiber - fiber->stack_bytes;
	context->uc_stack.ss_size = fiber->stack_bytes;
	context->uc_link = NULL;
	/* makecontext passes ints only, hence the pointer in two halves. */
	makecontext(context, (void (*)(void))trampoline, 2, (unsigned)((uintptr_t)fiber >> 32),
		    (unsigned)(uintptr_t)fiber);
}

static void begin(struct fiber *fiber)
{
#ifdef FIBER_ASAN
	make_context(fiber, &fiber->own);
#else
	ucontext_t context;

	make_context(fiber, &context);
	if (save_place(fiber->resumer) != 0)
		return;
#ifdef FIBER_TSAN
	fiber->tsan_resumer = __tsan_get_current_fiber();
	fiber->tsan_own = __tsan_create_fiber(0);
	__tsan_switch_to_fiber(fiber->tsan_own, 0);
#endif
	setcontext(&context);
#endif
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

	*fiber = (struct fiber){.pool = pool,
				.mapping = mapping,
				.mapping_bytes = bytes,
				.stack_bytes = bytes - page - record};
	fiber->valgrind_id = VALGRIND_STACK_REGISTER(mapping + page, (char *)fiber);
	begin(fiber);
	return fiber;
}

static void unmap(struct fiber *fiber)
{
#ifdef FIBER_ASAN
	/* Once more, so that ASan hears that the stack is given up. */
	fiber->function = NULL;
	go_to(fiber);
#endif
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

struct fiber *fiber_create(struct fiber_pool *pool, fiber_function *function, void *context)
{
	struct fiber *fiber = pool->idle;

	assert(function != NULL);
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
	memset(fiber->room, 0, sizeof fiber->room);
	return fiber;
}

void *fiber_own(struct fiber *fiber)
{
	return fiber->room;
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
	go_to(fiber);
	current = NULL;
	if (fiber->is_done)
		retire(fiber);
}

void fiber_yield(void)
{
	assert(current != NULL);
	leave(current);
}

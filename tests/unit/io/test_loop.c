/* The loop: order of timers and waits, wake-ups that come early, late and from other threads. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop_testing.h"

/* --- a clock that only the test moves ------------------------------------------------------ */

static int64_t read_fake(void *context)
{
	return *(int64_t *)context;
}

/* --- timers -------------------------------------------------------------------------------- */

struct ringing {
	struct loop_timer timer;
	struct loop *loop;
	int number;
	int *order;
	size_t *count;
};

static void note_ringing(struct loop_timer *timer)
{
	struct ringing *ringing = timer->context;

	ringing->order[(*ringing->count)++] = ringing->number;
}

static void nothing(void *context)
{
	(void)context;
}

static void timers_ring_in_order_of_time_then_of_setting(void **state)
{
	enum { COUNT = 500 };
	struct loop *loop = make_loop();
	struct ringing ringings[COUNT];
	int order[COUNT];
	size_t count = 0;
	struct random_seeded seeded = {7};

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		ringings[i] = (struct ringing){{.callback = note_ringing, .context = &ringings[i]},
					       loop,
					       i,
					       order,
					       &count};
		loop_timer_set(loop, &ringings[i].timer,
			       (int64_t)(random_seeded_next(&seeded) % 50));
	}
	/* Some are moved, some are cleared. */
	for (int i = 0; i < COUNT; i += 3)
		loop_timer_set(loop, &ringings[i].timer,
			       (int64_t)(random_seeded_next(&seeded) % 50));
	for (int i = 0; i < COUNT; i += 5)
		loop_timer_clear(loop, &ringings[i].timer);
	loop_timer_clear(loop, &ringings[0].timer);
	finish_loop(loop);
	assert_int_equal(count, COUNT - COUNT / 5);
	for (size_t i = 1; i < count; i++) {
		const struct ringing *a = &ringings[order[i - 1]], *b = &ringings[order[i]];
		bool both_first = a->number % 3 != 0 && b->number % 3 != 0;

		assert_true(a->timer.at_ns <= b->timer.at_ns);
		if (a->timer.at_ns == b->timer.at_ns && both_first)
			assert_true(a->number < b->number);
		assert_int_equal(a->timer.place, 0);
	}
}

static void set_again(struct loop_timer *timer)
{
	struct ringing *ringing = timer->context;

	if (++*ringing->count < 5)
		loop_timer_set(ringing->loop, timer, 0);
}

static void a_timer_set_for_now_rings_in_the_next_turn(void **state)
{
	struct loop *loop = make_loop();
	size_t count = 0;
	struct ringing ringing = {.loop = loop, .count = &count};

	(void)state;
	ringing.timer = (struct loop_timer){.callback = set_again, .context = &ringing};
	loop_timer_set(loop, &ringing.timer, 0);
	assert_true(loop_drain(loop, 0)); /* one turn */
	assert_int_equal(count, 1);
	for (size_t turns = 2; turns <= 5; turns++) {
		assert_true(loop_drain(loop, 0));
		assert_int_equal(count, turns);
	}
	finish_loop(loop);
	assert_int_equal(count, 5);
}

static void timers_follow_the_clock_given(void **state)
{
	int64_t now_ns = 1000;
	struct clock clock = {read_fake, read_fake, &now_ns};
	struct error err;
	struct loop *loop = loop_create(&clock, random_system(), &err);
	int order[1];
	size_t count = 0;
	struct ringing ringing = {
		{.callback = note_ringing, .context = &ringing}, loop, 0, order, &count};

	(void)state;
	loop_timer_set(loop, &ringing.timer, 1000 + 3600 * (int64_t)SECOND_NS);
	assert_true(loop_drain(loop, 0));
	assert_int_equal(count, 0);
	now_ns += 3600 * (int64_t)SECOND_NS;
	assert_true(loop_drain(loop, 0));
	assert_int_equal(count, 1);
	assert_int_equal(loop_now_ns(loop), now_ns);
	finish_loop(loop);
}

/* --- fibers -------------------------------------------------------------------------------- */

struct trail {
	struct loop *loop;
	char text[64];
	size_t len;
	struct loop_wait *wait;
	bool was_woken;
};

static void leave_b(void *context)
{
	struct trail *trail = context;

	trail->text[trail->len++] = 'b';
}

static void leave_a_then_c(void *context)
{
	struct trail *trail = context;

	trail->text[trail->len++] = 'a';
	loop_spawn(trail->loop, leave_b, trail);
	loop_sleep_ms(0);
	trail->text[trail->len++] = 'c';
}

static void spawned_fibers_run_in_the_same_turn(void **state)
{
	struct trail trail = {.loop = make_loop()};

	(void)state;
	loop_spawn(trail.loop, leave_a_then_c, &trail);
	assert_int_equal(loop_fiber_count(trail.loop), 1);
	assert_false(loop_drain(trail.loop, 0));
	assert_string_equal(trail.text, "ab");
	finish_loop(trail.loop);
	assert_string_equal(trail.text, "abc");
}

static void sleep_long(void *context)
{
	struct trail *trail = context;

	loop_sleep_ms(3600 * 1000);
	trail->text[trail->len++] = 'x';
}

static void drain_gives_up_at_its_time(void **state)
{
	int64_t now_ns = 0;
	struct clock clock = {read_fake, read_fake, &now_ns};
	struct error err;
	struct trail trail = {.loop = loop_create(&clock, random_system(), &err)};

	(void)state;
	loop_spawn(trail.loop, sleep_long, &trail);
	assert_false(loop_drain(trail.loop, 0));
	assert_int_equal(trail.len, 0);
	now_ns = 3600 * (int64_t)SECOND_NS;
	finish_loop(trail.loop);
	assert_int_equal(trail.len, 1);
}

static void keep_yielding(void *context)
{
	size_t *left = context;

	while (*left > 0) {
		struct loop_wait wait;

		--*left;
		loop_wait_init(&wait);
		loop_wake(&wait);
		assert_true(loop_wait(&wait, INT64_MAX));
		loop_sleep_ms(0);
	}
}

struct chain {
	struct loop *loop;
	size_t spawned;
	int fd;
	bool was_seen;
};

static void spawn_next(void *context)
{
	struct chain *chain = context;

	chain->spawned++;
	if (!chain->was_seen)
		loop_spawn(chain->loop, spawn_next, chain);
}

static void see_event(struct loop_watch *watch, uint32_t events)
{
	struct chain *chain = watch->context;

	assert_true(events & EPOLLIN);
	chain->was_seen = true;
	loop_watch_remove(chain->loop, watch);
}

static void fibers_that_breed_do_not_starve_descriptors(void **state)
{
	struct chain chain = {.loop = make_loop(), .fd = eventfd(1, EFD_NONBLOCK)};
	struct loop_watch watch = {chain.fd, see_event, &chain};
	struct error err;

	(void)state;
	assert_true(loop_watch_add(chain.loop, &watch, EPOLLIN, &err));
	loop_spawn(chain.loop, spawn_next, &chain);
	finish_loop(chain.loop);
	assert_true(chain.was_seen);
	close(chain.fd);
}

static void early_wake_ups_are_not_lost(void **state)
{
	struct loop *loop = make_loop();
	size_t left = 1000;

	(void)state;
	loop_spawn(loop, keep_yielding, &left);
	finish_loop(loop);
	assert_int_equal(left, 0);
}

static void wait_until_deadline(void *context)
{
	struct trail *trail = context;
	struct loop_wait wait;

	loop_wait_init(&wait);
	trail->wait = &wait;
	trail->was_woken = loop_wait(&wait, 0);
	/* Late: the wait is over, and the wake-up goes nowhere. */
	loop_wake(&wait);
	trail->wait = NULL;
}

static void a_deadline_ends_a_wait(void **state)
{
	struct trail trail = {.loop = make_loop(), .was_woken = true};

	(void)state;
	loop_spawn(trail.loop, wait_until_deadline, &trail);
	finish_loop(trail.loop);
	assert_false(trail.was_woken);
}

static void wait_for_ever(void *context)
{
	struct trail *trail = context;
	struct loop_wait wait;

	loop_wait_init(&wait);
	trail->wait = &wait;
	trail->was_woken = loop_wait(&wait, INT64_MAX - 1);
	trail->wait = NULL;
}

static void wake_it(void *context)
{
	struct trail *trail = context;

	loop_wake(trail->wait);
}

static void a_wake_up_ends_a_wait_and_its_timer(void **state)
{
	struct trail trail = {.loop = make_loop()};

	(void)state;
	loop_spawn(trail.loop, wait_for_ever, &trail);
	loop_spawn(trail.loop, wake_it, &trail);
	finish_loop(trail.loop);
	assert_true(trail.was_woken);
}

/* --- many fibers, groups ------------------------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
enum { CROWD = 500 }; /* a fiber takes megabytes of TSan's own */
#else
enum { CROWD = 10000 };
#endif

struct crowd {
	struct loop *loop;
	struct loop_group group;
	struct loop_wait *waits[CROWD];
	size_t inside;
	size_t most_alive;
	size_t left;
};

/* Nobody leaves before the last one has come. */
static void be_one_of_many(void *context)
{
	struct crowd *crowd = context;
	struct loop_wait wait;

	loop_wait_init(&wait);
	crowd->waits[crowd->inside++] = &wait;
	if (crowd->inside == CROWD) {
		crowd->most_alive = loop_fiber_count(crowd->loop);
		for (size_t i = 0; i < CROWD; i++)
			loop_wake(crowd->waits[i]);
	}
	assert_true(loop_wait(&wait, INT64_MAX));
	crowd->left++;
	loop_group_done(&crowd->group);
}

static void gather(void *context)
{
	struct crowd *crowd = context;

	for (size_t i = 0; i < CROWD; i++) {
		loop_group_add(&crowd->group);
		loop_spawn(crowd->loop, be_one_of_many, crowd);
	}
	loop_group_join(&crowd->group);
	assert_int_equal(crowd->left, CROWD);
	loop_group_join(&crowd->group); /* nothing is pending: at once */
}

static void ten_thousand_fibers_live_at_once(void **state)
{
	static struct crowd crowd;

	(void)state;
	crowd = (struct crowd){.loop = make_loop()};
	loop_spawn(crowd.loop, gather, &crowd);
	finish_loop(crowd.loop);
	assert_int_equal(crowd.most_alive, CROWD + 1);
	assert_int_equal(crowd.left, CROWD);
}

/* --- other threads ------------------------------------------------------------------------- */

struct exchange {
	struct loop *loop;
	size_t rounds;
	_Atomic(struct loop_wait *) handed_out;
	atomic_bool is_over;
	size_t woken;
};

/* Wakes whatever is handed out, as soon as it is: before, while and after the fiber suspends. */
static void *wake_all(void *context)
{
	struct exchange *exchange = context;

	while (!atomic_load(&exchange->is_over)) {
		struct loop_wait *wait = atomic_exchange(&exchange->handed_out, NULL);

		if (wait != NULL)
			loop_wake(wait);
	}
	return NULL;
}

static void be_woken_often(void *context)
{
	struct exchange *exchange = context;

	for (size_t i = 0; i < exchange->rounds; i++) {
		struct loop_wait wait;

		loop_wait_init(&wait);
		atomic_store(&exchange->handed_out, &wait);
		assert_true(loop_wait(&wait, INT64_MAX));
		exchange->woken++;
	}
	atomic_store(&exchange->is_over, true);
}

static void wake_ups_from_another_thread_all_arrive(void **state)
{
	struct exchange exchange = {.loop = make_loop(), .rounds = 100000};
	pthread_t thread;

	(void)state;
	pthread_create(&thread, NULL, wake_all, &exchange);
	loop_spawn(exchange.loop, be_woken_often, &exchange);
	finish_loop(exchange.loop);
	pthread_join(thread, NULL);
	assert_int_equal(exchange.woken, exchange.rounds);
}

/* The waker and the deadline race. As the contract wants it, the teller wakes under its lock and
 * the waiter takes the wait back under it. */
struct race {
	struct loop *loop;
	pthread_mutex_t lock;
	struct loop_wait *handed_out;
	atomic_bool is_over;
	size_t woken, overdue, rounds;
};

static void *wake_under_lock(void *context)
{
	struct race *race = context;

	while (!atomic_load(&race->is_over)) {
		pthread_mutex_lock(&race->lock);
		if (race->handed_out != NULL)
			loop_wake(race->handed_out);
		race->handed_out = NULL;
		pthread_mutex_unlock(&race->lock);
	}
	return NULL;
}

static void race_deadlines(void *context)
{
	struct race *race = context;

	for (size_t i = 0; i < race->rounds; i++) {
		struct loop_wait wait;

		loop_wait_init(&wait);
		pthread_mutex_lock(&race->lock);
		race->handed_out = &wait;
		pthread_mutex_unlock(&race->lock);
		if (loop_wait(&wait, 0))
			race->woken++;
		else
			race->overdue++;
		pthread_mutex_lock(&race->lock);
		race->handed_out = NULL;
		pthread_mutex_unlock(&race->lock);
	}
	atomic_store(&race->is_over, true);
}

static void a_deadline_and_a_wake_up_may_race(void **state)
{
	struct race race = {.loop = make_loop(), .rounds = 5000};
	pthread_t thread;

	(void)state;
	pthread_mutex_init(&race.lock, NULL);
	pthread_create(&thread, NULL, wake_under_lock, &race);
	loop_spawn(race.loop, race_deadlines, &race);
	finish_loop(race.loop);
	pthread_join(thread, NULL);
	pthread_mutex_destroy(&race.lock);
	assert_int_equal(race.woken + race.overdue, race.rounds);
}

struct post_count {
	struct loop *loop;
	size_t run;
	size_t wanted;
};

static void count_post(void *context)
{
	struct post_count *count = context;

	if (++count->run == count->wanted)
		loop_stop(count->loop);
}

static void *post_many(void *context)
{
	struct post_count *count = context;

	for (size_t i = 0; i < count->wanted / 4; i++)
		loop_post(count->loop, count_post, count);
	return NULL;
}

static void posts_from_four_threads_all_run(void **state)
{
	struct post_count count = {.loop = make_loop(), .wanted = 40000};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, post_many, &count);
	loop_run(count.loop);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count.run, count.wanted);
	finish_loop(count.loop);
}

/* Two loops hand a wake-up back and forth. */
struct ping_pong {
	struct loop *loops[2];
	_Atomic(struct loop_wait *) waits[2];
	size_t rounds;
	size_t count[2];
};

struct player {
	struct ping_pong *game;
	int side;
};

static void play(void *context)
{
	struct player *player = context;
	struct ping_pong *game = player->game;

	for (size_t i = 0; i < game->rounds; i++) {
		struct loop_wait wait;

		loop_wait_init(&wait);
		atomic_store(&game->waits[player->side], &wait);
		if (player->side == 0 || i > 0) {
			struct loop_wait *other;
			while ((other = atomic_exchange(&game->waits[!player->side], NULL)) == NULL)
				loop_sleep_ms(0);
			loop_wake(other);
		}
		if (player->side == 0 && i + 1 == game->rounds)
			break;
		assert_true(loop_wait(&wait, INT64_MAX));
		game->count[player->side]++;
	}
}

static void *run_side(void *context)
{
	struct player *player = context;
	struct loop *loop = player->game->loops[player->side];

	loop_spawn(loop, play, player);
	return loop_drain(loop, PATIENCE_MS) ? NULL : context;
}

static void loops_wake_each_other(void **state)
{
	struct ping_pong game = {{make_loop(), make_loop()}, {NULL, NULL}, 5000, {0, 0}};
	struct player players[2] = {{&game, 0}, {&game, 1}};
	pthread_t thread;
	void *failed;

	(void)state;
	pthread_create(&thread, NULL, run_side, &players[1]);
	assert_null(run_side(&players[0]));
	pthread_join(thread, &failed);
	assert_null(failed);
	loop_destroy(game.loops[0]);
	loop_destroy(game.loops[1]);
	assert_int_equal(game.count[1], 5000);
}

static struct loop *signalled;

static void stop_it(int number)
{
	(void)number;
	loop_stop(signalled);
}

static void raise_signal(void *context)
{
	(void)context;
	raise(SIGUSR1);
}

static void a_signal_handler_may_stop_a_loop(void **state)
{
	struct loop *loop = make_loop();

	(void)state;
	signalled = loop;
	signal(SIGUSR1, stop_it);
	loop_post(loop, raise_signal, NULL);
	loop_run(loop);
	/* Also before it runs: then it makes one turn. */
	loop_stop(loop);
	loop_run(loop);
	finish_loop(loop);
	signal(SIGUSR1, SIG_DFL);
}

static void posts_that_never_ran_are_freed(void **state)
{
	struct loop *loop = make_loop();

	(void)state;
	loop_post(loop, nothing, NULL);
	loop_destroy(loop);
}

/* --- descriptors and hooks ----------------------------------------------------------------- */

struct pair {
	struct loop *loop;
	struct loop_watch watches[2];
	int calls;
};

/* Whichever is called first removes and frees the other, whose event is in the same batch. */
static void remove_other(struct loop_watch *watch, uint32_t events)
{
	struct pair *pair = watch->context;
	struct loop_watch *other = &pair->watches[watch == &pair->watches[0]];

	(void)events;
	pair->calls++;
	loop_watch_remove(pair->loop, watch);
	loop_watch_remove(pair->loop, other);
	other->callback = NULL;
}

static void a_removed_watch_is_not_called(void **state)
{
	struct pair pair = {.loop = make_loop()};
	struct error err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pair.watches[i] = (struct loop_watch){eventfd(1, 0), remove_other, &pair};
		assert_true(loop_watch_add(pair.loop, &pair.watches[i], EPOLLIN, &err));
	}
	assert_true(loop_drain(pair.loop, 0));
	assert_int_equal(pair.calls, 1);
	finish_loop(pair.loop);
	for (int i = 0; i < 2; i++)
		close(pair.watches[i].fd);
}

/* A timer that is due in every turn, and removes the watch in one of them. */
struct remover {
	struct loop *loop;
	struct loop_timer timer;
	struct loop_watch watch;
	int turns, turns_left;
	bool is_removed;
	bool was_called_late;
};

static void remove_in_time(struct loop_timer *timer)
{
	struct remover *remover = timer->context;

	if (++remover->turns == remover->turns_left) {
		loop_watch_remove(remover->loop, &remover->watch);
		remover->is_removed = true;
	}
	if (remover->turns < remover->turns_left + 4)
		loop_timer_set(remover->loop, timer, loop_now_ns(remover->loop));
	else
		loop_stop(remover->loop);
}

static void note_late_call(struct loop_watch *watch, uint32_t events)
{
	struct remover *remover = watch->context;

	(void)events;
	remover->was_called_late |= remover->is_removed;
}

/* There is news of it at any time, so that the removal and the news fall into one turn. */
static void a_watch_which_a_timer_removes_is_not_called(void **state)
{
	(void)state;
	for (int i = 1; i < 12; i++) {
		struct remover remover = {.loop = make_loop(), .turns_left = i};
		struct error err;

		remover.timer = (struct loop_timer){.callback = remove_in_time, .context = &remover};
		remover.watch = (struct loop_watch){eventfd(1, 0), note_late_call, &remover};
		assert_true(loop_watch_add(remover.loop, &remover.watch, EPOLLIN, &err));
		loop_timer_set(remover.loop, &remover.timer, loop_now_ns(remover.loop));
		loop_run(remover.loop);
		assert_true(remover.is_removed);
		assert_false(remover.was_called_late);
		close(remover.watch.fd);
		loop_destroy(remover.loop);
	}
}

static void note_event(struct loop_watch *watch, uint32_t events)
{
	*(uint32_t *)watch->context = events;
}

static void a_watch_can_be_changed_and_a_bad_one_is_refused(void **state)
{
	struct loop *loop = make_loop();
	uint32_t seen = 0;
	struct loop_watch watch = {eventfd(1, 0), note_event, &seen};
	struct loop_watch closed = {9999, note_event, &seen};
	struct error err = {0};

	(void)state;
	assert_false(loop_watch_add(loop, &closed, EPOLLIN, &err));
	assert_int_equal(err.code, ERROR_UNAVAILABLE);
	assert_true(loop_watch_add(loop, &watch, EPOLLIN, &err));
	assert_true(loop_drain(loop, 0));
	assert_int_equal(seen, EPOLLIN);
	loop_watch_change(loop, &watch, EPOLLOUT);
	assert_true(loop_drain(loop, 0));
	assert_int_equal(seen, EPOLLOUT);
	loop_watch_remove(loop, &watch);
	seen = 0;
	assert_true(loop_drain(loop, 0));
	assert_int_equal(seen, 0);
	close(watch.fd);
	finish_loop(loop);
}

static int count_turn(struct loop_hook *hook)
{
	int *turns = hook->context;

	return ++*turns < 3 ? 0 : -1;
}

static void hooks_are_asked_each_turn_until_removed(void **state)
{
	struct loop *loop = make_loop();
	int first = 0, second = 0;
	struct loop_hook a = {count_turn, &first, NULL}, b = {count_turn, &second, NULL};

	(void)state;
	loop_hook_add(loop, &a);
	loop_hook_add(loop, &b);
	assert_true(loop_drain(loop, 0));
	assert_int_equal(first, 1);
	loop_hook_remove(loop, &a);
	assert_true(loop_drain(loop, 0));
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	loop_hook_remove(loop, &b);
	finish_loop(loop);
}

/* --- simulated time ------------------------------------------------------------------------- */

struct jumping {
	struct loop *loop;
	int64_t now_ns;
	int turns;
};

static int64_t read_jumping(void *context)
{
	return ((struct jumping *)context)->now_ns;
}

static int jump(struct loop_hook *hook)
{
	struct jumping *jumping = hook->context;
	int64_t next_ns = loop_next_ns(jumping->loop);

	jumping->turns++;
	if (next_ns != INT64_MAX && next_ns > jumping->now_ns)
		jumping->now_ns = next_ns;
	return 0;
}

static void sleep_a_day(void *context)
{
	struct jumping *jumping = context;

	assert_int_equal(loop_next_ns(jumping->loop), INT64_MAX);
	loop_post(jumping->loop, nothing, NULL);
	assert_int_equal(loop_next_ns(jumping->loop), 0);
	loop_sleep_ms(24 * 3600 * 1000);
}

static void a_simulated_clock_jumps_over_all_waiting(void **state)
{
	struct jumping jumping = {.now_ns = 1000};
	struct clock clock = {read_jumping, read_jumping, &jumping};
	struct loop_hook hook = {jump, &jumping, NULL};
	struct error err;

	(void)state;
	jumping.loop = loop_create(&clock, random_system(), &err);
	assert_non_null(jumping.loop);
	loop_hook_add(jumping.loop, &hook);
	loop_spawn(jumping.loop, sleep_a_day, &jumping);
	assert_int_equal(loop_next_ns(jumping.loop), 0);
	assert_true(loop_drain(jumping.loop, 25LL * 3600 * 1000));
	assert_int_equal(jumping.now_ns, 1000 + 24 * 3600 * (int64_t)SECOND_NS);
	assert_true(jumping.turns < 10);
	loop_hook_remove(jumping.loop, &hook);
	finish_loop(jumping.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_ring_in_order_of_time_then_of_setting),
		cmocka_unit_test(a_timer_set_for_now_rings_in_the_next_turn),
		cmocka_unit_test(timers_follow_the_clock_given),
		cmocka_unit_test(spawned_fibers_run_in_the_same_turn),
		cmocka_unit_test(drain_gives_up_at_its_time),
		cmocka_unit_test(fibers_that_breed_do_not_starve_descriptors),
		cmocka_unit_test(early_wake_ups_are_not_lost),
		cmocka_unit_test(a_deadline_ends_a_wait),
		cmocka_unit_test(a_wake_up_ends_a_wait_and_its_timer),
		cmocka_unit_test(ten_thousand_fibers_live_at_once),
		cmocka_unit_test(wake_ups_from_another_thread_all_arrive),
		cmocka_unit_test(a_deadline_and_a_wake_up_may_race),
		cmocka_unit_test(posts_from_four_threads_all_run),
		cmocka_unit_test(loops_wake_each_other),
		cmocka_unit_test(a_signal_handler_may_stop_a_loop),
		cmocka_unit_test(posts_that_never_ran_are_freed),
		cmocka_unit_test(a_removed_watch_is_not_called),
		cmocka_unit_test(a_watch_which_a_timer_removes_is_not_called),
		cmocka_unit_test(a_watch_can_be_changed_and_a_bad_one_is_refused),
		cmocka_unit_test(hooks_are_asked_each_turn_until_removed),
		cmocka_unit_test(a_simulated_clock_jumps_over_all_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

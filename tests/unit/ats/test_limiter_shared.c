/* A limit that several nodes share, as one of them sees it: what it tells and asks, and when. The
 * database is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/operation/shared.h"
#include "limiter_stage.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t MS_NS = 1000000;
static const int64_t NEVER_NS = INT64_MAX / 2;
enum { MESSAGES_MAX = 256, ROUND_TRIP_MS = 3 };

struct desk {
	struct limiter_stage stage;
	/* What it was asked, and says. */
	struct shared_message messages[MESSAGES_MAX];
	size_t count;
	int64_t stock;	   /* tokens that it has */
	int64_t wait_us;   /* said when it has none */
	int64_t pause_us;
	bool has_plenty; /* it grants ahead what is asked for */
	bool is_away;
	int64_t term;
	bool has_lease;
	int64_t calls; /* that went through */
	int64_t failed;
	struct error err;
};

static void say_now(void *context, struct node_term *term)
{
	struct desk *desk = context;

	*term = (struct node_term){.name = "nod_1", .number = desk->term};
}

static bool say_has(void *context, int64_t term)
{
	const struct desk *desk = context;

	return desk->has_lease && term == desk->term;
}

static bool say(void *context, const struct shared_message *message, struct shared_answer *answer,
		struct error *err)
{
	struct desk *desk = context;

	assert_true(desk->count < MESSAGES_MAX);
	desk->messages[desk->count++] = *message;
	loop_sleep_ms(ROUND_TRIP_MS);
	if (desk->is_away || !say_has(context, message->term.number))
		return error_set(err, ERROR_UNAVAILABLE, "the database is away");
	int64_t asked = message->wanted + (desk->has_plenty ? message->ahead : 0);
	int64_t tokens = asked < desk->stock ? asked : desk->stock;
	desk->stock -= tokens;
	*answer = (struct shared_answer){
		.tokens = tokens,
		.wait_us = message->wanted > 0 && tokens == 0 ? desk->wait_us : 0,
		.pause_us = desk->pause_us,
	};
	return true;
}

static int set_up(void **state)
{
	struct desk *desk = calloc(1, sizeof *desk);
	const struct shared_source source = {desk, say_now, say_has, say};

	limiter_stage_open(&desk->stage, 5);
	limiters_share_by(desk->stage.limiters, &source);
	desk->term = 1;
	desk->has_lease = true;
	desk->stock = 1000;
	*state = desk;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *desk = *state;

	limiter_stage_close(&desk->stage);
	free(desk);
	return 0;
}

static void hold(struct desk *desk, int64_t requests, int64_t per_seconds)
{
	const struct limiter_rules rules = {.requests = requests, .per_seconds = per_seconds,
					    .is_window = true, .environment_id = STR("env_1")};

	desk->stage.limiter = limiter_hold(desk->stage.limiters, STR("acc_1"), &rules);
	desk->stage.time.now_ns += per_seconds * SECOND_NS; /* what was before is out of the window */
}

struct call {
	struct desk *desk;
	int64_t starts_ms;
	int64_t lasts_ms;
	int64_t within_ms; /* 0: it has all time */
	bool is_background;
	bool ok;
	int64_t waited_ns;
	int64_t through_ms; /* after its start */
	struct error err;
};

static void make_call(void *context)
{
	struct call *call = context;
	struct desk *desk = call->desk;

	if (call->starts_ms > 0)
		loop_sleep_ms(call->starts_ms);
	int64_t start_ns = desk->stage.time.now_ns;
	int64_t deadline_ns = call->within_ms > 0 ? start_ns + call->within_ms * MS_NS : NEVER_NS;
	call->ok = call->is_background
			   ? limiter_acquire_background(desk->stage.limiter, 100, deadline_ns,
							&call->waited_ns, &call->err)
			   : limiter_acquire(desk->stage.limiter, deadline_ns, &call->waited_ns,
					     &call->err);
	call->through_ms = (desk->stage.time.now_ns - start_ns) / MS_NS;
	if (!call->ok)
		return;
	desk->calls++;
	loop_sleep_ms(call->lasts_ms);
	if (call->is_background)
		limiter_release_background(desk->stage.limiter);
	else
		limiter_release(desk->stage.limiter);
}

static void run(struct desk *desk, struct call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		calls[i].desk = desk;
		loop_spawn(desk->stage.loop, make_call, &calls[i]);
	}
	assert_true(loop_drain(desk->stage.loop, 24 * 3600 * 1000));
}

static const struct shared_message *last(const struct desk *desk)
{
	assert_true(desk->count > 0);
	return &desk->messages[desk->count - 1];
}

/* What the last message tells of is all that was granted. */
static void assert_all_told(const struct desk *desk, int64_t calls)
{
	assert_int_equal(last(desk)->granted, calls);
	assert_int_equal(last(desk)->ended, calls);
}

static void test_a_call_is_asked_for_and_its_end_is_told(void **state)
{
	struct desk *desk = *state;
	struct call call = {.lasts_ms = 100};

	hold(desk, 100, 10);
	run(desk, &call, 1);
	assert_true(call.ok);
	assert_int_equal(call.waited_ns, 0); /* the database's yes is no waiting */
	assert_int_equal(desk->count, 2);
	assert_int_equal(desk->messages[0].wanted, 1);
	assert_int_equal(desk->messages[0].requests, 100);
	assert_int_equal(desk->messages[0].length_us, 10000000);
	assert_true(desk->messages[0].is_window && !desk->messages[0].is_background);
	assert_int_equal(desk->messages[1].wanted, 0);
	assert_true(desk->messages[1].number > desk->messages[0].number);
	assert_all_told(desk, 1);
	assert_int_equal(limiters_telling(desk->stage.limiters), 0);
}

static void test_those_who_wait_are_asked_for_at_once_but_not_for_all_of_the_limit(void **state)
{
	struct desk *desk = *state;
	struct call calls[10] = {0};

	hold(desk, 100, 10);
	run(desk, calls, 10);
	assert_int_equal(desk->calls, 10);
	assert_int_equal(desk->messages[0].wanted, 1); /* the others were not there yet */
	int64_t most = 0, asked = 0;
	for (size_t i = 0; i < desk->count; i++) {
		most = desk->messages[i].wanted > most ? desk->messages[i].wanted : most;
		asked += desk->messages[i].wanted > 0;
	}
	assert_int_equal(most, 4); /* a 25th */
	assert_int_equal(asked, 4);
	assert_all_told(desk, 10);
}

static void test_who_gets_nothing_comes_again_when_he_was_told(void **state)
{
	struct desk *desk = *state;
	struct call call = {0};

	hold(desk, 100, 10);
	desk->stock = 0;
	desk->wait_us = 700000;
	call.starts_ms = 1;
	struct call other = {.starts_ms = 300};
	struct call calls[] = {call, other};
	desk->stock = 0;
	for (size_t i = 0; i < 2; i++) {
		calls[i].desk = desk;
		loop_spawn(desk->stage.loop, make_call, &calls[i]);
	}
	assert_false(loop_drain(desk->stage.loop, 500));
	assert_int_equal(desk->count, 1); /* the second did not ask */
	desk->stock = 5;
	assert_true(loop_drain(desk->stage.loop, 60000));
	assert_int_equal(desk->calls, 2);
	assert_in_range(calls[0].through_ms, 700, 720);
	assert_true(calls[0].waited_ns > 700 * MS_NS);
}

static void test_a_wait_that_cannot_end_in_time_is_refused_at_once(void **state)
{
	struct desk *desk = *state;
	struct call call = {.within_ms = 5000};

	hold(desk, 100, 10);
	desk->stock = 0;
	desk->wait_us = 8000000;
	run(desk, &call, 1);
	assert_false(call.ok);
	assert_int_equal(call.err.code, ERROR_RATE_LIMITED);
	assert_in_range(call.err.retry_after_ms, 7000, 8100);
	assert_true(call.through_ms < 100);
	/* Nobody waits any more, and the database knows. */
	assert_int_equal(last(desk)->wanted, 0);
	assert_true(desk->count == 2);
}

static void test_nothing_is_sent_without_the_database(void **state)
{
	struct desk *desk = *state;
	struct call calls[3] = {{.lasts_ms = 50}, {.lasts_ms = 50}, {.starts_ms = 5000}};

	hold(desk, 100, 10);
	desk->is_away = true;
	run(desk, calls, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_false(calls[i].ok);
		assert_int_equal(calls[i].err.code, ERROR_UNAVAILABLE);
	}
	desk->is_away = false;
	run(desk, &calls[2], 1);
	assert_true(calls[2].ok);
	assert_all_told(desk, 1);
}

static void come_back(void *context)
{
	struct desk *desk = context;

	loop_sleep_ms(20);
	desk->is_away = true;
	loop_sleep_ms(5000);
	desk->is_away = false;
}

static void test_what_ended_while_it_was_away_is_told_when_it_is_back(void **state)
{
	struct desk *desk = *state;
	struct call call = {.lasts_ms = 100};

	hold(desk, 100, 10);
	loop_spawn(desk->stage.loop, come_back, desk);
	run(desk, &call, 1);
	assert_true(call.ok);
	assert_true(desk->stage.time.now_ns >= 15 * SECOND_NS);
	assert_all_told(desk, 1);
}

/* Its token came, but the node has lost its lease meanwhile: the others may not know of it. */
static void lose_lease(void *context)
{
	struct desk *desk = context;

	loop_sleep_ms(5);
	desk->has_lease = false;
	loop_sleep_ms(1000);
	desk->term = 2;
	desk->has_lease = true;
}

static void test_a_token_of_a_lost_lease_is_not_used(void **state)
{
	struct desk *desk = *state;
	struct call calls[3] = {{.lasts_ms = 3000}, {.starts_ms = 1}, {.starts_ms = 2000}};

	hold(desk, 100, 10);
	loop_spawn(desk->stage.loop, lose_lease, desk);
	run(desk, calls, 3);
	assert_int_equal(desk->calls, 2);
	assert_true(calls[0].ok && calls[2].ok);
	assert_int_equal(calls[1].err.code, ERROR_UNAVAILABLE);
	/* Under the new name what is under way is told as granted anew. */
	assert_int_equal(last(desk)->term.number, 2);
	assert_all_told(desk, 2);
}

static void test_a_pause_comes_from_the_others(void **state)
{
	struct desk *desk = *state;
	struct call call = {.within_ms = 5000};

	hold(desk, 100, 10);
	desk->pause_us = 20000000;
	desk->stock = 0;
	desk->wait_us = 20000000;
	run(desk, &call, 1);
	assert_false(call.ok);
	assert_in_range(call.err.retry_after_ms, 19900, 20100);
	/* It is not news there. */
	assert_int_equal(last(desk)->pause_us, 0);
}

static void pause_for_long(void *context)
{
	struct desk *desk = context;

	limiter_pause(desk->stage.limiter, desk->stage.time.now_ns + 30 * SECOND_NS);
}

static void test_a_pause_is_told_at_once(void **state)
{
	struct desk *desk = *state;

	hold(desk, 100, 10);
	loop_spawn(desk->stage.loop, pause_for_long, desk);
	desk->pause_us = 30000000;
	assert_true(loop_drain(desk->stage.loop, 60000));
	assert_int_equal(desk->count, 1);
	assert_in_range(desk->messages[0].pause_us, 29900000, 30000001);
	assert_int_equal(desk->messages[0].wanted, 0);
}

static void pause_soon(void *context)
{
	struct desk *desk = context;

	loop_sleep_ms(20);
	desk->pause_us = 30000000;
	pause_for_long(desk);
}

static void test_who_waits_in_front_is_not_held_up_by_the_back(void **state)
{
	struct desk *desk = *state;
	struct call calls[2] = {{.is_background = true}, {.starts_ms = 100}};

	hold(desk, 100, 10);
	desk->stock = 0;
	desk->wait_us = 900000;
	for (size_t i = 0; i < 2; i++) {
		calls[i].desk = desk;
		loop_spawn(desk->stage.loop, make_call, &calls[i]);
	}
	assert_false(loop_drain(desk->stage.loop, 50));
	assert_true(desk->messages[0].is_background);
	assert_int_equal(desk->messages[0].left, 2);
	desk->stock = 1;
	assert_false(loop_drain(desk->stage.loop, 100));
	assert_int_equal(desk->calls, 1);
	assert_true(calls[1].ok && calls[1].through_ms < 10);
	desk->stock = 1;
	assert_true(loop_drain(desk->stage.loop, 60000));
	assert_true(calls[0].ok);
	assert_all_told(desk, 2);
}

static void test_what_nobody_waits_for_any_more_is_given_back(void **state)
{
	struct desk *desk = *state;
	struct call calls[4] = {{.within_ms = 2}, {.within_ms = 2}, {.within_ms = 2},
				{.within_ms = 2}};

	hold(desk, 1000, 10);
	run(desk, calls, 4);
	/* The answer came when their time was over. */
	assert_true(desk->stock < 1000);
	assert_all_told(desk, desk->calls);
}

/* One after the other. */
static void make_calls(void *context)
{
	struct call *call = context;

	for (int i = 0; i < 100; i++)
		make_call(call);
}

static void test_where_there_is_plenty_not_each_call_needs_a_message(void **state)
{
	struct desk *desk = *state;
	struct call call = {.desk = desk, .lasts_ms = 2};

	hold(desk, 1000, 10);
	desk->has_plenty = true;
	loop_spawn(desk->stage.loop, make_calls, &call);
	assert_true(loop_drain(desk->stage.loop, 60000));
	assert_int_equal(desk->calls, 100);
	assert_in_range(desk->count, 5, 20);
	for (size_t i = 0; i < desk->count; i++)
		assert_true(desk->messages[i].wanted + desk->messages[i].ahead <= 40);
	assert_all_told(desk, 100);
}

static void test_what_was_granted_ahead_is_given_back_soon(void **state)
{
	struct desk *desk = *state;
	struct call call = {.lasts_ms = 1};

	hold(desk, 1000, 1);
	desk->has_plenty = true;
	run(desk, &call, 1);
	assert_int_equal(desk->count, 2);
	assert_int_equal(desk->messages[0].ahead, 1);
	assert_int_equal(desk->stock, 998);
	assert_int_equal(last(desk)->ahead, 0);
	assert_all_told(desk, 1);
	/* A fiftieth of the limit's length. */
	assert_in_range(desk->stage.time.now_ns, 2 * SECOND_NS + 20 * MS_NS,
			2 * SECOND_NS + 40 * MS_NS);
}

static void test_the_back_uses_nothing_that_was_granted_ahead(void **state)
{
	struct desk *desk = *state;
	struct call calls[2] = {{.lasts_ms = 1}, {.starts_ms = 20, .is_background = true}};

	hold(desk, 1000, 10);
	desk->has_plenty = true;
	run(desk, calls, 2);
	assert_true(calls[1].ok);
	assert_true(desk->messages[1].is_background);
	assert_int_equal(desk->messages[1].wanted, 1);
	assert_int_equal(desk->messages[1].ahead, 0);
	assert_int_equal(desk->messages[1].granted, 1);
	assert_all_told(desk, 2);
}

static void test_what_the_back_uses_is_not_asked_for_ahead(void **state)
{
	struct desk *desk = *state;
	struct call calls[10];

	for (size_t i = 0; i < 10; i++)
		calls[i] = (struct call){.lasts_ms = 10, .is_background = true};
	hold(desk, 1000, 10);
	desk->has_plenty = true;
	run(desk, calls, 10);
	assert_int_equal(desk->calls, 10);
	for (size_t i = 0; i < desk->count; i++)
		assert_int_equal(desk->messages[i].ahead, 0);
	assert_all_told(desk, 10);
}

static void test_a_pause_ends_what_was_granted_ahead(void **state)
{
	struct desk *desk = *state;
	struct call calls[2] = {{.lasts_ms = 1}, {.starts_ms = 30, .within_ms = 5000}};

	hold(desk, 1000, 10);
	desk->has_plenty = true;
	loop_spawn(desk->stage.loop, pause_soon, desk);
	run(desk, calls, 2);
	assert_int_equal(calls[1].err.code, ERROR_RATE_LIMITED);
	assert_int_equal(desk->count, 2);
	assert_true(desk->messages[1].pause_us > 0);
	assert_all_told(desk, 1);
}

static void test_what_a_lost_lease_had_ahead_is_not_used(void **state)
{
	struct desk *desk = *state;
	struct call calls[3] = {{.lasts_ms = 1}, {.starts_ms = 20}, {.starts_ms = 2000}};

	hold(desk, 1000, 10);
	desk->has_plenty = true;
	loop_spawn(desk->stage.loop, lose_lease, desk);
	run(desk, calls, 3);
	assert_true(calls[0].ok && calls[2].ok);
	assert_int_equal(calls[1].err.code, ERROR_UNAVAILABLE);
	assert_int_equal(desk->calls, 2);
	assert_all_told(desk, 2);
}

static void test_an_account_that_has_no_id_yet_is_not_shared(void **state)
{
	struct desk *desk = *state;
	const struct limiter_rules rules = {.requests = 10, .per_seconds = 1};
	struct call call = {0};

	desk->stage.limiter = limiter_hold(desk->stage.limiters, STR("env_1/kiln"), &rules);
	run(desk, &call, 1);
	assert_true(call.ok);
	assert_int_equal(desk->count, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_call_is_asked_for_and_its_end_is_told),
		TEST(test_those_who_wait_are_asked_for_at_once_but_not_for_all_of_the_limit),
		TEST(test_who_gets_nothing_comes_again_when_he_was_told),
		TEST(test_a_wait_that_cannot_end_in_time_is_refused_at_once),
		TEST(test_nothing_is_sent_without_the_database),
		TEST(test_what_ended_while_it_was_away_is_told_when_it_is_back),
		TEST(test_a_token_of_a_lost_lease_is_not_used),
		TEST(test_a_pause_comes_from_the_others),
		TEST(test_a_pause_is_told_at_once),
		TEST(test_who_waits_in_front_is_not_held_up_by_the_back),
		TEST(test_what_nobody_waits_for_any_more_is_given_back),
		TEST(test_where_there_is_plenty_not_each_call_needs_a_message),
		TEST(test_what_was_granted_ahead_is_given_back_soon),
		TEST(test_the_back_uses_nothing_that_was_granted_ahead),
		TEST(test_what_the_back_uses_is_not_asked_for_ahead),
		TEST(test_a_pause_ends_what_was_granted_ahead),
		TEST(test_what_a_lost_lease_had_ahead_is_not_used),
		TEST(test_an_account_that_has_no_id_yet_is_not_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Writes under an Idempotency-Key: answered again from the note, refused when they differ, taken
 * up after a crash, forgotten after seven days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/idempotency/idempotency.h"
#define WORLD_HAS_A_WRITER true /* nodes renew their leases in threads */
#include "world.h"

static struct idempotency_request request_of(struct world *world, const char *key, const char *body)
{
	return (struct idempotency_request){world->environment.id, world->account.id,
					    str_from_c(key), STR("POST"),
					    STR("/unified/ats/wares"), str_from_c(body)};
}

static struct idempotency *open_notes(struct world *world)
{
	return idempotency_create(world->store, world->vault, world->node, &world->time.clock,
				  &world->random);
}

static struct idempotency_attempt *begin(struct world *world, struct idempotency *notes,
					 const char *key, const char *body)
{
	struct idempotency_request request = request_of(world, key, body);
	struct idempotency_attempt *attempt;
	struct idempotency_reply reply;

	if (!idempotency_begin(notes, &world->arena, &request, &attempt, &reply, &world->err))
		fail_msg("%s", world->err.message);
	assert_int_equal(reply.status, 0);
	assert_non_null(attempt);
	return attempt;
}

static void refuse(struct world *world, struct idempotency *notes, const char *key,
		   const char *body, enum error_code code)
{
	struct idempotency_request request = request_of(world, key, body);
	struct idempotency_attempt *attempt;
	struct idempotency_reply reply;

	assert_false(
		idempotency_begin(notes, &world->arena, &request, &attempt, &reply, &world->err));
	assert_int_equal(world->err.code, code);
	assert_string_equal(world->err.field, "Idempotency-Key");
}

static void end_with(struct idempotency_attempt *attempt, int status, const char *body)
{
	const struct idempotency_reply reply = {status, str_from_c(body)};

	idempotency_end(attempt, &reply);
}

static struct idempotency_reply replay(struct world *world, struct idempotency *notes,
				       const char *key, const char *body)
{
	struct idempotency_request request = request_of(world, key, body);
	struct idempotency_attempt *attempt;
	struct idempotency_reply reply;

	if (!idempotency_begin(notes, &world->arena, &request, &attempt, &reply, &world->err))
		fail_msg("%s", world->err.message);
	assert_null(attempt);
	return reply;
}

static void answer_again(struct world *world)
{
	struct idempotency *notes = open_notes(world);
	struct idempotency_attempt *attempt = begin(world, notes, "k", "{}");

	/* While it runs, and with another body, it is no replay. */
	refuse(world, notes, "k", "{}", ERROR_CONFLICT);
	assert_true(world->err.retry_after_ms > 0);
	end_with(attempt, 201, "{\"id\":\"1\"}");
	struct idempotency_reply reply = replay(world, notes, "k", "{}");
	assert_int_equal(reply.status, 201);
	assert_true(str_equal(reply.body, STR("{\"id\":\"1\"}")));
	refuse(world, notes, "k", "{ }", ERROR_CONFLICT);
	/* What failed may be tried again. */
	end_with(begin(world, notes, "f", "{}"), 422, "{}");
	end_with(begin(world, notes, "f", "{}"), 200, "{}");
	assert_int_equal(replay(world, notes, "f", "{}").status, 200);
	idempotency_destroy(notes);
	/* After a start of the program, too. */
	notes = open_notes(world);
	assert_int_equal(replay(world, notes, "k", "{}").status, 201);
	idempotency_destroy(notes);
}

static void test_the_same_again_is_answered_from_the_note(void **state)
{
	(void)state;
	world_run(answer_again);
}

static void refuse_keys(struct world *world)
{
	struct idempotency *notes = open_notes(world);
	char longest[257] = "";

	memset(longest, 'k', 255);
	end_with(begin(world, notes, longest, "{}"), 200, "{}");
	longest[255] = 'k';
	refuse(world, notes, longest, "{}", ERROR_INVALID);
	refuse(world, notes, "", "{}", ERROR_INVALID);
	refuse(world, notes, "a\tb", "{}", ERROR_INVALID);
	refuse(world, notes, "\xc3\xa9", "{}", ERROR_INVALID);
	idempotency_destroy(notes);
}

static void test_what_is_no_key_is_refused(void **state)
{
	(void)state;
	world_run(refuse_keys);
}

static enum journal_state find(struct world *world, struct idempotency_attempt *attempt,
			       size_t number, struct json *result)
{
	struct operation_journal *journal = idempotency_journal(attempt);
	int64_t sent_ms = 0;

	return journal->find(journal, number, &world->arena, result, &sent_ms);
}

static void crash(struct world *world)
{
	struct idempotency *notes = open_notes(world);
	struct idempotency_attempt *attempt = begin(world, notes, "k", "{}");
	struct operation_journal *journal = idempotency_journal(attempt);
	struct json result = json_undefined();

	assert_int_equal(find(world, attempt, 0, &result), JOURNAL_NONE);
	for (size_t number = 0; number < 3; number++)
		assert_true(journal->begin(journal, number, 1234, &world->err));
	assert_true(journal->end(journal, 0, json_string(STR("seven")), &world->err));
	assert_true(journal->end(journal, 2, json_undefined(), &world->err));
	/* The process ends here, and another one starts. */
	idempotency_destroy(notes);
	notes = open_notes(world);
	attempt = begin(world, notes, "k", "{}");
	assert_int_equal(find(world, attempt, 0, &result), JOURNAL_DONE);
	assert_true(str_equal(json_str(result), STR("seven")));
	assert_int_equal(find(world, attempt, 1, &result), JOURNAL_UNKNOWN);
	assert_int_equal(find(world, attempt, 2, &result), JOURNAL_NONE);
	assert_int_equal(find(world, attempt, 3, &result), JOURNAL_NONE);
	end_with(attempt, 200, "{}");
	idempotency_destroy(notes);
}

static void test_calls_of_a_cut_off_attempt_are_remembered(void **state)
{
	(void)state;
	world_run(crash);
}

static int64_t count_rows(struct world *world, const char *sql)
{
	struct store_rows rows;

	if (!store_query(world->store, &world->arena, sql, NULL, 0, &rows, &world->err))
		die("%s", world->err.message);
	return store_cell(&rows, 0, 0)->integer;
}

static void forget(struct world *world)
{
	static const char calls[] = "SELECT count(*) FROM idempotency_call";
	struct idempotency *notes = open_notes(world);
	struct idempotency_attempt *attempt = begin(world, notes, "old", "{}");
	struct operation_journal *journal = idempotency_journal(attempt);

	assert_true(journal->begin(journal, 0, 1, &world->err));
	end_with(attempt, 500, "{}");
	assert_int_equal(count_rows(world, calls), 1);
	/* Time passes while a commit is waited for: an hour is kept clear of the bound. */
	world->time.now_ns += (7LL * 24 - 1) * 3600 * 1000000000;
	end_with(begin(world, notes, "new", "{}"), 200, "{}");
	end_with(begin(world, notes, "old", "{}"), 200, "{}"); /* it is still known */
	assert_int_equal(replay(world, notes, "old", "{}").status, 200);
	world->time.now_ns += 2 * 3600LL * 1000000000;
	end_with(begin(world, notes, "newer", "{}"), 200, "{}");
	/* A write that waits is done after those that were queued before it. */
	end_with(begin(world, notes, "newest", "{}"), 200, "{}");
	assert_int_equal(count_rows(world, "SELECT count(*) FROM idempotency"), 3);
	assert_int_equal(count_rows(world, calls), 0);
	/* An account takes its notes with it. */
	assert_true(account_remove(world->accounts, world->environment.id, world->account.id,
				   &world->err));
	assert_int_equal(count_rows(world, "SELECT count(*) FROM idempotency"), 0);
	idempotency_destroy(notes);
}

static void test_notes_end_after_seven_days_and_with_their_account(void **state)
{
	(void)state;
	world_run(forget);
}

/* A note that is only good for so long is another request's afterwards, calls and all. */
static void be_good_for_a_while(struct world *world)
{
	struct idempotency *notes = open_notes(world);
	struct idempotency_request request = request_of(world, "k", "{}");
	struct idempotency_attempt *attempt;
	struct idempotency_reply reply;

	request.age_max_ms = 300000;
	end_with(begin(world, notes, "k", "{}"), 200, "{}");
	assert_true(idempotency_begin(notes, &world->arena, &request, &attempt, &reply,
				      &world->err));
	assert_int_equal(reply.status, 200);
	world->time.now_ns += 3600LL * 1000000000;
	assert_true(idempotency_begin(notes, &world->arena, &request, &attempt, &reply,
				      &world->err));
	assert_int_equal(reply.status, 0);
	end_with(attempt, 201, "{}");
	assert_int_equal(replay(world, notes, "k", "{}").status, 201);
	idempotency_destroy(notes);
}

static void test_a_note_may_be_good_for_a_shorter_time(void **state)
{
	(void)state;
	world_run(be_good_for_a_while);
}

static void seal(struct world *world)
{
	struct idempotency *notes = open_notes(world);
	struct store_rows rows;

	end_with(begin(world, notes, "k", "{}"), 200, "{\"name\":\"canary\"}");
	assert_true(store_query(world->store, &world->arena, "SELECT reply FROM idempotency", NULL, 0,
				&rows, &world->err));
	assert_int_equal(str_find(store_cell(&rows, 0, 0)->bytes, STR("canary")), -1);
	idempotency_destroy(notes);
}

static void test_replies_are_sealed(void **state)
{
	(void)state;
	world_run(seal);
}

/* --- several nodes ---------------------------------------------------------------------------- */

static struct node *make_node(struct world *world, const char *folder)
{
	const struct node_options options = {.store = world->store,
					     .clock = &world->time.clock,
					     .random = random_system(),
					     .folder = str_from_c(folder),
					     .version = "0"};
	struct node *node = node_create(&options, &world->err);

	assert_non_null(node);
	return node;
}

static struct idempotency *open_at(struct world *world, struct node *node)
{
	return idempotency_create(world->store, world->vault, node, &world->time.clock,
				  &world->random);
}

/* While its lease lives an attempt is its node's; afterwards another's, and the first sends no more. */
static void be_taken_over(struct world *world)
{
	static const struct store_statement die_for_others = {
		"DELETE FROM node WHERE folder = 'one'", NULL, 0, 1, false};

	world->time.step_ns = 0; /* no lease ends while a commit is waited for */
	struct node *nodes[] = {make_node(world, "one"), make_node(world, "two")};
	struct idempotency *one = open_at(world, nodes[0]), *two = open_at(world, nodes[1]);
	struct idempotency_attempt *first = begin(world, one, "k", "{}"), *second;
	struct operation_journal *journal = idempotency_journal(first);
	struct json result = json_undefined();

	assert_true(journal->begin(journal, 0, 1, &world->err));
	refuse(world, two, "k", "{}", ERROR_CONFLICT);
	assert_true(world->err.retry_after_ms > 0);
	assert_true(store_write(world->store, &die_for_others, 1, &world->err));
	refuse(world, two, "k", "{\"other\":1}", ERROR_CONFLICT);
	second = begin(world, two, "k", "{}");
	assert_int_equal(find(world, second, 0, &result), JOURNAL_UNKNOWN);
	assert_false(journal->begin(journal, 1, 2, &world->err));
	assert_int_equal(world->err.code, ERROR_CONFLICT);
	assert_false(journal->end(journal, 0, json_undefined(), &world->err));
	end_with(first, 201, "{\"id\":\"1\"}");
	end_with(second, 201, "{\"id\":\"2\"}");
	assert_true(str_equal(replay(world, one, "k", "{}").body, STR("{\"id\":\"2\"}")));
	idempotency_destroy(one);
	idempotency_destroy(two);
	node_destroy(nodes[0]);
	node_destroy(nodes[1]);
}

static void test_an_attempt_of_a_dead_node_is_taken_over(void **state)
{
	(void)state;
	world_run(be_taken_over);
}

static void be_ended(struct world *world)
{
	world->time.step_ns = 0;
	struct node *nodes[] = {make_node(world, "one"), make_node(world, "two")};
	struct idempotency *one = open_at(world, nodes[0]), *two = open_at(world, nodes[1]);
	struct idempotency_attempt *attempt = begin(world, one, "k", "{}");
	struct operation_journal *journal = idempotency_journal(attempt);
	struct json result = json_undefined();

	assert_true(journal->begin(journal, 0, 1, &world->err));
	assert_true(journal->end(journal, 0, json_string(STR("seven")), &world->err));
	assert_true(journal->begin(journal, 1, 1, &world->err));
	assert_true(journal->end(journal, 1, json_undefined(), &world->err));
	end_with(attempt, 503, "{}");
	attempt = begin(world, two, "k", "{}");
	assert_int_equal(find(world, attempt, 0, &result), JOURNAL_DONE);
	assert_int_equal(find(world, attempt, 1, &result), JOURNAL_NONE);
	refuse(world, one, "k", "{}", ERROR_CONFLICT);
	end_with(attempt, 201, "{}");
	assert_int_equal(replay(world, one, "k", "{}").status, 201);
	idempotency_destroy(one);
	idempotency_destroy(two);
	node_destroy(nodes[0]);
	node_destroy(nodes[1]);
}

static void test_an_attempt_that_failed_is_any_nodes(void **state)
{
	(void)state;
	world_run(be_ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_again_is_answered_from_the_note),
		cmocka_unit_test(test_what_is_no_key_is_refused),
		cmocka_unit_test(test_calls_of_a_cut_off_attempt_are_remembered),
		cmocka_unit_test(test_notes_end_after_seven_days_and_with_their_account),
		cmocka_unit_test(test_a_note_may_be_good_for_a_shorter_time),
		cmocka_unit_test(test_replies_are_sealed),
		cmocka_unit_test(test_an_attempt_of_a_dead_node_is_taken_over),
		cmocka_unit_test(test_an_attempt_that_failed_is_any_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

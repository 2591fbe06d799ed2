/* A write from its body to the record that came of it: checks, dry runs, calls in turn, answers
 * that are lost, and a journal which takes up what an earlier attempt began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

static struct operation write_of(struct world *world, const char *method, const char *id,
				 const char *body)
{
	struct operation operation = world_operation(world, "wares");
	struct error err;

	operation.method = OPERATION_WRITE;
	operation.write = str_from_c(method);
	operation.id = str_from_c(id);
	operation.remote_data = true;
	if (body != NULL && !json_parse(&world->arena, str_from_c(body), &json_limits_default,
					&operation.body, &err))
		die("%s", err.message);
	return operation;
}

static const char *spell(struct world *world, struct json value)
{
	struct buffer out;

	buffer_init(&out, &world->arena, 1 << 20);
	json_print(&out, value);
	return arena_c(&world->arena, buffer_str(&out));
}

static const char *member(struct world *world, const char *name)
{
	return spell(world, json_get_c(world->result.item, name));
}

/* --- what is refused before anything is sent -------------------------------------------------- */

static void refuse_bodies(struct world *world)
{
	static const struct {
		const char *method, *id, *body, *field, *allowed;
		enum error_code code;
	} cases[] = {
		{"create", NULL, "{}", "name", "a text", ERROR_INVALID},
		{"create", NULL, "{\"name\":\" \"}", "name", NULL, ERROR_INVALID},
		{"create", NULL, "{\"name\":[\"a\",\"b\"]}", "name", "a text", ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"weight\":1}", "weight",
		 "name, size, colour, stamps", ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"colour\":\"red\"}", "colour",
		 "name, size, stamps", ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"size\":\"wide\"}", "size", "a whole number",
		 ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"stamps\":[{\"name\":\"x\"},{\"nam\":1}]}",
		 "stamps[1].nam", "id, name", ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"stamps\":[{\"name\":\"x\"},null]}",
		 "stamps[1]", "an object", ERROR_INVALID},
		{"create", NULL, "{\"name\":\"a\",\"remote_data\":1}", "remote_data", "an object",
		 ERROR_INVALID},
		{"update", NULL, "{\"name\":\"a\"}", "id", NULL, ERROR_INVALID},
		{"update", "..", "{\"name\":\"a\"}", "id", NULL, ERROR_INVALID},
		{"polish", "1", NULL, "method", "get, create, update, delete, stamp-twice, size-as",
		 ERROR_NOT_SUPPORTED},
		{"burn", "1", NULL, "method",
		 "list, get, create, update, delete, stamp-twice, size-as, polish",
		 ERROR_NOT_FOUND},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct operation operation =
			write_of(world, cases[i].method, cases[i].id, cases[i].body);

		if (world_call(world, &operation))
			fail_msg("case %zu was taken", i);
		if (world->err.code != cases[i].code ||
		    strcmp(world->err.field, cases[i].field) != 0 ||
		    (cases[i].allowed != NULL && strcmp(world->err.allowed, cases[i].allowed) != 0))
			fail_msg("case %zu: %d \"%s\" \"%s\"", i, (int)world->err.code,
				 world->err.field, world->err.allowed);
	}
	struct operation_filter filter = {STR("colour"), STR("red")};
	struct operation operation = write_of(world, "create", NULL, "{\"name\":\"a\"}");
	operation.filters = &filter;
	operation.filter_count = 1;
	assert_false(world_call(world, &operation));
	assert_string_equal(world->err.field, "colour");
	assert_int_equal(world->kiln.calls, 0);
}

static void test_a_bad_body_is_refused_with_the_place_of_the_fault(void **state)
{
	(void)state;
	world_run(refuse_bodies);
}

/* --- what is sent ------------------------------------------------------------------------------ */

static void create(struct world *world)
{
	struct operation operation = write_of(
		world, "create", NULL,
		"{\"name\":\"vase\",\"size\":12,\"stamps\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");

	world_must(world, &operation);
	assert_string_equal(member(world, "id"), "\"1001\"");
	assert_string_equal(member(world, "name"), "\"vase\"");
	assert_string_equal(member(world, "size"), "\"12\"");
	assert_string_equal(member(world, "stamps"), "2");
	assert_int_equal(world->kiln.creations, 1);
	/* made, stamped twice, read */
	assert_int_equal(world->kiln.calls, 4);
	assert_string_equal(world->kiln.last_authorization, "Bearer kiln-secret-token");
}

static void test_calls_follow_one_another_and_the_record_is_read(void **state)
{
	(void)state;
	world_run(create);
}

static void change(struct world *world)
{
	struct operation operation = write_of(
		world, "update", "7",
		"{\"size\":\"9\",\"remote_data\":{\"pot\":{\"glaze\":\"shino\"},\"extra\":[1]}}");

	world_must(world, &operation);
	assert_string_equal(member(world, "size"), "\"9\"");
	assert_string_equal(world->kiln.last_type, "application/json");
	assert_string_equal(world->kiln.last_body,
			    "{\"pot\":{\"size\":9,\"glaze\":\"shino\"},\"extra\":[1]}");
	operation = write_of(world, "update", "4711", "{\"size\":9}");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	operation = write_of(world, "delete", "7", NULL);
	world_must(world, &operation);
	assert_string_equal(spell(world, world->result.item), "{\"id\":\"7\"}");
	assert_int_equal(world->kiln.count, 99);
}

static void test_changing_and_deleting(void **state)
{
	(void)state;
	world_run(change);
}

static void stamp(struct world *world)
{
	struct operation operation = write_of(
		world, "stamp-twice", NULL,
		"{\"id\":7,\"stamp\":\"x\\\"y\",\"picture\":{\"file_name\":\"a\\\"\\r\\n.png\","
		"\"content_type\":\"image/png\",\"content\":\"AAH/\"}}");

	world_must(world, &operation);
	assert_int_equal(world->kiln.stampings, 2);
	assert_non_null(strstr(world->kiln.last_type, "multipart/form-data; boundary="));
	assert_non_null(strstr(world->kiln.last_body, "name=\"stamp\"\r\n\r\nx\"y\r\n"));
	operation.dry_run = true;
	world_must(world, &operation);
	assert_int_equal(world->kiln.stampings, 2);
	operation = write_of(world, "stamp-twice", "7",
			     "{\"stamp\":\"x\",\"picture\":{\"content\":\"%%%\"}}");
	assert_false(world_call(world, &operation));
	assert_string_equal(world->err.field, "content");
}

static void test_a_custom_method_takes_its_id_from_the_body_and_sends_forms(void **state)
{
	(void)state;
	world_run(stamp);
}

static void dry(struct world *world)
{
	struct operation operation =
		write_of(world, "create", NULL, "{\"size\":3,\"stamps\":{\"name\":\"a\"}}");

	operation.dry_run = true;
	world_must(world, &operation);
	assert_string_equal(
		spell(world, world->result.item),
		"{\"dry_run\":true,\"calls\":["
		"{\"method\":\"POST\",\"path\":\"/pots\",\"query\":{},\"body\":{\"pot\":{\"size\":3}}},"
		"{\"method\":\"POST\",\"path\":\"/pots/{id}/stamps\",\"query\":{},"
		"\"body\":{\"stamp\":\"a\"}}],\"missing\":[\"name\",\"name\"]}");
	assert_int_equal(world->kiln.calls, 0);
}

static void test_a_dry_run_tells_calls_and_what_is_missing(void **state)
{
	(void)state;
	world_run(dry);
}

/* --- answers that are lost --------------------------------------------------------------------- */

static void lose_done(struct world *world)
{
	struct operation operation = write_of(world, "create", NULL, "{\"name\":\"vase\"}");

	world->kiln.faults[0] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	world->kiln.fault_count = 1;
	world_must(world, &operation);
	assert_string_equal(member(world, "id"), "\"1001\"");
	assert_int_equal(world->kiln.creations, 1);
}

static void test_what_was_done_although_its_answer_was_lost_is_found(void **state)
{
	(void)state;
	world_run(lose_done);
}

static void lose_undone(struct world *world)
{
	static const struct fault faults[] = {
		{.outcome = HTTP_BROKEN},
		{.outcome = HTTP_TIMED_OUT},
		{.status = 502},
		{.type = "text/html", .status = 200},
	};

	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct operation operation = write_of(world, "create", NULL, "{\"name\":\"vase\"}");

		world->kiln.faults[0] = faults[i];
		world->kiln.fault_count = 1;
		world->kiln.calls = 0;
		assert_false(world_call(world, &operation));
		assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
		assert_int_equal(world->kiln.creations, 0);
	}
}

static void test_what_left_no_trace_is_unknown_and_not_sent_again(void **state)
{
	(void)state;
	world_run(lose_undone);
}

static void lose_twins(struct world *world)
{
	struct operation operation = write_of(world, "create", NULL, "{\"name\":\"vase\"}");

	world_must(world, &operation);
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	world->kiln.fault_count = 1;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_int_equal(world->kiln.creations, 2);
}

static void test_of_two_that_look_alike_none_is_taken_for_it(void **state)
{
	(void)state;
	world_run(lose_twins);
}

static void repeat_safe(struct world *world)
{
	struct operation operation = write_of(world, "delete", "7", NULL);

	/* Deleted, the answer lost: the second try finds nothing, and that is well. */
	world->kiln.faults[0] = (struct fault){.outcome = HTTP_BROKEN, .is_applied = true};
	world->kiln.fault_count = 1;
	world_must(world, &operation);
	assert_int_equal(world->kiln.count, 99);
	/* One that was never there is an error all the same. */
	world->kiln.fault_count = 0;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	/* What was refused was certainly not done, and 429 is no answer but a request to wait. */
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.status = 429};
	world->kiln.fault_count = 1;
	operation = write_of(world, "create", NULL, "{\"name\":\"vase\"}");
	world_must(world, &operation);
	assert_int_equal(world->kiln.creations, 1);
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.status = 422};
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_int_equal(world->kiln.calls, 1);
}

static void test_what_may_be_repeated_is(void **state)
{
	(void)state;
	world_run(repeat_safe);
}

/* --- the journal ------------------------------------------------------------------------------- */

enum { NOTES_MAX = 8 };

struct notes {
	struct operation_journal journal;
	enum journal_state states[NOTES_MAX];
	struct json results[NOTES_MAX];
	int64_t sent_ms[NOTES_MAX];
	size_t begun;
	bool is_full;
	bool is_shut;
};

static enum journal_state find(struct operation_journal *journal, size_t number,
			       struct arena *arena, struct json *result, int64_t *sent_ms)
{
	struct notes *notes = (struct notes *)journal;

	(void)arena;
	*result = notes->results[number];
	*sent_ms = notes->sent_ms[number];
	return notes->states[number];
}

static bool begin(struct operation_journal *journal, size_t number, int64_t now_ms,
		  struct error *err)
{
	struct notes *notes = (struct notes *)journal;

	if (notes->is_full)
		return error_set(err, ERROR_UNAVAILABLE, "no room");
	notes->states[number] = JOURNAL_UNKNOWN;
	notes->sent_ms[number] = now_ms;
	notes->begun++;
	return true;
}

static bool end(struct operation_journal *journal, size_t number, struct json result,
		struct error *err)
{
	struct notes *notes = (struct notes *)journal;

	if (notes->is_shut)
		return error_set(err, ERROR_UNAVAILABLE, "no room");
	notes->results[number] = result;
	notes->states[number] =
		json_is(result, JSON_UNDEFINED) ? JOURNAL_NONE : JOURNAL_DONE;
	return true;
}

static void take_up(struct world *world)
{
	struct notes notes = {.journal = {find, begin, end}};
	struct operation operation = write_of(
		world, "create", NULL,
		"{\"name\":\"vase\",\"stamps\":[{\"name\":\"a\"},{\"name\":\"b\"}]}");

	operation.journal = &notes.journal;
	/* Made and stamped once; the second stamp is refused. */
	world->kiln.faults[2] = (struct fault){.status = 422};
	world->kiln.fault_count = 3;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_int_equal(strncmp(world->err.message, "done in part, id 1001; then: ", 29), 0);
	assert_int_equal(notes.states[0], JOURNAL_DONE);
	assert_int_equal(notes.states[1], JOURNAL_DONE);
	assert_int_equal(notes.states[2], JOURNAL_NONE);
	/* The same again makes no second one, and ends what was begun. */
	world->kiln.fault_count = 0;
	world_must(world, &operation);
	assert_string_equal(member(world, "id"), "\"1001\"");
	assert_string_equal(member(world, "stamps"), "2");
	assert_int_equal(world->kiln.creations, 1);
	assert_int_equal(notes.begun, 4);
}

static void test_a_second_attempt_goes_on_where_the_first_ended(void **state)
{
	(void)state;
	world_run(take_up);
}

static void take_up_unknown(struct world *world)
{
	struct notes notes = {.journal = {find, begin, end}};
	struct operation operation = write_of(world, "create", NULL, "{\"name\":\"vase\"}");

	operation.journal = &notes.journal;
	/* The process died after sending: nothing is sent before it is known what that did. */
	notes.states[0] = JOURNAL_UNKNOWN;
	notes.sent_ms[0] = clock_unix_ms(&world->time.clock);
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_true(world->err.retry_after_ms > 0);
	assert_int_equal(world->kiln.creations, 0);
	/* After a while nothing means that nothing was done. */
	loop_sleep_ms(121 * 1000);
	operation.deadline_ns = clock_monotonic_ns(&world->time.clock) + 60LL * 1000000000;
	world_must(world, &operation);
	assert_int_equal(world->kiln.creations, 1);
	/* What it did is found. */
	notes.states[0] = JOURNAL_UNKNOWN;
	world_must(world, &operation);
	assert_int_equal(world->kiln.creations, 1);
	assert_int_equal(notes.states[0], JOURNAL_DONE);
	/* What is done is done, although that cannot be noted. */
	notes.states[0] = JOURNAL_NONE;
	notes.is_shut = true;
	world_must(world, &operation);
	assert_int_equal(world->kiln.creations, 2);
	assert_int_equal(notes.states[0], JOURNAL_UNKNOWN);
	/* What cannot be noted beforehand is not sent. */
	notes.states[0] = JOURNAL_NONE;
	notes.is_full = true;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_UNAVAILABLE);
	assert_int_equal(world->kiln.creations, 2);
}

static void test_what_an_earlier_attempt_may_have_done_is_looked_for_first(void **state)
{
	(void)state;
	world_run(take_up_unknown);
}

/* --- reading before writing -------------------------------------------------------------------- */

static void take_up_repeatable(struct world *world)
{
	struct notes notes = {.journal = {find, begin, end}};
	struct operation operation = write_of(world, "update", "7", "{\"size\":\"9\"}");

	/* There is nothing to look for: twice does what once does. */
	operation.journal = &notes.journal;
	notes.states[0] = JOURNAL_UNKNOWN;
	world_must(world, &operation);
	assert_string_equal(member(world, "size"), "\"9\"");
	assert_int_equal(notes.states[0], JOURNAL_DONE);
	/* That it is refused now says nothing of the first time. */
	notes.states[0] = JOURNAL_UNKNOWN;
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.status = 422};
	world->kiln.fault_count = 1;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_OUTCOME_UNKNOWN);
	assert_true(world->err.retry_after_ms > 0);
	assert_int_equal(notes.states[0], JOURNAL_UNKNOWN);
	/* Gone by the first time, so it seems. */
	world->kiln.fault_count = 0;
	operation = write_of(world, "delete", "4711", NULL);
	operation.journal = &notes.journal;
	world_must(world, &operation);
	assert_int_equal(notes.states[0], JOURNAL_DONE);
}

static void test_what_may_be_repeated_is_sent_again_by_a_second_attempt(void **state)
{
	(void)state;
	world_run(take_up_repeatable);
}

static void read_first(struct world *world)
{
	struct operation operation = write_of(world, "update", "8", "{\"size\":9}");

	world_must(world, &operation);
	operation = write_of(world, "size-as", "7", "{\"other_id\":8}");
	operation.dry_run = true;
	world_must(world, &operation);
	assert_string_equal(member(world, "calls"),
			    "[{\"method\":\"PATCH\",\"path\":\"/pots/7\",\"query\":{},\"body\":"
			    "{\"pot\":{\"size\":9,\"name\":\"as large as 8 of 100\"}}}]");
	operation.dry_run = false;
	world_must(world, &operation);
	assert_string_equal(member(world, "size"), "\"9\"");
	/* Now they are: nothing is written. */
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_string_equal(world->err.field, "other_id");
	assert_string_equal(world->err.message, "Both are as large.");
	/* What is not there is told as the ATS tells it; without the id nothing can be read. */
	operation = write_of(world, "size-as", "7", "{\"other_id\":4711}");
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	operation = write_of(world, "size-as", "7", "{}");
	operation.dry_run = true;
	world->kiln.calls = 0;
	world_must(world, &operation);
	assert_string_equal(member(world, "missing"), "[\"other_id\"]");
	assert_int_equal(world->kiln.calls, 0);
}

static void test_what_is_read_decides_what_is_written(void **state)
{
	(void)state;
	world_run(read_first);
}

static void read_once(struct world *world)
{
	struct notes notes = {.journal = {find, begin, end}};
	struct operation operation = write_of(world, "update", "8", "{\"size\":12}");

	world_must(world, &operation);
	operation = write_of(world, "size-as", "7", "{\"other_id\":8}");
	operation.journal = &notes.journal;
	/* The third call, which writes, is refused. */
	world->kiln.calls = 0;
	world->kiln.faults[2] = (struct fault){.status = 422};
	world->kiln.fault_count = 3;
	assert_false(world_call(world, &operation));
	world->kiln.fault_count = 0;
	/* What was read then holds, whatever became of it. */
	struct operation change = write_of(world, "update", "8", "{\"size\":13}");
	world_must(world, &change);
	world_must(world, &operation);
	assert_string_equal(member(world, "size"), "\"12\"");
}

static void test_a_second_attempt_goes_by_what_the_first_one_read(void **state)
{
	(void)state;
	world_run(read_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bad_body_is_refused_with_the_place_of_the_fault),
		cmocka_unit_test(test_calls_follow_one_another_and_the_record_is_read),
		cmocka_unit_test(test_changing_and_deleting),
		cmocka_unit_test(test_a_custom_method_takes_its_id_from_the_body_and_sends_forms),
		cmocka_unit_test(test_a_dry_run_tells_calls_and_what_is_missing),
		cmocka_unit_test(test_what_was_done_although_its_answer_was_lost_is_found),
		cmocka_unit_test(test_what_left_no_trace_is_unknown_and_not_sent_again),
		cmocka_unit_test(test_of_two_that_look_alike_none_is_taken_for_it),
		cmocka_unit_test(test_what_may_be_repeated_is),
		cmocka_unit_test(test_a_second_attempt_goes_on_where_the_first_ended),
		cmocka_unit_test(test_what_an_earlier_attempt_may_have_done_is_looked_for_first),
		cmocka_unit_test(test_what_may_be_repeated_is_sent_again_by_a_second_attempt),
		cmocka_unit_test(test_what_is_read_decides_what_is_written),
		cmocka_unit_test(test_a_second_attempt_goes_by_what_the_first_one_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

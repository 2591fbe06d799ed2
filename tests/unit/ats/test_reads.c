/* Records that take more than one kind of call: a detail for each listed record, side lists that
 * are asked for by a filter, calls that may be refused, lists that tell more or less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

static void assert_ids(struct world *world, const char *expected)
{
	if (strcmp(world_ids(world), expected) != 0)
		fail_msg("\"%s\" is not \"%s\"", world_ids(world), expected);
}

static struct json field_of(const struct world *world, size_t index, const char *name)
{
	return json_get_c(json_at(world->result.items, index), name);
}

/* --- details ---------------------------------------------------------------------------------- */

static void list_details(struct world *world)
{
	struct operation operation = world_operation(world, "lids");

	/* No more is asked for than is wanted, and a page may end within a record. */
	operation.limit = 3;
	world_must(world, &operation);
	assert_ids(world, "lid-100-0 lid-100-1 lid-99-0");
	assert_int_equal(world->result.calls, 3);
	/* What came with the whole record is found, not what came with the list. */
	assert_true(str_equal(json_get_str(json_at(world->result.items, 0), "shelf"), STR("top")));
	operation.cursor = world->result.next_cursor;
	world_must(world, &operation);
	assert_ids(world, "lid-99-1 lid-98-0 lid-98-1");
	/* Deleted between list and detail: it is left out. */
	world->kiln.pots[3].is_lost = true;
	operation.cursor = world->result.next_cursor;
	world_must(world, &operation);
	assert_ids(world, "lid-96-0 lid-96-1 lid-95-0");
	assert_int_equal(world->result.remote_status, 0);
}

static void test_each_listed_record_is_asked_for(void **state)
{
	(void)state;
	world_run(list_details);
}

static void list_many_details(struct world *world)
{
	struct operation operation = world_operation(world, "lids");
	size_t count = 0;

	/* The calls of one operation are bounded: what is there is a page. */
	operation.limit = 100;
	world_must(world, &operation);
	assert_int_equal(world->result.calls, 20);
	assert_int_equal(world->result.items.count, 2 * 19);
	for (;;) {
		count += world->result.items.count;
		if (world->result.next_cursor.len == 0)
			break;
		operation.cursor = world->result.next_cursor;
		world_must(world, &operation);
	}
	assert_int_equal(count, 200);
}

static void test_details_end_with_the_calls_of_an_operation(void **state)
{
	(void)state;
	world_run(list_many_details);
}

static void fail_details(struct world *world)
{
	struct operation operation = world_operation(world, "lids");

	world->kiln.fault_count = 3;
	world->kiln.faults[2] = (struct fault){.status = 403};
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_FORBIDDEN);
	assert_int_equal(world->result.remote_status, 403);
	/* A listed record without an id cannot be asked for. */
	world->kiln.calls = 0;
	world->kiln.fault_count = 0;
	world->kiln.hides_ids = true;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_UPSTREAM);
}

static void test_a_detail_that_fails(void **state)
{
	(void)state;
	world_run(fail_details);
}

static void find_details(struct world *world)
{
	struct operation operation = world_operation(world, "lids");

	operation.method = OPERATION_GET;
	operation.id = STR("lid-98-1");
	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "id"), STR("lid-98-1")));
	assert_int_equal(world->result.calls, 4);
	operation.id = STR("lid-90-1"); /* farther away than may be searched */
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_LIMIT);
}

static void test_get_looks_into_details(void **state)
{
	(void)state;
	world_run(find_details);
}

/* --- side lists by a filter, calls that may be refused -----------------------------------------
 */

static void list_optional(struct world *world)
{
	struct operation operation = world_operation(world, "lids");
	struct operation_filter filter = {STR("pot_id"), STR("7")};

	operation.filters = &filter;
	operation.filter_count = 1;
	world_must(world, &operation);
	assert_ids(world, "other-70 lid-7");
	assert_false(world->result.is_partial);
	/* The wire handle is number 1 of those that the pot asked for has. */
	assert_true(json_equal(field_of(world, 1, "size"), json_int(1)));
	/* It is not there, or it may not be seen. */
	for (int status = 403; status <= 404; status++) {
		world->kiln.calls = 0;
		world->kiln.fault_count = 1;
		world->kiln.faults[0] = (struct fault){.status = status};
		world_must(world, &operation);
		assert_ids(world, "lid-7");
		assert_true(world->result.is_partial);
		assert_int_equal(world->result.remote_status, 0);
	}
	/* What need not be there must still not fail. */
	world->kiln.calls = 0;
	world->kiln.faults[0] = (struct fault){.status = 400};
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_INVALID);
}

static void test_a_call_that_may_be_refused(void **state)
{
	(void)state;
	world_run(list_optional);
}

static void get_optional(struct world *world)
{
	struct operation operation = world_operation(world, "lids");
	struct operation_filter filter = {STR("pot_id"), STR("7")};

	operation.method = OPERATION_GET;
	operation.filters = &filter;
	operation.filter_count = 1;
	operation.id = STR("lid-7");
	world->kiln.fault_count = 1;
	world->kiln.faults[0] = (struct fault){.status = 403};
	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "id"), STR("lid-7")));
	assert_int_equal(world->result.remote_status, 0);
}

static void test_get_passes_over_a_call_that_was_refused(void **state)
{
	(void)state;
	world_run(get_optional);
}

/* --- lists that tell more or less --------------------------------------------------------------
 */

static void list_more_or_less(struct world *world)
{
	struct operation operation = world_operation(world, "rims");

	operation.limit = 2;
	world_must(world, &operation);
	assert_true(world->result.is_partial);
	assert_true(json_is(field_of(world, 0, "size"), JSON_UNDEFINED));
	/* It is found again by what it tells of itself. */
	operation.expand = true;
	world_must(world, &operation);
	assert_ids(world, "100 99");
	assert_false(world->result.is_partial);
	assert_true(json_equal(field_of(world, 1, "size"), json_int(7)));
	assert_int_equal(world->result.calls, 3);
	/* The other kind of body: nothing is missing, and nothing is asked for again. */
	world->kiln.calls = 0;
	world->kiln.fault_count = 1;
	world->kiln.faults[0] =
		(struct fault){.body = "{\"pots\":[{\"id\":1,\"shelf\":\"s\",\"size\":5}]}"};
	world_must(world, &operation);
	assert_false(world->result.is_partial);
	assert_true(json_equal(field_of(world, 0, "size"), json_int(5)));
	assert_int_equal(world->result.calls, 1);
}

static void test_what_only_some_bodies_lack_is_absent_there(void **state)
{
	(void)state;
	world_run(list_more_or_less);
}

static void expand_untold(struct world *world)
{
	struct operation operation = world_operation(world, "rims");

	/* The second does not tell by what to find it again. */
	world->kiln.fault_count = 1;
	world->kiln.faults[0] =
		(struct fault){.body = "{\"pots\":[{\"id\":1,\"shelf\":\"s\"},{\"id\":2}]}"};
	operation.expand = true;
	world_must(world, &operation);
	assert_ids(world, "1 2");
	assert_true(world->result.is_partial);
	assert_true(json_equal(field_of(world, 0, "size"), json_int(7)));
	assert_true(json_is(field_of(world, 1, "size"), JSON_UNDEFINED));
}

static void test_a_record_that_cannot_be_found_again_stays_as_it_was(void **state)
{
	(void)state;
	world_run(expand_untold);
}

static void get_after_search(struct world *world)
{
	struct operation operation = world_operation(world, "rims");

	operation.method = OPERATION_GET;
	operation.id = STR("98");
	world_must(world, &operation);
	assert_true(json_equal(json_get_c(world->result.item, "size"), json_int(7)));
	assert_false(world->result.is_partial);
	assert_int_equal(world->result.calls, 2);
	/* Gone by then: what the list told is given, and that it is not all. */
	world->kiln.pots[2].is_lost = true;
	world_must(world, &operation);
	assert_true(str_equal(json_get_str(world->result.item, "id"), STR("98")));
	assert_true(json_is(json_get_c(world->result.item, "size"), JSON_UNDEFINED));
	assert_true(world->result.is_partial);
	/* Any other error is one of the whole. */
	world->kiln.pots[2].is_lost = false;
	world->kiln.calls = 0;
	world->kiln.fault_count = 2;
	world->kiln.faults[1] = (struct fault){.status = 403};
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_FORBIDDEN);
	assert_int_equal(world->result.remote_status, 403);
}

static void test_what_a_search_found_is_filled_up(void **state)
{
	(void)state;
	world_run(get_after_search);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_listed_record_is_asked_for),
		cmocka_unit_test(test_details_end_with_the_calls_of_an_operation),
		cmocka_unit_test(test_a_detail_that_fails),
		cmocka_unit_test(test_get_looks_into_details),
		cmocka_unit_test(test_a_call_that_may_be_refused),
		cmocka_unit_test(test_get_passes_over_a_call_that_was_refused),
		cmocka_unit_test(test_what_only_some_bodies_lack_is_absent_there),
		cmocka_unit_test(test_a_record_that_cannot_be_found_again_stays_as_it_was),
		cmocka_unit_test(test_what_a_search_found_is_filled_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

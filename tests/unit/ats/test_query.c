/* Queries which tenon answers itself: filters over mapped records, and what of them is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

enum { QUERY_MAX = 4 };

struct query {
	struct operation operation;
	struct operation_filter filters[QUERY_MAX];
};

static void ask(struct world *world, struct query *query, const char *resource)
{
	*query = (struct query){.operation = world_operation(world, resource)};
	query->operation.filters = query->filters;
	query->operation.limit = 1000;
}

static void add(struct query *query, const char *name, const char *value)
{
	query->filters[query->operation.filter_count++] =
		(struct operation_filter){str_from_c(name), str_from_c(value)};
}

static void assert_ids(struct world *world, struct query *query, const char *ids)
{
	query->operation.deadline_ns =
		clock_monotonic_ns(&world->time.clock) + 60LL * 1000000000;
	world_must(world, &query->operation);
	assert_string_equal(world_ids(world), ids);
}

static void assert_filter(struct world *world, const char *resource, const char *name,
			  const char *value, const char *ids)
{
	struct query query;

	ask(world, &query, resource);
	add(&query, name, value);
	assert_ids(world, &query, ids);
}

static void assert_refused(struct world *world, struct query *query, const char *field,
			   const char *allowed)
{
	if (world_call(world, &query->operation))
		fail_msg("%s is not refused", field);
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_string_equal(world->err.field, field);
	if (allowed != NULL && strstr(world->err.allowed, allowed) == NULL)
		fail_msg("allowed is \"%s\"", world->err.allowed);
}

/* --- filters --------------------------------------------------------------------------------- */

/* Pots are made one a minute, the first at 2026-01-01T00:01:00Z. */
static void compare_moments(struct world *world)
{
	kiln_fill(&world->kiln, 5);
	assert_filter(world, "plains", "created_at[gt]", "2026-01-01T00:03:00Z", "5 4");
	assert_filter(world, "plains", "created_at[gte]", "2026-01-01T00:03:00Z", "5 4 3");
	assert_filter(world, "plains", "created_at[lt]", "2026-01-01T00:03:00.001Z", "3 2 1");
	assert_filter(world, "plains", "created_at[lte]", "2026-01-01T01:03:00+01:00", "3 2 1");
	assert_filter(world, "plains", "created_at[gte]", "2026-01-02", "");
	assert_filter(world, "plains", "created_at[lt]", "2026-01-02", "5 4 3 2 1");
}

static void test_times_are_compared_as_moments(void **state)
{
	(void)state;
	world_run(compare_moments);
}

static void take_lists(struct world *world)
{
	struct query query;

	kiln_fill(&world->kiln, 6);
	assert_filter(world, "details", "name[in]", "2", "2");
	assert_filter(world, "details", "name[in]", "2, 5,9", "5 2");
	ask(world, &query, "details");
	add(&query, "name[in][]", "2");
	add(&query, "name[in][]", "5");
	assert_ids(world, &query, "5 2");
	snprintf(world->kiln.pots[0].name, sizeof world->kiln.pots[0].name, "a,b");
	assert_filter(world, "details", "name[in]", "a,b", "");
	assert_filter(world, "details", "name[in][]", "a,b", "6");
	add(&query, "name[in]", "6");
	assert_refused(world, &query, "name[in]", "once");
	ask(world, &query, "details");
	add(&query, "name[in]", "2,,3");
	assert_refused(world, &query, "name[in]", "a value");
	query.filters[0].value = STR("2,");
	assert_refused(world, &query, "name[in]", "commas");
}

static void test_one_of_several_values(void **state)
{
	(void)state;
	world_run(take_lists);
}

static void prefer_the_ats(struct world *world)
{
	struct query query;

	/* The made-up ATS takes the filter and ignores it: nothing is checked behind its back. */
	kiln_fill(&world->kiln, 3);
	assert_filter(world, "offsets", "shelf", "nowhere", "3 2 1");
	assert_non_null(strstr(world->kiln.last_url, "shelf=nowhere"));
	/* Where it is not asked, tenon does it: alone, and beside one which the ATS takes. */
	assert_filter(world, "plains", "shelf", "s2", "2");
	ask(world, &query, "details");
	add(&query, "shelf", "nowhere");
	add(&query, "name", "3");
	assert_ids(world, &query, "3");
	assert_non_null(strstr(world->kiln.last_url, "shelf=nowhere"));
	assert_null(strstr(world->kiln.last_url, "name"));
}

static void test_the_ats_is_asked_where_it_can_be(void **state)
{
	(void)state;
	world_run(prefer_the_ats);
}

/* --- filters on what a list does not tell ---------------------------------------------------- */

static void sift(struct world *world)
{
	struct query query;

	kiln_fill(&world->kiln, 30);
	for (size_t i = 0; i < 30; i++)
		world->kiln.pots[i].size = world->kiln.pots[i].id % 10 + 1;
	ask(world, &query, "details");
	add(&query, "size", "3");
	assert_ids(world, &query, "22 12 2");
	assert_int_equal(world->result.calls, 31);
	/* They were fetched whole, and are given so. */
	assert_false(world->result.is_partial);
	assert_true(json_equal(json_get_c(json_at(world->result.items, 0), "size"), json_int(3)));
	/* Who asks to expand them does not fetch them twice. */
	query.operation.expand = true;
	assert_ids(world, &query, "22 12 2");
	assert_int_equal(world->result.calls, 31);
	/* Those which another filter leaves out are not fetched. */
	query.operation.expand = false;
	add(&query, "name[in]", "12,13,22");
	assert_ids(world, &query, "22 12");
	assert_int_equal(world->result.calls, 4);
	query.operation.filter_count = 0;
	add(&query, "size[gt]", "9");
	assert_ids(world, &query, "29 19 9");
	world->kiln.pots[1].is_lost = true; /* 29 */
	assert_ids(world, &query, "19 9");
}

static void test_records_are_fetched_whole_for_a_filter(void **state)
{
	(void)state;
	world_run(sift);
}

static void walk_sifted(struct world *world)
{
	struct query query;
	struct buffer found;
	size_t pages = 0;

	kiln_fill(&world->kiln, 500);
	for (size_t i = 0; i < 500; i++)
		world->kiln.pots[i].size = world->kiln.pots[i].id % 100 + 1;
	ask(world, &query, "details");
	add(&query, "size", "51");
	query.operation.limit = 2;
	buffer_init(&found, &world->arena, 1 << 16);
	do {
		query.operation.deadline_ns =
			clock_monotonic_ns(&world->time.clock) + 60LL * 1000000000;
		world_must(world, &query.operation);
		assert_true(world->result.items.count <= 2);
		assert_true(world->result.calls <= 220);
		if (found.len > 0 && world->result.items.count > 0)
			buffer_append_byte(&found, ' ');
		buffer_append_c(&found, world_ids(world));
		query.operation.cursor = world->result.next_cursor;
	} while (query.operation.cursor.len > 0 && ++pages < 50);
	assert_true(str_equal_c(buffer_str(&found), "450 350 250 150 50"));
	/* Some page had to end for the budget, not for the limit. */
	assert_true(pages >= 2);
}

static void test_a_filter_costs_no_more_than_its_budget(void **state)
{
	(void)state;
	world_run(walk_sifted);
}

static void sift_by_page(struct world *world)
{
	struct query query;

	/* Whether a list tells the size is seen in its body alone. */
	kiln_fill(&world->kiln, 4);
	world->kiln.pots[1].size = 5;
	ask(world, &query, "rims");
	add(&query, "size", "5");
	assert_ids(world, &query, "3");
}

static void test_what_a_body_may_lack_is_fetched_too(void **state)
{
	(void)state;
	world_run(sift_by_page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_compared_as_moments),
		cmocka_unit_test(test_one_of_several_values),
		cmocka_unit_test(test_the_ats_is_asked_where_it_can_be),
		cmocka_unit_test(test_records_are_fetched_whole_for_a_filter),
		cmocka_unit_test(test_a_filter_costs_no_more_than_its_budget),
		cmocka_unit_test(test_what_a_body_may_lack_is_fetched_too),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}

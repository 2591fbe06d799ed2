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

/* --- fields ---------------------------------------------------------------------------------- */

static void assert_printed(struct world *world, struct json value, const char *expected)
{
	struct buffer out;

	buffer_init(&out, &world->arena, 1 << 16);
	json_print(&out, value);
	assert_string_equal(arena_c(&world->arena, buffer_str(&out)), expected);
}

static void choose_fields(struct world *world)
{
	struct query query;

	kiln_fill(&world->kiln, 1);
	ask(world, &query, "plains");
	query.operation.fields = STR("name, id");
	assert_ids(world, &query, "1");
	assert_printed(world, world->result.items, "[{\"id\":\"1\",\"name\":\"1\"}]");
	query.operation.fields = STR("custom_fields.name,shelf");
	query.operation.remote_data = true;
	world_must(world, &query.operation);
	assert_printed(world, world->result.items, "[{\"shelf\":\"s1\",\"custom_fields\":[]}]");
	query.operation.fields = STR("name,remote_data");
	world_must(world, &query.operation);
	assert_int_equal(json_at(world->result.items, 0).count, 2);
	query.operation.fields = (struct str){NULL, 0};
	query.operation.exclude_fields = STR("custom_fields,remote_url,updated_at,created_at,"
					     "remote_data,size");
	world_must(world, &query.operation);
	assert_printed(world, world->result.items,
		       "[{\"id\":\"1\",\"name\":\"1\",\"shelf\":\"s1\"}]");
	query.operation.exclude_fields = STR("name,colour");
	assert_refused(world, &query, "exclude_fields", "name, shelf");
	query.operation.exclude_fields = (struct str){NULL, 0};
	query.operation.fields = STR("custom_fields.colour");
	assert_refused(world, &query, "fields", NULL);
	query.operation.fields = STR("name,,id");
	assert_refused(world, &query, "fields", NULL);
}

static void test_only_the_fields_wanted_are_given(void **state)
{
	(void)state;
	world_run(choose_fields);
}

static void filter_by_what_is_not_given(struct world *world)
{
	struct query query;

	kiln_fill(&world->kiln, 4);
	world->kiln.pots[2].size = 5;
	ask(world, &query, "details");
	add(&query, "size", "5");
	query.operation.fields = STR("name");
	world_must(world, &query.operation);
	assert_printed(world, world->result.items, "[{\"name\":\"2\"}]");
	/* What a list lacks is only fetched, and told, where it is wanted. */
	query.operation.filter_count = 0;
	query.operation.expand = true;
	world_must(world, &query.operation);
	assert_int_equal(world->result.calls, 1);
	assert_false(world->result.is_partial);
	query.operation.fields = STR("size");
	world_must(world, &query.operation);
	assert_int_equal(world->result.calls, 5);
	assert_printed(world, world->result.items,
		       "[{\"size\":7},{\"size\":7},{\"size\":5},{\"size\":7}]");
	query.operation.expand = false;
	world_must(world, &query.operation);
	assert_true(world->result.is_partial);
	query.operation.method = OPERATION_GET;
	query.operation.id = STR("2");
	world_must(world, &query.operation);
	assert_printed(world, world->result.item, "{\"size\":5}");
}

static void test_fields_do_not_change_what_is_found(void **state)
{
	(void)state;
	world_run(filter_by_what_is_not_given);
}

static void key_records(struct world *world)
{
	struct query query;

	kiln_fill(&world->kiln, 2);
	ask(world, &query, "plains");
	query.operation.fields = STR("name");
	query.operation.key_by = STR("id");
	world_must(world, &query.operation);
	assert_printed(world, world->result.keyed, "{\"2\":{\"name\":\"2\"},\"1\":{\"name\":\"1\"}}");
	query.operation.key_by = STR("updated_at");
	assert_refused(world, &query, "key_by", "id");
	query.operation.key_by = STR("custom_fields.id");
	assert_refused(world, &query, "key_by", "one value");
	query.operation.key_by = STR("colour");
	assert_refused(world, &query, "key_by", NULL);
	snprintf(world->kiln.pots[0].name, sizeof world->kiln.pots[0].name, "1");
	query.operation.key_by = STR("name");
	assert_refused(world, &query, "key_by", "id");
	query.operation.method = OPERATION_GET;
	query.operation.id = STR("2");
	query.operation.resource = STR("details");
	assert_refused(world, &query, "key_by", "list");
}

static void test_records_by_their_keys(void **state)
{
	(void)state;
	world_run(key_records);
}

/* --- the ATS's own parameters ---------------------------------------------------------------- */

static void pass_on(struct world *world)
{
	struct operation_filter remote[] = {{STR("glaze[]"), STR("a&b")}, {STR("glaze[]"), STR("c")}};
	struct query query;

	ask(world, &query, "offsets");
	query.operation.limit = 5;
	query.operation.remote_query = remote;
	query.operation.remote_query_count = 2;
	world_must(world, &query.operation);
	assert_non_null(strstr(world->kiln.last_url, "a%26b"));
	assert_non_null(strstr(world->kiln.last_url, "=c"));
	/* A cursor is good for the same parameters alone. */
	query.operation.cursor = world->result.next_cursor;
	query.operation.remote_query_count = 1;
	assert_refused(world, &query, "next_cursor", NULL);
	query.operation.cursor = (struct str){NULL, 0};
	remote[0].name = STR("offset");
	assert_refused(world, &query, "remote_query", NULL);
	remote[0].name = STR("scope");
	assert_refused(world, &query, "remote_query", NULL);
}

static void test_parameters_of_the_ats_are_passed_on(void **state)
{
	(void)state;
	world_run(pass_on);
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
		cmocka_unit_test(test_only_the_fields_wanted_are_given),
		cmocka_unit_test(test_fields_do_not_change_what_is_found),
		cmocka_unit_test(test_records_by_their_keys),
		cmocka_unit_test(test_parameters_of_the_ats_are_passed_on),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}

/* Calls answered from the local copy: the same lists as the ATS gives, as long as the copy is fresh
 * enough; else the ATS is asked, and the copy is the fresher for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ats/copy/copy.h"
#include "world.h"

enum { FILTERS = 4 };

struct ask {
	struct operation operation;
	struct operation_filter filters[FILTERS];
	struct copy_wish wish;
	struct copy_answer answer;
};

static struct copies *copies;
static struct copy_place place;

static int64_t now_ms(struct world *world)
{
	return clock_unix_ms(&world->time.clock);
}

static struct ask ask_for(struct world *world, const char *resource)
{
	struct ask ask = {.operation = world_operation(world, resource)};

	ask.operation.limit = 100;
	ask.wish.max_age_ms = 60000;
	return ask;
}

static bool try_ask(struct world *world, struct ask *ask)
{
	ask->operation.filters = ask->filters;
	ask->operation.deadline_ns = clock_monotonic_ns(&world->time.clock) + 60LL * 1000000000;
	return copy_answer(copies, &world->services, &world->arena, &ask->operation, &ask->wish,
			   &world->result, &ask->answer, &world->err);
}

static const char *ids(struct world *world, struct ask *ask)
{
	if (!try_ask(world, ask))
		fail_msg("%s: %s", world->err.field, world->err.message);
	return world_ids(world);
}

static void filter(struct ask *ask, const char *name, const char *value)
{
	ask->filters[ask->operation.filter_count++] =
		(struct operation_filter){str_from_c(name), str_from_c(value)};
}

static void sort(struct ask *ask, const char *path, bool is_descending)
{
	ask->operation.sorts[ask->operation.sort_count++] =
		(struct operation_sort){str_from_c(path), is_descending};
}

static void note_whole(struct world *world)
{
	const struct store_statement note =
		copy_note_state(&world->arena, &place, now_ms(world), now_ms(world));

	assert_true(store_write(world->store, &note, 1, &world->err));
}

/* All that the ATS has is in the copy then. */
static void fill(struct world *world, const char *resource, size_t count, bool is_whole)
{
	struct operation operation = world_operation(world, resource);
	struct copy_write write = {.read_ms = now_ms(world)};
	struct copy_counts counts;

	copies = copies_create(world->store, world->model, &world->time.clock);
	place = (struct copy_place){world->account.environment_id, world->account.id,
				    str_from_c(resource)};
	write.place = place;
	kiln_fill(&world->kiln, (int)count);
	operation.limit = 1000;
	operation.expand = is_whole;
	world_must(world, &operation);
	assert_true(copy_put(copies, &world->arena, &write, world->result.items.items,
			     world->result.items.count, !is_whole, NULL, &counts, &world->err));
	assert_int_equal(counts.created, count);
	note_whole(world);
	world->kiln.calls = 0;
}

static void remove_one(struct world *world, const char *id)
{
	const struct copy_write write = {.place = place, .read_ms = now_ms(world)};
	struct str gone = str_from_c(id);
	struct copy_counts counts;

	assert_true(copy_remove(copies, &world->arena, &write, &gone, 1, &counts, &world->err));
	assert_int_equal(counts.deleted, 1);
}

static void refused(struct world *world, struct ask *ask, const char *field)
{
	assert_false(try_ask(world, ask));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_string_equal(world->err.field, field);
}

/* --- fresh or not ----------------------------------------------------------------------------- */

static void go_by_age(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 3, true);
	loop_sleep_ms(50000);
	int64_t slept_ms = now_ms(world);
	assert_string_equal(ids(world, &ask), "3 2 1");
	assert_true(ask.answer.is_from_copy);
	assert_in_range(ask.answer.age_ms, 50000, 60000);
	assert_int_equal(world->kiln.calls, 0);
	ask.wish.max_age_ms = ask.answer.age_ms + now_ms(world) - slept_ms;
	loop_sleep_ms(1);
	assert_string_equal(ids(world, &ask), "3 2 1");
	assert_false(ask.answer.is_from_copy);
	assert_true(world->kiln.calls > 0);
	copies_destroy(copies);
}

static void refresh(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 2, true);
	loop_sleep_ms(70000);
	snprintf(world->kiln.pots[0].name, sizeof world->kiln.pots[0].name, "new");
	ids(world, &ask);
	note_whole(world);
	ids(world, &ask);
	assert_true(ask.answer.is_from_copy);
	assert_true(str_equal_c(json_get_str(json_at(world->result.items, 0), "name"), "new"));
	copies_destroy(copies);
}

static void get_one(struct world *world)
{
	struct ask ask = ask_for(world, "details");

	fill(world, "details", 2, false);
	ask.operation.method = OPERATION_GET;
	ask.operation.id = STR("2");
	/* A list has told of it, and not all. */
	assert_true(try_ask(world, &ask));
	assert_false(ask.answer.is_from_copy);
	assert_int_equal(world->kiln.calls, 1);
	assert_true(try_ask(world, &ask));
	assert_true(ask.answer.is_from_copy);
	assert_int_equal(world->kiln.calls, 1);
	assert_true(str_equal_c(json_get_str(world->result.item, "id"), "2"));
	/* What the list tells is there in any case. */
	ask.operation.id = STR("1");
	ask.operation.fields = STR("id,name");
	assert_true(try_ask(world, &ask));
	assert_true(ask.answer.is_from_copy);
	assert_int_equal(world->result.item.count, 2);
	assert_false(world->result.is_partial);
	copies_destroy(copies);
}

static void get_gone(struct world *world)
{
	struct ask ask = ask_for(world, "details");
	struct copy_record record;

	fill(world, "details", 2, false);
	ask.operation.method = OPERATION_GET;
	ask.operation.id = STR("2");
	world->kiln.pots[0].is_lost = true;
	assert_false(try_ask(world, &ask));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	assert_true(copy_get(copies, &world->arena, &place, STR("2"), &record, &world->err));
	assert_true(record.deleted_ms > 0);
	ask.wish.wants_deleted = true;
	assert_true(try_ask(world, &ask));
	assert_true(json_is(json_get_c(world->result.item, "deleted_at"), JSON_STRING));
	copies_destroy(copies);
}

/* --- lists ------------------------------------------------------------------------------------- */

static void filter_and_sort(struct world *world)
{
	struct ask ask = ask_for(world, "details");

	fill(world, "details", 9, true);
	for (size_t i = 0; i < 9; i++)
		assert_true(i == 8 - (size_t)(world->kiln.pots[i].id - 1));
	filter(&ask, "name[in]", "2,5,7,99");
	assert_string_equal(ids(world, &ask), "7 5 2");
	sort(&ask, "name", false);
	assert_string_equal(ids(world, &ask), "2 5 7");
	filter(&ask, "name", "5");
	assert_string_equal(ids(world, &ask), "5");
	assert_int_equal(world->kiln.calls, 0);
	copies_destroy(copies);
}

static const char *next_ids(struct world *world, struct ask *ask)
{
	ask->operation.cursor = world->result.next_cursor;
	return ids(world, ask);
}

static void page(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 5, true);
	ask.operation.limit = 2;
	ask.wish.wants_total = true;
	assert_string_equal(ids(world, &ask), "5 4");
	assert_int_equal(ask.answer.total, 5);
	remove_one(world, "4");
	remove_one(world, "3");
	/* It goes on where it was, whatever came or went, and however old it is by then. */
	loop_sleep_ms(999999);
	ask.wish = (struct copy_wish){.max_age_ms = 1000};
	assert_string_equal(next_ids(world, &ask), "2 1");
	assert_true(ask.answer.is_from_copy);
	assert_int_equal(world->result.next_cursor.len, 0);
	assert_int_equal(world->kiln.calls, 0);
	copies_destroy(copies);
}

static void page_sorted(struct world *world)
{
	struct ask ask = ask_for(world, "details");

	fill(world, "details", 30, false);
	sort(&ask, "shelf", true);
	sort(&ask, "created_at", false);
	ask.operation.limit = 1000;
	const char *all = ids(world, &ask);
	struct buffer pages;

	buffer_init(&pages, &world->arena, SIZE_MAX);
	ask.operation.limit = 7;
	do {
		buffer_append_c(&pages, pages.len > 0 ? " " : "");
		buffer_append_c(&pages, next_ids(world, &ask));
	} while (world->result.next_cursor.len > 0);
	assert_true(str_equal_c(buffer_str(&pages), all));
	assert_int_equal(world->kiln.calls, 0);
	/* As the ATS's own list is sorted. */
	ask.operation.cursor = (struct str){NULL, 0};
	ask.operation.limit = 1000;
	world_must(world, &ask.operation);
	assert_string_equal(world_ids(world), all);
	copies_destroy(copies);
}

static void count_filtered(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 9, true);
	ask.wish.wants_total = true;
	filter(&ask, "shelf", "s2");
	ask.operation.filters = ask.filters;
	ask.operation.limit = 1000;
	world_must(world, &ask.operation);
	int64_t live = world->result.items.count;

	ask.operation.limit = 1;
	ids(world, &ask);
	assert_true(live > 0);
	assert_int_equal(ask.answer.total, live);
	copies_destroy(copies);
}

static void show_deleted(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 3, true);
	remove_one(world, "2");
	assert_string_equal(ids(world, &ask), "3 1");
	ask.wish.wants_deleted = true;
	ask.wish.wants_total = true;
	assert_string_equal(ids(world, &ask), "3 2 1");
	assert_int_equal(ask.answer.total, 3);
	assert_true(json_is(json_get_c(json_at(world->result.items, 1), "deleted_at"), JSON_STRING));
	assert_true(json_is(json_get_c(json_at(world->result.items, 0), "deleted_at"), JSON_UNDEFINED));
	copies_destroy(copies);
}

/* --- words -------------------------------------------------------------------------------------- */

static void put_named(struct world *world, const char *id, const char *name)
{
	struct copy_write write = {.place = place, .read_ms = now_ms(world)};
	struct copy_counts counts;
	const struct json_member members[] = {json_member(STR("id"), json_string_c(id)),
					      json_member(STR("name"), json_string_c(name))};
	struct json record = json_object(members, 2);

	assert_true(copy_put(copies, &world->arena, &write, &record, 1, false, NULL, &counts,
			     &world->err));
}

static const char *search(struct world *world, const char *words)
{
	struct ask ask = ask_for(world, "plains");

	ask.wish.search = str_from_c(words);
	/* The simulated time goes on while the store's own thread commits. */
	ask.wish.max_age_ms = 24LL * 60 * 60 * 1000;
	return ids(world, &ask);
}

static void search_words(struct world *world)
{
	fill(world, "plains", 0, true);
	put_named(world, "1", "Zoë Müller <zoe.mueller@example.org>");
	put_named(world, "2", "Adam O\"Neill");
	put_named(world, "3", "Zoe Adams");
	assert_string_equal(search(world, "zoe"), "1 3");
	assert_string_equal(search(world, "  zoe   adams "), "3");
	assert_string_equal(search(world, "adam*"), "2 3");
	assert_string_equal(search(world, "zoe.mueller@example.org"), "1");
	assert_string_equal(search(world, "O\"Neill"), "2");
	assert_string_equal(search(world, "zoe OR adam"), "");
	put_named(world, "2", "Eve");
	remove_one(world, "3");
	assert_string_equal(search(world, "adam*"), "");
	assert_string_equal(search(world, "eve"), "2");
	copies_destroy(copies);
}

/* --- what goes with what ------------------------------------------------------------------------ */

static void refuse(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 2, true);
	ask.wish.search = STR(" ");
	refused(world, &ask, "search");
	ask.wish.search = STR("x");
	ask.operation.remote_data = true;
	refused(world, &ask, "remote_data");
	ask.operation.remote_data = false;
	filter(&ask, "weight", "3");
	refused(world, &ask, "weight");
	ask.operation.filter_count = 0;
	loop_sleep_ms(99999);
	refused(world, &ask, "search");
	ask.wish = (struct copy_wish){.max_age_ms = 1, .wants_total = true};
	refused(world, &ask, "count");
	ask.operation.cursor = STR("c.forged");
	ask.wish.wants_total = false;
	refused(world, &ask, "next_cursor");
	copies_destroy(copies);
}

static void go_live(struct world *world)
{
	struct ask ask = ask_for(world, "plains");

	fill(world, "plains", 2, true);
	ask.operation.remote_data = true;
	ids(world, &ask);
	assert_false(ask.answer.is_from_copy);
	assert_true(json_is(json_get_c(json_at(world->result.items, 0), "remote_data"), JSON_OBJECT));
	ask = ask_for(world, "plains");
	ask.operation.is_traced = true;
	ids(world, &ask);
	assert_false(ask.answer.is_from_copy);
	/* A live list's cursor goes on live. */
	ask = ask_for(world, "plains");
	ask.operation.limit = 1;
	ask.wish.max_age_ms = 0;
	assert_string_equal(ids(world, &ask), "2");
	ask.wish.max_age_ms = 60000;
	assert_string_equal(next_ids(world, &ask), "1");
	assert_false(ask.answer.is_from_copy);
	copies_destroy(copies);
}

static void without_a_copy(struct world *world)
{
	struct ask ask = ask_for(world, "offsets");

	fill(world, "plains", 2, true);
	assert_string_equal(ids(world, &ask), "2 1");
	assert_false(ask.answer.is_from_copy);
	/* Nobody keeps it, so it is not begun by the way. */
	place.resource = STR("offsets");
	struct copy_state state;
	assert_true(copy_read_state(copies, &world->arena, &place, &state, &world->err));
	assert_false(state.is_there);
	copies_destroy(copies);
}

#define IN_WORLD(name, body)              \
	static void name(void **state)    \
	{                                 \
		(void)state;              \
		world_run(body);          \
	}
IN_WORLD(a_copy_is_good_until_it_is_too_old, go_by_age)
IN_WORLD(a_live_answer_refreshes_the_copy, refresh)
IN_WORLD(one_record_is_got_whole, get_one)
IN_WORLD(one_that_is_gone_becomes_a_tombstone, get_gone)
IN_WORLD(filters_and_order_are_the_same, filter_and_sort)
IN_WORLD(a_cursor_goes_on_in_the_copy, page)
IN_WORLD(sorted_pages_are_the_whole_list, page_sorted)
IN_WORLD(what_filters_leave_is_counted, count_filtered)
IN_WORLD(tombstones_are_told_on_request, show_deleted)
IN_WORLD(words_are_found, search_words)
IN_WORLD(what_only_one_of_them_can_is_refused, refuse)
IN_WORLD(what_the_copy_cannot_goes_live, go_live)
IN_WORLD(without_a_job_all_is_live, without_a_copy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_good_until_it_is_too_old),
		cmocka_unit_test(a_live_answer_refreshes_the_copy),
		cmocka_unit_test(one_record_is_got_whole),
		cmocka_unit_test(one_that_is_gone_becomes_a_tombstone),
		cmocka_unit_test(filters_and_order_are_the_same),
		cmocka_unit_test(a_cursor_goes_on_in_the_copy),
		cmocka_unit_test(sorted_pages_are_the_whole_list),
		cmocka_unit_test(what_filters_leave_is_counted),
		cmocka_unit_test(tombstones_are_told_on_request),
		cmocka_unit_test(words_are_found),
		cmocka_unit_test(what_only_one_of_them_can_is_refused),
		cmocka_unit_test(what_the_copy_cannot_goes_live),
		cmocka_unit_test(without_a_job_all_is_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lists page by page: each way of paging, lists that change between the pages, records within
 * records, cursors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/operation/place.h"
#include "world.h"

/* --- walking a whole list -------------------------------------------------------------------- */

enum { WALK_MAX = 8192, PAGES_MAX = 2000 };

struct walk {
	const char *resource;
	int64_t limit;     /* 0: another one for each page */
	void (*between)(struct world *world); /* after each page */
	struct operation_filter filters[4];
	size_t filter_count;
	/* What came. */
	struct str ids[WALK_MAX];
	size_t count;
	size_t pages;
	size_t short_pages;
};

static struct walk walk;

/* With a budget of so many records pages end early. 0: there is none. */
static size_t room;

struct budget {
	struct operation_budget base;
	size_t asked;
};

static bool has_room(struct operation_budget *base, struct json record)
{
	struct budget *budget = (struct budget *)base;

	assert_true(json_is(record, JSON_OBJECT));
	return budget->asked++ < room;
}

static void walk_page(struct world *world, struct str *cursor)
{
	struct operation operation = world_operation(world, walk.resource);

	operation.limit = walk.limit > 0 ? walk.limit
					 : 1 + (int64_t)(random_seeded_next(&world->seeded) % 25);
	operation.cursor = *cursor;
	operation.filters = walk.filters;
	operation.filter_count = walk.filter_count;
	struct budget budget = {{has_room}, 0};
	operation.budget = room > 0 ? &budget.base : NULL;
	world_must(world, &operation);
	assert_true(world->result.items.count <= (size_t)operation.limit);
	assert_true(room == 0 || world->result.items.count <= room);
	assert_true(world->kiln.limit_most <= 40);
	for (size_t i = 0; i < world->result.items.count; i++)
		walk.ids[walk.count++] = arena_str(&world->setup, world_id(world, i));
	if (world->result.items.count < (size_t)operation.limit)
		walk.short_pages++;
	*cursor = arena_str(&world->setup, world->result.next_cursor);
	arena_finish(&world->arena);
}

static void walk_all(struct world *world)
{
	struct str cursor = {NULL, 0};

	walk.count = walk.pages = walk.short_pages = 0;
	do {
		walk_page(world, &cursor);
		walk.pages++;
		assert_true(walk.pages < PAGES_MAX);
		if (walk.between != NULL)
			walk.between(world);
	} while (cursor.len > 0);
}

/* The same without a budget and with small ones. */
static void world_run_with_rooms(void (*test)(struct world *world))
{
	for (room = 0; room <= 3; room++)
		world_run(test);
	room = 0;
}

static size_t count_id(int64_t id)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%lld", (long long)id);
	size_t count = 0;

	for (size_t i = 0; i < walk.count; i++)
		count += str_equal(walk.ids[i], str_make(text, (size_t)len));
	return count;
}

/* 100 pots, newest first, each once. */
static void check_whole_walk(void)
{
	assert_int_equal(walk.count, 100);
	for (int i = 0; i < 100; i++) {
		int64_t id = 0;

		assert_true(str_to_int64(walk.ids[i], &id));
		assert_int_equal(id, 100 - i);
	}
}

static void walk_styles(struct world *world)
{
	static const char *const styles[] = {"offsets", "plains", "numbers", "cursors",
					     "links",   "wholes"};
	static const int64_t limits[] = {1, 3, 7, 10, 33, 40, 41, 99, 100, 101, 1000, 0};

	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		for (size_t j = 0; j < sizeof limits / sizeof limits[0]; j++) {
			walk = (struct walk){.resource = styles[i], .limit = limits[j]};
			world->kiln.limit_most = 0;
			walk_all(world);
			check_whole_walk();
		}
	}
}

static void test_each_way_of_paging_gives_the_list_at_any_limit(void **state)
{
	(void)state;
	world_run(walk_styles);
}

static void walk_with_little_room(struct world *world)
{
	static const char *const styles[] = {"offsets", "plains", "numbers", "cursors",
					     "links",   "wholes"};
	static const size_t rooms[] = {1, 2, 7, 39, 100};

	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		for (size_t j = 0; j < sizeof rooms / sizeof rooms[0]; j++) {
			room = rooms[j];
			walk = (struct walk){.resource = styles[i], .limit = 41};
			walk_all(world);
			check_whole_walk();
		}
	}
	room = 0;
}

static void test_a_page_that_ends_for_want_of_room_loses_nothing(void **state)
{
	(void)state;
	world_run(walk_with_little_room);
}

static void walk_full_pages(struct world *world)
{
	/* 41 is more than a native page has: two calls make one page. */
	walk = (struct walk){.resource = "cursors", .limit = 41};
	walk_all(world);
	assert_int_equal(walk.pages, 3);
	assert_int_equal(walk.short_pages, 1);
	walk = (struct walk){.resource = "numbers", .limit = 30};
	walk_all(world);
	assert_int_equal(walk.pages, 4);
}

static void test_several_native_pages_fill_one_page(void **state)
{
	(void)state;
	world_run(walk_full_pages);
}

static void walk_without_ids(struct world *world)
{
	static const char *const styles[] = {"offsets", "plains", "numbers", "cursors", "wholes"};

	world->kiln.hides_ids = true;
	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		walk = (struct walk){.resource = styles[i], .limit = 7};
		walk_all(world);
		assert_int_equal(walk.count, 100);
	}
}

static void test_records_without_ids_are_all_given(void **state)
{
	(void)state;
	world_run(walk_without_ids);
}

static void walk_empty(struct world *world)
{
	static const char *const styles[] = {"offsets", "numbers", "cursors", "links", "wholes"};

	world->kiln.count = 0;
	for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
		walk = (struct walk){.resource = styles[i], .limit = 7};
		walk_all(world);
		assert_int_equal(walk.count, 0);
		assert_int_equal(walk.pages, 1);
	}
}

static void test_an_empty_list_is_one_empty_page(void **state)
{
	(void)state;
	world_run(walk_empty);
}

/* --- lists that change ----------------------------------------------------------------------- */

/* What a list went through during a walk: the pots that were there all the time. */
struct changes {
	struct random_seeded seeded;
	int64_t next_id;
	int64_t newest;
	bool is_gone[POTS_MAX];
	int creations_max; /* between two calls */
	int deletions_max;
	bool only_in_front; /* created as the newest, as most lists have it */
	bool at_calls;      /* also between the native calls of one page */
};

static struct changes changes;

static uint64_t below(uint64_t count)
{
	return random_seeded_next(&changes.seeded) % count;
}

static void change_list(struct kiln *kiln)
{
	uint64_t deletions = changes.deletions_max > 0 ? below((uint64_t)changes.deletions_max + 1)
						       : 0;
	uint64_t creations = changes.creations_max > 0 ? below((uint64_t)changes.creations_max + 1)
						       : 0;

	for (uint64_t i = 0; i < deletions && kiln->count > 0; i++) {
		/* Most often near the front, where it moves all that follows. */
		size_t at = below(3) == 0 ? below(kiln->count) : below(kiln->count) / 3;

		changes.is_gone[kiln->pots[at].id] = true;
		kiln_remove(kiln, at);
	}
	for (uint64_t i = 0; i < creations && changes.next_id < POTS_MAX - 1; i++) {
		int64_t created = changes.only_in_front ? (changes.newest += 60)
							: (int64_t)below(60 * 100);

		kiln_add(kiln, changes.next_id++, created, 2);
	}
}

static void change_between(struct world *world)
{
	change_list(&world->kiln);
}

static void begin_changes(struct world *world, uint64_t seed, int ties)
{
	changes = (struct changes){.seeded = {.state = seed}};
	changes.next_id = 101;
	changes.newest = 6000;
	kiln_fill(&world->kiln, 100);
	for (size_t i = 0; i < world->kiln.count && ties > 1; i++)
		world->kiln.pots[i].created = world->kiln.pots[i].created / 60 / ties * 60;
	kiln_sort(&world->kiln);
	world->kiln.before_call = NULL;
}

/* Every pot that was there from beginning to end came once; none came twice. */
static void check_changed_walk(uint64_t seed)
{
	for (int64_t id = 1; id < changes.next_id; id++) {
		size_t count = count_id(id);

		if (count > 1 || (count == 0 && id <= 100 && !changes.is_gone[id]))
			fail_msg("seed %llu: pot %lld came %zu times", (unsigned long long)seed,
				 (long long)id, count);
	}
}

static void walk_changing(struct world *world)
{
	for (uint64_t seed = 1; seed <= 150; seed++) {
		begin_changes(world, seed, 1);
		changes.creations_max = (int)below(12);
		changes.deletions_max = (int)below(12);
		changes.only_in_front = true;
		if (seed % 2 == 0)
			world->kiln.before_call = change_list;
		walk = (struct walk){.resource = "offsets", .limit = seed % 3 == 0 ? 0 : 10,
				     .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
}

static void test_creations_and_deletions_lose_and_double_nothing(void **state)
{
	(void)state;
	world_run(walk_changing);
}

/* One change of each kind at each place of the list, after each page. */
static size_t change_at, change_after, changed_pages;
static bool is_change_creation;

static void change_once(struct world *world)
{
	struct kiln *kiln = &world->kiln;

	if (changed_pages++ != change_after)
		return;
	if (is_change_creation) {
		kiln_add(kiln, changes.next_id++,
			 change_at == 0 ? 7000 : kiln->pots[change_at].created + 30, 2);
		return;
	}
	changes.is_gone[kiln->pots[change_at].id] = true;
	kiln_remove(kiln, change_at);
}

static void walk_change_everywhere(struct world *world)
{
	for (int kind = 0; kind < 2; kind++) {
		for (change_after = 0; change_after < 3; change_after++) {
			for (change_at = 0; change_at < 30; change_at++) {
				begin_changes(world, 1, 1);
				for (size_t i = 30; world->kiln.count > 30; i = 30) {
					changes.is_gone[world->kiln.pots[i].id] = true;
					kiln_remove(&world->kiln, i);
				}
				is_change_creation = kind == 0;
				changed_pages = 0;
				walk = (struct walk){.resource = "offsets", .limit = 10,
						     .between = change_once};
				walk_all(world);
				check_changed_walk(change_at);
			}
		}
	}
}

static void test_a_change_at_any_place_after_any_page(void **state)
{
	(void)state;
	world_run(walk_change_everywhere);
}

static void walk_ties(struct world *world)
{
	static const int ties[] = {2, 3, 5, 8, 12, 15};

	for (uint64_t seed = 1; seed <= 120; seed++) {
		begin_changes(world, seed, ties[seed % 6]);
		changes.creations_max = (int)below(6);
		changes.deletions_max = (int)below(6);
		changes.only_in_front = true;
		world->kiln.shuffles_ties = seed % 2 == 0;
		walk = (struct walk){.resource = "offsets", .limit = seed % 3 == 0 ? 0 : 7,
				     .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
}

/* Equal order keys, in an order that changes from call to call. */
static void test_equal_keys_in_any_order_are_told_apart(void **state)
{
	(void)state;
	world_run(walk_ties);
}

static void walk_many_ties(struct world *world)
{
	/* All of one key, which is more than a cursor knows by id. */
	for (uint64_t seed = 1; seed <= 30; seed++) {
		begin_changes(world, seed, 1000);
		changes.deletions_max = 3;
		walk = (struct walk){.resource = "offsets", .limit = 9, .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
}

static void test_more_equal_keys_than_a_cursor_holds(void **state)
{
	(void)state;
	world_run(walk_many_ties);
}

static void walk_all_deleted(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	operation.limit = 50;
	world_must(world, &operation);
	struct str cursor = arena_str(&world->setup, world->result.next_cursor);
	/* All that was passed is gone, and more than any overlap. */
	while (world->kiln.pots[0].id > 50)
		kiln_remove(&world->kiln, 0);
	operation.cursor = cursor;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 50);
	assert_true(str_equal(world_id(world, 0), STR("50")));
	/* And the whole list. */
	world->kiln.count = 0;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 0);
	assert_int_equal(world->result.next_cursor.len, 0);
}

static void test_more_deleted_than_the_overlap_reaches(void **state)
{
	(void)state;
	world_run(walk_all_deleted);
}

static void walk_unordered(struct world *world)
{
	/* No order is promised: still, a few changes in front are seen through by the ids. */
	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin_changes(world, seed, 1);
		changes.creations_max = 3;
		changes.deletions_max = 3;
		changes.only_in_front = true;
		walk = (struct walk){.resource = seed % 2 == 0 ? "plains" : "wholes", .limit = 10,
				     .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin_changes(world, seed, 1);
		changes.creations_max = 5;
		changes.only_in_front = true;
		walk = (struct walk){.resource = "numbers", .limit = 10, .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
}

static void test_lists_without_a_promised_order_bear_small_changes(void **state)
{
	(void)state;
	world_run(walk_unordered);
}

static void walk_by_native_cursor(struct world *world)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin_changes(world, seed, 1);
		changes.creations_max = 5;
		changes.only_in_front = true;
		changes.deletions_max = 2;
		walk = (struct walk){.resource = seed % 2 == 0 ? "cursors" : "links", .limit = 0,
				     .between = change_between};
		walk_all(world);
		check_changed_walk(seed);
	}
}

static void test_native_cursors_bear_changes(void **state)
{
	(void)state;
	world_run(walk_by_native_cursor);
}

/* --- records within records ------------------------------------------------------------------ */

static void walk_handles(struct world *world)
{
	static const int64_t limits[] = {1, 2, 3, 5, 10, 64, 1000};
	size_t wanted = 0;

	for (size_t i = 0; i < world->kiln.count; i++) {
		world->kiln.pots[i].handles = (int)(i * 7 % 5);
		wanted += i * 7 % 5;
	}
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		walk = (struct walk){.resource = "handles", .limit = limits[i]};
		walk_all(world);
		assert_int_equal(walk.count, wanted);
		size_t at = 0;
		for (size_t j = 0; j < world->kiln.count; j++) {
			for (int n = 0; n < world->kiln.pots[j].handles; n++) {
				struct str id = arena_format(&world->setup, "%lld-%d",
							     (long long)world->kiln.pots[j].id, n);
				assert_true(str_equal(walk.ids[at++], id));
			}
		}
	}
}

static void test_records_within_records_are_given_in_pieces(void **state)
{
	(void)state;
	world_run_with_rooms(walk_handles);
}

static void walk_handles_changing(struct world *world)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		begin_changes(world, seed, 1);
		changes.creations_max = 4;
		changes.deletions_max = 4;
		changes.only_in_front = true;
		walk = (struct walk){.resource = "handles", .limit = 3, .between = change_between};
		walk_all(world);
		for (int64_t pot = 1; pot <= 100; pot++) {
			for (int n = 0; n < 2 && !changes.is_gone[pot]; n++) {
				struct str id = arena_format(&world->setup, "%lld-%d",
							     (long long)pot, n);
				size_t count = 0;

				for (size_t i = 0; i < walk.count; i++)
					count += str_equal(walk.ids[i], id);
				assert_int_equal(count, 1);
			}
		}
	}
}

static void test_a_page_that_ends_within_a_record_bears_changes(void **state)
{
	(void)state;
	world_run(walk_handles_changing);
}

static void walk_barren(struct world *world)
{
	kiln_fill(&world->kiln, 1500);
	for (size_t i = 0; i < world->kiln.count; i++)
		world->kiln.pots[i].handles = world->kiln.pots[i].id <= 2;
	struct operation operation = world_operation(world, "handles");
	operation.limit = 5;
	world_must(world, &operation);
	/* Empty native pages do not end the list; the calls of one operation are bounded. */
	assert_int_equal(world->result.items.count, 0);
	assert_true(world->result.next_cursor.len > 0);
	assert_int_equal(world->kiln.calls, 20);
	walk = (struct walk){.resource = "handles", .limit = 5};
	walk_all(world);
	assert_int_equal(walk.count, 2);
}

static void test_empty_native_pages_do_not_end_a_list(void **state)
{
	(void)state;
	world_run(walk_barren);
}

static void walk_matching(struct world *world)
{
	walk = (struct walk){.resource = "handles", .limit = 4, .filter_count = 1};
	walk.filters[0] = (struct operation_filter){STR("name"), STR("wire")};
	walk_all(world);
	assert_int_equal(walk.count, 100);
	for (size_t i = 0; i < walk.count; i++)
		assert_true(str_ends_with(walk.ids[i], STR("-1")));
	walk.filters[0] = (struct operation_filter){STR("name"), STR("gold")};
	walk_all(world);
	assert_int_equal(walk.count, 0);
}

static void test_filters_of_our_own_are_applied_over_pages(void **state)
{
	(void)state;
	world_run_with_rooms(walk_matching);
}

static void walk_calls(struct world *world)
{
	walk = (struct walk){.resource = "handles", .limit = 1, .filter_count = 1};
	walk.filters[0] = (struct operation_filter){STR("pot_id"), STR("42")};
	walk_all(world);
	assert_int_equal(walk.count, 3);
	assert_true(str_equal(walk.ids[0], STR("42-0")));
	assert_true(str_equal(walk.ids[1], STR("42-1")));
	assert_true(str_equal(walk.ids[2], STR("lid-42")));
	walk.limit = 10;
	walk_all(world);
	assert_int_equal(walk.count, 3);
	assert_int_equal(walk.pages, room == 0 ? 1 : (3 + room - 1) / room);
}

static void test_the_calls_of_one_list_follow_one_another(void **state)
{
	(void)state;
	world_run_with_rooms(walk_calls);
}

/* --- cursors --------------------------------------------------------------------------------- */

static void refuse_cursor(struct world *world, struct operation operation, struct str cursor)
{
	size_t calls = world->kiln.calls;

	operation.cursor = cursor;
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_string_equal(world->err.field, "next_cursor");
	assert_int_equal(world->kiln.calls, calls);
}

static void use_wrong_cursors(struct world *world)
{
	struct operation_filter shelf = {STR("shelf"), STR("top")};
	struct operation operation = world_operation(world, "offsets");
	struct account other = world_link(world, "{}");

	world_must(world, &operation);
	struct str cursor = world->result.next_cursor;
	assert_true(cursor.len > 0 && cursor.len < 400);
	refuse_cursor(world, operation, STR("10"));
	refuse_cursor(world, operation, STR("AAAA"));
	for (size_t i = 0; i < cursor.len; i += 7) {
		char *forged = arena_c(&world->arena, cursor);

		forged[i] = forged[i] == 'A' ? 'B' : 'A';
		refuse_cursor(world, operation, str_make(forged, cursor.len));
	}
	refuse_cursor(world, operation, str_slice(cursor, 0, cursor.len - 4));
	struct operation changed = operation;
	changed.account = &other;
	refuse_cursor(world, changed, cursor);
	changed = operation;
	changed.resource = STR("plains");
	refuse_cursor(world, changed, cursor);
	changed = operation;
	changed.filters = &shelf;
	changed.filter_count = 1;
	refuse_cursor(world, changed, cursor);
	char *flood = arena_alloc(&world->arena, 100000);
	memset(flood, 'A', 100000);
	refuse_cursor(world, operation, str_make(flood, 100000));
}

static void test_a_cursor_is_good_for_its_own_list_alone(void **state)
{
	(void)state;
	world_run(use_wrong_cursors);
}

static void reorder_filters(struct world *world)
{
	struct operation_filter filters[] = {{STR("shelf"), STR("top")},
					     {STR("created_at[gt]"), STR("2026-01-01")}};
	struct operation operation = world_operation(world, "offsets");

	operation.filters = filters;
	operation.filter_count = 2;
	world_must(world, &operation);
	operation.cursor = world->result.next_cursor;
	filters[0] = filters[1];
	filters[1] = (struct operation_filter){STR("shelf"), STR("top")};
	/* Neither the order of filters nor what does not change the list matters. */
	operation.expand = operation.remote_data = true;
	operation.limit = 3;
	world_must(world, &operation);
	assert_int_equal(world->result.items.count, 3);
}

static void test_a_cursor_bears_another_order_of_filters_and_another_limit(void **state)
{
	(void)state;
	world_run(reorder_filters);
}

static struct json any_member(struct world *world)
{
	uint64_t dice = random_seeded_next(&world->seeded);
	struct json value;

	switch (dice % 5) {
	case 0:
		return json_int((int64_t)random_seeded_next(&world->seeded));
	case 1:
		return json_int((int64_t)(dice >> 32) % 1000);
	case 2:
		value = json_string(arena_format(&world->arena, "%llx", (unsigned long long)dice));
		return value;
	case 3:
		value = json_string(STR("12345678901234567890123"));
		value.type = JSON_NUMBER_TEXT;
		return value;
	default:
		return json_undefined();
	}
}

static bool is_same_member(struct json a, struct json b)
{
	return a.type == b.type && (json_is(a, JSON_UNDEFINED) || place_compare(a, b) == 0);
}

static struct place any_place(struct world *world)
{
	struct place place = {
		.arena = &world->arena,
		.offset = (int64_t)(random_seeded_next(&world->seeded) >> 1),
		.size = (int64_t)random_seeded_next(&world->seeded) & 1023,
		.passed = (int64_t)random_seeded_next(&world->seeded) & 127,
		.token = arena_format(&world->arena, "%llu",
				      (unsigned long long)random_seeded_next(&world->seeded)),
		.parent = any_member(world),
		.children = (int64_t)random_seeded_next(&world->seeded) & 3,
	};
	size_t count = random_seeded_next(&world->seeded) % 300;
	struct json key = any_member(world);

	for (size_t i = 0; i < count; i++)
		place_pass(&place, key, any_member(world), 1 + count % 250);
	return place;
}

static void seal_places(struct world *world)
{
	const struct unified_resource *resource =
		connector_find_resource(world->connectors.items[0], STR("offsets"));
	struct run run = {
		.services = &world->services,
		.account = &world->account,
		.connector = world->connectors.items[0],
		.arena = &world->arena,
		.resource = resource,
		.plan = resource->list.alternatives,
	};

	for (int i = 0; i < 500; i++) {
		struct place place = any_place(world), opened;
		bool ok = cursor_open(&run, cursor_seal(&run, &place), &opened, &world->err);

		WORLD_CHECK(ok, world->err);
		assert_int_equal(opened.offset, place.offset);
		assert_int_equal(opened.size, place.size);
		assert_int_equal(opened.passed, place.passed);
		assert_true(str_equal(opened.token, place.token));
		assert_true(is_same_member(opened.parent, place.parent));
		assert_int_equal(opened.children, place.children);
		assert_true(is_same_member(opened.key, place.key));
		assert_int_equal(opened.tie_count, place.tie_count);
		assert_int_equal(opened.has_more_ties, place.has_more_ties);
		assert_int_equal(opened.id_count, place.id_count);
		for (size_t j = 0; j < place.id_count; j++)
			assert_true(is_same_member(opened.ids[j], place.ids[j]));
		arena_finish(&world->arena);
	}
}

static void test_any_place_goes_through_a_cursor(void **state)
{
	(void)state;
	world_run(seal_places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_way_of_paging_gives_the_list_at_any_limit),
		cmocka_unit_test(test_a_page_that_ends_for_want_of_room_loses_nothing),
		cmocka_unit_test(test_several_native_pages_fill_one_page),
		cmocka_unit_test(test_records_without_ids_are_all_given),
		cmocka_unit_test(test_an_empty_list_is_one_empty_page),
		cmocka_unit_test(test_creations_and_deletions_lose_and_double_nothing),
		cmocka_unit_test(test_a_change_at_any_place_after_any_page),
		cmocka_unit_test(test_equal_keys_in_any_order_are_told_apart),
		cmocka_unit_test(test_more_equal_keys_than_a_cursor_holds),
		cmocka_unit_test(test_more_deleted_than_the_overlap_reaches),
		cmocka_unit_test(test_lists_without_a_promised_order_bear_small_changes),
		cmocka_unit_test(test_native_cursors_bear_changes),
		cmocka_unit_test(test_records_within_records_are_given_in_pieces),
		cmocka_unit_test(test_a_page_that_ends_within_a_record_bears_changes),
		cmocka_unit_test(test_empty_native_pages_do_not_end_a_list),
		cmocka_unit_test(test_filters_of_our_own_are_applied_over_pages),
		cmocka_unit_test(test_the_calls_of_one_list_follow_one_another),
		cmocka_unit_test(test_any_place_goes_through_a_cursor),
		cmocka_unit_test(test_a_cursor_is_good_for_its_own_list_alone),
		cmocka_unit_test(test_a_cursor_bears_another_order_of_filters_and_another_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

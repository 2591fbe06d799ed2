/* The local copy: what has not changed writes nothing; what has is written with its events and with
 * what the caller must keep in step, all or nothing; the later read wins, whoever writes first. */
#include "account_testing.h"
#include "ats/copy/copy.h"

struct fixture {
	struct test *test;
	struct arena models;
	struct copies *copies;
	struct account account;
	struct copy_write write;
	struct copy_counts counts;
	int64_t numbers[16];
};

static const struct model *load_model(struct arena *arena)
{
	struct buffer faults;

	buffer_init(&faults, arena, 65536);
	const struct model *model = model_load(
		arena, disk_system(),
		arena_c(arena, arena_format(arena, "%s/models/ats", getenv("TENON_SOURCE"))),
		&faults);
	if (model == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	return model;
}

static struct fixture *begin(void **state)
{
	static struct fixture fixture;
	struct test *test = *state;

	fixture = (struct fixture){.test = test};
	arena_init(&fixture.models, 16 * 1024 * 1024);
	fixture.copies = copies_create(test->store, load_model(&fixture.models), &test->clock);
	fixture.account = link_account(test, test->production);
	fixture.write = (struct copy_write){
		.place = {test->production, fixture.account.id, STR("candidates")},
		.read_ms = 1000,
	};
	return &fixture;
}

static void end(struct fixture *fixture)
{
	copies_destroy(fixture->copies);
	arena_finish(&fixture->models);
}

static bool try_put(struct fixture *fixture, const char *text, bool is_partial)
{
	struct test *test = fixture->test;
	struct json records = parse(test, text);

	memset(fixture->numbers, -1, sizeof fixture->numbers);
	return copy_put(fixture->copies, &test->arena, &fixture->write, records.items,
			records.count, is_partial, fixture->numbers, &fixture->counts, &test->err);
}

/* Returns "created updated unchanged stale" as a number, "1020" say. */
static int put_as(struct fixture *fixture, const char *text, bool is_partial)
{
	const struct copy_counts *counts = &fixture->counts;

	if (!try_put(fixture, text, is_partial))
		fail_msg("%s", fixture->test->err.message);
	return (int)(counts->created * 1000 + counts->updated * 100 + counts->unchanged * 10 +
		     counts->stale);
}

static int put(struct fixture *fixture, int64_t read_ms, const char *text)
{
	fixture->write.read_ms = read_ms;
	return put_as(fixture, text, false);
}

static int put_partial(struct fixture *fixture, int64_t read_ms, const char *text)
{
	fixture->write.read_ms = read_ms;
	return put_as(fixture, text, true);
}

static int64_t remove_id(struct fixture *fixture, int64_t read_ms, const char *id)
{
	const struct str ids[] = {str_from_c(id), str_from_c(id)};

	fixture->write.read_ms = read_ms;
	assert_true(copy_remove(fixture->copies, &fixture->test->arena, &fixture->write, ids, 2,
				&fixture->counts, &fixture->test->err));
	return fixture->counts.deleted;
}

static struct copy_record get(struct fixture *fixture, const char *id)
{
	struct copy_record record;

	if (!copy_get(fixture->copies, &fixture->test->arena, &fixture->write.place, str_from_c(id),
		      &record, &fixture->test->err))
		fail_msg("%s", fixture->test->err.message);
	return record;
}

static void expect_body(struct fixture *fixture, const char *id, const char *body)
{
	const char *text = arena_c(&fixture->test->arena, get(fixture, id).body);

	if (!json_equal(parse(fixture->test, text), parse(fixture->test, body)))
		fail_msg("%s is not %s", text, body);
}

static struct copy_state read_state(struct fixture *fixture)
{
	struct copy_state state;

	assert_true(copy_read_state(fixture->copies, &fixture->test->arena, &fixture->write.place,
				    &state, &fixture->test->err));
	return state;
}

static uint64_t count_writes(struct fixture *fixture)
{
	struct store_counts counts;

	store_count(fixture->test->store, &counts);
	return counts.writes;
}

/* "type/id/version/changed;" of the events after the account's own. */
static const char *events(struct fixture *fixture)
{
	struct test *test = fixture->test;
	struct event_query query = {.environment_id = test->production, .limit = 1000};
	struct event *list;
	struct buffer out;
	size_t count;

	buffer_init(&out, &test->arena, 65536);
	assert_true(event_list(test->store, &test->arena, &query, &list, &count, &test->err));
	for (size_t i = 0; i < count; i++) {
		if (list[i].resource.len == 0)
			continue;
		buffer_append_format(&out, "%.*s/%.*s/%lld/", STR_ARGS(list[i].type),
				     STR_ARGS(list[i].record_id), (long long)list[i].version);
		json_print(&out, json_get_c(list[i].payload, "changed"));
		if (json_is(json_get_c(list[i].payload, "learned"), JSON_ARRAY))
			json_print(&out, json_get_c(list[i].payload, "learned"));
		buffer_append_c(&out, ";");
	}
	return arena_c(&test->arena, buffer_str(&out));
}

static void nothing_new_writes_nothing(void **state)
{
	struct fixture *fixture = begin(state);
	static const char page[] = "[{\"id\": \"1\", \"name\": \"Ada\"}, {\"id\": \"2\"}]";

	assert_int_equal(put(fixture, 1000, page), 2000);
	assert_int_equal(fixture->numbers[0], 1);
	assert_int_equal(fixture->numbers[1], 2);
	uint64_t writes = count_writes(fixture);
	assert_int_equal(put(fixture, 2000, page), 20);
	assert_int_equal(fixture->numbers[1], 2);
	assert_int_equal(count_writes(fixture), writes);
	assert_string_equal(events(fixture), "record:created/1/1/[];record:created/2/1/[];");
	assert_int_equal(get(fixture, "1").read_ms, 1000);
	assert_int_equal(read_state(fixture).record_count, 2);
	end(fixture);
}

static void a_change_tells_which_fields(void **state)
{
	struct fixture *fixture = begin(state);

	put(fixture, 1000, "[{\"id\": \"1\", \"name\": \"Ada\", \"title\": \"Clerk\"}]");
	assert_int_equal(put(fixture, 2000, "[{\"id\": \"1\", \"name\": \"Ada\", \"title\": \"Chief\","
					    " \"updated_at\": \"2026-01-02T03:04:05Z\"}]"),
			 100);
	assert_string_equal(events(fixture), "record:created/1/1/[];"
					     "record:updated/1/2/[\"title\",\"updated_at\"];");
	assert_int_equal(read_state(fixture).updated_max_ms, 1767323045000);
	assert_int_equal(get(fixture, "1").changed_ms, fixture->test->now_ms);
	end(fixture);
}

static void what_was_read_later_wins(void **state)
{
	struct fixture *fixture = begin(state);

	put(fixture, 2000, "[{\"id\": \"1\", \"name\": \"new\"}]");
	assert_int_equal(put(fixture, 1000, "[{\"id\": \"1\", \"name\": \"old\"}]"), 1);
	assert_int_equal(fixture->numbers[0], 1);
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"new\"}");
	assert_int_equal(remove_id(fixture, 1999, "1"), 0);
	assert_int_equal(remove_id(fixture, 3000, "1"), 1);
	assert_int_equal(put(fixture, 2999, "[{\"id\": \"1\", \"name\": \"new\"}]"), 1);
	assert_int_equal(get(fixture, "1").deleted_ms, fixture->test->now_ms);
	end(fixture);
}

static void a_deleted_record_may_come_back(void **state)
{
	struct fixture *fixture = begin(state);
	static const char page[] = "[{\"id\": \"1\", \"name\": \"Ada\"}]";

	put(fixture, 1000, page);
	assert_int_equal(remove_id(fixture, 2000, "1"), 1);
	assert_int_equal(remove_id(fixture, 2001, "1"), 0);
	assert_int_equal(remove_id(fixture, 2001, "nobody"), 0);
	assert_int_equal(read_state(fixture).record_count, 0);
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"Ada\"}");
	assert_int_equal(put(fixture, 3000, page), 1000);
	assert_int_equal(fixture->numbers[0], 1);
	assert_int_equal(read_state(fixture).record_count, 1);
	assert_string_equal(events(fixture), "record:created/1/1/[];record:deleted/1/2/[];"
					     "record:created/1/3/[];");
	end(fixture);
}

/* A page that was asked before a hint found the record gone is written after it. */
static void one_that_was_gone_before_stays_away(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;
	static const char page[] = "[{\"id\": \"1\", \"name\": \"Ada\"}]";
	struct copy_record record, *list;
	size_t count;

	fixture->write.notes_absent = true;
	assert_int_equal(remove_id(fixture, 2000, "1"), 0);
	assert_int_equal(put(fixture, 1999, page), 1);
	assert_int_equal(remove_id(fixture, 3000, "1"), 0);
	assert_int_equal(put(fixture, 2999, page), 1);
	/* Nobody sees it, or is told. */
	assert_int_equal(read_state(fixture).record_count, 0);
	assert_false(copy_get(fixture->copies, &test->arena, &fixture->write.place, STR("1"), &record,
			      &test->err));
	assert_true(copy_walk(fixture->copies, &test->arena, &fixture->write.place, 0, 10, true,
			      &list, &count, &test->err));
	assert_int_equal(count, 0);
	assert_string_equal(events(fixture), "");
	/* What is read later does bring it in. */
	assert_int_equal(put(fixture, 3001, page), 1000);
	assert_int_equal(read_state(fixture).record_count, 1);
	assert_string_equal(events(fixture), "record:created/1/1/[];");
	assert_int_equal(remove_id(fixture, 4000, "1"), 1);
	/* It came back, was gone again, and neither was seen. */
	assert_int_equal(remove_id(fixture, 5000, "1"), 0);
	assert_int_equal(put(fixture, 4999, page), 1);
	end(fixture);
}

static void a_silent_load_tells_nothing(void **state)
{
	struct fixture *fixture = begin(state);

	fixture->write.is_silent = true;
	put(fixture, 1000, "[{\"id\": \"1\", \"name\": \"Ada\"}]");
	assert_string_equal(events(fixture), "");
	fixture->write.is_silent = false;
	put(fixture, 2000, "[{\"id\": \"1\", \"name\": \"Eve\"}]");
	assert_string_equal(events(fixture), "record:updated/1/1/[\"name\"];");
	end(fixture);
}

static void of_two_of_one_id_the_last_counts(void **state)
{
	struct fixture *fixture = begin(state);

	assert_int_equal(put(fixture, 1000, "[{\"id\": \"1\", \"name\": \"Ada\"}, {\"name\": \"none\"},"
					    " {\"id\": \"\"}, {\"id\": \"1\", \"name\": \"Eve\"}]"),
			 1000);
	assert_int_equal(fixture->numbers[0], 1);
	assert_int_equal(fixture->numbers[1], 0);
	assert_int_equal(fixture->numbers[2], 0);
	assert_int_equal(fixture->numbers[3], 1);
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"Eve\"}");
	end(fixture);
}

static void a_partial_list_leaves_what_it_lacks(void **state)
{
	struct fixture *fixture = begin(state);

	put(fixture, 1000, "[{\"id\": \"1\", \"name\": \"Ada\", \"summary\": \"long\"}]");
	/* The list tells nothing new, and is known from then on. */
	assert_int_equal(put_partial(fixture, 2000, "[{\"id\": \"1\", \"name\": \"Ada\"}]"), 10);
	assert_false(get(fixture, "1").is_partial);
	uint64_t writes = count_writes(fixture);
	assert_int_equal(put_partial(fixture, 3000, "[{\"id\": \"1\", \"name\": \"Ada\"}]"), 10);
	assert_int_equal(count_writes(fixture), writes);
	assert_int_equal(put_partial(fixture, 4000, "[{\"id\": \"1\", \"name\": \"Eve\"}]"), 100);
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"Eve\",\"summary\":\"long\"}");
	assert_true(get(fixture, "1").is_partial);
	/* What was taken from before is found to hold still. */
	assert_int_equal(put(fixture, 5000,
			     "[{\"id\": \"1\", \"name\": \"Eve\", \"summary\": \"long\"}]"),
			 10);
	assert_false(get(fixture, "1").is_partial);
	assert_string_equal(events(fixture),
			    "record:created/1/1/[];record:updated/1/2/[\"name\"];");
	end(fixture);
}

static bool is_changed(struct fixture *fixture, const char *listed)
{
	struct json records = parse(fixture->test, listed);
	bool changed[1];

	assert_true(copy_find_changed(fixture->copies, &fixture->test->arena,
				      &fixture->write.place, fixture->write.is_rough,
				      records.items, 1, changed, NULL, &fixture->test->err));
	return changed[0];
}

static void what_is_known_for_the_first_time_is_no_change(void **state)
{
	struct fixture *fixture = begin(state);

	put_partial(fixture, 1000, "[{\"id\": \"1\", \"name\": \"Ada\"}]");
	put(fixture, 2000, "[{\"id\": \"1\", \"name\": \"Ada\", \"summary\": \"long\"}]");
	put_partial(fixture, 3000, "[{\"id\": \"2\", \"name\": \"Bob\"}]");
	put(fixture, 4000, "[{\"id\": \"2\", \"name\": \"Eve\", \"summary\": \"long\"}]");
	put(fixture, 5000, "[{\"id\": \"2\", \"name\": \"Eve\", \"summary\": \"new\"}]");
	assert_string_equal(events(fixture), "record:created/1/1/[];"
					     "record:updated/1/2/[][\"summary\"];"
					     "record:created/2/1/[];"
					     "record:updated/2/2/[\"name\"][\"summary\"];"
					     "record:updated/2/3/[\"summary\"];");
	end(fixture);
}

/* Of the candidates' fields one is told by lists otherwise than by gets. */
static void begin_rough(struct fixture *fixture, bool *is_rough)
{
	const struct model_resource *resource =
		model_find(load_model(&fixture->models), STR("candidates"));

	for (size_t i = 0; i < resource->field_count; i++)
		if (str_equal(resource->fields[i].name, STR("photo_url")))
			is_rough[i] = true;
	fixture->write.is_rough = is_rough;
}

static void what_lists_tell_otherwise_is_no_change(void **state)
{
	struct fixture *fixture = begin(state);
	static const char small[] =
		"[{\"id\": \"1\", \"name\": \"%s\", \"photo_url\": \"https://x.example/%s\"}]";
	bool is_rough[200] = {false};
	char text[200];

	begin_rough(fixture, is_rough);
	snprintf(text, sizeof text, small, "Ada", "small");
	put_partial(fixture, 1000, text);
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"Ada\","
				  "\"photo_url\":\"https://x.example/small\"}");
	snprintf(text, sizeof text, small, "Ada", "large");
	assert_int_equal(put(fixture, 2000, text), 100);
	for (int i = 0; i < 2; i++) { /* known whole, and in part */
		snprintf(text, sizeof text, small, i == 0 ? "Ada" : "Eve", "small");
		put_partial(fixture, 3000 + i, text);
		snprintf(text, sizeof text, small, i == 0 ? "Ada" : "Eve", "large");
		assert_int_equal(put(fixture, 4000 + i, text), 10);
	}
	assert_string_equal(events(fixture), "record:created/1/1/[];"
					     "record:updated/1/2/[][\"photo_url\"];"
					     "record:updated/1/3/[\"name\"];");
	expect_body(fixture, "1", "{\"id\":\"1\",\"name\":\"Eve\","
				  "\"photo_url\":\"https://x.example/large\"}");
	end(fixture);
}

static void what_lists_tell_otherwise_may_change(void **state)
{
	struct fixture *fixture = begin(state);
	static const char photo[] = "[{\"id\": \"1\", \"photo_url\": \"https://x.example/%s\"}]";
	static const char *const lists[] = {"small", "small", "other"};
	bool is_rough[200] = {false};
	char text[200];

	begin_rough(fixture, is_rough);
	snprintf(text, sizeof text, photo, "large");
	put(fixture, 1000, text);
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof text, photo, lists[i]);
		put_partial(fixture, 2000 + i, text);
	}
	/* A get after a list has told another one tells it better. */
	assert_true(get(fixture, "1").is_partial);
	snprintf(text, sizeof text, photo, "other-large");
	put(fixture, 5000, text);
	snprintf(text, sizeof text, photo, "third-large");
	put(fixture, 6000, text);
	assert_string_equal(events(fixture), "record:created/1/1/[];"
					     "record:updated/1/2/[\"photo_url\"];"
					     "record:updated/1/3/[][\"photo_url\"];"
					     "record:updated/1/4/[\"photo_url\"];");
	end(fixture);
}

static void a_list_is_known_again(void **state)
{
	struct fixture *fixture = begin(state);
	static const char ada[] = "[{\"id\": \"1\", \"name\": \"Ada\"}]";

	assert_true(is_changed(fixture, ada));
	put_partial(fixture, 1000, ada);
	assert_true(is_changed(fixture, ada)); /* it is not whole */
	fixture->write.listed = parse(fixture->test, ada).items;
	put(fixture, 2000, "[{\"id\": \"1\", \"name\": \"Ada\", \"summary\": \"long\"}]");
	fixture->write.listed = NULL;
	assert_false(is_changed(fixture, ada));
	assert_true(is_changed(fixture, "[{\"id\": \"1\", \"name\": \"Eve\"}]"));
	remove_id(fixture, 3000, "1");
	assert_true(is_changed(fixture, ada));
	end(fixture);
}

static void what_changes_by_itself_is_no_change(void **state)
{
	struct fixture *fixture = begin(state);
	static const char page[] =
		"[{\"id\": \"1\", \"photo_url\": \"https://x.example/p?sig=%s\"%s}]";
	char text[200];

	snprintf(text, sizeof text, page, "one", ", \"remote_data\": {\"a\": 1}");
	put(fixture, 1000, text);
	snprintf(text, sizeof text, page, "two", ", \"remote_data\": {\"a\": 2}");
	assert_int_equal(put(fixture, 2000, text), 10);
	expect_body(fixture, "1", "{\"id\":\"1\",\"photo_url\":\"https://x.example/p?sig=one\"}");
	assert_int_equal(put(fixture, 3000, "[{\"id\": \"1\", \"photo_url\": \"https://x.example/q\"}]"),
			 100);
	end(fixture);
}

static void what_goes_along_is_done_with_it_or_not_at_all(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;
	struct store_statement never = {"DELETE FROM credential WHERE field = 'no such'", NULL, 0, 1};

	fixture->write.more = &never;
	fixture->write.more_count = 1;
	assert_false(try_put(fixture, "[{\"id\": \"1\"}]", false));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_int_equal(number(test, "SELECT count(*) FROM record"), 0);
	assert_string_equal(events(fixture), "");
	never.changes_expected = 0;
	assert_int_equal(put(fixture, 1000, "[{\"id\": \"1\"}]"), 1000);
	uint64_t writes = count_writes(fixture);
	assert_int_equal(put(fixture, 2000, "[{\"id\": \"1\"}]"), 10);
	assert_int_equal(count_writes(fixture), writes + 1); /* of what goes along alone */
	end(fixture);
}

struct noting {
	struct copy_companion companion;
	struct fixture *fixture;
	size_t asked;
};

/* Somebody else is faster, once. */
static bool interfere(struct copy_companion *companion, struct arena *arena,
		      const struct copy_told *told, const struct store_statement **more,
		      size_t *more_count, struct error *err)
{
	struct noting *noting = (struct noting *)companion;
	struct fixture *fixture = noting->fixture;
	struct copy_write other = fixture->write;
	struct copy_counts ignored;
	struct json records = parse(fixture->test, "[{\"id\": \"7\", \"name\": \"theirs\"}]");
	struct store_statement note = copy_note_state(arena, &other.place, told->numbers[0], 0);

	assert_int_equal(told->count, 2);
	if (noting->asked++ == 0) {
		assert_int_equal(told->counts->created, 2);
		other.companion = NULL;
		assert_true(copy_put(fixture->copies, arena, &other, records.items, 1, false, NULL,
				     &ignored, err));
	}
	*more = memcpy(arena_array(arena, 1, sizeof note), &note, sizeof note);
	*more_count = 1;
	return true;
}

static void a_lost_race_is_run_again(void **state)
{
	struct fixture *fixture = begin(state);
	struct noting noting = {{interfere}, fixture, 0};

	fixture->write.companion = &noting.companion;
	assert_int_equal(put(fixture, 1000, "[{\"id\": \"8\"}, {\"id\": \"7\", \"name\": \"ours\"}]"),
			 1100);
	assert_int_equal(noting.asked, 2);
	assert_int_equal(fixture->numbers[0], 2);
	assert_int_equal(fixture->numbers[1], 1);
	assert_int_equal(read_state(fixture).whole_ms, 2); /* the number, told the second time */
	assert_int_equal(read_state(fixture).record_count, 2);
	assert_string_equal(events(fixture), "record:created/7/1/[];record:created/8/1/[];"
					     "record:updated/7/2/[\"name\"];");
	end(fixture);
}

static bool take_number(struct copy_companion *companion, struct arena *arena,
			const struct copy_told *told, const struct store_statement **more,
			size_t *more_count, struct error *err)
{
	struct noting *noting = (struct noting *)companion;
	struct fixture *fixture = noting->fixture;
	struct copy_write other = fixture->write;
	struct json records = parse(fixture->test, "[{\"id\": \"7\"}]");
	struct copy_counts ignored;

	(void)told;
	*more = NULL;
	*more_count = 0;
	other.companion = NULL;
	if (noting->asked++ == 0)
		assert_true(copy_put(fixture->copies, arena, &other, records.items, 1, false, NULL,
				     &ignored, err));
	return true;
}

/* Somebody else takes the number that was to be given. */
static void absence_is_noted_in_a_race(void **state)
{
	struct fixture *fixture = begin(state);
	struct noting noting = {{take_number}, fixture, 0};

	fixture->write.companion = &noting.companion;
	fixture->write.notes_absent = true;
	assert_int_equal(remove_id(fixture, 1000, "8"), 0);
	assert_int_equal(noting.asked, 2);
	fixture->write.companion = NULL;
	assert_int_equal(put(fixture, 999, "[{\"id\": \"8\"}]"), 1);
	assert_int_equal(fixture->numbers[0], 2);
	end(fixture);
}

struct racer {
	pthread_t thread;
	struct fixture *fixture;
	int number;
};

static void *race(void *context)
{
	struct racer *racer = context;
	struct copy_write write = racer->fixture->write;

	for (int i = 0; i < 25; i++) {
		struct arena arena;
		struct error err;
		struct copy_counts counts;
		struct json records;

		arena_init(&arena, 16 * 1024 * 1024);
		write.read_ms = 1000 + i * 4 + racer->number;
		struct str text = arena_format(&arena, "[{\"id\": \"same\", \"name\": \"%d\"}, {\"id\": \"%d\"}]",
					       (int)write.read_ms, (int)write.read_ms);
		if (!json_parse(&arena, text, &json_limits_default, &records, &err) ||
		    !copy_put(racer->fixture->copies, &arena, &write, records.items, 2, false, NULL,
			      &counts, &err))
			die("%s", err.message);
		arena_finish(&arena);
	}
	return NULL;
}

static void many_may_write_at_once(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;
	struct racer racers[4];

	for (int i = 0; i < 4; i++) {
		racers[i] = (struct racer){.fixture = fixture, .number = i};
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(racers[i].thread, NULL);
	expect_body(fixture, "same", "{\"id\":\"same\",\"name\":\"1099\"}");
	assert_int_equal(read_state(fixture).record_count, 101);
	assert_int_equal(number(test, "SELECT count(*) FROM record"), 101);
	assert_int_equal(number(test, "SELECT max(number) - min(number) FROM record"), 100);
	/* The versions of the contested record are those of its events, without a gap. */
	assert_int_equal(number(test, "SELECT count(*) - max(version) FROM event"
				      " WHERE record_id = 'same'"), 0);
	assert_int_equal(number(test, "SELECT count(*) FROM event a JOIN event b ON"
				      " a.record_id = 'same' AND b.record_id = 'same'"
				      " AND a.number < b.number AND a.version >= b.version"), 0);
	end(fixture);
}

static const char *missing(struct fixture *fixture, const unsigned char *bitmap, size_t bytes,
			   int64_t after, int64_t read_ms, size_t limit)
{
	struct test *test = fixture->test;
	struct copy_missing *list;
	struct buffer out;
	size_t count;

	assert_true(copy_find_missing(fixture->copies, &test->arena, &fixture->write.place, bitmap,
				      bytes, after, read_ms, limit, &list, &count, &test->err));
	buffer_init(&out, &test->arena, 4096);
	for (size_t i = 0; i < count; i++)
		buffer_append_format(&out, "%lld:%.*s:%lld ", (long long)list[i].number,
				     STR_ARGS(list[i].id), (long long)list[i].missing_ms);
	return arena_c(&test->arena, buffer_str(&out));
}

static void a_sweep_finds_what_it_did_not_see(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;
	static const unsigned char seen[] = {1 << 2, 1 << 1}; /* 2 and 9 */
	static const char page[] = "[{\"id\": \"a\"}, {\"id\": \"b\"}, {\"id\": \"c\"}]";

	assert_string_equal(missing(fixture, NULL, 0, 0, 5000, 10), "");
	put(fixture, 1000, page);
	put(fixture, 4000, "[{\"id\": \"d\"}]");
	assert_string_equal(missing(fixture, seen, 2, 0, 4000, 10), "1:a:0 3:c:0 ");
	assert_string_equal(missing(fixture, seen, 2, 0, 4001, 2), "1:a:0 3:c:0 ");
	assert_string_equal(missing(fixture, seen, 2, 3, 4001, 2), "4:d:0 ");
	struct store_statement note =
		copy_note_missing(&test->arena, &fixture->write.place, 3, 4444);
	assert_true(store_write(test->store, &note, 1, &test->err));
	remove_id(fixture, 4000, "a");
	assert_string_equal(missing(fixture, seen, 2, 0, 4000, 10), "3:c:4444 ");
	assert_int_equal(put(fixture, 6000, page), 1020); /* it is there after all */
	assert_string_equal(missing(fixture, seen, 2, 0, 6000, 10), "4:d:0 ");
	assert_string_equal(missing(fixture, NULL, 0, 0, 6001, 10), "1:a:0 2:b:0 3:c:0 4:d:0 ");
	end(fixture);
}

static const char *about(struct fixture *fixture, const char *path, const char *value,
			 int64_t after, int64_t read_ms)
{
	struct test *test = fixture->test;
	struct copy_missing *list;
	struct buffer out;
	size_t count;

	assert_true(copy_find_by(fixture->copies, &test->arena, &fixture->write.place,
				 str_from_c(path), str_from_c(value), after, read_ms, 10, &list,
				 &count, &test->err));
	buffer_init(&out, &test->arena, 4096);
	for (size_t i = 0; i < count; i++)
		buffer_append_format(&out, "%lld:%.*s ", (long long)list[i].number,
				     STR_ARGS(list[i].id));
	return arena_c(&test->arena, buffer_str(&out));
}

static void records_are_found_by_what_they_are_about(void **state)
{
	struct fixture *fixture = begin(state);
	static const char page[] =
		"[{\"id\": \"a\", \"candidate\": {\"id\": \"7\"}, \"job\": {\"id\": \"7\"}},"
		" {\"id\": \"b\", \"candidate\": {\"id\": \"8\"}, \"job\": {\"id\": \"7\"}},"
		" {\"id\": \"c\", \"candidate\": {\"id\": \"7\"}}, {\"id\": \"d\"}]";

	fixture->write.place.resource = STR("applications");
	assert_string_equal(about(fixture, "candidate.id", "7", 0, 5000), "");
	put(fixture, 1000, page);
	assert_string_equal(about(fixture, "candidate.id", "7", 0, 5000), "1:a 3:c ");
	assert_string_equal(about(fixture, "candidate.id", "7", 1, 5000), "3:c ");
	assert_string_equal(about(fixture, "candidate.id", "7", 0, 1000), "");
	assert_string_equal(about(fixture, "candidate.id", "", 0, 5000), "");
	assert_string_equal(about(fixture, "job.id", "7", 0, 5000), "1:a 2:b ");
	/* It moves to another; what has gone is about nobody. */
	put_partial(fixture, 2000, "[{\"id\": \"a\", \"candidate\": {\"id\": \"8\"}}]");
	put_partial(fixture, 2000, "[{\"id\": \"b\", \"job\": {\"id\": \"9\"}}]");
	remove_id(fixture, 3000, "c");
	assert_string_equal(about(fixture, "candidate.id", "7", 0, 5000), "");
	assert_string_equal(about(fixture, "candidate.id", "8", 0, 5000), "1:a 2:b ");
	end(fixture);
}

static const char *walk(struct fixture *fixture, int64_t after, size_t limit, bool with_deleted)
{
	struct test *test = fixture->test;
	struct copy_record *list;
	struct buffer out;
	size_t count;

	assert_true(copy_walk(fixture->copies, &test->arena, &fixture->write.place, after, limit,
			      with_deleted, &list, &count, &test->err));
	buffer_init(&out, &test->arena, 4096);
	for (size_t i = 0; i < count; i++)
		buffer_append_format(&out, "%lld:%.*s ", (long long)list[i].number,
				     STR_ARGS(list[i].id));
	return arena_c(&test->arena, buffer_str(&out));
}

static void copies_are_walked_each_by_itself(void **state)
{
	struct fixture *fixture = begin(state);

	assert_string_equal(walk(fixture, 0, 10, true), "");
	put(fixture, 1000, "[{\"id\": \"a\"}, {\"id\": \"b\"}, {\"id\": \"c\"}]");
	fixture->write.place.resource = STR("jobs");
	put(fixture, 1000, "[{\"id\": \"a\"}]");
	remove_id(fixture, 2000, "a");
	assert_string_equal(walk(fixture, 0, 10, false), "");
	assert_string_equal(walk(fixture, 0, 10, true), "1:a ");
	fixture->write.place.resource = STR("candidates");
	remove_id(fixture, 2000, "b");
	assert_string_equal(walk(fixture, 0, 1, false), "1:a ");
	assert_string_equal(walk(fixture, 1, 10, false), "3:c ");
	assert_string_equal(walk(fixture, 0, 10, true), "1:a 2:b 3:c ");
	end(fixture);
}

static void a_state_is_noted(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;

	assert_false(read_state(fixture).is_there);
	for (int i = 0; i < 2; i++) {
		struct store_statement note = copy_note_state(
			&test->arena, &fixture->write.place, i == 0 ? 77 : 0, i == 0 ? 0 : 88);
		assert_true(store_write(test->store, &note, 1, &test->err));
	}
	assert_int_equal(read_state(fixture).whole_ms, 77);
	assert_int_equal(read_state(fixture).swept_ms, 88);
	end(fixture);
}

static void an_account_takes_its_copy_along(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;

	put(fixture, 1000, "[{\"id\": \"a\", \"name\": \"Ada\"}]");
	assert_true(copy_take_texts(fixture->copies, &fixture->write.place, INT64_MAX, &test->err));
	assert_true(account_remove(test->accounts, test->production, fixture->account.id, &test->err));
	assert_int_equal(number(test, "SELECT count(*) FROM record"), 0);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text"), 1);
	assert_true(copies_forget_texts(fixture->copies, &test->err));
	assert_int_equal(number(test, "SELECT count(*) FROM record_text"), 0);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"), 0);
	assert_false(try_put(fixture, "[{\"id\": \"a\"}]", false));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	end(fixture);
}

static int64_t count_found(struct fixture *fixture, const char *word)
{
	struct test *test = fixture->test;
	const struct store_value value = store_text(str_from_c(word));
	struct store_rows rows;

	assert_true(store_query(test->store, &test->arena,
				"SELECT count(*) FROM record_text_data"
				" WHERE instr(block, CAST(?1 AS BLOB)) > 0",
				&value, 1, &rows, &test->err));
	return store_cell(&rows, 0, 0)->integer;
}

/* Words of what is gone are in no page of the index, of however many parts it is. */
static void words_of_what_is_gone_are_merged_out(void **state)
{
	struct fixture *fixture = begin(state);
	struct test *test = fixture->test;
	struct error *err = &test->err;
	bool is_end = false;

	for (int i = 0; i < 3; i++) {
		static const char *const pages[] = {
			"[{\"id\": \"a\", \"name\": \"Adalbert\"}, {\"id\": \"b\", \"name\": \"Bob\"}]",
			"[{\"id\": \"c\", \"name\": \"Cleopatra\"}]",
			"[{\"id\": \"d\", \"name\": \"Dagobert\"}]",
		};

		put(fixture, 1000, pages[i]);
		while (!is_end)
			assert_true(copy_take_some_texts(fixture->copies, &fixture->write.place, 1,
							 &is_end, err));
		is_end = false;
	}
	assert_int_equal(number(test, "SELECT count(*) FROM record_text_due"), 0);
	assert_int_equal(count_found(fixture, "dalbert"), 1);
	const struct store_statement gone = {
		.sql = "DELETE FROM record WHERE id = 'a'", .changes_expected = 1};
	assert_true(store_write(test->store, &gone, 1, err));
	assert_true(copies_forget_texts(fixture->copies, err));
	assert_int_equal(count_found(fixture, "dalbert"), 0);
	assert_int_equal(count_found(fixture, "leopatra"), 1);
	assert_int_equal(number(test, "SELECT count(*) FROM record_text WHERE record_text MATCH"
				      " 'dagobert OR bob'"), 2);
	end(fixture);
}

static bool is_bob(void *context, const struct copy_place *place, struct json record)
{
	assert_null(context);
	assert_true(str_equal_c(place->resource, "candidates"));
	return str_equal(json_get_str(record, "name"), STR("Bob"));
}

static void an_erased_person_stays_out(void **state)
{
	struct fixture *fixture = begin(state);

	copies_leave_out(fixture->copies, is_bob, NULL);
	assert_int_equal(put(fixture, 1000, "[{\"id\": \"a\", \"name\": \"Bob\"}, {\"id\": \"b\"}]"), 1000);
	assert_int_equal(fixture->numbers[0], 0);
	assert_string_equal(walk(fixture, 0, 10, true), "1:b ");
	end(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_new_writes_nothing),
		TEST(a_change_tells_which_fields),
		TEST(what_was_read_later_wins),
		TEST(a_deleted_record_may_come_back),
		TEST(one_that_was_gone_before_stays_away),
		TEST(absence_is_noted_in_a_race),
		TEST(a_silent_load_tells_nothing),
		TEST(of_two_of_one_id_the_last_counts),
		TEST(a_partial_list_leaves_what_it_lacks),
		TEST(a_list_is_known_again),
		TEST(records_are_found_by_what_they_are_about),
		TEST(what_is_known_for_the_first_time_is_no_change),
		TEST(what_lists_tell_otherwise_is_no_change),
		TEST(what_lists_tell_otherwise_may_change),
		TEST(what_changes_by_itself_is_no_change),
		TEST(what_goes_along_is_done_with_it_or_not_at_all),
		TEST(a_lost_race_is_run_again),
		TEST(many_may_write_at_once),
		TEST(a_sweep_finds_what_it_did_not_see),
		TEST(copies_are_walked_each_by_itself),
		TEST(a_state_is_noted),
		TEST(an_account_takes_its_copy_along),
		TEST(words_of_what_is_gone_are_merged_out),
		TEST(an_erased_person_stays_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

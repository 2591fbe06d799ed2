/* A person who was erased is not copied again: neither the candidate nor what refers to it, until
 * the erasure is lifted; whoever else is, is copied as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/erasure/parts.h"
#include "world.h"

struct scene {
	struct world *world;
	struct idempotency *idempotency;
	struct copies *copies;
	struct erasures *erasures;
	struct erasure erasure;
};

static const struct model *load_real_model(struct world *world)
{
	struct buffer faults;

	buffer_init(&faults, &world->setup, 65536);
	const struct model *model = model_load(
		&world->setup, disk_system(),
		arena_format(&world->setup, "%s/models/ats", getenv("TENON_SOURCE")).data, &faults);
	if (model == NULL)
		die("the model: %.*s", STR_ARGS(buffer_str(&faults)));
	return model;
}

static void open_erasures(struct scene *scene)
{
	struct world *world = scene->world;
	const struct erasures_options options = {
		.store = world->store,
		.vault = world->vault,
		.accounts = world->accounts,
		.idempotency = scene->idempotency,
		.model = world->model,
		.clock = &world->time.clock,
	};

	scene->erasures = erasures_create(&options, &world->err);
	WORLD_CHECK(scene->erasures != NULL, world->err);
	copies_leave_out(scene->copies, erasures_has, scene->erasures);
}

static void begin(struct scene *scene, struct world *world)
{
	*scene = (struct scene){.world = world};
	world->model = load_real_model(world);
	scene->idempotency = idempotency_create(world->store, world->vault, world->node,
						&world->time.clock, &world->random);
	scene->copies = copies_create(world->store, world->model, &world->time.clock);
	open_erasures(scene);
}

static void end(struct scene *scene)
{
	erasures_destroy(scene->erasures);
	copies_destroy(scene->copies);
	idempotency_destroy(scene->idempotency);
}

static struct copy_place place_of(const struct scene *scene, const char *resource)
{
	return (struct copy_place){scene->world->account.environment_id, scene->world->account.id,
				   str_from_c(resource)};
}

/* How many of the records are taken. */
static int put(struct scene *scene, const char *resource, int64_t read_ms, const char *text)
{
	struct world *world = scene->world;
	const struct copy_write write = {.place = place_of(scene, resource), .read_ms = read_ms};
	struct copy_counts counts = {0};
	int64_t numbers[8] = {0};
	struct json records;
	int taken = 0;
	bool ok = json_parse(&world->arena, str_from_c(text), &json_limits_default, &records,
			     &world->err) &&
		  copy_put(scene->copies, &world->arena, &write, records.items, records.count,
			   false, numbers, &counts, &world->err);

	WORLD_CHECK(ok, world->err);
	for (size_t i = 0; i < records.count; i++)
		taken += numbers[i] != 0;
	return taken;
}

static const char *body_of(struct scene *scene, const char *resource, const char *id)
{
	struct world *world = scene->world;
	const struct copy_place place = place_of(scene, resource);
	struct copy_record record;

	if (!copy_get(scene->copies, &world->arena, &place, str_from_c(id), &record, &world->err))
		return "none";
	return arena_c(&world->arena, record.body);
}

static void erase(struct scene *scene, const char *candidate)
{
	struct world *world = scene->world;
	const struct erasure_request request = {.account = &world->account,
						.candidate_id = str_from_c(candidate)};
	bool ok = erasure_run(scene->erasures, &world->arena, &request, &scene->erasure, &world->err);

	WORLD_CHECK(ok, world->err);
}

#define TWO                                                                                        \
	"[{\"id\":\"1\",\"name\":\"Ada Lovelace\"},{\"id\":\"2\",\"name\":\"Alan Turing\"}]"
#define APPLICATIONS                                                                               \
	"[{\"id\":\"a\",\"candidate\":{\"id\":\"1\",\"name\":\"Ada Lovelace\"}},"                   \
	"{\"id\":\"b\",\"candidate\":{\"id\":\"2\",\"name\":\"Alan Turing\"}}]"
/* The second is about an application of hers, and does not name her. */
#define OFFERS                                                                                     \
	"[{\"id\":\"o1\",\"application\":{\"id\":\"b\",\"name\":null}},"                            \
	"{\"id\":\"o2\",\"application\":{\"id\":\"a\",\"name\":null}}]"

static void fill(struct scene *scene)
{
	assert_int_equal(put(scene, "offers", 1000, OFFERS), 2);
	assert_int_equal(put(scene, "applications", 1000, APPLICATIONS), 2);
	assert_int_equal(put(scene, "candidates", 1000, TWO), 2);
	erase(scene, "1");
}

static void blank_all_of_hers(struct world *world)
{
	struct scene scene;

	begin(&scene, world);
	fill(&scene);
	assert_int_equal(scene.erasure.counts.records, 3);
	assert_string_equal(body_of(&scene, "candidates", "1"), "{\"id\":\"1\"}");
	assert_string_equal(body_of(&scene, "applications", "a"), "{\"id\":\"a\"}");
	assert_string_equal(body_of(&scene, "offers", "o2"), "{\"id\":\"o2\"}");
	assert_non_null(strstr(body_of(&scene, "candidates", "2"), "Alan Turing"));
	assert_non_null(strstr(body_of(&scene, "offers", "o1"), "\"b\""));
	end(&scene);
}

static void keep_out(struct world *world)
{
	struct scene scene;

	begin(&scene, world);
	fill(&scene);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(put(&scene, "candidates", 3000, TWO), 1);
		assert_int_equal(put(&scene, "applications", 3000, APPLICATIONS), 1);
		assert_int_equal(put(&scene, "offers", 3000, OFFERS), 1);
		assert_int_equal(put(&scene, "scorecards", 3000,
				     "[{\"id\":\"new\",\"candidate\":{\"id\":\"1\"}}]"),
				 0);
		assert_string_equal(body_of(&scene, "candidates", "1"), "{\"id\":\"1\"}");
		/* As after a start of the program. */
		erasures_destroy(scene.erasures);
		open_erasures(&scene);
	}
	end(&scene);
}

static void leave_other_accounts(struct world *world)
{
	struct scene scene;

	begin(&scene, world);
	fill(&scene);
	world->account = world_link(world, "{}");
	assert_int_equal(put(&scene, "candidates", 3000, TWO), 2);
	end(&scene);
}

static void come_back_when_lifted(struct world *world)
{
	struct scene scene;

	begin(&scene, world);
	fill(&scene);
	bool ok = erasure_lift(scene.erasures, world->account.environment_id, scene.erasure.id,
			       &world->err);
	WORLD_CHECK(ok, world->err);
	assert_int_equal(put(&scene, "candidates", 4000000000000, TWO), 2);
	assert_non_null(strstr(body_of(&scene, "candidates", "1"), "Ada Lovelace"));
	assert_false(erasure_lift(scene.erasures, world->account.environment_id, scene.erasure.id,
				  &world->err));
	assert_int_equal(world->err.code, ERROR_NOT_FOUND);
	end(&scene);
}

static void test_all_of_a_person_is_blanked(void **state)
{
	(void)state;
	world_run(blank_all_of_hers);
}

static void test_an_erased_person_is_kept_out(void **state)
{
	(void)state;
	world_run(keep_out);
}

static void test_other_accounts_are_left_alone(void **state)
{
	(void)state;
	world_run(leave_other_accounts);
}

static void test_a_lifted_one_comes_back(void **state)
{
	(void)state;
	world_run(come_back_when_lifted);
}

/* A table that is made, and not thought of here, may keep what was erased. */
static void know_all_tables(struct world *world)
{
	struct store_rows rows;
	bool ok = store_query(world->store, &world->arena,
			      "SELECT name FROM sqlite_schema WHERE type = 'table'"
			      " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
			      " AND name NOT LIKE 'record\\_text\\__%' ESCAPE '\\'"
			      " AND name NOT LIKE 'store\\_%' ESCAPE '\\' OR name = 'record_text_due'"
			      " ORDER BY name",
			      NULL, 0, &rows, &world->err);

	WORLD_CHECK(ok, world->err);
	for (size_t i = 0; i < rows.count && i < erasure_table_count; i++)
		if (!str_equal_c(store_cell(&rows, i, 0)->bytes, erasure_tables[i].name))
			fail_msg("the store has %.*s, src/ats/erasure/places.c has %s",
				 STR_ARGS(store_cell(&rows, i, 0)->bytes), erasure_tables[i].name);
	assert_int_equal(rows.count, erasure_table_count);
}

static void test_no_table_is_forgotten(void **state)
{
	(void)state;
	world_run(know_all_tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_a_person_is_blanked),
		cmocka_unit_test(test_an_erased_person_is_kept_out),
		cmocka_unit_test(test_other_accounts_are_left_alone),
		cmocka_unit_test(test_a_lifted_one_comes_back),
		cmocka_unit_test(test_no_table_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Overrides: what may be saved, which layer wins, what an operation makes of them, and what they
 * may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "world.h"

static struct json parse(struct world *world, const char *text)
{
	struct json value;
	struct error err;

	WORLD_CHECK(json_parse(&world->arena, str_from_c(text), &json_limits_default, &value, &err),
		    err);
	return value;
}

static const char *print(struct world *world, struct json value)
{
	struct buffer out;

	buffer_init(&out, &world->arena, 1 << 20);
	json_print(&out, value);
	return arena_c(&world->arena, buffer_str(&out));
}

static struct override_layer layer_of(const struct world *world, bool is_account)
{
	return (struct override_layer){world->environment.id, STR("kiln"),
				       is_account ? world->account.id : (struct str){NULL, 0}};
}

static bool try_save(struct world *world, const struct override_layer *layer, const char *resource,
		     const char *document, bool replaces_all, struct override_fault *fault)
{
	struct override *list;
	size_t count;

	*fault = (struct override_fault){.is_expression = false};
	return override_read(&world->arena, str_from_c(resource), parse(world, document), &list,
			     &count, &world->err) &&
	       override_save(world->services.overrides, &world->arena, layer, str_from_c(resource),
			     list, count, replaces_all, fault, &world->err);
}

static void save(struct world *world, bool is_account, const char *resource, const char *document)
{
	const struct override_layer layer = layer_of(world, is_account);
	struct override_fault fault;
	bool ok = try_save(world, &layer, resource, document, false, &fault);

	WORLD_CHECK(ok, world->err);
}

/* The first record of the list, without what the ATS gave. */
static const char *first(struct world *world, const char *resource)
{
	struct operation operation = world_operation(world, resource);

	operation.limit = 1;
	world_must(world, &operation);
	return print(world, json_at(world->result.items, 0));
}

#define PLAIN_TAIL "\"custom_fields\":[],\"remote_url\":null,"
#define CREATED	   "\"created_at\":\"2026-01-01T01:40:00Z\",\"updated_at\":null"

/* --- layers ---------------------------------------------------------------------------------- */

static void lay_over(struct world *world)
{
	struct account other = world_link(world, "{}");
	struct account own = world->account;

	assert_string_equal(
		first(world, "offsets"),
		"{\"id\":\"100\",\"name\":\"100\",\"shelf\":\"s1\",\"size\":null," PLAIN_TAIL
			CREATED "}");
	save(world, false, "offsets",
	     "{\"response\":{\"name\":\"'pot ' & name\",\"size\":\"id\"}}");
	assert_string_equal(
		first(world, "offsets"),
		"{\"id\":\"100\",\"name\":\"pot 100\",\"shelf\":\"s1\",\"size\":100," PLAIN_TAIL
			CREATED "}");
	/* One field of the two. */
	save(world, true, "offsets", "{\"response\":{\"name\":\"$uppercase(shelf)\"}}");
	assert_string_equal(
		first(world, "offsets"),
		"{\"id\":\"100\",\"name\":\"S1\",\"shelf\":\"s1\",\"size\":100," PLAIN_TAIL CREATED
		"}");
	/* Another account has the environment's. */
	world->account = other;
	assert_string_equal(
		first(world, "offsets"),
		"{\"id\":\"100\",\"name\":\"pot 100\",\"shelf\":\"s1\",\"size\":100," PLAIN_TAIL
			CREATED "}");
	world->account = own;
	/* What the account no longer says the environment says again, and then the connector. */
	save(world, true, "offsets", "{\"response\":{\"name\":null}}");
	assert_non_null(strstr(first(world, "offsets"), "\"name\":\"pot 100\""));
	save(world, false, "offsets", "{\"response\":{\"name\":null,\"size\":null}}");
	assert_string_equal(
		first(world, "offsets"),
		"{\"id\":\"100\",\"name\":\"100\",\"shelf\":\"s1\",\"size\":null," PLAIN_TAIL
			CREATED "}");
}

static void test_an_account_wins_over_its_environment(void **state)
{
	(void)state;
	world_run(lay_over);
}

static void keep_environments_apart(struct world *world)
{
	struct environment elsewhere;
	struct error err;
	struct str own = world->environment.id;

	WORLD_CHECK(environment_find(world->accounts, &world->setup, STR("other"), true, &elsewhere,
				     &err),
		    err);
	world->environment.id = elsewhere.id;
	save(world, false, "offsets", "{\"response\":{\"name\":\"'elsewhere'\"}}");
	world->environment.id = own;
	assert_non_null(strstr(first(world, "offsets"), "\"name\":\"100\""));
}

static void test_an_environment_is_its_own(void **state)
{
	(void)state;
	world_run(keep_environments_apart);
}

static void add_fields(struct world *world)
{
	save(world, true, "offsets",
	     "{\"response\":{\"weight\":\"{'kg': size ? size : 3}\","
	     "\"custom_fields.glaze\":\"'shiny'\",\"custom_fields.layers\":\"2\","
	     "\"custom_fields.none\":\"nothing\"}}");
	assert_string_equal(first(world, "offsets"),
			    "{\"id\":\"100\",\"name\":\"100\",\"shelf\":\"s1\",\"size\":null,"
			    "\"custom_fields\":["
			    "{\"id\":\"glaze\",\"name\":\"glaze\",\"type\":\"text\",\"remote_"
			    "type\":null,\"value\":\"shiny\"},"
			    "{\"id\":\"layers\",\"name\":\"layers\",\"type\":\"number\",\"remote_"
			    "type\":null,\"value\":2}],"
			    "\"remote_url\":null," CREATED ",\"weight\":{\"kg\":3}}");
	/* The account's own word over one that the environment's whole list has. */
	save(world, false, "offsets",
	     "{\"response\":{\"custom_fields\":\"{'id': 7, 'name': 'layers', 'type': 'text', "
	     "'value': 1}\"}}");
	const char *text = first(world, "offsets");
	assert_non_null(strstr(text, "{\"id\":\"7\",\"name\":\"layers\",\"type\":\"text\",\"remote_"
				     "type\":\"text\",\"value\":2}"));
	/* They are selected like all fields. */
	struct operation operation = world_operation(world, "offsets");
	operation.limit = 1;
	operation.fields = STR("weight,name");
	world_must(world, &operation);
	assert_string_equal(print(world, json_at(world->result.items, 0)),
			    "{\"name\":\"100\",\"weight\":{\"kg\":3}}");
}

static void test_fields_may_be_added(void **state)
{
	(void)state;
	world_run(add_fields);
}

/* --- what is refused ------------------------------------------------------------------------- */

static void refuse(struct world *world)
{
	static const struct {
		const char *resource, *document, *field, *allowed;
	} cases[] = {
		{"spoons", "{\"response\":{\"name\":\"1\"}}", "resource", "offsets"},
		{"offsets", "{\"answer\":{}}", "answer", "response, tables, request"},
		{"offsets", "{\"response\":[]}", "response", NULL},
		{"offsets", "{\"response\":{\"name\":7}}", "response.name", "an expression"},
		{"offsets", "{\"response\":{\"name\":\"  \"}}", "response.name", "an expression"},
		{"offsets", "{\"response\":{\"id\":\"1\"}}", "response.id", NULL},
		{"offsets", "{\"response\":{\"name.first\":\"1\"}}", "response.name.first", NULL},
		{"offsets", "{\"response\":{\"weight.kg\":\"1\"}}", "response.weight.kg",
		 "name, shelf, size"},
		{"offsets", "{\"response\":{\"Weight\":\"1\"}}", "response.Weight", NULL},
		{"offsets", "{\"response\":{\"remote_data\":\"1\"}}", "response.remote_data", NULL},
		{"offsets", "{\"response\":{\"name.\":\"1\"}}", "response.name.", NULL},
		{"offsets", "{\"tables\":{\"lid\":{\"name\":\"1\"}}}", "tables.lid.name", "map"},
		{"offsets", "{\"request\":{\"create\":{\"pots.create\":{\"body.a\":\"1\"}}}}",
		 "request.create.pots.create.body.a", "list, get"},
		{"wares", "{\"request\":{\"create\":{\"pots.update\":{\"body.pot\":\"1\"}}}}",
		 "request.create.pots.update.body.pot", "pots.create, pots.stamp"},
		{"wares", "{\"request\":{\"create\":{\"pots.create\":{\"body.pot.lid\":\"1\"}}}}",
		 "request.create.pots.create.body.pot.lid", "name, size"},
		{"wares", "{\"request\":{\"update\":{\"pots.update\":{\"body.pot.name\":\"1\"}}}}",
		 "request.update.pots.update.body.pot.name", NULL},
		{"wares", "{\"request\":{\"create\":{\"pots.create\":{\"with.id\":\"1\"}}}}",
		 "request.create.pots.create.with.id", NULL},
		{"wares", "{\"request\":{\"create\":{\"pots.create\":{\"query.a\":\"1\"}}}}",
		 "request.create.pots.create.query.a", NULL},
		{"offsets", "{\"request\":{\"list\":{\"offsets.list\":{\"query.shelf\":\"1\"}}}}",
		 "request.list.offsets.list.query.shelf", NULL},
		{"offsets", "{\"request\":{\"list\":{\"offsets.list\":{\"query.lid\":\"1\"}}}}",
		 "request.list.offsets.list.query.lid", "shelf, created_after, scope"},
	};
	struct override_layer layer = layer_of(world, true);
	struct override_fault fault;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (try_save(world, &layer, cases[i].resource, cases[i].document, false, &fault))
			fail_msg("not refused: %s", cases[i].document);
		assert_string_equal(world->err.field, cases[i].field);
		assert_false(fault.is_expression);
		if (cases[i].allowed != NULL &&
		    strstr(world->err.allowed, cases[i].allowed) == NULL)
			fail_msg("%s: allowed is \"%s\"", cases[i].field, world->err.allowed);
	}
}

static void test_what_has_no_place_is_refused_by_name(void **state)
{
	(void)state;
	world_run(refuse);
}

static void refuse_expressions(struct world *world)
{
	struct override_layer layer = layer_of(world, true);
	struct override_fault fault;

	assert_false(try_save(world, &layer, "offsets",
			      "{\"response\":{\"size\":\"1\",\"name\":\"name & (\"}}", false,
			      &fault));
	assert_int_equal(world->err.code, ERROR_INVALID);
	assert_string_equal(world->err.field, "response.name");
	assert_true(fault.is_expression);
	assert_string_equal(fault.error.code, "S0203");
	assert_int_equal(fault.error.position, 8);
	/* Nothing of it was kept. */
	assert_non_null(strstr(first(world, "offsets"), "\"size\":null"));
	/* What is not there when it runs is told when it is saved. */
	assert_false(try_save(world, &layer, "offsets", "{\"response\":{\"name\":\"name[\"}}",
			      false, &fault));
	assert_true(fault.is_expression && fault.error.code[0] == 'S');
}

static void test_a_bad_expression_is_refused_with_its_place(void **state)
{
	(void)state;
	world_run(refuse_expressions);
}

/* 500 overrides, and 256 KiB of them. */
static void fill_up(struct world *world)
{
	struct override_layer layer = layer_of(world, true);
	struct override_fault fault;
	struct buffer text;

	buffer_init(&text, &world->arena, 1 << 20);
	buffer_append_c(&text, "{\"response\":{");
	for (int i = 0; i < OVERRIDES_MAX; i++)
		buffer_append_format(&text, "%s\"f%d\":\"%d\"", i > 0 ? "," : "", i, i);
	buffer_append_c(&text, "}}");
	assert_true(try_save(world, &layer, "offsets", arena_c(&world->arena, buffer_str(&text)),
			     false, &fault));
	assert_non_null(strstr(first(world, "offsets"), "\"f99\":99}"));
	/* In their place, but not beside them. */
	assert_true(try_save(world, &layer, "offsets", "{\"response\":{\"f7\":\"'new'\"}}", false,
			     &fault));
	assert_false(
		try_save(world, &layer, "wares", "{\"response\":{\"name\":\"1\"}}", false, &fault));
	assert_int_equal(world->err.code, ERROR_LIMIT);
	assert_true(try_save(world, &layer, "offsets", "{\"response\":{\"f7\":null,\"f8\":null}}",
			     false, &fault));
	assert_true(
		try_save(world, &layer, "wares", "{\"response\":{\"name\":\"1\"}}", false, &fault));
	assert_true(try_save(world, &layer, "offsets", "{}", true, &fault));
	/* The longest expression, and one longer. */
	char *long_one = arena_alloc(&world->arena, OVERRIDE_BYTES_MAX + 64);
	int len = snprintf(long_one, 64, "{\"response\":{\"name\":\"'");
	memset(long_one + len, 'x', OVERRIDE_BYTES_MAX - 2);
	memcpy(long_one + len + OVERRIDE_BYTES_MAX - 2, "'\"}}", 5);
	assert_true(try_save(world, &layer, "offsets", long_one, false, &fault));
	memcpy(long_one + len + OVERRIDE_BYTES_MAX - 2, "x'\"}}", 6);
	assert_false(try_save(world, &layer, "offsets", long_one, false, &fault));
	assert_string_equal(world->err.field, "response.name");
}

static void test_a_layer_is_bounded(void **state)
{
	(void)state;
	world_run(fill_up);
}

/* --- caches ---------------------------------------------------------------------------------- */

static const struct overriding *hold_one(struct world *world, struct arena *arena,
					 const struct account *account)
{
	const struct overriding *overriding;
	struct error err;
	bool ok = overriding_hold(world->services.overrides, arena, account, STR("offsets"),
				  &overriding, &err);

	WORLD_CHECK(ok, err);
	return overriding;
}

static void hold(struct world *world)
{
	struct overrides *overrides = world->services.overrides;
	const struct overriding *one, *two, *three;
	struct account other = world_link(world, "{}");
	struct arena arena;
	struct error err;

	arena_init(&arena, 1 << 20);
	assert_null(hold_one(world, &arena, &world->account));
	save(world, false, "offsets", "{\"response\":{\"name\":\"'a'\"}}");
	/* Accounts which say nothing themselves share what the environment says. */
	one = hold_one(world, &arena, &world->account);
	two = hold_one(world, &arena, &other);
	assert_non_null(one);
	assert_ptr_equal(one, two);
	assert_int_equal(overrides_held(overrides), 1);
	/* A change leaves those who run alone. */
	save(world, true, "offsets", "{\"response\":{\"name\":\"'b'\"}}");
	three = hold_one(world, &arena, &world->account);
	assert_ptr_not_equal(one, three);
	assert_ptr_equal(one->base, three->base);
	assert_ptr_equal(hold_one(world, &arena, &other), two);
	arena_finish(&arena);
	assert_int_equal(overrides_held(overrides), 2);
	save(world, false, "offsets", "{\"response\":{\"name\":null}}");
	assert_int_equal(overrides_held(overrides), 0);
	/* Another process begins with what is in the store. */
	struct overrides *again = overrides_create(world->store, &world->connectors,
						   &world->time.clock, &world->random);
	overrides_destroy(world->services.overrides);
	world->services.overrides = again;
	assert_non_null(strstr(first(world, "offsets"), "\"name\":\"b\""));
	arena_finish(&world->arena);
	/* With the account its overrides go. */
	const struct override_layer layer = layer_of(world, true);
	struct override *list;
	size_t count;
	WORLD_CHECK(account_remove(world->accounts, world->environment.id, world->account.id, &err),
		    err);
	override_forget(again, &layer);
	WORLD_CHECK(override_list(again, &world->arena, &layer, true, &list, &count, &err), err);
	assert_int_equal(count, 0);
	assert_int_equal(overrides_held(again), 0);
}

static void test_what_is_held_is_shared_and_given_up(void **state)
{
	(void)state;
	world_run(hold);
}

/* Its texts may be an override's own: they stay until the request's memory goes. */
static void outlive(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");

	save(world, true, "offsets",
	     "{\"response\":{\"name\":\"'a literal of some length'\",\"badge\":\"'another'\"}}");
	operation.limit = 1;
	world_must(world, &operation);
	save(world, true, "offsets", "{\"response\":{\"name\":null,\"badge\":null}}");
	const char *text = print(world, json_at(world->result.items, 0));
	assert_non_null(strstr(text, "\"name\":\"a literal of some length\""));
	assert_non_null(strstr(text, "\"badge\":\"another\""));
}

static void test_a_result_outlives_a_change(void **state)
{
	(void)state;
	world_run(outlive);
}

/* Many hold and drop while one changes: each sees what was last saved when it began, or later. */
struct reader {
	struct world *world;
	pthread_t thread;
	_Atomic int *saved;
	_Atomic bool *is_over;
	size_t looks;
};

/* The field is overridden by its number. */
static int64_t look(struct world *world)
{
	struct arena arena;
	int64_t number = 0;

	arena_init(&arena, 1 << 20);
	const struct overriding *overriding = hold_one(world, &arena, &world->account);
	const struct unified_map *map =
		overriding == NULL
			? NULL
			: &connector_find_resource(overriding->connector, STR("offsets"))->maps[0];
	for (size_t i = 0; map != NULL && i < map->count; i++)
		if (map->entries[i].origin != NULL &&
		    !str_to_int64(jsonata_text(map->entries[i].expression), &number))
			die("not what was saved");
	arena_finish(&arena);
	return number;
}

static void *read_on(void *context)
{
	struct reader *reader = context;

	while (!*reader->is_over) {
		int before = *reader->saved;
		int64_t seen = look(reader->world);

		if (seen < before)
			die("saw %d after %d was saved", (int)seen, before);
		reader->looks++;
	}
	return NULL;
}

static void change_under_readers(struct world *world)
{
	_Atomic int saved = 0;
	_Atomic bool is_over = false;
	struct reader readers[3];

	for (size_t i = 0; i < 3; i++) {
		readers[i] = (struct reader){.world = world, .saved = &saved, .is_over = &is_over};
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	}
	for (int i = 1; i <= 60; i++) {
		const char *document =
			arena_c(&world->arena,
				arena_format(&world->arena, "{\"response\":{\"name\":\"%d\"}}", i));

		save(world, i % 2 == 0, "offsets", document);
		if (i % 2 == 1)
			save(world, true, "offsets", "{\"response\":{\"name\":null}}");
		saved = i;
	}
	is_over = true;
	for (size_t i = 0; i < 3; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_true(readers[i].looks > 0);
	}
	assert_int_equal(look(world), 60);
}

static void test_no_thread_sees_what_was_before(void **state)
{
	(void)state;
	world_run(change_under_readers);
}

static void break_one(struct world *world)
{
	struct store_value values[] = {store_text(world->environment.id),
				       store_text(world->account.id)};
	struct store_statement statement = {
		.sql = "INSERT INTO account_override VALUES (?1, ?2, 'offsets', 'response',"
		       " 'name', 'of a newer (', 1, 1)",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1,
	};
	struct operation operation = world_operation(world, "offsets");
	struct error err;

	WORLD_CHECK(store_write(world->store, &statement, 1, &err), err);
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_CONFLICT);
	assert_string_equal(world->err.field, "response.name");
	operation = world_operation(world, "wares");
	operation.method = OPERATION_GET;
	operation.id = STR("7");
	world_must(world, &operation);
	/* Mended, all is well. */
	save(world, true, "offsets", "{\"response\":{\"name\":\"'mended'\"}}");
	assert_non_null(strstr(first(world, "offsets"), "\"name\":\"mended\""));
}

static void test_one_that_does_not_fit_any_more_is_told(void **state)
{
	(void)state;
	world_run(break_one);
}

/* --- what an operation makes of them --------------------------------------------------------- */

/* A filter on an overridden field is tenon's to apply: the ATS compares what it has. */
static void filter(struct world *world)
{
	struct operation_filter by_shelf = {STR("shelf"), STR("S2")};
	struct operation operation = world_operation(world, "offsets");

	save(world, true, "offsets", "{\"response\":{\"shelf\":\"$uppercase(shelf)\"}}");
	operation.filters = &by_shelf;
	operation.filter_count = 1;
	operation.limit = 3;
	world_must(world, &operation);
	assert_string_equal(world_ids(world), "98 95 92");
	assert_null(strstr(world->kiln.last_url, "shelf="));
}

static void test_filters_compare_what_is_shown(void **state)
{
	(void)state;
	world_run(filter);
}

static void ask(struct world *world)
{
	struct operation operation = world_operation(world, "offsets");
	struct operation_filter since = {STR("created_at[gt]"), STR("2025-01-01")};

	save(world, true, "offsets",
	     "{\"request\":{\"list\":{\"offsets.list\":{\"query.scope\":"
	     "\"$exists(`created_at[gt]`) ? 'new ones' : $context.company_id\"}}}}");
	world_must(world, &operation);
	assert_non_null(strstr(world->kiln.last_url, "?scope=acme&limit="));
	operation.filters = &since;
	operation.filter_count = 1;
	world_must(world, &operation);
	assert_non_null(strstr(world->kiln.last_url, "scope=new%20ones&limit="));
	/* Nothing leaves the parameter out. */
	save(world, true, "offsets",
	     "{\"request\":{\"list\":{\"offsets.list\":{\"query.scope\":\"nothing\"}}}}");
	operation.filter_count = 0;
	world_must(world, &operation);
	assert_null(strstr(world->kiln.last_url, "scope"));
}

static void test_parameters_of_reads_are_overridden(void **state)
{
	(void)state;
	world_run(ask);
}

static void write_body(struct world *world)
{
	struct operation operation = world_operation(world, "wares");

	operation.method = OPERATION_WRITE;
	operation.write = STR("create");
	operation.body = parse(world, "{\"name\":\"vase\",\"colour\":\"red\"}");
	/* This ATS has no place for a colour, until one is made. */
	assert_false(world_call(world, &operation));
	assert_string_equal(world->err.field, "colour");
	save(world, true, "wares",
	     "{\"request\":{\"create\":{\"pots.create\":{\"body.pot.name\":\"colour & ' ' & "
	     "name\"}}}}");
	world_must(world, &operation);
	assert_string_equal(world->kiln.pots[0].name, "red vase");
	assert_string_equal(print(world, json_get_c(world->result.item, "name")), "\"red vase\"");
	/* What stands beside it is as it was. */
	operation.body = parse(world, "{\"name\":\"bowl\",\"size\":\"12\"}");
	world_must(world, &operation);
	assert_int_equal(world->kiln.pots[0].size, 12);
	/* The fault of an override is told with its layer. */
	save(world, true, "wares",
	     "{\"request\":{\"create\":{\"pots.create\":{\"body.pot.name\":\"$error('no')\"}}}}");
	size_t creations = world->kiln.creations;
	assert_false(world_call(world, &operation));
	assert_non_null(
		strstr(world->err.message, "the account's override of name in create of wares"));
	assert_int_equal(world->kiln.creations, creations);
}

static void test_bodies_of_writes_are_overridden(void **state)
{
	(void)state;
	world_run(write_body);
}

/* --- budgets --------------------------------------------------------------------------------- */

static void go_past(struct world *world, const char *expression)
{
	struct operation operation = world_operation(world, "offsets");
	struct json_builder fields, document;

	json_builder_init(&fields, &world->arena);
	json_builder_init(&document, &world->arena);
	json_builder_set(&fields, STR("name"), json_string_c(expression));
	json_builder_set(&document, STR("response"), json_builder_object(&fields));
	save(world, false, "offsets", print(world, json_builder_object(&document)));
	assert_false(world_call(world, &operation));
	assert_int_equal(world->err.code, ERROR_LIMIT);
	assert_string_equal(world->err.field, "name");
	assert_non_null(strstr(world->err.message, "the environment's override of offsets.name"));
}

static void hostile(struct world *world)
{
	struct operation operation = world_operation(world, "wares");

	go_past(world, "($f := function($n) { $f($n + 1) }; $f(0))");
	go_past(world, "$sum([1..400000].($ * $ * $ * $))");
	go_past(world, "($f := function($n) { 1 + $f($n) }; $f(0))");
	/* Each record's share is small: it is the sum that is too much. */
	operation = world_operation(world, "offsets");
	operation.limit = 100;
	save(world, false, "offsets",
	     "{\"response\":{\"name\":\"($f := function($n) { $n = 0 ? 0 : $f($n - 1) }; "
	     "$f(20000))\"}}");
	assert_false(world_call(world, &operation));
	assert_non_null(strstr(world->err.message, "the overrides of one call"));
	/* A fault of the data costs the field alone. */
	save(world, false, "offsets",
	     "{\"response\":{\"name\":\"id % 2 = 0 ? $error('odd') : 'fine'\"}}");
	operation.limit = 2;
	world_must(world, &operation);
	assert_string_equal(print(world, json_get_c(json_at(world->result.items, 0), "name")),
			    "null");
	assert_string_equal(print(world, json_get_c(json_at(world->result.items, 1), "name")),
			    "\"fine\"");
	/* What was written is answered, by the connector's own fields. */
	save(world, false, "wares",
	     "{\"response\":{\"name\":\"($f := function($n) { $f($n + 1) }; $f(0))\"}}");
	operation = world_operation(world, "wares");
	operation.method = OPERATION_WRITE;
	operation.write = STR("create");
	operation.body = parse(world, "{\"name\":\"vase\"}");
	world_must(world, &operation);
	assert_string_equal(print(world, json_get_c(world->result.item, "name")), "\"vase\"");
	assert_int_equal(world->kiln.creations, 1);
}

static void test_an_override_past_its_budget_ends_its_call(void **state)
{
	(void)state;
	world_run(hostile);
}

/* --- previews -------------------------------------------------------------------------------- */

static const struct overriding *draft(struct world *world, const char *resource,
				      const char *document)
{
	const struct override_layer layer = layer_of(world, true);
	const struct overriding *overriding;
	struct override_fault fault;
	struct override *list;
	size_t count;
	bool ok = override_read(&world->arena, str_from_c(resource), parse(world, document), &list,
				&count, &world->err) &&
		  overriding_make(world->services.overrides, &world->arena, &layer, list, count,
				  &overriding, &fault, &world->err);

	WORLD_CHECK(ok, world->err);
	return overriding;
}

static void preview(struct world *world)
{
	struct operation operation = world_operation(world, "details");
	struct operation_preview preview = {.record = json_undefined()};

	save(world, false, "details", "{\"response\":{\"name\":\"'pot ' & name\"}}");
	preview.draft = draft(world, "details",
			      "{\"response\":{\"size\":\"size + 1\",\"shelf\":\"$error('no')\"}}");
	operation.method = OPERATION_GET;
	operation.id = STR("7");
	WORLD_CHECK(operation_preview(&world->services, &world->arena, &operation, &preview,
				      &world->result, &world->err),
		    world->err);
	assert_string_equal(
		print(world, override_difference(&world->arena, preview.before, preview.after)),
		"[{\"field\":\"shelf\",\"before\":\"top\",\"after\":null},"
		"{\"field\":\"size\",\"before\":7,\"after\":8}]");
	assert_non_null(strstr(print(world, preview.errors),
			       "[{\"field\":\"shelf\",\"layer\":\"account\",\"code\":\"D3137\""));
	assert_string_equal(print(world, json_get_c(preview.record, "id")), "7");
	/* A given record costs no call. */
	size_t calls = world->kiln.calls;
	preview.record = parse(world, "{\"id\":1,\"name\":\"a\",\"size\":4}");
	WORLD_CHECK(operation_preview(&world->services, &world->arena, &operation, &preview,
				      &world->result, &world->err),
		    world->err);
	assert_string_equal(print(world, json_get_c(preview.before, "name")), "\"pot a\"");
	assert_string_equal(print(world, json_get_c(preview.after, "size")), "5");
	assert_int_equal(world->kiln.calls, calls);
	/* Nothing was saved. */
	assert_non_null(strstr(first(world, "details"), "\"shelf\":null"));
	preview.table = STR("lid");
	assert_false(operation_preview(&world->services, &world->arena, &operation, &preview,
				       &world->result, &world->err));
	assert_string_equal(world->err.field, "table");
}

static void test_drafts_are_shown_beside_what_is(void **state)
{
	(void)state;
	world_run(preview);
}

static void test_differences_are_told_by_path(void **state)
{
	static const char *const cases[][3] = {
		{"{\"a\":1}", "{\"a\":1.0}", "[]"},
		{"{\"a\":{\"b\":[1,{\"c\":2}]}}", "{\"a\":{\"b\":[1,{\"c\":3,\"d\":4}]}}",
		 "[{\"field\":\"a.b[1].c\",\"before\":2,\"after\":3},"
		 "{\"field\":\"a.b[1].d\",\"before\":null,\"after\":4}]"},
		{"{\"a\":[1],\"z\":1}", "{\"a\":[1,2]}",
		 "[{\"field\":\"a\",\"before\":[1],\"after\":[1,2]},"
		 "{\"field\":\"z\",\"before\":1,\"after\":null}]"},
	};
	struct json before, after;
	struct arena arena;
	struct buffer out;
	struct error err;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(json_parse(&arena, str_from_c(cases[i][0]), &json_limits_default,
				       &before, &err));
		assert_true(json_parse(&arena, str_from_c(cases[i][1]), &json_limits_default,
				       &after, &err));
		buffer_init(&out, &arena, 4096);
		json_print(&out, override_difference(&arena, before, after));
		assert_string_equal(arena_c(&arena, buffer_str(&out)), cases[i][2]);
	}
	arena_finish(&arena);
}

/* --- any set of fields ----------------------------------------------------------------------- */

static const char *const some_fields[] = {"name",	"shelf",      "size",
					  "remote_url", "created_at", "updated_at"};
enum { SOME_FIELDS = sizeof some_fields / sizeof some_fields[0] };

static const char *random_document(struct world *world, bool *is_changed)
{
	static const char *const values[] = {"'https://kiln.example/1'", "42",
					     "'2026-02-02T00:00:00Z'", "null", "$error('x')"};
	struct buffer out;
	bool is_first = true;

	buffer_init(&out, &world->arena, 4096);
	buffer_append_c(&out, "{\"response\":{");
	for (size_t i = 0; i < SOME_FIELDS; i++) {
		is_changed[i] = random_below(&world->random, 2) == 0;
		if (!is_changed[i])
			continue;
		buffer_append_format(&out, "%s\"%s\":\"%s\"", is_first ? "" : ",", some_fields[i],
				     values[random_below(&world->random, 5)]);
		is_first = false;
	}
	buffer_append_c(&out, "}}");
	return arena_c(&world->arena, buffer_str(&out));
}

/* Whatever is overridden, all else is as it was, and in its order. */
static void change_some(struct world *world)
{
	struct json plain = parse(world, first(world, "offsets"));
	struct override_fault fault;

	for (int round = 0; round < 300; round++) {
		struct override_layer layer = layer_of(world, round % 2 == 0);
		struct override_layer other = layer_of(world, round % 2 != 0);
		bool is_changed[SOME_FIELDS];
		const char *document = random_document(world, is_changed);

		assert_true(try_save(world, &other, "offsets", "{}", true, &fault));
		assert_true(try_save(world, &layer, "offsets", document, true, &fault));
		struct json record = parse(world, first(world, "offsets"));
		assert_int_equal(record.count, plain.count);
		for (size_t i = 0; i < plain.count; i++) {
			struct str key = str_make(plain.members[i].key, plain.members[i].key_len);
			bool may_differ = false;

			assert_true(str_equal(
				key, str_make(record.members[i].key, record.members[i].key_len)));
			for (size_t k = 0; k < SOME_FIELDS; k++)
				may_differ |= is_changed[k] && str_equal_c(key, some_fields[k]);
			if (!may_differ &&
			    !json_equal(plain.members[i].value, record.members[i].value))
				fail_msg("%s changed %.*s", document, STR_ARGS(key));
		}
	}
}

static void test_only_what_is_overridden_changes(void **state)
{
	(void)state;
	world_run(change_some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_account_wins_over_its_environment),
		cmocka_unit_test(test_an_environment_is_its_own),
		cmocka_unit_test(test_fields_may_be_added),
		cmocka_unit_test(test_what_has_no_place_is_refused_by_name),
		cmocka_unit_test(test_a_bad_expression_is_refused_with_its_place),
		cmocka_unit_test(test_a_layer_is_bounded),
		cmocka_unit_test(test_what_is_held_is_shared_and_given_up),
		cmocka_unit_test(test_a_result_outlives_a_change),
		cmocka_unit_test(test_no_thread_sees_what_was_before),
		cmocka_unit_test(test_one_that_does_not_fit_any_more_is_told),
		cmocka_unit_test(test_filters_compare_what_is_shown),
		cmocka_unit_test(test_parameters_of_reads_are_overridden),
		cmocka_unit_test(test_bodies_of_writes_are_overridden),
		cmocka_unit_test(test_an_override_past_its_budget_ends_its_call),
		cmocka_unit_test(test_drafts_are_shown_beside_what_is),
		cmocka_unit_test(test_differences_are_told_by_path),
		cmocka_unit_test(test_only_what_is_overridden_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

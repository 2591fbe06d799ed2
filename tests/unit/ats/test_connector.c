/* Connectors: what their loader makes of a good definition, every fault it tells of bad ones
 * (connectors/<case>/ beside this file, with the faults expected), templates and references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "ats/connector/loader.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static const char *in_source(const char *path)
{
	return arena_format(&arena, "%s/%s", getenv("TENON_SOURCE"), path).data;
}

static const struct model *load_model(void)
{
	struct buffer faults;

	buffer_init(&faults, &arena, 1 << 20);
	const struct model *model =
		model_load(&arena, disk_system(), in_source("tests/unit/ats/models/ats"), &faults);
	if (model == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	return model;
}

static const struct connector *load(const char *name, struct buffer *faults)
{
	struct str folder = arena_format(&arena, "tests/unit/ats/connectors/%s", name);

	buffer_init(faults, &arena, 1 << 20);
	return connector_load(&arena, disk_system(), in_source(folder.data), load_model(), faults);
}

static const struct connector *load_good(void)
{
	struct buffer faults;
	const struct connector *connector = load("good", &faults);

	if (connector == NULL)
		fail_msg("%.*s", STR_ARGS(buffer_str(&faults)));
	return connector;
}

/* --- faults ----------------------------------------------------------------------------------- */

/* The lines of the faults, their paths from the connector's folder on. */
static struct str shorten(struct str faults, const char *name)
{
	struct str folder = arena_format(&arena, "%s/%s/", in_source("tests/unit/ats/connectors"),
					 name);
	struct buffer out;

	buffer_init(&out, &arena, 1 << 20);
	while (faults.len > 0) {
		struct str line = str_cut(&faults, '\n');

		if (str_starts_with(line, folder))
			line = str_slice(line, folder.len, line.len);
		buffer_append(&out, line);
		buffer_append_byte(&out, '\n');
	}
	return buffer_str(&out);
}

static void assert_faults(const char *name)
{
	struct buffer faults;
	struct str expected, found;
	struct error err;
	const char *path = in_source(
		arena_format(&arena, "tests/unit/ats/connectors/%s/faults.txt", name).data);

	if (!disk_read(disk_system(), &arena, path, 1 << 20, &expected, &err))
		fail_msg("%s", err.message);
	assert_null(load(name, &faults));
	found = shorten(buffer_str(&faults), name);
	if (!str_equal(found, expected))
		fail_msg("%s: found\n%.*s\nnot\n%.*s", name, STR_ARGS(found), STR_ARGS(expected));
}

static void test_every_fault_is_told(void **state)
{
	(void)state;
	static const char *const names[] = {"root",    "natives", "lists",  "calls",	"writes",
					    "details", "files",	  "link",    "broken",	"expressions",
					    "badges",  "webhooks"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_faults(names[i]);
}

static void test_a_folder_without_a_connector(void **state)
{
	(void)state;
	struct buffer faults;
	struct connectors connectors;

	assert_null(load("nowhere", &faults));
	assert_true(str_find(buffer_str(&faults), STR("nowhere/connector.yaml:1: ")) >= 0);
	buffer_init(&faults, &arena, 1 << 20);
	assert_false(connectors_load(&arena, disk_system(), in_source("tests/unit/ats/connectors"),
				     load_model(), &connectors, &faults));
	assert_true(str_find(buffer_str(&faults), STR("root/connector.yaml:1: ")) >= 0);
	assert_true(str_find(buffer_str(&faults), STR("natives/connector.yaml:5: ")) >= 0);
}

/* --- a good one ------------------------------------------------------------------------------- */

static void assert_str(struct str found, const char *expected)
{
	if (!str_equal_c(found, expected))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARGS(found), expected);
}

static void test_root(void **state)
{
	(void)state;
	const struct connector *good = load_good();

	assert_str(good->name, "good");
	assert_str(good->label, "Good");
	assert_int_equal(good->context_count, 2);
	assert_true(good->context[0].is_required);
	assert_non_null(good->context[0].check);
	assert_false(good->context[1].is_required);
	assert_int_equal(good->format_count, 1);
	const struct connector_format *format = &good->formats[0];
	assert_int_equal(format->field_count, 2);
	assert_true(format->fields[0].is_secret && format->fields[0].is_required);
	assert_false(format->fields[1].is_secret || format->fields[1].is_required);
	assert_str(format->name, "api_key");
	assert_int_equal(format->header_count, 2);
	assert_str(format->headers[0].name, "X-Key");
	assert_int_equal(format->headers[0].value.count, 2);
	assert_int_equal(good->limits.requests, 5);
	assert_int_equal(good->limits.concurrent, 0);
	assert_str(good->references_path, "side");
	assert_str(good->reference_type, "kind");
	assert_ptr_equal(good->probe, connector_find_method(good, STR("things"), STR("ping")));
	assert_null(connector_find_method(good, STR("things"), STR("pong")));
	assert_null(connector_find_resource(good, STR("owners")));
}

static void test_formats(void **state)
{
	(void)state;
	struct buffer faults;
	struct error err;
	const struct connector *connector = load("formats", &faults);

	assert_non_null(connector);
	assert_int_equal(connector->format_count, 4);
	assert_ptr_equal(connector_find_format(connector, STR(""), &err), &connector->formats[0]);
	assert_null(connector_find_format(connector, STR("magic"), &err));
	assert_string_equal(err.field, "authentication_method");
	assert_string_equal(err.allowed, "api_key, basic, oauth2, oauth2_client_credentials");

	const struct connector_format *key = &connector->formats[0];
	assert_int_equal(key->query_count, 1);
	assert_int_equal(key->header_count, 1);
	assert_str(key->headers[0].name, "X-Version");

	const struct connector_format *basic = connector_find_format(connector, STR("basic"), &err);
	assert_int_equal(basic->field_count, 2);
	assert_str(basic->fields[0].name, "username");
	assert_true(basic->fields[1].is_secret && !basic->fields[0].is_secret);
	assert_true(basic->headers[0].is_basic);
	assert_int_equal(basic->header_count, 2);

	const struct connector_format *oauth = connector_find_format(connector, STR("oauth2"), &err);
	assert_int_equal(oauth->field_count, 0);
	assert_str(oauth->headers[0].name, "Authorization");
	assert_str(oauth->headers[0].value.parts[0].text, "Bearer ");
	assert_int_equal(oauth->oauth.scope_count, 2);
	assert_str(oauth->oauth.scope_separator, ",");
	assert_true(oauth->oauth.is_client_in_body);
	assert_str(oauth->oauth.authorize_params[0].value, "consent");
	assert_str(oauth->oauth.issuer, "https://x.example");
	assert_int_equal(oauth->oauth.token_url.count, 3);

	const struct connector_format *client = &connector->formats[3];
	assert_str(client->fields[1].name, "client_secret");
	assert_str(client->headers[0].name, "X-Token");
	assert_false(client->oauth.is_client_in_body);
}

static void test_native_methods(void **state)
{
	(void)state;
	const struct connector *good = load_good();
	const struct native_method *list =
		connector_find_method(good, STR("things"), STR("list"));
	const struct native_method *owners =
		connector_find_method(good, STR("owners"), STR("list"));

	assert_int_equal(list->verb, HTTP_GET);
	assert_true(list->is_list);
	assert_str(list->items, "data.things");
	assert_int_equal(list->page.style, PAGE_NUMBER);
	assert_int_equal(list->page.first, 0);
	assert_int_equal(list->page.size_max, 50);
	assert_str(list->page.position_name, "p");
	assert_int_equal(list->query_count, 4);
	assert_true(list->query[3].is_required);
	assert_int_equal(owners->page.style, PAGE_NONE);
	assert_true(owners->is_list && owners->items.len == 0);
}

static void test_alternatives(void **state)
{
	(void)state;
	const struct unified_resource *things =
		connector_find_resource(load_good(), STR("things"));
	const struct unified_alternative *first = &things->list.alternatives[0];
	const struct unified_alternative *second = &things->list.alternatives[1];
	const struct unified_call *call = &first->calls[1];

	assert_int_equal(things->list.count, 2);
	assert_int_equal(first->when_count, 1);
	assert_int_equal(first->call_count, 3);
	assert_true(first->calls[0].arguments[0].is_path);
	assert_str(first->calls[0].arguments[0].filter, "owner_id");
	assert_str(first->calls[0].map->name, "map");
	assert_str(call->map->name, "part");
	assert_non_null(call->each);
	assert_int_equal(call->argument_count, 3);
	assert_str(call->arguments[0].name, "owner");
	assert_non_null(call->arguments[0].value);
	assert_int_equal(call->arguments[1].constant.type, JSON_ARRAY);
	assert_str(first->matches[0], "owner_id");
	assert_str(first->unknowns[0], "owner.name");
	assert_false(first->is_partial);
	assert_true(second->is_partial);
	/* id, name, status and its remote word, owner, … */
	assert_true(second->is_absent[2] && second->is_absent[3] && second->is_absent[4]);
	assert_false(second->is_absent[0] || second->is_absent[1] || second->is_absent[5]);
	assert_str(second->lookups[0].type, "Owner");
	assert_null(second->lookups[0].when);
	assert_str(second->lookups[0].key, "id");
	assert_int_equal(things->get.alternatives[0].find_calls_max, 0);
}

static void test_what_takes_more_calls(void **state)
{
	(void)state;
	const struct unified_resource *things =
		connector_find_resource(load_good(), STR("things"));
	const struct unified_alternative *first = &things->list.alternatives[0];
	const struct unified_alternative *second = &things->list.alternatives[1];
	const struct unified_call *call = &first->calls[2];

	assert_false(first->calls[0].is_optional);
	assert_null(first->calls[0].detail.method);
	assert_true(call->is_optional);
	assert_str(call->detail.method->name, "get");
	assert_int_equal(call->detail.argument_count, 1);
	assert_str(call->detail.arguments[0].name, "id");
	assert_int_equal(first->expand_count, 1);
	assert_str(first->expands[0].filter, "owner_id");
	assert_str(first->expands[0].path, "owner.id");
	assert_str(first->lookups[0].key, "name");
	assert_non_null(first->lookups[0].each);
	assert_int_equal(first->lookups[0].argument_count, 1);
	assert_true(first->lookups[0].arguments[0].is_path);
	assert_null(first->maybe_absent_when);
	/* id, name, status: what is always absent is so here too. */
	assert_non_null(second->maybe_absent_when);
	assert_true(second->is_maybe_absent[1] && second->is_maybe_absent[2]);
	assert_false(second->is_maybe_absent[0]);
}

static bool evaluate(const struct jsonata *expression, struct reference_index *references,
		     struct json input, struct json *out)
{
	const struct json variables[CONNECTOR_VARIABLES] = {0};
	const struct jsonata_context context = {
		.arena = &arena,
		.limits = &jsonata_limits_default,
		.variables = variables,
		.native_context = references,
		.clock = clock_system(),
		.random = random_system(),
	};
	struct jsonata_error fault;

	return jsonata_evaluate(expression, &context, input, out, &fault);
}

static void test_patterns_check_values(void **state)
{
	(void)state;
	const struct connector_field *site = &load_good()->context[0];
	struct json fits;

	assert_str(site->pattern, "^[a-z/]+$");
	assert_true(evaluate(site->check, NULL, json_string_c("a/b"), &fits));
	assert_true(json_is(fits, JSON_BOOL) && fits.boolean);
	assert_true(evaluate(site->check, NULL, json_string_c("a b"), &fits));
	assert_true(json_is(fits, JSON_BOOL) && !fits.boolean);
}

/* --- templates -------------------------------------------------------------------------------- */

static bool find_name(void *context, struct str name, struct str *value)
{
	*value = STR("a b/\xc3\xa9");
	return str_equal_c(name, context);
}

static void test_templates(void **state)
{
	(void)state;
	const struct native_method *get =
		connector_find_method(load_good(), STR("things"), STR("get"));
	struct buffer out;
	struct error err;
	char known[] = "id", unknown[] = "other";

	buffer_init(&out, &arena, 1000);
	assert_true(template_expand(&get->path, &out, true, find_name, known, &err));
	assert_str(buffer_str(&out), "/things/a%20b%2F%C3%A9");
	buffer_init(&out, &arena, 1000);
	assert_true(template_expand(&get->path, &out, false, find_name, known, &err));
	assert_str(buffer_str(&out), "/things/a b/\xc3\xa9");
	assert_false(template_expand(&get->path, &out, false, find_name, unknown, &err));
	assert_int_equal(err.code, ERROR_INTERNAL);
}

/* --- references ------------------------------------------------------------------------------- */

static struct json parse(const char *text)
{
	struct json value;
	struct error err;

	if (!json_parse(&arena, str_from_c(text), &json_limits_default, &value, &err))
		fail_msg("%s: %s", text, err.message);
	return value;
}

static void assert_reference(const struct reference_index *index, const char *type,
			     struct json id, const char *name)
{
	struct json found = reference_index_find(index, str_from_c(type), id);

	if (name == NULL)
		assert_true(json_is(found, JSON_UNDEFINED));
	else
		assert_str(json_get_str(found, "name"), name);
}

static void test_references(void **state)
{
	(void)state;
	struct reference_index *index = reference_index_create(&arena);

	assert_reference(index, "A", json_int(1), NULL);
	reference_index_add(index,
			    parse("[{\"type\":\"A\",\"id\":1,\"name\":\"a\"},"
				  "{\"type\":\"B\",\"id\":\"1\",\"name\":\"b\"},"
				  "{\"type\":\"A\",\"id\":-12345678901234567,\"name\":\"minus\"},"
				  "{\"type\":\"A\",\"id\":1,\"name\":\"again\"},"
				  "{\"type\":7,\"id\":1},{\"id\":1},{\"type\":\"A\"},3]"),
			    (struct str){NULL, 0}, STR("type"));
	reference_index_add(index, parse("[{\"id\":1,\"name\":\"c\"},{\"id\":2,\"name\":\"d\"}]"),
			    STR("B"), (struct str){NULL, 0});
	reference_index_add(index, parse("{\"id\":9}"), STR("B"), (struct str){NULL, 0});
	assert_reference(index, "A", json_int(1), "a");
	assert_reference(index, "A", json_string_c("1"), "a");
	assert_reference(index, "B", json_int(1), "b");
	assert_reference(index, "B", json_string_c("2"), "d");
	assert_reference(index, "A", json_int(-12345678901234567), "minus");
	assert_reference(index, "B", json_int(9), NULL);
	assert_reference(index, "A", json_null(), NULL);
	assert_reference(index, "C", json_int(1), NULL);
}

static void test_many_references(void **state)
{
	(void)state;
	struct reference_index *index = reference_index_create(&arena);

	for (int from = 0; from < 5000; from += 50) {
		struct json_builder records;

		json_builder_init(&records, &arena);
		for (int id = from; id < from + 50; id++) {
			struct json_builder record;

			json_builder_init(&record, &arena);
			json_builder_set(&record, STR("id"), json_int(id));
			json_builder_set(&record, STR("name"),
					 json_string(arena_format(&arena, "n%d", id)));
			json_builder_add(&records, json_builder_object(&record));
		}
		reference_index_add(index, json_builder_array(&records), STR("T"),
				    (struct str){NULL, 0});
	}
	for (int id = 0; id < 5000; id++)
		assert_reference(index, "T", json_int(id),
				 arena_format(&arena, "n%d", id).data);
	assert_reference(index, "T", json_int(5000), NULL);
}

/* --- functions of expressions ----------------------------------------------------------------- */

static const struct jsonata *compile(const char *text)
{
	const struct jsonata_options options = {
		.natives = connector_natives,
		.native_count = connector_native_count,
		.variables = connector_variables,
		.variable_count = CONNECTOR_VARIABLES,
	};
	struct jsonata_error fault;
	const struct jsonata *expression =
		jsonata_compile(&arena, str_from_c(text), &options, &fault);

	if (expression == NULL)
		fail_msg("%s: %s", text, fault.code);
	return expression;
}

static struct json run(const char *text, struct reference_index *references, struct json input)
{
	struct json out;

	if (!evaluate(compile(text), references, input, &out))
		fail_msg("%s fails", text);
	return out;
}

static bool is_pure(const char *text)
{
	return expression_is_pure(compile(text));
}

/* What may be otherwise of the same record the next time. */
static void test_pure_expressions(void **state)
{
	(void)state;
	assert_true(is_pure("$uppercase(name) & $context.company_id & $record.id"));
	assert_true(is_pure("$reference(\"Owner\", owner_id).name"));
	assert_false(is_pure("due_at < $now()"));
	assert_false(is_pure("($f := $millis; $f())"));
	assert_false(is_pure("$toMillis(time, \"[H]:[m]\")"));
	assert_false(is_pure("$shuffle(names)"));
	assert_false(is_pure("$random() < 0.5"));
	assert_false(is_pure("$eval(formula)"));
	assert_false(is_pure("$body.meta.kind"));
	assert_true(connector_find_resource(load_good(), STR("things"))->list.alternatives[0].calls[0].is_pure);
}

static void test_digests(void **state)
{
	(void)state;
	const struct connector *good = load_good(), *again = load_good();

	assert_true(good->resources[0].digest != 0);
	assert_true(good->resources[0].digest == again->resources[0].digest);
	for (size_t i = 1; i < good->resource_count; i++)
		assert_true(good->resources[0].digest != good->resources[i].digest);
}

static void test_reference_function(void **state)
{
	(void)state;
	struct reference_index *index = reference_index_create(&arena);

	reference_index_add(index, parse("[{\"id\":7,\"name\":\"a\"}]"), STR("T"),
			    (struct str){NULL, 0});
	assert_str(json_str(run("$reference('T', x).name", index, parse("{\"x\":7}"))), "a");
	assert_true(json_is(run("$reference('T', x).name", index, parse("{\"x\":null}")),
			    JSON_UNDEFINED));
	assert_true(json_is(run("$reference('T', y)", index, parse("{\"x\":7}")), JSON_UNDEFINED));
	assert_true(json_is(run("$reference('T', x)", NULL, parse("{\"x\":7}")), JSON_UNDEFINED));
}

static void assert_plain(const char *html, const char *expected)
{
	struct json text = run("$plain_text($)", NULL, json_string_c(html));

	assert_int_equal(text.type, JSON_STRING);
	assert_str(json_str(text), expected);
}

static void test_plain_text(void **state)
{
	(void)state;
	assert_plain("", "");
	assert_plain("plain", "plain");
	assert_plain("<p>One</p>\n<p>two <b>and</b>\t three</p>", "One\n\ntwo and three");
	assert_plain("<ul><li>a</li><li>b</li></ul>", "a\nb");
	assert_plain("a<br/>b<BR>c", "a\nb\nc");
	assert_plain("1 &lt; 2 &amp;&amp; 3 &#62; 2 &#xe9; &euro; &unknown; & &#0; &#xD800;",
		     "1 < 2 && 3 > 2 \xc3\xa9 \xe2\x82\xac &unknown; & &#0; &#xD800;");
	assert_plain("a < b and c<d>e", "a < b and ce");
	assert_plain("x<!-- <p>no</p> -->y<script>alert('<p>')</script>z<style>p{}</style>", "xyz");
	assert_plain("<a href='>'>link</a><img alt=\"<p>\">", "link");
	assert_plain("open <p", "open");
	assert_plain("<", "<");
	assert_plain("K&ouml;ln&nbsp;&rarr; &yuml;&ETH;&ouml", "K\xc3\xb6ln \xe2\x86\x92 \xc3\xbf\xc3\x90&ouml");
	assert_plain("&#128512;", "\xf0\x9f\x98\x80");
	assert_true(json_is(run("$plain_text(x)", NULL, parse("{\"x\":null}")), JSON_UNDEFINED));
}

static void assert_clean(const char *html, const char *expected)
{
	struct json text = run("$clean_html($)", NULL, json_string_c(html));

	assert_int_equal(text.type, JSON_STRING);
	assert_str(json_str(text), expected);
}

static void test_clean_html(void **state)
{
	(void)state;
	const char *link = "<a href=\"https://x.example/?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow\">x</a>";

	assert_clean("", "");
	assert_clean("<p>One &amp; <b>two</b>: \"three\" > 2</p>", "<p>One &amp; <b>two</b>: \"three\" > 2</p>");
	assert_clean("<P STYLE='x' onclick=\"a()\">a</P><br/><hr class=x>", "<p>a</p><br><hr>");
	assert_clean("<a target=_blank href='https://x.example/?a=1&amp;b=2' onclick=y>x</a>", link);
	assert_clean("<a href=https://x.example/?a=1&amp;b=2>x</a>", link);
	assert_clean("<A HREF = \"mailto:a@x.example\">x</A>",
		     "<a href=\"mailto:a@x.example\" rel=\"noopener noreferrer nofollow\">x</a>");
	assert_clean("<a href='javascript:alert(1)'>x</a>", "<a>x</a>");
	assert_clean("<a href=' javascript:alert(1)'>x</a>", "<a>x</a>");
	assert_clean("<a href='&#106;avascript:alert(1)'>x</a>", "<a>x</a>");
	assert_clean("<a href='java\nscript:alert(1)'>x</a>", "<a>x</a>");
	assert_clean("<a href='data:text/html,<script>'>x</a>", "<a>x</a>");
	assert_clean("<a title='href=https://x.example'>x</a>", "<a>x</a>");
	assert_clean("<a href='https://\"><img src=x onerror=a()>'>x</a>",
		     "<a href=\"https://&quot;&gt;&lt;img src=x onerror=a()&gt;\" "
		     "rel=\"noopener noreferrer nofollow\">x</a>");
	assert_clean("<img src=x onerror=alert(1)>a<script>alert('<p>')</script>b", "ab");
	assert_clean("<svg><script>alert(1)</script></svg>c<style>p{}</STYLE>d", "cd");
	assert_clean("<scr<script>ipt>alert(1)</script>", "ipt>alert(1)");
	assert_clean("a<!-- <p>no</p> -->b<!doctype html>c<?php x ?>", "abc&lt;?php x ?>");
	assert_clean("1 < 2 <<p>", "1 &lt; 2 &lt;<p>");
	assert_clean("<p", "<p>");
}

/* Whatever comes, what is given has no tag but those kept, and no attribute but a link's. */
static bool is_clean(struct str html)
{
	static const char *const starts[] = {"p>", "b>", "a>", "/p>", "/b>", "/a>", "i>", "/i>", "s>",
					     "/s>", "a href=\"http:", "a href=\"tel:"};
	ptrdiff_t at;

	while ((at = str_find_byte(html, '<')) >= 0) {
		bool is_known = false;

		html = str_slice(html, (size_t)at + 1, html.len);
		for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
			is_known |= str_starts_with(html, str_from_c(starts[i]));
		if (!is_known)
			return false;
	}
	return true;
}

static void test_clean_html_of_anything(void **state)
{
	static const char *const parts[] = {"<", ">", "/", "\"", "'", "=", " ", "a", "p", "b", "href",
					    "http:", "tel:", "javascript:", "<a ", "<script", "</script",
					    "<!--", "-->", "&", "onx", "i", "s", "\n", "<svg>"};
	struct random_seeded seeded = {7};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct buffer html;
		char spelt[400];

		buffer_init(&html, &arena, 300);
		for (uint64_t n = random_seeded_next(&seeded) % 24; n > 0; n--)
			buffer_append_c(&html, parts[random_seeded_next(&seeded) %
						     (sizeof parts / sizeof *parts)]);
		snprintf(spelt, sizeof spelt, "%.*s", STR_ARGS(buffer_str(&html)));
		struct str clean = json_str(run("$clean_html($)", NULL, json_string_c(spelt)));
		if (!is_clean(clean))
			fail_msg("%s gave %.*s", spelt, STR_ARGS(clean));
		run("$plain_text($)", NULL, json_string_c(spelt));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_fault_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_folder_without_a_connector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_native_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alternatives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_takes_more_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patterns_check_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_references, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pure_expressions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reference_function, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plain_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_html, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_html_of_anything, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a notification says: its id, what happened, and which records it is about. */
#include "ats/inbound/inbounds.h"

enum { TEXT_BYTES_MAX = 256, ERROR_BYTES_MAX = 300 };

static const struct json_limits body_limits = {
	.bytes_max = 4 * 1024 * 1024, .depth_max = 64, .nodes_max = 200000};

/* Undefined where there is no such expression, or it fails: then *fault tells. */
static struct json evaluate(const struct inbounds *inbounds, struct arena *arena,
			    const struct jsonata *expression, struct json body,
			    struct jsonata_error *fault)
{
	struct json variables[CONNECTOR_VARIABLES] = {0};
	const struct jsonata_context context = {
		.arena = arena,
		.limits = &jsonata_limits_default,
		.variables = variables,
		.clock = inbounds->options.clock,
		.random = inbounds->options.random,
	};
	struct json value = json_undefined();

	*fault = (struct jsonata_error){0};
	if (expression != NULL &&
	    !jsonata_evaluate(expression, &context, body, &value, fault))
		value = json_undefined();
	return value;
}

/* A text or number, as text; anything else is none. */
static struct str text_of(struct arena *arena, struct json value)
{
	struct str text = {NULL, 0};

	if (json_is(value, JSON_STRING))
		text = json_str(value);
	else if (json_is_number(value))
		text = json_text(arena, value);
	return text.len <= TEXT_BYTES_MAX ? text : (struct str){NULL, 0};
}

/* The first that went wrong is told. */
static void complain(struct inbound_reading *reading, struct arena *arena, const char *what,
		     struct str why)
{
	if (reading->error.len == 0)
		reading->error = arena_format(arena, "%s: %.*s", what,
					      STR_ARGS(str_slice(why, 0, ERROR_BYTES_MAX)));
}

/* --- hints ----------------------------------------------------------------------------------- */

/* {resource, id} or {resource, filter: {name: value}}, of what the connector can do. */
static bool read_hint(const struct connector *connector, struct arena *arena, struct json value,
		      struct sync_hint *hint)
{
	struct json filter = json_get_c(value, "filter");
	const struct unified_resource *resource;

	*hint = (struct sync_hint){
		.resource = json_get_str(value, "resource"),
		.id = text_of(arena, json_get_c(value, "id")),
	};
	resource = connector_find_resource(connector, hint->resource);
	if (resource == NULL)
		return false;
	if (json_is(filter, JSON_UNDEFINED))
		return hint->id.len > 0;
	if (!json_is(filter, JSON_OBJECT) || filter.count != 1 || hint->id.len > 0)
		return false;
	hint->filter_name = json_name(&filter.members[0]);
	hint->filter_value = text_of(arena, filter.members[0].value);
	return hint->filter_value.len > 0 &&
	       model_find_filter(resource->model, hint->filter_name) != NULL;
}

static bool is_same(const struct sync_hint *a, const struct sync_hint *b)
{
	return str_equal(a->resource, b->resource) && str_equal(a->id, b->id) &&
	       str_equal(a->filter_name, b->filter_name) &&
	       str_equal(a->filter_value, b->filter_value);
}

static void add_hint(const struct connector *connector, struct arena *arena, struct json value,
		     struct inbound_reading *reading)
{
	struct sync_hint hint;

	if (!read_hint(connector, arena, value, &hint)) {
		complain(reading, arena, "hints", json_text(arena, value));
		return;
	}
	for (size_t i = 0; i < reading->hint_count; i++)
		if (is_same(&reading->hints[i], &hint))
			return;
	if (reading->hint_count == INBOUND_HINTS_MAX)
		complain(reading, arena, "hints", STR("there are too many"));
	else
		reading->hints[reading->hint_count++] = hint;
}

static void read_hints(const struct inbounds *inbounds, struct arena *arena,
		       const struct connector *connector, struct json body,
		       struct inbound_reading *reading)
{
	struct jsonata_error fault;
	struct json hints = evaluate(inbounds, arena, connector->webhooks.hints, body, &fault);

	if (fault.code[0] != '\0')
		complain(reading, arena, "hints", fault.message);
	if (json_is(hints, JSON_OBJECT))
		add_hint(connector, arena, hints, reading);
	for (size_t i = 0; json_is(hints, JSON_ARRAY) && i < hints.count; i++)
		add_hint(connector, arena, hints.items[i], reading);
}

struct json inbound_show_hints(struct arena *arena, const struct sync_hint *hints, size_t count)
{
	struct json_builder list;

	json_builder_init(&list, arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder hint, filter;

		json_builder_init(&hint, arena);
		json_builder_init(&filter, arena);
		json_builder_set(&hint, STR("resource"), json_string(hints[i].resource));
		if (hints[i].id.len > 0)
			json_builder_set(&hint, STR("id"), json_string(hints[i].id));
		if (hints[i].filter_name.len > 0) {
			json_builder_set(&filter, hints[i].filter_name,
					 json_string(hints[i].filter_value));
			json_builder_set(&hint, STR("filter"), json_builder_object(&filter));
		}
		json_builder_add(&list, json_builder_object(&hint));
	}
	return json_builder_array(&list);
}

/* --- the whole ------------------------------------------------------------------------------- */

void inbound_read(const struct inbounds *inbounds, struct arena *arena,
		  const struct connector *connector, struct str text,
		  struct inbound_reading *reading)
{
	const struct connector_webhooks *webhooks = &connector->webhooks;
	struct jsonata_error fault;
	struct error err;
	struct json body;

	*reading = (struct inbound_reading){0};
	if (!json_parse(arena, text, &body_limits, &body, &err)) {
		complain(reading, arena, "the body is not JSON", str_from_c(err.message));
		return;
	}
	reading->remote_id =
		text_of(arena, evaluate(inbounds, arena, webhooks->id, body, &fault));
	if (fault.code[0] != '\0')
		complain(reading, arena, "id", fault.message);
	reading->event = text_of(arena, evaluate(inbounds, arena, webhooks->event, body, &fault));
	if (fault.code[0] != '\0')
		complain(reading, arena, "event", fault.message);
	read_hints(inbounds, arena, connector, body, reading);
}

bool inbound_is_test(const struct inbounds *inbounds, struct arena *arena,
		     const struct connector *connector, struct str text)
{
	struct jsonata_error fault;
	struct json body, value;
	struct error err;

	if (connector->webhooks.test == NULL ||
	    !json_parse(arena, text, &body_limits, &body, &err))
		return false;
	value = evaluate(inbounds, arena, connector->webhooks.test, body, &fault);
	return json_is(value, JSON_BOOL) && value.boolean;
}

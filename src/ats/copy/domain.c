#include "ats/copy/domain.h"

static bool is_known(struct json value)
{
	return !json_is(value, JSON_UNDEFINED) && !json_is(value, JSON_NULL);
}

/* The value at a path whose first member is told, or undefined where it is not: an object that is
 * null has nothing in it. */
static struct json find(struct json record, struct str path)
{
	struct str root = str_cut(&path, '.');
	struct json value = json_get(record, root);

	if (path.len == 0 || json_is(value, JSON_UNDEFINED))
		return value;
	value = json_get_path(value, path);
	return json_is(value, JSON_UNDEFINED) ? json_null() : value;
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool is_same_member(struct json a, struct json b, const char *name)
{
	struct json value = json_get_c(a, name);

	return is_known(value) && json_equal(value, json_get_c(b, name));
}

/* A thing is known by its id, or where one of the two has none, by its name. */
static bool is_same(struct json a, struct json b)
{
	if (!json_is(a, JSON_OBJECT) || !json_is(b, JSON_OBJECT))
		return json_equal(a, b);
	if (is_known(json_get_c(a, "id")) && is_known(json_get_c(b, "id")))
		return is_same_member(a, b, "id");
	return is_same_member(a, b, "name");
}

static bool has_item(struct json list, struct json item)
{
	for (size_t i = 0; json_is(list, JSON_ARRAY) && i < list.count; i++)
		if (is_same(list.items[i], item))
			return true;
	return false;
}

static struct json find_added(struct arena *arena, struct json before, struct json after)
{
	struct json_builder added;

	json_builder_init(&added, arena);
	for (size_t i = 0; json_is(after, JSON_ARRAY) && i < after.count; i++)
		if (!has_item(before, after.items[i]))
			json_builder_add(&added, after.items[i]);
	return json_builder_array(&added);
}

/* --- events ---------------------------------------------------------------------------------- */

/* A new record was nothing before: what is set in it was set, but nothing in it has changed. */
static bool has_happened(const struct model_event *event, struct arena *arena, struct json before,
			 struct json after, struct json *added)
{
	bool is_new = json_is(before, JSON_UNDEFINED);
	struct json was = is_new ? json_null() : find(before, event->path);
	struct json is = find(after, event->path);

	if (json_is(was, JSON_UNDEFINED) || json_is(is, JSON_UNDEFINED))
		return false;
	switch (event->kind) {
	case MODEL_EVENT_CHANGED:
		return is_known(was) && is_known(is) && !json_equal(was, is);
	case MODEL_EVENT_SET:
		return !is_known(was) && is_known(is);
	case MODEL_EVENT_ADDED:
		*added = find_added(arena, was, is);
		return added->count > 0;
	}
	return false;
}

static struct json root_of(const struct model_resource *resource, const struct model_event *event,
			   struct json record)
{
	struct json value = json_get(record, resource->fields[event->root].name);

	return json_is(value, JSON_UNDEFINED) ? json_null() : value;
}

/* {"id", "resource", "before", "after", "added"?, "record"}, before and after of the whole field */
static struct str make_payload(const struct model_resource *resource,
			       const struct model_event *event, struct arena *arena,
			       struct json before, struct json after, struct json added,
			       const struct event_new *of)
{
	struct json_builder payload;

	json_builder_init(&payload, arena);
	json_builder_set(&payload, STR("id"), json_string(of->record_id));
	json_builder_set(&payload, STR("resource"), json_string(of->resource));
	json_builder_set(&payload, STR("before"), root_of(resource, event, before));
	json_builder_set(&payload, STR("after"), root_of(resource, event, after));
	json_builder_set(&payload, STR("added"), added);
	json_builder_set(&payload, STR("record"), after);
	return json_text(arena, json_builder_object(&payload));
}

size_t copy_domain_events(const struct model_resource *resource, struct arena *arena,
			  struct json before, struct json after, const struct event_new *of,
			  struct store_statement *out)
{
	size_t count = 0;

	for (size_t i = 0; i < resource->event_count; i++) {
		const struct model_event *event = &resource->events[i];
		struct event_new *told = arena_alloc(arena, sizeof *told);
		struct json added = json_undefined();

		if (!has_happened(event, arena, before, after, &added))
			continue;
		*told = *of;
		told->type = event->type;
		told->payload =
			make_payload(resource, event, arena, before, after, added, of);
		out[count++] = event_statement(arena, told);
	}
	return count;
}

/* What is sent of an event. */
#include "ats/webhook/webhook.h"

/* The members that hold what a field told: of a record of which something happened. */
static bool is_value(struct str name)
{
	return str_equal(name, STR("before")) || str_equal(name, STR("after")) ||
	       str_equal(name, STR("added"));
}

/* The field that such an event is about; data NULL: nobody knows. */
static struct str find_field(const struct model_resource *resource, struct str type)
{
	for (size_t i = 0; resource != NULL && i < resource->event_count; i++)
		if (str_equal(resource->events[i].type, type))
			return resource->fields[resource->events[i].root].name;
	return (struct str){NULL, 0};
}

static struct json mask_member(struct arena *arena, const struct model_resource *resource,
			       const struct webhook *webhook, struct str name, struct json value)
{
	const struct json_member alone = json_member(name, value);

	return json_get(model_mask(arena, resource, webhook->masks, webhook->mask_count,
				   json_object(&alone, 1)),
			name);
}

static struct json mask(struct arena *arena, const struct model *model,
			const struct webhook *webhook, const struct event *event)
{
	const struct model_resource *resource =
		model == NULL ? NULL : model_find(model, event->resource);
	struct str field = find_field(resource, event->type);
	struct json_builder out;

	if (!json_is(event->payload, JSON_OBJECT))
		return event->payload;
	json_builder_init(&out, arena);
	for (size_t i = 0; i < event->payload.count; i++) {
		struct json value = event->payload.members[i].value;
		struct str name = json_name(&event->payload.members[i]);

		if (str_equal(name, STR("record")))
			value = model_mask(arena, resource, webhook->masks, webhook->mask_count,
					   value);
		else if (!is_value(name) || event->resource.len == 0)
			value = mask_member(arena, NULL, webhook, name, value);
		else if (field.data != NULL)
			value = mask_member(arena, resource, webhook, field, value);
		else
			value = json_null(); /* of an event that the model does not have any more */
		json_builder_set(&out, name, value);
	}
	return json_builder_object(&out);
}

static struct json only_ids(struct arena *arena, const struct event *event)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	if (event->resource.len > 0) {
		json_builder_set(&out, STR("id"), json_string(event->record_id));
		json_builder_set(&out, STR("resource"), json_string(event->resource));
	}
	return json_builder_object(&out);
}

struct str webhook_body(struct arena *arena, const struct model *model,
			const struct webhook *webhook, const struct event *event)
{
	struct event told = *event;

	if (webhook->is_thin)
		told.payload = only_ids(arena, event);
	else if (webhook->mask_count > 0)
		told.payload = mask(arena, model, webhook, event);
	return json_text(arena, event_json(arena, webhook->environment_id, &told));
}

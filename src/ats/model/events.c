/* `events:` of a resource: what a change of a record means to people who hire, beside its being
 * changed. */
#include "ats/model/fields.h"

enum { EVENTS_MAX = 20 };

static const char *const kind_names[] = {
	[MODEL_EVENT_CHANGED] = "changed",
	[MODEL_EVENT_SET] = "set",
	[MODEL_EVENT_ADDED] = "added",
};
enum { KINDS = sizeof kind_names / sizeof *kind_names };

/* "application:stage_changed" */
static bool is_event_name(struct str name)
{
	ptrdiff_t colon = str_find_byte(name, ':');

	return colon > 0 && definition_is_name(str_slice(name, 0, (size_t)colon)) &&
	       definition_is_name(str_slice(name, (size_t)colon + 1, name.len)) &&
	       !str_starts_with(name, STR("record:"));
}

/* Is there a list on the way to the field, or is it one? */
static bool has_list(const struct model_resource *resource, struct str path)
{
	for (size_t end = 1; end <= path.len; end++)
		if ((end == path.len || path.data[end] == '.') &&
		    model_find_path(resource, str_slice(path, 0, end), NULL)->is_list)
			return true;
	return false;
}

static void check_path(struct definition *definition, const struct yaml_entry *entry,
		       const struct model_resource *resource, struct model_event *event)
{
	const struct model_field *field = model_find_path(resource, event->path, &event->root);

	if (field == NULL)
		definition_fault(definition, entry->line, "%.*s have no field `%.*s`",
				 STR_ARGS(resource->name), STR_ARGS(event->path));
	else if (event->kind != MODEL_EVENT_ADDED && has_list(resource, event->path))
		definition_fault(definition, entry->line, "`%s` is not said of a list",
				 kind_names[event->kind]);
	else if (event->kind == MODEL_EVENT_ADDED &&
		 (!field->is_list || str_find_byte(event->path, '.') >= 0))
		definition_fault(definition, entry->line,
				 "`added` is said of a list of the record itself");
}

/* Which of the three it is, and of what. */
static void read_kind(struct definition *definition, const struct yaml_entry *entry,
		      const struct model_resource *resource, struct model_event *event)
{
	size_t said = 0;

	for (size_t i = 0; i < KINDS; i++)
		if (yaml_get(&entry->value, kind_names[i]) != NULL) {
			event->kind = (enum model_event_kind)i;
			definition_text(definition, &entry->value, kind_names[i], &event->path);
			said++;
		}
	if (said != 1) {
		definition_fault(definition, entry->line,
				 "an event says one of `changed`, `set` and `added`");
		return;
	}
	check_path(definition, entry, resource, event);
}

static void read_event(struct definition *definition, const struct yaml_entry *entry,
		       const struct model_resource *resource, struct model_event *event)
{
	static const char *const keys[] = {"describe", "changed", "set", "added", NULL};

	event->type = entry->key;
	if (!is_event_name(entry->key))
		definition_fault(definition, entry->line,
				 "`%.*s` is no name for an event; allowed: two names in "
				 "lower_snake_case joined by a colon, but record:…",
				 STR_ARGS(entry->key));
	if (!definition_check_mapping(definition, &entry->value, "an event", keys) &&
	    entry->value.kind != YAML_MAPPING)
		return;
	definition_require(definition, &entry->value, "an event", "describe");
	definition_text(definition, &entry->value, "describe", &event->describe);
	read_kind(definition, entry, resource, event);
}

void events_read(struct definition *definition, const struct yaml_node *root,
		 struct model_resource *resource)
{
	const struct yaml_node *mapping = yaml_get(root, "events");
	struct model_event *events;

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || mapping->count > EVENTS_MAX) {
		definition_fault(definition, mapping->line,
				 "`events` must be a mapping of at most %d", EVENTS_MAX);
		return;
	}
	events = arena_zero(definition->arena, (mapping->count + 1) * sizeof *events);
	for (size_t i = 0; i < mapping->count; i++)
		read_event(definition, &mapping->entries[i], resource, &events[i]);
	resource->events = events;
	resource->event_count = mapping->count;
}

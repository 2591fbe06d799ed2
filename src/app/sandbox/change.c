/* Reads what happens by itself in a sandbox that lives:
 *     tagged:
 *       weight: 8
 *       let: {person: '$living("candidates", "who")'}
 *       when: $exists($let.person)
 *       calls: [{call: POST /candidates/{id}/tags, parts: {id: $let.person.id}, body: …}]
 * docs/sandbox.md tells it all. */
#include "app/sandbox/definition.h"

static const struct route_definition *find_route(const struct definition *definition,
						 struct str text)
{
	struct str method = str_cut(&text, ' ');

	for (size_t i = 0; i < definition->route_count; i++) {
		const struct route_definition *route = &definition->routes[i];
		if (str_equal_c(method, http_method_name(route->method)) &&
		    str_equal_c(text, route->pattern))
			return route;
	}
	return NULL;
}

/* Into the order that they have in the path. */
static bool read_parts(struct reader *reader, const struct yaml_node *node,
		       struct change_call *call)
{
	const struct route_definition *route = call->route;
	size_t given = node != NULL && node->kind == YAML_MAPPING ? node->count : 0;

	if (given != route->part_count)
		return reader_fail(reader, call->line, "%s wants a value for each {part}",
				   route->pattern);
	call->parts.items = arena_array(reader->arena, given, sizeof *call->parts.items);
	for (size_t i = 0; i < given; i++) {
		const struct yaml_node *value = yaml_get(node, route->parts[i]);
		struct field *part = &call->parts.items[call->parts.count++];
		*part = (struct field){.name = str_from_c(route->parts[i])};
		if (value == NULL)
			return reader_fail(reader, call->line, "no value for {%s}",
					   route->parts[i]);
		if (!reader_expression(reader, value, &part->value))
			return false;
	}
	return true;
}

static bool read_call(struct reader *reader, const struct yaml_node *node,
		      struct change_call *call)
{
	struct str route = {0};

	*call = (struct change_call){.line = node->line};
	if (!reader_check_keys(reader, node, "a call", "call when parts body") ||
	    !reader_text(reader, node, "call", &route) ||
	    !reader_optional(reader, node, "when", &call->when) ||
	    !reader_optional(reader, node, "body", &call->body))
		return false;
	call->route = find_route(reader->definition, route);
	if (call->route == NULL || !call->route->write.is_on)
		return reader_fail(reader, node->line, "there is no route %.*s that writes",
				   STR_ARGS(route));
	return read_parts(reader, yaml_get(node, "parts"), call);
}

static bool read_calls(struct reader *reader, const struct yaml_entry *entry,
		       struct change *change)
{
	const struct yaml_node *node = yaml_get(&entry->value, "calls");

	if (node == NULL || node->kind != YAML_SEQUENCE || node->count == 0)
		return reader_fail(reader, entry->line, "a change wants `calls`: a list");
	change->calls = arena_array(reader->arena, node->count, sizeof *change->calls);
	for (; change->call_count < node->count; change->call_count++)
		if (!read_call(reader, &node->items[change->call_count],
			       &change->calls[change->call_count]))
			return false;
	return true;
}

static bool read_change(struct reader *reader, const struct yaml_entry *entry,
			struct change *change)
{
	const struct yaml_node *node = &entry->value, *let = yaml_get(node, "let");

	*change = (struct change){.name = entry->key, .weight = 1};
	return reader_check_keys(reader, node, "a change", "weight let when calls") &&
	       reader_integer(reader, node, "weight", 1, 1000000, &change->weight) &&
	       (let == NULL || reader_fields(reader, let, &change->let)) &&
	       reader_optional(reader, node, "when", &change->when) &&
	       read_calls(reader, entry, change);
}

bool reader_changes(struct reader *reader, const struct yaml_node *node)
{
	struct definition *definition = reader->definition;

	if (node == NULL)
		return true;
	if (node->kind != YAML_MAPPING)
		return reader_fail(reader, node->line, "life must be a mapping");
	definition->changes = arena_array(reader->arena, node->count, sizeof *definition->changes);
	for (; definition->change_count < node->count; definition->change_count++) {
		struct change *change = &definition->changes[definition->change_count];
		if (!read_change(reader, &node->entries[definition->change_count], change))
			return false;
		definition->change_weight += change->weight;
	}
	return true;
}

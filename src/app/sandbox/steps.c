/* Reads what a route that writes says:
 *     let: {person: '$body.candidate'}                   values with a name, one after the other
 *     check: [{unless: …, field: name, message: …}]      what must hold
 *     do: [{create: candidates, set: {name: …}}, …]      what is then changed, step by step
 * docs/sandbox.md tells it all. */
#include "app/sandbox/definition.h"

static const char *const kinds[] = {"create", "update", "delete"};

/* --- rules ---------------------------------------------------------------------------------- */

static bool read_answer(struct reader *reader, const struct yaml_node *node, struct rule *rule)
{
#define ROW(kind, name) name,
	static const char *const names[] = {ANSWER_TABLE(ROW)};
#undef ROW
	struct str name = STR("invalid");

	if (!reader_text(reader, node, "answer", &name))
		return false;
	for (size_t i = 0; i < ANSWERS; i++) {
		rule->answer = (enum answer_kind)i;
		if (str_equal_c(name, names[i]))
			return true;
	}
	return reader_fail(reader, node->line, "answer must be one of `errors`");
}

static bool read_rule(struct reader *reader, const struct yaml_node *node, struct rule *rule)
{
	*rule = (struct rule){0};
	if (!reader_check_keys(reader, node, "a rule", "unless answer field message") ||
	    !reader_optional(reader, node, "unless", &rule->unless) ||
	    !read_answer(reader, node, rule) || !reader_c(reader, node, "field", &rule->field) ||
	    !reader_c(reader, node, "message", &rule->message))
		return false;
	if (rule->unless.kind == EXPRESSION_NONE)
		return reader_fail(reader, node->line, "a rule wants `unless`");
	if (rule->answer == ANSWER_INVALID && (rule->field == NULL || rule->message == NULL))
		return reader_fail(reader, node->line, "a rule wants `field` and `message`");
	return true;
}

static bool read_rules(struct reader *reader, const struct yaml_node *node, struct write *write)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_SEQUENCE)
		return reader_fail(reader, node->line, "check must be a list of rules");
	write->rules = arena_array(reader->arena, node->count, sizeof *write->rules);
	for (; write->rule_count < node->count; write->rule_count++)
		if (!read_rule(reader, &node->items[write->rule_count],
			       &write->rules[write->rule_count]))
			return false;
	return true;
}

/* --- steps ---------------------------------------------------------------------------------- */

/* `update: record` is the record of the path, whichever collection it is of. */
static bool read_kind(struct reader *reader, const struct yaml_node *node, struct step *step)
{
	size_t found = 0;

	for (size_t i = 0; i < STEP_KINDS; i++) {
		struct str name = {0};
		if (!reader_text(reader, node, kinds[i], &name))
			return false;
		if (name.len == 0)
			continue;
		found++;
		step->kind = (enum step_kind)i;
		if (!(step->kind != STEP_CREATE && str_equal_c(name, "record")) &&
		    !reader_collection(reader, node, kinds[i], &step->collection))
			return false;
	}
	return found == 1 || reader_fail(reader, node->line,
					 "a step wants exactly one of create, update and delete");
}

static bool read_unset(struct reader *reader, const struct yaml_node *node, struct step *step)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_SEQUENCE)
		return reader_fail(reader, node->line, "unset must be a list of names");
	step->unset = arena_array(reader->arena, node->count, sizeof *step->unset);
	for (; step->unset_count < node->count; step->unset_count++)
		step->unset[step->unset_count] = node->items[step->unset_count].text;
	return true;
}

static bool check_fields(struct reader *reader, const struct step *step,
			 const struct collection_definition *collection)
{
	for (size_t i = 0; i < step->set.count; i++)
		if (find_field(&collection->made, step->set.items[i].name) == NULL)
			return reader_fail(reader, step->set.items[i].value.line,
					   "%.*s have no made field of the name %.*s",
					   STR_ARGS(collection->name),
					   STR_ARGS(step->set.items[i].name));
	return true;
}

static bool check_step(struct reader *reader, const struct route_definition *route,
		       const struct step *step)
{
	const struct choices *choices = route->record.count > 0 ? &route->record : &route->get;

	if (step->kind == STEP_CREATE && step->id.kind != EXPRESSION_NONE)
		return reader_fail(reader, step->line, "create gives the id itself");
	if (step->kind != STEP_CREATE && step->collection != NULL &&
	    step->id.kind == EXPRESSION_NONE)
		return reader_fail(reader, step->line, "update and delete want an id, or `record`");
	if (step->collection != NULL)
		return check_fields(reader, step, step->collection);
	if (choices->count == 0)
		return reader_fail(reader, step->line, "the path names no record");
	for (size_t i = 0; i < choices->count; i++)
		if (!check_fields(reader, step, choices->items[i]))
			return false;
	return true;
}

static bool read_step(struct reader *reader, const struct yaml_node *node,
		      const struct route_definition *route, struct step *step)
{
	const struct yaml_node *set = yaml_get(node, "set");

	*step = (struct step){.line = node->line};
	return reader_check_keys(reader, node, "a step",
				 "create update delete when for id under set unset") &&
	       read_kind(reader, node, step) &&
	       reader_optional(reader, node, "when", &step->when) &&
	       reader_optional(reader, node, "for", &step->each) &&
	       reader_optional(reader, node, "id", &step->id) &&
	       reader_optional(reader, node, "under", &step->under) &&
	       (set == NULL || reader_fields(reader, set, &step->set)) &&
	       read_unset(reader, yaml_get(node, "unset"), step) &&
	       check_step(reader, route, step);
}

static bool read_steps(struct reader *reader, const struct yaml_node *node,
		       struct route_definition *route)
{
	struct write *write = &route->write;

	if (node == NULL)
		return true;
	if (node->kind != YAML_SEQUENCE)
		return reader_fail(reader, node->line, "do must be a list of steps");
	write->steps = arena_array(reader->arena, node->count, sizeof *write->steps);
	for (; write->step_count < node->count; write->step_count++) {
		struct step *step = &write->steps[write->step_count];
		if (!read_step(reader, &node->items[write->step_count], route, step))
			return false;
		for (size_t i = 0; i < route->get.count; i++)
			route->creates_what_it_gets |= step->kind == STEP_CREATE &&
						       step->collection == route->get.items[i];
	}
	return true;
}

bool reader_write(struct reader *reader, const struct yaml_node *node,
		  struct route_definition *route)
{
	const struct yaml_node *let = yaml_get(node, "let"), *check = yaml_get(node, "check"),
			       *steps = yaml_get(node, "do"), *notify = yaml_get(node, "notify");

	route->write.is_on = route->method != HTTP_GET;
	if (!route->write.is_on &&
	    (let != NULL || check != NULL || steps != NULL || notify != NULL))
		return reader_fail(reader, node->line,
				   "a GET cannot have let, check, do and notify");
	return reader_optional(reader, node, "fetch", &route->write.fetch) &&
	       (let == NULL || reader_fields(reader, let, &route->write.let)) &&
	       read_rules(reader, check, &route->write) && read_steps(reader, steps, route) &&
	       reader_notices(reader, notify, &route->write);
}

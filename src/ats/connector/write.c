/* The methods of a resource that write: their native calls, and what these send. */
#include "ats/connector/unified.h"

enum {
	STEPS_MAX = 16,
	VALUES_MAX = 200,
	DEPTH_MAX = 12,
	CHECKS_MAX = 16,
};

static const char *const step_keys[] = {"call", "with",	 "query", "body",
					"when", "each",	 "find",  "check", NULL};
static const char *const read_keys[] = {"as",	"call", "with", "query", "get",
					"when", "take", "check", NULL};
static const char *const short_keys[] = {"call",  "with",  "query",  "body", "find",
					 "check", "takes", "answer", "map",  NULL};
static const char *const long_keys[] = {"calls", "takes", "answer", "map", NULL};

/* --- values ---------------------------------------------------------------------------------- */

static void read_value(struct definition *definition, const struct yaml_entry *entry, int depth,
		       struct write_value *value);

static void read_members(struct definition *definition, const struct yaml_node *mapping, int depth,
			 const struct write_value **out, size_t *count)
{
	struct write_value *values;

	if (mapping->kind != YAML_MAPPING || mapping->count > VALUES_MAX || depth > DEPTH_MAX) {
		definition_fault(definition, mapping->line,
				 "there must be a mapping of at most %d values, at most %d deep",
				 VALUES_MAX, DEPTH_MAX);
		return;
	}
	values = arena_zero(definition->arena, (mapping->count + 1) * sizeof *values);
	for (size_t i = 0; i < mapping->count; i++)
		read_value(definition, &mapping->entries[i], depth, &values[i]);
	*out = values;
	*count = mapping->count;
}

/* "stage_id" or "tag.id": nothing but a way to a value. */
static bool is_path_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '.' && text.data[i] != '_' &&
		    !(text.data[i] >= 'a' && text.data[i] <= 'z') &&
		    !(text.data[i] >= '0' && text.data[i] <= '9'))
			return false;
	return true;
}

/* A text is an expression; a mapping has members; everything else is what it is. */
static void read_value(struct definition *definition, const struct yaml_entry *entry, int depth,
		       struct write_value *value)
{
	struct json constant = yaml_to_json(definition->arena, &entry->value);
	size_t count = 0;

	value->name = entry->key;
	if (entry->value.kind == YAML_MAPPING && entry->value.count > 0) {
		read_members(definition, &entry->value, depth + 1, &value->members,
			     &value->member_count);
	} else if (!json_is(constant, JSON_STRING)) {
		value->constant = constant;
	} else {
		value->expression = expression_compile(definition, &entry->value,
						       arena_c(definition->arena, entry->key));
		const struct str *fields =
			value->expression == NULL ? NULL
						  : jsonata_input_fields(value->expression, &count);
		if (count > 0)
			value->field = fields[0];
		value->is_field = count == 1 && is_path_text(entry->value.text);
	}
}

/* --- arguments ------------------------------------------------------------------------------- */

static bool has_query(const struct native_method *method, struct str name)
{
	for (size_t i = 0; i < method->query_count; i++)
		if (str_equal(method->query[i].name, name))
			return true;
	return false;
}

static void check_argument(const struct unified_file *file, const struct yaml_entry *entry,
			   const struct native_method *method, bool is_path)
{
	bool is_known = is_path ? natives_has_path(file->connector, method, entry->key)
				: has_query(method, entry->key);

	if (!is_known)
		definition_fault(file->definition, entry->line, "%.*s.%.*s has no %s `%.*s`",
				 STR_ARGS(method->resource), STR_ARGS(method->name),
				 is_path ? "path parameter" : "query parameter",
				 STR_ARGS(entry->key));
}

static void add_arguments(const struct unified_file *file, const struct yaml_node *node,
			  const char *key, const struct native_method *method, bool is_path,
			  struct write_value *values, size_t *count)
{
	const struct yaml_node *mapping = yaml_get(node, key);

	if (mapping == NULL)
		return;
	if (mapping->kind != YAML_MAPPING || *count + mapping->count > VALUES_MAX) {
		definition_fault(file->definition, mapping->line,
				 "`%s` must be a mapping of at most %d", key, VALUES_MAX);
		return;
	}
	for (size_t i = 0; i < mapping->count; i++) {
		struct write_value *value = &values[(*count)++];

		read_value(file->definition, &mapping->entries[i], 0, value);
		value->is_path = is_path;
		if (value->member_count > 0)
			definition_fault(file->definition, mapping->entries[i].line,
					 "`%.*s` must be one value",
					 STR_ARGS(mapping->entries[i].key));
		check_argument(file, &mapping->entries[i], method, is_path);
	}
}

static void require_path(const struct unified_file *file, const struct yaml_node *node,
			 const struct native_method *method, const struct write_value *values,
			 size_t count)
{
	for (size_t i = 0; i < method->path.count; i++) {
		const struct template_part *part = &method->path.parts[i];
		bool is_said =
			!part->is_name || !natives_has_path(file->connector, method, part->text);

		for (size_t k = 0; k < count; k++)
			is_said = is_said ||
				  (values[k].is_path && str_equal(values[k].name, part->text));
		if (!is_said)
			definition_fault(file->definition, node->line,
					 "`with` must say what {%.*s} of %.*s.%.*s is",
					 STR_ARGS(part->text), STR_ARGS(method->resource),
					 STR_ARGS(method->name));
	}
}

static void read_arguments(const struct unified_file *file, const struct yaml_node *node,
			   const struct native_method *method, const struct write_value **out,
			   size_t *count)
{
	struct write_value *values =
		arena_zero(file->definition->arena, (VALUES_MAX + 1) * sizeof *values);

	add_arguments(file, node, "with", method, true, values, count);
	add_arguments(file, node, "query", method, false, values, count);
	require_path(file, node, method, values, *count);
	*out = values;
}

/* --- steps ----------------------------------------------------------------------------------- */

static void check_body(const struct unified_file *file, uint32_t line,
		       const struct native_method *method, const struct model_field *fields,
		       size_t field_count, const struct write_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct model_field *found = NULL;

		for (size_t k = 0; k < field_count; k++)
			if (str_equal(fields[k].name, values[i].name))
				found = &fields[k];
		if (found == NULL)
			definition_fault(file->definition, line,
					 "the body of %.*s.%.*s has no `%.*s` there",
					 STR_ARGS(method->resource), STR_ARGS(method->name),
					 STR_ARGS(values[i].name));
		else if (values[i].member_count > 0)
			check_body(file, line, method, found->fields, found->field_count,
				   values[i].members, values[i].member_count);
	}
}

static void read_search(const struct unified_file *file, const struct yaml_node *node,
			struct write_step *step)
{
	static const char *const keys[] = {"call", "with", "query", "each", "match", NULL};
	struct definition *definition = file->definition;
	const struct yaml_node *find = yaml_get(node, "find");
	struct write_search *search = arena_zero(definition->arena, sizeof *search);

	if (find == NULL)
		return;
	if (!definition_check_mapping(definition, find, "`find`", keys) ||
	    !definition_require(definition, find, "`find`", "call") ||
	    !definition_require(definition, find, "`find`", "match"))
		return;
	search->method = natives_find(definition, file->connector, yaml_get(find, "call"));
	expression_read(definition, find, "each", &search->each);
	expression_read(definition, find, "match", &search->match);
	if (search->method == NULL)
		return;
	if (search->method->verb != HTTP_GET || !search->method->is_list)
		definition_fault(definition, find->line, "`find` must call a list");
	read_arguments(file, find, search->method, &search->arguments, &search->argument_count);
	step->search = search;
}

static void read_check(struct definition *definition, const struct yaml_node *node,
		       struct write_check *check)
{
	static const char *const keys[] = {"unless", "field", "message", NULL};

	if (!definition_check_mapping(definition, node, "a check", keys))
		return;
	for (size_t i = 0; keys[i] != NULL; i++)
		definition_require(definition, node, "a check", keys[i]);
	expression_read(definition, node, "unless", &check->unless);
	definition_text(definition, node, "field", &check->field);
	definition_text(definition, node, "message", &check->message);
}

static void read_checks(struct definition *definition, const struct yaml_node *node,
			struct write_step *step)
{
	const struct yaml_node *list = yaml_get(node, "check");
	struct write_check *checks;

	if (list == NULL)
		return;
	if (list->kind != YAML_SEQUENCE || list->count == 0 || list->count > CHECKS_MAX) {
		definition_fault(definition, list->line,
				 "`check` must be a list of at most %d checks", CHECKS_MAX);
		return;
	}
	checks = arena_zero(definition->arena, list->count * sizeof *checks);
	for (size_t i = 0; i < list->count; i++)
		read_check(definition, &list->items[i], &checks[i]);
	step->checks = checks;
	step->check_count = list->count;
}

/* The arguments of a get of the resource: its id, and filters. */
static void read_get(struct unified_file *file, const struct yaml_node *node, const char *what,
		     const struct write_value **values, size_t *count)
{
	struct definition *definition = file->definition;

	read_members(definition, node, 0, values, count);
	file->is_get = true;
	for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++)
		unified_check_filter(file, node->entries[i].line, node->entries[i].key);
	file->is_get = false;
	if (node->kind == YAML_MAPPING && yaml_get(node, "id") == NULL)
		definition_fault(definition, node->line, "`%s` must say the `id` to get", what);
}

/* A call to a get or a list, or the get of the resource itself. */
static void read_reading(struct unified_file *file, const struct yaml_node *node,
			 struct write_step *step)
{
	struct definition *definition = file->definition;
	const struct yaml_node *get = yaml_get(node, "get");

	definition_text(definition, node, "as", &step->as);
	expression_read(definition, node, "when", &step->when);
	expression_read(definition, node, "take", &step->take);
	read_checks(definition, node, step);
	if (get != NULL)
		read_get(file, get, "get", &step->record, &step->record_count);
	if ((get != NULL) == (yaml_get(node, "call") != NULL))
		definition_fault(definition, node->line, "a read needs either `call` or `get`");
	if (get != NULL || yaml_get(node, "call") == NULL)
		return;
	step->method = natives_find(definition, file->connector, yaml_get(node, "call"));
	if (step->method == NULL)
		return;
	if (step->method->verb != HTTP_GET)
		definition_fault(definition, node->line,
				 "`as` goes with calls that read, and %.*s.%.*s does not",
				 STR_ARGS(step->method->resource), STR_ARGS(step->method->name));
	read_arguments(file, node, step->method, &step->arguments, &step->argument_count);
}

static void read_step(struct unified_file *file, const struct yaml_node *node,
		      struct write_step *step)
{
	struct definition *definition = file->definition;
	const struct yaml_node *body = yaml_get(node, "body");

	if (!definition_require(definition, node, "a call", "call"))
		return;
	step->method = natives_find(definition, file->connector, yaml_get(node, "call"));
	expression_read(definition, node, "when", &step->when);
	expression_read(definition, node, "each", &step->each);
	read_checks(definition, node, step);
	if (step->method == NULL)
		return;
	if (step->method->verb == HTTP_GET)
		definition_fault(definition, node->line,
				 "%.*s.%.*s reads: it needs a name, `as`",
				 STR_ARGS(step->method->resource), STR_ARGS(step->method->name));
	read_arguments(file, node, step->method, &step->arguments, &step->argument_count);
	if (body != NULL) {
		read_members(definition, body, 0, &step->body, &step->body_count);
		check_body(file, body->line, step->method, step->method->body,
			   step->method->body_count, step->body, step->body_count);
	}
	read_search(file, node, step);
}

static void read_steps(struct unified_file *file, const struct yaml_node *node,
		       struct unified_write *write)
{
	struct definition *definition = file->definition;
	const struct yaml_node *calls = yaml_get(node, "calls");
	size_t count = calls == NULL ? 1 : calls->count;
	struct write_step *steps = arena_zero(definition->arena, (STEPS_MAX + 1) * sizeof *steps);

	if (calls != NULL && (calls->kind != YAML_SEQUENCE || count == 0 || count > STEPS_MAX)) {
		definition_fault(definition, calls->line,
				 "`calls` must be a list of at most %d calls", STEPS_MAX);
		return;
	}
	write->steps = steps;
	write->step_count = count;
	if (calls == NULL)
		read_step(file, node, &steps[0]);
	for (size_t i = 0; calls != NULL && i < count; i++) {
		const struct yaml_node *item = &calls->items[i];
		bool reads = item->kind == YAML_MAPPING && yaml_get(item, "as") != NULL;

		if (item->kind == YAML_MAPPING && item->count == 1 &&
		    yaml_get(item, "check") != NULL) {
			read_checks(definition, item, &steps[i]);
			continue;
		}
		if (!definition_check_mapping(definition, item, reads ? "a read" : "a call",
					      reads ? read_keys : step_keys))
			continue;
		if (reads)
			read_reading(file, item, &steps[i]);
		else
			read_step(file, item, &steps[i]);
	}
}

/* --- methods --------------------------------------------------------------------------------- */

/* All fields of the model's body, or those that are named. */
static void read_takes(const struct unified_file *file, const struct yaml_node *node,
		       struct unified_write *write)
{
	const struct model_method *model = write->model;
	struct definition *definition = file->definition;
	const struct yaml_node *takes = yaml_get(node, "takes");
	bool *is_taken = arena_zero(definition->arena, model->field_count + 1);
	struct str *names = NULL;
	size_t count = 0;

	write->is_taken = is_taken;
	if (takes == NULL)
		memset(is_taken, true, model->field_count);
	else if (!definition_texts(definition, node, "takes", &names, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < model->field_count && !str_equal(model->fields[at].name, names[i]))
			at++;
		if (at == model->field_count)
			definition_fault(definition, takes->line,
					 "the body of %.*s has no `%.*s` to take",
					 STR_ARGS(model->name), STR_ARGS(names[i]));
		else
			is_taken[at] = true;
	}
	for (size_t i = 0; takes != NULL && i < model->field_count; i++)
		if (model->fields[i].is_required && !is_taken[i])
			definition_fault(definition, takes->line,
					 "`%.*s` is required and must be taken",
					 STR_ARGS(model->fields[i].name));
}

static void read_answer(struct unified_file *file, const struct yaml_node *node,
			struct unified_write *write)
{
	struct definition *definition = file->definition;
	const struct yaml_node *answer = yaml_get(node, "answer");
	bool is_delete = str_equal(write->model->name, STR("delete"));

	if (!is_delete)
		write->map = unified_find_map(file, node);
	else if (yaml_get(node, "map") != NULL)
		definition_fault(definition, yaml_get(node, "map")->line,
				 "a delete answers the id alone, without a `map`");
	if (answer == NULL)
		return;
	read_get(file, answer, "answer", &write->answer, &write->answer_count);
	if (is_delete)
		definition_fault(definition, answer->line, "`answer` is not of a delete");
}

static void read_write(struct unified_file *file, const struct yaml_node *node,
		       struct unified_write *write)
{
	bool is_long = yaml_get(node, "calls") != NULL;

	if (!definition_check_mapping(file->definition, node, "a method",
				      is_long ? long_keys : short_keys) &&
	    node->kind != YAML_MAPPING)
		return;
	read_steps(file, node, write);
	read_takes(file, node, write);
	read_answer(file, node, write);
}

void unified_read_writes(struct unified_file *file, const struct yaml_node *root,
			 struct unified_resource *out)
{
	const struct model_resource *model = file->model;
	struct unified_write *writes =
		arena_zero(file->definition->arena, (model->method_count + 1) * sizeof *writes);

	out->writes = writes;
	for (size_t i = 0; i < model->method_count; i++) {
		const struct yaml_node *node =
			yaml_get(root, arena_c(file->definition->arena, model->methods[i].name));

		if (node == NULL)
			continue;
		writes[out->write_count].model = &model->methods[i];
		read_write(file, node, &writes[out->write_count++]);
	}
}

/* Carries out what a route that writes says: rules first, then its steps. Nothing here waits, so
 * that a write is whole before anybody else is answered. */
#include "app/sandbox/serve.h"

enum { MESSAGES_MAX = 64 };

static bool is_true(struct json value)
{
	return json_is(value, JSON_BOOL) && value.boolean;
}

static bool evaluate_fields(struct request *request, struct record *record,
			    const struct field_table *fields, struct json_builder *out,
			    struct error *err)
{
	for (size_t i = 0; i < fields->count; i++) {
		struct json value;
		if (!request_evaluate(request, record, &fields->items[i].value, &value, err))
			return false;
		if (!json_is(value, JSON_UNDEFINED))
			json_builder_set(out, fields->items[i].name, value);
	}
	return true;
}

/* --- let ------------------------------------------------------------------------------------ */

bool request_let(struct request *request, const struct field_table *let, struct error *err)
{
	struct json_builder known;

	json_builder_init(&known, request->exchange->arena);
	request->variables[VARIABLE_LET] = json_builder_object(&known);
	for (size_t i = 0; i < let->count; i++) {
		struct json value;
		if (!request_evaluate(request, request->record, &let->items[i].value, &value, err))
			return false;
		json_builder_set(&known, let->items[i].name, value);
		request->variables[VARIABLE_LET] = json_builder_object(&known);
	}
	return true;
}

bool request_when(struct request *request, const struct expression *when, bool *is_so,
		  struct error *err)
{
	struct json value;

	if (!request_evaluate(request, request->record, when, &value, err))
		return false;
	*is_so = when->kind == EXPRESSION_NONE || is_true(value);
	return true;
}

/* --- rules ---------------------------------------------------------------------------------- */

/* "stage_id" and "can't be blank" make "Stage id can't be blank". */
static struct json make_message(struct arena *arena, const struct rule *rule)
{
	struct str text = arena_format(arena, "%s %s", rule->field, rule->message);
	char *bytes = arena_c(arena, text);

	for (size_t i = 0; rule->field[i] != '\0'; i++)
		if (bytes[i] == '_')
			bytes[i] = ' ';
	if (bytes[0] >= 'a' && bytes[0] <= 'z')
		bytes[0] = (char)(bytes[0] - 'a' + 'A');
	return json_string(str_make(bytes, text.len));
}

static struct json group_by_field(struct arena *arena, const struct rule *const *broken,
				  size_t count)
{
	struct json_builder fields;

	json_builder_init(&fields, arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder messages;
		struct str field = str_from_c(broken[i]->field);
		if (!json_is(json_get(json_builder_object(&fields), field), JSON_UNDEFINED))
			continue;
		json_builder_init(&messages, arena);
		for (size_t k = i; k < count; k++)
			if (str_equal_c(field, broken[k]->field))
				json_builder_add(&messages, json_string_c(broken[k]->message));
		json_builder_set(&fields, field, json_builder_array(&messages));
	}
	return json_builder_object(&fields);
}

static void answer_broken_rules(struct request *request, const struct rule *const *broken,
				size_t count)
{
	struct arena *arena = request->exchange->arena;
	struct json_builder messages;

	request->is_answered = true;
	if (broken[0]->answer != ANSWER_INVALID) {
		answer_fixed(request->sandbox, request->exchange, broken[0]->answer,
			     broken[0]->message == NULL ? "Server internal error"
							: broken[0]->message);
		return;
	}
	json_builder_init(&messages, arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&messages, make_message(arena, broken[i]));
	answer_invalid(request->sandbox, request->exchange, json_builder_array(&messages),
		       group_by_field(arena, broken, count));
}

/* A broken rule with an answer of its own ends the search. */
static bool check_rules(struct request *request, struct error *err)
{
	const struct write *write = &request->route->write;
	const struct rule *broken[MESSAGES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < write->rule_count && count < MESSAGES_MAX; i++) {
		const struct rule *rule = &write->rules[i];
		struct json value;
		if (count > 0 && rule->answer != ANSWER_INVALID)
			continue;
		if (!request_evaluate(request, request->record, &rule->unless, &value, err))
			return false;
		if (is_true(value))
			continue;
		broken[count++] = rule;
		if (rule->answer != ANSWER_INVALID)
			break;
	}
	if (count > 0)
		answer_broken_rules(request, broken, count);
	return true;
}

/* --- steps ---------------------------------------------------------------------------------- */

static void note_done(struct request *request, struct record *record)
{
	struct arena *arena = request->exchange->arena;

	if (request->done_count == request->done_capacity) {
		size_t capacity = request->done_capacity == 0 ? 16 : request->done_capacity * 2;
		request->done = arena_grow(arena, request->done,
					   request->done_capacity * sizeof(struct record *),
					   capacity * sizeof(struct record *));
		request->done_capacity = capacity;
	}
	request->done[request->done_count++] = record;
}

/* {"placements": [the made fields of each, …], …} */
static struct json done_value(const struct request *request)
{
	struct arena *arena = request->exchange->arena;
	struct json_builder all;

	json_builder_init(&all, arena);
	for (size_t i = 0; i < request->done_count; i++) {
		const struct collection *collection = request->done[i]->collection;
		struct json_builder records;
		if (!json_is(json_get(json_builder_object(&all), collection->definition->name),
			     JSON_UNDEFINED))
			continue;
		json_builder_init(&records, arena);
		for (size_t k = i; k < request->done_count; k++)
			if (request->done[k]->collection == collection)
				json_builder_add(&records, request->done[k]->made);
		json_builder_set(&all, collection->definition->name, json_builder_array(&records));
	}
	return json_builder_object(&all);
}

static bool find_by(struct request *request, const struct collection_definition *collection,
		    const struct expression *id, struct record **out, struct error *err)
{
	struct json value;
	int64_t number;

	*out = NULL;
	if (!request_evaluate(request, request->record, id, &value, err))
		return false;
	if (collection == NULL || !json_to_int64(value, &number))
		return true;
	struct record *record = collection_find(
		company_collection_of(&request->sandbox->company, collection), number);
	if (record != NULL && record_is_alive(record))
		*out = record;
	return true;
}

static bool create(struct request *request, const struct step *step, struct error *err)
{
	struct company *company = &request->sandbox->company;
	struct record *parent, *record;
	struct json_builder fields;

	json_builder_init(&fields, request->exchange->arena);
	if (!find_by(request, step->collection->parent, &step->under, &parent, err) ||
	    !evaluate_fields(request, request->record, &step->set, &fields, err) ||
	    !company_add(company, company_collection_of(company, step->collection), parent,
			 json_builder_object(&fields), &record, err))
		return false;
	for (size_t i = 0; i < request->route->get.count && request->shown == NULL; i++)
		if (request->route->get.items[i] == step->collection)
			request->shown = record;
	note_done(request, record);
	return true;
}

static bool change(struct request *request, const struct step *step, struct record *record,
		   struct error *err)
{
	struct company *company = &request->sandbox->company;
	struct json_builder fields;
	struct record *parent;

	if (!find_by(request, record->collection->definition->parent, &step->under, &parent, err))
		return false;
	if (parent != NULL && !company_move(company, record, parent, err))
		return false;
	json_builder_init(&fields, request->exchange->arena);
	if (!evaluate_fields(request, record, &step->set, &fields, err) ||
	    !company_update(company, record, json_builder_object(&fields), step->unset,
			    step->unset_count, err))
		return false;
	note_done(request, record);
	return true;
}

static struct json as_list(struct arena *arena, struct json value)
{
	if (json_is(value, JSON_ARRAY))
		return value;
	if (json_is(value, JSON_UNDEFINED))
		return json_array(NULL, 0);
	struct json *item = arena_alloc(arena, sizeof *item);
	*item = value;
	return json_array(item, 1);
}

static bool apply_once(struct request *request, const struct step *step, struct error *err)
{
	struct record *record = request->record;

	if (step->kind == STEP_CREATE)
		return create(request, step, err);
	if (step->collection != NULL &&
	    !find_by(request, step->collection, &step->id, &record, err))
		return false;
	if (record == NULL)
		return true;
	return step->kind == STEP_UPDATE ? change(request, step, record, err)
					 : company_delete(&request->sandbox->company, record, err);
}

/* What `when` and `for` of a step or a notice say: it is done once for each of the items. */
static bool find_items(struct request *request, const struct expression *when,
		       const struct expression *each, struct json *items, struct error *err)
{
	static const struct json once[] = {{.type = JSON_UNDEFINED}};
	struct json one;
	bool is_so;

	request->variables[VARIABLE_DONE] = done_value(request);
	*items = json_array(NULL, 0);
	if (!request_when(request, when, &is_so, err))
		return false;
	if (!is_so)
		return true;
	*items = json_array(once, 1);
	request->variables[VARIABLE_ITEM] = json_undefined();
	if (each->kind == EXPRESSION_NONE)
		return true;
	if (!request_evaluate(request, request->record, each, &one, err))
		return false;
	*items = as_list(request->exchange->arena, one);
	return true;
}

static bool apply_step(struct request *request, const struct step *step, struct error *err)
{
	struct json items;

	if (!find_items(request, &step->when, &step->each, &items, err))
		return false;
	for (size_t i = 0; i < items.count; i++) {
		request->variables[VARIABLE_ITEM] = items.items[i];
		if (!apply_once(request, step, err))
			return false;
	}
	return true;
}

/* Those who listen are told how things are after the last step. */
static bool notify(struct request *request, const struct notice_definition *notice,
		   struct error *err)
{
	struct json items, value;

	if (!find_items(request, &notice->when, &notice->each, &items, err))
		return false;
	for (size_t i = 0; i < items.count; i++) {
		request->variables[VARIABLE_ITEM] = items.items[i];
		if (!request_evaluate(request, request->record, &notice->value, &value, err))
			return false;
		webhook_tell(request->sandbox, value);
	}
	return true;
}

bool write_apply(struct request *request, struct error *err)
{
	const struct write *write = &request->route->write;

	if (!request_let(request, &write->let, err) || !check_rules(request, err))
		return false;
	if (request->is_answered)
		return true;
	for (size_t i = 0; i < write->step_count; i++)
		if (!apply_step(request, &write->steps[i], err))
			return false;
	for (size_t i = 0; i < write->notice_count && webhook_is_on(request->sandbox); i++)
		if (!notify(request, &write->notices[i], err))
			return false;
	request->variables[VARIABLE_DONE] = done_value(request);
	if (request->record != NULL)
		request->variables[VARIABLE_RECORD] = request->record->made;
	return true;
}

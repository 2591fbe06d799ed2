/* A write: the unified body checked, the native calls made one after another, each noted in the
 * journal before it is sent and after, and the record read that came of it. */
#include <assert.h>

#include "ats/operation/mapping.h"

/* How long after a lost answer a call that left no trace is taken for not done. */
static const int64_t QUIET_MS = 120000;

/* --- expressions ----------------------------------------------------------------------------- */

static struct jsonata_context make_context(const struct write *write)
{
	const struct run *run = write->run;

	return (struct jsonata_context){
		.arena = run->arena,
		.limits = &jsonata_limits_default,
		.variables = write->variables,
		.clock = run->services->clock,
		.random = run->services->random,
	};
}

bool write_evaluate(struct write *write, const struct jsonata *expression, struct json input,
		    struct str field, struct json *value, struct error *err)
{
	const struct run *run = write->run;
	const struct jsonata_context context = make_context(write);
	struct jsonata_error fault;

	if (jsonata_evaluate(expression, &context, input, value, &fault))
		return true;
	return error_set_field(err, ERROR_INVALID, arena_c(run->arena, field), NULL,
			       "%.*s cannot take that value%s%.*s (%s)",
			       STR_ARGS(run->connector->label), field.len > 0 ? " of " : "",
			       STR_ARGS(field), fault.code);
}

bool write_make(struct write *write, const struct write_value *source, struct json input,
		struct json *value, struct error *err)
{
	const struct run *run = write->run;
	const struct jsonata_context context = make_context(write);
	const struct toll_call call = {.expression = source->expression,
				       .origin = source->origin,
				       .resource = run->resource->model->name,
				       .field = source->name};
	struct jsonata_error fault;

	if (source->origin == NULL)
		return write_evaluate(write, source->expression, input, source->field, value, err);
	if (toll_take(run->toll, &call, &context, input, value, &fault))
		return true;
	return error_set_field(err, ERROR_INVALID, arena_c(run->arena, call.field), NULL,
			       "%s of %.*s in %.*s of %.*s failed: %s: %.*s", call.origin,
			       STR_ARGS(call.field), STR_ARGS(write->plan->model->name),
			       STR_ARGS(call.resource), fault.code, STR_ARGS(fault.message));
}

static bool refuse_argument(const struct write *write, const struct write_value *value,
			    struct error *err)
{
	struct str field = value->field.len > 0 ? value->field : value->name;

	return error_set_field(err, ERROR_INVALID, arena_c(write->run->arena, field), NULL,
			       "%.*s wants \"%.*s\" for this, or another value of it",
			       STR_ARGS(write->run->connector->label), STR_ARGS(field));
}

bool write_arguments(struct write *write, const struct write_value *values, size_t count,
		     struct json input, struct native_call *call, struct error *err)
{
	struct arena *arena = write->run->arena;
	struct json value;
	struct str text;

	for (size_t i = 0; i < count; i++) {
		value = values[i].constant;
		if (values[i].expression != NULL &&
		    !write_make(write, &values[i], input, &value, err))
			return false;
		if (json_is(value, JSON_UNDEFINED) && !values[i].is_path)
			continue;
		if (json_is(value, JSON_UNDEFINED) && write->is_dry)
			value = json_string(
				arena_format(arena, "{%.*s}", STR_ARGS(values[i].name)));
		if (!native_text(arena, value, &text) || http_has_control_byte(text) ||
		    (values[i].is_path && !native_is_path_part(text)))
			return refuse_argument(write, &values[i], err);
		if (values[i].is_path)
			native_add_path(write->run, call, values[i].name, text);
		else
			native_add_query(write->run, call, values[i].name, text);
	}
	return true;
}

/* --- the request's body ---------------------------------------------------------------------- */

static struct str list_taken(const struct write *write)
{
	const struct model_method *model = write->plan->model;
	struct str *names = arena_array(write->run->arena, model->field_count + 1, sizeof *names);
	size_t count = 0;

	for (size_t i = 0; i < model->field_count; i++)
		if (write->plan->is_taken[i])
			names[count++] = model->fields[i].name;
	return definition_names(write->run->arena, names, count);
}

/* What the model knows and this ATS has no place for: refused, or it would be lost. */
static bool refuse_untaken(const struct write *write, struct json body, struct error *err)
{
	const struct model_method *model = write->plan->model;
	struct arena *arena = write->run->arena;

	for (size_t i = 0; i < model->field_count; i++) {
		struct str name = model->fields[i].name;
		struct json given = json_get_hashed(body, name, model->fields[i].hash);

		if (write->plan->is_taken[i] || json_is(given, JSON_UNDEFINED) ||
		    json_is(given, JSON_NULL))
			continue;
		return error_set_field(err, ERROR_INVALID, arena_c(arena, name),
				       arena_c(arena, list_taken(write)),
				       "%.*s has no place for \"%.*s\" here",
				       STR_ARGS(write->run->connector->label), STR_ARGS(name));
	}
	return true;
}

/* Members that are not the model's: remote_data, and the id where the path has none. */
static struct json take_extras(struct write *write, struct json body)
{
	const struct operation *operation = write->run->operation;
	bool wants_id = write->plan->model->has_id && operation->id.len == 0;
	struct json_builder rest;

	json_builder_init(&rest, write->run->arena);
	for (size_t i = 0; i < body.count; i++) {
		struct str key = json_name(&body.members[i]);

		if (str_equal(key, STR("remote_data")))
			write->remote = body.members[i].value;
		else if (wants_id && str_equal(key, STR("id")))
			write->variables[CONNECTOR_VARIABLE_ID] = body.members[i].value;
		else
			json_builder_set(&rest, key, body.members[i].value);
	}
	return json_builder_object(&rest);
}

static bool read_id(struct write *write, struct error *err)
{
	struct json *id = &write->variables[CONNECTOR_VARIABLE_ID];
	struct str text = write->run->operation->id;

	if (!write->plan->model->has_id)
		return true;
	if (text.len == 0 && (!native_text(write->run->arena, *id, &text) || text.len == 0))
		return error_set_field(err, ERROR_INVALID, "id", "the id of a record",
				       "the id is missing");
	*id = json_string(text);
	return true;
}

static bool read_body(struct write *write, struct error *err)
{
	const struct model_method *model = write->plan->model;
	struct arena *arena = write->run->arena;
	struct json body = write->run->operation->body;

	if (!json_is(body, JSON_OBJECT))
		body = json_object(NULL, 0);
	body = take_extras(write, body);
	if (!json_is(write->remote, JSON_UNDEFINED) && !json_is(write->remote, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "remote_data", "an object",
				       "remote_data must be an object");
	if (!read_id(write, err) || !refuse_untaken(write, body, err) ||
	    !model_check(arena, model->fields, model->field_count,
			 arena_format(arena, "%.*s of %.*s", STR_ARGS(model->name),
				      STR_ARGS(write->run->resource->model->name))
				 .data,
			 body, write->is_dry ? &write->missing : NULL, &write->body, err))
		return false;
	write->variables[CONNECTOR_VARIABLE_BODY] = write->body;
	return true;
}

/* --- a call ---------------------------------------------------------------------------------- */

/* One call of a step, ready to be sent. */
struct sending {
	const struct write_step *step;
	struct json input;
	struct json body;
	struct native_call call;
	int64_t sent_ms;
	bool is_again; /* an earlier attempt may have done it */
};

static struct json find_item(const struct native_method *method, struct json body)
{
	return method->item.len == 0 ? body : json_get_path(body, method->item);
}

/* Where the answer was lost: what the ATS shows decides. */
static bool settle(struct write *write, const struct sending *sending, struct json *result,
		   struct error *err)
{
	struct error why = *err;
	int64_t now_ms = clock_unix_ms(write->run->services->clock);
	bool is_certain = false;

	*result = json_undefined();
	if (sending->step->search != NULL &&
	    search_made(write, sending->step, sending->input, sending->body, sending->sent_ms,
			result, &is_certain, err) &&
	    !json_is(*result, JSON_UNDEFINED))
		return true;
	/* It may be on its way yet: only after a while nothing means that nothing was done. */
	bool is_past = now_ms - sending->sent_ms >= QUIET_MS;

	if (is_certain && is_past)
		return error_set(err, ERROR_UPSTREAM, "the call was not done: %s", why.message);
	*err = why;
	native_refuse_unknown(write->run, sending->call.method->is_repeatable, err);
	if (sending->step->search != NULL)
		err->retry_after_ms = QUIET_MS / 4;
	return false;
}

/* Gone already is what a delete that was sent twice wants. */
static bool is_gone(const struct sending *sending, const struct native_reply *reply,
		    const struct error *err)
{
	return sending->call.method->verb == HTTP_DELETE && err->code == ERROR_NOT_FOUND &&
	       reply->is_outcome_unknown;
}

static bool send(struct write *write, struct sending *sending, struct json *result,
		 struct error *err)
{
	struct operation_journal *journal = write->run->operation->journal;
	struct native_reply reply;

	sending->sent_ms = clock_unix_ms(write->run->services->clock);
	if (journal != NULL && !journal->begin(journal, write->number, sending->sent_ms, err))
		return false;
	if (native_send(write->run, &sending->call, &reply, err)) {
		*result = find_item(sending->call.method, reply.body);
		if (json_is(*result, JSON_UNDEFINED))
			*result = json_null();
		journal_end(write->run, write->number, *result);
		return true;
	}
	*result = json_null();
	/* A refusal now tells nothing of what an earlier attempt did. */
	reply.is_outcome_unknown = reply.is_outcome_unknown || sending->is_again;
	if (is_gone(sending, &reply, err) ||
	    (reply.is_outcome_unknown && settle(write, sending, result, err))) {
		journal_end(write->run, write->number, *result);
		return true;
	}
	/* What was refused, or is certain not to be done, may be tried again from here. */
	if (err->code != ERROR_OUTCOME_UNKNOWN)
		journal_end(write->run, write->number, json_undefined());
	return false;
}

/* What an earlier attempt did of it counts. *is_settled: nothing is to be sent. */
static bool take_up(struct write *write, struct sending *sending, struct json *result,
		    bool *is_settled, struct error *err)
{
	struct operation_journal *journal = write->run->operation->journal;
	enum journal_state state = JOURNAL_NONE;

	if (journal != NULL)
		state = journal->find(journal, write->number, write->run->arena, result,
				      &sending->sent_ms);
	sending->is_again = state == JOURNAL_UNKNOWN && sending->call.method->is_repeatable;
	*is_settled = state != JOURNAL_NONE && !sending->is_again;
	if (state != JOURNAL_UNKNOWN || sending->is_again)
		return true;
	error_set(err, ERROR_UPSTREAM, "an earlier attempt was cut off");
	if (settle(write, sending, result, err)) {
		journal_end(write->run, write->number, *result);
		return true;
	}
	/* Certainly not done: it may be sent. */
	*is_settled = false;
	return err->code == ERROR_UPSTREAM;
}

bool write_is_blind(const struct write *write)
{
	return write->is_dry && (write->missing.count > 0 || write->has_written);
}

static bool run_checks(struct write *write, const struct write_step *step, struct json input,
		       struct error *err)
{
	struct arena *arena = write->run->arena;
	struct json holds;

	for (size_t i = 0; i < step->check_count && !write_is_blind(write); i++) {
		const struct write_check *check = &step->checks[i];

		if (!write_evaluate(write, check->unless, input, check->field, &holds, err))
			return false;
		if (!json_is(holds, JSON_BOOL) || !holds.boolean)
			return error_set_field(err, ERROR_INVALID, arena_c(arena, check->field),
					       NULL, "%.*s", STR_ARGS(check->message));
	}
	return true;
}

static bool run_call(struct write *write, const struct write_step *step, struct json input,
		     struct error *err)
{
	struct sending sending = {.step = step, .input = input, .call = {.method = step->method}};
	struct json result = json_undefined();
	bool is_settled = false;

	if (!run_checks(write, step, input, err))
		return false;
	if (step->as.len > 0)
		return write_read(write, step, input, err);
	if (step->method == NULL) /* checks alone */
		return true;
	if (!write_arguments(write, step->arguments, step->argument_count, input, &sending.call,
			     err) ||
	    !body_make(write, step, input, &sending.body, err))
		return false;
	if (write->is_dry) {
		json_builder_add(&write->calls,
				 native_describe(write->run, &sending.call, sending.body));
	} else if (!body_spell(write, step, sending.body, &sending.call, err) ||
		   !take_up(write, &sending, &result, &is_settled, err) ||
		   (!is_settled && !send(write, &sending, &result, err))) {
		return false;
	}
	if (!write->has_written)
		write->variables[CONNECTOR_VARIABLE_RESULT] = result;
	write->has_written = true;
	write->number++;
	return true;
}

static bool run_step(struct write *write, const struct write_step *step, struct error *err)
{
	struct json value = write->body;

	if (step->when != NULL &&
	    !write_evaluate(write, step->when, write->body, STR(""), &value, err))
		return false;
	if (step->when != NULL && !(json_is(value, JSON_BOOL) && value.boolean))
		return true;
	if (step->each == NULL)
		return run_call(write, step, write->body, err);
	if (!write_evaluate(write, step->each, write->body, STR(""), &value, err))
		return false;
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return true;
	if (!json_is(value, JSON_ARRAY))
		return run_call(write, step, value, err);
	for (size_t i = 0; i < value.count; i++)
		if (!run_call(write, step, value.items[i], err))
			return false;
	return true;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* The first answer alone: what it does not tell is null. */
static bool map_result(struct write *write, const struct connector *connector, struct json *item,
		       struct error *err)
{
	const struct unified_resource *resource =
		connector_find_resource(connector, write->run->resource->model->name);
	const struct unified_call call = {
		.map = connector_find_write(resource, write->plan->model->name)->map};
	const struct unified_alternative alternative = {.calls = &call, .call_count = 1};
	struct json result = write->variables[CONNECTOR_VARIABLE_RESULT];
	struct run inner = *write->run;
	struct mapping mapping;

	inner.resource = resource;
	inner.plan = &alternative;
	inner.query = json_object(NULL, 0);
	bool ok = mapping_init(&mapping, &inner, &call, json_undefined(), err);
	if (ok)
		*item = mapping_record(&mapping, result, result);
	mapping_finish(&mapping);
	return ok;
}

static struct json id_alone(struct write *write)
{
	struct json_member *member = arena_alloc(write->run->arena, sizeof *member);

	*member = json_member(STR("id"), write->variables[CONNECTOR_VARIABLE_ID]);
	return json_object(member, 1);
}

static bool answer_by(struct write *write, const struct connector *connector, struct error *err)
{
	struct json *item = &write->run->result->item;
	struct json result = write->variables[CONNECTOR_VARIABLE_RESULT];
	struct operation_result read;
	struct error ignored;

	if (write->plan->answer_count > 0 &&
	    write_read_record(write, connector, write->plan->answer, write->plan->answer_count,
			      &read, &ignored)) {
		*item = read.item;
		return true;
	}
	/* The write was done: that reading it failed must not make it look otherwise. */
	if (write->plan->map == NULL || !json_is(result, JSON_OBJECT)) {
		*item = id_alone(write);
		return true;
	}
	write->run->result->is_partial = write->plan->answer_count > 0;
	return map_result(write, connector, item, err);
}

static bool answer(struct write *write, struct error *err)
{
	struct run *run = write->run;
	bool ok = answer_by(write, run->connector, err);

	if (!run_is_overdrawn(run))
		return ok;
	/* Nor must an override that takes too much: the answer does without. */
	run->toll->has_failed = false;
	ok = answer_by(write, run->base, err);
	run->result->is_partial = true;
	return ok;
}

/* Who sends it anew should know that some of it is there already. */
static void tell_part(const struct write *write, struct error *err)
{
	const struct error why = *err;
	struct str id = {NULL, 0};

	if (!write->has_written || write->is_dry)
		return;
	(void)native_text(write->run->arena,
			  json_get_c(write->variables[CONNECTOR_VARIABLE_RESULT], "id"), &id);
	snprintf(err->message, sizeof err->message, "done in part%s%.*s; then: %s",
		 id.len > 0 ? ", id " : "", STR_ARGS(id), why.message);
}

bool write_run(struct run *run, struct error *err)
{
	struct write write = {.run = run, .is_dry = run->operation->dry_run};

	write.variables[CONNECTOR_VARIABLE_CONTEXT] = run->account->context;
	json_builder_init(&write.calls, run->arena);
	json_builder_init(&write.missing, run->arena);
	if (!plan_write(run, &write.plan, err) || !read_body(&write, err))
		return false;
	for (size_t i = 0; i < write.plan->step_count; i++)
		if (!run_step(&write, &write.plan->steps[i], err)) {
			tell_part(&write, err);
			return false;
		}
	if (write.is_dry) {
		run->result->item = native_dry_run(run, json_builder_array(&write.calls),
						   json_builder_array(&write.missing));
		return true;
	}
	return answer(&write, err);
}

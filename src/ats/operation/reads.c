/* What a write reads before it writes: calls that get or list, and the record itself. What they
 * gave is kept in the journal as the writes are, so that a second attempt does what the first one
 * would have done, also where the first one changed what they read. */
#include "ats/operation/place.h"

enum { READ_PAGES_MAX = 5 };

static struct json get_item(const struct native_method *method, struct json body)
{
	return method->item.len == 0 ? body : json_get_path(body, method->item);
}

static bool read_one(struct write *write, const struct native_call *call, struct json *found,
		     struct error *err)
{
	struct native_reply reply;

	if (!native_send(write->run, call, &reply, err))
		return false;
	*found = get_item(call->method, reply.body);
	return true;
}

static bool read_list(struct write *write, const struct native_call *call, struct json *found,
		      struct error *err)
{
	struct run *run = write->run;
	struct window window = {.is_last = false};
	struct json_builder records;
	struct place place;

	json_builder_init(&records, run->arena);
	place_init(&place, run->arena);
	run->page_calls = READ_PAGES_MAX;
	while (!window.is_last) {
		*err = (struct error){.code = ERROR_NONE};
		if (!page_fetch(run, call, &place, OPERATION_LIMIT_MAX, &window, err))
			return err->code != ERROR_NONE
				       ? false
				       : error_set(err, ERROR_LIMIT,
						   "%.*s has more to look through than this may",
						   STR_ARGS(run->connector->label));
		for (size_t i = 0; i < window.count; i++) {
			json_builder_add(&records, window.records.items[window.items[i]]);
			page_pass(call->method, &place, &window, i);
		}
		if (!window.is_last)
			page_leave(call->method, &place, &window);
	}
	*found = json_builder_array(&records);
	return arena_check(run->arena, err);
}

bool write_read_record(struct write *write, const struct connector *connector,
		       const struct write_value *values, size_t count,
		       struct operation_result *result, struct error *err)
{
	struct run *run = write->run;
	struct operation operation = *run->operation;
	struct operation_filter *filters = arena_array(run->arena, count + 1, sizeof *filters);
	struct run inner = *run;
	struct error ignored;
	struct json value;

	operation.method = OPERATION_GET;
	operation.id = (struct str){NULL, 0};
	operation.filters = filters;
	operation.filter_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct operation_filter filter = {values[i].name, {NULL, 0}};

		if (values[i].expression == NULL ||
		    !write_evaluate(write, values[i].expression, write->body, STR(""), &value,
				    &ignored) ||
		    !native_text(run->arena, value, &filter.value) || filter.value.len == 0)
			continue;
		if (str_equal(filter.name, STR("id")))
			operation.id = filter.value;
		else
			filters[operation.filter_count++] = filter;
	}
	*result = (struct operation_result){.item = json_undefined()};
	inner.operation = &operation;
	inner.result = result;
	inner.connector = connector;
	inner.filter_count = 0;
	if (operation.id.len == 0)
		return error_set_field(err, ERROR_INVALID, "id", NULL, "the id is missing");
	bool ok = plan_make(&inner, err) && get_run(&inner, err);

	operation_result_add(run->result, result);
	return ok;
}

static bool read_step(struct write *write, const struct write_step *step, struct json input,
		      struct json *found, struct error *err)
{
	struct native_call call = {.method = step->method};
	struct operation_result result;

	if (step->method == NULL) {
		/* A connector relies on its own fields. */
		if (!write_read_record(write, write->run->base, step->record, step->record_count,
				       &result, err))
			return false;
		*found = result.item;
	} else if (!write_arguments(write, step->arguments, step->argument_count, input, &call,
				    err) ||
		   !(step->method->is_list ? read_list(write, &call, found, err)
					   : read_one(write, &call, found, err))) {
		return false;
	}
	if (json_is(*found, JSON_UNDEFINED))
		*found = json_null();
	if (step->take != NULL &&
	    !write_evaluate(write, step->take, *found, STR(""), found, err))
		return false;
	/* The journal has no place for nothing. */
	if (json_is(*found, JSON_UNDEFINED))
		*found = json_null();
	return true;
}

static void keep(struct write *write, struct str name, struct json value)
{
	struct json *steps = &write->variables[CONNECTOR_VARIABLE_STEPS];
	struct json_builder members;

	json_builder_init(&members, write->run->arena);
	for (size_t i = 0; json_is(*steps, JSON_OBJECT) && i < steps->count; i++)
		json_builder_set(&members,
				 json_name(&steps->members[i]),
				 steps->members[i].value);
	json_builder_set(&members, name, value);
	*steps = json_builder_object(&members);
}

bool write_read(struct write *write, const struct write_step *step, struct json input,
		struct error *err)
{
	struct operation_journal *journal = write->run->operation->journal;
	int64_t now_ms = clock_unix_ms(write->run->services->clock);
	struct json found = json_undefined();
	int64_t sent_ms;

	if (write_is_blind(write))
		return true;
	if (journal == NULL || journal->find(journal, write->number, write->run->arena, &found,
					     &sent_ms) != JOURNAL_DONE) {
		if (!read_step(write, step, input, &found, err))
			return false;
		if (journal != NULL && (!journal->begin(journal, write->number, now_ms, err) ||
					!journal->end(journal, write->number, found, err)))
			return false;
	}
	write->number++;
	keep(write, step->as, found);
	return true;
}

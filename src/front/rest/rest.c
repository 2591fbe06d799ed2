#include "front/rest/rest.h"

#include <stdio.h>

#include "base/log.h"
#include "front/rest/format.h"

enum { LIMIT_DEFAULT = 100 };

/* --- reading the query ---------------------------------------------------------------------- */

static bool read_flag(const char *name, struct str text, bool *flag, struct error *err)
{
	*flag = str_equal(text, STR("true")) || str_equal(text, STR("1"));
	if (*flag || str_equal(text, STR("false")) || str_equal(text, STR("0")))
		return true;
	return error_set_field(err, ERROR_INVALID, name, "true or false",
			       "%s must be true or false, not \"%.*s\"", name,
			       STR_ARGS(str_slice(text, 0, 64)));
}

/* One of a request's parameters, under its plain name. */
struct parameter {
	struct str name;
	struct str value;
	bool is_array; /* name[]=value: there may be more of them */
};

/* What a read of the query collects. */
struct query {
	struct operation *operation;
	struct arena *arena;
	bool is_local;
	struct str account_id;
	struct operation_filter *filters;
	struct operation_filter *remote;
	enum format format;
	struct copy_wish wish;
	bool names_remote_data;
};

static struct str add_name(struct arena *arena, struct str list, struct str name)
{
	return list.len == 0 ? name
			     : arena_format(arena, "%.*s,%.*s", STR_ARGS(list), STR_ARGS(name));
}

static bool add_names(const struct query *query, const char *name,
		      const struct parameter *parameter, struct str *list, struct error *err)
{
	if (parameter->value.len == 0)
		return error_set_field(err, ERROR_INVALID, name, "names of fields",
				       "%s names no field", name);
	*list = add_name(query->arena, *list, parameter->value);
	return true;
}

/* "remote_query[status][]" is "status[]" to the ATS. */
static bool add_remote(struct query *query, const struct parameter *parameter, struct error *err)
{
	struct operation *operation = query->operation;
	struct str name = str_slice(parameter->name, strlen("remote_query["), parameter->name.len);
	ptrdiff_t close = str_find_byte(name, ']');

	if (close <= 0)
		return error_set_field(err, ERROR_INVALID, "remote_query",
				       "remote_query[name]=value",
				       "remote_query[…] names no parameter of the ATS");
	struct str rest = str_slice(name, (size_t)close + 1, name.len);
	query->remote[operation->remote_query_count++] = (struct operation_filter){
		arena_format(query->arena, "%.*s%.*s%s", (int)close, name.data, STR_ARGS(rest),
			     parameter->is_array ? "[]" : ""),
		parameter->value};
	return true;
}

/* sort_by[field]=asc or desc; the first one given comes first. */
static bool add_sort(struct operation *operation, const struct parameter *parameter,
		     struct error *err)
{
	struct str path = str_slice(parameter->name, strlen("sort_by"), parameter->name.len);
	bool is_descending = str_equal(parameter->value, STR("desc"));

	if (path.len < 3 || path.data[0] != '[' || path.data[path.len - 1] != ']' ||
	    (!is_descending && !str_equal(parameter->value, STR("asc"))))
		return error_set_field(err, ERROR_INVALID, "sort_by", "sort_by[FIELD]=asc or desc",
				       "sort_by wants a field and asc or desc");
	if (operation->sort_count == OPERATION_SORTS_MAX)
		return error_set_field(err, ERROR_INVALID, "sort_by", "at most 4 fields",
				       "sort_by has too many fields");
	operation->sorts[operation->sort_count++] =
		(struct operation_sort){str_slice(path, 1, path.len - 1), is_descending};
	return true;
}

/* What the local copy is asked for; *is_other when it is none of that. */
static bool read_wish(struct query *query, const struct parameter *parameter, bool *is_other,
		      struct error *err)
{
	struct str name = parameter->name, value = parameter->value;
	bool is_list = query->operation->method == OPERATION_LIST;

	*is_other = false;
	if (str_equal(name, STR("max_age")))
		return copy_wish_read_age(&query->wish, value, err);
	if (str_equal(name, STR("include_deleted")))
		return read_flag("include_deleted", value, &query->wish.wants_deleted, err);
	if (is_list && str_equal(name, STR("count")))
		return read_flag("count", value, &query->wish.wants_total, err);
	if (is_list && str_equal(name, STR("search")))
		query->wish.search = str_make(value.len == 0 ? "" : value.data, value.len);
	else
		*is_other = true;
	return true;
}

static bool is_read(const struct operation *operation)
{
	return operation->method != OPERATION_WRITE;
}

/* Those of reads alone; *is_filter stays when it is none. */
static bool read_read_parameter(struct query *query, const struct parameter *parameter,
				bool *is_filter, struct error *err)
{
	struct operation *operation = query->operation;

	*is_filter = false;
	if (str_equal(parameter->name, STR("fields")))
		return add_names(query, "fields", parameter, &operation->fields, err);
	if (str_equal(parameter->name, STR("exclude_fields")))
		return add_names(query, "exclude_fields", parameter, &operation->exclude_fields,
				 err);
	if (str_starts_with(parameter->name, STR("remote_query[")))
		return add_remote(query, parameter, err);
	if (str_starts_with(parameter->name, STR("sort_by")))
		return add_sort(operation, parameter, err);
	if (!str_equal(parameter->name, STR("key_by")))
		return read_wish(query, parameter, is_filter, err);
	operation->key_by = parameter->value;
	return true;
}

/* What the door itself understands; everything else is a filter, which the plan takes or refuses
 * by name. */
static bool read_parameter(struct query *query, const struct parameter *parameter, bool *is_filter,
			   struct error *err)
{
	struct operation *operation = query->operation;
	struct str name = parameter->name, value = parameter->value;

	*is_filter = false;
	if (str_equal(name, STR("integrated_account_id")))
		query->account_id = value;
	else if (query->is_local && str_equal(name, STR("environment")))
		return true;
	else if (operation->method == OPERATION_DOWNLOAD)
		*is_filter = true;
	else if (str_equal(name, STR("limit")))
		return door_read_limit(value, &operation->limit, err);
	else if (str_equal(name, STR("next_cursor")))
		operation->cursor = value;
	else if (str_equal(name, STR("expand")))
		return read_flag("expand", value, &operation->expand, err);
	else if (str_equal(name, STR("remote_data")))
		return (query->names_remote_data = true) &&
		       read_flag("remote_data", value, &operation->remote_data, err);
	else if (str_equal(name, STR("response_format")))
		return format_read(value, &query->format, err);
	else if (!is_read(operation) && str_equal(name, STR("dry_run")))
		return read_flag("dry_run", value, &operation->dry_run, err);
	else if (is_read(operation))
		return read_read_parameter(query, parameter, is_filter, err);
	else
		*is_filter = true;
	return true;
}

static bool takes_arrays(struct str name)
{
	return str_equal(name, STR("fields")) || str_equal(name, STR("exclude_fields")) ||
	       str_starts_with(name, STR("remote_query["));
}

/* By its plain name, without the "[]" of a list. */
static struct parameter find_parameter(const struct door *door, const struct http_field *field)
{
	struct parameter parameter = {.name = field->name, .value = field->value};
	struct str name = field->name;

	parameter.is_array = str_ends_with(name, STR("[]"));
	if (parameter.is_array)
		name.len -= 2;
	const struct model_alias *alias = model_find_alias(door->aliases, name);
	if (alias != NULL)
		name = alias->parameter;
	/* All others are filters, which have their brackets in their names. */
	if (!parameter.is_array || takes_arrays(name))
		parameter.name = name;
	if (alias == NULL)
		return parameter;
	if (alias->value.len > 0) {
		bool is_meant = str_equal(parameter.value, STR("true")) ||
				str_equal(parameter.value, STR("1"));

		parameter.value = is_meant ? alias->value : STR("0");
		return parameter;
	}
	if (alias->is_negated &&
	    (str_equal(parameter.value, STR("true")) || str_equal(parameter.value, STR("1"))))
		parameter.value = STR("false");
	else if (alias->is_negated &&
		 (str_equal(parameter.value, STR("false")) || str_equal(parameter.value, STR("0"))))
		parameter.value = STR("true");
	return parameter;
}

static bool check_once(struct arena *arena, const struct parameter *parameters, size_t i,
		       struct error *err)
{
	for (size_t k = 0; k < i; k++)
		if (str_equal(parameters[k].name, parameters[i].name) &&
		    !(parameters[k].is_array && parameters[i].is_array))
			return error_set_field(err, ERROR_INVALID,
					       arena_c(arena, parameters[i].name), "given once",
					       "%.*s is given twice",
					       STR_ARGS(str_slice(parameters[i].name, 0, 64)));
	return true;
}

/* The copy has no remote_data: who wants it says so. */
static void settle_wish(struct query *query)
{
	struct copy_wish *wish = &query->wish;

	copy_wish_settle(wish);
	if ((wish->max_age_ms > 0 || operation_is_kept_cursor(query->operation->cursor)) &&
	    !query->names_remote_data &&
	    (query->format == FORMAT_UNIFIED || query->format == FORMAT_STREAM))
		query->operation->remote_data = false;
}

static bool read_query(const struct door *door, const struct http_exchange *exchange,
		       struct operation *operation, struct str *account_id, enum format *format,
		       struct copy_wish *wish, struct error *err)
{
	size_t count = exchange->query_count;
	struct parameter *parameters = arena_array(exchange->arena, count + 1, sizeof *parameters);
	struct query query = {
		.operation = operation, .arena = exchange->arena, .is_local = exchange->is_local};
	bool is_filter;

	query.filters = arena_array(exchange->arena, count + 1, sizeof *query.filters);
	query.remote = arena_array(exchange->arena, count + 1, sizeof *query.remote);
	operation->filters = query.filters;
	operation->remote_query = query.remote;
	operation->limit = LIMIT_DEFAULT;
	operation->remote_data = true;
	for (size_t i = 0; i < count; i++) {
		parameters[i] = find_parameter(door, &exchange->query[i]);
		if (!check_once(exchange->arena, parameters, i, err) ||
		    !read_parameter(&query, &parameters[i], &is_filter, err))
			return false;
		if (is_filter)
			query.filters[operation->filter_count++] =
				(struct operation_filter){parameters[i].name, parameters[i].value};
	}
	*account_id = query.account_id;
	*format = query.format;
	if (!format_prepare(query.format, operation, err))
		return false;
	if (is_read(operation))
		settle_wish(&query);
	*wish = query.wish;
	return true;
}

static bool check_model(const struct door *door, struct str name, struct error *err)
{
	struct str ours = door->services->model->name;

	if (str_equal(name, ours))
		return true;
	char allowed[64];
	snprintf(allowed, sizeof allowed, "%.*s", STR_ARGS(ours));
	return error_set_field(err, ERROR_NOT_FOUND, "model", allowed,
			       "there is no unified model \"%.*s\"",
			       STR_ARGS(str_slice(name, 0, 64)));
}

/* --- answering ------------------------------------------------------------------------------ */

/* About how long the reply will be, so that its buffer need not grow by copies: the records as
 * the ATS sent them, and as much as they usually become. */
static size_t estimate_bytes(struct json items)
{
	size_t bytes = 1024;

	for (size_t i = 0; i < items.count; i++) {
		struct json record = json_at(items, i);
		struct json last = record.count > 0 ? record.members[record.count - 1].value
						    : json_undefined();
		bytes += 2048 + (json_is(last, JSON_OBJECT) ? json_source(last).len : 0);
	}
	return bytes;
}

static bool is_create(const struct operation *operation)
{
	return operation->method == OPERATION_WRITE && str_equal(operation->write, STR("create"));
}

/* What a request asks for, and of whom. */
struct request {
	const struct door *door;
	struct http_exchange *exchange;
	struct operation *operation;
	enum format format;
	bool has_begun; /* a stream's headers are out */
	struct account account;
	struct caller caller;
	struct door_attempt attempt;
	struct door_sink sink;
	struct operation_upload upload;
	struct operation_result result;
	struct copy_wish wish;
	struct copy_answer answer;
};

static bool read_form(struct request *request, const struct model_method *method,
		      struct door_asked *what, struct error *err)
{
	struct http_exchange *exchange = request->exchange;
	struct operation *operation = request->operation;
	struct buffer text;

	if (!door_read_form(exchange, method, &operation->body, &request->upload, err))
		return false;
	/* A form is spelled with another boundary each time: its members are what counts. */
	buffer_init(&text, exchange->arena, SIZE_MAX);
	json_print(&text, operation->body);
	what->body = buffer_str(&text);
	if (request->upload.source != NULL) {
		operation->upload = &request->upload;
		what->source = &request->upload.source;
	}
	return true;
}

/* The body of a write: JSON, or a form where a record is created. */
static bool read_body(struct request *request, struct door_asked *what, struct error *err)
{
	struct http_exchange *exchange = request->exchange;
	struct operation *operation = request->operation;
	const struct model_resource *resource =
		model_find(request->door->services->model, operation->resource);
	const struct model_method *method =
		resource == NULL ? NULL : model_find_method(resource, operation->write);

	if (door_is_form(exchange) && is_create(operation) && method != NULL)
		return read_form(request, method, what, err);
	return exchange->body.len == 0 || door_parse_body(exchange, &operation->body, err);
}

static bool run(struct request *request, struct str model, struct error *err)
{
	const struct door *door = request->door;
	struct http_exchange *exchange = request->exchange;
	struct operation *operation = request->operation;
	struct door_asked what = {.body = exchange->body};
	struct str account_id;

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL, &request->caller, err) ||
	    !check_model(door, model, err) ||
	    !read_query(door, exchange, operation, &account_id, &request->format,
			&request->wish, err) ||
	    !door_find_account(door, exchange->arena, &request->caller, account_id,
			       &request->account, err))
		return false;
	if (operation->method == OPERATION_WRITE && !read_body(request, &what, err))
		return false;
	operation->account = &request->account;
	operation->deadline_ns = exchange->started_ns + door->call_timeout_ms * 1000000;
	operation->sink = &request->sink.base;
	if (operation->method == OPERATION_WRITE && !operation->dry_run &&
	    !door_begin_attempt(door, exchange, operation, &what, &request->attempt, err))
		return false;
	if (request->format == FORMAT_STREAM)
		return format_stream(door, exchange, operation, &request->wish, &request->result,
				     &request->has_begun, err);
	return request->attempt.before.status != 0 ||
	       door_run(door, exchange->arena, operation, &request->wish, &request->result,
			&request->answer, err);
}

static bool is_creation(const struct operation *operation)
{
	return is_create(operation) && !operation->dry_run;
}

static void reply(const struct request *request)
{
	struct json body =
		format_answer(request->format, request->exchange->arena, request->operation,
			      &request->result, &request->answer);

	if (is_read(request->operation))
		door_set_source(request->exchange, &request->answer);
	door_reply_sized(request->exchange, is_creation(request->operation) ? 201 : 200, body,
			 estimate_bytes(request->result.items));
}

static void take_call(const struct request *request, const struct error *err)
{
	const struct door_call call = {
		.door = CALLS_UNIFIED,
		.environment_id = request->caller.environment_id,
		.operation = request->operation,
		.result = &request->result,
		.err = err,
		.is_replay = request->attempt.before.status != 0,
	};

	door_take_call(request->door, request->exchange, &call);
}

static void answer(const struct door *door, struct http_exchange *exchange,
		   struct operation *operation, struct str model)
{
	struct request request = {.door = door, .exchange = exchange, .operation = operation};
	struct error err;

	door_sink_init(&request.sink, door, exchange, &request.result);
	bool ok = run(&request, model, &err);

	if (request.has_begun)
		return take_call(&request, ok ? NULL : &err);
	if (!ok)
		door_fail(&request.sink, &err);
	else if (request.sink.base.has_begun)
		;
	else if (request.attempt.before.status != 0)
		door_reply_again(exchange, &request.attempt);
	else
		reply(&request);
	door_end_attempt(exchange, &request.attempt);
	door_set_headers(&request.sink);
	take_call(&request, ok ? NULL : &err);
}

static void handle_list(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct operation operation = {.resource = match->parts[1], .method = OPERATION_LIST};

	answer(context, exchange, &operation, match->parts[0]);
}

static void handle_get(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	struct operation operation = {
		.resource = match->parts[1], .method = OPERATION_GET, .id = match->parts[2]};

	answer(context, exchange, &operation, match->parts[0]);
}

static void handle_download(void *context, struct http_exchange *exchange,
			    const struct http_match *match)
{
	struct operation operation = {
		.resource = match->parts[1], .method = OPERATION_DOWNLOAD, .id = match->parts[2]};

	answer(context, exchange, &operation, match->parts[0]);
}

static void answer_write(void *context, struct http_exchange *exchange,
			 const struct http_match *match, struct str write, struct str id)
{
	struct operation operation = {
		.resource = match->parts[1], .method = OPERATION_WRITE, .write = write, .id = id};

	answer(context, exchange, &operation, match->parts[0]);
}

static void handle_create(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("create"), (struct str){NULL, 0});
}

static void handle_update(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("update"), match->parts[2]);
}

static void handle_delete(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, STR("delete"), match->parts[2]);
}

/* POST …/applications/move-stage, with the id in the body. */
static void handle_custom(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	answer_write(context, exchange, match, match->parts[2], (struct str){NULL, 0});
}

/* POST …/applications/{id}/move-stage */
static void handle_custom_of(void *context, struct http_exchange *exchange,
			     const struct http_match *match)
{
	answer_write(context, exchange, match, match->parts[3], match->parts[2]);
}

const struct http_route rest_routes[] = {
	{HTTP_GET, "/unified/{model}/{resource}", handle_list},
	{HTTP_POST, "/unified/{model}/{resource}", handle_create, door_form_stream_max},
	{HTTP_GET, "/unified/{model}/{resource}/{id}", handle_get},
	{HTTP_GET, "/unified/{model}/{resource}/{id}/download", handle_download},
	{HTTP_PATCH, "/unified/{model}/{resource}/{id}", handle_update},
	{HTTP_DELETE, "/unified/{model}/{resource}/{id}", handle_delete},
	{HTTP_POST, "/unified/{model}/{resource}/{id}", handle_custom},
	{HTTP_POST, "/unified/{model}/{resource}/{id}/{method}", handle_custom_of},
};
const size_t rest_route_count = sizeof rest_routes / sizeof rest_routes[0];

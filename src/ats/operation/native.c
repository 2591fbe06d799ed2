/* One native call: its arguments, its URL, and a single try of it. */
#include <assert.h>
#include <stdio.h>

#include "ats/operation/run.h"

enum {
	ARGUMENTS_MAX = 256,
	RESPONSE_BYTES_MAX = 64 * 1024 * 1024,
};

/* --- arguments ------------------------------------------------------------------------------- */

bool native_text(struct arena *arena, struct json value, struct str *text)
{
	char digits[32];

	switch (value.type) {
	case JSON_STRING:
	case JSON_NUMBER_TEXT:
		*text = json_str(value);
		return true;
	case JSON_INT:
		*text = arena_format(arena, "%lld", (long long)value.integer);
		return true;
	case JSON_DOUBLE:
		text->len = json_format_double(value.number, digits);
		*text = arena_str(arena, str_make(digits, text->len));
		return true;
	case JSON_BOOL:
		*text = value.boolean ? STR("true") : STR("false");
		return true;
	default:
		return false;
	}
}

static void add_field(struct arena *arena, struct http_field **fields, size_t *count,
		      struct str name, struct str value)
{
	size_t bytes = *count * sizeof **fields;

	*fields = arena_grow(arena, *fields, bytes, bytes + sizeof **fields);
	(*fields)[(*count)++] = (struct http_field){name, value};
}

void native_add_query(const struct run *run, struct native_call *call, struct str name,
		      struct str value)
{
	add_field(run->arena, &call->query, &call->query_count, name, value);
}

void native_add_path(const struct run *run, struct native_call *call, struct str name,
		     struct str value)
{
	add_field(run->arena, &call->path, &call->path_count, name, value);
}

static bool refuse_value(const struct call_argument *argument, const char *allowed,
			 struct error *err)
{
	char field[sizeof err->field];

	snprintf(field, sizeof field, "%.*s", STR_ARGS(argument->filter));
	return error_set_field(err, ERROR_INVALID, field, allowed,
			       "this ATS cannot take that value of \"%s\"", field);
}

static bool refuse_argument(const struct call_argument *argument, struct error *err)
{
	return refuse_value(argument, NULL, err);
}

/* An ATS that gets a text where it wants a number may well ignore the whole filter, and answer
 * everything: so the value is checked here. NULL when it fits, else what is allowed. */
const char *native_check_type(const struct native_method *method, struct str name,
			      struct str text)
{
	enum native_type type = NATIVE_TEXT;
	int64_t number;

	for (size_t i = 0; i < method->query_count; i++)
		if (str_equal(method->query[i].name, name))
			type = method->query[i].type;
	if (type == NATIVE_INTEGER && !str_to_int64(text, &number))
		return "a whole number";
	if (type == NATIVE_BOOLEAN && !str_equal(text, STR("true")) &&
	    !str_equal(text, STR("false")))
		return "true or false";
	return NULL;
}

/* A path part of dots would be taken for a step up in the path. */
bool native_is_path_part(struct str value)
{
	return value.len > 0 && value.len <= FILTER_BYTES_MAX && !str_equal(value, STR(".")) &&
	       !str_equal(value, STR("..")) && !http_has_control_byte(value);
}

/* Of x[in] the list of values, else the text. */
static struct json find_given(const struct run *run, struct str name, struct str text)
{
	for (size_t i = 0; i < run->filter_count; i++) {
		const struct run_filter *filter = &run->filters[i];

		if (str_equal(filter->name, name) && filter->model != NULL &&
		    filter->model->operator== MODEL_IN)
			return json_array(filter->values, filter->count);
	}
	return json_string(text);
}

/* A parameter which an override makes of the filters. */
static bool find_overridden(const struct run *run, const struct call_argument *argument,
			    const struct jsonata_context *context, struct json *value,
			    struct error *err)
{
	const struct toll_call call = {.expression = argument->value,
				       .origin = argument->origin,
				       .resource = run->resource->model->name,
				       .field = arena_format(run->arena, "query.%.*s",
							     STR_ARGS(argument->name))};
	struct jsonata_error fault;

	if (toll_take(run->toll, &call, context, run->query, value, &fault))
		return true;
	return error_set_field(err, ERROR_INVALID, arena_c(run->arena, call.field), NULL,
			       "%s of %.*s.%.*s failed: %s: %.*s", call.origin,
			       STR_ARGS(call.resource), STR_ARGS(call.field), fault.code,
			       STR_ARGS(fault.message));
}

/* Where the argument's value comes from; undefined when its filter was not given. */
static bool find_value(const struct run *run, const struct call_argument *argument,
		       struct json *value, struct error *err)
{
	struct str text;
	struct jsonata_error fault;
	const struct jsonata_context context = {
		.arena = run->arena,
		.limits = &jsonata_limits_default,
		.variables =
			(const struct json[CONNECTOR_VARIABLES]){
			[CONNECTOR_VARIABLE_CONTEXT] = run->account->context,
			[CONNECTOR_VARIABLE_QUERY] = run->query,
		},
		.clock = run->services->clock,
		.random = run->services->random,
	};

	*value = argument->constant;
	if (argument->origin != NULL)
		return find_overridden(run, argument, &context, value, err);
	if (argument->filter.len == 0)
		return true;
	*value = json_undefined();
	if (!plan_filter(run, argument->filter, &text))
		return true;
	*value = find_given(run, argument->filter, text);
	if (argument->value != NULL &&
	    !jsonata_evaluate(argument->value, &context, *value, value, &fault))
		return refuse_argument(argument, err);
	/* The filter was given: that its value comes to nothing must be told. */
	return !json_is(*value, JSON_UNDEFINED) || refuse_argument(argument, err);
}

/* A list gives the parameter once for each element. */
static bool add_query(const struct run *run, struct native_call *call,
		      const struct call_argument *argument, struct json value, struct error *err)
{
	struct json one = value;
	size_t count = value.type == JSON_ARRAY ? value.count : 1;
	struct str text;

	for (size_t i = 0; i < count; i++) {
		if (value.type == JSON_ARRAY)
			one = json_at(value, i);
		if (!native_text(run->arena, one, &text) || http_has_control_byte(text) ||
		    call->query_count >= ARGUMENTS_MAX)
			return refuse_argument(argument, err);
		const char *allowed = native_check_type(call->method, argument->name, text);
		if (allowed != NULL)
			return refuse_value(argument, allowed, err);
		native_add_query(run, call, argument->name, text);
	}
	return true;
}

static bool add_path(const struct run *run, struct native_call *call,
		     const struct call_argument *argument, struct json value, struct error *err)
{
	struct str text;

	if (!native_text(run->arena, value, &text) || !native_is_path_part(text))
		return refuse_argument(argument, err);
	native_add_path(run, call, argument->name, text);
	return true;
}

bool native_prepare(const struct run *run, const struct unified_call *unified,
		    struct native_call *call, struct error *err)
{
	*call = (struct native_call){.method = unified->method};
	for (size_t i = 0; i < unified->argument_count; i++) {
		const struct call_argument *argument = &unified->arguments[i];
		struct json value;

		if (!find_value(run, argument, &value, err))
			return false;
		if (json_is(value, JSON_UNDEFINED))
			continue;
		bool ok = argument->is_path ? add_path(run, call, argument, value, err)
					    : add_query(run, call, argument, value, err);
		if (!ok)
			return false;
	}
	return true;
}

static bool refuse_remote(struct str name, const char *why, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "remote_query",
			       "parameters which tenon leaves out", "remote_query[%.*s] %s",
			       STR_ARGS(str_slice(name, 0, 64)), why);
}

static bool is_sent(const struct native_call *call, struct str name)
{
	const struct connector_page *page = &call->method->page;
	bool is_paged = call->method->is_list && page->style != PAGE_NONE;

	for (size_t i = 0; i < call->query_count; i++)
		if (str_equal(call->query[i].name, name))
			return true;
	return is_paged &&
	       (str_equal(name, page->limit_name) || str_equal(name, page->position_name));
}

bool native_add_remote(const struct run *run, struct native_call *call, struct error *err)
{
	const struct operation *operation = run->operation;
	const size_t own = call->query_count;

	for (size_t i = 0; i < operation->remote_query_count; i++) {
		struct str name = operation->remote_query[i].name;
		struct str value = operation->remote_query[i].value;
		struct native_call before = *call;

		before.query_count = own;
		if (is_sent(&before, name))
			return refuse_remote(name, "is for tenon to say", err);
		if (http_has_control_byte(name) || http_has_control_byte(value))
			return refuse_remote(name, "has a control byte in it", err);
		if (call->query_count >= ARGUMENTS_MAX)
			return refuse_remote(name, "is one too many", err);
		native_add_query(run, call, name, value);
	}
	return true;
}

bool native_prepare_detail(const struct run *run, const struct unified_detail *detail,
			   struct json record, struct native_call *call, struct error *err)
{
	*call = (struct native_call){.method = detail->method};
	for (size_t i = 0; i < detail->argument_count; i++) {
		struct json value;
		struct str text;

		if (!run_evaluate(run, detail->arguments[i].value, record, &value) ||
		    !native_text(run->arena, value, &text) || !native_is_path_part(text))
			return error_set(err, ERROR_UPSTREAM,
					 "a record of the ATS's list lacks what all of it is "
					 "found by");
		add_field(run->arena, &call->path, &call->path_count, detail->arguments[i].name,
			  text);
	}
	return true;
}

/* --- the URL --------------------------------------------------------------------------------- */

struct names {
	const struct run *run;
	const struct native_call *call;
};

/* Path parameters first, then the account's context. */
static bool find_name(void *context, struct str name, struct str *value)
{
	const struct names *names = context;

	for (size_t i = 0; names->call != NULL && i < names->call->path_count; i++) {
		if (!str_equal(names->call->path[i].name, name))
			continue;
		*value = names->call->path[i].value;
		return true;
	}
	struct json told = json_get(names->run->account->context, name);

	return native_text(names->run->arena, told, value) && native_is_path_part(*value);
}

/* Where the path begins: behind the host. */
static size_t find_path(struct str url)
{
	ptrdiff_t scheme = str_find(url, STR("://"));
	size_t host = scheme < 0 ? 0 : (size_t)scheme + 3;
	size_t at = host;

	while (at < url.len && url.data[at] != '/' && url.data[at] != '?')
		at++;
	return at;
}

static struct str trim_slash(struct str url)
{
	return str_ends_with(url, STR("/")) ? str_slice(url, 0, url.len - 1) : url;
}

static bool make_base(const struct run *run, struct str *base, struct error *err)
{
	struct buffer buffer;
	struct names names = {run, NULL};

	buffer_init(&buffer, run->arena, URL_BYTES_MAX);
	if (!template_expand(&run->connector->base_url, &buffer, true, find_name, &names, err) ||
	    !buffer_check(&buffer, "the base URL", err))
		return false;
	*base = trim_slash(buffer_str(&buffer));
	if (run->base_url.len > 0)
		*base = arena_format(run->arena, "%.*s%.*s", STR_ARGS(trim_slash(run->base_url)),
				     STR_ARGS(str_slice(*base, find_path(*base), base->len)));
	return true;
}

/* A link that the ATS gave is followed with the account's credential: only to where all its
 * calls go. */
static bool resolve_link(struct arena *arena, struct str base, struct str link, struct str *url,
			 struct error *err)
{
	struct str origin = str_slice(base, 0, find_path(base));

	if (link.len > URL_BYTES_MAX || http_has_control_byte(link) ||
	    str_find_byte(link, ' ') >= 0)
		return error_set(err, ERROR_UPSTREAM, "the ATS gave a link that is no URL");
	if (str_starts_with(link, STR("/")) && !str_starts_with(link, STR("//"))) {
		*url = arena_format(arena, "%.*s%.*s", STR_ARGS(origin), STR_ARGS(link));
		return true;
	}
	*url = link;
	if (str_find(link, STR("://")) < 0 ||
	    !str_equal_nocase(str_slice(link, 0, find_path(link)), origin))
		return error_set(err, ERROR_UPSTREAM,
				 "the ATS gave a link to another host than its own");
	return true;
}

bool native_is_own(const struct run *run, struct str address, bool *is_own, struct error *err)
{
	struct str base, ignored;
	struct error why;

	if (!make_base(run, &base, err))
		return false;
	*is_own = resolve_link(run->arena, base, address, &ignored, &why);
	return true;
}

bool native_url(const struct run *run, const struct native_call *call, struct str *url,
		struct error *err)
{
	struct buffer buffer;
	struct names names = {run, call};
	struct str base;

	if (call->is_elsewhere) {
		*url = call->link;
		return true;
	}
	if (!make_base(run, &base, err))
		return false;
	if (call->link.len > 0)
		return resolve_link(run->arena, base, call->link, url, err);
	buffer_init(&buffer, run->arena, URL_BYTES_MAX);
	buffer_append(&buffer, base);
	buffer_append(&buffer, call->under);
	if (call->under.len == 0 &&
	    !template_expand(&call->method->path, &buffer, true, find_name, &names, err))
		return false;
	for (size_t i = 0; i < call->query_count; i++) {
		buffer_append_byte(&buffer, i == 0 ? '?' : '&');
		url_encode(&buffer, call->query[i].name);
		buffer_append_byte(&buffer, '=');
		url_encode(&buffer, call->query[i].value);
	}
	*url = buffer_str(&buffer);
	return buffer_check(&buffer, "the URL of the call", err);
}

bool native_path(const struct run *run, const struct native_call *call, struct str *path)
{
	struct buffer buffer;
	struct names names = {run, call};
	struct error ignored;

	buffer_init(&buffer, run->arena, URL_BYTES_MAX);
	if (!template_expand(&call->method->path, &buffer, false, find_name, &names, &ignored))
		return false;
	*path = buffer_str(&buffer);
	return !buffer.is_over;
}

/* --- what would be sent ----------------------------------------------------------------------- */

struct json native_describe(const struct run *run, const struct native_call *call, struct json body)
{
	struct json_builder members, query;
	struct str path;

	json_builder_init(&members, run->arena);
	json_builder_init(&query, run->arena);
	for (size_t i = 0; i < call->query_count; i++)
		json_builder_set(&query, call->query[i].name, json_string(call->query[i].value));
	json_builder_set(&members, STR("method"),
			 json_string_c(http_method_name(call->method->verb)));
	json_builder_set(&members, STR("path"),
			 native_path(run, call, &path) ? json_string(path) : json_null());
	json_builder_set(&members, STR("query"), json_builder_object(&query));
	json_builder_set(&members, STR("body"),
			 json_is(body, JSON_UNDEFINED) ? json_null() : body);
	return json_builder_object(&members);
}

struct json native_dry_run(const struct run *run, struct json calls, struct json missing)
{
	struct json_builder members;

	json_builder_init(&members, run->arena);
	json_builder_set(&members, STR("dry_run"), json_bool(true));
	json_builder_set(&members, STR("calls"), calls);
	json_builder_set(&members, STR("missing"), missing);
	return json_builder_object(&members);
}

/* --- one try ------------------------------------------------------------------------------ */

/* An answer that may be a file is looked at before its body comes. */
static bool open_call(const struct run *run, const struct native_call *call,
		      const struct http_request *request, struct http_response *response,
		      struct http_call **file, struct error *err)
{
	struct http_request *kept = arena_alloc(run->arena, sizeof *kept);
	struct http_call *opened;

	*kept = *request;
	kept->response_bytes_max = 0;
	kept->takes_coding = call->answer != ANSWER_BYTES;
	opened = http_client_open(run->services->client, run->arena, kept, response, err);
	if (opened == NULL)
		return false;
	if (!file_is_one(call, response))
		return file_keep(run, response, opened, RESPONSE_BYTES_MAX, err);
	*file = opened;
	return true;
}

static bool send_request(const struct run *run, const struct native_call *call, struct str url,
			 const struct secret_headers *headers, int64_t deadline_ns,
			 struct http_response *response, struct http_call **file, struct error *err)
{
	struct http_request request = {
		.method = call->method->verb,
		.url = url,
		.headers = headers->items,
		.header_count = headers->count,
		.body = call->body,
		.has_body = call->body.data != NULL,
		.source = call->source,
		.deadline_ns = deadline_ns,
		.response_bytes_max = RESPONSE_BYTES_MAX,
	};

	if (call->is_elsewhere) {
		bool is_own = false;

		if (!native_is_own(run, url, &is_own, err))
			return false;
		request.to_public_only = !is_own;
	}
	if (call->sink != NULL)
		return open_call(run, call, &request, response, file, err);
	return http_client_send(run->services->client, run->arena, &request, response, err);
}

bool native_try(const struct run *run, const struct native_call *call, int64_t deadline_ns,
		struct http_response *response, struct http_call **file, struct error *err)
{
	struct secret_headers headers = {.count = 0};
	struct str url;
	bool ok = false;

	*file = NULL;
	*response = (struct http_response){.outcome = HTTP_REFUSED};
	if (!native_url(run, call, &url, err) || !secrets_open(run, call, &url, &headers, err))
		goto done;
	ok = send_request(run, call, url, &headers, deadline_ns, response, file, err);
	if (ok && *file == NULL && !call->is_elsewhere)
		secrets_blot(run, response);
done:
	secrets_wipe(&headers);
	return ok;
}

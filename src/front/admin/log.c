/* The log of calls, as its environment may read it. */
#include "front/admin/routes.h"

enum { LIMIT_DEFAULT = 100, STATUS_MAX = 999 };

/* --- showing ---------------------------------------------------------------------------------- */

static struct json show(struct arena *arena, const struct call_record *record)
{
	struct json_builder item;

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("id"),
			 json_string(arena_format(arena, "%lld", (long long)record->id)));
	json_builder_set(&item, STR("created_at"), json_time(arena, call_record_time_ms(record)));
	json_builder_set(&item, STR("integrated_account_id"),
			 json_string_or_null(record->account_id));
	json_builder_set(&item, STR("connector"), json_string_or_null(record->connector));
	json_builder_set(&item, STR("door"), json_string(record->door));
	json_builder_set(&item, STR("resource"), json_string_or_null(record->resource));
	json_builder_set(&item, STR("method"), json_string_or_null(record->method));
	json_builder_set(&item, STR("status"), json_int(record->status));
	json_builder_set(&item, STR("error"), json_string_or_null(record->error));
	json_builder_set(&item, STR("duration_ms"), json_int(record->duration_ms));
	json_builder_set(&item, STR("upstream_ms"), json_int(record->upstream_ms));
	json_builder_set(&item, STR("wait_ms"), json_int(record->wait_ms));
	json_builder_set(&item, STR("call_count"), json_int(record->calls));
	json_builder_set(&item, STR("retry_count"), json_int(record->retries));
	json_builder_set(&item, STR("result_count"),
			 record->result_count < 0 ? json_null() : json_int(record->result_count));
	json_builder_set(&item, STR("request_id"), json_string(record->request_id));
	json_builder_set(&item, STR("mcp_server_id"), json_string_or_null(record->mcp_server_id));
	json_builder_set(&item, STR("tool"), json_string_or_null(record->tool));
	json_builder_set(&item, STR("client_name"), json_string_or_null(record->client_name));
	json_builder_set(&item, STR("client_version"), json_string_or_null(record->client_version));
	return json_builder_object(&item);
}

/* --- what is asked for ------------------------------------------------------------------------ */

static bool refuse(const char *name, const char *allowed, struct str value, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, name, allowed, "%s must be %s, not \"%.*s\"",
			       name, allowed, STR_ARGS(str_slice(value, 0, 64)));
}

static bool refuse_twice(const char *name, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, name, "given once",
			       "%s is given twice, or against itself", name);
}

/* One of a set of names; `name_at` gives NULL behind the last. */
static bool read_name(struct arena *arena, const char *filter, const char *(*name_at)(int),
		      struct str value, struct str *out, struct error *err)
{
	struct buffer allowed;

	buffer_init(&allowed, arena, sizeof err->allowed);
	for (int i = 0; name_at(i) != NULL; i++) {
		if (str_equal_c(value, name_at(i))) {
			*out = value;
			return true;
		}
		buffer_append_c(&allowed, i == 0 ? "" : ", ");
		buffer_append_c(&allowed, name_at(i));
	}
	return refuse(filter, arena_c(arena, buffer_str(&allowed)), value, err);
}

static const char *door_at(int i)
{
	return i < CALLS_DOORS ? calls_door_name((enum calls_door)i) : NULL;
}

static const char *error_at(int i)
{
	return i + 1 < ERROR_CODES ? error_name((enum error_code)(i + 1)) : NULL;
}

/* 404, or 4xx for all of its hundred. */
static bool read_status(struct str value, int64_t *min, int64_t *max, struct error *err)
{
	if (value.len == 3 && value.data[0] >= '1' && value.data[0] <= '5' &&
	    str_equal(str_slice(value, 1, 3), STR("xx"))) {
		*min = (value.data[0] - '0') * 100;
		*max = *min + 99;
		return true;
	}
	*min = 0;
	if (value.len != 3 || !str_to_int64(value, min) || *min < 100 || *min > 599)
		return refuse("status", "a status such as 404, or 2xx, 4xx", value, err);
	*max = *min;
	return true;
}

/* The name's operator, "[gt]" and so on; false for none of them. */
static bool read_bound(struct str name, struct str filter, bool *is_lower, bool *is_open)
{
	struct str rest = str_slice(name, filter.len, name.len);

	if (!str_starts_with(name, filter))
		return false;
	*is_lower = str_equal(rest, STR("[gt]")) || str_equal(rest, STR("[gte]"));
	*is_open = str_equal(rest, STR("[gt]")) || str_equal(rest, STR("[lt]"));
	return *is_lower || str_equal(rest, STR("[lt]")) || str_equal(rest, STR("[lte]"));
}

static bool bound_status(struct arena *arena, struct str name, struct str value, bool is_lower,
			 bool is_open, struct calls_query *query, struct error *err)
{
	int64_t number;

	if (!str_to_int64(value, &number) || number < 0 || number > STATUS_MAX)
		return refuse(arena_c(arena, name), "a whole number from 0 to 999", value, err);
	if (is_lower)
		query->status_min = number + is_open;
	else
		query->status_max = number - is_open;
	return true;
}

/* Records have milliseconds; a moment between two of them is after the first. */
static bool bound_time(struct arena *arena, struct str name, struct str value, bool is_lower,
		       bool is_open, struct calls_query *query, struct error *err)
{
	int64_t ns;

	if (!clock_parse(value, &ns) || ns < 0)
		return refuse(arena_c(arena, name), "a time such as 2026-03-04T09:15:22Z", value,
			      err);
	bool is_between = ns % 1000000 != 0;
	int64_t ms = ns / 1000000;
	if (is_lower)
		query->from_ms = ms + (is_open || is_between);
	else
		query->before_ms = ms + (!is_open || is_between);
	return true;
}

static bool read_cursor(struct str value, struct calls_query *query, struct error *err)
{
	if (str_to_int64(value, &query->before_id) && query->before_id > 0)
		return true;
	return error_set_field(err, ERROR_INVALID, "next_cursor", "a cursor of this list",
			       "this is no cursor of this list");
}

static struct str *find_text(struct calls_query *query, struct str name)
{
	if (str_equal(name, STR("integrated_account_id")))
		return &query->account_id;
	if (str_equal(name, STR("connector")))
		return &query->connector;
	if (str_equal(name, STR("resource")))
		return &query->resource;
	if (str_equal(name, STR("method")))
		return &query->method;
	if (str_equal(name, STR("mcp_server_id")))
		return &query->mcp_server_id;
	if (str_equal(name, STR("tool")))
		return &query->tool;
	if (str_equal(name, STR("client_name")))
		return &query->client_name;
	return str_equal(name, STR("request_id")) ? &query->request_id : NULL;
}

static bool read_filter(struct arena *arena, struct str name, struct str value,
			struct calls_query *query, struct error *err)
{
	struct str *text = find_text(query, name);
	bool is_lower, is_open;

	if (value.len == 0)
		return refuse(arena_c(arena, name), "a text", value, err);
	if (text != NULL) {
		*text = value;
		return true;
	}
	if (str_equal(name, STR("limit")))
		return door_read_limit(value, &query->limit, err);
	if (str_equal(name, STR("next_cursor")))
		return read_cursor(value, query, err);
	if (str_equal(name, STR("door")))
		return read_name(arena, "door", door_at, value, &query->door, err);
	if (str_equal(name, STR("error")))
		return read_name(arena, "error", error_at, value, &query->error, err);
	if (str_equal(name, STR("status")))
		return read_status(value, &query->status_min, &query->status_max, err);
	if (read_bound(name, STR("status"), &is_lower, &is_open))
		return bound_status(arena, name, value, is_lower, is_open, query, err);
	if (read_bound(name, STR("created_at"), &is_lower, &is_open))
		return bound_time(arena, name, value, is_lower, is_open, query, err);
	return error_set_field(err, ERROR_INVALID, arena_c(arena, name),
			       "integrated_account_id, connector, door, resource, method, status, "
			       "status[gte], error, request_id, created_at[gte] (gt, lt, lte), "
			       "limit, next_cursor",
			       "the log cannot be asked by \"%.*s\"",
			       STR_ARGS(str_slice(name, 0, 64)));
}

/* Bounds of one side may not be said twice: one of them would be dropped. */
static bool is_said_before(const struct http_field *fields, size_t count, struct str name)
{
	static const struct str pairs[][2] = {
		{STR_INIT("created_at[gt]"), STR_INIT("created_at[gte]")},
		{STR_INIT("created_at[lt]"), STR_INIT("created_at[lte]")},
		{STR_INIT("status[gt]"), STR_INIT("status[gte]")},
		{STR_INIT("status[lt]"), STR_INIT("status[lte]")},
	};
	struct str other = name;
	bool is_status = str_starts_with(name, STR("status"));

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		for (size_t k = 0; k < 2; k++)
			if (str_equal(name, pairs[i][k]))
				other = pairs[i][1 - k];
	for (size_t i = 0; i < count; i++)
		if (str_equal(fields[i].name, name) || str_equal(fields[i].name, other) ||
		    (is_status && str_equal(fields[i].name, STR("status"))) ||
		    (str_equal(name, STR("status")) &&
		     str_starts_with(fields[i].name, STR("status"))))
			return true;
	return false;
}

static bool read_query(const struct http_exchange *exchange, struct calls_query *query,
		       struct error *err)
{
	*query = (struct calls_query){
		.status_max = STATUS_MAX, .before_ms = INT64_MAX, .limit = LIMIT_DEFAULT};
	for (size_t i = 0; i < exchange->query_count; i++) {
		const struct http_field *field = &exchange->query[i];

		if (exchange->is_local && str_equal(field->name, STR("environment")))
			continue;
		if (is_said_before(exchange->query, i, field->name))
			return refuse_twice(arena_c(exchange->arena, field->name), err);
		if (!read_filter(exchange->arena, field->name, field->value, query, err))
			return false;
	}
	return true;
}

/* --- answering -------------------------------------------------------------------------------- */

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct calls_query query;
	struct call_record *records;
	struct json_builder items;
	struct caller caller;
	int64_t next_id;
	size_t count;

	if (!door_authorise(door, exchange, KEY_SCOPE_CALL | KEY_SCOPE_ADMIN, &caller, err) ||
	    !admin_check_environment(&caller, err) || !read_query(exchange, &query, err))
		return false;
	query.environment_id = caller.environment_id;
	calls_flush(door->calls); /* who asks finds what was done before */
	if (!calls_list(door->calls, exchange->arena, &query, &records, &count, &next_id, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show(exchange->arena, &records[i]));
	admin_reply_list(exchange, &items,
			 next_id == 0 ? (struct str){NULL, 0}
				      : arena_format(exchange->arena, "%lld", (long long)next_id));
	return true;
}

void admin_list_calls(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

/* The local copy of a resource as a file: as it comes from the store, so that its size does not
 * matter; one that broke off goes on after the last record that came. */
#include "ats/copy/copy.h"
#include "base/log.h"
#include "front/admin/routes.h"

enum { ROWS_AT_ONCE = 100, FIELDS_MAX = 200 };
enum export_format { EXPORT_NDJSON, EXPORT_CSV, EXPORT_COUNT };

struct asked {
	struct caller caller;
	struct copy_export export;
	struct copy_lines lines;
	enum export_format format;
	struct str account_id;
	struct str after;
	struct str fields;
	int64_t limit; /* 0: all */
	bool with_deleted;
};

/* --- what is asked for ------------------------------------------------------------------------ */

static bool refuse(struct arena *arena, struct str name, const char *allowed, struct str value,
		   struct error *err)
{
	return error_set_field(err, ERROR_INVALID, arena_c(arena, name), allowed,
			       "%.*s must be %s, not \"%.*s\"", STR_ARGS(name), allowed,
			       STR_ARGS(str_slice(value, 0, 64)));
}

static bool read_format(struct arena *arena, struct str value, struct asked *asked,
			struct error *err)
{
	static const char *const names[] = {"ndjson", "csv", "count"};

	for (size_t i = 0; i < 3; i++)
		if (str_equal_c(value, names[i])) {
			asked->format = (enum export_format)i;
			return true;
		}
	return refuse(arena, STR("format"), "ndjson, csv or count", value, err);
}

static bool read_since(struct arena *arena, struct str value, struct asked *asked,
		       struct error *err)
{
	int64_t ns;

	if (!clock_parse(value, &ns) || ns < 0)
		return refuse(arena, STR("since"), "a time such as 2026-03-04T09:15:22Z", value,
			      err);
	asked->export.since_ms = ns / 1000000;
	return true;
}

static bool read_limit(struct arena *arena, struct str value, struct asked *asked,
		       struct error *err)
{
	if (str_to_int64(value, &asked->limit) && asked->limit > 0)
		return true;
	return refuse(arena, STR("limit"), "a whole number from 1", value, err);
}

static bool read_parameter(struct arena *arena, struct str name, struct str value,
			   struct asked *asked, struct error *err)
{
	if (str_equal(name, STR("integrated_account_id")))
		asked->account_id = value;
	else if (str_equal(name, STR("fields")))
		asked->fields = value;
	else if (str_equal(name, STR("after")))
		asked->after = value;
	else if (str_equal(name, STR("format")))
		return read_format(arena, value, asked, err);
	else if (str_equal(name, STR("since")))
		return read_since(arena, value, asked, err);
	else if (str_equal(name, STR("limit")))
		return read_limit(arena, value, asked, err);
	else if (str_equal(name, STR("include_deleted"))) {
		asked->with_deleted = str_equal(value, STR("true"));
		return asked->with_deleted || str_equal(value, STR("false")) ||
		       refuse(arena, name, "true or false", value, err);
	} else
		return error_set_field(err, ERROR_INVALID, arena_c(arena, name),
				       "integrated_account_id, format, fields, since, "
				       "include_deleted, after, limit",
				       "an export cannot be asked by \"%.*s\"",
				       STR_ARGS(str_slice(name, 0, 64)));
	return true;
}

static bool find_resource(const struct door *door, const struct http_match *match,
			  struct asked *asked, struct error *err)
{
	const struct model *model = door->services->model;

	if (!str_equal(match->parts[0], model->name))
		return error_set_field(err, ERROR_NOT_FOUND, "model", model->name.data,
				       "there is no model \"%.*s\"",
				       STR_ARGS(str_slice(match->parts[0], 0, 64)));
	asked->export.resource = model_find(model, match->parts[1]);
	if (asked->export.resource != NULL)
		return true;
	return error_set_field(err, ERROR_NOT_FOUND, "resource", "a resource of the model",
			       "the model has no resource \"%.*s\"",
			       STR_ARGS(str_slice(match->parts[1], 0, 64)));
}

/* "ACCOUNT/ID": the last record that came. */
static bool read_after(struct asked *asked, struct error *err)
{
	struct str id = asked->after;
	struct str account_id = str_cut(&id, '/');

	if (asked->after.len == 0)
		return true;
	if (account_id.len == 0 || id.len == 0)
		return error_set_field(err, ERROR_INVALID, "after", "ACCOUNT/ID of a record",
				       "after must be the integrated_account_id, a slash and the id "
				       "of the last record that came");
	buffer_append(&asked->export.after_account, account_id);
	buffer_append(&asked->export.after_id, id);
	return buffer_check(&asked->export.after_account, "after", err) &&
	       buffer_check(&asked->export.after_id, "after", err);
}

static bool read_fields(struct arena *arena, struct asked *asked, struct error *err)
{
	const struct model_resource *resource = asked->export.resource;
	struct str *names = arena_array(arena, FIELDS_MAX, sizeof *names);
	struct str rest = asked->fields;
	size_t count = 0;

	while (rest.len > 0) {
		struct str name = str_cut(&rest, ',');
		if (count == FIELDS_MAX || model_find_field(resource, name) == NULL)
			return refuse(arena, STR("fields"), "names of the resource's fields", name,
				      err);
		names[count++] = name;
	}
	asked->lines.fields = names;
	asked->lines.field_count = count;
	return true;
}

/* One account, where one is named or the caller knows no other; else all of the environment. */
static bool find_account(const struct door *door, struct arena *arena, struct asked *asked,
			 struct error *err)
{
	struct account account;

	if (asked->account_id.len == 0 && asked->caller.account_id.len == 0)
		return true;
	if (!door_find_account(door, arena, &asked->caller, asked->account_id, &account, err))
		return false;
	asked->export.account_id = account.id;
	return true;
}

static bool read_query(const struct door *door, const struct http_exchange *exchange,
		       const struct http_match *match, struct asked *asked, struct error *err)
{
	struct arena *arena = exchange->arena;

	if (!find_resource(door, match, asked, err))
		return false;
	for (size_t i = 0; i < exchange->query_count; i++) {
		const struct http_field *field = &exchange->query[i];

		if (exchange->is_local && str_equal(field->name, STR("environment")))
			continue;
		if (!read_parameter(arena, field->name, field->value, asked, err))
			return false;
	}
	copy_lines_init(&asked->lines, arena, asked->export.resource,
			asked->format == EXPORT_CSV);
	asked->lines.with_deleted = asked->with_deleted;
	asked->export.with_deleted = asked->with_deleted;
	return find_account(door, arena, asked, err) && read_after(asked, err) &&
	       read_fields(arena, asked, err);
}

/* --- answering -------------------------------------------------------------------------------- */

static bool reply_count(const struct door *door, struct http_exchange *exchange,
			const struct asked *asked, struct error *err)
{
	struct json_builder out;
	int64_t count;

	if (!copy_export_count(door->store, exchange->arena, &asked->export, &count, err))
		return false;
	json_builder_init(&out, exchange->arena);
	json_builder_set(&out, STR("record_count"), json_int(count));
	door_reply(exchange, 200, json_builder_object(&out));
	return true;
}

/* Some records, in an arena of their own. */
static bool send_some(const struct door *door, struct http_exchange *exchange,
		      struct asked *asked, bool *is_end, struct error *err)
{
	size_t limit = asked->limit > 0 && asked->limit < ROWS_AT_ONCE ? (size_t)asked->limit
								       : ROWS_AT_ONCE;
	struct copy_export_row *rows;
	struct buffer out;
	struct arena arena;
	size_t count;

	arena_init(&arena, SIZE_MAX / 4);
	buffer_init(&out, &arena, SIZE_MAX / 4);
	bool ok = copy_export_next(door->store, &arena, &asked->export, limit, &rows, &count,
				   is_end, err);
	for (size_t i = 0; ok && i < count; i++)
		ok = copy_lines_add(&asked->lines, &arena, &rows[i], &out, err);
	if (ok && out.len > 0)
		ok = http_exchange_write(exchange, buffer_str(&out), err);
	if (ok && asked->limit > 0) {
		asked->limit -= (int64_t)count;
		*is_end = *is_end || asked->limit == 0;
	}
	arena_finish(&arena);
	return ok;
}

static void send_all(const struct door *door, struct http_exchange *exchange, struct asked *asked)
{
	struct buffer head;
	struct error err;
	bool is_end = false, ok = true;

	buffer_init(&head, exchange->arena, 65536);
	if (asked->after.len == 0)
		copy_lines_begin(&asked->lines, &head);
	exchange->content_type = asked->format == EXPORT_CSV ? STR("text/csv; charset=utf-8")
							     : STR("application/x-ndjson");
	http_exchange_begin_reply(exchange, 200, -1);
	if (head.len > 0)
		ok = http_exchange_write(exchange, buffer_str(&head), &err);
	while (ok && !is_end)
		ok = send_some(door, exchange, asked, &is_end, &err);
	if (ok)
		return;
	http_exchange_break(exchange);
	LOG(LOG_WARNING, "reply_broken_off", LOG_S(request_id, exchange->request_id),
	    LOG_C(error, error_name(err.code)), LOG_N(bytes, (int64_t)exchange->written));
}

static bool answer(const struct door *door, struct http_exchange *exchange,
		   const struct http_match *match, struct error *err)
{
	struct asked asked = {0};

	copy_export_init(&asked.export, exchange->arena);
	if (!door_authorise(door, exchange, KEY_SCOPE_CALL | KEY_SCOPE_ADMIN, &asked.caller, err) ||
	    !admin_check_environment(&asked.caller, err) ||
	    !read_query(door, exchange, match, &asked, err))
		return false;
	asked.export.environment_id = asked.caller.environment_id;
	if (asked.format == EXPORT_COUNT)
		return reply_count(door, exchange, &asked, err);
	http_exchange_end_with_caller(exchange);
	send_all(door, exchange, &asked);
	return true;
}

void admin_export(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	struct error err;

	if (!answer(context, exchange, match, &err))
		door_reply_error(exchange, &err, NULL);
}

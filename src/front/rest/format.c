#include "front/rest/format.h"

#include "base/log.h"

static const char *const names[] = {"unified", "raw", "normalized", "stream", "debug"};

bool format_read(struct str text, enum format *format, struct error *err)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (str_equal_c(text, names[i])) {
			*format = (enum format)i;
			return true;
		}
	return error_set_field(
		err, ERROR_INVALID, "response_format", "unified, raw, normalized, stream, debug",
		"there is no response_format \"%.*s\"", STR_ARGS(str_slice(text, 0, 64)));
}

/* --- what goes with what ---------------------------------------------------------------------- */

static bool refuse(enum format format, const char *parameter, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, parameter, "with response_format=unified",
			       "%s means nothing with response_format=%s", parameter,
			       names[format]);
}

/* Those which choose among the fields of unified records. */
static bool check_fields(enum format format, const struct operation *operation, struct error *err)
{
	if (operation->fields.len > 0)
		return refuse(format, "fields", err);
	if (operation->exclude_fields.len > 0)
		return refuse(format, "exclude_fields", err);
	if (operation->key_by.len > 0)
		return refuse(format, "key_by", err);
	return operation->remote_data || refuse(format, "remote_data", err);
}

bool format_prepare(enum format format, struct operation *operation, struct error *err)
{
	bool is_own = format == FORMAT_RAW || format == FORMAT_NORMALIZED;

	if (operation->method == OPERATION_WRITE && format != FORMAT_UNIFIED &&
	    format != FORMAT_DEBUG)
		return error_set_field(err, ERROR_INVALID, "response_format", "unified, debug",
				       "response_format=%s is for reads", names[format]);
	if (format == FORMAT_STREAM && operation->method != OPERATION_LIST)
		return error_set_field(err, ERROR_INVALID, "response_format",
				       "unified, raw, normalized, debug",
				       "response_format=stream is for lists");
	if (format == FORMAT_STREAM && operation->key_by.len > 0)
		return refuse(format, "key_by", err);
	if (is_own && !check_fields(format, operation, err))
		return false;
	if (is_own && operation->expand)
		return refuse(format, "expand", err);
	if (format == FORMAT_RAW && operation->sort_count > 0)
		return refuse(format, "sort_by", err);
	operation->is_traced = format == FORMAT_RAW || format == FORMAT_DEBUG;
	operation->is_raw = format == FORMAT_RAW;
	return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct json envelope(struct arena *arena, const struct operation_result *result,
			    struct json records, size_t count)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("result"), records);
	json_builder_set(&out, STR("next_cursor"),
			 result->next_cursor.len > 0 ? json_string(result->next_cursor)
						     : json_null());
	json_builder_set(&out, STR("prev_cursor"), json_null());
	json_builder_set(&out, STR("result_count"), json_int((int64_t)count));
	json_builder_set(&out, STR("is_partial_response"), json_bool(result->is_partial));
	return json_builder_object(&out);
}

static struct json make_unified(struct arena *arena, const struct operation *operation,
				const struct operation_result *result,
				const struct copy_answer *source)
{
	struct json_builder out;

	if (operation->method != OPERATION_LIST)
		return result->item;
	struct json page = envelope(
		arena, result, json_is(result->keyed, JSON_OBJECT) ? result->keyed : result->items,
		result->items.count);
	if (!source->has_total)
		return page;
	json_builder_init(&out, arena);
	json_builder_set_others(&out, page, json_undefined());
	json_builder_set(&out, STR("total_count"), json_int(source->total));
	return json_builder_object(&out);
}

static struct json own_record(struct json record)
{
	struct json own = json_get(record, STR("remote_data"));

	return json_is(own, JSON_UNDEFINED) ? json_null() : own;
}

static struct json make_normalized(struct arena *arena, const struct operation *operation,
				   const struct operation_result *result)
{
	struct json_builder records;

	if (operation->method != OPERATION_LIST)
		return own_record(result->item);
	json_builder_init(&records, arena);
	for (size_t i = 0; i < result->items.count; i++)
		json_builder_add(&records, own_record(json_at(result->items, i)));
	return envelope(arena, result, json_builder_array(&records), result->items.count);
}

static bool is_answer(const struct operation_trace *trace)
{
	return trace->is_page && trace->status >= 200 && trace->status < 300;
}

static struct json make_raw(struct arena *arena, const struct operation *operation,
			    const struct operation_result *result)
{
	struct json_builder bodies;
	struct json last = json_null();
	size_t count = 0;

	json_builder_init(&bodies, arena);
	for (size_t i = 0; i < result->trace_count; i++) {
		if (!is_answer(&result->trace[i]))
			continue;
		last = result->trace[i].body;
		json_builder_add(&bodies, last);
		count++;
	}
	return operation->method == OPERATION_LIST
		       ? envelope(arena, result, json_builder_array(&bodies), count)
		       : last;
}

static struct json describe_call(struct arena *arena, const struct operation_trace *trace)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("method"), json_string_c(http_method_name(trace->verb)));
	json_builder_set(&out, STR("url"), json_string(trace->url));
	json_builder_set(&out, STR("status"),
			 trace->status == 0 ? json_null() : json_int(trace->status));
	json_builder_set(&out, STR("duration_ms"), json_int(trace->duration_ns / 1000000));
	json_builder_set(&out, STR("bytes"), json_int((int64_t)trace->bytes));
	json_builder_set(&out, STR("body"),
			 json_is(trace->body, JSON_UNDEFINED) ? json_null() : trace->body);
	return json_builder_object(&out);
}

static struct json make_debug(struct arena *arena, const struct operation *operation,
			      const struct operation_result *result,
			      const struct copy_answer *source)
{
	struct json_builder out, debug, calls;
	struct json unified = make_unified(arena, operation, result, source);

	json_builder_init(&calls, arena);
	for (size_t i = 0; i < result->trace_count; i++)
		json_builder_add(&calls, describe_call(arena, &result->trace[i]));
	json_builder_init(&debug, arena);
	json_builder_set(&debug, STR("calls"), json_builder_array(&calls));
	json_builder_set(&debug, STR("call_count"), json_int(result->calls));
	json_builder_set(&debug, STR("retry_count"), json_int(result->retries));
	json_builder_set(&debug, STR("upstream_ms"), json_int(result->upstream_ns / 1000000));
	json_builder_set(&debug, STR("wait_ms"), json_int(result->wait_ns / 1000000));
	json_builder_init(&out, arena);
	if (operation->method != OPERATION_LIST)
		json_builder_set(&out, STR("result"), unified);
	for (size_t i = 0; operation->method == OPERATION_LIST && i < unified.count; i++)
		json_builder_set(&out, json_name(&unified.members[i]),
				 unified.members[i].value);
	json_builder_set(&out, STR("debug"), json_builder_object(&debug));
	return json_builder_object(&out);
}

struct json format_answer(enum format format, struct arena *arena,
			  const struct operation *operation, const struct operation_result *result,
			  const struct copy_answer *source)
{
	switch (format) {
	case FORMAT_RAW:
		return make_raw(arena, operation, result);
	case FORMAT_NORMALIZED:
		return make_normalized(arena, operation, result);
	case FORMAT_DEBUG:
		return make_debug(arena, operation, result, source);
	case FORMAT_UNIFIED:
	case FORMAT_STREAM:
		break;
	}
	return make_unified(arena, operation, result, source);
}

/* --- the stream ------------------------------------------------------------------------------- */

static void add_up(struct operation_result *sum, const struct operation_result *page)
{
	sum->upstream_ns += page->upstream_ns;
	sum->wait_ns += page->wait_ns;
	sum->calls += page->calls;
	sum->retries += page->retries;
	sum->streamed += page->items.count;
}

/* What an error tells outlives its page. */
static void keep_remote(struct arena *arena, struct operation_result *sum,
			const struct operation_result *page)
{
	sum->remote_status = page->remote_status;
	sum->remote_body = arena_str(arena, page->remote_body);
	sum->remote_insight = (struct remote_insight){
		json_copy(arena, page->remote_insight.headers),
		json_copy(arena, page->remote_insight.missing_fields),
		json_copy(arena, page->remote_insight.missing_rights),
	};
}

static bool send_page(struct http_exchange *exchange, struct arena *arena,
		      const struct operation_result *page, struct error *err)
{
	struct buffer lines;

	buffer_init(&lines, arena, SIZE_MAX);
	for (size_t i = 0; i < page->items.count; i++) {
		json_print(&lines, json_at(page->items, i));
		buffer_append_byte(&lines, '\n');
	}
	return lines.len == 0 || http_exchange_write(exchange, buffer_str(&lines), err);
}

static void begin(struct http_exchange *exchange, const struct copy_answer *source)
{
	door_set_source(exchange, source);
	exchange->content_type = STR("application/x-ndjson");
	http_exchange_begin_reply(exchange, 200, -1);
}

/* One page in an arena of its own; its cursor is left in `cursor`. */
static bool stream_page(const struct door *door, struct http_exchange *exchange,
			struct operation *operation, const struct copy_wish *wish,
			struct operation_result *sum, struct buffer *cursor, bool *has_begun,
			struct error *err)
{
	struct operation_result page;
	struct copy_answer source;
	struct arena arena;

	arena_init(&arena, exchange->arena->bytes_max);
	operation->cursor = buffer_str(cursor);
	operation->deadline_ns =
		clock_monotonic_ns(door->services->clock) + door->call_timeout_ms * 1000000;
	bool ok = door_run(door, &arena, operation, wish, &page, &source, err);
	add_up(sum, &page);
	if (ok && !*has_begun)
		begin(exchange, &source);
	*has_begun = *has_begun || ok;
	if (!ok && !*has_begun)
		keep_remote(exchange->arena, sum, &page);
	ok = ok && send_page(exchange, &arena, &page, err);
	cursor->len = 0;
	if (ok)
		buffer_append(cursor, page.next_cursor);
	arena_finish(&arena);
	return ok;
}

bool format_stream(const struct door *door, struct http_exchange *exchange,
		   struct operation *operation, const struct copy_wish *wish,
		   struct operation_result *result, bool *has_begun, struct error *err)
{
	bool ok;
	struct buffer cursor;

	buffer_init(&cursor, exchange->arena, SIZE_MAX);
	buffer_append(&cursor, operation->cursor);
	*has_begun = false;
	do
		ok = stream_page(door, exchange, operation, wish, result, &cursor, has_begun, err);
	while (ok && cursor.len > 0);
	if (!ok && *has_begun) {
		http_exchange_break(exchange);
		LOG(LOG_WARNING, "stream_broken", LOG_S(account_id, operation->account->id),
		    LOG_C(error, error_name(err->code)));
	}
	return ok;
}

/* Running the parts: in rounds, each of all parts whose dependencies are done, a few calls at a
 * time. */
#include <stdio.h>

#include "front/batch/parts.h"

/* One call of a part; a list has several pages. */
struct task {
	struct part *part;
	size_t item; /* of the loop */
	struct json record;
	struct json_builder records;
	struct json error; /* undefined: none */
	struct str next_cursor;
};

struct round {
	struct batch *batch;
	struct task *tasks;
	size_t count;
	size_t next;
	struct loop_group group;
};

/* What one call is made of. */
struct call {
	enum http_method verb;
	struct str path;
	struct http_field *query;
	size_t query_count;
	struct json body;
	bool is_list;
	bool has_limit;
};

/* --- the request ------------------------------------------------------------------------------ */

static void add_segment(struct buffer *path, struct str text)
{
	buffer_append_byte(path, '/');
	url_encode(path, text);
}

static enum http_method find_verb(struct str method)
{
	if (str_equal(method, STR("list")) || str_equal(method, STR("get")))
		return HTTP_GET;
	if (str_equal(method, STR("update")))
		return HTTP_PATCH;
	return str_equal(method, STR("delete")) ? HTTP_DELETE : HTTP_POST;
}

/* As the doors have them: a method of its own is the last part of the path. */
static struct str make_path(const struct task *task, struct arena *arena, struct str id)
{
	const struct part *part = task->part;
	bool is_unified = str_find_byte(part->resource, '/') >= 0;
	struct buffer path;

	buffer_init(&path, arena, SIZE_MAX);
	buffer_append_c(&path, is_unified ? "/unified/" : "/proxy/");
	buffer_append(&path, part->resource);
	if (id.len > 0)
		add_segment(&path, id);
	if (!str_equal(part->method, STR("list")) && !str_equal(part->method, STR("get")) &&
	    !str_equal(part->method, STR("create")) && !str_equal(part->method, STR("update")) &&
	    !str_equal(part->method, STR("delete")))
		add_segment(&path, part->method);
	return buffer_str(&path);
}

static bool read_scalar(struct arena *arena, struct json value, struct str *text)
{
	struct buffer buffer;

	if (json_is(value, JSON_STRING)) {
		*text = json_str(value);
		return true;
	}
	buffer_init(&buffer, arena, SIZE_MAX);
	json_print(&buffer, value);
	*text = buffer_str(&buffer);
	return json_is_number(value) || json_is(value, JSON_BOOL);
}

/* {"tags": {"name": "x"}, "fields": ["a"]} is tags[name]=x&fields[]=a. */
static bool add_query(struct call *call, struct arena *arena, struct str name, struct json value,
		      size_t room)
{
	struct str text;
	bool ok = true;

	if (json_is(value, JSON_NULL) || json_is(value, JSON_UNDEFINED))
		return true;
	for (size_t i = 0; ok && json_is(value, JSON_OBJECT) && i < value.count; i++)
		ok = add_query(call, arena,
			       arena_format(arena, "%.*s[%.*s]", STR_ARGS(name),
					    (int)value.members[i].key_len, value.members[i].key),
			       value.members[i].value, room);
	for (size_t i = 0; ok && json_is(value, JSON_ARRAY) && i < value.count; i++)
		ok = !json_is(json_at(value, i), JSON_OBJECT) &&
		     add_query(call, arena, arena_format(arena, "%.*s[]", STR_ARGS(name)),
			       json_at(value, i), room);
	if (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY))
		return ok;
	if (!read_scalar(arena, value, &text) || call->query_count >= room)
		return false;
	call->query[call->query_count++] = (struct http_field){name, text};
	return true;
}

static const char *spell(const struct task *task, struct arena *arena, const char *member)
{
	return arena_c(arena, arena_format(arena, "resources[%zu].%s", task->part->number, member));
}

enum { QUERY_MAX = 100 };

static bool make_query(const struct batch *batch, const struct task *task, struct call *call,
		       struct error *err)
{
	struct arena *arena = batch->exchange->arena;
	const char *field = spell(task, arena, "query");
	struct str environment;
	struct json query;

	call->query = arena_array(arena, QUERY_MAX + 3, sizeof *call->query);
	if (!parts_fill(batch, field, task->record, task->part->query, &query, err))
		return false;
	for (size_t i = 0; json_is(query, JSON_OBJECT) && i < query.count; i++) {
		struct str name = json_name(&query.members[i]);

		if (!add_query(call, arena, name, query.members[i].value, QUERY_MAX))
			return error_set_field(
				err, ERROR_INVALID, field,
				"texts, numbers, booleans, lists and objects of these",
				"\"%.*s\" cannot be a parameter", STR_ARGS(str_slice(name, 0, 64)));
		call->has_limit |= str_equal(name, STR("limit")) ||
				   str_equal(name, STR("next_cursor")) ||
				   str_equal(name, STR("response_format"));
	}
	if (task->part->account_id.len > 0)
		call->query[call->query_count++] =
			(struct http_field){STR("integrated_account_id"), task->part->account_id};
	if (batch->exchange->is_local &&
	    http_exchange_query(batch->exchange, "environment", &environment))
		call->query[call->query_count++] =
			(struct http_field){STR("environment"), environment};
	return true;
}

static bool make_call(const struct batch *batch, const struct task *task, struct call *call,
		      struct error *err)
{
	struct arena *arena = batch->exchange->arena;
	const struct part *part = task->part;
	struct str id = {NULL, 0};
	struct json value;

	*call = (struct call){.verb = find_verb(part->method), .body = json_undefined()};
	if (!parts_fill(batch, spell(task, arena, "id"), task->record, part->id, &value, err))
		return false;
	if (!json_is(value, JSON_UNDEFINED) && !json_is(value, JSON_NULL) &&
	    (!read_scalar(arena, value, &id) || id.len == 0))
		return error_set_field(err, ERROR_INVALID, spell(task, arena, "id"), "a text",
				       "the id must be a text");
	if (id.len == 0 && (call->verb == HTTP_PATCH || call->verb == HTTP_DELETE ||
			    str_equal(part->method, STR("get"))))
		return error_set_field(err, ERROR_INVALID, spell(task, arena, "id"), "a text",
				       "%.*s wants an id", STR_ARGS(part->method));
	call->path = make_path(task, arena, id);
	call->is_list = str_equal(part->method, STR("list"));
	return make_query(batch, task, call, err) &&
	       parts_fill(batch, spell(task, arena, "body"), task->record, part->body, &call->body,
			  err);
}

/* --- one call --------------------------------------------------------------------------------- */

static void set_headers(const struct batch *batch, const struct task *task,
			struct http_exchange *exchange)
{
	struct arena *arena = exchange->arena;
	struct http_header *headers = arena_array(arena, 3, sizeof *headers);
	struct str bearer = http_exchange_header(batch->exchange, "authorization");
	struct str key = task->part->key;
	size_t count = 0;

	if (bearer.data != NULL)
		headers[count++] = (struct http_header){STR("authorization"), bearer};
	headers[count++] = (struct http_header){STR("content-type"), STR("application/json")};
	/* Each record of a loop is a write of its own. */
	if (key.len > 0 && task->part->loop_on != NULL)
		key = arena_format(arena, "%.*s/%zu", STR_ARGS(key), task->item);
	if (key.len > 0)
		headers[count++] = (struct http_header){STR("idempotency-key"), key};
	exchange->headers = headers;
	exchange->header_count = count;
}

/* Through the routes, as if it had come alone. */
static void send(const struct batch *batch, const struct task *task, const struct call *call,
		 struct http_exchange *exchange, struct arena *arena)
{
	*exchange = (struct http_exchange){
		.arena = arena,
		.method = call->verb,
		.method_name = str_from_c(http_method_name(call->verb)),
		.path = call->path,
		.query = call->query,
		.query_count = call->query_count,
		.request_id = arena_format(arena, "%.*s.%zu", STR_ARGS(batch->exchange->request_id),
					   task->part->number),
		.peer = batch->exchange->peer,
		.is_local = batch->exchange->is_local,
		.started_ns = clock_monotonic_ns(batch->door->services->clock),
		.status = 200,
		.content_type = STR("application/json"),
	};
	exchange->body = json_text(arena, call->body);
	exchange->body_length = (int64_t)exchange->body.len;
	set_headers(batch, task, exchange);
	batch->door->dispatch(batch->door, exchange);
}

/* The error of a part, with what tells which it was. */
static void fail(const struct batch *batch, struct task *task, struct json error)
{
	struct json_builder out;

	json_builder_init(&out, batch->exchange->arena);
	for (size_t i = 0; i < error.count; i++)
		json_builder_set(&out, json_name(&error.members[i]),
				 error.members[i].value);
	if (task->part->loop_on != NULL)
		json_builder_set(&out, STR("item"), json_int((int64_t)task->item));
	task->error = json_builder_object(&out);
}

static void fail_here(const struct batch *batch, struct task *task, const struct error *err)
{
	struct http_exchange exchange = {.arena = batch->exchange->arena,
					 .request_id = batch->exchange->request_id};
	struct json error;
	struct error ignored;

	door_reply_error(&exchange, err, NULL);
	if (!json_parse(batch->exchange->arena, exchange.reply, &json_limits_default, &error,
			&ignored))
		error = json_undefined();
	fail(batch, task, error);
}

static void take(const struct call *call, struct task *task, struct json reply)
{
	struct json records = json_get_c(reply, "result");

	if (!call->is_list || !json_is(records, JSON_ARRAY)) {
		json_builder_add(&task->records, reply);
		return;
	}
	for (size_t i = 0; i < records.count; i++)
		json_builder_add(&task->records, json_at(records, i));
	struct json cursor = json_get_c(reply, "next_cursor");
	task->next_cursor = json_is(cursor, JSON_STRING) ? json_str(cursor) : (struct str){NULL, 0};
}

/* False when there is no more to be had. */
static bool call_once(struct batch *batch, struct task *task, struct call *call)
{
	struct arena *kept = batch->exchange->arena, arena;
	struct http_exchange exchange;
	struct json reply = json_undefined();
	struct error err = {.code = ERROR_NONE};

	arena_init(&arena, kept->bytes_max);
	send(batch, task, call, &exchange, &arena);
	struct str text = arena_str(kept, exchange.reply);
	bool is_json = str_starts_with(exchange.content_type, STR("application/json"));
	int status = exchange.status;
	arena_finish(&arena);
	if (!is_json)
		error_set(&err, ERROR_INVALID, "its answer is no JSON: it has no place in a batch");
	if (!is_json || !arena_check(kept, &err) ||
	    (text.len > 0 && !json_parse(kept, text, &json_limits_default, &reply, &err))) {
		fail_here(batch, task, &err);
		return false;
	}
	if (status >= 300) {
		fail(batch, task, reply);
		return false;
	}
	take(call, task, reply);
	return true;
}

static bool may_call(struct batch *batch, struct task *task)
{
	struct error err;

	if (batch->calls_left == 0)
		error_set(&err, ERROR_LIMIT, "a batch makes at most %d calls", CALLS_MAX);
	else if (clock_monotonic_ns(batch->door->services->clock) >= batch->deadline_ns)
		error_set(&err, ERROR_TIMEOUT, "the time of the batch is used up");
	else
		return true;
	fail_here(batch, task, &err);
	return false;
}

/* A list without a limit of its own is read to its end. */
static void run_task(struct batch *batch, struct task *task)
{
	struct http_field *cursor = NULL;
	struct call call;
	struct error err;

	if (!may_call(batch, task))
		return;
	if (!make_call(batch, task, &call, &err)) {
		fail_here(batch, task, &err);
		return;
	}
	if (call.is_list && !call.has_limit) {
		call.query[call.query_count++] = (struct http_field){
			STR("limit"), arena_format(batch->exchange->arena, "%d", PAGE_RECORDS)};
		cursor = &call.query[call.query_count];
	}
	do {
		batch->calls_left--;
		if (!call_once(batch, task, &call) || cursor == NULL ||
		    task->next_cursor.len == 0 || task->records.count >= RECORDS_MAX)
			return;
		call.query_count = (size_t)(cursor - call.query) + 1;
		*cursor = (struct http_field){STR("next_cursor"), task->next_cursor};
	} while (may_call(batch, task));
}

/* --- rounds ----------------------------------------------------------------------------------- */

static bool is_ready(const struct part *part)
{
	for (size_t i = 0; part->after[i] != NULL; i++)
		if (!part->after[i]->is_done)
			return false;
	return !part->is_done;
}

static const struct part *find_failed(const struct part *part)
{
	for (size_t i = 0; part->after[i] != NULL; i++)
		if (part->after[i]->has_failed)
			return part->after[i];
	return NULL;
}

/* What it depends on has failed. */
static void skip(struct batch *batch, struct part *part, const struct part *failed)
{
	struct task task = {.part = part};
	struct error err;

	error_set_field(&err, ERROR_CONFLICT, spell(&task, batch->exchange->arena, "depends_on"),
			NULL, "not done, because \"%.*s\" failed", STR_ARGS(failed->name));
	fail_here(batch, &task, &err);
	json_builder_add(&part->errors, task.error);
	part->has_failed = part->is_done = true;
}

static void add_tasks(struct round *round, struct part *part)
{
	struct json records = part->loop_on == NULL ? json_undefined()
						    : json_builder_array(&part->loop_on->records);
	size_t count = part->loop_on == NULL ? 1 : records.count;
	struct arena *arena = round->batch->exchange->arena;

	round->tasks = arena_grow(arena, round->tasks, round->count * sizeof *round->tasks,
				  (round->count + count) * sizeof *round->tasks);
	for (size_t i = 0; i < count; i++) {
		struct task *task = &round->tasks[round->count++];

		*task = (struct task){.part = part, .item = i, .error = json_undefined()};
		task->record = part->loop_on == NULL ? json_undefined() : json_at(records, i);
		json_builder_init(&task->records, arena);
	}
}

static void run_some(void *context)
{
	struct round *round = context;

	while (round->next < round->count)
		run_task(round->batch, &round->tasks[round->next++]);
	loop_group_done(&round->group);
}

static void collect(struct task *task)
{
	struct json records = json_builder_array(&task->records);
	struct part *part = task->part;

	for (size_t i = 0; i < records.count; i++)
		json_builder_add(&part->records, json_at(records, i));
	if (!json_is(task->error, JSON_UNDEFINED))
		json_builder_add(&part->errors, task->error);
	/* One failed record of a loop does not stop what goes on with the others. */
	part->has_failed = part->has_failed ||
			   (!json_is(task->error, JSON_UNDEFINED) && part->loop_on == NULL);
	if (part->loop_on == NULL)
		part->next_cursor = task->next_cursor;
	part->is_done = true;
}

static void gather_results(struct batch *batch)
{
	struct json_builder out;

	json_builder_init(&out, batch->exchange->arena);
	for (size_t i = 0; i < batch->part_count; i++)
		if (batch->parts[i].is_done)
			json_builder_set(&out, batch->parts[i].name,
					 json_builder_array(&batch->parts[i].records));
	batch->results = json_builder_object(&out);
}

/* False when all parts are done. */
static bool run_round(struct batch *batch)
{
	struct round round = {.batch = batch};
	bool is_over = true;

	for (size_t i = 0; i < batch->part_count; i++) {
		struct part *part = &batch->parts[i];

		if (!is_ready(part))
			continue;
		is_over = false;
		if (find_failed(part) != NULL)
			skip(batch, part, find_failed(part));
		else
			add_tasks(&round, part);
		part->is_done =
			part->is_done || (part->loop_on != NULL &&
					  json_builder_array(&part->loop_on->records).count == 0);
	}
	for (size_t i = 0; i < PARALLEL_MAX && i < round.count; i++)
		loop_group_spawn(&round.group, run_some, &round);
	loop_group_join(&round.group);
	for (size_t i = 0; i < round.count; i++)
		collect(&round.tasks[i]);
	gather_results(batch);
	return !is_over;
}

void parts_run(struct batch *batch)
{
	gather_results(batch);
	while (run_round(batch))
		;
}

/* /sandbox/…: for tests, which want to know the truth and to change how the sandbox behaves.
 * No token, no faults, no delay. */
#include "app/sandbox/serve.h"

enum { REPLY_BYTES_MAX = 64 * 1024 * 1024, DELAY_MS_MAX = 3600000 };

static void reply_value(struct http_exchange *exchange, int status, struct json value)
{
	struct buffer body;

	buffer_init(&body, exchange->arena, REPLY_BYTES_MAX);
	json_print(&body, value);
	exchange->status = status;
	exchange->reply = buffer_str(&body);
}

static void reply_error(struct http_exchange *exchange, int status, const char *message)
{
	struct json_builder members;

	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("error"), json_string_c(message));
	reply_value(exchange, status, json_builder_object(&members));
}

static bool read_body(struct http_exchange *exchange, struct json *body)
{
	struct error err;

	if (json_parse(exchange->arena, exchange->body, &json_limits_default, body, &err) &&
	    json_is(*body, JSON_OBJECT))
		return true;
	reply_error(exchange, 400, "the body must be a JSON object");
	return false;
}

static struct collection *asked_collection(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct str name = {0};

	(void)http_exchange_query(exchange, "collection", &name);
	struct collection *collection = company_collection(&sandbox->company, name);
	if (collection == NULL)
		reply_error(exchange, 404, "there is no collection of this name");
	return collection;
}

static void answer_truth(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct json_builder alive, created, deleted, members;
	struct collection *collection = asked_collection(sandbox, exchange);

	if (collection == NULL)
		return;
	json_builder_init(&alive, exchange->arena);
	json_builder_init(&created, exchange->arena);
	json_builder_init(&deleted, exchange->arena);
	for (size_t i = 0; i < collection->count; i++) {
		struct json id = json_int(record_id(collection->records[i]));
		bool is_alive = record_is_alive(collection->records[i]);
		json_builder_add(is_alive ? &alive : &deleted, id);
		if (i >= collection->initial_count)
			json_builder_add(&created, id);
	}
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("ids"), json_builder_array(&alive));
	json_builder_set(&members, STR("created"), json_builder_array(&created));
	json_builder_set(&members, STR("deleted"), json_builder_array(&deleted));
	reply_value(exchange, 200, json_builder_object(&members));
}

/* Of the made fields those that are named, or all. */
static struct json choose_fields(struct arena *arena, const struct record *record,
				 struct str names)
{
	struct json_builder chosen;

	if (names.len == 0)
		return record->made;
	json_builder_init(&chosen, arena);
	while (names.data != NULL) {
		struct str name = str_cut(&names, ',');
		json_builder_set(&chosen, name, json_get(record->made, name));
	}
	return json_builder_object(&chosen);
}

/* Dead ones too, with `deleted`. */
static void answer_record(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct collection *collection = asked_collection(sandbox, exchange);
	struct str id = {0}, fields = {0};
	struct json_builder members;
	struct error err;
	int64_t number = 0;

	if (collection == NULL)
		return;
	(void)http_exchange_query(exchange, "id", &id);
	(void)http_exchange_query(exchange, "fields", &fields);
	struct record *record = str_to_int64(id, &number) ? collection_find(collection, number)
							  : NULL;
	if (record == NULL || !record_make(&sandbox->company, record, &err)) {
		reply_error(exchange, 404, "there is no record of this id");
		return;
	}
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("record"), choose_fields(exchange->arena, record, fields));
	json_builder_set(&members, STR("deleted"), json_bool(!record_is_alive(record)));
	reply_value(exchange, 200, json_builder_object(&members));
}

/* The living ones; with created=true those alone that came since the start. */
static void answer_records(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct collection *collection = asked_collection(sandbox, exchange);
	struct json_builder records, members;
	struct str created = {0}, fields = {0};
	struct error err;

	if (collection == NULL)
		return;
	(void)http_exchange_query(exchange, "created", &created);
	(void)http_exchange_query(exchange, "fields", &fields);
	json_builder_init(&records, exchange->arena);
	for (size_t i = str_equal_c(created, "true") ? collection->initial_count : 0;
	     i < collection->count; i++) {
		struct record *record = collection->records[i];
		if (record_is_alive(record) && record_make(&sandbox->company, record, &err))
			json_builder_add(&records, choose_fields(exchange->arena, record, fields));
	}
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("records"), json_builder_array(&records));
	reply_value(exchange, 200, json_builder_object(&members));
}

static struct json count_routes(const struct sandbox *sandbox, const uint64_t *counts,
				struct arena *arena)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	for (size_t i = 0; i < sandbox->definition->route_count; i++) {
		const struct route_definition *route = &sandbox->definition->routes[i];
		if (counts[i] > 0)
			json_builder_set(&members,
					 arena_format(arena, "%s %s",
						      http_method_name(route->method),
						      route->pattern),
					 json_int((int64_t)counts[i]));
	}
	return json_builder_object(&members);
}

static struct json fault_members(const struct sandbox *sandbox, struct arena *arena, bool is_given)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	for (size_t i = 0; i < SANDBOX_FAULTS; i++)
		json_builder_set(&members, str_from_c(fault_name((enum sandbox_fault)i)),
				 is_given ? json_int((int64_t)sandbox->faults.given[i])
					  : json_number(sandbox->faults.probability[i]));
	return json_builder_object(&members);
}

static void answer_counts(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct json_builder statuses, members;

	json_builder_init(&statuses, exchange->arena);
	for (int i = 0; i < STATUS_MAX; i++)
		if (sandbox->statuses[i] > 0)
			json_builder_set(&statuses, arena_format(exchange->arena, "%d", i),
					 json_int((int64_t)sandbox->statuses[i]));
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("total"), json_int((int64_t)sandbox->total));
	json_builder_set(&members, STR("requests"), json_builder_object(&statuses));
	json_builder_set(&members, STR("calls"),
			 count_routes(sandbox, sandbox->calls, exchange->arena));
	json_builder_set(&members, STR("writes"),
			 count_routes(sandbox, sandbox->writes, exchange->arena));
	json_builder_set(&members, STR("faults"), fault_members(sandbox, exchange->arena, true));
	json_builder_set(&members, STR("active"), json_int((int64_t)sandbox->active));
	json_builder_set(&members, STR("active_max"), json_int((int64_t)sandbox->active_max));
	reply_value(exchange, 200, json_builder_object(&members));
}

static void change_faults(struct sandbox *sandbox, struct http_exchange *exchange)
{
	double probability[SANDBOX_FAULTS] = {0};
	struct json body;
	struct error err;

	if (!read_body(exchange, &body))
		return;
	for (uint32_t i = 0; i < body.count; i++) {
		const struct json_member *member = &body.members[i];
		double value = json_to_double(member->value);
		enum sandbox_fault kind;
		if (!fault_from_name(json_name(member), &kind, &err)) {
			reply_error(exchange, 400, err.message);
			return;
		}
		if (!(value >= 0 && value <= 1)) {
			reply_error(exchange, 400, "a probability is a number from 0 to 1");
			return;
		}
		probability[kind] = value;
	}
	memcpy(sandbox->faults.probability, probability, sizeof probability);
	reply_value(exchange, 200, fault_members(sandbox, exchange->arena, false));
}

static void change_delay(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct json body;
	int64_t ms;

	if (!read_body(exchange, &body))
		return;
	if (!json_to_int64(json_get_c(body, "ms"), &ms) || ms < 0 || ms > DELAY_MS_MAX) {
		reply_error(exchange, 400, "ms must be a whole number from 0 to 3600000");
		return;
	}
	sandbox->delay_ms = ms;
	reply_value(exchange, 200, body);
}

void answer_control(struct sandbox *sandbox, struct http_exchange *exchange)
{
	static const struct {
		enum http_method method;
		const char *path;
		void (*answer)(struct sandbox *sandbox, struct http_exchange *exchange);
	} doors[] = {
		{HTTP_GET, "/sandbox/truth", answer_truth},
		{HTTP_GET, "/sandbox/record", answer_record},
		{HTTP_GET, "/sandbox/records", answer_records},
		{HTTP_GET, "/sandbox/counts", answer_counts},
		{HTTP_PUT, "/sandbox/faults", change_faults},
		{HTTP_PUT, "/sandbox/delay", change_delay},
	};

	for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
		if (exchange->method == doors[i].method &&
		    str_equal_c(exchange->path, doors[i].path)) {
			doors[i].answer(sandbox, exchange);
			return;
		}
	reply_error(exchange, 404, "GET /sandbox/truth?collection=…, "
				   "GET /sandbox/record?collection=…&id=…, "
				   "GET /sandbox/records?collection=…, GET /sandbox/counts, "
				   "PUT /sandbox/faults, PUT /sandbox/delay");
}

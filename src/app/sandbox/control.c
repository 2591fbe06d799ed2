/* /sandbox/…: for tests, which want to know the truth and to change how the sandbox behaves.
 * No token, no faults, no delay. */
#include <sodium.h>

#include "app/sandbox/serve.h"

enum {
	REPLY_BYTES_MAX = 512 * 1024 * 1024,
	DELAY_MS_MAX = 3600000,
	SECONDS_MAX = 86400,
	CHANGES_MAX = 1000000,
	STEP_MAX = 10000,
};

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

/* --- records as they are shown -------------------------------------------------------------- */

struct shown {
	struct buffer body;
	crypto_generichash_state hash;
	int64_t count;
	int64_t offset; /* of those records that are printed … */
	int64_t limit;  /* … and how many */
};

static void add_shown(struct shown *shown, const struct rendering *rendering)
{
	crypto_generichash_update(&shown->hash, (const unsigned char *)rendering->text,
				  rendering->len);
	if (shown->count >= shown->offset && shown->count - shown->offset < shown->limit) {
		if (shown->count > shown->offset)
			buffer_append_byte(&shown->body, ',');
		buffer_append(&shown->body, str_make(rendering->text, rendering->len));
	}
	shown->count++;
}

static bool show_all(struct sandbox *sandbox, struct collection *collection,
		     const struct view *view, struct shown *shown, struct error *err)
{
	for (size_t i = 0; i < collection->count; i++) {
		struct record *record = collection->records[i];
		if (!record_is_alive(record))
			continue;
		const struct rendering *rendering =
			record_render(&sandbox->company, record, view, err);
		if (rendering == NULL)
			return false;
		add_shown(shown, rendering);
	}
	return true;
}

static void reply_shown(struct http_exchange *exchange, struct shown *shown)
{
	unsigned char hash[16];
	char hex[2 * sizeof hash + 1];
	struct error err;

	crypto_generichash_final(&shown->hash, hash, sizeof hash);
	sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
	buffer_append_format(&shown->body, "],\"count\":%lld,\"hash\":\"%s\"}",
			     (long long)shown->count, hex);
	if (!buffer_check(&shown->body, "the reply", &err)) {
		reply_error(exchange, 400, "these are too many for one reply: give a limit");
		return;
	}
	exchange->status = 200;
	exchange->reply = buffer_str(&shown->body);
}

static int64_t query_number(const struct http_exchange *exchange, const char *name,
			    int64_t initial)
{
	struct str text = {0};
	int64_t number;

	return http_exchange_query(exchange, name, &text) && str_to_int64(text, &number) &&
			       number >= 0
		       ? number
		       : initial;
}

/* The living records from the oldest to the newest, as a list or a get shows them, with their
 * number and a hash over all of them, whatever the page. */
static void answer_shown(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct collection *collection = asked_collection(sandbox, exchange);
	struct shown shown = {.offset = query_number(exchange, "offset", 0),
			      .limit = query_number(exchange, "limit", INT64_MAX)};
	struct str name = STR("list");
	struct error err;

	if (collection == NULL)
		return;
	(void)http_exchange_query(exchange, "view", &name);
	const struct view *view = collection_view(collection->definition, name);
	if (view == NULL) {
		reply_error(exchange, 404, "the collection has no view of this name");
		return;
	}
	crypto_generichash_init(&shown.hash, NULL, 0, 16);
	buffer_init(&shown.body, exchange->arena, REPLY_BYTES_MAX);
	buffer_append_c(&shown.body, "{\"records\":[");
	if (show_all(sandbox, collection, view, &shown, &err))
		reply_shown(exchange, &shown);
	else
		reply_error(exchange, 500, err.message);
}

/* --- life ----------------------------------------------------------------------------------- */

static void reply_life(struct sandbox *sandbox, struct http_exchange *exchange)
{
	const struct definition *definition = sandbox->definition;
	struct json_builder counts, members;

	json_builder_init(&counts, exchange->arena);
	for (size_t i = 0; i < definition->change_count; i++)
		json_builder_set(&counts, definition->changes[i].name,
				 json_int((int64_t)sandbox->life.counts[i]));
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("changes"), json_int(sandbox->life.changes));
	json_builder_set(&members, STR("seconds"), json_int(sandbox->life.seconds));
	json_builder_set(&members, STR("total"), json_int((int64_t)sandbox->life.total));
	json_builder_set(&members, STR("counts"), json_builder_object(&counts));
	reply_value(exchange, 200, json_builder_object(&members));
}

/* A whole number of the body from `min` to `max`; `initial` when it is not there. */
static bool read_number(struct http_exchange *exchange, struct json body, const char *name,
			int64_t min, int64_t max, int64_t initial, int64_t *out)
{
	struct json value = json_get_c(body, name);

	*out = initial;
	if (json_is(value, JSON_UNDEFINED) ||
	    (json_to_int64(value, out) && *out >= min && *out <= max))
		return true;
	reply_error(exchange, 400,
		    arena_c(exchange->arena,
			    arena_format(exchange->arena,
					 "%s must be a whole number from %lld to %lld", name,
					 (long long)min, (long long)max)));
	return false;
}

static void change_life(struct sandbox *sandbox, struct http_exchange *exchange)
{
	int64_t changes, seconds;
	struct json body;

	if (!read_body(exchange, &body) ||
	    !read_number(exchange, body, "changes", 0, CHANGES_MAX, 0, &changes) ||
	    !read_number(exchange, body, "seconds", 1, SECONDS_MAX, 1, &seconds))
		return;
	if (changes > 0 && loop_current() == NULL) {
		reply_error(exchange, 409, "nothing can happen by itself without a loop");
		return;
	}
	life_go_on(sandbox, loop_current(), changes, seconds);
	reply_life(sandbox, exchange);
}

/* {"candidates": [ids], …} */
static struct json touched_value(struct arena *arena, const struct touched *touched)
{
	struct json_builder all;

	json_builder_init(&all, arena);
	for (size_t i = 0; i < touched->count; i++) {
		const struct collection *collection = touched->records[i]->collection;
		struct json_builder ids;
		if (!json_is(json_get(json_builder_object(&all), collection->definition->name),
			     JSON_UNDEFINED))
			continue;
		json_builder_init(&ids, arena);
		for (size_t k = i; k < touched->count; k++)
			if (touched->records[k]->collection == collection)
				json_builder_add(&ids, json_int(record_id(touched->records[k])));
		json_builder_set(&all, collection->definition->name, json_builder_array(&ids));
	}
	return json_builder_object(&all);
}

static bool step_once(struct sandbox *sandbox, struct arena *arena, struct json_builder *done,
		      struct error *err)
{
	struct touched touched = {.arena = arena};
	const struct change *change;
	struct json_builder members;

	if (!life_step(sandbox, &touched, &change, err))
		return false;
	if (change == NULL)
		return error_set(err, ERROR_CONFLICT, "there is nothing that could happen");
	json_builder_init(&members, arena);
	json_builder_set(&members, STR("change"), json_string(change->name));
	json_builder_set(&members, STR("touched"), touched_value(arena, &touched));
	json_builder_add(done, json_builder_object(&members));
	return true;
}

/* So many changes now, one after the other. */
static void answer_step(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct json_builder done, members;
	struct error err = {0};
	struct json body;
	int64_t changes;
	bool ok = true;

	if (!read_body(exchange, &body) ||
	    !read_number(exchange, body, "changes", 0, STEP_MAX, 1, &changes))
		return;
	json_builder_init(&done, exchange->arena);
	for (int64_t i = 0; i < changes && ok; i++)
		ok = step_once(sandbox, exchange->arena, &done, &err);
	if (!ok) {
		reply_error(exchange, err.code == ERROR_CONFLICT ? 409 : 500, err.message);
		return;
	}
	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("changes"), json_builder_array(&done));
	reply_value(exchange, 200, json_builder_object(&members));
}

static void change_clock(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct company *company = &sandbox->company;
	struct json body;
	int64_t skew_s;

	if (!read_body(exchange, &body) ||
	    !read_number(exchange, body, "skew", -SANDBOX_SKEW_S_MAX, SANDBOX_SKEW_S_MAX,
			 company->skew_us / 1000000, &skew_s))
		return;
	struct json equal = json_get_c(body, "equal_timestamps");
	if (json_is(equal, JSON_BOOL))
		company->has_equal_times = equal.boolean;
	company->skew_us = skew_s * 1000000;
	company->last_us = 0;
	reply_value(exchange, 200, body);
}

/* --- webhooks ------------------------------------------------------------------------------- */

static void reply_webhook(struct sandbox *sandbox, struct http_exchange *exchange)
{
	const struct webhook *webhook = &sandbox->webhook;
	struct json_builder members;

	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("url"), webhook->url.len == 0 ? json_null()
								     : json_string(webhook->url));
	json_builder_set(&members, STR("notices"), json_int((int64_t)webhook->notices));
	json_builder_set(&members, STR("pending"), json_int((int64_t)webhook->pending));
	json_builder_set(&members, STR("sent"), json_int((int64_t)webhook->sent));
	json_builder_set(&members, STR("failed"), json_int((int64_t)webhook->failed));
	json_builder_set(&members, STR("given_up"), json_int((int64_t)webhook->given_up));
	json_builder_set(&members, STR("dropped"), json_int((int64_t)webhook->dropped));
	reply_value(exchange, 200, json_builder_object(&members));
}

static bool read_probability(struct http_exchange *exchange, struct json body, const char *name,
			     double *out)
{
	struct json value = json_get_c(body, name);

	*out = json_is(value, JSON_UNDEFINED) ? 0 : json_to_double(value);
	if (*out >= 0 && *out <= 1)
		return true;
	reply_error(exchange, 400, "a probability is a number from 0 to 1");
	return false;
}

/* As in the ATS, an address must answer a test call with 200 before it is taken. */
static bool is_answering(struct sandbox *sandbox, struct http_exchange *exchange, struct json body,
			 struct str url)
{
	struct json untested = json_get_c(body, "untested");

	if (url.len == 0 || (json_is(untested, JSON_BOOL) && untested.boolean))
		return true;
	int status = webhook_try(sandbox, exchange->arena, url);
	if (status == 200)
		return true;
	reply_error(exchange, 422,
		    arena_c(exchange->arena, arena_format(exchange->arena,
							  "the test call got %d, not 200", status)));
	return false;
}

static void change_webhook(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct json body;
	double lost, repeated;

	if (!read_body(exchange, &body) || !read_probability(exchange, body, "lost", &lost) ||
	    !read_probability(exchange, body, "repeated", &repeated))
		return;
	struct str url = json_get_str(body, "url"), secret = json_get_str(body, "secret");
	if (url.len > 0 && sandbox->definition->webhook.header == NULL) {
		reply_error(exchange, 409, "sandbox.yaml says nothing of webhooks");
		return;
	}
	if (!is_answering(sandbox, exchange, body, url))
		return;
	webhook_set(&sandbox->webhook, url, secret);
	sandbox->webhook.lost = lost;
	sandbox->webhook.repeated = repeated;
	reply_webhook(sandbox, exchange);
}

/* --- counts --------------------------------------------------------------------------------- */

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
	json_builder_set(&members, STR("windows"), rate_windows(&sandbox->rate, exchange->arena));
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
		{HTTP_GET, "/sandbox/shown", answer_shown},
		{HTTP_GET, "/sandbox/counts", answer_counts},
		{HTTP_GET, "/sandbox/life", reply_life},
		{HTTP_PUT, "/sandbox/life", change_life},
		{HTTP_POST, "/sandbox/step", answer_step},
		{HTTP_PUT, "/sandbox/clock", change_clock},
		{HTTP_GET, "/sandbox/webhook", reply_webhook},
		{HTTP_PUT, "/sandbox/webhook", change_webhook},
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
				   "GET /sandbox/records?collection=…, "
				   "GET /sandbox/shown?collection=…&view=…, GET /sandbox/counts, "
				   "PUT /sandbox/faults, PUT /sandbox/delay, PUT /sandbox/life, "
				   "POST /sandbox/step, PUT /sandbox/clock, "
				   "PUT /sandbox/webhook");
}

/* Answers the ATS's own paths: who may call, which route, and the text of the reply. */
#include "app/sandbox/serve.h"
#include "base/log.h"

enum { REPLY_BYTES_MAX = 256 * 1024 * 1024 };

/* --- fixed answers -------------------------------------------------------------------------- */

/* Replaces the mark, quotes and all, with the value. */
static struct str fill(struct arena *arena, struct str body, struct str mark, struct json value)
{
	ptrdiff_t at = str_find(body, mark);
	struct buffer filled;

	if (at < 0)
		return body;
	buffer_init(&filled, arena, 64 * 1024);
	buffer_append(&filled, str_slice(body, 0, (size_t)at));
	json_print(&filled, value);
	buffer_append(&filled, str_slice(body, (size_t)at + mark.len, body.len));
	return buffer_str(&filled);
}

void answer_fixed(struct sandbox *sandbox, struct http_exchange *exchange, enum answer_kind kind,
		  const char *message)
{
	const struct answer *answer = &sandbox->definition->answers[kind];

	exchange->status = answer->status;
	exchange->reply = fill(exchange->arena, answer->body, STR("\"{message}\""),
			       json_string_c(message == NULL ? "" : message));
	for (size_t i = 0; i < answer->header_count; i++)
		http_exchange_set_header(exchange, arena_c(exchange->arena, answer->headers[i].name),
					 answer->headers[i].value);
}

void answer_invalid(struct sandbox *sandbox, struct http_exchange *exchange, struct json messages,
		    struct json fields)
{
	answer_fixed(sandbox, exchange, ANSWER_INVALID, NULL);
	exchange->reply = fill(exchange->arena, exchange->reply, STR("\"{messages}\""), messages);
	exchange->reply = fill(exchange->arena, exchange->reply, STR("\"{fields}\""), fields);
}

/* A fault of the definition, which shows only when a record is made. */
static void answer_broken(struct sandbox *sandbox, struct http_exchange *exchange,
			  const struct error *err)
{
	LOG(LOG_ERROR, "sandbox", LOG_C(message, err->message), LOG_S(path, exchange->path));
	answer_fixed(sandbox, exchange, ANSWER_SERVER_ERROR, err->message);
}

/* --- bodies --------------------------------------------------------------------------------- */

/* What the records of a reply refer to, each once, in the order of first use. */
struct referred {
	struct record **records;
	size_t count;
	size_t capacity;
	uint64_t number;
};

static void add_references(struct arena *arena, struct referred *referred,
			   struct record *const *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (records[i]->seen == referred->number)
			continue;
		records[i]->seen = referred->number;
		if (referred->count == referred->capacity) {
			size_t capacity = referred->capacity == 0 ? 32 : referred->capacity * 2;
			referred->records = arena_grow(
				arena, referred->records,
				referred->capacity * sizeof(struct record *),
				capacity * sizeof(struct record *));
			referred->capacity = capacity;
		}
		referred->records[referred->count++] = records[i];
	}
}

static const struct view *reference_view(const struct record *record)
{
	return collection_view(record->collection->definition, STR("reference"));
}

static bool render_all(struct sandbox *sandbox, struct record *const *records, size_t count,
		       const struct view *view, struct arena *arena, struct str *texts,
		       struct referred *referred, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct view *own = view != NULL ? view : reference_view(records[i]);
		if (own == NULL)
			return error_set(err, ERROR_INTERNAL,
					 "sandbox.yaml: %.*s have no view `reference`",
					 STR_ARGS(records[i]->collection->definition->name));
		const struct rendering *rendering =
			record_render(&sandbox->company, records[i], own, err);
		if (rendering == NULL)
			return false;
		texts[i] = str_make(rendering->text, rendering->len);
		if (referred != NULL)
			add_references(arena, referred, rendering->references,
				       rendering->reference_count);
	}
	return true;
}

static void append_all(struct buffer *out, const struct str *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_append_byte(out, ',');
		buffer_append(out, texts[i]);
	}
}

static size_t total_len(const struct str *texts, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += texts[i].len + 1;
	return len;
}

/* ,"references":[…] */
static bool append_references(struct sandbox *sandbox, struct buffer *out,
			      const struct referred *referred, struct error *err)
{
	struct arena *arena = out->arena;
	struct str *texts = arena_array(arena, referred->count, sizeof *texts);

	if (!render_all(sandbox, referred->records, referred->count, NULL, arena, texts, NULL, err))
		return false;
	buffer_room(out, total_len(texts, referred->count) + 32);
	buffer_append_c(out, ",\"references\":[");
	append_all(out, texts, referred->count);
	buffer_append_byte(out, ']');
	return true;
}

static bool append_extra(struct sandbox *sandbox, struct buffer *out,
			 const struct route_definition *route, const struct json *variables,
			 struct error *err)
{
	struct json value;

	for (size_t i = 0; i < route->extra.count; i++) {
		const struct field *field = &route->extra.items[i];
		if (!company_evaluate(&sandbox->company, &field->value, variables, out->arena,
				      variables[VARIABLE_RECORD], &value, err))
			return false;
		if (json_is(value, JSON_UNDEFINED))
			continue;
		buffer_append_byte(out, ',');
		json_print(out, json_string(field->name));
		buffer_append_byte(out, ':');
		json_print(out, value);
	}
	return true;
}

static bool finish_body(struct http_exchange *exchange, struct buffer *body, int status,
			struct error *err)
{
	buffer_append_byte(body, '}');
	if (!buffer_check(body, "the reply", err))
		return false;
	exchange->reply = buffer_str(body);
	exchange->status = status;
	return true;
}

/* --- requests ------------------------------------------------------------------------------- */

static struct json query_object(const struct http_exchange *exchange)
{
	struct json_builder members;

	json_builder_init(&members, exchange->arena);
	for (size_t i = 0; i < exchange->query_count; i++) {
		struct json known = json_get(json_builder_object(&members),
					     exchange->query[i].name);
		if (json_is(known, JSON_UNDEFINED))
			json_builder_set(&members, exchange->query[i].name,
					 json_string(exchange->query[i].value));
	}
	return json_builder_object(&members);
}

void request_set_variables(struct request *request)
{
	const struct company *company = &request->sandbox->company;
	struct json_builder parts;

	memcpy(request->variables, company->variables, sizeof company->variables);
	json_builder_init(&parts, request->exchange->arena);
	for (size_t i = 0; i < request->route->part_count; i++)
		json_builder_set(&parts, str_from_c(request->route->parts[i]),
				 json_string(request->match.parts[i]));
	request->variables[VARIABLE_PARTS] = json_builder_object(&parts);
	request->variables[VARIABLE_QUERY] = query_object(request->exchange);
	request->variables[VARIABLE_BODY] = request->body;
	request->variables[VARIABLE_FETCHED] = request->fetched;
	if (request->record != NULL)
		request->variables[VARIABLE_RECORD] = request->record->made;
}

static struct record *find_living(struct sandbox *sandbox, const struct choices *choices,
				  struct str part)
{
	int64_t id;

	if (!str_to_int64(part, &id))
		return NULL;
	for (size_t i = 0; i < choices->count; i++) {
		struct record *record = collection_find(
			company_collection_of(&sandbox->company, choices->items[i]), id);
		if (record != NULL && record_is_alive(record))
			return record;
	}
	return NULL;
}

static bool choose_view(struct request *request, const struct collection_definition *collection,
			const struct view **view, struct error *err)
{
	const struct expression *expression = &request->route->view;
	struct json name = json_string(expression->text);

	if (expression->kind != EXPRESSION_MEMBER &&
	    !company_evaluate(&request->sandbox->company, expression, request->variables,
			      request->exchange->arena, json_null(), &name, err))
		return false;
	*view = json_is(name, JSON_STRING) ? collection_view(collection, json_str(name)) : NULL;
	return *view != NULL || error_set(err, ERROR_INTERNAL, "sandbox.yaml:%u: no such view",
					  expression->line);
}

/* --- lists ---------------------------------------------------------------------------------- */

struct page {
	size_t from;
	size_t count;
};

static bool read_size(const struct request *request, const char *parameter, size_t *out)
{
	struct str text;
	int64_t number;

	if (parameter == NULL ||
	    !read_parameter(request->exchange, request->exchange->arena, parameter, &text) ||
	    !str_to_int64(text, &number) || number < 1)
		return false;
	*out = (size_t)number;
	return true;
}

/* False when the limit is past what there may be. */
static bool read_page(const struct request *request, size_t total, struct page *page)
{
	const struct paging *paging = &request->route->paging;
	size_t limit = paging->initial, number = 1, offset = 0;

	if (!paging->is_on) {
		*page = (struct page){0, total};
		return true;
	}
	(void)read_size(request, paging->limit, &limit);
	if (paging->max > 0 && limit > paging->max && paging->is_error_over)
		return false;
	if (paging->max > 0 && limit > paging->max)
		limit = paging->max;
	if (limit == 0 || limit > total)
		limit = limit == 0 ? total : limit;
	(void)read_size(request, paging->offset, &offset);
	if (read_size(request, paging->page, &number) && number > 1)
		offset = limit > 0 && number - 1 > total / limit ? total : (number - 1) * limit;
	if (offset > total)
		offset = total;
	*page = (struct page){offset, limit < total - offset ? limit : total - offset};
	return true;
}

static bool write_list(struct request *request, const struct listing *listing,
		       const struct page *page, struct error *err)
{
	struct sandbox *sandbox = request->sandbox;
	struct arena *arena = request->exchange->arena;
	struct str *texts = arena_array(arena, page->count, sizeof *texts);
	struct referred referred = {.number = ++sandbox->company.reply_number};
	const struct view *view;
	struct buffer body;

	if (!choose_view(request, request->route->list, &view, err) ||
	    !render_all(sandbox, listing->selection->records + page->from, page->count, view,
			arena, texts, &referred, err))
		return false;
	buffer_init(&body, arena, REPLY_BYTES_MAX);
	buffer_room(&body, total_len(texts, page->count) + 4096);
	buffer_append_byte(&body, '{');
	json_print(&body, json_string(request->route->envelope));
	buffer_append_c(&body, ":[");
	append_all(&body, texts, page->count);
	buffer_append_byte(&body, ']');
	if (!append_extra(sandbox, &body, request->route, request->variables, err))
		return false;
	if (request->route->has_references &&
	    !append_references(sandbox, &body, &referred, err))
		return false;
	return finish_body(request->exchange, &body, request->route->status, err);
}

static bool answer_list(struct request *request, struct error *err)
{
	struct sandbox *sandbox = request->sandbox;
	struct company *company = &sandbox->company;
	struct collection *collection = company_collection_of(company, request->route->list);
	struct listing listing = {.route = request->route, .exchange = request->exchange,
				  .owner = request->record, .arena = request->exchange->arena,
				  .variables = request->variables};
	struct page page;

	if (request->route->list->shifts &&
	    fault_is_due(&sandbox->faults, SANDBOX_PAGE_SHIFT))
		shift_page(sandbox, collection);
	if (!listing_select(&sandbox->selections, company, &listing, err))
		return false;
	if (!read_page(request, listing.selection->count, &page)) {
		answer_fixed(sandbox, request->exchange, ANSWER_PAGE_LIMIT, NULL);
		return true;
	}
	request->variables[VARIABLE_TOTAL] = json_int((int64_t)listing.selection->count);
	if (request->route->search.counts_parameter != NULL &&
	    !search_count(company, &listing, &request->variables[VARIABLE_VALUE], err))
		return false;
	return write_list(request, &listing, &page, err);
}

/* --- single records and all else ------------------------------------------------------------ */

static bool answer_get(struct request *request, struct error *err)
{
	struct sandbox *sandbox = request->sandbox;
	const struct route_definition *route = request->route;
	struct arena *arena = request->exchange->arena;
	struct referred referred = {.number = ++sandbox->company.reply_number};
	const struct view *view;
	struct buffer body;
	struct str text;

	if (!choose_view(request, request->shown->collection->definition, &view, err) ||
	    !render_all(sandbox, &request->shown, 1, view, arena, &text, &referred, err))
		return false;
	buffer_init(&body, arena, REPLY_BYTES_MAX);
	buffer_append_byte(&body, '{');
	json_print(&body, json_string(route->envelope));
	buffer_append_byte(&body, ':');
	buffer_append(&body, text);
	if (!append_extra(sandbox, &body, route, request->variables, err) ||
	    (route->has_references && !append_references(sandbox, &body, &referred, err)))
		return false;
	return finish_body(request->exchange, &body, route->status, err);
}

bool request_evaluate(struct request *request, struct record *record,
		      const struct expression *expression, struct json *out, struct error *err)
{
	struct company *company = &request->sandbox->company;

	if (record != NULL)
		return record_evaluate(company, record, expression, request->variables,
				       request->exchange->arena, out, err);
	return company_evaluate(company, expression, request->variables, request->exchange->arena,
				json_null(), out, err);
}

static bool answer_expression(struct request *request, struct error *err)
{
	struct sandbox *sandbox = request->sandbox;
	struct arena *arena = request->exchange->arena;
	struct referred referred = {.number = ++sandbox->company.reply_number};
	struct record **references = NULL;
	struct json value, named;
	struct buffer body;
	size_t count = 0;

	if (!request_evaluate(request, request->record, &request->route->answer, &value, err) ||
	    !request_evaluate(request, request->record, &request->route->references, &named, err) ||
	    !company_read_references(&sandbox->company, arena, named, &references, &count, err))
		return false;
	if (!json_is(value, JSON_OBJECT)) {
		answer_fixed(sandbox, request->exchange, ANSWER_NOT_FOUND, NULL);
		return true;
	}
	buffer_init(&body, arena, REPLY_BYTES_MAX);
	json_print(&body, value);
	if (body.len > 0)
		body.len--; /* the closing brace comes after the rest */
	add_references(arena, &referred, references, count);
	if (!append_extra(sandbox, &body, request->route, request->variables, err) ||
	    (request->route->has_references && !append_references(sandbox, &body, &referred, err)))
		return false;
	return finish_body(request->exchange, &body, request->route->status, err);
}

static bool not_found(struct request *request)
{
	answer_fixed(request->sandbox, request->exchange, ANSWER_NOT_FOUND, NULL);
	request->is_answered = true;
	return true;
}

/* What the path names, in its first part (`record`) and in its last (`get`). */
static bool find_records(struct request *request, struct error *err)
{
	const struct route_definition *route = request->route;

	if (route->record.count > 0) {
		request->record = find_living(request->sandbox, &route->record,
					      request->match.parts[0]);
		if (request->record == NULL)
			return not_found(request);
	}
	if (route->get.count > 0 && !route->creates_what_it_gets) {
		request->shown = find_living(request->sandbox, &route->get,
					     request->match.parts[route->part_count - 1]);
		if (request->shown == NULL)
			return not_found(request);
	}
	if (request->record == NULL && route->write.is_on)
		request->record = request->shown;
	return request->record == NULL ||
	       record_make(&request->sandbox->company, request->record, err);
}

/* The body, and the file that it may point to. Only this waits. */
static bool read_write(struct request *request, struct error *err)
{
	struct sandbox *sandbox = request->sandbox;
	struct http_exchange *exchange = request->exchange;
	struct json url;
	struct error fault;

	if (!read_body_value(sandbox, exchange, &request->body, &fault)) {
		answer_fixed(sandbox, exchange, ANSWER_REFUSED, fault.message);
		request->is_answered = true;
		return true;
	}
	request_set_variables(request);
	if (!request_evaluate(request, NULL, &request->route->write.fetch, &url, err))
		return false;
	if (json_is(url, JSON_STRING)) {
		request->fetched = fetch_file(sandbox, exchange->arena, json_str(url));
		set_base(sandbox, exchange);
	}
	return true;
}

bool request_perform(struct request *request, struct error *err)
{
	if (!find_records(request, err))
		return false;
	if (request->is_answered)
		return true;
	request_set_variables(request);
	return write_apply(request, err);
}

static bool answer_route(struct request *request, struct error *err)
{
	const struct route_definition *route = request->route;

	if (route->write.is_on && !read_write(request, err))
		return false;
	if (!request->is_answered && !find_records(request, err))
		return false;
	if (request->is_answered)
		return true;
	request_set_variables(request);
	if (route->write.is_on && !write_apply(request, err))
		return false;
	if (request->is_answered)
		return true;
	if (route->write.is_on)
		request->sandbox->writes[route - request->sandbox->definition->routes]++;
	if (route->list != NULL)
		return answer_list(request, err);
	return route->get.count > 0 ? answer_get(request, err) : answer_expression(request, err);
}

/* --- who may call --------------------------------------------------------------------------- */

static bool authorise(struct sandbox *sandbox, struct http_exchange *exchange)
{
	const struct definition *definition = sandbox->definition;
	struct str given = http_exchange_header(
		exchange, arena_c(exchange->arena, definition->header));
	struct str prefix = definition->header_prefix;

	if (given.len < prefix.len || !str_equal_nocase(str_slice(given, 0, prefix.len), prefix) ||
	    given.len == prefix.len) {
		answer_fixed(sandbox, exchange, ANSWER_NO_TOKEN, NULL);
		return false;
	}
	if (!str_equal(str_trim(str_slice(given, prefix.len, given.len)), sandbox->token)) {
		answer_fixed(sandbox, exchange, ANSWER_BAD_TOKEN, NULL);
		return false;
	}
	return true;
}

/* What follows the company in the path. False when the answer has been given. */
static bool enter_company(struct sandbox *sandbox, struct http_exchange *exchange,
			  struct str *rest)
{
	const struct definition *definition = sandbox->definition;
	struct str path = exchange->path;

	if (!str_starts_with(path, definition->base_prefix)) {
		answer_fixed(sandbox, exchange, ANSWER_NOT_FOUND, NULL);
		return false;
	}
	if (!authorise(sandbox, exchange))
		return false;
	path = str_slice(path, definition->base_prefix.len, path.len);
	struct str company = str_cut(&path, '/');
	bool is_known = str_equal(company, sandbox->company_id) ||
			(definition->company_slug.len > 0 &&
			 str_equal(company, definition->company_slug));
	if (!is_known) {
		answer_fixed(sandbox, exchange, ANSWER_FORBIDDEN, NULL);
		return false;
	}
	/* The slash before the rest belongs to it. */
	*rest = path.data == NULL ? STR("/") : str_make(path.data - 1, path.len + 1);
	return true;
}

void answer_request(struct sandbox *sandbox, struct http_exchange *exchange)
{
	struct request request = {.sandbox = sandbox, .exchange = exchange};
	enum http_method method = exchange->method == HTTP_HEAD ? HTTP_GET : exchange->method;
	const struct http_route *route;
	struct error err;
	struct str path;

	if (str_starts_with(exchange->path, STR("/files/"))) {
		answer_file(sandbox, exchange);
		return;
	}
	if (!enter_company(sandbox, exchange, &path))
		return;
	if (!http_router_find(sandbox->router, method, path, exchange->arena, &route,
			      &request.match, &err)) {
		answer_fixed(sandbox, exchange, ANSWER_NOT_FOUND, NULL);
		return;
	}
	request.route = &sandbox->definition->routes[route - sandbox->routes];
	sandbox->calls[route - sandbox->routes]++;
	if (!answer_route(&request, &err))
		answer_broken(sandbox, exchange, &err);
}

/* The router only finds; what it found is looked up by its place. */
static void never_called(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	(void)context;
	(void)exchange;
	(void)match;
}

bool answer_make_router(struct sandbox *sandbox, struct error *err)
{
	const struct definition *definition = sandbox->definition;

	sandbox->routes = arena_array(&sandbox->arena, definition->route_count,
				      sizeof *sandbox->routes);
	sandbox->calls = arena_zero(&sandbox->arena,
				    definition->route_count * sizeof *sandbox->calls);
	sandbox->writes = arena_zero(&sandbox->arena,
				     definition->route_count * sizeof *sandbox->writes);
	for (size_t i = 0; i < definition->route_count; i++)
		sandbox->routes[i] = (struct http_route){definition->routes[i].method,
							 definition->routes[i].pattern,
							 never_called};
	sandbox->router = http_router_create(&sandbox->arena, sandbox->routes,
					     definition->route_count);
	return sandbox->router != NULL || error_set(err, ERROR_INTERNAL, "no router");
}

/* --- files ---------------------------------------------------------------------------------- */

static bool is_plain_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] == '"' || name.data[i] > '~')
			return false;
	return name.len > 0;
}

void answer_file(struct sandbox *sandbox, struct http_exchange *exchange)
{
	const struct definition *definition = sandbox->definition;
	struct str rest = exchange->path, name = rest;

	if (str_starts_with(rest, STR("/files/uploads/"))) {
		rest = str_slice(rest, strlen("/files/uploads/"), rest.len);
		if (!answer_upload(sandbox, exchange, rest))
			answer_fixed(sandbox, exchange, ANSWER_NOT_FOUND, NULL);
		return;
	}
	while (rest.data != NULL)
		name = str_cut(&rest, '/');
	for (size_t i = 0; i < definition->file_count; i++) {
		const struct file_kind *file = &definition->files[i];
		struct str ending = arena_format(exchange->arena, ".%.*s",
						 STR_ARGS(file->extension));
		if (!str_ends_with(name, ending) || !is_plain_name(name))
			continue;
		exchange->reply = file->bytes;
		exchange->content_type = file->content_type;
		http_exchange_set_header(exchange, "Content-Disposition",
					 arena_format(exchange->arena,
						      "attachment; filename=\"%.*s\"",
						      STR_ARGS(name)));
		return;
	}
	answer_fixed(sandbox, exchange, ANSWER_NOT_FOUND, NULL);
}

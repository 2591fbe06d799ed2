/* What comes with a write: its body as one value, and files, from a form or from an address. They
 * are kept until the sandbox ends, and served under /files/uploads/NUMBER/NAME. */
#include <stdlib.h>

#include "app/sandbox/serve.h"

enum {
	FILE_BYTES_MAX = 100 * 1024 * 1024,
	TEXT_BYTES_MAX = 1024 * 1024, /* of all fields of a form that are no files */
	FIRST_BYTES = 64 * 1024,
	FETCH_MS = 30000,
	FORM_DEPTH_MAX = 10,
};

const struct http_server_limits sandbox_limits = {
	.url_bytes_max = 6 * 1024,
	.headers_bytes_max = 8 * 1024,
	.body_bytes_max = FILE_BYTES_MAX + 2 * TEXT_BYTES_MAX,
	.fields_max = 100,
	.connections_max = 12000,
	.idle_timeout_s = 60,
	.read_timeout_s = 120,
	.arena_bytes_max = 512 * 1024 * 1024,
};

/* --- files ---------------------------------------------------------------------------------- */

static struct upload *begin_upload(struct sandbox *sandbox, struct str filename, struct str type)
{
	struct uploads *uploads = &sandbox->uploads;
	struct upload *upload = arena_zero(&sandbox->arena, sizeof *upload);

	if (uploads->count == uploads->capacity) {
		size_t capacity = uploads->capacity == 0 ? 16 : uploads->capacity * 2;
		uploads->items = arena_grow(&sandbox->arena, uploads->items,
					    uploads->capacity * sizeof(void *),
					    capacity * sizeof(void *));
		uploads->capacity = capacity;
	}
	upload->filename = arena_str(&sandbox->arena, filename);
	upload->content_type = arena_str(&sandbox->arena, type);
	uploads->items[uploads->count++] = upload;
	upload->number = uploads->count;
	return upload;
}

/* The memory of something large grows without being copied: realloc moves its pages. */
static bool append(struct upload *upload, struct str bytes, struct error *err)
{
	if (bytes.len > FILE_BYTES_MAX - upload->len)
		return error_set(err, ERROR_LIMIT, "the file is too large");
	if (bytes.len > upload->capacity - upload->len) {
		size_t capacity = upload->capacity == 0 ? FIRST_BYTES : upload->capacity;
		while (capacity - upload->len < bytes.len)
			capacity *= 2;
		char *grown = realloc(upload->bytes, capacity);
		if (grown == NULL)
			die("out of memory");
		upload->bytes = grown;
		upload->capacity = capacity;
	}
	memcpy(upload->bytes + upload->len, bytes.data, bytes.len);
	upload->len += bytes.len;
	return true;
}

static void finish_upload(struct upload *upload)
{
	char *fitted = upload->len == 0 ? NULL : realloc(upload->bytes, upload->len);

	if (fitted == NULL)
		return;
	upload->bytes = fitted;
	upload->capacity = upload->len;
}

static struct json upload_value(struct arena *arena, const struct upload *upload)
{
	struct json_builder members;

	json_builder_init(&members, arena);
	json_builder_set(&members, STR("number"), json_int((int64_t)upload->number));
	json_builder_set(&members, STR("filename"), json_string(upload->filename));
	json_builder_set(&members, STR("size"), json_int((int64_t)upload->len));
	json_builder_set(&members, STR("type"), json_string(upload->content_type));
	return json_builder_object(&members);
}

void uploads_finish(struct uploads *uploads)
{
	for (size_t i = 0; i < uploads->count; i++)
		free(uploads->items[i]->bytes);
}

/* The file's own name is in the address too, but the number alone counts. */
bool answer_upload(struct sandbox *sandbox, struct http_exchange *exchange, struct str rest)
{
	const struct upload *upload;
	struct buffer name;
	int64_t number;

	if (!str_to_int64(str_cut(&rest, '/'), &number) || number < 1 ||
	    (uint64_t)number > sandbox->uploads.count)
		return false;
	upload = sandbox->uploads.items[number - 1];
	exchange->reply = str_make(upload->bytes, upload->len);
	exchange->content_type = upload->content_type;
	buffer_init(&name, exchange->arena, 4096);
	buffer_append_c(&name, "attachment; filename*=UTF-8''");
	url_encode(&name, upload->filename);
	if (!name.is_over)
		http_exchange_set_header(exchange, "Content-Disposition", buffer_str(&name));
	return true;
}

/* --- forms ---------------------------------------------------------------------------------- */

struct form {
	struct sandbox *sandbox;
	struct arena *arena;
	struct http_field *fields; /* names as they came */
	struct json *values;
	size_t count;
	size_t capacity;
	struct upload *upload; /* of the part that is being read, when it is a file */
	struct buffer text;    /* else */
	size_t text_bytes;
};

static void add_field(struct form *form, struct str name, struct json value)
{
	if (form->count == form->capacity) {
		size_t capacity = form->capacity == 0 ? 16 : form->capacity * 2;
		form->fields = arena_grow(form->arena, form->fields,
					  form->capacity * sizeof *form->fields,
					  capacity * sizeof *form->fields);
		form->values = arena_grow(form->arena, form->values,
					  form->capacity * sizeof *form->values,
					  capacity * sizeof *form->values);
		form->capacity = capacity;
	}
	form->fields[form->count].name = name;
	form->values[form->count++] = value;
}

static bool begin_part(void *context, const struct http_part *part, struct error *err)
{
	struct form *form = context;

	(void)err;
	form->upload = part->is_file ? begin_upload(form->sandbox, part->filename,
						    part->content_type)
				     : NULL;
	buffer_init(&form->text, form->arena, TEXT_BYTES_MAX);
	add_field(form, part->name, json_undefined());
	return true;
}

static bool take_bytes(void *context, struct str bytes, struct error *err)
{
	struct form *form = context;

	if (form->upload != NULL)
		return append(form->upload, bytes, err);
	form->text_bytes += bytes.len;
	if (form->text_bytes > TEXT_BYTES_MAX)
		return error_set(err, ERROR_LIMIT, "the fields of the form are too large");
	buffer_append(&form->text, bytes);
	return true;
}

static bool end_part(void *context, struct error *err)
{
	struct form *form = context;

	(void)err;
	if (form->upload != NULL)
		finish_upload(form->upload);
	form->values[form->count - 1] = form->upload != NULL
						? upload_value(form->arena, form->upload)
						: json_string(buffer_str(&form->text));
	return true;
}

/* "a[b][]" is the member b of a, as a list; `depth` brackets have been read already. */
static bool cut_bracket(struct str *rest, struct str *key)
{
	ptrdiff_t end = str_find_byte(*rest, ']');

	if (rest->len == 0 || rest->data[0] != '[' || end < 0)
		return false;
	*key = str_slice(*rest, 1, (size_t)end);
	*rest = str_slice(*rest, (size_t)end + 1, rest->len);
	return true;
}

static struct json nest(struct form *form, struct http_field *fields, struct json *values,
			size_t count, int depth);

/* The fields whose name goes on: a list of what stands under "[]", or an object. */
static struct json nest_group(struct form *form, const struct form *all, struct str key, int depth)
{
	struct form group = {.arena = form->arena};
	struct json_builder items;
	struct json single = json_undefined();

	json_builder_init(&items, form->arena);
	for (size_t i = 0; i < all->count; i++) {
		struct str rest = all->fields[i].value, inner;
		if (!str_equal(all->fields[i].name, key))
			continue;
		if (!cut_bracket(&rest, &inner)) {
			single = all->values[i];
		} else if (inner.len == 0) {
			json_builder_add(&items, all->values[i]);
		} else {
			add_field(&group, inner, all->values[i]);
			group.fields[group.count - 1].value = rest;
		}
	}
	if (items.count > 0)
		return json_builder_array(&items);
	if (group.count > 0)
		return nest(&group, group.fields, group.values, group.count, depth + 1);
	return single;
}

/* Each field's `name` is the key at this depth, `value` what follows it. */
static struct json nest(struct form *form, struct http_field *fields, struct json *values,
			size_t count, int depth)
{
	struct form all = {.fields = fields, .values = values, .count = count};
	struct json_builder members;

	json_builder_init(&members, form->arena);
	for (size_t i = 0; depth < FORM_DEPTH_MAX && i < count; i++) {
		struct json known = json_get(json_builder_object(&members), fields[i].name);
		if (json_is(known, JSON_UNDEFINED))
			json_builder_set(&members, fields[i].name,
					 nest_group(form, &all, fields[i].name, depth));
	}
	return json_builder_object(&members);
}

static struct json form_value(struct form *form)
{
	for (size_t i = 0; i < form->count; i++) {
		struct str name = form->fields[i].name;
		ptrdiff_t bracket = str_find_byte(name, '[');
		form->fields[i].value = str_make("", 0);
		if (bracket <= 0)
			continue;
		form->fields[i].name = str_slice(name, 0, (size_t)bracket);
		form->fields[i].value = str_slice(name, (size_t)bracket, name.len);
	}
	return nest(form, form->fields, form->values, form->count, 0);
}

static bool read_multipart(struct form *form, const struct http_exchange *exchange,
			   struct str content_type, struct error *err)
{
	const struct http_part_handler handler = {begin_part, take_bytes, end_part, form};
	struct multipart *multipart = multipart_create(form->arena, content_type, &handler, err);

	return multipart != NULL && multipart_feed(multipart, exchange->body, err) &&
	       multipart_finish(multipart, err);
}

static bool read_urlencoded(struct form *form, const struct http_exchange *exchange,
			    struct error *err)
{
	struct http_field *fields;
	size_t count;

	if (!url_parse_query(form->arena, exchange->body, 1000, &fields, &count, err))
		return false;
	for (size_t i = 0; i < count; i++)
		add_field(form, fields[i].name, json_string(fields[i].value));
	return true;
}

static bool read_form(struct sandbox *sandbox, struct http_exchange *exchange,
		      struct str content_type, struct json *out, struct error *err)
{
	struct form form = {.sandbox = sandbox, .arena = exchange->arena};
	struct buffer text;

	if (!(multipart_is(content_type) ? read_multipart(&form, exchange, content_type, err)
					 : read_urlencoded(&form, exchange, err)))
		return false;
	/* Written and read again: names and texts could be no UTF-8. */
	buffer_init(&text, exchange->arena, 8 * TEXT_BYTES_MAX);
	json_print(&text, form_value(&form));
	return buffer_check(&text, "the form", err) &&
	       json_parse(exchange->arena, buffer_str(&text), &json_limits_default, out, err);
}

/* --- bodies --------------------------------------------------------------------------------- */

bool read_body_value(struct sandbox *sandbox, struct http_exchange *exchange, struct json *out,
		     struct error *err)
{
	struct str type = http_exchange_header(exchange, "content-type");

	*out = json_object(NULL, 0);
	if (exchange->body.len == 0)
		return true;
	if (multipart_is(type) ||
	    str_starts_with(type, STR("application/x-www-form-urlencoded")))
		return read_form(sandbox, exchange, type, out, err);
	if (!json_parse(exchange->arena, exchange->body, &json_limits_default, out, err))
		return false;
	return json_is(*out, JSON_OBJECT) ||
	       error_set(err, ERROR_INVALID, "the body must be a JSON object");
}

/* --- files from elsewhere ------------------------------------------------------------------- */

/* JSON is printed as it is, so that it can be read again only when the text is UTF-8. */
static bool is_text(struct arena *arena, struct str text)
{
	struct buffer printed;
	struct json value;
	struct error err;

	buffer_init(&printed, arena, 64 * 1024);
	json_print(&printed, json_string(text));
	return !http_has_control_byte(text) && !printed.is_over &&
	       json_parse(arena, buffer_str(&printed), &json_limits_default, &value, &err);
}

static struct str name_of(struct arena *arena, struct str url,
			  const struct http_response *response)
{
	struct str type, name, filename, path = url, decoded;

	if (http_read_disposition(arena, http_response_header(response, "content-disposition"),
				  &type, &name, &filename) &&
	    filename.len > 0 && is_text(arena, filename))
		return filename;
	path = str_cut(&path, '?');
	while (str_find_byte(path, '/') >= 0)
		path = str_slice(path, (size_t)str_find_byte(path, '/') + 1, path.len);
	if (!url_decode(arena, path, false, &decoded) || decoded.len == 0 ||
	    !is_text(arena, decoded))
		return STR("file");
	return decoded;
}

static bool get_url(struct arena *arena, struct str url, struct http_response *response)
{
	struct loop *loop = loop_current();
	struct http_client *client;
	struct error err;
	struct http_request request = {.method = HTTP_GET, .url = url,
				       .response_bytes_max = FILE_BYTES_MAX};

	if (loop == NULL ||
	    (client = http_client_create(loop, &(struct http_client_options){0}, &err)) == NULL)
		return false;
	request.deadline_ns = loop_now_ns(loop) + FETCH_MS * INT64_C(1000000);
	bool ok = http_client_send(client, arena, &request, response, &err) &&
		  response->status == 200;
	http_client_destroy(client);
	return ok;
}

struct json fetch_file(struct sandbox *sandbox, struct arena *arena, struct str url)
{
	struct json value = json_undefined();
	struct http_response response;
	struct arena scratch;
	struct error err;

	arena_init(&scratch, sandbox_limits.arena_bytes_max);
	if (get_url(&scratch, url, &response)) {
		struct str type = http_response_header(&response, "content-type");
		struct upload *upload =
			begin_upload(sandbox, name_of(&scratch, url, &response),
				     type.len > 0 ? type : STR("application/octet-stream"));
		if (append(upload, response.body, &err)) {
			finish_upload(upload);
			value = upload_value(arena, upload);
		}
	}
	arena_finish(&scratch);
	return value;
}

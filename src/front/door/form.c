/* A write whose body is a form with a file: the members come first and are read at once, the file
 * comes last and is read by the operation, as it goes. */
#include "front/door/door.h"

enum {
	PIECE_BYTES = 32 * 1024,
	HELD_BYTES = 128, /* what a reader of forms may hold back: a part of a delimiter */
	TEXT_BYTES_MAX = 1024 * 1024,
};

static const struct json_limits form_limits = {
	.bytes_max = TEXT_BYTES_MAX, .depth_max = 64, .nodes_max = 100000};

struct form {
	struct http_exchange *exchange;
	struct multipart *multipart;
	struct http_source source;
	struct json_builder members;
	/* The part under way, when it is no file. */
	struct http_part part;
	struct buffer text;
	size_t text_bytes; /* of all parts */
	/* The file. */
	struct http_part file;
	bool has_file;
	bool is_file_over;
	uint64_t file_bytes;
	char *pending;
	size_t from, to;
	/* What was read of the body, and is not given to the reader of forms yet. */
	char *piece;
	struct str rest;
	uint64_t fed;
};

/* --- parts ----------------------------------------------------------------------------------- */

static bool begin_part(void *context, const struct http_part *part, struct error *err)
{
	struct form *form = context;

	if (form->has_file)
		return error_set_field(err, ERROR_INVALID, "body", "the file as the last part",
				       "a part follows the file, which must be the last one");
	form->has_file = part->is_file;
	if (part->is_file)
		form->file = *part;
	else
		form->part = *part;
	buffer_init(&form->text, form->exchange->arena, TEXT_BYTES_MAX);
	return true;
}

static bool refuse_size(struct error *err)
{
	return error_set_field(err, ERROR_LIMIT, "body", NULL,
			       "the file is too large: at most %d bytes are taken",
			       DOOR_FILE_BYTES_MAX);
}

static bool take_bytes(void *context, struct str bytes, struct error *err)
{
	struct form *form = context;

	if (form->has_file) {
		form->file_bytes += bytes.len;
		if (form->file_bytes > DOOR_FILE_BYTES_MAX)
			return refuse_size(err);
		memcpy(form->pending + form->to, bytes.data, bytes.len);
		form->to += bytes.len;
		return true;
	}
	form->text_bytes += bytes.len;
	if (form->text_bytes > TEXT_BYTES_MAX)
		return error_set_field(err, ERROR_LIMIT, "body", NULL,
				       "the parts before the file are too large: at most %d bytes "
				       "are taken",
				       TEXT_BYTES_MAX);
	buffer_append(&form->text, bytes);
	return true;
}

static bool add_member(struct form *form, struct str name, struct json value, struct error *err)
{
	if (!json_is(json_get(json_builder_object(&form->members), name), JSON_UNDEFINED))
		return error_set_field(err, ERROR_INVALID, arena_c(form->exchange->arena, name),
				       "given once", "\"%.*s\" is given twice",
				       STR_ARGS(str_slice(name, 0, 64)));
	json_builder_set(&form->members, name, value);
	return true;
}

/* "body" may have all members at once, and so what is no text. */
static bool take_json(struct form *form, struct error *err)
{
	struct error inner;
	struct json value;

	if (!json_parse(form->exchange->arena, buffer_str(&form->text), &form_limits, &value,
			&inner))
		return error_set_field(err, inner.code,
				       arena_c(form->exchange->arena, form->part.name), "JSON",
				       "this part is not JSON: %s", inner.message);
	if (!str_equal(form->part.name, STR("body")))
		return add_member(form, form->part.name, value, err);
	if (!json_is(value, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "body", "a JSON object",
				       "the part \"body\" is JSON, but no object");
	for (size_t i = 0; i < value.count; i++)
		if (!add_member(form, json_name(&value.members[i]),
				value.members[i].value, err))
			return false;
	return true;
}

static bool end_part(void *context, struct error *err)
{
	struct form *form = context;

	form->is_file_over = form->has_file;
	if (form->has_file)
		return true;
	if (str_starts_with(form->part.content_type, STR("application/json")))
		return take_json(form, err);
	/* As a text that was read: what is no UTF-8 is refused. */
	struct buffer quoted;
	struct json value;
	struct error inner;

	buffer_init(&quoted, form->exchange->arena, 8 * TEXT_BYTES_MAX);
	json_print(&quoted, json_string(buffer_str(&form->text)));
	if (!json_parse(form->exchange->arena, buffer_str(&quoted), &form_limits, &value, &inner))
		return error_set_field(err, ERROR_INVALID,
				       arena_c(form->exchange->arena, form->part.name),
				       "text in UTF-8", "this part is no text in UTF-8");
	return add_member(form, form->part.name, value, err);
}

/* --- reading --------------------------------------------------------------------------------- */

/* More of the body; false at its end, and with *is_good false on errors. */
static bool read_piece(struct form *form, bool *is_good, struct error *err)
{
	ssize_t got = http_exchange_read(form->exchange, form->piece, PIECE_BYTES, err);

	*is_good = got >= 0;
	if (got > 0) {
		form->rest = str_make(form->piece, (size_t)got);
		return true;
	}
	if (got == 0)
		*is_good = multipart_finish(form->multipart, err);
	return false;
}

/* Byte for byte, so as to know where the file begins. */
static bool read_members(struct form *form, struct error *err)
{
	bool is_good = true;

	while (!form->has_file) {
		if (form->rest.len == 0 && !read_piece(form, &is_good, err))
			return is_good;
		if (!multipart_feed(form->multipart, str_slice(form->rest, 0, 1), err))
			return false;
		form->rest = str_slice(form->rest, 1, form->rest.len);
		form->fed++;
	}
	return true;
}

static ssize_t read_file(void *context, void *bytes, size_t max, struct error *err)
{
	struct form *form = context;
	bool is_good;

	while (form->from == form->to) {
		form->from = form->to = 0;
		if (form->rest.len == 0 && !read_piece(form, &is_good, err))
			return is_good ? 0 : -1;
		struct str piece = form->rest;

		form->rest.len = 0;
		if (!multipart_feed(form->multipart, piece, err))
			return -1;
	}
	size_t len = form->to - form->from < max ? form->to - form->from : max;

	memcpy(bytes, form->pending + form->from, len);
	form->from += len;
	return (ssize_t)len;
}

/* All that follows but for the last delimiter is the file, and perhaps a line's end behind it. */
static bool measure(struct form *form, int64_t *length, struct error *err)
{
	const struct http_exchange *exchange = form->exchange;
	int64_t all = exchange->is_stream ? exchange->body_length : (int64_t)exchange->body.len;
	int64_t around = (int64_t)(form->fed + multipart_tail_bytes(form->multipart));

	*length = HTTP_LENGTH_UNKNOWN;
	if (all == HTTP_LENGTH_UNKNOWN)
		return true;
	if (all < around)
		return error_set_field(err, ERROR_INVALID, "body", NULL, "the form is cut off");
	*length = all - around;
	return *length <= DOOR_FILE_BYTES_MAX + 2 || refuse_size(err);
}

/* --- the file's place ------------------------------------------------------------------------ */

/* What may be told of a file; the part's name is "file", or what the file is. */
static bool describe(const struct form *form, const struct model_field *fields, size_t count,
		     struct json_builder *out, struct error *err)
{
	const struct model_field *type = model_find_among(fields, count, STR("attachment_type"));
	bool is_known = str_equal(form->file.name, STR("file"));

	json_builder_set(out, STR("content"), json_string(door_file_token));
	if (form->file.filename.len > 0)
		json_builder_set(out, STR("file_name"), json_string(form->file.filename));
	json_builder_set(out, STR("content_type"), json_string(form->file.content_type));
	for (size_t i = 0; type != NULL && !is_known && i < type->value_count; i++)
		if (str_equal(type->values[i], form->file.name)) {
			is_known = true;
			json_builder_set(out, STR("attachment_type"), json_string(form->file.name));
		}
	return is_known || error_set_field(err, ERROR_INVALID,
					   arena_c(form->exchange->arena, form->file.name),
					   "file, resume, cover_letter, other",
					   "a file must be named \"file\", or what it is");
}

/* Members of `over` win. */
static struct json merge(struct arena *arena, struct json under, struct json over)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set_others(&out, under, over);
	json_builder_set_others(&out, over, json_undefined());
	return json_builder_object(&out);
}

/* The body with one more file in its list of them. */
static struct json add_to_list(struct arena *arena, struct json body, struct json file)
{
	struct json others = json_get_c(body, "attachments");
	struct json_builder list, over;

	json_builder_init(&list, arena);
	if (json_is(others, JSON_OBJECT))
		json_builder_add(&list, others);
	for (size_t i = 0; json_is(others, JSON_ARRAY) && i < others.count; i++)
		json_builder_add(&list, json_at(others, i));
	json_builder_add(&list, file);
	json_builder_init(&over, arena);
	json_builder_set(&over, STR("attachments"), json_builder_array(&list));
	return merge(arena, body, json_builder_object(&over));
}

/* The body is the file's own, or it has a list of files. What the members say of it goes over what
 * the part says. */
static bool place_file(const struct form *form, const struct model_method *method,
		       struct json *body, struct error *err)
{
	struct arena *arena = form->exchange->arena;
	const struct model_field *files =
		model_find_among(method->fields, method->field_count, STR("attachments"));
	struct json_builder file;

	json_builder_init(&file, arena);
	if (model_find_among(method->fields, method->field_count, STR("content")) != NULL) {
		if (!json_is(json_get_c(*body, "content"), JSON_UNDEFINED))
			return error_set_field(err, ERROR_INVALID, "content", NULL,
					       "the file comes with the form already");
		if (!describe(form, method->fields, method->field_count, &file, err))
			return false;
		*body = merge(arena, json_builder_object(&file), *body);
		return true;
	}
	if (files == NULL)
		return error_set_field(err, ERROR_INVALID, "body", "application/json",
				       "no file can come with this");
	if (!describe(form, files->fields, files->field_count, &file, err))
		return false;
	*body = add_to_list(arena, *body, json_builder_object(&file));
	return true;
}

/* --- the form -------------------------------------------------------------------------------- */

const struct str door_file_token = STR_INIT("the bytes of the file that came with the form");

bool door_is_form(const struct http_exchange *exchange)
{
	return multipart_is(http_exchange_header(exchange, "content-type"));
}

size_t door_form_stream_max(const struct http_exchange *exchange)
{
	return door_is_form(exchange) ? DOOR_STREAM_BYTES_MAX : 0;
}

static struct form *create(struct http_exchange *exchange, struct error *err)
{
	struct form *form = arena_zero(exchange->arena, sizeof *form);
	struct http_part_handler *handler = arena_alloc(exchange->arena, sizeof *handler);

	*handler = (struct http_part_handler){begin_part, take_bytes, end_part, form};
	form->exchange = exchange;
	form->piece = arena_alloc(exchange->arena, PIECE_BYTES);
	form->pending = arena_alloc(exchange->arena, PIECE_BYTES + HELD_BYTES);
	json_builder_init(&form->members, exchange->arena);
	form->multipart = multipart_create(exchange->arena,
					   http_exchange_header(exchange, "content-type"), handler,
					   err);
	return form->multipart == NULL ? NULL : form;
}

bool door_read_form(struct http_exchange *exchange, const struct model_method *method,
		    struct json *body, struct operation_upload *upload, struct error *err)
{
	struct form *form = create(exchange, err);
	int64_t length;

	*upload = (struct operation_upload){.source = NULL};
	if (form == NULL || !read_members(form, err))
		return false;
	*body = json_builder_object(&form->members);
	if (!form->has_file)
		return true;
	if (!measure(form, &length, err) || !place_file(form, method, body, err))
		return false;
	form->source = (struct http_source){read_file, form, length};
	*upload = (struct operation_upload){
		.source = &form->source, .has_slack = true, .token = door_file_token};
	return true;
}

/* multipart/form-data as a body that is made while it is sent. */
#include "io/http/message.h"

enum { BOUNDARY_BYTES = 16 };

struct form {
	struct http_source base;
	const struct http_source *file;
	struct str before; /* the fields, and the head of the file's part: still to be given */
	struct str after;
	bool is_file_over;
	bool has_slack;
	uint64_t given; /* of the file */
};

/* As browsers do it: only what would end the quotes or the line is escaped. */
static void append_quoted(struct buffer *out, struct str text)
{
	buffer_append_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '"')
			buffer_append_c(out, "%22");
		else if (c == '\r')
			buffer_append_c(out, "%0D");
		else if (c == '\n')
			buffer_append_c(out, "%0A");
		else
			buffer_append_byte(out, c);
	}
	buffer_append_byte(out, '"');
}

static void append_head(struct buffer *out, struct str boundary, struct str name)
{
	buffer_append_format(out,
			     "--%.*s\r\nContent-Disposition: form-data; name=", STR_ARGS(boundary));
	append_quoted(out, name);
}

static struct str make_boundary(struct arena *arena, const struct random *random)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[BOUNDARY_BYTES];
	char text[2 * BOUNDARY_BYTES];

	random_fill(random, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return arena_format(arena, "tenon-%.*s", (int)sizeof text, text);
}

static struct str make_before(struct arena *arena, struct str boundary,
			      const struct http_field *fields, size_t count,
			      const struct http_form_file *file)
{
	struct buffer out;

	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		append_head(&out, boundary, fields[i].name);
		buffer_append_c(&out, "\r\n\r\n");
		buffer_append(&out, fields[i].value);
		buffer_append_c(&out, "\r\n");
	}
	append_head(&out, boundary, file->name);
	buffer_append_c(&out, "; filename=");
	append_quoted(&out, file->filename);
	buffer_append_c(&out, "\r\nContent-Type: ");
	/* A line's end in it would begin another header. */
	if (file->content_type.len == 0 || http_has_control_byte(file->content_type))
		buffer_append_c(&out, "application/octet-stream");
	else
		buffer_append(&out, file->content_type);
	buffer_append_c(&out, "\r\n\r\n");
	return buffer_str(&out);
}

static ssize_t give(struct str *text, void *bytes, size_t max)
{
	size_t len = text->len < max ? text->len : max;

	memcpy(bytes, text->data, len);
	*text = str_slice(*text, len, text->len);
	return (ssize_t)len;
}

static ssize_t read_form(void *context, void *bytes, size_t max, struct error *err)
{
	struct form *form = context;

	if (form->before.len > 0)
		return give(&form->before, bytes, max);
	if (!form->is_file_over) {
		ssize_t got = form->file->read(form->file->context, bytes, max, err);

		form->given += got > 0 ? (uint64_t)got : 0;
		if (got != 0)
			return got;
		form->is_file_over = true;
		/* The last line's end makes up for two bytes that did not come, or is left out. */
		if (form->has_slack && form->given == (uint64_t)form->file->length)
			form->after.len -= 2;
	}
	return give(&form->after, bytes, max);
}

struct http_source *http_form_source(struct arena *arena, const struct random *random,
				     const struct http_field *fields, size_t count,
				     const struct http_form_file *file, struct str *content_type)
{
	struct form *form = arena_alloc(arena, sizeof *form);
	struct str boundary = make_boundary(arena, random);

	*form = (struct form){
		.base = {read_form, form, HTTP_LENGTH_UNKNOWN},
		.file = file->bytes,
		.has_slack = file->has_slack && file->bytes->length != HTTP_LENGTH_UNKNOWN,
		.before = make_before(arena, boundary, fields, count, file),
		.after = arena_format(arena, "\r\n--%.*s--\r\n", STR_ARGS(boundary)),
	};
	if (file->bytes->length != HTTP_LENGTH_UNKNOWN)
		form->base.length =
			(int64_t)(form->before.len + form->after.len) + file->bytes->length -
			(form->has_slack ? 2 : 0);
	*content_type =
		arena_format(arena, "multipart/form-data; boundary=%.*s", STR_ARGS(boundary));
	return &form->base;
}

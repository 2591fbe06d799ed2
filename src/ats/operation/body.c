/* The body of a native call, made of the unified request's: its values, checked as the ATS's own
 * reference has them, and its spelling. */
#include <assert.h>
#include <sodium.h>

#include "ats/operation/run.h"

enum {
	BODY_BYTES_MAX = 32 * 1024 * 1024,
	NAME_BYTES_MAX = 256, /* of a form field, with what it is nested in */
};

/* --- values ---------------------------------------------------------------------------------- */

/* A fault is told of what the caller wrote, as far as that is known. */
static bool name_field(const struct write *write, const struct write_value *value,
		       struct error *err)
{
	if (value->field.len == 0)
		return false;
	return error_set_field(err, err->code, arena_c(write->run->arena, value->field),
			       err->allowed, "%.*s cannot take that \"%.*s\": %s",
			       STR_ARGS(write->run->connector->label), STR_ARGS(value->field),
			       err->message);
}

static bool make_members(struct write *write, const struct model_field *fields, size_t field_count,
			 const struct write_value *values, size_t count, struct json input,
			 struct json *out, struct error *err);

static bool make_value(struct write *write, const struct model_field *field,
		       const struct write_value *value, struct json input, struct json *out,
		       struct error *err)
{
	struct arena *arena = write->run->arena;
	struct json_member *member = arena_alloc(arena, sizeof *member);
	struct json checked;

	*out = value->constant;
	if (value->member_count > 0)
		return make_members(write, field->fields, field->field_count, value->members,
				    value->member_count, input, out, err);
	if (value->expression != NULL &&
	    !write_make(write, value, input, out, err))
		return false;
	if (json_is(*out, JSON_UNDEFINED))
		return true;
	*member = json_member(field->name, *out);
	if (!model_check(arena, field, 1, arena_c(arena, write->run->connector->label),
			 json_object(member, 1), write->is_dry ? &write->missing : NULL, &checked,
			 err))
		return name_field(write, value, err);
	*out = checked.members[0].value;
	return true;
}

static bool is_nothing(struct json value)
{
	return json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	       ((json_is(value, JSON_STRING) || json_is(value, JSON_ARRAY)) && value.count == 0);
}

static bool require(struct write *write, const struct model_field *field,
		    const struct write_value *value, struct json made, struct error *err)
{
	struct str name = value != NULL && value->field.len > 0 ? value->field : field->name;

	/* Of an object that is made of parts the parts are told. */
	if (!field->is_required || !is_nothing(made) || (value != NULL && value->member_count > 0))
		return true;
	if (write->is_dry) {
		json_builder_add(&write->missing, json_string(name));
		return true;
	}
	return error_set_field(err, ERROR_INVALID, arena_c(write->run->arena, name), NULL,
			       "%.*s wants \"%.*s\" for this",
			       STR_ARGS(write->run->connector->label), STR_ARGS(name));
}

static bool make_members(struct write *write, const struct model_field *fields, size_t field_count,
			 const struct write_value *values, size_t count, struct json input,
			 struct json *out, struct error *err)
{
	struct json_builder members;
	struct json made;

	json_builder_init(&members, write->run->arena);
	for (size_t i = 0; i < count; i++) {
		const struct model_field *field =
			model_find_among(fields, field_count, values[i].name);

		if (!make_value(write, field, &values[i], input, &made, err) ||
		    !require(write, field, &values[i], made, err))
			return false;
		json_builder_set(&members, field->name, made);
	}
	*out = json_builder_object(&members);
	/* What nothing speaks of is not there at all: also when it is required. */
	for (size_t i = 0; i < field_count; i++) {
		bool is_said = false;

		for (size_t k = 0; k < count; k++)
			is_said = is_said || str_equal(values[k].name, fields[i].name);
		if (!is_said && !require(write, &fields[i], NULL, json_undefined(), err))
			return false;
	}
	if (out->count == 0)
		*out = json_undefined();
	return true;
}

/* Members of `over` win; objects go into each other. */
static struct json merge(struct arena *arena, struct json under, struct json over)
{
	struct json_builder members;

	if (!json_is(under, JSON_OBJECT) || !json_is(over, JSON_OBJECT))
		return over;
	json_builder_init(&members, arena);
	for (size_t i = 0; i < under.count; i++) {
		struct str key = json_name(&under.members[i]);
		struct json given = json_get(over, key);

		json_builder_set(&members, key,
				 json_is(given, JSON_UNDEFINED)
					 ? under.members[i].value
					 : merge(arena, under.members[i].value, given));
	}
	for (size_t i = 0; i < over.count; i++) {
		struct str key = json_name(&over.members[i]);

		if (json_is(json_get(under, key), JSON_UNDEFINED))
			json_builder_set(&members, key, over.members[i].value);
	}
	return json_builder_object(&members);
}

bool body_make(struct write *write, const struct write_step *step, struct json input,
	       struct json *body, struct error *err)
{
	const struct native_method *method = step->method;

	if (!make_members(write, method->body, method->body_count, step->body, step->body_count,
			  input, body, err))
		return false;
	if (!write->has_written && json_is(write->remote, JSON_OBJECT))
		*body = merge(write->run->arena, *body, write->remote);
	return true;
}

/* --- forms ----------------------------------------------------------------------------------- */

struct form {
	struct write *write;
	struct buffer *out;
	struct str boundary;
	struct error *err;
	/* The same without what is a file, for a form whose one file is a stream. */
	struct http_field *fields;
	size_t field_count;
	size_t file_count;
	struct http_form_file streamed; /* without a name: there is none */
};

/* Quotes and line ends in names, as browsers escape them. */
static void append_quoted(struct buffer *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		switch (text.data[i]) {
		case '"':
			buffer_append_c(out, "%22");
			break;
		case '\r':
			buffer_append_c(out, "%0D");
			break;
		case '\n':
			buffer_append_c(out, "%0A");
			break;
		default:
			buffer_append_byte(out, text.data[i]);
		}
}

static void begin_part(const struct form *form, struct str name)
{
	buffer_append_format(form->out, "--%.*s\r\nContent-Disposition: form-data; name=\"",
			     STR_ARGS(form->boundary));
	append_quoted(form->out, name);
	buffer_append_byte(form->out, '"');
}

/* The file that came with the request, still to be read. */
static bool stream_file(struct form *form, struct str name, struct str file_name, struct str type)
{
	const struct operation_upload *upload = form->write->run->operation->upload;

	if (form->write->is_upload_sent)
		return error_set(form->err, ERROR_INTERNAL, "the file is wanted twice");
	form->write->is_upload_sent = true;
	form->streamed = (struct http_form_file){
		.name = name,
		.filename = file_name.len > 0 ? file_name : STR("file"),
		.content_type = type,
		.bytes = upload->source,
		.has_slack = upload->has_slack,
	};
	return true;
}

static bool is_streamed(const struct form *form, struct str content)
{
	const struct operation_upload *upload = form->write->run->operation->upload;

	return upload != NULL && str_equal(upload->token, content);
}

static bool append_file(struct form *form, struct str name, struct json file)
{
	struct str file_name = json_get_str(file, "file_name");
	struct str type = json_get_str(file, "content_type");
	struct str content = json_get_str(file, "content");

	form->file_count++;
	if (is_streamed(form, content))
		return stream_file(form, name, file_name, type);
	size_t bytes = content.len / 4 * 3 + 4, len = 0;
	char *room = buffer_room(form->out, bytes + 1024);

	if (room == NULL || !json_is(json_get_c(file, "content"), JSON_STRING) ||
	    http_has_control_byte(type))
		return error_set_field(form->err, ERROR_INVALID, "content", "base64, at most 24 MB",
				       "the content of a file must be base64");
	begin_part(form, name);
	buffer_append_c(form->out, "; filename=\"");
	append_quoted(form->out, file_name.len > 0 ? file_name : STR("file"));
	buffer_append_format(form->out, "\"\r\nContent-Type: %.*s\r\n\r\n",
			     STR_ARGS(type.len > 0 ? type : STR("application/octet-stream")));
	room = buffer_room(form->out, bytes);
	if (room == NULL ||
	    sodium_base642bin((unsigned char *)room, bytes, content.data, content.len, "\r\n ",
			      &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return error_set_field(form->err, ERROR_INVALID, "content", "base64",
				       "the content of a file must be base64");
	form->out->len += len;
	buffer_append_c(form->out, "\r\n");
	return true;
}

static void append_text(struct form *form, struct str name, struct str text)
{
	size_t bytes = form->field_count * sizeof *form->fields;

	form->fields = arena_grow(form->write->run->arena, form->fields, bytes,
				  bytes + sizeof *form->fields);
	form->fields[form->field_count++] = (struct http_field){name, text};
	begin_part(form, name);
	buffer_append_c(form->out, "\r\n\r\n");
	buffer_append(form->out, text);
	buffer_append_c(form->out, "\r\n");
}

static bool append_member(struct form *form, const struct model_field *field, struct str name,
			  struct json value)
{
	struct arena *arena = form->write->run->arena;
	struct str text;

	if (json_is(value, JSON_ARRAY)) {
		for (size_t i = 0; i < value.count; i++)
			if (!append_member(form, field,
					   arena_format(arena, "%.*s[]", STR_ARGS(name)),
					   value.items[i]))
				return false;
		return true;
	}
	if (field != NULL && field->type == MODEL_FILE)
		return append_file(form, name, value);
	if (json_is(value, JSON_OBJECT)) {
		for (size_t i = 0; i < value.count; i++) {
			struct str key = json_name(&value.members[i]);

			if (!append_member(form,
					   field == NULL
						   ? NULL
						   : model_find_among(field->fields,
								      field->field_count, key),
					   arena_format(arena, "%.*s[%.*s]", STR_ARGS(name),
							STR_ARGS(key)),
					   value.members[i].value))
				return false;
		}
		return true;
	}
	if (!native_text(arena, value, &text))
		return true; /* null: a form has no such thing */
	append_text(form, name, text);
	return true;
}

static bool spell_stream(const struct form *form, struct native_call *call)
{
	const struct run *run = form->write->run;
	struct http_source *source;

	if (form->file_count > 1)
		return error_set(form->err, ERROR_INTERNAL, "a stream and another file in one form");
	source = http_form_source(run->arena, run->services->random, form->fields,
				  form->field_count, &form->streamed, &call->content_type);
	call->source = resend_create(run->arena, source);
	return true;
}

static bool spell_form(struct write *write, const struct native_method *method, struct json body,
		       struct buffer *out, struct native_call *call, struct error *err)
{
	struct arena *arena = write->run->arena;
	uint64_t number = random_below(write->run->services->random, UINT64_MAX);
	struct form form = {
		.write = write,
		.out = out,
		.boundary = arena_format(arena, "tenon-%016llx", (unsigned long long)number),
		.err = err};

	for (size_t i = 0; i < body.count; i++) {
		struct str key = json_name(&body.members[i]);

		if (!append_member(&form, model_find_among(method->body, method->body_count, key),
				   key, body.members[i].value))
			return false;
	}
	if (form.streamed.name.len > 0)
		return spell_stream(&form, call);
	buffer_append_format(out, "--%.*s--\r\n", STR_ARGS(form.boundary));
	call->content_type =
		arena_format(arena, "multipart/form-data; boundary=%.*s", STR_ARGS(form.boundary));
	return true;
}

bool body_spell(struct write *write, const struct write_step *step, struct json body,
		struct native_call *call, struct error *err)
{
	const struct operation_upload *upload = write->run->operation->upload;
	struct buffer out;

	call->body = (struct str){NULL, 0};
	if (!json_is(body, JSON_OBJECT))
		return true;
	buffer_init(&out, write->run->arena, BODY_BYTES_MAX);
	call->content_type = STR("application/json");
	if (!step->method->is_form) {
		json_print(&out, body);
		if (upload != NULL && str_find(buffer_str(&out), upload->token) >= 0)
			return error_set_field(err, ERROR_NOT_SUPPORTED, "body", "content in base64",
					       "%.*s takes no file as a form here",
					       STR_ARGS(write->run->connector->label));
	} else if (!spell_form(write, step->method, body, &out, call, err)) {
		return false;
	}
	if (call->source == NULL)
		call->body = buffer_str(&out);
	return buffer_check(&out, "the request to the ATS", err);
}

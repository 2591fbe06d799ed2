/* Any path of the ATS below its base URL, with the account's credential. What the credential is
 * sent to is what the connector says, whatever the path: nothing that some server or library
 * might take for a step up, for another host, or for the end of the path goes through. */
#include <assert.h>

#include "ats/operation/run.h"

enum { DECODINGS_MAX = 4 };

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && c < 0x80 && strchr("-._~%!$&'()*+,;=:@", c) != NULL);
}

/* Servers drop what follows a semicolon before they look for dots. */
static bool is_step(struct str part)
{
	struct str rest = part;
	struct str name = str_cut(&rest, ';');

	return str_equal(name, STR(".")) || str_equal(name, STR(".."));
}

/* Spellings of ASCII in more bytes than it takes, which old decoders knew. */
static bool is_overlong(struct str part)
{
	for (size_t i = 0; i < part.len; i++) {
		unsigned char c = (unsigned char)part.data[i];
		unsigned char next = i + 1 < part.len ? (unsigned char)part.data[i + 1] : 0xff;

		if (c == 0xc0 || c == 0xc1 || (c == 0xe0 && next < 0xa0) ||
		    (c == 0xf0 && next < 0x90) || c > 0xf4)
			return true;
	}
	return false;
}

/* Whatever of it comes out when it is decoded, once or more often. */
static bool is_harmless(struct arena *arena, struct str part)
{
	for (int i = 0; i < DECODINGS_MAX; i++) {
		struct str decoded;

		if (part.len == 0 || is_step(part) || is_overlong(part) ||
		    http_has_control_byte(part) || str_find_byte(part, '/') >= 0 ||
		    str_find_byte(part, '\\') >= 0)
			return false;
		if (str_find_byte(part, '%') < 0)
			return true;
		/* A bad escape is one only as it came: a "100%" that was encoded is none. */
		if (!url_decode(arena, part, false, &decoded))
			return i > 0;
		part = decoded;
	}
	return false;
}

static bool check_path(const struct run *run, struct str path, struct error *err)
{
	bool is_good = path.len > 0 && path.len <= FILTER_BYTES_MAX;
	struct str rest = path;

	for (size_t i = 0; is_good && i < path.len; i++)
		is_good = is_plain((unsigned char)path.data[i]) || path.data[i] == '/';
	while (is_good && rest.len > 0)
		is_good = is_harmless(run->arena, str_cut(&rest, '/'));
	return is_good ||
	       error_set_field(err, ERROR_INVALID, "path", "a path below the ATS's base URL",
			       "a path may have no empty parts, no dot segments, and no "
			       "slashes, backslashes or control bytes in its escapes");
}

static bool add_query(const struct run *run, struct native_call *call, struct error *err)
{
	for (size_t i = 0; i < run->operation->filter_count; i++) {
		const struct operation_filter *field = &run->operation->filters[i];

		if (http_has_control_byte(field->name) || http_has_control_byte(field->value))
			return error_set_field(err, ERROR_INVALID, "query", NULL,
					       "the query has a control byte in it");
		native_add_query(run, call, field->name, field->value);
	}
	return true;
}

bool custom_run(struct run *run, struct error *err)
{
	const struct operation_native *native = run->operation->native;
	const struct native_method method = {.verb = native->verb};
	struct native_call call = {.method = &method, .answer = ANSWER_ANY};

	assert(native != NULL);
	if (!check_path(run, native->path, err) || !add_query(run, &call, err))
		return false;
	call.under = arena_format(run->arena, "/%.*s", STR_ARGS(native->path));
	if (native->source != NULL)
		call.source = resend_create(run->arena, native->source);
	if (native->body.len > 0 || native->source != NULL) {
		call.body = native->body;
		call.content_type = native->content_type.len > 0 ? native->content_type
								 : STR("application/octet-stream");
	}
	return raw_send(run, &call, err);
}

/* What shows an account's credential to its ATS. The opened credential lives while headers are
 * made; these live to the end of the try, and are wiped then. */
#include <assert.h>
#include <sodium.h>

#include "ats/operation/run.h"

enum {
	SECRETS_MAX = 16,
	HEADERS_MAX = SECRET_HEADERS_MAX,
	HEADER_BYTES_MAX = 8192,
	SECRET_MIN = 4, /* shorter ones are no use to blot out */
};

/* The opened credential: lives only while headers are made, not while a call waits. */
struct opened {
	struct secret secrets[SECRETS_MAX];
	struct str names[SECRETS_MAX];
	size_t count;
	struct secret_headers *headers;
};

static void close_secrets(struct opened *opened)
{
	for (size_t i = 0; i < opened->count; i++)
		secret_finish(&opened->secrets[i]);
	opened->count = 0;
}

void secrets_wipe(struct secret_headers *headers)
{
	if (headers->bytes != NULL)
		secret_wipe(headers->bytes, headers->bytes_max);
	if (headers->url.len > 0)
		secret_wipe((char *)(uintptr_t)headers->url.data, headers->url.len);
}

static const struct connector_field *find_credential(const struct run *run, struct str name)
{
	for (size_t i = 0; i < run->format->field_count; i++)
		if (str_equal(run->format->fields[i].name, name))
			return &run->format->fields[i];
	return NULL;
}

/* *value is empty and the result true when the account has none of a field it need not have. */
static bool open_field(const struct run *run, struct opened *opened, struct str name,
		       struct str *value, struct error *err)
{
	for (size_t i = 0; i < opened->count; i++) {
		*value = secret_str(&opened->secrets[i]);
		if (str_equal(opened->names[i], name))
			return true;
	}
	*value = (struct str){NULL, 0};
	if (json_is(run->credential, JSON_OBJECT)) {
		struct json given = json_get(run->credential, name);

		return json_is(given, JSON_UNDEFINED) || native_text(run->arena, given, value) ||
		       error_set(err, ERROR_INVALID, "the credential is not made of texts");
	}
	const struct connector_field *field = find_credential(run, name);
	if (opened->count == SECRETS_MAX)
		return error_set(err, ERROR_INTERNAL, "more than %d credential fields",
				 SECRETS_MAX);
	if (!account_open_credential(run->services->accounts, run->account, name,
				     &opened->secrets[opened->count], err)) {
		if (err->code != ERROR_NOT_FOUND)
			return false;
		return (field != NULL && !field->is_required) ||
		       error_set(err, ERROR_INTERNAL, "the account's credential has no \"%.*s\"",
				 STR_ARGS(name));
	}
	opened->names[opened->count] = name;
	*value = secret_str(&opened->secrets[opened->count++]);
	return true;
}

static bool append_secret(struct secret_headers *headers, struct str text, struct error *err)
{
	if (text.len > headers->bytes_max - headers->bytes_len)
		return error_set(err, ERROR_LIMIT, "the headers of the call are too long");
	if (text.len > 0)
		memcpy(headers->bytes + headers->bytes_len, text.data, text.len);
	headers->bytes_len += text.len;
	return true;
}

/* The value's text; *is_whole is false when a field of it is not there. */
static bool append_value(const struct run *run, struct opened *opened,
			 const struct connector_header *header, bool *is_whole, struct error *err)
{
	*is_whole = true;
	for (size_t i = 0; i < header->value.count; i++) {
		const struct template_part *part = &header->value.parts[i];
		struct str text = part->text;

		if (part->is_name && !open_field(run, opened, part->text, &text, err))
			return false;
		*is_whole = *is_whole && text.len > 0;
		if (!append_secret(opened->headers, text, err))
			return false;
	}
	return true;
}

/* The text from `start` on, as the credentials of HTTP's "Basic", behind it. */
static bool append_basic(struct secret_headers *headers, size_t *start, struct error *err)
{
	struct str plain = str_make(headers->bytes + *start, headers->bytes_len - *start);
	size_t len = sodium_base64_ENCODED_LEN(plain.len, sodium_base64_VARIANT_ORIGINAL);

	*start = headers->bytes_len;
	if (!append_secret(headers, STR("Basic "), err))
		return false;
	assert(len <= headers->bytes_max - headers->bytes_len);
	sodium_bin2base64(headers->bytes + headers->bytes_len, len,
			  (const unsigned char *)plain.data, plain.len,
			  sodium_base64_VARIANT_ORIGINAL);
	headers->bytes_len += len - 1; /* without its NUL */
	return true;
}

/* A header whose field is not there is left out. */
static bool make_header(const struct run *run, struct opened *opened,
			const struct connector_header *header, struct error *err)
{
	struct secret_headers *headers = opened->headers;
	size_t start = headers->bytes_len;
	bool is_whole;

	if (!append_value(run, opened, header, &is_whole, err))
		return false;
	if (!is_whole && !header->is_basic)
		return true;
	if (header->is_basic && !append_basic(headers, &start, err))
		return false;
	struct str value = str_make(headers->bytes + start, headers->bytes_len - start);
	if (http_has_control_byte(value))
		return error_set(err, ERROR_INVALID, "the credential has a control byte in it");
	headers->items[headers->count++] = (struct http_header){header->name, value};
	return true;
}

static bool measure_value(const struct run *run, struct opened *opened,
			  const struct connector_header *header, size_t *bytes, struct error *err)
{
	size_t len = 0;

	for (size_t k = 0; k < header->value.count; k++) {
		struct str text = header->value.parts[k].text;

		if (header->value.parts[k].is_name && !open_field(run, opened, text, &text, err))
			return false;
		len += text.len;
	}
	*bytes += len;
	if (header->is_basic)
		*bytes += strlen("Basic ") +
			  sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
	return true;
}

/* How long all the header values will be: they get one place of that size, which does not move,
 * for growing would leave copies of secrets behind. */
static bool measure_headers(const struct run *run, struct opened *opened, size_t *bytes,
			    struct error *err)
{
	*bytes = 0;
	for (size_t i = 0; i < run->format->header_count; i++)
		if (!measure_value(run, opened, &run->format->headers[i], bytes, err))
			return false;
	for (size_t i = 0; i < run->format->query_count; i++)
		if (!measure_value(run, opened, &run->format->query[i], bytes, err))
			return false;
	return *bytes <= HEADER_BYTES_MAX ||
	       error_set(err, ERROR_LIMIT, "the headers of the call are too long");
}

static struct str accept_of(const struct native_call *call)
{
	switch (call->answer) {
	case ANSWER_JSON:
		return STR("application/json");
	case ANSWER_BYTES:
		return STR("*/*");
	default:
		return STR("application/json, */*;q=0.5");
	}
}

static bool fill_headers(const struct run *run, const struct native_call *call,
			 struct opened *opened, struct error *err)
{
	const struct connector_format *format = run->format;
	struct secret_headers *headers = opened->headers;
	bool has_accept = false;

	if (format->header_count + 2 > HEADERS_MAX)
		return error_set(err, ERROR_INTERNAL, "more than %d headers", HEADERS_MAX - 2);
	if (call->is_elsewhere)
		return true;
	if (call->body.data != NULL || call->source != NULL)
		headers->items[headers->count++] =
			(struct http_header){STR("Content-Type"), call->content_type};
	if (!measure_headers(run, opened, &headers->bytes_max, err))
		return false;
	headers->bytes = arena_alloc(run->arena, headers->bytes_max);
	for (size_t i = 0; i < format->header_count; i++) {
		if (!make_header(run, opened, &format->headers[i], err))
			return false;
		has_accept |= str_equal_nocase(format->headers[i].name, STR("Accept"));
	}
	if (!has_accept)
		headers->items[headers->count++] =
			(struct http_header){STR("Accept"), accept_of(call)};
	return true;
}

/* A parameter whose field is not there is left out. */
static bool append_parameter(const struct run *run, struct opened *opened,
			     const struct connector_header *parameter, struct buffer *url,
			     struct error *err)
{
	struct secret_headers *headers = opened->headers;
	size_t start = headers->bytes_len;
	bool is_whole;

	if (!append_value(run, opened, parameter, &is_whole, err))
		return false;
	if (!is_whole)
		return true;
	buffer_append_byte(url, str_find_byte(buffer_str(url), '?') < 0 ? '?' : '&');
	url_encode(url, parameter->name);
	buffer_append_byte(url, '=');
	url_encode(url, str_make(headers->bytes + start, headers->bytes_len - start));
	return true;
}

/* The URL with a credential in its query has a place of its own, which does not grow either. */
static bool extend_url(const struct run *run, struct opened *opened, struct str *url,
		       struct error *err)
{
	struct buffer longer;

	buffer_init(&longer, run->arena, 2 * URL_BYTES_MAX);
	(void)buffer_room(&longer, 2 * URL_BYTES_MAX - 1);
	buffer_append(&longer, *url);
	for (size_t i = 0; i < run->format->query_count; i++)
		if (!append_parameter(run, opened, &run->format->query[i], &longer, err))
			return false;
	*url = opened->headers->url = buffer_str(&longer);
	return buffer_check(&longer, "the URL of the call", err);
}

/* The call may take long: meanwhile the values alone are kept, and locked memory is free. */
bool secrets_open(const struct run *run, const struct native_call *call, struct str *url,
		  struct secret_headers *headers, struct error *err)
{
	struct opened opened = {.headers = headers};
	bool ok = fill_headers(run, call, &opened, err) &&
		  (call->is_elsewhere || run->format->query_count == 0 ||
		   extend_url(run, &opened, url, err));

	close_secrets(&opened);
	return ok;
}

/* Bytes of the client's are not ours to change. */
static void copy_text(struct arena *arena, struct str *text)
{
	if (text->len > 0)
		*text = arena_str(arena, *text);
}

/* `text` is a copy of ours. */
static void blot_text(struct str text, struct str secret)
{
	struct str rest = text;
	ptrdiff_t at;

	while (secret.len >= SECRET_MIN && (at = str_find(rest, secret)) >= 0) {
		memset((char *)(uintptr_t)rest.data + at, '*', secret.len);
		rest = str_slice(rest, (size_t)at + secret.len, rest.len);
	}
}

static void blot_response(struct http_response *response, struct str secret)
{
	blot_text(response->body, secret);
	for (size_t i = 0; i < response->header_count; i++)
		blot_text(response->headers[i].value, secret);
}

/* Errors are shown and logged: an ATS that repeats the token it refuses must not put it there. */
void secrets_blot(const struct run *run, struct http_response *response)
{
	struct opened opened = {0};
	struct error ignored;
	struct str secret;

	if (response->status < 300)
		return;
	copy_text(run->arena, &response->body);
	for (size_t i = 0; i < response->header_count; i++)
		copy_text(run->arena, &response->headers[i].value);
	for (size_t i = 0; i < run->format->field_count; i++)
		if (open_field(run, &opened, run->format->fields[i].name, &secret, &ignored))
			blot_response(response, secret);
	if (connector_is_oauth(run->format) &&
	    open_field(run, &opened, STR(CONNECTOR_ACCESS_TOKEN), &secret, &ignored))
		blot_response(response, secret);
	close_secrets(&opened);
}

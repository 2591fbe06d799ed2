/* What an ATS's error becomes. */
#include <assert.h>

#include "ats/operation/run.h"

enum {
	SAID_BYTES_MAX = 300,
	BODY_BYTES_MAX = 64 * 1024 + 1, /* one more than what a door reads as JSON */
	HEADERS_TOLD_MAX = 16,
	HEADER_BYTES_MAX = 256,
	NAMES_MAX = 50,
	NAME_BYTES_MAX = 200,
};

/* The ATS's own words, on one line, cut between characters. */
static struct str find_words(const struct run *run, struct json body)
{
	struct json value;

	if (run->connector->error_message == NULL || json_is(body, JSON_UNDEFINED) ||
	    !run_evaluate(run, run->connector->error_message, body, &value) ||
	    !json_is(value, JSON_STRING))
		return (struct str){NULL, 0};
	struct str words = json_str(value);
	if (words.len > SAID_BYTES_MAX) {
		size_t end = SAID_BYTES_MAX;

		while (end > 0 && ((unsigned char)words.data[end] & 0xc0) == 0x80)
			end--;
		words = str_slice(words, 0, end);
	}
	return str_trim(words);
}

static enum error_code find_code(int status)
{
	switch (status) {
	case 400:
	case 422:
		return ERROR_INVALID;
	case 401:
		return ERROR_UNAUTHORIZED;
	case 403:
		return ERROR_FORBIDDEN;
	case 404:
	case 410:
		return ERROR_NOT_FOUND;
	case 409:
		return ERROR_CONFLICT;
	case 429:
		return ERROR_RATE_LIMITED;
	default:
		return ERROR_UPSTREAM;
	}
}

static const char *find_reason(int status)
{
	switch (status) {
	case 401:
		return "the ATS refused the account's credential";
	case 403:
		return "the account's credential may not do this in the ATS";
	case 404:
	case 410:
		return "the ATS has nothing of that id";
	case 429:
		return "the ATS's rate limit is used up";
	default:
		return "the ATS answered with an error";
	}
}

/* Some ATSs say so by another status, and in the body. */
static bool is_rate_limited(const struct run *run, int status, struct json body)
{
	const struct jsonata *expression = run->connector->rate_limited;
	struct json value;

	return status == 429 ||
	       (expression != NULL && !json_is(body, JSON_UNDEFINED) &&
		run_evaluate(run, expression, body, &value) && json_is(value, JSON_BOOL) &&
		value.boolean);
}

bool remote_error(const struct run *run, const struct http_response *response, struct json body,
		  struct error *err)
{
	struct str words = find_words(run, body);
	bool is_limit = is_rate_limited(run, response->status, body);
	int as = is_limit ? 429 : response->status;

	assert(response->status >= 300 || response->status < 200);
	error_set(err, find_code(as), "%s (%d)%s%.*s", find_reason(as), response->status,
		  words.len > 0 ? ": " : "", STR_ARGS(words));
	err->remote_status = response->status;
	return is_limit;
}

/* --- what else it tells ----------------------------------------------------------------------- */

/* Of a response's headers: how to come again, how to ask the ATS's people about it, and what its
 * body is. */
static bool is_told(struct str name)
{
	static const struct str names[] = {
		STR_INIT("content-type"),     STR_INIT("retry-after"),
		STR_INIT("x-request-id"),     STR_INIT("request-id"),
		STR_INIT("x-correlation-id"), STR_INIT("x-trace-id"),
		STR_INIT("x-runtime"),	      STR_INIT("www-authenticate"),
		STR_INIT("x-amzn-requestid"), STR_INIT("cf-ray"),
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (str_equal(name, names[i]))
			return true;
	return str_starts_with(name, STR("ratelimit")) ||
	       str_starts_with(name, STR("x-ratelimit")) ||
	       str_starts_with(name, STR("x-rate-limit"));
}

/* A header may hold any bytes; a JSON text may not. */
static struct str plain(struct arena *arena, struct str value)
{
	struct buffer text;

	buffer_init(&text, arena, HEADER_BYTES_MAX);
	for (size_t i = 0; i < value.len && i < HEADER_BYTES_MAX; i++) {
		char c = value.data[i];

		buffer_append_byte(&text, c >= ' ' && c <= '~' ? c : '?');
	}
	return buffer_str(&text);
}

static bool has_key(const struct json_builder *builder, struct str key)
{
	return !json_is(json_get(json_builder_object(builder), key), JSON_UNDEFINED);
}

static struct json find_headers(const struct run *run, const struct http_response *response)
{
	struct json_builder headers;

	json_builder_init(&headers, run->home);
	for (size_t i = 0; i < response->header_count && headers.count < HEADERS_TOLD_MAX; i++) {
		const struct http_header *header = &response->headers[i];

		/* Of several of one name the first. */
		if (is_told(header->name) && !has_key(&headers, header->name))
			json_builder_set(&headers, arena_str(run->home, header->name),
					 json_string(plain(run->home, header->value)));
	}
	return json_builder_object(&headers);
}

/* The texts of what an expression gives: one, or a list of them. */
static struct json find_names(const struct run *run, const struct jsonata *expression,
			      struct json body)
{
	struct json_builder names;
	struct json value;

	json_builder_init(&names, run->home);
	if (expression == NULL || json_is(body, JSON_UNDEFINED) ||
	    !run_evaluate(run, expression, body, &value))
		return json_builder_array(&names);
	bool is_list = json_is(value, JSON_ARRAY);
	for (size_t i = 0; i < (is_list ? value.count : 1) && names.count < NAMES_MAX; i++) {
		struct json name = is_list ? json_at(value, i) : value;

		if (json_is(name, JSON_STRING) && name.count > 0 && name.count <= NAME_BYTES_MAX)
			json_builder_add(&names, json_copy(run->home, name));
	}
	return json_builder_array(&names);
}

/* RFC 6750: error="insufficient_scope", scope="a b" are rights which a token lacks. */
static struct json find_scopes(const struct run *run, const struct http_response *response)
{
	static const struct str mark = STR_INIT(" scope=\"");
	struct str header = http_response_header(response, "www-authenticate");
	struct json_builder names;
	ptrdiff_t at = str_find(header, mark);

	json_builder_init(&names, run->home);
	if (at < 0 || str_find(header, STR("error=\"insufficient_scope\"")) < 0)
		return json_builder_array(&names);
	struct str rest = str_slice(header, (size_t)at + mark.len, header.len);
	struct str scopes = plain(run->home, str_cut(&rest, '"'));
	while (scopes.len > 0 && names.count < NAMES_MAX)
		json_builder_add(&names, json_string(str_cut(&scopes, ' ')));
	return json_builder_array(&names);
}

void remote_note(const struct run *run, const struct http_response *response, struct json body)
{
	struct operation_result *result = run->result;
	const struct connector *connector = run->connector;
	int status = response->status;

	result->remote_status = status;
	result->remote_body = str_slice(response->body, 0, BODY_BYTES_MAX);
	result->remote_insight = (struct remote_insight){.headers = find_headers(run, response)};
	if (status == 400 || status == 422) {
		struct json fields = find_names(run, connector->missing_fields, body);
		if (fields.count > 0)
			result->remote_insight.missing_fields = fields;
	}
	if (status == 403 && !is_rate_limited(run, status, body)) {
		struct json rights = find_names(run, connector->missing_rights, body);
		result->remote_insight.missing_rights =
			rights.count > 0 ? rights : find_scopes(run, response);
	}
}

/* What an ATS's error becomes. */
#include <assert.h>

#include "ats/operation/run.h"

enum { SAID_BYTES_MAX = 300 };

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

bool remote_error(const struct run *run, const struct http_response *response, struct json body,
		  struct error *err)
{
	struct str words = find_words(run, body);

	assert(response->status >= 300 || response->status < 200);
	error_set(err, find_code(response->status), "%s (%d)%s%.*s", find_reason(response->status),
		  response->status, words.len > 0 ? ": " : "", STR_ARGS(words));
	err->remote_status = response->status;
	return false;
}

#include "front/door/door.h"

#include <stdatomic.h>
#include <stdio.h>

#include "ats/link/link.h"
#include "base/log.h"

enum { REPLY_BYTES_MAX = 256 * 1024 * 1024 };

const double door_bucket_bounds_ms[11] = {1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 5000};

static const struct json_limits body_limits = {
	.bytes_max = 16 * 1024 * 1024, .depth_max = 64, .nodes_max = 1000000};

/* --- who calls ------------------------------------------------------------------------------ */

static bool authorise_local(const struct door *door, struct http_exchange *exchange,
			    struct caller *caller, struct error *err)
{
	struct environment environment;
	struct str name;

	*caller = (struct caller){.scopes = KEY_SCOPE_CALL | KEY_SCOPE_ADMIN};
	if (!http_exchange_query(exchange, "environment", &name))
		return true;
	/* Keys are rotated and revoked of what there is: a name mistyped makes nothing. */
	bool may_create = exchange->method == HTTP_POST &&
			  !str_starts_with(exchange->path, STR("/vault/"));
	if (!environment_find(door->services->accounts, exchange->arena, name, may_create,
			      &environment, err))
		return false;
	caller->environment_id = environment.id;
	return true;
}

struct str door_bearer(const struct http_exchange *exchange)
{
	struct str header = str_trim(http_exchange_header(exchange, "authorization"));
	struct str scheme = str_cut(&header, ' ');

	return str_equal_nocase(scheme, STR("bearer")) ? str_trim(header) : (struct str){NULL, 0};
}

static bool is_of_account(struct str path)
{
	return str_starts_with(path, STR("/unified/")) || str_starts_with(path, STR("/proxy/")) ||
	       str_starts_with(path, STR("/custom/")) ||
	       str_equal(path, STR("/integrated-account/me"));
}

static bool authorise_account(const struct door *door, struct http_exchange *exchange,
			      struct str token, unsigned scopes, struct caller *caller,
			      struct error *err)
{
	*caller = (struct caller){.scopes = KEY_SCOPE_CALL};
	if (!account_token_authorise(door->links, exchange->arena, token, &caller->environment_id,
				     &caller->account_id, err))
		return false;
	return ((scopes & KEY_SCOPE_CALL) && is_of_account(exchange->path)) ||
	       error_set(err, ERROR_FORBIDDEN,
			 "the token of an account is for /unified, /proxy, /custom and "
			 "/integrated-account/me of that account");
}

static bool authorise(const struct door *door, struct http_exchange *exchange, unsigned scopes,
		      struct caller *caller, struct error *err)
{
	struct api_key key;
	struct str token = door_bearer(exchange);

	if (exchange->is_local)
		return authorise_local(door, exchange, caller, err);
	if (token.len == 0)
		return error_set_field(err, ERROR_UNAUTHORIZED, "authorization", "Bearer API_KEY",
				       "an API key is wanted in the Authorization header");
	if (account_token_is(token))
		return authorise_account(door, exchange, token, scopes, caller, err);
	if (!api_key_authorise(door->services->accounts, exchange->arena, token, &key, err))
		return false;
	if (!(key.scopes & scopes))
		return error_set(err, ERROR_FORBIDDEN, "this API key may not do that; it wants the scope %s",
				 scopes == KEY_SCOPE_ADMIN ? "admin" : "call");
	*caller = (struct caller){.environment_id = key.environment_id,
				  .key_id = key.id,
				  .scopes = key.scopes};
	return true;
}

bool door_authorise(const struct door *door, struct http_exchange *exchange, unsigned scopes,
		    struct caller *caller, struct error *err)
{
	struct store_scope before = store_enter_all();
	bool ok = authorise(door, exchange, scopes, caller, err);

	if (!ok)
		store_leave(&before);
	else if (caller->environment_id.len > 0)
		(void)store_enter(caller->environment_id);
	return ok;
}

/* Local callers are the operator of the machine: they may find an account wherever it is. */
static bool find_anywhere(const struct door *door, struct arena *arena, struct str id,
			  struct account *account, struct error *err)
{
	struct environment *list;
	size_t count;

	if (!environment_list(door->services->accounts, arena, &list, &count, err))
		return false;
	error_set_field(err, ERROR_NOT_FOUND, "integrated_account_id", NULL,
			"there is no integrated account of this id");
	for (size_t i = 0; i < count; i++) {
		if (account_find(door->services->accounts, arena, list[i].id, id, account, err))
			return true;
		if (err->code != ERROR_NOT_FOUND)
			return false;
	}
	return false;
}

bool door_find_account(const struct door *door, struct arena *arena, const struct caller *caller,
		       struct str id, struct account *account, struct error *err)
{
	if (caller->account_id.len > 0) {
		if (id.len > 0 && !str_equal(id, caller->account_id))
			return error_set_field(err, ERROR_FORBIDDEN, "integrated_account_id", NULL,
					       "the token is for another account");
		id = caller->account_id;
	}
	if (id.len == 0)
		return error_set_field(err, ERROR_INVALID, "integrated_account_id",
				       "the id of an integrated account",
				       "integrated_account_id is missing");
	if (caller->environment_id.len == 0)
		return find_anywhere(door, arena, id, account, err);
	return account_find(door->services->accounts, arena, caller->environment_id, id, account,
			    err);
}

/* --- bodies and replies --------------------------------------------------------------------- */

bool door_parse_body(struct http_exchange *exchange, struct json *out, struct error *err)
{
	struct error inner;

	if (!json_parse(exchange->arena, exchange->body, &body_limits, out, &inner))
		return error_set_field(err, inner.code, "body", "a JSON object",
				       "the body is not JSON: %s", inner.message);
	if (!json_is(*out, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "body", "a JSON object",
				       "the body is JSON, but no object");
	return true;
}

bool door_read_limit(struct str text, int64_t *limit, struct error *err)
{
	if (str_to_int64(text, limit) && *limit >= 1 && *limit <= OPERATION_LIMIT_MAX)
		return true;
	return error_set_field(err, ERROR_INVALID, "limit", "a whole number from 1 to 1000",
			       "limit must be a whole number from 1 to 1000, not \"%.*s\"",
			       STR_ARGS(str_slice(text, 0, 64)));
}

struct str door_base_url(const struct door *door, const struct http_exchange *exchange)
{
	struct str base = door->services->public_url;
	struct str host = http_exchange_header(exchange, "host");

	if (base.len > 0 || host.len == 0 || exchange->is_local)
		return base;
	return arena_format(exchange->arena, "%s://%.*s", door->has_tls ? "https" : "http",
			    STR_ARGS(host));
}

void door_reply(struct http_exchange *exchange, int status, struct json value)
{
	door_reply_sized(exchange, status, value, 256);
}

void door_reply_sized(struct http_exchange *exchange, int status, struct json value,
		      size_t bytes_about)
{
	struct buffer body;
	struct error err;

	buffer_init(&body, exchange->arena, REPLY_BYTES_MAX);
	if (bytes_about < REPLY_BYTES_MAX)
		buffer_room(&body, bytes_about);
	json_print(&body, value);
	if (!buffer_check(&body, "the reply", &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	exchange->status = status;
	exchange->reply = buffer_str(&body);
}

/* The ATS's body as JSON where it is JSON, else as text; cut, for it may be anything. */
static struct json remote_body(struct arena *arena, struct str body)
{
	static const struct json_limits limits = {64 * 1024, 32, 10000};
	struct json value;
	struct error ignored;

	if (json_parse(arena, body, &limits, &value, &ignored))
		return value;
	struct buffer text;
	buffer_init(&text, arena, 4096);
	for (size_t i = 0; i < body.len && i < 2000; i++) {
		unsigned char c = (unsigned char)body.data[i];
		buffer_append_byte(&text, c < 0x80 ? (char)c : '?');
	}
	return json_string(buffer_str(&text));
}

static void add_remote(struct json_builder *members, struct arena *arena,
		       const struct operation_result *remote)
{
	struct json_builder inner;

	if (remote == NULL || remote->remote_status == 0)
		return;
	json_builder_init(&inner, arena);
	json_builder_set(&inner, STR("status"), json_int(remote->remote_status));
	json_builder_set(&inner, STR("headers"), remote->remote_insight.headers);
	json_builder_set(&inner, STR("body"), remote_body(arena, remote->remote_body));
	json_builder_set(members, STR("remote"), json_builder_object(&inner));
}

static struct json number_or_null(struct str digits)
{
	int64_t number;

	return str_to_int64(digits, &number) ? json_int(number) : json_null();
}

/* Whose limit it was, and what is known of it. */
static struct json explain_limit(struct arena *arena, const struct error *err,
				 const struct operation_result *remote)
{
	static const struct rate_limit unknown = {0};
	bool is_theirs = err->remote_status != 0;
	const struct rate_limit *told =
		is_theirs && remote != NULL ? &remote->rate_limit : &unknown;
	struct json_builder limit;

	json_builder_init(&limit, arena);
	json_builder_set(&limit, STR("by"), json_string(is_theirs ? STR("ats") : STR("account")));
	json_builder_set(&limit, STR("limit"),
			 told->limit.len > 0 ? json_string(told->limit) : json_null());
	json_builder_set(&limit, STR("remaining"), number_or_null(told->remaining));
	json_builder_set(&limit, STR("reset"), number_or_null(told->reset));
	json_builder_set(&limit, STR("retry_after"),
			 err->retry_after_ms > 0 ? json_int((err->retry_after_ms + 999) / 1000)
						 : json_null());
	return json_builder_object(&limit);
}

/* What to do about it, where that can be told. */
static void add_insight(struct json_builder *members, struct arena *arena, const struct error *err,
			const struct operation_result *remote)
{
	struct json_builder inner;

	json_builder_init(&inner, arena);
	if (remote != NULL && remote->remote_status != 0) {
		json_builder_set(&inner, STR("missing_fields"),
				 remote->remote_insight.missing_fields);
		json_builder_set(&inner, STR("missing_rights"),
				 remote->remote_insight.missing_rights);
	}
	if (err->code == ERROR_RATE_LIMITED)
		json_builder_set(&inner, STR("rate_limit"), explain_limit(arena, err, remote));
	if (inner.count > 0)
		json_builder_set(members, STR("insight"), json_builder_object(&inner));
}

static void set_error_headers(struct http_exchange *exchange, const struct error *err)
{
	if (err->retry_after_ms > 0)
		http_exchange_set_header(
			exchange, "Retry-After",
			arena_format(exchange->arena, "%lld",
				     (long long)((err->retry_after_ms + 999) / 1000)));
	if (err->code == ERROR_UNAUTHORIZED)
		http_exchange_set_header(exchange, "WWW-Authenticate",
					 STR("Bearer realm=\"tenon\""));
	if (err->code == ERROR_METHOD && err->allowed[0] != '\0')
		http_exchange_set_header(exchange, "Allow", str_from_c(err->allowed));
}

void door_reply_error(struct http_exchange *exchange, const struct error *err,
		      const struct operation_result *remote)
{
	door_reply_error_with(exchange, err, remote, "", json_undefined());
}

void door_reply_error_with(struct http_exchange *exchange, const struct error *err,
			   const struct operation_result *remote, const char *name,
			   struct json value)
{
	struct json_builder members;
	struct buffer body;
	int status = exchange->status >= 400 ? exchange->status : error_http_status(err->code);

	json_builder_init(&members, exchange->arena);
	json_builder_set(&members, STR("statusCode"), json_int(status));
	json_builder_set(&members, STR("error"), json_string_c(error_name(err->code)));
	json_builder_set(&members, STR("message"), json_string_c(err->message));
	if (err->field[0] != '\0')
		json_builder_set(&members, STR("field"), json_string_c(err->field));
	if (err->allowed[0] != '\0')
		json_builder_set(&members, STR("allowed"), json_string_c(err->allowed));
	json_builder_set(&members, STR("request_id"), json_string(exchange->request_id));
	json_builder_set(&members, str_from_c(name), value);
	add_insight(&members, exchange->arena, err, remote);
	add_remote(&members, exchange->arena, remote);
	set_error_headers(exchange, err);
	buffer_init(&body, exchange->arena, REPLY_BYTES_MAX);
	json_print(&body, json_builder_object(&members));
	exchange->status = status;
	exchange->reply = buffer_str(&body);
}

void door_set_timing(const struct door *door, struct http_exchange *exchange,
		     const struct operation_result *result)
{
	int64_t total = clock_monotonic_ns(door->services->clock) - exchange->started_ns;
	int64_t own = total - result->upstream_ns - result->wait_ns;

	http_exchange_set_header(
		exchange, "Server-Timing",
		arena_format(exchange->arena, "upstream;dur=%.3f, wait;dur=%.3f, tenon;dur=%.3f",
			     (double)result->upstream_ns / 1e6, (double)result->wait_ns / 1e6,
			     (double)(own < 0 ? 0 : own) / 1e6));
}

void door_set_rate_limit(struct http_exchange *exchange, const struct operation_result *result)
{
	const struct rate_limit *told = &result->rate_limit;

	if (told->limit.len > 0)
		http_exchange_set_header(exchange, "ratelimit-limit", told->limit);
	if (told->remaining.len > 0)
		http_exchange_set_header(exchange, "ratelimit-remaining", told->remaining);
	if (told->reset.len > 0)
		http_exchange_set_header(exchange, "ratelimit-reset", told->reset);
}

/* --- afterwards ----------------------------------------------------------------------------- */

static void count(struct door_counts *counts, int status, int64_t duration_us)
{
	size_t bucket = 0;

	while (bucket < 11 && (double)duration_us / 1000 > door_bucket_bounds_ms[bucket])
		bucket++;
	atomic_fetch_add_explicit(&counts->duration_buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts->duration_us_total, (uint64_t)duration_us,
				  memory_order_relaxed);
	size_t hundreds = status < 100 || status > 599 ? 0 : (size_t)status / 100;
	atomic_fetch_add_explicit(&counts->requests[hundreds], 1, memory_order_relaxed);
}

void door_finish(const struct door *door, const struct http_exchange *exchange, const char *route)
{
	int64_t duration_us =
		(clock_monotonic_ns(door->services->clock) - exchange->started_ns) / 1000;
	/* A made-up method is the caller's own text: not for the log. */
	const char *method = exchange->method == HTTP_METHODS ? "other"
							      : http_method_name(exchange->method);

	count(door->counts, exchange->status, duration_us < 0 ? 0 : duration_us);
	LOG(LOG_INFO, "request", LOG_S(request_id, exchange->request_id),
	    LOG_C(method, method), LOG_C(route, route),
	    LOG_N(status, exchange->status), LOG_N(duration_us, duration_us),
	    LOG_N(bytes, (int64_t)(exchange->reply.len + exchange->written)));
}

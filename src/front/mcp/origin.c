/* Which web pages may call, and under which name of the server. A page of anybody's may send
 * requests to a server on the visitor's own machine, and may give that machine a name of its own:
 * so both the page's origin and the name that it was reached by are judged. */
#include "front/mcp/parts.h"

/* "https://a.example:8443" → "a.example:8443"; empty where it is no URL. */
static struct str authority(struct str url)
{
	ptrdiff_t at = str_find(url, STR("://"));

	if (at < 0)
		return (struct str){NULL, 0};
	struct str rest = str_slice(url, (size_t)at + 3, url.len);
	return str_cut(&rest, '/');
}

/* Without its port. */
static struct str host_of(struct str authority)
{
	ptrdiff_t end = str_find_byte(authority, ']');

	if (str_starts_with(authority, STR("[")))
		return end < 0 ? authority : str_slice(authority, 0, (size_t)end + 1);
	return str_cut(&authority, ':');
}

static bool is_loopback(struct str host)
{
	return str_equal_nocase(host, STR("localhost")) || str_equal(host, STR("127.0.0.1")) ||
	       str_equal(host, STR("[::1]"));
}

static struct str own_origin(const struct door *door, const struct http_exchange *exchange)
{
	struct str base = door_base_url(door, exchange);
	struct str place = authority(base);

	return place.len == 0
		       ? place
		       : str_make(base.data, (size_t)(place.data + place.len - base.data));
}

static bool is_allowed(const struct door *door, const struct http_exchange *exchange,
		       struct str origin)
{
	const struct mcp_door_options *options = &door->mcp->options;

	if (str_equal_nocase(origin, own_origin(door, exchange)))
		return true;
	if (options->is_loopback && is_loopback(host_of(authority(origin))))
		return true;
	for (size_t i = 0; i < options->origin_count; i++)
		if (str_equal_nocase(origin, options->origins[i]))
			return true;
	return false;
}

static bool refuse(struct http_exchange *exchange, const char *message)
{
	mcp_reply_error(exchange, 403, json_undefined(), MCP_INVALID_REQUEST, message,
			json_undefined());
	return false;
}

static bool check_host(const struct door *door, struct http_exchange *exchange)
{
	struct str host = host_of(http_exchange_header(exchange, "host"));
	struct str known = host_of(authority(door->services->public_url));

	if (!door->mcp->options.is_loopback || is_loopback(host) ||
	    (known.len > 0 && str_equal_nocase(host, known)))
		return true;
	return refuse(exchange, "this server listens on its own machine only and is not known by the "
				"name in the Host header: use localhost, 127.0.0.1 or [::1], or start "
				"it with --public-url");
}

bool mcp_check_origin(const struct door *door, struct http_exchange *exchange)
{
	struct str origin = http_exchange_header(exchange, "origin");

	if (exchange->is_local)
		return true;
	if (!check_host(door, exchange))
		return false;
	if (origin.len == 0 || is_allowed(door, exchange, origin))
		return true;
	return refuse(exchange, "pages of this Origin may not call: start the server with "
				"--mcp-origin, if they should");
}

void mcp_allow_origin(const struct door *door, struct http_exchange *exchange)
{
	struct str origin = http_exchange_header(exchange, "origin");

	http_exchange_set_header(exchange, "Vary", STR("Origin"));
	if (origin.len == 0 || exchange->is_local || !is_allowed(door, exchange, origin))
		return;
	http_exchange_set_header(exchange, "Access-Control-Allow-Origin", origin);
	http_exchange_set_header(exchange, "Access-Control-Expose-Headers",
				 STR("WWW-Authenticate, Mcp-Session-Id, Retry-After, X-Request-Id"));
}

/* A page's browser asks first. The token comes with the request itself. */
static void answer_preflight(const struct door *door, struct http_exchange *exchange,
			     const char *methods)
{
	if (!mcp_check_origin(door, exchange))
		return;
	mcp_allow_origin(door, exchange);
	http_exchange_set_header(exchange, "Access-Control-Allow-Methods", str_from_c(methods));
	http_exchange_set_header(
		exchange, "Access-Control-Allow-Headers",
		STR("Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, "
		    "Mcp-Session-Id, Last-Event-ID, X-MCP-Token"));
	http_exchange_set_header(exchange, "Access-Control-Max-Age", STR("7200"));
	exchange->status = 204;
}

void mcp_answer_options(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	(void)match;
	answer_preflight(context, exchange, "POST");
}

void mcp_answer_metadata_options(void *context, struct http_exchange *exchange,
				 const struct http_match *match)
{
	(void)match;
	answer_preflight(context, exchange, "GET");
}

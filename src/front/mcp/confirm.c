/* Writes that a person confirms: the result of the first call asks, the client's next call has the
 * answer, and with it a sealed note of what was asked, so that nothing else can be done with it. */
#include <sodium.h>

#include "front/mcp/parts.h"

enum {
	NONCE_BYTES = 16,
	DIGEST_BYTES = 32,
	GOOD_FOR_MS = 10 * 60 * 1000,
	SHOWN_BYTES_MAX = 600,
};

/* A form is the way that is meant where a client says no more than that it can ask. */
static bool can_ask(const struct mcp_request *request)
{
	struct json elicitation =
		json_get_c(mcp_meta(request, "clientCapabilities"), "elicitation");

	return request->is_modern && json_is(elicitation, JSON_OBJECT) &&
	       (elicitation.count == 0 || json_is(json_get_c(elicitation, "form"), JSON_OBJECT));
}

static bool is_wanted(const struct mcp_request *request, const struct tool *tool, bool is_dry)
{
	if ((tool->kind & TOOL_READ) || is_dry || !can_ask(request))
		return false;
	switch (request->caller.held->server.confirm) {
	case MCP_CONFIRM_WRITES:
		return true;
	case MCP_CONFIRM_DESTRUCTIVE:
		return tool->is_destructive;
	case MCP_CONFIRM_NEVER:
		break;
	}
	return false;
}

/* --- what was asked, sealed ------------------------------------------------------------------ */

static struct vault_binding binding(const struct mcp_request *request)
{
	const struct mcp_server *server = &request->caller.held->server;

	return (struct vault_binding){
		.environment = server->environment_id,
		.subject = server->id.len > 0 ? server->id : server->account_id,
		.field = STR("mcp_confirm"),
	};
}

struct str mcp_digest_text(struct arena *arena, struct str text)
{
	unsigned char bytes[DIGEST_BYTES];
	char *hex = arena_alloc(arena, DIGEST_BYTES * 2 + 1);

	crypto_generichash(bytes, sizeof bytes, (const unsigned char *)text.data, text.len, NULL,
			   0);
	sodium_bin2hex(hex, DIGEST_BYTES * 2 + 1, bytes, sizeof bytes);
	return str_from_c(hex);
}

/* Of the tool and its arguments. */
static struct str digest(const struct mcp_request *request, const struct tool *tool,
			 struct json arguments)
{
	struct arena *arena = request->exchange->arena;
	struct str printed = json_text(arena, arguments);

	return mcp_digest_text(arena, arena_format(arena, "%.*s %.*s", STR_ARGS(tool->name),
						   STR_ARGS(printed)));
}

/* "DIGEST EXPIRES NONCE" */
static struct str seal(const struct mcp_request *request, struct str what)
{
	const struct operation_services *services = request->door->services;
	struct arena *arena = request->exchange->arena;
	const struct vault_binding bound = binding(request);
	unsigned char bytes[NONCE_BYTES];
	char hex[NONCE_BYTES * 2 + 1];

	random_fill(services->random, bytes, sizeof bytes);
	sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
	return vault_seal_token(
		services->vault, arena, &bound,
		arena_format(arena, "%.*s %lld %s", STR_ARGS(what),
			     (long long)(clock_unix_ms(services->clock) + GOOD_FOR_MS), hex));
}

static bool open_note(struct mcp_request *request, struct str what, struct str *nonce)
{
	const struct operation_services *services = request->door->services;
	const struct vault_binding bound = binding(request);
	struct json token = json_get_c(request->params, "requestState");
	struct str plain;
	struct error err;
	int64_t expires_ms;

	if (!json_is(token, JSON_STRING) ||
	    !vault_open_token(services->vault, request->exchange->arena, &bound, json_str(token),
			      &plain, &err) ||
	    !str_equal(str_cut(&plain, ' '), what) ||
	    !str_to_int64(str_cut(&plain, ' '), &expires_ms) ||
	    expires_ms < clock_unix_ms(services->clock))
		return mcp_fail(request, 400, MCP_INVALID_PARAMS,
				"requestState is not of this call, or too old: call again without it",
				json_undefined());
	*nonce = plain;
	return true;
}

/* --- asking ---------------------------------------------------------------------------------- */

static struct str question(struct arena *arena, const struct tool *tool, struct json arguments)
{
	struct str shown = json_is(arguments, JSON_OBJECT) ? json_text(arena, arguments) : STR("{}");
	const char *end = "";

	if (shown.len > SHOWN_BYTES_MAX) {
		shown.len = SHOWN_BYTES_MAX;
		/* Not amid a character. */
		while (shown.len > 0 && ((unsigned char)shown.data[shown.len] & 0xc0) == 0x80)
			shown.len--;
		end = "…";
	}
	return arena_format(arena, "%.*s (%.*s) with %.*s%s", STR_ARGS(tool->title),
			    STR_ARGS(tool->name), STR_ARGS(shown), end);
}

static void ask(struct mcp_request *request, const struct tool *tool, struct json arguments)
{
	static const char head[] = "\"resultType\":\"input_required\",\"inputRequests\":{"
				   "\"confirm\":{\"method\":\"elicitation/create\",\"params\":{"
				   "\"mode\":\"form\",\"message\":";
	static const char schema[] =
		",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"confirm\":{\"type\":"
		"\"boolean\",\"title\":\"Do it\"}},\"required\":[\"confirm\"]}}}},"
		"\"requestState\":";
	struct arena *arena = request->exchange->arena;
	struct buffer text;
	struct json result;
	struct error err;

	buffer_init(&text, arena, SIZE_MAX);
	buffer_append_byte(&text, '{');
	buffer_append_c(&text, head);
	json_print(&text, json_string(question(arena, tool, arguments)));
	buffer_append_c(&text, schema);
	json_print(&text, json_string(seal(request, digest(request, tool, arguments))));
	buffer_append_byte(&text, '}');
	if (json_parse(arena, buffer_str(&text), &json_limits_default, &result, &err))
		mcp_reply(request, result);
	else
		mcp_fail(request, 500, MCP_INTERNAL_ERROR, err.message, json_undefined());
}

bool mcp_confirm(struct mcp_request *request, const struct tool *tool, struct json arguments,
		 bool is_dry, struct str *nonce)
{
	struct json answer =
		json_get_c(json_get_c(request->params, "inputResponses"), "confirm");
	struct json confirmed = json_get_c(json_get_c(answer, "content"), "confirm");

	*nonce = (struct str){NULL, 0};
	if (!is_wanted(request, tool, is_dry))
		return true;
	if (!json_is(answer, JSON_OBJECT)) {
		ask(request, tool, arguments);
		return false;
	}
	if (!open_note(request, digest(request, tool, arguments), nonce))
		return false;
	if (str_equal(json_get_str(answer, "action"), STR("accept")) &&
	    json_is(confirmed, JSON_BOOL) && confirmed.boolean)
		return true;
	mcp_reply_text(request,
		       STR("Not done: the person at the client declined. Nothing was changed."),
		       true);
	return false;
}

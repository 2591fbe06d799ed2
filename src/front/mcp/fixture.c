/* Tools of a conformance suite, where a test's executable has given them. */
#include "front/mcp/parts.h"

struct fixture_call {
	struct mcp_fixture_call base;
	struct mcp_request *request;
};

static const struct vault_binding state_binding = {
	.subject = STR_INIT("fixtures"),
	.field = STR_INIT("mcp_state"),
};

static void notify(struct mcp_fixture_call *call, const char *method, struct json params)
{
	mcp_notify(((struct fixture_call *)call)->request, method, params);
}

static bool open_state(struct mcp_request *request, struct json *state)
{
	struct arena *arena = request->exchange->arena;
	struct json token = json_get_c(request->params, "requestState");
	struct str plain;
	struct error err;

	*state = json_undefined();
	if (json_is(token, JSON_UNDEFINED))
		return true;
	if (!json_is(token, JSON_STRING) ||
	    !vault_open_token(request->door->services->vault, arena, &state_binding,
			      json_str(token), &plain, &err) ||
	    !json_parse(arena, plain, &json_limits_default, state, &err))
		return mcp_fail(request, 400, MCP_INVALID_PARAMS,
				"requestState is not what this server gave", json_undefined());
	return true;
}

static struct json seal_state(struct mcp_request *request, struct json result)
{
	struct arena *arena = request->exchange->arena;
	struct json state = json_get_c(result, "requestState");
	struct json_builder sealed;

	if (json_is(state, JSON_UNDEFINED))
		return result;
	json_builder_init(&sealed, arena);
	json_builder_set(&sealed, STR("requestState"),
			 json_string(vault_seal_token(request->door->services->vault, arena,
						      &state_binding, json_text(arena, state))));
	json_builder_set_others(&sealed, result, json_builder_object(&sealed));
	return json_builder_object(&sealed);
}

static bool check_responses(struct mcp_request *request, struct json responses)
{
	if (json_is(responses, JSON_UNDEFINED) || json_is(responses, JSON_OBJECT))
		return true;
	return mcp_fail(request, 400, MCP_INVALID_PARAMS, "inputResponses must be an object",
			json_undefined());
}

void mcp_call_fixture(struct mcp_request *request, struct str name)
{
	const struct mcp_fixtures *fixtures = request->door->mcp->options.fixtures;
	struct fixture_call call = {
		.base = {.exchange = request->exchange,
			 .arguments = json_get_c(request->params, "arguments"),
			 .meta = request->meta,
			 .capabilities = mcp_meta(request, "clientCapabilities"),
			 .responses = json_get_c(request->params, "inputResponses"),
			 .notify = notify},
		.request = request,
	};
	struct json error = json_undefined(), result;
	int64_t code = MCP_INTERNAL_ERROR;

	if (!check_responses(request, call.base.responses) ||
	    !open_state(request, &call.base.state))
		return;
	result = fixtures->call(&call.base, name, &error);
	if (json_is(result, JSON_OBJECT)) {
		mcp_reply(request, seal_state(request, result));
		return;
	}
	if (!json_to_int64(json_get_c(error, "code"), &code))
		code = MCP_INTERNAL_ERROR;
	mcp_fail(request, code == MCP_MISSING_CAPABILITY ? 400 : 200, (int)code,
		 arena_c(request->exchange->arena, json_get_str(error, "message")),
		 json_get_c(error, "data"));
}

/* The real server with the tools that the protocol's conformance suite calls. Prints its address
 * and serves until it is ended: mcp_fixtures [DATA_FOLDER] */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/server/server.h"
#include "front/mcp/mcp.h"

#define PIXEL                                                                                      \
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJ"   \
	"RU5ErkJggg=="
#define SOUND "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define CONTENT(parts) "{\"content\":[" parts "]}"
#define IMAGE "{\"type\":\"image\",\"data\":\"" PIXEL "\",\"mimeType\":\"image/png\"}"
#define AUDIO "{\"type\":\"audio\",\"data\":\"" SOUND "\",\"mimeType\":\"audio/wav\"}"
#define RESOURCE                                                                                   \
	"{\"type\":\"resource\",\"resource\":{\"uri\":\"test://embedded-resource\","               \
	"\"mimeType\":\"text/plain\",\"text\":\"This is an embedded resource content.\"}}"
#define FORM(message, name, type)                                                                  \
	"{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"" message  \
	"\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"" name                      \
	"\":{\"type\":\"" type "\"}},\"required\":[\"" name "\"]}}}"
#define SAMPLING(text, tokens)                                                                     \
	"{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\","     \
	"\"content\":{\"type\":\"text\",\"text\":\"" text "\"}}],\"maxTokens\":" tokens "}}"
#define ROOTS "{\"method\":\"roots/list\",\"params\":{}}"
#define INPUT(requests) "{\"resultType\":\"input_required\",\"inputRequests\":{" requests "}}"
#define INPUT_STATE(requests, state)                                                               \
	"{\"resultType\":\"input_required\",\"inputRequests\":{" requests                          \
	"},\"requestState\":" state "}"

#define SCHEMA "{\"type\":\"object\",\"additionalProperties\":false}"
#define SCHEMA_2020                                                                                \
	"{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","       \
	"\"$defs\":{\"address\":{\"$anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{"  \
	"\"street\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}}},\"properties\":{"      \
	"\"name\":{\"type\":\"string\"},\"address\":{\"$ref\":\"#/$defs/address\"},"               \
	"\"contactMethod\":{\"type\":\"string\",\"enum\":[\"phone\",\"email\"]},"                  \
	"\"phone\":{\"type\":\"string\"},\"email\":{\"type\":\"string\"}},"                        \
	"\"allOf\":[{\"anyOf\":[{\"required\":[\"phone\"]},{\"required\":[\"email\"]}]}],"         \
	"\"if\":{\"properties\":{\"contactMethod\":{\"const\":\"phone\"}},"                        \
	"\"required\":[\"contactMethod\"]},\"then\":{\"required\":[\"phone\"]},"                   \
	"\"else\":{\"required\":[\"email\"]},\"additionalProperties\":false}"

/* A tool answers `result` once it has what it asks for, `ask`, in answers to all of `keys`. */
struct fixture {
	const char *name;
	const char *schema;
	const char *result;
	const char *ask;
	const char *keys[4];
	const char *state; /* wanted with the answers; NULL: none */
};

static const struct fixture fixtures[] = {
	{.name = "json_schema_2020_12_tool", .schema = SCHEMA_2020, .result = CONTENT(TEXT("ok"))},
	{.name = "test_audio_content", .result = CONTENT(AUDIO)},
	{.name = "test_embedded_resource", .result = CONTENT(RESOURCE)},
	{.name = "test_error_handling",
	 .result = "{\"isError\":true,\"content\":["
		   TEXT("This tool intentionally returns an error for testing") "]}"},
	{.name = "test_image_content", .result = CONTENT(IMAGE)},
	{.name = "test_input_required_result_capabilities",
	 .result = CONTENT(TEXT("done"))},
	{.name = "test_input_required_result_elicitation",
	 .ask = INPUT("\"user_name\":" FORM("What is your name?", "name", "string")),
	 .keys = {"user_name"},
	 .result = CONTENT(TEXT("Hello!"))},
	{.name = "test_input_required_result_list_roots",
	 .ask = INPUT("\"client_roots\":" ROOTS),
	 .keys = {"client_roots"},
	 .result = CONTENT(TEXT("The roots are there."))},
	{.name = "test_input_required_result_multi_round", .result = CONTENT(TEXT("done"))},
	{.name = "test_input_required_result_multiple_inputs",
	 .ask = INPUT_STATE("\"user_name\":" FORM("What is your name?", "name", "string")
				    ",\"greeting\":" SAMPLING("Generate a greeting", "50")
				    ",\"client_roots\":" ROOTS,
			    "\"inputs\""),
	 .keys = {"user_name", "greeting", "client_roots"},
	 .state = "inputs",
	 .result = CONTENT(TEXT("All is there."))},
	{.name = "test_input_required_result_request_state",
	 .ask = INPUT_STATE("\"confirm\":" FORM("Please confirm", "ok", "boolean"), "\"state\""),
	 .keys = {"confirm"},
	 .state = "state",
	 .result = CONTENT(TEXT("state-ok"))},
	{.name = "test_input_required_result_sampling",
	 .ask = INPUT("\"capital_question\":" SAMPLING("What is the capital of France?", "100")),
	 .keys = {"capital_question"},
	 .result = CONTENT(TEXT("Paris"))},
	{.name = "test_input_required_result_tampered_state",
	 .ask = INPUT_STATE("\"confirm\":" FORM("Please confirm", "ok", "boolean"), "\"whole\""),
	 .keys = {"confirm"},
	 .state = "whole",
	 .result = CONTENT(TEXT("state-ok"))},
	{.name = "test_logging_tool", .result = CONTENT(TEXT("Nothing was logged."))},
	{.name = "test_missing_capability", .result = CONTENT(TEXT("The client can sample."))},
	{.name = "test_multiple_content_types",
	 .result = CONTENT(TEXT("Multiple content types test:") "," IMAGE "," RESOURCE)},
	{.name = "test_simple_text",
	 .result = CONTENT(TEXT("This is a simple text response for testing."))},
	{.name = "test_streaming_elicitation",
	 .ask = INPUT("\"confirm\":" FORM("Go on?", "ok", "boolean")),
	 .keys = {"confirm"},
	 .result = CONTENT(TEXT("done"))},
	{.name = "test_tool_with_progress", .result = CONTENT(TEXT("done"))},
};
enum { FIXTURES = sizeof fixtures / sizeof fixtures[0] };

static struct json parse(struct arena *arena, const char *text)
{
	struct json value;
	struct error err;

	if (!json_parse(arena, str_from_c(text), &json_limits_default, &value, &err))
		die("%s: %s", text, err.message);
	return value;
}

static struct json list(struct arena *arena)
{
	struct json_builder tools, tool;

	json_builder_init(&tools, arena);
	for (size_t i = 0; i < FIXTURES; i++) {
		const char *schema = fixtures[i].schema == NULL ? SCHEMA : fixtures[i].schema;

		json_builder_init(&tool, arena);
		json_builder_set(&tool, STR("name"), json_string_c(fixtures[i].name));
		json_builder_set(&tool, STR("description"), json_string_c("A tool of the suite."));
		json_builder_set(&tool, STR("inputSchema"), parse(arena, schema));
		json_builder_add(&tools, json_builder_object(&tool));
	}
	return json_builder_array(&tools);
}

/* --- calls ----------------------------------------------------------------------------------- */

static bool can(const struct mcp_fixture_call *call, const char *capability)
{
	return json_is(json_get_c(call->capabilities, capability), JSON_OBJECT);
}

static bool has_state(const struct mcp_fixture_call *call, const char *state)
{
	return json_is(call->state, JSON_STRING) && str_equal_c(json_str(call->state), state);
}

static bool has_answers(const struct mcp_fixture_call *call, const struct fixture *fixture)
{
	for (size_t i = 0; i < 4 && fixture->keys[i] != NULL; i++)
		if (!json_is(json_get_c(call->responses, fixture->keys[i]), JSON_OBJECT))
			return false;
	return fixture->state == NULL || has_state(call, fixture->state);
}

static const char *ask_what_it_can(const struct mcp_fixture_call *call)
{
	if (call->responses.count > 0)
		return CONTENT(TEXT("done"));
	if (can(call, "sampling"))
		return INPUT("\"capital\":" SAMPLING("What is the capital of France?", "100"));
	return INPUT("\"user_name\":" FORM("What is your name?", "name", "string"));
}

static const char *ask_twice(const struct mcp_fixture_call *call)
{
	bool has_second = json_is(json_get_c(call->responses, "step2"), JSON_OBJECT);

	if (has_state(call, "second") && has_second)
		return CONTENT(TEXT("done"));
	if (has_state(call, "first") &&
	    json_is(json_get_c(call->responses, "step1"), JSON_OBJECT))
		return INPUT_STATE("\"step2\":" FORM("Step 2: What is your favorite color?",
						     "color", "string"),
				   "\"second\"");
	return INPUT_STATE("\"step1\":" FORM("Step 1: What is your name?", "name", "string"),
			   "\"first\"");
}

static void tell_progress(struct mcp_fixture_call *call)
{
	struct arena *arena = call->exchange->arena;
	struct json token = json_get_c(call->meta, "progressToken");

	if (json_is(token, JSON_UNDEFINED))
		return;
	for (int64_t progress = 0; progress <= 100; progress += 50) {
		struct json_builder params;

		json_builder_init(&params, arena);
		json_builder_set(&params, STR("progressToken"), token);
		json_builder_set(&params, STR("progress"), json_int(progress));
		json_builder_set(&params, STR("total"), json_int(100));
		call->notify(call, "notifications/progress", json_builder_object(&params));
	}
}

static struct json run(struct mcp_fixture_call *call, const struct fixture *fixture,
		       struct json *error)
{
	struct arena *arena = call->exchange->arena;
	struct str name = str_from_c(fixture->name);

	if (str_equal(name, STR("test_missing_capability")) && !can(call, "sampling")) {
		*error = parse(arena, "{\"code\":-32021,\"message\":\"sampling is wanted\","
				      "\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}");
		return json_undefined();
	}
	if (str_equal(name, STR("test_input_required_result_capabilities")))
		return parse(arena, ask_what_it_can(call));
	if (str_equal(name, STR("test_input_required_result_multi_round")))
		return parse(arena, ask_twice(call));
	if (str_equal(name, STR("test_tool_with_progress")))
		tell_progress(call);
	if (fixture->ask != NULL && !has_answers(call, fixture))
		return parse(arena, fixture->ask);
	return parse(arena, fixture->result);
}

static struct json call_tool(struct mcp_fixture_call *call, struct str name, struct json *error)
{
	for (size_t i = 0; i < FIXTURES; i++)
		if (str_equal_c(name, fixtures[i].name))
			return run(call, &fixtures[i], error);
	*error = parse(call->exchange->arena,
		       "{\"code\":-32602,\"message\":\"there is no such tool\"}");
	return json_undefined();
}

/* --- serving --------------------------------------------------------------------------------- */

static const struct mcp_fixtures tools = {list, call_tool};

static int serve(const char *folder)
{
	const struct server_options options = {
		.data_folder = folder,
		.share_folder = SOURCE_FOLDER,
		.listen = STR("127.0.0.1:0"),
		.workers = 1,
		.mcp_fixtures = &tools,
	};
	struct error err;
	sigset_t ends;
	int signal;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	struct server *server = server_open(&options, &err);
	if (server == NULL || !server_start(server, &err))
		die("%s", err.message);
	printf("listens on http://%.*s\n", STR_ARGS(server_address(server)));
	fflush(stdout);
	sigwait(&ends, &signal);
	server_close(server);
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

int main(int argc, char **argv)
{
	char made[] = "/tmp/mcp_fixtures.XXXXXX";

	if (argc > 1)
		return serve(argv[1]);
	if (mkdtemp(made) == NULL)
		die("no folder for data");
	int code = serve(made);
	nftw(made, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return code;
}

/* The endpoint: POST of one message, from whoever may, to the method that it names. */
#include <stdlib.h>

#include "front/mcp/parts.h"

enum { LISTS_BYTES_MAX = 64 * 1024 * 1024 };

struct mcp_door *mcp_door_create(const struct mcp_door_options *options)
{
	struct mcp_door *mcp = calloc(1, sizeof *mcp);

	if (mcp == NULL)
		die("out of memory");
	mcp->options = *options;
	arena_init(&mcp->arena, LISTS_BYTES_MAX);
	pthread_mutex_init(&mcp->lock, NULL);
	mcp_lists_init(mcp);
	mcp->keys = mcp_keys_create(options->clock);
	return mcp;
}

void mcp_door_destroy(struct mcp_door *mcp)
{
	if (mcp == NULL)
		return;
	arena_finish(&mcp->arena);
	pthread_mutex_destroy(&mcp->lock);
	mcp_keys_destroy(mcp->keys);
	free(mcp);
}

bool mcp_is_ours(const struct http_exchange *exchange)
{
	return str_starts_with(exchange->path, STR("/mcp/"));
}

void mcp_refuse(struct http_exchange *exchange, const struct error *err)
{
	/* The server may know a more fitting status than the table. */
	int status = exchange->status >= 400 ? exchange->status : error_http_status(err->code);

	mcp_reply_error(exchange, status, json_undefined(), MCP_INVALID_REQUEST, err->message,
			json_undefined());
}

/* --- methods --------------------------------------------------------------------------------- */

static void ping(struct mcp_request *request)
{
	mcp_reply_members(request, STR(""));
}

static const struct method {
	struct str name;
	bool is_modern, is_legacy;
	void (*run)(struct mcp_request *request);
} methods[] = {
	{STR_INIT("tools/call"), true, true, mcp_call_tool},
	{STR_INIT("tools/list"), true, true, mcp_list_tools},
	{STR_INIT("server/discover"), true, false, mcp_discover},
	{STR_INIT("initialize"), false, true, mcp_initialize},
	{STR_INIT("ping"), false, true, ping},
};

static void run_method(struct mcp_request *request)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		const struct method *method = &methods[i];

		if (str_equal(method->name, request->method) &&
		    (request->is_modern ? method->is_modern : method->is_legacy)) {
			method->run(request);
			return;
		}
	}
	mcp_fail(request, request->is_modern ? 404 : 200, MCP_METHOD_NOT_FOUND,
		 "there is no such method", json_undefined());
}

/* --- the endpoint ---------------------------------------------------------------------------- */

static void run_message(struct mcp_request *request)
{
	if (!mcp_read(request) || !mcp_check(request))
		return;
	if (!json_is(request->id, JSON_UNDEFINED) && request->method.len > 0) {
		run_method(request);
		return;
	}
	request->exchange->status = 202;
	if (!request->is_modern && str_equal(request->method, STR("notifications/cancelled")))
		mcp_cancel(request);
}

static void answer(const struct door *door, struct http_exchange *exchange,
		   enum mcp_address address, struct str name)
{
	struct mcp_request request = {.door = door, .exchange = exchange};

	if (!mcp_admit(door, exchange, address, name, &request.caller))
		return;
	run_message(&request);
	mcp_leave(door, &request.caller);
}

static void handle_server(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	const struct door *door = context;
	struct str name = match->parts[0];
	enum mcp_address address = MCP_BY_ID;

	if (door->mcp->options.fixtures != NULL && str_equal(name, STR("fixtures")))
		address = MCP_BY_FIXTURE;
	else if (str_starts_with(name, STR("tmcp_")))
		address = MCP_BY_TOKEN;
	answer(door, exchange, address, name);
}

static void handle_account(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	answer(context, exchange, MCP_BY_ACCOUNT, match->parts[0]);
}

const struct http_route mcp_routes[] = {
	{HTTP_POST, "/mcp/{mcp_id}", handle_server, NULL},
	{HTTP_POST, "/mcp/account/{id}", handle_account, NULL},
	{HTTP_OPTIONS, "/mcp/{mcp_id}", mcp_answer_options, NULL},
	{HTTP_GET, MCP_METADATA_PATH, mcp_show_root_metadata, NULL},
	{HTTP_OPTIONS, MCP_METADATA_PATH, mcp_answer_metadata_options, NULL},
	{HTTP_GET, MCP_METADATA_PATH "/mcp/{mcp_id}", mcp_show_metadata, NULL},
	{HTTP_OPTIONS, MCP_METADATA_PATH "/mcp/{mcp_id}", mcp_answer_metadata_options, NULL},
};
const size_t mcp_route_count = sizeof mcp_routes / sizeof mcp_routes[0];

/* A bare proxy of loop, server and client: what the way through them costs, without any work on
 * the bodies, which are whole, or streams under "/stream/". `proxy_loop UPSTREAM [PORT]` serves
 * until it is killed and prints its address. */
#include "io/http/http.h"

struct proxy {
	struct http_client *client;
	struct str upstream;
};

static void pass_on(struct http_handler *handler, struct http_exchange *exchange)
{
	struct proxy *proxy = handler->context;
	struct http_response response;
	struct error err;
	struct http_request request = {
		.method = HTTP_GET,
		.url = arena_format(exchange->arena, "%.*s%.*s", STR_ARGS(proxy->upstream),
				    STR_ARGS(exchange->path)),
		.deadline_ns = exchange->started_ns + (int64_t)30 * 1000000000,
		.response_bytes_max = 16 * 1024 * 1024,
	};

	if (!http_client_send(proxy->client, exchange->arena, &request, &response, &err)) {
		exchange->status = error_http_status(err.code);
		exchange->reply = arena_format(exchange->arena, "%s\n", err.message);
		return;
	}
	exchange->status = response.status;
	exchange->reply = response.body;
}

enum { STREAM_MAX = 1024 * 1024 * 1024, PIECE = 32 * 1024 };

static size_t stream_max(struct http_handler *handler, const struct http_exchange *exchange)
{
	(void)handler;
	return str_starts_with(exchange->path, STR("/stream/")) ? STREAM_MAX : 0;
}

static void pass_stream_on(struct proxy *proxy, struct http_exchange *exchange)
{
	struct http_response response;
	struct error err;
	struct http_request request = {
		.method = exchange->method,
		.url = arena_format(exchange->arena, "%.*s%.*s", STR_ARGS(proxy->upstream),
				    STR_ARGS(exchange->path)),
		.source = exchange->is_stream ? http_exchange_source(exchange) : NULL,
		.deadline_ns = exchange->started_ns + (int64_t)30 * 1000000000,
	};
	char *piece = arena_alloc(exchange->arena, PIECE);
	ssize_t got;

	struct http_call *call = http_client_open(proxy->client, exchange->arena, &request,
						  &response, &err);
	if (call == NULL) {
		exchange->status = error_http_status(err.code);
		exchange->reply = arena_format(exchange->arena, "%s\n", err.message);
		return;
	}
	http_exchange_begin_reply(exchange, response.status, response.body_length);
	while ((got = http_client_read(call, piece, PIECE, &err)) > 0)
		if (!http_exchange_write(exchange, str_make(piece, (size_t)got), &err))
			break;
	if (got != 0)
		http_exchange_break(exchange);
	http_client_close(call);
}

static void handle(struct http_handler *handler, struct http_exchange *exchange)
{
	if (str_starts_with(exchange->path, STR("/stream/")))
		pass_stream_on(handler->context, exchange);
	else
		pass_on(handler, exchange);
}

static void refuse(struct http_handler *handler, struct http_exchange *exchange,
		   const struct error *err)
{
	(void)handler;
	exchange->reply = arena_format(exchange->arena, "%s\n", err->message);
}

int main(int argc, char **argv)
{
	static const struct http_client_options options = {.user_agent = "proxy_loop"};
	struct proxy proxy = {.upstream = str_from_c(argc > 1 ? argv[1] : "")};
	struct http_handler handler = {handle, refuse, &proxy, stream_max};
	struct error err = {0};
	struct arena arena;
	struct str bound;
	int fd;

	if (argc < 2)
		die("usage: proxy_loop UPSTREAM [PORT]");
	arena_init(&arena, 1024 * 1024);
	struct str address = arena_format(&arena, "127.0.0.1:%s", argc > 2 ? argv[2] : "0");
	struct loop *loop = loop_create(clock_system(), random_system(), &err);
	if (loop == NULL || (proxy.client = http_client_create(loop, &options, &err)) == NULL ||
	    !http_listen(&arena, address, &fd, 1, &bound, &err) ||
	    http_server_create(loop, fd, false, &http_server_limits_default, &handler, &err) ==
		    NULL)
		die("%s", err.message);
	printf("http://%.*s\n", STR_ARGS(bound));
	fflush(stdout);
	loop_run(loop);
	return 0;
}

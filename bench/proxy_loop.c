/* A bare proxy of loop, server and client: what the way through them costs, without any work on
 * the bodies. `proxy_loop UPSTREAM [PORT]` serves until it is killed and prints its address. */
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
	struct http_handler handler = {pass_on, refuse, &proxy};
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

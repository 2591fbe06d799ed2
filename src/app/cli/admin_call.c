/* Administration takes the same way whether a server runs or not: a request to its HTTP door,
 * over the network with a key, over the data folder's socket, or without any socket. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/cli/commands.h"
#include "ats/calls/calls.h"
#include "base/log.h"

enum { CALL_SECONDS = 120, REPLY_BYTES_MAX = 256 * 1024 * 1024 };

void target_add(struct buffer *target, const char *name, struct str value)
{
	buffer_append_c(target, str_find_byte(buffer_str(target), '?') < 0 ? "?" : "&");
	url_encode(target, str_from_c(name));
	buffer_append_c(target, "=");
	url_encode(target, value);
}

static bool read_reach(struct cli *cli, struct server_options *options, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "allow-address", given, CLI_VALUES_MAX);
	struct http_range *ranges = arena_array(&cli->arena, count + 1, sizeof *ranges);

	options->allows_http = cli_flag(cli, "allow-http");
	options->allowed = ranges;
	options->allowed_count = count;
	for (size_t i = 0; i < count; i++)
		if (!http_range_read(str_from_c(given[i]), &ranges[i], err))
			return false;
	return true;
}

/* A password may not stand where every user of the machine can read it. */
static bool has_password(struct str database)
{
	ptrdiff_t scheme = str_find(database, STR("://"));
	ptrdiff_t at = str_find_byte(database, '@');

	if (scheme < 0)
		return str_find(database, STR("password")) >= 0;
	struct str user = str_slice(database, (size_t)scheme + 3, at < 0 ? 0 : (size_t)at);
	return (at > scheme && str_find_byte(user, ':') >= 0) ||
	       str_find(database, STR("password=")) >= 0;
}

bool database_option_read(const struct cli *cli, const char *option, const char *variable,
			  const char **database, struct error *err)
{
	const char *given = cli_value(cli, option); /* the option, else the variable */
	const char *set = getenv(variable);
	bool is_option = given != NULL && (set == NULL || strcmp(given, set) != 0);

	if (is_option && has_password(str_from_c(given)))
		return error_set_field(err, ERROR_INVALID, option, "postgresql://HOST/NAME",
				       "--%s must not hold a password, which others on this "
				       "machine could read: give it in %s, PGPASSFILE or PGPASSWORD",
				       option, variable);
	*database = given == NULL || *given == '\0' ? NULL : given;
	return true;
}

bool server_options_read(struct cli *cli, struct server_options *options,
			 struct server_base_url *base_urls, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "connector-base-url", given, CLI_VALUES_MAX);
	const char *data = cli_value(cli, "data");

	/* How long calls are remembered is for the server to say: here none may be forgotten. */
	*options = (struct server_options){.log_days = CALLS_DAYS_MAX,
					   .data_folder = data == NULL ? "tenon-data" : data,
					   .share_folder = cli_value(cli, "share"),
					   .master_key_file = cli_value(cli, "master-key"),
					   .listen = STR("127.0.0.1:8080"),
					   .base_urls = base_urls,
					   .base_url_count = count};
	for (size_t i = 0; i < count; i++)
		if (!cli_pair("connector-base-url", given[i], &base_urls[i].connector,
			      &base_urls[i].url, err))
			return false;
	return database_option_read(cli, "database", "TENON_DATABASE", &options->database, err) &&
	       read_reach(cli, options, err);
}

/* --- over a socket -------------------------------------------------------------------------- */

struct remote_call {
	struct loop *loop;
	struct http_client *client;
	struct arena *arena;
	const struct http_request *request;
	struct http_response *response;
	struct error *err;
	bool ok;
};

static void run_remote_call(void *context)
{
	struct remote_call *call = context;

	call->ok = http_client_send(call->client, call->arena, call->request, call->response,
				    call->err);
	loop_stop(call->loop);
}

static bool call_over_socket(struct cli *cli, const struct http_client_options *options,
			     const struct http_request *request, struct http_response *response,
			     struct error *err)
{
	struct remote_call call = {.arena = &cli->arena,
				   .request = request,
				   .response = response,
				   .err = err};

	call.loop = loop_create(clock_system(), random_system(), err);
	if (call.loop == NULL)
		return false;
	call.client = http_client_create(call.loop, options, err);
	if (call.client != NULL) {
		loop_post(call.loop, run_remote_call, &call);
		loop_run(call.loop);
	}
	http_client_destroy(call.client);
	loop_destroy(call.loop);
	return call.ok;
}

static bool call_server(struct cli *cli, const char *server, const char *unix_socket,
			enum http_method method, struct str target, struct str body, int *status,
			struct str *reply, struct error *err)
{
	struct http_client_options options = {.unix_socket = unix_socket,
					      .user_agent = "tenon/" TENON_VERSION};
	struct http_response response = {0};
	struct http_header headers[2] = {{STR("Content-Type"), STR("application/json")}};
	size_t header_count = 1;
	const char *key = getenv("TENON_API_KEY");

	if (unix_socket == NULL && key == NULL)
		return error_set(err, ERROR_UNAUTHORIZED,
				 "a key with the scope admin is wanted in TENON_API_KEY");
	if (unix_socket == NULL)
		headers[header_count++] =
			(struct http_header){STR("Authorization"),
					     arena_format(&cli->arena, "Bearer %s", key)};
	struct http_request request = {
		.method = method,
		.url = arena_format(&cli->arena, "%s%.*s", server, STR_ARGS(target)),
		.headers = headers,
		.header_count = header_count,
		.body = body,
		.has_body = body.len > 0,
		.deadline_ns =
			clock_monotonic_ns(clock_system()) + (int64_t)CALL_SECONDS * 1000000000,
		.response_bytes_max = REPLY_BYTES_MAX,
	};
	if (!call_over_socket(cli, &options, &request, &response, err))
		return false;
	*status = response.status;
	*reply = response.body;
	return true;
}

/* --- without one ---------------------------------------------------------------------------- */

bool admin_is_served(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(socket_path) >= sizeof address.sun_path) {
		close(fd);
		return false;
	}
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	bool answered = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	close(fd);
	return answered;
}

static bool call_data_folder(struct cli *cli, const struct server_options *options,
			     enum http_method method, struct str target, struct str body,
			     int *status, struct str *reply, struct error *err)
{
	log_set_level(LOG_ERROR);
	struct server *server = server_open(options, err);

	if (server == NULL)
		return false;
	struct str borrowed;
	bool ok = server_dispatch(server, &cli->arena, method, target, body, status, &borrowed,
				  err);
	if (ok)
		*reply = arena_str(&cli->arena, borrowed);
	server_close(server);
	return ok;
}

bool admin_call_raw(struct cli *cli, enum http_method method, struct str target, struct str body,
		    int *status, struct str *reply, struct error *err)
{
	struct server_base_url base_urls[CLI_VALUES_MAX];
	struct server_options options;
	const char *server = cli_value(cli, "server");

	if (server != NULL)
		return call_server(cli, server, NULL, method, target, body, status, reply, err);
	if (!server_options_read(cli, &options, base_urls, err))
		return false;
	const char *path = arena_format(&cli->arena, "%s/tenon.sock", options.data_folder).data;
	if (admin_is_served(path))
		return call_server(cli, "http://localhost", path, method, target, body, status,
				   reply, err);
	return call_data_folder(cli, &options, method, target, body, status, reply, err);
}

/* The error which a reply tells, in our own words again. */
static bool error_from_reply(int status, struct json reply, struct error *err)
{
	struct str name = json_get_str(reply, "error");
	enum error_code code = ERROR_INTERNAL;

	for (int i = 1; i < ERROR_CODES; i++)
		if (str_equal_c(name, error_name((enum error_code)i)))
			code = (enum error_code)i;
	struct str message = json_get_str(reply, "message");
	if (message.len == 0)
		return error_set(err, code, "the server answered %d", status);
	return error_set(err, code, "%.*s", STR_ARGS(message));
}

bool admin_call(struct cli *cli, enum http_method method, struct str target, struct str body,
		struct json *reply, struct error *err)
{
	int status;
	struct str text;

	if (!admin_call_raw(cli, method, target, body, &status, &text, err))
		return false;
	if (!json_parse(&cli->arena, text, &json_limits_default, reply, err))
		return error_set(err, ERROR_INTERNAL, "the server answered %d and no JSON", status);
	return status < 400 || error_from_reply(status, *reply, err);
}

#include <signal.h>
#include <stdlib.h>

#include <sys/prctl.h>

#include "app/cli/commands.h"
#include "ats/calls/calls.h"
#include "ats/webhook/webhook.h"
#include "base/log.h"

enum { CERTIFICATE_LOOK_S = 2 };

static const struct cli_option options[] = {
	{"listen", "HOST:PORT", false, "where to listen (default: 127.0.0.1:8080; port 0: any free one)"},
	CLI_OPTION_DATA,
	{"workers", "N", false, "worker threads (default: one per core)"},
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
	CLI_OPTION_BASE_URL,
	{"tls-certificate", "FILE", false,
	 "serve HTTPS: a PEM file with the certificate and those above it"},
	{"tls-key", "FILE", false, "the PEM file of its key; both are read anew when they change"},
	CLI_OPTIONS_REACH,
	{"public-url", "URL", false,
	 "where callers reach this server, for links in answers (default: links are paths)"},
	{"mcp-origin", "ORIGIN", true,
	 "a web page's origin (https://HOST[:PORT]) that may call the MCP servers"},
	{"mcp-issuer", "URL", false,
	 "the authorization server that clients of the MCP servers are told of at the root"},
	{"call-timeout", "SECONDS", false, "how long one call may take in all (default: 60)"},
	{"log-days", "DAYS", false, "how long calls are kept in the log (default: 30; 0: not at all)"},
	{"webhook-retries", "DELAY,…", false,
	 "when a webhook's message is sent again, as 5s,5m,2h (default: over 75 hours)"},
	{"webhook-timeout", "SECONDS", false,
	 "how long a webhook's endpoint may take to answer (default: 15)"},
	{"otlp-endpoint", "URL", false,
	 "tell an OpenTelemetry collector of traces: http(s)://HOST:4318 (default: "
	 "OTEL_EXPORTER_OTLP_ENDPOINT)"},
	{"trace-ratio", "RATIO", false,
	 "which share of the traces that begin here is told, 0 to 1 (default: 1)"},
	{"drain-delay", "SECONDS", false,
	 "serve on for so long after SIGTERM, while /readyz says 503 (default: 0)"},
	{"allow-dumps", NULL, false, "let the process be dumped and debugged by its user"},
	{"log-level", "LEVEL", false, "debug, info, warning, error or silent (default: info)"},
};

static bool set_log_level(const struct cli *cli, struct error *err)
{
	static const char *const names[] = {"debug", "info", "warning", "error", "silent"};
	const char *given = cli_value(cli, "log-level");

	if (given == NULL)
		return true;
	for (int i = 0; i < 5; i++)
		if (strcmp(given, names[i]) == 0) {
			log_set_level((enum log_level)i);
			return true;
		}
	return error_set(err, ERROR_INVALID,
			 "--log-level must be debug, info, warning, error or silent");
}

/* As browsers spell it: no path, not even a slash. */
static bool is_origin(struct str text)
{
	ptrdiff_t scheme = str_find(text, STR("://"));

	return scheme > 0 && (size_t)scheme + 3 < text.len &&
	       str_find_byte(str_slice(text, (size_t)scheme + 3, text.len), '/') < 0;
}

static bool read_mcp(struct cli *cli, struct server_options *server, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "mcp-origin", given, CLI_VALUES_MAX);
	struct str *origins = arena_array(&cli->arena, count + 1, sizeof *origins);

	for (size_t i = 0; i < count; i++) {
		origins[i] = str_from_c(given[i]);
		if (!is_origin(origins[i]))
			return error_set_field(err, ERROR_INVALID, "mcp-origin",
					       "https://HOST[:PORT]",
					       "--mcp-origin must be an origin: https://HOST[:PORT], "
					       "without a path");
	}
	server->mcp_origins = origins;
	server->mcp_origin_count = count;
	server->mcp_issuer = str_from_c(cli_value(cli, "mcp-issuer"));
	return server->mcp_issuer.len == 0 || str_find(server->mcp_issuer, STR("://")) > 0 ||
	       error_set_field(err, ERROR_INVALID, "mcp-issuer", "a URL",
			       "--mcp-issuer must be the URL of an authorization server");
}

/* "5s", "5m", "2h" */
static bool read_delay(struct str text, int64_t *ms)
{
	int64_t number, unit;

	if (text.len < 2)
		return false;
	switch (text.data[text.len - 1]) {
	case 's':
		unit = 1000;
		break;
	case 'm':
		unit = 60 * 1000;
		break;
	case 'h':
		unit = 60 * 60 * 1000;
		break;
	default:
		return false;
	}
	if (!str_to_int64(str_slice(text, 0, text.len - 1), &number) || number < 1 ||
	    number > WEBHOOK_DELAY_S_MAX * 1000 / unit)
		return false;
	*ms = number * unit;
	return true;
}

static bool read_webhooks(struct cli *cli, struct server_options *server, struct error *err)
{
	struct str rest = str_from_c(cli_value(cli, "webhook-retries"));
	int64_t *delays = arena_array(&cli->arena, WEBHOOK_ATTEMPTS_MAX, sizeof *delays);
	int64_t timeout;

	if (!cli_number(cli, "webhook-timeout", 1, 30, 0, &timeout, err))
		return false;
	server->webhook_timeout_ms = timeout * 1000;
	server->webhook_delays_ms = delays;
	while (rest.len > 0) {
		struct str text = str_trim(str_cut(&rest, ','));

		if (server->webhook_delay_count == WEBHOOK_ATTEMPTS_MAX ||
		    !read_delay(text, &delays[server->webhook_delay_count++]))
			return error_set_field(err, ERROR_INVALID, "webhook-retries", "DELAY,…",
					       "--webhook-retries wants at most 20 delays of at "
					       "most seven days, such as 5s,5m,2h");
	}
	return true;
}

static struct str from_environment(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? (struct str){NULL, 0} : str_from_c(value);
}

/* "0.05" */
static bool read_ratio(struct str text, int64_t *millionths)
{
	struct str fraction = text;
	struct str whole = str_cut(&fraction, '.');
	int64_t number, unit = 1000000;

	if (!str_to_int64(whole, &number) || number < 0 || number > 1 || fraction.len > 6)
		return false;
	*millionths = number * unit;
	for (size_t i = 0; i < fraction.len; i++) {
		if (fraction.data[i] < '0' || fraction.data[i] > '9')
			return false;
		unit /= 10;
		*millionths += (fraction.data[i] - '0') * unit;
	}
	return *millionths <= 1000000;
}

/* The names of OpenTelemetry's own variables are known, too. Headers may hold a secret, which has
 * no place in a command line. */
static bool read_traces(struct cli *cli, struct server_options *server, struct error *err)
{
	const char *ratio = cli_value(cli, "trace-ratio");

	server->otlp_endpoint = str_from_c(cli_value(cli, "otlp-endpoint"));
	if (server->otlp_endpoint.len == 0)
		server->otlp_endpoint = from_environment("OTEL_EXPORTER_OTLP_ENDPOINT");
	server->otlp_headers = from_environment("OTEL_EXPORTER_OTLP_HEADERS");
	server->trace_service = from_environment("OTEL_SERVICE_NAME");
	server->trace_ratio_millionths = 1000000;
	return ratio == NULL || read_ratio(str_from_c(ratio), &server->trace_ratio_millionths) ||
	       error_set_field(err, ERROR_INVALID, "trace-ratio", "0 to 1",
			       "--trace-ratio must be a number from 0 to 1, such as 0.05");
}

static bool read_options(struct cli *cli, struct server_options *server,
			 struct server_base_url *base_urls, struct error *err)
{
	int64_t workers, timeout;
	const char *listen;

	if (!set_log_level(cli, err) || !server_options_read(cli, server, base_urls, err) ||
	    !read_traces(cli, server, err) || !read_mcp(cli, server, err) ||
	    !read_webhooks(cli, server, err) ||
	    !cli_number(cli, "workers", 1, 256, 0, &workers, err) ||
	    !cli_number(cli, "call-timeout", 1, 3600, 0, &timeout, err) ||
	    !cli_number(cli, "log-days", 0, CALLS_DAYS_MAX, CALLS_DAYS_DEFAULT, &server->log_days,
			err))
		return false;
	listen = cli_value(cli, "listen");
	if (listen != NULL)
		server->listen = str_from_c(listen);
	server->public_url = str_from_c(cli_value(cli, "public-url"));
	server->tls_certificate = cli_value(cli, "tls-certificate");
	server->tls_key = cli_value(cli, "tls-key");
	server->workers = (size_t)workers;
	server->call_timeout_ms = timeout * 1000;
	return true;
}

/* SIGHUP, and every few seconds a look at the files, renew the certificate meanwhile. */
static int wait_for_end(struct server *server)
{
	for (;;) {
		int signal = wait_for_signal_or(CERTIFICATE_LOOK_S);

		if (signal != 0 && signal != SIGHUP)
			return signal;
		server_reload_tls(server, signal == SIGHUP);
	}
}

/* Who sends calls here looks at /readyz now and then: until then they are answered. Another signal
 * cuts that short. */
static void end(struct server *server, int signal, int64_t delay_s)
{
	LOG(LOG_INFO, "stopping", LOG_N(signal, signal));
	server_begin_drain(server);
	while (delay_s > 0 && wait_for_signal_or((int)delay_s) == SIGHUP)
		;
	server_stop(server);
	server_close(server);
}

static int run(struct cli *cli)
{
	struct server_base_url base_urls[CLI_VALUES_MAX];
	struct server_options server_options;
	int64_t delay_s;
	struct error err;

	if (cli->word_count > 0)
		return cli_fail_usage(cli, "serve takes options only");
	if (!read_options(cli, &server_options, base_urls, &err) ||
	    !cli_number(cli, "drain-delay", 0, 3600, 0, &delay_s, &err))
		return cli_fail(&err);
	/* Nobody of the same user attaches to it, and a crash leaves no image of its memory. */
	if (!cli_flag(cli, "allow-dumps") && prctl(PR_SET_DUMPABLE, 0) != 0)
		return cli_fail_usage(cli, "this system lets the process be dumped; say --allow-dumps");
	block_signals();
	struct server *server = server_open(&server_options, &err);
	if (server == NULL || !server_start(server, &err)) {
		server_close(server);
		return cli_fail(&err);
	}
	cli_print(arena_format(&cli->arena, "tenon listens on %.*s",
			       STR_ARGS(server_url(server, &cli->arena))));
	end(server, wait_for_end(server), delay_s);
	return 0;
}

const struct cli_command cmd_serve = {
	.name = "serve",
	.arguments = "",
	.summary = "run the server",
	.details = "It prints one line when it accepts connections. SIGTERM lets calls under way end.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

#include "app/cli/commands.h"
#include "app/sandbox/sandbox.h"
#include "base/log.h"

enum { SECRET_BYTES_MAX = 4096 };

static const struct cli_option options[] = {
	{"listen", "HOST:PORT", false, "where to listen (default: 127.0.0.1:9700; port 0: any free one)"},
	{"seed", "N", false, "the same seed makes the same company (default: 1)"},
	{"candidates", "N", false, "how many candidates (default: 200)"},
	{"token", "T", false, "the API token that opens it"},
	{"company", "N", false, "the company's id"},
	{"shape", "NAME", false, "older or newer shapes of the API: new, slim or old"},
	{"rate-limit", "N/S", false, "answer 429 above N requests in S seconds"},
	{"rate-window", "HOW", false, "count that by bucket (as usual), fixed or sliding windows"},
	{"delay", "MS", false, "let every answer wait so long"},
	{"fault", "KIND:P", true, "misbehave with probability P; see below"},
	{"life", "N/S", false, "let N things happen by themselves in S seconds"},
	{"clock-skew", "SECONDS", false, "its clock is ahead by so much; behind with a minus"},
	{"webhook", "URL", false, "where it tells what happens"},
	{"webhook-secret-file", "FILE", false, "the secret by which it signs that"},
	{"equal-timestamps", NULL, false, "its clock knows whole seconds only"},
	CLI_OPTION_SHARE,
};

static bool read_rate(struct cli *cli, struct sandbox_options *sandbox, struct error *err)
{
	const char *rate = cli_value(cli, "rate-limit");
	const char *window = cli_value(cli, "rate-window");

	return (rate == NULL || sandbox_parse_rate_limit(str_from_c(rate), sandbox, err)) &&
	       (window == NULL || sandbox_parse_window(str_from_c(window), sandbox, err));
}

static bool read_faults(struct cli *cli, struct sandbox_options *sandbox, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "fault", given, CLI_VALUES_MAX);

	for (size_t i = 0; i < count; i++)
		if (!sandbox_parse_fault(str_from_c(given[i]), sandbox, err))
			return false;
	return true;
}

static bool read_life(struct cli *cli, struct sandbox_options *sandbox, struct error *err)
{
	const char *life = cli_value(cli, "life");

	sandbox->has_equal_times = cli_flag(cli, "equal-timestamps");
	return cli_number(cli, "clock-skew", -SANDBOX_SKEW_S_MAX, SANDBOX_SKEW_S_MAX, 0,
			  &sandbox->skew_s, err) &&
	       (life == NULL || sandbox_parse_life(str_from_c(life), sandbox, err));
}

static bool read_webhook(struct cli *cli, struct sandbox_options *sandbox, struct error *err)
{
	const char *file = cli_value(cli, "webhook-secret-file");

	sandbox->webhook_url = str_from_c(cli_value(cli, "webhook"));
	if (file == NULL)
		return true;
	if (!disk_read(disk_system(), &cli->arena, file, SECRET_BYTES_MAX,
		       &sandbox->webhook_secret, err))
		return false;
	sandbox->webhook_secret = str_trim(sandbox->webhook_secret);
	return true;
}

static bool read_options(struct cli *cli, struct sandbox_options *sandbox, struct error *err)
{
	int64_t seed, candidates, delay;
	const char *share;

	if (!cli_number(cli, "seed", 0, INT64_MAX, 1, &seed, err) ||
	    !cli_number(cli, "candidates", 1, SANDBOX_CANDIDATES_MAX, 0, &candidates, err) ||
	    !cli_number(cli, "delay", 0, 600000, 0, &delay, err) ||
	    !server_find_share(&cli->arena, disk_system(), cli_value(cli, "share"), &share, err))
		return false;
	*sandbox = (struct sandbox_options){
		.folder = arena_format(&cli->arena, "%s/sandbox/%s", share, cli->words[0]).data,
		.seed = (uint64_t)seed,
		.candidates = (size_t)candidates,
		.company = str_from_c(cli_value(cli, "company")),
		.token = str_from_c(cli_value(cli, "token")),
		.shape = str_from_c(cli_value(cli, "shape")),
		.delay_ms = delay,
	};
	return read_faults(cli, sandbox, err) && read_rate(cli, sandbox, err) &&
	       read_life(cli, sandbox, err) &&
	       read_webhook(cli, sandbox, err);
}

static int serve(struct cli *cli, struct sandbox *sandbox)
{
	const char *listen = cli_value(cli, "listen");
	struct str bound;
	struct error err;
	struct listener *listener = listener_start(
		&cli->arena, sandbox_handler(sandbox), &sandbox_limits,
		listen == NULL ? STR("127.0.0.1:9700") : str_from_c(listen), &bound, &err);

	if (listener == NULL)
		return cli_fail(&err);
	sandbox_start(sandbox, listener_loop(listener));
	/* Who chose the token knows it. */
	bool is_own = cli_value(cli, "token") != NULL;
	cli_print(arena_format(&cli->arena, "sandbox listens on http://%.*s%.*s%s%.*s", STR_ARGS(bound),
			       STR_ARGS(sandbox_base_path(sandbox)), is_own ? "" : " with the token ",
			       is_own ? 0 : (int)sandbox_token(sandbox).len,
			       sandbox_token(sandbox).data));
	wait_for_signal();
	sandbox_release(sandbox);
	listener_stop(listener);
	return 0;
}

static int run(struct cli *cli)
{
	struct sandbox_options sandbox_options;
	struct error err;

	if (cli->word_count != 1)
		return cli_fail_usage(cli, "the name of an ATS is wanted");
	if (str_find_byte(str_from_c(cli->words[0]), '/') >= 0)
		return cli_fail_usage(cli, "the name of an ATS has no slash");
	if (!read_options(cli, &sandbox_options, &err))
		return cli_fail(&err);
	block_signals();
	struct sandbox *sandbox = sandbox_create(&sandbox_options, &err);
	if (sandbox == NULL)
		return cli_fail(&err);
	return serve(cli, sandbox);
}

const struct cli_command cmd_sandbox = {
	.name = "sandbox",
	.arguments = "ATS",
	.summary = "stand in for the API of an ATS, with a made-up company",
	.details = "Kinds of faults: rate_limit, server_error, reset, stall, truncate, content_type,\n"
		   "garbage, page_shift; P is a probability from 0 to 1. docs/sandbox.md tells more.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

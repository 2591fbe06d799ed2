/* Tokens of accounts that nobody calls: a refresh token that is not used for long dies too. And
 * data keys that were rotated out are wiped. */
#include "ats/oauth/parts.h"
#include "base/log.h"

enum { TURN_MS = 15000, ACCOUNTS_A_TURN = 5 };

static void sweep_once(const struct oauth_sweep *sweep)
{
	struct oauth *oauth = sweep->oauth;
	struct account *accounts;
	struct arena arena;
	struct error err;
	size_t count;

	arena_init(&arena, OAUTH_ROWS_MAX);
	if (!credential_due(oauth->options.accounts, &arena, STR("oauth2"),
			    clock_unix_ms(oauth->options.clock), ACCOUNTS_A_TURN, &accounts, &count,
			    &err)) {
		LOG(LOG_WARNING, "token_sweep_failed", LOG_C(error, error_name(err.code)));
		count = 0;
	}
	for (size_t i = 0; i < count; i++)
		flight_start(oauth, sweep->client, &accounts[i], accounts[i].token.version);
	arena_finish(&arena);
}

/* One node does it for all. */
static void sweep_in_turn(const struct oauth_sweep *sweep)
{
	struct node *node = sweep->oauth->options.node;
	struct node_duty duty;
	struct error err;
	bool is_ours;

	if (!node_take_duty(node, STR("token_sweep"), &duty, &is_ours, &err)) {
		LOG(LOG_WARNING, "token_sweep_failed", LOG_C(error, error_name(err.code)));
	} else if (is_ours) {
		sweep_once(sweep);
		node_end_duty(node, &duty);
	}
}

static void run(void *context)
{
	struct oauth_sweep *sweep = context;

	(void)store_enter_all();
	while (!sweep->is_stopping) {
		struct loop_wait wait;

		sweep_in_turn(sweep);
		vault_tend(sweep->oauth->options.vault);
		loop_wait_init(&wait);
		sweep->wait = &wait;
		loop_wait(&wait, clock_monotonic_ns(sweep->oauth->options.clock) +
					 (int64_t)TURN_MS * 1000000);
		sweep->wait = NULL;
	}
	sweep->is_running = false;
}

void oauth_sweep_start(struct oauth_sweep *sweep, struct loop *loop)
{
	sweep->is_running = true;
	loop_post(loop, run, sweep);
}

void oauth_sweep_stop(struct oauth_sweep *sweep)
{
	sweep->is_stopping = true;
	if (sweep->wait != NULL)
		loop_wake(sweep->wait);
}

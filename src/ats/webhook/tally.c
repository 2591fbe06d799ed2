/* How endpoints and their messages stand, for the operator. */
#include "ats/webhook/parts.h"

enum { TALLY_BYTES_MAX = 64 * 1024 };

const char *const webhook_states[WEBHOOK_STATES] = {"active", "paused", "gone"};

static size_t find_state(struct str name)
{
	size_t state = 0;

	while (state < WEBHOOK_STATES && !str_equal_c(name, webhook_states[state]))
		state++;
	return state;
}

#define OF_ENVIRONMENT "(CAST(?1 AS TEXT) = '' OR w.environment_id = ?1)"
#define NEWEST "(SELECT max(e.number) FROM event e WHERE e.environment_id = w.environment_id)"
#define FIRST_MS                                                                    \
	"(SELECT e.created_ms FROM event e WHERE e.environment_id = w.environment_id" \
	" AND e.number = w.seen + 1)"

/* What is behind an endpoint's place. */
static bool tally_endpoints(struct webhooks *webhooks, struct arena *arena,
			    const struct store_value *environment, struct webhook_tally *tally,
			    struct error *err)
{
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT w.state, count(*), count(*) FILTER (WHERE w.failing_ms > 0),"
			 " CAST(sum(ifnull(" NEWEST ", w.seen) - w.seen) AS BIGINT), min(" FIRST_MS
			 ") FROM webhook w WHERE " OF_ENVIRONMENT " GROUP BY w.state",
			 environment, 1, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		size_t state = find_state(store_cell(&rows, i, 0)->bytes);
		if (state == WEBHOOK_STATES)
			continue;
		tally->endpoints[state] = store_cell(&rows, i, 1)->integer;
		tally->waiting[state] = store_cell(&rows, i, 3)->integer;
		if (state != WEBHOOK_ACTIVE)
			continue;
		tally->failing = store_cell(&rows, i, 2)->integer;
		tally->oldest_ms = store_cell(&rows, i, 4)->integer;
	}
	return true;
}

/* What has failed, and is sent again. */
static bool tally_deliveries(struct webhooks *webhooks, struct arena *arena,
			     const struct store_value *environment, struct webhook_tally *tally,
			     struct error *err)
{
	struct store_rows rows;

	if (!store_query(webhooks->options.store, arena,
			 "SELECT w.state, count(*), min(nullif(d.first_ms, 0))"
			 " FROM webhook_delivery d JOIN webhook w ON"
			 " w.environment_id = d.environment_id AND w.id = d.webhook_id"
			 " WHERE d.state = 'pending' AND " OF_ENVIRONMENT " GROUP BY w.state",
			 environment, 1, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		size_t state = find_state(store_cell(&rows, i, 0)->bytes);
		int64_t first_ms = store_cell(&rows, i, 2)->integer;
		if (state == WEBHOOK_STATES)
			continue;
		tally->waiting[state] += store_cell(&rows, i, 1)->integer;
		if (state == WEBHOOK_ACTIVE && first_ms > 0 &&
		    (tally->oldest_ms == 0 || first_ms < tally->oldest_ms))
			tally->oldest_ms = first_ms;
	}
	return true;
}

bool webhook_tally(struct webhooks *webhooks, struct str environment_id,
		   struct webhook_tally *tally, struct error *err)
{
	const struct store_value environment = store_text(environment_id);
	struct arena arena;

	*tally = (struct webhook_tally){0};
	arena_init(&arena, TALLY_BYTES_MAX);
	bool ok = tally_endpoints(webhooks, &arena, &environment, tally, err) &&
		  tally_deliveries(webhooks, &arena, &environment, tally, err);
	arena_finish(&arena);
	return ok;
}

const struct webhook_counts *webhook_counts(const struct webhooks *webhooks)
{
	return &webhooks->counts;
}

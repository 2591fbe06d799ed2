/* How an ATS can be asked for what has changed. */
#include "ats/sync/parts.h"

const struct model_filter *sync_find_since(const struct unified_resource *resource,
					   bool *by_creation)
{
	static const char *const names[] = {"updated_at[gte]", "updated_at[gt]"};
	const struct model_filter *filter;

	*by_creation = false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		filter = model_find_filter(resource->model, str_from_c(names[i]));
		if (filter != NULL && operation_filtering(resource, &resource->list, filter) ==
					      FILTERING_ASKED)
			return filter;
	}
	if (resource->sync.since.len == 0)
		return NULL;
	*by_creation = str_starts_with(resource->sync.since, STR("created_at"));
	return model_find_filter(resource->model, resource->sync.since);
}

/* How many turns it has had. */
static int64_t count_turns(int64_t phase_ms, int64_t period_ms, int64_t at_ms)
{
	return at_ms < phase_ms ? 0 : (at_ms - phase_ms) / period_ms + 1;
}

bool sync_is_turn(int64_t number, int64_t period_ms, int64_t from_ms, int64_t to_ms)
{
	/* The golden ratio: what stands side by side comes far apart. */
	uint64_t spread = (uint64_t)number * 0x9E3779B97F4A7C15u >> 32;
	int64_t phase_ms = (int64_t)((unsigned __int128)spread * (uint64_t)period_ms >> 32);

	return count_turns(phase_ms, period_ms, to_ms) >
	       count_turns(phase_ms, period_ms, from_ms);
}

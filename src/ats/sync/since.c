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

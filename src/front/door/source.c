/* Where the answer of a read comes from: the ATS, or the local copy. */
#include "front/door/door.h"

static bool wishes(const struct operation *operation, const struct copy_wish *wish)
{
	return wish->max_age_ms > 0 || wish->search.data != NULL || wish->wants_total ||
	       wish->wants_deleted || operation_is_kept_cursor(operation->cursor);
}

bool door_run(const struct door *door, struct arena *arena, const struct operation *operation,
	      const struct copy_wish *wish, struct operation_result *result,
	      struct copy_answer *answer, struct error *err)
{
	bool is_read = operation->method == OPERATION_LIST || operation->method == OPERATION_GET;

	*answer = (struct copy_answer){.is_from_copy = false};
	if (is_read && door->copies != NULL && wishes(operation, wish))
		return copy_answer(door->copies, door->services, arena, operation, wish, result,
				   answer, err);
	return operation_run(door->services, arena, operation, result, err);
}

void door_set_source(struct http_exchange *exchange, const struct copy_answer *answer)
{
	http_exchange_set_header(exchange, "X-Tenon-Source",
				 answer->is_from_copy ? STR("copy") : STR("live"));
	if (answer->is_from_copy)
		http_exchange_set_header(exchange, "Age",
					 arena_format(exchange->arena, "%lld",
						      (long long)(answer->age_ms / 1000)));
}

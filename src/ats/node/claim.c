#include <assert.h>

#include "ats/node/parts.h"
#include "base/log.h"

enum { MORE_MAX = 4, DUTY_BYTES_MAX = 65536 };

bool node_claim(struct node *node, struct arena *arena, const struct node_claim *claim,
		struct node_term *term, struct store_rows *rows, struct error *err)
{
	struct store_value values[3 + MORE_MAX];
	const struct store_statement statement = {claim->sql, values, 3 + claim->more_count, -1};

	assert(claim->more_count <= MORE_MAX);
	*rows = (struct store_rows){0};
	node_now(node, term);
	if (!node_has(node, term->number))
		return true;
	values[0] = store_text(str_from_c(term->name));
	values[1] = store_int(claim->rows_max);
	values[2] = store_int(clock_unix_ms(node->options.clock));
	if (claim->more_count > 0)
		memcpy(values + 3, claim->more, claim->more_count * sizeof *values);
	return store_change_all(node->options.store, arena, &statement, rows, err);
}

/* --- duties ---------------------------------------------------------------------------------- */

bool node_take_duty(struct node *node, struct str name, struct node_duty *duty, bool *is_ours,
		    struct error *err)
{
	struct store_rows rows;
	struct arena arena;

	*duty = (struct node_duty){.name = name};
	node_now(node, &duty->term);
	*is_ours = node->options.is_alone;
	if (*is_ours || !node_has(node, duty->term.number))
		return true;
	const struct store_value values[] = {store_text(name),
					     store_text(str_from_c(duty->term.name)),
					     store_int(clock_unix_ms(node->options.clock))};
	const struct store_statement statement = {
		"INSERT INTO duty (name, owner, fence) VALUES (?1, ?2, 1)"
		" ON CONFLICT (name) DO UPDATE SET owner = ?2, fence = duty.fence + 1"
		" WHERE duty.owner = ?2 OR " NODE_IS_FREE("duty.owner", "?3") " RETURNING fence",
		values, 3, -1};

	arena_init(&arena, DUTY_BYTES_MAX);
	bool ok = store_change_all(node->options.store, &arena, &statement, &rows, err);
	*is_ours = ok && rows.count == 1;
	duty->fence = *is_ours ? store_cell(&rows, 0, 0)->integer : 0;
	arena_finish(&arena);
	return ok;
}

/* Fences of a name begin anew when its row has gone: the owner's name, which is never given twice,
 * tells them apart. */
#define IS_THE_DUTY " WHERE name = ?1 AND owner = ?2 AND fence = ?3"

void node_end_duty(struct node *node, const struct node_duty *duty)
{
	const struct store_value values[] = {store_text(duty->name),
					     store_text(str_from_c(duty->term.name)),
					     store_int(duty->fence)};
	const struct store_statement statement = {"DELETE FROM duty" IS_THE_DUTY, values, 3, -1};
	struct error err;

	if (!node->options.is_alone && !store_write_all(node->options.store, &statement, 1, &err))
		LOG(LOG_WARNING, "duty_not_ended", LOG_C(error, err.message));
}

struct store_statement node_duty_statement(struct node *node, struct arena *arena,
					   const struct node_duty *duty)
{
	const struct store_value values[] = {
		store_text(duty->name),
		store_text(arena_str(arena, str_from_c(duty->term.name))),
		store_int(duty->fence)};

	/* Who is alone has no row. */
	return store_keep(arena, "UPDATE duty SET fence = ?3" IS_THE_DUTY, values, 3,
			  node->options.is_alone ? 0 : 1);
}

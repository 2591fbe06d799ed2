#include "ats/override/rows.h"

#include <assert.h>

/* Of both tables: which layer it is, then what the two have in common. */
#define COLUMNS "resource, part, field, expression, created_ms, updated_ms"
enum { COLUMN_COUNT = 8 };

bool rows_read(struct store *store, struct arena *arena, const struct override_layer *layer,
	       struct override **list, size_t *count, struct error *err)
{
	struct store_value values[] = {store_text(layer->environment_id),
				       store_text(layer->connector), store_text(layer->account_id)};
	struct store_rows rows;

	/* One statement, one snapshot of both layers. */
	if (!store_query(store, arena,
			 "SELECT 0 AS layer, connector, " COLUMNS " FROM environment_override"
			 " WHERE environment_id = ?1 AND (connector = ?2 OR ?2 = '')"
			 " UNION ALL SELECT 1, '', " COLUMNS " FROM account_override"
			 " WHERE environment_id = ?1 AND account_id = ?3"
			 " ORDER BY layer, connector, resource, part, field",
			 values, 3, &rows, err))
		return false;
	assert(rows.count == 0 || rows.columns == COLUMN_COUNT);
	*count = rows.count;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	for (size_t i = 0; i < rows.count; i++)
		(*list)[i] = (struct override){
			.is_account = store_cell(&rows, i, 0)->integer == 1,
			.connector = store_cell(&rows, i, 1)->bytes,
			.resource = store_cell(&rows, i, 2)->bytes,
			.part = store_cell(&rows, i, 3)->bytes,
			.field = store_cell(&rows, i, 4)->bytes,
			.expression = store_cell(&rows, i, 5)->bytes,
			.created_ms = store_cell(&rows, i, 6)->integer,
			.updated_ms = store_cell(&rows, i, 7)->integer,
		};
	return true;
}

bool rows_are_there(struct store *store, bool *are_there, struct error *err)
{
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, 65536);
	bool ok = store_query_all(store, &arena,
				  "SELECT EXISTS (SELECT 1 FROM environment_override)"
				  " OR EXISTS (SELECT 1 FROM account_override)",
				  NULL, 0, &rows, err);
	*are_there = ok && store_cell(&rows, 0, 0)->integer != 0;
	arena_finish(&arena);
	return ok;
}

/* --- writing --------------------------------------------------------------------------------- */

/* The same for each layer; whose it is is the second parameter. */
#define SAVE(table, whose)                                                                         \
	"INSERT INTO " table " (environment_id, " whose ", resource, part, field, expression,"     \
	" created_ms, updated_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"                         \
	" ON CONFLICT (environment_id, " whose ", resource, part, field)"                          \
	" DO UPDATE SET expression = excluded.expression, updated_ms = excluded.updated_ms"        \
	" WHERE " table ".expression <> excluded.expression"
#define REMOVE(table, whose)                                                                       \
	"DELETE FROM " table " WHERE environment_id = ?1 AND " whose " = ?2 AND resource = ?3"     \
	" AND part = ?4 AND field = ?5"
#define CLEAR(table, whose)                                                                        \
	"DELETE FROM " table " WHERE environment_id = ?1 AND " whose " = ?2 AND resource = ?3"

static const struct texts {
	const char *save, *remove, *clear;
} environment_texts = {SAVE("environment_override", "connector"),
		       REMOVE("environment_override", "connector"),
		       CLEAR("environment_override", "connector")},
  account_texts = {SAVE("account_override", "account_id"), REMOVE("account_override", "account_id"),
		   CLEAR("account_override", "account_id")};

static void add(struct store_statement *statement, const char *sql, struct store_value *values,
		size_t count)
{
	*statement = (struct store_statement){
		.sql = sql, .parameters = values, .parameter_count = count, .changes_expected = -1};
}

bool rows_write(struct store *store, struct arena *arena, const struct override_layer *layer,
		struct str resource, const struct override *changes, size_t count,
		bool replaces_all, int64_t now_ms, struct error *err)
{
	bool is_account = layer->account_id.len > 0;
	const struct texts *texts = is_account ? &account_texts : &environment_texts;
	struct str whose = is_account ? layer->account_id : layer->connector;
	struct store_statement *statements = arena_array(arena, count + 1, sizeof *statements);
	size_t statement_count = 0;

	for (size_t i = 0; i <= count; i++) {
		struct store_value *values = arena_array(arena, 7, sizeof *values);

		values[0] = store_text(layer->environment_id);
		values[1] = store_text(whose);
		values[2] = store_text(resource);
		if (i == 0 && replaces_all)
			add(&statements[statement_count++], texts->clear, values, 3);
		if (i == 0)
			continue;
		const struct override *change = &changes[i - 1];
		values[3] = store_text(change->part);
		values[4] = store_text(change->field);
		values[5] = store_text(change->expression);
		values[6] = store_int(now_ms);
		if (change->expression.len > 0)
			add(&statements[statement_count++], texts->save, values, 7);
		else
			add(&statements[statement_count++], texts->remove, values, 5);
	}
	return statement_count == 0 || store_write(store, statements, statement_count, err);
}

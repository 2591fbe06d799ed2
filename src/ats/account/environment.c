#include "ats/account/accounts.h"

static struct environment read_environment(const struct store_rows *rows, size_t row)
{
	return (struct environment){
		.id = store_cell(rows, row, 0)->bytes,
		.name = store_cell(rows, row, 1)->bytes,
		.created_ms = store_cell(rows, row, 2)->integer,
	};
}

static bool query_by_name(struct accounts *accounts, struct arena *arena, struct str name,
			  struct store_rows *rows, struct error *err)
{
	struct store_value by_name = store_text(name);

	return store_query(accounts->store, arena,
			   "SELECT id, name, created_ms FROM environment WHERE name = ?1", &by_name, 1,
			   rows, err);
}

/* Two who make the same one at once both find the one that was first. */
static bool insert(struct accounts *accounts, struct arena *arena, struct str name,
		   struct error *err)
{
	struct store_value values[] = {
		store_text(id_make(accounts, arena, "env_")),
		store_text(name),
		store_int(clock_unix_ms(accounts->clock)),
		store_int(ENVIRONMENTS_MAX),
	};
	struct store_statement statement = {
		.sql = "INSERT INTO environment (id, name, created_ms) SELECT ?1, ?2, ?3"
		       " WHERE (SELECT count(*) FROM environment) < ?4 ON CONFLICT (name) DO NOTHING",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};

	return store_write(accounts->store, &statement, 1, err);
}

bool environment_find(struct accounts *accounts, struct arena *arena, struct str name, bool create,
		      struct environment *out, struct error *err)
{
	struct store_rows rows;

	if (!input_is_word(name))
		return error_set_field(err, ERROR_INVALID, "environment", "1 to 64 of a-z 0-9 - _",
				       "this cannot be the name of an environment");
	if (!query_by_name(accounts, arena, name, &rows, err))
		return false;
	if (rows.count == 0 && create)
		if (!insert(accounts, arena, name, err) ||
		    !query_by_name(accounts, arena, name, &rows, err))
			return false;
	if (rows.count == 0 && create)
		return error_set_field(err, ERROR_LIMIT, "environment", "at most 1000 environments",
				       "there are too many environments");
	if (rows.count == 0)
		return error_set_field(err, ERROR_NOT_FOUND, "environment", NULL,
				       "there is no environment %.*s", STR_ARGS(name));
	*out = read_environment(&rows, 0);
	return true;
}

bool environment_list(struct accounts *accounts, struct arena *arena, struct environment **list,
		      size_t *count, struct error *err)
{
	struct store_rows rows;

	if (!store_query(accounts->store, arena,
			 "SELECT id, name, created_ms FROM environment ORDER BY name", NULL, 0, &rows,
			 err))
		return false;
	*list = arena_array(arena, rows.count, sizeof **list);
	for (size_t i = 0; i < rows.count; i++)
		(*list)[i] = read_environment(&rows, i);
	*count = rows.count;
	return true;
}

bool environment_check(struct accounts *accounts, struct str id, struct error *err)
{
	struct store_value by_id = store_text(id);
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, QUERY_BYTES_MAX);
	bool ok = store_query(accounts->store, &arena, "SELECT 1 FROM environment WHERE id = ?1", &by_id,
			      1, &rows, err);
	if (ok && rows.count == 0)
		ok = error_set_field(err, ERROR_NOT_FOUND, "environment", NULL,
				     "there is no such environment");
	arena_finish(&arena);
	return ok;
}

/* --- nothing yet ---------------------------------------------------------------------------- */

bool accounts_is_empty(struct store *store, bool *is_empty, struct error *err)
{
	struct arena arena;
	struct store_rows rows;

	arena_init(&arena, 65536);
	bool ok = store_query(store, &arena, "SELECT 1 FROM environment LIMIT 1", NULL, 0, &rows, err);
	*is_empty = ok && rows.count == 0;
	arena_finish(&arena);
	return ok;
}

/* --- what it has for its links ---------------------------------------------------------------- */

bool environment_show(struct accounts *accounts, struct arena *arena, struct str id,
		      struct environment *out, struct json *link, struct error *err)
{
	struct store_value by_id = store_text(id);
	struct store_rows rows;

	if (!store_query(accounts->store, arena,
			 "SELECT id, name, created_ms, link FROM environment WHERE id = ?1", &by_id, 1,
			 &rows, err))
		return false;
	if (rows.count == 0)
		return error_set_field(err, ERROR_NOT_FOUND, "environment", NULL,
				       "there is no such environment");
	*out = read_environment(&rows, 0);
	return json_parse(arena, store_cell(&rows, 0, 3)->bytes, &json_limits_default, link, err);
}

/* Another has the name, or it was not as the caller had read it. */
static bool explain_change(struct accounts *accounts, struct arena *arena, struct str id,
			   const struct environment_owned *before, struct error *err)
{
	struct environment now;
	struct json link;

	if (!environment_show(accounts, arena, id, &now, &link, err))
		return false;
	if (str_equal(now.name, before->name) && json_equal(link, before->link))
		return error_set_field(err, ERROR_CONFLICT, "name", NULL,
				       "there is an environment of this name already");
	return error_set(err, ERROR_CONFLICT, "the environment was changed meanwhile; ask again");
}

bool environment_change(struct accounts *accounts, struct arena *arena, struct str id,
			const struct environment_owned *before,
			const struct environment_owned *after, struct error *err)
{
	struct str was, is;

	if (!input_is_word(after->name))
		return error_set_field(err, ERROR_INVALID, "name", "1 to 64 of a-z 0-9 - _",
				       "this cannot be the name of an environment");
	if (!input_print_object(arena, before->link, ENVIRONMENT_LINK_BYTES_MAX, "link", &was, err) ||
	    !input_print_object(arena, after->link, ENVIRONMENT_LINK_BYTES_MAX, "link", &is, err))
		return false;
	struct store_value values[] = {store_text(id), store_text(after->name), store_text(is),
				       store_text(before->name), store_text(was)};
	struct store_statement statement = {
		.sql = "UPDATE environment SET name = ?2, link = ?3 WHERE id = ?1"
		       " AND name = ?4 AND link = ?5",
		.parameters = values,
		.parameter_count = 5,
		.changes_expected = 1,
	};
	if (store_write(accounts->store, &statement, 1, err))
		return true;
	if (err->code != ERROR_CONFLICT)
		return false;
	return explain_change(accounts, arena, id, before, err);
}

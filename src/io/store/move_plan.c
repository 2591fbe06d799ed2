/* What there is to move, as both schemas tell it. */
#include "io/store/move.h"

#include "io/store/pg_migration.h"

enum { TABLES_MAX = 1000, SQL_BYTES_MAX = 64 * 1024 };

/* --- SQLite's tables ------------------------------------------------------------------------- */

/* The store's own, and those that are made anew; the words of virtual tables are no tables here. */
static bool is_left_out(const struct move *move, const char *name)
{
	bool is_out = strcmp(name, "store_migration") == 0 || strcmp(name, PG_MOVE_TABLE) == 0;

	for (size_t i = 0; i < move->options->derived_count; i++)
		is_out |= strcmp(name, move->options->derived[i].table) == 0;
	return is_out;
}

struct move_table *move_find_table(const struct move *move, const char *name)
{
	for (size_t i = 0; i < move->table_count; i++)
		if (strcmp(move->tables[i]->moved.name, name) == 0)
			return move->tables[i];
	return NULL;
}

static struct move_table *add_table(struct move *move, const char *name)
{
	struct move_table *table = arena_zero(move->arena, sizeof *table);

	table->moved.name = arena_c(move->arena, str_from_c(name));
	move->tables[move->table_count++] = table;
	return table;
}

static bool read_type(const char *name, enum store_type *type)
{
	static const struct {
		const char *name;
		enum store_type type;
	} types[] = {{"INTEGER", STORE_INT}, {"TEXT", STORE_TEXT}, {"BLOB", STORE_BLOB}};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(types[i].name, name) == 0) {
			*type = types[i].type;
			return true;
		}
	return false;
}

/* A row: table, column, type, its place in the primary key from 1 on (0: it is not in it). */
static bool add_column(struct move *move, sqlite3_stmt *row, struct error *err)
{
	const char *name = (const char *)sqlite3_column_text(row, 0);
	const char *column = (const char *)sqlite3_column_text(row, 1);
	const char *type = (const char *)sqlite3_column_text(row, 2);
	int place = sqlite3_column_int(row, 3);

	if (is_left_out(move, name))
		return true;
	struct move_table *table = move_find_table(move, name);
	if (table == NULL && move->table_count == TABLES_MAX)
		return error_set(err, ERROR_LIMIT, "there are more than %d tables", TABLES_MAX);
	if (table == NULL)
		table = add_table(move, name);
	if (table->column_count == MOVE_COLUMNS_MAX)
		return error_set(err, ERROR_LIMIT, "the table %s has more than %d columns", name,
				 MOVE_COLUMNS_MAX);
	struct move_column *added = &table->columns[table->column_count];
	added->name = arena_c(move->arena, str_from_c(column));
	if (!read_type(type, &added->type))
		return error_set(err, ERROR_INTERNAL, "%s.%s has the type %s, which cannot be moved",
				 name, column, type);
	if (place > 0) {
		table->key[place - 1] = table->column_count;
		table->key_count++;
	}
	table->column_count++;
	return true;
}

/* Each row of the answer. */
static bool walk(struct move *move, const char *sql,
		 bool (*take)(struct move *move, sqlite3_stmt *row, struct error *err),
		 struct error *err)
{
	sqlite3_stmt *row = connection_prepare(&move->source, sql, NULL, 0, err);
	int step = SQLITE_DONE;
	bool ok = row != NULL;

	if (!ok)
		return false;
	while (ok && (step = sqlite3_step(row)) == SQLITE_ROW)
		ok = take(move, row, err);
	if (ok && step != SQLITE_DONE)
		ok = connection_fail(&move->source, err);
	connection_reset(&move->source, sql, row);
	return ok;
}

static bool read_tables(struct move *move, struct error *err)
{
	if (!walk(move, "SELECT t.name, c.name, c.type, c.pk FROM pragma_table_list AS t"
			" JOIN pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main'"
			" AND t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_' AND c.hidden = 0"
			" ORDER BY t.name, c.cid", add_column, err))
		return false;
	for (size_t i = 0; i < move->table_count; i++)
		if (move->tables[i]->key_count == 0)
			return error_set(err, ERROR_INTERNAL, "the table %s has no primary key",
					 move->tables[i]->moved.name);
	return true;
}

/* --- their order ----------------------------------------------------------------------------- */

/* A row: a table, and one to which it refers. */
static bool add_reference(struct move *move, sqlite3_stmt *row, struct error *err)
{
	struct move_table *table = move_find_table(move, (const char *)sqlite3_column_text(row, 0));
	struct move_table *other = move_find_table(move, (const char *)sqlite3_column_text(row, 1));

	if (table == NULL || other == NULL || table == other)
		return true;
	if (table->reference_count == MOVE_COLUMNS_MAX)
		return error_set(err, ERROR_LIMIT, "the table %s has too many foreign keys",
				 table->moved.name);
	table->references[table->reference_count++] = other;
	return true;
}

static bool may_be_placed(const struct move_table *table)
{
	bool may = !table->is_placed;

	for (size_t i = 0; i < table->reference_count; i++)
		may &= table->references[i]->is_placed;
	return may;
}

/* What is referred to comes first. */
static bool put_in_order(struct move *move, struct error *err)
{
	struct move_table **ordered = arena_array(move->arena, TABLES_MAX, sizeof *ordered);
	size_t placed = 0, before = SIZE_MAX;

	if (!walk(move, "SELECT t.name, f.\"table\" FROM pragma_table_list AS t"
			" JOIN pragma_foreign_key_list(t.name) AS f WHERE t.schema = 'main'"
			" AND t.type = 'table'", add_reference, err))
		return false;
	while (placed < move->table_count && placed != before) {
		before = placed;
		for (size_t i = 0; i < move->table_count; i++) {
			if (!may_be_placed(move->tables[i]))
				continue;
			move->tables[i]->is_placed = true;
			ordered[placed++] = move->tables[i];
		}
	}
	if (placed < move->table_count)
		return error_set(err, ERROR_INTERNAL, "tables refer to each other in a circle");
	move->tables = ordered;
	return true;
}

/* --- PostgreSQL's tables --------------------------------------------------------------------- */

static bool is_same_type(enum store_type type, const char *name)
{
	static const char *const names[] = {
		[STORE_INT] = "bigint", [STORE_TEXT] = "text", [STORE_BLOB] = "bytea"};

	return strcmp(names[type], name) == 0;
}

static bool fail_column(const char *table, const char *column, struct error *err)
{
	return error_set(err, ERROR_INTERNAL, "%s.%s is not the same in SQLite and in PostgreSQL",
			 table, column);
}

/* Each column that is there is one of ours; how many they are tells that none is missing. */
static bool match_columns(struct move *move, const PGresult *result, struct error *err)
{
	size_t matched = 0, meant = 0;

	for (int i = 0; i < PQntuples(result); i++) {
		const char *name = PQgetvalue(result, i, 0), *column = PQgetvalue(result, i, 1);
		const struct move_table *table = move_find_table(move, name);
		bool is_found = false;

		if (is_left_out(move, name))
			continue;
		for (size_t k = 0; table != NULL && k < table->column_count && !is_found; k++)
			is_found = strcmp(table->columns[k].name, column) == 0 &&
				   is_same_type(table->columns[k].type, PQgetvalue(result, i, 2));
		if (!is_found)
			return fail_column(name, column, err);
		matched++;
	}
	for (size_t i = 0; i < move->table_count; i++)
		meant += move->tables[i]->column_count;
	return matched == meant ||
	       error_set(err, ERROR_INTERNAL, "SQLite has %zu columns, PostgreSQL %zu of them",
			 meant, matched);
}

static bool check_target(struct move *move, struct error *err)
{
	PGresult *result = move_ask(
		move,
		"SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class AS c"
		" JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()"
		" JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
		" AND NOT a.attisdropped AND a.attgenerated = ''"
		" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition",
		NULL, 0, err);
	bool ok = result != NULL && match_columns(move, result, err);

	PQclear(result);
	return ok;
}

/* --- texts ----------------------------------------------------------------------------------- */

static void append_columns(struct buffer *out, const struct move_table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		buffer_append_format(out, "%s\"%s\"", i == 0 ? "" : ", ", table->columns[i].name);
}

static void append_key(struct buffer *out, const struct move_table *table)
{
	for (size_t i = 0; i < table->key_count; i++)
		buffer_append_format(out, "%s\"%s\"", i == 0 ? "" : ", ",
				     table->columns[table->key[i]].name);
}

static void append_select(struct buffer *out, const struct move_table *table, bool is_after)
{
	buffer_append_c(out, "SELECT ");
	append_columns(out, table);
	buffer_append_format(out, " FROM \"%s\"", table->moved.name);
	if (is_after) {
		buffer_append_c(out, " WHERE (");
		append_key(out, table);
		buffer_append_c(out, ") > (");
		for (size_t i = 0; i < table->key_count; i++)
			buffer_append_format(out, "%s?%zu", i == 0 ? "" : ", ", i + 1);
		buffer_append_byte(out, ')');
	}
	buffer_append_c(out, " ORDER BY ");
	append_key(out, table);
}

static const char *finish_text(struct buffer *out)
{
	buffer_append_byte(out, '\0');
	return out->data;
}

/* Texts compare byte by byte in both (COLLATE "C"), so the order of keys is one. */
static void make_texts(struct move *move, struct move_table *table)
{
	struct buffer select, after, in, out;

	buffer_init(&select, move->arena, SQL_BYTES_MAX);
	append_select(&select, table, false);
	table->select = finish_text(&select);
	buffer_init(&after, move->arena, SQL_BYTES_MAX);
	append_select(&after, table, true);
	table->select_after = finish_text(&after);
	buffer_init(&in, move->arena, SQL_BYTES_MAX);
	buffer_append_format(&in, "COPY \"%s\" (", table->moved.name);
	append_columns(&in, table);
	buffer_append_c(&in, ") FROM STDIN (FORMAT binary)");
	table->copy_in = finish_text(&in);
	buffer_init(&out, move->arena, SQL_BYTES_MAX);
	buffer_append_c(&out, "COPY (");
	append_select(&out, table, false);
	buffer_append_c(&out, ") TO STDOUT (FORMAT binary)");
	table->copy_out = finish_text(&out);
}

bool move_plan(struct move *move, struct error *err)
{
	move->tables = arena_array(move->arena, TABLES_MAX, sizeof *move->tables);
	if (!read_tables(move, err) || !put_in_order(move, err) || !check_target(move, err))
		return false;
	for (size_t i = 0; i < move->table_count; i++)
		make_texts(move, move->tables[i]);
	return true;
}

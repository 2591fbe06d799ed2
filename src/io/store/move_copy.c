/* The rows of one table: there, and once more on both sides for their sums. */
#include "io/store/move.h"

#include <limits.h>

#include "io/store/pg_migration.h"

enum {
	BATCH_ROWS = 10000,
	BATCH_BYTES_MAX = 16 * 1024 * 1024,
	CHUNK_BYTES = 64 * 1024,
	ROW_BYTES_MAX = INT_MAX, /* SQLite's values are shorter by far (connection.c) */
	SUM_BYTES = 32,
	HEAD_BYTES = 19,
	END_BYTES = 2,
};

/* Of the format: its signature, no flags, nothing more; then rows; then a count of -1. */
static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
static const char end[] = "\377\377";
_Static_assert(sizeof head == HEAD_BYTES + 1 && sizeof end == END_BYTES + 1, "of the format");

/* --- copying --------------------------------------------------------------------------------- */

struct copying {
	struct move *move;
	struct move_table *table;
	sqlite3_stmt *rows;
	bool is_end;
	struct arena arena; /* of the batch */
	struct buffer chunk;
	struct buffer key; /* of the last row */
	int64_t batch_rows;
	size_t batch_bytes;
};

static bool fail(const struct move *move, const struct move_table *table, struct error *err)
{
	struct error why;

	(void)pg_link_fail(move->link, NULL, &why);
	return error_set(err, ERROR_UNAVAILABLE, "the table %s cannot be copied now: %s",
			 table->moved.name, why.message);
}

static bool send_chunk(struct copying *copying, struct error *err)
{
	struct buffer *chunk = &copying->chunk;

	copying->batch_bytes += chunk->len;
	if (PQputCopyData(copying->move->link->conn, chunk->data, (int)chunk->len) != 1)
		return fail(copying->move, copying->table, err);
	chunk->len = 0;
	return true;
}

static bool is_full(const struct copying *copying)
{
	int64_t rows = copying->move->options->batch_rows;

	return copying->batch_rows == (rows == 0 ? BATCH_ROWS : rows) ||
	       copying->batch_bytes + copying->chunk.len >= BATCH_BYTES_MAX;
}

/* The rows of a batch, in as many pieces as they need. */
static bool send_rows(struct copying *copying, struct error *err)
{
	buffer_append(&copying->chunk, str_make(head, HEAD_BYTES));
	while (!copying->is_end && !is_full(copying)) {
		int step = sqlite3_step(copying->rows);
		copying->is_end = step == SQLITE_DONE;
		if (copying->is_end)
			break;
		if (step != SQLITE_ROW)
			return connection_fail(&copying->move->source, err);
		if (!move_append_row(&copying->chunk, copying->table, copying->rows, err))
			return false;
		copying->key.len = 0;
		move_append_key(&copying->key, copying->table, copying->rows);
		copying->batch_rows++;
		if (copying->chunk.len >= CHUNK_BYTES && !send_chunk(copying, err))
			return false;
	}
	buffer_append(&copying->chunk, str_make(end, END_BYTES));
	return send_chunk(copying, err);
}

/* What the database says of the rows: a constraint that they break, bytes which are no text. */
static bool take_verdict(struct copying *copying, struct error *err)
{
	PGconn *conn = copying->move->link->conn;
	struct error why;
	PGresult *result;
	bool ok = true;

	if (PQputCopyEnd(conn, NULL) != 1)
		return fail(copying->move, copying->table, err);
	while ((result = PQgetResult(conn)) != NULL) {
		if (ok && PQresultStatus(result) != PGRES_COMMAND_OK) {
			const char *where = PQresultErrorField(result, PG_DIAG_CONTEXT);
			ok = pg_link_fail(copying->move->link, result, &why);
			error_set(err, why.code, "rows of the table %s are not taken: %s (%s)",
				  copying->table->moved.name, why.message,
				  where == NULL ? "it is not told which" : where);
		}
		PQclear(result);
	}
	return ok;
}

static bool copy_rows(struct copying *copying, struct error *err)
{
	PGconn *conn = copying->move->link->conn;
	PGresult *result = PQexec(conn, copying->table->copy_in);
	bool is_open = PQresultStatus(result) == PGRES_COPY_IN;

	if (!is_open)
		(void)pg_link_fail(copying->move->link, result, err);
	PQclear(result);
	return is_open && send_rows(copying, err) && take_verdict(copying, err);
}

static bool note(struct copying *copying, struct error *err)
{
	static const char sql[] =
		"INSERT INTO " PG_MOVE_TABLE " (name, state, after, row_count, sum)"
		" VALUES ($1, $2, $3::bytea, $4, '') ON CONFLICT (name) DO UPDATE SET"
		" state = excluded.state, after = coalesce(excluded.after, store_move.after),"
		" row_count = excluded.row_count";
	struct move_table *table = copying->table;
	struct arena *arena = &copying->arena;
	struct buffer key;
	int64_t state = copying->is_end ? PG_MOVE_COPIED : PG_MOVE_COPYING;

	buffer_init(&key, arena, SIZE_MAX / 4);
	buffer_append_c(&key, "\\x");
	for (size_t i = 0; i < copying->key.len; i++)
		buffer_append_format(&key, "%02x", (unsigned char)copying->key.data[i]);
	buffer_append_byte(&key, '\0');
	const char *const parameters[] = {
		table->moved.name, arena_format(arena, "%lld", (long long)state).data,
		copying->batch_rows == 0 ? NULL : key.data,
		arena_format(arena, "%lld", (long long)(table->moved.rows + copying->batch_rows)).data};
	PGresult *result = move_ask(copying->move, sql, parameters, 4, err);
	PQclear(result);
	return result != NULL;
}

/* One transaction: rows, and how far they go. */
static bool copy_batch(struct copying *copying, struct error *err)
{
	struct move *move = copying->move;

	arena_init(&copying->arena, SIZE_MAX / 4);
	buffer_init(&copying->chunk, &copying->arena, ROW_BYTES_MAX);
	buffer_init(&copying->key, &copying->arena, ROW_BYTES_MAX);
	copying->batch_rows = 0;
	copying->batch_bytes = 0;
	bool ok = move_do(move, "BEGIN", err) && copy_rows(copying, err) && note(copying, err) &&
		  move_do(move, "COMMIT", err);
	arena_finish(&copying->arena);
	if (!ok)
		return false;
	copying->table->moved.rows += copying->batch_rows;
	if (move->options->tell != NULL)
		move->options->tell(move->options->tell_context, &copying->table->moved);
	return true;
}

bool move_copy(struct move *move, struct move_table *table, struct error *err)
{
	struct copying copying = {.move = move, .table = table};
	struct store_value key[MOVE_COLUMNS_MAX];
	bool has_key = table->after.len > 0;
	const char *sql = has_key ? table->select_after : table->select;

	if (has_key && !move_read_key(table, table->after, key, err))
		return false;
	copying.rows = connection_prepare(&move->source, sql, key, has_key ? table->key_count : 0,
					  err);
	if (copying.rows == NULL)
		return false;
	bool ok = true;
	while (ok && !copying.is_end)
		ok = copy_batch(&copying, err);
	connection_reset(&move->source, sql, copying.rows);
	if (ok)
		table->state = PG_MOVE_COPIED;
	return ok;
}

/* --- comparing ------------------------------------------------------------------------------- */

struct summing {
	gnutls_hash_hd_t hash;
	int64_t rows;
};

static void sum_begin(struct summing *summing)
{
	*summing = (struct summing){0};
	if (gnutls_hash_init(&summing->hash, GNUTLS_DIG_SHA256) < 0)
		die("no SHA-256 in GnuTLS");
}

static void sum_add(struct summing *summing, struct str row)
{
	gnutls_hash(summing->hash, row.data, row.len);
	summing->rows++;
}

static void sum_end(struct summing *summing, char hex[SUM_BYTES * 2 + 1])
{
	unsigned char sum[SUM_BYTES];

	gnutls_hash_deinit(summing->hash, sum);
	for (size_t i = 0; i < SUM_BYTES; i++)
		snprintf(&hex[i * 2], 3, "%02x", sum[i]);
}

static bool sum_source(struct move *move, const struct move_table *table, struct summing *summing,
		       struct error *err)
{
	sqlite3_stmt *rows = connection_prepare(&move->source, table->select, NULL, 0, err);
	struct arena arena;
	struct buffer row;
	int step = SQLITE_DONE;
	bool ok = true;

	if (rows == NULL)
		return false;
	arena_init(&arena, SIZE_MAX / 4);
	buffer_init(&row, &arena, ROW_BYTES_MAX);
	while (ok && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		row.len = 0;
		ok = move_append_row(&row, table, rows, err);
		if (ok)
			sum_add(summing, buffer_str(&row));
	}
	if (ok && step != SQLITE_DONE)
		ok = connection_fail(&move->source, err);
	connection_reset(&move->source, table->select, rows);
	arena_finish(&arena);
	return ok;
}

/* A piece of what COPY sends is a row, but the head stands before the first one (or the end). */
static void sum_piece(struct summing *summing, struct str piece, bool *is_first)
{
	if (*is_first)
		piece = str_slice(piece, HEAD_BYTES, piece.len);
	*is_first = false;
	if (piece.len > END_BYTES)
		sum_add(summing, piece);
}

static bool sum_target(struct move *move, const struct move_table *table, struct summing *summing,
		       struct error *err)
{
	PGconn *conn = move->link->conn;
	PGresult *result = PQexec(conn, table->copy_out);
	bool ok = PQresultStatus(result) == PGRES_COPY_OUT, is_first = true;
	char *piece;
	int len;

	if (!ok)
		(void)pg_link_fail(move->link, result, err);
	PQclear(result);
	if (!ok)
		return false;
	while ((len = PQgetCopyData(conn, &piece, 0)) > 0) {
		sum_piece(summing, str_make(piece, (size_t)len), &is_first);
		PQfreemem(piece);
	}
	while ((result = PQgetResult(conn)) != NULL) {
		if (ok && PQresultStatus(result) != PGRES_COMMAND_OK)
			ok = pg_link_fail(move->link, result, err);
		PQclear(result);
	}
	return ok && (len == -1 || fail(move, table, err));
}

static bool note_sum(struct move *move, const struct move_table *table, struct error *err)
{
	const char *const parameters[] = {table->moved.name, table->moved.sum};
	PGresult *result = move_ask(move, "UPDATE " PG_MOVE_TABLE " SET state = 2, sum = $2"
					  " WHERE name = $1", parameters, 2, err);

	_Static_assert(PG_MOVE_DONE == 2, "in the text");
	PQclear(result);
	return result != NULL;
}

bool move_compare(struct move *move, struct move_table *table, struct error *err)
{
	struct summing here, there;
	char sum[SUM_BYTES * 2 + 1];

	sum_begin(&here);
	sum_begin(&there);
	bool ok = sum_source(move, table, &here, err) && sum_target(move, table, &there, err);
	sum_end(&here, table->moved.sum);
	sum_end(&there, sum);
	if (ok && (here.rows != there.rows || strcmp(sum, table->moved.sum) != 0))
		ok = error_set(err, ERROR_CONFLICT,
			       "the table %s is not the same on both sides: %lld rows with the sum "
			       "%.16s in SQLite, %lld with %.16s in PostgreSQL; move into another "
			       "empty database",
			       table->moved.name, (long long)here.rows, table->moved.sum,
			       (long long)there.rows, sum);
	table->moved.rows = here.rows;
	if (!ok || !note_sum(move, table, err))
		return false;
	table->state = PG_MOVE_DONE;
	if (move->options->tell != NULL)
		move->options->tell(move->options->tell_context, &table->moved);
	return true;
}

/* What the parts of a move share (store_move() of store.h). Private to the store.
 *
 * A row is written as COPY has it in its binary format (a count of fields, then for each its length
 * and bytes, integers in 8 bytes): so it goes to PostgreSQL, so it comes back, and of such rows in
 * the order of their keys the sums on both sides are made.
 * https://www.postgresql.org/docs/15/sql-copy.html#id-1.9.3.55.9.4 */
#ifndef IO_STORE_MOVE_H
#define IO_STORE_MOVE_H

#include <gnutls/crypto.h>

#include "base/buffer.h"
#include "io/store/connection.h"
#include "io/store/pg_link.h"

enum { MOVE_COLUMNS_MAX = 64 };

struct move_column {
	const char *name;
	enum store_type type;
};

struct move_table {
	struct store_moved_table moved;
	struct move_column columns[MOVE_COLUMNS_MAX];
	size_t column_count;
	size_t key[MOVE_COLUMNS_MAX]; /* the places of its columns */
	size_t key_count;
	struct move_table *references[MOVE_COLUMNS_MAX];
	size_t reference_count;
	bool is_placed; /* while the order is found */
	int64_t state;	/* PG_MOVE_COPYING … */
	struct str after; /* the key of the last row that was copied, in the form of a row */
	const char *select;
	const char *select_after; /* past a key */
	const char *copy_in;
	const char *copy_out;
};

struct move {
	const struct store_move_options *options;
	struct arena *arena;
	struct connection source;
	struct pg_link *link; /* not in pipeline mode, and blocking */
	struct move_table **tables; /* in an order in which what is referred to comes first */
	size_t table_count;
};

/* --- move_plan.c ----------------------------------------------------------------------------- */

/* Which tables there are, from both schemas, which must tell the same. */
bool move_plan(struct move *move, struct error *err) MUST_CHECK;
/* NULL: none of that name is moved. */
struct move_table *move_find_table(const struct move *move, const char *name);

/* --- move_row.c ------------------------------------------------------------------------------ */

/* Appends the row at which the statement is; its columns are the table's. */
bool move_append_row(struct buffer *out, const struct move_table *table, sqlite3_stmt *row,
		     struct error *err) MUST_CHECK;
void move_append_key(struct buffer *out, const struct move_table *table, sqlite3_stmt *row);
/* The values of a key, for select_after. */
bool move_read_key(const struct move_table *table, struct str key, struct store_value *values,
		   struct error *err) MUST_CHECK;

/* --- move_copy.c ----------------------------------------------------------------------------- */

/* From where it stands to its end. */
bool move_copy(struct move *move, struct move_table *table, struct error *err) MUST_CHECK;
/* Both sides, read from the beginning: their sums are equal. */
bool move_compare(struct move *move, struct move_table *table, struct error *err) MUST_CHECK;

/* --- move.c ---------------------------------------------------------------------------------- */

/* Asks and waits; parameters are $1 …, results are texts. NULL: *err. */
PGresult *move_ask(struct move *move, const char *sql, const char *const *parameters, size_t count,
		   struct error *err) MUST_CHECK;
/* The same for what gives nothing back. */
bool move_do(struct move *move, const char *sql, struct error *err) MUST_CHECK;

#endif

#include "ats/calls/rows.h"

#include <assert.h>
#include <stdlib.h>

enum {
	PARAMETERS = 20,
	MANY = 16, /* rows of a statement */
	SQL_BYTES_MAX = 4096,
	EXPIRED_AT_ONCE = 4 * ROWS_BATCH,
	SCANNED_AT_ONCE = 20000,
	DAYS_AHEAD = 2,
};
static const int64_t DAY_MS = (int64_t)24 * 3600 * 1000;

struct call_rows_room {
	struct store_value values[ROWS_BATCH][PARAMETERS];
	struct store_statement statements[ROWS_BATCH];
	char sql_of_one[SQL_BYTES_MAX];
	char sql_of_many[SQL_BYTES_MAX];
};

#define INSERT                                                                                     \
	"INSERT INTO call_log (environment_id, id, account_id, connector, door, resource, method,"  \
	" status, error, duration_ms, upstream_ms, wait_ms, calls, retries, result_count,"         \
	" request_id, mcp_server_id, tool, client_name, client_version) VALUES "
/* With no NULLs among the parameters, which would make a text of its own for PostgreSQL. */
#define ROW                                                                                        \
	"(?%d, ?%d, ?%d, nullif(?%d, ''), ?%d, nullif(?%d, ''), nullif(?%d, ''), ?%d,"              \
	" nullif(?%d, ''), ?%d, ?%d, ?%d, ?%d, ?%d, nullif(?%d, -1), ?%d, ?%d, ?%d, ?%d, ?%d)"
/* Two of one id are there only when the clock went back between two starts of the program. */
#define OR_NOTHING " ON CONFLICT DO NOTHING"

/* A statement for each call would be as many messages to PostgreSQL and back. */
static void write_sql(char sql[SQL_BYTES_MAX], int rows)
{
	size_t len = (size_t)snprintf(sql, SQL_BYTES_MAX, "%s", INSERT);

	for (int at = 1; at <= rows * PARAMETERS; at += PARAMETERS)
		len += (size_t)snprintf(sql + len, SQL_BYTES_MAX - len, "%s" ROW, at == 1 ? "" : ", ",
					at, at + 1, at + 2, at + 3, at + 4, at + 5, at + 6, at + 7,
					at + 8, at + 9, at + 10, at + 11, at + 12, at + 13, at + 14,
					at + 15, at + 16, at + 17, at + 18, at + 19);
	len += (size_t)snprintf(sql + len, SQL_BYTES_MAX - len, "%s", OR_NOTHING);
	assert(len < SQL_BYTES_MAX);
}

struct call_rows_room *call_rows_room_create(void)
{
	struct call_rows_room *room = calloc(1, sizeof *room);

	if (room == NULL)
		die("no memory");
	write_sql(room->sql_of_one, 1);
	write_sql(room->sql_of_many, MANY);
	return room;
}

/* --- writing --------------------------------------------------------------------------------- */

static struct store_value text_of(struct str text)
{
	return store_text(text.len == 0 ? STR("") : text);
}

static void bind(const struct queued *queued, struct store_value *values)
{
	const struct call_record *record = &queued->record;

	values[0] = store_text(record->environment_id);
	values[1] = store_int(record->id);
	values[2] = store_text(record->account_id);
	values[3] = text_of(record->connector);
	values[4] = store_text(str_from_c(calls_door_name(record->which_door)));
	values[5] = text_of(record->resource);
	values[6] = text_of(record->method);
	values[7] = store_int(record->status);
	values[8] = text_of(record->error);
	values[9] = store_int(record->duration_ms);
	values[10] = store_int(record->upstream_ms);
	values[11] = store_int(record->wait_ms);
	values[12] = store_int(record->calls);
	values[13] = store_int(record->retries);
	values[14] = store_int(record->result_count < 0 ? -1 : record->result_count);
	values[15] = store_text(record->request_id);
	values[16] = store_text(record->mcp_server_id);
	values[17] = text_of(record->tool);
	values[18] = store_text(record->client_name);
	values[19] = store_text(record->client_version);
}

bool call_rows_insert(struct store *store, struct call_rows_room *room,
		      const struct queued *records, size_t count, struct error *err)
{
	size_t statements = 0;

	for (size_t i = 0; i < count; i++)
		bind(&records[i], room->values[i]);
	for (size_t at = 0, rows; at < count; at += rows) {
		rows = count - at >= MANY ? MANY : 1;
		room->statements[statements++] = (struct store_statement){
			.sql = rows == MANY ? room->sql_of_many : room->sql_of_one,
			.parameters = room->values[at],
			.parameter_count = rows * PARAMETERS,
			.changes_expected = -1,
		};
	}
	return store_write(store, room->statements, statements, err);
}

/* --- forgetting ------------------------------------------------------------------------------ */

/* On PostgreSQL what is in a day's partition goes with it. */
#define OF_NO_PARTITION(before, after) \
	STORE_TEXTS(before "call_log" after("call_log"), before "call_log_rest" after("call_log_rest"))
#define OLD_OF_ENVIRONMENT(table)                                                                  \
	" WHERE environment_id = ?1 AND id < ?2 AND id <= ifnull((SELECT id FROM " table           \
	" WHERE environment_id = ?1 ORDER BY id LIMIT 1 OFFSET ?3), ?2)"
#define NEXT_ENVIRONMENT(table) " WHERE environment_id > ?1 ORDER BY environment_id, id LIMIT 1"

bool call_rows_tend(struct store *store, int64_t now_ms, int64_t days, struct error *err)
{
	bool are_kept = days > 0;
	const struct store_value values[] = {
		store_int(now_ms),
		store_int(are_kept ? DAYS_AHEAD : -1),
		store_int(are_kept ? now_ms - days * DAY_MS : now_ms + (DAYS_AHEAD + 2) * DAY_MS),
	};
	const struct store_statement statement = {
		.sql = "SELECT call_log_tend(?1, ?2, ?3)",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};

	return !store_is_postgresql(store) || store_write(store, &statement, 1, err);
}

static bool expire_some(struct store *store, struct str environment_id, int64_t before_id,
			struct error *err)
{
	const struct store_value values[] = {store_text(environment_id), store_int(before_id),
					     store_int(EXPIRED_AT_ONCE - 1)};
	const struct store_statement statement = {
		.sql = OF_NO_PARTITION("DELETE FROM ", OLD_OF_ENVIRONMENT),
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};

	return store_write(store, &statement, 1, err);
}

/* The oldest record of the next environment; its id is empty when there is none. */
static bool find_oldest(struct store *store, struct arena *arena, struct str *environment_id,
			int64_t *id, struct error *err)
{
	const struct store_value after = store_text(*environment_id);
	struct store_rows rows;

	if (!store_query(store, arena,
			 OF_NO_PARTITION("SELECT environment_id, id FROM ", NEXT_ENVIRONMENT),
			 &after, 1, &rows, err))
		return false;
	*environment_id = rows.count > 0 ? store_cell(&rows, 0, 0)->bytes : (struct str){"", 0};
	*id = rows.count > 0 ? store_cell(&rows, 0, 1)->integer : 0;
	return true;
}

bool call_rows_expire(struct store *store, int64_t before_ms, bool *is_whole, struct error *err)
{
	int64_t before_id = before_ms << ROWS_ID_SHIFT, id, oldest;
	struct str environment_id = {"", 0}, same;
	struct arena arena;
	bool ok = true;

	*is_whole = true;
	arena_init(&arena, (size_t)16 << 20);
	do {
		same = environment_id;
		ok = find_oldest(store, &arena, &environment_id, &id, err);
		if (!ok || environment_id.len == 0 || id >= before_id)
			continue;
		ok = expire_some(store, environment_id, before_id, err) &&
		     find_oldest(store, &arena, &same, &oldest, err);
		if (ok && str_equal(same, environment_id) && oldest < before_id)
			*is_whole = false;
	} while (ok && environment_id.len > 0);
	arena_finish(&arena);
	return ok;
}

/* --- reading --------------------------------------------------------------------------------- */

static struct store_value or_null(struct str text)
{
	return text.len == 0 ? store_null() : store_text(text);
}

/* NULL: whatever it is. PostgreSQL must be told what a NULL is that is compared with nothing. */
#define IS(column, n) " AND (CAST(?" n " AS TEXT) IS NULL OR " column " = ?" n ")"
/* The inner one bounds how many rows are looked at. */
#define SELECT_CALLS(narrow)                                                                       \
	"SELECT id, account_id, connector, door, resource, method, status, error, duration_ms,"    \
	" upstream_ms, wait_ms, calls, retries, result_count, request_id, mcp_server_id, tool,"    \
	" client_name, client_version FROM"                                                        \
	" (SELECT * FROM call_log WHERE environment_id = ?1" narrow                                \
	" AND id >= ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5) AS latest"                           \
	" WHERE status BETWEEN ?7 AND ?8" IS("door", "9") IS("resource", "10")                     \
	IS("method", "11") IS("error", "12") IS("connector", "13") IS("request_id", "14")          \
	IS("mcp_server_id", "15") IS("tool", "16") IS("client_name", "17")                         \
	" ORDER BY id DESC LIMIT ?6"
#define SELECT_LAST(narrow)                                                                        \
	"SELECT id FROM call_log WHERE environment_id = ?1" narrow                                 \
	" AND id >= ?3 AND id < ?4 ORDER BY id DESC LIMIT 1 OFFSET ?5 - 1"
#define OF_ACCOUNT " AND account_id = ?2"

static int64_t id_of_time(int64_t unix_ms)
{
	return unix_ms > INT64_MAX >> ROWS_ID_SHIFT ? INT64_MAX : unix_ms << ROWS_ID_SHIFT;
}

/* False when it takes every record of its time and account. */
static bool is_narrow(const struct calls_query *query)
{
	return query->door.len > 0 || query->resource.len > 0 || query->method.len > 0 ||
	       query->error.len > 0 || query->connector.len > 0 || query->request_id.len > 0 ||
	       query->mcp_server_id.len > 0 || query->tool.len > 0 ||
	       query->client_name.len > 0 ||
	       query->status_min > 0 || query->status_max < 999;
}

static void bind_query(const struct calls_query *query, struct store_value *values)
{
	int64_t before_id = id_of_time(query->before_ms);

	if (query->before_id > 0 && query->before_id < before_id)
		before_id = query->before_id;
	values[0] = store_text(query->environment_id);
	values[1] = store_text(query->account_id);
	values[2] = store_int(id_of_time(query->from_ms));
	values[3] = store_int(before_id);
	values[4] = store_int(is_narrow(query) ? SCANNED_AT_ONCE : query->limit);
	values[5] = store_int(query->limit);
	values[6] = store_int(query->status_min);
	values[7] = store_int(query->status_max);
	values[8] = or_null(query->door);
	values[9] = or_null(query->resource);
	values[10] = or_null(query->method);
	values[11] = or_null(query->error);
	values[12] = or_null(query->connector);
	values[13] = or_null(query->request_id);
	values[14] = or_null(query->mcp_server_id);
	values[15] = or_null(query->tool);
	values[16] = or_null(query->client_name);
}

static struct str text_at(const struct store_rows *rows, size_t row, size_t column)
{
	const struct store_value *value = store_cell(rows, row, column);

	return value->type == STORE_NULL ? (struct str){"", 0} : value->bytes;
}

static int64_t number_at(const struct store_rows *rows, size_t row, size_t column)
{
	const struct store_value *value = store_cell(rows, row, column);

	return value->type == STORE_NULL ? -1 : value->integer;
}

static void read_row(const struct store_rows *rows, size_t row, struct call_record *record)
{
	*record = (struct call_record){
		.id = number_at(rows, row, 0),
		.account_id = text_at(rows, row, 1),
		.connector = text_at(rows, row, 2),
		.door = text_at(rows, row, 3),
		.resource = text_at(rows, row, 4),
		.method = text_at(rows, row, 5),
		.status = number_at(rows, row, 6),
		.error = text_at(rows, row, 7),
		.duration_ms = number_at(rows, row, 8),
		.upstream_ms = number_at(rows, row, 9),
		.wait_ms = number_at(rows, row, 10),
		.calls = number_at(rows, row, 11),
		.retries = number_at(rows, row, 12),
		.result_count = number_at(rows, row, 13),
		.request_id = text_at(rows, row, 14),
		.mcp_server_id = text_at(rows, row, 15),
		.tool = text_at(rows, row, 16),
		.client_name = text_at(rows, row, 17),
		.client_version = text_at(rows, row, 18),
	};
}

bool call_rows_list(struct store *store, struct arena *arena, const struct calls_query *query,
		    struct call_record **records, size_t *count, int64_t *next_id,
		    struct error *err)
{
	bool of_account = query->account_id.len > 0;
	struct store_value values[PARAMETERS];
	struct store_rows rows, last;

	bind_query(query, values);
	*next_id = 0;
	if (!store_query(store, arena, of_account ? SELECT_CALLS(OF_ACCOUNT) : SELECT_CALLS(""),
			 values, 17, &rows, err))
		return false;
	*count = rows.count;
	*records = arena_array(arena, rows.count + 1, sizeof **records);
	for (size_t i = 0; i < rows.count; i++)
		read_row(&rows, i, &(*records)[i]);
	if ((int64_t)rows.count == query->limit) {
		*next_id = (*records)[rows.count - 1].id;
		return true;
	}
	if (!is_narrow(query))
		return true;
	/* Was there more than was looked at? */
	if (!store_query(store, arena, of_account ? SELECT_LAST(OF_ACCOUNT) : SELECT_LAST(""),
			 values, 5, &last, err))
		return false;
	*next_id = last.count > 0 ? store_cell(&last, 0, 0)->integer : 0;
	return true;
}

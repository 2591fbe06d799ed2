#include "io/store/move.h"

#include <endian.h>

enum { KEY_TEXT_LEN = 200 };

static void append_16(struct buffer *out, size_t number)
{
	uint16_t bytes = htobe16((uint16_t)number);

	buffer_append(out, str_make((const char *)&bytes, sizeof bytes));
}

static void append_32(struct buffer *out, int32_t number)
{
	uint32_t bytes = htobe32((uint32_t)number);

	buffer_append(out, str_make((const char *)&bytes, sizeof bytes));
}

static void append_integer(struct buffer *out, int64_t number)
{
	uint64_t bytes = htobe64((uint64_t)number);

	append_32(out, sizeof bytes);
	buffer_append(out, str_make((const char *)&bytes, sizeof bytes));
}

/* The length must be asked for after the bytes: fetching them may convert. */
static void append_bytes(struct buffer *out, sqlite3_stmt *row, int column, const void *bytes)
{
	int len = sqlite3_column_bytes(row, column);

	append_32(out, len);
	buffer_append(out, str_make(bytes, (size_t)len));
}

/* False: the value is not of the column's type. */
static bool append_field(struct buffer *out, enum store_type type, sqlite3_stmt *row, int column)
{
	switch (sqlite3_column_type(row, column)) {
	case SQLITE_NULL:
		append_32(out, -1);
		return true;
	case SQLITE_INTEGER:
		append_integer(out, sqlite3_column_int64(row, column));
		return type == STORE_INT;
	case SQLITE_TEXT:
		append_bytes(out, row, column, sqlite3_column_text(row, column));
		return type == STORE_TEXT;
	case SQLITE_BLOB:
		append_bytes(out, row, column, sqlite3_column_blob(row, column));
		return type == STORE_BLOB;
	default:
		return false;
	}
}

/* As people write it: texts and numbers with commas between, bytes in hex. */
static void describe_key(const struct move_table *table, sqlite3_stmt *row, char text[KEY_TEXT_LEN])
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < table->key_count && len < KEY_TEXT_LEN; i++) {
		int column = (int)table->key[i];
		bool is_blob = table->columns[column].type == STORE_BLOB;
		const unsigned char *bytes = sqlite3_column_blob(row, column);
		int count = sqlite3_column_bytes(row, column);
		len += (size_t)snprintf(&text[len], KEY_TEXT_LEN - len, "%s%.*s",
					i == 0 ? "" : ", ", is_blob ? 0 : count,
					is_blob || bytes == NULL ? "" : (const char *)bytes);
		for (int k = 0; is_blob && k < count && len < KEY_TEXT_LEN; k++)
			len += (size_t)snprintf(&text[len], KEY_TEXT_LEN - len, "%02x", bytes[k]);
	}
}

/* A text of PostgreSQL cannot have a byte 0 in it. */
static bool has_zero(enum store_type type, sqlite3_stmt *row, int column)
{
	const unsigned char *bytes = type == STORE_TEXT ? sqlite3_column_text(row, column) : NULL;

	return bytes != NULL &&
	       memchr(bytes, 0, (size_t)sqlite3_column_bytes(row, column)) != NULL;
}

bool move_append_row(struct buffer *out, const struct move_table *table, sqlite3_stmt *row,
		     struct error *err)
{
	char key[KEY_TEXT_LEN];

	append_16(out, table->column_count);
	for (size_t i = 0; i < table->column_count; i++) {
		enum store_type type = table->columns[i].type;
		if (append_field(out, type, row, (int)i) && !has_zero(type, row, (int)i))
			continue;
		describe_key(table, row, key);
		return error_set(err, ERROR_INVALID,
				 "%s.%s holds a byte 0, or what is not of its type, which PostgreSQL "
				 "does not take: change the row with the key %s in tenon.db",
				 table->moved.name, table->columns[i].name, key);
	}
	return buffer_check(out, "a row", err);
}

void move_append_key(struct buffer *out, const struct move_table *table, sqlite3_stmt *row)
{
	append_16(out, table->key_count);
	for (size_t i = 0; i < table->key_count; i++)
		(void)append_field(out, table->columns[table->key[i]].type, row,
				   (int)table->key[i]);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool take(struct str *from, size_t len, struct str *taken)
{
	if (from->len < len)
		return false;
	*taken = str_slice(*from, 0, len);
	*from = str_slice(*from, len, from->len);
	return true;
}

static bool read_field(struct str *key, enum store_type type, struct store_value *value)
{
	struct str bytes;
	uint32_t len;
	uint64_t number;

	if (!take(key, sizeof len, &bytes))
		return false;
	memcpy(&len, bytes.data, sizeof len);
	if (!take(key, be32toh(len), &bytes))
		return false;
	*value = (struct store_value){.type = type, .bytes = bytes};
	if (type != STORE_INT)
		return true;
	if (bytes.len != sizeof number)
		return false;
	memcpy(&number, bytes.data, sizeof number);
	*value = store_int((int64_t)be64toh(number));
	return true;
}

bool move_read_key(const struct move_table *table, struct str key, struct store_value *values,
		   struct error *err)
{
	struct str count;
	bool ok = take(&key, sizeof(uint16_t), &count);

	for (size_t i = 0; ok && i < table->key_count; i++)
		ok = read_field(&key, table->columns[table->key[i]].type, &values[i]);
	if (ok && key.len == 0)
		return true;
	return error_set(err, ERROR_INTERNAL, "what was noted of the move of %s is damaged",
			 table->moved.name);
}

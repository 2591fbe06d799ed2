#include "io/store/pg_value.h"

/* Of pg_type.dat. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_VARCHAR = 1043,
	OID_VOID = 2278,
};

static int64_t read_integer(const char *bytes, int len)
{
	uint64_t number = 0;

	for (int i = 0; i < len; i++)
		number = number << 8 | (unsigned char)bytes[i];
	/* Shorter ones have their sign in their own first bit. */
	unsigned unused = 64 - 8 * (unsigned)len;
	return (int64_t)(number << unused) >> unused;
}

static bool read_value(struct arena *arena, const PGresult *result, int row, int column,
		       struct store_value *value, struct error *err)
{
	const char *bytes = PQgetvalue(result, row, column);
	int len = PQgetlength(result, row, column);
	Oid type = PQftype(result, column);

	if (PQgetisnull(result, row, column)) {
		*value = store_null();
		return true;
	}
	switch (type) {
	case OID_BOOL:
		*value = store_int(bytes[0] != 0);
		return true;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
		*value = store_int(read_integer(bytes, len));
		return true;
	case OID_NAME:
	case OID_TEXT:
	case OID_VARCHAR:
		*value = store_text(arena_str(arena, str_make(bytes, (size_t)len)));
		return true;
	case OID_BYTEA:
		*value = store_blob(arena_str(arena, str_make(bytes, (size_t)len)));
		return true;
	case OID_VOID:
		*value = store_null();
		return true;
	default:
		return error_set(err, ERROR_INTERNAL, "column %d is of type %u, which has no place here",
				 column, type);
	}
}

bool pg_value_rows(struct arena *arena, const PGresult *result, size_t rows_max,
		   struct store_rows *rows, struct error *err)
{
	size_t columns = (size_t)PQnfields(result), count = (size_t)PQntuples(result);
	struct store_value *values;

	if (count > rows_max)
		return store_too_many(rows_max, err);
	values = arena_array(arena, count * columns + 1, sizeof *values);
	*rows = (struct store_rows){count, columns, values};
	for (size_t i = 0; i < count * columns; i++)
		if (!read_value(arena, result, (int)(i / columns), (int)(i % columns), &values[i],
				err))
			return false;
	return arena_check(arena, err);
}

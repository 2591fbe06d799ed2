/* Records as lines: NDJSON (the record with its account before it), or CSV as RFC 4180 has it. */
#include "ats/copy/columns.h"

void copy_lines_init(struct copy_lines *lines, struct arena *arena,
		     const struct model_resource *resource, bool is_csv)
{
	struct copy_column *columns = NULL;

	*lines = (struct copy_lines){.arena = arena, .is_csv = is_csv};
	if (is_csv)
		lines->column_count = copy_columns(arena, resource->fields, resource->field_count,
						   &columns);
	lines->columns = columns;
}

static bool is_wanted(const struct copy_lines *lines, struct str field)
{
	if (lines->field_count == 0 || str_equal(field, STR("id")))
		return true;
	for (size_t i = 0; i < lines->field_count; i++)
		if (str_equal(lines->fields[i], field))
			return true;
	return false;
}

/* --- CSV ------------------------------------------------------------------------------------- */

/* What a spreadsheet would take for a formula gets an apostrophe, which it does not show. */
static bool is_formula(struct str text)
{
	return text.len > 0 && strchr("=+-@\t\r", text.data[0]) != NULL;
}

static bool wants_quotes(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '"' || text.data[i] == ',' || text.data[i] == '\n' ||
		    text.data[i] == '\r')
			return true;
	return text.len > 0 && (text.data[0] == ' ' || text.data[text.len - 1] == ' ');
}

static void write_text(struct buffer *out, struct str text, bool is_guarded)
{
	bool has_quotes = wants_quotes(text);

	if (has_quotes)
		buffer_append_byte(out, '"');
	if (is_guarded && is_formula(text))
		buffer_append_byte(out, '\'');
	while (has_quotes && text.len > 0) {
		ptrdiff_t quote = str_find_byte(text, '"');
		size_t end = quote < 0 ? text.len : (size_t)quote + 1;

		buffer_append(out, str_slice(text, 0, end));
		if (quote >= 0)
			buffer_append_byte(out, '"');
		text = str_slice(text, end, text.len);
	}
	if (has_quotes)
		buffer_append_byte(out, '"');
	else
		buffer_append(out, text);
}

static void write_cell(struct buffer *out, struct arena *arena, struct json value)
{
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return;
	if (json_is(value, JSON_STRING))
		write_text(out, json_str(value), true);
	else
		write_text(out, json_text(arena, value), false);
}

static bool add_csv(const struct copy_lines *lines, struct arena *arena,
		    const struct copy_export_row *row, struct buffer *out, struct error *err)
{
	struct json record;

	if (!json_parse(arena, row->body, &json_limits_default, &record, err))
		return error_set(err, ERROR_INTERNAL, "the row of a record is damaged");
	write_text(out, row->account_id, true);
	for (size_t i = 0; i < lines->column_count; i++) {
		if (!is_wanted(lines, lines->columns[i].root))
			continue;
		buffer_append_byte(out, ',');
		write_cell(out, arena, json_get_path(record, lines->columns[i].path));
	}
	if (lines->with_deleted)
		buffer_append_c(out, row->is_deleted ? ",true" : ",false");
	buffer_append_c(out, "\r\n");
	return true;
}

void copy_lines_begin(const struct copy_lines *lines, struct buffer *out)
{
	if (!lines->is_csv)
		return;
	buffer_append_c(out, "integrated_account_id");
	for (size_t i = 0; i < lines->column_count; i++) {
		if (!is_wanted(lines, lines->columns[i].root))
			continue;
		buffer_append_byte(out, ',');
		buffer_append(out, lines->columns[i].name);
	}
	buffer_append_c(out, lines->with_deleted ? ",is_deleted\r\n" : "\r\n");
}

/* --- NDJSON ---------------------------------------------------------------------------------- */

static bool add_chosen(const struct copy_lines *lines, struct arena *arena, struct str body,
		       struct buffer *out, struct error *err)
{
	struct json record;
	struct json_builder chosen;

	if (!json_parse(arena, body, &json_limits_default, &record, err))
		return error_set(err, ERROR_INTERNAL, "the row of a record is damaged");
	json_builder_init(&chosen, arena);
	for (size_t i = 0; json_is(record, JSON_OBJECT) && i < record.count; i++)
		if (is_wanted(lines, json_name(&record.members[i])))
			json_builder_set(&chosen, json_name(&record.members[i]),
					 record.members[i].value);
	struct str text = json_text(arena, json_builder_object(&chosen));
	buffer_append(out, str_slice(text, 1, text.len));
	return true;
}

static bool add_json(const struct copy_lines *lines, struct arena *arena,
		     const struct copy_export_row *row, struct buffer *out, struct error *err)
{
	bool ok = true;

	buffer_append_c(out, "{\"integrated_account_id\":");
	json_print(out, json_string(row->account_id));
	if (lines->with_deleted)
		buffer_append_c(out, row->is_deleted ? ",\"is_deleted\":true"
						     : ",\"is_deleted\":false");
	buffer_append_byte(out, ',');
	/* A record has an id, so that there is something behind its brace. */
	if (lines->field_count == 0)
		buffer_append(out, str_slice(row->body, 1, row->body.len));
	else
		ok = add_chosen(lines, arena, row->body, out, err);
	buffer_append_byte(out, '\n');
	return ok;
}

bool copy_lines_add(const struct copy_lines *lines, struct arena *arena,
		    const struct copy_export_row *row, struct buffer *out, struct error *err)
{
	return lines->is_csv ? add_csv(lines, arena, row, out, err)
			     : add_json(lines, arena, row, out, err);
}

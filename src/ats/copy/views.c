/* SQL views over the copy, for those who analyse: one for each resource of the model, and one for
 * each list in it. Their texts say in comments what each column is, so that the sqlite3 shell's
 * .schema tells it. */
#include "ats/copy/columns.h"

enum {
	VIEW_BYTES_MAX = 1024 * 1024,
	COLUMNS_MAX = 1000,
	VIEWS_MAX = 2000,
};

struct writing {
	struct arena *arena;
	const struct model_resource *resource;
	struct store_view *views;
	size_t count;
	struct str *columns; /* of the view that is being written */
	size_t column_count;
	bool is_postgresql;
	struct buffer text;
	struct error *err;
	bool ok;
};

/* "activities" → "activity", "candidates" → "candidate". */
struct str copy_singular(struct arena *arena, struct str plural)
{
	if (str_ends_with(plural, STR("ies")))
		return arena_format(arena, "%.*sy", (int)plural.len - 3, plural.data);
	return str_ends_with(plural, STR("s")) ? str_slice(plural, 0, plural.len - 1) : plural;
}

static const char *type_name(const struct model_field *field)
{
	static const char *const names[] = {
		[MODEL_TEXT] = "text",		 [MODEL_INTEGER] = "integer",
		[MODEL_NUMBER] = "number",	 [MODEL_BOOLEAN] = "boolean",
		[MODEL_DATE_TIME] = "date-time", [MODEL_DATE] = "date",
		[MODEL_ENUM] = "text",		 [MODEL_OBJECT] = "json",
		[MODEL_ANY] = "any",		 [MODEL_FILE] = "text",
	};

	return field->is_list ? "json" : names[field->type];
}

/* --- columns --------------------------------------------------------------------------------- */

/* A name twice would be found by neither. */
static void note_column(struct writing *writing, struct str name)
{
	bool is_twice = writing->column_count == COLUMNS_MAX;

	for (size_t i = 0; i < writing->column_count && !is_twice; i++)
		is_twice = str_equal(writing->columns[i], name);
	if (is_twice && writing->ok)
		writing->ok = error_set(writing->err, ERROR_INVALID,
					"the model's %.*s cannot be a view: two columns would be "
					"named %.*s",
					STR_ARGS(writing->resource->name), STR_ARGS(name));
	if (!is_twice)
		writing->columns[writing->column_count++] = name;
}

static void end_column(struct writing *writing, struct str name, const char *type,
		       struct str describe)
{
	note_column(writing, name);
	buffer_append_format(&writing->text, " AS \"%.*s\", -- %s: %.*s\n", STR_ARGS(name), type,
			     STR_ARGS(describe));
}

static void write_own(struct writing *writing, const char *column, struct str name,
		      const char *describe)
{
	buffer_append_format(&writing->text, "\t%s", column);
	end_column(writing, name, "text", str_from_c(describe));
}

/* As SQLite has them: numbers as such, what is true as 1, lists and objects as JSON. */
static void begin_cast(struct buffer *out, const struct model_field *field, const char **end)
{
	*end = "";
	if (field->is_list)
		return;
	if (field->type == MODEL_INTEGER || field->type == MODEL_NUMBER) {
		buffer_append_c(out, "CAST(");
		*end = " AS NUMERIC)";
	} else if (field->type == MODEL_BOOLEAN) {
		buffer_append_c(out, "CAST(CAST(");
		*end = " AS BOOLEAN) AS INTEGER)";
	}
}

/* `path`: dotted; empty: the source itself. */
static void write_value(struct writing *writing, const struct model_field *field,
			const char *source, struct str path)
{
	char *dotted = arena_c(writing->arena, path);
	const char *end;

	buffer_append_byte(&writing->text, '\t');
	if (writing->is_postgresql) {
		for (char *at = dotted; *at != '\0'; at++)
			*at = *at == '.' ? ',' : *at;
		begin_cast(&writing->text, field, &end);
		buffer_append_format(&writing->text, "(%s #>> '{%s}')%s", source, dotted, end);
	} else if (path.len == 0) {
		buffer_append_c(&writing->text, source);
	} else {
		buffer_append_format(&writing->text, "json_extract(%s, '$.%s')", source, dotted);
	}
}

static void write_fields(struct writing *writing, const struct model_field *fields, size_t count,
			 const char *source)
{
	struct copy_column *columns;
	size_t column_count = copy_columns(writing->arena, fields, count, &columns);

	for (size_t i = 0; i < column_count && writing->ok; i++) {
		write_value(writing, columns[i].field, source, columns[i].path);
		end_column(writing, columns[i].name, type_name(columns[i].field),
			   columns[i].describe);
	}
}

/* --- views ----------------------------------------------------------------------------------- */

static void begin_view(struct writing *writing, struct str name, struct str describe)
{
	buffer_init(&writing->text, writing->arena, VIEW_BYTES_MAX);
	writing->column_count = 0;
	buffer_append_format(&writing->text, "CREATE VIEW \"%.*s\" AS -- %.*s\nSELECT\n",
			     STR_ARGS(name), STR_ARGS(describe));
	write_own(writing, "c.environment_id", STR("environment_id"),
		  "The environment that the account belongs to.");
	write_own(writing, "c.account_id", STR("integrated_account_id"),
		  "The integrated account that the record comes from.");
}

static void add_view(struct writing *writing, struct str name)
{
	for (size_t i = 0; i < writing->count && writing->ok; i++)
		if (str_equal_c(name, writing->views[i].name))
			writing->ok = error_set(writing->err, ERROR_INVALID,
						"the model has two lists for the view %.*s",
						STR_ARGS(name));
	if (writing->ok && writing->count == VIEWS_MAX)
		writing->ok = error_set(writing->err, ERROR_LIMIT,
					"the model would make more than %d views", VIEWS_MAX);
	if (writing->ok)
		writing->views[writing->count++] = (struct store_view){
			.name = arena_c(writing->arena, name),
			.sql = arena_c(writing->arena, buffer_str(&writing->text)),
		};
}

static void write_postgresql_source(struct writing *writing, struct str list)
{
	char *path = arena_c(writing->arena, list);

	for (char *at = path; *at != '\0'; at++)
		*at = *at == '.' ? ',' : *at;
	buffer_append_c(&writing->text,
			"FROM copy AS c JOIN record AS r ON r.environment_id = c.environment_id"
			" AND r.copy = c.number"
			" CROSS JOIN LATERAL (SELECT CAST(r.body AS jsonb) AS body) AS b");
	if (list.len > 0)
		buffer_append_format(&writing->text,
				     " CROSS JOIN LATERAL (SELECT item AS value, at - 1 AS key"
				     " FROM jsonb_array_elements(CASE jsonb_typeof(b.body #> '{%s}')"
				     " WHEN 'array' THEN b.body #> '{%s}' ELSE '[]' END)"
				     " WITH ORDINALITY AS x (item, at)) AS e",
				     path, path);
}

static void write_source(struct writing *writing, struct str list)
{
	if (writing->is_postgresql) {
		write_postgresql_source(writing, list);
		return;
	}
	buffer_append_c(&writing->text,
			"FROM copy AS c CROSS JOIN record AS r ON r.environment_id = c.environment_id"
			" AND r.copy = c.number");
	if (list.len > 0)
		buffer_append_format(&writing->text,
				     " CROSS JOIN json_each(r.body, '$.%.*s') AS e",
				     STR_ARGS(list));
}

/* `list`: the path of the list whose items are the rows; empty: records are. */
static void end_view(struct writing *writing, struct str name, struct str list)
{
	write_source(writing, list);
	buffer_append_format(&writing->text, "\nWHERE c.resource = '%.*s' AND r.deleted_ms = 0",
			     STR_ARGS(writing->resource->name));
	writing->ok = writing->ok && buffer_check(&writing->text, "a view", writing->err);
	add_view(writing, name);
}

static void write_resource(struct writing *writing)
{
	const struct model_resource *resource = writing->resource;
	const struct str nothing = {NULL, 0};

	begin_view(writing, resource->name, resource->describe);
	/* The id by its own column, which an index has. */
	buffer_append_c(&writing->text, "\tr.id");
	end_column(writing, STR("id"), "text", STR("Identifier in the ATS."));
	write_fields(writing, resource->fields + 1, resource->field_count - 1,
		     writing->is_postgresql ? "b.body" : "r.body");
	note_column(writing, STR("record"));
	buffer_append_c(&writing->text, "\tr.body AS \"record\" -- json: All of it.\n");
	end_view(writing, resource->name, nothing);
}

/* One row for each item of a list. */
static void write_list(struct writing *writing, const struct model_field *field, struct str path,
		       struct str name)
{
	struct str owner = copy_singular(writing->arena, writing->resource->name);
	struct str view = name;

	/* "candidate_tags"; "job_posting_urls" is that already. */
	if (!str_starts_with(name, copy_join(writing->arena, owner, "_", STR(""))))
		view = copy_join(writing->arena, owner, "_", name);
	begin_view(writing, view, field->describe);
	write_own(writing, "r.id", copy_join(writing->arena, owner, "_", STR("id")),
		  "The record in whose list it is.");
	if (field->type == MODEL_OBJECT) {
		write_fields(writing, field->fields, field->field_count, "e.value");
	} else {
		const struct model_field item = {.type = field->type};

		write_value(writing, &item, "e.value", STR(""));
		end_column(writing, STR("value"), type_name(&item), STR("The item."));
	}
	note_column(writing, STR("item_number"));
	buffer_append_c(&writing->text,
			"\te.key AS \"item_number\" -- integer: Its place in the list, from 0.\n");
	end_view(writing, view, path);
}

static void write_lists(struct writing *writing, const struct model_field *fields, size_t count,
			struct str path, struct str prefix)
{
	for (size_t i = 0; i < count && writing->ok; i++) {
		struct str inner = copy_join(writing->arena, path, ".", fields[i].name);
		struct str name = copy_join(writing->arena, prefix, "_", fields[i].name);

		if (fields[i].is_list)
			write_list(writing, &fields[i], inner, name);
		else if (fields[i].type == MODEL_OBJECT)
			write_lists(writing, fields[i].fields, fields[i].field_count, inner, name);
	}
}

bool copy_views(struct arena *arena, const struct model *model, bool for_postgresql,
		struct store_view **views, size_t *count, struct error *err)
{
	const struct str nothing = {NULL, 0};
	struct writing writing = {
		.arena = arena, .is_postgresql = for_postgresql, .err = err, .ok = true};

	writing.views = arena_array(arena, VIEWS_MAX, sizeof *writing.views);
	writing.columns = arena_array(arena, COLUMNS_MAX, sizeof *writing.columns);
	for (size_t i = 0; i < model->resource_count && writing.ok; i++) {
		const struct model_resource *resource = &model->resources[i];

		writing.resource = resource;
		write_resource(&writing);
		write_lists(&writing, resource->fields, resource->field_count, nothing, nothing);
	}
	*views = writing.views;
	*count = writing.count;
	return writing.ok;
}

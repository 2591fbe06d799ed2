/* The connector with overrides in it: a copy of what they touch, which shares all else, so that
 * whoever runs an operation need not know of overrides. */
#include "ats/override/effect.h"

#include <assert.h>

/* --- fields beyond the model ------------------------------------------------------------------ */

static const char new_describe[] = "Added by an override.";

static const struct model_resource *extend_model(struct arena *arena, const struct target *targets,
						 size_t count, const struct unified_resource *base)
{
	const struct model_resource *model = base->model;
	struct model_resource *out = arena_alloc(arena, sizeof *out);
	struct model_field *fields =
		arena_zero(arena, (model->field_count + count) * sizeof *fields);

	*out = *model;
	out->fields = fields;
	memcpy(fields, model->fields, model->field_count * sizeof *fields);
	for (size_t i = 0; i < count; i++) {
		struct str name = targets[i].name;

		if (!target_is_of(&targets[i], base) || targets[i].is_request ||
		    model_find_field(out, name) != NULL)
			continue;
		fields[out->field_count++] = (struct model_field){
			.name = name,
			.hash = json_key_hash(name.data, name.len),
			.type = MODEL_ANY,
			.describe = str_from_c(new_describe),
		};
	}
	return out->field_count == model->field_count ? model : out;
}

/* --- field tables ----------------------------------------------------------------------------- */

/* A field table while it is changed. */
struct table {
	const struct model_resource *model;
	struct unified_map_entry *entries;
	size_t count;
	struct unified_map_part *parts;
	size_t part_count;
};

static struct unified_map_entry *find_entry(struct table *table, size_t field)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].field == field)
			return &table->entries[i];
	return NULL;
}

/* remote_x tells what x was read from where the mapping does not say it: it goes on to do so. */
static void keep_remote_word(struct arena *arena, struct table *table, size_t field)
{
	const struct unified_map_entry *entry = find_entry(table, field);
	size_t word = field + 1;
	struct jsonata_error ignored;
	const struct jsonata *before;

	if (word >= table->model->field_count || !table->model->fields[word].is_remote_word ||
	    find_entry(table, word) != NULL)
		return;
	before = entry != NULL ? entry->expression
			       : jsonata_compile(arena, STR("null"), NULL, &ignored);
	assert(before != NULL);
	table->entries[table->count++] =
		(struct unified_map_entry){.field = word, .expression = before};
}

/* What an earlier layer said of something within the field goes with the field. */
static void forget_parts(struct table *table, size_t field, struct str path)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->part_count; i++) {
		const struct unified_map_part *part = &table->parts[i];
		bool is_under =
			part->field == field &&
			(path.len == 0 ||
			 (str_starts_with(part->path, path) &&
			  (part->path.len == path.len || part->path.data[path.len] == '.')));

		if (!is_under)
			table->parts[kept++] = *part;
	}
	table->part_count = kept;
}

static void apply(struct arena *arena, struct table *table, const struct target *target)
{
	size_t field =
		(size_t)(model_find_field(table->model, target->name) - table->model->fields);
	struct unified_map_entry *entry = find_entry(table, field);

	forget_parts(table, field, target->path);
	if (target->path.len > 0) {
		table->parts[table->part_count++] = (struct unified_map_part){
			field, target->path, target->expression, target->origin};
		return;
	}
	keep_remote_word(arena, table, field);
	if (entry == NULL)
		entry = &table->entries[table->count++];
	*entry = (struct unified_map_entry){field, target->expression, target->origin};
}

static void make_map(struct arena *arena, const struct target *targets, size_t count,
		     const struct unified_resource *base, size_t index,
		     const struct model_resource *model, struct unified_map *out)
{
	const struct unified_map *map = &base->maps[index];
	struct table table = {.model = model};

	table.entries = arena_array(arena, map->count + 2 * count + 1, sizeof *table.entries);
	table.parts = arena_array(arena, count + 1, sizeof *table.parts);
	memcpy(table.entries, map->entries, map->count * sizeof *table.entries);
	table.count = map->count;
	*out = *map;
	for (size_t i = 0; i < count; i++) {
		const struct target *target = &targets[i];

		if (!target_is_of(target, base) || target->is_request ||
		    (target->table != ALL_TABLES && (size_t)target->table != index))
			continue;
		apply(arena, &table, target);
		out->is_overridden = true;
	}
	out->entries = table.entries;
	out->count = table.count;
	out->parts = table.parts;
	out->part_count = table.part_count;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void make_resource(struct arena *arena, const struct target *targets, size_t count,
			  const struct unified_resource *base, struct unified_resource *out)
{
	struct unified_map *maps = arena_array(arena, base->map_count + 1, sizeof *maps);

	*out = *base;
	out->model = extend_model(arena, targets, count, base);
	out->maps = maps;
	for (size_t i = 0; i < base->map_count; i++)
		make_map(arena, targets, count, base, i, out->model, &maps[i]);
	effect_make_reads(arena, targets, count, base, out);
	effect_make_writes(arena, targets, count, base, out);
}

static bool is_touched(const struct target *targets, size_t count,
		       const struct unified_resource *base)
{
	for (size_t i = 0; i < count; i++)
		if (target_is_of(&targets[i], base))
			return true;
	return false;
}

const struct connector *effect_make(struct arena *arena, const struct connector *connector,
				    const struct target *targets, size_t count)
{
	struct connector *out = arena_alloc(arena, sizeof *out);
	struct unified_resource *resources =
		arena_array(arena, connector->resource_count + 1, sizeof *resources);

	*out = *connector;
	out->resources = resources;
	for (size_t i = 0; i < connector->resource_count; i++) {
		const struct unified_resource *base = &connector->resources[i];

		if (is_touched(targets, count, base))
			make_resource(arena, targets, count, base, &resources[i]);
		else
			resources[i] = *base;
	}
	return out;
}

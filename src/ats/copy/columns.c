#include "ats/copy/columns.h"

struct gathering {
	struct arena *arena;
	struct copy_column *items;
	size_t count;
	size_t room;
};

struct str copy_join(struct arena *arena, struct str first, const char *sign, struct str second)
{
	if (first.len == 0)
		return second;
	return arena_format(arena, "%.*s%s%.*s", STR_ARGS(first), sign, STR_ARGS(second));
}

/* What an id or a name is of, its own text does not say. */
static struct str describe_of(struct arena *arena, const struct model_field *owner,
			      const struct model_field *field)
{
	if (owner == NULL ||
	    (!str_equal(field->name, STR("id")) && !str_equal(field->name, STR("name"))))
		return field->describe;
	return arena_format(arena, "%.*s %.*s", STR_ARGS(owner->describe),
			    STR_ARGS(field->describe));
}

static void add(struct gathering *gathering, struct copy_column column)
{
	size_t size = sizeof column;

	if (gathering->count == gathering->room) {
		size_t more = gathering->room * 2 + 16;
		gathering->items = arena_grow(gathering->arena, gathering->items,
					      gathering->room * size, more * size);
		gathering->room = more;
	}
	gathering->items[gathering->count++] = column;
}

static void gather(struct gathering *gathering, const struct model_field *owner,
		   const struct model_field *fields, size_t count, const struct copy_column *outer)
{
	for (size_t i = 0; i < count; i++) {
		const struct model_field *field = &fields[i];
		struct copy_column column = {
			.name = copy_join(gathering->arena, outer->name, "_", field->name),
			.path = copy_join(gathering->arena, outer->path, ".", field->name),
			.describe = describe_of(gathering->arena, owner, field),
			.field = field,
			.root = owner == NULL ? field->name : outer->root,
		};

		if (field->type == MODEL_OBJECT && !field->is_list)
			gather(gathering, field, field->fields, field->field_count, &column);
		else
			add(gathering, column);
	}
}

size_t copy_columns(struct arena *arena, const struct model_field *fields, size_t count,
		    struct copy_column **columns)
{
	struct gathering gathering = {.arena = arena};
	const struct copy_column none = {0};

	gather(&gathering, NULL, fields, count, &none);
	*columns = gathering.items;
	return gathering.count;
}

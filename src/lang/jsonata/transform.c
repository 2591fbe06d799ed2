/* |pattern|update,delete|: a function that answers a changed copy. Values are immutable, so the
 * changes to the members that the pattern selects are made while the copy is made: the pattern is
 * evaluated over a copy whose containers are this transformation's own. */
#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"

struct json jsonata_run_transform(struct evaluation *e, const struct node *node, struct json input,
				  struct frame *frame)
{
	struct closure *closure = jsonata_take(e, sizeof *closure);

	if (closure == NULL)
		return value_failed();
	*closure = (struct closure){.node = node, .frame = frame, .input = input};
	return value_function(FUNCTION_TRANSFORM, closure);
}

/* What has become of one object of the copy. The members of objects of a copy are unlike all
 * others by address, so the address names the object. */
struct change {
	const struct json_member *members;
	struct json now;
};

struct changes {
	struct evaluation *e;
	const struct closure *closure;
	struct change *items;
	uint32_t count, capacity;
};

static struct change *find_change(struct changes *c, struct json object)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->items[i].members == object.members)
			return &c->items[i];
	return NULL;
}

static struct change *add_change(struct changes *c, struct json object)
{
	if (c->count == c->capacity) {
		uint32_t capacity = c->capacity == 0 ? 8 : c->capacity * 2;
		struct change *items = jsonata_take(c->e, capacity * sizeof *items);
		if (items == NULL)
			return NULL;
		if (c->count > 0)
			memcpy(items, c->items, c->count * sizeof *items);
		c->items = items;
		c->capacity = capacity;
	}
	c->items[c->count] = (struct change){.members = object.members, .now = object};
	return &c->items[c->count++];
}

/* The value as it stands after the changes so far. */
static struct json rebuild(struct changes *c, struct json value, uint32_t depth)
{
	struct evaluation *e = c->e;

	if (depth > DATA_DEPTH_MAX) {
		jsonata_too_deep(e);
		return value_failed();
	}
	if (value.type != JSON_ARRAY && value.type != JSON_OBJECT)
		return value;
	/* What was read is no part of the copy: an update put it in as it is. */
	if ((value.flags & JSON_HAS_SOURCE) != 0)
		return value;
	if (!jsonata_spend_many(e, 1 + c->count / 8))
		return value_failed();
	if (value.type == JSON_ARRAY) {
		struct json *items = jsonata_take_items(e, value.count);
		if (items == NULL)
			return value_failed();
		for (uint32_t i = 0; i < value.count; i++) {
			items[i] = rebuild(c, value.items[i], depth + 1);
			if (value_is_failed(items[i]))
				return value_failed();
		}
		return json_array(items, value.count);
	}
	struct change *change = find_change(c, value);
	if (change != NULL)
		value = change->now;
	struct json_member *members = jsonata_take(e, value.count * sizeof *members);
	if (members == NULL)
		return value_failed();
	for (uint32_t i = 0; i < value.count; i++) {
		members[i] = value.members[i];
		members[i].value = rebuild(c, value.members[i].value, depth + 1);
		if (value_is_failed(members[i].value))
			return value_failed();
	}
	return json_object(members, value.count);
}

static struct json merge(struct evaluation *e, struct json object, struct json update)
{
	struct json pair[2] = {object, update};
	struct json arguments[4] = {json_array(pair, 2)};
	struct call_site site = {.count = 1};

	return jsonata_builtin_merge(e, arguments, &site);
}

static bool is_listed(struct json names, const struct json_member *member)
{
	for (uint32_t i = 0; i < names.count; i++)
		if (str_equal(json_str(names.items[i]), json_name(member)))
			return true;
	return false;
}

static struct json remove_members(struct evaluation *e, struct json object, struct json names)
{
	struct json_member *members = jsonata_take(e, object.count * sizeof *members);
	uint32_t count = 0;

	if (members == NULL)
		return value_failed();
	/* Each name is held against each member. */
	for (uint32_t i = 0; i < names.count; i++)
		if (!jsonata_spend_many(e, 1 + object.count / 8))
			return value_failed();
	for (uint32_t i = 0; i < object.count; i++)
		if (!is_listed(names, &object.members[i]))
			members[count++] = object.members[i];
	return json_object(members, count);
}

static struct json fail(struct changes *c, const char *code, const struct node *node,
			struct json value)
{
	jsonata_fail_at(c->e, code, node, value);
	c->e->fault.token = json_undefined();
	if (node->kind == NODE_PATH || node->kind == NODE_FIELD)
		c->e->fault.has_position = false; /* the reference's paths have none */
	return value_failed();
}

/* `match` itself keeps the containers of the copy, by which later matches are known; what the
 * clauses see is rebuilt. */
static struct json run_clause(struct changes *c, const struct node *node, struct json match)
{
	struct json seen = rebuild(c, match, 0);

	return value_is_failed(seen) ? seen : jsonata_run(c->e, node, seen, c->closure->frame);
}

static struct json apply_update(struct changes *c, struct json match)
{
	const struct node *node = c->closure->node->operands.rhs;
	struct json update = run_clause(c, node, match);

	if (value_is_failed(update) || value_is_undefined(update))
		return value_is_failed(update) ? update : match;
	if (update.type != JSON_OBJECT)
		return fail(c, "T2011", node, update);
	return match.type == JSON_OBJECT ? merge(c->e, match, update) : match;
}

static struct json apply_delete(struct changes *c, struct json match)
{
	const struct node *node = c->closure->node->operands.third;
	struct json names = node == NULL ? json_undefined() : run_clause(c, node, match);
	struct json single = names;

	if (value_is_failed(names) || value_is_undefined(names))
		return value_is_failed(names) ? names : match;
	if (names.type != JSON_ARRAY)
		names = json_array(&single, 1);
	for (uint32_t i = 0; i < names.count; i++)
		if (names.items[i].type != JSON_STRING)
			return fail(c, "T2012", node, single);
	return match.type == JSON_OBJECT ? remove_members(c->e, match, names) : match;
}

static bool change_match(struct changes *c, struct json match)
{
	struct change *change = match.type == JSON_OBJECT ? find_change(c, match) : NULL;
	struct json now = change == NULL ? match : change->now;

	if (!jsonata_spend_many(c->e, 1 + c->count / 16))
		return false;
	now = apply_update(c, now);
	if (!value_is_failed(now))
		now = apply_delete(c, now);
	if (value_is_failed(now))
		return false;
	if (match.type != JSON_OBJECT)
		return true;
	if (change == NULL)
		change = add_change(c, match);
	if (change == NULL)
		return false;
	change->now = now;
	return true;
}

/* A copy of `value` whose containers are all new, made by $clone as it is bound around. */
static struct json copy_value(struct changes *c, struct json value)
{
	const struct node *node = c->closure->node;
	struct json arguments[4] = {value};
	struct call_site site = {.count = 1};
	struct json clone =
		jsonata_run(c->e, node->operands.clone, c->closure->input, c->closure->frame);

	if (value_is_failed(clone))
		return clone;
	if (!value_is_function(clone))
		return fail(c, "T2013", node, json_undefined());
	if (node->operands.clone->kind != NODE_LITERAL) {
		arguments[0] = jsonata_apply(c->e, clone, arguments, 1, json_null());
		if (value_is_sequence(arguments[0]))
			arguments[0] = jsonata_settle(arguments[0], false);
		if (value_is_failed(arguments[0]) || value_is_undefined(arguments[0]))
			return arguments[0];
	}
	return jsonata_builtin_clone(c->e, arguments, &site);
}

struct json jsonata_transform(struct evaluation *e, const struct closure *closure,
			      struct json value)
{
	struct changes c = {.e = e, .closure = closure};

	if (value_is_undefined(value))
		return value;
	struct json copy = copy_value(&c, value);
	if (value_is_failed(copy) || value_is_undefined(copy))
		return copy;
	struct json matches = jsonata_run(e, closure->node->operands.lhs, copy, closure->frame);
	struct json single = matches;
	if (value_is_failed(matches))
		return matches;
	if (value_is_undefined(matches))
		return copy;
	if (matches.type != JSON_ARRAY)
		matches = json_array(&single, 1);
	for (uint32_t i = 0; i < matches.count; i++)
		if (!change_match(&c, matches.items[i]))
			return value_failed();
	return rebuild(&c, copy, 0);
}

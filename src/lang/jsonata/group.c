/* Object constructors: { key: value }, alone or behind an expression whose items they group. */
#include "lang/jsonata/evaluate.h"

/* One key of the object under construction and the items that have it. */
struct group {
	struct str key;
	uint32_t hash;
	uint32_t pair;
	uint32_t next;	     /* of the same bucket, +1 */
	uint32_t first_link; /* list of items, +1 */
	uint32_t last_link;
	uint32_t item_count;
};

struct link {
	uint32_t item;
	uint32_t next; /* +1 */
};

struct grouping {
	struct evaluation *e;
	const struct object_node *object;
	uint32_t position;
	struct json input;
	struct frame *frame;
	const struct scope *tuple_scope; /* NULL: the items are no tuples */
	const struct scope *loose_scope; /* of tuples that are no stream */
	bool *is_used;			 /* tuples that stood alone in a group, by item */
	struct group *groups;
	uint32_t count, capacity;
	struct link *links;
	uint32_t link_count, link_capacity;
	uint32_t *buckets;
	uint32_t bucket_count;
};

/* An object whose keys are constant, over a context that is no array: the usual case. */
static struct json construct(struct evaluation *e, const struct object_node *object,
			     struct json input, struct frame *frame)
{
	struct json_member *members = jsonata_take(e, object->count * sizeof *members);
	uint32_t count = 0;

	if (members == NULL)
		return value_failed();
	for (uint32_t i = 0; i < object->count; i++) {
		const struct pair *pair = &object->pairs[i];
		struct json value = jsonata_run(e, pair->value, input, frame);
		if (value_is_failed(value))
			return value;
		if (value_is_undefined(value))
			continue;
		members[count] = pair->member;
		members[count++].value = value;
	}
	return json_object(members, count);
}

static bool grow(struct evaluation *e, void **items, uint32_t count, uint32_t *capacity,
		 size_t item_size)
{
	if (count < *capacity)
		return true;
	uint32_t wanted = *capacity == 0 ? 8 : *capacity * 2;
	void *grown = jsonata_take(e, wanted * item_size);

	if (grown == NULL)
		return false;
	if (count > 0)
		memcpy(grown, *items, count * item_size);
	*items = grown;
	*capacity = wanted;
	return true;
}

static bool rehash(struct grouping *g)
{
	uint32_t wanted = g->bucket_count == 0 ? 16 : g->bucket_count * 4;

	g->buckets = jsonata_take(g->e, wanted * sizeof *g->buckets);
	if (g->buckets == NULL)
		return false;
	memset(g->buckets, 0, wanted * sizeof *g->buckets);
	g->bucket_count = wanted;
	for (uint32_t i = 0; i < g->count; i++) {
		uint32_t *bucket = &g->buckets[g->groups[i].hash & (wanted - 1)];
		g->groups[i].next = *bucket;
		*bucket = i + 1;
	}
	return true;
}

static struct group *find_group(struct grouping *g, struct str key, uint32_t hash)
{
	if (g->bucket_count == 0)
		return NULL;
	uint32_t at = g->buckets[hash & (g->bucket_count - 1)];

	for (; at != 0; at = g->groups[at - 1].next) {
		jsonata_charge(g->e, 1); /* keys may have been chosen to collide */
		if (g->groups[at - 1].hash == hash && str_equal(g->groups[at - 1].key, key))
			return &g->groups[at - 1];
	}
	return NULL;
}

static struct group *add_group(struct grouping *g, struct str key, uint32_t hash, uint32_t pair)
{
	if (!grow(g->e, (void **)&g->groups, g->count, &g->capacity, sizeof *g->groups))
		return NULL;
	if (g->count >= g->bucket_count && !rehash(g))
		return NULL;
	uint32_t *bucket = &g->buckets[hash & (g->bucket_count - 1)];
	struct group *group = &g->groups[g->count];

	*group = (struct group){.key = key, .hash = hash, .pair = pair, .next = *bucket};
	*bucket = ++g->count;
	return group;
}

static bool add_item(struct grouping *g, struct group *group, uint32_t item)
{
	if (!grow(g->e, (void **)&g->links, g->link_count, &g->link_capacity, sizeof *g->links))
		return false;
	g->links[g->link_count++] = (struct link){.item = item};
	if (group->first_link == 0)
		group->first_link = g->link_count;
	else
		g->links[group->last_link - 1].next = g->link_count;
	group->last_link = g->link_count;
	group->item_count++;
	return true;
}

static bool fail(struct grouping *g, const char *code, struct json value)
{
	if (g->e->fault.code == NULL) {
		jsonata_fail(g->e, code, value);
		g->e->fault.position = g->position;
		g->e->fault.has_position = true;
	}
	return false;
}

static bool add_key(struct grouping *g, struct json key, uint32_t pair, uint32_t item)
{
	if (value_is_undefined(key))
		return true;
	if (key.type != JSON_STRING)
		return fail(g, "T1003", key);
	struct str name = json_str(key);
	if (str_equal(name, STR("_jsonata_lambda")) || str_equal(name, STR("_jsonata_function")))
		return fail(g, "D1013", key);
	uint32_t hash = json_key_hash(name.data, name.len);
	struct group *group = find_group(g, name, hash);

	if (group == NULL)
		group = add_group(g, name, hash, pair);
	else if (group->pair != pair)
		return fail(g, "D1009", key);
	return group != NULL && add_item(g, group, item);
}

static bool gather(struct grouping *g)
{
	for (uint32_t i = 0; i < g->input.count; i++) {
		struct json item = g->input.items[i];
		struct frame *frame = g->frame;
		if (g->tuple_scope != NULL) {
			frame = jsonata_tuple_frame(g->e, item, g->tuple_scope, g->frame);
			if (frame == NULL)
				return false;
			item = value_tuple_item(item);
		} else if (value_is_tuple(item)) {
			item = jsonata_tuple_object(g->e, item, g->loose_scope);
			if (value_is_failed(item))
				return false;
		}
		for (uint32_t pair = 0; pair < g->object->count; pair++) {
			struct json key;
			if (!jsonata_spend(g->e))
				return false;
			key = jsonata_run(g->e, g->object->pairs[pair].key, item, frame);
			if (value_is_failed(key) || !add_key(g, key, pair, i))
				return false;
		}
	}
	return true;
}

/* The items of a group as the reference appends them: one is itself, of more the arrays among
 * them are spread. `slot` picks a variable of tuples; without tuples it is not used. */
static struct json collect(struct grouping *g, const struct group *group, uint32_t slot)
{
	struct evaluation *e = g->e;
	uint32_t base = e->top, count = 0;
	struct json only = json_undefined();

	for (uint32_t at = group->first_link; at != 0; at = g->links[at - 1].next) {
		struct json item = g->input.items[g->links[at - 1].item];
		if (g->tuple_scope != NULL && slot == 0 && g->is_used[g->links[at - 1].item])
			continue;
		if (g->tuple_scope != NULL)
			item = ((const struct json *)item.pointer)[slot];
		else if (value_is_tuple(item))
			item = jsonata_tuple_object(e, item, g->loose_scope);
		if (value_is_failed(item))
			return item;
		if (value_is_undefined(item) || item.type == VALUE_UNBOUND)
			continue;
		only = item;
		count++;
		bool is_pushed = item.type == JSON_ARRAY
					 ? jsonata_push_all(e, item.items, item.count)
					 : jsonata_push(e, item);
		if (!is_pushed)
			return value_failed();
	}
	if (count <= 1) {
		e->top = base;
		return only;
	}
	return jsonata_finish_array(e, base, 0);
}

/* The frame in which the value of a group of tuples is evaluated. */
static struct frame *reduce(struct grouping *g, const struct group *group, struct json *context)
{
	uint32_t size = scope_tuple_size(g->tuple_scope);
	struct frame *frame = jsonata_frame(g->e, g->frame, scope_size(g->tuple_scope));

	if (frame == NULL)
		return NULL;
	for (uint32_t slot = 0; slot < size; slot++) {
		struct json value = collect(g, group, slot);
		if (value_is_failed(value))
			return NULL;
		if (!value_is_undefined(value))
			frame->slots[slot] = value;
	}
	/* The reference takes the item out of a tuple that is alone in its group: a later group
	 * that has the same tuple misses it. */
	if (group->item_count == 1)
		g->is_used[g->links[group->first_link - 1].item] = true;
	*context = frame->slots[0].type == VALUE_UNBOUND ? json_undefined() : frame->slots[0];
	return frame;
}

/* The groups in the order in which the reference evaluates them; NULL past a budget. */
static const struct json_member *order_groups(struct grouping *g)
{
	struct json_member *keys = jsonata_take(g->e, g->count * sizeof *keys);

	if (keys == NULL)
		return NULL;
	for (uint32_t i = 0; i < g->count; i++)
		keys[i] =
			(struct json_member){g->groups[i].key.data, (uint32_t)g->groups[i].key.len,
					     g->groups[i].hash, json_int(i)};
	return jsonata_in_order(g->e, json_object(keys, g->count)).members;
}

static struct json finish(struct grouping *g)
{
	struct json_member *members = jsonata_take(g->e, g->count * sizeof *members);
	const struct json_member *order = members == NULL ? NULL : order_groups(g);
	uint32_t count = 0;

	if (order == NULL)
		return value_failed();
	if (g->tuple_scope != NULL) {
		g->is_used = jsonata_take(g->e, g->input.count * sizeof *g->is_used);
		if (g->is_used == NULL)
			return value_failed();
		memset(g->is_used, 0, g->input.count * sizeof *g->is_used);
	}
	for (uint32_t i = 0; i < g->count; i++) {
		const struct group *group = &g->groups[order[i].value.integer];
		struct frame *frame = g->frame;
		struct json context, value;
		if (g->tuple_scope != NULL) {
			frame = reduce(g, group, &context);
			if (frame == NULL)
				return value_failed();
		} else {
			context = collect(g, group, 0);
			if (value_is_failed(context))
				return context;
		}
		value = jsonata_run(g->e, g->object->pairs[group->pair].value, context, frame);
		if (value_is_failed(value))
			return value;
		if (!value_is_undefined(value))
			members[count++] = (struct json_member){
				group->key.data, (uint32_t)group->key.len, group->hash, value};
	}
	return json_object(members, count);
}

struct json jsonata_group(struct evaluation *e, const struct node *node, uint32_t position,
			  struct json input, struct frame *frame, const struct scope *tuple_scope)
{
	struct json nothing = json_undefined();
	struct grouping g = {.e = e,
			     .object = &node->object,
			     .position = position,
			     .input = input,
			     .frame = frame};

	if (input.type == JSON_ARRAY && (input.extension & MARK_TUPLE) != 0)
		g.tuple_scope = tuple_scope;
	else if (tuple_scope != NULL && scope_size(tuple_scope) > 0) {
		/* Compiled for tuples, but there are none: an empty frame keeps the hops right. */
		g.loose_scope = tuple_scope;
		g.frame = jsonata_frame(e, frame, scope_size(tuple_scope));
		if (g.frame == NULL)
			return value_failed();
	}
	if (input.type != JSON_ARRAY) {
		if (node->object.is_constant)
			return construct(e, &node->object, input, g.frame);
		g.input = json_array(&input, 1);
	} else if (input.count == 0 && g.tuple_scope == NULL) {
		/* So that a literal object comes out of nothing. */
		g.input = json_array(&nothing, 1);
	}
	if (!gather(&g))
		return value_failed();
	return finish(&g);
}

struct json jsonata_run_object(struct evaluation *e, const struct node *node, struct json input,
			       struct frame *frame)
{
	struct json value;

	if (!jsonata_enter(e))
		return value_failed();
	if (input.type != JSON_ARRAY && node->object.is_constant)
		value = construct(e, &node->object, input, frame);
	else
		value = jsonata_group(e, node, node->position, input, frame, NULL);
	jsonata_leave(e);
	return value;
}

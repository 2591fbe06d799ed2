#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"

/* --- JavaScript's order of keys ------------------------------------------------------------ */

/* The number of a key that looks like an array index, or -1. */
static int64_t index_of(const struct json_member *member)
{
	int64_t index = 0;

	if (member->key_len == 0 || member->key_len > 10 ||
	    (member->key[0] == '0' && member->key_len > 1))
		return -1;
	for (uint32_t i = 0; i < member->key_len; i++) {
		if (member->key[i] < '0' || member->key[i] > '9')
			return -1;
		index = index * 10 + (member->key[i] - '0');
	}
	return index < UINT32_MAX ? index : -1;
}

static int compare_indices(const void *a, const void *b)
{
	int64_t x = index_of(a), y = index_of(b);

	return (x > y) - (x < y);
}

static bool is_in_order(struct json object, uint32_t *count)
{
	int64_t last = -1;
	bool is_ordered = true;

	*count = 0;
	for (uint32_t i = 0; i < object.count; i++) {
		const struct json_member *m = &object.members[i];
		int64_t index = m->key_len > 0 && m->key[0] <= '9' ? index_of(m) : -1;
		if (index < 0)
			continue;
		is_ordered = is_ordered && *count == i && index > last;
		last = index;
		(*count)++;
	}
	return is_ordered;
}

struct json jsonata_in_order(struct evaluation *e, struct json object)
{
	uint32_t count, at = 0, rest;

	if (object.type != JSON_OBJECT || is_in_order(object, &count))
		return object;
	struct json_member *members = jsonata_take(e, object.count * sizeof *members);
	if (members == NULL || !jsonata_spend_many(e, object.count))
		return object;
	rest = count;
	for (uint32_t i = 0; i < object.count; i++)
		members[index_of(&object.members[i]) >= 0 ? at++ : rest++] = object.members[i];
	qsort(members, count, sizeof *members, compare_indices);
	return json_object(members, object.count);
}

/* An object under construction in which a later value of a key replaces an earlier one. */
struct members {
	struct evaluation *e;
	struct json_member *items;
	uint32_t count, capacity;
	uint32_t *buckets; /* index + 1 */
	uint32_t *next;
	uint32_t mask;
};

static bool grow(struct members *m)
{
	uint32_t capacity = m->capacity == 0 ? 8 : m->capacity * 2;
	struct json_member *items = jsonata_take(m->e, capacity * sizeof *items);
	uint32_t *next = items == NULL ? NULL : jsonata_take(m->e, capacity * sizeof *next);
	uint32_t *buckets = next == NULL ? NULL : jsonata_take(m->e, capacity * sizeof *buckets);

	if (buckets == NULL)
		return false;
	if (m->count > 0)
		memcpy(items, m->items, m->count * sizeof *items);
	memset(buckets, 0, capacity * sizeof *buckets);
	m->items = items;
	m->next = next;
	m->buckets = buckets;
	m->mask = capacity - 1;
	m->capacity = capacity;
	for (uint32_t i = 0; i < m->count; i++) {
		next[i] = buckets[items[i].key_hash & m->mask];
		buckets[items[i].key_hash & m->mask] = i + 1;
	}
	return true;
}

static bool set(struct members *m, const struct json_member *member)
{
	if (m->count == m->capacity && !grow(m))
		return false;
	if (m->count > m->e->sequence_max) {
		jsonata_fail(m->e, "D2015", json_int(m->e->sequence_max));
		return false;
	}
	uint32_t *bucket = &m->buckets[member->key_hash & m->mask];
	for (uint32_t at = *bucket; at != 0; at = m->next[at - 1]) {
		struct json_member *known = &m->items[at - 1];
		jsonata_charge(m->e, 1); /* keys may have been chosen to collide */
		if (known->key_hash != member->key_hash || known->key_len != member->key_len ||
		    memcmp(known->key, member->key, member->key_len) != 0)
			continue;
		known->value = member->value;
		return jsonata_spend(m->e);
	}
	m->next[m->count] = *bucket;
	m->items[m->count] = *member;
	*bucket = ++m->count;
	return jsonata_spend(m->e);
}

/* --- keys ---------------------------------------------------------------------------------- */

static bool gather_keys(struct members *m, struct json value, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(m->e);
	if (value.type == JSON_ARRAY) {
		for (uint32_t i = 0; i < value.count; i++)
			if (!jsonata_spend(m->e) || !gather_keys(m, value.items[i], depth + 1))
				return false;
	} else if (value.type == JSON_OBJECT) {
		value = jsonata_in_order(m->e, value);
		for (uint32_t i = 0; i < value.count; i++)
			if (!set(m, &value.members[i]))
				return false;
	}
	return true;
}

struct json jsonata_builtin_keys(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	uint32_t base = e->top;
	struct members m = {.e = e};

	(void)site;
	if (!gather_keys(&m, a[0], 0))
		return value_failed();
	struct json all = jsonata_in_order(e, json_object(m.items, m.count));
	for (uint32_t i = 0; i < all.count; i++) {
		struct str key = json_name(&all.members[i]);
		if (!jsonata_push(e, value_text(key, jsonata_text_flags(key))))
			return value_failed();
	}
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_builtin_lookup(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	struct str key = a[1].type == JSON_STRING ? json_str(a[1]) : STR("undefined");

	(void)site;
	return jsonata_lookup(e, a[0], key, json_key_hash(key.data, key.len));
}

/* --- spread, merge ------------------------------------------------------------------------- */

static bool push_spread(struct evaluation *e, struct json value, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX)
		return jsonata_too_deep(e);
	if (value.type == JSON_ARRAY) {
		for (uint32_t i = 0; i < value.count; i++)
			if (!jsonata_spend(e) || !push_spread(e, value.items[i], depth + 1))
				return false;
		return true;
	}
	if (value.type != JSON_OBJECT)
		return value_is_undefined(value) || jsonata_push(e, value);
	value = jsonata_in_order(e, value);
	for (uint32_t i = 0; i < value.count; i++)
		if (!jsonata_spend(e) || !jsonata_push(e, json_object(&value.members[i], 1)))
			return false;
	return true;
}

struct json jsonata_builtin_spread(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	uint32_t base = e->top;

	(void)site;
	if (a[0].type != JSON_ARRAY && a[0].type != JSON_OBJECT)
		return a[0];
	if (!push_spread(e, a[0], 0))
		return value_failed();
	/* What was appended is a plain array, in the reference. */
	bool is_plain = a[0].type == JSON_ARRAY && a[0].count > 0;
	return jsonata_finish_array(e, base, is_plain ? 0 : MARK_SEQUENCE);
}

struct json jsonata_builtin_merge(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	struct members m = {.e = e};

	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	for (uint32_t i = 0; i < a[0].count; i++) {
		struct json object = a[0].items[i];
		if (!jsonata_spend(e))
			return value_failed();
		if (object.type != JSON_OBJECT)
			continue;
		for (uint32_t k = 0; k < object.count; k++)
			if (!set(&m, &object.members[k]))
				return value_failed();
	}
	return json_object(m.items, m.count);
}

/* --- each, sift ---------------------------------------------------------------------------- */

static struct json key_text(const struct json_member *member)
{
	struct str key = json_name(member);

	return value_text(key, jsonata_text_flags(key));
}

struct json jsonata_builtin_each(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	uint32_t base = e->top;
	struct json object = jsonata_in_order(e, a[0]);

	(void)site;
	for (uint32_t i = 0; object.type == JSON_OBJECT && i < object.count; i++) {
		const struct json_member *m = &object.members[i];
		struct json value = jsonata_apply_item(e, a[1], m->value, key_text(m), a[0]);
		if (value_is_failed(value) ||
		    (!value_is_undefined(value) && !jsonata_push(e, value)))
			return value_failed();
	}
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_builtin_sift(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	uint32_t count = 0;

	(void)site;
	if (a[0].type != JSON_OBJECT)
		return json_undefined();
	struct json_member *members = jsonata_take(e, a[0].count * sizeof *members);
	if (members == NULL)
		return value_failed();
	struct json object = jsonata_in_order(e, a[0]);
	for (uint32_t i = 0; i < object.count; i++) {
		const struct json_member *m = &object.members[i];
		struct json value = value_is_function(a[1]) ? jsonata_apply_item(e, a[1], m->value,
										 key_text(m), a[0])
							    : json_undefined();
		int truth = value_is_failed(value) ? -1 : jsonata_truth(e, value);
		if (truth < 0)
			return value_failed();
		if (truth == 1)
			members[count++] = *m;
	}
	return count == 0 ? json_undefined() : json_object(members, count);
}

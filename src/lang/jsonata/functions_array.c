#include <math.h>

#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"

struct json jsonata_builtin_count(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	(void)e, (void)site;
	return json_int(a[0].type == JSON_ARRAY ? a[0].count : 0);
}

struct json jsonata_append(struct evaluation *e, struct json a, struct json b)
{
	uint32_t base = e->top;

	if (value_is_undefined(a))
		return b;
	if (value_is_undefined(b))
		return a;
	bool is_pushed =
		a.type == JSON_ARRAY ? jsonata_push_all(e, a.items, a.count) : jsonata_push(e, a);
	is_pushed = is_pushed && (b.type == JSON_ARRAY ? jsonata_push_all(e, b.items, b.count)
						       : jsonata_push(e, b));
	return is_pushed ? jsonata_finish_array(e, base, 0) : value_failed();
}

struct json jsonata_builtin_append(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)site;
	return jsonata_append(e, a[0], a[1]);
}

struct json jsonata_builtin_reverse(struct evaluation *e, const struct json *a,
				    const struct call_site *site)
{
	struct json array = a[0];

	(void)site;
	if (array.type != JSON_ARRAY || array.count <= 1)
		return array;
	struct json *items = jsonata_take_items(e, array.count);
	if (items == NULL || !jsonata_spend_many(e, array.count / 8))
		return value_failed();
	for (uint32_t i = 0; i < array.count; i++)
		items[array.count - 1 - i] = array.items[i];
	return json_array(items, array.count);
}

struct json jsonata_builtin_shuffle(struct evaluation *e, const struct json *a,
				    const struct call_site *site)
{
	struct json array = a[0];

	(void)site;
	if (array.type != JSON_ARRAY || array.count <= 1)
		return array;
	if (e->context->random == NULL)
		return jsonata_fail(e, "U1003", json_undefined());
	struct json *items = jsonata_take_items(e, array.count);
	if (items == NULL || !jsonata_spend_many(e, array.count))
		return value_failed();
	for (uint32_t i = 0; i < array.count; i++) {
		uint32_t j = (uint32_t)jsonata_draw(e, i + 1);
		items[i] = items[j];
		items[j] = array.items[i];
	}
	return json_array(items, array.count);
}

struct json jsonata_builtin_zip(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	uint32_t base = e->top, count = UINT32_MAX, width = site->count;

	for (uint32_t i = 0; i < width; i++) {
		uint32_t length = a[i].type == JSON_ARRAY ? a[i].count : 0;
		count = length < count ? length : count;
	}
	if (width == 0)
		count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct json *tuple = jsonata_take_items(e, width);
		if (tuple == NULL || !jsonata_spend_many(e, width))
			return value_failed();
		for (uint32_t k = 0; k < width; k++)
			tuple[k] = a[k].items[i];
		if (!jsonata_push(e, json_array(tuple, width)))
			return value_failed();
	}
	return jsonata_finish_array(e, base, 0);
}

/* --- distinct ------------------------------------------------------------------------------ */

/* Equal values have equal hashes; containers hash by what is cheap to see of them. */
static uint32_t hash_value(struct json value)
{
	double number;

	switch (value.type) {
	case JSON_STRING:
		return json_key_hash(value.text, value.count);
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		number = value_double(value) + 0.0;
		return json_key_hash((const char *)&number, sizeof number);
	case JSON_ARRAY:
	case JSON_OBJECT:
		return value.count * 2654435761u + value.type;
	case JSON_BOOL:
		return value.boolean;
	default:
		return value.type;
	}
}

struct distinct {
	uint32_t *buckets; /* index + 1 of the newest with that hash */
	uint32_t *next;
	uint32_t mask;
};

static bool init_distinct(struct evaluation *e, struct distinct *d, uint32_t count)
{
	uint32_t size = 16;

	while (size < count && size < 1u << 30)
		size *= 2;
	d->mask = size - 1;
	d->buckets = jsonata_take(e, size * sizeof *d->buckets);
	d->next = d->buckets == NULL ? NULL : jsonata_take(e, count * sizeof *d->next);
	if (d->next == NULL)
		return false;
	memset(d->buckets, 0, size * sizeof *d->buckets);
	return true;
}

/* 1 when an equal value was pushed since `base`, 0 when not, -1 for a failure. */
static int is_known(struct evaluation *e, const struct distinct *d, uint32_t base,
		    struct json value, uint32_t hash)
{
	for (uint32_t at = d->buckets[hash & d->mask]; at != 0; at = d->next[at - 1]) {
		if (!jsonata_spend(e))
			return -1;
		int equal = jsonata_equal(e, value, e->scratch[base + at - 1]);
		if (equal != 0)
			return equal;
	}
	return 0;
}

struct json jsonata_builtin_distinct(struct evaluation *e, const struct json *a,
				     const struct call_site *site)
{
	uint32_t base = e->top;
	struct json array = a[0];
	struct distinct d;

	(void)site;
	if (array.type != JSON_ARRAY || array.count <= 1)
		return array;
	if (!init_distinct(e, &d, array.count))
		return value_failed();
	for (uint32_t i = 0; i < array.count; i++) {
		struct json value = array.items[i];
		uint32_t hash = hash_value(value);
		if (!jsonata_spend(e))
			return value_failed();
		int known = is_known(e, &d, base, value, hash);
		if (known < 0)
			return value_failed();
		if (known == 1)
			continue;
		d.next[e->top - base] = d.buckets[hash & d.mask];
		d.buckets[hash & d.mask] = e->top - base + 1;
		if (!jsonata_push(e, value))
			return value_failed();
	}
	return jsonata_finish_array(e, base, array.extension & MARK_SEQUENCE);
}

/* --- sort ---------------------------------------------------------------------------------- */

struct sorting {
	const struct json *items;
	struct json function; /* JSON_UNDEFINED: by value */
};

static int is_greater(struct evaluation *e, void *context, uint32_t a, uint32_t b)
{
	const struct sorting *s = context;
	struct json x = s->items[a], y = s->items[b];

	if (x.type == JSON_STRING) {
		jsonata_charge(e, (x.count < y.count ? x.count : y.count) / 64);
		return jsonata_compare_text(json_str(x), json_str(y)) > 0;
	}
	if (x.type == JSON_INT && y.type == JSON_INT)
		return x.integer > y.integer;
	return value_double(x) > value_double(y);
}

/* JavaScript's truth, not $boolean's: what `if` makes of the comparator's answer. */
static bool is_truthy(struct json value)
{
	switch (value.type) {
	case JSON_UNDEFINED:
	case JSON_NULL:
		return false;
	case JSON_BOOL:
		return value.boolean;
	case JSON_INT:
	case JSON_DOUBLE:
	case JSON_NUMBER_TEXT:
		return value_double(value) != 0 && !isnan(value_double(value));
	case JSON_STRING:
		return value.count > 0;
	default:
		return true;
	}
}

static int is_after(struct evaluation *e, void *context, uint32_t a, uint32_t b)
{
	const struct sorting *s = context;
	struct json pair[2] = {s->items[a], s->items[b]};
	struct json value = jsonata_apply(e, s->function, pair, 2, json_null());

	return value_is_failed(value) ? -1 : is_truthy(value);
}

static bool is_uniform(struct evaluation *e, struct json array)
{
	bool are_texts = true, are_numbers = true, fails = false;

	jsonata_charge(e, array.count / 4);
	for (uint32_t i = 0; i < array.count && (are_texts || are_numbers); i++) {
		are_texts = are_texts && array.items[i].type == JSON_STRING;
		are_numbers = are_numbers && jsonata_is_numeric(e, array.items[i], &fails);
	}
	return !fails && (are_texts || are_numbers);
}

struct json jsonata_builtin_sort(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	struct json array = a[0];
	struct sorting s = {.items = array.items, .function = a[1]};

	(void)site;
	if (array.type != JSON_ARRAY || array.count <= 1)
		return array;
	if (value_is_undefined(s.function) && !is_uniform(e, array)) {
		jsonata_fail(e, "D3070", json_undefined());
		e->fault.index = 1;
		return value_failed();
	}
	uint32_t *order = jsonata_take(e, array.count * sizeof *order);
	struct json *items = order == NULL ? NULL : jsonata_take_items(e, array.count);
	if (items == NULL)
		return value_failed();
	if (!jsonata_sort(e, order, array.count,
			  value_is_undefined(s.function) ? is_greater : is_after, &s))
		return value_failed();
	for (uint32_t i = 0; i < array.count; i++)
		items[i] = array.items[order[i]];
	return json_array(items, array.count);
}

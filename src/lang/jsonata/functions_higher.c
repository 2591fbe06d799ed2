#include "lang/jsonata/builtin.h"
#include "lang/jsonata/function.h"

struct json jsonata_builtin_map(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	uint32_t base = e->top;

	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	for (uint32_t i = 0; i < a[0].count; i++) {
		struct json value = jsonata_apply_item(e, a[1], a[0].items[i], json_int(i), a[0]);
		if (value_is_failed(value) ||
		    (!value_is_undefined(value) && !jsonata_push(e, value)))
			return value_failed();
	}
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

/* 1, 0, or -1 for a failure. */
static int accepts(struct evaluation *e, const struct json *a, uint32_t i)
{
	struct json value = jsonata_apply_item(e, a[1], a[0].items[i], json_int(i), a[0]);

	return value_is_failed(value) ? -1 : jsonata_truth(e, value);
}

struct json jsonata_builtin_filter(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	uint32_t base = e->top;

	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	for (uint32_t i = 0; i < a[0].count; i++) {
		int truth = accepts(e, a, i);
		if (truth < 0 || (truth == 1 && !jsonata_push(e, a[0].items[i])))
			return value_failed();
	}
	return jsonata_finish_array(e, base, MARK_SEQUENCE);
}

struct json jsonata_builtin_single(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	bool is_found = false;
	struct json found = json_undefined();

	(void)site;
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	for (uint32_t i = 0; i < a[0].count; i++) {
		int truth = value_is_function(a[1]) ? accepts(e, a, i) : 1;
		if (truth < 0)
			return value_failed();
		if (truth == 0)
			continue;
		if (is_found) {
			jsonata_fail(e, "D3138", json_undefined());
			e->fault.index = i;
			return value_failed();
		}
		is_found = true;
		found = a[0].items[i];
	}
	return is_found ? found : jsonata_fail(e, "D3139", json_undefined());
}

struct json jsonata_builtin_reduce(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	uint32_t arity = jsonata_arity(a[1]), i = 0;
	struct json value = a[2];

	(void)site;
	if (value_is_undefined(a[0]))
		return a[0];
	if (arity < 2) {
		jsonata_fail(e, "D3050", json_undefined());
		e->fault.index = 1;
		return value_failed();
	}
	if (a[0].type != JSON_ARRAY)
		return json_undefined();
	if (value_is_undefined(value) && a[0].count > 0)
		value = a[0].items[i++];
	for (; i < a[0].count; i++) {
		struct json arguments[4] = {value, a[0].items[i], json_int(i), a[0]};
		value = jsonata_apply(e, a[1], arguments, arity > 4 ? 4 : arity, json_null());
		if (value_is_failed(value))
			return value;
	}
	return value;
}

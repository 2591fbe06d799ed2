/* Functions over any value, and those about the evaluation itself. */
#include <math.h>

#include "lang/jsonata/builtin.h"

struct json jsonata_builtin_boolean(struct evaluation *e, const struct json *a,
				    const struct call_site *site)
{
	(void)site;
	if (value_is_undefined(a[0]))
		return a[0];
	int truth = jsonata_truth(e, a[0]);
	return truth < 0 ? value_failed() : json_bool(truth == 1);
}

struct json jsonata_builtin_not(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	(void)site;
	if (value_is_undefined(a[0]))
		return a[0];
	int truth = jsonata_truth(e, a[0]);
	return truth < 0 ? value_failed() : json_bool(truth == 0);
}

struct json jsonata_builtin_exists(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)e, (void)site;
	return json_bool(!value_is_undefined(a[0]));
}

struct json jsonata_builtin_type(struct evaluation *e, const struct json *a,
				 const struct call_site *site)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	       [JSON_BOOL] = "boolean",
		[JSON_INT] = "number",	       [JSON_DOUBLE] = "number",
		[JSON_NUMBER_TEXT] = "number", [JSON_STRING] = "string",
		[JSON_ARRAY] = "array",	       [JSON_OBJECT] = "object",
		[JSON_EXTENSION] = "function",
	};
	bool fails = false;

	(void)site;
	if (value_is_undefined(a[0]))
		return a[0];
	if (a[0].type == JSON_DOUBLE && !jsonata_is_numeric(e, a[0], &fails))
		return fails ? value_failed() : json_string_c("object");
	return value_text(str_from_c(names[a[0].type]), JSON_PLAIN | JSON_ASCII);
}

static struct json fail_with(struct evaluation *e, const char *code, struct json message,
			     const char *otherwise)
{
	jsonata_fail(e, code, json_undefined());
	e->fault.text = message.type == JSON_STRING && message.count > 0 ? json_str(message)
									 : str_from_c(otherwise);
	return value_failed();
}

struct json jsonata_builtin_error(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	(void)site;
	return fail_with(e, "D3137", a[0], "$error() function evaluated");
}

struct json jsonata_builtin_assert(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)site;
	if (a[0].type == JSON_BOOL && a[0].boolean)
		return json_undefined();
	return fail_with(e, "D3141", a[1], "$assert() statement failed");
}

/* --- the world outside --------------------------------------------------------------------- */

static int64_t now_ms(struct evaluation *e)
{
	if (e->now_ms < 0 && e->context->clock != NULL)
		e->now_ms = clock_unix_ms(e->context->clock);
	return e->now_ms < 0 ? 0 : e->now_ms;
}

struct json jsonata_builtin_millis(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)a, (void)site;
	return json_int(now_ms(e));
}

struct json jsonata_builtin_now(struct evaluation *e, const struct json *a,
				const struct call_site *site)
{
	struct json arguments[4] = {json_int(now_ms(e)), a[0], a[1], json_undefined()};

	return jsonata_builtin_from_millis(e, arguments, site);
}

uint64_t jsonata_draw(struct evaluation *e, uint64_t below)
{
	if (!e->has_chance)
		random_fill(e->context->random, &e->chance.state, sizeof e->chance.state);
	e->has_chance = true;
	struct random drawn = random_from_seed(&e->chance);

	return random_below(&drawn, below);
}

struct json jsonata_builtin_random(struct evaluation *e, const struct json *a,
				   const struct call_site *site)
{
	(void)a, (void)site;
	if (e->context->random == NULL)
		return jsonata_fail(e, "U1003", json_undefined());
	return jsonata_number((double)jsonata_draw(e, 1ull << 53) * 0x1p-53);
}

/* --- clone --------------------------------------------------------------------------------- */

static struct json clone(struct evaluation *e, struct json value, uint32_t depth);

static struct json clone_number(struct evaluation *e, struct json value)
{
	if (value.type != JSON_DOUBLE || isnan(value.number))
		return value.type == JSON_DOUBLE ? json_null() : value;
	if (isinf(value.number))
		return jsonata_fail(e, "D1001", value);
	struct json text = jsonata_to_text(e, value, false);
	if (value_is_failed(text))
		return text;
	char copy[40] = "";
	memcpy(copy, text.text, text.count < sizeof copy ? text.count : sizeof copy - 1);
	return jsonata_number(strtod(copy, NULL));
}

static struct json clone_array(struct evaluation *e, struct json value, uint32_t depth)
{
	struct json *items = jsonata_take_items(e, value.count);

	if (items == NULL)
		return value_failed();
	for (uint32_t i = 0; i < value.count; i++) {
		items[i] = clone(e, value.items[i], depth + 1);
		if (value_is_failed(items[i]))
			return value_failed();
		if (value_is_undefined(items[i]))
			items[i] = json_null();
	}
	return json_array(items, value.count);
}

static struct json clone_object(struct evaluation *e, struct json value, uint32_t depth)
{
	struct json_member *members = jsonata_take(e, value.count * sizeof *members);
	uint32_t count = 0;

	if (members == NULL)
		return value_failed();
	for (uint32_t i = 0; i < value.count; i++) {
		struct json inner = clone(e, value.members[i].value, depth + 1);
		if (value_is_failed(inner))
			return inner;
		if (value_is_undefined(inner))
			continue;
		members[count] = value.members[i];
		members[count++].value = inner;
	}
	return json_object(members, count);
}

/* As the reference, which writes the text of the value and reads it again. */
static struct json clone(struct evaluation *e, struct json value, uint32_t depth)
{
	if (depth > DATA_DEPTH_MAX) {
		jsonata_too_deep(e);
		return value_failed();
	}
	if (!jsonata_spend(e))
		return value_failed();
	switch (value.type) {
	case JSON_DOUBLE:
		return clone_number(e, value);
	case JSON_ARRAY:
		return clone_array(e, value, depth);
	case JSON_OBJECT:
		return clone_object(e, value, depth);
	case JSON_EXTENSION:
		return json_string_c("");
	default:
		return value;
	}
}

struct json jsonata_builtin_clone(struct evaluation *e, const struct json *a,
				  const struct call_site *site)
{
	(void)site;
	if (a[0].type == JSON_ARRAY && (a[0].extension & MARK_OUTER) != 0)
		return clone(e, a[0].items[0], 0);
	return clone(e, a[0], 0);
}

#include "ats/settings/settings.h"

#include <stdio.h>

#include "io/http/http.h"

bool setting_refuse(const char *name, const char *allowed, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, name, allowed, "%s must be %s", name, allowed);
}

bool setting_read_flag(struct json body, const char *name, bool *out, struct error *err)
{
	struct json value = json_get_c(body, name);

	if (!setting_is_given(value))
		return true;
	if (!json_is(value, JSON_BOOL))
		return setting_refuse(name, "true or false", err);
	*out = value.boolean;
	return true;
}

bool setting_read_int(struct json body, const char *name, int64_t min, int64_t max, int64_t *out,
		      struct error *err)
{
	struct json value = json_get_c(body, name);
	char allowed[80];
	int64_t number;

	if (!setting_is_given(value))
		return true;
	if (json_is_number(value) && json_to_int64(value, &number) && number >= min &&
	    number <= max) {
		*out = number;
		return true;
	}
	snprintf(allowed, sizeof allowed, "a whole number from %lld to %lld", (long long)min,
		 (long long)max);
	return setting_refuse(name, allowed, err);
}

bool setting_read_word(struct json body, const char *name, const char *const *words, size_t count,
		       const char *allowed, int *out, struct error *err)
{
	struct json value = json_get_c(body, name);

	if (!setting_is_given(value))
		return true;
	for (size_t i = 0; i < count && json_is(value, JSON_STRING); i++) {
		if (!str_equal_c(json_str(value), words[i]))
			continue;
		*out = (int)i;
		return true;
	}
	return setting_refuse(name, allowed, err);
}

static bool is_text(struct json value)
{
	return json_is(value, JSON_STRING) && value.count > 0 &&
	       value.count <= SETTING_TEXT_BYTES_MAX && !http_has_control_byte(json_str(value));
}

bool setting_read_list(struct arena *arena, struct json body, const char *name,
		       const struct str **list, size_t *count, struct error *err)
{
	static const char allowed[] = "a list of at most 100 texts";
	struct json value = json_get_c(body, name);
	struct str *texts;

	if (!setting_is_given(value))
		return true;
	if ((!json_is(value, JSON_ARRAY) && !json_is(value, JSON_NULL)) ||
	    value.count > SETTING_LIST_MAX)
		return setting_refuse(name, allowed, err);
	*count = json_is(value, JSON_NULL) ? 0 : value.count;
	*list = texts = arena_array(arena, *count + 1, sizeof *texts);
	for (size_t i = 0; i < *count; i++) {
		if (!is_text(json_at(value, i)))
			return setting_refuse(name, allowed, err);
		texts[i] = json_str(json_at(value, i));
	}
	return true;
}

struct json setting_show_list(struct arena *arena, const struct str *list, size_t count)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&out, json_string(list[i]));
	return json_builder_array(&out);
}

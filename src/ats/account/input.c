#include "ats/account/accounts.h"

bool input_is_word(struct str s)
{
	if (s.len == 0 || s.len > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return true;
	return false;
}

bool input_check_text(struct str s, size_t bytes_max, const char *field, struct error *err)
{
	char allowed[80];

	snprintf(allowed, sizeof allowed, "at most %zu bytes, no control characters", bytes_max);
	if (s.len > bytes_max)
		return error_set_field(err, ERROR_LIMIT, field, allowed, "%s has %zu bytes", field, s.len);
	if (has_control(s))
		return error_set_field(err, ERROR_INVALID, field, allowed,
				       "%s holds a control character", field);
	return true;
}

bool input_print_object(struct arena *arena, struct json object, size_t bytes_max,
			const char *field, struct str *text, struct error *err)
{
	struct buffer buffer;
	char allowed[64];

	*text = STR("{}");
	if (json_is(object, JSON_UNDEFINED))
		return true;
	snprintf(allowed, sizeof allowed, "an object of at most %zu bytes", bytes_max);
	if (!json_is(object, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, field, allowed, "%s is no object", field);
	buffer_init(&buffer, arena, bytes_max);
	json_print(&buffer, object);
	if (buffer.is_over)
		return error_set_field(err, ERROR_LIMIT, field, allowed, "%s is too large", field);
	*text = buffer_str(&buffer);
	return true;
}

bool input_check_limits(struct json limits, struct error *err)
{
	static const char allowed[] =
		"requests, per_seconds, concurrent: whole numbers from 1 to 1000000";
	int64_t number;

	if (!json_is(limits, JSON_OBJECT))
		return true; /* input_print_object() tells */
	for (size_t i = 0; i < limits.count; i++) {
		struct str key = json_name(&limits.members[i]);
		if (!str_equal_c(key, "requests") && !str_equal_c(key, "per_seconds") &&
		    !str_equal_c(key, "concurrent"))
			return error_set_field(err, ERROR_INVALID, "limits", allowed,
					       "limits has a field of another name");
		if (!json_to_int64(limits.members[i].value, &number) || number < 1 ||
		    number > 1000000)
			return error_set_field(err, ERROR_INVALID, "limits", allowed,
					       "limits.%.*s is out of range", STR_ARGS(key));
	}
	return true;
}

static bool is_field_name(struct str s)
{
	if (s.len == 0 || s.len > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '-')
			return false;
	}
	return true;
}

/* What is said of a wrong one never repeats its value. A control character in it could split a
 * request's head when it is sent, so it is refused here already. */
static bool check_credential_field(const struct json_member *member, struct error *err)
{
	struct str name = json_name(member);
	char field[NAME_BYTES_MAX + 16];

	if (!is_field_name(name))
		return error_set_field(err, ERROR_INVALID, "credential",
				       "names of 1 to 64 letters, digits, - and _",
				       "a field of the credential has a name that cannot be");
	snprintf(field, sizeof field, "credential.%.*s", STR_ARGS(name));
	if (!json_is(member->value, JSON_STRING) || member->value.count == 0)
		return error_set_field(err, ERROR_INVALID, field, "a text that is not empty",
				       "%s is no text", field);
	return input_check_text(json_str(member->value), CREDENTIAL_BYTES_MAX, field, err);
}

bool input_check_credential(struct json credential, struct error *err)
{
	if (json_is(credential, JSON_UNDEFINED))
		return true;
	if (!json_is(credential, JSON_OBJECT))
		return error_set_field(err, ERROR_INVALID, "credential", "an object of texts",
				       "the credential is no object");
	if (credential.count > CREDENTIAL_FIELDS_MAX)
		return error_set_field(err, ERROR_LIMIT, "credential", "at most 16 fields",
				       "the credential has %u fields", credential.count);
	for (size_t i = 0; i < credential.count; i++)
		if (!check_credential_field(&credential.members[i], err))
			return false;
	return true;
}

/* One value as it is to be read: HTML as text, nothing that is null or empty, nothing that is
 * masked, texts and lists no longer than they may be. */
#include "front/mcp/shape_parts.h"

static const struct str masked = STR_INIT("[masked]");

/* Where in a record the walk is. */
struct place {
	const struct model_field *fields; /* of a unified object; NULL: unknown */
	size_t count;
	enum model_pii kind;
	struct str wanted; /* fields below; empty: all */
	bool is_masked;
};

/* --- texts ------------------------------------------------------------------------------------ */

static uint32_t read_code(struct str text, size_t at, size_t *len)
{
	unsigned char c = (unsigned char)text.data[at];
	size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = want == 1 ? c : c & (0xff >> (want + 1));

	*len = at + want <= text.len ? want : 1;
	for (size_t i = 1; i < *len; i++)
		code = code << 6 | ((unsigned char)text.data[at + i] & 0x3f);
	return code;
}

/* Controls, marks of direction, and tags: a model reads them, and a person does not see them. */
static bool is_unseen(uint32_t code)
{
	return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0) ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || code == 0xad ||
	       (code >= 0xe0000 && code <= 0xe0fff);
}

static struct str without_unseen(struct arena *arena, struct str text)
{
	char *out = arena_alloc(arena, text.len + 1);
	size_t len = 0, step;

	for (size_t i = 0; i < text.len; i += step) {
		if (is_unseen(read_code(text, i, &step)))
			continue;
		memcpy(out + len, text.data + i, step);
		len += step;
	}
	return str_make(out, len);
}

struct str trim_text(struct arena *arena, struct str text)
{
	text = connector_plain_text(arena, text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
			return without_unseen(arena, text);
	}
	return text;
}

/* Not within a character. */
static struct str cut(struct str text, size_t bytes)
{
	while (bytes > 0 && bytes < text.len && ((unsigned char)text.data[bytes] & 0xc0) == 0x80)
		bytes--;
	return str_slice(text, 0, bytes);
}

static struct json show_text(struct trim *trim, const struct place *place, struct str text)
{
	bool is_others;

	if (place->is_masked) {
		trim->mask_count++;
		return json_string(masked);
	}
	text = trim_text(trim->arena, text);
	is_others = place->kind == MODEL_PII_FREE_TEXT && text.len > 0;
	if (text.len > trim->text_max) {
		size_t rest = text.len - trim->text_max;

		trim->cut_count++;
		text = arena_format(trim->arena, "%.*s\xE2\x80\xA6 [%zu more bytes]",
				    STR_ARGS(cut(text, trim->text_max)), rest);
	}
	if (is_others) {
		trim->others_count++;
		text = arena_format(trim->arena, "<<%.*s %.*s %.*s>>", STR_ARGS(trim->mark),
				    STR_ARGS(text), STR_ARGS(trim->mark));
	}
	return text.len > 0 ? json_string(text) : json_null();
}

/* --- what is wanted and what is masked -------------------------------------------------------- */

/* False: the member is not wanted. *below: what of it is. */
static bool is_wanted(const struct trim *trim, struct str wanted, struct str name, struct str *below)
{
	struct buffer parts;
	struct str rest = wanted;

	*below = (struct str){NULL, 0};
	if (wanted.len == 0)
		return true;
	buffer_init(&parts, trim->arena, SIZE_MAX);
	while (rest.len > 0) {
		struct str path = str_trim(str_cut(&rest, ','));
		struct str first = str_cut(&path, '.');

		if (!str_equal(first, name))
			continue;
		if (path.len == 0)
			return true;
		buffer_append_format(&parts, "%s%.*s", parts.len > 0 ? "," : "", STR_ARGS(path));
	}
	*below = buffer_str(&parts);
	return below->len > 0;
}

static enum model_pii native_kind(const struct trim *trim, struct str name, enum model_pii above)
{
	const struct connector *connector = trim->connector;

	for (size_t i = 0; i < connector->personal_count; i++)
		if (str_equal(connector->personal[i].name, name))
			return connector->personal[i].kind;
	return above;
}

static bool is_masked(const struct trim *trim, struct str name, enum model_pii kind)
{
	for (size_t i = 0; i < trim->server->mask_count; i++) {
		struct str mask = trim->server->masks[i];

		if (str_equal(mask, name) ||
		    (kind != MODEL_PII_NONE && str_equal_c(mask, model_pii_names[kind])))
			return true;
	}
	return false;
}

static struct place enter(const struct trim *trim, const struct place *place, struct str name,
			  struct str wanted)
{
	const struct model_field *field =
		model_find_among(place->fields, place->fields == NULL ? 0 : place->count, name);
	struct place inner = {.kind = field != NULL ? field->pii
				      : trim->root != NULL
					      ? place->kind
					      : native_kind(trim, name, place->kind),
			      .wanted = wanted};

	if (field != NULL && field->type == MODEL_OBJECT) {
		inner.fields = field->fields;
		inner.count = field->field_count;
	}
	inner.is_masked = place->is_masked || is_masked(trim, name, inner.kind);
	return inner;
}

/* --- values ----------------------------------------------------------------------------------- */

static struct json walk(struct trim *trim, const struct place *place, struct json value);

static struct json walk_object(struct trim *trim, const struct place *place, struct json value)
{
	struct json_builder out;
	struct str below;

	json_builder_init(&out, trim->arena);
	for (size_t i = 0; i < value.count; i++) {
		struct str name = json_name(&value.members[i]);

		if (!is_wanted(trim, place->wanted, name, &below))
			continue;
		struct place inner = enter(trim, place, name, below);
		struct json member = walk(trim, &inner, value.members[i].value);
		if (!json_is(member, JSON_NULL))
			json_builder_set(&out, name, member);
	}
	return out.count > 0 ? json_builder_object(&out) : json_null();
}

static struct json walk_array(struct trim *trim, const struct place *place, struct json value)
{
	struct json_builder out;

	json_builder_init(&out, trim->arena);
	for (size_t i = 0; i < value.count; i++) {
		struct json item;

		if (i == trim->items_max) {
			trim->cut_count++;
			json_builder_add(&out, json_string(arena_format(
						       trim->arena, "\xE2\x80\xA6 [%zu more]",
						       value.count - i)));
			break;
		}
		item = walk(trim, place, json_at(value, i));
		if (!json_is(item, JSON_NULL))
			json_builder_add(&out, item);
	}
	return out.count > 0 ? json_builder_array(&out) : json_null();
}

static struct json walk(struct trim *trim, const struct place *place, struct json value)
{
	if (json_is(value, JSON_OBJECT))
		return walk_object(trim, place, value);
	if (json_is(value, JSON_ARRAY))
		return walk_array(trim, place, value);
	if (json_is(value, JSON_STRING))
		return show_text(trim, place, json_str(value));
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return json_null();
	if (!place->is_masked)
		return value;
	trim->mask_count++;
	return json_null();
}

struct json trim_value(struct trim *trim, struct json value)
{
	struct place place = {.fields = trim->root, .count = trim->root_count, .wanted = trim->fields};
	struct json out = walk(trim, &place, value);

	/* A record of which nothing is left is there all the same. */
	return json_is(out, JSON_NULL) && json_is(value, JSON_OBJECT) ? json_object(NULL, 0) : out;
}

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
	struct str name; /* of the member that holds this; of a record: its resource */
};

/* --- texts ------------------------------------------------------------------------------------ */

/* Length of the character at `at`; of what is no UTF-8 each byte is U+FFFD. */
static size_t read_code(struct str text, size_t at, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)text.data[at];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	*code = len == 1 ? lead : lead & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		unsigned char next = at + i < text.len ? (unsigned char)text.data[at + i] : 0;

		if (lead < 0xc0 || (next & 0xc0) != 0x80) {
			*code = 0xfffd;
			return 1;
		}
		*code = *code << 6 | (next & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		*code = 0xfffd;
	return len;
}

/* Controls, marks of direction, tags and selectors: a model reads them, and a person does not see
 * them. Joiners stay: some scripts are not to be read without. */
static bool is_unseen(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x08},	  {0x0b, 0x1f},	    {0x7f, 0x9f},     {0xad, 0xad},
		{0x34f, 0x34f},	  {0x61c, 0x61c},   {0x115f, 0x1160}, {0x17b4, 0x17b5},
		{0x180b, 0x180f}, {0x200b, 0x200b}, {0x200e, 0x200f}, {0x202a, 0x202e},
		{0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0d}, {0xfeff, 0xfeff},
		{0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

static struct str without_unseen(struct arena *arena, struct str text)
{
	struct buffer out;
	uint32_t code;

	buffer_init(&out, arena, SIZE_MAX);
	for (size_t i = 0, step; i < text.len; i += step) {
		step = read_code(text, i, &code);
		if (code == 0xfffd)
			buffer_append(&out, STR("\xef\xbf\xbd"));
		else if (!is_unseen(code))
			buffer_append(&out, str_slice(text, i, i + step));
	}
	return buffer_str(&out);
}

struct str trim_text(struct arena *arena, struct str text)
{
	/* Characters that entities stand for are looked at, too. */
	text = connector_plain_text(arena, text);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
			return str_trim(without_unseen(arena, text));
	}
	return str_trim(text);
}

struct str trim_head(struct str text, size_t bytes)
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
				    STR_ARGS(trim_head(text, trim->text_max)), rest);
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
static bool is_wanted(const struct trim *trim, struct str wanted, struct str name,
		      struct str *below)
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

/* "candidate.name" says more of a member than "name". */
static bool is_named(struct str personal, struct str above, struct str name, bool is_dotted)
{
	struct str rest = personal;

	if (!is_dotted)
		return str_equal(personal, name);
	return str_find_byte(personal, '.') >= 0 && str_equal(str_cut(&rest, '.'), above) &&
	       str_equal(rest, name);
}

/* Of a member that no model tells: by its name, in the ATS's words. */
static enum model_pii native_kind(const struct trim *trim, const struct place *place,
				  struct str name)
{
	const struct connector *connector = trim->connector;

	for (int is_dotted = 1; is_dotted >= 0; is_dotted--)
		for (size_t i = 0; i < connector->personal_count; i++)
			if (is_named(connector->personal[i].name, place->name, name, is_dotted))
				return connector->personal[i].kind;
	return place->kind;
}

static bool is_masked(const struct trim *trim, struct str name, enum model_pii kind)
{
	return model_is_masked(trim->server->masks, trim->server->mask_count, name, kind);
}

/* What is masked of an object is masked of all in it, but for ids: they tell nothing of a person,
 * and other calls need them. */
static struct place enter(const struct trim *trim, const struct place *place, struct str name,
			  struct str wanted)
{
	const struct model_field *field =
		model_find_among(place->fields, place->fields == NULL ? 0 : place->count, name);
	bool is_id = str_equal(name, STR("id"));
	struct place inner = {.kind = field != NULL ? field->pii : native_kind(trim, place, name),
			      .wanted = wanted,
			      .name = name};

	if (field != NULL && field->type == MODEL_OBJECT) {
		inner.fields = field->fields;
		inner.count = field->field_count;
	}
	if (is_id)
		inner.kind = MODEL_PII_NONE;
	inner.is_masked = (place->is_masked && !is_id) || is_masked(trim, name, inner.kind);
	return inner;
}

/* --- values ----------------------------------------------------------------------------------- */

static struct json walk(struct trim *trim, const struct place *place, struct json value);

/* Many ATS's tell a text twice, once of them in HTML. */
static bool is_again(const struct json_builder *members, struct str name, struct json value)
{
	const struct json_member *items = members->items;

	if (!str_ends_with(name, STR("html")) || !json_is(value, JSON_STRING))
		return false;
	for (size_t i = 0; i < members->count; i++)
		if (json_is(items[i].value, JSON_STRING) && json_equal(items[i].value, value))
			return true;
	return false;
}

static struct json walk_object(struct trim *trim, const struct place *place, struct json value)
{
	struct json_builder out;
	struct str below;

	json_builder_init(&out, trim->arena);
	for (size_t i = 0; i < value.count; i++) {
		struct str name = json_name(&value.members[i]);

		if (out.count == trim->members_max) {
			trim->cut_count++;
			break;
		}
		if (!is_wanted(trim, place->wanted, name, &below))
			continue;
		struct place inner = enter(trim, place, name, below);
		struct json member = walk(trim, &inner, value.members[i].value);
		if (!json_is(member, JSON_NULL) && !is_again(&out, name, member))
			json_builder_set(&out, trim_text(trim->arena, name), member);
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
	struct place place = {.fields = trim->root,
			      .count = trim->root_count,
			      .wanted = trim->fields,
			      .name = trim->resource};
	struct json out = walk(trim, &place, value);

	/* A record of which nothing is left is there all the same. */
	return json_is(out, JSON_NULL) && json_is(value, JSON_OBJECT) ? json_object(NULL, 0) : out;
}

/* --- messages --------------------------------------------------------------------------------- */

static bool is_of_address(char byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
	       byte == '.' || byte == '_' || byte == '-' || byte == '+' || byte == '%' ||
	       (unsigned char)byte >= 0x80;
}

/* The address around the '@' at `at`; false when there is none. */
static bool find_address(struct str text, size_t at, size_t *begin, size_t *end)
{
	*begin = at;
	*end = at + 1;
	while (*begin > 0 && is_of_address(text.data[*begin - 1]))
		--*begin;
	while (*end < text.len && is_of_address(text.data[*end]))
		++*end;
	return *begin < at && *end > at + 1;
}

struct str trim_message(const struct trim *trim, struct str text)
{
	struct str plain = trim_text(trim->arena, text);
	struct buffer out;
	size_t from = 0, begin, end;

	if (!is_masked(trim, STR("email"), MODEL_PII_CONTACT))
		return plain;
	buffer_init(&out, trim->arena, SIZE_MAX);
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.data[i] != '@' || !find_address(plain, i, &begin, &end) || begin < from)
			continue;
		buffer_append(&out, str_slice(plain, from, begin));
		buffer_append(&out, masked);
		from = end;
	}
	buffer_append(&out, str_slice(plain, from, plain.len));
	return buffer_str(&out);
}

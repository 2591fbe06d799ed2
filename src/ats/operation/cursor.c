/* A place as an opaque text. It is sealed, and bound to account, resource, filters and plan: one
 * of another list does not open. What is in it is packed, since it travels in URLs. */
#include "ats/operation/place.h"

#include <assert.h>

enum {
	VERSION = 1,
	TOKEN_BYTES_MAX = 16 * 1024,
	VARINT_BYTES_MAX = 10,
};
enum { PACKED_NOTHING, PACKED_INT, PACKED_TEXT, PACKED_NUMBER_TEXT };

/* --- packing --------------------------------------------------------------------------------- */

static void pack_number(struct buffer *out, uint64_t number)
{
	while (number >= 0x80) {
		buffer_append_byte(out, (char)(number | 0x80));
		number >>= 7;
	}
	buffer_append_byte(out, (char)number);
}

static void pack_text(struct buffer *out, struct str text)
{
	pack_number(out, text.len);
	buffer_append(out, text);
}

/* Near numbers, as ids in a row are, come to few bytes: the difference, its sign in the lowest
 * bit. */
static void pack_value(struct buffer *out, struct json value, int64_t *last)
{
	if (json_is(value, JSON_INT)) {
		uint64_t step = (uint64_t)value.integer - (uint64_t)*last;

		buffer_append_byte(out, PACKED_INT);
		pack_number(out, step >> 63 != 0 ? ~(step << 1) : step << 1);
		*last = value.integer;
	} else if (json_is(value, JSON_STRING) || json_is(value, JSON_NUMBER_TEXT)) {
		buffer_append_byte(out, json_is(value, JSON_STRING) ? PACKED_TEXT
								    : PACKED_NUMBER_TEXT);
		pack_text(out, json_str(value));
	} else {
		buffer_append_byte(out, PACKED_NOTHING);
	}
}

void place_pack(struct buffer *out, const struct place *place)
{
	int64_t last = 0;

	buffer_append_byte(out, VERSION);
	pack_number(out, (uint64_t)place->call);
	pack_number(out, (uint64_t)place->offset);
	pack_number(out, (uint64_t)place->size);
	pack_number(out, (uint64_t)place->passed);
	pack_text(out, place->token);
	pack_value(out, place->parent, &last);
	pack_number(out, (uint64_t)place->children);
	pack_value(out, place->key, &last);
	pack_number(out, place->tie_count << 1 | place->has_more_ties);
	pack_number(out, place->id_count);
	for (size_t i = 0; i < place->id_count; i++)
		pack_value(out, place->ids[i], &last);
}

/* --- unpacking ------------------------------------------------------------------------------- */

static bool unpack_number(struct str *in, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < in->len && i < VARINT_BYTES_MAX; i++) {
		unsigned char byte = (unsigned char)in->data[i];

		*number |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			*in = str_slice(*in, i + 1, in->len);
			return true;
		}
	}
	return false;
}

static bool unpack_count(struct str *in, int64_t *count)
{
	uint64_t number;

	if (!unpack_number(in, &number) || number > INT64_MAX)
		return false;
	*count = (int64_t)number;
	return true;
}

static bool unpack_text(struct str *in, struct str *text)
{
	uint64_t len;

	if (!unpack_number(in, &len) || len > in->len)
		return false;
	*text = str_slice(*in, 0, len);
	*in = str_slice(*in, len, in->len);
	return true;
}

static bool unpack_value(struct str *in, struct json *value, int64_t *last)
{
	struct str text;
	uint64_t step;

	if (in->len == 0)
		return false;
	char kind = in->data[0];
	*in = str_slice(*in, 1, in->len);
	*value = json_undefined();
	if (kind == PACKED_NOTHING)
		return true;
	if (kind == PACKED_INT) {
		if (!unpack_number(in, &step))
			return false;
		step = (step & 1) != 0 ? ~(step >> 1) : step >> 1;
		*last = (int64_t)((uint64_t)*last + step);
		*value = json_int(*last);
		return true;
	}
	if (kind != PACKED_TEXT && kind != PACKED_NUMBER_TEXT)
		return false;
	if (!unpack_text(in, &text))
		return false;
	*value = json_string(text);
	if (kind == PACKED_NUMBER_TEXT)
		value->type = JSON_NUMBER_TEXT;
	return true;
}

static bool unpack_ids(struct str *in, struct place *place, int64_t *last)
{
	uint64_t ties, count;

	if (!unpack_number(in, &ties) || !unpack_number(in, &count) || count > PLACE_IDS_MAX ||
	    ties >> 1 > count)
		return false;
	place->tie_count = ties >> 1;
	place->has_more_ties = (ties & 1) != 0;
	place->id_count = count;
	if (count > 0)
		place_reserve(place);
	for (size_t i = 0; i < count; i++)
		if (!unpack_value(in, &place->ids[i], last))
			return false;
	return in->len == 0;
}

static bool unpack(struct str in, struct place *place, struct arena *arena)
{
	int64_t last = 0;

	place_init(place, arena);
	if (in.len == 0 || in.data[0] != VERSION)
		return false;
	in = str_slice(in, 1, in.len);
	return unpack_count(&in, &place->call) && unpack_count(&in, &place->offset) &&
	       unpack_count(&in, &place->size) && unpack_count(&in, &place->passed) &&
	       unpack_text(&in, &place->token) && unpack_value(&in, &place->parent, &last) &&
	       unpack_count(&in, &place->children) && unpack_value(&in, &place->key, &last) &&
	       unpack_ids(&in, place, &last);
}

/* --- sealing --------------------------------------------------------------------------------- */

static void sort_filters(const struct run *run, const struct run_filter **sorted)
{
	for (size_t i = 0; i < run->filter_count; i++) {
		size_t at = i;

		for (; at > 0 && str_compare(sorted[at - 1]->name, run->filters[i].name) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &run->filters[i];
	}
}

/* A name of a native list has a dot in it, one of the model's none. */
static void append_list(struct buffer *text, const struct run *run)
{
	buffer_append_c(text, run->is_kept ? "kept/" : "cursor/");
	if (run->native == NULL) {
		buffer_append(text, run->resource->model->name);
		return;
	}
	buffer_append(text, run->native->resource);
	buffer_append_byte(text, '.');
	buffer_append(text, run->native->name);
}

static void pack_remote_query(struct buffer *out, const struct operation *operation)
{
	for (size_t i = 0; operation != NULL && i < operation->remote_query_count; i++) {
		pack_text(out, operation->remote_query[i].name);
		pack_text(out, operation->remote_query[i].value);
	}
}

static void pack_sorts(struct buffer *out, const struct operation *operation)
{
	for (size_t i = 0; operation != NULL && i < operation->sort_count; i++) {
		pack_text(out, operation->sorts[i].path);
		pack_number(out, operation->sorts[i].is_descending);
	}
}

/* What the cursor is good for, whatever the order in which the filters were written. */
static struct str make_field(const struct run *run)
{
	const struct run_filter *sorted[FILTERS_MAX];
	unsigned char digest[VAULT_DIGEST_BYTES];
	struct buffer text;

	buffer_init(&text, run->arena, SIZE_MAX);
	pack_text(&text, run->connector->name);
	if (run->native == NULL && !run->is_kept)
		pack_number(&text, (uint64_t)(run->plan - run->resource->list.alternatives));
	else if (!run->is_kept)
		pack_text(&text, run->operation->id);
	sort_filters(run, sorted);
	for (size_t i = 0; i < run->filter_count; i++) {
		pack_text(&text, sorted[i]->name);
		pack_number(&text, sorted[i]->count);
		for (size_t k = 0; k < sorted[i]->count; k++)
			pack_text(&text, json_str(sorted[i]->values[k]));
	}
	pack_remote_query(&text, run->operation);
	pack_sorts(&text, run->operation);
	vault_digest(run->services->vault, "cursor", buffer_str(&text), digest);
	text.len = 0;
	append_list(&text, run);
	buffer_append_byte(&text, '/');
	for (size_t i = 0; i < VAULT_DIGEST_BYTES / 2; i++)
		buffer_append_format(&text, "%02x", digest[i]);
	return buffer_str(&text);
}

static struct vault_binding make_binding(const struct run *run)
{
	return (struct vault_binding){
		.environment = run->account->environment_id,
		.subject = run->account->id,
		.field = make_field(run),
	};
}

/* No sealed text has a dot in it. */
static const struct str kept_mark = STR_INIT("c.");

bool operation_is_kept_cursor(struct str cursor)
{
	return str_starts_with(cursor, kept_mark);
}

struct str cursor_seal(const struct run *run, const struct place *place)
{
	struct vault_binding binding = make_binding(run);
	struct buffer plain;
	struct str sealed;

	buffer_init(&plain, run->arena, SIZE_MAX);
	place_pack(&plain, place);
	sealed = vault_seal_token(run->services->vault, run->arena, &binding, buffer_str(&plain));
	return run->is_kept ? arena_format(run->arena, "%.*s%.*s", STR_ARGS(kept_mark),
					   STR_ARGS(sealed))
			    : sealed;
}

bool cursor_open(const struct run *run, struct str cursor, struct place *place,
		 struct error *err)
{
	struct vault_binding binding = make_binding(run);
	size_t call_count = run->native == NULL && !run->is_kept ? run->plan->call_count : 1;
	struct str plain;

	if (run->is_kept && operation_is_kept_cursor(cursor))
		cursor = str_slice(cursor, kept_mark.len, cursor.len);

	if (cursor.len <= TOKEN_BYTES_MAX &&
	    vault_open_token(run->services->vault, run->arena, &binding, cursor, &plain, err) &&
	    unpack(plain, place, run->arena) && (size_t)place->call < call_count)
		return true;
	return error_set_field(err, ERROR_INVALID, "next_cursor",
			       "what the page before answered, with the same filters",
			       "next_cursor is not one of this list");
}

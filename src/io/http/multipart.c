/* multipart/form-data, piece by piece. */
#include "io/http/message.h"

enum { PARTS_MAX = 1000, HEAD_BYTES_MAX = 8 * 1024, BOUNDARY_MAX = 70 };

enum multipart_state {
	MULTIPART_DELIMITER, /* within "--boundary", at the very beginning */
	MULTIPART_AFTER,     /* behind a delimiter: a line's end, or "--" */
	MULTIPART_HEAD,
	MULTIPART_BYTES,
	MULTIPART_EPILOGUE, /* behind the last delimiter: nothing but a line's end */
};

struct multipart {
	struct arena *arena;
	const struct http_part_handler *handler;
	enum multipart_state state;
	char delimiter[BOUNDARY_MAX + 4]; /* "\r\n--boundary" */
	size_t delimiter_len;
	size_t matched; /* bytes of the delimiter that have come */
	char after[2];
	size_t after_len;
	char head[HEAD_BYTES_MAX];
	size_t head_len;
	size_t part_count;
};

static bool malformed(struct error *err, const char *what)
{
	return error_set_field(err, ERROR_INVALID, "body", NULL, "multipart body: %s", what);
}

/* --- parameters of a header ----------------------------------------------------------------- */

static void skip_blanks(struct str *rest)
{
	while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
		*rest = str_slice(*rest, 1, rest->len);
}

/* Browsers write a quote as %22; others put a backslash before it. A backslash before anything
 * else is one: names of files from Windows had folders. */
static bool read_quoted(struct arena *arena, struct str *rest, struct str *out)
{
	char *text = arena_alloc(arena, rest->len);
	size_t len = 0, at = 1;

	for (; at < rest->len && rest->data[at] != '"'; at++) {
		bool is_escape = rest->data[at] == '\\' && at + 1 < rest->len &&
				 (rest->data[at + 1] == '"' || rest->data[at + 1] == '\\');
		if (str_starts_with(str_slice(*rest, at, rest->len), STR("%22"))) {
			text[len++] = '"';
			at += 2;
			continue;
		}
		at += is_escape;
		text[len++] = rest->data[at];
	}
	if (at >= rest->len)
		return false;
	*rest = str_slice(*rest, at + 1, rest->len);
	*out = str_make(text, len);
	return true;
}

static bool read_value(struct arena *arena, struct str *rest, struct str *out)
{
	size_t len = 0;

	if (rest->len > 0 && rest->data[0] == '"')
		return read_quoted(arena, rest, out);
	while (len < rest->len && rest->data[len] != ';' && rest->data[len] != ' ' &&
	       rest->data[len] != '\t')
		len++;
	*out = str_slice(*rest, 0, len);
	*rest = str_slice(*rest, len, rest->len);
	return len > 0 && str_find_byte(*out, '"') < 0;
}

/* The next `; name=value`. False at the end, and when it is malformed (*is_good). */
static bool next_parameter(struct arena *arena, struct str *rest, struct str *name,
			   struct str *value, bool *is_good)
{
	ptrdiff_t equals;

	skip_blanks(rest);
	*is_good = rest->len == 0;
	if (rest->len == 0 || rest->data[0] != ';')
		return false;
	*rest = str_slice(*rest, 1, rest->len);
	skip_blanks(rest);
	*is_good = rest->len == 0; /* one semicolon too many */
	equals = str_find_byte(*rest, '=');
	if (equals <= 0)
		return false;
	*name = str_slice(*rest, 0, (size_t)equals);
	*rest = str_slice(*rest, (size_t)equals + 1, rest->len);
	*is_good = http_is_token(*name) && read_value(arena, rest, value);
	return *is_good;
}

static struct str cut_type(struct str *rest)
{
	ptrdiff_t end = str_find_byte(*rest, ';');
	struct str type = str_trim(end < 0 ? *rest : str_slice(*rest, 0, (size_t)end));

	*rest = end < 0 ? str_make("", 0) : str_slice(*rest, (size_t)end, rest->len);
	return type;
}

bool http_read_disposition(struct arena *arena, struct str value, struct str *type,
			   struct str *name, struct str *filename)
{
	struct str rest = value, parameter, text;
	bool is_good, has_extended = false;

	*name = *filename = (struct str){NULL, 0};
	*type = cut_type(&rest);
	while (next_parameter(arena, &rest, &parameter, &text, &is_good)) {
		if (str_equal_nocase(parameter, STR("name"))) {
			*name = text;
		} else if (str_equal_nocase(parameter, STR("filename*")) &&
			   str_starts_with(text, STR("UTF-8''"))) {
			has_extended = url_decode(arena, str_slice(text, 7, text.len), false,
						  filename);
		} else if (str_equal_nocase(parameter, STR("filename")) && !has_extended) {
			*filename = text;
		}
	}
	return is_good && http_is_token(*type);
}

/* --- the boundary --------------------------------------------------------------------------- */

bool multipart_is(struct str content_type)
{
	return str_equal_nocase(cut_type(&content_type), STR("multipart/form-data"));
}

static bool is_boundary(struct str text)
{
	static const char allowed[] = "'()+_,-./:=? ";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				(c >= 'A' && c <= 'Z');
		if (!is_plain && (c == '\0' || strchr(allowed, c) == NULL))
			return false;
	}
	return text.len > 0 && text.len <= BOUNDARY_MAX && text.data[text.len - 1] != ' ';
}

struct multipart *multipart_create(struct arena *arena, struct str content_type,
				   const struct http_part_handler *handler, struct error *err)
{
	struct str rest = content_type, name, value, boundary = {NULL, 0};
	bool is_good;

	(void)cut_type(&rest);
	while (next_parameter(arena, &rest, &name, &value, &is_good))
		if (str_equal_nocase(name, STR("boundary")))
			boundary = value;
	if (!is_good || !is_boundary(boundary)) {
		error_set_field(err, ERROR_INVALID, "content-type", NULL,
				"multipart/form-data wants a boundary");
		return NULL;
	}
	struct multipart *multipart = arena_zero(arena, sizeof *multipart);
	multipart->arena = arena;
	multipart->handler = handler;
	memcpy(multipart->delimiter, "\r\n--", 4);
	memcpy(multipart->delimiter + 4, boundary.data, boundary.len);
	multipart->delimiter_len = boundary.len + 4;
	multipart->matched = 2; /* the first one has no line before it */
	return multipart;
}

/* --- the head of a part --------------------------------------------------------------------- */

/* Some send folders along: they say nothing here. */
static struct str base_name(struct str filename)
{
	for (size_t i = filename.len; i > 0; i--)
		if (filename.data[i - 1] == '/' || filename.data[i - 1] == '\\')
			return str_slice(filename, i, filename.len);
	return filename;
}

static bool read_disposition(struct multipart *multipart, struct str value, struct http_part *part,
			     struct error *err)
{
	struct str type, name, filename;

	if (part->name.data != NULL)
		return malformed(err, "a part has two Content-Dispositions");
	if (!http_read_disposition(multipart->arena, value, &type, &name, &filename) ||
	    !str_equal_nocase(type, STR("form-data")) || name.data == NULL)
		return malformed(err, "a part's Content-Disposition wants form-data and a name");
	if (http_has_control_byte(name) || http_has_control_byte(filename))
		return malformed(err, "a part's name has a control character");
	part->name = name;
	part->is_file = filename.data != NULL;
	part->filename = base_name(filename);
	return true;
}

static bool read_header(struct multipart *multipart, struct str line, struct http_part *part,
			struct error *err)
{
	struct str value = line, name = str_cut(&value, ':');

	if (value.data == NULL || !http_is_token(name))
		return malformed(err, "a part has a malformed header");
	value = str_trim(value);
	if (str_equal_nocase(name, STR("content-disposition")))
		return read_disposition(multipart, value, part, err);
	if (http_has_control_byte(value))
		return malformed(err, "a part has a malformed header");
	if (str_equal_nocase(name, STR("content-type")))
		part->content_type = value;
	if (str_equal_nocase(name, STR("content-transfer-encoding")) &&
	    (str_equal_nocase(value, STR("base64")) ||
	     str_equal_nocase(value, STR("quoted-printable"))))
		return malformed(err, "a part is encoded, which forms must not do");
	return true;
}

static bool begin_part(struct multipart *multipart, struct error *err)
{
	struct str rest = arena_str(multipart->arena,
				    str_make(multipart->head, multipart->head_len));
	struct http_part part = {.content_type = STR("text/plain")};

	if (++multipart->part_count > PARTS_MAX)
		return error_set_field(err, ERROR_LIMIT, "body", NULL,
				       "multipart body: more than %d parts", PARTS_MAX);
	while (rest.len > 0) {
		size_t end = (size_t)str_find(rest, STR("\r\n"));
		if (!read_header(multipart, str_slice(rest, 0, end), &part, err))
			return false;
		rest = str_slice(rest, end + 2, rest.len);
	}
	if (part.name.data == NULL)
		return malformed(err, "a part has no Content-Disposition");
	multipart->state = MULTIPART_BYTES;
	multipart->matched = 0;
	return multipart->handler->begin(multipart->handler->context, &part, err);
}

static bool feed_head(struct multipart *multipart, struct str *rest, struct error *err)
{
	while (rest->len > 0) {
		if (multipart->head_len == HEAD_BYTES_MAX)
			return error_set_field(err, ERROR_LIMIT, "body", NULL,
					       "multipart body: the head of a part is too long");
		multipart->head[multipart->head_len++] = rest->data[0];
		*rest = str_slice(*rest, 1, rest->len);
		struct str head = str_make(multipart->head, multipart->head_len);
		if (!str_ends_with(head, STR("\r\n\r\n")) &&
		    !(head.len == 2 && str_equal(head, STR("\r\n"))))
			continue;
		multipart->head_len -= 2;
		return begin_part(multipart, err);
	}
	return true;
}

/* --- the bytes of a part -------------------------------------------------------------------- */

static bool give(struct multipart *multipart, struct str bytes, struct error *err)
{
	return bytes.len == 0 ||
	       multipart->handler->bytes(multipart->handler->context, bytes, err);
}

/* A delimiter has one carriage return, its first byte: a part of it that did not go on is data,
 * and none of its later bytes begins another. */
static bool feed_bytes(struct multipart *multipart, struct str *rest, struct error *err)
{
	while (rest->len > 0 && multipart->matched < multipart->delimiter_len) {
		if (rest->data[0] == multipart->delimiter[multipart->matched]) {
			multipart->matched++;
			*rest = str_slice(*rest, 1, rest->len);
			continue;
		}
		struct str held = str_make(multipart->delimiter, multipart->matched);
		multipart->matched = 0;
		if (!give(multipart, held, err))
			return false;
		ptrdiff_t next = str_find_byte(*rest, '\r');
		struct str plain = str_slice(*rest, 0, next < 0 ? rest->len : (size_t)next);
		*rest = str_slice(*rest, plain.len, rest->len);
		if (!give(multipart, plain, err))
			return false;
	}
	if (multipart->matched < multipart->delimiter_len)
		return true;
	multipart->state = MULTIPART_AFTER;
	multipart->after_len = 0;
	return multipart->handler->end(multipart->handler->context, err);
}

/* --- between the parts ---------------------------------------------------------------------- */

static bool feed_delimiter(struct multipart *multipart, struct str *rest, struct error *err)
{
	for (; rest->len > 0 && multipart->matched < multipart->delimiter_len;
	     *rest = str_slice(*rest, 1, rest->len))
		if (rest->data[0] != multipart->delimiter[multipart->matched++])
			return malformed(err, "it does not begin with the boundary");
	if (multipart->matched == multipart->delimiter_len) {
		multipart->state = MULTIPART_AFTER;
		multipart->after_len = 0;
	}
	return true;
}

static bool feed_after(struct multipart *multipart, struct str *rest, struct error *err)
{
	while (rest->len > 0 && multipart->after_len < 2) {
		multipart->after[multipart->after_len++] = rest->data[0];
		*rest = str_slice(*rest, 1, rest->len);
	}
	if (multipart->after_len < 2)
		return true;
	bool is_last = memcmp(multipart->after, "--", 2) == 0;
	if (!is_last && memcmp(multipart->after, "\r\n", 2) != 0)
		return malformed(err, "a boundary is not followed by a line's end");
	multipart->state = is_last ? MULTIPART_EPILOGUE : MULTIPART_HEAD;
	multipart->head_len = 0;
	multipart->after_len = 0;
	return true;
}

static bool feed_epilogue(struct multipart *multipart, struct str *rest, struct error *err)
{
	for (; rest->len > 0; *rest = str_slice(*rest, 1, rest->len)) {
		if (multipart->after_len == 2 || rest->data[0] != "\r\n"[multipart->after_len])
			return malformed(err, "something follows the last boundary");
		multipart->after_len++;
	}
	return true;
}

bool multipart_feed(struct multipart *multipart, struct str bytes, struct error *err)
{
	static bool (*const readers[])(struct multipart *multipart, struct str *rest,
				       struct error *err) = {
		[MULTIPART_DELIMITER] = feed_delimiter, [MULTIPART_AFTER] = feed_after,
		[MULTIPART_HEAD] = feed_head,		[MULTIPART_BYTES] = feed_bytes,
		[MULTIPART_EPILOGUE] = feed_epilogue,
	};

	while (bytes.len > 0)
		if (!readers[multipart->state](multipart, &bytes, err))
			return false;
	return true;
}

size_t multipart_tail_bytes(const struct multipart *multipart)
{
	return multipart->delimiter_len + 2;
}

bool multipart_finish(struct multipart *multipart, struct error *err)
{
	return multipart->state == MULTIPART_EPILOGUE ||
	       malformed(err, "it ends before its last boundary");
}

/* HTML to plain text, for fields that come in HTML alone: tags go, blocks become lines, entities
 * their characters. Its result is text and must be escaped like any. */
#include "ats/connector/html.h"

#include <assert.h>

enum {
	ENTITY_MAX = 12,
	LINE_BREAKS_MAX = 2,
};

struct writer {
	char *out; /* as large as the HTML: text without tags is never longer */
	size_t len;
	int breaks;     /* line breaks owed before the next character */
	bool has_blank; /* so is a blank */
};

static void put_byte(struct writer *writer, char byte)
{
	if (writer->breaks > 0)
		writer->has_blank = false;
	for (int i = 0; i < writer->breaks && writer->len > 0; i++)
		writer->out[writer->len++] = '\n';
	if (writer->has_blank && writer->len > 0)
		writer->out[writer->len++] = ' ';
	writer->breaks = 0;
	writer->has_blank = false;
	writer->out[writer->len++] = byte;
}

static void put_break(struct writer *writer, int count)
{
	if (writer->breaks < count)
		writer->breaks = count;
	writer->has_blank = false;
}

static void put_utf8(struct writer *writer, uint32_t code)
{
	if (code < 0x80) {
		put_byte(writer, (char)code);
	} else if (code < 0x800) {
		put_byte(writer, (char)(0xc0 | code >> 6));
		put_byte(writer, (char)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		put_byte(writer, (char)(0xe0 | code >> 12));
		put_byte(writer, (char)(0x80 | (code >> 6 & 0x3f)));
		put_byte(writer, (char)(0x80 | (code & 0x3f)));
	} else {
		put_byte(writer, (char)(0xf0 | code >> 18));
		put_byte(writer, (char)(0x80 | (code >> 12 & 0x3f)));
		put_byte(writer, (char)(0x80 | (code >> 6 & 0x3f)));
		put_byte(writer, (char)(0x80 | (code & 0x3f)));
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* --- entities --------------------------------------------------------------------------------- */

static const struct entity {
	struct str name;
	uint32_t code;
} entities[] = {
	{STR_INIT("amp"), '&'},	     {STR_INIT("lt"), '<'},	  {STR_INIT("gt"), '>'},
	{STR_INIT("quot"), '"'},     {STR_INIT("apos"), '\''},	  {STR_INIT("bull"), 0x2022},
	{STR_INIT("ndash"), 0x2013}, {STR_INIT("mdash"), 0x2014}, {STR_INIT("hellip"), 0x2026},
	{STR_INIT("lsquo"), 0x2018}, {STR_INIT("rsquo"), 0x2019}, {STR_INIT("ldquo"), 0x201c},
	{STR_INIT("rdquo"), 0x201d}, {STR_INIT("euro"), 0x20ac},  {STR_INIT("rarr"), 0x2192},
};

/* Those of U+00A0 to U+00FF, in order. */
static const char latin_names[] =
	"nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn "
	"sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave "
	"Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc "
	"Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml "
	"Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc "
	"euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash "
	"ugrave uacute ucirc uuml yacute thorn yuml";

static uint32_t find_latin(struct str name)
{
	struct str names = str_from_c(latin_names);

	for (uint32_t code = 0xa0; names.len > 0; code++)
		if (str_equal(str_cut(&names, ' '), name))
			return code == 0xa0 ? ' ' : code;
	return 0;
}

/* "#39", "#x27": 0 when it is none, or no character. */
static uint32_t read_code(struct str name)
{
	bool is_hex = name.len > 1 && (name.data[1] == 'x' || name.data[1] == 'X');
	uint32_t code = 0;

	for (size_t i = is_hex ? 2 : 1; i < name.len; i++) {
		char c = name.data[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if (is_hex && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return 0;
		code = code * (is_hex ? 16 : 10) + digit;
		if (code > 0x10ffff)
			return 0;
	}
	return (code >= 0xd800 && code <= 0xdfff) || (code < 0x20 && code != '\n') ? 0 : code;
}

size_t html_read_entity(struct str html, uint32_t *code)
{
	struct str name = str_slice(html, 1, ENTITY_MAX);
	ptrdiff_t end = str_find_byte(name, ';');

	*code = 0;
	if (end < 1)
		return 0;
	name.len = (size_t)end;
	if (name.data[0] == '#')
		*code = read_code(name);
	else
		*code = find_latin(name);
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
		if (str_equal(entities[i].name, name))
			*code = entities[i].code;
	return *code == 0 ? 0 : name.len + 2;
}

/* --- tags ------------------------------------------------------------------------------------- */

static const struct block {
	struct str name;
	int breaks;
} blocks[] = {
	{STR_INIT("br"), 1},  {STR_INIT("div"), 1}, {STR_INIT("li"), 1},  {STR_INIT("tr"), 1},
	{STR_INIT("p"), 2},   {STR_INIT("ul"), 1},  {STR_INIT("ol"), 1},  {STR_INIT("h1"), 2},
	{STR_INIT("h2"), 2},  {STR_INIT("h3"), 2},  {STR_INIT("h4"), 2},  {STR_INIT("h5"), 2},
	{STR_INIT("h6"), 2},  {STR_INIT("hr"), 1},  {STR_INIT("pre"), 2}, {STR_INIT("table"), 1},
	{STR_INIT("blockquote"), 2},
};

struct str html_read_name(struct str html, char space[HTML_NAME_MAX])
{
	size_t at = 1, len = 0;

	if (at < html.len && html.data[at] == '/')
		at++;
	while (at < html.len && len < HTML_NAME_MAX) {
		char c = html.data[at++];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			break;
		space[len++] = c;
	}
	return str_make(space, len);
}

size_t html_find_tag_end(struct str html)
{
	char quote = '\0';

	for (size_t i = 1; i < html.len; i++) {
		char c = html.data[i];

		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '>')
			return i + 1;
	}
	return html.len;
}

/* The elements whose text nobody sees, or that run by rules of their own. */
static const struct str unseen[] = {
	STR_INIT("script"), STR_INIT("style"),	  STR_INIT("iframe"), STR_INIT("object"),
	STR_INIT("svg"),    STR_INIT("math"),	  STR_INIT("title"),  STR_INIT("textarea"),
	STR_INIT("head"),   STR_INIT("template"), STR_INIT("select"), STR_INIT("noscript"),
};

size_t html_skip_unseen(struct str html, struct str name, size_t end)
{
	bool is_unseen = false;

	for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
		is_unseen |= str_equal(unseen[i], name);
	if (!is_unseen || html.data[1] == '/')
		return end;
	for (size_t i = end; i + 2 + name.len <= html.len; i++)
		if (html.data[i] == '<' && html.data[i + 1] == '/' &&
		    str_equal_nocase(str_slice(html, i + 2, i + 2 + name.len), name))
			return i;
	return html.len;
}

size_t html_skip_comment(struct str html)
{
	ptrdiff_t end = str_find(html, STR("-->"));

	if (!str_starts_with(html, STR("<!--")))
		return 0;
	return end < 0 ? html.len : (size_t)end + 3;
}

/* Length of the tag or comment at the beginning of `html`; 0 when the '<' is text. */
static size_t read_tag(struct writer *writer, struct str html)
{
	char space[HTML_NAME_MAX];
	struct str name = html_read_name(html, space);

	if (html_skip_comment(html) > 0)
		return html_skip_comment(html);
	if (name.len == 0 && !str_starts_with(html, STR("<!")))
		return 0;
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
		if (str_equal(blocks[i].name, name))
			put_break(writer, blocks[i].breaks);
	return html_skip_unseen(html, name, html_find_tag_end(html));
}

struct str html_to_text(struct arena *arena, struct str html)
{
	/* Breaks owed are at most as many bytes as their tags, and "&nbsp;" is longer than any
	 * character it stands for; the 4 are for the last one. */
	struct writer writer = {.out = arena_alloc(arena, html.len + LINE_BREAKS_MAX + 4)};
	uint32_t code;
	size_t at = 0;

	while (at < html.len) {
		struct str rest = str_slice(html, at, html.len);
		size_t len = 0;

		if (rest.data[0] == '<')
			len = read_tag(&writer, rest);
		else if (rest.data[0] == '&' && (len = html_read_entity(rest, &code)) > 0)
			put_utf8(&writer, code);
		if (len == 0 && is_blank(rest.data[0]))
			writer.has_blank = writer.breaks == 0;
		else if (len == 0)
			put_byte(&writer, rest.data[0]);
		at += len > 0 ? len : 1;
	}
	return str_make(writer.out, writer.len);
}

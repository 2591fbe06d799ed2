/* HTML made safe to show. It is safe because of what is written, not of what is recognised: tags
 * are written anew, only those of a list and without attributes but for the address of a link;
 * every other '<' is written as text. */
#include "ats/connector/html.h"

#include <assert.h>

enum { TIMES_MAX = 6 }; /* a byte can become "&quot;"; a link grows less by what is added to it */

static const struct str kept[] = {
	STR_INIT("p"),	    STR_INIT("br"),    STR_INIT("b"),	   STR_INIT("strong"),
	STR_INIT("i"),	    STR_INIT("em"),    STR_INIT("u"),	   STR_INIT("s"),
	STR_INIT("ul"),	    STR_INIT("ol"),    STR_INIT("li"),	   STR_INIT("h1"),
	STR_INIT("h2"),	    STR_INIT("h3"),    STR_INIT("h4"),	   STR_INIT("h5"),
	STR_INIT("h6"),	    STR_INIT("hr"),    STR_INIT("pre"),	   STR_INIT("code"),
	STR_INIT("table"),  STR_INIT("thead"), STR_INIT("tbody"),  STR_INIT("tr"),
	STR_INIT("td"),	    STR_INIT("th"),    STR_INIT("sub"),	   STR_INIT("sup"),
	STR_INIT("a"),	    STR_INIT("div"),   STR_INIT("span"),   STR_INIT("blockquote"),
};
static const struct str schemes[] = {STR_INIT("https:"), STR_INIT("http:"), STR_INIT("mailto:"),
				     STR_INIT("tel:")};

static bool is_kept(struct str name)
{
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (str_equal(kept[i], name))
			return true;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static size_t skip_blanks(struct str tag, size_t at)
{
	while (at < tag.len && is_blank(tag.data[at]))
		at++;
	return at;
}

/* The value from byte `at` on, in quotes or not; returns where it ends. */
static size_t read_value(struct str tag, size_t at, struct str *value)
{
	bool is_quoted = at < tag.len && (tag.data[at] == '"' || tag.data[at] == '\'');
	char quote = is_quoted ? tag.data[at++] : '\0';
	size_t from = at;

	while (at < tag.len) {
		char c = tag.data[at];

		if (is_quoted ? c == quote : is_blank(c) || c == '>')
			break;
		at++;
	}
	*value = str_slice(tag, from, at);
	return is_quoted && at < tag.len ? at + 1 : at;
}

/* One attribute from byte *at of the tag on; false at its end. */
static bool read_attribute(struct str tag, size_t *at, struct str *name, struct str *value)
{
	size_t i = *at, from;

	while (i < tag.len && (is_blank(tag.data[i]) || tag.data[i] == '/'))
		i++;
	from = i;
	while (i < tag.len && !is_blank(tag.data[i]) && tag.data[i] != '=' && tag.data[i] != '>')
		i++;
	*name = str_slice(tag, from, i);
	*value = str_slice(tag, i, i);
	i = skip_blanks(tag, i);
	if (i < tag.len && tag.data[i] == '=')
		i = read_value(tag, skip_blanks(tag, i + 1), value);
	*at = i;
	return name->len > 0;
}

/* Does the address begin with one of the schemes, as it stands? One that hides its scheme behind
 * entities or blanks is no address that anybody wrote. */
static bool is_address(struct str address)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_equal_nocase(str_slice(address, 0, schemes[i].len), schemes[i]))
			return true;
	return false;
}

static void put_escaped(struct buffer *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '<':
			buffer_append(out, STR("&lt;"));
			break;
		case '>':
			buffer_append(out, STR("&gt;"));
			break;
		case '"':
			buffer_append(out, STR("&quot;"));
			break;
		default:
			buffer_append_byte(out, text.data[i]);
		}
	}
}

static void put_link(struct buffer *out, struct str tag)
{
	struct str name, value;
	size_t at = 2;

	buffer_append(out, STR("<a"));
	while (read_attribute(tag, &at, &name, &value)) {
		if (!str_equal_nocase(name, STR("href")) || !is_address(value))
			continue;
		buffer_append(out, STR(" href=\""));
		put_escaped(out, value);
		buffer_append(out, STR("\" rel=\"noopener noreferrer nofollow\""));
		break; /* of a repeated attribute the first counts */
	}
	buffer_append_byte(out, '>');
}

/* Length of the tag or comment at the beginning of `html`; 0 when the '<' is text. */
static size_t clean_tag(struct buffer *out, struct str html)
{
	char space[HTML_NAME_MAX];
	struct str name = html_read_name(html, space);
	size_t end = html_find_tag_end(html);

	if (html_skip_comment(html) > 0)
		return html_skip_comment(html);
	if (name.len == 0)
		return str_starts_with(html, STR("<!")) ? end : 0;
	if (!is_kept(name))
		return html_skip_unseen(html, name, end);
	if (html.data[1] == '/')
		buffer_append(out, STR("</"));
	else if (str_equal(name, STR("a"))) {
		put_link(out, str_slice(html, 0, end));
		return end;
	} else
		buffer_append_byte(out, '<');
	buffer_append(out, name);
	buffer_append_byte(out, '>');
	return end;
}

struct str html_clean(struct arena *arena, struct str html)
{
	struct buffer out;

	buffer_init(&out, arena, html.len * TIMES_MAX + 64);
	while (html.len > 0) {
		ptrdiff_t open = str_find_byte(html, '<');
		size_t plain = open < 0 ? html.len : (size_t)open;

		buffer_append(&out, str_slice(html, 0, plain));
		html = str_slice(html, plain, html.len);
		if (html.len == 0)
			break;
		size_t len = clean_tag(&out, html);
		if (len == 0) {
			buffer_append(&out, STR("&lt;"));
			len = 1;
		}
		html = str_slice(html, len, html.len);
	}
	assert(!out.is_over);
	return buffer_str(&out);
}

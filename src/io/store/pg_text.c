#include "io/store/pg_text.h"

#include <ctype.h>

static const char *past_quoted(const char *at)
{
	char quote = *at++;

	while (*at != '\0' && *at != quote)
		at++;
	return *at == '\0' ? at : at + 1;
}

static void append_part(struct buffer *out, const char *from, const char *to)
{
	buffer_append(out, str_make(from, (size_t)(to - from)));
}

/* x'0aff' → '\x0aff'::bytea */
static const char *append_bytes(struct buffer *out, const char *at)
{
	const char *end = past_quoted(at + 1);

	buffer_append_c(out, "'\\x");
	append_part(out, at + 2, end);
	buffer_append_c(out, "::bytea");
	return end;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* After "INDEXED BY", the name. */
static const char *past_index(const char *at)
{
	while (*at == ' ')
		at++;
	while (is_word(*at))
		at++;
	return at;
}

void pg_text_append(struct buffer *out, const char *sql)
{
	static const char both[] = " -- postgresql: ", indexed[] = "INDEXED BY ";
	const char *own = strstr(sql, both);
	const char *at = own == NULL ? sql : own + sizeof both - 1;
	char before = ' ';

	while (*at != '\0') {
		const char *from = at;
		if (*at == '\'' || *at == '"') {
			at = past_quoted(at);
			append_part(out, from, at);
		} else if (*at == '?') {
			buffer_append_byte(out, '$');
			at++;
		} else if (*at == 'x' && at[1] == '\'' && !is_word(before)) {
			at = append_bytes(out, at);
		} else if (strncmp(at, indexed, sizeof indexed - 1) == 0) {
			at = past_index(at + sizeof indexed - 1);
		} else {
			buffer_append_byte(out, *at++);
		}
		before = at[-1];
	}
}

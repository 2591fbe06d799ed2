#include "lang/jsonata/lexer.h"

#include <math.h>

static const struct str operator_texts[] = {[OP_NONE] = STR_INIT(""),
#define ROW(id, spelling, power) [id] = STR_INIT(spelling),
					    OPERATOR_TABLE(ROW)
#undef ROW
};

static const uint8_t operator_powers[] = {[OP_NONE] = 0,
#define ROW(id, spelling, power) [id] = power,
					  OPERATOR_TABLE(ROW)
#undef ROW
};

/* Operators of one character; they also end a name. */
static const uint8_t single_operators[128] = {
	['.'] = OP_DOT,		['['] = OP_BRACKET, [']'] = OP_BRACKET_END, ['{'] = OP_BRACE,
	['}'] = OP_BRACE_END,	['('] = OP_PAREN,   [')'] = OP_PAREN_END,   [','] = OP_COMMA,
	['@'] = OP_FOCUS,	['#'] = OP_INDEX,   [';'] = OP_SEMICOLON,   [':'] = OP_COLON,
	['?'] = OP_QUESTION,	['+'] = OP_ADD,	    ['-'] = OP_SUBTRACT,    ['*'] = OP_MULTIPLY,
	['/'] = OP_DIVIDE,	['%'] = OP_MODULO,  ['|'] = OP_BAR,	    ['='] = OP_EQUAL,
	['<'] = OP_LESS,	['>'] = OP_GREATER, ['^'] = OP_ORDER,	    ['&'] = OP_CONCAT,
	['!'] = OP_EXCLAMATION, ['~'] = OP_TILDE,
};

/* Bytes that a name ends at: those and blanks. */
static const bool name_ends[256] = {
	['.'] = true,  ['['] = true, [']'] = true, ['{'] = true,  ['}'] = true,	 ['('] = true,
	[')'] = true,  [','] = true, ['@'] = true, ['#'] = true,  [';'] = true,	 [':'] = true,
	['?'] = true,  ['+'] = true, ['-'] = true, ['*'] = true,  ['/'] = true,	 ['%'] = true,
	['|'] = true,  ['='] = true, ['<'] = true, ['>'] = true,  ['^'] = true,	 ['&'] = true,
	['!'] = true,  ['~'] = true, [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true,
	['\v'] = true,
};

/* The second bytes are operators, too. */
static const struct {
	char text[3];
	uint8_t op;
} double_operators[] = {
	{"..", OP_RANGE},	  {":=", OP_BIND},	 {"!=", OP_UNEQUAL},
	{">=", OP_GREATER_EQUAL}, {"<=", OP_LESS_EQUAL}, {"**", OP_DESCENDANT},
	{"~>", OP_APPLY},	  {"?:", OP_DEFAULT},	 {"??", OP_COALESCE},
};

const char *jsonata_operator_text(enum operator op)
{
	return operator_texts[op].data;
}

int jsonata_operator_power(enum operator op)
{
	return operator_powers[op];
}

uint8_t jsonata_text_flags(struct str s)
{
	uint8_t high = 0, special = 0;

	/* Without branches, so that the compiler takes many bytes at once. */
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.data[i];
		high |= c;
		/* 0xed: a lone surrogate may begin */
		special |= (uint8_t)((c < 0x20) | (c == '"') | (c == '\\') | (c == 0xed));
	}
	return (uint8_t)((special == 0 ? JSON_PLAIN : 0) | (high < 0x80 ? JSON_ASCII : 0));
}

static bool fail(struct lexer *lexer, const char *code, size_t position, struct str token)
{
	*lexer->fault =
		(struct fault){.code = code,
			       .position = (uint32_t)position,
			       .has_position = true,
			       .token = token.data == NULL ? json_undefined() : json_string(token)};
	return false;
}

static int char_at(const struct lexer *lexer, size_t at)
{
	return at < lexer->text.len ? (unsigned char)lexer->text.data[at] : -1;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\f');
}

/* Skips blanks and comments. */
static bool skip(struct lexer *lexer)
{
	for (;;) {
		const char *at = lexer->text.data + lexer->at;
		const char *text_end = lexer->text.data + lexer->text.len;
		while (at < text_end && is_space((unsigned char)*at))
			at++;
		lexer->at = (size_t)(at - lexer->text.data);
		if (text_end - at < 2 || at[0] != '/' || at[1] != '*')
			return true;
		struct str rest = str_slice(lexer->text, lexer->at + 2, lexer->text.len);
		ptrdiff_t end = str_find(rest, STR("*/"));
		if (end < 0)
			return fail(lexer, "S0106", lexer->at, (struct str){NULL, 0});
		lexer->at += 2 + (size_t)end + 2;
	}
}

static bool give(struct lexer *lexer, struct token *token, enum token_type type, struct str text)
{
	token->type = type;
	token->text = text;
	token->position = (uint32_t)lexer->at;
	return true;
}

static bool give_operator(struct lexer *lexer, struct token *token, enum operator op)
{
	token->op = op;
	lexer->at += operator_texts[op].len;
	return give(lexer, token, TOKEN_OPERATOR, operator_texts[op]);
}

static bool is_escaped(const struct lexer *lexer, size_t at)
{
	size_t count = 0;

	while (at > count && lexer->text.data[at - count - 1] == '\\')
		count++;
	return count % 2 == 1;
}

/* lexer->at stands behind the opening slash. */
static bool scan_regex(struct lexer *lexer, struct token *token)
{
	size_t start = lexer->at;
	int depth = 0;

	for (; lexer->at < lexer->text.len; lexer->at++) {
		char c = lexer->text.data[lexer->at];
		char before = lexer->text.data[lexer->at - 1];
		if (c == '/' && depth == 0 && !is_escaped(lexer, lexer->at)) {
			struct str pattern = str_slice(lexer->text, start, lexer->at);
			if (pattern.len == 0)
				return fail(lexer, "S0301", lexer->at, (struct str){NULL, 0});
			for (lexer->at++;; lexer->at++) {
				int flag = char_at(lexer, lexer->at);
				bool *is_set =
					flag == 'i' ? &token->ignores_case : &token->is_multiline;
				if (flag != 'i' && flag != 'm')
					break;
				if (*is_set) /* JavaScript bears no flag twice */
					return fail(lexer, "S0303", lexer->at, pattern);
				*is_set = true;
			}
			return give(lexer, token, TOKEN_REGEX, pattern);
		}
		if ((c == '(' || c == '[' || c == '{') && before != '\\')
			depth++;
		if ((c == ')' || c == ']' || c == '}') && before != '\\')
			depth--;
	}
	return fail(lexer, "S0302", lexer->at, (struct str){NULL, 0});
}

size_t jsonata_append_unit(char *text, size_t len, uint32_t unit)
{
	unsigned char *u = (unsigned char *)text;

	if (unit >= 0xdc00 && unit < 0xe000 && len >= 3 && u[len - 3] == 0xed &&
	    u[len - 2] >= 0xa0 && u[len - 2] < 0xb0) {
		uint32_t high = 0xd000 | (uint32_t)(u[len - 2] & 0x3f) << 6 | (u[len - 1] & 0x3f);
		uint32_t point = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
		u[len - 3] = (unsigned char)(0xf0 | point >> 18);
		u[len - 2] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
		u[len - 1] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
		u[len] = (unsigned char)(0x80 | (point & 0x3f));
		return len + 1;
	}
	if (unit < 0x80) {
		u[len++] = (unsigned char)unit;
	} else if (unit < 0x800) {
		u[len++] = (unsigned char)(0xc0 | unit >> 6);
		u[len++] = (unsigned char)(0x80 | (unit & 0x3f));
	} else {
		u[len++] = (unsigned char)(0xe0 | unit >> 12);
		u[len++] = (unsigned char)(0x80 | (unit >> 6 & 0x3f));
		u[len++] = (unsigned char)(0x80 | (unit & 0x3f));
	}
	return len;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Digits that the end cuts off count as four: the text then misses its quote, past its end. */
static bool fail_past_end(struct lexer *lexer)
{
	size_t position = jsonata_utf16_offset(lexer->text, lexer->at) + 5;

	return fail(lexer, "S0101", position | POSITION_ELSEWHERE, (struct str){NULL, 0});
}

/* lexer->at stands on the character behind the backslash, and after it on its last one. */
static bool scan_escape(struct lexer *lexer, char *out, size_t *len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = char_at(lexer, lexer->at);
	const char *found = c <= 0 ? NULL : strchr(from, c);

	if (found != NULL) {
		out[(*len)++] = to[found - from];
		return true;
	}
	if (c != 'u') {
		size_t end = lexer->at + 1;
		while (end < lexer->text.len && (char_at(lexer, end) & 0xc0) == 0x80)
			end++;
		return fail(lexer, "S0103", lexer->at, str_slice(lexer->text, lexer->at, end));
	}
	uint32_t unit = 0;
	for (size_t i = 1; i <= 4; i++) {
		int digit = hex_digit(char_at(lexer, lexer->at + i));
		if (digit < 0 && i > 1 && lexer->at + i == lexer->text.len)
			return fail_past_end(lexer);
		if (digit < 0)
			return fail(lexer, "S0104", lexer->at, (struct str){NULL, 0});
		unit = unit << 4 | (uint32_t)digit;
	}
	*len = jsonata_append_unit(out, *len, unit);
	lexer->at += 4;
	return true;
}

/* Bytes from lexer->at to the closing quote, or to the end of the text where there is none. */
static size_t quoted_size(const struct lexer *lexer, char quote)
{
	size_t at = lexer->at;

	while (at < lexer->text.len && lexer->text.data[at] != quote)
		at += lexer->text.data[at] == '\\' ? 2 : 1;
	return (at < lexer->text.len ? at : lexer->text.len) - lexer->at;
}

static bool scan_string(struct lexer *lexer, struct token *token)
{
	char quote = lexer->text.data[lexer->at++];
	struct str rest = str_slice(lexer->text, lexer->at, lexer->text.len);
	ptrdiff_t end = str_find_byte(rest, quote);
	struct str plain = end < 0 ? rest : str_slice(rest, 0, (size_t)end);
	char *out;
	size_t len = 0;

	if (end >= 0 && str_find_byte(plain, '\\') < 0) {
		lexer->at += (size_t)end + 1;
		token->value = value_text(plain, jsonata_text_flags(plain));
		return give(lexer, token, TOKEN_STRING, plain);
	}
	/* An escape is never longer decoded than written. */
	out = arena_alloc(lexer->arena, quoted_size(lexer, quote) + 4);
	for (; lexer->at < lexer->text.len; lexer->at++) {
		char c = lexer->text.data[lexer->at];
		if (c == '\\') {
			lexer->at++;
			if (!scan_escape(lexer, out, &len))
				return false;
		} else if (c == quote) {
			lexer->at++;
			struct str s = str_make(out, len);
			token->value = value_text(s, jsonata_text_flags(s));
			return give(lexer, token, TOKEN_STRING, s);
		} else {
			out[len++] = c;
		}
	}
	return fail(lexer, "S0101", lexer->text.len, (struct str){NULL, 0});
}

static size_t scan_digits(const struct lexer *lexer, size_t at)
{
	while (char_at(lexer, at) >= '0' && char_at(lexer, at) <= '9')
		at++;
	return at;
}

static bool scan_number(struct lexer *lexer, struct token *token)
{
	size_t start = lexer->at, at = start;
	bool is_whole = true;

	at = char_at(lexer, at) == '0' ? at + 1 : scan_digits(lexer, at);
	if (char_at(lexer, at) == '.' && scan_digits(lexer, at + 1) > at + 1) {
		at = scan_digits(lexer, at + 1);
		is_whole = false;
	}
	if (char_at(lexer, at) == 'e' || char_at(lexer, at) == 'E') {
		size_t sign = at + 1;
		if (char_at(lexer, sign) == '+' || char_at(lexer, sign) == '-')
			sign++;
		if (scan_digits(lexer, sign) > sign) {
			at = scan_digits(lexer, sign);
			is_whole = false;
		}
	}
	struct str text = str_slice(lexer->text, start, at);
	int64_t whole;
	if (is_whole && text.len <= 18 && str_to_int64(text, &whole)) {
		token->value = json_int(whole);
	} else {
		double number = strtod(arena_c(lexer->arena, text), NULL);
		if (!isfinite(number))
			return fail(lexer, "S0102", start, text);
		token->value = json_number(number);
	}
	lexer->at = at;
	return give(lexer, token, TOKEN_NUMBER, text);
}

static bool scan_quoted_name(struct lexer *lexer, struct token *token)
{
	struct str rest = str_slice(lexer->text, lexer->at + 1, lexer->text.len);
	ptrdiff_t end = str_find_byte(rest, '`');

	if (end < 0)
		return fail(lexer, "S0105", lexer->text.len, (struct str){NULL, 0});
	lexer->at += 1 + (size_t)end + 1;
	return give(lexer, token, TOKEN_NAME, str_slice(rest, 0, (size_t)end));
}

/* Names that mean something else where a name may stand. */
static bool give_word(struct lexer *lexer, struct token *token, struct str name)
{
	if (str_equal(name, STR("and")))
		token->op = OP_AND;
	else if (str_equal(name, STR("or")))
		token->op = OP_OR;
	else if (str_equal(name, STR("in")))
		token->op = OP_IN;
	if (token->op != OP_NONE)
		return give(lexer, token, TOKEN_OPERATOR, name);
	if (str_equal(name, STR("true")) || str_equal(name, STR("false")))
		token->value = json_bool(name.len == 4);
	else if (str_equal(name, STR("null")))
		token->value = json_null();
	else
		return give(lexer, token, TOKEN_NAME, name);
	return give(lexer, token, TOKEN_VALUE, name);
}

static bool scan_name(struct lexer *lexer, struct token *token)
{
	enum { WORD_MAX = 5 };
	const char *start = lexer->text.data + lexer->at, *at = start;
	const char *end = lexer->text.data + lexer->text.len;

	while (at < end && !name_ends[(uint8_t)*at])
		at++;
	struct str name = str_make(start, (size_t)(at - start));
	lexer->at += name.len;
	if (name.data[0] == '$')
		return give(lexer, token, TOKEN_VARIABLE, str_slice(name, 1, name.len));
	if (name.len <= WORD_MAX)
		return give_word(lexer, token, name);
	return give(lexer, token, TOKEN_NAME, name);
}

/* `c` begins an operator; it may be one of two characters. */
static enum operator operator_at(int c, int after)
{
	if (after >= 0 && after < 128 && single_operators[after] != 0)
		for (size_t i = 0; i < sizeof double_operators / sizeof double_operators[0]; i++)
			if (double_operators[i].text[0] == c &&
			    double_operators[i].text[1] == after)
				return double_operators[i].op;
	return single_operators[c];
}

bool jsonata_lexer_next(struct lexer *lexer, bool after_operand, struct token *token)
{
	*token = (struct token){.type = TOKEN_END};
	if (!skip(lexer))
		return false;
	int c = char_at(lexer, lexer->at), after = char_at(lexer, lexer->at + 1);

	if (c < 0)
		return give(lexer, token, TOKEN_END, STR("(end)"));
	if (c == '/' && !after_operand) {
		lexer->at++;
		return scan_regex(lexer, token);
	}
	if (c < 128 && single_operators[c] != 0)
		return give_operator(lexer, token, operator_at(c, after));
	if (c == '"' || c == '\'')
		return scan_string(lexer, token);
	if (c >= '0' && c <= '9')
		return scan_number(lexer, token);
	if (c == '`')
		return scan_quoted_name(lexer, token);
	return scan_name(lexer, token);
}

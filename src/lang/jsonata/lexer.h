/* Cuts an expression into tokens. The parser says at each token whether a slash divides or begins
 * a regular expression. */
#ifndef LANG_JSONATA_LEXER_H
#define LANG_JSONATA_LEXER_H

#include "lang/jsonata/fault.h"

enum token_type {
	TOKEN_END,
	TOKEN_OPERATOR,
	TOKEN_NAME,
	TOKEN_VARIABLE,
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_VALUE, /* true, false, null */
	TOKEN_REGEX,
};

/* operator, spelling, left binding power where it is infix (0: it is not) */
#define OPERATOR_TABLE(ROW)                                                                        \
	ROW(OP_DOT, ".", 75)                                                                       \
	ROW(OP_BRACKET, "[", 80)                                                                   \
	ROW(OP_BRACKET_END, "]", 0)                                                                \
	ROW(OP_BRACE, "{", 70)                                                                     \
	ROW(OP_BRACE_END, "}", 0)                                                                  \
	ROW(OP_PAREN, "(", 80)                                                                     \
	ROW(OP_PAREN_END, ")", 0)                                                                  \
	ROW(OP_COMMA, ",", 0)                                                                      \
	ROW(OP_FOCUS, "@", 80)                                                                     \
	ROW(OP_INDEX, "#", 80)                                                                     \
	ROW(OP_SEMICOLON, ";", 0)                                                                  \
	ROW(OP_COLON, ":", 0)                                                                      \
	ROW(OP_QUESTION, "?", 20)                                                                  \
	ROW(OP_ADD, "+", 50)                                                                       \
	ROW(OP_SUBTRACT, "-", 50)                                                                  \
	ROW(OP_MULTIPLY, "*", 60)                                                                  \
	ROW(OP_DIVIDE, "/", 60)                                                                    \
	ROW(OP_MODULO, "%", 60)                                                                    \
	ROW(OP_BAR, "|", 0)                                                                        \
	ROW(OP_EQUAL, "=", 40)                                                                     \
	ROW(OP_LESS, "<", 40)                                                                      \
	ROW(OP_GREATER, ">", 40)                                                                   \
	ROW(OP_ORDER, "^", 40)                                                                     \
	ROW(OP_CONCAT, "&", 50)                                                                    \
	ROW(OP_EXCLAMATION, "!", 0)                                                                \
	ROW(OP_TILDE, "~", 0)                                                                      \
	ROW(OP_DESCENDANT, "**", 0)                                                                \
	ROW(OP_RANGE, "..", 0)                                                                     \
	ROW(OP_BIND, ":=", 10)                                                                     \
	ROW(OP_UNEQUAL, "!=", 40)                                                                  \
	ROW(OP_LESS_EQUAL, "<=", 40)                                                               \
	ROW(OP_GREATER_EQUAL, ">=", 40)                                                            \
	ROW(OP_APPLY, "~>", 40)                                                                    \
	ROW(OP_DEFAULT, "?:", 40)                                                                  \
	ROW(OP_COALESCE, "??", 40)                                                                 \
	ROW(OP_AND, "and", 30)                                                                     \
	ROW(OP_OR, "or", 25)                                                                       \
	ROW(OP_IN, "in", 40)

enum operator{
	OP_NONE,
#define ROW(id, spelling, power) id,
	OPERATOR_TABLE(ROW)
#undef ROW
};

struct token {
	enum token_type type;
	enum operator op;
	uint32_t position; /* just behind the token, as the reference has it */
	struct str text;   /* name, decoded string, spelling; pattern of a regex */
	struct json value; /* of a literal */
	bool ignores_case; /* flags of a regex */
	bool is_multiline;
};

struct lexer {
	struct str text;
	size_t at;
	struct arena *arena; /* decoded strings */
	struct fault *fault;
};

/* False with *fault filled. After TOKEN_END it gives TOKEN_END again. `after_operand`: a slash
 * divides here. */
bool jsonata_lexer_next(struct lexer *lexer, bool after_operand, struct token *token) MUST_CHECK;
const char *jsonata_operator_text(enum operator op);
int jsonata_operator_power(enum operator op);
/* Appends a UTF-16 unit to WTF-8 text with room for 3 bytes, joining a pair of surrogates. */
size_t jsonata_append_unit(char *text, size_t len, uint32_t unit);
/* PLAIN and ASCII as they hold for these bytes. */
uint8_t jsonata_text_flags(struct str s);

#endif

/* Top-down operator precedence, after Vaughan Pratt. Each function that parses answers NULL once
 * the fault is filled. */
#include "lang/jsonata/signature.h"
#include "lang/jsonata/syntax.h"

static struct syntax *parse_expression(struct parser *parser, int power);

struct syntax *jsonata_syntax_create(struct parser *parser, enum syntax_kind kind)
{
	struct syntax *node = arena_zero(parser->arena, sizeof *node);

	node->kind = kind;
	node->depth = 1;
	return node;
}

void jsonata_syntax_add(struct parser *parser, struct syntax_list *list, struct syntax *item)
{
	if (list->count == list->capacity) {
		uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
		list->items =
			arena_grow(parser->arena, list->items, list->count * sizeof list->items[0],
				   capacity * sizeof list->items[0]);
		list->capacity = capacity;
	}
	list->items[list->count++] = item;
}

/* A token as the reference names it in an error: a literal by its value. */
static struct json token_value(const struct token *token)
{
	return token->type == TOKEN_NUMBER || token->type == TOKEN_VALUE ? token->value
									 : json_string(token->text);
}

struct json jsonata_syntax_token(const struct syntax *node)
{
	return node->kind == SYNTAX_NUMBER || node->kind == SYNTAX_VALUE ? node->value
									 : json_string(node->text);
}

static struct syntax *fail(struct parser *parser, const char *code, uint32_t position,
			   struct json token)
{
	*parser->fault = (struct fault){
		.code = code, .position = position, .has_position = true, .token = token};
	return NULL;
}

/* Long chains of these are walked in loops, so they add no depth on their left. */
static bool is_chain(enum operator op)
{
	return op == OP_DOT || op == OP_CONCAT || op == OP_AND || op == OP_OR;
}

static bool note_depth(struct parser *parser, struct syntax *node, const struct syntax *child,
		       uint32_t more)
{
	if (child != NULL && child->depth + more > node->depth)
		node->depth = child->depth + more;
	if (node->depth <= parser->depth_max)
		return true;
	fail(parser, "U1002", parser->token.position, json_undefined());
	return false;
}

static bool advance(struct parser *parser, bool after_operand)
{
	if (!jsonata_lexer_next(&parser->lexer, after_operand, &parser->token))
		return false;
	enum operator op = parser->token.op;
	if (parser->token.type == TOKEN_OPERATOR && (op == OP_EXCLAMATION || op == OP_TILDE)) {
		fail(parser, "S0204", parser->token.position, token_value(&parser->token));
		return false;
	}
	return true;
}

static bool is_at(const struct parser *parser, enum operator op)
{
	return parser->token.type == TOKEN_OPERATOR && parser->token.op == op;
}

/* Steps over this operator, which must come here. */
static bool expect(struct parser *parser, enum operator op, bool after_operand)
{
	if (is_at(parser, op))
		return advance(parser, after_operand);
	fail(parser, parser->token.type == TOKEN_END ? "S0203" : "S0202", parser->token.position,
	     token_value(&parser->token));
	parser->fault->value = json_string_c(jsonata_operator_text(op));
	return false;
}

static struct syntax *create_from_token(struct parser *parser, enum syntax_kind kind,
					const struct token *token)
{
	struct syntax *node = jsonata_syntax_create(parser, kind);

	node->position = token->position;
	node->text = token->text;
	node->value = token->value;
	node->op = token->op;
	node->ignores_case = token->ignores_case;
	node->is_multiline = token->is_multiline;
	return node;
}

static struct syntax *parse_block(struct parser *parser, const struct token *token)
{
	struct syntax *block = create_from_token(parser, SYNTAX_BLOCK, token);

	while (!is_at(parser, OP_PAREN_END)) {
		struct syntax *item = parse_expression(parser, 0);
		if (item == NULL || !note_depth(parser, block, item, 1))
			return NULL;
		jsonata_syntax_add(parser, &block->items, item);
		if (!is_at(parser, OP_SEMICOLON))
			break;
		if (!advance(parser, false))
			return NULL;
	}
	return expect(parser, OP_PAREN_END, true) ? block : NULL;
}

/* An item of an array constructor: an expression or a range. */
static struct syntax *parse_item(struct parser *parser)
{
	struct syntax *item = parse_expression(parser, 0);

	if (item == NULL || !is_at(parser, OP_RANGE))
		return item;
	struct syntax *range = create_from_token(parser, SYNTAX_BINARY, &parser->token);
	if (!advance(parser, false))
		return NULL;
	range->lhs = item;
	range->rhs = parse_expression(parser, 0);
	if (range->rhs == NULL || !note_depth(parser, range, item, 1) ||
	    !note_depth(parser, range, range->rhs, 1))
		return NULL;
	return range;
}

static struct syntax *parse_array(struct parser *parser, const struct token *token)
{
	struct syntax *array = create_from_token(parser, SYNTAX_ARRAY, token);

	if (!is_at(parser, OP_BRACKET_END)) {
		for (;;) {
			struct syntax *item = parse_item(parser);
			if (item == NULL || !note_depth(parser, array, item, 1))
				return NULL;
			jsonata_syntax_add(parser, &array->items, item);
			if (!is_at(parser, OP_COMMA))
				break;
			if (!advance(parser, false))
				return NULL;
		}
	}
	return expect(parser, OP_BRACKET_END, true) ? array : NULL;
}

static struct syntax *parse_object(struct parser *parser, const struct token *token)
{
	struct syntax *object = create_from_token(parser, SYNTAX_OBJECT, token);

	if (!is_at(parser, OP_BRACE_END)) {
		for (;;) {
			struct syntax *key = parse_expression(parser, 0);
			if (key == NULL || !expect(parser, OP_COLON, false))
				return NULL;
			struct syntax *value = parse_expression(parser, 0);
			if (value == NULL || !note_depth(parser, object, key, 1) ||
			    !note_depth(parser, object, value, 1))
				return NULL;
			jsonata_syntax_add(parser, &object->items, key);
			jsonata_syntax_add(parser, &object->items, value);
			if (!is_at(parser, OP_COMMA))
				break;
			if (!advance(parser, false))
				return NULL;
		}
	}
	return expect(parser, OP_BRACE_END, true) ? object : NULL;
}

static struct syntax *parse_minus(struct parser *parser, const struct token *token)
{
	struct syntax *minus = create_from_token(parser, SYNTAX_MINUS, token);

	minus->lhs = parse_expression(parser, 70);
	return minus->lhs != NULL && note_depth(parser, minus, minus->lhs, 1) ? minus : NULL;
}

static struct syntax *parse_transform(struct parser *parser, const struct token *token)
{
	struct syntax *transform = create_from_token(parser, SYNTAX_TRANSFORM, token);

	transform->lhs = parse_expression(parser, 0);
	if (transform->lhs == NULL || !expect(parser, OP_BAR, false))
		return NULL;
	transform->rhs = parse_expression(parser, 0);
	if (transform->rhs == NULL)
		return NULL;
	if (is_at(parser, OP_COMMA)) {
		if (!advance(parser, false))
			return NULL;
		transform->third = parse_expression(parser, 0);
		if (transform->third == NULL)
			return NULL;
	}
	if (!expect(parser, OP_BAR, false) || !note_depth(parser, transform, transform->lhs, 1) ||
	    !note_depth(parser, transform, transform->rhs, 1) ||
	    !note_depth(parser, transform, transform->third, 1))
		return NULL;
	return transform;
}

/* What an operator means where an operand is wanted. */
static struct syntax *parse_prefix_operator(struct parser *parser, const struct token *token)
{
	switch (token->op) {
	case OP_AND:
	case OP_OR:
	case OP_IN:
		return create_from_token(parser, SYNTAX_OPERATOR, token);
	case OP_SUBTRACT:
		return parse_minus(parser, token);
	case OP_MULTIPLY:
		return create_from_token(parser, SYNTAX_WILDCARD, token);
	case OP_DESCENDANT:
		return create_from_token(parser, SYNTAX_DESCENDANT, token);
	case OP_MODULO:
		return create_from_token(parser, SYNTAX_PARENT, token);
	case OP_PAREN:
		return parse_block(parser, token);
	case OP_BRACKET:
		return parse_array(parser, token);
	case OP_BRACE:
		return parse_object(parser, token);
	case OP_BAR:
		return parse_transform(parser, token);
	default:
		return fail(parser, "S0211", token->position, token_value(token));
	}
}

static struct syntax *parse_prefix(struct parser *parser, const struct token *token)
{
	switch (token->type) {
	case TOKEN_NAME:
		return create_from_token(parser, SYNTAX_NAME, token);
	case TOKEN_VARIABLE:
		return create_from_token(parser, SYNTAX_VARIABLE, token);
	case TOKEN_STRING:
		return create_from_token(parser, SYNTAX_STRING, token);
	case TOKEN_NUMBER:
		return create_from_token(parser, SYNTAX_NUMBER, token);
	case TOKEN_VALUE:
		return create_from_token(parser, SYNTAX_VALUE, token);
	case TOKEN_REGEX:
		return create_from_token(parser, SYNTAX_REGEX, token);
	case TOKEN_END:
		return create_from_token(parser, SYNTAX_END, token);
	case TOKEN_OPERATOR:
		break;
	}
	return parse_prefix_operator(parser, token);
}

/* --- what stands behind an operand --------------------------------------------------------- */

static bool parse_arguments(struct parser *parser, struct syntax *call)
{
	if (is_at(parser, OP_PAREN_END))
		return true;
	for (;;) {
		struct syntax *argument;
		if (is_at(parser, OP_QUESTION)) {
			call->kind = SYNTAX_PARTIAL;
			argument = create_from_token(parser, SYNTAX_PLACEHOLDER, &parser->token);
			if (!advance(parser, false))
				return false;
		} else {
			argument = parse_expression(parser, 0);
		}
		if (argument == NULL || !note_depth(parser, call, argument, 1))
			return false;
		jsonata_syntax_add(parser, &call->items, argument);
		if (!is_at(parser, OP_COMMA))
			return true;
		if (!advance(parser, false))
			return false;
	}
}

/* The text between < and > of a lambda, blanks left out; the token is the <. */
static bool parse_signature(struct parser *parser, struct syntax *lambda)
{
	uint32_t start = parser->token.position, error_offset = 0;
	int depth = 1;
	char *text = arena_alloc(parser->arena, parser->lexer.text.len + 16);
	size_t len = 0;

	text[len++] = '<';
	while (depth > 0 && !is_at(parser, OP_BRACE) && parser->token.type != TOKEN_END) {
		if (!advance(parser, false))
			return false;
		if (is_at(parser, OP_GREATER))
			depth--;
		else if (is_at(parser, OP_LESS))
			depth++;
		if (len + parser->token.text.len <= parser->lexer.text.len + 16) {
			memcpy(text + len, parser->token.text.data, parser->token.text.len);
			len += parser->token.text.len;
		}
	}
	if (!expect(parser, OP_GREATER, false))
		return false;
	lambda->signature = jsonata_signature_parse(parser->arena, str_make(text, len),
						    parser->fault, &error_offset);
	if (lambda->signature != NULL)
		return true;
	parser->fault->position = start + error_offset;
	parser->fault->has_position = true;
	return false;
}

static bool parse_lambda(struct parser *parser, struct syntax *lambda)
{
	for (uint32_t i = 0; i < lambda->items.count; i++) {
		const struct syntax *parameter = lambda->items.items[i];
		if (parameter->kind != SYNTAX_VARIABLE) {
			fail(parser, "S0208", parameter->position, jsonata_syntax_token(parameter));
			parser->fault->value = json_int(i + 1);
			return false;
		}
	}
	lambda->kind = SYNTAX_LAMBDA;
	if (is_at(parser, OP_LESS) && !parse_signature(parser, lambda))
		return false;
	if (!expect(parser, OP_BRACE, false))
		return false;
	lambda->lhs = parse_expression(parser, 0);
	return lambda->lhs != NULL && note_depth(parser, lambda, lambda->lhs, 1) &&
	       expect(parser, OP_BRACE_END, false);
}

static struct syntax *parse_call(struct parser *parser, struct syntax *left,
				 const struct token *token)
{
	struct syntax *call = create_from_token(parser, SYNTAX_CALL, token);

	call->lhs = left;
	if (!note_depth(parser, call, left, 1) || !parse_arguments(parser, call) ||
	    !expect(parser, OP_PAREN_END, true))
		return NULL;
	if (left->kind == SYNTAX_NAME &&
	    (str_equal(left->text, STR("function")) || str_equal(left->text, STR("λ"))) &&
	    !parse_lambda(parser, call))
		return NULL;
	return call;
}

static struct syntax *parse_predicate(struct parser *parser, struct syntax *left,
				      const struct token *token)
{
	if (is_at(parser, OP_BRACKET_END)) {
		struct syntax *step = left;
		while (step->kind == SYNTAX_BINARY && step->op == OP_BRACKET)
			step = step->lhs;
		step->keeps_array = true;
		return advance(parser, false) ? left : NULL;
	}
	struct syntax *node = create_from_token(parser, SYNTAX_BINARY, token);
	node->lhs = left;
	node->rhs = parse_expression(parser, 0);
	if (node->rhs == NULL || !expect(parser, OP_BRACKET_END, true) ||
	    !note_depth(parser, node, left, 1) || !note_depth(parser, node, node->rhs, 1))
		return NULL;
	return node;
}

static struct syntax *parse_order(struct parser *parser, struct syntax *left,
				  const struct token *token)
{
	struct syntax *node = create_from_token(parser, SYNTAX_BINARY, token);

	node->lhs = left;
	if (!note_depth(parser, node, left, 1) || !expect(parser, OP_PAREN, false))
		return NULL;
	for (;;) {
		bool is_descending = is_at(parser, OP_GREATER);
		if ((is_descending || is_at(parser, OP_LESS)) && !advance(parser, false))
			return NULL;
		struct syntax *term = parse_expression(parser, 0);
		if (term == NULL || !note_depth(parser, node, term, 1))
			return NULL;
		term->is_descending = is_descending;
		jsonata_syntax_add(parser, &node->items, term);
		if (!is_at(parser, OP_COMMA))
			break;
		if (!advance(parser, false))
			return NULL;
	}
	return expect(parser, OP_PAREN_END, false) ? node : NULL;
}

static struct syntax *parse_group(struct parser *parser, struct syntax *left,
				  const struct token *token)
{
	struct syntax *node = create_from_token(parser, SYNTAX_BINARY, token);

	node->lhs = left;
	node->rhs = parse_object(parser, token);
	if (node->rhs == NULL || !note_depth(parser, node, left, 1) ||
	    !note_depth(parser, node, node->rhs, 1))
		return NULL;
	return node;
}

static struct syntax *parse_condition(struct parser *parser, struct syntax *left,
				      const struct token *token)
{
	struct syntax *node = create_from_token(parser, SYNTAX_CONDITION, token);

	node->lhs = left;
	node->rhs = parse_expression(parser, 0);
	if (node->rhs == NULL)
		return NULL;
	if (is_at(parser, OP_COLON)) {
		if (!advance(parser, false))
			return NULL;
		node->third = parse_expression(parser, 0);
		if (node->third == NULL)
			return NULL;
	}
	if (!note_depth(parser, node, left, 1) || !note_depth(parser, node, node->rhs, 1) ||
	    !note_depth(parser, node, node->third, 1))
		return NULL;
	return node;
}

static struct syntax *parse_variable_bind(struct parser *parser, struct syntax *node)
{
	if (node->op == OP_BIND && node->lhs->kind != SYNTAX_VARIABLE)
		return fail(parser, "S0212", node->lhs->position, jsonata_syntax_token(node->lhs));
	node->rhs = parse_expression(parser, jsonata_operator_power(node->op) -
						     (node->op == OP_BIND ? 1 : 0));
	if (node->rhs == NULL)
		return NULL;
	if (node->op != OP_BIND && node->rhs->kind != SYNTAX_VARIABLE)
		return fail(parser, "S0214", node->rhs->position, json_string(node->text));
	return node;
}

static struct syntax *parse_binary(struct parser *parser, struct syntax *left,
				   const struct token *token)
{
	struct syntax *node = create_from_token(parser, SYNTAX_BINARY, token);

	node->lhs = left;
	switch (token->op) {
	case OP_BIND:
	case OP_FOCUS:
	case OP_INDEX:
		if (parse_variable_bind(parser, node) == NULL)
			return NULL;
		break;
	case OP_DEFAULT:
	case OP_COALESCE:
		node->kind = token->op == OP_DEFAULT ? SYNTAX_DEFAULT : SYNTAX_COALESCE;
		node->rhs = parse_expression(parser, 0);
		break;
	default:
		node->rhs = parse_expression(parser, jsonata_operator_power(token->op));
		break;
	}
	if (node->rhs == NULL || !note_depth(parser, node, node->rhs, 1) ||
	    !note_depth(parser, node, left, is_chain(token->op) ? 0 : 1))
		return NULL;
	return node;
}

static struct syntax *parse_infix(struct parser *parser, struct syntax *left,
				  const struct token *token)
{
	switch (token->op) {
	case OP_PAREN:
		return parse_call(parser, left, token);
	case OP_BRACKET:
		return parse_predicate(parser, left, token);
	case OP_BRACE:
		return parse_group(parser, left, token);
	case OP_ORDER:
		return parse_order(parser, left, token);
	case OP_QUESTION:
		return parse_condition(parser, left, token);
	default:
		return parse_binary(parser, left, token);
	}
}

static int left_power(const struct token *token)
{
	return token->type == TOKEN_OPERATOR ? jsonata_operator_power(token->op) : 0;
}

static struct syntax *parse_expression(struct parser *parser, int power)
{
	struct token token = parser->token;

	if (++parser->nesting > parser->depth_max)
		return fail(parser, "U1002", token.position, json_undefined());
	if (!advance(parser, true))
		return NULL;
	struct syntax *left = parse_prefix(parser, &token);

	while (left != NULL && power < left_power(&parser->token)) {
		token = parser->token;
		if (!advance(parser, false))
			return NULL;
		left = parse_infix(parser, left, &token);
	}
	parser->nesting--;
	return left;
}

struct syntax *jsonata_parse(struct parser *parser, struct str text)
{
	parser->lexer =
		(struct lexer){.text = text, .arena = parser->text_arena, .fault = parser->fault};
	if (!advance(parser, false))
		return NULL;
	struct syntax *tree = parse_expression(parser, 0);

	if (tree != NULL && parser->token.type != TOKEN_END)
		return fail(parser, "S0201", parser->token.position, token_value(&parser->token));
	return tree;
}

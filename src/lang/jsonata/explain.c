/* The compiled tree as text, one node a line, indented. */
#include "lang/jsonata/evaluate.h"

static const char *const kind_names[] = {
	[NODE_LITERAL] = "literal",
	[NODE_CONTEXT] = "context",
	[NODE_ROOT] = "root",
	[NODE_VARIABLE] = "variable",
	[NODE_HOST_VARIABLE] = "host variable",
	[NODE_NAME] = "name",
	[NODE_FIELD] = "field",
	[NODE_PATH] = "path",
	[NODE_WILDCARD] = "wildcard",
	[NODE_DESCENDANT] = "descendant",
	[NODE_BINARY] = "binary",
	[NODE_CHAIN] = "chain",
	[NODE_NEGATE] = "negate",
	[NODE_ARRAY] = "array",
	[NODE_OBJECT] = "object",
	[NODE_BLOCK] = "block",
	[NODE_CONDITION] = "condition",
	[NODE_BIND] = "bind",
	[NODE_LAMBDA] = "lambda",
	[NODE_CALL] = "call",
	[NODE_PARTIAL] = "partial",
	[NODE_APPLY] = "apply",
	[NODE_TRANSFORM] = "transform",
	[NODE_REGEX] = "regex",
	[NODE_SORT] = "sort",
	[NODE_FILTERED] = "filtered",
};

static void explain(const struct node *node, uint32_t depth, struct buffer *out);

static void explain_list(const struct node *const *items, uint32_t count, uint32_t depth,
			 struct buffer *out)
{
	for (uint32_t i = 0; i < count; i++)
		explain(items[i], depth, out);
}

static void explain_label(const struct node *node, struct buffer *out)
{
	switch (node->kind) {
	case NODE_NAME:
	case NODE_FIELD:
		buffer_append_format(out, " %.*s", STR_ARGS(node->name.key));
		break;
	case NODE_VARIABLE:
		buffer_append_format(out, " $%.*s", STR_ARGS(node->variable.name));
		for (uint32_t i = 0; i < node->variable.count; i++)
			buffer_append_format(out, " [%u up, slot %u]",
					     node->variable.candidates[i].hops,
					     node->variable.candidates[i].slot);
		break;
	case NODE_LITERAL:
		buffer_append_byte(out, ' ');
		json_print(out, node->literal);
		break;
	case NODE_BIND:
		buffer_append_format(out, " $%.*s slot %u", STR_ARGS(node->bind.name),
				     node->bind.slot);
		break;
	case NODE_CALL:
	case NODE_PARTIAL:
		buffer_append_format(out, " %.*s%s", STR_ARGS(json_str(node->call.mark.token)),
				     node->run == jsonata_run_builtin_call ? " (builtin)"
				     : node->run == jsonata_run_tail	   ? " (tail)"
									   : "");
		break;
	case NODE_BINARY:
	case NODE_CHAIN:
		buffer_append_format(out, " %s", jsonata_operator_text(node->op));
		break;
	default:
		break;
	}
}

static void explain_path(const struct path *path, uint32_t depth, struct buffer *out)
{
	for (uint32_t i = 0; i < path->count; i++) {
		const struct step *step = &path->steps[i];
		explain(step->node, depth, out);
		for (uint32_t k = 0; k < step->stage_count; k++)
			explain(step->stages[k].filter, depth + 1, out);
	}
	explain(path->group, depth, out);
}

static void explain_children(const struct node *node, uint32_t depth, struct buffer *out)
{
	switch (node->kind) {
	case NODE_PATH:
		explain_path(&node->path, depth, out);
		break;
	case NODE_BINARY:
	case NODE_NEGATE:
	case NODE_CONDITION:
	case NODE_APPLY:
	case NODE_TRANSFORM:
		explain(node->operands.lhs, depth, out);
		explain(node->operands.rhs, depth, out);
		if (node->kind != NODE_APPLY)
			explain(node->operands.third, depth, out);
		break;
	case NODE_CHAIN:
	case NODE_ARRAY:
	case NODE_BLOCK:
		explain_list(node->list.items, node->list.count, depth, out);
		break;
	case NODE_OBJECT:
		for (uint32_t i = 0; i < node->object.count; i++) {
			explain(node->object.pairs[i].key, depth, out);
			explain(node->object.pairs[i].value, depth + 1, out);
		}
		break;
	case NODE_BIND:
		explain(node->bind.value, depth, out);
		break;
	case NODE_LAMBDA:
		explain(node->lambda.body, depth, out);
		break;
	case NODE_CALL:
	case NODE_PARTIAL:
		if (node->call.builtin == NULL)
			explain(node->call.procedure, depth, out);
		explain_list(node->call.arguments, node->call.count, depth, out);
		break;
	case NODE_SORT:
		for (uint32_t i = 0; i < node->sort.count; i++)
			explain(node->sort.terms[i].node, depth, out);
		break;
	case NODE_FILTERED:
		explain(node->filtered.base, depth, out);
		explain_list(node->filtered.filters, node->filtered.count, depth + 1, out);
		explain(node->filtered.group, depth, out);
		break;
	default:
		break;
	}
}

static void explain(const struct node *node, uint32_t depth, struct buffer *out)
{
	if (node == NULL)
		return;
	for (uint32_t i = 0; i < depth; i++)
		buffer_append(out, STR("  "));
	buffer_append_c(out, kind_names[node->kind]);
	explain_label(node, out);
	if (node->keeps_array)
		buffer_append(out, STR(" []"));
	buffer_append_byte(out, '\n');
	explain_children(node, depth + 1, out);
}

void jsonata_explain(const struct jsonata *expression, struct buffer *out)
{
	explain(expression->root, 0, out);
}

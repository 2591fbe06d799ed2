/* Reads whom a write is told to (`notify` of a route), and how (`webhooks`). */
#include "app/sandbox/definition.h"

static bool read_notice(struct reader *reader, const struct yaml_node *node,
			struct notice_definition *notice)
{
	*notice = (struct notice_definition){0};
	if (!reader_check_keys(reader, node, "a notice", "when for value") ||
	    !reader_optional(reader, node, "when", &notice->when) ||
	    !reader_optional(reader, node, "for", &notice->each) ||
	    !reader_optional(reader, node, "value", &notice->value))
		return false;
	return notice->value.kind != EXPRESSION_NONE ||
	       reader_fail(reader, node->line, "a notice wants `value`");
}

bool reader_notices(struct reader *reader, const struct yaml_node *node, struct write *write)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_SEQUENCE)
		return reader_fail(reader, node->line, "notify must be a list of notices");
	write->notices = arena_array(reader->arena, node->count, sizeof *write->notices);
	for (; write->notice_count < node->count; write->notice_count++)
		if (!read_notice(reader, &node->items[write->notice_count],
				 &write->notices[write->notice_count]))
			return false;
	return true;
}

static bool read_retries(struct reader *reader, const struct yaml_node *node,
			 struct webhook_definition *webhook)
{
	if (node == NULL)
		return true;
	if (node->kind != YAML_SEQUENCE)
		return reader_fail(reader, node->line, "retries must be a list of seconds");
	webhook->retry_s = arena_array(reader->arena, node->count, sizeof *webhook->retry_s);
	for (; webhook->retry_count < node->count; webhook->retry_count++) {
		int64_t *seconds = &webhook->retry_s[webhook->retry_count];
		if (!str_to_int64(node->items[webhook->retry_count].text, seconds) ||
		    *seconds < 0 || *seconds > 86400)
			return reader_fail(reader, node->line,
					   "retries must be seconds from 0 to 86400");
	}
	return true;
}

bool reader_webhook(struct reader *reader, const struct yaml_node *node)
{
	struct webhook_definition *webhook = &reader->definition->webhook;

	if (node == NULL)
		return true;
	if (!reader_check_keys(reader, node, "webhooks", "header user_agent test body retries") ||
	    !reader_c(reader, node, "header", &webhook->header) ||
	    !reader_c(reader, node, "user_agent", &webhook->user_agent) ||
	    !reader_text(reader, node, "test", &webhook->test) ||
	    !reader_optional(reader, node, "body", &webhook->body) ||
	    !read_retries(reader, yaml_get(node, "retries"), webhook))
		return false;
	return (webhook->header != NULL && webhook->body.kind != EXPRESSION_NONE) ||
	       reader_fail(reader, node->line, "webhooks want `header` and `body`");
}

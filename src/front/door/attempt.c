/* Writes that are done once, as every door has them. */
#include "front/door/door.h"

/* With the query, for that says as much as the path what is asked for; the account is told apart
 * already. */
static struct str spell_target(const struct http_exchange *exchange)
{
	struct buffer text;
	char before = '?';

	buffer_init(&text, exchange->arena, SIZE_MAX);
	buffer_append(&text, exchange->path);
	for (size_t i = 0; i < exchange->query_count; i++) {
		const struct http_field *field = &exchange->query[i];

		if (str_equal(field->name, STR("integrated_account_id")) ||
		    str_equal(field->name, STR("environment")))
			continue;
		buffer_append_byte(&text, before);
		url_encode(&text, field->name);
		buffer_append_byte(&text, '=');
		url_encode(&text, field->value);
		before = '&';
	}
	return buffer_str(&text);
}

bool door_begin_attempt(const struct door *door, struct http_exchange *exchange,
			struct operation *operation, const struct door_asked *what,
			struct door_attempt *attempt, struct error *err)
{
	const struct idempotency_request asked = {
		.environment_id = operation->account->environment_id,
		.account_id = operation->account->id,
		.key = http_exchange_header(exchange, "idempotency-key"),
		.method = exchange->method_name,
		.path = spell_target(exchange),
		.body = what->body,
		.source = what->source == NULL ? NULL : *what->source,
	};

	*attempt = (struct door_attempt){.note = NULL};
	if (asked.key.data == NULL)
		return true;
	if (!idempotency_begin(door->idempotency, exchange->arena, &asked, &attempt->note,
			       &attempt->before, err))
		return false;
	if (attempt->note == NULL)
		return true;
	operation->journal = idempotency_journal(attempt->note);
	if (asked.source != NULL)
		*what->source = idempotency_source(attempt->note);
	return true;
}

void door_reply_again(struct http_exchange *exchange, const struct door_attempt *attempt)
{
	exchange->status = attempt->before.status;
	exchange->reply = attempt->before.body;
	http_exchange_set_header(exchange, "Idempotency-Replayed", STR("true"));
}

void door_end_attempt(struct http_exchange *exchange, struct door_attempt *attempt)
{
	const struct idempotency_reply reply = {exchange->status, exchange->reply};

	if (attempt->note != NULL)
		idempotency_end(attempt->note, &reply);
	attempt->note = NULL;
}

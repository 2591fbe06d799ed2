/* Writes that are done once, as every door has them. */
#include "front/door/door.h"

bool door_begin_attempt(const struct door *door, struct http_exchange *exchange,
			struct operation *operation, struct str path, struct door_attempt *attempt,
			struct error *err)
{
	const struct idempotency_request asked = {
		.environment_id = operation->account->environment_id,
		.account_id = operation->account->id,
		.key = http_exchange_header(exchange, "idempotency-key"),
		.method = exchange->method_name,
		.path = path,
		.body = exchange->body,
	};

	*attempt = (struct door_attempt){.note = NULL};
	if (asked.key.data == NULL)
		return true;
	if (!idempotency_begin(door->idempotency, exchange->arena, &asked, &attempt->note,
			       &attempt->before, err))
		return false;
	if (attempt->note != NULL)
		operation->journal = idempotency_journal(attempt->note);
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

/* What all workers share, and how they hear of changes. */
#include <stdlib.h>

#include "ats/webhook/runner.h"

struct webhooks *webhooks_create(const struct webhooks_options *options)
{
	struct webhooks *webhooks = calloc(1, sizeof *webhooks);
	size_t count = options->delay_count;

	if (webhooks == NULL)
		die("out of memory");
	webhooks->options = *options;
	if (count > 0) {
		webhooks->delays_ms = malloc(count * sizeof *webhooks->delays_ms);
		if (webhooks->delays_ms == NULL)
			die("out of memory");
		memcpy(webhooks->delays_ms, options->delays_ms, count * sizeof(int64_t));
		webhooks->options.delays_ms = webhooks->delays_ms;
	}
	pthread_mutex_init(&webhooks->lock, NULL);
	secret_register(options->vault);
	return webhooks;
}

void webhooks_destroy(struct webhooks *webhooks)
{
	if (webhooks == NULL)
		return;
	pthread_mutex_destroy(&webhooks->lock);
	free(webhooks->delays_ms);
	free(webhooks);
}

void webhooks_tell(struct webhooks *webhooks)
{
	pthread_mutex_lock(&webhooks->lock);
	for (size_t i = 0; i < webhooks->runner_count; i++)
		loop_post(webhooks->runners[i]->loop, runner_told, webhooks->runners[i]->state);
	pthread_mutex_unlock(&webhooks->lock);
}

/* --- trying one out --------------------------------------------------------------------------- */

static struct str test_body(struct webhooks *webhooks, struct arena *arena,
			    const struct webhook *webhook, struct str id)
{
	struct json_builder out, payload;

	json_builder_init(&payload, arena);
	json_builder_set(&payload, STR("webhook_id"), json_string(webhook->id));
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(id));
	json_builder_set(&out, STR("number"), json_null());
	json_builder_set(&out, STR("event"), json_string_c("webhook:test"));
	json_builder_set(&out, STR("environment_id"), json_string(webhook->environment_id));
	json_builder_set(&out, STR("integrated_account_id"), json_null());
	json_builder_set(&out, STR("payload"), json_builder_object(&payload));
	json_builder_set(&out, STR("created_at"),
			 json_string(clock_format_ms(arena,
						     clock_unix_ms(webhooks->options.clock))));
	return json_text(arena, json_builder_object(&out));
}

bool webhook_test(struct webhooks *webhooks, struct arena *arena, const struct webhook *webhook,
		  struct http_client *client, struct json *result, struct error *err)
{
	struct webhook_key keys[WEBHOOK_SECRETS_MAX];
	struct json_builder out;
	struct attempt attempt;
	int64_t until_ms;
	size_t count;
	struct str id = id_make(webhooks->options.accounts, arena, "tst_");

	if (!secret_open_all(webhooks, webhook, clock_unix_ms(webhooks->options.clock), keys,
			     &count, &until_ms, err))
		return false;
	attempt_make(webhooks, client, arena, webhook->target_url, keys, count, id,
		     test_body(webhooks, arena, webhook, id), &attempt);
	secret_close_all(keys, count);
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(id));
	json_builder_set(&out, STR("is_delivered"), json_bool(attempt.is_delivered));
	json_builder_set(&out, STR("status"), attempt.status > 0 ? json_int(attempt.status)
								 : json_null());
	json_builder_set(&out, STR("error"), attempt.error.len > 0 ? json_string(attempt.error)
								   : json_null());
	json_builder_set(&out, STR("response"), attempt.reply.len > 0 ? json_string(attempt.reply)
								      : json_null());
	json_builder_set(&out, STR("duration_ms"), json_int(attempt.duration_ms));
	*result = json_builder_object(&out);
	return true;
}

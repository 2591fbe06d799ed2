/* One call to an endpoint, and what its answer means. */
#include "ats/webhook/parts.h"

enum { TIMEOUT_MS = 15000, IDLE_MS = 5000, REPLY_BYTES_MAX = 4096 };
static const int64_t RETRY_AFTER_MS_MAX = (int64_t)24 * 3600 * 1000;

static void read_reply(struct http_call *call, struct arena *arena, const struct clock *clock,
		       int64_t end_ms, struct attempt *out)
{
	char *bytes = arena_alloc(arena, REPLY_BYTES_MAX);
	struct error ignored;
	size_t len = 0;
	ssize_t got;

	/* Read to its end, so that the connection can be used again. */
	do {
		got = http_client_read(call, bytes + len, REPLY_BYTES_MAX - len, &ignored);
		len += got > 0 ? (size_t)got : 0;
	} while (got > 0 && len < REPLY_BYTES_MAX && clock_monotonic_ms(clock) < end_ms);
	out->reply = str_make(bytes, len);
}

/* As text of the log: what is no UTF-8, or a control, is a question mark. */
static struct str as_text(struct arena *arena, struct str bytes)
{
	struct str kept = str_slice(bytes, 0, WEBHOOK_REPLY_BYTES_KEPT);
	char *text = arena_alloc(arena, kept.len + 1);

	for (size_t i = 0; i < kept.len; i++) {
		unsigned char byte = (unsigned char)kept.data[i];
		bool is_plain = (byte >= ' ' && byte < 0x7f) || byte == '\n' || byte == '\t';

		text[i] = is_plain ? (char)byte : '?';
	}
	return str_make(text, kept.len);
}

static void judge(struct arena *arena, const struct http_response *response, int64_t now_ms,
		  struct attempt *out)
{
	struct str after = http_response_header(response, "retry-after");
	int64_t after_ms =
		after.len == 0 ? 0 : http_parse_retry_after_ms(after, now_ms);

	out->status = response->status;
	out->reply = as_text(arena, out->reply);
	out->is_delivered = response->status >= 200 && response->status < 300;
	out->is_gone = response->status == 410;
	out->is_throttled = response->status == 429 || response->status == 502 ||
			    response->status == 504;
	if (out->is_delivered)
		return;
	if (after_ms > 0)
		out->retry_after_ms = after_ms < RETRY_AFTER_MS_MAX ? after_ms : RETRY_AFTER_MS_MAX;
	out->error = response->status >= 300 && response->status < 400
			     ? STR("it answered with a redirect, which is not followed")
			     : arena_format(arena, "it answered %d", response->status);
}

void attempt_make(struct webhooks *webhooks, struct http_client *client, struct arena *arena,
		  struct str url, const struct webhook_key *keys, size_t key_count, struct str id,
		  struct str body, struct attempt *out)
{
	const struct clock *clock = webhooks->options.clock;
	int64_t timeout_ms = webhooks->options.timeout_ms > 0 ? webhooks->options.timeout_ms
							      : TIMEOUT_MS;
	int64_t seconds = clock_unix_ms(clock) / 1000, began_ms = clock_monotonic_ms(clock);
	const struct http_header headers[] = {
		{STR("Content-Type"), STR("application/json")},
		{STR("webhook-id"), id},
		{STR("webhook-timestamp"), arena_format(arena, "%lld", (long long)seconds)},
		{STR("webhook-signature"),
		 webhook_sign(arena, keys, key_count, id, seconds, body)},
	};
	const struct http_request request = {
		.method = HTTP_POST,
		.url = arena_str(arena, url),
		.headers = headers,
		.header_count = sizeof headers / sizeof *headers,
		.body = body,
		.has_body = true,
		.deadline_ns = clock_monotonic_ns(clock) + timeout_ms * 1000000,
		.idle_timeout_ms = timeout_ms < IDLE_MS ? timeout_ms : IDLE_MS,
	};
	struct http_response response;
	struct error err;

	*out = (struct attempt){0};
	struct http_call *call = http_client_open(client, arena, &request, &response, &err);
	if (call == NULL) {
		out->error = arena_str(arena, str_from_c(err.message));
	} else {
		read_reply(call, arena, clock, began_ms + timeout_ms, out);
		judge(arena, &response, clock_unix_ms(clock), out);
		http_client_close(call);
	}
	out->duration_ms = clock_monotonic_ms(clock) - began_ms;
}

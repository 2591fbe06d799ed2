/* What an endpoint wants, as members of the API's bodies; so it is stored, too. */
#include "ats/webhook/parts.h"

/* --- reading ---------------------------------------------------------------------------------- */

/* A pattern has its only star at the end. */
static bool check_types(const struct webhook *webhook, struct error *err)
{
	for (size_t i = 0; i < webhook->type_count; i++) {
		ptrdiff_t star = str_find_byte(webhook->types[i], '*');

		if (star >= 0 && (size_t)star + 1 != webhook->types[i].len)
			return setting_refuse("event_types",
					      "names such as record:created, record:* or *", err);
	}
	return true;
}

static bool check_resources(const struct webhooks *webhooks, const struct webhook *webhook,
			    struct error *err)
{
	for (size_t i = 0; webhooks->options.model != NULL && i < webhook->resource_count; i++)
		if (model_find(webhooks->options.model, webhook->resources[i]) == NULL)
			return error_set_field(err, ERROR_INVALID, "resources",
					       "names of unified resources, such as candidates",
					       "there is no resource \"%.*s\"",
					       STR_ARGS(webhook->resources[i]));
	return true;
}

static bool is_url(const struct webhooks *webhooks, struct str url)
{
	bool is_https = str_starts_with(url, STR("https://"));
	bool is_http = str_starts_with(url, STR("http://"));
	struct str rest = str_slice(url, is_https ? 8 : 7, url.len);
	size_t end = 0;

	if (!is_https && !(is_http && webhooks->options.allows_http))
		return false;
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] >= 0x7f ||
		    strchr("#\\<>\"{}^`|", url.data[i]) != NULL)
			return false;
	while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
		end++;
	return end > 0 && rest.data[0] != ':' &&
	       str_find_byte(str_slice(rest, 0, end), '@') < 0;
}

static bool read_url(const struct webhooks *webhooks, struct json body, struct webhook *webhook,
		     struct error *err)
{
	bool has_alias = setting_is_given(json_get_c(body, "url"));
	struct json value = json_get_c(body, has_alias ? "url" : "target_url");

	if (setting_is_given(value)) {
		webhook->target_url = json_str(value);
		if (!json_is(value, JSON_STRING))
			webhook->target_url.len = 0;
	}
	if (webhook->target_url.len <= WEBHOOK_URL_BYTES_MAX &&
	    is_url(webhooks, webhook->target_url))
		return true;
	return error_set_field(err, ERROR_INVALID, "target_url",
			       webhooks->options.allows_http ? "https://HOST… or http://HOST…"
							     : "https://HOST…",
			       "target_url must be an absolute URL over https of at most 2048 bytes, "
			       "without a name, a password or a fragment in it%s",
			       webhooks->options.allows_http
				       ? ""
				       : "; http is for servers with --allow-address or --allow-http");
}

static bool read_payload(struct json body, struct webhook *webhook, struct error *err)
{
	static const char *const kinds[] = {"full", "thin"};
	int kind = webhook->is_thin;

	if (!setting_read_word(body, "payload", kinds, 2, "full or thin", &kind, err))
		return false;
	webhook->is_thin = kind == 1;
	return true;
}

static bool read_schedule(struct arena *arena, struct json body, struct webhook *webhook,
			  struct error *err)
{
	static const char allowed[] = "a list of 1 to 20 whole numbers of seconds, each from 1 to "
				      "604800; null: the standard one";
	struct json value = json_get_c(body, "retry_schedule");
	int64_t *delays;

	if (!setting_is_given(value))
		return true;
	webhook->delay_count = 0;
	if (json_is(value, JSON_NULL))
		return true;
	if (!json_is(value, JSON_ARRAY) || value.count < 1 || value.count > WEBHOOK_ATTEMPTS_MAX)
		return setting_refuse("retry_schedule", allowed, err);
	webhook->delays_s = delays = arena_array(arena, value.count, sizeof *delays);
	for (size_t i = 0; i < value.count; i++)
		if (!json_to_int64(json_at(value, i), &delays[i]) || delays[i] < 1 ||
		    delays[i] > WEBHOOK_DELAY_S_MAX)
			return setting_refuse("retry_schedule", allowed, err);
	webhook->delay_count = value.count;
	return true;
}

static bool read_description(struct json body, struct webhook *webhook, struct error *err)
{
	struct json value = json_get_c(body, "description");

	if (!setting_is_given(value))
		return true;
	webhook->description = json_is(value, JSON_NULL) ? (struct str){NULL, 0} : json_str(value);
	return json_is(value, JSON_NULL) ||
	       (json_is(value, JSON_STRING) && value.count <= WEBHOOK_DESCRIPTION_BYTES_MAX &&
		!http_has_control_byte(json_str(value))) ||
	       setting_refuse("description", "a text of at most 1024 bytes", err);
}

static bool read_active(struct json body, struct webhook *webhook, struct error *err)
{
	bool was_active = str_equal(webhook->state, STR("active")), is_active = was_active;

	if (!setting_read_flag(body, "is_active", &is_active, err))
		return false;
	if (is_active == was_active)
		return true;
	webhook->state = is_active ? STR("active") : STR("paused");
	webhook->reason = is_active ? (struct str){NULL, 0} : STR("by request");
	webhook->failing_ms = 0;
	return true;
}

bool webhook_read(const struct webhooks *webhooks, struct arena *arena, struct json body,
		  struct webhook *webhook, struct error *err)
{
	return read_url(webhooks, body, webhook, err) && read_description(body, webhook, err) &&
	       setting_read_list(arena, body, "event_types", &webhook->types, &webhook->type_count,
				 err) &&
	       setting_read_list(arena, body, "resources", &webhook->resources,
				 &webhook->resource_count, err) &&
	       setting_read_list(arena, body, "integrated_account_ids", &webhook->accounts,
				 &webhook->account_count, err) &&
	       setting_read_list(arena, body, "mask", &webhook->masks, &webhook->mask_count, err) &&
	       check_types(webhook, err) && check_resources(webhooks, webhook, err) &&
	       read_payload(body, webhook, err) && read_schedule(arena, body, webhook, err) &&
	       read_active(body, webhook, err);
}

/* What was stored has been checked; rules that came later do not shut it out. */
bool webhook_config_parse(struct arena *arena, struct str text, struct webhook *webhook,
			  struct error *err)
{
	static const struct webhooks anything = {.options.allows_http = true};
	struct json body;

	return json_parse(arena, text, &json_limits_default, &body, err) &&
	       webhook_read(&anything, arena, body, webhook, err);
}

/* --- showing ---------------------------------------------------------------------------------- */

static struct json show_schedule(struct arena *arena, const struct webhook *webhook)
{
	struct json_builder out;

	if (webhook->delay_count == 0)
		return json_null();
	json_builder_init(&out, arena);
	for (size_t i = 0; i < webhook->delay_count; i++)
		json_builder_add(&out, json_int(webhook->delays_s[i]));
	return json_builder_array(&out);
}

static void show_config(struct arena *arena, const struct webhook *webhook,
			struct json_builder *out)
{
	json_builder_set(out, STR("target_url"), json_string(webhook->target_url));
	json_builder_set(out, STR("description"), webhook->description.len > 0
							   ? json_string(webhook->description)
							   : json_null());
	json_builder_set(out, STR("event_types"),
			 setting_show_list(arena, webhook->types, webhook->type_count));
	json_builder_set(out, STR("resources"),
			 setting_show_list(arena, webhook->resources, webhook->resource_count));
	json_builder_set(out, STR("integrated_account_ids"),
			 setting_show_list(arena, webhook->accounts, webhook->account_count));
	json_builder_set(out, STR("payload"), json_string_c(webhook->is_thin ? "thin" : "full"));
	json_builder_set(out, STR("mask"),
			 setting_show_list(arena, webhook->masks, webhook->mask_count));
	json_builder_set(out, STR("retry_schedule"), show_schedule(arena, webhook));
}

struct str webhook_config_text(struct arena *arena, const struct webhook *webhook)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	show_config(arena, webhook, &out);
	return json_text(arena, json_builder_object(&out));
}

struct json webhook_show(struct arena *arena, const struct webhook *webhook)
{
	bool is_active = str_equal(webhook->state, STR("active"));
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("id"), json_string(webhook->id));
	show_config(arena, webhook, &out);
	json_builder_set(&out, STR("is_active"), json_bool(is_active));
	json_builder_set(&out, STR("status"), json_string(webhook->state));
	json_builder_set(&out, STR("status_reason"), webhook->reason.len > 0
							     ? json_string(webhook->reason)
							     : json_null());
	json_builder_set(&out, STR("last_event_number"), json_int(webhook->seen));
	json_builder_set(&out, STR("last_delivered_at"), json_time(arena, webhook->delivered_ms));
	json_builder_set(&out, STR("failing_since"), json_time(arena, webhook->failing_ms));
	json_builder_set(&out, STR("created_at"), json_time(arena, webhook->created_ms));
	json_builder_set(&out, STR("updated_at"), json_time(arena, webhook->updated_ms));
	return json_builder_object(&out);
}

/* --- as a filter ------------------------------------------------------------------------------ */

static struct str list_text(struct arena *arena, const struct str *list, size_t count)
{
	if (count == 0)
		return (struct str){NULL, 0};
	return json_text(arena, setting_show_list(arena, list, count));
}

void webhook_filter(struct arena *arena, const struct webhook *webhook, struct event_query *query)
{
	query->environment_id = webhook->environment_id;
	query->types = list_text(arena, webhook->types, webhook->type_count);
	query->resources = list_text(arena, webhook->resources, webhook->resource_count);
	query->accounts = list_text(arena, webhook->accounts, webhook->account_count);
}

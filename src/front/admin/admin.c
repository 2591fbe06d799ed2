#include "front/admin/admin.h"

#include "front/admin/routes.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000 };

const struct http_route admin_routes[] = {
	{HTTP_GET, "/environment", admin_list_environments},
	{HTTP_POST, "/environment", admin_create_environment},
	{HTTP_GET, "/environment/{id}", admin_show_environment},
	{HTTP_PATCH, "/environment/{id}", admin_change_environment},
	{HTTP_POST, "/api-token", admin_create_key},
	{HTTP_GET, "/api-token", admin_list_keys},
	{HTTP_DELETE, "/api-token/{id}", admin_revoke_key},
	{HTTP_POST, "/integrated-account", admin_create_account},
	{HTTP_GET, "/integrated-account", admin_list_accounts},
	{HTTP_GET, "/integrated-account/{id}", admin_show_account},
	{HTTP_DELETE, "/integrated-account/{id}", admin_remove_account},
	{HTTP_PATCH, "/integrated-account/{id}", admin_change_account},
	{HTTP_PATCH, "/integrated-account/{id}/credentials", admin_replace_credentials},
	{HTTP_POST, "/integrated-account/bulk-delete", admin_remove_accounts},
	{HTTP_POST, "/integrated-account/token", admin_make_account_token},
	{HTTP_GET, "/integrated-account/me", admin_show_own_account},
	{HTTP_PATCH, "/integrated-account/me", admin_change_own_account},
	{HTTP_POST, "/integrated-account/{id}/refresh-credentials", admin_refresh_credentials},
	{HTTP_GET, "/environment/oauth-apps", admin_list_oauth_apps},
	{HTTP_GET, "/environment/oauth-apps/{connector}", admin_show_oauth_app},
	{HTTP_PUT, "/environment/oauth-apps/{connector}", admin_put_oauth_app},
	{HTTP_DELETE, "/environment/oauth-apps/{connector}", admin_remove_oauth_app},
	{HTTP_GET, "/environment/overrides", admin_list_environment_overrides},
	{HTTP_GET, "/environment/overrides/{connector}", admin_list_connector_overrides},
	{HTTP_GET, "/environment/overrides/{connector}/{resource}",
	 admin_show_environment_overrides},
	{HTTP_PUT, "/environment/overrides/{connector}/{resource}",
	 admin_change_environment_overrides},
	{HTTP_PATCH, "/environment/overrides/{connector}/{resource}",
	 admin_change_environment_overrides},
	{HTTP_DELETE, "/environment/overrides/{connector}/{resource}",
	 admin_change_environment_overrides},
	{HTTP_GET, "/integrated-account/{id}/overrides", admin_list_account_overrides},
	{HTTP_POST, "/integrated-account/{id}/overrides/test", admin_test_overrides},
	{HTTP_GET, "/integrated-account/{id}/overrides/{resource}", admin_show_account_overrides},
	{HTTP_PUT, "/integrated-account/{id}/overrides/{resource}", admin_change_account_overrides},
	{HTTP_PATCH, "/integrated-account/{id}/overrides/{resource}",
	 admin_change_account_overrides},
	{HTTP_DELETE, "/integrated-account/{id}/overrides/{resource}",
	 admin_change_account_overrides},
	{HTTP_POST, "/integrated-account/{id}/mcp", admin_create_mcp_server},
	{HTTP_GET, "/integrated-account/{id}/mcp", admin_list_mcp_servers},
	{HTTP_GET, "/integrated-account/{id}/mcp/{mcp_id}", admin_show_mcp_server},
	{HTTP_PATCH, "/integrated-account/{id}/mcp/{mcp_id}", admin_change_mcp_server},
	{HTTP_DELETE, "/integrated-account/{id}/mcp/{mcp_id}", admin_remove_mcp_server},
	{HTTP_GET, "/integrated-account/{id}/webhook", admin_show_inbound},
	{HTTP_PUT, "/integrated-account/{id}/webhook", admin_put_inbound},
	{HTTP_DELETE, "/integrated-account/{id}/webhook", admin_remove_inbound},
	{HTTP_GET, "/integrated-account/{id}/webhook/deliveries", admin_list_inbound},
	{HTTP_GET, "/log", admin_list_calls},
	{HTTP_GET, "/events", admin_list_events},
	{HTTP_GET, "/export/{model}/{resource}", admin_export},
	{HTTP_POST, "/webhook", admin_create_webhook},
	{HTTP_GET, "/webhook", admin_list_webhooks},
	{HTTP_GET, "/webhook/{id}", admin_show_webhook},
	{HTTP_PATCH, "/webhook/{id}", admin_change_webhook},
	{HTTP_DELETE, "/webhook/{id}", admin_remove_webhook},
	{HTTP_POST, "/webhook/{id}/pause", admin_pause_webhook},
	{HTTP_POST, "/webhook/{id}/resume", admin_resume_webhook},
	{HTTP_POST, "/webhook/{id}/rotate-secret", admin_rotate_webhook},
	{HTTP_POST, "/webhook/{id}/test", admin_test_webhook},
	{HTTP_POST, "/webhook/{id}/replay", admin_replay_webhook},
	{HTTP_GET, "/webhook/{id}/deliveries", admin_list_deliveries},
	{HTTP_POST, "/erasure", admin_create_erasure},
	{HTTP_GET, "/erasure", admin_list_erasures},
	{HTTP_GET, "/erasure/{id}", admin_show_erasure},
	{HTTP_DELETE, "/erasure/{id}", admin_lift_erasure},
	{HTTP_GET, "/vault", admin_show_vault},
	{HTTP_POST, "/vault/rotate", admin_rotate_vault},
	{HTTP_POST, "/vault/revoke", admin_revoke_vault},
	{HTTP_POST, "/vault/rotate-master", admin_rotate_master},
	{HTTP_POST, "/backup", admin_back_up},
	{HTTP_GET, "/audit", admin_list_audit},
	{HTTP_GET, "/audit/verify", admin_verify_audit},
	{HTTP_POST, "/sync-job", admin_create_sync_job},
	{HTTP_GET, "/sync-job", admin_list_sync_jobs},
	{HTTP_GET, "/sync-job/{id}", admin_show_sync_job},
	{HTTP_PATCH, "/sync-job/{id}", admin_change_sync_job},
	{HTTP_DELETE, "/sync-job/{id}", admin_remove_sync_job},
	{HTTP_POST, "/sync-job/{id}/run", admin_run_sync_job},
	{HTTP_POST, "/sync-job/{id}/pause", admin_pause_sync_job},
	{HTTP_POST, "/sync-job/{id}/start", admin_start_sync_job},
	{HTTP_POST, "/sync-job/{id}/stop", admin_stop_sync_job},
	{HTTP_GET, "/sync-job-run", admin_list_sync_runs},
	{HTTP_GET, "/sync-job-run/{id}", admin_show_sync_run},
	{HTTP_POST, "/link-token", admin_create_link_token},
	{HTTP_GET, "/link-token", admin_list_link_tokens},
	{HTTP_DELETE, "/link-token/{id}", admin_revoke_link_token},
};
const size_t admin_route_count = sizeof admin_routes / sizeof admin_routes[0];

bool admin_check_environment(const struct caller *caller, struct error *err)
{
	if (caller->environment_id.len > 0)
		return true;
	return error_set_field(err, ERROR_INVALID, "environment", "the name of an environment",
			       "environment is missing");
}

bool admin_authorise(const struct door *door, struct http_exchange *exchange,
		     struct caller *caller, struct error *err)
{
	return door_authorise(door, exchange, KEY_SCOPE_ADMIN, caller, err) &&
	       admin_check_environment(caller, err);
}

bool admin_check_members(struct json body, const char *const *known, size_t count,
			 const char *allowed, struct error *err)
{
	for (size_t i = 0; i < body.count; i++) {
		struct str key = json_name(&body.members[i]);
		size_t k = 0;
		while (k < count && !str_equal_c(key, known[k]))
			k++;
		if (k == count)
			return error_set_field(err, ERROR_INVALID, "body", allowed,
					       "the body has a member \"%.*s\" which is not known here",
					       STR_ARGS(str_slice(key, 0, 64)));
	}
	return true;
}

bool admin_read_text(struct json body, const char *name, size_t max, struct str *out,
		     struct error *err)
{
	struct json value = json_get_c(body, name);

	*out = (struct str){NULL, 0};
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return true;
	if (!json_is(value, JSON_STRING) || value.count > max || http_has_control_byte(json_str(value))) {
		char allowed[64];
		snprintf(allowed, sizeof allowed, "a text of at most %zu bytes", max);
		return error_set_field(err, ERROR_INVALID, name, allowed, "%s must be %s", name,
				       allowed);
	}
	*out = json_str(value);
	return true;
}

bool admin_read_page(const struct http_exchange *exchange, struct str *after, int64_t *limit,
		     struct error *err)
{
	struct str text;

	*limit = LIST_DEFAULT;
	*after = (struct str){NULL, 0};
	if (http_exchange_query(exchange, "limit", &text) &&
	    (!str_to_int64(text, limit) || *limit < 1 || *limit > LIST_MAX))
		return error_set_field(err, ERROR_INVALID, "limit", "a whole number from 1 to 1000",
				       "limit must be a whole number from 1 to 1000");
	http_exchange_query(exchange, "next_cursor", after);
	return true;
}

void admin_reply_list(struct http_exchange *exchange, const struct json_builder *items,
		      struct str next_cursor)
{
	struct json_builder envelope;

	json_builder_init(&envelope, exchange->arena);
	json_builder_set(&envelope, STR("result"), json_builder_array(items));
	json_builder_set(&envelope, STR("next_cursor"),
			 next_cursor.len > 0 ? json_string(next_cursor) : json_null());
	json_builder_set(&envelope, STR("prev_cursor"), json_null());
	json_builder_set(&envelope, STR("result_count"), json_int((int64_t)items->count));
	door_reply(exchange, 200, json_builder_object(&envelope));
}

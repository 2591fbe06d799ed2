/* Private to this room: the handlers behind the routes, one file per thing. */
#ifndef FRONT_ADMIN_ROUTES_H
#define FRONT_ADMIN_ROUTES_H

#include "front/admin/admin.h"

typedef void admin_handler(void *context, struct http_exchange *exchange,
			   const struct http_match *match);

admin_handler admin_list_environments, admin_create_environment, admin_show_environment,
	admin_change_environment;
admin_handler admin_create_key, admin_list_keys, admin_revoke_key;
admin_handler admin_change_account, admin_replace_credentials, admin_remove_accounts,
	admin_make_account_token, admin_show_own_account, admin_change_own_account;
admin_handler admin_create_account, admin_list_accounts, admin_show_account, admin_remove_account;
admin_handler admin_list_environment_overrides, admin_list_connector_overrides,
	admin_show_environment_overrides, admin_change_environment_overrides;
admin_handler admin_list_account_overrides, admin_show_account_overrides,
	admin_change_account_overrides, admin_test_overrides;
admin_handler admin_list_calls, admin_list_events;
admin_handler admin_export, admin_back_up;
admin_handler admin_create_erasure, admin_list_erasures, admin_show_erasure, admin_lift_erasure;
admin_handler admin_show_vault, admin_rotate_vault, admin_revoke_vault, admin_rotate_master,
	admin_list_audit, admin_verify_audit;
admin_handler admin_put_oauth_app, admin_list_oauth_apps, admin_show_oauth_app,
	admin_remove_oauth_app, admin_refresh_credentials;
admin_handler admin_create_mcp_server, admin_list_mcp_servers, admin_show_mcp_server,
	admin_change_mcp_server, admin_remove_mcp_server;
admin_handler admin_create_sync_job, admin_list_sync_jobs, admin_show_sync_job,
	admin_change_sync_job, admin_remove_sync_job, admin_run_sync_job, admin_pause_sync_job,
	admin_start_sync_job, admin_stop_sync_job, admin_list_sync_runs, admin_show_sync_run;
admin_handler admin_create_webhook, admin_list_webhooks, admin_show_webhook, admin_change_webhook,
	admin_remove_webhook, admin_pause_webhook, admin_resume_webhook, admin_rotate_webhook,
	admin_test_webhook, admin_replay_webhook, admin_list_deliveries;
admin_handler admin_show_inbound, admin_put_inbound, admin_remove_inbound, admin_list_inbound;
admin_handler admin_create_link_token, admin_list_link_tokens, admin_revoke_link_token;

/* An authorised administrator of one environment; a local caller must have named it. */
bool admin_authorise(const struct door *door, struct http_exchange *exchange,
		     struct caller *caller, struct error *err) MUST_CHECK;
/* ERROR_INVALID when a local caller named none. */
bool admin_check_environment(const struct caller *caller, struct error *err) MUST_CHECK;
/* Refuses members of the body that are not in the list, by name. `allowed`: "name, scopes". */
bool admin_check_members(struct json body, const char *const *known, size_t count,
			 const char *allowed, struct error *err) MUST_CHECK;
/* A text member that may be missing (then empty) or null; over `max` bytes is refused. */
bool admin_read_text(struct json body, const char *name, size_t max, struct str *out,
		     struct error *err) MUST_CHECK;
/* The members `limit` (100 where it is not given) and `next_cursor` of the query. */
bool admin_read_page(const struct http_exchange *exchange, struct str *after, int64_t *limit,
		     struct error *err) MUST_CHECK;
/* An error that may be an override's. */
void admin_reply_fault(struct http_exchange *exchange, const struct error *err,
		       const struct override_fault *fault, const struct operation_result *remote);
/* An account as it is shown. */
struct json admin_show_of(const struct door *door, struct arena *arena,
			  const struct account *account);
/* Fills in the account's format of credentials. */
bool admin_find_format(const struct door *door, struct account *account,
		       struct error *err) MUST_CHECK;
/* With all that hangs on it. */
bool admin_remove(const struct door *door, const struct account *account,
		  struct error *err) MUST_CHECK;
/* {"result": [...], "next_cursor", "prev_cursor": null, "result_count"} */
void admin_reply_list(struct http_exchange *exchange, const struct json_builder *items,
		      struct str next_cursor);

#endif

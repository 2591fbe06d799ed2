#include "front/link/link.h"

#include "front/link/routes.h"

const struct http_route link_routes[] = {
	{HTTP_GET, "/link", link_show_page},
	{HTTP_GET, "/link/{path...}", link_show_file},
	{HTTP_GET, "/link/connectors/{connector}/{file}", link_show_picture},
	{HTTP_GET, "/link/sdk/{path...}", link_show_sdk},
	{HTTP_POST, "/link/session", link_begin_session},
	{HTTP_GET, "/link/session", link_show_session},
	{HTTP_POST, "/link/exit", link_end_session},
	{HTTP_POST, "/link/connect", link_connect},
	{HTTP_POST, "/link/oauth/start", link_start_oauth},
	{HTTP_GET, "/link/callback", link_end_oauth},
	{HTTP_GET, "/link/options", link_list_options},
	{HTTP_POST, "/link/form", link_save_form},
};
const size_t link_route_count = sizeof link_routes / sizeof link_routes[0];

bool link_find_session(const struct door *door, struct http_exchange *exchange,
		       struct link_session *session, const char **reason, struct error *err)
{
	return link_session_find(door->links, exchange->arena, door_bearer(exchange), session,
				 reason, err);
}

void link_reply_error(struct http_exchange *exchange, const struct error *err, const char *reason)
{
	if (reason == NULL)
		reason = err->code == ERROR_INVALID || err->code == ERROR_LIMIT ? "invalid_field"
			 : err->code == ERROR_RATE_LIMITED			? "rate_limited"
										: "failed";
	door_reply_error_with(exchange, err, NULL, "reason", json_string_c(reason));
}

bool link_read_text(struct json body, const char *name, size_t max, struct str *out,
		    struct error *err)
{
	struct json value = json_get_c(body, name);

	*out = (struct str){NULL, 0};
	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL))
		return true;
	if (json_is(value, JSON_STRING) && value.count <= max &&
	    !http_has_control_byte(json_str(value))) {
		*out = json_str(value);
		return true;
	}
	return error_set_field(err, ERROR_INVALID, name, "a text", "%s must be a text of at most %zu bytes",
			       name, max);
}

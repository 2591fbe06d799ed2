/* What a server may, as members of the API's bodies; so it is stored, too. */
#include "ats/mcp/servers.h"

enum { URL_BYTES_MAX = 2048, RATE_MAX = 1000000, RATE_SECONDS_MAX = 86400 };

static const char *const mode_names[] = {[MCP_MODE_ALL] = "all", [MCP_MODE_SEARCH] = "search"};
static const char *const confirm_names[] = {
	[MCP_CONFIRM_DESTRUCTIVE] = "destructive",
	[MCP_CONFIRM_WRITES] = "writes",
	[MCP_CONFIRM_NEVER] = "never",
};

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_part(struct json rate, const char *name, int64_t max, int64_t *out)
{
	struct json value = json_get_c(rate, name);

	return !setting_is_given(value) ||
	       (json_is_number(value) && json_to_int64(value, out) && *out >= 1 && *out <= max);
}

static bool read_rate(struct json body, struct mcp_server *server, struct error *err)
{
	static const char allowed[] = "{\"requests\": 1 to 1000000, \"per_seconds\": 1 to 86400}";
	struct json rate = json_get_c(body, "rate_limit");

	if (!setting_is_given(rate))
		return true;
	if (json_is(rate, JSON_NULL)) {
		server->rate_requests = MCP_RATE_REQUESTS_DEFAULT;
		server->rate_seconds = MCP_RATE_SECONDS_DEFAULT;
		return true;
	}
	return (json_is(rate, JSON_OBJECT) &&
		read_part(rate, "requests", RATE_MAX, &server->rate_requests) &&
		read_part(rate, "per_seconds", RATE_SECONDS_MAX, &server->rate_seconds)) ||
	       setting_refuse("rate_limit", allowed, err);
}

static bool read_text(struct json object, const char *name, struct str *out)
{
	struct json value = json_get_c(object, name);

	if (!setting_is_given(value))
		return true;
	*out = json_is(value, JSON_NULL) ? (struct str){NULL, 0} : json_str(value);
	return json_is(value, JSON_NULL) ||
	       (json_is(value, JSON_STRING) && out->len <= URL_BYTES_MAX &&
		!http_has_control_byte(*out));
}

static bool is_issuer(struct str url)
{
	return str_find_byte(url, '?') < 0 && str_find_byte(url, '#') < 0 &&
	       str_find_byte(url, ' ') < 0 &&
	       (str_starts_with(url, STR("https://")) || str_starts_with(url, STR("http://")));
}

static bool read_oauth(struct arena *arena, struct json body, struct mcp_server *server,
		       struct error *err)
{
	static const char allowed[] = "{\"issuer\": a URL, \"audience\": a text, \"subjects\": texts}";
	struct json oauth = json_get_c(body, "oauth");

	if (!setting_is_given(oauth))
		return true;
	server->issuer = server->audience = (struct str){NULL, 0};
	server->subject_count = 0;
	if (json_is(oauth, JSON_NULL))
		return true;
	if (!json_is(oauth, JSON_OBJECT) || !read_text(oauth, "issuer", &server->issuer) ||
	    !is_issuer(server->issuer) || !read_text(oauth, "audience", &server->audience))
		return setting_refuse("oauth", allowed, err);
	return setting_read_list(arena, oauth, "subjects", &server->subjects,
				 &server->subject_count, err);
}

bool mcp_config_read(struct arena *arena, struct json body, struct mcp_server *server,
		     struct error *err)
{
	int mode = (int)server->mode, confirm = (int)server->confirm;

	if (!setting_read_list(arena, body, "methods", &server->methods, &server->method_count,
			       err) ||
	    !setting_read_list(arena, body, "tags", &server->tags, &server->tag_count, err) ||
	    !setting_read_list(arena, body, "mask", &server->masks, &server->mask_count, err) ||
	    !setting_read_word(body, "mode", mode_names, 2, "all or search", &mode, err) ||
	    !setting_read_word(body, "confirm", confirm_names, 3, "destructive, writes or never",
			       &confirm, err) ||
	    !setting_read_flag(body, "structured", &server->is_structured, err) ||
	    !setting_read_flag(body, "token_in_path", &server->has_path_token, err) ||
	    !setting_read_flag(body, "require_api_key", &server->wants_api_key, err) ||
	    !setting_read_int(body, "output_bytes", MCP_OUTPUT_BYTES_MIN, MCP_OUTPUT_BYTES_MAX,
			      &server->output_bytes_max, err) ||
	    !read_rate(body, server, err) || !read_oauth(arena, body, server, err))
		return false;
	server->mode = (enum mcp_mode)mode;
	server->confirm = (enum mcp_confirm)confirm;
	return true;
}

/* --- showing ---------------------------------------------------------------------------------- */

static struct json show_rate(struct arena *arena, const struct mcp_server *server)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("requests"), json_int(server->rate_requests));
	json_builder_set(&out, STR("per_seconds"), json_int(server->rate_seconds));
	return json_builder_object(&out);
}

static struct json show_oauth(struct arena *arena, const struct mcp_server *server)
{
	struct json_builder out;

	if (server->issuer.len == 0)
		return json_null();
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("issuer"), json_string(server->issuer));
	json_builder_set(&out, STR("audience"),
			 server->audience.len > 0 ? json_string(server->audience) : json_null());
	json_builder_set(&out, STR("subjects"),
			 setting_show_list(arena, server->subjects, server->subject_count));
	return json_builder_object(&out);
}

struct json mcp_config_show(struct arena *arena, const struct mcp_server *server)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	json_builder_set(&out, STR("methods"),
			 setting_show_list(arena, server->methods, server->method_count));
	json_builder_set(&out, STR("tags"),
			 setting_show_list(arena, server->tags, server->tag_count));
	json_builder_set(&out, STR("mode"), json_string_c(mode_names[server->mode]));
	json_builder_set(&out, STR("confirm"), json_string_c(confirm_names[server->confirm]));
	json_builder_set(&out, STR("structured"), json_bool(server->is_structured));
	json_builder_set(&out, STR("token_in_path"), json_bool(server->has_path_token));
	json_builder_set(&out, STR("require_api_key"), json_bool(server->wants_api_key));
	json_builder_set(&out, STR("output_bytes"), json_int(server->output_bytes_max));
	json_builder_set(&out, STR("mask"),
			 setting_show_list(arena, server->masks, server->mask_count));
	json_builder_set(&out, STR("rate_limit"), show_rate(arena, server));
	json_builder_set(&out, STR("oauth"), show_oauth(arena, server));
	return json_builder_object(&out);
}

void mcp_server_init(struct mcp_server *server)
{
	*server = (struct mcp_server){
		.output_bytes_max = MCP_OUTPUT_BYTES_DEFAULT,
		.rate_requests = MCP_RATE_REQUESTS_DEFAULT,
		.rate_seconds = MCP_RATE_SECONDS_DEFAULT,
	};
}

struct tool_filter mcp_filter(const struct mcp_server *server)
{
	return (struct tool_filter){server->methods, server->method_count, server->tags,
				    server->tag_count};
}

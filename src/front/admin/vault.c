/* Keys at rest and the audit log. An environment's administrator has its own data key; the master
 * key and the audit log, which are of all environments, are the operator's of the machine. */
#include "ats/link/link.h"
#include "ats/mcp/mcp.h"
#include "ats/webhook/webhook.h"
#include "front/admin/routes.h"

enum { LINES_DEFAULT = 100, LINES_MAX = 10000 };

static bool check_local(const struct http_exchange *exchange, struct error *err)
{
	if (!exchange->is_local)
		return error_set(err, ERROR_FORBIDDEN,
				 "this is done over the server's own socket only, by its operator");
	(void)store_enter_all();
	return true;
}

/* A whole number in the query. */
static bool read_number(const struct http_exchange *exchange, const char *name, int64_t min,
			int64_t max, int64_t *out, struct error *err)
{
	for (size_t i = 0; i < exchange->query_count; i++) {
		struct str value = exchange->query[i].value;
		int64_t number = 0;
		size_t at = 0;
		if (!str_equal_c(exchange->query[i].name, name))
			continue;
		while (at < value.len && at < 18 && value.data[at] >= '0' && value.data[at] <= '9')
			number = number * 10 + (value.data[at++] - '0');
		if (at == 0 || at < value.len || number < min || number > max)
			return error_set_field(err, ERROR_INVALID, name, "a whole number in its range",
					       "%s must be a whole number of %lld to %lld", name,
					       (long long)min, (long long)max);
		*out = number;
	}
	return true;
}

/* --- data keys ------------------------------------------------------------------------------ */

static struct json show_status(struct arena *arena, struct str environment_id,
			       const struct vault_status *status)
{
	struct json_builder item, keys;

	json_builder_init(&keys, arena);
	for (size_t i = 0; i < status->count; i++) {
		struct json_builder key;
		json_builder_init(&key, arena);
		json_builder_set(&key, STR("id"), json_string(status->keys[i].id));
		json_builder_set(&key, STR("is_current"), json_bool(status->keys[i].is_current));
		json_builder_set(&key, STR("created_at"),
				 json_time(arena, status->keys[i].created_ms));
		json_builder_set(&key, STR("text_count"), json_int((int64_t)status->keys[i].texts));
		json_builder_add(&keys, json_builder_object(&key));
	}
	json_builder_init(&item, arena);
	json_builder_set(&item, STR("environment_id"), json_string(environment_id));
	json_builder_set(&item, STR("data_keys"), json_builder_array(&keys));
	json_builder_set(&item, STR("first_format_count"), json_int((int64_t)status->first_format));
	json_builder_set(&item, STR("master_key_id"), json_string(status->master_id));
	json_builder_set(&item, STR("older_master_count"),
			 json_int((int64_t)status->other_masters));
	return json_builder_object(&item);
}

static bool show(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct vault_status status;
	struct caller caller;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !vault_read_status(door->services->vault, exchange->arena, caller.environment_id,
			       &status, err))
		return false;
	door_reply(exchange, 200, show_status(exchange->arena, caller.environment_id, &status));
	return true;
}

static bool rotate(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct json_builder item;
	struct caller caller;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !vault_rotate(door->services->vault, caller.environment_id, &count, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("environment_id"), json_string(caller.environment_id));
	json_builder_set(&item, STR("text_count"), json_int((int64_t)count));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

static bool revoke(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct json_builder item;
	struct caller caller;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !links_revoke(door->links, caller.environment_id, err) ||
	    !mcp_servers_revoke(door->mcp_servers, caller.environment_id, err) ||
	    !webhooks_revoke(door->webhooks, caller.environment_id, err) ||
	    !accounts_revoke(door->services->accounts, caller.environment_id, &count, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("environment_id"), json_string(caller.environment_id));
	json_builder_set(&item, STR("account_count"), json_int((int64_t)count));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

/* Each node has a key file of its own. */
static bool check_alone(const struct door *door, struct error *err)
{
	int64_t nodes;

	return node_count(door->node, &nodes, err) &&
	       (nodes <= 1 ||
		error_set(err, ERROR_CONFLICT,
			  "%lld nodes have the database: end the others, and give each the new "
			  "master key before it is started again",
			  (long long)nodes));
}

static bool rotate_master(const struct door *door, struct http_exchange *exchange,
			  struct error *err)
{
	struct vault_master_rotation done;
	struct json_builder item;

	if (!check_local(exchange, err) || !check_alone(door, err) ||
	    !vault_rotate_master(door->services->vault, &done, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("master_key_id"),
			 json_string(arena_str(exchange->arena, str_from_c(done.id))));
	json_builder_set(&item, STR("is_resumed"), json_bool(done.is_resumed));
	json_builder_set(&item, STR("data_key_count"), json_int((int64_t)done.keys));
	json_builder_set(&item, STR("text_count"), json_int((int64_t)done.texts));
	json_builder_set(&item, STR("is_file_written"), json_bool(done.is_file_ours));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

/* --- the audit log -------------------------------------------------------------------------- */

/* A line is NUMBER TIME USE ENVIRONMENT SUBJECT FIELD VERSION CODE. */
static struct json show_line(struct arena *arena, struct str line)
{
	static const char *const names[] = {"use", "environment_id", "subject", "field"};
	struct json_builder item;
	struct str number = str_cut(&line, ' '), time = str_cut(&line, ' ');

	json_builder_init(&item, arena);
	json_builder_set(&item, STR("number"), json_int(strtoll(arena_c(arena, number), NULL, 10)));
	json_builder_set(&item, STR("created_at"),
			 json_time(arena, strtoll(arena_c(arena, time), NULL, 10)));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct str part = str_cut(&line, ' ');
		json_builder_set(&item, str_from_c(names[i]),
				 str_equal_c(part, "-") ? json_null() : json_string(part));
	}
	struct str version = str_cut(&line, ' ');
	json_builder_set(&item, STR("version"),
			 json_int(strtoll(arena_c(arena, version), NULL, 10)));
	json_builder_set(&item, STR("code"), json_string(line));
	return json_builder_object(&item);
}

static bool list_lines(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	int64_t after = 0, limit = LINES_DEFAULT;
	struct json_builder items;
	struct str *lines;
	size_t count;

	if (!check_local(exchange, err) ||
	    !read_number(exchange, "after", 0, INT64_MAX, &after, err) ||
	    !read_number(exchange, "limit", 1, LINES_MAX, &limit, err) ||
	    !vault_audit_list(door->services->vault, exchange->arena, after, (size_t)limit, &lines,
			      &count, err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, show_line(exchange->arena, lines[i]));
	admin_reply_list(exchange, &items, (struct str){NULL, 0});
	return true;
}

static bool verify(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct vault_audit_report report;
	struct json_builder item;
	int64_t from = 1;

	if (!check_local(exchange, err) ||
	    !read_number(exchange, "from", 1, INT64_MAX, &from, err) ||
	    !vault_audit_verify(door->services->vault, from, &report, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("is_whole"), json_bool(report.is_whole));
	json_builder_set(&item, STR("first"), json_int(report.first));
	json_builder_set(&item, STR("last"), json_int(report.last));
	json_builder_set(&item, STR("head"), json_int(report.head));
	json_builder_set(&item, STR("at"), report.is_whole ? json_null() : json_int(report.at));
	struct str problem = arena_str(exchange->arena, str_from_c(report.problem));
	json_builder_set(&item, STR("problem"),
			 report.is_whole ? json_null() : json_string(problem));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

/* --- handlers ------------------------------------------------------------------------------- */

#define HANDLER(name, does)                                                                   \
	void name(void *context, struct http_exchange *exchange, const struct http_match *match) \
	{                                                                                        \
		struct error err;                                                                \
		(void)match;                                                                     \
		if (!does(context, exchange, &err))                                              \
			door_reply_error(exchange, &err, NULL);                                  \
	}

HANDLER(admin_show_vault, show)
HANDLER(admin_rotate_vault, rotate)
HANDLER(admin_revoke_vault, revoke)
HANDLER(admin_rotate_master, rotate_master)
HANDLER(admin_list_audit, list_lines)
HANDLER(admin_verify_audit, verify)

/* What administrative commands put into their requests, and print of the answers. */
#include <unistd.h>

#include "app/cli/commands.h"

enum { OBJECT_BYTES_MAX = 65536, TARGET_BYTES_MAX = 16384 };

struct str admin_json(struct cli *cli, struct json value)
{
	struct buffer text;

	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	json_print(&text, value);
	return buffer_str(&text);
}

struct str admin_target(struct cli *cli, const char *path, const char *id, const char *rest)
{
	struct buffer target;

	buffer_init(&target, &cli->arena, TARGET_BYTES_MAX);
	buffer_append_c(&target, path);
	if (id != NULL)
		url_encode(&target, str_from_c(id));
	if (rest != NULL)
		buffer_append_c(&target, rest);
	if (cli_value(cli, "environment") != NULL)
		target_add(&target, "environment", str_from_c(cli_value(cli, "environment")));
	return buffer_str(&target);
}

struct str admin_filter(struct cli *cli, struct str target, const char *option, const char *name)
{
	struct buffer more;

	if (cli_value(cli, option) == NULL)
		return target;
	buffer_init(&more, &cli->arena, TARGET_BYTES_MAX);
	buffer_append(&more, target);
	target_add(&more, name, str_from_c(cli_value(cli, option)));
	return buffer_str(&more);
}

/* --- bodies --------------------------------------------------------------------------------- */

void admin_put_text(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member)
{
	if (cli_value(cli, option) != NULL)
		json_builder_set(body, str_from_c(member), json_string_c(cli_value(cli, option)));
}

void admin_put_list(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, option, given, CLI_VALUES_MAX);
	struct json_builder list;

	json_builder_init(&list, &cli->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&list, json_string_c(given[i]));
	if (count > 0)
		json_builder_set(body, str_from_c(member), json_builder_array(&list));
}

bool admin_put_flag(struct cli *cli, struct json_builder *body, const char *option,
		    const char *member, struct error *err)
{
	const char *value = cli_value(cli, option);

	if (value == NULL)
		return true;
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return error_set_field(err, ERROR_INVALID, option, "true or false",
				       "--%s wants true or false", option);
	json_builder_set(body, str_from_c(member), json_bool(value[0] == 't'));
	return true;
}

bool admin_put_int(struct cli *cli, struct json_builder *body, const char *option,
		   const char *member, int64_t min, int64_t max, struct error *err)
{
	int64_t number;

	if (cli_value(cli, option) == NULL)
		return true;
	if (!cli_number(cli, option, min, max, 0, &number, err))
		return false;
	json_builder_set(body, str_from_c(member), json_int(number));
	return true;
}

void admin_put_cleared(struct cli *cli, struct json_builder *body)
{
	const char *clear[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "clear", clear, CLI_VALUES_MAX);

	for (size_t i = 0; i < count; i++)
		json_builder_set(body, str_from_c(clear[i]), json_null());
}

bool admin_put_context(struct cli *cli, struct json_builder *body, struct error *err)
{
	const char *set[CLI_VALUES_MAX], *unset[CLI_VALUES_MAX];
	size_t set_count = cli_values(cli, "set", set, CLI_VALUES_MAX);
	size_t unset_count = cli_values(cli, "unset", unset, CLI_VALUES_MAX);
	struct json_builder context;
	struct str name, value;

	json_builder_init(&context, &cli->arena);
	for (size_t i = 0; i < unset_count; i++)
		json_builder_set(&context, str_from_c(unset[i]), json_null());
	for (size_t i = 0; i < set_count; i++) {
		if (!cli_pair("set", set[i], &name, &value, err))
			return false;
		json_builder_set(&context, name, json_string(value));
	}
	if (set_count + unset_count > 0)
		json_builder_set(body, STR("context"), json_builder_object(&context));
	return true;
}

bool admin_put_limits(struct cli *cli, struct json_builder *body, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "limit", given, CLI_VALUES_MAX);
	struct json_builder limits;
	struct str name, value;
	int64_t number;

	json_builder_init(&limits, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("limit", given[i], &name, &value, err))
			return false;
		if (!str_to_int64(value, &number))
			return error_set(err, ERROR_INVALID, "--limit %.*s wants a whole number",
					 STR_ARGS(name));
		json_builder_set(&limits, name, json_int(number));
	}
	if (count > 0)
		json_builder_set(body, STR("limits"), json_builder_object(&limits));
	return true;
}

bool admin_read_object(struct cli *cli, const char *wanted, struct json *out, struct error *err)
{
	char *text = arena_alloc(&cli->arena, OBJECT_BYTES_MAX);
	size_t len = 0;
	ssize_t got;

	while (len < OBJECT_BYTES_MAX &&
	       (got = read(STDIN_FILENO, text + len, OBJECT_BYTES_MAX - len)) > 0)
		len += (size_t)got;
	if (len == OBJECT_BYTES_MAX)
		return error_set(err, ERROR_LIMIT, "standard input is larger than %d bytes",
				 OBJECT_BYTES_MAX - 1);
	if (json_parse(&cli->arena, str_make(text, len), &json_limits_default, out, err) &&
	    json_is(*out, JSON_OBJECT))
		return true;
	/* The parser's own words could quote a secret. */
	return error_set(err, ERROR_INVALID, "standard input must have %s", wanted);
}

/* --- asking --------------------------------------------------------------------------------- */

bool admin_lacks_environment(const struct cli *cli)
{
	return cli_value(cli, "environment") == NULL && cli_value(cli, "server") == NULL;
}

int admin_do(struct cli *cli, enum http_method method, struct str target, struct str body,
	     struct str done)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, method, target, body, &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, reply) : done);
	return 0;
}

int admin_show(struct cli *cli, enum http_method method, struct str target, struct str body)
{
	struct json reply;
	struct error err;

	if (!admin_call(cli, method, target, body, &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, reply)
					: cli_indent(cli, admin_json(cli, reply)));
	return 0;
}

int admin_list(struct cli *cli, struct str target,
	       struct str (*line)(struct cli *cli, struct json item), const char *onward)
{
	struct json reply, items, next;
	struct error err;

	if (!admin_call(cli, HTTP_GET, target, (struct str){NULL, 0}, &reply, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json")) {
		cli_print(admin_json(cli, reply));
		return 0;
	}
	items = json_get_c(reply, "result");
	for (size_t i = 0; i < items.count; i++)
		cli_print(line(cli, json_at(items, i)));
	next = json_get_c(reply, "next_cursor");
	if (json_is(next, JSON_STRING))
		cli_print(arena_format(&cli->arena, "(there are more: %s %.*s)", onward,
				       STR_ARGS(json_str(next))));
	return 0;
}

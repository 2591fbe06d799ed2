#include "app/cli/commands.h"

#include <sodium.h>

enum { LOGO_BYTES_MAX = 49152, THEME_BYTES_MAX = 16384 };

static const struct cli_option options[] = {
	{"name", "NAME", false, "change: what it is called from now on"},
	{"origin", "ORIGIN", true, "change: which pages may have the link dialog; \"\" for any"},
	{"theme", "FILE", false, "change: how the link page looks, a JSON object; \"\" for none"},
	{"logo", "FILE", false, "change: a picture of at most 48 KiB; \"\" for none"},
	{"keep", "KIND=DAYS", true, "change: events, deliveries, tombstones or log; \"\" for no limit"},
	CLI_OPTIONS_ADMIN,
};

static int create(struct cli *cli)
{
	struct json_builder body;
	struct json reply;
	struct error err;

	if (cli->word_count != 2)
		return cli_fail_usage(cli, "create wants a name");
	json_builder_init(&body, &cli->arena);
	json_builder_set(&body, STR("name"), json_string_c(cli->words[1]));
	if (!admin_call(cli, HTTP_POST, STR("/environment"),
			admin_json(cli, json_builder_object(&body)), &reply, &err))
		return cli_fail(&err);
	cli_print(cli_flag(cli, "json") ? admin_json(cli, reply) : json_get_str(reply, "id"));
	return 0;
}

static struct str environment_line(struct cli *cli, struct json environment)
{
	return arena_format(&cli->arena, "%.*s  %.*s  %.*s",
			    STR_ARGS(json_get_str(environment, "id")),
			    STR_ARGS(json_get_str(environment, "created_at")),
			    STR_ARGS(json_get_str(environment, "name")));
}

/* --- one -------------------------------------------------------------------------------------- */

/* The address of the one with this name or id. Over the network none but its id will do, since a
 * key may not list them. */
static bool find(struct cli *cli, struct str *target, struct error *err)
{
	struct str wanted = str_from_c(cli->words[1]);
	struct json reply, items;
	const char *id = cli_value(cli, "server") == NULL ? NULL : cli->words[1];

	if (id == NULL && !admin_call(cli, HTTP_GET, STR("/environment"), (struct str){NULL, 0},
				      &reply, err))
		return false;
	items = id == NULL ? json_get_c(reply, "result") : json_null();
	for (size_t i = 0; id == NULL && i < items.count; i++) {
		struct str found = json_get_str(json_at(items, i), "id");

		if (str_equal(wanted, json_get_str(json_at(items, i), "name")) ||
		    str_equal(wanted, found))
			id = arena_format(&cli->arena, "%.*s", STR_ARGS(found)).data;
	}
	if (id == NULL)
		return error_set(err, ERROR_NOT_FOUND, "there is no environment %s",
				 cli->words[1]);
	*target = admin_target(cli, "/environment/", id, NULL);
	return true;
}

static bool read_file(struct cli *cli, const char *option, size_t bytes_max, struct str *out,
		      struct error *err)
{
	return disk_read(disk_system(), &cli->arena, cli_value(cli, option), bytes_max, out, err);
}

static bool put_theme(struct cli *cli, struct json_builder *link, struct error *err)
{
	struct json theme = json_null();
	struct str text;

	if (cli_value(cli, "theme") == NULL)
		return true;
	if (cli_value(cli, "theme")[0] != '\0' &&
	    (!read_file(cli, "theme", THEME_BYTES_MAX, &text, err) ||
	     !json_parse(&cli->arena, text, &json_limits_default, &theme, err)))
		return false;
	json_builder_set(link, STR("theme"), theme);
	return true;
}

/* The kind of picture, which the name of its file ends with; NULL for others. */
static const char *picture_type(struct str file)
{
	static const char *const types[][2] = {
		{".svg", "svg+xml"}, {".png", "png"}, {".jpg", "jpeg"},
		{".jpeg", "jpeg"},   {".gif", "gif"}, {".webp", "webp"},
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (str_ends_with(file, str_from_c(types[i][0])))
			return types[i][1];
	return NULL;
}

/* The picture in the text itself, as the link page wants it. */
static bool put_logo(struct cli *cli, struct json_builder *link, struct error *err)
{
	const char *file = cli_value(cli, "logo");
	struct str bytes;

	if (file == NULL)
		return true;
	if (file[0] == '\0') {
		json_builder_set(link, STR("logo"), json_null());
		return true;
	}
	const char *type = picture_type(str_from_c(file));
	if (type == NULL)
		return error_set(err, ERROR_INVALID,
				 "--logo wants a file .svg, .png, .jpg, .jpeg, .gif or .webp");
	if (!read_file(cli, "logo", LOGO_BYTES_MAX, &bytes, err))
		return false;
	size_t room = sodium_base64_encoded_len(bytes.len, sodium_base64_VARIANT_ORIGINAL);
	char *text = arena_alloc(&cli->arena, room);
	sodium_bin2base64(text, room, (const unsigned char *)bytes.data, bytes.len,
			  sodium_base64_VARIANT_ORIGINAL);
	json_builder_set(link, STR("logo"),
			 json_string(arena_format(&cli->arena, "data:image/%s;base64,%s", type,
						  text)));
	return true;
}

/* One empty origin stands for none, with which any page may have the dialog. */
static void put_origins(struct cli *cli, struct json_builder *link)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "origin", given, CLI_VALUES_MAX);

	if (count == 1 && given[0][0] == '\0')
		json_builder_set(link, STR("allowed_origins"), json_null());
	else
		admin_put_list(cli, link, "origin", "allowed_origins");
}

/* "events=90" is {"events_days": 90}. */
static bool put_retention(struct cli *cli, struct json_builder *body, struct error *err)
{
	const char *given[CLI_VALUES_MAX];
	size_t count = cli_values(cli, "keep", given, CLI_VALUES_MAX);
	struct json_builder retention;
	struct str name, value;
	int64_t days;

	json_builder_init(&retention, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		if (!cli_pair("keep", given[i], &name, &value, err))
			return false;
		if (value.len > 0 && !str_to_int64(value, &days))
			return error_set(err, ERROR_INVALID, "--keep %.*s wants a number of days",
					 STR_ARGS(name));
		json_builder_set(&retention,
				 arena_format(&cli->arena, "%.*s_days", STR_ARGS(name)),
				 value.len > 0 ? json_int(days) : json_null());
	}
	if (count > 0)
		json_builder_set(body, STR("retention"), json_builder_object(&retention));
	return true;
}

static int change(struct cli *cli)
{
	struct json_builder body, link;
	struct json changes;
	struct str target;
	struct error err;

	json_builder_init(&body, &cli->arena);
	json_builder_init(&link, &cli->arena);
	admin_put_text(cli, &body, "name", "name");
	put_origins(cli, &link);
	if (!put_theme(cli, &link, &err) || !put_logo(cli, &link, &err) ||
	    !put_retention(cli, &body, &err))
		return cli_fail(&err);
	changes = json_builder_object(&link);
	if (changes.count > 0)
		json_builder_set(&body, STR("link"), changes);
	changes = json_builder_object(&body);
	if (changes.count == 0)
		return cli_fail_usage(cli, "one of --name, --origin, --theme, --logo, --keep is wanted");
	if (!find(cli, &target, &err))
		return cli_fail(&err);
	return admin_do(cli, HTTP_PATCH, target, admin_json(cli, changes), STR("changed"));
}

static int show(struct cli *cli)
{
	struct str target;
	struct error err;

	if (!find(cli, &target, &err))
		return cli_fail(&err);
	return admin_show(cli, HTTP_GET, target, (struct str){NULL, 0});
}

static int run(struct cli *cli)
{
	const char *what = cli->word_count == 0 ? "" : cli->words[0];

	if (strcmp(what, "create") == 0)
		return create(cli);
	if (strcmp(what, "list") == 0 && cli->word_count == 1)
		return admin_list(cli, STR("/environment"), environment_line, "");
	if (strcmp(what, "show") == 0 && cli->word_count == 2)
		return show(cli);
	if (strcmp(what, "change") == 0 && cli->word_count == 2)
		return change(cli);
	return cli_fail_usage(cli, "say create NAME, list, show NAME or change NAME");
}

const struct cli_command cmd_environment = {
	.name = "environment",
	.arguments = "create NAME|list|show NAME|change NAME",
	.summary = "make, list and change environments",
	.details = "show and change take the name or the id; with --server the id, as a key tells it.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

/* `tenon migrate`: the tables of this version of the program, apart from its start. */
#include "app/cli/commands.h"

#include "ats/copy/copy.h"
#include "ats/schema/schema.h"

static const struct cli_option options[] = {
	{"check", NULL, false, "say what is missing, and change nothing"},
	CLI_OPTION_DATA,
	CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
	CLI_OPTION_JSON,
};

static void tell_applied(void *context, const char *migration)
{
	struct cli *cli = context;

	if (!cli_flag(cli, "json"))
		cli_print(arena_format(&cli->arena, "applied %s", migration));
}

static bool read_options(struct cli *cli, struct store_options *store, struct error *err)
{
	const char *data = cli_value(cli, "data");

	*store = (struct store_options){.folder = data == NULL ? "tenon-data" : data,
					.functions = schema_functions(),
					.tell_applied = tell_applied,
					.tell_context = cli};
	store->migrations = schema_migrations(&store->migration_count);
	return database_option_read(cli, "database", "TENON_DATABASE", &store->database, err);
}

/* The views are made of the model. */
static bool read_views(struct cli *cli, struct store_options *store, struct error *err)
{
	const struct disk *disk = disk_system();
	struct store_view *views;
	struct buffer faults;
	const char *share;

	buffer_init(&faults, &cli->arena, 1024 * 1024);
	if (!server_find_share(&cli->arena, disk, cli_value(cli, "share"), &share, err))
		return false;
	const struct model *model =
		model_load(&cli->arena, disk,
			   arena_format(&cli->arena, "%s/models/ats", share).data, &faults);
	if (model == NULL)
		return error_set(err, ERROR_INVALID, "the definitions have faults:\n%.*s",
				 STR_ARGS(str_trim(buffer_str(&faults))));
	if (!copy_views(&cli->arena, model, store->database != NULL, &views, &store->view_count,
			err))
		return false;
	store->views = views;
	return true;
}

/* The names of the migrations from `first` on, as JSON. */
static void print_json(struct cli *cli, const struct store_options *store, const char *what,
		       size_t first)
{
	struct json_builder out, names;

	json_builder_init(&names, &cli->arena);
	for (size_t i = first; i < store->migration_count; i++)
		json_builder_add(&names, json_string_c(store->migrations[i].name));
	json_builder_init(&out, &cli->arena);
	json_builder_set(&out, STR("migration_count"), json_int((int64_t)store->migration_count));
	json_builder_set(&out, str_from_c(what), json_builder_array(&names));
	cli_print(json_text(&cli->arena, json_builder_object(&out)));
}

static void print_state(struct cli *cli, const struct store_options *store)
{
	cli_print(arena_format(&cli->arena, "the database is up to date: it has %zu migrations",
			       store->migration_count));
}

/* May nodes that know the first `applied` migrations go on when the one at `index` is there? */
static bool is_lived_with(const struct store_options *store, size_t index, size_t applied)
{
	size_t least = store->migrations[index].runs_with;

	return store->database == NULL || applied == 0 || (least > 0 && least <= applied);
}

static int check(struct cli *cli, const struct store_options *store, size_t applied)
{
	bool is_current = applied == store->migration_count;

	if (cli_flag(cli, "json"))
		print_json(cli, store, "missing", applied);
	else if (is_current)
		print_state(cli, store);
	for (size_t i = applied; i < store->migration_count && !cli_flag(cli, "json"); i++)
		cli_print(arena_format(&cli->arena, "missing %s%s", store->migrations[i].name,
				       is_lived_with(store, i, applied)
					       ? ""
					       : ", for which all nodes must be stopped"));
	return is_current ? 0 : error_exit_code(ERROR_NOT_FOUND);
}

static int run(struct cli *cli)
{
	struct store_options store;
	size_t applied;
	struct error err;

	if (cli->word_count != 0)
		return cli_fail_usage(cli, "there are only options");
	if (!read_options(cli, &store, &err) || !store_look(&store, &applied, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "check"))
		return check(cli, &store, applied);
	if (!read_views(cli, &store, &err) || !store_migrate(&store, &err))
		return cli_fail(&err);
	if (cli_flag(cli, "json"))
		print_json(cli, &store, "applied", applied);
	else
		print_state(cli, &store);
	return 0;
}

const struct cli_command cmd_migrate = {
	.name = "migrate",
	.arguments = "",
	.summary = "bring the tables up to date, as a start of the server does",
	.details = "Each step is a transaction: killed at any time, it goes on when it is run again.\n"
		   "--check ends with 0 when nothing is missing, 5 when something is, and 7 when the\n"
		   "database was made by a newer tenon.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

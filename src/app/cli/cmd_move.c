/* `tenon move`: what a data folder keeps in SQLite, into PostgreSQL. */
#include <unistd.h>

#include "app/cli/commands.h"
#include "ats/node/node.h"
#include "ats/schema/schema.h"

enum { BATCH_MAX = 1000000 };

static const struct cli_option options[] = {
	{"from", "DIR", false, "the data folder, which no server uses"},
	{"to", "URL", false, "an empty PostgreSQL database: postgresql://HOST/NAME"},
	{"batch", "ROWS", false, "how many rows one transaction has at most (default: 10000)"},
	CLI_OPTION_JSON,
};

struct moving {
	struct cli *cli;
	bool is_terminal;
};

/* On a terminal each batch, elsewhere a line for each table that is the same on both sides. */
static void tell(void *context, const struct store_moved_table *table)
{
	struct moving *moving = context;
	bool is_compared = table->sum[0] != '\0';

	if (!is_compared && !moving->is_terminal)
		return;
	fprintf(stderr, "%s%s: %lld rows%s", moving->is_terminal ? "\r\033[K" : "", table->name,
		(long long)table->rows, is_compared ? ", compared\n" : "");
}

static bool read_options(struct cli *cli, struct store_options *store,
			 struct store_move_options *move, struct error *err)
{
	*store = (struct store_options){.folder = cli_value(cli, "from"),
					.functions = schema_functions()};
	store->migrations = schema_migrations(&store->migration_count);
	move->store = store;
	move->derived = schema_derived(&move->derived_count);
	move->finish = schema_move_finish();
	return database_option_read(cli, "to", "TENON_TO", &store->database, err) &&
	       cli_number(cli, "batch", 1, BATCH_MAX, 0, &move->batch_rows, err);
}

/* By which the folder's audit log is known in PostgreSQL. Where there is no folder that is told
 * later. */
static bool name_folder(struct cli *cli, struct store_move_options *move, struct error *err)
{
	struct str name;

	if (access(move->store->folder, F_OK) != 0)
		return true;
	if (!node_folder(&cli->arena, move->store->folder, random_system(), &name, err))
		return false;
	move->finish_text = arena_c(&cli->arena, name);
	return true;
}

static void print_json(struct cli *cli, const struct store_moved_table *tables, size_t count,
		       int64_t rows)
{
	struct json_builder out, list;

	json_builder_init(&list, &cli->arena);
	for (size_t i = 0; i < count; i++) {
		struct json_builder table;
		json_builder_init(&table, &cli->arena);
		json_builder_set(&table, STR("name"), json_string_c(tables[i].name));
		json_builder_set(&table, STR("row_count"), json_int(tables[i].rows));
		json_builder_set(&table, STR("sha256"), json_string_c(tables[i].sum));
		json_builder_add(&list, json_builder_object(&table));
	}
	json_builder_init(&out, &cli->arena);
	json_builder_set(&out, STR("row_count"), json_int(rows));
	json_builder_set(&out, STR("tables"), json_builder_array(&list));
	cli_print(json_text(&cli->arena, json_builder_object(&out)));
}

static int run(struct cli *cli)
{
	struct moving moving = {cli, isatty(STDERR_FILENO)};
	struct store_move_options move = {.tell = tell, .tell_context = &moving};
	struct store_options store;
	struct store_moved_table *tables;
	size_t count;
	int64_t rows = 0;
	struct error err;

	if (cli->word_count != 0)
		return cli_fail_usage(cli, "there are only options");
	if (!read_options(cli, &store, &move, &err))
		return cli_fail(&err);
	if (store.folder == NULL || store.database == NULL)
		return cli_fail_usage(cli, "--from DIR and --to URL are wanted");
	if (!name_folder(cli, &move, &err) ||
	    !store_move(&move, &cli->arena, &tables, &count, &err))
		return cli_fail(&err);
	for (size_t i = 0; i < count; i++)
		rows += tables[i].rows;
	if (cli_flag(cli, "json"))
		print_json(cli, tables, count, rows);
	else
		cli_print(arena_format(&cli->arena,
				       "moved %lld rows of %zu tables; all are the same on both sides",
				       (long long)rows, count));
	return 0;
}

const struct cli_command cmd_move = {
	.name = "move",
	.arguments = "",
	.summary = "move a data folder's SQLite database into PostgreSQL",
	.details = "No server may run on the folder. Broken off at any time, it goes on when it is run "
		   "again;\nno server uses the database before all of it is there. The folder's keys and "
		   "audit log\nstay where they are: start with `--data DIR --database URL` afterwards.",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

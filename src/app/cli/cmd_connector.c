#include "app/cli/commands.h"

#include <stdlib.h>

#include "ats/tool/tool.h"

static const struct cli_option options[] = {CLI_OPTION_SHARE};

/* NULL: the faults were told, and *code is what to end with. */
static const struct toolset *load(struct cli *cli, const char *folder, int *code)
{
	const struct disk *disk = disk_system();
	const struct connector *connector = NULL;
	const struct toolset *toolset = NULL;
	struct buffer faults;
	struct error err;
	const char *share;

	if (!server_find_share(&cli->arena, disk, cli_value(cli, "share"), &share, &err)) {
		*code = cli_fail(&err);
		return NULL;
	}
	buffer_init(&faults, &cli->arena, 16 * 1024 * 1024);
	const char *models = arena_format(&cli->arena, "%s/models/ats", share).data;
	const struct model *model = model_load(&cli->arena, disk, models, &faults);
	if (model != NULL)
		connector = connector_load(&cli->arena, disk, folder, model, &faults);
	if (connector != NULL)
		toolset = toolset_create(&cli->arena, model, connector, &faults);
	if (toolset == NULL)
		fprintf(stderr, "%.*s\n", STR_ARGS(str_trim(buffer_str(&faults))));
	*code = error_exit_code(ERROR_INVALID);
	return toolset;
}

static int check(struct cli *cli, const char *folder)
{
	int code;
	const struct toolset *toolset = load(cli, folder, &code);

	if (toolset == NULL)
		return code;
	const struct connector *connector = toolset->connector;
	cli_print(arena_format(
		&cli->arena,
		"%.*s: no faults (%zu native methods, %zu unified resources, %zu tools)",
		STR_ARGS(connector->name), connector->method_count, connector->resource_count,
		toolset->count));
	return 0;
}

/* As tools/list has them. */
static int print_tools(struct cli *cli, const char *folder)
{
	struct buffer text;
	int code;
	const struct toolset *toolset = load(cli, folder, &code);

	if (toolset == NULL)
		return code;
	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	for (size_t i = 0; i < toolset->count; i++) {
		buffer_append_c(&text, i == 0 ? "[" : ",\n");
		buffer_append(&text, toolset->tools[i].text);
	}
	buffer_append_c(&text, toolset->count == 0 ? "[]" : "]");
	cli_print(buffer_str(&text));
	return 0;
}

static int compare_tags(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* Every tag once, in order. */
static size_t list_tags(struct arena *arena, const struct toolset *toolset, struct str **out)
{
	size_t count = 0, kept = 0;
	struct str *tags;

	for (size_t i = 0; i < toolset->count; i++)
		count += toolset->tools[i].tag_count;
	tags = arena_array(arena, count + 1, sizeof *tags);
	count = 0;
	for (size_t i = 0; i < toolset->count; i++)
		for (size_t k = 0; k < toolset->tools[i].tag_count; k++)
			tags[count++] = toolset->tools[i].tags[k];
	qsort(tags, count, sizeof *tags, compare_tags);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !str_equal(tags[kept - 1], tags[i]))
			tags[kept++] = tags[i];
	*out = tags;
	return kept;
}

/* {"jobs": ["list_all_ats_jobs", …], …}: the names of the tools of each tag. */
static int print_tags(struct cli *cli, const char *folder)
{
	struct json_builder out, names;
	struct buffer text;
	struct str *tags;
	int code;
	const struct toolset *toolset = load(cli, folder, &code);

	if (toolset == NULL)
		return code;
	json_builder_init(&out, &cli->arena);
	for (size_t i = 0, count = list_tags(&cli->arena, toolset, &tags); i < count; i++) {
		const struct tool_filter filter = {.tags = &tags[i], .tag_count = 1};

		json_builder_init(&names, &cli->arena);
		for (size_t k = 0; k < toolset->count; k++)
			if (tool_passes(&toolset->tools[k], &filter))
				json_builder_add(&names, json_string(toolset->tools[k].name));
		json_builder_set(&out, tags[i], json_builder_array(&names));
	}
	buffer_init(&text, &cli->arena, SIZE_MAX / 4);
	json_print(&text, json_builder_object(&out));
	cli_print(buffer_str(&text));
	return 0;
}

static int run(struct cli *cli)
{
	if (cli->word_count == 2 && strcmp(cli->words[0], "check") == 0)
		return check(cli, cli->words[1]);
	if (cli->word_count == 2 && strcmp(cli->words[0], "tools") == 0)
		return print_tools(cli, cli->words[1]);
	if (cli->word_count == 2 && strcmp(cli->words[0], "tags") == 0)
		return print_tags(cli, cli->words[1]);
	return cli_fail_usage(cli, "say check DIR, tools DIR or tags DIR");
}

const struct cli_command cmd_connector = {
	.name = "connector",
	.arguments = "check DIR | tools DIR | tags DIR",
	.summary = "check the definition of a connector",
	.details = "check tells every fault with file, line and what is allowed; tools prints the tools\n"
		   "for AI agents that the connector makes, as JSON; tags the names of those of each tag.",
	.options = options,
	.option_count = 1,
	.run = run,
};

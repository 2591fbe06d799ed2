/* The local copy of a resource into a file: some thousand records at a time, each request going on
 * after the last record that came. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli/commands.h"

enum { AT_ONCE = 1000, PLACE_BYTES = 4096, TARGET_BYTES_MAX = 16384 };

static const struct cli_option options[] = {
	CLI_OPTION_ENVIRONMENT,
	{"resource", "NAME", false, "a resource of the unified model, such as candidates"},
	{"account", "ID", false, "of this account only (default: of all of the environment)"},
	{"format", "NAME", false, "csv or ndjson (default: ndjson)"},
	{"fields", "A,B", false, "only these fields"},
	{"since", "TIME", false, "only what changed in the copy since, as 2030-01-31T00:00:00Z"},
	{"include-deleted", NULL, false, "deleted ones too, marked by is_deleted"},
	{"output", "FILE", false, "where to (default: -, standard output)"},
	CLI_OPTION_DATA,
	CLI_OPTION_SERVER,
	CLI_OPTION_MASTER_KEY, CLI_OPTION_DATABASE,
	CLI_OPTION_SHARE,
};

struct exporting {
	struct cli *cli;
	bool is_csv;
	int fd;
	char after[PLACE_BYTES]; /* ACCOUNT/ID of the last record; empty at first */
	int64_t done;
	int64_t total;
};

static struct str target_of(struct exporting *exporting, struct cli *cli, const char *format)
{
	static const char *const filters[][2] = {{"account", "integrated_account_id"},
						 {"fields", "fields"},
						 {"since", "since"}};
	const char *resource = cli_value(cli, "resource");
	struct buffer more;
	struct str target = admin_target(cli, "/export/ats/", resource, NULL);

	for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
		target = admin_filter(cli, target, filters[i][0], filters[i][1]);
	buffer_init(&more, &cli->arena, TARGET_BYTES_MAX);
	buffer_append(&more, target);
	target_add(&more, "format", str_from_c(format));
	if (cli_flag(cli, "include-deleted"))
		target_add(&more, "include_deleted", STR("true"));
	if (exporting->after[0] != '\0')
		target_add(&more, "after", str_from_c(exporting->after));
	target_add(&more, "limit", arena_format(&cli->arena, "%d", AT_ONCE));
	return buffer_str(&more);
}

/* --- finding the last record ------------------------------------------------------------------ */

static bool note_place(struct exporting *exporting, struct str account_id, struct str id,
		       struct error *err)
{
	int len = snprintf(exporting->after, sizeof exporting->after, "%.*s/%.*s",
			   STR_ARGS(account_id), STR_ARGS(id));

	return len < (int)sizeof exporting->after ||
	       error_set(err, ERROR_LIMIT, "a record's id is too long");
}

/* The first cell of a row, without quotes and the apostrophe of what looks like a formula. */
static struct str take_cell(struct arena *arena, struct str *row)
{
	struct buffer out;
	size_t i = 0;
	bool is_quoted = row->len > 0 && row->data[0] == '"';

	buffer_init(&out, arena, PLACE_BYTES);
	for (i = is_quoted; i < row->len; i++) {
		char byte = row->data[i];
		bool is_double = is_quoted && byte == '"' && i + 1 < row->len &&
				 row->data[i + 1] == '"';
		if (is_double)
			i++;
		else if (byte == (is_quoted ? '"' : ','))
			break;
		buffer_append_byte(&out, byte);
	}
	*row = str_slice(*row, i + 1 + is_quoted, row->len);
	struct str cell = buffer_str(&out);
	return cell.len > 1 && cell.data[0] == '\'' && strchr("=+-@", cell.data[1]) != NULL
		       ? str_slice(cell, 1, cell.len)
		       : cell;
}

/* Rows end at line ends that are not within quotes. */
static size_t count_rows(struct str text, struct str *last)
{
	size_t count = 0, start = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			is_quoted = !is_quoted;
		if (text.data[i] != '\n' || is_quoted)
			continue;
		*last = str_slice(text, start, i);
		start = i + 1;
		count++;
	}
	return count;
}

static size_t count_lines(struct str text, struct str *last)
{
	size_t count = 0;

	while (text.len > 0) {
		*last = str_cut(&text, '\n');
		count++;
	}
	return count;
}

/* How many records there are, and which is the last. */
static bool look(struct exporting *exporting, struct arena *arena, struct str text, size_t *count,
		 struct error *err)
{
	bool has_head = exporting->is_csv && exporting->after[0] == '\0';
	struct str last = {NULL, 0}, account_id;
	struct json record;

	*count = exporting->is_csv ? count_rows(text, &last) : count_lines(text, &last);
	*count -= has_head && *count > 0;
	if (*count == 0)
		return true;
	if (exporting->is_csv) {
		account_id = take_cell(arena, &last);
		return note_place(exporting, account_id, take_cell(arena, &last), err);
	}
	return json_parse(arena, last, &json_limits_default, &record, err) &&
	       note_place(exporting, json_get_str(record, "integrated_account_id"),
			  json_get_str(record, "id"), err);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool write_all(int fd, struct str text, struct error *err)
{
	while (text.len > 0) {
		ssize_t done = write(fd, text.data, text.len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set(err, ERROR_UNAVAILABLE, "cannot write: %s",
					 strerror(errno));
		text = str_slice(text, (size_t)done, text.len);
	}
	return true;
}

static void show_progress(const struct exporting *exporting, bool is_end)
{
	bool is_terminal = isatty(STDERR_FILENO);

	if (!is_terminal && !is_end)
		return;
	fprintf(stderr, "%s%lld", is_terminal ? "\r" : "", (long long)exporting->done);
	if (exporting->total >= exporting->done)
		fprintf(stderr, " of about %lld", (long long)exporting->total);
	fprintf(stderr, " records%s", is_end ? "\n" : "");
}

/* A reply that is an error, in our own words. */
static bool fail_by_reply(struct cli *cli, struct str text, struct error *err)
{
	struct json reply;

	if (json_parse(&cli->arena, text, &json_limits_default, &reply, err))
		error_set(err, ERROR_INVALID, "%.*s", STR_ARGS(json_get_str(reply, "message")));
	return false;
}

/* In an arena of its own, so that the size of it all does not matter. */
static bool take_some(struct exporting *exporting, bool *is_end, struct error *err)
{
	struct cli page = *exporting->cli;
	struct str text;
	size_t count = 0;
	int status;

	arena_init(&page.arena, SIZE_MAX / 4);
	struct str target = target_of(exporting, &page, exporting->is_csv ? "csv" : "ndjson");
	bool ok = admin_call_raw(&page, HTTP_GET, target, (struct str){NULL, 0}, &status, &text,
				 err);
	if (ok && status != 200)
		ok = fail_by_reply(&page, text, err);
	ok = ok && write_all(exporting->fd, text, err) &&
	     look(exporting, &page.arena, text, &count, err);
	exporting->done += (int64_t)count;
	*is_end = count < AT_ONCE;
	arena_finish(&page.arena);
	return ok;
}

static bool find_total(struct exporting *exporting, struct error *err)
{
	struct cli *cli = exporting->cli;
	struct json reply;

	if (!admin_call(cli, HTTP_GET, target_of(exporting, cli, "count"), (struct str){NULL, 0},
			&reply, err))
		return false;
	if (!json_to_int64(json_get_c(reply, "record_count"), &exporting->total) ||
	    cli_value(cli, "since") != NULL)
		exporting->total = -1;
	return true;
}

static bool export(struct exporting *exporting, const char *output, struct error *err)
{
	bool is_end = false, ok = true;

	if (!find_total(exporting, err))
		return false;
	exporting->fd = STDOUT_FILENO;
	if (output != NULL && strcmp(output, "-") != 0)
		exporting->fd = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (exporting->fd < 0)
		return error_set_field(err, errno == EEXIST ? ERROR_CONFLICT : ERROR_UNAVAILABLE,
				       "output", "a file that is not there yet",
				       "cannot make %s: %s", output, strerror(errno));
	while (ok && !is_end) {
		ok = take_some(exporting, &is_end, err);
		if (ok)
			show_progress(exporting, is_end);
	}
	if (exporting->fd != STDOUT_FILENO && close(exporting->fd) != 0 && ok)
		return error_set(err, ERROR_UNAVAILABLE, "cannot write: %s", strerror(errno));
	return ok;
}

static int run(struct cli *cli)
{
	struct exporting exporting = {.cli = cli};
	const char *format = cli_value(cli, "format");
	struct error err;

	if (cli->word_count != 0)
		return cli_fail_usage(cli, "there are only options");
	if (cli_value(cli, "resource") == NULL)
		return cli_fail_usage(cli, "--resource NAME is missing");
	if (admin_lacks_environment(cli))
		return cli_fail_usage(cli, "--environment NAME is missing");
	exporting.is_csv = format != NULL && strcmp(format, "csv") == 0;
	if (format != NULL && !exporting.is_csv && strcmp(format, "ndjson") != 0)
		return cli_fail_usage(cli, "--format is csv or ndjson");
	return export(&exporting, cli_value(cli, "output"), &err) ? 0 : cli_fail(&err);
}

const struct cli_command cmd_export = {
	.name = "export",
	.arguments = "",
	.summary = "write the local copy of a resource into a file",
	.details = "Of what was synced; nothing is asked of an ATS. Columns of CSV are those of the SQL\n"
		   "views (docs/analysis.md).",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run,
};

/* The file that a record is. Addresses of files are short-lived: the record is asked for each
 * time, and the file fetched from where it says at that moment. The credential goes along only to
 * where all calls of the account go; any other host is asked as a stranger would, and must be a
 * public one. */
#include <assert.h>

#include "ats/operation/run.h"

enum { REDIRECTS_MAX = 3, NAME_BYTES_MAX = 512 };

/* --- the link -------------------------------------------------------------------------------- */

/* The text at a dotted path of the record's fields. */
static bool find_field(const struct run *run, const struct json *mapped, struct str path,
		       struct str *text)
{
	const struct model_resource *model = run->resource->model;
	struct str rest = path;
	struct str name = str_cut(&rest, '.');

	for (size_t i = 0; i < model->field_count; i++) {
		if (!str_equal(model->fields[i].name, name))
			continue;
		struct json value = rest.len == 0 ? mapped[i] : json_get_path(mapped[i], rest);

		return native_text(run->arena, value, text) && text->len > 0;
	}
	return false;
}

static void append_parameter(struct buffer *out, char separator, struct str name, struct str value)
{
	buffer_append_byte(out, separator);
	url_encode(out, name);
	buffer_append_byte(out, '=');
	url_encode(out, value);
}

struct json download_link(const struct run *run, struct str id, const struct json *mapped)
{
	const struct unified_download *download = &run->resource->download;
	struct buffer link;
	struct str value;

	if (download->address == NULL || id.len == 0)
		return json_undefined();
	buffer_init(&link, run->arena, SIZE_MAX);
	buffer_append(&link, run->services->public_url);
	buffer_append_format(&link, "/unified/%.*s/%.*s/", STR_ARGS(run->services->model->name),
			     STR_ARGS(run->resource->model->name));
	url_encode(&link, id);
	buffer_append_c(&link, "/download");
	append_parameter(&link, '?', STR("integrated_account_id"), run->account->id);
	for (size_t i = 0; i < download->filter_count; i++)
		if (find_field(run, mapped, download->filters[i].path, &value))
			append_parameter(&link, '&', download->filters[i].filter, value);
	return json_string(buffer_str(&link));
}

/* --- its name -------------------------------------------------------------------------------- */

static bool is_plain_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%')
			return false;
	}
	return true;
}

/* Never shown in place: what it is was for others to decide. */
static struct str name_file(struct arena *arena, struct str name)
{
	struct buffer out;

	buffer_init(&out, arena, 4 * NAME_BYTES_MAX);
	if (name.len == 0 || name.len > NAME_BYTES_MAX)
		return STR("attachment");
	if (is_plain_name(name)) {
		buffer_append_format(&out, "attachment; filename=\"%.*s\"", STR_ARGS(name));
		return buffer_str(&out);
	}
	buffer_append_c(&out, "attachment; filename*=UTF-8''");
	url_encode(&out, name);
	return buffer_str(&out);
}

static struct str text_of(struct json record, const char *name)
{
	struct str text = json_get_str(record, name);

	return http_has_control_byte(text) ? (struct str){NULL, 0} : text;
}

/* --- fetching -------------------------------------------------------------------------------- */

/* "/path" is one on the host of `from`; anything else must be whole. */
static bool follow(struct run *run, struct str from, struct str location, struct str *address,
		   struct error *err)
{
	ptrdiff_t scheme = str_find(from, STR("://"));
	size_t end = (size_t)scheme + 3;

	*address = location;
	if (!str_starts_with(location, STR("/")))
		return str_find(location, STR("://")) > 0 ||
		       error_set(err, ERROR_UPSTREAM,
				 "the file's address leads to one that is no URL");
	if (scheme < 0 || str_starts_with(location, STR("//")))
		return error_set(err, ERROR_UPSTREAM,
				 "the file's address leads to one that is no URL");
	while (end < from.len && from.data[end] != '/' && from.data[end] != '?')
		end++;
	*address = arena_format(run->arena, "%.*s%.*s", STR_ARGS(str_slice(from, 0, end)),
				STR_ARGS(location));
	return true;
}

/* One address after the other; behind a redirect even the ATS itself gets no credential. */
static bool fetch(struct run *run, struct str address, struct error *err)
{
	static const struct native_method method = {.verb = HTTP_GET};
	struct native_call call = {
		.method = &method, .answer = ANSWER_BYTES, .sink = run->operation->sink};
	struct native_reply reply;
	bool is_own;

	if (!native_is_own(run, address, &is_own, err))
		return false;
	call.is_elsewhere = !is_own;
	for (int i = 0; i <= REDIRECTS_MAX; i++) {
		call.link = address;
		if (native_send(run, &call, &reply, err))
			return true;
		if (reply.location.len == 0)
			return false;
		if (!follow(run, address, reply.location, &address, err))
			return false;
		call.is_elsewhere = true;
	}
	return error_set(err, ERROR_UPSTREAM, "the file's address leads on and on");
}

/* What was an address a moment ago may be none any more. */
static bool is_refused(const struct run *run, const struct error *err)
{
	int status = err->remote_status;

	return !run->operation->sink->has_begun &&
	       (status == 400 || status == 401 || status == 403 || status == 404 || status == 410);
}

/* Of the record nothing was amiss: the words for faults of calls would mislead. */
static bool explain(const struct run *run, struct error *err)
{
	int status = err->remote_status;

	if (status == 404 || status == 410)
		error_set_field(err, ERROR_NOT_FOUND, "id", NULL,
				"%.*s has the record, but its file is not there (%d)",
				STR_ARGS(run->connector->label), status);
	else
		error_set(err, ERROR_UPSTREAM,
			  "the address which %.*s gives for the file does not give it (%d)",
			  STR_ARGS(run->connector->label), status);
	err->remote_status = status;
	return false;
}

static bool find_address(struct run *run, struct str *address, struct error *err)
{
	struct json native = json_get_c(run->result->item, "remote_data");
	struct json value;

	if (run_evaluate(run, run->resource->download.address, native, &value) &&
	    json_is(value, JSON_STRING) && value.count > 0) {
		*address = json_str(value);
		return true;
	}
	return error_set_field(err, ERROR_NOT_FOUND, "id", NULL, "%.*s has no file for this record",
			       STR_ARGS(run->connector->label));
}

bool download_run(struct run *run, struct error *err)
{
	const struct unified_download *download = &run->resource->download;
	struct operation_file file = {0};
	struct str address = {NULL, 0};

	assert(run->operation->sink != NULL);
	if (!run->resource->model->has_files)
		return error_set_field(err, ERROR_NOT_FOUND, "method", "get",
				       "%.*s have no files", STR_ARGS(run->resource->model->name));
	if (download->address == NULL)
		return error_set_field(err, ERROR_NOT_SUPPORTED, "method", "get",
				       "%.*s has no files for %.*s",
				       STR_ARGS(run->connector->label),
				       STR_ARGS(run->resource->model->name));
	run->gives_remote = true;
	for (int tries = 0;; tries++) {
		run->file = NULL;
		run->page_calls = PAGE_CALLS_MAX;
		if (!get_run(run, err) || !find_address(run, &address, err))
			return false;
		file.content_type = text_of(run->result->item, "content_type");
		file.disposition =
			name_file(run->arena, text_of(run->result->item, "file_name"));
		run->file = &file;
		if (fetch(run, address, err))
			return true;
		if (!is_refused(run, err))
			return false;
		if (tries > 0)
			return explain(run, err);
	}
}

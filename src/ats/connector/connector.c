/* Looking things up in compiled connectors, and what their expressions may call. */
#include "ats/connector/connector.h"

#include <assert.h>
#include <stdio.h>

#include "ats/connector/html.h"

const struct str connector_variables[] = {
	[CONNECTOR_VARIABLE_RECORD] = STR_INIT("record"),
	[CONNECTOR_VARIABLE_CONTEXT] = STR_INIT("context"),
	[CONNECTOR_VARIABLE_QUERY] = STR_INIT("query"),
	[CONNECTOR_VARIABLE_BODY] = STR_INIT("body"),
	[CONNECTOR_VARIABLE_ID] = STR_INIT("id"),
	[CONNECTOR_VARIABLE_RESULT] = STR_INIT("result"),
	[CONNECTOR_VARIABLE_SENT] = STR_INIT("sent"),
	[CONNECTOR_VARIABLE_SINCE] = STR_INIT("since"),
	[CONNECTOR_VARIABLE_STEPS] = STR_INIT("steps"),
};

/* $reference(type, id) */
static bool native_reference(void *context, struct arena *arena, const struct json *arguments,
			     struct json *out, struct jsonata_error *error)
{
	(void)arena;
	(void)error;
	*out = json_undefined();
	if (context != NULL && json_is(arguments[0], JSON_STRING))
		*out = reference_index_find(context, json_str(arguments[0]), arguments[1]);
	return true;
}

/* A text of which only an ampersand looks like HTML is one for people, line breaks and all. */
static bool is_html(struct str text)
{
	static const char *const names[] = {
		"p",	  "br", "div", "span",	"ul",	"ol",	"li",  "a",   "b",   "i",
		"u",	  "em", "h1",  "h2",	"h3",	"h4",	"h5",  "table", "tr", "td",
		"strong", "hr", "img", "html",	"body", "font", "pre", "script", "style", "blockquote"};
	char space[HTML_NAME_MAX];

	for (size_t at = 0; at < text.len; at++) {
		if (text.data[at] != '<')
			continue;
		struct str name = html_read_name(str_slice(text, at, text.len), space);
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (str_equal_c(name, names[i]))
				return true;
	}
	return false;
}

struct str connector_plain_text(struct arena *arena, struct str text)
{
	return is_html(text) ? html_to_text(arena, text) : text;
}

/* $plain_text(html) */
static bool native_plain_text(void *context, struct arena *arena, const struct json *arguments,
			      struct json *out, struct jsonata_error *error)
{
	(void)context;
	(void)error;
	*out = json_undefined();
	if (json_is(arguments[0], JSON_STRING))
		*out = json_string(html_to_text(arena, json_str(arguments[0])));
	return true;
}

/* $clean_html(html) */
static bool native_clean_html(void *context, struct arena *arena, const struct json *arguments,
			      struct json *out, struct jsonata_error *error)
{
	(void)context;
	(void)error;
	*out = json_undefined();
	if (json_is(arguments[0], JSON_STRING))
		*out = json_string(html_clean(arena, json_str(arguments[0])));
	return true;
}

const struct jsonata_native connector_natives[] = {
	{"reference", 2, native_reference},
	{"plain_text", 1, native_plain_text},
	{"clean_html", 1, native_clean_html},
};
const size_t connector_native_count = sizeof connector_natives / sizeof *connector_natives;

const struct native_method *connector_find_method(const struct connector *connector,
						  struct str resource, struct str name)
{
	for (size_t i = 0; i < connector->method_count; i++)
		if (str_equal(connector->methods[i].resource, resource) &&
		    str_equal(connector->methods[i].name, name))
			return &connector->methods[i];
	return NULL;
}

const struct unified_resource *connector_find_resource(const struct connector *connector,
						       struct str resource)
{
	for (size_t i = 0; i < connector->resource_count; i++)
		if (str_equal(connector->resources[i].model->name, resource))
			return &connector->resources[i];
	return NULL;
}

const struct unified_write *connector_find_write(const struct unified_resource *resource,
						 struct str name)
{
	for (size_t i = 0; i < resource->write_count; i++)
		if (str_equal(resource->writes[i].model->name, name))
			return &resource->writes[i];
	return NULL;
}

bool connectors_load(struct arena *arena, const struct disk *disk, const char *folder,
		     const struct model *model, struct connectors *out, struct buffer *faults)
{
	const struct connector **items;
	struct str *names;
	struct error err;
	bool ok = true;

	assert(model != NULL && faults != NULL);
	*out = (struct connectors){0};
	if (!disk_list(disk, arena, folder, &names, &out->count, &err)) {
		buffer_append_format(faults, "%s:1: %s\n", folder, err.message);
		return false;
	}
	items = arena_zero(arena, (out->count + 1) * sizeof *items);
	for (size_t i = 0; i < out->count; i++) {
		struct str path = arena_format(arena, "%s/%.*s", folder, STR_ARGS(names[i]));

		items[i] = connector_load(arena, disk, arena_c(arena, path), model, faults);
		ok = ok && items[i] != NULL;
	}
	out->items = items;
	return ok;
}

const struct connector *connectors_find(const struct connectors *connectors, struct str name,
					struct error *err)
{
	char allowed[sizeof err->allowed] = "";
	size_t len = 0;

	for (size_t i = 0; i < connectors->count; i++)
		if (str_equal(connectors->items[i]->name, name))
			return connectors->items[i];
	for (size_t i = 0; i < connectors->count && len < sizeof allowed; i++)
		len += (size_t)snprintf(allowed + len, sizeof allowed - len, "%s%.*s",
					i > 0 ? ", " : "", STR_ARGS(connectors->items[i]->name));
	error_set_field(err, ERROR_NOT_FOUND, "connector", allowed,
			"there is no connector \"%.*s\"", STR_ARGS(name));
	return NULL;
}

const struct connector_format *connector_find_format(const struct connector *connector,
						     struct str name, struct error *err)
{
	char allowed[sizeof err->allowed] = "";
	size_t len = 0;

	assert(connector->format_count > 0);
	if (name.len == 0)
		return &connector->formats[0];
	for (size_t i = 0; i < connector->format_count; i++)
		if (str_equal(connector->formats[i].name, name))
			return &connector->formats[i];
	for (size_t i = 0; i < connector->format_count && len < sizeof allowed; i++)
		len += (size_t)snprintf(allowed + len, sizeof allowed - len, "%s%.*s",
					i > 0 ? ", " : "", STR_ARGS(connector->formats[i].name));
	error_set_field(err, ERROR_INVALID, "authentication_method", allowed,
			"%.*s takes no credential of the format \"%.*s\"",
			STR_ARGS(connector->label), STR_ARGS(str_slice(name, 0, 64)));
	return NULL;
}

/* --- what is asked of definitions ------------------------------------------------------------- */

bool connector_has_context(const struct connector *connector, struct str name)
{
	for (size_t i = 0; i < connector->context_count; i++)
		if (str_equal(connector->context[i].name, name))
			return true;
	return false;
}

bool native_is_paging(const struct native_method *method, struct str name)
{
	const struct connector_page *page = &method->page;

	return method->is_list && page->style != PAGE_NONE &&
	       (str_equal(name, page->limit_name) || str_equal(name, page->position_name));
}

bool unified_has_partial_list(const struct unified_resource *resource)
{
	for (size_t i = 0; i < resource->list.count; i++)
		if (resource->list.alternatives[i].is_partial)
			return true;
	return false;
}

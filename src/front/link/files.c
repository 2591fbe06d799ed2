/* Files which browsers get: the page with what belongs to it, pictures of connectors, the SDK. They
 * are read once; an address finds one by its whole name, so that none leads anywhere else. */
#include <stdio.h>

#include "front/link/routes.h"

enum { FILE_BYTES_MAX = 2 * 1024 * 1024, FILES_MAX = 1000, DEPTH_MAX = 3 };

struct link_file {
	struct str path; /* "page/index.html", "sdk/index.js", "kiln/logo.svg" */
	struct str bytes;
	struct str type;
	struct str etag;
};

struct link_files {
	struct arena *arena;
	const struct disk *disk;
	struct link_file *items;
	size_t count;
};

static const struct {
	const char *ending;
	const char *type;
} types[] = {
	{".html", "text/html; charset=utf-8"},
	{".css", "text/css; charset=utf-8"},
	{".js", "text/javascript; charset=utf-8"},
	{".mjs", "text/javascript; charset=utf-8"},
	{".json", "application/json"},
	{".svg", "image/svg+xml"},
	{".png", "image/png"},
	{".webp", "image/webp"},
	{".woff2", "font/woff2"},
	{".ts", "text/plain; charset=utf-8"},
};

static const char *find_type(struct str name)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (str_ends_with(name, str_from_c(types[i].ending)))
			return types[i].type;
	return NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

static struct str make_etag(struct arena *arena, struct str bytes)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a: nobody gains by a collision */

	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.data[i]) * 0x100000001b3;
	return arena_format(arena, "\"%016llx-%zx\"", (unsigned long long)hash, bytes.len);
}

static bool add(struct link_files *files, const char *on_disk, struct str path, struct error *err)
{
	const char *type = find_type(path);
	struct link_file *file = &files->items[files->count];

	if (type == NULL)
		return error_set(err, ERROR_INVALID, "%s is of no type that browsers get", on_disk);
	if (files->count == FILES_MAX)
		return error_set(err, ERROR_LIMIT, "there are over %d files of the link page",
				 FILES_MAX);
	if (!disk_read(files->disk, files->arena, on_disk, FILE_BYTES_MAX, &file->bytes, err))
		return false;
	file->path = path;
	file->type = str_from_c(type);
	file->etag = make_etag(files->arena, file->bytes);
	files->count++;
	return true;
}

/* What has no dot in its name is a folder; what has an ending of another kind is for people. */
static bool add_folder(struct link_files *files, struct str folder, struct str as, int depth,
		       struct error *err)
{
	struct str *names;
	struct error ignored;
	size_t count;

	if (!disk_list(files->disk, files->arena, arena_c(files->arena, folder), &names, &count,
		       &ignored))
		return true;
	for (size_t i = 0; i < count; i++) {
		struct str on_disk = arena_format(files->arena, "%.*s/%.*s", STR_ARGS(folder),
						  STR_ARGS(names[i]));
		struct str path = arena_format(files->arena, "%.*s/%.*s", STR_ARGS(as),
					       STR_ARGS(names[i]));

		if (str_find_byte(names[i], '.') < 0) {
			if (depth > 1 && !str_equal(names[i], STR("node_modules")) &&
			    !add_folder(files, on_disk, path, depth - 1, err))
				return false;
		} else if (find_type(names[i]) != NULL &&
			   !add(files, arena_c(files->arena, on_disk), path, err)) {
			return false;
		}
	}
	return true;
}

static bool add_named(struct link_files *files, const char *share, struct str connector,
		      struct str name, struct error *err)
{
	struct str path =
		arena_format(files->arena, "%.*s/%.*s", STR_ARGS(connector), STR_ARGS(name));

	if (name.len == 0)
		return true;
	for (size_t i = 0; i < files->count; i++)
		if (str_equal(files->items[i].path, path))
			return true;
	return add(files,
		   arena_format(files->arena, "%s/connectors/%.*s/link/%.*s%c", share,
				STR_ARGS(connector), STR_ARGS(name), '\0')
			   .data,
		   path, err);
}

static bool add_connectors(struct link_files *files, const char *share,
			   const struct connectors *connectors, struct error *err)
{
	for (size_t i = 0; i < connectors->count; i++) {
		const struct connector *connector = connectors->items[i];

		if (!add_named(files, share, connector->name, connector->link.logo, err))
			return false;
		for (size_t k = 0; k < connector->link.language_count; k++)
			if (!add_named(files, share, connector->name,
				       arena_format(files->arena, "%.*s.json",
						    STR_ARGS(connector->link.languages[k])),
				       err))
				return false;
		for (size_t k = 0; k < connector->link.guide_count; k++)
			if (!add_named(files, share, connector->name,
				       connector->link.guides[k].picture, err))
				return false;
	}
	return true;
}

const struct link_files *link_files_read(struct arena *arena, const struct disk *disk,
					 const char *share, const struct connectors *connectors,
					 struct error *err)
{
	struct link_files *files = arena_zero(arena, sizeof *files);

	files->arena = arena;
	files->disk = disk;
	files->items = arena_zero(arena, FILES_MAX * sizeof *files->items);
	if (!add_folder(files, arena_format(arena, "%s/web/link", share), STR("page"), DEPTH_MAX,
			err) ||
	    !add_folder(files, arena_format(arena, "%s/sdk/link", share), STR("sdk"), DEPTH_MAX,
			err) ||
	    !add_connectors(files, share, connectors, err))
		return NULL;
	return files;
}

/* --- answering ------------------------------------------------------------------------------- */

static const struct link_file *find(const struct link_files *files, struct str path)
{
	for (size_t i = 0; i < files->count; i++)
		if (str_equal(files->items[i].path, path))
			return &files->items[i];
	return NULL;
}

static void reply_missing(struct http_exchange *exchange)
{
	struct error err;

	error_set(&err, ERROR_NOT_FOUND, "there is nothing at this path");
	door_reply_error(exchange, &err, NULL);
}

/* `reach`: which origins may have it: "same-origin" or "cross-origin". */
static void reply_file(struct http_exchange *exchange, const struct link_file *file,
		       const char *reach)
{
	if (file == NULL) {
		reply_missing(exchange);
		return;
	}
	http_exchange_set_header(exchange, "ETag", file->etag);
	http_exchange_set_header(exchange, "Cache-Control", STR("no-cache"));
	http_exchange_set_header(exchange, "X-Content-Type-Options", STR("nosniff"));
	http_exchange_set_header(exchange, "Referrer-Policy", STR("no-referrer"));
	http_exchange_set_header(exchange, "Cross-Origin-Resource-Policy", str_from_c(reach));
	exchange->content_type = file->type;
	if (str_equal(http_exchange_header(exchange, "if-none-match"), file->etag))
		exchange->status = 304;
	else
		exchange->reply = file->bytes;
}

/* A picture that is opened by itself may do nothing. */
static void confine(struct http_exchange *exchange)
{
	http_exchange_set_header(
		exchange, "Content-Security-Policy",
		STR("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"));
}

static void reply_by_path(const struct door *door, struct http_exchange *exchange,
			  struct str folder, struct str name, const char *reach)
{
	struct str path = arena_format(exchange->arena, "%.*s/%.*s", STR_ARGS(folder), STR_ARGS(name));
	const struct link_file *file = find(door->link_files, path);

	if (file != NULL)
		confine(exchange);
	reply_file(exchange, file, reach);
}

/* Who may have the page in a frame: the one origin that its query names, in a frame only. */
static bool read_frame(const struct http_exchange *exchange, struct str *ancestor,
		       struct error *err)
{
	struct str mode = {NULL, 0}, origin = {NULL, 0};

	*ancestor = STR("'none'");
	http_exchange_query(exchange, "mode", &mode);
	http_exchange_query(exchange, "origin", &origin);
	if (origin.len > 0 && !link_is_origin(origin))
		return error_set_field(err, ERROR_INVALID, "origin",
				       "an origin such as https://customer.example",
				       "origin must be that of the page around the dialog");
	if (origin.len > 0 && str_equal(mode, STR("iframe")))
		*ancestor = origin;
	return true;
}

static void set_page_headers(struct http_exchange *exchange, struct str ancestor)
{
	http_exchange_set_header(
		exchange, "Content-Security-Policy",
		arena_format(exchange->arena,
			     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
			     "'self'; img-src 'self' data:; font-src 'self'; frame-ancestors %.*s; "
			     "form-action 'none'; base-uri 'none'",
			     STR_ARGS(ancestor)));
	http_exchange_set_header(exchange, "Permissions-Policy",
				 STR("camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
				     "clipboard-read=()"));
	/* For browsers without frame-ancestors; with it they pass this over. */
	if (str_equal(ancestor, STR("'none'")))
		http_exchange_set_header(exchange, "X-Frame-Options", STR("DENY"));
}

struct str link_page(const struct door *door, struct http_exchange *exchange, const char *name)
{
	const struct link_file *file =
		find(door->link_files, arena_format(exchange->arena, "page/%s", name));

	if (file == NULL)
		return (struct str){NULL, 0};
	set_page_headers(exchange, STR("'none'"));
	http_exchange_set_header(exchange, "X-Content-Type-Options", STR("nosniff"));
	http_exchange_set_header(exchange, "Referrer-Policy", STR("no-referrer"));
	http_exchange_set_header(exchange, "Cache-Control", STR("no-store"));
	exchange->content_type = file->type;
	return file->bytes;
}

void link_show_page(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	const struct door *door = context;
	const struct link_file *file = find(door->link_files, STR("page/index.html"));
	struct str ancestor;
	struct error err;

	(void)match;
	if (!read_frame(exchange, &ancestor, &err)) {
		door_reply_error(exchange, &err, NULL);
		return;
	}
	if (file != NULL)
		set_page_headers(exchange, ancestor);
	reply_file(exchange, file, "same-origin");
}

void link_show_file(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	reply_by_path(context, exchange, STR("page"), match->parts[0], "same-origin");
}

void link_show_picture(void *context, struct http_exchange *exchange,
		       const struct http_match *match)
{
	reply_by_path(context, exchange, match->parts[0], match->parts[1], "same-origin");
}

/* A script tag or an import on somebody's page. */
void link_show_sdk(void *context, struct http_exchange *exchange, const struct http_match *match)
{
	http_exchange_set_header(exchange, "Access-Control-Allow-Origin", STR("*"));
	reply_by_path(context, exchange, STR("sdk"), match->parts[0], "cross-origin");
}

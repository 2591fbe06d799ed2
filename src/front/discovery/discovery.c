#include "front/discovery/discovery.h"

#include "front/discovery/document.h"

/* --- at load --------------------------------------------------------------------------------- */

/* Names the content, nothing more (FNV-1a). */
static struct str make_etag(struct arena *arena, struct str text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3;
	return arena_format(arena, "\"%016llx\"", (unsigned long long)hash);
}

/* The parameters in the query, by the names of their components, as {name: schema}. */
static struct json parameter_schemas(struct arena *arena, struct json parameters)
{
	struct json_builder out;

	json_builder_init(&out, arena);
	for (size_t i = 0; i < parameters.count; i++) {
		struct json parameter = parameters.members[i].value;
		struct json_builder schema, named;

		if (!str_equal(json_get_str(parameter, "in"), STR("query")))
			continue;
		json_builder_init(&schema, arena);
		document_copy(&schema, json_get_c(parameter, "schema"));
		document_put(&schema, "description", json_get_str(parameter, "description"));
		json_builder_init(&named, arena);
		json_builder_set(&named, json_get_str(parameter, "name"),
				 json_builder_object(&schema));
		json_builder_set(&out,
				 json_name(&parameters.members[i]),
				 json_builder_object(&named));
	}
	return json_builder_object(&out);
}

/* Second names stand with the first. */
static struct json with_aliases(struct arena *arena, struct json parameter,
				const struct model_aliases *aliases)
{
	struct str name = json_get_str(parameter, "name");
	struct str describe = json_get_str(parameter, "description");
	struct json_builder out;

	for (size_t i = 0; aliases != NULL && i < aliases->count; i++)
		if (str_equal(aliases->items[i].parameter, name))
			describe = arena_format(arena, "%.*s Also `%.*s`%s.", STR_ARGS(describe),
						STR_ARGS(aliases->items[i].name),
						aliases->items[i].is_negated ? ", negated" : "");
	json_builder_init(&out, arena);
	for (size_t i = 0; i < parameter.count; i++) {
		struct str key = json_name(&parameter.members[i]);

		json_builder_set(&out, key,
				 str_equal(key, STR("description")) ? json_string(describe)
								    : parameter.members[i].value);
	}
	return json_builder_object(&out);
}

static void add_aliases(struct document *document, const struct model_aliases *aliases)
{
	struct json_builder *parameters = &document->components[DOCUMENT_PARAMETERS];
	struct json all = json_builder_object(parameters);
	struct json_builder out;

	json_builder_init(&out, document->arena);
	for (size_t i = 0; i < all.count; i++)
		json_builder_set(&out, json_name(&all.members[i]),
				 with_aliases(document->arena, all.members[i].value, aliases));
	*parameters = out;
}

static bool read(struct discovery *discovery, struct arena *arena, struct arena *scratch,
		 struct error *err)
{
	struct document document;

	if (!document_read(&document, scratch, err))
		return false;
	struct json schemas = json_builder_object(&document.components[DOCUMENT_SCHEMAS]);
	struct json parameters = json_builder_object(&document.components[DOCUMENT_PARAMETERS]);

	discovery->unified = json_copy(arena, document.unified);
	discovery->parameters = json_copy(arena, parameter_schemas(scratch, parameters));
	discovery->deleted = json_copy(arena, json_get_c(schemas, "Deleted"));
	return true;
}

static void finish_openapi(void *thing)
{
	struct openapi *openapi = thing;

	arena_finish(&openapi->arena);
	pthread_mutex_destroy(&openapi->lock);
}

static struct openapi *begin_openapi(struct arena *arena)
{
	struct openapi *openapi = arena_zero(arena, sizeof *openapi);

	pthread_mutex_init(&openapi->lock, NULL);
	arena_init(&openapi->arena, arena->bytes_max);
	arena_on_finish(arena, finish_openapi, openapi);
	return openapi;
}

/* What a text is made of takes many times its memory, and goes at once. */
const struct discovery *discovery_create(struct arena *arena, const struct model *model,
					 const struct connectors *connectors,
					 const struct model_aliases *aliases, const char *version,
					 struct error *err)
{
	struct discovery *discovery = arena_zero(arena, sizeof *discovery);
	struct arena scratch;

	arena_init(&scratch, arena->bytes_max);
	discovery->model = model;
	discovery->connectors = connectors;
	discovery->aliases = aliases;
	discovery->version = version;
	discovery->openapi = begin_openapi(arena);
	bool ok = read(discovery, arena, &scratch, err);
	arena_finish(&scratch);
	arena_let_go();
	return ok ? discovery : NULL;
}

/* The fragments were read before, at load: they have no faults. */
static void make_openapi(const struct discovery *discovery)
{
	struct openapi *openapi = discovery->openapi;
	struct document document;
	struct arena scratch;
	struct error err;

	arena_init(&scratch, openapi->arena.bytes_max);
	if (document_read(&document, &scratch, &err)) {
		add_aliases(&document, discovery->aliases);
		unified_add(&document, discovery->model, discovery->connectors);
		openapi->text =
			arena_str(&openapi->arena, document_print(&document, discovery->version));
		openapi->etag = make_etag(&openapi->arena, openapi->text);
		openapi->is_made = true;
	}
	arena_finish(&scratch);
	arena_let_go();
}

static const struct openapi *find_openapi(const struct discovery *discovery)
{
	struct openapi *openapi = discovery->openapi;

	pthread_mutex_lock(&openapi->lock);
	if (!openapi->is_made)
		make_openapi(discovery);
	pthread_mutex_unlock(&openapi->lock);
	return openapi;
}

struct str discovery_openapi(const struct discovery *discovery)
{
	return find_openapi(discovery)->text;
}

/* --- /openapi.json --------------------------------------------------------------------------- */

/* Is the tag among those of If-None-Match? */
static bool is_known(struct str tags, struct str etag)
{
	while (tags.len > 0) {
		struct str tag = str_trim(str_cut(&tags, ','));

		if (str_starts_with(tag, STR("W/")))
			tag = str_slice(tag, 2, tag.len);
		if (str_equal(tag, etag) || str_equal(tag, STR("*")))
			return true;
	}
	return false;
}

static void handle_openapi(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	const struct door *door = context;
	const struct openapi *openapi = find_openapi(door->discovery);

	(void)match;
	http_exchange_set_header(exchange, "ETag", openapi->etag);
	http_exchange_set_header(exchange, "Cache-Control", STR("no-cache"));
	if (is_known(http_exchange_header(exchange, "if-none-match"), openapi->etag))
		exchange->status = 304;
	else
		exchange->reply = openapi->text;
}

const struct http_route discovery_routes[] = {
	{HTTP_GET, "/integration", discovery_list_integrations},
	{HTTP_GET, "/integration/{name}", discovery_show_integration},
	{HTTP_GET, "/integration/{name}/capabilities", discovery_show_capabilities},
	{HTTP_GET, "/integrated-account/{id}/capabilities", discovery_show_account_capabilities},
	{HTTP_GET, "/unified/{model}/{resource}/meta/{method}", discovery_show_meta},
	{HTTP_GET, "/unified/{model}/{resource}/{integration}/meta/{method}",
	 discovery_show_integration_meta},
	{HTTP_GET, "/openapi.json", handle_openapi},
};
const size_t discovery_route_count = sizeof discovery_routes / sizeof discovery_routes[0];

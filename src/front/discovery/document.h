/* Private to this room: the OpenAPI document while it is put together. */
#ifndef FRONT_DISCOVERY_DOCUMENT_H
#define FRONT_DISCOVERY_DOCUMENT_H

#include <pthread.h>

#include "front/discovery/discovery.h"

/* The doors' api.yaml files, put into the program by the build. */
struct embedded_text {
	const char *name;
	const char *text;
};
extern const struct embedded_text document_fragments[];

/* The kinds of components that there are. */
enum document_kind {
	DOCUMENT_SCHEMAS,
	DOCUMENT_PARAMETERS,
	DOCUMENT_HEADERS,
	DOCUMENT_RESPONSES,
	DOCUMENT_REQUEST_BODIES,
	DOCUMENT_SECURITY_SCHEMES,
	DOCUMENT_KINDS
};

struct document {
	struct arena *arena;
	struct json_builder top; /* info, servers, security */
	struct json_builder tags;
	struct json_builder paths;
	struct json_builder components[DOCUMENT_KINDS];
	struct json unified; /* of front/rest: names of parameters by kind of operation */
	const struct model_aliases *aliases;
};

/* The document as a text. It is large, and few ask for it: it is made for the first who does. */
struct openapi {
	pthread_mutex_t lock;
	bool is_made;
	struct arena arena;
	struct str text;
	struct str etag;
};

struct discovery {
	const struct model *model;
	const struct connectors *connectors;
	struct json parameters; /* by component: {name: schema} of what may be in a query */
	struct json unified;	/* {"list", "get", "write"}: names of them */
	struct json deleted;	/* schema of what a delete answers */
	const struct model_aliases *aliases;
	const char *version;
	struct openapi *openapi;
};

/* --- document.c ------------------------------------------------------------------------------ */

/* Reads all fragments. ERROR_INTERNAL. */
bool document_read(struct document *document, struct arena *arena, struct error *err) MUST_CHECK;
struct str document_print(struct document *document, const char *version);

/* Members of a builder; an empty text is not set. */
void document_put(struct json_builder *out, const char *name, struct str text);
void document_put_c(struct json_builder *out, const char *name, const char *text);
/* All members of an object. */
void document_copy(struct json_builder *out, struct json object);
/* {"$ref": "#/components/KIND/NAME"} */
struct json document_ref(struct arena *arena, enum document_kind kind, struct str name);
/* Adds a path with its operations (an object by method), each made whole. */
void document_add_path(struct document *document, struct str path, struct json item);

/* --- unified.c ------------------------------------------------------------------------------- */

/* Paths, schemas and tags of all resources of the model. */
void unified_add(struct document *document, const struct model *model,
		 const struct connectors *connectors);
/* {"result", "next_cursor", …} around records of a schema; with `debug`, if it is not undefined. */
struct json unified_list_schema(struct arena *arena, struct json record, struct json debug);
/* "create" is POST to /unified/{model}/{resource}. */
const char *unified_verb(struct str method);
struct str unified_path(struct arena *arena, const struct model *model, struct str resource,
			const struct model_method *method, struct str name);
/* Names of the connectors which can do it. */
struct json unified_integrations(struct arena *arena, const struct connectors *connectors,
				 struct str resource, struct str method);
/* Does the connector have the method of the resource? */
bool unified_has(const struct unified_resource *resource, struct str method);

/* --- the handlers' files --------------------------------------------------------------------- */

typedef void discovery_handler(void *context, struct http_exchange *exchange,
			       const struct http_match *match);
discovery_handler discovery_list_integrations, discovery_show_integration;
discovery_handler discovery_show_capabilities, discovery_show_account_capabilities;
discovery_handler discovery_show_meta, discovery_show_integration_meta;

#endif

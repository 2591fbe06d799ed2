/* Compiling a connector's files: what the parts of the loader share. */
#ifndef ATS_CONNECTOR_LOADER_H
#define ATS_CONNECTOR_LOADER_H

#include "ats/connector/connector.h"
#include "ats/definition/definition.h"

/* Parses "/a/{b}"; a fault on a brace without its twin or a bad name. */
bool template_parse(struct definition *definition, uint32_t line, struct str text,
		    struct template *out);

/* `context:`, and the fields of a credential. More than 32 are refused. */
enum { FIELDS_MAX = 32 };
void inputs_read(struct definition *definition, const struct yaml_node *mapping,
		 bool is_credential, const struct connector_field **out, size_t *count);
/* NULL when there is none of that name. */
const struct connector_field *inputs_find(const struct connector_field *fields, size_t count,
					  struct str name);
/* A fault for each name of the template that is none of the fields. */
void template_check_names(struct definition *definition, uint32_t line,
			  const struct template *template, const struct connector_field *fields,
			  size_t count);
/* The same for an address, whose names must besides be required, and which is https. */
void address_read(struct definition *definition, const struct yaml_node *mapping, const char *key,
		  const struct connector *connector, struct template *out);

/* `credentials:`; the context was read before. */
void credentials_read(struct definition *definition, const struct yaml_node *root,
		      struct connector *connector);
/* `headers:`, which go with each format; these were read before. */
void headers_read(struct definition *definition, const struct yaml_node *root,
		  struct connector *connector);
/* What a format of OAuth has besides. */
void oauth_read(struct definition *definition, const struct yaml_node *node,
		const struct connector *connector, struct connector_format *format);

/* Compiles the expression in a node; NULL and a fault, with its line within a block, when it is
 * none. `what` names the key. */
const struct jsonata *expression_compile(struct definition *definition,
					 const struct yaml_node *node, const char *what);
/* The same for the key of a mapping; a key that is not there is true and leaves *out. */
bool expression_read(struct definition *definition, const struct yaml_node *mapping,
		     const char *key, const struct jsonata **out);
/* Does it say the same of the same record whenever it is asked, without looking at the rest of the
 * body? */
bool expression_is_pure(const struct jsonata *expression);
/* A regular expression becomes `$contains($, /…/)`. */
const struct jsonata *expression_compile_pattern(struct definition *definition,
						 const struct yaml_node *node);

/* `link:` and `post_connect:` of connector.yaml into connector->link. */
void link_read(struct definition *definition, const struct yaml_node *root,
	       struct connector *connector);
/* `post_install:` into connector->install; the context and the calls were read before. */
void install_read(struct definition *definition, const struct yaml_node *root,
		  struct connector *connector);
/* `webhooks:` into connector->webhooks. */
void webhooks_read(struct definition *definition, const struct yaml_node *root,
		   struct connector *connector);
/* Are the lists there, which its options come from? Once the resources are. Faults go to `path`. */
bool link_check(struct arena *arena, struct str path, const struct connector *connector,
		struct buffer *faults);

/* `resources:` of connector.yaml into connector->methods. */
void natives_read(struct definition *definition, const struct yaml_node *resources,
		  struct connector *connector);
/* `tags`, once the resources are there. */
void tags_read(struct definition *definition, const struct yaml_node *root,
	       struct connector *connector);
/* "candidates.list" to the method; NULL and a fault when there is none. */
const struct native_method *natives_find(struct definition *definition,
					 const struct connector *connector,
					 const struct yaml_node *node);
/* The same of a call that is made by itself: a fault when its path has parameters. */
const struct native_method *natives_find_bare(struct definition *definition,
					      const struct connector *connector,
					      const struct yaml_node *node, const char *what);
/* Is the name a path parameter of the method (and not a field of the context)? */
bool natives_has_path(const struct connector *connector, const struct native_method *method,
		      struct str name);

/* One file of unified mappings. False when it had faults. */
bool unified_read(struct arena *arena, const struct disk *disk, struct str path,
		  const struct connector *connector, const struct model_resource *model,
		  struct buffer *faults, struct unified_resource *out);

#endif

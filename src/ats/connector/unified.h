/* The parts of one file of unified mappings, while it is read. */
#ifndef ATS_CONNECTOR_UNIFIED_H
#define ATS_CONNECTOR_UNIFIED_H

#include "ats/connector/loader.h"

struct unified_file {
	struct definition *definition;
	const struct connector *connector;
	const struct model_resource *model;
	struct unified_map *maps;
	bool *is_used; /* per map */
	size_t map_count;
	bool is_get;   /* what is being read belongs to the method get */
};

/* A filter of the resource, or "id" of a get; a fault otherwise. */
bool unified_check_filter(const struct unified_file *file, uint32_t line, struct str name);
/* The arguments of a call in `node` (`with`, `filters`, `query`); they are all that `method`
 * requires. */
const struct call_argument *unified_read_arguments(const struct unified_file *file,
						   const struct yaml_node *node,
						   const struct unified_alternative *alternative,
						   const struct native_method *method,
						   size_t *argument_count);
/* The keys of one call (`call`, `with`, `filters`, `query`, `each`, `map`) out of `node`. */
void unified_read_call(const struct unified_file *file, const struct yaml_node *node,
		       const struct unified_alternative *alternative, struct unified_call *call);
/* `list:` or `get:`. */
void unified_read_method(struct unified_file *file, const struct yaml_node *node,
			 struct unified_method *method);
/* The fields which the list `key` names, marked; NULL when it names none. */
const bool *unified_read_fields(const struct unified_file *file, const struct yaml_node *node,
				const char *key);
/* A mapping `key` of filters to paths of the record; *count is 0 without one. */
const struct unified_path *unified_read_paths(const struct unified_file *file,
					      const struct yaml_node *node, const char *key,
					      size_t *count);
/* All methods that write. */
void unified_read_writes(struct unified_file *file, const struct yaml_node *root,
			 struct unified_resource *out);
/* The field table that `map` names, or "map"; NULL and a fault when there is none. */
const struct unified_map *unified_find_map(const struct unified_file *file,
					   const struct yaml_node *node);

#endif

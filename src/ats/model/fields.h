/* Reading fields: what the loaders of resources and of methods share. Private. */
#ifndef ATS_MODEL_FIELDS_H
#define ATS_MODEL_FIELDS_H

#include "ats/definition/definition.h"
#include "ats/model/model.h"

enum { FIELDS_MAX = 200 };

enum fields_kind {
	FIELDS_RECORD, /* of a resource */
	FIELDS_BODY,   /* of a unified request: no remote_x, may be required, may be a file */
	FIELDS_NATIVE, /* of an ATS's own request: names and values are the ATS's */
};

struct field_list {
	struct definition *definition;
	enum fields_kind kind;
	struct model_field *items; /* room for all of them, with their remote words */
	size_t count;
};

struct model_field *field_add(struct field_list *list, struct str name, enum model_type type,
			      const char *describe);
/* remote_x behind the enum x. */
void field_add_remote_word(struct field_list *list, const struct model_field *of);
/* Adds all fields of a mapping; faults go to the definition. */
void fields_read(struct field_list *list, const struct yaml_node *mapping);

/* `filters:` of a resource, whose fields were read, and those that every resource has. */
void filters_read(struct definition *definition, const struct yaml_node *root,
		  struct model_resource *resource);

/* `methods:` of a resource. */
void methods_read(struct definition *definition, const struct yaml_node *root,
		  struct model_resource *resource);

/* `events:` of a resource, whose fields were read. */
void events_read(struct definition *definition, const struct yaml_node *root,
		 struct model_resource *resource);

#endif

/* What the model and a connector promise, as documents for those who call: JSON Schemas
 * (draft 2020-12) of records, bodies and filters, and what a connector can do. All is made of the
 * definitions alone. */
#ifndef ATS_CONTRACT_CONTRACT_H
#define ATS_CONTRACT_CONTRACT_H

#include "ats/operation/operation.h"

/* Everything that is returned lives in the arena and borrows texts of the definitions. */

/* A record, with remote_data. No member is required: which are there depends on the list, and on
 * what the caller asked for. Objects are open, so that a later version may say more. */
struct json contract_record(struct arena *arena, const struct model_resource *resource);
/* What one record of a resource is: "job_form_fields" is "job_form_field". */
struct str contract_singular(struct arena *arena, struct str resource);
/* "job_form_field" and "job-form-field" are "JobFormField". */
struct str contract_camel(struct arena *arena, struct str name);

/* The body of a write. With `write` only what this ATS takes, and required also what its own call
 * requires of it. */
struct json contract_body(struct arena *arena, const struct model_method *method,
			  const struct unified_write *write);
/* Query and body of a native method; undefined where it has none. */
struct json contract_native_query(struct arena *arena, const struct connector *connector,
				  const struct native_method *method);
struct json contract_native_body(struct arena *arena, const struct native_method *method);

/* The value of a filter; a list for x[in]. */
struct json contract_filter(struct arena *arena, const struct model_filter *filter);

/* {"list", "get", …}: all methods which a connector has for a resource; NULL: which the model has. */
struct json contract_methods(struct arena *arena, const struct model_resource *model,
			     const struct unified_resource *resource);

/* Does every way to answer the method want this filter? */
bool contract_wants(const struct unified_method *method, struct str filter);

/* Which part of the capabilities is wanted; empty texts and NULL: all. */
struct contract_query {
	bool unified;
	bool proxy;
	struct str resource; /* of either kind */
	struct str methods;  /* names parted by commas; "read", "write" and "custom" stand for several */
	bool schemas;	     /* native methods with the schemas of their query and body */
};
/* {"unified": [...], "proxy": [...]}, as members of `out`. */
void contract_capabilities(struct json_builder *out, const struct model *model,
			   const struct connector *connector, const struct contract_query *query);

#endif

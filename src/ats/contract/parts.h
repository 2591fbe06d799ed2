/* Private to this room: small parts of JSON Schemas. */
#ifndef ATS_CONTRACT_PARTS_H
#define ATS_CONTRACT_PARTS_H

#include "ats/contract/contract.h"

/* Members of a builder. An empty text is not set. */
void put_text(struct json_builder *out, const char *name, struct str text);
void put_c(struct json_builder *out, const char *name, const char *text);

/* A request leaves remote_x away, may say null, and has required members. */
enum schema_kind { SCHEMA_RECORD, SCHEMA_REQUEST };

/* `is_taken`: which fields there are; NULL: all. `required`: one flag per field besides the fields'
 * own; NULL: none. */
struct json schema_object(struct arena *arena, enum schema_kind kind,
			  const struct model_field *fields, size_t count, const bool *is_taken,
			  const bool *required, bool is_nullable);
/* Sets properties and, where there are some, required. */
void schema_put_members(struct json_builder *out, enum schema_kind kind,
			const struct model_field *fields, size_t count, const bool *is_taken,
			const bool *required);

#endif

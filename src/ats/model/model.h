/* The unified model: what each resource and field means, as data (models/<model>/<resource>.yaml).
 * After a mapping the model does the rest: it wraps, converts and checks, so that an expression
 * never has to. */
#ifndef ATS_MODEL_MODEL_H
#define ATS_MODEL_MODEL_H

#include "ats/definition/definition.h"
#include "lang/json/json.h"

enum model_type {
	MODEL_TEXT,      /* a number becomes its text; an empty text is nothing known */
	MODEL_INTEGER,   /* a text of digits becomes a number */
	MODEL_NUMBER,    /* so does a text that is one */
	MODEL_BOOLEAN,   /* also "true", "false", 1, 0 */
	MODEL_DATE_TIME, /* RFC 3339; any offset becomes UTC, the precision stays; a day alone is
			  * its beginning */
	MODEL_DATE,      /* yyyy-mm-dd; a date-time is cut to it */
	MODEL_ENUM,   /* one of `values`; what fits none is "other" where that is a value, else null
		       */
	MODEL_OBJECT,    /* `fields`; all of them are there, null where nothing is known; one of
			  * which nothing at all is known is null itself, and no item of a list */
	MODEL_ANY,       /* as it is */
	MODEL_FILE,   /* of a request's body only: the bytes of a file */
};

enum model_pii {
	MODEL_PII_NONE,
	MODEL_PII_NAME,
	MODEL_PII_CONTACT,
	MODEL_PII_DOCUMENT,
	MODEL_PII_SENSITIVE,
	MODEL_PII_FREE_TEXT
};
/* "none", "name", …, ended by NULL. */
extern const char *const model_pii_names[];

struct model_field {
	struct str name;
	uint32_t hash; /* json_key_hash(name) */
	enum model_type type;
	bool is_list; /* nothing becomes [], one thing [thing] */
	enum model_pii pii;
	struct str describe;
	const struct str *values; /* enum */
	size_t value_count;
	const struct model_field *fields; /* object */
	size_t field_count;
	/* remote_x, the ATS's own word for the enum field before it: what the mapping gave for it,
	 * or else what it gave for the enum itself. */
	bool is_remote_word;
	bool is_required; /* of a request's body only */
	bool is_exact;	  /* enum: the values are an ATS's own words, to the letter */
	bool is_volatile; /* an address: what follows its "?" changes by itself */
};

enum model_operator { MODEL_EQ, MODEL_IN, MODEL_GT, MODEL_GTE, MODEL_LT, MODEL_LTE };

/* A filter of the list method: its name ("created_at[gt]"), the type of its value, and which value
 * of the record it compares, and how. */
struct model_filter {
	struct str name;
	enum model_type type;
	struct str describe;
	enum model_operator operator;
	struct str path; /* dotted; empty: no record tells, so that only an ATS can apply it */
	size_t root;	 /* index of the field in which the path begins */
	const struct model_field *field; /* where it ends; NULL without a path */
};

/* A method that writes: "create", "update", "delete", or a custom one ("move-stage"). */
struct model_method {
	struct str name;
	struct str describe;
	bool has_id;			  /* it is about one record, whose id is wanted */
	const struct model_field *fields; /* of the request's body */
	size_t field_count;
};

/* What a change of a record tells beside record:updated. */
enum model_event_kind {
	MODEL_EVENT_CHANGED, /* the value at the path is another than before */
	MODEL_EVENT_SET,     /* there is one, and there was none */
	MODEL_EVENT_ADDED,   /* the list has items which it had not */
};
struct model_event {
	struct str type; /* "application:hired" */
	struct str describe;
	enum model_event_kind kind;
	struct str path; /* dotted, without a list on the way */
	size_t root;	 /* index of the field in which it begins */
};

/* Every resource has id (first), and custom_fields, remote_url, created_at, updated_at (last): the
 * loader adds them (see docs/model.md). remote_data is not a field but the record itself. For
 * each enum field x the loader adds a text field remote_x behind it, also within objects, unless
 * the model says `remote: false`. */
struct model_resource {
	struct str name; /* "candidates" */
	struct str describe;
	const struct model_field *fields;
	size_t field_count;
	const struct model_filter *filters;
	size_t filter_count;
	const struct model_method *methods;
	size_t method_count;
	/* A record is a file: the index of the field which tells where tenon gives it. */
	bool has_files;
	size_t file_field;
	const struct model_event *events;
	size_t event_count;
	const struct str *tags; /* words by which its tools are chosen (ats/tool) */
	size_t tag_count;
	uint64_t digest; /* of its file */
};

struct model {
	struct str name; /* "ats" */
	const struct model_resource *resources;
	size_t resource_count;
};

/* Loads every *.yaml of `folder` (the model's name is the folder's). Every fault of a file is
 * reported in *faults as "file:line: …" lines, all of them; NULL then. */
const struct model *model_load(struct arena *arena, const struct disk *disk, const char *folder,
			       struct buffer *faults) MUST_CHECK;
const struct model_resource *model_find(const struct model *model, struct str resource);
/* The field of that name among `count`, of a resource, an object or a body; NULL: none. */
const struct model_field *model_find_among(const struct model_field *fields, size_t count,
					   struct str name);
const struct model_field *model_find_field(const struct model_resource *resource, struct str name);

const struct model_method *model_find_method(const struct model_resource *resource,
					   struct str name);
const struct model_filter *model_find_filter(const struct model_resource *resource,
					     struct str name);
/* The field at a dotted path ("emails.email"), and the index of the one in which it begins (`root`
 * may be NULL). NULL when there is none. */
const struct model_field *model_find_path(const struct model_resource *resource, struct str path,
					  size_t *root);

/* Other names of the parameters of unified requests. */
struct model_alias {
	struct str name;
	struct str parameter;
	bool is_negated; /* true under this name is false under that */
	struct str value; /* or is this there, and false is 0; empty: values are the same */
};
struct model_aliases {
	const struct model_alias *items;
	size_t count;
};
/* False when there were faults. */
bool model_load_aliases(struct arena *arena, const struct disk *disk, const char *path,
			struct model_aliases *out, struct buffer *faults) MUST_CHECK;
/* NULL when it is none; `aliases` may be NULL. */
const struct model_alias *model_find_alias(const struct model_aliases *aliases, struct str name);

/* Fields of a request's body in a definition: a mapping of names to fields as in a model, which
 * may besides be `required` or of type `file`. `is_native`: names and enum values are an ATS's own
 * words. False when there were faults. */
bool model_read_body(struct definition *definition, const struct yaml_node *mapping, bool is_native,
		     const struct model_field **fields, size_t *count);

/* A request's body against its fields, strictly: what is not known, does not fit its type, or is
 * required and missing, is refused with its path ("emails[0].email") as the field. What fits is
 * converted as in a record. Null is kept (it empties a field); a list may be given as its one
 * item. With `missing` not NULL nothing fails for being missing: the paths are added there as texts
 * instead. `what` names the whole in messages. The result shares with `value`. */
bool model_check(struct arena *arena, const struct model_field *fields, size_t count,
		 const char *what, struct json value, struct json_builder *missing,
		 struct json *out, struct error *err) MUST_CHECK;

/* One record: mapped[i] is what the mapping of resource->fields[i] gave (JSON_UNDEFINED when
 * nothing). Fields whose is_absent[i] is set are left out (a partial list cannot know them;
 * is_absent may be NULL). `remote` (or JSON_UNDEFINED) becomes remote_data, at the end. A value
 * that does not fit its type becomes null (in a list: is left out) and is counted in *misfits; so
 * is a member of an object which the model does not know. The result shares with `mapped`. */
struct json model_conform(const struct model_resource *resource, struct arena *arena,
			  const struct json *mapped, const bool *is_absent, struct json remote,
			  size_t *misfits);

/* --- personal data ---------------------------------------------------------------------------- */

/* Masks are words for kinds ("contact") or names of fields. */
bool model_is_masked(const struct str *masks, size_t count, struct str name, enum model_pii kind);
/* The record with "[masked]" in place of texts that are masked, null in place of what is no text,
 * and without remote_data. Ids stay. Of a resource that is not known (NULL) names alone are masked.
 * Without masks it is the record itself. */
struct json model_mask(struct arena *arena, const struct model_resource *resource,
		       const struct str *masks, size_t count, struct json record);

#endif

/* The company that a sandbox stands for: its collections and records. A record begins as a slot
 * (id and place); its fields are made when somebody first looks, always the same from the seed,
 * and the texts of its views are kept until something changes. */
#ifndef APP_SANDBOX_COMPANY_H
#define APP_SANDBOX_COMPANY_H

#include "app/sandbox/definition.h"
#include "base/map.h"

/* A view of one record as JSON text, with what it refers to. */
struct rendering {
	char *text; /* malloc */
	size_t len;
	struct record **references; /* malloc */
	size_t reference_count;
	uint64_t version; /* of the company */
	uint64_t epoch;
};

struct record {
	struct collection *collection;
	struct record *parent;
	struct record *next_sibling;
	struct record **first_child; /* by child_number; NULL when the collection has no children */
	struct record **last_child;
	size_t *child_counts;        /* those alive */
	uint32_t index;
	uint32_t nth;
	bool is_deleted;
	bool is_being_made;
	bool is_written; /* by a request: what that does not say comes from `new` */
	uint64_t seen;   /* number of the last reply that has it among its references */
	struct json made; /* JSON_UNDEFINED: not yet */
	struct json overrides; /* an object, until made: fields given instead of made ones */
	struct rendering *renderings; /* by view number, or NULL */
};

struct collection {
	const struct collection_definition *definition;
	struct record **records;
	size_t count;
	size_t capacity;
	size_t initial_count;
	uint64_t hash; /* of its name */
};

struct company {
	struct arena arena;
	const struct definition *definition;
	const struct clock *clock;
	uint64_t seed;
	struct collection *collections;
	struct json variables[VARIABLES]; /* those which are the same for all */
	uint64_t version; /* goes up with each change */
	uint64_t epoch; /* goes up when every text is stale: VARIABLE_BASE changed */
	uint64_t shared_version; /* the last one that changed a record which others' views show */
	uint64_t reply_number;
	/* Where an evaluation stands: what natives draw for and look from. */
	const struct collection *scope_collection;
	struct record *scope_record;
	uint64_t scope_index;
	unsigned depth;
	struct index *indexes;
	int64_t last_us; /* of company_clock_us */
	int64_t skew_us;
	bool has_equal_times;
	struct touched *touched; /* NULL, or where it is noted which records change */
};

/* Records that were added, changed or deleted, each once, and those which they hang on. */
struct touched {
	struct arena *arena;
	struct record **records;
	size_t count;
	size_t capacity;
};

bool company_init(struct company *company, const struct definition *definition,
		  const struct sandbox_options *options, struct error *err) MUST_CHECK;
void company_finish(struct company *company);

/* How the outside reaches the sandbox, "http://HOST"; texts that hold another one become stale. */
void company_set_base(struct company *company, struct str base);

struct collection *company_collection(struct company *company, struct str name);
static inline struct collection *
company_collection_of(struct company *company, const struct collection_definition *definition)
{
	return &company->collections[definition->number];
}

int64_t record_id(const struct record *record);
/* NULL when there is none; the dead ones are found too. */
struct record *collection_find(const struct collection *collection, int64_t id);
/* Neither it nor one that it hangs on was deleted. */
bool record_is_alive(const struct record *record);

/* Evaluates with `input` as $; `variables` may be NULL. Undefined is a result. */
bool company_evaluate(struct company *company, const struct expression *expression,
		      const struct json *variables, struct arena *arena, struct json input,
		      struct json *out, struct error *err) MUST_CHECK;
/* Makes the record's fields when they are not there yet. They live as long as the company. */
bool record_make(struct company *company, struct record *record, struct error *err) MUST_CHECK;
/* Evaluates with the made record as $, and as the one whose children natives find. */
bool record_evaluate(struct company *company, struct record *record,
		     const struct expression *expression, const struct json *variables,
		     struct arena *arena, struct json *out, struct error *err) MUST_CHECK;
/* The view as a value in the arena. */
bool record_view(struct company *company, struct record *record, const struct view *view,
		 struct arena *arena, struct json *out, struct error *err) MUST_CHECK;
/* The view as text, from the store of texts. Valid until the next change. NULL with *err. */
const struct rendering *record_render(struct company *company, struct record *record,
				      const struct view *view, struct error *err) MUST_CHECK;

/* "collection/id" texts in `value`, nested as they like, appended to *out (in the arena). */
bool company_read_references(struct company *company, struct arena *arena, struct json value,
			     struct record ***out, size_t *count, struct error *err) MUST_CHECK;

/* index.c: the living records of a collection whose made field `member` equals `value`, or has it
 * among its items. Valid until the next change. */
bool company_where(struct company *company, struct collection *collection, struct str member,
		   struct json value, struct record ***out, size_t *count,
		   struct error *err) MUST_CHECK;
void company_drop_indexes(struct company *company);
/* This member of the record has another value now. */
void company_member_changed(struct company *company, struct record *record, struct str member,
			    struct json before, struct json after);
/* The record is gone, with all that hangs on it. */
void company_record_gone(struct company *company, const struct record *record);

/* records.c: the records at the start. */
bool company_fill(struct company *company, struct error *err) MUST_CHECK;
/* Adds a record, with all that hangs on it, as the newest one, made as those at the start were.
 * `overrides` is an object with fields that are not to be made, or undefined. */
bool company_create(struct company *company, struct collection *collection, struct record *parent,
		    struct json overrides, struct record **out, struct error *err) MUST_CHECK;
/* Adds a record as a write does: nothing hangs on it yet, and fields which `fields` (an object)
 * does not give come from the collection's `new`. The parent, which may be NULL, is touched. */
bool company_add(struct company *company, struct collection *collection, struct record *parent,
		 struct json fields, struct record **out, struct error *err) MUST_CHECK;
/* Gives the record the fields of an object and takes those named away; it and all that it hangs
 * on are touched. */
bool company_update(struct company *company, struct record *record, struct json fields,
		    const struct str *removed, size_t removed_count, struct error *err) MUST_CHECK;
/* Hangs the record on another parent, as the last one there. */
bool company_move(struct company *company, struct record *record, struct record *parent,
		  struct error *err) MUST_CHECK;
/* The record stays, dead, with its made field deleted_at set. */
bool company_delete(struct company *company, struct record *record, struct error *err) MUST_CHECK;

/* What natives see is set for one evaluation and put back after it, since one may cause another. */
struct scope {
	const struct collection *collection;
	struct record *record;
	uint64_t index;
};
struct scope company_enter(struct company *company, struct scope to);
void company_leave(struct company *company, struct scope back);
/* The texts of the record and of those that it hangs on are stale from now on. */
void record_forget_texts(struct company *company, struct record *record);
uint64_t hash_text(struct str text);

/* The same number for the same seed, collection, index and salt. */
uint64_t company_draw(const struct company *company, struct str salt);
/* The ATS's time: each reading is later than those before, unless times are to be equal. */
int64_t company_clock_us(struct company *company);

/* "2026-03-04T09:15:22.481930Z" of microseconds since 1970. */
struct str format_us(struct arena *arena, int64_t us);
bool parse_us(struct str text, int64_t *us) MUST_CHECK;

#endif

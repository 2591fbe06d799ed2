/* Tools for AI agents, made of a connector and the model when they are loaded: each described
 * method, of the ATS's own API and of the unified one, is a tool with a name, a description, a
 * flat schema of its arguments, and annotations. The same definitions always make the same tools,
 * in the same order, to the byte. Nothing of this room knows of a protocol's messages. */
#ifndef ATS_TOOL_TOOL_H
#define ATS_TOOL_TOOL_H

#include "ats/contract/contract.h"
#include "ats/copy/copy.h"

enum {
	TOOL_NAME_BYTES_MAX = 48, /* clients put their own prefix before it and count 64 */
	TOOL_LIMIT_DEFAULT = 25,
};

enum tool_kind {
	TOOL_READ = 1,	 /* changes nothing */
	TOOL_WRITE = 2,	 /* create, update, delete */
	TOOL_CUSTOM = 4, /* any other method; with TOOL_READ where it changes nothing */
};

struct tool {
	struct str name;	/* "list_all_recruitee_notes", "get_single_ats_candidate_by_id" */
	struct str title;	/* for people */
	struct str description; /* what it does. Requires …. Returns …. */
	unsigned kind;		/* tool_kind bits */
	struct str method;	/* "list", "move-stage" */
	const struct str *tags; /* "unified" or "proxy", the resource's name, those of its file */
	size_t tag_count;
	bool is_unified;
	bool is_list;
	bool is_destructive; /* takes away or replaces what was there */
	bool is_idempotent;
	bool is_replayable; /* a write whose arguments have idempotency_key and dry_run */
	struct json schema;  /* of its arguments: an object */
	struct json output;  /* of its structured result: an object */
	/* The tool as tools/list shows it, compact JSON; also with outputSchema. */
	struct str text;
	struct str text_structured;
	const struct unified_resource *unified; /* NULL: of the ATS's own API */
	const struct native_method *native;	/* NULL: of the unified API */
	const struct tool_parameter *parameters; /* private to this room */
	size_t parameter_count;
};

struct toolset {
	const struct connector *connector;
	const struct tool *tools; /* in the order of their names */
	size_t count;
};

/* All tools of a connector; they live in the arena. A name that would be too long, or that two
 * methods share, is a fault like those of connector_load(): NULL then. */
const struct toolset *toolset_create(struct arena *arena, const struct model *model,
				     const struct connector *connector,
				     struct buffer *faults) MUST_CHECK;
/* NULL: there is none. */
const struct tool *toolset_find(const struct toolset *toolset, struct str name);

/* One toolset per connector, in the order of connectors->items. */
struct toolsets {
	const struct toolset **items;
	size_t count;
};
bool toolsets_create(struct arena *arena, const struct model *model,
		     const struct connectors *connectors, struct toolsets *out,
		     struct buffer *faults) MUST_CHECK;
/* NULL: there is no such connector. */
const struct toolset *toolsets_find(const struct toolsets *toolsets, struct str connector);

/* Which tools are wanted: those that one of the methods names AND one of the tags; an empty list
 * names all. A method is "read", "write", "custom", a method's name ("list"), or a tool's. */
struct tool_filter {
	const struct str *methods;
	size_t method_count;
	const struct str *tags;
	size_t tag_count;
};
bool tool_passes(const struct tool *tool, const struct tool_filter *filter);

/* What the arguments of a call come to. */
struct tool_call {
	struct operation operation;
	struct operation_native native;
	struct copy_wish wish;	    /* of unified reads: where the records may come from */
	struct str idempotency_key; /* empty: none was given */
	/* Of results of the ATS's own API, as in operation.fields, which the operation itself
	 * cannot apply; empty: all. */
	struct str fields;
};
/* Which operation the tool is, before any argument is read: what a log knows of a call that was
 * refused. tool_plan() begins with it. */
void tool_begin(const struct tool *tool, const struct account *account, struct tool_call *call);
/* Reads the arguments (an object, or undefined for none) into *call, which borrows from the tool
 * and lives in the arena. Strict: a name that is not in the schema, a missing one, a wrong type, a
 * value out of range, another company's context are ERROR_INVALID (ERROR_FORBIDDEN for the
 * context), naming the argument in err->field and what is allowed; numbers and booleans in quotes
 * are taken as what they mean. operation.account is the account; sink, deadline and journal are
 * left to the caller. */
bool tool_plan(const struct tool *tool, struct arena *arena, const struct connector *connector,
	       const struct account *account, struct json arguments, struct tool_call *call,
	       struct error *err) MUST_CHECK;

/* The tools that fit words best, best first, at most `limit`; the words are looked for in names,
 * titles, tags, descriptions. No words: the first ones by name. `passes` (bits by a tool's place;
 * NULL: all) says which tools there are. */
size_t toolset_search(const struct toolset *toolset, const uint64_t *passes, struct str words,
		      const struct tool **found, size_t limit);

#endif

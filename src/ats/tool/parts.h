/* Private to this room: how a tool is made of a method, and its arguments of its parameters. */
#ifndef ATS_TOOL_PARTS_H
#define ATS_TOOL_PARTS_H

#include "ats/tool/tool.h"

/* Where an argument goes. */
enum tool_place {
	PLACE_CONTEXT,	  /* of the account; it may only say what is so anyway */
	PLACE_ID,	  /* operation.id */
	PLACE_QUERY,	  /* a filter, or a parameter of a native path or query */
	PLACE_BODY,	  /* a member of the body */
	PLACE_CLEAR,	  /* names of members of the body that become null */
	PLACE_LIMIT,
	PLACE_CURSOR,
	PLACE_FIELDS,
	PLACE_SORT,
	PLACE_EXPAND,
	PLACE_AGE,
	PLACE_WORDS,
	PLACE_COUNT,
	PLACE_DRY_RUN,
	PLACE_KEY,
};

struct tool_parameter {
	struct str name;
	enum tool_place place;
	struct str target; /* its name there */
	struct str several; /* of a filter: the name under which each of several values is given */
	struct str parent; /* of a native body: the member that it is a member of; or empty */
	bool is_required;
	struct json schema; /* plain: one type, no union */
};

/* A tool that is being made. */
struct maker {
	struct arena *arena;
	const struct model *model;
	const struct connector *connector;
	struct tool *tool;
	struct tool_parameter *parameters;
	size_t count;
	size_t room;
	/* The one object of a native body whose members are arguments by themselves; or empty. */
	struct str parent;
};

/* Adds an argument. Of a name that is taken the later one gets "query_" or "body_" before it. */
struct tool_parameter *maker_add(struct maker *maker, enum tool_place place, struct str target,
				 bool is_required, struct json schema);
/* The same with a schema of a type and a description alone. */
void maker_add_plain(struct maker *maker, enum tool_place place, const char *target,
		     bool is_required, const char *type, const char *description);
/* All arguments of the tool's method. */
void maker_add_all(struct maker *maker);
/* Fills in schema, output and the two texts. */
void maker_print(struct maker *maker);

/* A schema without what clients do not take: unions of types, nulls among values, formats and
 * annotations that only say what the type does. `any`: the type of what may be anything. */
struct json schema_plain(struct arena *arena, struct json schema, const char *any);

/* Fills in name and title. */
void maker_name(struct maker *maker);
/* Fills in the description, once the arguments are there. */
void maker_describe(struct maker *maker);
struct str tool_name_native(const struct maker *maker, const struct native_method *method);
struct str tool_name_unified(const struct maker *maker, struct str resource, struct str method);
struct str tool_resource(const struct tool *tool);
/* "interview_results" is "interview results". */
struct str tool_spaced(struct arena *arena, struct str name);
/* [a-z0-9_] of any name: "created_at[gt]" is "created_at_gt". */
struct str tool_word(struct arena *arena, struct str name);

#endif

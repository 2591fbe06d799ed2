/* The compiled tree: immutable, shared by threads. Each node carries the function that evaluates
 * it, chosen by the compiler for just that case, and what that function needs: slots of variables,
 * hashes of keys, builtins. */
#ifndef LANG_JSONATA_NODE_H
#define LANG_JSONATA_NODE_H

#include "lang/jsonata/lexer.h"
#include "lang/jsonata/signature.h"

struct evaluation;
struct frame;
struct node;
struct scope;
struct call_site;

/* Evaluates a node with `input` as the context. The answer may be a raw sequence;
 * jsonata_run() makes a value of it. */
typedef struct json run_function(struct evaluation *e, const struct node *node, struct json input,
				 struct frame *frame);

/* `arguments` are checked and there are at least 4 of them, the missing ones undefined. */
typedef struct json builtin_function(struct evaluation *e, const struct json *arguments,
				     const struct call_site *site);

struct builtin {
	struct str name;
	builtin_function *call;
	uint8_t arity; /* as JavaScript counts it: decides what a higher-order function passes */
	struct str signature;
};

/* A builtin as a value. */
struct builtin_value {
	const struct builtin *builtin;
	const struct signature *signature;
};

enum node_kind {
	NODE_LITERAL,
	NODE_CONTEXT,
	NODE_ROOT,
	NODE_VARIABLE,
	NODE_HOST_VARIABLE,
	NODE_NAME,  /* a field of the context, as a step */
	NODE_FIELD, /* a path of one name */
	NODE_PATH,
	NODE_WILDCARD,
	NODE_DESCENDANT,
	NODE_BINARY,
	NODE_CHAIN, /* & and or, of any length */
	NODE_NEGATE,
	NODE_ARRAY,
	NODE_OBJECT,
	NODE_BLOCK,
	NODE_CONDITION,
	NODE_BIND,
	NODE_LAMBDA,
	NODE_CALL,
	NODE_PARTIAL,
	NODE_APPLY,
	NODE_TRANSFORM,
	NODE_REGEX,
	NODE_SORT,
	NODE_FILTERED, /* an expression with predicates or a grouping behind it */
};

/* Where a variable may be: the first bound one counts. */
struct candidate {
	uint16_t hops;
	uint16_t slot;
};

struct pair {
	const struct node *key;
	const struct node *value;
	struct json_member member; /* of a constant key, still without the value */
};

struct object_node {
	struct pair *pairs;
	uint32_t count;
	bool is_constant; /* all keys are constant and differ */
};

struct node_stage {
	const struct node *filter; /* NULL: an index */
	uint32_t index_slot;
};

struct step {
	const struct node *node;
	const struct node_stage *stages;
	uint32_t stage_count;
	bool is_cons;
	bool is_variable;
	bool is_name;
	/* slots of the tuple; 0: none */
	uint16_t focus_slot;
	uint16_t index_slot;
	uint16_t ancestor_slot;
};

struct path {
	struct step *steps;
	uint32_t count;
	uint32_t tuple_from; /* first step of the tuple stream; count: it is none */
	bool keeps_singleton;
	bool wants_sequence; /* even one item must be seen to be a sequence */
	bool hands_tuples_on;
	bool is_head; /* the part of a path before its tuples: its last step is not the last */
	const struct node *group;
	uint32_t group_position;
	const struct scope *tuple_scope;
};

struct sort_term {
	const struct node *node;
	bool is_descending;
};

/* What a fault tells of the call it came through. */
struct call_mark {
	struct json token; /* the spelling of the procedure; JSON_UNDEFINED: it has none */
	uint32_t position;
};

struct call {
	const struct node *procedure;
	const struct node *const *arguments; /* of a partial application NULL: a placeholder */
	uint32_t count;
	const struct builtin *builtin; /* known at compile time, else NULL */
	const struct signature *signature;
	struct call_mark mark;	    /* of the call */
	struct call_mark tail_mark; /* of the same in tail position */
	bool names_path;	    /* the procedure is a name without its dollar sign */
	const struct node *hint;    /* the variable of that name */
	const struct scope *scope;
	uint16_t hops; /* frames between the call and `scope`: $eval in tail position alone */
	const void *prepared; /* of a constant picture; see picture.h */
};

struct lambda {
	const struct node *body;
	const uint16_t *slots; /* of the parameters */
	uint32_t parameter_count;
	const struct signature *signature;
	const struct scope *scope;
};

struct node {
	run_function *run;
	uint8_t kind;
	uint8_t op;
	bool keeps_array;
	bool is_cons;
	bool is_index_literal; /* a number, which as a predicate is an index */
	bool may_fold;	       /* at compile time: see fold.c */
	bool is_array_syntax;  /* written as [ … ]: not flattened by an array around it */
	uint32_t position;
	union {
		struct json literal;
		struct {
			struct str key;
			uint32_t hash;
		} name;
		struct {
			const struct candidate *candidates;
			uint32_t count;
			uint32_t index;		     /* of a host variable */
			const struct node *fallback; /* when nothing is bound; may be NULL */
			struct str name;
		} variable;
		struct {
			const struct node *lhs;
			const struct node *rhs;
			const struct node *third;
			const struct node *clone; /* of a transformation: the variable $clone */
		} operands;
		struct {
			const struct node *const *items;
			uint32_t count;
			const struct scope *scope;
			const uint32_t *positions; /* of the operators before them */
		} list;
		struct {
			const struct node *value;
			uint16_t slot;
			uint16_t hops;
			struct str name;
		} bind;
		struct object_node object;
		struct path path;
		struct call call;
		struct lambda lambda;
		struct {
			const struct sort_term *terms;
			uint32_t count;
		} sort;
		struct {
			const struct node *base;
			const struct node *const *filters;
			uint32_t count;
			const struct node *group;
			uint32_t group_position;
			const struct scope *tuple_scope; /* NULL: it gives no tuples */
		} filtered;
		struct regex *regex;
	};
};

enum scope_kind { SCOPE_PLAIN, SCOPE_TUPLE };

struct name_list {
	struct str *items;
	uint32_t count;
	uint32_t capacity;
};

/* What a frame holds, at compile time; kept for $eval. A scope without names has no frame,
 * except that of a tuple: slot 0 its item, then all tuple variables of the expression, then its
 * own names. */
struct scope {
	const struct scope *outer;
	enum scope_kind kind;
	bool is_lambda;
	struct name_list names;
	struct name_list *tuple_names; /* of the whole expression */
};

static inline uint32_t scope_tuple_size(const struct scope *scope)
{
	return 1 + scope->tuple_names->count;
}
static inline uint32_t scope_size(const struct scope *scope)
{
	return scope->names.count + (scope->kind == SCOPE_TUPLE ? scope_tuple_size(scope) : 0);
}

struct jsonata {
	const struct node *root;
	const struct scope *scope;
	struct str text;
	const struct jsonata_native *natives;
	size_t native_count;
	const struct str *variables;
	size_t variable_count;
	struct name_list fields;
};

/* The evaluators which the compiler chooses from, by the file they are in. */
run_function jsonata_run_literal, jsonata_run_context, jsonata_run_root, jsonata_run_variable,
	jsonata_run_host_variable, jsonata_run_block, jsonata_run_condition, jsonata_run_default,
	jsonata_run_coalesce, jsonata_run_bind, jsonata_run_array, jsonata_run_negate,
	jsonata_run_local, jsonata_run_outer, jsonata_run_chosen,
	jsonata_run_bind_around; /* evaluate.c */
run_function jsonata_run_arithmetic, jsonata_run_equal, jsonata_run_compare, jsonata_run_concat,
	jsonata_run_logic, jsonata_run_in, jsonata_run_range; /* operators.c */
run_function jsonata_run_object;			      /* group.c */
run_function jsonata_run_name, jsonata_run_field, jsonata_run_path, jsonata_run_plain_path,
	jsonata_run_wildcard, jsonata_run_descendant, jsonata_run_filtered; /* path.c */
run_function jsonata_run_tuple_path;		      /* tuple.c */
run_function jsonata_run_sort;			      /* sort.c */
run_function jsonata_run_lambda, jsonata_run_call, jsonata_run_builtin_call,
	jsonata_run_native_call, jsonata_run_tail, jsonata_run_builtin_tail, jsonata_run_partial,
	jsonata_run_apply;			      /* function.c */
run_function jsonata_run_regex;						  /* regex.c */
run_function jsonata_run_transform;					  /* transform.c */

/* NULL when there is none of that name. */
const struct builtin_value *jsonata_builtin_find(struct str name);

/* compile.c: `outer` is the scope around the text of an $eval, else NULL. NULL with the fault
 * filled. */
const struct jsonata *jsonata_compile_text(struct arena *arena, struct str text,
					   const struct jsonata_options *options,
					   const struct scope *outer, struct fault *fault);

#endif

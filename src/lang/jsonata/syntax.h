/* The syntax tree: what the parser makes and the analysis rearranges (paths become lists of
 * steps, % finds the step it speaks of). It lives in a scratch arena and is thrown away once the
 * tree of nodes (node.h) is made from it. */
#ifndef LANG_JSONATA_SYNTAX_H
#define LANG_JSONATA_SYNTAX_H

#include "lang/jsonata/lexer.h"

enum syntax_kind {
	SYNTAX_NAME,
	SYNTAX_STRING,
	SYNTAX_NUMBER,
	SYNTAX_VALUE,
	SYNTAX_VARIABLE,
	SYNTAX_REGEX,
	SYNTAX_WILDCARD,
	SYNTAX_DESCENDANT,
	SYNTAX_PARENT,
	SYNTAX_OPERATOR,    /* and, or, in where a name may stand */
	SYNTAX_PLACEHOLDER, /* ? as an argument */
	SYNTAX_END,
	SYNTAX_BINARY,
	SYNTAX_MINUS,
	SYNTAX_ARRAY,
	SYNTAX_OBJECT,	  /* items: key, value, key, value … */
	SYNTAX_CALL,	  /* lhs: procedure, items: arguments */
	SYNTAX_PARTIAL,	  /* the same with placeholders */
	SYNTAX_LAMBDA,	  /* items: parameters, lhs: body */
	SYNTAX_CONDITION, /* lhs ? rhs : third */
	SYNTAX_DEFAULT,	  /* lhs ?: rhs */
	SYNTAX_COALESCE,  /* lhs ?? rhs */
	SYNTAX_BLOCK,
	SYNTAX_TRANSFORM, /* | lhs | rhs , third | */
	/* made by the analysis */
	SYNTAX_BIND,  /* text := rhs */
	SYNTAX_APPLY, /* lhs ~> rhs */
	SYNTAX_PATH,  /* items: steps */
	SYNTAX_SORT,  /* items: terms; term.is_descending */
};

/* What a % stands for. */
struct ancestor {
	int label;
	int level;
};

struct syntax_list {
	struct syntax **items;
	uint32_t count;
	uint32_t capacity;
};

struct ancestor_list {
	struct ancestor **items;
	uint32_t count;
	uint32_t capacity;
};

/* What follows a step: [filter] or #$index. */
struct stage {
	struct syntax *filter;
	struct str index;
	uint32_t position;
	struct stage *next;
};

struct syntax {
	enum syntax_kind kind;
	enum operator op;
	uint32_t position;
	uint32_t depth;	 /* of the tree below, this node counted */
	struct str text; /* spelling; the decoded text of a string; the pattern of a regex */
	struct json value;
	struct syntax *lhs;
	struct syntax *rhs;
	struct syntax *third;
	struct syntax_list items;
	struct signature *signature;
	bool ignores_case;
	bool is_multiline;
	bool keeps_array;	   /* [] stands behind it */
	bool is_descending;	   /* a term of ^() */
	bool is_tail;		   /* a call in tail position */
	bool is_cons;		   /* an array constructor that a path must not flatten */
	bool keeps_singleton;	   /* a path one of whose steps keeps the array */
	bool is_tuple;		   /* a step of a tuple stream; a path that hands its tuples on */
	struct stage *predicate;   /* filters of an expression */
	struct stage *stages;	   /* filters and indices of a step */
	struct syntax *group;	   /* SYNTAX_OBJECT behind it */
	struct str focus;	   /* @$name; data NULL: none */
	struct str index;	   /* #$name */
	struct ancestor *ancestor; /* a step whose input a % names; a % itself */
	struct ancestor_list *seeking; /* % below which have not found their step yet */
};

struct parser {
	struct lexer lexer;
	struct token token;
	struct arena *arena;	  /* scratch */
	struct arena *text_arena; /* of decoded strings, which outlive it */
	struct fault *fault;
	uint32_t nesting;
	uint32_t depth_max;
	int label_count;
	uint32_t seeks; /* steps looked at for the meaning of % */
};

/* NULL with *fault filled. */
struct syntax *jsonata_parse(struct parser *parser, struct str text);
/* The analysis: returns the rearranged tree, or NULL with the fault filled. */
struct syntax *jsonata_analyse(struct parser *parser, struct syntax *tree);

/* The node as an error names it: a literal by its value, the others as they are spelt. */
struct json jsonata_syntax_token(const struct syntax *node);
struct syntax *jsonata_syntax_create(struct parser *parser, enum syntax_kind kind);
void jsonata_syntax_add(struct parser *parser, struct syntax_list *list, struct syntax *item);

#endif

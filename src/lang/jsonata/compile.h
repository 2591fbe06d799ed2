/* What the two halves of the compiler share: compile.c makes nodes, scope.c gives names their
 * places. */
#ifndef LANG_JSONATA_COMPILE_H
#define LANG_JSONATA_COMPILE_H

#include "lang/jsonata/node.h"

/* A node whose name is resolved when all scopes are known. */
struct pending {
	struct node *node;
	struct scope *scope;
	struct str name;
	bool is_tail;
	struct pending *next;
};

/* A node that may turn out to be constant; in the order they were made, so parts come first. */
struct folding {
	struct node *node;
	struct folding *next;
};

struct compiler {
	struct arena *arena;
	struct arena *scratch; /* for what only compiling needs */
	struct jsonata *program;
	struct name_list *tuple_names;
	struct scope *scope;
	struct fault *fault;
	struct pending *references; /* variables, newest first */
	struct pending *binds;
	struct pending *calls; /* whose procedure is a variable */
	struct folding *foldings;
	struct folding **foldings_end;
};

/* The place of a name in a list; it is added when new. */
uint32_t jsonata_scope_name(struct compiler *c, struct name_list *names, struct str name);
struct scope *jsonata_scope_open(struct compiler *c, enum scope_kind kind);
void jsonata_scope_close(struct compiler *c, const struct scope *scope);
/* Slot of a tuple's variable; 0 where name.data is NULL. */
uint32_t jsonata_scope_tuple_slot(struct compiler *c, struct str name);
/* Puts the node on a list of those to resolve, with the scope it stands in. */
/* Whether the innermost frame has a place for it. */
bool jsonata_scope_has(const struct scope *scope, struct str name);
void jsonata_scope_note(struct compiler *c, struct pending **list, struct node *node,
			struct str name);
/* Resolves all that was noted. */
void jsonata_scope_resolve(struct compiler *c);

/* fold.c: notes a new node which constants alone may decide; and, once names are resolved, makes
 * literals of those that they do. */
void jsonata_fold_note(struct compiler *c, struct node *node);
void jsonata_fold(struct compiler *c);

#endif

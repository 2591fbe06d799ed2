/* One of the processes that share a store, and the work that each takes for itself.
 *
 * A node has a row with a lease, by the clock of the database, which a thread renews. One that
 * cannot renew it in time has lost it: whoever works under it asks node_has() and stops by
 * himself, others may take up its work, and it goes on under a new name. What one process alone
 * can have (SQLite) has a node all the same, whose lease does not end before its process.
 *
 * Work is a row of any table with the columns `owner` (a node's name; '': nobody) and `fence`. Who
 * claims it moves the fence, and says the fence in whatever he writes for it: then nothing is
 * written by one who has lost it, however late he is.
 * (Martin Kleppmann, https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html) */
#ifndef ATS_NODE_NODE_H
#define ATS_NODE_NODE_H

#include "base/clock.h"
#include "base/random.h"
#include "io/store/store.h"

struct node;

enum {
	NODE_NAME_BYTES = 36, /* "nod_" and 32 hex digits */
	NODE_SLOTS = 64,      /* nodes that there can be at once */
};

struct node_options {
	struct store *store; /* with the tables of db/ */
	const struct clock *clock;
	const struct random *random;
	/* Names the data folder: what an earlier process of that folder had is free at once, for
	 * the folder's lock says that it is dead. */
	struct str folder;
	bool is_alone; /* no other process has the store */
	const char *version;
};

/* Takes a name, and starts to renew its lease. ERROR_CONFLICT: there are NODE_SLOTS nodes. */
struct node *node_create(const struct node_options *options, struct error *err) MUST_CHECK;
/* Gives the name back, and with it all that it claims. NULL is accepted. */
void node_destroy(struct node *node);
/* The name of a data folder, kept in a file in it, made when it is missing. In the arena. */
bool node_folder(struct arena *arena, const char *path, const struct random *random,
		 struct str *folder, struct error *err) MUST_CHECK;

/* A name it has for now, and which of its names that is: 1, 2, 3 … */
struct node_term {
	char name[NODE_NAME_BYTES + 1];
	int64_t number;
};
void node_now(struct node *node, struct node_term *term);
/* Is the lease of that name still ours? A moment before others may think it is not, it is not. */
bool node_has(const struct node *node, int64_t number);
/* 0 to NODE_SLOTS - 1: no other node that lives has it. */
int64_t node_slot(const struct node *node);
bool node_is_alone(const struct node *node);
/* How many there are that live. */
bool node_count(struct node *node, int64_t *count, struct error *err) MUST_CHECK;
/* They themselves, the oldest first; in the arena. */
struct node_peer {
	struct str name;
	struct str version; /* of its program */
	int64_t started_ms;
	bool is_own; /* it is this one */
};
bool node_list(struct node *node, struct arena *arena, struct node_peer **peers, size_t *count,
	       struct error *err) MUST_CHECK;

/* --- work ------------------------------------------------------------------------------------ */

/* In SQL: nobody who lives has it. `now`: a parameter with this process's time, which stands for
 * the database's where that has none (SQLite). */
#define NODE_IS_FREE(owner, now)                                                                  \
	"(" owner " = '' OR NOT EXISTS (SELECT 1 FROM node WHERE node.id = " owner                 \
	" AND node.until_ms > now_ms(" now ")))"

/* A claim of rows: ?1 the node's name, ?2 how many at most, ?3 the time, ?4 … others. `key` is what
 * a row is known by, in brackets where it is several columns, and `keys` the same without.
 * `due`: a condition. Gives back `columns`; `fence` is the new one.
 *
 * On PostgreSQL rows are found again by where they lie (ctid), which costs less than by their keys,
 * and no more when there are many; one that has moved since the statement began is not seen, and is
 * claimed next time. So the table must not be partitioned; event, webhook_delivery, record and
 * call_log are. */
#define NODE_CLAIM(table, key, keys, due, order, columns)                                         \
	STORE_TEXTS(NODE_CLAIM_TEXT(table, due, order, columns, key " IN (", keys, ")"),           \
		    NODE_CLAIM_TEXT(table, due, order, columns,                                    \
				    table ".ctid = ANY (ARRAY(", table ".ctid",                    \
				    " FOR UPDATE SKIP LOCKED))"))
#define NODE_CLAIM_TEXT(table, due, order, columns, open, what, close)                            \
	"UPDATE " table " SET owner = ?1, fence = " table ".fence + 1 WHERE " open "SELECT " what  \
	" FROM " table " WHERE " due " AND " NODE_IS_FREE(table ".owner", "?3")                    \
	" ORDER BY " order " LIMIT ?2" close " RETURNING " columns

struct node_claim {
	const char *sql; /* NODE_CLAIM() */
	int64_t rows_max;
	const struct store_value *more; /* ?4 and on */
	size_t more_count; /* at most 4 */
};
/* Takes some for this node. None, where its lease is lost. */
bool node_claim(struct node *node, struct arena *arena, const struct node_claim *claim,
		struct node_term *term, struct store_rows *rows, struct error *err) MUST_CHECK;

/* --- duties ---------------------------------------------------------------------------------- */

/* Something that one node at a time does, known by a name ("retention"). */
struct node_duty {
	struct str name;
	struct node_term term;
	int64_t fence;
};
/* *is_ours: it was free, and is this node's until node_end_duty(). Who of a node takes it is the
 * caller's matter: a node that has it already gets it again, and one that is alone has each, with
 * nothing written. */
bool node_take_duty(struct node *node, struct str name, struct node_duty *duty, bool *is_ours,
		    struct error *err) MUST_CHECK;
/* It is free again; a failure is logged. */
void node_end_duty(struct node *node, const struct node_duty *duty);
/* Belongs to each write that is made for the duty: refused when another has it. In the arena. */
struct store_statement node_duty_statement(struct node *node, struct arena *arena,
					   const struct node_duty *duty);

#endif

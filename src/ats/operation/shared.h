/* What one limiter has of a limit that several nodes share: calls which the database has granted
 * it, and what it has to tell there. Private to this room, and without a lock of its own: the
 * limiter's is held.
 *
 * Only one message of a limiter is under way at a time. Each tells all that is so: a message whose
 * answer is lost needs no care, for the next one tells what was used of it, and what was not is
 * free again. */
#ifndef ATS_OPERATION_SHARED_H
#define ATS_OPERATION_SHARED_H

#include "ats/node/node.h"

struct shared_message {
	struct str environment_id;
	struct str account_id;
	struct node_term term;
	int64_t number;  /* grows with each message of a node */
	int64_t granted; /* calls that were made or may be, in all */
	int64_t ended;   /* those which have their answers, in all */
	/* What is asked for. */
	int64_t wanted; /* calls that wait; 0: none; -1: as told before, it is not time yet */
	int64_t ahead;	/* of use besides, while there is plenty */
	bool is_background;
	int64_t share_percent;
	int64_t left;  /* for the others, of the share */
	int64_t spare; /* and beyond it */
	/* The limit. */
	int64_t requests;
	int64_t length_us;
	bool is_window;
	int64_t concurrent;
	int64_t pause_us; /* that the ATS ordered; 0: none */
};

struct shared_answer {
	int64_t tokens;	  /* more than were wanted: there is plenty */
	int64_t wait_us;  /* none, and when to ask again */
	int64_t pause_us; /* from now on */
};

/* Who grants. Of a context, so that tests can be it. */
struct shared_source {
	void *context;
	void (*now)(void *context, struct node_term *term);
	bool (*has)(void *context, int64_t term);
	bool (*ask)(void *context, const struct shared_message *message,
		    struct shared_answer *answer, struct error *err);
};

struct shared_database {
	struct store *store;
	struct node *node;
};
/* The function rate_take() of the database (db/postgresql/functions.sql). ERROR_INTERNAL: a later
 * message of the node was there before (wait_us is negative). */
bool shared_ask(struct store *store, const struct shared_message *message,
		struct shared_answer *answer, struct error *err) MUST_CHECK;
/* The same, as long as the node has its lease. */
struct shared_source shared_source(struct shared_database *database);

#define SHARED_NEVER INT64_MAX

struct shared {
	int64_t tokens;	      /* in hand */
	int64_t ahead;	      /* of them, at most so many were not wanted when they came */
	int64_t used;	      /* by the front, since the last message */
	int64_t granted;      /* see shared_message */
	int64_t ended;
	int64_t told_granted; /* by the last message that arrived, and its answer */
	int64_t told_ended;
	int64_t number;
	int64_t term;	      /* of the node's names, the one which the tokens are for */
	/* Of the front and of the back: */
	int64_t ask_ns[2];    /* not to be asked before */
	int64_t due_ns[2];    /* nothing will be granted before, as it looks */
	int64_t told_pause_ns; /* until when there is a pause, as the database knows it */
	int64_t rest_ns;      /* there is plenty: until then nobody needs to know what has ended */
	bool is_awaited;      /* it was told to come again */
	bool is_busy;	      /* a message is under way */
	bool is_telling;      /* a fiber sees to it that what is to be told is */
};

/* Fills what is told of calls. */
void shared_begin(struct shared *shared, const struct shared_source *source, int64_t now_ns,
		  struct shared_message *message);
/* After the answer, or without one when none has come. */
void shared_end(struct shared *shared, const struct shared_message *message,
		const struct shared_answer *answer, int64_t now_ns);

/* A call may be made: the granting is as good as the node's lease. */
bool shared_has_token(struct shared *shared, const struct shared_source *source);
/* What the front takes it is likely to take again. */
void shared_take(struct shared *shared, bool is_background);
/* One of the calls has its answer. */
void shared_release(struct shared *shared);
/* Those are given back that are more than those who wait, and what was granted ahead for others. */
void shared_give_back(struct shared *shared, int64_t waiters);
/* All of what was granted ahead. */
void shared_give_ahead_back(struct shared *shared);
/* When the database is to be told something although nothing is asked for; SHARED_NEVER. */
int64_t shared_due_ns(const struct shared *shared, bool counts_ended, bool is_waited_for);

#endif

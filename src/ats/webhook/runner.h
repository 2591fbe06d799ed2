/* Private to this room: what a runner keeps. All of it is used on the runner's loop only. */
#ifndef ATS_WEBHOOK_RUNNER_H
#define ATS_WEBHOOK_RUNNER_H

#include "ats/webhook/queue.h"

/* How fast an endpoint is asked. */
struct pace {
	unsigned allowed;      /* calls at once */
	unsigned failures;     /* in a row */
	unsigned throttles;    /* in a row */
	int64_t quiet_until_ms; /* no call at all before then: it asked for that */
	int64_t fresh_from_ms;	/* nothing that was never tried before then: it is down */
};
void pace_init(struct pace *pace);
/* True: it had been down. */
bool pace_note(struct pace *pace, const struct attempt *attempt, int64_t now_ms,
	       const struct random *random);

/* One endpoint that is active. */
struct sender {
	struct arena arena; /* of the endpoint as it was read */
	struct webhook webhook;
	struct sender *next;
	int64_t term;	  /* of the node, under which it has this endpoint */
	bool is_lost;	  /* it is another's by now: nothing is sent or written for it */
	bool is_leaving;  /* nothing is begun any more: it is to be given back */
	bool is_ended;	  /* removed, or not active any more: it goes when nothing is under way */
	bool is_loaded;	  /* its rows are in the queue */
	bool has_more;	  /* but for pending ones behind loaded_to */
	int64_t loaded_to;
	int64_t *settled; /* numbers that were settled before the start, ascending */
	size_t settled_count;
	struct queue queue;
	struct pace pace;
	struct webhook_key keys[WEBHOOK_SECRETS_MAX];
	size_t key_count;
	int64_t keys_until_ms;
	int64_t blocked_until_ms; /* its rows or keys could not be read */
	size_t flying;
	bool is_being_stored, is_being_given;
	int64_t newest; /* of its environment's events, as far as it is known */
	int64_t seen_stored, seen_writing, stored_ms;
	int64_t failing_ms, delivered_ms;
};

struct runner {
	struct webhook_runner *base;
	struct webhooks *webhooks;
	struct sender *senders; /* in the order of their environments */
	struct call *calls;	/* under way */
	bool is_stale;		/* endpoints have changed */
	bool has_heir;		/* one that is ended is active again, once its calls are over */
	bool has_news;		/* the bell has rung */
	int64_t looked_ms;	/* when it looked for free endpoints */
	bool is_stopping;
	bool is_interrupting;
	struct loop_wait *wait;	      /* of the fiber that drives */
	struct loop_wait *store_wait; /* of the one that stores */
	bool is_poked, is_store_poked;
	struct fiber *listener;
	size_t fibers; /* of its own that are alive */
	bool is_driving;
};

/* The fiber that webhooks_tell() posts. */
void runner_told(void *state);
void runner_poked(void *state); /* the same, posted */
void runner_poke(struct runner *runner);
void runner_poke_store(struct runner *runner);

/* --- senders.c: endpoints in memory ----------------------------------------------------------- */

/* Reads the endpoints anew. */
bool senders_reload(struct runner *runner, struct error *err) MUST_CHECK;
/* Which environments have events that their endpoints do not know of. */
void senders_look(struct runner *runner);
/* A write was refused: which of them are another's? False: none. */
bool senders_verify(struct runner *runner);
/* Frees those that are ended and have nothing under way. */
void senders_reap(struct runner *runner);
void sender_destroy(struct sender *sender);
/* Puts some more into the queue, if there is room. */
bool sender_has_room(const struct sender *sender);
bool sender_fill(struct runner *runner, struct sender *sender, struct error *err) MUST_CHECK;

/* --- claim.c: which of them are this node's --------------------------------------------------- */

/* Claims free ones, and says how many are to be given back. */
bool claims_look(struct runner *runner, struct error *err) MUST_CHECK;
/* Chooses some that leave, where there are too many. */
void claims_choose(struct runner *runner);
/* Gives one back that leaves, once nothing of it is under way. False: that failed. */
bool sender_leave(struct runner *runner, struct sender *sender);
/* Gives back all that a runner has, at its end. */
void claims_end(struct runner *runner);
bool sender_is_ours(const struct runner *runner, const struct sender *sender);
void sender_lose(struct sender *sender);

/* --- fly.c: calls ----------------------------------------------------------------------------- */

/* Starts what may start; when it is to be looked at again (unix ms). */
int64_t sender_drive(struct runner *runner, struct sender *sender, int64_t now_ms);
void calls_interrupt(struct runner *runner);

/* --- store.c: results ------------------------------------------------------------------------- */

void runner_store(void *state); /* the fiber */
/* The endpoint is over: with the event that tells of it. In a fiber. */
void sender_end(struct runner *runner, struct sender *sender, const char *state,
		const char *event, struct str reason);

#endif

/* Private to this room: what one endpoint is still to be told, in memory. Things that happened to
 * one record (or one account) form a chain, of which only the first may be sent; the next waits
 * until it is delivered or given up. No clock, no store, no network. */
#ifndef ATS_WEBHOOK_QUEUE_H
#define ATS_WEBHOOK_QUEUE_H

#include "ats/webhook/parts.h"
#include "base/map.h"

enum item_state {
	ITEM_HELD,    /* another of its chain is before it */
	ITEM_READY,
	ITEM_FLYING,  /* a call is under way */
	ITEM_WAITING, /* until next_ms */
	ITEM_DELIVERED,
	ITEM_FAILED,  /* given up */
};

struct item {
	int64_t number;
	struct str type, account_id, resource, record_id; /* within the item's own memory */
	enum item_state state;
	int64_t attempts, first_ms, last_ms, next_ms, duration_ms;
	int status;
	char *error, *reply; /* of the last attempt; NULL: nothing */
	char *body;	     /* NULL: it is to be made again from the event */
	size_t body_len;
	bool is_stored;	     /* it has a row, so that the endpoint's place may move past it */
	bool is_dirty;	     /* the row is not as this is */
	bool is_being_stored;
	struct item *follower;
	struct item *next;	   /* in the list of ready ones */
	struct item *next_dirty;
	struct item *older, *newer; /* of those without a row, by number */
	size_t place;		   /* in the heap + 1 */
};

struct item_list {
	struct item *first, *last;
};

struct queue {
	struct map chains;    /* subject -> last item */
	struct map by_number;
	struct item_list fresh_ready, again_ready; /* never tried, tried before */
	struct item_list dirty;
	struct item_list unstored; /* through older, newer */
	struct item **heap;	   /* of those that wait, the soonest first */
	size_t heap_count, heap_room;
	size_t count;		   /* all that are not dropped */
	size_t unstored_count;
	size_t body_bytes;
	int64_t read_to;	   /* events up to it have been looked at */
};

void queue_init(struct queue *queue, int64_t read_to, const struct random *random);
/* Frees all items. */
void queue_finish(struct queue *queue);

/* Behind all others of its chain: ready, or held. `is_stored`: out of its row. Numbers of one chain
 * must come in their order. The body is copied (NULL: none). */
struct item *queue_add(struct queue *queue, const struct item *like, bool is_stored,
		       struct str body);
struct item *queue_find(const struct queue *queue, int64_t number);
/* One that is ready, which flies from then on; NULL: none. */
struct item *queue_take(struct queue *queue, bool takes_fresh);
/* It did not fly after all. */
void queue_put_back(struct queue *queue, struct item *item);
/* It is delivered or given up: the next of its chain is ready. To be stored. */
void queue_settle(struct queue *queue, struct item *item, bool is_delivered);
/* It is to be sent again: it waits, with all of its chain behind it. To be stored. */
void queue_postpone(struct queue *queue, struct item *item, int64_t next_ms);
/* Those whose time has come are ready. When the next one's comes; INT64_MAX: none waits. */
int64_t queue_wake(struct queue *queue, int64_t now_ms);
/* Whatever waits longer is due at a time up to until_ms. */
void queue_hurry(struct queue *queue, int64_t now_ms, int64_t until_ms,
		 const struct random *random);

/* One that is to be stored: it is being stored from then on, and stays until queue_stored(). */
struct item *queue_take_dirty(struct queue *queue);
/* Of one that was taken: dropped once it is settled and stored as it is. Where it failed they are
 * given back in the opposite order. */
void queue_stored(struct queue *queue, struct item *item, bool ok);
/* Up to which number all is settled or has a row, once what is being stored is. */
int64_t queue_seen(const struct queue *queue);

#endif

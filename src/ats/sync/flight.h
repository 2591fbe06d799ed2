/* One run under way. Private to this room. */
#ifndef ATS_SYNC_FLIGHT_H
#define ATS_SYNC_FLIGHT_H

#include "ats/sync/parts.h"

/* How a run, or a part of it, ends. */
enum flight_end {
	FLIGHT_DONE,
	FLIGHT_FAILED,	/* flight->err tells */
	FLIGHT_LEFT,	/* it goes on later: paused, outside its window, the server ends */
	FLIGHT_STOPPED, /* it was given up */
	FLIGHT_GONE,	/* somebody else has the job, or there is none any more */
};

/* Which records were met: bits by their number. */
struct seen {
	unsigned char *bits;
	size_t bytes;
	bool *is_dirty; /* per chunk: not in the store as it is */
	size_t chunks;
};
enum { SEEN_CHUNK_BYTES = 4096 };

/* In how many records each field was told. */
enum { SHARES_MAX = 64 };
struct shares {
	struct str names[SHARES_MAX];
	int64_t counts[SHARES_MAX];
	size_t count;
};

/* Where a run is. */
enum flight_phase { PHASE_LIST, PHASE_MISSING };
struct whereabouts {
	enum flight_phase phase;
	int64_t parent;	 /* number of the last record of the parent that is done */
	int64_t after;	 /* missing ones up to this number are done */
	int64_t checked; /* missing ones that were asked for one by one */
	int64_t page;	 /* of a full run's list: 0, 1, 2 … */
	bool is_cut;	 /* not each list was one answer of the ATS */
	size_t cursor_len;
	char cursor[SYNC_CURSOR_BYTES_MAX];
};

struct sync_flight {
	struct sync_task task;
	struct sync_runner *runner;
	struct syncs *syncs;
	const struct operation_services *services;
	struct sync_claim *claim;
	struct arena arena; /* of the run */
	struct sync_job job;
	struct sync_run run;
	struct account account;
	const struct unified_resource *resource;
	struct copy_place place;
	struct copy_state before; /* of the copy, when the run began */
	struct whereabouts at;
	struct seen seen;
	struct shares shares;
	int64_t page_records; /* asked for at once; 0: the list has not begun */
	bool is_keeping; /* a page is not in the copy yet, at which `at` is past: */
	struct whereabouts page_at; /* before it */
	struct shares page_shares;
	struct str since;	   /* an incremental run's filter value; empty: none */
	struct str since_name;
	bool is_by_creation;
	int64_t mark_ms;
	int64_t told_ms; /* of the last checkpoint */
	int64_t later_ms; /* there is no run, and none before; 0: at once */
	int64_t retry_ms; /* the run failed, and is not to be begun again before */
	bool is_resumed;
	bool knows_no_pages; /* what is kept of them is of no use in this run */
	const char *reason; /* of a failure that is none of the ATS: "deletion_guard"; NULL */
	struct error err;
	struct str remote; /* what the ATS said */
};

/* --- ask.c ----------------------------------------------------------------------------------- */

/* A list or a get, tried until it succeeds, it is no use, or the run is to end. The arena is begun
 * anew for each try; whatever happens, it is the caller's to finish. */
enum flight_end flight_ask(struct sync_flight *flight, struct arena *arena,
			   const struct operation *operation, struct operation_result *result,
			   int64_t *read_ms);
/* Is the run to end? */
enum flight_end flight_look(struct sync_flight *flight);

/* --- list.c ---------------------------------------------------------------------------------- */

/* All pages of the list from flight->at on, into the copy. `filters`: with these. */
enum flight_end flight_list(struct sync_flight *flight, const struct operation_filter *filters,
			    size_t filter_count);

/* --- checkpoint.c ---------------------------------------------------------------------------- */

bool seen_has(const struct seen *seen, int64_t number);
void seen_mark(struct seen *seen, int64_t number);
bool seen_load(struct syncs *syncs, struct arena *arena, const struct sync_job *job,
	       struct seen *seen, struct error *err) MUST_CHECK;
void seen_finish(struct seen *seen);
/* The run as it would be after `records` more with these counts: its row, refused where somebody
 * else has the job, and what has been seen since the last time. */
void flight_statements(struct sync_flight *flight, struct arena *arena, int64_t records,
		       const struct copy_counts *counts, const struct store_statement **list,
		       size_t *count);
/* The same for a write that leaves the run where it is. In the arena. */
struct sync_guard flight_guard(const struct sync_flight *flight, struct arena *arena);
/* Once they are written. */
void flight_told(struct sync_flight *flight);
/* Writes them by themselves. False when the job is not ours any more, or the store fails: then
 * *end says how it ends. */
bool flight_checkpoint(struct sync_flight *flight, enum flight_end *end);
bool whereabouts_read(struct json value, struct whereabouts *at);
bool shares_read(struct arena *arena, struct str text, struct shares *shares);
void shares_count(struct arena *arena, struct shares *shares, struct json record);
void shares_add(struct arena *arena, struct shares *shares, const struct shares *more);
struct str shares_print(struct arena *arena, const struct shares *shares);

/* --- known.c --------------------------------------------------------------------------------- */

/* A page of the list, as it came and as it was taken in. */
struct known_page {
	struct str answer; /* of the ATS (operation_result.answer); empty: not to be known again */
	struct str stand;  /* of its records in the copy, right after it (copy_read_stand()) */
	struct str ids;	   /* theirs: a JSON array */
	int64_t id_count;
	int64_t records; /* with those that were left out */
	struct shares shares;
	int64_t mark_ms;
	struct str next_cursor;
};
/* Can pages of this run's list be known from the run before? */
bool known_is_possible(const struct sync_flight *flight);
/* What is kept of the page flight->at is at; answer empty: nothing. */
bool known_find(struct sync_flight *flight, struct arena *arena, struct known_page *page,
		struct error *err) MUST_CHECK;
/* Is the copy of its records as the page left it? numbers[i] gets that of its i-th record. */
bool known_holds(struct sync_flight *flight, struct arena *arena, const struct known_page *page,
		 int64_t *numbers, struct error *err);
/* Keeps the page in place of what was kept. */
struct store_statement known_keep(const struct sync_flight *flight, struct arena *arena,
				  const struct known_page *page);
/* The list had this many pages: what is kept of others goes. */
struct store_statement known_forget(const struct sync_flight *flight, struct arena *arena,
				    int64_t pages);

/* --- page.c ---------------------------------------------------------------------------------- */

struct page {
	struct copy_companion companion;
	struct operation_memory memory;
	struct sync_flight *flight;
	struct arena arena;
	struct operation_result result;
	int64_t read_ms;
	enum flight_end end; /* of asking for it, then of keeping it */
	struct error err;    /* why it is not kept; without a code flight->err tells */
	int64_t records;     /* of the page that are in this write */
	struct copy_counts counts;
	bool is_told;
	struct known_page before; /* answer empty: nothing is kept of it */
	struct known_page now;
	int64_t *numbers; /* of before.ids */
};
bool page_tell(struct copy_companion *companion, struct arena *arena, const struct copy_told *told,
	       const struct store_statement **more, size_t *more_count, struct error *err);
bool page_knows(struct operation_memory *memory, struct arena *arena, struct str answer,
		struct str *next_cursor);
/* Its records into the copy. */
enum flight_end page_keep(struct page *page);

/* --- missing.c ------------------------------------------------------------------------------- */

/* After a sweep: what of the copy it has not met. */
enum flight_end flight_missing(struct sync_flight *flight);

/* --- parent.c -------------------------------------------------------------------------------- */

/* The list under each record of the parent resource; an incremental run takes those only that
 * have changed. */
enum flight_end flight_each(struct sync_flight *flight);

/* --- drift.c --------------------------------------------------------------------------------- */

/* Events of what is strange about a full run against the one before; adds them to the list. */
bool flight_drift(struct sync_flight *flight, struct arena *arena,
		  struct store_statement *statements, size_t *count, struct error *err) MUST_CHECK;

#endif

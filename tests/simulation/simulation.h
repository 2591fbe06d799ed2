/* The program without a machine: one process holds the clock, the network, the disk, the ATS and
 * the receivers of webhooks, all made-up and all from one seed. What is real is tenon itself. A
 * seed always gives the same run, told by the same trace. */
#ifndef TESTS_SIMULATION_SIMULATION_H
#define TESTS_SIMULATION_SIMULATION_H

#include "app/sandbox/sandbox.h"
#include "ats/copy/copy.h"
#include "ats/event/event.h"
#include "ats/inbound/inbound.h"
#include "ats/operation/operation.h"
#include "ats/schema/schema.h"
#include "ats/sync/sync.h"
#include "ats/webhook/webhook.h"
#include "base/log.h"

enum { MS_NS = 1000000, KIB = 1024, MIB = 1024 * 1024 };
#define SECOND_NS INT64_C(1000000000)

/* --- the trace ------------------------------------------------------------------------------- */

/* What happened, hashed as it happens; printed with --trace. */
struct trace {
	uint64_t hash;
	uint64_t lines;
	bool is_printed;
};
void trace(const char *format, ...) PRINTF_LIKE(1, 2);
extern struct trace the_trace;
/* An invariant does not hold: tells it with the seed, and ends the process. */
_Noreturn void broken(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- chance ---------------------------------------------------------------------------------- */

/* One in so many; never for 0. */
bool chance(struct random_seeded *seeded, uint64_t one_in);
/* Even over [least, most]. */
int64_t between(struct random_seeded *seeded, int64_t least, int64_t most);

/* --- time ------------------------------------------------------------------------------------ */

/* Passes only when the loop has nothing else to do, and then jumps to what comes next. */
struct simulated_time {
	struct clock clock;
	struct loop *loop; /* the one that makes it pass */
	int64_t now_ns;
	uint64_t turns;
};
void time_init(struct simulated_time *time);
/* The loop is made, and makes time pass once it is the one (time->loop). */
struct loop *time_make_loop(struct simulated_time *time, struct loop_hook *hook,
			    const struct random *random);

/* --- the disk -------------------------------------------------------------------------------- */

enum { SIM_FILES = 8 };

/* A write, or a cut, that no sync has made durable yet. */
struct unsynced {
	struct unsynced *next;
	int64_t at;
	size_t len;
	bool is_cut; /* the file ends at `at` */
	char bytes[];
};

struct sim_file {
	char name[64]; /* empty: a free place */
	char *bytes;   /* as the program sees them */
	size_t len, capacity;
	char *durable;
	size_t durable_len, durable_capacity;
	struct unsynced *first, **last;
};

struct sim_shm;
struct disk_twin {
	struct sim_file files[SIM_FILES];
	struct sim_shm *shm;
	uint64_t boot; /* files opened before the last crash are dead */
	uint64_t steps; /* writes, cuts and syncs so far */
	uint64_t dies_at; /* at this step the power goes; 0: never */
	uint64_t syncs;
	bool is_dead;
	void (*died)(void *context);
	void *context;
	struct random_seeded seeded;
	const struct simulated_time *time;
	/* Plain files: the master key. */
	struct disk disk;
	struct str key;
};
#define SIM_VFS "simulated"
/* The one of this process; registers itself with SQLite. */
void disk_init(struct disk_twin *disk, const struct simulated_time *time);
/* The power is gone: of what no sync has made durable, each piece stays, goes, or is torn. */
void disk_crash(struct disk_twin *disk);

/* --- the network ----------------------------------------------------------------------------- */

struct world;

/* Somebody that can be called. */
struct peer {
	struct str host;
	/* In the caller's fiber; must not wait. */
	void (*serve)(struct peer *peer, struct http_exchange *exchange);
	void *context;
	struct peer *next;
	/* Hears what is asked before it is answered; NULL: nobody does. */
	void (*listens)(struct world *world, const struct http_exchange *exchange);
	/* Its answer has come to who asked; NULL: nobody wants to know. */
	void (*answered)(struct peer *peer, const struct http_response *response);
	bool answers_json; /* what stands there instead is no answer */
	size_t under_way; /* calls to it */
};

/* How often something goes wrong: one call in so many; 0: never. */
struct weather {
	uint64_t rate_limit;
	uint64_t server_error;
	uint64_t refused; /* no connection */
	uint64_t reset;	  /* before or after it was heard */
	uint64_t stall;
	uint64_t truncate;
	uint64_t garbage;
	int64_t latency_ms; /* at most, each way */
};

struct network {
	struct http_client client; /* first */
	struct peer *peers;
	struct weather weather;
	struct random_seeded seeded;
	struct simulated_time *time;
	bool is_dead; /* the program was killed: no call goes out any more */
	uint64_t calls;
	uint64_t faults;
};
void network_init(struct network *network, struct simulated_time *time);
void network_add(struct network *network, struct peer *peer);
/* The running fiber goes no further: its program is dead. */
_Noreturn void stop_here(void);

/* --- the world ------------------------------------------------------------------------------- */

struct model;

/* What the program is made of, from its start to its death. Never taken apart: the process ends. */
struct program {
	struct arena arena;
	struct loop *loop;
	struct loop_hook hook;
	struct loop_timer kill;
	struct loop_timer nap; /* when it falls asleep, where there are two */
	struct store *store;
	struct node *node;
	struct vault *vault;
	struct accounts *accounts;
	struct operation_counts counts;
	struct operation_services services;
	struct event_bell *bell;
	struct copies *copies;
	struct syncs *syncs;
	struct inbounds *inbounds; /* of scenarios that have notices */
	struct webhooks *webhooks;
	struct webhook_runner hooks[2];
	struct sync_runner runners[2]; /* of scenarios that have them: as of two workers */
};

struct life {
	uint64_t changes; /* made so far */
	int64_t next_ns;
	int64_t gap_ms; /* between two, about */
};

/* How much the ATS may be called, and how the program keeps to it. */
enum { LIMIT_REQUESTS = 40, LIMIT_SECONDS = 10, LIMIT_CONCURRENT = 4 };
struct allowance {
	double left;
	int64_t filled_ns;
};

struct scenario {
	const char *name;
	int64_t storm_s; /* at most */
	/* Once, in a fiber of a program whose disk is then everybody's. NULL: nothing. */
	void (*prepare)(struct world *world);
	/* The seed decides what kind of run it is. */
	void (*begin)(struct world *world);
	/* Each time that the program has started: starts its fibers. */
	void (*start)(struct world *world);
	/* In a fiber, when all is calm; ends with the checks. */
	void (*finish)(struct world *world);
	/* Makes some changes at the ATS. NULL: those that ats_live() makes. */
	void (*live)(struct world *world);
	bool has_notices; /* the ATS tells of them by itself */
	uint64_t share; /* seeds of an everyday run, of a hundred */
};

struct world {
	uint64_t seed;
	const struct scenario *scenario;
	struct random_seeded chance; /* of the scenario */
	struct random_seeded program_seeded;
	struct random program_random;
	struct simulated_time time;
	struct disk_twin disk;
	struct network network;
	struct arena arena; /* of the process */
	const struct model *model;
	struct connectors connectors;
	struct sandbox *sandbox;
	struct peer ats;
	struct allowance allowance;
	struct str company_id, token;
	struct life life;
	struct environment environment;
	struct account account;
	struct program *program; /* NULL: none runs */
	int64_t storm_ends_ns;
	bool is_calm; /* nothing changes, nothing fails, nobody is killed */
	bool is_done;
	bool is_killed;
	uint64_t kills;
	uint64_t kills_left;
	int64_t kill_ms; /* so long a program lives at most, where it is to be killed */
	bool has_two_programs; /* of which one sleeps */
	int64_t nap_ms; /* so long one is awake, at most */
	struct program *sleeper;
	bool is_asleep; /* the loop was left to put its program to sleep */
	int64_t page_records; /* of sync runs */
	bool has_short_delays; /* between attempts at a webhook */
	uint64_t deliveries; /* attempts that were heard */
	uint64_t events; /* at the end */
	uint64_t steps; /* of them, those which the scenario has written itself */
	uint64_t record_events; /* of them, those which tell of records */
	void *state; /* the scenario's */
};
extern struct world the_world;

/* Definitions, the ATS, the disk with its tables: the same for all seeds. */
void world_prepare(struct world *world, const char *source, const struct scenario *scenario);
/* The program is dead from now on. */
void power_has_gone(void *context);
/* One seed, to its end. */
void world_run(struct world *world, uint64_t seed);

/* ats.c: makes it, and has it make what each seed would have to make. */
void ats_init(struct world *world, const char *source);
void ats_warm(struct world *world);
/* program.c: from what is on the disk. False when the power went meanwhile. */
bool program_start(struct world *world) MUST_CHECK;

/* The ATS as tests see it: no network, no faults. The body is in the arena. */
int ats_ask(struct world *world, struct arena *arena, enum http_method method, const char *target,
	    struct str body, struct json *reply);
/* 0 when it is no whole number. */
int64_t to_int(struct json value);
/* So many things happen at the ATS by themselves, as the sandbox has them. */
void ats_step(struct world *world, size_t changes);
/* One change by its API; the candidate that it is about, 0: another thing. */
int64_t ats_change(struct world *world, enum http_method method, const char *path, struct str body);
/* Any number of a collection: `which` is "ids", "created" or "deleted". */
struct json ats_ids(struct world *world, struct arena *arena, const char *collection,
		    const char *which);
bool ats_has(struct world *world, const char *collection, struct str id);
/* Which list is told wrongly, as others move: it passes over a record, each but once. */
void ats_pass_over(struct world *world, uint64_t one_in);
/* Makes so many changes at the ATS. */
void ats_live(struct world *world, size_t changes);

/* --- checks ---------------------------------------------------------------------------------- */

/* All living records of a resource as the unified API gives them now, each fetched whole with
 * `expand`. Waits; all must be calm. */
struct json read_live(struct world *world, struct arena *arena, const char *resource, bool expand);
struct copy_place place_of(const struct world *world, const char *resource);
/* The events: their numbers and each record's versions without a gap, each told in an order that can
 * be, and what they tell together is what the copy has. */
void check_events(struct world *world);
/* The copy has these records, as far as `live` tells them, and no others. `whole` has them as each
 * is told by itself, where the copy may have it from there; else undefined. */
void check_copy(struct world *world, const char *resource, struct json live, struct json whole);

/* --- sync jobs ------------------------------------------------------------------------------- */

/* What cannot fail but by a death. */
void must(struct world *world, bool ok, const char *what, const struct error *err);
void jobs_start_runners(struct world *world);
void jobs_make(struct world *world, const struct sync_job *wanted, const char *resource);
struct sync_job *jobs_read(struct world *world, struct arena *arena, size_t *count);
/* The job of a resource; it is there. */
struct sync_job *jobs_find(struct world *world, struct arena *arena, const char *resource);
/* A run that begins now, to its end. Of runs that began before nothing is asked. */
void jobs_run(struct world *world, const char *resource, unsigned wishes);
/* The latest runs, newest first. */
struct sync_run *jobs_runs(struct world *world, struct arena *arena, const struct sync_job *job,
			   size_t *count);
/* A fiber: whenever a record is told to be deleted, it is so at the ATS. */
void jobs_watch_deletions(void *world);
/* A full run tells what the ATS has; the events tell the same. */
void jobs_check(struct world *world, const char *resource);

extern const struct scenario scenario_reads;
extern const struct scenario scenario_copies;
extern const struct scenario scenario_syncs;
extern const struct scenario scenario_webhooks;
extern const struct scenario scenario_deltas;
extern const struct scenario scenario_sweeps;
extern const struct scenario scenario_sleepers;
extern const struct scenario scenario_hints;
extern const struct scenario scenario_endpoints;

#endif

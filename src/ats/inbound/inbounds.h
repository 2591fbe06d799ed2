/* What the files of this room share. Private to it. */
#ifndef ATS_INBOUND_INBOUNDS_H
#define ATS_INBOUND_INBOUNDS_H

#include <pthread.h>

#include "ats/inbound/inbound.h"

enum {
	INBOUND_KEPT_MS = 7 * 24 * 3600 * 1000,
	INBOUND_DIGEST_BYTES = 16,
	INBOUND_HINTS_MAX = 100, /* of one notification */
	INBOUND_SLOTS = 4096,
};

/* Two buckets of calls, of those that are proved and those that are not: as time which is left. */
struct inbound_slot {
	int64_t filled_ns[2];
	int64_t left_ns[2];
};

struct inbounds {
	struct inbounds_options options;
	/* What is opened for an account that is not there, to take as long. */
	struct str stand_in;
	struct arena arena;
	pthread_mutex_t lock; /* over the slots */
	unsigned char slot_key[16];
	struct inbound_slot slots[INBOUND_SLOTS]; /* accounts that fall on one share it */
};

/* --- proof.c --------------------------------------------------------------------------------- */

/* Does the header prove the body under this secret? Takes as long whether it does or not. */
bool proof_check(const struct connector_webhooks *webhooks, struct str secret, struct str header,
		 struct str body);

/* --- read.c ---------------------------------------------------------------------------------- */

/* What a body says, by the connector's expressions. */
struct inbound_reading {
	struct str remote_id;
	struct str event;
	struct sync_hint hints[INBOUND_HINTS_MAX];
	size_t hint_count;
	struct str error; /* why not all of it could be read; empty: it could */
};
void inbound_read(const struct inbounds *inbounds, struct arena *arena,
		  const struct connector *connector, struct str body,
		  struct inbound_reading *reading);
/* Is it only to try the address? */
bool inbound_is_test(const struct inbounds *inbounds, struct arena *arena,
		     const struct connector *connector, struct str body);
struct json inbound_show_hints(struct arena *arena, const struct sync_hint *hints, size_t count);

/* --- secret.c -------------------------------------------------------------------------------- */

/* Where a secret belongs; `created_ms` is its version. */
struct vault_binding inbound_binding(struct str environment_id, struct str account_id,
				     int64_t created_ms);
/* Tells the vault of the column. */
void inbound_register(struct vault *vault);

#endif

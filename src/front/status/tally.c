#include <pthread.h>
#include <stdlib.h>

#include "front/status/parts.h"

struct tallies {
	pthread_mutex_t lock;
	struct tally last;
	int64_t good_until_ns;
};

struct tallies *tallies_create(void)
{
	struct tallies *tallies = calloc(1, sizeof *tallies);

	if (tallies == NULL)
		die("out of memory");
	pthread_mutex_init(&tallies->lock, NULL);
	return tallies;
}

void tallies_destroy(struct tallies *tallies)
{
	if (tallies == NULL)
		return;
	pthread_mutex_destroy(&tallies->lock);
	free(tallies);
}

bool tally_read(const struct door *door, struct str environment_id, struct tally *tally,
		struct error *err)
{
	return account_count(door->services->accounts, environment_id, tally->accounts, err) &&
	       sync_tally(door->syncs, environment_id, &tally->sync, err) &&
	       webhook_tally(door->webhooks, environment_id, &tally->webhooks, err);
}

static bool find(struct tallies *tallies, int64_t now_ns, struct tally *tally)
{
	pthread_mutex_lock(&tallies->lock);
	bool is_good = now_ns < tallies->good_until_ns;
	if (is_good)
		*tally = tallies->last;
	pthread_mutex_unlock(&tallies->lock);
	return is_good;
}

bool tally_recent(const struct door *door, struct tally *tally, struct error *err)
{
	struct tallies *tallies = door->tallies;
	int64_t began_ns = clock_monotonic_ns(door->services->clock);

	if (find(tallies, began_ns, tally))
		return true;
	if (!tally_read(door, (struct str){NULL, 0}, tally, err))
		return false;
	int64_t now_ns = clock_monotonic_ns(door->services->clock);
	pthread_mutex_lock(&tallies->lock);
	tallies->last = *tally;
	tallies->good_until_ns = now_ns + 9 * (now_ns - began_ns);
	pthread_mutex_unlock(&tallies->lock);
	return true;
}

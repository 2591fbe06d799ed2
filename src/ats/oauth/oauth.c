#include "ats/oauth/oauth.h"

#include <assert.h>
#include <stdlib.h>

#include "ats/oauth/parts.h"

enum { DEADLINE_MS = 30000 };

struct oauth *oauth_create(const struct oauth_options *options, struct error *err)
{
	struct oauth *oauth = calloc(1, sizeof *oauth);

	if (oauth == NULL)
		die("out of memory for OAuth");
	oauth->magic = OAUTH_MAGIC;
	oauth->options = *options;
	if (oauth->options.deadline_ms == 0)
		oauth->options.deadline_ms = DEADLINE_MS;
	pthread_mutex_init(&oauth->lock, NULL);
	map_init(&oauth->flights, options->random);
	columns_register(options->vault);
	if (lease_end_all(oauth, err))
		return oauth;
	oauth_destroy(oauth);
	return NULL;
}

void oauth_destroy(struct oauth *oauth)
{
	struct str key;
	void *flight;

	if (oauth == NULL)
		return;
	assert(oauth->magic == OAUTH_MAGIC);
	/* A worker that did not end in time still has some: left to the process's end. */
	if (oauth->active > 0)
		return;
	for (size_t at = 0; map_next(&oauth->flights, &at, &key, &flight);)
		free(flight);
	map_finish(&oauth->flights);
	pthread_mutex_destroy(&oauth->lock);
	oauth->magic = 0;
	free(oauth);
}

size_t oauth_active(struct oauth *oauth)
{
	return oauth->active;
}

const struct oauth_counts *oauth_counts(const struct oauth *oauth)
{
	return &oauth->counts;
}

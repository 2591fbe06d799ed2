#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

#include "base/error.h"

static void system_fill(void *context, void *bytes, size_t len)
{
	char *at = bytes;

	(void)context;
	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("the kernel gives no random bytes");
		at += got;
		len -= (size_t)got;
	}
}

const struct random *random_system(void)
{
	static const struct random system = {system_fill, NULL};

	return &system;
}

uint64_t random_below(const struct random *random, uint64_t below)
{
	uint64_t value, unfair;

	assert(below > 0);
	/* The last incomplete run of `below` values would favour the small ones. */
	unfair = UINT64_MAX - UINT64_MAX % below;
	do {
		random_fill(random, &value, sizeof value);
	} while (value >= unfair);
	return value % below;
}

uint64_t random_seeded_next(struct random_seeded *seeded)
{
	uint64_t z = seeded->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void seeded_fill(void *context, void *bytes, size_t len)
{
	char *at = bytes;

	while (len > 0) {
		uint64_t value = random_seeded_next(context);
		size_t step = len < sizeof value ? len : sizeof value;
		memcpy(at, &value, step);
		at += step;
		len -= step;
	}
}

struct random random_from_seed(struct random_seeded *seeded)
{
	return (struct random){seeded_fill, seeded};
}

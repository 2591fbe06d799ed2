/* Randomness comes through this table only, so that a run can be replayed from a seed. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/str.h"

struct random {
	void (*fill)(void *context, void *bytes, size_t len);
	void *context;
};

/* The kernel's, fit for keys. Safe from any thread. */
const struct random *random_system(void);

static inline void random_fill(const struct random *random, void *bytes, size_t len)
{
	random->fill(random->context, bytes, len);
}
/* Even over [0, below); below > 0. */
uint64_t random_below(const struct random *random, uint64_t below);

/* A small seeded generator (splitmix64) for tests, simulation and the sandbox: never for keys. */
struct random_seeded {
	uint64_t state;
};
uint64_t random_seeded_next(struct random_seeded *seeded);
/* A table over it; `seeded` must outlive it. One thread. */
struct random random_from_seed(struct random_seeded *seeded);

#endif

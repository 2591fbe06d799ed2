/* Locked memory for secrets that live as long as a request: pages that are never swapped, are left
 * out of core dumps and empty in a child process, cut into slots. sodium_malloc() does the same
 * for one thing at a time with half a dozen system calls; here taking a slot is a few loads.
 * Private to the vault. */
#ifndef ATS_VAULT_SLAB_H
#define ATS_VAULT_SLAB_H

#include <stddef.h>

struct slab;

struct slab *slab_create(void);
/* All slots must have been given back. NULL is accepted. */
void slab_destroy(struct slab *slab);
/* Never NULL. What does not fit a slot, or finds none free, comes from sodium_malloc(). */
void *slab_take(struct slab *slab, size_t size);
/* Wipes it and gives it back; finds the slab by itself. */
void slab_give(void *bytes);

#endif

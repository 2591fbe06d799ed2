#include "ats/vault/slab.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISONS 1
#endif
#endif
#ifdef SLAB_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

/* Two sizes: most secrets are tokens of less than 240 bytes; the large ones are signed tokens and
 * private keys. */
enum {
	CLASSES = 2,
	SMALL_BYTES = 256,
	SMALL_COUNT = 512,
	LARGE_BYTES = 4096,
	LARGE_COUNT = 16,
	SLOTS_BYTES = SMALL_BYTES * SMALL_COUNT + LARGE_BYTES * LARGE_COUNT,
};

/* Before the bytes of each slot, so that who gives it back need not know from where it came. */
struct slot {
	struct slab *slab; /* NULL: sodium_malloc() */
	uint32_t size;     /* of the bytes */
	uint16_t class;
	uint16_t number;
	char bytes[];
};

struct class {
	size_t slot_bytes;
	char *slots;
	uint16_t free[SMALL_COUNT]; /* numbers; kept apart, so that free slots hold nothing */
	size_t free_count;
	size_t count;
};

struct slab {
	pthread_mutex_t lock;
	char *mapping; /* a guard page, the slots, a guard page */
	size_t mapping_bytes;
	struct class classes[CLASSES];
};

static void init_class(struct class *class, char *slots, size_t slot_bytes, size_t count)
{
	class->slots = slots;
	class->slot_bytes = slot_bytes;
	class->count = class->free_count = count;
	for (size_t i = 0; i < count; i++)
		class->free[i] = (uint16_t)(count - 1 - i);
	ASAN_POISON_MEMORY_REGION(slots, slot_bytes * count);
}

static char *map_slots(struct slab *slab)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	slab->mapping_bytes = SLOTS_BYTES + 2 * page;
	slab->mapping = mmap(NULL, slab->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	if (slab->mapping == MAP_FAILED ||
	    mprotect(slab->mapping + page, SLOTS_BYTES, PROT_READ | PROT_WRITE) != 0)
		die("no memory for secrets");
	char *slots = slab->mapping + page;
	/* Not fatal: a container may allow no locked memory. */
	if (mlock(slots, SLOTS_BYTES) != 0)
		LOG(LOG_WARNING, "memory_not_locked", LOG_N(bytes, SLOTS_BYTES));
	if (madvise(slots, SLOTS_BYTES, MADV_DONTDUMP) != 0 ||
	    madvise(slots, SLOTS_BYTES, MADV_WIPEONFORK) != 0)
		LOG(LOG_WARNING, "memory_not_shielded", LOG_N(bytes, SLOTS_BYTES));
	return slots;
}

struct slab *slab_create(void)
{
	struct slab *slab = calloc(1, sizeof *slab);

	if (slab == NULL)
		die("out of memory for a slab");
	char *slots = map_slots(slab);
	pthread_mutex_init(&slab->lock, NULL);
	init_class(&slab->classes[0], slots, SMALL_BYTES, SMALL_COUNT);
	init_class(&slab->classes[1], slots + SMALL_BYTES * SMALL_COUNT, LARGE_BYTES, LARGE_COUNT);
	return slab;
}

void slab_destroy(struct slab *slab)
{
	if (slab == NULL)
		return;
	for (size_t i = 0; i < CLASSES; i++)
		assert(slab->classes[i].free_count == slab->classes[i].count);
	ASAN_UNPOISON_MEMORY_REGION(slab->mapping, slab->mapping_bytes);
	munmap(slab->mapping, slab->mapping_bytes);
	pthread_mutex_destroy(&slab->lock);
	free(slab);
}

static struct slot *take_from(struct slab *slab, unsigned number)
{
	struct class *class = &slab->classes[number];
	struct slot *slot = NULL;

	pthread_mutex_lock(&slab->lock);
	if (class->free_count > 0) {
		uint16_t at = class->free[--class->free_count];
		slot = (struct slot *)(void *)(class->slots + at * class->slot_bytes);
		ASAN_UNPOISON_MEMORY_REGION(slot, sizeof *slot);
		slot->slab = slab;
		slot->class = (uint16_t)number;
		slot->number = at;
	}
	pthread_mutex_unlock(&slab->lock);
	return slot;
}

static struct slot *take_alone(size_t size)
{
	/* sodium_malloc() puts the end at a guard page, so the begin must be aligned by us. */
	struct slot *slot = sodium_malloc((sizeof *slot + size + 15) & ~(size_t)15);

	if (slot == NULL)
		die("no memory for a secret of %zu bytes", size);
	slot->slab = NULL;
	return slot;
}

void *slab_take(struct slab *slab, size_t size)
{
	struct slot *slot = NULL;

	assert(size < UINT32_MAX);
	for (unsigned i = 0; i < CLASSES && slot == NULL; i++)
		if (size <= slab->classes[i].slot_bytes - sizeof *slot)
			slot = take_from(slab, i);
	if (slot == NULL)
		slot = take_alone(size);
	slot->size = (uint32_t)size;
	ASAN_UNPOISON_MEMORY_REGION(slot->bytes, size);
	return slot->bytes;
}

void slab_give(void *bytes)
{
	struct slot *slot = (struct slot *)(void *)((char *)bytes - offsetof(struct slot, bytes));
	struct slab *slab = slot->slab;

	sodium_memzero(slot->bytes, slot->size);
	if (slab == NULL) {
		sodium_free(slot);
		return;
	}
	struct class *class = &slab->classes[slot->class];
	uint16_t number = slot->number;

	assert((char *)slot == class->slots + number * class->slot_bytes);
	sodium_memzero(slot, sizeof *slot);
	pthread_mutex_lock(&slab->lock);
	ASAN_POISON_MEMORY_REGION(slot, class->slot_bytes);
	assert(class->free_count < class->count);
	class->free[class->free_count++] = number;
	pthread_mutex_unlock(&slab->lock);
}

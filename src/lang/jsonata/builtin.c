#include "lang/jsonata/builtin.h"

#include <assert.h>
#include <pthread.h>

static const struct builtin builtins[] = {
#define ROW(function, name, arity, signature)                                                      \
	{STR_INIT(name), jsonata_builtin_##function, arity, STR_INIT(signature)},
	BUILTIN_TABLE(ROW)
#undef ROW
};
enum { COUNT = sizeof builtins / sizeof builtins[0], SLOTS = 256 };

/* Made once in the life of the process: the signatures, and a hash table of the names. */
static struct {
	struct arena arena;
	struct builtin_value values[COUNT];
	uint8_t slots[SLOTS]; /* index + 1 */
} made;
static pthread_once_t is_made = PTHREAD_ONCE_INIT;

static uint32_t slot_of(struct str name)
{
	return json_key_hash(name.data, name.len) % SLOTS;
}

static void make(void)
{
	struct fault fault;
	uint32_t offset;

	arena_init(&made.arena, SIZE_MAX);
	for (size_t i = 0; i < COUNT; i++) {
		made.values[i].builtin = &builtins[i];
		made.values[i].signature = jsonata_signature_parse(
			&made.arena, builtins[i].signature, &fault, &offset);
		assert(made.values[i].signature != NULL);
		uint32_t at = slot_of(builtins[i].name);
		while (made.slots[at] != 0)
			at = (at + 1) % SLOTS;
		made.slots[at] = (uint8_t)(i + 1);
	}
}

const struct builtin_value *jsonata_builtin_find(struct str name)
{
	pthread_once(&is_made, make);
	for (uint32_t at = slot_of(name); made.slots[at] != 0; at = (at + 1) % SLOTS) {
		const struct builtin_value *value = &made.values[made.slots[at] - 1];
		if (str_equal(value->builtin->name, name))
			return value;
	}
	return NULL;
}

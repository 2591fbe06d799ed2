/* What accounts go by, held in memory: a connector with overrides in it, counted by those who use
 * it.
 *
 * Exactness: who makes one notes the generation before it reads the rows; who changes rows moves
 * the generation after the commit. What was made of older rows is used by the operation that made
 * it, and not kept. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ats/override/effect.h"
#include "ats/override/rows.h"
#include "base/map.h"

enum {
	HELD_MAX = 20000,
	HELD_BYTES_MAX = 64 * 1024 * 1024,
	MADE_BYTES_MAX =
		64 * 1024 * 1024, /* for one of them: the limits of a layer keep it far below */
	ROWS_BYTES_MAX = 8 * 1024 * 1024,
	EVICTED_MAX = 8,
	KEY_BYTES_MAX = 160,
};

/* A saved override that cannot be used any more. */
struct broken {
	struct str resource;
	struct error err;
};

struct held {
	struct overriding public;    /* the first: what others have a pointer to */
	struct overrides *overrides; /* NULL: made for a test of drafts */
	_Atomic size_t references;
	size_t bytes;
	struct arena arena;
	const struct broken *broken;
	size_t broken_count;
};

/* Does anybody override anything at all? */
enum presence { PRESENCE_UNKNOWN, PRESENCE_NONE, PRESENCE_SOME };

struct overrides {
	struct store *store;
	const struct connectors *connectors;
	const struct clock *clock;
	const struct random *random;
	pthread_rwlock_t lock;
	struct map map; /* by environment and account, and by environment and connector */
	uint64_t generation;
	_Atomic int presence;
	_Atomic size_t bytes;
	_Atomic size_t held_count;
	_Atomic size_t references; /* of its owner, and of each that is held */
};

/* What stands in the map for an account without any. */
static struct held nothing;

struct overrides *overrides_create(struct store *store, const struct connectors *connectors,
				   const struct clock *clock, const struct random *random)
{
	struct overrides *overrides = calloc(1, sizeof *overrides);
	pthread_rwlockattr_t attributes;

	if (overrides == NULL)
		die("out of memory for the overrides");
	overrides->store = store;
	overrides->connectors = connectors;
	overrides->clock = clock;
	overrides->random = random;
	overrides->references = 1;
	map_init(&overrides->map, random);
	/* A change must not wait for readers without end. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&overrides->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	return overrides;
}

/* What is held may outlive the owner: it goes with the memory of the last request. */
static void unreference(struct overrides *overrides)
{
	if (atomic_fetch_sub(&overrides->references, 1) > 1)
		return;
	map_finish(&overrides->map);
	pthread_rwlock_destroy(&overrides->lock);
	free(overrides);
}

static void let_go(struct held *held)
{
	struct overrides *overrides = held->overrides;

	if (held == &nothing || atomic_fetch_sub(&held->references, 1) > 1)
		return;
	overrides->bytes -= held->bytes;
	overrides->held_count--;
	arena_finish(&held->arena);
	free(held);
	unreference(overrides);
}

static void clear(struct overrides *overrides)
{
	struct str key;
	void *held;

	for (size_t at = 0; map_next(&overrides->map, &at, &key, &held);)
		let_go(held);
	map_finish(&overrides->map);
	map_init(&overrides->map, overrides->random);
}

void overrides_destroy(struct overrides *overrides)
{
	if (overrides == NULL)
		return;
	pthread_rwlock_wrlock(&overrides->lock);
	clear(overrides);
	pthread_rwlock_unlock(&overrides->lock);
	unreference(overrides);
}

size_t overrides_held(struct overrides *overrides)
{
	return overrides->held_count;
}

/* --- making ---------------------------------------------------------------------------------- */

static const struct connector *find_connector(const struct overrides *overrides, struct str name,
					      struct error *err)
{
	return connectors_find(overrides->connectors, name, err);
}

static struct held *make_held(struct overrides *overrides, const struct connector *connector,
			      const struct override *list, size_t count)
{
	struct held *held = calloc(1, sizeof *held);
	struct target *targets;
	struct broken *broken;
	struct override_fault fault;
	size_t made = 0;

	if (held == NULL)
		die("out of memory for overrides");
	arena_init(&held->arena, MADE_BYTES_MAX);
	targets = arena_array(&held->arena, count + 1, sizeof *targets);
	broken = arena_array(&held->arena, count + 1, sizeof *broken);
	for (size_t i = 0; i < count; i++) {
		struct override *own = arena_alloc(&held->arena, sizeof *own);
		struct broken *at = &broken[held->broken_count];

		*own = list[i];
		own->resource = arena_str(&held->arena, list[i].resource);
		own->part = arena_str(&held->arena, list[i].part);
		own->field = arena_str(&held->arena, list[i].field);
		own->expression = arena_str(&held->arena, list[i].expression);
		if (target_make(&held->arena, connector, own, &targets[made], &fault, &at->err)) {
			made++;
		} else {
			at->resource = own->resource;
			held->broken_count++;
		}
	}
	held->broken = broken;
	held->overrides = overrides;
	held->references = 1;
	held->public.base = connector;
	held->public.connector = effect_make(&held->arena, connector, targets, made);
	held->bytes = held->arena.bytes;
	overrides->bytes += held->bytes;
	overrides->held_count++;
	overrides->references++;
	return held;
}

/* As rows_read() sorts them. */
static int compare_overrides(const void *a, const void *b)
{
	const struct override *left = a, *right = b;
	int order = (int)left->is_account - (int)right->is_account;

	if (order == 0)
		order = str_compare(left->resource, right->resource);
	if (order == 0)
		order = str_compare(left->part, right->part);
	return order == 0 ? str_compare(left->field, right->field) : order;
}

static bool has_same_place(const struct override *a, const struct override *b)
{
	return compare_overrides(a, b) == 0;
}

/* What is kept, with the changes in it, as if these were saved in the layer. */
static struct override *lay_changes(struct arena *arena, const struct override *kept,
				    size_t kept_count, const struct override *changes,
				    size_t change_count, bool is_account, size_t *count)
{
	struct override *all = arena_array(arena, kept_count + change_count + 1, sizeof *all);

	*count = 0;
	for (size_t i = 0; i < change_count; i++) {
		all[i] = changes[i];
		all[i].is_account = is_account;
	}
	for (size_t i = 0; i < kept_count; i++) {
		size_t k = 0;

		while (k < change_count && !has_same_place(&kept[i], &all[k]))
			k++;
		if (k == change_count)
			all[change_count + (*count)++] = kept[i];
	}
	*count += change_count;
	qsort(all, *count, sizeof *all, compare_overrides);
	return all;
}

static bool is_change(const struct override *override, const struct override *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (override->expression.data == changes[i].expression.data)
			return true;
	return false;
}

bool overriding_make(struct overrides *overrides, struct arena *arena,
		     const struct override_layer *layer, const struct override *changes,
		     size_t count, const struct overriding **overriding,
		     struct override_fault *fault, struct error *err)
{
	const struct connector *connector = find_connector(overrides, layer->connector, err);
	struct overriding *out = arena_alloc(arena, sizeof *out);
	struct override *kept, *all;
	struct target *targets;
	struct error ignored;
	size_t kept_count, all_count, made = 0;

	*fault = (struct override_fault){.is_expression = false};
	if (connector == NULL ||
	    !rows_read(overrides->store, arena, layer, &kept, &kept_count, err))
		return false;
	all = lay_changes(arena, kept, kept_count, changes, count, layer->account_id.len > 0,
			  &all_count);
	targets = arena_array(arena, all_count + 1, sizeof *targets);
	for (size_t i = 0; i < all_count; i++) {
		bool is_new = is_change(&all[i], changes, count);

		if (all[i].expression.len == 0)
			continue;
		if (target_make(arena, connector, &all[i], &targets[made], fault,
				is_new ? err : &ignored))
			made++;
		else if (is_new)
			return false;
	}
	*fault = (struct override_fault){.is_expression = false};
	*out = (struct overriding){effect_make(arena, connector, targets, made), connector};
	*overriding = out;
	return arena_check(arena, err);
}

/* --- holding --------------------------------------------------------------------------------- */

static struct str account_key(char *text, const struct account *account)
{
	int len = snprintf(text, KEY_BYTES_MAX, "%.*s/%.*s", STR_ARGS(account->environment_id),
			   STR_ARGS(account->id));

	return str_make(text, (size_t)len);
}

/* No id of an account has a dot in it. */
static struct str environment_key(char *text, const struct account *account)
{
	int len = snprintf(text, KEY_BYTES_MAX, "%.*s.%.*s", STR_ARGS(account->environment_id),
			   STR_ARGS(account->connector));

	return str_make(text, (size_t)len);
}

/* Counted for the caller. NULL: it has to be made. */
static struct held *find(struct overrides *overrides, struct str key, uint64_t *generation)
{
	pthread_rwlock_rdlock(&overrides->lock);
	struct held *held = map_get(&overrides->map, key);
	if (held != NULL && held != &nothing)
		held->references++;
	*generation = overrides->generation;
	pthread_rwlock_unlock(&overrides->lock);
	return held;
}

/* A random one, as for accounts. */
static bool evict_one(struct overrides *overrides)
{
	size_t at = (size_t)random_below(overrides->random, overrides->map.capacity);
	struct str key;
	void *held;

	if (!map_next(&overrides->map, &at, &key, &held)) {
		at = 0;
		if (!map_next(&overrides->map, &at, &key, &held))
			return false;
	}
	let_go(map_remove(&overrides->map, key));
	return true;
}

static void put(struct overrides *overrides, struct str key, struct held *held, uint64_t generation)
{
	pthread_rwlock_wrlock(&overrides->lock);
	if (overrides->generation == generation) {
		for (int i = 0; i < EVICTED_MAX && (overrides->map.count >= HELD_MAX ||
						    overrides->bytes > HELD_BYTES_MAX);
		     i++)
			if (!evict_one(overrides))
				break;
		if (held != &nothing)
			held->references++;
		struct held *old = map_put(&overrides->map, key, held);
		if (old != NULL)
			let_go(old);
	}
	pthread_rwlock_unlock(&overrides->lock);
}

/* Of rows which are all the environment's, accounts share one. */
static struct held *share(struct overrides *overrides, const struct account *account,
			  const struct connector *connector, const struct override *list,
			  size_t count, uint64_t generation)
{
	char text[KEY_BYTES_MAX];
	struct str key = environment_key(text, account);
	uint64_t now;
	struct held *held = find(overrides, key, &now);

	/* Of other rows than these? */
	if (held != NULL && now == generation)
		return held;
	if (held != NULL)
		let_go(held);
	held = make_held(overrides, connector, list, count);
	put(overrides, key, held, generation);
	return held;
}

static struct held *make(struct overrides *overrides, const struct account *account,
			 uint64_t generation, struct error *err)
{
	const struct override_layer layer = {account->environment_id, account->connector,
					     account->id};
	const struct connector *connector = find_connector(overrides, account->connector, err);
	struct held *held = NULL;
	struct override *list;
	struct arena arena;
	size_t count;

	arena_init(&arena, ROWS_BYTES_MAX);
	if (connector != NULL && rows_read(overrides->store, &arena, &layer, &list, &count, err)) {
		if (count == 0)
			held = &nothing;
		else if (list[count - 1].is_account)
			held = make_held(overrides, connector, list, count);
		else
			held = share(overrides, account, connector, list, count, generation);
	}
	arena_finish(&arena);
	return held;
}

/* Nobody has any: found out once, and true until somebody saves one. */
static bool is_unused(struct overrides *overrides, bool *is_unused, struct error *err)
{
	bool are_there;
	uint64_t generation;

	bool is_known = overrides->presence != PRESENCE_UNKNOWN;

	*is_unused = overrides->presence == PRESENCE_NONE;
	if (is_known && store_is_current(overrides->store))
		return true;
	pthread_rwlock_rdlock(&overrides->lock);
	generation = overrides->generation;
	pthread_rwlock_unlock(&overrides->lock);
	if (!rows_are_there(overrides->store, &are_there, err))
		return false;
	pthread_rwlock_wrlock(&overrides->lock);
	if (generation == overrides->generation)
		overrides->presence = are_there ? PRESENCE_SOME : PRESENCE_NONE;
	pthread_rwlock_unlock(&overrides->lock);
	*is_unused = !are_there;
	return true;
}

static bool check_broken(const struct held *held, struct str resource, struct error *err)
{
	for (size_t i = 0; i < held->broken_count; i++) {
		const struct broken *broken = &held->broken[i];

		if (str_equal(broken->resource, resource))
			return error_set_field(err, ERROR_CONFLICT, broken->err.field,
					       "an override that is mended, or none",
					       "an override of %.*s does not fit any more: %s",
					       STR_ARGS(resource), broken->err.message);
	}
	return true;
}

static void let_go_of(void *held)
{
	let_go(held);
}

bool overriding_hold(struct overrides *overrides, struct arena *arena,
		     const struct account *account, struct str resource,
		     const struct overriding **overriding, struct error *err)
{
	char text[KEY_BYTES_MAX];
	struct str key = account_key(text, account);
	uint64_t generation;
	struct held *held;
	bool none;

	*overriding = NULL;
	if (!is_unused(overrides, &none, err))
		return false;
	if (none || key.len >= KEY_BYTES_MAX)
		return true;
	held = find(overrides, key, &generation);
	if (held == NULL) {
		held = make(overrides, account, generation, err);
		if (held == NULL)
			return false;
		put(overrides, key, held, generation);
	}
	if (held == &nothing)
		return true;
	arena_on_finish(arena, let_go_of, held);
	if (!check_broken(held, resource, err))
		return false;
	*overriding = &held->public;
	return true;
}

/* --- changing -------------------------------------------------------------------------------- */

bool override_list(struct overrides *overrides, struct arena *arena,
		   const struct override_layer *layer, bool with_environment,
		   struct override **list, size_t *count, struct error *err)
{
	size_t kept = 0;

	if (!rows_read(overrides->store, arena, layer, list, count, err))
		return false;
	for (size_t i = 0; i < *count; i++)
		if (with_environment || layer->account_id.len == 0 || (*list)[i].is_account)
			(*list)[kept++] = (*list)[i];
	*count = kept;
	return true;
}

bool override_check(struct overrides *overrides, struct arena *arena, struct str connector,
		    const struct override *override, struct error *err)
{
	const struct connector *found = find_connector(overrides, connector, err);
	struct override_fault fault;
	struct target target;

	return found != NULL && target_make(arena, found, override, &target, &fault, err);
}

/* How many a layer would then have, and how long they are. */
static bool check_room(struct overrides *overrides, struct arena *arena,
		       const struct override_layer *layer, struct str resource,
		       const struct override *changes, size_t count, bool replaces_all,
		       struct error *err)
{
	struct override *list;
	size_t list_count, total = 0, bytes = 0;

	if (!override_list(overrides, arena, layer, false, &list, &list_count, err))
		return false;
	for (size_t i = 0; i < list_count; i++) {
		bool is_kept = !replaces_all || !str_equal(list[i].resource, resource);

		for (size_t k = 0; is_kept && k < count; k++)
			is_kept = !str_equal(list[i].resource, resource) ||
				  !str_equal(list[i].part, changes[k].part) ||
				  !str_equal(list[i].field, changes[k].field);
		total += is_kept;
		bytes += is_kept ? list[i].expression.len : 0;
	}
	for (size_t i = 0; i < count; i++) {
		total += changes[i].expression.len > 0;
		bytes += changes[i].expression.len;
	}
	if (total <= OVERRIDES_MAX && bytes <= OVERRIDES_BYTES_MAX)
		return true;
	return error_set_field(err, ERROR_LIMIT, "overrides",
			       "500 overrides of 262144 bytes in all",
			       "a layer has at most %d overrides, and %d bytes of expressions",
			       OVERRIDES_MAX, OVERRIDES_BYTES_MAX);
}

void overrides_forget(struct overrides *overrides)
{
	pthread_rwlock_wrlock(&overrides->lock);
	overrides->generation++;
	overrides->presence = PRESENCE_UNKNOWN;
	clear(overrides);
	pthread_rwlock_unlock(&overrides->lock);
}

/* After a commit. Of an account: its own alone; of an environment: of all that are held. */
static void forget(struct overrides *overrides, const struct override_layer *layer)
{
	const struct account account = {.environment_id = layer->environment_id,
					.id = layer->account_id};
	char text[KEY_BYTES_MAX];

	pthread_rwlock_wrlock(&overrides->lock);
	overrides->generation++;
	overrides->presence = PRESENCE_SOME;
	if (layer->account_id.len == 0) {
		clear(overrides);
	} else {
		struct held *held = map_remove(&overrides->map, account_key(text, &account));
		if (held != NULL)
			let_go(held);
	}
	pthread_rwlock_unlock(&overrides->lock);
}

void override_forget(struct overrides *overrides, const struct override_layer *layer)
{
	forget(overrides, layer);
}

bool override_save(struct overrides *overrides, struct arena *arena,
		   const struct override_layer *layer, struct str resource,
		   const struct override *changes, size_t count, bool replaces_all,
		   struct override_fault *fault, struct error *err)
{
	const struct connector *connector = find_connector(overrides, layer->connector, err);
	struct target target;

	*fault = (struct override_fault){.is_expression = false};
	if (connector == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct override checked = changes[i];

		checked.is_account = layer->account_id.len > 0;
		/* One that is to go need not be good. */
		if (checked.expression.len > 0 &&
		    !target_make(arena, connector, &checked, &target, fault, err))
			return false;
	}
	bool ok =
		check_room(overrides, arena, layer, resource, changes, count, replaces_all, err) &&
		rows_write(overrides->store, arena, layer, resource, changes, count, replaces_all,
			   clock_unix_ms(overrides->clock), err);
	/* Also when it failed: it is then not known what is there. */
	forget(overrides, layer);
	return ok;
}

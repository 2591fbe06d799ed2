#include "ats/node/node.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "ats/node/parts.h"
#include "base/disk.h"
#include "base/log.h"

enum {
	LEASE_MS = 10000,
	RENEW_MS = 2000,
	MARGIN_MS = 1000, /* we believe to have lost it so long before others may */
	FORGET_MS = 60000, /* dead ones' rows */
	TRIES_MAX = 8,
	ROWS_BYTES_MAX = 65536,
};

static int64_t now_ms(const struct node *node)
{
	return clock_unix_ms(node->options.clock);
}

/* --- a data folder's name -------------------------------------------------------------------- */

static void make_name(const struct random *random, const char *prefix,
		      char name[NODE_NAME_BYTES + 1])
{
	unsigned char bytes[16];

	random_fill(random, bytes, sizeof bytes);
	memcpy(name, prefix, 4);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(name + 4 + 2 * i, 3, "%02x", bytes[i]);
}

bool node_folder(struct arena *arena, const char *path, const struct random *random,
		 struct str *folder, struct error *err)
{
	const char *file = arena_format(arena, "%s/node.id", path).data;
	char name[NODE_NAME_BYTES + 1];

	if (disk_read(disk_system(), arena, file, sizeof name + 1, folder, err)) {
		*folder = str_trim(*folder);
		return folder->len > 0 || error_set(err, ERROR_INVALID, "%s is empty", file);
	}
	if (err->code != ERROR_NOT_FOUND)
		return false;
	make_name(random, "fld_", name);
	*folder = arena_str(arena, str_from_c(name));
	return disk_create(disk_system(), file, *folder, 0400, err);
}

/* --- the row --------------------------------------------------------------------------------- */

/* A slot that no living node has; NODE_SLOTS: there is none. */
static bool find_slot(struct node *node, int64_t *slot, struct error *err)
{
	const struct store_value value = store_int(now_ms(node));
	bool is_taken[NODE_SLOTS] = {false};
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, ROWS_BYTES_MAX);
	bool ok = store_query_all(node->options.store, &arena,
				  "SELECT slot FROM node WHERE until_ms > now_ms(?1)", &value, 1,
				  &rows, err);
	for (size_t i = 0; ok && i < rows.count; i++)
		if (store_cell(&rows, i, 0)->integer < NODE_SLOTS)
			is_taken[store_cell(&rows, i, 0)->integer] = true;
	arena_finish(&arena);
	for (*slot = 0; *slot < NODE_SLOTS && is_taken[*slot]; ++*slot)
		;
	return ok;
}

/* Dead ones go, so that their slots are free: their names stay dead without a row. */
static bool insert(struct node *node, const char *name, int64_t slot, struct error *err)
{
	const struct store_value values[] = {
		store_text(str_from_c(name)),
		store_text(node->options.folder),
		store_int(now_ms(node)),
		store_int(slot),
		store_text(str_from_c(node->options.version)),
		store_int(node->options.is_alone ? INT64_MAX / 2 : LEASE_MS),
	};
	const struct store_statement statements[] = {
		{"DELETE FROM node WHERE until_ms <= now_ms(?1)", &values[2], 1, -1},
		{"INSERT INTO node (id, folder, slot, version, started_ms, until_ms)"
		 " VALUES (?1, ?2, ?4, ?5, now_ms(?3), now_ms(?3) + ?6)",
		 values, 6, 1},
	};

	return store_write_all(node->options.store, statements, 2, err);
}

/* What an earlier process of this folder had. */
static bool end_earlier(struct node *node, struct error *err)
{
	const struct store_value value = store_text(node->options.folder);
	const struct store_statement statement = {"DELETE FROM node WHERE folder = ?1", &value, 1,
						  -1};

	return store_write_all(node->options.store, &statement, 1, err);
}

static void note_term(struct node *node, const char *name, int64_t slot, int64_t asked_ns)
{
	pthread_mutex_lock(&node->lock);
	memcpy(node->term.name, name, sizeof node->term.name);
	node->term.number++;
	node->number = node->term.number;
	node->slot = slot;
	node->until_ns = node->options.is_alone
				 ? INT64_MAX
				 : asked_ns + (LEASE_MS - MARGIN_MS) * INT64_C(1000000);
	pthread_mutex_unlock(&node->lock);
}

/* Of two who see the same slot free, one gets it. */
static bool join(struct node *node, struct error *err)
{
	char name[NODE_NAME_BYTES + 1];
	int64_t slot;

	for (int i = 0; i < TRIES_MAX; i++) {
		int64_t asked_ns = clock_monotonic_ns(node->options.clock);

		if (!find_slot(node, &slot, err))
			return false;
		if (slot == NODE_SLOTS)
			break;
		make_name(node->options.random, "nod_", name);
		if (insert(node, name, slot, err)) {
			note_term(node, name, slot, asked_ns);
			return true;
		}
		if (err->code != ERROR_CONFLICT)
			return false;
	}
	return error_set(err, ERROR_CONFLICT, "there are %d nodes on the database already",
			 NODE_SLOTS);
}

/* ERROR_CONFLICT: it has run out, and others may have taken what was ours. */
static bool renew(struct node *node, struct error *err)
{
	const struct store_value values[] = {store_text(str_from_c(node->term.name)),
					     store_int(now_ms(node)), store_int(LEASE_MS)};
	const struct store_statement statement = {
		"UPDATE node SET until_ms = now_ms(?2) + ?3 WHERE id = ?1"
		" AND until_ms > now_ms(?2)",
		values, 3, 1};
	int64_t asked_ns = clock_monotonic_ns(node->options.clock);

	if (!store_write_all(node->options.store, &statement, 1, err))
		return false;
	node->until_ns = asked_ns + (LEASE_MS - MARGIN_MS) * INT64_C(1000000);
	return true;
}

static void turn(struct node *node)
{
	struct error err;

	if (renew(node, &err))
		return;
	if (err.code != ERROR_CONFLICT) {
		LOG(LOG_WARNING, "node_not_renewed", LOG_C(error, err.message));
		return;
	}
	node->until_ns = 0;
	LOG(LOG_WARNING, "node_lost", LOG_C(node, node->term.name));
	if (!join(node, &err))
		LOG(LOG_WARNING, "node_not_joined", LOG_C(error, err.message));
	else
		LOG(LOG_INFO, "node_joined", LOG_C(node, node->term.name));
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *keep_alive(void *context)
{
	struct node *node = context;
	struct timespec until;

	pthread_mutex_lock(&node->lock);
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RENEW_MS / 1000;
		while (!node->is_ending &&
		       pthread_cond_timedwait(&node->wake, &node->lock, &until) == 0)
			;
		if (node->is_ending)
			break;
		pthread_mutex_unlock(&node->lock);
		turn(node);
		pthread_mutex_lock(&node->lock);
	}
	pthread_mutex_unlock(&node->lock);
	return NULL;
}

static bool start_thread(struct node *node, struct error *err)
{
	sigset_t all, before;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	node->has_thread = pthread_create(&node->thread, NULL, keep_alive, node) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return node->has_thread ||
	       error_set(err, ERROR_UNAVAILABLE, "no thread for the node is to be had");
}

struct node *node_create(const struct node_options *options, struct error *err)
{
	struct node *node = calloc(1, sizeof *node);
	pthread_condattr_t monotonic;

	if (node == NULL)
		die("out of memory for a node");
	node->options = *options;
	pthread_mutex_init(&node->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&node->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (end_earlier(node, err) && join(node, err) &&
	    (options->is_alone || start_thread(node, err)))
		return node;
	node_destroy(node);
	return NULL;
}

static void leave(struct node *node)
{
	const struct store_value value = store_text(str_from_c(node->term.name));
	const struct store_statement statement = {"DELETE FROM node WHERE id = ?1", &value, 1, -1};
	struct error err;

	if (!store_write_all(node->options.store, &statement, 1, &err))
		LOG(LOG_WARNING, "node_not_left", LOG_C(error, err.message));
}

void node_destroy(struct node *node)
{
	if (node == NULL)
		return;
	if (node->has_thread) {
		pthread_mutex_lock(&node->lock);
		node->is_ending = true;
		pthread_cond_signal(&node->wake);
		pthread_mutex_unlock(&node->lock);
		pthread_join(node->thread, NULL);
	}
	if (node->number > 0)
		leave(node);
	pthread_cond_destroy(&node->wake);
	pthread_mutex_destroy(&node->lock);
	free(node);
}

/* --- asking ---------------------------------------------------------------------------------- */

void node_now(struct node *node, struct node_term *term)
{
	pthread_mutex_lock(&node->lock);
	*term = node->term;
	pthread_mutex_unlock(&node->lock);
}

bool node_has(const struct node *node, int64_t number)
{
	return node->number == number &&
	       (node->options.is_alone || clock_monotonic_ns(node->options.clock) < node->until_ns);
}

int64_t node_slot(const struct node *node)
{
	return node->slot;
}

bool node_is_alone(const struct node *node)
{
	return node->options.is_alone;
}

bool node_count(struct node *node, int64_t *count, struct error *err)
{
	const struct store_value value = store_int(now_ms(node));
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, ROWS_BYTES_MAX);
	bool ok = store_query_all(node->options.store, &arena,
				  "SELECT count(*) FROM node WHERE until_ms > now_ms(?1)", &value,
				  1, &rows, err);
	*count = ok ? store_cell(&rows, 0, 0)->integer : 0;
	arena_finish(&arena);
	return ok;
}

bool node_list(struct node *node, struct arena *arena, struct node_peer **peers, size_t *count,
	       struct error *err)
{
	const struct store_value value = store_int(now_ms(node));
	struct node_term own;
	struct store_rows rows;

	*count = 0;
	node_now(node, &own);
	if (!store_query_all(node->options.store, arena,
			     "SELECT id, version, started_ms FROM node WHERE until_ms > now_ms(?1)"
			     " ORDER BY started_ms, id",
			     &value, 1, &rows, err))
		return false;
	*count = rows.count;
	*peers = arena_array(arena, rows.count + 1, sizeof **peers);
	for (size_t i = 0; i < rows.count; i++)
		(*peers)[i] = (struct node_peer){
			.name = store_cell(&rows, i, 0)->bytes,
			.version = store_cell(&rows, i, 1)->bytes,
			.started_ms = store_cell(&rows, i, 2)->integer,
			.is_own = str_equal_c(store_cell(&rows, i, 0)->bytes, own.name)};
	return true;
}

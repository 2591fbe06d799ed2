/* PostgreSQL behind the store's door. */
#include <assert.h>

#include "base/log.h"
#include "io/store/folder.h"
#include "io/store/pg_migration.h"
#include "io/store/pg_news.h"
#include "io/store/pg_pool.h"
#include "io/store/pg_value.h"

enum {
	LINKS_MAX = 8,
	RETRY_AFTER_MS = 1000,
	TRIES_MAX = 8,
	PAUSE_MS = 2, /* between tries, times their number, at most as much again by chance */
};

struct pg_store {
	struct store base;
	int lock_fd;
	char *database;
	size_t queue_max;
	struct pg_pools pools;
	struct pg_news news;
	_Atomic uint64_t writes;
	_Atomic uint64_t waiting; /* writes that were asked for and are not done */
};

static struct pg_store *own(struct store *store)
{
	return (struct pg_store *)store;
}

/* --- running --------------------------------------------------------------------------------- */

static void pause_before(int try)
{
	int64_t ms = PAUSE_MS * try;

	ms += (int64_t)random_below(random_system(), (uint64_t)ms + 1);
	if (fiber_current() != NULL && loop_current() != NULL) {
		loop_sleep_ms(ms);
	} else {
		struct timespec time = {.tv_nsec = ms * 1000000};
		nanosleep(&time, NULL);
	}
}

/* What was undone for another's sake is tried again: nothing of it has happened. */
static bool run(struct pg_store *store, const struct pg_command *commands, size_t count,
		pg_take *take, void *context, struct error *err)
{
	const char *scope = loop_scope();

	/* An empty answer would look as though there were nothing. */
	if (scope[0] == '\0')
		return error_set(err, ERROR_INTERNAL, "the store was not told whose rows are meant");
	for (int try = 1;; try++) {
		bool again;
		struct pg_link *link = pg_pool_take(&store->pools, scope, err);
		if (link == NULL)
			return false;
		bool ok = pg_link_run(link, scope, commands, count, take, context, &again, err);
		pg_pool_give(&store->pools, link);
		if (ok || !again || try == TRIES_MAX)
			return ok;
		pause_before(try);
	}
}

/* --- reading --------------------------------------------------------------------------------- */

struct taking {
	struct pg_store *store;
	struct arena *arena;
	struct store_rows *rows;
};

static bool take_rows(void *context, size_t index, const PGresult *result, struct error *err)
{
	struct taking *taking = context;

	(void)index;
	return pg_value_rows(taking->arena, result, taking->store->base.rows_max, taking->rows,
			     err);
}

static bool query(struct store *base, struct arena *arena, const char *sql,
		  const struct store_value *parameters, size_t parameter_count,
		  struct store_rows *rows, struct error *err)
{
	struct pg_store *store = own(base);
	struct taking taking = {store, arena, rows};
	struct pg_command command = {.sql = sql, .parameters = parameters,
				     .parameter_count = parameter_count, .changes_expected = -1};

	if (run(store, &command, 1, take_rows, &taking, err))
		return true;
	/* The line may have been dead for long: a question may be asked twice. */
	return err->code == ERROR_UNAVAILABLE && run(store, &command, 1, take_rows, &taking, err);
}

/* --- writing --------------------------------------------------------------------------------- */

static bool check_member(const struct pg_store *store, struct error *err)
{
	if (pg_news_is_member(&store->news))
		return true;
	error_set(err, ERROR_UNAVAILABLE, "the database is away, or is being moved");
	err->retry_after_ms = RETRY_AFTER_MS;
	return false;
}

static bool write_now(struct store *base, const struct store_statement *statements, size_t count,
		      struct error *err)
{
	struct pg_store *store = own(base);
	struct pg_command few[16];
	struct pg_command *commands = count <= 16 ? few : malloc(count * sizeof *commands);
	bool is_news = false;

	if (commands == NULL)
		die("out of memory for a write");
	for (size_t i = 0; i < count; i++) {
		commands[i] = (struct pg_command){statements[i].sql, statements[i].parameters,
						  statements[i].parameter_count,
						  statements[i].changes_expected};
		is_news |= statements[i].is_news;
	}
	store->waiting++;
	bool ok = check_member(store, err) && run(store, commands, count, NULL, NULL, err);
	store->waiting--;
	store->writes += ok;
	if (ok && is_news)
		pg_news_tell(&store->news);
	if (commands != few)
		free(commands);
	return ok;
}

static bool change(struct store *base, struct arena *arena, const struct store_statement *statement,
		   struct store_rows *rows, struct error *err)
{
	struct pg_store *store = own(base);
	struct taking taking = {store, arena, rows};
	struct pg_command command = {.sql = statement->sql,
				     .parameters = statement->parameters,
				     .parameter_count = statement->parameter_count,
				     .changes_expected = -1};

	assert(statement->changes_expected < 0);
	store->waiting++;
	bool ok = check_member(store, err) && run(store, &command, 1, take_rows, &taking, err);
	store->waiting--;
	store->writes += ok;
	return ok;
}

struct later {
	struct pg_store *store;
	struct store_statement statement;
	struct store_scope scope;
};

static void do_later(void *context)
{
	struct later *later = context;
	struct error err;

	store_leave(&later->scope);
	if (!write_now(&later->store->base, &later->statement, 1, &err))
		LOG(LOG_WARNING, "store_write_lost", LOG_C(error, err.message));
	free(later);
}

static bool write_later(struct store *base, const struct store_statement *statement,
			struct error *err)
{
	struct pg_store *store = own(base);
	struct store_statement copy;

	if (store->waiting >= store->queue_max)
		return error_set(err, ERROR_UNAVAILABLE, "%zu writes are waiting for the database",
				 store->queue_max);
	struct later *later = store_copy_statement(sizeof *later, statement, &copy);
	*later = (struct later){.store = store, .statement = copy};
	memcpy(later->scope.text, loop_scope(), sizeof later->scope.text);
	if (loop_current() != NULL)
		loop_spawn(loop_current(), do_later, later);
	else
		do_later(later);
	return true;
}

static bool backup(struct store *base, const char *path, struct error *err)
{
	(void)base;
	(void)path;
	return error_set(err, ERROR_NOT_SUPPORTED,
			 "the database is PostgreSQL's, which has its own means: pg_dump "
			 "--format=custom (see docs/operating.md, Backup)");
}

static void watch(struct store *base, void (*tell)(void *context), void *context)
{
	pg_news_watch(&own(base)->news, tell, context);
}

static void hear_of(struct store *base, void (*tell)(void *context, struct str what), void *context)
{
	pg_news_hear(&own(base)->news, tell, context);
}

static bool is_current(const struct store *base)
{
	return pg_news_is_current(&((const struct pg_store *)base)->news);
}

static void count(struct store *base, struct store_counts *counts)
{
	struct pg_store *store = own(base);

	counts->commits = counts->writes = store->writes;
	counts->queue_length = store->waiting;
	counts->waits = store->pools.waits;
	counts->wait_us = store->pools.wait_us;
	pg_pools_count(&store->pools, &counts->connections, &counts->connections_busy);
}

/* --- opening --------------------------------------------------------------------------------- */

static void free_store(struct pg_store *store)
{
	if (store->lock_fd >= 0)
		folder_unlock(store->lock_fd);
	if (store->database != NULL)
		explicit_bzero(store->database, strlen(store->database));
	free(store->database);
	store->base.magic = 0;
	free(store);
}

static void close_store(struct store *base)
{
	struct pg_store *store = own(base);

	pg_news_stop(&store->news);
	pg_pools_finish(&store->pools);
	free_store(store);
}

static const struct store_engine engine = {
	.query = query,
	.write = write_now,
	.change = change,
	.write_later = write_later,
	.backup = backup,
	.watch = watch,
	.hear = hear_of,
	.is_current = is_current,
	.count = count,
	.close = close_store,
};

/* Who may pass by the guards of the tables is not bound by them. */
static bool look_at_role(struct pg_store *store, struct error *err)
{
	struct store_scope before = store_enter_all();
	struct store_rows rows;
	struct arena arena;

	arena_init(&arena, 65536);
	bool ok = query(&store->base, &arena,
			"SELECT 1 FROM pg_roles WHERE rolname = current_user"
			" AND (rolsuper OR rolbypassrls)",
			NULL, 0, &rows, err);
	store->base.is_unbound = ok && rows.count > 0;
	arena_finish(&arena);
	store_leave(&before);
	return ok;
}

static bool open_parts(struct pg_store *store, const struct store_options *options,
		       struct error *err)
{
	size_t links = options->connections_max == 0 ? LINKS_MAX : options->connections_max;

	store->lock_fd = folder_lock(options->folder, err);
	if (store->lock_fd < 0 || !pg_news_start(&store->news, store->database, err))
		return false;
	bool has_pools = pg_migrate(store->database, options, err) &&
			 pg_pools_init(&store->pools, store->database, links, err);
	if (has_pools && look_at_role(store, err))
		return true;
	if (has_pools)
		pg_pools_finish(&store->pools);
	pg_news_stop(&store->news);
	return false;
}

struct store *pg_open(const struct store_options *options, struct error *err)
{
	struct pg_store *store = calloc(1, sizeof *store);

	if (store == NULL)
		die("out of memory for a store");
	store->base = (struct store){
		.magic = STORE_MAGIC, .engine = &engine, .rows_max = options->rows_max};
	store->lock_fd = -1;
	store->queue_max = options->queue_max;
	store->database = strdup(options->database);
	if (store->database == NULL)
		die("out of memory for a store");
	if (open_parts(store, options, err))
		return &store->base;
	free_store(store);
	return NULL;
}

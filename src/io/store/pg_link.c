#include "io/store/pg_link.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "io/store/pg_text.h"

enum {
	OPERATION_MS = 35000, /* a little more than the server's own limit below */
	RETRY_AFTER_MS = 1000,
	TEXT_BYTES_MAX = 1024 * 1024,
	PARAMETERS_MAX = 320,
	OID_INT8 = 20, /* of pg_type.dat: these do not change */
	OID_TEXT = 25,
	OID_BYTEA = 17,
};

/* Said once by each connection. A write that waits for a lock gives up before its caller does. A
 * text is planned once, for all values, and row by row in the order that it tells, as SQLite does
 * it. Left to itself PostgreSQL finds that the values of a page's bounds are worth planning anew
 * each time, which takes longer than the page; and a join by hashing, which reads a whole copy for
 * a few of its records, is good for the average copy alone. To compile a plan takes far longer than
 * any text; that of a table in blocks seems to cost what all of them do. */
static const char settings[] =
	"SET statement_timeout = '30s'; SET lock_timeout = '10s';"
	"SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning';"
	"SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC';"
	"SET standard_conforming_strings = on; SET plan_cache_mode = force_generic_plan;"
	"SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/* --- what went wrong ------------------------------------------------------------------------- */

/* By the class of the SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html */
static enum error_code code_of(const char *state)
{
	if (strncmp(state, "23", 2) == 0 || strcmp(state, "P0001") == 0 ||
	    strcmp(state, "TN001") == 0)
		return ERROR_CONFLICT;
	if (strncmp(state, "22", 2) == 0)
		return ERROR_INVALID;
	if (strncmp(state, "54", 2) == 0)
		return ERROR_LIMIT;
	/* Connections, resources, shutdown and recovery, rolled back, too late. */
	if (strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 ||
	    strncmp(state, "57", 2) == 0 || strncmp(state, "40", 2) == 0 ||
	    strcmp(state, "25006") == 0 || strcmp(state, "55P03") == 0)
		return ERROR_UNAVAILABLE;
	return ERROR_INTERNAL;
}

static bool is_rolled_back(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0);
}

static bool fail_unavailable(struct pg_link *link, const char *why, struct error *err)
{
	struct str text = str_trim(str_from_c(why));

	link->is_broken = true;
	error_set(err, ERROR_UNAVAILABLE, "the database is away: %.*s", STR_ARGS(text));
	err->retry_after_ms = RETRY_AFTER_MS;
	return false;
}

bool pg_link_fail(struct pg_link *link, const PGresult *result, struct error *err)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (state == NULL || message == NULL)
		return fail_unavailable(link, PQerrorMessage(link->conn), err);
	error_set(err, code_of(state), "the store: %s (PostgreSQL %s)", message, state);
	if (err->code == ERROR_UNAVAILABLE)
		err->retry_after_ms = RETRY_AFTER_MS;
	return false;
}

/* --- waiting --------------------------------------------------------------------------------- */

static void wake(struct pg_link *link)
{
	struct loop_wait *waiting = link->waiting;

	link->waiting = NULL;
	if (waiting != NULL)
		loop_wake(waiting);
}

static void on_late(struct loop_timer *timer)
{
	struct pg_link *link = timer->context;

	link->is_late = true;
	wake(link);
}

static void unwatch(struct pg_link *link)
{
	if (link->watched != 0)
		loop_watch_remove(link->loop, &link->watch);
	link->watched = 0;
}

/* What comes on an idle link is its end (or a notice, which may wait). Who uses it may have been
 * woken already, and not have had its turn. */
static void on_ready(struct loop_watch *watch, uint32_t events)
{
	struct pg_link *link = watch->context;

	(void)events;
	if (!link->is_used) {
		link->is_broken = true;
		unwatch(link);
	}
	wake(link);
}

static bool watch_for(struct pg_link *link, uint32_t events, struct error *err)
{
	struct error why;

	if (link->watch.fd != PQsocket(link->conn))
		unwatch(link);
	link->watch.fd = PQsocket(link->conn);
	if (link->watched == 0 && !loop_watch_add(link->loop, &link->watch, events, &why))
		return fail_unavailable(link, why.message, err);
	if (link->watched != 0 && link->watched != events)
		loop_watch_change(link->loop, &link->watch, events);
	link->watched = events;
	return true;
}

static bool wait_in_fiber(struct pg_link *link, uint32_t events, int64_t deadline_ns,
			  struct error *err)
{
	struct loop_wait wait;

	if (!watch_for(link, events, err))
		return false;
	loop_wait_init(&wait);
	link->waiting = &wait;
	link->is_late = false;
	link->timer.context = link;
	link->timer.callback = on_late;
	loop_timer_set(link->loop, &link->timer, deadline_ns);
	/* Not to be interrupted: what was sent must be read, or the connection is lost. */
	loop_wait(&wait, INT64_MAX);
	loop_timer_clear(link->loop, &link->timer);
	if (link->is_late)
		return fail_unavailable(link, "it does not answer", err);
	return true;
}

static bool wait_in_thread(struct pg_link *link, short events, int64_t deadline_ns,
			   struct error *err)
{
	struct pollfd at = {.fd = PQsocket(link->conn), .events = events};

	for (;;) {
		int64_t left_ms = (deadline_ns - clock_monotonic_ns(clock_system())) / 1000000;
		int result = poll(&at, 1, left_ms < 0 ? 0 : (int)left_ms + 1);
		if (result > 0)
			return true;
		if (result == 0)
			return fail_unavailable(link, "it does not answer", err);
		if (errno != EINTR)
			return fail_unavailable(link, strerror(errno), err);
	}
}

static bool wait_for(struct pg_link *link, bool for_write, int64_t deadline_ns, struct error *err)
{
	if (link->loop != NULL)
		return wait_in_fiber(link, EPOLLIN | (for_write ? (uint32_t)EPOLLOUT : 0),
				     deadline_ns, err);
	return wait_in_thread(link, (short)(POLLIN | (for_write ? POLLOUT : 0)), deadline_ns, err);
}

static int64_t in_ms(int64_t ms)
{
	return clock_monotonic_ns(clock_system()) + ms * 1000000;
}

/* --- connecting ------------------------------------------------------------------------------ */

/* While it connects libpq says itself what it waits for: readable or writable, not both. Its next
 * step may go on to another host with a descriptor of the same number, which nobody watches. */
static bool connect_step(struct pg_link *link, bool for_write, int64_t deadline_ns,
			 struct error *err)
{
	if (link->loop != NULL) {
		bool ok = wait_in_fiber(link, for_write ? (uint32_t)EPOLLOUT : (uint32_t)EPOLLIN,
					deadline_ns, err);
		unwatch(link);
		return ok;
	}
	return wait_in_thread(link, for_write ? POLLOUT : POLLIN, deadline_ns, err);
}

static bool finish_connecting(struct pg_link *link, int64_t deadline_ns, struct error *err)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (PQstatus(link->conn) == CONNECTION_BAD)
		return fail_unavailable(link, PQerrorMessage(link->conn), err);
	while (status != PGRES_POLLING_OK) {
		if (!connect_step(link, status == PGRES_POLLING_WRITING, deadline_ns, err))
			return false;
		status = PQconnectPoll(link->conn);
		if (status == PGRES_POLLING_FAILED)
			return fail_unavailable(link, PQerrorMessage(link->conn), err);
	}
	return true;
}

/* The results of a simple query, each of which must be good. */
static bool read_script(struct pg_link *link, int64_t deadline_ns, struct error *err)
{
	bool ok = true;

	for (;;) {
		while (PQisBusy(link->conn)) {
			if (!wait_for(link, false, deadline_ns, err))
				return false;
			if (!PQconsumeInput(link->conn))
				return fail_unavailable(link, PQerrorMessage(link->conn), err);
		}
		PGresult *result = PQgetResult(link->conn);
		if (result == NULL)
			return ok;
		ExecStatusType status = PQresultStatus(result);
		if (ok && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
			ok = pg_link_fail(link, result, err);
		PQclear(result);
	}
}

static bool flush(struct pg_link *link, int64_t deadline_ns, struct error *err)
{
	int left;

	while ((left = PQflush(link->conn)) > 0) {
		/* The server may want to be read before it reads on. */
		if (!wait_for(link, true, deadline_ns, err))
			return false;
		if (!PQconsumeInput(link->conn))
			return fail_unavailable(link, PQerrorMessage(link->conn), err);
	}
	return left == 0 || fail_unavailable(link, PQerrorMessage(link->conn), err);
}

static bool set_up(struct pg_link *link, int64_t deadline_ns, struct error *err)
{
	if (PQsetnonblocking(link->conn, 1) != 0 || !PQsendQuery(link->conn, settings))
		return fail_unavailable(link, PQerrorMessage(link->conn), err);
	if (!flush(link, deadline_ns, err) || !read_script(link, deadline_ns, err))
		return false;
	if (PQenterPipelineMode(link->conn) == 1)
		return true;
	return fail_unavailable(link, PQerrorMessage(link->conn), err);
}

static void ignore_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result;
}

struct pg_link *pg_link_open(const char *database, int64_t timeout_ms, struct error *err)
{
	static const char *const keywords[] = {"dbname",	   "application_name",
					       "client_encoding",  "keepalives_idle",
					       "keepalives_count", "keepalives_interval",
					       "tcp_user_timeout", NULL};
	const char *const values[] = {database, "tenon", "UTF8", "10", "3", "5", "20000", NULL};
	struct pg_link *link = calloc(1, sizeof *link);

	if (link == NULL)
		die("out of memory for a connection");
	int64_t deadline_ns = in_ms(timeout_ms);
	if (fiber_current() != NULL)
		link->loop = loop_current();
	link->watch.callback = on_ready;
	link->watch.context = link;
	link->is_used = true;
	link->conn = PQconnectStartParams(keywords, values, 1);
	if (link->conn == NULL)
		die("out of memory for a connection");
	PQsetNoticeReceiver(link->conn, ignore_notice, NULL);
	if (finish_connecting(link, deadline_ns, err) && set_up(link, deadline_ns, err)) {
		link->is_used = false;
		return link;
	}
	pg_link_close(link);
	return NULL;
}

void pg_link_close(struct pg_link *link)
{
	unwatch(link);
	for (size_t i = 0; i < PG_STATEMENTS_MAX; i++)
		free(link->statements[i].text);
	PQfinish(link->conn);
	free(link);
}

/* --- sending --------------------------------------------------------------------------------- */

static uint64_t types_of(const struct pg_command *command)
{
	uint64_t types = command->changes_expected >= 0;

	/* Two bits each: what is past the 31st parameter is told by a hash. */
	for (size_t i = 0; i < command->parameter_count; i++)
		types = (i < 31 ? types << 2 : types * 0x9e3779b97f4a7c15) ^
			(uint64_t)command->parameters[i].type;
	return types;
}

/* NULL: the table is full, and the text is prepared each time. */
static struct pg_statement *find_statement(struct pg_link *link, const struct pg_command *command)
{
	uint64_t types = types_of(command);
	uint64_t hash = ((uintptr_t)command->sql ^ types * 31) * 0x9e3779b97f4a7c15;
	size_t at = (size_t)(hash >> 32) % PG_STATEMENTS_MAX;
	struct pg_statement *found = &link->statements[at];

	while (found->sql != NULL && (found->sql != command->sql || found->types != types)) {
		at = (at + 1) % PG_STATEMENTS_MAX;
		found = &link->statements[at];
	}
	if (found->sql == NULL) {
		if (link->statement_count >= PG_STATEMENTS_MAX / 4 * 3)
			return NULL;
		link->statement_count++;
		*found = (struct pg_statement){
			.sql = command->sql, .text = strdup(command->sql), .types = types};
		if (found->text == NULL)
			die("out of memory for a statement");
	}
	/* Not a literal when the bytes at this address have changed. */
	assert(strcmp(found->text, command->sql) == 0);
	return found;
}

static void statement_name(const struct pg_link *link, const struct pg_statement *statement,
			   char name[24])
{
	if (statement == NULL)
		name[0] = '\0';
	else
		snprintf(name, 24, "s%zu", (size_t)(statement - link->statements));
}

static Oid oid_of(enum store_type type)
{
	switch (type) {
	case STORE_INT:
		return OID_INT8;
	case STORE_TEXT:
		return OID_TEXT;
	case STORE_BLOB:
		return OID_BYTEA;
	case STORE_NULL:
		break;
	}
	return 0; /* the server infers it */
}

/* A checked statement counts what it changes on the server, which undoes all when it is not so
 * many: no second round trip. */
static void append_text(struct buffer *text, const struct pg_command *command)
{
	if (command->changes_expected < 0) {
		pg_text_append(text, command->sql);
		return;
	}
	buffer_append_c(text, "WITH changed AS (");
	pg_text_append(text, command->sql);
	buffer_append_format(text,
			     " RETURNING 1) SELECT store_expect((SELECT count(*) FROM changed), $%zu)",
			     command->parameter_count + 1);
}

static bool send_prepare(struct pg_link *link, const struct pg_command *command, const char *name)
{
	struct arena arena;
	struct buffer text;
	Oid types[PARAMETERS_MAX + 1];

	for (size_t i = 0; i < command->parameter_count; i++)
		types[i] = oid_of(command->parameters[i].type);
	types[command->parameter_count] = OID_INT8;
	arena_init(&arena, TEXT_BYTES_MAX);
	buffer_init(&text, &arena, TEXT_BYTES_MAX);
	append_text(&text, command);
	buffer_append_byte(&text, '\0');
	int count = (int)command->parameter_count + (command->changes_expected >= 0);
	bool ok = PQsendPrepare(link->conn, name, text.data, count, types) == 1;
	arena_finish(&arena);
	return ok;
}

static bool send_execute(struct pg_link *link, const struct pg_command *command, const char *name)
{
	const char *values[PARAMETERS_MAX + 1];
	int lengths[PARAMETERS_MAX + 1], formats[PARAMETERS_MAX + 1];
	uint64_t numbers[PARAMETERS_MAX + 1];
	size_t count = command->parameter_count;

	for (size_t i = 0; i < count; i++) {
		const struct store_value *value = &command->parameters[i];
		const char *bytes = value->bytes.data == NULL ? "" : value->bytes.data;
		bool is_int = value->type == STORE_INT;
		numbers[i] = htobe64((uint64_t)value->integer);
		values[i] = value->type == STORE_NULL ? NULL
			    : is_int		      ? (const char *)&numbers[i]
						      : bytes;
		lengths[i] = is_int ? (int)sizeof numbers[i] : (int)value->bytes.len;
		formats[i] = 1;
	}
	if (command->changes_expected >= 0) {
		numbers[count] = htobe64((uint64_t)command->changes_expected);
		values[count] = (const char *)&numbers[count];
		lengths[count] = sizeof numbers[count];
		formats[count++] = 1;
	}
	return PQsendQueryPrepared(link->conn, name, (int)count, values, lengths, formats, 1) == 1;
}

/* *prepares: bit i is set where command i is prepared first. */
static bool send_command(struct pg_link *link, const struct pg_command *command, bool *prepares)
{
	struct pg_statement *statement = find_statement(link, command);
	char name[24];

	assert(command->parameter_count <= PARAMETERS_MAX);
	statement_name(link, statement, name);
	*prepares = statement == NULL || !statement->is_prepared;
	/* Taken as done, so that a second one in this call finds it; undone when it fails. */
	if (*prepares && statement != NULL)
		statement->is_prepared = true;
	return (!*prepares || send_prepare(link, command, name)) &&
	       send_execute(link, command, name);
}

/* --- reading --------------------------------------------------------------------------------- */

/* The next result; the NULLs that part commands are passed over. NULL: *err. */
static PGresult *next_result(struct pg_link *link, int64_t deadline_ns, struct error *err)
{
	for (int nulls = 0; nulls < 3; nulls++) {
		while (PQisBusy(link->conn)) {
			if (!wait_for(link, false, deadline_ns, err))
				return NULL;
			if (!PQconsumeInput(link->conn)) {
				fail_unavailable(link, PQerrorMessage(link->conn), err);
				return NULL;
			}
		}
		PGresult *result = PQgetResult(link->conn);
		if (result != NULL)
			return result;
		if (PQstatus(link->conn) == CONNECTION_BAD)
			break;
	}
	fail_unavailable(link, PQerrorMessage(link->conn), err);
	return NULL;
}

/* Whose rows the session sees: said in front, only when it was another's. */
static const char scope_sql[] = "SELECT set_config('tenon.environment', ?1, false)";

struct reading {
	struct pg_link *link;
	int64_t deadline_ns;
	pg_take *take;
	void *context;
	bool ok;
	bool *again;
	struct error *err; /* the first failure */
};

/* One result of command `index`. False: the connection is gone. */
static bool read_one(struct reading *reading, size_t index, bool is_prepare, bool *is_good)
{
	struct pg_link *link = reading->link;
	struct error lost;
	PGresult *result = next_result(link, reading->deadline_ns, &lost);

	*is_good = false;
	if (result == NULL) {
		/* A reason that came before says more than the end of the line. */
		if (reading->ok)
			*reading->err = lost;
		reading->ok = false;
		return false;
	}
	ExecStatusType status = PQresultStatus(result);
	*is_good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
	if (*is_good && !is_prepare && reading->ok && reading->take != NULL)
		reading->ok = reading->take(reading->context, index, result, reading->err);
	if (!*is_good && status != PGRES_PIPELINE_ABORTED && reading->ok) {
		reading->ok = pg_link_fail(link, result, reading->err);
		*reading->again = is_rolled_back(result);
	}
	PQclear(result);
	return !link->is_broken;
}

static bool read_sync(struct reading *reading)
{
	struct pg_link *link = reading->link;
	struct error lost;
	PGresult *result = next_result(link, reading->deadline_ns, &lost);
	/* The commit itself may fail (a deferred constraint, a full disk). */
	bool is_sync = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	if (result == NULL && reading->ok) {
		*reading->err = lost;
		reading->ok = false;
	} else if (result != NULL && !is_sync && reading->ok) {
		reading->ok = pg_link_fail(link, result, reading->err);
		*reading->again = is_rolled_back(result);
	}
	PQclear(result);
	if (result != NULL && !is_sync)
		return read_sync(reading);
	return is_sync;
}

static void forget(struct pg_link *link, const struct pg_command *command)
{
	struct pg_statement *statement = find_statement(link, command);

	if (statement != NULL)
		statement->is_prepared = false;
}

/* The results of one command, after those of its being prepared. False: the connection is gone. */
static bool read_command(struct reading *reading, const struct pg_command *command, size_t index,
			 bool is_prepared_first)
{
	bool is_good;

	if (is_prepared_first && !read_one(reading, index, true, &is_good))
		return false;
	if (is_prepared_first && !is_good)
		forget(reading->link, command);
	return read_one(reading, index, false, &is_good);
}

static bool read_scope(struct reading *reading, const struct pg_command *command,
		       bool is_prepared_first)
{
	pg_take *take = reading->take;

	reading->take = NULL;
	bool ok = read_command(reading, command, 0, is_prepared_first);
	reading->take = take;
	return ok;
}

static bool read_all(struct reading *reading, const struct pg_command *commands, size_t count,
		     const bool *prepares)
{
	for (size_t i = 0; i < count; i++)
		if (!read_command(reading, &commands[i], i, prepares[i]))
			return false;
	return read_sync(reading);
}

/* A line that may be written to would call for ever. */
static void settle(struct pg_link *link)
{
	if (link->watched != 0 && link->watched != EPOLLIN && !link->is_broken) {
		loop_watch_change(link->loop, &link->watch, EPOLLIN);
		link->watched = EPOLLIN;
	}
}

static bool send_all(struct pg_link *link, const struct pg_command *commands, size_t count,
		     bool *prepares)
{
	for (size_t i = 0; i < count; i++)
		if (!send_command(link, &commands[i], &prepares[i]))
			return false;
	return PQpipelineSync(link->conn) == 1;
}

/* What was said of the scope holds only if the whole was done. */
static void note_scope(struct pg_link *link, const char *scope, bool ok)
{
	if (ok)
		snprintf(link->scope, sizeof link->scope, "%s", scope);
	else
		link->scope[0] = '\0';
}

bool pg_link_run(struct pg_link *link, const char *scope, const struct pg_command *commands,
		 size_t count, pg_take *take, void *context, bool *again, struct error *err)
{
	const struct store_value whose = store_text(str_from_c(scope));
	const struct pg_command say = {scope_sql, &whose, 1, -1};
	bool is_other = strcmp(link->scope, scope) != 0, is_new = false, few[64];
	bool *prepares = count <= 64 ? few : malloc(count);
	struct reading reading = {.link = link, .deadline_ns = in_ms(OPERATION_MS), .take = take,
				  .context = context, .ok = true, .again = again, .err = err};

	if (prepares == NULL)
		die("out of memory for a write");
	*again = false;
	link->is_used = true;
	bool ok = (!is_other || send_command(link, &say, &is_new)) &&
		  send_all(link, commands, count, prepares);
	if (!ok)
		fail_unavailable(link, PQerrorMessage(link->conn), err);
	ok = ok && flush(link, reading.deadline_ns, err) &&
	     (!is_other || read_scope(&reading, &say, is_new)) &&
	     read_all(&reading, commands, count, prepares) && reading.ok;
	if (is_other)
		note_scope(link, scope, ok);
	settle(link);
	link->is_used = false;
	if (prepares != few)
		free(prepares);
	return ok;
}

bool pg_link_script(struct pg_link *link, const char *sql, struct error *err)
{
	int64_t deadline_ns = in_ms(60 * 60 * 1000);

	if (PQexitPipelineMode(link->conn) != 1 || !PQsendQuery(link->conn, sql))
		return fail_unavailable(link, PQerrorMessage(link->conn), err);
	bool ok = flush(link, deadline_ns, err) && read_script(link, deadline_ns, err);
	if (!link->is_broken && PQenterPipelineMode(link->conn) != 1)
		return fail_unavailable(link, PQerrorMessage(link->conn), err);
	return ok;
}

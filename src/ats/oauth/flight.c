/* One refresh of an account at a time in this process: whoever wants one while it is under way
 * waits for it. It runs in a fiber of its own, so that nobody's deadline cuts it off. */
#include <assert.h>
#include <stdlib.h>

#include "ats/oauth/parts.h"

enum { KEY_MAX = 128, ARENA_MAX = 256 * 1024, SKEW_MS = 2000, PAUSE_MAX_MS = 30000 };

/* Lives on the waiting fiber's stack. */
struct waiter {
	struct loop_wait wait;
	struct waiter *next;
	struct waiter **place; /* NULL: it is in no list any more */
	bool ok;
	struct error *err;
};

/* Stays while refreshes of the account fail, to keep them apart. */
struct flight {
	bool is_under_way;
	struct waiter *waiters;
	int failures;
	int64_t failed_version; /* of the token: what comes in its place is tried at once */
	int64_t not_before_ns;
	struct error err; /* of the last failure */
};

struct job {
	struct oauth *oauth;
	struct http_client *client;
	struct flight *flight;
	struct arena arena;
	struct account account;
	int64_t version;
};

static struct str make_key(char text[KEY_MAX], const struct account *account)
{
	int len = snprintf(text, KEY_MAX, "%.*s/%.*s", STR_ARGS(account->environment_id),
			   STR_ARGS(account->id));

	assert(len > 0 && len < KEY_MAX);
	return str_make(text, (size_t)len);
}

static struct flight *find_flight(struct oauth *oauth, const struct account *account)
{
	char text[KEY_MAX];
	struct str key = make_key(text, account);
	struct flight *flight = map_get(&oauth->flights, key);

	if (flight == NULL) {
		flight = calloc(1, sizeof *flight);
		if (flight == NULL)
			die("out of memory for a refresh");
		map_put(&oauth->flights, key, flight);
	}
	return flight;
}

/* --- the fiber of the flight ---------------------------------------------------------------- */

static void note_failure(const struct job *job, const struct error *err)
{
	struct flight *flight = job->flight;
	int64_t pause_ms = PAUSE_MAX_MS;

	if (flight->failed_version != job->version)
		flight->failures = 0;
	flight->failed_version = job->version;
	if (flight->failures < 5)
		pause_ms = (int64_t)1000 << flight->failures;
	flight->failures++;
	flight->err = *err;
	flight->not_before_ns =
		clock_monotonic_ns(job->oauth->options.clock) + pause_ms * 1000000;
}

/* Under the lock. */
static void tell(struct flight *flight, bool ok, const struct error *err)
{
	for (struct waiter *waiter = flight->waiters, *next; waiter != NULL; waiter = next) {
		next = waiter->next;
		waiter->place = NULL;
		waiter->ok = ok;
		if (!ok)
			*waiter->err = *err;
		loop_wake(&waiter->wait);
	}
	flight->waiters = NULL;
}

static void fly(void *context)
{
	struct job *job = context;
	struct oauth *oauth = job->oauth;
	char text[KEY_MAX];
	struct error err = {0};

	(void)store_enter(job->account.environment_id);
	bool ok = refresh_run(oauth, job->client, &job->account, job->version, &err);

	pthread_mutex_lock(&oauth->lock);
	job->flight->is_under_way = false;
	tell(job->flight, ok, &err);
	if (ok) {
		map_remove(&oauth->flights, make_key(text, &job->account));
		free(job->flight);
	} else {
		note_failure(job, &err);
	}
	pthread_mutex_unlock(&oauth->lock);
	arena_finish(&job->arena);
	free(job);
	oauth->active--;
}

/* Under the lock. */
static void take_off(struct oauth *oauth, struct http_client *client, struct flight *flight,
		     const struct account *account, int64_t version)
{
	struct job *job = calloc(1, sizeof *job);
	struct error ignored;

	if (job == NULL)
		die("out of memory for a refresh");
	*job = (struct job){.oauth = oauth, .client = client, .flight = flight, .version = version};
	arena_init(&job->arena, ARENA_MAX);
	job->account = (struct account){
		.environment_id = arena_str(&job->arena, account->environment_id),
		.id = arena_str(&job->arena, account->id),
		.connector = arena_str(&job->arena, account->connector),
		.authentication_method = arena_str(&job->arena, account->authentication_method),
	};
	/* Its context may be of an arena that ends before. */
	struct buffer text;
	buffer_init(&text, &job->arena, ARENA_MAX / 4);
	json_print(&text, account->context);
	if (!json_parse(&job->arena, buffer_str(&text), &json_limits_default,
			&job->account.context, &ignored))
		job->account.context = json_object(NULL, 0);
	flight->is_under_way = true;
	oauth->active++;
	loop_spawn(loop_current(), fly, job);
}

/* How long to wait before another try for this version, after one that failed. Under the lock. */
static int64_t pause_ns(struct oauth *oauth, const struct flight *flight, int64_t version)
{
	int64_t left_ns = flight->not_before_ns - clock_monotonic_ns(oauth->options.clock);

	return flight->failures == 0 || flight->failed_version != version || left_ns < 0 ? 0
											  : left_ns;
}

void flight_start(struct oauth *oauth, struct http_client *client, const struct account *account,
		  int64_t version)
{
	pthread_mutex_lock(&oauth->lock);
	struct flight *flight = find_flight(oauth, account);
	if (!flight->is_under_way && pause_ns(oauth, flight, version) == 0)
		take_off(oauth, client, flight, account, version);
	pthread_mutex_unlock(&oauth->lock);
}

/* --- waiting for it ------------------------------------------------------------------------- */

static void join(struct flight *flight, struct waiter *waiter, struct error *err)
{
	*waiter = (struct waiter){.next = flight->waiters, .place = &flight->waiters, .err = err};
	loop_wait_init(&waiter->wait);
	if (waiter->next != NULL)
		waiter->next->place = &waiter->next;
	flight->waiters = waiter;
}

static void leave(struct waiter *waiter)
{
	if (waiter->place == NULL)
		return;
	*waiter->place = waiter->next;
	if (waiter->next != NULL)
		waiter->next->place = waiter->place;
}

/* One that failed a moment ago is not tried again at once. Under the lock. */
static bool check_pause(struct oauth *oauth, const struct flight *flight, int64_t version,
			struct error *err)
{
	int64_t left_ns = pause_ns(oauth, flight, version);

	if (flight->is_under_way || left_ns == 0)
		return true;
	*err = flight->err;
	if (err->code != ERROR_UNAUTHORIZED)
		err->retry_after_ms = left_ns / 1000000 + 1;
	return false;
}

/* Whoever comes for a version that was replaced already has nothing to wait for. */
static bool is_moved(struct oauth *oauth, const struct account *account, int64_t version,
		     bool *is_other, struct error *err)
{
	struct account_token token;

	if (!account_token(oauth->options.accounts, account, &token, err))
		return false;
	*is_other = token.version != version;
	if (!*is_other && token.is_refused)
		return error_set(err, ERROR_UNAUTHORIZED,
				 "the account's token has run out, and its provider gives no other: "
				 "it must be linked again");
	return true;
}

bool oauth_refresh(struct oauth *oauth, struct http_client *client, const struct account *account,
		   int64_t version, int64_t deadline_ns, struct error *err)
{
	struct waiter waiter;
	bool is_other;

	if (!is_moved(oauth, account, version, &is_other, err) || is_other)
		return is_other;
	pthread_mutex_lock(&oauth->lock);
	struct flight *flight = find_flight(oauth, account);
	if (!check_pause(oauth, flight, version, err)) {
		pthread_mutex_unlock(&oauth->lock);
		return false;
	}
	join(flight, &waiter, err);
	if (!flight->is_under_way)
		take_off(oauth, client, flight, account, version);
	pthread_mutex_unlock(&oauth->lock);
	bool is_told = loop_wait(&waiter.wait, deadline_ns);
	pthread_mutex_lock(&oauth->lock);
	/* Told in the moment in which the deadline came, it is told all the same. */
	is_told = is_told || waiter.place == NULL;
	leave(&waiter);
	pthread_mutex_unlock(&oauth->lock);
	return is_told ? waiter.ok
		       : error_set(err, ERROR_TIMEOUT,
				   "the account's token has run out, and the provider gives the next "
				   "one too slowly");
}

bool oauth_ready(struct oauth *oauth, struct http_client *client, const struct account *account,
		 const struct connector_format *format, int64_t deadline_ns, int64_t *version,
		 struct error *err)
{
	struct account_token token;
	int64_t now_ms = clock_unix_ms(oauth->options.clock);

	assert(oauth->magic == OAUTH_MAGIC && connector_is_oauth(format));
	if (!account_token(oauth->options.accounts, account, &token, err))
		return false;
	bool is_over = token.expires_ms > 0 && now_ms >= token.expires_ms - SKEW_MS;
	if (is_over) {
		if (!oauth_refresh(oauth, client, account, token.version, deadline_ns, err) ||
		    !account_token(oauth->options.accounts, account, &token, err))
			return false;
	} else if (token.refresh_ms > 0 && now_ms >= token.refresh_ms && !token.is_refused) {
		flight_start(oauth, client, account, token.version);
	}
	*version = token.version;
	return true;
}

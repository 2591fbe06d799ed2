/* Keys of authorization servers: found through their metadata (RFC 8414, else OpenID Connect
 * Discovery), kept for all workers, and fetched by one caller at a time while the others wait. */
#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "front/mcp/parts.h"

enum {
	ISSUERS_MAX = 1000,
	METADATA_BYTES_MAX = 128 * 1024,
	SET_BYTES_MAX = 256 * 1024,
	ARENA_BYTES_MAX = 1024 * 1024,
	FETCH_MS = 10000,
	WAIT_MS = 2 * FETCH_MS,
	/* A key that is not known is looked for once in so long, an issuer that does not answer is
	 * asked again after so long. */
	UNKNOWN_MS = 60 * 1000,
	FAILED_MS = 5 * 1000,
	/* Keys are fetched anew after so long, and forgotten where that never succeeds. */
	FRESH_MS = 60 * 60 * 1000,
	KEPT_MS = 24 * 60 * 60 * 1000,
};

/* Lives on the waiting fiber's stack. */
struct waiter {
	struct loop_wait wait;
	struct waiter *next;
	struct waiter **place; /* NULL: it is in no list any more */
};

struct issuer {
	struct arena arena; /* of the keys */
	struct mcp_jwk *keys;
	size_t count;
	int64_t fetched_ms; /* monotonic; 0: there are none */
	int64_t tried_ms;   /* 0: never */
	bool is_failed;	    /* at the last try */
	struct error err;
	bool is_fetching;
	struct waiter *waiters;
};

struct mcp_keys {
	const struct clock *clock;
	pthread_mutex_t lock;
	struct map issuers;
};

struct mcp_keys *mcp_keys_create(const struct clock *clock)
{
	struct mcp_keys *keys = calloc(1, sizeof *keys);

	if (keys == NULL)
		die("out of memory");
	keys->clock = clock;
	pthread_mutex_init(&keys->lock, NULL);
	map_init(&keys->issuers, random_system());
	return keys;
}

static void free_issuer(struct issuer *issuer)
{
	arena_finish(&issuer->arena);
	free(issuer);
}

void mcp_keys_destroy(struct mcp_keys *keys)
{
	struct str name;
	void *issuer;

	if (keys == NULL)
		return;
	for (size_t at = 0; map_next(&keys->issuers, &at, &name, &issuer);)
		free_issuer(issuer);
	map_finish(&keys->issuers);
	pthread_mutex_destroy(&keys->lock);
	free(keys);
}

static int64_t now_ms(const struct mcp_keys *keys)
{
	return clock_monotonic_ns(keys->clock) / 1000000 + 1;
}

/* --- the network ------------------------------------------------------------------------------ */

static bool get_json(struct http_client *client, struct arena *arena, struct str url,
		     size_t bytes_max, int64_t deadline_ns, struct str *body, struct error *err)
{
	static const struct http_header headers[] = {{STR_INIT("Accept"),
						      STR_INIT("application/json")}};
	const struct http_request request = {
		.method = HTTP_GET,
		.url = url,
		.headers = headers,
		.header_count = 1,
		.deadline_ns = deadline_ns,
		.response_bytes_max = bytes_max,
	};
	struct http_response response;

	if (!client->send(client, arena, &request, &response, err))
		return false;
	*body = response.body;
	return response.status == 200 ||
	       error_set(err, ERROR_UPSTREAM, "the authorization server answers %d to %.*s",
			 response.status, STR_ARGS(str_slice(url, 0, 120)));
}

/* RFC 8414 puts the well-known part before the issuer's path, OpenID Connect behind it. */
static struct str metadata_url(struct arena *arena, struct str issuer, bool is_oauth)
{
	ptrdiff_t scheme = str_find(issuer, STR("://"));
	size_t start = scheme < 0 ? 0 : (size_t)scheme + 3;
	ptrdiff_t slash = str_find_byte(str_slice(issuer, start, issuer.len), '/');
	size_t host_end = slash < 0 ? issuer.len : start + (size_t)slash;

	while (str_ends_with(issuer, STR("/")) && issuer.len > host_end)
		issuer.len--;
	if (!is_oauth)
		return arena_format(arena, "%.*s/.well-known/openid-configuration",
				    STR_ARGS(issuer));
	return arena_format(arena, "%.*s/.well-known/oauth-authorization-server%.*s",
			    STR_ARGS(str_slice(issuer, 0, host_end)),
			    STR_ARGS(str_slice(issuer, host_end, issuer.len)));
}

/* Metadata that names another issuer is not this one's. */
static bool read_metadata(struct arena *arena, struct str issuer, struct str text, struct str *url,
			  struct error *err)
{
	struct json metadata;
	struct error ignored;

	if (!json_parse(arena, text, &json_limits_default, &metadata, &ignored) ||
	    !str_equal(json_get_str(metadata, "issuer"), issuer))
		return error_set(err, ERROR_UPSTREAM,
				 "the authorization server's metadata name another issuer");
	*url = json_get_str(metadata, "jwks_uri");
	return str_starts_with(*url, STR("https://")) || str_starts_with(*url, STR("http://")) ||
	       error_set(err, ERROR_UPSTREAM, "the authorization server's metadata name no keys");
}

static bool find_set(struct http_client *client, struct arena *arena, struct str issuer,
		     int64_t deadline_ns, struct str *url, struct error *err)
{
	struct str text;

	for (int is_oauth = 1; is_oauth >= 0; is_oauth--)
		if (get_json(client, arena, metadata_url(arena, issuer, is_oauth),
			     METADATA_BYTES_MAX, deadline_ns, &text, err) &&
		    read_metadata(arena, issuer, text, url, err))
			return true;
	return false;
}

static bool fetch(struct mcp_keys *keys, struct http_client *client, struct arena *arena,
		  struct str issuer, struct mcp_jwk **list, size_t *count, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns(keys->clock) + (int64_t)FETCH_MS * 1000000;
	struct str url, text;

	return find_set(client, arena, issuer, deadline_ns, &url, err) &&
	       get_json(client, arena, url, SET_BYTES_MAX, deadline_ns, &text, err) &&
	       mcp_jwks_read(arena, text, list, count, err);
}

/* --- one at a time ---------------------------------------------------------------------------- */

/* All of these under the lock. */
static void make_room(struct mcp_keys *keys)
{
	struct str name;
	void *value;

	if (keys->issuers.count < ISSUERS_MAX)
		return;
	for (size_t at = 0; map_next(&keys->issuers, &at, &name, &value);) {
		struct issuer *issuer = value;

		if (issuer->is_fetching)
			continue;
		map_remove(&keys->issuers, name);
		free_issuer(issuer);
		return;
	}
}

static struct issuer *find_issuer(struct mcp_keys *keys, struct str name)
{
	struct issuer *issuer = map_get(&keys->issuers, name);

	if (issuer != NULL)
		return issuer;
	make_room(keys);
	issuer = calloc(1, sizeof *issuer);
	if (issuer == NULL)
		die("out of memory");
	arena_init(&issuer->arena, ARENA_BYTES_MAX);
	map_put(&keys->issuers, name, issuer);
	return issuer;
}

static void join(struct issuer *issuer, struct waiter *waiter)
{
	*waiter = (struct waiter){.next = issuer->waiters, .place = &issuer->waiters};
	loop_wait_init(&waiter->wait);
	if (waiter->next != NULL)
		waiter->next->place = &waiter->next;
	issuer->waiters = waiter;
}

static void leave(struct waiter *waiter)
{
	if (waiter->place == NULL)
		return;
	*waiter->place = waiter->next;
	if (waiter->next != NULL)
		waiter->next->place = waiter->place;
}

static void tell(struct issuer *issuer)
{
	for (struct waiter *waiter = issuer->waiters, *next; waiter != NULL; waiter = next) {
		next = waiter->next;
		waiter->place = NULL;
		loop_wake(&waiter->wait);
	}
	issuer->waiters = NULL;
}

static void await(struct mcp_keys *keys, struct issuer *issuer)
{
	int64_t deadline_ns = clock_monotonic_ns(keys->clock) + (int64_t)WAIT_MS * 1000000;
	struct waiter waiter;

	join(issuer, &waiter);
	pthread_mutex_unlock(&keys->lock);
	loop_wait(&waiter.wait, deadline_ns);
	pthread_mutex_lock(&keys->lock);
	leave(&waiter);
}

static struct mcp_jwk copy_key(struct arena *arena, const struct mcp_jwk *key)
{
	return (struct mcp_jwk){
		.kid = arena_str(arena, key->kid),
		.kty = arena_str(arena, key->kty),
		.crv = arena_str(arena, key->crv),
		.alg = arena_str(arena, key->alg),
		.first = arena_str(arena, key->first),
		.second = arena_str(arena, key->second),
	};
}

/* What the answers had beside the keys is not kept. */
static void keep(struct issuer *issuer, const struct mcp_jwk *list, size_t count)
{
	arena_finish(&issuer->arena);
	issuer->keys = arena_array(&issuer->arena, count + 1, sizeof *issuer->keys);
	issuer->count = count;
	for (size_t i = 0; i < count; i++)
		issuer->keys[i] = copy_key(&issuer->arena, &list[i]);
}

/* Keys that are there stay where no others are to be had. */
static void renew(struct mcp_keys *keys, struct http_client *client, struct issuer *issuer,
		  struct str name)
{
	struct mcp_jwk *list = NULL;
	struct arena arena;
	struct error err;
	size_t count = 0;

	issuer->is_fetching = true;
	pthread_mutex_unlock(&keys->lock);
	arena_init(&arena, ARENA_BYTES_MAX);
	bool ok = fetch(keys, client, &arena, name, &list, &count, &err);
	pthread_mutex_lock(&keys->lock);
	issuer->is_fetching = false;
	issuer->is_failed = !ok;
	issuer->tried_ms = now_ms(keys);
	if (ok) {
		keep(issuer, list, count);
		issuer->fetched_ms = issuer->tried_ms;
	} else {
		issuer->err = err;
	}
	arena_finish(&arena);
	tell(issuer);
}

/* --- verifying -------------------------------------------------------------------------------- */

/* Keys that could have signed it, out of the lock's reach. */
static size_t copy_keys(const struct issuer *issuer, struct arena *arena, const struct mcp_jwt *jwt,
			struct mcp_jwk **list)
{
	size_t count = 0;

	*list = arena_array(arena, issuer->count + 1, sizeof **list);
	for (size_t i = 0; i < issuer->count; i++)
		if (mcp_jwt_fits(jwt, &issuer->keys[i]))
			(*list)[count++] = copy_key(arena, &issuer->keys[i]);
	return count;
}

/* How long the keys must not be fetched; 0: they may be now. */
static int64_t pause_ms(const struct issuer *issuer, int64_t now)
{
	int64_t pause = issuer->is_failed && issuer->fetched_ms == 0 ? FAILED_MS : UNKNOWN_MS;
	int64_t left = issuer->tried_ms + pause - now;

	return issuer->tried_ms == 0 || left < 0 ? 0 : left;
}

static bool is_kept(const struct issuer *issuer, int64_t now)
{
	return issuer->fetched_ms != 0 && now - issuer->fetched_ms < KEPT_MS;
}

/* Why there is no key that could have signed it. */
static bool explain(const struct issuer *issuer, int64_t now, struct error *err)
{
	if (is_kept(issuer, now))
		return error_set(err, ERROR_UNAUTHORIZED,
				 "the JWT is signed by a key that is not known");
	if (issuer->is_fetching || !issuer->is_failed)
		return error_set(err, ERROR_TIMEOUT,
				 "the authorization server gives its keys too slowly");
	*err = issuer->err;
	err->retry_after_ms = pause_ms(issuer, now);
	return false;
}

static bool find_keys(struct mcp_keys *keys, struct http_client *client, struct arena *arena,
		      struct str name, const struct mcp_jwt *jwt, struct mcp_jwk **list,
		      size_t *count, struct error *err)
{
	for (int try = 0;; try++) {
		struct issuer *issuer = find_issuer(keys, name);
		int64_t now = now_ms(keys);
		bool is_fresh = is_kept(issuer, now) && now - issuer->fetched_ms < FRESH_MS;
		bool may_ask = !issuer->is_fetching && pause_ms(issuer, now) == 0 && try < 2;

		*count = is_kept(issuer, now) ? copy_keys(issuer, arena, jwt, list) : 0;
		if (*count > 0 && (is_fresh || !may_ask))
			return true;
		if (may_ask)
			renew(keys, client, issuer, name);
		else if (issuer->is_fetching && try < 2)
			await(keys, issuer);
		else
			return explain(issuer, now, err);
	}
}

bool mcp_keys_verify(struct mcp_keys *keys, struct http_client *client, struct arena *arena,
		     struct str issuer, const struct mcp_jwt *jwt, struct error *err)
{
	struct mcp_jwk *list = NULL;
	size_t count = 0;

	pthread_mutex_lock(&keys->lock);
	bool ok = find_keys(keys, client, arena, issuer, jwt, &list, &count, err);
	pthread_mutex_unlock(&keys->lock);
	for (size_t i = 0; ok && i < count; i++)
		if (mcp_jwt_verify(jwt, &list[i]))
			return true;
	return ok ? error_set(err, ERROR_UNAUTHORIZED, "the JWT's signature is not good") : false;
}

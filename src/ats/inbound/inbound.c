#include "ats/inbound/inbound.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "ats/inbound/inbounds.h"

enum { STAND_IN_BYTES = 32, ARENA_BYTES = 65536 };

/* For a connector that is looked for of an account which is not there. */
static const struct connector no_connector = {.name = STR_INIT("none")};

static const struct vault_binding stand_in_binding = {
	.environment = STR_INIT(""),
	.subject = STR_INIT("nobody"),
	.field = STR_INIT("inbound_secret"),
};

struct inbounds *inbounds_create(const struct inbounds_options *options)
{
	struct inbounds *inbounds = calloc(1, sizeof *inbounds);
	char plain[STAND_IN_BYTES];

	if (inbounds == NULL)
		die("out of memory for the notifications");
	inbounds->options = *options;
	arena_init(&inbounds->arena, ARENA_BYTES);
	pthread_mutex_init(&inbounds->lock, NULL);
	random_fill(options->random, inbounds->slot_key, sizeof inbounds->slot_key);
	random_fill(options->random, plain, sizeof plain);
	inbounds->stand_in = vault_seal_token(options->vault, &inbounds->arena, &stand_in_binding,
					      str_make(plain, sizeof plain));
	inbound_register(options->vault);
	return inbounds;
}

void inbounds_destroy(struct inbounds *inbounds)
{
	if (inbounds == NULL)
		return;
	arena_finish(&inbounds->arena);
	pthread_mutex_destroy(&inbounds->lock);
	free(inbounds);
}

/* --- not too many ---------------------------------------------------------------------------- */

enum bucket { BUCKET_PROVED, BUCKET_REFUSED };

/* Of one account. Who knows its address but not its secret can make the vault note each try, and so
 * these are few; the ATS tries again, and polling finds what it gives up. */
static const struct {
	int64_t each_ns; /* one may come every so often */
	int64_t burst;
} buckets[] = {
	[BUCKET_PROVED] = {5000000, 2000},
	[BUCKET_REFUSED] = {100000000, 200},
};

static struct inbound_slot *find_slot(struct inbounds *inbounds, struct str account_id)
{
	unsigned char hash[crypto_shorthash_BYTES];
	uint64_t number;

	crypto_shorthash(hash, (const unsigned char *)account_id.data, account_id.len,
			 inbounds->slot_key);
	memcpy(&number, hash, sizeof number);
	return &inbounds->slots[number % INBOUND_SLOTS];
}

/* Is there room for one? `takes`: it takes its place. */
static bool has_room(struct inbounds *inbounds, struct str account_id, enum bucket bucket,
		     bool takes, struct error *err)
{
	int64_t now_ns = clock_monotonic_ns(inbounds->options.clock);
	int64_t each_ns = buckets[bucket].each_ns, full_ns = each_ns * buckets[bucket].burst;
	struct inbound_slot *slot = find_slot(inbounds, account_id);

	pthread_mutex_lock(&inbounds->lock);
	int64_t left_ns = slot->filled_ns[bucket] == 0
				  ? full_ns
				  : slot->left_ns[bucket] + now_ns - slot->filled_ns[bucket];
	if (left_ns > full_ns)
		left_ns = full_ns;
	bool has = left_ns >= each_ns;
	slot->left_ns[bucket] = has && takes ? left_ns - each_ns : left_ns;
	slot->filled_ns[bucket] = now_ns;
	pthread_mutex_unlock(&inbounds->lock);
	if (has)
		return true;
	error_set(err, ERROR_RATE_LIMITED, "too many notifications; send it again later");
	err->retry_after_ms = 1000;
	return false;
}

/* --- who it says to be ----------------------------------------------------------------------- */

struct sender {
	bool is_there;
	struct str environment_id;
	struct str account_id;
	const struct connector *connector; /* of an account that is not there: another */
	size_t secret_count;
	const struct store_value *secrets; /* created_ms and sealed, in turn */
};

static const struct connector *find_any(const struct connectors *connectors)
{
	for (size_t i = 0; i < connectors->count; i++)
		if (connectors->items[i]->webhooks.is_there)
			return connectors->items[i];
	return &no_connector;
}

static bool read_sender(const struct inbounds *inbounds, struct arena *arena,
			const struct store_rows *rows, struct sender *sender, struct error *err)
{
	struct store_value *secrets = arena_array(arena, 2 * rows->count + 1, sizeof *secrets);

	sender->connector = connectors_find(inbounds->options.connectors,
					    store_cell(rows, 0, 1)->bytes, err);
	if (sender->connector == NULL)
		return false;
	sender->is_there = sender->connector->webhooks.is_there;
	sender->environment_id = store_cell(rows, 0, 0)->bytes;
	(void)store_enter(sender->environment_id);
	sender->secrets = secrets;
	for (size_t i = 0; i < rows->count; i++) {
		if (store_cell(rows, i, 2)->type == STORE_NULL)
			continue;
		secrets[2 * sender->secret_count] = *store_cell(rows, i, 2);
		secrets[2 * sender->secret_count + 1] = *store_cell(rows, i, 3);
		sender->secret_count++;
	}
	return true;
}

static bool find_sender(const struct inbounds *inbounds, struct arena *arena, struct str account_id,
			struct sender *sender, struct error *err)
{
	struct store_value values[] = {
		store_text(account_id),
		store_int(clock_unix_ms(inbounds->options.clock)),
		store_int(INBOUND_SECRETS_MAX),
	};
	struct store_rows rows;

	*sender = (struct sender){.account_id = account_id,
				  .connector = find_any(inbounds->options.connectors)};
	if (!store_query_all(inbounds->options.store, arena,
			 "SELECT e.environment_id, e.connector, s.created_ms, s.sealed"
			 " FROM inbound_endpoint e LEFT JOIN inbound_secret s"
			 " ON s.environment_id = e.environment_id AND s.account_id = e.account_id"
			 " AND (s.until_ms = 0 OR s.until_ms > ?2) WHERE e.account_id = ?1"
			 " ORDER BY s.created_ms DESC LIMIT ?3",
			 values, 3, &rows, err))
		return false;
	return rows.count == 0 || read_sender(inbounds, arena, &rows, sender, err);
}

static struct str find_header(const struct inbound_notification *notification, struct str name)
{
	for (size_t i = 0; i < notification->header_count; i++)
		if (str_equal_nocase(notification->headers[i].name, name))
			return str_trim(notification->headers[i].value);
	return STR("");
}

static bool check_stand_in(const struct inbounds *inbounds, struct arena *arena,
			   const struct sender *sender, struct str header, struct str body)
{
	struct error ignored;
	struct str secret;

	if (vault_open_token(inbounds->options.vault, arena, &stand_in_binding, inbounds->stand_in,
			     &secret, &ignored) &&
	    proof_check(&sender->connector->webhooks, secret, header, body))
		return false;
	return false;
}

static bool is_proved(const struct inbounds *inbounds, struct arena *arena,
		      const struct sender *sender,
		      const struct inbound_notification *notification)
{
	const struct connector_webhooks *webhooks = &sender->connector->webhooks;
	struct str header = find_header(notification, webhooks->header);
	bool is_good = webhooks->proof == CONNECTOR_PROOF_NONE;

	if (!sender->is_there)
		return check_stand_in(inbounds, arena, sender, header, notification->body);
	for (size_t i = 0; i < sender->secret_count; i++) {
		struct vault_binding binding =
			inbound_binding(sender->environment_id, sender->account_id,
					sender->secrets[2 * i].integer);
		struct secret secret = {0};
		struct error ignored;

		/* One that does not open (its key was destroyed) proves nothing. */
		if (vault_open_sealed(inbounds->options.vault, &binding,
				      sender->secrets[2 * i + 1].bytes, &secret, &ignored) &&
		    proof_check(webhooks, secret_str(&secret), header, notification->body))
			is_good = true;
		secret_finish(&secret);
	}
	return is_good;
}

/* --- counting -------------------------------------------------------------------------------- */

/* Some time later, and it may be lost. */
static void count(struct inbounds *inbounds, const struct sender *sender, const char *sql,
		  const struct store_value *third)
{
	const struct store_value values[] = {
		store_text(sender->environment_id),
		store_text(sender->account_id),
		*third,
	};
	const struct store_statement statement = {
		.sql = sql,
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};
	struct error ignored;

	if (sender->is_there)
		(void)!store_write_later(inbounds->options.store, &statement, &ignored);
}

static void count_now(struct inbounds *inbounds, const struct sender *sender, const char *sql)
{
	struct store_value now = store_int(clock_unix_ms(inbounds->options.clock));

	count(inbounds, sender, sql, &now);
}

static bool refuse(struct inbounds *inbounds, const struct sender *sender, struct error *err)
{
	count_now(inbounds, sender,
		  "UPDATE inbound_endpoint SET refused = refused + 1, refused_ms = ?3"
		  " WHERE environment_id = ?1 AND account_id = ?2");
	return error_set(err, ERROR_UNAUTHORIZED, "this is not the signature of a notification here");
}

/* --- storing --------------------------------------------------------------------------------- */

struct delivery {
	const struct sender *sender;
	struct str body;
	struct str digest;
	int64_t now_ms;
	struct inbound_reading reading;
};

/* By its own id, or where it has none by all that it says. */
static struct str digest_of(struct arena *arena, const struct inbound_reading *reading,
			    struct str body)
{
	unsigned char *digest = arena_alloc(arena, INBOUND_DIGEST_BYTES);
	struct str text = reading->remote_id.len > 0 ? reading->remote_id : body;
	unsigned char kind = reading->remote_id.len > 0;

	crypto_generichash(digest, INBOUND_DIGEST_BYTES, (const unsigned char *)text.data, text.len,
			   NULL, 0);
	digest[0] = (unsigned char)((digest[0] & 0xfe) | kind); /* an id is no body */
	return str_make((char *)digest, INBOUND_DIGEST_BYTES);
}

static struct store_statement insert_delivery(struct arena *arena, const struct delivery *delivery)
{
	const struct inbound_reading *reading = &delivery->reading;
	struct json hints = inbound_show_hints(arena, reading->hints, reading->hint_count);
	const struct store_value values[] = {
		store_text(delivery->sender->environment_id),
		store_text(delivery->sender->account_id),
		store_blob(delivery->digest),
		store_int(delivery->now_ms),
		store_text(reading->remote_id),
		store_text(reading->event),
		store_blob(delivery->body),
		store_text(json_text(arena, hints)),
		store_int((int64_t)reading->hint_count),
		store_text(reading->error),
		store_int(delivery->now_ms - INBOUND_KEPT_MS),
	};

	return store_keep(
		arena,
		"INSERT INTO inbound_delivery (environment_id, account_id, digest,"
		" received_ms, repeated, remote_id, event, body, hints, hint_count, taken,"
		" error) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, 0, ?10)"
		" ON CONFLICT (environment_id, account_id, digest) DO UPDATE SET"
		" received_ms = ?4, repeated = 0, event = ?6, body = ?7, hints = ?8,"
		" hint_count = ?9, taken = 0, error = ?10"
		" WHERE inbound_delivery.received_ms < ?11",
		values, sizeof values / sizeof *values, 1);
}

static struct store_statement count_delivery(struct arena *arena, const struct delivery *delivery)
{
	const struct store_value values[] = {
		store_text(delivery->sender->environment_id),
		store_text(delivery->sender->account_id),
		store_int(delivery->now_ms),
	};

	return store_keep(arena,
			  "UPDATE inbound_endpoint SET received = received + 1, received_ms = ?3"
			  " WHERE environment_id = ?1 AND account_id = ?2",
			  values, 3, 1);
}

/* A few of those whose time is over: more than come. */
static struct store_statement drop_expired(struct arena *arena, const struct delivery *delivery)
{
	const struct store_value values[] = {
		store_text(delivery->sender->environment_id),
		store_text(delivery->sender->account_id),
		store_int(delivery->now_ms - INBOUND_KEPT_MS),
	};

	return store_keep(
		arena,
		"DELETE FROM inbound_delivery WHERE environment_id = ?1 AND account_id = ?2"
		" AND digest IN (SELECT digest FROM inbound_delivery WHERE"
		" environment_id = ?1 AND account_id = ?2 AND received_ms < ?3"
		" ORDER BY received_ms LIMIT 10)",
		values, 3, -1);
}

static bool write(struct inbounds *inbounds, struct arena *arena, const struct delivery *delivery,
		  size_t *taken, struct error *err)
{
	const struct store_statement statements[] = {
		insert_delivery(arena, delivery),
		count_delivery(arena, delivery),
		drop_expired(arena, delivery),
	};

	*taken = 0;
	if (delivery->reading.hint_count == 0)
		return store_write(inbounds->options.store, statements, 3, err);
	return sync_take_hints(inbounds->options.syncs, arena, delivery->sender->environment_id,
			       delivery->sender->account_id, delivery->reading.hints,
			       delivery->reading.hint_count, statements, 3, taken, err);
}

/* Is it why nothing was written that it is there already? */
static bool is_repeated(const struct inbounds *inbounds, struct arena *arena,
			const struct delivery *delivery)
{
	struct store_value values[] = {
		store_text(delivery->sender->environment_id),
		store_text(delivery->sender->account_id),
		store_blob(delivery->digest),
	};
	struct store_rows rows;
	struct error ignored;

	return store_query(inbounds->options.store, arena,
			   "SELECT 1 FROM inbound_delivery WHERE environment_id = ?1"
			   " AND account_id = ?2 AND digest = ?3",
			   values, 3, &rows, &ignored) &&
	       rows.count > 0;
}

static void count_repeated(struct inbounds *inbounds, const struct delivery *delivery)
{
	struct store_value digest = store_blob(delivery->digest);

	count(inbounds, delivery->sender,
	      "UPDATE inbound_delivery SET repeated = repeated + 1 WHERE environment_id = ?1"
	      " AND account_id = ?2 AND digest = ?3",
	      &digest);
	count_now(inbounds, delivery->sender,
		  "UPDATE inbound_endpoint SET repeated = repeated + 1, received_ms = ?3"
		  " WHERE environment_id = ?1 AND account_id = ?2");
}

static void note_taken(struct inbounds *inbounds, const struct delivery *delivery, size_t taken)
{
	const struct store_value values[] = {
		store_text(delivery->sender->environment_id),
		store_text(delivery->sender->account_id),
		store_blob(delivery->digest),
		store_int((int64_t)taken),
	};
	const struct store_statement statement = {
		.sql = "UPDATE inbound_delivery SET taken = ?4 WHERE environment_id = ?1"
		       " AND account_id = ?2 AND digest = ?3",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};
	struct error ignored;

	if (taken > 0)
		(void)!store_write_later(inbounds->options.store, &statement, &ignored);
}

static bool keep(struct inbounds *inbounds, struct arena *arena, const struct sender *sender,
		 struct str body, enum inbound_outcome *outcome, struct error *err)
{
	struct delivery *delivery = arena_alloc(arena, sizeof *delivery);
	size_t taken;

	*delivery = (struct delivery){
		.sender = sender,
		.body = body,
		.now_ms = clock_unix_ms(inbounds->options.clock),
	};
	inbound_read(inbounds, arena, sender->connector, body, &delivery->reading);
	delivery->digest = digest_of(arena, &delivery->reading, body);
	*outcome = INBOUND_STORED;
	if (write(inbounds, arena, delivery, &taken, err)) {
		note_taken(inbounds, delivery, taken);
		return true;
	}
	*outcome = INBOUND_REPEATED;
	if (err->code != ERROR_CONFLICT)
		return false;
	if (!is_repeated(inbounds, arena, delivery))
		return error_set(err, ERROR_UNAVAILABLE, "the account is being changed; send it again");
	count_repeated(inbounds, delivery);
	return true;
}

/* --- the whole ------------------------------------------------------------------------------- */

bool inbound_receive(struct inbounds *inbounds, struct arena *arena,
		     const struct inbound_notification *notification,
		     enum inbound_outcome *outcome, struct error *err)
{
	struct str account_id = notification->account_id;
	struct sender sender;

	if (!has_room(inbounds, account_id, BUCKET_REFUSED, false, err) ||
	    !find_sender(inbounds, arena, account_id, &sender, err))
		return false;
	bool is_good = is_proved(inbounds, arena, &sender, notification);
	bool is_test = inbound_is_test(inbounds, arena, sender.connector, notification->body);
	if (!has_room(inbounds, account_id, is_good ? BUCKET_PROVED : BUCKET_REFUSED, true, err))
		return false;
	if (is_test && sender.is_there) {
		*outcome = INBOUND_TRIED;
		count_now(inbounds, &sender,
			  "UPDATE inbound_endpoint SET tested_ms = ?3 WHERE environment_id = ?1"
			  " AND account_id = ?2");
		return true;
	}
	if (!is_good)
		return refuse(inbounds, &sender, err);
	return keep(inbounds, arena, &sender, notification->body, outcome, err);
}

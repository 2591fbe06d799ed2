/* What proves the notifications of an account: a secret, and for a while the one before it. */
#include "ats/inbound/inbounds.h"

static struct store_value *place_of(struct arena *arena, const struct account *account,
				    size_t more)
{
	struct store_value *values = arena_array(arena, 2 + more, sizeof *values);

	values[0] = store_text(account->environment_id);
	values[1] = store_text(account->id);
	return values;
}

/* --- sealing --------------------------------------------------------------------------------- */

struct vault_binding inbound_binding(struct str environment_id, struct str account_id,
				     int64_t created_ms)
{
	return (struct vault_binding){
		.environment = environment_id,
		.subject = account_id,
		.field = STR("inbound_secret"),
		.version = created_ms,
	};
}

static void place(struct arena *arena, const struct store_value *row, bool is_first,
		  struct vault_binding *out)
{
	(void)arena;
	(void)is_first;
	*out = inbound_binding(row[1].bytes, row[2].bytes, row[3].integer);
}

static const struct vault_column column = {
	.name = "inbound_secret",
	.walk = "SELECT sealed, environment_id, account_id, created_ms FROM inbound_secret"
		" WHERE (environment_id, account_id, created_ms) > (?1, ?2, ?3)"
		" ORDER BY environment_id, account_id, created_ms LIMIT ?4",
	.replace = "UPDATE inbound_secret SET sealed = ?2 WHERE sealed = ?1"
		   " AND environment_id = ?3 AND account_id = ?4 AND created_ms = ?5",
	.count = "SELECT iif(substr(sealed, 1, 1) = x'02', substr(sealed, 3, 8), x''), count(*)"
		 " FROM inbound_secret WHERE environment_id = ?1 GROUP BY 1",
	.revoke = "DELETE FROM inbound_secret WHERE environment_id = ?1",
	.keys = 3,
	.types = {[2] = STORE_INT},
	.place = place,
};

void inbound_register(struct vault *vault)
{
	vault_add_column(vault, &column);
}

/* --- setting --------------------------------------------------------------------------------- */

static bool check_connector(const struct inbounds *inbounds, const struct account *account,
			    const struct connector **out, struct error *err)
{
	*out = connectors_find(inbounds->options.connectors, account->connector, err);
	if (*out == NULL)
		return false;
	return (*out)->webhooks.is_there ||
	       error_set(err, ERROR_NOT_SUPPORTED, "%.*s sends no notifications that tenon knows",
			 STR_ARGS((*out)->label));
}

static bool check_secret(const struct connector *connector, struct str secret, int64_t overlap_s,
			 struct error *err)
{
	char allowed[64];

	snprintf(allowed, sizeof allowed, "%d to %d bytes without control bytes",
		 INBOUND_SECRET_BYTES_MIN, INBOUND_SECRET_BYTES_MAX);
	if (overlap_s < 0 || overlap_s > INBOUND_OVERLAP_S_MAX)
		return error_set_field(err, ERROR_INVALID, "overlap_s",
				       "a whole number from 0 to 604800",
				       "overlap_s must be a whole number from 0 to 604800");
	if (connector->webhooks.proof == CONNECTOR_PROOF_NONE)
		return secret.len == 0 ||
		       error_set_field(err, ERROR_INVALID, "secret", "none",
				       "%.*s does not sign its notifications",
				       STR_ARGS(connector->label));
	if (secret.len == 0)
		return error_set_field(err, ERROR_INVALID, "secret", allowed, "secret is missing");
	return (secret.len >= INBOUND_SECRET_BYTES_MIN && secret.len <= INBOUND_SECRET_BYTES_MAX &&
		!http_has_control_byte(secret)) ||
	       error_set_field(err, ERROR_INVALID, "secret", allowed, "secret must be %s", allowed);
}

static struct store_statement put_endpoint(struct arena *arena, const struct account *account,
					   int64_t now_ms)
{
	struct store_value *values = place_of(arena, account, 2);

	values[2] = store_int(now_ms);
	values[3] = store_text(account->connector);
	return (struct store_statement){
		.sql = "INSERT INTO inbound_endpoint (environment_id, account_id, connector,"
		       " created_ms, updated_ms, received_ms, tested_ms, refused_ms, received,"
		       " repeated, refused) VALUES (?1, ?2, ?4, ?3, ?3, 0, 0, 0, 0, 0, 0)"
		       " ON CONFLICT (environment_id, account_id) DO UPDATE SET updated_ms = ?3",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = 1,
	};
}

/* Those before it go at once, or when the overlap is over; the oldest go when they are too many. */
static struct store_statement end_others(struct arena *arena, const struct account *account,
					 int64_t until_ms)
{
	struct store_value *values = place_of(arena, account, 1);

	values[2] = store_int(until_ms);
	return (struct store_statement){
		.sql = "UPDATE inbound_secret SET until_ms = ?3 WHERE environment_id = ?1"
		       " AND account_id = ?2 AND (until_ms = 0 OR until_ms > ?3)",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = -1,
	};
}

static struct store_statement drop_ended(struct arena *arena, const struct account *account,
					 int64_t now_ms)
{
	struct store_value *values = place_of(arena, account, 2);

	values[2] = store_int(now_ms);
	values[3] = store_int(INBOUND_SECRETS_MAX - 1);
	return (struct store_statement){
		.sql = "DELETE FROM inbound_secret WHERE environment_id = ?1 AND account_id = ?2"
		       " AND ((until_ms > 0 AND until_ms <= ?3) OR created_ms NOT IN (SELECT"
		       " created_ms FROM inbound_secret WHERE environment_id = ?1"
		       " AND account_id = ?2 ORDER BY created_ms DESC LIMIT ?4))",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};
}

static struct store_statement insert_secret(struct arena *arena, const struct account *account,
					    struct str sealed, int64_t now_ms)
{
	struct store_value *values = place_of(arena, account, 2);

	values[2] = store_int(now_ms);
	values[3] = store_blob(sealed);
	return (struct store_statement){
		.sql = "INSERT INTO inbound_secret (environment_id, account_id, created_ms, sealed,"
		       " until_ms) VALUES (?1, ?2, ?3, ?4, 0)",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = 1,
	};
}

bool inbound_set(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		 struct str secret, int64_t overlap_s, struct error *err)
{
	int64_t now_ms = clock_unix_ms(inbounds->options.clock);
	struct vault_binding binding =
		inbound_binding(account->environment_id, account->id, now_ms);
	struct store_statement statements[4];
	const struct connector *connector;
	struct str sealed = {NULL, 0};
	size_t count = 0;

	if (!check_connector(inbounds, account, &connector, err) ||
	    !check_secret(connector, secret, overlap_s, err))
		return false;
	statements[count++] = put_endpoint(arena, account, now_ms);
	if (secret.len > 0) {
		if (!vault_seal(inbounds->options.vault, arena, &binding, secret, &sealed, err))
			return false;
		statements[count++] = end_others(arena, account, now_ms + overlap_s * 1000);
		statements[count++] = drop_ended(arena, account, now_ms);
		statements[count++] = insert_secret(arena, account, sealed, now_ms);
	}
	return store_write(inbounds->options.store, statements, count, err);
}

bool inbound_remove(struct inbounds *inbounds, const struct account *account, struct error *err)
{
	struct store_value values[] = {store_text(account->environment_id),
				       store_text(account->id)};
	struct store_statement statement = {
		.sql = "DELETE FROM inbound_endpoint WHERE environment_id = ?1 AND account_id = ?2",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1, /* its secrets go with it and are not counted */
	};
	const struct connector *connector;

	if (!check_connector(inbounds, account, &connector, err))
		return false;
	if (store_write(inbounds->options.store, &statement, 1, err))
		return true;
	return err->code == ERROR_CONFLICT
		       ? error_set(err, ERROR_NOT_FOUND, "the account takes no notifications")
		       : false;
}

/* --- showing --------------------------------------------------------------------------------- */

static bool find_secrets(struct inbounds *inbounds, struct arena *arena,
			 const struct account *account, struct inbound_endpoint *endpoint,
			 struct error *err)
{
	struct store_value *values = place_of(arena, account, 2);
	struct store_rows rows;

	values[2] = store_int(clock_unix_ms(inbounds->options.clock));
	values[3] = store_int(INBOUND_SECRETS_MAX);
	if (!store_query(inbounds->options.store, arena,
			 "SELECT created_ms, until_ms FROM inbound_secret WHERE environment_id = ?1"
			 " AND account_id = ?2 AND (until_ms = 0 OR until_ms > ?3)"
			 " ORDER BY created_ms DESC LIMIT ?4",
			 values, 4, &rows, err))
		return false;
	endpoint->secret_count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		endpoint->secrets[i] = (struct inbound_secret){
			.created_ms = store_cell(&rows, i, 0)->integer,
			.until_ms = store_cell(&rows, i, 1)->integer,
		};
	return true;
}

bool inbound_find(struct inbounds *inbounds, struct arena *arena, const struct account *account,
		  struct inbound_endpoint *endpoint, struct error *err)
{
	const struct connector *connector;
	struct store_rows rows;

	*endpoint = (struct inbound_endpoint){0};
	if (!check_connector(inbounds, account, &connector, err) ||
	    !store_query(inbounds->options.store, arena,
			 "SELECT created_ms, updated_ms, received_ms, tested_ms, refused_ms, received,"
			 " repeated, refused FROM inbound_endpoint WHERE environment_id = ?1"
			 " AND account_id = ?2",
			 place_of(arena, account, 0), 2, &rows, err))
		return false;
	if (rows.count == 0)
		return true;
	*endpoint = (struct inbound_endpoint){
		.is_there = true,
		.created_ms = store_cell(&rows, 0, 0)->integer,
		.updated_ms = store_cell(&rows, 0, 1)->integer,
		.received_ms = store_cell(&rows, 0, 2)->integer,
		.tested_ms = store_cell(&rows, 0, 3)->integer,
		.refused_ms = store_cell(&rows, 0, 4)->integer,
		.received = store_cell(&rows, 0, 5)->integer,
		.repeated = store_cell(&rows, 0, 6)->integer,
		.refused = store_cell(&rows, 0, 7)->integer,
	};
	return find_secrets(inbounds, arena, account, endpoint, err);
}

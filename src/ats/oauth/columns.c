/* What the vault must know of this room's tables to rotate keys and to destroy them. */
#include <sodium.h>

#include "ats/oauth/parts.h"

static void place_secret(struct arena *arena, const struct store_value *row, bool is_first,
			 struct vault_binding *out)
{
	(void)arena;
	(void)is_first;
	*out = (struct vault_binding){
		.environment = row[1].bytes,
		.subject = row[2].bytes,
		.field = STR("oauth_app.client_secret"),
	};
}

/* Of its row, which its state finds, and no other: the digest is the row's name. */
struct vault_binding state_binding(struct arena *arena, struct str environment_id,
				   struct str digest)
{
	char *hex = arena_alloc(arena, 2 * digest.len + 1);

	sodium_bin2hex(hex, 2 * digest.len + 1, (const unsigned char *)digest.data, digest.len);
	return (struct vault_binding){
		.environment = environment_id,
		.subject = str_make(hex, 2 * digest.len),
		.field = STR("oauth_state.verifier"),
	};
}

static void place_verifier(struct arena *arena, const struct store_value *row, bool is_first,
			   struct vault_binding *out)
{
	(void)is_first;
	*out = state_binding(arena, row[1].bytes, row[2].bytes);
}

/* A revoked application's secret must be set anew: without it none is registered. */
static const struct vault_column columns[] = {
	{.name = "oauth_app",
	 .walk = "SELECT client_secret, environment_id, connector FROM oauth_app"
		 " WHERE (environment_id, connector) > (?1, ?2) AND client_secret IS NOT NULL"
		 " ORDER BY environment_id, connector LIMIT ?3",
	 .replace = "UPDATE oauth_app SET client_secret = ?2 WHERE client_secret = ?1"
		    " AND environment_id = ?3 AND connector = ?4",
	 .count = "SELECT iif(substr(client_secret, 1, 1) = x'02', substr(client_secret, 3, 8), x''),"
		  " count(*) FROM oauth_app WHERE client_secret IS NOT NULL AND environment_id = ?1"
		  " GROUP BY 1",
	 .revoke = "DELETE FROM oauth_app WHERE environment_id = ?1 AND client_secret IS NOT NULL",
	 .keys = 2,
	 .place = place_secret},
	{.name = "oauth_state",
	 .walk = "SELECT verifier, environment_id, digest FROM oauth_state"
		 " WHERE (environment_id, digest) > (?1, ?2)"
		 " ORDER BY environment_id, digest LIMIT ?3",
	 .replace = "UPDATE oauth_state SET verifier = ?2 WHERE verifier = ?1"
		    " AND environment_id = ?3 AND digest = ?4",
	 .count = "SELECT iif(substr(verifier, 1, 1) = x'02', substr(verifier, 3, 8), x''), count(*)"
		  " FROM oauth_state WHERE environment_id = ?1 GROUP BY 1",
	 .revoke = "DELETE FROM oauth_state WHERE environment_id = ?1",
	 .keys = 2,
	 .types = {[1] = STORE_BLOB},
	 .place = place_verifier},
};

void columns_register(struct vault *vault)
{
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		vault_add_column(vault, &columns[i]);
}

#include "ats/link/links.h"

#include <assert.h>
#include <stdlib.h>

/* What ends when all credentials of an environment are revoked. */
static void register_columns(struct vault *vault)
{
	static const struct vault_column columns[] = {
		{.name = "link_token",
		 .revoke = "UPDATE link_token SET revoked_ms = ?2 WHERE environment_id = ?1"
			   " AND revoked_ms = 0",
		 .revoke_wants_now = true},
		{.name = "link_session", .revoke = "DELETE FROM link_session WHERE environment_id = ?1"},
		{.name = "account_token",
		 .revoke = "DELETE FROM account_token WHERE environment_id = ?1"},
	};

	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		vault_add_column(vault, &columns[i]);
}

struct links *links_create(struct accounts *accounts, struct store *store, struct vault *vault,
			   const struct clock *clock, const struct random *random)
{
	struct links *links = calloc(1, sizeof *links);

	if (links == NULL)
		die("out of memory for the links");
	*links = (struct links){LINKS_MAGIC, accounts, store, vault, clock, random};
	register_columns(vault);
	return links;
}

void links_destroy(struct links *links)
{
	if (links == NULL)
		return;
	assert(links->magic == LINKS_MAGIC);
	links->magic = 0;
	free(links);
}

bool link_read_json(struct arena *arena, const struct store_value *cell, struct json *out,
		    struct error *err)
{
	return json_parse(arena, cell->bytes, &json_limits_default, out, err) ||
	       error_set(err, ERROR_INTERNAL, "a row of a link is damaged");
}

struct store_value link_digest(struct links *links, struct arena *arena, const char *purpose,
			       struct str text)
{
	unsigned char *digest = arena_alloc(arena, VAULT_DIGEST_BYTES);

	vault_digest(links->vault, purpose, text, digest);
	return store_blob(str_make((char *)digest, VAULT_DIGEST_BYTES));
}

struct store_value link_print(struct arena *arena, struct json value)
{
	struct buffer text;

	buffer_init(&text, arena, SIZE_MAX / 4);
	json_print(&text, value);
	return store_text(buffer_str(&text));
}

bool link_names_connector(struct json names, struct str connector)
{
	for (size_t i = 0; i < names.count; i++)
		if (str_equal(json_str(json_at(names, i)), connector))
			return true;
	return names.count == 0;
}

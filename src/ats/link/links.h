/* What the files of the link room share. Private to it. */
#ifndef ATS_LINK_LINKS_H
#define ATS_LINK_LINKS_H

#include "ats/link/link.h"

enum { LINKS_MAGIC = 0x6c696e6b, LIST_MAX = 1000 };

struct links {
	unsigned magic;
	struct accounts *accounts;
	struct store *store;
	struct vault *vault;
	const struct clock *clock;
	const struct random *random;
};

/* In the order that link_read_token() wants; of a table called "t". */
#define TOKEN_COLUMNS                                                                         \
	"t.environment_id, t.id, t.tenant_id, t.account_id, t.connectors, t.context,"         \
	" t.redirect_uri, t.allowed_origins, t.theme, t.language, t.created_ms, t.expires_ms," \
	" t.used_ms, t.revoked_ms"
enum { TOKEN_COLUMN_COUNT = 14 };

/* Borrows from the rows. */
bool link_read_token(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct link_token *out, struct error *err) MUST_CHECK;
/* JSON of a column. */
bool link_read_json(struct arena *arena, const struct store_value *cell, struct json *out,
		    struct error *err) MUST_CHECK;
struct store_value link_digest(struct links *links, struct arena *arena, const char *purpose,
			       struct str text);
struct store_value link_print(struct arena *arena, struct json value);

extern const char link_token_purpose[], link_token_prefix[];

#endif

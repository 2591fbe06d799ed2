/* Link tokens: made, listed, revoked. */
#include "ats/link/links.h"

#include <assert.h>

const char link_token_purpose[] = "link_token", link_token_prefix[] = "tlink_";

enum {
	TEXT_BYTES_MAX = 256,
	URI_BYTES_MAX = 2048,
	JSON_BYTES_MAX = 16 * 1024,
	THEME_BYTES_MAX = 4096,
	VALID_MAX = 10000,
	KEPT_DAYS = 30, /* after its end, for the list */
};

bool link_read_token(struct arena *arena, const struct store_rows *rows, size_t row,
		     struct link_token *out, struct error *err)
{
	*out = (struct link_token){
		.environment_id = store_cell(rows, row, 0)->bytes,
		.id = store_cell(rows, row, 1)->bytes,
		.tenant_id = store_cell(rows, row, 2)->bytes,
		.account_id = store_cell(rows, row, 3)->bytes,
		.redirect_uri = store_cell(rows, row, 6)->bytes,
		.language = store_cell(rows, row, 9)->bytes,
		.created_ms = store_cell(rows, row, 10)->integer,
		.expires_ms = store_cell(rows, row, 11)->integer,
		.used_ms = store_cell(rows, row, 12)->integer,
		.revoked_ms = store_cell(rows, row, 13)->integer,
	};
	return link_read_json(arena, store_cell(rows, row, 4), &out->connectors, err) &&
	       link_read_json(arena, store_cell(rows, row, 5), &out->context, err) &&
	       link_read_json(arena, store_cell(rows, row, 7), &out->allowed_origins, err) &&
	       link_read_json(arena, store_cell(rows, row, 8), &out->theme, err);
}

/* --- what it may be -------------------------------------------------------------------------- */

static bool check_size(struct arena *arena, struct json value, size_t bytes_max, const char *field,
		       struct error *err)
{
	struct buffer text;
	char allowed[64];

	buffer_init(&text, arena, bytes_max);
	json_print(&text, value);
	if (!text.is_over)
		return true;
	snprintf(allowed, sizeof allowed, "at most %zu bytes", bytes_max);
	return error_set_field(err, ERROR_LIMIT, field, allowed, "%s is too large", field);
}

static bool check_origins(struct json origins, struct error *err)
{
	static const char allowed[] = "at most 50 texts like \"https://customer.example\"";

	for (size_t i = 0; i < origins.count; i++) {
		struct json origin = json_at(origins, i);

		if (origins.count > LINK_ORIGINS_MAX || !json_is(origin, JSON_STRING) ||
		    !link_is_origin(json_str(origin)))
			return error_set_field(err, ERROR_INVALID, "allowed_origins", allowed,
					       "allowed_origins must be origins: a scheme, a host "
					       "and perhaps a port, in lower case");
	}
	return true;
}

/* Where the result goes in the same-window mode: not to a place that others may read along. */
static bool check_redirect(struct str uri, struct error *err)
{
	struct str rest = uri, host;
	bool is_good = uri.len <= URI_BYTES_MAX && !http_has_control_byte(uri) &&
		       str_find_byte(uri, '#') < 0 && str_find_byte(uri, ' ') < 0;

	if (uri.len == 0)
		return true;
	if (str_starts_with(uri, STR("https://")) && uri.len > 8 && is_good)
		return true;
	if (str_starts_with(uri, STR("http://")) && is_good) {
		rest = str_slice(uri, 7, uri.len);
		host = str_cut(&rest, '/');
		host = str_cut(&host, ':');
		if (str_equal(host, STR("localhost")) || str_equal(host, STR("127.0.0.1")))
			return true;
	}
	return error_set_field(err, ERROR_INVALID, "redirect_uri",
			       "an https address without a fragment, or http on localhost",
			       "redirect_uri must be https, without a fragment");
}

static bool check_language(struct str language, struct error *err)
{
	for (size_t i = 0; i < language.len; i++) {
		char c = language.data[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (language.len > 16 || (!is_letter && c != '-'))
			return error_set_field(err, ERROR_INVALID, "language",
					       "a language's tag such as en or pt-BR",
					       "language must be a language's tag");
	}
	return true;
}

static bool check(struct arena *arena, const struct link_token *token, int64_t seconds,
		  struct error *err)
{
	if (token->account_id.len > 0 && token->tenant_id.len > 0)
		return error_set_field(err, ERROR_INVALID, "tenant_id",
				       "tenant_id or integrated_account_id",
				       "an account that is linked anew keeps its tenant_id");
	if (token->account_id.len == 0 && token->tenant_id.len == 0)
		return error_set_field(err, ERROR_INVALID, "tenant_id", "a text",
				       "tenant_id is missing: whose account will it be?");
	if (token->account_id.len > 0 && (token->context.count > 0 || token->connectors.count > 0))
		return error_set_field(err, ERROR_INVALID, "integrated_account_id",
				       "without connectors and context",
				       "an account that is linked anew keeps its connector and context");
	if (token->tenant_id.len > TEXT_BYTES_MAX)
		return error_set_field(err, ERROR_LIMIT, "tenant_id", "at most 256 bytes",
				       "tenant_id is too long");
	if (seconds < LINK_SECONDS_MIN || seconds > LINK_SECONDS_MAX)
		return error_set_field(err, ERROR_INVALID, "expires_in",
				       "seconds, 60 to 86400",
				       "expires_in must be from 60 to 86400 seconds");
	return check_origins(token->allowed_origins, err) &&
	       check_redirect(token->redirect_uri, err) && check_language(token->language, err) &&
	       check_size(arena, token->context, JSON_BYTES_MAX, "context", err) &&
	       check_size(arena, token->connectors, JSON_BYTES_MAX, "connectors", err) &&
	       check_size(arena, token->theme, THEME_BYTES_MAX, "theme", err);
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct json or_empty(struct json value, enum json_type type)
{
	if (json_is(value, type))
		return value;
	return type == JSON_ARRAY ? json_array(NULL, 0) : json_object(NULL, 0);
}

static struct store_statement insert(struct links *links, struct arena *arena,
				     const struct link_token *token, struct str text)
{
	struct store_value *values = arena_array(arena, 14, sizeof *values);

	values[0] = store_text(token->environment_id);
	values[1] = store_text(token->id);
	values[2] = link_digest(links, arena, link_token_purpose, text);
	values[3] = store_text(token->tenant_id);
	values[4] = store_text(token->account_id);
	values[5] = link_print(arena, token->connectors);
	values[6] = link_print(arena, token->context);
	values[7] = store_text(token->redirect_uri);
	values[8] = link_print(arena, token->allowed_origins);
	values[9] = link_print(arena, token->theme);
	values[10] = store_text(token->language);
	values[11] = store_int(token->created_ms);
	values[12] = store_int(token->expires_ms);
	values[13] = store_int(VALID_MAX);
	return (struct store_statement){
		.sql = "INSERT INTO link_token (environment_id, id, digest, tenant_id, account_id,"
		       " connectors, context, redirect_uri, allowed_origins, theme, language,"
		       " created_ms, expires_ms, used_ms, revoked_ms)"
		       " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0"
		       " WHERE (SELECT count(*) FROM link_token WHERE environment_id = ?1"
		       " AND expires_ms > ?12 AND used_ms = 0 AND revoked_ms = 0) < ?14",
		.parameters = values,
		.parameter_count = 14,
		.changes_expected = 1,
	};
}

/* Those which ended long ago, and their sessions with them. */
static struct store_statement sweep(struct arena *arena, const struct link_token *token)
{
	const struct store_value values[] = {
		store_text(token->environment_id),
		store_int(token->created_ms - (int64_t)KEPT_DAYS * 86400000),
	};

	return store_keep(arena,
			  "DELETE FROM link_token WHERE environment_id = ?1 AND expires_ms < ?2",
			  values, 2, -1);
}

bool link_token_create(struct links *links, struct arena *arena, struct link_token *token,
		       int64_t seconds, struct str *text, struct error *err)
{
	struct store_statement statements[2];
	struct account account;

	assert(links->magic == LINKS_MAGIC);
	token->connectors = or_empty(token->connectors, JSON_ARRAY);
	token->allowed_origins = or_empty(token->allowed_origins, JSON_ARRAY);
	token->context = or_empty(token->context, JSON_OBJECT);
	token->theme = or_empty(token->theme, JSON_OBJECT);
	if (!check(arena, token, seconds, err) ||
	    (token->account_id.len > 0 &&
	     !account_find(links->accounts, arena, token->environment_id, token->account_id,
			   &account, err)))
		return false;
	*text = token_text_make(links->random, arena, link_token_prefix);
	token->id = id_make(links->accounts, arena, "lnk_");
	token->created_ms = clock_unix_ms(links->clock);
	token->expires_ms = token->created_ms + seconds * 1000;
	token->used_ms = token->revoked_ms = 0;
	statements[0] = sweep(arena, token);
	statements[1] = insert(links, arena, token, *text);
	if (store_write(links->store, statements, 2, err))
		return true;
	if (err->code != ERROR_CONFLICT)
		return false;
	return error_set_field(err, ERROR_LIMIT, "environment", "at most 10000 valid link tokens",
			       "the environment has too many link tokens that wait to be used");
}

bool link_token_list(struct links *links, struct arena *arena, struct str environment_id,
		     struct str before, size_t limit, struct link_token **list, size_t *count,
		     struct error *err)
{
	struct store_value values[] = {
		store_text(environment_id),
		store_text(before.len > 0 ? before : STR("~")),
		store_int((int64_t)limit),
	};
	struct store_rows rows;

	assert(limit >= 1 && limit <= LIST_MAX);
	if (!store_query(links->store, arena,
			 "SELECT " TOKEN_COLUMNS " FROM link_token t WHERE t.environment_id = ?1"
			 " AND t.id < ?2 ORDER BY t.id DESC LIMIT ?3",
			 values, 3, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		if (!link_read_token(arena, &rows, i, &(*list)[i], err))
			return false;
	return true;
}

bool link_token_revoke(struct links *links, struct str environment_id, struct str id,
		       struct error *err)
{
	struct store_value values[] = {
		store_text(environment_id),
		store_text(id),
		store_int(clock_unix_ms(links->clock)),
	};
	struct store_statement statement = {
		.sql = "UPDATE link_token SET revoked_ms = iif(revoked_ms = 0, ?3, revoked_ms)"
		       " WHERE environment_id = ?1 AND id = ?2",
		.parameters = values,
		.parameter_count = 3,
		.changes_expected = 1,
	};

	if (store_write(links->store, &statement, 1, err))
		return true;
	return err->code == ERROR_CONFLICT
		       ? error_set_field(err, ERROR_NOT_FOUND, "id", NULL,
					 "the environment has no such link token")
		       : false;
}

bool links_revoke(struct links *links, struct str environment_id, struct error *err)
{
	struct store_value values[] = {store_text(environment_id),
				       store_int(clock_unix_ms(links->clock))};
	const struct store_statement statements[] = {
		{
			.sql = "UPDATE link_token SET revoked_ms = ?2 WHERE environment_id = ?1"
			       " AND revoked_ms = 0",
			.parameters = values,
			.parameter_count = 2,
			.changes_expected = -1,
		},
		{
			.sql = "DELETE FROM account_token WHERE environment_id = ?1",
			.parameters = values,
			.parameter_count = 1,
			.changes_expected = -1,
		},
	};

	return store_write(links->store, statements, 2, err);
}

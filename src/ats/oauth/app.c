/* The apps that an environment has registered with ATSs. */
#include <assert.h>

#include "ats/oauth/parts.h"

enum { CLIENT_ID_MAX = 512, SECRET_MAX = 4096, SCOPES_MAX = 2048, APPS_MAX = 1000 };

#define APP_COLUMNS                                                                        \
	"connector, client_id, client_secret, scopes, authorize_url, token_url, created_ms," \
	" updated_ms, environment_id"

static struct vault_binding binding_of(struct str environment_id, struct str connector)
{
	return (struct vault_binding){
		.environment = environment_id,
		.subject = connector,
		.field = STR("oauth_app.client_secret"),
	};
}

static bool check_text(struct str text, size_t max, const char *field, struct error *err)
{
	char allowed[64];

	snprintf(allowed, sizeof allowed, "at most %zu bytes, no control bytes", max);
	if (text.len > max)
		return error_set_field(err, ERROR_LIMIT, field, allowed, "%s is too long", field);
	return !http_has_control_byte(text) ||
	       error_set_field(err, ERROR_INVALID, field, allowed, "%s has a control byte in it",
			       field);
}

/* Secrets go there in the clear if it is http: only to this machine. */
static bool is_loopback(struct str url)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
	struct str rest = str_slice(url, strlen("http://"), url.len);

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(hosts[i]);

		if (str_starts_with(rest, str_from_c(hosts[i])) &&
		    (rest.len == len || rest.data[len] == ':' || rest.data[len] == '/'))
			return true;
	}
	return false;
}

static bool check_url(struct str url, const char *field, struct error *err)
{
	if (!check_text(url, OAUTH_URL_MAX, field, err))
		return false;
	bool is_plain = str_starts_with(url, STR("http://"));
	return url.len == 0 ||
	       (str_find_byte(url, '#') < 0 && str_find_byte(url, ' ') < 0 &&
		str_find_byte(url, '@') < 0 &&
		(str_starts_with(url, STR("https://")) || (is_plain && is_loopback(url)))) ||
	       error_set_field(err, ERROR_INVALID, field,
			       "https://HOST…, or http:// on this machine",
			       "%s is no address for this", field);
}

static bool check_app(struct oauth *oauth, const struct oauth_app *app, struct str secret,
		      struct error *err)
{
	const struct connector *connector =
		connectors_find(oauth->options.connectors, app->connector, err);
	bool has_oauth = false;

	if (connector == NULL)
		return false;
	for (size_t i = 0; i < connector->format_count; i++)
		has_oauth |= connector_is_oauth(&connector->formats[i]);
	if (!has_oauth)
		return error_set_field(err, ERROR_NOT_SUPPORTED, "connector", NULL,
				       "%.*s is not linked by OAuth", STR_ARGS(connector->label));
	if (app->client_id.len == 0)
		return error_set_field(err, ERROR_INVALID, "client_id", "a text",
				       "client_id is missing");
	return check_text(app->client_id, CLIENT_ID_MAX, "client_id", err) &&
	       check_text(secret, SECRET_MAX, "client_secret", err) &&
	       check_text(app->scopes, SCOPES_MAX, "scopes", err) &&
	       check_url(app->authorize_url, "authorize_url", err) &&
	       check_url(app->token_url, "token_url", err);
}

bool oauth_app_put(struct oauth *oauth, struct arena *arena, struct oauth_app *app,
		   struct str secret, struct error *err)
{
	struct vault_binding binding = binding_of(app->environment_id, app->connector);

	assert(oauth->magic == OAUTH_MAGIC);
	if (!check_app(oauth, app, secret, err))
		return false;
	app->has_secret = secret.len > 0;
	struct str sealed = {NULL, 0};
	if (app->has_secret &&
	    !vault_seal(oauth->options.vault, arena, &binding, secret, &sealed, err))
		return false;
	int64_t now_ms = clock_unix_ms(oauth->options.clock);
	struct store_value values[] = {
		store_text(app->environment_id),
		store_text(app->connector),
		store_text(app->client_id),
		app->has_secret ? store_blob(sealed) : store_null(),
		store_text(app->scopes),
		store_text(app->authorize_url),
		store_text(app->token_url),
		store_int(now_ms),
	};
	struct store_statement statement = {
		.sql = "INSERT INTO oauth_app (environment_id, connector, client_id, client_secret,"
		       " scopes, authorize_url, token_url, created_ms, updated_ms)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
		       " ON CONFLICT (environment_id, connector) DO UPDATE SET client_id = ?3,"
		       " client_secret = ?4, scopes = ?5, authorize_url = ?6, token_url = ?7,"
		       " updated_ms = ?8",
		.parameters = values,
		.parameter_count = 8,
		.changes_expected = 1,
	};
	return store_write(oauth->options.store, &statement, 1, err) &&
	       oauth_app_find(oauth, arena, app->environment_id, app->connector, app, err);
}

static void read_app(const struct store_rows *rows, size_t row, struct oauth_app *out)
{
	*out = (struct oauth_app){
		.connector = store_cell(rows, row, 0)->bytes,
		.client_id = store_cell(rows, row, 1)->bytes,
		.has_secret = store_cell(rows, row, 2)->type != STORE_NULL,
		.scopes = store_cell(rows, row, 3)->bytes,
		.authorize_url = store_cell(rows, row, 4)->bytes,
		.token_url = store_cell(rows, row, 5)->bytes,
		.created_ms = store_cell(rows, row, 6)->integer,
		.updated_ms = store_cell(rows, row, 7)->integer,
		.environment_id = store_cell(rows, row, 8)->bytes,
	};
}

static bool missing(struct str connector, struct error *err)
{
	return error_set_field(err, ERROR_NOT_FOUND, "connector", NULL,
			       "this environment has no OAuth app for \"%.*s\"",
			       STR_ARGS(str_slice(connector, 0, 64)));
}

static bool query_app(struct oauth *oauth, struct arena *arena, struct str environment_id,
		      struct str connector, struct store_rows *rows, struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(connector)};

	return store_query(oauth->options.store, arena,
			   "SELECT " APP_COLUMNS " FROM oauth_app"
			   " WHERE environment_id = ?1 AND connector = ?2",
			   values, 2, rows, err) &&
	       (rows->count > 0 || missing(connector, err));
}

bool oauth_app_find(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct str connector, struct oauth_app *out, struct error *err)
{
	struct store_rows rows;

	assert(oauth->magic == OAUTH_MAGIC);
	if (!query_app(oauth, arena, environment_id, connector, &rows, err))
		return false;
	read_app(&rows, 0, out);
	return true;
}

bool oauth_app_open(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct str connector, struct oauth_app *app, struct secret *secret,
		    struct error *err)
{
	struct vault_binding binding = binding_of(environment_id, connector);
	struct store_rows rows;

	*secret = (struct secret){0};
	if (!query_app(oauth, arena, environment_id, connector, &rows, err))
		return false;
	read_app(&rows, 0, app);
	return !app->has_secret || vault_open_sealed(oauth->options.vault, &binding,
						     store_cell(&rows, 0, 2)->bytes, secret, err);
}

bool oauth_app_list(struct oauth *oauth, struct arena *arena, struct str environment_id,
		    struct oauth_app **list, size_t *count, struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_int(APPS_MAX)};
	struct store_rows rows;

	assert(oauth->magic == OAUTH_MAGIC);
	if (!store_query(oauth->options.store, arena,
			 "SELECT " APP_COLUMNS " FROM oauth_app WHERE environment_id = ?1"
			 " ORDER BY connector LIMIT ?2",
			 values, 2, &rows, err))
		return false;
	*list = arena_array(arena, rows.count + 1, sizeof **list);
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		read_app(&rows, i, &(*list)[i]);
	return true;
}

bool oauth_app_remove(struct oauth *oauth, struct str environment_id, struct str connector,
		      struct error *err)
{
	struct store_value values[] = {store_text(environment_id), store_text(connector)};
	struct store_statement statement = {
		.sql = "DELETE FROM oauth_app WHERE environment_id = ?1 AND connector = ?2",
		.parameters = values,
		.parameter_count = 2,
		.changes_expected = 1,
	};

	assert(oauth->magic == OAUTH_MAGIC);
	if (store_write(oauth->options.store, &statement, 1, err))
		return true;
	return err->code == ERROR_CONFLICT ? missing(connector, err) : false;
}

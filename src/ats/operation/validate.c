/* Is what somebody filled in fit for a connector, and does the ATS take it? */
#include <assert.h>
#include <stdio.h>

#include "ats/operation/run.h"

enum { VALUE_BYTES_MAX = 4096 };

struct fields {
	const struct connector_field *items;
	size_t count;
	const char *what; /* for messages */
};

static bool refuse(const struct connector_field *field, const char *allowed, struct error *err)
{
	char name[sizeof err->field];

	snprintf(name, sizeof name, "%.*s", STR_ARGS(field->name));
	struct str label = field->label.len > 0 ? field->label : field->name;

	return error_set_field(err, ERROR_INVALID, name, allowed, "%.*s must be %s",
			       STR_ARGS(label), allowed);
}

static bool check_pattern(const struct operation_services *services, struct arena *arena,
			  const struct connector_field *field, struct json value,
			  struct error *err)
{
	struct json variables[CONNECTOR_VARIABLES] = {0};
	const struct jsonata_context context = {
		.arena = arena,
		.limits = &jsonata_limits_default,
		.variables = variables,
		.clock = services->clock,
		.random = services->random,
	};
	struct jsonata_error fault;
	struct json fits;
	char allowed[sizeof err->allowed];

	if (field->check == NULL)
		return true;
	if (jsonata_evaluate(field->check, &context, value, &fits, &fault) &&
	    json_is(fits, JSON_BOOL) && fits.boolean)
		return true;
	snprintf(allowed, sizeof allowed, "a text of the form %.*s", STR_ARGS(field->pattern));
	return refuse(field, allowed, err);
}

static bool check_field(const struct operation_services *services, struct arena *arena,
			const struct connector_field *field, struct json given, struct error *err)
{
	struct json value = json_get(given, field->name);

	if (json_is(value, JSON_UNDEFINED) || json_is(value, JSON_NULL) ||
	    (json_is(value, JSON_STRING) && value.count == 0))
		return !field->is_required || refuse(field, "given", err);
	if (!json_is(value, JSON_STRING))
		return refuse(field, "a text", err);
	if (value.count > VALUE_BYTES_MAX)
		return refuse(field, "at most 4096 bytes long", err);
	if (http_has_control_byte(json_str(value)))
		return refuse(field, "without control bytes", err);
	return check_pattern(services, arena, field, value, err);
}

static bool is_known(const struct fields *fields, struct str name)
{
	for (size_t i = 0; i < fields->count; i++)
		if (str_equal(fields->items[i].name, name))
			return true;
	return false;
}

static bool refuse_unknown(const struct fields *fields, struct str name, struct error *err)
{
	char allowed[sizeof err->allowed] = "";
	char field[sizeof err->field];
	size_t len = 0;

	for (size_t i = 0; i < fields->count && len < sizeof allowed; i++)
		len += (size_t)snprintf(allowed + len, sizeof allowed - len, "%s%.*s",
					i > 0 ? ", " : "", STR_ARGS(fields->items[i].name));
	snprintf(field, sizeof field, "%.*s", STR_ARGS(name));
	return error_set_field(err, ERROR_INVALID, field, allowed, "the %s has no field \"%s\"",
			       fields->what, field);
}

static bool check_fields(const struct operation_services *services, struct arena *arena,
			 const struct fields *fields, struct json given, struct error *err)
{
	if (!json_is(given, JSON_OBJECT) && !json_is(given, JSON_UNDEFINED))
		return error_set_field(err, ERROR_INVALID, fields->what, "an object",
				       "the %s must be an object", fields->what);
	for (size_t i = 0; json_is(given, JSON_OBJECT) && i < given.count; i++) {
		struct str name = json_name(&given.members[i]);

		if (!is_known(fields, name))
			return refuse_unknown(fields, name, err);
	}
	for (size_t i = 0; i < fields->count; i++)
		if (!check_field(services, arena, &fields->items[i], given, err))
			return false;
	return true;
}

/* --- the probe ------------------------------------------------------------------------------- */

/* Whoever fills in the form is told which of its fields the ATS does not like. */
static bool explain(const struct connector *connector, const struct connector_format *format,
		    struct error *err)
{
	struct error before = *err;
	const struct connector_field *field = NULL;
	char name[sizeof err->field] = "";

	for (size_t i = 0; i < format->field_count && field == NULL; i++)
		if (format->fields[i].is_secret)
			field = &format->fields[i];
	if ((before.remote_status == 403 || before.remote_status == 404) &&
	    connector->context_count > 0)
		field = &connector->context[0];
	if (field != NULL)
		snprintf(name, sizeof name, "%.*s", STR_ARGS(field->name));
	switch (before.remote_status) {
	case 401:
		error_set_field(err, ERROR_INVALID, name, NULL,
				"%.*s does not accept this credential: %s",
				STR_ARGS(connector->label), before.message);
		break;
	case 403:
		error_set_field(err, ERROR_INVALID, name, NULL,
				"%.*s accepts the credential, but not for this: %s",
				STR_ARGS(connector->label), before.message);
		break;
	case 404:
		error_set_field(err, ERROR_INVALID, name, NULL,
				"%.*s does not know what these fields name: %s",
				STR_ARGS(connector->label), before.message);
		break;
	default:
		return false;
	}
	err->remote_status = before.remote_status;
	return false;
}

static bool probe(const struct operation_services *services, struct arena *arena,
		  const struct account *account, struct json credential, int64_t deadline_ns,
		  struct operation_result *result, struct error *err)
{
	struct native_reply reply;
	struct run run;

	if (!run_init(&run, services, arena, account, result, deadline_ns, err))
		return false;
	run.credential = credential;
	run.query = json_object(NULL, 0);
	struct native_call call = {.method = run.connector->probe};
	bool ok = native_send(&run, &call, &reply, err);
	run_finish(&run);
	return ok || explain(run.connector, run.format, err);
}

/* --- tokens ----------------------------------------------------------------------------------- */

/* The fields that are filled in, and, where tokens were got somewhere else, these. */
static struct fields credential_fields(struct arena *arena, const struct connector_format *format)
{
	struct connector_field *fields =
		arena_zero(arena, (format->field_count + 2) * sizeof *fields);
	size_t count = format->field_count;

	if (count > 0)
		memcpy(fields, format->fields, count * sizeof *fields);
	if (format->kind == CREDENTIAL_OAUTH2) {
		fields[count++] = (struct connector_field){.name = STR(CONNECTOR_ACCESS_TOKEN),
							   .label = STR("Access token"),
							   .is_secret = true,
							   .is_required = true};
		fields[count++] = (struct connector_field){.name = STR(CONNECTOR_REFRESH_TOKEN),
							   .label = STR("Refresh token"),
							   .is_secret = true};
	}
	return (struct fields){fields, count, "credential"};
}

/* The probe of client credentials is made with a token that is got for it, and then forgotten. */
static bool probe_with_token(const struct operation_services *services, struct arena *arena,
			     const struct account *account, struct json credential,
			     int64_t deadline_ns, struct operation_result *result,
			     struct error *err)
{
	struct oauth_grant grant;
	struct json_builder out;
	bool ok = oauth_obtain(services->oauth, services->client, arena, account, credential,
			       &grant, err);

	json_builder_init(&out, arena);
	json_builder_set_others(&out, credential, json_undefined());
	if (ok) {
		json_builder_set(&out, STR(CONNECTOR_ACCESS_TOKEN),
				 json_get_c(grant.credential, CONNECTOR_ACCESS_TOKEN));
		ok = probe(services, arena, account, json_builder_object(&out), deadline_ns, result,
			   err);
	}
	oauth_grant_wipe(&grant);
	return ok;
}

static bool reload(const struct operation_services *services, struct arena *arena,
		   struct account *account, struct error *err)
{
	return account_find(services->accounts, arena, account->environment_id, account->id,
			    account, err);
}

bool operation_check_again(const struct operation_services *services, struct arena *arena,
			   struct account *account, int64_t deadline_ns, struct error *err)
{
	const struct connector *connector =
		connectors_find(services->connectors, account->connector, err);
	enum account_status next = ACCOUNT_ACTIVE;
	struct operation_result result = {0};
	struct error fault = {0};

	if (connector == NULL || account->status == ACCOUNT_ACTIVE)
		return connector != NULL;
	if (connector->probe != NULL && !probe(services, arena, account, json_undefined(),
					       deadline_ns, &result, &fault))
		next = ACCOUNT_VALIDATION_ERROR;
	/* The call itself may have moved it. */
	if (!reload(services, arena, account, err))
		return false;
	if (next == ACCOUNT_VALIDATION_ERROR && account->status == ACCOUNT_NEEDS_REAUTH)
		return true;
	if (!account_set_status(services->accounts, account, next, str_from_c(fault.message),
				err) ||
	    !reload(services, arena, account, err))
		return false;
	if (next == ACCOUNT_ACTIVE)
		operation_install(services, arena, account, deadline_ns);
	return true;
}

bool operation_check_context(const struct operation_services *services, struct arena *arena,
			     const struct account *account, struct error *err)
{
	const struct connector *connector =
		connectors_find(services->connectors, account->connector, err);

	if (connector == NULL)
		return false;
	struct fields context = {connector->context, connector->context_count, "context"};
	return check_fields(services, arena, &context, account->context, err);
}

bool operation_validate(const struct operation_services *services, struct arena *arena,
			const struct account *account, struct json credential,
			int64_t deadline_ns, struct operation_result *result,
			struct error *err)
{
	const struct connector *connector =
		connectors_find(services->connectors, account->connector, err);

	*result = (struct operation_result){0};
	if (connector == NULL)
		return false;
	struct fields context = {connector->context, connector->context_count, "context"};
	const struct connector_format *format =
		connector_find_format(connector, account->authentication_method, err);
	if (format == NULL)
		return false;
	struct fields secrets = credential_fields(arena, format);

	if (!check_fields(services, arena, &context, account->context, err) ||
	    !check_fields(services, arena, &secrets, credential, err))
		return false;
	/* An object at all times: it tells a credential on trial from a stored one. */
	if (!json_is(credential, JSON_OBJECT))
		credential = json_object(NULL, 0);
	if (connector->probe != NULL && services->oauth != NULL &&
	    format->kind == CREDENTIAL_OAUTH2_CLIENT)
		return probe_with_token(services, arena, account, credential, deadline_ns, result,
					err);
	return connector->probe == NULL ||
	       probe(services, arena, account, credential, deadline_ns, result, err);
}

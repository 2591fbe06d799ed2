/* Why a live check failed, in one word that a page has a sentence for. */
#include "ats/link/links.h"

static struct json told(struct arena *arena, const struct operation_result *result)
{
	static const struct json_limits limits = {64 * 1024, 32, 10000};
	struct json_builder members;
	struct error ignored;
	struct json body;

	if (!json_parse(arena, result->remote_body, &limits, &body, &ignored))
		body = json_undefined();
	json_builder_init(&members, arena);
	json_builder_set(&members, STR("status"), json_int(result->remote_status));
	json_builder_set(&members, STR("body"), body);
	return json_builder_object(&members);
}

static const char *by_connector(const struct operation_services *services, struct arena *arena,
				const struct connector *connector,
				const struct operation_result *result)
{
	struct json variables[CONNECTOR_VARIABLES] = {0};
	const struct jsonata_context context = {
		.arena = arena,
		.limits = &jsonata_limits_default,
		.variables = variables,
		.clock = services->clock,
		.random = services->random,
	};
	struct json answer = told(arena, result), is_so;
	struct jsonata_error fault;

	for (size_t i = 0; i < connector->link.reason_count; i++)
		if (jsonata_evaluate(connector->link.reasons[i].when, &context, answer, &is_so,
				     &fault) &&
		    json_is(is_so, JSON_BOOL) && is_so.boolean)
			return connector->link.reasons[i].reason;
	return NULL;
}

/* What a status means where the connector says nothing else. */
static const char *by_status(int status)
{
	switch (status) {
	case 401:
		return "credential_refused";
	case 403:
		return "right_missing";
	case 404:
		return "company_unknown";
	case 429:
		return "rate_limited";
	default:
		return status >= 500 ? "ats_unreachable" : "connector_failed";
	}
}

const char *link_reason(const struct operation_services *services, struct arena *arena,
			const struct connector *connector, const struct operation_result *result,
			const struct error *err)
{
	const char *reason = NULL;

	if (result->remote_status != 0)
		reason = by_connector(services, arena, connector, result);
	if (reason != NULL)
		return reason;
	if (result->remote_status != 0)
		return by_status(result->remote_status);
	switch (err->code) {
	case ERROR_INVALID:
	case ERROR_LIMIT:
		return "invalid_field";
	case ERROR_RATE_LIMITED:
		return "rate_limited";
	case ERROR_UPSTREAM:
	case ERROR_TIMEOUT:
	case ERROR_UNAVAILABLE:
		return "ats_unreachable";
	default:
		return "connector_failed";
	}
}

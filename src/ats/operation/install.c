/* What is asked of an ATS once an account is linked, and kept in the account's context. */
#include "ats/operation/run.h"
#include "base/log.h"

static bool ask(struct run *run, struct json *record, struct error *err)
{
	const struct native_call call = {.method = run->connector->install.method};
	struct native_reply reply;

	run->query = json_object(NULL, 0);
	if (!native_send(run, &call, &reply, err))
		return false;
	*record = call.method->item.len == 0 ? reply.body
					     : json_get_path(reply.body, call.method->item);
	return true;
}

/* Over what is there. An expression that gives nothing leaves the member as it is. */
static bool add_members(const struct run *run, struct json record, struct account *account,
			struct error *err)
{
	const struct connector_install *install = &run->connector->install;
	struct json_builder out;

	json_builder_init(&out, run->arena);
	for (size_t i = 0; i < account->context.count; i++)
		json_builder_set(&out,
				 str_make(account->context.members[i].key,
					  account->context.members[i].key_len),
				 account->context.members[i].value);
	for (size_t i = 0; i < install->member_count; i++) {
		struct json value;

		if (!run_evaluate(run, install->members[i].value, record, &value))
			return error_set(err, ERROR_UPSTREAM,
					 "%.*s answers what makes no \"%.*s\" of the context",
					 STR_ARGS(run->connector->label),
					 STR_ARGS(install->members[i].name));
		if (!json_is(value, JSON_UNDEFINED))
			json_builder_set(&out, install->members[i].name, value);
	}
	account->context = json_builder_object(&out);
	return true;
}

static bool install(struct run *run, struct account *account, struct error *err)
{
	struct json record;

	return ask(run, &record, err) && add_members(run, record, account, err) &&
	       (run->connector->install.member_count == 0 ||
		account_update(run->services->accounts, run->arena, account,
			       "integrated_account:updated", err));
}

/* The call may have moved the account itself, as by a 401: what it is in now counts. */
static void note_failure(const struct operation_services *services, struct arena *arena,
			 struct account *account, const struct error *why)
{
	struct error err;

	LOG(LOG_WARNING, "post_install_failed", LOG_S(account_id, account->id),
	    LOG_C(error, error_name(why->code)), LOG_N(remote_status, why->remote_status));
	if (!account_find(services->accounts, arena, account->environment_id, account->id, account,
			  &err) ||
	    !account_set_status(services->accounts, account, ACCOUNT_POST_INSTALL_ERROR,
				str_from_c(why->message), &err)) {
		LOG(LOG_WARNING, "account_status_not_set", LOG_S(account_id, account->id),
		    LOG_C(error, error_name(err.code)));
		return;
	}
	account->status = ACCOUNT_POST_INSTALL_ERROR;
}

void operation_install(const struct operation_services *services, struct arena *arena,
		       struct account *account, int64_t deadline_ns)
{
	struct operation_result result = {0};
	const struct connector *connector;
	struct error err;
	struct run run;

	connector = connectors_find(services->connectors, account->connector, &err);
	if (connector == NULL || connector->install.method == NULL)
		return;
	bool ok = run_init(&run, services, arena, account, &result, deadline_ns, &err);
	if (ok) {
		ok = install(&run, account, &err);
		run_finish(&run);
	}
	if (!ok)
		note_failure(services, arena, account, &err);
}

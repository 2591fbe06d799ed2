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
	struct json_builder found, out;

	json_builder_init(&found, run->arena);
	for (size_t i = 0; i < install->member_count; i++) {
		struct json value;

		if (!run_evaluate(run, install->members[i].value, record, &value))
			return error_set(err, ERROR_UPSTREAM,
					 "%.*s answers what makes no \"%.*s\" of the context",
					 STR_ARGS(run->connector->label),
					 STR_ARGS(install->members[i].name));
		json_builder_set(&found, install->members[i].name, value);
	}
	json_builder_init(&out, run->arena);
	json_builder_set_others(&out, account->context, json_builder_object(&found));
	json_builder_set_others(&out, json_builder_object(&found), json_undefined());
	account->context = json_builder_object(&out);
	return true;
}

static bool install(struct run *run, struct account *account, struct error *err)
{
	struct accounts *accounts = run->services->accounts;
	struct account before = *account;
	struct json record;
	bool ok = ask(run, &record, err);

	if (!ok || run->connector->install.member_count == 0)
		return ok;
	/* Its owner may change the context, too. */
	for (int tries = 0; tries < ACCOUNT_UPDATE_TRIES; tries++) {
		if (!add_members(run, record, account, err))
			return false;
		ok = account_update(accounts, run->arena, &before, account,
				    "integrated_account:updated", err);
		if (ok || err->code != ERROR_CONFLICT ||
		    !account_find(accounts, run->arena, account->environment_id, account->id,
				  account, err))
			return ok;
		before = *account;
	}
	return error_set(err, ERROR_CONFLICT, "the account is changed all the time");
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

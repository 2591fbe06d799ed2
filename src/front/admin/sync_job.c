/* Sync jobs and their runs. */
#include "ats/sync/sync.h"

#include "front/admin/routes.h"

enum { RESOURCES_MAX = 50 };

/* --- reading a body -------------------------------------------------------------------------- */

static const char allowed_members[] =
	"integrated_account_id, resource, resources, interval_s, full_interval_s, mode, expand, "
	"details_interval_s, initial_events, window, rate_share, drift";

static bool check_members(struct json body, bool is_new, struct error *err)
{
	static const char *const known[] = {
		"interval_s", "full_interval_s", "mode",  "expand", "details_interval_s",
		"initial_events", "window", "rate_share", "drift",  "integrated_account_id",
		"resource", "resources"};
	const size_t count = sizeof known / sizeof *known;

	return admin_check_members(body, known, is_new ? count : count - 3,
				   is_new ? allowed_members
					  : strstr(allowed_members, "interval_s"),
				   err);
}

static bool refuse_resources(struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "resources", "names of resources, at least one",
			       "resource must be a name, or resources an array of 1 to %d of them",
			       RESOURCES_MAX);
}

static bool read_resources(struct json body, struct str *list, size_t *count, struct error *err)
{
	struct json one = json_get_c(body, "resource"), many = json_get_c(body, "resources");

	*count = 0;
	if (json_is(one, JSON_STRING) && json_is(many, JSON_UNDEFINED)) {
		list[(*count)++] = json_str(one);
		return true;
	}
	if (!json_is(one, JSON_UNDEFINED) || !json_is(many, JSON_ARRAY) || many.count == 0 ||
	    many.count > RESOURCES_MAX)
		return refuse_resources(err);
	for (size_t i = 0; i < many.count; i++) {
		if (!json_is(many.items[i], JSON_STRING))
			return refuse_resources(err);
		list[(*count)++] = json_str(many.items[i]);
	}
	return true;
}

/* --- jobs ------------------------------------------------------------------------------------ */

static bool show(const struct door *door, struct arena *arena, const struct sync_job *job,
		 struct json *out, struct error *err)
{
	return sync_job_json(door->syncs, arena, job, out, err);
}

static bool reply_jobs(const struct door *door, struct http_exchange *exchange,
		       const struct sync_job *jobs, size_t count, struct str next,
		       struct error *err)
{
	struct json_builder items;
	struct json item;

	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++) {
		if (!show(door, exchange->arena, &jobs[i], &item, err))
			return false;
		json_builder_add(&items, item);
	}
	admin_reply_list(exchange, &items, next);
	return true;
}

/* One resource answers its job, several a list. */
static bool create(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct str resources[RESOURCES_MAX];
	struct sync_job wanted, jobs[RESOURCES_MAX];
	struct account account;
	struct caller caller;
	struct json body, item;
	size_t count;

	sync_job_init(&wanted);
	if (!admin_authorise(door, exchange, &caller, err) ||
	    !door_parse_body(exchange, &body, err) || !check_members(body, true, err) ||
	    !door_find_account(door, exchange->arena, &caller,
			       json_get_str(body, "integrated_account_id"), &account, err) ||
	    !read_resources(body, resources, &count, err) || !sync_job_read(body, &wanted, err) ||
	    !sync_job_create(door->syncs, exchange->arena, &account, &wanted, resources, count,
			     jobs, err))
		return false;
	if (json_is(json_get_c(body, "resources"), JSON_ARRAY)) {
		if (!reply_jobs(door, exchange, jobs, count, (struct str){NULL, 0}, err))
			return false;
		exchange->status = 201;
		return true;
	}
	if (!show(door, exchange->arena, &jobs[0], &item, err))
		return false;
	door_reply(exchange, 201, item);
	return true;
}

static bool list(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct sync_query query = {0};
	struct sync_job *jobs;
	struct caller caller;
	int64_t limit;
	size_t count;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !admin_read_page(exchange, &query.before, &limit, err))
		return false;
	query.environment_id = caller.environment_id;
	query.limit = (size_t)limit;
	http_exchange_query(exchange, "integrated_account_id", &query.account_id);
	http_exchange_query(exchange, "resource", &query.resource);
	return sync_job_list(door->syncs, exchange->arena, &query, &jobs, &count, err) &&
	       reply_jobs(door, exchange, jobs, count,
			  count == query.limit ? jobs[count - 1].id : (struct str){NULL, 0}, err);
}

static bool find(const struct door *door, struct http_exchange *exchange, struct str id,
		 struct sync_job *job, struct error *err)
{
	struct caller caller;

	return admin_authorise(door, exchange, &caller, err) &&
	       sync_job_show(door->syncs, exchange->arena, caller.environment_id, id, job, err);
}

/* As it is now. */
static bool reply_job(const struct door *door, struct http_exchange *exchange,
		      const struct sync_job *job, struct error *err)
{
	struct sync_job now;
	struct json item;

	if (!sync_job_show(door->syncs, exchange->arena, job->environment_id, job->id, &now, err) ||
	    !show(door, exchange->arena, &now, &item, err))
		return false;
	door_reply(exchange, 200, item);
	return true;
}

static bool change(const struct door *door, struct http_exchange *exchange, struct str id,
		   struct error *err)
{
	struct sync_job job;
	struct json body;

	return find(door, exchange, id, &job, err) && door_parse_body(exchange, &body, err) &&
	       check_members(body, false, err) && sync_job_read(body, &job, err) &&
	       sync_job_change(door->syncs, exchange->arena, &job, err) &&
	       reply_job(door, exchange, &job, err);
}

/* "true" or "false" in the query. */
static bool read_flag(const struct http_exchange *exchange, const char *name, bool *flag,
		      struct error *err)
{
	struct str text;

	*flag = false;
	if (!http_exchange_query(exchange, name, &text) || str_equal_c(text, "false"))
		return true;
	*flag = str_equal_c(text, "true");
	return *flag || error_set_field(err, ERROR_INVALID, name, "true or false",
					"%s must be true or false", name);
}

static bool remove_one(const struct door *door, struct http_exchange *exchange, struct str id,
		       struct error *err)
{
	struct json_builder item;
	struct sync_job job;
	bool with_records;

	if (!find(door, exchange, id, &job, err) ||
	    !read_flag(exchange, "delete_records", &with_records, err) ||
	    !sync_job_remove(door->syncs, exchange->arena, &job, with_records, err))
		return false;
	json_builder_init(&item, exchange->arena);
	json_builder_set(&item, STR("id"), json_string(id));
	door_reply(exchange, 200, json_builder_object(&item));
	return true;
}

static bool read_wish(struct json body, const char *name, unsigned wish, unsigned *wishes,
		      struct error *err)
{
	struct json value = json_get_c(body, name);

	if (json_is(value, JSON_UNDEFINED))
		return true;
	if (!json_is(value, JSON_BOOL))
		return error_set_field(err, ERROR_INVALID, name, "true or false",
				       "%s must be true or false", name);
	if (value.boolean)
		*wishes |= wish;
	return true;
}

static bool run_now(const struct door *door, struct http_exchange *exchange, struct str id,
		    struct error *err)
{
	static const char *const known[] = {"full", "allow_deletions"};
	struct json body = json_undefined();
	struct sync_job job;
	unsigned wishes = 0;

	if (!find(door, exchange, id, &job, err) ||
	    (exchange->body.len > 0 && !door_parse_body(exchange, &body, err)) ||
	    !admin_check_members(body, known, 2, "full, allow_deletions", err) ||
	    !read_wish(body, "full", SYNC_WISH_FULL, &wishes, err) ||
	    !read_wish(body, "allow_deletions", SYNC_WISH_DELETIONS | SYNC_WISH_FULL, &wishes, err))
		return false;
	if (job.state != SYNC_ACTIVE)
		return error_set_field(err, ERROR_CONFLICT, "id", NULL,
				       "the job is paused or stopped: start it first");
	return sync_job_wish(door->syncs, &job, wishes, err) &&
	       reply_job(door, exchange, &job, err);
}

static bool set_state(const struct door *door, struct http_exchange *exchange, struct str id,
		      enum sync_state state, struct error *err)
{
	struct sync_job job;

	return find(door, exchange, id, &job, err) &&
	       sync_job_set_state(door->syncs, &job, state, err) &&
	       reply_job(door, exchange, &job, err);
}

/* --- runs ------------------------------------------------------------------------------------ */

static bool list_runs(const struct door *door, struct http_exchange *exchange, struct error *err)
{
	struct str id = {NULL, 0}, after, next = {NULL, 0};
	struct json_builder items;
	struct sync_job job;
	struct sync_run *runs;
	int64_t limit, before = 0;
	size_t count;

	http_exchange_query(exchange, "sync_job_id", &id);
	if (!find(door, exchange, id, &job, err) ||
	    !admin_read_page(exchange, &after, &limit, err))
		return false;
	if (after.len > 0 && (!str_to_int64(after, &before) || before < 1))
		return error_set_field(err, ERROR_INVALID, "next_cursor",
				       "what the page before answered",
				       "next_cursor is not one of this list");
	if (!sync_run_list(door->syncs, exchange->arena, &job, before, (size_t)limit, &runs, &count,
			   err))
		return false;
	json_builder_init(&items, exchange->arena);
	for (size_t i = 0; i < count; i++)
		json_builder_add(&items, sync_run_json(door->syncs, exchange->arena, &runs[i]));
	if (count == (size_t)limit)
		next = arena_format(exchange->arena, "%lld", (long long)runs[count - 1].number);
	admin_reply_list(exchange, &items, next);
	return true;
}

static bool show_run(const struct door *door, struct http_exchange *exchange, struct str id,
		     struct error *err)
{
	struct caller caller;
	struct sync_run run;

	if (!admin_authorise(door, exchange, &caller, err) ||
	    !sync_run_show(door->syncs, exchange->arena, caller.environment_id, id, &run, err))
		return false;
	door_reply(exchange, 200, sync_run_json(door->syncs, exchange->arena, &run));
	return true;
}

/* --- handlers -------------------------------------------------------------------------------- */

void admin_create_sync_job(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!create(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_list_sync_jobs(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_sync_job(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct sync_job job;
	struct error err;

	if (!find(context, exchange, match->parts[0], &job, &err) ||
	    !reply_job(context, exchange, &job, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_change_sync_job(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	struct error err;

	if (!change(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_remove_sync_job(void *context, struct http_exchange *exchange,
			   const struct http_match *match)
{
	struct error err;

	if (!remove_one(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_run_sync_job(void *context, struct http_exchange *exchange,
			const struct http_match *match)
{
	struct error err;

	if (!run_now(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

static void state_handler(void *context, struct http_exchange *exchange,
			  const struct http_match *match, enum sync_state state)
{
	struct error err;

	if (!set_state(context, exchange, match->parts[0], state, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_pause_sync_job(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	state_handler(context, exchange, match, SYNC_PAUSED);
}

void admin_start_sync_job(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	state_handler(context, exchange, match, SYNC_ACTIVE);
}

void admin_stop_sync_job(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	state_handler(context, exchange, match, SYNC_STOPPED);
}

void admin_list_sync_runs(void *context, struct http_exchange *exchange,
			  const struct http_match *match)
{
	struct error err;

	(void)match;
	if (!list_runs(context, exchange, &err))
		door_reply_error(exchange, &err, NULL);
}

void admin_show_sync_run(void *context, struct http_exchange *exchange,
			 const struct http_match *match)
{
	struct error err;

	if (!show_run(context, exchange, match->parts[0], &err))
		door_reply_error(exchange, &err, NULL);
}

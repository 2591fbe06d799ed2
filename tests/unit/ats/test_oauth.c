/* Authorizations and the replacing of tokens, against a made-up provider and a clock of the test's
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <sodium.h>
#include <stddef.h>

#include <cmocka.h>

#include "ats/operation/limiter.h"
#include "ats/operation/shared.h"
#include "world.h"

enum { SCRIPT_MAX = 16 };

/* What one request for a token gets. */
struct reply {
	int status; /* 0: the connection breaks */
	const char *body;
	int64_t takes_ms;
};

struct provider {
	struct http_client client;
	struct node *node;
	struct reply script[SCRIPT_MAX]; /* the last one stands for all after it */
	size_t script_count;
	void (*before_answer)(struct provider *provider);
	size_t requests;
	size_t under_way_most, under_way;
	char last_body[4096];
	char last_url[512];
	bool is_sent_once;
	/* Where the test is. */
	struct world *world;
	struct oauth *oauth;
	struct connectors connectors;
	struct account account;
};

static bool send(struct http_client *client, struct arena *arena,
		 const struct http_request *request, struct http_response *response,
		 struct error *err)
{
	struct provider *provider = (struct provider *)client;
	size_t at = provider->requests++;
	if (at >= provider->script_count)
		at = provider->script_count - 1;
	const struct reply *reply = &provider->script[at];

	snprintf(provider->last_body, sizeof provider->last_body, "%.*s",
		 STR_ARGS(request->body));
	snprintf(provider->last_url, sizeof provider->last_url, "%.*s", STR_ARGS(request->url));
	provider->is_sent_once = request->is_sent_once;
	if (++provider->under_way > provider->under_way_most)
		provider->under_way_most = provider->under_way;
	loop_sleep_ms(reply->takes_ms);
	if (provider->before_answer != NULL)
		provider->before_answer(provider);
	provider->under_way--;
	*response = (struct http_response){.outcome = HTTP_BROKEN};
	if (reply->status == 0)
		return error_set(err, ERROR_UPSTREAM, "the connection broke");
	response->outcome = HTTP_COMPLETE;
	response->status = reply->status;
	response->body = arena_str(arena, str_from_c(reply->body));
	return true;
}

static const struct reply given = {
	200, "{\"access_token\":\"new\",\"refresh_token\":\"r2\",\"expires_in\":3600}", 1000};
static const struct reply dead = {400, "{\"error\":\"invalid_grant\"}", 100};

static void set_script(struct provider *provider, const struct reply *script, size_t count)
{
	memcpy(provider->script, script, count * sizeof *script);
	provider->script_count = count;
	provider->requests = 0;
}

/* --- the scene ------------------------------------------------------------------------------- */

static void load_connector(struct provider *provider)
{
	struct arena *arena = &provider->world->setup;
	static const struct connector *items[1];
	struct buffer faults;
	struct str source = str_from_c(getenv("TENON_SOURCE"));
	const char *base = arena_c(arena, arena_format(arena, "%.*s/tests/unit/ats",
						       STR_ARGS(source)));

	buffer_init(&faults, arena, 65536);
	const struct model *model = model_load(
		arena, disk_system(), arena_format(arena, "%s/models/ats", base).data, &faults);
	assert_non_null(model);
	items[0] = connector_load(arena, disk_system(),
				  arena_format(arena, "%s/connectors/formats", base).data, model,
				  &faults);
	if (items[0] == NULL)
		die("%.*s", STR_ARGS(buffer_str(&faults)));
	provider->connectors = (struct connectors){items, 1};
}

static void open_provider(struct world *world, struct provider *provider)
{
	struct error err;
	const struct node_options node = {.store = world->store,
					  .clock = &world->time.clock,
					  .random = &world->random,
					  .is_alone = true,
					  .version = "0"};

	*provider = (struct provider){.client = {.send = send}, .world = world};
	provider->node = node_create(&node, &err);
	WORLD_CHECK(provider->node != NULL, err);
	const struct oauth_options options = {
		.store = world->store,
		.node = provider->node,
		.accounts = world->accounts,
		.vault = world->vault,
		.connectors = &provider->connectors,
		.clock = &world->time.clock,
		.random = &world->random,
	};

	load_connector(provider);
	provider->oauth = oauth_create(&options, &err);
	WORLD_CHECK(provider->oauth != NULL, err);
	struct oauth_app app = {.environment_id = world->environment.id,
				.connector = STR("formats"),
				.client_id = STR("the client")};
	bool ok = oauth_app_put(provider->oauth, &world->arena, &app, STR("s3cret"), &err);
	WORLD_CHECK(ok, err);
	set_script(provider, &given, 1);
}

static struct json parse(struct world *world, const char *text)
{
	struct json out;
	struct error err;
	bool ok = json_parse(&world->setup, str_from_c(text), &json_limits_default, &out, &err);

	WORLD_CHECK(ok, err);
	return out;
}

static void link_token(struct provider *provider)
{
	struct world *world = provider->world;
	struct error err;

	provider->account = (struct account){
		.environment_id = world->environment.id,
		.connector = STR("formats"),
		.status = ACCOUNT_ACTIVE,
		.authentication_method = STR("oauth2"),
		.context = parse(world, "{\"site\":\"acme\"}"),
		.limits = json_object(NULL, 0),
	};
	bool ok = account_create(world->accounts, &world->setup, &provider->account,
				 parse(world, "{\"access_token\":\"old\",\"refresh_token\":\"r1\"}"),
				 &err);
	WORLD_CHECK(ok, err);
}

static bool refresh(struct provider *provider, int64_t version, struct error *err)
{
	/* The made-up time runs on while the real disk is waited for: there is no deadline. */
	return oauth_refresh(provider->oauth, &provider->client, &provider->account, version,
			     INT64_MAX, err);
}

static struct account now(struct provider *provider)
{
	struct world *world = provider->world;
	struct account account;
	struct error err;
	bool ok = account_find(world->accounts, &world->arena, provider->account.environment_id,
			       provider->account.id, &account, &err);

	WORLD_CHECK(ok, err);
	return account;
}

static void assert_field(struct provider *provider, const char *field, const char *expected)
{
	struct secret secret;
	struct error err;
	bool ok = account_open_credential(provider->world->accounts, &provider->account,
					  str_from_c(field), &secret, &err);

	WORLD_CHECK(ok, err);
	assert_string_equal(secret.bytes, expected);
	secret_finish(&secret);
}

static void close_provider(struct provider *provider)
{
	oauth_destroy(provider->oauth);
	node_destroy(provider->node);
}

/* --- authorizations --------------------------------------------------------------------------- */

static const char browser_bytes[OAUTH_BROWSER_BYTES + 1] = "0123456789abcdef0123456789abcdef";
static const char other_bytes[OAUTH_BROWSER_BYTES + 1] = "0123456789abcdef0123456789abcdeX";

static struct str begin(struct provider *provider)
{
	struct world *world = provider->world;
	struct str url;
	struct error err;
	const struct oauth_begin begin = {
		.environment_id = world->environment.id,
		.connector = STR("formats"),
		.context = parse(world, "{\"site\":\"acme\"}"),
		.redirect_uri = STR("https://tenon.example/link/callback"),
		.browser = str_make(browser_bytes, OAUTH_BROWSER_BYTES),
		.session_id = STR("lses_1"),
	};
	bool ok = oauth_begin(provider->oauth, &world->arena, &begin, &url, &err);

	WORLD_CHECK(ok, err);
	return url;
}

static struct str parameter(struct world *world, struct str url, const char *name)
{
	struct http_field *fields;
	size_t count;
	struct error err;
	struct str rest = url;

	str_cut(&rest, '?');
	bool ok = url_parse_query(&world->arena, rest, 100, &fields, &count, &err);
	WORLD_CHECK(ok, err);
	for (size_t i = 0; i < count; i++)
		if (str_equal_c(fields[i].name, name))
			return fields[i].value;
	return STR("");
}

static bool complete(struct provider *provider, struct oauth_callback callback,
		     struct oauth_grant *grant, struct error *err)
{
	return oauth_complete(provider->oauth, &provider->client, &provider->world->arena, &callback,
			      grant, err);
}

static struct oauth_callback callback_of(struct str state)
{
	return (struct oauth_callback){
		.state = state,
		.browser = str_make(browser_bytes, OAUTH_BROWSER_BYTES),
		.code = STR("c0de"),
		.iss = STR("https://x.example"),
	};
}

/* The challenge in the address is the hash of the verifier in the request. */
static void assert_verifier(struct world *world, struct provider *provider, struct str url)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char text[64];
	struct str body = arena_format(&world->arena, "x?%s", provider->last_body);
	struct str verifier = parameter(world, body, "code_verifier");

	assert_int_equal(verifier.len, 43);
	crypto_hash_sha256(hash, (const unsigned char *)verifier.data, verifier.len);
	sodium_bin2base64(text, sizeof text, hash, sizeof hash,
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	assert_true(str_equal_c(parameter(world, url, "code_challenge"), text));
	assert_true(str_equal(parameter(world, body, "client_secret"), STR("s3cret")));
	assert_true(str_equal(parameter(world, body, "audience"), STR("api")));
}

static void run_authorization(struct world *world)
{
	struct provider provider;
	struct oauth_grant grant;
	struct error err;

	open_provider(world, &provider);
	struct str url = begin(&provider);
	assert_true(str_starts_with(url, STR("https://acme.x.example/authorize?response_type=code")));
	assert_true(str_equal(parameter(world, url, "scope"), STR("read,write")));
	assert_true(str_equal(parameter(world, url, "prompt"), STR("consent")));
	assert_true(str_equal(parameter(world, url, "code_challenge_method"), STR("S256")));
	struct str state = parameter(world, url, "state");
	assert_true(complete(&provider, callback_of(state), &grant, &err));
	assert_verifier(world, &provider, url);
	assert_true(str_equal(grant.session_id, STR("lses_1")));
	assert_true(str_equal(grant.scopes, STR("read write")));
	assert_true(str_equal(json_get_str(grant.credential, "refresh_token"), STR("r2")));
	assert_true(grant.token.refresh_ms > 0 && grant.token.refresh_ms < grant.token.expires_ms);
	oauth_grant_wipe(&grant);
	/* Once. */
	assert_false(complete(&provider, callback_of(state), &grant, &err));
	assert_string_equal(err.field, "state");
	assert_int_equal(provider.requests, 1);
	close_provider(&provider);
}

static void test_authorization(void **state)
{
	(void)state;
	world_run(run_authorization);
}

static void assert_refused(struct provider *provider, struct oauth_callback callback,
			   enum error_code code, const char *field)
{
	struct oauth_grant grant;
	struct error err;
	size_t before = provider->requests;

	assert_false(complete(provider, callback, &grant, &err));
	assert_int_equal(err.code, code);
	assert_string_equal(err.field, field);
	assert_int_equal(provider->requests, before);
}

static void run_refusals(struct world *world)
{
	struct provider provider;
	struct oauth_callback callback;

	open_provider(world, &provider);
	assert_refused(&provider, callback_of(STR("nonsense")), ERROR_INVALID, "state");
	callback = callback_of(parameter(world, begin(&provider), "state"));
	callback.browser = str_make(other_bytes, OAUTH_BROWSER_BYTES);
	assert_refused(&provider, callback, ERROR_INVALID, "state");
	/* That used it up, for its own browser too. */
	callback.browser = str_make(browser_bytes, OAUTH_BROWSER_BYTES);
	assert_refused(&provider, callback, ERROR_INVALID, "state");
	callback = callback_of(parameter(world, begin(&provider), "state"));
	callback.iss = STR("https://another.example");
	assert_refused(&provider, callback, ERROR_INVALID, "iss");
	callback = callback_of(parameter(world, begin(&provider), "state"));
	callback.error = STR("access_denied");
	assert_refused(&provider, callback, ERROR_FORBIDDEN, "");
	callback = callback_of(parameter(world, begin(&provider), "state"));
	loop_sleep_ms(10 * 60 * 1000 + 1000);
	assert_refused(&provider, callback, ERROR_INVALID, "state");
	set_script(&provider, &dead, 1);
	callback = callback_of(parameter(world, begin(&provider), "state"));
	struct oauth_grant grant;
	struct error err;
	assert_false(complete(&provider, callback, &grant, &err));
	assert_string_equal(err.field, "code");
	close_provider(&provider);
}

static void test_refusals(void **state)
{
	(void)state;
	world_run(run_refusals);
}

/* --- many at once ----------------------------------------------------------------------------- */

struct crowd {
	struct provider *provider;
	struct loop_group group;
	struct str state;
	size_t won, lost;
};

static void complete_one(void *context)
{
	struct crowd *crowd = context;
	struct oauth_grant grant;
	struct error err;

	if (complete(crowd->provider, callback_of(crowd->state), &grant, &err))
		crowd->won++;
	else
		crowd->lost++;
	oauth_grant_wipe(&grant);
	loop_group_done(&crowd->group);
}

static void refresh_one(void *context)
{
	struct crowd *crowd = context;
	struct error err;

	if (refresh(crowd->provider, 1, &err))
		crowd->won++;
	else
		crowd->lost++;
	loop_group_done(&crowd->group);
}

static void run_crowd(struct crowd *crowd, fiber_function *function, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		loop_group_add(&crowd->group);
		loop_spawn(crowd->provider->world->loop, function, crowd);
	}
	loop_group_join(&crowd->group);
}

static void run_races(struct world *world)
{
	struct provider provider;
	struct crowd crowd = {.provider = &provider};

	open_provider(world, &provider);
	for (int i = 0; i < 50; i++) {
		crowd.state = parameter(world, begin(&provider), "state");
		crowd.won = crowd.lost = 0;
		run_crowd(&crowd, complete_one, 8);
		assert_int_equal(crowd.won, 1);
		assert_int_equal(crowd.lost, 7);
	}
	close_provider(&provider);
}

static void test_of_many_callbacks_one_wins(void **state)
{
	(void)state;
	world_run(run_races);
}

static void run_single_flight(struct world *world)
{
	struct provider provider;
	struct crowd crowd = {.provider = &provider};

	open_provider(world, &provider);
	link_token(&provider);
	run_crowd(&crowd, refresh_one, 200);
	assert_int_equal(crowd.won, 200);
	assert_int_equal(provider.requests, 1);
	assert_true(provider.is_sent_once);
	assert_string_equal(provider.last_url, "https://acme.x.example/token");
	assert_int_equal(now(&provider).token.version, 2);
	assert_field(&provider, "access_token", "new");
	assert_field(&provider, "refresh_token", "r2");
	/* Whoever comes late with the old version has nothing to ask for. */
	run_crowd(&crowd, refresh_one, 10);
	assert_int_equal(provider.requests, 1);
	close_provider(&provider);
}

static void test_single_flight(void **state)
{
	(void)state;
	world_run(run_single_flight);
}

/* --- what providers answer --------------------------------------------------------------------- */

static void run_answers(struct world *world)
{
	struct provider provider;
	struct error err;
	static const struct reply keeps[] = {{200, "{\"access_token\":\"a2\"}", 10}};

	open_provider(world, &provider);
	link_token(&provider);
	set_script(&provider, keeps, 1);
	assert_true(refresh(&provider, 1, &err));
	assert_field(&provider, "access_token", "a2");
	assert_field(&provider, "refresh_token", "r1");
	assert_int_equal(now(&provider).token.expires_ms, 0);
	/* Not believed at once. */
	const struct reply twice[] = {dead, given};
	set_script(&provider, twice, 2);
	assert_true(refresh(&provider, 2, &err));
	assert_int_equal(provider.requests, 2);
	assert_int_equal(now(&provider).status, ACCOUNT_ACTIVE);
	set_script(&provider, &dead, 1);
	assert_false(refresh(&provider, 3, &err));
	assert_int_equal(err.code, ERROR_UNAUTHORIZED);
	assert_int_equal(provider.requests, 2);
	assert_int_equal(now(&provider).status, ACCOUNT_NEEDS_REAUTH);
	assert_true(now(&provider).token.is_refused);
	/* Then its provider is left alone. */
	assert_false(refresh(&provider, 3, &err));
	assert_int_equal(err.code, ERROR_UNAUTHORIZED);
	assert_int_equal(provider.requests, 2);
	close_provider(&provider);
}

static void test_answers(void **state)
{
	(void)state;
	world_run(run_answers);
}

/* What is nobody's fault leaves the account as it is, and is tried again after a pause. */
static void run_failures(struct world *world)
{
	struct provider provider;
	struct error err;
	static const struct reply failures[] = {
		{0, NULL, 10},
		{503, "down", 10},
		{200, "<html>", 10},
		{200, "{\"access_token\":\"a\\u0000b\"}", 10},
		{401, "{\"error\":\"invalid_client\"}", 10},
		{500, "{\"error\":\"invalid_grant\"}", 10},
	};

	open_provider(world, &provider);
	link_token(&provider);
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		set_script(&provider, &failures[i], 1);
		assert_false(refresh(&provider, 1, &err));
		assert_int_equal(err.code, ERROR_UPSTREAM);
		assert_false(refresh(&provider, 1, &err));
		assert_true(err.retry_after_ms > 0);
		assert_int_equal(provider.requests, 1);
		assert_int_equal(now(&provider).status, ACCOUNT_ACTIVE);
		loop_sleep_ms(31000);
	}
	set_script(&provider, &given, 1);
	assert_true(refresh(&provider, 1, &err));
	close_provider(&provider);
}

static void test_failures(void **state)
{
	(void)state;
	world_run(run_failures);
}

/* --- other processes --------------------------------------------------------------------------- */

static void write_row(struct world *world, const char *sql, struct provider *provider,
		      int64_t number)
{
	struct error err;
	const struct store_value values[] = {
		store_text(provider->account.environment_id),
		store_text(provider->account.id),
		store_int(number),
	};
	const struct store_statement statement = {.sql = sql,
						  .parameters = values,
						  .parameter_count = 3,
						  .changes_expected = 1};
	bool ok = store_write(world->store, &statement, 1, &err);

	WORLD_CHECK(ok, err);
}

static void run_lease(struct world *world)
{
	struct provider provider;
	struct error err;
	int64_t start_ms = clock_unix_ms(&world->time.clock);

	open_provider(world, &provider);
	link_token(&provider);
	write_row(world,
		  "INSERT INTO credential_lease (environment_id, account_id, fence, until_ms,"
		  " intent_version, intent_ms) VALUES (?1, ?2, 7, ?3, 1, 1)",
		  &provider, start_ms + 20000);
	assert_true(refresh(&provider, 1, &err));
	assert_true(clock_unix_ms(&world->time.clock) >= start_ms + 20000);
	assert_int_equal(provider.requests, 1);
	assert_int_equal(now(&provider).token.version, 2);
	close_provider(&provider);
}

static void test_another_process_has_the_lease(void **state)
{
	(void)state;
	world_run(run_lease);
}

static void take_fence(struct provider *provider)
{
	write_row(provider->world,
		  "UPDATE credential_lease SET fence = fence + ?3"
		  " WHERE environment_id = ?1 AND account_id = ?2",
		  provider, 1);
}

/* Paused past its lease, it finds the fence of another, and writes nothing. */
static void run_stale_fence(struct world *world)
{
	struct provider provider;
	struct error err;

	open_provider(world, &provider);
	link_token(&provider);
	provider.before_answer = take_fence;
	assert_false(refresh(&provider, 1, &err));
	assert_int_equal(now(&provider).token.version, 1);
	assert_field(&provider, "access_token", "old");
	assert_int_equal(now(&provider).status, ACCOUNT_ACTIVE);
	close_provider(&provider);
}

static void test_a_stale_fence_writes_nothing(void **state)
{
	(void)state;
	world_run(run_stale_fence);
}

static void replace_meanwhile(struct provider *provider)
{
	struct world *world = provider->world;
	struct error err;
	const struct credential_change change = {
		.version = 1,
		.credential = parse(world, "{\"access_token\":\"theirs\"}"),
	};
	bool ok = credential_replace(world->accounts, &world->arena, &provider->account, &change,
				     &err);

	WORLD_CHECK(ok, err);
}

/* invalid_grant because another has used the token: its own is there, and good. */
static void run_moved(struct world *world)
{
	struct provider provider;
	struct error err;

	open_provider(world, &provider);
	link_token(&provider);
	set_script(&provider, &dead, 1);
	provider.before_answer = replace_meanwhile;
	assert_true(refresh(&provider, 1, &err));
	assert_int_equal(provider.requests, 1);
	assert_int_equal(now(&provider).token.version, 2);
	assert_int_equal(now(&provider).status, ACCOUNT_ACTIVE);
	assert_field(&provider, "access_token", "theirs");
	close_provider(&provider);
}

static void test_another_has_replaced_it(void **state)
{
	(void)state;
	world_run(run_moved);
}

/* Another process has replaced it a moment ago, and what this one remembers is that of before: the
 * old refresh token, shown once more, would end the new one. */
static void run_not_heard(struct world *world)
{
	struct accounts *own = world->accounts;
	struct provider provider;
	struct error err;

	open_provider(world, &provider);
	link_token(&provider);
	assert_field(&provider, "access_token", "old");
	world->accounts = accounts_create(world->store, world->vault, &world->time.clock,
					  &world->random);
	replace_meanwhile(&provider);
	accounts_destroy(world->accounts);
	world->accounts = own;
	assert_field(&provider, "access_token", "old");
	assert_true(refresh(&provider, 1, &err));
	assert_int_equal(provider.requests, 0);
	assert_field(&provider, "access_token", "theirs");
	close_provider(&provider);
}

static void test_another_has_replaced_it_unheard(void **state)
{
	(void)state;
	world_run(run_not_heard);
}

/* What failed with the token of before is no reason to wait with the one that was linked since. */
static void run_linked_anew(struct world *world)
{
	struct provider provider;
	struct error err;
	static const struct reply down = {503, "down", 10};

	open_provider(world, &provider);
	link_token(&provider);
	set_script(&provider, &down, 1);
	assert_false(refresh(&provider, 1, &err));
	replace_meanwhile(&provider);
	set_script(&provider, &given, 1);
	assert_true(refresh(&provider, 2, &err));
	assert_int_equal(provider.requests, 1);
	assert_int_equal(now(&provider).token.version, 3);
	close_provider(&provider);
}

static void test_linked_anew(void **state)
{
	(void)state;
	world_run(run_linked_anew);
}

/* --- calls --------------------------------------------------------------------------------------- */

static void say_now(void *context, struct node_term *term)
{
	(void)context;
	*term = (struct node_term){.name = "nod_1", .number = 1};
}

static bool say_has(void *context, int64_t term)
{
	(void)context;
	return term == 1;
}

static bool grant_one(void *context, const struct shared_message *message,
		      struct shared_answer *answer, struct error *err)
{
	size_t *asked = context;

	(void)message;
	*answer = (struct shared_answer){.tokens = 1};
	return (*asked)++ == 0 || error_set(err, ERROR_UNAVAILABLE, "the database is away");
}

/* The ATS refuses a token that was replaced already, and the call with the new one gets no leave:
 * that is what is told, not that the credential was refused. */
static void run_stale_without_leave(struct world *world)
{
	static const struct reply refused = {401, "{}", 100};
	struct operation operation = world_operation(world, "things");
	struct provider provider;
	size_t asked = 0;
	const struct shared_source source = {&asked, say_now, say_has, grant_one};

	open_provider(world, &provider);
	link_token(&provider);
	provider.account.limits = parse(world, "{\"requests\": 100, \"per_seconds\": 1}");
	set_script(&provider, (const struct reply[]){refused, given}, 2);
	limiters_share_by(world->services.limiters, &source);
	world->services.client = &provider.client;
	world->services.connectors = &provider.connectors;
	world->services.oauth = provider.oauth;
	operation.account = &provider.account;
	operation.deadline_ns = INT64_MAX; /* as in refresh() */
	assert_false(world_call(world, &operation));
	assert_int_equal(provider.requests, 2);
	assert_int_equal(now(&provider).token.version, 2);
	assert_int_equal(world->err.code, ERROR_UNAVAILABLE);
	assert_int_equal(world->err.remote_status, 0);
	assert_int_equal(world->result.remote_status, 0);
	assert_int_equal(now(&provider).status, ACCOUNT_ACTIVE);
	close_provider(&provider);
}

static void test_a_stale_token_is_not_the_callers_fault(void **state)
{
	(void)state;
	world_run(run_stale_without_leave);
}

/* --- before calls ------------------------------------------------------------------------------ */

/* Hours, with a coarser clock. */
static void let_pass(struct world *world, int64_t ms, int64_t step_ms)
{
	int64_t before = world->time.step_ns;

	world->time.step_ns = step_ms * 1000000;
	loop_sleep_ms(ms);
	world->time.step_ns = before;
}

static void wait_for_version(struct provider *provider, int64_t version)
{
	while (now(provider).token.version < version)
		let_pass(provider->world, 1000, 20);
}

static void run_ready(struct world *world)
{
	struct provider provider;
	struct error err;
	int64_t version;

	open_provider(world, &provider);
	link_token(&provider);
	const struct connector_format *format =
		connector_find_format(provider.connectors.items[0], STR("oauth2"), &err);
	int64_t deadline_ns = INT64_MAX;
	assert_true(oauth_ready(provider.oauth, &provider.client, &provider.account, format,
				deadline_ns, &version, &err));
	assert_int_equal(version, 1); /* when it runs out is not known */
	assert_int_equal(provider.requests, 0);
	assert_true(refresh(&provider, 1, &err));
	struct account_token token = now(&provider).token;
	int64_t left = token.expires_ms - token.refresh_ms;
	assert_true(left >= 360 * 800 && left <= 360 * 1200); /* a tenth of an hour, and a fifth */
	/* Soon: it is replaced, and nobody waits. */
	let_pass(world, token.refresh_ms - clock_unix_ms(&world->time.clock) + 1, 500);
	assert_true(oauth_ready(provider.oauth, &provider.client, &provider.account, format,
				deadline_ns, &version, &err));
	assert_int_equal(version, 2);
	wait_for_version(&provider, 3);
	/* It has run out: waited for. */
	let_pass(world, 3600 * 1000, 500);
	assert_true(oauth_ready(provider.oauth, &provider.client, &provider.account, format,
				deadline_ns, &version, &err));
	assert_int_equal(version, 4);
	assert_int_equal(provider.requests, 3);
	close_provider(&provider);
}

static void test_ready(void **state)
{
	(void)state;
	world_run(run_ready);
}

static void run_sweep(struct world *world)
{
	struct provider provider;
	struct error err;

	open_provider(world, &provider);
	link_token(&provider);
	assert_true(refresh(&provider, 1, &err));
	struct oauth_sweep sweep = {.oauth = provider.oauth, .client = &provider.client};
	oauth_sweep_start(&sweep, world->loop);
	/* Every 54 minutes or so, nobody having called. */
	wait_for_version(&provider, 4);
	oauth_sweep_stop(&sweep);
	while (sweep.is_running || oauth_active(provider.oauth) > 0)
		loop_sleep_ms(100);
	assert_int_equal(provider.requests, now(&provider).token.version - 1);
	close_provider(&provider);
}

static void test_sweep(void **state)
{
	(void)state;
	world_run(run_sweep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_authorization),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_of_many_callbacks_one_wins),
		cmocka_unit_test(test_single_flight),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_another_process_has_the_lease),
		cmocka_unit_test(test_a_stale_fence_writes_nothing),
		cmocka_unit_test(test_another_has_replaced_it),
		cmocka_unit_test(test_another_has_replaced_it_unheard),
		cmocka_unit_test(test_linked_anew),
		cmocka_unit_test(test_a_stale_token_is_not_the_callers_fault),
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

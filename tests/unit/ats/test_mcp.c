/* MCP servers of accounts: kept, found by id and by token, counted, ended. The clock stands still
 * unless it is moved. */
#include "account_testing.h"

#include "ats/mcp/mcp.h"
#include "ats/mcp/servers.h"

static const struct connector connector = {.name = STR_INIT("some-ats")};
static const struct str tags[] = {STR_INIT("proxy"), STR_INIT("notes")};
static const struct tool tools[] = {
	{.name = STR_INIT("delete_a_note"), .kind = TOOL_WRITE, .method = STR_INIT("delete"),
	 .tags = tags, .tag_count = 2},
	{.name = STR_INIT("list_notes"), .kind = TOOL_READ, .method = STR_INIT("list"),
	 .tags = tags, .tag_count = 2},
	{.name = STR_INIT("pin_note"), .kind = TOOL_CUSTOM, .method = STR_INIT("pin"),
	 .tags = tags, .tag_count = 1},
};
static const struct toolset toolset = {&connector, tools, 3};
static const struct toolset *const items[] = {&toolset};

/* A server, and what is needed to find it. */
struct made {
	struct mcp_servers *servers;
	struct account account;
	struct mcp_server server;
	struct str token;
};

static struct mcp_servers *open_servers(struct test *test)
{
	static struct toolsets toolsets = {(const struct toolset **)(uintptr_t)items, 1};

	return mcp_servers_create(test->store, test->vault, test->accounts, &toolsets,
				  &test->clock, random_system());
}

static struct made make(struct test *test, const char *config)
{
	struct made made = {.servers = open_servers(test),
			    .account = link_account(test, test->production)};

	mcp_server_init(&made.server);
	made.server.name = STR("for a test");
	assert_true(mcp_config_read(&test->arena, parse(test, config), &made.server, &test->err));
	assert_true(mcp_server_create(made.servers, &test->arena, &made.account, &made.server,
				      &made.token, &test->err));
	return made;
}

static bool find(struct test *test, const struct made *made, struct mcp_held *held)
{
	struct account account;

	if (!mcp_server_find(made->servers, &test->arena, made->server.id, held, &account,
			     &test->err))
		return false;
	assert_true(str_equal(account.id, made->account.id));
	return true;
}

static void test_a_known_server_costs_no_sql(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{\"methods\": [\"read\"], \"mask\": [\"contact\"]}");
	struct mcp_held held, again;
	struct account account;

	assert_true(find(test, &made, &held));
	assert_true(mcp_server_find_by_token(made.servers, &test->arena, made.token, &again,
					     &account, &test->err));
	uint64_t before = count_queries(test);
	assert_true(find(test, &made, &again));
	assert_true(mcp_server_find_by_token(made.servers, &test->arena, made.token, &again,
					     &account, &test->err));
	assert_int_equal(count_queries(test), before);
	/* What is in memory is what was stored. */
	assert_true(json_equal(mcp_config_show(&test->arena, &held.server),
			       mcp_config_show(&test->arena, &again.server)));
	assert_int_equal(again.tool_count, 1);
	assert_true(mcp_has(&again, &tools[1]) && !mcp_has(&again, &tools[0]));
	assert_memory_equal(held.digest, again.digest, sizeof held.digest);
	mcp_servers_destroy(made.servers);
}

static void test_only_its_own_token_opens_it(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{}"), other = make(test, "{}");
	struct str forged = arena_str(&test->arena, made.token);
	struct account account;
	struct mcp_held held;

	assert_true(find(test, &made, &held));
	assert_true(mcp_server_is_token(made.servers, &held, made.token));
	assert_false(mcp_server_is_token(made.servers, &held, other.token));
	((char *)(uintptr_t)forged.data)[8] ^= 1;
	assert_false(mcp_server_is_token(made.servers, &held, forged));
	assert_false(mcp_server_find_by_token(made.servers, &test->arena, forged, &held, &account,
					      &test->err));
	assert_int_equal(test->err.code, ERROR_UNAUTHORIZED);
	/* The store has a digest of it, and nothing else. */
	assert_int_equal(number(test, "SELECT count(*) FROM mcp_server WHERE config LIKE '%tmcp_%'"
				      " OR name LIKE '%tmcp_%' OR id LIKE '%tmcp_%'"), 0);
	mcp_servers_destroy(made.servers);
	mcp_servers_destroy(other.servers);
}

static void test_an_expired_one_is_not_there(void **state)
{
	struct test *test = *state;
	struct made made = {.servers = open_servers(test),
			    .account = link_account(test, test->production)};
	struct mcp_held held;
	struct account account;
	struct mcp_server shown;

	mcp_server_init(&made.server);
	made.server.expires_ms = test->now_ms + 59 * 1000;
	assert_false(mcp_server_create(made.servers, &test->arena, &made.account, &made.server,
				       &made.token, &test->err));
	assert_string_equal(test->err.field, "expires_at");
	made.server.expires_ms = test->now_ms + 60 * 1000;
	assert_true(mcp_server_create(made.servers, &test->arena, &made.account, &made.server,
				      &made.token, &test->err));
	assert_true(find(test, &made, &held));
	test->now_ms += 60 * 1000;
	assert_false(find(test, &made, &held));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_false(mcp_server_find_by_token(made.servers, &test->arena, made.token, &held,
					      &account, &test->err));
	assert_int_equal(test->err.code, ERROR_UNAUTHORIZED);
	assert_false(mcp_server_show(made.servers, &test->arena, &made.account, made.server.id,
				     &shown, &test->err));
	/* The next one that is made sweeps it. */
	test->now_ms += 1;
	made.server.expires_ms = 0;
	assert_true(mcp_server_create(made.servers, &test->arena, &made.account, &made.server,
				      &made.token, &test->err));
	assert_int_equal(number(test, "SELECT count(*) FROM mcp_server"), 1);
	mcp_servers_destroy(made.servers);
}

static void test_a_change_is_seen_at_once(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{}");
	struct mcp_held held;

	assert_true(find(test, &made, &held));
	assert_int_equal(held.tool_count, 3);
	struct mcp_server after = made.server;
	assert_true(mcp_config_read(&test->arena, parse(test, "{\"methods\": [\"list\", \"pin\"]}"),
				    &after, &test->err));
	assert_true(mcp_server_change(made.servers, &test->arena, &made.account, &made.server,
				      &after, &test->err));
	assert_true(find(test, &made, &held));
	assert_int_equal(held.tool_count, 2);
	/* Whoever saw it as it was before changes nothing. */
	assert_false(mcp_server_change(made.servers, &test->arena, &made.account, &made.server,
				       &after, &test->err));
	assert_int_equal(test->err.code, ERROR_CONFLICT);
	assert_true(mcp_config_read(&test->arena, parse(test, "{\"tags\": [\"nothing\"]}"), &after,
				    &test->err));
	assert_false(mcp_server_change(made.servers, &test->arena, &made.account, &after, &after,
				       &test->err));
	assert_int_equal(test->err.code, ERROR_INVALID);
	mcp_servers_destroy(made.servers);
}

static void test_it_ends_when_it_is_removed_and_with_its_account(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{}"), other = make(test, "{}");
	struct mcp_held held;

	assert_true(find(test, &made, &held));
	/* Of another account it is not there. */
	assert_false(mcp_server_remove(made.servers, &test->arena, &other.account, made.server.id,
				       &test->err));
	assert_true(mcp_server_remove(made.servers, &test->arena, &made.account, made.server.id,
				      &test->err));
	assert_false(find(test, &made, &held));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_true(find(test, &other, &held));
	assert_true(account_remove(test->accounts, test->production, other.account.id, &test->err));
	assert_false(find(test, &other, &held));
	assert_int_equal(test->err.code, ERROR_NOT_FOUND);
	assert_int_equal(number(test, "SELECT count(*) FROM mcp_server"), 0);
	mcp_servers_destroy(made.servers);
	mcp_servers_destroy(other.servers);
}

static void test_calls_are_counted(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{\"rate_limit\": {\"requests\": 3, \"per_seconds\": 30}}");
	struct mcp_held held;
	int64_t wait_ms;

	assert_true(find(test, &made, &held));
	for (int i = 0; i < 3; i++)
		assert_true(mcp_server_take(made.servers, &held, &wait_ms));
	assert_false(mcp_server_take(made.servers, &held, &wait_ms));
	assert_in_range(wait_ms, 10000, 10001);
	test->now_ms += 9999;
	assert_false(mcp_server_take(made.servers, &held, &wait_ms));
	test->now_ms += 1;
	assert_true(mcp_server_take(made.servers, &held, &wait_ms));
	/* No more than a window's calls are saved up. */
	test->now_ms += 3600 * 1000;
	for (int i = 0; i < 3; i++)
		assert_true(mcp_server_take(made.servers, &held, &wait_ms));
	assert_false(mcp_server_take(made.servers, &held, &wait_ms));
	mcp_servers_destroy(made.servers);
}

static void test_a_client_is_remembered_by_its_user_agent(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{}");
	struct str name, version;
	struct mcp_held held;
	char longer[200];

	memset(longer, 'x', sizeof longer);
	assert_true(find(test, &made, &held));
	mcp_server_note_client(made.servers, &held, STR("agent/1"), STR("Cla\x1b\nude"), STR("2"));
	mcp_server_recall_client(made.servers, &held, &test->arena, STR("agent/1"), &name, &version);
	assert_true(str_equal(name, STR("Claude")) && str_equal(version, STR("2")));
	mcp_server_recall_client(made.servers, &held, &test->arena, STR("agent/2"), &name, &version);
	assert_int_equal(name.len, 0);
	mcp_server_note_client(made.servers, &held, STR("a"), str_make(longer, sizeof longer),
			       STR(""));
	mcp_server_recall_client(made.servers, &held, &test->arena, STR("a"), &name, &version);
	assert_int_equal(name.len, 64);
	mcp_servers_destroy(made.servers);
}

/* With the longest config that is usual: the limit is 4 KB for each server made. */
static void test_one_takes_little_memory(void **state)
{
	struct test *test = *state;
	struct made made = make(test, "{\"methods\": [\"read\"], \"tags\": [\"proxy\", \"notes\"], "
				      "\"mask\": [\"contact\", \"name\", \"sensitive\"], \"oauth\": "
				      "{\"issuer\": \"https://login.example.com/tenant\", "
				      "\"subjects\": [\"one\", \"two\"]}}");
	struct mcp_held held;

	assert_true(find(test, &made, &held));
	assert_true(sizeof(struct entry) + 1024 + json_text(&test->arena,
		mcp_config_show(&test->arena, &held.server)).len < 4096);
	mcp_servers_destroy(made.servers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_known_server_costs_no_sql),
		TEST(test_only_its_own_token_opens_it),
		TEST(test_an_expired_one_is_not_there),
		TEST(test_a_change_is_seen_at_once),
		TEST(test_it_ends_when_it_is_removed_and_with_its_account),
		TEST(test_calls_are_counted),
		TEST(test_a_client_is_remembered_by_its_user_agent),
		TEST(test_one_takes_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

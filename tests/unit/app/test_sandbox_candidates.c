/* Writes to candidates and what hangs on them: what the sandbox says afterwards, not the reply. */
#include "writing.h"

#define SEARCH "/search/new/candidates?filters_json=[{\"field\":\"all\",\"query\":\"%s\"}]"
#define WHOLE_PERSON \
	"{\"candidate\":{\"name\":\" Noor Achterberg \",\"emails\":[\"noor@achterberg.example\"],"\
	"\"phones\":[\"+31600000002\"],\"links\":[\"https://noor.example\"],"                  \
	"\"social_links\":[\"https://www.linkedin.com/in/noor-a\"],\"cover_letter\":\"Hello\","\
	"\"sources\":[\"LinkedIn\",\"Word of mouth\"],\"tags\":[\"Senior\",\"Brand new\"],"    \
	"\"custom_fields\":[{\"label\":\"Shoe size\",\"values\":[\"38\"]}],"                   \
	"\"offers\":[%lld]},\"offers\":[%lld,%lld]}"

static void test_a_candidate_is_created_with_all_that_it_brings(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long job = some_offer(sandbox, "job", 0), pool = some_offer(sandbox, "talent_pool", 0),
		  nested = some_offer(sandbox, "job", 1);
	(void)state;

	struct json body = done(sandbox, HTTP_POST, "/candidates", 201,
				at(WHOLE_PERSON, nested, job, pool));
	long long id = id_of(body, "candidate.id");
	assert_string_equal(keys_of(body), "candidate references");
	struct json read = json_get_c(good(sandbox, at("/candidates/%lld", id)), "candidate");
	assert_true(json_equal(read, json_get_c(body, "candidate")));
	assert_string_equal(text_of(read, "name"), "Noor Achterberg");
	assert_string_equal(text_of(read, "initials"), "NA");
	assert_string_equal(shown(read, "emails"), "[\"noor@achterberg.example\"]");
	assert_string_equal(shown(read, "sources"), "[\"LinkedIn\",\"Word of mouth\"]");
	assert_string_equal(shown(read, "tags"), "[\"Senior\",\"Brand new\"]");
	assert_string_equal(shown(read, "custom_fields"),
			    "[{\"label\":\"Shoe size\",\"values\":[\"38\"]}]");
	assert_string_equal(text_of(read, "source"), "manual");
	assert_true(is_null(read, "cv_url"));
	/* The offers at the top count, those within the candidate do not. */
	assert_int_equal(look(read, "placements").count, 2);
	assert_int_equal(id_of(read, "placements.0.offer_id"), job);
	assert_int_equal(id_of(read, "placements.0.stage_id"), stage_of(sandbox, job, "apply"));
	assert_int_equal(id_of(read, "placements.1.talent_pool_id"), pool);
	assert_true(is_null(read, "placements.1.stage_id"));
	/* It is the newest, everywhere. */
	assert_int_equal(id_of(good(sandbox, "/candidates?limit=1"), "candidates.0.id"), id);
	assert_int_equal(id_of(good(sandbox, "/search/new/candidates?limit=1"), "hits.0.id"), id);
	assert_int_equal(id_of(good(sandbox, at("/candidates?offer_id=%lld&limit=1", job)),
			       "candidates.0.id"), id);
	sandbox_destroy(sandbox);
}

static void test_who_wrote_and_when_is_kept(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long owner = id_of(good(sandbox, "/admin"), "admin.id"), job = some_offer(sandbox, "job", 0);
	(void)state;

	struct json body = done(sandbox, HTTP_POST, at("/offers/%lld/candidates", job), 201,
				"{\"candidate\":{\"name\":\"Bo\"}}");
	long long id = id_of(body, "candidate.id");
	assert_int_equal(id_of(body, "candidate.admin_id"), owner);
	assert_int_equal(id_of(body, "candidate.placements.0.offer_id"), job);
	assert_int_equal(id_of(find_id(look(body, "references"), owner), "id"), owner);
	struct json activities = look(
		good(sandbox, at("/tracking/candidates/%lld/activities", id)), "activities");
	assert_int_equal(activities.count, 2);
	assert_string_equal(text_of(activities, "0.event"), "admin_assigned_candidate_to_offer");
	assert_string_equal(text_of(activities, "1.event"), "admin_created_candidate");
	assert_int_equal(id_of(activities, "0.offer.id"), job);
	assert_int_equal(id_of(activities, "1.admin.id"), owner);
	const char *before = text_of(body, "candidate.updated_at");
	clock_ns += 5000000000;
	(void)done(sandbox, HTTP_PATCH, at("/candidates/%lld", id), 200,
		   "{\"candidate\":{\"phones\":[\"1\",\"2\"]}}");
	struct json read = json_get_c(good(sandbox, at("/candidates/%lld", id)), "candidate");
	assert_true(strcmp(text_of(read, "updated_at"), before) > 0);
	assert_true(strcmp(text_of(read, "last_activity_at"), before) > 0);
	assert_string_equal(text_of(read, "created_at"), text_of(body, "candidate.created_at"));
	assert_string_equal(last_event(sandbox, id), "admin_updated_candidate");
	sandbox_destroy(sandbox);
}

static void test_a_candidate_that_cannot_be(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *answer;
	} cases[] = {
		{"{\"candidate\":{}}", 422,
		 "{\"error\":[\"Name can't be blank\"],\"error_fields\":{\"name\":[\"can't be blank\"]}}"},
		{"{\"candidate\":{\"name\":\"  \"}}", 422,
		 "{\"error\":[\"Name can't be blank\"],\"error_fields\":{\"name\":[\"can't be blank\"]}}"},
		{"", 422,
		 "{\"error\":[\"Name can't be blank\"],\"error_fields\":{\"name\":[\"can't be blank\"]}}"},
		{"{\"candidate\":{\"name\":\"A\"},\"offers\":[1]}", 422,
		 "{\"error\":[\"Offers is invalid\"],\"error_fields\":{\"offers\":[\"is invalid\"]}}"},
		{"{\"offers\":[1]}", 422,
		 "{\"error\":[\"Name can't be blank\",\"Offers is invalid\"],\"error_fields\":{\"name\":"
		 "[\"can't be blank\"],\"offers\":[\"is invalid\"]}}"},
		{"[]", 400, "{\"error\":[\"the body must be a JSON object\"]}"},
	};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_body(write_to(sandbox, HTTP_POST, "/candidates", cases[i].body),
			    cases[i].status, cases[i].answer);
	assert_int_equal(write_to(sandbox, HTTP_POST, "/candidates", "{\"candidate\":").status, 400);
	assert_int_equal(write_to(sandbox, HTTP_POST, "/offers/1/candidates",
				  "{\"candidate\":{\"name\":\"A\"}}").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, "/candidates/1", "{}").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_DELETE, "/candidates/1", "").status, 404);
	assert_int_equal(count_of(sandbox, "candidates"), 60);
	sandbox_destroy(sandbox);
}

static void test_both_other_ways_to_name_the_offers(void **state)
{
	static const char *const bodies[] = {
		"{\"candidate\":{\"name\":\"A\"},\"offer_ids\":[%lld]}",
		"{\"candidate\":{\"name\":\"A\"},\"offer_id\":%lld}",
		"{\"candidate\":{\"name\":\"A\"},\"offers\":[\"%lld\"]}"};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long job = some_offer(sandbox, "job", 0);
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		struct str body = str_from_c(bodies[i]);
		ptrdiff_t mark = str_find(body, STR("%lld"));
		body = arena_format(&arena, "%.*s%lld%s", (int)mark, body.data, job,
				    body.data + mark + 4);
		struct json made = done(sandbox, HTTP_POST, "/candidates", 201, arena_c(&arena, body));
		assert_int_equal(id_of(made, "candidate.placements.0.offer_id"), job);
	}
	sandbox_destroy(sandbox);
}

static void test_an_update_replaces_lists_and_leaves_the_rest(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long job = some_offer(sandbox, "job", 0), pool = some_offer(sandbox, "talent_pool", 0);
	long long id = id_of(done(sandbox, HTTP_POST, "/candidates", 201,
				  at(WHOLE_PERSON, job, job, pool)), "candidate.id");
	(void)state;

	(void)done(sandbox, HTTP_PATCH, at("/candidates/%lld", id), 200,
		   "{\"candidate\":{\"name\":\"Noor\",\"emails\":[\"n@a.example\",\"m@a.example\"],"
		   "\"links\":[],\"cover_letter\":null}}");
	struct json read = json_get_c(good(sandbox, at("/candidates/%lld", id)), "candidate");
	assert_string_equal(text_of(read, "name"), "Noor");
	assert_string_equal(shown(read, "emails"), "[\"n@a.example\",\"m@a.example\"]");
	assert_string_equal(shown(read, "links"), "[]");
	assert_true(is_null(read, "cover_letter"));
	assert_string_equal(shown(read, "phones"), "[\"+31600000002\"]");
	assert_string_equal(shown(read, "tags"), "[\"Senior\",\"Brand new\"]");
	assert_body(write_to(sandbox, HTTP_PATCH, at("/candidates/%lld", id),
			     "{\"candidate\":{\"name\":\"\"}}"), 422,
		    "{\"error\":[\"Name can't be blank\"],\"error_fields\":{\"name\":[\"can't be blank\"]}}");
	/* The search sees it at once. */
	assert_int_equal(id_of(good(sandbox, at(SEARCH, "m@a.example")), "total"), 1);
	assert_int_equal(id_of(good(sandbox, at(SEARCH, "noor@achterberg")), "total"), 0);
	sandbox_destroy(sandbox);
}

static void test_a_deleted_candidate_is_listed_as_such(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long id = make_candidate(sandbox, "Gone Soon");
	(void)state;

	struct json body = done(sandbox, HTTP_DELETE, at("/candidates/%lld", id), 200, "");
	assert_int_equal(id_of(body, "candidate.id"), id);
	assert_string_equal(text_of(body, "candidate.deleted_by_kind"), "admin");
	assert_body(get(sandbox, at("/candidates/%lld", id)), 404, "{\"error\":[\"Not found\"]}");
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("/candidates/%lld", id), "").status, 404);
	struct json gone = look(good(sandbox, "/candidates?deleted=true"), "candidates");
	assert_string_equal(text_of(find_id(gone, id), "deleted_at"),
			    text_of(body, "candidate.deleted_at"));
	assert_int_equal(count_of(sandbox, "candidates"), 60);
	sandbox_destroy(sandbox);
}

static void test_an_address_makes_duplicates_known(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	const char *body = "{\"candidate\":{\"name\":\"Twin\",\"emails\":[\"twin@post.example\"]}}";
	long long one = id_of(done(sandbox, HTTP_POST, "/candidates", 201, body), "candidate.id");
	struct json two = done(sandbox, HTTP_POST, "/candidates", 201, body);
	(void)state;

	assert_string_equal(shown(two, "candidate.duplicates"), at("[%lld]", one));
	/* There is no upsert: a client has to ask. */
	assert_int_equal(id_of(good(sandbox, "/candidates/check_presence?email=twin@post.example"),
			       "candidate.id"), one);
	sandbox_destroy(sandbox);
}

static void test_tags_of_a_candidate(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long id = make_candidate(sandbox, "Tagged");
	size_t known = count_of(sandbox, "tags");
	(void)state;

	(void)done(sandbox, HTTP_POST, at("/candidates/%lld/tags", id), 201, "{\"tag\":\"Senior\"}");
	struct json body = done(sandbox, HTTP_POST, at("/candidates/%lld/tags", id), 201,
				"{\"tags\":[\"Senior\",\"Fresh\",\"Fresh\"]}");
	assert_int_equal(look(body, "tags").count, 2);
	struct json read = json_get_c(good(sandbox, at("/candidates/%lld", id)), "candidate");
	assert_string_equal(shown(read, "tags"), "[\"Senior\",\"Fresh\"]");
	assert_int_equal(count_of(sandbox, "tags"), known + 1);
	long long fresh = id_of(body, "tags.1.id");
	assert_int_equal(id_of(find_id(look(good(sandbox, "/tags"), "tags"), fresh),
			       "taggings_count"), 1);
	const char *search =
		at("/search/new/candidates?filters_json=[{\"filter\":\"tags\",\"id\":{\"in\":[%lld]}}]",
		   fresh);
	assert_int_equal(id_of(good(sandbox, search), "hits.0.id"), id);
	(void)done(sandbox, HTTP_DELETE, at("/candidates/%lld/tags/%lld", id, fresh), 200, "");
	read = json_get_c(good(sandbox, at("/candidates/%lld", id)), "candidate");
	assert_string_equal(shown(read, "tags"), "[\"Senior\"]");
	assert_int_equal(id_of(good(sandbox, search), "total"), 0);
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("/candidates/%lld/tags/%lld", id, fresh),
				  "").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_POST, at("/candidates/%lld/tags", id), "{}").status,
			 422);
	sandbox_destroy(sandbox);
}

static void test_tags_in_bulk_and_sources(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long one = make_candidate(sandbox, "One"), two = make_candidate(sandbox, "Two");
	(void)state;

	struct json body = done(sandbox, HTTP_PATCH, "/bulk/candidates/tags", 200,
				at("{\"candidates\":[%lld,%lld],\"tags\":[\"Junior\",\"Bulk\"]}", one, two));
	assert_int_equal(strlen(text_of(body, "uuid")), 36);
	assert_string_equal(shown(good(sandbox, at("/candidates/%lld", one)), "candidate.tags"),
			    "[\"Junior\",\"Bulk\"]");
	assert_string_equal(shown(good(sandbox, at("/candidates/%lld", two)), "candidate.tags"),
			    "[\"Junior\",\"Bulk\"]");
	size_t known = count_of(sandbox, "sources");
	(void)done(sandbox, HTTP_POST, at("/candidates/%lld/sources", one), 201,
		   "{\"sources\":[\"LinkedIn\",\"A friend\"]}");
	assert_string_equal(shown(good(sandbox, at("/candidates/%lld", one)), "candidate.sources"),
			    "[\"LinkedIn\",\"A friend\"]");
	assert_int_equal(count_of(sandbox, "sources"), known + 1);
	sandbox_destroy(sandbox);
}

static void test_two_candidates_become_one(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long job = some_offer(sandbox, "job", 0), other_job = some_offer(sandbox, "job", 1);
	long long one = id_of(done(sandbox, HTTP_POST, "/candidates", 201,
				   at("{\"candidate\":{\"name\":\"One\",\"emails\":[\"a@b.example\"]},"
				      "\"offers\":[%lld]}", job)), "candidate.id");
	long long two = id_of(done(sandbox, HTTP_POST, "/candidates", 201,
				   at("{\"candidate\":{\"name\":\"Two\",\"emails\":[\"c@d.example\"],"
				      "\"tags\":[\"Junior\"]},\"offers\":[%lld,%lld]}", job, other_job)),
			      "candidate.id");
	(void)state;

	(void)done(sandbox, HTTP_PATCH, at("/candidates/%lld/merge", one), 200,
		   at("{\"ids\":[%lld]}", two));
	struct json read = json_get_c(good(sandbox, at("/candidates/%lld", one)), "candidate");
	assert_string_equal(shown(read, "emails"), "[\"a@b.example\",\"c@d.example\"]");
	assert_string_equal(shown(read, "tags"), "[\"Junior\"]");
	assert_int_equal(look(read, "placements").count, 2);
	assert_int_equal(id_of(read, "placements.1.offer_id"), other_job);
	assert_int_equal(id_of(read, "placements.1.candidate_id"), one);
	assert_int_equal(get(sandbox, at("/candidates/%lld", two)).status, 404);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("/candidates/%lld/merge", one),
				  "{\"ids\":[1]}").status, 404);
	sandbox_destroy(sandbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_TEST(test_a_candidate_is_created_with_all_that_it_brings),
		EACH_TEST(test_who_wrote_and_when_is_kept),
		EACH_TEST(test_a_candidate_that_cannot_be),
		EACH_TEST(test_both_other_ways_to_name_the_offers),
		EACH_TEST(test_an_update_replaces_lists_and_leaves_the_rest),
		EACH_TEST(test_a_deleted_candidate_is_listed_as_such),
		EACH_TEST(test_an_address_makes_duplicates_known),
		EACH_TEST(test_tags_of_a_candidate),
		EACH_TEST(test_tags_in_bulk_and_sources),
		EACH_TEST(test_two_candidates_become_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

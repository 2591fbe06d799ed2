/* The sandbox: that it speaks as the API's description says, and that a seed makes the same
 * company each time. */
#include "asking.h"

/* --- who may call --------------------------------------------------------------------------- */

static void test_without_a_token_the_answer_is_the_one_measured(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct reply reply = call(sandbox, HTTP_GET, "/c/41207/candidates", NULL, NULL);
	assert_body(reply, 401,
		    "{\"error\":\"Resource access requires authentication!\",\"error_code\":null}");
	assert_string_equal(arena_c(&arena, reply_header(&reply, "www-authenticate")),
			    "Bearer realm=\"recruitee\"");
	reply = call(sandbox, HTTP_GET, "/c/41207/candidates", "Bearer wrong", NULL);
	assert_body(reply, 401, "{\"error\":\"Token not found.\",\"error_code\":\"invalid_token\"}");
	assert_string_equal(arena_c(&arena, reply_header(&reply, "www-authenticate")),
			    "Bearer realm=\"recruitee\", error=\"invalid_token\", "
			    "error_description=\"Token not found.\"");
	sandbox_destroy(sandbox);
}

static void test_another_company_is_forbidden_and_the_slug_is_the_company(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	assert_body(call(sandbox, HTTP_GET, "/c/99/candidates", "Bearer sandbox-token", NULL), 403,
		    "{\"error\":[\"Forbidden\"]}");
	assert_int_equal(
		call(sandbox, HTTP_GET, "/c/kiln/admin", "Bearer sandbox-token", NULL).status, 200);
	sandbox_destroy(sandbox);
}

static void test_what_is_not_there_is_404_with_an_array_of_errors(void **state)
{
	static const char *const paths[] = {"/candidates/1", "/candidates/x", "/nowhere", "/",
					    "/candidates/1/notes", "/offers/120001/placements"};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		assert_body(get(sandbox, paths[i]), 404, "{\"error\":[\"Not found\"]}");
	sandbox_destroy(sandbox);
}

static void test_company_and_token_can_be_chosen(void **state)
{
	struct sandbox_options options = make_options();
	(void)state;

	options.company = STR("5150");
	options.token = STR("secret");
	struct sandbox *sandbox = create(&options);
	assert_string_equal(arena_c(&arena, sandbox_base_path(sandbox)), "/c/5150");
	struct reply reply = call(sandbox, HTTP_GET, "/c/5150/candidates?limit=1", "Bearer secret",
				  NULL);
	assert_int_equal(reply.status, 200);
	assert_true(str_find(reply.body, STR("&company=5150\"")) > 0);
	sandbox_destroy(sandbox);
}

/* --- shapes --------------------------------------------------------------------------------- */

#define DETAIL_KEYS                                                                               \
	" photo_url cv_url cv_original_url cv_processing_status cv_parse_status cover_letter "    \
	"cover_letter_file_url cover_letter_file_original_url "                                   \
	"cover_letter_file_processing_status has_cover_letter links social_links tags sources "   \
	"fields custom_fields open_question_answers grouped_open_question_answers duplicates "    \
	"admin_ids referral_referrers_ids attachments_count mailbox_messages_count events_count " \
	"last_activity_at in_active_share pending_request_link online_data "                      \
	"sourcing_data sourcing_origin shared_admin_count shared_container_count gdpr_status "    \
	"gdpr_consent_ever_given gdpr_consent_request_type gdpr_consent_request_sent_at "         \
	"gdpr_consent_request_completed_at gdpr_expires_at gdpr_scheduled_to_delete_at"

static void test_the_list_has_the_described_keys_in_alphabetic_order(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json body = good(sandbox, "/candidates");
	assert_string_equal(keys_of(body), "candidates generated_at references");
	struct json list = json_get_c(body, "candidates");
	assert_int_equal(list.count, 60);
	for (uint32_t i = 0; i < list.count; i++) {
		assert_has_keys(list.items[i], LIST_KEYS_2026);
		for (uint32_t k = 1; k < list.items[i].count; k++) {
			const struct json_member *m = &list.items[i].members[k];
			assert_true(str_compare(str_make(m[-1].key, m[-1].key_len),
						str_make(m->key, m->key_len)) < 0);
		}
	}
	sandbox_destroy(sandbox);
}

static void test_the_old_shape_lacks_what_came_later(void **state)
{
	struct sandbox_options options = make_options();
	(void)state;

	options.shape = STR("old");
	options.candidates = 130;
	struct sandbox *sandbox = create(&options);
	struct json list = json_get_c(good(sandbox, "/candidates"), "candidates");
	assert_int_equal(list.count, 130); /* all, where the new shape gives 100 */
	bool has_pool = false;
	for (uint32_t i = 0; i < list.count; i++) {
		struct json placements = json_get_c(list.items[i], "placements");
		assert_has_keys(list.items[i], LIST_KEYS_2023);
		for (uint32_t k = 0; k < placements.count; k++) {
			assert_false(has_key(placements.items[k], "talent_pool_id"));
			assert_int_equal(json_get_c(placements.items[k], "offer_id").type, JSON_INT);
			has_pool |= json_is(json_get_c(placements.items[k], "stage_id"), JSON_NULL);
		}
	}
	assert_true(has_pool);
	sandbox_destroy(sandbox);
}

static void test_the_detail_has_all_keys_of_the_record(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json list = json_get_c(good(sandbox, "/candidates?limit=20"), "candidates");
	for (uint32_t i = 0; i < list.count; i++) {
		struct str path = arena_format(&arena, "/candidates/%lld",
					       (long long)integer(json_get_c(list.items[i], "id")));
		struct json body = good(sandbox, arena_c(&arena, path));
		assert_string_equal(keys_of(body), "candidate references");
		struct json detail = json_get_c(body, "candidate");
		assert_has_keys(detail, LIST_KEYS_2026 DETAIL_KEYS);
		/* What the list says of it, the detail says too. */
		assert_true(json_equal(json_get_c(detail, "name"), json_get_c(list.items[i], "name")));
		struct json fields = json_get_c(detail, "fields");
		assert_int_equal(fields.type, JSON_ARRAY);
		for (uint32_t k = 0; k < fields.count; k++) {
			bool is_empty = json_get_c(fields.items[k], "values").count == 0;
			assert_true(json_is(json_get_c(fields.items[k], "id"), JSON_NULL) == is_empty);
		}
		static const char *const lists[] = {"tags", "sources", "emails", "phones", "links",
						    "placements", "duplicates", "admin_ids"};
		for (size_t k = 0; k < sizeof lists / sizeof lists[0]; k++)
			assert_int_equal(json_get_c(detail, lists[k]).type, JSON_ARRAY);
	}
	sandbox_destroy(sandbox);
}

static void check_placement(struct json placement, unsigned *seen)
{
	static const char keys[] =
		"id candidate_id offer_id talent_pool_id stage_id position department_id "
		"department_name created_at updated_at hired_at hired_by_id "
		"hired_in_this_placement hired_in_other_placement job_starts_at language overdue_at "
		"overdue_diff positive_ratings rating_visible ratings";
	bool is_disqualified = has_key(placement, "disqualify_reason");
	bool is_pool = json_is(json_get_c(placement, "offer_id"), JSON_NULL);

	struct str more = arena_format(&arena, "%s disqualify_reason disqualify_kind disqualified_at",
				       keys);
	assert_has_keys(placement, is_disqualified ? arena_c(&arena, more) : keys);
	assert_true(json_is(json_get_c(placement, "talent_pool_id"), JSON_NULL) != is_pool);
	assert_true(json_is(json_get_c(placement, "stage_id"), JSON_NULL) == is_pool);
	assert_false(json_get_c(placement, "hired_in_this_placement").boolean);
	*seen |= is_disqualified ? 1u : 2u;
	*seen |= is_pool ? 4u : 8u;
	*seen |= json_is(json_get_c(placement, "hired_at"), JSON_NULL) ? 16u : 32u;
}

static void test_placements_have_conditional_keys(void **state)
{
	struct sandbox_options options = make_options();
	unsigned seen = 0;
	(void)state;

	options.candidates = 200;
	struct sandbox *sandbox = create(&options);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=200"), "candidates");
	for (uint32_t i = 0; i < list.count; i++) {
		struct json placements = json_get_c(list.items[i], "placements");
		for (uint32_t k = 0; k < placements.count; k++)
			check_placement(placements.items[k], &seen);
		/* Nobody is placed twice on one offer. */
		for (uint32_t k = 1; k < placements.count; k++)
			assert_false(json_is(json_get_c(placements.items[k], "offer_id"), JSON_INT) &&
				     json_equal(json_get_c(placements.items[k], "offer_id"),
						json_get_c(placements.items[k - 1], "offer_id")));
	}
	assert_int_equal(seen, 63); /* each kind was there */
	sandbox_destroy(sandbox);
}

static void test_references_come_once_in_order_of_first_use(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json body = good(sandbox, "/candidates?limit=30");
	struct json list = json_get_c(body, "candidates");
	struct json references = json_get_c(body, "references");
	struct buffer expected, got;
	buffer_init(&expected, &arena, 1 << 20);
	buffer_init(&got, &arena, 1 << 20);
	for (uint32_t i = 0; i < list.count; i++) {
		struct json placements = json_get_c(list.items[i], "placements");
		for (uint32_t k = 0; k <= placements.count; k++) {
			struct json last = json_at(placements, k);
			struct json ids[] = {json_get_c(last, "offer_id"),
					     json_get_c(last, "talent_pool_id"),
					     json_get_c(last, "stage_id"), json_undefined()};
			static const char *const types[] = {"Offer", "TalentPool", "Stage", "Admin"};
			if (k == placements.count)
				ids[3] = json_get_c(list.items[i], "admin_id");
			for (size_t t = 0; t < 4; t++) {
				if (!json_is(ids[t], JSON_INT))
					continue;
				struct str entry = arena_format(&arena, "%s %lld\n", types[t],
								(long long)ids[t].integer);
				if (str_find(buffer_str(&expected), entry) < 0)
					buffer_append(&expected, entry);
			}
		}
	}
	for (uint32_t i = 0; i < references.count; i++)
		buffer_append_format(&got, "%.*s %lld\n",
				     STR_ARGS(json_get_str(references.items[i], "type")),
				     (long long)integer(json_get_c(references.items[i], "id")));
	assert_string_equal(arena_c(&arena, buffer_str(&got)),
			    arena_c(&arena, buffer_str(&expected)));
	sandbox_destroy(sandbox);
}

static void test_hard_cases_are_there(void **state)
{
	struct sandbox_options options = make_options();
	bool no_email = false, no_admin = false, beyond_ascii = false, is_equal = false;
	(void)state;

	options.candidates = 200;
	struct sandbox *sandbox = create(&options);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=200"), "candidates");
	for (uint32_t i = 0; i < list.count; i++) {
		struct str name = json_get_str(list.items[i], "name");
		no_email |= json_get_c(list.items[i], "emails").count == 0;
		no_admin |= json_is(json_get_c(list.items[i], "admin_id"), JSON_NULL);
		for (size_t k = 0; k < name.len; k++)
			beyond_ascii |= (unsigned char)name.data[k] > 0xe0;
		struct str created = json_get_str(list.items[i], "created_at");
		assert_int_equal(created.len, strlen("2026-03-04T09:15:22.481930Z"));
		if (i == 0)
			continue;
		/* Newest first; those of one import came in one moment. */
		int order = str_compare(json_get_str(list.items[i - 1], "created_at"), created);
		assert_true(order >= 0);
		is_equal |= order == 0;
	}
	assert_true(no_email && no_admin && beyond_ascii && is_equal);
	sandbox_destroy(sandbox);
}

static void test_notes_have_replies_and_visibility(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=60"), "candidates");
	bool has_reply = false, has_custom = false;
	(void)state;

	for (uint32_t i = 0; i < list.count; i++) {
		struct str path = arena_format(&arena, "/candidates/%lld/notes",
					       (long long)integer(json_get_c(list.items[i], "id")));
		struct json notes = json_get_c(good(sandbox, arena_c(&arena, path)), "notes");
		assert_int_equal(notes.count, integer(json_get_c(list.items[i], "notes_count")));
		for (uint32_t k = 0; k < notes.count; k++) {
			assert_has_keys(notes.items[k],
					"id body body_html body_json text admin_id guest_id "
					"candidate_id offer_id talent_pool_id requisition_id "
					"reply_to_id pinned_at triggered visibility attachments "
					"replies reactions created_at updated_at");
			has_reply |= json_get_c(notes.items[k], "replies").count > 0;
			has_custom |= json_get_c(json_get_c(notes.items[k], "visibility"),
						 "admin_ids").count > 0;
		}
	}
	assert_true(has_reply && has_custom);
	sandbox_destroy(sandbox);
}

/* Every path of the description that is a plain list or a single thing answers well. */
static const char *const plain_paths[] = {
	"/candidates", "/candidates?qualified=true", "/candidates?disqualified=1&limit=5",
	"/candidates?query=a", "/candidates?sort=by_last_message", "/candidates?deleted=true",
	"/candidates/check_presence?email=nobody@example", "/candidates/settings/rating_scale",
	"/custom_fields/fields/searchable", "/custom_fields/fieldsets", "/search/new/candidates",
	"/search/new/quick?query=a&limit=3", "/offers", "/offers?kind=job", "/offers?scope=active",
	"/offers?scope=archived", "/offers?view_mode=brief", "/offers?statuses=draft,closed",
	"/placements?limit=10", "/pipeline_templates", "/talent_pools", "/departments", "/locations",
	"/tags", "/tags?sort_by=taggings_count&sort_order=desc", "/sources", "/disqualify_reasons",
	"/admins", "/admin", "/memberships", "/roles", "/interview/events",
	"/interview/events?status=past_due", "/interview/results", "/interview/templates",
	"/interview/schedules", "/tracking/activities", "/email_templates", "/tasks",
	"/tasks?status=completed&sort_by=due_date", "/requisitions", "/job_boards",
};

static void test_every_list_answers_in_every_shape(void **state)
{
	static const char *const shapes[] = {"new", "slim", "old"};
	(void)state;

	for (size_t s = 0; s < 3; s++) {
		struct sandbox_options options = make_options();
		options.shape = str_from_c(shapes[s]);
		struct sandbox *sandbox = create(&options);
		for (size_t i = 0; i < sizeof plain_paths / sizeof plain_paths[0]; i++)
			(void)good(sandbox, plain_paths[i]);
		sandbox_destroy(sandbox);
	}
}

static void test_every_path_with_an_id_answers(void **state)
{
	static const struct {
		const char *list, *key, *path;
	} paths[] = {
		{"/candidates", "candidates", "/candidates/%lld/attachments"},
		{"/candidates", "candidates", "/candidates/%lld/tasks"},
		{"/candidates", "candidates", "/tracking/candidates/%lld/activities"},
		{"/candidates", "candidates", "/mailbox/candidate/%lld"},
		{"/candidates", "candidates", "/interview/candidates/%lld/results/aggregated"},
		{"/offers", "offers", "/offers/%lld"},
		{"/offers", "offers", "/offers/%lld/notes"},
		{"/offers", "offers", "/offers/%lld/pipeline_templates"},
		{"/offers", "offers", "/offers/%lld/placements"},
		{"/offers", "offers", "/tracking/offers/%lld/activities"},
		{"/talent_pools", "talent_pools", "/talent_pools/%lld"},
		{"/pipeline_templates", "pipeline_templates", "/pipeline_templates/%lld"},
		{"/interview/events?status=past_due", "interview_events", "/interview/events/%lld"},
		{"/interview/results", "interview_results", "/interview/results/%lld"},
		{"/requisitions", "requisitions", "/requisitions/%lld"},
	};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct json list = json_get_c(good(sandbox, paths[i].list), paths[i].key);
		assert_true(list.count > 0);
		for (uint32_t k = 0; k < list.count && k < 8; k++) {
			char path[200];
			struct str pattern = str_from_c(paths[i].path), rest = pattern;
			struct str before = str_cut(&rest, '%');
			snprintf(path, sizeof path, "%.*s%lld%.*s", STR_ARGS(before),
				 (long long)integer(json_get_c(list.items[k], "id")),
				 (int)rest.len - 3, rest.data + 3);
			(void)good(sandbox, path);
		}
	}
	sandbox_destroy(sandbox);
}

static void test_placements_of_an_offer_are_grouped_by_stage(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json offers = json_get_c(good(sandbox, "/offers?kind=job"), "offers");
	size_t all = 0;
	(void)state;

	for (uint32_t i = 0; i < offers.count; i++) {
		struct str path = arena_format(&arena, "/offers/%lld/placements",
					       (long long)integer(json_get_c(offers.items[i], "id")));
		struct json stages = json_get_c(good(sandbox, arena_c(&arena, path)), "stages");
		int64_t found = 0;
		assert_int_equal(stages.count, 8);
		for (uint32_t k = 0; k < stages.count; k++) {
			struct json placements = json_get_c(stages.items[k], "placements");
			assert_int_equal(placements.type, JSON_ARRAY);
			found += placements.count;
			for (uint32_t p = 0; p < placements.count; p++)
				assert_true(json_equal(json_get_c(placements.items[p], "stage_id"),
						       json_get_c(stages.items[k], "id")));
		}
		assert_int_equal(found, integer(json_get_c(offers.items[i], "candidates_count")));
		all += (size_t)found;
	}
	assert_true(all > 30);
	sandbox_destroy(sandbox);
}

/* --- determinism ---------------------------------------------------------------------------- */

static void test_a_seed_makes_the_same_company_in_any_order_of_asking(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *one = create(&options), *two = create(&options);
	size_t count = sizeof plain_paths / sizeof plain_paths[0];
	(void)state;

	/* The second is asked in the opposite order first: what is made when must not matter. */
	for (size_t i = count; i-- > 0;)
		(void)good(two, plain_paths[i]);
	for (size_t i = 0; i < count; i++) {
		struct reply a = get(one, plain_paths[i]), b = get(two, plain_paths[i]);
		ptrdiff_t at = str_find(a.body, STR(",\"generated_at\":\""));
		if (at < 0) {
			assert_int_equal(a.body.len, b.body.len);
			assert_memory_equal(a.body.data, b.body.data, a.body.len);
			continue;
		}
		/* The clock gives another microsecond each time it is read. */
		assert_memory_equal(a.body.data, b.body.data, (size_t)at);
	}
	options.seed = 8;
	struct sandbox *other = create(&options);
	assert_false(str_equal(get(one, "/search/new/candidates").body,
			       get(other, "/search/new/candidates").body));
	sandbox_destroy(one);
	sandbox_destroy(two);
	sandbox_destroy(other);
}

/* --- filters -------------------------------------------------------------------------------- */

static uint32_t count_of(struct sandbox *sandbox, const char *path, const char *key)
{
	return json_get_c(good(sandbox, path), key).count;
}

static void test_filters_of_the_list(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json list = json_get_c(good(sandbox, "/candidates"), "candidates");
	(void)state;

	struct json third = list.items[2], ninth = list.items[8];
	struct str ids = arena_format(&arena, "/candidates?ids=%lld,%lld,1",
				      (long long)integer(json_get_c(third, "id")),
				      (long long)integer(json_get_c(ninth, "id")));
	assert_int_equal(count_of(sandbox, arena_c(&arena, ids), "candidates"), 2);
	struct str after = arena_format(&arena, "/candidates?created_after=%.*s",
					STR_ARGS(json_get_str(third, "created_at")));
	assert_int_equal(count_of(sandbox, arena_c(&arena, after), "candidates"), 2);
	struct str minute = arena_format(
		&arena, "/candidates?created_after=%.*s",
		STR_ARGS(str_slice(json_get_str(third, "created_at"), 0, 16)));
	assert_true(count_of(sandbox, arena_c(&arena, minute), "candidates") >= 3);
	assert_int_equal(count_of(sandbox, "/candidates?deleted=true", "candidates"), 0);
	assert_int_equal(count_of(sandbox, "/candidates?qualified=false", "candidates"), 60);
	sandbox_destroy(sandbox);
}

static void test_offer_id_gives_those_who_are_placed_there(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json offers = json_get_c(good(sandbox, "/offers"), "offers");
	uint32_t all = 0;
	(void)state;

	for (uint32_t i = 0; i < offers.count; i++) {
		int64_t id = integer(json_get_c(offers.items[i], "id"));
		struct str path = arena_format(&arena, "/candidates?offer_id=%lld", (long long)id);
		uint32_t count = count_of(sandbox, arena_c(&arena, path), "candidates");
		assert_true(count <= integer(json_get_c(offers.items[i], "candidates_count")));
		all += count;
	}
	assert_true(all > 40);
	sandbox_destroy(sandbox);
}

static int64_t search_total(struct sandbox *sandbox, const char *filters)
{
	struct buffer path;

	buffer_init(&path, &arena, 8192);
	buffer_append_c(&path, "/search/new/candidates?limit=1&filters_json=");
	url_encode(&path, str_from_c(filters));
	buffer_append_byte(&path, '\0');
	struct json body = good(sandbox, path.data);
	assert_int_equal(json_get_c(body, "hits").count,
			 integer(json_get_c(body, "total")) > 0 ? 1 : 0);
	return integer(json_get_c(body, "total"));
}

static void test_search_conditions(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	assert_int_equal(search_total(sandbox, "[]"), 60);
	int64_t qualified = search_total(sandbox, "[{\"field\":\"status\",\"in\":[\"qualified\"]}]");
	assert_true(qualified > 0 && qualified < 60);
	int64_t none = search_total(sandbox, "[{\"filter\":\"jobs\",\"has_none\":true}]");
	assert_true(none > 0 && none < 30);
	assert_int_equal(search_total(sandbox, "[{\"filter\":\"jobs\",\"has_any\":true}]"), 60 - none);
	assert_int_equal(search_total(sandbox, "[{\"field\":\"created_at\",\"gte\":1}]"), 60);
	assert_int_equal(search_total(sandbox, "[{\"field\":\"created_at\",\"gte\":1,\"lt\":2}]"), 0);
	int64_t tagged = search_total(sandbox, "[{\"filter\":\"tags\",\"id\":{\"in\":[1,2,3]}}]");
	assert_true(tagged > 0 && tagged < 60);
	assert_int_equal(search_total(sandbox, "[{\"filter\":\"tags\",\"id\":{\"not_in\":[1,2,3]}}]"),
			 60 - tagged);
	/* Copied quirks: the unknown is ignored, the second of an entity counts. */
	assert_int_equal(search_total(sandbox, "[{\"filter\":\"shoes\",\"id\":{\"in\":[1]}}]"), 60);
	assert_int_equal(search_total(sandbox, "[{\"field\":\"status\",\"in\":[\"qualified\"]},"
					       "{\"field\":\"status\",\"sounds_like\":\"x\"}]"), 60);
	sandbox_destroy(sandbox);
}

static void test_search_counts_facets_and_has_its_own_limit(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	struct json body = good(sandbox, "/search/new/candidates?aggs[]=stages.name.in&query=zzz");
	assert_string_equal(keys_of(body), "hits total aggregations");
	struct json counts = json_get_c(json_get_c(body, "aggregations"), "stages.name.in");
	assert_true(counts.count > 2);
	assert_string_equal(keys_of(counts.items[0]), "key count");
	assert_int_equal(integer(json_get_c(body, "total")), 60); /* `query` is ignored */
	assert_int_equal(get(sandbox, "/search/new/candidates?limit=10000").status, 200);
	assert_body(get(sandbox, "/search/new/candidates?limit=10001"), 500,
		    "{\"error\":[\"Server internal error\"]}");
	sandbox_destroy(sandbox);
}

/* --- definitions ---------------------------------------------------------------------------- */

static struct str written; /* what the disk below gives as sandbox.yaml */

static bool read_written(void *context, struct arena *into, const char *path, size_t bytes_max,
			 struct str *out, struct error *err)
{
	(void)context;
	(void)into;
	(void)bytes_max;
	if (!str_ends_with(str_from_c(path), STR("/sandbox.yaml")))
		return error_set(err, ERROR_NOT_FOUND, "%s: no such file", path);
	*out = written;
	return true;
}

#define HEAD                                                                                       \
	"now: 2026-01-01T00:00:00Z\nbase_path: /c/{company}\ncompany: {id: 1}\ntoken: t\n"         \
	"shapes: [a]\nauthorization: {header: x, prefix: ''}\nerrors:\n"                           \
	"  no_token: {status: 401, body: ''}\n  bad_token: {status: 401, body: ''}\n"              \
	"  forbidden: {status: 403, body: ''}\n  not_found: {status: 404, body: ''}\n"             \
	"  rate_limited: {status: 429, body: ''}\n  server_error: {status: 500, body: ''}\n"       \
	"  page_limit: {status: 500, body: ''}\n  refused: {status: 400, body: ''}\n"             \
	"  invalid: {status: 422, body: ''}\n"

#define ROUTE HEAD "collections:\n  a: {count: 1, make: {id: $id}}\nroutes:\n  "

#define LIFE ROUTE "GET /z: {answer: '{}'}\n  POST /x/{id}: {answer: '{}', record: a}\nlife:\n  c: "

static void test_a_bad_definition_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"nonsense: 1\n", "sandbox.yaml:1: the sandbox has no key nonsense"},
		{HEAD "collections:\n  a: {count: 1}\nroutes: {}\n",
		 "sandbox.yaml:18: a collection wants `count` and `make`"},
		{HEAD "collections:\n  a: {count: 1, make: {id: '1 +'}}\nroutes: {}\n",
		 "sandbox.yaml:18: "},
		{HEAD "collections:\n  a: {count: 1, make: {id: $id}, views: {v: {fields: [name]}}}\n"
		      "routes: {}\n",
		 "sandbox.yaml:18: there is no made field of the name name"},
		{HEAD "collections:\n  a: {parent: b, count: 1, make: {id: $id}}\nroutes: {}\n",
		 "sandbox.yaml:18: parent b does not stand above"},
		{HEAD "collections: {}\nroutes:\n  GET /x: {list: a}\n",
		 "sandbox.yaml:19: list: there is no collection a"},
		{HEAD "collections: {}\nroutes:\n  LOOK /x: {answer: 1}\n",
		 "sandbox.yaml:19: a route is METHOD /path"},
		{HEAD "collections:\n  a: {count: 1, make: {id: $id}, new: {b: 1}}\nroutes: {}\n",
		 "sandbox.yaml:18: new: there is no made field of the name b"},
		{HEAD "collections:\n  a: {count: 1, make: {id: $id}, touch: {b: 1}}\nroutes: {}\n",
		 "sandbox.yaml:18: touch: there is no made field of the name b"},
		{ROUTE "GET /x: {answer: '{}', do: [{create: a}]}\n",
		 "sandbox.yaml:20: a GET cannot have let, check, do and notify"},
		{ROUTE "POST /x: {answer: '{}', do: {create: a}}\n",
		 "sandbox.yaml:20: do must be a list of steps"},
		{ROUTE "POST /x: {answer: '{}', do: [{set: {id: 1}}]}\n",
		 "sandbox.yaml:20: a step wants exactly one of create, update and delete"},
		{ROUTE "POST /x: {answer: '{}', do: [{create: a, delete: a}]}\n",
		 "sandbox.yaml:20: a step wants exactly one of create, update and delete"},
		{ROUTE "POST /x: {answer: '{}', do: [{create: b}]}\n",
		 "sandbox.yaml:20: create: there is no collection b"},
		{ROUTE "POST /x: {answer: '{}', do: [{create: a, set: {b: 1}}]}\n",
		 "sandbox.yaml:20: a have no made field of the name b"},
		{ROUTE "POST /x: {answer: '{}', do: [{update: a}]}\n",
		 "sandbox.yaml:20: update and delete want an id, or `record`"},
		{ROUTE "POST /x: {answer: '{}', do: [{update: record}]}\n",
		 "sandbox.yaml:20: the path names no record"},
		{ROUTE "POST /x: {answer: '{}', check: [{field: a}]}\n",
		 "sandbox.yaml:20: a rule wants `unless`"},
		{ROUTE "POST /x: {answer: '{}', check: [{unless: 'false'}]}\n",
		 "sandbox.yaml:20: a rule wants `field` and `message`"},
		{ROUTE "POST /x: {answer: '{}', check: [{unless: 'false', answer: teapot}]}\n",
		 "sandbox.yaml:20: answer must be one of `errors`"},
		{ROUTE "POST /x: {get: [a, b], envelope: a, view: b}\n",
		 "sandbox.yaml:20: get: there is no collection b"},
		{ROUTE "POST /x: {answer: '{}', notify: {value: 1}}\n",
		 "sandbox.yaml:20: notify must be a list of notices"},
		{ROUTE "POST /x: {answer: '{}', notify: [{when: 'true'}]}\n",
		 "sandbox.yaml:20: a notice wants `value`"},
		{ROUTE "GET /x: {answer: '{}'}\nwebhooks: {header: X}\n",
		 "sandbox.yaml:21: webhooks want `header` and `body`"},
		{ROUTE "GET /x: {answer: '{}'}\nwebhooks: {header: X, body: '{}', retries: [soon]}\n",
		 "sandbox.yaml:21: retries must be seconds from 0 to 86400"},
		{LIFE "{calls: [{call: POST /y}]}\n",
		 "sandbox.yaml:23: there is no route POST /y that writes"},
		{LIFE "{calls: [{call: GET /z}]}\n",
		 "sandbox.yaml:23: there is no route GET /z that writes"},
		{LIFE "{calls: [{call: 'POST /x/{id}'}]}\n",
		 "sandbox.yaml:23: /x/{id} wants a value for each {part}"},
		{LIFE "{calls: [{call: 'POST /x/{id}', parts: {number: 1}}]}\n",
		 "sandbox.yaml:23: no value for {id}"},
		{LIFE "{weight: 2}\n", "sandbox.yaml:23: a change wants `calls`: a list"},
		{LIFE "{calls: [{call: POST /y}], what: 1}\n", "sandbox.yaml:23: a change has no key what"},
		{HEAD "collections:\n  a: {count: -1, make: {id: $id}}\nroutes: {}\n",
		 "sandbox.yaml:18: count must give a whole number"},
	};
	const struct disk disk = {.read = read_written};
	struct sandbox_options options = {.folder = "x", .disk = &disk, .clock = &still_clock};
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct error err = {0};
		written = str_from_c(cases[i].text);
		assert_null(sandbox_create(&options, &err));
		if (!str_starts_with(str_from_c(err.message), str_from_c(cases[i].message)))
			fail_msg("%s\nwanted: %s", err.message, cases[i].message);
	}
}

static void test_options_that_cannot_be(void **state)
{
	struct sandbox_options options = make_options();
	struct error err = {0};
	(void)state;

	options.shape = STR("round");
	assert_null(sandbox_create(&options, &err));
	assert_string_equal(err.field, "shape");
	assert_string_equal(err.allowed, "new, slim, old");
	options = make_options();
	options.candidates = SANDBOX_CANDIDATES_MAX + 1;
	assert_null(sandbox_create(&options, &err));
	assert_string_equal(err.field, "candidates");
	options = make_options();
	options.folder = "/nowhere";
	assert_null(sandbox_create(&options, &err));
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_token_the_answer_is_the_one_measured),
		TEST(another_company_is_forbidden_and_the_slug_is_the_company),
		TEST(what_is_not_there_is_404_with_an_array_of_errors),
		TEST(company_and_token_can_be_chosen),
		TEST(the_list_has_the_described_keys_in_alphabetic_order),
		TEST(the_old_shape_lacks_what_came_later),
		TEST(the_detail_has_all_keys_of_the_record),
		TEST(placements_have_conditional_keys),
		TEST(references_come_once_in_order_of_first_use),
		TEST(hard_cases_are_there),
		TEST(notes_have_replies_and_visibility),
		TEST(every_list_answers_in_every_shape),
		TEST(every_path_with_an_id_answers),
		TEST(placements_of_an_offer_are_grouped_by_stage),
		TEST(a_seed_makes_the_same_company_in_any_order_of_asking),
		TEST(filters_of_the_list),
		TEST(offer_id_gives_those_who_are_placed_there),
		TEST(search_conditions),
		TEST(search_counts_facets_and_has_its_own_limit),
		TEST(a_bad_definition_is_refused_with_its_line),
		TEST(options_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

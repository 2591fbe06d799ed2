/* The sandbox: that it speaks as the API's description says, that a seed makes the same company
 * each time, that a walk over its pages finds the truth, and that it misbehaves as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "app/sandbox/sandbox.h"
#include "lang/json/json.h"

static struct arena arena; /* of one test */

/* A clock that stands still unless a test moves it. */
static int64_t clock_ns;
static int64_t read_clock(void *context)
{
	(void)context;
	return INT64_C(1795176000000000000) + clock_ns;
}
static const struct clock still_clock = {read_clock, read_clock, NULL};

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, SIZE_MAX);
	clock_ns = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static struct sandbox_options make_options(void)
{
	const char *source = getenv("TENON_SOURCE");
	struct str folder = arena_format(&arena, "%s/sandbox/recruitee", source == NULL ? "." : source);

	return (struct sandbox_options){.folder = arena_c(&arena, folder), .seed = 7,
					.candidates = 60, .clock = &still_clock};
}

static struct sandbox *create(const struct sandbox_options *options)
{
	struct error err = {0};
	struct sandbox *sandbox = sandbox_create(options, &err);

	if (sandbox == NULL)
		fail_msg("%s", err.message);
	return sandbox;
}

/* --- asking without a socket ---------------------------------------------------------------- */

struct reply {
	int status;
	struct str body;
	struct str content_type;
	struct json json; /* undefined when the body is none */
	struct http_header *headers;
	size_t header_count;
	bool is_cut;
	bool cut_with_reset;
	size_t cut_after;
};

static struct str reply_header(const struct reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (str_equal_nocase(reply->headers[i].name, str_from_c(name)))
			return reply->headers[i].value;
	return (struct str){0};
}

static struct reply call(struct sandbox *sandbox, enum http_method method, const char *target,
			 const char *authorization, const char *body)
{
	struct str query = str_from_c(target), path = str_cut(&query, '?');
	struct http_header headers[] = {
		{STR("host"), STR("ats.example:80")},
		{STR("authorization"), str_from_c(authorization == NULL ? "" : authorization)}};
	struct http_exchange exchange = {
		.arena = &arena, .method = method, .path = path, .headers = headers,
		.header_count = authorization == NULL ? 1 : 2, .body = str_from_c(body), .status = 200,
		.content_type = STR("application/json")};
	struct http_field *fields = NULL;
	struct error err = {0};

	if (query.len > 0)
		assert_true(url_parse_query(&arena, query, 100, &fields, &exchange.query_count, &err));
	exchange.query = fields;
	struct http_handler *handler = sandbox_handler(sandbox);
	handler->handle(handler, &exchange);
	struct reply reply = {exchange.status, exchange.reply, exchange.content_type,
			      json_undefined(), exchange.reply_headers, exchange.reply_header_count,
			      exchange.is_cut, exchange.cut_with_reset, exchange.cut_after};
	struct json value;
	if (json_parse(&arena, reply.body, &json_limits_default, &value, &err))
		reply.json = value;
	return reply;
}

static struct reply get(struct sandbox *sandbox, const char *path)
{
	struct str target = arena_format(&arena, "/c/41207%s", path);

	return call(sandbox, HTTP_GET, arena_c(&arena, target), "Bearer sandbox-token", NULL);
}

/* The answer of a path that must be good. */
static struct json good(struct sandbox *sandbox, const char *path)
{
	struct reply reply = get(sandbox, path);

	if (reply.status != 200 || json_is(reply.json, JSON_UNDEFINED))
		fail_msg("%s: %d %.*s", path, reply.status, (int)(reply.body.len < 400 ? reply.body.len
										       : 400),
			 reply.body.data);
	return reply.json;
}

static void assert_body(struct reply reply, int status, const char *body)
{
	assert_int_equal(reply.status, status);
	assert_string_equal(arena_c(&arena, reply.body), body);
}

static int64_t integer(struct json value)
{
	int64_t number = -1;

	assert_true(json_to_int64(value, &number));
	return number;
}

/* The keys of an object with blanks between them, as they came. */
static const char *keys_of(struct json object)
{
	struct buffer keys;

	assert_int_equal(object.type, JSON_OBJECT);
	buffer_init(&keys, &arena, 16384);
	for (uint32_t i = 0; i < object.count; i++)
		buffer_append_format(&keys, "%s%.*s", i == 0 ? "" : " ",
				     (int)object.members[i].key_len, object.members[i].key);
	return arena_c(&arena, buffer_str(&keys));
}

static bool has_key(struct json object, const char *key)
{
	return !json_is(json_get_c(object, key), JSON_UNDEFINED);
}

static void assert_has_keys(struct json object, const char *keys)
{
	struct str rest = str_from_c(keys);

	while (rest.data != NULL) {
		struct str key = str_cut(&rest, ' ');
		if (json_is(json_get(object, key), JSON_UNDEFINED))
			fail_msg("no key %.*s in: %s", STR_ARGS(key), keys_of(object));
	}
	size_t wanted = 1;
	for (const char *at = keys; *at != '\0'; at++)
		wanted += *at == ' ';
	if (object.count != wanted)
		fail_msg("%u keys where %zu are described: %s", object.count, wanted, keys_of(object));
}

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

#define LIST_KEYS_2023                                                                            \
	"admin_id adminapp_url created_at emails example followed has_avatar id initials "        \
	"last_message_at my_last_rating my_pending_result_request my_upcoming_event name "        \
	"notes_count pending_result_request phones photo_thumb_url placements positive_ratings "  \
	"rating ratings ratings_count referrer source tasks_count unread_notifications "          \
	"upcoming_event updated_at viewed"
#define LIST_KEYS_2026                                                                            \
	LIST_KEYS_2023 " is_anonymous is_hired is_revealed rating_visible salutation title"
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
		struct json body = good(
			sandbox, arena_format(&arena, "/candidates/%lld%c",
					      (long long)integer(json_get_c(list.items[i], "id")), 0)
					 .data);
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

	assert_has_keys(placement,
			is_disqualified
				? arena_format(&arena, "%s disqualify_reason disqualify_kind "
						       "disqualified_at%c", keys, 0).data
				: keys);
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

/* --- faults --------------------------------------------------------------------------------- */

static void test_faults_by_name_and_probability(void **state)
{
	static const char *const bad[] = {"flood:0.1", "reset", "reset:", "reset:1.5", "reset:-1",
					  "reset:x", "reset:0.1x", "reset:nan", ""};
	struct sandbox_options options = {0};
	struct error err = {0};
	(void)state;

	assert_true(sandbox_parse_fault(STR("rate_limit:0.05"), &options, &err));
	assert_true(options.faults[SANDBOX_RATE_LIMIT] == 0.05);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct error){0};
		assert_false(sandbox_parse_fault(str_from_c(bad[i]), &options, &err));
		assert_string_equal(err.field, "fault");
	}
	assert_false(sandbox_parse_fault(STR("flood:0.1"), &options, &err));
	assert_true(str_find(str_from_c(err.message), STR("page_shift")) > 0);
	assert_true(sandbox_parse_rate_limit(STR("100/60"), &options, &err));
	assert_int_equal(options.rate_requests, 100);
	assert_int_equal(options.rate_seconds, 60);
	assert_false(sandbox_parse_rate_limit(STR("100/0"), &options, &err));
	assert_false(sandbox_parse_rate_limit(STR("x"), &options, &err));
}

static struct sandbox *create_with_fault(const char *fault)
{
	struct sandbox_options options = make_options();
	struct error err = {0};

	assert_true(sandbox_parse_fault(str_from_c(fault), &options, &err));
	return create(&options);
}

static void test_rate_limit_fault_says_when_only_sometimes(void **state)
{
	struct sandbox *sandbox = create_with_fault("rate_limit:1");
	int without = 0, at_once = 0, after_one = 0;
	(void)state;

	for (int i = 0; i < 60; i++) {
		struct reply reply = get(sandbox, "/candidates");
		assert_body(reply, 429, "{\"error\":[\"Too many requests\"]}");
		struct str after = reply_header(&reply, "retry-after");
		without += after.len == 0;
		at_once += str_equal_c(after, "0");
		after_one += str_equal_c(after, "1");
	}
	assert_true(without > 10 && at_once > 3 && after_one > 3);
	assert_int_equal(without + at_once + after_one, 60);
	sandbox_destroy(sandbox);
}

static void test_faults_of_content(void **state)
{
	struct sandbox *sandbox = create_with_fault("server_error:1");
	unsigned seen = 0;
	(void)state;

	for (int i = 0; i < 40; i++) {
		int status = get(sandbox, "/offers").status;
		seen |= status == 500 ? 1u : status == 502 ? 2u : status == 503 ? 4u : 8u;
	}
	assert_int_equal(seen, 7);
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("content_type:1");
	struct reply reply = get(sandbox, "/offers");
	assert_int_equal(reply.status, 200);
	assert_true(str_equal_c(reply.content_type, "text/html"));
	sandbox_destroy(sandbox);
	sandbox = create_with_fault("garbage:1");
	reply = get(sandbox, "/offers");
	assert_int_equal(reply.status, 200);
	assert_true(str_equal_c(reply.content_type, "application/json"));
	assert_true(json_is(reply.json, JSON_UNDEFINED));
	sandbox_destroy(sandbox);
}

static void test_a_probability_is_kept_and_replayed(void **state)
{
	struct sandbox *one = create_with_fault("server_error:0.2");
	struct sandbox *two = create_with_fault("server_error:0.2");
	int failed = 0;
	(void)state;

	for (int i = 0; i < 500; i++) {
		int status = get(one, "/roles").status;
		failed += status != 200;
		assert_int_equal(get(two, "/roles").status, status);
	}
	assert_in_range(failed, 70, 130);
	sandbox_destroy(one);
	sandbox_destroy(two);
}

static void test_the_true_rate_limit_fills_again(void **state)
{
	struct sandbox_options options = make_options();
	struct error err = {0};
	(void)state;

	assert_true(sandbox_parse_rate_limit(STR("2/10"), &options, &err));
	struct sandbox *sandbox = create(&options);
	assert_int_equal(get(sandbox, "/roles").status, 200);
	assert_int_equal(get(sandbox, "/roles").status, 200);
	struct reply reply = get(sandbox, "/roles");
	assert_body(reply, 429, "{\"error\":[\"Too many requests\"]}");
	int64_t seconds = 0;
	assert_true(str_to_int64(reply_header(&reply, "retry-after"), &seconds));
	assert_in_range(seconds, 5, 6);
	clock_ns += seconds * 1000000000;
	assert_int_equal(get(sandbox, "/roles").status, 200);
	assert_int_equal(get(sandbox, "/roles").status, 429);
	sandbox_destroy(sandbox);
}

/* --- truth ---------------------------------------------------------------------------------- */

static struct json truth(struct sandbox *sandbox)
{
	struct reply reply = call(sandbox, HTTP_GET, "/sandbox/truth?collection=candidates", NULL,
				  NULL);

	assert_int_equal(reply.status, 200);
	return reply.json;
}

static void test_pages_put_together_are_the_truth(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json ids = json_get_c(truth(sandbox), "ids");
	uint32_t found = 0;
	(void)state;

	assert_int_equal(ids.count, 60);
	for (int offset = 0; offset < 70; offset += 7) {
		struct str path = arena_format(&arena, "/candidates?limit=7&offset=%d", offset);
		struct json page = json_get_c(good(sandbox, arena_c(&arena, path)), "candidates");
		for (uint32_t i = 0; i < page.count; i++, found++)
			assert_int_equal(integer(json_get_c(page.items[i], "id")),
					 integer(ids.items[ids.count - 1 - found]));
	}
	assert_int_equal(found, 60);
	sandbox_destroy(sandbox);
}

static void test_page_shift_moves_records_and_says_so(void **state)
{
	struct sandbox *sandbox = create_with_fault("page_shift:1");
	(void)state;

	for (int i = 0; i < 20; i++)
		(void)good(sandbox, "/candidates?limit=10");
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{}").status, 200);
	struct json now = truth(sandbox);
	struct json created = json_get_c(now, "created"), deleted = json_get_c(now, "deleted");
	assert_true(created.count > 3 && deleted.count > 3);
	assert_int_equal(json_get_c(now, "ids").count, 60 + created.count - deleted.count);
	struct json list = json_get_c(good(sandbox, "/candidates?limit=1000"), "candidates");
	assert_int_equal(list.count, json_get_c(now, "ids").count);
	/* The newest comes first, and all keys are there. */
	assert_has_keys(list.items[0], LIST_KEYS_2026);
	struct json gone = json_get_c(good(sandbox, "/candidates?deleted=true"), "candidates");
	assert_int_equal(gone.count, deleted.count);
	assert_has_keys(gone.items[0], LIST_KEYS_2026 " deleted_at deleted_by_kind");
	struct str path = arena_format(&arena, "/candidates/%lld",
				       (long long)integer(deleted.items[0]));
	assert_int_equal(get(sandbox, arena_c(&arena, path)).status, 404);
	sandbox_destroy(sandbox);
}

static void test_control_says_what_is_wrong(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/truth?collection=x", NULL, NULL).status, 404);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{\"flood\":1}").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "{\"reset\":2}").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/faults", NULL, "[]").status, 400);
	assert_int_equal(call(sandbox, HTTP_PUT, "/sandbox/delay", NULL, "{\"ms\":-1}").status, 400);
	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/x", NULL, NULL).status, 404);
	(void)good(sandbox, "/roles");
	(void)get(sandbox, "/nowhere");
	struct json counts = call(sandbox, HTTP_GET, "/sandbox/counts", NULL, NULL).json;
	assert_int_equal(integer(json_get_c(json_get_c(counts, "requests"), "200")), 1);
	assert_int_equal(integer(json_get_c(json_get_c(counts, "requests"), "404")), 1);
	assert_int_equal(integer(json_get_c(counts, "total")), 2);
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
	"  page_limit: {status: 500, body: ''}\n  refused: {status: 400, body: ''}\n"

static void test_a_bad_definition_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"nonsense: 1\n", "sandbox.yaml:1: the sandbox has no key nonsense"},
		{HEAD "collections:\n  a: {count: 1}\nroutes: {}\n",
		 "sandbox.yaml:17: a collection wants `count` and `make`"},
		{HEAD "collections:\n  a: {count: 1, make: {id: '1 +'}}\nroutes: {}\n",
		 "sandbox.yaml:17: "},
		{HEAD "collections:\n  a: {count: 1, make: {id: $id}, views: {v: {fields: [name]}}}\n"
		      "routes: {}\n",
		 "sandbox.yaml:17: there is no made field of the name name"},
		{HEAD "collections:\n  a: {parent: b, count: 1, make: {id: $id}}\nroutes: {}\n",
		 "sandbox.yaml:17: parent b does not stand above"},
		{HEAD "collections: {}\nroutes:\n  GET /x: {list: a}\n",
		 "sandbox.yaml:18: list: there is no collection a"},
		{HEAD "collections: {}\nroutes:\n  LOOK /x: {answer: 1}\n",
		 "sandbox.yaml:18: a route is METHOD /path"},
		{HEAD "collections:\n  a: {count: -1, make: {id: $id}}\nroutes: {}\n",
		 "sandbox.yaml:17: count must give a whole number"},
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

/* --- over a real socket --------------------------------------------------------------------- */

struct wire {
	struct loop *loop;
	struct sandbox *sandbox;
	struct http_server *server;
	struct http_client *client;
	struct str address; /* http://127.0.0.1:PORT */
};

static void wire_init(struct wire *wire, const struct sandbox_options *options)
{
	struct error err = {0};
	struct str bound;
	int fd;

	wire->loop = loop_create(clock_system(), random_system(), &err);
	wire->sandbox = create(options);
	assert_true(http_listen(&arena, STR("127.0.0.1:0"), &fd, 1, &bound, &err));
	wire->address = arena_format(&arena, "http://%.*s", STR_ARGS(bound));
	wire->server = http_server_create(wire->loop, fd, false, &http_server_limits_default,
					  sandbox_handler(wire->sandbox), &err);
	assert_non_null(wire->server);
	wire->client = http_client_create(wire->loop, &(struct http_client_options){0}, &err);
	assert_non_null(wire->client);
}

static void wire_finish(struct wire *wire)
{
	sandbox_release(wire->sandbox);
	http_client_destroy(wire->client);
	http_server_quiesce(wire->server);
	assert_true(loop_drain(wire->loop, 10000));
	http_server_destroy(wire->server);
	sandbox_destroy(wire->sandbox);
	loop_destroy(wire->loop);
}

struct fetch {
	struct wire *wire;
	struct str url;
	struct http_response response;
	struct error err;
	int64_t timeout_ms;
	bool is_last; /* ends the loop's run */
};

static void run_fetch(void *context)
{
	struct fetch *fetch = context;
	struct http_header header = {STR("Authorization"), STR("Bearer sandbox-token")};
	struct http_request request = {
		.method = HTTP_GET, .url = fetch->url, .headers = &header, .header_count = 1,
		.deadline_ns = clock_monotonic_ns(clock_system()) + fetch->timeout_ms * 1000000,
		.response_bytes_max = 1 << 24};

	(void)!http_client_send(fetch->wire->client, &arena, &request, &fetch->response, &fetch->err);
	if (fetch->is_last)
		loop_stop(fetch->wire->loop);
}

static struct fetch fetch_url(struct wire *wire, struct str url, int64_t timeout_ms)
{
	struct fetch fetch = {.wire = wire, .url = url, .timeout_ms = timeout_ms, .is_last = true};

	loop_spawn(wire->loop, run_fetch, &fetch);
	loop_run(wire->loop);
	return fetch;
}

static struct fetch fetch_path(struct wire *wire, const char *path, int64_t timeout_ms)
{
	return fetch_url(wire, arena_format(&arena, "%.*s/c/41207%s", STR_ARGS(wire->address), path),
			 timeout_ms);
}

static struct json body_of(const struct fetch *fetch)
{
	struct json value;
	struct error err = {0};

	assert_int_equal(fetch->response.outcome, HTTP_COMPLETE);
	assert_true(json_parse(&arena, fetch->response.body, &json_limits_default, &value, &err));
	return value;
}

static void test_files_are_real_and_as_large_as_promised(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	size_t found = 0;
	(void)state;

	wire_init(&wire, &options);
	struct fetch list = fetch_path(&wire, "/candidates?limit=40", 10000);
	struct json candidates = json_get_c(body_of(&list), "candidates");
	for (uint32_t i = 0; i < candidates.count && found < 5; i++) {
		struct str path = arena_format(&arena, "/candidates/%lld/attachments",
					       (long long)integer(json_get_c(candidates.items[i], "id")));
		struct fetch fetch = fetch_path(&wire, arena_c(&arena, path), 10000);
		struct json attachments = json_get_c(body_of(&fetch), "attachments");
		for (uint32_t k = 0; k < attachments.count; k++, found++) {
			struct str url = json_get_str(attachments.items[k], "file_url");
			assert_true(str_starts_with(url, wire.address));
			struct fetch file = fetch_url(&wire, url, 10000);
			assert_int_equal(file.response.status, 200);
			assert_int_equal(file.response.body.len,
					 integer(json_get_c(attachments.items[k], "file_size")));
		}
	}
	assert_true(found >= 5);
	wire_finish(&wire);
}

static void test_a_walk_over_a_socket_under_faults_can_find_the_truth(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	uint32_t found = 0;
	(void)state;

	options.faults[SANDBOX_RESET] = 0.15;
	options.faults[SANDBOX_TRUNCATE] = 0.15;
	options.faults[SANDBOX_SERVER_ERROR] = 0.15;
	wire_init(&wire, &options);
	for (int offset = 0; offset < 60; offset += 10) {
		struct str path = arena_format(&arena, "/candidates?limit=10&offset=%d", offset);
		struct fetch fetch;
		do
			fetch = fetch_path(&wire, arena_c(&arena, path), 10000);
		while (fetch.response.outcome != HTTP_COMPLETE || fetch.response.status != 200);
		found += json_get_c(body_of(&fetch), "candidates").count;
	}
	assert_int_equal(found, 60);
	wire_finish(&wire);
}

static void check_broken(enum sandbox_fault kind)
{
	struct sandbox_options options = make_options();
	struct wire wire;

	options.faults[kind] = 1;
	wire_init(&wire, &options);
	for (int i = 0; i < 6; i++) {
		struct fetch fetch = fetch_path(&wire, "/candidates", 10000);
		assert_int_equal(fetch.response.outcome, HTTP_BROKEN);
	}
	wire_finish(&wire);
}

static void test_a_reset_breaks_the_answer(void **state)
{
	(void)state;
	check_broken(SANDBOX_RESET);
}

static void test_a_cut_answer_is_no_answer(void **state)
{
	(void)state;
	check_broken(SANDBOX_TRUNCATE);
}

static void test_a_stalled_answer_runs_into_the_deadline(void **state)
{
	struct sandbox_options options = make_options();
	struct wire wire;
	(void)state;

	options.faults[SANDBOX_STALL] = 1;
	wire_init(&wire, &options);
	assert_int_equal(fetch_path(&wire, "/roles", 20).response.outcome, HTTP_TIMED_OUT);
	wire_finish(&wire);
}

static void release(void *context)
{
	sandbox_release(context);
}

static void test_many_can_wait_and_are_let_go(void **state)
{
	enum { WAITING = 200 };
	struct sandbox_options options = make_options();
	struct fetch *fetches = arena_zero(&arena, WAITING * sizeof *fetches);
	struct wire wire;
	(void)state;

	options.delay_ms = 3600000;
	wire_init(&wire, &options);
	for (size_t i = 0; i < WAITING; i++) {
		fetches[i] = (struct fetch){
			.wire = &wire, .timeout_ms = 60000,
			.url = arena_format(&arena, "%.*s/c/41207/roles", STR_ARGS(wire.address))};
		loop_spawn(wire.loop, run_fetch, &fetches[i]);
	}
	/* The counts do not wait, and come back after the others were sent. */
	int64_t active = 0;
	while (active < WAITING) {
		struct fetch counts = fetch_url(
			&wire, arena_format(&arena, "%.*s/sandbox/counts", STR_ARGS(wire.address)),
			60000);
		active = integer(json_get_c(body_of(&counts), "active"));
	}
	loop_spawn(wire.loop, release, wire.sandbox);
	fetch_path(&wire, "/roles", 60000);
	while (fetches[WAITING - 1].response.status == 0)
		fetch_path(&wire, "/roles", 60000);
	wire_finish(&wire);
	for (size_t i = 0; i < WAITING; i++)
		assert_int_equal(fetches[i].response.status, 200);
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
		TEST(faults_by_name_and_probability),
		TEST(rate_limit_fault_says_when_only_sometimes),
		TEST(faults_of_content),
		TEST(a_probability_is_kept_and_replayed),
		TEST(the_true_rate_limit_fills_again),
		TEST(pages_put_together_are_the_truth),
		TEST(page_shift_moves_records_and_says_so),
		TEST(control_says_what_is_wrong),
		TEST(a_bad_definition_is_refused_with_its_line),
		TEST(options_that_cannot_be),
		TEST(files_are_real_and_as_large_as_promised),
		TEST(a_walk_over_a_socket_under_faults_can_find_the_truth),
		TEST(a_reset_breaks_the_answer),
		TEST(a_cut_answer_is_no_answer),
		TEST(a_stalled_answer_runs_into_the_deadline),
		TEST(many_can_wait_and_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

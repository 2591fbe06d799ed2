/* Every other route that writes: what the sandbox says afterwards, not the reply. */
#include "writing.h"

/* --- placements ----------------------------------------------------------------------------- */

static long long place(struct sandbox *sandbox, long long candidate, long long offer)
{
	return id_of(done(sandbox, HTTP_POST, "/placements", 201,
			  at("{\"candidate_id\":%lld,\"offer_id\":%lld}", candidate, offer)),
		     "placement.id");
}

static struct json placement_of(struct sandbox *sandbox, long long candidate, size_t which)
{
	return json_at(look(good(sandbox, at("/candidates/%lld", candidate)),
			    "candidate.placements"), which);
}

static void test_placements_in_both_forms_of_the_body(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Placed"), job = some_offer(sandbox, "job", 0),
		  other = some_offer(sandbox, "job", 1), pool = some_offer(sandbox, "talent_pool", 0);
	(void)state;

	struct json body = done(sandbox, HTTP_POST, "/placements", 201,
				at("{\"candidate_id\":%lld,\"offer_id\":%lld}", candidate, job));
	assert_string_equal(keys_of(body), "placement references");
	assert_int_equal(id_of(body, "placement.stage_id"), stage_of(sandbox, job, "apply"));
	long long stage = stage_of(sandbox, other, "evaluation");
	(void)done(sandbox, HTTP_POST, "/placements", 201,
		   at("{\"placement\":{\"candidate_id\":\"%lld\",\"offer_id\":%lld,\"stage_id\":%lld}}",
		      candidate, other, stage));
	(void)done(sandbox, HTTP_POST, "/placements", 201,
		   at("{\"candidate_id\":%lld,\"talent_pool_id\":%lld}", candidate, pool));
	assert_int_equal(id_of(placement_of(sandbox, candidate, 0), "offer_id"), job);
	assert_int_equal(id_of(placement_of(sandbox, candidate, 1), "stage_id"), stage);
	assert_int_equal(id_of(placement_of(sandbox, candidate, 2), "talent_pool_id"), pool);
	assert_true(is_null(placement_of(sandbox, candidate, 2), "stage_id"));
	/* The offer counts it, and shows it under its stage. */
	struct json stages = look(good(sandbox, at("/offers/%lld/placements?stage_id=%lld", other,
						   stage)), "stages");
	struct json shown_there = look(find_id(stages, stage), "placements");
	assert_int_equal(id_of(shown_there.items[shown_there.count - 1], "candidate_id"), candidate);
	assert_string_equal(last_event(sandbox, candidate), "admin_assigned_candidate_to_offer");
	/* Twice on one offer cannot be, nor on a stage of another template. */
	assert_int_equal(write_to(sandbox, HTTP_POST, "/placements",
				  at("{\"candidate_id\":%lld,\"offer_id\":%lld}", candidate, job)).status,
			 422);
	assert_body(write_to(sandbox, HTTP_POST, "/placements", "{}"), 422,
		    "{\"error\":[\"Candidate id can't be blank\",\"Offer id can't be blank\"],"
		    "\"error_fields\":{\"candidate_id\":[\"can't be blank\"],\"offer_id\":"
		    "[\"can't be blank\"]}}");
	assert_int_equal(write_to(sandbox, HTTP_POST, "/placements",
				  at("{\"candidate_id\":%lld,\"offer_id\":1}", candidate)).status, 404);
	sandbox_destroy(sandbox);
}

static void test_a_stage_is_changed_and_the_history_tells_it(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Mover"), job = some_offer(sandbox, "job", 0);
	long long placement = place(sandbox, candidate, job),
		  phone = stage_of(sandbox, job, "phone_screen"), hire = stage_of(sandbox, job, "hire");
	(void)state;

	struct json body = done(sandbox, HTTP_PATCH, at("/placements/%lld/change_stage", placement), 200,
				at("{\"stage_id\":%lld}", phone));
	assert_int_equal(id_of(body, "placement.stage_id"), phone);
	assert_int_equal(id_of(placement_of(sandbox, candidate, 0), "stage_id"), phone);
	struct json activities = look(good(sandbox, at("/tracking/candidates/%lld/activities", candidate)),
				      "activities");
	assert_string_equal(text_of(activities, "0.message_html"),
			    "<b>Mover</b>: admin changed candidate stage from <b>Applied</b> to "
			    "<b>Phone interview</b>");
	assert_int_equal(id_of(look(good(sandbox, at("/tracking/offers/%lld/activities", job)),
				    "activities"), "0.id"), id_of(activities, "0.id"));
	/* As query parameters too. */
	assert_true(is_null(placement_of(sandbox, candidate, 0), "hired_at"));
	(void)done(sandbox, HTTP_PATCH,
		   at("/placements/%lld/change_stage?stage_id=%lld", placement, hire), 200, "");
	struct json read = placement_of(sandbox, candidate, 0);
	assert_int_equal(id_of(read, "stage_id"), hire);
	assert_false(is_null(read, "hired_at"));
	assert_int_equal(id_of(read, "hired_by_id"), id_of(good(sandbox, "/admin"), "admin.id"));
	assert_true(look(good(sandbox, at("/candidates/%lld", candidate)), "candidate.is_hired").boolean);
	/* And nested, on the other path; away from there nobody is hired. */
	(void)done(sandbox, HTTP_PATCH, at("/placements/%lld", placement), 200,
		   at("{\"placement\":{\"stage_id\":%lld,\"job_starts_at\":\"2026-12-01T00:00:00Z\"}}",
		      phone));
	assert_true(is_null(placement_of(sandbox, candidate, 0), "hired_at"));
	assert_string_equal(text_of(placement_of(sandbox, candidate, 0), "job_starts_at"),
			    "2026-12-01T00:00:00Z");
	assert_body(write_to(sandbox, HTTP_PATCH, at("/placements/%lld/change_stage", placement), "{}"),
		    422, "{\"error\":[\"Stage id can't be blank\"],\"error_fields\":{\"stage_id\":"
			 "[\"can't be blank\"]}}");
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("/placements/%lld/change_stage", placement),
				  "{\"stage_id\":1}").status, 422);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, "/placements/1/change_stage", "{}").status, 404);
	sandbox_destroy(sandbox);
}

static void test_disqualified_and_requalified(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Out"), job = some_offer(sandbox, "job", 0);
	long long placement = place(sandbox, candidate, job),
		  phone = stage_of(sandbox, job, "phone_screen");
	struct json reasons = look(good(sandbox, "/disqualify_reasons"), "disqualify_reasons");
	const char *why = text_of(reasons, "1.name");
	(void)state;

	(void)done(sandbox, HTTP_PATCH, at("/placements/%lld/disqualify", placement), 200,
		   at("{\"disqualify_reason_id\":%lld}", (long long)id_of(reasons, "1.id")));
	struct json read = placement_of(sandbox, candidate, 0);
	assert_string_equal(text_of(read, "disqualify_reason"), why);
	assert_string_equal(text_of(read, "disqualify_kind"), "admin");
	assert_true(has_key(read, "disqualified_at"));
	assert_int_equal(id_of(read, "stage_id"), stage_of(sandbox, job, "apply"));
	struct json ids = look(good(sandbox, "/candidates?disqualified=true&limit=1"), "candidates");
	assert_int_equal(id_of(ids, "0.id"), candidate);
	assert_string_equal(last_event(sandbox, candidate), "admin_disqualified_candidate");
	(void)done(sandbox, HTTP_PATCH, at("/placements/%lld/requalify", placement), 200, "");
	assert_false(has_key(placement_of(sandbox, candidate, 0), "disqualify_reason"));
	/* A move requalifies as well. */
	(void)done(sandbox, HTTP_PATCH, at("/placements/%lld/disqualify", placement), 200, "{}");
	assert_true(is_null(placement_of(sandbox, candidate, 0), "disqualify_reason"));
	(void)done(sandbox, HTTP_PATCH, at("/placements/%lld/change_stage", placement), 200,
		   at("{\"stage_id\":%lld}", phone));
	assert_false(has_key(placement_of(sandbox, candidate, 0), "disqualify_reason"));
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("/placements/%lld/disqualify", placement),
				  "{\"disqualify_reason_id\":999}").status, 422);
	(void)done(sandbox, HTTP_DELETE, at("/placements/%lld", placement), 200, "");
	assert_int_equal(look(good(sandbox, at("/candidates/%lld", candidate)),
			      "candidate.placements").count, 0);
	assert_int_equal(get(sandbox, at("/offers/%lld/candidates/%lld/placement", job, candidate)).status,
			 404);
	sandbox_destroy(sandbox);
}

/* --- notes ---------------------------------------------------------------------------------- */

static void test_notes_of_candidates(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Noted");
	const char *list = at("/candidates/%lld/notes", candidate);
	(void)state;

	struct json body = done(sandbox, HTTP_POST, list, 201,
				"{\"note\":{\"body\":\"<p>Good & <b>calm</b></p>\",\"visibility\":"
				"{\"level\":\"private\"}}}");
	long long note = id_of(body, "note.id");
	struct json read = look(good(sandbox, list), "notes.0");
	assert_int_equal(id_of(read, "id"), note);
	assert_string_equal(text_of(read, "text"), "Good & calm");
	assert_string_equal(text_of(read, "body_html"), "<p>Good & <b>calm</b></p>");
	assert_string_equal(shown(read, "visibility"),
			    "{\"level\":\"private\",\"admin_ids\":[],\"role_ids\":[]}");
	assert_int_equal(id_of(good(sandbox, at("/candidates/%lld", candidate)),
			       "candidate.notes_count"), 1);
	(void)done(sandbox, HTTP_POST, list, 201,
		   at("{\"note\":{\"body\":\"I agree\",\"reply_to_id\":%lld}}", note));
	assert_string_equal(text_of(good(sandbox, list), "notes.0.replies.0.text"), "I agree");
	assert_int_equal(look(good(sandbox, list), "notes").count, 1);
	(void)done(sandbox, HTTP_PATCH, at("/notes/%lld", note), 200, "{\"note\":{\"body\":\"Other\"}}");
	assert_string_equal(text_of(good(sandbox, list), "notes.0.body"), "Other");
	assert_string_equal(text_of(good(sandbox, list), "notes.0.visibility.level"), "private");
	(void)done(sandbox, HTTP_PATCH, at("/notes/%lld/pin", note), 200, "");
	assert_false(is_null(look(good(sandbox, list), "notes.0"), "pinned_at"));
	(void)done(sandbox, HTTP_PATCH, at("/notes/%lld/unpin", note), 200, "");
	assert_true(is_null(look(good(sandbox, list), "notes.0"), "pinned_at"));
	(void)done(sandbox, HTTP_DELETE, at("/notes/%lld", note), 200, "");
	assert_int_equal(look(good(sandbox, list), "notes").count, 0);
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("/notes/%lld", note), "").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_POST, list, "{\"note\":{\"body\":\" \"}}").status, 422);
	(void)done(sandbox, HTTP_POST, list, 201,
		   "{\"note\":{\"body_json\":{\"doc\":{\"type\":\"doc\",\"content\":[{\"type\":\"paragraph\","
		   "\"content\":[{\"type\":\"text\",\"text\":\"From JSON\"}]}]}}}}");
	assert_string_equal(text_of(good(sandbox, list), "notes.0.text"), "From JSON");
	sandbox_destroy(sandbox);
}

static void test_notes_of_all_else(void **state)
{
	struct sandbox_options options = make_options();
	(void)state;

	options.candidates = 200;
	struct sandbox *sandbox = create(&options);
	const char *lists[] = {at("/offers/%lld/notes", (long long)some_offer(sandbox, "job", 0)),
			       at("/talent_pools/%lld/notes",
				  (long long)some_offer(sandbox, "talent_pool", 0)),
			       at("/requisitions/%lld/notes",
				  (long long)id_of(good(sandbox, "/requisitions"), "requisitions.0.id"))};
	const char *keys[] = {"offer_id", "talent_pool_id", "requisition_id"};
	for (size_t i = 0; i < 3; i++) {
		uint32_t before = look(good(sandbox, lists[i]), "notes").count;
		long long note = id_of(done(sandbox, HTTP_POST, lists[i], 201,
					    "{\"note\":{\"body\":\"Here\"}}"), "note.id");
		struct json read = look(good(sandbox, lists[i]), "notes");
		assert_int_equal(read.count, before + 1);
		assert_string_equal(text_of(read, "0.body"), "Here");
		for (size_t k = 0; k < 3; k++)
			assert_true(is_null(read.items[0], keys[k]) == (k != i));
		(void)done(sandbox, HTTP_POST, lists[i], 201,
			   at("{\"note\":{\"body\":\"So be it\",\"reply_to_id\":%lld}}", note));
		read = look(good(sandbox, lists[i]), "notes");
		assert_int_equal(read.count, before + 1);
		assert_string_equal(text_of(read, "0.replies.0.body"), "So be it");
		(void)done(sandbox, HTTP_PATCH, at("/notes/%lld/pin", note), 200, "");
		assert_false(is_null(look(good(sandbox, lists[i]), "notes.0"), "pinned_at"));
		(void)done(sandbox, HTTP_DELETE, at("/notes/%lld", note), 200, "");
		assert_int_equal(look(good(sandbox, lists[i]), "notes").count, before);
	}
	sandbox_destroy(sandbox);
}

/* --- profile fields ------------------------------------------------------------------------- */

static struct json field_of(struct sandbox *sandbox, long long candidate, const char *name)
{
	struct json fields = look(good(sandbox, at("/candidates/%lld", candidate)),
				  "candidate.fields");

	for (uint32_t i = 0; i < fields.count; i++)
		if (str_equal_c(json_get_str(fields.items[i], "name"), name) ||
		    str_equal_c(json_get_str(fields.items[i], "kind"), name))
			return fields.items[i];
	return json_undefined();
}

static void test_profile_fields(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Fields");
	const char *list = at("/custom_fields/candidates/%lld/fields", candidate);
	(void)state;

	/* One that was empty is filled … */
	uint32_t count = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate.fields").count;
	assert_true(is_null(field_of(sandbox, candidate, "Set-up"), "id"));
	struct json body = done(sandbox, HTTP_POST, list, 201,
				"{\"field\":{\"name\":\"Set-up\",\"kind\":\"dropdown\",\"values\":"
				"[{\"value\":\"Mac\"}]}}");
	struct json read = field_of(sandbox, candidate, "Set-up");
	assert_true(json_equal(json_get_c(body, "field"), read));
	assert_string_equal(shown(read, "values"), "[{\"value\":\"Mac\"}]");
	assert_string_equal(shown(read, "options"), "{\"values\":[\"PC\",\"Mac\"]}");
	(void)done(sandbox, HTTP_POST, list, 201,
		   "{\"field\":{\"kind\":\"skills\",\"values\":[{\"text\":\"Raku\"},{\"text\":\"Go\"}]}}");
	assert_int_equal(id_of(good(sandbox, "/search/new/candidates?filters_json="
					     "[{\"filter\":\"skills\",\"text\":{\"in\":[\"Go\"]}}]"),
			       "hits.0.id"), candidate);
	/* … and another is added. */
	body = done(sandbox, HTTP_POST, list, 201,
		    "{\"field\":{\"name\":\"Height\",\"kind\":\"number\",\"values\":[{\"number\":180}]}}");
	long long field = id_of(body, "field.id");
	assert_int_equal(look(good(sandbox, at("/candidates/%lld", candidate)), "candidate.fields").count,
			 count + 1);
	(void)done(sandbox, HTTP_PATCH, at("%s/%lld", list, field), 200,
		   "{\"field\":{\"values\":[{\"number\":181}]}}");
	assert_string_equal(shown(field_of(sandbox, candidate, "Height"), "values"), "[{\"number\":181}]");
	(void)done(sandbox, HTTP_PATCH, at("/custom_fields/candidates/fields/%lld", field), 200,
		   "{\"field\":{\"values\":[{\"number\":182}]}}");
	assert_string_equal(shown(field_of(sandbox, candidate, "Height"), "values"), "[{\"number\":182}]");
	(void)done(sandbox, HTTP_DELETE, at("%s/%lld", list, field), 200, "");
	assert_true(json_is(field_of(sandbox, candidate, "Height"), JSON_UNDEFINED));
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("%s/%lld", list, field), "").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("%s/1", list), "{}").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_POST, list, "{\"field\":{}}").status, 422);
	sandbox_destroy(sandbox);
}

static void test_profile_fields_that_were_there(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json list = look(good(sandbox, "/candidates?limit=60"), "candidates");
	(void)state;

	for (uint32_t i = 0; i < list.count; i++) {
		long long candidate = id_of(list.items[i], "id");
		struct json field = field_of(sandbox, candidate, "skills");
		if (is_null(field, "id"))
			continue;
		long long id = id_of(field, "id");
		(void)done(sandbox, HTTP_PATCH, at("/custom_fields/candidates/fields/%lld", id), 200,
			   "{\"field\":{\"values\":[{\"text\":\"Alone\"}]}}");
		field = field_of(sandbox, candidate, "skills");
		assert_string_equal(shown(field, "values"), "[{\"text\":\"Alone\"}]");
		assert_int_equal(id_of(field, "id"), id);
		(void)done(sandbox, HTTP_DELETE,
			   at("/custom_fields/candidates/%lld/fields/%lld", candidate, id), 200, "");
		field = field_of(sandbox, candidate, "skills");
		assert_string_equal(shown(field, "values"), "[]");
		assert_true(is_null(field, "id"));
		break;
	}
	sandbox_destroy(sandbox);
}

/* --- offers and pools ----------------------------------------------------------------------- */

static void test_offers(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json departments = look(good(sandbox, "/departments"), "departments"),
		    locations = look(good(sandbox, "/locations"), "locations");
	long long department = id_of(departments, "1.id"), location = id_of(locations, "2.id");
	(void)state;

	struct json body = done(
		sandbox, HTTP_POST, "/offers", 201,
		at("{\"offer\":{\"title\":\"Stoker\",\"description\":\"<p>Fire</p>\",\"requirements\":"
		   "\"<p>Warm</p>\",\"location_ids\":[%lld],\"department_id\":%lld,\"remote\":true,"
		   "\"salary\":{\"min\":\"1\",\"max\":\"2\",\"currency\":\"EUR\",\"period\":\"year\"}}}",
		   location, department));
	long long id = id_of(body, "offer.id");
	struct json read = look(good(sandbox, at("/offers/%lld", id)), "offer");
	assert_string_equal(text_of(read, "status"), "draft");
	assert_true(is_null(read, "published_at"));
	assert_string_equal(text_of(read, "description"), "<p>Fire</p>");
	assert_string_equal(text_of(read, "department"), text_of(departments, "1.name"));
	assert_string_equal(shown(read, "location_ids"), at("[%lld]", location));
	assert_string_equal(text_of(read, "city"), text_of(locations, "2.city"));
	assert_true(look(read, "remote").boolean);
	assert_string_equal(text_of(read, "salary.currency"), "EUR");
	assert_string_equal(text_of(read, "slug"), "stoker");
	assert_true(look(read, "pipeline_template.stages").count > 3);
	(void)done(sandbox, HTTP_PATCH, at("/offers/%lld", id), 200,
		   "{\"offer\":{\"title\":\"Head stoker\",\"department\":\"Kilns\",\"remote\":false}}");
	read = look(good(sandbox, at("/offers/%lld", id)), "offer");
	assert_string_equal(text_of(read, "title"), "Head stoker");
	assert_string_equal(text_of(read, "department"), "Kilns");
	assert_false(look(read, "remote").boolean);
	assert_string_equal(text_of(read, "requirements"), "<p>Warm</p>");
	/* Whoever is on it is shown with the new title. */
	long long candidate = make_candidate(sandbox, "Warm");
	(void)place(sandbox, candidate, id);
	struct json references = look(good(sandbox, at("/candidates/%lld", candidate)), "references");
	assert_string_equal(text_of(find_id(references, id), "title"), "Head stoker");
	(void)done(sandbox, HTTP_PATCH, at("/offers/%lld", id), 200, "{\"offer\":{\"title\":\"Once more\"}}");
	references = look(good(sandbox, at("/candidates/%lld", candidate)), "references");
	assert_string_equal(text_of(find_id(references, id), "title"), "Once more");
	(void)done(sandbox, HTTP_DELETE, at("/offers/%lld", id), 200, "");
	assert_int_equal(get(sandbox, at("/offers/%lld", id)).status, 404);
	assert_int_equal(look(good(sandbox, at("/candidates/%lld", candidate)),
			      "candidate.placements").count, 0);
	sandbox_destroy(sandbox);
}

static void test_offers_that_cannot_be_and_the_older_form(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	size_t count = count_of(sandbox, "offers");
	(void)state;

	assert_body(write_to(sandbox, HTTP_POST, "/offers", "{\"offer\":{}}"), 422,
		    "{\"error\":[\"Title can't be blank\",\"Description can't be blank\","
		    "\"Requirements can't be blank\",\"Location ids can't be blank\"],\"error_fields\":"
		    "{\"title\":[\"can't be blank\"],\"description\":[\"can't be blank\"],"
		    "\"requirements\":[\"can't be blank\"],\"location_ids\":[\"can't be blank\"]}}");
	assert_int_equal(count_of(sandbox, "offers"), count);
	struct json body = done(sandbox, HTTP_POST, "/offers", 201,
				"{\"offer\":{\"title\":\"A\",\"description\":\"B\",\"requirements\":\"C\","
				"\"city\":\"Breda\",\"country_code\":\"NL\"}}");
	struct json read = look(good(sandbox, at("/offers/%lld", (long long)id_of(body, "offer.id"))),
				"offer");
	assert_string_equal(text_of(read, "city"), "Breda");
	assert_string_equal(text_of(read, "country_code"), "NL");
	sandbox_destroy(sandbox);
}

static void test_the_states_of_an_offer(void **state)
{
	static const char *const steps[][2] = {
		{"publish", "published"}, {"unpublish", "internal"}, {"close", "closed"},
		{"archive", "archived"}, {"unarchive", "draft"}, {"publish", "published"},
		{"draft", "draft"}};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long id = some_offer(sandbox, "job", 2);
	(void)state;

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		(void)done(sandbox, HTTP_PATCH, at("/offers/%lld/%s", id, steps[i][0]), 200, "");
		struct json read = look(good(sandbox, at("/offers/%lld", id)), "offer");
		assert_string_equal(text_of(read, "status"), steps[i][1]);
		if (i == 0)
			assert_false(is_null(read, "published_at"));
		if (i == 2)
			assert_false(is_null(read, "closed_at"));
	}
	struct json activities = look(good(sandbox, at("/tracking/offers/%lld/activities", id)), "activities");
	assert_string_equal(text_of(activities, "0.event"), "admin_changed_offer_status");
	assert_true(is_null(activities.items[0], "candidate"));
	assert_int_equal(write_to(sandbox, HTTP_PATCH, "/offers/1/publish", "").status, 404);
	struct json copy = done(sandbox, HTTP_PATCH, at("/offers/%lld/duplicate", id), 200, "");
	assert_true(id_of(copy, "offer.id") != id);
	assert_string_equal(text_of(copy, "offer.title"),
			    at("Copy of %s", text_of(good(sandbox, at("/offers/%lld", id)), "offer.title")));
	(void)done(sandbox, HTTP_POST, at("/offers/%lld/offer_tags", id), 201,
		   "{\"tags\":[\"night\",\"loud\"]}");
	struct json tags = look(good(sandbox, at("/offers/%lld", id)), "offer.offer_tags");
	assert_true(list_has(tags, "night") && list_has(tags, "loud"));
	(void)done(sandbox, HTTP_DELETE, at("/offers/%lld/offer_tags", id), 200, "{\"tags\":[\"night\"]}");
	(void)done(sandbox, HTTP_DELETE, at("/offers/%lld/offer_tags?tags[]=loud", id), 200, "");
	tags = look(good(sandbox, at("/offers/%lld", id)), "offer.offer_tags");
	assert_false(list_has(tags, "night") || list_has(tags, "loud"));
	sandbox_destroy(sandbox);
}

static void test_talent_pools(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	long long id = id_of(done(sandbox, HTTP_POST, "/talent_pools", 201,
				  "{\"talent_pool\":{\"title\":\"Later\",\"description\":\"<p>x</p>\"}}"),
			     "talent_pool.id");
	struct json read = look(good(sandbox, at("/talent_pools/%lld", id)), "talent_pool");
	assert_string_equal(text_of(read, "title"), "Later");
	assert_string_equal(text_of(read, "description"), "<p>x</p>");
	assert_false(json_is(find_id(look(good(sandbox, "/talent_pools"), "talent_pools"), id),
			     JSON_UNDEFINED));
	long long candidate = id_of(done(sandbox, HTTP_POST, "/candidates", 201,
					 at("{\"candidate\":{\"name\":\"P\"},\"offers\":[%lld]}", id)),
				    "candidate.id");
	assert_int_equal(id_of(placement_of(sandbox, candidate, 0), "talent_pool_id"), id);
	(void)done(sandbox, HTTP_PATCH, at("/talent_pools/%lld", id), 200,
		   "{\"talent_pool\":{\"title\":\"Much later\"}}");
	assert_string_equal(text_of(good(sandbox, at("/talent_pools/%lld", id)), "talent_pool.title"),
			    "Much later");
	(void)done(sandbox, HTTP_DELETE, at("/talent_pools/%lld", id), 200, "");
	assert_int_equal(get(sandbox, at("/talent_pools/%lld", id)).status, 404);
	long long job = some_offer(sandbox, "job", 0);
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("/talent_pools/%lld", job), "").status, 404);
	assert_int_equal(write_to(sandbox, HTTP_POST, "/talent_pools", "{\"talent_pool\":{}}").status, 422);
	sandbox_destroy(sandbox);
}

static void test_pipelines(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	long long template = id_of(done(sandbox, HTTP_POST, "/pipeline_templates", 201,
					"{\"pipeline_template\":{\"title\":\"Short way\"}}"),
				   "pipeline_template.id");
	const char *path = at("/pipeline_templates/%lld", template);
	assert_int_equal(look(good(sandbox, path), "pipeline_template.stages").count, 4);
	long long stage = id_of(done(sandbox, HTTP_POST, at("%s/stages", path), 201,
				     "{\"stage\":{\"name\":\"Trial day\",\"category\":\"interview\"}}"),
				"stage.id");
	struct json read = find_id(look(good(sandbox, path), "pipeline_template.stages"), stage);
	assert_string_equal(text_of(read, "category"), "interview");
	(void)done(sandbox, HTTP_PATCH, at("%s/stages/%lld", path, stage), 200,
		   "{\"stage\":{\"name\":\"Two trial days\"}}");
	read = find_id(look(good(sandbox, path), "pipeline_template.stages"), stage);
	assert_string_equal(text_of(read, "name"), "Two trial days");
	(void)done(sandbox, HTTP_PATCH, path, 200, "{\"pipeline_template\":{\"title\":\"Shorter\"}}");
	assert_string_equal(text_of(good(sandbox, path), "pipeline_template.title"), "Shorter");
	/* Somebody stands on the stage when it goes. */
	long long offer = some_offer(sandbox, "job", 0), candidate = make_candidate(sandbox, "Staged");
	long long used = id_of(good(sandbox, at("/offers/%lld", offer)), "offer.pipeline_template_id"),
		  from = stage_of(sandbox, offer, "evaluation"), to = stage_of(sandbox, offer, "interview");
	(void)done(sandbox, HTTP_POST, "/placements", 201,
		   at("{\"candidate_id\":%lld,\"offer_id\":%lld,\"stage_id\":%lld}", candidate, offer, from));
	(void)done(sandbox, HTTP_PATCH,
		   at("/pipeline_templates/%lld/stages/delete_and_move_placements/%lld", used, from), 200,
		   at("{\"destination_stage_id\":%lld}", to));
	assert_int_equal(id_of(placement_of(sandbox, candidate, 0), "stage_id"), to);
	assert_int_equal(write_to(sandbox, HTTP_DELETE, at("/pipeline_templates/%lld", used), "").status, 422);
	(void)done(sandbox, HTTP_DELETE, path, 200, "");
	assert_int_equal(get(sandbox, path).status, 404);
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("/pipeline_templates/%lld/stages/1", used),
				  "{}").status, 404);
	sandbox_destroy(sandbox);
}

/* --- the company ---------------------------------------------------------------------------- */

static void test_things_with_a_name(void **state)
{
	static const struct {
		const char *list, *envelope, *one, *body, *change;
	} cases[] = {
		{"/departments", "departments", "department", "{\"department\":{\"name\":\"New\"}}", NULL},
		{"/disqualify_reasons", "disqualify_reasons", "disqualify_reason",
		 "{\"disqualify_reason\":{\"name\":\"New\"}}", "{\"disqualify_reason\":{\"name\":\"Newer\"}}"},
		{"/roles", "roles", "role", "{\"role\":{\"name\":\"New\",\"abilities\":[\"view_candidates\"]}}",
		 "{\"role\":{\"name\":\"Newer\"}}"},
		{"/interview/templates", "templates", "template", "{\"template\":{\"name\":\"New\"}}",
		 "{\"template\":{\"name\":\"Newer\"}}"},
	};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *list = cases[i].list, *envelope = cases[i].envelope;
		uint32_t count = look(good(sandbox, list), envelope).count;
		long long id = id_of(done(sandbox, HTTP_POST, list, 201, cases[i].body),
				     at("%s.id", cases[i].one));
		struct json read = find_id(look(good(sandbox, list), envelope), id);
		assert_string_equal(text_of(read, "name"), "New");
		if (cases[i].change != NULL) {
			(void)done(sandbox, HTTP_PATCH, at("%s/%lld", list, id), 200, cases[i].change);
			read = find_id(look(good(sandbox, list), envelope), id);
			assert_string_equal(text_of(read, "name"), "Newer");
		}
		assert_int_equal(write_to(sandbox, HTTP_POST, list, "{}").status, 422);
		(void)done(sandbox, HTTP_DELETE, at("%s/%lld", list, id), 200, "");
		assert_int_equal(look(good(sandbox, list), envelope).count, count);
		assert_int_equal(write_to(sandbox, HTTP_DELETE, at("%s/%lld", list, id), "").status, 404);
	}
	assert_body(write_to(sandbox, HTTP_POST, "/roles", "{\"role\":{\"name\":\"x\"}}"), 422,
		    "{\"error\":[\"Abilities can't be blank\"],\"error_fields\":{\"abilities\":"
		    "[\"can't be blank\"]}}");
	sandbox_destroy(sandbox);
}

static void test_a_department_that_goes_leaves_its_offers(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	struct json offers = look(good(sandbox, "/offers"), "offers");
	(void)state;

	for (uint32_t i = 0; i < offers.count; i++) {
		if (is_null(offers.items[i], "department_id"))
			continue;
		long long id = id_of(offers.items[i], "id");
		(void)done(sandbox, HTTP_DELETE,
			   at("/departments/%lld", (long long)id_of(offers.items[i], "department_id")),
			   200, "");
		struct json read = look(good(sandbox, at("/offers/%lld", id)), "offer");
		assert_true(is_null(read, "department_id") && is_null(read, "department"));
		break;
	}
	sandbox_destroy(sandbox);
}

/* --- interviews ----------------------------------------------------------------------------- */

static void test_interviews(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Met"),
		  admin = id_of(good(sandbox, "/admins"), "admins.1.id");
	(void)state;

	struct json body = done(
		sandbox, HTTP_POST, at("/interview/candidates/%lld/events", candidate), 201,
		at("{\"interview_event\":{\"kind\":\"phone\",\"starts_at\":\"2027-01-05T10:00:00Z\","
		   "\"duration\":45,\"timezone\":\"Europe/Berlin\",\"admin_ids\":[%lld],\"note\":\"Call\"}}",
		   admin));
	long long id = id_of(body, "interview_event.id");
	struct json read = look(good(sandbox, at("/interview/events/%lld", id)), "interview_event");
	assert_string_equal(text_of(read, "starts_at"), "2027-01-05T10:00:00.000000Z");
	assert_string_equal(shown(read, "admin_ids"), at("[%lld]", admin));
	assert_false(look(read, "scheduled").boolean);
	struct json events = look(good(sandbox, at("/interview/events?candidate_id=%lld", candidate)),
				  "interview_events");
	assert_int_equal(events.count, 1);
	assert_true(look(good(sandbox, at("/candidates/%lld", candidate)),
			 "candidate.upcoming_event").boolean);
	(void)done(sandbox, HTTP_POST, at("/interview/events/%lld/schedule", id), 200, "");
	(void)done(sandbox, HTTP_PATCH, at("/interview/events/%lld", id), 200,
		   "{\"interview_event\":{\"starts_at\":\"2027-01-06T10:00:00+01:00\",\"duration\":30}}");
	read = look(good(sandbox, at("/interview/events/%lld", id)), "interview_event");
	assert_true(look(read, "scheduled").boolean && look(read, "rescheduled").boolean);
	assert_string_equal(text_of(read, "starts_at"), "2027-01-06T09:00:00.000000Z");
	assert_int_equal(id_of(read, "duration"), 30);
	assert_string_equal(text_of(read, "note"), "Call");
	(void)done(sandbox, HTTP_DELETE, at("/interview/events/%lld", id), 200, "");
	assert_int_equal(get(sandbox, at("/interview/events/%lld", id)).status, 404);
	const char *list = at("/interview/candidates/%lld/events", candidate);
	assert_int_equal(write_to(sandbox, HTTP_POST, list, "{}").status, 422);
	assert_int_equal(write_to(sandbox, HTTP_POST, list,
				  "{\"interview_event\":{\"starts_at\":\"soon\"}}").status, 422);
	sandbox_destroy(sandbox);
}

static void test_evaluations(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Judged"), job = some_offer(sandbox, "job", 0),
		  stage = stage_of(sandbox, job, "interview");
	const char *list = at("/interview/candidates/%lld/results", candidate);
	(void)state;

	long long id = id_of(done(sandbox, HTTP_POST, list, 201,
				  at("{\"interview_result\":{\"kind\":\"rating\",\"offer_id\":%lld,\"stage_id\":"
				     "%lld,\"rating\":\"yes\",\"rating_note\":\"Calm\"}}", job, stage)),
			     "interview_result.id");
	struct json read = look(good(sandbox, at("/interview/results?candidate_id=%lld", candidate)),
				"interview_results.0");
	assert_int_equal(id_of(read, "id"), id);
	assert_string_equal(text_of(read, "rating_note"), "Calm");
	struct json person = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate");
	assert_string_equal(shown(person, "ratings"), "{\"yes\":1}");
	assert_int_equal(id_of(person, "positive_ratings"), 75);
	(void)done(sandbox, HTTP_PATCH, at("/interview/results/%lld", id), 200,
		   "{\"interview_result\":{\"rating\":\"strong_yes\"}}");
	person = look(good(sandbox, at("/candidates/%lld", candidate)), "candidate");
	assert_int_equal(id_of(person, "positive_ratings"), 100);
	assert_body(write_to(sandbox, HTTP_POST, list, "{\"interview_result\":{\"rating\":\"yes\"}}"), 422,
		    "{\"error\":[\"Stage id can't be blank\"],\"error_fields\":{\"stage_id\":"
		    "[\"can't be blank\"]}}");
	assert_int_equal(write_to(sandbox, HTTP_POST, list,
				  at("{\"interview_result\":{\"rating\":\"so so\",\"stage_id\":%lld}}",
				     stage)).status, 422);
	assert_int_equal(get(sandbox, list).status, 404);
	(void)done(sandbox, HTTP_DELETE, at("/interview/results/%lld", id), 200, "");
	assert_int_equal(id_of(good(sandbox, at("/candidates/%lld", candidate)),
			       "candidate.ratings_count"), 0);
	(void)done(sandbox, HTTP_POST, at("/interview/candidates/%lld/result_requests", candidate), 201, "{}");
	assert_true(look(good(sandbox, at("/candidates/%lld", candidate)),
			 "candidate.pending_result_request").boolean);
	sandbox_destroy(sandbox);
}

/* --- tasks, requisitions, mails ------------------------------------------------------------- */

static void test_tasks(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Busy"),
		  admin = id_of(good(sandbox, "/admins"), "admins.1.id");
	(void)state;

	long long id = id_of(done(sandbox, HTTP_POST, "/tasks", 201,
				  at("{\"task\":{\"title\":\"Call\",\"candidate_id\":%lld,\"due_date\":"
				     "\"2027-01-01T09:00:00Z\",\"timezone\":\"UTC\",\"admin_ids\":[%lld]}}",
				     candidate, admin)), "task.id");
	struct json read = look(good(sandbox, at("/candidates/%lld/tasks", candidate)), "tasks.0");
	assert_string_equal(text_of(read, "title"), "Call");
	assert_string_equal(shown(read, "admin_ids"), at("[%lld]", admin));
	assert_int_equal(id_of(good(sandbox, at("/candidates/%lld", candidate)), "candidate.tasks_count"), 1);
	(void)done(sandbox, HTTP_PATCH, at("/tasks/%lld", id), 200, "{\"task\":{\"completed\":true}}");
	read = find_id(look(good(sandbox, "/tasks?status=completed"), "tasks"), id);
	assert_false(is_null(read, "completed_at"));
	(void)done(sandbox, HTTP_DELETE, at("/tasks/%lld", id), 200, "");
	assert_int_equal(look(good(sandbox, at("/candidates/%lld/tasks", candidate)), "tasks").count, 0);
	/* One that belongs to nobody. */
	struct json body = done(sandbox, HTTP_POST, "/tasks", 201, "{\"task\":{\"title\":\"Tidy up\"}}");
	read = find_id(look(good(sandbox, "/tasks"), "tasks"), id_of(body, "task.id"));
	assert_true(is_null(read, "candidate_id"));
	assert_body(write_to(sandbox, HTTP_POST, "/tasks",
			     "{\"task\":{\"title\":\"x\",\"due_date\":\"2027-01-01T09:00:00Z\"}}"), 422,
		    "{\"error\":[\"Timezone can't be blank\"],\"error_fields\":{\"timezone\":"
		    "[\"can't be blank\"]}}");
	sandbox_destroy(sandbox);
}

static void test_requisitions(void **state)
{
	static const char *const steps[][2] = {{"approve", "approved"}, {"reject", "rejected"},
					       {"archive", "archived"}, {"cancel", "canceled"},
					       {"retrieve", "draft"}};
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	(void)state;

	long long id = id_of(done(sandbox, HTTP_POST, "/requisitions", 201,
				  "{\"requisition\":{\"title\":\"Two stokers\",\"number_of_openings\":2}}"),
			     "requisition.id");
	const char *path = at("/requisitions/%lld", id);
	assert_string_equal(text_of(good(sandbox, path), "requisition.status"), "pending");
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		(void)done(sandbox, HTTP_PATCH, at("%s/%s", path, steps[i][0]), 200, "");
		assert_string_equal(text_of(good(sandbox, path), "requisition.status"), steps[i][1]);
	}
	assert_int_equal(write_to(sandbox, HTTP_PATCH, at("%s/praise", path), "").status, 404);
	(void)done(sandbox, HTTP_PATCH, path, 200, "{\"requisition\":{\"number_of_openings\":3}}");
	assert_int_equal(id_of(good(sandbox, path), "requisition.number_of_openings"), 3);
	/* A job can be made of one. */
	struct json body = done(sandbox, HTTP_POST, "/offers", 201, at("{\"requisition_id\":%lld}", id));
	assert_string_equal(text_of(body, "offer.title"), "Two stokers");
	assert_int_equal(id_of(good(sandbox, path), "requisition.offer_id"), id_of(body, "offer.id"));
	(void)done(sandbox, HTTP_DELETE, path, 200, "");
	assert_int_equal(get(sandbox, path).status, 404);
	assert_int_equal(write_to(sandbox, HTTP_POST, "/requisitions", "{}").status, 422);
	sandbox_destroy(sandbox);
}

static void test_mails(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long candidate = make_candidate(sandbox, "Written to");
	(void)state;

	(void)done(sandbox, HTTP_POST, "/mailbox/send", 200,
		   at("{\"to\":[{\"candidate_id\":%lld,\"candidate_email\":\"a@b.example\"}],\"cc\":[],"
		      "\"subject\":\"Hello\",\"body_html\":\"<p>Come</p>\"}", candidate));
	struct json threads = look(good(sandbox, at("/mailbox/candidate/%lld", candidate)), "threads");
	assert_int_equal(threads.count, 1);
	assert_string_equal(text_of(threads, "0.subject"), "Hello");
	assert_string_equal(text_of(threads, "0.messages.0.to.0.email"), "a@b.example");
	assert_string_equal(text_of(threads, "0.messages.0.safe_stripped_html"), "<p>Come</p>");
	assert_false(is_null(look(good(sandbox, at("/candidates/%lld", candidate)), "candidate"),
			     "last_message_at"));
	assert_int_equal(write_to(sandbox, HTTP_POST, "/mailbox/send",
				  "{\"to\":[{\"candidate_id\":1}],\"subject\":\"x\"}").status, 422);
	sandbox_destroy(sandbox);
}

/* --- what tests can ask --------------------------------------------------------------------- */

static void test_the_truth_about_writes(void **state)
{
	struct sandbox_options options = make_options();
	struct sandbox *sandbox = create(&options);
	long long one = make_candidate(sandbox, "One"), two = make_candidate(sandbox, "Two");
	(void)state;

	(void)done(sandbox, HTTP_DELETE, at("/candidates/%lld", one), 200, "");
	assert_int_equal(write_to(sandbox, HTTP_POST, "/candidates", "{}").status, 422);
	struct json counts = call(sandbox, HTTP_GET, "/sandbox/counts", NULL, NULL).json;
	assert_string_equal(shown(counts, "writes"),
			    "{\"POST /candidates\":2,\"DELETE /candidates/{id}\":1}");
	assert_string_equal(shown(counts, "calls"),
			    "{\"POST /candidates\":3,\"DELETE /candidates/{id}\":1}");
	struct json records = call(sandbox, HTTP_GET,
				   "/sandbox/records?collection=candidates&created=true&fields=id,name",
				   NULL, NULL).json;
	assert_string_equal(shown(records, "records"), at("[{\"id\":%lld,\"name\":\"Two\"}]", two));
	struct reply reply = call(sandbox, HTTP_GET,
				  at("/sandbox/record?collection=candidates&id=%lld&fields=name", one), NULL,
				  NULL);
	assert_body(reply, 200, "{\"record\":{\"name\":\"One\"},\"deleted\":true}");
	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/record?collection=candidates&id=1", NULL,
			      NULL).status, 404);
	assert_int_equal(call(sandbox, HTTP_GET, "/sandbox/records?collection=x", NULL, NULL).status, 404);
	sandbox_destroy(sandbox);
}

static void test_all_shapes_take_writes(void **state)
{
	static const char *const shapes[] = {"new", "slim", "old"};
	(void)state;

	for (size_t i = 0; i < 3; i++) {
		struct sandbox_options options = make_options();
		options.shape = str_from_c(shapes[i]);
		struct sandbox *sandbox = create(&options);
		struct json offers = look(good(sandbox, "/offers?view_mode=brief"), "offers");
		struct json body = done(sandbox, HTTP_POST, "/candidates", 201,
					at("{\"candidate\":{\"name\":\"A\"},\"offers\":[%lld]}",
					   (long long)id_of(offers, "0.id")));
		long long candidate = id_of(body, "candidate.id"),
			  placement = id_of(body, "candidate.placements.0.id");
		assert_true(has_key(look(body, "candidate.placements.0"), "talent_pool_id") == (i != 2));
		(void)done(sandbox, HTTP_PATCH, at("/placements/%lld/disqualify", placement), 200, "{}");
		assert_true(has_key(placement_of(sandbox, candidate, 0), "disqualified_at") == (i != 2));
		sandbox_destroy(sandbox);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_TEST(test_placements_in_both_forms_of_the_body),
		EACH_TEST(test_a_stage_is_changed_and_the_history_tells_it),
		EACH_TEST(test_disqualified_and_requalified),
		EACH_TEST(test_notes_of_candidates),
		EACH_TEST(test_notes_of_all_else),
		EACH_TEST(test_profile_fields),
		EACH_TEST(test_profile_fields_that_were_there),
		EACH_TEST(test_offers),
		EACH_TEST(test_offers_that_cannot_be_and_the_older_form),
		EACH_TEST(test_the_states_of_an_offer),
		EACH_TEST(test_talent_pools),
		EACH_TEST(test_pipelines),
		EACH_TEST(test_things_with_a_name),
		EACH_TEST(test_a_department_that_goes_leaves_its_offers),
		EACH_TEST(test_interviews),
		EACH_TEST(test_evaluations),
		EACH_TEST(test_tasks),
		EACH_TEST(test_requisitions),
		EACH_TEST(test_mails),
		EACH_TEST(test_the_truth_about_writes),
		EACH_TEST(test_all_shapes_take_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

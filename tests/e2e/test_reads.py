"""Every unified resource, in every shape of the ATS's answers, against what the sandbox has."""
import datetime
import re

from harness import COMPANY, TOKEN, Case, Client

SHAPES = ("new", "slim", "old")
# Unified resources whose records are those of one collection of the sandbox.
COLLECTIONS = {
    "candidates": "candidates", "departments": "departments", "interviews": "events",
    "job_interview_stages": "stages", "offices": "locations",
    "reject_reasons": "disqualify_reasons", "scorecards": "results", "sources": "sources",
    "tags": "tags", "users": "admins",
}
SCORES = {"strong_no": 0, "no": 0, "neutral": 0.5, "yes": 0.75, "strong_yes": 1}


class Reads(Case):
    def native(self, path, **query):
        """What the ATS itself says."""
        client = Client(self.box.host, TOKEN)
        status, _, body = client.get(f"/c/{COMPANY}{path}", **query)
        client.close()
        self.assertEqual(status, 200, body)
        return body

    def ids(self, resource, **query):
        """Through all pages of seven; none may come twice."""
        found = [r["id"] for r in self.every_page(resource, limit=7, **query)]
        self.assertEqual(len(found), len(set(found)), (resource, query))
        return set(found)

    def truth_ids(self, collection):
        return {str(i) for i in self.truth(collection)["ids"]}

    def pools(self):
        return {str(pool["id"]) for pool in self.native("/talent_pools", limit=100)["talent_pools"]}

    def placements(self):
        """Those in jobs, as the ATS tells them, by id."""
        pools = self.pools()
        return {str(p["id"]): p for p in self.native("/placements")["placements"]
                if p["offer_id"] and str(p["offer_id"]) not in pools}

    def in_shape(self, shape):
        self.linked("--candidates", "60", "--shape", shape,
                    link_options=("--limit", "requests=100000")) # a patient client would wait

    def in_each_shape(self, check):
        for shape in SHAPES:
            with self.subTest(shape=shape):
                self.in_shape(shape)
                check(shape)
                self.assertEqual(self.misfits(), 0)
                self.doCleanups()
                self.setUp()

    def misfits(self):
        client = Client(self.serve.host)
        _, _, text = client.get("/metrics")
        client.close()
        return int(re.search(rb"\ntenon_mapping_misfits_total (\d+)", text)[1])

    # --- which records ------------------------------------------------------------------------

    def test_lists_have_what_the_ats_has(self):
        self.in_each_shape(self.check_lists)

    def check_lists(self, shape):
        for resource, collection in COLLECTIONS.items():
            self.assertEqual(self.ids(resource), self.truth_ids(collection), resource)
        pools = self.pools()
        self.assertTrue(pools)
        self.assertEqual(self.ids("talent_pools"), pools)
        self.assertEqual(self.ids("jobs"), self.truth_ids("offers") - pools)
        self.assertEqual(self.ids("applications"), set(self.placements()))
        self.assertEqual(self.ids("activities"),
                         {"activity-" + i for i in self.truth_ids("activities")})
        self.assertEqual(self.ids("organizations"), {COMPANY})

    def test_lists_of_one_candidate_or_job(self):
        self.in_each_shape(self.check_parts)

    def check_parts(self, shape):
        parts = {"attachments": set(), "activities": set(), "interviews": set(),
                 "scorecards": set(), "application_changes": set()}
        for candidate in self.ids("candidates"):
            for resource, found in parts.items():
                found |= self.ids(resource, candidate_id=candidate)
        self.assertEqual({i for i in parts["attachments"] if i.isdigit()},
                         self.truth_ids("attachments"))
        self.assertTrue(any(i.startswith("cv-") for i in parts["attachments"]))
        notes = {i[5:] for i in parts["activities"] if i.startswith("note-")}
        self.assertEqual(notes, self.truth_ids("notes"))
        self.assertTrue(any(i.startswith("email-") for i in parts["activities"]))
        for resource in ("interviews", "scorecards", "application_changes"):
            self.assertEqual(parts[resource], self.ids(resource), resource)
        of_jobs = {"activities": set(), "job_form_fields": set(), "job_interview_stages": set()}
        for job in self.ids("jobs"):
            for resource, found in of_jobs.items():
                found |= self.ids(resource, job_id=job)
        self.assertEqual(of_jobs["job_form_fields"], self.ids("job_form_fields"))
        self.assertLessEqual(of_jobs["job_interview_stages"], self.truth_ids("stages"))
        self.assertTrue(any(i.startswith("note-") for i in of_jobs["activities"]))

    def test_each_record_is_found_by_its_id(self):
        self.in_each_shape(self.check_gets)

    def check_gets(self, shape):
        for resource in (*COLLECTIONS, "talent_pools", "jobs", "applications", "organizations"):
            records = self.every_page(resource)
            for record in {0: records[0], 1: records[len(records) // 2], 2: records[-1]}.values():
                self.check_get(resource, record)
        candidate = next(c["id"] for c in self.every_page("candidates", expand="true")
                         if c["attachments"])
        for resource in ("activities", "attachments"):
            for record in self.every_page(resource, candidate_id=candidate):
                self.check_get(resource, record, candidate_id=candidate)
        job = self.every_page("jobs")[0]["id"]
        for resource in ("job_form_fields", "job_interview_stages"):
            for record in self.every_page(resource, job_id=job):
                self.check_get(resource, record, job_id=job)

    def check_get(self, resource, record, **query):
        status, _, one = self.fetch(resource, record["id"], remote_data="false", **query)
        self.assertEqual(status, 200, (resource, one))
        # A list may know less, but nothing else.
        self.assertEqual({k: self.less(v, record[k]) for k, v in one.items() if k in record},
                         {k: v for k, v in record.items() if k != "remote_data"}, resource)

    def less(self, whole, part):
        """The whole without the ids of named things which the part has by their names alone."""
        if isinstance(whole, list) and isinstance(part, list) and len(whole) == len(part):
            return [self.less(w, p) for w, p in zip(whole, part)]
        if isinstance(whole, dict) and part == {**whole, "id": None} and whole.get("name"):
            return part
        return whole

    # --- what they say ------------------------------------------------------------------------

    def test_interviews(self):
        self.in_each_shape(self.check_interviews)

    def check_interviews(self, shape):
        now = datetime.datetime.now(datetime.timezone.utc)
        native = {str(e["id"]): e for status in ("upcoming", "past_due")
                  for e in self.native("/interview/events", status=status)["interview_events"]}
        records = self.every_page("interviews")
        for record in records:
            event = native[record["id"]]
            start = datetime.datetime.fromisoformat(record["start_at"].replace("Z", "+00:00"))
            end = datetime.datetime.fromisoformat(record["end_at"].replace("Z", "+00:00"))
            self.assertEqual(record["start_at"], event["starts_at"])
            self.assertEqual(round((end - start).total_seconds() / 60), event["duration"])
            self.assertEqual(record["status"], "scheduled" if end > now else "completed")
            self.assertEqual(record["candidate"]["id"], str(event["candidate_id"]))
            self.assertTrue(record["candidate"]["name"])
            self.assertEqual([i["id"] for i in record["interviewers"]],
                             [str(i) for i in event["admin_ids"]])
            self.assertTrue(record["interviewers"][0]["name"])
        with_job = next(r for r in records if r["job"])
        self.check_applications_of("interviews", with_job)
        self.assertEqual(self.ids("interviews", job_id=with_job["job"]["id"]),
                         {r["id"] for r in records if r["job"] == with_job["job"]})
        self.assertEqual(self.ids("interviews", status="completed"),
                         {r["id"] for r in records if r["status"] == "completed"})
        user = with_job["interviewers"][0]["id"]
        self.assertEqual(self.ids("interviews", interviewer_id=user),
                         {r["id"] for r in records if user in [i["id"] for i in r["interviewers"]]})

    def check_applications_of(self, resource, record):
        """The application is known where the candidate, or the job, is asked for."""
        candidate, job = record["candidate"]["id"], record["job"]["id"]
        wanted = next(i for i, p in self.placements().items()
                      if (str(p["candidate_id"]), str(p["offer_id"])) == (candidate, job))
        for query in ({"candidate_id": candidate}, {"job_id": job}):
            found = {r["id"]: r for r in self.every_page(resource, **query)}
            self.assertEqual(found[record["id"]]["application"]["id"], wanted)
            self.assertIn(record["id"], self.ids(resource, application_id=wanted, **query))
            self.assertEqual(self.ids(resource, application_id="1", **query), set())
        status, _, body = self.list(resource, application_id=wanted)
        self.assertEqual((status, body["field"]), (400, "candidate_id"))

    def test_scorecards(self):
        self.in_each_shape(self.check_scorecards)

    def check_scorecards(self, shape):
        native = {str(r["id"]): r for r in self.native("/interview/results")["interview_results"]}
        records = self.every_page("scorecards")
        for record in records:
            result = native[record["id"]]
            self.assertEqual(record["overall_recommendation"], result["rating"])
            self.assertEqual(record["score"], SCORES[result["rating"]])
            self.assertEqual(record["comment"], result["rating_note"])
            self.assertEqual(record["submitted_at"], result["created_at"])
            self.assertEqual(record["interviewer"]["type"],
                             "user" if result["admin_id"] else "guest")
            self.assertTrue(record["interviewer"]["name"])
            self.assertEqual([(a["name"], a["value"]) for a in record["attributes"]],
                             [(a["question_title"], a["content"])
                              for a in result["interview_result_answers"]])
            self.assertEqual(len(record["form_values"]), len(record["attributes"]))
        self.assertTrue(any(r["attributes"] for r in records))
        self.check_applications_of("scorecards", next(r for r in records if r["job"]))
        for word in ("yes", "no"):
            self.assertEqual(self.ids("scorecards", overall_recommendation=word),
                             {r["id"] for r in records if r["overall_recommendation"] == word})

    def test_application_changes(self):
        self.in_each_shape(self.check_changes)

    def check_changes(self, shape):
        native = {str(a["id"]): a for page in range(1, 20) for a in
                  self.native("/tracking/activities", page=page, limit=30)["activities"]}
        records = self.every_page("application_changes")
        wanted = {"admin_assigned_candidate_to_offer": "created",
                  "admin_changed_candidate_stage": "stage_changed",
                  "admin_disqualified_candidate": "rejected"}
        self.assertEqual({r["id"]: r["change_type"] for r in records},
                         {i: wanted[a["event"]] for i, a in native.items()
                          if a["offer"] and a["event"] in wanted})
        for record in records:
            self.assertEqual(record["effective_at"], native[record["id"]]["created_at"])
            self.assertEqual(record["actor"]["type"], "user")
        pools = self.pools()
        moved = next(r for r in records if r["change_type"] == "stage_changed"
                     and r["job"]["id"] not in pools)
        self.check_applications_of("application_changes", moved)
        of_job = self.every_page("application_changes", job_id=moved["job"]["id"],
                                 change_type="stage_changed")
        stages = {s["id"]: s["name"] for s in
                  self.every_page("job_interview_stages", job_id=moved["job"]["id"])}
        for record in of_job:
            self.assertEqual(record["from_stage"]["name"], "Applied")
            self.assertEqual(stages[record["to_stage"]["id"]], record["to_stage"]["name"])
        reasons = {r["id"]: r["name"] for r in self.every_page("reject_reasons")}
        rejected = [r for job in self.ids("jobs") for r in self.every_page(
            "application_changes", job_id=job, change_type="rejected")]
        self.assertTrue(rejected)
        if shape == "old": # it does not tell when a placement was disqualified
            self.assertEqual({r["reason"] for r in rejected}, {None})
        else:
            self.assertTrue(all(reasons[r["reason"]["id"]] == r["reason"]["name"]
                                for r in rejected))

    def test_applications(self):
        self.in_each_shape(self.check_applications)

    def check_applications(self, shape):
        placements = self.placements()
        reasons = {r["id"]: r["name"] for r in self.every_page("reject_reasons")}
        status, _, page = self.list("applications", limit=40, expand="true")
        self.assertEqual(status, 200, page)
        self.assertFalse(page["is_partial_response"])
        for record in page["result"]:
            placement = placements[record["id"]]
            if "disqualify_reason" in placement and not placement["hired_at"]:
                self.assertEqual(record["reject_reason"]["name"], placement["disqualify_reason"])
                self.assertEqual(reasons[record["reject_reason"]["id"]],
                                 placement["disqualify_reason"])
            detail = self.native(f"/candidates/{record['candidate']['id']}")["candidate"]
            self.assertEqual(record["source"]["name"], detail["sources"][0])
            self.assertEqual([a["id"] for a in record["attachments"]],
                             [f"cv-{detail['id']}"] if detail["cv_url"] else [])
            if len(detail["placements"]) == 1:
                self.assertEqual([a["value"] for a in record["answers"]],
                                 [a["content"] for a in detail["open_question_answers"]])
        rejected = next(r for r in page["result"] if r["reject_reason"])
        self.assertIn(rejected["id"], self.ids(
            "applications", reject_reason_id=rejected["reject_reason"]["id"]))

    def test_jobs(self):
        self.in_each_shape(self.check_jobs)

    def check_jobs(self, shape):
        users = {u["id"]: u["name"] for u in self.every_page("users")}
        offices = {o["id"]: o["name"] for o in self.every_page("offices")}
        _, _, part = self.list("jobs")
        self.assertTrue(part["is_partial_response"])
        lacking = ("stages", "counts", "tags", "locations", "job_posting_urls", "openings",
                   "remote_url")
        for job in part["result"]:
            for field in lacking:
                self.assertEqual(field in job, shape != "slim", field)
        _, _, whole = self.list("jobs", expand="true")
        self.assertFalse(whole["is_partial_response"])
        for job in whole["result"]:
            offer = self.native(f"/offers/{job['id']}")["offer"]
            self.assertEqual([s["name"] for s in job["stages"]],
                             [s["name"] for s in offer["pipeline_template"]["stages"]])
            self.assertEqual(job["counts"]["hired"], offer["hired_candidates_count"])
            self.assertEqual(job["locations"], [offer["location"]])
            self.assertEqual([(o["id"], o["name"]) for o in job["offices"]],
                             [(str(i), offices[str(i)]) for i in offer["location_ids"]])
            for member in job["hiring_team"]:
                self.assertEqual(member["name"], users[member["id"]])
            team = {"hiring_manager": offer["hiring_manager_id"], "recruiter": offer["recruiter_id"]}
            self.assertEqual({m["role"]: m["id"] for m in job["hiring_team"]},
                             {role: str(i) for role, i in team.items() if i})
            if offer["salary"]:
                self.assertEqual(job["salary"]["currency"], "EUR")
                self.assertEqual(job["salary"]["min"], int(offer["salary"]["min"]))
            else:
                self.assertIsNone(job["salary"])
        self.check_job_filters(whole["result"])

    def check_job_filters(self, jobs):
        office = jobs[0]["offices"][0]["id"]
        self.assertEqual(self.ids("jobs", office_id=office),
                         {j["id"] for j in jobs if office in [o["id"] for o in j["offices"]]})
        recruiter = next(j for j in jobs if j["recruiters"])["recruiters"][0]["id"]
        self.assertEqual(self.ids("jobs", recruiter_id=recruiter),
                         {j["id"] for j in jobs if recruiter in [r["id"] for r in j["recruiters"]]})
        self.assertEqual(self.ids("jobs", employment_type="full_time"),
                         {j["id"] for j in jobs if j["employment_type"] == "full_time"})
        self.assertEqual(self.ids("jobs", status="open", language="en"),
                         {j["id"] for j in jobs if (j["status"], j["language"]) == ("open", "en")})

    def test_users(self):
        self.in_shape("new")
        roles = {str(r["id"]): r for r in self.native("/roles")["roles"]}
        memberships = {str(m["admin_id"]): m for m in
                       self.native("/memberships", limit=50)["memberships"]}
        users = self.every_page("users")
        for user in users:
            (role,) = user["roles"]
            self.assertEqual(role["id"], str(memberships[user["id"]]["role_id"]))
            self.assertEqual(role["name"], roles[role["id"]]["name"])
            self.assertEqual(role["abilities"], roles[role["id"]]["abilities"])
            self.assertEqual(user["access_role"], role["name"].lower().replace(" ", "_"))
        self.assertEqual(self.ids("users", access_role="admin"),
                         {u["id"] for u in users if u["access_role"] == "admin"})
        self.assertEqual(self.ids("users", email=users[1]["emails"][0]["email"]),
                         {users[1]["id"]})

    def test_form_fields(self):
        self.in_shape("new")
        fields = self.every_page("job_form_fields")
        kinds = {f["remote_kind"]: f["kind"] for f in fields if f["remote_kind"]}
        self.assertEqual(kinds, {
            "string": "text", "text": "long_text", "single_choice": "single_select",
            "multi_choice": "multi_select", "date": "date", "salary": "number", "number": "number",
            "file": "file", "boolean": "boolean", "legal": "boolean"})
        for field in fields:
            self.assertTrue(field["label"])
            self.assertEqual(len(field["options"]), 2 if field["kind"].endswith("select") else 0)
        job = fields[0]["job"]["id"]
        self.assertEqual(self.ids("job_form_fields", job_id=job, kind="file"),
                         {f["id"] for f in fields if f["job"]["id"] == job and f["kind"] == "file"})

    def test_small_ones(self):
        self.in_shape("new")
        (company,) = self.every_page("organizations", remote_data="false")
        self.assertEqual((company["slug"], company["name"]), ("kiln", "Kiln BV"))
        for resource in ("departments", "offices", "reject_reasons", "sources", "tags"):
            records = self.every_page(resource)
            self.assertEqual(self.ids(resource, name=records[-1]["name"]), {records[-1]["id"]})
            self.assertEqual(self.ids(resource, name="nobody's"), set())
        (pool,) = self.every_page("talent_pools", expand="true")
        self.assertEqual(pool["description"], pool["name"] + ", for later.")
        self.assertEqual(pool["status"], "active")

    def test_what_this_ats_lacks_is_told(self):
        self.in_shape("new")
        for resource in ("offers", "eeocs"):
            status, _, body = self.list(resource)
            self.assertEqual((status, body["error"]), (501, "not_supported"))
            self.assertIn("scorecards", body["allowed"])
        status, _, body = self.fetch("application_changes", "1")
        self.assertEqual((status, body["error"], body["allowed"]), (501, "not_supported", "list"))

    def test_filters_that_cannot_be_applied_are_named(self):
        self.in_shape("new")
        for resource, name, told in (("attachments", "application_id", "application_id"),
                                     ("scorecards", "application_id", "candidate_id"),
                                     ("jobs", "tag_id", "tag_id"),
                                     ("candidates", "tag_id", "tag_id")):
            status, _, body = self.list(resource, **{name: "1"})
            self.assertEqual((status, body["error"]), (400, "invalid"), resource)
            self.assertEqual(body["field"], told)
        status, _, body = self.list("jobs", workplace="everywhere")
        self.assertEqual((status, body["field"]), (400, "workplace"))
        self.assertIn("hybrid", body["allowed"])
        status, _, body = self.list("jobs", colour="red")
        self.assertEqual(body["field"], "colour")
        self.assertIn("office_id", body["allowed"])

"""Every unified write, by what the ATS has afterwards."""
import base64
import datetime

from company import PDF, Files
from harness import COMPANY, TOKEN, Case, Client


class Writes(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "60", link_options=("--limit", "requests=100000"))
        self.company = Client(self.box.host)
        self.addCleanup(self.company.close)

    # --- what the ATS has ---------------------------------------------------------------------

    def record(self, collection, identifier):
        """The record, and whether it was deleted."""
        status, _, body = self.company.get("/sandbox/record", collection=collection, id=identifier)
        self.assertEqual(status, 200, (collection, identifier, body))
        return body["record"], body["deleted"]

    def there(self, collection, identifier):
        record, is_deleted = self.record(collection, identifier)
        self.assertFalse(is_deleted)
        return record

    def gone(self, collection, identifier):
        return self.record(collection, identifier)[1]

    def records(self, collection, **query):
        status, _, body = self.company.get("/sandbox/records", collection=collection, **query)
        self.assertEqual(status, 200, body)
        return body["records"]

    def made(self, collection):
        return self.records(collection, created="true")

    def writes(self):
        return sum(self.company.get("/sandbox/counts")[2]["writes"].values())

    def native(self, path):
        client = Client(self.box.host, TOKEN)
        status, _, body = client.get(f"/c/{COMPANY}{path}")
        client.close()
        self.assertEqual(status, 200, body)
        return body

    def file(self, url):
        client = Client(self.box.host)
        status, _, body = client.get(url.split(self.box.host, 1)[1])
        client.close()
        self.assertEqual(status, 200)
        return body

    # --- what is sent -------------------------------------------------------------------------

    def write(self, method, path, body=None, **query):
        query = "".join(f"&{k}={v}" for k, v in query.items())
        status, _, answer = self.client.request(
            method, f"/unified/ats/{path}?integrated_account_id={self.account}{query}", body,
            {"Content-Type": "application/json"} if body is not None else None)
        return status, answer

    def create(self, resource, **body):
        status, answer = self.write("POST", resource, body)
        self.assertEqual(status, 201, answer)
        return answer

    def change(self, path, **body):
        status, answer = self.write("PATCH", path, body)
        self.assertEqual(status, 200, answer)
        return answer

    def call(self, path, **body):
        status, answer = self.write("POST", path, body)
        self.assertEqual(status, 200, answer)
        return answer

    def delete(self, resource, identifier):
        status, answer = self.write("DELETE", f"{resource}/{identifier}")
        self.assertEqual((status, answer), (200, {"id": identifier}))

    def refused(self, field, method, path, body=None, status=400):
        """With the field's name, and nothing is written."""
        before = self.writes()
        got, answer = self.write(method, path, body)
        self.assertEqual((got, answer.get("field")), (status, field), answer)
        self.assertEqual(self.writes(), before)
        return answer

    # --- what there is to work with -----------------------------------------------------------

    def open_jobs(self):
        return [o for o in self.records("offers") if o["kind"] == "job" and o["status"] == "published"]

    def pool(self):
        return next(o for o in self.records("offers") if o["kind"] == "talent_pool")

    def stage(self, job, category):
        return next(s for s in self.records("stages")
                    if s["pipeline_template_id"] == job["pipeline_template_id"]
                    and s["category"] == category)

    def person(self, **body):
        return self.create("candidates", name="Noor Achterberg", **body)

    def applicant(self):
        """A candidate in a job, and the application."""
        job = self.open_jobs()[0]
        one = self.person(job_id=str(job["id"]))
        return one, one["applications"][0], job

    # --- candidates ---------------------------------------------------------------------------

    def test_a_candidate_with_everything(self):
        files = Files("cv of noor.pdf")
        self.addCleanup(files.stop)
        first, second = self.open_jobs()[0], self.pool()
        one = self.create(
            "candidates", first_name="Noor", last_name="Achterberg",
            emails=[{"email": "noor@achterberg.example"}], phones=[{"number": "+31600000002"}],
            urls=[{"url": "https://www.linkedin.com/in/noor-a", "type": "linkedin"},
                  {"url": "https://noor.example", "type": "website"}],
            cover_letter="Hello", tags=[{"name": "craft"}, {"name": "a new tag"}],
            sources=[{"name": "Job fair"}], applications=[{"job": {"id": str(first["id"])}}],
            job_id=str(first["id"]),
            custom_fields=[{"name": "Salary expectation", "value": "3000"},
                           {"name": "Has a car", "type": "boolean", "value": True}],
            attachments=[
                {"attachment_type": "resume", "file_name": "cv.pdf", "content_type": "application/pdf",
                 "content": base64.b64encode(PDF).decode()},
                {"url": files.url},
                {"file_name": "zeugnis.pdf", "content": base64.b64encode(PDF[:100]).decode()}])
        made = self.there("candidates", one["id"])
        self.assertEqual(made["name"], "Noor Achterberg")
        self.assertEqual(made["emails"], ["noor@achterberg.example"])
        self.assertEqual(made["phones"], ["+31600000002"])
        self.assertEqual(made["social_links"], ["https://www.linkedin.com/in/noor-a"])
        self.assertEqual(made["links"], ["https://noor.example"])
        self.assertEqual(made["cover_letter"], "Hello")
        names = {t["id"]: t["name"] for t in self.records("tags")}
        self.assertEqual([names[i] for i in made["tag_ids"]], ["craft", "a new tag"])
        names = {s["id"]: s["name"] for s in self.records("sources")}
        self.assertEqual([names[i] for i in made["source_ids"]], ["Job fair"])
        self.assertEqual([p["container_id"] for p in self.made("placements")], [first["id"]])
        detail = self.native(f"/candidates/{one['id']}")["candidate"]
        self.assertEqual(self.file(detail["cv_original_url"]), PDF)
        own = {f.get("name"): f["values"] for f in detail["fields"] if f["values"]}
        self.assertEqual(own["Salary expectation"], [{"text": "3000"}])
        self.assertEqual(own["Has a car"], [{"flag": True}])
        kept = {a["filename"]: a for a in self.native(f"/candidates/{one['id']}/attachments")["attachments"]}
        self.assertEqual(set(kept), {"cv of noor.pdf", "zeugnis.pdf"})
        self.assertEqual(self.file(kept["cv of noor.pdf"]["file_url"]), PDF)
        self.assertEqual(self.file(kept["zeugnis.pdf"]["file_url"]), PDF[:100])
        self.assertEqual(one["attachments"][0]["attachment_type"], "resume")
        self.assertEqual([t["name"] for t in one["tags"]], ["craft", "a new tag"])
        two = self.create("candidates", name="Two", job_id=str(second["id"]),
                          attachments=[{"attachment_type": "resume", "url": files.url}])
        detail = self.native(f"/candidates/{two['id']}")["candidate"]
        self.assertEqual(self.file(detail["cv_original_url"]), PDF)

    def test_what_a_candidate_cannot_have(self):
        content = base64.b64encode(b"x").decode()
        for field, body in (
                ("name", {}), ("emails[0].mail", {"name": "x", "emails": [{"mail": "y"}]}),
                ("title", {"name": "x", "title": "y"}),
                ("job_id", {"name": "x", "job_id": "abc"}),
                ("attachments", {"name": "x", "attachments": [{"file_name": "a.pdf"}]}),
                ("attachments", {"name": "x", "attachments": [{"url": "http://a", "content": content}]}),
                ("attachments", {"name": "x", "attachments": [
                    {"attachment_type": "photo", "content": content}]}),
                ("custom_fields", {"name": "x", "custom_fields": [
                    {"name": "a", "type": "file", "value": 1}]})):
            self.refused(field, "POST", "candidates", body)
        answer = self.refused("method", "POST", "candidates/7/anonymize", {}, status=501)
        self.assertIn("add-tag", answer["allowed"])

    def test_a_candidate_is_changed_and_deleted(self):
        one = self.person(emails=[{"email": "a@b.example"}], phones=[{"number": "1"}],
                          urls=[{"url": "https://noor.example"}])
        changed = self.change(f"candidates/{one['id']}", first_name="Nora", last_name="Berg",
                              emails=[{"email": "nora@berg.example"}, {"email": "n@b.example"}],
                              phones=[], urls=[], cover_letter="Now")
        self.assertEqual(changed["name"], "Nora Berg")
        made = self.there("candidates", one["id"])
        self.assertEqual((made["name"], made["emails"], made["phones"], made["links"], made["cover_letter"]),
                         ("Nora Berg", ["nora@berg.example", "n@b.example"], [], [], "Now"))
        self.refused("first_name", "PATCH", f"candidates/{one['id']}", {"first_name": "N"})
        self.delete("candidates", one["id"])
        self.assertTrue(self.gone("candidates", one["id"]))
        self.assertEqual(self.write("DELETE", f"candidates/{one['id']}")[0], 404)

    def test_tags_of_a_candidate(self):
        one = self.person()
        path = f"candidates/{one['id']}"
        craft = next(t for t in self.records("tags") if t["name"] == "craft")
        self.call(f"{path}/add-tag", tag={"name": "passed the test"})
        answer = self.call(f"{path}/add-tag", tag={"id": str(craft["id"])})
        self.assertEqual([t["name"] for t in answer["tags"]], ["passed the test", "craft"])
        new = self.made("tags")[0]
        self.assertEqual(self.there("candidates", one["id"])["tag_ids"], [new["id"], craft["id"]])
        self.call("candidates/add-tag", id=one["id"], tag={"name": "craft"})
        self.assertEqual(self.there("candidates", one["id"])["tag_ids"], [new["id"], craft["id"]])
        self.call(f"{path}/remove-tag", tag={"name": "passed the test"})
        self.assertEqual(self.there("candidates", one["id"])["tag_ids"], [craft["id"]])
        self.call(f"{path}/remove-tag", tag={"id": str(craft["id"])})
        self.assertEqual(self.there("candidates", one["id"])["tag_ids"], [])
        self.refused("tag", "POST", f"{path}/remove-tag", {"tag": {"name": "nobody's"}})
        self.refused("tag", "POST", f"{path}/add-tag", {"tag": {"id": "99999"}})
        self.assertEqual(self.write("POST", f"{path}/remove-tag", {"tag": {"name": "craft"}})[0], 404)

    def test_candidates_are_merged(self):
        one = self.person(emails=[{"email": "a@b.example"}])
        other = self.person(emails=[{"email": "c@d.example"}])
        answer = self.call(f"candidates/{one['id']}/merge", duplicates=[{"id": other["id"]}])
        self.assertEqual([e["email"] for e in answer["emails"]], ["a@b.example", "c@d.example"])
        self.assertTrue(self.gone("candidates", other["id"]))
        self.assertEqual(self.there("candidates", one["id"])["emails"], ["a@b.example", "c@d.example"])

    # --- applications -------------------------------------------------------------------------

    def test_an_application_is_made_moved_and_deleted(self):
        one, job = self.person(), self.open_jobs()[0]
        screen, offer = self.stage(job, "phone_screen"), self.stage(job, "offer")
        made = self.create("applications", candidate_id=one["id"], job_id=str(job["id"]),
                           stage_id=str(screen["id"]))
        self.assertEqual(made["candidate"], {"id": one["id"], "name": "Noor Achterberg"})
        self.assertEqual(made["current_stage"]["category"], "phone_screen")
        placement = self.there("placements", made["id"])
        self.assertEqual((placement["candidate_id"], placement["container_id"], placement["stage_id"]),
                         (int(one["id"]), job["id"], screen["id"]))
        moved = self.call(f"applications/{made['id']}/move-stage", stage_id=str(offer["id"]), position=3)
        self.assertEqual(moved["current_stage"]["id"], str(offer["id"]))
        placement = self.there("placements", made["id"])
        self.assertEqual((placement["stage_id"], placement["position"]), (offer["id"], 3))
        self.refused("candidate_id", "POST", "applications",
                     {"candidate_id": "x", "job_id": str(job["id"])})
        self.delete("applications", made["id"])
        self.assertTrue(self.gone("placements", made["id"]))

    def test_an_application_is_rejected_and_taken_back(self):
        one, application, _ = self.applicant()
        reason = self.records("disqualify_reasons")[1]
        path = f"applications/{application['id']}"
        rejected = self.call(f"{path}/reject", reject_reason_id=str(reason["id"]),
                             notes="Wanted <more> & more", notify=False)
        self.assertEqual(rejected["status"], "rejected")
        self.assertEqual(rejected["reject_reason"], {"id": str(reason["id"]), "name": reason["name"]})
        placement = self.there("placements", application["id"])
        self.assertTrue(placement["is_disqualified"])
        self.assertEqual(placement["disqualify_reason"], reason["name"])
        self.assertEqual([(n["candidate_id"], n["body"]) for n in self.made("notes")],
                         [(int(one["id"]), "Wanted <more> & more")])
        self.assertEqual(self.call(f"{path}/unreject")["status"], "active")
        self.assertFalse(self.there("placements", application["id"])["is_disqualified"])
        self.call(f"{path}/reject")
        self.assertTrue(self.there("placements", application["id"])["is_disqualified"])
        self.assertEqual(len(self.made("notes")), 1)
        self.refused("notify", "POST", f"{path}/reject", {"notify": True})

    def test_a_hire(self):
        one, application, job = self.applicant()
        path = f"applications/{application['id']}/hire"
        self.refused("starts_at", "POST", path, {"starts_at": "2027-01-01"})
        hired = self.call(path)
        self.assertEqual(hired["status"], "hired")
        self.assertEqual(hired["current_stage"]["category"], "hired")
        placement = self.there("placements", application["id"])
        self.assertEqual(placement["stage_id"], self.stage(job, "hire")["id"])
        self.assertTrue(placement["hired_at"])
        for hint in ({"candidate_id": one["id"]}, {"job_id": str(job["id"])},
                     {"candidate_id": one["id"], "job_id": str(job["id"])}):
            self.assertEqual(self.call(path, **hint)["id"], application["id"])
        self.assertEqual(self.write("POST", "applications/1/hire", {"candidate_id": one["id"]})[0], 404)

    def test_a_dry_hire_tells_the_call_and_makes_none(self):
        _, application, job = self.applicant()
        before = self.writes()
        status, told = self.write("POST", f"applications/{application['id']}/hire", {}, dry_run="true")
        self.assertEqual(status, 200, told)
        self.assertEqual(told["calls"][0]["body"], {"stage_id": self.stage(job, "hire")["id"]})
        self.assertEqual((len(told["calls"]), self.writes()), (1, before))

    # --- attachments --------------------------------------------------------------------------

    def test_attachments(self):
        files = Files("cv of noor.pdf")
        self.addCleanup(files.stop)
        one, job = self.person(), self.open_jobs()[0]
        content = base64.b64encode(PDF).decode()
        made = self.create("attachments", candidate_id=one["id"], file_name="Ergebnis ü.pdf",
                           content_type="application/pdf", content=content)
        self.assertEqual((made["file_name"], made["size_bytes"], made["candidate"]["id"]),
                         ("Ergebnis ü.pdf", len(PDF), one["id"]))
        by_url = self.create("attachments", candidate_id=one["id"], url=files.url)
        kept = {str(a["id"]): a for a in self.native(f"/candidates/{one['id']}/attachments")["attachments"]}
        self.assertEqual(set(kept), {made["id"], by_url["id"]})
        for attachment in kept.values():
            self.assertEqual(self.file(attachment["file_url"]), PDF)
        of_job = self.create("attachments", job_id=str(job["id"]), file_name="ad.txt",
                             content=base64.b64encode(b"we hire").decode())
        self.assertEqual(self.there("attachments", of_job["id"])["offer_id"], job["id"])
        self.delete("attachments", by_url["id"])
        self.assertTrue(self.gone("attachments", by_url["id"]))
        for field, body in (("content", {"candidate_id": one["id"]}),
                            ("content", {"candidate_id": one["id"], "content": "%%%"}),
                            ("candidate_id", {"content": content}),
                            ("attachment_type", {"candidate_id": one["id"], "content": content,
                                                 "attachment_type": "photo"})):
            self.refused(field, "POST", "attachments", body)

    def test_resumes(self):
        files = Files("cv of noor.pdf")
        self.addCleanup(files.stop)
        one = self.person()
        content = base64.b64encode(PDF).decode()
        made = self.create("attachments", candidate_id=one["id"], attachment_type="resume",
                           file_name="cv.pdf", content=content)
        self.assertEqual((made["id"], made["attachment_type"]), (f"cv-{one['id']}", "resume"))
        detail = self.native(f"/candidates/{one['id']}")["candidate"]
        self.assertEqual(self.file(detail["cv_original_url"]), PDF)
        self.create("attachments", candidate_id=one["id"], attachment_type="resume", url=files.url)
        detail = self.native(f"/candidates/{one['id']}")["candidate"]
        self.assertIn("noor", detail["cv_original_url"])
        plain = self.create("attachments", candidate_id=one["id"], file_name="better.pdf",
                            content=base64.b64encode(PDF[:50]).decode())
        self.call(f"attachments/{plain['id']}/set-as-resume", candidate_id=one["id"])
        detail = self.native(f"/candidates/{one['id']}")["candidate"]
        self.assertEqual(self.file(detail["cv_original_url"]), PDF[:50])
        self.assertTrue(self.gone("attachments", plain["id"]))
        self.refused("id", "DELETE", f"attachments/cv-{one['id']}")

    # --- notes --------------------------------------------------------------------------------

    def test_notes(self):
        one, job = self.person(), self.open_jobs()[0]
        note = self.create("activities", candidate_id=one["id"], body="Scored 93 of 100",
                           visibility="private")
        self.assertEqual((note["activity_type"], note["body"], note["visibility"], note["candidate"]["id"]),
                         ("note", "Scored 93 of 100", "private", one["id"]))
        made = self.made("notes")[0]
        self.assertEqual((f"note-{made['id']}", made["body"], made["visibility"]["level"]),
                         (note["id"], "Scored 93 of 100", "private"))
        path = f"activities/{note['id']}"
        self.assertEqual(self.change(path, body="94", visibility="public")["body"], "94")
        made = self.there("notes", made["id"])
        self.assertEqual((made["body"], made["visibility"]["level"]), ("94", "public"))
        self.assertTrue(self.call(f"{path}/pin")["is_pinned"])
        self.assertTrue(self.there("notes", made["id"])["pinned_at"])
        self.assertFalse(self.call(f"{path}/unpin")["is_pinned"])
        self.assertIsNone(self.there("notes", made["id"])["pinned_at"])
        self.delete("activities", note["id"])
        self.assertTrue(self.gone("notes", made["id"]))
        on_job = self.create("activities", job_id=str(job["id"]), body="Ask for two more")
        self.assertEqual(on_job["job"]["id"], str(job["id"]))
        self.assertEqual(self.made("offer_notes")[0]["body"], "Ask for two more")
        self.assertEqual(self.change(f"activities/{on_job['id']}", body="three")["body"], "three")
        self.assertEqual(self.made("offer_notes")[0]["body"], "three")
        for field, body in (("body", {"candidate_id": one["id"]}), ("candidate_id", {"body": "x"}),
                            ("visibility", {"body": "x", "candidate_id": one["id"],
                                            "visibility": "restricted"})):
            self.refused(field, "POST", "activities", body)
        self.refused("id", "DELETE", "activities/activity-400000")

    # --- jobs ---------------------------------------------------------------------------------

    def job(self, **body):
        office = self.records("locations")[0]
        return self.create("jobs", name="Glassblower", description="Work <glass> & sand\nall day",
                           requirements_html="<p>Steady hands</p>", offices=[{"id": str(office["id"])}],
                           **body)

    def test_a_job_is_made_and_changed(self):
        department = self.records("departments")[2]
        made = self.job(departments=[{"id": str(department["id"])}], workplace="hybrid",
                        tags=[{"name": "craft"}])
        self.assertEqual((made["name"], made["status"], made["workplace"]),
                         ("Glassblower", "draft", "hybrid"))
        self.assertEqual(made["description"], "Work <glass> & sand\nall day")
        self.assertEqual(made["departments"], [{"id": str(department["id"]), "name": department["name"]}])
        record = self.there("offers", made["id"])
        self.assertEqual((record["title"], record["requirements"], record["department_id"], record["hybrid"],
                          record["remote"], record["offer_tags"], record["location_ids"]),
                         ("Glassblower", "<p>Steady hands</p>", department["id"], True, False, ["craft"],
                          [self.records("locations")[0]["id"]]))
        changed = self.change(f"jobs/{made['id']}", name="Master glassblower", workplace="remote")
        self.assertEqual((changed["name"], changed["workplace"]), ("Master glassblower", "remote"))
        record = self.there("offers", made["id"])
        self.assertEqual((record["title"], record["remote"], record["hybrid"]),
                         ("Master glassblower", True, False))
        self.call(f"jobs/{made['id']}/add-tag", tag={"name": "fire"})
        self.assertEqual(self.there("offers", made["id"])["offer_tags"], ["craft", "fire"])
        self.call(f"jobs/{made['id']}/remove-tag", tag={"name": "craft"})
        self.assertEqual(self.there("offers", made["id"])["offer_tags"], ["fire"])
        self.delete("jobs", made["id"])
        self.assertTrue(self.gone("offers", made["id"]))
        self.refused("offices", "POST", "jobs", {"name": "x", "description": "y", "requirements": "z"})
        self.refused("salary", "POST", "jobs", {"name": "x", "salary": {"min": 1}})

    def test_states_of_a_job(self):
        made = self.job()
        for method, unified, native in (
                ("publish", "open", "published"), ("unpublish", "internal", "internal"),
                ("close", "closed", "closed"), ("archive", "archived", "archived"),
                ("unarchive", "draft", "draft"), ("publish", "open", "published"),
                ("draft", "draft", "draft")):
            self.assertEqual(self.call(f"jobs/{made['id']}/{method}")["status"], unified)
            self.assertEqual(self.there("offers", made["id"])["status"], native)
        for unified, native in (("open", "published"), ("closed", "closed"), ("archived", "archived"),
                                ("draft", "draft")):
            job = self.job(status=unified)
            self.assertEqual(job["status"], unified)
            self.assertEqual(self.there("offers", job["id"])["status"], native)
        self.refused("status", "POST", "jobs", {"name": "x", "status": "pending", "offices": [{"id": "1"}]})

    # --- evaluations and interviews -----------------------------------------------------------

    def test_scorecards(self):
        one, application, job = self.applicant()
        made = self.create("scorecards", candidate_id=one["id"], job_id=str(job["id"]),
                           overall_recommendation="strong_yes", comment="Calm <under> heat")
        self.assertEqual((made["overall_recommendation"], made["comment"], made["score"]),
                         ("strong_yes", "Calm <under> heat", 1))
        record = self.there("results", made["id"])
        self.assertEqual((record["candidate_id"], record["offer_id"], record["rating"], record["rating_note"]),
                         (int(one["id"]), job["id"], "strong_yes", "Calm <under> heat"))
        self.assertEqual(record["stage_id"], self.there("placements", application["id"])["stage_id"])
        self.change(f"scorecards/{made['id']}", overall_recommendation="no", comment="Not so calm")
        record = self.there("results", made["id"])
        self.assertEqual((record["rating"], record["rating_note"]), ("no", "Not so calm"))
        stage = self.stage(job, "interview")
        other = self.create("scorecards", candidate_id=one["id"], overall_recommendation="yes",
                            job_interview_stage_id=str(stage["id"]))
        self.assertEqual(self.there("results", other["id"])["stage_id"], stage["id"])
        self.delete("scorecards", made["id"])
        self.assertTrue(self.gone("results", made["id"]))
        self.refused("job_interview_stage_id", "POST", "scorecards",
                     {"candidate_id": one["id"], "overall_recommendation": "yes"})
        self.refused("attributes", "POST", "scorecards", {
            "candidate_id": one["id"], "overall_recommendation": "yes", "attributes": [{"name": "x"}]})

    def test_interviews(self):
        one, _, job = self.applicant()
        users = [str(a["id"]) for a in self.records("admins")[:2]]
        start = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9)).replace(
            microsecond=0)
        at = lambda minutes: (start + datetime.timedelta(minutes=minutes)).isoformat()
        made = self.create(
            "interviews", candidate_id=one["id"], job_id=str(job["id"]),
            job_interview_stage_id=str(self.stage(job, "interview")["id"]), start_at=at(0), end_at=at(45),
            interviewers=[{"id": i} for i in users], kind="on_site", time_zone="Europe/Amsterdam",
            location="Ovenstraat 1", notes="Bring gloves", candidate_notes="Ring twice", status="scheduled")
        self.assertEqual((made["status"], made["kind"], made["notes"], made["candidate_notes"]),
                         ("scheduled", "on_site", "Bring gloves", "Ring twice"))
        record = self.there("events", made["id"])
        self.assertEqual((record["candidate_id"], record["offer_id"], record["duration"], record["kind"],
                          record["admin_ids"], record["timezone"], record["location"], record["scheduled"]),
                         (int(one["id"]), job["id"], 45, "on_site", [int(i) for i in users],
                          "Europe/Amsterdam", "Ovenstraat 1", True))
        self.assertEqual(record["starts_at"][:19], start.isoformat()[:19])
        self.change(f"interviews/{made['id']}", end_at=at(90), interviewers=[], location="Room 2")
        record = self.there("events", made["id"])
        self.assertEqual((record["duration"], record["admin_ids"], record["location"]), (90, [], "Room 2"))
        changed = self.change(f"interviews/{made['id']}", start_at=at(60))
        self.assertEqual(changed["status"], "rescheduled")
        self.assertEqual(self.there("events", made["id"])["duration"], 90)
        draft = self.create("interviews", candidate_id=one["id"], start_at=at(0))
        self.assertEqual(draft["status"], "draft")
        self.assertEqual(self.change(f"interviews/{draft['id']}", status="scheduled")["status"], "scheduled")
        self.delete("interviews", made["id"])
        self.assertTrue(self.gone("events", made["id"]))
        self.refused("end_at", "POST", "interviews",
                     {"candidate_id": one["id"], "start_at": at(0), "end_at": at(0)})
        self.refused("end_at", "PATCH", f"interviews/{draft['id']}", {"end_at": at(-1)})
        self.refused("meeting_url", "POST", "interviews",
                     {"candidate_id": one["id"], "start_at": at(0), "meeting_url": "https://x"})

    # --- the company --------------------------------------------------------------------------

    def test_departments_and_reasons(self):
        made = self.create("departments", name="Raku")
        self.assertEqual(self.there("departments", made["id"])["name"], "Raku")
        self.assertEqual(made["name"], "Raku")
        self.assertEqual(self.write("POST", "departments", {"name": "Raku"})[0], 400)
        self.delete("departments", made["id"])
        self.assertTrue(self.gone("departments", made["id"]))
        self.refused("method", "PATCH", f"departments/{made['id']}", {"name": "x"}, status=501)
        made = self.create("reject_reasons", name="Too far")
        self.assertEqual(self.there("disqualify_reasons", made["id"])["name"], "Too far")
        self.assertEqual(self.change(f"reject_reasons/{made['id']}", name="Too far away")["name"],
                         "Too far away")
        self.assertEqual(self.there("disqualify_reasons", made["id"])["name"], "Too far away")
        self.delete("reject_reasons", made["id"])
        self.assertTrue(self.gone("disqualify_reasons", made["id"]))
        for resource in ("offices", "tags"):
            answer = self.refused("method", "POST", resource, {"name": "x"}, status=501)
            self.assertEqual(answer["error"], "not_supported")

    def test_talent_pools(self):
        department = self.records("departments")[0]
        made = self.create("talent_pools", name="Next year", description="For later",
                           departments=[{"id": str(department["id"])}])
        record = self.there("offers", made["id"])
        self.assertEqual((record["kind"], record["title"], record["description"], record["department_id"]),
                         ("talent_pool", "Next year", "<p>For later</p>", department["id"]))
        one = self.person()
        answer = self.call(f"talent_pools/{made['id']}/add-candidate", candidate_id=one["id"])
        self.assertEqual(answer["candidates_count"], 1)
        placement = self.made("placements")[0]
        self.assertEqual((placement["candidate_id"], placement["container_id"]),
                         (int(one["id"]), int(made["id"])))
        answer = self.call(f"talent_pools/{made['id']}/remove-candidate", candidate_id=one["id"])
        self.assertEqual(answer["candidates_count"], 0)
        self.assertTrue(self.gone("placements", placement["id"]))
        self.refused("candidate_id", "POST", f"talent_pools/{made['id']}/remove-candidate",
                     {"candidate_id": one["id"]})

    def test_older_accounts(self):
        """Talent pools are offers there, and placements in them have the pool as their offer."""
        self.doCleanups()
        Case.setUp(self)
        self.linked("--candidates", "60", "--shape", "old", link_options=("--limit", "requests=100000"))
        self.company = Client(self.box.host)
        self.addCleanup(self.company.close)
        one, application, job = self.applicant()
        pool = self.pool()
        path = f"talent_pools/{pool['id']}"
        self.call(f"{path}/add-candidate", candidate_id=one["id"])
        self.assertEqual([p["container_id"] for p in self.made("placements")], [job["id"], pool["id"]])
        self.call(f"{path}/remove-candidate", candidate_id=one["id"])
        self.assertEqual([p["container_id"] for p in self.made("placements")], [job["id"]])
        self.assertEqual(self.call(f"applications/{application['id']}/reject")["status"], "rejected")
        self.assertEqual(self.call(f"applications/{application['id']}/hire")["status"], "hired")
        self.assertTrue(self.there("placements", application["id"])["hired_at"])

    # --- answers that are lost ----------------------------------------------------------------

    def test_what_was_done_is_found_or_told_as_unknown_and_never_done_twice(self):
        """Under resets and cut answers each create is answered with its record, or says that it
        does not know; where it is answered there is one such record."""
        one, application, job = self.applicant()
        stage = str(self.stage(job, "interview")["id"])
        content = base64.b64encode(b"a file").decode()
        kinds = {
            "candidates": ("candidates", lambda i: {"name": f"Lost {i}"}, "name", "Lost {}"),
            "activities": ("notes", lambda i: {"candidate_id": one["id"], "body": f"Lost {i}"},
                           "body", "Lost {}"),
            "attachments": ("attachments", lambda i: {"candidate_id": one["id"], "content": content,
                                                      "file_name": f"lost{i}.txt"},
                            "filename", "lost{}.txt"),
            "departments": ("departments", lambda i: {"name": f"Lost {i}"}, "name", "Lost {}"),
            "talent_pools": ("offers", lambda i: {"name": f"Lost {i}"}, "title", "Lost {}"),
        }
        for resource, (collection, body, member, name) in kinds.items():
            answered = set()
            self.set_faults(truncate=0.3)
            for i in range(12):
                status, answer = self.write("POST", resource, body(i))
                self.assertIn(status, (201, 502, 504), (resource, answer))
                if status == 201:
                    answered.add(i)
            self.set_faults()
            names = [r[member] for r in self.made(collection)]
            for i in range(12):
                count = names.count(name.format(i))
                self.assertLessEqual(count, 1, (resource, i))
                if i in answered:
                    self.assertEqual(count, 1, (resource, i))
            self.assertGreater(len(answered), 6, resource)

    def test_a_key_is_good_for_its_query_too(self):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "q-1"}
        path = f"/unified/ats/departments?integrated_account_id={self.account}"
        status, _, first = self.client.request("POST", path, {"name": "keyed"}, headers)
        self.assertEqual(status, 201, first)
        status, _, again = self.client.request("POST", path, {"name": "keyed"}, headers)
        self.assertEqual((status, again), (201, first))
        status, _, body = self.client.request("POST", path + "&remote_data=false",
                                              {"name": "keyed"}, headers)
        self.assertEqual((status, body["error"]), (409, "conflict"))

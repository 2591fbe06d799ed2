"""Sync jobs: the local copy becomes what the ATS has, and events tell how."""
import json
import time

from harness import Case, Client, create_key

WAIT_S = 60


class SyncCase(Case):
    def start(self, *sandbox_options, server_options=()):
        self.linked(*sandbox_options, server_options=server_options)
        key = create_key(self.data, "production", "--scope", "call", "--scope", "admin")["key"]
        self.connect(key)

    def connect(self, key=None):
        self.admin_key = key or self.admin_key
        self.client = Client(self.serve.host, self.admin_key)
        self.addCleanup(self.client.close)

    def ask(self, method, path, body=None, status=200):
        got, _, answer = self.client.request(method, path, body)
        self.assertEqual(got, status, answer)
        return answer

    def refused(self, method, path, body, status, error, field):
        answer = self.ask(method, path, body, status)
        self.assertEqual((answer["error"], answer.get("field")), (error, field), answer)
        return answer

    def job(self, resource="candidates", **wanted):
        return self.ask("POST", "/sync-job", {"integrated_account_id": self.account,
                                              "resource": resource, "interval_s": 3600,
                                              **wanted}, 201)["id"]

    def show(self, job):
        return self.ask("GET", f"/sync-job/{job}")

    def wait(self, job, is_so, what):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            shown = self.show(job)
            if is_so(shown):
                return shown
            time.sleep(0.02)
        self.fail(f"{what}: {shown}")

    def ended(self, job, number, status="completed"):
        shown = self.wait(job, lambda job: job["last_run"] and job["last_run"]["ended_at"] and
                          job["last_run"]["number"] >= number, f"run {number}")
        self.assertEqual(shown["last_run"]["status"], status, shown)
        return shown

    def run_now(self, job, status="completed", **wishes):
        number = (self.show(job)["last_run"] or {"number": 0})["number"]
        self.ask("POST", f"/sync-job/{job}/run", wishes)
        return self.ended(job, number + 1, status)

    def copy(self, resource="candidates"):
        """The living records by id."""
        self.client.connection.request(
            "GET", f"/export/ats/{resource}?integrated_account_id={self.account}",
            headers={"Authorization": f"Bearer {self.admin_key}"})
        text = self.client.connection.getresponse().read().decode()
        records = [json.loads(line) for line in text.splitlines()]
        return {record["id"]: {name: value for name, value in record.items()
                               if name not in ("integrated_account_id", "is_deleted")}
                for record in records}

    def same(self, got, wanted):
        """As assertEqual, but quick to tell of large ones."""
        self.assertEqual(sorted(got), sorted(wanted))
        for identifier, record in wanted.items():
            self.assertEqual(got[identifier], record)

    def live(self, resource="candidates", **query):
        records = self.every_page(resource, limit="1000", remote_data="false", **query)
        return {record["id"]: record for record in records}

    def events(self, kind="record:"):
        found, after = [], 0
        while True:
            page = self.ask("GET", f"/events?after={after}&limit=1000")["result"]
            if not page:
                break
            found += page
            after = page[-1]["number"]
        self.assertEqual([event["number"] for event in found], list(range(1, len(found) + 1)))
        return [event for event in found if event["event"].startswith(kind)]


class Sync(SyncCase):
    def test_a_first_load_is_what_the_ats_has(self):
        self.start("--candidates", "700")
        job = self.job()
        shown = self.ended(job, 1)
        self.same(self.copy(), self.live())
        run = shown["last_run"]
        self.assertEqual((run["kind"], run["progress"]["records"], run["counts"]["created"]),
                         ("full", 700, 700))
        self.assertEqual(shown["record_count"], 700)
        self.assertEqual(shown["whole_at"], run["started_at"])
        self.assertEqual(self.events(), [])
        self.assertEqual([event["event"] for event in self.events("sync_job")],
                         ["sync_job_run:started", "sync_job_run:completed"])

    def test_what_changes_becomes_events_that_give_the_copy(self):
        self.start("--candidates", "300")
        job = self.job(initial_events=True)
        self.ended(job, 1)
        for _ in range(3):
            self.step(25)
            self.run_now(job, full=True)
        self.same(self.copy(), self.live())
        told, versions = {}, {}
        for event in self.events():
            key = event["record_id"]
            self.assertEqual(event["version"], versions.get(key, 0) + 1)
            versions[key] = event["version"]
            if event["event"] == "record:deleted":
                self.assertTrue(told.pop(key))
            else:
                self.assertEqual(key in told, event["event"] == "record:updated")
                told[key] = event["payload"]["record"]
        self.same(told, self.live())

    def test_nothing_new_writes_no_record_and_tells_nobody(self):
        self.start("--candidates", "300")
        job = self.job()
        self.ended(job, 1)
        before = len(self.events(""))
        run = self.run_now(job, full=True)["last_run"]
        self.assertEqual(run["counts"],
                         {"created": 0, "updated": 0, "deleted": 0, "unchanged": 300})
        told = self.events("")[before:]
        self.assertEqual([event["event"] for event in told],
                         ["sync_job_run:started", "sync_job_run:completed"])

    def test_new_records_are_found_by_an_incremental_run(self):
        self.start("--candidates", "300")
        job = self.job(full_interval_s=86400)
        self.ended(job, 1)
        calls = self.show(job)["last_run"]["calls"]
        self.client.request("POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
                            {"name": "Ada Lovelace"})
        run = self.run_now(job)["last_run"]
        if run["kind"] == "full":  # the one before took no time, so that another costs none
            run = self.run_now(job)["last_run"]
        self.assertIn("Ada Lovelace", [record["name"] for record in self.copy().values()])
        self.assertLessEqual(run["calls"], calls)

    def test_a_sweep_that_misses_much_deletes_nothing_before_it_may(self):
        self.start("--candidates", "120")
        job = self.job()
        self.ended(job, 1)
        before = self.copy()
        for identifier in list(before)[:70]:
            self.client.request("DELETE", f"/unified/ats/candidates/{identifier}"
                                f"?integrated_account_id={self.account}")
        run = self.run_now(job, "failed", full=True)["last_run"]
        self.assertEqual(run["error"]["code"], "deletion_guard")
        self.same(self.copy(), before)
        self.assertEqual([event["event"] for event in self.events("sync_job:")],
                         ["sync_job:drift"])
        self.run_now(job, allow_deletions=True)
        self.same(self.copy(), self.live())
        self.assertEqual(len(self.events("record:deleted")), 70)

    def test_a_run_goes_on_where_a_killed_server_left_it(self):
        self.start("--candidates", "3000", server_options=("--workers", "1"))
        self.control("PUT", "delay", {"ms": 150})
        job = self.job()
        self.wait(job, lambda job: job["last_run"] and
                  job["last_run"]["progress"]["records"] >= 1000, "a part of it")
        self.serve.kill()
        self.serve = self.server(self.box)
        self.connect()
        self.control("PUT", "delay", {"ms": 0})
        run = self.ended(job, 1)["last_run"]
        self.assertEqual(run["number"], 1)
        self.same(self.copy(), self.live())
        pages = self.control("GET", "counts")["calls"]["GET /candidates"]
        self.assertLess(run["calls"], 2 + 3000 // 500 + 4, pages)

    def test_paused_it_waits_and_stopped_it_gives_up(self):
        self.start("--candidates", "3000")
        self.control("PUT", "delay", {"ms": 150})
        job = self.job()
        self.wait(job, lambda job: job["last_run"] and
                  job["last_run"]["progress"]["records"] >= 500, "a part of it")
        shown = self.ask("POST", f"/sync-job/{job}/pause")
        self.assertEqual((shown["state"], shown["next_run_at"]), ("paused", None))
        self.wait(job, lambda job: job["status"] == "stopped", "to be left")
        self.assertIsNone(self.show(job)["last_run"]["ended_at"])
        self.refused("POST", f"/sync-job/{job}/run", {}, 409, "conflict", "id")
        self.ask("POST", f"/sync-job/{job}/start")
        self.wait(job, lambda job: job["status"] == "running", "to go on")
        self.ask("POST", f"/sync-job/{job}/stop")
        self.ended(job, 1, "stopped")
        self.control("PUT", "delay", {"ms": 0})
        self.ask("POST", f"/sync-job/{job}/start")
        self.assertEqual(self.ended(job, 2)["record_count"], 3000)
        runs = self.ask("GET", f"/sync-job-run?sync_job_id={job}&limit=1")
        self.assertEqual([run["number"] for run in runs["result"]], [2])
        older = self.ask("GET", f"/sync-job-run?sync_job_id={job}&next_cursor={runs['next_cursor']}")
        self.assertEqual([run["status"] for run in older["result"]], ["stopped"])
        one = self.ask("GET", f"/sync-job-run/{older['result'][0]['id']}")
        self.assertEqual(one, older["result"][0])

    def test_lists_under_each_record_of_another(self):
        self.start("--candidates", "10")
        alone = self.job("activities")
        self.assertEqual(self.ended(alone, 1, "failed")["last_run"]["error"]["code"],
                         "parent_missing")
        parents = self.job("candidates")
        self.ended(parents, 1)
        self.assertGreater(self.run_now(alone)["record_count"], 10)
        self.step(15)
        self.run_now(parents, full=True)
        self.run_now(alone, full=True)
        there = {}
        for parent in self.live():
            there.update(self.live("activities", candidate_id=parent))
        self.same(self.copy("activities"), there)

    def test_expanded_records_are_whole_and_fetched_once(self):
        self.start("--candidates", "40")
        job = self.job(expand=True)
        self.assertEqual(self.ended(job, 1)["last_run"]["calls"], 41)
        whole = {identifier: self.fetch("candidates", identifier, remote_data="false")[2] for identifier in self.live()}
        self.same(self.copy(), whole)
        self.assertEqual(self.run_now(job, full=True)["last_run"]["calls"], 1)

    def test_details_are_fetched_again_in_time(self):
        self.start("--candidates", "40")
        job = self.job(expand=True, details_interval_s=86400)
        self.ended(job, 1)
        self.serve.stop()
        self.query("UPDATE copy SET swept_ms = swept_ms - 86400000")
        self.serve = self.server(self.box)
        self.connect()
        run = self.run_now(job, full=True)["last_run"]
        self.assertEqual((run["calls"], run["counts"]["unchanged"]), (41, 40))
        self.assertEqual(self.run_now(job, full=True)["last_run"]["calls"], 1)
        self.assertEqual(self.events(), [])

    def test_reading_whole_what_was_listed_is_no_change(self):
        self.start("--candidates", "40")
        jobs = {resource: self.job(resource) for resource in
                ("candidates", "jobs", "applications", "talent_pools", "departments", "interviews")}
        for job in jobs.values():
            self.ended(job, 1)
        for _ in range(2):
            for resource, job in jobs.items():
                for identifier in self.copy(resource):  # live, where the copy has it in part
                    status, _, _ = self.fetch(resource, identifier, max_age="3600",
                                              remote_data="false")
                    self.assertEqual(status, 200)
                self.run_now(job, full=True)
        told = self.events()
        self.assertGreater(len(told), 40)
        for event in told:
            self.assertEqual((event["event"], event["payload"]["changed"], event["version"]),
                             ("record:updated", [], 1))
            self.assertTrue(event["payload"]["learned"])
        tags = [job["tags"] for job in self.copy("jobs").values() if job["tags"]]
        self.assertTrue(all(tag["id"] for some in tags for tag in some))
        photos = [record["photo_url"] for record in self.copy().values() if record["photo_url"]]
        self.assertTrue(photos and not [photo for photo in photos if "thumb" in photo])

    def test_all_that_can_be_listed_is_kept_under_faults(self):
        self.start("--candidates", "200", "--fault", "server_error:0.05", "--fault", "reset:0.02",
                   "--fault", "truncate:0.02", "--fault", "garbage:0.02")
        resources = ["candidates", "applications", "jobs", "departments", "offices", "users", "tags",
                     "sources", "reject_reasons", "talent_pools", "scorecards", "interviews"]
        answer = self.ask("POST", "/sync-job", {"integrated_account_id": self.account,
                                                "resources": resources, "interval_s": 3600}, 201)
        self.assertEqual([job["resource"] for job in answer["result"]], resources)
        jobs = {job["resource"]: job["id"] for job in answer["result"]}
        for job in jobs.values():
            self.ended(job, 1)
        self.step(30)
        for job in jobs.values():
            self.run_now(job, full=True)
        self.set_faults()
        for resource in resources:
            self.same(self.copy(resource), self.live(resource))
        listed = self.ask("GET", f"/sync-job?integrated_account_id={self.account}&limit=5")
        self.assertEqual(len(listed["result"]), 5)
        self.assertIsNotNone(listed["next_cursor"])

    def test_a_job_goes_with_its_records_or_without(self):
        self.start("--candidates", "20")
        job = self.job()
        self.ended(job, 1)
        self.ask("DELETE", f"/sync-job/{job}")
        self.ask("GET", f"/sync-job/{job}", status=404)
        self.assertEqual(len(self.copy()), 20)
        job = self.job()
        self.assertEqual(self.ended(job, 1)["last_run"]["counts"]["unchanged"], 20)
        self.ask("DELETE", f"/sync-job/{job}?delete_records=true")
        self.assertEqual(self.copy(), {})

    def test_an_account_takes_its_jobs_along(self):
        self.start("--candidates", "20")
        job = self.job()
        self.ended(job, 1)
        self.ask("DELETE", f"/integrated-account/{self.account}")
        self.ask("GET", f"/sync-job/{job}", status=404)
        self.assertEqual(self.ask("GET", "/sync-job")["result"], [])

    def test_what_is_wrong_is_named(self):
        self.start("--candidates", "5")
        good = {"integrated_account_id": self.account, "resource": "candidates"}
        for more, field in (({"interval_s": 9}, "interval_s"), ({"mode": "fast"}, "mode"),
                            ({"rate_share": 0.01}, "rate_share"), ({"window": {"from": "8"}}, "window"),
                            ({"drift": {"count": 2}}, "drift"), ({"expand": 1}, "expand"),
                            ({"resources": ["tags"]}, "resources"), ({"intervall": 1}, "body")):
            self.refused("POST", "/sync-job", {**good, **more}, 400, "invalid", field)
        self.refused("POST", "/sync-job", {**good, "resource": "offers"}, 501, "not_supported",
                     "resource")
        self.refused("POST", "/sync-job", {**good, "resource": "tags", "mode": "incremental"}, 501,
                     "not_supported", "mode")
        job = self.job(window={"from": "22:00", "to": "06:00", "time_zone": "+02:00"})
        self.refused("POST", "/sync-job", good, 409, "conflict", "resource")
        self.refused("PATCH", f"/sync-job/{job}", {"resource": "tags"}, 400, "invalid", "body")
        shown = self.ask("PATCH", f"/sync-job/{job}", {"interval_s": 10, "window": None,
                                                       "rate_share": 0.25, "drift": None})
        self.assertEqual((shown["interval_s"], shown["window"], shown["rate_share"], shown["drift"]),
                         (10, None, 0.25, {"count": None, "fields": None}))

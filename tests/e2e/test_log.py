"""The log of calls: what each door's call left there, who sees it, and how it is asked."""
import json
import threading
import time

from harness import Case, Client, create_key, link_account

MEMBERS = {"id", "created_at", "integrated_account_id", "connector", "door", "resource", "method",
           "status", "error", "duration_ms", "upstream_ms", "wait_ms", "call_count", "retry_count",
           "result_count", "request_id", "mcp_server_id", "tool", "client_name", "client_version"}
FREE = ("--limit", "requests=100000")  # a patient client would wait


class Log(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "40", link_options=FREE)

    def log(self, client=None, **query):
        status, _, page = (client or self.client).get("/log", **query)
        self.assertEqual(status, 200, page)
        self.assertEqual(set(page), {"result", "next_cursor", "prev_cursor", "result_count"})
        self.assertEqual(page["result_count"], len(page["result"]))
        for record in page["result"]:
            self.assertEqual(set(record), MEMBERS)
        return page["result"]

    def last(self, **query):
        return self.log(limit=1, **query)[0]

    def looks(self, record, **wanted):
        self.assertEqual({k: record[k] for k in wanted}, wanted)

    def call(self, method, path, body=None, headers=None):
        sign = "&" if "?" in path else "?"
        return self.client.request(method, f"{path}{sign}integrated_account_id={self.account}",
                                   body, headers)

    # --- records -----------------------------------------------------------------------------

    def test_each_door_leaves_a_record(self):
        _, headers, page = self.list("candidates", limit=5)
        record = self.last()
        self.looks(record, integrated_account_id=self.account, connector="recruitee",
                   door="unified", resource="candidates", method="list", status=200, error=None,
                   result_count=5, retry_count=0, request_id=headers["x-request-id"])
        self.assertGreaterEqual(record["call_count"], 1)
        self.assertLessEqual(record["upstream_ms"], record["duration_ms"])
        self.fetch("candidates", page["result"][0]["id"])
        self.looks(self.last(), resource="candidates", method="get", result_count=1)
        self.call("POST", "/unified/ats/candidates", {"name": "Ilse Vandersteen"})
        self.looks(self.last(), method="create", status=201, result_count=None)
        self.call("GET", "/proxy/offers?limit=3")
        self.looks(self.last(), door="proxy", resource="offers", method="list", result_count=3)
        self.call("GET", "/proxy/offers/1")
        self.looks(self.last(), method="get", status=404, error="not_found", result_count=None)
        self.call("GET", "/custom/offers")
        self.looks(self.last(), door="custom", resource=None, method="GET", status=200)
        self.list("candidates", response_format="stream", limit=7)
        self.looks(self.last(), method="list", status=200, result_count=41)
        # Looking into the log is no call.
        self.assertEqual(len(self.log()), 7)

    def test_files_and_batches_leave_records(self):
        candidate = self.with_file()
        file = self.every_page("attachments", candidate_id=candidate)[0]["id"]
        _, headers, _ = self.call(
            "GET", f"/unified/ats/attachments/{file}/download?candidate_id={candidate}")
        self.looks(self.last(), door="unified", resource="attachments", method="download",
                   status=200, error=None, result_count=None, request_id=headers["x-request-id"])
        self.call("GET", f"/unified/ats/attachments/9999/download?candidate_id={candidate}")
        self.looks(self.last(), method="download", status=404, error="not_found")
        before = len(self.log())
        _, headers, answer = self.call("POST", "/batch-request", {
            "integrated_account_id": self.account,
            "resources": [{"resource": "ats/jobs", "query": {"limit": 2}},
                          {"resource": "ats/tags"}, {"resource": "departments"}]})
        records = self.log()[:-before]
        self.assertEqual({(r["door"], r["resource"], r["method"]) for r in records},
                         {("unified", "jobs", "list"), ("unified", "tags", "list"),
                          ("proxy", "departments", "list")}, answer)
        for record in records:
            self.assertEqual(record["request_id"].partition(".")[0], headers["x-request-id"])

    def with_file(self):
        """The id of a candidate who has one."""
        for candidate in self.every_page("candidates", expand="true"):
            if candidate["attachments"]:
                return candidate["id"]
        self.fail("nobody has a file")

    def test_failures_and_retries_are_told(self):
        self.list("candidates", limit=5000)
        self.looks(self.last(), status=400, error="invalid", call_count=0,
                   integrated_account_id=None)
        self.list("no_such_thing")
        self.looks(self.last(), status=404, error="not_found", resource=None, method=None)
        self.fetch("jobs", "999999999")
        self.looks(self.last(), status=404, error="not_found", resource="jobs", method="get")
        self.set_faults(server_error=1)
        self.call("POST", "/proxy/candidates", {"candidate": {"name": "Nobody"}})
        self.assertGreaterEqual(self.last()["status"], 500)
        self.set_faults(server_error=0)
        # Whoever shows no key leaves nothing: nobody knows whose log that would be.
        before = len(self.log())
        anybody = Client(self.serve.host)
        anybody.get("/unified/ats/jobs", integrated_account_id=self.account)
        anybody.close()
        self.assertEqual(len(self.log()), before)

    def test_the_same_again_is_a_record_of_its_own(self):
        for _ in range(2):
            self.call("POST", "/proxy/candidates", {"candidate": {"name": "Once Only"}},
                      {"Idempotency-Key": "k1"})
        first, second = self.log(door="proxy")[::-1]
        self.looks(first, resource="candidates", method="create", call_count=1)
        self.looks(second, resource="candidates", method="create", call_count=0,
                   status=first["status"], error=None)

    def test_nothing_of_bodies_names_and_secrets_gets_in(self):
        secret = "Zx9-nowhere-in-the-log"
        self.call("POST", "/unified/ats/candidates", {"name": secret, "no_field": secret})
        self.call("POST", "/proxy/candidates", {"candidate": {"name": secret}})
        self.call("GET", f"/custom/candidates/{secret}?q={secret}")
        self.call("GET", f"/proxy/{secret}/{secret}/{secret}")
        self.call("POST", f"/unified/ats/{secret}/{secret}", {})
        self.call("POST", f"/unified/ats/candidates/{secret}/{secret}", {})
        self.list("candidates", email=secret, **{f"remote_query[{secret}]": secret})
        self.client.get("/unified/ats/jobs", integrated_account_id=secret)
        self.assertEqual(len(self.log()), 8)
        self.assertEqual(self.serve.stop(), 0)
        rows = self.query("SELECT * FROM call_log")
        self.assertEqual(len(rows), 8)
        self.assertNotIn(secret, json.dumps(rows))
        self.assertNotIn("canary", json.dumps(rows))

    # --- asking ------------------------------------------------------------------------------

    def test_filters_give_what_they_say(self):
        other = json.loads(link_account(self.data, self.box).stdout)["id"]
        for resource in ("jobs", "candidates", "nothing"):
            self.list(resource, limit=1)
        self.client.get("/unified/ats/jobs", integrated_account_id=other)
        self.call("GET", "/proxy/offers")
        whole = self.log()
        self.assertEqual(len(whole), 5)
        times = sorted(r["created_at"] for r in whole)
        for query, wanted in [
                ({"integrated_account_id": other}, lambda r: r["integrated_account_id"] == other),
                ({"door": "proxy"}, lambda r: r["door"] == "proxy"),
                ({"resource": "jobs"}, lambda r: r["resource"] == "jobs"),
                ({"method": "list", "resource": "offers"}, lambda r: r["resource"] == "offers"),
                ({"connector": "recruitee"}, lambda r: r["connector"] == "recruitee"),
                ({"connector": "other"}, lambda r: False),
                ({"status": "404"}, lambda r: r["status"] == 404),
                ({"status": "2xx"}, lambda r: r["status"] < 300),
                ({"status[gte]": 400, "status[lt]": 500}, lambda r: 400 <= r["status"] < 500),
                ({"status[gt]": 404}, lambda r: False),
                ({"status[lte]": 200}, lambda r: r["status"] <= 200),
                ({"error": "not_found"}, lambda r: r["error"] == "not_found"),
                ({"request_id": whole[2]["request_id"]}, lambda r: r is whole[2]),
                ({"created_at[gte]": times[2]}, lambda r: r["created_at"] >= times[2]),
                ({"created_at[gt]": times[2]}, lambda r: r["created_at"] > times[2]),
                ({"created_at[lte]": times[2]}, lambda r: r["created_at"] <= times[2]),
                ({"created_at[lt]": times[2]}, lambda r: r["created_at"] < times[2])]:
            with self.subTest(query):
                self.assertEqual(self.log(**query), [r for r in whole if wanted(r)])
        paged, cursor = [], None
        while True:
            more = {"next_cursor": cursor} if cursor else {}
            _, _, page = self.client.get("/log", limit=2, **more)
            paged += page["result"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual(paged, whole)

    def test_what_cannot_be_asked_is_refused_by_name(self):
        for name, value in [("door", "back"), ("status", "4x"), ("status", "6xx"),
                            ("status[gte]", "many"), ("error", "oops"), ("limit", "0"),
                            ("next_cursor", "x"), ("created_at[gt]", "yesterday"),
                            ("created_at", "2026-01-01T00:00:00Z"), ("created_at[eq]", "1"),
                            ("resource", ""), ("candidate_id", "1")]:
            with self.subTest(name):
                status, _, body = self.client.get("/log", **{name: value})
                self.assertEqual((status, body["error"], body["field"]), (400, "invalid", name))
                self.assertTrue(body["allowed"])
        for one, other in [("status[gt]", "status[gte]"), ("status", "status[lt]")]:
            status, _, body = self.client.get("/log", **{one: "200", other: "400"})
            self.assertEqual((status, body["field"]), (400, other))

    def test_an_environment_sees_its_own(self):
        self.list("jobs", limit=1)
        stranger = Client(self.serve.host, create_key(self.data, "staging")["key"])
        self.addCleanup(stranger.close)
        self.assertEqual(self.log(stranger), [])
        # Another's account is none of theirs, and the attempt is in their own log.
        stranger.get("/unified/ats/jobs", integrated_account_id=self.account)
        self.looks(self.log(stranger)[0], status=404, integrated_account_id=None)
        self.assertEqual(len(self.log()), 1)
        admin = create_key(self.data, "production", "--scope", "admin")["key"]
        admin = Client(self.serve.host, admin)
        self.addCleanup(admin.close)
        self.assertEqual(self.log(admin), self.log())
        anybody = Client(self.serve.host)
        self.addCleanup(anybody.close)
        self.assertEqual(anybody.get("/log")[0], 401)

    # --- keeping -----------------------------------------------------------------------------

    def test_calls_of_many_at_once_are_all_there_after_a_stop(self):
        def work():
            client = Client(self.serve.host, self.key)
            for _ in range(25):
                client.get("/proxy/departments", integrated_account_id=self.account)
            client.close()
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.serve.stop(), 0)
        self.serve = self.server(self.box)
        client = Client(self.serve.host, self.key)
        self.addCleanup(client.close)
        records = self.log(client, limit=1000)
        self.assertEqual(len(records), 200)
        self.assertEqual(len({r["request_id"] for r in records}), 200)
        ids = [int(r["id"]) for r in records]
        self.assertEqual(ids, sorted(ids, reverse=True))

    def test_none_are_kept_where_none_are_wanted(self):
        self.list("jobs", limit=1)
        self.assertEqual(len(self.log()), 1)
        self.assertEqual(self.serve.stop(), 0)
        # Administration without a server forgets nothing, however long the server remembers.
        create_key(self.data)
        self.serve = self.server(self.box, "--log-days", "0")
        client = Client(self.serve.host, self.key)
        self.addCleanup(client.close)
        client.get("/unified/ats/jobs", integrated_account_id=self.account)
        deadline = time.monotonic() + 60
        while self.log(client) and time.monotonic() < deadline:
            pass
        self.assertEqual(self.log(client), [])
        _, _, metrics = client.get("/metrics")
        self.assertIn(b"tenon_log_dropped_total 0", metrics)

"""The main job: link an account, read it through one API."""
import json
import pathlib

from harness import COMPANY, TOKEN, Case, Client, Process, create_key, link_account, run_tenon

RESOURCES = ("activities", "applications", "candidates", "departments", "jobs", "tags", "users")


class MainJob(Case):
    def test_without_a_server_then_with_one(self):
        """Keys and accounts are made on the data folder itself, and live on in a server."""
        box = self.sandbox("--candidates", "50")
        made = create_key(self.data)
        account = json.loads(link_account(self.data, box).stdout)
        self.assertTrue(account["id"].startswith("acc_"))
        self.assertNotIn("credentials", account)
        called = run_tenon("call", "GET", "ats/candidates", "--account", account["id"],
                           "--data", str(self.data), "-q", "limit=3",
                           "--connector-base-url", f"recruitee=http://{box.host}")
        self.assertEqual(json.loads(called.stdout)["result_count"], 3)
        server = self.server(box)
        client = Client(server.host, made["key"])
        status, _, page = client.get("/unified/ats/candidates",
                                     integrated_account_id=account["id"], limit=3)
        self.assertEqual(status, 200, page)
        self.assertEqual(page["result"], json.loads(called.stdout)["result"])
        client.close()
        self.assertEqual(server.stop(), 0)

    def test_every_resource_lists_and_gets(self):
        self.linked("--candidates", "60")
        for resource in RESOURCES:
            status, headers, page = self.list(resource, limit=5)
            self.assertEqual(status, 200, (resource, page))
            self.assertTrue(page["result"], resource)
            self.assertIn("upstream;dur=", headers["server-timing"])
            self.assertIn("tenon;dur=", headers["server-timing"])
            self.assertRegex(headers["x-request-id"], "^[0-9a-f]{16}$")
            for record in page["result"]:
                self.assertIsInstance(record["id"], str, resource)
                self.assertIn("remote_data", record)
            if resource == "activities":
                continue
            first = page["result"][0]
            status, _, one = self.fetch(resource, first["id"])
            self.assertEqual(status, 200, (resource, one))
            self.assertEqual(one["id"], first["id"])

    def test_records_of_one_candidate(self):
        self.linked("--candidates", "120", link_options=("--limit", "requests=100000"))
        kinds = set()
        attachments = 0
        for candidate in self.every_page("candidates", limit=40):
            status, _, page = self.list("activities", candidate_id=candidate["id"])
            self.assertEqual(status, 200, page)
            for activity in page["result"]:
                kinds.add(activity["activity_type"])
                self.assertEqual(activity["candidate"]["id"], candidate["id"])
            status, _, page = self.list("attachments", candidate_id=candidate["id"])
            self.assertEqual(status, 200, page)
            for attachment in page["result"]:
                attachments += 1
                self.assertTrue(attachment["file_name"])
                self.assertEqual(attachment["candidate"]["id"], candidate["id"])
            status, _, page = self.list("applications", candidate_id=candidate["id"])
            self.assertEqual(status, 200, page)
            self.assertEqual([a["id"] for a in page["result"]],
                             [a["id"] for a in candidate["applications"]])
        self.assertIn("note", kinds)
        self.assertGreater(attachments, 10)

    def test_get_of_activities_and_attachments(self):
        self.linked("--candidates", "60", link_options=("--limit", "requests=100000"))
        seen = set()
        for candidate in self.every_page("candidates", limit=60):
            for resource in ("activities", "attachments"):
                _, _, page = self.list(resource, candidate_id=candidate["id"])
                for record in page["result"][:2]:
                    status, _, one = self.fetch(resource, record["id"], candidate_id=candidate["id"])
                    self.assertEqual(status, 200, one)
                    self.assertEqual(one, record)
                    seen.add(resource)
        self.assertEqual(seen, {"activities", "attachments"})

    def test_partial_lists_and_expand(self):
        """What only the detail has is absent in a list, and there when it is asked for."""
        self.linked("--candidates", "30")
        _, _, part = self.list("candidates", limit=12)
        self.assertTrue(part["is_partial_response"])
        self.assertNotIn("tags", part["result"][0])
        status, _, whole = self.list("candidates", limit=12, expand="true")
        self.assertEqual(status, 200, whole)
        self.assertFalse(whole["is_partial_response"])
        self.assertEqual([c["id"] for c in whole["result"]], [c["id"] for c in part["result"]])
        for candidate in whole["result"]:
            self.assertIsInstance(candidate["tags"], list)
            _, _, one = self.fetch("candidates", candidate["id"])
            self.assertEqual(one, candidate)

    def test_remote_data_is_the_ats_own_record(self):
        self.linked("--candidates", "10")
        box = Client(self.box.host, TOKEN)
        _, _, native = box.get(f"/c/{COMPANY}/candidates", limit=10)
        box.close()
        _, _, page = self.list("candidates", limit=10)
        self.assertEqual([c["remote_data"] for c in page["result"]], native["candidates"])
        _, _, page = self.list("candidates", limit=10, remote_data="false")
        self.assertNotIn("remote_data", page["result"][0])

    def test_older_shapes(self):
        self.linked("--candidates", "40", "--shape", "old")
        for resource in RESOURCES:
            status, _, page = self.list(resource, limit=10)
            self.assertEqual(status, 200, (resource, page))
            self.assertTrue(page["result"], resource)
        ids = {c["id"] for c in self.every_page("candidates", limit=7)}
        self.assertEqual(ids, {str(i) for i in self.truth()["ids"]})

    def test_filters_that_the_ats_applies(self):
        self.linked("--candidates", "300")
        _, _, jobs = self.list("jobs", limit=50)
        job = next(j for j in jobs["result"] if j["counts"]["candidates"])
        records = self.every_page("candidates", job_id=job["id"])
        self.assertTrue(records)
        for record in records:
            self.assertIn(job["id"], [a["job"]["id"] for a in record["applications"]])
        records = self.every_page("applications", job_id=job["id"])
        self.assertTrue(records)
        for record in records:
            self.assertEqual(record["job"]["id"], job["id"])

    def test_status_pages(self):
        self.linked("--candidates", "10")
        bare = Client(self.serve.host)
        self.assertEqual(bare.get("/healthz")[0], 200)
        self.assertEqual(bare.get("/readyz")[0], 200)
        self.list("tags")
        status, headers, text = bare.get("/metrics")
        bare.close()
        self.assertEqual(status, 200)
        self.assertTrue(headers["content-type"].startswith("text/plain"))
        text = text.decode()
        for name in ("tenon_requests_total", "tenon_upstream_calls_total",
                     "tenon_request_duration_seconds_bucket", "tenon_store_commits_total",
                     "process_resident_memory_bytes"):
            self.assertIn(f"\n{name}", text)
        self.assertIn('tenon_integrated_accounts{status="active"} 1', text)

    def test_a_token_that_was_revoked(self):
        """A 401 of the ATS sets the account to needs_reauth."""
        self.linked("--candidates", "10")
        self.box.stop()
        again = Process(["sandbox", "recruitee", "--listen", self.box.host, "--token", "another",
                         "--company", COMPANY])
        self.addCleanup(again.kill)
        status, _, body = self.list("tags")
        self.assertEqual(status, 401, body)
        self.assertEqual(body["remote"]["status"], 401)
        shown = run_tenon("account", "show", self.account, "--environment", "production",
                          "--data", str(self.data), "--json")
        self.assertEqual(json.loads(shown.stdout)["status"], "needs_reauth")

    def test_a_lost_master_key_is_not_replaced(self):
        """A new key would shut everything out without a word: the server says so and ends."""
        self.linked("--candidates", "10")
        self.serve.stop()
        (self.data / "master.key").rename(self.folder / "kept.key")
        done = run_tenon("serve", "--listen", "127.0.0.1:0", "--data", str(self.data), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("master.key is missing", done.stderr)
        self.assertFalse((self.data / "master.key").exists())
        again = self.server(self.box, "--master-key", str(self.folder / "kept.key"))
        client = Client(again.host, self.key)
        status, _, page = client.get("/unified/ats/tags", integrated_account_id=self.account)
        client.close()
        self.assertEqual(status, 200, page)

    def test_administration_over_http(self):
        self.linked("--candidates", "10")
        admin = Client(self.serve.host, create_key(self.data, "production", "--scope", "admin")["key"])
        status, _, account = admin.request("POST", "/integrated-account", {
            "connector": "recruitee", "tenant_id": "customer-7",
            "context": {"company_id": COMPANY}, "credentials": {"api_token": TOKEN}})
        self.assertEqual(status, 201, account)
        self.assertEqual(account["tenant_id"], "customer-7")
        self.assertEqual(account["status"], "active")
        status, _, page = admin.get("/integrated-account")
        self.assertEqual({a["id"] for a in page["result"]}, {account["id"], self.account})
        self.assertEqual(admin.request("DELETE", f"/integrated-account/{account['id']}")[0], 200)
        self.assertEqual(admin.get(f"/integrated-account/{account['id']}")[0], 404)
        status, _, page = admin.get("/integration")
        self.assertEqual([i["name"] for i in page["result"]], ["recruitee"])
        admin.close()

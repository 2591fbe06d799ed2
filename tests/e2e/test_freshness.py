"""Fresh or from the local copy, by the caller's choice: the same records, in the same envelope."""
import json
import urllib.parse

from harness import Case, Client, create_key


class Freshness(Case):
    def ask(self, resource, **query):
        query = {"integrated_account_id": self.account, **query}
        status, headers, body = self.client.request(
            "GET", f"/unified/ats/{resource}?" + urllib.parse.urlencode(query))
        self.assertEqual(status, 200, (resource, query, body))
        return {name.lower(): value for name, value in headers.items()}, body

    def refused(self, resource, **query):
        query = {"integrated_account_id": self.account, **query}
        status, _, body = self.client.request(
            "GET", f"/unified/ats/{resource}?" + urllib.parse.urlencode(query))
        self.assertEqual(status, 400, body)
        return body["field"]

    def sync(self, resource):
        key = create_key(self.data, "production", "--scope", "admin")["key"]
        admin = Client(self.serve.host, key)
        self.addCleanup(admin.close)
        status, _, job = admin.request("POST", "/sync-job", {
            "integrated_account_id": self.account, "resource": resource, "interval_s": 3600})
        self.assertIn(status, (200, 201), job)
        # The first load is told when it is done.
        _, _, page = admin.get("/events", type="sync_job_run:completed", after=0, wait=30)
        self.assertEqual(len(page["result"]), 1, page)

    def pages(self, resource, **query):
        records, cursor = [], {}
        while True:
            headers, page = self.ask(resource, **query, **cursor)
            self.assertEqual(headers["x-tenon-source"], "copy")
            self.assertLess(int(headers["age"]), 3600)
            records += page["result"]
            if not page["next_cursor"]:
                return records
            cursor = {"next_cursor": page["next_cursor"]}

    def test_the_copy_is_the_list(self):
        self.linked("--candidates", "80", link_options=("--limit", "requests=100000"))
        live = {r["id"]: r for r in
                self.every_page("candidates", limit=1000, remote_data="false")}
        self.assertEqual(self.ask("candidates")[0]["x-tenon-source"], "live")
        self.assertEqual(self.refused("candidates", search="x"), "search")
        self.sync("candidates")
        copied = self.pages("candidates", max_age=3600, limit=30)
        self.assertEqual({r["id"]: r for r in copied}, live)
        # Sorted, keyed, chosen fields, counted.
        ordered = self.pages("candidates", max_age=3600, limit=7, fields="id,created_at",
                             **{"sort_by[created_at]": "asc"})
        self.assertEqual([r["created_at"] for r in ordered],
                         sorted(r["created_at"] for r in live.values()))
        _, page = self.ask("candidates", count="true", limit=1, key_by="id")
        self.assertEqual(page["total_count"], 80)
        self.assertEqual(page["result_count"], 1)
        # Without a word of max_age it is the ATS, and so where its own record is wanted.
        headers, page = self.ask("candidates", max_age=3600, remote_data="true", limit=1)
        self.assertEqual(headers["x-tenon-source"], "live")
        self.assertIn("remote_data", page["result"][0])
        headers, _ = self.ask("candidates", truto_super_query="true", limit=1)
        self.assertEqual(headers["x-tenon-source"], "copy")
        headers, _ = self.ask("candidates", max_age=0, limit=1)
        self.assertEqual(headers["x-tenon-source"], "live")
        self.assertEqual(self.refused("candidates", max_age="soon"), "max_age")

    def test_words_are_found(self):
        self.linked("--candidates", "40", link_options=("--limit", "requests=100000"))
        self.sync("candidates")
        copied = self.pages("candidates", max_age=3600)
        wanted = copied[7]
        word = wanted["name"].split()[-1]
        found = self.ask("candidates", search=word)[1]["result"]
        self.assertIn(wanted["id"], [r["id"] for r in found])
        for record in found:
            self.assertIn(word.lower(), str(record).lower())
        self.assertEqual(self.ask("candidates", search="nobodyiscalledthis")[1]["result"], [])

    def test_a_deleted_record_is_told(self):
        self.linked("--candidates", "10", link_options=("--limit", "requests=100000"))
        self.sync("candidates")
        gone = self.pages("candidates", max_age=3600)[0]["id"]
        self.assertEqual(self.client.request(
            "DELETE", f"/unified/ats/candidates/{gone}?integrated_account_id={self.account}")[0],
            200)
        # The ATS says so to whoever asks it under max_age, here for more than the list tells, and
        # the copy has it from then on.
        self.assertEqual(self.client.request(
            "GET", f"/unified/ats/candidates/{gone}?integrated_account_id={self.account}"
            "&max_age=3600")[0], 404)
        ids = [r["id"] for r in self.pages("candidates", max_age=3600)]
        self.assertNotIn(gone, ids)
        _, page = self.ask("candidates", include_deleted="true", count="true")
        told = [r for r in page["result"] if r["id"] == gone]
        self.assertEqual(page["total_count"], 10)
        self.assertTrue(told[0]["deleted_at"])

    def tool(self, tools, name, **arguments):
        """What a tool gives; a text where it refuses."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": name, "arguments": arguments}}
        status, _, body = tools.request("POST", self.endpoint, message,
                                        {"Content-Type": "application/json"})
        self.assertEqual(status, 200, body)
        text = body["result"]["content"][0]["text"]
        return text if body["result"].get("isError") else json.loads(text)

    def test_tools_have_it_too(self):
        self.linked("--candidates", "40", link_options=("--limit", "requests=100000"))
        key = create_key(self.data, "production", "--scope", "admin")["key"]
        admin = Client(self.serve.host, key)
        self.addCleanup(admin.close)
        server = admin.request("POST", f"/integrated-account/{self.account}/mcp", {})[2]
        self.endpoint = urllib.parse.urlsplit(server["url"]).path
        tools = Client(self.serve.host, server["token"])
        self.addCleanup(tools.close)
        self.assertIn("search", self.tool(tools, "list_all_ats_candidates", search="x"))
        self.assertNotIn("age", self.tool(tools, "list_all_ats_candidates", max_age=3600))
        self.sync("candidates")
        page = self.tool(tools, "list_all_ats_candidates", max_age=3600, count=True, limit=30,
                         fields="id,name")
        self.assertEqual(page["total_count"], 40)
        self.assertLess(page["age"], 3600)
        rest = self.tool(tools, "list_all_ats_candidates", cursor=page["next_cursor"], limit=30,
                         fields="id,name")
        self.assertEqual({r["id"] for r in page["result"] + rest["result"]},
                         {r["id"] for r in self.pages("candidates", max_age=3600)})
        wanted = page["result"][3]
        found = self.tool(tools, "list_all_ats_candidates", search=wanted["name"].split()[-1])
        self.assertIn(wanted["id"], [r["id"] for r in found["result"]])
        self.assertIn("max_age", self.tool(
            tools, "list_all_ats_candidates", max_age=-1))

    def test_a_batch_has_it_too(self):
        self.linked("--candidates", "10", link_options=("--limit", "requests=100000"))
        self.sync("candidates")
        self.box.kill()  # there is nobody else to ask
        status, _, body = self.client.request("POST", "/batch-request", {
            "integrated_account_id": self.account,
            "resources": [{"resource": "ats/candidates",
                           "query": {"max_age": 3600}}]})
        self.assertEqual(status, 200, body)
        self.assertEqual(len(body["result"]["ats/candidates"]), 10)

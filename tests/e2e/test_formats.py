"""response_format: what of an answer is the ATS's, and what it took."""
import http.client
import json
import urllib.parse

from harness import Case


class Formats(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "40", link_options=("--limit", "requests=100000"))

    def get(self, path, **query):
        query["integrated_account_id"] = self.account
        return self.client.get("/unified/ats/" + path, **query)

    def test_raw(self):
        _, _, unified = self.get("candidates", limit=7)
        status, _, raw = self.get("candidates", limit=7, response_format="raw")
        self.assertEqual(status, 200, raw)
        self.assertEqual(raw["result_count"], 1)
        self.assertEqual([c["id"] for c in raw["result"][0]["candidates"]],
                         [int(r["id"]) for r in unified["result"]])
        self.assertIn("references", raw["result"][0])
        _, _, more = self.get("candidates", limit=7, response_format="raw",
                              next_cursor=raw["next_cursor"])
        self.assertNotEqual(more["result"], raw["result"])
        _, _, one = self.get("candidates/" + unified["result"][0]["id"], response_format="raw")
        self.assertEqual(str(one["candidate"]["id"]), unified["result"][0]["id"])
        # One record is looked for in a list: its page is what the ATS said.
        tag = self.get("tags")[2]["result"][0]["id"]
        _, _, tags = self.get("tags/" + tag, response_format="raw")
        self.assertIn(int(tag), [t["id"] for t in tags["tags"]])

    def test_normalized(self):
        for resource in ("candidates", "applications", "jobs", "tags"):
            _, _, unified = self.get(resource, limit=9)
            _, _, own = self.get(resource, limit=9, response_format="normalized")
            self.assertEqual(own["result"], [r["remote_data"] for r in unified["result"]])
            self.assertEqual(own["result_count"], len(own["result"]))
        _, _, named = self.get("jobs", response_format="normalized", **{"sort_by[name]": "asc"})
        names = [j["title"] for j in named["result"]]
        self.assertEqual(names, sorted(names, key=str.encode))
        _, _, one = self.get("jobs/" + self.get("jobs")[2]["result"][0]["id"],
                             response_format="normalized")
        self.assertIn("title", one)

    def test_debug(self):
        _, _, plain = self.get("candidates", limit=5)
        _, _, body = self.get("candidates", limit=5, response_format="debug")
        self.assertEqual(body["result"], plain["result"])
        debug = body["debug"]
        self.assertEqual(debug["call_count"], len(debug["calls"]))
        call = debug["calls"][0]
        self.assertEqual((call["method"], call["status"]), ("GET", 200))
        self.assertIn("/candidates?", call["url"])
        self.assertEqual(len(call["body"]["candidates"]), 5)
        # A second name of the parameter, and a write.
        _, _, made = self.client.request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.account}"
            "&truto_response_format=debug", {"name": "Debug Me"})
        self.assertEqual(made["result"]["name"], "Debug Me")
        self.assertEqual(made["debug"]["calls"][0]["method"], "POST")

    def test_debug_tells_the_tries(self):
        self.set_faults(server_error=0.5)
        for _ in range(20):
            status, _, body = self.get("candidates", limit=2, response_format="debug")
            if status == 200 and body["debug"]["retry_count"] > 0:
                break
        statuses = [c["status"] for c in body["debug"]["calls"]]
        self.assertEqual(statuses[-1], 200)
        self.assertEqual(len(statuses), body["debug"]["retry_count"] + 1)
        self.assertGreaterEqual(min(statuses[:-1]), 500)

    def stream(self, resource, **query):
        query.update(integrated_account_id=self.account, response_format="stream")
        connection = self.client.connection
        connection.request("GET", f"/unified/ats/{resource}?" + urllib.parse.urlencode(query),
                           headers={"Authorization": f"Bearer {self.client.key}"})
        return connection.getresponse()

    def test_stream(self):
        whole = self.every_page("candidates", limit=1000)
        for limit in (3, 1000):
            reply = self.stream("candidates", limit=limit)
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.getheader("Content-Type"), "application/x-ndjson")
            self.assertEqual([json.loads(line) for line in reply.read().splitlines()], whole)
        reply = self.stream("jobs", limit=2, fields="id,name", **{"sort_by[name]": "desc"})
        names = [json.loads(line)["name"] for line in reply.read().splitlines()]
        self.assertEqual(names, sorted(names, key=str.encode, reverse=True))

    def test_a_stream_that_fails_is_not_taken_for_whole(self):
        reply = self.stream("jobs", colour="red")
        self.assertEqual((reply.status, json.load(reply)["field"]), (400, "colour"))
        reply = self.stream("candidates", limit=1)
        reply.readline()
        self.set_faults(content_type=1)
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            reply.read()

    def test_what_is_refused(self):
        for path, query, field in (
                ("candidates", {"response_format": "xml"}, "response_format"),
                ("candidates", {"response_format": "raw", "fields": "id"}, "fields"),
                ("candidates", {"response_format": "raw", "key_by": "id"}, "key_by"),
                ("candidates", {"response_format": "raw", "expand": "true"}, "expand"),
                ("candidates", {"response_format": "raw", "sort_by[name]": "asc"}, "sort_by"),
                ("candidates", {"response_format": "raw", "name": "x"}, "name"),
                ("candidates", {"response_format": "normalized", "remote_data": "false"},
                 "remote_data"),
                ("candidates", {"response_format": "stream", "key_by": "id"}, "key_by"),
                ("candidates/1", {"response_format": "stream"}, "response_format")):
            status, _, body = self.get(path, **query)
            self.assertEqual((status, body.get("field")), (400, field), (query, body))
        status, _, body = self.client.request(
            "POST", f"/unified/ats/tags?integrated_account_id={self.account}&response_format=raw",
            {"name": "x"})
        self.assertEqual((status, body["field"]), (400, "response_format"))

"""The ATS in its own terms, /proxy and /custom, held against direct calls of the sandbox."""
import http.client
import json
import re
import urllib.parse

from harness import COMPANY, ROOT, TOKEN, Case, Client, create_key, link_account

FREE = ("--limit", "requests=100000")  # a patient client would wait
# The sandbox's company has no requisitions.
NOT_SERVED = {("requisition_notes", "list")}


def native_methods():
    """(resource, method) -> {request, items, …} of the connector, by its lines alone."""
    found, resource, method = {}, None, None
    text = (ROOT / "connectors/recruitee/connector.yaml").read_text()
    for line in text.split("\nresources:\n")[1].splitlines():
        if match := re.match(r"  (\w+):$", line):
            resource = match[1]
        elif match := re.match(r"    (\w+):$", line):
            method = found[resource, match[1]] = {}
        elif match := re.match(r"      (request|items|item|page): (.*)$", line):
            method[match[1]] = match[2].strip("'")
    return found


def items_of(text, path):
    """The records of a list as slices of its text."""
    decoder = json.JSONDecoder()
    for name in filter(None, path.split(".")):
        text = text[re.search(rf'"{name}":\s*', text).end():]
    assert text[0] == "[", text[:80]
    at, found = 1, []
    while text[at] != "]":
        end = decoder.raw_decode(text, at)[1]
        found.append(text[at:end])
        at = end + (text[end] == ",")
    return found


class Proxy(Case):
    def open(self, *options):
        self.linked("--candidates", "40", *options, link_options=FREE)
        self.direct = Client(self.box.host, TOKEN)
        self.addCleanup(self.direct.close)

    def raw(self, client, method, path, body=None, headers=None, **query):
        """(status, headers, bytes)"""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        if isinstance(body, dict):
            body = json.dumps(body)
        sent = {"Authorization": f"Bearer {client.key}", **(headers or {})}
        client.connection.request(method, path, body=body, headers=sent)
        response = client.connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()

    def native(self, method, path, body=None, headers=None, **query):
        return self.raw(self.direct, method, f"/c/{COMPANY}{path}", body, headers, **query)

    def call(self, method, path, body=None, headers=None, **query):
        return self.raw(self.client, method, path, body, headers,
                        integrated_account_id=self.account, **query)

    def refused(self, status, error, method, path, body=None, **query):
        got, _, text = self.call(method, path, body, **query)
        parsed = json.loads(text)
        self.assertEqual((got, parsed["error"]), (status, error), text)
        return parsed

    def writes(self):
        client = Client(self.box.host)
        _, _, counts = client.get("/sandbox/counts")
        client.close()
        return counts

    # --- reading ------------------------------------------------------------------------------

    def arguments(self):
        """An id for each path parameter, such that there is something to list."""
        ids = {name: str(self.truth(collection)["ids"][0]) for name, collection in (
            ("candidate_id", "candidates"), ("offer_id", "offers"))}
        _, _, pools = self.native("GET", "/talent_pools", limit=100)
        ids["talent_pool_id"] = str(json.loads(pools)["talent_pools"][0]["id"])
        ids["requisition_id"] = "1"
        return ids

    def every_record(self, resource, name, **query):
        """All records through next_cursor, as slices; checks each page on the way."""
        found, cursor = [], {}
        while True:
            status, _, text = self.call("GET", f"/proxy/{resource}/{name}", limit=7,
                                        **query, **cursor)
            self.assertEqual(status, 200, text[:500])
            page = json.loads(text)
            self.assertEqual(set(page), {"result", "next_cursor", "prev_cursor", "result_count"})
            self.assertEqual(page["result_count"], len(page["result"]))
            self.assertLessEqual(len(page["result"]), 7)
            found += items_of(text.decode(), "result")
            if page["next_cursor"] is None:
                return found
            cursor = {"next_cursor": page["next_cursor"]}

    def test_every_list_to_its_end(self):
        for shape in ("new", "slim", "old"):
            with self.subTest(shape=shape):
                self.open("--shape", shape)
                self.check_lists()
                self.doCleanups()
                self.setUp()

    def check_lists(self):
        arguments, lengths = self.arguments(), {}
        for (resource, name), method in native_methods().items():
            verb, path = method["request"].split()
            if verb != "GET" or "items" not in method:
                continue
            names = re.findall(r"{(\w+)}", path)
            query = {n: arguments.get(n, "1") for n in names}
            if (resource, name) == ("notes", "list"):
                query["id"] = arguments["candidate_id"]
            if resource == "search" and name == "quick":
                query["query"] = "a"
            whole = self.whole_list(path, method, query)
            if whole is None:
                self.assertEqual(self.call("GET", f"/proxy/{resource}/{name}", **query)[0], 404,
                                 (resource, name))
                lengths[resource, name] = -1
                continue
            # The search for a part of a name is by likeness: its limit is the ATS's own.
            found = self.every_record(resource, name, **query)
            if (resource, name) == ("search", "quick"):
                whole = whole[:7]
            self.assertEqual(found, whole, (resource, name))
            lengths[resource, name] = len(whole)
        self.assertEqual({k for k, n in lengths.items() if n < 0}, NOT_SERVED)
        self.assertGreater(sum(n > 7 for n in lengths.values()), 10, lengths)

    def whole_list(self, path, method, query):
        """What the ATS itself lists, page by page where it has pages; None: it has none."""
        query = dict(query)
        path = re.sub(r"{(\w+)}", lambda m: query.pop(m[1]), path)
        page = method.get("page", "")
        size = re.search(r"max: (\d+)", page)
        limit = {"limit": size[1]} if size else {}
        found, number = [], 1
        while True:
            where = {}
            if "style: page" in page:
                where = {"page": number}
            elif "style: offset" in page:
                where = {"offset": len(found)}
            status, _, text = self.native("GET", path, **query, **limit, **where)
            if status == 404:
                return None
            self.assertEqual(status, 200, text)
            some = items_of(text.decode(), method["items"])
            found += some
            number += 1
            if not size or len(some) < int(size[1]):
                return found

    def test_one_record_is_the_same_bytes(self):
        self.open()
        arguments, checked = self.arguments(), 0
        ids = {"candidates": arguments["candidate_id"], "offers": arguments["offer_id"],
               "talent_pools": arguments["talent_pool_id"]}
        for resource, collection in (("attachments", "attachments"),
                                     ("interview_events", "events"),
                                     ("interview_results", "results")):
            ids[resource] = str(self.truth(collection)["ids"][-1])
        for (resource, name), method in native_methods().items():
            verb, path = method["request"].split()
            if verb != "GET" or "items" in method or resource == "placements":
                continue
            query = {n: arguments.get(n) or ids.get(resource, "1")
                     for n in re.findall(r"{(\w+)}", path)}
            path = re.sub(r"{(\w+)}", lambda m: query[m[1]], path)
            extra = {"email": "nobody@kiln.example"} if name == "check_presence" else {}
            status, headers, whole = self.native("GET", path, **extra)
            if name == "get" and "id" in query:
                got, types, body = self.call("GET", f"/proxy/{resource}/{query['id']}")
            else:
                got, types, body = self.call("GET", f"/proxy/{resource}/{name}", **query, **extra)
            self.assertEqual(got, status, (resource, name, body))
            if status == 200:
                self.assertEqual(body, whole, (resource, name))
                self.assertEqual(types["content-type"], headers["content-type"])
                checked += 1
            else:
                self.assertEqual(json.loads(body)["remote"]["body"], json.loads(whole))
        self.assertGreaterEqual(checked, 10)

    def test_parameters_are_passed_on(self):
        self.open()
        offer = self.arguments()["offer_id"]
        _, _, text = self.native("GET", "/candidates", offer_id=offer, limit=1000)
        wanted = items_of(text.decode(), "candidates")
        self.assertTrue(wanted)
        self.assertEqual(self.every_record("candidates", "list", offer_id=offer), wanted)
        condition = json.dumps([{"field": "all", "query": "a"}])
        _, _, text = self.native("GET", "/search/new/candidates", filters_json=condition, page=1,
                                 limit=1000)
        self.assertEqual(self.every_record("search", "candidates", filters_json=condition),
                         items_of(text.decode(), "hits"))
        # Placed by candidate and offer: two parameters of the path.
        placement = json.loads(self.native("GET", "/placements")[2])["placements"][0]
        query = {n: placement[n] for n in ("offer_id", "candidate_id")}
        path = f"/offers/{query['offer_id']}/candidates/{query['candidate_id']}/placement"
        wanted = self.native("GET", path)[2]
        self.assertEqual(self.call("GET", "/proxy/placements/get", **query)[2], wanted)
        self.assertEqual(self.call("GET", f"/proxy/placements/{query['candidate_id']}",
                                   offer_id=query["offer_id"])[2], wanted)

    # --- writing ------------------------------------------------------------------------------

    def test_writes_change_the_ats(self):
        self.open()
        body = '{ "candidate": {"name":  "Zoë \\u0041"},"offers":[] }'
        status, headers, text = self.call("POST", "/proxy/candidates", body.encode(),
                                          {"Idempotency-Key": "one"})
        self.assertEqual(status, 201, text)
        self.assertEqual(headers["content-type"], "application/json")
        made = json.loads(text)["candidate"]["id"]
        self.assertEqual(json.loads(self.native("GET", f"/candidates/{made}")[2])["candidate"]
                         ["name"], "Zoë A")
        again, headers, same = self.call("POST", "/proxy/candidates", body.encode(),
                                         {"Idempotency-Key": "one"})
        self.assertEqual((again, headers["idempotency-replayed"], same), (201, "true", text))
        self.assertEqual(self.truth()["ids"].count(made), 1)
        self.assertEqual(len(self.truth()["ids"]), 41)
        # The query is part of what is asked: the key is not good for another.
        status, _, _ = self.call("POST", "/proxy/candidates", body.encode(),
                                 {"Idempotency-Key": "one"}, odd="1")
        self.assertEqual(status, 409)
        status, _, text = self.call("PATCH", f"/proxy/candidates/{made}",
                                    {"candidate": {"name": "Zed"}})
        self.assertEqual(status, 200, text)
        self.assertEqual(self.native("GET", f"/candidates/{made}")[2], text)
        self.check_tags(made)
        status, _, text = self.call("DELETE", f"/proxy/candidates/{made}")
        self.assertEqual((status, json.loads(text)["candidate"]["id"]), (200, made))
        self.assertNotIn(made, self.truth()["ids"])

    def check_tags(self, candidate):
        def tags():
            _, _, text = self.native("GET", f"/candidates/{candidate}")
            return json.loads(text)["candidate"]["tags"]

        status, _, text = self.call("POST", "/proxy/candidate_tags", {"tag": "proxied"},
                                    candidate_id=candidate)
        self.assertLess(status, 300, text)
        self.assertIn("proxied", tags())
        tag = next(t["id"] for t in json.loads(self.native("GET", "/tags")[2])["tags"]
                   if t["name"] == "proxied")
        status, _, text = self.call("DELETE", f"/proxy/candidate_tags/{tag}",
                                    candidate_id=candidate)
        self.assertLess(status, 300, text)
        self.assertNotIn("proxied", tags())

    def test_faults_of_a_body_are_the_ats_own_words(self):
        self.open()
        told = self.refused(400, "invalid", "POST", "/proxy/candidates", {"candidate": {}})
        status, _, text = self.native("POST", "/candidates", {"candidate": {}})
        self.assertEqual((told["remote"]["status"], told["remote"]["body"]),
                         (status, json.loads(text)))
        before = self.writes()
        told = self.refused(400, "invalid", "POST", "/proxy/candidates", "{not json")
        self.assertEqual(told["field"], "body")
        self.assertEqual(self.writes(), before)

    def test_files_go_up_as_they_are(self):
        self.open()
        candidate = str(self.truth()["ids"][0])
        content = bytes(range(256)) * 40
        body = (b'--b\r\nContent-Disposition: form-data; name="attachment[candidate_id]"\r\n\r\n'
                + candidate.encode() + b'\r\n--b\r\nContent-Disposition: form-data; '
                b'name="attachment[file]"; filename="cv.bin"\r\n'
                b'Content-Type: application/octet-stream\r\n\r\n' + content + b"\r\n--b--\r\n")
        status, _, text = self.call("POST", "/custom/attachments", body,
                                    {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(status, 201, text)
        made = json.loads(text)["result"]["attachment"]
        address = urllib.parse.urlsplit(made["file_url"])
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        connection.request("GET", f"{address.path}?{address.query}")
        self.assertEqual(connection.getresponse().read(), content)
        connection.close()

    # --- what is not there --------------------------------------------------------------------

    def test_what_does_not_exist(self):
        self.open()
        told = self.refused(404, "not_found", "GET", "/proxy/kettles")
        self.assertEqual(told["field"], "resource")
        self.assertIn("candidates", told["allowed"].split(", "))
        told = self.refused(501, "not_supported", "POST", "/proxy/candidates/7/bark")
        self.assertEqual(told["field"], "method")
        self.assertIn("check_presence", told["allowed"].split(", "))
        told = self.refused(501, "not_supported", "DELETE", "/proxy/tags/1")
        self.assertEqual(told["allowed"].split(", ")[0], "list")
        told = self.refused(405, "method_not_allowed", "PUT", "/proxy/candidates/check_presence")
        self.assertEqual(told["allowed"], "GET, POST")
        self.assertEqual(self.refused(400, "invalid", "GET", "/proxy/candidate_notes")["field"],
                         "candidate_id")
        self.assertEqual(self.refused(400, "invalid", "GET", "/proxy/candidates",
                                      offset=3)["field"], "offset")
        self.assertEqual(self.refused(400, "invalid", "GET", "/proxy/candidates",
                                      offer_id="x")["field"], "offer_id")

    def test_who_may_call(self):
        self.open()
        other = create_key(self.data, "other")["key"]
        for path in ("/proxy/tags", "/custom/tags"):
            path += f"?integrated_account_id={self.account}"
            for key, status in ((other, 404), ("tenon_wrong", 401), (None, 401)):
                client = Client(self.serve.host, key)
                self.assertEqual(client.get(path)[0], status, (path, key))
                client.close()
        self.assertEqual(self.client.get("/proxy/tags")[2]["field"], "integrated_account_id")

    # --- custom -------------------------------------------------------------------------------

    def test_custom_paths(self):
        self.open()
        candidate = self.truth()["ids"][0]
        for path, query in ((f"/candidates/{candidate}", {}), ("/tags", {"query": "a"}),
                            ("/search/new/candidates", {"limit": 3, "page": 2})):
            status, _, text = self.call("GET", "/custom" + path, **query)
            _, _, whole = self.native("GET", path, **query)
            self.assertEqual(status, 200)
            self.assertEqual(text, b'{"result":' + whole +
                             b',"next_cursor":null,"prev_cursor":null}')
        status, _, text = self.call("POST", "/custom/candidates", {"candidate": {"name": "Cus"}},
                                    {"Content-Type": "application/json"})
        self.assertEqual(status, 201, text)
        made = json.loads(text)["result"]["candidate"]["id"]
        self.assertIn(made, self.truth()["ids"])
        self.assertEqual(self.call("DELETE", f"/custom/candidates/{made}")[0], 200)
        self.assertNotIn(made, self.truth()["ids"])
        told = self.refused(404, "not_found", "GET", "/custom/kettles")
        self.assertEqual(told["remote"]["status"], 404)

    def test_hostile_paths(self):
        self.open()
        for path in ("../admin", "..", "%2e%2e/%2e%2e/sandbox/truth", "%252e%252e/x", "a//b",
                     "http://127.0.0.1:1/", "/127.0.0.1:1/", "a%2f..%2fb", "a%5c..%5cb", "a\\b",
                     "..;/x", "a%00b", "a%0d%0aHost:%20evil", "%c0%ae%c0%ae/x", "a/./b", "a%",
                     "a/..", "%2E%2E", "a%23b/../c"):
            for method in ("GET", "POST", "DELETE"):
                told = self.refused(400, "invalid", method, f"/custom/{path}")
                self.assertEqual(told["field"], "path", path)

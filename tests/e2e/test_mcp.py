"""The MCP door: both eras of the protocol, lists and calls of tools, writes that are done once and
confirmed. Over the unix socket, where an account's tools are to be had without a server."""
import http.client
import json
import socket
import threading
import time
import urllib.parse

from harness import Case

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
META = "io.modelcontextprotocol/"
FIVE = ["list_all_recruitee_admins", "list_all_recruitee_interview_results",
        "list_all_recruitee_locations", "list_all_recruitee_notes",
        "list_all_recruitee_offer_notes"]


class Local(http.client.HTTPConnection):
    """HTTP over the data folder's socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class McpCase(Case):
    def setUp(self):
        super().setUp()
        self.linked()
        self.number = 0

    def post(self, body, headers=None, **query):
        """(status, headers, text)"""
        query.setdefault("environment", "production")
        connection = Local(self.data / "tenon.sock")
        sent = {"Content-Type": "application/json", **(headers or {})}
        path = f"/mcp/account/{self.account}?{urllib.parse.urlencode(query)}"
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection.request("POST", path, text, sent)
        response = connection.getresponse()
        answer = response.read()
        received = {name.lower(): value for name, value in response.getheaders()}
        connection.close()
        return response.status, received, answer.decode()

    def message(self, method, params=None, number=None):
        self.number += 1
        message = {"jsonrpc": "2.0", "id": number or self.number, "method": method}
        if params is not None:
            message["params"] = params
        return message

    def legacy(self, method, params=None, number=None, **query):
        status, _, text = self.post(self.message(method, params, number), **query)
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def modern(self, method, params=None, capabilities=None, headers=None, meta=None, **query):
        """(status, answer): a request as the current revision wants it."""
        params = dict(params or {})
        params["_meta"] = {META + "protocolVersion": MODERN,
                           META + "clientCapabilities": capabilities or {}, **(meta or {})}
        sent = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if "name" in params:
            sent["Mcp-Name"] = params["name"]
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        status, _, text = self.post(self.message(method, params), sent, **query)
        return status, json.loads(text)

    def call(self, tool, arguments=None, number=None, **query):
        """(is_error, text) of a tool."""
        answer = self.legacy("tools/call", {"name": tool, "arguments": arguments or {}}, number,
                             **query)
        result = answer["result"]
        return result.get("isError", False), "\n".join(p["text"] for p in result["content"])

    def refused(self, status, code, answer):
        self.assertEqual((answer[0], answer[1]["error"]["code"]), (status, code), answer)
        return answer[1]["error"]


class Envelopes(McpCase):
    def raw(self, body, headers=None):
        status, _, text = self.post(body, headers)
        return status, json.loads(text)

    def test_what_is_no_message(self):
        for body, code in (("{", -32700), ("", -32700), ("[]", -32600), ("7", -32600),
                           ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
                           ('{"id":1,"method":"ping"}', -32600),
                           ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
                           ('{"jsonrpc":"2.0","id":1,"method":7}', -32600),
                           ('{"jsonrpc":"2.0","id":1}', -32600),
                           ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600)):
            self.refused(400, code, self.raw(body))

    def test_ids(self):
        for number in ('"seven"', "7", "-1", '""'):
            status, answer = self.raw(f'{{"jsonrpc":"2.0","id":{number},"method":"ping"}}')
            self.assertEqual((status, answer["id"]), (200, json.loads(number)))
        for number in ("null", "1.5", "true", "{}", "[1]"):
            answer = self.raw(f'{{"jsonrpc":"2.0","id":{number},"method":"ping"}}')
            self.refused(400, -32600, answer)
            self.assertNotIn("id", answer[1])

    def test_only_json_is_taken(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            self.assertEqual(self.raw('{}', {"Content-Type": kind})[0], 415)
        status, _, _ = self.post(self.message("ping"),
                                 {"Content-Type": "application/json; charset=utf-8"})
        self.assertEqual(status, 200)

    def test_only_post_is_served(self):
        for method in ("GET", "DELETE", "PUT"):
            connection = Local(self.data / "tenon.sock")
            connection.request(method, f"/mcp/account/{self.account}?environment=production")
            response = connection.getresponse()
            response.read()
            connection.close()
            self.assertEqual(response.status, 405)
            self.assertIn("POST", response.headers["Allow"])

    def test_notifications_and_answers_have_no_answer(self):
        for message in ({"jsonrpc": "2.0", "method": "notifications/initialized"},
                        {"jsonrpc": "2.0", "method": "notifications/cancelled",
                         "params": {"requestId": 1}},
                        {"jsonrpc": "2.0", "id": 1, "result": {}}):
            status, _, text = self.post(message)
            self.assertEqual((status, text), (202, ""))

    def test_not_over_the_network(self):
        connection = http.client.HTTPConnection(self.serve.host, timeout=60)
        connection.request("POST", f"/mcp/account/{self.account}",
                           json.dumps(self.message("ping")),
                           {"Content-Type": "application/json",
                            "Authorization": f"Bearer {self.key}"})
        response = connection.getresponse()
        response.read()
        connection.close()
        self.assertEqual(response.status, 404)


class Eras(McpCase):
    def test_initialize_answers_in_the_version_that_was_asked_for(self):
        for version in LEGACY + ("1999-01-01",):
            result = self.legacy("initialize", {"protocolVersion": version, "capabilities": {},
                                                "clientInfo": {"name": "t", "version": "1"}})
            expected = version if version in LEGACY else LEGACY[0]
            self.assertEqual(result["result"]["protocolVersion"], expected)
            self.assertEqual(result["result"]["capabilities"], {"tools": {}})
            self.assertEqual(result["result"]["serverInfo"]["name"], "tenon")

    def test_methods_of_the_old_era(self):
        self.assertEqual(self.legacy("ping")["result"], {})
        self.assertEqual(self.legacy("resources/list")["error"]["code"], -32601)
        self.assertEqual(self.legacy("server/discover")["error"]["code"], -32601)

    def test_an_unknown_version_in_the_header(self):
        status, _, _ = self.post(self.message("ping"), {"MCP-Protocol-Version": "2001-01-01"})
        self.assertEqual(status, 400)

    def test_discover(self):
        status, answer = self.modern("server/discover")
        self.assertEqual(status, 200)
        result = answer["result"]
        self.assertEqual(result["supportedVersions"], [MODERN])
        self.assertEqual(result["resultType"], "complete")
        self.assertEqual(result["_meta"][META + "serverInfo"]["name"], "tenon")

    def test_methods_that_are_gone(self):
        for method in ("initialize", "ping", "logging/setLevel", "resources/subscribe", "nothing"):
            self.refused(404, -32601, self.modern(method))

    def test_headers_say_what_the_message_says(self):
        call = {"name": FIVE[0], "arguments": {}}
        for headers in ({"MCP-Protocol-Version": None}, {"MCP-Protocol-Version": "2025-11-25"},
                        {"Mcp-Method": None}, {"Mcp-Method": "tools/list"},
                        {"Mcp-Method": "TOOLS/CALL"}, {"Mcp-Name": None}, {"Mcp-Name": FIVE[1]},
                        {"Mcp-Name": "=?base64?!!?="}):
            self.refused(400, -32020, self.modern("tools/call", call, headers=headers))
        status, answer = self.modern("tools/call", call, headers={
            "Mcp-Name": "=?base64?bGlzdF9hbGxfcmVjcnVpdGVlX2FkbWlucw==?="})
        self.assertEqual(status, 200, answer)

    def test_what_each_request_must_say(self):
        for left_out in ("protocolVersion", "clientCapabilities"):
            meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}}
            del meta[META + left_out]
            status, _, text = self.post(self.message("tools/list", {"_meta": meta}), {
                "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"})
            self.refused(400, -32602, (status, json.loads(text)))

    def test_another_version(self):
        error = self.refused(400, -32022, self.modern(
            "tools/list", meta={META + "protocolVersion": "2031-01-01"},
            headers={"MCP-Protocol-Version": "2031-01-01"}))
        self.assertEqual(error["data"], {"supported": [MODERN], "requested": "2031-01-01"})


class Lists(McpCase):
    def names(self, **query):
        return [tool["name"] for tool in self.legacy("tools/list", **query)["result"]["tools"]]

    def test_the_same_bytes_each_time(self):
        message = self.message("tools/list")
        texts = {self.post(message)[2] for _ in range(3)}
        self.assertEqual(len(texts), 1)
        result = json.loads(texts.pop())["result"]
        names = [tool["name"] for tool in result["tools"]]
        self.assertEqual(names, sorted(names))
        self.assertEqual(set(FIVE) - set(names), set())
        self.assertNotIn("nextCursor", result)

    def test_hints_of_the_current_revision(self):
        _, answer = self.modern("tools/list")
        result = answer["result"]
        self.assertEqual((result["ttlMs"], result["cacheScope"], result["resultType"]),
                         (300000, "private", "complete"))
        self.assertEqual([t["name"] for t in result["tools"]], self.names())

    def test_a_cursor_was_never_given(self):
        self.assertEqual(self.legacy("tools/list", {"cursor": "x"})["error"]["code"], -32602)
        self.refused(400, -32602, self.modern("tools/list", {"cursor": ""}))

    def test_filters(self):
        everything, reads = self.names(), self.names(methods="read")
        self.assertLess(len(reads), len(everything))
        self.assertTrue(set(reads) < set(everything))
        for tool in self.legacy("tools/list", methods="read")["result"]["tools"]:
            self.assertTrue(tool["annotations"]["readOnlyHint"], tool["name"])

    def test_a_tool_that_was_filtered_out_is_unknown(self):
        write = next(name for name in self.names(methods="write") if name.startswith("create_"))
        for name in (write, "no_such_tool"):
            answer = self.legacy("tools/call", {"name": name, "arguments": {}}, methods="read")
            self.assertEqual(answer["error"]["code"], -32602)

    def test_structured(self):
        tools = self.legacy("tools/list", structured="true")["result"]["tools"]
        self.assertTrue(all("outputSchema" in tool for tool in tools))
        answer = self.legacy("tools/call", {"name": FIVE[2], "arguments": {}}, structured="true")
        structured = answer["result"]["structuredContent"]
        self.assertEqual(json.loads(answer["result"]["content"][0]["text"]), structured)


class Calls(McpCase):
    def test_lists_come_in_pages(self):
        name = "list_all_ats_candidates"
        seen, cursor = [], None
        while True:
            arguments = {"limit": 7, **({"cursor": cursor} if cursor else {})}
            is_error, text = self.call(name, arguments)
            self.assertFalse(is_error, text)
            page = json.loads(text)
            self.assertLessEqual(len(page["result"]), 7)
            seen += [record["id"] for record in page["result"]]
            cursor = page.get("next_cursor")
            if not cursor or len(seen) > 60:
                break
        expected = self.list("candidates", limit=len(seen))[2]["result"]
        self.assertEqual(seen, [record["id"] for record in expected])

    def test_what_is_wrong_is_told_to_the_model(self):
        for arguments, word in (({"limit": 0}, "limit"), ({"limit": "many"}, "limit"),
                                ({"no_such": 1}, "no_such"), ({"cursor": "made up"}, "cursor")):
            is_error, text = self.call("list_all_ats_candidates", arguments)
            self.assertTrue(is_error)
            self.assertIn(word, text)

    def test_malformed_calls(self):
        for params in ({}, {"name": 7}, {"name": FIVE[0], "arguments": []}):
            self.assertEqual(self.legacy("tools/call", params)["error"]["code"], -32602)

    def test_a_failure_of_the_ats(self):
        self.set_faults(server_error=1.0)
        is_error, text = self.call(FIVE[0])
        self.assertTrue(is_error, text)

    def test_progress_comes_as_events(self):
        params = {"name": "list_all_ats_candidates", "arguments": {"limit": 3},
                  "_meta": {"progressToken": "p"}}
        status, headers, text = self.post(self.message("tools/call", params),
                                          {"Accept": "application/json, text/event-stream"})
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/event-stream")
        self.assertEqual(headers["x-accel-buffering"], "no")
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        told = [e["params"] for e in events if e.get("method") == "notifications/progress"]
        self.assertTrue(told)
        self.assertTrue(all(t["progressToken"] == "p" for t in told))
        steps = [t["progress"] for t in told]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertIn("result", events[-1])
        self.assertEqual(self.post(self.message("tools/call", params))[1]["content-type"],
                         "application/json")

    def test_the_log_has_the_call(self):
        self.call(FIVE[0])
        self.call("list_all_ats_candidates", {"limit": 0})
        status, _, listed = self.client.get("/log", door="mcp")
        self.assertEqual(status, 200)
        told = [(c["resource"], c["method"], c["error"]) for c in listed["result"]]
        self.assertEqual(told, [("candidates", "list", "invalid"), ("admins", "list", None)])
        self.assertEqual([c["tool"] for c in listed["result"]],
                         ["list_all_ats_candidates", FIVE[0]])

    def test_the_log_has_the_client(self):
        self.modern("tools/call", {"name": FIVE[0]},
                    meta={META + "clientInfo": {"name": "probe", "version": "7"}})
        listed = self.client.get("/log", client_name="probe")[2]["result"]
        self.assertEqual([(c["client_name"], c["client_version"]) for c in listed],
                         [("probe", "7")])


class Searching(McpCase):
    def search(self, **arguments):
        is_error, text = self.call("search_tools", arguments, mode="search")
        self.assertFalse(is_error, text)
        return json.loads(text)["tools"]

    def test_two_tools(self):
        tools = self.legacy("tools/list", mode="search")["result"]["tools"]
        hints = {tool["name"]: tool["annotations"] for tool in tools}
        self.assertEqual(set(hints), {"call_tool", "search_tools"})
        self.assertTrue(hints["search_tools"]["readOnlyHint"])
        self.assertFalse(hints["call_tool"]["readOnlyHint"])
        self.assertTrue(hints["call_tool"]["destructiveHint"])
        tools = self.legacy("tools/list", mode="search", methods="read")["result"]["tools"]
        self.assertTrue(all(tool["annotations"]["readOnlyHint"] for tool in tools))

    def test_what_is_found_can_be_called(self):
        found = self.search(query="interview results")
        self.assertLessEqual(len(found), 5)
        self.assertIn("list_all_recruitee_interview_results", [tool["name"] for tool in found])
        self.assertEqual(set(found[0]), {"name", "description", "inputSchema"})
        is_error, text = self.call("call_tool", {"name": FIVE[0]}, mode="search")
        self.assertFalse(is_error, text)
        self.assertTrue(json.loads(text)["result"])

    def test_faults(self):
        for tool, arguments in (("search_tools", {}), ("search_tools", {"query": "x", "limit": 0}),
                                ("call_tool", {"name": "nothing"}),
                                ("call_tool", {"name": FIVE[0], "arguments": 7})):
            self.assertTrue(self.call(tool, arguments, mode="search")[0], arguments)
        answer = self.legacy("tools/call", {"name": FIVE[0], "arguments": {}}, mode="search")
        self.assertEqual(answer["error"]["code"], -32602)


class Writes(McpCase):
    CREATE = "create_a_ats_candidate"

    def setUp(self):
        super().setUp()
        self.arguments = {"first_name": "Ada", "last_name": "Lovelace"}

    def count(self):
        return len([c for c in self.every_page("candidates", limit=1000)
                    if "Lovelace" in (c["last_name"] or "")])

    def test_a_request_that_comes_again_is_not_done_again(self):
        first = self.call(self.CREATE, self.arguments, number="one")
        self.assertFalse(first[0], first)
        again = self.call(self.CREATE, self.arguments, number="one")
        self.assertFalse(again[0], again)
        self.assertIn("done before", again[1])
        self.assertIn(first[1], again[1])
        self.assertEqual(self.count(), 1)
        self.call(self.CREATE, self.arguments, number="two")
        self.assertEqual(self.count(), 2)

    def test_a_key_of_the_models_own(self):
        arguments = {**self.arguments, "idempotency_key": "k1"}
        self.assertFalse(self.call(self.CREATE, arguments)[0])
        self.assertIn("done before", self.call(self.CREATE, arguments)[1])
        self.assertEqual(self.count(), 1)
        is_error, text = self.call(self.CREATE, {**arguments, "last_name": "Lovelace-King"})
        self.assertTrue(is_error)
        self.assertEqual(self.count(), 1)

    def test_dry_run(self):
        is_error, text = self.call(self.CREATE, {**self.arguments, "dry_run": True})
        self.assertFalse(is_error, text)
        self.assertEqual(self.count(), 0)

    def ask(self, capabilities, confirm="writes", **more):
        params = {"name": self.CREATE, "arguments": self.arguments, **more}
        return self.modern("tools/call", params, capabilities, confirm=confirm)

    def test_confirmed(self):
        _, asked = self.ask({"elicitation": {}})
        result = asked["result"]
        self.assertEqual(result["resultType"], "input_required")
        self.assertEqual(result["inputRequests"]["confirm"]["method"], "elicitation/create")
        self.assertEqual(self.count(), 0)
        answered = {"inputResponses": {"confirm": {"action": "accept",
                                                   "content": {"confirm": True}}},
                    "requestState": result["requestState"]}
        _, done = self.ask({"elicitation": {}}, **answered)
        self.assertEqual(done["result"]["resultType"], "complete")
        self.assertNotIn("isError", done["result"])
        _, again = self.ask({"elicitation": {}}, **answered)
        self.assertIn("done before", json.dumps(again))
        self.assertEqual(self.count(), 1)

    def test_declined(self):
        state = self.ask({"elicitation": {}})[1]["result"]["requestState"]
        for answer in ({"action": "decline"}, {"action": "cancel"},
                       {"action": "accept", "content": {"confirm": False}}, {"action": "accept"}):
            _, done = self.ask({"elicitation": {}}, inputResponses={"confirm": answer},
                               requestState=state)
            self.assertTrue(done["result"]["isError"])
        self.assertEqual(self.count(), 0)

    def test_a_state_of_another_call_confirms_nothing(self):
        state = self.ask({"elicitation": {}})[1]["result"]["requestState"]
        accept = {"confirm": {"action": "accept", "content": {"confirm": True}}}
        capabilities = {"elicitation": {}}
        self.refused(400, -32602, self.ask(capabilities, inputResponses=accept,
                                           requestState=state[:-2] + "AA"))
        self.refused(400, -32602, self.ask(capabilities, inputResponses=accept))
        self.arguments["last_name"] = "Lovelace-King"
        self.refused(400, -32602, self.ask(capabilities, inputResponses=accept,
                                           requestState=state))
        self.assertEqual(self.count(), 0)

    def test_who_cannot_be_asked_is_not(self):
        for capabilities, confirm in (({}, "writes"), ({"elicitation": {"url": {}}}, "writes"),
                                      ({"elicitation": {}}, "never")):
            self.arguments["first_name"] += "x"
            _, done = self.ask(capabilities, confirm)
            self.assertEqual(done["result"]["resultType"], "complete", done)
        self.assertEqual(self.count(), 3)


class CalledOff(McpCase):
    """The ATS does not answer: only who calls off ends the call before its time is up."""

    PATIENCE = 25  # seconds; a call has 60

    def setUp(self):
        super().setUp()
        self.set_faults(stall=1.0)

    def told(self):
        return self.client.get("/log", door="mcp")[2]["result"]

    def until(self, holds, meanwhile=lambda: None):
        end = time.monotonic() + self.PATIENCE
        while not holds():
            self.assertLess(time.monotonic(), end, "the call was not ended")
            meanwhile()

    def start(self, number, results):
        def call():
            results.append(self.call(FIVE[0], number=number))
        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        return thread

    def cancel(self, number):
        status, _, _ = self.post({"jsonrpc": "2.0", "method": "notifications/cancelled",
                                  "params": {"requestId": number}})
        self.assertEqual(status, 202)

    def test_by_a_notification(self):
        results = []
        thread = self.start("slow", results)
        self.until(lambda: not thread.is_alive(), lambda: self.cancel("slow"))
        self.assertTrue(results[0][0], results)

    def test_by_closing_the_connection(self):
        connection = Local(self.data / "tenon.sock")
        params = {"name": FIVE[0], "_meta": {META + "protocolVersion": MODERN,
                                             META + "clientCapabilities": {}}}
        connection.request("POST", f"/mcp/account/{self.account}?environment=production",
                           json.dumps(self.message("tools/call", params)),
                           {"Content-Type": "application/json", "Mcp-Method": "tools/call",
                            "MCP-Protocol-Version": MODERN, "Mcp-Name": FIVE[0]})
        self.assertEqual(self.told(), [])
        connection.close()
        self.until(self.told)
        self.assertIsNotNone(self.told()[0]["error"])

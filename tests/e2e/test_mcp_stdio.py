"""tenon mcp: lines of standard input and output, and the endpoint that they are carried to."""
import http.server
import json
import os
import subprocess
import threading

import postgresql
from harness import TENON, Case, link_account, run_tenon

MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}}
LINE_MAX = 4 * 1024 * 1024


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers as the test says: `answers` has a function for each method."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = json.loads(body)
        self.server.seen.append((message, dict(self.headers)))
        self.server.answers[message["method"]](self, message)

    def give(self, status, body, kind="application/json"):
        text = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Session:
    """A running `tenon mcp`."""

    def __init__(self, *arguments, env=None):
        env = {**(os.environ if env is None else env), **postgresql.environment(arguments)}
        self.process = subprocess.Popen([TENON, "mcp", *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)

    def send(self, *messages):
        for message in messages:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def read(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        """Ends the input: what is still said, and the exit code."""
        rest, log = self.process.communicate(timeout=30)
        return [json.loads(line) for line in rest.splitlines()], self.process.returncode, log


class StdioCase(Case):
    def endpoint(self, **answers):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        server.seen = []
        server.answers = {name.replace("__", "/"): answer for name, answer in answers.items()}
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def session(self, endpoint, **env):
        session = Session("--url", f"http://127.0.0.1:{endpoint.server_port}/mcp/mcp_1", env=env)
        self.addCleanup(session.process.kill)
        return session


class Lines(StdioCase):
    def lines(self, text):
        endpoint = self.endpoint(ping=lambda http, message: http.give(
            200, {"jsonrpc": "2.0", "id": message["id"], "result": {}}))
        done = subprocess.run(
            [TENON, "mcp", "--url", f"http://127.0.0.1:{endpoint.server_port}/mcp/mcp_1"],
            input=text, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_what_is_no_json_is_answered_without_an_id(self):
        for text in (b"{\n", b"hello\n", b"\xff\xfe\n", b'{"id": 1} {"id": 2}\n'):
            with self.subTest(text):
                said, = self.lines(text)
                self.assertEqual(said["error"]["code"], -32700)
                self.assertNotIn("id", said)

    def test_blank_lines_are_nothing_and_the_last_line_needs_no_end(self):
        ping = json.dumps(request("a", "ping")).encode()
        said = self.lines(b"\n  \r\n" + ping + b"\r\n\n" + ping.replace(b'"a"', b'"b"'))
        self.assertEqual(sorted(one["id"] for one in said), ["a", "b"])

    def test_a_line_over_the_limit_is_refused_and_the_next_one_taken(self):
        ping = json.dumps(request(7, "ping")).encode()
        said = self.lines(b'"' + b"x" * LINE_MAX + b'"\n' + ping + b"\n")
        self.assertEqual(sorted(one.get("id", -1) for one in said), [-1, 7])
        refused = next(one for one in said if "id" not in one)
        self.assertEqual(refused["error"]["code"], -32600)
        self.assertIn("4 MiB", refused["error"]["message"])

    def test_a_line_of_the_limit_is_taken(self):
        filler = "x" * (LINE_MAX - len(json.dumps(request(7, "ping", filler=""))))
        said = self.lines(json.dumps(request(7, "ping", filler=filler)).encode() + b"\n")
        self.assertEqual(said, [{"jsonrpc": "2.0", "id": 7, "result": {}}])

    def test_no_input_no_output(self):
        self.assertEqual(self.lines(b""), [])


class Carrying(StdioCase):
    def test_answers_come_as_they_are_ready(self):
        waiting, after = threading.Event(), threading.Event()

        def slow(http, message):
            waiting.set()
            after.wait(30)
            http.give(200, {"jsonrpc": "2.0", "id": message["id"], "result": {}})

        session = self.session(self.endpoint(slow=slow, ping=lambda http, message: http.give(
            200, {"jsonrpc": "2.0", "id": message["id"], "result": {}})))
        session.send(request(1, "slow"))
        self.assertTrue(waiting.wait(30))
        session.send(request(2, "ping"))
        self.assertEqual(session.read()["id"], 2)
        after.set()
        said, code, _ = session.end()
        self.assertEqual(([one["id"] for one in said], code), ([1], 0))

    def test_messages_of_a_stream_are_lines(self):
        stream = (b': hello\r\nevent: message\r\ndata: {"jsonrpc":"2.0","method":'
                  b'"notifications/progress","params":{"progress":1}}\r\n\r\n'
                  b'data: {"jsonrpc":"2.0",\ndata: "id":3,"result":{}}\n\n')
        session = self.session(self.endpoint(
            tools__call=lambda http, message: http.give(200, stream, "text/event-stream")))
        session.send(request(3, "tools/call", name="x"))
        self.assertEqual(session.read()["method"], "notifications/progress")
        self.assertEqual(session.read(), {"jsonrpc": "2.0", "id": 3, "result": {}})
        self.assertEqual(session.end()[1], 0)

    def test_headers_of_the_current_revision_are_made(self):
        endpoint = self.endpoint(tools__call=lambda http, message: http.give(
            200, {"jsonrpc": "2.0", "id": 1, "result": {}}))
        session = self.session(endpoint, TENON_MCP_TOKEN="tmcp_canary")
        session.send(request(1, "tools/call", name="größe", _meta=META))
        session.read()
        headers = endpoint.seen[0][1]
        self.assertEqual(headers["MCP-Protocol-Version"], MODERN)
        self.assertEqual(headers["Mcp-Method"], "tools/call")
        self.assertEqual(headers["Mcp-Name"], "=?base64?Z3LDtsOfZQ==?=")
        self.assertEqual(headers["Authorization"], "Bearer tmcp_canary")
        self.assertIn("text/event-stream", headers["Accept"])
        self.assertNotIn(b"tmcp_canary", session.end()[2])

    def test_what_an_older_client_says_once_goes_with_each_request(self):
        endpoint = self.endpoint(
            initialize=lambda http, message: http.give(200, {
                "jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-06-18"}}),
            tools__list=lambda http, message: http.give(
                200, {"jsonrpc": "2.0", "id": 1, "result": {}}))
        session = self.session(endpoint)
        session.send(request(0, "initialize", protocolVersion="2099-01-01",
                             clientInfo={"name": "a desk\n", "version": "1.2"}))
        session.read()
        session.send(request(1, "tools/list"))
        session.read()
        self.assertNotIn("MCP-Protocol-Version", endpoint.seen[0][1])
        self.assertEqual(endpoint.seen[1][1]["MCP-Protocol-Version"], "2025-06-18")
        self.assertEqual(endpoint.seen[1][1]["User-Agent"], "adesk/1.2")

    def test_a_refusal_without_an_id_answers_the_request(self):
        session = self.session(self.endpoint(
            tools__list=lambda http, message: http.give(
                401, {"jsonrpc": "2.0", "error": {"code": -32001, "message": "no token"}}),
            ping=lambda http, message: http.give(503, {"error": "unavailable"})))
        session.send(request(5, "tools/list"))
        self.assertEqual(session.read(), {"jsonrpc": "2.0", "id": 5, "error": {
            "code": -32001, "message": "no token"}})
        session.send(request(6, "ping"))
        said = session.read()
        self.assertEqual((said["id"], said["error"]["code"]), (6, -32603))
        self.assertIn("503", said["error"]["message"])
        self.assertEqual(session.end()[:2], ([], 0))

    def test_notifications_are_never_answered(self):
        endpoint = self.endpoint(
            notifications__initialized=lambda http, message: http.give(202, b""),
            notifications__odd=lambda http, message: http.give(
                400, {"jsonrpc": "2.0", "error": {"code": -32600, "message": "odd"}}))
        session = self.session(endpoint)
        session.send({"jsonrpc": "2.0", "method": "notifications/initialized"},
                     {"jsonrpc": "2.0", "method": "notifications/odd"})
        said, code, log = session.end()
        self.assertEqual((said, code, len(endpoint.seen)), ([], 0, 2))
        self.assertIn(b"odd", log)

    def test_a_request_of_today_that_is_cancelled_ends_with_its_connection(self):
        begun, closed = threading.Event(), threading.Event()

        def wait(http, _):
            begun.set()
            if http.connection.recv(1) == b"":
                closed.set()
            http.close_connection = True

        session = self.session(self.endpoint(tools__call=wait, ping=lambda http, message: http.give(
            200, {"jsonrpc": "2.0", "id": message["id"], "result": {}})))
        session.send(request(1, "tools/call", name="slow", _meta=META))
        self.assertTrue(begun.wait(30))
        session.send({"jsonrpc": "2.0", "method": "notifications/cancelled",
                      "params": {"requestId": 1}}, request(2, "ping", _meta=META))
        self.assertTrue(closed.wait(30))
        said, code, _ = session.end()
        self.assertEqual(([one["id"] for one in said], code), ([2], 0))

    def test_a_request_of_old_that_is_cancelled_is_left_to_the_server(self):
        begun, told = threading.Event(), threading.Event()

        def wait(http, message):
            begun.set()
            told.wait(30)
            http.give(200, {"jsonrpc": "2.0", "id": message["id"], "result": {}})

        def cancelled(http, _):
            told.set()
            http.give(202, b"")

        session = self.session(self.endpoint(tools__call=wait, notifications__cancelled=cancelled))
        session.send(request("x", "tools/call", name="slow"))
        self.assertTrue(begun.wait(30))
        session.send({"jsonrpc": "2.0", "method": "notifications/cancelled",
                      "params": {"requestId": "x"}})
        self.assertTrue(told.wait(30))
        self.assertEqual(session.end()[:2], ([], 0))

    def test_a_server_that_is_not_there(self):
        endpoint = self.endpoint()
        endpoint.server_close()
        session = self.session(endpoint)
        session.send(request(1, "ping"))
        said = session.read()
        self.assertEqual((said["id"], said["error"]["code"]), (1, -32603))
        self.assertEqual(session.end()[1], 0)


class Account(Case):
    """On the data folder itself, and on the server that runs there."""

    def setUp(self):
        super().setUp()
        self.ats = self.sandbox()
        self.account = json.loads(link_account(self.data, self.ats).stdout)["id"]

    def session(self, *more):
        session = Session("--account", self.account, "--environment", "production",
                          "--data", str(self.data), "--connector-base-url",
                          f"recruitee=http://{self.ats.host}", *more)
        self.addCleanup(session.process.kill)
        return session

    def tools(self, session):
        session.send(request(1, "tools/list", _meta=META))
        return [tool["name"] for tool in session.read()["result"]["tools"]]

    def use(self, session):
        session.send(request("i", "initialize", protocolVersion="2025-11-25", capabilities={},
                             clientInfo={"name": "lines", "version": "1"}))
        self.assertEqual(session.read()["result"]["protocolVersion"], "2025-11-25")
        session.send({"jsonrpc": "2.0", "method": "notifications/initialized"},
                     request(2, "tools/call", name="list_all_recruitee_locations", arguments={}))
        self.assertIn("Utrecht", session.read()["result"]["content"][0]["text"])
        self.assertIn("list_all_recruitee_notes", self.tools(session))

    def test_where_no_server_runs_two_clients_share_the_folder(self):
        first = self.session()
        self.use(first)
        second = self.session()
        self.use(second)
        self.assertEqual(second.end()[:2], ([], 0))
        self.use(first)
        self.assertEqual(first.end()[:2], ([], 0))
        self.assertFalse((self.data / "tenon.sock").exists())

    def test_filters(self):
        session = self.session("--methods", "list", "--tags", "notes")
        names = self.tools(session)
        self.assertIn("list_all_recruitee_notes", names)
        self.assertNotIn("list_all_recruitee_admins", names)
        self.assertEqual([name for name in names if not name.startswith("list_")], [])
        searching = self.session("--search")
        self.assertEqual(sorted(self.tools(searching)), ["call_tool", "search_tools"])
        self.assertEqual((searching.end()[1], session.end()[1]), (0, 0))

    def test_an_account_that_is_not_there(self):
        session = Session("--account", "acc_00000000000000000000000000", "--environment",
                          "production", "--data", str(self.data))
        session.send(request(1, "tools/list", _meta=META))
        said = session.read()
        self.assertEqual(said["id"], 1)
        self.assertIn("error", said)
        self.assertEqual(session.end()[1], 0)


class Use(Case):
    def test_an_account_or_a_url_is_wanted(self):
        for given in ((), ("--account", "acc_1", "--url", "http://localhost/")):
            done = run_tenon("mcp", *given, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--account ID or --url URL", done.stderr)

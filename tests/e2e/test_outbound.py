"""Where the server connects to, by its own connect() calls: no spelling, redirect or answer of a
name server leads it to an address that it must not call, and no secret to another origin."""
import collections
import concurrent.futures
import http.client
import http.server
import itertools
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse

import postgresql
import spellings
from harness import COMPANY, ROOT, TOKEN, Case, Client, Process, create_key

HERE = pathlib.Path(__file__).resolve().parent
THREADS = 16
SPELLED = """\
label: Spelled
base_url: https://{host}
context: {host: {label: Host, pattern: '^.+$'}}
credentials: {format: api_key, fields: {token: {label: Token}}}
headers: {Authorization: 'Bearer {token}'}
probe: things.list
resources:
  things:
    list: {request: GET /things, items: things, describe: Things.}
"""


def make_share(folder):
    """The connectors without their limits, and one whose host an account may choose."""
    share = folder / "share"
    shutil.copytree(ROOT / "connectors", share / "connectors")
    shutil.copytree(ROOT / "models", share / "models")
    shutil.copytree(ROOT / "sandbox", share / "sandbox")
    path = share / "connectors" / "recruitee" / "connector.yaml"
    text = path.read_text()
    limits = next(line for line in text.splitlines() if line.startswith("limits:"))
    path.write_text(text.replace(
        limits, "limits: {requests: 1000000, per_seconds: 1, concurrent: 64}"))
    (share / "connectors" / "spelled" / "ats").mkdir(parents=True)
    (share / "connectors" / "spelled" / "connector.yaml").write_text(SPELLED)
    return share


class FakeAts:
    """An ATS whose records and answers are what a case says; it counts who shows the token."""

    def __init__(self):
        self.links, self.targets, self.shapes = [], [], []
        self.with_token = self.hops = self.requests = 0
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with fake.lock:
                    fake.requests += 1
                    fake.with_token += TOKEN in (self.headers.get("Authorization") or "")
                status, headers, body = fake.find(urllib.parse.urlsplit(self.path).path)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, path):
        kind = [("Content-Type", "application/json")]
        number = int(path.rsplit("/", 1)[1]) if path.rsplit("/", 1)[1].isdigit() else -1
        if path.endswith("/admin"):
            return 200, kind, b'{"admin": {"id": 1}}'
        if "/attachments/" in path:
            record = {"id": number, "filename": "a.bin", "extension": "bin",
                      "file_url": self.links[number]}
            return 200, kind, json.dumps({"attachment": record}).encode()
        if "/hop/" in path:
            with self.lock:
                self.hops += 1
            return 302, [("Location", self.targets[number].encode().decode("latin-1"))], b""
        if "/shape/" in path:
            return self.shapes[number]
        return 404, kind, b"{}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sink:
    """Writes down every byte that anybody sends to it."""

    def __init__(self, host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.create_server((host, 0), family=family)
        self.port = self.socket.getsockname()[1]
        self.host = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.seen, self.connections = b"", 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(20)
            with connection:
                try:
                    self.seen += connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                                       b"Connection: close\r\n\r\n{}")
                except OSError:
                    pass

    def close(self):
        self.socket.close()


class Outbound(Case):
    @classmethod
    def setUpClass(cls):
        cls.built = pathlib.Path(tempfile.mkdtemp(prefix="tenon-outbound-"))
        cls.addClassCleanup(shutil.rmtree, cls.built, True)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", cls.built / "outbound.so",
                        HERE / "outbound.c", "-ldl"], check=True)

    def start(self, *options, env=None):
        self.log = self.folder / "connected"
        self.log.touch()
        self.fake = FakeAts()
        self.addCleanup(self.fake.close)
        self.serve = Process(
            ["serve", "--listen", "127.0.0.1:0", "--data", str(self.data), "--share",
             str(make_share(self.folder)), "--connector-base-url",
             f"recruitee=http://{self.fake.host}", *options],
            env={"LD_PRELOAD": str(self.built / "outbound.so"), "OUTBOUND_LOG": str(self.log),
                 **(env or {})})
        self.addCleanup(self.serve.kill)
        self.key = create_key(self.data, "production", "--scope", "admin", "--scope", "call")["key"]
        self.local = threading.local()
        status, _, body = self.call("POST", "/integrated-account", {
            "connector": "recruitee", "tenant_id": "t", "context": {"company_id": COMPANY},
            "credentials": {"api_token": TOKEN}})
        self.assertEqual(status, 201, body)
        self.account = body["id"]

    def call(self, method, path, body=None):
        if not hasattr(self.local, "client"):
            self.local.client = Client(self.serve.host, self.key)
            self.addCleanup(self.local.client.close)
        return self.local.client.request(method, path, body)

    def download(self, number):
        return self.call("GET", f"/unified/ats/attachments/{number}/download"
                                f"?integrated_account_id={self.account}")

    def try_all(self, cases, function):
        """What is answered to each; none may bring anything."""
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            results = list(pool.map(function, cases))
        for case, (status, _, body) in zip(cases, results):
            self.assertGreaterEqual(status, 400, case)
            self.assertIn("error", body, case)
        return collections.Counter(body["error"] for _, _, body in results)

    def connected(self):
        """Addresses and ports, but for the ATS itself and the database."""
        expected = [("127.0.0.1", self.fake.port), postgresql.address()]
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return collections.Counter((address, int(port)) for address, port in lines
                                   if (address, int(port)) not in expected)

    def assert_none_denied(self, allowed=()):
        met = [place for place in self.connected() if spellings.is_denied(place[0])]
        self.assertEqual([place for place in met if place not in allowed], [])

    def test_links_of_all_spellings(self):
        self.start("--call-timeout", "3")
        hosts = spellings.hosts()
        urls = [f"https://{host}/x" for host in hosts]
        urls += [f"http://{host}/x" for host in hosts[::4]]
        urls += [f"{scheme}://127.0.0.1:22/x" for scheme in (
            "ftp", "file", "gopher", "dict", "ldap", "smb", "telnet", "HTTPS", "httpS", "https:",
            "https:/", "\thttps", "view-source:https", "ws", "wss")]
        self.fake.targets = urls[::2]
        hops = [f"http://{self.fake.host}/hop/{number}" for number in range(len(urls[::2]))]
        self.fake.links = urls + hops
        self.assertGreater(len(self.fake.links), 3500)
        counts = self.try_all(range(len(self.fake.links)), self.download)
        self.assert_none_denied()
        # They were refused for their addresses, and not for something else.
        self.assertGreater(counts["forbidden"], 2000, counts)
        self.assertGreaterEqual(self.fake.hops, len(hops))
        print(f"{len(urls)} links and {len(hops)} redirects: {dict(counts)}", flush=True)

    def test_public_ones_are_called(self):
        """So that the others say something."""
        self.start("--call-timeout", "2")
        self.fake.links = ["https://1.1.1.1/x", "https://16843010/x", "https://a01010103.test/x",
                           "https://[2606:4700::1111]:8443/x",
                           f"http://{self.fake.host}/hop/0"]
        self.fake.targets = ["https://1.1.1.4:444/x"]
        self.try_all(range(5), self.download)
        self.assertEqual(set(self.connected()), {
            ("1.1.1.1", 443), ("1.1.1.2", 443), ("1.1.1.3", 443), ("2606:4700::1111", 8443),
            ("1.1.1.4", 444)})

    def test_answers_that_change(self):
        self.start("--call-timeout", "1")
        names = spellings.changing_names()
        self.assertGreater(len(names), 500)
        self.fake.links = [f"https://{name}/x" for name in names]
        for _ in range(2):
            self.try_all(range(len(names)), self.download)
        self.assertGreater(len(self.connected()), 0)
        self.assert_none_denied()

    def link(self, host):
        return self.call("POST", "/integrated-account", {
            "connector": "spelled", "tenant_id": "t", "context": {"host": host},
            "credentials": {"token": TOKEN}})

    def test_hosts_which_accounts_choose(self):
        self.start("--call-timeout", "2")
        addresses = spellings.addresses_4() + spellings.addresses_6()
        hosts = [host for host in spellings.hosts(2) if not host.endswith(":80")]
        hosts += [f"{spellings.item(address)}.test" for address in addresses]
        counts = self.try_all(hosts, self.link)
        self.assert_none_denied()
        self.assertGreater(counts["forbidden"], 500, counts)

    def test_what_is_allowed_is_no_more_than_that(self):
        listener = Sink("127.0.0.3")
        self.addCleanup(listener.close)
        self.start("--call-timeout", "2", "--allow-address", f"127.0.0.3:{listener.port}",
                   "--allow-address", "[fd00:20::/32]:443", "--allow-address", "10.20.0.0/16")
        hosts = [f"{spellings.item(spellings.ipaddress.ip_address(address))}.test" for address in (
            "127.0.0.3", "127.0.0.2", "10.20.255.255", "10.21.0.0", "10.19.255.255", "fd00:20::1",
            "fd00:21::1", "::ffff:10.20.0.1", "64:ff9b::10.20.0.1")]
        self.try_all(hosts, self.link)
        self.assertEqual({place[0] for place in self.connected()},
                         {"10.20.255.255", "fd00:20::1", "::ffff:10.20.0.1"})
        # What others link to stays public.
        self.fake.links = ["https://10.20.0.9/x", f"https://127.0.0.3:{listener.port}/x"]
        self.try_all(range(2), self.download)
        self.assertNotIn("10.20.0.9", {place[0] for place in self.connected()})
        self.assertEqual(listener.connections, 0)

    def test_no_proxy_of_the_environment_is_asked(self):
        proxy = Sink("127.0.0.4")
        self.addCleanup(proxy.close)
        url = f"http://{proxy.host}"
        self.start("--call-timeout", "2", "--allow-address", "127.0.0.0/8", env={
            name: url for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY",
                                   "ALL_PROXY")})
        self.try_all(["a01010101.test", "1.1.1.2"], self.link)
        self.assertEqual({place[0] for place in self.connected()}, {"1.1.1.1", "1.1.1.2"})
        self.assertEqual(proxy.connections, 0)

    def test_the_error_tells_the_kind_and_the_flag(self):
        self.start()
        status, _, body = self.link("a0a010203.test")
        self.assertEqual((status, body["error"]), (403, "forbidden"))
        self.assertIn("a private address", body["message"])
        self.assertIn("--allow-address", body["message"])
        self.assertNotIn("10.1.2.3", json.dumps(body))
        self.serve.stop()  # then all of its log has been read
        self.assertTrue(any("10.1.2.3" in line and "address_refused" in line
                            for line in self.serve.log))

    def test_control_bytes_go_nowhere(self):
        self.start()
        before = self.fake.requests
        for byte, place in itertools.product([*range(0x20), 0x7f], range(3)):
            bad = "ab"[:place] + chr(byte) + "ab"[place:]
            for field, context, token in (("api_token", COMPANY, bad), ("company_id", bad, TOKEN)):
                status, _, body = self.call("POST", "/integrated-account", {
                    "connector": "recruitee", "tenant_id": "t", "context": {"company_id": context},
                    "credentials": {"api_token": token}})
                self.assertEqual((status, body["error"]), (400, "invalid"), bad)
                self.assertIn(field, body["field"], bad)
            quoted = urllib.parse.quote(bad)
            for path in (f"/custom/a{quoted}b", f"/proxy/candidates/{quoted}",
                         f"/unified/ats/candidates/{quoted}"):
                status, _, body = self.call(
                    "GET", f"{path}?integrated_account_id={self.account}")
                self.assertIn(status, (400, 404), (path, body))
        self.assertEqual(self.fake.requests, before)

    def shapes(self, sinks):
        """Answers that lead elsewhere, by all means there are."""
        for sink, status in itertools.product(sinks, (300, 301, 302, 303, 305, 307, 308)):
            port = sink.rsplit(":", 1)[1]
            for target in (f"http://{sink}/", f"https://{sink}/", f"//{sink}/", f"HTTP://{sink}/",
                           f"http://{self.fake.host}@{sink}/", f"http:{sink}/", f"http:/{sink}/",
                           f"\\\\{sink}/", f"/\\{sink}/", f"http://{sink}\\@{self.fake.host}/",
                           f"http://{sink}#@{self.fake.host}/", f"http://{sink}?@{self.fake.host}/",
                           f"http://{self.fake.host}:{port}/", f"http://127.0.0.1.:{port}/"):
                yield status, [("Location", target)], b""
            yield status, [("Location", "/c/1/admin"), ("Location", f"http://{sink}/")], b""
            yield status, [("Refresh", f"0; url=http://{sink}/")], b""
            yield status, [("Content-Location", f"http://{sink}/")], b""
        for sink in sinks:
            link = [("Link", f'<http://{sink}/>; rel="next"'), ("Content-Type", "application/json")]
            yield 200, link, b"{}"
            yield 401, [("WWW-Authenticate", f'Bearer realm="http://{sink}/"')], b""
            yield 201, [("Location", f"http://{sink}/")], b"{}"
            yield 200, [("Alt-Svc", f'h2="{sink}"'), ("Refresh", f"0;http://{sink}/")], b"{}"
            yield 200, [("Strict-Transport-Security", "max-age=99999999")], b"{}"
            yield 407, [("Proxy-Authenticate", "Basic")], b""

    def test_no_secret_goes_elsewhere(self):
        """Though nothing else is in the way: addresses are allowed, and TLS is not asked for."""
        sinks = [Sink("127.0.0.1"), Sink("127.0.0.2"), Sink("::1")]
        for sink in sinks:
            self.addCleanup(sink.close)
        self.start("--allow-http", "--allow-address", "127.0.0.0/8", "--allow-address", "::1",
                   "--call-timeout", "20")
        named = f"localhost:{sinks[0].port}"
        self.fake.shapes = list(self.shapes([*(sink.host for sink in sinks), named]))
        self.assertGreater(len(self.fake.shapes), 450)
        before = self.fake.with_token
        cases = [(method, number) for number in range(len(self.fake.shapes))
                 for method in ("GET", "POST")]

        def custom(case):
            body = {"a": 1} if case[0] == "POST" else None
            return self.call(case[0], f"/custom/shape/{case[1]}"
                                      f"?integrated_account_id={self.account}", body)

        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(custom, cases))
        self.assertGreaterEqual(self.fake.with_token - before, len(cases))
        self.fake.links = [f"http://{self.fake.host}/shape/{number}"
                           for number in range(len(self.fake.shapes))]
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.download, range(len(self.fake.shapes))))
        for sink in sinks:
            self.assertEqual((sink.connections, sink.seen), (0, b""))
        self.sinks_would_have_seen(sinks)

    def sinks_would_have_seen(self, sinks):
        for sink in sinks:
            connection = http.client.HTTPConnection(sink.host, timeout=20)
            connection.request("GET", "/", headers={"Authorization": f"Bearer {TOKEN}"})
            connection.getresponse().read()
            connection.close()
            self.assertIn(TOKEN.encode(), sink.seen)

"""Who may call MCP servers: web pages and names of the server, tokens of servers, API keys beside
them, tokens of outside authorization servers, and what is told to those who may not."""
import base64
import json
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import ROOT, Case, Client, create_key, run_tenon
from test_oauth import SECRET, Provider, install

FOLDER = ROOT / "tests" / "oauth"
METADATA = "/.well-known/oauth-protected-resource"
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize",
         "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": {"name": "a test", "version": "1"}}}
SCOPES = ["mcp:read", "mcp:write"]
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
MADE_UP = "mcp_0123456789abcdefghijkl"


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as response:
        return response.read().decode()


class Issuer:
    """issuer.mjs: it signs what it is told to."""

    def __init__(self):
        self.process = subprocess.Popen(["node", "issuer.mjs"], cwd=FOLDER, text=True,
                                        stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().strip()
        self.base = self.url.removesuffix("/tenant")

    def sign(self, alg="ES256", header=None, **claims):
        return ask(f"{self.base}/sign", {"alg": alg, "header": header or {}, "claims": claims})

    def control(self, **order):
        ask(f"{self.base}/control", order)

    def counts(self):
        return json.loads(ask(f"{self.base}/counts"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class AuthCase(Case):
    def call(self, place, token=None, message=None, **headers):
        sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self.anybody.request("POST", f"/mcp/{place}", message or HELLO, sent)

    def begin(self, *options):
        self.linked("--candidates", "5", server_options=options)
        admin = create_key(self.data, "production", "--scope", "admin")["key"]
        self.admin = Client(self.serve.host, admin)
        self.addCleanup(self.admin.close)
        self.anybody = Client(self.serve.host)
        self.addCleanup(self.anybody.close)
        self.base = f"http://{self.serve.host}"

    def make(self, account=None, client=None, **config):
        status, _, made = (client or self.admin).request(
            "POST", f"/integrated-account/{account or self.account}/mcp", {"name": "a test's", **config})
        self.assertEqual(status, 201, made)
        return made

    def assert_refused(self, answer, status, error=None, place=None):
        got, headers, body = answer
        self.assertEqual(got, status, body)
        self.assertEqual(set(body), {"jsonrpc", "error"})
        if status in (401, 403) and error is not None:
            self.assertIn(f'error="{error}"', headers["www-authenticate"])
        if status == 401:
            self.assertIn(f'resource_metadata="{self.base}{METADATA}{place or ""}"',
                          headers["www-authenticate"])
            self.assertIn('scope="mcp:read mcp:write"', headers["www-authenticate"])
            if error is None:
                self.assertNotIn("error=", headers["www-authenticate"])
        return body["error"]["message"]

    def assert_let_in(self, answer):
        self.assertEqual(answer[0], 200, answer[2])
        self.assertEqual(answer[2]["result"]["serverInfo"]["name"], "tenon")
        return answer[1]


class Pages(AuthCase):
    """Origin, Host, and what browsers ask before."""

    def test_origins(self):
        self.begin("--mcp-origin", "https://agents.example", "--public-url", "https://ats.example")
        self.base = "https://ats.example"
        for origin in ("https://agents.example", "https://ats.example", "http://localhost:6274",
                       "http://127.0.0.1", "https://[::1]:9"):
            answer = self.call(MADE_UP, Origin=origin)
            self.assert_refused(answer, 401, place=f"/mcp/{MADE_UP}")
            self.assertEqual(answer[1]["access-control-allow-origin"], origin)
            self.assertIn("WWW-Authenticate", answer[1]["access-control-expose-headers"])
        for origin in ("https://evil.example", "null", "https://agents.example.evil.example",
                       "https://agents.example:444", "http://agents.example", "http://localhost.evil.example"):
            answer = self.call(MADE_UP, Origin=origin)
            self.assertIn("--mcp-origin", self.assert_refused(answer, 403))
            self.assertNotIn("access-control-allow-origin", answer[1])

    def test_names_of_the_server(self):
        self.begin("--public-url", "https://ats.example")
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8080", "ats.example"):
            self.assertEqual(self.call(MADE_UP, Host=host)[0], 401, host)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""):
            self.assertIn("--public-url", self.assert_refused(self.call(MADE_UP, Host=host), 403))

    def test_what_browsers_ask(self):
        self.begin()
        for path, methods in ((f"/mcp/{MADE_UP}", "POST"), (METADATA, "GET"),
                              (f"{METADATA}/mcp/{MADE_UP}", "GET")):
            status, headers, _ = self.anybody.request("OPTIONS", path, None,
                                                      {"Origin": "http://localhost:6274"})
            self.assertEqual(status, 204)
            self.assertEqual(headers["access-control-allow-origin"], "http://localhost:6274")
            self.assertEqual(headers["access-control-allow-methods"], methods)
            for name in ("Authorization", "Content-Type", "MCP-Protocol-Version", "Mcp-Method",
                         "Mcp-Name", "Mcp-Session-Id", "Last-Event-ID"):
                self.assertIn(name, headers["access-control-allow-headers"])
            status, headers, _ = self.anybody.request("OPTIONS", path, None,
                                                      {"Origin": "https://evil.example"})
            self.assertEqual(status, 403)
            self.assertNotIn("access-control-allow-origin", headers)

    def test_only_posts(self):
        self.begin()
        for method in ("GET", "DELETE"):
            status, headers, _ = self.anybody.request(method, f"/mcp/{MADE_UP}")
            self.assertEqual(status, 405)
            self.assertIn("POST", headers["allow"].split(", "))

    def test_options_of_the_command(self):
        for option in ("agents.example", "https://agents.example/", "https://"):
            done = run_tenon("serve", "--data", str(self.data), "--mcp-origin", option, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("https://HOST[:PORT]", done.stderr)


class Metadata(AuthCase):
    def test_of_no_server(self):
        self.begin("--mcp-issuer", "https://login.example")
        made_up = self.anybody.get(f"{METADATA}/mcp/{MADE_UP}")
        self.assertEqual((made_up[0], made_up[2]), (200, {
            "resource": f"{self.base}/mcp/{MADE_UP}", "scopes_supported": SCOPES,
            "bearer_methods_supported": ["header"]}))
        self.assertEqual(self.anybody.get(METADATA)[2], {
            "resource": self.base, "authorization_servers": ["https://login.example"],
            "scopes_supported": SCOPES, "bearer_methods_supported": ["header"]})
        for name in ("tmcp_" + 43 * "a", "mcp_" + 80 * "a", "mcp_%3Cb%3E", "other"):
            status, _, body = self.anybody.get(f"{METADATA}/mcp/{name}")
            self.assertEqual(status, 404)
            self.assertNotIn(name, json.dumps(body))

    def test_of_servers(self):
        self.begin()
        plain = self.make()
        status, _, told = self.anybody.get(f"{METADATA}/mcp/{plain['id']}")
        made_up = plain["id"][:-6] + ("000000" if plain["id"][-6:] != "000000" else "111111")
        nothing = self.anybody.get(f"{METADATA}/mcp/{made_up}")
        self.assertEqual((status, told), (200, {**nothing[2], "resource": plain["url"]}))
        self.assertEqual((nothing[0], nothing[2]["resource"]), (200, f"{self.base}/mcp/{made_up}"))
        outside = self.make(oauth={"issuer": "https://login.example/a"})
        told = self.anybody.get(f"{METADATA}/mcp/{outside['id']}")[2]
        self.assertEqual(told["authorization_servers"], ["https://login.example/a"])
        self.assertEqual(told["resource"], outside["url"])


class Tokens(AuthCase):
    """The servers' own."""

    def test_in_the_header(self):
        self.begin()
        made, other = self.make(), self.make()
        place = f"/mcp/{made['id']}"
        self.assert_let_in(self.call(made["id"], made["token"]))
        self.assert_refused(self.call(made["id"]), 401, place=place)
        self.assert_refused(self.call(made["id"], Authorization="Basic YTpi"), 401, place=place)
        messages = {self.assert_refused(self.call(one, token), 401, "invalid_token", f"/mcp/{one}")
                    for one, token in ((made["id"], other["token"]), (made["id"], "x"), (made["id"], self.key),
                                       (made["id"], made["token"][:-1]), (MADE_UP, made["token"]))}
        self.assertEqual(len(messages), 1)  # which ids there are is not told
        status, _, _ = self.admin.request(
            "DELETE", f"/integrated-account/{self.account}/mcp/{made['id']}")
        self.assertIn(status, (200, 204))
        self.assert_refused(self.call(made["id"], made["token"]), 401, "invalid_token", place)

    def test_in_the_path(self):
        self.begin()
        header_only, path = self.make(), self.make(token_in_path=True)
        self.assert_let_in(self.call(path["token"]))
        self.assertEqual(path["url_with_token"], f"{self.base}/mcp/{path['token']}")
        self.assert_let_in(self.call(path["id"], path["token"]))
        other = path["token"][:-1] + ("y" if path["token"][-1] == "x" else "x")
        for token in (header_only["token"], "tmcp_" + 43 * "a", other):
            answer = self.call(token)
            self.assert_refused(answer, 401)
            self.assertNotIn(token, json.dumps(answer[1:]))

    def test_with_an_api_key_beside(self):
        self.begin()
        foreign = create_key(self.data, "staging")["key"]
        for config in ({}, {"token_in_path": True}):
            made = self.make(require_api_key=True, **config)
            place = made["token"] if config else made["id"]
            beside = {} if config else {"X_MCP_Token": made["token"]}
            self.assert_let_in(self.call(place, self.key, **beside))
            for key in (foreign, made["token"], "x", None):
                self.assertEqual(self.call(place, key, **beside)[0], 401)
            if not config:
                self.assertEqual(self.call(place, self.key)[0], 401)
                self.assertEqual(self.call(place, self.key, X_MCP_Token="tmcp_x")[0], 401)

    def test_of_another_environment(self):
        self.begin()
        made = self.make()
        foreign = Client(self.serve.host, create_key(self.data, "staging", "--scope", "admin")["key"])
        self.addCleanup(foreign.close)
        status, _, _ = foreign.get(f"/integrated-account/{self.account}/mcp/{made['id']}")
        self.assertEqual(status, 404)
        self.assertEqual(self.call(made["id"], foreign.key)[0], 401)

    def test_nothing_is_logged(self):
        self.begin()
        made = self.make(token_in_path=True)
        self.assert_let_in(self.call(made["token"]))
        self.call(made["token"][:-1] + "_")
        self.anybody.get(f"{METADATA}/mcp/{made['token']}")
        self.call(made["id"], made["token"], {"jsonrpc": "2.0", "id": 1, "method": "nothing"})
        self.serve.stop()
        log = "".join(map(str, self.serve.log))
        self.assertIn("/mcp/{mcp_id}", log)
        self.assertNotIn(made["token"][5:-1], log)


class Jwt(AuthCase):
    """Tokens of an outside authorization server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        install()

    def begin_jwt(self, **oauth):
        self.issuer = Issuer()
        self.addCleanup(self.issuer.stop)
        host = self.issuer.base.removeprefix("http://")
        self.begin("--allow-address", host)
        self.made = self.make(oauth={"issuer": self.issuer.url, **oauth})
        self.place = f"/mcp/{self.made['id']}"

    def claims(self, **changes):
        now = int(time.time())
        claims = {"iss": self.issuer.url, "aud": self.made["url"], "sub": "somebody", "iat": now,
                  "exp": now + 600, "scope": "openid mcp:read mcp:write", **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, alg="ES256", header=None, **changes):
        return self.issuer.sign(alg, header, **self.claims(**changes))

    def show(self, token):
        return self.call(self.made["id"], token)

    def assert_bad(self, token):
        return self.assert_refused(self.show(token), 401, "invalid_token", self.place)

    def test_each_algorithm(self):
        self.begin_jwt()
        for alg in ALGORITHMS:
            with self.subTest(alg):
                self.assert_let_in(self.show(self.token(alg)))
                head, body, signature = self.token(alg).split(".")
                raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
                raw[len(raw) // 2] ^= 1
                forged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
                self.assert_bad(f"{head}.{body}.{forged}")
                self.assert_bad(f"{head}.{body}.")
                other = self.token(alg, sub="another").split(".")
                self.assert_bad(f"{head}.{other[1]}.{signature}")
        self.assertEqual(self.issuer.counts()["/keys"], 1)

    def test_algorithms_that_are_not_taken(self):
        self.begin_jwt()
        self.assert_let_in(self.show(self.token()))
        for alg in ("none", "HS256"):
            self.assert_bad(self.token(alg))
            self.assert_bad(self.token(alg, {"kid": "RS256-1"}))
        self.assert_bad(self.token("RS256", {"kid": "PS256-1"}))
        self.assert_bad(self.token("ES256", {"kid": "ES384-1"}))

    def test_claims(self):
        self.begin_jwt(subjects=["somebody", "robot"])
        now = int(time.time())
        for good in ({}, {"sub": "robot"}, {"aud": ["other", self.made["url"]]}, {"exp": now - 20},
                     {"nbf": now + 20}, {"exp": now + 600.5}, {"scope": "mcp:read"},
                     {"scope": None, "scp": ["mcp:read"]}):
            self.assert_let_in(self.show(self.token(**good)))
        for bad, word in (({"exp": now - 120}, "expired"), ({"exp": None}, "expires"), ({"exp": "never"}, "expires"),
                          ({"nbf": now + 120}, "yet"), ({"nbf": "x"}, "yet"), ({"aud": None}, "audience"),
                          ({"aud": self.base}, "audience"), ({"aud": [self.made["url"] + "x"]}, "audience"),
                          ({"sub": "nobody"}, "somebody else"), ({"sub": None}, "sub"),
                          ({"iss": "https://evil.example"}, "token"), ({"iss": None}, "token")):
            self.assertIn(word, self.assert_bad(self.token(**bad)), bad)
        self.assert_bad(self.token(header={"typ": "dpop+jwt"}))
        self.assert_bad("a.b.c")
        self.assert_bad("..")

    def test_scopes(self):
        self.begin_jwt()
        for scope in ("openid", "", None, "mcp:reads"):
            answer = self.show(self.token(scope=scope))
            self.assert_refused(answer, 403, "insufficient_scope")
            self.assertIn('scope="mcp:read mcp:write"', answer[1]["www-authenticate"])

    def test_scopes_reach_for_tools(self):
        self.begin_jwt()
        def call(scope, tool, **arguments):
            return self.call(self.made["id"], self.token(scope=scope), {
                "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                "params": {"name": tool, "arguments": arguments}})

        for scope in ("mcp:read", "mcp:write"):
            status, _, body = call(scope, "list_all_ats_candidates", limit=2)
            self.assertEqual((status, body["result"].get("isError", False)), (200, False), body)
        status, headers, body = call("mcp:read", "create_a_ats_candidate", name="Ilse Vandersteen")
        self.assertEqual((status, body["id"]), (403, 7), body)
        self.assertIn('error="insufficient_scope", scope="mcp:read mcp:write"', headers["www-authenticate"])
        self.assertEqual(self.list("candidates", **{"name": "Ilse Vandersteen"})[2]["result"], [])
        status, _, body = call("mcp:write", "create_a_ats_candidate", name="Ilse Vandersteen")
        self.assertEqual((status, body["result"].get("isError", False)), (200, False), body)
        self.assertEqual(len(self.list("candidates", **{"name": "Ilse Vandersteen"})[2]["result"]), 1)

    def test_its_audience_may_be_told(self):
        self.begin_jwt(audience="https://tenon.example")
        self.assert_let_in(self.show(self.token(aud="https://tenon.example")))
        self.assert_bad(self.token())

    def test_the_callers_word_for_the_address_counts_on_this_machine_only(self):
        self.begin_jwt()
        self.serve.stop()
        self.serve = self.server(self.box, "--allow-address", self.issuer.base.removeprefix("http://"),
                                 listen="0.0.0.0:0")
        self.anybody = Client(self.serve.host)
        self.addCleanup(self.anybody.close)
        token = self.token(aud=f"http://other.example{self.place}")
        answer = self.call(self.made["id"], token, Host="other.example")
        self.assertEqual(answer[0], 503, answer[2])
        self.assertIn("oauth.audience", answer[2]["error"]["message"])
        self.assert_let_in(self.call(self.made["id"], self.made["token"]))

    def test_keys_are_fetched_seldom(self):
        self.begin_jwt()
        for _ in range(20):
            self.assert_let_in(self.show(self.token()))
        self.assert_bad(self.token(header={"kid": "unknown"}))
        self.issuer.control(keys=["ES256"])
        for _ in range(20):
            self.assert_bad(self.token())  # a kid that is not known, within the minute
        self.assertEqual(self.issuer.counts()["/keys"], 1)

    def test_keys_stay_while_the_issuer_is_away(self):
        self.begin_jwt()
        token = self.token()
        self.issuer.control(away=True)
        status, headers, body = self.show(token)
        self.assertEqual((status, "retry-after" in headers), (502, True), body)
        self.assertNotIn(token, json.dumps(body))
        other = self.make(oauth={"issuer": self.issuer.url + "/"})
        self.issuer.control(away=False)
        self.assertEqual(self.call(other["id"], self.token(iss=self.issuer.url + "/", aud=other["url"]))[0], 502)

    def test_metadata_must_be_the_issuers(self):
        self.begin_jwt()
        self.issuer.control(name="https://evil.example")
        self.assertEqual(self.show(self.token())[0], 502)
        self.assertNotIn("/keys", self.issuer.counts())

    def test_addresses_out_of_reach(self):
        self.issuer = Issuer()
        self.addCleanup(self.issuer.stop)
        self.begin()
        self.made = self.make(oauth={"issuer": self.issuer.url})
        self.assertGreaterEqual(self.show(self.token())[0], 400)
        self.assertEqual(self.issuer.counts(), {})

    def test_servers_without_one_take_none(self):
        self.begin_jwt()
        plain = self.make()
        token = self.token(aud=plain["url"])
        self.assert_refused(self.call(plain["id"], token), 401, "invalid_token", f"/mcp/{plain['id']}")
        self.assertEqual(self.call(self.made["id"], self.made["token"])[0], 200)

    def test_nothing_is_logged(self):
        self.begin_jwt()
        good, bad = self.token(), self.token(aud="x")
        self.show(good)
        self.show(bad)
        self.serve.stop()
        log = "".join(map(str, self.serve.log))
        for token in (good, bad):
            for part in token.split("."):
                self.assertNotIn(part, log)

    def test_of_a_real_authorization_server(self):
        provider = Provider()
        self.addCleanup(provider.kill)
        self.begin("--allow-address", provider.host)
        made = self.make(oauth={"issuer": provider.url})

        def obtain(resource):
            form = urllib.parse.urlencode({"grant_type": "client_credentials", "resource": resource,
                                           "scope": "mcp:read"}).encode()
            login = ":".join(map(urllib.parse.quote_plus, ("tenon", SECRET)))
            asking = urllib.request.Request(f"{provider.url}/token", form, {
                "Authorization": "Basic " + base64.b64encode(login.encode()).decode()})
            with urllib.request.urlopen(asking, timeout=30) as response:
                return json.load(response)["access_token"]

        self.assert_let_in(self.call(made["id"], obtain(made["url"])))
        message = self.assert_refused(self.call(made["id"], obtain("https://other.example/mcp")), 401,
                                      "invalid_token", f"/mcp/{made['id']}")
        self.assertIn("audience", message)


if __name__ == "__main__":
    unittest.main()

"""Tokens of OAuth against a real authorization server, oidc-provider, with rotation of refresh
tokens and detection of their reuse: of all that want a new one, one asks, and what it got is kept.

TENON_OAUTH_ROUNDS, TENON_OAUTH_CALLS and TENON_OAUTH_DELAY_MS make the race longer: 200 rounds of
1,000 calls with up to 10,000 ms are the long run."""
import asyncio
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import time
import unittest

from harness import ROOT, Case, Client, create_key, run_tenon, servers, Process

FOLDER = ROOT / "tests" / "oauth"
ROUNDS = int(os.environ.get("TENON_OAUTH_ROUNDS", "6"))
CALLS = int(os.environ.get("TENON_OAUTH_CALLS", "200"))
DELAY_MS = int(os.environ.get("TENON_OAUTH_DELAY_MS", "1000"))
SEED = int(os.environ.get("TENON_OAUTH_SEED", "0"))
SECRET = "a secret/with: odd+characters"

CONNECTOR = """
label: Grantly
base_url: https://grantly.example/ats
context: {}
credentials:
  - format: oauth2
    authorize_url: https://grantly.example/auth
    token_url: https://grantly.example/token
    scopes: [openid, offline_access, candidates.read]
  - format: oauth2_client_credentials
    token_url: TOKEN_URL
  - format: basic
probe: candidates.list
limits: {concurrent: 100}
resources:
  candidates:
    list: {request: GET /candidates, items: candidates, describe: List candidates. Requires nothing. Returns id.}
"""
MAPPING = """
list: {call: candidates.list}
map: {id: $string(id), name: name}
"""


def install():
    if not shutil.which("npm"):
        raise unittest.SkipTest("npm is not installed")
    if (FOLDER / "node_modules").exists():
        return
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise unittest.SkipTest(f"npm packages cannot be installed: {done.stderr[-200:]}")


class Provider:
    """provider.mjs, and what it knows."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["node", "provider.mjs"], cwd=FOLDER, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, "CLIENT_SECRET": SECRET})
        self.url = self.process.stdout.readline().strip()
        self.host = self.url.split("//")[1]

    def ask(self, what, **body):
        client = Client(self.host)
        status, _, answer = client.request("POST", f"/control/{what}", body)
        client.close()
        assert status == 200, (status, answer)
        return answer

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


async def call_apart(host, path, key):
    """Over a connection of its own: the status and the text; 0: it was cut off."""
    try:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                     f"Authorization: Bearer {key}\r\n\r\n".encode())
        await writer.drain()
        text = (await reader.read()).decode()
        writer.close()
        return int(text.split(" ", 2)[1]), text
    except (OSError, IndexError, ValueError):
        return 0, ""


async def call_once(host, path, key):
    """200, or why it was not."""
    status, text = await call_apart(host, path, key)
    return {200: 200, 0: "cut"}.get(status, text[-300:])


async def call_many(host, path, key, count, after=None):
    """So many calls at once; `after` is awaited beside them."""
    calls = [call_once(host, path, key) for _ in range(count)]
    if after is not None:
        calls.append(after)
    told = await asyncio.gather(*calls)
    return collections.Counter(told[:count])


class OAuthCase(Case):
    def setUp(self):
        install()
        super().setUp()
        self.provider = Provider()
        self.addCleanup(self.provider.kill)
        self.share = self.folder / "share"
        mappings = self.share / "connectors" / "grantly" / "ats"
        mappings.mkdir(parents=True)
        (self.share / "models").symlink_to(ROOT / "models")
        (mappings.parent / "connector.yaml").write_text(
            CONNECTOR.replace("TOKEN_URL", "https://grantly.example/token"))
        (mappings / "candidates.yaml").write_text(MAPPING)
        self.start()
        self.admin = create_key(self.data, "production", "--scope", "admin", "--scope", "call",
                                "--share", str(self.share))["key"]
        self.client = Client(self.serve.host, self.admin)
        self.set_app()

    def start(self, workers="4"):
        self.serve = Process(["serve", "--listen", "127.0.0.1:0", "--data", str(self.data),
                              "--workers", workers, "--share", str(self.share),
                              "--connector-base-url", f"grantly={self.provider.url}"])
        servers.add(self.serve.host)
        self.addCleanup(self.serve.kill)

    def restart(self):
        self.serve.kill()
        self.client.close()
        self.start()
        self.client = Client(self.serve.host, self.admin)

    def set_app(self, secret=SECRET):
        return self.client.request("PUT", "/environment/oauth-apps/grantly", {
            "client_id": "tenon", "client_secret": secret,
            "authorize_url": f"{self.provider.url}/auth",
            "token_url": f"{self.provider.url}/token"})

    def link(self):
        """An account with tokens that were got somewhere else."""
        status, _, account = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "oauth2",
            "credentials": self.provider.ask("grant")})
        self.assertEqual(status, 201, account)
        return account["id"]

    def show(self, account):
        status, _, shown = self.client.get(f"/integrated-account/{account}")
        self.assertEqual(status, 200)
        return shown

    def path(self, account):
        return f"/unified/ats/candidates?integrated_account_id={account}"


class Tokens(OAuthCase):
    def test_apps(self):
        status, _, app = self.set_app()
        self.assertEqual(status, 200)
        self.assertEqual((app["client_id"], app["has_client_secret"]), ("tenon", True))
        self.assertNotIn(SECRET, json.dumps(app))
        status, _, apps = self.client.get("/environment/oauth-apps")
        self.assertEqual([a["connector"] for a in apps["result"]], ["grantly"])
        for body, field in (({"client_id": ""}, "client_id"),
                            ({"client_id": "a", "token_url": "http://example.com/"}, "token_url"),
                            ({"client_id": "a", "scopes": ["a b"]}, "scopes"),
                            ({"client_id": "a", "secret": "b"}, "body")):
            status, _, refusal = self.client.request("PUT", "/environment/oauth-apps/grantly", body)
            self.assertEqual((status, refusal["field"]), (400, field), refusal)
        status, _, refusal = self.client.request(
            "PUT", "/environment/oauth-apps/nobody", {"client_id": "a"})
        self.assertEqual(status, 404)
        told = run_tenon("oauth-app", "list", "--environment", "production", "--data",
                         str(self.data), "--json").stdout
        self.assertEqual(json.loads(told), apps)
        run_tenon("oauth-app", "set", "grantly", "--environment", "production", "--data",
                  str(self.data), "--client-id", "other", stdin="{}")
        status, _, app = self.client.get("/environment/oauth-apps/grantly")
        self.assertEqual((app["client_id"], app["has_client_secret"]), ("other", False))
        run_tenon("oauth-app", "remove", "grantly", "--environment", "production", "--data",
                  str(self.data))
        status, _, _ = self.client.get("/environment/oauth-apps/grantly")
        self.assertEqual(status, 404)

    def test_a_refused_token_is_replaced(self):
        account = self.link()
        self.assertEqual(self.show(account)["authentication_method"], "oauth2")
        self.provider.ask("expire")
        status, _, page = self.client.get(self.path(account))
        self.assertEqual((status, page["result"][0]["name"]), (200, "Ada"), page)
        shown = self.show(account)
        self.assertEqual(shown["scopes"], ["openid", "offline_access", "candidates.read"])
        self.assertIsNotNone(shown["credentials_expire_at"])
        self.assertEqual(self.provider.ask("counts")["rotations"], 1)

    def test_on_demand(self):
        account = self.link()
        status, _, shown = self.client.request(
            "POST", f"/integrated-account/{account}/refresh-credentials")
        self.assertEqual((status, shown["id"]), (200, account), shown)
        run_tenon("account", "refresh", account, "--environment", "production", "--data",
                  str(self.data))
        self.assertEqual(self.provider.ask("counts")["rotations"], 2)

    def test_client_credentials(self):
        body = {"connector": "grantly", "authentication_method": "oauth2_client_credentials",
                "credentials": {"client_id": "tenon", "client_secret": SECRET}}
        status, _, account = self.client.request("POST", "/integrated-account", body)
        self.assertEqual(status, 201, account)
        for _ in range(2):
            status, _, page = self.client.get(self.path(account["id"]))
            self.assertEqual((status, page["result"][0]["name"]), (200, "Ada"), page)
        self.assertEqual(self.provider.ask("counts")["clients"], 2)  # to try it, and to use it
        self.provider.ask("expire")
        status, _, page = self.client.get(self.path(account["id"]))
        self.assertEqual((status, self.provider.ask("counts")["clients"]), (200, 3), page)
        body["credentials"]["client_secret"] = "wrong"
        status, _, refusal = self.client.request("POST", "/integrated-account", body)
        self.assertEqual((status, refusal["field"]), (400, "client_secret"), refusal)
        status, _, refusal = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "oauth2_client_credentials",
            "credentials": {"client_id": "tenon"}})
        self.assertEqual((status, refusal["field"]), (400, "client_secret"), refusal)

    def test_basic(self):
        """The ATS refuses it; that it was sent as Basic is told by the refusal's field."""
        status, _, refusal = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "basic",
            "credentials": {"username": "u", "password": "p"}})
        self.assertEqual((status, refusal["field"]), (400, "password"), refusal)
        status, _, refusal = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "magic", "credentials": {}})
        self.assertEqual((status, refusal["field"]), (400, "authentication_method"), refusal)
        self.assertIn("basic", refusal["allowed"])

    def test_a_revoked_grant_asks_for_its_owner(self):
        account = self.link()
        # Somebody else uses the refresh token: it is reused, and the provider revokes all.
        grant = self.provider.ask("grant")
        status, _, other = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "oauth2", "credentials": grant})
        self.assertEqual(status, 201)
        status, _, twin = self.client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "oauth2", "credentials": grant})
        self.assertEqual(status, 201)
        for one, expected in ((other, 200), (twin, 401)):
            status, _, told = self.client.request(
                "POST", f"/integrated-account/{one['id']}/refresh-credentials")
            self.assertEqual(status, expected, told)
        self.assertEqual(self.show(twin["id"])["status"], "needs_reauth")
        # It is not asked for again and again.
        before = self.provider.ask("counts")["requests"]
        status, _, told = self.client.request(
            "POST", f"/integrated-account/{twin['id']}/refresh-credentials")
        self.assertEqual((status, self.provider.ask("counts")["requests"]), (401, before), told)
        self.assertEqual(self.show(account)["status"], "active")

    def test_a_wrong_secret_is_not_the_accounts_fault(self):
        account = self.link()
        self.set_app("wrong")
        self.provider.ask("expire")
        status, _, told = self.client.get(self.path(account))
        self.assertEqual((status, told["error"]), (502, "upstream"), told)
        self.assertEqual(self.show(account)["status"], "active")

    def test_an_answer_that_was_lost_is_owned_up_to(self):
        """The one hole: the provider has rotated, and the server dies before it hears so."""
        account = self.link()
        self.provider.ask("expire")
        self.provider.ask("delay", before_ms=0, after_ms=3000)
        asyncio.run(call_many(self.serve.host, self.path(account), self.admin, 20,
                              self.kill_when(lambda counts: counts["rotations"] == 1)))
        self.provider.ask("delay", before_ms=0, after_ms=0)
        self.restart()
        status, _, told = self.client.get(self.path(account))
        self.assertEqual((status, told["error"]), (401, "unauthorized"), told)
        self.assertEqual(self.show(account)["status"], "needs_reauth")
        self.assertTrue(any("token_answer_was_lost" in line for line in self.serve.log))

    async def kill_when(self, is_due):
        while not is_due(await asyncio.to_thread(self.provider.ask, "counts")):
            await asyncio.sleep(0.02)
        self.serve.process.kill()


class Race(OAuthCase):
    """Each round: a token that the ATS refuses, many calls at once over four workers, a provider
    that takes its time; in every other round the server is killed meanwhile and started anew."""

    async def kill_after(self, seconds):
        await asyncio.sleep(seconds)
        self.serve.process.kill()

    def settle(self):
        """Until the provider has nothing in hand: what a dead server asked for is dropped."""
        while self.provider.ask("counts")["under_way"] > 0:
            time.sleep(0.05)

    def play(self, account, is_killed, seed):
        self.provider.ask("expire")
        if is_killed:
            moment = random.Random(seed).random() * (DELAY_MS / 1000 + 0.3)
            asyncio.run(call_many(self.serve.host, self.path(account), self.admin, CALLS,
                                  self.kill_after(moment)))
            self.restart()
        return asyncio.run(call_many(self.serve.host, self.path(account), self.admin, CALLS))

    def test_one_refresh_per_rotation(self):
        totals = collections.Counter()
        account = self.link()
        self.client.get(self.path(account))
        self.provider.ask("delay", before_ms=DELAY_MS, after_ms=0)
        for number in range(ROUNDS):
            if number % 20 == 19:
                print(f"  {dict(totals)}", flush=True)
            is_killed = number % 2 == 1
            before = self.provider.ask("counts")
            told = self.play(account, is_killed, SEED + number)
            self.settle()
            after = self.provider.ask("counts")
            rotated = after["rotations"] - before["rotations"]
            totals["rounds"] += 1
            totals["rotations"] += rotated
            totals["dropped"] += after["dropped"] - before["dropped"]
            totals["calls"] += sum(told.values())
            status = self.show(account)["status"]
            if after["reuses"] > before["reuses"] and is_killed:
                # Killed between the provider's answer and the disk: what it says then is true.
                self.assertEqual((status, rotated), ("needs_reauth", 1))
                self.assertTrue(any("token_answer_was_lost" in line for line in self.serve.log))
                totals["lost"] += 1
                account = self.link()
                self.client.get(self.path(account))
                continue
            totals["kept"] += is_killed
            self.assertEqual(status, "active", f"round {number}: {told}")
            self.assertEqual(told, {200: CALLS}, f"round {number}")
            self.assertEqual(rotated, 1, f"round {number}: {after}")
            self.assertEqual(after["refused"], before["refused"], f"round {number}")
        print(f"  {dict(totals)} with up to {DELAY_MS} ms", flush=True)

"""MCP servers of accounts: made, shown, changed, removed, by the API and by command; what their
rows keep; who takes them along."""
import json
import pathlib
import re
import time

from harness import Case, Client, create_key, link_account, run_tenon

MEMBERS = {"id", "integrated_account_id", "name", "url", "methods", "tags", "mode", "confirm",
           "structured", "token_in_path", "require_api_key", "output_bytes", "mask", "rate_limit",
           "oauth", "created_by", "created_at", "updated_at", "expires_at"}
USUAL = {"name": None, "methods": [], "tags": [], "mode": "all", "confirm": "destructive",
         "structured": False, "token_in_path": False, "require_api_key": False,
         "output_bytes": 61440, "mask": [], "rate_limit": {"requests": 600, "per_seconds": 60},
         "oauth": None, "expires_at": None}
NOBODY = "mcp_00000000000000000000000000"


def in_seconds(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class ServersCase(Case):
    candidates = "3"

    def setUp(self):
        super().setUp()
        self.linked("--candidates", self.candidates)
        self.key = create_key(self.data, "production", "--scope", "admin")
        self.admin = self.client_of(self.key["key"])
        self.path = f"/integrated-account/{self.account}/mcp"

    def client_of(self, key):
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        return client

    def make(self, **asked):
        status, headers, made = self.admin.request("POST", self.path, asked)
        self.assertEqual(status, 201, made)
        self.assertEqual(headers["cache-control"], "no-store")
        return made

    def refused(self, asked, method="POST", path=None):
        status, _, body = self.admin.request(method, path or self.path, asked)
        self.assertEqual(status, 400, (asked, body))
        return body["field"]


class Servers(ServersCase):
    def test_made_listed_shown_changed_removed(self):
        made = self.make()
        token = made.pop("token")
        self.assertEqual(set(made), MEMBERS)
        self.assertRegex(token, "^tmcp_[0-9A-Za-z]{38}$")
        self.assertEqual(made["url"], f"http://{self.serve.host}/mcp/{made['id']}")
        self.assertEqual({name: made[name] for name in USUAL}, USUAL)
        self.assertEqual(made["created_by"], self.key["id"])
        one = f"{self.path}/{made['id']}"
        self.assertEqual(self.admin.get(one)[2], made)
        self.assertEqual(self.admin.get(self.path)[2]["result"], [made])
        wanted = {"name": "Sourcing", "methods": ["read"], "tags": ["unified", "notes"],
                  "mode": "search", "confirm": "never", "structured": True,
                  "token_in_path": True, "require_api_key": True, "output_bytes": 4096,
                  "mask": ["contact", "salary"], "rate_limit": {"requests": 2, "per_seconds": 3},
                  "oauth": {"issuer": "https://login.example", "audience": "ats",
                            "subjects": ["ada"]},
                  "expires_at": "2120-01-31T00:00:00.000Z"}
        status, _, changed = self.admin.request("PATCH", one, wanted)
        self.assertEqual(status, 200, changed)
        self.assertEqual({name: changed[name] for name in wanted}, wanted)
        self.assertNotIn("token", changed)
        # What is not said stays; null empties.
        status, _, changed = self.admin.request(
            "PATCH", one, {"name": None, "expires_at": None, "oauth": None, "tags": None,
                           "rate_limit": None})
        self.assertEqual(status, 200, changed)
        emptied = ("name", "expires_at", "oauth", "tags", "rate_limit")
        self.assertEqual({name: changed[name] for name in emptied},
                         {name: USUAL[name] for name in emptied})
        self.assertEqual(changed["mask"], ["contact", "salary"])
        self.assertEqual(self.admin.request("DELETE", one)[::2], (200, {"id": made["id"]}))
        for method in ("GET", "PATCH", "DELETE"):
            status, _, body = self.admin.request(method, one, {} if method == "PATCH" else None)
            self.assertEqual((status, body["error"], body["field"]), (404, "not_found", "mcp_id"))
        self.assertEqual(self.admin.get(self.path)[2]["result"], [])

    def test_the_token_is_told_once_and_kept_nowhere(self):
        made = self.make(token_in_path=True)
        self.assertEqual(made["url_with_token"],
                         f"http://{self.serve.host}/mcp/{made['token']}")
        for path in (self.path, f"{self.path}/{made['id']}", "/log", "/events"):
            self.assertNotIn(made["token"], json.dumps(self.admin.get(path)[2]))
        self.serve.stop()
        secret = made["token"].encode()
        for file in pathlib.Path(self.data).rglob("*"):
            if file.is_file():
                self.assertNotIn(secret, file.read_bytes(), file)

    def test_pages_of_the_list(self):
        ids = [self.make(name=str(i))["id"] for i in range(5)]
        seen, cursor = [], None
        while True:
            query = {"limit": 2, **({"next_cursor": cursor} if cursor else {})}
            _, _, page = self.admin.get(self.path, **query)
            seen += [row["id"] for row in page["result"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual(sorted(seen), sorted(ids))

    def test_what_a_server_may_not_be(self):
        for asked, field in (
                ({"name": "n" * 65}, "name"), ({"name": 7}, "name"),
                ({"methods": "read"}, "methods"), ({"methods": [7]}, "methods"),
                ({"methods": ["read"] * 101}, "methods"), ({"methods": [""]}, "methods"),
                ({"methods": ["no_such_tool"]}, "methods"), ({"tags": ["no such"]}, "tags"),
                ({"methods": ["write"], "tags": ["locations"]}, "methods"),
                ({"mode": "some"}, "mode"), ({"mode": None}, "mode"),
                ({"confirm": True}, "confirm"), ({"structured": "yes"}, "structured"),
                ({"token_in_path": 1}, "token_in_path"),
                ({"require_api_key": None}, "require_api_key"),
                ({"output_bytes": 4095}, "output_bytes"),
                ({"output_bytes": 1048577}, "output_bytes"),
                ({"output_bytes": "5000"}, "output_bytes"), ({"mask": {}}, "mask"),
                ({"rate_limit": {"requests": 0}}, "rate_limit"), ({"rate_limit": 5}, "rate_limit"),
                ({"rate_limit": {"per_seconds": 86401}}, "rate_limit"),
                ({"oauth": {}}, "oauth"), ({"oauth": {"issuer": "login.example"}}, "oauth"),
                ({"oauth": {"issuer": "https://a.example", "subjects": "ada"}}, "subjects"),
                ({"expires_at": "soon"}, "expires_at"), ({"expires_at": 7}, "expires_at"),
                ({"expires_at": "2020-01-31T00:00:00Z"}, "expires_at"),
                ({"expires_at": in_seconds(30)}, "expires_at"),
                ({"config": []}, "config"), ({"config": {"mask": []}}, "config"),
                ({"methods": ["read"], "config": {"methods": ["read"]}}, "config"),
                ({"token": "tmcp_mine"}, "body")):
            with self.subTest(asked):
                self.assertEqual(self.refused(asked), field)
        self.assertEqual(self.admin.get(self.path)[2]["result"], [])
        one = f"{self.path}/{self.make()['id']}"
        self.assertEqual(self.refused({"methods": ["no_such_tool"]}, "PATCH", one), "methods")
        caller = self.client_of(create_key(self.data)["key"])
        self.assertEqual(caller.request("POST", self.path, {})[0], 403)

    def test_the_other_shape(self):
        made = self.make(config={"methods": ["read"], "tags": ["notes"],
                                 "require_api_token_auth": True}, expires_at=in_seconds(90))
        self.assertEqual((made["methods"], made["tags"], made["require_api_key"]),
                         (["read"], ["notes"], True))

    def test_an_account_takes_its_servers_along(self):
        account = json.loads(link_account(self.data, self.box).stdout)["id"]
        path = f"/integrated-account/{account}/mcp"
        made = self.admin.request("POST", path, {})[2]
        kept = self.make()
        self.assertEqual(self.admin.request("DELETE", "/integrated-account/" + account)[0], 200)
        self.assertEqual(self.admin.get(f"{path}/{made['id']}")[0], 404)
        # By no other account's path, either.
        self.assertEqual(self.admin.get(f"{self.path}/{made['id']}")[0], 404)
        self.assertEqual(self.admin.get(f"{self.path}/{kept['id']}")[0], 200)

    def test_revoking_the_environment_removes_them(self):
        self.make()
        self.assertEqual(self.admin.request("POST", "/vault/revoke", {})[0], 200)
        self.assertEqual(self.admin.get(self.path)[2]["result"], [])


class Called(ServersCase):
    """What a server's config does to calls, over the network and by its token."""
    candidates = "40"

    def server_of(self, **config):
        made = self.make(**config)
        client = self.client_of(made["token"])

        def call(tool, **arguments):
            status, _, answer = client.request("POST", f"/mcp/{made['id']}", {
                "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": tool, "arguments": arguments}},
                {"Content-Type": "application/json"})
            self.assertEqual(status, 200, answer)
            return answer["result"].get("isError", False), answer["result"]["content"][0]["text"]
        return made, call

    def test_too_many_calls(self):
        made, call = self.server_of(rate_limit={"requests": 2, "per_seconds": 3600})
        for _ in range(2):
            self.assertFalse(call("list_all_recruitee_locations")[0])
        is_error, text = call("list_all_recruitee_locations")
        self.assertTrue(is_error)
        self.assertRegex(text, r"Try again in 1[78]\d\d seconds")
        # A refused call is in the log as well.
        self.serve.stop()
        self.serve = self.server(self.box)
        self.admin = self.client_of(self.key["key"])
        lines = self.admin.get(f"/log?mcp_server_id={made['id']}")[2]["result"]
        self.assertEqual([line["error"] for line in lines], ["rate_limited", None, None])
        self.assertEqual({line["tool"] for line in lines}, {"list_all_recruitee_locations"})

    def test_personal_data_is_masked(self):
        _, plain = self.server_of()
        _, masked = self.server_of(mask=["contact"])
        for tool in ("list_all_ats_candidates", "list_all_recruitee_candidates"):
            shown = [record["emails"] for record in json.loads(plain(tool)[1])["result"]
                     if "emails" in record]
            emails = re.findall(r"[\w.+-]+@[\w.-]+", json.dumps(shown))
            self.assertGreater(len(emails), 5)
            text = masked(tool)[1]
            self.assertIn("[masked]", text)
            for email in emails:
                self.assertNotIn(email, text)

    def test_names_of_people_are_masked_and_those_of_things_are_not(self):
        _, plain = self.server_of()
        _, masked = self.server_of(mask=["name"])
        for people, things in (("list_all_ats_candidates", "list_all_ats_departments"),
                               ("list_all_recruitee_candidates", "list_all_recruitee_departments")):
            text = masked(people, fields="name")[1]
            for record in json.loads(plain(people, fields="name")[1])["result"]:
                self.assertNotIn(record["name"], text)
            self.assertEqual(masked(things, fields="name"), plain(things, fields="name"))

    def test_small_results_give_the_whole_list(self):
        _, call = self.server_of(output_bytes=4096)
        for tool in ("list_all_ats_candidates", "list_all_recruitee_candidates"):
            ids, cursor, pages = [], {}, 0
            while True:
                is_error, text = call(tool, limit=100, **cursor)
                self.assertFalse(is_error, text)
                self.assertLessEqual(len(text.encode()), 4096)
                page = json.loads(text)
                ids += [str(record["id"]) for record in page["result"]]
                pages += 1
                if "next_cursor" not in page:
                    break
                cursor = {"cursor": page["next_cursor"]}
            self.assertEqual((len(ids), len(set(ids))), (40, 40), tool)
            self.assertGreater(pages, 2)

    def test_a_dry_run_of_the_ats_own_writes_nothing(self):
        _, call = self.server_of()
        before = call("list_all_recruitee_tags")[1]
        is_error, text = call("create_a_recruitee_candidate", name="Ada Lovelace", dry_run=True)
        self.assertFalse(is_error, text)
        shown = json.loads(text)
        self.assertEqual(shown["calls"][0]["body"], {"candidate": {"name": "Ada Lovelace"}})
        found = call("list_all_recruitee_candidates", query="Ada Lovelace")[1]
        self.assertEqual(json.loads(found).get("result"), [])
        self.assertEqual(call("list_all_recruitee_tags")[1], before)

    def test_a_body_that_is_too_large(self):
        made = self.make()
        status, _, body = self.client_of(made["token"]).request(
            "POST", f"/mcp/{made['id']}", {"jsonrpc": "2.0", "id": 1, "method": "ping",
                                           "params": {"x": "x" * 1024 * 1024}})
        self.assertEqual((status, body["error"]["code"]), (413, -32600))
        self.assertIn("1048576 bytes", body["error"]["message"])


class ByCommand(ServersCase):
    def run_command(self, *arguments, **options):
        return run_tenon("mcp-server", *arguments, "--account", self.account, "--environment",
                     "production", "--data", str(self.data), **options)

    def show(self, identifier):
        return json.loads(self.run_command("show", identifier, "--json").stdout)

    def test_all_of_it(self):
        made = json.loads(self.run_command(
            "create", "--json", "--name", "Sourcing", "--method", "read", "--tag", "unified",
            "--mask", "contact", "--rate", "5/60", "--token-in-path", "true", "--output-bytes",
            "8192", "--issuer", "https://login.example", "--subject", "ada", "--expires-at",
            "2120-01-31T00:00:00Z").stdout)
        self.assertEqual(made["url_with_token"].rpartition("/")[2], made["token"])
        shown = self.show(made["id"])
        for name, value in {"name": "Sourcing", "methods": ["read"], "tags": ["unified"],
                            "mask": ["contact"], "token_in_path": True, "output_bytes": 8192,
                            "rate_limit": {"requests": 5, "per_seconds": 60}, "created_by": None,
                            "oauth": {"issuer": "https://login.example", "audience": None,
                                      "subjects": ["ada"]}}.items():
            self.assertEqual(shown[name], value, name)
        self.run_command("change", made["id"], "--mode", "search", "--clear", "mask",
                         "--expires-at", "never")
        shown = self.show(made["id"])
        self.assertEqual((shown["mode"], shown["mask"], shown["expires_at"], shown["name"]),
                         ("search", [], None, "Sourcing"))
        self.assertIn(made["id"], self.run_command("list").stdout)
        # Also where no server runs.
        self.serve.stop()
        self.assertEqual(self.show(made["id"])["id"], made["id"])
        # Nobody knows then by which host clients will come.
        text = self.run_command("create").stdout
        self.assertRegex(text, "^tmcp_[0-9A-Za-z]{38}\n/mcp/mcp_")
        self.assertEqual(self.run_command("remove", made["id"]).stdout.strip(), "removed")
        self.assertNotIn(made["id"], self.run_command("list").stdout)

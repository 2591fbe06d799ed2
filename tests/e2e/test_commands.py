"""Commands do what the API does: through a server that runs, and on the data folder alone."""
import base64
import json
import unittest

from harness import COMPANY, TOKEN, Case, Client, create_key, link_account, run_tenon


class CommandCase(Case):
    """A linked account; `self.run_command` goes through the server that runs."""

    def setUp(self):
        super().setUp()
        self.box = self.sandbox("--candidates", "5")
        self.serve = self.server(self.box)
        self.account = self.link()

    def link(self, *options):
        return json.loads(link_account(self.data, self.box, "production", *options).stdout)["id"]

    def command(self, *words, stdin=None, check=True):
        return run_tenon(*words, "--environment", "production", "--data", str(self.data),
                         stdin=stdin, check=check)

    def json_of(self, *words, stdin=None):
        return json.loads(self.command(*words, "--json", stdin=stdin).stdout)

    def show(self, account=None):
        return self.json_of("account", "show", account or self.account)

    def client(self, key):
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        return client


class Sync(CommandCase):
    def test_jobs(self):
        made = self.json_of("sync", "create", "--account", self.account, "--resource", "tags",
                            "--resource", "jobs", "--interval", "60", "--rate-share", "0.25",
                            "--window", "22:00-06:00", "--time-zone", "+02:00")["result"]
        self.assertEqual([(job["resource"], job["interval_s"], job["rate_share"]) for job in made],
                         [("tags", 60, 0.25), ("jobs", 60, 0.25)])
        job = made[0]["id"]
        changed = self.json_of("sync", "change", job, "--window", "always", "--mode", "full",
                               "--expand", "true", "--full-interval", "120")
        self.assertEqual((changed["window"], changed["mode"], changed["expand"],
                          changed["full_interval_s"]), (None, "full", True, 120))
        self.assertEqual(self.json_of("sync", "pause", job)["state"], "paused")
        self.assertEqual(self.json_of("sync", "stop", job)["state"], "stopped")
        self.assertEqual(self.json_of("sync", "start", job)["state"], "active")
        self.assertEqual(self.json_of("sync", "run", job, "--full")["id"], job)
        self.assertEqual(self.json_of("sync", "show", job)["id"], job)
        self.assertIn(job, self.command("sync", "list", "--resource", "tags").stdout)
        self.assertIn("result", self.json_of("sync", "runs", job))
        self.assertEqual(self.command("sync", "remove", job, "--delete-records").stdout,
                         "removed\n")
        self.assertEqual(len(self.json_of("sync", "list", "--account", self.account)["result"]), 1)
        self.assertIn("--account", self.command("sync", "create", check=False).stderr)


class Accounts(CommandCase):
    def test_changed(self):
        done = self.command("account", "change", self.account, "--tenant", "customer 9",
                            "--set", "region=north", "--limit", "concurrent=2")
        self.assertEqual(done.stdout, "changed\n")
        account = self.show()
        self.assertEqual(account["tenant_id"], "customer 9")
        self.assertEqual(account["context"], {"company_id": COMPANY, "region": "north"})
        self.assertEqual(account["limits"], {"concurrent": 2})
        account = self.json_of("account", "change", self.account, "--unset", "region")
        self.assertEqual(account["context"], {"company_id": COMPANY})
        self.assertEqual(account["tenant_id"], "customer 9")

    def test_a_change_names_something(self):
        done = self.command("account", "change", self.account, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--unset", done.stderr)
        done = self.command("account", "change", self.account, "--unset", "company_id", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("Company ID", done.stderr)
        self.assertEqual(self.show()["context"], {"company_id": COMPANY})

    def test_credentials_from_standard_input(self):
        done = self.command("account", "credentials", self.account,
                            stdin='{"api_token": "canary-wrong"}', check=False)
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("canary-wrong", done.stderr + done.stdout)
        done = self.command("account", "credentials", self.account, stdin='{"api_token": canary}',
                            check=False)
        self.assertIn("as a JSON object", done.stderr)
        self.assertNotIn("canary", done.stderr + done.stdout)
        done = self.command("account", "credentials", self.account,
                            stdin=json.dumps({"api_token": TOKEN}))
        self.assertEqual(done.stdout, "replaced\n")
        self.assertEqual(self.show()["status"], "active")

    def test_without_a_server(self):
        self.serve.stop()
        self.command("account", "change", self.account, "--tenant", "customer 3")
        base = f"recruitee=http://{self.box.host}"
        self.command("account", "credentials", self.account, "--connector-base-url", base,
                     stdin=json.dumps({"api_token": TOKEN}))
        self.assertEqual(self.show()["tenant_id"], "customer 3")
        self.assertIn("integrated_account:updated", self.command("event", "list").stdout)

    def test_listed_by_tenant(self):
        other = self.link("--tenant", "customer 2")
        done = self.command("account", "list", "--tenant", "customer 2")
        self.assertEqual(done.stdout.split()[0], other)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual(self.command("account", "list", "--status", "needs_reauth").stdout, "")

    def test_several_removed(self):
        other, third = self.link(), self.link()
        self.assertEqual(self.command("account", "remove", other, self.account).stdout,
                         "2 removed\n")
        done = self.command("account", "remove", third, "acc_none", check=False)
        self.assertEqual((done.returncode, done.stdout), (5, "1 removed\n"))
        self.assertIn("acc_none", done.stderr)
        self.assertEqual(self.command("account", "list").stdout, "")

    def test_token(self):
        other = self.link()
        text = self.command("account", "token", self.account).stdout.splitlines()[0]
        client = self.client(text)
        self.assertEqual(client.request("GET", "/integrated-account/me")[2]["id"], self.account)
        self.assertEqual(client.request("GET", f"/integrated-account/{other}")[0], 403)
        made = self.json_of("account", "token", self.account)
        self.assertEqual(sorted(made), ["expires_at", "integrated_account_token"])


class Database(Case):
    def test_a_password_is_no_argument(self):
        for url in ("postgresql://me:secret@h/x", "postgresql://h/x?password=secret", "host=h password=secret"):
            refused = run_tenon("environment", "list", "--data", str(self.data), "--database", url,
                                check=False, env={"TENON_DATABASE": ""})
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("--database must not hold a password", refused.stderr)
            self.assertNotIn("secret", refused.stderr)

    def test_a_database_that_is_away(self):
        away = run_tenon("environment", "list", "--data", str(self.data),
                         env={"TENON_DATABASE": "postgresql://me:secret@127.0.0.1:1/x"}, check=False)
        self.assertEqual(away.returncode, 13, away.stderr)
        self.assertIn("the database is away", away.stderr)
        self.assertNotIn("secret", away.stderr)


class Environments(Case):
    """On the data folder alone; over the network at the end."""

    def command(self, *words, check=True, env=None):
        return run_tenon("environment", *words, "--data", str(self.data), check=check, env=env)

    def show(self, name):
        return json.loads(self.command("show", name, "--json").stdout)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def test_changed(self):
        made = self.command("create", "first").stdout.strip()
        self.command("create", "second")
        picture = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
        done = self.command("change", "first", "--name", "third", "--origin", "https://a.example",
                            "--origin", "https://b.example",
                            "--theme", self.file("theme.json", b'{"accent": "#123456"}'),
                            "--logo", self.file("logo.svg", picture))
        self.assertEqual(done.stdout, "changed\n")
        shown = self.show(made)
        self.assertEqual((shown["id"], shown["name"]), (made, "third"))
        self.assertEqual(shown["link"], {
            "allowed_origins": ["https://a.example", "https://b.example"],
            "theme": {"accent": "#123456"},
            "logo": "data:image/svg+xml;base64," + base64.b64encode(picture).decode()})
        self.assertEqual(self.show("second")["link"], {})
        self.command("change", "third", "--origin", "", "--logo", "")
        self.assertEqual(self.show("third")["link"], {"theme": {"accent": "#123456"}})

    def test_refused(self):
        self.command("create", "first")
        for words, code, said in (
                (("first",), 2, "--origin"),
                (("none", "--name", "other"), 5, "no environment none"),
                (("first", "--origin", "customer"), 2, "allowed_origins"),
                (("first", "--theme", self.file("theme", b"[]")), 2, "theme"),
                (("first", "--logo", self.file("logo.pdf", b"x")), 2, ".svg"),
                (("first", "--logo", self.file("logo.png", b"x" * 50000)), None, "logo.png")):
            done = self.command("change", *words, check=False)
            self.assertIn(said, done.stderr)
            self.assertNotEqual(done.returncode, 0)
            if code is not None:
                self.assertEqual(done.returncode, code, words)
        self.assertEqual(self.show("first")["link"], {})

    def test_over_the_network(self):
        serve = self.server(self.sandbox())
        key = create_key(self.data, "production", "--scope", "admin")
        words = ("--origin", "https://a.example", "--server", f"http://{serve.host}")
        env = {"TENON_API_KEY": key["key"]}
        self.command("change", key["environment_id"], *words, env=env)
        self.assertEqual(self.show("production")["link"],
                         {"allowed_origins": ["https://a.example"]})
        self.command("create", "second")
        other = self.show("second")["id"]
        self.assertEqual(self.command("change", other, *words, env=env, check=False).returncode, 5)


class Events(CommandCase):
    def test_listed_from_a_number_on(self):
        self.command("account", "change", self.account, "--tenant", "customer 9")
        lines = [line.split() for line in self.command("event", "list").stdout.splitlines()]
        self.assertEqual([line[0] for line in lines], [str(n + 1) for n in range(len(lines))])
        self.assertEqual(lines[-1][2:], ["integrated_account:updated", self.account])
        self.assertEqual(self.command("event", "list", "--after", lines[-1][0]).stdout, "")
        done = self.command("event", "list", "--limit", "1").stdout
        self.assertIn("(there are more: --after 1)", done)
        after = self.json_of("event", "list", "--after", "1", "--type",
                             "integrated_account:updated", "--account", self.account)
        self.assertEqual([str(event["number"]) for event in after["result"]], [lines[-1][0]])


class Log(CommandCase):
    def test_listed(self):
        client = self.client(create_key(self.data)["key"])
        client.get("/unified/ats/candidates", integrated_account_id=self.account)
        client.get("/unified/ats/candidates/none", integrated_account_id=self.account)
        calls = self.json_of("log", "list", "--account", self.account)["result"]
        self.assertEqual([call["status"] for call in calls], [404, 200])
        lines = self.command("log", "list", "--status", "4xx", "--resource", "candidates",
                             "--door", "unified").stdout.splitlines()
        self.assertEqual(len(lines), 1)
        self.assertIn(f"404  not_found  {self.account}  candidates/get", lines[0])
        self.assertTrue(lines[0].endswith(calls[0]["request_id"]))
        done = self.command("log", "list", "--limit", "1").stdout
        cursor = done.rsplit("--cursor ", 1)[1].rstrip(")\n")
        self.assertEqual(self.json_of("log", "list", "--cursor", cursor)["result"], calls[1:])
        self.assertEqual(self.command("log", "list", "--until", calls[1]["created_at"]).stdout, "")


class Keys(CommandCase):
    def test_that_end(self):
        key = self.json_of("key", "create", "--expires", "2100-01-01T00:00:00Z")
        self.assertTrue(key["expires_at"].startswith("2100-01-01T00:00:00"))
        line = next(line for line in self.command("key", "list").stdout.splitlines()
                    if line.startswith(key["id"]))
        self.assertIn("valid  call  ends 2100-01-01", line)
        self.assertTrue(line.endswith("used never"))
        done = self.command("key", "create", "--expires", "2001-01-01T00:00:00Z", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("later time", done.stderr)


if __name__ == "__main__":
    unittest.main()

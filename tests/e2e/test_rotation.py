"""Keys are rotated under traffic and the server is killed in the middle, again and again: no
credential is lost, and the old keys are needed for nothing. TENON_ROTATION_CREDENTIALS=100000,
TENON_ROTATION_ENVIRONMENTS=1000 and TENON_ROTATION_KILLS=40 for the long run."""
import http.client
import json
import os
import random
import socket
import threading
import time

from harness import COMPANY, TOKEN, Case, Client, create_key, run_tenon

CREDENTIALS = int(os.environ.get("TENON_ROTATION_CREDENTIALS", "600"))
ENVIRONMENTS = int(os.environ.get("TENON_ROTATION_ENVIRONMENTS", "60"))
KILLS = int(os.environ.get("TENON_ROTATION_KILLS", "6"))
SAMPLE = 1000
FAST = {"requests": 1000000, "per_seconds": 1, "concurrent": 1000}  # the ATS is a sandbox
WRITERS = 32  # their commits are shared
READERS = 2
MASTER = ("/vault/rotate-master",)
BOTH = ("/vault/rotate?environment=production", *MASTER)
CUT = (OSError, http.client.HTTPException)


class Local:
    """The operator's connection: the data folder's own socket."""

    def __init__(self, data):
        self.connection = http.client.HTTPConnection("localhost", timeout=600)
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.settimeout(600)
        self.connection.sock.connect(str(data / "tenon.sock"))

    def request(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def close(self):
        self.connection.close()


class Rotation(Case):
    def link_some(self, environments, made):
        local = Local(self.data)
        for name in environments:
            status, body = local.request("POST", f"/integrated-account?environment={name}", {
                "connector": "recruitee", "context": {"company_id": COMPANY},
                "credentials": {"api_token": TOKEN}, "limits": FAST})
            if status != 201:
                made.append(body)
                break
            made.append(body["id"])
        local.close()

    def link_all(self):
        """Most in one environment, for its data key; one in each of many, for the master key."""
        names = ["production"] * CREDENTIALS
        parts = [names[i::WRITERS] for i in range(WRITERS)]
        parts.append([f"customer-{i}" for i in range(1, ENVIRONMENTS)])
        lists = [[] for _ in parts]
        threads = [threading.Thread(target=self.link_some, args=pair)
                   for pair in zip(parts, lists)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for part, made in zip(parts, lists):
            self.assertEqual(len(part), len(made), made[-1:])
        self.accounts = [account for made in lists[:-1] for account in made]
        self.elsewhere = lists[-1]

    def read_until_killed(self, host, wrong, counts):
        """Whatever is answered whole must be a page of the ATS."""
        client = Client(host, self.key)
        try:
            while not wrong:
                status, _, body = client.get("/unified/ats/tags", limit=1,
                                             integrated_account_id=random.choice(self.accounts))
                if status == 200:
                    counts.append(1)
                else:
                    wrong.append((status, body))
        except CUT:
            pass
        except AssertionError as failed:
            wrong.append(failed)
        finally:
            client.close()

    def start_readers(self, server, wrong, counts):
        readers = [threading.Thread(target=self.read_until_killed,
                                    args=(server.host, wrong, counts)) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        return readers

    def rotate_until_killed(self, wrong, paths):
        try:
            local = Local(self.data)
            while not wrong:
                for path in paths:
                    status, body = local.request("POST", path)
                    if status != 200:
                        wrong.append((status, body))
        except CUT:
            pass

    def key_lines(self):
        return (self.data / "master.key").read_text().splitlines()

    def data_keys(self):
        shown = run_tenon("vault", "status", "--environment", "production", "--data",
                          str(self.data), "--json")
        return json.loads(shown.stdout)["data_keys"]

    def kill_within(self, seconds, paths, wrong, counts):
        """Counts where a rotation was broken off: of a data key, of the master key."""
        server = self.start()
        threads = self.start_readers(server, wrong, counts)
        threads.append(threading.Thread(target=self.rotate_until_killed,
                                        args=(wrong, paths)))
        threads[-1].start()
        threads[-1].join(random.uniform(0, seconds))  # the moment of the kill
        server.kill()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.seen.update(self.key_lines())
        self.inside[0] += len(self.data_keys()) > 1
        self.inside[1] += len(self.key_lines()) > 1

    def start(self):
        return self.server(self.box, "--workers", "2", "--log-level", "error", "--log-days", "0")

    def measure(self, *options):
        began = time.monotonic()
        done = run_tenon("vault", "rotate", *options, "--data", str(self.data), "--json",
                         timeout=600)
        return json.loads(done.stdout), time.monotonic() - began

    def check_the_end(self, wrong, counts):
        """What was broken off goes on to its end; one more of each is measured, under traffic."""
        server = self.start()
        readers = self.start_readers(server, wrong, counts)
        for _ in range(2):
            self.seen.update(self.key_lines())
            sealed, took = self.measure("--environment", "production")
            wrapped, master_took = self.measure("--master")
        self.assertGreaterEqual(sealed["text_count"], CREDENTIALS)
        self.assertGreaterEqual(wrapped["data_key_count"], ENVIRONMENTS)
        self.assertEqual([key["is_current"] for key in self.data_keys()], [True])
        server.kill()
        for reader in readers:
            reader.join()
        self.assertEqual(wrong, [])
        lines = self.key_lines()
        self.assertEqual(len(lines), 1)
        self.assertNotIn(lines[0], self.seen)
        return (f"{sealed['text_count']} texts in {took:.2f} s "
                f"({sealed['text_count'] / took:.0f}/s), {wrapped['data_key_count']} keys wrapped "
                f"in {master_took:.2f} s")

    def check_all_opens(self):
        """A further rotation opens every text there is; and the ATS takes what comes out."""
        server = self.start()
        sealed, _ = self.measure("--environment", "production")
        self.assertGreaterEqual(sealed["text_count"], CREDENTIALS)
        client = Client(server.host, self.key)
        for account in random.sample(self.accounts, min(SAMPLE, len(self.accounts))):
            status, _, body = client.get("/unified/ats/tags", limit=1,
                                         integrated_account_id=account)
            self.assertEqual(status, 200, body)
        client.close()
        local = Local(self.data)
        for account in self.elsewhere:
            status, body = local.request(
                "GET", f"/unified/ats/tags?limit=1&integrated_account_id={account}")
            self.assertEqual(status, 200, body)
        local.close()
        run_tenon("audit", "verify", "--data", str(self.data), timeout=600)
        server.stop()

    def test_killed_in_the_middle(self):
        self.box = self.sandbox("--candidates", "10")
        self.seen = set()
        server = self.start()
        self.key = create_key(self.data)["key"]
        self.link_all()
        master = self.measure("--master")[1]
        both = self.measure("--environment", "production")[1] + master
        server.stop()
        wrong, counts, self.inside = [], [], [0, 0]
        for number in range(KILLS):
            # Of the two the master key's is the quick one: every other kill is for it alone.
            if number % 2:
                self.kill_within(2 * master, MASTER, wrong, counts)
            else:
                self.kill_within(2 * both, BOTH, wrong, counts)
        figures = self.check_the_end(wrong, counts)
        self.check_all_opens()
        print(f"rotation: {CREDENTIALS} credentials, {ENVIRONMENTS} environments, {KILLS} kills "
              f"({self.inside[0]} within a data key's rotation, {self.inside[1]} within the master "
              f"key's), {len(counts)} calls meanwhile, none lost; {figures}", flush=True)

    def test_an_environment_that_is_not_there(self):
        self.box = self.sandbox("--candidates", "10")
        for running in (False, True):
            if running:
                self.start()
            for what in ("rotate", "revoke", "status"):
                done = run_tenon("vault", what, "--environment", "mistyped", "--data",
                                 str(self.data), check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("there is no environment mistyped", done.stderr)

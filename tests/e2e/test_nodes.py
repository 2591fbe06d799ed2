"""Several nodes on one PostgreSQL: what one is told all know, and what one was at others go on with.
TENON_NODE_JOBS=1000000 for the long run of small jobs."""
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

import postgresql
from harness import ROOT, Client, Process, create_key, run_tenon
from test_sync import SyncCase

JOBS = int(os.environ.get("TENON_NODE_JOBS", "6000"))
SECONDS = int(os.environ.get("TENON_NODE_SECONDS", "5"))  # at least so long nodes are disturbed
PAUSE_S = (0.05, 0.4) if JOBS < 100000 else (0.3, 1.5)  # between disturbances, to the end of the jobs
STOP_S = 12 if JOBS < 100000 else 20  # longer than a lease; as long as two
HISTORY_ROWS = 100000  # that are read at once


def bench_jobs():
    """The program that takes small jobs as the server's runners take theirs (bench/jobs.c)."""
    build = pathlib.Path(os.environ.get("TENON_PROGRAM", ROOT / "build" / "tenon")).parent
    subprocess.run(["ninja", "-C", str(build), "bench/bench_jobs"], check=True,
                   stdout=subprocess.DEVNULL)
    return str(build / "bench" / "bench_jobs")


@unittest.skipUnless(postgresql.is_used(), "several nodes need PostgreSQL (tests/e2e/run --postgresql)")
class NodesCase(SyncCase):
    def database(self):
        return postgresql.environment(["--data", self.data])["TENON_DATABASE"]

    def another(self, name="two", listen="127.0.0.1:0", key_file="master.key"):
        """A node beside self.serve: a data folder of its own, the same master key."""
        data = self.folder / name
        if not data.exists():
            data.mkdir(mode=0o700)
            shutil.copy(self.data / "master.key", data / key_file)
        process = Process(["serve", "--listen", listen, "--connector-base-url",
                           f"recruitee=http://{self.box.host}"],
                          {"TENON_DATA": str(data), "TENON_DATABASE": self.database()})
        self.addCleanup(process.kill)
        return process

    def client_of(self, node, key=None):
        client = Client(node.host, key or self.admin_key)
        self.addCleanup(client.close)
        return client

    def until(self, is_so, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = is_so()
            if found:
                return found
            time.sleep(0.02)
        self.fail(what)

    def begin_three(self):
        self.folders = [self.data, self.folder / "two", self.folder / "three"]
        self.nodes = [self.serve, self.another("two"), self.another("three")]

    def restart(self, traffic, number):
        traffic.ready[number] = False
        traffic.wait_for(20)  # those that it had are done
        self.assertEqual(self.nodes[number].stop(), 0)
        self.nodes[number] = Process(["serve", "--listen", "127.0.0.1:0", "--connector-base-url",
                                      f"recruitee=http://{self.box.host}"],
                                     {"TENON_DATA": str(self.folders[number]), "TENON_DATABASE": self.database()})
        self.addCleanup(self.nodes[number].kill)
        traffic.ready[number] = True
        traffic.wait_for(20)


class Nodes(NodesCase):
    def test_what_one_changes_all_know(self):
        self.start("--candidates", "20")
        other = self.client_of(self.another())
        made = json.loads(run_tenon("key", "create", "--environment", "production", "--data",
                                    str(self.data), "--json").stdout)
        theirs = self.client_of(self.serve, made["key"]), Client(other.connection.host + ":" + str(
            other.connection.port), made["key"])
        path = f"/unified/ats/tags?integrated_account_id={self.account}"
        for client in theirs:
            self.assertEqual(client.get(path)[0], 200)
        run_tenon("key", "revoke", made["id"], "--environment", "production", "--data",
                  str(self.data))
        began = time.monotonic()
        self.until(lambda: theirs[1].get(path)[0] == 401, "the key is refused nowhere else", 1)
        print(f"nodes: a revoked key was refused by the other after "
              f"{1000 * (time.monotonic() - began):.0f} ms")
        self.assertEqual(theirs[0].get(path)[0], 401)
        # An account that one removes is gone for the other.
        self.assertEqual(other.get(path)[0], 200)
        self.ask("DELETE", f"/integrated-account/{self.account}", status=200)
        self.until(lambda: other.get(path)[0] == 404, "the account is still there", 1)
        theirs[1].close()

    def test_a_run_goes_on_at_another_node(self):
        self.start("--candidates", "200", "--rate-limit", "60/1")
        job = self.job(expand=True)
        self.wait(job, lambda shown: shown["last_run"] and shown["last_run"]["progress"]["records"] > 20,
                  "the run has not begun")
        other = self.another()
        self.serve.kill()
        self.client = self.client_of(other)
        run = self.ended(job, 1)["last_run"]
        self.assertEqual((run["number"], run["progress"]["records"]), (1, 200))
        # From where it was: what had been read is not read again, but for a page.
        self.assertLess(run["calls"], 240)
        self.assertEqual(len(self.copy()), 200)

    def test_a_job_is_paused_by_a_node_that_does_not_run_it(self):
        self.start("--candidates", "300", "--rate-limit", "40/1")
        job = self.job(expand=True)
        self.wait(job, lambda shown: shown["last_run"] is not None, "no run")
        other = self.client_of(self.another())
        status, _, _ = other.request("POST", f"/sync-job/{job}/pause")
        self.assertEqual(status, 200)
        shown = self.wait(job, lambda shown: shown["last_run"]["status"] != "running", "it runs on")
        run = shown["last_run"]
        self.assertEqual((shown["state"], run["status"], run["ended_at"]), ("paused", "stopped", None))
        self.assertLess(run["progress"]["records"], 300)

    def test_how_new_a_copy_is_all_hear(self):
        self.start("--candidates", "20")
        job = self.job()
        self.ended(job, 1)
        clients = self.client, self.client_of(self.another())
        path = f"/unified/ats/candidates?integrated_account_id={self.account}&limit=5&max_age=3600"

        def age(client):
            _, headers, page = client.get(path)
            self.assertEqual(len(page["result"]), 5)  # whatever is remembered, never an empty page
            return int(headers["age"]) if headers["x-tenon-source"] == "copy" else None

        # Each remembers a copy that is old, and hears that it is new again.
        self.query("UPDATE copy SET whole_ms = whole_ms - 600000")
        for client in clients:
            self.until(lambda: (age(client) or 0) >= 600, "it is not old")
        self.run_now(job, full=True)
        for client in clients:
            self.until(lambda: age(client) < 600, "it is not new again", 1)
        self.ask("DELETE", f"/sync-job/{job}?delete_records=true")
        for client in clients:
            self.until(lambda: age(client) is None, "the copy that was dropped is remembered", 1)
        # Nor where nobody is told of the drop.
        self.ended(self.job(), 1)
        for client in clients:
            self.until(lambda: age(client) is not None, "there is no copy")
        self.query("ALTER TABLE copy DISABLE TRIGGER copy_told")
        self.query("DELETE FROM copy")
        for client in clients:
            self.assertIsNone(age(client))

    def test_each_tells_who_there_is(self):
        self.start("--candidates", "5")
        self.another()
        for folder in (self.data, self.folder / "two"):
            nodes = json.loads(run_tenon("status", "--json", "--data", str(folder)).stdout)["nodes"]
            self.assertEqual([node["is_this"] for node in nodes], [folder == self.data, folder != self.data])
        shown = run_tenon("status", "--data", str(self.data)).stdout
        self.assertRegex(shown, r"(?m)^nodes     2\n  nod_\w+  tenon .*\(this one\)\n  nod_\w+  tenon .*Z$")
        self.assertNotIn("nodes", self.ask("GET", "/status"))

    def test_the_master_key_is_rotated_alone(self):
        self.start("--candidates", "5")
        other = self.another()
        refused = run_tenon("vault", "rotate", "--master", "--data", str(self.data), check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("2 nodes have the database", refused.stderr)
        other.stop()
        run_tenon("vault", "rotate", "--master", "--data", str(self.data))

    def test_nodes_are_restarted_in_turn_and_no_request_fails(self):
        self.start("--candidates", "50")
        self.begin_three()
        with Traffic(self) as traffic:
            for number in range(3):
                self.restart(traffic, number)
        self.assertEqual(set(traffic.statuses), {200}, traffic.statuses)

    def test_tables_of_the_next_version_come_while_nodes_run(self):
        """A rolling upgrade, as the nodes of the version before see it: the tables are the next one's, which
        may be run beside; they go on, and start, also after having ended by themselves."""
        self.start("--candidates", "50")
        self.begin_three()
        with Traffic(self, writes=True) as traffic:
            traffic.wait_for(50)
            self.make_next_tables(runs_with=self.migrations())
            traffic.wait_for(50)
            for number in range(3):
                self.restart(traffic, number)
        self.assertEqual(set(traffic.statuses), {200, 201}, traffic.statuses)
        self.query("SELECT more FROM account")  # it is the next one's yet
        self.assertEqual(run_tenon("migrate", "--check", "--data", str(self.data), check=False).returncode, 7)
        self.nodes[2].kill()
        self.query("UPDATE store_migration SET checksum = ? WHERE position = -1", str(self.migrations()))
        with self.assertRaisesRegex(RuntimeError, "made by a newer tenon"):
            self.another("three")

    def migrations(self):
        return int(self.query("SELECT max(position) FROM store_migration")[0][0])

    def make_next_tables(self, runs_with):
        """What a program with one more migration does (io/store, pg_migration.c)."""
        psql = (f"BEGIN; ALTER TABLE account ADD COLUMN more BIGINT NOT NULL DEFAULT 0;"
                f"CREATE TABLE next (id BIGINT PRIMARY KEY); CREATE INDEX account_more ON account (more);"
                f"INSERT INTO store_migration VALUES ({runs_with + 1}, 'next', 'of another program'),"
                f" (-1, 'oldest', '{runs_with}') ON CONFLICT (position) DO UPDATE SET checksum = excluded.checksum;"
                f"COMMIT")
        postgresql.psql(psql, postgresql.name_of(self.data))


class Traffic:
    """Callers of the test's nodes as a load balancer has them: who is not ready gets no new request."""

    def __init__(self, test, writes=False):
        self.test, self.writes = test, writes
        self.statuses, self.faults, self.is_over = collections.Counter(), [], threading.Event()
        self.ready = [True] * len(test.nodes)
        # Most of them do not reach the ATS, whose rate limit would hold them up.
        self.paths = [f"/integrated-account/{test.account}"] * 30
        self.paths.append(f"/unified/ats/tags?integrated_account_id={test.account}")
        self.callers = [threading.Thread(target=self.call, args=(seed,)) for seed in range(4)]

    def __enter__(self):
        for caller in self.callers:
            caller.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for caller in self.callers:
            caller.join()

    def call(self, seed):
        draw = random.Random(seed)
        while not self.is_over.is_set():
            index = draw.choice([i for i, so in enumerate(self.ready) if so])
            client = Client(self.test.nodes[index].host, self.test.admin_key)
            try:
                self.statuses[self.ask(client, index, draw)] += 1
            except OSError as fault:
                self.statuses[repr(fault)] += 1
            client.close()

    def ask(self, client, index, draw):
        method, path, body = "GET", draw.choice(self.paths), None
        if self.writes and draw.random() < 0.1:
            method, path, body = "POST", "/api-token", {"name": "of a test"}
        status, _, answer = client.request(method, path, body)
        if status >= 300:
            self.faults.append((self.test.nodes[index].host, method, path, status, answer))
        return status

    def wait_for(self, more):
        before = sum(self.statuses.values())
        self.test.until(lambda: sum(self.statuses.values()) > before + more, "nobody calls")


class SmallJobs(NodesCase):
    """Three processes take small jobs, are killed, and are stopped for longer than their lease."""

    def setUp(self):
        super().setUp()
        self.program = bench_jobs()
        self.data.mkdir(mode=0o700)
        run_tenon("environment", "list", "--data", str(self.data))
        self.query("CREATE TABLE bench_job (id BIGINT PRIMARY KEY, due_ms BIGINT"
                           " NOT NULL, owner TEXT COLLATE \"C\" NOT NULL DEFAULT '', fence BIGINT NOT"
                           " NULL DEFAULT 0)")
        self.query("CREATE INDEX bench_job_due ON bench_job (due_ms, id)")
        self.query("CREATE TABLE bench_history (number BIGSERIAL PRIMARY KEY, job"
                           " BIGINT NOT NULL, fence BIGINT NOT NULL, node TEXT NOT NULL, what TEXT"
                           " NOT NULL)")
        self.query("CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql"
                           " AS $$ BEGIN INSERT INTO bench_history (job, fence, node, what) VALUES"
                           " (NEW.id, NEW.fence, NEW.owner, 'claimed'); RETURN NULL; END $$")
        self.query("CREATE TRIGGER note_claim AFTER UPDATE ON bench_job FOR EACH"
                           " ROW EXECUTE FUNCTION note_claim()")
        self.query("INSERT INTO bench_job (id, due_ms) SELECT i, i FROM"
                           f" generate_series(1, {JOBS}) i")
        self.draw = random.Random(1)

    def work(self, index):
        folder = self.folder / f"node{index}"
        folder.mkdir(mode=0o700, exist_ok=True)
        # Few at once where there are few: the work is to last while nodes are disturbed.
        batch = max(1, min(100, JOBS // 2000))
        return subprocess.Popen([self.program, str(folder), str(batch), "4", "history"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                env={**os.environ, "TENON_DATABASE": self.database()})

    def left(self):
        return int(self.query("SELECT count(*) FROM bench_job")[0][0])

    def disturb(self, nodes, stopped, counts):
        index = self.draw.randrange(len(nodes))
        node = nodes[index]
        if node.poll() is not None:
            nodes[index] = self.work(index)
        elif index in stopped:
            if time.monotonic() > stopped[index]:
                node.send_signal(signal.SIGCONT)
                del stopped[index]
                counts["continued"] += 1
        elif self.draw.random() < 0.2 and not stopped:
            node.send_signal(signal.SIGSTOP)
            stopped[index] = time.monotonic() + STOP_S
            counts["stopped"] += 1
        else:
            node.kill()
            node.communicate()
            nodes[index] = self.work(index)
            counts["killed"] += 1

    def test_each_is_done_once(self):
        nodes = [self.work(index) for index in range(3)]
        stopped, counts, began = {}, collections.Counter(), time.monotonic()
        deadline = began + 120 + JOBS / 300
        # What the last few do is not to be held up by it.
        while time.monotonic() < began + SECONDS or stopped or (
                self.left() > JOBS // 20 and time.monotonic() < deadline):
            self.disturb(nodes, stopped, counts)
            time.sleep(self.draw.uniform(*PAUSE_S))
        while self.left() > 0 and time.monotonic() < deadline:
            for index, node in enumerate(nodes):
                if node.poll() is not None:
                    node.communicate()
                    nodes[index] = self.work(index)
            time.sleep(0.1)
        for node in nodes:
            node.wait(60)
            node.communicate()
        self.assertEqual(self.left(), 0)
        counts["seconds"] = round(time.monotonic() - began)
        self.check_history(counts)

    def history(self):
        rows, last = [()], 0
        while rows:
            rows = self.query("SELECT number, job, fence, what FROM bench_history WHERE number > ?"
                              " ORDER BY number LIMIT ?", last, HISTORY_ROWS)
            for last, *row in rows:
                yield row

    def check_history(self, counts):
        fences, done, again = {}, set(), 0
        for job, fence, what in self.history():
            line = f"job {job}: {what} with the fence {fence}"
            if what == "claimed":
                again += job in fences
                self.assertEqual(int(fence), fences.get(job, 0) + 1, line)
                self.assertNotIn(job, done)
                fences[job] = int(fence)
            else:
                # By who claimed it last, and once.
                self.assertEqual(int(fence), fences[job], line)
                self.assertNotIn(job, done)
                done.add(job)
        self.assertEqual(len(done), JOBS)
        print(f"nodes: {JOBS} jobs done once each in {counts['seconds']} s; {counts['killed']} kills, {counts['stopped']} stops "
              f"of {STOP_S} s, {again} claims of what another had")

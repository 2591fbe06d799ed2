"""PostgreSQL is stopped as if the machine had lost its power (`pg_ctl stop -m immediate`), again and
again under load, while three nodes go on. Nothing that was acknowledged is lost, nothing is done twice
for one key, what fails in between says when to ask again, and each node serves again by itself.

TENON_POSTGRESQL_STOPS=100 for the long run, TENON_POSTGRESQL_SEED repeats the draws of a run."""
import collections
import os
import random
import shutil
import threading
import time
import unittest

import database
import postgresql
from harness import TENON, Case, Client, Process, create_key, servers

STOPS = int(os.environ.get("TENON_POSTGRESQL_STOPS", "3"))
SEED = int(os.environ.get("TENON_POSTGRESQL_SEED", "0")) or random.randrange(1, 1 << 32)
IS_LONG = STOPS >= 100
NODES = 3
CLIENTS = 2  # who create candidates, at each node
SERVED_S = 5  # each node serves so soon after the database, which the long run holds it to
KEYS_MAX = 20  # that are not revoked
READY_S = 60  # it is there long before that, or the test fails
PAUSE_S = .02  # of a caller who was refused; shorter than Retry-After says, so as to be there at once
# The note that the ATS is about to be called was written, and nobody heard of that: not known for two minutes
# (docs/api.md). That is so of a key that was refused in a stop, and of no other.
UNKNOWN = "outcome_unknown"
UNKNOWN_S = 150


class Caller(threading.Thread):
    """Creates one after the other, each under a key of its own, asked until it is done."""

    def __init__(self, load, number, node):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.client = Client(node.host, load.test.key)
        self.done, self.counts, self.unknown = [], [], []
        self.refused = 0  # the last that was
        self.fault = None

    def run(self):
        count = 1
        try:
            while not self.load.is_over:
                count += self.make(count)
        except Exception as fault:
            self.fault = fault
        finally:
            self.client.close()

    def make(self, count):
        """Is it done?"""
        status, headers, answer = self.ask(count)
        error = answer.get("error", status)
        self.load.note(self, error)
        if status in (200, 201):
            self.keep(count, answer)
            return True
        if status != 503 and error not in (UNKNOWN, "conflict") or "retry-after" not in headers:
            raise AssertionError(f"{self.name_of(count)}: {status} {answer} {headers}")
        if error == UNKNOWN:
            if self.refused != count:
                raise AssertionError(f"{self.name_of(count)} is not known, and was in no stop: {answer}")
            self.unknown.append(count)
            return True
        self.refused = count
        time.sleep(PAUSE_S)
        return False

    def again(self):
        """The last ones once more: the answer is the same, and nothing is done."""
        for count, told in list(zip(self.counts, self.done))[-10:]:
            status, _, answer = self.ask_patiently(count)
            if (status, answer.get("id")) != (201, told[0]):
                raise AssertionError(f"{told}: {status} {answer}")
        for count in self.unknown:
            self.ask_until_known(count)

    def ask_patiently(self, count):
        """A node whose lease has run out during the stops is without one for a moment."""
        end = time.monotonic() + SERVED_S
        while True:
            status, headers, answer = self.ask(count)
            if status != 503 or "retry-after" not in headers or time.monotonic() > end:
                return status, headers, answer
            time.sleep(PAUSE_S)

    def ask_until_known(self, count):
        """To the end in the long run, in which the two minutes of most are over."""
        end = time.monotonic() + UNKNOWN_S
        while True:
            status, headers, answer = self.ask_patiently(count)
            if status == 201:
                self.keep(count, answer)
                return
            if answer["error"] != UNKNOWN or "retry-after" not in headers or time.monotonic() > end:
                raise AssertionError(f"{self.name_of(count)}: {status} {answer}")
            if not IS_LONG:
                return
            time.sleep(1)

    def name_of(self, count):
        return f"{type(self).__name__} {self.number} {count}"


class Candidates(Caller):
    """Who is refused in a stop goes to the next node, as a load balancer has it: what the first had begun
    is not under way for ever."""

    def __init__(self, load, number, node):
        self.clients = [Client(node.host, load.test.key) for node in load.test.nodes]
        self.at = number % NODES
        super().__init__(load, number, node)

    def ask(self, count):
        answer = self.clients[self.at].request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.load.test.account}",
            {"name": self.name_of(count)}, {"Idempotency-Key": self.name_of(count)})
        if answer[0] == 503:
            self.at = (self.at + 1) % NODES
        return answer

    def keep(self, count, answer):
        self.done.append((answer["id"], self.name_of(count)))
        self.counts.append(count)


class Keys(Caller):
    """Makes API keys and revokes those of a while ago. One that was made and not acknowledged may be
    there all the same: these have no Idempotency-Key."""

    def __init__(self, load, number, node):
        self.live = collections.deque()
        super().__init__(load, number, node)

    def ask(self, count):
        if len(self.live) > KEYS_MAX:
            return self.client.request("DELETE", f"/api-token/{self.live[0]}")
        return self.client.request("POST", "/api-token", {"name": self.name_of(count)})

    def keep(self, count, answer):
        if len(self.live) > KEYS_MAX:
            self.live.popleft()
        else:
            self.live.append(answer["id"])
            self.done.append((answer["id"], answer["key"]))


class Load:
    def __init__(self, test):
        self.test, self.is_over = test, False
        self.told, self.unserved = collections.Counter(), set()
        self.changed = threading.Condition()
        kinds = [Candidates] * CLIENTS + [Keys]
        self.callers = [kind(self, index * len(kinds) + number, node) for index, node in enumerate(test.nodes)
                        for number, kind in enumerate(kinds)]
        for caller in self.callers:
            caller.start()

    def note(self, caller, error):
        with self.changed:
            self.told["done" if error in (200, 201) else error] += 1
            if error in (200, 201):
                self.unserved.discard(caller)
            self.changed.notify_all()

    def wait_until(self, reached, what):
        with self.changed:
            is_so = self.changed.wait_for(
                lambda: reached() or not all(map(threading.Thread.is_alive, self.callers)), READY_S)
        faults = [caller.fault for caller in self.callers if caller.fault]
        if faults or not is_so:
            raise AssertionError(f"not {what}: {faults or dict(self.told)}")

    def wait_for(self, more, what):
        """For so many more of these answers."""
        wanted = self.told[what] + more
        self.wait_until(lambda: self.told[what] >= wanted, f"{wanted} {what}")

    def wait_for_all(self):
        """Until each caller, and so each node, has been served."""
        with self.changed:
            self.unserved.update(self.callers)
        self.wait_until(lambda: not self.unserved, "all served")

    def end(self):
        self.is_over = True
        for caller in self.callers:
            caller.join(READY_S)

    def of(self, kind):
        return [caller for caller in self.callers if isinstance(caller, kind)]

    def made(self, kind):
        return [made for caller in self.of(kind) for made in caller.done]


@unittest.skipUnless(postgresql.is_used(), "it is about PostgreSQL: tests/e2e/run --postgresql")
class Stop(Case):
    """With a PostgreSQL of its own, for others are in use."""

    @classmethod
    def setUpClass(cls):
        cls.cluster, cls.before = postgresql.Cluster(fsync="off"), os.environ[postgresql.SERVER]
        os.environ[postgresql.SERVER] = cls.cluster.url
        postgresql.make_template(TENON)

    @classmethod
    def tearDownClass(cls):
        os.environ[postgresql.SERVER] = cls.before
        cls.cluster.end()

    def open(self):
        self.linked("--candidates", "5", link_options=("--limit", "requests=100000"),
                    server_options=("--log-level", "warning"))
        self.key = create_key(self.data, "production", "--scope", "admin", "--scope", "call")["key"]
        self.nodes = [self.serve] + [self.another(number) for number in range(1, NODES)]

    def another(self, number):
        """A node with a data folder of its own, and the same master key."""
        data = self.folder / f"node{number}"
        data.mkdir(0o700)
        shutil.copy(self.data / "master.key", data)
        node = Process(["serve", "--listen", "127.0.0.1:0", "--log-level", "warning", "--connector-base-url",
                        f"recruitee=http://{self.box.host}"],
                       {"TENON_DATA": str(data), "TENON_DATABASE": postgresql.url_of(self.data)})
        servers.add(node.host)
        self.addCleanup(node.kill)
        return node

    def stop_and_start(self, load, draw):
        """How long the server took from when the database could be reached until it served."""
        load.wait_for(draw.randint(1, 60), "done")
        self.cluster.stop("immediate")
        load.wait_for(draw.randint(1, 20), "unavailable")
        self.cluster.start(wait=False)
        end = time.monotonic() + READY_S
        while not database.is_reached(self.data) and time.monotonic() < end:
            time.sleep(.005)
        began = time.monotonic()
        load.wait_for_all()
        return time.monotonic() - began

    def test_nothing_is_lost_or_done_twice(self):
        self.open()
        load, draw = Load(self), random.Random(SEED)
        try:
            took = sorted(self.stop_and_start(load, draw) for _ in range(STOPS))
        finally:
            load.end()
        self.assertEqual([caller.fault for caller in load.callers if caller.fault], [])
        for node in self.nodes:
            self.assertIsNone(node.process.poll(), node.log[-5:])
        for caller in load.of(Candidates):
            caller.again()
        self.check_candidates(load)
        self.check_keys(load)
        for node in self.nodes:
            self.assertEqual(node.stop(), 0, node.log[-5:])
        print(f"postgresql stop: seed {SEED}, {STOPS} stops, {NODES} nodes; {len(load.made(Candidates))} candidates and "
              f"{len(load.made(Keys))} keys acknowledged, none lost, none twice; told {dict(load.told)}; "
              f"all served again after {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s (longest)", flush=True)
        if IS_LONG:
            self.assertLess(took[-1], SERVED_S)

    def check_candidates(self, load):
        there = self.control("GET", "records?collection=candidates&created=true&fields=id,name")["records"]
        names = collections.Counter(record["name"] for record in there)
        self.assertEqual([name for name, count in names.items() if count > 1], [])
        ids = {str(record["id"]): record["name"] for record in there}
        made = dict(load.made(Candidates))
        self.assertEqual({identifier: ids.get(identifier) for identifier in made}, made)
        self.assertGreater(len(made), STOPS)

    def check_keys(self, load):
        callers = load.of(Keys)
        live = [identifier for caller in callers for identifier in caller.live]
        # The last of what was asked may have been done without an answer.
        unsure = {identifier for caller in callers for identifier in list(caller.live)[:1]}
        is_revoked = dict(self.query("SELECT id, CASE revoked_ms WHEN 0 THEN 0 ELSE 1 END FROM api_key"))
        wanted = {identifier: int(identifier not in live) for identifier, _ in load.made(Keys)}
        self.assertEqual({i: is_revoked.get(i) for i in wanted if i not in unsure},
                         {i: revoked for i, revoked in wanted.items() if i not in unsure})
        for caller in callers:
            self.check_use(caller)

    def check_use(self, caller):
        for identifier, key in caller.done[-20:]:
            client = Client(self.serve.host, key)
            self.assertIn(client.get("/integration")[0], (200,) if identifier in list(caller.live)[1:] else (200, 401))
            client.close()

"""PostgreSQL is stopped as if the machine had lost its power (`pg_ctl stop -m immediate`), again and
again under load, while tenon goes on. Nothing that was acknowledged is lost, nothing is done twice
for one key, what fails in between says when to ask again, and the server serves again by itself.

TENON_POSTGRESQL_STOPS=100 for the long run, TENON_POSTGRESQL_SEED repeats the draws of a run."""
import collections
import os
import random
import threading
import time
import unittest

import database
import postgresql
from harness import TENON, Case, Client, create_key

STOPS = int(os.environ.get("TENON_POSTGRESQL_STOPS", "3"))
SEED = int(os.environ.get("TENON_POSTGRESQL_SEED", "0")) or random.randrange(1, 1 << 32)
CLIENTS = 4
KEYS_MAX = 20  # that are not revoked
READY_S = 60  # it is there long before that, or the test fails
PAUSE_S = .02  # of a caller who was refused; shorter than Retry-After says, so as to be there at once
# The note that the ATS is about to be called was written, and nobody heard of that: not known for two minutes.
UNKNOWN = "outcome_unknown"


class Caller(threading.Thread):
    """Creates one after the other, each under a key of its own, asked until it is done."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.client = Client(load.test.serve.host, load.test.key)
        self.done, self.counts, self.unknown = [], [], []
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
            self.unknown.append(count)
            return True
        time.sleep(PAUSE_S)
        return False

    def again(self):
        """The last ones once more: the answer is the same, and nothing is done."""
        for count, told in list(zip(self.counts, self.done))[-10:]:
            status, _, answer = self.ask(count)
            if (status, answer.get("id")) != (201, told[0]):
                raise AssertionError(f"{told}: {status} {answer}")
        for count in self.unknown:
            status, _, answer = self.ask(count)
            if status != 201 and answer["error"] != UNKNOWN:
                raise AssertionError(f"{self.name_of(count)}: {status} {answer}")

    def name_of(self, count):
        return f"{type(self).__name__} {self.number} {count}"


class Candidates(Caller):
    def ask(self, count):
        return self.client.request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.load.test.account}",
            {"name": self.name_of(count)}, {"Idempotency-Key": self.name_of(count)})

    def keep(self, count, answer):
        self.done.append((answer["id"], self.name_of(count)))
        self.counts.append(count)


class Keys(Caller):
    """Makes API keys and revokes those of a while ago. One that was made and not acknowledged may be
    there all the same: these have no Idempotency-Key."""

    def __init__(self, load, number):
        self.live = collections.deque()
        super().__init__(load, number)

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
        self.callers = [Candidates(self, number) for number in range(CLIENTS)] + [Keys(self, 0)]
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
        """Until each caller, and so each worker, has been served."""
        with self.changed:
            self.unserved.update(self.callers)
        self.wait_until(lambda: not self.unserved, "all served")

    def end(self):
        self.is_over = True
        for caller in self.callers:
            caller.join(READY_S)

    def made(self, kind):
        return [made for caller in self.callers if isinstance(caller, kind) for made in caller.done]


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
        self.assertIsNone(self.serve.process.poll(), self.serve.log[-5:])
        for caller in load.callers[:CLIENTS]:
            caller.again()
        self.check_candidates(load)
        self.check_keys(load)
        self.assertEqual(self.serve.stop(), 0, self.serve.log[-5:])
        print(f"postgresql stop: seed {SEED}, {STOPS} stops; {len(load.made(Candidates))} candidates and "
              f"{len(load.made(Keys))} keys acknowledged, none lost, none twice; told {dict(load.told)}; "
              f"served again after {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s (longest)", flush=True)

    def check_candidates(self, load):
        there = self.control("GET", "records?collection=candidates&created=true&fields=id,name")["records"]
        names = collections.Counter(record["name"] for record in there)
        self.assertEqual([name for name, count in names.items() if count > 1], [])
        ids = {str(record["id"]): record["name"] for record in there}
        made = dict(load.made(Candidates))
        self.assertEqual({identifier: ids.get(identifier) for identifier in made}, made)
        self.assertGreater(len(made), STOPS)

    def check_keys(self, load):
        live = load.callers[CLIENTS].live
        is_revoked = dict(self.query("SELECT id, CASE revoked_ms WHEN 0 THEN 0 ELSE 1 END FROM api_key"))
        wanted = {identifier: int(identifier not in live) for identifier, _ in load.made(Keys)}
        # The last of what was asked may have been done without an answer.
        self.assertEqual({identifier: is_revoked.get(identifier) for identifier in wanted if identifier != live[0]},
                         {identifier: revoked for identifier, revoked in wanted.items() if identifier != live[0]})
        for identifier, key in load.made(Keys)[-20:]:
            client = Client(self.serve.host, key)
            self.assertIn(client.get("/integration")[0], (200,) if identifier in list(live)[1:] else (200, 401))
            client.close()

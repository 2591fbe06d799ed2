"""Several nodes on one database (PostgreSQL only): endpoints have one sender at a time, whatever
happens to it; a write under an Idempotency-Key is done once, whichever nodes are asked; the log is
one. TENON_NODES_WRITES=2000 and TENON_NODES_ROUNDS=20 for long runs."""
import collections
import http.client
import json
import os
import random
import shutil
import signal
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import harness
import postgresql
from harness import Client, Process, link_account
from test_webhooks import LOOPBACK, Base

WRITES = int(os.environ.get("TENON_NODES_WRITES", "60"))
ROUNDS = int(os.environ.get("TENON_NODES_ROUNDS", "1"))
FREE = ("--limit", "requests=100000", "--limit", "concurrent=50")
ENDPOINTS = 6


@unittest.skipUnless(postgresql.is_used(), "several nodes need PostgreSQL (tests/e2e/run --postgresql)")
class Nodes(Base):
    options = (*LOOPBACK, "--workers", "2", "--webhook-retries", "1s,1s,1s,1s")

    def begin_nodes(self, count):
        """The first made the database; self.client asks the last."""
        self.linked("--candidates", "3", server_options=self.options, link_options=FREE)
        self.nodes = [self.serve]
        while len(self.nodes) < count:
            self.nodes.append(self.node())
        self.serve = self.nodes[-1]
        self.client = self.administrator()

    def folder_of(self, number):
        return self.data if number == 0 else self.folder / f"node{number}"

    def node(self, number=None):
        """One more, or one again."""
        number = len(self.nodes) if number is None else number
        data = self.folder_of(number)
        if not data.exists():
            data.mkdir(0o700)
            shutil.copy(self.data / "master.key", data)
        database = postgresql.environment(["--data", self.data])["TENON_DATABASE"]
        process = Process(["serve", "--listen", "127.0.0.1:0", "--connector-base-url",
                           f"recruitee=http://{self.box.host}", *self.options],
                          {"TENON_DATA": str(data), "TENON_DATABASE": database})
        harness.servers.add(process.host)
        self.addCleanup(process.kill)
        return process

    def ask(self, sql):
        return [line.split("|") for line in
                postgresql.psql(sql, postgresql.name_of(self.data)).splitlines()]

    def shares(self):
        """How many endpoints each living node has."""
        return sorted(int(count) for _, count in self.ask(
            "SELECT node.id, count(webhook.id) FROM node LEFT JOIN webhook ON owner = node.id"
            " WHERE until_ms > now_ms(0) GROUP BY 1"))

    def wait_for_shares(self, *wanted):
        self.wait_until(lambda: self.shares() == sorted(wanted), f"shares {wanted}")


class Endpoints(Nodes):
    def begin_endpoints(self, count, answer=lambda message: 200):
        self.begin_nodes(count)
        self.receivers = [self.receiver_of(answer) for _ in range(ENDPOINTS)]
        self.hooks = [self.create(target_url=r.url, event_types=["integrated_account:updated"])
                      for r in self.receivers]
        self.accounts = [self.account] + [
            json.loads(link_account(self.data, self.box).stdout)["id"] for _ in range(2)]

    def happen_until(self, ended):
        """Something happens all the time, to several accounts."""
        client = Client(self.serve.host, self.client.key)
        self.addCleanup(client.close)
        while not ended.wait(.1):  # so many a second, not a wait
            for account in self.accounts:
                self.happen(1, account, client)

    def while_it_happens(self, work):
        ended = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            happening = pool.submit(self.happen_until, ended)
            try:
                work()
            finally:
                ended.set()
            happening.result()

    def check_all_came(self):
        told = {e["id"] for e in self.every_event(type="integrated_account:updated")}
        for receiver in self.receivers:
            receiver.wait_for(lambda all: told <= {m.id for m in all if m.status == 200})
            self.receiver = receiver
            self.assertEqual(set(self.check_order_and_bytes()), told)
        return told

    def test_endpoints_are_shared_out_and_given_back(self):
        """Where nobody dies nothing is sent twice."""
        self.begin_endpoints(2)

        def come_and_go():
            self.wait_for_shares(3, 3)
            self.nodes.insert(0, self.node(2))
            self.wait_for_shares(2, 2, 2)
            self.assertEqual(self.nodes.pop(0).stop(), 0)
            self.wait_for_shares(3, 3)

        self.while_it_happens(come_and_go)
        told = self.check_all_came()
        for receiver in self.receivers:
            self.assertEqual(len(receiver.messages), len(told))

    def test_one_that_is_made_or_removed_on_another_node(self):
        self.begin_endpoints(2)
        self.wait_for_shares(3, 3)
        other = Client(self.nodes[0].host, self.client.key)
        self.addCleanup(other.close)
        late = self.receiver_of()
        status, _, made = other.request("POST", "/webhook", {"target_url": late.url})
        self.assertEqual(status, 201, made)
        self.happen(2)
        late.wait_for(lambda all: len(all) == 2)
        self.assertEqual(other.request("DELETE", f"/webhook/{made['id']}")[0], 200)
        for hook in self.hooks[:4]:
            self.assertEqual(other.request("POST", f"/webhook/{hook['id']}/pause")[0], 200)
        self.happen(1)
        for receiver in self.receivers[4:]:
            receiver.wait_for(lambda all: len(all) == 3)
        for hook in self.hooks[:4]:
            self.post("resume", webhook=hook)
        self.check_all_came()
        self.assertEqual(len(late.messages), 2)

    def test_a_node_that_is_killed_and_one_that_stands_still(self):
        """Its lease runs out while it stands still, longer than that: it goes on as another."""
        draw = random.Random(7)

        def answer(message):
            time.sleep(.02)  # calls are under way most of the time
            return 200 if draw.random() < .98 else 500

        self.begin_endpoints(3, answer)
        for _ in range(ROUNDS):
            self.while_it_happens(self.kill_and_stop)
            self.nodes[0] = self.node(0)
        self.check_all_came()
        # Sent twice was what was under way, or had not been written down yet.
        for receiver in self.receivers:
            again = len(receiver.delivered()) - len({m.id for m in receiver.delivered()})
            self.assertLessEqual(again, 40 * ROUNDS)

    def kill_and_stop(self):
        self.wait_for_shares(2, 2, 2)
        sent = len(self.receivers[0].messages)
        self.receivers[0].wait_for(lambda all: len(all) > sent + 20)
        self.nodes[0].kill()
        self.nodes[1].process.send_signal(signal.SIGSTOP)
        try:
            self.wait_for_shares(6)
            heard = [len(receiver.messages) for receiver in self.receivers]
            for before, receiver in zip(heard, self.receivers):
                receiver.wait_for(lambda all: len(all) > before + 20)
        finally:
            self.nodes[1].process.send_signal(signal.SIGCONT)
        self.wait_for_shares(3, 3)
        self.assertTrue(any("node_lost" in line for line in self.nodes[1].log))


class Idempotency(Nodes):
    def write(self, host, number, patience=40):
        """As docs/api.md tells callers: the same again, until it is known. What came of it."""
        client = Client(host, self.key)
        try:
            for _ in range(patience):
                status, headers, body = client.request(
                    "POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
                    {"name": f"Node {number}"}, {"Idempotency-Key": f"nodes {number}",
                                                 "Content-Type": "application/json"})
                if status == 201:
                    return body["id"], "idempotency-replayed" in headers
                if body["error"] == "outcome_unknown":
                    return None, False
                if status == 409:
                    self.assertEqual(body["field"], "Idempotency-Key", body)
                    self.assertIn("under way", body["message"])
                else:  # a node that stood still has no lease until it has a new one
                    self.assertEqual((status, body["error"]), (503, "unavailable"), body)
                time.sleep(float(headers["retry-after"]) / 4)  # as it was told
            self.fail(f"write {number} did not end")
        except (OSError, http.client.HTTPException):
            return None, False
        finally:
            client.close()

    def counts(self):
        records = self.control("GET", "records?collection=candidates&fields=id,name&created=true")
        return {name: [str(r["id"]) for r in records["records"] if r["name"] == name]
                for name in {r["name"] for r in records["records"]}}

    def check_once(self, answers):
        found = self.counts()
        for number, ids in answers.items():
            made = found.get(f"Node {number}", [])
            self.assertLessEqual(len(made), 1, number)
            self.assertLessEqual(ids, set(made), number)

    def test_the_same_key_at_two_nodes_at_once(self):
        self.begin_nodes(2)
        answers = collections.defaultdict(set)
        replayed = collections.Counter()
        with ThreadPoolExecutor(16) as pool:
            writes = [(number, pool.submit(self.write, node.host, number))
                      for number in range(WRITES) for node in self.nodes]
            for number, write in writes:
                answer, is_replayed = write.result()
                self.assertIsNotNone(answer, number)
                answers[number].add(answer)
                replayed[is_replayed] += 1
        self.assertEqual(replayed, {False: WRITES, True: WRITES})
        self.assertEqual({len(ids) for ids in answers.values()}, {1})
        self.check_once(answers)
        self.check_log()

    def check_log(self):
        """Both nodes' calls are in it once, page after page."""
        for node in self.nodes:  # what each has in its memory is written when it is asked
            client = Client(node.host, self.client.key)
            client.get("/log", limit=1)
            client.close()
        records, cursor = [], {}
        while cursor is not None:
            status, _, page = self.client.get("/log", limit=17, method="create", **cursor)
            self.assertEqual(status, 200, page)
            records += page["result"]
            cursor = page["next_cursor"] and {"next_cursor": page["next_cursor"]}
        self.assertEqual(len({r["request_id"] for r in records}), len(records))
        self.assertEqual(sum(r["status"] == 201 for r in records), 2 * WRITES)
        ids = [int(r["id"]) for r in records]
        self.assertEqual(ids, sorted(set(ids), reverse=True))
        self.assertEqual(len({number & 63 for number in ids}), len(self.nodes))

    def test_one_is_killed_and_one_stands_still(self):
        """What they had begun is the third one's by the time the second goes on."""
        self.begin_nodes(3)
        for attempt in range(ROUNDS):
            answers = collections.defaultdict(set)
            self.break_off(range(1000 * attempt, 1000 * attempt + WRITES), answers)
            self.check_once(answers)
            self.assertGreater(len([n for n in answers if answers[n]]), len(answers) // 2)
            self.nodes[0] = self.node(0)

    def break_off(self, numbers, answers):
        first, second, third = self.nodes
        with ThreadPoolExecutor(2 * WRITES) as pool:
            writes = [(n, pool.submit(self.write, self.nodes[n % 2].host, n)) for n in numbers]
            time.sleep(random.uniform(.1, .4))  # the moment of the end, not a wait
            first.kill()
            second.process.send_signal(signal.SIGSTOP)
            try:
                again = [(n, pool.submit(self.write, third.host, n)) for n in numbers]
                for _, write in again:
                    write.result()
            finally:
                second.process.send_signal(signal.SIGCONT)
            for number, write in again + writes:
                answers[number] |= {write.result()[0]} - {None}

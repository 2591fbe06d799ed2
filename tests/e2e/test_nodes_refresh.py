"""The race for new tokens over three nodes (PostgreSQL only): accounts side by side, whose tokens the ATS
refuses again and again; callers at all nodes at once; a provider (tests/oauth) that takes its time and takes a
refresh token once; nodes that are killed, and stopped for longer than their lease, meanwhile.

What is held against the provider's own list of requests: each refresh token came to it once. There is one
exception, a node that was killed while it had asked: then the token comes once more. Either the provider had not
acted for the one who had gone; or it had, its answer was lost, and the account is truly lost (decision 8). Which
tokens a killed node had under way is known from its leases in the database, read when it is dead.

TENON_REFRESH_ROUNDS=1000 for the long run, with 50 accounts and answers that take up to 30 s."""
import asyncio
import collections
import os
import random
import shutil
import signal
import time
import unittest

import postgresql
from harness import Client, Process, servers
from test_oauth import OAuthCase, call_apart

ROUNDS = int(os.environ.get("TENON_REFRESH_ROUNDS", "60"))
IS_LONG = ROUNDS >= 1000
ACCOUNTS = 50 if IS_LONG else 12
DELAY_MS = 30000 if IS_LONG else 3000
PAUSE_S = (0.5, 4) if IS_LONG else (0.2, 1)  # between disturbances
MOST = {} if IS_LONG else {"killed": 15, "stopped": 1}  # of them
SEED = int(os.environ.get("TENON_REFRESH_SEED", "0")) or random.randrange(1, 1 << 32)
NODES, CALLERS = 3, 2
STOP_S = 12  # longer than a lease
DEADLINE_S = 30
TRIES_MAX = 600


class Linked:
    """An account, the provider's grant behind it, and how often its token was made stale."""

    def __init__(self, identifier, grant):
        self.id, self.grant, self.rounds, self.is_lost = identifier, grant, 0, False


@unittest.skipUnless(postgresql.is_used(), "several nodes need PostgreSQL (tests/e2e/run --postgresql)")
class Refresh(OAuthCase):
    def setUp(self):
        super().setUp()
        self.draw = random.Random(SEED)
        self.accounts, self.told, self.counts = [], collections.Counter(), collections.Counter()
        self.stopped = {}  # node -> until when
        self.killed = collections.Counter()  # (account, version) of what a killed node had under way
        self.logs = []
        self.nodes = [self.serve] + [self.node(number) for number in range(1, NODES)]

    def folder_of(self, number):
        return self.data if number == 0 else self.folder / f"node{number}"

    def node(self, number):
        """One more, or one again."""
        data = self.folder_of(number)
        if not data.exists():
            data.mkdir(0o700)
            shutil.copy(self.data / "master.key", data)
        node = Process(["serve", "--listen", "127.0.0.1:0", "--workers", "2", "--share", str(self.share),
                        "--connector-base-url", f"grantly={self.provider.url}"],
                       {"TENON_DATA": str(data), "TENON_DATABASE": postgresql.url_of(self.data)})
        servers.add(node.host)
        self.addCleanup(node.kill)
        return node

    # --- disturbances ----------------------------------------------------------------------------

    def kill(self, number):
        """And what it had under way is noted, before it starts anew."""
        node = self.nodes[number]
        node.kill()
        self.logs.append(node.log)
        folder = (self.folder_of(number) / "node.id").read_text().strip()
        for account, version in self.query("SELECT account_id, intent_version FROM credential_lease"
                                           " WHERE owner = ? AND until_ms > 0", folder):
            self.killed[account, int(version)] += 1
        self.nodes[number] = self.node(number)
        self.counts["killed"] += 1

    def go_on(self, number):
        self.nodes[number].process.send_signal(signal.SIGCONT)
        del self.stopped[number]
        self.counts["stopped"] += 1

    def disturb(self):
        number = self.draw.randrange(NODES)
        for one in [n for n, until in self.stopped.items() if time.monotonic() > until]:
            self.go_on(one)
        is_stop = self.counts["killed"] == 1 or self.draw.random() < 0.3
        if is_stop and not self.stopped and self.may("stopped"):
            self.nodes[number].process.send_signal(signal.SIGSTOP)
            self.stopped[number] = time.monotonic() + STOP_S  # one at a time
        elif number not in self.stopped and self.may("killed"):
            self.kill(number)

    def may(self, what):
        return self.counts[what] < MOST.get(what, self.counts[what] + 1)

    async def keep_disturbing(self, is_over):
        try:
            while not is_over.is_set():
                async with self.quiet:
                    await asyncio.to_thread(self.disturb)
                await asyncio.sleep(self.draw.uniform(*PAUSE_S))
        finally:
            for number in list(self.stopped):
                self.go_on(number)

    # --- rounds ----------------------------------------------------------------------------------

    async def ask(self, what, **body):
        return await asyncio.to_thread(self.provider.ask, what, **body)

    async def call(self, account, number):
        """As a caller would: again, and at another node, until it is served. The last status."""
        for attempt in range(TRIES_MAX):
            status, text = await call_apart(self.nodes[(number + attempt) % NODES].host,
                                           self.path(account.id), self.admin)
            self.told[status or "cut"] += 1
            if status in (200, 401):
                return status
            self.assertIn(status, (0, 502, 503, 504), text)
            await asyncio.sleep(0.1)
        self.fail(f"{account.id} was not served: {text}")

    async def play(self, account):
        await self.ask("expire", grant=account.grant)
        account.rounds += 1
        statuses = set(await asyncio.gather(*(self.call(account, number) for number in range(NODES)
                                              for _ in range(CALLERS))))
        account.is_lost = 401 in statuses

    async def play_all(self, count):
        account = None
        for _ in range(count):
            if account is None or account.is_lost:
                account = await self.linked_anew()
            await self.play(account)

    def link_with(self, credentials):
        node = next(node for number, node in enumerate(self.nodes) if number not in self.stopped)
        client = Client(node.host, self.admin)
        status, _, account = client.request("POST", "/integrated-account", {
            "connector": "grantly", "authentication_method": "oauth2", "credentials": credentials})
        client.close()
        self.assertEqual(status, 201, account)
        return account["id"]

    async def linked_anew(self):
        made = await self.ask("named-grant")
        async with self.quiet:  # a link that is cut off is another test's matter
            identifier = await asyncio.to_thread(self.link_with, made["credentials"])
        self.accounts.append(Linked(identifier, made["grant"]))
        return self.accounts[-1]

    async def run_all(self):
        is_over, self.quiet = asyncio.Event(), asyncio.Lock()
        disturbing = asyncio.create_task(self.keep_disturbing(is_over))
        try:
            await asyncio.gather(*(self.play_all(ROUNDS // ACCOUNTS) for _ in range(ACCOUNTS)))
        finally:
            is_over.set()
            await disturbing

    # --- a stop past the deadline ----------------------------------------------------------------

    async def stop_past_the_deadline(self, account):
        await self.ask("expire", grant=account.grant)
        call = asyncio.create_task(self.call(account, 1))
        while (await self.ask("counts"))["rotations"] == 0:
            await asyncio.sleep(0.02)
        self.nodes[1].process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(DEADLINE_S + 2)  # of the request to the provider, by the node's clock
        finally:
            self.nodes[1].process.send_signal(signal.SIGCONT)
        return await call

    @unittest.skipUnless(IS_LONG, "it takes as long as a provider may (TENON_REFRESH_ROUNDS=1000)")
    def test_an_answer_that_came_while_the_node_stood_still(self):
        made = self.provider.ask("named-grant")
        account = Linked(self.link_with(made["credentials"]), made["grant"])
        self.provider.ask("delay", before_ms=0, often_ms=0, after_ms=20000)
        self.assertEqual(asyncio.run(self.stop_past_the_deadline(account)), 200)
        self.assertEqual(self.show(account.id)["status"], "active")
        self.assertEqual([asked["outcome"] for asked in self.provider.ask("refreshes")], ["rotated"])

    # --- what is true of it ----------------------------------------------------------------------

    def test_one_refresh_per_rotation(self):
        print(f"refresh over nodes: seed {SEED}", flush=True)
        self.provider.ask("delay", before_ms=DELAY_MS, often_ms=500, rare=0.3, late=0.1)
        asyncio.run(self.run_all())
        self.settle()
        self.check_all()
        print(f"refresh over nodes: {sum(a.rounds for a in self.accounts)} rounds of {ACCOUNTS} accounts"
              f" side by side, {NODES} nodes, answers in up to {DELAY_MS} ms; {dict(self.counts)};"
              f" callers were told {dict(self.told)}", flush=True)

    def settle(self):
        while self.provider.ask("counts")["under_way"] > 0:
            time.sleep(0.05)  # what dead nodes asked for is dropped

    def check_all(self):
        requests = collections.defaultdict(list)
        for asked in self.provider.ask("refreshes"):
            # Of a grant that the provider has ended nothing is known; its account is checked.
            requests[asked.get("grant"), asked.get("version")].append(asked["outcome"])
        states = {identifier: (status, int(version)) for identifier, status, version in
                  self.query("SELECT id, status, token_version FROM account")}
        for account in self.accounts:
            status, version = states[account.id]
            rotations = account.rounds - account.is_lost
            self.assertEqual((status, version), ("needs_reauth" if account.is_lost else "active",
                                                 1 + rotations), account.id)
            for number in range(rotations):
                self.check_rotation(account, number, requests[account.grant, number])
            if account.is_lost:
                self.check_lost(account, version, requests[account.grant, rotations])
            else:
                self.assertEqual(requests[account.grant, rotations], [])

    def check_rotation(self, account, number, outcomes):
        """One request, and what killed nodes had asked before, for whom the provider did not act."""
        counts = collections.Counter(outcomes)
        killed = self.killed[account.id, number + 1]
        where = f"{account.id}, rotation {number}: {outcomes}, {killed} killed meanwhile"
        self.assertEqual(counts["rotated"], 1, where)
        self.assertEqual(set(counts), {"rotated", "dropped"} & set(counts), where)
        self.assertLessEqual(counts["dropped"], killed, where)
        self.counts["rotations"] += 1
        self.counts["asked twice after a kill"] += counts["dropped"] > 0

    def check_lost(self, account, version, outcomes):
        """The provider had rotated for a node that was killed before it had kept the answer."""
        counts = collections.Counter(outcomes)
        where = f"{account.id}, version {version}: {outcomes}"
        self.assertGreaterEqual(self.killed[account.id, version], 1, where)
        self.assertEqual((counts["rotated"], counts["refused"]), (1, 1), where)
        self.assertLessEqual(counts["dropped"], self.killed[account.id, version], where)
        logs = [line for log in self.logs + [node.log for node in self.nodes] for line in log]
        self.assertTrue(any("token_answer_was_lost" in line and account.id in line for line in logs), where)
        self.counts["lost with a killed node"] += 1

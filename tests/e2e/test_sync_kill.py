"""A company that lives by itself, behind an ATS that fails now and then, and a server that is killed
at any moment: in the end the local copy is what the company has, record by record; the events tell
each record's story without a gap; each event was delivered, with the same bytes each time, and in the
order of its record. TENON_SYNC_KILLS=1000 TENON_SYNC_CANDIDATES=100000 for the long run,
TENON_SYNC_SEED for another company."""
import collections
import hashlib
import json
import os
import random
import threading
import time

from harness import Case, Client, create_key, link_account
from receiver import Receiver

KILLS = int(os.environ.get("TENON_SYNC_KILLS", "40"))
CANDIDATES = int(os.environ.get("TENON_SYNC_CANDIDATES", "2000"))
SEED = os.environ.get("TENON_SYNC_SEED", "1")
RESOURCES = ("candidates", "applications", "jobs")
# One request in twenty comes to grief; between two pages records come and go.
FAULTS = {"rate_limit": 0.012, "server_error": 0.012, "reset": 0.012, "truncate": 0.006,
          "content_type": 0.004, "garbage": 0.004, "page_shift": 0.02}
END_S = 60 + CANDIDATES / 200 + KILLS / 4  # nothing at the end may take longer


def digest(record):
    return hashlib.sha1(json.dumps(record, sort_keys=True).encode()).digest()


class Told:
    """One message, without its bytes."""

    def __init__(self, message):
        event = message.event
        self.id, self.number, self.version = message.id, event["number"], event["version"]
        self.record = (event["resource"], event["record_id"])
        self.bytes = hashlib.sha1(message.body).digest()
        self.is_taken = False


class Ledger:
    """Takes messages, and refuses one in twenty."""

    def __init__(self):
        self.told, self.unsigned, self.secret = [], 0, None
        self.draw = random.Random(7)
        self.lock = threading.Lock()
        self.receiver = Receiver(self.note)

    def note(self, message):
        told = Told(message)
        with self.lock:
            told.is_taken = self.draw.random() >= 0.05
            self.unsigned += not message.is_signed(self.secret)
            self.told.append(told)
        message.headers = message.body = message.event = None
        return 200 if told.is_taken else 500

    def taken(self):
        with self.lock:
            return {told.id for told in self.told if told.is_taken}


class SyncKill(Case):
    # --- asking ------------------------------------------------------------------------------

    def ask(self, method, path, body=None):
        status, _, answer = self.client.request(method, path, body)
        self.assertLess(status, 300, answer)
        return answer

    def wait(self, is_so, what):
        end = time.monotonic() + END_S
        while not (found := is_so()):
            if time.monotonic() > end:
                self.fail(f"{what} did not come about")
            time.sleep(0.02)
        return found

    def start(self):
        self.serve = self.server(self.box, "--workers", "2", "--log-level", "error",
                                 "--allow-address", "127.0.0.0/8",
                                 "--webhook-retries", "1s,1s,1s,2s,2s,2s,5s,5s,5s")
        self.client = Client(self.serve.host, self.admin)
        self.addCleanup(self.client.close)

    def run_whole(self, resource):
        """A full run that comes to its end."""
        job = self.jobs[resource]
        before = (self.ask("GET", f"/sync-job/{job}")["last_run"] or {"number": 0})["number"]
        wishes = {"full": True}
        while True:
            self.ask("POST", f"/sync-job/{job}/run", wishes)

            def ended(number=before + 1):
                run = self.ask("GET", f"/sync-job/{job}")["last_run"]
                return run if run["ended_at"] and run["number"] >= number else None

            run = self.wait(ended, f"a full run of {resource}")
            if run["status"] == "completed" and run["kind"] == "full":
                return run
            # What was left of the last kill may be an incremental one; a guard wants a word.
            code = (run["error"] or {}).get("code")
            self.assertIn(code, (None, "deletion_guard"), run)
            wishes = {"full": True, "allow_deletions": code == "deletion_guard"}
            before = run["number"]

    def lines(self, path):
        self.client.connection.request("GET", path,
                                       headers={"Authorization": f"Bearer {self.admin}"})
        response = self.client.connection.getresponse()
        self.assertEqual(response.status, 200)
        for line in response:
            yield json.loads(line)
        response.close()

    def copy(self, resource):
        """The living records by id."""
        found = {}
        for record in self.lines(f"/export/ats/{resource}?format=ndjson"
                                 f"&integrated_account_id={self.account}"):
            for extra in ("integrated_account_id", "is_deleted"):
                record.pop(extra, None)
            found[record["id"]] = record
        return found

    def events(self):
        after = 0
        while page := self.ask("GET", f"/events?after={after}&limit=1000")["result"]:
            yield from page
            after = page[-1]["number"]

    # --- what the company has ----------------------------------------------------------------

    def natives(self, collection, view="list"):
        offset = 0
        while page := self.control("GET", f"shown?collection={collection}&view={view}"
                                          f"&offset={offset}&limit=5000")["records"]:
            yield from page
            offset += len(page)

    @staticmethod
    def placement(native):
        return {"id": str(native["id"]), "job": str(native["offer_id"]),
                "stage": str(native["stage_id"]), "hired_at": native["hired_at"],
                "is_rejected": "disqualified_at" in native}

    @staticmethod
    def application(unified):
        return {"id": unified["id"], "job": unified["job"]["id"],
                "stage": (unified["current_stage"] or {"id": "None"})["id"],
                "hired_at": unified["hired_at"], "is_rejected": unified["rejected_at"] is not None}

    def check_by_hand(self, copies):
        """Of each record what can be told without the mapping that is under test."""
        natives = {str(c["id"]): c for c in self.natives("candidates")}
        self.assertEqual(set(copies["candidates"]), set(natives))
        placements = {}
        for key, native in natives.items():
            mine = copies["candidates"][key]
            placed = [self.placement(p) for p in native["placements"] if p["offer_id"]]
            placements.update({p["id"]: (key, p) for p in placed})
            self.assertEqual(
                (mine["name"], [e["email"] for e in mine["emails"]], mine["created_at"],
                 mine["updated_at"], [self.application(a) for a in mine["applications"]]),
                (native["name"], native["emails"], native["created_at"],
                 native["updated_at"], placed), key)
        self.assertEqual({key: (a["candidate"]["id"], self.application(a))
                          for key, a in copies["applications"].items()}, placements)
        jobs = {str(o["id"]): (o["title"], o["status"], o["updated_at"])
                for o in self.natives("offers") if o["kind"] == "job"}
        self.assertEqual({key: (j["name"], j["remote_status"], j["updated_at"])
                          for key, j in copies["jobs"].items()}, jobs)

    def check_by_the_live_list(self, copies):
        """All that the ATS's list gives, through the same mapping."""
        self.client.is_server = CANDIDATES <= 10000  # the contract of so many takes too long
        for resource in RESOURCES:
            live = {record["id"]: record for record in self.every_page(resource, limit=1000)}
            self.assertEqual(set(copies[resource]), set(live), resource)
            for key, record in live.items():
                del record["remote_data"]
                mine = {name: copies[resource][key].get(name) for name in record}
                self.assertEqual(mine, record, f"{resource} {key}")

    # --- what was told -----------------------------------------------------------------------

    def check_events(self, copies):
        """Numbers and versions without a gap; who goes by the events has the copy."""
        versions, records, numbers = collections.Counter(), {}, []
        kinds = collections.Counter()
        for event in self.events():
            numbers.append(event["number"])
            kinds[event["event"]] += 1
            if not event.get("resource"):
                continue
            key = (event["resource"], event["record_id"])
            if not event["event"].startswith("record:"):
                self.assertEqual(event["version"], versions[key] or 1, event)
                continue
            versions[key] += 1
            self.assertEqual(event["version"], versions[key], event)
            was_there, record = key in records, event["payload"]["record"]
            self.assertEqual(event["event"] == "record:created", not was_there, event)
            if event["event"] == "record:deleted":
                del records[key]
            else:
                records[key] = digest(record)
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertEqual(records, {(resource, key): digest(record)
                                   for resource in RESOURCES
                                   for key, record in copies[resource].items()})
        return kinds

    def check_deliveries(self):
        wanted = {event["id"]: event["number"] for event in self.events()
                  if event["event"].startswith("record:")}
        self.wait(lambda: wanted.keys() <= self.ledger.taken(), "the delivery of all events")
        bytes_of, last = {}, collections.Counter()
        for told in self.ledger.told:
            self.assertEqual(bytes_of.setdefault(told.id, told.bytes), told.bytes, told.id)
        self.assertEqual(self.ledger.unsigned, 0)
        self.assertEqual(set(bytes_of), set(wanted))
        seen = set()
        for told in self.ledger.told:
            if not told.is_taken or told.id in seen:
                continue
            seen.add(told.id)
            self.assertGreater(told.number, last[told.record], f"{told.record} {told.id}")
            last[told.record] = told.number

    # --- the test ----------------------------------------------------------------------------

    def begin(self):
        self.box = self.sandbox("--candidates", str(CANDIDATES), "--seed", SEED,
                                "--clock-skew", "-40", "--equal-timestamps")
        self.admin = create_key(self.data, "production", "--scope", "call",
                                "--scope", "admin")["key"]
        self.key = self.admin
        self.account = json.loads(link_account(self.data, self.box).stdout)["id"]
        self.ledger = Ledger()
        self.addCleanup(self.ledger.receiver.close)
        self.start()
        self.ledger.secret = self.ask("POST", "/webhook", {
            "target_url": self.ledger.receiver.url, "event_types": ["record:*"]})["secret"]
        jobs = self.ask("POST", "/sync-job", {
            "integrated_account_id": self.account, "resources": list(RESOURCES),
            "interval_s": 10, "initial_events": True})["result"]
        self.jobs = {job["resource"]: job["id"] for job in jobs}
        self.set_faults(**FAULTS)
        self.control("PUT", "life", {"changes": 20, "seconds": 1})

    def test_the_copy_becomes_what_the_company_is(self):
        self.begin()
        draw = random.Random(SEED)
        for _ in range(KILLS):
            for resource in RESOURCES:
                if draw.random() < 0.5:
                    self.ask("POST", f"/sync-job/{self.jobs[resource]}/run",
                             {"full": draw.random() < 0.5})
            time.sleep(draw.uniform(0, 0.8))  # the moment of the kill, not a wait
            self.serve.kill()
            self.start()
        self.control("PUT", "life", {"changes": 0})
        self.set_faults()
        for resource in RESOURCES * 2:  # who has no get is gone when two sweeps have missed it
            self.run_whole(resource)
        copies = {resource: self.copy(resource) for resource in RESOURCES}
        self.check_by_hand(copies)
        self.check_by_the_live_list(copies)
        kinds = self.check_events(copies)
        self.check_deliveries()
        life = self.control("GET", "life")["total"]
        print(f"sync: {KILLS} kills, {life} changes, {sum(map(len, copies.values()))} records, "
              f"{sum(kinds.values())} events, {len(self.ledger.told)} calls of the receiver",
              flush=True)

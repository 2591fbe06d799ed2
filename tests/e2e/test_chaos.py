"""Writes under an Idempotency-Key while everything fails: the network to the ATS at any byte, the
ATS itself, the callers' own connections, and the server, which is killed with -9 again and again.

Afterwards the ATS's truth is held against what the callers were told: nothing is done twice, what
is answered as done is there and is the one of its key, what is answered as failed is not there,
and the rest was reported as outcome_unknown.

TENON_CHAOS_WRITES=10000 for the long run, which also waits until tenon may take what left no
trace for not done (two minutes), and asks again. TENON_CHAOS_SEED repeats the draws of a run."""
import collections
import http.client
import json
import os
import queue
import random
import socket
import threading
import time

from faulty_link import FaultyLink
from harness import Case, Client, create_key, link_account

WRITES = int(os.environ.get("TENON_CHAOS_WRITES", "300"))
SEED = int(os.environ.get("TENON_CHAOS_SEED", "0")) or random.randrange(1, 1 << 32)
CLIENTS = int(os.environ.get("TENON_CHAOS_CLIENTS", "12"))
IS_LONG = WRITES > 1000
TRIES_MAX = 60
QUIET_SECONDS = 125  # after which a call without a trace counts as not done

LINK = {"request_reset": .03, "request_closed": .02, "request_stalled": .004, "reply_reset": .03,
        "reply_closed": .02, "reply_stalled": .004, "late": .01, "reset_after": .02}
ATS = {"server_error": .02, "rate_limit": .005, "reset": .01, "truncate": .01, "content_type": .01,
       "garbage": .01}
CALLER = {"cut": .03, "hung up": .03}  # its own request breaks off; it does not wait for the answer
KINDS = {"candidate": 50, "whole candidate": 15, "raw candidate": 10, "custom candidate": 5,
         "note": 10, "tag": 5, "move": 3, "delete": 2,
         "refused": 3}
BLIND = ("raw candidate", "custom candidate")  # tenon does not know how to look for what they did


class Write:
    """One key: what is asked under it, and what was said of it."""

    def __init__(self, number, kind, path, body, mark, target=None, status=201,
                 method="POST"):
        self.number, self.kind, self.path, self.mark, self.target = number, kind, path, mark, target
        self.key = f"chaos {SEED} {number}"
        self.body = b"" if body is None else json.dumps(body).encode()
        self.status, self.method = status, method
        self.random = random.Random(f"write {SEED} {number}")
        self.gives_up = self.random.random() < .1  # at the first failure
        self.said = []
        self.answer = None  # once it is done
        self.end = None  # "done", "failed", "unknown"

    def __repr__(self):
        return f"{self.kind} {self.mark!r} {self.end} {self.said[-12:]} {self.answer}"


class Told(Exception):
    pass


class Caller(threading.Thread):
    """Does as docs/api.md tells callers: the same again under the same key, until it is known."""

    def __init__(self, test, work, unknown_max=3, is_calm=False):
        super().__init__(daemon=True)
        self.test, self.work, self.unknown_max, self.is_calm = test, work, unknown_max, is_calm
        self.client = None
        self.counts = collections.Counter()
        self.faults = []

    def run(self):
        while True:
            try:
                write = self.work.get_nowait()
            except queue.Empty:
                return
            try:
                self.bring_to_end(write)
            except Exception as fault:
                self.faults.append(f"{fault!r}: {write}")

    def head_of(self, write):
        return {"Authorization": f"Bearer {self.test.key}", "Content-Type": "application/json",
                "Idempotency-Key": write.key}

    def leave_early(self, write, is_cut):
        """A request that breaks off, or whose answer nobody reads."""
        lines = "".join(f"{k}: {v}\r\n" for k, v in self.head_of(write).items())
        text = (f"{write.method} {write.path} HTTP/1.1\r\nHost: x\r\n{lines}"
                f"Content-Length: {len(write.body)}\r\n\r\n").encode() + write.body
        if is_cut:
            text = text[:write.random.randrange(len(text))]
        host, port = self.test.address.split(":")
        with socket.create_connection((host, int(port)), 10) as connection:
            connection.sendall(text)
            if not is_cut and write.random.random() < .5:
                connection.settimeout(write.random.uniform(0, .02) or None)
                try:
                    connection.recv(1)
                except TimeoutError:
                    pass
        raise ConnectionError("left early")

    def send(self, write, body=None):
        draw = 1 if self.is_calm else write.random.random()
        for how, chance in CALLER.items():
            draw -= chance
            if draw < 0:
                self.counts[how] += 1
                self.leave_early(write, how == "cut")
        if self.client is None:
            self.client = Client(self.test.address)
        try:
            return self.client.request(write.method, write.path, body or write.body, self.head_of(write))
        except (OSError, http.client.HTTPException):
            self.client.close()
            self.client = None
            raise

    def bring_to_end(self, write):
        unknown = tries = 0
        while tries < TRIES_MAX:
            try:
                status, headers, answer = self.send(write)
            except ConnectionRefusedError:  # the server is not up again yet
                time.sleep(.02)
                continue
            except (OSError, http.client.HTTPException) as broken:
                tries += 1
                write.said.append(type(broken).__name__)
                self.counts["broken"] += 1
                time.sleep(.02)
                continue
            tries += 1
            error = "done" if status < 300 else answer["error"]
            write.said.append(error)
            self.counts["replayed" if "idempotency-replayed" in headers else error] += 1
            if error == "done" and not isinstance(answer, dict):
                # /custom gives what the ATS said, be it a page of something before it.
                self.test.assertEqual(write.kind, "custom candidate")
                write.end = "unknown"
                return None
            if error == "done":
                return self.finish(write, status, answer)
            if error == "outcome_unknown":
                write.end = "unknown"
                unknown += 1
                if unknown >= self.unknown_max:
                    return None
            elif error == "conflict":  # the one which this caller left is under way yet
                self.test.assertIn("under way", answer["message"])
            elif write.gives_up or write.kind == "refused" and error == "invalid":
                write.end = "failed"
                return None
            elif error not in ("upstream", "rate_limited", "timeout", "unavailable"):
                raise Told(f"{status} {answer}")
            time.sleep(min(.2, float(headers.get("retry-after", .01))))
        raise Told("no end")

    def finish(self, write, status, answer):
        if status != write.status or (write.answer is not None and write.answer != answer):
            raise Told(f"{status} {answer}")
        write.end, write.answer = "done", answer
        if self.is_calm and write.random.random() < .1:
            status, _, answer = self.send(write, b'{"name": "Another"}')
            told = (status, answer["error"], answer["field"])
            self.test.assertEqual(told, (409, "conflict", "Idempotency-Key"))
            self.counts["another body refused"] += 1


class Chaos(Case):
    def setUp(self):
        super().setUp()
        print(f"chaos: seed {SEED}, {WRITES} writes", flush=True)
        self.box = self.sandbox("--candidates", "60", "--seed", str(1 + SEED % 1000))
        self.link = FaultyLink(self.box.host, SEED)
        self.addCleanup(self.link.stop)
        self.moments = random.Random(f"kill {SEED}")
        self.start()
        self.address = self.serve.host
        self.key = create_key(self.data)["key"]
        self.account = json.loads(link_account(self.data, self.link, "production", "--limit",
                                               "requests=1000000").stdout)["id"]
        self.counts = collections.Counter()

    def start(self, **named):
        """With another time for a call each time."""
        self.serve = self.server(self.link, "--log-level", "error", "--workers", "2",
                                 "--call-timeout", self.moments.choice("2 4 8 60".split()), **named)

    def ask_box(self, path, **query):
        client = Client(self.box.host)
        status, _, body = client.get(path, **query)
        client.close()
        self.assertEqual(status, 200, body)
        return body

    def records(self, collection, created=True, fields=""):
        return self.ask_box("/sandbox/records", collection=collection, fields=fields,
                            created=str(created).lower())["records"]

    # --- what is asked for --------------------------------------------------------------------

    def prepare(self):
        """What the writes are about, while nothing fails yet."""
        job = next(o for o in self.records("offers", False)
                   if o["kind"] == "job" and o["status"] == "published")
        stages = [s for s in self.records("stages", False)
                  if s["pipeline_template_id"] == job["pipeline_template_id"]]
        self.job, self.stage = str(job["id"]), str(stages[-1]["id"])
        people = self.records("candidates", False, "id")
        self.people = [str(p["id"]) for p in people]

    def applicant(self, number):
        client = Client(self.address, self.key)
        status, _, made = client.request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
            {"name": f"Applicant {number}", "job_id": self.job})
        client.close()
        self.assertEqual(status, 201, made)
        return made["id"], made["applications"][0]["id"]

    def make(self, number, kind):
        mark = f"Chaos {SEED} {number}"
        mail = f"chaos{number}@chaos.example"
        account = f"?integrated_account_id={self.account}"
        one = self.people[number % len(self.people)]
        if kind == "candidate":
            return Write(number, kind, f"/unified/ats/candidates{account}",
                         {"name": mark, "emails": [{"email": mail}]}, mark)
        if kind == "whole candidate":
            return Write(number, kind, f"/unified/ats/candidates{account}",
                         {"name": mark, "job_id": self.job,
                          "tags": [{"name": f"first of {mark}"}, {"name": "second"}]}, mark)
        if kind in BLIND:
            path = "/proxy/candidates" if kind == "raw candidate" else "/custom/candidates"
            return Write(number, kind, path + account, {"candidate": {"name": mark}}, mark)
        if kind == "note":
            return Write(number, kind, f"/unified/ats/activities{account}",
                         {"candidate_id": one, "body": mark}, mark)
        if kind == "refused":  # by the ATS, which has no such job
            return Write(number, kind, f"/unified/ats/candidates{account}",
                         {"name": mark, "job_id": "1"}, mark)
        if kind == "tag":
            return Write(number, kind, f"/unified/ats/candidates/{one}/add-tag{account}",
                         {"tag": {"name": mark}}, mark, one, 200)
        one, application = self.applicant(number)
        if kind == "delete":
            return Write(number, kind, f"/unified/ats/candidates/{one}{account}", None, mark, one,
                         200, "DELETE")
        return Write(number, kind, f"/unified/ats/applications/{application}/move-stage{account}",
                     {"stage_id": self.stage}, mark, application, 200)

    # --- the run ------------------------------------------------------------------------------

    def work_off(self, writes, **named):
        work = queue.Queue()
        for write in writes:
            work.put(write)
        callers = [Caller(self, work, **named) for _ in range(CLIENTS)]
        for caller in callers:
            caller.start()
        yield callers
        for caller in callers:
            caller.join()
            if caller.client:
                caller.client.close()
            self.counts.update(caller.counts)
        self.assertEqual([f for c in callers for f in c.faults][:5], [])

    def calmly(self, writes, **named):
        """Without faults."""
        for _ in self.work_off(writes, is_calm=True, **named):
            pass

    def storm(self, writes):
        self.link.set_chances(**LINK)
        self.set_faults(**ATS)
        for callers in self.work_off(writes):
            while any(caller.is_alive() for caller in callers):
                time.sleep(self.moments.uniform(.1, 1.5 if WRITES < 1000 else 5))  # the moment of the kill, not a wait
                self.serve.kill()
                self.counts["kills"] += 1
                self.start(listen=self.address)
        self.link.set_chances()
        self.set_faults()
        self.link.drain()

    # --- the judgement ------------------------------------------------------------------------

    def look(self):
        """What the ATS has, by mark or target."""
        self.found = {kind: collections.defaultdict(list) for kind in KINDS}
        for one in self.records("candidates", fields="id,name,tag_ids"):
            for kind in ("candidate", "whole candidate", "refused", *BLIND):
                self.found[kind][one["name"]].append(one)
        for note in self.records("notes", fields="id,body,candidate_id"):
            self.found["note"][note["body"]].append(note)
        self.tags = {}
        for tag in self.records("tags", fields="id,name"):
            self.assertNotIn(tag["name"], self.tags)
            self.tags[tag["name"]] = tag["id"]
        for one in self.records("candidates", False, "id,tag_ids"):
            for tag in one["tag_ids"] or []:
                self.found["tag"][(str(one["id"]), tag)].append(one)
        for placement in self.records("placements", fields="id,stage_id"):
            if str(placement["stage_id"]) == self.stage:
                self.found["move"][str(placement["id"])].append(placement)
        for gone in self.truth()["deleted"]:
            self.found["delete"][str(gone)].append({"id": gone})

    def traces(self, write):
        if write.kind == "tag":
            return self.found["tag"][(write.target, self.tags.get(write.mark))]
        return self.found[write.kind][write.target if write.kind in ("move", "delete") else write.mark]

    def id_of(self, write):
        if write.kind in BLIND:
            answer = write.answer.get("result", write.answer)
            return str(answer["candidate"]["id"])
        return write.answer["id"].removeprefix("note-")

    def judge(self, writes):
        self.look()
        for write in writes:
            traces = self.traces(write)
            self.assertLessEqual(len(traces), 1, ("done twice", write))
            if write.end == "done":
                self.assertEqual(len(traces), 1, ("not there", write))
                self.assertEqual(self.id_of(write), str(traces[0]["id"]), ("another one", write))
            elif write.end == "failed":
                self.assertEqual(traces, [], ("told as failed, and there", write))
            else:
                self.assertEqual(write.end, "unknown", write)
            if write.kind == "whole candidate" and write.end == "done":
                self.assertEqual(traces[0]["tag_ids"], [self.tags[f"first of {write.mark}"],
                                                        self.tags["second"]], write)

    def ends(self, writes):
        return collections.Counter(write.end for write in writes)

    def test_writes(self):
        self.prepare()
        draw = random.Random(f"kinds {SEED}")
        kinds = draw.choices(list(KINDS), KINDS.values(), k=WRITES)
        writes = [self.make(number, kind) for number, kind in enumerate(kinds)]
        start = time.monotonic()
        self.storm(writes)
        print(f"chaos: storm of {time.monotonic() - start:.0f} s: {dict(self.ends(writes))}, "
              f"{dict(self.counts)}; link {dict(self.link.counts)}; ATS "
              f"{self.ask_box('/sandbox/counts')['faults']}", flush=True)
        self.judge(writes)
        self.ask_again(writes)

    def ask_again(self, writes):
        """In calm weather: what was done is found; what is unknown has left no trace."""
        unknown = [write for write in writes if write.end == "unknown"]
        self.calmly(unknown, unknown_max=1)
        self.judge(writes)
        for write in unknown:
            if write.end == "unknown" and write.kind not in BLIND:
                self.assertEqual(self.traces(write), [], ("not found", write))
        print(f"chaos: asked again: {dict(self.ends(unknown))}", flush=True)
        if IS_LONG:
            time.sleep(QUIET_SECONDS)
            unknown = [write for write in unknown if write.end == "unknown"]
            self.calmly(unknown, unknown_max=1)
            self.judge(writes)
            for write in unknown:
                if write.kind == "refused":
                    self.assertEqual(write.end, "failed", write)
                elif write.kind not in BLIND:
                    self.assertEqual(write.end, "done", write)
            print(f"chaos: asked after {QUIET_SECONDS} s: {dict(self.ends(unknown))}", flush=True)
        before = self.ask_box("/sandbox/counts")["writes"]
        self.calmly([write for write in writes if write.end == "done"])
        self.assertEqual(self.ask_box("/sandbox/counts")["writes"], before)

"""A sync of many records: the first load, and all of it read again when nothing has changed."""
import json
import os
import pathlib
import re
import statistics
import subprocess
import time

from stage import FREE, ROOT, Bench, ask, harness, node_modules, pin, print_table, processor_s, rest

RECORDS = int(os.environ.get("BENCH_RECORDS", "100000"))
REPEATS = int(os.environ.get("BENCH_REPEATS", "3"))


def status_mb(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024


class Tenon:
    """A server with one job."""

    def __init__(self, bench, box):
        self.data = bench.folder / "data"
        self.server = harness.start_server(self.data, box, "--workers", "1", "--log-level", "warning")
        bench.processes.append(self.server.process)
        pin(self.server.pid, 0)
        key = harness.create_key(self.data, "production", "--scope", "call", "--scope", "admin")["key"]
        self.account = json.loads(harness.link_account(self.data, box, "production",
                                                       *FREE).stdout)["id"]
        self.client = harness.Client(self.server.host, key)
        self.runs = 0

    def ask(self, method, path, body=None):
        status, _, answer = self.client.request(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def run(self):
        """The next run, once it has ended: seconds, seconds of its core, counts."""
        before = processor_s(self.server.pid)
        self.runs += 1
        if self.runs == 1:
            self.job = self.ask("POST", "/sync-job", {
                "integrated_account_id": self.account, "resource": "candidates",
                "interval_s": 86400, "mode": "full", "rate_share": 1})["id"]
        else:
            self.ask("POST", f"/sync-job/{self.job}/run", {"full": True})
        while True:
            run = self.ask("GET", f"/sync-job/{self.job}")["last_run"]
            if run and run["number"] >= self.runs and run["ended_at"]:
                break
            time.sleep(0.05)
        if run["status"] != "completed":
            raise RuntimeError(json.dumps(run))
        return (moment(run["ended_at"]) - moment(run["started_at"]),
                processor_s(self.server.pid) - before, run["counts"])

    def events(self):
        return len([e for e in self.ask("GET", "/events?limit=1000")["result"]
                    if e["event"].startswith("record:")])


def moment(text):
    whole, part = text.rstrip("Z").split(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + part)


def measure_tenon(bench, box):
    tenon = Tenon(bench, box)
    runs = [tenon.run()]
    rest(tenon.server.pid)  # after a first load words are taken in for the search
    runs += [tenon.run() for _ in range(REPEATS)]
    assert runs[0][2]["created"] == RECORDS, runs[0]
    for _, _, counts in runs[1:]:
        assert counts["unchanged"] == RECORDS, counts
    assert tenon.events() == 0
    return runs, status_mb(tenon.server.pid, "VmHWM")


def measure_node(bench, box):
    done = subprocess.run(
        ["taskset", "-c", "0", node_modules(), "--no-warnings", str(ROOT / "bench/sync/node-sqlite.js"),
         f"http://{box.host}/c/{harness.COMPANY}", harness.TOKEN, str(bench.folder / "node.db"),
         str(REPEATS)], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["counts"]["created"] == RECORDS, lines[0]
    assert all(line["counts"]["unchanged"] == RECORDS for line in lines[1:])
    return [(line["seconds"], line["cpu"], line["counts"]) for line in lines], lines[-1]["peak_mb"]


def rates(runs, column):
    return RECORDS / runs[0][column], RECORDS / statistics.median(run[column] for run in runs[1:])


def make_records(box):
    """The sandbox makes what it has when it is first asked for it, which is nobody's work here."""
    for offset in range(0, RECORDS, 1000):
        ask(box.host, harness.TOKEN, "GET", f"/c/{harness.COMPANY}/candidates?limit=1000&offset={offset}")


def bench_sync():
    bench = Bench()
    try:
        box = bench.sandbox("--candidates", str(RECORDS))
        make_records(box)
        node, node_mb = measure_node(bench, box)
        tenon, tenon_mb = measure_tenon(bench, box)
    finally:
        bench.close()
    rows = []
    for name, runs, peak in (("tenon", tenon, tenon_mb), ("node-sqlite", node, node_mb)):
        first, again = rates(runs, 0)
        first_cpu, again_cpu = rates(runs, 1)
        rows.append((f"{name} first load", f"{first:.0f}",
                     f"{first_cpu:.0f} a second of its core, peak {peak:.0f} MB"))
        rows.append((f"{name} unchanged", f"{again:.0f}", f"{again_cpu:.0f} a second of its core"))
    print_table(f"a sync of {RECORDS} candidates, durable, one core each (records/s)", rows)
    for i, what in enumerate(("first-load", "unchanged")):
        print(f"ratio sync-{what}/node-sqlite {rates(tenon, 1)[i] / rates(node, 1)[i]:.2f}"
              f" (by the clock {rates(tenon, 0)[i] / rates(node, 0)[i]:.2f})")
    print(f"ratio sync-memory/node-sqlite {node_mb / tenon_mb:.2f}")

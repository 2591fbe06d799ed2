"""bench/run budget: what a sync costs those who call by hand, and how much of the ATS's rate limit is
used by both, which is never to be passed."""
import json
import os
import shutil
import statistics
import subprocess
import threading
import time

from stage import ROOT, ROUNDS, SECONDS, Bench, ask, harness, node_modules, print_table

RECORDS = int(os.environ.get("BENCH_RECORDS", "20000"))
DELAY_MS = int(os.environ.get("BENCH_DELAY_MS", "50"))  # an ATS that is far away
WINDOWS = int(os.environ.get("BENCH_WINDOWS", "2"))
REQUESTS, WINDOW_S = 2000, 10  # the ATS's limit
RATE = 40  # calls by hand in a second: a fifth of that


class Stage:
    """A sandbox with a limit, a server, an account."""

    def __init__(self, bench, workers):
        self.box = bench.sandbox("--candidates", str(RECORDS), "--delay", str(DELAY_MS),
                                 "--rate-limit", f"{REQUESTS}/{WINDOW_S}", "--rate-window", "sliding")
        self.data = bench.folder / "data"
        self.server, url, _ = bench.tenon(self.box, workers=workers)
        self.account = url.rpartition("=")[2]
        self.key = harness.create_key(self.data, "production", "--scope", "call", "--scope", "admin")["key"]
        self.ask("PATCH", f"/integrated-account/{self.account}", {"limits": {
            "requests": REQUESTS, "per_seconds": WINDOW_S, "concurrent": 20}})
        self.paths = self.find_paths()

    def ask(self, method, path, body=None):
        return ask(self.server.host, self.key, method, path, body)

    def close(self):
        self.server.stop()
        self.box.kill()
        shutil.rmtree(self.data)

    def find_paths(self):
        """What people look at: a page of candidates, some of them, the tags."""
        query = f"integrated_account_id={self.account}"
        page = self.ask("GET", f"/unified/ats/candidates?{query}&limit=20")["result"]
        return [f"/unified/ats/candidates?{query}&limit=20", f"/unified/ats/tags?{query}",
                *[f"/unified/ats/candidates/{record['id']}?{query}" for record in page[:8]]]

    def begin_load(self, seconds):
        return subprocess.Popen(
            ["taskset", "-c", "1", node_modules(), str(ROOT / "bench/budget/load.js"), self.server.host,
             self.key, str(RATE), str(seconds), *self.paths], text=True, stdout=subprocess.PIPE)

    def end_load(self, process):
        found = json.loads(process.communicate()[0])
        assert set(found["statuses"]) == {"200"}, found
        return found

    def begin_sync(self, **wanted):
        return self.ask("POST", "/sync-job", {
            "integrated_account_id": self.account, "resource": "candidates", "interval_s": 86400,
            "mode": "full", **wanted})["id"]

    def end_sync(self, job):
        self.ask("DELETE", f"/sync-job/{job}?delete_records=true")

    def wait_for_run(self, job, number):
        while True:
            run = self.ask("GET", f"/sync-job/{job}")["last_run"]
            if run and run["number"] >= number and run["ended_at"]:
                assert run["status"] == "completed", run
                return run
            time.sleep(0.02)

    # --- what a sync costs others ---

    def first_loads(self, is_over):
        """One after the other, until it is over; how many records were read."""
        records = 0
        while not is_over.is_set():
            job = self.begin_sync()
            records += self.wait_for_run(job, 1)["counts"]["created"]
            self.end_sync(job)
        return records

    def full_runs(self, job, is_over):
        records, number = 0, 1
        while not is_over.is_set():
            self.ask("POST", f"/sync-job/{job}/run", {"full": True})
            number += 1
            records += self.wait_for_run(job, number)["counts"]["unchanged"]
        return records

    def load_beside_full_runs(self):
        """What is read again was loaded before."""
        job = self.begin_sync()
        self.wait_for_run(job, 1)
        found = self.load_beside(lambda is_over: self.full_runs(job, is_over))
        self.end_sync(job)
        return found

    def load_beside(self, work):
        is_over, process = threading.Event(), self.begin_load(SECONDS)
        thread = threading.Thread(target=lambda: (process.wait(), is_over.set()))
        thread.start()
        began = time.monotonic()
        records = work(is_over)
        took = time.monotonic() - began
        thread.join()
        return {**self.end_load(process), "records": records / took}

    def measure_cost(self):
        ways = {"alone": lambda: self.end_load(self.begin_load(SECONDS)),
                "first load": lambda: self.load_beside(self.first_loads),
                "full run": self.load_beside_full_runs}
        runs = {name: [] for name in ways}
        self.end_load(self.begin_load(1))
        for _ in range(ROUNDS):
            for name, way in ways.items():
                runs[name].append(way())
        return {name: {key: statistics.median(run.get(key, 0) for run in found)
                       for key in ("p50", "p99", "records")} for name, found in runs.items()}

    # --- the limit ---

    def measure_use(self):
        """A run that fetches each record whole has work for all of it."""
        seconds = WINDOW_S * (WINDOWS + 2)
        process = self.begin_load(seconds)
        before = self.ask_box()["windows"]
        job = self.begin_sync(expand=True)
        found = self.end_load(process)
        counts = self.ask_box()
        self.end_sync(job)
        passed = counts["windows"][len(before) + 1:-1]
        return found, passed, counts["requests"].get("429", 0)

    def ask_box(self):
        client = harness.Client(self.box.host)
        answer = client.get("/sandbox/counts")[2]
        client.close()
        return answer


def bench_budget():
    for workers in (1, 2):
        bench = Bench()
        try:
            stage = Stage(bench, workers)
            cost = stage.measure_cost()
            used, passed, refused = stage.measure_use()
            stage.close()
        finally:
            bench.close()
        title = f"{workers} worker" + "s" * (workers > 1)
        print_table(f"{RATE} unified reads/s by hand, beside syncs of {RECORDS} candidates, {title} (ms)",
                    [(name, f"p50 {run['p50']:.1f}", f"p99 {run['p99']:.1f}" + (
                        f", {run['records']:.0f} records/s" if run["records"] else ""))
                     for name, run in cost.items()] +
                    [("expanded", f"p50 {used['p50']:.1f}", f"p99 {used['p99']:.1f}, all of the limit in use")])
        print_table(f"a limit of {REQUESTS} in any {WINDOW_S} s, {title}", [
            ("used", f"{100 * sum(passed) / REQUESTS / len(passed):.1f} %", f"windows {passed}"),
            ("answered with 429", str(refused), "")])
        for name in ("first load", "full run"):
            ratio = cost[name]["p99"] / cost["alone"]["p99"]
            print(f"ratio budget-{name.replace(' ', '-')}-{workers}/alone {ratio:.2f}")

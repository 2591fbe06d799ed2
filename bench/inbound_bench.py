"""bench/run inbound: how long it takes from a change at the ATS, by way of its own webhook, to the first byte
of its event at an endpoint."""
import json
import os
import subprocess
import time

from stage import ROOT, SECONDS, Bench, ask, harness, node_modules, print_table, put

RATE = int(os.environ.get("BENCH_INBOUND_RATE", "20"))
BURST = int(os.environ.get("BENCH_INBOUND_BURST", "200"))
RECORDS = int(os.environ.get("BENCH_RECORDS", "2000"))
SECRET = "bench-secret-of-the-webhook"


class Stage:
    def __init__(self, bench):
        self.bench = bench
        self.box = bench.sandbox("--candidates", str(RECORDS))
        self.server, url, _ = bench.tenon(self.box, "--allow-address", "127.0.0.0/8")
        self.account = url.rpartition("=")[2]
        self.key = harness.create_key(bench.folder / "data", "production", "--scope", "call",
                                      "--scope", "admin")["key"]
        self.ask("PUT", f"/integrated-account/{self.account}/webhook", {"secret": SECRET})
        jobs = self.ask("POST", "/sync-job", {"integrated_account_id": self.account, "interval_s": 86400,
                                              "resources": ["candidates", "applications"]})["result"]
        for job in jobs:
            while self.ask("GET", f"/sync-job/{job['id']}")["status"] != "completed":
                time.sleep(0.05)
        put(self.box, "/sandbox/webhook", {
            "url": f"http://{self.server.host}/integrated-account-webhook/{self.account}",
            "secret": SECRET})

    def ask(self, method, path, body=None):
        return ask(self.server.host, self.key, method, path, body)

    def load(self, rate, seconds, count):
        process = subprocess.Popen(
            ["taskset", "-c", "1", node_modules(), str(ROOT / "bench/inbound/load.js"), self.box.host,
             harness.TOKEN, harness.COMPANY, str(rate), str(seconds), str(count)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.bench.processes.append(process)
        url = process.stdout.readline().strip()
        made = self.ask("POST", "/webhook", {"target_url": url, "resources": ["candidates"],
                                             "event_types": ["record:*"]})
        process.stdin.write("\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        self.ask("DELETE", f"/webhook/{made['id']}")
        assert (found["failed"], found["count"]) == (0, count or rate * seconds), found
        return found


def bench_inbound():
    bench = Bench()
    try:
        stage = Stage(bench)
        stage.load(RATE, 1, 0)
        steady = stage.load(RATE, max(SECONDS * 2, 10), 0)
        burst = stage.load(0, 0, BURST)
    finally:
        bench.close()
    for title, found in ((f"{RATE} changes/s at the ATS", steady), (f"{BURST} changes at once", burst)):
        print_table(f"{title}: from the change to the first byte of its event out (ms)", [
            (f"from the change {name}", f"{found['change'][name]:.1f}",
             f"from the ATS's answer {found['notice'][name]:.1f}") for name in ("p50", "p90", "p99", "most")])

"""bench/run webhook: how long it takes from an event to the first byte at an endpoint, at a steady
rate."""
import json
import os
import pathlib
import subprocess

from stage import ROOT, SECONDS, Bench, harness, node_modules, print_table, resident_mb

RATE = int(os.environ.get("BENCH_WEBHOOK_RATE", "1000"))
ACCOUNTS = 50


class Stage:
    def __init__(self, bench):
        box = bench.sandbox("--candidates", "1")
        self.server, _, _ = bench.tenon(box, "--allow-address", "127.0.0.0/8")
        self.key = harness.create_key(bench.folder / "data", "production", "--scope", "admin")["key"]
        self.client = harness.Client(self.server.host, self.key)
        self.client.is_server = False
        self.accounts = [self.ask("POST", "/integrated-account", {
            "connector": "recruitee", "credentials": {"api_token": harness.TOKEN},
            "context": {"company_id": harness.COMPANY}})["id"] for _ in range(ACCOUNTS)]

    def ask(self, method, path, body=None):
        status, _, answer = self.client.request(method, path, body)
        assert status < 300, answer
        return answer

    def load(self, bench, seconds, **webhook):
        """Events at RATE for so long, all of them told."""
        process = subprocess.Popen(
            ["taskset", "-c", "1", node_modules(), str(ROOT / "bench/webhook/load.js"), self.server.host,
             self.key, str(RATE), str(seconds), *self.accounts], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        bench.processes.append(process)
        url = process.stdout.readline().strip()
        made = self.ask("POST", "/webhook", {"target_url": url, "event_types": [
            "integrated_account:updated"], **webhook})
        process.stdin.write("\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        self.ask("DELETE", f"/webhook/{made['id']}")
        assert found["failed"] == 0 and found["count"] - found["twice"] == RATE * seconds, found
        return found


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_webhook():
    bench = Bench()
    try:
        stage = Stage(bench)
        stage.load(bench, 1)
        before = cpu_seconds(stage.server.pid)
        found = stage.load(bench, max(SECONDS * 2, 10))
        used = cpu_seconds(stage.server.pid) - before
        print_table(f"webhooks: {RATE} events/s, from the event (before its commit) to the first byte (ms)",
                    [(name, f"{found[name]:.1f}", "") for name in ("p50", "p90", "p99", "most")])
        print_table("the server", [
            ("resident MB", f"{resident_mb(stage.server.pid):.1f}", ""),
            ("processor us", f"{used / found['count'] * 1e6:.0f}", "for each event: a change, its delivery")])
    finally:
        bench.close()

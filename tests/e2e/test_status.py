"""How an operator sees how it is: `tenon status`, readiness, metrics, and the dashboard over these."""
import json
import os
import re
import signal
import unittest

import postgresql
from harness import ROOT, Client, Process, create_key, run_tenon
from test_sync import SyncCase
from test_webhooks import LOOPBACK
from receiver import Receiver

DASHBOARD = ROOT / "packaging" / "grafana" / "tenon.json"
NAME = r"\b(?:tenon|process)_[a-z_]+"


def wait_for(ask, is_so):
    """Asks until it is so; each asking waits for its answer."""
    for _ in range(20000):
        answer = ask()
        if is_so(answer):
            return answer
    raise AssertionError(f"never so: {answer}")


class StatusCase(SyncCase):
    def troubled(self):
        """A job that works, one that fails, and a webhook that is paused with an event waiting."""
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.start("--candidates", "5", server_options=LOOPBACK)
        self.ended(self.job("jobs"), 1)
        self.failing = self.job("activities")  # wants a job of the candidates
        self.ended(self.failing, 1, "failed")
        self.webhook = self.ask("POST", "/webhook", {"target_url": self.receiver.url}, 201)["id"]
        self.ask("POST", f"/webhook/{self.webhook}/pause")
        self.ask("PATCH", f"/integrated-account/{self.account}", {"context": {"company_id": "41207", "a": 1}})

    def status(self, *options, check=True, env=None):
        done = run_tenon("status", "--json", "--data", str(self.data), *options, check=check, env=env)
        return json.loads(done.stdout)


class Status(StatusCase):
    def check_troubled(self, told):
        self.assertEqual((told["state"], told["accounts"]["active"]), ("ready", 1))
        self.assertEqual((told["sync"]["active"], told["sync"]["failing"]), (2, 1))
        (job,) = told["sync"]["failing_jobs"]
        self.assertEqual((job["id"], job["integrated_account_id"], job["resource"], job["failures"]),
                         (self.failing, self.account, "activities", 1))
        self.assertTrue(job["error"]["message"])
        self.assertEqual((told["webhooks"]["active"], told["webhooks"]["paused"]), (0, 1))
        self.assertGreaterEqual(told["webhooks"]["waiting_for_paused"], 1)
        self.assertEqual([one["id"] for one in told["webhooks"]["troubled"]], [self.webhook])

    def test_one_screen(self):
        self.troubled()
        told = self.status()
        self.check_troubled(told)
        self.assertEqual(told["process_id"], self.serve.pid)
        self.assertEqual(told["store"]["kind"], "postgresql" if postgresql.is_used() else "sqlite")
        self.assertTrue(told["store"]["is_up"])
        self.assertIn("messages", told)
        shown = run_tenon("status", "--data", str(self.data)).stdout
        for text in (f"process {self.serve.pid}", "ready", "1 active", self.failing, self.webhook, "1 failing"):
            self.assertIn(text, shown)
        self.assertLess(len(shown.splitlines()), 40)

    def test_a_key_tells_of_its_environment(self):
        self.troubled()
        keys = {name: create_key(self.data, name, "--scope", "admin")["key"] for name in ("production", "other")}
        own, other = (self.status("--server", self.serve.url, env={"TENON_API_KEY": keys[name]})
                      for name in ("production", "other"))
        self.check_troubled(own)
        self.assertEqual(sum(other["accounts"].values()), 0)
        self.assertEqual((other["sync"]["active"], other["sync"]["failing_jobs"]), (0, []))
        self.assertEqual((other["webhooks"]["paused"], other["webhooks"]["troubled"]), (0, []))
        self.assertNotIn(self.account, json.dumps(other))
        for told in (own, other):
            self.assertFalse({"host", "process_id", "messages"} & set(told))
        self.assertEqual(Client(self.serve.host, self.key).get("/status")[0], 403)
        self.assertEqual(Client(self.serve.host).get("/status")[0], 401)

    def test_no_server(self):
        done = run_tenon("status", "--data", str(self.data), check=False)
        self.assertEqual(done.returncode, 13)
        self.assertIn("no server runs on", done.stderr)

    def test_it_serves_on_while_it_says_that_it_ends(self):
        self.linked("--candidates", "3", server_options=("--drain-delay", "3000"))
        probe = Client(self.serve.host)
        self.addCleanup(probe.close)
        self.assertEqual(probe.get("/readyz")[0], 200)
        os.kill(self.serve.pid, signal.SIGTERM)
        _, headers, _ = wait_for(lambda: probe.get("/readyz"), lambda answer: answer[0] == 503)
        self.assertEqual(probe.get("/healthz")[0], 200)
        fresh = Client(self.serve.host, self.key)
        self.addCleanup(fresh.close)
        self.assertEqual(fresh.get("/unified/ats/tags", integrated_account_id=self.account)[0], 200)
        done = run_tenon("status", "--json", "--data", str(self.data), check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["state"]), (13, "draining"))
        self.assertEqual(self.serve.stop(), 0)  # a second signal: at once


class Metrics(StatusCase):
    def metrics(self):
        status, _, text = self.client.get("/metrics")
        self.assertEqual(status, 200)
        return text.decode()

    @staticmethod
    def samples(text):
        return {name: float(value) for name, value in
                re.findall(r"^((?:tenon|process)_\S+(?:\{.*\})?) (\S+)$", text, re.M)}

    def test_they_tell_what_happened(self):
        self.troubled()
        self.ask("POST", f"/webhook/{self.webhook}/resume")
        self.receiver.wait_for(lambda all: len(all) >= 1)
        told = wait_for(lambda: self.samples(self.metrics()), lambda told: all((
            told['tenon_webhook_attempts_total{result="delivered"}'] >= 1,
            told['tenon_webhook_waiting{state="active"}'] == 0)))
        self.assertEqual(told['tenon_integrated_accounts{status="active"}'], 1)
        self.assertEqual(told['tenon_sync_runs_total{result="completed"}'], 1)
        self.assertEqual(told['tenon_sync_runs_total{result="failed"}'], 1)
        self.assertEqual(told['tenon_sync_jobs{state="active"}'], 2)
        self.assertEqual(told["tenon_sync_jobs_failing"], 1)
        self.assertEqual(told['tenon_webhooks{state="active"}'], 1)
        self.assertGreater(told['tenon_copy_records_total{change="created"}'], 0)
        self.assertGreater(told['tenon_connector_call_duration_seconds_count{connector="recruitee"}'], 0)
        self.assertGreater(told['tenon_store_write_duration_seconds_bucket{le="+Inf"}'], 0)
        self.assertGreater(told["process_cpu_seconds_total"], 0)
        self.assertGreater(told["process_open_fds"], 5)
        self.assertEqual(told["tenon_requests_in_flight"], 1)  # this one
        self.assertEqual(told["tenon_store_up"], 1)
        self.set_faults(server_error=1.0)
        self.client.get("/unified/ats/tags", integrated_account_id=self.account)
        told = self.samples(self.metrics())
        self.assertGreater(told['tenon_connector_errors_total{connector="recruitee",kind="server_error"}'], 0)

    def test_each_is_typed_once_and_documented(self):
        self.start("--candidates", "3")
        self.list("tags")
        text = self.metrics()
        types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)
        self.assertEqual(len(types), len(dict(types)))
        self.assertEqual([name for name, _ in types], re.findall(r"^# HELP (\S+) \S", text, re.M))
        told = (ROOT / "docs" / "operating.md").read_text()
        documented = dict(re.findall(rf"^\| `({NAME})[`{{].*?\| (\w+) \|", told, re.M))
        pool = {name for name in documented if name.startswith("tenon_store_connection")}
        if not postgresql.is_used():
            self.assertEqual(len(pool), 3)
            documented = {name: kind for name, kind in documented.items() if name not in pool}
        self.assertEqual(dict(types), documented)
        for name, kind in types:
            self.assertEqual(name.endswith("_total"), kind == "counter", name)

    def test_the_dashboard_asks_for_what_there_is(self):
        self.start("--candidates", "3")
        self.list("tags")
        served = {sample.split("{")[0] for sample in self.samples(self.metrics())}
        dashboard = json.loads(DASHBOARD.read_text())
        asked = {name for panel in dashboard["panels"] for target in panel.get("targets", [])
                 for name in re.findall(NAME, target["expr"])}
        self.assertGreater(len(asked), 30)
        if not postgresql.is_used():
            asked = {name for name in asked if not name.startswith("tenon_store_connection")}
        self.assertEqual(asked - served, set())
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))


@unittest.skipUnless(postgresql.programs(), "PostgreSQL is not installed")
class Away(StatusCase):
    """A database of this test's own, which it may stop."""

    def test_the_database_is_away_and_comes_back(self):
        cluster = postgresql.Cluster(fsync="off")
        self.addCleanup(cluster.end)
        serve = Process(["serve", "--listen", "127.0.0.1:0", "--data", str(self.data)],
                        env={"TENON_DATABASE": f"{cluster.url}/tenon"})
        self.addCleanup(serve.kill)
        probe = Client(serve.host)
        self.addCleanup(probe.close)
        self.assertEqual(probe.get("/readyz")[0], 200)
        cluster.stop("immediate")
        _, headers, _ = wait_for(lambda: probe.get("/readyz"), lambda answer: answer[0] == 503)
        self.assertIn("retry-after", headers)
        self.assertEqual(probe.get("/healthz")[0], 200)
        text = probe.get("/metrics")[2].decode()
        self.assertIn("\ntenon_store_up 0\n", text)
        self.assertNotIn("tenon_integrated_accounts", text)
        done = run_tenon("status", "--json", "--data", str(self.data), check=False,
                         env={"TENON_DATABASE": f"{cluster.url}/tenon"})
        told = json.loads(done.stdout)
        self.assertEqual((done.returncode, told["state"], told["store"]["is_up"]), (13, "unavailable", False))
        self.assertTrue(told["store"]["error"])
        self.assertIsNone(told["accounts"])
        cluster.start()
        wait_for(lambda: probe.get("/readyz"), lambda answer: answer[0] == 200)

"""A rolling upgrade with two real programs: TENON_BEFORE is one of the version before, whose tables this one's can be
made of while its nodes run."""
import json
import os
import unittest
from unittest import mock

import harness
from harness import TENON, run_tenon
from test_nodes import NodesCase, Traffic

BEFORE = os.environ.get("TENON_BEFORE")


def program(path):
    return mock.patch("harness.TENON", path)


@unittest.skipUnless(BEFORE, "TENON_BEFORE names no program of the version before")
class Before(NodesCase):
    """Each node answers calls that lead to each large table, writes among them, and syncs."""

    def test_nodes_of_both_versions_run_side_by_side(self):
        with program(BEFORE), mock.patch("postgresql.TEMPLATE", "template0"):  # it makes its own tables
            self.start("--candidates", "400")
            self.begin_three()
            self.hosts_before = {node.host for node in self.nodes}
            jobs = self.ask("POST", "/sync-job", {"integrated_account_id": self.account, "interval_s": 10,
                                                  "resources": ["candidates", "jobs", "tags"]}, 201)["result"]
            for job in jobs:
                self.ended(job["id"], 1)
        with self.traffic(jobs[0]) as traffic:
            traffic.wait_for(200)
            missing = run_tenon("migrate", "--check", "--data", str(self.data), check=False).returncode
            self.assertIn(missing, (0, 5))  # 0: tables are as they were
            run_tenon("migrate", "--data", str(self.data))
            run_tenon("migrate", "--check", "--data", str(self.data))
            self.disturb(traffic, jobs)
            for path, number in ((TENON, 0), (BEFORE, 1), (TENON, 1), (BEFORE, 0), (TENON, 0), (TENON, 2)):
                with program(path):
                    self.restart(traffic, number)
                self.disturb(traffic, jobs)
        self.assertEqual([fault for fault in traffic.faults if not self.is_its_own(*fault)], [], traffic.statuses)
        self.look_at_runs(jobs)
        self.look_at_logs()

    def is_its_own(self, host, _, path, status, answer):
        """Two nodes of the version before that take in the same words refuse one of the searches, also without an upgrade."""
        return host in self.hosts_before and "search=" in path and status == 409 and "record_text" in json.dumps(answer)

    def restart(self, traffic, number):
        super().restart(traffic, number)
        if harness.TENON == BEFORE:
            self.hosts_before.add(self.nodes[number].host)

    def traffic(self, job):
        traffic = Traffic(self, writes=True)
        of = f"integrated_account_id={self.account}"
        traffic.paths += [f"/unified/ats/candidates?{of}&max_age=86400&limit=50",
                          f"/unified/ats/candidates?{of}&max_age=86400&search=an&limit=5",
                          f"/unified/ats/candidates?{of}&limit=5", "/events?limit=100",
                          f"/sync-job?{of}", f"/sync-job-run?sync_job_id={job['id']}", f"/log?{of}&limit=20"]
        return traffic

    def disturb(self, traffic, jobs):
        """Changes at the ATS, and a full run of each job, by whichever node has it."""
        self.client = self.client_of(self.nodes[0])
        self.step(5)
        for job in jobs:
            self.run_now(job["id"], full=True)
        traffic.wait_for(200)

    def look_at_runs(self, jobs):
        for job in jobs:
            runs = self.ask("GET", f"/sync-job-run?sync_job_id={job['id']}&limit=100")["result"]
            self.assertEqual({run["status"] for run in runs} - {"completed", "running", "stopped"}, set(), runs)
        self.same(self.copy(), self.live())

    def look_at_logs(self):
        for node in self.nodes:
            lines = [json.loads(line) for line in node.log if line.startswith("{")]
            self.assertEqual([line for line in lines if line["level"] in ("error", "warning")], [])

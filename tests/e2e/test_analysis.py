"""What docs/analysis.md tells those who analyse: its queries, run on the views of a copied company,
answer what Python works out from the records themselves; its lists of columns are true."""
import collections
import json
import os
import re
import sqlite3
import statistics
import subprocess
import unittest

import postgresql
from copied import fill_copy
from harness import ROOT, TENON, Case

PAGE = ROOT / "docs/analysis.md"


def query_of(title):
    """The ```sql block under a heading of the page."""
    section = PAGE.read_text().split(f"\n### {title}\n")[1]
    return re.search(r"```sql\n(.*?)```", section, re.S)[1]


def ask(data, sql, scope=None):
    """As an analyst does, with the shell, while the server runs; with another scope than his role has."""
    env = {**os.environ, **({"PGOPTIONS": f"-c tenon.environment={scope}"} if scope else {})}
    if postgresql.is_used():
        url = postgresql.url_of(data, "ann")
        command = ["psql", "-X", "-A", "-t", "-c",
                   f"SELECT json_agg(row) FROM ({sql.strip().rstrip(';')}) AS row", url]
    else:
        command = ["sqlite3", "-readonly", "-json", data / "tenon.db", sql]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout.strip() or "[]")


def reader(statement):
    """What the page says of the roles: its lines that begin so."""
    block = re.search(r"```text\n(CREATE ROLE.*?)```", PAGE.read_text(), re.S)[1]
    return "".join(line for line in block.splitlines() if line.startswith(statement))


def make_reader():
    if not postgresql.psql("SELECT 1 FROM pg_roles WHERE rolname = 'ann'"):
        postgresql.psql(reader("CREATE ROLE"), user="postgres")
        postgresql.psql(reader("ALTER ROLE"), user="postgres")


def days(record):
    """From application to hire, as SQLite counts: to the millisecond."""
    def moment(text):
        row = sqlite3.connect(":memory:").execute("SELECT julianday(?)", (text,)).fetchone()
        return row[0]
    return moment(record["hired_at"]) - moment(record["applied_at"])


class Analysis(Case):
    def setUp(self):
        super().setUp()
        if postgresql.is_used():
            make_reader()
        self.linked("--candidates", "600", link_options=("--limit", "requests=100000"))
        self.records = fill_copy(self)
        self.jobs = {job["id"]: job for job in self.records["jobs"]}

    def test_queries_of_the_page(self):
        for title, work_out in (("Headcount by department and location", self.headcount),
                                ("Time to hire", self.time_to_hire),
                                ("Interviewer calibration", self.calibration),
                                ("Funnel by stage", self.funnel)):
            with self.subTest(title):
                wanted = work_out()
                self.assertGreater(len(wanted), 3)
                self.same(ask(self.data, query_of(title)), wanted)

    def same(self, rows, wanted):
        """Fractions may be rounded the other way at a half."""
        self.assertEqual([[*row] for row in rows], [[*row] for row in wanted])
        for row, other in zip(rows, wanted):
            for name, value in other.items():
                if isinstance(value, float):
                    self.assertAlmostEqual(row[name], value, delta=0.1001 if "days" in name else 0.00101)
                else:
                    self.assertEqual(row[name], value, (row, other))

    def headcount(self):
        heads = collections.defaultdict(set)
        for application in self.records["applications"]:
            job = self.jobs.get((application["job"] or {}).get("id"))
            if application["status"] == "hired" and job:
                for department in job["departments"]:
                    for location in job["locations"]:
                        heads[department["name"], location].add(application["candidate"]["id"])
        rows = [{"department": department, "location": location, "headcount": len(people)}
                for (department, location), people in heads.items()]
        return sorted(rows, key=lambda row: (-row["headcount"], row["department"].encode(),
                                             row["location"].encode()))

    def time_to_hire(self):
        took = collections.defaultdict(list)
        for application in self.records["applications"]:
            job = self.jobs.get((application["job"] or {}).get("id"))
            if job and application["hired_at"] and application["applied_at"]:
                for name in {department["name"] for department in job["departments"]}:
                    took[name].append(days(application))
        return [{"department": name, "hires": len(took[name]),
                 "median_days": statistics.median(took[name])}
                for name in sorted(took, key=str.encode)]

    def calibration(self):
        given = collections.defaultdict(list)
        for card in self.records["scorecards"]:
            if card["score"] is not None and card["interviewer"]:
                given[card["candidate"]["id"], (card["job"] or {}).get("id")].append(card)
        cards, names = collections.defaultdict(list), collections.defaultdict(set)
        for together in given.values():
            for card in together:
                others = [other["score"] for other in together
                          if other["interviewer"]["id"] != card["interviewer"]["id"]]
                if others:
                    who = card["interviewer"]["id"]
                    names[who].add(card["interviewer"]["name"])
                    cards[who].append((card["score"], card["score"] - statistics.mean(others)))
        rows = [{"interviewer_id": who, "interviewer": min(names[who]), "scorecards": len(some),
                 "mean_score": statistics.fmean(score for score, _ in some),
                 "difference": statistics.fmean(apart for _, apart in some)}
                for who, some in cards.items()]
        return sorted(rows, key=lambda row: row["interviewer_id"])

    def funnel(self):
        rows = []
        for job in sorted(self.records["jobs"], key=lambda job: job["id"]):
            places = {stage["id"]: place for place, stage in enumerate(job["stages"])}
            reached = [places[application["current_stage"]["id"]]
                       for application in self.records["applications"]
                       if (application["job"] or {}).get("id") == job["id"]
                       and (application["current_stage"] or {}).get("id") in places]
            before = None
            for place, stage in enumerate(job["stages"]):
                count = sum(at >= place for at in reached)
                if count:
                    rows.append({"job_id": job["id"], "place": place, "stage": stage["name"],
                                 "reached": count,
                                 "of_stage_before": before and count / before})
                before = count
        return rows

    def test_a_view_has_what_the_records_have(self):
        for resource, records in self.records.items():
            rows = ask(self.data, f"SELECT id, record FROM {resource}")
            self.assertEqual({row["id"]: json.loads(row["record"]) for row in rows},
                             {record["id"]: record for record in records})
        tags = ask(self.data, "SELECT candidate_id, count(*) AS n FROM candidate_applications GROUP BY 1")
        self.assertEqual({row["candidate_id"]: row["n"] for row in tags},
                         {record["id"]: len(record["applications"])
                          for record in self.records["candidates"] if record["applications"]})

    @unittest.skipUnless(postgresql.is_used(), "SQLite has no roles")
    def test_a_reader_reads_views_and_names_and_nothing_else(self):
        postgresql.psql(reader("GRANT"), postgresql.name_of(self.data))
        rows = ask(self.data, "SELECT e.name, a.connector, count(*) AS n FROM candidates AS c"
                              " JOIN environment AS e ON e.id = c.environment_id JOIN account AS a"
                              " ON a.environment_id = e.id AND a.id = c.integrated_account_id GROUP BY 1, 2")
        self.assertEqual(rows, [{"name": "production", "connector": "recruitee",
                                 "n": len(self.records["candidates"])}])
        for table in ("account", "environment", "record", "credential", "api_key"):
            with self.subTest(table), self.assertRaises(subprocess.CalledProcessError) as refused:
                ask(self.data, f"SELECT * FROM {table}")
            self.assertIn("permission denied", refused.exception.stderr)

    @unittest.skipUnless(postgresql.is_used(), "SQLite has no roles")
    def test_a_reader_of_one_environment_sees_no_other(self):
        [(environment,)] = self.query("SELECT environment_id FROM account WHERE id = ?", self.account)
        sql = "SELECT count(*) AS n FROM candidates"
        self.assertEqual(ask(self.data, sql, environment), [{"n": len(self.records["candidates"])}])
        self.assertEqual(ask(self.data, sql, "env_other"), [{"n": 0}])

    def test_a_view_that_is_made_anew_can_be_read(self):
        self.serve.stop()
        if postgresql.is_used():
            self.query("COMMENT ON VIEW jobs IS 'of an older version'")
        else:
            self.query("DROP VIEW jobs")
        self.serve = self.server(self.box)
        self.assertEqual(ask(self.data, "SELECT count(*) AS n FROM jobs"), [{"n": len(self.jobs)}])

    def test_columns_are_told(self):
        done = subprocess.run([ROOT / "tools" / "view-columns", "--check"], capture_output=True,
                              text=True, env={**os.environ, "TENON": str(TENON)})
        self.assertEqual(done.returncode, 0, done.stderr)

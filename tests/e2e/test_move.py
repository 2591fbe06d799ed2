"""What a data folder keeps in SQLite goes into PostgreSQL whole, however often `tenon move` is killed, and
a server goes on there where it was. TENON_MOVE_RECORDS=1000000 for a large one."""
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import time
import unittest

import postgresql
from copied import write_copy
from harness import ROOT, TENON, create_key, run_tenon
from receiver import Receiver
from test_sync import SyncCase

RECORDS = int(os.environ.get("TENON_MOVE_RECORDS", "3000"))
KILLS = int(os.environ.get("TENON_MOVE_KILLS", "5"))
BATCH = max(20, min(10000, RECORDS // 50))
OWN = ("store_migration", "store_move", "record_text", "record_text_due")
VALUES = {"INTEGER": (0, -1, 2**63 - 1, -2**63, 4711),
          "TEXT": ("", "x", "\\N", "a\tb\nc\\d'e\"f", "ä€😀\u0301", "x" * 70000),
          "BLOB": (b"", b"\x00\x01\xff", b"\\x00", bytes(range(256)))}


def setUpModule():
    global cluster
    if not postgresql.programs():
        raise unittest.SkipTest("PostgreSQL is not installed (Debian's package postgresql)")
    if postgresql.is_used():
        raise unittest.SkipTest("what is moved is in SQLite")
    cluster = postgresql.Cluster(fsync="off")
    unittest.addModuleCleanup(cluster.end)


class Asking:
    """One psql that stays."""

    def __init__(self, database):
        self.process = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", database], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env={**os.environ, "PGOPTIONS": postgresql.SEE_ALL})

    def ask(self, sql):
        """Its one row; None: it failed."""
        self.process.stdin.write(f"{sql};\n\\echo end\n")
        lines = list(iter(lambda: self.process.stdout.readline().strip(), "end"))
        return lines[0] if lines else None

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class MoveCase(SyncCase):
    def setUp(self):
        super().setUp()
        self.target = f"{cluster.url}/{self.new_database()}"
        self.asking = Asking(self.target)
        self.addCleanup(self.asking.close)
        self.peak_kb = 0

    def new_database(self):
        name = f"t{os.urandom(8).hex()}"
        self.query(f"CREATE DATABASE {name}", f"{cluster.url}/postgres")
        return name

    def query(self, sql, database=None):
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql,
                               database or self.target], check=True, capture_output=True, text=True,
                              timeout=300, env={**os.environ, "PGOPTIONS": postgresql.SEE_ALL}).stdout

    def source(self):
        database = sqlite3.connect(self.data / "tenon.db", isolation_level=None)
        self.addCleanup(database.close)
        return database

    def move(self, *options, check=True):
        return run_tenon("move", "--from", str(self.data), "--to", self.target, *options, check=check,
                         timeout=500)

    def begin_move(self, *options):
        process = subprocess.Popen([TENON, "move", "--from", str(self.data), "--to", self.target, *options],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def noted(self):
        """How many rows are said to be there, and whether all is done."""
        found = self.asking.ask("SELECT sum(row_count), bool_or(name = '' AND state = 2) FROM store_move")
        rows, done = (found or "0|f").split("|")
        return int(rows), done == "t"

    def kill_at(self, rows, batch=BATCH):
        """Killed once so many rows are there; what it was by then."""
        process = self.begin_move("--batch", str(batch))
        while process.poll() is None and self.noted()[0] < rows:
            pass
        if process.poll() is None:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            self.peak_kb = max(self.peak_kb, int((re.search(r"VmHWM:\s+(\d+)", status) or [0, 0])[1]))
        process.kill()
        self.assertIn(process.wait(), (0, -signal.SIGKILL))
        return self.noted()

    def tables(self, database):
        """Of SQLite: names, and the names of each one's columns with their types."""
        names = [name for (name,) in database.execute(
            "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"
            " AND name NOT LIKE 'sqlite%' ORDER BY name")]
        return {name: list(database.execute("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid",
                                            (name,))) for name in names}

    def same_tables(self, database):
        """Every row of every table, by other means than the program's own."""
        here, questions = {}, []
        for name, columns in self.tables(database).items():
            if name in OWN:
                continue
            key = ", ".join(f'"{column}"' for column, _, place in sorted(columns, key=lambda c: c[2]) if place)
            here[name] = [[value.hex() if isinstance(value, bytes) else value for value in row]
                          for row in database.execute(f'SELECT * FROM "{name}" ORDER BY {key}')]
            values = ", ".join(f"encode(\"{column}\", 'hex')" if kind == "BLOB" else f'"{column}"'
                               for column, kind, _ in columns)
            questions.append(f"SELECT json_build_array('{name}', {values}) FROM \"{name}\" ORDER BY {key}")
        there = {name: [] for name in here}
        for line in self.query("; ".join(questions)).splitlines():
            name, *row = json.loads(line)
            there[name].append(row)
        for row in here["audit_head"]:  # the only log has no name in SQLite
            row[0] = row[0] or (self.data / "node.id").read_text()
        for name, rows in here.items():
            self.assertEqual(there[name], sorted(rows) if name == "audit_head" else rows, name)


class Move(MoveCase):
    # --- a life before ---------------------------------------------------------------------------

    def begin_life(self):
        """Rows of many kinds, as they come about."""
        self.receiver = Receiver(lambda message: 200)
        self.addCleanup(self.receiver.close)
        self.start("--candidates", "60", server_options=("--allow-address", "127.0.0.0/8"))
        self.ask("POST", "/webhook", {"target_url": self.receiver.url}, 201)
        jobs = [self.job(resource, initial_events=True) for resource in ("jobs", "applications")]
        for job in jobs:
            self.ended(job, 1)
        self.step(20)
        for job in jobs:
            self.run_now(job, full=True)
        for words in (("override", "set", "candidates", "--account", self.account, "--field", "summary=$.remote.id"),
                      ("link-token", "create", "--environment", "production", "--tenant", "one"),
                      ("mcp-server", "create", "--environment", "production", "--account", self.account)):
            run_tenon(*words, "--data", str(self.data),
                      *(() if "--environment" in words else ("--environment", "production")))
        status, _, _ = self.client.request(
            "POST", f"/unified/ats/departments?integrated_account_id={self.account}", {"name": "moved"},
            {"Idempotency-Key": "move-1"})
        self.assertLess(status, 300)
        return jobs

    def fill(self):
        """As many candidates as are wanted, without asking for them."""
        record = self.live_candidates()[0]
        database = self.source()
        database.execute("BEGIN IMMEDIATE")
        environment = database.execute("SELECT environment_id FROM account").fetchone()[0]
        write_copy(database, environment, self.account, "candidates", [record], int(time.time() * 1000))
        copy = database.execute("SELECT max(number) FROM copy").fetchone()[0]
        names = [name for name, _, _ in self.tables(database)["record"]]
        values = dict.fromkeys(names) | {"number": "number + i", "id": "printf('%09d', i)", "is_partial": "0",
                                         "body": "replace(body, ?2, '\"id\": \"' || printf('%09d', i) || '\"')"}
        database.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)"
            f" INSERT INTO record ({', '.join(names)}) SELECT {', '.join(values[name] or name for name in names)}"
            " FROM record JOIN n WHERE copy = ?1", (copy, f'"id": "{record["id"]}"', RECORDS))
        database.execute("UPDATE copy SET record_count = ?1 + 1, last_number = ?1 + 1 WHERE number = ?2",
                         (RECORDS, copy))
        database.execute("COMMIT")
        database.close()

    def live_candidates(self):
        records = self.list("candidates", limit="5")[2]["result"]
        for record in records:
            record.pop("remote_data", None)
        return records

    def raw(self, path):
        connection = self.client.connection
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.admin_key}"})
        response = connection.getresponse()
        text = response.read()
        self.assertEqual(response.status, 200, path + str(text[:1000]))
        return text

    def reads(self, jobs):
        """What a caller is answered, byte by byte."""
        account = f"integrated_account_id={self.account}"
        aged = "max_age=86400&limit=1000"
        paths = [f"/unified/ats/jobs?{account}&{aged}", f"/unified/ats/applications?{account}&{aged}",
                 f"/unified/ats/candidates/{RECORDS // 2:09}?{account}&max_age=86400",
                 f"/unified/ats/jobs?{account}&{aged}&search=engineer*",
                 f"/events?limit=1000&account_id={self.account}", f"/integrated-account/{self.account}",
                 "/sync-job", "/webhook", *(f"/sync-job/{job}" for job in jobs),
                 f"/sync-job-run?sync_job_id={jobs[0]}", f"/export/ats/jobs?{account}"]
        return {path: self.raw(path) for path in paths}

    # --- killing ---------------------------------------------------------------------------------

    def kill_while_comparing(self):
        process = self.begin_move("--batch", str(BATCH))
        process.stderr.readline()
        process.kill()
        self.assertIn(process.wait(), (0, -signal.SIGKILL))

    def refused(self, *words):
        done = run_tenon(*words, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)
        return done.stderr

    def kill_on_the_way(self, total):
        found = [self.kill_at(total * kill // KILLS + 1) for kill in range(KILLS - 1)]
        self.assertTrue(any(not done for _, done in found), found)
        rows = [rows for rows, _ in found]
        self.assertEqual(rows, sorted(rows))
        if not found[-1][1]:
            self.assertIn("is being moved", self.refused(
                "environment", "list", "--data", str(self.data), "--database", self.target))
            self.assertIn("is being moved", self.refused("migrate", "--check", "--database", self.target))
        self.kill_while_comparing()
        return found

    # --- tests -----------------------------------------------------------------------------------

    def test_a_life_goes_on(self):
        jobs = self.begin_life()
        self.fill()
        self.connect()
        before = self.reads(jobs)
        self.serve.stop()
        events = self.source().execute("SELECT max(number) FROM event").fetchone()[0]
        total = sum(self.source().execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
                    for name in self.tables(self.source()) if name not in OWN)

        began = time.monotonic()
        found = self.kill_on_the_way(total)
        moved = json.loads(self.move("--json").stdout)
        took = time.monotonic() - began
        self.assertGreater(moved["row_count"], RECORDS)
        print(f"moved {moved['row_count']} rows in {took:.1f} s with {KILLS} kills, at {found}, "
              f"in at most {self.peak_kb} kB")
        self.assertLess(self.peak_kb, 200000)
        if RECORDS < 100000:
            self.same_tables(self.source())
        self.assertEqual(json.loads(self.move("--json").stdout), moved)

        name = (self.data / "node.id").read_text()
        self.assertEqual(self.query("SELECT DISTINCT folder FROM audit_head").strip(), name)
        self.serve = self.server(self.box, "--database", self.target, "--allow-address", "127.0.0.0/8")
        self.connect()
        after = self.reads(jobs)
        for path, text in before.items():
            self.assertEqual(after[path], text, path)
        self.assertEqual(len(self.live_candidates()), 5)  # by the sealed credential
        self.step(10)
        for job in jobs:
            self.run_now(job, full=True)
        numbers = [event["number"] for event in self.ask("GET", f"/events?after={events}&limit=1000")["result"]]
        self.assertGreater(len(numbers), 2)
        self.assertEqual(numbers, list(range(events + 1, events + 1 + len(numbers))))
        run_tenon("audit", "verify", "--data", str(self.data), "--database", self.target)
        again = self.job("departments")
        self.ended(again, 1)  # a copy of its own, numbered after those that there are
        self.assertEqual(self.query("SELECT count(*) FROM copy WHERE number > 3 AND resource = 'departments'"
                                    ).strip(), "1")

    def test_every_table_with_whatever_is_in_it(self):
        create_key(self.data)
        database = self.source()
        draw = random.Random(7)
        database.execute("PRAGMA foreign_keys = ON")
        for _ in range(4):
            left = {name: columns for name, columns in self.tables(database).items() if name not in OWN}
            while left:  # what refers to others comes after them
                count = len(left)
                for name, columns in list(left.items()):
                    refers = list(database.execute('SELECT id, "table", "from", "to" FROM'
                                                   " pragma_foreign_key_list(?)", (name,)))
                    if not any(other in left and other != name for _, other, _, _ in refers):
                        self.insert(database, name, columns, refers, draw)
                        del left[name]
                self.assertLess(len(left), count)
        for name in set(self.tables(database)) - set(OWN) - {"audit_head"}:
            self.assertGreater(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0], 0, name)
        for rows in (1, 20, 50, 80):
            self.kill_at(rows, batch=1)
        moved = json.loads(self.move("--json", "--batch", "1").stdout)
        self.assertEqual({table["name"] for table in moved["tables"]},
                         set(self.tables(database)) - set(OWN) | {"record_text_due"})
        self.same_tables(database)
        self.assertEqual(self.query("SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'").strip(), "0")

    def insert(self, database, name, columns, refers, draw):
        """A row of values that are hard on those who carry them."""
        row = {column: draw.choice(VALUES[kind]) if place == 0 else
               {"INTEGER": draw.randrange(2**40), "TEXT": f"é {draw.random()}", "BLOB": os.urandom(9)}[kind]
               for column, kind, place in columns}
        unique = {column for (index,) in database.execute(
            "SELECT name FROM pragma_index_list(?) WHERE \"unique\"", (name,)).fetchall()
                  for (column,) in database.execute("SELECT name FROM pragma_index_info(?)", (index,))}
        for column, kind, _ in columns:
            if column in unique:
                row[column] = {"INTEGER": draw.randrange(2**40), "TEXT": f"ü {draw.random()}",
                               "BLOB": os.urandom(9)}[kind]
        for key in {key for key, *_ in refers}:
            pairs = [(column, to) for number, _, column, to in refers if number == key]
            other = next(other for number, other, _, _ in refers if number == key)
            found = database.execute("SELECT " + ", ".join(f'"{to}"' for _, to in pairs) +
                                     f' FROM "{other}" ORDER BY random()').fetchone()
            row |= {column: value for (column, _), value in zip(pairs, found)}
        if name == "record":  # it is of its copy's environment
            row["environment_id"], = database.execute("SELECT environment_id FROM copy WHERE number = ?",
                                                      (row["copy"],)).fetchone()
        if name == "audit_head" and "id" in row:
            row["id"] = 1
        words = ", ".join(f'"{column}"' for column in row)
        database.execute(f'INSERT OR IGNORE INTO "{name}" ({words}) VALUES ({", ".join("?" * len(row))})',
                         list(row.values()))

    def test_what_is_refused(self):
        create_key(self.data)
        move = ("move", "--from", str(self.data), "--to")
        missing = run_tenon("move", "--from", str(self.folder / "none"), "--to", self.target, check=False)
        self.assertEqual((missing.returncode, (self.folder / "none").exists()), (5, False), missing.stderr)
        self.query("CREATE TABLE strange (x int)")
        self.assertIn("tables that tenon did not make", self.refused(*move, self.target))
        self.query("DROP TABLE strange")
        secret = run_tenon(*move, "postgresql://tenon:secret@127.0.0.1/x", check=False)
        self.assertEqual((secret.returncode, "TENON_TO" in secret.stderr), (2, True), secret.stderr)
        process = self.begin_move()
        process.stderr.readline()
        process.kill()
        process.wait()
        # Somebody has used the folder since.
        self.query("UPDATE store_move SET state = 0 WHERE name = ''")
        create_key(self.data, "another")
        self.assertIn("has been used since", self.refused(*move, self.target))
        # What is no text in PostgreSQL.
        self.source().execute("UPDATE api_key SET name = 'a' || char(0) || 'b'")
        fresh = f"{cluster.url}/{self.new_database()}"
        done = run_tenon(*move, fresh, check=False)
        key = ", ".join(self.source().execute("SELECT environment_id, id FROM api_key ORDER BY 1, 2").fetchone())
        self.assertEqual((done.returncode, "api_key.name holds a byte 0" in done.stderr, key in done.stderr),
                         (2, True, True), done.stderr)
        # A database that is in use.
        other = f"{cluster.url}/{self.new_database()}"
        run_tenon("migrate", "--database", other)
        self.assertIn("wants an empty one", self.refused(*move, other))

    def test_a_difference_is_told(self):
        create_key(self.data)
        process = self.begin_move()
        for line in process.stderr:  # the first table is compared: all have been copied
            break
        process.kill()
        process.wait()
        self.query("UPDATE store_move SET state = least(state, 1)")
        self.query("UPDATE environment SET name = 'stolen'")
        self.assertIn("environment is not the same", self.refused(
            "move", "--from", str(self.data), "--to", self.target))

    def test_a_folder_in_use(self):
        self.linked("--candidates", "1")
        self.assertIn("in use by process", self.refused("move", "--from", str(self.data), "--to", self.target))

    def test_the_page_that_tells_of_it(self):
        """The block of docs/operating.md, with this database for its own."""
        create_key(self.data)
        page = (ROOT / "docs" / "operating.md").read_text().split("### Moving to PostgreSQL")[1]
        block = re.search(r"```text\n(.*?)```", page, flags=re.DOTALL)[1]
        commands = block.replace("postgresql://tenon@db.internal/tenon?sslmode=verify-full", self.target)
        commands = commands.replace("./tenon-data", str(self.data))
        self.assertNotIn("db.internal", commands)
        words = [line for line in commands.splitlines() if line.startswith("tenon")]
        self.assertEqual([line.split()[1] for line in words], ["migrate", "move", "serve"])
        for line in words[:-1]:
            run_tenon(*line.split()[1:])
        listed = run_tenon("key", "list", "--environment", "production", *words[-1].split()[2:])
        self.assertEqual(len(listed.stdout.splitlines()), 1)


class Migrate(MoveCase):
    """A small database, for steps are what matters."""

    def steps(self, where, *options):
        return run_tenon("migrate", *where, *options, check=False)

    def check_steps(self, where):
        """Killed after each step, and going on."""
        everything = len(list((ROOT / "db").glob("*.sql")))
        first = self.steps(where, "--check")
        self.assertEqual((first.returncode, first.stdout.count("missing ")), (5, everything))
        for number in range(1, everything, 5):
            process = subprocess.Popen([TENON, "migrate", *where], stdout=subprocess.PIPE, text=True)
            process.stdout.readline()
            process.kill()
            process.wait()
            process.stdout.close()
            left = self.steps(where, "--check")
            self.assertLess(left.stdout.count("missing "), everything)
        self.assertEqual(self.steps(where).returncode, 0)
        last = self.steps(where, "--check")
        self.assertEqual((last.returncode, "up to date" in last.stdout), (0, True), last.stdout)
        self.assertEqual(json.loads(self.steps(where, "--check", "--json").stdout),
                         {"migration_count": everything, "missing": []})

    def test_sqlite(self):
        self.check_steps(("--data", str(self.data)))
        self.assertEqual(self.source().execute("PRAGMA integrity_check").fetchone()[0], "ok")
        self.newer(lambda sql: self.source().execute(sql), ("--data", str(self.data)))

    def test_postgresql(self):
        where = ("--database", self.target)
        self.check_steps(where)
        self.assertFalse(self.data.exists())
        self.newer(self.query, where)

    def newer(self, execute, where):
        execute("INSERT INTO store_migration (position, name, checksum) VALUES (9999, '9999_later', 'x')")
        for options in (("--check",), ()):
            done = self.steps(where, *options)
            self.assertEqual((done.returncode, "newer" in done.stderr), (7, True), done.stderr)


if __name__ == "__main__":
    unittest.main()

"""The log of calls on PostgreSQL: a partition for each day, made ahead, and dropped when its time is over."""
import threading
import time
import unittest

import database
import postgresql
from harness import Case, Client, create_key, link_account

DAY_MS = 24 * 3600 * 1000


@unittest.skipUnless(postgresql.is_used(), "SQLite has no partitions: tests/e2e/run --postgresql")
class Partitions(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "5")
        self.day = int(time.time() * 1000) // DAY_MS

    def until(self, ask, is_so):
        end = time.monotonic() + 60
        while not is_so(answer := ask()) and time.monotonic() < end:
            pass
        self.assertTrue(is_so(answer), answer)

    def days(self):
        return sorted(int(name.removeprefix("call_log_")) for name, in self.query(
            "SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid"
            " WHERE inhparent = 'call_log'::regclass AND c.relname <> 'call_log_rest'"))

    def count(self, table):
        [(count,)] = self.query(f"SELECT count(*) FROM {table}")
        return count

    def insert(self, environment, at_ms, number):
        self.query("INSERT INTO call_log (environment_id, id, account_id, door, status, duration_ms, upstream_ms, wait_ms,"
                   " calls, retries, request_id) VALUES (?, ?, ?, 'unified', 200, 1, 1, 1, 1, 1, 'x')",
                   environment, (at_ms << 20) + number, self.account)

    def tended(self):
        """Whoever reads the log has it looked after first."""
        self.client.get("/log", limit=1)
        return self.days()

    def restart(self, *options):
        self.serve.stop()
        self.serve = self.server(self.box, *options)
        self.client = Client(self.serve.host, self.key)
        self.addCleanup(self.client.close)

    def test_they_are_made_ahead(self):
        self.until(self.tended, lambda days: len(days) >= 3)
        self.assertIn(self.days(), ([self.day + n for n in range(3)], [self.day + n for n in range(4)]))
        self.list("jobs", limit=1)
        self.until(lambda: self.client.get("/log")[2]["result_count"], lambda count: count == 1)
        self.assertEqual(self.count("call_log_rest"), 0)

    def test_a_row_without_a_partition_is_kept_and_found(self):
        self.until(self.tended, lambda days: len(days) >= 3)
        [(environment,)] = self.query("SELECT id FROM environment")
        for days, table in ((-5, "call_log_rest"), (9, "call_log_rest"), (0, f"call_log_{self.day}")):
            before = self.count(table)
            self.insert(environment, (self.day + days) * DAY_MS, days + 100)
            self.assertEqual(self.count(table), before + 1)
        self.assertEqual(self.client.get("/log")[2]["result_count"], 3)

    def test_rows_go_into_the_partition_that_is_made_after_them(self):
        self.serve.stop()
        for day in self.days():
            self.query(f"DROP TABLE call_log_{day}")
        [(environment,)] = self.query("SELECT id FROM environment")
        self.insert(environment, self.day * DAY_MS, 1)
        self.insert(environment, (self.day - 1) * DAY_MS, 2)
        self.assertEqual(self.count("call_log_rest"), 2)
        self.restart()
        self.until(self.tended, lambda days: len(days) >= 3)
        self.assertEqual((self.count("call_log_rest"), self.count(f"call_log_{self.day}")), (1, 1))

    def test_what_is_past_goes_whole_and_of_all_environments(self):
        create_key(self.data, "other")
        link_account(self.data, self.box, "other")
        self.serve.stop()
        with database.change(self.data) as store:
            store.execute("SELECT call_log_tend(?, 3, 0)", ((self.day - 40) * DAY_MS,))
            store.execute("SELECT call_log_tend(?, 1, 0)", ((self.day - 20) * DAY_MS,))
        for environment, in self.query("SELECT id FROM environment"):
            for day in (-40, -38, -36, -20, -19, -1):
                self.insert(environment, (self.day + day) * DAY_MS, 1)
        self.assertEqual(self.count("call_log_rest"), 4)  # of days 36 and 1
        self.restart("--log-days", "30")
        self.until(self.tended, lambda days: days[0] == self.day - 20)
        self.until(lambda: self.count("call_log_rest"), lambda count: count == 2)  # row by row, as ever
        self.assertEqual(self.count("call_log"), 6)
        self.restart("--log-days", "0")
        self.until(self.tended, lambda days: not days)
        self.until(lambda: self.count("call_log"), lambda count: count == 0)

    def test_none_is_lost_while_partitions_are_made(self):
        """A row that was on its way to where there is a partition by now."""
        [(environment,)] = self.query("SELECT id FROM environment")
        stores = [database.PostgreSQL(self.data) for _ in range(2)]
        for store in stores:
            self.addCleanup(store.close)
        making, writing = stores
        day = self.day + 100
        writing.execute("PREPARE put (bigint) AS INSERT INTO call_log (environment_id, id, account_id, door, status,"
                        " duration_ms, upstream_ms, wait_ms, calls, retries, request_id) VALUES"
                        f" ('{environment}', $1, 'a', 'unified', 200, 1, 1, 1, 1, 1, 'x')")
        for number in range(10):
            writing.execute(f"EXECUTE put ({((day * DAY_MS) << 20) + number})")
        making.execute("BEGIN")
        making.execute("SELECT call_log_tend(?, 0, 0)", (day * DAY_MS,))
        late = threading.Thread(target=writing.execute, args=(f"EXECUTE put ({((day * DAY_MS) << 20) + 10})",))
        late.start()
        self.until(lambda: self.query("SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
                                      " (SELECT oid FROM pg_database WHERE datname = current_database())")[0][0],
                   lambda count: count == 1)
        making.execute("COMMIT")
        late.join()
        self.assertEqual((self.count(f"call_log_{day}"), self.count("call_log_rest")), (11, 0))

    def test_several_nodes_do_it_once(self):
        """Whoever comes while another is at it passes by."""
        self.serve.stop()
        with database.change(self.data) as store:
            [(done,)] = store.execute("SELECT call_log_tend(?, 5, 0)", ((self.day + 100) * DAY_MS,))
            self.assertEqual(done, 0)
            [(done,)] = database.query(self.data, "SELECT call_log_tend(?, 5, 0)", (self.day + 100) * DAY_MS)
            self.assertEqual(done, 0)
        self.assertEqual(len([day for day in self.days() if day >= self.day + 100]), 6)

"""What grows, on PostgreSQL: the log of calls has a partition for each day, events, deliveries and records have blocks of
numbers; both are made ahead, and dropped when their time is over."""
import json
import re
import threading
import time
import unittest

import database
import postgresql
from copied import write_copy
from harness import Case, Client, create_key, link_account
from test_tenancy import row_level_security

DAY_MS = 24 * 3600 * 1000


class Waiting(Case):
    def until(self, ask, is_so):
        end = time.monotonic() + 60
        while not is_so(answer := ask()) and time.monotonic() < end:
            pass
        self.assertTrue(is_so(answer), answer)


@unittest.skipUnless(postgresql.is_used(), "SQLite has no partitions: tests/e2e/run --postgresql")
class Partitions(Waiting):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "5")
        self.day = int(time.time() * 1000) // DAY_MS

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


COPY = 2**32  # numbers that a copy has for its records
SIZES = {"event": 10, "webhook_delivery": 10, "record": 2 * COPY}  # of blocks, in these tests
NEXT_EVENT = """INSERT INTO event (environment_id, number, type, account_id, payload, created_ms, resource, record_id, version)
    SELECT ?, coalesce((SELECT max(number) FROM event WHERE environment_id = ?), 0) + 1, 'x', ?, '{}', ?, '', '', 0"""


@unittest.skipUnless(postgresql.is_used(), "SQLite has no partitions: tests/e2e/run --postgresql")
class Blocks(Waiting):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "5")
        self.admin_key = create_key(self.data, "production", "--scope", "admin")["key"]
        create_key(self.data, "other")
        self.ids = {name: identifier for identifier, name in self.query("SELECT id, name FROM environment")}
        self.now = int(time.time() * 1000)

    def small(self):
        """Their blocks are small from now on, and empty."""
        for table, size in SIZES.items():
            with database.change(self.data) as store:
                for part, _, _ in self.blocks(table):
                    store.execute(f"DROP TABLE {part}")
                store.execute("SELECT block_make(?, NULL, ?), block_make(?, ?, NULL)", (table, size, table, size))

    def blocks(self, table="event"):
        return list(self.query("SELECT part, low, high FROM blocks(?)", table))

    def highs(self, table="event"):
        return [high for _, _, high in self.blocks(table)]

    def ahead(self, table="event"):
        [(made,)] = self.query("SELECT block_ahead(?, ?)", table, SIZES[table])
        return made

    def events(self, count, environment="production", at_ms=None):
        for _ in range(count):
            self.query(NEXT_EVENT, self.ids[environment], self.ids[environment], self.account, at_ms or self.now)

    def grow(self, count, at_ms=None, table="event"):
        """With what is to be made made in time."""
        for done in range(0, count, 5):
            self.events(min(5, count - done), at_ms=at_ms)
            self.ahead(table)

    def deliveries(self, numbers, state="delivered", at_ms=None, environment="production"):
        for number in numbers:
            self.query("INSERT INTO webhook (environment_id, id, config, state, reason, seen, failing_ms, delivered_ms,"
                       " created_ms, updated_ms, version) VALUES (?, 'whk_1', '{\"target_url\":\"https://a.example/\"}',"
                       " 'gone', '', 0, 0, 0, 0, 0, 1) ON CONFLICT DO NOTHING", self.ids[environment])
            self.query("INSERT INTO webhook_delivery (environment_id, webhook_id, number, type, account_id, resource,"
                       " record_id, state, attempts, first_ms, last_ms, next_ms, status, error, reply, duration_ms)"
                       " VALUES (?, 'whk_1', ?, 'x', '', '', '', ?, 1, 1, ?, 1, 200, '', '', 1)",
                       self.ids[environment], number, state, at_ms or self.now)

    def in_parts(self, table="event"):
        """How many rows each block has."""
        return [self.query(f"SELECT count(*) FROM {part}")[0][0] for part, _, _ in self.blocks(table)]

    def expire(self, table="event"):
        [(dropped,)] = self.query("SELECT block_expire(?, ?)", table, self.now)
        return dropped

    def keep(self, environment, **days):
        members = ",".join(f'"{name}":{value}' for name, value in days.items())
        self.query("UPDATE environment SET retention = ? WHERE id = ?", "{" + members + "}", self.ids[environment])

    def started(self):
        self.serve = self.server(self.box)
        admin = Client(self.serve.host, self.admin_key)
        self.addCleanup(admin.close)
        return admin

    def test_what_a_new_database_has(self):
        for table, size, part in (("event", 2**24, "event_below_33554432"),
                                  ("webhook_delivery", 2**24, "webhook_delivery_below_33554432"),
                                  ("record", 2**48, "record_below_562949953421312")):
            self.assertEqual(self.blocks(table), [(part, None, 2 * size), (f"{table}_rest", 2 * size, None)])

    def test_they_are_made_ahead(self):
        self.serve.stop()
        self.small()
        self.assertEqual(self.ahead(), 0)
        self.events(4)
        self.assertEqual((self.ahead(), self.highs()), (0, [10, None]))
        self.events(1)
        self.assertEqual((self.ahead(), self.highs()), (1, [10, 20, None]))
        self.assertEqual(self.ahead(), 0)
        # Deliveries have the numbers of events, records those of copies.
        self.assertEqual((self.ahead("webhook_delivery"), self.highs("webhook_delivery")), (1, [10, 20, None]))
        self.assertEqual(self.ahead("record"), 0)
        self.copies(2)
        self.assertEqual((self.ahead("record"), self.highs("record")), (1, [2 * COPY, 6 * COPY, None]))

    def copies(self, count):
        """Each with three records."""
        with database.change(self.data) as store:
            store.execute("ALTER TABLE copy ALTER number RESTART")
            for number, resource in zip(range(count), ("candidates", "jobs", "applications", "users", "offices", "interviews")):
                write_copy(store, self.ids["production"], self.account, resource,
                           [{"id": f"{number}-{n}"} for n in range(3)], self.now)

    def test_what_has_come_into_the_rest_becomes_a_block(self):
        self.serve.stop()
        self.small()
        self.events(34)
        self.assertEqual(self.in_parts(), [9, 25])
        self.assertEqual((self.ahead(), self.highs(), self.in_parts()), (1, [10, 50, None], [9, 25, 0]))
        self.events(20)
        self.assertEqual(self.in_parts(), [9, 40, 5])
        self.copies(6)
        self.assertEqual(self.in_parts("record"), [3, 15])
        self.assertEqual((self.ahead("record"), self.in_parts("record")), (1, [3, 15, 0]))
        self.assertEqual(self.highs("record"), [2 * COPY, 10 * COPY, None])

    def test_a_new_block_has_all_that_the_table_has(self):
        self.serve.stop()
        self.small()
        self.events(15)
        self.copies(6)
        names = set()
        for table in SIZES:
            self.assertEqual(self.ahead(table), 1)
            names |= {part for part, _, _ in self.blocks(table)} | {table}
            self.assertEqual(len(self.blocks(table)), 3)
            for kind, sql in (("indexes", "SELECT count(*) FROM pg_index WHERE indisvalid AND indrelid = '{}'::regclass"),
                              ("foreign keys", "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"
                                               " AND conrelid = '{}'::regclass"),
                              ("triggers", "SELECT count(*) FROM pg_trigger WHERE tgrelid = '{}'::regclass"
                                           " AND NOT tgisinternal")):
                counts = {self.query(sql.format(part))[0][0] for part, _, _ in self.blocks(table)}
                self.assertEqual(counts, set(self.query(sql.format(table))[0]), f"{kind} of {table}")
            known = {self.query("SELECT array_to_string(attoptions, ',') FROM pg_attribute"
                                f" WHERE attname = 'environment_id' AND attrelid = '{part}'::regclass")[0][0]
                     for part, _, _ in self.blocks(table)}
            self.assertEqual(known, {"n_distinct=1"} if table == "record" else {None}, table)
        self.assertLessEqual(names, row_level_security(self.data))
        with self.assertRaisesRegex(RuntimeError, "foreign key"):
            self.query("INSERT INTO event VALUES ('none', 0, 'x', '', '{}', 0)")
        self.query("DELETE FROM record WHERE copy = 5")
        self.assertEqual(self.query("SELECT number / 4294967296 FROM record_text_due GROUP BY 1"), [(5,)])
        self.query("DELETE FROM copy")
        self.assertEqual(self.query("SELECT count(*) FROM record"), [(0,)])

    def test_an_event_whose_number_is_of_the_next_block_by_now(self):
        """It has found its block by the number that it saw last; two at once see the same."""
        self.serve.stop()
        self.small()
        self.events(8)
        self.ahead()
        stores = [database.PostgreSQL(self.data) for _ in range(2)]
        for store in stores:
            self.addCleanup(store.close)
        values = (self.ids["production"], self.ids["production"], self.account, self.now)
        failures = []

        def put_late():
            try:
                stores[1].execute(NEXT_EVENT, values)
            except RuntimeError as fault:
                failures.append(str(fault))

        stores[0].execute("BEGIN")
        stores[0].execute(NEXT_EVENT, values)
        late = threading.Thread(target=put_late)
        late.start()
        while not self.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database ="
                             " (SELECT oid FROM pg_database WHERE datname = current_database())"):
            pass
        stores[0].execute("COMMIT")
        late.join()
        self.assertRegex(failures[0], "the next event is of another block")
        stores[1].execute(NEXT_EVENT, values)
        self.assertEqual(self.in_parts(), [9, 1, 0])

    def test_callers_notice_nothing(self):
        """Blocks come while events do; numbers have no gap, and lists are in their order, page by page."""
        accounts = [json.loads(link_account(self.data, self.box, "production").stdout)["id"] for _ in range(4)]
        self.serve.stop()
        self.small()
        admin = self.started()
        self.until(self.highs, lambda highs: highs == [10, 2**25, None])  # as it makes them itself, at its start
        self.small()
        failures = []

        def change(caller):
            client = Client(self.serve.host, self.admin_key)
            for n in range(25):
                status, _, answer = client.request("PATCH", f"/integrated-account/{accounts[caller]}", {"tenant_id": str(n)})
                failures.extend([answer] if status != 200 else [])
            client.close()

        callers = [threading.Thread(target=change, args=(n,)) for n in range(4)]
        for caller in callers:
            caller.start()
        while any(caller.is_alive() for caller in callers):
            self.ahead()
        self.assertEqual(failures, [])
        self.assertGreater(len(self.blocks()), 3)
        numbers, cursor = [], None
        while True:
            status, _, page = admin.get("/events", limit=7, **({"next_cursor": cursor} if cursor else {}))
            self.assertEqual(status, 200)
            numbers += [event["number"] for event in page["result"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual(numbers, list(range(1, 101)))
        self.assertEqual([event["number"] for event in admin.get("/events", after=8, limit=4)[2]["result"]],
                         [9, 10, 11, 12])

    def test_records_are_found_in_all_blocks(self):
        self.serve.stop()
        self.small()
        self.copies(6)
        self.ahead("record")
        self.started()
        client = Client(self.serve.host, self.key)
        self.addCleanup(client.close)
        for number, resource in ((0, "candidates"), (1, "jobs"), (5, "interviews")):
            _, headers, page = client.get(f"/unified/ats/{resource}", integrated_account_id=self.account, max_age=86400)
            self.assertEqual(headers["x-tenon-source"], "copy")
            self.assertEqual(sorted(record["id"] for record in page["result"]), [f"{number}-{n}" for n in range(3)])

    def test_a_block_that_is_past_goes_whole(self):
        self.serve.stop()
        self.small()
        month = self.now - 31 * DAY_MS
        self.grow(48, month)
        self.events(3, "other", month)  # it keeps them for ever
        self.assertEqual(self.highs(), [10, 20, 30, 40, 50, 60, None])
        self.keep("production", events_days=30)
        first = self.oids()
        admin = self.started()
        self.until(lambda: self.query("SELECT 1 FROM event WHERE environment_id = ? AND number < 48",
                                      self.ids["production"]), lambda rows: not rows)
        # Those of the first go one by one, as there are others'; that with the newest stays.
        self.assertEqual(self.query("SELECT environment_id, number FROM event ORDER BY 2"),
                         [(self.ids["other"], number) for number in (1, 2, 3)] + [(self.ids["production"], 48)])
        self.assertEqual(self.highs(), [10, 40, 50, 60, 2**25, None])
        self.assertEqual([name for name, oid in self.oids().items() if first.get(name) != oid],
                         ["event_below_40", f"event_below_{2**25}", "event_rest"])
        # Numbers go on; a young environment comes to where others have been.
        path = f"/integrated-account/{self.account}"
        self.assertEqual(admin.request("PATCH", path, {"tenant_id": "again"})[0], 200)
        self.assertEqual([event["number"] for event in admin.get("/events", after=47)[2]["result"]], [48, 49])
        self.events(30, "other")
        self.assertEqual(self.in_parts(), [9, 24, 2, 0, 0, 0])

    def test_what_goes_with_its_block_by_tomorrow_is_left_for_that(self):
        self.serve.stop()
        self.small()
        # The second block has both, and goes on for long: its rows go one by one.
        past, soon, young = (int(self.now - days * DAY_MS) for days in (30.5, 29.5, 20))
        for count, at_ms in ((5, past), (4, soon), (5, past), (15, young)):
            self.grow(count, at_ms)
        self.keep("production", events_days=30)
        self.assertEqual(self.in_parts()[:3], [9, 10, 10])
        self.started()
        self.until(lambda: self.in_parts()[:3], lambda parts: parts == [9, 5, 10])
        self.now += DAY_MS
        self.assertEqual((self.expire(), self.in_parts()[:3]), (1, [0, 5, 10]))

    def oids(self):
        return dict(self.query("SELECT part, part::regclass::oid::bigint FROM blocks('event')"))

    def test_what_keeps_a_block(self):
        self.serve.stop()
        self.small()
        self.grow(40, self.now - 31 * DAY_MS)
        self.assertEqual((self.highs(), self.in_parts()), ([10, 20, 30, 40, 50, None], [9, 10, 10, 10, 1, 0]))
        self.assertEqual(self.expire(), 0)  # nothing is said
        self.keep("production", events_days=32)
        self.assertEqual(self.expire(), 0)  # it is not old enough
        self.keep("production", events_days=30)
        self.deliveries([11], "pending")
        self.query("UPDATE webhook SET state = 'active', seen = 9")  # the webhook has yet to come to the others
        self.assertEqual((self.expire(), self.in_parts()), (1, [0, 10, 10, 10, 1, 0]))
        self.query("UPDATE webhook SET seen = 40")  # it has still to tell one of the second
        self.assertEqual((self.expire(), self.in_parts()), (2, [0, 10, 0, 1, 0]))
        self.query("UPDATE webhook_delivery SET state = 'delivered'")
        self.assertEqual((self.expire(), self.highs(), self.in_parts()), (1, [20, 40, 50, None], [0, 0, 1, 0]))
        self.assertEqual(self.expire(), 0)

    def test_deliveries_go_as_their_environment_says(self):
        self.serve.stop()
        self.small()
        month = self.now - 31 * DAY_MS
        self.grow(45, month, "webhook_delivery")
        self.deliveries(range(1, 45), at_ms=month)
        self.deliveries([45])
        self.query("UPDATE webhook_delivery SET state = 'pending' WHERE number = 15")
        self.assertEqual(self.expire("webhook_delivery"), 0)
        self.keep("production", deliveries_days=30)
        self.assertEqual(self.expire("webhook_delivery"), 3)
        self.assertEqual(self.in_parts("webhook_delivery"), [0, 10, 0, 6, 0, 0])
        self.assertEqual(self.highs("webhook_delivery"), [10, 20, 40, 50, 60, None])

    def test_an_empty_block_does_not_count_for_nothing(self):
        """Of what it knows to be empty the planner thinks that it may as well be read whole, and sorts."""
        self.serve.stop()
        self.small()
        self.events(3)
        counts = "SELECT part FROM blocks('event') JOIN pg_class ON relname = part WHERE reltuples = 0"
        self.query("ANALYZE event")
        self.assertEqual(self.query(counts), [("event_rest",)])
        self.assertEqual((self.ahead(), self.query(counts), self.in_parts()), (0, [], [3, 0]))

    def test_who_reads_for_long_is_not_waited_for(self):
        self.serve.stop()
        self.small()
        self.events(9)
        reader = database.PostgreSQL(self.data)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event")
        self.assertEqual((self.ahead(), self.highs()), (0, [10, None]))
        self.keep("production", events_days=1)
        self.assertEqual(self.expire(), 0)
        reader.execute("COMMIT")
        self.assertEqual(self.ahead(), 1)

    def scanned(self, sql, *values):
        """Which blocks a text looks into, with a plan for any values, as the program has it."""
        store = database.PostgreSQL(self.data)
        try:
            store.execute("SET plan_cache_mode = force_generic_plan")
            store.execute("SET enable_hashjoin = off")
            store.execute("SET enable_mergejoin = off")
            for number in range(1, len(values) + 1):
                sql = sql.replace("?", f"${number}", 1)
            store.execute(f"PREPARE asked AS {sql}")
            given = ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)
            plan = [line for line, in store.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) EXECUTE asked ({given})")]
        finally:
            store.close()
        self.assertFalse([line for line in plan if "Sort" in line], plan)
        return {word for line in plan if "never executed" not in line and " on " in line for word in line.split()
                if re.fullmatch(r"[a-z_]+_(below_\d+|rest)", word)}

    def test_a_question_looks_into_the_blocks_that_it_is_about(self):
        self.serve.stop()
        self.small()
        self.grow(48)
        self.copies(6)
        self.ahead("record")
        environment = self.ids["production"]
        self.assertEqual(self.scanned("SELECT payload FROM event WHERE environment_id = ? AND number >= CAST(? AS BIGINT)"
                                      " AND number <= CAST(? AS BIGINT) ORDER BY number LIMIT 5", environment, 21, 48),
                         {"event_below_30"})
        self.assertEqual(self.scanned("SELECT payload FROM event WHERE environment_id = ? AND number = CAST(? AS BIGINT)",
                                      environment, 35), {"event_below_40"})
        # From the end on, as far as there are any.
        self.assertEqual(self.scanned("SELECT max(number) FROM event WHERE environment_id = ?", environment),
                         {"event_rest", "event_below_60", "event_below_50"})
        self.assertEqual(self.scanned("SELECT body FROM record WHERE environment_id = ? AND number = CAST(? AS BIGINT)",
                                      environment, 5 * COPY + 1), {f"record_below_{10 * COPY}"})
        self.assertEqual(self.scanned("SELECT body FROM record WHERE environment_id = ? AND number > CAST(? AS BIGINT)"
                                      " AND number < CAST(? AS BIGINT) ORDER BY number LIMIT 100",
                                      environment, COPY, 2 * COPY), {f"record_below_{2 * COPY}"})
        self.assertEqual(self.scanned("SELECT body FROM record WHERE environment_id = ? AND copy = CAST(? AS BIGINT)"
                                      " AND number > $2 << 32 AND number < ($2 + 1) << 32 AND id = ?",
                                      environment, 1, "1-0"), {f"record_below_{2 * COPY}"})
        asked = ("SELECT r.id FROM json_each(?) j CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.copy ="
                 " CAST(? AS BIGINT) AND r.environment_id = ? AND r.id = j.value AND r.number > $2 << 32"
                 " AND r.number < ($2 + 1) << 32 LIMIT 1) r")
        self.assertEqual(self.scanned(asked, '["5-0", "5-1"]', 5, environment), {f"record_below_{10 * COPY}"})

"""What an environment keeps for so many days, and what stays all the same."""
import time

import database
from copied import write_copy
from harness import Case, Client, create_key, run_tenon

DAY = 24 * 3600 * 1000
NONE = {"events_days": None, "deliveries_days": None, "tombstones_days": None, "log_days": None}


class Retention(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "10")
        self.admin = Client(self.serve.host, create_key(self.data, "production", "--scope", "admin")["key"])
        self.addCleanup(self.admin.close)
        self.environment = self.admin.get(f"/integrated-account/{self.account}")[2]["environment_id"]

    def patch(self, **retention):
        return self.admin.request("PATCH", f"/environment/{self.environment}", {"retention": retention})

    def ask(self, sql):
        return [row[0] for row in self.query(sql)]

    def fill(self):
        """Ten of each, the first six a hundred days old; of the events one that a webhook waits for."""
        now = int(time.time() * 1000)
        times = [now - 100 * DAY + n if n < 6 else now + n for n in range(10)]
        environment, account = self.environment, self.account
        with database.change(self.data) as store:
            store.execute("DELETE FROM event")
            store.execute("DELETE FROM call_log")
            store.execute("INSERT INTO webhook (environment_id, id, config, state, reason, seen, failing_ms,"
                          " delivered_ms, created_ms, updated_ms, version)"
                          " VALUES (?, 'whk_1', '{\"target_url\":\"https://a.example/\"}', 'gone', '', 0, 0, 0, 0, 0, 1)",
                          (environment,))
            write_copy(store, environment, account, "candidates", [{"id": f"c{n}"} for n in range(10)], 1)
            for n, at in enumerate(times):
                self.fill_one(store, n, at)

    def fill_one(self, store, n, at):
        environment, account = self.environment, self.account
        store.execute("INSERT INTO event (environment_id, number, type, account_id, payload, created_ms, resource,"
                      " record_id, version) VALUES (?, ?, 'record:deleted', ?, '{}', ?, 'candidates', ?, 1)",
                      (environment, n + 1, account, at, f"c{n}"))
        store.execute(
            "INSERT INTO webhook_delivery (environment_id, webhook_id, number, type, account_id, resource, record_id,"
            " state, attempts, first_ms, last_ms, next_ms, status, error, reply, duration_ms) VALUES (?, 'whk_1', ?,"
            " 'record:created', ?, 'candidates', '1', ?, 1, 1, ?, 1, 200, '', '', 1)",
            (environment, n + 1, account, "pending" if n == 2 else "delivered", at))
        if n != 1:
            store.execute("UPDATE record SET deleted_ms = ? WHERE id = ?", (at, f"c{n}"))
        store.execute("INSERT INTO call_log (environment_id, id, account_id, door, status, duration_ms, upstream_ms,"
                      " wait_ms, calls, retries, request_id) VALUES (?, ?, ?, 'unified', 200, 1, 1, 1, 1, 1, 'x')",
                      (environment, at << 20, account))

    def sweep(self):
        """It is done at the start; what comes after it in the queue is done after it."""
        self.serve.stop()
        self.fill()
        self.serve = self.server(self.box)
        end = time.monotonic() + 60
        while len(self.ask("SELECT number FROM event")) == 10 and time.monotonic() < end:
            pass
        while self.ask("SELECT count(*) FROM call_log")[0] == 10 and time.monotonic() < end:
            pass

    def test_what_is_old_goes(self):
        status, _, body = self.patch(events_days=30, deliveries_days=30, tombstones_days=30, log_days=30)
        self.assertEqual((status, body["retention"]), (200, dict.fromkeys(NONE, 30)))
        self.sweep()
        self.assertEqual(self.ask("SELECT number FROM event ORDER BY number"), [7, 8, 9, 10])
        # One is pending; one record lives; those whose events are there yet stay.
        self.assertEqual(self.ask("SELECT number FROM webhook_delivery ORDER BY number"), [3, 7, 8, 9, 10])
        self.assertEqual(self.ask("SELECT id FROM record ORDER BY id"), ["c1", "c6", "c7", "c8", "c9"])
        self.assertEqual(self.ask("SELECT count(*) FROM call_log"), [4])

    def test_events_that_a_webhook_waits_for_stay(self):
        self.patch(events_days=30, log_days=30)
        fill = self.fill

        def fill_with_one_that_waits():
            fill()
            self.query("UPDATE webhook SET state = 'active', seen = 4")  # its address is not reached from here
            self.query("DELETE FROM webhook_delivery WHERE number IN (5, 6)")  # it comes to them first, or later
            self.query("UPDATE webhook_delivery SET next_ms = ?", int(time.time() * 1000) + DAY)

        self.fill = fill_with_one_that_waits
        self.sweep()
        self.assertEqual(self.ask("SELECT number FROM event WHERE number <= 6 ORDER BY number"), [3, 5, 6])

    def test_nothing_goes_where_nothing_is_said(self):
        self.assertEqual(self.admin.get(f"/environment/{self.environment}")[2]["retention"], NONE)
        self.patch(events_days=1, log_days=30)
        status, _, body = self.patch(events_days=None)
        self.assertEqual((status, body["retention"]), (200, {**NONE, "log_days": 30}))
        for days in ("7", ""):
            run_tenon("environment", "change", "production", "--keep", f"tombstones={days}", "--data", str(self.data))
            self.assertEqual(self.admin.get(f"/environment/{self.environment}")[2]["retention"],
                             {**NONE, "log_days": 30, "tombstones_days": int(days) if days else None})
        self.serve.stop()
        self.fill()
        self.serve = self.server(self.box)
        while self.ask("SELECT count(*) FROM call_log")[0] == 10:
            pass
        self.assertEqual(len(self.ask("SELECT number FROM event")), 10)
        self.assertEqual(len(self.ask("SELECT id FROM record")), 10)

    def test_refusals(self):
        for retention, field in (({"events_days": 0}, "events_days"), ({"log_days": "7"}, "log_days"),
                                 ({"hours": 1}, "retention"), ({"tombstones_days": 36501}, "tombstones_days")):
            status, _, body = self.patch(**retention)
            self.assertEqual((status, body["field"]), (400, field))

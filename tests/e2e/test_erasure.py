"""One person is erased from everything that is kept, in one call: nothing of them is left in the store,
numbers of events have no gap, and nobody else lost anything."""
import json

import database
import postgresql
from copied import fill_copy, write_copy
from harness import Case, Client, create_key, run_tenon

NAME = "Quirina Canaryworth"
EMAIL = "quirina.canaryworth@canary.example"
RESOURCES = ("candidates", "applications", "jobs", "activities")


class Erasure(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "40", link_options=("--limit", "requests=100000"))
        self.admin = Client(self.serve.host, create_key(self.data, "production", "--scope", "admin",
                                                        "--scope", "call")["key"])
        self.addCleanup(self.admin.close)
        self.job = self.list("jobs", limit=1)[2]["result"][0]
        status, _, made = self.client.request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
            {"name": NAME, "emails": [{"email": EMAIL}], "job_id": self.job["id"]}, {"Idempotency-Key": "canary"})
        self.assertEqual(status, 201, made)
        self.person = made["id"]
        self.records = fill_copy(self, RESOURCES)
        self.assertIn(NAME, json.dumps(self.records["applications"]))
        self.spread()

    def spread(self):
        """The person in what others' records tell, in events, in a record that is known to be deleted."""
        other = [record for record in self.records["candidates"] if record["id"] != self.person][3]
        self.other = {**other, "duplicates": [{"id": self.person, "name": NAME}, {"id": "77", "name": "Somebody"}],
                      "summary": f"A friend of {NAME.upper()} <{EMAIL}>."}
        with database.change(self.data) as store:
            [(environment,)] = store.execute("SELECT environment_id FROM account")
            self.environment = environment
            store.execute("UPDATE record SET body = ? WHERE id = ? AND json_extract(body, '$.emails') IS NOT NULL",
                          (json.dumps(self.other), other["id"]))
            write_copy(store, environment, self.account, "scorecards",
                       [{"id": "9", "candidate": {"id": self.person, "name": NAME}, "comment": "good"},
                        {"id": "10", "candidate": {"id": "77", "name": "Somebody"}, "comment": "better"}], 1)
            write_copy(store, environment, self.account, "users",
                       [{"id": self.person, "name": NAME.lower()}], 1)
            store.execute("UPDATE record SET deleted_ms = 5 WHERE id = '9'")
            [(first,)] = store.execute("SELECT max(number) FROM event")
            self.told = first
            mine = next(record for record in self.records["candidates"] if record["id"] == self.person)
            payloads = [("candidates", self.person, 1, {"id": self.person, "resource": "candidates", "changed": [],
                                                        "record": mine}),
                        ("candidates", self.other["id"], 1, {"id": self.other["id"], "resource": "candidates",
                                                             "changed": [], "record": self.other}),
                        ("scorecards", "9", 1, {"id": "9", "record": {"candidate": {"id": self.person, "name": NAME}}}),
                        ("scorecards", "10", 1, {"id": "10", "record": {"comment": "better"}})]
            for n, (resource, record, version, payload) in enumerate(payloads, 1):
                store.execute("INSERT INTO event (environment_id, number, type, account_id, payload, created_ms, resource,"
                              " record_id, version) VALUES (?, ?, 'record:created', ?, ?, 1, ?, ?, ?)",
                              (environment, first + n, self.account, json.dumps(payload), resource, record, version))
            store.execute("INSERT INTO record_text (rowid, words) SELECT number, json_extract(body, '$.name') FROM record"
                          " WHERE json_extract(body, '$.name') IS NOT NULL")
            self.spread_deliveries(store, first)

    def spread_deliveries(self, store, first):
        bodies = ({"event": "candidate_moved", "payload": {"candidate": {"id": 7, "name": NAME}}},
                  {"event": "test", "payload": {"candidate": {"id": 8, "name": "Somebody"}}})
        for n, body in enumerate(bodies):
            store.execute(
                "INSERT INTO inbound_delivery (environment_id, account_id, digest, received_ms, repeated, remote_id,"
                " event, body, hints, hint_count, taken, error) VALUES (?, ?, ?, 1, 0, '', '', ?, '[]', 0, 0, '')",
                (self.environment, self.account, bytes([n]), json.dumps(body).encode()))
        store.execute("INSERT INTO webhook (environment_id, id, config, state, reason, seen, failing_ms,"
                      " delivered_ms, created_ms, updated_ms, version) VALUES (?, 'whk_1',"
                      " '{\"target_url\":\"https://a.example/\"}', 'paused', '', 99999, 0, 0, 0, 0, 1)",
                      (self.environment,))
        for n, reply in enumerate((f'{{"name": "{NAME}", "ema', "thanks"), 1):
            store.execute(
                "INSERT INTO webhook_delivery (environment_id, webhook_id, number, type, account_id, resource, record_id,"
                " state, attempts, first_ms, last_ms, next_ms, status, error, reply, duration_ms) VALUES (?, 'whk_1', ?,"
                " 'record:created', ?, 'candidates', '1', 'delivered', 1, 1, 1, 1, 200, '', ?, 1)",
                (self.environment, first + n, self.account, reply))

    def erase(self, **body):
        status, _, told = self.admin.request("POST", "/erasure", {"integrated_account_id": self.account, **body})
        self.assertEqual(status, 201, told)
        return told

    def events(self):
        return [{"number": row[0], "event": row[1], "key": row[2:5], "payload": json.loads(row[5])}
                for row in self.query("SELECT number, type, resource, record_id, version, payload FROM event"
                                      " WHERE environment_id = ? ORDER BY number", self.environment)]

    def leftovers(self):
        """Files of the data folder in which the person can still be read; of PostgreSQL what it tells,
        for its own files are cleaned in its own time."""
        found = []
        if postgresql.is_used():
            postgresql.dump(self.data, self.data / "dump.sql")
        for path in sorted(self.data.rglob("*")):
            if path.is_file():
                text = path.read_bytes().lower()
                found += [(path.name, word) for word in (NAME, EMAIL, "canaryworth")
                          if word.lower().encode() in text]
        return found

    def test_nothing_is_left(self):
        self.assertTrue(self.leftovers())
        with database.change(self.data) as store:
            [(user,)] = store.execute("SELECT number FROM record WHERE id = ? AND json_extract(body, '$.name') = ?",
                                      (self.person, NAME.lower()))
            store.execute("DELETE FROM record_text WHERE rowid = ?", (user,))
            store.execute("DELETE FROM record WHERE number = ?", (user,))
        told = self.erase(email=EMAIL.upper())
        self.assertEqual(self.serve.stop(), 0)
        self.assertEqual(self.leftovers(), [])
        self.assertGreaterEqual(told["counts"]["records"], 3)
        self.assertGreaterEqual(told["counts"]["records_changed"], 1)
        self.assertGreaterEqual(told["counts"]["events"], 3)
        self.assertEqual(told["counts"]["replies"], 1)
        self.assertEqual(told["counts"]["webhook_deliveries"], 1)
        self.assertEqual(told["counts"]["inbound_deliveries"], 1)
        audit = b"".join(path.read_bytes() for path in (self.data / "audit").glob("*"))
        self.assertIn(f" erase {self.environment} {self.account} {told['id']} ".encode(), audit)

    def test_the_rest_is_as_it_was(self):
        before = {number: json.loads(body) for number, body in
                  self.query("SELECT number, body FROM record WHERE deleted_ms = 0")}
        self.erase(candidate_id=self.person)
        rows = {row[0]: row for row in self.query(
            "SELECT r.number, r.id, r.body, r.deleted_ms, r.version, c.resource FROM record AS r"
            " JOIN copy AS c ON c.number = r.copy")}
        for number, record in before.items():
            _, identifier, body, deleted_ms, _, resource = rows[number]
            owned = resource != "users" and (identifier == self.person and resource == "candidates" or
                                             (record.get("candidate") or {}).get("id") == self.person)
            if owned:
                self.assertEqual(json.loads(body), {"id": identifier})
                self.assertGreater(deleted_ms, 0)
            elif resource == "candidates" and identifier == self.other["id"]:
                self.assertEqual(json.loads(body), {**self.other, "duplicates": [{"id": "77", "name": "Somebody"}],
                                                    "summary": "A friend of [erased] <[erased]>."})
            else:
                self.assertEqual(json.loads(body), record)
        counts = self.query(
            "SELECT c.record_count = c.last_number - count(r.number) FROM copy AS c LEFT JOIN record AS r"
            " ON r.copy = c.number AND r.deleted_ms > 5 GROUP BY c.number, c.record_count, c.last_number")
        self.assertEqual(set(counts), {(1,)})

    def test_events_stay_numbered(self):
        self.erase(candidate_id=self.person)
        events = self.events()
        self.assertEqual([event["number"] for event in events], list(range(1, len(events) + 1)))
        ours = {event["key"]: event for event in events}
        self.assertEqual(ours["scorecards", "10", 1]["payload"], {"id": "10", "record": {"comment": "better"}})
        for key in (("candidates", self.person, 1), ("scorecards", "9", 1)):
            self.assertEqual(ours[key]["payload"], {"id": key[1], "resource": key[0], "changed": [], "record": None})
        gone = ours["candidates", self.person, 2]
        self.assertEqual((gone["event"], gone["payload"]["record"]), ("record:deleted", None))
        self.assertNotIn(("scorecards", "9", 2), ours)  # it was deleted before

    def test_again_and_lifted(self):
        first = self.erase(candidate_id=self.person)
        again = self.erase(candidate_id=self.person)
        self.assertEqual(set(again["counts"].values()), {0})
        status, _, body = self.admin.request("POST", "/erasure", {"integrated_account_id": self.account, "email": EMAIL})
        self.assertEqual((status, body["field"]), (404, "email"))
        listed = self.admin.get("/erasure")[2]["result"]
        self.assertEqual({item["id"] for item in listed}, {first["id"], again["id"]})
        self.assertEqual(self.admin.get(f"/erasure/{first['id']}")[2], first)
        for item in listed:
            self.assertEqual(self.admin.request("DELETE", f"/erasure/{item['id']}")[0], 200)
        self.assertEqual(self.admin.get(f"/erasure/{first['id']}")[0], 404)
        self.assertEqual(self.query("SELECT count(*) FROM erased_record"), [(0,)])

    def test_the_reply_of_a_write(self):
        self.erase(candidate_id=self.person)
        status, _, body = self.client.request(
            "POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
            {"name": NAME, "emails": [{"email": EMAIL}], "job_id": self.job["id"]}, {"Idempotency-Key": "canary"})
        self.assertEqual((status, body), (201, {"id": self.person}))

    def test_as_a_command(self):
        base = ("--environment", "production", "--data", str(self.data))
        done = json.loads(run_tenon("erase", "--account", self.account, "--email", EMAIL, "--json", *base).stdout)
        self.assertGreater(done["counts"]["records"], 0)
        self.assertIn(done["id"], run_tenon("erase", "list", *base).stdout)
        self.assertEqual(run_tenon("erase", "lift", done["id"], *base).stdout, "lifted\n")
        self.assertEqual(run_tenon("erase", "list", *base).stdout.strip(), "")

    def test_refusals(self):
        for body, field in (({}, "candidate_id"), ({"candidate_id": "1", "email": "a@b"}, "candidate_id"),
                            ({"candidate_id": 5}, "candidate_id")):
            status, _, told = self.admin.request("POST", "/erasure", {"integrated_account_id": self.account, **body})
            self.assertEqual((status, told["field"]), (400, field))
        self.assertEqual(self.client.request("POST", "/erasure", {"integrated_account_id": self.account,
                                                                  "candidate_id": "1"})[0], 403)
        # One that was never copied is kept out all the same.
        self.assertEqual(set(self.erase(candidate_id="never-seen")["counts"].values()), {0})

"""Environments are kept apart by PostgreSQL, too: a text that forgets to name its environment finds and changes
nothing of another's."""
import json
import subprocess
import unittest

import database
import postgresql
from copied import write_copy
from harness import Case, Client, Process, create_key, link_account, run_tenon

# Tables that say nothing of environments, and why they need not.
OF_NO_ENVIRONMENT = {
    "node": "processes", "duty": "what one process at a time does", "audit_head": "how far a folder's audit log is",
    "store_migration": "the database's own", "record_text": "an index of words could not be used below a guard, and they are read with"
    " their records, which have one"}
NOW_MS = 1700000000000


def row_level_security(data):
    """Which tables have a guard that binds their owner, too."""
    return {name for name, in database.query(
        data, "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND"
              " c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polcmd = '*')"
              " AND c.relnamespace = 'public'::regnamespace")}


# Tables whose key begins with something else than the environment, and why.
OTHER_KEYS = {"environment": "is one", "node": "of processes", "duty": "of processes", "audit_head": "of a folder",
              "store_migration": "the database's own", "record": "a rowid, on SQLite"}


def keys(data):
    """The columns of each table's primary key, in their order."""
    found = {}
    for table, column in database.query(data, (
            "SELECT c.relname, a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
            " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
            " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number"
            " WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname, k.place"
            if postgresql.is_used() else
            "SELECT t.name, c.name FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c"
            " WHERE t.schema = 'main' AND t.type = 'table' AND c.pk > 0 ORDER BY t.name, c.pk")):
        found.setdefault(table, []).append(column)
    return found


class Keys(Case):
    def test_each_begins_with_the_environment(self):
        self.linked()
        found = keys(self.data)
        others = {table for table, columns in found.items() if columns[0] != "environment_id"}
        self.assertEqual(others, set(OTHER_KEYS) - ({"record"} if postgresql.is_used() else set()))


@unittest.skipUnless(postgresql.is_used(), "SQLite has nothing of the kind: tests/e2e/run --postgresql")
class Tenancy(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "5")
        self.environments = {"production": self.account}
        create_key(self.data, "other")
        self.environments["other"] = json.loads(link_account(self.data, self.box, "other").stdout)["id"]
        self.ids = {name: identifier for identifier, name in self.query("SELECT id, name FROM environment")}
        with database.change(self.data) as store:
            for name, account in self.environments.items():
                write_copy(store, self.ids[name], account, "candidates", [{"id": f"1-{name}"}, {"id": f"2-{name}"}],
                           NOW_MS)

    def as_environment(self, name, sql):
        """By tenon's own role, with an environment's scope; '': with none."""
        options = f"-c tenon.environment={self.ids.get(name, name)}" if name else ""
        return postgresql.psql(sql, postgresql.name_of(self.data), options=options).split()

    def refused(self, name, sql):
        with self.assertRaises(subprocess.CalledProcessError) as refused:
            self.as_environment(name, sql)
        return refused.exception.stderr

    def test_each_table_has_a_guard(self):
        tables = {name for name, in self.query(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace")}
        self.assertEqual(tables - row_level_security(self.data), set(OF_NO_ENVIRONMENT))

    def test_no_table_shows_what_is_another_s(self):
        """Each that names its environment, with whatever the server has put there by now."""
        tables = [name for name, in self.query(
            "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
            " WHERE a.attname = 'environment_id' AND c.relkind IN ('r', 'p') AND NOT c.relispartition")
            if name not in OF_NO_ENVIRONMENT]
        seen = set()
        for table in tables:
            for environment in self.environments:
                shown = set(self.as_environment(environment, f"SELECT DISTINCT environment_id FROM {table}"))
                self.assertLessEqual(shown, {self.ids[environment]}, table)
                seen |= {table} if shown else set()
        self.assertLessEqual({"account", "api_key", "credential", "copy", "data_key", "event"}, seen)
        self.assertEqual(self.as_environment("other", "SELECT name FROM environment"), ["other"])

    def test_records_are_those_of_their_copy(self):
        for environment in self.environments:
            self.assertEqual(sorted(self.as_environment(environment, "SELECT id FROM record")),
                             [f"1-{environment}", f"2-{environment}"])
        self.assertEqual(len(self.as_environment("*", "SELECT id FROM record")), 4)

    def test_nothing_is_written_for_another(self):
        theirs, ours = self.ids["other"], self.ids["production"]
        [(copy,)] = self.query("SELECT number FROM copy WHERE environment_id = ?", theirs)
        before = self.query("SELECT id, number, body, version FROM record ORDER BY number")
        insert = ("INSERT INTO event (environment_id, number, type, account_id, payload, created_ms)"
                  " VALUES ('{}', 0, 'x', '', '{{}}', 0)")
        self.as_environment("production", insert.format(ours))
        for sql in ("INSERT INTO record (number, copy, id, version, read_ms, is_partial, created_ms, updated_ms,"
                    " changed_ms, missing_ms, deleted_ms, hash, list_hash, body, environment_id)"
                    f" SELECT number + 100, {copy}, id, version, read_ms, is_partial, created_ms, updated_ms,"
                    " changed_ms, missing_ms, deleted_ms, hash, list_hash, body, environment_id FROM record",
                    f"UPDATE record SET copy = {copy}"):
            self.assertIn("record_of_copy", self.refused("production", sql), sql)
        for sql in (insert.format(theirs), f"UPDATE record SET environment_id = '{theirs}'",
                    f"UPDATE account SET environment_id = '{theirs}'"):
            self.assertIn("row-level security", self.refused("production", sql), sql)
        for sql in (f"UPDATE account SET tenant_id = 'x' WHERE id = '{self.environments['other']}' RETURNING id",
                    f"DELETE FROM record WHERE copy = {copy} RETURNING id",
                    f"DELETE FROM environment WHERE id = '{theirs}' RETURNING id"):
            self.assertEqual(self.as_environment("production", sql), [], sql)
        self.assertEqual(self.query("SELECT id, number, body, version FROM record ORDER BY number"), before)

    def test_without_a_scope_nothing_is_answered(self):
        for sql in ("SELECT count(*) FROM account", "SELECT count(*) FROM record", "SELECT count(*) FROM environment",
                    "UPDATE account SET tenant_id = 'x'", "DELETE FROM event"):
            self.assertIn("tenon.environment", self.refused("", sql), sql)

    def test_numbers_of_events_go_on_as_they_are_seen(self):
        """The trigger that gives them counts what the environment has."""
        self.as_environment("production", "INSERT INTO event (environment_id, number, type, account_id, payload,"
                                          f" created_ms) VALUES ('{self.ids['production']}', 0, 'x', '', '{{}}', 0)")
        for environment in self.ids.values():
            numbers = [number for number, in self.query(
                "SELECT number FROM event WHERE environment_id = ? ORDER BY number", environment)]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)))

    def test_what_is_old_goes_whosever_call_it_is_that_throws_it_away(self):
        other = self.ids["other"], self.environments["other"]
        self.query("INSERT INTO idempotency (environment_id, account_id, key_hash, request_hash, status, created_ms)"
                   " VALUES (?, ?, ?, ?, 200, 0)", *other, b"k", b"r")
        self.query("INSERT INTO mcp_server (environment_id, account_id, id, digest, name, config, created_by,"
                   " created_ms, updated_ms, expires_ms) VALUES (?, ?, 'mcp_old', ?, '', '{}', '', 0, 0, 1)", *other, b"d")
        key = create_key(self.data, "production", "--scope", "call", "--scope", "admin")["key"]
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        status, _, answer = client.request("POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
                                           {"name": "Ada"}, {"Idempotency-Key": "one"})
        self.assertEqual(status, 201, answer)
        status, _, answer = client.request("POST", f"/integrated-account/{self.account}/mcp", {"name": "one"})
        self.assertEqual(status, 201, answer)
        self.assertEqual(self.query("SELECT id FROM mcp_server WHERE id = 'mcp_old'"), [])
        self.serve.stop()  # what nobody waits for is done by then
        self.assertEqual(self.query("SELECT account_id FROM idempotency"), [(self.account,)])

    def test_who_is_not_bound_is_told_so(self):
        self.assertEqual(self.told(), (True, False))
        self.serve.stop()
        self.serve = Process(["serve", "--listen", "127.0.0.1:0", "--data", str(self.data)],
                             {"TENON_DATABASE": postgresql.url_of(self.data, "postgres")})
        self.addCleanup(self.serve.kill)
        self.assertEqual(self.told(), (False, True))

    def told(self):
        """What `tenon status` says in both its forms; whether a warning is in the log is the same."""
        said = json.loads(run_tenon("status", "--data", str(self.data), "--json").stdout)["store"]["is_bound"]
        warns = "BYPASSRLS" in run_tenon("status", "--data", str(self.data)).stdout.split("requests")[0]
        self.assertEqual(any("store_not_bound" in line for line in self.serve.log), warns)
        return said, warns

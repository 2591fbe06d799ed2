"""Puts what the unified API tells of an account into its local copy."""
import json
import sqlite3

RESOURCES = ("candidates", "applications", "jobs", "interviews", "scorecards", "departments", "offices", "users")
SHIFT = 32


def write_copy(database, environment, account, resource, records, at_ms):
    copy = database.execute(
        "INSERT INTO copy (environment_id, account_id, resource, whole_ms, swept_ms, record_count, updated_max_ms,"
        " last_number) VALUES (?, ?, ?, ?, ?, ?, 0, ?) RETURNING number",
        (environment, account, resource, at_ms, at_ms, len(records), len(records))).fetchone()[0]
    database.executemany(
        "INSERT INTO record (number, copy, id, version, read_ms, is_partial, created_ms, updated_ms, changed_ms,"
        " missing_ms, deleted_ms, hash, list_hash, body) VALUES (?, ?, ?, 1, ?, 1, 0, 0, ?, 0, 0, x'00', x'', ?)",
        ((copy * 2**SHIFT + number, copy, record["id"], at_ms, at_ms, json.dumps(record, ensure_ascii=False))
         for number, record in enumerate(records, 1)))


def fill_copy(case, resources=RESOURCES, at_ms=1700000000000):
    """The records of the case's linked account, by resource, as they are in the copy now."""
    found = {}
    for resource in resources:
        found[resource] = case.every_page(resource, limit=1000)
        for record in found[resource]:
            record.pop("remote_data", None)
    database = sqlite3.connect(case.data / "tenon.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    environment = database.execute("SELECT environment_id FROM account WHERE id = ?",
                                   (case.account,)).fetchone()[0]
    for resource, records in found.items():
        write_copy(database, environment, case.account, resource, records, at_ms)
    database.execute("COMMIT")
    database.close()
    return found

"""Puts what the unified API tells of an account into its local copy."""
import json

import database

RESOURCES = ("candidates", "applications", "jobs", "interviews", "scorecards", "departments", "offices", "users")
SHIFT = 32


def write_copy(store, environment, account, resource, records, at_ms):
    columns = "environment_id, account_id, resource, whole_ms, swept_ms, record_count, last_number, updated_max_ms"
    values = environment, account, resource, at_ms, at_ms, len(records), len(records), 0
    insert = f"INSERT INTO copy ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING number"
    if not isinstance(store, database.PostgreSQL):  # where a sequence gives the number
        insert = (f"INSERT INTO copy (number, {columns}) SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?"
                  " FROM copy RETURNING number")
    [(copy,)] = store.execute(insert, values)
    for number, record in enumerate(records, 1):
        write_record(store, copy, number, record, at_ms)


def write_record(store, copy, number, record, at_ms):
    store.execute(
        "INSERT INTO record (number, copy, id, version, read_ms, is_partial, created_ms, updated_ms, changed_ms,"
        " missing_ms, deleted_ms, hash, list_hash, body, environment_id) VALUES (?, ?, ?, 1, ?, 1, 0, 0, ?, 0, 0, ?, ?,"
        " ?, (SELECT environment_id FROM copy WHERE number = ?))",
        (copy * 2**SHIFT + number, copy, record["id"], at_ms, at_ms, b"\0", b"",
         json.dumps(record, ensure_ascii=False), copy))


def fill_copy(case, resources=RESOURCES, at_ms=1700000000000):
    """The records of the case's linked account, by resource, as they are in the copy now."""
    found = {}
    for resource in resources:
        found[resource] = case.every_page(resource, limit=1000)
        for record in found[resource]:
            record.pop("remote_data", None)
    with database.change(case.data) as store:
        [(environment,)] = store.execute("SELECT environment_id FROM account WHERE id = ?", (case.account,))
        for resource, records in found.items():
            write_copy(store, environment, case.account, resource, records, at_ms)
    return found

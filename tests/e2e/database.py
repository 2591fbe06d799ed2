"""What a server keeps, asked and changed behind its back, in whichever store is in use. The SQL is
what src/ writes: SQLite's words with ? for a value, which PostgreSQL is taught as well."""
import contextlib
import ctypes
import functools
import pathlib
import sqlite3

import postgresql

COMMAND_OK, TUPLES_OK = 1, 2
BOOLEAN, BYTES, FLOAT8, NUMERIC = 16, 17, 701, 1700
INTEGERS = (20, 21, 23)


@functools.cache
def libpq():
    library = ctypes.CDLL("libpq.so.5")
    for name, answers in (("PQconnectdb", ctypes.c_void_p), ("PQexecParams", ctypes.c_void_p),
                          ("PQgetvalue", ctypes.c_void_p), ("PQresultErrorMessage", ctypes.c_char_p),
                          ("PQerrorMessage", ctypes.c_char_p), ("PQfname", ctypes.c_char_p)):
        getattr(library, name).restype = answers
    return library


def as_parameter(value):
    if value is None or isinstance(value, str):
        return None if value is None else value.encode()
    return b"\\x" + value.hex().encode() if isinstance(value, bytes) else str(int(value)).encode()


def as_value(text, kind):
    if kind == BYTES:
        return bytes.fromhex(text[2:].decode())
    if kind == BOOLEAN:
        return int(text == b"t")
    if kind in (FLOAT8, NUMERIC):
        return float(text)
    return int(text) if kind in INTEGERS else text.decode()


class Rows(list):
    names = ()


class PostgreSQL:
    def __init__(self, data):
        self.conn = ctypes.c_void_p(libpq().PQconnectdb(postgresql.url_of(data).encode()))
        if libpq().PQstatus(self.conn) != 0:
            raise RuntimeError(libpq().PQerrorMessage(self.conn).decode())
        self.execute("SET client_min_messages = warning")
        self.execute("SET tenon.environment = '*'")

    def execute(self, sql, values=()):
        for number in range(1, len(values) + 1):
            sql = sql.replace("?", f"${number}", 1)
        given = (ctypes.c_char_p * len(values))(*map(as_parameter, values))
        result = ctypes.c_void_p(libpq().PQexecParams(self.conn, sql.encode(), len(values), None, given,
                                                      None, None, 0))
        try:
            return self.rows(result)
        finally:
            libpq().PQclear(result)

    @staticmethod
    def rows(result):
        if libpq().PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
            raise RuntimeError(libpq().PQresultErrorMessage(result).decode())
        columns = range(libpq().PQnfields(result))
        kinds = [libpq().PQftype(result, column) for column in columns]
        rows = Rows(tuple(
            None if libpq().PQgetisnull(result, row, column) else
            as_value(ctypes.string_at(libpq().PQgetvalue(result, row, column),
                                      libpq().PQgetlength(result, row, column)), kinds[column])
            for column in columns) for row in range(libpq().PQntuples(result)))
        rows.names = [libpq().PQfname(result, column).decode() for column in columns]
        return rows

    def close(self):
        libpq().PQfinish(self.conn)


def is_reached(data):
    """Does PostgreSQL take connections?"""
    conn = ctypes.c_void_p(libpq().PQconnectdb(postgresql.url_of(data).encode()))
    status = libpq().PQstatus(conn)
    libpq().PQfinish(conn)
    return status == 0


class SQLite:
    def __init__(self, data):
        self.conn = sqlite3.connect(pathlib.Path(data) / "tenon.db", timeout=20, isolation_level=None)
        self.conn.execute("PRAGMA secure_delete = ON")

    def execute(self, sql, values=()):
        cursor = self.conn.execute(sql, values)
        rows = Rows(cursor.fetchall())
        rows.names = [column[0] for column in cursor.description or ()]
        return rows

    def close(self):
        self.conn.close()


@contextlib.contextmanager
def change(data):
    """A transaction: `with change(data) as store: store.execute(sql, values)`."""
    store = PostgreSQL(data) if postgresql.is_used() else SQLite(data)
    try:
        store.execute("BEGIN" if postgresql.is_used() else "BEGIN IMMEDIATE")
        yield store
        store.execute("COMMIT")
    finally:
        store.close()


def query(data, sql, *values):
    """The rows, as tuples, with their columns in .names: numbers, texts and bytes."""
    store = PostgreSQL(data) if postgresql.is_used() else SQLite(data)
    try:
        return store.execute(sql, values)
    finally:
        store.close()

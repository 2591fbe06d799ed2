"""What is PostgreSQL's alone: connections, and writes that take their time."""
import contextlib
import json
import socket
import struct
import threading
import unittest
import urllib.parse

import postgresql
from harness import Case, Client, Process, create_key, link_account


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class StartingUp(threading.Thread):
    """Stands for a PostgreSQL that does not take connections yet."""

    refusal = message(b"E", b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.refused = 0
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, contextlib.suppress(ConnectionError):
                while len(asked := conn.recv(1000)) == 8:  # for encryption
                    conn.sendall(b"N")
                if asked:
                    self.refused += 1
                    conn.sendall(self.refusal)
                    conn.recv(1)

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@unittest.skipUnless(postgresql.is_used(), "it is about PostgreSQL: tests/e2e/run --postgresql")
class PostgreSQL(Case):
    def test_the_second_host_is_taken_where_the_first_is_not_ready(self):
        first = StartingUp()
        self.addCleanup(first.end)
        postgresql.environment(["--data", self.data])
        url = urllib.parse.urlsplit(postgresql.url_of(self.data))
        both = f"{url.scheme}://tenon@127.0.0.1:{first.listener.getsockname()[1]},127.0.0.1:{url.port}{url.path}"
        box = self.sandbox()
        serve = Process(["serve", "--listen", "127.0.0.1:0", "--data", str(self.data),
                         "--connector-base-url", f"recruitee=http://{box.host}"], {"TENON_DATABASE": both})
        self.addCleanup(serve.kill)
        self.assertIn("acc_", link_account(self.data, box).stdout)
        self.assertGreater(first.refused, 2)
        self.assertEqual(serve.stop(), 0, serve.log[-5:])

    def test_many_at_once_who_find_nothing_in_memory(self):
        """Whoever waits for the database must hold nothing that others want meanwhile."""
        self.linked("--candidates", "5", link_options=("--limit", "requests=100000"))
        told = []

        def ask(account):
            client = Client(self.serve.host, self.key)
            told.append(client.get("/unified/ats/tags", integrated_account_id=account)[0])
            client.close()

        accounts = [self.account, *(json.loads(link_account(self.data, self.box).stdout)["id"] for _ in range(3))]
        self.serve.stop()
        self.serve = self.server(self.box, "--workers", "4")
        callers = [threading.Thread(target=ask, args=(account,)) for account in accounts * 16]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertEqual(told, [200] * len(callers))

    def test_a_write_that_nobody_waits_for_ends_before_the_server(self):
        """When a key was used last is written behind the reply; here that takes a while."""
        self.linked("--candidates", "5")
        self.query("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$BEGIN PERFORM pg_sleep(2); RETURN NEW; END$$")
        self.query("CREATE TRIGGER linger BEFORE UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION linger()")
        key = create_key(self.data)
        client = Client(self.serve.host, key["key"])
        self.assertEqual(client.get("/integration")[0], 200)
        client.close()
        self.assertEqual(self.serve.stop(), 0, self.serve.log[-5:])
        [(used_ms,)] = self.query("SELECT used_ms FROM api_key WHERE id = ?", key["id"])
        self.assertGreater(used_ms, 0)

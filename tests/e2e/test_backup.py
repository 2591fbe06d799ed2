"""A backup made under load, restored into a new folder (and, on PostgreSQL, a new database): all that
was acknowledged before it is there, and keys and accounts work at once."""
import json
import os
import shutil
import threading
import unittest

import postgresql
from harness import Case, Client, create_key, link_account, run_tenon

on_sqlite = unittest.skipIf(postgresql.is_used(), "PostgreSQL has its own means")


class Backup(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "20")
        self.copy = self.folder / "copy.db"

    def run_backup(self, check=True):
        return run_tenon("backup", str(self.copy), "--data", str(self.data), "--json", check=check)

    def back_up(self):
        """As docs/operating.md says, while the server runs."""
        if postgresql.is_used():
            postgresql.dump(self.data, self.copy, "--format=custom")
        else:
            done = json.loads(self.run_backup().stdout)
            self.assertEqual((done["path"], done["bytes"]), (str(self.copy), self.copy.stat().st_size))
            self.assertEqual(os.stat(self.copy).st_mode & 0o777, 0o600)
        shutil.copytree(self.data / "audit", self.folder / "audit")

    def restore(self):
        """As docs/operating.md says."""
        old, self.data = self.data, self.folder / "restored"
        self.addCleanup(postgresql.drop, self.data)
        self.data.mkdir(mode=0o700)
        shutil.move(self.folder / "audit", self.data / "audit")
        shutil.copy2(old / "master.key", self.data / "master.key")
        self.serve.kill()
        shutil.rmtree(old)
        if postgresql.is_used():
            postgresql.drop(old)
            postgresql.restore(self.data, self.copy)
        else:
            shutil.copy(self.copy, self.data / "tenon.db")
        self.serve = self.server(self.box)
        self.client.close()
        self.client = Client(self.serve.host, self.key)
        self.addCleanup(self.client.close)

    def test_restored(self):
        ids = {record["id"] for record in self.every_page("candidates", limit=100)}
        ended, began = threading.Event(), threading.Event()
        made = []

        def write():
            while not ended.is_set():
                made.append(create_key(self.data)["id"])
                began.set()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.assertTrue(began.wait(60))
            before = list(made)
            self.back_up()
        finally:
            ended.set()
            writer.join()
        self.restore()
        self.assertEqual({record["id"] for record in self.every_page("candidates", limit=100)}, ids)
        listed = run_tenon("key", "list", "--environment", "production", "--data", str(self.data)).stdout
        self.assertTrue(all(key in listed for key in before))
        run_tenon("audit", "verify", "--data", str(self.data))
        link_account(self.data, self.box)

    def test_without_a_server(self):
        self.assertEqual(self.serve.stop(), 0)
        self.back_up()
        self.restore()
        self.assertEqual(len(self.every_page("candidates", limit=100)), 20)

    @on_sqlite
    def test_a_file_that_is_there_is_left_alone(self):
        self.copy.write_text("something else")
        done = self.run_backup(check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exists already", done.stderr)
        self.assertEqual(self.copy.read_text(), "something else")

    @unittest.skipUnless(postgresql.is_used(), "of PostgreSQL")
    def test_postgresql_has_its_own_means(self):
        done = self.run_backup(check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("pg_dump", done.stderr)
        self.assertFalse(self.copy.exists())

    def test_only_the_operator(self):
        admin = create_key(self.data, "production", "--scope", "admin")["key"]
        client = Client(self.serve.host, admin)
        self.addCleanup(client.close)
        status, _, _ = client.request("POST", "/backup", {"path": str(self.copy)})
        self.assertEqual(status, 403)
        self.assertFalse(self.copy.exists())

"""A backup made under load, restored into a new folder: all that was acknowledged before it is there,
and keys and accounts work at once."""
import json
import os
import shutil
import threading

from harness import Case, Client, create_key, link_account, run_tenon


class Backup(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "20")
        self.copy = self.folder / "copy.db"

    def back_up(self, check=True):
        return run_tenon("backup", str(self.copy), "--data", str(self.data), "--json", check=check)

    def restore(self):
        """As docs/operating.md says."""
        shutil.copytree(self.data / "audit", self.folder / "audit")
        key = (self.data / "master.key").read_bytes()
        self.serve.kill()
        shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        shutil.copytree(self.folder / "audit", self.data / "audit")
        shutil.copy(self.copy, self.data / "tenon.db")
        (self.data / "master.key").touch(mode=0o600)
        (self.data / "master.key").write_bytes(key)
        self.serve = self.server(self.box)

    def use_restored(self):
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
            done = json.loads(self.back_up().stdout)
        finally:
            ended.set()
            writer.join()
        self.assertEqual((done["path"], done["bytes"]), (str(self.copy), self.copy.stat().st_size))
        self.assertEqual(os.stat(self.copy).st_mode & 0o777, 0o600)
        self.restore()
        self.use_restored()
        self.assertEqual({record["id"] for record in self.every_page("candidates", limit=100)}, ids)
        listed = run_tenon("key", "list", "--environment", "production", "--data", str(self.data)).stdout
        self.assertTrue(all(key in listed for key in before))
        run_tenon("audit", "verify", "--data", str(self.data))
        link_account(self.data, self.box)

    def test_without_a_server(self):
        self.assertEqual(self.serve.stop(), 0)
        self.back_up()
        self.restore()
        self.use_restored()
        self.assertEqual(len(self.every_page("candidates", limit=100)), 20)

    def test_a_file_that_is_there_is_left_alone(self):
        self.copy.write_text("something else")
        done = self.back_up(check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("exists already", done.stderr)
        self.assertEqual(self.copy.read_text(), "something else")

    def test_only_the_operator(self):
        admin = create_key(self.data, "production", "--scope", "admin")["key"]
        client = Client(self.serve.host, admin)
        self.addCleanup(client.close)
        status, _, _ = client.request("POST", "/backup", {"path": str(self.copy)})
        self.assertEqual(status, 403)
        self.assertFalse(self.copy.exists())

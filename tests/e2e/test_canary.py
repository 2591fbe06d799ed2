"""A credential is found nowhere: log, error, metric, process argument, data folder."""
import base64
import json
import pathlib
import shutil
import sqlite3
import subprocess
import unittest
import urllib.parse

import postgresql
from harness import TOKEN, Case, Client, link_account, run_tenon


def spellings(secret):
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for cut in range(3):  # base64 of a longer text begins at any of three places
        yield base64.b64encode(raw[cut:])[:-4]
        yield base64.urlsafe_b64encode(raw[cut:])[:-4]
    yield urllib.parse.quote(secret, safe="").replace("-", "%2D").encode()
    yield raw.decode().encode("utf-16-le")
    yield "".join(f"\\u{byte:04x}" for byte in raw).encode()
    yield "".join(f"\\u{byte:04X}" for byte in raw).encode()
    yield secret.replace("-", "\\u002d").encode()


def read_all(folder):
    """Each file in it but the master key's own."""
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*"))
                    if p.is_file() and p.name != "master.key")


def back_up(data, path):
    """As an operator does it with the database's own backup while the server runs."""
    if postgresql.is_used():
        postgresql.dump(data, path)
        return
    (database,) = (file for file in data.iterdir()
                   if file.is_file() and file.read_bytes()[:15] == b"SQLite format 3")
    source, target = sqlite3.connect(database), sqlite3.connect(path)
    with target:
        source.backup(target)
    source.close()
    target.close()


class Canary(Case):
    def test_nowhere(self):
        self.linked("--candidates", "40",
                    server_options=("--log-level", "debug", "--call-timeout", "3"))
        seen = []
        for resource in ("candidates", "applications", "jobs", "tags", "users", "activities"):
            seen.append(self.list(resource, limit=10, expand="true"))
        for kind in ("garbage", "content_type", "server_error", "rate_limit", "reset"):
            self.set_faults(**{kind: 1.0})
            seen.append(self.list("departments"))
            self.set_faults(**{kind: 0})
        failed = link_account(self.data, self.box, token=TOKEN + "-wrong", check=False)
        self.assertNotEqual(failed.returncode, 0)
        seen.append((failed.stdout, failed.stderr))
        seen.append(self.client.get("/metrics"))
        arguments = pathlib.Path(f"/proc/{self.serve.pid}/cmdline").read_bytes()
        environment = pathlib.Path(f"/proc/{self.serve.pid}/environ").read_bytes()
        running = read_all(self.data)
        copy = self.folder / "copy"
        shutil.copytree(self.data, copy, ignore=lambda _, names: {"tenon.sock"} & set(names))
        backup = self.folder / "backup.db"
        back_up(self.data, backup)
        self.serve.stop()
        stopped = read_all(self.data)
        places = {
            "replies": repr(seen).encode() + json.dumps([str(s) for s in seen]).encode(),
            "log": "".join(self.serve.log).encode(),
            "arguments": arguments,
            "environment": environment,
            "data folder": running,
            "data folder after the end": stopped,
            "copy of the data folder": read_all(copy),
            "backup": backup.read_bytes(),
        }
        self.assertGreater(len(places["log"]), 1000)
        for place in ("data folder", "copy of the data folder", "backup"):
            self.assertIn(self.account.encode(), places[place])
        for place, found in places.items():
            for secret in (TOKEN, self.key):
                for spelling in spellings(secret):
                    self.assertNotIn(spelling, found, f"{secret[:6]}… in the {place}")

    @unittest.skipUnless(shutil.which("gcore"), "gdb is not installed")
    def test_the_master_key_is_in_no_core_dump(self):
        """Nor in the log, the database, the audit log or a reply; after a rotation neither is the new
        one, nor the one before."""
        self.linked("--candidates", "20", server_options=("--log-level", "debug"))
        seen = repr([self.list("candidates", limit=5), self.client.get("/metrics")]).encode()
        keys = [(self.data / "master.key").read_text()]
        run_tenon("vault", "rotate", "--master", "--data", str(self.data))
        run_tenon("vault", "rotate", "--environment", "production", "--data", str(self.data))
        keys.append((self.data / "master.key").read_text())
        self.assertNotEqual(*keys)
        seen += repr([self.list("candidates", limit=5)]).encode()
        failed = [self.client.get("/unified/ats/nothing"), self.client.get("/integrated-account"),
                  Client(self.serve.host, self.key + "x").get("/unified/ats/tags")]
        seen += repr(failed).encode()
        backup = self.folder / "backup.db"
        back_up(self.data, backup)
        image = self.folder / "image"
        subprocess.run(["gcore", "-o", str(image), str(self.serve.pid)], check=True,
                       capture_output=True, timeout=120)
        core = pathlib.Path(f"{image}.{self.serve.pid}").read_bytes()
        self.assertIn(self.account.encode(), core)  # the search finds what is there
        self.serve.stop()
        places = {"core dump": core, "replies": seen, "data folder": read_all(self.data),
                  "log": "".join(self.serve.log).encode(), "backup": backup.read_bytes()}
        self.assertIn(self.account.encode(), places["backup"])
        for line in keys:
            text = line.split()[1]
            raw = bytes.fromhex(text)
            for place, found in places.items():
                self.assertNotIn(raw, found, f"a master key in the {place}")
                self.assertNotIn(raw[:16], found, f"half of a master key in the {place}")
                for spelling in (*spellings(text), base64.b64encode(raw)[:-4]):
                    self.assertNotIn(spelling, found, f"a master key in the {place}")

"""A credential is found nowhere: log, error, metric, process argument, data folder."""
import base64
import json
import pathlib
import urllib.parse

from harness import TOKEN, Case, Client, link_account


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


class Canary(Case):
    def test_nowhere(self):
        self.linked("--candidates", "40", server_options=("--log-level", "debug"))
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
        running = b"".join(p.read_bytes() for p in sorted(self.data.iterdir()) if p.is_file())
        self.serve.stop()
        stopped = b"".join(p.read_bytes() for p in sorted(self.data.iterdir()) if p.is_file())
        places = {
            "replies": repr(seen).encode() + json.dumps([str(s) for s in seen]).encode(),
            "log": "".join(self.serve.log).encode(),
            "arguments": arguments,
            "environment": environment,
            "data folder": running,
            "data folder after the end": stopped,
        }
        self.assertGreater(len(places["log"]), 1000)
        self.assertIn(self.account.encode(), places["data folder"])
        for place, found in places.items():
            for secret in (TOKEN, self.key):
                for spelling in spellings(secret):
                    self.assertNotIn(spelling, found, f"{secret[:6]}… in the {place}")

"""Starts the real program with a real sandbox, and speaks HTTP to it."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import tempfile
import threading
import unittest
import urllib.parse

import database
import postgresql
from contract import contract_of

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TENON = os.environ.get("TENON_PROGRAM", str(ROOT / "build" / "tenon"))
TOKEN = "canary-7Qd9-the-secret-of-the-sandbox"
COMPANY = "41207"
servers = set()  # hosts whose every answer is held against the OpenAPI document


class Process:
    """A program that says on its first line of output where it listens."""

    def __init__(self, arguments, env=None):
        self.log = []
        self.process = subprocess.Popen(
            [TENON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **postgresql.environment(arguments), **postgresql.preload(arguments),
                 **(env or {})})
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        self.line = self.process.stdout.readline().strip()
        if "http" not in self.line:
            self.process.wait(10)
            self.reader.join(10)
            raise RuntimeError(f"{arguments} did not start: {self.line} {''.join(self.log)}")
        self.url = re.search(r"https?://[^\s]+", self.line)[0]
        self.host = re.search(r"https?://([^/\s]+)", self.line)[1]
        servers.discard(self.host)  # a port may come again

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        if self.process.poll() == -signal.SIGABRT:
            print("it aborted: " + "".join(self.log[-25:]), flush=True)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.reader.join(10)

    def stop(self):
        """Ends it as an operator would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        self.reader.join(10)
        return code


def start_sandbox(*options):
    return Process(["sandbox", "recruitee", "--listen", "127.0.0.1:0", "--token", TOKEN,
                    "--company", COMPANY, *options])


def start_server(data, sandbox, *options, listen="127.0.0.1:0"):
    server = Process(["serve", "--listen", listen, "--data", str(data),
                      "--connector-base-url", f"recruitee=http://{sandbox.host}", *options])
    servers.add(server.host)
    return server


IDLE_S = 10  # a server ends a connection that nobody has used for long


class Client:
    """One keep-alive connection; answers (status, headers, parsed body)."""

    def __init__(self, host, key=None, tls=None):
        self.is_server = host in servers
        self.beyond = ()  # fields of records that overrides add to those of the document
        self.connection = (http.client.HTTPConnection(host, timeout=120) if tls is None else
                           http.client.HTTPSConnection(host, timeout=120, context=tls))
        self.key = key
        self.used = time.monotonic()

    def request(self, method, path, body=None, headers=None):
        sent = dict(headers or {})
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if time.monotonic() - self.used > IDLE_S:
            self.connection.close()  # the next request opens it again
        self.connection.request(method, path, body=body, headers=sent)
        response = self.connection.getresponse()
        text = response.read()
        self.used = time.monotonic()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = text
        received = {k.lower(): v for k, v in response.getheaders()}
        if self.is_server:
            contract_of(TENON).check(method, path, response.status, received, parsed,
                                     self.beyond)
        return response.status, received, parsed

    def get(self, path, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.request("GET", path)

    def close(self):
        self.connection.close()


def run_tenon(*arguments, stdin=None, env=None, check=True, timeout=60):
    done = subprocess.run([TENON, *arguments], input=stdin or "", capture_output=True, text=True,
                          timeout=timeout,
                          env={**os.environ, **postgresql.environment(arguments), **(env or {})})
    if check and done.returncode != 0:
        raise RuntimeError(f"tenon {arguments}: {done.returncode} {done.stderr}")
    return done


def create_key(data, environment="production", *options):
    done = run_tenon("key", "create", "--environment", environment, "--data", str(data), "--json",
                     *options)
    return json.loads(done.stdout)


def link_account(data, sandbox, environment="production", *options, token=TOKEN,
                 company=COMPANY, check=True):
    return run_tenon("account", "link", "recruitee", "--environment", environment,
                     "--data", str(data), "--set", f"company_id={company}", "--json",
                     "--connector-base-url", f"recruitee=http://{sandbox.host}", *options,
                     stdin=json.dumps({"api_token": token}), check=check)


class Case(unittest.TestCase):
    """A temporary data folder, and processes which are ended with the test."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-e2e-"))
        self.data = self.folder / "data"
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(postgresql.drop, self.data)

    def query(self, sql, *values):
        """Of the server's database, behind its back; see database.py."""
        return database.query(self.data, sql, *values)

    def sandbox(self, *options):
        process = start_sandbox(*options)
        self.addCleanup(process.kill)
        return process

    def server(self, sandbox, *options, **named):
        process = start_server(self.data, sandbox, *options, **named)
        self.addCleanup(process.kill)
        return process

    def linked(self, *sandbox_options, server_options=(), link_options=()):
        """A sandbox, a server, a key and a linked account; the client has the key."""
        self.box = self.sandbox(*sandbox_options)
        self.serve = self.server(self.box, *server_options)
        self.key = create_key(self.data)["key"]
        self.account = json.loads(link_account(self.data, self.box, "production",
                                               *link_options).stdout)["id"]
        self.client = Client(self.serve.host, self.key)
        self.addCleanup(self.client.close)

    def list(self, resource, **query):
        return self.client.get(f"/unified/ats/{resource}",
                               integrated_account_id=self.account, **query)

    def fetch(self, resource, identifier, **query):
        return self.client.get(f"/unified/ats/{resource}/{urllib.parse.quote(identifier, '')}",
                               integrated_account_id=self.account, **query)

    def control(self, method, path, body=None):
        """Asks the sandbox for what only tests may know or change; see docs/sandbox.md."""
        client = Client(self.box.host)
        status, _, answer = client.request(method, f"/sandbox/{path}", body)
        client.close()
        self.assertLess(status, 300, answer)
        return answer

    def truth(self, collection="candidates"):
        return self.control("GET", f"truth?collection={collection}")

    def set_faults(self, **faults):
        self.control("PUT", "faults", faults)

    def step(self, changes=1):
        """So many things happen in the company now; what they were."""
        return self.control("POST", "step", {"changes": changes})["changes"]

    def every_page(self, resource, **query):
        """All records through next_cursor; checks the envelope of each page on the way."""
        records, cursor = [], None
        while True:
            extra = {"next_cursor": cursor} if cursor else {}
            status, _, page = self.list(resource, **query, **extra)
            self.assertEqual(status, 200, str(page)[:2000])
            self.assertEqual(set(page), {"result", "next_cursor", "prev_cursor", "result_count",
                                         "is_partial_response"})
            self.assertEqual(page["result_count"], len(page["result"]))
            records += page["result"]
            cursor = page["next_cursor"]
            if cursor is None:
                return records

"""The server with a certificate of its own: who may read it, what is spoken, and a new certificate
while calls are under way."""
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from harness import TENON, Case, Client, create_key, link_account
from test_files import form

MB = 1024 * 1024


def make_certificate(folder, name, days="30"):
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", days, "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.certificate, self.private = make_certificate(self.folder, "first")

    def secure(self, *options):
        self.box = self.sandbox("--candidates", "20")
        self.serve = self.server(self.box, "--tls-certificate", str(self.certificate),
                                 "--tls-key", str(self.private), *options)
        self.assertIn("https://", self.serve.line)
        self.key = create_key(self.data, "production", "--scope", "call", "--scope", "admin")["key"]
        self.account = json.loads(link_account(self.data, self.box).stdout)["id"]

    def trusting(self, *certificates):
        context = ssl.create_default_context()
        for certificate in certificates:
            context.load_verify_locations(certificate)
        return context

    def connect(self, *certificates):
        client = Client(self.serve.host, self.key,
                        self.trusting(*(certificates or (self.certificate,))))
        self.addCleanup(client.close)
        return client

    def shown(self):
        """The certificate that a new connection is shown."""
        host, port = self.serve.host.split(":")
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))

    def until(self, is_so):
        end = time.monotonic() + 60
        while not is_so():
            self.assertLess(time.monotonic(), end, self.serve.log[-5:])

    def told(self, event):
        return [line for line in self.serve.log if f'"event":"{event}"' in line]

    def test_calls_and_files_both_ways(self):
        self.secure()
        client = self.connect()
        status, headers, page = client.get("/unified/ats/candidates",
                                           integrated_account_id=self.account)
        self.assertEqual((status, len(page["result"])), (200, 20))
        self.assertEqual(headers["strict-transport-security"], "max-age=31536000")
        sent = random.Random(1).randbytes(5 * MB)
        body, kind = form([("candidate_id", page["result"][0]["id"])],
                          ("file", "big.bin", "application/x-a", sent))
        status, _, made = client.request(
            "POST", f"/unified/ats/attachments?integrated_account_id={self.account}", body,
            {"Content-Type": kind})
        self.assertEqual(status, 201, made)
        status, _, back = client.request("GET", made["file_url"])
        self.assertEqual(status, 200)
        self.assertEqual(back, sent)

    def test_what_is_spoken(self):
        self.secure()
        host, port = self.serve.host.split(":")

        def speak(lowest, highest, ciphers=None):
            context = self.trusting(self.certificate)
            context.minimum_version, context.maximum_version = lowest, highest
            if ciphers:
                context.set_ciphers(ciphers)
            with socket.create_connection((host, int(port)), 30) as plain:
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    return connection.version()

        version = ssl.TLSVersion
        self.assertEqual(speak(version.TLSv1_3, version.TLSv1_3), "TLSv1.3")
        self.assertEqual(speak(version.TLSv1_2, version.TLSv1_2), "TLSv1.2")
        for refused in ((version.TLSv1_1, version.TLSv1_1, "ALL:@SECLEVEL=0"),
                        (version.TLSv1_2, version.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
                        (version.TLSv1_2, version.TLSv1_2, "AES128-GCM-SHA256")):
            with self.assertRaises((ssl.SSLError, ConnectionError), msg=str(refused)):
                speak(*refused)
        # A caller without TLS is not understood, and nobody else is disturbed.
        with socket.create_connection((host, int(port)), 30) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                self.assertNotIn(b"200 OK", plain.recv(1000))
            except ConnectionError:
                pass
        self.assertEqual(self.connect().get("/healthz")[0], 200)

    def test_a_new_certificate_under_load(self):
        self.secure()
        second, second_key = make_certificate(self.folder, "second")
        both = self.folder / "both.pem"
        both.write_text(self.certificate.read_text() + second.read_text())
        first = self.shown()
        old = self.connect(both)
        self.assertEqual(old.get("/healthz")[0], 200)
        faults, answered, end = [], [], threading.Event()

        def call_on():
            while not end.is_set():
                client = Client(self.serve.host, self.key, self.trusting(both))
                try:
                    answered.append(client.get("/integrated-account")[0])
                except OSError as fault:
                    faults.append(fault)
                client.close()

        callers = [threading.Thread(target=call_on) for _ in range(4)]
        for caller in callers:
            caller.start()
        # Half of the pair is not to be used: the old one stays.
        shutil.copy(second, self.certificate)
        os.kill(self.serve.pid, signal.SIGHUP)
        self.until(lambda: self.told("tls_certificate_not_read"))
        self.assertEqual(self.shown(), first)
        shutil.copy(second_key, self.private)
        os.kill(self.serve.pid, signal.SIGHUP)
        self.until(lambda: self.shown() != first)
        end.set()
        for caller in callers:
            caller.join()
        self.assertEqual((faults, set(answered)), ([], {200}))
        # Who was connected goes on.
        self.assertEqual(old.get("/healthz")[0], 200)

    def test_it_notices_by_itself(self):
        self.secure()
        first = self.shown()
        second, second_key = make_certificate(self.folder, "second")
        os.replace(second, self.certificate)
        os.replace(second_key, self.private)
        self.until(lambda: self.shown() != first)

    def test_files_that_cannot_be_used(self):
        def fault_of(certificate, key):
            done = subprocess.run(
                [TENON, "serve", "--listen", "127.0.0.1:0", "--data", str(self.data)] +
                (["--tls-certificate", str(certificate)] if certificate else []) +
                (["--tls-key", str(key)] if key else []),
                capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stdout, "")
            return done.stderr

        _, other_key = make_certificate(self.folder, "other")
        junk = self.folder / "junk"
        junk.write_text("no certificate")
        self.assertIn("go together", fault_of(self.certificate, None))
        self.assertIn("go together", fault_of(None, self.private))
        self.assertIn("--tls-certificate", fault_of(self.folder / "none", self.private))
        self.assertIn("no chain of certificates", fault_of(junk, self.private))
        junk.chmod(0o600)
        self.assertIn("no private key", fault_of(self.certificate, junk))
        self.assertIn("not that of the first certificate", fault_of(self.certificate, other_key))
        self.private.chmod(0o604)
        self.assertIn("chmod 600", fault_of(self.certificate, self.private))

"""Files through the doors: byte for byte, in little memory, and never half a file for a whole one."""
import http.client
import json
import pathlib
import random
import re
import socket
import threading
import urllib.parse

from harness import COMPANY, TOKEN, Case, Client, link_account, create_key, start_server

MB = 1024 * 1024


def some_bytes(count, seed=1):
    return random.Random(seed).randbytes(count)


def form(fields, file=None, boundary="b0undary", tail=b"\r\n"):
    """A body of multipart/form-data, and its Content-Type."""
    out = b""
    for name, value in fields:
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
                f"{value}\r\n").encode()
    if file:
        name, filename, kind, data = file
        out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                f'filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n').encode() + data + b"\r\n"
    return out + f"--{boundary}--".encode() + tail, f"multipart/form-data; boundary={boundary}"


def peak_kb(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1])


class FakeStore:
    """An ATS of one record, whose file is cut short after so many bytes."""

    def __init__(self, promised, given):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.promised, self.given = promised, given
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection, connection.makefile("rb") as lines:
            path = lines.readline().split()[1].decode()
            while lines.readline().strip():
                pass
            if path.endswith("/admin"):
                self.say(connection, "application/json", b'{"admin": {"id": 1}}')
            elif "/attachments/" in path and "/c/" in path:
                record = {"attachment": {"id": 7, "filename": "a.bin", "extension": "bin",
                                         "file_url": f"http://{self.host}/file"}}
                self.say(connection, "application/json", json.dumps(record).encode())
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-a\r\n"
                                   b"Content-Length: %d\r\n\r\n" % self.promised)
                try:
                    for _ in range(self.given // 65536):
                        connection.sendall(bytes(65536))
                except OSError:
                    self.was_left = True

    def say(self, connection, kind, body):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (kind.encode(), len(body), body))

    def close(self):
        self.socket.close()


class Files(Case):
    def open(self, *options):
        self.linked("--candidates", "40", *options, link_options=("--limit", "requests=100000"))
        self.candidate = str(self.truth()["ids"][0])

    def call(self, method, path, body=None, headers=None, **query):
        query["integrated_account_id"] = self.account
        return self.client.request(method, path + "?" + urllib.parse.urlencode(query), body, headers)

    def raw(self, method, path):
        self.client.connection.request(method, path, headers={
            "Authorization": f"Bearer {self.key}"})
        answer = self.client.connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def put_native(self, data, door="proxy", name="big file.bin", **headers):
        body, kind = form([("attachment[candidate_id]", self.candidate)],
                          ("attachment[file]", name, "application/x-thing", data))
        path = "/proxy/attachments/upload" if door == "proxy" else "/custom/attachments"
        status, _, answer = self.call("POST", path, body, {"Content-Type": kind, **headers})
        self.assertEqual(status, 201, answer)
        return (answer["result"] if door == "custom" else answer)["attachment"]

    def link_of(self, identifier):
        status, _, record = self.fetch("attachments", str(identifier),
                                       candidate_id=self.candidate)
        self.assertEqual(status, 200, record)
        return record["file_url"]

    # --- down ---------------------------------------------------------------------------------

    def test_every_file_of_a_candidate(self):
        """Each has an address on tenon itself, which gives what the ATS's own address gives."""
        self.open()
        seen = set()
        for candidate in self.truth()["ids"]:
            for record in self.list("attachments", candidate_id=str(candidate))[2]["result"]:
                own = urllib.parse.urlsplit(record["remote_data"]["file_url"])
                box = Client(own.netloc)
                wanted = box.request("GET", own.path)
                box.connection.request("GET", own.path)
                wanted = box.connection.getresponse().read()
                box.close()
                self.assertTrue(record["file_url"].startswith("/unified/ats/attachments/"))
                status, headers, got = self.raw("GET", record["file_url"])
                self.assertEqual((status, got), (200, wanted))
                self.assertEqual(headers["content-length"], str(len(wanted)))
                self.assertEqual(headers["content-type"], record["content_type"])
                self.assertTrue(headers["content-disposition"].startswith("attachment; filename"))
                self.assertIn("upstream;dur=", headers["server-timing"])
                self.assertNotIn(own.netloc, str(headers))
                seen.add(record["attachment_type"])
        self.assertLessEqual({"resume", "other"}, seen)

    def test_the_link_is_there_whatever_fields_are_asked_for(self):
        self.open()
        for candidate in self.truth()["ids"]:
            page = self.list("attachments", candidate_id=str(candidate), fields="file_url")[2]
            for record in page["result"]:
                self.assertEqual(set(record), {"file_url"})
                self.assertEqual(self.raw("GET", record["file_url"])[0], 200)

    def test_head_tells_of_it(self):
        self.open()
        made = self.put_native(some_bytes(3 * MB))
        status, headers, body = self.raw("HEAD", self.link_of(made["id"]))
        self.assertEqual((status, body, headers["content-length"]), (200, b"", str(3 * MB)))
        self.assertEqual(headers["content-disposition"], 'attachment; filename="big file.bin"')

    def test_links_with_a_public_url(self):
        self.linked("--candidates", "20", server_options=("--public-url", "https://ats.example/"))
        for candidate in self.truth()["ids"]:
            for record in self.list("attachments", candidate_id=str(candidate))[2]["result"]:
                self.assertTrue(record["file_url"].startswith(
                    f"https://ats.example/unified/ats/attachments/{record['id']}/download?"))

    def test_what_is_not_there(self):
        self.open()
        for path, status, error in (
                ("/unified/ats/attachments/999999/download", 404, "not_found"),
                ("/unified/ats/candidates/1/download", 404, "not_found"),
                ("/unified/ats/nothings/1/download", 404, "not_found")):
            got, _, body = self.call("GET", path)
            self.assertEqual((got, body["error"]), (status, error), body)
        got, _, body = self.call("GET", "/unified/ats/attachments/999999/download",
                                 candidate_id=self.candidate)
        self.assertEqual((got, body["field"]), (404, "id"), body)
        got, _, body = self.call("GET", "/unified/ats/attachments/1/download", limit=3)
        self.assertEqual((got, body["field"]), (400, "limit"), body)

    def test_a_caller_who_leaves(self):
        """Nothing of the download is left behind, and the server goes on."""
        self.open()
        link = self.link_of(self.put_native(some_bytes(20 * MB))["id"])
        for _ in range(5):
            leaver = http.client.HTTPConnection(self.serve.host, timeout=60)
            leaver.request("GET", link, headers={"Authorization": f"Bearer {self.key}"})
            self.assertEqual(len(leaver.getresponse().read(100000)), 100000)
            leaver.close()
        self.assertEqual(self.raw("GET", link)[2], some_bytes(20 * MB))
        self.assertEqual(self.serve.stop(), 0)

    def test_a_file_that_is_cut_short_is_no_whole_one(self):
        for given in (0, 2 * MB):
            store = FakeStore(5 * MB, given)
            self.addCleanup(store.close)
            serve = start_server(self.data, store)
            self.addCleanup(serve.kill)
            key = create_key(self.data)["key"]
            account = json.loads(link_account(self.data, store).stdout)["id"]
            for path in ("/unified/ats/attachments/7/download", "/custom/elsewhere"):
                client = http.client.HTTPConnection(serve.host, timeout=60)
                client.request("GET", f"{path}?integrated_account_id={account}",
                               headers={"Authorization": f"Bearer {key}"})
                answer = client.getresponse()
                self.assertEqual((answer.status, answer.length), (200, 5 * MB))
                with self.assertRaises((http.client.IncompleteRead, ConnectionResetError)):
                    answer.read()
                client.close()
            serve.stop()
            self.assertIn("reply_broken_off", "".join(serve.log))

    # --- up -----------------------------------------------------------------------------------

    def create(self, resource, fields, file, headers=None, **form_options):
        body, kind = form(fields, file, **form_options)
        return self.call("POST", f"/unified/ats/{resource}", body,
                         {"Content-Type": kind, **(headers or {})})

    def test_attachments_go_up_and_come_down(self):
        """However large, and whether or not a line's end follows the form."""
        self.open()
        for number, (size, tail, kind) in enumerate((
                (0, b"\r\n", "other"), (1, b"", "other"), (70000, b"", "resume"),
                (3 * MB + 7, b"\r\n", "resume"), (8 * MB, b"", "other"))):
            data = some_bytes(size, seed=number) if size else b""
            status, _, made = self.create(
                "attachments", [("candidate_id", self.candidate), ("attachment_type", kind)],
                ("file", f"näme {number}.bin", "application/x-thing", data), tail=tail)
            self.assertEqual(status, 201, made)
            self.assertEqual(made["attachment_type"], kind)
            if kind == "other":
                self.assertEqual((made["file_name"], made["size_bytes"]),
                                 (f"näme {number}.bin", size))
            self.assertEqual(self.raw("GET", made["file_url"])[2], data)

    def test_a_candidate_comes_with_a_resume(self):
        """Created in a job, found again, and the file is what was sent, byte for byte."""
        self.open()
        job = self.list("jobs", status="open")[2]["result"][0]["id"]
        resume = some_bytes(4 * MB, seed=9)
        body = {"name": "Noor Achterberg", "emails": [{"email": "noor@achterberg.example"}],
                "job_id": job, "attachments": [{"file_name": "note.txt", "content": "aGVsbG8="}]}
        text, kind = form([], ("resume", "noor.pdf", "application/pdf", resume))
        part = ('--b0undary\r\nContent-Disposition: form-data; name="body"\r\n'
                f"Content-Type: application/json\r\n\r\n{json.dumps(body)}\r\n").encode()
        headers = {"Content-Type": kind, "Idempotency-Key": "noor"}
        status, _, made = self.call("POST", "/unified/ats/candidates", part + text, headers)
        self.assertEqual(status, 201, made)
        status, sent, again = self.call("POST", "/unified/ats/candidates", part + text, headers)
        self.assertEqual((status, again["id"]), (201, made["id"]))
        self.assertEqual(sent["idempotency-replayed"], "true")
        found = self.list("candidates", email="noor@achterberg.example")[2]["result"]
        self.assertEqual([one["id"] for one in found], [made["id"]])
        files = {one["attachment_type"]: one for one in
                 self.list("attachments", candidate_id=made["id"])[2]["result"]}
        self.assertEqual(set(files), {"resume", "other"})
        self.assertEqual(self.raw("GET", files["resume"]["file_url"])[2], resume)
        self.assertEqual(self.raw("GET", files["other"]["file_url"])[2], b"hello")

    def test_forms_that_are_refused(self):
        """By name, and nothing is written."""
        self.open()
        file = ("file", "a.bin", "application/x-a", b"abc")
        here = ("candidate_id", self.candidate)
        for fields, part, field in (
                ([here], ("cabbage", "a", "a/b", b"abc"), "cabbage"),
                ([here, here], file, "candidate_id"),
                ([here, ("nothing", "1")], file, "nothing"),
                ([here, ("url", "https://x.example/a")], file, "content"),
                ([here, ("content", "YWJj")], file, "content")):
            status, _, body = self.create("attachments", fields, part)
            self.assertEqual((status, body["field"]), (400, field), body)
        status, _, body = self.create("departments", [("name", "x")], file)
        self.assertEqual((status, body["field"]), (400, "body"), body)
        text, kind = form([here], file)
        late = text.replace(b"--b0undary--", b'--b0undary\r\nContent-Disposition: form-data; '
                            b'name="late"\r\n\r\nx\r\n--b0undary--')
        for broken in (late, text[:-20] + b"xxxxxxxxxxxxxxxxxxxx"):
            status, _, body = self.call("POST", "/unified/ats/attachments", broken,
                                        {"Content-Type": kind})
            self.assertEqual((status, body["field"]), (400, "body"), body)
        self.assertEqual(self.truth("attachments")["created"], [])

    def test_a_dry_run_sends_nothing(self):
        self.open()
        body, kind = form([("candidate_id", self.candidate)], ("file", "a", "a/b", b"abc"))
        status, _, told = self.call("POST", "/unified/ats/attachments", body,
                                    {"Content-Type": kind}, dry_run="true")
        self.assertEqual((status, told["missing"]), (200, []), told)
        self.assertEqual(told["calls"][0]["path"], "/attachments")
        self.assertEqual(self.truth("attachments")["created"], [])

    def test_too_large(self):
        """Told at once where the length says so, and otherwise when it is passed."""
        self.open()
        head, kind = form([("candidate_id", self.candidate)], ("file", "a", "a/b", b""))
        head = head[:head.index(b"\r\n--b0undary--")]
        for chunked in (False, True):
            client = http.client.HTTPConnection(self.serve.host, timeout=120)
            client.putrequest("POST",
                              f"/unified/ats/attachments?integrated_account_id={self.account}")
            client.putheader("Authorization", f"Bearer {self.key}")
            client.putheader("Content-Type", kind)
            if chunked:
                client.putheader("Transfer-Encoding", "chunked")
            else:
                client.putheader("Content-Length", str(len(head) + 101 * MB))
            client.endheaders()
            try:
                client.send(b"%x\r\n%s\r\n" % (len(head), head) if chunked else head)
                for _ in range(101 if chunked else 0):
                    client.send(b"%x\r\n%s\r\n" % (MB, bytes(MB)))
                client.send(b"0\r\n\r\n" if chunked else b"")
            except OSError:
                pass  # it was told already
            answer = client.getresponse() if chunked else self.answer_of(client, head)
            body = json.loads(answer.read())
            self.assertEqual((answer.status, body["error"]), (413, "limit_exceeded"), body)
            self.assertIn("104857600", body["message"])
            client.close()
        self.assertEqual(self.truth("attachments")["created"], [])

    def test_far_too_large_is_told_before_the_body(self):
        self.open()
        client = http.client.HTTPConnection(self.serve.host, timeout=60)
        client.request("POST", f"/custom/attachments?integrated_account_id={self.account}",
                       headers={"Authorization": f"Bearer {self.key}", "Expect": "100-continue",
                                "Content-Type": "application/x-a", "Content-Length": 200 * MB})
        answer = client.getresponse()
        body = json.loads(answer.read())
        self.assertEqual((answer.status, body["error"]), (413, "limit_exceeded"), body)
        self.assertRegex(body["message"], r"at most \d+ bytes")
        client.close()

    def answer_of(self, client, head):
        """A reply comes behind the body, of which the rest is thrown away."""
        try:
            for _ in range(101):
                client.send(bytes(MB))
        except OSError:
            pass
        return client.getresponse()

    def test_a_caller_who_breaks_off(self):
        """Half a file is none in the ATS."""
        self.open()
        body, kind = form([("candidate_id", self.candidate)],
                          ("file", "a", "a/b", some_bytes(2 * MB)))
        for part in (len(body) - 30, MB, 300):
            sender = socket.create_connection(self.serve.host.split(":"))
            sender.sendall((f"POST /unified/ats/attachments?integrated_account_id={self.account} "
                            f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
                            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
                            ).encode() + body[:part])
            sender.close()
        self.assertEqual(self.serve.stop(), 0, self.serve.log[-12:])
        self.assertEqual(self.truth("attachments")["created"], [])

    # --- both ways ----------------------------------------------------------------------------

    def test_proxy_and_custom_carry_files_both_ways(self):
        self.open()
        for door in ("proxy", "custom"):
            data = some_bytes(5 * MB, seed=len(door))
            made = self.put_native(data, door)
            self.assertEqual(made["file_size"], len(data))
            self.assertEqual(self.raw("GET", self.link_of(made["id"]))[2], data)

    def test_in_little_memory(self):
        """What a file of 30 MB takes of the server's memory is a small part of it."""
        self.open()
        self.put_native(some_bytes(MB))
        before = peak_kb(self.serve)
        data = some_bytes(30 * MB)
        link = self.link_of(self.put_native(data)["id"])
        self.assertEqual(self.raw("GET", link)[2], data)
        self.assertLess(peak_kb(self.serve) - before, 2 * 1024)

    def test_the_same_again_under_its_key(self):
        self.open()
        data = some_bytes(2 * MB)
        made = self.put_native(data, **{"Idempotency-Key": "k"})
        self.assertEqual(self.put_native(data, **{"Idempotency-Key": "k"}), made)
        other = bytearray(data)
        other[MB] ^= 1
        body, kind = form([("attachment[candidate_id]", self.candidate)],
                          ("attachment[file]", "big file.bin", "application/x-thing", bytes(other)))
        status, _, answer = self.call("POST", "/proxy/attachments/upload", body,
                                      {"Content-Type": kind, "Idempotency-Key": "k"})
        self.assertEqual((status, answer["error"]), (409, "conflict"), answer)

"""Bad input: a clear error which names the field and what is allowed, in one shape."""
import http.client
import json
import pathlib
import shutil
import socket

from harness import COMPANY, ROOT, TOKEN, Case, Client, create_key, link_account, run_tenon


class BadInput(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "230")

    def refuse(self, answer, status, error, field=None, allowed=None):
        got, headers, body = answer
        self.assertEqual(got, status, str(body)[:2000])
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(body["statusCode"], status)
        self.assertEqual(body["error"], error, body)
        self.assertTrue(body["message"])
        self.assertTrue(body["request_id"])
        if field:
            self.assertEqual(body.get("field"), field, body)
        if allowed:
            self.assertIn(allowed, body.get("allowed", ""), body)
        return body

    def test_unknown_paths_and_resources(self):
        self.refuse(self.client.get("/nothing/here"), 404, "not_found")
        body = self.refuse(self.list("candidate"), 404, "not_found", "resource", "candidates")
        self.assertIn("candidate", body["message"])
        self.refuse(self.client.get("/unified/crm/contacts", integrated_account_id=self.account),
                    404, "not_found", "model", "ats")
        answer = self.client.request(
            "DELETE", f"/unified/ats/candidates?integrated_account_id={self.account}")
        self.refuse(answer, 405, "method_not_allowed")
        self.assertIn("GET", answer[1]["allow"])

    def test_methods_that_nobody_takes(self):
        """Known to HTTP or made up: refused by name, and the server lives on."""
        for method in ("OPTIONS", "TRACE", "PUT", "BREW", "get", "M" * 300):
            answer = self.client.request(
                method, f"/unified/ats/jobs?integrated_account_id={self.account}")
            self.refuse(answer, 405, "method_not_allowed", "method", "GET")
            self.refuse(self.client.request(method, "/nothing/here"), 404, "not_found")
        self.assertEqual(self.client.get("/healthz")[0], 200)

    def test_keys(self):
        for key in (None, "x", "tenon_" + "a" * 38, self.key[:-1] + ("x" if self.key[-1] != "x" else "y")):
            other = Client(self.serve.host, key)
            answer = other.get("/unified/ats/candidates", integrated_account_id=self.account)
            self.refuse(answer, 401, "unauthorized")
            self.assertIn("www-authenticate", answer[1])
            other.close()

    def test_revoked_key(self):
        made = create_key(self.data)
        other = Client(self.serve.host, made["key"])
        path = "/unified/ats/tags"
        self.assertEqual(other.get(path, integrated_account_id=self.account)[0], 200)
        run_tenon("key", "revoke", made["id"], "--environment", "production", "--data",
                  str(self.data))
        self.refuse(other.get(path, integrated_account_id=self.account), 401, "unauthorized")
        other.close()

    def test_scope(self):
        """A key for calls administers nothing."""
        self.refuse(self.client.get("/api-token"), 403, "forbidden")
        self.refuse(self.client.request("POST", "/integrated-account", {"connector": "recruitee"}),
                    403, "forbidden")

    def test_account_of_another_environment_is_as_one_that_does_not_exist(self):
        other = Client(self.serve.host, create_key(self.data, "staging")["key"])
        foreign = other.get("/unified/ats/candidates", integrated_account_id=self.account)
        missing = other.get("/unified/ats/candidates",
                            integrated_account_id="acc_00000000000000000000000000")
        self.refuse(foreign, 404, "not_found", "integrated_account_id")
        for answer in (foreign, missing):
            answer[2].pop("request_id")
        self.assertEqual(foreign[2], missing[2])
        other.close()
        self.refuse(self.client.get("/unified/ats/candidates"), 400, "invalid",
                    "integrated_account_id")

    def test_limits(self):
        for limit in ("0", "-1", "1000000000", "ten", "", "1.5", "99999999999999999999"):
            self.refuse(self.list("candidates", limit=limit), 400, "invalid", "limit",
                        "from 1 to 1000")

    def test_flags(self):
        self.refuse(self.list("candidates", expand="perhaps"), 400, "invalid", "expand", "true")

    def test_filters(self):
        self.refuse(self.list("candidates", colour="red"), 400, "invalid", "colour", "job_id")
        self.refuse(self.list("candidates", job_id="eleven"), 400, "invalid", "job_id", "whole number")
        self.refuse(self.list("attachments"), 400, "invalid", "candidate_id")
        path = f"/unified/ats/tags?integrated_account_id={self.account}&limit=1&limit=2"
        self.refuse(self.client.request("GET", path), 400, "invalid", "limit")

    def test_cursors(self):
        _, _, page = self.list("candidates", limit=100)
        cursor = page["next_cursor"]
        forged = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
        for wrong in (forged, "x", "A" * 200, cursor[:-1], "ü", cursor + "A" * 5000):
            self.refuse(self.list("candidates", next_cursor=wrong), 400, "invalid", "next_cursor")
        self.refuse(self.list("applications", next_cursor=cursor), 400, "invalid", "next_cursor")
        self.refuse(self.list("candidates", job_id="1", next_cursor=cursor), 400, "invalid",
                    "next_cursor")
        second = json.loads(link_account(self.data, self.box).stdout)["id"]
        answer = self.client.get("/unified/ats/candidates", integrated_account_id=second,
                                 next_cursor=cursor)
        self.refuse(answer, 400, "invalid", "next_cursor")

    def test_records_that_do_not_exist(self):
        for resource in ("candidates", "jobs", "tags", "departments", "users", "applications"):
            self.refuse(self.fetch(resource, "999999999"), 404, "not_found")

    def test_bodies(self):
        admin = Client(self.serve.host, create_key(self.data, "production", "--scope", "admin")["key"])
        for body in ("{", "", "[]", '{"a":1}x', '{"connector": "\xff"}'.encode("latin-1")):
            self.refuse(admin.request("POST", "/integrated-account", body), 400, "invalid", "body")
        body = self.refuse(admin.request("POST", "/integrated-account", {"conector": "x"}), 400,
                           "invalid", "body", "connector")
        self.assertIn("conector", body["message"])
        self.refuse(admin.request("POST", "/integrated-account", {"connector": "nope"}), 404,
                    "not_found", "connector", "recruitee")
        good = {"connector": "recruitee", "context": {"company_id": COMPANY},
                "credentials": {"api_token": TOKEN}}
        self.refuse(admin.request("POST", "/integrated-account",
                                  {**good, "context": {"company_id": "../x"}}),
                    400, "invalid", "company_id")
        self.refuse(admin.request("POST", "/integrated-account", {**good, "context": {}}), 400,
                    "invalid", "company_id")
        self.refuse(admin.request("POST", "/integrated-account",
                                  {**good, "credentials": {"api_token": "a\r\nX: y"}}),
                    400, "invalid", "api_token")
        self.refuse(admin.request("POST", "/integrated-account",
                                  {**good, "limits": {"requests": 0}}), 400, "invalid", "limits")
        answer = admin.request("POST", "/integrated-account",
                               {**good, "credentials": {"api_token": "wrong"}})
        self.assertIn(answer[0], (400, 401, 422), answer[2])
        self.assertNotIn(TOKEN, json.dumps(answer[2]))
        admin.close()

    def test_sizes(self):
        self.refuse(self.client.request("POST", "/integrated-account", {"x": "y" * 1048577}), 413,
                    "limit_exceeded", "body")
        # What is far too long by its announced length alone: nothing of the body is sent.
        host, port = self.serve.host.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(b"POST /integrated-account HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 16777217\r\n\r\n")
            answer = http.client.HTTPResponse(raw)
            answer.begin()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            self.assertIn("tenon;dur=", headers["server-timing"])
            self.refuse((answer.status, headers, json.loads(answer.read())), 413,
                        "limit_exceeded", "body")
        self.refuse(self.client.request("GET", "/unified/ats/tags?x=" + "y" * 7000), 414,
                    "limit_exceeded", "url")
        other = Client(self.serve.host, self.key)
        self.refuse(other.request("GET", "/unified/ats/tags", headers={"X-Big": "z" * 9000}), 431,
                    "limit_exceeded", "headers")
        other.close()

    def test_malformed_http(self):
        host, port = self.serve.host.split(":")
        for bytes_sent in (b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                           b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                           b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"):
            with socket.create_connection((host, int(port)), timeout=20) as raw:
                raw.sendall(bytes_sent)
                raw.shutdown(socket.SHUT_WR)
                answer = raw.recv(65536)
                self.assertFalse(answer.startswith(b"HTTP/1.1 2"), bytes_sent)
        self.assertEqual(self.client.get("/healthz")[0], 200)

    def test_upstream_nonsense(self):
        """Errors of the ATS come through in our shape, with what it said kept apart."""
        for kind in ("garbage", "content_type"):
            self.set_faults(**{kind: 1.0})
            body = self.refuse(self.list("tags"), 502, "upstream")
            self.assertNotIn(TOKEN, json.dumps(body))
            self.set_faults(**{kind: 0})
        self.assertEqual(self.list("tags")[0], 200)

    def test_upstream_rate_limit(self):
        self.set_faults(rate_limit=1.0)
        answer = self.list("tags")
        self.set_faults(rate_limit=0)
        body = self.refuse(answer, 429, "rate_limited")
        self.assertEqual(body["remote"]["status"], 429)

    def test_data_folder_of_another_process(self):
        done = run_tenon("serve", "--listen", "127.0.0.1:0", "--data", str(self.data), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.serve.pid), done.stderr)

    def test_faulty_connector(self):
        share = self.folder / "share"
        for name in ("models", "connectors"):
            shutil.copytree(ROOT / name, share / name)
        path = share / "connectors/recruitee/connector.yaml"
        lines = path.read_text().splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("limits:"))
        lines[at] = lines[at].replace("limits:", "limts:")
        path.write_text("\n".join(lines) + "\n")
        done = run_tenon("connector", "check", str(path.parent), "--share", str(share), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"connector.yaml:{at + 1}:", done.stderr)
        self.assertIn("limits", done.stderr)
        done = run_tenon("serve", "--listen", "127.0.0.1:0", "--data", str(self.folder / "d2"),
                         "--share", str(share), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"connector.yaml:{at + 1}:", done.stderr)

    def test_command_line(self):
        for arguments in (["nope"], ["serve", "--nope"], ["serve", "--workers", "many"],
                          ["key", "create"], ["account", "link"], ["sandbox", "nosuch"],
                          ["sandbox", "recruitee", "--fault", "flood:1"], ["call", "GET"]):
            done = run_tenon(*arguments, check=False)
            self.assertNotEqual(done.returncode, 0, arguments)
            self.assertTrue(done.stderr.strip(), arguments)
        self.assertIn("rate_limit", run_tenon("sandbox", "recruitee", "--fault", "flood:1",
                                              check=False).stderr)

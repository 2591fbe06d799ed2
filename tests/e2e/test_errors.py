"""What an error of the ATS becomes: its own words kept apart, and what to do about it."""
import json

from harness import COMPANY, TOKEN, Case, Client, Process

FREE = ("--limit", "requests=100000")  # a patient client would wait


class Errors(Case):
    def call(self, method, path, body=None):
        sign = "&" if "?" in path else "?"
        return self.client.request(method, f"{path}{sign}integrated_account_id={self.account}",
                                   body)

    def refused(self, status, error, method, path, body=None):
        got, headers, answer = self.call(method, path, body)
        self.assertEqual((got, answer["error"]), (status, error), answer)
        return answer

    def again(self, *sandbox_options, token=TOKEN, company=COMPANY, server_options=()):
        """The same data, and another sandbox behind it."""
        self.serve.stop()
        box = Process(["sandbox", "recruitee", "--listen", "127.0.0.1:0", "--token", token,
                       "--company", company, "--candidates", "5", *sandbox_options])
        self.addCleanup(box.kill)
        self.serve = self.server(box, *server_options)
        self.client.close()
        self.client = Client(self.serve.host, self.key)
        self.addCleanup(self.client.close)

    def test_missing_fields_are_named(self):
        self.linked("--candidates", "5", link_options=FREE)
        for method, path, body, missing in [
                ("POST", "/custom/candidates", {"candidate": {"name": ""}}, ["name"]),
                ("POST", "/custom/offers", {"offer": {"description": "x"}},
                 ["title", "requirements", "location_ids"])]:
            answer = self.refused(400, "invalid", method, path, body)
            self.assertEqual(answer["insight"], {"missing_fields": missing}, answer)
            self.assertEqual(answer["remote"]["status"], 422)
            self.assertIn("error_fields", answer["remote"]["body"])
            self.assertIn("application/json", answer["remote"]["headers"]["content-type"])
        # Nothing is missing where something is not there, or the caller's own words are wrong.
        answer = self.refused(404, "not_found", "GET", "/proxy/candidates/999999999")
        self.assertNotIn("insight", answer)
        self.assertEqual(answer["remote"]["status"], 404)
        answer = self.refused(400, "invalid", "GET", "/unified/ats/jobs?limit=0")
        self.assertFalse({"insight", "remote"} & set(answer), answer)

    def test_a_missing_right_is_told(self):
        self.linked("--candidates", "5", link_options=FREE)
        self.again(company="55555")
        for path in ("/unified/ats/jobs", "/proxy/offers", "/custom/offers",
                     "/unified/ats/jobs?response_format=stream"):
            answer = self.refused(403, "forbidden", "GET", path)
            self.assertEqual(answer["insight"], {"missing_rights": []})
            self.assertEqual(answer["remote"]["status"], 403)
            self.assertEqual(answer["remote"]["body"], {"error": ["Forbidden"]})

    def test_a_refused_credential_wants_its_owner(self):
        self.linked("--candidates", "5", link_options=FREE)
        self.again(token="another-token-than-before")
        answer = self.refused(401, "unauthorized", "GET", "/unified/ats/jobs")
        self.assertNotIn("insight", answer)
        self.assertIn("Bearer", answer["remote"]["headers"]["www-authenticate"])
        self.assertNotIn(TOKEN, json.dumps(answer))

    def test_a_rate_limit_is_told_with_whose_it_is(self):
        self.linked("--candidates", "5", link_options=FREE)
        self.again("--rate-limit", "1/600", server_options=("--call-timeout", "2"))
        self.call("GET", "/proxy/departments")
        got, headers, answer = self.call("GET", "/proxy/departments")
        self.assertEqual((got, answer["error"]), (429, "rate_limited"), answer)
        limit = answer["insight"]["rate_limit"]
        self.assertEqual(limit["by"], "ats")
        self.assertEqual(str(limit["retry_after"]), headers["retry-after"])
        self.assertEqual(answer["remote"]["status"], 429)
        self.assertEqual(answer["remote"]["headers"]["retry-after"], headers["retry-after"])
        # From now on tenon waits on its own: the ATS is not asked before that.
        answer = self.refused(429, "rate_limited", "GET", "/proxy/departments")
        self.assertEqual(answer["insight"]["rate_limit"]["by"], "account")
        self.assertNotIn("remote", answer)
        self.assertGreater(answer["insight"]["rate_limit"]["retry_after"], 2)

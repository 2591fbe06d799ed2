"""Notifications of an ATS: its signature opens the door and nothing else does, one is taken once, what
has come is told, and what they are about is fetched and told as events."""
import collections
import hashlib
import hmac
import json
import time
import unittest

from harness import COMPANY, TOKEN, Case, Client, create_key, run_tenon
from receiver import Receiver

SECRET = "e2e-secret-of-the-webhook"
OTHER = "e2e-other-secret-of-the-webhook"


def notice(number, event="candidate_moved", attempt=1, **payload):
    return json.dumps({"id": number, "event_type": event, "event_subtype": "stage_changed",
                       "attempt_count": attempt, "payload": payload or {"candidate": {"id": 7}}})


def sign(body, secret=SECRET):
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


class Inbound(Case):
    def start(self, *options, **named):
        self.linked(*options, **named)
        key = create_key(self.data, "production", "--scope", "admin")["key"]
        self.admin = Client(self.serve.host, key)
        self.addCleanup(self.admin.close)

    def send(self, body, signature=None, account=None, secret=SECRET):
        """As the ATS does, without a key; (status, answer)."""
        client = Client(self.serve.host)
        headers = {"Content-Type": "application/json", "User-Agent": "Recruitee-Webhooks"}
        if signature != "":
            headers["X-Recruitee-Signature"] = signature or sign(body, secret)
        status, _, answer = client.request(
            "POST", f"/integrated-account-webhook/{account or self.account}", body, headers)
        client.close()
        return status, answer

    def webhook(self, method="GET", body=None, client=None):
        return (client or self.admin).request(
            method, f"/integrated-account/{self.account}/webhook", body)

    def put(self, secret=SECRET, **more):
        status, _, answer = self.webhook("PUT", {"secret": secret, **more})
        self.assertEqual(status, 200, answer)
        return answer

    def deliveries(self, **query):
        status, _, page = self.admin.get(
            f"/integrated-account/{self.account}/webhook/deliveries", **query)
        self.assertEqual(status, 200, page)
        return page

    def test_what_proves_it_is_taken_once(self):
        self.start()
        before = self.webhook()[2]
        self.assertFalse(before["is_active"])
        self.assertEqual(before["signature"],
                         {"algorithm": "hmac-sha256", "header": "X-Recruitee-Signature"})
        shown = self.put()
        self.assertTrue(shown["is_active"])
        self.assertTrue(shown["url"].endswith(f"/integrated-account-webhook/{self.account}"))
        self.assertNotIn(SECRET, json.dumps(shown))
        body = notice(1)
        self.assertEqual(self.send(body), (200, {"result": "stored"}))
        self.assertEqual(self.send(body), (200, {"result": "repeated"}))
        self.assertEqual(self.send(notice(1, attempt=2)), (200, {"result": "repeated"}))
        self.assertEqual(self.send(notice(2, "offer_published", offer={"id": 9})),
                         (200, {"result": "stored"}))
        self.assertEqual(self.send('{"test":true}', ""), (200, {"result": "tried"}))
        newest, oldest = self.deliveries()["result"]
        self.assertEqual((oldest["remote_id"], oldest["event"], oldest["body"]),
                         ("1", "candidate_moved/stage_changed", json.loads(body)))
        self.assertEqual(oldest["hints"][:2],
                         [{"resource": "candidates", "id": "7"},
                          {"resource": "applications", "filter": {"candidate_id": "7"}}])
        self.assertEqual(newest["hints"], [{"resource": "jobs", "id": "9"}])
        first = self.deliveries(limit=1)
        second = self.deliveries(limit=1, next_cursor=first["next_cursor"])
        self.assertEqual([first["result"][0], second["result"][0]], [newest, oldest])
        self.assertEqual(self.deliveries(limit=1, next_cursor=second["next_cursor"])["result"], [])
        self.put(OTHER, overlap_s=60)  # behind what was to be written later
        shown = self.webhook()[2]
        self.assertEqual((shown["received_count"], shown["repeated_count"],
                          shown["refused_count"]), (2, 2, 0))
        self.assertIsNotNone(shown["last_tried_at"])
        self.assertEqual(len(shown["secrets"]), 2)
        self.assertEqual(self.send(notice(3))[0], 200)
        self.assertEqual(self.send(notice(4), secret=OTHER)[0], 200)

    def test_nothing_else_is(self):
        self.start()
        body = notice(1)
        refused = [self.send(body)]  # none are taken yet
        self.put()
        refused += [self.send(body, account="acc_00000000000000000000000000"),
                    self.send(body, ""), self.send(body, "00"), self.send(body, secret=OTHER),
                    self.send(body + " ", sign(body)), self.send('{"test":false}', "")]
        for status, answer in refused:
            answer.pop("request_id")
            self.assertEqual((status, answer), (401, refused[0][1]))
        self.assertEqual(self.send("x" * (1024 * 1024 + 1))[0], 413)
        self.assertEqual(self.deliveries()["result"], [])
        self.put(OTHER)
        self.assertEqual(self.send(body)[0], 401)
        self.assertEqual(self.send(body, secret=OTHER)[0], 200)
        status, _, shown = self.webhook("DELETE")
        self.assertEqual((status, shown["is_active"], shown["secrets"]), (200, False, []))
        self.assertEqual(self.send(notice(2), secret=OTHER)[0], 401)
        self.assertEqual(self.webhook("DELETE")[0], 404)
        self.assertEqual(len(self.deliveries()["result"]), 1)
        run_tenon("account", "remove", self.account, "--data", str(self.data))
        self.assertEqual(self.send(notice(3), secret=OTHER)[0], 401)

    def test_faults_are_named(self):
        self.start()
        for body, field in (({}, "secret"), ({"secret": "short"}, "secret"),
                            ({"secret": "x" * 513}, "secret"), ({"secret": 12345678}, "secret"),
                            ({"secret": SECRET, "overlap_s": -1}, "overlap_s"),
                            ({"secret": SECRET, "overlap_s": "1"}, "overlap_s"),
                            ({"secret": SECRET, "overlap_s": 604801}, "overlap_s"),
                            ({"secret": SECRET, "url": "x"}, "body")):
            status, _, answer = self.webhook("PUT", body)
            self.assertEqual((status, answer["field"]), (400, field), body)
        status, _, answer = self.admin.get(
            f"/integrated-account/{self.account}/webhook/deliveries", next_cursor="x")
        self.assertEqual((status, answer["field"]), (400, "next_cursor"))
        self.assertEqual(self.webhook(client=self.client)[0], 403)

    # --- from the ATS to events ---

    def until(self, is_so, seconds=60):
        """Waits for event after event until it is so; events of records are kept."""
        end = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), end, "it did not become so")
            page = self.admin.get("/events", after=self.last, limit=1000, wait=1)[2]["result"]
            for event in page:
                self.last = event["number"]
                self.seen.append(event)

    def synchronise(self, *resources):
        """Jobs which have done their first load, and then have nothing to do for an hour."""
        self.last, self.seen = 0, []
        status, _, jobs = self.admin.request(
            "POST", "/sync-job", {"integrated_account_id": self.account, "interval_s": 3600,
                                  "resources": list(resources)})
        self.assertEqual(status, 201, jobs)
        wanted = len(jobs["result"])
        self.until(lambda: sum(e["event"] == "sync_job_run:completed" for e in self.seen) == wanted)

    def told(self):
        """The ATS has told all."""
        state = self.control("GET", "webhook")
        self.assertEqual((state["failed"], state["given_up"]), (0, 0))
        return state["pending"] == 0

    def events(self):
        """Of records, each with its own in order."""
        found = collections.defaultdict(list)
        for event in self.seen:
            if event.get("record_id"):
                found[event["resource"], event["record_id"]].append(event)
        return found

    def is_as_told(self, resource, identifier, events):
        """Does the last event of a record say what the ATS says now?"""
        told = [e for e in events if e["event"].startswith("record:")]
        status, _, live = self.fetch(resource, identifier)
        if not told:
            return False
        if status == 404:
            return told[-1]["event"] == "record:deleted"
        self.assertEqual(status, 200, live)
        last = told[-1]["payload"]["record"]
        return all(last[name] == live[name] for name in ("name", "updated_at", "applications", "tags"))

    def test_what_the_ats_tells_becomes_events(self):
        self.start("--candidates", "60", "--seed", "7")
        url = self.put()["url"]
        self.synchronise("candidates", "applications", "jobs")
        self.control("PUT", "webhook", {"url": url, "secret": SECRET, "repeated": 0.3})
        self.step(60)
        self.until(self.told)
        shown = self.deliveries(limit=1000)["result"]
        self.assertGreater(sum(d["repeated_count"] for d in shown), 0)
        about = {h["id"] for d in shown for h in d["hints"] if h["resource"] == "candidates"}
        self.assertGreater(len(about), 10)
        for identifier in sorted(about):
            self.until(lambda: self.is_as_told(
                "candidates", identifier, self.events()["candidates", identifier]))
        # Applications are fetched after their candidates.
        wanted = {"record:created", "record:updated", "record:deleted",
                  "application:stage_changed", "application:rejected"}
        self.until(lambda: wanted <= {e["event"] for e in self.seen})
        for record, events in self.events().items():
            own = [e["version"] for e in events if e["event"].startswith("record:")]
            self.assertEqual(own, list(range(1, len(own) + 1)), record)
            for event in events:
                if not event["event"].startswith("record:"):
                    self.assertIn(event["version"], own)

    # --- and out again ---

    def change(self, candidate, name):
        """At the ATS, which tells nobody of it."""
        client = Client(self.box.host, TOKEN)
        status, _, answer = client.request("PATCH", f"/c/{COMPANY}/candidates/{candidate}",
                                           {"candidate": {"name": name}})
        client.close()
        self.assertEqual(status, 200, answer)

    def names(self, candidate):
        """Those that its events told."""
        return [event["payload"]["record"]["name"]
                for event in self.events()["candidates", candidate]
                if event["event"].startswith("record:")]

    def test_what_the_ats_tells_comes_out_in_order_and_nothing_else(self):
        self.start("--candidates", "40", "--seed", "9",
                   server_options=("--allow-address", "127.0.0.0/8"))
        url = self.put()["url"]
        self.synchronise("candidates", "applications")
        receiver = Receiver()
        self.addCleanup(receiver.close)
        status, _, made = self.admin.request("POST", "/webhook", {
            "target_url": receiver.url, "event_types": ["record:*"]})
        self.assertEqual(status, 201, made)
        self.control("PUT", "webhook", {"url": url, "secret": SECRET, "repeated": 0.3})
        self.step(50)
        self.until(self.told)
        self.control("PUT", "webhook", {})
        about = [{h["id"] for h in d["hints"] if h["resource"] == "candidates"}
                 for d in self.deliveries(limit=1000)["result"]]
        for identifier in sorted(set().union(*about)):
            self.until(lambda: self.is_as_told(
                "candidates", identifier, self.events()["candidates", identifier]))
        one, other = [record["id"] for record in self.list("candidates", limit=2)[2]["result"]]
        first = notice(9001, candidate={"id": int(one)})
        self.change(one, "Told Once")
        self.assertEqual(self.send(first), (200, {"result": "stored"}))
        self.until(lambda: self.names(one)[-1:] == ["Told Once"])
        # What is forged or repeated brings nothing of what has changed since.
        self.change(one, "Never Told")
        self.change(other, "Told After")
        self.assertEqual(self.send(first), (200, {"result": "repeated"}))
        forged = notice(9002, candidate={"id": int(one)})
        self.assertEqual(self.send(forged, secret=OTHER)[0], 401)
        self.assertEqual(self.send(forged, sign(first))[0], 401)
        self.assertEqual(self.send(notice(9003, candidate={"id": int(other)}))[0], 200)
        self.until(lambda: self.names(other)[-1:] == ["Told After"])
        self.assertEqual(self.names(one)[-1], "Told Once")
        self.assert_delivered(receiver, made["secret"])

    def assert_delivered(self, receiver, secret):
        """All events of records, once, those of one record in their order."""
        def told():
            return {e["id"]: e for e in self.seen if e["event"].startswith("record:")}

        self.until(lambda: {message.id for message in receiver.delivered()} == set(told()))
        messages = receiver.delivered()
        self.assertEqual({message.id: message.event for message in messages}, told())
        self.assertEqual(len(messages), len(told()))
        versions = collections.defaultdict(list)
        for message in messages:
            self.assertTrue(message.is_signed(secret))
            versions[message.event["resource"], message.event["record_id"]].append(
                message.event["version"])
        for record, own in versions.items():
            self.assertEqual(own, list(range(1, len(own) + 1)), record)


if __name__ == "__main__":
    unittest.main()

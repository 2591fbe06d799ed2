"""Webhooks out: signed, at least once with the same bytes, in order per record, whatever the
receiver does and however often the server is killed."""
import datetime
import http.client
import json
import os
import random
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import Case, Client, create_key, link_account
from receiver import Receiver

LOOPBACK = ("--allow-address", "127.0.0.0/8")


class Base(Case):
    def begin(self, *options, answer=lambda message: 200, **webhook):
        """A server, an account, a receiver and a webhook to it."""
        self.linked("--candidates", "3", server_options=(*LOOPBACK, *options))
        self.client = self.administrator()
        self.receiver = self.receiver_of(answer)
        self.webhook = self.create(target_url=self.receiver.url, **webhook)

    def administrator(self, environment="production"):
        key = create_key(self.data, environment, "--scope", "call", "--scope", "admin")["key"]
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        return client

    def receiver_of(self, answer=lambda message: 200):
        receiver = Receiver(answer)
        self.addCleanup(receiver.close)
        return receiver

    def create(self, **body):
        status, _, webhook = self.client.request("POST", "/webhook", body)
        self.assertEqual(status, 201, webhook)
        return webhook

    def post(self, rest, body=None, wanted=200, webhook=None):
        webhook = webhook or self.webhook
        status, _, answer = self.client.request("POST", f"/webhook/{webhook['id']}/{rest}", body)
        self.assertEqual(status, wanted, answer)
        return answer

    def show(self, webhook=None):
        return self.client.get(f"/webhook/{(webhook or self.webhook)['id']}")[2]

    def deliveries(self, **query):
        status, _, body = self.client.get(f"/webhook/{self.webhook['id']}/deliveries", **query)
        self.assertEqual(status, 200, body)
        return body["result"]

    def happen(self, count=1, account=None, client=None):
        """Events of an account, each with its number in it."""
        for _ in range(count):
            self.made = getattr(self, "made", 0) + 1
            status, _, body = (client or self.client).request(
                "PATCH", f"/integrated-account/{account or self.account}",
                {"context": {"company_id": "41207", "made": self.made}})
            self.assertEqual(status, 200, body)

    def events(self, **query):
        status, _, body = self.client.get("/events", limit=1000, **query)
        self.assertEqual(status, 200, body)
        return body["result"]

    def wait_until(self, predicate, what):
        """Watches through deliveries that change; the receiver's news are no end of it."""
        for _ in range(600):
            found = predicate()
            if found:
                return found
            threading.Event().wait(0.05)
        self.fail(f"{what} did not come about")

    def every_event(self, **query):
        found, after = [], 0
        while True:
            page = self.events(after=after, **query)
            if not page:
                return found
            found += page
            after = page[-1]["number"]

    def check_bytes(self):
        bytes_of = {}
        for message in self.receiver.messages:
            self.assertEqual(bytes_of.setdefault(message.id, message.body), message.body)

    def check_order_and_bytes(self):
        """The first delivery of each event, by its id."""
        self.check_bytes()
        first, last = {}, {}
        for message in self.receiver.delivered():
            first.setdefault(message.id, message)
        for message in first.values():
            event = message.event
            key = (event["integrated_account_id"], event.get("resource"), event.get("record_id"))
            self.assertLess(last.get(key, 0), event["number"], "out of order")
            last[key] = event["number"]
        return first


class Webhooks(Base):
    def test_an_event_is_told_as_everywhere_and_signed(self):
        self.begin()
        self.happen(3)
        messages = self.receiver.wait_for(lambda all: len(all) == 3)
        told = self.events(type="integrated_account:updated")
        self.assertEqual([m.event for m in messages], told)
        for message in messages:
            self.assertEqual(message.id, message.event["id"])
            self.assertTrue(message.is_signed(self.webhook["secret"]))
            self.assertEqual(message.headers["content-type"], "application/json")
        self.wait_until(lambda: len(self.deliveries(state="delivered")) == 3, "the log")
        self.wait_until(lambda: self.show()["last_event_number"] == told[-1]["number"], "its place")
        self.assertNotIn("secret", self.show())

    def test_only_what_it_asked_for_is_told(self):
        self.begin(event_types=["record:*", "integrated_account:deleted"])
        everything = self.receiver_of()
        self.create(target_url=everything.url, payload="thin", after=0)
        other = self.receiver_of()
        self.create(target_url=other.url, integrated_account_ids=["acc_of_nobody"])
        self.happen(2)
        account = json.loads(link_account(self.data, self.box).stdout)["id"]
        status, _, _ = self.client.request("DELETE", f"/integrated-account/{account}")
        self.assertEqual(status, 200)
        (only,) = self.receiver.wait_for(lambda all: len(all) == 1)
        self.assertEqual(only.event["event"], "integrated_account:deleted")
        told = self.events()
        messages = everything.wait_for(lambda all: len(all) == len(told))
        self.assertEqual(sorted(m.event["number"] for m in messages), [e["number"] for e in told])
        self.assertEqual({json.dumps(m.event["payload"]) for m in messages}, {"{}"})
        self.assertEqual(other.messages, [])

    def test_masked_fields_are_not_told(self):
        self.begin(mask=["contact", "name", "stage"], event_types=["record:created"])
        self.records("candidates")
        for message in self.receiver.wait_for(lambda all: len(all) == 3):
            record = message.event["payload"]["record"]
            self.assertEqual(record["name"], "[masked]")
            self.assertNotIn("@", json.dumps(record["emails"]))
            self.assertEqual(record["id"], message.event["record_id"])

    def records(self, resource):
        """A first load which tells of each record."""
        status, _, job = self.client.request("POST", "/sync-job", {
            "integrated_account_id": self.account, "resource": resource,
            "initial_events": True})
        self.assertEqual(status, 201, job)
        return job

    def test_both_secrets_sign_while_one_takes_the_others_place(self):
        self.begin()
        first = self.webhook["secret"]
        second = self.post("rotate-secret", {"overlap_s": 3600})["secret"]
        self.happen()
        (message,) = self.receiver.wait_for(lambda all: len(all) == 1)
        self.assertTrue(message.is_signed(first) and message.is_signed(second))
        third = self.post("rotate-secret", {"overlap_s": 0})["secret"]
        self.happen()
        message = self.receiver.wait_for(lambda all: len(all) == 2)[1]
        self.assertTrue(message.is_signed(third))
        self.assertFalse(message.is_signed(first) or message.is_signed(second))
        self.assertEqual(message.headers["webhook-signature"].count("v1,"), 1)

    def test_failures_are_tried_again_in_order_and_with_the_same_bytes(self):
        seen = {}

        def answer(message):
            seen[message.id] = seen.get(message.id, 0) + 1
            kind = message.event["number"] % 4
            return 200 if seen[message.id] > 1 or kind == 3 else (500, "reset", 302)[kind]

        self.begin("--webhook-retries", "1s,1s,1s", answer=answer)
        self.happen(6)
        self.receiver.wait_for(lambda all: sum(m.status == 200 for m in all) == 6)
        self.assertEqual(len(self.check_order_and_bytes()), 6)
        self.wait_until(lambda: len(self.deliveries(state="delivered")) == 6, "the log")
        self.assertEqual({d["attempts"] for d in self.deliveries()}, {1, 2})

    def test_what_fails_to_the_end_is_given_up_and_can_be_sent_again(self):
        is_well = threading.Event()
        self.begin("--webhook-retries", "1s", answer=lambda m: 200 if is_well.is_set() else (
            400, {}, b"no <such> thing\x00"))
        self.happen()
        (failed,) = self.wait_until(lambda: self.deliveries(state="failed"), "giving up")
        self.assertEqual((failed["attempts"], failed["status"]), (2, 400))
        self.assertEqual(failed["response"], "no <such> thing?")
        self.happen()  # the one behind it is not held back for ever
        self.receiver.wait_for(lambda all: all[-1].event["number"] == failed["number"] + 1)
        is_well.set()
        self.wait_until(lambda: self.deliveries(state="delivered"), "the second")
        answer = self.post("replay", {"event_id": failed["event_id"]}, 202)
        self.assertEqual(answer["count"], 1)
        self.wait_until(lambda: len(self.deliveries(state="delivered")) == 2, "the replay")
        answer = self.post("replay", {"after": failed["number"] - 1}, 202)
        self.assertEqual(answer["count"], 2)
        self.receiver.wait_for(lambda all: sum(m.status == 200 for m in all) == 4)
        self.check_bytes()
        self.assertEqual(self.post("replay", {"event_id": "evt_1"}, 404)["field"], "event_id")
        self.assertEqual(self.post("replay", {}, 400)["field"], "event_id")

    def test_one_that_is_gone_is_sent_nothing_more(self):
        status = [410]
        self.begin(answer=lambda m: status[0])
        watcher = self.receiver_of()
        self.create(target_url=watcher.url, event_types=["webhook:*"])
        self.happen()
        (notice,) = watcher.wait_for(lambda all: len(all) == 1)
        self.assertEqual(notice.event["event"], "webhook:gone")
        self.assertEqual(notice.event["payload"]["id"], self.webhook["id"])
        self.assertIsNone(notice.event["integrated_account_id"])
        self.assertEqual(self.show()["status"], "gone")
        self.happen(3)
        status[0] = 200
        self.assertEqual(self.post("resume")["status"], "active")
        # All that happened meanwhile, and what it was told when it was gone.
        self.receiver.wait_for(lambda all: sum(m.status == 200 for m in all) >= 4)
        self.check_order_and_bytes()

    def test_nothing_is_lost_while_it_is_paused(self):
        self.begin()
        self.assertEqual(self.post("pause")["is_active"], False)
        self.happen(3)
        self.assertEqual(self.receiver.messages, [])
        self.post("resume")
        self.receiver.wait_for(lambda all: len(all) == 3)
        self.check_order_and_bytes()

    def test_a_dead_one_holds_no_other_back(self):
        self.begin(answer=lambda m: "stall")
        good = self.receiver_of()
        self.create(target_url=good.url)
        self.happen(40)
        good.wait_for(lambda all: len(all) == 40)
        self.assertLess(len(self.receiver.messages), 40)

    def test_retry_after_is_obeyed(self):
        answers = [(503, {"Retry-After": "3600"}, b"later")]
        self.begin("--webhook-retries", "1s", answer=lambda m: answers[0])
        self.happen()
        (waiting,) = self.wait_until(
            lambda: [d for d in self.deliveries() if d["attempts"] == 1], "an attempt")
        hour = clock(waiting["next_attempt_at"]) - clock(waiting["last_attempt_at"])
        self.assertGreaterEqual(hour, 3600)
        self.assertLess(hour, 3700)

    def test_trying_one_out(self):
        self.begin(answer=lambda m: (202, {}, b"thanks"))
        result = self.post("test")
        self.assertEqual((result["status"], result["is_delivered"], result["response"]),
                         (202, True, "thanks"))
        (message,) = self.receiver.messages
        self.assertEqual((message.event["event"], message.id), ("webhook:test", result["id"]))
        self.assertTrue(message.is_signed(self.webhook["secret"]))
        nobody = self.receiver_of()
        nobody.close()
        status, _, body = self.client.request("PATCH", f"/webhook/{self.webhook['id']}",
                                              {"target_url": nobody.url})
        self.assertEqual((status, body["target_url"]), (200, nobody.url))
        result = self.post("test")
        self.assertEqual((result["status"], result["is_delivered"]), (None, False))
        self.assertEqual(self.deliveries(), [])

    def test_only_public_addresses_over_https_without_leave(self):
        self.linked()
        self.client = self.administrator()
        status, _, body = self.client.request("POST", "/webhook", {"url": "http://a.example/"})
        self.assertEqual((status, body["field"]), (400, "target_url"))
        self.webhook = self.create(url="https://127.0.0.1:9/")
        result = self.post("test")
        self.assertIsNone(result["status"])
        self.assertIn("a loopback address", result["error"])

    def test_killed_and_started_again_nothing_is_lost(self):
        random.seed(7)
        self.begin("--webhook-retries", "1s,1s,1s,1s",
                   answer=lambda m: random.choice((200, 200, 200, 500)))
        for _ in range(4):
            self.happen(10)
            self.serve.kill()
            self.serve = self.server(self.box, *LOOPBACK, "--webhook-retries", "1s,1s,1s,1s",
                                     listen=self.serve.host)
            self.client.close()
        told = {e["id"] for e in self.events(type="integrated_account:updated")}
        self.assertEqual(len(told), 40)
        self.receiver.wait_for(lambda all: told <= {m.id for m in all if m.status == 200})
        self.check_order_and_bytes()

    def test_a_faulty_receiver_gets_everything_in_order(self):
        """20 % 500, 5 % timeouts, 1 % resets."""
        count = int(os.environ.get("TENON_WEBHOOK_EVENTS", "1500"))
        chance = random.Random(7)
        lock = threading.Lock()

        def answer(message):
            with lock:
                number = chance.random()
            return (500 if number < 0.2 else "stall" if number < 0.25 else
                    "reset" if number < 0.26 else 200)

        self.linked("--candidates", str(count), server_options=(
            *LOOPBACK, "--webhook-retries", "1s,1s,1s,2s,2s,2s,2s,2s,2s,2s,2s,2s",
            "--webhook-timeout", "1"))
        self.client = self.administrator()
        self.receiver = self.receiver_of(answer)
        self.webhook = self.create(target_url=self.receiver.url, event_types=["record:*"])
        self.records("candidates")
        self.receiver.wait_for(lambda all: len({m.id for m in all if m.status == 200}) == count,
                               seconds=60 + count / 5)
        first = self.check_order_and_bytes()
        self.client.close()  # the server has, if that took more than a minute
        told = {e["id"] for e in self.every_event(type="record:*")}
        self.assertEqual(set(first), told)


class Events(Base):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "3")
        self.client = self.administrator()

    def test_a_long_poll_ends_with_the_next_event(self):
        newest = self.events()[-1]["number"]
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.administrator().get, "/events", after="latest", wait="60")
            self.happen_once_somebody_waits(waiting)
            status, _, body = waiting.result(60)
        self.assertEqual(status, 200, body)
        self.assertGreater(body["result"][0]["number"], newest)
        status, _, body = self.client.get("/events", after="latest", wait="61")
        self.assertEqual((status, body["field"]), (400, "wait"))

    def happen_once_somebody_waits(self, waiting):
        """`latest` is of the moment of the request: events come until it has had one."""
        for _ in range(600):
            self.happen()
            if waiting.done():
                return
            threading.Event().wait(0.05)

    def open_stream(self, after, **headers):
        connection = http.client.HTTPConnection(self.serve.host, timeout=60)
        self.addCleanup(connection.close)
        connection.request("GET", f"/events?after={after}", headers={
            "Accept": "text/event-stream", "Authorization": f"Bearer {self.client.key}", **headers})
        response = connection.getresponse()
        self.assertEqual(response.headers["content-type"], "text/event-stream")
        return response

    @staticmethod
    def read_stream(response, count):
        """So many events as (id, name, data)."""
        found = []
        while len(found) < count:
            lines = []
            while line := response.readline().decode().rstrip("\n"):
                lines.append(line.split(": ", 1))
            fields = dict(lines)
            if "data" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
        return found

    def test_a_stream_tells_what_was_and_what_comes(self):
        told = self.events()
        stream = self.open_stream(0)
        self.assertEqual([e for _, _, e in self.read_stream(stream, len(told))], told)
        self.happen(2)
        new = self.read_stream(stream, 2)
        self.assertEqual([e for _, _, e in new], self.events(after=told[-1]["number"]))
        self.assertEqual({name for _, name, _ in new}, {"integrated_account:updated"})
        again = self.open_stream(0, **{"Last-Event-ID": new[0][0]})
        self.assertEqual(self.read_stream(again, 1), new[1:])

    def test_a_stream_ends_with_the_server(self):
        stream = self.open_stream("latest")
        self.assertEqual(self.serve.stop(), 0)
        stream.read()

    def test_a_stream_ends_with_its_key(self):
        made = create_key(self.data, "production", "--scope", "admin")
        stream = self.open_stream("latest", Authorization=f"Bearer {made['key']}")
        status, _, body = self.client.request("DELETE", f"/api-token/{made['id']}")
        self.assertEqual(status, 200, body)
        stream.read()


def clock(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    unittest.main()

"""Webhooks out: signed, at least once with the same bytes, in order per record, whatever the
receiver does and however often the server is killed."""
import json
import random
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import Case, Client, create_key, link_account, run_tenon
from receiver import Receiver

LOOPBACK = ("--allow-address", "127.0.0.0/8")


class Webhooks(Case):
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
        shown = self.show()
        self.assertEqual(shown["last_event_number"], told[-1]["number"])
        self.assertNotIn("secret", shown)

    def test_failures_are_tried_again_in_order_and_with_the_same_bytes(self):
        seen = {}

        def answer(message):
            seen[message.id] = seen.get(message.id, 0) + 1
            kind = hash_of(message.id) % 5
            return 200 if seen[message.id] > 2 or kind > 2 else (500, "reset", 302)[kind]

        def hash_of(text):
            return sum(map(ord, text))

        self.begin("--webhook-retries", "1s,1s,1s", answer=answer)
        self.happen(20)
        self.receiver.wait_for(lambda all: sum(m.status == 200 for m in all) == 20)
        self.check_order_and_bytes()
        self.wait_until(lambda: len(self.deliveries(state="delivered")) == 20, "the log")

    def check_order_and_bytes(self):
        bytes_of, last = {}, {}
        for message in self.receiver.messages:
            self.assertEqual(bytes_of.setdefault(message.id, message.body), message.body)
        first = {}
        for message in self.receiver.delivered():
            first.setdefault(message.id, message)
        for message in first.values():
            event = message.event
            key = (event["integrated_account_id"], event.get("resource"), event.get("record_id"))
            self.assertLess(last.get(key, 0), event["number"], "out of order")
            last[key] = event["number"]
        return first


if __name__ == "__main__":
    unittest.main()

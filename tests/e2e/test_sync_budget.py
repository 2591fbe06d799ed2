"""A sync and those who call by hand share one rate limit, and never pass it."""
import threading

from harness import Client
from test_sync import SyncCase

RATE = 100


class Budget(SyncCase):
    def call_by_hand(self, answers, is_over):
        client = Client(self.serve.host, self.admin_key)
        while not is_over.wait(0.05):
            status, headers, _ = client.get("/unified/ats/tags", integrated_account_id=self.account)
            answers.append((status, headers["server-timing"]))
        client.close()

    def test_the_limit_is_never_passed_and_nobody_waits_for_a_sync(self):
        self.start("--candidates", "400", "--rate-limit", f"{RATE}/1")
        self.ask("PATCH", f"/integrated-account/{self.account}",
                 {"limits": {"requests": RATE, "per_seconds": 1, "concurrent": 20}})
        answers, is_over = [], threading.Event()
        thread = threading.Thread(target=self.call_by_hand, args=(answers, is_over))
        thread.start()
        try:
            run = self.ended(self.job(expand=True), 1)["last_run"]
        finally:
            is_over.set()
            thread.join()
        self.assertEqual(run["calls"], 401)
        self.assertEqual(run["retries"], 0)
        self.assertNotIn("429", self.control("GET", "counts")["requests"])
        self.assertGreater(len(answers), 5)
        self.assertEqual({status for status, _ in answers}, {200})
        # Each found a token that the sync had left: there is no time for the rate limit.
        self.assertEqual([timing for _, timing in answers if "wait;dur=0.000" not in timing], [])

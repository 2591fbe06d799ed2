"""A sync and those who call by hand share one rate limit: it is never passed, however the ATS counts it,
most of it is used, and hardly anybody waits for a sync."""
import threading

from harness import Client
from test_sync import SyncCase

CANDIDATES = 200


class Budget(SyncCase):
    def call_by_hand(self, answers, is_over):
        client = Client(self.serve.host, self.admin_key)
        while not is_over.wait(0.05):
            status, headers, _ = client.get("/unified/ats/tags", integrated_account_id=self.account)
            answers.append((status, headers["server-timing"]))
        client.close()

    def sync_beside_others(self, requests, seconds, window):
        """A run which has work for all of the limit, beside calls by hand; these, and what passed in the
        windows that were over before the run was."""
        self.start("--candidates", str(CANDIDATES), "--rate-limit", f"{requests}/{seconds}",
                   "--rate-window", window)
        self.ask("PATCH", f"/integrated-account/{self.account}",
                 {"limits": {"requests": requests, "per_seconds": seconds, "concurrent": 20}})
        answers, is_over = [], threading.Event()
        thread = threading.Thread(target=self.call_by_hand, args=(answers, is_over))
        thread.start()
        try:
            run = self.ended(self.job(expand=True), 1)["last_run"]
        finally:
            is_over.set()
            thread.join()
        counts = self.control("GET", "counts")
        self.assertEqual((run["calls"], run["retries"]), (CANDIDATES + 1, 0))
        self.assertNotIn("429", counts["requests"])
        self.assertGreater(len(answers), 5)
        self.assertEqual({status for status, _ in answers}, {200})
        return answers, counts["windows"][:-1]

    def test_hardly_anybody_waits_for_a_sync(self):
        answers, _ = self.sync_beside_others(100, 1, "fixed")
        # Nearly each found a call that the sync had left: there is no time for the rate limit. Where an
        # answer is late its room is, too: that none waits is held by test_limiter_window.c.
        waited = [timing for _, timing in answers if "wait;dur=0.000" not in timing]
        self.assertLess(len(waited), len(answers) / 5, waited)

    def test_the_limit_is_used_whatever_window_is_laid(self):
        _, passed = self.sync_beside_others(100, 2, "sliding")
        # A call counts until its answer is there, so that how much can be used hangs on how busy the
        # machine is: the 95 % are held by test_limiter_window.c, whose clock is its own.
        self.assertGreaterEqual(max(passed), 75, passed)

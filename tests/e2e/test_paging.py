"""All records through next_cursor, each once, whatever the ATS does meanwhile."""
from harness import Case

FAULTS = ("--fault", "rate_limit:0.05", "--fault", "server_error:0.02", "--fault", "reset:0.01",
          "--fault", "truncate:0.01")


class Paging(Case):
    def page_all_under_faults(self, workers):
        self.linked("--candidates", "10000", server_options=("--workers", str(workers)))
        self.set_faults(rate_limit=0.05, server_error=0.02, reset=0.01, truncate=0.01)
        records = self.every_page("candidates", limit=100, remote_data="false")
        ids = [record["id"] for record in records]
        truth = [str(identifier) for identifier in self.truth()["ids"]]
        self.assertEqual(len(truth), 10000)
        self.assertEqual(len(ids), len(set(ids)), "some came twice")
        self.assertEqual(set(ids), set(truth))

    def test_faults_one_worker(self):
        self.page_all_under_faults(1)

    def test_faults_two_workers(self):
        self.page_all_under_faults(2)

    def page_all_under_shift(self, workers):
        self.linked("--candidates", "10000", server_options=("--workers", str(workers)))
        before = {str(identifier) for identifier in self.truth()["ids"]}
        self.set_faults(page_shift=0.9)
        records = self.every_page("candidates", limit=100, remote_data="false")
        self.set_faults(page_shift=0)
        truth = self.truth()
        throughout = before & {str(identifier) for identifier in truth["ids"]}
        self.assertGreater(len(truth["created"]), 5, "nothing was created meanwhile")
        self.assertGreater(len(truth["deleted"]), 5, "nothing was deleted meanwhile")
        ids = [record["id"] for record in records]
        self.assertEqual(len(ids), len(set(ids)), "some came twice")
        self.assertEqual(throughout - set(ids), set(), "some are missing")

    def test_shift_one_worker(self):
        self.page_all_under_shift(1)

    def test_shift_two_workers(self):
        self.page_all_under_shift(2)

    def test_every_page_size_gives_the_same(self):
        self.linked("--candidates", "230")
        truth = {str(identifier) for identifier in self.truth()["ids"]}
        for limit in (1, 7, 100, 229, 230, 231, 1000):
            if limit == 1:
                status, _, page = self.list("candidates", limit=1)
                self.assertEqual((status, page["result_count"]), (200, 1))
                continue
            ids = [record["id"] for record in self.every_page("candidates", limit=limit)]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual(set(ids), truth, f"limit={limit}")

    def test_applications_of_all_candidates(self):
        """One native record holds several unified ones: a page may end within it."""
        self.linked("--candidates", "300")
        whole = [record["id"] for record in self.every_page("applications", limit=1000)]
        self.assertGreater(len(whole), 200)
        self.assertEqual(len(whole), len(set(whole)))
        for limit in (3, 50):
            ids = [record["id"] for record in self.every_page("applications", limit=limit)]
            self.assertEqual(ids, whole, f"limit={limit}")

"""A sandbox that lives by itself, started as anybody starts it."""
import collections
import itertools

from harness import Case, Client, COMPANY, TOKEN

VIEWS = (("candidates", "list"), ("candidates", "detail"), ("offers", "detail"), ("notes", "list"),
         ("tags", "list"), ("departments", "list"))


class Life(Case):
    def test_it_lives_and_ends_when_told(self):
        self.box = self.sandbox("--life", "500/1", "--clock-skew", "-3600", "--equal-timestamps")
        while self.control("GET", "life")["total"] < 50:
            pass
        self.control("PUT", "life", {"changes": 0})
        shown = self.control("GET", "shown?collection=candidates")
        self.assertEqual(shown["count"], len(shown["records"]))
        self.assertEqual([r["id"] for r in shown["records"]], self.truth()["ids"])
        touched = [r["updated_at"] for r in shown["records"] if r["updated_at"] > "2026-11-20T12"]
        self.assertTrue(touched)
        self.assertTrue(all(time.endswith(".000000Z") for time in touched), touched)
        self.control("PUT", "life", {"changes": 500})
        self.assertEqual(self.box.stop(), 0)

    def ask(self, path, host):
        client = Client(self.box.host, TOKEN)
        status, _, body = client.request("GET", f"/c/{COMPANY}/{path}", headers={"Host": host})
        client.close()
        self.assertEqual(status, 200)
        return body

    def hashes(self):
        return [self.control("GET", f"shown?collection={name}&view={view}&limit=0")["hash"]
                for name, view in VIEWS]

    def test_texts_that_were_kept_are_those_that_would_be_made(self):
        self.box = self.sandbox("--seed", "11")
        self.ask("admin", "one.example")
        self.hashes()
        for _ in range(10):
            self.step(30)
            kept = self.hashes()
            # Texts name the host, so that another one makes all of them anew.
            self.ask("admin", "two.example")
            self.assertNotEqual(self.hashes()[0], kept[0])
            self.ask("admin", "one.example")
            self.assertEqual(self.hashes(), kept)

    def test_what_is_looked_up_is_what_is_there(self):
        self.box = self.sandbox("--seed", "12")
        for _ in range(10):
            self.step(40)
            placed = collections.Counter(
                p["container_id"] for p in self.control("GET", "records?collection=placements")["records"])
            tagged = collections.Counter(itertools.chain.from_iterable(
                c["tag_ids"] for c in self.control("GET", "records?collection=candidates")["records"]))
            for offer in self.ask("offers", "one.example")["offers"]:
                self.assertEqual(offer["candidates_count"], placed[offer["id"]], offer["id"])
            for tag in self.ask("tags", "one.example")["tags"]:
                self.assertEqual(tag["taggings_count"], tagged[tag["id"]], tag["id"])

    def test_what_is_no_pace_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "no pace"):
            self.sandbox("--life", "often")

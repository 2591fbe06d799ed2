"""A sandbox that lives by itself, started as anybody starts it."""
from harness import Case


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

    def test_what_is_no_pace_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "no pace"):
            self.sandbox("--life", "often")

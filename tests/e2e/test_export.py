"""`tenon export` and GET /export: the local copy as a file, whole, in pieces, of one account or all."""
import csv
import io
import json

import database
from copied import fill_copy, write_record
from harness import Case, Client, create_key, run_tenon

CANDIDATE = {"id": "1", "name": '=HYPERLINK("http://x.example")', "title": 'He said "no", twice',
             "emails": [{"email": "a@b.example", "type": None, "is_primary": True}], "is_private": True,
             "summary": "two\r\nlines", "rating": {"average": 0.5, "counts": None},
             "phones": [], "source": {"id": "+31", "name": " blank "}, "shirt": "XL"}


class Export(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "30", link_options=("--limit", "requests=100000"))
        self.records = fill_copy(self, ("candidates", "jobs"))["candidates"]

    def export(self, *options, **named):
        return run_tenon("export", "--environment", "production", "--data", str(self.data), "--resource",
                         "candidates", *options, **named)

    def lines(self, **query):
        status, headers, body = self.client.get("/export/ats/candidates", **query)
        self.assertEqual(status, 200, body)
        # A file of one line is JSON, too.
        return [body] if isinstance(body, dict) else [json.loads(line) for line in body.splitlines()]

    def expected(self):
        return [{"integrated_account_id": self.account, **record}
                for record in sorted(self.records, key=lambda record: record["id"])]

    def put_one(self):
        """One record of our own in place of the first."""
        first = self.expected()[0]["id"]
        self.query("UPDATE record SET body = ? WHERE id = ? AND json_extract(body, '$.emails') IS NOT NULL",
                   json.dumps(CANDIDATE), first)

    def test_all_of_it(self):
        self.assertEqual(self.lines(), self.expected())
        self.assertEqual(self.lines(integrated_account_id=self.account), self.expected())
        done = self.export()
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], self.expected())
        self.assertIn(f"{len(self.records)} of about {len(self.records)} records", done.stderr)
        self.assertEqual(self.client.get("/export/ats/candidates", format="count")[2],
                         {"record_count": len(self.records)})
        self.assertEqual(self.client.get("/export/ats/tags")[2], b"")

    def test_in_pieces(self):
        whole, after, found = self.expected(), None, []
        while True:
            some = self.lines(limit=7, **({"after": after} if after else {}))
            found += some
            if len(some) < 7:
                break
            after = f"{some[-1]['integrated_account_id']}/{some[-1]['id']}"
        self.assertEqual(found, whole)

    def test_a_table(self):
        self.put_one()
        _, headers, body = self.client.get("/export/ats/candidates", format="csv")
        self.assertEqual(headers["content-type"], "text/csv; charset=utf-8")
        text = body.decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual(len(rows), len(self.records))
        first = rows[0]
        self.assertEqual((first["integrated_account_id"], first["id"]), (self.account, "1"))
        self.assertEqual(first["name"], "'=HYPERLINK(\"http://x.example\")")
        self.assertEqual(first["title"], 'He said "no", twice')
        self.assertEqual(first["summary"], "two\r\nlines")
        self.assertEqual((first["rating_average"], first["rating_counts_yes"]), ("0.5", ""))
        self.assertEqual((first["is_private"], first["can_email"]), ("true", ""))
        self.assertEqual(json.loads(first["emails"]), CANDIDATE["emails"])
        self.assertEqual((first["source_id"], first["source_name"]), ("'+31", " blank "))
        done = self.export("--format", "csv", "--fields", "name,source", "--output", str(self.folder / "out.csv"))
        self.assertEqual(done.stdout, "")
        with open(self.folder / "out.csv", newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["integrated_account_id", "id", "name", "source_id", "source_name"])
        self.assertEqual(len(rows), len(self.records) + 1)
        again = self.export("--output", str(self.folder / "out.csv"), check=False)
        self.assertEqual(again.returncode, 7)

    def test_columns_are_those_of_the_views(self):
        text = self.client.get("/export/ats/candidates", format="csv", limit=1)[2].decode()
        head = next(csv.reader(io.StringIO(text, newline="")))
        of_view = self.query("SELECT * FROM candidates LIMIT 1").names
        self.assertEqual(["environment_id", *head, "record"], of_view)

    def test_deleted_and_since(self):
        gone = self.expected()[3]["id"]
        self.query("UPDATE record SET deleted_ms = 1700000001000, changed_ms = 1700000001000 WHERE id = ?", gone)
        self.assertEqual(self.lines(), [record for record in self.expected() if record["id"] != gone])
        told = self.lines(include_deleted="true", fields="name")
        self.assertEqual([row["id"] for row in told if row["is_deleted"]], [gone])
        self.assertEqual(set(told[0]), {"integrated_account_id", "is_deleted", "id", "name"})
        self.assertEqual([row["id"] for row in self.lines(include_deleted="true",
                                                          since="2023-11-14T22:13:21Z")], [gone])
        done = self.export("--include-deleted", "--since", "2023-11-14T22:13:21Z", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
        self.assertEqual([(row["id"], row["is_deleted"]) for row in rows], [(gone, "true")])

    def test_more_than_one_request_takes(self):
        with database.change(self.data) as store:
            [(copy,)] = store.execute("SELECT number FROM copy WHERE resource = 'candidates'")
            for n in range(2500):
                write_record(store, copy, 1000 + n, {"id": f"x-{n:05}", "name": "A,\n\"B"}, 0)
        for format_ in ("ndjson", "csv"):
            text = self.export("--format", format_).stdout
            ids = ([json.loads(line)["id"] for line in text.splitlines()] if format_ == "ndjson" else
                   [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))])
            self.assertEqual(len(ids), 2500 + len(self.records))
            self.assertEqual(ids, sorted(ids))

    def test_refusals(self):
        for query, field in (({"format": "xml"}, "format"), ({"fields": "nmae"}, "fields"),
                             ({"since": "monday"}, "since"), ({"limit": "0"}, "limit"),
                             ({"after": "x"}, "after"), ({"include_deleted": "maybe"}, "include_deleted"),
                             ({"colour": "red"}, "colour")):
            status, _, body = self.client.get("/export/ats/candidates", **query)
            self.assertEqual((status, body["field"]), (400, field))
        self.assertEqual(self.client.get("/export/ats/wares")[0], 404)
        self.assertEqual(self.client.get("/export/crm/candidates")[0], 404)
        self.assertEqual(self.client.get("/export/ats/candidates", integrated_account_id="acc_x")[0], 404)
        stranger = Client(self.serve.host)
        self.assertEqual(stranger.get("/export/ats/candidates")[0], 401)
        other = Client(self.serve.host, create_key(self.data, "staging")["key"])
        self.assertEqual(other.get("/export/ats/candidates")[2], b"")
        stranger.close()
        other.close()

"""Lists in the order that was asked for, through all pages, against the same list sorted here."""
import random
import urllib.parse

from harness import Case

PATHS = {
    "candidates": ["name", "created_at", "updated_at", "origin", "owner.id"],
    "applications": ["applied_at", "created_at", "status", "job.name", "current_stage.name"],
    "jobs": ["name", "status", "created_at", "positions_count", "confidential"],
    "tags": ["name", "usage_count"],
    "users": ["name", "disabled", "access_role"],
    "departments": ["name", "created_at"],
}


def value_at(record, path):
    for name in path.split("."):
        record = record[name] if record is not None else None
    return record


def in_order(records, sorts):
    """Equal ones by id; what has no value last in either direction."""
    records = sorted(records, key=lambda r: r["id"].encode())
    for path, way in reversed(sorts):
        known = [r for r in records if value_at(r, path) is not None]
        known.sort(key=lambda r: encoded(value_at(r, path)), reverse=way == "desc")
        records = known + [r for r in records if value_at(r, path) is None]
    return records


def encoded(value):
    return value.encode() if isinstance(value, str) else value


class Sorting(Case):
    def pages(self, resource, sorts, limit, **more):
        records, cursor = [], None
        while True:
            query = [(f"sort_by[{path}]", way) for path, way in sorts]
            query += [("limit", limit), ("integrated_account_id", self.account), *more.items()]
            query += [("next_cursor", cursor)] if cursor else []
            status, _, body = self.client.request(
                "GET", f"/unified/ats/{resource}?" + urllib.parse.urlencode(query))
            self.assertEqual(status, 200, (resource, sorts, body))
            records += body["result"]
            cursor = body["next_cursor"]
            if not cursor:
                return records

    def upstream_calls(self):
        for line in self.client.get("/metrics")[2].decode().splitlines():
            if line.startswith("tenon_upstream_calls_total"):
                return int(line.split()[-1])
        raise AssertionError("no count of upstream calls")

    def test_random_orders(self):
        self.linked("--candidates", "60", link_options=("--limit", "requests=100000"))
        pick = random.Random(7)
        lists = {resource: self.every_page(resource, limit=1000, remote_data="false")
                 for resource in PATHS}
        for _ in range(120):
            resource = pick.choice(list(PATHS))
            paths = [p for p in PATHS[resource] if "." in p or p in lists[resource][0]]
            sorts = [(p, pick.choice(("asc", "desc")))
                     for p in pick.sample(paths, min(len(paths), pick.randint(1, 3)))]
            limit = pick.choice((7, 25, 1000))
            if sorts == [("created_at", "desc")] and resource == "candidates":
                continue  # the ATS sorts, and has no order among equals
            found = self.pages(resource, sorts, limit, fields="id")
            self.assertEqual([r["id"] for r in found],
                             [r["id"] for r in in_order(lists[resource], sorts)],
                             (resource, sorts, limit))

    def test_with_a_filter(self):
        self.linked("--candidates", "60", link_options=("--limit", "requests=100000"))
        jobs = self.every_page("jobs", limit=1000)
        status = jobs[0]["status"]
        found = self.pages("jobs", [("name", "desc")], 3, status=status, fields="name,status")
        self.assertEqual(found, [{"name": j["name"], "status": j["status"]}
                                 for j in in_order(jobs, [("name", "desc")])
                                 if j["status"] == status])

    def test_what_the_ats_sorts_is_asked_of_it(self):
        self.linked("--candidates", "2000", link_options=("--limit", "requests=100000"))
        before = self.upstream_calls()
        _, _, body = self.list("candidates", **{"sort_by[created_at]": "desc", "limit": 10})
        self.assertEqual(self.upstream_calls() - before, 1)
        moments = [r["created_at"] for r in body["result"]]
        self.assertEqual(moments, sorted(moments, reverse=True))
        before = self.upstream_calls()
        self.list("candidates", **{"sort_by[created_at]": "asc", "limit": 10})
        self.assertGreater(self.upstream_calls() - before, 1)

    def test_a_record_made_meanwhile_moves_nothing(self):
        self.linked("--candidates", "20", link_options=("--limit", "requests=100000"))
        first = self.list("candidates", **{"sort_by[name]": "asc", "limit": 8})[2]
        for name in ("Aa Aa", "Zz Zz"):
            self.client.request("POST", f"/unified/ats/candidates?integrated_account_id={self.account}",
                                {"name": name})
        rest = self.list("candidates", **{"sort_by[name]": "asc", "limit": 1000,
                                          "next_cursor": first["next_cursor"]})[2]
        names = [r["name"] for r in first["result"] + rest["result"]]
        self.assertEqual(names, sorted(names, key=str.encode))
        self.assertIn("Zz Zz", names)
        self.assertNotIn("Aa Aa", names)
        self.assertEqual(len(names), 21)

    def test_what_is_refused(self):
        self.linked("--candidates", "12")
        for name, value, field in (
                ("sort_by", "name", "sort_by"), ("sort_by[name]", "up", "sort_by"),
                ("sort_by[]", "asc", "sort_by"), ("sort_by[colour]", "asc", "sort_by"),
                ("sort_by[emails.email]", "asc", "sort_by"), ("sort_by[emails]", "asc", "sort_by"),
                ("sort_by[owner]", "asc", "sort_by"),
                # Recruitee's list does not tell it.
                ("sort_by[last_interaction_at]", "asc", "sort_by[last_interaction_at]")):
            status, _, body = self.list("candidates", **{name: value})
            self.assertEqual((status, body.get("field")), (400, field), body)
        cursor = self.list("candidates", **{"sort_by[name]": "asc", "limit": 3})[2]["next_cursor"]
        for query in ({"sort_by[name]": "desc"}, {"sort_by[created_at]": "desc"}, {}):
            status, _, body = self.list("candidates", limit=3, next_cursor=cursor, **query)
            self.assertEqual((status, body.get("field")), (400, "next_cursor"), body)

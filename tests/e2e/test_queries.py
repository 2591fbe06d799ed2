"""Random queries, read to the end with cursors, against what the whole lists say."""
import datetime
import random
import urllib.parse

from harness import Case

QUERIES = 1000
SHAPES = ("new", "slim", "old")
# Of each resource: filter to the path that it compares.
FILTERS = {
    "candidates": {
        "job_id": "applications.job.id", "job_id[in]": "applications.job.id",
        "stage_id": "applications.current_stage.id", "email": "emails.email",
        "email[in]": "emails.email", "name": "name", "name[in]": "name", "origin": "origin",
        "origin[in]": "origin", "owner_id": "owner.id", "tags[name]": "tags.name",
    },
    "jobs": {
        "status": "status", "status[in]": "status", "department_id": "departments.id",
        "department_id[in]": "departments.id", "office_id": "offices.id",
        "office_id[in]": "offices.id", "recruiter_id": "recruiters.id",
        "hiring_manager_id": "hiring_managers.id", "name": "name", "code": "code",
        "employment_type": "employment_type", "workplace": "workplace", "language": "language",
        "tags[name]": "tags.name", "published_at[gt]": "published_at",
    },
    "applications": {
        "candidate_id": "candidate.id", "candidate_id[in]": "candidate.id", "job_id": "job.id",
        "job_id[in]": "job.id", "stage_id": "current_stage.id", "status": "status",
        "status[in]": "status", "reject_reason_id": "reject_reason.id", "origin": "origin",
        "hired_at[gte]": "hired_at", "hired_at[lt]": "hired_at",
    },
    "interviews": {
        "candidate_id": "candidate.id", "job_id": "job.id", "job_id[in]": "job.id",
        "job_interview_stage_id": "job_interview_stage.id", "interviewer_id": "interviewers.id",
        "interviewer_id[in]": "interviewers.id", "organizer_id": "organizer.id", "kind": "kind",
        "status[in]": "status", "start_at[gt]": "start_at", "start_at[lte]": "start_at",
    },
    "scorecards": {
        "candidate_id": "candidate.id", "candidate_id[in]": "candidate.id", "job_id": "job.id",
        "job_id[in]": "job.id", "interviewer_id": "interviewer.id",
        "interviewer_id[in]": "interviewer.id",
        "overall_recommendation": "overall_recommendation",
        "overall_recommendation[in]": "overall_recommendation", "submitted_at[lt]": "submitted_at",
    },
    "activities": {
        "actor_id": "actor.id", "activity_type": "activity_type",
        "activity_type[in]": "activity_type", "occurred_at[gt]": "occurred_at",
    },
    "application_changes": {
        "candidate_id": "candidate.id", "job_id": "job.id", "change_type": "change_type",
        "actor_id": "actor.id", "effective_at[gte]": "effective_at",
    },
    "departments": {"name": "name", "name[in]": "name", "status": "status"},
    "offices": {"name": "name", "status": "status"},
    "tags": {"name": "name", "name[in]": "name"},
    "users": {"email": "emails.email", "name": "name", "status": "status", "disabled": "disabled",
              "access_role": "access_role", "access_role[in]": "access_role",
              "role_id": "roles.id"},
}
BOUNDS = {"gt": lambda a, b: a > b, "gte": lambda a, b: a >= b,
          "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b}
# The ATS is asked for these, and tenon applies the same as name[in].
BOTH_WAYS = {"candidates": ["job_id"], "jobs": ["status", "department_id", "office_id",
                                                "recruiter_id", "language"],
             "applications": ["candidate_id", "job_id"],
             "interviews": ["candidate_id", "interviewer_id"],
             "scorecards": ["candidate_id", "job_id", "interviewer_id"]}


def values_at(value, path):
    """All single values at a dotted path, those of lists too."""
    if isinstance(value, list):
        return [v for item in value for v in values_at(item, path)]
    if value is None:
        return []
    if not path:
        return [value]
    name, _, rest = path.partition(".")
    return values_at(value.get(name), rest) if isinstance(value, dict) else []


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def spell(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def passes(record, name, path, wanted):
    found = values_at(record, path)
    operator = name.partition("[")[2].rstrip("]")
    if operator in BOUNDS:
        return any(BOUNDS[operator](moment(v), moment(wanted)) for v in found)
    words = wanted if isinstance(wanted, list) else [wanted]
    return any(spell(v) in words for v in found)


class Queries(Case):
    def whole_lists(self):
        """Each list without a filter, with all that its records tell, and which of them do not
        give the moment of their making or changing at all."""
        self.lists, self.filters, self.known = {}, {}, {}
        for resource, filters in FILTERS.items():
            self.lists[resource] = self.every_page(resource, limit=1000, expand="true",
                                                   remote_data="false")
            more = {f"{field}[{bound}]": field for field in ("created_at", "updated_at")
                    for bound in BOUNDS
                    if any(r[field] for r in self.lists[resource])}
            self.filters[resource] = {**filters, **more}
            self.known[resource] = {
                path: sorted({spell(v) for r in self.lists[resource]
                              for v in values_at(r, path)})
                for path in self.filters[resource].values()}

    def random_value(self, name, values):
        if name.endswith("[in]"):
            return self.random.sample(values, min(len(values), self.random.randint(1, 3)))
        value = self.random.choice(values)
        if "_at[" in name:
            # The very moment, one near it, and other spellings of it.
            at = moment(value) + datetime.timedelta(
                seconds=self.random.choice((0, 0, 0, 0.001, -0.001, 1, -1)))
            zone = datetime.timezone(datetime.timedelta(minutes=self.random.choice((0, 120, -330))))
            return at.astimezone(zone).isoformat(timespec="milliseconds")
        return value

    def random_query(self):
        resource = self.random.choice(list(self.filters))
        names = [n for n, p in self.filters[resource].items() if self.known[resource][p]]
        return resource, {n: self.random_value(n, self.known[resource][self.filters[resource][n]])
                          for n in self.random.sample(names, min(len(names),
                                                                 self.random.randint(1, 3)))}

    def spelt(self, query):
        """[in] as a list with commas, or as an array."""
        spelt = []
        for name, value in query.items():
            if not isinstance(value, list):
                spelt.append((name, value))
            elif any("," in v for v in value) or self.random.random() < 0.5:
                spelt += [(name + "[]", v) for v in value]
            else:
                spelt.append((name, ",".join(value)))
        return spelt

    def found(self, resource, pairs, limit):
        """Ids through all pages; none may come twice."""
        ids, cursor = [], None
        while True:
            query = [*pairs, ("limit", limit), ("fields", "id"),
                     ("integrated_account_id", self.account)]
            if cursor:
                query.append(("next_cursor", cursor))
            status, _, body = self.client.request(
                "GET", f"/unified/ats/{resource}?" + urllib.parse.urlencode(query))
            self.assertEqual(status, 200, (resource, pairs, body))
            self.assertLessEqual(body["result_count"], limit)
            ids += [r["id"] for r in body["result"]]
            cursor = body["next_cursor"]
            if not cursor:
                break
        self.assertEqual(len(ids), len(set(ids)), (resource, pairs))
        return set(ids)

    def expected(self, resource, query):
        return {r["id"] for r in self.lists[resource]
                if all(passes(r, n, self.filters[resource][n], v) for n, v in query.items())}

    def check_shape(self, shape, count):
        self.linked("--candidates", "40", "--shape", shape,
                    link_options=("--limit", "requests=100000"))
        self.whole_lists()
        matched = 0
        for i in range(count):
            resource, query = self.random_query()
            expected = self.expected(resource, query)
            limit = self.random.choice((3, 10, 1000))
            self.assertEqual(self.found(resource, self.spelt(query), limit), expected,
                             (shape, i, resource, query, limit))
            matched += len(expected) > 0
        # Nobody would notice a test that finds nothing.
        self.assertGreater(matched, count // 4)
        self.check_both_ways()

    def check_both_ways(self):
        for resource, names in BOTH_WAYS.items():
            for name in names:
                path = self.filters[resource][name] if name in self.filters[resource] else None
                for value in self.known[resource].get(path, [])[:5]:
                    expected = self.expected(resource, {name: value})
                    self.assertEqual(self.found(resource, [(name, value)], 1000), expected)
                    self.assertEqual(self.found(resource, [(f"{name}[in]", value)], 1000),
                                     expected)

    def check_random(self, shape):
        self.random = random.Random(42 + SHAPES.index(shape))
        self.check_shape(shape, QUERIES // len(SHAPES) + 1)

    def test_random_queries_new(self):
        self.check_random("new")

    def test_random_queries_slim(self):
        self.check_random("slim")

    def test_random_queries_old(self):
        self.check_random("old")

    # --- what of the records is given -----------------------------------------------------------

    def test_fields_and_keys(self):
        self.linked("--candidates", "12")
        _, _, body = self.list("candidates", fields="id,emails.email", limit=3)
        for record in body["result"]:
            self.assertEqual(set(record), {"id", "emails"})
            self.assertTrue(all(set(e) == {"email"} for e in record["emails"]))
        self.assertFalse(body["is_partial_response"])
        _, _, keyed = self.list("candidates", fields="name", limit=3, key_by="id")
        self.assertEqual(list(keyed["result"]), [r["id"] for r in body["result"]])
        self.assertEqual(keyed["result_count"], 3)
        first = body["result"][0]["id"]
        _, _, one = self.fetch("candidates", first, exclude_fields="remote_data,applications")
        self.assertIn("emails", one)
        self.assertNotIn("applications", one)
        self.assertNotIn("remote_data", one)

    def test_second_names(self):
        self.linked("--candidates", "12")
        query = f"/unified/ats/candidates?integrated_account_id={self.account}&limit=2"
        for second, plain in (("truto_ignore_remote_data=true", "remote_data=false"),
                              ("truto_exclude_fields[]=name&truto_exclude_fields[]=emails",
                               "exclude_fields=name,emails"),
                              ("truto_key_by=id", "key_by=id")):
            status, _, one = self.client.request("GET", f"{query}&{second}")
            self.assertEqual(status, 200, one)
            self.assertEqual(one["result"],
                             self.client.request("GET", f"{query}&{plain}")[2]["result"])
        self.assertEqual(self.client.request("GET", query + "&key_by=id&truto_key_by=id")[0], 400)

    def test_what_is_refused(self):
        self.linked("--candidates", "12")
        for name, value, field in (
                ("fields", "", "fields"), ("fields", "colour", "fields"),
                ("exclude_fields", "emails.colour", "exclude_fields"),
                ("key_by", "emails.email", "key_by"), ("limit[]", "5", "limit[]"),
                ("name[in]", "a,,b", "name[in]"), ("created_at[gt]", "soon", "created_at[gt]"),
                ("remote_query[limit]", "5", "remote_query"), ("remote_query[]", "5", "remote_query")):
            status, _, body = self.list("candidates", **{name: value})
            self.assertEqual((status, body.get("field")), (400, field), body)
        status, _, body = self.list("candidates", **{"remote_query[qualified]": "true"})
        self.assertEqual(status, 200, body)

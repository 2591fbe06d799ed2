"""POST /batch-request: several calls in one, each as it would be alone."""
from harness import Case


class Batch(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "30", link_options=("--limit", "requests=100000"))

    def send(self, *resources, **more):
        body = {"integrated_account_id": self.account, "resources": list(resources), **more}
        status, _, answer = self.client.request("POST", "/batch-request", body)
        return status, answer

    def batch(self, *resources, **more):
        status, answer = self.send(*resources, **more)
        self.assertEqual(status, 200, answer)
        return answer

    def test_lists_are_read_to_their_end(self):
        answer = self.batch({"resource": "ats/candidates", "query": {"remote_data": False}},
                            {"resource": "ats/jobs", "query": {"limit": 2, "fields": ["id", "name"]}},
                            {"resource": "tags"},
                            {"name": "open", "resource": "ats/jobs",
                             "query": {"status": "open", "sort_by": {"name": "asc"}}})
        self.assertEqual(answer["errors"], {})
        self.assertEqual(answer["result"]["ats/candidates"],
                         self.every_page("candidates", limit=1000, remote_data="false"))
        jobs = answer["result"]["ats/jobs"]
        self.assertEqual([set(j) for j in jobs], [{"id", "name"}] * 2)
        self.assertEqual(list(answer["next_cursors"]), ["ats/jobs"])
        self.assertEqual({t["name"] for t in answer["result"]["tags"]},
                         {t["name"] for t in self.every_page("tags", limit=1000)})
        names = [j["name"] for j in answer["result"]["open"]]
        self.assertEqual(names, sorted(names, key=str.encode))
        self.assertEqual({j["status"] for j in answer["result"]["open"]}, {"open"})

    def test_one_may_fail(self):
        answer = self.batch({"resource": "ats/candidates", "method": "get", "id": "999999999"},
                            {"resource": "ats/planets"},
                            {"resource": "ats/tags"},
                            {"name": "late", "resource": "ats/tags", "depends_on": ["ats/planets"]},
                            {"name": "other", "resource": "ats/tags",
                             "integrated_account_id": "acc_none"})
        self.assertEqual({n: e[0]["error"] for n, e in answer["errors"].items()},
                         {"ats/candidates": "not_found", "ats/planets": "not_found",
                          "late": "conflict", "other": "not_found"})
        self.assertEqual(answer["errors"]["late"][0]["field"], "resources[3].depends_on")
        self.assertGreater(len(answer["result"]["ats/tags"]), 0)
        self.assertEqual(answer["result"]["late"], [])

    def test_what_depends_on_others(self):
        answer = self.batch(
            {"name": "person", "resource": "ats/candidates", "method": "create",
             "body": {"name": "{{$args.first & \" \" & $args.last}}"}},
            {"name": "note", "resource": "ats/activities", "method": "create",
             "depends_on": ["person"],
             "body": {"candidate_id": "{{$results.person[0].id}}",
                      "body": "Score of {{$results.person[0].name}}: {{$args.score}}"}},
            {"name": "again", "resource": "ats/candidates", "method": "get",
             "id": "{{$results.person[0].id}}", "depends_on": ["note"]},
            {"name": "tagged", "resource": "ats/candidates", "method": "add-tag",
             "loop_on": "again", "id": "{{id}}", "body": {"tag": {"name": "batch"}}},
            args={"first": "Ada", "last": "Byron", "score": 7})
        self.assertEqual(answer["errors"], {})
        person = answer["result"]["again"][0]
        self.assertEqual(person["name"], "Ada Byron")
        notes = self.every_page("activities", candidate_id=person["id"], activity_type="note")
        self.assertIn("Score of Ada Byron: 7", [n["body"] for n in notes])
        tags = self.fetch("candidates", person["id"])[2]["tags"]
        self.assertEqual([t["name"] for t in tags], ["batch"])

    def test_for_each_record(self):
        answer = self.batch({"resource": "ats/candidates", "query": {"limit": 12}},
                            {"resource": "ats/attachments", "loop_on": "ats/candidates",
                             "query": {"candidate_id": "{{id}}"}})
        self.assertEqual(answer["errors"], {})
        wanted = [a["id"] for c in answer["result"]["ats/candidates"]
                  for a in self.every_page("attachments", candidate_id=c["id"])]
        self.assertEqual([a["id"] for a in answer["result"]["ats/attachments"]], wanted)
        self.assertGreater(len(wanted), 0)

    def test_a_key_holds_for_each(self):
        parts = ({"name": "one", "resource": "ats/candidates", "method": "create",
                  "idempotency_key": "b-1", "body": {"name": "Once Only"}},
                 {"resource": "ats/jobs", "query": {"limit": 3}},
                 {"name": "many", "resource": "ats/departments", "method": "create", "loop_on": "ats/jobs",
                  "idempotency_key": "b-2", "body": {"name": "job {{id}}"}})
        first, second = self.batch(*parts), self.batch(*parts)
        self.assertEqual(first["errors"], {})
        self.assertEqual(first["result"]["one"], second["result"]["one"])
        self.assertEqual(first["result"]["many"], second["result"]["many"])
        self.assertEqual(len(first["result"]["many"]), 3)
        names = [c["name"] for c in self.every_page("candidates", limit=1000)]
        self.assertEqual(names.count("Once Only"), 1)

    def test_what_is_refused(self):
        for resources, more, field in (
                ([], {}, "resources"),
                ([{"resource": "ats/tags"}] * 51, {}, "resources"),
                ([{"resource": "ats/tags"}, {"resource": "ats/tags"}], {}, "resources[1].name"),
                ([{"resource": "ats/tags", "colour": 1}], {}, "resources[0].colour"),
                ([{"resource": "../tags"}], {}, "resources[0].resource"),
                ([{"method": "list"}], {}, "resources[0].resource"),
                ([{"resource": "ats/tags", "depends_on": ["x"]}], {}, "resources[0].depends_on"),
                ([{"resource": "ats/tags", "loop_on": "ats/tags"}], {}, "resources[0].loop_on"),
                ([{"resource": "ats/tags", "query": "x"}], {}, "resources[0].query"),
                (["tags"], {}, "resources[0]"),
                ([{"resource": "ats/tags"}], {"colour": 1}, "colour")):
            status, body = self.send(*resources, **more)
            self.assertEqual((status, body.get("field")), (400, field), body)
        for part, field in (
                ({"resource": "ats/candidates", "method": "get"}, "resources[0].id"),
                ({"resource": "ats/tags", "query": {"name": "{{$(}}"}}, "resources[0].query"),
                ({"resource": "ats/tags", "query": {"name": [{}]}}, "resources[0].query"),
                ({"resource": "ats/tags", "query": {"colour": "red"}}, "colour"),
                ({"resource": "ats/candidates", "query": {"response_format": "stream"}}, None)):
            answer = self.batch(part)
            (error,) = answer["errors"][part["resource"]]
            self.assertEqual((error["statusCode"], error.get("field")), (400, field), error)
        self.client.key = "tenon_wrong"
        self.assertEqual(self.send({"resource": "ats/tags"})[0], 401)

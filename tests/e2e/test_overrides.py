"""Overrides through the API: what they make of live replies and of requests, at once and for whom."""
import json
import random
import unittest

from harness import ROOT, Case, Client, create_key, link_account

ENDLESS = "($f := function($n) { $f($n + 1) }; $f(0))"


class Overrides(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "60", server_options=("--workers", "2"))
        key = create_key(self.data, "production", "--scope", "admin", "--scope", "call")["key"]
        self.admin = Client(self.serve.host, key)
        self.addCleanup(self.admin.close)
        self.company = Client(self.box.host)
        self.addCleanup(self.company.close)
        self.environment = "/environment/overrides/recruitee/candidates"
        self.own = f"/integrated-account/{self.account}/overrides/candidates"

    def change(self, path, document, verb="PATCH", status=200):
        got, _, body = self.admin.request(verb, path, document)
        self.assertEqual(got, status, body)
        return body

    def every_worker(self, ask):
        """The same question over many connections, so that both workers are asked."""
        answers = []
        for _ in range(12):
            client = Client(self.serve.host, self.key)
            answers.append(ask(client))
            client.close()
        self.assertTrue(all(a == answers[0] for a in answers), answers)
        return answers[0]

    def names(self, account=None):
        def ask(client):
            status, _, page = client.get("/unified/ats/candidates", limit=5,
                                         integrated_account_id=account or self.account)
            self.assertEqual(status, 200, page)
            return [r["name"] for r in page["result"]]
        return self.every_worker(ask)

    def plain(self, **query):
        status, _, page = self.list("candidates", remote_data="false", **query)
        self.assertEqual(status, 200, page)
        return page["result"]

    # --- layers ------------------------------------------------------------------------------

    def test_replies_change_at_once_for_whom_it_is_said(self):
        other = json.loads(link_account(self.data, self.box).stdout)["id"]
        elsewhere = json.loads(link_account(self.data, self.box, "staging").stdout)["id"]
        before = self.names()
        self.change(self.environment, {"response": {"name": "$uppercase(name)"}})
        upper = [n.upper() for n in before]
        self.assertEqual(self.names(), upper)
        self.assertEqual(self.names(other), upper)
        self.change(self.own, {"response": {"name": "'Own ' & name"}})
        self.assertEqual(self.names(), ["Own " + n for n in before])
        self.assertEqual(self.names(other), upper)
        status, _, record = self.fetch("candidates", self.plain(limit=1)[0]["id"])
        self.assertEqual((status, record["name"]), (200, "Own " + before[0]))
        staging = Client(self.serve.host, create_key(self.data, "staging")["key"])
        _, _, page = staging.get("/unified/ats/candidates", limit=5, integrated_account_id=elsewhere)
        staging.close()
        self.assertEqual([r["name"] for r in page["result"]], before)
        # Removed, the layer below shows again.
        self.change(self.own, None, "DELETE")
        self.assertEqual(self.names(), upper)
        self.change(self.environment, {"response": {"name": None}})
        self.assertEqual(self.names(), before)

    def test_only_the_named_fields_change(self):
        plain = self.plain(limit=20)
        fields = [f for f in plain[0] if f != "id" and not f.startswith("remote_")]
        chance = random.Random(7)
        for _ in range(25):
            chosen = chance.sample(fields, chance.randint(1, 4))
            document = {"response": {f: chance.choice(["null", "'x'", "id", "$error('no')"])
                                     for f in chosen}}
            self.change(self.own, document, "PUT")
            for was, now in zip(plain, self.plain(limit=20)):
                self.assertEqual(list(was), list(now))
                for field in was:
                    if field not in chosen:
                        self.assertEqual(now[field], was[field], (field, document))
        self.change(self.own, {}, "PUT")
        self.assertEqual(self.plain(limit=20), plain)

    def test_fields_are_added_and_changed_within(self):
        identifier = next(r["id"] for r in self.plain(limit=50) if r["owner"])
        _, _, before = self.fetch("candidates", identifier)
        self.change(self.own, {"response": {
            "seniority": "{'years': 7}", "owner.name": "'The desk'",
            "custom_fields.shoe_size": "44", "consent.status": "'given'"}})
        self.client.beyond = {"seniority"}
        _, _, after = self.fetch("candidates", identifier)
        self.assertEqual(after["seniority"], {"years": 7})
        self.assertEqual(after["owner"], {"id": before["owner"]["id"], "name": "The desk"})
        self.assertEqual(after["consent"], {**before["consent"], "status": "given"})
        self.assertEqual(after["custom_fields"], before["custom_fields"] + [
            {"id": "shoe_size", "name": "shoe_size", "type": "number", "remote_type": None,
             "value": 44}])
        for field in before:
            if field not in ("owner", "consent", "custom_fields"):
                self.assertEqual(after[field], before[field], field)
        status, _, page = self.list("candidates", fields="id,seniority", limit=2)
        self.assertEqual(list(page["result"][0]), ["id", "seniority"])

    def test_filters_compare_what_is_shown(self):
        path = f"/integrated-account/{self.account}/overrides/jobs"
        self.change(path, {"response": {"status": "status = 'published' ? 'closed' : 'open'"}})
        _, _, whole = self.list("jobs", limit=1000)
        wanted = [j["id"] for j in whole["result"] if j["status"] == "closed"]
        _, _, page = self.list("jobs", status="closed", limit=1000)
        self.assertTrue(wanted)
        self.assertEqual([j["id"] for j in page["result"]], wanted)
        self.assertTrue(all(j["remote_status"] == "published" for j in page["result"]))

    def test_lists_are_sorted_by_what_is_shown(self):
        self.change(self.own, {"response": {
            "created_at": "'2020-01-1' & $string(id % 7) & 'T00:00:00Z'"}})
        shown = {"sort_by[created_at]": "desc", "fields": "id,created_at", "limit": 9}
        records, cursor = [], {}
        while True:
            status, _, page = self.list("candidates", **shown, **cursor)
            self.assertEqual(status, 200, page)
            records += page["result"]
            if page["next_cursor"] is None:
                break
            cursor = {"next_cursor": page["next_cursor"]}
        self.assertEqual(len({r["id"] for r in records}), 60)
        times = [r["created_at"] for r in records]
        self.assertEqual(times, sorted(times, reverse=True))

    # --- requests ----------------------------------------------------------------------------

    def test_requests_change(self):
        path = self.own
        self.change(path, {"request": {"create": {"candidates.create": {
            "body.candidate.name": "'Imported: ' & name"}}}})
        query = f"/unified/ats/candidates?integrated_account_id={self.account}"
        status, _, made = self.client.request("POST", query, {
            "name": "Noor", "emails": [{"email": "noor@achterberg.example"}]})
        self.assertEqual(status, 201, made)
        record = self.company.get("/sandbox/record", collection="candidates",
                                  id=made["id"])[2]["record"]
        self.assertEqual(record["name"], "Imported: Noor")
        self.assertEqual(record["emails"], ["noor@achterberg.example"])
        status, _, tried = self.client.request("POST", query + "&dry_run=true", {"name": "Noor"})
        self.assertEqual(tried["calls"][0]["body"]["candidate"]["name"], "Imported: Noor")
        self.change(path, None, "DELETE")
        status, _, tried = self.client.request("POST", query + "&dry_run=true", {"name": "Noor"})
        self.assertEqual(tried["calls"][0]["body"]["candidate"]["name"], "Noor")

    def test_a_list_may_be_asked_for_in_another_way(self):
        everybody = {r["id"] for r in self.every_page("candidates", limit=7)}
        request = {"list": {"candidates.list": {"query.sort": "'by_last_message'"}}}
        self.change(self.own, {"request": request})
        records = self.every_page("candidates", limit=7)
        self.assertEqual(len(records), len(everybody))
        self.assertEqual({r["id"] for r in records}, everybody)
        self.change(self.own, {"request": {"list": {"candidates.list": {
            "query.sort": None, "query.query": "$context.company_id & ' nobody'"}}}})
        self.assertEqual(self.plain(), [])

    def test_the_example_of_the_docs_is_taken(self):
        text = (ROOT / "docs/overrides.md").read_text().split("```json\n")[1].split("```")[0]
        document = json.loads(text)
        shown = self.change(self.own, document, "PUT")
        self.assertEqual(shown["overrides"], document)
        self.client.beyond = {"jobs_so_far"}
        status, _, page = self.list("candidates", limit=3)
        self.assertEqual(status, 200, page)
        self.assertIn("jobs_so_far", page["result"][0])
        own = f"/integrated-account/{self.account}/overrides/attachments"
        self.change(own, {"tables": {"own": {"file_name": "$record.name & '.pdf'"}}})

    # --- faults ------------------------------------------------------------------------------

    def test_a_bad_expression_is_refused_with_its_place(self):
        body = self.change(self.own, {"response": {"title": "1", "name": "name & (first"}},
                           status=400)
        self.assertEqual(body["error"], "invalid")
        self.assertEqual(body["field"], "response.name")
        self.assertEqual(body["expression"]["code"], "S0203")
        self.assertEqual(body["expression"]["position"], 13)
        self.assertEqual(body["expression"]["token"], "(end)")
        self.assertIn("S0203", body["message"])
        self.assertEqual(self.admin.get(self.own)[2]["overrides"], {})
        for document, field in (
                ({"response": {"id": "1"}}, "response.id"),
                ({"response": {"emails.email": "1"}}, "response.emails.email"),
                ({"tables": {"file": {"name": "1"}}}, "tables.file.name"),
                ({"request": {"create": {"candidates.create": {"body.name": "1"}}}},
                 "request.create.candidates.create.body.name"),
                ({"response": {"name": 7}}, "response.name"), ({"answer": {}}, "answer")):
            self.assertEqual(self.change(self.own, document, status=400)["field"], field)
        deep = "(" * 5000 + "1" + ")" * 5000
        self.assertEqual(self.change(self.own, {"response": {"name": deep}}, status=400)
                         ["expression"]["code"], "U1002")
        # As deep as an expression may be: a fiber's stack takes that.
        for begin, end in (("(", ")"), ("[", "]"), ('{"a": ', "}"), ("a.(", ")"), ("a[", "]"),
                           ("function($x) {", "}"), ("-", ""), ("1 ? ", " : 2"), ("$f(", ")"),
                           ("$map(a, function($y) {", "})"), ("a ~> ", "")):
            for depth in (40, 90, 190):
                nested = begin * depth + "a" + end * depth
                status, _, body = self.admin.request("PUT", self.own, {"response": {"name": nested}})
                self.assertIn(status, (200, 400), (begin, depth))
                if status == 200:
                    self.assertIn(self.list("candidates", limit=1)[0], (200, 413), (begin, depth))
                else:
                    self.assertEqual(body["expression"]["code"], "U1002", (begin, depth))
        self.change(self.own, None, "DELETE")
        self.change("/environment/overrides/spoon/candidates", {}, status=404)
        self.change("/environment/overrides/recruitee/spoons", {}, status=404)
        self.change("/integrated-account/acc_none/overrides/candidates", {}, status=404)

    def test_only_administrators_change_them(self):
        status, _, body = self.client.request("PATCH", self.own, {"response": {"name": "1"}})
        self.assertEqual((status, body["error"]), (403, "forbidden"))
        status, _, _ = self.client.get(self.own)
        self.assertEqual(status, 403)

    def test_a_hostile_expression_costs_its_own_call(self):
        other = json.loads(link_account(self.data, self.box).stdout)["id"]
        self.change(self.own, {"response": {"name": ENDLESS}})
        status, _, body = self.list("candidates")
        self.assertEqual((status, body["error"], body["field"]), (413, "limit_exceeded", "name"))
        self.assertIn("the account's override of candidates.name", body["message"])
        self.assertIn("U1001", body["message"])
        self.assertEqual(self.list("jobs")[0], 200)
        self.assertEqual(self.list("candidates", fields="id,emails")[0], 200)
        status, _, _ = self.client.get("/unified/ats/candidates", integrated_account_id=other)
        self.assertEqual(status, 200)

    def test_what_is_hostile_can_be_mended_by_trying(self):
        record = self.plain(limit=1)[0]
        self.change(self.own, {"response": {"name": ENDLESS}})
        answer = self.try_drafts(id=record["id"], overrides={"response": {"name": "name"}})
        self.assertEqual(answer["difference"],
                         [{"field": "name", "before": None, "after": record["name"]}])

    # --- tests of drafts ---------------------------------------------------------------------

    def try_drafts(self, status=200, **body):
        got, _, answer = self.admin.request("POST",
                                            f"/integrated-account/{self.account}/overrides/test",
                                            {"resource": "candidates", **body})
        self.assertEqual(got, status, answer)
        return answer

    def test_drafts_are_tried_on_a_live_record(self):
        record = self.plain(limit=1)[0]
        answer = self.try_drafts(id=record["id"], overrides={"response": {
            "name": "$uppercase(name)", "title": "$error('no title')"}})
        self.assertEqual(answer["difference"][0], {
            "field": "name", "before": record["name"], "after": record["name"].upper()})
        self.assertLessEqual({d["field"] for d in answer["difference"]}, {"name", "title"})
        self.assertEqual(answer["errors"], [
            {"field": "title", "layer": "account", "code": "D3137", "message": "no title",
             "position": 7, "token": "error"}])
        self.assertEqual(str(answer["record"]["id"]), record["id"])
        self.assertEqual(self.plain(limit=1)[0], record)
        # Beside what is saved already; null shows what would come of its removal.
        self.change(self.environment, {"response": {"name": "'env'"}})
        self.change(self.own, {"response": {"name": "'own'"}})
        answer = self.try_drafts(id=record["id"], overrides={"response": {"name": None}})
        self.assertEqual(answer["difference"], [{"field": "name", "before": "own", "after": "env"}])
        answer = self.try_drafts(id=record["id"], overrides={"response": {"title": ENDLESS}})
        self.assertEqual([e["code"] for e in answer["errors"]], ["U1001"])
        self.assertEqual(self.try_drafts(id="999999999", overrides={}, status=404)["error"],
                         "not_found")

    def test_drafts_are_tried_on_a_given_record(self):
        answer = self.try_drafts(record={"id": 7, "name": "Ilse"},
                                 overrides={"response": {"name": "name & '!'", "badge": "id"}})
        self.assertEqual(answer["difference"], [
            {"field": "name", "before": "Ilse", "after": "Ilse!"},
            {"field": "badge", "before": None, "after": 7}])
        answer = self.try_drafts(record={"id": 7}, overrides={"response": {"name": "("}}, status=400)
        self.assertEqual(answer["expression"]["code"], "S0203")
        self.try_drafts(overrides={}, status=400)
        self.try_drafts(method="list", id="1", overrides={}, status=400)

    def test_drafts_are_tried_on_a_write(self):
        writes = self.company.get("/sandbox/counts")[2]
        answer = self.try_drafts(method="create", body={"name": "Noor"}, overrides={"request": {
            "create": {"candidates.create": {"body.candidate.cover_letter": "'By ' & name"}}}})
        self.assertEqual(answer["difference"], [
            {"field": "calls[0].body.candidate.cover_letter", "before": None, "after": "By Noor"}])
        self.assertEqual(self.company.get("/sandbox/counts")[2], writes)

    # --- lists -------------------------------------------------------------------------------

    def test_lists_tell_where_each_field_comes_from(self):
        self.change(self.environment, {"response": {"name": "'env'", "title": "'env'"}})
        self.change(self.own, {"response": {"name": "'own'", "owner.name": "'own'"},
                               "request": {"create": {"candidates.create": {
                                   "body.candidate.name": "name"}}}})
        _, _, shown = self.admin.get(self.own)
        layers = {f["field"]: (f["layer"], f["expression"]) for f in shown["fields"]}
        self.assertEqual(layers["name"], ("account", "'own'"))
        self.assertEqual(layers["title"], ("environment", "'env'"))
        self.assertEqual(layers["owner.name"], ("account", "'own'"))
        self.assertEqual(layers["created_at"], ("connector", "created_at"))
        self.assertEqual(shown["overrides"], {
            "request": {"create": {"candidates.create": {"body.candidate.name": "name"}}},
            "response": {"name": "'own'", "owner.name": "'own'"}})
        status, _, everything = self.admin.get(f"/integrated-account/{self.account}/overrides")
        rows = {(r["layer"], r["field"]): r["is_shadowed"] for r in everything["result"]}
        self.assertEqual(rows, {("environment", "name"): True, ("environment", "title"): False,
                                ("account", "name"): False, ("account", "owner.name"): False,
                                ("account", "body.candidate.name"): False})
        _, _, everywhere = self.admin.get("/environment/overrides")
        self.assertEqual([r["field"] for r in everywhere["result"]], ["name", "title"])
        # What was saved is there after a start, and goes with its account.
        self.serve.stop()
        self.serve = self.server(self.box)
        self.client = Client(self.serve.host, self.key)
        self.assertEqual(self.list("candidates")[2]["result"][0]["name"], "own")


if __name__ == "__main__":
    unittest.main()

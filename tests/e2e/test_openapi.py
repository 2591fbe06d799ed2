"""The OpenAPI document: what is served, how true it is, and what others' tools say of it."""
import copy
import json
import os
import shutil
import subprocess
import unittest

from contract import contract_of
from harness import COMPANY, ROOT, TENON, Case, Process, run_tenon

FOLDER = ROOT / "tests" / "openapi"
MODULES = FOLDER / "node_modules"


class OpenApi(Case):
    def test_it_is_served_as_the_command_prints_it(self):
        self.linked("--candidates", "10")
        self.client.key = None
        status, headers, served = self.client.get("/openapi.json")
        self.assertEqual(status, 200)
        self.assertEqual(served, json.loads(run_tenon("openapi").stdout))
        self.assertEqual(served, json.loads(run_tenon("openapi", "--pretty").stdout))
        for known in (headers["etag"], "*", f'"other", W/{headers["etag"]}'):
            status, again, body = self.client.request("GET", "/openapi.json",
                                                      headers={"If-None-Match": known})
            self.assertEqual((status, body, again["etag"]), (304, b"", headers["etag"]))
        self.assertEqual(self.client.request("GET", "/openapi.json",
                                             headers={"If-None-Match": '"other"'})[0], 200)

    def test_what_the_document_does_not_say_is_found(self):
        """The check of every answer in all of these tests, itself put to the test."""
        self.linked("--candidates", "10")
        contract = contract_of(TENON)
        path = f"/unified/ats/candidates?integrated_account_id={self.account}"
        status, headers, page = self.client.request("GET", path)

        def refused(change, status=status, method="GET", target=path):
            body = copy.deepcopy(page)
            change(body)
            with self.assertRaises(AssertionError, msg=str(change)):
                contract.check(method, target, status, headers, body)

        contract.check("GET", path, status, headers, page)
        refused(lambda body: body.update(colour="red"))
        refused(lambda body: body.pop("result_count"))
        refused(lambda body: body["result"][0].update(colour="red"))
        refused(lambda body: body["result"][0].update(name=7))
        refused(lambda body: body["result"][0].update(origin="stork"))
        refused(lambda body: body["result"][0].update(created_at="yesterday"))
        refused(lambda body: body["result"][0]["emails"].append({"mail": "x"}))
        refused(lambda body: body["result"][0]["emails"].append(None))
        refused(lambda body: None, status=204)
        refused(lambda body: None, status=404)
        refused(lambda body: None, target="/unified/ats/candidate")
        refused(lambda body: None, method="PUT")

    def test_capabilities(self):
        self.linked("--candidates", "10")
        _, _, whole = self.client.get("/integration/recruitee/capabilities")
        _, _, mine = self.client.get(f"/integrated-account/{self.account}/capabilities")
        self.assertEqual(whole["unified"], mine["unified"])
        self.assertEqual(whole["proxy"], mine["proxy"])
        self.assertEqual((mine["account"]["id"], mine["account"]["status"]),
                         (self.account, "active"))
        self.assertNotIn("account", whole)
        _, _, listed = self.client.get("/integration/recruitee")
        self.assertEqual([(one["resource"], one["methods"]) for one in whole["unified"]],
                         [(one["resource"], one["methods"]) for one in listed["unified"]])
        _, _, part = self.client.get("/integration/recruitee/capabilities", type="proxy",
                                     methods="write", resource="candidates", schemas="true")
        self.assertEqual(part["unified"], [])
        [candidates] = part["proxy"]
        self.assertEqual([one["method"] for one in candidates["methods"]],
                         ["create", "update", "delete"])
        create = candidates["methods"][0]
        self.assertEqual(create["body_schema"]["properties"]["candidate"]["required"], ["name"])
        self.assertEqual((create["http_method"], create["path"]), ("POST", "/candidates"))
        for query in ({"type": "some"}, {"schemas": "perhaps"}, {"colour": "red"}):
            status, _, body = self.client.get("/integration/recruitee/capabilities", **query)
            self.assertEqual((status, body["field"]), (400, *query))
        self.assertEqual(self.client.get("/integration/nobody/capabilities")[0], 404)
        self.assertEqual(self.client.get("/integrated-account/acc_x/capabilities")[0], 404)

    def test_capabilities_tell_the_truth_of_filters(self):
        """Each filter that is told of is taken, and no other."""
        self.linked("--candidates", "10")
        _, _, told = self.client.get(f"/integrated-account/{self.account}/capabilities",
                                     type="unified")
        candidate = self.list("candidates", limit=1)[2]["result"][0]["id"]
        values = {"boolean": "true", "integer": "1", "number": "1", "array": "1", "string": "1"}
        contract = contract_of(TENON)
        for one in told["unified"]:
            needed = {"candidate_id": candidate} if any(
                one["required"] for one in one["filters"]) else {}
            parameters = contract.document["paths"][f"/unified/ats/{one['resource']}"]["get"]["parameters"]
            known = {row["name"]: row["schema"] for row in parameters if "name" in row}
            works = {row["name"] for row in one["filters"]}
            self.assertLessEqual(works, set(known))
            for name, schema in known.items():
                inner = schema.get("items", schema)
                value = (inner.get("enum") or ["2026-01-01T00:00:00Z"
                                               if inner.get("format") == "date-time"
                                               else values[inner["type"]]])[0]
                status, _, body = self.list(one["resource"], limit=1, **{**needed, name: value})
                if name in works or status != 400:
                    # Some go together with others only; the refusal then names another filter.
                    self.assertTrue(name in works and (status != 400 or body["field"] != name or
                                                       "cannot filter" not in body["message"]),
                                    (one["resource"], name, body))

    def test_an_account_that_needs_another_token(self):
        self.linked("--candidates", "10")
        self.box.stop()
        again = Process(["sandbox", "recruitee", "--listen", self.box.host, "--token", "another",
                         "--company", COMPANY])
        self.addCleanup(again.kill)
        self.assertEqual(self.list("tags")[0], 401)
        _, _, body = self.client.get(f"/integrated-account/{self.account}/capabilities")
        self.assertEqual(body["account"]["status"], "needs_reauth")
        self.assertIn("link it again", body["account"]["note"])

    def test_meta(self):
        self.linked("--candidates", "10")
        base = "/unified/ats/applications"
        _, _, meta = self.client.get(f"{base}/meta/move-stage", integrated_account_id=self.account)
        self.assertEqual((meta["http_method"], meta["path"], meta["integration"]),
                         ("POST", base + "/{id}/move-stage", "recruitee"))
        self.assertEqual(meta["request_body_schema"]["required"], ["stage_id"])
        self.assertEqual(self.client.get(f"{base}/recruitee/meta/move-stage")[2], meta)
        _, _, free = self.client.get(f"{base}/meta/list")
        self.assertEqual((free["integration"], free["integrations"]), (None, ["recruitee"]))
        self.assertIn("reject_reason_id", free["query_schema"]["properties"])
        self.assertIsNone(free["request_body_schema"])
        _, _, files = self.client.get("/unified/ats/attachments/recruitee/meta/list")
        self.assertEqual(files["query_schema"]["required"],
                         ["integrated_account_id", "candidate_id"])
        for path, status, field in (("/unified/crm/contacts/meta/list", 404, "model"),
                                    ("/unified/ats/contacts/meta/list", 404, "resource"),
                                    (f"{base}/meta/fly", 404, "method"),
                                    (f"{base}/nobody/meta/list", 404, "connector"),
                                    ("/unified/ats/offers/recruitee/meta/list", 501, "resource"),
                                    ("/unified/ats/candidates/recruitee/meta/anonymize", 501,
                                     "method"),
                                    (f"{base}/meta/list?colour=red", 400, "colour")):
            got, _, body = self.client.request("GET", path)
            self.assertEqual((got, body["field"]), (status, field), path)

    def test_meta_is_what_answers_are(self):
        """The body that meta asks for is taken, and the answer is as its schema says."""
        import jsonschema
        self.linked("--candidates", "10")
        of = f"?integrated_account_id={self.account}"
        meta = self.client.request("GET", f"/unified/ats/candidates/meta/create{of}")[2]
        body = {"name": "Noor Achterberg", "emails": [{"email": "noor@achterberg.example"}]}
        jsonschema.validate(body, meta["request_body_schema"],
                            cls=jsonschema.Draft202012Validator)
        status, _, made = self.client.request("POST", f"/unified/ats/candidates{of}", body)
        self.assertEqual(status, 201)
        jsonschema.validate(made, meta["response_schema"], cls=jsonschema.Draft202012Validator)
        meta = self.client.request("GET", f"/unified/ats/candidates/meta/list{of}")[2]
        jsonschema.validate(self.list("candidates")[2], meta["response_schema"],
                            cls=jsonschema.Draft202012Validator)


class Tools(Case):
    """Programs of others: a linter, a generator of clients, a compiler."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("npm"):
            raise unittest.SkipTest("npm is not installed")
        wanted = (FOLDER / "package-lock.json").read_text()
        mark = MODULES / ".tenon-lock"
        if mark.exists() and mark.read_text() == wanted:
            return
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--silent"], cwd=FOLDER, capture_output=True, text=True,
                              timeout=300)
        if done.returncode != 0:
            raise unittest.SkipTest(f"npm packages cannot be installed: {done.stderr[-200:]}")
        mark.write_text(wanted)

    def call(self, *words):
        """A program of node_modules, in the folder of this test's files."""
        done = subprocess.run([str(MODULES / ".bin" / words[0]), *words[1:]], cwd=self.folder,
                              capture_output=True, text=True, timeout=120,
                              env={**os.environ, "CI": "1", "REDOCLY_TELEMETRY": "off"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def document(self):
        path = self.folder / "openapi.json"
        path.write_text(run_tenon("openapi").stdout)
        return str(path)

    def test_the_linter_has_nothing_to_say(self):
        said = self.call("redocly", "lint", "--extends=recommended", "--format=json",
                         self.document())
        totals = json.loads(said[said.index("{"):said.rindex("}") + 1])["totals"]
        self.assertEqual((totals["errors"], totals["warnings"]), (0, 0), said)

    def test_a_client_of_it_compiles_and_works(self):
        (self.folder / "build").mkdir()
        for name in ("client.ts", "tsconfig.json", "package.json"):
            shutil.copy(FOLDER / name, self.folder / name)
        (self.folder / "node_modules").symlink_to(MODULES)
        self.call("openapi-typescript", self.document(), "--output", "build/tenon.d.ts")
        self.call("tsc", "--project", "tsconfig.json")
        self.linked("--candidates", "40")
        done = subprocess.run(["node", "build/client.js", self.serve.url, self.key, self.account],
                              cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertIn("the typed client is done", done.stdout, done.stdout + done.stderr)

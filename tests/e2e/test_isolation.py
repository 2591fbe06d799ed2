"""Environments do not see one another: every route of the OpenAPI document that takes an id of an
environment's own thing answers an id of another environment exactly as one that does not exist."""
import itertools
import json

from contract import contract_of
from harness import TENON, Case, Client, create_key, link_account

# Which thing a path's {id} names, by the path's beginning; those of ATSs are theirs, not an
# environment's. A new kind of thing must be told here: the test fails on what it cannot place.
THINGS = {"/integrated-account/{id}": "account", "/api-token/{id}": "key", "/link-token/{id}": "link token",
          "/environment/{id}": "environment", "/mcp/account/{id}": "account",
          "/sync-job/{id}": "sync job", "/sync-job-run/{id}": "sync run",
          "/webhook/{id}": "webhook", "/erasure/{id}": "erasure",
          "/integrated-account-webhook/{id}": "account"}
# Things within an account: the path's {id} is the account's.
WITHIN = {"mcp_id": "MCP server"}
OF_THE_ATS = ("/unified/", "/proxy/")
# Opened by a token of its own, whoever's key it is; and what anybody is told of where to get one
# (test_mcp_auth: nothing of which servers there are).
BY_OWN_TOKEN = ("/mcp/{mcp_id}", "/.well-known/oauth-protected-resource/mcp/{mcp_id}")
# What stands for parameters that are no ids of things.
PLAIN = {"resource": "candidates", "model": "ats", "method": "list", "connector": "recruitee",
         "name": "recruitee", "integration": "recruitee", "path": "candidates", "id": "7"}
IN_QUERY_AND_BODY = {"integrated_account_id": "account", "sync_job_id": "sync job"}
# Lists that the id of an account only narrows.
BY_ACCOUNT = ("/log", "/events", "/sync-job")
# No key opens it, but a signature.
BY_SIGNATURE = ("/integrated-account-webhook/{id}",)
# Told by the server anew for each request, and no word about what was asked for.
OF_THE_REQUEST = ("date", "x-request-id", "server-timing")
# What a thing tells of its own doings, which go on meanwhile.
MOVES_BY_ITSELF = ("last_used_at", "last_event_number", "last_delivered_at", "failing_since")
# A request must get as far as looking for the thing: its body has to be a good one.
BODIES = {
    "/integrated-account/{id}/overrides/test": {"resource": "candidates", "record": {}},
    "/integrated-account/{id}/overrides/{resource}": {"response": {"name": "name"}},
    "/webhook/{id}/replay": {"after": 0},
}


class Place:
    """One place of one operation where the id of a thing stands."""

    def __init__(self, method, path, where, name, thing):
        self.method, self.path, self.where, self.name, self.thing = method, path, where, name, thing

    def __str__(self):
        return f"{self.method} {self.path}, {self.name} in {self.where}"

    @staticmethod
    def fill(part, around):
        return around[part[1:-1]] if part.startswith("{") else part

    def request(self, identifier, body, around):
        """(target, body) with the identifier in its place; `around`: what is in the other ones."""
        parts = self.path.split("/")
        if self.where == "path":
            parts[parts.index("{" + self.name + "}")] = identifier
        target = "/".join(self.fill(part, around) for part in parts)
        if self.where == "query":
            target += f"?{self.name}={identifier}"
        if self.where == "body":
            body = {**(body or {}), self.name: identifier}
        return target, body


class Document:
    def __init__(self):
        self.contract = contract_of(TENON)

    def operations(self):
        for path, methods in self.contract.document["paths"].items():
            for method, operation in methods.items():
                if method != "parameters":
                    yield method.upper(), path, operation

    def body_schema(self, operation):
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return None if schema is None else self.contract.resolve(schema)

    def thing_of_path(self, path):
        if "{id}" not in path or path.startswith(OF_THE_ATS):
            return None
        found = [thing for begin, thing in THINGS.items() if path.startswith(begin)]
        if not found:
            raise AssertionError(f"{path}: what does its id name? (THINGS, in this test)")
        return found[0]

    def places(self):
        for method, path, operation in self.operations():
            thing = self.thing_of_path(path)
            if thing:
                yield Place(method, path, "path", "id", thing)
            for name, within in WITHIN.items():
                if "{" + name + "}" in path and path not in BY_OWN_TOKEN:
                    yield Place(method, path, "path", name, within)
            for parameter in map(self.contract.resolve, operation.get("parameters", [])):
                if parameter["in"] == "query" and parameter["name"] in IN_QUERY_AND_BODY:
                    yield Place(method, path, "query", parameter["name"],
                                IN_QUERY_AND_BODY[parameter["name"]])
            for name in (self.body_schema(operation) or {}).get("properties", {}):
                if name in IN_QUERY_AND_BODY and path.startswith(("/integrated", "/link")):
                    yield Place(method, path, "body", name, IN_QUERY_AND_BODY[name])

    def body(self, method, path, operation):
        if path in BODIES:
            return BODIES[path]
        schema = self.body_schema(operation)
        return None if schema is None or method == "DELETE" else self.example(schema)

    def example(self, schema, depth=0):
        """A small value that the schema takes."""
        schema = self.contract.resolve(schema)
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            wanted = schema.get("required", [])
            if not wanted and depth == 0 and schema.get("minProperties", 0):
                wanted = list(schema["properties"])[:1]
            return {name: self.example(schema["properties"][name], depth + 1) for name in wanted}
        if kind == "array":
            return [self.example(schema["items"], depth + 1)]
        formats = {"date-time": "2026-01-05T09:00:00Z", "date": "2026-01-05", "uri": "https://a.example"}
        return {"string": formats.get(schema.get("format"), "a"), "boolean": True}.get(kind, 7)


def without_own_words(value, identifier):
    if isinstance(value, bytes):  # a file
        return value.decode().replace(identifier, "THE-ID")
    return json.loads(json.dumps(value).replace(identifier, "THE-ID"))


class Isolation(Case):
    def setUp(self):
        super().setUp()
        self.linked("--candidates", "10")
        self.client = self.administrator("production")
        self.other = self.administrator("staging")
        self.theirs = self.things_of_other()

    def administrator(self, environment):
        key = create_key(self.data, environment, "--scope", "call", "--scope", "admin")["key"]
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        return client

    def things_of_other(self):
        account = json.loads(link_account(self.data, self.box, "staging").stdout)["id"]
        status, _, token = self.other.request("POST", "/link-token", {"tenant_id": "theirs"})
        self.assertEqual(status, 201, token)
        status, _, server = self.other.request("POST", f"/integrated-account/{account}/mcp", {})
        self.assertEqual(status, 201, server)
        job, run = self.sync_of_other(account)
        status, _, webhook = self.other.request("POST", "/webhook", {"url": "https://a.example/"})
        self.assertEqual(status, 201, webhook)
        status, _, erasure = self.other.request(
            "POST", "/erasure", {"integrated_account_id": account, "candidate_id": "no one"})
        self.assertEqual(status, 201, erasure)
        return {"erasure": erasure["id"], "sync job": job, "sync run": run, "account": account, "webhook": webhook["id"],
                "MCP server": server["id"], "key": create_key(self.data, "staging")["id"],
                "link token": token["id"],
                "environment": self.other.get("/integrated-account/" + account)[2]["environment_id"]}

    def sync_of_other(self, account):
        status, _, job = self.other.request(
            "POST", "/sync-job", {"integrated_account_id": account, "resource": "tags"})
        self.assertEqual(status, 201, job)
        runs = []
        while not runs:
            runs = self.other.get("/sync-job-run", sync_job_id=job["id"])[2]["result"]
        return job["id"], runs[0]["id"]

    def answer(self, place, identifier, operation, client=None):
        account = self.theirs["account"] if client else self.account
        around = {**PLAIN, "mcp_id": self.theirs["MCP server"]}
        if place.name in WITHIN:
            around["id"] = account
        target, body = place.request(
            identifier, self.document.body(place.method, place.path, operation), around)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        status, headers, answer = (client or self.client).request(place.method, target, body, headers)
        if isinstance(answer, dict):
            answer.pop("request_id", None)
        kept = {name: value for name, value in headers.items() if name not in OF_THE_REQUEST}
        return status, without_own_words(kept, identifier), without_own_words(answer, identifier)

    def test_another_environments_id_is_answered_as_one_that_does_not_exist(self):
        self.document = Document()
        before = self.state_of_other()
        places = list(self.document.places())
        self.assertGreater(len(places), 100)
        for place in places:
            with self.subTest(str(place)):
                operation = self.document.contract.document["paths"][place.path][
                    place.method.lower()]
                theirs = self.theirs[place.thing]
                nobodys = theirs[:-6] + ("000000" if theirs[-6:] != "000000" else "111111")
                answer = self.answer(place, theirs, operation)
                nothing = self.answer(place, nobodys, operation)
                self.assertEqual(answer, nothing)
                if place.method == "GET" and place.path not in BY_ACCOUNT:
                    # Whose it is finds it: the request was a good one.
                    self.assertNotEqual(self.answer(place, theirs, operation, self.other), nothing)
                # They may be asked for an account that is gone.
                self.assertEqual(answer[0], 200 if place.path in BY_ACCOUNT else
                                 401 if place.path in BY_SIGNATURE else 404, answer)
                if place.path in BY_ACCOUNT:
                    self.assertEqual(answer[2]["result"], [])
        self.assertEqual(self.state_of_other(), before)

    def state_of_other(self):
        """What there is in the other environment, told by its own key."""
        found = [self.other.get(path) for path in ("/integrated-account", "/api-token",
                                                   "/link-token", "/environment/overrides", "/webhook")]
        self.assertEqual({status for status, _, _ in found}, {200})
        for item in itertools.chain(*(body["result"] for _, _, body in found)):
            for name in MOVES_BY_ITSELF:
                item.pop(name, None)
        return [body for _, _, body in found]

    def test_nor_is_it_in_a_batch(self):
        def batch(account, client=self.client):
            status, _, body = client.request("POST", "/batch-request", {
                "integrated_account_id": account, "resources": [{"resource": "ats/candidates"}]})
            self.assertEqual(status, 200, body)
            for fault in itertools.chain(*body["errors"].values()):
                fault.pop("request_id")
            return without_own_words(body, account)

        theirs = self.theirs["account"]
        nothing = batch(theirs[:-6] + "000000")
        self.assertEqual(batch(theirs), nothing)
        self.assertEqual(nothing["errors"]["ats/candidates"][0]["statusCode"], 404)
        self.assertEqual(batch(theirs, self.other)["errors"], {})

    def test_cursors_and_idempotency_keys_are_an_environments_own(self):
        path = f"/unified/ats/candidates?integrated_account_id={self.theirs['account']}&limit=2"
        cursor = self.other.get(path)[2]["next_cursor"]
        status, _, body = self.list("candidates", limit="2", next_cursor=cursor)
        self.assertEqual((status, body["field"]), (400, "next_cursor"))
        body, headers = {"name": "Ada"}, {"Idempotency-Key": "one"}
        ids = set()
        for client, account in ((self.client, self.account),
                                (self.other, self.theirs["account"])):
            status, _, made = client.request(
                "POST", f"/unified/ats/candidates?integrated_account_id={account}", body, headers)
            self.assertEqual(status, 201, made)
            ids.add(made["id"])
        self.assertEqual(len(ids), 2)

"""The sandbox's company as a test sees it: what is in it, what a call changed, and things made to
work on. The cases in coverage/*.json name them by references:

@THING            the id of a thing of coverage/things.json, which is made for the case
@THING.a.0        a member of its record
@first.COLLECTION, @last.COLLECTION   the id of a record (or a member of it) there from the start
@stage.CATEGORY   a stage of the pipeline that new jobs have
@count.COLLECTION how many records there are; with a member: how many have it
@named.COLLECTION.NAME   the one of that name
@new.COLLECTION   the record that the call created
@url, @file       the address of a file to fetch, and its name
@upload           a file to upload; its name
@base64           the bytes of a file as base64
@logged           the newest activity
{@…} within a text, and {n}: a number that no other thing has"""
import base64
import http.server
import itertools
import json
import pathlib
import re
import threading
import urllib.parse

from harness import COMPANY, ROOT, TOKEN, Client

FOLDER = pathlib.Path(__file__).resolve().parent / "coverage"
THINGS = json.loads((FOLDER / "things.json").read_text())
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40 + b"\n%%EOF\n"
UPLOAD, FETCHED = "uploaded.pdf", "fetched.pdf"
REFERENCE = re.compile(r"@(\w+(?:\.\w+)*)")
# When a record was last touched changes with everything.
TOUCHED = {"updated_at", "last_activity_at"}
numbers = itertools.count(1)


def collections():
    text = (ROOT / "sandbox/recruitee/sandbox.yaml").read_text()
    text = text.split("\ncollections:\n")[1].split("\nroutes:\n")[0]
    return re.findall(r"^  (\w+):$", text, flags=re.M)


class Files:
    """Serves one file, for an ATS that fetches by address."""

    def __init__(self, name=FETCHED):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/pdf")
                self.send_header("Content-Length", str(len(PDF)))
                self.end_headers()
                self.wfile.write(PDF)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{urllib.parse.quote(name)}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def member(value, path):
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = (value or {}).get(name)
    return value


class Company:
    def __init__(self, host, url):
        self.control, self.direct, self.url = Client(host), Client(host, TOKEN), url
        self.names = collections()
        self.start = self.records()

    def close(self):
        self.control.close()
        self.direct.close()

    def ask(self, path, **query):
        status, _, body = self.control.get(path, **query)
        assert status == 200, (path, query, body)
        return body

    def records(self):
        """{collection: {id: record}} of all that are there."""
        return {name: {r["id"]: r for r in
                       self.ask("/sandbox/records", collection=name)["records"]}
                for name in self.names}

    def counts(self):
        body = self.ask("/sandbox/counts")
        return {kind: body[kind] for kind in ("calls", "writes")}

    def native(self, method, path, body=None):
        status, _, answer = self.direct.request(
            method, f"/c/{COMPANY}{path}", body, {"Content-Type": "application/json"} if body else {})
        assert status < 300, (method, path, body, answer)
        return answer

    def file(self, number, name):
        """The bytes that the company keeps."""
        status, _, body = self.control.get(f"/files/uploads/{number}/{urllib.parse.quote(name)}")
        assert status == 200, body
        return body


def difference(before, after):
    """What a call did: {created, deleted, changed} by collection, and by id."""
    created, deleted, changed = {}, {}, {}
    for name, old in before.items():
        new = after[name]
        if some := [new[i] for i in new if i not in old]:
            created[name] = some
        if some := [i for i in old if i not in new]:
            deleted[name] = some
        for i in old.keys() & new.keys():
            fields = {k: new[i].get(k) for k in old[i].keys() | new[i].keys()
                      if k not in TOUCHED and old[i].get(k) != new[i].get(k)}
            if fields:
                changed.setdefault(name, {})[i] = fields
    return {"created": created, "deleted": deleted, "changed": changed}


class World:
    """The things of one case, and what its references mean."""

    def __init__(self, company, case):
        self.company, self.made, self.current, self.new = company, {}, company.start, {}
        for name in case.get("given", []):
            self.thing(name)
        for found in REFERENCE.findall(json.dumps(case)):
            if found.split(".")[0] in THINGS:
                self.thing(found.split(".")[0])
        self.current = company.records()

    def thing(self, name):
        if name not in self.made:
            what, number = THINGS[name], next(numbers)
            answer = self.company.native("POST", self.meant(what["post"]),
                                         self.meant(what["body"], n=number))
            self.made[name] = member(answer, what["id"].split("."))
            for method, path, *body in what.get("then", []):
                self.company.native(method, self.meant(path), *self.meant(body))
        return self.made[name]

    def reference(self, text):
        head, *path = text.split(".")
        if head in ("url", "file", "upload", "base64"):
            return {"url": self.company.url, "file": FETCHED, "upload": UPLOAD,
                    "base64": base64.b64encode(PDF).decode()}[head]
        if head == "logged":
            return max(self.current["activities"])
        if head == "stage":
            pipeline = next(iter(self.company.start["pipeline_templates"]))
            return next(i for i, s in self.company.start["stages"].items()
                        if (s["pipeline_template_id"], s["category"]) == (pipeline, path[0]))
        if head == "count":
            records = self.current[path[0]].values()
            return len([r for r in records if not path[1:] or member(r, path[1:]) is not None])
        if head in ("first", "last"):
            records = list(self.company.start[path[0]].values())
            return member(records[0 if head == "first" else -1], path[1:] or ["id"])
        if head == "named":
            return next(i for i, r in self.current[path[0]].items() if r["name"] == path[1])
        if head == "new":
            return member(self.new[path[0]][0], path[1:] or ["id"])
        identifier = self.thing(head)
        return member(self.current[THINGS[head]["in"]][identifier], path) if path else identifier

    def meant(self, value, texts=False, n=None):
        """The value with its references replaced; ids as texts where that is asked for."""
        if isinstance(value, dict):
            return {self.meant(k, True, n): self.meant(v, texts, n) for k, v in value.items()}
        if isinstance(value, list):
            return [self.meant(v, texts, n) for v in value]
        if not isinstance(value, str):
            return value
        if REFERENCE.fullmatch(value):
            found = self.reference(value[1:])
            return str(found) if texts and isinstance(found, int) else found
        value = value.replace("{n}", str(n)) if n is not None else value
        return re.sub(r"{@(\w+(?:\.\w+)*)}", lambda m: str(self.reference(m[1])), value)


def fits(wanted, got):
    """Of an object only what is wanted is compared. "*": anything but null."""
    if wanted == "*":
        return got is not None
    if isinstance(wanted, dict) and isinstance(got, list):
        found = any(fits(wanted.get("has", wanted.get("lacks")), one) for one in got)
        return found if "has" in wanted else "lacks" in wanted and not found
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(fits(v, got.get(k)) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (isinstance(got, list) and len(wanted) == len(got) and
                all(fits(w, g) for w, g in zip(wanted, got)))
    return type(wanted) is type(got) and wanted == got


def leaves(value):
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value

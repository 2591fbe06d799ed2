"""Every call of the ATS through /proxy, and every unified read and write, by what the sandbox has
afterwards. The cases stand in coverage/*.json; tools/coverage makes the table of docs/recruitee.md
from them and fails where a method of the connector has none."""
import json
import re
import urllib.parse

from company import FOLDER, PDF, UPLOAD, Company, Files, World, difference, fits, leaves, member
from harness import ROOT, Case
from test_proxy import native_methods

VERBS = {"list": "GET", "get": "GET", "create": "POST", "update": "PATCH", "delete": "DELETE"}
BOUNDARY = "-b-o-u-n-d-a-r-y-"


def cases_of(file):
    for name, cases in json.loads((FOLDER / file).read_text()).items():
        for case in cases if isinstance(cases, list) else [cases]:
            yield name, case


def form(fields):
    parts = []
    for name, value in fields.items():
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if value == UPLOAD:
            head += f'; filename="{value}"\r\nContent-Type: application/pdf'
        parts.append(head.encode() + b"\r\n\r\n" + (PDF if value == UPLOAD else str(value).encode()))
    return b"\r\n".join(parts) + f"\r\n--{BOUNDARY}--\r\n".encode()


def keys(value):
    """The names of all members; of a form's part[name] both."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from re.findall(r"\w+", name)
            yield from keys(one)
    elif isinstance(value, list):
        for one in value:
            yield from keys(one)


def route_of(request):
    return re.sub(r"{\w+}", "{}", request)


def calls_of(reference):
    """(verb, path) of each call that a text about the API names, "" for a path without its verb;
    a path that begins with … is the end of one. Not those which it says are answered with 404."""
    text = re.sub(r"/c/\{cid\}|/c/\{company_id\}/…?|/c/\{id\}", "", reference)
    text = text.replace("{slug or id}", "{slug}").replace("**", "{scope}/{id}")
    verb = "(?:GET|POST|PATCH|PUT|DELETE)"
    found = re.findall(rf"({verb}(?:[|/]{verb})*) (https:/\S+?|…?/[^\s`?\"]+)(?=[\s`?])(?!` → 404)", text)
    found += [("", path) for path in re.findall(r"(?<=`)(/[a-z_]+/?[^\s`?]*)`", text)]
    for verbs, path in found:
        path = re.sub(r"^/(?=:)", "…/", path)
        choice = re.search(r"\{([^}]*\|[^}]*)\}|(?<=/)([^/{}]*\|[^/{}]*)$", path)
        for word in (choice[1] or choice[2]).split("|") if choice else [None]:
            one = path.replace(choice[0], word) if word else path
            for verb in re.split(r"[|/]", verbs):
                # /things[/:id]: what is created has no id yet.
                whole = re.sub(r"\[(.*?)\]", "" if verb == "POST" else r"\1", one)
                yield verb, re.sub(r":\w+|\{\w[^}|]*\}", "{}", whole)


class Coverage(Case):
    def open(self, shape="new"):
        self.linked("--candidates", "60", "--shape", shape, link_options=("--limit", "requests=100000"))
        files = Files()
        self.addCleanup(files.stop)
        self.company = Company(self.box.host, files.url)
        self.addCleanup(self.company.close)

    def setUp(self):
        super().setUp()
        self.natives = {f"{r}.{m}": found for (r, m), found in native_methods().items()}

    # --- what the ATS has afterwards ----------------------------------------------------------

    def call(self, method, path, body=None, headers=None, **query):
        query = {"integrated_account_id": self.account, **query}
        if body is not None and headers is None:
            headers = {"Content-Type": "application/json"}
        return self.client.request(method, f"{path}?{urllib.parse.urlencode(query)}", body, headers)

    def watched(self, world, request):
        """The answer; what it changed; which routes were called, and which of them wrote."""
        counts = self.company.counts()
        status, _, answer = request()
        after, then = self.company.records(), self.company.counts()
        told = difference(world.current, after)
        told["answer"], told["status"] = answer, status
        for kind, old in counts.items():
            told[kind] = {k: n - old.get(k, 0) for k, n in then[kind].items() if n > old.get(k, 0)}
        world.new = told["created"]
        return told

    def check_state(self, world, case, told):
        """What changed is what the case says, and nothing else. Activities are the ATS's log."""
        created = {k: v for k, v in told["created"].items() if k != "activities"}
        self.assertEqual(created.keys(), case.get("created", {}).keys(), told)
        for name, records in world.meant(case.get("created", {})).items():
            records = records if isinstance(records, list) else [records]
            self.assertTrue(fits(records, created[name]), (name, records, created[name]))
        deleted = world.meant(case.get("deleted", {}))
        gone = {k: v for k, v in told["deleted"].items() if k != "activities"}
        self.assertEqual(gone.keys(), deleted.keys(), told)
        for name, identifier in deleted.items():
            if identifier != "*":
                self.assertEqual(gone[name], [identifier], name)
        changed = {f"{name} {i}": fields for name, records in told["changed"].items()
                   for i, fields in records.items()}
        wanted = {re.sub(r"@\w+", lambda m: str(world.reference(m[0][1:])), k): world.meant(v)
                  for k, v in case.get("changed", {}).items()}
        self.assertEqual(changed.keys(), wanted.keys(), told)
        for name, fields in wanted.items():
            self.assertEqual(changed[name].keys(), fields.keys(), name)
            self.assertTrue(fits(fields, changed[name]), (name, fields, changed[name]))
        self.check_files(told)

    def check_files(self, told):
        """A file that was kept is kept byte for byte."""
        kept = [r for records in told["created"].values() for r in records]
        kept += [f for records in told["changed"].values() for f in records.values()]
        for file in (r.get("file") or r.get("cv_file") for r in kept):
            if file and not told["deleted"].get("attachments"):
                self.assertEqual(self.company.file(file["number"], file["filename"]), PDF)

    def check_nothing_is_dropped(self, world, case, told, sent):
        """Each value that was sent is in what was created, changed or deleted."""
        silent = set(map(str, world.meant(case.get("unseen", []))))
        there = set(map(str, leaves([told["created"], told["deleted"], told["changed"]])))
        there |= {str(i) for records in told["changed"].values() for i in records}
        for value in leaves(sent):
            if value is not None and not isinstance(value, bool):
                self.assertTrue(str(value) in there or str(value) in silent, (value, told))

    def check_records(self, world, case, records):
        """They are those of the sandbox, by their ids, and say the same."""
        where, prefix = world.meant(case.get("where", {})), case.get("prefix", "")
        truth = {f"{prefix}{i}": r for i, r in world.current[case["in"]].items()
                 if all(r.get(k) in v if isinstance(v, list) else fits(v, r.get(k))
                        for k, v in where.items())}
        found = [str(record[case.get("key", "id")]) for record in records]
        self.assertEqual(len(found), len(set(found)))
        self.assertEqual(set(found), set(truth))
        self.assertTrue(found, "nothing was read")
        for i, record in zip(found, records):
            for field in case["fields"]:
                mine, theirs = field if isinstance(field, list) else (field, field)
                got, wanted = member(record, mine.split(".")), member(truth[i], theirs.split("."))
                is_id = isinstance(wanted, int) and isinstance(got, str)
                self.assertEqual(got, str(wanted) if is_id else wanted, (field, record))

    # --- what is sent -------------------------------------------------------------------------

    def check_members(self, file, wanted):
        sent = {}
        for name, case in cases_of(file):
            sent.setdefault(name, set()).update(keys([case.get("body"), case.get("form")]))
        self.assertGreater(len(wanted), 10)
        for name, members in wanted.items():
            self.assertLessEqual(members, sent[name], name)

    def test_each_member_of_a_native_body_is_sent(self):
        wanted, name, is_body = {}, None, False
        text = (ROOT / "connectors/recruitee/connector.yaml").read_text()
        for line in text.split("\nresources:\n")[1].splitlines():
            if found := re.match(r"  (\w+):$", line):
                resource = found[1]
            elif found := re.match(r"    (\w+):$", line):
                name = f"{resource}.{found[1]}"
            elif re.match(r"      \w+:", line):
                is_body = line == "      body:"
            elif is_body and (found := re.match(r" {8}(?: {4})*(\w+):(?: \{type|$)", line)):
                wanted.setdefault(name, set()).add(found[1])
        self.check_members("proxy.json", wanted)

    def test_each_member_of_a_unified_body_is_sent(self):
        wanted = {}
        for path in (ROOT / "connectors/recruitee/ats").glob("*.yaml"):
            for part in re.split(r"^(?=\w)", path.read_text(), flags=re.M):
                if found := re.search(r"^  takes: \[(.*)\]$", part, flags=re.M):
                    wanted[f"{path.stem}.{part.split(':')[0]}"] = set(found[1].split(", "))
        self.check_members("unified.json", wanted)

    # --- /proxy -------------------------------------------------------------------------------

    def test_native_methods(self):
        self.open()
        for name, case in cases_of("proxy.json"):
            with self.subTest(method=name):
                self.check_native(name, case)

    def check_native(self, name, case):
        resource, method = name.split(".")
        verb, path = self.natives[name]["request"].split()
        world = World(self.company, case)
        query = world.meant(case.get("with", {}))
        route = re.sub(r"{(\w+)}", lambda m: str(query[m[1]]), path)
        address = f"/proxy/{resource}"
        # A list takes an id in its path as a parameter: behind the resource it is one record's.
        if "{id}" in path and method != "list":
            address += f"/{query.pop('id')}"
        if VERBS.get(method) != verb or (method == "get" and "{id}" not in path):
            address += f"/{method}"
        if verb == "GET":
            return self.check_native_read(world, case, name, address, route, query)
        headers = None
        if "form" in case:
            sent = world.meant(case["form"])
            body, headers = form(sent), {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        else:
            sent = body = world.meant(case["body"]) if "body" in case else None
        told = self.watched(world, lambda: self.call(verb, address, body, headers, **query))
        self.assertIn(told["status"], (200, 201), told["answer"])
        self.assertEqual(list(told["writes"].values()), [1], told["writes"])
        self.assertEqual(told["calls"], told["writes"])
        self.check_route(next(iter(told["writes"])), verb, route)
        self.check_state(world, case, told)
        self.check_nothing_is_dropped(world, case, told, sent)

    def check_route(self, called, verb, path):
        method, pattern = called.split()
        self.assertEqual(method, verb)
        self.assertRegex(path, f"^{re.sub(r'{[^}]*}', '[^/]+', pattern)}$")

    def check_native_read(self, world, case, name, address, route, query):
        native = self.natives[name]
        if "items" in native and "limit" not in case.get("with", {}):
            query["limit"] = 1000
        told = self.watched(world, lambda: self.call("GET", address, **query))
        self.assertEqual(told["status"], 200, told["answer"])
        self.assertEqual(told["writes"], {})
        self.assertEqual(len(told["calls"]), 1, told["calls"])
        self.check_route(next(iter(told["calls"])), "GET", route)
        self.check_state(world, {}, told)
        got = told["answer"]["result"] if "items" in native else told["answer"]
        for step in filter(None, native.get("item", "").split(".")):
            got = got[step]
        if "is" in case:
            wanted = world.meant(case["is"])
            self.assertTrue(fits(wanted, got), (wanted, got))
            return
        records = got if isinstance(got, list) else [got]
        if "each" in case:
            records = [r for one in records for r in one[case["each"]]]
        if "items" not in native:
            case = {"where": {"id": case["with"].get("id", f"@{case.get('given', [''])[0]}")}, **case}
        self.check_records(world, case, records)

    def test_other_calls(self):
        """Those that are no native methods, through /custom."""
        self.open()
        for name, case in cases_of("custom.json"):
            if "path" in case:
                with self.subTest(request=name):
                    world = World(self.company, case)
                    verb, path, sent = name.split()[0], world.meant(case["path"]), world.meant(case["body"])
                    told = self.watched(world, lambda: self.call(verb, f"/custom{path}", sent))
                    self.assertEqual(told["status"], 200, told["answer"])
                    self.assertEqual(list(told["writes"].values()), [1])
                    self.check_route(next(iter(told["writes"])), verb, path)
                    self.check_state(world, case, told)
                    self.check_nothing_is_dropped(world, case, told, sent)

    # --- unified ------------------------------------------------------------------------------

    def test_unified_methods(self):
        for shape in ("new", "slim"):
            self.open(shape)
            for name, case in cases_of("unified.json"):
                if case.get("shape", "new") == shape:
                    with self.subTest(method=name):
                        self.check_unified(name, case)
            self.doCleanups()
            self.setUp()

    def check_unified(self, name, case):
        resource, method = name.split(".")
        world = World(self.company, case)
        path = f"/unified/ats/{resource}"
        if "id" in case:
            path += f"/{world.meant(case['id'], texts=True)}"
        query = world.meant(case.get("with", {}), texts=True)
        if method in ("list", "get"):
            return self.check_unified_read(world, case, path, query)
        if method not in VERBS:
            path += f"/{method}"
        sent = world.meant(case["body"], texts=True) if "body" in case else None
        told = self.watched(world, lambda: self.call(VERBS.get(method, "POST"), path, sent, **query))
        self.assertEqual(told["status"], 201 if method == "create" else 200, told["answer"])
        requests = [self.natives[n]["request"] for n in case["natives"]]
        self.assertEqual(sorted(route_of(r) for r in requests if not r.startswith("GET ")),
                         sorted(route_of(r) for r, n in told["writes"].items() for _ in range(n)))
        self.assertLessEqual({route_of(r) for r in requests}, set(map(route_of, told["calls"])))
        self.check_state(world, case, told)
        self.check_nothing_is_dropped(world, case, told, sent)

    def every_record(self, method, path, **query):
        """A list through all its pages, told as one answer."""
        found, cursor = [], {}
        while True:
            status, headers, page = self.call(method, path, limit=1000, **query, **cursor)
            if status != 200 or page["next_cursor"] is None:
                return status, headers, found + page["result"] if status == 200 else page
            found += page["result"]
            cursor = {"next_cursor": page["next_cursor"]}

    def check_unified_read(self, world, case, path, query):
        ask = self.every_record if "id" not in case else self.call
        told = self.watched(world, lambda: ask("GET", path, **query))
        self.assertEqual(told["status"], 200, told["answer"])
        self.assertEqual({route_of(self.natives[n]["request"]) for n in case["natives"]},
                         set(map(route_of, told["calls"])))
        self.check_state(world, {}, told)
        if "is" in case:
            wanted = world.meant(case["is"], texts=True)
            self.assertTrue(fits(wanted, told["answer"]), (wanted, told["answer"]))
            return
        records = [told["answer"]] if "id" in case else told["answer"]
        for part in case.get("parts", [case]):
            kind = re.compile(re.escape(part.get("prefix", "")) + r"\d+")
            self.check_records(world, part, [r for r in records if kind.fullmatch(r["id"])])
            records = [r for r in records if not kind.fullmatch(r["id"])]
        self.assertEqual(records, [])

    # --- what the ATS's reference tells ---------------------------------------------------------

    def test_each_call_of_the_reference_is_told(self):
        reference = ROOT.parent / "shared/reference/recruitee-api.md"
        if not reference.exists():
            self.skipTest("../shared/reference/recruitee-api.md is not here")
        told = set(re.findall(r"^\| (?:`\w+\.\w+` \| )?`(?:([A-Z]+) )?([^`]+)` \|",
                              (ROOT / "docs/recruitee.md").read_text(), flags=re.M))
        told = {(verb, route_of(path)) for verb, path in told}
        told |= {("", "/tracking/{}/{}"), ("", "/tracking/{}/{}/activities")} # of all three lists
        calls = set(calls_of(reference.read_text()))
        self.assertGreater(len(calls), 120)
        missing = {(verb, path) for verb, path in calls if not any(
            verb in ("", v) and (p == path or path[0] == "…" and p.endswith(path[1:]))
            for v, p in told)}
        self.assertEqual(missing, set())

    # --- what there is not --------------------------------------------------------------------

    def check_refused(self, status, allowed, verb, path):
        """With what is possible instead, and nothing reaches the ATS."""
        before = self.company.counts()
        got, _, answer = self.call(verb, path, {} if verb in ("POST", "PATCH") else None)
        self.assertEqual((got, answer["error"]),
                         (status, {404: "not_found", 501: "not_supported"}[status]), (path, answer))
        self.assertEqual(sorted(answer["allowed"].split(", ")), sorted(allowed), (path, answer))
        self.assertEqual(self.company.counts(), before)

    def test_native_methods_that_are_not_there(self):
        self.open()
        resources = {}
        for name in self.natives:
            resources.setdefault(name.split(".")[0], []).append(name.split(".")[1])
        for resource, methods in resources.items():
            for method, verb in VERBS.items():
                one = "" if method in ("list", "create") else "/7"
                # Where there is no list, get answers for it.
                if method not in methods and not (method == "list" and "get" in methods or
                                                  method == "get" and methods == ["get"]):
                    self.check_refused(501, methods, verb, f"/proxy/{resource}{one}")
            self.check_refused(501, methods, "POST", f"/proxy/{resource}/7/bark")

    def test_unified_methods_that_are_not_there(self):
        """What the model knows and the ATS cannot do is refused with what it can; what not even
        the model knows with what that has."""
        self.open()
        mapped = {}
        for name, _ in cases_of("unified.json"):
            mapped.setdefault(name.split(".")[0], {})[name.split(".")[1]] = True
        checked = 0
        for path in sorted((ROOT / "models/ats").glob("*.yaml")):
            part = re.search(r"^methods:\n((?: .*\n)+)", path.read_text(), flags=re.M)
            known = ["list", "get", *re.findall(r"^  ([\w-]+):", part[1] if part else "", flags=re.M)]
            able = list(mapped.get(path.stem, {}))
            # Of what the ATS has nothing of, only what the model knows is asked for.
            for method in sorted({*known, *VERBS, "bark"} - set(able) if able else known):
                verb, address = VERBS.get(method, "POST"), f"/unified/ats/{path.stem}"
                if method not in ("list", "create"):
                    address += "/7"
                if method not in VERBS:
                    address += f"/{method}"
                if not able:
                    self.check_refused(501, mapped, verb, address)
                elif method in known:
                    self.check_refused(501, able, verb, address)
                else:
                    self.check_refused(404, known, verb, address)
                checked += 1
        self.assertGreater(checked, 40)

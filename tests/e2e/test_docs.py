"""What README.md and docs/ tell people to type, typed: every ```sh block runs as it stands."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
from collections import Counter

from harness import ROOT, TENON, Case, run_tenon

PORTS = ("8080", "9700")
SECONDS = 120
# What the recipes change or tell.
STATE = ("candidates", "tags", "notes", "placements", "stages", "offers", "locations", "admins", "results")


def blocks_of(name):
    """The ```sh blocks of a file, each with the number of its first line."""
    found, block = [], None
    path = ROOT / name
    if not path.exists():
        return found
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if block is None and line.strip() == "```sh":
            block = (number + 1, [])
        elif block is not None and line.strip() == "```":
            found.append((block[0], "\n".join(block[1])))
            block = None
        elif block is not None:
            block[1].append(line)
    return found


def free_ports(count):
    """Ports that nobody has now. All are held until the last one is found, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Docs(Case):
    def script_of(self, names, ending):
        """One script of all blocks, which says in its output where it is."""
        lines = ["set -eu"]
        for name in names:
            for number, text in blocks_of(name):
                lines += [f"printf '\\n--- %s\\n' '{name}:{number}'", text]
        script = "\n".join([*lines, "printf '\\n--- end:1\\n'", *ending]) + "\n"
        program_folder = pathlib.Path(TENON).resolve().parent
        script = script.replace('export PATH="$PWD/build:$PATH"',
                                f'export PATH="{program_folder}:$PATH"')
        for usual, free in zip(PORTS, free_ports(len(PORTS))):
            script = re.sub(rf"\b{usual}\b", free, script)
        return script

    def run_blocks(self, *names, ending=()):
        """Everything that was started is ended with the script; its output."""
        output = self.folder / "output"
        # What a person has set must not make a text work that would not work without it; but a
        # program outside of the tree must be told where the data is.
        env = {k: v for k, v in os.environ.items()
               if k == "TENON_SHARE" or not k.startswith("TENON_")}
        with open(output, "wb") as out:
            shell = subprocess.Popen(["bash", "-eu", "-c", self.script_of(names, ending)], cwd=self.folder,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                                     start_new_session=True)
            try:
                code = shell.wait(SECONDS)
            except subprocess.TimeoutExpired:
                code = f"no end after {SECONDS} s"
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            shell.wait()
        text = output.read_text(errors="replace")
        if code != 0:
            logs = "".join(f"\n=== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
                           for path in sorted(self.folder.glob("s*.*")) if path.is_file())
            self.fail(f"{names[-1]} ended with {code}:\n{text[-6000:]}{logs}")
        return text

    def output_of(self, text, name, number=None):
        """What a block printed, the last one of the file where no number is given."""
        parts = re.split(r"^--- (\S+):(\d+)\n", text, flags=re.M)
        found = [body for file, line, body in zip(parts[1::3], parts[2::3], parts[3::3])
                 if file == name and number in (None, int(line))]
        self.assertTrue(found, (name, number))
        return found[-1]

    def test_readme(self):
        self.assertGreaterEqual(len(blocks_of("README.md")), 4)
        text = self.run_blocks("README.md")
        outputs = [self.output_of(text, "README.md", number) for number, _ in blocks_of("README.md")]
        [page] = [output for output in outputs if '"result_count"' in output]
        self.assertIn('"link_token":"tlink_', outputs[-2])
        self.assertRegex(outputs[-1], '"methods":\\["read"\\].*"token":"tmcp_')
        self.assertIn('{"result":[{"id":"', page)
        self.assertIn('"result_count":2', page)

    def test_api(self):
        text = self.run_blocks("README.md", "docs/api.md")
        for number, block in blocks_of("docs/api.md"):
            if "limit=5000" in block:
                self.assertIn('"error":"invalid"', self.output_of(text, "docs/api.md", number))
            if "server-timing" in block:
                self.assertIn("upstream;dur=", self.output_of(text, "docs/api.md", number))
        self.assertGreaterEqual(len(blocks_of("docs/api.md")), 8)

    def test_overrides(self):
        text = self.run_blocks("README.md", "docs/overrides.md")
        outputs = {block: self.output_of(text, "docs/overrides.md", number)
                   for number, block in blocks_of("docs/overrides.md")}
        for words, wanted in (("$OVERRIDES/test", '"difference":[{"field":"name"'), ("fields=name", '"name":"'),
                              ("name & (title", '"code":"S0203"'), ("override list", "environment  candidates"),
                              ("override test", '"field": "name"'), ("override show", "$trim(title)")):
            self.assertIn(wanted, next(o for block, o in outputs.items() if words in block))
        self.assertGreaterEqual(len(outputs), 7)

    def test_linking(self):
        text = self.run_blocks("README.md", "docs/linking.md")
        token, events = (self.output_of(text, "docs/linking.md", number)
                         for number, _ in blocks_of("docs/linking.md"))
        self.assertIn('"link_url":"http://127.0.0.1:', token)
        self.assertIn('"event":"integrated_account:', events)

    def test_webhooks(self):
        text = self.run_blocks("README.md", "docs/webhooks.md")
        events, stream, webhook = (self.output_of(text, "docs/webhooks.md", number)
                                   for number, _ in blocks_of("docs/webhooks.md"))
        self.assertIn('"event":"integrated_account:', events)
        self.assertIn("data: {", stream)
        self.assertIn('"secret":"whsec_', webhook)
        self.assertIn("active  https://hooks.example.com/tenon", webhook)

    def test_vault(self):
        text = self.run_blocks("README.md", "docs/vault.md")
        outputs = [self.output_of(text, "docs/vault.md", number)
                   for number, _ in blocks_of("docs/vault.md")]
        self.assertEqual(len(outputs), 2, outputs)
        self.assertIn("the old key is out of the key file", outputs[0])

    def test_recipes(self):
        """Each tells what it did, and the sandbox has become so."""
        text = self.run_blocks("README.md", "docs/recipes.md", ending=[
            f"curl -sS --fail 'http://127.0.0.1:9700/sandbox/records?collection={name}' > {name}.json"
            for name in STATE])
        blocks = blocks_of("docs/recipes.md")
        outputs = {block: self.output_of(text, "docs/recipes.md", number) for number, block in blocks}
        for words, wanted in (
                ("email=noor", ['"name":"Noor Achterberg","stage":"Applied"', '"file_name":"noor.pdf"']),
                ("add-tag", ["sourced", "passed the test", '"body":"Craft test: 93 of 100']),
                ("/hire?", ['"status":"hired"']),
                ("status=hired", ['"name":"Noor Achterberg"', '"offices":', "noor.pdf"]),
                ("--bind", [": "]), ("scorecards", [" feedback.json"])):
            output = next(o for block, o in outputs.items() if words in block)
            for text in wanted:
                self.assertIn(text, output)
        state = {name: {r["id"]: r for r in json.loads((self.folder / f"{name}.json").read_text())["records"]}
                 for name in STATE}
        self.check_result_of_the_test(state)
        self.check_hire(state, next(o for block, o in outputs.items() if "status=hired" in block))
        self.check_heads(state, json.loads(next(o for block, o in outputs.items() if "--bind" in block)))
        self.check_feedback(state)

    def noor(self, state):
        (one,) = [c for c in state["candidates"].values() if c["name"] == "Noor Achterberg"]
        return one

    def check_result_of_the_test(self, state):
        one = self.noor(state)
        self.assertEqual(one["emails"], ["noor@achterberg.example"])
        self.assertEqual([state["tags"][i]["name"] for i in one["tag_ids"]], ["sourced", "passed the test"])
        notes = [n for n in state["notes"].values() if n["candidate_id"] == one["id"]]
        self.assertEqual([(n["body"], n["visibility"]["level"]) for n in notes],
                         [("Craft test: 93 of 100, best of the week.", "public")])

    def check_hire(self, state, output):
        """Who was hired is so in the ATS, and what was fetched of the hire is what that has."""
        one = self.noor(state)
        (placement,) = [p for p in state["placements"].values() if p["candidate_id"] == one["id"]]
        self.assertTrue(placement["hired_at"])
        self.assertEqual(state["stages"][placement["stage_id"]]["category"], "hire")
        job = state["offers"][placement["container_id"]]
        person, told, *rest = [json.loads(line) for line in output.strip().splitlines()]
        self.assertEqual(person, {"name": one["name"], "emails": one["emails"][0]})
        self.assertEqual(told["name"], job["title"])
        self.assertEqual(told["offices"], state["locations"][job["location_ids"][0]]["name"])
        manager = state["admins"].get(job["hiring_manager_id"])
        self.assertEqual(told.get("hiring_managers"),
                         manager and f"{manager['first_name']} {manager['last_name']}")
        self.assertEqual([(d["id"], d["name"]) for d in rest[:-1]],
                         [(str(job["department_id"]), job["department_name"])])
        self.assertEqual(rest[-1], one["cv_filename"])

    def check_heads(self, state, told):
        heads = {}
        for placement in state["placements"].values():
            if placement["hired_at"] and placement["offer_id"]:
                job = state["offers"][placement["offer_id"]]
                place = state["locations"][job["location_id"]]
                where = f"{job['department_name'] or 'none'}, {place['city']}, {place['country_name']}"
                heads[where] = heads.get(where, 0) + 1
        self.assertGreater(len(heads), 1)
        self.assertEqual(told, heads)

    def check_feedback(self, state):
        pages = [json.loads(line) for line in (self.folder / "feedback.json").read_text().splitlines()]
        self.assertGreater(len(pages), 1)
        self.assertEqual(
            Counter((r["candidate"], r["at"], r["recommendation"], r["comment"],
                     tuple(a["answer"] for a in r.get("answers") or [])) for r in sum(pages, [])),
            Counter((state["candidates"][r["candidate_id"]]["name"], r["created_at"], r["rating"],
                     r["rating_note"], tuple(a["content"] for a in r["answers"]))
                    for r in state["results"].values()))

    def test_what_recruitee_has_is_told(self):
        done = subprocess.run([ROOT / "tools" / "coverage", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_tools_are_told(self):
        done = subprocess.run([ROOT / "tools" / "mcp-tools", "--check"], capture_output=True, text=True,
                              env={**os.environ, "TENON": str(TENON)})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_operating(self):
        text = self.run_blocks("README.md", "docs/operating.md")
        self.assertGreaterEqual(len(blocks_of("docs/operating.md")), 4)
        told = (ROOT / "docs/operating.md").read_text()
        metrics = {re.sub(r"_(bucket|sum|count)$", "", name)
                   for name in re.findall(r"^(?:.*\})?((?:tenon|process)_[a-z_]+)[ {]", text, flags=re.M)}
        self.assertIn("tenon_requests_total", metrics)
        for name in metrics:
            self.assertRegex(told, rf"`{name}[`{{]")
        self.assertTrue((self.folder / "tenon-data.backup" / "tenon.db").exists())

    def test_sandbox(self):
        if not blocks_of("docs/sandbox.md"):
            self.skipTest("docs/sandbox.md has no sh block")
        self.run_blocks("README.md", "docs/sandbox.md")

    def test_jsonata(self):
        """Each line of output is told as a comment below its command."""
        text = self.run_blocks("docs/jsonata.md")
        for number, block in blocks_of("docs/jsonata.md"):
            wanted = [line[2:] for line in block.splitlines() if line.startswith("# ")]
            got = self.output_of(text, "docs/jsonata.md", number).strip().splitlines()
            self.assertTrue(wanted)
            self.assertEqual(got, wanted)

    def test_every_option_of_jsonata_is_told(self):
        told = (ROOT / "docs/jsonata.md").read_text()
        options = re.findall(r"^  (--[a-z-]+)", run_tenon("jsonata", "--help").stdout, flags=re.M)
        self.assertGreater(len(options), 5)
        for option in options:
            self.assertRegex(told, rf"\| `{option}[ `]")

    def test_every_error_is_told(self):
        told = (ROOT / "docs/api.md").read_text()
        rows = re.findall(r'ROW\(ERROR_\w+, "(\w+)", (\d+), (\d+)\)',
                          (ROOT / "src/base/error.h").read_text())
        self.assertGreater(len(rows), 10)
        for name, status, code in rows:
            if name != "none":
                self.assertIn(f"| `{name}` | {status} | {code} |", told)

    def test_every_log_field_is_told(self):
        told = (ROOT / "docs/operating.md").read_text()
        table = (ROOT / "src/base/log.h").read_text().split("#define LOG_FIELDS")[1]
        names = re.findall(r"ROW\((\w+)\)", table.split("enum")[0])[1:]
        self.assertGreater(len(names), 20)
        for name in names:
            self.assertIn(f"`{name}`", told)

    def test_every_option_of_serve_is_told(self):
        told = (ROOT / "docs/operating.md").read_text()
        options = re.findall(r"^  (--[a-z-]+)", run_tenon("serve", "--help").stdout, flags=re.M)
        self.assertGreater(len(options), 5)
        for option in options:
            self.assertRegex(told, rf"\| `{option}[ `]")

"""What README.md and docs/ tell people to type, typed: every ```sh block runs as it stands."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from harness import ROOT, TENON, Case, run_tenon

PORTS = ("8080", "9700")
SECONDS = 120


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
    def script_of(self, names):
        """One script of all blocks, which says in its output where it is."""
        lines = ["set -eu"]
        for name in names:
            for number, text in blocks_of(name):
                lines += [f"printf '\\n--- %s\\n' '{name}:{number}'", text]
        script = "\n".join(lines) + "\n"
        program_folder = pathlib.Path(TENON).resolve().parent
        script = script.replace('export PATH="$PWD/build:$PATH"',
                                f'export PATH="{program_folder}:$PATH"')
        for usual, free in zip(PORTS, free_ports(len(PORTS))):
            script = re.sub(rf"\b{usual}\b", free, script)
        return script

    def run_blocks(self, *names):
        """Everything that was started is ended with the script; its output."""
        output = self.folder / "output"
        # What a person has set must not make a text work that would not work without it; but a
        # program outside of the tree must be told where the data is.
        env = {k: v for k, v in os.environ.items()
               if k == "TENON_SHARE" or not k.startswith("TENON_")}
        with open(output, "wb") as out:
            shell = subprocess.Popen(["bash", "-eu", "-c", self.script_of(names)], cwd=self.folder,
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
        page = self.output_of(text, "README.md")
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

    def test_recipes(self):
        """Each tells what it did."""
        text = self.run_blocks("README.md", "docs/recipes.md")
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
        pages = [json.loads(line) for line in (self.folder / "feedback.json").read_text().splitlines()]
        self.assertGreater(len(pages), 1)
        for record in sum(pages, []):
            self.assertTrue(record["candidate"])
            self.assertIn(record["recommendation"], ("strong_no", "no", "neutral", "yes", "strong_yes"))

    def test_what_recruitee_has_is_told(self):
        done = subprocess.run([ROOT / "tools" / "coverage", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_operating(self):
        text = self.run_blocks("README.md", "docs/operating.md")
        self.assertGreaterEqual(len(blocks_of("docs/operating.md")), 4)
        told = (ROOT / "docs/operating.md").read_text()
        metrics = {re.sub(r"_(bucket|sum|count)$", "", name)
                   for name in re.findall(r"^(?:.*\})?(tenon_[a-z_]+)[ {]", text, flags=re.M)}
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
            self.assertIn(f"| `{option} ", told)

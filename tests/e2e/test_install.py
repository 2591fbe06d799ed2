"""What `meson install` puts in place is all that the program needs; the manual and the completions
have every command and option."""
import json
import os
import pathlib
import re
import shutil
import subprocess

from harness import ROOT, TENON, Case

BUILD = pathlib.Path(TENON).resolve().parent
FOLDERS = ("models", "connectors", "sandbox", "web", "sdk")


class InstallCase(Case):
    def setUp(self):
        super().setUp()
        subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet",
                        "--destdir", str(self.folder)], check=True, stdout=subprocess.DEVNULL)
        self.program = next(self.folder.glob("**/bin/tenon"))
        self.share = self.program.parent.parent / "share"

    def run_program(self, *words):
        """With nothing of the checkout: no variable, another folder."""
        return subprocess.run([str(self.program), *words], cwd=self.folder, text=True, timeout=60,
                              capture_output=True, check=True, env={"PATH": os.environ["PATH"]}).stdout


class Install(InstallCase):
    def test_it_runs_without_the_checkout(self):
        self.assertNotIn(str(ROOT).encode(), self.program.read_bytes())
        self.assertIn("candidates", self.run_program("demo", "--once"))
        self.assertEqual(self.run_program("openapi"),
                         subprocess.run([TENON, "openapi"], capture_output=True, text=True).stdout)

    def test_every_file_is_there(self):
        for folder in FOLDERS:
            there, wanted = (
                {str(path.relative_to(base)) for path in (base / folder).rglob("*") if path.is_file()}
                for base in (self.share / "tenon", ROOT))
            self.assertEqual(there, {name for name in wanted if "node_modules" not in name})

    def test_the_dashboard_is_there(self):
        installed = self.share / "doc" / "tenon" / "grafana" / "tenon.json"
        self.assertEqual(installed.read_bytes(), (ROOT / "packaging/grafana/tenon.json").read_bytes())

    def test_what_it_is_linked_with_is_told(self):
        document = json.loads((self.share / "doc" / "tenon" / "sbom.cdx.json").read_text())
        self.assertEqual((document["bomFormat"], document["specVersion"]), ("CycloneDX", "1.5"))
        told = sorted(part["name"].removeprefix("lib") for part in document["components"])
        shown = subprocess.run(["readelf", "-d", str(self.program)], capture_output=True, text=True).stdout
        needed = sorted(set(re.findall(r"NEEDED.*\[(?:lib)?(.*?)\.so", shown)) - {"c", "m", "ld-linux-x86-64"})
        self.assertEqual([name[:len(of)] for name, of in zip(told, needed)], needed)
        self.assertEqual(len(told), len(needed))
        self.assertTrue(all(re.match("[0-9]", part["version"]) for part in document["components"]))

    def test_a_share_folder_that_lacks_a_part_is_told(self):
        shutil.rmtree(self.share / "tenon" / "models")
        with self.assertRaises(subprocess.CalledProcessError) as refused:
            self.run_program("demo", "--once")
        self.assertIn("models/ and connectors/ are not found", refused.exception.stderr)


class Manual(InstallCase):
    def setUp(self):
        super().setUp()
        self.commands = json.loads(self.run_program("help", "--json"))

    def text(self, name):
        return (self.share / name).read_text()

    def test_the_tables_are_those_of_help(self):
        for command in self.commands:
            shown = re.findall(r"^  --([a-z0-9-]+)", self.run_program(command["name"], "--help"), re.M)
            self.assertEqual(shown, [option["name"] for option in command["options"]])

    def test_the_manual_has_all(self):
        page = self.text("man/man1/tenon.1").replace("\\-", "-")
        sections = dict(re.findall(r"^\.SS tenon (\S+)\n(.*?)(?=^\.S[SH])", page, re.M | re.S))
        self.assertEqual(list(sections), [command["name"] for command in self.commands])
        for command in self.commands:
            self.assertEqual(re.findall(r"^\\fB--([a-z0-9-]+)", sections[command["name"]], re.M),
                             [option["name"] for option in command["options"]])

    def test_bash_completes_all(self):
        script = self.share / "bash-completion" / "completions" / "tenon.bash"

        def complete(*words):
            done = subprocess.run(
                ["bash", "-c", '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tenon; '
                 'printf "%s\\n" "${COMPREPLY[@]}"', str(script), *words],
                capture_output=True, text=True, check=True)
            self.assertEqual(done.stderr, "")
            return done.stdout.split()

        names = [command["name"] for command in self.commands]
        self.assertEqual(complete("tenon", "")[:len(names)], names)
        for command in self.commands:
            self.assertEqual(complete("tenon", command["name"], "--"),
                             [f"--{option['name']}" for option in command["options"]] + ["--help"])
        self.assertEqual(complete("tenon", "key", ""), ["create", "list", "revoke"] +
                         complete("tenon", "key", "--"))
        self.assertEqual(complete("tenon", "link-token", "r"), ["revoke"])

    def test_zsh_and_fish_have_all(self):
        zsh = self.text("zsh/vendor-completions/_tenon")
        fish = self.text("fish/vendor_completions.d/tenon.fish")
        for command in self.commands:
            part = re.search(rf"^\t{command['name']}\)\n(.*?);;$", zsh, re.M | re.S)[1]
            lines = re.findall(rf"from {command['name']}' -l (\S+)", fish)
            names = [option["name"] for option in command["options"]]
            self.assertEqual(re.findall(r"'\*?--([a-z0-9-]+)\[", part), names)
            self.assertEqual(lines, names)
            self.assertIn(f"-a {command['name']} -d", fish)

    def check_syntax(self, shell, name):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not installed")
        subprocess.run([shell, "-n", str(self.share / name)], check=True)

    def test_zsh_reads_it(self):
        self.check_syntax("zsh", "zsh/vendor-completions/_tenon")

    def test_fish_reads_it(self):
        self.check_syntax("fish", "fish/vendor_completions.d/tenon.fish")

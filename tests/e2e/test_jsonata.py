"""`tenon jsonata` as people use it: streams in constant memory, faults with their place, --batch."""
import json
import os
import pathlib
import re
import subprocess
import unittest

from harness import TENON

RECORD = b'{"id": 7, "name": "Zo\\u00eb", "tags": ["a", "b"], "note": "' + b"x" * 900 + b'"}\n'


def jsonata(*arguments, given=b""):
    if isinstance(given, str):
        given = given.encode()
    return subprocess.run([TENON, "jsonata", *arguments], input=given, capture_output=True,
                          timeout=60, check=False)


def batch(*lines):
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    done = jsonata("--batch", given=text)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Inputs(unittest.TestCase):
    def assert_answers(self, arguments, given, wanted):
        done = jsonata("--compact", *arguments, given=given)
        self.assertEqual((done.stdout.decode(), done.stderr.decode()), (wanted, ""))
        self.assertEqual(done.returncode, 0)

    def test_texts_one_after_another(self):
        self.assert_answers(["a"], '{"a":1}\n{"a":2}\n', "1\n2\n")
        self.assert_answers(["a"], '{\n  "a":\n 1\n}\n\n{"a": 2}', "1\n2\n")
        self.assert_answers(["$"], '{"a":"}"}["\\"]"] 1 2.5 true"x""y"null', '{"a":"}"}\n["\\"]"]\n'
                            '1\n2.5\ntrue\n"x"\n"y"\nnull\n')
        self.assert_answers(["$"], '\r\n {"a":1}\r\n\t{"a":2}\r\n\r\n', '{"a":1}\n{"a":2}\n')
        self.assert_answers(["$"], "", "")
        self.assert_answers(["nothing"], "{}\n{}\n", "")

    def test_compact_is_one_line(self):
        self.assert_answers(["$"], '{\n "a": [\n1,\n2]\n}', '{"a":[1,2]}\n')

    def test_no_input(self):
        self.assert_answers(["--null-input", "1 + 1"], b"{not read", "2\n")

    def test_bindings_and_limits(self):
        self.assert_answers(["--null-input", "--bind", 'x={"y": [1, 2]}', "--bind", "z=3",
                             "$sum($x.y) + $z"], "", "6\n")
        done = jsonata("--null-input", "--limit", "steps=50", "[1..100].($ + 1)")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"U1001", done.stderr)
        self.assert_answers(["--null-input", "--limit", "sequence=600000", "--limit",
                             "bytes=40000000", "$count([1..600000])"], "", "600000\n")
        done = jsonata("--null-input", "--limit", "stops=1", "1")
        self.assertIn(b'there is no limit "stops"', done.stderr)
        done = jsonata("--null-input", "--bind", "x={", "$x")
        self.assertIn(b"--bind x is no JSON", done.stderr)

    def test_answers_a_slow_stream_line_by_line(self):
        with subprocess.Popen([TENON, "jsonata", "a + 1"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as running:
            for number in range(3):
                running.stdin.write(b'{"a": %d}\n' % number)
                running.stdin.flush()
                self.assertEqual(running.stdout.readline(), b"%d\n" % (number + 1))
            running.stdin.close()
            self.assertEqual(running.wait(10), 0)

    def test_streams_in_constant_memory(self):
        count = 64 * 1024  # some 64 MB
        with subprocess.Popen([TENON, "jsonata", "--compact", "id + $count(tags)"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
            pid = os.fork()
            if pid == 0:
                running.stdout.close()
                for _ in range(count // 64):
                    running.stdin.write(RECORD * 64)
                running.stdin.close()
                os._exit(0)
            answers = running.stdout.read(2 * count)
            # It waits for more now. What wait4() tells counts the memory of whoever started it.
            status = pathlib.Path(f"/proc/{running.pid}/status").read_text()
            running.stdin.close()
            os.waitpid(pid, 0)
            self.assertEqual(running.wait(10), 0)
        self.assertEqual(answers, b"9\n" * count)
        self.assertLess(int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]), 32 * 1024)

    def test_ends_when_nobody_reads_on(self):
        done = subprocess.run(f"yes '{{}}' | {TENON} jsonata 1 | head -n 1", shell=True, timeout=30,
                              capture_output=True, check=False)
        self.assertEqual(done.stdout, b"1\n")


class Faults(unittest.TestCase):
    def assert_fault(self, arguments, given, lines):
        done = jsonata(*arguments, given=given)
        self.assertEqual(done.stderr.decode().splitlines(), lines)
        self.assertEqual(done.returncode, 2)
        return done.stdout

    def test_names_the_record(self):
        out = self.assert_fault(["a + 1"], '{"a":1}\n\n{"a":"x"}\n{"a":3}\n', [
            'tenon: input:3: T2001: The left side of the "+" operator must evaluate to a number',
            "  a + 1", "    ^"])
        self.assertEqual(out, b"2\n")
        self.assert_fault(["a"], '{"a":\n1}\n{"a":,}\n', [
            "tenon: input:3: not JSON at byte 5: a value must stand here"])

    def test_points_at_the_place(self):
        self.assert_fault(["--null-input", '(\n\t$x := "日本𝒳" & foo bar;\n$x)'], "", [
            'tenon: S0202: Expected ")", got "bar"', '   $x := "日本𝒳" & foo bar;',
            " " * 23 + "^"])

    def test_cuts_long_lines(self):
        text = "a + " * 100 + "foo bar" + " + b" * 100
        _, line, caret = jsonata("--null-input", text).stderr.decode().splitlines()
        self.assertLess(len(line), 90)
        self.assertEqual(line[caret.index("^"):][:3], "bar")
        self.assertTrue(line.startswith("  …") and line.endswith("…"))

    def test_what_cannot_be_opened(self):
        done = jsonata("a", "/nowhere/at-all.json")
        self.assertEqual(done.returncode, 5)
        self.assertIn(b"/nowhere/at-all.json", done.stderr)
        self.assertIn(b"an expression is wanted", jsonata().stderr)


class Batch(unittest.TestCase):
    def test_answers_each_line(self):
        self.assertEqual(batch({"expr": "a.b", "data": {"a": {"b": [1]}}}, {"expr": "nothing"},
                               {"expr": "$x & $y", "bindings": {"x": "p", "y": "q"}}),
                         [{"result": [1]}, {"undefined": True}, {"result": "pq"}])

    def test_takes_any_number_of_bindings(self):
        names = {f"v{i}": i for i in range(500)}
        self.assertEqual(batch({"expr": "$v0 + $v499", "bindings": names}), [{"result": 499}])

    def test_refuses_what_is_no_case(self):
        wanted = [("nope", "not JSON"), ("[1]", "must be an object"), ({}, '"expr"'),
                  ({"expr": 1}, '"expr" must be a text'),
                  ({"expr": "1", "bindings": []}, '"bindings" must be an object'),
                  ({"expr": "1", "limits": 3}, '"limits" must be an object'),
                  ({"expr": "1", "limits": {"stepz": 3}}, 'no limit "stepz"'),
                  ({"expr": "1", "limits": {"steps": "many"}}, "the limit steps must be"),
                  ({"expr": "1", "limits": {"depth": 100000}}, "the limit depth must be")]
        answers = batch(*(line for line, _ in wanted))
        for answer, (line, message) in zip(answers, wanted, strict=True):
            self.assertEqual(answer["error"]["code"], "INPUT", line)
            self.assertIn(message, answer["error"]["message"])

    def test_limits_lower_and_raise(self):
        deep = "($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(150))"
        answers = batch({"expr": deep, "limits": {"depth": 200}}, {"expr": deep},
                        {"expr": "[1..50].($ + 1)", "limits": {"steps": 20}},
                        {"expr": "$count([1..10])", "limits": {"sequence": 9}},
                        {"expr": "[1..9].{\"a\": $}", "limits": {"bytes": 100}},
                        {"expr": "$match(\"aaaaaaaab\", /(a|b)*c/)", "limits": {"regex_matches": 1}})
        self.assertEqual([a.get("error", {}).get("code", a.get("result")) for a in answers],
                         ["D1011", 150, "U1001", "D2015", "D1013", "D1014"])

    def test_ends_hostile_expressions(self):
        answers = batch(*({"expr": text} for text in (
            "(" * 45000, "a" + ".a" * 24000, "[" * 45000, "$map([1..1000000000], $string)",
            "($f := function() { $f() }; $f())", "($f := function() { 1 + $f() }; $f())",
            '$contains($pad("", 30000, "a") & "!", /^(a+)+$/)')))
        codes = [a.get("error", {}).get("code", "none") for a in answers]
        self.assertEqual(codes[:4] + codes[5:6], ["U1002", "none", "U1002", "D2014", "D1011"])
        self.assertIn(codes[4], ("U1001", "D1013"))  # whichever it uses up first
        self.assertIn(codes[6], ("U1001", "D1014"))


if __name__ == "__main__":
    unittest.main()

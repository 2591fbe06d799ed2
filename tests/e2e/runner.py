"""Runs the test_*.py beside it and ends with "end-to-end tests: N passed, N failed, N skipped"."""
import concurrent.futures
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from postgresql import is_used

HERE = pathlib.Path(__file__).resolve().parent
LANES = int(os.environ.get("TENON_TEST_LANES", len(os.sched_getaffinity(0))))
LONG = ["test_canary", "test_outbound", "test_bad_input", "test_link_oauth", "test_paging", "test_oauth", "test_move"]


class Result(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def say(self, test, word):
        took = time.monotonic() - self.began
        print(f"{word:7} {test.id()} ({took:.1f} s)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say(test, "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "FAILED")

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(self, "began"):
            self.began = time.monotonic()
        self.say(test, "ERROR")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped {test.id()}: {reason}", flush=True)


def run_here(names):
    """Of these tests, in this process: how many passed, failed, were skipped."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=0, stream=sys.stdout)
    result = runner.run(suite)
    # A test may fail in several of its parts.
    failed = len({getattr(test, "test_case", test).id()
                  for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    return result.testsRun - failed - skipped, failed, skipped


def run_apart(name):
    """The same in a process of its own, whose output is shown when it ends."""
    process = subprocess.run([sys.executable, "-u", __file__, name], capture_output=True, text=True)
    *lines, last = process.stdout.splitlines() or [""]
    counts = re.findall(r"(\d+) (?:passed|failed|skipped)", last)
    if len(counts) != 3:
        counts, lines = (0, 1, 0), [*lines, last, f"FAILED  {name} ended by itself"]
    print("\n".join(lines + process.stderr.splitlines()), flush=True)
    return tuple(map(int, counts))


def run_in_lanes(names):
    """Files side by side, one for each processor; what takes long begins first."""
    names = sorted(names, key=lambda name: LONG.index(name) if name in LONG else len(LONG))
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        return tuple(map(sum, zip(*lanes.map(run_apart, names))))


def run_all(names):
    names = names or sorted(path.stem for path in HERE.glob("test_*.py")
                            if is_used() or not path.stem.startswith("test_postgresql"))
    return run_here(names) if len(names) == 1 or LANES == 1 else run_in_lanes(names)


def run_on_postgresql(names):
    import harness
    import postgresql

    if not postgresql.programs():
        print("skipped: PostgreSQL is not installed (Debian's package postgresql)")
        return 0, 0, max(len(names), 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it does not stay behind
    cluster = postgresql.Cluster(fsync="off")
    try:
        os.environ[postgresql.SERVER] = cluster.url
        postgresql.make_preload(cluster.folder)
        postgresql.make_template(harness.TENON)
        return run_all(names)
    finally:
        cluster.end()


def main():
    sys.path.insert(0, str(HERE))
    names = sys.argv[1:]
    where = ""
    if names[:1] == ["--postgresql"]:
        where = " on PostgreSQL"
        counts = run_on_postgresql(names[1:])
    else:
        counts = run_all(names)
    print("end-to-end{} tests: {} passed, {} failed, {} skipped".format(where, *counts))
    sys.exit(1 if counts[1] or not any(counts) else 0)


if __name__ == "__main__":
    main()

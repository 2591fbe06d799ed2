"""bench/run store: small jobs claimed and finished in batches on one PostgreSQL, beside graphile-worker;
and the same reads through PostgreSQL and through SQLite."""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import time

from stage import FREE, ROOT, ROUNDS, Bench, ask, harness, pin, print_table, processor_s, rest, wrk

import database
import postgresql

FOLDER = ROOT / "bench/store"
JOBS = int(os.environ.get("BENCH_JOBS", "100000"))
RECORDS = int(os.environ.get("BENCH_RECORDS", "5000"))
BATCH, FIBERS = 250, 2
QUEUE = 2000  # of the rival: with fewer it is slower, with more no faster


def worker_js():
    if not (FOLDER / "node_modules/graphile-worker").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock",
                        "--loglevel=error"], cwd=FOLDER, check=True)
    return ["node", str(FOLDER / "worker.js")]


def run(*command, env=None):
    """On core 0, as all that is measured; PostgreSQL takes what it needs."""
    done = subprocess.run(["taskset", "-c", "0", *map(str, command)], check=True, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, **(env or {})},
                          timeout=120)  # one that waits for ever is a failure
    return json.loads(done.stdout.strip().splitlines()[-1])


def our_jobs(bench, name):
    data = bench.folder / name
    url = postgresql.environment(["--data", data])["TENON_DATABASE"]
    data.mkdir(mode=0o700)
    postgresql.psql("CREATE TABLE bench_job (id BIGINT PRIMARY KEY, due_ms BIGINT NOT NULL, owner TEXT"
                    " COLLATE \"C\" NOT NULL DEFAULT '', fence BIGINT NOT NULL DEFAULT 0);"
                    " CREATE INDEX bench_job_due ON bench_job (due_ms, id);"
                    f" INSERT INTO bench_job (id, due_ms) SELECT i, i FROM generate_series(1, {JOBS}) i;"
                    " ANALYZE bench_job", postgresql.name_of(data))
    found = run(harness.ROOT / "build/bench/bench_jobs", data, BATCH, FIBERS, env={"TENON_DATABASE": url})
    assert (found["done"], found["refused"]) == (JOBS, 0), found
    postgresql.drop(data)
    return JOBS / found["ms"] * 1000


def their_jobs(bench, name):
    data = bench.folder / name
    database = postgresql.name_of(data)
    postgresql.psql(f"CREATE DATABASE {database}")
    postgresql.known.add(database)
    url = postgresql.url_of(data)
    subprocess.run(["npx", "graphile-worker", "-c", url, "--schema-only"], cwd=FOLDER, check=True,
                   stdout=subprocess.DEVNULL)
    # In calls of a thousand: add_job() for each has now and then taken minutes.
    postgresql.psql("SELECT count(*) FROM (SELECT graphile_worker.add_jobs(array_agg(json_populate_record("
                    "NULL::graphile_worker.job_spec, json_build_object('identifier', 'nothing',"
                    " 'payload', json_build_object('id', i)))))"
                    f" FROM generate_series(1, {JOBS}) i GROUP BY i / 1000) AS added; ANALYZE", database)
    found = run(*worker_js(), url, JOBS, QUEUE)
    assert found["done"] == JOBS, found
    postgresql.drop(data)
    return JOBS / found["ms"] * 1000


def bench_jobs(bench):
    subprocess.run(["ninja", "-C", str(ROOT / "build"), "bench/bench_jobs"], check=True,
                   stdout=subprocess.DEVNULL)
    worker_js()
    ours, theirs = [], []
    for number in range(ROUNDS):
        ours.append(our_jobs(bench, f"ours{number}"))
        theirs.append(their_jobs(bench, f"theirs{number}"))
    fast, slow = statistics.median(ours), statistics.median(theirs)
    print_table("jobs claimed and finished on one PostgreSQL",
                [("tenon", f"{fast:,.0f}/s", f"batches of {BATCH}, {FIBERS} at once"),
                 ("graphile-worker", f"{slow:,.0f}/s", f"local queue of {QUEUE}")])
    print(f"ratio jobs/graphile-worker {fast / slow:.2f}")


@contextlib.contextmanager
def on_sqlite():
    server = os.environ.pop(postgresql.SERVER)
    try:
        yield
    finally:
        os.environ[postgresql.SERVER] = server


class Reads:
    """A server with a copy, on the store of the environment."""

    def __init__(self, bench, box, name):
        data = bench.folder / name
        self.server = harness.start_server(data, box, "--workers", "1", "--log-level", "warning")
        bench.processes.append(self.server.process)
        pin(self.server.pid, 0)
        self.key = harness.create_key(data, "production", "--scope", "call", "--scope", "admin")["key"]
        account = json.loads(harness.link_account(data, box, "production", *FREE).stdout)["id"]
        job = self.ask("POST", "/sync-job", {"integrated_account_id": account, "interval_s": 86400,
                                             "resource": "candidates"})["id"]
        while not (self.ask("GET", f"/sync-job/{job}")["last_run"] or {}).get("ended_at"):
            time.sleep(0.1)
        # What is searched for is taken in after the run, by the same worker.
        while database.query(data, "SELECT count(*) FROM record_text_due")[0][0] > 0:
            time.sleep(0.1)
        # As autovacuum does within a minute: without it PostgreSQL plans for an empty table.
        database.query(data, "ANALYZE")
        base = f"http://{self.server.host}/unified/ats/candidates?integrated_account_id={account}"
        self.ways = {"live page of 20": f"{base}&limit=20",
                     "copied page of 20": f"{base}&limit=20&max_age=86400",
                     "copied page of 100": f"{base}&limit=100&max_age=86400"}

    def ask(self, method, path, body=None):
        return ask(self.server.host, self.key, method, path, body)

    def rate(self, way):
        """Reads a second, and what tenon's own processor did for each, in microseconds."""
        before = processor_s(self.server.pid)
        began = time.monotonic()
        rate = wrk(self.ways[way], self.key, connections=16)[0]
        reads = rate * (time.monotonic() - began)
        return rate, (processor_s(self.server.pid) - before) / reads * 1e6


def bench_reads(bench):
    box = bench.sandbox("--candidates", str(RECORDS))
    sides = {"PostgreSQL": Reads(bench, box, "postgresql")}
    with on_sqlite():
        sides["SQLite"] = Reads(bench, box, "sqlite")
    for way in sides["SQLite"].ways:
        rounds = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                rest(*(side.server.pid for side in sides.values()))
                rounds[name].append(side.rate(way))
        (ours, our_us), (theirs, their_us) = (
            map(statistics.median, zip(*rounds[name])) for name in ("PostgreSQL", "SQLite"))
        print_table(way, [("on PostgreSQL", f"{ours:,.0f}/s", f"{our_us:.0f} us of tenon's processor"),
                          ("on SQLite", f"{theirs:,.0f}/s", f"{their_us:.0f} us of tenon's processor")])
        print(f"ratio postgresql/sqlite {ours / theirs:.2f}, by tenon's processor {their_us / our_us:.2f}")


def bench_store():
    """Both stores."""
    bench = Bench()
    cluster = postgresql.Cluster()
    os.environ[postgresql.SERVER] = cluster.url
    try:
        postgresql.make_template(harness.TENON)
        bench_jobs(bench)
        # tenon has core 0 for itself; its PostgreSQL is with the load and the ATS on the other.
        pin(pathlib.Path(cluster.data, "postmaster.pid").read_text().split()[0], 1)
        bench_reads(bench)
    finally:
        bench.close()
        del os.environ[postgresql.SERVER]
        cluster.end()

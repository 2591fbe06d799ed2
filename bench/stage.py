"""What the benchmarks share: a sandbox, tenon, rivals, the load, each on its core, and tables."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
import harness  # noqa: E402

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
FREE = ["--limit", "requests=1000000", "--limit", "per_seconds=1", "--limit", "concurrent=100000"]


def pin(pid, core):
    subprocess.run(["taskset", "-a", "-p", "-c", str(core), str(pid)], check=True,
                   stdout=subprocess.DEVNULL)


def processor_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(*pids):
    """Until they do nothing any more: what one round leaves to be written is no part of the next."""
    used = -1
    while sum(map(processor_s, pids)) - used > 0.01:
        used = sum(map(processor_s, pids))
        time.sleep(0.5)


def node_modules():
    """What the rivals need from npm, beside the benchmark, at fixed versions."""
    folder = ROOT / "bench/unified"
    if not (folder / "node_modules/jsonata").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock",
                        "--loglevel=error"], cwd=folder, check=True)
    own = folder / "node_modules/.bin/node"
    return str(own) if own.exists() else shutil.which("node")


def wrk(url, key=None, connections=8, seconds=SECONDS):
    arguments = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
                 "--timeout", "30s", "--latency", url]
    if key:
        arguments[-1:-1] = ["-H", f"Authorization: Bearer {key}"]
    text = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    middle = re.search(r"50%\s+(\S+)", text)[1]
    return rate, middle, text


def resident_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


class Bench:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-bench-"))
        self.processes = []

    def close(self):
        for process in reversed(self.processes):
            process.terminate()  # nginx's workers outlive a master that was killed
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, True)

    def sandbox(self, *options):
        box = harness.start_sandbox(*options)
        self.processes.append(box.process)
        pin(box.pid, 1)
        return box

    def tenon(self, box, *options, workers=1):
        data = self.folder / "data"
        server = harness.start_server(data, box, "--workers", str(workers), "--log-level", "warning",
                                      *options)
        self.processes.append(server.process)
        pin(server.pid, 0)
        key = harness.create_key(data)["key"]
        account = json.loads(harness.link_account(data, box, "production", *FREE).stdout)["id"]
        url = (f"http://{server.host}/unified/ats/candidates?limit=100"
               f"&integrated_account_id={account}")
        return server, url, key

    def nginx(self, box):
        folder = self.folder / "nginx"
        folder.mkdir()
        port = 18099
        (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  proxy_buffers 64 16k;
  upstream ats {{ server {box.host}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://ats; proxy_http_version 1.1; proxy_set_header Connection "";
                 proxy_set_header Authorization "Bearer {harness.TOKEN}"; }} }}
}}""")
        # Left to itself malloc gives the buffers of each page back to the kernel, which can cost
        # nginx nine tenths of its speed on a virtual machine.
        keep = {"MALLOC_TOP_PAD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
        process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, **keep})
        self.processes.append(process)
        url = f"http://127.0.0.1:{port}/c/{harness.COMPANY}/candidates?limit=100"
        wait_for(url)
        for pid in subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True,
                                  text=True).stdout.split():
            pin(pid, 0)
        return url

    def node(self, box, how="jsonata"):
        node = node_modules()
        definition = ROOT / "connectors/recruitee/ats/candidates.yaml"
        process = subprocess.Popen(
            ["taskset", "-c", "0", node, str(ROOT / "bench/unified/gateway.js"), str(definition),
             f"http://{box.host}/c/{harness.COMPANY}", harness.TOKEN, how],
            stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process, process.stdout.readline().strip() + "/?limit=100"


def wait_for(url):
    for _ in range(200):
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{url} does not answer")


def fetch(url, key=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    return json.loads(urllib.request.urlopen(request, timeout=60).read())


def print_table(title, rows):
    print(f"\n{title}")
    for name, value, note in rows:
        print(f"  {name:24} {value:>14}   {note}")


def ask(host, key, method, path, body=None):
    """By a connection of its own: one that is idle for long is closed."""
    client = harness.Client(host, key)
    client.is_server = False
    status, _, answer = client.request(method, path, body)
    client.close()
    assert status < 300, answer
    return answer


def put(box, path, body):
    client = harness.Client(box.host)
    status, _, answer = client.request("PUT", path, body)
    client.close()
    assert status < 300, answer

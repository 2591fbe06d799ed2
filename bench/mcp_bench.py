"""bench/run mcp: the tools of an account listed and called, beside servers on the official SDK with
the same tools which ask the same ATS."""
import json
import statistics
import subprocess
import urllib.request

from stage import ROOT, ROUNDS, SECONDS, Bench, harness, print_table, resident_mb

TOOL = "list_all_recruitee_admins"
FOLDER = ROOT / "bench/mcp"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
CONNECTIONS = 32
RIVALS = ("sdk-stateful", "sdk-stateless", "sdk-kept", "sdk-v2")
SERVERS = 900  # made to see what one takes; an account has room for 1,000


def node():
    if not (FOLDER / "node_modules/@modelcontextprotocol/sdk").exists():
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock",
                        "--loglevel=error"], cwd=FOLDER, check=True)
    return str(FOLDER / "node_modules/.bin/node")


def request(url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return json.loads(reply.read())


def message(era, method, **params):
    """(body, headers) of a request in one of the protocol's eras."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
               "MCP-Protocol-Version": era}
    if era == MODERN:
        headers["Mcp-Method"] = method
        if "name" in params:
            headers["Mcp-Name"] = params["name"]
        params["_meta"] = {f"io.modelcontextprotocol/{key}": value for key, value in (
            ("protocolVersion", era), ("clientInfo", {"name": "bench", "version": "1"}),
            ("clientCapabilities", {}))}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers


class Way:
    """One server that is measured."""

    def __init__(self, url, era, headers=None):
        self.url, self.era, self.more = url, era, headers or {}

    def ask(self, method, **params):
        body, headers = message(self.era, method, **params)
        return request(self.url, body, {**headers, **self.more})

    def load(self, folder, method, **params):
        """Requests a second, of which each has an id of its own."""
        body, headers = message(self.era, method, **params)
        text = json.dumps(body, separators=(",", ":"))
        before, after = text.split('"id":1', 1)
        shown = ",".join(f"[{json.dumps(k)}]={json.dumps(v)}" for k, v in
                         {**headers, **self.more}.items())
        script = folder / "load.lua"
        script.write_text(f"local n=0\nlocal h={{{shown}}}\nfunction request() n=n+1 return wrk.format("
                          f"'POST',nil,h,{json.dumps(before)}..'\"id\":'..n..{json.dumps(after)}) end\n")
        out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s",
                              "--timeout", "30s", "-s", str(script), self.url], check=True,
                             capture_output=True, text=True).stdout
        if "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError(out)
        return float(out.partition("Requests/sec:")[2].split()[0])


def make_server(server, key, account):
    made = request(f"http://{server.host}/integrated-account/{account}/mcp",
                   {"name": "bench", "rate_limit": {"requests": 1000000, "per_seconds": 1}}, {"Authorization": f"Bearer {key}"})
    return made["url"], {"Authorization": f"Bearer {made['token']}"}


def rival(bench, how, tools, box):
    process = subprocess.Popen(
        ["taskset", "-c", "0", node(), str(FOLDER / "rival.mjs"), how, str(tools), TOOL,
         f"http://{box.host}/c/{harness.COMPANY}/admins", harness.TOKEN],
        stdout=subprocess.PIPE, text=True)
    bench.processes.append(process)
    url = process.stdout.readline().strip()
    if how == "sdk-stateful":
        way = Way(url, LEGACY)
        way.ask("initialize", protocolVersion=LEGACY, capabilities={},
                clientInfo={"name": "bench", "version": "1"})
        way.more = {"Mcp-Session-Id": "session"}
        return way
    return Way(url, MODERN if how == "sdk-v2" else LEGACY)


def text_of(reply):
    assert not reply["result"].get("isError"), reply
    return json.loads(reply["result"]["content"][0]["text"])


def check_same(ways):
    """All have the same tools, and give the same records."""
    lists = {name: sorted(t["name"] for t in way.ask("tools/list")["result"]["tools"])
             for name, way in ways.items()}
    records = {name: [r["id"] for r in text_of(way.ask("tools/call", name=TOOL, arguments={}))["result"]]
               for name, way in ways.items()}
    for name in ways:
        assert lists[name] == lists["tenon"], f"{name} has other tools"
        assert records[name] == records["tenon"], f"{name} gave other records"


def measure(ways, folder, method, **params):
    runs = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            runs[name].append(way.load(folder, method, **params))
    return {name: statistics.median(rates) for name, rates in runs.items()}


def show(title, rates):
    print_table(title, [(name, f"{rate:,.0f}", "") for name, rate in rates.items()])


def memory(server, key, account):
    """Each server that is made has been called once, so that it is held in memory."""
    before = resident_mb(server.pid)
    made = [make_server(server, key, account) for _ in range(SERVERS)]
    for url, headers in made:
        Way(url, MODERN, headers).ask("tools/list")
    kb = (resident_mb(server.pid) - before) * 1024 / SERVERS
    print_table(f"memory of an MCP server, of {SERVERS:,} made and called", [("tenon", f"{kb:.2f}", "KB")])


def bench_mcp():
    bench = Bench()
    try:
        box = bench.sandbox("--candidates", "200")
        server, url, _ = bench.tenon(box)
        account = url.rpartition("=")[2]
        key = harness.create_key(bench.folder / "data", "production", "--scope", "admin")["key"]
        url, token = make_server(server, key, account)
        ours = Way(url, MODERN, token)
        tools = bench.folder / "tools.json"
        listed = ours.ask("tools/list")["result"]["tools"]
        tools.write_text(json.dumps(listed))
        ways = {"tenon": ours, "tenon, older era": Way(url, LEGACY, token)}
        for how in RIVALS:
            ways[how] = rival(bench, how, tools, box)
        check_same(ways)
        calls = measure({**ways, "bare": rival(bench, "bare", tools, box)}, bench.folder,
                        "tools/call", name=TOOL, arguments={})
        show(f"tools/call of {TOOL}, the ATS asked each time (bare asks nobody), one core (calls/s)",
             calls)
        lists = measure(ways, bench.folder, "tools/list")
        bytes_ = len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode())
        show(f"tools/list, {len(listed)} tools, {bytes_:,} bytes, one core (lists/s)", lists)
        for how in RIVALS:
            print(f"ratio mcp/{how} {calls['tenon'] / calls[how]:.2f}")
        print(f"ratio mcp/bare {calls['tenon'] / calls['bare']:.2f}")
        print(f"ratio mcp/tools-list {lists['tenon'] / lists['sdk-stateless']:.2f}")
        for how in ("sdk-stateful", "sdk-kept", "sdk-v2"):
            print(f"ratio mcp-list/{how} {lists['tenon'] / lists[how]:.2f}")
        memory(server, key, account)
    finally:
        bench.close()

"""Traces, as a collector gets them: OTLP over HTTP in JSON, the caller's trace taken over, nothing of a
customer in them."""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from harness import TOKEN, Client, create_key, run_tenon
from test_sync import SyncCase

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2
VALUES = {"stringValue": str, "intValue": int}


class Span:
    """One of the message Span, by the specification's names; what it does not have is refused."""

    def __init__(self, span):
        self.all = span
        assert set(span) <= {"traceId", "spanId", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
                             "endTimeUnixNano", "attributes", "status"}, span
        assert re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"]), span
        assert re.fullmatch("[0-9a-f]{16}", span.get("parentSpanId", "0" * 16)), span
        assert all(isinstance(span[key], str) for key in ("startTimeUnixNano", "endTimeUnixNano")), span
        assert isinstance(span["kind"], int) and 1 <= span["kind"] <= 5, span
        assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
        self.trace, self.id, self.parent = span["traceId"], span["spanId"], span.get("parentSpanId")
        self.name, self.kind, self.flags = span["name"], span["kind"], span["flags"]
        self.status = span.get("status", {}).get("code", 0)
        self.attributes = attributes_of(span["attributes"])

    def __repr__(self):
        return f"{self.name} {self.attributes}"


def attributes_of(listed):
    found = {}
    for attribute in listed:
        assert set(attribute) == {"key", "value"} and len(attribute["value"]) == 1, attribute
        (kind, value), = attribute["value"].items()
        assert isinstance(value, str), attribute  # 64-bit numbers, too, are texts
        assert attribute["key"] not in found, listed
        found[attribute["key"]] = VALUES[kind](value)
    return found


class Collector:
    """`answer(number)`: (status, headers, body) to its request of that number, from 0."""

    def __init__(self, answer=lambda number: (200, {}, b"{}")):
        self.spans, self.requests, self.bytes = [], [], b""
        self.changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with collector.changed:
                    number = len(collector.requests)
                    collector.requests.append((self.path, dict(self.headers)))
                status, headers, reply = answer(number)
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)
                with collector.changed:
                    if status == 200:
                        collector.take(body)
                    collector.changed.notify_all()

            def do_GET(self):
                """As an ATS that has nothing."""
                collector.requests.append((self.path, dict(self.headers)))
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """A client that is gone."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, body):
        self.bytes += body
        (resource,) = json.loads(body)["resourceSpans"]
        (scope,) = resource["scopeSpans"]
        assert set(resource) == {"resource", "scopeSpans"} and set(scope) == {"scope", "spans"}, resource
        self.resource = attributes_of(resource["resource"]["attributes"])
        self.scope = scope["scope"]
        assert scope["spans"], "an empty batch"
        self.spans += map(Span, scope["spans"])

    def wait_for(self, predicate):
        with self.changed:
            assert self.changed.wait_for(lambda: predicate(self), 60), self.spans
            return list(self.spans)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Traces(SyncCase):
    def collector(self, *answer):
        collector = Collector(*answer)
        self.addCleanup(collector.close)
        return collector

    def begin(self, collector, ratio="0"):
        self.start("--candidates", "5", server_options=("--otlp-endpoint", collector.url, "--trace-ratio", ratio))

    def call(self, resource="tags", traceparent=SAMPLED, path=None, **query):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        path = path or f"/unified/ats/{resource}?integrated_account_id={self.account}&{text}"
        headers = {} if traceparent is None else {"traceparent": traceparent}
        status, received, body = self.client.request("GET", path, headers=headers)
        return status, received["x-request-id"], body

    def metrics(self):
        text = self.client.get("/metrics")[2].decode()
        return {name: int(value) for name, value in
                re.findall(r'^tenon_trace_spans_total\{result="(\w+)"\} (\d+)$', text, re.M)}

    def test_the_callers_trace_goes_on(self):
        collector = self.collector()
        self.begin(collector)
        status, request_id, _ = self.call("candidates", limit=2, expand="true")
        self.assertEqual(status, 200)
        spans = collector.wait_for(lambda all: any(span.kind == SERVER for span in all.spans))
        path, headers = collector.requests[0]
        self.assertEqual((path, headers["Content-Type"]), ("/v1/traces", "application/json"))
        self.assertEqual(collector.resource["service.name"], "tenon")
        self.assertEqual(collector.scope["name"], "tenon")
        self.assertEqual({span.trace for span in spans}, {TRACE})
        self.assertEqual(len({span.id for span in spans}), len(spans))
        (server,) = (span for span in spans if span.kind == SERVER)
        self.assertEqual((server.parent, server.flags, server.status), (PARENT, 0x301, 0))
        self.assertEqual(server.name, "GET /unified/{model}/{resource}")
        self.assertEqual(server.attributes, {
            "http.request.method": "GET", "http.route": "/unified/{model}/{resource}", "url.scheme": "http",
            "http.response.status_code": 200, "tenon.request_id": request_id})
        calls = [span for span in spans if "tenon.connector" in span.attributes]
        self.assertGreater(len(calls), 1)  # also those of fibers of their own
        for call in calls:
            self.assertEqual((call.kind, call.parent, call.name), (CLIENT, server.id, "GET recruitee"))
            self.assertEqual(call.attributes["http.response.status_code"], 200)
            self.assertEqual(call.attributes["tenon.account_id"], self.account)
            self.assertGreaterEqual(int(call.all["startTimeUnixNano"]), int(server.all["startTimeUnixNano"]))

    def test_only_what_is_sampled_is_told(self):
        collector = self.collector()
        self.begin(collector)
        bad = [None, f"00-{TRACE}-{PARENT}-00", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
               f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more",
               f"00-{TRACE}-{PARENT}", "", "x" * 55, f"00_{TRACE}-{PARENT}-01"]
        for traceparent in bad:
            self.assertEqual(self.call(traceparent=traceparent)[0], 200)
        for probe in ("/healthz", "/readyz", "/metrics"):
            self.call(path=probe)
        other = "ab" * 16
        self.call(traceparent=f"01-{other}-{PARENT}-03-what-is-to-come")
        spans = collector.wait_for(lambda all: any(span.kind == SERVER for span in all.spans))
        self.assertEqual({span.trace for span in spans}, {other})

    def test_traces_begin_here_too(self):
        collector = self.collector()
        self.begin(collector, "1")
        self.call(traceparent=None)
        self.call(traceparent=f"00-{TRACE}-{PARENT}-00")
        self.assertEqual(self.call(path="/unified/ats/nothing/at/all/here", traceparent=None)[0], 404)
        self.ended(self.job("jobs"), 1)
        spans = collector.wait_for(lambda all: {"sync jobs", "GET"} <= {span.name for span in all.spans})
        roots = [span for span in spans if span.parent is None]
        self.assertEqual(len({span.trace for span in roots}), len(roots))
        self.assertTrue(all(span.flags == 0x101 for span in spans))
        self.assertNotIn(TRACE, {span.trace for span in spans})
        (run,) = (span for span in roots if span.name == "sync jobs")
        below = [span for span in spans if span.trace == run.trace]
        self.assertTrue(any(span.name == "GET recruitee" and span.parent == run.id for span in below))
        self.assertTrue(any(span.name == "store write" for span in below))
        ids = {span.id for span in spans}
        self.assertEqual([span for span in spans if span.parent and span.parent not in ids], [])

    def test_what_waits_is_sent_at_the_end_and_failures_are_told(self):
        collector = self.collector()
        self.begin(collector)
        self.set_faults(server_error=1.0)
        self.assertEqual(self.call("departments")[0], 502)
        self.call("departments", traceparent=f"00-{'cd' * 16}-{PARENT}-01")
        self.assertEqual(self.serve.stop(), 0)
        spans = collector.spans  # all are there when the server has ended
        servers = [span for span in spans if span.kind == SERVER]
        self.assertEqual({span.trace for span in servers}, {TRACE, "cd" * 16})
        for span in servers:
            self.assertEqual((span.status, span.attributes["error.type"]), (ERROR, "502"))
        calls = [span for span in spans if span.name == "GET recruitee" and span.trace == TRACE]
        self.assertEqual({span.attributes["error.type"] for span in calls}, {"500"} | {
            span.attributes["error.type"] for span in calls if span.attributes["error.type"] in ("502", "503", "504")})
        self.assertEqual(sorted(span.attributes.get("http.request.resend_count", 0) for span in calls),
                         list(range(len(calls))))

    def test_nothing_of_a_customer_is_in_it(self):
        collector = self.collector()
        self.begin(collector, "1")
        person = self.list("candidates", limit=1)[2]["result"][0]
        self.fetch("candidates", person["id"])
        self.call(path=f"/unified/ats/candidates/secret-path-41207?integrated_account_id={self.account}&x=secret-query")
        self.call(path=f"/custom/secret/path?integrated_account_id={self.account}")
        status, _, _ = self.client.request("POST", "/unified/ats/candidates", {"name": "Ada Secret"},
                                           {"traceparent": SAMPLED})
        self.assertLess(status, 500)
        self.serve.stop()
        self.assertGreater(len(collector.spans), 5)
        # Times and ids have any digits.
        told = re.sub(rb'"(\w+Id|\w+UnixNano)": *"[^"]*"', b"", collector.bytes)
        for secret in (TOKEN, self.admin_key, self.key, "secret", "Secret", "41207", person["name"],
                       "127.0.0.1", "Bearer"):
            self.assertNotIn(secret.encode(), told)

    def test_the_ats_is_not_told(self):
        collector = self.collector()
        self.begin(collector)
        self.serve.stop()
        ats = self.collector()
        self.serve = self.server(self.box, "--otlp-endpoint", collector.url, "--connector-base-url",
                                 f"recruitee={ats.url}")
        self.connect()
        self.call()
        collector.wait_for(lambda all: any(span.kind == SERVER for span in all.spans))
        self.assertGreater(len(ats.requests), 0)
        for _, headers in ats.requests:
            self.assertFalse({"traceparent", "tracestate"} & {name.lower() for name in headers})

    def test_a_collector_that_is_busy_and_one_that_refuses(self):
        collector = self.collector(lambda number: [
            (503, {"Retry-After": "0"}, b"{}"), (200, {}, b'{"partialSuccess":{"rejectedSpans":"1"}}'),
            (400, {}, b"{}")][min(number, 2)])
        self.begin(collector)
        self.call()
        collector.wait_for(lambda all: len(all.requests) == 2 and all.spans)
        told = self.metrics()
        while told["exported"] + told["refused"] < len(collector.spans):
            told = self.metrics()
        self.assertEqual((told["refused"], told["exported"], told["dropped"]), (1, len(collector.spans) - 1, 0))
        self.call()
        collector.wait_for(lambda all: len(all.requests) == 3)
        while told["refused"] == 1:
            told = self.metrics()
        self.assertGreater(told["refused"], 1)
        self.assertEqual(len(collector.requests), 3)  # 400: not again

    def test_none_that_listens_holds_nobody_back(self):
        collector = Collector()
        collector.close()
        self.begin(collector)
        for _ in range(20):
            self.assertEqual(self.call()[0], 200)
        self.assertEqual(self.serve.stop(), 0)
        self.assertIn("traces_not_sent", "".join(self.serve.log))

    def test_variables_and_bad_ones(self):
        for options, env, field in (
                (("--otlp-endpoint", "collector:4317"), {}, "otlp-endpoint"),
                (("--otlp-endpoint", "http://user:pw@host"), {}, "otlp-endpoint"),
                (("--trace-ratio", "1.5"), {}, "trace-ratio"),
                ((), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
                      "OTEL_EXPORTER_OTLP_HEADERS": "no value"}, "OTEL_EXPORTER_OTLP_HEADERS")):
            done = run_tenon("serve", "--listen", "127.0.0.1:0", "--data", str(self.data), *options, env=env,
                             check=False)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(field, done.stderr)

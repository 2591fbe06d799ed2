"""An endpoint of webhooks: remembers all that it was sent, and misbehaves when it is told to."""
import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Message:
    def __init__(self, headers, body, at):
        self.headers, self.body, self.at = headers, body, at
        self.id = headers["webhook-id"]
        self.event = json.loads(body)
        self.status = None

    def is_signed(self, secret):
        """Any of its signatures is of this secret."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        text = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


class Receiver:
    """`answer(message)` gives a status, or (status, headers, body), or "reset", or "stall"."""

    def __init__(self, answer=lambda message: 200):
        self.answer = answer
        self.messages = []
        self.changed = threading.Condition()
        self.ending = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.take(self, body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def take(self, handler, body):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        message = Message(headers, body, len(self.messages))
        answer = self.answer(message)
        status, extra, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
        message.status = status
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()
        if status == "stall":
            self.ending.wait(60)
        if status in ("stall", "reset"):
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
            handler.connection.close()
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in extra.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def wait_for(self, is_enough, what="messages", seconds=60):
        """Until the predicate holds of the messages; those then."""
        with self.changed:
            if not self.changed.wait_for(lambda: is_enough(self.messages), seconds):
                raise AssertionError(f"{what} did not come: {len(self.messages)} messages")
            return list(self.messages)

    def delivered(self):
        """Those that it took, in the order in which they came."""
        with self.changed:
            return [m for m in self.messages if m.status == 200]

    def close(self):
        self.ending.set()
        self.server.shutdown()
        self.server.server_close()

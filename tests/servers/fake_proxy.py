"""A proxy with TLS in front of the pages that does what a test says."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.web.site import HttpResponse, send_request

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class FakeProxy:
    """A proxy with TLS on localhost that does what the test says, and is otherwise as good as nginx."""

    upstream: str
    replies: dict[str, Reply] = field(default_factory=dict)
    """Its own answers, by path, instead of asking the pages."""
    forward: Callable[[str], str] = lambda _: "203.0.113.9"
    """What it writes into X-Forwarded-For, given what the visitor wrote; empty for no header."""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path in self.replies:
            return self.replies[path]
        passed = {name: value for name, value in headers.items() if name.lower() != "x-forwarded-for"}
        if forwarded := self.forward(headers.get("X-Forwarded-For", "")):
            passed["X-Forwarded-For"] = forwarded
        got: HttpResponse = send_request(self.upstream, method, path, body or None, passed)
        kept = ("content-type", "content-security-policy", "location")
        return got.status, {name: got.headers[name] for name in kept if name in got.headers}, got.body


def make_handler(proxy: FakeProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, content = proxy.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - http.server looks for this name

        def log_message(self, *_: object) -> None:
            return

    return Handler


@contextmanager
def listening(proxy: FakeProxy, context: ssl.SSLContext | None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(proxy))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""Files are fetched from public addresses only, and within limits; every refusal says why."""

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from editions.imports.source_document import FetchError
from mailer.public_http import Address
from mailer.remote_fetcher import RemoteFetcher


def is_loopback(address: Address) -> bool:
    return address.is_loopback


@pytest.fixture
def site() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, _, rest = self.path.strip("/").partition("/")
            if name == "drip":
                self.send_response(200)
                self.end_headers()
                # The client hangs up before the end.
                with contextlib.suppress(OSError):
                    for _ in range(50):
                        self.wfile.write(b"x")
                        self.wfile.flush()
                        time.sleep(0.05)
                return
            data = gzip.compress(b"0" * 3_000_000) if name == "bomb" else b"data"
            self.send_response({"gone": 404, "away": 302, "loop": 302}.get(name, 200))
            if name in {"away", "loop"}:
                self.send_header("Location", rest if name == "away" else f"/loop/{rest}x")
            if name == "bomb":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Type", "text/xml; charset=windows-1251")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_is_fetched_also_after_a_redirect(site: str) -> None:
    with RemoteFetcher(is_allowed=is_loopback) as fetcher:
        found = fetcher.fetch(f"{site}/away/{site}/feed", 1000)
    assert (found.address, found.data, found.charset) == (f"{site}/feed", b"data", "windows-1251")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("gone", "it answers with the error 404"),
        ("loop", "without end"),
        ("bomb", "it is larger than 1 MB"),
        ("away/ftp://example.org/x", "begins neither with https:// nor http://"),
        ("away/http://192.168.0.1/x", "192.168.0.1 is not a public address"),
        ("away/http://[::ffff:10.0.0.1]/x", "is not a public address"),
    ],
)
def test_a_refusal_says_why(site: str, path: str, reason: str) -> None:
    with RemoteFetcher(is_allowed=is_loopback) as fetcher, pytest.raises(FetchError) as refused:
        fetcher.fetch(f"{site}/{path}", 1_000_000)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.1.2.3/",
        "http://localhost:1/",
        "http://2130706433/",
        "http://0.0.0.0/",
    ],
)
def test_an_address_within_is_never_contacted(address: str) -> None:
    with RemoteFetcher() as fetcher, pytest.raises(FetchError, match="is not a public address"):
        fetcher.fetch(address, 1000)


def test_a_name_that_changes_its_address_is_judged_by_the_one_that_is_used(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(site.rpartition(":")[2])
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebind(host: str, *rest: object, **options: object) -> object:
        if host != "rebound.example":
            return real(host, *rest, **options)  # type: ignore[arg-type]
        asked.append(host)
        # First an address that may be contacted, from the second time on one that may not.
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    with RemoteFetcher(is_allowed=is_loopback) as fetcher:
        assert fetcher.fetch(f"http://rebound.example:{port}/feed", 1000).data == b"data"
        assert asked == ["rebound.example"]
        with pytest.raises(FetchError, match=r"rebound\.example at 10\.0\.0\.1"):
            fetcher.fetch(f"http://rebound.example:{port}/feed", 1000)


def test_other_schemes_and_too_many_files_are_refused(site: str) -> None:
    with RemoteFetcher(is_allowed=is_loopback, max_files=1) as fetcher:
        with pytest.raises(FetchError, match="only addresses that begin with"):
            fetcher.fetch("file:///etc/passwd", 1000)
        fetcher.fetch(f"{site}/a", 1000)
        with pytest.raises(FetchError, match="no more than 1 files"):
            fetcher.fetch(f"{site}/b", 1000)


def test_a_server_that_drips_is_not_waited_for(site: str) -> None:
    with RemoteFetcher(is_allowed=is_loopback, seconds=0.2) as fetcher:
        with pytest.raises(FetchError, match="stops fetching after"):
            fetcher.fetch(f"{site}/drip", 1000)
        with pytest.raises(FetchError, match="stops fetching after"):
            fetcher.fetch(f"{site}/a", 1000)


def test_a_name_nobody_has_is_named() -> None:
    with RemoteFetcher() as fetcher, pytest.raises(FetchError, match="no server of that name"):
        fetcher.fetch("https://nowhere.invalid/", 1000)

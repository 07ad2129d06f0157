"""Links are requested from a real server; whether a link is allowed depends on its address."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from editions.errors import ProblemLevel
from mailer.checks.link_checker import LinkStatus, check_links, probe_links
from mailer.public_http import Address, is_public


@dataclass
class Site:
    """A website on this machine, and the requests it received."""

    port: int
    requests: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def is_loopback(address: Address) -> bool:
    return address.is_loopback


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            site.requests.append(f"{self.command} {self.path}")
            name, _, rest = self.path.strip("/").partition("/")
            if name == "slow":
                time.sleep(1.5)
            status = {"gone": 404, "broken": 500, "away": 302, "loop": 302}.get(name, 200)
            if name == "only-get" and self.command == "HEAD":
                status = 405
            self.send_response(status)
            if status == 302:
                self.send_header("Location", rest if name == "away" else f"/loop/{len(site.requests)}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET = answer  # noqa: N815 - names the server looks for

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def probe(site: Site, *paths: str, seconds: float = 5) -> list[LinkStatus]:
    answers = probe_links([site.url(path) for path in paths], is_allowed=is_loopback, timeout=seconds)
    return [status for status, _ in answers]


def test_a_page_that_responds_is_ok_and_not_downloaded(site: Site) -> None:
    assert probe(site, "/a") == [LinkStatus.ok]
    assert site.requests == ["HEAD /a"]


def test_a_site_without_head_is_requested_with_get(site: Site) -> None:
    assert probe(site, "/only-get") == [LinkStatus.ok]
    assert site.requests == ["HEAD /only-get", "GET /only-get"]


def test_a_redirect_is_followed_but_not_endlessly(site: Site) -> None:
    assert probe(site, f"/away/{site.url('/b')}", "/loop/0") == [LinkStatus.ok, LinkStatus.broken]
    assert "HEAD /b" in site.requests
    assert len(site.requests) < 15


def test_results_are_in_the_order_of_the_links(site: Site) -> None:
    assert probe(site, "/gone", "/a", "/broken") == [LinkStatus.broken, LinkStatus.ok, LinkStatus.broken]


def test_a_server_that_is_slow_or_missing_is_unreachable(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        unused_url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        answers = list(probe_links([site.url("/slow"), unused_url], is_allowed=is_loopback, timeout=0.5))
    assert [status for status, _ in answers] == [LinkStatus.unreachable, LinkStatus.unreachable]
    assert answers[0][1] == "timed out"


def test_a_private_address_is_refused_before_anything_is_sent(site: Site) -> None:
    ((status, detail),) = probe_links([site.url("/a")])
    assert (status, site.requests) == (LinkStatus.refused, [])
    assert "127.0.0.1" in detail


def test_a_host_name_is_checked_by_its_address(site: Site) -> None:
    ((status, _),) = probe_links([f"http://localhost:{site.port}/a"])
    assert (status, site.requests) == (LinkStatus.refused, [])


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://[fd00::1]/", "http://169.254.169.254/latest"])
def test_a_redirect_to_a_private_network_is_refused(site: Site, target: str) -> None:
    assert probe(site, f"/away/{target}") == [LinkStatus.refused]
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "link", ["http://[bad/", "http://", "https://no-such-name.invalid/", "http://xn--/", "http://a..b/"]
)
def test_an_invalid_url_is_unreachable(link: str) -> None:
    assert [status for status, _ in probe_links([link], timeout=2)] == [LinkStatus.unreachable]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::5db8:d70e", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::a00:1", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("fec0::1", False),
    ],
)
def test_only_globally_reachable_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_problem_names_the_file_and_line_the_link_was_written_on(site: Site) -> None:
    links = {site.url("/gone"): ("stories/010-forum.md", 15), site.url("/a"): ("edition.md", 1)}
    (problem,) = check_links(links, is_allowed=is_loopback)
    assert (problem.path, problem.line, problem.code) == ("stories/010-forum.md", 15, "link-broken")
    assert problem.level is ProblemLevel.warning
    assert f"{site.url('/gone')} returns 404" in problem.message

"""Links are asked for real, by a server of our own; where a link may lead is decided by the address."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from editions.problem import Level
from mailer.checks.link_checker import Address, LinkStatus, check_links, is_public, probe_links


@dataclass
class Site:
    """A website on this machine, and what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


def only_this_machine(address: Address) -> bool:
    return address.is_loopback


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            site.asked.append(f"{self.command} {self.path}")
            name, _, rest = self.path.strip("/").partition("/")
            if name == "slow":
                time.sleep(1.5)
            status = {"gone": 404, "broken": 500, "away": 302, "loop": 302}.get(name, 200)
            if name == "only-get" and self.command == "HEAD":
                status = 405
            self.send_response(status)
            if status == 302:
                self.send_header("Location", rest if name == "away" else f"/loop/{len(site.asked)}")
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


def fates(site: Site, *paths: str, seconds: float = 5) -> list[LinkStatus]:
    answers = probe_links([site.url(path) for path in paths], is_allowed=only_this_machine, timeout=seconds)
    return [answer.status for answer in answers]


def test_a_page_that_answers_is_fine_and_is_not_loaded(site: Site) -> None:
    assert fates(site, "/a") == [LinkStatus.ok]
    assert site.asked == ["HEAD /a"]


def test_a_site_that_knows_no_head_is_asked_again(site: Site) -> None:
    assert fates(site, "/only-get") == [LinkStatus.ok]
    assert site.asked == ["HEAD /only-get", "GET /only-get"]


def test_a_redirect_is_followed_and_an_endless_one_is_not(site: Site) -> None:
    assert fates(site, f"/away/{site.url('/b')}", "/loop/0") == [LinkStatus.ok, LinkStatus.broken]
    assert "HEAD /b" in site.asked
    assert len(site.asked) < 15


def test_pages_with_errors_are_told_in_the_order_of_the_links(site: Site) -> None:
    assert fates(site, "/gone", "/a", "/broken") == [LinkStatus.broken, LinkStatus.ok, LinkStatus.broken]


def test_a_server_that_is_slow_or_not_there_is_unreachable(site: Site) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        answers = list(probe_links([site.url("/slow"), nobody], is_allowed=only_this_machine, timeout=0.5))
    assert [answer.status for answer in answers] == [LinkStatus.unreachable, LinkStatus.unreachable]
    assert answers[0].detail == "timed out"


def test_a_private_address_is_refused_before_anything_is_sent(site: Site) -> None:
    (answer,) = probe_links([site.url("/a")])
    assert (answer.status, site.asked) == (LinkStatus.refused, [])
    assert "127.0.0.1" in answer.detail


def test_a_name_is_judged_by_the_address_it_leads_to(site: Site) -> None:
    (answer,) = probe_links([f"http://localhost:{site.port}/a"])
    assert (answer.status, site.asked) == (LinkStatus.refused, [])


@pytest.mark.parametrize("target", ["http://10.0.0.1/", "http://[fd00::1]/", "http://169.254.169.254/latest"])
def test_a_redirect_into_a_private_network_is_refused_at_its_hop(site: Site, target: str) -> None:
    assert fates(site, f"/away/{target}") == [LinkStatus.refused]
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "link", ["http://[bad/", "http://", "https://no-such-name.invalid/", "http://xn--/", "http://a..b/"]
)
def test_a_link_that_is_no_address_is_unreachable(link: str) -> None:
    assert [answer.status for answer in probe_links([link], timeout=2)] == [LinkStatus.unreachable]


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
    ],
)
def test_only_addresses_that_everybody_reaches_are_public(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_problem_names_the_file_and_line_the_link_was_written_on(site: Site) -> None:
    links = {site.url("/gone"): ("stories/010-forum.md", 15), site.url("/a"): ("edition.md", 1)}
    (problem,) = check_links(links, is_allowed=only_this_machine)
    assert (problem.path, problem.line, problem.code) == ("stories/010-forum.md", 15, "link-broken")
    assert problem.level is Level.warning
    assert f"{site.url('/gone')} returns 404" in problem.message

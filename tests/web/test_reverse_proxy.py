"""The pages behind nginx and Caddy, each with the file that docs/serving.md tells people to copy."""

import configparser
import http.client
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.team_models import Role, SignInMethod
from mailer.selfservice.confirmation import make_form_token
from mailer.selfservice.rate_limit import NETWORK
from mailer.team.members import add_member, find_member_by_address
from mailer.team.sessions import open_team_session
from mailer.web.server import RunningServer, start_in_thread
from mailer.web.site import create_site
from mailer.workspace import Workspace, open_workspace, write_keys
from subscribers.models import Status
from tests.conftest import SETTINGS
from tests.factories.deliveries import add_campaign
from tests.factories.webhook_requests import post_with_password, write_settings
from tests.servers.reverse_proxy import NAME, ReverseProxy, read_block, reverse_proxy
from tests.web.site import HttpResponse, add_archived_edition, add_reader, find_reader, send_request

MANAGER = "mei@example.org"
ONE_CLICK = {"content-type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True)
class PublicSite:
    """A workspace with its pages, and the proxy in front of them."""

    workspace: Workspace
    engine: Engine
    running: RunningServer
    proxy: ReverseProxy
    kind: str

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        visitor: str = "127.0.0.1",
    ) -> HttpResponse:
        """Ask over https as the visitor with that address."""
        connection = http.client.HTTPSConnection(
            NAME, self.proxy.https_port, timeout=20, context=self.proxy.trust
        )
        # The name of the test's site is in no DNS.
        connection._create_connection = lambda *_: self.connect(visitor)  # type: ignore[attr-defined]
        try:
            connection.request(method, path, body=body, headers={"Host": NAME, **(headers or {})})
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return HttpResponse(status=answer.status, headers=fields, body=answer.read())
        finally:
            connection.close()

    def connect(self, visitor: str = "127.0.0.1") -> socket.socket:
        address = ("127.0.0.1", self.proxy.https_port)
        return socket.create_connection(address, timeout=20, source_address=(visitor, 0))


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[PublicSite]:
    root = tmp_path_factory.mktemp("public") / "workspace"
    (root / "editions").mkdir(parents=True)
    address = f'[web]\nbase_url = "https://{NAME}"\n[studio]\nenabled = true\n'
    (root / "mailer.toml").write_text(f"{SETTINGS}\n{address}", encoding="utf-8")
    write_settings(root)
    write_keys(root / "keys.toml")
    (root / "mailer.db").write_bytes(sqlite_template.read_bytes())
    workspace = open_workspace(root, environ={})
    engine = workspace.open_database()
    add_archived_edition(workspace, engine)
    running = start_in_thread(create_site(workspace))
    try:
        port = urlsplit(running.url).port or 0
        folder = tmp_path_factory.mktemp("proxy")
        with reverse_proxy(request.param, folder, upstream_port=port) as proxy:
            yield PublicSite(
                workspace=workspace, engine=engine, running=running, proxy=proxy, kind=request.param
            )
    finally:
        running.stop()
        engine.dispose()


def test_one_click_unsubscribes_over_https(site: PublicSite) -> None:
    token = add_reader(site.engine, site.workspace.keys, "bat@example.org")
    answer = site.ask("POST", f"/u/{token}", b"List-Unsubscribe=One-Click", ONE_CLICK)
    assert answer.status == 200
    assert "strict-transport-security" in answer.headers
    assert find_reader(site.engine, "bat@example.org").status is Status.unsubscribed


def test_a_provider_posts_a_megabyte_and_no_visitor_does(site: PublicSite) -> None:
    posted = post_with_password([{"pad": "x" * 1_000_000}])
    assert site.ask("POST", "/hooks/brevo", posted.body, dict(posted.headers)).status == 200
    # As from the page's own form, so that nothing but its size is wrong.
    form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
    for path, size, headers in (
        ("/hooks/brevo", 3_000_000, dict(posted.headers)),
        ("/link", 100_000, form),
    ):
        try:
            # 502: Caddy was still passing it on when the pages had refused it.
            assert site.ask("POST", path, b"x" * size, headers).status in {413, 502}
        except OSError:
            # Closed while we were still sending.
            continue


@pytest.fixture
def manager(site: PublicSite) -> Mapping[str, str]:
    """What the browser of a manager of Studio sends with its requests."""
    now = datetime.now(UTC)
    with Session(site.engine) as session:
        member = find_member_by_address(session, MANAGER) or add_member(
            session, MANAGER, "Mei", Role.manager, now=now
        )
        secret = open_team_session(session, member.id, SignInMethod.link, browser="A browser", now=now)
        session.commit()
    return {"cookie": f"__Host-studio={secret}", "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize(("megabytes", "status"), [(5, 303), (41, 422)])
def test_studio_takes_as_large_a_list_as_it_says(
    site: PublicSite, manager: Mapping[str, str], megabytes: int, status: int
) -> None:
    row = b"mei@example.org,Mei\r\n"
    data = b"email,name\r\n" + megabytes * 1024 * 1024 // len(row) * row
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="list.csv"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = site.ask("POST", "/studio/imports/upload", head + data + b"\r\n--x--\r\n", {**manager, **kind})
    assert answer.status == status, answer.text


def test_a_suspicious_mail_of_a_megabyte_may_be_shown_to_us(site: PublicSite) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="mail"; filename="mail.eml"\r\n\r\n'
    mail = b"From: a@example.org\r\n\r\n" + 900_000 * b"a"
    form = {"content-type": "multipart/form-data; boundary=x", "sec-fetch-site": "same-origin"}
    assert site.ask("POST", "/verify/mail", head + mail + b"\r\n--x--\r\n", form).status == 200


def test_a_campaign_is_seen_live_at_once(site: PublicSite, manager: Mapping[str, str]) -> None:
    number = add_campaign(site.engine, 3, title="Spring news")
    with site.proxy.trust.wrap_socket(site.connect(), server_hostname=NAME) as connection:
        lines = [f"GET /studio/campaigns/{number}/live/events HTTP/1.1", f"Host: {NAME}"]
        lines += [f"{name}: {value}" for name, value in manager.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        # The stream has no end: what a proxy kept back would not arrive.
        while b"retry:" not in received:
            received += connection.recv(4096)
    assert received.startswith(b"HTTP/1.1 200 ")


def test_http_leads_to_https_and_a_post_stays_one(site: PublicSite) -> None:
    url = f"http://127.0.0.1:{site.proxy.http_port}"
    for method in ("GET", "POST"):
        answer = send_request(url, method, "/u/x?lang=mn", headers={"Host": NAME})
        assert answer.status == 308
        place = urlsplit(answer.headers["location"])
        assert (place.scheme, place.hostname, place.path, place.query) == ("https", NAME, "/u/x", "lang=mn")


def test_the_limit_is_per_visitor_and_not_per_proxy(site: PublicSite) -> None:
    stamp = make_form_token(site.workspace.keys.suppression, datetime.now(UTC) - timedelta(minutes=1))
    body = urlencode({"email": "lin@example.org", "stamp": stamp}).encode()

    def request_link(visitor: str, made_up: str) -> int:
        headers = {**ONE_CLICK, "sec-fetch-site": "same-origin", "x-forwarded-for": made_up}
        return site.ask("POST", "/link", body, headers, visitor=visitor).status

    mine = [request_link("127.0.0.2", f"198.51.100.{number}") for number in range(NETWORK.maximum)]
    assert mine == [200] * NETWORK.maximum
    assert request_link("127.0.0.2", "198.51.100.99") == 429
    assert request_link("127.0.0.3", "127.0.0.2") == 200


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "//metrics", "/metrics/", "/./metrics"])
def test_metrics_are_closed(site: PublicSite, path: str) -> None:
    answer = site.ask("GET", path)
    # Caddy and nginx may tidy up the path first; neither leads to figures.
    assert answer.status in {301, 308, 404}
    assert b"mailer_" not in answer.body


def test_pictures_may_be_kept_for_ever_and_nginx_keeps_them(site: PublicSite) -> None:
    name = next(site.workspace.media.iterdir()).name
    first, again = site.ask("GET", f"/media/{name}"), site.ask("GET", f"/media/{name}?of=another+reader")
    for answer in (first, again):
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.body == (site.workspace.media / name).read_bytes()
    page = site.ask("GET", "/e/")
    assert page.status == 200
    assert "x-cache-status" not in page.headers
    if site.kind == "nginx":
        assert [answer.headers["x-cache-status"] for answer in (first, again)] == ["MISS", "HIT"]
        # A picture that does not exist yet may exist tomorrow.
        later = site.workspace.media / "0123456789abcdef.png"
        assert site.ask("GET", f"/media/{later.name}").status == 404
        later.write_bytes(first.body)
        assert site.ask("GET", f"/media/{later.name}").status == 200


def test_silent_visitors_are_dropped_while_pages_answer(site: PublicSite) -> None:
    with (
        site.proxy.trust.wrap_socket(site.connect(), server_hostname=NAME) as silent,
        site.proxy.trust.wrap_socket(site.connect(), server_hostname=NAME) as slow,
    ):
        slow.sendall(f"GET /e/ HTTP/1.1\r\nHost: {NAME}\r\n".encode())
        assert site.ask("GET", "/healthz").text == "ok\n"
        # Caddy and some versions of nginx say 408 first.
        for connection in (silent, slow):
            said = b"".join(iter(lambda connection=connection: connection.recv(4096), b""))
            assert said == b"" or said.startswith(b"HTTP/1.1 408 ")


def test_no_token_is_in_a_log_even_if_the_pages_are_down(site: PublicSite, tmp_path: Path) -> None:
    token = "a-secret-token-of-a-reader"
    assert site.ask("GET", f"/u/{token}").status == 404
    assert site.ask("POST", f"/u/{token}", b"x" * 70_000, ONE_CLICK).status >= 400
    assert token not in site.proxy.read_logs()
    with reverse_proxy(site.kind, tmp_path, upstream_port=1) as proxy:
        down = replace(site, proxy=proxy)
        assert down.ask("GET", f"/u/{token}").status == 502
        assert down.ask("POST", f"/u/{token}", b"List-Unsubscribe=One-Click", ONE_CLICK).status == 502
    assert token not in proxy.read_logs()


def test_the_unit_starts_the_pages_with_descriptors_to_spare() -> None:
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(read_block("ini"))
    assert unit["Service"]["ExecStart"].endswith(" serve")
    assert int(unit["Service"]["LimitNOFILE"]) == 65_536

"""Scanners that open every link of a mail, and one-click unsubscribing: what each of them changes."""

import http.client
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from urllib.parse import urlsplit

import pytest

from mailer.web.app import create_app
from mailer.workspace import Workspace
from subscribers.models import Status
from subscribers.tokens import LinkPurpose, TokenSigner
from tests.acceptance.campaign_driver import CampaignDriver
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.web.site import dump_tables, find_reader, send_request, served

Figure = Callable[[str], None]

SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/124.0 Safari/537.36",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; ms-office; MSOffice 16) SafeLinks",
    "Mozilla/5.0 (compatible; Proofpoint URL Defense)",
    "Barracuda Sentinel (EE)",
    "Mimecast URL Protect",
    "Symantec Email Security.cloud Click-time",
    "Cisco Secure Email Outbreak Filters",
    "Sophos Time-of-Click/1.0",
    "TrendMicro CAS Web Reputation",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "facebookexternalhit/1.1 Slackbot-LinkExpanding 1.0",
)
ONE_CLICK = b"List-Unsubscribe=One-Click"
PARTS = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@dataclass(frozen=True)
class Delivered:
    """A mail that arrived, the site behind its links, and their paths."""

    driver: CampaignDriver
    url: str
    mail: EmailMessage
    paths: tuple[str, ...]

    @property
    def one_click(self) -> str:
        found = re.search(r"<(https?://[^>]+)>", str(self.mail["List-Unsubscribe"]))
        assert found is not None
        return urlsplit(found[1]).path


@pytest.fixture
def delivered(either_workspace: Workspace) -> Iterator[Delivered]:
    engine = either_workspace.open_database(durable=True)
    with MisbehavingServer() as server:
        driver = CampaignDriver(workspace=either_workspace, engine=engine, url=server.url)
        driver.launch(["mei@example.org"])
        driver.send_here()
        (received,) = server.received
    mail = message_from_bytes(received.content, _class=EmailMessage, policy=policy.default)
    with served(create_app(either_workspace)) as running:
        yield Delivered(driver, running.url, mail, find_paths(mail, either_workspace.settings.web.base_url))
    engine.dispose()


def find_paths(mail: EmailMessage, base_url: str) -> tuple[str, ...]:
    """The paths of every link to our site in a mail's header and both parts."""
    found = set(re.findall(r"<(https?://[^>]+)>", str(mail["List-Unsubscribe"])))
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        found |= {unescape(url) for url in re.findall(r"https?://[^\s\"'<>)]+", part.get_content())}
    ours = {url.removeprefix(base_url) for url in found if url.startswith(base_url)}
    return tuple(sorted(ours))


def scan(delivered: Delivered, number: int) -> set[int]:
    """Open the links as each scanner does, ``number`` times in all; return the response statuses."""
    parts = urlsplit(delivered.url)
    kinds = itertools.cycle(itertools.product(delivered.paths, SCANNERS, ("GET", "HEAD")))
    statuses = set()
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
        for path, agent, method in itertools.islice(kinds, number):
            connection.request(method, path, headers={"user-agent": agent, "accept": "*/*"})
            answer = connection.getresponse()
            answer.read()
            statuses.add(answer.status)
    return statuses


def test_every_scanner_opens_every_link_and_nothing_changes(delivered: Delivered) -> None:
    assert {path.split("/")[1] for path in delivered.paths} == {"u", "p", "e", "verify"}
    before = dump_tables(delivered.driver.engine)
    assert scan(delivered, 2 * len(SCANNERS) * len(delivered.paths)) == {200}
    assert dump_tables(delivered.driver.engine) == before


@pytest.mark.soak
def test_ten_thousand_requests_change_nothing(delivered: Delivered, figure: Figure) -> None:
    before = dump_tables(delivered.driver.engine)
    assert scan(delivered, 10_000) == {200}
    after = dump_tables(delivered.driver.engine)
    changes = sum(after[name] != before[name] for name in before)
    figure(f"10,000 GET and HEAD of {len(SCANNERS)} scanners: {changes} tables changed")
    assert changes == 0


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(ONE_CLICK, "application/x-www-form-urlencoded"), (PARTS, "multipart/form-data; boundary=b")],
)
@pytest.mark.parametrize("origin", ["https://mail.example", "null", ""])
def test_one_click_unsubscribe_works_and_repeating_it_changes_nothing(
    delivered: Delivered, body: bytes, content_type: str, origin: str
) -> None:
    headers = {"content-type": content_type, "sec-fetch-site": "cross-site"}
    if origin:
        headers["origin"] = origin
    first = send_request(delivered.url, "POST", delivered.one_click, body, headers)
    assert (first.status, "location" in first.headers, "set-cookie" in first.headers) == (200, False, False)
    assert find_reader(delivered.driver.engine, "mei@example.org").status is Status.unsubscribed
    before = dump_tables(delivered.driver.engine)
    for _ in range(5):
        again = send_request(delivered.url, "POST", delivered.one_click, body, headers)
        assert (again.status, again.body) == (200, first.body)
    assert dump_tables(delivered.driver.engine) == before


def test_an_old_link_still_unsubscribes_after_key_rotation(either_workspace: Workspace) -> None:
    old = either_workspace.keys.tokens
    renewed = TokenSigner(keys={**old.keys, 2: b"n" * 32}, current=2)
    workspace = replace(either_workspace, keys=replace(either_workspace.keys, tokens=renewed))
    engine = workspace.open_database()
    try:
        driver = CampaignDriver(workspace=workspace, engine=engine, url="smtp://127.0.0.1:9")
        driver.launch(["mei@example.org"])
        token = old.sign(LinkPurpose.subscription, subscriber_id=1, campaign_id=1)
        with served(create_app(workspace)) as running:
            headers = {"content-type": "application/x-www-form-urlencoded"}
            assert send_request(running.url, "POST", f"/u/{token}", ONE_CLICK, headers).status == 200
        assert find_reader(engine, "mei@example.org").status is Status.unsubscribed
    finally:
        engine.dispose()

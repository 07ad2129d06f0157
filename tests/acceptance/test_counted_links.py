"""A counted link from the command to the count: sent by SMTP, clicked in a browser, written down."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sqlalchemy import Engine, update

from mailer.campaigns.launch import launch
from mailer.campaigns.send import send_campaign
from mailer.database.report_models import CampaignLink
from mailer.settings import WebSettings
from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.factories.campaigns import make_plan, with_settings, with_smtp
from tests.factories.clicks import read_clicks
from tests.factories.small_edition import add_people, write_edition
from tests.servers.browser import SharedChromium
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.web.site import served

OURS = "https://news.example.org"
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@dataclass
class Elsewhere:
    """Another site, and the requests it got: the path and the Referer."""

    url: str = ""
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextlib.contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    site = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append((self.path, self.headers.get("referer")))
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Elsewhere</title><h1>The report</h1>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send_counted(workspace: Workspace, engine: Engine, now: datetime) -> str:
    """Send the edition, and return the HTML that a reader in Mongolia gets."""
    plan = make_plan(workspace, engine, now, "country:MN", count_clicks=True)
    number = launch(engine, workspace, plan, now=now)
    with MisbehavingServer() as server:
        send_campaign(with_smtp(workspace, server.url), number)
    (mail,) = server.received
    _, html = message_from_bytes(mail.content, policy=policy.default).iter_parts()  # type: ignore[attr-defined]
    return str(html.get_content())


def link_to(story: Path, url: str) -> None:
    story.write_text(story.read_text(encoding="utf-8") + f"\n[The report]({url})\n", encoding="utf-8")


def test_a_reader_who_clicks_arrives_and_is_counted_without_a_name(
    workspace: Workspace, now: datetime, shared_chromium: SharedChromium
) -> None:
    workspace = with_settings(workspace, web=WebSettings(base_url=OURS))
    engine = workspace.open_database(durable=True)
    add_people(engine)
    with elsewhere() as other:
        folder = write_edition(workspace.editions)
        link_to(folder / "stories" / "010-teachers.md", "https://reports.example.org/")
        html = send_counted(workspace, engine, now)
        assert "reports.example.org" not in html
        # No check lets a link to this machine into an edition.
        with engine.begin() as connection:
            connection.execute(update(CampaignLink).values(url=f"{other.url}/report?a=1&b=é#part"))
        with (
            served(create_app(workspace)) as running,
            shared_chromium.lend() as browser,
            contextlib.closing(browser.new_context(user_agent=PERSON, locale="en-GB")) as context,
        ):
            # Chromium without a screen says so, or names no language, and counts as a program.
            page = context.new_page()
            page.goto(f"{running.url}/accessibility")
            page.set_content(html.replace(OURS, running.url))
            page.get_by_role("link", name="The report").click()
            page.wait_for_url(f"{other.url}/**")
            assert page.url == f"{other.url}/report?a=1&b=%C3%A9#part"
            assert page.title() == "Elsewhere"
        assert [one for one in other.requests if one[0] != "/favicon.ico"] == [("/report?a=1&b=%C3%A9", None)]
    (click,) = read_clicks(engine)
    assert (click.country, click.sectors, click.subscriber_id, click.signs) == ("MN", "education", None, "")
    engine.dispose()

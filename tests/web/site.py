"""Readers with links, archived editions, and requests to a server: what tests of the pages need."""

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from playwright.sync_api import Page
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select

from editions.reader import read_edition
from mailer.campaigns.counted_links import CountedLinks, NumberedLink, store_counted_links
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.server import RunningServer, start_in_thread
from mailer.workspace import Keys, Workspace
from subscribers.click_tokens import ClickToken, sign_click_token
from subscribers.models import Status, Subscriber, SubscriberSector
from subscribers.one_time_links import issue_link
from subscribers.tokens import LinkPurpose
from tests.factories.draft_edition import Draft

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def add_reader(
    engine: Engine, keys: Keys, email: str, *, sectors: tuple[str, ...] = (), **details: object
) -> str:
    """Put a subscriber on the list and return the token of their links, from campaign 7."""
    status = details.pop("status", Status.active)
    with Session(engine) as session:
        subscriber = Subscriber(
            email=email, envelope=email, status=status, created_at=NOW, updated_at=NOW, **details
        )
        session.add(subscriber)
        session.flush()
        session.add_all(SubscriberSector(subscriber_id=subscriber.id, sector=sector) for sector in sectors)
        session.commit()
        return keys.tokens.sign(LinkPurpose.subscription, subscriber_id=subscriber.id or 0, campaign_id=7)


def issue_link_token(
    engine: Engine, keys: Keys, email: str, purpose: LinkPurpose, *, detail: str = ""
) -> str:
    """Return the token of a link mailed to a subscriber at the current time, because links expire."""
    number = find_reader(engine, email).id or 0
    with Session(engine) as session:
        token = issue_link(
            session, keys.tokens, purpose, subscriber_id=number, now=datetime.now(UTC), detail=detail
        )
        session.commit()
        return token


def add_archived_edition(workspace: Workspace, engine: Engine) -> CompiledEdition:
    """Add a small edition that has been sent and archived, with its images."""
    draft = Draft(workspace.editions / "2021-2")
    settings = workspace.settings
    mail = compile_edition(read_edition(draft.folder, sectors=settings.sectors), settings)
    workspace.media.mkdir()
    for image in mail.images:
        (workspace.media / image.name).write_bytes(image.data)
    add_sent(engine, [mail])
    return mail


def add_sent(
    engine: Engine,
    contents: list[CompiledEdition],
    *,
    state: CampaignState = CampaignState.finished,
    archived: bool = True,
) -> None:
    """Put a campaign with its frozen contents into the ledger."""
    first = contents[0]
    with Session(engine) as session:
        campaign = Campaign(
            edition=first.slug,
            title=first.title,
            segment="all",
            state=state,
            digest=first.digest,
            created_at=NOW,
            launched_at=NOW,
            language=first.language,
            archived=archived,
        )
        session.add(campaign)
        session.flush()
        session.add_all(
            CampaignContent(campaign_id=campaign.id, language=content.language, body=content.to_bytes())
            for content in contents
        )
        session.commit()


def add_counted_campaign(
    engine: Engine,
    urls: tuple[str, ...] = ("https://example.org/",),
    *,
    number: int = 7,
    launched_at: datetime | None = NOW,
    sectors: tuple[str, ...] = ("education", "sciences", "culture"),
) -> int:
    """Put a campaign that counts clicks on ``urls`` into the ledger; return its number."""
    with Session(engine) as session:
        campaign = Campaign(
            id=number,
            edition="2026-1",
            title="News",
            segment="all",
            digest="d" * 64,
            state=CampaignState.sending if launched_at else CampaignState.approved,
            language="en",
            created_at=NOW,
            launched_at=launched_at,
        )
        session.add(campaign)
        session.flush()
        links = tuple(NumberedLink(number=place, url=url) for place, url in enumerate(urls, 1))
        store_counted_links(session.connection(), number, CountedLinks(links=links, sectors=sectors))
        session.commit()
    return number


def sign_click(workspace: Workspace, campaign_id: int = 7, **values: Any) -> str:
    """The token in the counted links of a reader in Mongolia."""
    token = ClickToken(campaign_id=campaign_id, country="MN", **values)
    return sign_click_token(workspace.keys.tokens.newest(), token)


def find_reader(engine: Engine, email: str) -> Subscriber:
    with Session(engine) as session:
        return session.exec(select(Subscriber).where(Subscriber.email == email)).one()


def dump_tables(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with engine.connect().execution_options(read_only=True) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


@contextlib.contextmanager
def opened_engine(workspace: Workspace) -> Iterator[Engine]:
    engine = workspace.open_database()
    try:
        yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[RunningServer]:
    running = start_in_thread(app)
    try:
        yield running
    finally:
        running.stop()


@dataclass(frozen=True)
class HttpResponse:
    """A response, byte for byte. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def send_request(
    url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Request ``path`` exactly as it is written; ordinary clients normalise it first."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return HttpResponse(status=answer.status, headers=fields, body=answer.read())
    finally:
        connection.close()


def collect_browser_errors(page: Page) -> list[str]:
    """Return a list to which errors in the browser are added: policy violations, failed loads, exceptions."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


def write_form_data(fields: Mapping[str, bytes], *, file_name: str = "mail.eml") -> tuple[bytes, str]:
    """The body and the type of a form with files, as a browser sends it."""
    boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
        "Content-Type: message/rfc822\r\n\r\n".encode()
        + value
        + b"\r\n"
        for name, value in fields.items()
    )
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"

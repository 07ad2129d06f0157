"""What the routes of the readers' site share, and the links that its readers follow.

They are frozen when their campaign is launched, so what was read once stays in memory: a click needs no
database then.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import quote, urlsplit, urlunsplit

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlmodel import col, select

from editions.cache import BoundedCache
from mailer.campaigns.counted_links import read_counted_links
from mailer.database.engine import open_session
from mailer.database.models import Campaign
from mailer.feedback.clicks.click_recorder import ClickRecorder
from mailer.selfservice.unsubscribe import UnsubscribeBatcher
from mailer.web.archive_store import KnownEditions
from mailer.web.page_renderer import PageRenderer
from mailer.workspace import Workspace

_MAX_CAMPAIGNS = 50
"""How many campaigns are kept in memory; a hundred links of each take some 20 KB."""

_URL_CHARACTERS = "/?#[]@!$&'()*+,;=:%~"
UtcClock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class CampaignLinks:
    """Where the links of a launched campaign lead, by number, as a Location header has it; the campaign's
    sectors in the order of their bits; its own language; and the day (UTC) it was launched."""

    locations: Mapping[int, str]
    sectors: tuple[str, ...]
    language: str
    launched_on: date


class LinkStore:
    """Reads the links of campaigns, and remembers those of the last ones asked for. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._campaigns: BoundedCache[CampaignLinks] = BoundedCache(_MAX_CAMPAIGNS)

    def find(self, campaign_id: int) -> CampaignLinks | None:
        """Return the links of a campaign; None if there is none that was launched and counts clicks."""
        if (known := self._campaigns.get(campaign_id)) is not None:
            return known
        found = self._read(campaign_id)
        if found is not None:
            self._campaigns.put(campaign_id, found)
        return found

    def _read(self, campaign_id: int) -> CampaignLinks | None:
        with open_session(self._engine, read_only=True) as session:
            columns = select(Campaign.language, Campaign.launched_at).where(col(Campaign.id) == campaign_id)
            row = session.exec(columns).first()
            counted = read_counted_links(session, campaign_id)
        if row is None or row[1] is None or counted is None:
            return None
        return CampaignLinks(
            locations={link.number: format_location(link.url) for link in counted.links},
            sectors=counted.sectors,
            language=row[0],
            launched_on=row[1].astimezone(UTC).date(),
        )


def format_location(url: str) -> str:
    """Return an author's address for a Location header: ASCII, with nothing that ends a line."""
    try:
        parts = urlsplit(url)
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode("ascii")
        url = urlunsplit(parts._replace(netloc=host))
    except ValueError:
        # Browsers decode a host in percent signs by themselves.
        pass
    return quote(url, safe=_URL_CHARACTERS)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    workspace: Workspace
    renderer: PageRenderer
    engine: Engine
    clock: UtcClock
    unsubscribe_batcher: UnsubscribeBatcher
    click_recorder: ClickRecorder
    links: LinkStore
    archived: KnownEditions = field(default_factory=dict)


def _get_site(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - set at start by the lifespan
    return site


async def _read_body(request: Request) -> bytes:
    return await request.body()


SiteDep = Annotated[Site, Depends(_get_site)]
BodyDep = Annotated[bytes, Depends(_read_body)]
"""The whole body of a request, limited in size by the security middleware."""

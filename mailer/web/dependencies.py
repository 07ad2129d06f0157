"""What FastAPI hands to every page of the readers' site."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from mailer.feedback.clicks.click_recorder import ClickRecorder
from mailer.selfservice.unsubscribe_batch import UnsubscribeBatcher
from mailer.web.archive_store import SummaryCache
from mailer.web.link_store import LinkStore
from mailer.web.page_renderer import PageRenderer
from mailer.workspace import Workspace

UtcClock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The shared state of the readers' site: workspace, page renderer, database engine, clock, the batcher of
    one-click requests, the recorder of clicks and the links they may lead to, and cached summaries of the
    archived editions."""

    workspace: Workspace
    renderer: PageRenderer
    engine: Engine
    clock: UtcClock
    unsubscribe_batcher: UnsubscribeBatcher
    click_recorder: ClickRecorder
    links: LinkStore
    archive_summaries: SummaryCache = field(default_factory=SummaryCache)


def _get_site(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - set at start by the lifespan
    return site


async def _read_body(request: Request) -> bytes:
    return await request.body()


SiteDep = Annotated[Site, Depends(_get_site)]
BodyDep = Annotated[bytes, Depends(_read_body)]
"""The whole body of a request, limited in size by the security middleware."""

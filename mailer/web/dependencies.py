"""What every page of one running application is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from mailer.selfservice.unsubscribe_batch import LeavingDesk
from mailer.web.archive.store import Shelf
from mailer.web.page_renderer import Pages
from mailer.workspace import Workspace

Clock = Callable[[], datetime]


def read_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The workspace behind the pages, their templates, its database (opened once), the clock, the desk where
    readers leave by one click, and what is known of the editions in the archive."""

    workspace: Workspace
    pages: Pages
    engine: Engine
    clock: Clock
    desk: LeavingDesk
    shelf: Shelf = field(default_factory=Shelf)


def _site_of(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - set at start by the lifespan
    return site


async def _read_body(request: Request) -> bytes:
    return await request.body()


TheSite = Annotated[Site, Depends(_site_of)]
Body = Annotated[bytes, Depends(_read_body)]
"""The whole body of a request, never more than the guard lets through."""

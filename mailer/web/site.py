"""What every page of one running application is given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from mailer.web.pages import Pages
from mailer.workspace import Workspace

Clock = Callable[[], datetime]


def read_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The workspace behind the pages, their templates, its database (opened once), and the clock."""

    workspace: Workspace
    pages: Pages
    engine: Engine
    clock: Clock


def _site_of(request: Request) -> Site:
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - set at start by the lifespan
    return site


async def _read_body(request: Request) -> bytes:
    return await request.body()


TheSite = Annotated[Site, Depends(_site_of)]
Body = Annotated[bytes, Depends(_read_body)]
"""The whole body of a request, never more than the guard lets through."""

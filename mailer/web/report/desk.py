"""What the pages of reports need, whoever shows them: where they read, and how they are rendered."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import open_session
from mailer.web.dependencies import UtcClock
from mailer.web.page_renderer import PageRenderer
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ReportDesk:
    """The shared state of the pages of reports."""

    workspace: Workspace
    renderer: PageRenderer
    engine: Engine
    clock: UtcClock

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """A read-only session, which never makes a campaign wait."""
        with open_session(self.engine, read_only=True) as session:
            yield session


def _get_desk(request: Request) -> ReportDesk:
    desk = request.app.state.report_desk
    assert isinstance(desk, ReportDesk)  # noqa: S101 - set at start by the lifespan
    return desk


DeskDep = Annotated[ReportDesk, Depends(_get_desk)]

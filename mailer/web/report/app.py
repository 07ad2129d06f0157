"""The reports for the person at this machine: the pages behind a secret in their address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mailer.web.access import LocalAccess
from mailer.web.app_factory import LocalApp, assemble_local_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.page_renderer import PageRenderer
from mailer.web.report.desk import ReportDesk
from mailer.web.report.pages import ROUTES
from mailer.web.security import PAGE_POLICY
from mailer.workspace import Workspace


def create_report_app(workspace: Workspace, *, access: LocalAccess, clock: UtcClock = utc_now) -> FastAPI:
    """Create the pages of reports, for this machine and whoever has the secret of ``access``."""
    renderer = PageRenderer(workspace.settings)

    @asynccontextmanager
    async def open_reports(app: FastAPI) -> AsyncIterator[None]:
        with workspace.use_database() as engine:
            app.state.report_desk = ReportDesk(
                workspace=workspace, renderer=renderer, engine=engine, clock=clock
            )
            yield

    shown = LocalApp(name="report", command="mailer campaigns report")
    return assemble_local_app(renderer, access, shown, PAGE_POLICY, open_reports, ROUTES)

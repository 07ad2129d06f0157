"""The reports for the person at this machine: the pages behind a secret in their address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.responses import Response

from mailer.web.app_factory import assemble_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.local_access import LocalAccess
from mailer.web.page_renderer import PageRenderer
from mailer.web.report.desk import ReportDesk
from mailer.web.report.pages import ROUTES
from mailer.web.security import PAGE_POLICY, SecurityRules
from mailer.workspace import Workspace


def create_report_app(workspace: Workspace, *, access: LocalAccess, clock: UtcClock = utc_now) -> FastAPI:
    """Create the pages of reports, for this machine and whoever has the secret of ``access``."""
    renderer = PageRenderer(workspace.settings)

    @asynccontextmanager
    async def open_reports(app: FastAPI) -> AsyncIterator[None]:
        engine = workspace.open_database()
        app.state.report_desk = ReportDesk(workspace=workspace, renderer=renderer, engine=engine, clock=clock)
        try:
            yield
        finally:
            engine.dispose()

    rules = SecurityRules(
        policy=PAGE_POLICY,
        error_page=lambda status, _: _render_error(renderer, status),
        local_only=True,
        refuses=access.refuses,
        admit=access.admit,
    )
    return assemble_app(renderer, rules, open_reports, ROUTES)


def _render_error(renderer: PageRenderer, status: int) -> Response:
    if status != 403:
        return renderer.render_error(status)
    message = (
        "Only the person who started it can see it. If that is you, open the address that mailer campaigns "
        "report has printed in the terminal. It is a new one each time."
    )
    return renderer.render(
        "error.html", status=403, title="This report is not open to you", message=message, new_link=""
    )

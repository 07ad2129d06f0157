"""Studio served on this machine, with members of each role, and browsers that are signed in."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.types import ASGIApp

from mailer.database.team_models import Role, SignInMethod
from mailer.live_workspace import LiveWorkspace
from mailer.team.members import Member, add_member
from mailer.team.sessions import open_team_session
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.live_app import LiveApp
from mailer.web.server import start_in_thread
from mailer.web.site import create_local_studio
from mailer.workspace import Workspace
from tests.servers.process import free_port
from tests.web.site import collect_browser_errors, opened_engine

WIDE = {"width": 1440, "height": 900}


@dataclass(frozen=True, kw_only=True)
class Studio:
    """A running Studio. ``url`` is its first page, without a slash at the end."""

    url: str
    workspace: Workspace
    engine: Engine
    clock: UtcClock = utc_now

    def add_member(self, role: Role = Role.author, name: str = "Ann Author", email: str = "") -> Member:
        """Add a person to the team."""
        with Session(self.engine) as session:
            member = add_member(
                session, email or f"{name.split()[0].lower()}@example.org", name, role, now=self.clock()
            )
            session.commit()
            return member

    def sign_in(self, member: Member) -> str:
        """Sign a member in, and return the Cookie header of their browser."""
        with Session(self.engine) as session:
            secret = open_team_session(
                session, member.id, SignInMethod.link, browser="A browser", now=self.clock()
            )
            session.commit()
        return f"studio={secret}"

    @contextlib.contextmanager
    def browse(self, browser: Browser, member: Member, **options: object) -> Iterator[Page]:
        """A page of a browser in which ``member`` is signed in; any error in the browser fails the test."""
        with self.open_context(browser, member, **options) as context:
            page = context.new_page()
            errors = collect_browser_errors(page)
            yield page
            assert [error for error in errors if "status of 4" not in error] == []

    @contextlib.contextmanager
    def open_context(self, browser: Browser, member: Member, **options: object) -> Iterator[BrowserContext]:
        """A browser of its own in which ``member`` is signed in."""
        context = browser.new_context(**{"viewport": WIDE, **options})  # type: ignore[arg-type]
        secret = self.sign_in(member).partition("=")[2]
        host = urlsplit(self.url).hostname or ""
        context.add_cookies([{"name": "studio", "value": secret, "domain": host, "path": "/"}])
        try:
            yield context
        finally:
            context.close()


@contextlib.contextmanager
def serve_studio(
    workspace: Workspace, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app, *, clock: UtcClock = utc_now
) -> Iterator[Studio]:
    """Serve Studio for a workspace at http://localhost: passkeys take no address in numbers for a host.
    ``wrap`` may put something before it, such as a server that is slow."""
    port = free_port()
    url = f"http://localhost:{port}/studio"
    live = LiveWorkspace(workspace, say=lambda _: None)
    app = LiveApp(live, lambda current: create_local_studio(current, address=url, clock=clock, live=live))
    running = start_in_thread(wrap(app), port=port)
    try:
        with opened_engine(workspace) as engine:
            yield Studio(url=url, workspace=workspace, engine=engine, clock=clock)
    finally:
        running.stop()


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with serve_studio(workspace) as studio:
        yield studio

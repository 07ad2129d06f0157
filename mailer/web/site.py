"""The whole site: the readers' pages, and Studio where the settings say so."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from mailer.live_workspace import LiveWorkspace
from mailer.web.app import create_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.studio.app import create_studio_app
from mailer.web.studio.state import PATH
from mailer.workspace import Workspace


def create_site(workspace: Workspace, *, live: LiveWorkspace | None = None) -> Starlette:
    """Create the site that ``mailer serve`` answers: the readers' pages, and Studio if it is enabled.
    ``live`` is told when Studio has changed the settings."""
    readers = create_app(workspace)
    if not workspace.settings.studio.enabled:
        return readers
    address = f"{workspace.settings.web.base_url}{PATH}"
    return _mount(readers, create_studio_app(workspace, address=address, live=live))


def create_local_studio(
    workspace: Workspace, *, address: str, clock: UtcClock = utc_now, live: LiveWorkspace | None = None
) -> Starlette:
    """Create the site that ``mailer studio`` answers on this machine: Studio alone. ``address`` is that of
    Studio, as for :func:`~mailer.web.studio.app.create_studio_app`."""
    return _mount(None, create_studio_app(workspace, address=address, local=True, clock=clock, live=live))


def _mount(readers: FastAPI | None, studio: FastAPI) -> Starlette:
    apps = [studio] if readers is None else [readers, studio]

    @asynccontextmanager
    async def open_all(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    async def go_to_studio(request: Request) -> Response:
        return RedirectResponse(f"{request.scope['root_path']}{PATH}/", status_code=303)

    routes: list[Route | Mount] = [Route(PATH, go_to_studio), Mount(PATH, studio)]
    routes.append(Mount("", readers) if readers is not None else Route("/", go_to_studio))
    return Starlette(routes=routes, lifespan=open_all)

"""An app made anew when the settings change, without a request being lost."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from mailer.live_workspace import LiveWorkspace
from mailer.settings import Settings
from mailer.workspace import Workspace

_POLL_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass
class _OpenApp:
    """An app with what its lifespan has opened, and the number of requests it is answering."""

    app: Starlette
    settings: Settings
    lifespan: AbstractAsyncContextManager[object]
    requests: int = 0
    is_retired: bool = False


class LiveApp:
    """ASGI app that passes requests to an app for the current settings.

    After a change, new requests go to a new app. The old one is closed when its last request is answered.
    """

    def __init__(self, live: LiveWorkspace, make_app: Callable[[Workspace], Starlette]) -> None:
        self._live = live
        self._make_app = make_app
        self._open: _OpenApp | None = None
        self._changing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._unusable: Settings | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
            return
        # Whoever has just saved settings sees what they do, and not what they did a second ago.
        if self._open is not None and self._is_outdated(self._open):
            await self._try_to_open_newer()
        current = self._open
        assert current is not None  # noqa: S101 - the server starts with the lifespan
        current.requests += 1
        try:
            await current.app(scope, receive, send)
        finally:
            current.requests -= 1
            if current.is_retired and not current.requests:
                await self._close(current)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._open = await self._open_app(self._live.current)
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await asyncio.gather(self._retire(self._open), *self._closing)
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await asyncio.to_thread(self._live.refresh)
            await self._try_to_open_newer()

    async def take_changes(self) -> None:
        """Look whether the settings have changed, and make a new app for them."""
        await asyncio.to_thread(self._live.refresh)
        await self._open_newer()

    async def _open_newer(self) -> None:
        async with self._changing:
            former = self._open
            if former is None or not self._is_outdated(former):
                return
            workspace = self._live.current
            try:
                self._open = await self._open_app(workspace)
            except BaseException:
                self._unusable = workspace.settings
                raise
            # It may have a mail to finish, for which nobody who opens a page has to wait.
            closing = asyncio.create_task(self._retire(former))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _is_outdated(self, opened: _OpenApp) -> bool:
        settings = self._live.current.settings
        return settings is not opened.settings and settings is not self._unusable

    async def _try_to_open_newer(self) -> None:
        try:
            await self._open_newer()
        except Exception:
            _log.exception("The pages keep their settings: the new ones failed.")

    async def _open_app(self, workspace: Workspace) -> _OpenApp:
        app = self._make_app(workspace)
        lifespan = app.router.lifespan_context(app)
        await lifespan.__aenter__()
        return _OpenApp(app=app, settings=workspace.settings, lifespan=lifespan)

    async def _retire(self, opened: _OpenApp) -> None:
        opened.is_retired = True
        if not opened.requests:
            await self._close(opened)

    async def _close(self, opened: _OpenApp) -> None:
        # Each may wait for a thread of its own. Several at once would take all those that opening needs.
        async with self._one_at_a_time:
            await opened.lifespan.__aexit__(None, None, None)

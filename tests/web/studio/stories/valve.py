"""Stands before Studio and holds, refuses or counts the requests that save."""

import threading
import time
from dataclasses import dataclass, field

import anyio
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PATIENCE_SECONDS = 30
_NO_SAVES = ("/frame", "/presence")


@dataclass
class Valve:
    """ASGI middleware. While ``is_shut``, a request that saves waits; with ``status``, it gets that answer.
    ``saves`` counts those that came, ``most`` is how many were under way at once."""

    app: ASGIApp | None = None
    is_shut: bool = False
    status: int = 0
    saves: int = 0
    most: int = 0
    under_way: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        self.app = app
        return self

    def reset(self) -> None:
        self.is_shut, self.status, self.saves, self.most = False, 0, 0, 0

    def await_saves(self, number: int) -> None:
        """Wait until so many requests that save have come."""
        end = time.monotonic() + _PATIENCE_SECONDS
        with self._changed:
            while self.saves < number:
                assert self._changed.wait(end - time.monotonic()), f"{self.saves} saves came"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        is_save = scope["type"] == "http" and scope["method"] == "POST"
        if not is_save or scope["path"].endswith(_NO_SAVES):
            await self.app(scope, receive, send)
            return
        with self._changed:
            self.saves += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self._changed.notify_all()
        try:
            while self.is_shut:
                await anyio.sleep(0.01)
            answer = PlainTextResponse("", status_code=self.status) if self.status else self.app
            await answer(scope, receive, send)
        finally:
            self.under_way -= 1

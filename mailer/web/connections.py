"""How long a client may take, and how many connections may be open at the same time.

uvicorn waits for ever for the request of a new connection. Silent connections would then use up the process's
file descriptors, which the worker that sends campaigns beside the pages needs too.
"""

import asyncio
import resource
import time
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""How long a request may take to arrive, beside the time that its bytes need on a slow line."""

SLOW_LINE = 8 * 1024
"""The bytes a second of a slow line: on one that is slower, nobody could send a picture to Studio anyway."""

WRITE_SECONDS = 30.0
"""How long a client may take to read enough of a response that more can be written."""

KEEP_ALIVE_SECONDS = 5
"""How long a connection stays open without a new request. A proxy must give it up sooner: docs/serving.md."""

_MOST_CONNECTIONS = 1000
_MOST_DESCRIPTORS = 65_536
_LARGEST_BACKLOG = 512
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True)
class ConnectionLimits:
    """The most connections open at the same time, the most that wait for that, the times in seconds."""

    connections: int = _MOST_CONNECTIONS
    backlog: int = _LARGEST_BACKLOG
    request_seconds: float = REQUEST_SECONDS
    write_seconds: float = WRITE_SECONDS

    def __post_init__(self) -> None:
        if self.connections < 1 or self.backlog < 1:
            raise ValueError("at least one connection must be allowed")


def limit_by_descriptors(descriptors: int) -> ConnectionLimits:
    """Leave half of the process's file descriptors to sending and the database.

    An event loop may accept the whole backlog before it looks at the first connection, so both count.
    """
    return ConnectionLimits(
        connections=max(1, min(_MOST_CONNECTIONS, descriptors * 3 // 8)),
        backlog=max(1, min(_LARGEST_BACKLOG, descriptors // 8)),
    )


def count_descriptors() -> int:
    """Return how many file descriptors this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, _MOST_DESCRIPTORS)


def raise_descriptor_limit() -> None:
    """Raise the soft limit of file descriptors to the hard one, as far as that is of use.

    Shells and systemd start processes with 1,024 and allow far more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class TimedProtocol(H11Protocol):
    """A connection that is closed if its request, or the reading of the response, takes too long.

    At the limit of open connections, a new one takes the place of the one that has waited longest without
    a whole request; if all of them have one, the new connection gets a 503.
    """

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._waiting_since: float | None = None
        self._received = 0
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        if self._make_room():
            self._start_waiting()
        else:
            transport.write(_REFUSAL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.timeout_keep_alive_task is not None:
            # The first bytes after a pause between two requests.
            self._start_waiting()
        self._received += len(data)
        super().data_received(data)
        self._watch_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_seconds, self._abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def _watch_request(self) -> None:
        """Wait, unless there is a whole request that has no response yet."""
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._waiting_since is None and not self.transport.is_closing():
            self._start_waiting()

    def _start_waiting(self) -> None:
        self._stop_waiting()
        # Not the loop's time, which stands still while it accepts several connections.
        self._waiting_since, self._received = time.monotonic(), 0
        self._request_timer = self.loop.call_later(self._limits.request_seconds, self._look_at_request)

    def _look_at_request(self) -> None:
        """Give up a request that is late, considering how much of it has arrived."""
        since = time.monotonic() - (self._waiting_since or 0)
        left = self._limits.request_seconds + self._received / SLOW_LINE - since
        if left > 0:
            self._request_timer = self.loop.call_later(left, self._look_at_request)
        else:
            self._abort()

    def _stop_waiting(self) -> None:
        self._waiting_since = None
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _abort(self) -> None:
        # Not close(), which would first wait until the client has read what is left to write.
        if self.transport is not None:
            self.transport.abort()

    def _make_room(self) -> bool:
        if len(self.connections) <= self._limits.connections:
            return True
        # Those that are closing leave the set only when the loop comes round.
        others = [
            other
            for other in self.connections
            if isinstance(other, TimedProtocol) and other is not self and not other.transport.is_closing()
        ]
        if len(others) < self._limits.connections:
            return True
        waiting = [(other._waiting_since, other) for other in others if other._waiting_since is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        longest._abort()
        return True

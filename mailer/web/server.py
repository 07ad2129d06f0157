"""Running an app: in the foreground until a signal, or in a thread until told to stop."""

import asyncio
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Scope

from mailer.errors import MailerError
from mailer.network import ListenAddress
from mailer.web.connections import (
    KEEP_ALIVE_SECONDS,
    ConnectionLimits,
    TimedProtocol,
    count_descriptors,
    limit_by_descriptors,
)

_SHUTDOWN_SECONDS = 2
"""How long requests in progress may take when the server stops."""


_STOPPING = "stopping"
"""The name of the event in the state of a request's scope."""


class ServerStartError(MailerError):
    """The web server did not start. See the lines above, or run `mailer doctor`."""


def serve(app: ASGIApp, *, host: str, port: int, announce: Callable[[str], None] | None = None) -> None:
    """Serve ``app`` until Ctrl-C or SIGTERM. ``announce`` is called with the URL once the port is bound.
    Raise ServerStartError if the address is in use or not available here, or the app did not start.
    """
    with _listen(host, port) as listener:
        if announce is not None:
            announce(_listener_url(listener))
        server = _make_server(app)
        try:
            _run(server, listener)
        except KeyboardInterrupt:
            # uvicorn has shut down cleanly and raised the signal again; Ctrl-C is the normal way to stop it.
            return
    if not server.started:
        raise ServerStartError


class StoppableServer(uvicorn.Server):
    """A server that stops as soon as it is told to, and tells its requests. Answers that go on by themselves
    end then: the server would otherwise wait for them until its patience is over, and cut them off."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Tell it to stop, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            # Its loop may have ended just now.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        # uvicorn looks ten times a second whether it is to stop.
        self._loop = asyncio.get_running_loop()
        waiting = {asyncio.ensure_future(super().main_loop()), asyncio.ensure_future(self._told.wait())}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in pending:
            one.cancel()
        for one in done:
            one.result()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state[_STOPPING] = asyncio.Event()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.lifespan.state[_STOPPING].set()
        if await self._close_unused(sockets or []):
            await self.lifespan.shutdown()
        else:
            await super().shutdown(sockets)

    async def _close_unused(self, sockets: list[socket.socket]) -> bool:
        """Close the listening sockets if nobody is connected, for whom uvicorn would wait 0.1 s."""
        if self.force_exit or self.server_state.connections or self.server_state.tasks:
            return False
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        # Whoever was accepted before that is known by then.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return not (self.server_state.connections or self.server_state.tasks)


def find_stop_event(scope: Scope) -> asyncio.Event:
    """Return the event that is set when the server of a request is to stop; or one that never is."""
    found = scope.get("state", {}).get(_STOPPING)
    return found if isinstance(found, asyncio.Event) else asyncio.Event()


@dataclass(frozen=True, kw_only=True)
class RunningServer:
    url: str
    _server: StoppableServer = field(repr=False)
    _thread: threading.Thread = field(repr=False)

    def stop(self) -> None:
        """Finish requests in progress and release the port. Does nothing if called again."""
        self._server.stop()
        self._thread.join()


def start_in_thread(
    app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, limits: ConnectionLimits | None = None
) -> RunningServer:
    """Serve ``app`` in a thread; port 0 picks a free port. Returns once the server answers. Raise
    ServerStartError if the address is in use or not available here, or the app did not start.
    """
    return _start(app, _listen(host, port), limits)


def start_beside(app: ASGIApp, address: ListenAddress, *, limits: ConnectionLimits) -> RunningServer:
    """Serve a second ``app`` in a thread, at an address or on a Unix socket. Raise ServerStartError if the
    address is in use or not available here, or the app did not start.
    """
    listener = _listen(address.host, address.port) if address.path is None else _listen_unix(address.path)
    return _start(app, listener, limits)


def _start(app: ASGIApp, listener: socket.socket, limits: ConnectionLimits | None) -> RunningServer:
    server = _make_server(app, limits)
    thread = threading.Thread(target=_run_and_close, args=(server, listener), name="mailer-web", daemon=True)
    running = RunningServer(url=_listener_url(listener), _server=server, _thread=thread)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    if not server.started:
        raise ServerStartError
    return running


def _run_and_close(server: uvicorn.Server, listener: socket.socket) -> None:
    name = listener.getsockname()
    with listener:
        _run(server, listener)
    if isinstance(name, str):
        Path(name).unlink(missing_ok=True)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # uvicorn calls sys.exit if an app does not start; the caller checks `server.started`.
    with suppress(SystemExit):
        server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    # Bound here because uvicorn would end the whole process if the port is in use.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only if the protocol is named, which socket.create_server does not
    # do: every response then took 42 ms more, waiting for a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # So that the port can be bound again right after a server has stopped.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ServerStartError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another port with --port, or let --port 0 pick a free one."
        ) from error
    return listener


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned(path):
            path.unlink()
        listener.bind(str(path))
        # For the group too, so that the program that asks need not be the same user. Nobody can connect yet.
        path.chmod(0o660)
        listener.listen()
    except OSError as error:
        listener.close()
        raise ServerStartError(
            f"Cannot listen on the socket {path}: {error.strerror or error}. Choose another path, or stop "
            "the program that uses it."
        ) from error
    return listener


def _is_abandoned(path: Path) -> bool:
    """Return whether a socket is left from a server that has ended without removing it."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def _listener_url(listener: socket.socket) -> str:
    if listener.family is socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _make_server(app: ASGIApp, limits: ConnectionLimits | None = None) -> StoppableServer:
    limits = limits or limit_by_descriptors(count_descriptors())
    # No access log: the paths of readers' pages contain tokens. No Server header: nobody needs it.
    config = uvicorn.Config(
        cast("Any", app),
        # uvicorn only calls it, so it need not be a class.
        http=cast("Any", partial(TimedProtocol, limits=limits)),
        ws="none",
        backlog=limits.backlog,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        # The app reads X-Forwarded-For itself, by [web] trusted_proxies; uvicorn would also believe whom a
        # variable of the environment names, and X-Forwarded-Proto.
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return StoppableServer(config)

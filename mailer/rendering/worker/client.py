"""Rendering in a separate process with limits, so that no template can block, exhaust or crash the program.

Jinja's sandbox keeps a template from reaching what it must not reach. It does not stop a template from
looping, from building a string of a gigabyte, or from nesting so deep that MRML crashes the process. The
kernel does.
"""

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import mailer
from locales.phrase import AFTER_PLACE, SENTENCES, Phrase, gettext_noop
from mailer.errors import MailerError, MjmlError, TemplateError
from mailer.rendering.pipeline.rendered_page import RenderedPage
from mailer.rendering.worker.protocol import (
    ConnectionClosedError,
    ProtocolError,
    RenderLimits,
    RenderRequest,
    ReplyKind,
    ReplyReader,
    send_request,
)

if TYPE_CHECKING:
    from mailer.rendering.template_context.page import Page

# Our import path, not the one Python would compute: the process must run the same code as we do.
_WORKER_CODE = "import sys; sys.path[:] = sys.argv[1:]; from mailer.rendering.worker.main import main; main()"
# Nothing from the environment, the user's site-packages, or the current folder.
_PYTHON_OPTIONS = ("-I", "-X", "utf8", *(("-B",) if sys.dont_write_bytecode else ()))
# The only variables it is given: Python may not start without them if its libraries are elsewhere.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# Seconds to wait for a process to exit after it has closed its connection.
_EXIT_SECONDS = 5.0


class _NotStartedError(Exception):
    """The process was gone before it started on the page; holds the last line it wrote."""


@dataclass(frozen=True)
class _WorkerProcess:
    """A process that was started, and the socket connected to it."""

    process: subprocess.Popen[bytes]
    connection: socket.socket
    replies: ReplyReader

    def request(self, pickled: bytes, limits: RenderLimits) -> tuple[str, ReplyKind, list[str]]:
        """Send a pickled request; return the last template named in progress replies, and the final reply.

        Raises:
            TemplateError: rendering took too long or the process ended; the process must not be used again.
            _NotStartedError: the process ended for a reason unrelated to the request.
        """
        template = ""
        deadline = time.monotonic() + limits.wall_seconds
        try:
            self.connection.settimeout(limits.wall_seconds)
            send_request(self.connection, pickled)
            while True:
                kind, texts = self.replies.read_reply(max_bytes=limits.reply_bytes, deadline=deadline)
                if kind is not ReplyKind.progress:
                    return template, kind, texts
                template = texts[0]
        except TimeoutError:
            raise TemplateError(
                Phrase(
                    AFTER_PLACE,
                    place=template or _TEMPLATES,
                    words=Phrase(_STOPPED, seconds=f"{limits.wall_seconds:g}"),
                )
            ) from None
        except ProtocolError as error:
            raise TemplateError(
                Phrase(AFTER_PLACE, place=template or _TEMPLATES, words=Phrase(_INVALID_REPLY, error=error))
            ) from None
        except (ConnectionClosedError, OSError) as error:
            code = self._wait_for_exit()
            if not template:
                raise _NotStartedError(self._read_startup_error() or f"exit code {code}") from error
            raise TemplateError(f"{template}: {explain_exit(code, limits)}") from None

    def _wait_for_exit(self) -> int | None:
        """The exit code of a process that closed its connection, negative for a signal; None if it is still
        running."""
        try:
            return self.process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _read_startup_error(self) -> str:
        """The last line written to standard error by a process that could not start."""
        if self.process.stderr is None or self.process.poll() is None:
            return ""
        lines = self.process.stderr.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def kill(self) -> None:
        """Kill the process; it has nothing to clean up."""
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Close our end of the connection. The process then exits by itself, unless another program holds the
        connection too."""
        self.connection.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


class _ReadableFolder:
    """The one folder that a process can read: the kernel confines it to this one, whatever its name becomes.

    It is held open, so that no folder made later gets its inode.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._descriptor: int | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                weakref.finalize(self, os.close, self._descriptor)

    def is_still(self, path: Path) -> bool:
        """Whether ``path`` leads to this folder, or still to none."""
        if path != self.path:
            return False
        try:
            found = path.stat()
        except OSError:
            return self._descriptor is None
        return self._descriptor is not None and os.path.samestat(found, os.fstat(self._descriptor))


class RenderWorker:
    """One render process, started when first needed and again whenever it had to be killed.

    Threads can share it and take turns. A forked program does not share it and starts its own.

    It can read templates in one folder only: in ``readable``, or in that of the first page rendered. For
    templates elsewhere, and once that folder is another one of the same name, it is replaced.
    """

    def __init__(self, limits: RenderLimits | None = None, *, readable: Path | None = None) -> None:
        self._limits = limits or RenderLimits()
        self._readable = readable
        self._confined_to: _ReadableFolder | None = None
        self._lock = threading.Lock()
        self._process: _WorkerProcess | None = None
        # Kills the process when this object is garbage-collected, at the latest when the program exits.
        self._finalizer: weakref.finalize[[], RenderWorker] | None = None
        _all_workers.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process id; None if no process is running."""
        return self._process.process.pid if self._process else None

    def start(self) -> None:
        """Start the process unless it is running, without waiting until it is ready."""
        # The thread that holds the lock has started it.
        if self._lock.acquire(blocking=False):
            try:
                self._ensure_process()
            finally:
                self._lock.release()

    def close(self) -> None:
        """Kill the process if it is running; the next call to :meth:`render` starts another."""
        with self._lock:
            self._kill()

    def render(
        self, page: "Page", *, template: str, overrides: Path | None, inline_css: str | None = None
    ) -> RenderedPage:
        """Like :func:`mailer.rendering.pipeline.renderer.render_page`, within the limits.

        Raises:
            TemplateError: as there; or rendering took too much time or memory, or ended the process.
            MailerError: the process cannot be started.
        """
        # The process has a different working directory.
        folder = overrides.absolute() if overrides else None
        readable = self._readable or folder
        pickled = pickle.dumps(
            RenderRequest(
                page=page,
                template=template,
                overrides=folder,
                inline_css=inline_css,
                readable=readable,
                limits=self._limits,
            )
        )
        with self._lock:
            if readable and self._confined_to and not self._confined_to.is_still(readable):
                self._kill()
            try:
                return self._request(pickled, readable)
            except _NotStartedError:
                # It ended while idle, perhaps because the machine ran out of memory: try once with a new one.
                pass
            try:
                return self._request(pickled, readable)
            except _NotStartedError as error:
                raise MailerError(
                    Phrase(
                        gettext_noop(
                            "%(program)s: the render process cannot be started: %(error)s. Check that the "
                            "machine has free memory; if it has, parts of the program are missing: install "
                            "it again."
                        ),
                        program=find_python(),
                        error=error,
                    )
                ) from error

    def _request(self, pickled: bytes, readable: Path | None) -> RenderedPage:
        try:
            process = self._ensure_process()
            if self._confined_to is None:
                self._confined_to = _ReadableFolder(readable)
            template, kind, texts = process.request(pickled, self._limits)
        except BaseException:
            # Also after Ctrl-C: the rest of a reply must not be mistaken for the next one.
            self._kill()
            raise
        if kind in {ReplyKind.rendered, ReplyKind.rendered_mixed}:
            mjml, html, text, beginning, inline_css = texts
            return RenderedPage(
                mjml=mjml,
                html=html,
                text=text,
                beginning=beginning,
                inline_css=inline_css,
                stories_isolated=kind is ReplyKind.rendered,
            )
        if kind is ReplyKind.template_error:
            raise TemplateError(texts[0])
        if kind is ReplyKind.mjml_error:
            raise MjmlError(texts[0])
        self._kill()
        if kind is ReplyKind.out_of_memory:
            raise TemplateError(f"{template}: {_explain_memory(self._limits)}")
        raise RuntimeError(f"{template}: rendering failed in the render process:\n{texts[0]}")

    def _ensure_process(self) -> _WorkerProcess:
        if self._process is None:
            self._process = _start_process()
            self._finalizer = weakref.finalize(self, self._process.kill)
        return self._process

    def _kill(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None
        self._confined_to = None

    def _forget_after_fork(self) -> None:
        """Run in a forked child: the process that was started belongs to the parent."""
        self._lock = threading.Lock()
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._process is not None:
            self._process.close()
            # It is not a child of this process; poll() lets Popen find that out.
            self._process.process.poll()
        self._process = self._finalizer = None
        self._confined_to = None


def _start_process() -> _WorkerProcess:
    ours, theirs = socket.socketpair()
    # No prctl(PR_SET_PDEATHSIG): it depends on the thread that started the process, and a server's threads
    # come and go. An idle process ends when the connection closes, a busy one at its CPU limit.
    with theirs, contextlib.ExitStack() as cleanup:
        cleanup.enter_context(ours)
        process = subprocess.Popen(  # noqa: S603 - our own program, our own path
            [find_python(), *_PYTHON_OPTIONS, "-c", _WORKER_CODE, *_list_import_path()],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            # Ctrl-C must only reach us; the process ends with us.
            start_new_session=True,
        )
        cleanup.pop_all()
    return _WorkerProcess(process, ours, ReplyReader(ours))


def find_python() -> str:
    """The Python executable to start: the one running this program, also when it is embedded and
    ``sys.executable`` is empty.

    Raises:
        MailerError: no Python executable was found.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (Path(prefix, "bin", name) for prefix in (sys.prefix, sys.base_prefix))
    found = sys.executable or next((str(path) for path in candidates if path.is_file()), None)
    if found is None:
        raise MailerError(
            Phrase(
                gettext_noop(
                    "There is no %(name)s in %(folder)s, and email is rendered in a separate Python process. "
                    "Install Python there."
                ),
                name=name,
                folder=sys.prefix,
            )
        )
    return found


def _list_import_path() -> list[str]:
    """Our import path as absolute paths, because the process runs in another folder."""
    own = str(Path(mailer.__file__).resolve().parents[1])
    return list(dict.fromkeys([*(str(Path(entry).absolute()) for entry in sys.path), own]))


_TEMPLATES = "templates/email"
"""The place of a fault when no template had begun."""
_STOPPED = gettext_noop(
    "stopped after %(seconds)s seconds without finishing. If the machine is very busy, try again; otherwise "
    "look for a loop over too many items."
)
_INVALID_REPLY = gettext_noop("the render process sent an invalid reply (%(error)s).")


def explain_exit(code: int | None, limits: RenderLimits) -> str:
    """Why a process ended while rendering, and what to do; ``code`` is as in :class:`subprocess.Popen`."""
    if code == -signal.SIGXCPU:
        number = limits.cpu_seconds
        seconds = gettext_noop("1 second") if number == 1 else Phrase(_SECONDS, number=number)
        return Phrase(
            gettext_noop(
                "rendering was stopped after %(seconds)s of processor time. A whole edition takes less than "
                "one second: look for a loop over too many items, or one loop inside another."
            ),
            seconds=seconds,
        )
    if code == -signal.SIGKILL:
        ended = gettext_noop(
            "the operating system ended the render process, as it does when memory runs out."
        )
        return Phrase(SENTENCES, first=Phrase(ended), next=Phrase(_MEMORY_ADVICE))
    if code is not None and code < 0:
        return Phrase(
            gettext_noop(
                "the renderer crashed (%(name)s), as it does on components or tags nested a thousand deep. "
                "Look for a template that includes itself."
            ),
            name=_name_signal(-code),
        )
    return Phrase(
        gettext_noop(
            "the render process ended unexpectedly (exit code %(code)s). Look for the fault in the "
            "workspace’s own templates."
        ),
        code=code,
    )


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_SECONDS = gettext_noop("%(number)s seconds")
_MEMORY_ADVICE = gettext_noop("Look for text that is repeated many times, or a loop over too many items.")


def _explain_memory(limits: RenderLimits) -> str:
    stopped = Phrase(
        gettext_noop("rendering needed more than %(size)s MiB of memory, and was stopped."),
        size=f"{limits.memory_bytes // 2**20:,}",
    )
    return Phrase(SENTENCES, first=stopped, next=Phrase(_MEMORY_ADVICE))


# Processes started before a fork belong to the parent.
_all_workers: "weakref.WeakSet[RenderWorker]" = weakref.WeakSet()


def _forget_all_after_fork() -> None:
    for process in list(_all_workers):
        process._forget_after_fork()


os.register_at_fork(after_in_child=_forget_all_after_fork)

# One for the whole program, like a cache: its state is loaded libraries and compiled templates, which depend
# only on their files, and its output depends only on the request. Started by the first page.
_shared_worker = RenderWorker()


def render_in_worker(
    page: "Page", *, template: str, overrides: Path | None, inline_css: str | None = None
) -> RenderedPage:
    """Like :meth:`RenderWorker.render`, in the worker shared by the whole program."""
    return _shared_worker.render(page, template=template, overrides=overrides, inline_css=inline_css)


def start_worker() -> None:
    """Start the shared worker, so that it loads its libraries while the program loads its own."""
    _shared_worker.start()

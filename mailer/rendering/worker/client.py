"""Drawing in a process apart, with limits, so that no template can stop, fill or end the program.

Jinja's sandbox keeps a template from reaching what is not its own; it does not keep it from looping, from
making a text of a gigabyte, or from nesting so deep that MRML takes the process with it. The kernel does.
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
from mailer.errors import MailerError, MjmlError, TemplateError
from mailer.rendering.pipeline.rendered_page import RenderedPage
from mailer.rendering.worker.protocol import (
    ConnectionClosedError,
    ProtocolError,
    RenderLimits,
    RenderRequest,
    ReplyKind,
    receive_reply,
    send_request,
)

if TYPE_CHECKING:
    from mailer.rendering.template_context.page import Page

# Our own path, not the one Python would work out: the process must run the code that we run.
_WORKER_CODE = "import sys; sys.path[:] = sys.argv[1:]; from mailer.rendering.worker.main import main; main()"
# Nothing from the environment, the user's own folder, or the folder it is started in.
_PYTHON_OPTIONS = ("-I", "-X", "utf8", *(("-B",) if sys.dont_write_bytecode else ()))
# The only variables it is given: without them Python itself may not start where libraries lie elsewhere.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# How many seconds a process that hung up may take to be gone.
_EXIT_SECONDS = 5.0


class _NotStartedError(Exception):
    """The process was gone before it began with the page; what it said last."""


@dataclass(frozen=True)
class _WorkerProcess:
    """A process that was started, and the line to it."""

    process: subprocess.Popen[bytes]
    connection: socket.socket

    def request(self, pickled: bytes, limits: RenderLimits) -> tuple[str, ReplyKind, list[str]]:
        """Its last answer to ``question``, after the template it was at.

        Raises:
            TemplateError: it took too long, or ended; it is of no use after that.
            _NotBegunError: it ended too, and the question had nothing to do with it.
        """
        at = ""
        deadline = time.monotonic() + limits.wall_seconds
        try:
            self.connection.settimeout(limits.wall_seconds)
            send_request(self.connection, pickled)
            while True:
                word, texts = receive_reply(self.connection, max_bytes=limits.reply_bytes, deadline=deadline)
                if word is not ReplyKind.progress:
                    return at, word, texts
                at = texts[0]
        except TimeoutError:
            raise TemplateError(
                f"{at or 'A template'}: not drawn within {limits.wall_seconds:g} seconds, and stopped. If the "
                "machine is very busy, try again; else look for a loop over too many items."
            ) from None
        except ProtocolError as error:
            raise TemplateError(
                f"{at or 'A template'}: what the process that draws it says is no drawing ({error})."
            ) from None
        except (ConnectionClosedError, OSError) as error:
            code = self._wait_for_exit()
            if not at:
                raise _NotStartedError(self._read_startup_error() or f"exit code {code}") from error
            raise TemplateError(f"{at}: {explain_exit(code, limits)}") from None

    def _wait_for_exit(self) -> int | None:
        """The exit code of a process that hung up, negative for a signal; None while it is still there."""
        try:
            return self.process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _read_startup_error(self) -> str:
        """The last line of a process that could not start."""
        if self.process.stderr is None or self.process.poll() is None:
            return ""
        lines = self.process.stderr.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def kill(self) -> None:
        """End it; it has nothing to tidy up."""
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Close our side of it; it ends by itself, unless another program holds the line too."""
        self.connection.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


class RenderWorker:
    """One process that draws, started when first needed and again whenever it had to be ended.

    Threads may share it and take turns. A fork of this program does not share it and starts its own.
    """

    def __init__(self, limits: RenderLimits | None = None) -> None:
        self._limits = limits or RenderLimits()
        self._lock = threading.Lock()
        self._process: _WorkerProcess | None = None
        # Ends what is running when this object goes, at the latest when the program ends.
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
        """The number of the process; None where there is none."""
        return self._process.process.pid if self._process else None

    def start(self) -> None:
        """Start the process if there is none, without waiting until it is ready."""
        # Whoever holds the lock has started it.
        if self._lock.acquire(blocking=False):
            try:
                self._ensure_process()
            finally:
                self._lock.release()

    def close(self) -> None:
        """End the process if there is one; the next drawing starts another."""
        with self._lock:
            self._kill()

    def render(self, page: "Page", *, template: str, overrides: Path | None) -> RenderedPage:
        """As :func:`mailer.rendering.pipeline.renderer.render_page`, within the limits.

        Raises:
            TemplateError: as there; or drawing took too much time or memory, or ended the process.
            MailerError: the process cannot be started.
        """
        # The process works in another folder.
        folder = overrides.absolute() if overrides else None
        question = pickle.dumps(
            RenderRequest(page=page, template=template, overrides=folder, limits=self._limits)
        )
        with self._lock:
            try:
                return self._request(question)
            except _NotStartedError:
                # Ended while it waited, perhaps when the machine was short of memory: a new one will do.
                pass
            try:
                return self._request(question)
            except _NotStartedError as error:
                raise MailerError(
                    f"{find_python()}: the process that draws mail does not start: {error}. "
                    "Install the program again; parts of it are missing, or the machine is short of memory."
                ) from error

    def _request(self, pickled: bytes) -> RenderedPage:
        try:
            at, word, texts = self._ensure_process().request(pickled, self._limits)
        except BaseException:
            # Also after Ctrl-C: what is left of an answer must not be taken for the next one.
            self._kill()
            raise
        if word in {ReplyKind.rendered, ReplyKind.rendered_mixed}:
            mjml, html, text = texts
            return RenderedPage(mjml=mjml, html=html, text=text, stories_isolated=word is ReplyKind.rendered)
        if word is ReplyKind.template_error:
            raise TemplateError(texts[0])
        if word is ReplyKind.mjml_error:
            raise MjmlError(texts[0])
        self._kill()
        if word is ReplyKind.out_of_memory:
            raise TemplateError(f"{at}: {_explain_memory(self._limits)}")
        raise RuntimeError(f"{at}: drawing it failed in the process apart:\n{texts[0]}")

    def _ensure_process(self) -> _WorkerProcess:
        if self._process is None:
            self._process = _start_process()
            self._finalizer = weakref.finalize(self, self._process.kill)
        return self._process

    def _kill(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._process = self._finalizer = None

    def _forget_after_fork(self) -> None:
        """After a fork, in the new program: what was started belongs to the old one."""
        self._lock = threading.Lock()
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._process is not None:
            self._process.close()
            # It is nobody's child here, which Popen finds out by asking.
            self._process.process.poll()
        self._process = self._finalizer = None


def _start_process() -> _WorkerProcess:
    ours, theirs = socket.socketpair()
    # No prctl(PR_SET_PDEATHSIG): it is the end of the starting thread that it watches, and a server's threads
    # come and go. The closed line ends an idle process, its limit of processor time a busy one.
    with theirs, contextlib.ExitStack() as undo:
        undo.enter_context(ours)
        process = subprocess.Popen(  # noqa: S603 - our own program, our own path
            [find_python(), *_PYTHON_OPTIONS, "-c", _WORKER_CODE, *_list_import_path()],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            # Ctrl-C is for us; the process ends with us.
            start_new_session=True,
        )
        undo.pop_all()
    return _WorkerProcess(process, ours)


def find_python() -> str:
    """The Python to start: our own, also where we are embedded and not told which that is.

    Raises:
        MailerError: there is none.
    """
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (Path(prefix, "bin", name) for prefix in (sys.prefix, sys.base_prefix))
    found = sys.executable or next((str(path) for path in candidates if path.is_file()), None)
    if found is None:
        raise MailerError(f"There is no {name} in {sys.prefix}, and mail is drawn by a process of its own.")
    return found


def _list_import_path() -> list[str]:
    """Where we import from, in absolute paths: the process works in another folder."""
    own = str(Path(mailer.__file__).resolve().parents[1])
    return list(dict.fromkeys([*(str(Path(entry).absolute()) for entry in sys.path), own]))


def explain_exit(code: int | None, limits: RenderLimits) -> str:
    """Why a process ended while it drew, and what to do; ``code`` as :class:`subprocess.Popen` gives it."""
    if code == -signal.SIGXCPU:
        seconds = "1 second" if limits.cpu_seconds == 1 else f"{limits.cpu_seconds} seconds"
        return (
            f"drawing took more than {seconds} of processor time, and was stopped. A whole "
            "edition takes a part of one: look for a loop over too many items, or one inside another."
        )
    if code == -signal.SIGKILL:
        return f"the system ended the process that drew it, as it does when memory is short. {_MEMORY_ADVICE}"
    if code is not None and code < 0:
        return (
            f"the renderer crashed ({_name_signal(-code)}), as it does on components or tags nested a "
            "thousand deep. Look for a template that goes round in a circle."
        )
    return f"the process that drew it ended by itself (exit code {code}), which no template of ours does."


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_MEMORY_ADVICE = "Look for a text that is multiplied or doubled, or a loop over too many items."


def _explain_memory(limits: RenderLimits) -> str:
    return f"drawing took more than {limits.memory_bytes // 2**20:,} MiB of memory, and was stopped. {_MEMORY_ADVICE}"


# What was started before a fork belongs to the program that started it.
_all_workers: "weakref.WeakSet[RenderWorker]" = weakref.WeakSet()


def _forget_all_after_fork() -> None:
    for process in list(_all_workers):
        process._forget_after_fork()


os.register_at_fork(after_in_child=_forget_all_after_fork)

# One for the whole program, like a cache: it holds loaded libraries and compiled templates, which depend on
# nothing but their files, and what it draws depends on the question alone. Started by the first page.
_shared_worker = RenderWorker()


def render_in_worker(page: "Page", *, template: str, overrides: Path | None) -> RenderedPage:
    """As :meth:`RenderWorker.draw`, by the program's own process."""
    return _shared_worker.render(page, template=template, overrides=overrides)


def start_worker() -> None:
    """Start the program's own process, which loads its libraries while we load ours."""
    _shared_worker.start()

"""The render process: how it is started, asked and ended, and why it ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import mailer
from locales.phrase import AFTER_PLACE, SENTENCES, Phrase, gettext_noop
from mailer.errors import MailerError, TemplateError
from mailer.rendering.worker.protocol import (
    ConnectionClosedError,
    ProtocolError,
    RenderLimits,
    ReplyKind,
    ReplyReader,
    send_request,
)

_SECONDS = gettext_noop("%(number)s seconds")
_MEMORY_ADVICE = gettext_noop("Look for text that is repeated many times, or a loop over too many items.")
# Our import path, not the one Python would compute: the process must run the same code as we do.
_WORKER_CODE = "import sys; sys.path[:] = sys.argv[1:]; from mailer.rendering.worker.main import main; main()"
# Nothing from the environment, the user's site-packages, or the current folder.
_PYTHON_OPTIONS = ("-I", "-X", "utf8", *(("-B",) if sys.dont_write_bytecode else ()))
# The only variables it is given: Python may not start without them if its libraries are elsewhere.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# Seconds to wait for a process to exit after it has closed its connection.
_EXIT_SECONDS = 5.0
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
            "rendering was stopped after %(seconds)s of processor time. A whole edition takes less than "
            "one second: look for a loop over too many items, or one loop inside another.",
            seconds=seconds,
        )
    if code == -signal.SIGKILL:
        ended = gettext_noop(
            "the operating system ended the render process, as it does when memory runs out."
        )
        return Phrase(SENTENCES, first=Phrase(ended), next=Phrase(_MEMORY_ADVICE))
    if code is not None and code < 0:
        return Phrase(
            "the renderer crashed (%(name)s), as it does on components or tags nested a thousand deep. "
            "Look for a template that includes itself.",
            name=_name_signal(-code),
        )
    return Phrase(
        "the render process ended unexpectedly (exit code %(code)s). Look for the fault in the "
        "workspace’s own templates.",
        code=code,
    )


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def explain_memory(limits: RenderLimits) -> str:
    """Why a process was stopped that needed too much memory, and what to do."""
    stopped = Phrase(
        "rendering needed more than %(size)s MiB of memory, and was stopped.",
        size=f"{limits.memory_bytes // 2**20:,}",
    )
    return Phrase(SENTENCES, first=stopped, next=Phrase(_MEMORY_ADVICE))


class NotStartedError(Exception):
    """The process was gone before it started on the page; holds the last line it wrote."""


@dataclass(frozen=True)
class RenderProcess:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    replies: ReplyReader

    def request(self, pickled: bytes, limits: RenderLimits) -> tuple[str, ReplyKind, list[str]]:
        """Send a pickled request; return the last template named in progress replies, and the final reply.
        Raise TemplateError if rendering took too long or the process ended, which must not be used again, and
        NotStartedError if it ended for a reason unrelated to the request."""
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
                AFTER_PLACE,
                place=template or _TEMPLATES,
                words=Phrase(_STOPPED, seconds=f"{limits.wall_seconds:g}"),
            ) from None
        except ProtocolError as error:
            raise TemplateError(
                AFTER_PLACE, place=template or _TEMPLATES, words=Phrase(_INVALID_REPLY, error=error)
            ) from None
        except (ConnectionClosedError, OSError) as error:
            code = self._wait_for_exit()
            if not template:
                raise NotStartedError(self._read_startup_error() or f"exit code {code}") from error
            raise TemplateError(f"{template}: {explain_exit(code, limits)}") from None

    def _wait_for_exit(self) -> int | None:
        """Return the exit code of a process that closed its connection (a signal is negative); None if it
        runs."""
        try:
            return self.process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _read_startup_error(self) -> str:
        """Return the last line written to standard error by a process that could not start."""
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
        """Close our end of the connection, at which the process exits unless another program holds it too."""
        self.connection.close()
        if self.process.stderr is not None:
            self.process.stderr.close()


def start_process() -> RenderProcess:
    """Start a process, without waiting until it is ready. Raise MailerError if no Python executable was
    found."""
    ours, theirs = socket.socketpair()
    # No prctl(PR_SET_PDEATHSIG): it depends on the thread that started the process, and a server's threads
    # come and go. An idle process ends when the connection closes, a busy one at its CPU limit.
    with theirs, ExitStack() as cleanup:
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
    return RenderProcess(process, ours, ReplyReader(ours))


def find_python() -> str:
    """Return the Python executable to start: the one running this program, also when it is embedded and
    ``sys.executable`` is empty. Raise MailerError if no Python executable was found."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (Path(prefix, "bin", name) for prefix in (sys.prefix, sys.base_prefix))
    found = sys.executable or next((str(path) for path in candidates if path.is_file()), None)
    if found is None:
        raise MailerError(
            gettext_noop(
                "There is no %(name)s in %(folder)s, and email is rendered in a separate Python process. "
                "Install Python there."
            ),
            name=name,
            folder=sys.prefix,
        )
    return found


def _list_import_path() -> list[str]:
    """Our import path as absolute paths, because the process runs in another folder."""
    own = str(Path(mailer.__file__).resolve().parents[1])
    return list(dict.fromkeys([*(str(Path(entry).absolute()) for entry in sys.path), own]))

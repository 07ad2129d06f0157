"""The drawing process from the inside: load the libraries, give up what is not needed, draw what is asked.

:class:`mailer.rendering.worker.client.DrawingProcess` starts it. It has no environment, no files of ours open and a
socket as its standard input, and it ends when that is closed. Should a template find a way out of Jinja's
sandbox, it is still in here.
"""

import gc
import os
import pickle
import resource
import socket
import traceback
from pathlib import Path

from mailer.errors import MjmlError, TemplateError
from mailer.rendering.pipeline.renderer import draw, warm_up
from mailer.rendering.worker.protocol import Limits, Request, Word, receive_question, send_answer

_FILES = 32
_STATM = Path("/proc/self/statm")


def main() -> None:
    """Draw until the program that started us hangs up."""
    line = socket.socket(fileno=0)
    warm_up()
    # What the libraries have made so far stays: no collection needs to look at it again.
    gc.freeze()
    # Until here standard error is a pipe, for the words of a start that failed. Nobody reads it from now on.
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    renounce()
    loaded = measure_memory()
    while (question := receive_question(line)) is not None:
        serve(line, question, loaded=loaded)
    # Nothing here has anything to tidy up.
    os._exit(0)


def renounce() -> None:
    """Give up for good what drawing never needs: writing files, starting programs, leaving a core."""
    for limit, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        _set_limit(limit, most, most)


def serve(line: socket.socket, question: bytes, *, loaded: int | None) -> None:
    """Answer one question. ``loaded`` is the memory in use before the first, None where it cannot be told."""
    try:
        request: Request = pickle.loads(question)  # noqa: S301 - from the program that started us
        confine(request.limits, loaded=loaded)
        drawn = draw(
            request.page,
            template=request.template,
            overrides=request.overrides,
            announce=lambda name: send_answer(line, Word.at, name),
        )
    except MjmlError as error:
        send_answer(line, Word.mjml, str(error))
    except TemplateError as error:
        send_answer(line, Word.refused, str(error))
    except MemoryError:
        send_answer(line, Word.memory)
    except BaseException:  # a panic of Rust is no Exception
        send_answer(line, Word.failed, traceback.format_exc())
    else:
        word = Word.drawn if drawn.apart else Word.mixed
        send_answer(line, word, drawn.mjml, drawn.html, drawn.text)


def confine(limits: Limits, *, loaded: int | None) -> None:
    """Put the limits of one drawing on top of what has been used so far; the kernel keeps them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + limits.cpu)
    if loaded is not None:
        _set_limit(resource.RLIMIT_AS, loaded + limits.memory)


def measure_memory() -> int | None:
    """Bytes of address space in use; None where the kernel does not tell (it is Linux that does)."""
    try:
        return int(_STATM.read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _set_limit(limit: int, most: int, for_good: int | None = None) -> None:
    """``for_good`` cannot be raised again; without it, the limit set from outside stays the upper one."""
    ceiling = resource.getrlimit(limit)[1] if for_good is None else for_good
    try:
        resource.setrlimit(limit, (most, ceiling))
    except (OSError, ValueError):
        # macOS knows some of these by name only, and a limit from outside may be lower already. The wall
        # clock, which the other process holds, is a limit everywhere.
        return

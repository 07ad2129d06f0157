"""The drawing process from the inside: load the libraries, give up what is not needed, draw what is asked.

:class:`mailer.rendering.worker.client.RenderWorker` starts it. It has no environment, no files of ours open and a
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
from mailer.rendering.pipeline.renderer import render_page, warm_up
from mailer.rendering.worker.protocol import (
    RenderLimits,
    RenderRequest,
    ReplyKind,
    receive_request,
    send_reply,
)

_MAX_OPEN_FILES = 32
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
    drop_privileges()
    loaded = measure_address_space()
    while (question := receive_request(line)) is not None:
        handle_request(line, question, baseline=loaded)
    # Nothing here has anything to tidy up.
    os._exit(0)


def drop_privileges() -> None:
    """Give up for good what drawing never needs: writing files, starting programs, leaving a core."""
    for limit, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
    ):
        _set_limit(limit, most, most)


def handle_request(connection: socket.socket, pickled: bytes, *, baseline: int | None) -> None:
    """Answer one question. ``loaded`` is the memory in use before the first, None where it cannot be told."""
    try:
        request: RenderRequest = pickle.loads(pickled)  # noqa: S301 - from the program that started us
        apply_limits(request.limits, baseline=baseline)
        drawn = render_page(
            request.page,
            template=request.template,
            overrides=request.overrides,
            on_template=lambda name: send_reply(connection, ReplyKind.progress, name),
        )
    except MjmlError as error:
        send_reply(connection, ReplyKind.mjml_error, str(error))
    except TemplateError as error:
        send_reply(connection, ReplyKind.template_error, str(error))
    except MemoryError:
        send_reply(connection, ReplyKind.out_of_memory)
    except BaseException:  # a panic of Rust is no Exception
        send_reply(connection, ReplyKind.failed, traceback.format_exc())
    else:
        word = ReplyKind.rendered if drawn.stories_isolated else ReplyKind.rendered_mixed
        send_reply(connection, word, drawn.mjml, drawn.html, drawn.text)


def apply_limits(limits: RenderLimits, *, baseline: int | None) -> None:
    """Put the limits of one drawing on top of what has been used so far; the kernel keeps them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds)
    if baseline is not None:
        _set_limit(resource.RLIMIT_AS, baseline + limits.memory_bytes)


def measure_address_space() -> int | None:
    """Bytes of address space in use; None where the kernel does not tell (it is Linux that does)."""
    try:
        return int(_STATM.read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _set_limit(limit: int, soft: int, hard: int | None = None) -> None:
    """``for_good`` cannot be raised again; without it, the limit set from outside stays the upper one."""
    ceiling = resource.getrlimit(limit)[1] if hard is None else hard
    try:
        resource.setrlimit(limit, (soft, ceiling))
    except (OSError, ValueError):
        # macOS knows some of these by name only, and a limit from outside may be lower already. The wall
        # clock, which the other process holds, is a limit everywhere.
        return

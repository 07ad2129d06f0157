"""The render process itself: load the libraries, drop privileges, render pages on request.

:class:`mailer.rendering.worker.client.RenderWorker` starts it. It has no environment, none of our open files
and a socket as its standard input, and it exits when that is closed. A template that escapes from Jinja's
sandbox is still confined to this process, and where the kernel can hold it, to reading templates.
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
from mailer.rendering.worker.confinement import confine_to, forbid_system_calls
from mailer.rendering.worker.protocol import (
    RenderLimits,
    RenderRequest,
    ReplyKind,
    receive_request,
    send_reply,
)

_MAX_OPEN_FILES = 32
# New objects before Python looks for cycles among them; its own number is 700, and an email makes thousands.
_GARBAGE_THRESHOLD = 20_000
_STATM = Path("/proc/self/statm")


def main() -> None:
    """Render pages until the program that started us closes the connection."""
    connection = socket.socket(fileno=0)
    warm_up()
    # Objects made by the libraries so far stay alive: garbage collection need not scan them again.
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    # So far standard error is a pipe, for the message of a failed start. From now on it is not read.
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    drop_privileges()
    baseline = measure_address_space()
    is_confined = False
    while (pickled := receive_request(connection)) is not None:
        is_confined = handle_request(connection, pickled, baseline=baseline, is_confined=is_confined)
    # There is nothing to clean up.
    os._exit(0)


def drop_privileges() -> None:
    """Give up for good what rendering never needs: writing files, starting programs, using the network."""
    for limit, value in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
    ):
        _set_limit(limit, value, value)
    forbid_system_calls()


def handle_request(
    connection: socket.socket, pickled: bytes, *, baseline: int | None, is_confined: bool
) -> bool:
    """Reply to one request; return whether the process is confined to the templates from now on.

    The first request says where they are, and no template has run before it. ``baseline`` is the address
    space used before it, None if unknown.
    """
    try:
        request: RenderRequest = pickle.loads(pickled)  # noqa: S301 - from the program that started us
        if not is_confined:
            confine_to(request.readable)
            is_confined = True
        apply_limits(request.limits, baseline=baseline)
        rendered = render_page(
            request.page,
            template=request.template,
            overrides=request.overrides,
            inline_css=request.inline_css,
            on_template=lambda name: send_reply(connection, ReplyKind.progress, name),
        )
    except MjmlError as error:
        send_reply(connection, ReplyKind.mjml_error, str(error))
    except TemplateError as error:
        send_reply(connection, ReplyKind.template_error, str(error))
    except MemoryError:
        send_reply(connection, ReplyKind.out_of_memory)
    except BaseException:  # a Rust panic is not an Exception
        send_reply(connection, ReplyKind.failed, traceback.format_exc())
    else:
        kind = ReplyKind.rendered if rendered.stories_isolated else ReplyKind.rendered_mixed
        texts = rendered.mjml, rendered.html, rendered.text, rendered.beginning, rendered.inline_css
        send_reply(connection, kind, *texts)
    return is_confined


def apply_limits(limits: RenderLimits, *, baseline: int | None) -> None:
    """Set the limits for one page on top of what has been used so far; the kernel enforces them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds)
    if baseline is not None:
        _set_limit(resource.RLIMIT_AS, baseline + limits.memory_bytes)


def measure_address_space() -> int | None:
    """Return bytes of address space in use; None where the kernel does not report it (only Linux does)."""
    try:
        return int(_STATM.read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def _set_limit(limit: int, soft: int, hard: int | None = None) -> None:
    """Set a soft limit, and with ``hard`` a ceiling that cannot be raised again. Without it, the existing
    ceiling stays."""
    ceiling = resource.getrlimit(limit)[1] if hard is None else hard
    try:
        resource.setrlimit(limit, (soft, ceiling))
    except (OSError, ValueError):
        # macOS does not enforce some of these, and an existing limit may be lower already. The program's own
        # wall clock limit works everywhere.
        return

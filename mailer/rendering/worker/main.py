"""The render process itself: load the libraries, drop privileges, render pages on request."""

import gc
import os
import pickle
import resource
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

from mailer.errors import MjmlError, TemplateError
from mailer.rendering.pipeline.css_inliner import inline_styles
from mailer.rendering.pipeline.jinja_env import (
    compile_shipped_templates,
    make_environment,
    render_template,
    track_stories,
)
from mailer.rendering.pipeline.mjml import convert_mjml, split_head, strip_origins
from mailer.rendering.template_context.page import Page, RenderedPage
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


def _ignore(_name: str) -> None:
    return None


def render_page(
    page: Page,
    *,
    template: str,
    overrides: Path | None,
    inline_css: str | None = None,
    on_template: Callable[[str], None] = _ignore,
) -> RenderedPage:
    """Render ``page`` with the theme ``template``; templates in the folder ``overrides`` take precedence over
    ours. ``inline_css`` are the rules for ``style`` attributes of the whole email of which ``page`` is a
    part; without them, the theme's sheet is rendered. ``on_template`` is called with the name of each
    template before it is rendered, so that the caller can name it if the process ends there. Raise
    TemplateError if a template or its output is wrong; with template, story and line."""
    layout, sheet, twin = (f"email/{template}.{ending}.j2" for ending in ("mjml", "inline.css", "txt"))
    markup, plain = (make_environment(overrides, markup=markup) for markup in (True, False))
    with track_stories() as trace:
        on_template(layout)
        mjml = render_template(markup, layout, page=page)
        html = convert_mjml(mjml, template=layout, marks_head=True)
        if inline_css is None:
            on_template(sheet)
            inline_css = render_template(plain, sheet, page=page)
        html = inline_styles(html, inline_css).strip() + "\n"
        on_template(twin)
        # Not plain strip(): the separators that mark fragments count as white space.
        text = render_template(plain, twin, page=page).strip(" \n") + "\n"
    beginning, html = split_head(html)
    return RenderedPage(
        mjml=strip_origins(mjml),
        html=html,
        text=text,
        beginning=beginning,
        inline_css=inline_css,
        stories_isolated=trace.stories_isolated,
    )


def warm_up() -> None:
    """Do before the first page what the libraries do on first use."""
    compile_shipped_templates()
    inline_styles("<!doctype html><html><body><p class='a'>.</p></body></html>", ".a{margin:0}")


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
    """Reply to one request; return whether the process is confined to the templates from now on. The first
    request says where they are. ``baseline`` is the address space used before it, None if unknown."""
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
    """Set a soft limit, and with ``hard`` a ceiling that cannot be raised again, else the old one stays."""
    ceiling = resource.getrlimit(limit)[1] if hard is None else hard
    try:
        resource.setrlimit(limit, (soft, ceiling))
    except (OSError, ValueError):
        # macOS does not enforce some of these, and an existing limit may be lower already. The program's own
        # wall clock limit works everywhere.
        return

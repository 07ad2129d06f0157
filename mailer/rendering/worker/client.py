"""Rendering in a separate process with limits, so that no template can block, exhaust or crash the program.

Jinja's sandbox keeps a template from reaching what it must not reach. It does not stop a template from
looping, from building a string of a gigabyte, or from nesting so deep that MRML crashes the process. The
kernel does.
"""

import contextlib
import os
import pickle
import threading
import weakref
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from locales.phrase import gettext_noop
from mailer.errors import MailerError, MjmlError, TemplateError
from mailer.rendering.template_context.page import RenderedPage
from mailer.rendering.worker.process import (
    NotStartedError,
    RenderProcess,
    explain_memory,
    find_python,
    start_process,
)
from mailer.rendering.worker.protocol import RenderLimits, RenderRequest, ReplyKind

if TYPE_CHECKING:
    from mailer.rendering.template_context.page import Page

# Processes started before a fork belong to the parent.
_all_workers: "weakref.WeakSet[RenderWorker]" = weakref.WeakSet()


class _ReadableFolder:
    """The one folder a process is confined to, held open so that no folder made later gets its inode."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._descriptor: int | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                weakref.finalize(self, os.close, self._descriptor)

    def is_still(self, path: Path) -> bool:
        """Return whether ``path`` leads to this folder, or still to none."""
        if path != self.path:
            return False
        try:
            found = path.stat()
        except OSError:
            return self._descriptor is None
        return self._descriptor is not None and os.path.samestat(found, os.fstat(self._descriptor))


class RenderWorker:
    """One render process, started when first needed and again whenever it had to be killed. Threads share it
    and take turns; a forked program starts its own. It can read templates in one folder only: in
    ``readable``, or in that of the first page rendered. For templates elsewhere, and once that folder is
    another one of the same name, it is replaced."""

    def __init__(self, limits: RenderLimits | None = None, *, readable: Path | None = None) -> None:
        self._limits = limits or RenderLimits()
        self._readable = readable
        self._confined_to: _ReadableFolder | None = None
        self._lock = threading.Lock()
        self._process: RenderProcess | None = None
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
        """Like :func:`mailer.rendering.worker.main.render_page`, within the limits. Raise TemplateError also
        if it took too much time or memory, or ended the process, and MailerError if that cannot be
        started."""
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
            except NotStartedError:
                # It ended while idle, perhaps because the machine ran out of memory: try once with a new one.
                pass
            try:
                return self._request(pickled, readable)
            except NotStartedError as error:
                raise MailerError(
                    gettext_noop(
                        "%(program)s: the render process cannot be started: %(error)s. Check that the "
                        "machine has free memory; if it has, parts of the program are missing: install "
                        "it again."
                    ),
                    program=find_python(),
                    error=error,
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
            raise TemplateError(f"{template}: {explain_memory(self._limits)}")
        raise RuntimeError(f"{template}: rendering failed in the render process:\n{texts[0]}")

    def _ensure_process(self) -> RenderProcess:
        if self._process is None:
            self._process = start_process()
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

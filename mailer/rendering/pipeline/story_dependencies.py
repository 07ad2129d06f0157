"""Where a mail speaks of its stories: each in its own slices, or elsewhere too.

As long as each keeps to its own, a mail can be drawn again slice by slice, as
:mod:`mailer.rendering.incremental` does. A theme may do otherwise, such as list their titles in the contents;
then a story that changes may change anything.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mailer.rendering.body.fragments import SliceKind
from mailer.rendering.template_context.page import StoryView

# What slices and messages are marked with: a story of other names is another story.
_NAMES = frozenset({"slug", "origin"})


@dataclass
class Trace:
    """A mail that is being drawn: the story whose slice is open, and whether all have kept to their own."""

    slug: str = ""
    apart: bool = True


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def trace_stories() -> Iterator[Trace]:
    """Trace what is drawn in here."""
    trace = Trace()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def note_story(story: StoryView, field: Any) -> None:
    """A template asks for ``field`` of ``story``."""
    trace = _current.get()
    if trace and story.slug != trace.slug and field not in _NAMES:
        trace.apart = False


def tracing_begin(mark: Callable[[str, str], str]) -> Callable[..., str]:
    """``mark``, which begins slices, so that the trace knows of it."""

    def begin(kind: str, key: str = "") -> str:
        marked = mark(kind, key)
        if kind == SliceKind.story and (trace := _current.get()):
            trace.slug = key
        return marked

    return begin


def tracing_end(mark: Callable[[str], str]) -> Callable[[str], str]:
    """``mark``, which ends slices, so that the trace knows of it."""

    def end(kind: str) -> str:
        if kind == SliceKind.story and (trace := _current.get()):
            trace.slug = ""
        return mark(kind)

    return end

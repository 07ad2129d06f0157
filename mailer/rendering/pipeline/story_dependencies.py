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

from mailer.rendering.body.fragments import FragmentKind
from mailer.rendering.template_context.page import StoryView

# What slices and messages are marked with: a story of other names is another story.
_IDENTITY_FIELDS = frozenset({"slug", "origin"})


@dataclass
class StoryAccess:
    """A mail that is being drawn: the story whose slice is open, and whether all have kept to their own."""

    open_slug: str = ""
    stories_isolated: bool = True


_current: ContextVar[StoryAccess | None] = ContextVar("trace", default=None)


@contextmanager
def track_stories() -> Iterator[StoryAccess]:
    """Trace what is drawn in here."""
    trace = StoryAccess()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def record_access(story: StoryView, field: Any) -> None:
    """A template asks for ``field`` of ``story``."""
    trace = _current.get()
    if trace and story.slug != trace.open_slug and field not in _IDENTITY_FIELDS:
        trace.stories_isolated = False


def tracked_begin(mark: Callable[[str, str], str]) -> Callable[..., str]:
    """``mark``, which begins slices, so that the trace knows of it."""

    def begin(kind: str, key: str = "") -> str:
        marked = mark(kind, key)
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = key
        return marked

    return begin


def tracked_end(mark: Callable[[str], str]) -> Callable[[str], str]:
    """``mark``, which ends slices, so that the trace knows of it."""

    def end(kind: str) -> str:
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = ""
        return mark(kind)

    return end

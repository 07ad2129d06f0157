"""Tracks whether a theme mentions each story only in its own fragments, or elsewhere too.

If it does, the email can be updated fragment by fragment, as :mod:`mailer.rendering.incremental` does. A
theme may do otherwise, such as list the titles in the contents; then a change to one story can affect
anything.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mailer.rendering.body.fragments import FragmentKind
from mailer.rendering.template_context.page import StoryView

# Fields that fragments and messages are marked with: a story with other values is another story.
_IDENTITY_FIELDS = frozenset({"slug", "origin"})


@dataclass
class StoryAccess:
    """One email being rendered: the story whose fragment is open, and whether all stories were used only in
    their own."""

    open_slug: str = ""
    stories_isolated: bool = True


_current: ContextVar[StoryAccess | None] = ContextVar("trace", default=None)


@contextmanager
def track_stories() -> Iterator[StoryAccess]:
    """Track what is rendered inside this context."""
    trace = StoryAccess()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def record_access(story: StoryView, field: Any) -> None:
    """Record that a template reads ``field`` of ``story``."""
    trace = _current.get()
    if trace and story.slug != trace.open_slug and field not in _IDENTITY_FIELDS:
        trace.stories_isolated = False


def tracked_begin(mark: Callable[[str, str], str]) -> Callable[..., str]:
    """Wrap ``mark``, which begins fragments, so that the tracker knows which story is open."""

    def begin(kind: str, key: str = "") -> str:
        marked = mark(kind, key)
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = key
        return marked

    return begin


def tracked_end(mark: Callable[[str], str]) -> Callable[[str], str]:
    """Wrap ``mark``, which ends fragments, so that the tracker knows that the story is closed."""

    def end(kind: str) -> str:
        if kind == FragmentKind.story and (trace := _current.get()):
            trace.open_slug = ""
        return mark(kind)

    return end

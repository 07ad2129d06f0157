"""The marks in a compiled body: merge tags, and fragments that only some readers get."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from markupsafe import Markup

from locales.phrase import AFTER_PLACE, Phrase, gettext_noop
from mailer.errors import TemplateError

DELIMITER = "@@"
TAG_PATTERN = re.compile("@@([a-z_]+)@@")
T = TypeVar("T", str, bytes)
U = TypeVar("U", str, bytes)
# MRML, premailer and lxml leave comments alone; authors cannot write one, because raw HTML is refused.
_IN_MARKUP = re.compile(r"<!--@(?P<edge>begin|end) (?P<kind>[a-z]+) ?(?P<key>[^ >]*)-->")
# Plain text has no comments. Record and unit separators are refused in everything authors write; a mark is on
# a line of its own, which is removed with it.
_IN_TEXT = re.compile("\x1e(?P<edge>begin|end) (?P<kind>[a-z]+) ?(?P<key>[^ \x1f]*)\x1f\n?")
SEPARATORS = ("\x1e", "\x1f")
_KEY = re.compile(r"[A-Za-z0-9._-]*")


class TagContext(StrEnum):
    """Where a merge tag is used, which determines how its value is escaped."""

    text = "text"
    """Between tags: ``&``, ``<``, ``>`` and quotes are escaped."""

    url = "url"
    """The whole value of an ``href``, and a line of its own in the text part: an absolute URL."""

    query = "query"
    """The end of such a value: the query of a URL."""


class _Tag(StrEnum):
    """A value is the name between the delimiters."""

    @property
    def placeholder(self) -> str:
        return f"{DELIMITER}{self.value}{DELIMITER}"


class MergeTag(_Tag):
    """A merge tag that a template may use. :class:`~mailer.rendering.template_context.page.MergeTags` says
    what each is."""

    greeting = "greeting"
    unsubscribe_url = "unsubscribe_url"
    preferences_url = "preferences_url"
    verification_code = "verification_code"
    verify_url = "verify_url"
    verify_place = "verify_place"
    archive_url = "archive_url"
    version = "version"
    """What ends the address of a story of this edition, so that it opens for whoever has the email. Its value
    is made of the digest of the email, which therefore cannot contain it."""

    @property
    def context(self) -> TagContext:
        if self in _TEXTS:
            return TagContext.text
        return TagContext.query if self is MergeTag.version else TagContext.url


_TEXTS = frozenset({MergeTag.greeting, MergeTag.verification_code, MergeTag.verify_place})


class StoryCount(_Tag):
    """A number that differs between variants; only allowed inside a section or its line of the contents."""

    stories = "stories"
    """How many stories of the section this variant has, in words: "3 stories"."""

    number = "number"
    """The same in digits."""


class LinkTag(_Tag):
    """A tag that :mod:`mailer.rendering.body.counted_links` puts in place of a link's address."""

    click_url = "click_url"
    """Where this reader's clicks are counted. The number of the link follows."""


ANY_TAG = (MergeTag, StoryCount, LinkTag)
"""What can stand in an email beside texts and fragments."""


class FragmentKind(StrEnum):
    """The kind of a fragment, which determines when a reader gets it."""

    section = "section"
    """A section with its heading; left out when the reader gets none of its stories. Its key is the
    section's."""

    story = "story"
    """One story; its key is the slug."""

    entry = "entry"
    """A line of the contents, for the section with its key; ``letter`` is always included."""

    middle = "middle"
    """Where the contents continue in the next column: placed after half of the entries that the reader
    gets."""

    greeting = "greeting"
    """Whatever surrounds the greeting; left out for a reader whose name is not known."""


# Tested a thousand times for each email.
_KINDS, _MERGE_TAGS, _COUNTS = frozenset(FragmentKind), frozenset(MergeTag), frozenset(StoryCount)

# Which kinds can be reordered together: those that form one group when they are adjacent.
_GROUPS = {
    FragmentKind.section: "sections",
    FragmentKind.story: "stories",
    FragmentKind.entry: "entries",
    FragmentKind.middle: "entries",
}


@dataclass(frozen=True)
class Fragment(Generic[T]):
    kind: FragmentKind
    key: str
    parts: "Parts[T]"


@dataclass(frozen=True)
class FragmentGroup(Generic[T]):
    """Adjacent fragments; a variant contains some of them, in its own order."""

    fragments: tuple[Fragment[T], ...]


Part: TypeAlias = T | MergeTag | StoryCount | LinkTag | Fragment[T] | FragmentGroup[T]
Parts: TypeAlias = tuple[Part[T], ...]
"""An email, or a part of it, in order: texts (``str``, or ``bytes`` once encoded) and what varies."""


def mark_begin(kind: str, key: str = "") -> Markup:
    """Return the mark that begins a fragment in markup. Raise ValueError if there is no such kind, or the key
    contains a character that no slug has."""
    return Markup(f"<!--@begin {_check(kind, key)} {key}-->")  # noqa: S704 - both are checked


def mark_end(kind: str) -> Markup:
    """Return the mark that ends the most recent fragment, which must be of ``kind``."""
    return Markup(f"<!--@end {_check(kind)}-->")  # noqa: S704 - checked


def mark_begin_text(kind: str, key: str = "") -> str:
    return f"\x1ebegin {_check(kind, key)} {key}\x1f"


def mark_end_text(kind: str) -> str:
    return f"\x1eend {_check(kind)}\x1f"


def _check(kind: str, key: str = "") -> str:
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is not a kind of fragment. The kinds are: {', '.join(FragmentKind)}")
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a valid key for a {kind} fragment. Use letters, digits and hyphens")
    return kind


def parse_fragments(marked: str, *, what: str, markup: bool) -> Parts[str]:
    """Cut ``marked`` at its marks; ``what`` names it in messages. Raise TemplateError if a mark is missing or
    misplaced, two fragments of one kind have the same key, or there is an unknown merge tag."""
    reading = _FragmentParser(what)
    end = 0
    for mark in (_IN_MARKUP if markup else _IN_TEXT).finditer(marked):
        reading.add_text(marked[end : mark.start()])
        reading.add_mark(mark["edge"], mark["kind"], mark["key"])
        end = mark.end()
    reading.add_text(marked[end:])
    return reading.finish()


def find_fragment(marked: str, kind: FragmentKind, key: str, *, markup: bool) -> tuple[int, int] | None:
    """Return where a fragment's content starts and ends; None if it is missing or contains another."""
    begin, end, any_mark = (
        (mark_begin, mark_end, _IN_MARKUP) if markup else (mark_begin_text, mark_end_text, _IN_TEXT)
    )
    opening, closing = begin(kind, key), end(kind)
    first = marked.find(opening) + len(opening)
    last = marked.find(closing, first)
    if first < len(opening) or last < 0 or any_mark.search(marked, first, last):
        return None
    return first, last


class _FragmentParser:
    """One pass over a marked email: the open fragments, outermost first, and their parts so far."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.open: list[tuple[FragmentKind, str]] = []
        self.parts: list[list[str | MergeTag | StoryCount | Fragment[str]]] = [[]]
        self.seen: set[tuple[FragmentKind, str]] = set()

    def add_text(self, text: str) -> None:
        end = 0
        for mark in TAG_PATTERN.finditer(text):
            self._add(text[end : mark.start()])
            self._add(self._parse_tag(mark[1]))
            end = mark.end()
        self._add(text[end:])

    def _add(self, part: str | MergeTag | StoryCount) -> None:
        if part:
            self.parts[-1].append(part)

    def _parse_tag(self, name: str) -> MergeTag | StoryCount:
        if name in _MERGE_TAGS:
            return MergeTag(name)
        if name not in _COUNTS:
            known = ", ".join(tag.placeholder for tag in (*MergeTag, *StoryCount))
            unknown = gettext_noop("@@%(name)s@@ is an unknown merge tag. You can use: %(known)s.")
            raise self._error(unknown, name=name, known=known)
        if not any(kind in {FragmentKind.section, FragmentKind.entry} for kind, _ in self.open):
            outside = gettext_noop(
                "@@%(name)s@@ counts the stories of a section, but is outside any section. Put it between "
                'begin("section", section.key) and end("section").'
            )
            raise self._error(outside, name=name)
        return StoryCount(name)

    def add_mark(self, edge: str, name: str, key: str) -> None:
        kind = FragmentKind(name)
        if edge == "begin":
            self._begin(kind, key)
        else:
            self._end(kind)

    def _begin(self, kind: FragmentKind, key: str) -> None:
        if (kind, key) in self.seen and kind is not FragmentKind.greeting:
            twice = gettext_noop("the %(kind)s %(key)s is marked twice. Mark each fragment once.")
            raise self._error(twice, kind=kind, key=repr(key))
        self.seen.add((kind, key))
        self.open.append((kind, key))
        self.parts.append([])

    def _end(self, kind: FragmentKind) -> None:
        if not self.open:
            stray = gettext_noop(
                'end("%(kind)s") does not match an open fragment. Close fragments in the reverse order of '
                "opening."
            )
            raise self._error(stray, kind=kind)
        opened, key = self.open.pop()
        if opened is not kind:
            inside = gettext_noop(
                'end("%(kind)s") is inside the %(opened)s. Close fragments in the reverse order of opening.'
            )
            raise self._error(inside, kind=kind, opened=f"{opened} {key}".strip())
        inner = self.parts.pop()
        self.parts[-1].append(Fragment(opened, key, group_fragments(inner)))

    def finish(self) -> Parts[str]:
        if self.open:
            kind, key = self.open[-1]
            endless = gettext_noop('the %(kind)s %(key)s has no end. Write end("%(kind)s") after it.')
            raise self._error(endless, kind=kind, key=repr(key))
        return group_fragments(self.parts[0])

    def _error(self, message: str, **values: object) -> TemplateError:
        return TemplateError(AFTER_PLACE, place=self.what, words=Phrase(message, **values))


def group_fragments(parts: Sequence[str | MergeTag | StoryCount | Fragment[str]]) -> Parts[str]:
    """Return ``parts`` with reorderable fragments gathered in groups; space between them is dropped."""
    gathered: list[Part[str]] = []
    for part in parts:
        if not isinstance(part, Fragment) or part.kind not in _GROUPS:
            gathered.append(part)
            continue
        last = gathered[-1] if gathered else None
        if type(last) is str and not last.strip() and len(gathered) > 1 and _may_join(gathered[-2], part):
            gathered.pop()
            last = gathered[-1]
        if isinstance(last, FragmentGroup) and _may_join(last, part):
            gathered[-1] = FragmentGroup((*last.fragments, part))
        else:
            gathered.append(FragmentGroup((part,)))
    return tuple(gathered)


def _may_join(part: Part[str], new: Fragment[str]) -> bool:
    return isinstance(part, FragmentGroup) and _GROUPS[part.fragments[0].kind] == _GROUPS[new.kind]


def walk_fragments(parts: Parts[T]) -> Iterator[Fragment[T]]:
    for part in parts:
        if isinstance(part, Fragment):
            yield part
            yield from walk_fragments(part.parts)
        elif isinstance(part, FragmentGroup):
            yield from walk_fragments(part.fragments)


def walk_texts(parts: Parts[T]) -> Iterator[T]:
    for part in parts:
        if isinstance(part, Fragment):
            yield from walk_texts(part.parts)
        elif isinstance(part, FragmentGroup):
            yield from walk_texts(part.fragments)
        elif not isinstance(part, ANY_TAG):
            yield part


def map_texts(parts: Parts[T], change: Callable[[T], U]) -> Parts[U]:
    return tuple(_map_part(part, change) for part in parts)


def _map_part(part: Part[T], change: Callable[[T], U]) -> Part[U]:
    if isinstance(part, Fragment):
        return Fragment(part.kind, part.key, map_texts(part.parts, change))
    if isinstance(part, FragmentGroup):
        return FragmentGroup(
            tuple(
                Fragment(fragment.kind, fragment.key, map_texts(fragment.parts, change))
                for fragment in part.fragments
            )
        )
    return part if isinstance(part, ANY_TAG) else change(part)

"""The nodes of a rich text, as the editor has them."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt

from locales.phrase import WordedEnum, gettext_noop

MAX_HREF_LENGTH = 4000
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
# What browsers leave out before they look for the scheme (URL Standard §4.4).
_IGNORED = re.compile(r"[\x00-\x20\x7f]")
# What may be opened by a click in the editor. What an email may have is another question, which the checks
# answer with words for the writer.
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "ftp", "ftps"})


class MarkKind(StrEnum):
    """What text is marked as, from the outermost mark to the innermost."""

    link = "link"
    em = "em"
    strong = "strong"
    strike = "strike"
    code = "code"


EMPHASIS = frozenset({MarkKind.em, MarkKind.strong, MarkKind.strike})
"""The marks that Markdown writes with signs on both sides, and cannot begin or end at every character."""

MARK_ORDER = {kind: place for place, kind in enumerate(MarkKind)}


class Mark(NamedTuple):
    """A mark; ``href`` and ``title`` are a link's."""

    kind: MarkKind
    href: str = ""
    title: str = ""


class Text(NamedTuple):
    """Text with its marks in the order of :class:`MarkKind`. A line break is one with the text ``\\n``."""

    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def is_code(self) -> bool:
        return bool(self.marks) and self.marks[-1].kind is MarkKind.code

    def has(self, kind: MarkKind) -> bool:
        return any(mark.kind is kind for mark in self.marks)


BREAK = Text("\n")


def append_text(texts: list[Text], text: Text) -> None:
    """Add ``text`` to ``texts``, as one with the last of them if both have the same marks."""
    if texts and texts[-1] is not BREAK and text is not BREAK and texts[-1].marks == text.marks:
        texts[-1] = Text(texts[-1].text + text.text, text.marks)
    elif text.text:
        texts.append(text)


def merge_texts(texts: Iterable[Text]) -> list[Text]:
    """Return ``texts`` without empty ones, and neighbours with the same marks as one."""
    merged: list[Text] = []
    for text in texts:
        append_text(merged, text)
    return merged


class BlockKind(StrEnum):
    paragraph = "paragraph"
    heading = "heading"
    blockquote = "blockquote"
    horizontal_rule = "horizontal_rule"
    bullet_list = "bullet_list"
    ordered_list = "ordered_list"
    list_item = "list_item"
    """An item of a list: blocks, the first of which is a paragraph."""

    raw = "raw"
    """Markdown as it is written, because the editor has no such block."""


class RawReason(WordedEnum):
    """Why a block is raw: what it is."""

    table = ("table", gettext_noop("a table"))
    code = ("code", gettext_noop("a block of code"))
    html = ("html", gettext_noop("HTML"))
    picture = ("picture", gettext_noop("a picture"))
    footnote = ("footnote", gettext_noop("a footnote"))

    definition = ("definition", gettext_noop("the address of a link"))
    """The address of a link that is written elsewhere, ``[name]: https://…``."""

    heading = ("heading", gettext_noop("a heading of another level"))
    lettered_list = ("lettered-list", gettext_noop("a list with letters"))
    link = ("link", gettext_noop("a link that must not be opened"))
    nested_too_deep = ("nested-too-deep", gettext_noop("lists deep within lists"))
    too_long = ("too-long", gettext_noop("all of it, because it is too long"))


TEXT_KINDS = frozenset({BlockKind.paragraph, BlockKind.heading})
LIST_KINDS = frozenset({BlockKind.bullet_list, BlockKind.ordered_list})


class Block(NamedTuple):
    """A block. ``texts`` are those of a paragraph or heading, ``blocks`` are in a quotation, list or item.
    ``level`` is a heading's, ``order`` the first number of an ordered list. A ``tight`` list has no space
    between its items. ``source`` is the Markdown of a raw block, and ``why`` the reason that it is one."""

    kind: BlockKind
    texts: tuple[Text, ...] = ()
    blocks: tuple["Block", ...] = ()
    level: int = 0
    tight: bool = True
    order: int = 1
    source: str = ""
    why: RawReason | None = None


class UnwritableError(Exception):
    """Markdown cannot say what the document shows. The message says what and what to do, for the writer.
    ``block`` is the place of the block among the document's own, from zero; None if it is about all of
    them."""

    def __init__(self, message: str, *, block: int | None = None) -> None:
        super().__init__(message)
        self.block = block


class DocumentSchemaError(Exception):
    """This is no document of the editor: another program made it, or somebody who means harm."""


def is_editable_link(href: str) -> bool:
    """Return whether ``href`` runs nothing when it is opened: it has no scheme such as ``javascript:``, as
    ``example.org:8080`` has none."""
    found = _SCHEME.match(_IGNORED.sub("", href))
    return found is None or "." in found[1] or found[1].lower() in _SCHEMES


def normalise_href(href: str) -> str:
    """Return ``href`` as the parser reads it: percent-encoded, with the host in ASCII."""
    return _parser().normalizeLink(href.strip())


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")

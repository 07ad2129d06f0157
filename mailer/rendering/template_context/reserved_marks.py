"""Refuses reserved marks in the texts of a page."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from locales.phrase import AFTER_PLACE, Phrase, gettext_noop, join_sentences
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import SEPARATORS
from mailer.rendering.body.merge_tags import DELIMITER
from mailer.rendering.template_context.page import MergeTags, Page, SectionView, StoryView

_FRAGMENT = gettext_noop(
    "“%(text)s” contains %(sign)s, which is reserved for the start or end of a fragment."
)
_RESERVED = (
    (DELIMITER, gettext_noop("“%(text)s” contains %(sign)s, which is reserved for merge tags.")),
    *((sign, _FRAGMENT) for sign in SEPARATORS),
    ("\0", gettext_noop("“%(text)s” contains %(sign)s, which no email may contain.")),
)
# Numbers that differ between variants, and addresses that end with a version: these fields contain
# placeholders by design.
_TAGGED_FIELDS = {(SectionView, "number"), (SectionView, "count"), (StoryView, "url")}


def refuse_reserved_marks(page: Page | tuple[SectionView, ...]) -> None:
    """Refuse a text in ``page``, or in some sections, that contains one of our marks: an author's ``@@``
    would be taken for a merge tag, and could put a reader's link in the wrong place; a separator would end
    a fragment.

    Raises:
        TemplateError: with the file, and the text around the mark.
    """
    texts: list[tuple[str, str]] = []
    _gather_texts(page, "edition.md", texts)
    for place, text in texts:
        for mark, message in _RESERVED:
            if mark in text:
                start, sign = max(text.index(mark) - 20, 0), mark if mark.isprintable() else repr(mark)
                words = Phrase(message, text=text[start : start + 60], sign=sign)
                advice = Phrase(gettext_noop("Write it in another way."))
                told = join_sentences([words, advice])
                raise TemplateError(Phrase(AFTER_PLACE, place=place, words=told))


def _gather_texts(value: object, place: str, texts: list[tuple[str, str]]) -> None:
    """Append every text in ``value`` to ``texts``, with the file it comes from."""
    if isinstance(value, str):
        texts.append((place, value))
    elif isinstance(value, tuple):
        for item in value:
            _gather_texts(item, place, texts)
    else:
        place = getattr(value, "origin", place)
        kind: Any = type(value)
        for name in _fields_with_texts(kind):
            _gather_texts(getattr(value, name), place, texts)


@cache
def _fields_with_texts(kind: type) -> tuple[str, ...]:
    """The fields of a part of the page; merge tags are not texts."""
    if not is_dataclass(kind) or kind is MergeTags:
        return ()
    return tuple(entry.name for entry in fields(kind) if (kind, entry.name) not in _TAGGED_FIELDS)

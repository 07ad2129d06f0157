"""What the page of a translation shows: each text of the original, with what has changed in it since, beside
its translation."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import nh3
from markupsafe import Markup

from editions.changes.front_matter_change import read_fields
from editions.errors import FrontMatterError
from editions.markdown.renderer import LETTER_HEADING_LEVEL, render_markdown
from editions.rich_text.document_reader import read_document
from editions.rich_text.node_json import decode_document
from editions.source.front_matter import FrontMatter
from editions.text_diff.comparison import ChangeKind, compare_texts
from editions.text_diff.words import WordChange, WordChangeKind, compare_words
from editions.translatable_texts import OpenText, TextForm, read_text
from mailer.i18n import Translator
from mailer.translations.base_texts import digest_original
from mailer.translations.states import TranslationState
from mailer.web.studio.stories.composition import parse_document, split_text
from mailer.web.studio.stories.page_context import list_raw
from mailer.web.studio.translations.composition import NEW_FILE, TranslationDraft, list_texts, read_front
from mailer.web.studio.translations.labels import find_group, name_field, name_group
from mailer.web.studio.translations.place import TranslationPlace

_SAFE_TAGS = {
    *("p", "h3", "h4", "h5", "ul", "ol", "li", "blockquote", "pre", "hr", "br", "em", "strong", "s", "a"),
    *("code", "span", "sup", "table", "thead", "tbody", "tr", "th", "td"),
}


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    """A text of the front matter. ``original`` are its words, with those added and deleted since; ``value``
    is its translation. ``is_open`` is whether that is missing, or is the original's."""

    key: str
    label: str
    form: TextForm
    original: Sequence[WordChange]
    value: str
    is_open: bool

    @property
    def is_changed(self) -> bool:
        return any(word.kind is not WordChangeKind.same for word in self.original)


@dataclass(frozen=True, kw_only=True)
class FieldGroup:
    """Some texts under a heading; "" for the first ones."""

    heading: str
    rows: Sequence[FieldRow]


@dataclass(frozen=True, kw_only=True)
class OriginalPart:
    """A part of the original's body: ``html`` if it is as it was, or else the ``words`` of its Markdown."""

    html: str = ""
    words: Sequence[WordChange] = ()


@dataclass(frozen=True, kw_only=True)
class TranslationOnPage:
    """A translation as its form shows it. ``source`` is the whole file where its front matter cannot be read;
    ``fault`` then says why. ``original_digest`` is that of the original that is shown."""

    digest: str
    sitting: str
    sequence: int
    original_digest: str
    groups: Sequence[FieldGroup]
    parts: Sequence[OriginalPart]
    body: str
    document: Mapping[str, Any]
    raw: Sequence[str] = ()
    source: str | None = None
    fault: str = ""
    errors: Sequence[tuple[str, str]] = field(default=())

    @cached_property
    def changes(self) -> int:
        """How many texts and parts of the original have changed."""
        rows = [row for group in self.groups for row in group.rows]
        return sum(row.is_changed for row in rows) + sum(bool(part.words) for part in self.parts)


def show_original(place: TranslationPlace, base: str | None) -> Sequence[OriginalPart]:
    """The body of the original, with what has changed since it said ``base``; None if that is not known."""
    body = split_text(place.original.file.text).body
    language = place.own_language
    if base is None:
        return [OriginalPart(html=_render(body, language))] if body.strip() else []
    parts: list[OriginalPart] = []
    same = ""
    for change in compare_texts(split_text(base).body, body):
        if change.kind is ChangeKind.same:
            same += change.new
            continue
        parts += [OriginalPart(html=_render(same, language))] if same.strip() else []
        parts.append(OriginalPart(words=compare_words(change.old.strip(), change.new.strip())))
        same = ""
    return [*parts, *([OriginalPart(html=_render(same, language))] if same.strip() else [])]


def make_page(
    place: TranslationPlace,
    translator: Translator,
    *,
    base: str | None,
    open_texts: Sequence[OpenText],
    draft: TranslationDraft | None = None,
    sitting: str = "",
    errors: Sequence[tuple[str, str]] = (),
) -> TranslationOnPage:
    """Make what the page shows: the file as it is, or what ``draft`` sent. ``base`` is what the original said
    when it was translated, None if it says the same or that is not known.

    Raises:
        DocumentSchemaError: the draft's document is none of the editor's.
    """
    text = place.file.text if place.file is not None else NEW_FILE
    front, original = read_front(text), read_front(place.original.file.text)
    sent = draft.story if draft is not None else None
    body = split_text(text).body
    document = read_document(body)
    if sent is not None and sent.document is not None:
        document = parse_document(sent.document)
        decode_document(document)
    fault = _find_fault(text)
    opened = {text.key for text in open_texts}
    return TranslationOnPage(
        digest=sent.base if sent is not None else (place.file.digest if place.file is not None else ""),
        sitting=(sent.sitting if sent is not None else sitting) or secrets.token_urlsafe(12),
        sequence=sent.sequence if sent is not None else 0,
        original_digest=digest_original(place.original.file.text),
        groups=_list_groups(
            place, translator, original, front, base, opened, draft.values if draft is not None else {}
        ),
        parts=show_original(place, base),
        body=body if sent is None or sent.body is None else sent.body,
        document=document,
        raw=list_raw(document),
        source=(sent.source if sent is not None else None) or (text if fault else None),
        fault=fault,
        errors=errors,
    )


def may_confirm(state: TranslationState, *, is_confirmed: bool, open_texts: Sequence[OpenText]) -> bool:
    """Whether somebody may say that a translation is up to date."""
    if state is TranslationState.outdated:
        return True
    if state is TranslationState.complete:
        return not is_confirmed
    return state is TranslationState.draft and not all(text.is_missing for text in open_texts)


def _find_fault(text: str) -> str:
    try:
        read_fields(text)
    except FrontMatterError as error:
        return str(error)
    return ""


def _list_groups(
    place: TranslationPlace,
    translator: Translator,
    original: FrontMatter,
    front: FrontMatter,
    base: str | None,
    opened: set[str],
    sent: Mapping[str, str],
) -> Sequence[FieldGroup]:
    before = read_front(base) if base is not None else None
    groups: dict[tuple[str | int, ...], list[FieldRow]] = {(): []}
    for text in list_texts(original, front, is_story=bool(place.story)):
        was = read_text(before, text.path, text.form) if before is not None else text.value
        groups.setdefault(find_group(text.path), []).append(
            FieldRow(
                key=text.key,
                label=name_field(text.path, translator),
                form=text.form,
                original=compare_words(was, text.value),
                value=sent.get(text.key, read_text(front, text.path, text.form)),
                is_open=place.file is not None and text.key in opened,
            )
        )
    return [FieldGroup(heading=name_group(group, translator), rows=rows) for group, rows in groups.items()]


def _render(body: str, language: str) -> Markup:
    html = render_markdown(body, language=language, heading=LETTER_HEADING_LEVEL).html
    # Emails need styles; Studio's policy has none.
    safe = nh3.clean(html, tags=_SAFE_TAGS, attributes={"a": {"href"}, "ol": {"start"}, "span": {"lang"}})
    return Markup(safe)  # noqa: S704 - cleaned

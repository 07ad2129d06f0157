"""The page on which a text is translated."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import nh3
from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from editions.changes.front_matter_change import read_fields
from editions.errors import FrontMatterError
from editions.markdown.renderer import LETTER_HEADING_LEVEL, render_markdown
from editions.rich_text.document import read_document
from editions.rich_text.node_json import decode_document
from editions.rich_text.nodes import DocumentSchemaError, UnwritableError
from editions.source.front_matter import FrontMatter
from editions.text_diff.comparison import BlockChangeKind, compare_texts
from editions.text_diff.words import WordChange, WordChangeKind, compare_words
from editions.translatable_texts import OpenText, TextForm, read_text
from locales.phrase import read_error
from mailer.i18n import Translator, gettext_noop
from mailer.revisions.edition_file import EditionFileError
from mailer.revisions.edition_save import Conflict
from mailer.team.members import Permission
from mailer.translations import TranslationState, digest_original
from mailer.web.forms import OwnFormDep, own_language_name
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.composition import parse_document, split_text
from mailer.web.studio.stories.page_context import list_raw, read_edition_title
from mailer.web.studio.translations.translation import (
    NEW_FILE,
    STATE_WORDS,
    TranslationDep,
    TranslationDraft,
    TranslationPlace,
    fill_from_original,
    find_group,
    find_translation,
    list_texts,
    name_field,
    name_group,
    read_front,
    read_translation_draft,
)
from mailer.web.studio.translations.translation_save import SavedTranslation, read_state, save_draft

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
        return [OriginalPart(html=_render_markdown(body, language))] if body.strip() else []
    parts: list[OriginalPart] = []
    same = ""
    for change in compare_texts(split_text(base).body, body):
        if change.kind is BlockChangeKind.same:
            same += change.new
            continue
        parts += [OriginalPart(html=_render_markdown(same, language))] if same.strip() else []
        parts.append(OriginalPart(words=compare_words(change.old.strip(), change.new.strip())))
        same = ""
    return [*parts, *([OriginalPart(html=_render_markdown(same, language))] if same.strip() else [])]


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


def _render_markdown(body: str, language: str) -> Markup:
    html = render_markdown(body, language=language, heading=LETTER_HEADING_LEVEL).html
    # Emails need styles; Studio's policy has none.
    safe = nh3.clean(html, tags=_SAFE_TAGS, attributes={"a": {"href"}, "ol": {"start"}, "span": {"lang"}})
    return Markup(safe)  # noqa: S704 - cleaned


_MARKDOWN = "markdown"
_COPY = "copy"
_DONE = "done"

NOTHING_WRITTEN = gettext_noop("Nothing is translated yet, so there is nothing to save.")
DOCUMENT_REFUSED = gettext_noop(
    "What the editor sent could not be read, so it was not saved. Reload the page and try again."
)


def show_translation(page: PageDep, place: TranslationDep) -> Response:
    """Show a translation beside its original."""
    return _render(page, place, as_markdown=page.request.query_params.get("as") == _MARKDOWN)


def save_translation(page: PageDep, place: TranslationDep, form: OwnFormDep) -> Response:
    """Save what the form says. A script that saves as one writes is answered in JSON."""
    draft, wanted = read_translation_draft(form, place.story), form.get("then")
    if wanted == _COPY:
        original = read_front(place.original.file.text)
        draft = fill_from_original(draft, original, is_story=bool(place.story))
    answers_script = "application/json" in page.request.headers.get("accept", "")
    try:
        if place.file is None and not draft.has_text:
            return _refuse(page, place, draft, page.translator.translate(NOTHING_WRITTEN), answers_script)
        saved = save_draft(page, place, draft, is_done=wanted == _DONE)
    except (UnwritableError, FrontMatterError, DocumentSchemaError, EditionFileError) as error:
        block = error.block if isinstance(error, UnwritableError) else None
        return _refuse(page, place, draft, _describe_refusal(page, error), answers_script, block)
    if isinstance(saved.outcome, Conflict):
        conflict = page.make_path(f"{place.original.edition_path}/conflicts/{saved.outcome.number}")
        return (
            JSONResponse({"conflict": conflict}, status_code=409) if answers_script else page.go_to(conflict)
        )
    if answers_script:
        told = {
            "digest": saved.outcome.digest,
            "saved_at": page.state.clock().isoformat(),
            "problems": 0,
            "adjusted": saved.adjusted,
        }
        return JSONResponse(told)
    return page.redirect(place.path, _find_notice(page, place, saved, wanted), **_make_query(draft, wanted))


def _make_query(draft: TranslationDraft, wanted: str) -> dict[str, str]:
    stays = wanted not in {"editor", _COPY} and draft.story.body is not None
    return {"as": _MARKDOWN} if wanted == _MARKDOWN or stays else {}


def _find_notice(page: StudioPage, place: TranslationPlace, saved: SavedTranslation, wanted: str) -> Notice:
    if wanted == _DONE and not saved.is_confirmed:
        return Notice.original_changed
    if wanted == _DONE:
        status, _ = read_state(page, find_translation(page, place.edition, place.story, place.language))
        # What is not translated at all says nothing, whatever the original says.
        return Notice.translation_saved if status.open_texts else Notice.translation_confirmed
    return Notice.translation_adjusted if saved.adjusted else Notice.translation_saved


def _refuse(
    page: StudioPage,
    place: TranslationPlace,
    draft: TranslationDraft,
    words: str,
    answers_script: bool,
    block: int | None = None,
) -> Response:
    if answers_script:
        return JSONResponse({"error": words, "block": block}, status_code=422)
    as_markdown = draft.story.body is not None
    return _render(page, place, draft=draft, errors=[("body", words)], as_markdown=as_markdown)


def _describe_refusal(page: StudioPage, error: Exception) -> str:
    translate = page.translator.translations.gettext
    if isinstance(error, DocumentSchemaError):
        return translate(DOCUMENT_REFUSED)
    if isinstance(error, EditionFileError):
        words = translate(error.message)
        return words % error.values if error.values else words
    return page.translator.say_again(read_error(error))


def _render(
    page: StudioPage,
    place: TranslationPlace,
    *,
    as_markdown: bool,
    draft: TranslationDraft | None = None,
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    status, base = read_state(page, place)
    try:
        text = make_page(
            place, page.translator, base=base, open_texts=status.open_texts, draft=draft, errors=errors
        )
    except DocumentSchemaError:
        assert draft is not None  # noqa: S101 - what the file has is always the editor's
        refused = replace(draft, story=replace(draft.story, document=None))
        text = make_page(
            place, page.translator, base=base, open_texts=status.open_texts, draft=refused, errors=errors
        )
    words, tone = STATE_WORDS[status.state]
    return page.render(
        "translation.html",
        status=422 if errors else 200,
        section="editions",
        place=place,
        text=text,
        status_=status,
        state_words=words,
        state_tone=tone,
        knows_changes=base is not None,
        is_outdated=status.state is TranslationState.outdated,
        may_confirm=may_confirm(status.state, is_confirmed=status.is_confirmed, open_texts=status.open_texts),
        as_markdown=as_markdown,
        can_write=page.may(Permission.write),
        original_title=read_front(place.original.file.text).text("title"),
        edition_title=read_edition_title(place.original),
        language_name=own_language_name(place.language),
        own_language_name=own_language_name(place.own_language),
        has_history=place.file is not None,
    )

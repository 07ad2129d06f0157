"""Saving what the form of a translation says, and how far the translation is then."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlmodel import Session

from editions.source.document import read_document
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from mailer.activity.acts import Act
from mailer.revisions.edition_file import TextSave
from mailer.revisions.edition_save import Conflict, Saved, save_edition_file
from mailer.revisions.revision_log import find_text
from mailer.translations import (
    ORIGINAL_KEY,
    TranslationState,
    TranslationStatus,
    assess_translation,
    digest_original,
    find_base_text,
    list_same_texts,
    record_base,
)
from mailer.web.studio.page import StudioPage
from mailer.web.studio.translations.translation import (
    NEW_FILE,
    TranslationDraft,
    TranslationPlace,
    compose_translation,
    read_front,
)


@dataclass(frozen=True, kw_only=True)
class SavedTranslation:
    """A translation as it was saved, or the conflict that keeps what was written. ``adjusted`` is whether
    emphasis was moved a little so that Markdown can say it, ``is_confirmed`` whether it was marked as up to
    date."""

    outcome: Saved | Conflict
    adjusted: bool
    is_confirmed: bool


def save_draft(
    page: StudioPage, place: TranslationPlace, draft: TranslationDraft, *, is_done: bool
) -> SavedTranslation:
    """Save what ``draft`` says; ``is_done`` marks it as up to date, if its page showed the original as it is.

    Raises:
        FrontMatterError: a key of the front matter cannot be changed.
        UnwritableError: Markdown cannot say what the editor shows.
        DocumentSchemaError: the document is none of the editor's.
        TextRefusedError: no file can have this text.
    """
    current = digest_original(place.original.file.text)
    # What nobody has seen cannot be what was translated.
    is_confirmed = is_done and draft.original == current
    translated_from = current if is_confirmed else ""
    if not draft.story.base:
        translated_from = draft.original or current
    composed = compose_translation(
        _find_before(page, place, draft),
        draft,
        read_front(place.original.file.text),
        place.story,
        translated_from=translated_from,
    )
    save = TextSave(
        edition=place.edition,
        name=place.name,
        text=composed.text,
        base=draft.story.base,
        member=page.member,
        sitting=draft.story.sitting,
        sequence=draft.story.sequence,
        now=page.state.clock(),
        acts=(Act.wrote_text, *([Act.confirmed_translation] if is_confirmed else [])),
    )
    with page.writing() as session:
        outcome = save_edition_file(page.state.workspace, session, save)
        if isinstance(outcome, Saved):
            _record(session, save, place, is_confirmed=is_confirmed)
    return SavedTranslation(outcome=outcome, adjusted=composed.adjusted, is_confirmed=is_confirmed)


def _find_before(page: StudioPage, place: TranslationPlace, draft: TranslationDraft) -> str:
    """The text that the page began from. If it is not known any more, every field is put into what the file
    has now, and saving shows both."""
    base = draft.story.base
    if not base or place.file is None:
        return NEW_FILE
    if base == place.file.digest:
        return place.file.text
    with page.state.read_session() as session:
        return find_text(session, place.edition, base) or place.file.text


def _record(session: Session, save: TextSave, place: TranslationPlace, *, is_confirmed: bool) -> None:
    """Keep what the original says, if the translation was made from that."""
    original = place.original.file.text
    if read_front(save.text).text(ORIGINAL_KEY) != digest_original(original):
        return
    texts = assess(place, save.text).open_texts
    same = {found.digest for found in texts if not found.is_missing} if is_confirmed else None
    record_base(session, save.edition, place.file_place, original, now=save.now, same_texts=same)


def assess(place: TranslationPlace, text: str, same_texts: Collection[str] = ()) -> TranslationStatus:
    """How far the translation is if its file has ``text``."""
    folder, is_story = place.original.folder, bool(place.story)
    original, _ = read_document(
        folder,
        place.original.file.name,
        StoryHeader if is_story else EditionHeader,
        sectors=(),
        language=place.own_language,
        unsaved=place.original.file.text,
    )
    translation, _ = read_document(
        folder,
        place.name,
        StoryTranslation if is_story else EditionTranslation,
        sectors=(),
        language=place.language,
        unsaved=text,
    )
    return assess_translation(place.file_place, original, translation, same_texts)


def read_state(page: StudioPage, place: TranslationPlace) -> tuple[TranslationStatus, str | None]:
    """How far the translation is, and what the original said when it was translated; None if it says the
    same, or that is not known."""
    if place.file is None:
        return TranslationStatus(place=place.file_place, state=TranslationState.missing), None
    with page.state.read_session() as session:
        same = list_same_texts(session, place.edition).get(place.file_place, frozenset())
        status = assess(place, place.file.text, same)
        if status.state is not TranslationState.outdated:
            return status, None
        recorded = read_front(place.file.text).text(ORIGINAL_KEY)
        return status, find_base_text(session, place.edition, place.file_place, recorded)

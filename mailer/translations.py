"""How far the translations of an edition are, and what has changed in the originals since."""

import base64
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel
from sqlmodel import Session, col, select

from editions.changes.translation_text import ORIGINAL_KEY, read_front
from editions.markdown.renderer import LETTER_HEADING_LEVEL, STORY_HEADING_LEVEL
from editions.source.document import AnyDocument, read_document
from editions.source.folder import EDITION_FILE, FolderContents, scan_folder
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from editions.source.text_file import read_unsaved_text, text_digest
from editions.translatable_texts import OpenText, find_open_texts
from locales.languages import canonical_language
from locales.phrase import WordedEnum, gettext_noop
from mailer.database.edition_models import RevisionFile, RevisionKind, RevisionText, TranslationBase
from mailer.revisions.edition_file import (
    EditionFileError,
    FilePlace,
    TextSave,
    find_file_name,
    parse_file_name,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Member
from mailer.workspace import Workspace

_MAX_EARLIER = 200
_MAX_PACKED = 20_000_000
_DEFAULT_LANGUAGE = "en"


def digest_original(text: str) -> str:
    """Return the digest of an original, as the checks of an edition make it for ``translated_from``."""
    return text_digest(read_unsaved_text("", text)[0].text)


def record_base(
    session: Session,
    edition: str,
    place: FilePlace,
    text: str,
    *,
    now: datetime,
    same_texts: Collection[str] | None = None,
) -> None:
    """Keep the original's ``text`` as that which the translation ``place`` was made from. The caller commits.

    ``same_texts`` are the digests of texts that are meant to be as in the original, None for those of before.
    """
    row = _find_row(session, edition, place)
    if row is None:
        row = TranslationBase(
            edition=edition,
            story=place.story,
            language=place.language,
            digest="",
            text="",
            recorded_at=now,
        )
    row.digest, row.text, row.recorded_at = digest_original(text), text, now
    if same_texts is not None:
        row.same_texts = " ".join(sorted(same_texts))
    session.add(row)
    session.flush()


def find_base_text(session: Session, edition: str, place: FilePlace, digest: str) -> str | None:
    """Return the text with ``digest`` that the translation ``place`` was made from; None if nobody knows it.

    Where it was translated outside Studio, the history of the original may have it.
    """
    row = _find_row(session, edition, place)
    if row is not None and row.digest == digest:
        return row.text
    earlier = (
        select(RevisionText.text)
        .join(RevisionFile, col(RevisionFile.text_id) == col(RevisionText.id))
        .where(RevisionFile.edition == edition)
        .where(RevisionFile.story == place.story, RevisionFile.language == "")
        .order_by(col(RevisionFile.id).desc())
        .limit(_MAX_EARLIER)
    )
    return next((text for text in session.exec(earlier) if digest_original(text) == digest), None)


def list_same_texts(session: Session, edition: str) -> dict[FilePlace, frozenset[str]]:
    """Return the digests of the texts that are meant to be as in the original, by translation."""
    rows = session.exec(
        select(TranslationBase.story, TranslationBase.language, TranslationBase.same_texts).where(
            TranslationBase.edition == edition
        )
    )
    return {
        FilePlace(story=story, language=language): frozenset(texts.split()) for story, language, texts in rows
    }


def _find_row(session: Session, edition: str, place: FilePlace) -> TranslationBase | None:
    found = select(TranslationBase).where(
        TranslationBase.edition == edition,
        TranslationBase.story == place.story,
        TranslationBase.language == place.language,
    )
    return session.exec(found).one_or_none()


class TranslationState(WordedEnum):
    """How far a translation is."""

    missing = ("missing", gettext_noop("Not begun"), "quiet")
    """There is no file."""

    unreadable = ("unreadable", gettext_noop("Cannot be read"), "wrong")
    """Its front matter, or that of the original, cannot be read."""

    draft = ("draft", gettext_noop("In progress"), "careful")
    """Some of its texts are missing, or still those of the original."""

    outdated = ("outdated", gettext_noop("Original changed"), "careful")
    """The original has changed since."""

    complete = ("complete", gettext_noop("Translated"), "right")
    """Every text is translated, and the original is as it was, as far as anybody knows."""


@dataclass(frozen=True, kw_only=True)
class TranslationStatus:
    """A translation. ``open_texts`` are those that are not translated. ``is_confirmed`` is whether the file
    says which original it was made from."""

    place: FilePlace
    state: TranslationState
    open_texts: Sequence[OpenText] = field(default=())
    is_confirmed: bool = False

    @property
    def may_be_confirmed(self) -> bool:
        """Whether somebody may say that it is up to date."""
        if self.state is TranslationState.complete:
            return not self.is_confirmed
        is_begun = not all(text.is_missing for text in self.open_texts)
        return self.state is TranslationState.outdated or (self.state is TranslationState.draft and is_begun)


@dataclass(frozen=True, kw_only=True)
class EditionTranslations:
    """The translations of an edition into ``languages``. ``language`` is its own; ``stories`` are slugs with
    titles in their order. ``statuses`` has every story and every language, and the edition itself as ""."""

    language: str
    languages: tuple[str, ...]
    stories: tuple[tuple[str, str], ...]
    statuses: Mapping[FilePlace, TranslationStatus]

    def find_status(self, story: str, language: str) -> TranslationStatus:
        """Return the status of a translation, also into a language that the edition does not have yet."""
        place = FilePlace(story=story, language=language)
        return self.statuses.get(place) or TranslationStatus(place=place, state=TranslationState.missing)

    def count(self, language: str, state: TranslationState) -> int:
        found = (self.find_status(story, language) for story in ("", *(slug for slug, _ in self.stories)))
        return sum(status.state is state for status in found)


def list_translation_states(session: Session, workspace: Workspace, edition: str) -> EditionTranslations:
    """List how far each translation of ``edition`` is. Files are parsed only if they have changed. Raise
    ConfigurationError if there is no such edition."""
    folder = workspace.edition_folder(edition)
    reader = _FileReader(workspace, scan_folder(folder), edition)
    same = list_same_texts(session, edition)
    original = reader.read_original("", EDITION_FILE)
    language = original.language if original is not None else _DEFAULT_LANGUAGE
    names = {"": (EDITION_FILE, reader.contents.translations)}
    names |= {files.slug: (files.original, files.translations) for files in reader.contents.stories}
    tags = sorted({tag for _, found in names.values() for tag in found} - {language})
    statuses: dict[FilePlace, TranslationStatus] = {}
    stories = []
    for story, (name, translations) in names.items():
        document = original if not story else reader.read_original(story, name, language)
        if story:
            stories.append((story, (document.front_matter.text("title") if document else "") or story))
        for tag in tags:
            place = FilePlace(story=story, language=tag)
            if tag not in translations:
                statuses[place] = TranslationStatus(place=place, state=TranslationState.missing)
                continue
            translation = reader.read_translation(place, translations[tag])
            statuses[place] = assess_translation(place, document, translation, same.get(place, ()))
    return EditionTranslations(
        language=language, languages=tuple(tags), stories=tuple(stories), statuses=statuses
    )


def assess_translation(
    place: FilePlace,
    original: AnyDocument | None,
    translation: AnyDocument | None,
    same_texts: Collection[str] = (),
) -> TranslationStatus:
    """Tell how far a translation is; None stands for a file that cannot be read. ``same_texts`` are the
    digests of texts that are meant to be as in the original."""
    if original is None or translation is None:
        return TranslationStatus(place=place, state=TranslationState.unreadable)
    digest = text_digest(original.text)
    return _assess(place, original.front_matter, translation.front_matter, digest, same_texts)


def assess_texts(
    place: FilePlace, original: str, translation: str, same_texts: Collection[str] = ()
) -> TranslationStatus:
    """Tell how far a translation is by its text and that of its original."""
    written, translated = (read_unsaved_text("", text)[0] for text in (original, translation))
    fronts = read_front_matter(written)[0], read_front_matter(translated)[0]
    return _assess(place, *fronts, text_digest(written.text), same_texts)


def _assess(
    place: FilePlace,
    original: FrontMatter,
    translation: FrontMatter,
    digest: str,
    same_texts: Collection[str],
) -> TranslationStatus:
    if original.values is None or translation.values is None:
        return TranslationStatus(place=place, state=TranslationState.unreadable)
    found = find_open_texts(original, translation, is_story=bool(place.story))
    texts = tuple(text for text in found if text.is_missing or text.digest not in same_texts)
    recorded = translation.text(ORIGINAL_KEY)
    state = TranslationState.draft if texts else TranslationState.complete
    if recorded and recorded != digest:
        state = TranslationState.outdated
    return TranslationStatus(place=place, state=state, open_texts=texts, is_confirmed=bool(recorded))


class _FileReader:
    """Reads the files of one edition, each from the cache if it is as it was."""

    def __init__(self, workspace: Workspace, contents: FolderContents, edition: str) -> None:
        self._folder = workspace.edition_folder(edition)
        self._sectors = tuple(workspace.settings.sectors)
        self.contents = contents

    def read_original(self, story: str, name: str, language: str | None = None) -> AnyDocument | None:
        return self._read(name, StoryHeader if story else EditionHeader, language, is_letter=not story)

    def read_translation(self, place: FilePlace, name: str) -> AnyDocument | None:
        schema = StoryTranslation if place.story else EditionTranslation
        return self._read(name, schema, place.language, is_letter=not place.story)

    def _read(
        self, name: str, schema: type[BaseModel], language: str | None, *, is_letter: bool
    ) -> AnyDocument | None:
        document, _ = read_document(
            self._folder,
            name,
            schema,
            sectors=self._sectors,
            language=language,
            heading=LETTER_HEADING_LEVEL if is_letter else STORY_HEADING_LEVEL,
            stamp=self.contents.stamps.get(name),
        )
        return document


class ReturnedText(NamedTuple):
    """The new text of a file, as a translator's file makes it; ``base`` is the digest of what the file was
    then, "" if it is new."""

    name: str
    base: str
    text: str


def pack_texts(texts: Sequence[ReturnedText]) -> str:
    """Return the texts for a hidden field: what is applied is exactly what was shown, whatever became of the
    server in between."""
    return base64.b64encode(zlib.compress(json.dumps(texts).encode())).decode()


def unpack_texts(payload: str, language: str) -> list[ReturnedText]:
    """Return what :func:`pack_texts` packed, of translations into ``language``; nothing if it cannot be
    read."""
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(base64.b64decode(payload, validate=True), _MAX_PACKED)
        if not unpacker.eof:
            return []
        texts = [ReturnedText(name, base, text) for name, base, text in json.loads(plain)]
        tags = {canonical_language(parse_file_name(one.name).language) for one in texts}
    except (ValueError, TypeError, zlib.error, EditionFileError, RecursionError):
        return []
    is_text = all(isinstance(part, str) for one in texts for part in one)
    return texts if is_text and tags <= {language} else []


def save_returned_texts(
    workspace: Workspace,
    session: Session,
    edition: str,
    texts: Sequence[ReturnedText],
    *,
    member: Member,
    sitting: str,
    now: datetime,
) -> list[tuple[str, int]]:
    """Write each file that is what it was, and commit it; return the names of the others, each with the
    number under which its new text is kept."""
    kept = []
    for name, base, text in texts:
        save = TextSave(
            edition=edition,
            name=name,
            text=text,
            base=base,
            member=member,
            sitting=sitting,
            sequence=1,
            now=now,
            kind=RevisionKind.imported,
        )
        outcome = save_edition_file(workspace, session, save)
        if isinstance(outcome, Conflict):
            kept.append((name, outcome.number))
        elif (original := _find_original(workspace.edition_folder(edition), save)) is not None:
            record_base(session, edition, save.place, original, now=now)
        session.commit()
    return kept


def _find_original(folder: Path, save: TextSave) -> str | None:
    """Return the text of the original, if that is what the translation says it was made from."""
    try:
        name = find_file_name(folder, FilePlace(story=save.place.story))
        text = read_edition_file(folder, name).text if name is not None else ""
    except EditionFileError:
        return None
    return text if read_front(save.text).text(ORIGINAL_KEY) == digest_original(text) else None

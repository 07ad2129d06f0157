"""The originals that translations were made from."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session, col, select

from editions.source.text_file import read_unsaved_text, text_digest
from mailer.database.edition_models import RevisionFile, RevisionText, TranslationBase
from mailer.revisions.edition_file import FilePlace

_MAX_EARLIER = 200


def digest_original(text: str) -> str:
    """The digest of an original, as the checks of an edition make it for ``translated_from``."""
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
    """The text with ``digest`` that the translation ``place`` was made from; None if nobody knows it.

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
    """The digests of the texts that are meant to be as in the original, by translation."""
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

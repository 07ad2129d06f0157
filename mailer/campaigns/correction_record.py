"""Corrections in the database: what was wrong in a story that was sent, and what is right."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Correction
from mailer.errors import MailerError
from mailer.rendering.body.variants import choose_language

SEPARATOR = "~"
"""Between an edition's name and the rest of a correction's; no edition's name can contain it."""

_SHOWN_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_COLUMNS = (
    *(col(Correction.name), col(Correction.edition), col(Correction.story), col(Correction.number)),
    *(col(Correction.digest), col(Correction.language), col(Correction.day), col(Correction.texts)),
)


class CorrectionConflictError(MailerError):
    """Another correction of the same edition was stored at the same moment."""

    def __init__(self, edition: str) -> None:
        super().__init__(
            f"Another correction of {edition} was launched at the same moment, and nothing was sent of this "
            "one. Run the command again."
        )


@dataclass(frozen=True, kw_only=True)
class CorrectionText:
    """A correction in one language: the ``title`` of the story, what it said, what is ``right``, and the
    explanation as sanitised XHTML and as plain text, which may be empty."""

    title: str
    was: str
    right: str
    html: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CorrectionRecord:
    """A correction of one ``story`` of an ``edition``; ``texts`` by language, its own first."""

    name: str
    edition: str
    story: str
    number: int
    digest: str
    language: str
    day: date
    texts: Mapping[str, CorrectionText]

    @property
    def subject_name(self) -> str:
        """What it corrects, as people write it: ``2026-1/teachers``."""
        return f"{self.edition}/{self.story}"

    def choose_text(self, language: str) -> tuple[str, CorrectionText]:
        """The text for readers of ``language`` with its language tag; its own if it was not translated."""
        tag = choose_language(language, tuple(self.texts))
        return tag, self.texts[tag]


@dataclass(frozen=True, kw_only=True)
class SentCorrection:
    """A correction that was sent, the ids of its ``campaigns``, and when the first was launched."""

    record: CorrectionRecord
    sent_at: datetime
    campaigns: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The correction in the form of the JSON output."""
        record = self.record
        return {
            **{name: getattr(record, name) for name in ("edition", "story", "number", "language")},
            "date": record.day.isoformat(),
            "sent_at": self.sent_at.isoformat(),
            "campaigns": list(self.campaigns),
            "texts": {
                tag: {"title": text.title, "was": text.was, "is": text.right, "explanation": text.text}
                for tag, text in record.texts.items()
            },
        }


def name_correction(edition: str, number: int) -> str:
    """The name of a correction, which its campaigns have in the place of an edition's."""
    return f"{edition}{SEPARATOR}correction-{number}"


def find_correction(connection: Connection, edition: str, story: str, digest: str) -> CorrectionRecord | None:
    """The correction of a story with this ``digest`` of its note; None if it is new."""
    statement = select(*_COLUMNS).where(
        col(Correction.edition) == edition,
        col(Correction.story) == story,
        col(Correction.digest) == digest,
    )
    row = connection.execute(statement).first()
    return None if row is None else _read_record(row)


def find_next_number(connection: Connection, edition: str) -> int:
    """The number of the next correction of ``edition``."""
    last = select(func.max(col(Correction.number))).where(col(Correction.edition) == edition)
    return (connection.scalar(last) or 0) + 1


def store_correction(connection: Connection, record: CorrectionRecord, now: datetime) -> None:
    """Store ``record``, or its translations if it is stored already. The caller holds the lock of its launch.

    Raises:
        CorrectionConflictError: another correction has its name.
    """
    statement = select(col(Correction.id), *_COLUMNS).where(col(Correction.name) == record.name)
    row = connection.execute(statement).first()
    texts = json.dumps({tag: asdict(text) for tag, text in record.texts.items()}, ensure_ascii=False)
    if row is None:
        values = {
            **{name: getattr(record, name) for name in ("name", "edition", "story", "number", "digest")},
            **{"language": record.language, "day": record.day, "texts": texts, "created_at": now},
        }
        connection.execute(insert(Correction).values(values))
    elif (row.story, row.digest) != (record.story, record.digest):
        raise CorrectionConflictError(record.edition)
    else:
        connection.execute(update(Correction).where(col(Correction.id) == row.id).values(texts=texts))


def find_corrections(connection: Connection, names: Sequence[str]) -> dict[str, CorrectionRecord]:
    """Those of ``names``, which are editions' or corrections', that are corrections, by name."""
    wanted = [name for name in names if SEPARATOR in name]
    if not wanted:
        return {}
    rows = connection.execute(select(*_COLUMNS).where(col(Correction.name).in_(wanted)))
    return {row.name: _read_record(row) for row in rows}


def list_sent_corrections(connection: Connection, editions: Sequence[str]) -> list[SentCorrection]:
    """The corrections of ``editions`` that were sent, oldest first."""
    columns: list[Any] = [*_COLUMNS, col(Campaign.id).label("campaign_id"), col(Campaign.launched_at)]
    statement = (
        select(*columns)
        .join(Campaign, col(Campaign.edition) == col(Correction.name))
        .where(
            col(Correction.edition).in_(editions),
            col(Campaign.state).in_(_SHOWN_STATES),
            col(Campaign.launched_at).is_not(None),
        )
        .order_by(col(Campaign.id))
    )
    found: dict[str, SentCorrection] = {}
    for row in connection.execute(statement):
        first = found.get(row.name) or SentCorrection(record=_read_record(row), sent_at=row.launched_at)
        found[row.name] = replace(first, campaigns=(*first.campaigns, row.campaign_id))
    return list(found.values())


def _read_record(row: Any) -> CorrectionRecord:
    texts = {tag: CorrectionText(**values) for tag, values in json.loads(row.texts).items()}
    own = row.language
    ordered = {own: texts[own], **{tag: text for tag, text in texts.items() if tag != own}}
    return CorrectionRecord(
        name=row.name,
        edition=row.edition,
        story=row.story,
        number=row.number,
        digest=row.digest,
        language=own,
        day=row.day,
        texts=MappingProxyType(ordered),
    )

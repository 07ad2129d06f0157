"""Corrections: what was wrong in a story that was sent and what is right, in the database and as a mail.

The mail is an edition of one story, made from a note, with the look of the edition. So it takes the way of
every edition: the same theme, footer, checks and messages.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from html import unescape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from markupsafe import Markup, escape
from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import col

from editions.correction_note import CorrectionNote, NoteText
from editions.model import Edition, EditionText, Personalisation, ReadMore, Story, StoryKind, StoryText
from editions.source.schema import EditionHeader
from mailer.database.models import Campaign, CampaignState, Correction
from mailer.errors import MailerError
from mailer.rendering.archive_urls import archive_url, story_url, version_query
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.body.variants import choose_language
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.template_context.page_builder import embed_html, mark_text
from mailer.rendering.themes.template_files import Phrases, load_phrases

SEPARATOR = "~"
"""Between an edition's name and the rest of a correction's; no edition's name can contain it."""

_SHOWN_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_KEPT = ("name", "edition", "story", "number", "digest", "language", "day")
"""What the row of a correction has as it is; the texts are JSON in it."""
_COLUMNS: tuple[Any, ...] = tuple(col(getattr(Correction, name)) for name in (*_KEPT, "texts"))
_SECTION = "correction"
"""The key of its section, whose heading is a phrase."""
_MAX_PREHEADER = 130
_HEADING = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


class CorrectionConflictError(MailerError):
    """Another correction of the same edition was stored at the same moment."""

    def __init__(self, edition: str) -> None:
        super().__init__(
            f"Another correction of {edition} was launched at the same moment, and nothing was sent of this "
            "one. Run the command again."
        )


@dataclass(frozen=True, kw_only=True)
class CorrectionText:
    """A correction in one language; the explanation is sanitised XHTML and plain text, and may be empty."""

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
        """Return the text for readers of ``language`` and its tag; its own if it was not translated."""
        tag = choose_language(language, tuple(self.texts))
        return tag, self.texts[tag]


@dataclass(frozen=True, kw_only=True)
class SentCorrection:
    """A correction that was sent, the ids of its ``campaigns``, and when the first was launched."""

    record: CorrectionRecord
    sent_at: datetime
    campaigns: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        record = self.record
        return {
            **{name: getattr(record, name) for name in ("edition", "story", "number", "language")},
            **{"date": record.day, "sent_at": self.sent_at, "campaigns": self.campaigns},
            "texts": {
                tag: {"title": text.title, "was": text.was, "is": text.right, "explanation": text.text}
                for tag, text in record.texts.items()
            },
        }


def name_correction(edition: str, number: int) -> str:
    """Return the name of a correction, which its campaigns have in the place of an edition's."""
    return f"{edition}{SEPARATOR}correction-{number}"


def find_correction(connection: Connection, edition: str, story: str, digest: str) -> CorrectionRecord | None:
    """Return the correction of a story with this ``digest`` of its note; None if it is new."""
    statement = select(*_COLUMNS).where(
        col(Correction.edition) == edition,
        col(Correction.story) == story,
        col(Correction.digest) == digest,
    )
    row = connection.execute(statement).first()
    return None if row is None else _read_record(row)


def find_next_number(connection: Connection, edition: str) -> int:
    last = select(func.max(col(Correction.number))).where(col(Correction.edition) == edition)
    return (connection.scalar(last) or 0) + 1


def store_correction(connection: Connection, record: CorrectionRecord, now: datetime) -> None:
    """Store ``record``, or its translations if it is stored already. Raise CorrectionConflictError if another
    correction has its name. The caller holds the lock of its launch."""
    statement = select(col(Correction.id), *_COLUMNS).where(col(Correction.name) == record.name)
    row = connection.execute(statement).first()
    texts = json.dumps({tag: asdict(text) for tag, text in record.texts.items()}, ensure_ascii=False)
    if row is None:
        values = {name: getattr(record, name) for name in _KEPT}
        connection.execute(insert(Correction).values(**values, texts=texts, created_at=now))
    elif (row.story, row.digest) != (record.story, record.digest):
        raise CorrectionConflictError(record.edition)
    else:
        connection.execute(update(Correction).where(col(Correction.id) == row.id).values(texts=texts))


def find_corrections(connection: Connection, names: Sequence[str]) -> dict[str, CorrectionRecord]:
    wanted = [name for name in names if SEPARATOR in name]
    if not wanted:
        return {}
    rows = connection.execute(select(*_COLUMNS).where(col(Correction.name).in_(wanted)))
    return {row.name: _read_record(row) for row in rows}


def list_sent_corrections(connection: Connection, editions: Sequence[str]) -> list[SentCorrection]:
    """Return the corrections of ``editions`` that were sent, oldest first."""
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
    kept = {name: getattr(row, name) for name in _KEPT}
    return CorrectionRecord(**kept, texts=MappingProxyType(ordered))


@dataclass(frozen=True, kw_only=True)
class CorrectedEdition:
    """The edition whose story is corrected: ``contents`` is the newest frozen content with the story, by
    language, the edition's own first; ``source`` is None if its folder no longer exists or cannot be read."""

    contents: dict[str, CompiledEdition]
    source: Edition | None

    @property
    def language(self) -> str:
        return next(iter(self.contents))

    def content_for(self, language: str) -> CompiledEdition:
        return self.contents[choose_language(language, tuple(self.contents))]


def describe_correction(
    note: CorrectionNote,
    edition: CorrectedEdition,
    *,
    name: str,
    slug: str,
    story: str,
    number: int,
    digest: str,
    today: date,
) -> CorrectionRecord:
    """Return the correction that ``note`` makes of ``story``, dated ``today`` if the note does not say."""
    texts = {
        tag: CorrectionText(
            title=text.title or find_story_title(edition.content_for(tag), story),
            was=text.was,
            right=text.right,
            html=text.html,
            text=text.text,
        )
        for tag, text in note.texts.items()
    }
    return CorrectionRecord(
        name=name,
        edition=slug,
        story=story,
        number=number,
        digest=digest,
        language=note.language,
        day=note.day or today,
        texts=MappingProxyType(texts),
    )


def find_story_title(content: CompiledEdition, story: str) -> str:
    """Return the title of a story as it was sent: its first heading. Its name if it has none."""
    place = find_fragment(content.html, FragmentKind.story, story, markup=True)
    heading = _HEADING.search(content.html[slice(*place)]) if place else None
    title = " ".join(unescape(_TAG.sub("", heading[2])).split()) if heading else ""
    return title or story


def make_correction_edition(
    record: CorrectionRecord,
    note: CorrectionNote,
    edition: CorrectedEdition,
    *,
    folder: Path,
    base_url: str,
    overrides: Path | None,
) -> Edition:
    """Return the edition that is sent: one story, without a letter, in every language of the note."""
    source, language = edition.source, note.language
    texts, stories = {}, {}
    for tag, text in note.texts.items():
        phrases, known = load_phrases(tag, overrides), record.texts[tag]
        texts[tag] = _make_edition_text(tag, text, known, edition, phrases)
        stories[tag] = _make_story_text(tag, text, record, edition, phrases, base_url)
    own = texts[language]
    default: str = EditionHeader.model_fields["template"].default
    story = Story(
        slug=record.story,
        source=note.file,
        kind=StoryKind.story,
        sector=_SECTION,
        countries=(),
        date="",
        texts=MappingProxyType(stories),
        image=None,
        read_more=stories[language].read_more,
        everyone=True,
    )
    return Edition(
        folder=folder,
        slug=record.name,
        title=own.title,
        number=source.number if source else "",
        period=own.period,
        date=record.day,
        language=language,
        languages=tuple(note.texts),
        subject=own.subject,
        preheader=own.preheader,
        template=source.template if source else default,
        sender_name=edition.content_for(language).sender_name,
        letter=None,
        stories=(story,),
        personalise=Personalisation.off,
        lists_contents=False,
        texts=MappingProxyType(texts),
        authors=source.authors if source else (),
    )


def _make_edition_text(
    tag: str, text: NoteText, known: CorrectionText, edition: CorrectedEdition, phrases: Phrases
) -> EditionText:
    content, source = edition.content_for(tag), edition.source
    masthead = source.texts.get(content.language) if source else None
    subject = text.subject or known.title
    head = phrases.correction.format(what="").strip()
    return EditionText(
        language=tag,
        title=content.title,
        period=masthead.period if masthead else "",
        subject=subject if subject.startswith(head) else phrases.correction.format(what=subject),
        preheader=_shorten(f"{phrases.correction_is}: {text.right}"),
        introductions=MappingProxyType({}),
    )


def _make_story_text(
    tag: str,
    text: NoteText,
    record: CorrectionRecord,
    edition: CorrectedEdition,
    phrases: Phrases,
    base_url: str,
) -> StoryText:
    title, content = record.texts[tag].title, edition.content_for(tag)
    page = _find_page(content, record.story, base_url)
    words = f"{phrases.correction_was}\n\n> {text.was}\n\n{phrases.correction_is}\n\n{text.right}"
    return StoryText(
        language=tag,
        title=title,
        html=_write_html(tag, text, phrases) + text.html,
        text="\n\n".join(filter(None, (words, text.text))),
        words=len(words.split()),
        caption="",
        alt="",
        date=format_day(record.day, tag),
        read_more=(ReadMore(what=title, url=f"{page}#{anchor_correction(record)}"),),
    )


def _find_page(content: CompiledEdition, story: str, base_url: str) -> str:
    """Return the address of the story's page; that of the edition if it was sent before stories had pages."""
    if content.web is None:
        return archive_url(base_url, content.slug, content.language, content.digest)
    return story_url(base_url, content.slug, content.language, story, version_query(content.digest))


def anchor_correction(record: CorrectionRecord) -> str:
    """Return the anchor of a correction beside its story in the web edition."""
    return f"correction-{record.number}"


def _write_html(tag: str, text: NoteText, phrases: Phrases) -> str:
    def label(words: str) -> Markup:
        spoken = phrases.language
        same = spoken.partition("-")[0] == tag.partition("-")[0]
        return embed_html(escape(words), tag if same else spoken, tag)

    # A plain string: added to markup, the sanitised explanation would be escaped again.
    words = Markup("<h4>{}</h4><blockquote><p>{}</p></blockquote><h4>{}</h4><p>{}</p>").format(
        label(phrases.correction_was),
        mark_text(text.was, tag),
        label(phrases.correction_is),
        mark_text(text.right, tag),
    )
    return str(words)


def format_day(day: date, language: str) -> str:
    """``day`` in the long form of ``language``; in the international form where CLDR does not know it."""
    if language == "en":
        return f"{day.day} {day:%B %Y}"
    try:
        return format_date(day, "long", locale=Locale.parse(language, sep="-"))
    except (UnknownLocaleError, ValueError):
        return day.isoformat()


def _shorten(text: str) -> str:
    if len(text) <= _MAX_PREHEADER:
        return text
    cut = text[: _MAX_PREHEADER - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"

"""Where a saved segment, a sector and a key that signs links are used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, null, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from editions.changes.front_matter_change import read_fields
from editions.errors import FrontMatterError
from editions.source.folder import STORIES_FOLDER
from locales.phrase import gettext_noop
from mailer.campaigns.delivery_history import DeliveryHistory
from mailer.campaigns.preparation.preparation import PREPARED_STATES
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import Campaign, CampaignState
from mailer.keys import TokenKey
from mailer.settings import Settings
from subscribers.errors import SegmentError
from subscribers.models import SavedSegment, SubscriberSector
from subscribers.segments.parser import ParsedExpression, parse_expression
from subscribers.segments.saved_segments import (
    SavedSegmentError,
    SavedSegmentStore,
    delete_segment,
    list_saved_segments,
    rename_segment,
)
from subscribers.segments.terms import SAVED_KEY, SegmentLookups, to_text

MOST_COUNTED = 1000
"""More subscribers than that are not counted: it only matters that there are many."""
_FRONT_BYTES = 16 * 1024
_PROTECTED_DAYS = 60
"""How long a link to unsubscribe has to work after the mail was sent, in the strictest country (Canada)."""
_USE_COLUMNS: tuple[Any, ...] = (
    col(Campaign.id).label("campaign_id"),
    col(Campaign.edition),
    col(Campaign.state),
)


@dataclass(frozen=True, kw_only=True)
class SegmentUses:
    """The uses of a saved segment, by the names of other segments, and by campaigns: rows with their
    ``campaign_id``, ``edition`` and ``state``, and ``at``, the time of the launch or of the start that is
    planned, None while they are being prepared."""

    segments: tuple[str, ...] = ()
    # Being prepared: they name it, were given it, or mean the same.
    drafts: tuple[Row[Any], ...] = ()
    named_in: tuple[Row[Any], ...] = ()
    # Scheduled or launched for exactly what it means now: a campaign keeps what a name meant, not the name.
    campaigns: tuple[Row[Any], ...] = ()

    @property
    def last_used(self) -> datetime | None:
        launched = (use.at for use in self.campaigns if use.state is not CampaignState.scheduled)
        return max(filter(None, launched), default=None)


def make_lookups(connection: Connection, settings: Settings) -> SegmentLookups:
    return SegmentLookups(
        sectors=settings.sectors,
        deliveries=DeliveryHistory(connection),
        saved=SavedSegmentStore(connection),
    )


def find_segment_uses(
    connection: Connection, settings: Settings, saved: Sequence[SavedSegment], among: Sequence[SavedSegment]
) -> dict[str, SegmentUses]:
    """Find where each of ``saved`` is used, by name; ``among`` are all saved segments."""
    lookups = make_lookups(connection, settings)
    parsed = {one.name: _parse(one.text, lookups) for one in among}
    meanings = {one.name: _list_meanings(one, parsed[one.name]) for one in saved}
    drafts = [(use, _parse(use.segment, lookups)) for use in _list_drafts(connection)]
    launched = _list_campaigns(connection, sorted({text for texts in meanings.values() for text in texts}))
    return {
        one.name: SegmentUses(
            segments=tuple(name for name, tree in parsed.items() if tree and one.name in tree.named),
            drafts=tuple(
                use
                for use, tree in drafts
                if one.name == use.segment_name
                or use.segment.strip() in meanings[one.name]
                or (tree and one.name in tree.named)
            ),
            named_in=tuple(use for use, tree in drafts if tree and one.name in tree.named),
            campaigns=tuple(use for use in launched if use.segment in meanings[one.name]),
        )
        for one in saved
    }


class SavedMeaning(StrEnum):
    """The fate of a saved segment since a campaign was prepared for it."""

    same = "same"
    changed = "changed"
    gone = "gone"


def find_segment_name(text: str, lookups: SegmentLookups) -> str:
    """Return the name of the saved segment that a query is and nothing else; "" if it is anything else."""
    parsed = _parse(text, lookups)
    if parsed is None or len(parsed.parts) != 1 or len(parsed.names) != 1:
        return ""
    ((name, _),) = parsed.names
    return name if text.strip().casefold().startswith(SAVED_KEY) else ""


def compare_saved_segment(
    connection: Connection, settings: Settings, name: str, segment: str
) -> SavedMeaning:
    """Compare what a name meant, as the text of a prepared campaign, with what it means now."""
    text = SavedSegmentStore(connection).find(name)
    if text is None:
        return SavedMeaning.gone
    parsed = _parse(text, make_lookups(connection, settings))
    is_same = parsed is not None and segment in {text.strip(), to_text(parsed.tree)}
    return SavedMeaning.same if is_same else SavedMeaning.changed


def rename_saved_segment(
    connection: Connection, settings: Settings, saved: SavedSegment, new_name: str, *, now: datetime
) -> SavedSegment:
    """Give a saved segment another name, also in other segments and in campaigns that were prepared for it.
    The caller commits. Raise SavedSegmentError if campaigns that are being prepared name the segment in their
    query, or as :func:`subscribers.segments.saved_segments.rename_segment` says."""
    _refuse_if_named_in_drafts(connection, settings, saved)
    renamed = rename_segment(connection, saved.name, new_name, make_lookups(connection, settings), now=now)
    named = update(CampaignPreparation).where(col(CampaignPreparation.segment_name) == saved.name)
    connection.execute(named.values(segment_name=renamed.name))
    return renamed


def delete_saved_segment(connection: Connection, settings: Settings, saved: SavedSegment) -> None:
    """Delete a saved segment. The caller commits. Raise SavedSegmentError if other segments, or campaigns
    that are being prepared, name it; the message says which.
    """
    _refuse_if_named_in_drafts(connection, settings, saved)
    delete_segment(connection, saved.name, make_lookups(connection, settings))


def _refuse_if_named_in_drafts(connection: Connection, settings: Settings, saved: SavedSegment) -> None:
    uses = find_segment_uses(connection, settings, [saved], [saved])[saved.name]
    if uses.named_in:
        drafts = ", ".join(f"{use.edition} (campaign {use.campaign_id})" for use in uses.named_in)
        raise SavedSegmentError(
            gettext_noop(
                '"%(name)s" is named in a campaign that is being prepared: %(drafts)s. First '
                "choose another segment there."
            )
            % {"name": saved.name, "drafts": drafts}
        )


def _parse(text: str, lookups: SegmentLookups) -> ParsedExpression | None:
    """``text`` as understood now; None if it no longer is, for example because a sector was renamed."""
    try:
        return parse_expression(text.strip(), lookups)
    except SegmentError:
        return None


def _list_meanings(saved: SavedSegment, parsed: ParsedExpression | None) -> frozenset[str]:
    written_out = [] if parsed is None else [to_text(parsed.tree)]
    return frozenset([saved.text.strip(), *written_out])


def _list_drafts(connection: Connection) -> Sequence[Row[Any]]:
    """Return the campaigns that are being prepared for a segment, with the segment's name and text."""
    named = (col(CampaignPreparation.segment_name), col(CampaignPreparation.segment))
    wanted: Select[Any] = (
        select_columns(*_USE_COLUMNS, null().label("at"), *named)
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(col(Campaign.state).in_(PREPARED_STATES), col(CampaignPreparation.segment).is_not(None))
        .order_by(col(Campaign.id).desc())
    )
    return connection.execute(wanted).all()


def _list_campaigns(connection: Connection, segments: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the campaigns that are scheduled or were launched for one of ``segments``, with its text; the
    newest first."""
    at = func.coalesce(col(Campaign.launched_at), col(Campaign.scheduled_at))
    wanted: Select[Any] = (
        select_columns(*_USE_COLUMNS, at.label("at"), col(Campaign.segment))
        .where(
            col(Campaign.segment).in_(segments),
            col(Campaign.launched_at).is_not(None) | (col(Campaign.state) == CampaignState.scheduled),
        )
        .order_by(col(Campaign.id).desc())
    )
    return connection.execute(wanted).all()


@dataclass(frozen=True, kw_only=True)
class SectorUse:
    """The use of a sector. ``subscribers`` who follow it are at most one more than :data:`MOST_COUNTED`;
    ``segments`` are the names of saved segments that ask for it."""

    stories: int = 0
    editions: int = 0
    subscribers: int = 0
    segments: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stories or self.subscribers or self.segments)


def count_sector_use(session: Session, settings: Settings, editions: Path, sector: str) -> SectorUse:
    """Count what uses ``sector``. It reads the head of every story in ``editions``."""
    stories = [path for path in _list_stories(editions) if _is_about(path, sector)]
    return SectorUse(
        stories=len(stories),
        editions=len({path.parent.parent for path in stories}),
        subscribers=count_followers(session, sector),
        segments=tuple(_find_segments(session, settings, sector)),
    )


def count_followers(session: Session, sector: str) -> int:
    """Return how many subscribers follow ``sector``; :data:`MOST_COUNTED` and one for more."""
    some = select_columns(col(SubscriberSector.subscriber_id)).where(col(SubscriberSector.sector) == sector)
    return int(
        session.execute(
            select_columns(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
        ).scalar_one()
    )


def _list_stories(editions: Path) -> list[Path]:
    return sorted(editions.glob(f"[!.]*/{STORIES_FOLDER}/*.md"))


def _is_about(path: Path, sector: str) -> bool:
    """Return whether a story is about ``sector``. One that cannot be read counts if it mentions the word:
    somebody may be in the middle of writing it."""
    try:
        with path.open("rb") as file:
            text = file.read(_FRONT_BYTES).decode("utf-8", "replace")
    except OSError:
        return False
    head = text[: text.find("\n---", 4) + 1] or text
    if sector not in head:
        return False
    try:
        return read_fields(f"{head}---\n").get("sector") == sector
    except FrontMatterError:
        return f"sector: {sector}" in head


def _find_segments(session: Session, settings: Settings, sector: str) -> Iterator[str]:
    connection = session.connection()
    lookups = make_lookups(connection, settings)
    for saved in list_saved_segments(connection):
        if sector not in saved.text:
            continue
        try:
            words = to_text(parse_expression(saved.text.strip(), lookups).tree)
        except SegmentError:
            continue
        if any(sector in term.partition(":")[2].strip('()"').split(",") for term in _list_terms(words)):
            yield saved.name


def _list_terms(words: str) -> list[str]:
    return [
        term.lstrip("-(").rstrip(")") for term in words.split() if term.lstrip("-(").startswith("sector:")
    ]


@dataclass(frozen=True, kw_only=True)
class KeyUse:
    """The campaigns whose links a key may have signed, and the day (UTC) on which the last was launched."""

    campaigns: int
    readers: int
    last_launch: date | None

    def is_protected(self, today: date) -> bool:
        """Return whether the law still asks for some of the links to work."""
        return self.last_launch is not None and today - self.last_launch <= timedelta(days=_PROTECTED_DAYS)


def find_key_use(session: Session, key: TokenKey) -> KeyUse:
    """Find the campaigns launched while ``key`` signed. One that was being sent when the key was replaced may
    have links of the next key too."""
    conditions: list[ColumnElement[bool]] = [col(Campaign.launched_at).is_not(None)]
    if key.made:
        conditions.append(col(Campaign.launched_at) >= _start_of(date.fromisoformat(key.made)))
    if key.last_day:
        day_after = date.fromisoformat(key.last_day) + timedelta(days=1)
        conditions.append(col(Campaign.launched_at) < _start_of(day_after))
    number, readers, last = session.exec(
        select(
            func.count(), func.coalesce(func.sum(Campaign.audience), 0), func.max(col(Campaign.launched_at))
        ).where(*conditions)
    ).one()
    return KeyUse(
        campaigns=number, readers=readers, last_launch=last.astimezone(UTC).date() if last else None
    )


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

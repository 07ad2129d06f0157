"""What a sector is used by: stories of editions, subscribers who follow it, saved segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlmodel import Session, col

from editions.changes.front_matter_change import read_fields
from editions.errors import FrontMatterError
from editions.source.folder import STORIES_FOLDER
from mailer.campaigns.segment_uses import make_lookups
from mailer.settings import Settings
from subscribers.errors import SegmentError
from subscribers.models import SubscriberSector
from subscribers.segments.parser import parse_expression
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.syntax_tree import to_text

MOST_COUNTED = 1000
"""More subscribers than that are not counted: it only matters that there are many."""

_FRONT_BYTES = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class SectorUse:
    """How many stories are about a sector, in how many editions, and how many subscribers follow it: at most
    one more than :data:`MOST_COUNTED`. ``segments`` are the names of saved segments that ask for it."""

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
    """How many subscribers follow ``sector``; :data:`MOST_COUNTED` and one for more."""
    some = select(col(SubscriberSector.subscriber_id)).where(col(SubscriberSector.sector) == sector)
    return int(
        session.execute(
            select(func.count()).select_from(some.limit(MOST_COUNTED + 1).subquery())
        ).scalar_one()
    )


def _list_stories(editions: Path) -> list[Path]:
    return sorted(editions.glob(f"[!.]*/{STORIES_FOLDER}/*.md"))


def _is_about(path: Path, sector: str) -> bool:
    """Whether a story is about ``sector``. One that cannot be read counts if it mentions the word, so that
    nothing is lost that somebody is in the middle of writing."""
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

"""The numbers of a segment: how many, where they are, what they follow, and what has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from mailer.counts.counters import CountedNumber, count_cross_table, count_difference, count_segment
from mailer.database.models import Campaign, Correction
from mailer.web.studio.page import StudioPage
from mailer.web.studio.segment_query import SegmentQuery
from mailer.web.studio.segments.heat_map import HeatMap, make_heat_map
from subscribers.models import Status, Subscriber

_MOST_EDITIONS = 12
_EDITION = "edition:"


@dataclass(frozen=True, kw_only=True)
class SentEdition:
    """An edition that was sent, to compare with; ``value`` is it as an audience ("edition:2026-1")."""

    value: str
    slug: str
    sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangedSide:
    """Who is new, or gone: how many, by reason, and where they are listed, "" if they cannot be."""

    total: int
    reasons: Mapping[str, int]
    path: str


@dataclass(frozen=True, kw_only=True)
class SamplePartner:
    """One of those in the segment."""

    name: str
    organisation: str
    email: str
    path: str


@dataclass(frozen=True, kw_only=True)
class SegmentNumbers:
    """What a page shows of a query in numbers. Each :class:`CountedNumber` may still be counted.

    ``difference`` is None if nothing was sent yet, or nothing is to be compared; ``compared`` is with what.
    """

    size: CountedNumber
    table: CountedNumber
    heat_map: HeatMap | None
    partners: Sequence[SamplePartner]
    editions: Sequence[SentEdition]
    compared: str
    difference: CountedNumber | None
    new: ChangedSide | None
    gone: ChangedSide | None
    list_path: str

    @property
    def is_counting(self) -> bool:
        """Whether one of them is still on its way."""
        numbers = (self.size, self.table, self.difference)
        return any(number is not None and number.is_counting for number in numbers)


def find_numbers(page: StudioPage, session: Session, query: SegmentQuery, compared: str) -> SegmentNumbers:
    """Find what is known of a query that is understood, and have the rest counted."""
    text = query.text.strip() or "all"
    editions = list_sent_editions(session)
    known = {edition.value for edition in editions}
    chosen = compared if compared in known else (editions[0].value if editions else "")
    requests = [count_segment(text), count_cross_table(text)]
    requests += [count_difference(chosen, text)] if chosen else []
    size, table, *others = page.state.counts.get_all(requests)
    difference = others[0] if others else None
    slug = chosen.removeprefix(_EDITION)
    return SegmentNumbers(
        size=size,
        table=table,
        heat_map=make_heat_map(page, query, table),
        partners=_read_partners(page, session, size),
        editions=editions,
        compared=chosen,
        difference=difference,
        new=_read_side(page, difference, "new", query.narrow(f"-got:{slug}")),
        gone=_read_side(page, difference, "gone", _exclude(query, slug)),
        list_path=_list_path(page, query.text.strip()),
    )


def list_sent_editions(session: Session) -> list[SentEdition]:
    """The editions that were sent last, the newest first; corrections are none."""
    last = func.max(col(Campaign.launched_at))
    wanted = (
        select(col(Campaign.edition), last)
        .where(
            col(Campaign.launched_at).is_not(None), col(Campaign.edition).not_in(select(col(Correction.name)))
        )
        .group_by(col(Campaign.edition))
        .order_by(last.desc())
        .limit(_MOST_EDITIONS)
    )
    return [
        SentEdition(value=f"{_EDITION}{slug}", slug=slug, sent_at=sent_at)
        for slug, sent_at in session.exec(wanted)
        if sent_at is not None
    ]


def _read_side(
    page: StudioPage, difference: CountedNumber | None, side: str, query: str
) -> ChangedSide | None:
    if difference is None or difference.value is None:
        return None
    reasons = difference.value[side]
    total = sum(reasons.values())
    return ChangedSide(total=total, reasons=reasons, path=_list_path(page, query) if total else "")


def _exclude(query: SegmentQuery, slug: str) -> str:
    """Who got an edition and is not in the segment."""
    return f"got:{slug}" if query.is_everyone else f"got:{slug} -({query.text.strip()})"


def _list_path(page: StudioPage, query: str) -> str:
    if not page.leads_to("/partners"):
        return ""
    return page.make_path("/partners", None, **({"query": query} if query else {}))


def _read_partners(page: StudioPage, session: Session, size: CountedNumber) -> list[SamplePartner]:
    """The first few in the segment, as they are now; whoever was erased meanwhile is not among them."""
    numbers = size.value["first"] if size.value else []
    found = session.exec(
        select(Subscriber)
        .where(col(Subscriber.id).in_(numbers), col(Subscriber.status) != Status.erased)
        .order_by(col(Subscriber.id))
    )
    leads = page.leads_to("/partners/{subscriber}")
    return [
        SamplePartner(
            name=one.name,
            organisation=one.organisation,
            email=one.email,
            path=page.make_path(f"/partners/{one.id}") if leads else "",
        )
        for one in found
    ]

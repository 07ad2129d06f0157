"""The difference between two audiences: who is new, who is gone, and why.

Everybody has one reason, the first that fits, so that the numbers add up: the state of a delivery or of the
subscriber comes before what the segment asks for. One statement counts all of it, so it is one moment.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlmodel import Session, col

from mailer.campaigns.audiences.compared_audience import Side, read_side
from mailer.campaigns.audiences.segments import has_delivery, has_got, vocabulary_of
from mailer.database.models import Delivery, DeliveryState
from mailer.settings import Settings
from subscribers.explaining import explain_part
from subscribers.expression import Expression, Group, negate
from subscribers.models import Status, Subscriber
from subscribers.phrases import Vocabulary
from subscribers.segment import eligible
from subscribers.terms import Key

_UNDELIVERED = (
    ("their mail server refused it", (DeliveryState.rejected,)),
    ("their message could not be made, or was given up", (DeliveryState.failed,)),
    ("left before their turn", (DeliveryState.suppressed,)),
    ("still wait for their turn", (DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred)),
)
_NO_MAIL = (
    ("left", Status.unsubscribed),
    ("bounced: the address is dead", Status.bounced),
    ("complained", Status.complained),
    ("were erased", Status.erased),
    ("are paused", Status.paused),
    ("have not confirmed", Status.pending),
)
_MAY_CHANGE = frozenset({Key.country, Key.sector, Key.language, Key.tag, Key.org})
_VERB = re.compile(r"(are|do) not |(are) |(?=follow|read|belong)")


class Change(StrEnum):
    """What became of a subscriber from one audience to the other."""

    both = "both"
    """In both."""

    new = "new"
    """In the second alone."""

    gone = "gone"
    """In the first alone."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Somebody who is new or gone, and why."""

    change: Change
    reason: str
    email: str
    name: str
    organisation: str
    country: str | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two audiences side by side. ``new`` and ``gone`` count people by reason, the most first."""

    before: Side
    after: Side
    both: int
    new: dict[str, int]
    gone: dict[str, int]

    @property
    def before_count(self) -> int:
        return self.both + sum(self.gone.values())

    @property
    def after_count(self) -> int:
        return self.both + sum(self.new.values())

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON shows it, without the people."""
        return {
            "before": {"audience": self.before.text, "count": self.before_count},
            "after": {"audience": self.after.text, "count": self.after_count},
            "both": self.both,
            **{
                change: {
                    "count": sum(reasons.values()),
                    "reasons": [{"reason": reason, "count": count} for reason, count in reasons.items()],
                }
                for change, reasons in (("new", self.new), ("gone", self.gone))
            },
        }


class Comparison:
    """Two audiences, to be counted or listed."""

    def __init__(self, before: Side, after: Side, vocabulary: Vocabulary, today: date) -> None:
        self.before, self.after = before, after
        # Why somebody of the other side is not in this one.
        self._new = _Reasons(before, after, vocabulary, today)
        self._gone = _Reasons(after, before, vocabulary, today)

    def count(self, reading: Session) -> Difference:
        """How many are in both, new and gone, by reason."""
        people = self._people().subquery()
        counted = select(people.c.change, people.c.reason, func.count()).group_by(
            people.c.change, people.c.reason
        )
        counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for change, reason, number in reading.connection().execute(counted):
            counts[change][self._word(change, reason)] = number
        return Difference(
            before=self.before,
            after=self.after,
            both=sum(counts[Change.both].values()),
            new=_most_first(counts[Change.new]),
            gone=_most_first(counts[Change.gone]),
        )

    def moved(self, reading: Session) -> Iterator[Moved]:
        """Everybody who is new or gone: the new first, by reason and address."""
        people = self._people(col(Subscriber.id).label("id")).subquery()
        details = (col(Subscriber.email), col(Subscriber.name), col(Subscriber.organisation))
        wanted = (
            select(people.c.change, people.c.reason, *details, col(Subscriber.country))
            .join(Subscriber, col(Subscriber.id) == people.c.id)
            .where(people.c.change != Change.both)
            .order_by(people.c.change.desc(), people.c.reason, col(Subscriber.email))
        )
        for change, reason, email, name, organisation, country in reading.connection().execute(wanted):
            yield Moved(
                change=Change(change),
                reason=self._word(change, reason),
                email=email,
                name=name,
                organisation=organisation,
                country=country,
            )

    def _people(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """One row for everybody in either: what became of them, and the number of the reason."""
        before, after = self.before.has, self.after.has
        change = case((and_(before, after), Change.both), (after, Change.new), else_=Change.gone)
        reason = case((and_(before, after), -1), (after, self._new.number), else_=self._gone.number)
        wanted: Select[Any] = select(change.label("change"), reason.label("reason"), *columns)
        return wanted.where(or_(before, after))

    def _word(self, change: str, number: int) -> str:
        return "" if number < 0 else (self._new if change == Change.new else self._gone).words[number]


def compare(reading: Session, settings: Settings, before: str, after: str, *, today: date) -> Comparison:
    """The comparison of two audiences: segments as they are ``today``, ``campaign:7`` or ``edition:2021-1``.

    Raises:
        SegmentError: one is a segment that cannot be understood.
        ComparisonError: there is no such campaign or edition.
    """
    connection = reading.connection()
    sides = [read_side(query, settings, connection, today) for query in (before, after)]
    return Comparison(sides[0], sides[1], vocabulary_of(settings), today)


class _Reasons:
    """Why somebody of ``other`` is not in ``side``: ``words``, and the ``number`` of theirs in SQL."""

    def __init__(self, side: Side, other: Side, vocabulary: Vocabulary, today: date) -> None:
        self._side, self._other = side, other
        reasons = [
            *(_not_delivered(side) if side.is_mailing else _gets_no_mail(side, today)),
            *self._not_asked_for(vocabulary),
        ]
        last = "came back, or changed their choices since" if side.is_mailing else "for another reason"
        self.words = (*(words for words, _ in reasons), last)
        conditions = [(condition, literal(number)) for number, (_, condition) in enumerate(reasons)]
        end = literal(len(reasons))
        self.number: ColumnElement[int] = case(*conditions, else_=end) if conditions else end

    def _not_asked_for(self, vocabulary: Vocabulary) -> Iterator[tuple[str, ColumnElement[bool]]]:
        segment = self._side.segment
        for part in segment.terms if segment else ():
            opposite = negate(part)
            words = explain_part(opposite, vocabulary)
            if self._was_so(part):
                words = _no_longer(words)
            yield words, opposite.where(segment.deliveries if segment else None)

    def _was_so(self, part: Expression) -> bool:
        """Whether ``part`` was true of everybody when the other side was mailed, and can have changed."""
        can_change = isinstance(part, Group) or part.key in _MAY_CHANGE
        asked = self._other.segment.terms if self._other.segment else ()
        return can_change and self._other.is_mailing and part in asked


def _not_delivered(side: Side) -> Iterator[tuple[str, ColumnElement[bool]]]:
    ours = col(Delivery.campaign_id).in_(side.campaigns)
    for words, states in _UNDELIVERED:
        yield words, has_delivery(ours, col(Delivery.state).in_(states))
    yield "had the edition from another campaign", has_got(side.editions)
    if side.since is not None:
        yield "joined since", col(Subscriber.created_at) >= side.since


def _gets_no_mail(side: Side, today: date) -> Iterator[tuple[str, ColumnElement[bool]]]:
    if side.gets_mail:
        for words, status in _NO_MAIL:
            # Whoever is paused until a day that has come gets mail again.
            yield words, and_(col(Subscriber.status) == status, eligible(today).is_not(True))


def _no_longer(words: str) -> str:
    """ "are not in Mongolia" as a change: "are no longer in Mongolia"; "are tagged" as "are now tagged"."""
    match = _VERB.match(words)
    if match is None:
        return words
    rest = words[match.end() :]
    if match.group(1):
        return f"{'are ' if match.group(1) == 'are' else ''}no longer {rest}"
    return f"{match.group()}now {rest}"


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

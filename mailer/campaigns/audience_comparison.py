"""Compare two audiences, segments of today or readers of a campaign: who is new, who is gone, and why.

Each person is counted under one reason, the first that applies, so that the numbers add up. The state of a
delivery or of the subscriber comes before the terms of the segment. A single statement counts everything, so
all numbers are from the same moment.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select
from sqlmodel import Session, col

from locales.phrase import gettext_noop
from mailer.campaigns.delivery_history import (
    RECEIVED_STATES,
    DeliveryHistory,
    has_delivery,
    has_got,
    read_segment,
    vocabulary_of,
)
from mailer.campaigns.plan import sort_by_count
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.errors import MailerError
from mailer.settings import Settings
from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber
from subscribers.segments.description import Vocabulary, describe_expression, describe_segment
from subscribers.segments.parser import did_you_mean, list_choices
from subscribers.segments.segment import Segment, eligible
from subscribers.segments.terms import Expression, Group, TermKey, negate

_SENT_QUERY = re.compile(r"(campaign|edition)\s*[:：]\s*(\S+)", re.IGNORECASE)
_DELIVERY_REASONS = (
    (gettext_noop("their mail server refused it"), (DeliveryState.rejected,)),
    (gettext_noop("their message failed"), (DeliveryState.failed,)),
    (gettext_noop("left before their turn"), (DeliveryState.suppressed,)),
    (
        gettext_noop("are still waiting for their turn"),
        (DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred),
    ),
)
_STATUS_REASONS = (
    ("unsubscribed", Status.unsubscribed),
    (gettext_noop("bounced: the address does not work"), Status.bounced),
    ("complained", Status.complained),
    ("were erased", Status.erased),
    (gettext_noop("were merged with another partner"), Status.merged),
    ("are paused", Status.paused),
    (gettext_noop("have not confirmed"), Status.pending),
)
_CHANGEABLE_KEYS = frozenset({TermKey.country, TermKey.sector, TermKey.language, TermKey.tag, TermKey.org})
_VERB_PATTERN = re.compile(r"(are|do) not |(are) |(?=follow|read|belong)")


class ComparisonError(MailerError):
    """There is no campaign or edition of that name to compare with."""


@dataclass(frozen=True, kw_only=True)
class ComparedAudience:
    """An audience: ``condition`` is the condition on ``Subscriber`` for being in it. ``segment`` is None if
    several campaigns were sent to different ones; ``since`` is when the first of them started."""

    text: str
    in_words: str
    condition: ColumnElement[bool]
    segment: Segment | None
    campaigns: tuple[int, ...] = ()
    editions: tuple[str, ...] = ()
    since: datetime | None = None
    mailable_only: bool = False

    @property
    def was_sent(self) -> bool:
        return bool(self.campaigns)


def read_audience(query: str, settings: Settings, connection: Connection, today: date) -> ComparedAudience:
    """Return the audience that ``query`` describes: a segment, ``campaign:7`` or ``edition:2021-1``. Raise
    SegmentError or ComparisonError if there is none."""
    match = _SENT_QUERY.fullmatch(query.strip())
    if match is None:
        return _read_current_segment(query, settings, connection, today)
    kind, name = match.group(1).lower(), match.group(2)
    return _read_sent_campaigns(
        f"{kind}:{name}", _find_campaigns(kind, name, connection), settings, connection
    )


def _read_current_segment(
    query: str, settings: Settings, connection: Connection, today: date
) -> ComparedAudience:
    segment = read_segment(query, settings, connection)
    gets_mail = not segment.asks_about(TermKey.status)
    return ComparedAudience(
        text=segment.text,
        in_words=describe_segment(segment, vocabulary_of(settings)),
        condition=and_(segment.where(), eligible(today)) if gets_mail else segment.where(),
        segment=segment,
        mailable_only=gets_mail,
    )


def _find_campaigns(kind: str, name: str, connection: Connection) -> Sequence[Any]:
    wanted = select(
        *(col(Campaign.id), col(Campaign.edition), col(Campaign.segment), col(Campaign.launched_at))
    ).where(col(Campaign.launched_at).is_not(None))
    if kind == "campaign":
        number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
        rows = connection.execute(wanted.where(col(Campaign.id) == number)).all()
        if not rows:
            raise ComparisonError(
                f"No campaign {name} has been sent. List the campaigns with `mailer campaigns list`."
            )
        return rows
    rows = connection.execute(wanted.where(col(Campaign.edition) == name).order_by(col(Campaign.id))).all()
    if not rows:
        editions = DeliveryHistory(connection).editions()
        there_are = list_choices(editions, "There are no campaigns yet.")
        raise ComparisonError(f"No edition {name} has been sent.{did_you_mean(name, editions)} {there_are}")
    return rows


def _read_sent_campaigns(
    text: str, rows: Sequence[Any], settings: Settings, connection: Connection
) -> ComparedAudience:
    numbers = tuple(row.id for row in rows)
    asked = {row.segment for row in rows}
    return ComparedAudience(
        text=text,
        in_words=f"those who got {rows[0].edition}",
        condition=has_delivery(
            col(Delivery.campaign_id).in_(numbers), col(Delivery.state).in_(RECEIVED_STATES)
        ),
        segment=_parse_stored_segment(asked.pop(), settings, connection) if len(asked) == 1 else None,
        campaigns=numbers,
        editions=(rows[0].edition,),
        since=min(row.launched_at for row in rows),
    )


def _parse_stored_segment(text: str, settings: Settings, connection: Connection) -> Segment | None:
    try:
        return read_segment(text, settings, connection)
    except SegmentError:
        return None


class AudienceChangeKind(StrEnum):
    """In which of the two audiences a subscriber is."""

    both = "both"
    new = "new"
    gone = "gone"


@dataclass(frozen=True, kw_only=True)
class AudienceChange:
    change: AudienceChangeKind
    reason: str
    email: str
    name: str
    organisation: str
    country: str | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two audiences side by side. ``new`` and ``gone`` count people by reason, most frequent first."""

    before: ComparedAudience
    after: ComparedAudience
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


class AudienceComparison:
    def __init__(
        self, before: ComparedAudience, after: ComparedAudience, vocabulary: Vocabulary, today: date
    ) -> None:
        self.before, self.after = before, after
        # Why a member of one audience is not in the other.
        self._new = _AbsenceReasons(before, after, vocabulary, today)
        self._gone = _AbsenceReasons(after, before, vocabulary, today)

    def count(self, session: Session) -> Difference:
        people = self._select_people().subquery()
        counted = select(people.c.change, people.c.reason, func.count()).group_by(
            people.c.change, people.c.reason
        )
        counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for change, reason, number in session.connection().execute(counted):
            counts[change][self._describe_reason(change, reason)] = number
        return Difference(
            before=self.before,
            after=self.after,
            both=sum(counts[AudienceChangeKind.both].values()),
            new=sort_by_count(counts[AudienceChangeKind.new]),
            gone=sort_by_count(counts[AudienceChangeKind.gone]),
        )

    def list_changes(self, session: Session) -> Iterator[AudienceChange]:
        """Yield the people who are new or gone: new ones first, sorted by reason and address."""
        people = self._select_people(col(Subscriber.id).label("id")).subquery()
        details = (col(Subscriber.email), col(Subscriber.name), col(Subscriber.organisation))
        wanted = (
            select(people.c.change, people.c.reason, *details, col(Subscriber.country))
            .join(Subscriber, col(Subscriber.id) == people.c.id)
            .where(people.c.change != AudienceChangeKind.both)
            .order_by(people.c.change.desc(), people.c.reason, col(Subscriber.email))
        )
        for change, reason, email, name, organisation, country in session.connection().execute(wanted):
            yield AudienceChange(
                change=AudienceChangeKind(change),
                reason=self._describe_reason(change, reason),
                email=email,
                name=name,
                organisation=organisation,
                country=country,
            )

    def _select_people(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """One row for each person in either audience, with the kind of change and the index of its reason."""
        before, after = self.before.condition, self.after.condition
        change = case(
            (and_(before, after), AudienceChangeKind.both),
            (after, AudienceChangeKind.new),
            else_=AudienceChangeKind.gone,
        )
        reason = case((and_(before, after), -1), (after, self._new.index), else_=self._gone.index)
        wanted: Select[Any] = select(change.label("change"), reason.label("reason"), *columns)
        return wanted.where(or_(before, after))

    def _describe_reason(self, change: str, number: int) -> str:
        if number < 0:
            return ""
        side = self._new if change == AudienceChangeKind.new else self._gone
        return side.reasons[number]


def compare_audiences(
    session: Session, settings: Settings, before: str, after: str, *, today: date
) -> AudienceComparison:
    """Compare two audiences, each a segment as it is ``today``, ``campaign:7`` or ``edition:2021-1``. Raise
    SegmentError if a segment is invalid, and ComparisonError if there is no such campaign or edition.
    """
    connection = session.connection()
    sides = [read_audience(query, settings, connection, today) for query in (before, after)]
    return AudienceComparison(sides[0], sides[1], vocabulary_of(settings), today)


class _AbsenceReasons:
    """The reasons why a member of ``other`` is not in ``audience``, and in SQL the ``index`` of each."""

    def __init__(
        self, audience: ComparedAudience, other: ComparedAudience, vocabulary: Vocabulary, today: date
    ) -> None:
        self._audience, self._other = audience, other
        reasons = [
            *(_delivery_reasons(audience) if audience.was_sent else _status_reasons(audience, today)),
            *self._unmatched_terms(vocabulary),
        ]
        last = (
            gettext_noop("returned, or changed their choices since")
            if audience.was_sent
            else gettext_noop("for another reason")
        )
        self.reasons = (*(words for words, _ in reasons), last)
        conditions = [(condition, literal(number)) for number, (_, condition) in enumerate(reasons)]
        end = literal(len(reasons))
        self.index: ColumnElement[int] = case(*conditions, else_=end) if conditions else end

    def _unmatched_terms(self, vocabulary: Vocabulary) -> Iterator[tuple[str, ColumnElement[bool]]]:
        segment = self._audience.segment
        for part in segment.terms if segment else ():
            opposite = negate(part)
            words = describe_expression(opposite, vocabulary)
            if self._held_before(part):
                words = _phrase_as_change(words)
            yield words, opposite.where(segment.deliveries if segment else None)

    def _held_before(self, part: Expression) -> bool:
        """Return whether ``part`` held for all when the other audience was mailed, and may not now."""
        can_change = isinstance(part, Group) or part.key in _CHANGEABLE_KEYS
        asked = self._other.segment.terms if self._other.segment else ()
        return can_change and self._other.was_sent and part in asked


def _delivery_reasons(audience: ComparedAudience) -> Iterator[tuple[str, ColumnElement[bool]]]:
    ours = col(Delivery.campaign_id).in_(audience.campaigns)
    for words, states in _DELIVERY_REASONS:
        yield words, has_delivery(ours, col(Delivery.state).in_(states))
    yield gettext_noop("had the edition from another campaign"), has_got(audience.editions)
    if audience.since is not None:
        yield "joined since", col(Subscriber.created_at) >= audience.since


def _status_reasons(audience: ComparedAudience, today: date) -> Iterator[tuple[str, ColumnElement[bool]]]:
    if audience.mailable_only:
        for words, status in _STATUS_REASONS:
            # A pause that ended on or before today no longer stops mail.
            yield words, and_(col(Subscriber.status) == status, eligible(today).is_not(True))


def _phrase_as_change(reason: str) -> str:
    """Phrase a reason as a change: "are not in Mongolia" becomes "are no longer in Mongolia"."""
    match = _VERB_PATTERN.match(reason)
    if match is None:
        return reason
    rest = reason[match.end() :]
    if match.group(1):
        return f"{'are ' if match.group(1) == 'are' else ''}no longer {rest}"
    return f"{match.group()}now {rest}"

"""The two sides of a comparison: a segment as it is today, or those who got a campaign or an edition."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select
from sqlmodel import col

from mailer.campaigns.audiences.segments import (
    RECEIVED_STATES,
    DeliveryHistory,
    has_delivery,
    read_segment,
    vocabulary_of,
)
from mailer.database.models import Campaign, Delivery
from mailer.errors import MailerError
from mailer.settings import Settings
from subscribers.errors import SegmentError
from subscribers.segments.segment import Segment, eligible
from subscribers.segments.segment_description import describe_segment
from subscribers.segments.term_values import did_you_mean, list_choices
from subscribers.segments.terms import TermKey

_SENT_QUERY = re.compile(r"(campaign|edition)\s*[:：]\s*(\S+)", re.IGNORECASE)


class ComparisonError(MailerError):
    """There is nothing of that name to compare with."""


@dataclass(frozen=True, kw_only=True)
class ComparedAudience:
    """An audience. ``has`` is the condition on ``Subscriber`` for being in it.

    ``campaigns`` are the numbers of those that sent it, none for a segment of today. ``segment`` is what was
    asked for, None where several campaigns asked for different things. ``since`` is when the first of them
    began. ``mailable_only`` says that only those are in it who get mail today.
    """

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
    """The audience that ``query`` means: a segment, ``campaign:7`` or ``edition:2021-1``.

    Raises:
        SegmentError: it is a segment that cannot be understood.
        ComparisonError: there is no such campaign, or none of the edition.
    """
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
                f"There is no campaign {name} that has begun. See them with `mailer campaigns list`."
            )
        return rows
    rows = connection.execute(wanted.where(col(Campaign.edition) == name).order_by(col(Campaign.id))).all()
    if not rows:
        editions = DeliveryHistory(connection).editions()
        there_are = list_choices(editions, "No campaign has been made yet.")
        raise ComparisonError(f"Nobody was sent an edition {name}.{did_you_mean(name, editions)} {there_are}")
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
    """What a campaign asked for; None where it cannot be read any more, as after a sector was renamed."""
    try:
        return read_segment(text, settings, connection)
    except SegmentError:
        return None

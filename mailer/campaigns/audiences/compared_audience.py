"""An audience to compare: a segment as it is today, or the readers who got a campaign or an edition."""

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
    """There is no campaign or edition of that name to compare with."""


@dataclass(frozen=True, kw_only=True)
class ComparedAudience:
    """An audience. ``condition`` is the condition on ``Subscriber`` for being in it.

    ``campaigns`` are the ids of the campaigns that were sent, none for a current segment. ``segment`` is what
    they were sent to; None if several campaigns had different segments. ``since`` is when the first of them
    started. ``mailable_only`` says that it is limited to subscribers who would get mail today.
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
    """The audience that ``query`` describes: a segment, ``campaign:7`` or ``edition:2021-1``.

    Raises:
        SegmentError: the segment is invalid.
        ComparisonError: there is no such campaign, or no campaign of this edition.
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
    """The segment a campaign was sent to; None if it is no longer valid, for example after a sector was
    renamed.
    """
    try:
        return read_segment(text, settings, connection)
    except SegmentError:
        return None

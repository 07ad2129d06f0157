"""Reports: how campaigns stand, who did not get the mail and why, and by name who may or may not have it.

Whatever the audience, a report is some dozens of rows: reasons are put together in the database, and whoever
wants every delivery by name has the CSV, which is written as it is read.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from sqlalchemy import ColumnElement, Connection, Row, and_, func, literal_column, or_
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from mailer.campaigns.approval import Approval, read_approval
from mailer.campaigns.lifecycle import find_campaign
from mailer.database.clock import read_clock
from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Delivery,
    DeliveryState,
    Dispatcher,
)
from mailer.dispatch.dead_addresses import METHOD, name_campaign
from mailer.dispatch.deliveries.counts import Counts, count_deliveries
from mailer.dispatch.liveness import DEAD_AFTER
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError
from mailer.rendering.reader import message_id
from mailer.smtp.reply_classifier import is_dead_address
from mailer.workspace import Workspace
from subscribers.csv_format import escape_formula
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber

_STATES_WITH_REASON = (
    DeliveryState.rejected,
    DeliveryState.failed,
    DeliveryState.deferred,
    DeliveryState.suppressed,
    DeliveryState.in_doubt,
)

# What differs from reader to reader in replies that mean the same: addresses, and the marks by which a server
# finds a message again. Both are written so that Python and PostgreSQL read them alike.
_ADDRESS_PATTERN = r"<?[^\s<>]+@[^\s<>:,;]+>?"
_TIME_PATTERN = r", \d{4}-\d\d-\d\d \d\d:\d\d UTC$"
_ID_PATTERN = r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,}"
_MAX_REASONS = 100
_MAX_IN_DOUBT = 1000
_BATCH_ROWS = 1000
CSV_COLUMNS = (
    "email",
    "name",
    "country",
    "state",
    "code",
    "reason",
    "attempts",
    "doubted",
    "message_id",
    "updated_at",
)
"""The columns of the CSV, one line for each delivery."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a dispatcher that is alive has to say, such as that a relay is set aside. ``host`` is where it
    runs.
    """

    host: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a campaign goes on, and how fast. Times are aware; None where there is none.

    ``rate`` is in messages per second over all machines, ``next_try`` when the first deferred reader is due.
    ``canary`` is how many readers go first, ``canary_until`` until when the rest then waits.
    """

    rate: float | None = None
    scheduled_at: datetime | None = None
    canary: int | None = None
    canary_until: datetime | None = None
    next_try: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, kw_only=True)
class CampaignSummary:
    """One campaign and its numbers. ``reason`` says why it stands still, if it does. ``notices`` are those of
    the dispatchers that are alive while it sends. ``approval`` is the one it was given, if any; whether it
    still holds is for :func:`mailer.campaigns.approval.check_approval` to say.
    """

    id: int
    edition: str
    title: str
    segment: str
    state: CampaignState
    reason: str
    counts: Counts
    timing: Timing = field(default_factory=Timing)
    notices: tuple[Notice, ...] = ()
    approval: Approval | None = None

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON shows it: the numbers beside the names."""
        words = {"edition": self.edition, "title": self.title, "segment": self.segment, "reason": self.reason}
        numbers = {"id": self.id, "state": self.state.value, **self.counts.as_dict()}
        notices = [notice.as_dict() for notice in self.notices]
        approval = {"approval": self.approval.as_dict() if self.approval else None}
        return {**numbers, **words, **self.timing.as_dict(), "notices": notices, **approval}


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Deliveries that ended alike: ``reason`` is the server's reply or our own words, without addresses and
    marks of single messages. Of those sent, only the ones that were in doubt have a reason worth telling.

    ``dead_address`` marks refusals that say the address does not work, as against one that dislikes the
    sender.
    """

    state: DeliveryState
    number: int
    reason: str
    dead_address: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state.value}


@dataclass(frozen=True, kw_only=True)
class InDoubtReader:
    """A reader who may or may not have the mail; ``message_id`` is how to find it in a server's log."""

    email: str
    message_id: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with what went wrong, the largest group first, and those in doubt by name, the first 1,000.

    ``disabled_results`` are the checks it was sent without, by code, with the reason its writers gave.
    ``bounced`` is how many readers were given the status bounced because of it: their address is dead.
    """

    summary: CampaignSummary
    reasons: tuple[ReasonGroup, ...]
    in_doubt: tuple[InDoubtReader, ...]
    switched_off: Mapping[str, str]
    bounced: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON shows it."""
        return {
            "campaign": self.summary.as_dict(),
            "equation": self.summary.counts.equation(),
            "reasons": [group.as_dict() for group in self.reasons],
            "in_doubt": [doubt.as_dict() for doubt in self.in_doubt],
            "switched_off": dict(self.switched_off),
            "bounced": self.bounced,
        }


def counts(session: Session, campaign_id: int) -> Counts:
    """The numbers of a campaign.

    Raises:
        UnknownCampaignError: there is none.
    """
    find_campaign(session, campaign_id)
    return count_deliveries(session.connection(), campaign_id)


def count_readers(number: int) -> str:
    """The number with its noun: "1 reader", "1,200 readers"."""
    return f"{number:,} reader{'' if number == 1 else 's'}"


def describe_counts(counts: Counts) -> str:
    """Describe the numbers in words: ``60 readers: 59 sent, 1 left before their turn; nothing is open.``"""
    parts = (
        (counts.sent, "sent"),
        (counts.rejected, "refused by their mail server"),
        (counts.failed, "failed"),
        (counts.suppressed, "left before their turn"),
        (counts.in_doubt, "in doubt"),
        (counts.deferred, "deferred"),
        (counts.queued, "not sent"),
    )
    words = ", ".join(f"{number:,} {word}" for number, word in parts if number) or "none sent"
    end = "" if counts.in_doubt or counts.still_to_do else "; nothing is open"
    return f"{count_readers(counts.audience)}: {words}{end}."


def summarise_campaign(session: Session, campaign_id: int) -> CampaignSummary:
    """How a campaign stands.

    Raises:
        UnknownCampaignError: there is none.
    """
    return _build_summary(session, find_campaign(session, campaign_id))


def list_campaigns(session: Session) -> list[CampaignSummary]:
    """Every campaign, the newest first."""
    campaigns = session.exec(select(Campaign).order_by(col(Campaign.id).desc())).all()
    return [_build_summary(session, campaign) for campaign in campaigns]


def report_campaign(session: Session, campaign_id: int, workspace: Workspace) -> CampaignReport:
    """The report of a campaign.

    Raises:
        UnknownCampaignError: there is none.
    """
    summary = summarise_campaign(session, campaign_id)
    return CampaignReport(
        summary=summary,
        reasons=_group_reasons(session.connection(), campaign_id),
        in_doubt=_read_in_doubt(session.connection(), campaign_id, workspace),
        switched_off=_read_switched_off(session, campaign_id),
        bounced=_count_bounced(session.connection(), campaign_id),
    )


def write_deliveries(
    session: Session,
    campaign_id: int,
    workspace: Workspace,
    stream: TextIO,
    *,
    states: Collection[DeliveryState] = (),
) -> int:
    """Write the deliveries of a campaign, or those in ``states``, as CSV with a header; how many there were.

    They come in the order of the ledger, are written as they are read, and are all of one moment.

    Raises:
        UnknownCampaignError: there is none.
    """
    find_campaign(session, campaign_id)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    number = 0
    for row in _stream_deliveries(session, campaign_id, states):
        writer.writerow(_csv_cells(row, _message_id(campaign_id, row.subscriber_id, workspace)))
        number += 1
    return number


def _stream_deliveries(
    session: Session, campaign_id: int, states: Collection[DeliveryState]
) -> Iterator[Row[Any]]:
    columns: tuple[Any, ...] = (
        col(Subscriber.email),
        col(Subscriber.name),
        col(Subscriber.country),
        *(col(getattr(Delivery, name)) for name in ("subscriber_id", "state", "code", "reason")),
        *(col(getattr(Delivery, name)) for name in ("attempts", "doubted", "updated_at")),
    )
    statement = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, *_in_states(states))
        .order_by(col(Delivery.id))
        .execution_options(yield_per=_BATCH_ROWS)
    )
    yield from session.connection().execute(statement)


def _in_states(states: Collection[DeliveryState]) -> list[ColumnElement[bool]]:
    return [col(Delivery.state).in_(states)] if states else []


def _csv_cells(row: Row[Any], identity: str) -> list[str]:
    return [
        escape_formula(row.email),
        escape_formula(row.name),
        row.country or "",
        row.state.value,
        "" if row.code is None else str(row.code),
        escape_formula(row.reason),
        str(row.attempts),
        "yes" if row.doubted else "",
        identity,
        row.updated_at.astimezone(UTC).isoformat(timespec="seconds"),
    ]


def _group_reasons(connection: Connection, campaign_id: int) -> tuple[ReasonGroup, ...]:
    """Rows that differ only in an address or a mark are one group; the largest groups, the largest first."""
    words = _mask_details(connection)
    # A reason is told of what went wrong, and of what was in doubt and is settled.
    explained = or_(
        col(Delivery.state).in_(_STATES_WITH_REASON),
        and_(col(Delivery.state) == DeliveryState.sent, col(Delivery.doubted)),
    )
    number, state = func.count(), col(Delivery.state)
    statement = (
        select_columns(state, col(Delivery.code), words.label("words"), number)
        .where(col(Delivery.campaign_id) == campaign_id, explained)
        .group_by(state, col(Delivery.code), words)
        .order_by(number.desc(), state, words)
        .limit(_MAX_REASONS)
    )
    return tuple(
        ReasonGroup(
            state=found,
            number=count,
            reason=told if code is None else f"{code} {told}",
            dead_address=found is DeliveryState.rejected and is_dead_address(code, told),
        )
        for found, code, told, count in connection.execute(statement)
    )


def _mask_details(connection: Connection) -> Any:
    """The reason without what differs from reader to reader, as an expression."""
    if connection.dialect.name == "sqlite":
        # PostgreSQL's own, as far as it is used here.
        raw = connection.connection.driver_connection
        raw.create_function("regexp_replace", 4, _regexp_replace, deterministic=True)  # type: ignore[union-attr]
    words: Any = col(Delivery.reason)
    for pattern, mask in ((_TIME_PATTERN, ""), (_ADDRESS_PATTERN, "<…>"), (_ID_PATTERN, "…")):
        # Literal, because PostgreSQL compares what it groups by with what it selects, parameters and all.
        words = func.regexp_replace(
            words, literal_column(f"'{pattern}'"), literal_column(f"'{mask}'"), literal_column("'g'")
        )
    return words


def _regexp_replace(text: str, pattern: str, mask: str, _: str) -> str:
    return re.sub(pattern, mask, text)


def _read_in_doubt(
    connection: Connection, campaign_id: int, workspace: Workspace
) -> tuple[InDoubtReader, ...]:
    """The first of those in doubt, by name."""
    columns = (col(Delivery.subscriber_id), col(Subscriber.email), col(Delivery.reason))
    statement = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
        .limit(_MAX_IN_DOUBT)
    )
    return tuple(
        InDoubtReader(email=email, message_id=_message_id(campaign_id, number, workspace), reason=reason)
        for number, email, reason in connection.execute(statement)
    )


def _count_bounced(connection: Connection, campaign_id: int) -> int:
    """How many readers were given the status bounced because of their refusal in this campaign."""
    ours = (col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.rejected)
    marked = (
        col(ConsentRecord.event) == ConsentEvent.bounced,
        *(col(ConsentRecord.method) == METHOD, col(ConsentRecord.source) == name_campaign(campaign_id)),
    )
    refused = select_columns(col(Delivery.subscriber_id)).where(*ours)
    counted = select_columns(func.count(col(ConsentRecord.subscriber_id).distinct()))
    return connection.execute(
        counted.where(col(ConsentRecord.subscriber_id).in_(refused), *marked)
    ).scalar_one()


def _read_switched_off(session: Session, campaign_id: int) -> Mapping[str, str]:
    content = session.exec(
        select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign_id).limit(1)
    ).first()
    try:
        return CompiledEdition.from_bytes(content.body).switched_off if content else {}
    except CompiledVersionError:
        # Sent by another version of this program; what it says is its own.
        return {}


def _build_summary(session: Session, campaign: Campaign) -> CampaignSummary:
    assert campaign.id is not None  # noqa: S101 - it came from the database
    connection = session.connection()
    sends = campaign.state is CampaignState.sending
    return CampaignSummary(
        id=campaign.id,
        edition=campaign.edition,
        title=campaign.title,
        segment=campaign.segment,
        state=campaign.state,
        reason=campaign.state_reason,
        counts=count_deliveries(connection, campaign.id),
        timing=_read_timing(connection, campaign),
        notices=_read_notices(connection) if sends else (),
        approval=read_approval(campaign),
    )


def _read_timing(connection: Connection, campaign: Campaign) -> Timing:
    next_try = select_columns(func.min(col(Delivery.not_before))).where(
        col(Delivery.campaign_id) == campaign.id, col(Delivery.state) == DeliveryState.deferred
    )
    return Timing(
        rate=campaign.rate,
        scheduled_at=campaign.scheduled_at,
        canary=campaign.canary,
        canary_until=campaign.canary_until,
        next_try=connection.execute(next_try).scalar(),
    )


def _read_notices(connection: Connection) -> tuple[Notice, ...]:
    """What dispatchers whose heart beats have to say. Which campaign they work on, they do not say."""
    alive = col(Dispatcher.heartbeat_at) > read_clock(connection) - DEAD_AFTER
    statement = (
        select_columns(col(Dispatcher.host), col(Dispatcher.notice))
        .where(alive, col(Dispatcher.notice) != "")
        .order_by(col(Dispatcher.started_at))
    )
    # The first word of a place is its host name; the rest tells folders and boots apart.
    return tuple(
        Notice(host=host.partition(" ")[0], text=text) for host, text in connection.execute(statement)
    )


def _message_id(campaign_id: int, subscriber_id: int, workspace: Workspace) -> str:
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id, domain, signer)

"""Report on campaigns: their state, who did not get the mail and why, and who may or may not have got it.

Whatever the size of the audience, a report has a few dozen rows, because the database groups the reasons. The
CSV has every delivery by name; it is written row by row.
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
from mailer.campaigns.correction_record import CorrectionRecord, find_corrections
from mailer.campaigns.departures import Departures, count_departures
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.tested_content import ContentTest
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
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.recipient import message_id
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

# What differs between replies that mean the same: addresses, and the ids by which a server identifies a
# message. The patterns work the same in Python and in PostgreSQL.
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
"""The columns of the CSV, which has one row for each delivery."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice from a dispatcher running on ``host``, for example that a relay is quarantined."""

    host: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When a campaign continues, and how fast. Times are aware; a value that does not apply is None.

    ``rate`` is in messages per second over all machines; ``next_try`` is when the first deferred message is
    due. ``canary`` is the number of readers who go first, and ``canary_until`` the time until which the rest
    wait.
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
    """One campaign and its numbers.

    ``reason`` says why the campaign is not running, if it is not. ``notices`` come from the dispatchers
    running while it is sending. ``approval`` is the one it was given, if any;
    :func:`mailer.campaigns.approval.check_approval` says whether it still holds. ``test`` and ``test_ahead``
    are what :func:`mailer.campaigns.tested_content.check_test` says. ``created_at`` is when its
    content was frozen, ``launched_at`` when its readers were chosen, None if they are not yet.
    ``correction_of`` is the story it corrects (``2026-1/teachers``), "" if it sends an edition.
    """

    id: int
    edition: str
    title: str
    subject: str
    created_at: datetime
    launched_at: datetime | None
    segment: str
    state: CampaignState
    reason: str
    counts: Counts
    timing: Timing = field(default_factory=Timing)
    notices: tuple[Notice, ...] = ()
    approval: Approval | None = None
    test: ContentTest | None = None
    test_ahead: bool = False
    correction_of: str = ""

    @property
    def edition_label(self) -> str:
        """What it sends, as shown to people."""
        return f"correction of {self.correction_of}" if self.correction_of else self.edition

    def as_dict(self) -> dict[str, Any]:
        """The summary in the form of the JSON output."""
        words = {"edition": self.edition, "title": self.title, "subject": self.subject}
        words |= {"segment": self.segment, "reason": self.reason, "created_at": self.created_at.isoformat()}
        corrects = {"correction_of": self.correction_of or None}
        launched = {"launched_at": self.launched_at.isoformat() if self.launched_at else None}
        numbers = {"id": self.id, "state": self.state.value, **self.counts.as_dict()}
        notices = [notice.as_dict() for notice in self.notices]
        approval = {"approval": self.approval.as_dict() if self.approval else None}
        test = {"test": self.test.as_dict() if self.test else None}
        return {
            **numbers,
            **words,
            **corrects,
            **launched,
            **self.timing.as_dict(),
            "notices": notices,
            **approval,
            **test,
        }


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Deliveries with the same outcome.

    ``reason`` is the server's reply or our own text, without addresses and message ids. Among those sent,
    only deliveries that had been in doubt have a reason. ``dead_address`` marks refusals because the address
    does not work, as opposed to refusals of the sender.
    """

    state: DeliveryState
    number: int
    reason: str
    dead_address: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state.value}


@dataclass(frozen=True, kw_only=True)
class InDoubtReader:
    """A reader who may or may not have got the mail; ``message_id`` finds it in a server's log."""

    email: str
    message_id: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with its problems, largest group first, and the first 1,000 readers in doubt.

    ``switched_off`` are the checks that were switched off when it was sent, by code, with the editors'
    reason.
    ``bounced`` is the number of readers whose address turned out to be dead, ``left`` are those who have
    left since.
    """

    summary: CampaignSummary
    reasons: tuple[ReasonGroup, ...]
    in_doubt: tuple[InDoubtReader, ...]
    switched_off: Mapping[str, str]
    bounced: int = 0
    left: Departures = field(default_factory=Departures)

    def as_dict(self) -> dict[str, Any]:
        """The report in the form of the JSON output."""
        return {
            "campaign": self.summary.as_dict(),
            "equation": self.summary.counts.equation(),
            "reasons": [group.as_dict() for group in self.reasons],
            "in_doubt": [doubt.as_dict() for doubt in self.in_doubt],
            "switched_off": dict(self.switched_off),
            "bounced": self.bounced,
            "left": self.left.as_dict(),
        }


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
    """Summarise a campaign: its state, numbers and timing.

    Raises:
        UnknownCampaignError: there is no such campaign.
    """
    campaign = find_campaign(session, campaign_id)
    return _build_summary(session, campaign, find_corrections(session.connection(), [campaign.edition]))


def list_campaigns(session: Session) -> list[CampaignSummary]:
    """Summarise every campaign, newest first."""
    campaigns = session.exec(select(Campaign).order_by(col(Campaign.id).desc())).all()
    corrections = find_corrections(session.connection(), [campaign.edition for campaign in campaigns])
    return [_build_summary(session, campaign, corrections) for campaign in campaigns]


def report_campaign(session: Session, campaign_id: int, workspace: Workspace) -> CampaignReport:
    """Build the report of a campaign.

    Raises:
        UnknownCampaignError: there is no such campaign.
    """
    summary = summarise_campaign(session, campaign_id)
    return CampaignReport(
        summary=summary,
        reasons=_group_reasons(session.connection(), campaign_id),
        in_doubt=_read_in_doubt(session.connection(), campaign_id, workspace),
        switched_off=_read_switched_off(session, campaign_id),
        bounced=_count_bounced(session.connection(), campaign_id),
        left=count_departures(session.connection(), campaign_id),
    )


def write_deliveries(
    session: Session,
    campaign_id: int,
    workspace: Workspace,
    stream: TextIO,
    *,
    states: Collection[DeliveryState] = (),
) -> int:
    """Write the deliveries of a campaign, or those in ``states``, as CSV with a header; return their number.

    They are in the order of the ledger, are written row by row, and are all from the same moment.

    Raises:
        UnknownCampaignError: there is no such campaign.
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
        col(Delivery.subscriber_id),
        col(Delivery.state),
        col(Delivery.code),
        col(Delivery.reason),
        col(Delivery.attempts),
        col(Delivery.doubted),
        col(Delivery.updated_at),
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
    """Group deliveries whose reasons differ only in an address or an id; return the largest groups."""
    words = _mask_details(connection)
    # Failed deliveries have a reason, and so do deliveries that were in doubt and have been settled.
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
    """The SQL expression for a reason without what differs from reader to reader."""
    if connection.dialect.name == "sqlite":
        # The part of PostgreSQL's function that is used here.
        raw = connection.connection.driver_connection
        raw.create_function("regexp_replace", 4, _regexp_replace, deterministic=True)  # type: ignore[union-attr]
    words: Any = col(Delivery.reason)
    for pattern, mask in ((_TIME_PATTERN, ""), (_ADDRESS_PATTERN, "<…>"), (_ID_PATTERN, "…")):
        # Literals, because PostgreSQL compares GROUP BY with SELECT including the parameters.
        words = func.regexp_replace(
            words, literal_column(f"'{pattern}'"), literal_column(f"'{mask}'"), literal_column("'g'")
        )
    return words


def _regexp_replace(text: str, pattern: str, mask: str, _: str) -> str:
    return re.sub(pattern, mask, text)


def _read_in_doubt(
    connection: Connection, campaign_id: int, workspace: Workspace
) -> tuple[InDoubtReader, ...]:
    """The first readers in doubt, by name."""
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
        # Sent by another version of this program, whose format we cannot read.
        return {}


def _build_summary(
    session: Session, campaign: Campaign, corrections: Mapping[str, CorrectionRecord]
) -> CampaignSummary:
    assert campaign.id is not None  # noqa: S101 - it came from the database
    correction = corrections.get(campaign.edition)
    connection = session.connection()
    sends = campaign.state is CampaignState.sending
    return CampaignSummary(
        id=campaign.id,
        edition=campaign.edition,
        title=campaign.title,
        subject=campaign.subject,
        created_at=campaign.created_at,
        launched_at=campaign.launched_at,
        segment=campaign.segment,
        state=campaign.state,
        reason=campaign.state_reason,
        counts=count_deliveries(connection, campaign.id),
        timing=_read_timing(connection, campaign),
        notices=_read_notices(connection) if sends else (),
        approval=read_approval(campaign),
        correction_of=correction.subject_name if correction else "",
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
    """The notices of dispatchers with a recent heartbeat, whichever campaign they are working on."""
    alive = col(Dispatcher.heartbeat_at) > read_clock(connection) - DEAD_AFTER
    statement = (
        select_columns(col(Dispatcher.host), col(Dispatcher.notice))
        .where(alive, col(Dispatcher.notice) != "")
        .order_by(col(Dispatcher.started_at))
    )
    # The first word is the host name; the rest distinguishes folders and boots.
    return tuple(
        Notice(host=host.partition(" ")[0], text=text) for host, text in connection.execute(statement)
    )


def _message_id(campaign_id: int, subscriber_id: int, workspace: Workspace) -> str:
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id, domain, signer)

"""Settle deliveries in doubt, from the relay's log or from what a person knows. Nothing is sent here.

Deliveries put back in the queue are sent, with the same Message-ID, when the campaign is resumed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, Engine, Row
from sqlmodel import col

from mailer.campaigns.lifecycle import CampaignStateError, find_campaign
from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignState, DeliveryState
from mailer.database.report_models import CampaignReportPart, forget_figures
from mailer.dispatch.deliveries import count_deliveries
from mailer.dispatch.ledger_changes import list_in_doubt, mark_sent, requeue
from mailer.dispatch.liveness import Presence
from mailer.dispatch.postfix_log import LoggedMessage, PostfixLog, RelayStatus, read_postfix_log
from mailer.errors import MailerError
from mailer.rendering.mail_merge import message_id
from mailer.workspace import Workspace
from subscribers.address import normalise_address

RELAY_LOG = "in the relay's log"
DECISIONS: Mapping[bool, str] = {
    True: "a person decided: it arrived",
    False: "a person decided: send it again",
}
"""Reasons for the ledger: words that say that the log settled it, and what a person has decided."""

_NOT_IN_LOG = f"not {RELAY_LOG}, which covers the whole time"
_CUT_OFF = f"{RELAY_LOG}: the connection broke before it was accepted, queue id {{}}"
_RELAY_REASONS: Mapping[RelayStatus, str] = {
    RelayStatus.queued: f"{RELAY_LOG}: queue id {{}}",
    RelayStatus.delivered: f"{RELAY_LOG}: queue id {{}}, accepted by the next server",
    RelayStatus.bounced: f"{RELAY_LOG}: queue id {{}}, refused by the next server (bounced)",
}
RecordResolution = Callable[[Connection, int, int], None]
"""Is told, in the transaction that settles doubts, how many are sent now, and how many queued again."""

MAX_LISTED_CHANGES = 1000
"""The maximum number of changes listed in a :class:`Resolution`; the report's CSV has them all."""
_NamedDoubts = list[tuple[str, Row[Any]]]


class NotInDoubtError(MailerError):
    def __init__(self, campaign_id: int, address: str) -> None:
        self.campaign_id = campaign_id
        self.address = address
        super().__init__(
            f"{address} is not in doubt in campaign {campaign_id}, or a process is sending to it at this "
            f"moment. `mailer campaigns report {campaign_id}` lists the addresses in doubt."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtChange:
    email: str
    state: DeliveryState
    reason: str


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The outcome of settling doubts, with the first changes.

    ``missing`` counts deliveries that are not in a log that covers the whole time, ``not_covered`` those that
    the log may have missed: it does not reach from the campaign's start to after the hand-over.
    """

    campaign_id: int
    sent: int
    queued: int
    still_in_doubt: int
    changes: tuple[DoubtChange, ...]
    missing: int = 0
    not_covered: int = 0

    def as_dict(self) -> dict[str, Any]:
        counts = {"sent": self.sent, "queued": self.queued, "in_doubt": self.still_in_doubt}
        left = {"missing": self.missing, "not_covered": self.not_covered}
        return {"campaign": self.campaign_id, **counts, **left, "changes": self.changes}


def _record_nothing(_: Connection, __: int, ___: int) -> None:
    """The command line writes its own line, when it has ended."""


def resolve_by_log(
    workspace: Workspace,
    engine: Engine,
    campaign_id: int,
    paths: Sequence[Path],
    *,
    resend_missing: bool = False,
    zone: tzinfo | None = None,
    dry_run: bool = False,
    now: datetime,
    standard_input: BinaryIO | None = None,
    record: RecordResolution = _record_nothing,
) -> Resolution:
    """Mark as sent what a Postfix relay accepted according to its log.

    With ``resend_missing``, messages that the relay did not get are queued again: those whose connection
    broke, and those that do not appear in a log that starts before the campaign and continues after the
    hand-over. Raise CampaignStateError if they would be and the campaign is cancelled, and PostfixLogError if
    the log cannot be read.
    """
    campaign = _load_campaign(engine, campaign_id, sends_again=resend_missing)
    dead, held = _read_doubts(engine, workspace, campaign_id)
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    doubts = {message_id(campaign_id, doubt.subscriber_id, domain, signer): doubt for doubt in held}
    # Read the log outside a transaction: it may be long, and a campaign must not wait for it.
    log = read_postfix_log(paths, doubts.__contains__, now=now, zone=zone, standard_input=standard_input)
    began = campaign.launched_at or campaign.created_at
    accepted, cut_off, missing, uncovered = _classify(doubts, log, began)
    resent = cut_off + missing if resend_missing else []
    changes = {doubt.delivery_id: _mark_sent(doubt, log.messages[name]) for name, doubt in accepted}
    changes |= {doubt.delivery_id: _queue_again(doubt, log.messages.get(name)) for name, doubt in resent}
    return _apply(
        engine,
        campaign_id,
        changes,
        dead=dead,
        dry_run=dry_run,
        now=now,
        missing=len(cut_off) + len(missing),
        not_covered=len(uncovered),
        record=record,
    )


def resolve_by_hand(
    workspace: Workspace,
    engine: Engine,
    campaign_id: int,
    address: str | None,
    *,
    arrived: bool,
    dry_run: bool = False,
    now: datetime,
    record: RecordResolution = _record_nothing,
) -> Resolution:
    """Settle what a person knows about ``address``, or about all in doubt if None: it ``arrived``, or send it
    again. Raise NotInDoubtError if it is not in doubt, and CampaignStateError if the campaign is cancelled
    and would send again."""
    _load_campaign(engine, campaign_id, sends_again=not arrived)
    wanted = None if address is None else normalise_address(address).email
    dead, doubts = _read_doubts(engine, workspace, campaign_id)
    chosen = [doubt for doubt in doubts if wanted is None or doubt.email == wanted]
    if wanted is not None and not chosen:
        raise NotInDoubtError(campaign_id, wanted)
    changes = _decide(chosen, arrived=arrived)
    return _apply(engine, campaign_id, changes, dead=dead, dry_run=dry_run, now=now, record=record)


def resolve_chosen(
    workspace: Workspace,
    engine: Engine,
    campaign_id: int,
    deliveries: Collection[int],
    *,
    arrived: bool,
    now: datetime,
    record: RecordResolution,
) -> Resolution:
    """Settle what a person knows about some deliveries, by number; those that are not in doubt any more stay
    as they are. ``record`` is called in the same transaction. Raise CampaignStateError if the campaign is
    cancelled and would send again."""
    _load_campaign(engine, campaign_id, sends_again=not arrived)
    dead, doubts = _read_doubts(engine, workspace, campaign_id)
    changes = _decide([doubt for doubt in doubts if doubt.delivery_id in deliveries], arrived=arrived)
    return _apply(engine, campaign_id, changes, dead=dead, dry_run=False, now=now, record=record)


def _decide(chosen: Iterable[Row[Any]], *, arrived: bool) -> dict[int, DoubtChange]:
    state = DeliveryState.sent if arrived else DeliveryState.queued
    reason = DECISIONS[arrived]
    return {doubt.delivery_id: DoubtChange(email=doubt.email, state=state, reason=reason) for doubt in chosen}


def _load_campaign(engine: Engine, campaign_id: int, *, sends_again: bool) -> Campaign:
    with open_session(engine, read_only=True) as session:
        campaign = find_campaign(session, campaign_id)
        session.expunge(campaign)
    if sends_again and campaign.state is CampaignState.cancelled:
        hint = "You can still mark the deliveries in doubt as arrived."
        raise CampaignStateError(campaign_id, "sent again", campaign.state, hint)
    return campaign


def _read_doubts(
    engine: Engine, workspace: Workspace, campaign_id: int
) -> tuple[set[str], Sequence[Row[Any]]]:
    """Return the dispatchers that are dead, and the deliveries in doubt that they or nobody holds."""
    with Presence(engine, workspace.root, campaign_id) as presence:
        dead = presence.find_dead()
    with engine.connect().execution_options(read_only=True) as connection:
        return dead, list_in_doubt(connection, campaign_id, dead)


def _classify(
    doubts: Mapping[str, Row[Any]], log: PostfixLog, began: datetime
) -> tuple[_NamedDoubts, _NamedDoubts, _NamedDoubts, _NamedDoubts]:
    """Sort the deliveries by Message-ID into accepted, cut off, missing, and not covered by the log.

    A delivery's time is that of its last change, which after a crash or a timeout is later than the
    hand-over. So the log must start before the campaign did.
    """
    accepted: _NamedDoubts = []
    cut_off: _NamedDoubts = []
    missing: _NamedDoubts = []
    uncovered: _NamedDoubts = []
    for name, doubt in doubts.items():
        trace = log.messages.get(name)
        if trace is not None and trace.status.is_accepted:
            accepted.append((name, doubt))
        elif not log.covers(began, doubt.since):
            uncovered.append((name, doubt))
        elif trace is None:
            missing.append((name, doubt))
        elif trace.status is RelayStatus.not_taken:
            cut_off.append((name, doubt))
    return accepted, cut_off, missing, uncovered


def _mark_sent(doubt: Row[Any], trace: LoggedMessage) -> DoubtChange:
    reason = _RELAY_REASONS[trace.status].format(trace.queue_id)
    return DoubtChange(email=doubt.email, state=DeliveryState.sent, reason=reason)


def _queue_again(doubt: Row[Any], trace: LoggedMessage | None) -> DoubtChange:
    reason = _NOT_IN_LOG if trace is None else _CUT_OFF.format(trace.queue_id)
    return DoubtChange(email=doubt.email, state=DeliveryState.queued, reason=reason)


def _apply(
    engine: Engine,
    campaign_id: int,
    changes: Mapping[int, DoubtChange],
    *,
    dead: set[str],
    dry_run: bool,
    now: datetime,
    missing: int = 0,
    not_covered: int = 0,
    record: RecordResolution = _record_nothing,
) -> Resolution:
    with engine.connect() as connection, connection.begin() as transaction:
        sent, queued = _write(connection, changes, dead=dead, now=now)
        record(connection, sent, queued)
        left = count_deliveries(connection, campaign_id).in_doubt
        # No fingerprint of the figures tells that a doubt was settled.
        forget_figures(connection, col(CampaignReportPart.campaign_id) == campaign_id)
        if dry_run:
            transaction.rollback()
    return Resolution(
        campaign_id=campaign_id,
        sent=sent,
        queued=queued,
        still_in_doubt=left,
        changes=tuple(changes.values())[:MAX_LISTED_CHANGES],
        missing=missing,
        not_covered=not_covered,
    )


def _write(
    connection: Connection, changes: Mapping[int, DoubtChange], *, dead: set[str], now: datetime
) -> tuple[int, int]:
    sent = {number: change.reason for number, change in changes.items() if change.state is DeliveryState.sent}
    again: dict[str, list[int]] = {}
    for number, change in changes.items():
        if change.state is DeliveryState.queued:
            again.setdefault(change.reason, []).append(number)
    queued = sum(
        requeue(connection, numbers, reason, dead=dead, now=now) for reason, numbers in again.items()
    )
    return mark_sent(connection, sent, dead=dead, now=now), queued

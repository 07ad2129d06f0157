"""The deliveries of a campaign that are in doubt: how each came to be, and what has settled the others.

They are found by an index of what was ever in doubt, so a campaign of a million is as quick as a small one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, select, text
from sqlmodel import col

from locales.phrase import WordedEnum, gettext_noop
from mailer.campaigns.doubt_resolution import DECISIONS, RELAY_LOG
from mailer.campaigns.report.reasons import mask_words
from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage, FeedbackState
from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.ledger import CRASH_REASON
from mailer.dispatch.ledger_changes import PROVED_BY
from mailer.dispatch.liveness import Presence
from mailer.rendering.mail_merge import message_id
from mailer.smtp.connection import CONNECTION_LOST, TIMED_OUT
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_MAX_IN_DOUBT = 1000
# As in the partial index: SQLite does not use it for a bound value.
_WAS_DOUBTED: Any = text("delivery.doubted")
_COLUMNS = (
    *(col(Delivery.id), col(Delivery.subscriber_id), col(Subscriber.email), col(Subscriber.name)),
    *(col(Delivery.code), col(Delivery.reason), col(Delivery.attempts), col(Delivery.updated_at)),
)


@dataclass(frozen=True, kw_only=True)
class InDoubtReader:
    """A reader who may or may not have got the mail; ``message_id`` finds it in a server's log."""

    email: str
    message_id: str
    reason: str


def list_in_doubt(connection: Connection, campaign_id: int) -> tuple[int, ...]:
    """Return the numbers of the first 1,000 deliveries in doubt, in the order of the ledger."""
    statement = (
        select(col(Delivery.id))
        .where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
        .limit(_MAX_IN_DOUBT)
    )
    return tuple(number for number in connection.scalars(statement) if number is not None)


def read_in_doubt(
    connection: Connection, campaign_id: int, workspace: Workspace, deliveries: Sequence[int]
) -> tuple[InDoubtReader, ...]:
    """Return the readers of those ``deliveries`` that still are in doubt, by name."""
    columns = (col(Delivery.subscriber_id), col(Subscriber.email), col(Delivery.reason))
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.id).in_(deliveries), col(Delivery.state) == DeliveryState.in_doubt)
        .order_by(col(Delivery.id))
    )
    return tuple(
        InDoubtReader(email=email, message_id=make_message_id(campaign_id, number, workspace), reason=reason)
        for number, email, reason in connection.execute(statement)
    )


def make_message_id(campaign_id: int, subscriber_id: int, workspace: Workspace) -> str:
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    return message_id(campaign_id, subscriber_id, domain, signer)


class DoubtCause(WordedEnum):
    """Causes of doubt about a delivery."""

    silence = (
        "silence",
        gettext_noop("The whole message was sent. The mail server did not answer in time."),
    )
    lost = (
        "lost",
        gettext_noop("The whole message was sent. The connection broke before the mail server answered."),
    )
    unclear = (
        "unclear",
        gettext_noop("The whole message was sent. The mail server’s answer says neither yes nor no."),
    )
    interrupted = (
        "interrupted",
        gettext_noop(
            "Our program stopped while it was sending the message. All of it may have been sent, or nothing."
        ),
    )
    unknown = ("unknown", gettext_noop("Whether the whole message was sent is not known."))
    """Something else, which the reason says."""


class DoubtSettlement(WordedEnum):
    """Ways in which a delivery in doubt was settled."""

    person = ("person", gettext_noop("Somebody of the team decided."))
    log = ("log", gettext_noop("The relay’s log says so."))
    proof = ("proof", gettext_noop("What they did, or what came back, proves that they have it."))

    rule = ("rule", gettext_noop("The campaign’s settings say to send it again."))
    """It is sent again without asking."""

    reply = ("reply", gettext_noop("The mail server answered later."))

    other = "other"
    """Of this there are only technical details."""


def find_doubt_cause(code: int | None, reason: str) -> DoubtCause:
    """Return how a delivery came to be in doubt, by its ``code`` and ``reason`` in the ledger."""
    if code is not None:
        return DoubtCause.unclear
    # Whoever was killed left no reason.
    if reason in {"", CRASH_REASON}:
        return DoubtCause.interrupted
    if not reason.startswith(CONNECTION_LOST):
        return DoubtCause.unknown
    return DoubtCause.silence if reason.endswith(f": {TIMED_OUT}") else DoubtCause.lost


def find_doubt_settlement(state: DeliveryState, code: int | None, reason: str) -> DoubtSettlement:
    if code is not None:
        return DoubtSettlement.reply
    if reason in DECISIONS.values():
        return DoubtSettlement.person
    if RELAY_LOG in reason:
        return DoubtSettlement.log
    if reason.startswith(PROVED_BY):
        return DoubtSettlement.proof
    is_sent_again = state in {DeliveryState.queued, DeliveryState.claimed}
    return DoubtSettlement.rule if is_sent_again else DoubtSettlement.other


def find_held_messages(
    connection: Connection, campaign_id: int, subscribers: Collection[int]
) -> Mapping[int, int]:
    """Return the newest message that came back from each of ``subscribers`` about a campaign and waits for a
    person's judgement, by the subscriber's number."""
    subscriber = col(FeedbackEvent.subscriber_id)
    found = (
        select(subscriber, col(FeedbackMessage.id))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(subscriber.in_(subscribers), col(FeedbackEvent.campaign_id) == campaign_id)
        .where(col(FeedbackMessage.state) == FeedbackState.held)
        .order_by(col(FeedbackMessage.id))
    )
    return {number: message or 0 for number, message in connection.execute(found) if number is not None}


def find_dead_dispatchers(workspace: Workspace, engine: Engine, campaign_id: int) -> set[str]:
    """Return the dispatchers that died while they held deliveries of a campaign. Nothing is written."""
    return Presence(engine, workspace.root, campaign_id).find_dead()


def list_doubts(
    connection: Connection,
    campaign_id: int,
    dead: Collection[str] = (),
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[Row[Any]]:
    """Return the deliveries in doubt that no dispatcher holds, or one in ``dead``, in the order of their
    numbers, from the first ``after`` a number."""
    rows: list[Any] = []
    for condition in _list_conditions(campaign_id, dead):
        statement = (
            select(*_COLUMNS)
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(*condition, col(Delivery.id) > after)
            .order_by(col(Delivery.id))
        )
        rows += connection.execute(statement if limit is None else statement.limit(limit)).all()
    rows.sort(key=lambda row: row.id)
    return rows[:limit]


def group_doubts(
    connection: Connection, campaign_id: int, dead: Collection[str] = ()
) -> list[tuple[DoubtCause, Counter[str]]]:
    """Count those in doubt, in the ledger's words, by how they came to be; the most frequent first."""
    code, reason = col(Delivery.code), col(Delivery.reason)
    found: defaultdict[DoubtCause, Counter[str]] = defaultdict(Counter)
    for condition in _list_conditions(campaign_id, dead):
        statement = select(code, reason, func.count()).where(*condition).group_by(code, reason)
        for number, words, count in connection.execute(statement):
            found[find_doubt_cause(number, words)][_tell(number, words)] += count
    return sorted(found.items(), key=lambda group: (-group[1].total(), group[0]))


def group_settled(
    connection: Connection, campaign_id: int
) -> list[tuple[tuple[DeliveryState, DoubtSettlement], Counter[str]]]:
    """Count those that were in doubt, in the ledger's words, by what they are now and what has settled them;
    the most frequent first."""
    state, code, reason = col(Delivery.state), col(Delivery.code), col(Delivery.reason)
    statement = (
        select(state, code, reason, func.count())
        .where(col(Delivery.campaign_id) == campaign_id, _WAS_DOUBTED, state != DeliveryState.in_doubt)
        .group_by(state, code, reason)
    )
    found: defaultdict[tuple[DeliveryState, DoubtSettlement], Counter[str]] = defaultdict(Counter)
    for outcome, number, words, count in connection.execute(statement):
        found[outcome, find_doubt_settlement(outcome, number, words)][_tell(number, words)] += count
    return sorted(found.items(), key=lambda group: (-group[1].total(), *group[0]))


def _tell(code: int | None, reason: str) -> str:
    return " ".join(part for part in (str(code or ""), mask_words(reason)) if part)


def _list_conditions(campaign_id: int, dead: Collection[str]) -> Sequence[tuple[ColumnElement[bool], ...]]:
    """Return the conditions of those that nobody holds and of those that somebody dead holds, each by its own
    index."""
    ours = col(Delivery.campaign_id) == campaign_id
    in_doubt = col(Delivery.state) == DeliveryState.in_doubt
    owner = col(Delivery.owner)
    free = (ours, _WAS_DOUBTED, in_doubt, owner.is_(None))
    return (free, (ours, in_doubt, owner.is_not(None), owner.in_(dead))) if dead else (free,)

"""Dead addresses found while sending: their readers get the status bounced once the refusals are believed.

A relay that is set up wrongly refuses the living as well, and the circuit breaker then gives them back. So
nobody is marked while readers are still to be tried: only when the campaign has nothing in hand and nothing
in the queue, or is cancelled, is it known what to make of a refusal. A campaign is called finished only after
its readers are marked, and marking them again changes nothing, so a crash at any moment leaves none out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, exists, select
from sqlmodel import Session, col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries.claims import is_in_state
from mailer.dispatch.deliveries.counts import count_deliveries
from mailer.smtp.reply_classifier import find_enhanced_code, is_certainly_dead
from subscribers.consent.status_changes import GONE_STATUSES, mark_bounced
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Subscriber

METHOD: Final = "sending"
"""How the consent record names what happened."""

_CODES: Final = (550, 551, 553)
_BREAKER_JUDGES: Final = 200
_FEW: Final = 19
"""Fewer than the refusals in a row that trip the circuit breaker later on."""
_AT_ONCE: Final = 50


class _Refusal(NamedTuple):
    """A delivery that was rejected because the address is dead."""

    delivery_id: int
    subscriber_id: int
    attempts: int
    code: int
    words: str
    at: datetime
    is_gone: bool


def name_campaign(campaign_id: int) -> str:
    """The campaign as the source of a consent record."""
    return f"campaign {campaign_id}"


def mark_dead_addresses(
    engine: Engine,
    campaign_id: int,
    key: SuppressionKey,
    *,
    halt_at_rejected: float,
    clock: Clock = read_clock,
) -> int:
    """Give the readers of a campaign whose address is dead the status bounced; how many were given it.

    Does nothing while somebody is still to be tried, and marks nobody whose refusal is not believed: see
    :func:`_believe`. ``engine`` must be durable.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        if not _has_ended(connection, campaign_id):
            return 0
        believed = _believe(connection, campaign_id, halt_at_rejected)
    marked = 0
    # In the order of their numbers, as a launch writes them down: two that hold several of them never wait
    # for each other in a ring.
    for start in range(0, len(believed), _AT_ONCE):
        marked += _mark(engine, campaign_id, believed[start : start + _AT_ONCE], key, clock)
    return marked


def _has_ended(connection: Connection, campaign_id: int) -> bool:
    """Whether no refusal can be taken back any more: nobody waits, and nobody is in hand."""
    ours = col(Delivery.campaign_id) == campaign_id
    held = exists().where(ours, col(Delivery.owner).is_not(None))
    queued = exists().where(ours, is_in_state(DeliveryState.queued))
    state = select(col(Campaign.state), held, queued).where(col(Campaign.id) == campaign_id)
    row = connection.execute(state).one()
    return not row[1] and (not row[2] or row[0] is CampaignState.cancelled)


def _believe(connection: Connection, campaign_id: int, halt_at_rejected: float) -> list[_Refusal]:
    """The refusals that are about the readers, of those who are not gone already.

    None are, where the relay took no message at all. From 200 readers on the circuit breaker has judged
    them. In a smaller campaign they are believed up to the share it allows, or if they are few and no more
    than half. What was refused again, after a person had read the refusals and resumed, is believed in any
    case.
    """
    counts = count_deliveries(connection, campaign_id)
    if not counts.sent:
        return []
    dead = list(_find_dead(connection, campaign_id))
    handed_over = counts.sent + counts.rejected + counts.in_doubt
    at_first = sum(refusal.attempts <= 1 for refusal in dead)
    allowed = max(halt_at_rejected * handed_over, min(_FEW, handed_over // 2))
    plausible = handed_over >= _BREAKER_JUDGES or at_first <= allowed
    return [refusal for refusal in dead if not refusal.is_gone and (plausible or refusal.attempts > 1)]


def _find_dead(connection: Connection, campaign_id: int) -> Sequence[_Refusal]:
    columns: tuple[Any, ...] = (
        *(col(Delivery.id), col(Delivery.subscriber_id), col(Delivery.attempts), col(Delivery.code)),
        *(col(Delivery.reason), col(Delivery.updated_at), col(Subscriber.status).in_(GONE_STATUSES)),
    )
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, is_in_state(DeliveryState.rejected))
        .where(col(Delivery.code).in_(_CODES))
        .order_by(col(Delivery.subscriber_id))
    )
    found = (_Refusal(*row) for row in connection.execute(statement))
    # Words that were emptied after a while say nothing any more.
    return [one for one in found if one.words and is_certainly_dead(one.code, one.words)]


def _mark(
    engine: Engine, campaign_id: int, refusals: Sequence[_Refusal], key: SuppressionKey, clock: Clock
) -> int:
    """Mark some readers in one transaction, each if the delivery is still rejected as it was."""
    ids = [refusal.delivery_id for refusal in refusals]
    with Session(engine) as session:
        # First of all: a breaker elsewhere that gives readers back waits here, or has done so before.
        connection = session.connection()
        connection.execute(select(col(Campaign.id)).where(col(Campaign.id) == campaign_id).with_for_update())
        rejected = select(col(Delivery.id)).where(
            col(Delivery.id).in_(ids), is_in_state(DeliveryState.rejected)
        )
        still = set(connection.scalars(rejected))
        now = clock(connection)
        marked = sum(
            mark_bounced(
                session,
                refusal.subscriber_id,
                refused_at=refusal.at,
                key=key,
                method=METHOD,
                source=name_campaign(campaign_id),
                # Not the server's words: they quote the address, and are emptied after a while.
                evidence=f"{refusal.code} {find_enhanced_code(refusal.code, refusal.words)}".strip(),
                now=now,
            )
            for refusal in refusals
            if refusal.delivery_id in still
        )
        session.commit()
    return marked

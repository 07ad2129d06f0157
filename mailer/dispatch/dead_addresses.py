"""Dead addresses found while sending: readers are marked as bounced once the refusals can be believed.

A badly configured relay refuses valid addresses too, and the circuit breaker then puts those readers back in
the queue. So readers are only marked when no delivery is queued or claimed, or the campaign is cancelled. A
campaign is finished only after its readers are marked, and marking is idempotent: a crash misses no reader.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, exists, select
from sqlmodel import Session, col

from mailer.database.engine import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.circuit_breaker import FIRST_MESSAGES, MAX_UNJUDGED
from mailer.dispatch.deliveries import count_deliveries, is_in_state
from mailer.dispatch.ledger_changes import name_consent_source
from mailer.reasons.reason_classifier import classify_reason
from mailer.smtp.reply_classifier import find_enhanced_code, is_certainly_dead
from subscribers.consent.status_changes import GONE_STATUSES, mark_bounced
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Subscriber

DEAD_ADDRESS_METHOD: Final = "sending"
"""The method given in the consent record."""
_CODES: Final = (550, 551, 553)
_BATCH_SIZE: Final = 50


def mark_dead_addresses(
    engine: Engine,
    campaign_id: int,
    key: SuppressionKey,
    *,
    halt_at_rejected: float,
    clock: Clock = read_clock,
) -> int:
    """Mark the readers of a campaign whose address is dead as bounced; return how many were marked. Does
    nothing while deliveries are still to be tried, and skips refusals that are not plausible. ``engine`` must
    be durable."""
    with engine.connect().execution_options(read_only=True) as connection:
        if not _has_ended(connection, campaign_id):
            return 0
        plausible = _find_plausible(connection, campaign_id, halt_at_rejected)
    marked = 0
    # In the order of their ids, as a launch inserts them, so that two transactions never deadlock.
    for start in range(0, len(plausible), _BATCH_SIZE):
        marked += _mark(engine, campaign_id, plausible[start : start + _BATCH_SIZE], key, clock)
    return marked


def _has_ended(connection: Connection, campaign_id: int) -> bool:
    """Return whether refusals are final: no delivery is queued or claimed."""
    ours = col(Delivery.campaign_id) == campaign_id
    held = exists().where(ours, col(Delivery.owner).is_not(None))
    queued = exists().where(ours, is_in_state(DeliveryState.queued))
    state = select(col(Campaign.state), held, queued).where(col(Campaign.id) == campaign_id)
    row = connection.execute(state).one()
    return not row[1] and (not row[2] or row[0] is CampaignState.cancelled)


def _find_plausible(connection: Connection, campaign_id: int, halt_at_rejected: float) -> list[Row[Any]]:
    """Return the refusals that can be believed, of readers who have not left already.

    None, if the relay accepted no message at all. From 200 readers on, the circuit breaker has judged the
    share of dead addresses. In a smaller campaign, refusals are believed up to the share the breaker allows,
    or if they are few and at most half. An address refused again after a person resumed the campaign is
    believed in any case. A domain that refused many of its own and took none is not.
    """
    counts = count_deliveries(connection, campaign_id)
    if not counts.sent:
        return []
    dead = list(_find_dead(connection, campaign_id))
    handed_over = counts.sent + counts.rejected + counts.in_doubt
    at_first = sum(refusal.attempts <= 1 for refusal in dead)
    allowed = max(halt_at_rejected * handed_over, min(MAX_UNJUDGED, handed_over // 2))
    is_plausible = handed_over >= FIRST_MESSAGES or at_first <= allowed
    closed = _list_closed_domains(connection, campaign_id, dead)

    def is_believed(refusal: Row[Any]) -> bool:
        return refusal.attempts > 1 or (is_plausible and _find_domain(refusal) not in closed)

    return [refusal for refusal in dead if not refusal.is_gone and is_believed(refusal)]


def _list_closed_domains(connection: Connection, campaign_id: int, dead: Sequence[Row[Any]]) -> set[str]:
    """Return the domains that refused many readers and took no message. No breaker judges what one domain
    says, and a fault of its server is more likely than that all have left."""
    reader = col(Subscriber.id) == col(Delivery.subscriber_id)
    sent = exists().where(reader, col(Delivery.campaign_id) == campaign_id, is_in_state(DeliveryState.sent))
    refused = Counter(map(_find_domain, dead))
    suspects = [domain for domain, number in refused.items() if number > MAX_UNJUDGED]
    own = {domain: col(Subscriber.envelope).endswith(f"@{domain}", autoescape=True) for domain in suspects}
    return {name for name, is_there in own.items() if not connection.scalar(select(sent.where(is_there)))}


def _find_domain(refusal: Row[Any]) -> str:
    return str(refusal.envelope).rpartition("@")[2].lower()


def _find_dead(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    columns: tuple[Any, ...] = (
        *(col(Delivery.id), col(Delivery.subscriber_id), col(Delivery.attempts), col(Delivery.code)),
        *(col(Delivery.reason), col(Delivery.updated_at), col(Subscriber.envelope)),
        col(Subscriber.status).in_(GONE_STATUSES).label("is_gone"),
    )
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, is_in_state(DeliveryState.rejected))
        .where(col(Delivery.code).in_(_CODES))
        .order_by(col(Delivery.subscriber_id))
    )
    found = connection.execute(statement)
    # After the retention period the server's words are gone, and prove nothing.
    return [one for one in found if one.reason and is_dead_refusal(one.code, one.reason)]


def is_dead_refusal(code: int | None, words: str) -> bool:
    """Return whether a refusal at RCPT says for certain that nobody has the address. Both its codes and what
    the words of this server mean must say so: some write 5.1.1 and "no such user" about accounts that are
    disabled or senders that they block."""
    if not is_certainly_dead(code, words):
        return False
    return classify_reason(words, code=str(code or ""), command="RCPT").is_dead


def _mark(
    engine: Engine, campaign_id: int, refusals: Sequence[Row[Any]], key: SuppressionKey, clock: Clock
) -> int:
    """Mark a batch in one transaction, each reader only if the delivery is still rejected."""
    ids = [refusal.id for refusal in refusals]
    with Session(engine) as session:
        # Before anything else: a circuit breaker elsewhere that requeues readers takes the same lock.
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
                refused_at=refusal.updated_at,
                key=key,
                method=DEAD_ADDRESS_METHOD,
                source=name_consent_source(campaign_id),
                # Not the server's words, because they quote the address.
                evidence=f"{refusal.code} {find_enhanced_code(refusal.code, refusal.reason)}".strip(),
                now=now,
            )
            for refusal in refusals
            if refusal.id in still
        )
        session.commit()
    return marked

"""The state transitions a campaign and a delivery may make. No others happen."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Update, or_, update
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries.claims import is_in_state

_C = CampaignState
_D = DeliveryState

CAMPAIGN_TRANSITIONS: Final[Mapping[CampaignState, frozenset[CampaignState]]] = MappingProxyType(
    {
        _C.draft: frozenset({_C.tested, _C.approved, _C.scheduled, _C.sending, _C.cancelled}),
        # A draft again if its content is replaced by one that was not tested.
        _C.tested: frozenset({_C.draft, _C.approved, _C.scheduled, _C.sending, _C.cancelled}),
        # A draft again if the team changes their mind about who gets it.
        _C.approved: frozenset({_C.draft, _C.scheduled, _C.sending, _C.cancelled}),
        _C.scheduled: frozenset({_C.sending, _C.cancelled}),
        _C.sending: frozenset({_C.paused, _C.finished, _C.cancelled}),
        _C.paused: frozenset({_C.sending, _C.cancelled}),
        # Only to send deliveries in doubt again, when a person decides to.
        _C.finished: frozenset({_C.sending}),
        _C.cancelled: frozenset(),
    }
)

DELIVERY_TRANSITIONS: Final[Mapping[DeliveryState, frozenset[DeliveryState]]] = MappingProxyType(
    {
        # Sent if it was in doubt, is queued to be sent again, and the server's reply comes after all.
        _D.queued: frozenset({_D.claimed, _D.suppressed, _D.sent}),
        _D.claimed: frozenset({_D.queued, _D.in_doubt, _D.deferred, _D.rejected, _D.failed}),
        _D.in_doubt: frozenset({_D.sent, _D.deferred, _D.rejected, _D.failed, _D.in_doubt, _D.queued}),
        _D.deferred: frozenset({_D.queued}),
        # Requeued when the circuit breaker finds that the server, not the address, was at fault.
        _D.rejected: frozenset({_D.queued}),
        _D.failed: frozenset({_D.queued}),
        _D.sent: frozenset(),
        _D.suppressed: frozenset(),
    }
)


def change_campaign_state(
    connection: Connection,
    campaign_id: int,
    to: CampaignState,
    *conditions: ColumnElement[bool],
    reason: str = "",
    **values: Any,
) -> bool:
    """Change the campaign's state to ``to`` if the table allows it; return whether it changed.

    ``conditions`` must hold too; ``values`` are other columns to set. The caller commits.
    """
    sources = [source for source, targets in CAMPAIGN_TRANSITIONS.items() if to in targets]
    statement = (
        update(Campaign)
        .where(col(Campaign.id) == campaign_id, col(Campaign.state).in_(sources), *conditions)
        .values(state=to, state_reason=reason, **values)
    )
    return connection.execute(statement).rowcount == 1


def make_state_update(
    sources: Sequence[DeliveryState], to: DeliveryState, *conditions: ColumnElement[bool], **values: Any
) -> Update:
    """Build the UPDATE that moves deliveries in ``sources`` that meet ``conditions`` to ``to`` and sets
    ``values``.

    Raises:
        AssertionError: no delivery may move so.
    """
    for source in sources:
        if to not in DELIVERY_TRANSITIONS[source]:
            raise AssertionError(f"a delivery cannot move from {source} to {to}")
    from_there = or_(*(is_in_state(source) for source in sources))
    return update(Delivery).where(from_there, *conditions).values(state=to, **values)

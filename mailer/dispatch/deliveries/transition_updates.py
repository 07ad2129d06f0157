"""Build the UPDATEs that change the state of deliveries, and only those the table of transitions allows.

:mod:`mailer.dispatch.deliveries.ledger` and :mod:`mailer.dispatch.deliveries.in_doubt` run them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Update, or_, update

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.deliveries.claims import is_in_state
from mailer.dispatch.deliveries.transitions import DELIVERY_TRANSITIONS


def make_state_update(
    sources: Sequence[DeliveryState], to: DeliveryState, *conditions: ColumnElement[bool], **values: Any
) -> Update:
    """Build the UPDATE that moves deliveries in ``sources`` that meet ``conditions`` to ``to`` and sets
    ``values``."""
    for source in sources:
        if to not in DELIVERY_TRANSITIONS[source]:
            raise AssertionError(f"a delivery cannot move from {source} to {to}")
    from_there = or_(*(is_in_state(source) for source in sources))
    return update(Delivery).where(from_there, *conditions).values(state=to, **values)

"""The UPDATEs that move deliveries: none is made that the table of moves does not allow.

:mod:`mailer.dispatch.ledger` alone runs them.
"""

import functools
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Integer, Update, bindparam, case, update
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.claiming import is_sending, reader_may_get_mail
from mailer.dispatch.states import DELIVERY_MOVES


def make_move(
    sources: Sequence[DeliveryState], to: DeliveryState, *conditions: ColumnElement[bool], **values: Any
) -> Update:
    """The move to ``to`` of the deliveries that are in ``sources`` and meet ``conditions``, setting
    ``values``.
    """
    for source in sources:
        if to not in DELIVERY_MOVES[source]:
            raise AssertionError(f"no delivery goes from {source} to {to}")
    return update(Delivery).where(col(Delivery.state).in_(sources), *conditions).values(state=to, **values)


@functools.lru_cache(maxsize=256)
def make_single_move(
    sources: tuple[DeliveryState, ...],
    to: DeliveryState,
    names: tuple[str, ...],
    begins: tuple[int, date] | None = None,
) -> Update:
    """The move of one delivery of one owner, setting the columns ``names``; ``begins`` is the campaign that
    must be sending and the day on which the reader must get mail.

    It is made once and then only given values (``delivery``, ``me``, ``tried``, ``new_…``): two of these
    run for every message, and SQLAlchemy takes longer to make one than SQLite to run it. A try is counted
    where none was when the hand-over began.
    """
    conditions = [col(Delivery.id) == bindparam("delivery"), col(Delivery.owner) == bindparam("me")]
    if begins is not None:
        campaign_id, today = begins
        conditions += [is_sending(campaign_id), reader_may_get_mail(today)]
    untried = (col(Delivery.state) == DeliveryState.claimed, bindparam("tried", type_=Integer))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return make_move(
        sources, to, *conditions, attempts=col(Delivery.attempts) + case(untried, else_=0), **values
    )

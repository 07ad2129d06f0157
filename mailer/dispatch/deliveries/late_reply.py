"""A reply that comes after its delivery was taken from the dispatcher that sent the message.

That happens to a dispatcher that another machine took for dead, and when the reader is erased. The delivery
is then in doubt without an owner, or queued to be sent again. The reply still says what became of the
message, so it settles the delivery where it can be no other message's reply:

- A message that was accepted is with the reader, whoever else may be trying: the delivery is sent.
- Anything else counts only if no other attempt has started since. ``attempts`` tells.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from mailer.database.models import DeliveryState
from mailer.dispatch.deliveries.transitions import DELIVERY_TRANSITIONS

_IN_DOUBT: Final = DeliveryState.in_doubt
_MAY_BE_SENT: Final = "(state = 'in_doubt' OR (state = 'queued' AND doubted))"


class LateReply(NamedTuple):
    """The state a reply leads to, the columns to set with their values as the driver takes them, and the
    number of the attempt it answers, None if no body was begun."""

    delivery_id: int
    state: DeliveryState
    attempt: int | None
    columns: Sequence[str]
    values: Sequence[Any]


def record_late_reply(
    execute: Callable[..., Any], reply: LateReply, now: Any, *, mark: str, lock: str = ""
) -> bool:
    """Record ``reply`` if it settles its delivery; return whether it did.

    ``mark`` is how the driver writes a parameter. The caller has a transaction open. ``lock`` keeps the
    reader from being erased before its end.
    """
    if reply.state is DeliveryState.sent:
        sources, numbers = _MAY_BE_SENT, []
    elif reply.attempt is not None and reply.state in DELIVERY_TRANSITIONS[_IN_DOUBT]:
        sources, numbers = f"state = 'in_doubt' AND attempts = {mark}", [reply.attempt]
    else:
        return False
    values = dict(zip(reply.columns, reply.values, strict=True))
    # The server's words often quote the address, and nobody would erase them a second time.
    if "reason" in values and _is_erased(execute, reply.delivery_id, mark, lock):
        values["reason"] = ""
    columns = "".join(f", {name} = {mark}" for name in values)
    statement = (
        f"UPDATE delivery SET state = {mark}, updated_at = {mark}{columns} "  # noqa: S608 - names are ours
        f"WHERE id = {mark} AND owner IS NULL AND {sources}"
    )
    row = (reply.state.value, now, *values.values(), reply.delivery_id, *numbers)
    return bool(execute(statement, row).rowcount == 1)


def _is_erased(execute: Callable[..., Any], delivery_id: int, mark: str, lock: str) -> bool:
    statement = (
        "SELECT s.status FROM subscriber s JOIN delivery d ON d.subscriber_id = s.id "  # noqa: S608 - constants
        f"WHERE d.id = {mark} {lock}"
    )
    row = execute(statement, (delivery_id,)).fetchone()
    return row is not None and row[0] == "erased"

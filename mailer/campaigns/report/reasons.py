"""Why readers did not get the mail: the database groups replies that mean the same."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, func, literal_column, or_
from sqlalchemy import select as select_columns
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.providers.refusal_advice import Explanation, explain_refusal
from mailer.reasons.fault import Fault
from mailer.reasons.reason import Reason
from mailer.smtp.reply_classifier import is_dead_address

_STATES_WITH_REASON = (
    DeliveryState.rejected,
    DeliveryState.failed,
    DeliveryState.deferred,
    DeliveryState.suppressed,
    DeliveryState.in_doubt,
)
_STATES_WITH_REPLY = (DeliveryState.rejected, DeliveryState.deferred, DeliveryState.failed)

# What differs between replies that mean the same: addresses, and the ids by which a server identifies a
# message. The patterns work the same in Python and in PostgreSQL.
_ADDRESS_PATTERN = r"<?[^\s<>]+@[^\s<>:,;]+>?"
_TIME_PATTERN = r", \d{4}-\d\d-\d\d \d\d:\d\d UTC$"
_ID_PATTERN = r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,}"
_MAX_REASONS = 100
_MAX_ADVICE = 5


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

    @property
    def cause(self) -> Reason | None:
        """What the words of a server mean; None if they are not a server's, or say nothing we understand."""
        told = self.explain()
        return None if told is None or told.reason is Reason.other else told.reason

    @property
    def fault(self) -> Fault | None:
        """Whose fault a server's refusal is; None if it was no server that said it."""
        told = self.explain()
        return told.fault if told else None

    def explain(self) -> Explanation | None:
        """What a server's refusal means and what to do; None if it was no server that said it."""
        if self.state not in _STATES_WITH_REPLY or not self.reason[:3].isdecimal():
            return None
        return explain_refusal(self.reason, command="RCPT" if self.dead_address else "")

    def as_dict(self) -> dict[str, Any]:
        """The group in the form of the JSON output."""
        told = {
            name: one.value if one else None for name, one in (("cause", self.cause), ("fault", self.fault))
        }
        return {**asdict(self), "state": self.state.value, **told}


def group_reasons(connection: Connection, campaign_id: int) -> tuple[ReasonGroup, ...]:
    """Group deliveries whose reasons differ only in an address or an id; return the largest groups."""
    words = mask_details(connection, col(Delivery.reason))
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
        make_reason_group(found, code, told, count)
        for found, code, told, count in connection.execute(statement)
    )


def list_advice(groups: Iterable[ReasonGroup]) -> tuple[str, ...]:
    """What the refusals of most readers mean and what to do, each once."""
    told = (group.explain() for group in groups)
    advice = (f"{each.means} {each.advice}" for each in told if each is not None)
    return tuple(islice(dict.fromkeys(advice), _MAX_ADVICE))


def mask_details(connection: Connection, words: Any) -> Any:
    """The SQL expression for a server's ``words`` without what differs from reader to reader."""
    if connection.dialect.name == "sqlite":
        # The part of PostgreSQL's function that is used here.
        raw = connection.connection.driver_connection
        raw.create_function("regexp_replace", 4, _regexp_replace, deterministic=True)  # type: ignore[union-attr]
    for pattern, mask in ((_TIME_PATTERN, ""), (_ADDRESS_PATTERN, "<…>"), (_ID_PATTERN, "…")):
        # Literals, because PostgreSQL compares GROUP BY with SELECT including the parameters.
        words = func.regexp_replace(
            words, literal_column(f"'{pattern}'"), literal_column(f"'{mask}'"), literal_column("'g'")
        )
    return words


def mask_words(words: str) -> str:
    """A server's ``words`` without what differs from reader to reader, as :func:`mask_details` has them."""
    for pattern, mask in ((_TIME_PATTERN, ""), (_ADDRESS_PATTERN, "<…>"), (_ID_PATTERN, "…")):
        words = re.sub(pattern, mask, words)
    return words


def make_reason_group(state: DeliveryState, code: int | None, words: str, number: int) -> ReasonGroup:
    """The group of ``number`` deliveries with these ``words``, in which nothing differs any more."""
    return ReasonGroup(
        state=state,
        number=number,
        reason=words if code is None else f"{code} {words}",
        dead_address=state is DeliveryState.rejected and is_dead_address(code, words),
    )


def _regexp_replace(text: str, pattern: str, mask: str, _: str) -> str:
    return re.sub(pattern, mask, text)

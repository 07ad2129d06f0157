"""Deliveries: their claims, the transitions allowed between their states, and their numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Integer,
    Select,
    Update,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlmodel import SQLModel, col

from mailer.database.engine import read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.errors import MailerError
from subscribers.models import Subscriber, SubscriberCountry, SubscriberSector
from subscribers.segments.segment import eligible

_STATE_TYPE = SQLModel.metadata.tables["delivery"].columns.state.type
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


class LostClaimError(MailerError):
    """A delivery that was just claimed belongs to another dispatcher: two have the same name."""

    def __init__(self, delivery_id: int) -> None:
        self.delivery_id = delivery_id
        super().__init__(
            f"delivery {delivery_id} now belongs to another dispatcher, which took this one for dead."
        )


class ClaimedSubscriber(NamedTuple):
    """The data of a subscriber that a message needs: columns of ``Subscriber`` by the same names."""

    id: int
    email: str
    envelope: str
    name: str
    country: str | None
    language: str | None
    click_consent: bool = False


_SUBSCRIBER_COLUMNS = tuple(
    getattr(Subscriber, name).label(f"reader_{name}") for name in ClaimedSubscriber._fields
)

# In the same query as the subscriber: a second one for 500 takes longer to build than to run.
_SECTORS, _COUNTRIES = (
    select(func.aggregate_strings(col(name), " "))
    .where(col(reader) == col(Subscriber.id))
    .correlate(Subscriber)
    .scalar_subquery()
    .label(label)
    for label, reader, name in (
        ("sectors", SubscriberSector.subscriber_id, SubscriberSector.sector),
        ("countries", SubscriberCountry.subscriber_id, SubscriberCountry.country),
    )
)


class Claim(NamedTuple):
    """A delivery a dispatcher has claimed, with its subscriber, the ``sectors`` they follow and the
    ``countries`` besides their own, read in the same transaction."""

    delivery_id: int
    campaign_id: int
    subscriber: ClaimedSubscriber
    sectors: frozenset[str] = frozenset()
    attempts: int = 0
    deferrals: int = 0
    deferred_since: datetime | None = None
    countries: frozenset[str] = frozenset()

    @property
    def domain(self) -> str:
        """The domain that the message goes to, in A-labels."""
        return self.subscriber.envelope.rpartition("@")[2].lower()


def is_in_state(state: DeliveryState) -> ColumnElement[bool]:
    """Return the condition that a delivery is in ``state``, written into the statement itself: SQLite cannot
    tell whether a partial index covers a parameter, and would read the whole ledger."""
    here: ColumnElement[bool] = col(Delivery.state) == bindparam(
        None, state, _STATE_TYPE, literal_execute=True
    )
    return here


def is_sending(campaign_id: int) -> ColumnElement[bool]:
    return exists().where(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.sending)


def select_due(campaign_id: int) -> Select[Any]:
    """Build the query for the next queued deliveries with their subscribers, the fewest attempts first. Build
    it once, then run it with ``today`` and ``most`` (how many). On PostgreSQL, rows that another dispatcher
    is claiming are skipped."""
    return (
        select(
            col(Delivery.id).label("delivery_id"),
            col(Delivery.attempts),
            col(Delivery.deferrals),
            col(Delivery.deferred_since),
            eligible(bindparam("today", type_=Date)).label("may_get_mail"),
            _SECTORS,
            _COUNTRIES,
            *_SUBSCRIBER_COLUMNS,
        )
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            is_in_state(DeliveryState.queued),
            is_sending(campaign_id),
        )
        .order_by(col(Delivery.attempts), col(Delivery.id))
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=Delivery, skip_locked=True)
    )


def read_claims(campaign_id: int, rows: Iterable[Sequence[Any]]) -> list[Claim]:
    """Turn rows of :func:`select_due` into claims, in their order."""
    return [
        Claim(
            number,
            campaign_id,
            ClaimedSubscriber(*reader),
            _parse_names(sectors),
            attempts,
            deferrals,
            since,
            _parse_names(countries),
        )
        for number, attempts, deferrals, since, _, sectors, countries, *reader in rows
    ]


# Few sets, many subscribers: a set seen before is the same object, so comparing it is fast.
@lru_cache(maxsize=4096)
def _parse_names(names: str | None) -> frozenset[str]:
    return frozenset(names.split()) if names else frozenset()


def change_campaign_state(
    connection: Connection,
    campaign_id: int,
    to: CampaignState,
    *conditions: ColumnElement[bool],
    reason: str = "",
    **values: Any,
) -> bool:
    """Change the campaign's state to ``to`` if the table allows it and ``conditions`` hold, and set
    ``values``; return whether it changed. The caller commits."""
    sources = [source for source, targets in CAMPAIGN_TRANSITIONS.items() if to in targets]
    if to is CampaignState.paused:
        values["paused_at"] = read_clock(connection)
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
    ``values``."""
    for source in sources:
        if to not in DELIVERY_TRANSITIONS[source]:
            raise AssertionError(f"a delivery cannot move from {source} to {to}")
    from_there = or_(*(is_in_state(source) for source in sources))
    return update(Delivery).where(from_there, *conditions).values(state=to, **values)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The deliveries of one campaign by state. ``queued`` includes those a dispatcher has claimed but not
    started to send."""

    audience: int
    sent: int = 0
    rejected: int = 0
    failed: int = 0
    suppressed: int = 0
    in_doubt: int = 0
    deferred: int = 0
    queued: int = 0

    @property
    def still_to_do(self) -> int:
        return self.deferred + self.queued

    @property
    def balances(self) -> bool:
        """Whether the closing equation holds. If it does not, another program has changed the ledger."""
        return self.audience == self.settled + self.still_to_do

    @property
    def settled(self) -> int:
        """How many need no more work from a dispatcher."""
        return self.sent + self.rejected + self.failed + self.suppressed + self.in_doubt

    def equation(self) -> str:
        sign = "=" if self.balances else "≠"
        return (
            f"{self.audience} {sign} {self.sent} sent + {self.rejected} rejected + {self.failed} failed + "
            f"{self.suppressed} suppressed + {self.in_doubt} in doubt + {self.still_to_do} still to do"
        )


def count_deliveries(connection: Connection, campaign_id: int) -> Counts:
    audience = connection.scalar(select(col(Campaign.audience)).where(col(Campaign.id) == campaign_id)) or 0
    grouped = (
        select(col(Delivery.state), func.count())
        .where(col(Delivery.campaign_id) == campaign_id)
        .group_by(col(Delivery.state))
    )
    found: dict[DeliveryState, int] = {row[0]: row[1] for row in connection.execute(grouped)}
    in_hand = found.pop(DeliveryState.claimed, 0)
    queued = found.pop(DeliveryState.queued, 0) + in_hand
    return Counts(
        audience=audience, queued=queued, **{state.value: number for state, number in found.items()}
    )


class RunningCounts:
    """The counts of a campaign, kept up to date as a run records deliveries: to count a million rows again
    takes half a second."""

    def __init__(self, counts: Counts) -> None:
        self._before = counts
        self._added: Counter[DeliveryState] = Counter()

    def add(self, state: DeliveryState) -> None:
        self._added[state] += 1

    def current(self) -> Counts:
        added = {state.value: getattr(self._before, state) + n for state, n in self._added.items()}
        queued = max(0, self._before.queued - self._added.total())
        return replace(self._before, queued=queued, **added)

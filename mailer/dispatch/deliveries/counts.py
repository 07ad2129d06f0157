"""Count a campaign's deliveries by state, in numbers that always add up."""

from collections import Counter
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection, func, select
from sqlmodel import col

from mailer.database.models import Campaign, Delivery, DeliveryState


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The deliveries of one campaign by state. ``queued`` includes those a dispatcher has claimed but not
    started to send.
    """

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

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name, as JSON shows them."""
        return asdict(self)

    def equation(self) -> str:
        """Return the closing equation as it is printed."""
        sign = "=" if self.balances else "≠"
        return (
            f"{self.audience} {sign} {self.sent} sent + {self.rejected} rejected + {self.failed} failed + "
            f"{self.suppressed} suppressed + {self.in_doubt} in doubt + {self.still_to_do} still to do"
        )


def count_deliveries(connection: Connection, campaign_id: int) -> Counts:
    """Count the deliveries of a campaign by state."""
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
    """The counts of a campaign, kept up to date as a run records deliveries.

    Counting a million rows again takes half a second.
    """

    def __init__(self, counts: Counts) -> None:
        self._before = counts
        self._added: Counter[DeliveryState] = Counter()

    def add(self, state: DeliveryState) -> None:
        """Count a delivery that was queued and is in ``state`` now."""
        self._added[state] += 1

    def current(self) -> Counts:
        """Return the counts as they are now."""
        added = {state.value: getattr(self._before, state) + n for state, n in self._added.items()}
        queued = max(0, self._before.queued - self._added.total())
        return replace(self._before, queued=queued, **added)

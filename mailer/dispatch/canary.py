"""The canary: the first readers of a campaign, after whom it waits for a person, or for some minutes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mailer.database.models import Campaign
from mailer.dispatch.counts import Counts

_HALT_AT_REJECTED = 0.1


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How a campaign stands. ``claimed`` (of the queued) and ``on_wire`` (of those in doubt) are in the hands
    of a dispatcher.
    """

    counts: Counts
    claimed: int = 0
    on_wire: int = 0

    @property
    def out(self) -> int:
        """How many readers had their turn or are having it. Who has left in the meantime is none of them."""
        counts = self.counts
        decided = counts.sent + counts.rejected + counts.failed + counts.in_doubt + counts.deferred
        return decided + self.claimed

    @property
    def left(self) -> int:
        """How many nobody has touched."""
        return self.counts.queued - self.claimed


@dataclass(frozen=True, kw_only=True)
class Canary:
    """The rule of one campaign: ``size`` readers first, then wait ``minutes``, or for a person without them.

    ``until`` is when it is over, once somebody has said so: a resume says now. With a share of refusals above
    ``halt_at_rejected`` it waits for a person in any case.
    """

    campaign_id: int
    size: int
    minutes: float | None = None
    until: datetime | None = None
    halt_at_rejected: float = _HALT_AT_REJECTED

    def allowance(self, numbers: Numbers, now: datetime) -> int | None:
        """How many deliveries may be claimed now; None when it is over and the rest may go."""
        if self.is_over(now):
            return None
        return min(numbers.left, max(0, self.size - numbers.out))

    def is_over(self, now: datetime) -> bool:
        """Whether the rest may go."""
        return self.until is not None and now >= self.until

    def is_complete(self, numbers: Numbers) -> bool:
        """Whether the first are out, every answer is in, and there is a rest to hold back."""
        has_answers = numbers.claimed == 0 and numbers.on_wire == 0
        return has_answers and numbers.out >= self.size and numbers.left > 0

    def ends_at(self, numbers: Numbers, now: datetime) -> datetime | None:
        """When the campaign goes on by itself, if the canary is complete ``now``; None when a person has to
        say so.
        """
        if self.minutes is None or self.is_suspicious(numbers):
            return None
        return now + timedelta(minutes=self.minutes)

    def is_suspicious(self, numbers: Numbers) -> bool:
        """Whether more of the first were refused than is right."""
        return numbers.counts.rejected > self.halt_at_rejected * numbers.out

    def explain(self, numbers: Numbers, until: datetime | None, now: datetime) -> str:
        """Why the campaign waits, for a person; ``until`` is when it goes on by itself, if it does."""
        first = f"The canary of {numbers.out:,} is complete: {_describe(numbers.counts)}."
        command, rest = f"`mailer campaigns resume {self.campaign_id}`", f"the other {numbers.left:,}"
        if until is not None:
            moment = f"{until:%H:%M} UTC" if until.date() == now.date() else f"{until:%Y-%m-%d %H:%M} UTC"
            continues = f"The campaign continues automatically at {moment}"
            return f"{first} {continues}; to send to {rest} now, run {command}."
        if self.is_suspicious(numbers):
            first += f" More than {self.halt_at_rejected:.0%} were rejected."
        return f"{first} Check the results, then run {command} to send to {rest}."


def read_canary(campaign: Campaign, *, halt_at_rejected: float = _HALT_AT_REJECTED) -> Canary | None:
    """The canary of a campaign; None if it has none."""
    if campaign.canary is None:
        return None
    return Canary(
        campaign_id=campaign.id or 0,
        size=campaign.canary,
        minutes=campaign.canary_minutes,
        until=campaign.canary_until,
        halt_at_rejected=halt_at_rejected,
    )


def _describe(counts: Counts) -> str:
    """The numbers that are not zero, the sent in any case."""
    others = {
        "rejected": counts.rejected,
        "failed": counts.failed,
        "in doubt": counts.in_doubt,
        "put off by the server": counts.deferred,
    }
    return ", ".join(
        [f"{counts.sent:,} sent", *(f"{number:,} {name}" for name, number in others.items() if number)]
    )

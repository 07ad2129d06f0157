"""The canary: a campaign goes to a few subscribers first, then waits for a person or for some minutes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from locales.phrase import gettext_noop
from mailer.database.models import Campaign
from mailer.dispatch.circuit_breaker import HALT_AT_REJECTED
from mailer.dispatch.deliveries import Counts
from mailer.utc import format_utc


@dataclass(frozen=True, kw_only=True)
class CanaryProgress:
    """The progress of a campaign. A dispatcher holds ``claimed`` of the queued deliveries and ``in_flight``
    of those in doubt."""

    counts: Counts
    claimed: int = 0
    in_flight: int = 0

    @property
    def attempted(self) -> int:
        """How many deliveries have been attempted or are in progress; those suppressed since do not count."""
        counts = self.counts
        decided = counts.sent + counts.rejected + counts.failed + counts.in_doubt + counts.deferred
        return decided + self.claimed

    @property
    def untouched(self) -> int:
        return self.counts.queued - self.claimed


@dataclass(frozen=True, kw_only=True)
class Canary:
    """The canary of one campaign: send to ``size`` subscribers, then wait ``minutes``, or without them for a
    person. ``until`` is when the wait ends, once that is decided: a resume ends it immediately. If the share
    of rejections exceeds ``halt_at_rejected``, only a person can end it."""

    campaign_id: int
    size: int
    minutes: float | None = None
    until: datetime | None = None
    halt_at_rejected: float = HALT_AT_REJECTED

    def allowance(self, numbers: CanaryProgress, now: datetime) -> int | None:
        """Return how many deliveries may be claimed now; None once the canary is over."""
        if self.is_over(now):
            return None
        return min(numbers.untouched, max(0, self.size - numbers.attempted))

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def is_complete(self, numbers: CanaryProgress) -> bool:
        """Return whether the first are sent, every reply is in, and there are others to hold back."""
        has_answers = numbers.claimed == 0 and numbers.in_flight == 0
        return has_answers and numbers.attempted >= self.size and numbers.untouched > 0

    def ends_at(self, numbers: CanaryProgress, now: datetime) -> datetime | None:
        """Return when the campaign continues automatically if the canary is complete ``now``; None if a
        person has to resume it."""
        if self.minutes is None or self.is_suspicious(numbers):
            return None
        return now + timedelta(minutes=self.minutes)

    def is_suspicious(self, numbers: CanaryProgress) -> bool:
        return numbers.counts.rejected > self.halt_at_rejected * numbers.attempted

    def explain(self, numbers: CanaryProgress, until: datetime | None, now: datetime) -> str:
        """Explain to a person why the campaign waits; ``until`` is when it goes on by itself, if ever."""
        first = gettext_noop("The canary of %(number)s is complete: %(counts)s.") % {
            "number": f"{numbers.attempted:,}",
            "counts": _describe_counts(numbers.counts),
        }
        values = {"campaign": self.campaign_id, "number": f"{numbers.untouched:,}"}
        if until is not None:
            moment = f"{until:%H:%M} UTC" if until.date() == now.date() else format_utc(until)
            words = gettext_noop(
                "The campaign continues automatically at %(moment)s; to send to the other %(number)s "
                "now, run `mailer campaigns resume %(campaign)s`."
            )
            return f"{first} {words % {**values, 'moment': moment}}"
        if self.is_suspicious(numbers):
            first += " " + gettext_noop("More than %(share)s were rejected.") % {
                "share": f"{self.halt_at_rejected:.0%}"
            }
        words = gettext_noop(
            "Check the results, then run `mailer campaigns resume %(campaign)s` to send to the other "
            "%(number)s."
        )
        return f"{first} {words % values}"


def read_canary(campaign: Campaign, *, halt_at_rejected: float = HALT_AT_REJECTED) -> Canary | None:
    if campaign.canary is None:
        return None
    return Canary(
        campaign_id=campaign.id or 0,
        size=campaign.canary,
        minutes=campaign.canary_minutes,
        until=campaign.canary_until,
        halt_at_rejected=halt_at_rejected,
    )


def _describe_counts(counts: Counts) -> str:
    """Return the counts that are not zero, and always the number sent."""
    others = (
        (gettext_noop("%(number)s rejected"), counts.rejected),
        (gettext_noop("%(number)s failed"), counts.failed),
        (gettext_noop("%(number)s in doubt"), counts.in_doubt),
        (gettext_noop("%(number)s put off by the server"), counts.deferred),
    )
    told = [(gettext_noop("%(number)s sent"), counts.sent), *(one for one in others if one[1])]
    return ", ".join(words % {"number": f"{number:,}"} for words, number in told)

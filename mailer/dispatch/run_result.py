"""How a run of the dispatcher ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailer.database.models import CampaignState
from mailer.dispatch.deliveries.counts import Counts


class RunOutcome(StrEnum):
    """How a run ended."""

    finished = "finished"
    """Nothing is left to do."""

    waiting = "waiting"
    """Only deferred deliveries are left; ``next_try`` says when the first of them is due."""

    paused = "paused"
    """A person, or a problem with the relay, paused the campaign; ``reason`` says which."""

    cancelled = "cancelled"
    """A person cancelled it."""

    stopped = "stopped"
    """This run was asked to stop; the campaign is still sending and can be continued."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: the outcome, the campaign's state and why, when a deferred delivery is due, and the
    counts.
    """

    outcome: RunOutcome
    state: CampaignState
    counts: Counts
    reason: str = ""
    next_try: datetime | None = None

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to do something before the campaign can go on."""
        return self.outcome in {RunOutcome.paused, RunOutcome.cancelled, RunOutcome.stopped}

"""What every measurement of dispatch stands on: campaigns to send, how often, and how much."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import CampaignFactory, PreparedCampaign
from bench.runs import Run, RunComparison


@dataclass(frozen=True, kw_only=True)
class BenchContext:
    """``rounds`` count, after one that does not. ``scale`` makes every run shorter or longer than usual;
    ``full`` sends the great campaigns to their end.
    """

    campaigns: CampaignFactory
    rounds: int
    scale: float = 1
    full: bool = False

    def scaled(self, usual: int) -> int:
        """How many messages, where it is ``usual`` so many."""
        return max(20, round(usual * self.scale))

    def prepare(self, size: NewsletterSize, readers: int) -> PreparedCampaign:
        return self.campaigns.prepare(size, self.scaled(readers))

    def compare(self, works: Mapping[str, Callable[[], Run]]) -> RunComparison:
        return RunComparison(works, rounds=self.rounds)

"""What every measurement of sending needs: campaigns, the number of rounds, and the scale."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.newsletters import NewsletterSize
from bench.prepared_campaigns import CampaignFactory, PreparedCampaign
from bench.runs import Run, RunComparison


@dataclass(frozen=True, kw_only=True)
class BenchContext:
    """``rounds`` excludes the warm-up. ``scale`` makes every run shorter or longer than usual; ``full`` sends
    large campaigns to the end.
    """

    campaigns: CampaignFactory
    rounds: int
    scale: float = 1
    full: bool = False

    def scaled(self, usual: int) -> int:
        """Scale the usual number of messages."""
        return max(20, round(usual * self.scale))

    def prepare(self, size: NewsletterSize, readers: int) -> PreparedCampaign:
        return self.campaigns.prepare(size, self.scaled(readers))

    def compare(self, works: Mapping[str, Callable[[], Run]]) -> RunComparison:
        return RunComparison(works, rounds=self.rounds)

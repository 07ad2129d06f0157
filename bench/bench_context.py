"""What every measurement of dispatch stands on: campaigns to send, how often, and how much."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.newsletters import Size
from bench.prepared_campaigns import Campaigns, PreparedCampaign
from bench.runs import Run, Turns


@dataclass(frozen=True, kw_only=True)
class Ground:
    """``rounds`` count, after one that does not. ``scale`` makes every run shorter or longer than usual;
    ``full`` sends the great campaigns to their end.
    """

    campaigns: Campaigns
    rounds: int
    scale: float = 1
    full: bool = False

    def many(self, usual: int) -> int:
        """How many messages, where it is ``usual`` so many."""
        return max(20, round(usual * self.scale))

    def prepare(self, size: Size, readers: int) -> PreparedCampaign:
        return self.campaigns.prepare(size, self.many(readers))

    def compare(self, works: Mapping[str, Callable[[], Run]]) -> Turns:
        return Turns(works, rounds=self.rounds)

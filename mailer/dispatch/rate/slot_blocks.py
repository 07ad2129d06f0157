"""Slots taken ahead, in blocks, from buckets that are far from used up.

So high a rate is shared by all machines like any other, but not every batch has to lock its row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# What has not been used of a block by then is lost. In any time, a machine sends at most one block more than
# the rate allows.
_USABLE_SECONDS = 0.5


@dataclass(kw_only=True)
class _Block:
    """``left`` slots that may be used until ``ends``, by this process's clock."""

    left: int
    ends: float


class SlotBlocks:
    """The blocks of one process, by bucket. ``monotonic`` is its clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._blocks: dict[str, _Block] = {}

    def add(self, bucket: str, slots: int) -> None:
        """Add a block of slots that begin now. It replaces what is left of the one before."""
        self._blocks[bucket] = _Block(left=slots, ends=self._monotonic() + _USABLE_SECONDS)

    def take(self, wanted: Mapping[str, int]) -> bool:
        """Take so many slots of each bucket, or none of any if one has not enough; return whether taken."""
        now = self._monotonic()
        for bucket, count in wanted.items():
            block = self._blocks.get(bucket)
            if block is None or block.left < count or block.ends <= now:
                return False
        for bucket, count in wanted.items():
            self._blocks[bucket].left -= count
        return True

"""Finds in a body the blocks that a document still has, and those that its changed ones were."""

from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher

from editions.rich_text.nodes import Block


def find_origins(wanted: Sequence[Block], former: Sequence[Block]) -> list[int | None]:
    """For each block that is wanted, the place of the block that it was; None for a new one.

    Blocks that are the same come first, in order and then wherever they were moved to. What is left in the
    same place of both is the same block with another text.
    """
    origins: list[int | None] = [None] * len(wanted)
    left: list[tuple[range, range]] = []
    for kind, old, old_end, new, new_end in SequenceMatcher(
        None, former, wanted, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            origins[new:new_end] = range(old, old_end)
        else:
            left.append((range(old, old_end), range(new, new_end)))
    free = _find_moved(wanted, former, origins, left)
    for old_places, new_places in left:
        changed = [place for place in new_places if origins[place] is None]
        for place, origin in _pair(changed, [old for old in old_places if old in free], wanted, former):
            origins[place] = origin
    return origins


def _find_moved(
    wanted: Sequence[Block],
    former: Sequence[Block],
    origins: list[int | None],
    left: Sequence[tuple[range, range]],
) -> set[int]:
    """Give moved blocks their origins, in place; return the former blocks that nothing has come from."""
    by_block: dict[Block, list[int]] = defaultdict(list)
    for old_places, _ in left:
        for old in old_places:
            by_block[former[old]].append(old)
    for _, new_places in left:
        for place in new_places:
            if same := by_block.get(wanted[place]):
                origins[place] = same.pop(0)
    return {old for places in by_block.values() for old in places}


def _pair(
    changed: Sequence[int], old: Sequence[int], wanted: Sequence[Block], former: Sequence[Block]
) -> list[tuple[int, int]]:
    """Changed blocks with what they were: blocks of the same kind, in order."""
    pairs = []
    rest = [*old]
    for place in changed:
        match = next((one for one in rest if former[one].kind is wanted[place].kind), None)
        if match is not None:
            pairs.append((place, match))
            rest = [one for one in rest if one > match]
    return pairs

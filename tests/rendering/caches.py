"""What the program keeps of what it read and drew before, forgotten."""

import sys

from editions.cache import BoundedCache, LatestCache


def forget_everything() -> None:
    """Forget what any module of ours keeps by content."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"editions", "mailer"}:
            for value in list(vars(module).values()):
                if isinstance(value, BoundedCache | LatestCache):
                    value.clear()

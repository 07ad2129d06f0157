"""Clears what the program caches of what it has read and rendered."""

import sys
from typing import Any

from editions.cache import BoundedCache, LatestCache


def clear_caches() -> None:
    """Empty every cache in our modules."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"editions", "mailer"}:
            for value in list(vars(module).values()):
                if isinstance(value, BoundedCache | LatestCache):
                    forget(value)


def forget(cache: BoundedCache[Any] | LatestCache[Any]) -> None:
    """Forget what one cache keeps."""
    cache.clear()

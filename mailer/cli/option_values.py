"""Options of a command as one value."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any


def gather_options(values: type[Any], name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command those of its options that the dataclass ``values`` has as one of it, in its parameter
    ``name``."""
    gathered = [field.name for field in fields(values)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **given: Any) -> None:
            value = values(**{option: given.pop(option) for option in gathered})
            command(*args, **given, **{name: value})

        return run

    return decorate

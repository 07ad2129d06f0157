"""One complaint about an edition: where it is, what is wrong, why it matters, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a problem weighs."""

    error = "error"
    """The edition cannot be sent until this is mended."""

    warning = "warning"
    """The edition can be sent, and would be better without this."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """A complaint a writer can act on.

    ``path`` is relative to the edition's folder, ``line`` counts from 1 (1 where a whole file is meant),
    ``code`` is a stable kebab-case name such as ``unknown-country``, and ``message`` reads
    "what, why, what to do".
    """

    path: str
    line: int
    level: Level
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.code}]"

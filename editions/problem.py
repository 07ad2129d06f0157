"""A problem of an edition: where it is, what is wrong, why it matters, what to do."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a problem is."""

    error = "error"
    """The edition cannot be sent until this is fixed."""

    warning = "warning"
    """The edition can be sent, but would be better without this."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """A problem that a writer can fix.

    ``path`` is relative to the edition's folder, ``line`` counts from 1 (and is 1 for a whole file), ``code``
    is a stable kebab-case name such as ``unknown-country``, and ``message`` says what, why, and what to do.
    """

    path: str
    line: int
    level: Level
    code: str
    message: str

    def as_dict(self) -> dict[str, str | int]:
        """The problem in the form of the JSON output."""
        return {**asdict(self), "level": self.level.value}

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message} [{self.code}]"

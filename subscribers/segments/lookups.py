"""What a segment asks about and the list does not know: others hand in how it is answered.

``got:2021-1`` is about deliveries, which belong to the mailer; ``segment:east`` is about a name that somebody
saved. The language needs no more of either than what stands here.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement


class DeliveryLookup(Protocol):
    """What was sent."""

    def editions(self) -> Collection[str]:
        """The editions that anybody was ever sent, or may be sent soon."""
        ...

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """Whether a subscriber got one of ``editions``, as a condition on ``Subscriber``."""
        ...


class SavedSegmentLookup(Protocol):
    """Segments with names."""

    def find(self, name: str) -> str | None:
        """The text saved under ``name``, None where there is none."""
        ...

    def names(self) -> Collection[str]:
        """All names there are."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """What the reader of a segment can look things up in; what is None is not at hand.

    ``sectors`` are the configured slugs; where they are None, any word is taken for one.
    """

    sectors: Collection[str] | None = None
    deliveries: DeliveryLookup | None = None
    saved: SavedSegmentLookup | None = None

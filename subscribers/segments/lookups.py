"""What a segment needs to look up outside the list, provided by the caller.

``got:2021-1`` and ``got:2021-1/youth-forum`` are about deliveries, which belong to the mailer;
``segment:east`` is about a saved segment. These protocols are all the query language needs of either.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement


class DeliveryLookup(Protocol):
    """Looks up what was sent."""

    def editions(self) -> Collection[str]:
        """Return the editions that were ever sent, or may be sent soon."""
        ...

    def stories(self, edition: str) -> Collection[str]:
        """Return the stories of one of the :meth:`editions`, as it was sent."""
        ...

    def has_got(self, editions: Sequence[str]) -> ColumnElement[bool]:
        """Return the condition on ``Subscriber`` that they got one of ``editions``.

        A name such as ``2021-1/youth-forum`` is one story of an edition: they got a message with it.
        """
        ...


class SavedSegmentLookup(Protocol):
    """Looks up saved segments."""

    def find(self, name: str) -> str | None:
        """Return the text saved under ``name``, None if there is none."""
        ...

    def names(self) -> Collection[str]:
        """Return the names of all saved segments."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lookups:
    """What the parser of a segment can look things up in; None means not available.

    ``sectors`` are the configured slugs; if None, any word is accepted as a sector.
    """

    sectors: Collection[str] | None = None
    deliveries: DeliveryLookup | None = None
    saved: SavedSegmentLookup | None = None

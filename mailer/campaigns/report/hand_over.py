"""How long it took until the relay had accepted the messages of a campaign."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PlaceHandOver:
    """The time to hand over the messages to one ``place``: a provider, or a domain with at least five
    readers. Times are in seconds since the launch."""

    place: str
    sent: int
    first: float
    median: float
    most: float
    last: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class HandOver:
    """The time from the launch until the relay accepted the messages, in seconds.

    It covers the ``sent`` messages whose acceptance was recorded when it happened: one that was in doubt and
    was proved later is left out. ``most`` is when 95 % of them were accepted. ``curve`` has, for up to 60
    moments between the launch and ``last``, the number accepted until then; it ends with all. ``places`` are
    the largest, largest first.
    """

    sent: int
    first: float
    median: float
    most: float
    last: float
    curve: tuple[tuple[float, int], ...] = ()
    places: tuple[PlaceHandOver, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The times in the form of the JSON output."""
        whole = {name: getattr(self, name) for name in ("sent", "first", "median", "most", "last")}
        curve = [{"seconds": seconds, "sent": sent} for seconds, sent in self.curve]
        return {**whole, "curve": curve, "places": [place.as_dict() for place in self.places]}

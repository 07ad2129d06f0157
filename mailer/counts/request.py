"""What is to be counted, and what is known of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

from subscribers.segments.parser import MAX_LENGTH

_FLAG: Final = "1"


class CountKind(StrEnum):
    """What kind of number is asked for. The value is its name in an address."""

    segment = "segment"
    """How many subscribers are in a segment, and how many of them would get mail today."""

    cross_table = "cross-table"
    """Those of a segment who would get mail today, by country and sector."""

    audience = "audience"
    """How many would get an edition that is sent to a segment now, and why others would not."""

    cohorts = "cohorts"
    """The same audience in groups that share a language and interests, and so get the same mail."""

    deliveries = "deliveries"
    """How many messages of a campaign are in which state."""

    difference = "difference"
    """How many are in both of two audiences, and why others are in one of them."""


ARGUMENTS: Mapping[CountKind, tuple[str, ...]] = MappingProxyType(
    {
        CountKind.segment: ("segment",),
        CountKind.cross_table: ("segment",),
        CountKind.audience: ("edition", "segment", "again"),
        CountKind.cohorts: ("edition", "segment", "again"),
        CountKind.deliveries: ("campaign", "state"),
        CountKind.difference: ("before", "after"),
    }
)
"""The names of what each kind needs to be told."""


@dataclass(frozen=True, kw_only=True)
class CountRequest:
    """A number that somebody wants to see. ``values`` are in the order of :data:`ARGUMENTS`."""

    kind: CountKind
    values: tuple[str, ...]

    @property
    def arguments(self) -> dict[str, str]:
        """The values by their names."""
        return dict(zip(ARGUMENTS[self.kind], self.values, strict=True))

    @property
    def path(self) -> str:
        """Where Studio answers with this number alone: "/counts/segment?segment=country%3AMN"."""
        given = {name: value for name, value in self.arguments.items() if value}
        return f"/counts/{self.kind.value}?{urlencode(given)}"

    def digest(self, basis: str) -> str:
        """A key for this request. ``basis`` is what else the number depends on, such as the settings."""
        words = json.dumps([self.kind.value, *self.values, basis], ensure_ascii=False)
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def count_segment(segment: str) -> CountRequest:
    """Ask how many are in a segment, and for the ids of a few: ``{"on_list": 1204, "get_mail": 1180, "first":
    [3, 7]}``."""
    return CountRequest(kind=CountKind.segment, values=(segment,))


def count_cross_table(segment: str) -> CountRequest:
    """Ask for a segment by country and sector; :func:`~mailer.counts.counters.read_cross_table` reads it."""
    return CountRequest(kind=CountKind.cross_table, values=(segment,))


def count_audience(edition: str, segment: str, *, again: bool = False) -> CountRequest:
    """Ask how many would get an edition: ``{"audience": 1180, "left_out": {"unsubscribed": 24}}``.

    With ``again``, those who have the edition already get it once more.
    """
    return CountRequest(kind=CountKind.audience, values=(edition, segment, _FLAG if again else ""))


def count_cohorts(edition: str, segment: str, *, again: bool = False) -> CountRequest:
    """Ask for that audience in groups; :func:`~mailer.counts.counters.read_cohorts` reads them."""
    return CountRequest(kind=CountKind.cohorts, values=(edition, segment, _FLAG if again else ""))


def count_deliveries(campaign: int, state: str) -> CountRequest:
    """Ask for the numbers of a campaign, which are its audience together: ``{"sent": 59, "rejected": 0,
    "failed": 0, "suppressed": 1, "in_doubt": 0, "still_to_do": 0}``.

    In another ``state`` of the campaign, they are counted anew.
    """
    return CountRequest(kind=CountKind.deliveries, values=(str(campaign), state))


def count_difference(before: str, after: str) -> CountRequest:
    """Ask for the difference of two audiences, each a segment, ``campaign:7`` or ``edition:2021-1``.

    The answer is ``{"both": 9, "before": 10, "after": 12, "new": {"joined since": 3}, "gone": {"bounced":
    1}}``.
    """
    return CountRequest(kind=CountKind.difference, values=(before, after))


def read_request(kind: str, given: Mapping[str, str]) -> CountRequest | None:
    """The request that :attr:`CountRequest.path` leads to; None if there is no such number."""
    if kind not in list(CountKind):
        return None
    found = CountKind(kind)
    values = tuple(given.get(name, "") for name in ARGUMENTS[found])
    if any(len(value) > MAX_LENGTH or "\0" in value for value in values):
        return None
    return CountRequest(kind=found, values=values)


@dataclass(frozen=True, kw_only=True)
class CountedNumber:
    """What is known about a request at this moment.

    ``value`` is what its kind promises, None if it was never counted; it was right at ``counted_at``.
    ``is_counting`` says that a newer one is on its way: ask again in a moment. ``problem`` is why it cannot
    be counted, for people; empty if it can.
    """

    request: CountRequest
    value: Any = None
    counted_at: datetime | None = None
    is_counting: bool = False
    problem: str = ""

    @property
    def path(self) -> str:
        """Where this number is answered alone."""
        return self.request.path

"""Tells people from programs by what they did, once a visitor has gone quiet.

One certain sign is enough, or two weaker ones. Several people behind one address with the same browser look
like one visitor, so what a visitor did is judged visit by visit, and only what nobody does by hand counts:
opening three tabs in two seconds is quick, but a person can.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from mailer.database.report_models import Clicker
from mailer.feedback.clicks.request_signs import CERTAIN_SIGNS, Sign

VISIT_GAP: Final = timedelta(seconds=60)
"""A visitor who was quiet for longer begins another visit."""
_BURST: Final = (3, timedelta(seconds=1))
_SWARM: Final = (4, timedelta(seconds=1))
_SWARM_VISITORS: Final = 3
_SWARM_QUIET: Final = timedelta(seconds=30)
_SWEEP_SHARE: Final = 0.6
_WALK_SHARE: Final = 0.9
_FEWEST_LINKS: Final = 6
_SWEEP_TIME: Final = timedelta(seconds=15)
_WALK_TIME: Final = timedelta(minutes=3)
_EARLY: Final = timedelta(seconds=5)
_SOON: Final = timedelta(seconds=30)


class Behaviour(StrEnum):
    """Something that requests together tell of who made them."""

    burst = "burst"
    """Three links within a second."""

    sweep = "sweep"
    """Most links of the mail within a quarter of a minute."""

    walk = "walk"
    """All links of the mail within three minutes."""

    swarm = "swarm"
    """Four links within a second from several addresses, by readers of one country and choice of sectors who
    were quiet before and after."""

    early = "early"
    """Before anybody of that country could have opened the mail: at most five seconds after it was handed
    over for the first of them."""

    soon = "soon"
    """Less than half a minute after that: few people are so quick."""

    known = "known"
    """The visitor had behaved like a program in another visit."""


_CERTAIN: Final = frozenset(
    {Behaviour.burst, Behaviour.sweep, Behaviour.walk, Behaviour.swarm, Behaviour.early}
)


@dataclass(frozen=True, kw_only=True)
class SeenClick:
    """A click as it is stored; see :class:`mailer.database.report_models.Click`."""

    id: int
    link_number: int
    country: str
    sectors: str
    at: datetime
    visitor: bytes
    signs: frozenset[Sign]


@dataclass(frozen=True, kw_only=True)
class ClickVerdict:
    """Who made a request, and the signs and behaviour that told."""

    clicker: Clicker
    reasons: frozenset[Sign | Behaviour]


def judge_clicks(
    clicks: Sequence[SeenClick], *, links: int, find_first_sent: Callable[[str], datetime | None]
) -> Mapping[int, ClickVerdict]:
    """Judge the clicks of one campaign, whose mail has so many ``links``, by their ids. ``find_first_sent``
    returns when the first mail was handed over for the readers of a country, None if for nobody there.
    """
    reasons: dict[int, set[Sign | Behaviour]] = {click.id: set(click.signs) for click in clicks}
    known: set[bytes] = set()
    for visitor, visits in _split_visits(clicks).items():
        for visit in visits:
            behaviour = _find_behaviour(visit, links)
            if behaviour:
                known.add(visitor)
            for click in visit:
                reasons[click.id] |= behaviour
    for click in _find_swarms(clicks):
        reasons[click.id].add(Behaviour.swarm)
    for click in clicks:
        reasons[click.id] |= _judge_time(click, find_first_sent(click.country))
        if click.visitor in known and not reasons[click.id] & _CERTAIN:
            reasons[click.id].add(Behaviour.known)
    return {number: _decide(found) for number, found in reasons.items()}


def find_visit_ends(clicks: Sequence[SeenClick]) -> Mapping[int, datetime]:
    """Return the time of the last click of the visit that each click is part of, by the clicks' ids."""
    return {
        click.id: visit[-1].at
        for visits in _split_visits(clicks).values()
        for visit in visits
        for click in visit
    }


def _decide(reasons: set[Sign | Behaviour]) -> ClickVerdict:
    certain = reasons & (CERTAIN_SIGNS | _CERTAIN)
    is_scanner = bool(certain) or len(reasons) >= 2
    return ClickVerdict(clicker=Clicker.scanner if is_scanner else Clicker.person, reasons=frozenset(reasons))


def _split_visits(clicks: Sequence[SeenClick]) -> dict[bytes, list[list[SeenClick]]]:
    """Return the visits of each visitor, in the order of time."""
    visits: dict[bytes, list[list[SeenClick]]] = defaultdict(list)
    for click in sorted(clicks, key=lambda one: (one.at, one.id)):
        of_visitor = visits[click.visitor]
        if not of_visitor or click.at - of_visitor[-1][-1].at > VISIT_GAP:
            of_visitor.append([])
        of_visitor[-1].append(click)
    return visits


def _find_behaviour(visit: Sequence[SeenClick], links: int) -> set[Behaviour]:
    shares = ((Behaviour.sweep, _SWEEP_SHARE, _SWEEP_TIME), (Behaviour.walk, _WALK_SHARE, _WALK_TIME))
    found = {
        behaviour
        for behaviour, share, time in shares
        if _count_most_links(visit, time) >= max(_FEWEST_LINKS, share * links)
    }
    number, time = _BURST
    if _count_most_links(visit, time) >= number:
        found.add(Behaviour.burst)
    return found


def _count_most_links(visit: Sequence[SeenClick], time: timedelta) -> int:
    return max(len({click.link_number for click in window}) for window in _slide(visit, time))


def _find_swarms(clicks: Sequence[SeenClick]) -> Iterator[SeenClick]:
    """Requests of a scanner with many addresses: each makes one, and they come together."""
    cohorts: dict[tuple[str, str], list[SeenClick]] = defaultdict(list)
    for click in sorted(clicks, key=lambda one: (one.at, one.id)):
        cohorts[click.country, click.sectors].append(click)
    number, time = _SWARM
    for cohort in cohorts.values():
        for window in _slide(cohort, time):
            visitors = {click.visitor for click in window}
            links = {click.link_number for click in window}
            if len(links) < number or len(visitors) < _SWARM_VISITORS:
                continue
            # Where many people read at a time, four of them do click within a second.
            around = [
                click
                for click in cohort
                if window[0].at - _SWARM_QUIET <= click.at <= window[-1].at + _SWARM_QUIET
                and not _is_near(click, window, time)
            ]
            if len(around) < len(window):
                yield from window


def _is_near(click: SeenClick, window: Sequence[SeenClick], time: timedelta) -> bool:
    """Return whether a click may be part of the same swarm, just before or after."""
    return window[0].at - 2 * time <= click.at <= window[-1].at + 2 * time


def _slide(clicks: Sequence[SeenClick], time: timedelta) -> Iterator[Sequence[SeenClick]]:
    """Yield the clicks within ``time`` of each click and after it. They are in the order of time."""
    end = 0
    for start, first in enumerate(clicks):
        while end < len(clicks) and clicks[end].at - first.at <= time:
            end += 1
        yield clicks[start:end]


def _judge_time(click: SeenClick, sent: datetime | None) -> set[Behaviour]:
    if sent is None:
        return set()
    passed = click.at - sent
    if passed <= _EARLY:
        return {Behaviour.early}
    return {Behaviour.soon} if passed <= _SOON else set()

"""When each message of a run may go: the campaign's rate, its relay's, its reader's domain and their hour."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.rate.domain_limiter import DomainRateLimiter, domain_of
from mailer.dispatch.rate.limiter import RateLimiter
from mailer.dispatch.rate.sending_windows import SendingWindows
from mailer.dispatch.relays import Relay

_PAUSE_SECONDS = 60.0
"""A day ends by the database's clock, which may be set: so it is asked again."""

_WINDOW_CLOSED_REASON = "It is outside the sending hours where the subscriber lives."


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Claimed deliveries by when they may go: ``now``, in so many seconds, or not before a time.

    ``later`` has the deliveries by the reason they are put off for.
    """

    now: Sequence[Claim] = ()
    soon: Sequence[tuple[Claim, float]] = ()
    later: Mapping[str, Sequence[tuple[Claim, datetime]]] = field(default_factory=dict)


class SendScheduler:
    """The pace of one run. For the thread of its loop."""

    def __init__(
        self,
        campaign: RateLimiter,
        relays: Mapping[str, RateLimiter],
        domains: DomainRateLimiter,
        windows: SendingWindows | None,
    ) -> None:
        self._campaign = campaign
        self._relays = relays
        self._domains = domains
        self._windows = windows
        self._loop = asyncio.get_running_loop()
        # When turns that were taken and not yet used come, by the lane's name; "" is the campaign's.
        self._slots: dict[str, float] = {}
        self._is_unlimited = campaign.is_unlimited and all(lane.is_unlimited for lane in relays.values())

    @property
    def is_unlimited(self) -> bool:
        """Whether no rate is set."""
        return self._is_unlimited

    def seconds_until_slot(self, relay: Relay) -> float | None:
        """Seconds until a message may go over ``relay``; None when it takes none for the rest of the day.

        A turn is kept for whoever asks first once it has come; :meth:`use` says that it was used.
        """
        if self._is_unlimited and relay.throttle.interval == 0:
            return 0.0
        lane = self._relays[relay.name]
        if not self._hold_slot("", self._campaign) or not self._hold_slot(relay.name, lane):
            return None
        if (braked := f"{relay.name} braked") not in self._slots:
            self._slots[braked] = self._loop.time() + relay.throttle.acquire()
        turns = (self._slots[name] for name in ("", relay.name, braked))
        return max(0.0, max(turns) - self._loop.time())

    def use_slot(self, relay: Relay) -> None:
        """The turn over ``relay`` has been used."""
        if not self._slots:
            return
        for name in ("", relay.name, f"{relay.name} braked"):
            self._slots.pop(name, None)

    def explain_pause(self, relay: Relay) -> tuple[float, str]:
        """For how many seconds to leave a relay alone that takes no more today, and why."""
        used_up = self._relays[relay.name].limit_reached or self._campaign.limit_reached
        assert used_up is not None  # noqa: S101 - wait_for said None
        return _PAUSE_SECONDS, used_up.reason

    def schedule(self, claims: Sequence[Claim], now: datetime) -> Schedule:
        """Which of ``claims`` may go now, and when the others."""
        if self._windows is None and self._domains.is_unlimited:
            return Schedule(now=claims)
        opened, closed = self._split_by_window(claims, now)
        at_once, soon, later = [], [], {_WINDOW_CLOSED_REASON: closed} if closed else {}
        slots = self._domains.reserve([claim.subscriber.envelope for claim in opened])
        for claim, slot in zip(opened, slots, strict=True):
            if slot.not_before is not None:
                reason = f"{domain_of(claim.subscriber.envelope)} accepts no more at the moment."
                later.setdefault(reason, []).append((claim, slot.not_before))
            elif slot.seconds > 0:
                soon.append((claim, slot.seconds))
            else:
                at_once.append(claim)
        return Schedule(now=at_once, soon=soon, later=later)

    def close(self) -> None:
        """Give back turns that nobody used."""
        for name, lane in {"": self._campaign, **self._relays}.items():
            if name in self._slots:
                lane.release()
            lane.close()

    def _split_by_window(
        self, claims: Sequence[Claim], now: datetime
    ) -> tuple[list[Claim], list[tuple[Claim, datetime]]]:
        opened, closed = [], []
        for claim in claims:
            opens = self._windows.opens_at(claim.subscriber.country, now) if self._windows else None
            if opens is None:
                opened.append(claim)
            else:
                closed.append((claim, opens))
        return opened, closed

    def _hold_slot(self, name: str, lane: RateLimiter) -> bool:
        """Have a turn of ``lane`` in hand; False when there is none to be had today."""
        if name not in self._slots:
            wait = lane.acquire()
            if wait is None:
                return False
            self._slots[name] = self._loop.time() + wait
        return True

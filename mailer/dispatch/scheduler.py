"""When each message of a run may be sent, by its sending window and the rates that apply to it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from locales.phrase import gettext_noop
from mailer.dispatch.buckets import NO_DELAY
from mailer.dispatch.deliveries import Claim
from mailer.dispatch.domain_limiter import DomainRateLimiter
from mailer.dispatch.rate_limiter import RateLimiter
from mailer.dispatch.relays import Relay
from mailer.dispatch.sending_windows import SendingWindows

_PAUSE_SECONDS = 60.0
"""A day ends by the database's clock, which may be changed, so it is asked again."""
_WINDOW_CLOSED_REASON = gettext_noop("It is outside the sending hours where the subscriber lives.")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Claimed deliveries by when they may be sent: ``now``, in so many seconds, or not before a time, by the
    reason why they are postponed."""

    now: Sequence[Claim] = ()
    soon: Sequence[tuple[Claim, float]] = ()
    later: Mapping[str, Sequence[tuple[Claim, datetime]]] = field(default_factory=dict)


class SendScheduler:
    """Applies every rate and window of one run. For the thread of its event loop."""

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
        # When the slots begin that were taken and not yet used, by bucket; "" is the campaign's.
        self._slots: dict[str, float] = {}
        self.is_unlimited = campaign.is_unlimited and all(limiter.is_unlimited for limiter in relays.values())

    def seconds_until_slot(self, relay: Relay) -> float | None:
        """Return the seconds until a message may go over ``relay``; None if it takes no more today. A slot is
        kept for the first caller after it has begun; :meth:`use_slot` says that it was used."""
        if self.is_unlimited and relay.throttle.interval == 0:
            return 0.0
        limiter = self._relays[relay.name]
        if not self._hold_slot("", self._campaign) or not self._hold_slot(relay.name, limiter):
            return None
        if (throttled := f"{relay.name} throttled") not in self._slots:
            self._slots[throttled] = self._loop.time() + relay.throttle.acquire()
        slots = (self._slots[name] for name in ("", relay.name, throttled))
        return max(0.0, max(slots) - self._loop.time())

    def use_slot(self, relay: Relay) -> None:
        if not self._slots:
            return
        for name in ("", relay.name, f"{relay.name} throttled"):
            self._slots.pop(name, None)

    def explain_pause(self, relay: Relay) -> tuple[float, str]:
        """Return for how many seconds not to use a relay that takes no more today, and why."""
        limit_reached = self._relays[relay.name].limit_reached or self._campaign.limit_reached
        assert limit_reached is not None  # noqa: S101 - seconds_until_slot said None
        return _PAUSE_SECONDS, limit_reached.reason

    def schedule(self, claims: Sequence[Claim], now: datetime) -> Schedule:
        if self._windows is None and self._domains.is_unlimited:
            return Schedule(now=claims)
        opened, closed = self._split_by_window(claims, now)
        later = {_WINDOW_CLOSED_REASON: closed} if closed else {}
        slots = self._domains.reserve([claim.subscriber.envelope for claim in opened])
        if slots.count(NO_DELAY) == len(slots):
            return Schedule(now=opened, later=later)
        ready, soon = [], []
        for claim, slot in zip(opened, slots, strict=True):
            if slot is NO_DELAY:
                ready.append(claim)
            elif slot.not_before is None:
                soon.append((claim, slot.seconds))
            else:
                reason = gettext_noop("%(held_by)s accepts no more at the moment.") % {
                    "held_by": slot.held_by
                }
                later.setdefault(reason, []).append((claim, slot.not_before))
        return Schedule(now=ready, soon=soon, later=later)

    def close(self) -> None:
        for name, limiter in {"": self._campaign, **self._relays}.items():
            if name in self._slots:
                limiter.release()
            limiter.close()

    def _split_by_window(
        self, claims: Sequence[Claim], now: datetime
    ) -> tuple[list[Claim], list[tuple[Claim, datetime]]]:
        if self._windows is None:
            return list(claims), []
        opened, closed = [], []
        for claim in claims:
            opens = self._windows.opens_at(claim.subscriber.country, now)
            if opens is None:
                opened.append(claim)
            else:
                closed.append((claim, opens))
        return opened, closed

    def _hold_slot(self, name: str, limiter: RateLimiter) -> bool:
        """Take a slot of ``limiter`` unless one is held; False if there is none today."""
        if name not in self._slots:
            wait = limiter.acquire()
            if wait is None:
                return False
            self._slots[name] = self._loop.time() + wait
        return True

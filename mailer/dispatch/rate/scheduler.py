"""When each message of a run may go: the campaign's rate, its relay's, its reader's domain and their hour."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.rate.domain_limiter import DomainPacer, read_domain
from mailer.dispatch.rate.limiter import LanePacer
from mailer.dispatch.rate.sending_windows import Windows
from mailer.dispatch.relays import Relay

_REST_SECONDS = 60.0
"""A day ends by the database's clock, which may be set: so it is asked again."""

_WINDOW_CLOSED = "It is outside the sending hours where the subscriber lives."


@dataclass(frozen=True, kw_only=True)
class Sifted:
    """Claimed deliveries by when they may go: ``now``, in so many seconds, or not before a time.

    ``later`` has the deliveries by the reason they are put off for.
    """

    now: Sequence[Claim] = ()
    soon: Sequence[tuple[Claim, float]] = ()
    later: Mapping[str, Sequence[tuple[Claim, datetime]]] = field(default_factory=dict)


class Pace:
    """The pace of one run. For the thread of its loop."""

    def __init__(
        self,
        campaign: LanePacer,
        relays: Mapping[str, LanePacer],
        domains: DomainPacer,
        windows: Windows | None,
    ) -> None:
        self._campaign = campaign
        self._relays = relays
        self._domains = domains
        self._windows = windows
        self._loop = asyncio.get_running_loop()
        # When turns that were taken and not yet used come, by the lane's name; "" is the campaign's.
        self._turns: dict[str, float] = {}
        self._is_free = campaign.is_free and all(lane.is_free for lane in relays.values())

    @property
    def is_free(self) -> bool:
        """Whether no rate is set."""
        return self._is_free

    def wait_for(self, relay: Relay) -> float | None:
        """Seconds until a message may go over ``relay``; None when it takes none for the rest of the day.

        A turn is kept for whoever asks first once it has come; :meth:`use` says that it was used.
        """
        if self._is_free and relay.brake.distance == 0:
            return 0.0
        lane = self._relays[relay.name]
        if not self._hold("", self._campaign) or not self._hold(relay.name, lane):
            return None
        if (braked := f"{relay.name} braked") not in self._turns:
            self._turns[braked] = self._loop.time() + relay.brake.take_turn()
        turns = (self._turns[name] for name in ("", relay.name, braked))
        return max(0.0, max(turns) - self._loop.time())

    def use(self, relay: Relay) -> None:
        """The turn over ``relay`` has been used."""
        if not self._turns:
            return
        for name in ("", relay.name, f"{relay.name} braked"):
            self._turns.pop(name, None)

    def explain_rest(self, relay: Relay) -> tuple[float, str]:
        """For how many seconds to leave a relay alone that takes no more today, and why."""
        used_up = self._relays[relay.name].used_up or self._campaign.used_up
        assert used_up is not None  # noqa: S101 - wait_for said None
        return _REST_SECONDS, used_up.reason

    def sift(self, claims: Sequence[Claim], now: datetime) -> Sifted:
        """Which of ``claims`` may go now, and when the others."""
        if self._windows is None and self._domains.is_free:
            return Sifted(now=claims)
        opened, closed = self._look_at_windows(claims, now)
        at_once, soon, later = [], [], {_WINDOW_CLOSED: closed} if closed else {}
        slots = self._domains.book([claim.subscriber.envelope for claim in opened])
        for claim, slot in zip(opened, slots, strict=True):
            if slot.not_before is not None:
                reason = f"{read_domain(claim.subscriber.envelope)} accepts no more at the moment."
                later.setdefault(reason, []).append((claim, slot.not_before))
            elif slot.seconds > 0:
                soon.append((claim, slot.seconds))
            else:
                at_once.append(claim)
        return Sifted(now=at_once, soon=soon, later=later)

    def close(self) -> None:
        """Give back turns that nobody used."""
        for name, lane in {"": self._campaign, **self._relays}.items():
            if name in self._turns:
                lane.return_turn()
            lane.close()

    def _look_at_windows(
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

    def _hold(self, name: str, lane: LanePacer) -> bool:
        """Have a turn of ``lane`` in hand; False when there is none to be had today."""
        if name not in self._turns:
            wait = lane.take_turn()
            if wait is None:
                return False
            self._turns[name] = self._loop.time() + wait
        return True

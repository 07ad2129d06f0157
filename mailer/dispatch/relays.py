"""Several relays: which one the next connection goes to, and which are left alone for a while.

The relays of the lowest priority number share the connections by weight. One that cannot be reached waits
longer with every failure; one that failed too often, or that refuses us (the login, the sender, everything),
is set aside with its reason, and tried again by a single connection some minutes later. For one thread.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mailer.dispatch.circuit_breaker import BackoffPolicy, ConnectionBackoff
from mailer.dispatch.rate.limiter import AdaptiveThrottle
from mailer.dispatch.relay_settings import list_relays, make_transport, merge_relay_settings
from mailer.errors import ConfigurationError
from mailer.settings import RelaySettings, Settings, SmtpSettings, WarmUpSettings
from mailer.smtp.interfaces import Transport
from mailer.smtp.reply_classifier import Outcome, Verdict

_QUARANTINE_SECONDS = 600.0

TransportFactory = Callable[[SmtpSettings, Path], Transport]


@dataclass(frozen=True, kw_only=True, eq=False)
class Relay:
    """A relay to connect to. ``settings`` are those of ``[smtp]`` with its own laid over them.

    ``brake`` is the pace it asked for; ``trouble`` counts the connections that failed.
    """

    name: str
    transport: Transport
    settings: SmtpSettings
    priority: int = 1
    weight: int = 1
    throttle: AdaptiveThrottle = field(default_factory=AdaptiveThrottle, repr=False)
    backoff: ConnectionBackoff = field(default_factory=lambda: ConnectionBackoff(BackoffPolicy()), repr=False)

    @property
    def epoch(self) -> int:
        """What a connection remembers from before it is opened; see :meth:`Relays.failed`."""
        return self.backoff.epoch

    @property
    def rate(self) -> float | None:
        """Messages per second it takes, from all machines; None for no limit."""
        return self.settings.rate

    @property
    def warm_up(self) -> WarmUpSettings | None:
        return self.settings.warm_up

    @property
    def messages_per_connection(self) -> int:
        return self.settings.messages_per_connection


@dataclass(frozen=True, kw_only=True)
class _Quarantine:
    """Why and until when a relay is left alone. ``next_try`` is by the monotonic clock."""

    reason: str
    summary: str
    since: datetime
    next_try: float


@dataclass
class _RelayState:
    """How a relay stands now."""

    share: int
    credit: int = 0
    quarantine: _Quarantine | None = None
    is_probed: bool = False
    paused_until: float = float("-inf")
    pause_reason: str = ""
    last_failure: str = ""


class Relays:
    """The relays of one dispatcher.

    ``monotonic`` is this process's own clock in seconds, ``now`` the time to show to people. A relay that is
    set aside is tried again after ``aside_seconds``.
    """

    def __init__(
        self,
        relays: Sequence[Relay],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        quarantine_seconds: float = _QUARANTINE_SECONDS,
    ) -> None:
        self._relays = tuple(relays)
        self._monotonic = monotonic
        self._now = now
        self._quarantine_seconds = quarantine_seconds
        # A connection that lasts for twice as many messages is opened half as often, so that weights share
        # out the messages. Otherwise the longest connections would end up as the only ones.
        per_round = math.lcm(*(relay.messages_per_connection for relay in relays))
        self._states = {
            relay.name: _RelayState(share=relay.weight * per_round // relay.messages_per_connection)
            for relay in relays
        }

    def __iter__(self) -> Iterator[Relay]:
        return iter(self._relays)

    def __len__(self) -> int:
        return len(self._relays)

    def choose(self) -> Relay | None:
        """The relay for the next connection, None when there is none to connect to now.

        Smooth weighted round-robin, as nginx does it: everybody gains its weight, the richest is chosen and
        pays what all have gained. Over one round (the sum of the weights) each has exactly its share, and
        weights 5, 1, 1 give a a b a c a a, not five of the first in a row.
        """
        usable = [relay for relay in self._relays if self._seconds_until_usable(relay) <= 0]
        first = min((relay.priority for relay in usable), default=0)
        candidates = [relay for relay in usable if relay.priority == first]
        if not candidates:
            return None
        for relay in candidates:
            self._states[relay.name].credit += self._states[relay.name].share
        chosen = max(candidates, key=lambda relay: self._states[relay.name].credit)
        standing = self._states[chosen.name]
        standing.credit -= sum(self._states[relay.name].share for relay in candidates)
        if standing.quarantine is not None:
            self._start_probe(standing, standing.quarantine)
        return chosen

    def seconds_to_wait(self) -> float:
        """How long until there is a relay to connect to; 0 when there is one now."""
        return max(0.0, min(self._seconds_until_usable(relay) for relay in self._relays))

    def report_failure(self, relay: Relay, epoch: int, outcome: Outcome) -> None:
        """A connection could not be opened, or was lost before anybody was served.

        ``epoch`` is what ``relay.epoch`` was before it was opened: connections that were open together and
        fail together are one failure. An outcome that says stop is a refusal.
        """
        if outcome.verdict is Verdict.stop:
            self.report_refusal(relay, outcome)
            return
        standing = self._states[relay.name]
        is_new = epoch == relay.backoff.epoch
        is_too_many = relay.backoff.report_failure(epoch, retry_after=outcome.retry_after)
        if not is_new or (standing.quarantine is not None and not standing.is_probed):
            return
        standing.last_failure = outcome.reason
        if is_too_many or standing.is_probed:
            times = relay.backoff.failures
            count = f"failed {times} times in a row" if times > 1 else "failed again"
            self._start_quarantine(standing, outcome.reason, f"The mail server {count}: {outcome.reason}")

    def report_refusal(self, relay: Relay, outcome: Outcome) -> None:
        """It will not send for us: the login, the sender or every message. It is set aside at once."""
        self._start_quarantine(self._states[relay.name], outcome.reason, outcome.summary)

    def report_success(self, relay: Relay) -> None:
        """It took a message, or refused one reader: it works.

        From a connection that was open before the relay was set aside this says nothing new.
        """
        standing = self._states[relay.name]
        if standing.quarantine is not None and not standing.is_probed:
            return
        relay.backoff.reset()
        standing.quarantine, standing.is_probed = None, False

    def pause(self, relay: Relay, seconds: float, reason: str) -> None:
        """Leave it alone for ``seconds``: it has had its share, of the day for instance. No failure."""
        standing = self._states[relay.name]
        standing.paused_until, standing.pause_reason = self._monotonic() + seconds, reason

    def explain_exhaustion(self) -> str | None:
        """Why the campaign must pause: every relay is set aside and none is due to be tried again.

        None while there is one that works, waits, rests, is due, or is being tried.
        """
        now = self._monotonic()
        asides = []
        for relay in self._relays:
            standing = self._states[relay.name]
            if standing.quarantine is None or standing.is_probed or standing.quarantine.next_try <= now:
                return None
            asides.append((relay.name, standing.quarantine.summary))
        if len(asides) == 1:
            return asides[0][1]
        return "No relay can be used. " + " ".join(
            f"{name}: {_end_sentence(complaint)}" for name, complaint in asides
        )

    def notices(self) -> tuple[str, ...]:
        """One line for people about every relay that is not in use as it should be."""
        lines = (self._describe(relay) for relay in self._relays)
        return tuple(line for line in lines if line)

    def _seconds_until_usable(self, relay: Relay) -> float:
        """Seconds until ``relay`` may be connected to; 0 or less: now."""
        standing, now = self._states[relay.name], self._monotonic()
        wait = max(relay.backoff.seconds_to_wait(), standing.paused_until - now)
        return wait if standing.quarantine is None else max(wait, standing.quarantine.next_try - now)

    def _start_probe(self, standing: _RelayState, aside: _Quarantine) -> None:
        """One connection tries a relay that was set aside; the others go elsewhere until it is known to work.

        If nothing is heard of that connection, another one tries as long after it.
        """
        standing.is_probed = True
        next_try = self._monotonic() + self._quarantine_seconds
        standing.quarantine = _Quarantine(
            reason=aside.reason, summary=aside.summary, since=aside.since, next_try=next_try
        )

    def _start_quarantine(self, standing: _RelayState, reason: str, complaint: str) -> None:
        since = self._now() if standing.quarantine is None else standing.quarantine.since
        next_try = self._monotonic() + self._quarantine_seconds
        standing.quarantine = _Quarantine(reason=reason, summary=complaint, since=since, next_try=next_try)
        standing.is_probed = False

    def _describe(self, relay: Relay) -> str:
        standing, now = self._states[relay.name], self._monotonic()
        if (aside := standing.quarantine) is not None:
            since = f"relay {relay.name} has been set aside since {_format_time(aside.since)}: {aside.reason}"
            if standing.is_probed:
                return f"{since}; one connection is testing it now"
            return f"{since}; next try {self._format_time_in(aside.next_try - now)}"
        if standing.paused_until > now:
            until = self._format_time_in(standing.paused_until - now)
            return f"relay {relay.name} is paused until {until}: {standing.pause_reason}"
        if (wait := relay.backoff.seconds_to_wait()) > 0:
            times = relay.backoff.failures
            count = "once" if times == 1 else f"{times} times in a row"
            return f"relay {relay.name} failed {count}: {standing.last_failure}; next try {self._format_time_in(wait)}"
        return ""

    def _format_time_in(self, seconds: float) -> str:
        return _format_time(self._now() + timedelta(seconds=seconds))


def open_relays(
    settings: Settings,
    root: Path,
    *,
    backoff: BackoffPolicy = BackoffPolicy(),  # noqa: B008 - frozen
    monotonic: Callable[[], float] = time.monotonic,
    factory: TransportFactory = make_transport,
) -> Relays:
    """The relays of ``[smtp]``, each with its transport. Nothing is connected yet.

    Raises:
        ConfigurationError: names are doubled, an address is none we know, or a password cannot be read.
    """
    relays = []
    for relay in list_relays(settings.smtp):
        values = merge_relay_settings(settings.smtp, relay)
        opened = Relay(
            name=relay.name,
            transport=_make_relay_transport(relay, values, root, factory)
            if settings.smtp.relays
            else factory(values, root),
            settings=values,
            priority=relay.priority,
            weight=relay.weight,
            throttle=AdaptiveThrottle(monotonic),
            backoff=ConnectionBackoff(backoff, monotonic),
        )
        relays.append(opened)
    return Relays(relays, monotonic=monotonic)


def _make_relay_transport(
    relay: RelaySettings, values: SmtpSettings, root: Path, make: TransportFactory
) -> Transport:
    try:
        return make(values, root)
    except ConfigurationError as error:
        where = f"[[smtp.relays]] {relay.name}:"
        raise ConfigurationError(f"{where} {str(error).removeprefix('[smtp] ')}") from error


def _format_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def _end_sentence(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."

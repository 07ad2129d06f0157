"""Choose the relay for each connection, and leave those alone that fail.

The relays with the lowest priority number share the connections by weight. After a failure, a relay is left
alone for a while, longer each time. One that failed too often, or that refuses us (the login, the sender,
every message), is quarantined with its reason; some minutes later a single connection tries it again. For one
thread.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from locales.phrase import gettext_noop
from mailer.dispatch.rate_limiter import AdaptiveThrottle
from mailer.dispatch.sending_settings import list_relays, make_transport, merge_relay_settings
from mailer.errors import ConfigurationError
from mailer.reasons.reason import Reason
from mailer.reasons.reason_classifier import classify_reason
from mailer.settings import RelaySettings, Settings, SmtpSettings
from mailer.smtp.interfaces import Transport
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_QUARANTINE_SECONDS = 600.0
_REFUSALS_OF_US = 3

_TESTED = gettext_noop(
    "relay %(relay)s has been set aside since %(start)s: %(reason)s; one connection is testing it now"
)
_SET_ASIDE = gettext_noop("relay %(relay)s has been set aside since %(start)s: %(reason)s; next try %(next)s")
_PAUSED = gettext_noop("relay %(relay)s is paused until %(until)s: %(reason)s")
_FAILED_ONCE = gettext_noop("relay %(relay)s failed once: %(reason)s; next try %(next)s")
_FAILED = gettext_noop("relay %(relay)s failed %(times)s times in a row: %(reason)s; next try %(next)s")


class SmallAudience(NamedTuple):
    """How many readers and domains a campaign has, as far as it matters: more than these are not counted.
    What one domain refuses says nothing of the others, if there are others."""

    readers: int = _REFUSALS_OF_US
    domains: int = 2


TransportFactory = Callable[[SmtpSettings, Path], Transport]


@dataclass(frozen=True, kw_only=True)
class BackoffPolicy:
    """The policy of connecting again after failures, in seconds. The delay doubles up to ``max_delay``. After
    ``max_failures`` in a row, with no message accepted in between, the relay is quarantined."""

    max_failures: int = 5
    initial_delay: float = 1.0
    max_delay: float = 60.0


class ConnectionBackoff:
    """The failures of all connections of one dispatcher to a relay, taken together."""

    def __init__(self, policy: BackoffPolicy, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._not_before = float("-inf")
        self.failures = 0
        self._counted = 0
        self.epoch = 0
        """Increases with every failure. A connection remembers the epoch it was opened in."""

    def reset(self) -> None:
        """Forget the failures: the server works."""
        self.failures = self._counted = 0

    def report_failure(
        self, epoch: int, *, retry_after: timedelta | None = None, is_ours: bool = False
    ) -> bool:
        """Count the failure of a connection of ``epoch``; return whether it is one too many. Connections that
        were open at the same time and fail together count as one. One that ``is_ours`` says nothing about the
        server: it makes us wait, and is never one too many. A longer delay that the server asked for is
        kept."""
        if epoch != self.epoch:
            return False
        self.epoch += 1
        self.failures += 1
        self._counted += not is_ours
        doublings: int = 2 ** min(self.failures - 1, 30)
        wait = min(self._policy.initial_delay * doublings, self._policy.max_delay)
        if retry_after is not None:
            wait = max(wait, retry_after.total_seconds())
        self._not_before = self._monotonic() + wait
        return not is_ours and self._counted >= self._policy.max_failures

    def seconds_to_wait(self) -> float:
        """Return how long not to connect; 0 or less if a connection may be opened now."""
        return self._not_before - self._monotonic()


@dataclass(frozen=True, kw_only=True, eq=False)
class Relay:
    """A relay to connect to. ``settings`` are those of ``[smtp]`` merged with its own."""

    name: str
    transport: Transport
    settings: SmtpSettings
    priority: int = 1
    weight: int = 1
    throttle: AdaptiveThrottle = field(default_factory=AdaptiveThrottle, repr=False)
    backoff: ConnectionBackoff = field(default_factory=lambda: ConnectionBackoff(BackoffPolicy()), repr=False)


@dataclass(frozen=True, kw_only=True)
class _Quarantine:
    """The reason why a relay is not used. ``next_try`` is by the monotonic clock."""

    reason: str
    summary: str
    since: datetime
    next_try: float


@dataclass
class _RelayState:
    share: int
    credit: int = 0
    quarantine: _Quarantine | None = None
    is_probed: bool = False
    paused_until: float = float("-inf")
    pause_reason: str = ""
    last_failure: str = ""
    refusals: dict[Reason, dict[int, str]] = field(default_factory=dict)
    """Of messages in a row: by reason, each delivery with its domain."""


class Relays:
    """The relays of one dispatcher. ``monotonic`` is this process's own clock in seconds, ``now`` the time to
    show to people. A relay that is quarantined is tried again after ``quarantine_seconds``."""

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
        # A connection that lasts for twice as many messages is opened half as often, so that weights apply to
        # messages. Otherwise the longest connections would end up as the only ones.
        per_connection = {relay.name: relay.settings.messages_per_connection for relay in relays}
        per_round = math.lcm(*per_connection.values())
        self._states = {
            relay.name: _RelayState(share=relay.weight * per_round // per_connection[relay.name])
            for relay in relays
        }

    def __iter__(self) -> Iterator[Relay]:
        return iter(self._relays)

    def __len__(self) -> int:
        return len(self._relays)

    def choose(self) -> Relay | None:
        """Return the relay for the next connection; None if there is none to connect to now.

        Smooth weighted round-robin, as in nginx: each relay's credit grows by its weight; the one with the
        most is chosen and pays what all have gained. Over one round (the sum of the weights) each has exactly
        its share, and weights 5, 1, 1 give a a b a c a a, not five of the first in a row.
        """
        usable = [relay for relay in self._relays if self._seconds_until_usable(relay) <= 0]
        first = min((relay.priority for relay in usable), default=0)
        candidates = [relay for relay in usable if relay.priority == first]
        if not candidates:
            return None
        for relay in candidates:
            self._states[relay.name].credit += self._states[relay.name].share
        chosen = max(candidates, key=lambda relay: self._states[relay.name].credit)
        state = self._states[chosen.name]
        state.credit -= sum(self._states[relay.name].share for relay in candidates)
        if state.quarantine is not None:
            self._start_probe(state, state.quarantine)
        return chosen

    def seconds_to_wait(self) -> float:
        """Return how long until there is a relay to connect to; 0 if there is one now."""
        return max(0.0, min(self._seconds_until_usable(relay) for relay in self._relays))

    def report_failure(self, relay: Relay, epoch: int, outcome: Outcome) -> None:
        """Record that a connection could not be opened, or was lost before it was of use. ``epoch`` is what
        that of ``relay.backoff`` was before it was opened. An outcome with the verdict stop is a refusal."""
        if outcome.verdict is Verdict.stop:
            self.report_refusal(relay, outcome)
            return
        state = self._states[relay.name]
        is_new = epoch == relay.backoff.epoch
        # That the provider of the sign-in does not answer says nothing of the relay, and passes by itself.
        is_ours = outcome.stage is Stage.sign_in
        is_too_many = relay.backoff.report_failure(epoch, retry_after=outcome.retry_after, is_ours=is_ours)
        if not is_new or (state.quarantine is not None and not state.is_probed):
            return
        state.last_failure = outcome.reason
        if is_too_many or state.is_probed:
            times = relay.backoff.failures
            words = (
                gettext_noop("The mail server failed %(times)s times in a row: %(reason)s")
                if times > 1
                else gettext_noop("The mail server failed again: %(reason)s")
            )
            told = words % {"times": times, "reason": outcome.reason}
            self._start_quarantine(state, outcome.reason, told)

    def report_refusal(self, relay: Relay, outcome: Outcome) -> None:
        """Quarantine the relay: it will not send for us."""
        self._start_quarantine(self._states[relay.name], outcome.reason, outcome.summary)

    def report_refused_message(
        self, relay: Relay, outcome: Outcome, delivery_id: int, *, domain: str, audience: SmallAudience
    ) -> list[int] | None:
        """Record that the relay refused a message for a reason that may be ours. Return None if that may
        still be about this message alone. Three in a row for one reason, to more than one domain, are about
        us: the relay is quarantined, and the earlier ones are returned, to be queued again."""
        state = self._states[relay.name]
        reason = classify_reason(outcome.text, code=str(outcome.code or ""))
        alike = state.refusals.setdefault(reason, {})
        alike[delivery_id] = domain
        is_enough = len(alike) >= min(_REFUSALS_OF_US, audience.readers)
        if state.quarantine is None and not (is_enough and len(set(alike.values())) >= audience.domains):
            return None
        self.report_refusal(relay, outcome)
        state.refusals.clear()
        del alike[delivery_id]
        return list(alike)

    def report_success(self, relay: Relay) -> None:
        """Record that the relay works: it accepted a message, or refused one recipient. From a connection
        that was open before the quarantine this says nothing new."""
        state = self._states[relay.name]
        if state.quarantine is not None and not state.is_probed:
            return
        state.refusals.clear()
        relay.backoff.reset()
        state.quarantine, state.is_probed = None, False

    def pause(self, relay: Relay, seconds: float, reason: str) -> None:
        """Do not use the relay for ``seconds``, for a ``reason`` that is not a failure, such as its daily
        limit."""
        state = self._states[relay.name]
        state.paused_until, state.pause_reason = self._monotonic() + seconds, reason

    def explain_exhaustion(self) -> str | None:
        """Return why the campaign must pause: every relay is quarantined and none is due to be tried again.
        None while there is one that works, waits, is paused, is due, or is being tried."""
        now = self._monotonic()
        quarantined = []
        for relay in self._relays:
            state = self._states[relay.name]
            if state.quarantine is None or state.is_probed or state.quarantine.next_try <= now:
                return None
            quarantined.append((relay.name, state.quarantine.summary))
        if len(quarantined) == 1:
            return quarantined[0][1]
        return "No relay can be used. " + " ".join(
            f"{name}: {_end_sentence(summary)}" for name, summary in quarantined
        )

    def notices(self) -> tuple[str, ...]:
        """Describe every relay that is not in normal use, a line each, for people."""
        lines = (self._describe(relay) for relay in self._relays)
        return tuple(line for line in lines if line)

    def _seconds_until_usable(self, relay: Relay) -> float:
        """Return the seconds until ``relay`` may be connected to; 0 or less means now."""
        state, now = self._states[relay.name], self._monotonic()
        wait = max(relay.backoff.seconds_to_wait(), state.paused_until - now)
        return wait if state.quarantine is None else max(wait, state.quarantine.next_try - now)

    def _start_probe(self, state: _RelayState, quarantine: _Quarantine) -> None:
        """Let one connection try a quarantined relay; the others go elsewhere until it is known to work. If
        that connection reports nothing, another one tries after the same time again."""
        state.is_probed = True
        state.quarantine = replace(quarantine, next_try=self._monotonic() + self._quarantine_seconds)

    def _start_quarantine(self, state: _RelayState, reason: str, summary: str) -> None:
        since = self._now() if state.quarantine is None else state.quarantine.since
        next_try = self._monotonic() + self._quarantine_seconds
        state.quarantine = _Quarantine(reason=reason, summary=summary, since=since, next_try=next_try)
        state.is_probed = False

    def _describe(self, relay: Relay) -> str:
        state, now, backoff = self._states[relay.name], self._monotonic(), relay.backoff
        since = ""
        if (quarantine := state.quarantine) is not None:
            words = _TESTED if state.is_probed else _SET_ASIDE
            since, reason, wait = _format_time(quarantine.since), quarantine.reason, quarantine.next_try - now
        elif state.paused_until > now:
            words, reason, wait = _PAUSED, state.pause_reason, state.paused_until - now
        elif (wait := backoff.seconds_to_wait()) > 0:
            words, reason = _FAILED_ONCE if backoff.failures == 1 else _FAILED, state.last_failure
        else:
            return ""
        until = _format_time(self._now() + timedelta(seconds=wait))
        values = {"relay": relay.name, "start": since, "times": backoff.failures, "reason": reason}
        return words % {**values, "next": until, "until": until}


def open_relays(
    settings: Settings,
    root: Path,
    *,
    backoff: BackoffPolicy = BackoffPolicy(),
    monotonic: Callable[[], float] = time.monotonic,
    factory: TransportFactory | None = None,
) -> Relays:
    """Return the relays of ``[smtp]``, each with its transport. Nothing is connected yet. Raise
    ConfigurationError if the settings of one cannot be used."""
    relays = []
    for relay in list_relays(settings.smtp):
        values = merge_relay_settings(settings.smtp, relay)
        opened = Relay(
            name=relay.name,
            transport=_make_relay_transport(relay, values, root, factory)
            if settings.smtp.relays
            else (factory or make_transport)(values, root),
            settings=values,
            priority=relay.priority,
            weight=relay.weight,
            throttle=AdaptiveThrottle(monotonic),
            backoff=ConnectionBackoff(backoff, monotonic),
        )
        relays.append(opened)
    return Relays(relays, monotonic=monotonic)


def _make_relay_transport(
    relay: RelaySettings, values: SmtpSettings, root: Path, make: TransportFactory | None
) -> Transport:
    try:
        return make(values, root) if make is not None else make_transport(values, root, name=relay.name)
    except ConfigurationError as error:
        where = f"[[smtp.relays]] {relay.name}:"
        raise ConfigurationError(f"{where} {str(error).removeprefix('[smtp] ')}") from error


def _format_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def _end_sentence(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."

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
from urllib.parse import urlsplit

from mailer.dispatch.circuit_breaker import Patience, Trouble
from mailer.dispatch.rate.limiter import Brake
from mailer.errors import ConfigurationError
from mailer.settings import RelaySettings, Settings, SmtpSettings, WarmUpSettings
from mailer.smtp.interfaces import Transport, make_transport
from mailer.smtp.reply_classifier import Outcome, Verdict

ONLY = "main"
"""What the relay is called that ``[smtp] url`` alone names."""

_ASIDE_SECONDS = 600.0
_INHERITED = ("auth", "starttls", "rate", "messages_per_connection", "warm_up")

MakeTransport = Callable[[SmtpSettings, Path], Transport]


def list_relays(smtp: SmtpSettings) -> tuple[RelaySettings, ...]:
    """The relays that ``smtp`` names, in the order of the file; its own url as "main" where it lists none.

    Raises:
        ConfigurationError: two have the same name, or one of several is a folder.
    """
    if not smtp.relays:
        return (RelaySettings(name=ONLY, url=smtp.url),)
    names = [relay.name for relay in smtp.relays]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(
            f"[[smtp.relays]]: two relays are named {doubled[0]!r}. Give each relay its own name."
        )
    for relay in smtp.relays if len(smtp.relays) > 1 else ():
        if urlsplit(relay.url).scheme == "maildir":
            raise ConfigurationError(
                f"[[smtp.relays]] {relay.name}: a folder cannot be one of several relays, because nothing "
                "delivers its messages. Set it alone, in [smtp] url."
            )
    return smtp.relays


def lay_over(smtp: SmtpSettings, relay: RelaySettings) -> SmtpSettings:
    """``smtp`` as it holds for ``relay``: what the relay leaves out stays as ``smtp`` says.

    A relay with a secret of its own takes none over: the token of one relay is not for another.
    """
    own: dict[str, object] = {
        name: value for name in _INHERITED if (value := getattr(relay, name)) is not None
    }
    if relay.password_file or relay.token_file or urlsplit(relay.url).password:
        own |= {"password_file": relay.password_file, "token_file": relay.token_file}
    return smtp.model_copy(update={"url": relay.url, "relays": (), **own})


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
    brake: Brake = field(default_factory=Brake, repr=False)
    trouble: Trouble = field(default_factory=lambda: Trouble(Patience()), repr=False)

    @property
    def epoch(self) -> int:
        """What a connection remembers from before it is opened; see :meth:`Relays.failed`."""
        return self.trouble.epoch

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
class _Aside:
    """Why and until when a relay is left alone. ``next_try`` is by the monotonic clock."""

    reason: str
    complaint: str
    since: datetime
    next_try: float


@dataclass
class _Standing:
    """How a relay stands now."""

    share: int
    current: int = 0
    aside: _Aside | None = None
    is_probed: bool = False
    rests_until: float = float("-inf")
    rest_reason: str = ""
    words: str = ""


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
        aside_seconds: float = _ASIDE_SECONDS,
    ) -> None:
        self._relays = tuple(relays)
        self._monotonic = monotonic
        self._now = now
        self._aside_seconds = aside_seconds
        # A connection that lasts for twice as many messages is opened half as often, so that weights share
        # out the messages. Otherwise the longest connections would end up as the only ones.
        per_round = math.lcm(*(relay.messages_per_connection for relay in relays))
        self._standings = {
            relay.name: _Standing(share=relay.weight * per_round // relay.messages_per_connection)
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
        usable = [relay for relay in self._relays if self._wait_for(relay) <= 0]
        first = min((relay.priority for relay in usable), default=0)
        candidates = [relay for relay in usable if relay.priority == first]
        if not candidates:
            return None
        for relay in candidates:
            self._standings[relay.name].current += self._standings[relay.name].share
        chosen = max(candidates, key=lambda relay: self._standings[relay.name].current)
        standing = self._standings[chosen.name]
        standing.current -= sum(self._standings[relay.name].share for relay in candidates)
        if standing.aside is not None:
            self._probe(standing, standing.aside)
        return chosen

    def seconds_to_wait(self) -> float:
        """How long until there is a relay to connect to; 0 when there is one now."""
        return max(0.0, min(self._wait_for(relay) for relay in self._relays))

    def failed(self, relay: Relay, epoch: int, outcome: Outcome) -> None:
        """A connection could not be opened, or was lost before anybody was served.

        ``epoch`` is what ``relay.epoch`` was before it was opened: connections that were open together and
        fail together are one failure. An outcome that says stop is a refusal.
        """
        if outcome.verdict is Verdict.stop:
            self.refused(relay, outcome)
            return
        standing = self._standings[relay.name]
        is_new = epoch == relay.trouble.epoch
        is_too_many = relay.trouble.report(epoch, retry_after=outcome.retry_after)
        if not is_new or (standing.aside is not None and not standing.is_probed):
            return
        standing.words = outcome.reason
        if is_too_many or standing.is_probed:
            times = relay.trouble.failures
            count = f"failed {times} times in a row" if times > 1 else "failed again"
            self._set_aside(standing, outcome.reason, f"The mail server {count}: {outcome.reason}")

    def refused(self, relay: Relay, outcome: Outcome) -> None:
        """It will not send for us: the login, the sender or every message. It is set aside at once."""
        self._set_aside(self._standings[relay.name], outcome.reason, outcome.complaint)

    def served(self, relay: Relay) -> None:
        """It took a message, or refused one reader: it works.

        From a connection that was open before the relay was set aside this says nothing new.
        """
        standing = self._standings[relay.name]
        if standing.aside is not None and not standing.is_probed:
            return
        relay.trouble.clear()
        standing.aside, standing.is_probed = None, False

    def rest(self, relay: Relay, seconds: float, reason: str) -> None:
        """Leave it alone for ``seconds``: it has had its share, of the day for instance. No failure."""
        standing = self._standings[relay.name]
        standing.rests_until, standing.rest_reason = self._monotonic() + seconds, reason

    def exhausted(self) -> str | None:
        """Why the campaign must pause: every relay is set aside and none is due to be tried again.

        None while there is one that works, waits, rests, is due, or is being tried.
        """
        now = self._monotonic()
        asides = []
        for relay in self._relays:
            standing = self._standings[relay.name]
            if standing.aside is None or standing.is_probed or standing.aside.next_try <= now:
                return None
            asides.append((relay.name, standing.aside.complaint))
        if len(asides) == 1:
            return asides[0][1]
        return "No relay can be used. " + " ".join(f"{name}: {_end(complaint)}" for name, complaint in asides)

    def notices(self) -> tuple[str, ...]:
        """One line for people about every relay that is not in use as it should be."""
        lines = (self._describe(relay) for relay in self._relays)
        return tuple(line for line in lines if line)

    def _wait_for(self, relay: Relay) -> float:
        """Seconds until ``relay`` may be connected to; 0 or less: now."""
        standing, now = self._standings[relay.name], self._monotonic()
        wait = max(relay.trouble.seconds_to_wait(), standing.rests_until - now)
        return wait if standing.aside is None else max(wait, standing.aside.next_try - now)

    def _probe(self, standing: _Standing, aside: _Aside) -> None:
        """One connection tries a relay that was set aside; the others go elsewhere until it is known to work.

        If nothing is heard of that connection, another one tries as long after it.
        """
        standing.is_probed = True
        next_try = self._monotonic() + self._aside_seconds
        standing.aside = _Aside(
            reason=aside.reason, complaint=aside.complaint, since=aside.since, next_try=next_try
        )

    def _set_aside(self, standing: _Standing, reason: str, complaint: str) -> None:
        since = self._now() if standing.aside is None else standing.aside.since
        next_try = self._monotonic() + self._aside_seconds
        standing.aside = _Aside(reason=reason, complaint=complaint, since=since, next_try=next_try)
        standing.is_probed = False

    def _describe(self, relay: Relay) -> str:
        standing, now = self._standings[relay.name], self._monotonic()
        if (aside := standing.aside) is not None:
            since = f"relay {relay.name} has been set aside since {_tell(aside.since)}: {aside.reason}"
            if standing.is_probed:
                return f"{since}; one connection is testing it now"
            return f"{since}; next try {self._tell_in(aside.next_try - now)}"
        if standing.rests_until > now:
            until = self._tell_in(standing.rests_until - now)
            return f"relay {relay.name} is paused until {until}: {standing.rest_reason}"
        if (wait := relay.trouble.seconds_to_wait()) > 0:
            times = relay.trouble.failures
            count = "once" if times == 1 else f"{times} times in a row"
            return f"relay {relay.name} failed {count}: {standing.words}; next try {self._tell_in(wait)}"
        return ""

    def _tell_in(self, seconds: float) -> str:
        return _tell(self._now() + timedelta(seconds=seconds))


def open_relays(
    settings: Settings,
    root: Path,
    *,
    patience: Patience = Patience(),  # noqa: B008 - frozen
    monotonic: Callable[[], float] = time.monotonic,
    make: MakeTransport = make_transport,
) -> Relays:
    """The relays of ``[smtp]``, each with its transport. Nothing is connected yet.

    Raises:
        ConfigurationError: names are doubled, an address is none we know, or a password cannot be read.
    """
    relays = []
    for relay in list_relays(settings.smtp):
        values = lay_over(settings.smtp, relay)
        opened = Relay(
            name=relay.name,
            transport=_open(relay, values, root, make) if settings.smtp.relays else make(values, root),
            settings=values,
            priority=relay.priority,
            weight=relay.weight,
            brake=Brake(monotonic),
            trouble=Trouble(patience, monotonic),
        )
        relays.append(opened)
    return Relays(relays, monotonic=monotonic)


def _open(relay: RelaySettings, values: SmtpSettings, root: Path, make: MakeTransport) -> Transport:
    try:
        return make(values, root)
    except ConfigurationError as error:
        where = f"[[smtp.relays]] {relay.name}:"
        raise ConfigurationError(f"{where} {str(error).removeprefix('[smtp] ')}") from error


def _tell(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def _end(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."

"""Stops a campaign whose messages fail for reasons that are not the recipients'."""

import re
from collections import Counter, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from locales.phrase import gettext_noop
from mailer.smtp.reply_classifier import Outcome, Verdict, is_dead_address

HALT_AT_REJECTED: Final = 0.1
"""The share of dead addresses above which a campaign stops, where no setting says otherwise."""

FIRST_MESSAGES: Final = 200
"""The number of messages after which the circuit breaker judges the share of dead addresses."""

_WINDOW_SIZE = 25
_TRIP_THRESHOLD = 20

MAX_UNJUDGED: Final = _TRIP_THRESHOLD - 1
"""As many dead addresses of a small campaign are believed, as long as they are not more than half of it."""
# Failures with the same key are alike: it is our fault, or (any other key) the address is dead, in these
# words.
_SENDER_FAULT: Final = "ours"
_DEAD_ADDRESSES: Final = "dead"
_HANDED_OVER: Final = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
_VARIABLE_PARTS = re.compile(r"\S*[@\d]\S*")


class CircuitBreaker:
    """Stops a campaign that fails for every recipient before it has used up its audience.

    It trips for three reasons, each of which suggests that the addresses are not at fault:

    - 20 of the last 25 messages could not be built, or were refused for other reasons than their address;
    - of the ``first`` messages, a share above ``halt_at_rejected`` went to dead addresses: the list is old,
      or the relay refuses valid addresses;
    - after those, 20 of the last 25 addresses are dead in the very same words, which no list has in a row.

    What one domain refuses does not count, if the campaign goes to several: it has ``domains``.

    A dead address counts at its first attempt only. So a person who has checked the refusals and resumes is
    not stopped by them twice. ``handed_over`` and ``dead`` say what earlier runs did: how many messages were
    sent, rejected or left in doubt, and which deliveries were rejected as dead, each with its domain.
    """

    def __init__(
        self,
        halt_at_rejected: float = HALT_AT_REJECTED,
        *,
        first: int = FIRST_MESSAGES,
        handed_over: int = 0,
        dead: Mapping[int, str] = MappingProxyType({}),
        domains: int = 1,
    ) -> None:
        self._share = halt_at_rejected
        self._first = first
        self._handed_over = handed_over
        self._dead = dict(dead)
        self._domains = domains
        self._accepting: set[str] = set()
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=_WINDOW_SIZE)
        self._tripped_by = ""
        self.reason = ""
        """Why it tripped, for a person to read; empty if it has not."""

    def record(self, delivery_id: int, outcome: Outcome, *, attempts: int = 0, domain: str = "") -> list[int]:
        """Count an outcome that is on record; return the deliveries to requeue if it was one too many, else
        none. ``attempts`` are the delivery's before this one, and ``domain`` is its reader's."""
        if outcome.verdict in _HANDED_OVER:
            self._handed_over += 1
        key = "" if outcome.verdict is Verdict.sent else _classify_failure(outcome, attempts)
        if self._tripped_by:
            # Replies on other connections were still on their way.
            return [delivery_id] if self._has_same_cause(key) else []
        if key not in ("", _SENDER_FAULT) and self._handed_over <= self._first:
            self._dead[delivery_id] = domain
            # These are judged by their share, when the first are sent.
            key = ""
        self._recent.append((delivery_id, key, domain))
        if outcome.verdict is Verdict.sent and self._handed_over <= self._first:
            self._accepting.add(domain)
        if self._handed_over == self._first and self._count_dead() > self._share * self._first:
            return self._trip(_DEAD_ADDRESSES, self._explain_dead(), self._dead)
        alike = {number: at for number, other, at in self._recent if other == key} if key else {}
        if len(alike) < _TRIP_THRESHOLD or not self._are_several(alike):
            return []
        return self._trip(
            key, explain_trip(outcome) if key == _SENDER_FAULT else _explain_alike(outcome), alike
        )

    def _count_dead(self) -> int:
        """Count the dead addresses, but for those of a domain that refuses all its own."""
        refused = Counter(self._dead.values()) if self._domains > 1 else Counter[str]()
        closed = (n for at, n in refused.items() if n > MAX_UNJUDGED and at not in self._accepting)
        return len(self._dead) - max(closed, default=0)

    def _are_several(self, deliveries: Mapping[int, str]) -> bool:
        return len(set(deliveries.values())) >= self._domains

    def _has_same_cause(self, key: str) -> bool:
        if self._tripped_by == _DEAD_ADDRESSES:
            return key not in ("", _SENDER_FAULT)
        return key == self._tripped_by

    def _trip(self, key: str, reason: str, deliveries: Mapping[int, str]) -> list[int]:
        self._tripped_by, self.reason = key, reason
        return list(deliveries)

    def _explain_dead(self) -> str:
        return gettext_noop(
            "Of the first %(first)s addresses, %(number)s were refused as dead, more than %(share)s. "
            "They are back in the queue. Check the report: is the list old, or is the relay refusing "
            "valid addresses? If you resume, they are tried once more and a second refusal is final."
        ) % {"first": self._first, "number": len(self._dead), "share": f"{self._share:.0%}"}


def explain_trip(outcome: Outcome) -> str:
    """Explain why the campaign stopped, with the last ``outcome`` as the example."""
    return gettext_noop(
        "%(number)s of the last %(last)s messages could not be built, or were "
        "refused for reasons that have nothing to do with the recipient. They are back in the "
        "queue. The last reason: %(reason)s"
    ) % {"number": _TRIP_THRESHOLD, "last": _WINDOW_SIZE, "reason": outcome.reason}


def _explain_alike(outcome: Outcome) -> str:
    return gettext_noop(
        "%(number)s of the last %(last)s addresses were refused as dead in the "
        "same words, which suggests that the relay refuses every address. They are back in the "
        "queue. If you resume, they are tried once more and a second refusal is final. The last "
        "reason: %(reason)s"
    ) % {"number": _TRIP_THRESHOLD, "last": _WINDOW_SIZE, "reason": outcome.reason}


def _classify_failure(outcome: Outcome, attempts: int) -> str:
    """Return what makes this failure like others; empty if it is none, or an ordinary one."""
    if outcome.verdict is Verdict.failed:
        return _SENDER_FAULT
    if outcome.verdict is not Verdict.rejected:
        return ""
    if not is_dead_address(outcome.code, outcome.text):
        return _SENDER_FAULT
    # Without the parts that vary with the recipient or the moment.
    return "" if attempts else f"{outcome.code} {_VARIABLE_PARTS.sub('', outcome.text)}"

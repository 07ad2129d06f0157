"""What stops a campaign or sending to an address: the canary, failures that are alike, dead addresses.

A badly configured relay refuses valid addresses too, and the circuit breaker then puts those readers back in
the queue. So readers are only marked as bounced when no delivery is queued or claimed, or the campaign is
cancelled. A campaign is finished only after its readers are marked, and marking is idempotent: a crash
misses no reader.
"""

import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, exists, select
from sqlmodel import Session, col

from locales.phrase import gettext_noop
from mailer.database.engine import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import Counts, count_deliveries, is_in_state
from mailer.dispatch.ledger_changes import name_consent_source
from mailer.reasons.reason_classifier import classify_reason
from mailer.smtp.reply_classifier import (
    Outcome,
    Verdict,
    find_enhanced_code,
    is_certainly_dead,
    is_dead_address,
)
from mailer.utc import format_utc
from subscribers.consent.status_changes import GONE_STATUSES, mark_bounced
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Subscriber

_HALT_AT_REJECTED = 0.1

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
DEAD_ADDRESS_METHOD: Final = "sending"
"""The method given in the consent record."""
_DEAD_CODES: Final = (550, 551, 553)
_BATCH_SIZE: Final = 50


@dataclass(frozen=True, kw_only=True)
class CanaryProgress:
    """The progress of a campaign. A dispatcher holds ``claimed`` of the queued deliveries and ``in_flight``
    of those in doubt."""

    counts: Counts
    claimed: int = 0
    in_flight: int = 0

    @property
    def attempted(self) -> int:
        """How many deliveries have been attempted or are in progress; those suppressed since do not count."""
        counts = self.counts
        decided = counts.sent + counts.rejected + counts.failed + counts.in_doubt + counts.deferred
        return decided + self.claimed

    @property
    def untouched(self) -> int:
        return self.counts.queued - self.claimed


@dataclass(frozen=True, kw_only=True)
class Canary:
    """The canary of one campaign: send to ``size`` subscribers, then wait ``minutes``, or without them for a
    person. ``until`` is when the wait ends, once that is decided: a resume ends it immediately. If the share
    of rejections exceeds ``halt_at_rejected``, only a person can end it."""

    campaign_id: int
    size: int
    minutes: float | None = None
    until: datetime | None = None
    halt_at_rejected: float = _HALT_AT_REJECTED

    def allowance(self, numbers: CanaryProgress, now: datetime) -> int | None:
        """Return how many deliveries may be claimed now; None once the canary is over."""
        if self.is_over(now):
            return None
        return min(numbers.untouched, max(0, self.size - numbers.attempted))

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def is_complete(self, numbers: CanaryProgress) -> bool:
        """Return whether the first are sent, every reply is in, and there are others to hold back."""
        has_answers = numbers.claimed == 0 and numbers.in_flight == 0
        return has_answers and numbers.attempted >= self.size and numbers.untouched > 0

    def ends_at(self, numbers: CanaryProgress, now: datetime) -> datetime | None:
        """Return when the campaign continues automatically if the canary is complete ``now``; None if a
        person has to resume it."""
        if self.minutes is None or self.is_suspicious(numbers):
            return None
        return now + timedelta(minutes=self.minutes)

    def is_suspicious(self, numbers: CanaryProgress) -> bool:
        return numbers.counts.rejected > self.halt_at_rejected * numbers.attempted

    def explain(self, numbers: CanaryProgress, until: datetime | None, now: datetime) -> str:
        """Explain to a person why the campaign waits; ``until`` is when it goes on by itself, if ever."""
        first = gettext_noop("The canary of %(number)s is complete: %(counts)s.") % {
            "number": f"{numbers.attempted:,}",
            "counts": _describe_counts(numbers.counts),
        }
        values = {"campaign": self.campaign_id, "number": f"{numbers.untouched:,}"}
        if until is not None:
            moment = f"{until:%H:%M} UTC" if until.date() == now.date() else format_utc(until)
            words = gettext_noop(
                "The campaign continues automatically at %(moment)s; to send to the other %(number)s "
                "now, run `mailer campaigns resume %(campaign)s`."
            )
            return f"{first} {words % {**values, 'moment': moment}}"
        if self.is_suspicious(numbers):
            first += " " + gettext_noop("More than %(share)s were rejected.") % {
                "share": f"{self.halt_at_rejected:.0%}"
            }
        words = gettext_noop(
            "Check the results, then run `mailer campaigns resume %(campaign)s` to send to the other "
            "%(number)s."
        )
        return f"{first} {words % values}"


def read_canary(campaign: Campaign, *, halt_at_rejected: float = _HALT_AT_REJECTED) -> Canary | None:
    if campaign.canary is None:
        return None
    return Canary(
        campaign_id=campaign.id or 0,
        size=campaign.canary,
        minutes=campaign.canary_minutes,
        until=campaign.canary_until,
        halt_at_rejected=halt_at_rejected,
    )


def _describe_counts(counts: Counts) -> str:
    """Return the counts that are not zero, and always the number sent."""
    others = (
        (gettext_noop("%(number)s rejected"), counts.rejected),
        (gettext_noop("%(number)s failed"), counts.failed),
        (gettext_noop("%(number)s in doubt"), counts.in_doubt),
        (gettext_noop("%(number)s put off by the server"), counts.deferred),
    )
    told = [(gettext_noop("%(number)s sent"), counts.sent), *(one for one in others if one[1])]
    return ", ".join(words % {"number": f"{number:,}"} for words, number in told)


class CircuitBreaker:
    """Stops a campaign that fails for every recipient before it has used up its audience.

    It trips for three reasons, each of which suggests that the addresses are not at fault (what one domain
    refuses does not, if the campaign goes to several: it has ``domains``): 20 of the last 25
    messages could not be built, or were refused for other reasons than their address; of the ``first``
    messages, a share above ``halt_at_rejected`` went to dead addresses, so that the list is old, or the relay
    refuses valid addresses; or after those, 20 of the last 25 addresses are dead in the very same words,
    which no list has in a row.

    A dead address counts at its first attempt only. So a person who has checked the refusals and resumes is
    not stopped by them twice. ``handed_over`` and ``dead`` say what earlier runs did: how many messages were
    sent, rejected or left in doubt, and which deliveries were rejected as dead, each with its domain.
    """

    def __init__(
        self,
        halt_at_rejected: float = _HALT_AT_REJECTED,
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


def mark_dead_addresses(
    engine: Engine,
    campaign_id: int,
    key: SuppressionKey,
    *,
    halt_at_rejected: float,
    clock: Clock = read_clock,
) -> int:
    """Mark the readers of a campaign whose address is dead as bounced; return how many were marked. Does
    nothing while deliveries are still to be tried, and skips refusals that are not plausible. ``engine`` must
    be durable."""
    with engine.connect().execution_options(read_only=True) as connection:
        if not _has_ended(connection, campaign_id):
            return 0
        plausible = _find_plausible(connection, campaign_id, halt_at_rejected)
    marked = 0
    # In the order of their ids, as a launch inserts them, so that two transactions never deadlock.
    for start in range(0, len(plausible), _BATCH_SIZE):
        marked += _mark(engine, campaign_id, plausible[start : start + _BATCH_SIZE], key, clock)
    return marked


def _has_ended(connection: Connection, campaign_id: int) -> bool:
    """Return whether refusals are final: no delivery is queued or claimed."""
    ours = col(Delivery.campaign_id) == campaign_id
    held = exists().where(ours, col(Delivery.owner).is_not(None))
    queued = exists().where(ours, is_in_state(DeliveryState.queued))
    state = select(col(Campaign.state), held, queued).where(col(Campaign.id) == campaign_id)
    row = connection.execute(state).one()
    return not row[1] and (not row[2] or row[0] is CampaignState.cancelled)


def _find_plausible(connection: Connection, campaign_id: int, halt_at_rejected: float) -> list[Row[Any]]:
    """Return the refusals that can be believed, of readers who have not left already.

    None, if the relay accepted no message at all. From 200 readers on, the circuit breaker has judged the
    share of dead addresses. In a smaller campaign, refusals are believed up to the share the breaker allows,
    or if they are few and at most half. An address refused again after a person resumed the campaign is
    believed in any case. A domain that refused many of its own and took none is not.
    """
    counts = count_deliveries(connection, campaign_id)
    if not counts.sent:
        return []
    dead = list(_find_dead(connection, campaign_id))
    handed_over = counts.sent + counts.rejected + counts.in_doubt
    at_first = sum(refusal.attempts <= 1 for refusal in dead)
    allowed = max(halt_at_rejected * handed_over, min(MAX_UNJUDGED, handed_over // 2))
    is_plausible = handed_over >= FIRST_MESSAGES or at_first <= allowed
    closed = _list_closed_domains(connection, campaign_id, dead)

    def is_believed(refusal: Row[Any]) -> bool:
        return refusal.attempts > 1 or (is_plausible and _find_domain(refusal) not in closed)

    return [refusal for refusal in dead if not refusal.is_gone and is_believed(refusal)]


def _list_closed_domains(connection: Connection, campaign_id: int, dead: Sequence[Row[Any]]) -> set[str]:
    """Return the domains that refused many readers and took no message. No breaker judges what one domain
    says, and a fault of its server is more likely than that all have left."""
    reader = col(Subscriber.id) == col(Delivery.subscriber_id)
    sent = exists().where(reader, col(Delivery.campaign_id) == campaign_id, is_in_state(DeliveryState.sent))
    refused = Counter(map(_find_domain, dead))
    suspects = [domain for domain, number in refused.items() if number > MAX_UNJUDGED]
    own = {domain: col(Subscriber.envelope).endswith(f"@{domain}", autoescape=True) for domain in suspects}
    return {name for name, is_there in own.items() if not connection.scalar(select(sent.where(is_there)))}


def _find_domain(refusal: Row[Any]) -> str:
    return str(refusal.envelope).rpartition("@")[2].lower()


def _find_dead(connection: Connection, campaign_id: int) -> Sequence[Row[Any]]:
    columns: tuple[Any, ...] = (
        *(col(Delivery.id), col(Delivery.subscriber_id), col(Delivery.attempts), col(Delivery.code)),
        *(col(Delivery.reason), col(Delivery.updated_at), col(Subscriber.envelope)),
        col(Subscriber.status).in_(GONE_STATUSES).label("is_gone"),
    )
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.campaign_id) == campaign_id, is_in_state(DeliveryState.rejected))
        .where(col(Delivery.code).in_(_DEAD_CODES))
        .order_by(col(Delivery.subscriber_id))
    )
    found = connection.execute(statement)
    # After the retention period the server's words are gone, and prove nothing.
    return [one for one in found if one.reason and is_dead_refusal(one.code, one.reason)]


def is_dead_refusal(code: int | None, words: str) -> bool:
    """Return whether a refusal at RCPT says for certain that nobody has the address. Both its codes and what
    the words of this server mean must say so: some write 5.1.1 and "no such user" about accounts that are
    disabled or senders that they block."""
    if not is_certainly_dead(code, words):
        return False
    return classify_reason(words, code=str(code or ""), command="RCPT").is_dead


def _mark(
    engine: Engine, campaign_id: int, refusals: Sequence[Row[Any]], key: SuppressionKey, clock: Clock
) -> int:
    """Mark a batch in one transaction, each reader only if the delivery is still rejected."""
    ids = [refusal.id for refusal in refusals]
    with Session(engine) as session:
        # Before anything else: a circuit breaker elsewhere that requeues readers takes the same lock.
        connection = session.connection()
        connection.execute(select(col(Campaign.id)).where(col(Campaign.id) == campaign_id).with_for_update())
        rejected = select(col(Delivery.id)).where(
            col(Delivery.id).in_(ids), is_in_state(DeliveryState.rejected)
        )
        still = set(connection.scalars(rejected))
        now = clock(connection)
        marked = sum(
            mark_bounced(
                session,
                refusal.subscriber_id,
                refused_at=refusal.updated_at,
                key=key,
                method=DEAD_ADDRESS_METHOD,
                source=name_consent_source(campaign_id),
                # Not the server's words, because they quote the address.
                evidence=f"{refusal.code} {find_enhanced_code(refusal.code, refusal.reason)}".strip(),
                now=now,
            )
            for refusal in refusals
            if refusal.id in still
        )
        session.commit()
    return marked

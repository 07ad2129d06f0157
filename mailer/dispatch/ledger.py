"""The ledger: it claims deliveries and records how they ended.

Every change is an UPDATE that names the state and the owner it expects and whose row count is checked. So two
processes that want the same delivery cannot both have it, and one that was taken for dead cannot send after
all.
"""

import contextlib
import random
import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, exists, func, insert, or_, select, true
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import col

from locales.phrase import gettext_noop
from mailer.database.engine import CachedClock, Clock, read_clock
from mailer.database.launch_models import HaltMail
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, InDoubtPolicy
from mailer.dispatch.batch_writer import Batch, BatchResult, Transition, open_batch_writer
from mailer.dispatch.canary import CanaryProgress, read_canary
from mailer.dispatch.deliveries import (
    Claim,
    LostClaimError,
    change_campaign_state,
    count_deliveries,
    is_in_state,
    make_state_update,
    read_claims,
    select_due,
)
from mailer.errors import MailerError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from subscribers.models import Status, Subscriber

_DEFAULT_RETRY_FOR = timedelta(hours=72)
_RECORD_RETRY_DELAYS = (0.1, 0.5, 1.0, 2.0)
_MIN_DELAY = timedelta(seconds=30)
_INITIAL_DELAY = timedelta(minutes=5)
_MAX_DELAY = timedelta(hours=4)
_BEGUN_STAGES = frozenset({Stage.body, Stage.dot})
CRASH_REASON = gettext_noop("The dispatcher stopped before the server's reply was recorded.")
"""The reason of a delivery in doubt that a dead dispatcher left."""
# Built once: building a statement takes longer than running it.
_REQUEUE_DUE = make_state_update(
    [DeliveryState.deferred],
    DeliveryState.queued,
    col(Delivery.campaign_id) == bindparam("ours"),
    col(Delivery.not_before) <= bindparam("now"),
    not_before=None,
    updated_at=bindparam("now"),
)
_CLAIM = make_state_update(
    [DeliveryState.queued],
    DeliveryState.claimed,
    col(Delivery.id).in_(bindparam("ids", expanding=True)),
    owner=bindparam("me"),
    updated_at=bindparam("now"),
)


class LedgerUnreachableError(MailerError):
    """The database could not be read or written while sending."""

    def __init__(self, error: Exception) -> None:
        words = str(getattr(error, "orig", None) or error).strip()
        super().__init__(
            gettext_noop(
                "The database failed while sending: %(words)s. Sending has stopped. Fix the database, "
                "then resume the campaign. A message whose outcome could not be recorded is then listed "
                "as in doubt."
            )
            % {"words": words}
        )


class Ledger:
    """The deliveries of one campaign, as changed by one dispatcher (``owner``), from one thread. Each method
    is one transaction. Close it after use.

    ``retry_for`` is how long a deferred delivery is tried again, ``halt_at_rejected`` the share of rejections
    in a canary after which only a person can let the rest go.
    """

    def __init__(
        self,
        engine: Engine,
        campaign_id: int,
        owner: str,
        *,
        clock: Clock = read_clock,
        retry_for: timedelta = _DEFAULT_RETRY_FOR,
        halt_at_rejected: float = 0.1,
    ) -> None:
        self._engine = engine
        self.campaign_id = campaign_id
        self._owner = owner
        self._clock = clock
        self._retry_for = retry_for
        self._canary_share: float | None = halt_at_rejected
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._now = CachedClock(engine, clock)
        self._writer = open_batch_writer(engine, campaign_id, owner)
        self._select_due = select_due(campaign_id)

    def now(self) -> datetime:
        return self._now()

    def close(self) -> None:
        self._writer.close()

    def claim(self, limit: int) -> list[Claim]:
        """Claim up to ``limit`` deliveries that are due, the fewest attempts first. Those to subscribers who
        have left since the launch become suppressed. Raise LostClaimError if another dispatcher has the same
        name, and took one of them; none is claimed."""
        with self._transaction() as (connection, now):
            connection.execute(_REQUEUE_DUE, {"ours": self.campaign_id, "now": now})
            limit = self._limit_to_canary(connection, limit, now)
            rows = connection.execute(self._select_due, {"today": now.date(), "most": limit}).all()
            if unwanted := [row.delivery_id for row in rows if not row.may_get_mail]:
                self._suppress(connection, unwanted, now)
            claims = read_claims(self.campaign_id, (row for row in rows if row.may_get_mail))
            ids = [claim.delivery_id for claim in claims]
            taking = {"ids": ids, "me": self._owner, "now": now}
            if ids and connection.execute(_CLAIM, taking).rowcount != len(ids):
                raise LostClaimError(ids[0])
        return claims

    def record(self, batch: Batch) -> BatchResult:
        """Record, in one durable transaction, how deliveries ended and which are about to be sent. One that
        is not in ``started`` of the result must not be sent: the campaign is no longer sending, the
        subscriber has left, or the delivery is no longer ours.

        A database that is busy or restarting is waited for, because an outcome that is known but not recorded
        would leave the delivery in doubt. That takes up to 3.6 seconds, in which the event loop stands still:
        what its connections hear meanwhile could not be recorded either. Raise LedgerUnreachableError if the
        database failed; how much of the batch was recorded is not known.
        """
        failures = 0
        while True:
            try:
                written = self._writer.write(batch, self._now(), again=failures > 0)
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                # Waiting cannot help where a constraint is violated.
                is_final = isinstance(error, sqlite3.IntegrityError)
                if is_final or failures == len(_RECORD_RETRY_DELAYS):
                    raise LedgerUnreachableError(error) from error
                time.sleep(_RECORD_RETRY_DELAYS[failures])
                failures += 1
            else:
                # When written again, what was written the first time no longer counts as ours.
                return BatchResult(started=written.started) if failures else written

    def make_batch(
        self,
        ended: Sequence[tuple[Claim, Outcome]],
        *,
        starting: Sequence[int] = (),
        stories: Mapping[int, str] | None = None,
        returned: Sequence[Transition] = (),
    ) -> Batch:
        sent, others = [], list(returned)
        for claim, outcome in ended:
            if outcome.verdict is Verdict.sent:
                sent.append((claim.delivery_id, outcome.code, outcome.text))
            else:
                attempt = claim.attempts + 1 if outcome.stage in _BEGUN_STAGES else None
                others.append(self._make_transition(claim, outcome)._replace(attempt=attempt))
        return Batch(sent=sent, transitions=others, starting=starting, stories=stories or {})

    def _make_transition(self, claim: Claim, outcome: Outcome) -> Transition:
        words = (("code", outcome.code), ("reason", outcome.recorded_text))
        match outcome.verdict:
            case Verdict.in_doubt:
                return Transition(
                    claim.delivery_id, DeliveryState.in_doubt, False, (*words, ("doubted", True))
                )
            case Verdict.rejected:
                return Transition(claim.delivery_id, DeliveryState.rejected, True, words)
            case Verdict.failed:
                return Transition(
                    claim.delivery_id, DeliveryState.failed, outcome.stage is not Stage.build, words
                )
            case Verdict.deferred:
                return self._defer(claim, outcome)
            case Verdict.give_back | Verdict.stop:
                return Transition(claim.delivery_id, DeliveryState.queued, outcome.is_attempt)
            case Verdict.sent:
                raise AssertionError("a delivery that was sent has no transition of its own")

    def postpone(self, claims: Sequence[tuple[Claim, datetime]], reason: str) -> None:
        """Defer claimed deliveries until a time, each its own, without counting an attempt."""
        ends = [
            Transition(
                claim.delivery_id, DeliveryState.deferred, False, (("not_before", at), ("reason", reason))
            )
            for claim, at in claims
        ]
        self.record(Batch(transitions=ends))

    def pause_and_requeue(self, delivery_ids: Collection[int], reason: str) -> int:
        """Pause the campaign and requeue deliveries that failed for reasons of ours; return how many.
        Subscribers who have bounced by now keep their refusal: they would get no mail."""
        with self._transaction() as (connection, now):
            # Dead addresses are marked under the same lock, so that each sees what the other did.
            self._lock_campaign(connection)
            self._halt(connection, reason, now)
            return _requeue_refused(connection, delivery_ids, now)

    def requeue_refused(self, delivery_ids: Collection[int]) -> int:
        """Requeue deliveries that a relay has refused which refuses every message; return how many."""
        with self._transaction() as (connection, now):
            self._lock_campaign(connection)
            return _requeue_refused(connection, delivery_ids, now)

    def rescue(self, dead: Collection[str]) -> tuple[int, int]:
        """Take over what dead dispatchers held, of this campaign and of others; return how many deliveries
        are queued again and how many are in doubt.

        What was only claimed was never sent. What was being sent may have arrived: it is in doubt, and is
        queued again only if its campaign says ``resend``.
        """
        with self._transaction() as (connection, now):
            values: dict[str, Any] = {"owner": None, "updated_at": now}
            owned = col(Delivery.owner).in_(dead)
            in_doubt = [DeliveryState.in_doubt]
            queued = _update_state(connection, [DeliveryState.claimed], DeliveryState.queued, owned, **values)
            values |= {"doubted": True, "reason": CRASH_REASON}
            queued += _update_state(
                connection, in_doubt, DeliveryState.queued, owned, _may_resend(), **values
            )
            held = _update_state(connection, in_doubt, DeliveryState.in_doubt, owned, **values)
        return queued, held

    def requeue_in_doubt(self, *, always: bool = False) -> int:
        """Requeue deliveries in doubt that no dispatcher holds, if the campaign says ``resend`` or
        ``always`` is set."""
        with self._transaction() as (connection, now):
            ours = col(Delivery.campaign_id) == self.campaign_id
            conditions = (ours, col(Delivery.owner).is_(None), _may_resend(always=always))
            in_doubt = [DeliveryState.in_doubt]
            return _update_state(
                connection, in_doubt, DeliveryState.queued, *conditions, doubted=True, updated_at=now
            )

    def pause_after_canary(self) -> str:
        """Pause the campaign if its canary is complete; return the reason, empty if it was not paused."""
        if self._canary_share is None:
            return ""
        with self._transaction() as (connection, now):
            canary = read_canary(self._lock_campaign(connection), halt_at_rejected=self._canary_share)
            if canary is None or canary.is_over(now):
                return ""
            numbers = self._read_progress(connection)
            if not canary.is_complete(numbers):
                return ""
            until = canary.ends_at(numbers, now)
            reason = canary.explain(numbers, until, now)
            paused = CampaignState.paused
            moved = change_campaign_state(
                connection, self.campaign_id, paused, reason=reason, canary_until=until
            )
            if moved and until is None:
                connection.execute(insert(HaltMail).values(campaign_id=self.campaign_id, not_before=now))
            return reason if moved else ""

    def _halt(self, connection: Connection, reason: str, now: datetime) -> bool:
        """Pause the campaign until a person lets it go on, and note that whoever launched it is told."""
        halted = change_campaign_state(connection, self.campaign_id, CampaignState.paused, reason=reason)
        if halted:
            connection.execute(insert(HaltMail).values(campaign_id=self.campaign_id, not_before=now))
        return halted

    def pause(self, reason: str) -> bool:
        """Pause the campaign with a reason for a person; return whether it was sending."""
        with self._transaction() as (connection, now):
            return self._halt(connection, reason, now)

    def finish(self) -> bool:
        """Mark the campaign as finished if nothing is left to do; return whether it was. A delivery that is
        being sent counts as left to do: the server may still defer it."""
        ours = col(Delivery.campaign_id) == self.campaign_id
        left = (
            is_in_state(DeliveryState.queued),
            is_in_state(DeliveryState.deferred),
            col(Delivery.owner).is_not(None),
        )
        is_open = or_(*(exists().where(ours, each) for each in left))
        with self._transaction() as (connection, now):
            state = CampaignState.finished
            return change_campaign_state(connection, self.campaign_id, state, ~is_open, finished_at=now)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, datetime]]:
        """Open a transaction and tell its time. It is committed, durably, before the caller goes on."""
        with self._engine.begin() as connection:
            yield connection, self._clock(connection)

    def _limit_to_canary(self, connection: Connection, limit: int, now: datetime) -> int:
        if self._canary_share is None:
            return limit
        campaign = self._lock_campaign(connection)
        canary = read_canary(campaign, halt_at_rejected=self._canary_share)
        if canary is None or canary.is_over(now):
            # It cannot return: a canary is set at the launch.
            self._canary_share = None
            return limit
        allowance = canary.allowance(self._read_progress(connection), now)
        return limit if allowance is None else min(limit, allowance)

    def _lock_campaign(self, connection: Connection) -> Campaign:
        """Lock and return the campaign's row: two dispatchers must not both fill up the canary."""
        statement = select(Campaign).where(col(Campaign.id) == self.campaign_id).with_for_update()
        row = connection.execute(statement).one()
        return Campaign(**row._mapping)

    def _read_progress(self, connection: Connection) -> CanaryProgress:
        held = (col(Delivery.campaign_id) == self.campaign_id, col(Delivery.owner).is_not(None))
        by_state = select(col(Delivery.state), func.count()).where(*held).group_by(col(Delivery.state))
        in_hand: dict[DeliveryState, int] = {row[0]: row[1] for row in connection.execute(by_state)}
        return CanaryProgress(
            counts=count_deliveries(connection, self.campaign_id),
            claimed=in_hand.get(DeliveryState.claimed, 0),
            in_flight=in_hand.get(DeliveryState.in_doubt, 0),
        )

    def _suppress(self, connection: Connection, ids: Sequence[int], now: datetime) -> None:
        status = select(col(Subscriber.status)).where(col(Subscriber.id) == col(Delivery.subscriber_id))
        values = {"reason": status.scalar_subquery(), "updated_at": now}
        _update_state(
            connection, [DeliveryState.queued], DeliveryState.suppressed, col(Delivery.id).in_(ids), **values
        )

    def _defer(self, claim: Claim, outcome: Outcome) -> Transition:
        now, tries = self._now(), claim.deferrals + 1
        since = claim.deferred_since or now
        values = [("deferrals", tries), ("deferred_since", since), ("code", outcome.code)]
        if now - since >= self._retry_for:
            reason = gettext_noop("gave up after %(tries)s attempts: %(text)s") % {
                "tries": tries,
                "text": outcome.text,
            }
            return Transition(claim.delivery_id, DeliveryState.failed, True, (*values, ("reason", reason)))
        wait = outcome.retry_after or compute_backoff(claim.deferrals, self._random)
        values += [("reason", outcome.text), ("not_before", now + wait)]
        return Transition(claim.delivery_id, DeliveryState.deferred, True, tuple(values))


def compute_backoff(deferrals: int, random_: random.Random) -> timedelta:
    """Return how long to wait after deferral n (from 0): up to 5 minutes × 2ⁿ, at most four hours. Full
    jitter keeps recipients that were deferred together from being retried together."""
    doublings: int = 2 ** min(deferrals, 10)
    ceiling = min(_INITIAL_DELAY * doublings, _MAX_DELAY)
    return max(_MIN_DELAY, ceiling * random_.random())


def is_deadlock(error: OperationalError) -> bool:
    """Return whether PostgreSQL ended this transaction because it and another waited for each other."""
    return getattr(error.orig, "sqlstate", None) == "40P01"


def _may_resend(*, always: bool = False) -> ColumnElement[bool]:
    return exists().where(
        col(Campaign.id) == col(Delivery.campaign_id),
        true() if always else col(Campaign.in_doubt_policy) == InDoubtPolicy.resend,
        # A cancelled campaign sends nothing again; its deliveries stay in doubt.
        col(Campaign.state) != CampaignState.cancelled,
    )


def _requeue_refused(connection: Connection, delivery_ids: Collection[int], now: datetime) -> int:
    final = [DeliveryState.rejected, DeliveryState.failed]
    reader = col(Subscriber.id) == col(Delivery.subscriber_id)
    is_bounced = exists().where(reader, col(Subscriber.status) == Status.bounced)
    suspects = (col(Delivery.id).in_(delivery_ids), ~is_bounced)
    return _update_state(connection, final, DeliveryState.queued, *suspects, updated_at=now)


def _update_state(
    connection: Connection,
    sources: Sequence[DeliveryState],
    to: DeliveryState,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> int:
    return connection.execute(make_state_update(sources, to, *conditions, **values)).rowcount

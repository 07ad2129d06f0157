"""The ledger: the one module that moves a delivery.

Every move is an UPDATE that names the state and the owner it expects and whose row count is looked at, so
that two processes that want the same delivery cannot both have it, and one that was taken for dead cannot
send after all.
"""

import contextlib
import random
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, exists, or_, select, true
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, InDoubtPolicy
from mailer.dispatch.claiming import Claim, LostClaimError, read_claims, select_due
from mailer.dispatch.moving import make_move, make_single_move
from mailer.dispatch.replies import Outcome, Stage, Verdict, back_off
from mailer.dispatch.states import move_campaign
from subscribers.models import Subscriber

_RETRY_FOR = timedelta(hours=72)
_IN_HAND = (DeliveryState.claimed, DeliveryState.in_doubt)
_CRASHED = "The dispatcher ended before the server's answer was recorded."


@dataclass(frozen=True, kw_only=True)
class Rescued:
    """What dead dispatchers left behind: ``queued`` were never on the wire or are sent again, ``in_doubt``
    are held.
    """

    queued: int = 0
    in_doubt: int = 0


class Ledger:
    """The deliveries of one campaign, as moved by one dispatcher (``owner``). Safe to share between threads.

    ``retry_for`` is how long a deferred reader is tried again. Each method is one transaction of its own.
    """

    def __init__(
        self,
        engine: Engine,
        campaign_id: int,
        owner: str,
        *,
        clock: Clock = read_clock,
        retry_for: timedelta = _RETRY_FOR,
        random_: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._campaign_id = campaign_id
        self._owner = owner
        self._clock = clock
        self._retry_for = retry_for
        self._random = random_ or random.Random()  # noqa: S311 - spreads retries, guards nothing
        # SQLite has one writer at a time. Threads that queue here wake at once; threads that meet in the
        # database sleep up to 100 ms between looks.
        single = engine.dialect.name == "sqlite"
        self._turn: contextlib.AbstractContextManager[Any] = (
            threading.Lock() if single else contextlib.nullcontext()
        )

    def claim(self, limit: int) -> list[Claim]:
        """Take up to ``limit`` deliveries that are due, the least tried first.

        Readers who have left since the launch are put aside as suppressed. The list is empty when nothing
        is due or the campaign is not sending.
        """
        with self._transaction() as (connection, now):
            self._call_up_deferred(connection, now)
            rows = connection.execute(select_due(self._campaign_id, limit, now)).all()
            self._suppress(connection, [row.delivery_id for row in rows if not row.may_get_mail], now)
            wanted = [row for row in rows if row.may_get_mail]
            claims = read_claims(connection, self._campaign_id, wanted)
            ids = [claim.delivery_id for claim in claims]
            values = {"owner": self._owner, "updated_at": now}
            queued = [DeliveryState.queued]
            taken = _move(connection, queued, DeliveryState.claimed, col(Delivery.id).in_(ids), **values)
            if taken != len(ids):
                raise LostClaimError(ids[0])
        return claims

    def begin(self, claim: Claim) -> bool:
        """Write down, before the first byte of the message leaves, that it may arrive.

        False, and nothing is written, when the campaign is no longer sending, the reader has left, or the
        delivery is no longer ours: then nothing may be sent, and :meth:`decline` puts the delivery where it
        belongs.
        """
        with self._transaction() as (connection, now):
            statement = make_single_move(
                (DeliveryState.claimed,),
                DeliveryState.in_doubt,
                ("updated_at",),
                begins=(self._campaign_id, now.date()),
            )
            whose = {"delivery": claim.delivery_id, "me": self._owner}
            return connection.execute(statement, {**whose, "tried": 1, "new_updated_at": now}).rowcount == 1

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        """Record how a hand-over ended; a verdict of ``stop`` pauses the campaign in the same transaction.

        Raises:
            LostClaimError: the delivery is no longer ours; what is recorded stays.
        """
        with self._transaction() as (connection, now):
            sources, to, values = self._settlement(claim, outcome, now)
            values |= {"owner": None, "updated_at": now}
            statement = make_single_move(tuple(sources), to, tuple(sorted(values)))
            whose = {"delivery": claim.delivery_id, "me": self._owner}
            tried = 0 if outcome.stage is Stage.build else 1
            news = {f"new_{name}": value for name, value in values.items()}
            if connection.execute(statement, {**whose, "tried": tried, **news}).rowcount != 1:
                raise LostClaimError(claim.delivery_id)
            if outcome.verdict is Verdict.stop:
                move_campaign(connection, self._campaign_id, CampaignState.paused, reason=outcome.complaint)

    def give_back(self, claims: Collection[Claim]) -> None:
        """Put deliveries that were not tried back in the queue."""
        if claims:
            with self._transaction() as (connection, now):
                self._give_back(connection, claims, now)

    def reopen(self, delivery_ids: Collection[int], reason: str) -> int:
        """Pause the campaign and take back refusals and failures that were not the readers' fault; how
        many.
        """
        final = [DeliveryState.rejected, DeliveryState.failed]
        with self._transaction() as (connection, now):
            move_campaign(connection, self._campaign_id, CampaignState.paused, reason=reason)
            return _move(
                connection, final, DeliveryState.queued, col(Delivery.id).in_(delivery_ids), updated_at=now
            )

    def rescue(self, dead: Collection[str]) -> Rescued:
        """Take over what dead dispatchers left in hand, of this campaign and of others.

        What was only claimed was never on the wire and goes back in the queue. What had begun may have
        arrived: it is in doubt, and is queued again only where its campaign says ``resend``.
        """
        with self._transaction() as (connection, now):
            values: dict[str, Any] = {"owner": None, "updated_at": now}
            owned = col(Delivery.owner).in_(dead)
            in_doubt = [DeliveryState.in_doubt]
            queued = _move(connection, [DeliveryState.claimed], DeliveryState.queued, owned, **values)
            values |= {"doubted": True, "reason": _CRASHED}
            queued += _move(connection, in_doubt, DeliveryState.queued, owned, _is_resent(), **values)
            held = _move(connection, in_doubt, DeliveryState.in_doubt, owned, **values)
        return Rescued(queued=queued, in_doubt=held)

    def resend_doubted(self, *, always: bool = False) -> int:
        """Queue again what is settled as in doubt, where the campaign says ``resend`` or ``always``."""
        with self._transaction() as (connection, now):
            ours = col(Delivery.campaign_id) == self._campaign_id
            conditions = (ours, col(Delivery.owner).is_(None), _is_resent(always=always))
            in_doubt = [DeliveryState.in_doubt]
            return _move(
                connection, in_doubt, DeliveryState.queued, *conditions, doubted=True, updated_at=now
            )

    def pause(self, reason: str) -> bool:
        """Pause the campaign with a reason for a person; whether it was sending."""
        with self._transaction() as (connection, _):
            return move_campaign(connection, self._campaign_id, CampaignState.paused, reason=reason)

    def finish(self) -> bool:
        """Call the campaign finished if nothing is left to do; whether it was.

        A delivery on the wire counts as left to do: the server may still answer "not now".
        """
        waiting = col(Delivery.state).in_([DeliveryState.queued, DeliveryState.deferred])
        in_hand = col(Delivery.owner).is_not(None)
        is_open = exists().where(col(Delivery.campaign_id) == self._campaign_id, or_(waiting, in_hand))
        with self._transaction() as (connection, now):
            state = CampaignState.finished
            return move_campaign(connection, self._campaign_id, state, ~is_open, finished_at=now)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, datetime]]:
        """A transaction and its time. It is committed, durably, before the caller goes on."""
        with self._turn, self._engine.begin() as connection:
            yield connection, self._clock(connection)

    def _call_up_deferred(self, connection: Connection, now: datetime) -> None:
        ours = col(Delivery.campaign_id) == self._campaign_id
        due = col(Delivery.not_before) <= now
        values = {"not_before": None, "updated_at": now}
        _move(connection, [DeliveryState.deferred], DeliveryState.queued, ours, due, **values)

    def _suppress(self, connection: Connection, ids: Sequence[int], now: datetime) -> None:
        status = select(col(Subscriber.status)).where(col(Subscriber.id) == col(Delivery.subscriber_id))
        values = {"reason": status.scalar_subquery(), "updated_at": now}
        _move(
            connection, [DeliveryState.queued], DeliveryState.suppressed, col(Delivery.id).in_(ids), **values
        )

    def _give_back(self, connection: Connection, claims: Collection[Claim], now: datetime) -> None:
        values = {"owner": None, "updated_at": now}
        _move(connection, [DeliveryState.claimed], DeliveryState.queued, self._is_mine(claims), **values)

    def _is_mine(self, claims: Collection[Claim]) -> ColumnElement[bool]:
        ids = [claim.delivery_id for claim in claims]
        return col(Delivery.id).in_(ids) & (col(Delivery.owner) == self._owner)

    def _settlement(
        self, claim: Claim, outcome: Outcome, now: datetime
    ) -> tuple[Sequence[DeliveryState], DeliveryState, dict[str, Any]]:
        """For an outcome: the states the delivery may be in, the state it goes to, the columns to set."""
        words: dict[str, Any] = {"code": outcome.code, "reason": outcome.words}
        match outcome.verdict:
            case Verdict.sent:
                return [DeliveryState.in_doubt], DeliveryState.sent, words
            case Verdict.in_doubt:
                return [DeliveryState.in_doubt], DeliveryState.in_doubt, words | {"doubted": True}
            case Verdict.rejected:
                return _IN_HAND, DeliveryState.rejected, words
            case Verdict.failed:
                return [DeliveryState.claimed], DeliveryState.failed, words
            case Verdict.deferred:
                return _IN_HAND, *self._deferral(claim, outcome, now)
            case Verdict.give_back | Verdict.stop:
                return _IN_HAND, DeliveryState.queued, {}

    def _deferral(
        self, claim: Claim, outcome: Outcome, now: datetime
    ) -> tuple[DeliveryState, dict[str, Any]]:
        tries = claim.deferrals + 1
        since = claim.deferred_since or now
        values = {"deferrals": tries, "deferred_since": since, "code": outcome.code}
        if now - since >= self._retry_for:
            return DeliveryState.failed, values | {"reason": f"gave up after {tries} tries: {outcome.words}"}
        wait = outcome.retry_after or back_off(claim.deferrals, self._random)
        return DeliveryState.deferred, values | {"reason": outcome.words, "not_before": now + wait}


def _is_resent(*, always: bool = False) -> ColumnElement[bool]:
    return exists().where(
        col(Campaign.id) == col(Delivery.campaign_id),
        true() if always else col(Campaign.in_doubt_policy) == InDoubtPolicy.resend,
        # A cancelled campaign sends nothing again; its doubts stay named.
        col(Campaign.state) != CampaignState.cancelled,
    )


def _move(
    connection: Connection,
    sources: Sequence[DeliveryState],
    to: DeliveryState,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> int:
    """Move the deliveries that are in ``sources`` and meet ``conditions``; how many that were."""
    return connection.execute(make_move(sources, to, *conditions, **values)).rowcount

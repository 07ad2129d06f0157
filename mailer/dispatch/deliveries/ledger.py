"""The ledger: the one module that moves a delivery.

Every move is an UPDATE that names the state and the owner it expects and whose row count is looked at, so
that two processes that want the same delivery cannot both have it, and one that was taken for dead cannot
send after all.
"""

import contextlib
import random
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, exists, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from mailer.database.clock import Clock, Watch, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, InDoubtPolicy
from mailer.dispatch.deliveries.batch_writer import Entry, Group, Written, open_journal
from mailer.dispatch.deliveries.canary import Numbers, read_canary
from mailer.dispatch.deliveries.claims import Claim, LostClaimError, is_in, read_claims, select_due
from mailer.dispatch.deliveries.counts import count_deliveries
from mailer.dispatch.deliveries.transition_updates import make_move
from mailer.dispatch.deliveries.transitions import move_campaign
from mailer.errors import MailerError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, back_off
from subscribers.models import Subscriber

_RETRY_FOR = timedelta(hours=72)
_RECORDING_PAUSES = (0.1, 0.5, 1.0, 2.0)
_CRASHED = "The dispatcher stopped before the server's reply was recorded."


class LedgerUnreachableError(MailerError):
    """The database could not be read or written while sending."""

    def __init__(self, error: Exception) -> None:
        words = str(getattr(error, "orig", None) or error).strip()
        super().__init__(
            f"The database failed while sending: {words}. Sending has stopped. Fix the database, then resume the "
            "campaign. A message whose outcome could not be recorded is then listed as in doubt."
        )


# Made once: to make a statement takes longer than to run it.
_CALL_UP = make_move(
    [DeliveryState.deferred],
    DeliveryState.queued,
    col(Delivery.campaign_id) == bindparam("ours"),
    col(Delivery.not_before) <= bindparam("now"),
    not_before=None,
    updated_at=bindparam("now"),
)
_TAKE = make_move(
    [DeliveryState.queued],
    DeliveryState.claimed,
    col(Delivery.id).in_(bindparam("ids", expanding=True)),
    owner=bindparam("me"),
    updated_at=bindparam("now"),
)


@dataclass(frozen=True, kw_only=True)
class Rescued:
    """What dead dispatchers left behind: ``queued`` were never on the wire or are sent again, ``in_doubt``
    are held.
    """

    queued: int = 0
    in_doubt: int = 0


class Ledger:
    """The deliveries of one campaign, as moved by one dispatcher (``owner``), from one thread.

    ``retry_for`` is how long a deferred reader is tried again, ``halt_at_rejected`` the share of refusals
    among a canary's readers after which only a person lets the rest go. Each method is one transaction
    of its own.
    The owner closes it.
    """

    def __init__(
        self,
        engine: Engine,
        campaign_id: int,
        owner: str,
        *,
        clock: Clock = read_clock,
        retry_for: timedelta = _RETRY_FOR,
        halt_at_rejected: float = 0.1,
        random_: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self.campaign_id = campaign_id
        self._owner = owner
        self._clock = clock
        self._retry_for = retry_for
        self._canary_share: float | None = halt_at_rejected
        self._random = random_ or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._watch = Watch(engine, clock)
        self._journal = open_journal(engine, campaign_id, owner)
        self._due = select_due(campaign_id)

    def tell_time(self) -> datetime:
        """The database's time."""
        return self._watch()

    def close(self) -> None:
        """Give back the connection it writes through."""
        self._journal.close()

    def claim(self, limit: int) -> list[Claim]:
        """Take up to ``limit`` deliveries that are due, the least tried first.

        Readers who have left since the launch are put aside as suppressed. The list is empty when nothing
        is due or the campaign is not sending.
        """
        with self._transaction() as (connection, now):
            self._call_up_deferred(connection, now)
            limit = self._hold_back(connection, limit, now)
            rows = connection.execute(self._due, {"today": now.date(), "most": limit}).all()
            if unwanted := [row.delivery_id for row in rows if not row.may_get_mail]:
                self._suppress(connection, unwanted, now)
            claims = read_claims(self.campaign_id, (row for row in rows if row.may_get_mail))
            ids = [claim.delivery_id for claim in claims]
            taking = {"ids": ids, "me": self._owner, "now": now}
            if ids and connection.execute(_TAKE, taking).rowcount != len(ids):
                raise LostClaimError(ids[0])
        return claims

    def record(self, group: Group) -> Written:
        """Write down, in one durable transaction, how deliveries ended and which are about to begin.

        A delivery that is not among those written as ``begun`` must not be sent: the campaign is no longer
        sending, the reader has left, or the delivery is no longer ours. A database that is busy or restarting
        is waited for, because an outcome that is known and forgotten would be a doubt.

        Raises:
            LedgerUnreachableError: the database failed; what of the group is on record is not known.
        """
        for turn, pause in enumerate((*_RECORDING_PAUSES, None)):
            try:
                written = self._journal.write(group, self._watch(), again=turn > 0)
                # Written again, what the first time has written is found to be no longer ours.
                return written if turn == 0 else Written(begun=written.begun)
            except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error) as error:
                if pause is None or not _may_pass(error):
                    raise LedgerUnreachableError(error) from error
                time.sleep(pause)
        raise AssertionError  # the last turn raises

    def make_group(
        self,
        ends: Sequence[tuple[Claim, Outcome]],
        *,
        begins: Sequence[int] = (),
        returns: Sequence[Entry] = (),
    ) -> Group:
        """What to record of hand-overs that ended, with the deliveries that begin and those that go back."""
        sent, others = [], list(returns)
        for claim, outcome in ends:
            if outcome.verdict is Verdict.sent:
                sent.append((claim.delivery_id, outcome.code, outcome.words))
            else:
                others.append(self._make_entry(claim, outcome))
        return Group(sent=sent, ends=others, begins=begins)

    def _make_entry(self, claim: Claim, outcome: Outcome) -> Entry:
        words = (("code", outcome.code), ("reason", outcome.words))
        match outcome.verdict:
            case Verdict.in_doubt:
                return Entry(claim.delivery_id, DeliveryState.in_doubt, False, (*words, ("doubted", True)))
            case Verdict.rejected:
                return Entry(claim.delivery_id, DeliveryState.rejected, True, words)
            case Verdict.failed:
                return Entry(claim.delivery_id, DeliveryState.failed, outcome.stage is not Stage.build, words)
            case Verdict.deferred:
                return self._defer(claim, outcome)
            case Verdict.give_back | Verdict.stop:
                return Entry(claim.delivery_id, DeliveryState.queued, outcome.is_attempt)
            case Verdict.sent:
                raise AssertionError("what was sent has no entry of its own")

    def put_off(self, claims: Sequence[tuple[Claim, datetime]], reason: str) -> None:
        """Leave claimed deliveries until a time, each its own, without counting it as a try."""
        ends = [
            Entry(claim.delivery_id, DeliveryState.deferred, False, (("not_before", at), ("reason", reason)))
            for claim, at in claims
        ]
        self.record(Group(ends=ends))

    def reopen(self, delivery_ids: Collection[int], reason: str) -> int:
        """Pause the campaign and take back refusals and failures that were not the readers' fault; how
        many.
        """
        final = [DeliveryState.rejected, DeliveryState.failed]
        with self._transaction() as (connection, now):
            move_campaign(connection, self.campaign_id, CampaignState.paused, reason=reason)
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
            ours = col(Delivery.campaign_id) == self.campaign_id
            conditions = (ours, col(Delivery.owner).is_(None), _is_resent(always=always))
            in_doubt = [DeliveryState.in_doubt]
            return _move(
                connection, in_doubt, DeliveryState.queued, *conditions, doubted=True, updated_at=now
            )

    def end_canary(self) -> str:
        """Pause the campaign if its canary is complete; the reason, empty if there is none to pause for."""
        if self._canary_share is None:
            return ""
        with self._transaction() as (connection, now):
            canary = read_canary(self._lock_campaign(connection), halt_at_rejected=self._canary_share)
            if canary is None or canary.is_over(now):
                return ""
            numbers = self._read_numbers(connection)
            if not canary.is_complete(numbers):
                return ""
            until = canary.ends_at(numbers, now)
            reason = canary.explain(numbers, until, now)
            paused = CampaignState.paused
            moved = move_campaign(connection, self.campaign_id, paused, reason=reason, canary_until=until)
            return reason if moved else ""

    def pause(self, reason: str) -> bool:
        """Pause the campaign with a reason for a person; whether it was sending."""
        with self._transaction() as (connection, _):
            return move_campaign(connection, self.campaign_id, CampaignState.paused, reason=reason)

    def finish(self) -> bool:
        """Call the campaign finished if nothing is left to do; whether it was.

        A delivery on the wire counts as left to do: the server may still answer "not now".
        """
        ours = col(Delivery.campaign_id) == self.campaign_id
        left = (is_in(DeliveryState.queued), is_in(DeliveryState.deferred), col(Delivery.owner).is_not(None))
        is_open = or_(*(exists().where(ours, each) for each in left))
        with self._transaction() as (connection, now):
            state = CampaignState.finished
            return move_campaign(connection, self.campaign_id, state, ~is_open, finished_at=now)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, datetime]]:
        """A transaction and its time. It is committed, durably, before the caller goes on."""
        with self._engine.begin() as connection:
            yield connection, self._clock(connection)

    def _hold_back(self, connection: Connection, limit: int, now: datetime) -> int:
        """``limit``, or what the canary still allows of it."""
        if self._canary_share is None:
            return limit
        campaign = self._lock_campaign(connection)
        canary = read_canary(campaign, halt_at_rejected=self._canary_share)
        if canary is None or canary.is_over(now):
            # It cannot come back: a canary is chosen at the launch.
            self._canary_share = None
            return limit
        allowance = canary.allowance(self._read_numbers(connection), now)
        return limit if allowance is None else min(limit, allowance)

    def _lock_campaign(self, connection: Connection) -> Campaign:
        """The campaign's row, for this transaction alone: two that claim at once must not both fill up."""
        statement = select(Campaign).where(col(Campaign.id) == self.campaign_id).with_for_update()
        row = connection.execute(statement).one()
        return Campaign(**row._mapping)

    def _read_numbers(self, connection: Connection) -> Numbers:
        held = (col(Delivery.campaign_id) == self.campaign_id, col(Delivery.owner).is_not(None))
        by_state = select(col(Delivery.state), func.count()).where(*held).group_by(col(Delivery.state))
        in_hand: dict[DeliveryState, int] = {row[0]: row[1] for row in connection.execute(by_state)}
        return Numbers(
            counts=count_deliveries(connection, self.campaign_id),
            claimed=in_hand.get(DeliveryState.claimed, 0),
            on_wire=in_hand.get(DeliveryState.in_doubt, 0),
        )

    def _call_up_deferred(self, connection: Connection, now: datetime) -> None:
        connection.execute(_CALL_UP, {"ours": self.campaign_id, "now": now})

    def _suppress(self, connection: Connection, ids: Sequence[int], now: datetime) -> None:
        status = select(col(Subscriber.status)).where(col(Subscriber.id) == col(Delivery.subscriber_id))
        values = {"reason": status.scalar_subquery(), "updated_at": now}
        _move(
            connection, [DeliveryState.queued], DeliveryState.suppressed, col(Delivery.id).in_(ids), **values
        )

    def _defer(self, claim: Claim, outcome: Outcome) -> Entry:
        now, tries = self._watch(), claim.deferrals + 1
        since = claim.deferred_since or now
        values = [("deferrals", tries), ("deferred_since", since), ("code", outcome.code)]
        if now - since >= self._retry_for:
            reason = f"gave up after {tries} attempts: {outcome.words}"
            return Entry(claim.delivery_id, DeliveryState.failed, True, (*values, ("reason", reason)))
        wait = outcome.retry_after or back_off(claim.deferrals, self._random)
        values += [("reason", outcome.words), ("not_before", now + wait)]
        return Entry(claim.delivery_id, DeliveryState.deferred, True, tuple(values))


def _may_pass(error: Exception) -> bool:
    """Whether waiting can help: a constraint that does not hold never will."""
    return not isinstance(error, sqlite3.IntegrityError)


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

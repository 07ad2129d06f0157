"""Launches asked for in Studio: asked for, confirmed by a second person, undone.

Nothing is launched here. A row says what is to be launched, and whoever runs a worker starts it once its
time has come (:mod:`mailer.campaigns.due_launches`), so it makes no difference whether the browser is still
there, or whether the server was killed meanwhile. All times are the database's.
"""

import json
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, update
from sqlmodel import Session, col, select

from locales.phrase import gettext_noop
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.campaigns.launch_options import LaunchOptions
from mailer.campaigns.lifecycle import CampaignStateError, find_campaign
from mailer.database.launch_models import PendingLaunchRecord, PendingLaunchState
from mailer.database.models import Campaign, CampaignState, InDoubtPolicy
from mailer.errors import MailerError

UNDO_FOR = timedelta(seconds=10)
"""How long a launch waits for somebody to undo it."""

CONFIRM_WITHIN = timedelta(hours=1)
"""How long a launch waits for a second person."""

START_WITHIN = timedelta(minutes=10)
"""How long after its time a launch may start. Who comes back in the morning must not find that a server which
was down has sent in the night what they asked for the day before."""

LAUNCHABLE_STATES = (CampaignState.draft, CampaignState.tested, CampaignState.approved)
"""The states of a campaign that a launch can be asked on."""

_ACTIVE_STATES = (PendingLaunchState.unconfirmed, PendingLaunchState.waiting)
_NO_SECOND = gettext_noop("Nobody confirmed it within an hour.")
_NO_WORKER = gettext_noop("No program was sending when its time had come, nor in the ten minutes after it.")
_OPTIONS = tuple(one.name for one in fields(LaunchOptions))


class PendingLaunchError(MailerError):
    """A launch cannot be asked for, confirmed or undone in this way. Nothing has changed."""


class OtherLaunchError(PendingLaunchError):
    """A launch of this edition to this segment waits already. ``number`` and ``campaign_id`` are its own."""

    def __init__(self, other: "PendingLaunch") -> None:
        self.number = other.number
        self.campaign_id = other.campaign_id
        super().__init__("A launch of this edition to this segment was asked for already, and waits.")


class SamePersonError(PendingLaunchError):
    """Another person has to confirm the launch than the one who asked for it."""


class OtherCountError(PendingLaunchError):
    """The number of readers that was typed is not ``count``, which the launch is for."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__("The launch is for another number of readers.")


@dataclass(frozen=True, kw_only=True)
class LaunchRequest:
    """A launch that a person asks for: the draft ``campaign_id``, as it was shown. ``count`` is the number of
    readers that they typed, ``digest`` that of the plan; ``scheduled_at`` is aware, None for now."""

    campaign_id: int
    edition: str
    segment: str
    again: bool
    counts_clicks: bool
    options: LaunchOptions
    digest: str
    count: int
    scheduled_at: datetime | None = None
    preparation_version: int | None = None

    def describe(self) -> str:
        """Return what the log says of it: "1,200 partners, country:MN"."""
        at = f", at {self.scheduled_at:%Y-%m-%d %H:%M} UTC" if self.scheduled_at else ""
        return f"{self.count:,} partners, {self.segment}{at}"


_ASKED = tuple(one.name for one in fields(LaunchRequest) if one.name != "options")
"""What a row has as it was asked for; the options are JSON in it."""


@dataclass(frozen=True, kw_only=True)
class PendingLaunch:
    """A launch that was asked for, and what has become of it; members by their numbers."""

    number: int
    state: PendingLaunchState
    request: LaunchRequest
    asked_by: int
    asked_at: datetime
    confirmed_by: int | None
    due_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None
    launched_id: int | None
    found_count: int | None
    reason: str

    @property
    def campaign_id(self) -> int:
        return self.launched_id or self.request.campaign_id

    @property
    def is_active(self) -> bool:
        """Whether it may still start."""
        return self.state in _ACTIVE_STATES

    def seconds_left(self, now: datetime) -> int:
        """For how many more seconds it can be undone, rounded up; 0 once it may start."""
        return 0 if self.due_at is None else max(0, -int(-(self.due_at - now).total_seconds() // 1))


def ask_launch(
    session: Session, request: LaunchRequest, *, member_id: int, needs_second: bool, now: datetime
) -> PendingLaunch:
    """Ask for a launch, which starts by itself after :data:`UNDO_FOR`; with ``needs_second``, after another
    person has confirmed it. The same request again, by a second click, is the same launch. The caller
    commits.

    Raise CampaignStateError if the campaign was launched, scheduled or cancelled meanwhile, and
    OtherLaunchError if another launch of this edition to this segment waits.
    """
    # A preparation has options too, and more that is no part of a launch.
    options = json.dumps({name: getattr(request.options, name) for name in _OPTIONS})
    request = replace(request, options=_read_options(options))
    connection = session.connection()
    acquire_launch_lock(connection, request.edition)
    campaign = find_campaign(session, request.campaign_id)
    if campaign.state not in LAUNCHABLE_STATES:
        raise CampaignStateError(request.campaign_id, "launched", campaign.state)
    expire_launches(connection, now)
    waiting = _find_active(session, request.edition, request.segment)
    if waiting is not None:
        if waiting.asked_by == member_id and waiting.request == request:
            return waiting
        raise OtherLaunchError(waiting)
    due = None if needs_second else now + UNDO_FOR
    row = PendingLaunchRecord(
        **{name: getattr(request, name) for name in _ASKED},
        options=options,
        state=PendingLaunchState.unconfirmed if needs_second else PendingLaunchState.waiting,
        asked_by=member_id,
        asked_at=now,
        due_at=due,
        expires_at=now + CONFIRM_WITHIN if due is None else due + START_WITHIN,
    )
    session.add(row)
    session.flush()
    return _read(row)


def confirm_launch(
    session: Session, number: int, *, count: int, member_id: int, now: datetime
) -> PendingLaunch:
    """Confirm a launch as the second person; it then starts after :data:`UNDO_FOR`. The caller commits.

    Raises:
        PendingLaunchError: it no longer waits for that.
        SamePersonError: ``member_id`` has asked for it.
        OtherCountError: ``count`` is not the number that it was asked for with.
    """
    found = read_pending_launch(session, number)
    if found is None or not found.is_active or found.expires_at <= now:
        raise PendingLaunchError("This launch does not wait for anybody any more.")
    if found.state is PendingLaunchState.waiting and found.confirmed_by == member_id:
        return found
    if found.asked_by == member_id:
        raise SamePersonError("The person who asks for a launch cannot confirm it. Ask another one.")
    if found.request.count != count:
        raise OtherCountError(found.request.count)
    due = now + UNDO_FOR
    values = {
        "state": PendingLaunchState.waiting,
        "confirmed_by": member_id,
        "due_at": due,
        "expires_at": due + START_WITHIN,
    }
    waits = col(PendingLaunchRecord.state) == PendingLaunchState.unconfirmed
    if not _change(session.connection(), number, waits, **values):
        raise PendingLaunchError("This launch does not wait for anybody any more.")
    return require_pending_launch(session, number)


def undo_launch(session: Session, number: int, *, now: datetime) -> bool:
    """Undo a launch; return whether it had not begun. The caller commits."""
    values = {"state": PendingLaunchState.undone, "ended_at": now}
    return _change(session.connection(), number, _is_active(), **values)


def expire_launches(connection: Connection, now: datetime) -> None:
    """End the launches that nobody confirmed, or no program started, in time. The caller commits."""
    for state, reason in (
        (PendingLaunchState.unconfirmed, _NO_SECOND),
        (PendingLaunchState.waiting, _NO_WORKER),
    ):
        over = (col(PendingLaunchRecord.state) == state, col(PendingLaunchRecord.expires_at) <= now)
        values = {"state": PendingLaunchState.expired, "reason": reason, "ended_at": now}
        connection.execute(update(PendingLaunchRecord).where(*over).values(values))


def find_pending_launch(session: Session, campaign_id: int, *, now: datetime) -> PendingLaunch | None:
    """Return the last launch that was asked for on a campaign, or that launched it. One that is past its time
    is given as expired, though its row may not say so yet."""
    own = or_(
        col(PendingLaunchRecord.campaign_id) == campaign_id,
        col(PendingLaunchRecord.launched_id) == campaign_id,
    )
    row = session.exec(
        select(PendingLaunchRecord).where(own).order_by(col(PendingLaunchRecord.id).desc()).limit(1)
    ).first()
    return None if row is None else _read(row, now)


def list_unconfirmed(session: Session, *, now: datetime) -> list[PendingLaunch]:
    waits = (
        col(PendingLaunchRecord.state) == PendingLaunchState.unconfirmed,
        col(PendingLaunchRecord.expires_at) > now,
    )
    rows = session.exec(select(PendingLaunchRecord).where(*waits).order_by(col(PendingLaunchRecord.id))).all()
    return [_read(row) for row in rows]


def list_not_started(session: Session, *, since: datetime, now: datetime) -> list[PendingLaunch]:
    """Return the launches asked for ``since`` then that did not start although nobody undid them, as long as
    nobody has launched or cancelled their campaigns, or asked again; the newest first."""
    newest = select(func.max(col(PendingLaunchRecord.id))).group_by(col(PendingLaunchRecord.campaign_id))
    ended = (PendingLaunchState.refused, PendingLaunchState.expired)
    is_over = or_(
        col(PendingLaunchRecord.state).in_(ended),
        and_(_is_active(), col(PendingLaunchRecord.expires_at) <= now),
    )
    rows = session.exec(
        select(PendingLaunchRecord)
        .join(Campaign, col(Campaign.id) == col(PendingLaunchRecord.campaign_id))
        .where(col(PendingLaunchRecord.id).in_(newest), col(PendingLaunchRecord.asked_at) >= since, is_over)
        .where(col(Campaign.state).in_(LAUNCHABLE_STATES))
        .order_by(col(PendingLaunchRecord.id).desc())
    ).all()
    return [_read(row, now) for row in rows]


def read_pending_launch(session: Session, number: int) -> PendingLaunch | None:
    row = session.get(PendingLaunchRecord, number, populate_existing=True)
    return None if row is None else _read(row)


def require_pending_launch(session: Session, number: int) -> PendingLaunch:
    found = read_pending_launch(session, number)
    if found is None:
        raise PendingLaunchError(f"There is no launch {number}.")
    return found


_KEPT = (
    *("asked_by", "asked_at", "confirmed_by", "due_at", "expires_at", "ended_at"),
    *("launched_id", "found_count"),
)
"""What a launch has of its row as it is."""


def _find_active(session: Session, edition: str, segment: str) -> PendingLaunch | None:
    own = (col(PendingLaunchRecord.edition) == edition, col(PendingLaunchRecord.segment) == segment)
    row = session.exec(select(PendingLaunchRecord).where(*own, _is_active())).first()
    return None if row is None else _read(row)


def _is_active() -> ColumnElement[bool]:
    return col(PendingLaunchRecord.state).in_(_ACTIVE_STATES)


def _change(connection: Connection, number: int, condition: ColumnElement[bool], **values: Any) -> bool:
    changed = update(PendingLaunchRecord).where(col(PendingLaunchRecord.id) == number, condition)
    return connection.execute(changed.values(values)).rowcount == 1


def _read_options(text: str) -> LaunchOptions:
    values = json.loads(text)
    policy = values["in_doubt"]
    return LaunchOptions(**{**values, "in_doubt": policy and InDoubtPolicy(policy)})


def _read(row: PendingLaunchRecord, now: datetime | None = None) -> PendingLaunch:
    state, reason = row.state, row.reason
    if now is not None and state in _ACTIVE_STATES and row.expires_at <= now:
        reason = _NO_SECOND if state is PendingLaunchState.unconfirmed else _NO_WORKER
        state = PendingLaunchState.expired
    return PendingLaunch(
        number=row.id or 0,
        state=state,
        request=LaunchRequest(
            **{name: getattr(row, name) for name in _ASKED}, options=_read_options(row.options)
        ),
        reason=reason,
        **{name: getattr(row, name) for name in _KEPT},
    )

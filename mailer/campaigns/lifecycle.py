"""Change a campaign's state: pause, resume, cancel, or let it start at another time.

One table lists the transitions that are allowed. Every operation is idempotent; one that is not allowed is
refused with a reason. The caller commits.

Of a campaign that starts at another time nothing else changes. Its content stays frozen, and an approval
counts as before: it is for what is sent and to whom, and not for when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.schedule import ScheduleError
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.errors import MailerError
from mailer.settings import CampaignSettings
from mailer.utc import format_utc


class UnknownCampaignError(MailerError):
    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        super().__init__(
            f"There is no campaign {campaign_id}. List the campaigns with `mailer campaigns list`."
        )


class CorrectionInArchiveError(MailerError):
    """A correction cannot be put in the archive as if it were an edition."""

    def __init__(self, campaign_id: int) -> None:
        super().__init__(
            f"Campaign {campaign_id} sends a correction. The archive shows it with the edition it corrects, "
            "so there is nothing to do."
        )


class CampaignStateError(MailerError):
    def __init__(self, campaign_id: int, verb: str, state: CampaignState, hint: str = "") -> None:
        self.campaign_id = campaign_id
        self.state = state
        super().__init__(
            f"Campaign {campaign_id} is {state.value} and cannot be {verb}.{hint and f' {hint}'}"
        )


def pause_campaign(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Pause a campaign: messages being sent are finished, no others are started. One that would resume by
    itself after its canary no longer does. Raise CampaignStateError if it is not sending."""
    campaign = find_campaign(session, campaign_id)
    words = Phrase("Paused by hand, %(time)s.", time=format_utc(now))
    if campaign.state is not CampaignState.paused:
        _change_state(session, campaign, CampaignState.paused, "paused", reason=words, canary_until=None)
    elif campaign.canary_until is not None:
        _update_in_state(session, campaign, CampaignState.paused, state_reason=words, canary_until=None)


def resume_campaign(
    session: Session,
    campaign_id: int,
    *,
    now: datetime,
) -> None:
    """Resume a campaign and send to all remaining readers; a canary is over. The commit wakes the workers.

    A finished campaign resumes if deliveries in doubt were put back in the queue. If some are still in doubt
    and none is queued, nothing changes, so that they can be resent. Raise CampaignStateError if it was never
    launched, is cancelled, or has nothing left to do.
    """
    campaign = find_campaign(session, campaign_id)
    match campaign.state:
        case CampaignState.sending:
            return
        case CampaignState.finished if _has_queued(session, campaign_id):
            # Deliveries in doubt that a person or a relay's log has put back in the queue.
            audience = campaign.audience
            _change_state(session, campaign, CampaignState.sending, "resumed", finished_at=None)
            enqueue_jobs(session.connection(), campaign_id, audience)
        case CampaignState.finished if count_in_doubt(session, campaign_id):
            return
        case CampaignState.finished:
            raise CampaignStateError(campaign_id, "resumed", campaign.state, "There is nothing left to send.")
        case CampaignState.paused:
            audience = campaign.audience
            _change_state(session, campaign, CampaignState.sending, "resumed", canary=None, canary_until=None)
            enqueue_jobs(session.connection(), campaign_id, audience)
        case CampaignState.scheduled:
            hint = f"`mailer work` starts it at {format_utc(campaign.scheduled_at or now)}."
            raise CampaignStateError(campaign_id, "resumed", campaign.state, hint)
        case _:
            raise CampaignStateError(campaign_id, "resumed", campaign.state)


def reopen_for_doubts(session: Session, campaign_id: int) -> bool:
    """Set a finished campaign that has deliveries in doubt to sending again; return whether it was one."""
    if not count_in_doubt(session, campaign_id):
        return False
    finished = col(Campaign.state) == CampaignState.finished
    return change_campaign_state(
        session.connection(), campaign_id, CampaignState.sending, finished, finished_at=None
    )


def cancel_campaign(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Cancel a campaign for good. Messages not yet sent are never sent. Raise CampaignStateError if it is
    finished."""
    campaign = find_campaign(session, campaign_id)
    if campaign.state is not CampaignState.cancelled:
        words = Phrase("Cancelled by hand, %(time)s.", time=format_utc(now))
        _change_state(session, campaign, CampaignState.cancelled, "cancelled", reason=words, finished_at=now)


def set_archived(session: Session, campaign_id: int, *, archived: bool) -> None:
    """Add the edition of a campaign to the public archive, or remove it. The caller commits. Raise
    CorrectionInArchiveError if it sends a correction."""
    campaign = find_campaign(session, campaign_id)
    if archived and SEPARATOR in campaign.edition:
        raise CorrectionInArchiveError(campaign_id)
    campaign.archived = archived
    session.add(campaign)


def find_campaign(session: Session, campaign_id: int) -> Campaign:
    """Return the campaign with this id, read from the database again, or raise UnknownCampaignError."""
    campaign = session.get(Campaign, campaign_id, populate_existing=True)
    if campaign is None:
        raise UnknownCampaignError(campaign_id)
    return campaign


def find_last_launched(session: Session) -> Campaign | None:
    """Return the newest campaign that was launched, apart from corrections."""
    return _find_last(session, col(Campaign.launched_at).is_not(None))


def find_last_finished(session: Session, campaign: Campaign) -> Campaign | None:
    """Return the newest campaign that was sent to its end, apart from ``campaign`` and from corrections:
    nothing is compared with one, nor one with them, for it goes to those who were sent a story."""
    if SEPARATOR in campaign.edition:
        return None
    return _find_last(session, col(Campaign.state) == CampaignState.finished, col(Campaign.id) != campaign.id)


def _find_last(session: Session, *conditions: ColumnElement[bool]) -> Campaign | None:
    found = select(Campaign).where(col(Campaign.edition).not_like(f"%{SEPARATOR}%"), *conditions)
    return session.exec(found.order_by(col(Campaign.id).desc()).limit(1)).first()


def list_correcting_campaigns(session: Session, edition: str, *, limit: int) -> Sequence[Campaign]:
    """Return the campaigns that correct ``edition``, the newest first."""
    own = col(Campaign.edition).startswith(f"{edition}{SEPARATOR}", autoescape=True)
    return session.exec(select(Campaign).where(own).order_by(col(Campaign.id).desc()).limit(limit)).all()


def count_in_doubt(session: Session, campaign_id: int) -> int:
    in_doubt = col(Delivery.state) == DeliveryState.in_doubt
    counted = (
        select(func.count()).select_from(Delivery).where(col(Delivery.campaign_id) == campaign_id, in_doubt)
    )
    return session.exec(counted).one()


def _has_queued(session: Session, campaign_id: int) -> bool:
    queued = col(Delivery.state) == DeliveryState.queued
    first = select(Delivery.id).where(col(Delivery.campaign_id) == campaign_id, queued).limit(1)
    return session.exec(first).first() is not None


def _change_state(
    session: Session,
    campaign: Campaign,
    to: CampaignState,
    verb: str,
    *,
    reason: str = "",
    **values: object,
) -> None:
    assert campaign.id is not None  # noqa: S101 - it came from the database
    if not change_campaign_state(session.connection(), campaign.id, to, reason=reason, **values):
        raise CampaignStateError(campaign.id, verb, campaign.state)
    session.expire(campaign)


def _update_in_state(session: Session, campaign: Campaign, state: CampaignState, **values: object) -> bool:
    """Update a campaign that stays in ``state``; return whether it was still in that state."""
    assert campaign.id is not None  # noqa: S101 - it came from the database
    changed = update(Campaign).where(col(Campaign.id) == campaign.id, col(Campaign.state) == state)
    done = session.connection().execute(changed.values(values)).rowcount == 1
    session.expire(campaign)
    return done


class OtherStartError(MailerError):
    """Somebody else has chosen another time meanwhile. ``at`` is that time (UTC)."""

    def __init__(self, campaign_id: int, at: datetime) -> None:
        self.at = at
        super().__init__(
            gettext_noop(
                "Campaign %(campaign_id)s starts at %(time)s meanwhile: somebody else has moved "
                "it. Nothing was changed. If it is still to start at your time, choose that "
                "again."
            )
            % {"campaign_id": campaign_id, "time": format_utc(at)}
        )


class EarlierStartError(MailerError):
    """It was to start earlier than two people have agreed."""

    def __init__(self, campaign_id: int, at: datetime) -> None:
        super().__init__(
            gettext_noop(
                "Campaign %(campaign_id)s starts at %(time)s. Two people launch a campaign here "
                '([campaigns] launch_by = "two"), so one alone can only put it off. Choose a '
                "later time, or cancel it and let two people launch it again."
            )
            % {"campaign_id": campaign_id, "time": format_utc(at)}
        )


@dataclass(frozen=True, kw_only=True)
class Rescheduled:
    """A campaign that was to start at ``before`` and starts ``at`` (UTC)."""

    before: datetime
    at: datetime

    @property
    def is_moved(self) -> bool:
        return self.before != self.at

    def __str__(self) -> str:
        return f"from {format_utc(self.before)} to {format_utc(self.at)}"


def reschedule_campaign(
    session: Session,
    campaign_id: int,
    *,
    at: datetime,
    settings: CampaignSettings,
    now: datetime,
    seen: datetime | None = None,
) -> Rescheduled:
    """Let a scheduled campaign start ``at`` an aware time. ``now`` is that of the database's clock, ``seen``
    the time from which a person has changed it. The caller commits.

    Raises:
        CampaignStateError: it is not scheduled, or not any more.
        ScheduleError: ``at`` has passed.
        OtherStartError: it does not start at the time that was ``seen``.
        EarlierStartError: two people launch campaigns, and ``at`` is earlier than they have agreed.
    """
    campaign = find_campaign(session, campaign_id)
    before, at = campaign.scheduled_at, at.astimezone(UTC)
    if campaign.state is not CampaignState.scheduled or before is None:
        raise CampaignStateError(campaign_id, "moved to another time", campaign.state)
    if seen is not None and seen != before:
        raise OtherStartError(campaign_id, before)
    if at <= now:
        raise ScheduleError(
            gettext_noop(
                "%(time)s is in the past: by the database's clock it is %(now)s. Choose a later time."
            )
            % {"time": format_utc(at, seconds=True), "now": format_utc(now, seconds=True)}
        )
    if settings.launch_by == "two" and at < before:
        raise EarlierStartError(campaign_id, before)
    as_read = (
        *(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.scheduled),
        col(Campaign.scheduled_at) == before,
    )
    moved = session.connection().execute(update(Campaign).where(*as_read).values(scheduled_at=at))
    if moved.rowcount != 1:
        found = find_campaign(session, campaign_id)
        if found.state is CampaignState.scheduled and found.scheduled_at is not None:
            raise OtherStartError(campaign_id, found.scheduled_at)
        raise CampaignStateError(campaign_id, "moved to another time", found.state)
    session.expire(campaign)
    return Rescheduled(before=before, at=at)

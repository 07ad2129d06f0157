"""Change a campaign's state: pause, resume, cancel.

One table lists the transitions that are allowed. Every operation is idempotent; one that is not allowed is
refused with a reason. The caller commits.
"""

from datetime import datetime

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.correction_record import SEPARATOR
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import change_campaign_state
from mailer.dispatch.job_queue import enqueue_jobs
from mailer.errors import MailerError
from mailer.utc import format_utc


class UnknownCampaignError(MailerError):
    """There is no campaign with this id."""

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
    """The campaign's state does not allow this change."""

    def __init__(self, campaign_id: int, verb: str, state: CampaignState, hint: str = "") -> None:
        self.campaign_id = campaign_id
        self.state = state
        super().__init__(
            f"Campaign {campaign_id} is {state.value} and cannot be {verb}.{hint and f' {hint}'}"
        )


def pause_campaign(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Pause a campaign: messages being sent are finished, no others are started.

    A campaign that would resume by itself after its canary no longer does.

    Raises:
        UnknownCampaignError: there is no such campaign.
        CampaignStateError: it is not sending.
    """
    campaign = find_campaign(session, campaign_id)
    words = Phrase(gettext_noop("Paused by hand, %(time)s."), time=format_utc(now))
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
    and none is queued, nothing changes, so that they can be resent.

    Raises:
        UnknownCampaignError: there is no such campaign.
        CampaignStateError: it was never launched, is cancelled, or has nothing left to do.
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
    """Cancel a campaign for good. Messages not yet sent are never sent.

    Raises:
        UnknownCampaignError: there is no such campaign.
        CampaignStateError: it is finished.
    """
    campaign = find_campaign(session, campaign_id)
    if campaign.state is not CampaignState.cancelled:
        words = Phrase(gettext_noop("Cancelled by hand, %(time)s."), time=format_utc(now))
        _change_state(session, campaign, CampaignState.cancelled, "cancelled", reason=words, finished_at=now)


def set_archived(session: Session, campaign_id: int, *, archived: bool) -> None:
    """Add the edition of a campaign to the public archive, or remove it. The caller commits.

    Raises:
        UnknownCampaignError: there is no such campaign.
        CorrectionInArchiveError: it sends a correction.
    """
    campaign = find_campaign(session, campaign_id)
    if archived and SEPARATOR in campaign.edition:
        raise CorrectionInArchiveError(campaign_id)
    campaign.archived = archived
    session.add(campaign)


def find_campaign(session: Session, campaign_id: int) -> Campaign:
    """The campaign with this id, read from the database again.

    Raises:
        UnknownCampaignError: there is no such campaign.
    """
    campaign = session.get(Campaign, campaign_id, populate_existing=True)
    if campaign is None:
        raise UnknownCampaignError(campaign_id)
    return campaign


def count_in_doubt(session: Session, campaign_id: int) -> int:
    """Count the deliveries of a campaign that are in doubt."""
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

"""Let a scheduled campaign start at another time.

Nothing else of it changes. Its content stays frozen, and an approval counts as before: it is for what is sent
and to whom, and not for when. Like a start, this is a conditional update, so a campaign that has just started
is left alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import update
from sqlmodel import Session, col

from locales.phrase import gettext_noop
from mailer.campaigns.lifecycle import CampaignStateError, find_campaign
from mailer.campaigns.schedule import ScheduleError
from mailer.database.models import Campaign, CampaignState
from mailer.errors import MailerError
from mailer.settings import CampaignSettings
from mailer.utc import format_utc


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
        UnknownCampaignError: there is no such campaign.
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

"""Telling whoever launched a campaign by mail, once, that it has halted and waits for a person."""

from datetime import datetime, timedelta

from sqlmodel import Session, col

from mailer.activity.log import find_launching_member
from mailer.database.launch_models import HaltMail
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun
from mailer.i18n import gettext_noop
from mailer.selfservice.transactional_mails import MailText, WaitingLetter, quote_words
from mailer.team.members import find_member

_KEPT = timedelta(days=3)

_HALTED = MailText(
    subject=gettext_noop("Sending has stopped"),
    body=gettext_noop("“%(title)s” is paused and waits for you. %(words)s"),
    button=gettext_noop("See what to do"),
    after=gettext_noop("You get this email because you launched it. It is sent once each time it stops."),
)


def _describe(run: QueueRun, session: Session, mail: HaltMail, now: datetime) -> WaitingLetter | None:
    campaign = session.get(Campaign, mail.campaign_id)
    if campaign is None or campaign.state is not CampaignState.paused or campaign.paused_at is None:
        return None
    if now - campaign.paused_at > _KEPT:
        return None
    member = find_member(session, find_launching_member(session, campaign.edition, mail.campaign_id) or 0)
    if member is None:
        # Whoever launched it at a terminal sees there that it has halted.
        return None
    return WaitingLetter(
        text=_HALTED,
        kind="studio-halt",
        email=member.email,
        url=f"{run.studio}/campaigns/{mail.campaign_id}/live",
        languages=(member.language,),
        requested_at=campaign.paused_at,
        values={"title": campaign.title, "words": quote_words(campaign.state_reason)},
    )


HALT_MAILS = MailKind(
    table=HaltMail,
    number=col(HaltMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=1)
    ),
    describe=_describe,
)

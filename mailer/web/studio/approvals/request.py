"""Asking for the approval of a campaign, as it is now."""

from collections.abc import Sequence

from sqlmodel import Session
from starlette.responses import Response

from locales.phrase import Phrase
from mailer.activity import deeds
from mailer.campaigns.approvals.answers import queue_asked
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import WantedStep
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.named_plan import NoSegmentError, plan_prepared_campaign
from mailer.campaigns.plan import Plan, plan_campaign
from mailer.database.models import CampaignState
from mailer.errors import ConfigurationError, MailerError
from mailer.web.studio.campaign_place import CampaignPage
from mailer.web.studio.notices import Notice
from subscribers.errors import SubscriberError

REFUSED = (MailerError, ConfigurationError, SubscriberError)
"""What is raised where an approval cannot be asked for or given; :func:`read_error` says it."""

_ASKABLE = frozenset(
    {
        CampaignState.draft,
        CampaignState.tested,
        CampaignState.approved,
        CampaignState.scheduled,
    }
)


def is_askable(page: CampaignPage) -> bool:
    """Return whether an approval can be asked for: the campaign is not launched, and no correction of the
    command line, whose note only that has."""
    return page.campaign.state in _ASKABLE and not (page.is_correction and page.preparation is None)


def send_request(page: CampaignPage, *, note: str, steps: Sequence[WantedStep] | None = None) -> Response:
    """Ask for the approval of a campaign, have those who are asked told, and go on to its page. ``steps`` are
    those chosen for it, None for the usual ones. Raise one of REFUSED if it cannot be asked for."""
    if not is_askable(page):
        raise ApprovalRefusedError(
            Phrase("Campaign %(number)s is not being prepared any more.", number=page.number)
        )
    state, now = page.state, page.state.clock()
    plan = _plan(page)
    page.end_reading()
    with launch_lock(state.engine, state.workspace, plan) as connection:
        asked = ask_for_approval(
            connection,
            state.workspace,
            plan,
            asker=Person.of_member(page.member),
            steps=steps,
            note=note,
            campaign_id=page.number if page.preparation is not None else None,
            now=now,
        )
        if asked.asked_at == now:
            queue_asked(connection, page.settings, asked, now=now)
            with Session(connection) as session:
                page.record(session, deeds.asked_for_approval(asked.edition, asked.campaign_id))
                session.flush()
    state.sign_in_mailer.wake()
    return page.redirect(f"/campaigns/{asked.campaign_id}/approval", Notice.approval_asked)


def _plan(page: CampaignPage) -> Plan:
    state, campaign, prepared, now = page.state, page.campaign, page.preparation, page.state.clock()
    if prepared is not None and prepared.is_open:
        return plan_prepared_campaign(state.workspace, state.engine, prepared, now=now)
    if not campaign.segment:
        raise NoSegmentError(page.number)
    return plan_campaign(
        state.workspace,
        state.engine,
        campaign.edition,
        read_segment(campaign.segment, page.settings, page.session),
        again=campaign.again,
        count_clicks=campaign.counts_clicks,
        now=now,
    )

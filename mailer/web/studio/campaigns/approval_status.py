"""How far the approval of a prepared campaign is, in one word."""

from sqlalchemy import Connection

from mailer.campaigns.approvals.answers import list_round_changes
from mailer.campaigns.approvals.changes import SendingOptions
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import find_last_round
from mailer.campaigns.plan import digest_plan
from mailer.campaigns.preparation.checklist import ApprovalStatus
from mailer.campaigns.preparation.preparation import Preparation
from mailer.database.approval_models import RoundState
from mailer.database.models import CampaignState
from mailer.web.studio.campaigns.place import CampaignPlace
from mailer.web.studio.campaigns.versions import PreparedMail
from mailer.web.studio.page import StudioPage


def find_approval_status(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, mail: PreparedMail
) -> ApprovalStatus | None:
    """How far the approval of a prepared campaign is; None if that cannot be said yet."""
    with page.state.read_session() as session:
        connection = session.connection()
        asked = find_last_round(connection, place.number)
        if asked is None or asked.state in {RoundState.withdrawn, RoundState.replaced}:
            return _judge_without_round(page, place, preparation, mail)
        if mail.compiled is None and not mail.gone:
            return None
        if asked.state is RoundState.changes_requested:
            return ApprovalStatus.refused
        has_changed = _has_changed(page, connection, asked, preparation, mail)
    if asked.is_open:
        return ApprovalStatus.void if has_changed else ApprovalStatus.asked
    is_held = place.campaign.state is CampaignState.approved
    return ApprovalStatus.given if is_held and not has_changed else ApprovalStatus.void


def _has_changed(
    page: StudioPage, connection: Connection, asked: Round, preparation: Preparation, mail: PreparedMail
) -> bool:
    """Whether something else would be sent than what was asked for."""
    decided, usual = preparation.decisions, page.settings.campaigns.count_clicks
    options = SendingOptions(
        segment=decided.segment or "",
        again=decided.again,
        counts_clicks=usual if decided.count_clicks is None else decided.count_clicks,
    )
    compiled = mail.mails if mail.compiled is not None and not mail.compiled.errors else ()
    return bool(
        list_round_changes(connection, page.state.workspace, asked, compiled=compiled, options=options)
    )


def _judge_without_round(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, mail: PreparedMail
) -> ApprovalStatus | None:
    """Nobody was asked, but the command line may have approved it."""
    if place.campaign.state is CampaignState.approved:
        if mail.compiled is None and not mail.gone:
            return None
        now = digest_plan(preparation.edition, preparation.decisions.segment or "", mail.mails)
        return ApprovalStatus.given if now == place.campaign.approved_digest else ApprovalStatus.void
    is_needed = page.settings.campaigns.approval == "required"
    return ApprovalStatus.missing if is_needed else ApprovalStatus.unneeded

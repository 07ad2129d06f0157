"""How far the approval of a campaign is, and what has changed since it was asked for."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Connection
from sqlmodel import Session

from locales.phrase import Phrase
from mailer.campaigns.approvals.changes import (
    SendingOptions,
    TextChange,
    compare_contents,
    hash_settings,
    list_changed_options,
    list_changes,
    name_stories,
)
from mailer.campaigns.approvals.rounds import (
    Round,
    find_former_approval,
    find_last_round,
    freeze_state,
    read_round_content,
    read_variant_content,
)
from mailer.campaigns.content_versions import GONE
from mailer.campaigns.corrections import SEPARATOR
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.plan import digest_plan
from mailer.campaigns.preparation.checklist import ApprovalStatus
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError


def find_approval_status(
    session: Session,
    workspace: Workspace,
    campaign: Campaign,
    prepared: Preparation,
    mails: Sequence[CompiledEdition] | None,
    *,
    has_errors: bool,
) -> ApprovalStatus | None:
    """Return how far the approval of a prepared campaign is, with ``mails`` as they would be sent now; None
    if that cannot be said as long as those are not known."""
    connection, settings = session.connection(), workspace.settings
    asked = find_last_round(connection, prepared.campaign_id)
    is_approved = campaign.state is CampaignState.approved
    is_asked = asked is not None and asked.state not in {RoundState.withdrawn, RoundState.replaced}
    if not is_asked and not is_approved:
        is_needed = settings.campaigns.approval == "required"
        return ApprovalStatus.missing if is_needed else ApprovalStatus.unneeded
    if mails is None:
        return None
    if asked is None or not is_asked:
        # Nobody was asked, but the command line has approved it.
        now = digest_plan(campaign.edition, prepared.decisions.segment or "", mails)
        return ApprovalStatus.given if now == campaign.approved_digest else ApprovalStatus.void
    if asked.state is RoundState.changes_requested:
        return ApprovalStatus.refused
    options = find_current_options(session, settings, campaign, prepared)
    compiled = () if has_errors else mails
    if list_round_changes(connection, workspace, asked, compiled=compiled, options=options):
        return ApprovalStatus.void
    if asked.is_open:
        return ApprovalStatus.asked
    return ApprovalStatus.given if is_approved else ApprovalStatus.void


def find_current_options(
    session: Session, settings: Settings, campaign: Campaign, prepared: Preparation | None
) -> SendingOptions | None:
    """Return what is decided about a campaign now; None if its segment is not chosen, or not valid."""
    if prepared is None or not prepared.is_open:
        return SendingOptions(
            segment=campaign.segment, again=campaign.again, counts_clicks=campaign.counts_clicks
        )
    decided = prepared.decisions.resolve(settings.campaigns)
    try:
        segment = read_segment(decided.segment or "", settings, session).text
    except SubscriberError:
        return None
    return SendingOptions(segment=segment, again=decided.again, counts_clicks=bool(decided.count_clicks))


def list_changes_since(
    session: Session,
    workspace: Workspace,
    asked: Round,
    compile_edition: Callable[[str], Sequence[CompiledEdition]],
) -> tuple[str, ...]:
    """Return what has changed since ``asked``. ``compile_edition`` returns the mails of an edition as it is
    now, none if it has errors or is not there."""
    connection, campaign = session.connection(), session.get_one(Campaign, asked.campaign_id)
    prepared = read_preparation(session, asked.campaign_id)
    options = find_current_options(session, workspace.settings, campaign, prepared)
    compiled: Sequence[CompiledEdition] = ()
    if campaign.state is not CampaignState.scheduled and SEPARATOR not in campaign.edition:
        compiled = compile_edition(campaign.edition)
    else:
        # It sends what is frozen, and a correction is made of a note that the database does not know.
        with suppress(CompiledVersionError):
            compiled = read_round_content(connection, asked)
    return list_round_changes(connection, workspace, asked, compiled=compiled, options=options)


def list_round_changes(
    connection: Connection,
    workspace: Workspace,
    asked: Round,
    *,
    compiled: Sequence[CompiledEdition],
    options: SendingOptions | None,
) -> tuple[str, ...]:
    """Return what has changed since ``asked``: in ``compiled``, the content as it is, which is empty if it
    has errors; in the ``options`` of :func:`find_current_options`; and in the settings."""
    if options is None:
        return (Phrase("the segment, which is not chosen or not valid any more"),)
    if not compiled:
        return (Phrase(GONE, edition=asked.edition),)
    changed = list_changed_options(asked.options, options)
    hashes = hash_settings(workspace)
    return (*changed, *list_changes(freeze_state(connection, asked), compiled, hashes))


def list_text_changes(connection: Connection, asked: Round) -> tuple[TextChange, ...] | None:
    """Return which words are different from the last approval of the edition; None if there was none."""
    former = find_former_approval(connection, asked.edition, asked)
    if former is None:
        return None
    if former.digest == asked.digest:
        return ()
    try:
        return compare_contents(read_round_content(connection, former), read_round_content(connection, asked))
    except CompiledVersionError:
        return ()


def name_asked_stories(connection: Connection, asked: Round) -> Mapping[str, str]:
    """Return how each story that was asked for begins, by its slug; nothing if it cannot be read any more."""
    try:
        mail = read_variant_content(connection, asked.id, asked.facts.languages[0])
    except CompiledVersionError:
        return {}
    return name_stories(mail) if mail is not None else {}

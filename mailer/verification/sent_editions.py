"""Finds the edition that a code or a token of ours names, in the ledger."""

from datetime import UTC

from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.verification.answer import SentEdition

_SENT_STATES = (
    CampaignState.sending,
    CampaignState.paused,
    CampaignState.finished,
    CampaignState.cancelled,
)
_PUBLIC_STATES = frozenset({CampaignState.sending, CampaignState.paused, CampaignState.finished})


def find_sent_edition(session: Session, campaign_id: int) -> tuple[SentEdition | None, list[CompiledEdition]]:
    """Find the edition of a campaign that was launched, and its content in each language, its own first.

    A content that another version of the program wrote is left out.
    """
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.launched_at is None or campaign.state not in _SENT_STATES:
        return None, []
    contents = _read_contents(session, campaign)
    subjects = dict.fromkeys([campaign.subject, *(mail.subject for mail in contents)])
    first = campaign.launched_at.astimezone(UTC).date()
    last = campaign.finished_at.astimezone(UTC).date() if campaign.finished_at else first
    is_public = campaign.archived and campaign.state in _PUBLIC_STATES
    found = SentEdition(
        slug=campaign.edition,
        title=campaign.title,
        subjects=tuple(filter(None, subjects)),
        first_day=first,
        last_day=max(first, last),
        archive_path=f"/e/{campaign.edition}/{campaign.language}" if is_public else "",
    )
    return found, contents


def _read_contents(session: Session, campaign: Campaign) -> list[CompiledEdition]:
    rows = session.exec(select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign.id))
    contents = []
    for row in rows:
        try:
            contents.append(CompiledEdition.from_bytes(row.body))
        except CompiledVersionError:
            continue
    return sorted(contents, key=lambda mail: (mail.language != campaign.language, mail.language))

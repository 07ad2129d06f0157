"""What became of a campaign, step by step, as the log of who did what has it."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.database.activity_models import ActivityRecord
from mailer.database.models import Campaign, CampaignState
from mailer.i18n import Translator, gettext_noop

_MAX_SHOWN = 100
_ACTS = frozenset(act for act in Act if act.value.endswith("_campaign")) | {
    *(Act.sent_test, Act.resolved_doubts, Act.mailed_report, Act.exported_report),
    *(Act.asked_launch, Act.undid_launch, Act.asked_for_approval, Act.withdrew_request),
    *(Act.changed_approval_steps, Act.requested_changes),
}
_STARTED = gettext_noop("Partners were chosen, and sending began")
_FINISHED = gettext_noop("Everything was sent")
_ENDED = gettext_noop("Sending ended")


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """Something that was done to a campaign, or that it did by itself: then ``name`` is ""."""

    at: datetime
    words: str
    name: str = ""
    detail: str = ""


def list_history(session: Session, campaign: Campaign, translator: Translator) -> list[HistoryEntry]:
    """What happened to a campaign, the latest first."""
    own = select(ActivityRecord).where(
        ActivityRecord.edition == campaign.edition,
        ActivityRecord.subject == str(campaign.id),
        col(ActivityRecord.act).in_([act.value for act in _ACTS]),
    )
    rows = session.exec(own.order_by(col(ActivityRecord.id).desc()).limit(_MAX_SHOWN)).all()
    entries = [
        HistoryEntry(
            at=row.at,
            words=translator.translate(Act(row.act).words, subject=row.subject),
            name=row.name,
            detail=row.detail,
        )
        for row in rows
    ]
    if campaign.launched_at is not None:
        entries.append(HistoryEntry(at=campaign.launched_at, words=translator.translate(_STARTED)))
    if campaign.finished_at is not None:
        words = _FINISHED if campaign.state is CampaignState.finished else _ENDED
        entries.append(HistoryEntry(at=campaign.finished_at, words=translator.translate(words)))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)

"""One campaign and its numbers: its state, its timing, how far it has come, and doubts nobody has settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, func
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from mailer.campaigns.approvals.approval import Approval, read_approval
from mailer.campaigns.content_versions import ContentTest
from mailer.campaigns.corrections import CorrectionRecord, find_corrections
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation, read_preparations
from mailer.campaigns.report.parts import read_cheap_part, read_parts
from mailer.database.engine import read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts, count_deliveries
from mailer.dispatch.liveness import list_alive

OUTCOME_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sent": "sent",
        "rejected": "refused by their mail server",
        "failed": "failed",
        "suppressed": "left before their turn",
        "in_doubt": "in doubt",
    }
)
"""What the numbers of readers are called that need no more work."""
_KEPT: Final = (
    *("edition", "title", "subject", "segment", "state", "created_at", "launched_at", "counts_clicks"),
    *("rate", "scheduled_at", "canary", "canary_until"),
)
"""What a summary has of its campaign as it is."""
_CAMPAIGNS: Final = 10
"""How many campaigns are looked at, the newest: an older doubt is settled by no log any more."""
_OVER = (CampaignState.paused, CampaignState.finished, CampaignState.cancelled)
"""While a campaign is being sent, every message on its way is in doubt for a moment."""


@dataclass(frozen=True, kw_only=True)
class DispatcherNotice:
    """What a dispatcher running on ``host`` has to say, for example that a relay is quarantined."""

    host: str
    text: str


@dataclass(frozen=True, kw_only=True)
class CampaignSummary:
    """One campaign and its numbers. Times are aware; what does not apply is None or "".

    ``created_at`` is when its content was frozen, ``launched_at`` when its readers were chosen, ``next_try``
    when the first deferred message is due. ``rate`` is in messages per second over all machines. ``reason``
    says why it is not running. ``correction_of`` is the story it corrects (``2026-1/teachers``). Whether
    ``approval`` still holds, and what ``test`` and ``test_ahead`` are, is found by
    :func:`mailer.campaigns.approvals.approval.check_approval` and
    :func:`mailer.campaigns.content_versions.check_test`.
    """

    id: int
    edition: str
    title: str
    subject: str
    created_at: datetime
    launched_at: datetime | None
    segment: str
    state: CampaignState
    reason: str
    counts: Counts
    rate: float | None = None
    scheduled_at: datetime | None = None
    canary: int | None = None
    canary_until: datetime | None = None
    next_try: datetime | None = None
    notices: tuple[DispatcherNotice, ...] = ()
    approval: Approval | None = None
    test: ContentTest | None = None
    test_ahead: bool = False
    correction_of: str = ""
    counts_clicks: bool = False
    preparation: Preparation | None = None

    @property
    def planned_segment(self) -> str:
        """The segment it is or was sent to, or that the team has chosen for it; "" while nobody has."""
        decided = self.preparation.decisions.segment if self.preparation else None
        return decided or self.segment if self.is_prepared else self.segment

    @property
    def is_prepared(self) -> bool:
        return self.preparation is not None and self.preparation.is_open

    @property
    def edition_label(self) -> str:
        """What it sends, as shown to people."""
        return f"correction of {self.correction_of}" if self.correction_of else self.edition

    def as_dict(self) -> dict[str, Any]:
        names = ("edition", "title", "subject", "segment", "reason", "created_at")
        times = ("launched_at", "rate", "scheduled_at", "canary", "canary_until", "next_try")
        return {
            **{"id": self.id, "state": self.state, **vars(self.counts)},
            **{name: getattr(self, name) for name in names},
            **{"correction_of": self.correction_of or None, "counts_clicks": self.counts_clicks},
            **{name: getattr(self, name) for name in times},
            **{"notices": self.notices, "approval": self.approval, "test": self.test},
            "prepared": self.preparation,
        }


def count_readers(number: int) -> str:
    """Return the number with its noun: "1 reader", "1,200 readers"."""
    return f"{number:,} reader{'' if number == 1 else 's'}"


def describe_counts(counts: Counts) -> str:
    """Describe the numbers in words: ``60 readers: 59 sent, 1 left before their turn; nothing is open.``"""
    parts = {**OUTCOME_WORDS, "deferred": "deferred", "queued": "not sent"}
    numbers = [(getattr(counts, name), words) for name, words in parts.items()]
    said = ", ".join(f"{number:,} {words}" for number, words in numbers if number) or "none sent"
    end = "" if counts.in_doubt or counts.still_to_do else "; nothing is open"
    return f"{count_readers(counts.audience)}: {said}{end}."


def summarise_campaign(session: Session, campaign_id: int, counts: Counts | None = None) -> CampaignSummary:
    """Summarise a campaign; ``counts`` are its numbers if they are known. Raise UnknownCampaignError if there
    is none."""
    campaign = find_campaign(session, campaign_id)
    corrections = find_corrections(session.connection(), [campaign.edition])
    return _build_summary(
        session, campaign, corrections, counts, preparation=read_preparation(session, campaign_id)
    )


def list_campaigns(session: Session) -> list[CampaignSummary]:
    """Summarise every campaign, newest first."""
    campaigns = session.exec(select(Campaign).order_by(col(Campaign.id).desc())).all()
    corrections = find_corrections(session.connection(), [campaign.edition for campaign in campaigns])
    prepared = read_preparations(session, [campaign.id for campaign in campaigns if campaign.id])
    return [
        _build_summary(session, campaign, corrections, preparation=prepared.get(campaign.id or 0))
        for campaign in campaigns
    ]


def _build_summary(
    session: Session,
    campaign: Campaign,
    corrections: Mapping[str, CorrectionRecord],
    counts: Counts | None = None,
    *,
    preparation: Preparation | None = None,
) -> CampaignSummary:
    assert campaign.id is not None  # noqa: S101 - it came from the database
    correction = corrections.get(campaign.edition)
    connection = session.connection()
    is_sending = campaign.state is CampaignState.sending
    # Whichever campaign they work on.
    alive = list_alive(connection, read_clock(connection)) if is_sending else []
    next_try = select_columns(func.min(col(Delivery.not_before))).where(
        col(Delivery.campaign_id) == campaign.id, col(Delivery.state) == DeliveryState.deferred
    )
    return CampaignSummary(
        **{name: getattr(campaign, name) for name in _KEPT},
        id=campaign.id,
        reason=campaign.state_reason,
        counts=count_deliveries(connection, campaign.id) if counts is None else counts,
        next_try=connection.execute(next_try).scalar(),
        notices=tuple(DispatcherNotice(host=host, text=text) for host, text in alive if text),
        approval=read_approval(campaign),
        correction_of=correction.subject_name if correction else "",
        preparation=preparation,
    )


def list_open_doubts(connection: Connection) -> list[tuple[Any, int]]:
    """List the newest campaigns with their number of deliveries in doubt, the newest first.

    Those of a large campaign are as they were counted last, and missing if nobody has counted them.
    """
    columns = (
        *(col(Campaign.id), col(Campaign.title), col(Campaign.edition)),
        *(col(Campaign.launched_at), col(Campaign.audience)),
    )
    newest = (
        select_columns(*columns)
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.state).in_(_OVER))
        .order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc())
        .limit(_CAMPAIGNS)
    )
    rows = connection.execute(newest).all()
    stored = read_parts(connection, [row.id for row in rows], [ReportPart.in_doubt])
    found = []
    for row in rows:
        doubts = read_cheap_part(connection, row.id, ReportPart.in_doubt, audience=row.audience)
        if doubts is None:
            part = stored.get(row.id, {}).get(ReportPart.in_doubt)
            doubts = () if part is None else _leave_settled(connection, part.value)
        if doubts:
            found.append((row, len(doubts)))
    return found


def _leave_settled(connection: Connection, deliveries: Sequence[int]) -> Sequence[int]:
    """Return those of ``deliveries`` that are still in doubt: some may be settled by now."""
    number = col(Delivery.id)
    still = select_columns(number).where(
        number.in_(deliveries), col(Delivery.state) == DeliveryState.in_doubt
    )
    return list(connection.scalars(still))

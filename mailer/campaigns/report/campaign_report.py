"""The report of a campaign: who did not get the mail and why, who has left, and what came back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from mailer.campaigns.check_warnings import CheckWarning, read_warnings
from mailer.campaigns.departures import Departures
from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.report.breakdown import Breakdown
from mailer.campaigns.report.choices import ChangedChoices
from mailer.campaigns.report.clicks import ClickReport
from mailer.campaigns.report.comparison import Comparison, compare_campaign
from mailer.campaigns.report.doubts import InDoubtReader, read_in_doubt
from mailer.campaigns.report.hand_over import HandOver
from mailer.campaigns.report.lost_organisations import LostOrganisation
from mailer.campaigns.report.part_reader import PartReader, choose_source
from mailer.campaigns.report.part_store import DepartureFigures
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.campaigns.report.returned import Returned, read_returned
from mailer.campaigns.report.summary import CampaignSummary, summarise_campaign
from mailer.database.models import CampaignContent
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """A campaign with its problems, largest group first, and the first 1,000 readers in doubt.

    ``switched_off`` are the checks that were switched off when it was sent, by code, with the editors'
    reason.
    ``bounced`` is the number of readers whose address turned out to be dead while it was sent, ``left`` are
    those who have left since. ``returned`` is what came back, and ``lost_organisations`` have no reader left.
    ``clicks`` are None if they were not counted.
    ``warnings`` are what the checks had warned of; None if that was not yet recorded when it was sent.

    Of a large campaign, some parts cost too much to count for every look. ``counted_at`` says when those were
    counted (aware); a part that is not in it is of this moment. ``uncounted`` are the parts that nobody has
    counted yet: their values are empty or None and mean nothing. None of the other values is also that of a
    campaign that was not launched.
    """

    summary: CampaignSummary
    reasons: tuple[ReasonGroup, ...]
    in_doubt: tuple[InDoubtReader, ...]
    switched_off: Mapping[str, str]
    bounced: int = 0
    left: Departures = field(default_factory=Departures)
    returned: Returned = field(default_factory=Returned)
    lost_organisations: tuple[LostOrganisation, ...] = ()
    warnings: tuple[CheckWarning, ...] | None = None
    breakdown: Breakdown | None = None
    hand_over: HandOver | None = None
    choices: ChangedChoices | None = None
    clicks: ClickReport | None = None
    comparison: Comparison | None = None
    counted_at: Mapping[ReportPart, datetime] = field(default_factory=dict)
    uncounted: frozenset[ReportPart] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """The report in the form of the JSON output."""
        return {
            "campaign": self.summary.as_dict(),
            "equation": self.summary.counts.equation(),
            "reasons": [group.as_dict() for group in self.reasons],
            "in_doubt": [doubt.as_dict() for doubt in self.in_doubt],
            "switched_off": dict(self.switched_off),
            "bounced": self.bounced,
            "left": self.left.as_dict(),
            "returned": self.returned.as_dict(),
            "lost_organisations": [lost.as_dict() for lost in self.lost_organisations],
            "warnings": None if self.warnings is None else [one.as_dict() for one in self.warnings],
            "breakdown": self.breakdown.as_dict() if self.breakdown else None,
            "hand_over": self.hand_over.as_dict() if self.hand_over else None,
            "choices": self.choices.as_dict() if self.choices else None,
            "clicks": self.clicks.as_dict() if self.clicks else None,
            "comparison": self.comparison.as_dict() if self.comparison else None,
            "counted_at": {part.value: moment.isoformat() for part, moment in self.counted_at.items()},
            "uncounted": sorted(part.value for part in self.uncounted),
        }


def report_campaign(
    session: Session,
    campaign_id: int,
    workspace: Workspace,
    *,
    fresh: bool = True,
    compare_with: int | None = None,
) -> CampaignReport:
    """Build the report of a campaign: all of this moment, whatever it costs.

    Without ``fresh``, the costly parts of a large campaign are as they were counted last
    (:mod:`mailer.campaigns.report.figure_counter`). It is compared with the campaigns before it, or with the
    one that is numbered ``compare_with``.

    Raises:
        UnknownCampaignError: there is no such campaign.
    """
    campaign = find_campaign(session, campaign_id)
    connection = session.connection()
    reader = PartReader(
        connection=connection,
        campaign_id=campaign_id,
        sectors=tuple(workspace.settings.sectors),
        source=choose_source(connection, campaign, fresh=fresh),
    )
    counts = reader.read(ReportPart.ledger, Counts(audience=campaign.audience))
    nobody = DepartureFigures(left=Departures(), bounced=0, choices=None)
    departures: DepartureFigures = reader.read(ReportPart.departures, nobody)
    doubts = reader.read(ReportPart.in_doubt, ())
    return CampaignReport(
        summary=summarise_campaign(session, campaign_id, counts),
        reasons=reader.read(ReportPart.reasons, ()),
        in_doubt=read_in_doubt(connection, campaign_id, workspace, doubts),
        switched_off=_read_switched_off(session, campaign_id),
        bounced=departures.bounced,
        left=departures.left,
        returned=read_returned(connection, campaign_id),
        lost_organisations=reader.read(ReportPart.lost_organisations, ()),
        warnings=read_warnings(connection, campaign_id),
        breakdown=reader.read(ReportPart.breakdown, None),
        hand_over=reader.read(ReportPart.hand_over, None),
        choices=departures.choices,
        clicks=reader.read(ReportPart.clicks, None),
        comparison=compare_campaign(session, campaign, compare_with),
        counted_at=reader.counted_at,
        uncounted=frozenset(reader.uncounted),
    )


def _read_switched_off(session: Session, campaign_id: int) -> Mapping[str, str]:
    content = session.exec(
        select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign_id).limit(1)
    ).first()
    try:
        return CompiledEdition.from_bytes(content.body).switched_off if content else {}
    except CompiledVersionError:
        # Sent by another version of this program, whose format we cannot read.
        return {}

"""The draft of an edition: a campaign with frozen content, what the checks warned of, and no readers.

An edition has at most one. The team makes it when they begin to prepare a campaign
(:mod:`mailer.campaigns.preparation`), or else its first test does, its approval, its schedule or its launch,
which the draft then becomes. One that is prepared has no content until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlmodel import col

from editions.errors import Problem, ProblemLevel
from mailer.campaigns.corrections import store_correction
from mailer.campaigns.counted_links import CountedLinks, store_counted_links
from mailer.campaigns.plan import Plan, digest_plan
from mailer.campaigns.preparation.preparation_store import insert_draft, reopen_campaign
from mailer.database.launch_models import CampaignPreparation
from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.dispatch.deliveries import change_campaign_state

DRAFT_STATES = (CampaignState.draft, CampaignState.tested)
"""The states in which nobody has chosen yet who gets a campaign."""


@dataclass(frozen=True, kw_only=True)
class CheckWarning:
    """A warning with which an edition was sent, and where in the edition's files it is."""

    code: str
    path: str
    line: int
    message: str


_WARNINGS = TypeAdapter(tuple[CheckWarning, ...])


def store_warnings(
    connection: Connection, campaign_id: int, problems: Sequence[Problem], now: datetime
) -> None:
    """Store the warnings among ``problems`` in the place of what is stored. The caller commits."""
    warnings = tuple(
        CheckWarning(code=problem.code, path=problem.path, line=problem.line, message=problem.message)
        for problem in problems
        if problem.level is ProblemLevel.warning
    )
    connection.execute(delete(CampaignReportPart).where(*_is_part(campaign_id)))
    connection.execute(
        insert(CampaignReportPart).values(
            campaign_id=campaign_id,
            part=ReportPart.warnings,
            body=_WARNINGS.dump_json(warnings).decode(),
            counted_at=now,
            fingerprint="",
            cost=0.0,
        )
    )


def read_warnings(connection: Connection, campaign_id: int) -> tuple[CheckWarning, ...] | None:
    """Read the warnings of a campaign; None if its content was frozen before they were kept."""
    body = connection.scalar(select(col(CampaignReportPart.body)).where(*_is_part(campaign_id)))
    try:
        return None if body is None else _WARNINGS.validate_json(body)
    except ValidationError:
        # Written by another version of this program, whose form we cannot read.
        return None


def _is_part(campaign_id: int) -> tuple[Any, ...]:
    is_its = col(CampaignReportPart.campaign_id) == campaign_id
    return (is_its, col(CampaignReportPart.part) == ReportPart.warnings)


def write_draft(connection: Connection, plan: Plan, now: datetime) -> int:
    """Make the edition's draft one of exactly this ``plan``; return its id. One that was tested stays tested
    if it has the same content.

    The caller holds the edition's launch lock, and commits. Raise CorrectionConflictError if it sends a
    correction, and another one has taken its name.
    """
    if plan.correction is not None:
        store_correction(connection, plan.correction, now)
    return _write(connection, plan, now, segment=plan.segment.text, counted=plan.counted)


def write_tested_draft(connection: Connection, plan: Plan, now: datetime) -> int:
    """As :func:`write_draft`, for content that was just tested. Who gets it is left open, and so is whether
    clicks are counted: the links of a test lead straight to their places."""
    number = _write(connection, plan, now, segment="", counted=None)
    change_campaign_state(connection, number, CampaignState.tested)
    return number


def _write(
    connection: Connection, plan: Plan, now: datetime, *, segment: str, counted: CountedLinks | None
) -> int:
    values: dict[str, object] = {
        "title": plan.title,
        "subject": plan.subject,
        "segment": segment,
        "language": plan.language,
        "digest": digest_plan(plan.edition, segment, plan.compiled),
        "content_digest": plan.content_digest,
    }
    found = _find_draft(connection, plan.edition, segment) or _reopen(connection, plan, segment, now)
    if found is None:
        number = insert_draft(connection, plan.edition, now, **values)
        _freeze(connection, number, plan)
    else:
        number, content_digest = found
        if content_digest != plan.content_digest:
            change_campaign_state(connection, number, CampaignState.draft)
            connection.execute(delete(CampaignContent).where(col(CampaignContent.campaign_id) == number))
            _freeze(connection, number, plan)
            values["created_at"] = now
        connection.execute(update(Campaign).where(col(Campaign.id) == number).values(values))
    store_warnings(connection, number, plan.problems, now)
    store_counted_links(connection, number, counted)
    return number


def _find_draft(connection: Connection, edition: str, segment: str) -> tuple[int, str] | None:
    """Return the id and the content digest of the edition's draft. For a ``segment``, a draft that the team
    prepares for another one is left to them."""
    drafts = select(col(Campaign.id), col(Campaign.content_digest)).where(
        col(Campaign.edition) == edition, col(Campaign.state).in_(DRAFT_STATES)
    )
    if segment:
        planned = col(CampaignPreparation.segment)
        drafts = drafts.outerjoin(
            CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id)
        ).where(or_(planned.is_(None), planned == segment))
    row = connection.execute(drafts.order_by(col(Campaign.id).desc())).first()
    return None if row is None else (row[0] or 0, row[1])


def _reopen(connection: Connection, plan: Plan, segment: str, now: datetime) -> tuple[int, str] | None:
    """Make the campaign a draft again that the team has prepared for this segment, and that was approved with
    something else than ``plan``. So it keeps its number, and what was decided about it."""
    if not segment:
        return None
    approved = (
        select(col(Campaign.id), col(Campaign.content_digest))
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(col(Campaign.edition) == plan.edition, col(Campaign.state) == CampaignState.approved)
        .where(col(CampaignPreparation.segment) == segment)
    )
    row = connection.execute(approved.order_by(col(Campaign.id).desc())).first()
    if row is None:
        return None
    reopen_campaign(connection, row[0] or 0, now)
    return row[0] or 0, row[1]


def _freeze(connection: Connection, number: int, plan: Plan) -> None:
    contents = [
        {"campaign_id": number, "language": compiled.language, "body": compiled.to_bytes()}
        for compiled in plan.compiled
    ]
    connection.execute(insert(CampaignContent), contents)

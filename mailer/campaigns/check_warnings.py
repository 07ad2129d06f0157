"""What the checks had warned of when the content of a campaign was frozen, kept with it for its report."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from editions.problem import Level, Problem
from mailer.database.report_models import CampaignReportPart, ReportPart


@dataclass(frozen=True, kw_only=True)
class CheckWarning:
    """A warning with which an edition was sent: its ``code``, and the ``path`` and ``line`` of the edition's
    file that it is about."""

    code: str
    path: str
    line: int
    message: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_WARNINGS = TypeAdapter(tuple[CheckWarning, ...])


def store_warnings(
    connection: Connection, campaign_id: int, problems: Sequence[Problem], now: datetime
) -> None:
    """Store the warnings among ``problems`` in the place of what is stored. The caller commits."""
    warnings = tuple(
        CheckWarning(code=problem.code, path=problem.path, line=problem.line, message=problem.message)
        for problem in problems
        if problem.level is Level.warning
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

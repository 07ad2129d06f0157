"""Plan a re-confirmation: who is asked, and what they get. Nothing is stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from editions.reader import Inspection
from mailer.campaigns.plan import Plan, make_plan
from mailer.campaigns.preflight import PreflightReport, check_inspection, find_sender_problems
from mailer.campaigns.reconfirmation import record
from mailer.campaigns.reconfirmation.letter import make_letter
from mailer.checks.source_lines import SourceLines
from mailer.errors import MailerError
from mailer.workspace import Workspace
from subscribers.segments.segment import Segment

SHORTEST = timedelta(days=7)
"""People are on leave: nobody is paused who had less time to answer."""

LONGEST = timedelta(days=365)
_USUAL = timedelta(days=30)


class ReconfirmationError(MailerError):
    """The re-confirmation cannot be made in this way."""


@dataclass(frozen=True, kw_only=True)
class ReconfirmationPlan:
    """A re-confirmation, worked out in advance: its ``plan`` as a campaign, and until when people may answer.

    ``is_known`` says that it was begun before, and goes on.
    """

    plan: Plan
    answer_by: datetime
    is_known: bool


def plan_reconfirmation(
    workspace: Workspace, engine: Engine, segment: Segment, *, until: datetime | None, now: datetime
) -> ReconfirmationPlan:
    """Plan asking the readers of ``segment``; ``until`` is when the time for an answer ends, 30 days from
    ``now`` by default. One of the same segment that is not closed goes on, with its own time.

    Raises:
        ReconfirmationError: there is too little or too much time, or another time than that it has.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        known = record.find_open(connection, segment.text)
        name = known.name if known else record.name_next(connection)
    if known and until is not None and until.astimezone(UTC).date() != known.answer_by.date():
        raise ReconfirmationError(
            f"Readers of this segment were asked until {known.answer_by:%Y-%m-%d}, and their letter says so. "
            "Leave out --until to go on with it."
        )
    answer_by = known.answer_by if known else until or now + _USUAL
    if not known and not SHORTEST <= answer_by - now <= LONGEST:
        raise ReconfirmationError(
            f"{answer_by:%Y-%m-%d} gives readers too {'little' if answer_by - now < SHORTEST else 'much'} "
            f"time to answer. Choose a day {SHORTEST.days} to {LONGEST.days} days from now."
        )
    check = _make_check(workspace, name, today=known.created_at if known else now, answer_by=answer_by)
    plan = make_plan(workspace, engine, name, segment, check=check, now=now)
    return ReconfirmationPlan(plan=plan, answer_by=answer_by, is_known=known is not None)


def store_reconfirmation(engine: Engine, planned: ReconfirmationPlan, *, by: str, now: datetime) -> None:
    """Store what was planned, before its campaign is launched; nothing if it is stored already.

    Raises:
        ReconfirmationError: another one was stored at the same moment.
    """
    plan = planned.plan
    if planned.is_known:
        return
    with engine.begin() as connection:
        if record.find_open(connection, plan.segment.text) or record.name_next(connection) != plan.edition:
            raise ReconfirmationError(
                "Another re-confirmation began at the same moment, and nothing was sent of this one. Run the "
                "command again."
            )
        record.store(
            connection,
            name=plan.edition,
            segment=plan.segment.text,
            by=by,
            now=now,
            until=planned.answer_by,
        )


def _make_check(
    workspace: Workspace, name: str, *, today: datetime, answer_by: datetime
) -> Callable[..., PreflightReport]:
    letter = make_letter(
        workspace.settings,
        name=name,
        today=today.date(),
        last_day=answer_by.date(),
        folder=workspace.root / name,
    )
    inspection = Inspection(edition=letter, problems=())

    def check(**options: Any) -> PreflightReport:
        source = SourceLines(letter.folder)
        report = check_inspection(workspace, name, inspection, source=source, **options)
        return replace(report, launch_problems=find_sender_problems(workspace))

    return check

"""Reading who did what: newest first, page by page, chosen by person, act, edition and day."""

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from io import StringIO

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord
from mailer.utc import format_iso
from subscribers.csv_format import escape_formula

COMMAND_LINE = "command-line"
"""The person in a filter who stands for everybody on the command line."""

_CSV_HEAD = ("at", "who", "place", "act", "edition", "subject", "detail")
_ROWS_AT_A_TIME = 500
_LOOKED_BACK = 100
_WRITING_TIME = timedelta(seconds=30)
"""How long after its line in the log a change may have reached the file."""

_OF_CAMPAIGNS = frozenset(act for act in Act if act.value.endswith("_campaign")) | {
    *(Act.sent_test, Act.resolved_doubts, Act.mailed_report, Act.exported_report),
    *(Act.asked_launch, Act.undid_launch, Act.asked_for_approval, Act.withdrew_request),
    *(Act.changed_approval_steps, Act.requested_changes),
}


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Which entries are wanted. ``person`` is a member's number, or :data:`COMMAND_LINE`; ``day`` is a day in
    the time zone ``zone``. What is "" or None does not matter."""

    person: str = ""
    act: Act | None = None
    edition: str = ""
    day: date | None = None
    zone: tzinfo = UTC


def read_log(
    session: Session, wanted: LogFilter, *, before: int | None = None, limit: int = 50
) -> tuple[Sequence[ActivityRecord], int | None]:
    """Read a page of the log: at most ``limit`` entries, newest first, those older than the entry numbered
    ``before``; and what ``before`` is to be for those that are older still, None at the end."""
    query = select(ActivityRecord).where(*_list_conditions(wanted))
    if before is not None:
        query = query.where(col(ActivityRecord.id) < before)
    # By number, not by time: the clock of a machine can be set back.
    rows = session.exec(query.order_by(col(ActivityRecord.id).desc()).limit(limit + 1)).all()
    entries = rows[:limit]
    return entries, entries[-1].id if len(rows) > limit else None


def list_logged_editions(session: Session) -> list[str]:
    """List the editions that the log names, the last by name first."""
    found = session.exec(select(ActivityRecord.edition).where(ActivityRecord.edition != "").distinct())
    return sorted(found, reverse=True)


def list_campaign_acts(
    session: Session, edition: str, number: int, *, limit: int = 100
) -> Sequence[ActivityRecord]:
    """Return the latest acts that were done to a campaign, newest first."""
    own = select(ActivityRecord).where(
        ActivityRecord.edition == edition,
        ActivityRecord.subject == str(number),
        col(ActivityRecord.act).in_(one.value for one in _OF_CAMPAIGNS),
    )
    return session.exec(own.order_by(col(ActivityRecord.id).desc()).limit(limit)).all()


def find_launchers(session: Session, editions: Collection[str]) -> Mapping[int, str]:
    """Return who launched or scheduled the campaigns of ``editions``, by number, as far as it is known."""
    acts = select(ActivityRecord.subject, ActivityRecord.name).where(
        col(ActivityRecord.edition).in_(editions),
        col(ActivityRecord.act).in_([Act.launched_campaign.value, Act.scheduled_campaign.value]),
    )
    rows = session.exec(acts.order_by(col(ActivityRecord.id))).all()
    return {int(subject): name for subject, name in rows if subject.isdigit()}


def find_launching_member(session: Session, edition: str, campaign: int) -> int | None:
    """Return which member launched or scheduled a campaign; None if nobody did in Studio."""
    acts = [Act.launched_campaign.value, Act.scheduled_campaign.value]
    number = select(ActivityRecord.member_id).where(
        col(ActivityRecord.edition) == edition,
        col(ActivityRecord.subject) == str(campaign),
        col(ActivityRecord.act).in_(acts),
    )
    return session.exec(number.order_by(col(ActivityRecord.id).desc()).limit(1)).first()


def find_settings_authors(session: Session, written_at: datetime) -> Callable[[str], int | None]:
    """Return what tells which member changed a setting last, by its key; None if it is not known.
    ``written_at`` is when the settings were last written (aware): who changes them by hand leaves no line."""
    wanted = LogFilter(act=Act.changed_settings)
    lines, _ = read_log(session, wanted, limit=_LOOKED_BACK)
    if lines and written_at > lines[0].at + _WRITING_TIME:
        lines = ()

    def find_author(key: str) -> int | None:
        for line in lines:
            if key in line.subject.split(", "):
                return line.member_id
            if line.subject.endswith("…"):
                # It was shortened, and may have named the key.
                return None
        return None

    return find_author


def write_log_csv(session: Session, wanted: LogFilter) -> Iterator[str]:
    """Write the wanted entries as CSV, oldest first, piece by piece. Cells that a spreadsheet would take for
    formulas are escaped, as in exports of the list."""
    yield _write_row(_CSV_HEAD)
    after = 0
    while True:
        query = select(ActivityRecord).where(*_list_conditions(wanted), col(ActivityRecord.id) > after)
        rows = session.exec(query.order_by(col(ActivityRecord.id)).limit(_ROWS_AT_A_TIME)).all()
        if not rows:
            return
        after = rows[-1].id or 0
        yield "".join(_write_row(_list_cells(row)) for row in rows)
        session.expunge_all()


def _list_cells(entry: ActivityRecord) -> tuple[str, ...]:
    place = COMMAND_LINE if entry.member_id is None else "studio"
    about = (entry.edition, entry.subject, entry.detail)
    return (format_iso(entry.at), entry.name, place, entry.act, *about)


def _write_row(cells: tuple[str, ...]) -> str:
    line = StringIO()
    csv.writer(line).writerow([escape_formula(cell) for cell in cells])
    return line.getvalue()


def _list_conditions(wanted: LogFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.person == COMMAND_LINE:
        conditions.append(col(ActivityRecord.member_id).is_(None))
    elif wanted.person:
        conditions.append(col(ActivityRecord.member_id) == int(wanted.person))
    if wanted.act is not None:
        conditions.append(col(ActivityRecord.act) == wanted.act.value)
    if wanted.edition:
        conditions.append(col(ActivityRecord.edition) == wanted.edition)
    if wanted.day is not None:
        start = datetime.combine(wanted.day, time(), tzinfo=wanted.zone)
        end = datetime.combine(wanted.day + timedelta(days=1), time(), tzinfo=wanted.zone)
        conditions += [col(ActivityRecord.at) >= start, col(ActivityRecord.at) < end]
    return conditions

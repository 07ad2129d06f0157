"""CSV of a campaign: one table of its report, or every delivery, written row by row."""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC
from io import StringIO
from typing import Any, TextIO

from sqlalchemy import Row, ScalarSelect
from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from mailer.campaigns.lifecycle import find_campaign
from mailer.campaigns.report.doubts import make_message_id
from mailer.campaigns.report.reasons import is_final
from mailer.campaigns.report.sections import ReportSection, ReportTable
from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage
from mailer.database.models import Delivery, DeliveryState
from mailer.errors import MailerError
from mailer.workspace import Workspace
from subscribers.csv_format import escape_formula
from subscribers.models import Subscriber

_BATCH_ROWS = 1000
CSV_COLUMNS = (
    "email",
    "name",
    "country",
    "state",
    "code",
    "reason",
    "attempts",
    "doubted",
    "message_id",
    "updated_at",
    "returned",
    "returned_reason",
)
"""The columns of the CSV, which has one row for each delivery."""


class UnknownTableError(MailerError):
    """The report has no table of this name."""


def find_table(sections: Iterable[ReportSection], name: str) -> ReportTable:
    """Find a table by its name. Raise UnknownTableError if there is none; the message names all there are."""
    tables = {table.name: table for section in sections for table in section.tables}
    if name not in tables:
        raise UnknownTableError(f"This report has no table {name!r}. It has: {', '.join(tables) or 'none'}.")
    return tables[name]


def write_table(table: ReportTable, stream: TextIO) -> int:
    """Write a table with a header, and return the number of rows. A hidden figure is an empty cell."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.head)
    for row in table.rows:
        writer.writerow("" if cell is None else escape_formula(str(cell)) for cell in row)
    return len(table.rows)


def write_deliveries(
    session: Session,
    campaign_id: int,
    workspace: Workspace,
    stream: TextIO,
    *,
    states: Collection[DeliveryState] = (),
) -> int:
    """Write the deliveries of a campaign, or those in ``states``, as CSV with a header; return their number.
    They are in the order of the ledger, are written row by row, and are all from the same moment. Raise
    UnknownCampaignError if there is no such campaign."""
    number = -1
    for line in generate_deliveries(session, campaign_id, workspace, states=states):
        stream.write(line)
        number += 1
    return number


def generate_deliveries(
    session: Session, campaign_id: int, workspace: Workspace, *, states: Collection[DeliveryState] = ()
) -> Iterator[str]:
    """Yield the lines of that CSV, the header first. Raise UnknownCampaignError if there is no such
    campaign."""
    find_campaign(session, campaign_id)
    yield _write_line(CSV_COLUMNS)
    for row in _stream_deliveries(session, campaign_id, states):
        yield _write_line(_csv_cells(row, make_message_id(campaign_id, row.subscriber_id, workspace)))


def _write_line(cells: Sequence[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _stream_deliveries(
    session: Session, campaign_id: int, states: Collection[DeliveryState]
) -> Iterator[Row[Any]]:
    columns: tuple[Any, ...] = (
        col(Subscriber.email),
        col(Subscriber.name),
        col(Subscriber.country),
        col(Delivery.subscriber_id),
        col(Delivery.state),
        col(Delivery.code),
        col(Delivery.reason),
        col(Delivery.attempts),
        col(Delivery.doubted),
        col(Delivery.updated_at),
        _last_returned(col(FeedbackMessage.kind)).label("returned"),
        _last_returned(col(FeedbackEvent.reason)).label("returned_reason"),
    )
    statement = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id, *([col(Delivery.state).in_(states)] if states else [])
        )
        .order_by(col(Delivery.id))
        .execution_options(yield_per=_BATCH_ROWS)
    )
    yield from session.connection().execute(statement)


def _last_returned(column: Any) -> ScalarSelect[Any]:
    return (
        select_columns(column)
        .select_from(FeedbackEvent)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(
            col(FeedbackEvent.subscriber_id) == col(Delivery.subscriber_id),
            col(FeedbackEvent.campaign_id) == col(Delivery.campaign_id),
            is_final(),
        )
        .order_by(col(FeedbackEvent.at).desc(), col(FeedbackEvent.id).desc())
        .limit(1)
        .correlate(Delivery)
        .scalar_subquery()
    )


def _csv_cells(row: Row[Any], identity: str) -> list[str]:
    return [
        escape_formula(row.email),
        escape_formula(row.name),
        row.country or "",
        row.state.value,
        "" if row.code is None else str(row.code),
        escape_formula(row.reason),
        str(row.attempts),
        "yes" if row.doubted else "",
        identity,
        row.updated_at.astimezone(UTC).isoformat(timespec="seconds"),
        row.returned.value if row.returned else "",
        row.returned_reason.value if row.returned_reason else "",
    ]

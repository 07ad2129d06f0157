"""Stores aggregate reports of DMARC, each once, and forgets them after thirteen months."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from mailer.database.dmarc_models import DmarcReport, DmarcSource
from mailer.feedback.incoming_message import AggregateReport

KEPT_FOR: Final = timedelta(days=396)
"""Thirteen months: the same month of the year before can be compared."""


def store_report(session: Session, report: AggregateReport, *, now: datetime) -> bool:
    """Store ``report`` and return True; False if it is known already, from whichever message.

    Reports that are older than :data:`KEPT_FOR` are deleted. The caller commits.
    """
    connection = session.connection()
    connection.execute(delete(DmarcReport).where(col(DmarcReport.ends_at) < now - KEPT_FOR))
    new = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        new(DmarcReport)
        .values(
            organisation=report.organisation,
            report_id=report.report_id,
            domain=report.domain,
            policy=report.policy,
            begins_at=report.begin,
            ends_at=report.end,
            received_at=now,
        )
        .on_conflict_do_nothing(index_elements=["organisation", "report_id", "domain"])
        .returning(col(DmarcReport.id))
    )
    number = connection.execute(statement).scalar_one_or_none()
    if number is None:
        return False
    rows = [
        {
            **{"report_id": number, "position": position, "source_ip": source.source_ip},
            **{"messages": source.count, "header_from": source.header_from},
            **{"dkim": source.dkim, "spf": source.spf, "disposition": source.disposition},
            **{"override": source.override, "spf_domain": source.spf_domain},
            "dkim_domains": " ".join(source.dkim_domains)[:1000],
        }
        for position, source in enumerate(report.sources)
    ]
    if rows:
        connection.execute(insert(DmarcSource), rows)
    return True

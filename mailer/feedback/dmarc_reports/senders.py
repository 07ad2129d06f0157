"""Who sends in our name, as receivers report it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Integer, and_, case, func, or_, select
from sqlmodel import col

from mailer.database.dmarc_models import DmarcReport, DmarcSource

_FORWARDED = ("forwarded", "trusted_forwarder", "mailing_list", "local_policy", "arc")
"""Why a receiver let a message pass that failed (RFC 9990, PolicyOverrideType)."""


class SenderKind(StrEnum):
    """What is known of an address that sends in our name."""

    ours = "ours"
    """Its messages are signed by us or come from where our SPF record says."""

    forwarder = "forwarder"
    """It passes messages on, says the receiver, so that SPF fails and a signature may break."""

    unknown = "unknown"
    """Neither: a program of ours that does not sign, or somebody who writes in our name."""


@dataclass(frozen=True, kw_only=True)
class ReportedSender:
    """One network address that sends in our name: how many messages, and how many of them passed DMARC.

    ``refused`` were rejected or put into junk. ``domains`` are the From domains that it used.
    """

    source_ip: str
    kind: SenderKind
    messages: int
    passed: int
    refused: int
    domains: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The sender in the form of the JSON output."""
        return {
            **{"source_ip": self.source_ip, "kind": self.kind.value, "messages": self.messages},
            **{"passed": self.passed, "refused": self.refused, "domains": list(self.domains)},
        }


@dataclass(frozen=True, kw_only=True)
class SenderOverview:
    """What the reports since ``since`` say: how many there are, from how many receivers, and the senders with
    the most messages first."""

    since: datetime
    reports: int
    receivers: tuple[str, ...]
    senders: tuple[ReportedSender, ...]

    @property
    def messages(self) -> int:
        return sum(sender.messages for sender in self.senders)

    @property
    def passed(self) -> int:
        return sum(sender.passed for sender in self.senders)

    @property
    def unknown(self) -> tuple[ReportedSender, ...]:
        """Those that are neither ours nor forwarders."""
        return tuple(sender for sender in self.senders if sender.kind is SenderKind.unknown)

    def as_dict(self) -> dict[str, Any]:
        """The overview in the form of the JSON output."""
        return {
            **{"since": self.since.isoformat(), "reports": self.reports, "receivers": list(self.receivers)},
            **{"messages": self.messages, "passed": self.passed},
            "senders": [sender.as_dict() for sender in self.senders],
        }


def read_senders(connection: Connection, *, since: datetime) -> SenderOverview:
    """Read who has sent in our name, in the reports about days after ``since``."""
    recent = col(DmarcReport.ends_at) >= since
    receivers = connection.execute(
        select(col(DmarcReport.organisation), func.count())
        .where(recent)
        .group_by(col(DmarcReport.organisation))
        .order_by(func.count().desc(), col(DmarcReport.organisation))
    ).all()
    passes = or_(col(DmarcSource.dkim), col(DmarcSource.spf))
    count = col(DmarcSource.messages)

    def sum_of(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, count), else_=0)), 0).cast(Integer)

    refused = and_(~passes, col(DmarcSource.disposition).in_(("reject", "quarantine")))
    forwarded = and_(~passes, col(DmarcSource.override).in_(_FORWARDED))
    statement = (
        select(
            col(DmarcSource.source_ip),
            func.sum(count).cast(Integer).label("messages"),
            sum_of(passes).label("passed"),
            sum_of(refused).label("refused"),
            sum_of(forwarded).label("forwarded"),
        )
        .join(DmarcReport, col(DmarcReport.id) == col(DmarcSource.report_id))
        .where(recent)
        .group_by(col(DmarcSource.source_ip))
        .order_by(func.sum(count).desc(), col(DmarcSource.source_ip))
    )
    domains = _read_domains(connection, since)
    return SenderOverview(
        since=since,
        reports=sum(number for _, number in receivers),
        receivers=tuple(name for name, _ in receivers),
        senders=tuple(
            _make_sender(row, domains.get(row.source_ip, ())) for row in connection.execute(statement)
        ),
    )


def _read_domains(connection: Connection, since: datetime) -> dict[str, tuple[str, ...]]:
    """The From domains that each address used, sorted."""
    columns = (col(DmarcSource.source_ip), col(DmarcSource.header_from))
    statement = (
        select(*columns)
        .join(DmarcReport, col(DmarcReport.id) == col(DmarcSource.report_id))
        .where(col(DmarcReport.ends_at) >= since, col(DmarcSource.header_from) != "")
        .distinct()
        .order_by(*columns)
    )
    found: dict[str, tuple[str, ...]] = {}
    for source_ip, domain in connection.execute(statement):
        found[source_ip] = (*found.get(source_ip, ()), domain)
    return found


def _make_sender(row: Any, domains: tuple[str, ...]) -> ReportedSender:
    # Half of the messages are enough: somebody's answer to one of ours may pass through the same server.
    if 2 * row.passed >= row.messages:
        kind = SenderKind.ours
    elif 2 * (row.forwarded + row.passed) >= row.messages:
        kind = SenderKind.forwarder
    else:
        kind = SenderKind.unknown
    return ReportedSender(
        source_ip=row.source_ip,
        kind=kind,
        messages=row.messages,
        passed=row.passed,
        refused=row.refused,
        domains=domains,
    )

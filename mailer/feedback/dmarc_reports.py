"""Aggregate reports of DMARC (RFC 9990): receivers tell who sends in our name, and what they made of it."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final

from lxml import etree
from sqlalchemy import Connection, Integer, and_, case, delete, func, insert, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from mailer.database.feedback_models import DmarcReport, DmarcSource
from mailer.feedback.incoming_message import AggregateReport, ReportedSource
from mailer.feedback.mime_part import MimePart

MAX_XML_BYTES: Final = 20 * 1024 * 1024
"""The report of a month of a large sender has some 5 MB. What unfolds to more is not read."""

_MAX_ATTACHMENT_BYTES: Final = 10 * 1024 * 1024
_TYPES: Final = frozenset(
    {
        *("application/gzip", "application/x-gzip", "application/zip", "application/x-zip"),
        *("application/x-zip-compressed", "application/xml", "text/xml", "application/octet-stream"),
        *("application/x-gzip-compressed", "application/x-compressed"),
    }
)
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_BEGINNING = 2048
# What everybody writes. Other methods have decoders with errors of their own, and large dictionaries.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
MAX_SOURCES: Final = 10_000
_MAX_WORD: Final = 255
_MAX_COUNT: Final = 2**31 - 1
KEPT_FOR: Final = timedelta(days=396)
"""Thirteen months: the same month of the year before can be compared."""
_FORWARDED = ("forwarded", "trusted_forwarder", "mailing_list", "local_policy", "arc")
"""Why a receiver let a message pass that failed (RFC 9990, PolicyOverrideType)."""


def read_aggregate_report(message: MimePart) -> AggregateReport | None:
    """Return the report in the first part that looks like one; None if there is none. Never raises, whatever
    the bytes are."""
    for part in message.all_parts:
        if part.content_type in _TYPES and (xml := _unpack(part.read_attachment(_MAX_ATTACHMENT_BYTES))):
            return read_report_xml(xml)
    return None


def _unpack(content: bytes) -> bytes | None:
    if content.startswith(_GZIP):
        content = _decompress(content) or b""
    elif content.startswith(_ZIP):
        content = _open_zip(content) or b""
    return content if b"<feedback" in content[:_BEGINNING] else None


def _decompress(content: bytes) -> bytes | None:
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        xml = reader.decompress(content, MAX_XML_BYTES)
    except zlib.error:
        return None
    # A small file can unfold to gigabytes.
    return None if reader.unconsumed_tail else xml


def _open_zip(content: bytes) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                is_small = entry.file_size <= MAX_XML_BYTES and entry.compress_type in _METHODS
                if entry.filename.lower().endswith(".xml") and is_small:
                    with archive.open(entry) as file:
                        # The size that the archive states may be a lie.
                        xml = file.read(MAX_XML_BYTES + 1)
                    return xml if len(xml) <= MAX_XML_BYTES else None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return None
    return None


# Of seconds since 1970: from 2000 to 2100. Others are no dates.
_FIRST, _LAST = 946_684_800, 4_102_444_800


def read_report_xml(xml: bytes) -> AggregateReport | None:
    """Read ``xml``; None if it is no aggregate report. Nothing that it names is fetched or expanded."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    # Namespaces differ: none, that of RFC 7489, urn:ietf:params:xml:ns:dmarc-2.0.
    if etree.QName(root).localname != "feedback":
        return None
    begin = _read_time(root, "report_metadata", "date_range", "begin")
    end = _read_time(root, "report_metadata", "date_range", "end")
    domain = _read(root, "policy_published", "domain").lower().rstrip(".")
    report_id = _read(root, "report_metadata", "report_id")
    if begin is None or end is None or not domain or not report_id:
        return None
    records = _find_all(root, "record")[:MAX_SOURCES]
    return AggregateReport(
        organisation=_read(root, "report_metadata", "org_name") or "unknown",
        report_id=report_id,
        domain=domain,
        policy=_read(root, "policy_published", "p").lower(),
        begin=begin,
        end=end,
        sources=tuple(source for record in records if (source := _read_source(record)) is not None),
    )


def _read_source(record: etree._Element) -> ReportedSource | None:
    address = _read(record, "row", "source_ip")
    try:
        source_ip = str(ip_address(address))
        count = int(_read(record, "row", "count"))
    except ValueError:
        return None
    if not 0 < count <= _MAX_COUNT:
        return None
    return ReportedSource(
        source_ip=source_ip,
        count=count,
        header_from=_read(record, "identifiers", "header_from").lower().rstrip("."),
        dkim=_read(record, "row", "policy_evaluated", "dkim").lower() == "pass",
        spf=_read(record, "row", "policy_evaluated", "spf").lower() == "pass",
        disposition=_read(record, "row", "policy_evaluated", "disposition").lower(),
        override=_read(record, "row", "policy_evaluated", "reason", "type").lower(),
        dkim_domains=tuple(dict.fromkeys(_list_passed(record, "dkim"))),
        spf_domain=next(_list_passed(record, "spf"), ""),
    )


def _list_passed(record: etree._Element, method: str) -> Iterator[str]:
    """Yield the domains for which ``method`` passed."""
    for one in _find_all(record, "auth_results", method):
        domain = _read(one, "domain").lower()
        if domain and _read(one, "result").lower() == "pass":
            yield domain


def _read_time(root: etree._Element, *path: str) -> datetime | None:
    try:
        seconds = int(float(_read(root, *path)))
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if _FIRST <= seconds <= _LAST else None


def _read(element: etree._Element, *path: str) -> str:
    """Return the text of the first element at ``path``, in any namespace, on one line and not too long."""
    found = _find_all(element, *path)
    text = "".join(map(str, found[0].itertext())) if found else ""
    return "".join(filter(str.isprintable, " ".join(text.split())))[:_MAX_WORD]


def _find_all(element: etree._Element, *path: str) -> list[etree._Element]:
    found = [element]
    for name in path:
        found = [
            child
            for one in found
            for child in one
            if isinstance(child.tag, str) and etree.QName(child).localname == name
        ]
    return found


def store_report(session: Session, report: AggregateReport, *, now: datetime) -> bool:
    """Store ``report`` and return True; False if it is known already, from whichever message. Reports that
    are older than :data:`KEPT_FOR` are deleted. The caller commits.
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
    """One network address that sends in our name: how many messages, how many of them passed DMARC, and how
    many were ``refused`` or put into junk. ``domains`` are the From domains that it used.
    """

    source_ip: str
    kind: SenderKind
    messages: int
    passed: int
    refused: int
    domains: tuple[str, ...]


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
        return {
            **{"since": self.since, "reports": self.reports, "receivers": self.receivers},
            **{"messages": self.messages, "passed": self.passed, "senders": self.senders},
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

"""Reads the XML of an aggregate report, of RFC 7489 or of RFC 9990, as receivers really write it."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from lxml import etree

from mailer.feedback.incoming_message import AggregateReport, ReportedSource

MAX_SOURCES: Final = 10_000
_MAX_WORD: Final = 255
_MAX_COUNT: Final = 2**31 - 1
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
    signatures = [
        _read(one, "domain").lower()
        for one in _find_all(record, "auth_results", "dkim")
        if _read(one, "result").lower() == "pass"
    ]
    passed = [
        _read(one, "domain").lower()
        for one in _find_all(record, "auth_results", "spf")
        if _read(one, "result").lower() == "pass"
    ]
    return ReportedSource(
        source_ip=source_ip,
        count=count,
        header_from=_read(record, "identifiers", "header_from").lower().rstrip("."),
        dkim=_read(record, "row", "policy_evaluated", "dkim").lower() == "pass",
        spf=_read(record, "row", "policy_evaluated", "spf").lower() == "pass",
        disposition=_read(record, "row", "policy_evaluated", "disposition").lower(),
        override=_read(record, "row", "policy_evaluated", "reason", "type").lower(),
        dkim_domains=tuple(dict.fromkeys(name for name in signatures if name)),
        spf_domain=next((name for name in passed if name), ""),
    )


def _read_time(root: etree._Element, *path: str) -> datetime | None:
    try:
        seconds = int(float(_read(root, *path)))
    except (ValueError, OverflowError):
        return None
    return datetime.fromtimestamp(seconds, UTC) if _FIRST <= seconds <= _LAST else None


def _read(element: etree._Element, *path: str) -> str:
    """The text of the first element at ``path``, whatever its namespace, on one line and not too long."""
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

"""Reads a message as an aggregate report of DMARC."""

from mailer.feedback.dmarc_reports.attachment import find_report_xml
from mailer.feedback.dmarc_reports.xml_reader import read_report_xml
from mailer.feedback.incoming_message import AggregateReport
from mailer.feedback.mime_part import MimePart


def read_aggregate_report(message: MimePart) -> AggregateReport | None:
    """The report in ``message``; None if it has none. Never raises, whatever the bytes are."""
    xml = find_report_xml(message)
    return read_report_xml(xml) if xml is not None else None

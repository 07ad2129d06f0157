"""Aggregate reports of DMARC are read in every wrapping and dialect, and nothing in them does harm."""

import gzip
import io
import zipfile
from base64 import encodebytes
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback import dmarc_reports
from mailer.feedback.dmarc_reports import MAX_SOURCES, read_report_xml
from mailer.feedback.intake import read_message
from tests.factories.damaged_zip import METHODS, pack_damaged
from tests.factories.dmarc import RECORD, make_report_mail, make_report_xml

BOMB = """<?xml version="1.0"?>
<!DOCTYPE feedback [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY file SYSTEM "file:///etc/passwd">]>
"""


@pytest.mark.parametrize("wrapping", ["gzip", "zip", "xml", "octet-stream"])
def test_a_report_is_read_in_every_wrapping(wrapping: str) -> None:
    message = read_message(make_report_mail(make_report_xml(), wrapping=wrapping))
    assert message.kind is FeedbackKind.dmarc
    report = message.dmarc
    assert report is not None
    assert (report.organisation, report.report_id, report.domain) == ("google.com", "12345", "example.org")
    assert (report.policy, report.begin) == ("none", datetime(2026, 11, 25, tzinfo=UTC))
    ours, theirs = report.sources
    assert (ours.source_ip, ours.count, ours.dkim, ours.spf) == ("192.0.2.1", 120, True, True)
    assert (ours.dkim_domains, ours.spf_domain) == (("example.org",), "example.org")
    assert (theirs.source_ip, theirs.dkim, theirs.spf) == ("2001:db8::1", False, False)
    assert (theirs.disposition, theirs.override) == ("none", "forwarded")


@pytest.mark.parametrize(
    "namespace",
    ["", ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"', ' xmlns="http://dmarc.org/dmarc-xml/0.1"'],
)
def test_both_formats_and_their_namespaces_are_read(namespace: str) -> None:
    report = read_report_xml(make_report_xml(namespace=namespace))
    assert report is not None
    assert len(report.sources) == 2


def test_what_unfolds_to_more_than_we_read_is_no_report() -> None:
    big = make_report_xml() + b" " * dmarc_reports.MAX_XML_BYTES
    for wrapping in ("gzip", "zip"):
        assert read_message(make_report_mail(big, wrapping=wrapping)).kind is not FeedbackKind.dmarc


def test_entities_are_neither_expanded_nor_fetched() -> None:
    xml = BOMB.encode() + make_report_xml(organisation="&c;&file;").partition(b"?>")[2]
    report = read_report_xml(xml)
    assert report is None or ("root:" not in report.organisation and len(report.organisation) < 100)


def test_a_report_with_more_senders_than_anybody_has_is_cut() -> None:
    report = read_report_xml(make_report_xml(records=RECORD * (MAX_SOURCES + 5)))
    assert report is not None
    assert len(report.sources) == MAX_SOURCES


@pytest.mark.parametrize(
    "change",
    [
        ("<domain>example.org</domain>", ""),
        ("<report_id>12345</report_id>", ""),
        ("<begin>1795564800</begin>", "<begin>99999999999999</begin>"),
        ("<begin>1795564800</begin>", "<begin>now</begin>"),
        ("<feedback>", "<feed>"),
    ],
)
def test_what_lacks_its_domain_number_or_days_is_no_report(change: tuple[str, str]) -> None:
    xml = make_report_xml().decode().replace(*change, 1)
    if change[1] == "<feed>":
        xml = xml.replace("</feedback>", "</feed>")
    assert read_report_xml(xml.encode()) is None


@pytest.mark.parametrize("value", ["0", "-3", "many", str(2**40)])
def test_a_sender_with_an_impossible_number_is_left_out(value: str) -> None:
    report = read_report_xml(
        make_report_xml().replace(b"<count>120</count>", f"<count>{value}</count>".encode())
    )
    assert report is not None
    assert [source.source_ip for source in report.sources] == ["2001:db8::1"]


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_attachment_is_read_without_an_exception(content: bytes) -> None:
    for wrapped in (content, gzip.compress(content), b"PK\x03\x04" + content, b"\x1f\x8b" + content):
        raw = (
            b"From: a@example.net\nSubject: Report Domain: example.org\nMIME-Version: 1.0\n"
            b"Content-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n" + encodebytes(wrapped)
        )
        assert read_message(raw).kind is not FeedbackKind.dmarc


@pytest.mark.parametrize("method", METHODS)
def test_a_zip_damaged_inside_is_read_without_an_exception(method: int) -> None:
    content = pack_damaged({"a.xml": make_report_xml()}, damaged="a.xml", method=method)
    assert read_message(make_report_mail(b"", content=content)).kind is not FeedbackKind.dmarc


def test_a_mail_with_another_attachment_stays_what_it_is() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.xml", "<picture/>")
    mail = make_report_mail(b"", content=buffer.getvalue(), subject="Photos of the opening")
    assert read_message(mail).kind is not FeedbackKind.dmarc

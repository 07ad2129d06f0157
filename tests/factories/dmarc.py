"""Aggregate reports of DMARC, as receivers send them."""

import gzip
import io
import zipfile
from email.message import EmailMessage

RECORD = """<record><row><source_ip>192.0.2.1</source_ip><count>120</count><policy_evaluated>
<disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>
<identifiers><header_from>example.org</header_from></identifiers><auth_results>
<dkim><domain>example.org</domain><selector>news1</selector><result>pass</result></dkim>
<spf><domain>example.org</domain><result>pass</result></spf></auth_results></record>
"""
FORWARDED = """<record><row><source_ip>2001:db8::1</source_ip><count>7</count><policy_evaluated>
<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf><reason><type>forwarded</type></reason>
</policy_evaluated></row><identifiers><header_from>example.org</header_from></identifiers><auth_results>
<spf><domain>forwarder.example</domain><result>fail</result></spf></auth_results></record>
"""
STRANGER = """<record><row><source_ip>198.51.100.9</source_ip><count>{count}</count><policy_evaluated>
<disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.org</header_from></identifiers><auth_results>
<spf><domain>bad.example</domain><result>pass</result></spf></auth_results></record>
"""


def make_report_xml(
    *,
    organisation: str = "google.com",
    report_id: str = "12345",
    domain: str = "example.org",
    records: str = RECORD + FORWARDED,
    namespace: str = "",
) -> bytes:
    """A report of 25 November 2026, in the form of RFC 7489 and RFC 9990."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feedback{namespace}><report_metadata><org_name>{organisation}</org_name><email>dmarc@{organisation}</email>
<report_id>{report_id}</report_id><date_range><begin>1795564800</begin><end>1795651199</end></date_range>
</report_metadata><policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>none</p>
</policy_published>{records}</feedback>""".encode()


def make_report_mail(
    xml: bytes, *, wrapping: str = "gzip", content: bytes | None = None, subject: str = ""
) -> bytes:
    """The mail that brings ``xml`` wrapped, or ``content`` as it is, in a zip's type."""
    message = EmailMessage()
    message["From"], message["To"] = "noreply-dmarc-support@google.com", "dmarc@example.org"
    message["Subject"] = subject or "Report domain: example.org Submitter: google.com Report-ID: 12345"
    message["Message-ID"] = "<12345@google.com>"
    message.set_content("This is an aggregate report.")
    packed = _pack(xml, wrapping) if content is None else content
    kind = {"gzip": "gzip", "xml": "xml", "octet-stream": "octet-stream"}.get(wrapping, "zip")
    message.add_attachment(
        packed, maintype="application", subtype=kind, filename="google.com!example.org.xml"
    )
    return message.as_bytes()


def _pack(xml: bytes, wrapping: str) -> bytes:
    if wrapping == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("google.com!example.org!1795564800!1795651199.xml", xml)
        return buffer.getvalue()
    return xml if wrapping == "xml" else gzip.compress(xml)

"""Reports for machines: RFC 3464, RFC 6533, and what servers make of them."""

import pytest

from mailer.feedback.bounces.delivery_status import read_delivery_status

HEAD = "Reporting-MTA: dns; mail.example.com\nOriginal-Envelope-Id: 0a1b2c\n\n"


def test_each_recipient_has_its_own_action_status_and_words() -> None:
    first, second, third = read_delivery_status(
        HEAD + "Original-Recipient: rfc822;team@example.org\nFinal-Recipient: RFC822; nobody@example.org\n"
        "Action: failed\nStatus: 5.1.1 (no such user)\nRemote-MTA: dns; mx.example.org\n"
        "Diagnostic-Code: smtp; 550 5.1.1\n No such mailbox\n\n"
        "Final-Recipient: rfc822;<slow@example.net>\nAction: delayed\nStatus: 4.4.1\n\n"
        "Final-Recipient: rfc822; glad@example.net\nAction: delivered (to mailbox)\nStatus: 2.0.0\n"
    )
    assert (first.address, first.original_address) == ("nobody@example.org", "team@example.org")
    assert (first.status, first.code, first.host) == ("5.1.1", "550", "mx.example.org")
    assert first.words == "550 5.1.1 No such mailbox"
    assert (second.address, second.action, second.host) == ("slow@example.net", "delayed", "mail.example.com")
    assert (third.action, third.status) == ("delivered", "2.0.0")
    assert {report.envelope_id for report in (first, second, third)} == {"0a1b2c"}


def test_an_address_outside_ascii_is_read_in_each_of_its_forms() -> None:
    forms = ("utf-8; náme@example.org", r"utf-8; n\x{E1}me@example.org")
    for form in forms:
        (report,) = read_delivery_status(f"{HEAD}Final-Recipient: {form}\nAction: failed\nStatus: 5.1.1\n")
        assert report.address == "náme@example.org"
    (hostile,) = read_delivery_status(f"{HEAD}Final-Recipient: utf-8; a\\x{{D800}}\\x{{0}}b@example.org\n")
    assert hostile.address == "ab@example.org"


def test_a_report_without_empty_lines_or_with_too_many_is_read() -> None:
    fields = "Final-Recipient: rfc822; {}@example.org\nAction: failed\nStatus: 5.0.0\n"
    together = HEAD.strip() + "\n" + fields.format("a") + fields.format("b")
    apart = HEAD + fields.format("a").replace("\n", "\n\n") + "\n\n\n" + fields.format("b")
    for source in (together, apart):
        reports = read_delivery_status(source)
        assert [(one.address, one.action, one.status) for one in reports] == [
            ("a@example.org", "failed", "5.0.0"),
            ("b@example.org", "failed", "5.0.0"),
        ]


def test_a_line_that_was_wrapped_without_a_space_is_mended() -> None:
    (report,) = read_delivery_status(
        f"{HEAD}Final-Recipient: rfc822; a@example.org\nDiagnostic-Code: smtp; 550\nthe mailbox is full\n"
        "Action: failed\n"
    )
    assert report.words == "550 the mailbox is full"


def test_an_unknown_recipient_is_named_by_the_address_written_to() -> None:
    fields = (
        "Original-Recipient: rfc822; a@example.org\nFinal-Recipient: x-unix; |/bin/filter\nAction: error\n"
    )
    (report,) = read_delivery_status(HEAD + fields)
    assert (report.address, report.action) == ("a@example.org", "failed")
    assert read_delivery_status(f"{HEAD}Final-Recipient: x400; c=us\n") == ()


@pytest.mark.parametrize(
    "final", ["40712@store-daemon", "anna@localhost", "anna@mx.local", "b@srv.home.arpa"]
)
def test_an_address_that_only_the_server_knows_yields_to_the_one_written_to(final: str) -> None:
    fields = f"Original-Recipient: rfc822; a@example.org\nFinal-Recipient: rfc822; {final}\nAction: failed\n"
    (report,) = read_delivery_status(HEAD + fields)
    assert (report.address, report.original_address) == ("a@example.org", "")


def test_a_name_at_a_host_stays_beside_the_one_written_to() -> None:
    fields = "Original-Recipient: rfc822; a@example.org\nFinal-Recipient: rfc822; b@store2\nAction: failed\n"
    (report,) = read_delivery_status(HEAD + fields)
    assert (report.address, report.original_address) == ("b@store2", "a@example.org")

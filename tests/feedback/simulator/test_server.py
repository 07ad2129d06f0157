"""The simulator: each recipient answers as a real mail server, program or person would."""

import smtplib
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from mailer.feedback.simulator.returned_mails import SimulatedRecipient, find_recipient
from mailer.feedback.simulator.server import Simulator, run_simulator, to_maildir

SENDER = f"bounce+{'0a' * 25}@news.example.org"
LEAVING = f"leave+{'0b' * 25}@news.example.org"


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def simulator(tmp_path: Path, reports: list[str]) -> Iterator[Simulator]:
    back = to_maildir(tmp_path / "back")
    takes = {"team@news.example.org"}.__contains__
    with run_simulator(tmp_path / "received", return_path=back, takes=takes, report=reports.append) as server:
        yield server


def newsletter(recipient: str, text: str = "Ten stories\n") -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = "News <news@example.org>"
    mail["To"] = recipient
    mail["Reply-To"] = "team@news.example.org"
    mail["Subject"] = "Issue 2"
    mail["Message-ID"] = "<1.2@news.example.org>"
    mail["List-Unsubscribe"] = f"<https://news.example.org/u/x>, <mailto:{LEAVING}>"
    mail.set_content(text)
    return mail


def send(server: Simulator, recipient: str, *options: str, sender: str = SENDER, text: str = "Ten\n") -> Any:
    """Send a newsletter; the server's reply to it, or to its recipient if that is refused."""
    host, port = server.url.removeprefix("smtp://").split(":")
    with smtplib.SMTP(host, int(port), timeout=10) as line:
        line.ehlo()
        line.mail(sender, list(options))
        if (refusal := line.rcpt(recipient))[0] != 250:
            return refusal
        return line.data(newsletter(recipient, text).as_bytes())


def returned(tmp_path: Path) -> list[EmailMessage]:
    parser = BytesParser(EmailMessage, policy=policy.default)
    return [parser.parsebytes(path.read_bytes()) for path in sorted((tmp_path / "back" / "new").iterdir())]


def only(tmp_path: Path) -> EmailMessage:
    (mail,) = returned(tmp_path)
    return mail


@pytest.mark.parametrize(
    "address",
    [
        "full@simulator.example",
        "Full@Simulator.example",
        "ann+full@simulator.example",
        "a+b+full@simulator.example",
    ],
)
def test_a_recipient_is_known_by_the_end_of_the_local_part(address: str) -> None:
    assert find_recipient(address) is SimulatedRecipient.full


@pytest.mark.parametrize(
    "address", ["ann@simulator.example", "fullness@simulator.example", "full@example.org"]
)
def test_anybody_else_accepts(address: str) -> None:
    assert find_recipient(address) is SimulatedRecipient.accept


def test_what_is_accepted_is_kept_and_nothing_comes_back(simulator: Simulator, tmp_path: Path) -> None:
    assert send(simulator, "ann@simulator.example")[0] == 250
    (kept,) = simulator.messages()
    assert (kept["X-Envelope-To"], kept["Subject"]) == ("ann@simulator.example", "Issue 2")
    assert returned(tmp_path) == []


def test_an_unknown_user_is_refused_at_once(simulator: Simulator, tmp_path: Path) -> None:
    code, words = send(simulator, "reject@simulator.example")
    assert (code, words.split()[0]) == (550, b"5.1.1")
    assert len(simulator) == 0
    assert returned(tmp_path) == []


@pytest.mark.parametrize(("name", "status"), [("bounce", "5.1.1"), ("full", "5.2.2")])
def test_a_bounce_goes_to_the_envelope_sender_with_status_words_and_original(
    simulator: Simulator, tmp_path: Path, name: str, status: str
) -> None:
    send(simulator, f"ann+{name}@simulator.example", "ENVID=00AA", text="日本語\n")
    bounce = only(tmp_path)
    assert (bounce["Return-Path"], bounce["Delivered-To"]) == ("<>", SENDER)
    assert bounce.get_content_type() == "multipart/report"
    assert bounce.get_param("report-type") == "delivery-status"
    _, report, original = bounce.iter_parts()
    about_message, about_recipient = report.get_payload()
    assert about_message["Original-Envelope-Id"] == "00AA"
    assert about_recipient["Final-Recipient"] == f"rfc822; ann+{name}@simulator.example"
    assert about_recipient["Status"] == status
    assert original.get_content()["Message-ID"] == "<1.2@news.example.org>"
    assert original.get_content().get_content().strip() == "日本語"


def test_a_bounce_returns_headers_only_where_the_sender_asked(simulator: Simulator, tmp_path: Path) -> None:
    send(simulator, "bounce@simulator.example", "RET=HDRS", text="not this\n")
    assert list(only(tmp_path).iter_parts())[2].get_content_type() == "text/rfc822-headers"
    assert "not this" not in only(tmp_path).as_string()


def test_a_complaint_hides_the_reader_and_knows_no_token(simulator: Simulator, tmp_path: Path) -> None:
    send(simulator, "complain@simulator.example")
    complaint = only(tmp_path)
    assert complaint["Delivered-To"] == "bounce@news.example.org"
    assert complaint.get_param("report-type") == "feedback-report"
    assert "Feedback-Type: abuse" in complaint.as_string()
    assert "complain@simulator.example" not in complaint.as_string()
    assert list(complaint.iter_parts())[2].get_content()["Subject"] == "Issue 2"


def test_greylisting_refuses_each_address_once(simulator: Simulator) -> None:
    assert send(simulator, "defer@simulator.example")[0] == 451
    assert send(simulator, "Defer@simulator.example")[0] == 250
    assert send(simulator, "ann+defer@simulator.example")[0] == 451


def test_a_person_replies_with_the_original_below(simulator: Simulator, tmp_path: Path) -> None:
    send(simulator, "answer@simulator.example")
    reply = only(tmp_path)
    assert (reply["To"], reply["Delivered-To"]) == ("team@news.example.org", SENDER)
    assert (reply["Subject"], reply["In-Reply-To"]) == ("Re: Issue 2", "<1.2@news.example.org>")
    assert reply["Auto-Submitted"] is None
    assert "> Ten" in reply.get_content()


def test_an_out_of_office_note_names_a_successor(simulator: Simulator, tmp_path: Path) -> None:
    send(simulator, "away@simulator.example")
    note = only(tmp_path)
    assert (note["Auto-Submitted"], note["Return-Path"], note["To"]) == ("auto-replied", "<>", SENDER)
    assert "Sarah Okafor <sarah.okafor@simulator.example>" in note.get_content()


def test_leaving_by_mail_has_no_subject_and_no_text(simulator: Simulator, tmp_path: Path) -> None:
    send(simulator, "leave@simulator.example")
    leaving = only(tmp_path)
    assert (leaving["Delivered-To"], leaving["From"]) == (LEAVING, "leave@simulator.example")
    assert (leaving["Subject"], leaving.get_content().strip()) == ("", "")


def test_a_silent_server_keeps_the_mail_and_says_nothing(simulator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(simulator, "silent@simulator.example")
    assert len(simulator) == 1
    assert only(tmp_path)["Subject"] == "Re: Issue 2"


def test_nobody_answers_a_mail_without_an_envelope_sender(simulator: Simulator, tmp_path: Path) -> None:
    for recipient in SimulatedRecipient:
        if recipient is not SimulatedRecipient.silent:
            send(simulator, recipient.address, sender="")
    assert returned(tmp_path) == []


def test_it_takes_no_mail_for_real_people_and_says_so_without_writing_them_off(simulator: Simulator) -> None:
    code, words = send(simulator, "minister@example.net")
    # 530 stops a campaign; any other refusal would count against the reader.
    assert code == 530
    assert b"tag:simulator" in words
    assert send(simulator, "team@news.example.org")[0] == 250


def test_it_says_what_happens_to_each_mail(simulator: Simulator, reports: list[str]) -> None:
    send(simulator, "bounce@simulator.example")
    send(simulator, "ann@simulator.example")
    assert reports == [
        "bounce@simulator.example: accepted; a bounce goes to bounce+…@news.example.org",
        "ann@simulator.example: accepted",
    ]


def test_a_mail_is_on_disk_before_the_server_says_so(simulator: Simulator) -> None:
    client = smtplib.SMTP("127.0.0.1", int(simulator.url.rpartition(":")[2]))
    client.sendmail(SENDER, ["ann@simulator.example"], b"Subject: one\r\n\r\n.dot\r\n")
    assert [message["Subject"] for message in simulator.messages()] == ["one"]
    assert simulator.messages()[0].get_content().splitlines() == [".dot"]
    client.quit()

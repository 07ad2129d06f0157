"""What an incoming message is: bounce, complaint, leaving, or something else; and what it says."""

import json
from base64 import b64encode

import pytest

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.incoming_message import IncomingMessage
from mailer.feedback.intake import read_message
from mailer.reasons.reason import Reason

TOKEN = "0a" * 25
RETURNED = (
    f"Return-Path: <bounce+{TOKEN}@news.example.com>\n"
    "Received: by news.example.com; Mon, 3 Mar 2025 10:00:00 +0100\n"
    "From: News <news@example.com>\nTo: A Person <person@example.org>\nSubject: News\n"
    f"Message-ID: <{TOKEN}@news.example.com>\nX-Feedback-Token: {TOKEN}\n"
    f"List-Unsubscribe: <https://news.example.com/u/x>,\n <mailto:leave+{TOKEN}@news.example.com>\n\nHello\n"
)


def read(source: str) -> IncomingMessage:
    return read_message(source.encode())


def make_report(kind: str, status: str, *, human: str = "Sorry.", returned: str = RETURNED) -> str:
    return (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mail.example.com\nTo: bounce@news.example.com\n"
        f"Subject: Delivery report\nContent-Type: multipart/report; report-type={kind}; boundary=b\n\n"
        f"--b\n\n{human}\n--b\nContent-Type: message/{kind}\n\n{status}\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}\n--b--\n"
    )


STATUS = (
    "Reporting-MTA: dns; mail.example.com\n\nFinal-Recipient: rfc822; person@example.org\n"
    "Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {words}\n"
)


def test_a_bounce_names_recipient_reason_and_what_it_returns() -> None:
    status = STATUS.format(action="failed", status="5.1.1", words="550 5.1.1 User unknown")
    message = read(make_report("delivery-status", status))
    assert message.kind is FeedbackKind.bounce
    (person,) = message.recipients
    assert (person.address, person.reason, person.is_dead) == (
        "person@example.org",
        Reason.no_such_user,
        True,
    )
    assert message.original.feedback_token == TOKEN
    assert message.original.message_id == f"<{TOKEN}@news.example.com>"
    assert f"mailto:leave+{TOKEN}@" in message.original.list_unsubscribe
    assert message.original.envelope_sender == f"bounce+{TOKEN}@news.example.com"
    assert message.original.recipients == ("person@example.org",)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_a_delay_or_a_success_removes_nobody_and_is_named_for_what_it_is(action: str) -> None:
    status = "4.1.1" if action == "delayed" else "2.0.0"
    words = "450 4.1.1 User unknown" if action == "delayed" else "250 2.0.0 User unknown until now"
    message = read(make_report("delivery-status", STATUS.format(action=action, status=status, words=words)))
    (person,) = message.recipients
    assert (message.kind, person.action, person.is_dead) == (FeedbackKind.bounce, action, False)
    assert (person.reason is None) == (action != "delayed")


@pytest.mark.parametrize("subject", ["Warning: could not send message for past 4 hours", "Delivery delayed"])
def test_a_warning_in_prose_is_a_delay(subject: str) -> None:
    source = (
        f"From: MAILER-DAEMON@mail.example.com\nReturn-Path: <>\nSubject: {subject}\n\nNothing known.\n\n"
        f"--- Original message follows.\n{RETURNED}"
    )
    (person,) = read(source).recipients
    assert (person.address, person.action, person.is_dead) == ("person@example.org", "delayed", False)


def test_a_global_report_has_addresses_outside_ascii() -> None:
    status = STATUS.format(action="failed", status="5.1.1", words="550 nobody").replace(
        "rfc822; person@", "utf-8; persön@"
    )
    (person,) = read(make_report("global-delivery-status", status)).recipients
    assert person.address == "persön@example.org"


def test_the_returned_message_is_found_in_text_even_when_it_is_quoted() -> None:
    quoted = "\n".join(f"> {line}" for line in RETURNED.split("\n"))
    for copy in (RETURNED, quoted):
        message = read(
            "From: postmaster@mail.example.com\nReturn-Path: <>\nSubject: Undeliverable mail\n\n"
            f"Our computer could not find anybody.\n\n----- Original message -----\n\n{copy}"
        )
        assert message.original.feedback_token == TOKEN
        assert [person.address for person in message.recipients] == ["person@example.org"]
        assert message.text == "Our computer could not find anybody."


def test_a_bounce_of_nobody_keeps_its_reason_for_whom_the_token_finds() -> None:
    (nobody,) = read(
        "From: MAILER-DAEMON@mail.example.com\nReturn-Path: <>\nSubject: Undelivered mail\n\n"
        "The mailbox is full: 552 5.2.2 over quota\n"
    ).recipients
    assert (nobody.address, nobody.reason, nobody.status) == ("", Reason.full, "5.2.2")


def test_what_flufl_alone_knows_is_asked_of_it_last() -> None:
    message = read(
        "From: MAILER-DAEMON@mail.example.com\nReturn-Path: <>\nTo: a@example.com\nSubject: Returned mail\n\n"
        "thanks and sorry to a@example.net and b@example.net\n"
        "Your message to <one@example.org> and <two@example.org> cannot be delivered ... User unknown\n"
        "550 <three@example.org>... User unknown\n"
    )
    assert message.kind is FeedbackKind.bounce


def test_a_person_who_quotes_a_bounce_is_no_bounce() -> None:
    quoted = "> <nobody@example.org>: 550 5.1.1 User unknown\n> Final-Recipient: rfc822; nobody@example.org\n"
    for subject in ("Re: Undelivered Mail Returned to Sender", "Fwd: our meeting", "Undelivered parcels"):
        source = f"From: person@example.org\nTo: news@example.com\nSubject: {subject}\n\nLook:\n{quoted}"
        assert read(source).kind is not FeedbackKind.bounce


@pytest.mark.parametrize(
    "words",
    [
        "I am away until Monday. In urgent cases, write to the following address:\n\ndeputy@example.org\n",
        "Your message to person@example.org has been received and will not be read before Monday.",
        "I could not reply. This mailbox is full of mail: please write to deputy@example.org instead.",
        "person@example.org: the user is no longer known here. Recipient: deputy@example.org",
        "<deputy@example.org>: my deputy. 550 5.1.1 is a joke.",
    ],
)
def test_an_automatic_reply_is_no_bounce_although_its_envelope_has_no_sender(words: str) -> None:
    head = "Return-Path: <>\nFrom: A Person <person@example.org>\nAuto-Submitted: auto-replied\n"
    assert read(f"{head}Subject: Out of office: News\n\n{words}").kind is FeedbackKind.auto_reply


def test_a_newsletter_that_names_addresses_is_no_bounce() -> None:
    words = "Write to the following address: a@example.org\n550 5.1.1 <a@example.org> is not funny"
    for sender in ("Mail Manager <mm@example.net>", "orders@example.net", "Person <person@example.org>"):
        for subject in ("Weekly news", "Re: your quota"):
            source = f"From: {sender}\nTo: news@example.com\nSubject: {subject}\n\n{words}\n"
            assert read(source).kind is not FeedbackKind.bounce


def test_a_bounce_that_somebody_forwarded_is_one_if_the_whole_report_is_in_it() -> None:
    report = STATUS.format(action="failed", status="5.1.1", words="550 5.1.1 User unknown")
    quoted = "".join(f"> {line}\n" for line in report.split("\n"))
    source = f"From: a@example.com\nSubject: Fwd: Returned mail\n\nBegin forwarded message:\n\n{quoted}"
    (person,) = read(source).recipients
    assert (person.address, person.is_dead) == ("person@example.org", True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("This mail was scanned; dangerous attachments and viruses were removed.", Reason.no_such_user),
        ("Spam is not welcome here. See our policy.", Reason.no_such_user),
        ("The mailbox is full.", Reason.full),
        ("The mailbox file could not be created.", Reason.other),
    ],
)
def test_a_footer_does_not_outweigh_the_status_of_an_unknown_address(words: str, reason: Reason) -> None:
    status = "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; person@example.org\n"
    report = make_report(
        "delivery-status", f"{status}Action: failed\nStatus: 5.1.1\n", human=f"Not sent.\n\n-- \n{words}"
    )
    (person,) = read(report).recipients
    assert person.reason is reason


def test_the_host_that_refused_a_person_is_not_what_is_unknown() -> None:
    for words in ("User does not exist", "Rcpt does not exist", "mailbox dosn't exist"):
        (person,) = read(
            "From: MAILER-DAEMON@mail.example.com\nReturn-Path: <>\nSubject: failure notice\n\n"
            "Hi. This is the qmail-send program at mail.example.com.\n\n<person@example.org>:\n"
            f"192.0.2.1 does not like recipient.\nRemote host said: 550 {words}\nGiving up on 192.0.2.1.\n"
        ).recipients
        assert (person.address, person.reason) == ("person@example.org", Reason.no_such_user)


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("Delivery problem: please verify", "Nothing is lost. Please click the link to verify yourself."),
        ("Message not delivered", "To confirm that you are a person, answer this mail."),
        ("Undelivered mail", "Your message has been quarantined until you confirm it."),
        ("Nicht zugestellt", "Bitte bestätigen Sie, dass Sie ein Mensch sind."),
    ],
)
def test_whoever_asks_for_proof_of_a_person_returns_nothing(subject: str, words: str) -> None:
    head = f"From: MAILER-DAEMON@mail.example.com\nReturn-Path: <>\nTo: a@example.com\nSubject: {subject}\n\n"
    text = f"About your message to person@example.org:\n\n{words}\n"
    assert read(head + text).kind is not FeedbackKind.bounce
    # A server that refuses a message for the same reason has returned it.
    assert read(f"{head}{text}\n<person@example.org>: 550 5.7.1 refused\n").kind is FeedbackKind.bounce


def test_apple_mail_leaves_for_its_user_whichever_of_our_addresses_it_reaches() -> None:
    head = "From: Anna <anna@example.org>\nTo: news@example.com\nSubject: Unsubscribe\n"
    fields = "Auto-Submitted: auto-replied\nX-Apple-Unsubscribe: true\n\n"
    message = read(f"{head}{fields}Apple Mail sent this.")
    assert (message.kind, [one.address for one in message.recipients]) == (
        FeedbackKind.leave,
        ["anna@example.org"],
    )
    assert read(f"{head}{fields}x".replace("true", "false")).kind is FeedbackKind.auto_reply


REPORT = "Feedback-Type: {kind}\nUser-Agent: Example/1\nVersion: 1\n"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("abuse", Reason.complaint),
        ("opt-out", Reason.complaint),
        ("auth-failure", Reason.authentication),
        ("not-spam", None),
        ("", Reason.complaint),
    ],
)
def test_a_complaint_says_of_whom_and_of_what(kind: str, reason: Reason | None) -> None:
    fields = REPORT.format(kind=kind) + "Original-Rcpt-To: <person@example.org>\n"
    message = read(make_report("feedback-report", fields))
    assert message.kind is FeedbackKind.complaint
    assert [(one.address, one.reason) for one in message.recipients] == [("person@example.org", reason)]
    assert not message.recipients[0].is_dead
    assert message.original.feedback_token == TOKEN


@pytest.mark.parametrize("hidden", ["redacted@example.org", "undisclosed-recipients:;", "xxx@example.org"])
def test_a_hidden_address_leaves_the_token_of_the_returned_message(hidden: str) -> None:
    returned = RETURNED.replace("A Person <person@example.org>", hidden)
    fields = REPORT.format(kind="abuse") + f"Original-Rcpt-To: {hidden}\n"
    message = read(make_report("feedback-report", fields, returned=returned))
    assert [(one.address, one.reason) for one in message.recipients] == [("", Reason.complaint)]
    assert message.original.feedback_token == TOKEN


def test_a_report_by_rfc_9477_need_not_have_more_than_the_token() -> None:
    returned = f"CFBL-Feedback-ID: {TOKEN}\n"
    message = read(make_report("feedback-report", REPORT.format(kind="abuse"), returned=returned))
    assert message.kind is FeedbackKind.complaint
    assert [(one.address, one.reason) for one in message.recipients] == [("", Reason.complaint)]
    assert message.original.feedback_token == TOKEN


SAMPLE = f"From: news@example.org\nTo: person@example.org\nCFBL-Feedback-ID: {TOKEN}\n\n"


@pytest.mark.parametrize(
    "report",
    [
        {
            "Version": "1",
            "Report": {
                "ReportType": "Spam",
                "Samples": [{"ContentType": "message/rfc822", "Base64Encoded": False, "Payload": SAMPLE}],
            },
        },
        {
            "Version": "3",
            "Report": {
                "ReportType": "Spam",
                "SmtpRcptToAddress": "person@example.org",
                "Samples": [
                    {
                        "ContentType": "message/rfc822",
                        "Base64Encoded": True,
                        "Payload": b64encode(SAMPLE.encode()).decode(),
                    }
                ],
            },
        },
        {
            "xarf_version": "4.0.0",
            "category": "messaging",
            "type": "spam",
            "evidence": [{"content_type": "message/rfc822", "payload": b64encode(SAMPLE.encode()).decode()}],
        },
    ],
    ids=["version 1", "version 3", "version 4"],
)
def test_a_complaint_in_xarf_is_read(report: dict[str, object]) -> None:
    source = (
        "From: fbl@provider.example\nSubject: Report\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nA report.\n"
        f'--b\nContent-Type: application/json; name="xarf.json"\n\n{json.dumps(report)}\n--b--\n'
    )
    message = read(source)
    assert message.kind is FeedbackKind.complaint
    assert [(one.address, one.reason) for one in message.recipients] == [
        ("person@example.org", Reason.complaint)
    ]
    assert message.original.feedback_token == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        '{"Version": "1", "Report": {"ReportType": "Malware"}}',
        '{"type": "spam"}',
        "[" * 100_000,
        '{"xarf_version": 4, "type": ["spam"]}',
        "{",
    ],
)
def test_json_that_reports_no_spam_is_no_complaint(text: str) -> None:
    source = f"From: fbl@provider.example\nContent-Type: application/json\n\n{text}\n"
    assert read(source).kind is not FeedbackKind.complaint


def test_microsofts_complaint_has_no_body_and_names_its_reader_in_a_header() -> None:
    source = (
        "From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\n"
        "X-HmXmrOriginalRecipient: person@example.org\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
        f"{RETURNED.replace('person@example.org', 'redacted@example.org')}\n--b--\n"
    )
    message = read(source)
    assert message.kind is FeedbackKind.complaint
    assert [one.address for one in message.recipients] == ["person@example.org"]
    assert message.original.feedback_token == TOKEN


def test_amazons_notices_by_mail_are_read() -> None:
    head = "From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\n\n"
    bounce = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{'
        '"emailAddress":"nobody@example.org","action":"failed","status":"5.1.1",'
        '"diagnosticCode":"smtp; 550 5.1.1 user unknown"}]}}'
    )
    complaint = (
        '{"notificationType":"Complaint",'
        '"complaint":{"complainedRecipients":[{"emailAddress":"a@example.org"}]}}'
    )
    wrapped = '{\n "Type" : "Notification",\n "Message" : "' + bounce.replace('"', '\\"') + '"\n}'
    for text in (bounce + "\n--\nIf you wish to stop", wrapped):
        message = read(head + text)
        assert message.kind is FeedbackKind.bounce
        assert [(one.address, one.is_dead) for one in message.recipients] == [("nobody@example.org", True)]
    message = read(head + complaint)
    assert message.kind is FeedbackKind.complaint
    assert [(one.address, one.reason) for one in message.recipients] == [("a@example.org", Reason.complaint)]


@pytest.mark.parametrize("field", ["To", "Delivered-To", "X-Original-To", "Cc"])
def test_a_mail_to_the_leaving_address_leaves_whatever_it_says(field: str) -> None:
    for body in ("", "I do not want to leave!", "Subject: Undelivered Mail\n\n<a@example.org>: User unknown"):
        source = f"From: another@example.net\n{field}: <LEAVE+{TOKEN.upper()}@news.example.com>\n\n{body}"
        assert read(source).kind is FeedbackKind.leave


def test_the_leaving_address_is_the_one_of_the_settings() -> None:
    source = f"From: a@example.net\nTo: out-{TOKEN}@news.example.com\n\n".encode()
    assert (
        read_message(source, leave_address="out@news.example.com", delimiter="-").kind is FeedbackKind.leave
    )
    assert read_message(source, leave_address="leave@news.example.com").kind is not FeedbackKind.leave
    assert read_message(b"\n\n", delivered_to=[f"leave+{TOKEN}@x.example"]).kind is FeedbackKind.leave
    assert read("To: leave+0a0a@news.example.com\n\nbye").kind is not FeedbackKind.leave

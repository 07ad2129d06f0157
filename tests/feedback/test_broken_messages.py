"""Whatever arrives is read: broken, hostile or absurd, without an exception, and no message is left out."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.database.feedback_models import FeedbackKind
from mailer.feedback.bounces.server_rules import load_server_rules
from mailer.feedback.incoming_message import IncomingMessage
from mailer.feedback.intake import read_message
from mailer.feedback.mime_part import split_mailbox

NAUGHTY = (
    "", " ", "\x00", "\r", "\n\n", "\ud800", "\ufeff", "\u202e", "﷽", "NaN", "-1", "1e999", "../../x",
    "<script>alert(1)</script>", "'; DROP TABLE x; --", "%s%n%d", "{{7*7}}", "${jndi:ldap://x}",
    "=?utf-8?B?////?=", "=?x?q?=?=", "=?utf-8?Q?=00=ED=A0=80?=", "a" * 5000, "@", "@@", "<>", "<@>", "a@",
    "@b", '"@"@example.org', "a@b@c", "<" * 500, "\\x{110000}@example.org", "utf-8; \\x{D800}@example.org",
    ";" * 200, "boundary=", 'boundary="', "5.1.1" * 100, "550 " * 100, "Ω≈ç√∫", "田中さん", "🏳️‍🌈",
    "٠١٢@example.org", "xn--a@xn--b", "(" * 5000, "a:" * 5000,
)  # fmt: skip
FIELDS = (
    "From", "To", "Subject", "Return-Path", "Delivered-To", "Content-Type", "Content-Transfer-Encoding",
    "Message-ID", "Auto-Submitted", "X-Failed-Recipients", "List-Unsubscribe", "X-Feedback-Token", "Date",
    "Final-Recipient", "Original-Recipient", "Action", "Status", "Diagnostic-Code", "Remote-MTA",
    "Original-Envelope-Id", "Feedback-Type", "Original-Rcpt-To", "Reported-Domain",
)  # fmt: skip


def make_message(fields: dict[str, str]) -> str:
    """A report with a value of each field, in each place where it can stand."""
    lines = "".join(f"{name}: {fields.get(name, 'x@example.org')}\n" for name in FIELDS)
    return (
        f"{lines.replace('Content-Type', 'X-Type')}Content-Type: multipart/report; boundary=b\n\n"
        f"--b\n\n{lines}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: x\n\n{lines}\n"
        f"--b\nContent-Type: message/feedback-report\n\n{lines}\n--b\n{lines}\n{lines}\n"
        f"--b\nContent-Type: message/rfc822\n\n{lines}\n\nbody\n--b--\n"
    )


def check(message: IncomingMessage) -> None:
    """Everything that is read can be stored: text without NUL and surrogates, of bounded length."""
    assert isinstance(message.kind, FeedbackKind)
    texts = [message.sender, message.subject, message.message_id, message.text, *message.delivered_to]
    original = message.original
    texts += [
        original.message_id,
        original.feedback_token,
        original.list_unsubscribe,
        original.envelope_sender,
    ]
    for one in message.recipients:
        texts += [
            one.address,
            one.words,
            one.status,
            one.code,
            one.action,
            one.envelope_id,
            one.original_address,
        ]
    joined = "\n".join([*texts, *original.recipients])
    assert "\x00" not in joined
    joined.encode()


def mutate(source: bytes, chance: random.Random) -> bytes:
    """Break ``source`` in some of the ways in which servers, lists and attackers do."""
    data = bytearray(source)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.randint(1, 400))
        match chance.randrange(7):
            case 0:
                del data[at:to]
            case 1:
                data[at:at] = data[at:to] * chance.randint(1, 4)
            case 2:
                data[at:to] = bytes(chance.randrange(256) for _ in range(to - at))
            case 3:
                data[at:at] = chance.choice(NAUGHTY).encode("utf-8", "surrogatepass")
            case 4:
                data = data.replace(b"\n", chance.choice((b"\r", b"\r\n", b"\n\n", b"\x00", b"\n ")))
            case 5:
                data = data.replace(b"@", chance.choice((b"", b"@@", b" at ", "＠".encode())))
            case _:
                data = data[:to]
    return bytes(data)


def list_sources() -> Iterator[bytes]:
    head = "Return-Path: <>\nFrom: MAILER-DAEMON@mail.example.com\nSubject: failure notice\n"
    yield from ((head + "\n" + rule.sample).encode() for rule in load_server_rules())
    yield make_message({}).encode()
    yield make_message({"Content-Transfer-Encoding": "base64"}).encode()


def test_a_thousand_mutated_messages_are_read() -> None:
    chance = random.Random(20250303)
    sources = list(list_sources())
    for number in range(1000):
        check(read_message(mutate(sources[number % len(sources)], chance)))


def test_naughty_strings_in_every_field_are_read() -> None:
    for words in NAUGHTY:
        for source in (make_message(dict.fromkeys(FIELDS, words)), f"{words}: {words}\n\n{words}"):
            check(read_message(source.encode("utf-8", "surrogatepass")))
    for name in FIELDS:
        for words in NAUGHTY:
            check(
                read_message(
                    f"{name}: {words}\nFrom: MAILER-DAEMON@x\n\n{words}".encode("utf-8", "surrogatepass")
                )
            )


def test_ten_megabytes_are_read() -> None:
    head = b"From: MAILER-DAEMON@example.com\nReturn-Path: <>\nSubject: failure notice\n\n"
    for filling in (b"<a@example.org>:\n550 no\n\n", b"\xff@ "):
        check(read_message(head + filling * (10_000_000 // len(filling))))


@pytest.mark.parametrize(
    "hostile",
    [
        "From: " + "feedback" * 30_000 + "\n\n",
        "From: " + "feedback-" * 28_000 + "\n\n",
        "From: " + "jmrp" * 60_000 + "\n\n",
        "Content-Type: text/html\n\n" + "<p " * 80_000,
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
        "Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1" + "\t" * 240_000 + "x\n--b--",
    ],
    ids=["words of a robot", "its names", "letters of Microsoft", "open tags", "tabs of a report"],
)
def test_a_hostile_message_is_read_in_linear_time(hostile: str) -> None:
    """A quadratic expression would take minutes on these, and the suite's time-out end it."""
    check(read_message(f"Return-Path: <>\nSubject: failure notice\n{hostile}".encode()))


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    check(read_message(raw))
    assert split_mailbox(raw)

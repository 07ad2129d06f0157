"""Any bytes are read as a message: line endings, charsets, boundaries and depths as they come back."""

import base64

import pytest

from mailer.feedback.mime_headers import parse_parameters
from mailer.feedback.mime_part import MimePart, parse_message, read_html_text, split_mailbox

REPORT = """\
From MAILER-DAEMON Mon Mar  3 10:00:00 2025
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@example.com>
Subject: =?utf-8?B?VW56dXN0ZWxsYmFy?=
 =?utf-8?Q?_-_f=C3=BCr_Sie?=
Content-Type: multipart/report;
\tboundary="a b"; report-type=delivery-status

preamble
--a b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
--a b
Content-Type: message/rfc822

Subject: Newsletter
Content-Type: multipart/mixed; boundary=x

--x

inner
--x--
--a b--
epilogue
"""


def list_types(message: MimePart) -> list[str]:
    return [part.content_type for part in message.all_parts]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_message_reads_the_same_whatever_its_lines_end_in(ending: str) -> None:
    message = parse_message(REPORT.replace("\n", ending).encode("latin-1"))
    assert message.headers.get("subject") == "Unzustellbar - für Sie"
    assert list_types(message) == ["multipart/report", "text/plain", "message/rfc822"]
    assert message.readable_text == "Grüße"
    enclosed = message.parts[1].read_enclosed()
    assert enclosed.headers.raw("subject") == "Newsletter"
    assert enclosed.readable_text == "inner"


@pytest.mark.parametrize("boundary", ["", 'boundary="another"', "boundary="])
def test_a_missing_or_wrong_boundary_is_guessed(boundary: str) -> None:
    part = "--real\nContent-Type: text/html\n\n<p>a<p>b\n--real--\n"
    message = parse_message(f"Content-Type: multipart/mixed; {boundary}\n\n{part}".encode())
    assert message.readable_text.split() == ["a", "b"]


def test_a_multipart_without_parts_is_a_text() -> None:
    assert parse_message(b"Content-Type: multipart/mixed; boundary=x\n\nwords\n").readable_text == "words\n"


def test_the_boundary_of_an_inner_part_may_begin_like_the_outer_one() -> None:
    source = (
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=x-1\n\n"
        "--x-1\n\none\n--x-1\n\ntwo\n--x-1--\n--x\nContent-Type: text/css\n\nthree\n--x--\n"
    )
    texts = [part.text for part in parse_message(source.encode()).all_parts if part.is_text]
    assert texts == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("content", "charset", "words"),
    [
        ("自動返信".encode("iso2022_jp"), "us-ascii", "自動返信"),
        ("退信".encode("gb18030"), "gb2312", "退信"),
        ("naïve".encode(), "iso-8859-1; x", "naïve"),
        ("naïve".encode("latin-1"), "utf-8", "naïve"),
        ("naïve".encode(), "no-such-charset", "naïve"),
        (b"\\ud800 \\u0041", "unicode_escape", "\\ud800 \\u0041"),
        (b"a\x00b\x1bc", "us-ascii", "abc"),
        ("a".encode("utf-16"), "utf-16", "a"),
    ],
)
def test_a_wrong_charset_costs_no_words(content: bytes, charset: str, words: str) -> None:
    source = f'Content-Type: text/plain; charset="{charset}"\n\n'.encode() + content
    assert parse_message(source).text == words


def test_broken_base64_is_decoded_as_far_as_it_goes() -> None:
    encoded = base64.b64encode(b"User unknown in this town")
    for broken in (encoded[:-3], encoded.replace(b"V", b"V!*\n"), encoded + b"\n-- \nadded by a list"):
        source = b"Content-Transfer-Encoding: base64\n\n" + broken
        assert parse_message(source).text.startswith("User unknown in this tow")


def test_what_is_no_message_is_a_text() -> None:
    for source in (b"", b"\n\n\n", b"no header at all", b"\x00\xff\xfe", b": no name\n\nx", b"\n\nwords"):
        message = parse_message(source)
        assert message.content_type == "text/plain"
        assert isinstance(message.readable_text, str)
    assert parse_message(b"just words").readable_text == "just words"


def test_depth_parts_and_length_are_bounded() -> None:
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    assert len(list(parse_message(deep.encode()).all_parts)) < 30
    wide = "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 5000
    assert len(list(parse_message(wide.encode()).all_parts)) <= 201
    large = parse_message(b"Subject: large\n\n" + b"word and word\n" * 750_000)
    assert len(large.body) > 10_000_000
    assert len(large.text) == 256 * 1024


@pytest.mark.parametrize(
    "hostile",
    [
        "Subject: " + " " * 200_000 + "x\n\n",
        "Subject: " + "=?" * 100_000 + "\n\n",
        "Content-Type: text/plain" + ';a="' * 60_000 + "\n\n",
        "Content-Type: text/html\n\n" + "<style><!--" * 20_000,
        "Content-Type: text/html\n\n" + "<" * 200_000,
        "a:\n" + " b\n" * 80_000 + "\n",
    ],
    ids=["spaces", "encoded words", "parameters", "unclosed tags", "brackets", "folds"],
)
def test_hostile_text_is_read_in_linear_time(hostile: str) -> None:
    """A quadratic expression would take minutes on these, and the suite's time-out end it."""
    message = parse_message(hostile.encode())
    assert isinstance(message.readable_text + message.headers.get("subject"), str)


def test_parameters_may_be_quoted_continued_or_missing() -> None:
    assert parse_parameters('Text/Plain; Name="a \\"b\\""; charset*0=utf-8') == (
        "text/plain",
        {"name": 'a "b"', "charset": "utf-8"},
    )
    assert parse_parameters("") == ("", {})


def test_html_becomes_lines_of_words() -> None:
    source = "<title>no</title><style>a{}</style><body>Hello&nbsp;<b>you</b><br>to <a@example.org>"
    assert read_html_text(source).strip() == "Hello you\nto <a@example.org>"


def test_a_mailbox_file_is_split_into_its_messages() -> None:
    one = "From a@example.org Mon Mar  3 10:00:00 2025\nSubject: {}\n\nFrom here on\n\n"
    messages = split_mailbox((one.format("first") + one.format("second")).encode())
    assert [parse_message(raw).headers.get("subject") for raw in messages] == ["first", "second"]
    assert split_mailbox(b"Subject: x\n\nwords") == [b"Subject: x\n\nwords"]

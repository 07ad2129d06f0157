"""Replies are parsed the same however they are split, and capabilities as servers write them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.stream import MalformedReplyError, Reply, ReplyParser, parse_ehlo_text

WORDS = st.binary(max_size=20).filter(lambda words: b"\n" not in words and not words.endswith(b"\r"))
REPLIES = st.lists(
    st.tuples(st.integers(200, 599), st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=5
)


def write(code: int, lines: list[bytes], end: bytes = b"\r\n") -> bytes:
    """The bytes of a reply."""
    marks = [b"-"] * (len(lines) - 1) + [b" "]
    return b"".join(b"%d%b%b%b" % (code, mark, line, end) for mark, line in zip(marks, lines, strict=True))


@given(REPLIES, st.lists(st.integers(0, 400), max_size=12), st.sampled_from([b"\r\n", b"\n"]))
def test_replies_are_parsed_the_same_however_they_are_split(
    replies: list[tuple[int, list[bytes]]], cuts: list[int], end: bytes
) -> None:
    data = b"".join(write(code, lines, end) for code, lines in replies)
    parser, replies_read = ReplyParser(), []
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, stop in itertools.pairwise(places):
        replies_read += parser.feed(data[start:stop])
    assert replies_read == [Reply(code, b"\n".join(lines)) for code, lines in replies]
    assert parser.is_empty


@given(REPLIES)
def test_a_reply_is_complete_with_its_last_byte_and_not_before(
    replies: list[tuple[int, list[bytes]]],
) -> None:
    parser = ReplyParser()
    for code, lines in replies:
        data = write(code, lines)
        for place in range(len(data) - 1):
            assert parser.feed(data[place : place + 1]) == []
            assert not parser.is_empty
        assert parser.feed(data[-1:]) == [Reply(code, b"\n".join(lines))]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_crash_the_parser(pieces: list[bytes]) -> None:
    parser = ReplyParser()
    replies_read = [reply for piece in pieces for reply in parser.feed(piece)]
    assert all(0 <= code <= 999 for code, _ in replies_read)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"250 2.0.0 Ok\r\n", 250, b"2.0.0 Ok"),
        (b"250\r\n", 250, b""),
        (b"250 \r\n", 250, b""),
        (b"250\n", 250, b""),
        (b"250-\r\n250\r\n", 250, b"\n"),
        (b"550-5.1.1 No\r\n550-\r\n550 5.1.1 such\r\n", 550, b"5.1.1 No\n\n5.1.1 such"),
        (b"250 a\rb\r\n", 250, b"a\rb"),
        (b"250 \xff\xfe\0\r\n", 250, b"\xff\xfe\0"),
        # No replies; the line that says so is kept.
        (b"hello\r\n", 0, b"hello"),
        (b"\r\n", 0, b""),
        (b"25 short\r\n", 0, b"25 short"),
        (b"2500 long\r\n", 0, b"2500 long"),
        (b"+25 0\r\n", 0, b"+25 0"),
        ("２５０ wide\r\n".encode(), 0, "２５０ wide".encode()),
    ],
)
def test_a_reply_has_a_code_and_a_text(data: bytes, code: int, words: bytes) -> None:
    parser = ReplyParser()
    assert parser.feed(data) == [Reply(code, words)]
    assert parser.is_empty


@pytest.mark.parametrize("data", [b"250 " + 9_000 * b"x", 9_000 * b"x", 300 * b"250-more\r\n"])
def test_an_endless_reply_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedReplyError, match="too long"):
        ReplyParser().feed(data)


def test_a_long_explanation_is_a_reply() -> None:
    data = 100 * (b"550-" + 500 * b"x" + b"\r\n") + b"550 end\r\n"
    ((code, words),) = ReplyParser().feed(data)
    assert (code, words.count(b"\n")) == (550, 100)


def test_an_incomplete_reply_is_kept() -> None:
    parser = ReplyParser()
    assert parser.is_empty
    parser.feed(b"250-one\r\n")
    assert not parser.is_empty
    assert parser.feed(b"250 two\r\n") == [Reply(250, b"one\ntwo")]
    assert parser.is_empty


# Capabilities


def test_capabilities_are_keywords_with_parameters() -> None:
    found = parse_ehlo_text(
        "mx.example.org greets you\nPIPELINING\nSIZE 10240000\nstarttls\nAUTH PLAIN login\n\n8BITMIME"
    )
    assert found.keywords["SIZE"] == ("10240000",)
    assert all(word in found for word in ("PIPELINING", "STARTTLS", "8BITMIME"))
    assert "SMTPUTF8" not in found
    assert found.auth_mechanisms == ("PLAIN", "LOGIN")


def test_the_first_line_is_a_greeting_and_not_a_capability() -> None:
    assert "PIPELINING" not in parse_ehlo_text("PIPELINING")
    assert parse_ehlo_text("").auth_mechanisms == ()


@pytest.mark.parametrize(
    ("lines", "auth"),
    [
        ("AUTH=LOGIN", ("LOGIN",)),
        ("AUTH=LOGIN PLAIN", ("LOGIN", "PLAIN")),
        # Exchange and old Postfix write both.
        ("AUTH LOGIN PLAIN\nAUTH=LOGIN PLAIN", ("LOGIN", "PLAIN", "LOGIN", "PLAIN")),
        ("AUTH", ()),
        ("SIZE=5", ()),
    ],
)
def test_login_mechanisms_are_read_as_old_servers_write_them(lines: str, auth: tuple[str, ...]) -> None:
    assert parse_ehlo_text(f"mx\n{lines}").auth_mechanisms == auth


@given(st.text(max_size=200))
def test_no_text_crashes_the_parsing_of_capabilities(words: str) -> None:
    assert all(keyword == keyword.upper() for keyword in parse_ehlo_text(words).keywords)

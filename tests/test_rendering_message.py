"""One reader's message as bytes: headers nobody can bend, bodies any server takes."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import getaddresses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.errors import BuildError, ConfigurationError
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.headers import MailPolicy, format_mailbox, format_text, plain_phrase
from mailer.rendering.message import build_message, encode_body, names_survive_folding
from mailer.rendering.reader import Reader, nobody
from mailer.settings import Settings

Build = Callable[..., bytes]
TOKEN = "AQAAAAAAAAAMAAAAA0fZHi1L3ZvbZZ3oHDvAK5k"
COMPILED = CompiledEdition(
    slug="2021-2",
    language="en",
    title="News",
    subject="Living in harmony with nature",
    preheader="",
    sender_name="UNESCO Beijing",
    greeting="Dear {name},",
    html='<!DOCTYPE html>\n<p>@@greeting@@ 看见</p><a href="@@unsubscribe_url@@">leave</a>',
    text="@@greeting@@\n\nNews from Beijing\n\n@@unsubscribe_url@@\n",
    stories=(),
    digest="",
)
SENDER = {
    "name": "Us",
    "address": "news@example.org",
    "organisation": "Us",
    "postal_address": "Beijing 100600",
    "list_id": "newsletter.example.org",
}
READER = Reader(
    subscriber_id=12,
    campaign_id=3,
    email="li@example.org",
    envelope="li@example.org",
    name="Li Wei",
    language="en",
    unsubscribe_url=f"https://news.example.org/u/{TOKEN}",
    preferences_url=f"https://news.example.org/p/{TOKEN}",
    base_url="https://news.example.org",
    message_id="<c3.s12.5fbeae7c85f8@example.org>",
)
CORPUS = Path(__file__).parents[2] / "shared" / "corpora" / "naughty-strings" / "blns.json"


def _settings(**sender: str) -> Settings:
    return Settings.model_validate(
        {"sender": SENDER | sender, "web": {"base_url": "https://news.example.org"}}
    )


@pytest.fixture
def build(now: datetime) -> Build:
    def build_for(compiled: CompiledEdition = COMPILED, reader: Reader = READER, **sender: str) -> bytes:
        return build_message(compiled, reader, _settings(**sender), now=now)

    return build_for


def _parse(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _lines(part: Message) -> str:
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


def _header_lines(data: bytes) -> list[str]:
    return data.partition(b"\r\n\r\n")[0].decode().split("\r\n")


def test_the_headers_are_these_and_no_others(build: Build) -> None:
    assert _header_lines(build(reply_to="desk@example.org")) == [
        "From: UNESCO Beijing <news@example.org>",
        "To: Li Wei <li@example.org>",
        "Reply-To: desk@example.org",
        "Subject: Living in harmony with nature",
        "Date: Sun, 01 Mar 2026 09:00:00 +0000",
        "Message-ID: <c3.s12.5fbeae7c85f8@example.org>",
        "MIME-Version: 1.0",
        f"List-Unsubscribe: <https://news.example.org/u/{TOKEN}>, "
        f"<mailto:desk@example.org?subject=unsubscribe%20{TOKEN}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "List-Id: <newsletter.example.org>",
        "List-Post: NO",
        "Precedence: bulk",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Content-Language: en",
        'Content-Type: multipart/alternative; boundary="=_c3.s12.5fbeae7c85f8"',
    ]


def test_the_same_arguments_give_the_same_bytes(build: Build) -> None:
    assert build() == build()


def test_one_click_needs_its_header_whole_and_readable(build: Build) -> None:
    long = replace(READER, unsubscribe_url="https://news.example.org/u/" + "A" * 300)
    (line,) = [line for line in _header_lines(build(reader=long)) if line.startswith("List-Unsubscribe:")]
    assert f"<{long.unsubscribe_url}>" in line
    assert line.count("<https:") == 1
    assert "=?" not in line
    # As the standard library writes it, no mail program would find the address.
    theirs = EmailMessage(policy=policy.SMTP)
    theirs["List-Unsubscribe"] = f"<{long.unsubscribe_url}>"
    assert long.unsubscribe_url.encode() not in theirs.as_bytes()


def test_both_parts_arrive_as_they_were_plain_first(build: Build) -> None:
    message = _parse(build())
    plain, html = message.iter_parts()
    assert [part.get_content_type() for part in (plain, html)] == ["text/plain", "text/html"]
    assert _lines(plain) == f"Dear Li Wei,\n\nNews from Beijing\n\nhttps://news.example.org/u/{TOKEN}\n"
    assert "Dear Li Wei, 看见" in _lines(html)
    assert f'href="https://news.example.org/u/{TOKEN}"' in _lines(html)
    assert message.defects == plain.defects == html.defects == []


def test_lines_end_in_crlf_and_are_short(build: Build) -> None:
    long = replace(COMPILED, html="<p>" + "word 看见 = " * 3000 + "</p>@@unsubscribe_url@@", text="x" * 5000)
    for data in (build(), build(long)):
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", data)
        _, _, bodies = data.partition(b"\r\n\r\n")
        assert max(map(len, bodies.split(b"\r\n"))) <= 76
        assert data.isascii()


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"), max_size=400))
def test_any_body_comes_back_as_it_was(body: str) -> None:
    encoding, payload = encode_body(body)
    part = message_from_bytes(f"Content-Transfer-Encoding: {encoding}\r\n\r\n{payload}".encode())
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    assert decoded.decode().replace("\r\n", "\n") == body
    assert all(len(line) <= 76 for line in payload.split("\n"))
    assert payload.isascii()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [("plain words " * 100, "quoted-printable"), ("看见残障人" * 100, "base64"), ("", "quoted-printable")],
)
def test_the_smaller_encoding_is_taken(body: str, encoding: str) -> None:
    assert encode_body(body)[0] == encoding


def test_a_line_end_of_any_kind_becomes_crlf() -> None:
    assert encode_body("a\r\nb\rc\nd")[1] == "a\r\nb\r\nc\r\nd"


def test_a_nul_builds_no_mail(build: Build) -> None:
    with pytest.raises(BuildError, match=r"li@example\.org: no message can be built: the body holds a NUL"):
        build(replace(COMPILED, text="a\0b"))


NAMES = [
    "",
    "Li Wei",
    "李伟",
    "Wolfgang Müller-Lüdenscheidt, Prof. Dr. Dr. h.c. mult., Generaldirektor für Internationales",
    'Smith, John "Jack" (Ministry)',
    "evil@example.com, " + "x" * 80,
    "a" * 300,
    "日本" * 60,
    "=?utf-8?Q?Bcc=3A_x?=",
    "a\r\nBcc: x@example.com",
    "a\nBcc: x@example.com",
    "a\u2028b\u0085c\x0bd",
    "x\0y",
    "Ministry <boss@example.com>",
    "\u202egro.elpmaxe",
    "👩\u200d🏫 Teacher",
    "\ud800 half",
]


def _check_name(data: bytes, name: str) -> None:
    raw = message_from_bytes(data, policy=policy.compat32)
    assert [address for _, address in getaddresses([str(raw["To"])])] == ["li@example.org"]
    assert [address.addr_spec for address in _parse(data)["To"].addresses] == ["li@example.org"]
    assert len(raw.keys()) == len({key.lower() for key in raw}) == 14
    assert raw["Bcc"] is None
    shown = "".join(str(make_header(decode_header(str(raw["To"])))).rpartition("<")[0])
    if plain_phrase(name):
        assert " ".join(shown.split()) == plain_phrase(name)
    # RFC 2047 allows an encoded word 75 characters, RFC 5322 a line 998.
    assert all(len(line) <= 998 for line in _header_lines(data))
    assert all(len(word) <= 75 for line in _header_lines(data) for word in re.findall(r"=\?\S+\?=", line))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_changes_who_a_mail_is_to(build: Build, name: str) -> None:
    _check_name(build(reader=replace(READER, name=name)), name)


def test_no_naughty_name_changes_who_a_mail_is_to(build: Build) -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus of naughty strings is not beside the project")
    for name in json.loads(CORPUS.read_text(encoding="utf-8")):
        _check_name(build(reader=replace(READER, name=name)), name)


@given(name=st.text(max_size=200))
def test_any_name_is_one_mailbox_on_lines_that_fold(name: str) -> None:
    value = format_mailbox(name, "li@example.org")
    message = EmailMessage(policy=MailPolicy())
    message["To"] = value
    assert all(line.startswith(" ") for line in value.split("\r\n")[1:])
    assert [address for _, address in getaddresses([value.replace("\r\n", "")])] == ["li@example.org"]
    assert value.isascii()


@given(text=st.text(max_size=300))
def test_any_subject_comes_back_on_lines_that_fold(text: str) -> None:
    value = format_text(text)
    decoded = str(make_header(decode_header(value.replace("\r\n", ""))))
    assert " ".join(decoded.split()) == plain_phrase(text)
    assert all(line.startswith(" ") for line in value.split("\r\n")[1:])
    assert all(len(line) <= 76 for line in value.split("\r\n"))
    assert value.isascii()


def test_a_long_plain_subject_is_folded_and_not_encoded() -> None:
    subject = "Living in harmony with nature: 26 stories from UNESCO Beijing and its partners"
    assert format_text(subject).replace("\r\n", "") == subject
    assert "\r\n " in format_text(subject)


@pytest.mark.parametrize(
    "address",
    ["a b@example.org", "a@example.org, b@example.org", "a@example.org>\r\nBcc: b", "<a@example.org", "a",
     "a@b@example.org", '"a"@example.org', "a@bücher.example", "a\u00a0b@example.org", "\0@example.org"],
)  # fmt: skip
def test_an_address_that_would_bend_a_header_builds_no_mail(build: Build, address: str) -> None:
    with pytest.raises(BuildError, match="cannot be written in a header"):
        build(reader=replace(READER, envelope=address))


def test_a_local_part_beyond_ascii_is_written_as_it_is(build: Build) -> None:
    data = build(reader=replace(READER, envelope="李@xn--bcher-kva.example", name="李伟"))
    assert "\r\n <李@xn--bcher-kva.example>\r\n".encode() in data
    assert b"=?utf-8?B?" in data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Unsubscribe", "<https://e.org>\r\nBcc: x@example.com"),
        ("List-Unsubscribe", "<https://e.org>\nBcc: x@example.com"),
        ("Message-ID", "<a\0@example.org>"),
        ("List-Id", "<bücher.example>"),
        ("Subject", "x" * 1200),
        ("Subject", "a\r\n\r\nbody"),
        ("Subject", "a\r\n \r\n"),
    ],
)
def test_the_policy_lets_no_header_end_early(name: str, value: str) -> None:
    message = EmailMessage(policy=MailPolicy())
    with pytest.raises(ValueError, match=name):
        message[name] = value


def test_a_link_that_would_bend_a_header_builds_no_mail(build: Build) -> None:
    with pytest.raises(BuildError):
        build(reader=replace(READER, unsubscribe_url="https://e.org/u/x>\r\nBcc: x@example.com"))
    with pytest.raises(BuildError):
        build(reader=replace(READER, unsubscribe_url="https://e.org/" + "x" * 1000))


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        ({"address": "näws@example.org"}, "must be ASCII before the @"),
        ({"reply_to": "no address"}, "[sender] no address"),
        ({"list_id": "our list"}, "must look like newsletter.example.org"),
        ({"list_id": "简报.example.org"}, "must look like newsletter.example.org"),
    ],
)
def test_a_wrong_sender_is_a_matter_of_settings(build: Build, sender: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        build(**sender)


def test_a_domain_of_our_own_beyond_ascii_is_written_in_ascii(build: Build) -> None:
    lines = _header_lines(build(address="news@bücher.example", list_id=""))
    assert "From: UNESCO Beijing <news@xn--bcher-kva.example>" in lines
    assert "List-Id: <newsletter.xn--bcher-kva.example>" in lines


def test_a_mail_for_nobody_can_be_looked_at(now: datetime) -> None:
    settings = _settings()
    message = _parse(build_message(COMPILED, nobody(settings), settings, now=now))
    assert message["To"] == "undisclosed-recipients:;"
    assert message["Message-ID"] == "<c0.s0@example.org>"


def test_this_program_writes_names_that_survive() -> None:
    assert names_survive_folding()

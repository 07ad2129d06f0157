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
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.errors import BuildError, ConfigurationError
from mailer.rendering.body.counted_links import LinkKey
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.headers import (
    format_mailbox,
    format_text,
    make_sender_id,
    plain_phrase,
    write_campaign_fields,
    write_header,
)
from mailer.rendering.mail_merge import Reader, anonymous_reader
from mailer.rendering.message import MessageBuilder, build_message, names_survive_folding
from mailer.settings import FeedbackSettings, Settings, WebhooksSettings
from tests.factories.webhook_requests import SENDGRID_KEY
from tests.paths import ROOT

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
    one_story="1 story",
    many_stories="{count} stories",
    html="<!DOCTYPE html>\n<!--@begin greeting --><p>@@greeting@@ 看见</p><!--@end greeting-->"
    '<a href="@@unsubscribe_url@@">leave</a>\n',
    text="\x1ebegin greeting \x1f\n@@greeting@@\n\n\x1eend greeting\x1f\n"
    "News from Beijing\n\n@@unsubscribe_url@@\n",
    stories=(),
    digest="5fbeae7c85f8",
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
    token=TOKEN,
    base_url="https://news.example.org",
    message_id="<c3.s12.5fbeae7c85f8@example.org>",
)
CORPUS = ROOT.parent / "shared" / "corpora" / "naughty-strings" / "blns.json"


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


def test_a_message_has_exactly_these_headers(build: Build) -> None:
    assert _header_lines(build(reply_to="desk@example.org")) == [
        "From: UNESCO Beijing <news@example.org>",
        "To: Li Wei <li@example.org>",
        "Reply-To: desk@example.org",
        "Subject: Living in harmony with nature",
        "Date: Sun, 01 Mar 2026 09:00:00 +0000",
        "Message-ID: <c3.s12.5fbeae7c85f8@example.org>",
        "Feedback-ID: c3:e-2021-2:l-en:example-org",
        "MIME-Version: 1.0",
        f"List-Unsubscribe: <https://news.example.org/u/{TOKEN}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "List-Id: <newsletter.example.org>",
        "List-Post: NO",
        "Precedence: bulk",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        "Content-Language: en",
        'Content-Type: multipart/alternative; boundary="=_5fbeae7c85f8"',
    ]


def test_the_same_arguments_give_the_same_bytes(build: Build) -> None:
    assert build() == build()


def test_the_one_click_header_is_neither_encoded_nor_folded(build: Build) -> None:
    long = READER._replace(token="A" * 300)
    (line,) = [line for line in _header_lines(build(reader=long)) if line.startswith("List-Unsubscribe:")]
    assert line == f"List-Unsubscribe: <{long.unsubscribe_url}>"
    # As the standard library writes it, no mail program would find the address.
    theirs = EmailMessage(policy=policy.SMTP)
    theirs["List-Unsubscribe"] = f"<{long.unsubscribe_url}>"
    assert long.unsubscribe_url.encode() not in theirs.as_bytes()


def test_the_address_to_leave_at_stands_behind_the_page_on_the_same_line(now: datetime) -> None:
    feedback = FeedbackSettings(leave_address="leave=us@news.example.org", delimiter="=")
    reader = READER._replace(bounce_token="0a" * 25, leave_token="0b" * 25)
    settings = _settings().model_copy(update={"feedback": feedback})
    lines = _header_lines(build_message(COMPILED, reader, settings, now=now))
    # RFC 6068 escapes the equals sign; nothing else is encoded or folded, however long.
    mailto = f"mailto:leave%3Dus%3D{reader.leave_token}@news.example.org"
    assert f"List-Unsubscribe: <{reader.unsubscribe_url}>, <{mailto}>" in lines
    assert f"X-Feedback-Token: {reader.bounce_token}" in lines
    plus = FeedbackSettings(leave_address="leave@news.example.org")
    settings = _settings().model_copy(update={"feedback": plus})
    lines = _header_lines(build_message(COMPILED, reader, settings, now=now))
    mailto = f"mailto:leave+{reader.leave_token}@news.example.org"
    assert f"List-Unsubscribe: <{reader.unsubscribe_url}>, <{mailto}>" in lines
    # A test and a preview for nobody have no token, so they offer no address either.
    nobody = _header_lines(build_message(COMPILED, READER, settings, now=now))
    assert f"List-Unsubscribe: <{reader.unsubscribe_url}>" in nobody
    assert not [line for line in nobody if line.startswith("X-Feedback-Token")]


def test_gmail_can_count_complaints_by_campaign_edition_and_language_but_not_by_reader(now: datetime) -> None:
    one, other = (
        _header_lines(build_message(COMPILED, reader, _settings(), now=now))
        for reader in (READER, READER._replace(subscriber_id=99, name="Somebody Else", token="other"))
    )
    (header,) = [line for line in one if line.startswith("Feedback-ID: ")]
    fields = header.removeprefix("Feedback-ID: ").split(":")
    assert fields[:3] == [f"c{READER.campaign_id}", f"e-{COMPILED.slug}", f"l-{COMPILED.language}"]
    assert re.fullmatch(r"[a-z0-9-]{5,15}", fields[3])
    assert len(set(fields)) == 4
    assert header in other


@pytest.mark.parametrize("domain", ["a.b", "example.org", "x" * 60 + ".example.org", "xn--fiqs8s.example"])
@pytest.mark.parametrize("slug", ["2026-2~correction-1", "a:b c\r\nX: y", "看见" * 200])
def test_a_feedback_id_is_four_fields_on_one_short_line_whatever_it_is_made_of(
    domain: str, slug: str
) -> None:
    value = f"c{2**31}{write_campaign_fields(slug, 'zh-Hans', domain)}"
    assert re.fullmatch(r"[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+){3}", value)
    assert len(value) <= 120
    assert 5 <= len(make_sender_id(domain)) <= 15


def test_two_senders_whose_names_begin_alike_have_different_ids() -> None:
    first, second = (make_sender_id(f"newsletter.department-{name}.example.org") for name in "ab")
    assert first != second


def test_providers_are_told_where_to_report_a_complaint_and_of_which_message(now: datetime) -> None:
    feedback = FeedbackSettings(complaint_address="complaints@news.example.org")
    settings = _settings().model_copy(update={"feedback": feedback})
    token = "0a" * 25
    lines = _header_lines(build_message(COMPILED, READER._replace(bounce_token=token), settings, now=now))
    assert "CFBL-Address: complaints@news.example.org; report=arf" in lines
    assert f"CFBL-Feedback-ID: {token}" in lines
    # A preview for nobody has no token, and without the setting nobody is asked to report.
    nobody = _header_lines(build_message(COMPILED, READER, settings, now=now))
    without = _header_lines(
        build_message(COMPILED, READER._replace(bounce_token=token), _settings(), now=now)
    )
    assert not [line for line in (*nobody, *without) if line.startswith("CFBL")]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_code_of_a_message_stands_in_both_parts(language: str, now: datetime) -> None:
    # Chinese makes the parts base64.
    words = "看见" * 4000 if language == "zh-Hans" else "news"
    foot = "@@verification_code@@ · @@verify_place@@"
    mail = replace(
        COMPILED,
        language=language,
        html=f'<p>{words}</p><p>{foot} <a href="@@verify_url@@">@@unsubscribe_url@@</a></p>\n',
        text=f"{words}\n\n@@verification_code@@\n@@verify_url@@\n@@unsubscribe_url@@\n",
    )
    code = "7K3M-QX9P-2HWD-5T8R"
    reader = READER._replace(language=language, verification_code=code)
    message = _parse(build_message(mail, reader, _settings(), now=now))
    html, text = (message.get_body((kind,)).get_content() for kind in ("html", "plain"))
    assert f"{code} · news.example.org/verify" in html
    assert 'href="https://news.example.org/verify"' in html
    assert f"\n{code}\nhttps://news.example.org/verify\n" in text.replace("\r\n", "\n")


def test_each_provider_in_the_settings_gets_the_token_in_the_header_that_it_repeats(now: datetime) -> None:
    secret = {"secret_file": "secret"}
    named = ("postmark", "mailgun", "brevo", "mailjet", "generic")
    sendgrid = {"verification_key": SENDGRID_KEY.public}
    webhooks = WebhooksSettings.model_validate({**dict.fromkeys(named, secret), "sendgrid": sendgrid})
    settings = _settings().model_copy(update={"feedback": FeedbackSettings(webhooks=webhooks)})
    token = "0a" * 25

    def read_headers(bounce_token: str) -> dict[str, str]:
        reader = READER._replace(bounce_token=bounce_token)
        lines = _header_lines(build_message(COMPILED, reader, settings, now=now))
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    headers = read_headers(token)
    plain = ("x-feedback-token", "x-pm-metadata-feedback-token", "x-mailin-custom", "x-mj-customid")
    assert {headers.get(name) for name in plain} == {token}
    assert json.loads(headers["x-mailgun-variables"]) == {"feedback_token": token}
    assert json.loads(headers["x-smtpapi"]) == {"unique_args": {"feedback_token": token}}
    without = read_headers("")
    assert set(headers) - set(without) == {*plain, "x-mailgun-variables", "x-smtpapi"}


def test_automatic_replies_are_suppressed_unless_they_are_read(now: datetime) -> None:
    def suppresses(successors: bool) -> bool:
        feedback = FeedbackSettings(successors=successors)
        settings = _settings().model_copy(update={"feedback": feedback})
        return "X-Auto-Response-Suppress" in _parse(build_message(COMPILED, READER, settings, now=now))

    assert suppresses(False)
    assert not suppresses(True)


def test_both_parts_arrive_unchanged_with_plain_text_first(build: Build) -> None:
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


@pytest.mark.parametrize(
    ("body", "encoding"), [("plain words " * 100, "quoted-printable"), ("看见残障人" * 100, "base64")]
)
def test_each_part_uses_the_smaller_encoding(build: Build, body: str, encoding: str) -> None:
    plain, html = _parse(build(replace(COMPILED, text=f"{body}@@greeting@@ end\n"))).iter_parts()
    assert plain["Content-Transfer-Encoding"] == encoding
    assert html["Content-Transfer-Encoding"] == "quoted-printable"
    assert _lines(plain) == f"{body}Dear Li Wei, end\n"


@pytest.mark.parametrize("name", ["", "L", "Li", "Li W", "李", "李伟", "<b>\"&'", "." * 90, "From here"])
def test_a_name_of_any_length_leaves_a_base64_body_intact(build: Build, name: str) -> None:
    chinese = "看见残障人" * 300
    text = f"{chinese}\n@@greeting@@\n{chinese}\n@@preferences_url@@\n@@unsubscribe_url@@ 再见\n"
    plain, html = _parse(
        build(replace(COMPILED, text=text, html=text), READER._replace(name=name))
    ).iter_parts()
    for part, greeting in (
        (plain, f"Dear {name}," if name else ""),
        (html, escape(f"Dear {name},") if name else ""),
    ):
        assert part["Content-Transfer-Encoding"] == "base64"
        assert _lines(part) == (
            f"{chinese}\n{greeting}\n{chinese}\nhttps://news.example.org/p/{TOKEN}\n"
            f"https://news.example.org/u/{TOKEN} 再见\n"
        )


def test_a_reader_without_a_name_gets_no_greeting(build: Build) -> None:
    plain, html = _parse(build(reader=READER._replace(name=" \u202e"))).iter_parts()
    assert _lines(plain).startswith("News from Beijing")
    assert "看见" not in _lines(html)


@pytest.mark.parametrize("start", [".", "..", ".hidden", "From here", "From ", ">From"])
@pytest.mark.parametrize("width", [1, 60, 76, 77, 200])
def test_no_line_begins_with_a_dot_or_from(build: Build, start: str, width: int) -> None:
    body = f"{start}{'x' * width}\n{start}\nword {start} word\n" * 3
    data = build(replace(COMPILED, text=body, html=f"<pre>{body}</pre>\n"))
    plain, _ = _parse(data).iter_parts()
    assert _lines(plain) == body
    bodies = data.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert not [line for line in bodies if line.startswith((b".", b"From "))]
    assert max(map(len, bodies)) <= 76


@pytest.mark.parametrize(
    "name", [".", "..", "From Li", "From", "a=b", "Li ", "x" * 71, "x" * 72, "x" * 73, "<b>"]
)
def test_no_name_begins_a_line_with_a_dot_or_from_or_makes_it_too_long(build: Build, name: str) -> None:
    data = build(replace(COMPILED, greeting="{name}"), READER._replace(name=name))
    lines = data.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert not [line for line in lines if line.startswith((b".", b"From "))]
    assert max(map(len, lines)) <= 76
    plain, _ = _parse(data).iter_parts()
    assert _lines(plain).startswith(f"{name.strip()}\n\nNews")


def test_a_builder_writes_the_same_as_build_message(now: datetime) -> None:
    builder = MessageBuilder([COMPILED], _settings())
    for reader in (READER, READER._replace(name=""), READER._replace(name="李伟")):
        assert builder.build(reader, now=now) == build_message(COMPILED, reader, _settings(), now=now)


def test_a_reader_gets_their_language_or_the_edition_s_own(now: datetime) -> None:
    chinese = replace(COMPILED, language="zh-Hans", subject="北京通讯")
    builder = MessageBuilder([COMPILED, chinese], _settings())
    asked = {"zh": "zh-Hans", "zh-Hans": "zh-Hans", "en": "en", "mn": "en", "": "en"}
    for wanted, got in asked.items():
        message = _parse(builder.build(READER._replace(language=wanted), now=now))
        assert message["Content-Language"] == got


def test_a_nul_in_the_body_builds_no_message(build: Build) -> None:
    with pytest.raises(
        BuildError, match="no message can be built from this edition: the body contains a NUL"
    ):
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
    assert len(raw.keys()) == len({key.lower() for key in raw}) == 15
    assert raw["Bcc"] is None
    shown = "".join(str(make_header(decode_header(str(raw["To"])))).rpartition("<")[0])
    if plain_phrase(name):
        assert " ".join(shown.split()) == plain_phrase(name)
    # RFC 2047 allows an encoded word 75 characters, RFC 5322 a line 998.
    assert all(len(line) <= 998 for line in _header_lines(data))
    assert all(len(word) <= 75 for line in _header_lines(data) for word in re.findall(r"=\?\S+\?=", line))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_changes_the_recipient(build: Build, name: str) -> None:
    _check_name(build(reader=READER._replace(name=name)), name)


def test_no_naughty_string_changes_the_recipient(build: Build) -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus of naughty strings is not beside the project")
    for name in json.loads(CORPUS.read_text(encoding="utf-8")):
        _check_name(build(reader=READER._replace(name=name)), name)


@given(name=st.text(max_size=200))
def test_any_name_gives_one_correctly_folded_mailbox(name: str) -> None:
    value = format_mailbox(name, "li@example.org")
    assert write_header("To", value) == f"To: {value}\r\n"
    assert all(line.startswith(" ") for line in value.split("\r\n")[1:])
    assert [address for _, address in getaddresses([value.replace("\r\n", "")])] == ["li@example.org"]
    assert value.isascii()


@given(text=st.text(max_size=300))
def test_any_subject_is_folded_correctly_and_decodes_to_itself(text: str) -> None:
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
def test_an_address_that_could_inject_a_header_builds_no_message(build: Build, address: str) -> None:
    with pytest.raises(BuildError, match="cannot be written in a header"):
        build(reader=READER._replace(envelope=address))


def test_a_non_ascii_local_part_is_written_as_it_is(build: Build) -> None:
    data = build(reader=READER._replace(envelope="李@xn--bcher-kva.example", name="李伟"))
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
def test_a_header_that_would_end_early_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        write_header(name, value)


def test_a_link_that_could_inject_a_header_builds_no_message(build: Build) -> None:
    with pytest.raises(BuildError):
        build(reader=READER._replace(token="x>\r\nBcc: x@example.com"))
    with pytest.raises(BuildError):
        build(reader=READER._replace(token="x" * 1000))


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        ({"address": "näws@example.org"}, "use only ASCII characters before the @"),
        ({"reply_to": "no address"}, "[sender] no address"),
        ({"list_id": "our list"}, "must look like newsletter.example.org"),
        ({"list_id": "简报.example.org"}, "must look like newsletter.example.org"),
    ],
)
def test_an_invalid_sender_is_a_configuration_error(build: Build, sender: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        build(**sender)


def test_a_non_ascii_domain_of_our_own_is_written_in_ascii(build: Build) -> None:
    lines = _header_lines(build(address="news@bücher.example", list_id=""))
    assert "From: UNESCO Beijing <news@xn--bcher-kva.example>" in lines
    assert "List-Id: <newsletter.xn--bcher-kva.example>" in lines


def test_an_anonymous_message_can_be_built(now: datetime) -> None:
    settings = _settings()
    message = _parse(build_message(COMPILED, anonymous_reader(settings), settings, now=now))
    assert message["To"] == "undisclosed-recipients:;"
    assert message["Message-ID"] == "<c0.s0@example.org>"


def test_names_survive_folding_in_this_python() -> None:
    assert names_survive_folding()


LINKED = replace(
    COMPILED,
    html='<p>@@greeting@@</p><a href="https://a.example/?a=1&amp;b=2">A</a>'
    '<a href="https://b.example/">B</a><a href="@@unsubscribe_url@@">leave</a>\n',
    text="A: https://a.example/?a=1&b=2\n",
)
LINKS = {LinkKey("https://a.example/?a=1&b=2", ""): 1, LinkKey("https://b.example/", ""): 12}
CLICKING = READER._replace(click_token="AQcATU4F9sy3j0LUKH4")


def test_counted_links_lead_to_our_own_page_and_plain_text_keeps_the_real_address(now: datetime) -> None:
    plain, html = _parse(
        MessageBuilder([LINKED], _settings(), links=LINKS).build(CLICKING, now=now)
    ).iter_parts()
    ours = "https://news.example.org/c/AQcATU4F9sy3j0LUKH4"
    assert _lines(html) == (
        f'<p>Dear Li Wei,</p><a href="{ours}/1">A</a><a href="{ours}/12">B</a>'
        f'<a href="https://news.example.org/u/{TOKEN}">leave</a>\n'
    )
    assert _lines(plain) == "A: https://a.example/?a=1&b=2\n"


def test_without_counting_the_bytes_are_those_of_a_message_without_links_to_count(now: datetime) -> None:
    without = MessageBuilder([LINKED], _settings(), links={}).build(CLICKING, now=now)
    assert without == build_message(LINKED, READER, _settings(), now=now)


@pytest.mark.parametrize("base_url", ["https://news.example.org", f"https://{'long.' * 20}example.org"])
@pytest.mark.parametrize("filler", ["", "看见残障人" * 200])
def test_counted_links_arrive_whole_in_either_encoding(now: datetime, base_url: str, filler: str) -> None:
    mail = replace(LINKED, html=f"{filler}{LINKED.html * 5}{filler}\n")
    reader = CLICKING._replace(base_url=base_url)
    data = MessageBuilder([mail], _settings(), links=LINKS).build(reader, now=now)
    _, html = _parse(data).iter_parts()
    assert _lines(html).count(f'<a href="{reader.base_url}/c/{reader.click_token}/12">B</a>') == 5
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76


def test_a_reader_without_a_token_gets_no_message_with_counted_links(now: datetime) -> None:
    with pytest.raises(BuildError, match="clicks are counted"):
        MessageBuilder([LINKED], _settings(), links=LINKS).build(READER, now=now)


@pytest.mark.parametrize("filler", ["", "看见残障人" * 200])
def test_readers_with_other_links_never_get_those_of_the_one_before(now: datetime, filler: str) -> None:
    mail = replace(LINKED, html=f"{filler}{LINKED.html * 3}{filler}\n")
    builder = MessageBuilder([mail], _settings(), links=LINKS)
    for turn in range(150):
        token = f"AQcATU4F9sy3j0LUK{turn % 75}"
        reader = CLICKING._replace(click_token=token, name="x" * (turn % 4))
        _, html = _parse(builder.build(reader, now=now)).iter_parts()
        written = _lines(html)
        assert written.count(f"/c/{token}/") == written.count("/c/") == 6
        assert written.count(f"/u/{TOKEN}") == 3

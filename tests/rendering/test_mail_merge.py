"""Merge tags replaced by values, each escaped for its context and never interpreted again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from mailer.errors import BuildError, TemplateError
from mailer.rendering.body.fragments import DELIMITER, TAG_PATTERN, MergeTag, TagContext
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import Reader, anonymous_reader, message_id, personalise, reader_for
from mailer.settings import Settings
from subscribers.models import Subscriber
from subscribers.tokens import LinkPurpose, TokenSigner

TEXT = (
    "Newsletter\n\n\x1ebegin greeting \x1f\n@@greeting@@\n\n\x1eend greeting\x1f\nStories\n\n"
    "Leave:\n@@unsubscribe_url@@\n\nChoose:\n@@preferences_url@@\n\n"
    "See:\n@@archive_url@@\n"
)
HTML = (
    '<!DOCTYPE html><html><body><!--@begin greeting --><div class="d">@@greeting@@</div><!--@end greeting-->'
    "<p>Stories</p>"
    '<a href="@@unsubscribe_url@@">leave</a>'
    '<a href="@@preferences_url@@">choose</a><a href="@@archive_url@@">see</a></body></html>'
)
COMPILED = CompiledEdition(
    slug="2021-2",
    language="en",
    title="News",
    subject="News",
    preheader="",
    sender_name="Us",
    greeting="Dear {name},",
    one_story="1 story",
    many_stories="{count} stories",
    html=HTML,
    text=TEXT,
    stories=(),
    digest="",
)
SETTINGS = Settings.model_validate({
    "sender": {
        "name": "Us", "address": "news@example.org", "organisation": "Us", "postal_address": "Beijing 100600",
    },
    "web": {"base_url": "https://news.example.org"},
})  # fmt: skip
SIGNER = TokenSigner(keys={1: b"k" * 32}, current=1)
READER = Reader(
    subscriber_id=12,
    campaign_id=3,
    email="li@example.org",
    envelope="li@example.org",
    name="Li Wei",
    language="en",
    token="token",
    base_url="https://news.example.org",
    message_id="<c3.s12.abc@example.org>",
)


def test_a_reader_gets_their_greeting_and_their_own_links() -> None:
    personal = personalise(COMPILED, READER)
    assert "Dear Li Wei,\n\nStories" in personal.text
    assert "https://news.example.org/u/token\n" in personal.text
    assert '<div class="d">Dear Li Wei,</div>' in personal.html
    links = [link.get("href") for link in lxml_html.document_fromstring(personal.html).iter("a")]
    assert links == [
        "https://news.example.org/u/token",
        "https://news.example.org/p/token",
        "https://news.example.org/e/2021-2/en",
    ]


@pytest.mark.parametrize("name", ["", "   ", "\n\t", "\u202e"])
def test_a_reader_without_a_name_gets_no_greeting(name: str) -> None:
    personal = personalise(COMPILED, READER._replace(name=name))
    assert personal.text.startswith("Newsletter\n\nStories")
    assert 'class="d"' not in personal.html


@given(name=st.text())
def test_any_name_is_only_ever_text(name: str) -> None:
    personal = personalise(COMPILED, READER._replace(name=name))
    document = lxml_html.document_fromstring(personal.html)
    greeted = ["div"] if "Dear" in personal.html else []
    assert [element.tag for element in document.iter()] == ["html", "body", *greeted, "p", "a", "a", "a"]
    assert personal.html.count("https://news.example.org/u/") == 1
    assert personal.text.count("\n") in {TEXT.count("\n") - 2, TEXT.count("\n") - 4}
    personal.html.encode()
    personal.text.encode()


@pytest.mark.parametrize("name", ["@@unsubscribe_url@@", "@@nonsense@@", r"\1", "{name}", "@@"])
def test_a_name_that_looks_like_a_merge_tag_stays_a_name(name: str) -> None:
    personal = personalise(COMPILED, READER._replace(name=name))
    assert f"Dear {name}," in personal.text
    assert f"Dear {name}," in personal.html


def test_a_name_is_escaped_in_html_and_not_in_text() -> None:
    personal = personalise(COMPILED, READER._replace(name='<i>"A" & Söhne</i>'))
    assert "Dear &lt;i&gt;&quot;A&quot; &amp; Söhne&lt;/i&gt;," in personal.html
    assert 'Dear <i>"A" & Söhne</i>,' in personal.text


def test_an_ampersand_in_a_link_is_escaped_in_html_and_not_in_text() -> None:
    personal = personalise(COMPILED, READER._replace(base_url="https://e.org/a&b"))
    assert 'href="https://e.org/a&amp;b/u/token"' in personal.html
    assert "https://e.org/a&b/u/token\n" in personal.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "//e.org/u",
        "https://e.org/u x",
        'https://e.org/"onclick="',
        "https://e.org/\n",
    ],
)
def test_an_invalid_link_builds_no_mail(url: str) -> None:
    with pytest.raises(BuildError, match=r"li@example\.org: unsubscribe_url is not a valid URL"):
        personalise(COMPILED, READER._replace(base_url=url))


def test_an_unknown_merge_tag_builds_no_mail() -> None:
    with pytest.raises(TemplateError, match="@@shoe_size@@ is an unknown merge tag"):
        personalise(replace(COMPILED, text="@@shoe_size@@"), READER)


def test_an_anonymous_mail_has_no_name_and_no_token() -> None:
    personal = personalise(COMPILED, anonymous_reader(SETTINGS))
    assert DELIMITER not in personal.html
    assert "Dear" not in personal.html
    assert 'href="https://news.example.org/"' in personal.html


def test_every_merge_tag_has_a_recognisable_placeholder_and_a_context() -> None:
    texts = (MergeTag.greeting, MergeTag.verification_code, MergeTag.verify_place)
    for tag in MergeTag:
        assert TAG_PATTERN.fullmatch(tag.placeholder)
        others = dict.fromkeys(texts, TagContext.text) | {MergeTag.version: TagContext.query}
        assert tag.context is others.get(tag, TagContext.url)


def _subscriber(**changes: object) -> Subscriber:
    return Subscriber.model_validate({
        "id": 12, "email": "li@example.org", "envelope": "li@example.org", "name": "Li Wei",
        "language": "zh-Hans", "created_at": "2026-03-01T09:00:00Z",
        "updated_at": "2026-03-01T09:00:00Z", **changes,
    })  # fmt: skip


def test_a_subscriber_becomes_a_reader_with_signed_links() -> None:
    reader = reader_for(_subscriber(), 3, SETTINGS, SIGNER)
    token = SIGNER.sign(LinkPurpose.subscription, subscriber_id=12, campaign_id=3)
    assert reader.unsubscribe_url == f"https://news.example.org/u/{token}"
    assert reader.preferences_url == f"https://news.example.org/p/{token}"
    assert reader.token == token
    assert reader.language == "zh-Hans"
    assert not reader.needs_smtputf8
    assert reader_for(_subscriber(language=None), 3, SETTINGS, SIGNER).language == ""


def test_only_a_non_ascii_local_part_needs_smtputf8() -> None:
    domain_only = _subscriber(email="li@bücher.example", envelope="li@xn--bcher-kva.example")
    assert not reader_for(domain_only, 3, SETTINGS, SIGNER).needs_smtputf8
    both = _subscriber(email="李@bücher.example", envelope="李@xn--bcher-kva.example")
    assert reader_for(both, 3, SETTINGS, SIGNER).needs_smtputf8


def test_a_subscriber_who_has_not_been_saved_has_no_links() -> None:
    with pytest.raises(BuildError, match="has not been saved yet"):
        reader_for(_subscriber(id=None), 3, SETTINGS, SIGNER)


def test_a_message_id_depends_on_the_mail_and_survives_a_key_rotation() -> None:
    first = message_id(3, 12, "example.org", SIGNER)
    assert first == message_id(
        3, 12, "example.org", TokenSigner(keys={1: b"k" * 32, 2: b"n" * 32}, current=2)
    )
    others = {message_id(3, 13, "example.org", SIGNER), message_id(4, 12, "example.org", SIGNER)}
    assert first not in others
    assert first.startswith("<c3.s12.")
    assert len(first) == len("<c3.s12.123456789012@example.org>")
    assert first != message_id(3, 12, "example.org", TokenSigner(keys={1: b"x" * 32}, current=1))


def test_a_message_id_is_ascii_whatever_the_domain() -> None:
    assert message_id(3, 12, "bücher.example", SIGNER).endswith("@xn--bcher-kva.example>")

"""One compilation, every reader's newsletter: what is joined is what would have been rendered.

For the sample and for editions made up at random, every variant is joined from slices, sent through a message
and decoded, and compared with the same stories compiled by themselves.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from itertools import combinations
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from editions.markdown.renderer import LETTER_HEADING_LEVEL, STORY_HEADING_LEVEL, render_markdown
from editions.model import (
    Edition,
    EditionText,
    Letter,
    Personalisation,
    ReadMore,
    Story,
    StoryKind,
    StoryText,
)
from editions.reader import read_edition
from editions.source.text_file import normalise_line_ends, remove_unsafe_characters
from mailer.rendering.archive_urls import DIGEST_DIGITS
from mailer.rendering.body.fragments import FragmentKind, walk_fragments, walk_texts
from mailer.rendering.body.variants import NO_INTERESTS, Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition, MailTexts
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import Reader, personalise
from mailer.rendering.message import MessageBuilder
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings
from tests.paths import ROOT
from tests.rendering.html_balance import as_outlook_reads, find_imbalance, find_stray_conditionals

CORPUS = ROOT.parent / "shared" / "corpora" / "naughty-strings" / "blns.json"
COUNTRIES = ("CN", "JP", "KP", "KR", "MN")
SETTINGS = sample_settings()
# Kinds that stand in sections of their own, whatever their sector.
_APART = {StoryKind.feature, StoryKind.centre, StoryKind.chair, StoryKind.campaign, StoryKind.notice}
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Feedback-ID", "MIME-Version", "List-Unsubscribe",
    "List-Unsubscribe-Post", "List-Id", "List-Post", "Precedence", "X-Auto-Response-Suppress",
    "Content-Language", "Content-Type",
]  # fmt: skip


def _reader(name: str, interests: Interests = NO_INTERESTS) -> Reader:
    return Reader(
        subscriber_id=12,
        campaign_id=3,
        email="li@example.org",
        envelope="li@example.org",
        name=name,
        language="",
        token="TOKEN",
        base_url="https://news.example.org",
        message_id="<c3.s12.5fbeae7c85f8@example.org>",
        interests=interests,
    )


def _every_interest(compiled: CompiledEdition) -> Iterator[Interests]:
    """Sets of interests that can make a difference: no, one, two or all sectors, with no or one country."""
    sectors = sorted({story.sector for story in compiled.stories if story.sector})
    countries = sorted({country for story in compiled.stories for country in story.countries})
    for size in (0, 1, 2, len(sectors)):
        for followed in combinations(sectors, size):
            for country in ((), *((one,) for one in countries)):
                yield Interests(sectors=frozenset(followed), countries=frozenset(country))


def _list_variants(compiled: CompiledEdition) -> list[Variant]:
    return list(dict.fromkeys(compiled.variant_for(one) for one in _every_interest(compiled)))


def _decode(data: bytes) -> MailTexts:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert list(message.keys()) == HEADERS
    plain, html = message.iter_parts()
    assert message.defects == plain.defects == html.defects == []
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    return MailTexts(
        html=html.get_content().replace("\r\n", "\n"), text=plain.get_content().replace("\r\n", "\n")
    )


def _check_wire(data: bytes) -> None:
    bodies = data.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert max(map(len, bodies)) <= 76
    assert not [line for line in bodies if line.startswith((b".", b"From "))]
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert data.isascii()


def _check_harmless(html: str) -> None:
    """Nothing of ours is left in it, and nothing in it runs."""
    assert not re.search(r"<!--@|@@|\x1e|\x1f", html)
    assert not re.search(r"</?mj-|%7B%7B|\\u\{", html)
    document = lxml_html.document_fromstring(html)
    for element in document.iter("*"):
        assert element.tag not in {"script", "iframe", "object", "embed", "form", "base", "svg", "math"}
        assert not [name for name in element.attrib if name.lower().startswith("on")]
    for _, _, link, _ in document.iterlinks():
        assert re.match(r"https?://|mailto:|tel:|#", link), link


def _check_slices(compiled: CompiledEdition) -> None:
    """Every slice stands on its own, for browsers and for Outlook; only the turn to the second column of the
    contents closes what it did not open, and opens it again."""
    for one in walk_fragments(compiled.html_parts):
        if one.kind is not FragmentKind.middle:
            html = "".join(walk_texts(one.parts))
            assert find_imbalance(html) == find_imbalance(as_outlook_reads(html)) == []
            assert find_stray_conditionals(html) == []


def _check_variant(compiled: CompiledEdition, edition: Edition, variant: Variant, name: str) -> None:
    """The message of ``variant`` decodes to what its stories are, compiled by themselves."""
    data = _build(compiled, variant, name)
    _check_wire(data)
    sent, reader = _decode(data), _reader(name)
    alone = _compile_alone(edition, variant)
    expected = personalise(alone, reader)
    assert sent.text == _as_one_of(compiled, alone, expected.text)
    assert _without_styles(sent.html) == _without_styles(_as_one_of(compiled, alone, expected.html))
    mail = personalise(compiled, reader, replace(variant, named=bool(name.strip())))
    assert (sent.html, sent.text) == (mail.html, mail.text)
    _check_harmless(sent.html)
    assert find_imbalance(sent.html) == find_imbalance(as_outlook_reads(sent.html)) == []
    assert find_stray_conditionals(sent.html) == []


def _as_one_of(compiled: CompiledEdition, alone: CompiledEdition, text: str) -> str:
    """``text`` of ``alone``, its link to the archive naming the content of ``compiled``."""
    return text.replace(f"?v={alone.digest[:DIGEST_DIGITS]}", f"?v={compiled.digest[:DIGEST_DIGITS]}")


def _build(compiled: CompiledEdition, variant: Variant, name: str) -> bytes:
    """The message of a reader who gets ``variant``."""
    interests = next(
        interests
        for interests in _every_interest(compiled)
        if compiled.variant_for(interests).stories == variant.stories
    )
    return MessageBuilder([compiled], SETTINGS).build(_reader(name, interests), now=NOW)


def _compile_alone(edition: Edition, variant: Variant) -> CompiledEdition:
    """The stories of ``variant`` as an edition of their own, in its order of stories and sections."""
    by_slug = {story.slug: story for story in edition.stories}
    stories = tuple(by_slug[slug] for slug in variant.stories)
    ordinary = [story.sector for story in stories if story.kind not in _APART and story.sector]
    sectors = {key: SECTORS[key] for key in (*ordinary, *SECTORS)}
    settings = SETTINGS.model_copy(update={"sectors": sectors})
    return compile_edition(
        replace(edition, stories=stories, personalise=Personalisation.off),
        settings,
        language=variant.language,
    )


def _without_styles(html: str) -> str:
    """``html`` without its sheets and the numbers of its accents, which count the sections of an edition."""
    html = re.sub(r"<style[^>]*>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r'(class="[^"]*?)\b(b?)k\d+', r"\1\2k", html)


@cache
def _sample(mode: Personalisation) -> tuple[Edition, CompiledEdition]:
    edition = replace(read_edition(SAMPLE, sectors=SECTORS), personalise=mode)
    return edition, compile_edition(edition, SETTINGS)


@pytest.mark.spare
@pytest.mark.parametrize("template", ["periodical", "bulletin"])
@pytest.mark.parametrize("mode", Personalisation)
def test_every_variant_of_the_sample_equals_an_edition_of_its_stories(
    mode: Personalisation, template: str
) -> None:
    edition = replace(_sample(mode)[0], template=template)
    compiled = compile_edition(edition, SETTINGS)
    _check_slices(compiled)
    variants = _list_variants(compiled)
    assert len(variants) == 1 if mode is Personalisation.off else len(variants) > 60
    for place, variant in enumerate(variants):
        _check_variant(compiled, edition, variant, ("Li Wei", "", "李伟", 'A "B" <c> & d')[place % 4])


def _naughty() -> list[str]:
    if not CORPUS.is_file():
        return ["<script>alert(1)</script>", "{{ 7*7 }}", "Ω≈ç√∫", "a\u202eb", "\t=?UTF-8?Q?x?=", "--></div>"]
    found: list[str] = json.loads(CORPUS.read_text(encoding="utf-8"))
    return found


# Authors' texts come through editions.source.text_file, which removes control characters, and @@ is refused.
_SENTENCES = st.one_of(
    st.sampled_from(_naughty()),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.sampled_from(
        ["世界遗产与生物多样性。", "平和のための教育", "Дэлхийн өв", "에너지 전환", "مستقبل التعليم"]
    ),
).map(lambda text: remove_unsafe_characters(normalise_line_ends(text)).replace("@@", "@"))
_LINES = _SENTENCES.map(lambda text: " ".join(text.split()) or "Untitled")
_BODIES = st.lists(
    st.one_of(
        _SENTENCES,
        _LINES.map(lambda line: f"- {line}\n- **{line}**"),
        _LINES.map(lambda line: f"## {line}\n\n> {line}"),
        st.sampled_from(["-\n- x\n-", "1.\n2. x", "***", "> "]),
        st.just("| a | b |\n|---|---|\n| 1 | 2 |"),
        st.just("[words](https://example.org/?a=1&b=2) *and* ~~more~~"),
    ),
    min_size=1,
    max_size=3,
).map("\n\n".join)
_LANGUAGES = ("en", "zh-Hans", "ar")


def _say(language: str, title: str, body: str, heading: int = STORY_HEADING_LEVEL) -> StoryText:
    prose = render_markdown(body, language=language, path="x.md", line=1, heading=heading)
    return StoryText(
        language=language,
        title=title,
        html=prose.html,
        text=prose.text,
        words=prose.word_count,
        caption="",
        alt="",
    )


@st.composite
def _stories(draw: st.DrawFn) -> tuple[Story, ...]:
    made = []
    for number in range(draw(st.integers(1, 7))):
        languages = draw(st.sampled_from([("en",), ("en", "zh-Hans"), ("en", "ar")]))
        made.append(
            Story(
                slug=f"story-{number}",
                source=f"stories/{number:03d}-story-{number}.md",
                kind=draw(st.sampled_from(StoryKind)),
                sector=draw(st.sampled_from([None, *SECTORS])),
                countries=tuple(draw(st.lists(st.sampled_from(COUNTRIES), max_size=2, unique=True))),
                date=draw(st.sampled_from(["", "24 October"])),
                texts=MappingProxyType({tag: _say(tag, draw(_LINES), draw(_BODIES)) for tag in languages}),
                image=None,
                read_more=tuple(
                    ReadMore(what=draw(_LINES), url="https://example.org/a?b=1&c=2")
                    for _ in range(draw(st.integers(0, 2)))
                ),
                everyone=draw(st.booleans()),
            )
        )
    return tuple(made)


@st.composite
def _editions(draw: st.DrawFn) -> Edition:
    language = draw(st.sampled_from(_LANGUAGES))
    frame = {
        "title": draw(_LINES),
        "period": draw(_LINES),
        "subject": draw(_LINES),
        "preheader": draw(_LINES),
    }
    letter = Letter(
        texts=MappingProxyType({"en": _say("en", draw(_LINES), draw(_BODIES), LETTER_HEADING_LEVEL)}),
        name=draw(_LINES),
        titles=(draw(_LINES),),
        portrait=None,
    )
    text = EditionText(language=language, introductions=MappingProxyType({}), **frame)
    return Edition(
        folder=SAMPLE,
        slug="2026-1",
        number="2026-1",
        date=date(2026, 3, 1),
        language="en",
        languages=("en", *((language,) if language != "en" else ())),
        template=draw(st.sampled_from(["periodical", "bulletin"])),
        sender_name=draw(_LINES),
        letter=draw(st.sampled_from([None, letter])),
        stories=draw(_stories()),
        texts=MappingProxyType({"en": text, language: text}),
        personalise=draw(st.sampled_from(Personalisation)),
        **frame,
    )


_ANY_EDITION = {"edition": _editions(), "name": _LINES, "place": st.integers(0, 1000)}
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=_SLOW)
@given(**_ANY_EDITION)
def test_every_variant_of_any_edition_equals_an_edition_of_its_stories(
    edition: Edition, name: str, place: int
) -> None:
    _check_any_variant(edition, name, place)


@pytest.mark.soak
@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=_SLOW)
@given(**_ANY_EDITION)
def test_three_hundred_more_editions_do_too(edition: Edition, name: str, place: int) -> None:
    _check_any_variant(edition, name, place)


def _check_any_variant(edition: Edition, name: str, place: int) -> None:
    language = edition.languages[-1]
    compiled = compile_edition(edition, SETTINGS, language=language)
    _check_slices(compiled)
    variants = _list_variants(compiled)
    for variant in {variants[0], variants[place % len(variants)]}:
        _check_variant(compiled, edition, variant, name)


def test_a_stored_edition_sends_the_same_bytes() -> None:
    _, compiled = _sample(Personalisation.filter)
    again = CompiledEdition.from_bytes(compiled.to_bytes())
    for variant in _list_variants(compiled)[::10]:
        assert _build(again, variant, "Li Wei") == _build(compiled, variant, "Li Wei")


def test_the_contents_list_only_the_sections_present_and_count_their_stories() -> None:
    _, compiled = _sample(Personalisation.filter)
    variant = compiled.variant_for(Interests(sectors=frozenset({"natural-sciences"})))
    document = lxml_html.document_fromstring(compiled.assemble(variant).html)
    anchors = {one.get("href")[1:] for one in document.iter("a") if one.get("href", "").startswith("#")}
    assert anchors == {"letter"} | {
        story.section for story in compiled.stories if story.slug in variant.stories
    }
    (heading,) = document.xpath("//h2[@id='natural-sciences']")
    assert heading.text_content().split()[-2:] == ["3", "stories"]

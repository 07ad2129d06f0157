"""Compiling the sample edition, whole and in parts."""

import re
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html as lxml_html

from editions.model import (
    Edition,
    EditionForm,
    EditionText,
    FollowLink,
    ReadMore,
    Story,
    StoryKind,
    StoryText,
)
from editions.reader import read_edition
from mailer.errors import TemplateError
from mailer.rendering.body.fragments import TAG_PATTERN, MergeTag
from mailer.rendering.compiled_edition import (
    FORMAT_VERSION,
    CompiledEdition,
    CompiledVersionError,
    MailTexts,
)
from mailer.rendering.edition_compiler import compile_edition, compile_mjml
from mailer.settings import Settings
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    return sample_settings(countries={"KR": "Republic of Korea"})


@pytest.fixture(scope="module")
def sample() -> Edition:
    return read_edition(SAMPLE, sectors=SECTORS)


@pytest.fixture(scope="module")
def compiled(sample: Edition, settings: Settings) -> CompiledEdition:
    return compile_edition(sample, settings)


@pytest.fixture
def small(sample: Edition) -> Edition:
    """Three stories of the sample without pictures: quick to compile."""
    stories = tuple(replace(story, image=None) for story in sample.stories[:3])
    letter = replace(sample.letter, portrait=None) if sample.letter else None
    return replace(sample, stories=stories, letter=letter)


def _change(edition: Edition, change: Callable[[Story], Story]) -> Edition:
    return replace(edition, stories=(change(edition.stories[0]), *edition.stories[1:]))


def _reword(story: Story, **words: str) -> Story:
    (language, text), *_ = story.texts.items()
    return replace(story, texts={**story.texts, language: replace(text, **words)})


def _whole(compiled: CompiledEdition) -> MailTexts:
    return compiled.assemble(compiled.full_variant)


def test_every_story_is_in_both_parts_and_in_one_order(sample: Edition, compiled: CompiledEdition) -> None:
    assert len(compiled.stories) == len(sample.stories) == 26
    titles = {story.slug: story.texts["en"].title for story in sample.stories}
    headings = [
        heading.text_content() for heading in lxml_html.document_fromstring(_whole(compiled).html).iter("h3")
    ]
    assert headings == [titles[story.slug] for story in compiled.stories]
    unwrapped = " ".join(_whole(compiled).text.split())
    places = [unwrapped.index(f"{titles[story.slug]} ") for story in compiled.stories]
    assert places == sorted(places)


def test_every_link_and_every_word_of_a_story_is_in_both_parts(
    sample: Edition, compiled: CompiledEdition
) -> None:
    html = " ".join(lxml_html.document_fromstring(_whole(compiled).html).text_content().split())
    text = " ".join(_whole(compiled).text.split())
    targets = {link.get("href") for link in lxml_html.document_fromstring(_whole(compiled).html).iter("a")}
    for story in sample.stories:
        words = re.sub(r"\s*\(https?:[^\s]+\)", "", story.texts["en"].text)
        first, last = " ".join(words.split()[:4]), " ".join(words.split()[-4:])
        assert first in html
        assert last in html
        assert " ".join(story.texts["en"].text.split()) in text
        for link in story.read_more:
            assert link.url in targets
            assert link.url in _whole(compiled).text
            assert f"Read more: {link.what}" in html
            assert f"Read more: {link.what}" in text


def test_the_whole_sample_is_below_the_size_at_which_gmail_clips(compiled: CompiledEdition) -> None:
    assert len(_whole(compiled).html.encode()) <= 92_000


def test_lines_of_the_text_part_are_wrapped_unless_they_are_one_word(compiled: CompiledEdition) -> None:
    assert all(len(line) <= 76 or " " not in line.strip() for line in _whole(compiled).text.splitlines())


def test_only_known_merge_tags_occur(compiled: CompiledEdition, small: Edition, settings: Settings) -> None:
    known = {tag.value for tag in MergeTag}
    digest = _whole(compile_edition(replace(small, form=EditionForm.digest), settings))
    whole = _whole(compiled)
    # The text part has the address of a page whole, on a line of its own.
    for part, left_out in (
        (digest.html, set()),
        (digest.text, {MergeTag.verify_place}),
        (whole.html, {MergeTag.version}),
        (whole.text, {MergeTag.version, MergeTag.verify_place}),
    ):
        assert {match[1] for match in TAG_PATTERN.finditer(part)} == known - left_out
        assert "@@" not in TAG_PATTERN.sub("", part)


def test_every_image_is_stored_once_and_referred_to_by_the_mail(compiled: CompiledEdition) -> None:
    sources = [image.get("src") for image in lxml_html.document_fromstring(_whole(compiled).html).iter("img")]
    names = {image.name for image in compiled.images}
    assert len(names) == len(compiled.images) == 27
    assert {f"https://news.example.org/media/{name}" for name in names} == set(sources)
    assert all(image.width <= 2 * 592 for image in compiled.images)


def test_compiling_twice_gives_the_same(small: Edition, settings: Settings) -> None:
    assert compile_edition(small, settings) == compile_edition(small, settings)


def test_the_digest_changes_with_anything_a_reader_can_see(small: Edition, settings: Settings) -> None:
    first = compile_edition(small, settings).digest
    texts = {"en": replace(small.texts["en"], subject="Another subject")}
    changed = [
        _change(small, lambda story: _reword(story, title="Another title")),
        replace(small, texts=texts),
        replace(small, sender_name="Another sender"),
        replace(small, slug="another"),
        replace(small, stories=small.stories[::-1]),
    ]
    assert len({first, *(compile_edition(edition, settings).digest for edition in changed)}) == 6


def test_a_stored_edition_is_read_back_the_same_without_its_images(compiled: CompiledEdition) -> None:
    again = CompiledEdition.from_bytes(compiled.to_bytes())
    assert again == compiled
    assert again.images == ()
    assert again.to_bytes() == compiled.to_bytes()


def test_an_edition_stored_by_another_version_is_refused_with_that_version(compiled: CompiledEdition) -> None:
    newer = compiled.to_bytes().replace(f'"version": {FORMAT_VERSION}'.encode(), b'"version": 99')
    with pytest.raises(
        CompiledVersionError, match=f"format 99, and this program reads format {FORMAT_VERSION}"
    ) as caught:
        CompiledEdition.from_bytes(newer)
    assert caught.value.version == 99


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_bytes_that_are_not_a_compiled_edition_are_refused(content: bytes) -> None:
    with pytest.raises(CompiledVersionError):
        CompiledEdition.from_bytes(content)


def test_compiling_does_not_use_the_network(
    small: Edition, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("the network was asked for something")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert compile_edition(small, settings).html


@pytest.mark.parametrize("part", ["title", "html", "text", "caption", "alt"])
def test_text_that_looks_like_a_merge_tag_is_refused_with_its_file(
    sample: Edition, settings: Settings, part: str
) -> None:
    edition = replace(sample, stories=sample.stories[:1])
    broken = _change(edition, lambda story: _reword(story, **{part: "Write to @@unsubscribe_url@@ now"}))
    with pytest.raises(TemplateError, match=r"^stories/010-\S+\.md: .*contains @@"):
        compile_edition(broken, settings)


def test_a_merge_tag_in_the_edition_file_is_refused_too(small: Edition, settings: Settings) -> None:
    with pytest.raises(TemplateError, match=r"^edition\.md: .*contains @@"):
        compile_edition(replace(small, follow=(FollowLink(name="X", handle="@@x", url=""),)), settings)


def test_a_single_at_sign_is_not_a_merge_tag(small: Edition, settings: Settings) -> None:
    assert (
        "@联合国"
        in _whole(
            compile_edition(
                replace(small, follow=(FollowLink(name="Weibo", handle="@联合国", url=""),)), settings
            )
        ).text
    )


def test_markup_in_a_title_is_text(small: Edition, settings: Settings) -> None:
    title = 'Less < more & "quotes" <script>alert(1)</script>'
    compiled = compile_edition(_change(small, lambda story: _reword(story, title=title)), settings)
    headings = [
        heading.text_content() for heading in lxml_html.document_fromstring(_whole(compiled).html).iter("h3")
    ]
    assert title in headings
    assert "<script" not in _whole(compiled).html
    assert title in _whole(compiled).text


def test_a_link_may_contain_quotes_and_ampersands(small: Edition, settings: Settings) -> None:
    url = "https://e.org/?a=1&b=%22x%22"
    edition = _change(
        small,
        lambda story: replace(
            story,
            texts={"en": replace(story.texts["en"], read_more=())},
            read_more=(ReadMore(what='"A & B"', url=url),),
        ),
    )
    compiled = compile_edition(edition, settings)
    assert url in {
        link.get("href") for link in lxml_html.document_fromstring(_whole(compiled).html).iter("a")
    }
    assert 'Read more: "A & B"\n  https://e.org/?a=1&b=%22x%22' in _whole(compiled).text


def test_countries_have_the_names_in_the_settings(small: Edition, settings: Settings) -> None:
    edition = _change(small, lambda story: replace(story, countries=("KR", "KP", "MN")))
    assert "Republic of Korea · North Korea · Mongolia" in _whole(compile_edition(edition, settings)).text


def _in_chinese(edition: Edition) -> Edition:
    """``edition`` with a Chinese frame and a Chinese first story; the rest is not translated."""
    frame = EditionText(
        language="zh-Hans", title="北京办事处简报", period="2021年9月至12月", subject="简报",
        preheader="南京和平论坛",
        introductions={},
    )  # fmt: skip
    words = StoryText(
        language="zh-Hans", title="平冢市", html="<p>两天</p>", text="两天", words=2, caption="", alt="青绿色"
    )
    edition = _change(edition, lambda story: replace(story, texts={**story.texts, "zh-Hans": words}))
    return replace(edition, languages=("en", "zh-Hans"), texts={**edition.texts, "zh-Hans": frame})


def test_a_translation_has_the_phrases_of_its_language(small: Edition, settings: Settings) -> None:
    edition = _change(_in_chinese(small), lambda story: replace(story, countries=("KR",)))
    compiled = compile_edition(edition, settings, language="zh-Hans")
    document = lxml_html.document_fromstring(_whole(compiled).html)
    assert document.get("lang") == "zh-Hans"
    assert (compiled.subject, compiled.title, compiled.language) == ("简报", "北京办事处简报", "zh-Hans")
    assert compiled.greeting == "{name}，您好："
    for words in ("本期内容", "教育", "退订", "韩国", "平冢市"):
        assert words in _whole(compiled).html
        assert words in _whole(compiled).text
    assert "Republic of Korea" not in _whole(compiled).html.split("<h3")[1]
    untranslated = [element for element in document.iter("div") if element.get("lang") == "en"]
    assert any(small.stories[1].texts["en"].title in element.text_content() for element in untranslated)
    assert '<span lang="en">UNESCO Beijing &amp; partners</span>' in _whole(compiled).html


def test_phrases_around_an_untranslated_story_keep_their_own_language(
    small: Edition, settings: Settings
) -> None:
    """Its element is marked as English; our phrases and the names of its countries are Chinese."""
    link = ReadMore(what="the whole story", url="https://example.org/whole")
    stories = tuple(replace(story, countries=("KR",), read_more=(link,)) for story in small.stories)
    edition = _in_chinese(replace(small, stories=stories))
    html = _whole(compile_edition(edition, settings, language="zh-Hans")).html
    document = lxml_html.document_fromstring(html)

    def list_languages(words: str) -> set[str]:
        nearest = "//body//text()[contains(., $words)]/ancestor::*[@lang][1]/@lang"
        return set(document.xpath(nearest, words=words))

    assert list_languages(link.what) == {"en"}
    assert list_languages("韩国") == {"zh-Hans"}
    assert {tag.partition("-")[0] for tag in list_languages("阅读更多")} == {"zh"}


def test_a_language_the_edition_does_not_have_is_refused(small: Edition, settings: Settings) -> None:
    with pytest.raises(TemplateError, match=r"the edition is not available in fr\. Its languages are: en"):
        compile_edition(small, settings, language="fr")


def test_an_unknown_template_is_refused(small: Edition, settings: Settings) -> None:
    with pytest.raises(TemplateError, match=r"gazette: no such template.*bulletin, periodical"):
        compile_edition(replace(small, template="gazette"), settings)


def test_a_workspace_may_override_a_block(small: Edition, settings: Settings, tmp_path: Path) -> None:
    blocks = tmp_path / "email" / "blocks"
    blocks.mkdir(parents=True)
    (blocks / "story.mjml.j2").write_text(
        '{% extends "shipped/email/blocks/story.mjml.j2" %}\n'
        "{% block heading %}<h3>House style: {{ story.title_html }}</h3>{% endblock %}"
    )
    (blocks / "logo.mjml.j2").write_text(
        '<mj-image src="https://e.org/logo.png" alt="Our office" width="120px" />'
    )
    compiled = compile_edition(small, settings, overrides=tmp_path)
    assert f"House style: {small.stories[0].texts['en'].title}" in _whole(compiled).html
    assert "https://e.org/logo.png" in _whole(compiled).html


def test_an_error_in_an_overriding_block_names_the_story(
    small: Edition, settings: Settings, tmp_path: Path
) -> None:
    blocks = tmp_path / "email" / "blocks"
    blocks.mkdir(parents=True)
    (blocks / "story.mjml.j2").write_text("<mj-txt>{{ story.title_html }}</mj-txt>")
    with pytest.raises(
        TemplateError, match=rf"\({small.stories[0].source}\): <mj-txt> is not a known component"
    ):
        compile_edition(small, settings, overrides=tmp_path)


def test_the_mjml_can_be_compiled_alone(small: Edition, settings: Settings) -> None:
    mjml = compile_mjml(small, settings)
    assert mjml.startswith("<mjml")
    assert "<!--@" not in mjml
    assert MergeTag.unsubscribe_url.placeholder in mjml


@pytest.mark.parametrize("kind", list(StoryKind))
def test_every_kind_of_story_can_be_rendered(sample: Edition, settings: Settings, kind: StoryKind) -> None:
    story = replace(sample.stories[0], kind=kind, date="24 October", countries=("JP",))
    compiled = compile_edition(replace(sample, letter=None, stories=(story,)), settings)
    assert story.texts["en"].title in _whole(compiled).html
    assert story.texts["en"].title in " ".join(_whole(compiled).text.split())


def test_a_minimal_edition_becomes_a_mail(sample: Edition, settings: Settings) -> None:
    bare = replace(sample, letter=None, follow=(), number="", period="", texts={}, introductions={})
    story = replace(bare.stories[0], image=None, countries=(), read_more=(), sector=None)
    compiled = compile_edition(replace(bare, stories=(story,)), settings)
    assert story.texts["en"].title in _whole(compiled).html
    assert "No. " not in _whole(compiled).text

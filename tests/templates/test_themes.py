"""Every shipped theme on the sample edition: what mail programs and screen readers need of its markup."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from cssselect import GenericTranslator
from lxml import html as lxml_html

import templates
from editions.model import Edition, EditionText, FollowLink, ReadMore, StoryKind, StoryText
from editions.reader import read_edition
from mailer.rendering.body.fragments import FragmentKind, walk_fragments, walk_texts
from mailer.rendering.compiled_edition import CompiledEdition, MailTexts
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.themes.theme import MIN_FONT_SIZE
from mailer.rendering.themes.theme_files import load_theme, theme_names
from mailer.settings import Settings
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings
from tests.rendering.html_balance import as_outlook_reads, find_imbalance, find_stray_conditionals

THEMES = theme_names()
EMAIL = templates.ROOT / "email"
T = TypeVar("T", EditionText, StoryText)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return sample_settings(organisation="UNESCO Beijing Office")


@pytest.fixture(scope="module", params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    """The name of each theme in turn; a test that asks for it runs on all of them."""
    return str(request.param)


@pytest.fixture(scope="module")
def compiled(settings: Settings, theme: str) -> CompiledEdition:
    return compile_edition(replace(read_edition(SAMPLE, sectors=SECTORS), template=theme), settings)


@pytest.fixture(scope="module")
def mail(compiled: CompiledEdition) -> MailTexts:
    """The mail of somebody who gets all of it."""
    return compiled.assemble(compiled.full_variant)


@pytest.fixture(scope="module")
def document(mail: MailTexts) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(mail.html)


def test_every_tag_is_closed_for_browsers_and_for_outlook(mail: MailTexts) -> None:
    outlook = as_outlook_reads(mail.html)
    assert find_imbalance(mail.html) == find_imbalance(outlook) == []
    assert "[if" not in outlook
    assert "endif" not in outlook
    assert outlook.count("</td>") == outlook.count("<td") > mail.html.count("<td>")


def test_every_slice_is_whole_for_browsers_and_for_outlook(compiled: CompiledEdition, theme: str) -> None:
    slices = list(walk_fragments(compiled.html_parts))
    kinds = Counter(one.kind for one in slices)
    assert (kinds[FragmentKind.story], kinds[FragmentKind.section]) == (26, 9)
    assert kinds[FragmentKind.middle] == load_theme(theme).layout.columns - 1
    for one in slices:
        html = "".join(walk_texts(one.parts))
        # Where the contents change column, one cell closes and the next opens.
        html = f"<td>{html}</td>" if one.kind is FragmentKind.middle else html
        assert find_imbalance(html) == find_imbalance(as_outlook_reads(html)) == [], one.key
        assert find_stray_conditionals(html) == [], one.key


def test_outlook_sets_a_long_text_around_its_picture_where_the_theme_has_columns(
    mail: MailTexts, theme: str
) -> None:
    tokens = load_theme(theme)
    shown, gap = tokens.pictures.shown, tokens.spacing.column
    outlook = lxml_html.document_fromstring(as_outlook_reads(mail.html))
    pictures = outlook.xpath(f"//table[@align='left'][tr/td[@width='{shown + gap}']]")
    assert len(pictures) == (25 if tokens.layout.columns == 2 else 0)
    for picture in pictures:
        assert picture.xpath(".//img/@width") == [str(shown)]
        assert picture.xpath("count(preceding-sibling::h3)") == 1
        assert picture.xpath("following-sibling::p")


def test_outlook_sets_a_short_text_beside_its_picture_where_the_theme_has_columns(
    settings: Settings, theme: str
) -> None:
    tokens, sample = load_theme(theme), read_edition(SAMPLE, sectors=SECTORS)
    story = next(story for story in sample.stories if story.kind is StoryKind.story and story.image)
    brief = replace(
        story,
        read_more=(),
        texts={"en": replace(story.texts["en"], text="So it was.", html="<p>So it was.</p>", read_more=())},
    )
    compiled = compile_edition(replace(sample, template=theme, stories=(brief,)), settings)
    outlook = as_outlook_reads(compiled.assemble(compiled.full_variant).html)
    rows = lxml_html.document_fromstring(outlook).xpath(
        f"//tr[td[@width='{tokens.pictures.shown + tokens.spacing.column}'] and td[@width='{tokens.beside}']]"
    )
    assert [row.xpath("string(td[2])") for row in rows] == ["So it was."] * (tokens.layout.columns - 1)


def test_in_one_column_nothing_stands_beside_anything(mail: MailTexts, theme: str) -> None:
    if load_theme(theme).layout.columns == 2:
        pytest.skip("this theme has two columns")
    assert "float" not in mail.html.partition("</head>")[2]
    rows = lxml_html.document_fromstring(as_outlook_reads(mail.html)).xpath("//tr[count(td) > 1]")
    # The one who signs is named beside the portrait.
    assert [len(row.xpath(".//img")) for row in rows] == [1]


def test_outlook_is_told_about_pixels_and_lines(mail: MailTexts) -> None:
    assert "<o:PixelsPerInch>96</o:PixelsPerInch>" in mail.html
    assert 'xmlns:v="urn:schemas-microsoft-com:vml"' in mail.html
    assert 'xmlns:o="urn:schemas-microsoft-com:office:office"' in mail.html
    assert "mso-line-height-rule:at-least" in as_outlook_reads(mail.html)
    assert "<![if" not in mail.html


def test_headings_make_an_outline(document: lxml_html.HtmlElement) -> None:
    levels = Counter(heading.tag for heading in document.xpath("//h1|//h2|//h3"))
    assert levels == {"h1": 1, "h2": 12, "h3": 26}
    assert document.xpath("//h1")[0].text_content() == "UNESCO Beijing Newsletter"


def test_the_mail_is_an_article_in_its_language(document: lxml_html.HtmlElement) -> None:
    (article,) = document.xpath("//*[@role='article']")
    assert (
        (document.get("lang"), document.get("dir"))
        == ("en", "ltr")
        == (article.get("lang"), article.get("dir"))
    )
    assert article.get("aria-label") == document.xpath("string(//title)")
    assert article.get("aria-roledescription") == "email"


def test_all_of_the_mail_is_inside_its_one_main_landmark(document: lxml_html.HtmlElement) -> None:
    body = document.find("body")
    assert body is not None
    assert [child.tag for child in body if isinstance(child.tag, str)] == ["main"]
    assert len(document.findall(".//main")) == 1


def test_tables_of_layout_say_so_in_every_view(mail: MailTexts) -> None:
    for html in (mail.html, as_outlook_reads(mail.html)):
        tables = lxml_html.document_fromstring(html).xpath("//table")
        assert {table.get("role") for table in tables} == {"presentation"}


def test_every_picture_has_words_and_a_width_outlook_can_use(
    document: lxml_html.HtmlElement, theme: str
) -> None:
    images, tokens = document.xpath("//img"), load_theme(theme)
    assert Counter(int(image.get("width")) for image in images) == {
        tokens.pictures.shown: 25, tokens.content: 1, tokens.pictures.signature: 1,
    }  # fmt: skip
    assert all(image.get("alt") for image in images)
    # A height would squash whatever is not of that shape, and cut off its words where pictures are not shown.
    assert not any(image.get("height") for image in images)


def test_contents_lead_to_every_section(document: lxml_html.HtmlElement) -> None:
    targets = [link.get("href") for link in document.xpath("//a[starts-with(@href, '#')]")]
    assert targets == [f"#{anchor}" for anchor in document.xpath("//h2/@id")]
    assert len(targets) == 10


def test_every_section_says_how_many_stories_it_has(document: lxml_html.HtmlElement) -> None:
    for heading in document.xpath("//h2[@id and @id != 'letter']"):
        column = heading.xpath("ancestor::tbody[1]")[0]
        count = len(column.xpath(".//h3"))
        assert heading.text_content().endswith(f"{count} {'story' if count == 1 else 'stories'}")


def test_the_footer_says_who_why_and_how_to_leave(document: lxml_html.HtmlElement) -> None:
    (footer,) = document.xpath("//div[contains(concat(' ', @class, ' '), ' ft ')]")
    words = " ".join(footer.text_content().split())
    for said in ("UNESCO Beijing Office", "Beijing 100600", "You receive this newsletter because"):
        assert said in words
    links = {link.text_content(): link.get("href") for link in footer.iter("a")}
    assert links == {
        "Choose what you receive": "@@preferences_url@@",
        "Unsubscribe": "@@unsubscribe_url@@",
        "View in browser": "@@archive_url@@",
        "@@verify_place@@": "@@verify_url@@",
    }


def test_both_parts_begin_with_what_the_mail_is_about(
    compiled: CompiledEdition, document: lxml_html.HtmlElement
) -> None:
    """Previews and summaries are made of the first words, so the link to the browser comes last."""
    text = compiled.assemble(compiled.full_variant).text
    assert text.startswith("The Nanjing Peace Forum, COP15 in Kunming,")
    assert text.index("From the Director’s desk") < text.index("- In focus (1)")
    words = " ".join(document.xpath("string(//body)").split())
    for part in (words, text):
        assert part.index("View in browser") > part.index("Unsubscribe")


def test_a_story_begins_with_its_heading(document: lxml_html.HtmlElement) -> None:
    """Whoever jumps from heading to heading hears the countries and the picture as parts of that story."""
    for picture in document.xpath("//img[@class='i']"):
        row = picture.xpath("ancestor::td[1]")[0]
        assert len(row.xpath(".//h3")) == 1
        assert picture.xpath("preceding::h3")[-1] is row.xpath(".//h3")[0]


def test_the_preheader_comes_first_and_hides_nothing_by_colour(document: lxml_html.HtmlElement) -> None:
    (article,) = document.xpath("//*[@role='article']")
    preheader = article[0]
    assert preheader.text_content().startswith("The Nanjing Peace Forum")
    assert "display:none" in preheader.get("style")
    assert "color" not in preheader.get("style")


def test_words_in_another_script_carry_their_language(document: lxml_html.HtmlElement) -> None:
    chinese = document.xpath("//span[@lang='zh-Hans']")
    assert any("看见残障人" in span.text_content() for span in chinese)
    for text in document.xpath("//body//text()[not(ancestor::*[@lang='zh-Hans'])]"):
        assert not re.search("[\u4e00-\u9fff]", text), text


def test_text_is_large_enough_to_read(document: lxml_html.HtmlElement, theme: str) -> None:
    sizes = {
        int(size)
        for style in document.xpath("//body//@style")
        for size in re.findall(r"font(?:-size)?:[^;]*?(\d+)px", style)
    } - {0}
    scale = load_theme(theme).type
    assert min(sizes) >= MIN_FONT_SIZE
    assert scale.body.size >= 16
    assert f"{scale.body.size}px/{scale.body.line}px" in document.xpath("//td[h2]/@style")[0]


@pytest.mark.parametrize("ending", ["css", "inline.css", "fonts.css", "dark.css", "mjml"])
def test_what_a_token_says_is_written_nowhere_else(theme: str, ending: str) -> None:
    """A size or a colour spelled out in a sheet would not follow the theme."""
    source = (EMAIL / f"{theme}.{ending}.j2").read_text()
    bare = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,6}\b", bare)
    assert not re.search(r"(?:font-size|line-height|font):[^;}\n]*\d", bare)
    assert "600" not in bare
    assert "Georgia" not in bare
    assert "Arial" not in bare


def test_links_are_underlined(mail: MailTexts) -> None:
    assert re.search(r"\.pg a\{[^}]*text-decoration:underline", mail.html)
    assert "text-decoration:none" not in mail.html.partition("</head>")[2]


def _dark_rules(html: str, property_: str, prefix: str) -> list[str]:
    """The selectors that set ``property_`` in dark mode, without ``prefix``."""
    sheets = "".join(re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL))
    dark = re.compile(r"@media \(prefers-color-scheme:dark\)\{((?:[^{}]*\{[^{}]*\})*)\}")
    (block,) = dark.findall(sheets)
    rules = re.findall(r"([^{}]*)\{([^}]*)\}", dark.sub("", sheets) if prefix else block)
    return [
        selector.strip().removeprefix(prefix)
        for selectors, declarations in rules
        if re.search(rf"(?:^|;){property_}:#[0-9a-f]{{6}} !important", declarations)
        for selector in selectors.split(",")
        if selector.strip().startswith(prefix)
    ]


@pytest.mark.parametrize(
    ("property_", "prefix"),
    [
        ("background-color", ""),
        ("background-color", "[data-ogsb] "),
        ("color", ""),
        ("color", "[data-ogsc] "),
    ],
)
def test_whatever_is_painted_light_is_painted_dark_in_the_dark(
    mail: MailTexts, property_: str, prefix: str
) -> None:
    # Browsers put a tbody where the sheet counts on one.
    document = lxml_html.document_fromstring(mail.html)
    selectors = _dark_rules(mail.html, property_, prefix)
    assert selectors
    covered = {
        element
        for selector in selectors
        for element in document.xpath(GenericTranslator().css_to_xpath(selector))
    }
    painted = [
        element
        for element in document.xpath("//body/descendant-or-self::*[@style]")
        if re.search(rf"(?:^|;){property_}:#", element.get("style"))
    ]
    assert len(painted) > 10
    for element in painted:
        assert element in covered, lxml_html.tostring(element)[:200]


def test_thunderbird_gets_the_rules_of_the_screen_and_of_the_dark_by_the_attribute_media(
    mail: MailTexts,
) -> None:
    """It deletes every @media block, and sets a message inside its own class."""
    for media, at_rule in (
        ("screen", "screen"),
        (r"\(prefers-color-scheme:dark\)", r"\(prefers-color-scheme:dark\)"),
    ):
        copy = re.findall(rf'<style media="{media}">(.*?)</style>', mail.html)[0]
        (rules,) = re.findall(rf"@media {at_rule}\{{((?:[^{{}}]*\{{[^{{}}]*\}})*)\}}", mail.html)
        plain = re.sub(r"\.moz-text-html (?=[.\[])", "", copy)
        assert plain != copy
        for rule in re.findall(r"[^{}]+\{[^{}]*\}", rules.replace("body,", ".moz-text-html,", 1)):
            assert rule in plain
        assert re.sub(r"[^{}]*(\.moz-text-html)[^{}]*\{[^{}]*\}", "", copy) == ""


def test_dark_mode_is_announced_and_marks_its_rules_important(mail: MailTexts, theme: str) -> None:
    assert '<meta name="color-scheme" content="light dark">' in mail.html
    assert '<meta name="supported-color-schemes" content="light dark">' in mail.html
    assert ":root{color-scheme:light dark" in mail.html
    dark = load_theme(theme).dark
    for colour in (dark.page, dark.sheet, dark.ink, dark.muted, dark.link):
        assert f"{colour} !important" in mail.html
        assert f"{colour}!important" not in mail.html


def test_each_sheet_is_small_enough_for_gmail(mail: MailTexts) -> None:
    sheets = re.findall(r"<style[^>]*>(.*?)</style>", mail.html, flags=re.DOTALL)
    assert all(len(sheet.encode()) < 16_000 for sheet in sheets)
    assert not any("url(" in sheet or "@import" in sheet for sheet in sheets)


def test_no_feature_is_used_that_mail_programs_lack(mail: MailTexts) -> None:
    for feature in (
        "display:flex",
        "display:grid",
        "position:",
        "var(",
        "calc(",
        "clamp(",
        "<script",
        "<form",
        "<svg",
    ):
        assert feature not in mail.html


@pytest.mark.parametrize("kind", list(StoryKind))
def test_every_kind_of_story_has_a_block(kind: StoryKind) -> None:
    assert (EMAIL / "blocks" / f"{kind.value}.mjml.j2").is_file()


@pytest.mark.parametrize(
    "ending", ["mjml.j2", "txt.j2", "toml", "css.j2", "inline.css.j2", "fonts.css.j2", "dark.css.j2"]
)
def test_a_theme_is_seven_files_of_its_name(theme: str, ending: str) -> None:
    assert (EMAIL / f"{theme}.{ending}").is_file()


def test_a_theme_is_complete_in_its_weight(mail: MailTexts, theme: str) -> None:
    """What the lead theme weighs is measured against a bar, and no other may weigh more."""
    assert len(mail.html.encode()) < 84_836


def test_both_themes_say_the_same(settings: Settings) -> None:
    edition = read_edition(SAMPLE, sectors=SECTORS)
    said = []
    for name in THEMES:
        compiled = compile_edition(replace(edition, template=name), settings)
        whole = compiled.assemble(compiled.full_variant)
        body = lxml_html.document_fromstring(whole.html).find("body")
        assert body is not None
        said.append((sorted(" ".join(body.itertext("*")).replace("■", "").split()), whole.text))
    assert said[0] == said[1]


def _speak(edition: Edition, language: str) -> Edition:
    """``edition`` as if its words were in ``language``."""

    def rename(texts: Mapping[str, T]) -> dict[str, T]:
        return {language: replace(texts["en"], language=language)}

    return replace(
        edition,
        language=language,
        languages=(language,),
        texts=rename(edition.texts),
        stories=tuple(replace(story, texts=rename(story.texts)) for story in edition.stories),
        letter=edition.letter and replace(edition.letter, texts=rename(edition.letter.texts)),
    )


@pytest.mark.parametrize("language", ["ar", "he", "sw"])
def test_phrases_that_stand_in_say_that_they_are_english(
    settings: Settings, theme: str, language: str
) -> None:
    sample = read_edition(SAMPLE, sectors=SECTORS)
    of_each_kind = tuple({story.kind: story for story in sample.stories}.values())
    edition = _speak(replace(sample, template=theme, stories=of_each_kind), language)
    compiled = compile_edition(edition, settings)
    document = lxml_html.document_fromstring(compiled.assemble(compiled.full_variant).html)

    def list_marks(words: str) -> set[tuple[str, str]]:
        """Language and direction of whatever says ``words``."""
        texts = "//body//text()[contains(., $words)]"
        (directions, languages) = (
            document.xpath(f"{texts}/ancestor::*[@{name}][1]/@{name}", words=words)
            for name in ("dir", "lang")
        )
        assert languages, words
        return {(one, other) for one in languages for other in directions}

    phrases = load_phrases("en")
    for words in (
        phrases.contents, phrases.view, phrases.follow, phrases.preferences, phrases.unsubscribe,
        phrases.sections["feature"], "No. ", "Read more: ", phrases.one_story, "You receive this newsletter",
        ", or asked for it", "@@greeting@@",
    ):  # fmt: skip
        assert list_marks(words) == {("en", "ltr")}, words
    own = (language, "ltr" if language == "sw" else "rtl")
    story = edition.stories[0]
    link = (story.texts[language].read_more or story.read_more)[0]
    for words in (story.texts[language].title, link.what, edition.period, settings.sender.organisation):
        assert list_marks(words) == {own}, words


def test_free_texts_are_wrapped_in_plain_text_and_addresses_are_not(settings: Settings, theme: str) -> None:
    long = " ".join(["words"] * 20)
    url = f"https://example.org/{'a' * 90}"
    sample = read_edition(SAMPLE, sectors=SECTORS)
    assert sample.letter
    edition = replace(
        sample,
        template=theme,
        period=long,
        number=long,
        texts={"en": replace(sample.texts["en"], title=long, period=long)},
        letter=replace(
            sample.letter,
            name=long,
            titles=(long,),
            texts={"en": replace(sample.letter.texts["en"], title=long)},
        ),
        follow=(FollowLink(name=long, handle=long, url=url),),
        stories=tuple(
            replace(story, date=long, read_more=(ReadMore(what=long, url=url),), countries=("CN", "JP") * 9)
            for story in sample.stories[:3]
        ),
    )
    sender = settings.sender.model_copy(
        update={"organisation": long, "postal_address": f"{long}\n5 Street\n{long}"}
    )
    sectors = {key: f"{name} {long}" for key, name in settings.sectors.items()}
    changed = settings.model_copy(update={"sender": sender, "sectors": sectors})
    compiled = compile_edition(edition, changed)
    text = compiled.assemble(compiled.full_variant).text
    assert [line for line in text.splitlines() if len(line) > 76 and " " in line.strip()] == []
    assert url in text
    assert text.split().count("words") > 300


@pytest.mark.parametrize("sheet", sorted(EMAIL.glob("*.inline.css.j2")), ids=lambda path: path.name)
def test_rules_to_be_inlined_are_such_as_premailer_keeps(sheet: Path) -> None:
    """No @media, no pseudo-class, no !important, only class selectors: premailer drops some of these without
    a word and weighs the others wrongly."""
    source = re.sub(r"\{% macro .*?endmacro %\}", "", sheet.read_text())
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    source = re.sub(r"\{\{.*?\}\}", "x", source)
    assert "@" not in source
    assert "!important" not in source
    selectors = [
        selector.strip() for rule in re.findall(r"([^{}]*)\{[^{}]*\}", source) for selector in rule.split(",")
    ]
    assert selectors
    assert all(re.fullmatch(r"\.\w+", selector) for selector in selectors), selectors

"""The theme "periodical" on the sample edition: what mail programs and screen readers need of its markup."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cssselect import GenericTranslator
from lxml import html as lxml_html

import editions
import templates
from editions.model import Kind
from editions.reading import read_edition
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.compiling import compile_edition
from mailer.rendering.judging import check_compiled
from mailer.rendering.theme import load_theme
from mailer.settings import Settings

EMAIL = templates.ROOT / "email"
SAMPLE = Path(editions.__file__).parent / "samples" / "unesco-beijing-2021-2"
SECTORS = {
    "education": "Education",
    "culture": "Culture",
    "natural-sciences": "Natural sciences",
    "social-and-human-sciences": "Social and human sciences",
    "communication-and-information": "Communication and information",
}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@pytest.fixture(scope="module")
def compiled() -> CompiledEdition:
    settings = Settings.model_validate({
        "sender": {
            "name": "UNESCO Beijing", "address": "news@example.org", "organisation": "UNESCO Beijing Office",
            "postal_address": "5-15-3 Waijiaogongyu\nBeijing 100600",
        },
        "web": {"base_url": "https://news.example.org"},
        "sectors": SECTORS,
    })  # fmt: skip
    return compile_edition(read_edition(SAMPLE, sectors=SECTORS), settings)


@pytest.fixture(scope="module")
def document(compiled: CompiledEdition) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(compiled.html)


def as_outlook(html: str) -> str:
    """``html`` as Word reads it: its conditional comments opened, those for the others closed."""
    html = re.sub(r"<!--\[if !mso\]><!-->.*?<!--<!\[endif\]-->", "", html, flags=re.DOTALL)
    return re.sub(
        r"<!--\[if (?:mso|mso \| IE|lte mso 11)\]>(.*?)<!\[endif\]-->", r"\1", html, flags=re.DOTALL
    )


class _Balance(HTMLParser):
    """Follows every tag, forgiving nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """<o:AllowPNG/> opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes something else at {self.getpos()}"


def _check_balance(html: str) -> None:
    parser = _Balance()
    parser.feed(html)
    assert parser.open == []


def test_the_mail_passes_its_own_judge(compiled: CompiledEdition) -> None:
    assert [problem for problem in check_compiled(compiled) if problem.code != "mail-large"] == []


def test_every_tag_is_closed_for_browsers_and_for_outlook(compiled: CompiledEdition) -> None:
    _check_balance(compiled.html)
    outlook = as_outlook(compiled.html)
    assert "[if" not in outlook
    assert "endif" not in outlook
    _check_balance(outlook)
    assert outlook.count("</td>") == outlook.count("<td") > compiled.html.count("<td>")


def test_a_tag_left_open_would_be_seen() -> None:
    with pytest.raises(AssertionError):
        _check_balance("<table><tr><td></tr></table>")


def test_outlook_gets_picture_and_words_side_by_side(compiled: CompiledEdition) -> None:
    rows = lxml_html.document_fromstring(as_outlook(compiled.html)).xpath(
        "//tr[td[@width='224'] and td[@width='328']]"
    )
    assert len(rows) == 25
    for row in rows:
        picture, words = row.xpath("td")
        assert picture.xpath(".//img/@width") == ["200"]
        assert len(words.xpath(".//h3")) == 1


def test_outlook_is_told_about_pixels_and_lines(compiled: CompiledEdition) -> None:
    assert "<o:PixelsPerInch>96</o:PixelsPerInch>" in compiled.html
    assert 'xmlns:v="urn:schemas-microsoft-com:vml"' in compiled.html
    assert 'xmlns:o="urn:schemas-microsoft-com:office:office"' in compiled.html
    assert "mso-line-height-rule:at-least" in as_outlook(compiled.html)
    assert "<![if" not in compiled.html


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


def test_tables_of_layout_say_so_in_every_view(compiled: CompiledEdition) -> None:
    for html in (compiled.html, as_outlook(compiled.html)):
        tables = lxml_html.document_fromstring(html).xpath("//table")
        assert {table.get("role") for table in tables} == {"presentation"}


def test_every_picture_has_words_and_a_width_outlook_can_use(document: lxml_html.HtmlElement) -> None:
    images = document.xpath("//img")
    assert Counter(image.get("width") for image in images) == {"200": 25, "552": 1, "88": 1}
    assert all(image.get("alt") for image in images)
    assert all((image.get("height") or "88").isdecimal() for image in images)


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
    }


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


def test_text_is_large_enough_to_read(document: lxml_html.HtmlElement) -> None:
    sizes = {
        int(size)
        for style in document.xpath("//body//@style")
        for size in re.findall(r"font(?:-size)?:[^;]*?(\d+)px", style)
    } - {0}
    assert min(sizes) == 13
    assert "font:16px/26px" in document.xpath("//td[h2]/@style")[0]


def test_links_are_underlined(compiled: CompiledEdition) -> None:
    assert re.search(r"\.pg a\{[^}]*text-decoration:underline", compiled.html)
    assert "text-decoration:none" not in compiled.html.partition("</head>")[2]


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
    compiled: CompiledEdition, property_: str, prefix: str
) -> None:
    # Browsers put a tbody where the sheet counts on one.
    document = lxml_html.document_fromstring(compiled.html)
    selectors = _dark_rules(compiled.html, property_, prefix)
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


def test_dark_mode_is_announced_and_marks_its_rules_important(compiled: CompiledEdition) -> None:
    assert '<meta name="color-scheme" content="light dark">' in compiled.html
    assert '<meta name="supported-color-schemes" content="light dark">' in compiled.html
    assert ":root{color-scheme:light dark" in compiled.html
    dark = load_theme("periodical").dark
    for colour in (dark.page, dark.sheet, dark.ink, dark.muted, dark.link):
        assert f"{colour} !important" in compiled.html
        assert f"{colour}!important" not in compiled.html


def test_each_sheet_is_small_enough_for_gmail(compiled: CompiledEdition) -> None:
    sheets = re.findall(r"<style[^>]*>(.*?)</style>", compiled.html, flags=re.DOTALL)
    assert all(len(sheet.encode()) < 16_000 for sheet in sheets)
    assert not any("url(" in sheet or "@import" in sheet for sheet in sheets)


def test_no_feature_is_used_that_mail_programs_lack(compiled: CompiledEdition) -> None:
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
        assert feature not in compiled.html


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_story_has_a_block(kind: Kind) -> None:
    assert (EMAIL / "blocks" / f"{kind.value}.mjml.j2").is_file()


@pytest.mark.parametrize("layout", sorted(EMAIL.glob("*.mjml.j2")), ids=lambda path: path.name)
def test_every_layout_has_its_twin_in_text_and_its_theme(layout: Path) -> None:
    name = layout.name.removesuffix(".mjml.j2")
    for ending in (".txt.j2", ".toml", ".inline.css.j2"):
        assert (EMAIL / f"{name}{ending}").is_file()


@pytest.mark.parametrize("sheet", sorted(EMAIL.glob("*.inline.css.j2")), ids=lambda path: path.name)
def test_rules_to_be_inlined_are_such_as_premailer_keeps(sheet: Path) -> None:
    """No @media, no pseudo-class, no !important, only class selectors: premailer drops some of these without
    a word and weighs the others wrongly."""
    source = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", sheet.read_text(), flags=re.DOTALL)
    source = re.sub(r"\{\{.*?\}\}", "x", source)
    assert "@" not in source
    assert "!important" not in source
    selectors = [
        selector.strip() for rule in re.findall(r"([^{}]*)\{[^{}]*\}", source) for selector in rule.split(",")
    ]
    assert selectors
    assert all(re.fullmatch(r"\.\w+", selector) for selector in selectors), selectors

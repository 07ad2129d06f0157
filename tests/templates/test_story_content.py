"""What a story can hold, in the finished mail of every theme: its markup, and how a browser shows it."""

import io
import re
from pathlib import Path

import pytest
from lxml import html as lxml_html
from PIL import Image
from playwright.sync_api import Browser, Page

from mailer.rendering.compiled_edition import CompiledEdition, MailTexts
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from mailer.rendering.themes.theme_files import load_theme, theme_names
from tests.rendering.html_balance import as_outlook_reads, find_imbalance
from tests.templates.story_mail import compile_story, write_story

IMAGES = """\
images:
  - file: one.jpg
    alt: The first further picture
    caption: A caption
    credit: A credit
  - file: two.jpg
    alt: The second further picture
  - file: wide.jpg
    alt: A panorama
  - file: three.jpg
    alt: The last picture
"""


@pytest.fixture(params=theme_names())
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make_mail(folder: Path, theme: str, keys: str, body: str = "The forum met.") -> MailTexts:
    draft = write_story(folder, keys, body)
    for name in ("one", "two", "three", "still"):
        draft.add_image(f"{name}.jpg")
    draft.add_image("wide.jpg", width=1200, height=400)
    compiled = compile_story(draft, theme)
    mail = compiled.assemble(compiled.full_variant)
    assert find_imbalance(mail.html) == find_imbalance(as_outlook_reads(mail.html)) == []
    return mail


def open_mail(browser: Browser, html: str, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.route("**/*", lambda route: route.abort())
    page.set_content(html)
    return page


def test_further_pictures_stand_two_in_a_row_and_below_each_other_on_a_phone(
    tmp_path: Path, browser: Browser, theme: str
) -> None:
    mail = make_mail(tmp_path / "2021-2", theme, IMAGES)
    for width in (700, 375):
        page = open_mail(browser, mail.html, width)
        names = ("The first further picture", "The second further picture", "A panorama", "The last picture")
        boxes = [page.get_by_alt_text(name).bounding_box() for name in names]
        first, second, wide, last = (box or {} for box in boxes)
        assert (first["y"] == second["y"]) is (width == 700)
        assert wide["y"] > second["y"]
        assert last["y"] > wide["y"]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.close()


def test_further_pictures_have_widths_for_outlook_and_captions(tmp_path: Path, theme: str) -> None:
    mail = make_mail(tmp_path / "2021-2", theme, IMAGES)
    tokens = load_theme(theme)
    half = (tokens.content - tokens.spacing.column) // 2
    pictures = lxml_html.document_fromstring(mail.html).xpath("//td[contains(@class, 'gy')]/img")
    assert [int(picture.get("width")) for picture in pictures] == [half, half, tokens.content, half]
    assert "A caption · A credit" in pictures[0].getparent().text_content()


def test_a_mail_without_them_has_no_rules_for_them(tmp_path: Path, theme: str) -> None:
    assert ".gy" not in make_mail(tmp_path / "2021-2", theme, "").html


TABLE = """\
| Country | Schools | Teachers | Pupils | Share |
|---|---|---|---|---|
| Mongolia | 1,250,000 | 12,400 | 1,250,000 | 4 % |
| Japan | 980 | 1,250,000 | 1,250,000 | 14 % |

After the table.

| {name} | {name} |
|---|---|
| 1 | 2 |
"""


def test_a_wide_table_is_whole_at_a_desk_and_a_list_of_rows_on_a_phone(
    tmp_path: Path, browser: Browser, theme: str
) -> None:
    mail = make_mail(tmp_path / "2021-2", theme, "", TABLE)
    for width in (700, 375):
        page = open_mail(browser, mail.html, width)
        cell = (
            page.get_by_role("cell", name="1,250,000")
            if width == 700
            else page.locator(".tw td:nth-child(2)")
        )
        first, name = cell.first, page.locator(".tw td").first
        box, beside = first.bounding_box() or {}, name.bounding_box() or {}
        assert (box["y"] == beside["y"]) is (width == 700)
        assert box["height"] < 45
        assert first.inner_text() == ("1,250,000" if width == 700 else "Schools: 1,250,000")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.close()


def test_a_wide_table_does_not_break_words_where_no_sheet_is_read(
    tmp_path: Path, browser: Browser, theme: str
) -> None:
    html = make_mail(tmp_path / "2021-2", theme, "", TABLE).html
    bare = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    page = open_mail(browser, bare, 700)
    cells = page.locator("table.tw td")
    assert cells.nth(1).inner_text() == "1,250,000"
    assert all((cells.nth(index).bounding_box() or {})["height"] < 45 for index in range(5))
    page.close()


def test_a_footnote_is_linked_there_and_back(tmp_path: Path, browser: Browser, theme: str) -> None:
    mail = make_mail(tmp_path / "2021-2", theme, "", "Words[^1].\n\n[^1]: The note.")
    page = open_mail(browser, mail.html, 375)
    page.get_by_role("link", name="[1]").first.click()
    assert page.evaluate("document.querySelector(':target').parentElement.innerText") == "[1]\u00a0The note."
    page.get_by_role("link", name="[1]").last.click()
    assert page.evaluate("document.querySelector(':target').parentElement.innerText") == "Words[1]."
    page.close()
    assert "Words[1]." in mail.text
    assert "[1] The note." in mail.text
    assert 'name="note-youth-forum-1"' in mail.html


MORE = """\
button:
  what: Register for the forum
  url: https://example.org/register
video:
  file: still.jpg
  alt: A speaker
  what: the opening
  url: https://example.org/video
  duration: "3:20"
  ai: edited
ai: generated
"""


def test_a_button_is_a_link_in_a_coloured_cell_that_can_be_read_in_the_dark_too(
    tmp_path: Path, browser: Browser, theme: str
) -> None:
    mail = make_mail(tmp_path / "2021-2", theme, MORE)
    accent = load_theme(theme).accent("culture", "k0")
    (link,) = lxml_html.document_fromstring(mail.html).xpath("//td[@bgcolor]/a")
    cell = link.getparent()
    assert (link.text_content(), link.get("href")) == (
        "Register for the forum",
        "https://example.org/register",
    )
    assert cell.get("bgcolor") == accent.light
    assert "mso-padding-alt:12px 22px" in cell.get("style")
    for scheme, ground in (("light", accent.light), ("dark", accent.dark)):
        page = browser.new_page(color_scheme=scheme)
        page.set_content(mail.html)
        ink = page.locator("td.bu a").evaluate("element => getComputedStyle(element).color")
        painted = page.locator("td.bu").evaluate("element => getComputedStyle(element).backgroundColor")
        assert _hex(painted) == ground
        assert measure_contrast(_hex(ink), ground) >= MIN_TEXT_CONTRAST
        page.close()
    assert "Register for the forum:\n  https://example.org/register" in mail.text


def _hex(colour: str) -> str:
    return "#" + "".join(f"{int(number):02x}" for number in re.findall(r"\d+", colour)[:3])


def test_a_video_is_a_still_with_a_play_sign_and_a_link(tmp_path: Path, theme: str) -> None:
    draft = write_story(tmp_path / "2021-2", MORE)
    draft.add_image("still.jpg")
    compiled = compile_story(draft, theme)
    mail = compiled.assemble(compiled.full_variant)
    (link,) = lxml_html.document_fromstring(mail.html).xpath("//a[@href='https://example.org/video']")
    assert link.text_content() == "Watch: the opening (3:20)"
    (picture,) = link.xpath("img")
    assert picture.get("alt") == "A speaker"
    prepared = next(image for image in compiled.images if picture.get("src").endswith(image.name))
    still = Image.open(io.BytesIO(prepared.data))
    middle = (still.width // 2, still.height // 2)
    assert min(still.getpixel(middle)) > 230
    assert max(still.getpixel((middle[0] - still.height // 8, middle[1]))) < 110
    assert "Watch: the opening (3:20)\n  https://example.org/video" in mail.text


@pytest.mark.parametrize(
    ("language", "edited", "text"),
    [("en", "Edited with AI", "Text written with AI"), ("zh", "经人工智能编辑", "文字由人工智能生成")],
)
def test_readers_are_told_in_their_language_what_ai_did(
    tmp_path: Path, theme: str, language: str, edited: str, text: str
) -> None:
    draft = write_story(tmp_path / "2021-2", MORE)
    draft.add_image("still.jpg")
    draft.translate()
    compiled = compile_story(draft, theme, language)
    mail = compiled.assemble(compiled.full_variant)
    said = lxml_html.document_fromstring(mail.html).find("body").text_content()
    assert edited in said
    assert text in said
    assert text in mail.text
    origins = {"stories/010-youth-forum.md": "generated", "images/still.jpg": "edited"}
    assert compiled.ai_origins == CompiledEdition.from_bytes(compiled.to_bytes()).ai_origins == origins


def test_a_card_of_a_digest_tells_it_too(tmp_path: Path, theme: str) -> None:
    draft = write_story(tmp_path / "2021-2", MORE)
    draft.add_image("still.jpg")
    draft.change(
        "stories/010-youth-forum.md", "  credit: Illustration", "  credit: Illustration\n  ai: edited"
    )
    draft.change("edition.md", "language: en", "language: en\nform: digest")
    compiled = compile_story(draft, theme)
    mail = compiled.assemble(compiled.full_variant)
    body = lxml_html.document_fromstring(mail.html).find("body")
    assert "Edited with AI · Text written with AI" in body.text_content()
    assert "Text written with AI" in mail.text
    assert ".bu" not in mail.html

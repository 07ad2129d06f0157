"""What a workspace changes of a theme: a token, a logo, a block; and what docs/templates.md says of it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html as lxml_html
from PIL import Image

from editions.model import Edition
from editions.reader import read_edition
from mailer.errors import TemplateError
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.themes.theme_files import load_theme, theme_names
from mailer.settings import Settings
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings
from tests.paths import ROOT

PAGE = ROOT / "docs" / "templates.md"
THEMES = theme_names()


@pytest.fixture(scope="module")
def small() -> Edition:
    """One story of each kind that the sample has."""
    edition = read_edition(SAMPLE, sectors=tuple(SECTORS))
    return replace(edition, stories=tuple({story.kind: story for story in edition.stories}.values()))


@pytest.fixture(scope="module")
def settings() -> Settings:
    return sample_settings(organisation="Office of the Steppe")


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def _html(compiled: CompiledEdition) -> str:
    return compiled.assemble(compiled.full_variant).html


def _compile(small: Edition, settings: Settings, theme: str, overrides: Path | None) -> CompiledEdition:
    return compile_edition(replace(small, template=theme), settings, overrides=overrides)


@pytest.mark.parametrize("theme", THEMES)
def test_a_token_changes_that_theme_and_no_other(
    theme: str, small: Edition, settings: Settings, tmp_path: Path
) -> None:
    lines = '[light]\nlink = "#004477"\n[type]\nbody = { size = 19, line = 31 }\n[spacing]\nstory = 47\n'
    overrides = _write(tmp_path, f"email/{theme}.toml", lines)
    for name in THEMES:
        changed = _html(_compile(small, settings, name, overrides))
        assert ("color:#004477" in changed) == (name == theme)
        assert ("font:19px/31px" in changed) == (name == theme)
        assert ("padding:0 0 47px" in changed) == (name == theme)


@pytest.mark.parametrize("theme", THEMES)
def test_a_token_of_layout_changes_the_columns(
    theme: str, small: Edition, settings: Settings, tmp_path: Path
) -> None:
    columns = 3 - load_theme(theme).layout.columns
    overrides = _write(tmp_path, f"email/{theme}.toml", f"[layout]\ncolumns = {columns}\n")
    body = _html(_compile(small, settings, theme, overrides)).partition("</head>")[2]
    assert ("float:left" in body) == (columns == 2)
    assert ('class="u"' in body) == (columns == 2)


@pytest.mark.parametrize("theme", THEMES)
def test_a_block_takes_the_place_of_ours_in_every_theme(
    theme: str, small: Edition, settings: Settings, tmp_path: Path
) -> None:
    block = """{{ origin("our masthead") }}
<mj-text><h1>{{ page.title_html }} of theme {{ page.theme.type.title.size }}</h1></mj-text>
"""
    overrides = _write(tmp_path, "email/blocks/masthead.mjml.j2", block)
    size = load_theme(theme).type.title.size
    assert f"of theme {size}</h1>" in _html(_compile(small, settings, theme, overrides))


@pytest.mark.parametrize("theme", THEMES)
def test_a_logo_stands_above_the_title_and_comes_with_the_mail(
    theme: str, small: Edition, settings: Settings, tmp_path: Path
) -> None:
    logo = '[logo]\nfile = "our logo.png"\nalt = "Office of the Steppe"\nwidth = 140\n'
    overrides = _write(tmp_path, f"email/{theme}.toml", logo)
    Image.new("RGB", (600, 200), "#226644").save(tmp_path / "email" / "our logo.png")
    without, compiled = (_compile(small, settings, theme, where) for where in (None, overrides))
    (added,) = {image.name for image in compiled.images} - {image.name for image in without.images}
    image = lxml_html.document_fromstring(_html(compiled)).xpath("(//img)[1]")[0]
    assert image.get("src") == f"https://news.example.org/media/{added}"
    assert (image.get("alt"), image.get("width")) == ("Office of the Steppe", "140")
    assert image.getnext() is None
    assert _html(compiled).index("<img") < _html(compiled).index("<h1")
    assert compiled.digest != without.digest


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (
            'file = "gone.png"\nalt = "Us"',
            r"bulletin\.toml: logo\.file: .*gone\.png does not exist\. Put the",
        ),
        (
            'file = "https://example.org/logo.png"\nalt = "Us"',
            r"logo\.file: invalid value .*\. Write the name",
        ),
        ('file = "../logo.png"\nalt = "Us"', r"logo\.file: invalid value"),
        ('file = "logo.svg"\nalt = "Us"', r"logo\.file: .* JPEG, PNG or GIF"),
        ('file = "logo.png"', r"logo\.alt is empty\. Write what the logo says"),
    ],
)
def test_a_logo_that_cannot_be_shown_is_refused(tmp_path: Path, lines: str, complaint: str) -> None:
    overrides = _write(tmp_path, "email/bulletin.toml", f"[logo]\n{lines}\n")
    Image.new("RGB", (40, 40)).save(tmp_path / "email" / "logo.png")
    with pytest.raises(TemplateError, match=complaint):
        load_theme("bulletin", overrides)


# --- what the page tells people to write --------------------------------------------------------------------


def _read_examples() -> Iterator[tuple[str, str]]:
    """The files that docs/templates.md shows: the name before the block, and the block."""
    pattern = r"In `templates/([\w./-]+)`:\n\n```\w+\n(.*?)^```"
    yield from re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_shows_a_token_a_logo_and_a_block() -> None:
    shown = [name for name, _ in _read_examples()]
    assert shown == ["email/periodical.toml", "email/bulletin.toml", "email/blocks/story.mjml.j2"]


def test_what_the_page_shows_does_what_it_says(small: Edition, settings: Settings, tmp_path: Path) -> None:
    for name, text in _read_examples():
        _write(tmp_path, name, text)
    Image.new("RGB", (280, 90), "#224466").save(tmp_path / "email" / "logo.png")
    ours, shipped = load_theme("periodical", tmp_path), load_theme("periodical")
    assert (ours.light.link, ours.type.title.size) == ("#00457c", 38)
    assert ours.type.title.line == shipped.type.title.line
    for theme in THEMES:
        document = lxml_html.document_fromstring(_html(_compile(small, settings, theme, tmp_path)))
        below = document.xpath("//h3/following-sibling::p[@class='l']")
        assert below
        assert not document.xpath("//p[@class='l']/following-sibling::h3")
        logos = document.xpath("//img[@alt='Office of the Steppe']/@width")
        assert logos == (["140"] if theme == "bulletin" else [])


def test_the_message_the_page_quotes_is_the_one_people_get(tmp_path: Path) -> None:
    quoted = re.search(r"\(`(light\.lnik: [^`]*)`\)", PAGE.read_text(encoding="utf-8"))
    assert quoted
    overrides = _write(tmp_path, "email/periodical.toml", '[light]\nlnik = "#000000"\n')
    with pytest.raises(TemplateError, match=re.escape(quoted[1])):
        load_theme("periodical", overrides)

"""All pages have the same colours, said once, which can be read on their ground."""

import re

import pytest

from mailer.rendering.themes.theme import measure_contrast
from mailer.web.page_renderer import TEMPLATE_FOLDER

Palette = dict[str, str]


def read_palettes(file: str) -> dict[str, Palette]:
    """The colours by name that a style sheet has by day and by night."""
    text = (TEMPLATE_FOLDER / file).read_text("utf-8")
    day, night = text.split("prefers-color-scheme: dark")[:2]
    pattern = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
    return {"day": dict(pattern.findall(day)), "night": dict(pattern.findall(night))}


def test_a_colour_is_said_once_and_means_the_same_on_all_pages() -> None:
    tokens = read_palettes("tokens.css")
    assert len(tokens["day"]) >= 16
    for file in ("site.css", "studio.css", "preview.css", "charts.css"):
        day, _, night = (TEMPLATE_FOLDER / file).read_text("utf-8").partition("prefers-color-scheme: dark")
        for time, text in (("day", day), ("night", night)):
            # What prints, and high contrast, says its own.
            plain = re.split(r"@media (?:print|\(forced-colors)", text)[0]
            own = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", plain))
            assert not own.keys() & tokens[time].keys(), file


def test_every_page_links_the_colours_before_the_sheet_that_uses_them() -> None:
    for page in ("base.html", "preview.html", "report_base.html", "studio/base.html"):
        sheets = re.findall(r"asset\('([a-z]+)\.css'\)", (TEMPLATE_FOLDER / page).read_text("utf-8"))
        assert sheets[0] == "tokens", page


@pytest.mark.parametrize("time", ["day", "night"])
@pytest.mark.parametrize("ink", ["ink", "muted", "link", "wrong", "careful", "right"])
@pytest.mark.parametrize("ground", ["paper", "sheet"])
def test_every_ink_can_be_read(time: str, ink: str, ground: str) -> None:
    palette = read_palettes("tokens.css")[time]
    assert measure_contrast(palette[ink], palette[ground]) >= 4.5


@pytest.mark.parametrize("time", ["day", "night"])
def test_a_number_can_be_read_on_the_darkest_cell(time: str) -> None:
    palette = read_palettes("tokens.css")[time]
    charts = (TEMPLATE_FOLDER / "charts.css").read_text("utf-8")
    steps = [float(share) for share in re.findall(r"\.step-\d \{ fill-opacity: (\.\d+);", charts)]
    assert len(steps) == 6
    for share in steps:
        ground = mix_colours(palette["link"], palette["sheet"], share)
        assert measure_contrast(palette["ink"], ground) >= 4.5, share


def mix_colours(above: str, below: str, share: float) -> str:
    """What ``above`` looks like when ``share`` of it lies over ``below``."""
    pairs = zip(_read_channels(above), _read_channels(below), strict=True)
    return "#" + "".join(f"{round(top * share + ground * (1 - share)):02x}" for top, ground in pairs)


def _read_channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]

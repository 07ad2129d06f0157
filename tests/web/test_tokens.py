"""The colours of the team's pages are those of the readers' pages, and can be read on their ground."""

import re

import pytest

from mailer.rendering.themes.contrast_ratio import measure_contrast
from mailer.web.page_renderer import TEMPLATE_FOLDER

Palette = dict[str, str]


def read_palettes(file: str) -> dict[str, Palette]:
    """The colours by name that a style sheet has by day and by night."""
    text = (TEMPLATE_FOLDER / file).read_text("utf-8")
    day, night = text.split("prefers-color-scheme: dark")[:2]
    pattern = re.compile(r"--([a-z-]+): (#[0-9a-f]{6});")
    return {"day": dict(pattern.findall(day)), "night": dict(pattern.findall(night))}


def test_a_colour_means_the_same_on_all_pages() -> None:
    ours, readers = read_palettes("tokens.css"), read_palettes("site.css")
    for time in ("day", "night"):
        shared = ours[time].keys() & readers[time].keys()
        assert len(shared) >= 12
        assert {name: ours[time][name] for name in shared} == {name: readers[time][name] for name in shared}


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

"""Sectors nobody chose a colour for: each its own, readable in both palettes, the same every time."""

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from editions.reader import read_edition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.themes.sector_colours import color_sectors, measure_distance
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from mailer.rendering.themes.theme_files import find_low_contrast, load_theme
from mailer.workspace import Workspace
from tests.factories.small_edition import write_edition

IDS = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,3}", fullmatch=True)
PERIODICAL = load_theme("periodical")
FIXED = ("feature", "centres-and-chairs", "campaigns", "office", "other")
VISIBLE = 0.04
"""Twice the difference that can just be seen."""


@settings(deadline=None)
@given(st.lists(IDS, min_size=1, max_size=24, unique=True))
def test_up_to_24_sectors_of_any_name_are_distinct_and_readable_in_light_and_dark(sectors: list[str]) -> None:
    theme = PERIODICAL
    coloured = color_sectors(theme, sectors)
    assert list(find_low_contrast(coloured)) == []
    unchosen = [sector for sector in sectors if sector not in theme.sections]
    for appearance in (0, 1):
        colours = [coloured.sections[sector][appearance] for sector in unchosen]
        others = [coloured.sections[key][appearance] for key in {*FIXED, *sectors} - {*unchosen}]
        pairs = [*combinations(colours, 2), *((one, other) for one in colours for other in others)]
        assert all(measure_distance(one, other) >= VISIBLE for one, other in pairs)


@settings(deadline=None)
@given(st.lists(IDS, min_size=2, max_size=24, unique=True))
def test_a_sector_added_at_the_end_changes_the_colour_of_no_other(sectors: list[str]) -> None:
    before, after = color_sectors(PERIODICAL, sectors[:-1]), color_sectors(PERIODICAL, sectors)
    assert all(before.sections[sector] == after.sections[sector] for sector in sectors[:-1])


GREYS = st.integers(0, 255).map(lambda level: f"#{level:02x}{level:02x}{level:02x}")


@settings(max_examples=25, deadline=None)
@given(st.tuples(GREYS, GREYS), st.tuples(GREYS, GREYS))
def test_they_are_readable_on_every_background_on_which_text_can_be(
    light: tuple[str, str], dark: tuple[str, str]
) -> None:
    theme = replace(
        PERIODICAL,
        light=replace(PERIODICAL.light, sheet=light[0], page=light[1]),
        dark=replace(PERIODICAL.dark, sheet=dark[0], page=dark[1]),
    )
    colours = color_sectors(theme, ["water", "food"]).sections
    for appearance, grounds in enumerate((light, dark)):
        best = max(min(measure_contrast(ink, ground) for ground in grounds) for ink in ("#000000", "#ffffff"))
        for sector in ("water", "food"):
            contrast = min(measure_contrast(colours[sector][appearance], ground) for ground in grounds)
            assert contrast >= min(MIN_TEXT_CONTRAST, best)


def test_a_colour_that_was_chosen_stays_and_other_sections_keep_that_of_other() -> None:
    theme = color_sectors(PERIODICAL, ["water", "education"])
    assert theme.sections["education"] == PERIODICAL.sections["education"]
    assert theme.accent("stray", "k1").light == PERIODICAL.sections["other"][0]
    assert theme.accent("water", "k0").light not in {light for light, _ in PERIODICAL.sections.values()}
    assert color_sectors(PERIODICAL, ["education"]) is PERIODICAL


def test_a_theme_of_one_colour_stays_so() -> None:
    bulletin = load_theme("bulletin")
    assert color_sectors(bulletin, ["water", "food"]) is bulletin


def test_the_mail_has_them_in_its_style_sheet(workspace: Workspace) -> None:
    folder = write_edition(workspace.editions)
    story = folder / "stories" / "010-teachers.md"
    story.write_text(story.read_text(encoding="utf-8").replace("sector: education", "sector: water"))
    known = workspace.settings.model_copy(update={"sectors": {"food": "Food", "water": "Water"}})
    light, dark = color_sectors(PERIODICAL, ["food", "water"]).sections["water"]
    edition = read_edition(folder, sectors=known.sectors)
    html = compile_edition(edition, known).html
    assert light in html
    assert dark in html
    assert PERIODICAL.sections["other"][0] not in html

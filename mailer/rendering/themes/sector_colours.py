"""The colours of sectors: made where a theme has none, and changed in the workspace's file."""

import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from locales.phrase import gettext_noop
from mailer.atomic_write import locked_folder, write_atomically
from mailer.errors import MailerError, TemplateError
from mailer.rendering.themes.theme import (
    MIN_TEXT_CONTRAST,
    ColourPair,
    Palette,
    Theme,
    measure_contrast,
    to_linear,
)
from mailer.rendering.themes.theme_files import find_low_contrast, load_theme
from mailer.settings.changes.toml_splicer import change_toml, find_value

_HUES = range(0, 360, 10)
# Three lightnesses of each hue, for dark and for light text. With these numbers, any two of 24 sectors differ
# by 0.05 in both palettes; two lightnesses, or less chroma, come to 0.03.
_DARK_TEXT = (0.50, 0.40, 0.30)
_LIGHT_TEXT = (0.70, 0.80, 0.90)
_CHROMA = 0.16
_STEP = 0.01
_FIXED_SECTIONS = ("feature", "centres-and-chairs", "campaigns", "office", "other")

_Lab = tuple[float, float, float]
_Pair = tuple[str, str]
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FILE_MODE = 0o644
_USUAL_COLOURS = ("#7c8591", "#8593a2")


def color_sectors(theme: Theme, sectors: Sequence[str]) -> Theme:
    """Return the theme with a light and a dark colour for each of ``sectors`` that it has none for, as far as
    possible from those of the other sectors and of the sections that every edition has. The same sectors in
    the same order always have the same colours; one added at the end changes none. A theme that has a colour
    for ``other`` alone is meant to be of one colour, and stays so."""
    missing = [sector for sector in dict.fromkeys(sectors) if sector not in theme.sections]
    if not missing or theme.sections.keys() == {"other"}:
        return theme
    taken = tuple(theme.sections[key] for key in (*_FIXED_SECTIONS, *sectors) if key in theme.sections)
    colours = _choose_colours(_list_grounds(theme.light), _list_grounds(theme.dark), taken, len(missing))
    return replace(theme, sections={**theme.sections, **dict(zip(missing, colours, strict=True))})


def find_sector_colours(name: str, overrides: Path | None, sectors: Sequence[str]) -> dict[str, ColourPair]:
    """Return the colours of each sector on light and on dark in the theme ``name``; usual ones while that
    cannot be read."""
    try:
        found = color_sectors(load_theme(name, overrides), sectors).sections
    except MailerError:
        # The theme is being edited, and its own page says what is wrong.
        found = {}
    return {slug: found.get(slug, _USUAL_COLOURS) for slug in sectors}


def measure_distance(one: str, other: str) -> float:
    """Return the distance of two ``#rrggbb`` in OKLab: of black and white 1, just visible 0.02."""
    return math.dist(_to_lab(one), _to_lab(other))


def _list_grounds(palette: Palette) -> _Pair:
    return palette.sheet, palette.page


@lru_cache(maxsize=64)
def _choose_colours(light: _Pair, dark: _Pair, taken: tuple[_Pair, ...], number: int) -> tuple[_Pair, ...]:
    """Return ``number`` pairs, each the candidate that is farthest from all before it."""
    found = (
        (_find_readable(hue, step, light), _find_readable(hue, step, dark))
        for step in range(len(_DARK_TEXT))
        for hue in _HUES
    )
    candidates = list(dict.fromkeys(found))
    nearest = [min(_pair_distance(candidate, pair) for pair in taken) for candidate in candidates]
    chosen: list[_Pair] = []
    for _ in range(number):
        best = max(range(len(candidates)), key=nearest.__getitem__)
        chosen.append(candidates[best])
        nearest = [
            min(distance, _pair_distance(candidate, candidates[best]))
            for candidate, distance in zip(candidates, nearest, strict=True)
        ]
    return tuple(chosen)


def _pair_distance(one: _Pair, other: _Pair) -> float:
    """Return the distance in the palette in which the two are nearer to each other."""
    return min(measure_distance(one[0], other[0]), measure_distance(one[1], other[1]))


def _find_readable(hue: int, step: int, grounds: _Pair) -> str:
    """Return the colour of that hue that is readable on both grounds, nearest to that step's lightness."""
    is_dark_text = _least_contrast("#000000", grounds) >= _least_contrast("#ffffff", grounds)
    lightness = (_DARK_TEXT if is_dark_text else _LIGHT_TEXT)[step]
    while True:
        colour = _to_hex(lightness, hue)
        if not 0 < lightness < 1 or _least_contrast(colour, grounds) >= MIN_TEXT_CONTRAST:
            return colour
        lightness = round(lightness + (-_STEP if is_dark_text else _STEP), 2)


def _least_contrast(colour: str, grounds: _Pair) -> float:
    return min(measure_contrast(colour, ground) for ground in grounds)


def _to_hex(lightness: float, hue: int) -> str:
    """Return the colour of that lightness and hue, with less chroma where a screen could not show it."""
    chroma = _CHROMA
    while True:
        angle = math.radians(hue)
        channels = _to_linear_rgb((lightness, chroma * math.cos(angle), chroma * math.sin(angle)))
        if chroma <= 0 or all(0 <= channel <= 1 for channel in channels):
            return "#" + "".join(f"{_encode_channel(channel):02x}" for channel in channels)
        chroma = max(0.0, chroma - _STEP)


# The matrices are those of https://bottosson.github.io/posts/oklab/.


def _to_linear_rgb(lab: _Lab) -> _Lab:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


@lru_cache(maxsize=1024)
def _to_lab(colour: str) -> _Lab:
    red, green, blue = (to_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _encode_channel(linear: float) -> int:
    """Return a channel from 0 to 1, linear in light, as the byte of sRGB."""
    linear = min(max(linear, 0.0), 1.0)
    encoded = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(encoded * 255)


class ColourError(TemplateError):
    """The colours cannot be used; the message says why."""


def find_own_colour(root: Path, theme: str, sector: str) -> ColourPair | None:
    """Return the colours that the workspace in ``root`` gives a sector; None if the theme decides."""
    try:
        values = tomllib.loads(find_theme_file(root, theme).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = find_value(values, ("sections", sector))
    return (str(found[0]), str(found[1])) if isinstance(found, list) and len(found) == 2 else None


def change_sector_colour(
    root: Path, theme: str, sector: str, colours: ColourPair | None, *, was: ColourPair | None
) -> None:
    """Give a sector ``colours`` in place of ``was``; None to have those that the theme chooses. Raise
    ColourError if they are no colours, too faint to read, or others than ``was`` by now, TemplateError if the
    theme cannot be read, and OSError if the file cannot be written."""
    if colours is not None:
        _check(root, theme, sector, colours)
    file = find_theme_file(root, theme)
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(root):
        if find_own_colour(root, theme, sector) != was:
            raise ColourError(
                gettext_noop("Somebody else has changed the colours meanwhile. Look at them, and try again.")
            )
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        value = None if colours is None else list(colours)
        write_atomically(file, change_toml(text, {("sections", sector): value}).encode(), mode=_FILE_MODE)


def find_theme_file(root: Path, theme: str) -> Path:
    """Return the file of the workspace in ``root`` for its changes to a theme, be there one or not."""
    return root / "templates" / "email" / f"{theme}.toml"


def _check(root: Path, theme: str, sector: str, colours: ColourPair) -> None:
    if wrong := [colour for colour in colours if not _COLOUR.fullmatch(colour)]:
        raise ColourError(
            gettext_noop("%(text)s is not a colour. Write # and six digits or letters, such as #0b6a8f."),
            text=repr(wrong[0]),
        )
    folder = root / "templates"
    found = load_theme(theme, folder if folder.is_dir() else None)
    changed = replace(found, sections={**found.sections, sector: colours})
    faults = [fault for fault in find_low_contrast(changed) if f"sections.{sector} " in fault]
    if faults:
        raise ColourError(" ".join(faults))

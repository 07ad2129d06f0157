"""The styles each element of a mail is shown with, in light and in dark."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from PIL import ImageColor

from mailer.checks.mail.dom import Node
from mailer.checks.mail.stylesheet import Declaration, StyleRule, media_applies, parse_declarations
from mailer.rendering.themes.theme import measure_contrast

_PARTS = re.compile(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)\s*(?:[,/]\s*([\d.]+%?)\s*)?\)")
_TOKENS = re.compile(r"[\w-]+\([^)]*\)|[^\s,]+")
_DESKTOP_WIDTH = 700
_LENGTH = re.compile(r"(-?\d*\.?\d+)(px|pt|em|rem|%)?")
_FONT = re.compile(
    r"(?P<before>(?:[\w-]+\s+)*?)(?P<size>\d*\.?\d+(?:px|pt|em|rem|%))(?:\s*/\s*(?P<line>[\w.%]+))?\s+(?P<family>.+)"
)
_BOLD_TAGS = frozenset({"b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"})
_TAG_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67, "small": 0.83}
_LINK_BLUE = "#0000ee"


@lru_cache(maxsize=4096)
def parse_colour(value: str, background: str = "#ffffff") -> str | None:
    """Return ``value`` as ``#rrggbb``, blended with ``background`` if it is translucent; None if it is fully
    transparent or not a colour of its own (``transparent``, ``inherit``, ``none``)."""
    word = value.strip().lower()
    if found := _PARTS.fullmatch(word):
        red, green, blue = (min(int(part), 255) for part in found.groups()[:3])
        return _blend((red, green, blue), _parse_alpha(found[4]), background)
    try:
        channels = ImageColor.getrgb(word)
    except ValueError:
        return None
    alpha = channels[3] / 255 if len(channels) == 4 else 1.0
    return _blend((channels[0], channels[1], channels[2]), alpha, background)


@lru_cache(maxsize=1024)
def find_colour(value: str, background: str = "#ffffff") -> str | None:
    """Return the colour in a shorthand such as ``background: #fff url(a.png)``."""
    return next(filter(None, (parse_colour(token, background) for token in _TOKENS.findall(value))), None)


def _parse_alpha(written: str | None) -> float:
    if written is None:
        return 1.0
    return float(written[:-1]) / 100 if written.endswith("%") else float(written)


def _blend(colour: tuple[int, int, int], alpha: float, background: str) -> str | None:
    if alpha <= 0:
        return None
    below = (int(background[place : place + 2], 16) for place in (1, 3, 5))
    mixed = (round(alpha * over + (1 - alpha) * under) for over, under in zip(colour, below, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


class Appearance(StrEnum):
    """A way in which email programs display the same email."""

    bare = "without style sheets"
    """Only the styles on elements, as in programs that drop ``<style>``."""

    light = "light"
    dark = "dark"


class ComputedStyle(NamedTuple):
    """How one element's own text is displayed. ``line_height`` is a multiple of ``font_size``, None if the
    program decides. ``is_dark_colour``: a dark mode rule set the colour. ``light_background`` is the nearest
    light background, of the element or an ancestor, that no such rule has darkened."""

    colour: str = "#000000"
    background: str = "#ffffff"
    font_size: float = 16
    is_bold: bool = False
    line_height: float | None = None
    font_family: str = ""
    text_align: str = ""
    is_underlined: bool = False
    is_hidden: bool = False
    is_dark_colour: bool = False
    light_background: str = ""
    has_background_image: bool = False


def compute_styles(nodes: Sequence[Node], appearance: Appearance) -> dict[Node, ComputedStyle]:
    canvas = (
        ComputedStyle(colour="#e8e8e8", background="#121212")
        if appearance is Appearance.dark
        else ComputedStyle()
    )
    computer = _StyleComputer(appearance)
    styles: dict[Node, ComputedStyle] = {}
    for node in nodes:
        styles[node] = computer.compute(node, styles[node.parent] if node.parent is not None else canvas)
    return styles


class _StyleComputer:
    """Computes element by element; elements that are alike in everything that matters share one style."""

    def __init__(self, appearance: Appearance) -> None:
        self.appearance = appearance
        self._known: dict[tuple[object, ...], ComputedStyle] = {}
        self._active: dict[StyleRule, bool] = {}

    def compute(self, node: Node, above: ComputedStyle) -> ComputedStyle:
        background, link = node.get("bgcolor"), node.get("href") if node.tag == "a" else None
        key = (above, node.matched_rules, node.style, node.tag, background, link is None)
        style = self._known.get(key)
        if style is None:
            style = self._known[key] = self._compute_uncached(
                node, above, background, is_link=link is not None
            )
        return style

    def _compute_uncached(
        self, node: Node, above: ComputedStyle, bgcolor: str | None, *, is_link: bool
    ) -> ComputedStyle:
        won = self._cascade(node)
        size = _read_size(won, above.font_size * _TAG_SIZES.get(node.tag, 1.0), above.font_size)
        style = above._replace(
            font_size=size,
            is_bold=_read_weight(won, node.tag in _BOLD_TAGS or above.is_bold),
            line_height=_read_line(won, size, above),
            font_family=_read_family(won) or above.font_family,
            text_align=won["text-align"].value if "text-align" in won else above.text_align,
            is_underlined=_read_underline(won, is_link or above.is_underlined),
            is_hidden=above.is_hidden or _hides(won) or node.get("hidden") is not None,
        )
        return _apply_colours(style, won, bgcolor, is_link=is_link)

    def _cascade(self, node: Node) -> dict[str, "_WinningValue"]:
        claims: list[tuple[tuple[object, ...], Declaration, bool]] = []
        if self.appearance is not Appearance.bare:
            for rule, specificity in node.matched_rules:
                if self._applies(rule):
                    dark = rule.is_dark
                    claims += [
                        ((part.important, False, specificity, rule.order), part, dark)
                        for part in rule.declarations
                    ]
        claims += [
            ((part.important, True, (0, 0, 0), 0), part, False) for part in parse_declarations(node.style)
        ]
        claims.sort(key=lambda claim: claim[0])
        return {
            part.name: _WinningValue(part.value, dark, place) for place, (_, part, dark) in enumerate(claims)
        }

    def _applies(self, rule: StyleRule) -> bool:
        if rule not in self._active:
            dark = self.appearance is Appearance.dark
            self._active[rule] = all(
                media_applies(c, dark=dark, width=_DESKTOP_WIDTH) for c in rule.conditions
            )
        return self._active[rule]


class _WinningValue(NamedTuple):
    """The value of a property, whether a dark mode rule set it, and its rank in the cascade."""

    value: str
    dark: bool
    rank: int


def _last_declared(won: dict[str, _WinningValue], longhand: str, shorthand: str) -> str:
    """Return which of a property and its shorthand takes effect; empty if neither is declared."""
    given = [name for name in (longhand, shorthand) if name in won]
    return max(given, key=lambda name: won[name].rank, default="")


def _apply_colours(
    style: ComputedStyle, won: dict[str, _WinningValue], bgcolor: str | None, *, is_link: bool
) -> ComputedStyle:
    """Return ``style`` with its background and colour; the background first: the colour may blend in."""
    name = _last_declared(won, "background-color", "background")
    painted = find_colour(won[name].value, style.background) if name else None
    if not name and bgcolor:
        painted = parse_colour(bgcolor, style.background)
    if painted:
        dark = bool(name) and won[name].dark
        light_background = (
            style.light_background if dark or not is_light(painted) else style.light_background or painted
        )
        style = style._replace(
            background=painted, light_background=light_background, has_background_image=False
        )
    if any("url(" in won[name].value for name in ("background", "background-image") if name in won):
        style = style._replace(has_background_image=True)
    if "color" in won:
        colour = parse_colour(won["color"].value, style.background)
        return style._replace(
            colour=colour or style.colour,
            is_dark_colour=won["color"].dark if colour else style.is_dark_colour,
        )
    return style._replace(colour=_LINK_BLUE, is_dark_colour=False) if is_link else style


@lru_cache(maxsize=512)
def is_light(colour: str) -> bool:
    """Return whether black is easier to read on ``colour`` than white."""
    return measure_contrast(colour, "#000000") > measure_contrast(colour, "#ffffff")


def _read_size(won: dict[str, _WinningValue], own: float, above: float) -> float:
    name = _last_declared(won, "font-size", "font")
    if not name:
        return own
    written = won[name].value
    if name == "font":
        found = _FONT.fullmatch(written)
        written = found["size"] if found else ""
    return _read_length(written, above) if _LENGTH.fullmatch(written) else own


@lru_cache(maxsize=512)
def _read_length(written: str, whole: float) -> float:
    """Return a length in pixels; ``em`` and ``%`` are relative to ``whole``."""
    found = _LENGTH.fullmatch(written)
    if not found:
        return whole
    number = float(found[1])
    factor = {"px": 1.0, "pt": 4 / 3, "rem": 16.0, "em": whole, "%": whole / 100}
    return number * factor.get(found[2] or "px", 1.0)


def _read_weight(won: dict[str, _WinningValue], inherited: bool) -> bool:
    name = _last_declared(won, "font-weight", "font")
    if not name:
        return inherited
    words = won[name].value.split()
    if name == "font":
        found = _FONT.fullmatch(won[name].value)
        words = found["before"].split() if found else []
    return any(word in {"bold", "bolder"} or (word.isdecimal() and int(word) >= 700) for word in words)


def _read_line(won: dict[str, _WinningValue], size: float, above: ComputedStyle) -> float | None:
    name = _last_declared(won, "line-height", "font")
    if not name:
        # A height in pixels is inherited as pixels, which is a larger multiple of a smaller font size.
        return above.line_height * above.font_size / size if above.line_height and size else above.line_height
    written = won[name].value
    if name == "font":
        found = _FONT.fullmatch(written)
        written = (found["line"] or "") if found else ""
    return _read_ratio(written, size)


def _read_ratio(written: str, size: float) -> float | None:
    found = _LENGTH.fullmatch(written)
    if not found or not size:
        return None
    return float(found[1]) if not found[2] else _read_length(written, size) / size


def _read_family(won: dict[str, _WinningValue]) -> str:
    name = _last_declared(won, "font-family", "font")
    if name == "font":
        found = _FONT.fullmatch(won[name].value)
        return found["family"] if found else ""
    return won[name].value if name else ""


def _read_underline(won: dict[str, _WinningValue], inherited: bool) -> bool:
    name = _last_declared(won, "text-decoration-line", "text-decoration")
    return inherited if not name else "underline" in won[name].value


def _hides(won: dict[str, _WinningValue]) -> bool:
    return ("display" in won and won["display"].value == "none") or (
        "visibility" in won and won["visibility"].value == "hidden"
    )

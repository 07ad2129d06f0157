"""The query string of the preview, which says what to show; its URLs can be bookmarked and shared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from mailer.web.plain_number import read_number


class ShownWindows(StrEnum):
    """Which windows the page shows."""

    both = "both"
    """Desktop and phone, side by side if there is room."""

    desktop = "desktop"
    """700 px wide."""

    phone = "phone"
    """375 px wide."""

    text = "text"
    """The plain-text part."""

    paper = "paper"
    """Printed on a sheet of A4."""


class ColourScheme(StrEnum):
    """The colour scheme of the reader's mail program."""

    light = "light"
    """Dark text on a light background."""

    dark = "dark"
    """Light text on a dark background."""


class ImageLoading(StrEnum):
    """Whether the mail program loads images."""

    on = "on"
    """Images are loaded."""

    off = "off"
    """The alternative text is shown instead."""


class ShownForm(StrEnum):
    """Which form of the edition the preview shows."""

    own = "own"
    """The one that the edition is sent in."""

    full = "full"
    """Every story as a whole."""

    digest = "digest"
    """Cards that lead to the stories' pages."""


@dataclass(frozen=True, kw_only=True)
class PreviewQuery:
    """What to show of an edition.

    ``address`` or else ``segment`` says whose email it is; if both are empty, an anonymous reader's. ``n`` is
    the reader's position in the segment, from 1. ``language`` is empty for the reader's own.
    """

    show: ShownWindows = ShownWindows.both
    scheme: ColourScheme = ColourScheme.light
    images: ImageLoading = ImageLoading.on
    form: ShownForm = ShownForm.own
    address: str = ""
    segment: str = ""
    n: int = 1
    language: str = ""

    def link(self, field: str, value: object) -> str:
        """Return the URL of this view with one field changed."""
        return f"/?{replace(self, **{field: value}).encode()}"  # type: ignore[arg-type]

    @property
    def frame(self) -> str:
        """The URL of the email itself in this view."""
        return f"/frame?{self.encode()}"

    def encode(self) -> str:
        """The query that :func:`parse_query` reads as this view, without what goes without saying."""
        usual = asdict(PreviewQuery())
        form_language = {
            _KEYS.get(name, name): value for name, value in asdict(self).items() if value != usual[name]
        }
        return urlencode(form_language)


_KEYS = {"address": "for"}
Choice = TypeVar("Choice", bound=StrEnum)


def parse_query(query: Mapping[str, str]) -> PreviewQuery:
    """Parse a query; an unknown value becomes the default."""
    return PreviewQuery(
        show=_parse_choice(ShownWindows, query.get("show"), ShownWindows.both),
        scheme=_parse_choice(ColourScheme, query.get("scheme"), ColourScheme.light),
        images=_parse_choice(ImageLoading, query.get("images"), ImageLoading.on),
        form=_parse_choice(ShownForm, query.get("form"), ShownForm.own),
        address=query.get("for", "").strip(),
        segment=query.get("segment", "").strip(),
        n=read_number(query.get("n", ""), digits=8) or 1,
        language=query.get("language", ""),
    )


def _parse_choice(choices: type[Choice], value: str | None, usual: Choice) -> Choice:
    return choices(value) if value is not None and value in choices.__members__ else usual

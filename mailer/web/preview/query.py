"""What the preview is asked to show, as its address says it: every view can be kept and passed on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode


class ShownWindows(StrEnum):
    """Which windows stand on the page."""

    both = "both"
    """A desktop's and a phone's, side by side where there is room."""

    desktop = "desktop"
    """700 px wide."""

    phone = "phone"
    """375 px wide."""

    text = "text"
    """The plain-text part."""


class ColourScheme(StrEnum):
    """The appearance the reader's mail program is in."""

    light = "light"
    """Dark ink on light paper."""

    dark = "dark"
    """Light ink on dark paper."""


class ImageLoading(StrEnum):
    """Whether the mail program loads pictures."""

    on = "on"
    """It does."""

    off = "off"
    """It shows the words that stand for them."""


@dataclass(frozen=True, kw_only=True)
class PreviewQuery:
    """One view of an edition.

    ``address`` and ``segment`` say whose mail it is: the address first, nobody's where both are empty. ``n``
    is the reader's place in the segment, from 1. ``language`` is empty for the reader's own.
    """

    show: ShownWindows = ShownWindows.both
    scheme: ColourScheme = ColourScheme.light
    images: ImageLoading = ImageLoading.on
    address: str = ""
    segment: str = ""
    n: int = 1
    language: str = ""

    def link(self, field: str, value: object) -> str:
        """The address of this view with one thing changed."""
        return f"/?{replace(self, **{field: value}).encode()}"  # type: ignore[arg-type]

    @property
    def frame(self) -> str:
        """The address of the mail itself in this view."""
        return f"/frame?{self.encode()}"

    def encode(self) -> str:
        """The query that :func:`parse_query` reads as this view, without what goes without saying."""
        usual = asdict(PreviewQuery())
        said = {_KEYS.get(name, name): value for name, value in asdict(self).items() if value != usual[name]}
        return urlencode(said)


_KEYS = {"address": "for"}
Choice = TypeVar("Choice", bound=StrEnum)


def parse_query(query: Mapping[str, str]) -> PreviewQuery:
    """The view a query asks for; what it does not know is shown as usual."""
    number = query.get("n", "1")
    return PreviewQuery(
        show=_parse_choice(ShownWindows, query.get("show"), ShownWindows.both),
        scheme=_parse_choice(ColourScheme, query.get("scheme"), ColourScheme.light),
        images=_parse_choice(ImageLoading, query.get("images"), ImageLoading.on),
        address=query.get("for", "").strip(),
        segment=query.get("segment", "").strip(),
        n=int(number) if number.isdecimal() and len(number) < 9 and int(number) > 0 else 1,
        language=query.get("language", ""),
    )


def _parse_choice(choices: type[Choice], value: str | None, usual: Choice) -> Choice:
    return choices(value) if value is not None and value in choices.__members__ else usual

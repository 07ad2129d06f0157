"""What the preview is asked to show, as its address says it: every view can be kept and passed on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode


class Show(StrEnum):
    """Which windows stand on the page."""

    both = "both"
    """A desktop's and a phone's, side by side where there is room."""

    desktop = "desktop"
    """700 px wide."""

    phone = "phone"
    """375 px wide."""

    text = "text"
    """The plain-text part."""


class Scheme(StrEnum):
    """The appearance the reader's mail program is in."""

    light = "light"
    """Dark ink on light paper."""

    dark = "dark"
    """Light ink on dark paper."""


class Images(StrEnum):
    """Whether the mail program loads pictures."""

    on = "on"
    """It does."""

    off = "off"
    """It shows the words that stand for them."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One view of an edition.

    ``address`` and ``segment`` say whose mail it is: the address first, nobody's where both are empty. ``n``
    is the reader's place in the segment, from 1. ``language`` is empty for the reader's own.
    """

    show: Show = Show.both
    scheme: Scheme = Scheme.light
    images: Images = Images.on
    address: str = ""
    segment: str = ""
    n: int = 1
    language: str = ""

    def link(self, field: str, value: object) -> str:
        """The address of this view with one thing changed."""
        return f"/?{replace(self, **{field: value}).query()}"  # type: ignore[arg-type]

    @property
    def frame(self) -> str:
        """The address of the mail itself in this view."""
        return f"/frame?{self.query()}"

    def query(self) -> str:
        """The query that :func:`read_view` reads as this view, without what goes without saying."""
        usual = asdict(View())
        said = {_KEYS.get(name, name): value for name, value in asdict(self).items() if value != usual[name]}
        return urlencode(said)


_KEYS = {"address": "for"}
Choice = TypeVar("Choice", bound=StrEnum)


def read_view(query: Mapping[str, str]) -> View:
    """The view a query asks for; what it does not know is shown as usual."""
    number = query.get("n", "1")
    return View(
        show=_choose(Show, query.get("show"), Show.both),
        scheme=_choose(Scheme, query.get("scheme"), Scheme.light),
        images=_choose(Images, query.get("images"), Images.on),
        address=query.get("for", "").strip(),
        segment=query.get("segment", "").strip(),
        n=int(number) if number.isdecimal() and len(number) < 9 and int(number) > 0 else 1,
        language=query.get("language", ""),
    )


def _choose(choices: type[Choice], value: str | None, usual: Choice) -> Choice:
    return choices(value) if value is not None and value in choices.__members__ else usual

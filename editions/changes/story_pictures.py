"""The pictures of a story or a letter: where its front matter has them, and what it says about each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from editions.model import CENTRE, Crop, Focus, ImageShape
from editions.source.front_matter import FrontMatter
from editions.source.yaml_parser import KeyPath, YamlValue
from locales.phrase import WordedEnum, gettext_noop

_MAX_FURTHER = 20
_TEXTS = ("file", "alt", "caption", "credit", "people", "ai")


class PlaceKind(WordedEnum):
    """The key of the front matter that names a picture."""

    image = ("image", gettext_noop("The story’s picture"))
    images = ("images", gettext_noop("A further picture"))
    """One of several, by number."""

    video = ("video", gettext_noop("The video’s picture"))
    portrait = ("portrait", gettext_noop("The portrait beside the letter"))


@dataclass(frozen=True, kw_only=True)
class PicturePlace:
    """One place. ``number`` counts further pictures from 0; the number after the last one adds a picture."""

    kind: PlaceKind = PlaceKind.image
    number: int = 0

    @property
    def key_path(self) -> KeyPath:
        if self.kind is PlaceKind.portrait:
            return ("letter", "portrait")
        return ("images", self.number) if self.kind is PlaceKind.images else (self.kind.value,)

    @property
    def key(self) -> str:
        """The key of the front matter that has the picture, such as ``images.0``."""
        return ".".join(map(str, self.key_path))

    def __str__(self) -> str:
        return f"images-{self.number}" if self.kind is PlaceKind.images else self.kind.value

    def read(self, front_matter: FrontMatter) -> Mapping[str, str]:
        """Return the picture's keys as they are written; empty if there is no picture."""
        value = front_matter.value(*self.key_path)
        items = value.items() if isinstance(value, dict) else ()
        return {key: " ".join(text.split()) for key, text in items if isinstance(text, str)}

    def exists_or_follows(self, front_matter: FrontMatter) -> bool:
        """Return whether there is such a picture, or room for it directly after the last."""
        if self.kind is PlaceKind.video:
            return bool(self.read(front_matter))
        return self.kind is not PlaceKind.images or self.number <= len(list_further(front_matter))


def parse_place(text: str, *, is_letter: bool) -> PicturePlace | None:
    """Read a place as ``str`` writes it; None if it is none of this kind of file."""
    kind, _, number = text.partition("-")
    if is_letter:
        return PicturePlace(kind=PlaceKind.portrait) if text in {"", "portrait"} else None
    if text in {"", "image", "video"}:
        return PicturePlace(kind=PlaceKind(text or "image"))
    further = _read_number(number) if kind == "images" else None
    if further is None or further >= _MAX_FURTHER:
        return None
    return PicturePlace(kind=PlaceKind.images, number=further)


def list_further(front_matter: FrontMatter) -> list[Mapping[str, YamlValue]]:
    """Return the further pictures of a story, as they are written; a single one may stand without a list."""
    value = front_matter.value("images")
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


@dataclass(frozen=True, kw_only=True)
class PictureKeys:
    """What is said about a picture, as written; ``shape`` is "" for the whole picture."""

    file: str = ""
    alt: str = ""
    caption: str = ""
    credit: str = ""
    people: str = ""
    ai: str = ""
    shape: str = ""
    focus: Focus = CENTRE

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> Self:
        """Read the keys; what cannot be understood is left out."""
        x, _, y = texts.get("focus", "").replace(",", " ").partition(" ")
        shape = texts.get("shape", "")
        return cls(
            shape=shape if shape in list(ImageShape) else "",
            focus=Focus(x=_read_percent(x), y=_read_percent(y.strip())),
            **{name: texts.get(name, "") for name in _TEXTS},
        )

    @property
    def crop(self) -> Crop | None:
        """What is shown of the picture; None for all of it."""
        return Crop(shape=ImageShape(self.shape), focus=self.focus) if self.shape else None

    def write(self) -> dict[str, str | None]:
        """Return the keys below the picture's own; None takes one away."""
        return {
            "file": self.file,
            "alt": self.alt,
            "caption": self.caption or None,
            "credit": self.credit or None,
            "ai": self.ai or None,
            "people": self.people or None,
            "shape": self.shape or None,
            "focus": str(self.focus) if self.shape and self.focus != CENTRE else None,
        }


def _read_percent(text: str) -> int:
    number = _read_number(text)
    return 50 if number is None else min(100, number)


def _read_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

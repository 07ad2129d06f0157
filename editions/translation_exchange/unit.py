"""What is given to a translator: units of text, by the file that they stand in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from editions.rich_text.nodes import Text

Texts = tuple[Text, ...]
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class TranslationUnit:
    """One text. ``id`` is unique in its file: ``title``, ``read_more.0.what``, ``body.3.0``. ``note`` tells
    the translator what it is. ``target`` is empty if there is no translation. A ``plain`` text has no marks;
    ``is_markdown`` is one written in Markdown, whose signs the translator keeps."""

    id: str
    note: str
    source: Texts
    target: Texts = ()
    plain: bool = True
    is_markdown: bool = False


@dataclass(frozen=True, kw_only=True)
class FileUnits:
    """The units of one file. ``id`` is ``edition`` or ``stories.SLUG``; ``name`` is the original's file name,
    ``title`` what it is called."""

    id: str
    name: str
    title: str
    units: tuple[TranslationUnit, ...]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The texts of an edition with their translations into ``language``. ``slug`` names the edition,
    ``title`` is the newsletter's, ``source_language`` the language of the originals."""

    slug: str
    title: str
    source_language: str
    language: str
    files: tuple[FileUnits, ...]

    def list_units(self) -> Iterator[tuple[FileUnits, TranslationUnit]]:
        """Every unit with its file, in the order of the edition."""
        for file in self.files:
            for unit in file.units:
                yield file, unit


@dataclass(frozen=True, kw_only=True)
class ReturnedUnit:
    """A unit as it came back. ``source`` is what the file says the original was; None if it does not say.
    ``place`` names it for people: a row, or an id."""

    file_id: str
    id: str
    source: Texts | None
    target: Texts
    place: str


def drop_invalid(text: str) -> str:
    """``text`` without the characters that XML 1.0 cannot have (2.2)."""
    return _INVALID.sub("", text)


def plain_text(texts: Texts) -> str:
    """``texts`` without their marks."""
    return "".join(text.text for text in texts)


def normalise(texts: Texts) -> str:
    """What is compared to find whether an original is the same: its words, whatever the spaces."""
    return " ".join(plain_text(texts).replace("\xa0", " ").split())

"""The exports of programs we know, each told by several of its columns."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from subscribers.imports.columns.column_titles import FIELDS
from subscribers.imports.columns.status_titles import StatusKind
from subscribers.imports.columns.status_words import StatusMeaning, fold

_FORMATS_FILE = Path(__file__).with_name("known_formats.toml")


@dataclass(frozen=True, kw_only=True)
class KnownFormat:
    """What a program writes, with all titles folded.

    ``requires`` are the columns that tell it, ``first`` the titles of which the first column must be one.
    ``fields`` are titles for what a column can hold, in the order of preference; ``tag_separator`` is between
    tags. ``ignored`` columns look as if they told who left, and do not. ``status`` says how the cells of a
    column are read, or what its values mean.
    """

    name: str
    requires: frozenset[str]
    first: frozenset[str]
    fields: Mapping[str, tuple[str, ...]]
    tag_separator: str | None
    ignored: frozenset[str]
    status: Mapping[str, StatusKind | Mapping[str, StatusMeaning]]

    def fits(self, titles: Sequence[str]) -> bool:
        """Whether folded ``titles`` can be those of this program."""
        return self.requires <= set(titles) and (not self.first or titles[0] in self.first)


def find_known_format(titles: Sequence[str]) -> KnownFormat | None:
    """Return the format of a file with these titles, the one told by most columns; None if we know none."""
    folded = [fold(title) for title in titles]
    fitting = [known for known in known_formats() if known.fits(folded)]
    return max(fitting, key=lambda known: len(known.requires), default=None)


@cache
def known_formats() -> tuple[KnownFormat, ...]:
    """All formats, in the order in which they are preferred."""
    data = tomllib.loads(_FORMATS_FILE.read_text(encoding="utf-8"))
    return tuple(_read_format(record) for record in data["format"])


def _read_format(record: Mapping[str, Any]) -> KnownFormat:
    return KnownFormat(
        name=record["name"],
        requires=frozenset(map(fold, record["requires"])),
        first=frozenset(map(fold, record.get("first", ()))),
        fields={field: _fold_all(record[field]) for field in FIELDS if field in record},
        tag_separator=record.get("tag_separator"),
        ignored=frozenset(map(fold, record.get("ignored", ()))),
        status={fold(title): _read_status(said) for title, said in record.get("status", {}).items()},
    )


def _read_status(said: str | Mapping[str, str]) -> StatusKind | Mapping[str, StatusMeaning]:
    if isinstance(said, str):
        return StatusKind(said)
    return {fold(value): StatusMeaning(meaning) for value, meaning in said.items()}


def _fold_all(titles: str | list[str]) -> tuple[str, ...]:
    return tuple(map(fold, [titles] if isinstance(titles, str) else titles))

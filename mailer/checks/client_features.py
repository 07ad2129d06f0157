"""The HTML and CSS that email programs support: a small table of our own, ``support.toml``.

It lists what our themes use and what must not be used. A feature that is not in it is reported, so that no
theme relies on one that has not been looked up.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("support.toml")
_PAGES = "https://www.caniemail.com/features/"


class Use(StrEnum):
    """How far a feature can be relied on."""

    all = "all"
    """Every email program that matters supports it, or nothing is lost without it."""

    enhancement = "enhancement"
    """Only inside ``<style>``; the email must work without it."""

    never = "never"
    """No email program supports it, or too few."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A line of the table. ``page`` is a full address, empty if caniemail.com has no page."""

    kind: str
    name: str
    use: Use
    page: str
    note: str


@cache
def known_features() -> Mapping[tuple[str, str], Feature]:
    """The table, by kind (``element``, ``property``, ``value``, ``at-rule``, ``pseudo``) and name."""
    data = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        (kind, name): Feature(
            kind=kind,
            name=name,
            use=Use(entry["use"]),
            page=f"{_PAGES}{entry['page']}/" if "page" in entry else "",
            note=entry.get("note", ""),
        )
        for kind, entries in data.items()
        for name, entry in entries.items()
    }

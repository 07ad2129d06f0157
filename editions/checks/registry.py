"""Every check of an edition's source files, read from ``checks.toml``.

The pages in ``docs/checks/`` are written from it, and ``mailer check --explain`` prints its entries.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from editions.errors import Level


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check.

    ``number`` is its place in the list of what a newsletter is checked for (1 to 39), None where it is about
    files alone. ``title`` says what is wrong, ``why`` whom it harms, ``advice`` what to do; each is one or
    more whole sentences. ``sources`` are web addresses. An ``essential`` check cannot be switched off.
    """

    code: str
    level: Level
    title: str
    why: str
    advice: str
    number: int | None = None
    sources: tuple[str, ...] = ()
    essential: bool = False


def load_checks(path: Path) -> Mapping[str, Check]:
    """The checks in the TOML file ``path`` by code, in its order.

    Raises:
        TypeError: an entry lacks a key, or has one that checks do not have.
        ValueError: a level is not known.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType({code: _to_check(code, **entry) for code, entry in entries.items()})


def _to_check(
    code: str,
    *,
    level: str,
    title: str,
    why: str,
    advice: str,
    number: int | None = None,
    sources: list[str] | None = None,
    essential: bool = False,
) -> Check:
    return Check(
        code=code,
        level=Level(level),
        title=title,
        why=why,
        advice=advice,
        number=number,
        sources=tuple(sources or ()),
        essential=essential,
    )


SOURCE_CHECKS = load_checks(Path(__file__).with_name("checks.toml"))
"""The checks of this package by code."""

"""Every check: those of the finished email, listed in ``checks.toml``, and those of an edition's files."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from editions.checks.registry import SOURCE_CHECKS, Check
from editions.problem import Level


def load_checks(path: Path) -> Mapping[str, Check]:
    """Read the checks in the TOML file ``path``, by code, in the order of the file."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            code: Check(
                code=code,
                number=entry.get("number"),
                level=Level(entry["level"]),
                essential=entry.get("essential", False),
                title=entry["title"],
                why=entry["why"],
                advice=entry["advice"],
                sources=tuple(entry.get("sources", ())),
            )
            for code, entry in entries.items()
        }
    )


MAIL_CHECKS = load_checks(Path(__file__).with_name("checks.toml"))
"""The checks of the finished email by code. Some checks of the files are also made on it."""

CHECKS: Mapping[str, Check] = MappingProxyType({**SOURCE_CHECKS, **MAIL_CHECKS})
"""All checks by code."""

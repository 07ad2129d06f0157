"""Every check of a mail, what clients support, and what each check says of itself."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from editions.checks.registry import SOURCE_CHECKS, Check, load_checks
from editions.errors import ProblemLevel

MAIL_CHECKS = load_checks(Path(__file__).with_name("checks.toml"))
"""The checks of the finished email by code. Some checks of the files are also made on it."""

CHECKS: Mapping[str, Check] = MappingProxyType({**SOURCE_CHECKS, **MAIL_CHECKS})

_TABLE = Path(__file__).with_name("support.toml")
_LEVELS = {ProblemLevel.error: "An error", ProblemLevel.warning: "A warning"}
_PAGES = "https://www.caniemail.com/features/"
_PLURALS = {
    "element": "Elements",
    "property": "Properties",
    "value": "Values",
    "at-rule": "At-rules",
    "pseudo": "Pseudo-classes",
}
_USES = {"all": "yes", "enhancement": "extra", "never": "**no**"}


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
    """Return the table, by kind (``element``, ``property``, ``value``, ``at-rule``, ``pseudo``) and name."""
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


def describe_check(check: Check) -> str:
    where = "files" if check.code in SOURCE_CHECKS else "finished mail"
    number = f", number {check.number} of 39" if check.number else ""
    lines = [
        f"# {check.code}",
        "",
        f"**{check.title}**",
        "",
        f"{_LEVELS[check.level]} of the {where}{number}.",
    ]
    lines += ["", "## Why", "", check.why, "", "## What to do", "", check.advice, ""]
    lines += ["## Switching it off", "", _describe_switch(check)]
    if check.sources:
        lines += ["", "## Sources", "", *(f"- <{source}>" for source in check.sources)]
    return "\n".join([*lines, ""])


def _describe_switch(check: Check) -> str:
    if check.essential:
        return (
            "It cannot be switched off: no email could be made without it, or the email would harm its "
            "readers."
        )
    return (
        "Name it in `edition.md` with a reason, which is shown to the person who approves the "
        f"campaign:\n\n```yaml\nchecks:\n  {check.code}: the reason, in a sentence\n```"
    )


def describe_checks() -> str:
    """Return the index: a table of all checks by number, those that are only about the files last."""
    ordered = sorted(CHECKS.values(), key=lambda check: (check.number or 99, check.code))
    rows = [
        f"| {check.number or '–'} | [{check.code}]({check.code}.md) | {check.level} | {check.title} |"
        for check in ordered
    ]
    return "\n".join(
        [
            "# Checks",
            "",
            "`mailer check EDITION` runs all of these checks, on the files of an edition and on every "
            "email made from it. An error stops a campaign from starting; warnings are shown to the "
            "person who approves it. `mailer check --explain CODE` prints the page of one check, and "
            "`--online` also tests every link.",
            "",
            "The numbers refer to our list of 39 questions about a newsletter; a dash marks checks that "
            "are only about the files. [What email programs support](support.md) is the table used by "
            "number 27.",
            "",
            "| | code | level | what is wrong |",
            "|---:|---|---|---|",
            *rows,
            "",
        ]
    )


def describe_support() -> str:
    lines = [
        "# What email programs support",
        "",
        "The HTML and CSS that our themes use, and what must not be used. A feature that is not listed "
        "is reported as [unlisted-feature](unlisted-feature.md): look it up at "
        "<https://www.caniemail.com/> and add it to `mailer/checks/support.toml`. *enhancement* means: "
        "only inside `<style>`, where the email works without it.",
        "",
    ]
    features = known_features().values()
    for kind in dict.fromkeys(feature.kind for feature in features):
        lines += [f"## {_PLURALS[kind]}", "", "| name | use | notes |", "|---|---|---|"]
        lines += [*_describe_features(feature for feature in features if feature.kind == kind), ""]
    return "\n".join(lines)


def _describe_features(features: Iterable[Feature]) -> Iterable[str]:
    for feature in features:
        name = f"[`{feature.name}`]({feature.page})" if feature.page else f"`{feature.name}`"
        yield f"| {name} | {_USES[feature.use]} | {feature.note.replace('<', '&lt;')} |"


def list_pages() -> dict[str, str]:
    """Return every generated page, by its file name in ``docs/checks/``."""
    pages = {f"{code}.md": describe_check(check) for code, check in CHECKS.items()}
    return {"README.md": describe_checks(), "support.md": describe_support(), **pages}

"""The details of an edition as the texts of a form, and what these change in its front matter.

A form has a text for each key, ``introductions.…`` for each section, and rows such as ``follow-0-name``. The
parts of a row, and so the key of the front matter that has all rows, make one group: what is changed as one.
"""

from collections.abc import Collection, Mapping

from editions.changes.front_matter_change import FieldChanges, read_fields
from editions.model import EditionForm, Personalisation
from editions.source.field_values import FIXED_SECTIONS
from editions.source.schema import EditionHeader
from editions.source.yaml_parser import YamlValue

_LINES = (
    *("title", "number", "period", "date", "language", "subject", "preheader"),
    *("template", "form", "personalise", "sender"),
)

_USUAL = {
    "template": str(EditionHeader.model_fields["template"].default),
    "form": EditionForm.full.value,
    "personalise": Personalisation.off.value,
}
_ROWS = {"follow": ("name", "handle", "url"), "checks": ("code", "reason")}
INTRODUCTION = "introductions."
_SPARE_ROWS = 2
"""Empty rows for accounts and for checks, beside those that are filled."""


def read_details(text: str, sectors: Collection[str]) -> dict[str, str]:
    """Return the texts of a form for ``edition.md``, also those that are empty. Raise FrontMatterError if its
    front matter cannot be read."""
    values = read_fields(text)
    texts = {key: _one_line(values.get(key, "")) or _USUAL.get(key, "") for key in _LINES}
    authors = values.get("authors", "")
    texts["authors"] = "\n".join(map(_one_line, authors if isinstance(authors, list) else [authors]))
    written = _as_mapping(values.get("introductions", ""))
    for key in dict.fromkeys((FIXED_SECTIONS[0], *sectors, *FIXED_SECTIONS[1:], *written)):
        value = written.get(key, "")
        texts[f"{INTRODUCTION}{key}"] = value.strip("\n") if isinstance(value, str) else ""
    follow, checks = values.get("follow", ""), _as_mapping(values.get("checks", ""))
    rows: dict[str, list[Mapping[str, YamlValue]]] = {
        "follow": [one for one in follow if isinstance(one, dict)] if isinstance(follow, list) else [],
        "checks": [{"code": code, "reason": reason} for code, reason in checks.items()],
    }
    for group, parts in _ROWS.items():
        for number, row in enumerate([*rows[group], *[{}] * _SPARE_ROWS]):
            texts |= {f"{group}-{number}-{part}": _one_line(row.get(part, "")) for part in parts}
    return texts


def find_group(name: str) -> str:
    group = name.partition("-")[0]
    return group if group in _ROWS else name


def list_changed_groups(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {find_group(name) for name in {*old, *new} if old.get(name, "") != new.get(name, "")}


def list_rows(texts: Mapping[str, str], group: str) -> list[int]:
    numbers = {name.split("-")[1] for name in texts if name.startswith(f"{group}-")}
    return sorted(int(number) for number in numbers if number.isascii() and number.isdecimal())


def make_changes(texts: Mapping[str, str], groups: Collection[str]) -> FieldChanges:
    changes: dict[str, YamlValue | None] = {}
    for group in groups:
        if group == "authors":
            changes[group] = [line.strip() for line in texts.get(group, "").split("\n") if line.strip()]
        elif group in _ROWS:
            rows = [_read_row(texts, group, number) for number in list_rows(texts, group)]
            if group == "checks":
                changes[group] = {row["code"]: row["reason"] for row in rows if len(row) == len(_ROWS[group])}
            else:
                changes[group] = [dict[str, YamlValue](row) for row in rows if row]
        else:
            changes[group] = texts.get(group, "") or None
    return changes


def _read_row(texts: Mapping[str, str], group: str, number: int) -> dict[str, str]:
    parts = ((part, texts.get(f"{group}-{number}-{part}", "")) for part in _ROWS[group])
    return {part: text for part, text in parts if text}


def _as_mapping(value: YamlValue) -> Mapping[str, YamlValue]:
    return value if isinstance(value, dict) else {}


def _one_line(value: YamlValue) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""

"""The details of an edition as the fields of a form, and back.

Each field is a text. What several texts say together, such as the accounts to follow, is a *group*, which is
changed as a whole.
"""

from collections.abc import Collection, Mapping, Sequence

from editions.changes.front_matter_change import FieldChanges
from editions.model import EditionForm, Personalisation
from editions.source.field_values import FIXED_SECTIONS
from editions.source.schema import EditionHeader
from editions.source.yaml_parser import YamlValue

LINES = (
    "title",
    "number",
    "period",
    "date",
    "language",
    "subject",
    "preheader",
    "template",
    "form",
    "personalise",
    "sender",
)
"""The keys whose value is one line."""

_USUAL = {
    "template": str(EditionHeader.model_fields["template"].default),
    "form": EditionForm.full.value,
    "personalise": Personalisation.off.value,
}
FOLLOW_PARTS = ("name", "handle", "url")
INTRODUCTION = "introductions."
_FOLLOW = "follow-"
_CHECK = "check-"
_REASON = "reason-"
SPARE_ROWS = 2
"""Empty rows for accounts and for checks, beside those that are filled."""


def read_fields_of(values: Mapping[str, YamlValue], sections: Sequence[str]) -> dict[str, str]:
    """The fields for the front matter ``values``; ``sections`` are those that may have an introduction."""
    fields = {key: _one_line(values.get(key, "")) or _USUAL.get(key, "") for key in LINES}
    authors = values.get("authors", "")
    fields["authors"] = (
        "\n".join(map(_one_line, authors)) if isinstance(authors, list) else _one_line(authors)
    )
    introductions = values.get("introductions", "")
    written = introductions if isinstance(introductions, dict) else {}
    for key in dict.fromkeys((*sections, *written)):
        fields[f"{INTRODUCTION}{key}"] = _text(written.get(key, "")).strip("\n")
    fields |= _read_follow(values.get("follow", ""))
    fields |= _read_checks(values.get("checks", ""))
    return fields


def list_sections(sectors: Collection[str]) -> tuple[str, ...]:
    """The keys of all sections that an edition may have."""
    return (FIXED_SECTIONS[0], *sectors, *FIXED_SECTIONS[1:])


def find_group(name: str) -> str:
    """The group that the field ``name`` belongs to."""
    if name.startswith(_FOLLOW):
        return "follow"
    return "checks" if name.startswith((_CHECK, _REASON)) else name


def list_changed_groups(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """The groups of fields in which ``new`` has other texts than ``old``."""
    return {find_group(name) for name in {*old, *new} if old.get(name, "") != new.get(name, "")}


def make_changes(fields: Mapping[str, str], groups: Collection[str]) -> FieldChanges:
    """The changes of the front matter that give the ``groups`` the texts in ``fields``."""
    changes: dict[str, YamlValue | None] = {}
    for group in groups:
        if group == "authors":
            changes[group] = [line.strip() for line in fields.get(group, "").split("\n") if line.strip()]
        elif group == "follow":
            changes[group] = _write_follow(fields)
        elif group == "checks":
            changes[group] = _write_checks(fields)
        else:
            changes[group] = fields.get(group, "") or None
    return changes


def list_rows(fields: Mapping[str, str], group: str) -> list[int]:
    """The numbers of the rows of a group that ``fields`` have."""
    start = _FOLLOW if group == "follow" else _CHECK
    numbers = {name.removeprefix(start).partition("-")[0] for name in fields if name.startswith(start)}
    return sorted(int(number) for number in numbers if number.isascii() and number.isdecimal())


def _read_follow(value: YamlValue) -> dict[str, str]:
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    fields = {}
    for number in range(len(items) + SPARE_ROWS):
        item = items[number] if number < len(items) else {}
        for part in FOLLOW_PARTS:
            fields[f"{_FOLLOW}{number}-{part}"] = _one_line(item.get(part, ""))
    return fields


def _write_follow(fields: Mapping[str, str]) -> YamlValue:
    rows: list[YamlValue] = []
    for number in list_rows(fields, "follow"):
        row: dict[str, YamlValue] = {
            part: value for part in FOLLOW_PARTS if (value := fields.get(f"{_FOLLOW}{number}-{part}", ""))
        }
        if row:
            rows.append(row)
    return rows


def _read_checks(value: YamlValue) -> dict[str, str]:
    items = list(value.items()) if isinstance(value, dict) else []
    fields = {}
    for number, (code, reason) in enumerate([*items, *[("", "")] * SPARE_ROWS]):
        fields[f"{_CHECK}{number}"] = code
        fields[f"{_REASON}{number}"] = _one_line(reason)
    return fields


def _write_checks(fields: Mapping[str, str]) -> YamlValue:
    return {
        code: reason
        for number in list_rows(fields, "checks")
        if (code := fields.get(f"{_CHECK}{number}", "")) and (reason := fields.get(f"{_REASON}{number}", ""))
    }


def _text(value: YamlValue) -> str:
    return value if isinstance(value, str) else ""


def _one_line(value: YamlValue) -> str:
    return " ".join(_text(value).split())

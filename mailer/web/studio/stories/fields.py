"""The fields of the form, and the keys of the front matter that they stand for.

A field is named as its key, with full stops for keys inside another: ``button.url``.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from editions.model import StoryKind
from editions.source.yaml_parser import YamlValue
from mailer.web.forms import Form

Link: TypeAlias = tuple[str, str]
"""What a page is, and its address."""

FieldValue: TypeAlias = str | tuple[str, ...] | tuple[Link, ...]

FieldValues: TypeAlias = Mapping[str, FieldValue]

FieldChanges: TypeAlias = "dict[str, YamlValue | None]"
"""A new value for each key; None takes it out."""


class FieldKind(StrEnum):
    """What a field holds, and how it is written."""

    text = "text"
    """A text on one line."""

    yes = "yes"
    """Yes or no, as a box to tick."""

    codes = "codes"
    """Codes of a list, as boxes to tick."""

    lines = "lines"
    """Several texts, one a line."""

    links = "links"
    """Pairs of what a page is and its address."""


STORY_FIELDS: Mapping[str, FieldKind] = MappingProxyType(
    {
        "title": FieldKind.text,
        "sector": FieldKind.text,
        "countries": FieldKind.codes,
        "kind": FieldKind.text,
        "date": FieldKind.text,
        "lead": FieldKind.text,
        "read_more": FieldKind.links,
        "button.what": FieldKind.text,
        "button.url": FieldKind.text,
        "video.what": FieldKind.text,
        "video.url": FieldKind.text,
        "video.duration": FieldKind.text,
        "ai": FieldKind.text,
        "everyone": FieldKind.yes,
    }
)
"""The fields of a story. Its pictures have a page of their own."""

LETTER_FIELDS: Mapping[str, FieldKind] = MappingProxyType(
    {
        "letter.title": FieldKind.text,
        "letter.name": FieldKind.text,
        "letter.titles": FieldKind.lines,
    }
)
"""The fields of the letter; those of the edition itself are on its own page."""

MAX_LINKS = 20
YES = "yes"
# A field without a value stands for this.
_USUAL = {"kind": StoryKind.story.value}
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})


def read_front_matter_values(
    values: Mapping[str, YamlValue], fields: Mapping[str, FieldKind]
) -> dict[str, FieldValue]:
    """The value of each field in the front matter ``values``; what has another shape is left empty."""
    return {name: _read_value(find_value(values, name), name, kind) for name, kind in fields.items()}


def find_value(values: Mapping[str, YamlValue], name: str) -> YamlValue:
    """The value at a path of keys; an empty text if there is none."""
    found: YamlValue = dict(values)
    for key in name.split("."):
        found = found.get(key, "") if isinstance(found, dict) else ""
    return found


def _read_value(value: YamlValue, name: str, kind: FieldKind) -> FieldValue:
    if kind is FieldKind.text:
        return join_words(value) if isinstance(value, str) and value.strip() else _USUAL.get(name, "")
    if kind is FieldKind.yes:
        return YES if isinstance(value, str) and value.strip().lower() in _TRUE else ""
    items = value if isinstance(value, list) else [value] if value else []
    if kind is FieldKind.links:
        return tuple(_read_link(item) for item in items if isinstance(item, dict))
    return tuple(join_words(item) for item in items if isinstance(item, str) and item.strip())


def _read_link(item: Mapping[str, YamlValue]) -> Link:
    what, url = item.get("what", ""), item.get("url", "")
    return (
        join_words(what) if isinstance(what, str) else "",
        join_words(url) if isinstance(url, str) else "",
    )


def read_form_values(form: Form, fields: Mapping[str, FieldKind]) -> dict[str, FieldValue]:
    """The value of each field that the form has. A box that is not ticked sends nothing: the form names such
    fields in ``shown``."""
    given: dict[str, list[str]] = {}
    for name, value in form.fields:
        given.setdefault(name, []).append(value)
    shown = {*given, *given.get("shown", ())}
    links = {name.split(".")[0] for name in given if name.count(".") == 2}
    return {
        name: _read_field(given, name, kind)
        for name, kind in fields.items()
        if name in shown or name in links
    }


def _read_field(given: Mapping[str, Sequence[str]], name: str, kind: FieldKind) -> FieldValue:
    values = given.get(name, ())
    if kind is FieldKind.text:
        return join_words(values[-1]) if values else ""
    if kind is FieldKind.yes:
        return YES if YES in values else ""
    if kind is FieldKind.codes:
        return tuple(dict.fromkeys(join_words(value) for value in values if value.strip()))
    if kind is FieldKind.lines:
        written = values[-1] if values else ""
        return tuple(line for line in map(join_words, written.splitlines()) if line)
    rows = (
        tuple(join_words(given.get(f"{name}.{number}.{part}", [""])[-1]) for part in ("what", "url"))
        for number in range(MAX_LINKS)
    )
    return tuple((what, url) for what, url in rows if what or url)


def find_changes(before: FieldValues, after: FieldValues) -> FieldChanges:
    """The keys to change so that the front matter with the values ``before`` has those ``after``; None takes
    a key out. What is as it was is left alone, so that its every byte stays."""
    changes: FieldChanges = {}
    for name, value in after.items():
        was = before.get(name, "")
        if value == was:
            continue
        if name == "read_more":
            changes |= _change_links(was, value)
        elif isinstance(value, str):
            changes[name] = (_write_text(name, value)) or None
        else:
            changes[name] = _keep_order(was, value) or None
    return changes


def _write_text(name: str, value: str) -> str:
    if name == "everyone":
        return "true" if value else ""
    return "" if value == _USUAL.get(name) else value


def _keep_order(before: FieldValue, after: FieldValue) -> list[YamlValue]:
    """The values ``after``, those that were there before in the order they had."""
    kept: list[YamlValue] = [value for value in before if value in after and isinstance(value, str)]
    return [*kept, *(value for value in after if isinstance(value, str) and value not in kept)]


def _change_links(before: FieldValue, after: FieldValue) -> FieldChanges:
    links: list[YamlValue] = [
        {key: text for key, text in (("what", link[0]), ("url", link[1])) if text} for link in after
    ]
    return {"read_more": links or None} if before != after else {}


def join_words(text: str) -> str:
    """``text`` on one line, as the front matter is read."""
    return " ".join(text.split())

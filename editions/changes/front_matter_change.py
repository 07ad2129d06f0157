"""Changing the front matter of a file key by key: comments, quotation marks, the order of keys and every
other byte stay as they were written."""

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from pydantic import BaseModel

from editions.changes.yaml_splicer import Edit, read_nodes, splice_mapping
from editions.changes.yaml_writer import write_entries
from editions.errors import FrontMatterError
from editions.source.schema import EditionHeader, StoryHeader
from editions.source.text_file import normalise_line_ends
from editions.source.yaml_parser import YamlParser, YamlValue, parse_yaml
from editions.unsafe_characters import mask_unsafe_characters, remove_unsafe_characters
from locales.phrase import gettext_noop

FieldChanges: TypeAlias = "Mapping[str, YamlValue | None]"
"""A new value for each key; None takes it out."""

_FENCES = re.compile(
    r"\A\ufeff?---[^\S\r\n]*(?P<end>\r\n|\r|\n)(?P<yaml>.*?)(?<=[\r\n])---[^\S\r\n]*(?=[\r\n]|\Z)", re.DOTALL
)
# Soft hyphen, zero-width spaces and joiners, byte order mark: as in the parser, no text on their own.
_INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_EDITION_KEYS = frozenset(EditionHeader.model_fields) - frozenset(StoryHeader.model_fields)
_FIRST_LINE = 2


class _Fenced(NamedTuple):
    """The front matter between its ``---`` lines, where it begins and ends, and its kind of line end."""

    yaml: str
    start: int
    end: int
    line_end: str


def read_fields(text: str) -> dict[str, YamlValue]:
    """Return the values of the front matter of a file, by key; what is empty is left out. Raise
    FrontMatterError if it has no front matter, or this is not YAML."""
    return _read_values(_find_front_matter(text).yaml)


def change_front_matter(text: str, changes: FieldChanges, *, schema: type[BaseModel] | None = None) -> str:
    """Return ``text`` with new values for some keys of its front matter. Everything else keeps its every
    byte, and a comment beside a value stays beside it. A key inside another is written with full stops
    (``image.alt``, ``read_more.0.url``); None or an empty value takes it out. New keys go where ``schema``
    has them, by default that of an edition or of a story. Characters that no email may have are left out.
    Raise FrontMatterError if it has no front matter, this is not YAML, or a key is written in a way that
    cannot be changed."""
    found = _find_front_matter(text)
    before = _read_values(found.yaml)
    after = _apply_changes(before, changes)
    touched = {key.partition(".")[0] for key in changes}
    masked = mask_unsafe_characters(found.yaml)
    root = read_nodes(masked)
    if root is None or not (root.is_block and root.entries):
        lines = write_entries(after)
        # Without keys, what is there are comments and blank lines.
        kept = found.yaml if root is None else ""
        written = kept + "".join(f"{line}{found.line_end}" for line in lines)
    else:
        wanted = {key: value for key, value in after.items() if key in touched}
        others = {key: value for key, value in before.items() if key not in touched}
        is_edition = {*before, *after} & _EDITION_KEYS
        order = (schema or (EditionHeader if is_edition else StoryHeader)).model_fields
        edits = splice_mapping(
            masked, root, before, {**others, **wanted}, order=tuple(order), line_end=found.line_end
        )
        written = _apply_edits(found.yaml, edits)
    if _read_values(written) != after:
        raise FrontMatterError(
            _FIRST_LINE,
            "yaml-syntax",
            gettext_noop(
                "the front matter is written in a way in which %(names)s cannot be changed "
                "alone. Change the file itself."
            )
            % {"names": ", ".join(sorted(touched))},
        )
    return text[: found.start] + written + text[found.end :]


def _find_front_matter(text: str) -> _Fenced:
    found = _FENCES.match(text)
    if found is None:
        begins = re.match(r"\ufeff?---[^\S\r\n]*[\r\n]", text)
        raise (
            FrontMatterError(
                1,
                "open-front-matter",
                gettext_noop("the front matter is not closed. Add a line --- after the last key."),
            )
            if begins
            else FrontMatterError(
                1,
                "no-front-matter",
                gettext_noop(
                    "the file does not begin with front matter. Begin with a line ---, then `title: "
                    "…` and the other keys, then another line ---."
                ),
            )
        )
    start, end = found.span("yaml")
    return _Fenced(yaml=found["yaml"], start=start, end=end, line_end=found["end"])


def _read_values(yaml: str) -> dict[str, YamlValue]:
    parsed: YamlParser = parse_yaml(
        remove_unsafe_characters(normalise_line_ends(yaml)), name="", first_line=_FIRST_LINE
    )
    if parsed.values is None:
        problem = parsed.problems[0]
        raise FrontMatterError(problem.line, problem.code, problem.message)
    return parsed.values


def _apply_changes(before: Mapping[str, YamlValue], changes: FieldChanges) -> dict[str, YamlValue]:
    after = dict(before)
    for path, value in changes.items():
        key, *inner = path.split(".")
        changed = _change_value(after.get(key, ""), inner, _clean(value), path)
        if _is_empty(changed):
            after.pop(key, None)
        else:
            after[key] = changed
    return after


def _change_value(old: YamlValue, path: list[str], value: YamlValue, whole: str) -> YamlValue:
    if not path:
        return value
    first, *others = path
    if isinstance(old, list) and first.isdecimal() and int(first) < len(old):
        number = int(first)
        return [*old[:number], _change_value(old[number], others, value, whole), *old[number + 1 :]]
    if isinstance(old, list) or (isinstance(old, str) and not _is_empty(old)):
        raise FrontMatterError(
            _FIRST_LINE,
            "wrong-type",
            gettext_noop(
                "`%(key)s` cannot be set, because `%(table)s` is not followed by indented "
                "keys. Change the file itself."
            )
            % {"key": whole, "table": whole.partition(".")[0]},
        )
    inner = dict(old) if isinstance(old, dict) else {}
    changed = _change_value(inner.get(first, ""), others, value, whole)
    if _is_empty(changed):
        inner.pop(first, None)
    else:
        inner[first] = changed
    return inner


def _clean(value: "YamlValue | None") -> YamlValue:
    """Return ``value`` as it can be written: without what is empty, and with ``\\n`` for every line end."""
    if value is None:
        return ""
    if isinstance(value, str):
        return remove_unsafe_characters(normalise_line_ends(value))
    if isinstance(value, list):
        return [item for item in map(_clean, value) if not _is_empty(item)]
    cleaned = {str(_clean(key)): _clean(inner) for key, inner in value.items()}
    return {key: inner for key, inner in cleaned.items() if not _is_empty(inner)}


def _is_empty(value: YamlValue) -> bool:
    return not value.translate(_INVISIBLE).strip() if isinstance(value, str) else not value


def _apply_edits(text: str, edits: list[Edit]) -> str:
    """Return ``text`` after ``edits``; those at one place keep their order."""
    pieces: list[str] = []
    place = 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [text[place : edit.start], edit.new]
        place = edit.end
    return "".join([*pieces, text[place:]])

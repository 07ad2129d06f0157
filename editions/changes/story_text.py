"""The text of a story, or of an edition's letter, with what a form says in place of what it had."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from editions.changes.front_matter_change import FieldChanges, change_front_matter, read_fields
from editions.model import StoryKind
from editions.rich_text.block_reader import read_blocks
from editions.rich_text.document import ComposedText, write_document
from editions.rich_text.nodes import DocumentSchemaError
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile, normalise_line_ends
from editions.source.yaml_parser import KeyPath, YamlValue

Link: TypeAlias = tuple[str, str]
"""What a page is, and its address."""

FieldValue: TypeAlias = str | tuple[str, ...] | tuple[Link, ...]
LINK_KEYS = ("what", "url")
YES = "yes"
# A field without a value stands for this.
_USUAL = {"kind": StoryKind.story.value}
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FENCE = "---"


class FieldShape(StrEnum):
    """What a field holds, and how it is written."""

    text = "text"
    yes = "yes"
    """Yes or no, as a box to tick."""

    codes = "codes"
    """Codes of a list, as boxes to tick."""

    lines = "lines"
    links = "links"


STORY_FIELDS: Mapping[str, FieldShape] = MappingProxyType(
    {
        "title": FieldShape.text,
        "sector": FieldShape.text,
        "countries": FieldShape.codes,
        "kind": FieldShape.text,
        "date": FieldShape.text,
        "lead": FieldShape.text,
        "read_more": FieldShape.links,
        "button.what": FieldShape.text,
        "button.url": FieldShape.text,
        "video.what": FieldShape.text,
        "video.url": FieldShape.text,
        "video.duration": FieldShape.text,
        "ai": FieldShape.text,
        "everyone": FieldShape.yes,
    }
)
"""The fields of a story. Its pictures have a page of their own."""

LETTER_FIELDS: Mapping[str, FieldShape] = MappingProxyType(
    {"letter.title": FieldShape.text, "letter.name": FieldShape.text, "letter.titles": FieldShape.lines}
)
"""The fields of the letter; those of the edition itself are on its own page."""


@dataclass(frozen=True, kw_only=True)
class TextDraft:
    """What a form says of a text. ``base`` is the digest of the text its page began from, ``sitting`` a
    random word of that page, ``sequence`` the number of this request of it, and ``original`` the digest of
    the original beside a translation. The body is ``document`` (from the editor), or ``body`` (Markdown), or
    ``source`` has the whole file; what was not sent is None."""

    base: str
    sitting: str
    sequence: int = 0
    original: str = ""
    values: Mapping[str, FieldValue]
    document: str | None = None
    body: str | None = None
    source: str | None = None


class SplitText(NamedTuple):
    """A file: its front matter with both fences, the blank lines after it, and its body."""

    head: str
    gap: str
    body: str


class FieldLocation(NamedTuple):
    """Where a line of a file is in the form: ``field`` is "body" for the text, with the number of its block
    from 0 and its line from 1, and "picture" for what has a page of its own."""

    field: str
    block: int | None = None
    line: int = 0


def list_fields(story: str) -> Mapping[str, FieldShape]:
    """Return the fields of a story; those of the letter if ``story`` is empty."""
    return STORY_FIELDS if story else LETTER_FIELDS


def read_values(values: Mapping[str, YamlValue], fields: Mapping[str, FieldShape]) -> dict[str, FieldValue]:
    """Return the value of each field in the front matter ``values``; what has another shape is left empty."""
    return {name: _read_value(_find_value(values, name), name, shape) for name, shape in fields.items()}


def _find_value(values: Mapping[str, YamlValue], name: str) -> YamlValue:
    found: YamlValue = dict(values)
    for key in name.split("."):
        found = found.get(key, "") if isinstance(found, dict) else ""
    return found


def _read_value(value: YamlValue, name: str, shape: FieldShape) -> FieldValue:
    if shape is FieldShape.text:
        return join_words(value) or _USUAL.get(name, "")
    if shape is FieldShape.yes:
        return YES if join_words(value).lower() in _TRUE else ""
    items = value if isinstance(value, list) else [value] if value else []
    if shape is FieldShape.links:
        links = (item for item in items if isinstance(item, dict))
        return tuple((join_words(item.get("what", "")), join_words(item.get("url", ""))) for item in links)
    return tuple(filter(None, map(join_words, items)))


def join_words(value: YamlValue) -> str:
    """Return a text on one line, as the front matter is read; "" for what is no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def find_changes(before: Mapping[str, FieldValue], after: Mapping[str, FieldValue]) -> FieldChanges:
    """Return the keys to change so that the front matter with the values ``before`` has those ``after``; None
    takes a key out. What is as it was is left alone, so that its every byte stays."""
    changes: dict[str, YamlValue | None] = {}
    for name, value in after.items():
        was = before.get(name, "")
        if value == was:
            continue
        if isinstance(value, str):
            written = "true" if name == "everyone" and value else value
            changes[name] = None if value == _USUAL.get(name) else written or None
        elif STORY_FIELDS.get(name) is FieldShape.links:
            pairs = (zip(LINK_KEYS, link, strict=True) for link in value)
            changes[name] = [{key: text for key, text in pair if text} for pair in pairs] or None
        else:
            # Those that were there before keep their order.
            kept = [one for one in was if one in value]
            texts = [*kept, *(one for one in value if one not in kept)]
            changes[name] = [one for one in texts if isinstance(one, str)] or None
    return changes


def compose_text(before: str, draft: TextDraft, story: str) -> ComposedText:
    """Return the text ``before`` with what ``draft`` says in place of what it had. Raise FrontMatterError if
    a key cannot be changed, and the errors of :func:`compose_body`."""
    composed = compose_body(before, draft)
    if not draft.values or draft.source is not None:
        return composed
    changes = find_changes(read_values(read_fields(before), list_fields(story)), draft.values)
    return composed._replace(text=change_front_matter(composed.text, changes)) if changes else composed


def compose_body(before: str, draft: TextDraft) -> ComposedText:
    """Return the text ``before`` with the body of ``draft``, or all of it if that is what it has. Raise
    UnwritableError if Markdown cannot say what the editor shows, and DocumentSchemaError if it is no document
    of the editor."""
    if draft.source is not None:
        return ComposedText(normalise_line_ends(draft.source))
    head, gap, body = split_text(before)
    if draft.document is not None:
        written = write_document(gap + body, parse_document(draft.document))
        return written._replace(text=_join(head, written.text))
    typed = normalise_line_ends(draft.body) if draft.body is not None else body
    # A browser sends a text area's line ends as CRLF, and the last one only if it was typed.
    if typed in {body, body.rstrip("\n")}:
        return ComposedText(before)
    end = "" if not typed or typed.endswith("\n") else "\n"
    return ComposedText(_join(head, (gap or "\n") + typed.lstrip("\n") + end))


def _join(head: str, rest: str) -> str:
    return f"{head}\n{rest}" if head and rest and not head.endswith("\n") else head + rest


def parse_document(document: str) -> dict[str, Any]:
    """Parse the document that an editor sent. Raise DocumentSchemaError if it is none."""
    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise DocumentSchemaError("this is not JSON") from error
    if not isinstance(found, dict):
        raise DocumentSchemaError("this is not a document")
    return found


def split_text(text: str) -> SplitText:
    """Split a file into its front matter, the blank lines after it, and its body, which may be all of it."""
    lines = text.split("\n")
    end = -1
    if lines[0].removeprefix("\ufeff").rstrip() == _FENCE:
        end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), -1)
    head = "".join(f"{line}\n" for line in lines[: end + 1])
    rest = "\n".join(lines[end + 1 :])
    if end == len(lines) - 1:
        head = head.removesuffix("\n")
    body = rest.lstrip("\n")
    return SplitText(head, rest[: len(rest) - len(body)], body)


def locate_lines(text: str, story: str, lines: Collection[int]) -> dict[int, FieldLocation]:
    """Find where ``lines`` of a file, counted from 1, are in the form of the story, or of the letter."""
    front, _ = read_front_matter(TextFile(name="", text=text))
    head, gap, body = split_text(text)
    start = head.count("\n") + 1
    shown = start + gap.count("\n")
    ends = [block.lines[1] for block in read_blocks(gap + body).blocks]
    found = {}
    for line in lines:
        if line < start:
            paths = [(number, path) for path, number in front.lines.items() if number <= line]
            path = max(paths, key=lambda found: (found[0], len(found[1])), default=(1, ()))[1]
            found[line] = FieldLocation(_name_field(path, story))
        else:
            block = next((number for number, end in enumerate(ends) if line - start < end), len(ends) - 1)
            found[line] = FieldLocation("body", block if ends else None, max(line - shown + 1, 1))
    return found


def _name_field(path: KeyPath, story: str) -> str:
    fields = list_fields(story)
    first = str(path[0]) if path else ""
    if first in {"image", "images"} or (not story and "portrait" in path):
        return "picture"
    if first == "read_more" and story:
        number = next((key for key in path[1:2] if isinstance(key, int)), 0)
        return f"read_more.{number}.{path[-1] if path[-1] in LINK_KEYS else 'what'}"
    for length in range(len(path), 0, -1):
        if (name := ".".join(map(str, path[:length]))) in fields:
            return name
    return next((name for name in fields if name.startswith(f"{first}.")), next(iter(fields)))

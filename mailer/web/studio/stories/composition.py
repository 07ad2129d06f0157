"""The parts and fields of a story as the form has them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from editions.changes.front_matter_change import change_front_matter, read_fields
from editions.errors import FrontMatterError
from editions.model import StoryKind
from editions.rich_text.document import write_document
from editions.rich_text.nodes import DocumentSchemaError
from editions.source.text_file import normalise_line_ends
from editions.source.yaml_parser import YamlValue
from mailer.web.forms import Form, read_number

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


_FENCE = "---"
_SITTING = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class SplitText(NamedTuple):
    """A file: its front matter with both fences, the blank lines after it, and its body."""

    head: str
    gap: str
    body: str


@dataclass(frozen=True, kw_only=True)
class StoryDraft:
    """What a form sent.

    ``base`` is the digest of the text its page began from, ``sitting`` a random word of that page, and
    ``sequence`` the number of this request of it. The body is ``document`` (from the editor), or ``body``
    (Markdown), or ``source`` has the whole file; what was not sent is None.
    """

    base: str
    sitting: str
    sequence: int
    values: Mapping[str, FieldValue]
    document: str | None = None
    body: str | None = None
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComposedText:
    """The text of the file. ``adjusted`` is whether emphasis was moved a little, so that Markdown can say
    it."""

    text: str
    adjusted: bool = False


def list_fields(story: str) -> Mapping[str, FieldKind]:
    """The fields of a story's form; those of the letter if ``story`` is empty."""
    return STORY_FIELDS if story else LETTER_FIELDS


def read_draft(form: Form, story: str) -> StoryDraft:
    """Read what the form of a story, or of the letter, sent."""
    given = dict(form.fields)
    sitting, base, sequence = (given.get(name, "") for name in ("sitting", "base", "sequence"))
    return StoryDraft(
        base=base if _DIGEST.fullmatch(base) else "0",
        sitting=sitting if _SITTING.fullmatch(sitting) else "",
        sequence=read_number(sequence) or 0,
        values=read_form_values(form, list_fields(story)),
        document=given.get("document"),
        body=given.get("body"),
        source=given.get("source"),
    )


def compose_text(before: str, draft: StoryDraft, story: str) -> ComposedText:
    """The text ``before`` with what ``draft`` says in place of what it had.

    Raises:
        FrontMatterError: a key of the front matter cannot be changed.
        UnwritableError: Markdown cannot say what the editor shows.
        DocumentSchemaError: the document is none of the editor's.
    """
    if draft.source is not None:
        return ComposedText(text=normalise_line_ends(draft.source))
    body = _compose_body(before, draft)
    fields = list_fields(story)
    try:
        known = read_front_matter_values(read_fields(before), fields)
    except FrontMatterError:
        if draft.values:
            raise
        return body
    changes = find_changes(known, draft.values)
    return ComposedText(
        text=change_front_matter(body.text, changes) if changes else body.text, adjusted=body.adjusted
    )


def _compose_body(before: str, draft: StoryDraft) -> ComposedText:
    head, gap, body = split_text(before)
    if draft.document is not None:
        written = write_document(gap + body, parse_document(draft.document))
        return ComposedText(text=_join(head, written.markdown), adjusted=written.adjusted)
    typed = normalise_line_ends(draft.body) if draft.body is not None else body
    # A browser sends a text area's line ends as CRLF, and the last one only if it was typed.
    if typed in {body, body.rstrip("\n")}:
        return ComposedText(text=before)
    end = "" if not typed or typed.endswith("\n") else "\n"
    return ComposedText(text=_join(head, (gap or "\n") + typed.lstrip("\n") + end))


def parse_document(document: str) -> dict[str, Any]:
    """The document that an editor sent.

    Raises:
        DocumentSchemaError: it is none.
    """
    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise DocumentSchemaError("this is not JSON") from error
    if not isinstance(found, dict):
        raise DocumentSchemaError("this is not a document")
    return found


def split_text(text: str) -> SplitText:
    """Split a file into its front matter, the blank lines after it, and its body; without front matter, all
    of it is body."""
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


def _join(head: str, rest: str) -> str:
    return f"{head}\n{rest}" if head and rest and not head.endswith("\n") else head + rest

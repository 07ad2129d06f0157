"""The text of a file with what a form says in place of what it had.

Keys of the front matter are changed one by one, and blocks of the body that are as they were keep their
bytes: a save changes what its writer changed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from editions.changes.front_matter_change import change_front_matter, read_fields
from editions.errors import FrontMatterError
from editions.rich_text.document_writer import write_document
from editions.rich_text.errors import DocumentSchemaError
from editions.source.text_file import normalise_line_ends
from mailer.web.forms import Form
from mailer.web.plain_number import read_number
from mailer.web.studio.stories.fields import (
    LETTER_FIELDS,
    STORY_FIELDS,
    FieldKind,
    FieldValue,
    find_changes,
    read_form_values,
    read_front_matter_values,
)

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

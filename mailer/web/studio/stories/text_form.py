"""The form of a text, a story's or a translation's: what it shows and sends, and saving that."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from editions.changes.story_text import (
    LINK_KEYS,
    YES,
    FieldShape,
    FieldValue,
    TextDraft,
    join_words,
    list_fields,
    parse_document,
    split_text,
)
from editions.errors import FrontMatterError
from editions.rich_text.document import ComposedText, read_document
from editions.rich_text.node_json import decode_document
from editions.rich_text.nodes import DocumentSchemaError, RawReason, UnwritableError
from editions.source.text_file import normalise_line_ends
from locales.phrase import read_error
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFile, EditionFileError, TextSave, parse_sitting
from mailer.revisions.edition_save import Conflict
from mailer.revisions.history import find_text
from mailer.web.forms import Form, read_number
from mailer.web.studio.story_place import EditionPage

MARKDOWN = "markdown"
MAX_LINKS = 20
REFUSALS = (UnwritableError, FrontMatterError, DocumentSchemaError, EditionFileError)
"""Why a text can be refused."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ORIGINAL = re.compile(r"[0-9a-f]{12}", re.ASCII)
# What the form of a translation has beside its texts.
_HIDDEN = frozenset({"base", "sitting", "sequence", "original", "document", "body", "source", "then"})
_DOCUMENT_REFUSED = gettext_noop(
    "What the editor sent could not be read, so it was not saved. Reload the page and try again."
)


def read_draft(form: Form, values: Mapping[str, FieldValue], *, base: str = "0") -> TextDraft:
    """Read what a form sent of a text with these ``values``; ``base`` is what none that can be read means."""
    given = dict(form.fields)
    digest, original = given.get("base", ""), given.get("original", "")
    return TextDraft(
        base=digest if _DIGEST.fullmatch(digest) else base,
        sitting=parse_sitting(given.get("sitting", "")),
        sequence=read_number(given.get("sequence", "")) or 0,
        original=original if _ORIGINAL.fullmatch(original) else "",
        values=values,
        document=given.get("document"),
        body=given.get("body"),
        source=given.get("source"),
    )


def read_story_draft(form: Form, story: str) -> TextDraft:
    """Read what the form of a story, or of the letter, sent. A box that is not ticked sends nothing: the form
    names such fields in ``shown``."""
    given: dict[str, list[str]] = {}
    for name, value in form.fields:
        given.setdefault(name, []).append(value)
    shown = {*given, *given.get("shown", ()), *(name.split(".")[0] for name in given if name.count(".") == 2)}
    fields = list_fields(story)
    return read_draft(
        form, {name: _read_field(given, name, shape) for name, shape in fields.items() if name in shown}
    )


def read_translation_draft(form: Form) -> TextDraft:
    """Read what the form of a translation sent. One that is new has no digest."""
    values = {name: normalise_line_ends(value) for name, value in form.fields if name not in _HIDDEN}
    return read_draft(form, values, base="0" if form.get("base") else "")


def _read_field(given: Mapping[str, Sequence[str]], name: str, shape: FieldShape) -> FieldValue:
    values = given.get(name, ())
    last = values[-1] if values else ""
    match shape:
        case FieldShape.text:
            return join_words(last)
        case FieldShape.yes:
            return YES if YES in values else ""
        case FieldShape.codes:
            return tuple(dict.fromkeys(join_words(value) for value in values if value.strip()))
        case FieldShape.lines:
            return tuple(filter(None, map(join_words, last.splitlines())))
        case FieldShape.links:
            rows = (
                [join_words(given.get(f"{name}.{number}.{key}", [""])[-1]) for key in LINK_KEYS]
                for number in range(MAX_LINKS)
            )
            return tuple((what, url) for what, url in rows if what or url)


def fill_form(
    page: EditionPage,
    text: str,
    digest: str,
    sent: TextDraft | None,
    values: Mapping[str, FieldValue],
    errors: Sequence[tuple[str, str]] = (),
    *,
    fault: str = "",
    sitting: str = "",
) -> dict[str, Any]:
    """Return what the form of a file with ``text`` shows: what the file says, or what was ``sent`` and
    refused. ``source`` is the whole file where its front matter cannot be read, for which ``fault`` says
    why."""
    _, gap, body = split_text(text)
    document = read_document(gap + body)
    raw = dict.fromkeys(block["attrs"]["why"] for block in document["content"] if block["type"] == "raw")
    draft = sent or TextDraft(base=digest, sitting=sitting, values={})
    if draft.document is not None:
        try:
            document = parse_document(draft.document)
            decode_document(document)
        except DocumentSchemaError:
            document = read_document(gap + body)
    return {
        "draft": draft,
        "sitting": draft.sitting or secrets.token_urlsafe(12),
        "fields": {**values, **draft.values},
        "body": body if draft.body is None else draft.body,
        "document": document,
        "raw": [page.translate(RawReason(why).words) for why in raw if why],
        "source": text if fault and draft.source is None else draft.source,
        "fault": fault,
        "errors": errors,
    }


def find_base(page: EditionPage, file: EditionFile, base: str) -> str:
    """Return the text that a form began from. Somebody may have changed the file since; saving then shows
    both. If that text is not known any more, it is what the file has now."""
    return (None if base == file.digest else find_text(page.session, page.edition, base)) or file.text


def make_save(
    page: EditionPage, name: str, draft: TextDraft, composed: ComposedText, *, is_confirmed: bool = False
) -> TextSave:
    return TextSave(
        edition=page.edition,
        name=name,
        text=composed.text,
        base=draft.base,
        member=page.member,
        sitting=draft.sitting,
        sequence=draft.sequence,
        now=page.state.clock(),
        is_logged=True,
        is_confirmed=is_confirmed,
    )


def is_script(page: EditionPage) -> bool:
    """Return whether a script asks, which saves as one writes; it is answered in JSON."""
    return "application/json" in page.request.headers.get("accept", "")


def say_refusal(page: EditionPage, error: Exception) -> str:
    is_document = isinstance(error, DocumentSchemaError)
    return page.translate(_DOCUMENT_REFUSED) if is_document else page.translator.say_again(read_error(error))


def tell_refusal(words: str, error: Exception | None = None) -> Response:
    block = error.block if isinstance(error, UnwritableError) else None
    return JSONResponse({"error": words, "block": block}, status_code=422)


def tell_saved(page: EditionPage, saved: EditionFile, composed: ComposedText, **more: object) -> Response:
    now = page.state.clock().isoformat()
    told = {"digest": saved.digest, "saved_at": now, "problems": 0, "adjusted": composed.adjusted}
    return JSONResponse(told | more)


def show_both(page: EditionPage, conflict: Conflict) -> Response:
    path = f"{page.edition_path}/conflicts/{conflict.number}"
    if is_script(page):
        return JSONResponse({"conflict": page.make_path(path)}, status_code=409)
    return page.redirect(path)

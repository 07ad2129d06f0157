"""The file of a translation with what a form says in place of what it had."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from editions.changes.front_matter_change import change_front_matter
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionTranslation, StoryTranslation
from editions.source.text_file import TextFile, normalise_line_ends
from editions.source.yaml_parser import YamlValue
from editions.translatable_texts import TextForm, TranslatableText, list_translatable_texts, read_text
from mailer.translations.states import ORIGINAL_KEY
from mailer.web.forms import Form
from mailer.web.studio.stories.composition import (
    ComposedText,
    StoryDraft,
    compose_text,
    read_draft,
)

_Changes: TypeAlias = "dict[str, YamlValue | None]"

NEW_FILE = "---\n---\n"
_DIGEST = re.compile(r"[0-9a-f]{12}", re.ASCII)
_LISTS = ("images", "read_more")
_OWN = frozenset({"base", "sitting", "sequence", "original", "document", "body", "source", "then"})
_WRITTEN = re.compile(r'"text"\s*:|"raw"|"horizontal_rule"')
# Without these a file cannot be read, and the whole edition could not be sent.
_NEEDED = frozenset(
    {"title", "subject", "preheader", "letter.title", "button.what", "images.alt", "read_more.what"}
)


@dataclass(frozen=True, kw_only=True)
class TranslationDraft:
    """What a form sent. ``values`` are by the keys of texts; ``original`` is the digest of the original that
    its page showed, "" if it did not say."""

    story: StoryDraft
    values: Mapping[str, str]
    original: str

    @property
    def has_text(self) -> bool:
        """Whether anything was written at all."""
        sent = self.story
        if sent.source is not None:
            return True
        has_body = bool((sent.body or "").strip()) or has_document_text(sent.document)
        return has_body or any(value.strip() for value in self.values.values())


def read_translation_draft(form: Form, story: str) -> TranslationDraft:
    """Read what the form of a translation sent."""
    given = dict(form.fields)
    original = given.get("original", "")
    sent = read_draft(form, story)
    return TranslationDraft(
        # A translation that is new has no digest.
        story=replace(sent, values={}, base="" if not given.get("base") else sent.base),
        values={name: normalise_line_ends(value) for name, value in form.fields if name not in _OWN},
        original=original if _DIGEST.fullmatch(original) else "",
    )


def has_document_text(document: str | None) -> bool:
    """Whether an editor's document has anything in it."""
    return document is not None and bool(_WRITTEN.search(document))


def list_texts(original: FrontMatter, translation: FrontMatter, *, is_story: bool) -> list[TranslatableText]:
    """The texts of an original, and those that only its translation has."""
    written = list_translatable_texts(original, is_story=is_story)
    known = {text.key for text in written}
    further = list_translatable_texts(translation, is_story=is_story)
    return [*written, *(replace(text, value="") for text in further if text.key not in known)]


def fill_from_original(draft: TranslationDraft, original: FrontMatter, *, is_story: bool) -> TranslationDraft:
    """The draft with the original's texts in every field that is empty."""
    texts = list_translatable_texts(original, is_story=is_story)
    copied = {text.key: text.value for text in texts if not draft.values.get(text.key, "").strip()}
    sent = draft.story
    if not (sent.body or "").strip() and not has_document_text(sent.document):
        sent = replace(sent, document=None, body=original.body.strip("\n"))
    return replace(draft, story=sent, values={**draft.values, **copied})


def compose_translation(
    before: str, draft: TranslationDraft, original: FrontMatter, story: str, *, translated_from: str = ""
) -> ComposedText:
    """The text ``before`` of a translation with what ``draft`` says, as a translation of the text with the
    digest ``translated_from`` if that is given.

    Raises:
        FrontMatterError: a key of the front matter cannot be changed.
        UnwritableError: Markdown cannot say what the editor shows.
        DocumentSchemaError: the document is none of the editor's.
    """
    written = compose_text(before, draft.story, story)
    front = read_front(written.text)
    texts = list_texts(original, front, is_story=bool(story))
    changes: _Changes = {}
    if draft.story.source is None:
        changes |= _change_texts(front, texts, draft.values)
    if translated_from and front.text(ORIGINAL_KEY) != translated_from:
        changes[ORIGINAL_KEY] = translated_from
    if not changes:
        return written
    schema = StoryTranslation if story else EditionTranslation
    return replace(written, text=change_front_matter(written.text, changes, schema=schema))


def read_front(text: str) -> FrontMatter:
    """The front matter of a text, and its body."""
    return read_front_matter(TextFile(name="", text=normalise_line_ends(text)))[0]


def _change_texts(
    front: FrontMatter, texts: Sequence[TranslatableText], values: Mapping[str, str]
) -> _Changes:
    """The keys to change so that the front matter has ``values``; what is as it was keeps its every byte."""
    wanted = {text.key: _clean(values[text.key], text.form) for text in texts if text.key in values}
    is_new = {
        text.key: wanted[text.key] != read_text(front, text.path, text.form)
        for text in texts
        if text.key in wanted
    }
    changes: _Changes = {}
    for text in texts:
        value, first = wanted.get(text.key), str(text.path[0])
        if value is None or first in _LISTS:
            continue
        if not value and text.key in _NEEDED and _is_used(text, wanted):
            value = text.value
        if value != read_text(front, text.path, text.form):
            changes[text.key] = _write(value, text.form)
    for name in _LISTS:
        theirs = [text for text in texts if text.path[0] == name]
        if any(is_new.get(text.key) for text in theirs):
            changes[name] = _write_list(theirs, wanted)
    return changes


def _is_used(text: TranslatableText, wanted: Mapping[str, str]) -> bool:
    """Whether the part of the file with this text has any text at all."""
    if len(text.path) == 1:
        return True
    part = f"{text.path[0]}."
    return any(value for key, value in wanted.items() if key.startswith(part))


def _write_list(texts: Sequence[TranslatableText], wanted: Mapping[str, str]) -> "YamlValue | None":
    """The items of a list. Each is known by its place alone, so none may be empty before the last."""
    items: dict[int, dict[str, YamlValue]] = {}
    for text in texts:
        number, key = int(text.path[1]), str(text.path[2])
        value = wanted.get(text.key, "")
        items.setdefault(number, {})
        if value or f"{text.path[0]}.{key}" in _NEEDED:
            items[number][key] = value or text.value
    if not any(wanted.get(text.key) for text in texts):
        return None
    return [items[number] for number in sorted(items)]


def _write(value: str, form: TextForm) -> "YamlValue | None":
    if form is TextForm.lines:
        return [line for line in value.split("\n") if line] or None
    return value or None


def _clean(value: str, form: TextForm) -> str:
    if form is TextForm.markdown:
        return normalise_line_ends(value).strip()
    if form is TextForm.lines:
        return "\n".join(filter(None, (" ".join(line.split()) for line in value.split("\n"))))
    return " ".join(value.split())

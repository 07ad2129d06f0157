"""The text of a translation with what was translated: by a form, or by translators outside."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_text import TextDraft, compose_body
from editions.rich_text.document import ComposedText
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionTranslation, StoryTranslation
from editions.source.text_file import TextFile, normalise_line_ends
from editions.source.yaml_parser import YamlValue
from editions.translatable_texts import TextForm, TranslatableText, list_translatable_texts, read_text

NEW_FILE = "---\n---\n"
ORIGINAL_KEY = "translated_from"
"""The key of a translation's front matter with the digest of its original."""

_LISTS = ("images", "read_more")
_WRITTEN = re.compile(r'"text"\s*:|"raw"|"horizontal_rule"')
# Without these a file cannot be read, and the whole edition could not be sent.
_NEEDED = frozenset(
    {"title", "subject", "preheader", "letter.title", "button.what", "images.alt", "read_more.what"}
)


def read_front(text: str) -> FrontMatter:
    return read_front_matter(TextFile(name="", text=normalise_line_ends(text)))[0]


def list_texts(original: FrontMatter, translation: FrontMatter, *, is_story: bool) -> list[TranslatableText]:
    """Return the texts of an original, and those that only its translation has."""
    written = list_translatable_texts(original, is_story=is_story)
    known = {text.key for text in written}
    further = list_translatable_texts(translation, is_story=is_story)
    return [*written, *(replace(text, value="") for text in further if text.key not in known)]


def has_text(draft: TextDraft) -> bool:
    return draft.source is not None or _has_body(draft) or any(map(_as_text, draft.values.values()))


def _has_body(draft: TextDraft) -> bool:
    return bool((draft.body or "").strip() or _WRITTEN.search(draft.document or ""))


def _as_text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def fill_from_original(draft: TextDraft, original: FrontMatter, *, is_story: bool) -> TextDraft:
    """Return the draft with the original's texts in every field that is empty."""
    texts = list_translatable_texts(original, is_story=is_story)
    copied = {text.key: text.value for text in texts if not _as_text(draft.values.get(text.key))}
    filled = replace(draft, values={**draft.values, **copied})
    return filled if _has_body(draft) else replace(filled, document=None, body=original.body.strip("\n"))


def compose_translation(
    before: str, draft: TextDraft, original: FrontMatter, story: str, *, translated_from: str = ""
) -> ComposedText:
    """Return the text ``before`` of a translation with what ``draft`` says, and ``translated_from``, the
    digest of its original, if that is given. Raise the errors of
    :func:`~editions.changes.story_text.compose_text`."""
    composed = compose_body(before, draft)
    values = {key: value for key, value in draft.values.items() if isinstance(value, str)}
    text = change_texts(
        composed.text,
        values if draft.source is None else {},
        original,
        is_story=bool(story),
        translated_from=translated_from,
    )
    return composed._replace(text=text)


def change_texts(
    text: str, values: Mapping[str, str], original: FrontMatter, *, is_story: bool, translated_from: str = ""
) -> str:
    """Return the text of a translation with ``values`` in its front matter, by the keys of texts, and the
    digest ``translated_from``, if that is given. Raise FrontMatterError if a key cannot be changed."""
    front = read_front(text)
    changes = _find_changes(front, list_texts(original, front, is_story=is_story), values)
    if translated_from and front.text(ORIGINAL_KEY) != translated_from:
        changes[ORIGINAL_KEY] = translated_from
    schema = StoryTranslation if is_story else EditionTranslation
    return change_front_matter(text, changes, schema=schema) if changes else text


def _find_changes(
    front: FrontMatter, texts: Sequence[TranslatableText], values: Mapping[str, str]
) -> "dict[str, YamlValue | None]":
    wanted = {text.key: _clean(values[text.key], text.form) for text in texts if text.key in values}
    changes: dict[str, YamlValue | None] = {}
    for text in texts:
        value, first = wanted.get(text.key), str(text.path[0])
        if value is None or first in changes:
            continue
        if first not in _LISTS and not value and text.key in _NEEDED and _is_used(text, wanted):
            value = text.value
        if value == read_text(front, text.path, text.form):
            continue
        if first in _LISTS:
            changes[first] = _write_list([other for other in texts if other.path[0] == first], wanted)
        elif text.form is TextForm.lines:
            changes[text.key] = list(filter(None, value.split("\n"))) or None
        else:
            changes[text.key] = value or None
    return changes


def _is_used(text: TranslatableText, wanted: Mapping[str, str]) -> bool:
    """Return whether the part of the file with this text has any text at all."""
    part = f"{text.path[0]}."
    return len(text.path) == 1 or any(value for key, value in wanted.items() if key.startswith(part))


def _write_list(texts: Sequence[TranslatableText], wanted: Mapping[str, str]) -> "YamlValue | None":
    """Return the items of a list. Each is known by its place alone, so none may be empty before the last."""
    items: dict[int, dict[str, YamlValue]] = {}
    for text in texts:
        number, key = int(text.path[1]), str(text.path[2])
        value = wanted.get(text.key, "")
        item = items.setdefault(number, {})
        if value or f"{text.path[0]}.{key}" in _NEEDED:
            item[key] = value or text.value
    return (
        [items[number] for number in sorted(items)] if any(wanted.get(text.key) for text in texts) else None
    )


def _clean(value: str, form: TextForm) -> str:
    if form is TextForm.markdown:
        return normalise_line_ends(value).strip()
    if form is TextForm.lines:
        return "\n".join(filter(None, (" ".join(line.split()) for line in value.split("\n"))))
    return " ".join(value.split())

"""A translation as Studio knows it: where it is, what it is made of, and how its state is named."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from editions.changes.front_matter_change import change_front_matter
from editions.source.folder import FolderContents, scan_folder
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.schema import EditionTranslation, StoryTranslation
from editions.source.text_file import TextFile, normalise_line_ends
from editions.source.yaml_parser import KeyPath, YamlValue
from editions.translatable_texts import TextForm, TranslatableText, list_translatable_texts, read_text
from locales.languages import canonical_language
from mailer.i18n import Translator, gettext_noop
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileMissingError,
    FilePlace,
    parse_file_name,
    read_edition_file,
)
from mailer.translations import ORIGINAL_KEY, TranslationState
from mailer.web.forms import Form
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.composition import (
    ComposedText,
    StoryDraft,
    compose_text,
    read_draft,
)
from mailer.web.studio.stories.page_context import read_language
from mailer.web.studio.story_place import StoryPlace, StoryUnreadableError, find_place

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


@dataclass(frozen=True, kw_only=True)
class TranslationPlace:
    """A translation of a story, or of edition.md with its letter, into ``language``. ``name`` is its file,
    whether it is there (``file``) or not (None); ``own_language`` is that of the original."""

    original: StoryPlace
    language: str
    own_language: str
    name: str
    file: EditionFile | None

    @property
    def edition(self) -> str:
        return self.original.edition

    @property
    def story(self) -> str:
        return self.original.story

    @property
    def path(self) -> str:
        """The page of the translation, below /studio."""
        return f"{self.original.path}/translations/{self.language}"

    @property
    def file_place(self) -> FilePlace:
        return FilePlace(story=self.story, language=self.language)


def find_translation(page: StudioPage, edition: str, story: str, language: str) -> TranslationPlace:
    """The translation of a story, or of edition.md if ``story`` is empty.

    Raises:
        HTTPException: 404, there is no such edition, or this is no language to translate it into.
        StoryMissingError: the edition has no such story.
        StoryUnreadableError: the file of the story or of its translation cannot be read.
    """
    original = find_place(page, edition, story)
    own_language = read_language(original)
    if canonical_language(language) != language or language == own_language:
        raise HTTPException(404)
    name = _find_name(scan_folder(original.folder), original, language)
    try:
        parse_file_name(name)
        file = read_edition_file(original.folder, name)
    except FileMissingError:
        file = None
    except EditionFileError as error:
        raise StoryUnreadableError(edition, error) from error
    return TranslationPlace(
        original=original, language=language, own_language=own_language, name=name, file=file
    )


def _find_name(contents: FolderContents, original: StoryPlace, language: str) -> str:
    """The translation's file. An existing one may have another spelling of the language in its name."""
    if not original.story:
        return contents.translations.get(language) or f"edition.{language}.md"
    found = next((files for files in contents.stories if files.original == original.file.name), None)
    known = found.translations.get(language) if found is not None else None
    return known or f"{original.file.name.removesuffix('.md')}.{language}.md"


def _open_place(request: Request, page: PageDep) -> TranslationPlace:
    values = request.path_params
    return find_translation(page, values["edition"], values.get("story", ""), values["language"])


TranslationDep = Annotated[TranslationPlace, Depends(_open_place)]
"""The translation that the path of a request names."""

STATE_WORDS: Mapping[TranslationState, tuple[str, str]] = MappingProxyType(
    {
        TranslationState.missing: (gettext_noop("Not begun"), "quiet"),
        TranslationState.unreadable: (gettext_noop("Cannot be read"), "wrong"),
        TranslationState.draft: (gettext_noop("In progress"), "careful"),
        TranslationState.outdated: (gettext_noop("Original changed"), "careful"),
        TranslationState.complete: (gettext_noop("Translated"), "right"),
    }
)
"""Each state in words, and its tone."""

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "title": gettext_noop("Title"),
        "date": gettext_noop("Day, as readers see it"),
        "lead": gettext_noop("Summary in a digest"),
        "subject": gettext_noop("Subject of the email"),
        "preheader": gettext_noop("What inboxes show after the subject"),
        "period": gettext_noop("Period"),
        "letter.title": gettext_noop("Heading of the letter"),
        "letter.name": gettext_noop("Who signs it, if written otherwise"),
        "letter.titles": gettext_noop("Lines below the name"),
    }
)
_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "alt": gettext_noop("What it shows, for readers who cannot see it"),
        "caption": gettext_noop("Caption"),
        "credit": gettext_noop("Credit"),
        "what": gettext_noop("Its words"),
        "url": gettext_noop("Its address, if it is another page"),
    }
)
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "image": gettext_noop("Picture"),
        "images": gettext_noop("Further picture %(number)s"),
        "read_more": gettext_noop("Link %(number)s"),
        "button": gettext_noop("Button"),
        "video": gettext_noop("Video"),
        "letter": gettext_noop("Who signs the letter"),
        "letter.portrait": gettext_noop("Portrait"),
        "introductions": gettext_noop("Introductions of sections"),
    }
)


def name_field(path: KeyPath, translator: Translator) -> str:
    """What the text at ``path`` of a front matter is called."""
    key = ".".join(map(str, path))
    if path[0] == "introductions":
        return str(path[1])
    return translator.translate(_KEYS.get(key) or _PARTS[str(path[-1])])


def find_group(path: KeyPath) -> KeyPath:
    """The part of a page that the text at ``path`` belongs to; the first one is empty."""
    if path[:2] == ("letter", "portrait") or path[0] in {"images", "read_more"}:
        return path[:2]
    if path in {("letter", "title")} or len(path) == 1:
        return ()
    return path[:1]


def name_group(group: KeyPath, translator: Translator) -> str:
    """The heading of a part of a page; empty for the first."""
    if not group:
        return ""
    number = group[1] + 1 if len(group) > 1 and isinstance(group[1], int) else None
    key = str(group[0]) if number is not None else ".".join(map(str, group))
    words = _GROUPS[key]
    return translator.translate(words, number=number) if number is not None else translator.translate(words)

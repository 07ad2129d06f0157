"""The texts of a file that are translated, and which of them a translation does not have yet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from editions.source.front_matter import FrontMatter
from editions.source.text_file import text_digest
from editions.source.yaml_parser import KeyPath
from locales.phrase import Phrase, gettext_noop

BODY = "body"
"""The key of the text below the front matter."""

_PICTURE = ("alt", "caption", "credit")
_LINK = ("what", "url")
# What may well be the same in another language, or is the original's if it is left out.
_OPTIONAL = frozenset({"credit", "lead", "name", "url"})
_LABELS: Mapping[str, str] = MappingProxyType(
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
_PART_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "alt": gettext_noop("What it shows, for readers who cannot see it"),
        "caption": gettext_noop("Caption"),
        "credit": gettext_noop("Credit"),
        "what": gettext_noop("Its words"),
        "url": gettext_noop("Its address, if it is another page"),
    }
)
_HEADINGS: Mapping[str, str] = MappingProxyType(
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


class TextForm(StrEnum):
    """How a text is written."""

    line = "line"
    lines = "lines"
    markdown = "markdown"


@dataclass(frozen=True, kw_only=True)
class TranslatableText:
    """A text of an original's front matter. ``path`` is where it is, such as ("images", 0, "alt"), and is the
    same in a translation, where a single item may stand without a list."""

    path: KeyPath
    form: TextForm
    value: str

    @property
    def key(self) -> str:
        """The path as one word: images.0.alt."""
        return ".".join(map(str, self.path))

    @property
    def label(self) -> str:
        """What it is called, as a message; "" for an introduction, which is called as its section."""
        is_introduction = self.path[0] == "introductions"
        return "" if is_introduction else _LABELS.get(self.key) or _PART_LABELS[str(self.path[-1])]

    @property
    def heading(self) -> str:
        """The heading of the part of a page that it belongs to; empty for the first."""
        first, *rest = self.path
        if not rest or self.key == "letter.title":
            return ""
        if isinstance(rest[0], int):
            return Phrase(_HEADINGS[str(first)], number=rest[0] + 1)
        return Phrase(_HEADINGS.get(f"{first}.{rest[0]}") or _HEADINGS[str(first)])

    @property
    def is_optional(self) -> bool:
        """Whether a translation without it, or with the same, is complete."""
        return str(self.path[-1]) in _OPTIONAL


@dataclass(frozen=True, kw_only=True)
class OpenText:
    """A text that is not translated: it is missing, or is still that of the original, ``original``."""

    key: str
    original: str
    is_missing: bool

    @property
    def digest(self) -> str:
        """What tells it from other texts: 12 hexadecimal digits."""
        return text_digest(self.original)


def list_translatable_texts(front: FrontMatter, *, is_story: bool) -> tuple[TranslatableText, ...]:
    found = _list_story_paths(front) if is_story else _list_edition_paths(front)
    texts = (
        TranslatableText(path=path, form=form, value=read_text(front, path, form)) for path, form in found
    )
    return tuple(text for text in texts if text.value)


def read_text(front: FrontMatter, path: KeyPath, form: TextForm = TextForm.line) -> str:
    """Return what a front matter has at ``path``; several texts are on a line each."""
    value = front.value(*path)
    if value == "" and len(path) > 1 and path[1] == 0:
        # A single item may stand without a list.
        value = front.value(path[0], *path[2:])
    if isinstance(value, list):
        return "\n".join(" ".join(item.split()) for item in value if isinstance(item, str))
    if not isinstance(value, str):
        return ""
    return value.strip() if form is TextForm.markdown else " ".join(value.split())


def split_paragraphs(body: str) -> list[str]:
    """Return the paragraphs of a body, and whatever else blank lines part."""
    paragraphs = [""]
    for line in body.split("\n"):
        if line.strip():
            paragraphs[-1] += f"{line.rstrip()}\n"
        elif paragraphs[-1]:
            paragraphs.append("")
    return [paragraph.strip("\n") for paragraph in paragraphs if paragraph]


def find_open_texts(
    original: FrontMatter, translation: FrontMatter, *, is_story: bool
) -> tuple[OpenText, ...]:
    """Return the texts that a translation does not have, or has as they are in the original."""
    found = []
    for text in list_translatable_texts(original, is_story=is_story):
        translated = read_text(translation, text.path, text.form)
        if not text.is_optional and _has_words(text.value) and translated in {"", text.value}:
            found.append(OpenText(key=text.key, original=text.value, is_missing=not translated))
    return (*found, *_find_open_paragraphs(original.body, translation.body))


def _find_open_paragraphs(original: str, translation: str) -> Iterator[OpenText]:
    written = [paragraph for paragraph in split_paragraphs(original) if _has_words(paragraph)]
    translated = set(split_paragraphs(translation))
    if written and not any(map(_has_words, translated)):
        yield OpenText(key=BODY, original="\n\n".join(written), is_missing=True)
        return
    for paragraph in dict.fromkeys(written):
        if paragraph in translated:
            yield OpenText(key=BODY, original=paragraph, is_missing=False)


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _list_story_paths(front: FrontMatter) -> Iterator[tuple[KeyPath, TextForm]]:
    for key in ("title", "date", "lead"):
        yield (key,), TextForm.line
    yield from _list_keys(("image",), _PICTURE)
    for number in range(_count(front, "images")):
        yield from _list_keys(("images", number), _PICTURE)
    for number in range(_count(front, "read_more")):
        yield from _list_keys(("read_more", number), _LINK)
    yield from _list_keys(("button",), _LINK)
    yield from _list_keys(("video",), (*_LINK, *_PICTURE))


def _list_edition_paths(front: FrontMatter) -> Iterator[tuple[KeyPath, TextForm]]:
    for key in ("title", "subject", "preheader", "period"):
        yield (key,), TextForm.line
    yield from _list_keys(("letter",), ("title", "name"))
    yield ("letter", "titles"), TextForm.lines
    yield from _list_keys(("letter", "portrait"), _PICTURE)
    introductions = front.value("introductions")
    if isinstance(introductions, dict):
        for key in introductions:
            yield ("introductions", key), TextForm.markdown


def _list_keys(path: KeyPath, keys: tuple[str, ...]) -> Iterator[tuple[KeyPath, TextForm]]:
    for key in keys:
        yield (*path, key), TextForm.line


def _count(front: FrontMatter, key: str) -> int:
    value = front.value(key)
    return len(value) if isinstance(value, list) else int(isinstance(value, dict))

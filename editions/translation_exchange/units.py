"""The units of an exchange with translators: what of an edition is translated, and putting it back."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from editions.changes.translation_text import NEW_FILE, read_front
from editions.rich_text.block_reader import MarkdownSource, read_blocks
from editions.rich_text.document import write_document
from editions.rich_text.node_json import encode_document
from editions.rich_text.nodes import TEXT_KINDS, Block, BlockKind, Text
from editions.source.front_matter import FrontMatter
from editions.source.text_file import TextFile
from editions.source.yaml_parser import KeyPath
from editions.translatable_texts import TextForm, TranslatableText, list_translatable_texts

Texts = tuple[Text, ...]
EDITION_ID = "edition"
STORY_PREFIX = "stories."
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class TranslationUnit:
    """One text. ``id`` is unique in its file: ``title``, ``read_more.0.what``, ``body.3.0``. ``note`` tells
    the translator what it is. ``target`` is empty if there is no translation."""

    id: str
    note: str
    source: Texts
    target: Texts = ()


@dataclass(frozen=True, kw_only=True)
class TranslatedFile:
    """A file and its translation. ``id`` is :data:`EDITION_ID` or ``stories.SLUG``. ``name`` is the
    translation's file name, whether it exists or not: ``text`` is None if it does not."""

    id: str
    original: TextFile
    front_matter: FrontMatter
    name: str
    text: str | None

    @property
    def is_story(self) -> bool:
        return self.id.startswith(STORY_PREFIX)

    @property
    def title(self) -> str:
        return self.front_matter.text("title") or self.original.name

    @cached_property
    def translation(self) -> FrontMatter:
        """The translation's front matter and body; empty if there is none."""
        return read_front(self.text or NEW_FILE)

    @cached_property
    def units(self) -> tuple[TranslationUnit, ...]:
        return tuple(_list_units(self))


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The texts of an edition with their translations into ``language``. ``slug`` names the edition,
    ``title`` is the newsletter's, ``source_language`` the language of the originals."""

    slug: str
    title: str
    source_language: str
    language: str
    files: tuple[TranslatedFile, ...]

    def list_units(self) -> Iterator[tuple[TranslatedFile, TranslationUnit]]:
        for file in self.files:
            for unit in file.units:
                yield file, unit


@dataclass(frozen=True, kw_only=True)
class ReturnedUnit:
    """A unit as it came back. ``source`` is what the file says the original was; None if it does not say.
    ``place`` names it for people: a row, or an id."""

    file_id: str
    id: str
    source: Texts | None
    target: Texts
    place: str


def drop_invalid(text: str) -> str:
    """Return ``text`` without the characters that XML 1.0 cannot have (2.2)."""
    return _INVALID.sub("", text)


def plain_text(texts: Texts) -> str:
    return "".join(text.text for text in texts)


def normalise(texts: Texts) -> str:
    """Return what is compared to find whether an original is the same: its words, whatever the spaces."""
    return " ".join(plain_text(texts).replace("\xa0", " ").split())


WHOLE_BODY = "body"
_NOTES = {
    BlockKind.paragraph: "Paragraph",
    BlockKind.heading: "Heading in the text",
    BlockKind.raw: "Written in Markdown: keep its signs",
}


def list_body_units(original: str, translation: str) -> Iterator[TranslationUnit]:
    """Yield the units of a body, each with its translation. Where that is not divided as the original is,
    nobody can tell which paragraph is which, so the whole body is one unit, in Markdown."""
    blocks = _read(original)
    translated = _read(translation)
    if translation.strip() and _shapes(blocks) != _shapes(translated):
        yield TranslationUnit(
            id=WHOLE_BODY,
            note="The whole text, in Markdown: keep its signs",
            source=(Text(original.strip()),),
            target=(Text(translation.strip()),),
        )
        return
    targets = dict(_walk(translated)) if translation.strip() else {}
    for path, block in _walk(blocks):
        found = targets.get(path)
        yield TranslationUnit(
            id=path,
            note=_NOTES[block.kind],
            source=_texts_of(block),
            target=_texts_of(found) if found else (),
        )


def fill_body(original: str, translation: str, targets: dict[str, Texts]) -> str:
    """Return the translation of a body with new ``targets`` by their ids. What has none keeps the translation
    it has, or else the original's words; every block that does not change keeps its bytes. Raise
    UnwritableError if Markdown cannot write one of the texts, and DocumentSchemaError if one has what no
    email may have."""
    if WHOLE_BODY in targets:
        return f"{plain_text(targets[WHOLE_BODY]).strip()}\n"
    template = _read(translation) if translation.strip() else _read(original)

    def fill(path: str, block: Block) -> Block:
        if path not in targets:
            return block
        if block.kind is BlockKind.raw:
            return block._replace(source="".join(text.text for text in targets[path]))
        return block._replace(texts=targets[path])

    filled = list(_map(template, fill))
    return write_document(translation, encode_document(filled)).text


def _read(body: str) -> tuple[Block, ...]:
    found: MarkdownSource = read_blocks(body)
    return tuple(
        one.block._replace(source=one.source) if one.block.kind is BlockKind.raw else one.block
        for one in found.blocks
    )


def _walk(blocks: Sequence[Block], path: str = WHOLE_BODY) -> Iterator[tuple[str, Block]]:
    for number, block in enumerate(blocks):
        here = f"{path}.{number}"
        if block.kind is BlockKind.raw or (block.kind in TEXT_KINDS and block.texts):
            yield here, block
        yield from _walk(block.blocks, here)


def _map(
    blocks: Sequence[Block], change: Callable[[str, Block], Block], path: str = WHOLE_BODY
) -> Iterator[Block]:
    for number, block in enumerate(blocks):
        here = f"{path}.{number}"
        changed = change(here, block)
        yield changed._replace(blocks=tuple(_map(block.blocks, change, here)))


def _shapes(blocks: Sequence[Block]) -> tuple[object, ...]:
    return tuple((block.kind, block.level, _shapes(block.blocks)) for block in blocks)


def _texts_of(block: Block) -> Texts:
    return (Text(block.source),) if block.kind is BlockKind.raw else block.texts


_FIELD_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "date": "The day, as readers see it",
        "lead": "Summary in a digest",
        "period": "The period it covers",
        "subject": "Subject of the email, at most 70 characters",
        "preheader": "What inboxes show after the subject, 40 to 130 characters",
        "letter.title": "Heading of the letter",
        "letter.name": "Who signs the letter, if written otherwise",
        "letter.titles": "A line below the name",
        "read_more.what": "Words of a link: “Read more: …”",
        "button.what": "Words of the button",
        "video.what": "Words of the link to a video: “Watch: …”",
    }
)
_PICTURE_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "alt": "Description of {0}, for readers who cannot see it",
        "caption": "Text below {0}",
        "credit": "Who made {0}",
    }
)
_PICTURES: Mapping[str, str] = MappingProxyType(
    {
        "image": "the picture",
        "images": "further picture {0}",
        "video": "the video’s picture",
        "letter.portrait": "the portrait",
    }
)


def _list_units(file: TranslatedFile) -> Iterator[TranslationUnit]:
    for path, note in list_fields(file.front_matter, is_story=file.is_story):
        yield TranslationUnit(
            id=".".join(map(str, path)),
            note=note,
            source=_read_field(file.front_matter, path),
            target=_read_field(file.translation, path),
        )
    yield from list_body_units(file.front_matter.body, file.translation.body)


def _read_field(front_matter: FrontMatter, path: KeyPath) -> Texts:
    text = front_matter.text(*path)
    return (Text(text),) if text else ()


def list_fields(front_matter: FrontMatter, *, is_story: bool) -> Iterator[tuple[KeyPath, str]]:
    """Yield where the texts of a translator are, all but the addresses of links, each with a note of what it
    is."""
    for text in list_translatable_texts(front_matter, is_story=is_story):
        if text.path[-1] != "url":
            note = _describe(text.path, is_story=is_story)
            yield from ((path, note) for path in list_places(front_matter, text))


def _describe(path: KeyPath, *, is_story: bool) -> str:
    keys = [key for key in path if isinstance(key, str)]
    if path == ("title",):
        return "Heading of the story" if is_story else "Name of the newsletter"
    if path[0] == "introductions":
        return f"Introduction of the section {path[-1]}, in Markdown"
    if (note := _PICTURE_NOTES.get(keys[-1])) is not None:
        number = next((key + 1 for key in path if isinstance(key, int)), 0)
        return note.format(_PICTURES[".".join(keys[:-1])].format(number))
    return _FIELD_NOTES[".".join(keys)]


def list_places(front_matter: FrontMatter, text: TranslatableText) -> Iterator[KeyPath]:
    """Yield where a text is: a single item may stand without a list, and of several lines, each is a text."""
    path = text.path
    if text.form is TextForm.lines:
        lines = front_matter.value(*path)
        yield from ((*path, number) for number in range(len(lines) if isinstance(lines, list) else 0))
    elif len(path) > 1 and path[1] == 0 and not isinstance(front_matter.value(path[0]), list):
        yield (path[0], *path[2:])
    else:
        yield path

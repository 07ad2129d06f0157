"""What the pages of a story show beside its text."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from editions.model import AiOrigin
from editions.rich_text.document import read_document
from editions.rich_text.node_json import decode_document
from editions.source.folder import EDITION_FILE, STORIES_FOLDER
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from locales.countries import is_country
from locales.languages import canonical_language
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError, parse_file_name, read_edition_file
from mailer.web.forms import list_countries, list_sectors, own_country_names, own_language_name
from mailer.web.mail_preview.query import PreviewQuery, ShownWindows, parse_query
from mailer.web.studio.page import StudioPage
from mailer.web.studio.stories.composition import (
    FieldValue,
    StoryDraft,
    list_fields,
    parse_document,
    read_front_matter_values,
    split_text,
)
from mailer.web.studio.story_place import KIND_WORDS, StoryPlace

AI_WORDS: Mapping[AiOrigin, str] = {
    AiOrigin.generated: gettext_noop("AI wrote it"),
    AiOrigin.edited: gettext_noop("People wrote it, and AI changed it"),
}

RAW_WORDS: Mapping[str, str] = {
    "table": gettext_noop("a table"),
    "code": gettext_noop("a block of code"),
    "html": gettext_noop("HTML"),
    "picture": gettext_noop("a picture"),
    "footnote": gettext_noop("a footnote"),
    "definition": gettext_noop("the address of a link"),
    "heading": gettext_noop("a heading of another level"),
    "lettered-list": gettext_noop("a list with letters"),
    "link": gettext_noop("a link that must not be opened"),
    "nested-too-deep": gettext_noop("lists deep within lists"),
    "too-long": gettext_noop("all of it, because it is too long"),
}
"""What the editor shows as Markdown."""

_DEFAULT_LANGUAGE = "en"
_BEGINNING = 3000
_COUNTRIES = re.compile(r"^countries:[^\n]*(?:\n[ \t]*-[^\n]*)*", re.MULTILINE)
_CODE = re.compile(r"\b[A-Z]{2}\b")

Choice = tuple[str, str]
"""A value and what it is called."""


@dataclass(frozen=True, kw_only=True)
class TextOnPage:
    """The text of a story as its form shows it.

    ``source`` is the whole file where its front matter cannot be read; ``fault`` then says why. ``raw`` are
    the parts that the editor shows as Markdown, in words.
    """

    digest: str
    sitting: str
    sequence: int = 0
    values: Mapping[str, FieldValue]
    body: str
    document: Mapping[str, Any]
    raw: Sequence[str] = ()
    source: str | None = None
    fault: str = ""
    errors: Sequence[Choice] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        found = self.values.get("title") or self.values.get("letter.title") or ""
        return found if isinstance(found, str) else ""


def read_text(place: StoryPlace, *, sitting: str = "") -> TextOnPage:
    """Read the text of a story for its form."""
    text = place.file.text
    _, gap, body = split_text(text)
    document = read_document(gap + body)
    sitting = sitting or secrets.token_urlsafe(12)
    front, problems = read_front_matter(TextFile(name=place.file.name, text=text))
    is_readable = front.values is not None
    return TextOnPage(
        digest=place.file.digest,
        sitting=sitting,
        values=read_front_matter_values(front.values or {}, list_fields(place.story)),
        body=body,
        document=document,
        raw=list_raw(document),
        source=None if is_readable else text,
        fault="" if is_readable else problems[0].message,
    )


def restore_draft(place: StoryPlace, draft: StoryDraft, errors: Sequence[Choice]) -> TextOnPage:
    """The text of a form that was refused, as it was sent.

    Raises:
        DocumentSchemaError: its document is none of the editor's.
    """
    before = read_text(place, sitting=draft.sitting)
    document = before.document
    if draft.document is not None:
        document = parse_document(draft.document)
        decode_document(document)
    return TextOnPage(
        digest=draft.base,
        sitting=before.sitting,
        sequence=draft.sequence,
        values={**before.values, **draft.values},
        body=before.body if draft.body is None else draft.body,
        document=document,
        raw=before.raw,
        source=draft.source if draft.source is not None else before.source,
        fault=before.fault,
        errors=errors,
    )


def list_raw(document: Mapping[str, Any]) -> Sequence[str]:
    """What the editor shows as Markdown, in words, each once."""
    reasons = dict.fromkeys(
        str(block["attrs"]["why"]) for block in document.get("content", ()) if block.get("type") == "raw"
    )
    return [RAW_WORDS[reason] for reason in reasons if reason in RAW_WORDS]


def list_choices(page: StudioPage, place: StoryPlace, values: Mapping[str, FieldValue]) -> dict[str, object]:
    """What the fields of a story offer, in the language of the page. What the file has and nobody offers is
    offered too, so that saving loses nothing."""
    settings, translator = page.settings, page.translator
    translate = translator.translate
    sectors: list[Choice] = list_sectors(translator, settings)
    named = own_country_names(settings)
    codes = dict.fromkeys((*settings.countries, *_list_edition_countries(place)))
    chosen = [code for code in values.get("countries", ()) if isinstance(code, str)]
    countries = list_countries(translator, named, dict.fromkeys((*codes, *chosen)))
    countries += [(code, code) for code in chosen if not is_country(code)]
    kinds = [(kind.value, translate(words)) for kind, (words, _) in KIND_WORDS.items()]
    origins = [(origin.value, translate(words)) for origin, words in AI_WORDS.items()]
    return {
        "sectors": _with_unknown(sectors, values.get("sector")),
        "countries": countries,
        "kinds": _with_unknown(kinds, values.get("kind")),
        "origins": _with_unknown(origins, values.get("ai")),
    }


def _with_unknown(choices: Sequence[Choice], value: FieldValue | None) -> list[Choice]:
    known = {choice for choice, _ in choices}
    return [*choices, *([(value, value)] if isinstance(value, str) and value and value not in known else [])]


def _list_edition_countries(place: StoryPlace) -> list[str]:
    """The countries of all stories of the edition: those it is about are the likeliest."""
    found: dict[str, None] = {}
    for path in sorted((place.folder / STORIES_FOLDER).glob("[0-9]*.md")):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                beginning = file.read(_BEGINNING)
        except OSError:
            continue
        # Only a proposal: reading the front matter of all stories takes longer than all else on the page.
        if written := _COUNTRIES.search(beginning):
            found |= dict.fromkeys(_CODE.findall(written[0]))
    return [code for code in found if is_country(code)]


@dataclass(frozen=True, kw_only=True)
class EditionNames:
    """What the edition is called, with its number, and the language it is written in."""

    title: str
    language: str


def read_edition_names(place: StoryPlace) -> EditionNames:
    """Read what an edition is called; its folder's name if its file does not say."""
    try:
        file = place.file if place.is_letter else read_edition_file(place.folder, EDITION_FILE)
    except EditionFileError:
        return EditionNames(title=place.edition, language=_DEFAULT_LANGUAGE)
    front, _ = read_front_matter(TextFile(name=file.name, text=file.text))
    title = " ".join(filter(None, (front.text("title"), front.text("number"))))
    language = canonical_language(front.text("language")) or _DEFAULT_LANGUAGE
    return EditionNames(title=title or place.edition, language=language)


def read_edition_title(place: StoryPlace) -> str:
    """What the edition is called, with its number."""
    return read_edition_names(place).title


def read_language(place: StoryPlace) -> str:
    """The language that the edition is written in."""
    return read_edition_names(place).language


def list_translations(place: StoryPlace) -> list[Choice]:
    """The languages that the text is translated into, each with its own name."""
    folder = place.folder if place.is_letter else place.folder / STORIES_FOLDER
    stem = "edition" if place.is_letter else parse_stem(place)
    prefix = "" if place.is_letter else f"{STORIES_FOLDER}/"
    tags = []
    for path in sorted(folder.glob(f"{stem}.*.md")):
        try:
            tags.append(parse_file_name(prefix + path.name).language)
        except EditionFileError:
            continue
    return [(tag, own_language_name(tag)) for tag in tags if tag]


def parse_stem(place: StoryPlace) -> str:
    """The name of the story's file without its folder and ending."""
    return place.file.name.removeprefix(f"{STORIES_FOLDER}/").removesuffix(".md")


_USUAL_QUERY = PreviewQuery(show=ShownWindows.desktop)


class ShownPart(StrEnum):
    """How much of the edition is shown."""

    story = "story"
    """The story alone, or the letter."""

    edition = "edition"
    """The whole edition."""


@dataclass(frozen=True, kw_only=True)
class StoryView:
    """What to show: ``part`` of the edition, in the way of ``query``. ``version`` is the tag of a version of
    the edition, and comes before the reader of ``query``."""

    part: ShownPart = ShownPart.story
    version: str = ""
    query: PreviewQuery = field(default=_USUAL_QUERY)

    @property
    def is_whole(self) -> bool:
        return self.part is ShownPart.edition

    def encode(self) -> str:
        """The query that :func:`parse_view` reads as this view."""
        own = {"part": self.part.value, "version": self.version}
        return "&".join(filter(None, (urlencode({k: v for k, v in own.items() if v}), self.query.encode())))

    def change(self, **changes: object) -> str:
        """The query of this view with some of the fields of ``query`` changed."""
        return replace(self, query=replace(self.query, **changes)).encode()  # type: ignore[arg-type]


def parse_view(parameters: Mapping[str, str], *, usual: ShownPart = ShownPart.story) -> StoryView:
    """Parse the query of a preview; an unknown value becomes the usual one."""
    query = parse_query(parameters)
    if query.show is ShownWindows.both:
        query = replace(query, show=ShownWindows.desktop)
    part, version = parameters.get("part", ""), parameters.get("version", "")
    return StoryView(
        part=ShownPart(part) if part in ShownPart.__members__ else usual,
        version=version if version.isalnum() and len(version) <= 40 else "",
        query=query,
    )

"""The files of an imported edition: the edition itself, its letter and its stories."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from unicodedata import east_asian_width

from babel.dates import format_date
from lxml import etree

from editions.changes.yaml_writer import quote_yaml
from editions.imports.html.cleaner import ChapterImage, CleanChapter
from editions.imports.html.inline_spans import LINE_BREAK, normalise_spans, read_spans
from editions.imports.html.tree import text_content
from editions.imports.markdown_writer import write_markdown
from editions.imports.source_document import shorten_quotation
from locales.languages import find_locale

_MIN_LENGTH = 80
_MAX_SALUTATION_LENGTH = 60
_MAX_NAME_LENGTH = 60
_MAX_LINE_LENGTH = 160
_MAX_LINES = 5
_SALUTATION_ENDINGS = (",", ":", "!", "，", "：", "！", "、")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;,。！？：；，…]$")


@dataclass(frozen=True, kw_only=True)
class ExtractedLetter:
    """A letter. ``title`` and ``name`` are empty where the document has none; ``titles`` are the lines below
    the name."""

    title: str
    name: str
    titles: tuple[str, ...]
    blocks: list[etree._Element]
    images: list[ChapterImage]


def is_letter(body: CleanChapter) -> bool:
    """Return whether the text is longer than a line such as a date or a motto, or has a link, which must not
    be lost."""
    return len(body.plain_text()) >= _MIN_LENGTH or any(map(_has_link, body.blocks))


def extract_letter(body: CleanChapter) -> ExtractedLetter:
    """Split ``body`` into the parts of a letter."""
    blocks = list(body.blocks)
    title = _extract_title(blocks)
    name, *titles = _extract_signature(blocks) or [""]
    return ExtractedLetter(title=title, name=name, titles=tuple(titles), blocks=blocks, images=body.images)


def _has_link(block: etree._Element) -> bool:
    return any(link.get("href") for link in block.iter("a"))


def _extract_title(blocks: list[etree._Element]) -> str:
    first = " ".join(text_content(blocks[0]).split())
    salutes = (
        blocks[0].tag == "p" and first.endswith(_SALUTATION_ENDINGS) and len(first) <= _MAX_SALUTATION_LENGTH
    )
    if len(blocks) > 1 and not _has_link(blocks[0]) and (salutes or blocks[0].tag in {"h2", "h3"}):
        blocks.pop(0)
        return first.rstrip("".join(_SALUTATION_ENDINGS)).strip() if salutes else first
    return ""


def _extract_signature(blocks: list[etree._Element]) -> list[str]:
    """Remove and return the short lines at the end, a name first; none if nothing else would be left."""
    lines: list[str] = []
    first = len(blocks)
    while (
        first > 1 and (text := _signature_lines(blocks[first - 1])) and len(lines) + len(text) <= _MAX_LINES
    ):
        lines = text + lines
        first -= 1
    if not lines or len(lines[0]) > _MAX_NAME_LENGTH or any(character.isdigit() for character in lines[0]):
        return []
    del blocks[first:]
    return lines


def _signature_lines(block: etree._Element) -> list[str]:
    """Return the lines of ``block`` if each of them may be part of a signature."""
    if block.tag != "p" or _has_link(block):
        return []
    text = "".join(span.text for span in normalise_spans(read_spans(block))).split(LINE_BREAK)
    lines = [line.strip() for line in text]
    fits = all(line and len(line) <= _MAX_LINE_LENGTH and not _ENDS_A_SENTENCE.search(line) for line in lines)
    return lines if fits else []


_MAX_SUBJECT_WIDTH = 70
_PREHEADER_WIDTHS = (40, 130)
SECTOR_PLACEHOLDER = "choose-one"
"""In place of a story's sector until a person chooses it."""


@dataclass(frozen=True, kw_only=True)
class UsedImage:
    """A picture as a story uses it. ``alt`` is empty if the document has none worth keeping."""

    file: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class EditionDetails:
    """The details in ``edition.md``. ``source`` is the document's file name."""

    source: str
    title: str
    number: str
    period: str
    date: date
    language: str
    subject: str
    preheader: str


def format_edition_file(
    details: EditionDetails, letter: ExtractedLetter | None, portrait: UsedImage | None
) -> str:
    lines = [
        "---",
        f"# Made from {quote_yaml(details.source)}. Text after a # is a note to you.",
        f"title: {quote_yaml(details.title)}",
        f"number: {quote_yaml(details.number)}  # The number of the issue.",
        f"period: {quote_yaml(details.period)}  # The period it covers.",
        f"date: {details.date.isoformat()}  # The day of issue.",
        f"language: {details.language}",
        f"subject: {quote_yaml(details.subject)}  # At most {_MAX_SUBJECT_WIDTH} characters.",
        f"preheader: {quote_yaml(details.preheader)}  # The text inboxes show after the subject.",
    ]
    if letter:
        lines += _letter_lines(letter, portrait)
    body = write_markdown(letter.blocks, language=details.language) if letter else ""
    return _join(lines, body)


def _letter_lines(letter: ExtractedLetter, portrait: UsedImage | None) -> list[str]:
    lines = [
        "letter:",
        _key_line("  title", letter.title, "The letter’s heading, such as Dear colleagues."),
        _key_line("  name", letter.name, "Who signs the letter."),
    ]
    if letter.titles:
        lines += ["  titles:", *(f"    - {quote_yaml(title)}" for title in letter.titles)]
    if portrait:
        lines += ["  portrait:", *(f"  {line}" for line in _image_lines(portrait))]
    return lines


def format_story_file(
    story: CleanChapter,
    images: Sequence[UsedImage],
    *,
    sectors: Collection[str],
    language: str,
) -> str:
    """Return the text of a story's file. Its sector is for a person to choose from ``sectors``."""
    lines = ["---", f"title: {quote_yaml(story.title)}"]
    if story.published:
        lines.append(f"date: {quote_yaml(_format_day(story.published, language))}")
    if sectors:
        choice = f"One of {', '.join(sectors)}; delete this line for office news."
        lines.append(f"sector: {SECTOR_PLACEHOLDER}  # {choice}")
    lines.append("# countries: [MN, CN]  # The countries it is about, as two-letter codes.")
    if images:
        lines += ["image:", *_image_lines(images[0])]
    if images[1:]:
        lines.append("images:")
    for image in images[1:]:
        first, *others = _image_lines(image)
        lines += [f"  - {first.strip()}", *(f"  {line}" for line in others)]
    if link := story.read_more:
        address = link.address.replace("@@", "@%40")
        lines += ["read_more:", f"  what: {quote_yaml(link.text)}", f"  url: {quote_yaml(address)}"]
    return _join(lines, write_markdown(story.blocks, language=language))


def _format_day(day: date, language: str) -> str:
    # CLDR's English without a country is that of the United States.
    return format_date(day, "long", locale=find_locale("en-GB" if language == "en" else language) or "en-GB")


def _image_lines(image: UsedImage) -> list[str]:
    return [
        f"  file: {image.file}",
        _key_line("  alt", image.alt, "What the picture shows, for readers who cannot see it."),
        *([f"  caption: {quote_yaml(image.caption)}"] if image.caption else []),
    ]


def _key_line(key: str, value: str, advice: str) -> str:
    """Return ``key: value``, or the key left open with ``advice``."""
    return f"{key}: {quote_yaml(value)}" if value else f"{key}:  # To do: {advice[0].lower()}{advice[1:]}"


def _join(lines: Sequence[str], body: str) -> str:
    return "\n".join([*lines, "---", "", *([body, ""] if body else [])])


def choose_subject(title: str, stories: Sequence[str]) -> str:
    """Return a subject: the newsletter's title and its first story, as far as an inbox shows them."""
    full = title if stories[0] == title else f"{title}: {stories[0]}"
    return full if _display_width(full) <= _MAX_SUBJECT_WIDTH else _truncate(title, _MAX_SUBJECT_WIDTH)


def choose_preheader(subject: str, stories: Sequence[str], first: Sequence[etree._Element]) -> str:
    """Return a preheader: the titles that are not in the ``subject``, and the first story's text if they are
    short."""
    fewest, most = _PREHEADER_WIDTHS
    titles = "; ".join([title for title in stories if title not in subject] or stories)
    if _display_width(titles) < fewest:
        titles = f"{titles}. {shorten_quotation(' '.join(text_content(block) for block in first))}"
    return _truncate(titles, most)


def _truncate(text: str, most: int) -> str:
    """Return ``text`` in at most ``most`` columns, cut between words if it has spaces."""
    if _display_width(text) <= most:
        return text
    shortened = text
    while _display_width(shortened) >= most:
        shortened = shortened[:-1]
    whole, space, _ = shortened.rpartition(" ")
    return f"{(whole if space and len(whole) > len(shortened) / 2 else shortened).rstrip(' ,;:.')}…"


def _display_width(text: str) -> int:
    """Return how wide an inbox shows ``text``, in columns."""
    return sum(2 if east_asian_width(character) in {"W", "F"} else 1 for character in text)

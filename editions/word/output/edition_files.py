"""The text of an edition's files. What the document says is written down; what only a person knows is left
open, on a line of its own with words about what goes there, so that ``mailer check`` points at that line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from unicodedata import east_asian_width

from lxml import etree

from editions.new_edition import quote_value
from editions.word.html.tree import text_of
from editions.word.omissions import shorten
from editions.word.output.letter import Letter
from editions.word.output.markdown_writer import write_markdown

_LONGEST_SUBJECT = 70
_PREHEADER = (40, 130)
UNDECIDED = "choose-one"
"""Stands for a story's sector until a person says it."""


@dataclass(frozen=True, kw_only=True)
class PlacedPicture:
    """A picture as a story's front matter names it. ``alt`` is empty where Word had none worth keeping."""

    file: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What frames an edition. ``source`` is the document's file name."""

    source: str
    title: str
    number: str
    period: str
    date: date
    language: str
    subject: str
    preheader: str


def compose_edition(frame: Frame, letter: Letter | None, portrait: PlacedPicture | None) -> str:
    """``edition.md``."""
    lines = [
        "---",
        f"# Made from {quote_value(frame.source)}. Text after a # is a note to you.",
        f"title: {quote_value(frame.title)}",
        f"number: {quote_value(frame.number)}  # The number of the issue.",
        f"period: {quote_value(frame.period)}  # The period it covers.",
        f"date: {frame.date.isoformat()}  # The day of issue.",
        f"language: {frame.language}",
        f"subject: {quote_value(frame.subject)}  # At most {_LONGEST_SUBJECT} characters.",
        f"preheader: {quote_value(frame.preheader)}  # The text inboxes show after the subject.",
    ]
    if letter:
        lines += _compose_letter(letter, portrait)
    body = write_markdown(letter.blocks, language=frame.language) if letter else ""
    return _join(lines, body)


def _compose_letter(letter: Letter, portrait: PlacedPicture | None) -> list[str]:
    lines = [
        "letter:",
        _line("  title", letter.title, "The letter’s heading, such as Dear colleagues."),
        _line("  name", letter.name, "Who signs the letter."),
    ]
    if letter.titles:
        lines += ["  titles:", *(f"    - {quote_value(title)}" for title in letter.titles)]
    if portrait:
        lines += ["  portrait:", *(f"  {line}" for line in _compose_picture(portrait))]
    return lines


def compose_story(
    title: str,
    blocks: Sequence[etree._Element],
    picture: PlacedPicture | None,
    *,
    sectors: Collection[str],
    language: str,
) -> str:
    """``stories/NNN-slug.md``, whose sector is one of ``sectors``, once a person has chosen it."""
    lines = ["---", f"title: {quote_value(title)}"]
    if sectors:
        choice = f"One of {', '.join(sectors)}; delete this line for office news."
        lines.append(f"sector: {UNDECIDED}  # {choice}")
    lines.append("# countries: [MN, CN]  # The countries it is about, as two-letter codes.")
    if picture:
        lines += ["image:", *_compose_picture(picture)]
    return _join(lines, write_markdown(blocks, language=language))


def _compose_picture(picture: PlacedPicture) -> list[str]:
    return [
        f"  file: {picture.file}",
        _line("  alt", picture.alt, "What the picture shows, for readers who cannot see it."),
        *([f"  caption: {quote_value(picture.caption)}"] if picture.caption else []),
    ]


def _line(key: str, value: str, advice: str) -> str:
    """``key: value``, or the key left open with ``advice``."""
    return f"{key}: {quote_value(value)}" if value else f"{key}:  # To do: {advice[0].lower()}{advice[1:]}"


def _join(lines: Sequence[str], body: str) -> str:
    return "\n".join([*lines, "---", "", *([body, ""] if body else [])])


def choose_subject(title: str, stories: Sequence[str]) -> str:
    """The newsletter's name and its first story, as far as an inbox shows them."""
    full = f"{title}: {stories[0]}"
    return full if _columns(full) <= _LONGEST_SUBJECT else _cut(title, _LONGEST_SUBJECT)


def choose_preheader(subject: str, stories: Sequence[str], first: Sequence[etree._Element]) -> str:
    """The titles of the stories that are not in the ``subject``, and words of the first if those are few."""
    fewest, most = _PREHEADER
    titles = "; ".join([title for title in stories if title not in subject] or stories)
    if _columns(titles) < fewest:
        titles = f"{titles}. {shorten(' '.join(text_of(block) for block in first))}"
    return _cut(titles, most)


def _cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` columns, cut between words where it has spaces."""
    if _columns(text) <= most:
        return text
    kept = text
    while _columns(kept) >= most:
        kept = kept[:-1]
    whole, space, _ = kept.rpartition(" ")
    return f"{(whole if space and len(whole) > len(kept) / 2 else kept).rstrip(' ,;:.')}…"


def _columns(text: str) -> int:
    """How wide ``text`` is drawn in an inbox."""
    return sum(2 if east_asian_width(sign) in {"W", "F"} else 1 for sign in text)

"""The files of an imported edition: the edition itself, its letter and its stories."""

import re
from collections.abc import Collection, Sequence
from datetime import date

from babel.dates import format_date
from lxml import etree

from editions.changes.yaml_writer import quote_yaml
from editions.checks.inbox import MAX_SUBJECT_WIDTH, PREHEADER_WIDTHS
from editions.imports.document import DocumentContent
from editions.imports.html.cleaner import ChapterImage, CleanChapter
from editions.imports.html.inline_spans import LINE_BREAK, normalise_spans, read_spans
from editions.imports.html.tree import text_content
from editions.imports.markdown_writer import write_markdown
from editions.imports.source_document import shorten_quotation
from editions.new_editions import guess_issue_number, guess_period
from locales.languages import display_width, find_locale

_MIN_LENGTH = 80
_MAX_SALUTATION_LENGTH = 60
_MAX_NAME_LENGTH = 60
_MAX_LINE_LENGTH = 160
_MAX_LINES = 5
_SALUTATION_ENDINGS = (",", ":", "!", "，", "：", "！", "、")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;,。！？：；，…]$")
SECTOR_PLACEHOLDER = "choose-one"
"""In place of a story's sector until a person chooses it."""


def is_letter(body: CleanChapter) -> bool:
    """Return whether the text is longer than a date or a motto, or has a link, which must not be lost."""
    return len(body.plain_text()) >= _MIN_LENGTH or any(map(_has_link, body.blocks))


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


def format_edition_file(
    content: DocumentContent,
    letter: CleanChapter | None,
    portrait: ChapterImage | None,
    *,
    source: str,
    title: str,
    slug: str,
    language: str,
    today: date,
) -> str:
    """Return the text of ``edition.md``, made from ``source``: the document's file name, or an address."""
    titles = [story.title for story in content.stories]
    subject = choose_subject(title, titles)
    preheader = choose_preheader(subject, titles, content.stories[0].blocks)
    period = content.subtitle or guess_period(today, language)
    lines = [
        "---",
        f"# Made from {quote_yaml(source)}. Text after a # is a note to you.",
        f"title: {quote_yaml(title)}",
        f"number: {quote_yaml(guess_issue_number(slug, today))}  # The number of the issue.",
        f"period: {quote_yaml(period)}  # The period it covers.",
        f"date: {today.isoformat()}  # The day of issue.",
        f"language: {language}",
        f"subject: {quote_yaml(subject)}  # At most {MAX_SUBJECT_WIDTH} characters.",
        f"preheader: {quote_yaml(preheader)}  # The text inboxes show after the subject.",
    ]
    if letter is None:
        return _join(lines, "")
    blocks = list(letter.blocks)
    heading = _extract_title(blocks)
    name, *name_lines = _extract_signature(blocks) or [""]
    lines += [
        "letter:",
        _key_line("  title", heading, "The letter’s heading, such as Dear colleagues."),
        _key_line("  name", name, "Who signs the letter."),
    ]
    if name_lines:
        lines += ["  titles:", *(f"    - {quote_yaml(line)}" for line in name_lines)]
    if portrait:
        lines += ["  portrait:", *(f"  {line}" for line in _image_lines(portrait))]
    return _join(lines, write_markdown(blocks, language=language))


def format_story_file(
    story: CleanChapter, images: Sequence[ChapterImage], *, sectors: Collection[str], language: str
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
        address = link.url.replace("@@", "@%40")
        lines += ["read_more:", f"  what: {quote_yaml(link.what)}", f"  url: {quote_yaml(address)}"]
    return _join(lines, write_markdown(story.blocks, language=language))


def _format_day(day: date, language: str) -> str:
    # CLDR's English without a country is that of the United States.
    return format_date(day, "long", locale=find_locale("en-GB" if language == "en" else language) or "en-GB")


def _image_lines(image: ChapterImage) -> list[str]:
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
    return full if display_width(full) <= MAX_SUBJECT_WIDTH else _truncate(title, MAX_SUBJECT_WIDTH)


def choose_preheader(subject: str, stories: Sequence[str], first: Sequence[etree._Element]) -> str:
    """Return a preheader: titles that are not in the ``subject``, if short also the first story's text."""
    fewest, most = PREHEADER_WIDTHS
    titles = "; ".join([title for title in stories if title not in subject] or stories)
    if display_width(titles) < fewest:
        titles = f"{titles}. {shorten_quotation(' '.join(text_content(block) for block in first))}"
    return _truncate(titles, most)


def _truncate(text: str, most: int) -> str:
    """Return ``text`` in at most ``most`` columns, cut between words if it has spaces."""
    if display_width(text) <= most:
        return text
    shortened = text
    while display_width(shortened) >= most:
        shortened = shortened[:-1]
    whole, space, _ = shortened.rpartition(" ")
    return f"{(whole if space and len(whole) > len(shortened) / 2 else shortened).rstrip(' ,;:.')}…"

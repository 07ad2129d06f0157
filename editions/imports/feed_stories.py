"""From a feed to stories: finding it, one story for each entry, and its pictures."""

import hashlib
from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from editions.errors import DocumentError, ImageError
from editions.images.files import open_image
from editions.imports.document import DocumentContent, choose_alt, detect_language
from editions.imports.feed_parser import FeedEntry, ParsedFeed, parse_feed
from editions.imports.html.chapters import Chapter, extract_notes
from editions.imports.html.cleaner import CleanChapter, clean_chapter, keep_picture_links
from editions.imports.html.inline_spans import one_line_text, split_double_at
from editions.imports.html.story_starts import StartRule, StoryStarts
from editions.imports.html.tree import text_content
from editions.imports.source_document import (
    MAX_IMAGE_BYTES,
    WHOLE_DOCUMENT,
    Fetch,
    FetchError,
    OmissionKind,
    OmissionLog,
    RemoteFile,
    SourceImage,
    locate,
    quote,
    shorten_quotation,
)
from editions.imports.web_page.converter import PageConverter
from editions.imports.web_page.pictures import PictureFinder
from editions.imports.web_page.reader import decode_page, parse_page
from editions.markdown.links import find_link_fault
from editions.model import ReadMore
from locales.phrase import AFTER_PLACE, Phrase, gettext_noop, join_sentences, read_error

_INVISIBLE = 2
_PIXEL_BYTES = 2_000
MAX_ENTRIES = 100
_MAX_FEED_BYTES = 20_000_000
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})


class RemotePictureFinder(PictureFinder):
    """Finds the pictures of one feed; each address is fetched once."""

    def __init__(self, name: str, omissions: OmissionLog, fetch: Fetch) -> None:
        super().__init__(name, None, omissions)
        self._fetch = fetch
        self._fetched: dict[str, bytes | str] = {}
        self.base = ""
        """The address that those of the next pictures are relative to."""

    def _log_missing(self, source: str, alt: str) -> None:
        """Log a picture that is in the text and damaged; for others :meth:`_read` knows the reason."""
        if source.startswith("data:"):
            super()._log_missing(source, alt)

    def _read(self, source: str, alt: str) -> SourceImage | None:
        if source.startswith("data:"):
            return super()._read(source, alt)
        address = urljoin(self.base, source)
        if address not in self._fetched:
            try:
                self._fetched[address] = self._fetch(address, MAX_IMAGE_BYTES).data
            except FetchError as error:
                self._fetched[address] = read_error(error)
        data = self._fetched[address]
        if isinstance(data, str):
            what = locate(quote(gettext_noop("a picture"), alt), address)
            self._omissions.add(Phrase(AFTER_PLACE, place=what, words=data))
            return None
        if _is_invisible(data):
            self._omissions.count(OmissionKind.pixel, alt)
            return None
        name = PurePosixPath(unquote(urlsplit(address).path)).name or "picture"
        return SourceImage(
            part=f"{hashlib.sha256(data).hexdigest()[:12]}/{name}", alt=alt, size=len(data), read=lambda: data
        )


def _is_invisible(data: bytes) -> bool:
    if len(data) > _PIXEL_BYTES:
        return False
    try:
        with open_image("picture", data) as image:
            return min(image.size) <= _INVISIBLE
    except ImageError:
        return False


def read_feed(
    feed: ParsedFeed, *, address: str, since: date | None, fetch: Fetch, omissions: OmissionLog
) -> DocumentContent:
    """Return the entries of ``feed`` published on the day ``since`` or later, or without a date, with their
    pictures fetched. What cannot be kept is logged in ``omissions``. Raise DocumentError if there are
    none."""
    entries = _choose_entries(feed, address, since, omissions)
    pictures = RemotePictureFinder(address, omissions, fetch)
    stories = [_read_story(entry, pictures, omissions) for entry in entries]
    kept = tuple(story for story in stories if story is not None)
    if not kept:
        raise DocumentError(address, "no-stories", gettext_noop("none of its entries has any text."))
    omissions.settle_stories()
    text = " ".join(f"{story.title} {story.plain_text()}" for story in kept)
    return DocumentContent(
        title=split_double_at(feed.title),
        subtitle="",
        language=detect_language(text, language=feed.language, east_asian_language=feed.language),
        starts=StoryStarts(rule=StartRule.entry),
        preamble=CleanChapter(title="", blocks=[]),
        stories=kept,
        images=tuple(pictures.images),
    )


def _choose_entries(
    feed: ParsedFeed, address: str, since: date | None, omissions: OmissionLog
) -> Sequence[FeedEntry]:
    """Return the entries since that day: newest first if all have dates, else in the feed's own order."""
    entries = list(feed.entries)
    if since:
        entries = [entry for entry in entries if not entry.published or entry.published.date() >= since]
    if not entries:
        dates = [entry.published.date() for entry in feed.entries if entry.published]
        raise DocumentError(address, "no-stories", _explain_none(dates, since))
    if all(entry.published for entry in entries):
        entries.sort(key=lambda entry: entry.published.timestamp() if entry.published else 0, reverse=True)
    omissions.set_place(WHOLE_DOCUMENT)
    for entry in entries:
        if since and not entry.published:
            undated = gettext_noop("an entry without a date, which may be older")
            omissions.add(quote(undated, entry.title))
    if len(entries) > MAX_ENTRIES:
        omissions.add(
            Phrase(
                "%(number)s more entries; an edition is made of %(most)s at most. Choose fewer with --since",
                number=len(entries) - MAX_ENTRIES,
                most=MAX_ENTRIES,
            )
        )
    return entries[:MAX_ENTRIES]


def _explain_none(dates: Sequence[date], since: date | None) -> str:
    if since is None:
        return gettext_noop("it has no entries.")
    none = Phrase("it has no entry since %(day)s.", day=since.isoformat())
    newest = gettext_noop("The newest is of %(day)s.")
    return join_sentences([none, Phrase(newest, day=max(dates).isoformat()) if dates else ""])


def _read_story(
    entry: FeedEntry, pictures: RemotePictureFinder, omissions: OmissionLog
) -> CleanChapter | None:
    title = _one_line(entry.title)
    omissions.enter_story(title or entry.link)
    body = _convert_body(entry, pictures, omissions)
    notes = extract_notes(body)
    blocks = [block for block in body if len(block) or text_content(block).strip()]
    if blocks and title and text_content(blocks[0]).strip() == entry.title and blocks[0].tag != "p":
        # Some feeds repeat the title above the text.
        blocks.pop(0)
    if not title:
        title = _one_line(shorten_quotation(" ".join(text_content(block) for block in blocks)))
    if not blocks or not title:
        omissions.add(locate(quote(gettext_noop("an entry without text"), entry.title), entry.link))
        return None
    story = clean_chapter(Chapter(title=title, blocks=blocks), notes, omissions)
    story.published = entry.published.date() if entry.published else None
    if entry.link and find_link_fault(entry.link) is None:
        story.read_more = ReadMore(what=title, url=entry.link)
    return story


def _convert_body(entry: FeedEntry, pictures: RemotePictureFinder, omissions: OmissionLog) -> etree._Element:
    page = parse_page(f"<html><body>{_enclosed(entry)}{entry.body}</body></html>", name=entry.link)
    pictures.base = entry.base
    blocks = PageConverter(page, pictures, omissions, base=entry.base).convert(page)
    body = etree.Element("body")
    body.extend(blocks)
    keep_picture_links(body, [choose_alt(image.alt, "") for image in pictures.images])
    return body


def _enclosed(entry: FeedEntry) -> str:
    """Return the files of an entry that its text does not show: a picture, and links to the others."""
    images = [each for each in entry.enclosures if each.kind.startswith("image")]
    others = [each for each in entry.enclosures if not each.kind.startswith("image")]
    shown = (
        ""
        if "<img" in entry.body
        else "".join(
            f'<p><img src="{escape(each.address)}" alt="{escape(each.alt)}"></p>' for each in images[:1]
        )
    )
    links = "".join(
        f'<p><a href="{escape(each.address)}">{escape(_file_name(each.address))}</a></p>'
        for each in others
        if each.address not in entry.body
    )
    return shown + links


def _file_name(address: str) -> str:
    parts = urlsplit(address)
    return PurePosixPath(unquote(parts.path)).name or parts.netloc


def _one_line(text: str) -> str:
    line = etree.Element("p")
    # Characters that no XML may have would stop lxml.
    line.text = "".join(character for character in text if character.isprintable() or character.isspace())
    return one_line_text(line)


def find_feed(address: str, fetch: Fetch) -> ParsedFeed:
    """Return the feed at ``address``, or the first one that the page there names. Raise DocumentError if it
    cannot be fetched, or is neither."""
    found = _fetch(address, fetch)
    if feed := parse_feed(found.data, address=found.address, charset=found.charset):
        return feed
    named = _named_feed(found)
    if not named:
        raise DocumentError(
            address,
            "not-a-document",
            gettext_noop(
                "this is not a feed, and it names none. Look for an address that ends in feed, rss or atom; "
                "or save the page with a browser and import that file."
            ),
        )
    found = _fetch(named, fetch)
    if feed := parse_feed(found.data, address=found.address, charset=found.charset):
        return feed
    raise DocumentError(
        address,
        "not-a-document",
        gettext_noop("it names %(named)s as its feed, but that is none. Tell the site’s office."),
        named=named,
    )


def _fetch(address: str, fetch: Fetch) -> RemoteFile:
    try:
        return fetch(address, _MAX_FEED_BYTES)
    except FetchError as error:
        raise DocumentError(address, "not-fetched", read_error(error)) from error


def _named_feed(found: RemoteFile) -> str:
    if b"<" not in found.data:
        return ""
    root = parse_page(decode_page(found.data, charset=found.charset), name=found.address)
    for link in root.iter("link"):
        kinds = (link.get("rel") or "").lower().split()
        href = (link.get("href") or "").strip()
        if "alternate" in kinds and (link.get("type") or "").lower() in _FEED_TYPES and href:
            return urljoin(found.address, href)
    return ""

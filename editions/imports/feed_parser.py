"""Parsing RSS 0.9 to 2.0, RSS 1.0 (RDF) and Atom, as far as stories need it."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.entities import html5
from urllib.parse import urljoin

from lxml import etree

_FRACTION = re.compile(r"(\.\d+)")
_DAY_ALONE = re.compile(r"\d{4}(-\d\d){0,2}")
_XML = "{http://www.w3.org/XML/1998/namespace}"
_NAMED_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z]\w{1,30};)")
_LONE_AMPERSAND = re.compile(rb"&(?!#?\w{1,30};)")
_ROOTS = frozenset({"rss", "feed", "rdf"})
_NOT_TEXT = frozenset({"media", "itunes", "googleplay", "podcast"})
_MEDIA = "http://search.yahoo.com/mrss"


def parse_date(text: str) -> datetime | None:
    """Return a date of RFC 822 or RFC 3339, in UTC if it has no zone; None if it is neither."""
    text = text.strip()
    if not text:
        return None
    try:
        if text[:4].isdecimal():
            if _DAY_ALONE.fullmatch(text):
                text = (text + "-01-01")[:10] if len(text) < 10 else text
            found = datetime.fromisoformat(_FRACTION.sub("", text))
        else:
            found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Enclosure:
    """A file of an entry: its address, its media type such as ``image/jpeg``, and what it shows."""

    address: str
    kind: str
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class FeedEntry:
    """An entry. ``body`` is HTML, whose relative links belong to ``base``."""

    title: str
    link: str
    published: datetime | None
    body: str
    base: str
    enclosures: tuple[Enclosure, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class ParsedFeed:
    """A feed, with its entries in its own order."""

    title: str
    language: str
    entries: tuple[FeedEntry, ...]


def parse_feed(data: bytes, *, address: str, charset: str = "") -> ParsedFeed | None:
    root = _parse_xml(data, charset)
    if root is None or _local(root) not in _ROOTS:
        return None
    channel = root if _local(root) == "feed" else next(_children(root, "channel"), root)
    entries = [entry for around in (channel, root) for entry in _children(around, "item", "entry")]
    if channel is root:
        entries = [*_children(root, "item", "entry")]
    base = urljoin(address, root.get(f"{_XML}base") or "")
    return ParsedFeed(
        title=_plain(_text_of(channel, "title")),
        language=(_text_of(channel, "language") or root.get(f"{_XML}lang") or "").strip(),
        entries=tuple(_read_entry(entry, base) for entry in entries),
    )


def _parse_xml(data: bytes, charset: str) -> etree._Element | None:
    # HTML's names for characters are no XML, but feeds use them.
    data = _NAMED_ENTITY.sub(
        lambda found: html5.get(found[1].decode(), found[0].decode()).encode("ascii", "xmlcharrefreplace"),
        data.lstrip(b"\xef\xbb\xbf \t\r\n"),
    )
    attempts = [(data, None, False), (data, charset or None, False)]
    # Broken XML is read as far as it goes; a lone & would be lost.
    attempts.append((_LONE_AMPERSAND.sub(b"&amp;", data), None, True))
    for text, encoding, recover in attempts:
        try:
            parser = etree.XMLParser(
                recover=recover, resolve_entities=False, no_network=True, load_dtd=False, encoding=encoding
            )
            root = etree.fromstring(text, parser)
        except (etree.XMLSyntaxError, LookupError, ValueError):
            continue
        if root is not None:
            return root
    return None


def _read_entry(entry: etree._Element, base: str) -> FeedEntry:
    base = urljoin(base, entry.get(f"{_XML}base") or "")
    link = _read_link(entry, base)
    body, body_base = _read_body(entry, base)
    dates = ("pubDate", "published", "issued", "date", "created", "updated", "modified")
    found = (parse_date(_text_of(entry, name)) for name in dates)
    return FeedEntry(
        title=_read_title(entry),
        link=link,
        published=next((date for date in found if date), None),
        body=body,
        base=body_base if body_base != base or not link else link,
        enclosures=tuple(_read_enclosures(entry, base)),
    )


def _read_title(entry: etree._Element) -> str:
    title = next(_children(entry, "title"), None)
    if title is None:
        return ""
    if title.get("type") == "xhtml":
        return " ".join("".join(map(str, title.itertext())).split())
    return _plain(title.text or "")


def _read_link(entry: etree._Element, base: str) -> str:
    """Return the page of an entry: Atom's ``alternate``, RSS's ``link``, or a ``guid`` that is an address."""
    for link in _children(entry, "link"):
        if (link.get("rel") or "alternate") == "alternate" and link.get("href"):
            return urljoin(base, (link.get("href") or "").strip())
        if link.text and link.text.strip() and not link.get("href"):
            return urljoin(base, link.text.strip())
    for guid in _children(entry, "guid", "id"):
        text = (guid.text or "").strip()
        if guid.get("isPermaLink", "true") == "true" and text.startswith(("http://", "https://")):
            return text
    return ""


def _read_body(entry: etree._Element, base: str) -> tuple[str, str]:
    """Return the HTML of the fullest text of an entry, and the address that it is relative to."""
    for name in ("encoded", "content", "description", "summary"):
        for element in _children(entry, name):
            own = urljoin(base, element.get(f"{_XML}base") or "")
            if text := _as_html(element):
                return text, own
    return "", base


def _as_html(element: etree._Element) -> str:
    kind = (element.get("type") or "").lower()
    if len(element) and (kind in {"", "xhtml", "application/xhtml+xml"} or not (element.text or "").strip()):
        return "".join([html.escape(element.text or ""), *(_serialise(child) for child in element)])
    text = "".join(map(str, element.itertext())).strip()
    if kind in {"text", "text/plain"}:
        return "".join(f"<p>{html.escape(part)}</p>" for part in re.split(r"\n\s*\n", text)) if text else ""
    return text


def _serialise(element: etree._Element) -> str:
    """XHTML as HTML: without prefixes, which an HTML parser would take for parts of the names."""
    for part in element.iter():
        if isinstance(part.tag, str):
            part.tag = etree.QName(part).localname
    return str(etree.tostring(element, encoding="unicode", method="html"))


def _read_enclosures(entry: etree._Element, base: str) -> Iterator[Enclosure]:
    for element in entry.iter():
        name = _local(element)
        is_media = isinstance(element.tag, str) and element.tag.startswith(f"{{{_MEDIA}")
        address = element.get("url") or element.get("href") or ""
        if not address:
            continue
        address = urljoin(base, address.strip())
        if name == "enclosure" or (name == "link" and element.get("rel") == "enclosure"):
            yield Enclosure(address=address, kind=(element.get("type") or "").lower())
        elif is_media and name in {"content", "thumbnail"}:
            medium = "image" if name == "thumbnail" else element.get("medium") or ""
            around = element.getparent() if element.getparent() is not entry else element
            alt = "" if around is None else _text_of(around, "description") or _text_of(around, "title")
            kind = (element.get("type") or f"{medium}/").lower()
            yield Enclosure(address=address, kind=kind, alt=_plain(alt))


def _children(element: etree._Element, *names: str) -> Iterator[etree._Element]:
    """Yield the children with these local names, which are not of a vocabulary for media."""
    for name in names:
        for child in element:
            if _local(child) == name.lower() and (child.prefix or "") not in _NOT_TEXT:
                yield child


def _text_of(element: etree._Element, name: str) -> str:
    found = next((child for child in element if _local(child) == name.lower()), None)
    return "" if found is None else " ".join("".join(map(str, found.itertext())).split())


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def _plain(text: str) -> str:
    """Return text that may have HTML in it, as feeds' titles often do, on one line."""
    if "<" in text or "&" in text:
        root = etree.fromstring(f"<p>{text}</p>", etree.HTMLParser())
        text = "" if root is None else "".join(map(str, root.itertext()))
    return " ".join(text.split())

"""The archive as Atom and JSON feeds, with an entry of its own for each correction."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from mailer.campaigns.corrections import anchor_correction
from mailer.rendering.archive_urls import archive_url
from mailer.rendering.themes.template_files import load_phrases
from mailer.web.archive_store import ArchivedEdition

ATOM_TYPE = "application/atom+xml; charset=utf-8"
JSON_TYPE = "application/feed+json; charset=utf-8"
_ATOM_NAMESPACE = "http://www.w3.org/2005/Atom"
_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"


class CorrectionEntry(NamedTuple):
    """A correction in the language of its edition. ``anchor`` ends its address in the web edition."""

    anchor: str
    title: str
    summary: str
    sent_at: datetime


def list_correction_entries(edition: ArchivedEdition, overrides: Path | None) -> Iterator[CorrectionEntry]:
    """Return the entries for the corrections of ``edition``, newest first."""
    phrases = load_phrases(edition.language, overrides)
    for sent in reversed(edition.corrections):
        _, text = sent.record.choose_text(edition.language)
        yield CorrectionEntry(
            anchor=f"#{anchor_correction(sent.record)}",
            title=phrases.correction.format(what=text.title),
            summary=f"{phrases.correction_was}: {text.was}\n{phrases.correction_is}: {text.right}",
            sent_at=sent.sent_at,
        )


@dataclass(frozen=True, kw_only=True)
class ArchiveFeed:
    """A feed. ``path`` is below ``base_url``, without the ending; ``overrides`` are the workspace's own
    templates, which may have other words for a correction.
    """

    title: str
    base_url: str
    path: str
    author: str
    editions: Sequence[ArchivedEdition]
    overrides: Path | None = None

    @property
    def updated(self) -> datetime | None:
        return max((edition.updated_at for edition in self.editions), default=None)


def write_atom(feed: ArchiveFeed) -> bytes:
    """Write the feed as Atom. Atom requires a date, so a feed without editions is dated 1970-01-01."""
    root = ET.Element("feed", xmlns=_ATOM_NAMESPACE)
    home = f"{feed.base_url}/e/"
    _add(root, "id", f"{feed.base_url}{feed.path}.atom")
    _add(root, "title", feed.title)
    _add(root, "updated", _format_timestamp(feed.updated))
    ET.SubElement(_add(root, "author"), "name").text = _remove_invalid_xml(feed.author)
    ET.SubElement(
        root, "link", rel="self", type="application/atom+xml", href=f"{feed.base_url}{feed.path}.atom"
    )
    ET.SubElement(root, "link", rel="alternate", type="text/html", href=home)
    for edition in feed.editions:
        for correction in list_correction_entries(edition, feed.overrides):
            root.append(_write_correction(feed, edition, correction))
        root.append(_write_entry(feed, edition))
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def write_json(feed: ArchiveFeed) -> bytes:
    items = [item for edition in feed.editions for item in _list_items(feed, edition)]
    values = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": f"{feed.base_url}/e/",
        "feed_url": f"{feed.base_url}{feed.path}.json",
        "authors": [{"name": feed.author}],
        "items": items,
    }
    return json.dumps(values, ensure_ascii=False, indent=1).encode()


def _list_items(feed: ArchiveFeed, edition: ArchivedEdition) -> Iterator[dict[str, str]]:
    """Return the items of JSON Feed for an edition: those of its corrections, then its own."""
    address = _edition_url(feed, edition, edition.language)
    for correction in list_correction_entries(edition, feed.overrides):
        yield {
            "id": address + correction.anchor,
            "url": address + correction.anchor,
            "title": correction.title,
            "content_text": correction.summary,
            "date_published": _format_timestamp(correction.sent_at),
            "language": edition.language,
        }
    yield {
        "id": address,
        "url": address,
        "title": edition.subject,
        "summary": edition.preheaders[edition.language],
        "content_text": edition.preheaders[edition.language] or edition.subject,
        "date_published": _format_timestamp(edition.sent_at),
        "date_modified": _format_timestamp(edition.updated_at),
        "language": edition.language,
    }


def _write_correction(feed: ArchiveFeed, edition: ArchivedEdition, correction: CorrectionEntry) -> ET.Element:
    own, sent_at = edition.language, correction.sent_at
    address = _edition_url(feed, edition, own) + correction.anchor
    entry = _begin_entry(own, address, correction.title, updated=sent_at, published=sent_at)
    ET.SubElement(entry, "link", rel="alternate", type="text/html", hreflang=own, href=address)
    _add(entry, "summary", correction.summary)
    return entry


def _write_entry(feed: ArchiveFeed, edition: ArchivedEdition) -> ET.Element:
    own, dates = edition.language, {"updated": edition.updated_at, "published": edition.sent_at}
    entry = _begin_entry(own, _edition_url(feed, edition, own), edition.subject, **dates)
    for language in edition.languages:
        ET.SubElement(
            entry,
            "link",
            rel="alternate",
            type="text/html",
            hreflang=language,
            title=_remove_invalid_xml(edition.subjects[language]),
            href=_edition_url(feed, edition, language),
        )
    _add(entry, "summary", edition.preheaders[own] or edition.title)
    for term in sorted(edition.sectors | edition.countries):
        ET.SubElement(entry, "category", term=term)
    return entry


def _begin_entry(
    language: str, address: str, title: str, *, updated: datetime, published: datetime
) -> ET.Element:
    entry = ET.Element("entry", {f"{{{_XML_NAMESPACE}}}lang": language})
    _add(entry, "id", address)
    _add(entry, "title", title)
    _add(entry, "updated", _format_timestamp(updated))
    _add(entry, "published", _format_timestamp(published))
    return entry


def _edition_url(feed: ArchiveFeed, edition: ArchivedEdition, language: str) -> str:
    return archive_url(feed.base_url, edition.slug, language)


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = _remove_invalid_xml(text) or None
    return element


def _remove_invalid_xml(text: str) -> str:
    return "".join(char for char in text if char.isprintable() or char in "\t\n")


def _format_timestamp(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment is not None else "1970-01-01T00:00:00Z"

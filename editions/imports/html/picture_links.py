"""The links of pictures. A story's picture has no link, so an address that no text leads to gets a line."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from lxml import etree

from editions.imports.html.tree import text_content
from editions.markdown.links import find_link_fault

_HOLDERS = ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "table")


def keep_picture_links(body: etree._Element, alts: Sequence[str]) -> None:
    """Add a paragraph with the link of each picture in ``body`` to which no text links, after the picture.

    Its words are the picture's description in ``alts``, by the picture's number, or else the address.
    """
    linked = {link.get("href") for link in body.iter("a") if text_content(link).strip()}
    for link in [link for link in body.iter("a") if link.get("href") and link.find(".//img") is not None]:
        address = (link.get("href") or "").strip()
        if text_content(link).strip() or address in linked or find_link_fault(address):
            continue
        linked.add(address)
        number = next(int(image.get("src", "0")) for image in link.iter("img"))
        line = etree.Element("p")
        words = alts[number] if number < len(alts) and alts[number].strip() else _short_address(address)
        etree.SubElement(line, "a", {"href": address}).text = words
        if urlsplit(address).path in {"", "/"} and not _has_text_before(body, link):
            # A masthead that leads to the site must not be the first line of the letter.
            body.append(line)
        else:
            _place_after(link, line)


def _place_after(link: etree._Element, line: etree._Element) -> None:
    holder = next(link.iterancestors(*_HOLDERS), link)
    if holder.tag in {"li", "td", "th"}:
        holder.append(line)
    elif holder.getparent() is not None:
        line.tail, holder.tail = holder.tail, None
        holder.addnext(line)


def _has_text_before(body: etree._Element, link: etree._Element) -> bool:
    block = next((block for block in body if block is link or link in block.iterdescendants("a")), link)
    return any(text_content(before).strip() for before in block.itersiblings(preceding=True))


def _short_address(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}".removeprefix("www.").rstrip("/") or address

"""The drawings of a document: pictures are kept, and everything else is logged."""

from collections.abc import Mapping, Sequence
from functools import partial

from lxml import etree

from editions.imports.docx.left_out import read_graphic
from editions.imports.docx.ooxml import (
    ALL_TEXT,
    NAMESPACES,
    DocxPackage,
    Relationship,
    ancestors,
    new_element,
    plain_text,
    prefixed_name,
    qualified_name,
    remove_element,
    replace_element,
)
from editions.imports.source_document import (
    CHART,
    DRAWING,
    FORM_FIELD,
    LIFTED_BOX,
    LINKED_PICTURE,
    NO_CROP,
    QUOTED_AFTER,
    OmissionLog,
    SourceImage,
    advise,
    quote,
)
from locales.phrase import Phrase, gettext_noop


class DrawingReplacer:
    """Replaces the drawings in one part of the document, and adds the pictures to ``images``."""

    def __init__(
        self,
        package: DocxPackage,
        relationships: Mapping[str, Relationship],
        omissions: OmissionLog,
        images: list[SourceImage],
    ) -> None:
        self._package = package
        self._relations = relationships
        self._omissions = omissions
        self._pictures = images

    def replace(self, drawing: etree._Element) -> tuple[list[etree._Element], list[etree._Element]]:
        """Replace ``drawing`` with what can be kept. Return that, and the paragraphs of its text boxes, which
        are now after its own paragraph."""
        if prefixed_name(drawing) in {"w:object", "w:control"}:
            self._note_object(drawing)
            remove_element(drawing)
            return [], []
        paragraphs = self._extract_text_boxes(drawing)
        kept = [image for image in map(self._keep_image, _find_images(drawing)) if image is not None]
        link = self._find_link(drawing)
        if link and kept:
            _add_link(kept[0], link)
        elif link and not any(True for _ in ancestors(drawing, "w:hyperlink")):
            kept = [_link_element(link, _read_alt(drawing) or self._relations[link].target)]
        shows_more = paragraphs or kept or _find_images(drawing)
        is_line = drawing.find(".//v:rect[@o:hr]", NAMESPACES) is not None
        if not self._note_graphics(drawing) and not shows_more and not is_line:
            self._omissions.add(quote(DRAWING, _read_alt(drawing)))
        replace_element(drawing, kept)
        return kept, paragraphs

    def _extract_text_boxes(self, drawing: etree._Element) -> list[etree._Element]:
        lifted: list[etree._Element] = []
        for box in drawing.findall(f".//{qualified_name('w:txbxContent')}"):
            if any(True for _ in ancestors(box, "w:txbxContent")) or not plain_text(box, *ALL_TEXT):
                continue
            self._omissions.add(quote(LIFTED_BOX, plain_text(box, *ALL_TEXT), QUOTED_AFTER))
            lifted += list(box)
        if paragraphs := list(ancestors(drawing, "w:p")):
            parent = paragraphs[-1].getparent()
            if parent is not None:
                place = parent.index(paragraphs[-1]) + 1
                parent[place:place] = lifted
        return lifted

    def _keep_image(self, found: etree._Element) -> etree._Element | None:
        """Return ``found`` in the form mammoth understands; None when its bytes are not in the file."""
        embedded = found.get(qualified_name("r:embed")) or found.get(qualified_name("r:id")) or ""
        relation = self._relations.get(embedded)
        alt = _read_alt(found)
        if relation is None or relation.external or not self._package.part_size(relation.target):
            self._omissions.add(quote(LINKED_PICTURE, alt))
            return None
        self._pictures.append(
            SourceImage(
                part=relation.target,
                alt=alt,
                size=self._package.part_size(relation.target),
                read=partial(self._package.read_part, relation.target),
                crop=_read_crop(found),
            )
        )
        return _image_element(f"picture{len(self._pictures) - 1}")

    def _note_object(self, found: etree._Element) -> None:
        embedded = found.find(".//o:OLEObject", NAMESPACES)
        kind = "" if embedded is None else embedded.get("ProgID", "")
        what = gettext_noop("an embedded object (%(kind)s)")
        advice = gettext_noop("copy its contents from Word")
        self._omissions.add(advise(Phrase(what, kind=kind), advice) if kind else FORM_FIELD)

    def _find_link(self, drawing: etree._Element) -> str:
        """Return the id of the link behind ``drawing``; empty if none, or if the text around it has one."""
        if any(True for _ in ancestors(drawing, "w:hyperlink")):
            return ""
        for click in drawing.iter(qualified_name("a:hlinkClick")):
            identifier = click.get(qualified_name("r:id"), "")
            if identifier in self._relations and self._relations[identifier].kind == "hyperlink":
                return identifier
        return ""

    def _note_graphics(self, drawing: etree._Element) -> bool:
        """Log the charts, SmartArt and WordArt in ``drawing``. Returns whether there are any."""
        found = False
        for chart in drawing.iterfind(".//c:chart", NAMESPACES):
            text = read_graphic(self._package, self._relations.get(chart.get(qualified_name("r:id"), "")))
            advice = gettext_noop("save it as a picture in Word and add it to images/")
            self._omissions.add(advise(quote(CHART, text), advice), words=text)
            found = True
        for diagram in drawing.iterfind(".//dgm:relIds", NAMESPACES):
            text = read_graphic(self._package, self._relations.get(diagram.get(qualified_name("r:dm"), "")))
            smart_art = gettext_noop("SmartArt with the text")
            what = quote(smart_art, text) if text.strip() else gettext_noop("SmartArt with the text (none)")
            self._omissions.add(what, words=text)
            found = True
        for path in drawing.iter(qualified_name("v:textpath")):
            if art := path.get("string", ""):
                self._omissions.add(quote(gettext_noop("WordArt with the text"), art), words=art)
                found = True
        if text := plain_text(drawing, "a:t"):
            self._omissions.add(quote(gettext_noop("a drawing with the text"), text), words=text)
            found = True
        return found


def _find_images(drawing: etree._Element) -> Sequence[etree._Element]:
    return [
        *drawing.findall(".//pic:pic/pic:blipFill/a:blip", NAMESPACES),
        *drawing.findall(".//v:imagedata", NAMESPACES),
    ]


def _read_alt(found: etree._Element) -> str:
    """Return the alt text in Word of this picture or of what is around it; empty when there is none."""
    for ancestor in (found, *found.iterancestors()):
        properties = ancestor.find("wp:docPr", NAMESPACES)
        if properties is None:
            written = ancestor.get("alt")
        else:
            written = properties.get("descr") or properties.get("title")
        if written and written.strip():
            return " ".join(written.split())
        if prefixed_name(ancestor) in {"w:drawing", "w:pict"}:
            inner = ancestor.find(".//wp:docPr", NAMESPACES)
            return "" if inner is None else " ".join((inner.get("descr") or inner.get("title") or "").split())
    return ""


def _read_crop(found: etree._Element) -> tuple[float, float, float, float]:
    parent = found.getparent()
    cut = None if parent is None else parent.find("a:srcRect", NAMESPACES)
    if cut is None:
        return NO_CROP
    left, top, right, bottom = (_to_fraction(cut.get(side, "")) for side in "ltrb")
    return (left, top, right, bottom) if left + right < 1 and top + bottom < 1 else NO_CROP


def _to_fraction(written: str) -> float:
    """Thousandths of a percent as a fraction; negative values, which add a margin, count as 0."""
    return min(max(int(written) / 100_000, 0.0), 1.0) if written.lstrip("-").isdecimal() else 0.0


def _add_link(image: etree._Element, identifier: str) -> None:
    properties = image.find(".//wp:docPr", NAMESPACES)
    if properties is not None:
        properties.append(new_element("a:hlinkClick", r_id=identifier))


def _link_element(identifier: str, words: str) -> etree._Element:
    link, run, text = new_element("w:hyperlink", r_id=identifier), new_element("w:r"), new_element("w:t")
    text.text = words
    run.append(text)
    link.append(run)
    return link


def _image_element(identifier: str) -> etree._Element:
    drawing = innermost = new_element("w:drawing")
    for name in ("wp:inline", "a:graphic", "a:graphicData", "pic:pic", "pic:blipFill"):
        child = new_element(name)
        innermost.append(child)
        innermost = child
        if name == "wp:inline":
            child.append(new_element("wp:docPr"))
    innermost.append(new_element("a:blip", r_embed=identifier))
    return drawing

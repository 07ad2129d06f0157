"""What is drawn in a document: pictures, which are kept, and everything else, which is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from editions.word.docx.ooxml import NAMES, ancestors, full, make, remove, replace, short, words
from editions.word.docx.package import Package, Relation
from editions.word.omissions import Losses, quoted

_WHOLE = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as the document has it: the ``part`` with its bytes, Word's alt text, and how much of its
    left, top, right and bottom is cut off, as a share of its width or height."""

    part: str
    alt: str
    crop: tuple[float, float, float, float] = _WHOLE


class Drawings:
    """Replaces what is drawn in one part of the document. Pictures found are added to ``pictures``."""

    def __init__(
        self, package: Package, relations: Mapping[str, Relation], losses: Losses, pictures: list[Picture]
    ) -> None:
        self._package = package
        self._relations = relations
        self._losses = losses
        self._pictures = pictures

    def replace(self, drawing: etree._Element) -> list[etree._Element]:
        """Put what can be kept of ``drawing`` into its place, and note the rest.

        Returns the paragraphs of its text boxes, which now stand behind the paragraph around it.
        """
        if short(drawing) in {"w:object", "w:control"}:
            self._note_object(drawing)
            remove(drawing)
            return []
        boxed = self._lift_boxes(drawing)
        kept = [made for made in map(self._keep, _find_pictures(drawing)) if made is not None]
        if not boxed and not kept and not _find_pictures(drawing):
            self._note_drawing(drawing)
        replace(drawing, kept)
        return boxed

    def _lift_boxes(self, drawing: etree._Element) -> list[etree._Element]:
        lifted: list[etree._Element] = []
        for box in drawing.findall(f".//{full('w:txbxContent')}"):
            if any(True for _ in ancestors(box, "w:txbxContent")) or not words(box):
                continue
            self._losses.note(f"a text box; its text is now in paragraphs of its own:{quoted(words(box))}")
            lifted += list(box)
        if around := list(ancestors(drawing, "w:p")):
            parent = around[-1].getparent()
            if parent is not None:
                place = parent.index(around[-1]) + 1
                parent[place:place] = lifted
        return lifted

    def _keep(self, found: etree._Element) -> etree._Element | None:
        """The picture ``found`` in the one form mammoth is given; None when its bytes are not in the file."""
        embedded = found.get(full("r:embed")) or found.get(full("r:id")) or ""
        relation = self._relations.get(embedded)
        alt = _read_alt(found)
        if relation is None or relation.external or not self._package.size(relation.target):
            self._losses.note(f"a picture that is not in the file but linked from elsewhere{quoted(alt)}")
            return None
        self._note_link(found)
        self._pictures.append(Picture(part=relation.target, alt=alt, crop=_read_crop(found)))
        return _draw(f"picture{len(self._pictures) - 1}")

    def _note_link(self, found: etree._Element) -> None:
        for around in ancestors(found, "w:drawing"):
            click = around.find(".//wp:docPr/a:hlinkClick", NAMES)
            relation = None if click is None else self._relations.get(click.get(full("r:id"), ""))
            if relation is not None:
                self._losses.note(f"a picture’s link to {relation.target}")

    def _note_object(self, found: etree._Element) -> None:
        embedded = found.find(".//o:OLEObject", NAMES)
        kind = "" if embedded is None else embedded.get("ProgID", "")
        self._losses.note(
            f"an embedded object ({kind}); copy its contents from Word"
            if kind
            else "a button or field of a form"
        )

    def _note_drawing(self, drawing: etree._Element) -> None:
        """Say what a drawing without picture and text box was."""
        chart = drawing.find(".//c:chart", NAMES)
        diagram = drawing.find(".//dgm:relIds", NAMES)
        if chart is not None:
            said = self._words_of(chart.get(full("r:id"), ""))
            self._losses.note(f"a chart{quoted(said)}; save it as a picture in Word and add it to images/")
        elif diagram is not None:
            said = self._words_of(diagram.get(full("r:dm"), ""))
            self._losses.note(f"SmartArt with the text{quoted(said) or ' (none)'}")
        elif art := next((path.get("string", "") for path in drawing.iter(full("v:textpath"))), ""):
            self._losses.note(f"WordArt with the text{quoted(art)}")
        elif drawing.find(".//v:rect[@o:hr]", NAMES) is None:
            self._losses.note(f"a drawing{quoted(_read_alt(drawing))}")

    def _words_of(self, identifier: str) -> str:
        relation = self._relations.get(identifier)
        root = None if relation is None or relation.external else self._package.xml(relation.target)
        return "" if root is None else words(root, "a:t")


def _find_pictures(drawing: etree._Element) -> Sequence[etree._Element]:
    """The elements of ``drawing`` that name a picture's bytes."""
    return [
        *drawing.findall(".//pic:pic/pic:blipFill/a:blip", NAMES),
        *drawing.findall(".//v:imagedata", NAMES),
    ]


def _read_alt(found: etree._Element) -> str:
    """The alt text a person wrote in Word for this picture or what is around it; empty when nobody did."""
    for around in (found, *found.iterancestors()):
        said = around.find("wp:docPr", NAMES)
        written = around.get("alt") if said is None else said.get("descr") or said.get("title")
        if written and written.strip():
            return " ".join(written.split())
        if short(around) in {"w:drawing", "w:pict"}:
            inner = around.find(".//wp:docPr", NAMES)
            return "" if inner is None else " ".join((inner.get("descr") or inner.get("title") or "").split())
    return ""


def _read_crop(found: etree._Element) -> tuple[float, float, float, float]:
    parent = found.getparent()
    cut = None if parent is None else parent.find("a:srcRect", NAMES)
    if cut is None:
        return _WHOLE
    left, top, right, bottom = (_share(cut.get(side, "")) for side in "ltrb")
    return (left, top, right, bottom) if left + right < 1 and top + bottom < 1 else _WHOLE


def _share(written: str) -> float:
    """Thousandths of a percent as a share; negative ones, which add a margin, are none."""
    return min(max(int(written) / 100_000, 0.0), 1.0) if written.lstrip("-").isdecimal() else 0.0


def _draw(identifier: str) -> etree._Element:
    drawing = innermost = make("w:drawing")
    for name in ("wp:inline", "a:graphic", "a:graphicData", "pic:pic", "pic:blipFill"):
        child = make(name)
        innermost.append(child)
        innermost = child
    innermost.append(make("a:blip", r_embed=identifier))
    return drawing

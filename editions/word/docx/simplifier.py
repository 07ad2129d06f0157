"""The document without what a mail cannot carry.

What mammoth would drop without a word is taken out here, and noted with its place; what it does not know
and could be kept (fields, content controls, text boxes, readings above Chinese and Japanese) is put into a
form it knows. It is given a document of our own making: paragraphs whose style is a plain name, runs with
four properties, pictures as numbers. So nothing it does can reach a file, a network, or a picture's bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from editions.word.docx.drawings import Drawings, Picture
from editions.word.docx.lists import Lists, hand_on_lists
from editions.word.docx.ooxml import (
    ancestors,
    full,
    is_on,
    make,
    remove,
    replace,
    short,
    unwrap,
    value,
    words,
)
from editions.word.docx.package import Package
from editions.word.docx.styles import ParagraphStyle, Role, Styles
from editions.word.docx.writer import pack_document
from editions.word.omissions import EVERYWHERE, NOTES, Losses, Tally, quoted

# mammoth needs some kilobytes of memory for each; a book of 300 pages has half as many.
_LONGEST = 60_000
_NOTE_PARTS = ("footnotes", "endnotes")
_UNWRAPPED = ("w:fldSimple", "w:bdo", "w:dir", "w:smartTag", "w:customXml")
_REMOVED = (
    "w:bookmarkStart",
    "w:bookmarkEnd",
    "w:commentRangeStart",
    "w:commentRangeEnd",
    "w:proofErr",
    "w:permStart",
    "w:permEnd",
    "w:sectPr",
    "w:lastRenderedPageBreak",
)
_DRAWN = ("w:drawing", "w:pict", "w:object", "w:control")
_KEPT_OF_A_RUN = {full(name) for name in ("w:vertAlign", "w:strike")}


@dataclass(frozen=True, kw_only=True)
class Simplified:
    """A document ready for mammoth. Its pictures hold their number in ``pictures`` instead of an image."""

    data: bytes
    pictures: tuple[Picture, ...]


def simplify(package: Package, styles: Styles, losses: Losses) -> Simplified:
    """Take out of the document what a mail cannot carry, and tell ``losses``.

    Raises:
        WordError: a part of the document is broken or too large.
    """
    pictures: list[Picture] = []
    parts: dict[str, bytes] = {}
    simplifier = _Simplifier(package, package.document, styles, losses, pictures)
    parts["document"] = simplifier.part()
    _note_surroundings(package, losses)
    losses.stand(NOTES)
    for kind in _NOTE_PARTS:
        if (part := package.related(kind)) and package.size(part):
            parts[kind] = _Simplifier(package, part, styles, losses, pictures).part()
    parts |= hand_on_lists(package)
    links = {
        kind: package.relations(package.document if kind == "document" else package.related(kind))
        for kind in ("document", *_NOTE_PARTS)
        if kind in parts
    }
    return Simplified(data=pack_document(parts, links, len(pictures)), pictures=tuple(pictures))


def _note_surroundings(package: Package, losses: Losses) -> None:
    losses.stand(EVERYWHERE)
    for relation in package.relations(package.document).values():
        if relation.kind in {"header", "footer"} and not relation.external:
            root = package.xml(relation.target)
            said = "" if root is None else words(root)
            # A page number alone is nothing anybody would miss.
            if any(sign.isalpha() for sign in said):
                losses.note(f"a page {relation.kind}{quoted(said)}")
    if any(part.endswith("vbaProject.bin") for part in package.parts):
        losses.note("macros, which were not read or run")


class _Simplifier:
    """Walks one part of the document in reading order, and changes it on the way."""

    def __init__(
        self, package: Package, part: str, styles: Styles, losses: Losses, pictures: list[Picture]
    ) -> None:
        root = package.xml(part)
        if root is None:
            package.refuse("broken-document", f"{part} is missing. Open it in Word and save it again.")
        if sum(1 for _ in root.iter(full("w:p"), full("w:r"))) > _LONGEST:
            package.refuse(
                "document-too-large",
                f"its part {part} has more than {_LONGEST:,} paragraphs and runs of text, too many for a "
                "newsletter. Import a shorter document.",
            )
        self._root = root
        self._styles = styles
        self._losses = losses
        self._relations = package.relations(part)
        self._drawings = Drawings(package, self._relations, losses, pictures)
        self._comments = _read_comments(package)
        self._lists = Lists()
        self._handlers: dict[str, Callable[[etree._Element], None]] = {
            "w:p": self._paragraph,
            "w:r": self._run,
            "w:tr": self._row,
            "w:sdt": self._control,
            "w:ruby": self._ruby,
            "w:hyperlink": self._hyperlink,
            "w:sym": self._symbol,
            "w:altChunk": self._chunk,
            "w:subDoc": self._chunk,
            "w:commentReference": self._comment,
            "mc:AlternateContent": self._alternatives,
            "m:oMath": self._equation,
            "m:oMathPara": self._equation,
            "w:cr": lambda element: replace(element, [make("w:br")]),
            "w:ptab": lambda element: replace(element, [make("w:tab")]),
            **dict.fromkeys(("w:ins", "w:moveTo"), self._insertion),
            **dict.fromkeys(("w:del", "w:moveFrom"), self._deletion),
            **dict.fromkeys(_UNWRAPPED, self._unwrap),
            **dict.fromkeys(_REMOVED, remove),
            **dict.fromkeys(_DRAWN, self._drawing),
        }

    def part(self) -> bytes:
        """The part as bytes, simplified."""
        self._walk(self._root)
        return etree.tostring(self._root)

    def _walk(self, element: etree._Element) -> None:
        for child in list(element):
            handler = self._handlers.get(short(child), self._walk)
            handler(child)

    def _walk_all(self, elements: list[etree._Element]) -> None:
        for element in elements:
            self._handlers.get(short(element), self._walk)(element)

    # --- what carries words -----------------------------------------------------------------------------

    def _paragraph(self, paragraph: etree._Element) -> None:
        properties = paragraph.find(full("w:pPr"))
        style = self._styles.paragraph(properties)
        said = words(paragraph)
        if style.role is Role.contents:
            if said:
                self._losses.count(Tally.contents, said)
            remove(paragraph)
            return
        if style.role is Role.heading and style.level == 1 and said:
            self._losses.enter(said)
        replacement = _paragraph_properties(style, properties)
        if properties is not None:
            remove(properties)
        self._walk(paragraph)
        paragraph.insert(0, replacement)
        self._lists.count(paragraph)

    def _run(self, run: etree._Element) -> None:
        properties = run.find(full("w:rPr"))
        style = self._styles.run(properties)
        if is_on(properties, "w:vanish") or style.hidden:
            if said := words(run):
                self._losses.count(Tally.hidden, said)
            remove(run)
            return
        if properties is not None:
            replacement = make("w:rPr")
            for name, from_style in (("w:b", style.bold), ("w:i", style.italic)):
                own = properties.find(full(name))
                if is_on(properties, name) or (own is None and from_style):
                    replacement.append(make(name))
            replacement.extend(child for child in list(properties) if child.tag in _KEPT_OF_A_RUN)
            replace(properties, [replacement])
        self._walk(run)

    def _row(self, row: etree._Element) -> None:
        if row.find(f"{full('w:trPr')}/{full('w:del')}") is not None:
            self._losses.count(Tally.deletion, words(row))
            remove(row)
        else:
            self._walk(row)

    def _control(self, control: etree._Element) -> None:
        """A content control is its content; one nobody has filled in holds advice instead of words."""
        content = control.find(full("w:sdtContent"))
        properties = control.find(full("w:sdtPr"))
        if content is None or is_on(properties, "w:showingPlcHdr"):
            remove(control)
            return
        children = list(content)
        replace(control, children)
        self._walk_all(children)

    def _unwrap(self, element: etree._Element) -> None:
        self._walk_all(unwrap(element))

    def _alternatives(self, element: etree._Element) -> None:
        """Of several forms of one thing the last is for programs that know little, as mammoth does."""
        forms = [form for form in element if short(form) in {"mc:Choice", "mc:Fallback"}]
        children = list(forms[-1]) if forms else []
        replace(element, children)
        self._walk_all(children)

    def _ruby(self, ruby: etree._Element) -> None:
        """A reading above its characters is put behind them in brackets, as browsers do that know no ruby."""
        reading = "".join(text.text or "" for text in ruby.findall(f"{full('w:rt')}//{full('w:t')}"))
        base = "".join(text.text or "" for text in ruby.findall(f"{full('w:rubyBase')}//{full('w:t')}"))
        text = make("w:t")
        text.text = f"{base}（{reading}）" if reading else base
        replace(ruby, [text])

    def _hyperlink(self, link: etree._Element) -> None:
        relation = self._relations.get(link.get(full("r:id"), ""))
        if (relation is None or relation.kind != "hyperlink") and full("r:id") in link.attrib:
            del link.attrib[full("r:id")]
        self._walk(link)

    def _symbol(self, symbol: etree._Element) -> None:
        try:
            int(value(symbol, name="w:char"), 16)
        except ValueError:
            remove(symbol)

    # --- what was changed, said or hidden ---------------------------------------------------------------

    def _insertion(self, insertion: etree._Element) -> None:
        if said := words(insertion):
            self._losses.count(Tally.insertion, said)
        self._unwrap(insertion)

    def _deletion(self, deletion: etree._Element) -> None:
        if short(deletion) == "w:del":
            self._losses.count(Tally.deletion, words(deletion, "w:delText"))
        remove(deletion)

    def _comment(self, reference: etree._Element) -> None:
        if said := self._comments.get(value(reference, name="w:id")):
            self._losses.note(said)
        remove(reference)

    # --- what is no text --------------------------------------------------------------------------------

    def _equation(self, equation: etree._Element) -> None:
        """An equation of one line is its signs; one with fractions or roots would be wrong as a line."""
        said = words(equation, "m:t")
        if all(short(part) in {"m:oMath", "m:oMathPara", "m:r", "m:t"} for part in _structure(equation)):
            run, text = make("w:r"), make("w:t")
            text.text = said
            run.append(text)
            inside = any(True for _ in ancestors(equation, "w:p"))
            replace(equation, [run] if inside else [])
        else:
            self._losses.note(f"an equation{quoted(said)}; add it as a picture")
            remove(equation)

    def _chunk(self, chunk: etree._Element) -> None:
        self._losses.note("another document embedded in this one; copy its text from Word")
        remove(chunk)

    def _drawing(self, drawing: etree._Element) -> None:
        boxed = self._drawings.replace(drawing)
        self._walk_all(boxed)


def _paragraph_properties(style: ParagraphStyle, properties: etree._Element | None) -> etree._Element:
    """What mammoth needs to know: the style by its plain name, the list, and whether its end was deleted."""
    made = make("w:pPr")
    own = None if properties is None else properties.find(full("w:numPr"))
    numbering = style.numbering if own is None else own
    # Word's own list styles say the level in their name; of other lists the numbering says it.
    listed = style.role in {Role.bullet, Role.number}
    if style.role is not Role.body and not (listed and own is not None):
        made.append(make("w:pStyle", w_val=f"{style.role}{style.level or ''}"))
    if numbering is not None and (style.role is Role.body or (listed and own is not None)):
        copied = make("w:numPr")
        level = value(numbering, "w:ilvl")
        copied.append(make("w:ilvl", w_val=level if level.isdecimal() else "0"))
        copied.append(make("w:numId", w_val=value(numbering, "w:numId")))
        made.append(copied)
    if properties is not None and properties.find(f"{full('w:rPr')}/{full('w:del')}") is not None:
        ended = make("w:rPr")
        ended.append(make("w:del"))
        made.append(ended)
    return made


def _structure(equation: etree._Element) -> list[etree._Element]:
    """The parts of an equation that are not about its looks."""
    return [
        part
        for part in equation.iter()
        if short(part).startswith("m:")
        and not short(part).endswith("Pr")
        and not any(short(around).endswith("Pr") for around in part.iterancestors())
    ]


def _read_comments(package: Package) -> dict[str, str]:
    """What to say about each comment, by its id."""
    root = package.xml(package.related("comments"))
    found = {}
    for comment in [] if root is None else root.findall(full("w:comment")):
        author = value(comment, name="w:author")
        by = f" by {author}" if author else ""
        found[value(comment, name="w:id")] = f"a comment{by}{quoted(words(comment))}"
    return found

"""Reducing Word's XML to what an email can carry, before mammoth reads it."""

from collections.abc import Callable

from lxml import etree

from editions.imports.docx.drawings import DrawingReplacer
from editions.imports.docx.left_out import LeftOutReader, read_notes, read_target
from editions.imports.docx.ooxml import (
    ALL_TEXT,
    INSTRUCTIONS,
    DocxPackage,
    FieldReader,
    Relationship,
    ancestors,
    get_attribute,
    is_enabled,
    is_linear,
    new_element,
    plain_text,
    prefixed_name,
    qualified_name,
    read_link_address,
    read_ruby,
    remove_element,
    replace_element,
    unwrap_element,
    write_docx,
)
from editions.imports.docx.styles import (
    ListCounter,
    ParagraphStyle,
    Typography,
    WordParagraphRole,
    WordStyles,
    add_facts,
    extract_list_parts,
    read_list_starts,
)
from editions.imports.source_document import (
    AS_PICTURE,
    EQUATION,
    IN_NOTES,
    MACROS,
    PAGE_FOOTER,
    PAGE_HEADER,
    UNSEEN_LINK,
    WHOLE_DOCUMENT,
    OmissionKind,
    OmissionLog,
    SourceImage,
    advise,
    name_comment,
    quote,
)
from locales.phrase import Phrase, gettext_noop

# mammoth needs some kilobytes of memory for each; a 300-page book has half as many.
_MAX_ELEMENTS = 60_000
_NOTE_PARTS = ("footnotes", "endnotes")
_UNWRAPPED_ELEMENTS = ("w:bdo", "w:dir", "w:smartTag", "w:customXml")
_REMOVED_ELEMENTS = (
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
_DRAWING_ELEMENTS = ("w:drawing", "w:pict", "w:object", "w:control")
# What a line of a table of contents has only if it is more than that.
_MORE_THAN_TEXT = (
    *map(qualified_name, ("w:footnoteReference", "w:endnoteReference", "w:commentReference")),
    *map(qualified_name, ("w:drawing", "w:pict", "w:object", "w:del", "m:oMath")),
)
# What is shown, and is kept as it is.
_SHOWN_ELEMENTS = ("w:t", "w:noBreakHyphen", "w:footnoteReference", "w:endnoteReference")
_FIELD_MARKS = tuple(map(qualified_name, ("w:fldChar", *INSTRUCTIONS)))
_GALLERY = "w:docPartObj/w:docPartGallery"
_ALIGNMENTS = {"right": "right", "end": "right", "center": "center"}
_KEPT_RUN_PROPERTIES = {qualified_name(name) for name in ("w:vertAlign", "w:strike")}


def read_comments(package: DocxPackage) -> dict[str, tuple[str, str]]:
    """Return how each comment is listed, and its words, by the comment's id."""
    return {
        get_attribute(comment, name="w:id"): (
            quote(name_comment(get_attribute(comment, name="w:author")), plain_text(comment)),
            words,
        )
        for comment, words in read_notes(package, "comment")
    }


def log_headers_and_macros(package: DocxPackage, omissions: OmissionLog) -> None:
    omissions.set_place(WHOLE_DOCUMENT)
    for relation in package.relationships(package.document).values():
        if relation.kind in {"header", "footer"} and not relation.external:
            root = package.parse_part(relation.target)
            if root is None:
                continue
            words = LeftOutReader(package, package.relationships(relation.target)).read(root)
            # A page number alone is not worth mentioning.
            if any(character.isalpha() for character in words):
                what = PAGE_HEADER if relation.kind == "header" else PAGE_FOOTER
                omissions.add(quote(what, plain_text(root)), words=words)
    if any(part.endswith("vbaProject.bin") for part in package.parts):
        omissions.add(MACROS)


def simplify_document(
    package: DocxPackage, styles: WordStyles, omissions: OmissionLog
) -> tuple[bytes, list[SourceImage]]:
    """Remove what an email cannot carry from the document, and log it in ``omissions``. Return a document
    ready for mammoth, in which each picture is replaced with its number in a list, and that list. Raise
    DocumentError if a part of the document is damaged or too large."""
    pictures: list[SourceImage] = []
    parts: dict[str, bytes] = {}
    simplifier = _Simplifier(package, package.document, styles, omissions, pictures)
    parts["document"] = simplifier.simplify_part()
    links = {"document": simplifier.links}
    log_headers_and_macros(package, omissions)
    omissions.set_place(IN_NOTES)
    for kind in _NOTE_PARTS:
        if (part := package.part_of_kind(kind)) and package.part_size(part):
            notes = _Simplifier(package, part, styles, omissions, pictures)
            parts[kind], links[kind] = notes.simplify_part(), notes.links
    parts |= extract_list_parts(package)
    return write_docx(parts, links, len(pictures)), pictures


class _Simplifier:
    """Walks through one part of the document in reading order, and simplifies it."""

    def __init__(
        self,
        package: DocxPackage,
        part: str,
        styles: WordStyles,
        omissions: OmissionLog,
        images: list[SourceImage],
    ) -> None:
        root = _parse_document(package, part)
        self._root = root
        self._styles = styles
        self._omissions = omissions
        self.links = dict(package.relationships(part))
        self._drawings = DrawingReplacer(package, self.links, omissions, images)
        self._comments = read_comments(package)
        self._lists = ListCounter(read_list_starts(package))
        self._fields = FieldReader()
        self._shown = 0
        """How many pieces of text and pictures have been kept so far."""
        self._left_out = LeftOutReader(package, self.links)
        self._typography = Typography(root, styles)
        self._handlers: dict[str, Callable[[etree._Element], None]] = {
            **dict.fromkeys(_SHOWN_ELEMENTS, self._note_shown),
            "w:p": self._paragraph,
            "w:r": self._run,
            "w:tr": self._row,
            "w:sdt": self._control,
            "w:ruby": self._ruby,
            "w:hyperlink": self._hyperlink,
            "w:sym": self._symbol,
            "w:fldSimple": self._simple_field,
            "w:fldChar": self._field_mark,
            **dict.fromkeys(INSTRUCTIONS, self._fields.read_instruction),
            "w:altChunk": self._chunk,
            "w:subDoc": self._chunk,
            "w:commentReference": self._comment,
            "mc:AlternateContent": self._alternatives,
            "m:oMath": self._equation,
            "m:oMathPara": self._equation,
            # Every break is one of a line: mammoth would join the words around the break of a page.
            **dict.fromkeys(
                ("w:cr", "w:br"), lambda element: replace_element(element, [new_element("w:br")])
            ),
            "w:ptab": lambda element: replace_element(element, [new_element("w:tab")]),
            **dict.fromkeys(("w:ins", "w:moveTo"), self._insertion),
            **dict.fromkeys(("w:del", "w:moveFrom"), self._deletion),
            **dict.fromkeys(_UNWRAPPED_ELEMENTS, self._unwrap),
            **dict.fromkeys(_REMOVED_ELEMENTS, remove_element),
            **dict.fromkeys(_DRAWING_ELEMENTS, self._drawing),
        }

    def simplify_part(self) -> bytes:
        self._walk(self._root)
        return etree.tostring(self._root)

    def _walk(self, element: etree._Element) -> None:
        self._walk_all(list(element))

    def _walk_all(self, elements: list[etree._Element]) -> None:
        for element in elements:
            self._handlers.get(prefixed_name(element), self._walk)(element)

    # --- text -------------------------------------------------------------------------------------------

    def _paragraph(self, paragraph: etree._Element) -> None:
        properties = paragraph.find(qualified_name("w:pPr"))
        style = self._styles.paragraph_style(properties)
        text = plain_text(paragraph)
        if style.role is WordParagraphRole.contents and any(True for _ in paragraph.iter(*_MORE_THAN_TEXT)):
            style = ParagraphStyle()
        if style.role is WordParagraphRole.contents:
            self._count(OmissionKind.contents, paragraph)
            remove_element(paragraph)
            return
        facts = self._typography.facts(paragraph, style.role)
        if text and (facts or style.role in {WordParagraphRole.heading, WordParagraphRole.document_title}):
            self._omissions.enter_possible_story(text)
        is_in_cell = next(ancestors(paragraph, "w:tc"), None) is not None
        if is_in_cell and (alignment := _ALIGNMENTS.get(self._styles.alignment(properties))):
            facts.append(f"align-{alignment}")
        replacement = _paragraph_properties(style, properties)
        if properties is not None:
            remove_element(properties)
        self._walk(paragraph)
        paragraph.insert(0, replacement)
        add_facts(paragraph, facts)
        self._lists.count(paragraph)

    def _count(self, kind: OmissionKind, element: etree._Element, *, quoted: str = "w:t") -> None:
        """Count ``element``, which is left out, if it has words."""
        if words := self._left_out.read(element):
            self._omissions.count(kind, plain_text(element, quoted), words=words)

    def _run(self, run: etree._Element) -> None:
        properties = run.find(qualified_name("w:rPr"))
        style = self._styles.run_style(properties)
        if is_enabled(properties, "w:vanish") or style.hidden:
            # A field may begin where it is hidden, and end where it is not.
            marks = list(run.iterchildren(*_FIELD_MARKS))
            for mark in marks:
                run.remove(mark)
            self._count(OmissionKind.hidden, run)
            run[:] = marks
            self._walk(run)
            return
        if properties is not None:
            replacement = new_element("w:rPr")
            for name, from_style in (("w:b", style.bold), ("w:i", style.italic)):
                own = properties.find(qualified_name(name))
                if is_enabled(properties, name) or (own is None and from_style):
                    replacement.append(new_element(name))
            replacement.extend(child for child in list(properties) if child.tag in _KEPT_RUN_PROPERTIES)
            replace_element(properties, [replacement])
        self._walk(run)

    def _row(self, row: etree._Element) -> None:
        if row.find(f"{qualified_name('w:trPr')}/{qualified_name('w:del')}") is not None:
            self._count(OmissionKind.deletion, row)
            remove_element(row)
        else:
            self._walk(row)

    def _control(self, control: etree._Element) -> None:
        """Replace a content control with its content; one that is not filled in only has a placeholder."""
        content = control.find(qualified_name("w:sdtContent"))
        properties = control.find(qualified_name("w:sdtPr"))
        kind: OmissionKind | None = None
        if is_enabled(properties, "w:showingPlcHdr"):
            kind = OmissionKind.placeholder
        elif get_attribute(properties, _GALLERY) == "Table of Contents":
            kind = OmissionKind.contents
        if content is None or kind:
            if kind and content is not None:
                self._count(kind, content)
            remove_element(control)
            return
        children = list(content)
        replace_element(control, children)
        self._walk_all(children)

    def _unwrap(self, element: etree._Element) -> None:
        self._walk_all(unwrap_element(element))

    def _alternatives(self, element: etree._Element) -> None:
        """Keep the last of several alternatives, which is for simple programs; an earlier one if only that
        has all the text, or anything at all."""
        forms = [form for form in element if prefixed_name(form) in {"mc:Choice", "mc:Fallback"}]
        children: list[etree._Element] = []
        fullest = (-1, False)
        for form in reversed(forms):
            content = (len(plain_text(form, *ALL_TEXT)), len(form) > 0)
            if content > fullest:
                fullest, children = content, list(form)
        replace_element(element, children)
        self._walk_all(children)

    def _ruby(self, ruby: etree._Element) -> None:
        """Put ruby text into brackets after its base text, as browsers without ruby support do."""
        text = new_element("w:t")
        text.text = read_ruby(ruby)
        replace_element(ruby, [text])
        self._note_shown(text)

    def _hyperlink(self, link: etree._Element) -> None:
        relation = self.links.get(link.get(qualified_name("r:id"), ""))
        if (relation is None or relation.kind != "hyperlink") and qualified_name("r:id") in link.attrib:
            del link.attrib[qualified_name("r:id")]
        elif relation is not None:
            address = read_target(self.links, link)
            link.attrib.pop(qualified_name("w:anchor"), "")
            link.set(qualified_name("r:id"), self._add_link(address))
            self._walk_link(link, address)
            return
        self._walk(link)

    def _simple_field(self, simple: etree._Element) -> None:
        address = read_link_address(get_attribute(simple, name="w:instr"))
        if not address or address.startswith("#"):
            self._unwrap(simple)
            return
        link = new_element("w:hyperlink", r_id=self._add_link(address))
        children = list(simple)
        replace_element(simple, [link])
        link.extend(children)
        self._walk_link(link, address)

    def _walk_link(self, link: etree._Element, address: str) -> None:
        before = self._shown
        self._walk(link)
        if self._shown == before:
            self._note_unseen_link(address)

    def _field_mark(self, mark: etree._Element) -> None:
        self._note_unseen_link(self._fields.read_mark(mark, self._shown))

    def _note_unseen_link(self, address: str) -> None:
        """Log a link in which nothing is kept: mammoth would drop it."""
        if address and not address.startswith("#"):
            self._omissions.add(Phrase(UNSEEN_LINK, address=address), words=address)

    def _note_shown(self, element: etree._Element) -> None:
        self._shown += 1 if element.text or element.attrib else 0

    def _add_link(self, address: str) -> str:
        identifier = f"link{len(self.links)}"
        self.links[identifier] = Relationship(kind="hyperlink", target=address, external=True)
        return identifier

    def _symbol(self, symbol: etree._Element) -> None:
        try:
            int(get_attribute(symbol, name="w:char"), 16)
            self._shown += 1
        except ValueError:
            remove_element(symbol)

    # --- tracked changes and comments -------------------------------------------------------------------

    def _insertion(self, insertion: etree._Element) -> None:
        if text := plain_text(insertion):
            self._omissions.count(OmissionKind.insertion, text)
        self._unwrap(insertion)

    def _deletion(self, deletion: etree._Element) -> None:
        if prefixed_name(deletion) == "w:del":
            # Of a link that is deleted, each part is a deletion.
            for mark in list(deletion.iter(*_FIELD_MARKS)):
                self._handlers[prefixed_name(mark)](mark)
                remove_element(mark)
            self._count(OmissionKind.deletion, deletion, quoted="w:delText")
        remove_element(deletion)

    def _comment(self, reference: etree._Element) -> None:
        if comment := self._comments.get(get_attribute(reference, name="w:id")):
            what, words = comment
            self._omissions.add(what, words=words)
        remove_element(reference)

    # --- equations, drawings, embedded documents --------------------------------------------------------

    def _equation(self, equation: etree._Element) -> None:
        """Keep an equation on one line as text; one with fractions or roots would be wrong as text."""
        signs = plain_text(equation, "m:t")
        if is_linear(equation):
            run, text = new_element("w:r"), new_element("w:t")
            text.text = signs
            self._note_shown(text)
            run.append(text)
            if next(ancestors(equation, "w:p"), None) is None:
                paragraph = new_element("w:p")
                paragraph.append(run)
                run = paragraph
            replace_element(equation, [run])
        else:
            self._omissions.add(advise(quote(EQUATION, signs), AS_PICTURE), words=signs)
            remove_element(equation)

    def _chunk(self, chunk: etree._Element) -> None:
        embedded = gettext_noop("another document embedded in this one; copy its text from Word")
        self._omissions.add(embedded)
        remove_element(chunk)

    def _drawing(self, drawing: etree._Element) -> None:
        kept, paragraphs = self._drawings.replace(drawing)
        self._shown += len(kept)
        shown = self._shown
        self._walk_all(paragraphs)
        # They are not where the drawing is any more.
        self._shown = shown


def _parse_document(package: DocxPackage, part: str) -> etree._Element:
    root = package.parse_part(part)
    if root is None:
        package.reject(
            "broken-document",
            gettext_noop("%(part)s is missing. Open it in Word and save it again."),
            part=part,
        )
    if sum(1 for _ in root.iter(qualified_name("w:p"), qualified_name("w:r"))) > _MAX_ELEMENTS:
        package.reject(
            "document-too-large",
            gettext_noop(
                "its part %(part)s has more than %(most)s paragraphs and runs of text, too "
                "many for a newsletter. Import a shorter document."
            ),
            part=part,
            most=f"{_MAX_ELEMENTS:,}",
        )
    return root


def _paragraph_properties(style: ParagraphStyle, properties: etree._Element | None) -> etree._Element:
    """Return the properties mammoth needs: the style's plain name, the list, whether the end was deleted."""
    made = new_element("w:pPr")
    own = None if properties is None else properties.find(qualified_name("w:numPr"))
    numbering = style.numbering if own is None else own
    # Word's own list styles have the level in their name; other lists have it in the numbering.
    listed = style.role in {WordParagraphRole.bullet, WordParagraphRole.number}
    if style.role is not WordParagraphRole.body and not (listed and own is not None):
        made.append(new_element("w:pStyle", w_val=f"{style.role}{style.level or ''}"))
    if numbering is not None and (style.role is WordParagraphRole.body or (listed and own is not None)):
        copied = new_element("w:numPr")
        level = get_attribute(numbering, "w:ilvl")
        copied.append(new_element("w:ilvl", w_val=level if level.isdecimal() else "0"))
        copied.append(new_element("w:numId", w_val=get_attribute(numbering, "w:numId")))
        made.append(copied)
    if (
        properties is not None
        and properties.find(f"{qualified_name('w:rPr')}/{qualified_name('w:del')}") is not None
    ):
        ended = new_element("w:rPr")
        ended.append(new_element("w:del"))
        made.append(ended)
    return made

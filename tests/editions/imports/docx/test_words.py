"""Every word and every link of a document is in the edition, or is named as left out, whatever holds it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import pytest
from docx.oxml import parse_xml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from editions.imports.importer import import_document
from tests.factories.word_documents import DECLARED, W, body, draw, relations, write_package

_STYLES = f"""<w:styles {DECLARED}>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="H6"><w:name w:val="heading 6"/></w:style>
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Sub"><w:name w:val="Subtitle"/></w:style>
<w:style w:type="paragraph" w:styleId="Cap"><w:name w:val="caption"/></w:style>
<w:style w:type="paragraph" w:styleId="Q"><w:name w:val="Quotations"/></w:style>
<w:style w:type="paragraph" w:styleId="T"><w:name w:val="toc 1"/></w:style>
<w:style w:type="paragraph" w:styleId="L"><w:name w:val="List Bullet 2"/></w:style>
<w:style w:type="character" w:styleId="Hid"><w:name w:val="Hid"/><w:rPr><w:vanish/></w:rPr></w:style>
</w:styles>"""  # fmt: skip
_NUMBERING = f"""<w:numbering {DECLARED}><w:abstractNum w:abstractNumId="0">
<w:lvl w:ilvl="0"><w:start w:val="4"/><w:numFmt w:val="decimal"/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>"""


@dataclass
class Writer:
    """Writes parts of a document. Each word is there once, so that none can stand in for another."""

    words: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    related: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    parts: dict[str, str | bytes] = field(default_factory=dict)
    is_other_part: bool = False

    def __post_init__(self) -> None:
        self.comment_writer = self if self.is_other_part else self.other_part()

    def other_part(self) -> "Writer":
        """A writer of the same document's comments, or of a header, which have relationships of their own."""
        return Writer(words=self.words, links=self.links, parts=self.parts, is_other_part=True)

    def word(self) -> str:
        self.words.append(f"w{len(self.words)}x")
        return self.words[-1]

    def text(self) -> str:
        return f"{self.word()} {self.word()}"

    def run(self, look: str = "") -> str:
        return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{self.text()} </w:t></w:r>'

    def paragraph(self, inner: str = "", style: str = "", more: str = "") -> str:
        style = f'<w:pStyle w:val="{style}"/>' if style else ""
        return f"<w:p><w:pPr>{style}{more}</w:pPr>{inner or self.run()}</w:p>"

    def relate(self, kind: str, target: str, *, external: bool = False) -> str:
        key = f"rel{len(self.related)}"
        self.related[key] = (kind, target, external)
        return key

    def link(self) -> str:
        self.links.append(f"https://example.org/page{len(self.links)}?a=1&b=2#part{len(self.links)}")
        return self.links[-1]

    def part(self, kind: str, xml: str) -> str:
        name = f"{kind}{len(self.parts)}.xml"
        self.parts[f"word/{name}"] = xml
        return self.relate(kind, name)


def _escaped(address: str) -> str:
    return address.replace("&", "&amp;")


def _hyperlink(w: Writer) -> str:
    address, _, part = w.link().partition("#")
    key = w.relate("hyperlink", _escaped(address), external=True)
    return f'<w:hyperlink r:id="{key}" w:anchor="{part}">{w.run()}</w:hyperlink>'


def _link_field(w: Writer) -> str:
    address, _, part = w.link().partition("#")
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPER</w:instrText></w:r>'
        f'<w:r><w:instrText>LINK "{_escaped(address)}" \\l "{part}" \\o "tip"</w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{w.run()}'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def _simple_link_field(w: Writer) -> str:
    instruction = f"HYPERLINK &quot;{_escaped(w.link())}&quot;"
    return f'<w:fldSimple w:instr="{instruction}">{w.run()}</w:fldSimple>'


def _note(w: Writer) -> str:
    number = len(w.notes) + 1
    w.notes.append("")  # Its number is taken before what is in it.
    w.notes[number - 1] = f'<w:footnote w:id="{number}">{w.paragraph()}{w.paragraph()}</w:footnote>'
    return f'{w.run()}<w:r><w:footnoteReference w:id="{number}"/></w:r>'


def _comment(w: Writer, inner: Callable[[Writer], str] = Writer.run) -> str:
    number = len(w.comments)
    said = w.comment_writer.paragraph(inner(w.comment_writer))
    w.comments.append(f'<w:comment w:id="{number}" w:author="Ann">{said}</w:comment>')
    return f'{w.run()}<w:r><w:commentReference w:id="{number}"/></w:r>'


def _graphic(inner: str) -> str:
    graphic = f"<a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic>"
    return f"<w:r><w:drawing><wp:inline>{graphic}</wp:inline></w:drawing></w:r>"


def _chart(w: Writer) -> str:
    said = f"<a:t>{w.text()}</a:t><c:v>{w.word()}</c:v>"
    return _graphic(f'<c:chart r:id="{w.part("chart", f"<c:chartSpace {DECLARED}>{said}</c:chartSpace>")}"/>')


def _smartart(w: Writer) -> str:
    said = f"<dgm:dataModel {DECLARED}><a:p><a:r><a:t>{w.text()}</a:t></a:r></a:p></dgm:dataModel>"
    return _graphic(f'<dgm:relIds r:dm="{w.part("diagramData", said)}"/>')


def _box(w: Writer) -> str:
    inner = f"<w:txbxContent>{w.paragraph()}{w.paragraph(_hyperlink(w))}</w:txbxContent>"
    new = f"<w:drawing><wp:anchor><wps:wsp><wps:txbx>{inner}</wps:txbx></wps:wsp></wp:anchor></w:drawing>"
    old = f"<w:pict><v:shape><v:textbox>{inner}</v:textbox></v:shape></w:pict>"
    return (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="wps">{new}</mc:Choice>'
        f"<mc:Fallback>{old}</mc:Fallback></mc:AlternateContent></w:r>"
    )


def _box_without_fallback(w: Writer) -> str:
    inner = f"<w:txbxContent>{w.paragraph()}</w:txbxContent>"
    return (
        '<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor><wps:wsp><wps:txbx>'
        f"{inner}</wps:txbx></wps:wsp></wp:anchor></w:drawing></mc:Choice><mc:Fallback/>"
        "</mc:AlternateContent></w:r>"
    )


def _linked_picture(w: Writer) -> str:
    w.parts["word/media/a.png"] = draw(width=300, height=200).getvalue()
    image = w.relate("image", "media/a.png")
    link = w.relate("hyperlink", _escaped(w.link()), external=True)
    return (
        f'<w:r><w:drawing><wp:inline><wp:docPr id="1" name="x"><a:hlinkClick r:id="{link}"/></wp:docPr>'
        f'<a:graphic><a:graphicData><pic:pic><pic:blipFill><a:blip r:embed="{image}"/></pic:blipFill>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
    )


def _equation(w: Writer, inner: str = "<m:r><m:t>{}</m:t></m:r>") -> str:
    return f"<m:oMath>{inner.format(w.word())}</m:oMath>"


RUNS: tuple[Callable[[Writer], str], ...] = (
    Writer.run,
    lambda w: w.run("<w:b/>"),
    lambda w: w.run("<w:i/><w:strike/>"),
    lambda w: w.run("<w:sz w:val='40'/>"),
    lambda w: w.run("<w:vanish/>"),
    lambda w: w.run('<w:rStyle w:val="Hid"/>'),
    _hyperlink,
    _link_field,
    _simple_link_field,
    _note,
    _comment,
    _chart,
    _smartart,
    _box,
    _box_without_fallback,
    _linked_picture,
    _equation,
    lambda w: _equation(w, "<m:f><m:num><m:r><m:t>{}</m:t></m:r></m:num></m:f>"),
    lambda w: f"<w:ins>{w.run()}</w:ins><w:del><w:r><w:delText>{w.text()}</w:delText></w:r></w:del>",
    lambda w: f"<w:moveTo>{w.run()}</w:moveTo>",
    lambda w: f"<w:sdt><w:sdtContent>{w.run()}</w:sdtContent></w:sdt>",
    lambda w: f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{w.run()}</w:sdtContent></w:sdt>",
    lambda w: f'<w:fldSimple w:instr=" REF x ">{w.run()}</w:fldSimple>',
    lambda w: f"<w:smartTag><w:customXml>{w.run()}</w:customXml></w:smartTag><w:bdo>{w.run()}</w:bdo>",
    lambda w: f"<w:r><w:t>{w.word()}</w:t><w:br w:type='page'/><w:t>{w.word()}</w:t><w:tab/></w:r>",
    lambda w: f"<w:r><w:t>{w.word()}</w:t><w:cr/><w:t>{w.word()}</w:t><w:noBreakHyphen/></w:r>",
    lambda w: _graphic(f"<a:txBody><a:p><a:r><a:t>{w.text()}</a:t></a:r></a:p></a:txBody>"),
    lambda w: f'<w:r><w:pict><v:shape><v:textpath string="{w.text()}"/></v:shape></w:pict></w:r>',
    lambda w: (
        f"<w:r><w:ruby><w:rt><w:r><w:t>{w.word()}</w:t></w:r></w:rt>"
        f"<w:rubyBase><w:r><w:t>{w.word()}</w:t></w:r></w:rubyBase></w:ruby></w:r>"
    ),
    lambda w: f'<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>{w.run()}',
    lambda w: f"<w:r><w:t>{w.word()}</w:t><w:noBreakHyphen/><w:t>{w.word()}</w:t></w:r>",
)
PLAIN = [number for number, run in enumerate(RUNS) if run not in {_note, _comment}]
"""What may stand in a header or a comment, too."""
LOOKS = ("", "", "", "H1", "H2", "H3", "H6", "Titel", "Sub", "Cap", "Q", "T", "L")
SPACE = '<w:r><w:t xml:space="preserve"> </w:t></w:r>'
NUMBERED = '<w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'


def _hidden(xml: str) -> str:
    """``xml`` with each of its runs hidden, as Word hides a passage."""
    around = etree.fromstring(f"<w:p {DECLARED}>{xml}</w:p>")
    for run in around.iter(f"{{{W}}}r"):
        run.insert(0, parse_xml(f"<w:rPr {DECLARED}><w:vanish/></w:rPr>"))
    return "".join(etree.tostring(child, encoding="unicode") for child in around)


def _deleted(xml: str) -> str:
    """``xml`` with each of its runs deleted while changes were tracked."""
    around = etree.fromstring(f"<w:p {DECLARED}>{xml}</w:p>")
    for run in [*around.iter(f"{{{W}}}r")]:
        if etree.QName(run.getparent()).localname not in {"rt", "rubyBase", "del"}:
            deletion = parse_xml(f"<w:del {DECLARED}/>")
            run.getparent().replace(run, deletion)
            deletion.append(run)
            for text in run.iter(f"{{{W}}}t"):
                text.tag = f"{{{W}}}delText"
            for text in run.iter(f"{{{W}}}instrText"):
                text.tag = f"{{{W}}}delInstrText"
    return "".join(etree.tostring(child, encoding="unicode") for child in around)


_CONTROL = "<w:sdt><w:sdtPr>{}</w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>"
_GALLERY = '<w:docPartObj><w:docPartGallery w:val="{}"/></w:docPartObj>'
LEFT_OUT: dict[str, Callable[[str], str]] = {
    "contents": lambda xml: _CONTROL.format(_GALLERY.format("Table of Contents"), f"<w:p>{xml}</w:p>"),
    "control": lambda xml: _CONTROL.format(_GALLERY.format("Cover Pages"), f"<w:p>{xml}</w:p>"),
    "placeholder": lambda xml: f"<w:p>{_CONTROL.format('<w:showingPlcHdr/>', xml)}</w:p>",
    "deleted row": lambda xml: (
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p>{xml}</w:p></w:tc></w:tr></w:tbl>"
    ),
    "deleted": lambda xml: f"<w:p>{_deleted(xml)}</w:p>",
    "hidden": lambda xml: f"<w:p>{_hidden(xml)}</w:p>",
    "box": lambda xml: (
        '<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor><wps:wsp><wps:txbx>'
        f"<w:txbxContent><w:p>{xml}</w:p></w:txbxContent>"
        "</wps:txbx></wps:wsp></wp:anchor></w:drawing></mc:Choice><mc:Fallback/></mc:AlternateContent></w:r></w:p>"
    ),
}
"""What is left out, or moved, with all that is in it."""


def _table(w: Writer, rows: list[list[int]], *, nested: bool) -> str:
    written = []
    for row in rows:
        cells = [w.paragraph(RUNS[index](w), more='<w:jc w:val="right"/>') for index in row]
        if nested:
            cells[0] += f"<w:tbl><w:tr><w:tc>{w.paragraph()}</w:tc></w:tr></w:tbl>{w.paragraph()}"
        written.append("<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>")
    return f"<w:tbl>{''.join(written)}</w:tbl>"


_RUN = st.integers(0, len(RUNS) - 1)
_ROW = st.lists(_RUN, min_size=2, max_size=2)
BLOCKS = st.one_of(
    st.tuples(st.just("p"), st.sampled_from(LOOKS), st.lists(_RUN, min_size=1, max_size=3)),
    st.tuples(st.just("list"), st.integers(0, 1), st.lists(_RUN, min_size=1, max_size=2)),
    st.tuples(st.just("table"), st.booleans(), st.lists(_ROW, min_size=1, max_size=3)),
    st.tuples(st.sampled_from(sorted(LEFT_OUT)), st.none(), st.lists(_RUN, min_size=1, max_size=2)),
    st.tuples(st.just("comment"), st.none(), st.lists(st.sampled_from(PLAIN), min_size=1, max_size=1)),
    st.tuples(st.just("math"), st.none(), st.just([])),
)  # fmt: skip


def write_block(w: Writer, block: tuple[str, object, list]) -> str:
    kind, detail, parts = block
    if kind == "p":
        return w.paragraph(SPACE.join(RUNS[index](w) for index in parts), str(detail))
    if kind == "list":
        return w.paragraph(SPACE.join(RUNS[index](w) for index in parts), more=NUMBERED.format(detail))
    if kind == "table":
        return _table(w, parts, nested=bool(detail))
    if kind == "math":
        return f"<m:oMathPara>{_equation(w)}</m:oMathPara>"
    if kind == "comment":
        return w.paragraph(_comment(w, RUNS[parts[0]]))
    return LEFT_OUT[kind](SPACE.join(RUNS[index](w) for index in parts))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=9), heading=st.sampled_from(PLAIN))
@example(blocks=[("p", "", [0]), ("p", "T", [28])], heading=0).via("found by chance")
@example(blocks=[("p", "T", [30]), ("p", "T", [29])], heading=28)
@example(blocks=[("contents", None, [number]) for number in range(len(RUNS))], heading=6)
@example(blocks=[("placeholder", None, [number]) for number in range(len(RUNS))], heading=7)
@example(blocks=[("deleted row", None, [number]) for number in range(len(RUNS))], heading=8)
@example(blocks=[("deleted", None, [number]) for number in range(len(RUNS))], heading=11)
@example(blocks=[("hidden", None, [number]) for number in range(len(RUNS))], heading=16)
@example(blocks=[("box", None, [number]) for number in range(len(RUNS))], heading=26)
@example(blocks=[("comment", None, [number]) for number in PLAIN], heading=15)
def test_every_word_and_link_is_kept_or_named(
    tmp_path_factory: pytest.TempPathFactory, blocks: list, heading: int
) -> None:
    w = Writer()
    xml = "".join(write_block(w, block) for block in [*blocks, ("p", "", [0])])
    header_writer = w.other_part()
    said = header_writer.paragraph(RUNS[heading](header_writer))
    header = w.part("header", f"<w:hdr {DECLARED}>{said}</w:hdr>")
    notes = f"<w:footnotes {DECLARED}>{''.join(w.notes)}</w:footnotes>"
    comments = f"<w:comments {DECLARED}>{''.join(w.comments)}</w:comments>"
    related = {
        "s": ("styles", "styles.xml", False),
        "n": ("numbering", "numbering.xml", False),
        "f": ("footnotes", "footnotes.xml", False),
        "c": ("comments", "comments.xml", False),
        **w.related,
    }
    path = write_package(
        tmp_path_factory.mktemp("words") / "x.docx",
        {
            "word/document.xml": body(xml + f'<w:sectPr><w:headerReference r:id="{header}"/></w:sectPr>'),
            "word/_rels/document.xml.rels": relations(related),
            "word/styles.xml": _STYLES,
            "word/numbering.xml": _NUMBERING,
            "word/footnotes.xml": notes,
            "word/comments.xml": comments,
            "word/_rels/comments.xml.rels": relations(w.comment_writer.related),
            f"word/_rels/{w.related[header][1]}.rels": relations(header_writer.related),
            **w.parts,
        },
    )
    imported = import_document(path, path.parent / "editions", slug="x", today=date(2026, 11, 24))
    files = [imported.folder / name for name in ("edition.md", *imported.stories)]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    named = "\n".join(f"{each.what} {each.words}" for each in imported.omissions)
    assert [word for word in w.words if not re.search(rf"\b{word}\b", f"{text}\n{named}")] == []
    assert [link for link in w.links if link not in f"{text}\n{named}"] == []

"""What a mail cannot carry is left out of the edition, and named with its place."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from editions.imports.importer import ImportedEdition, import_document
from editions.reader import inspect_edition
from tests.factories.word_documents import HEADING, PARAGRAPH, body, draw, relations, write_package

SECTORS = ("education",)
Importer = Callable[..., ImportedEdition]
STYLED = ("styles", "styles.xml", False)


@pytest.fixture
def bring_in(tmp_path: Path) -> Importer:
    """Import a story with this XML in it, and these other parts and relations."""

    def importer(
        xml: str, links: dict[str, tuple[str, str, bool]] | None = None, **parts: str
    ) -> ImportedEdition:
        path = write_package(
            tmp_path / "news.docx",
            {
                "word/document.xml": body(HEADING.format("Youth forum") + xml + PARAGRAPH.format("Its end.")),
                "word/_rels/document.xml.rels": relations({"rId1": STYLED, **(links or {})}),
                **{f"word/{name.replace('__', '/')}.xml": part for name, part in parts.items()},
            },
        )
        return import_document(path, tmp_path / "editions", sectors=SECTORS, today=date(2026, 11, 24))

    return importer


def written(imported: ImportedEdition) -> str:
    """The body of the one story, without its last paragraph."""
    text = (imported.folder / imported.stories[0]).read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[1].strip().removesuffix("Its end.").strip()


def left(imported: ImportedEdition) -> list[str]:
    return [f"{each.where}: {each.what}" for each in imported.omissions]


def run(xml: str) -> str:
    return f"<w:p><w:r><w:t>Before. </w:t></w:r>{xml}</w:p>"


BOX = """<w:r><mc:AlternateContent>
<mc:Choice Requires="wps"><w:drawing><wp:anchor><a:graphic><a:graphicData><wps:wsp><wps:txbx><w:txbxContent>
<w:p><w:r><w:t>Come and join us</w:t></w:r></w:p></w:txbxContent></wps:txbx></wps:wsp></a:graphicData>
</a:graphic></wp:anchor></w:drawing></mc:Choice>
<mc:Fallback><w:pict><v:shape><v:textbox><w:txbxContent><w:p><w:r><w:t>Come and join us</w:t></w:r></w:p>
</w:txbxContent></v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"""


def test_a_text_box_becomes_a_paragraph_and_is_named(bring_in: Importer) -> None:
    imported = bring_in(run(BOX))
    assert written(imported) == "Before.\n\nCome and join us"
    assert left(imported) == [
        "in ‘Youth forum’: a text box; its text is now in paragraphs of its own: “Come and join us”"
    ]


def test_a_text_box_without_a_fallback_is_found_too(bring_in: Importer) -> None:
    choice = BOX.partition("<w:drawing>")[2].partition("</w:drawing>")[0]
    imported = bring_in(run(f"<w:r><w:drawing>{choice}</w:drawing></w:r>"))
    assert written(imported) == "Before.\n\nCome and join us"
    assert len(imported.omissions) == 1


def test_tracked_changes_are_read_as_accepted_and_counted(bring_in: Importer) -> None:
    imported = bring_in(
        run(
            "<w:ins><w:r><w:t>Added</w:t></w:r></w:ins><w:del><w:r><w:delText>Gone</w:delText></w:r></w:del>"
            "<w:ins><w:r><w:t> more</w:t></w:r></w:ins>"
            "<w:moveFrom><w:r><w:t>Moved</w:t></w:r></w:moveFrom>"
        )
    )
    assert written(imported) == "Before. Added more"
    assert left(imported) == [
        "in ‘Youth forum’: 2 tracked insertions, the first “Added”, taken as accepted",
        "in ‘Youth forum’: a tracked deletion “Gone”, left out",
    ]


def test_a_deleted_row_is_left_out(bring_in: Importer) -> None:
    row = "<w:tr>{}<w:tc><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr>"
    rows = row.format("", "Kept") + row.format("", "Also") + row.format("<w:trPr><w:del/></w:trPr>", "Gone")
    imported = bring_in(f"<w:tbl>{rows}</w:tbl>")
    assert written(imported) == "| Kept |  |\n| --- | --- |\n| Also |  |"
    assert left(imported) == ["in ‘Youth forum’: a tracked deletion “Gone”, left out"]


def test_comments_are_named_with_who_wrote_them(bring_in: Importer) -> None:
    imported = bring_in(
        run('<w:commentRangeStart w:id="0"/><w:r><w:commentReference w:id="0"/></w:r>'),
        {"rId2": ("comments", "comments.xml", False)},
        comments=body("")
        .replace("w:document", "w:comments")
        .replace(
            "<w:body></w:body>",
            '<w:comment w:id="0" w:author="Ann"><w:p><w:r><w:t>Is this right?</w:t></w:r></w:p></w:comment>',
        ),
    )
    assert written(imported) == "Before."
    assert left(imported) == ["in ‘Youth forum’: a comment by Ann “Is this right?”"]


def test_notes_stand_at_the_end_of_their_story(bring_in: Importer) -> None:
    notes = (
        '<w:footnote w:id="1"><w:p><w:r><w:t>See </w:t></w:r>'
        '<w:hyperlink r:id="rId9"><w:r><w:t>there</w:t></w:r></w:hyperlink></w:p></w:footnote>'
    )
    imported = bring_in(
        run('<w:r><w:footnoteReference w:id="1"/></w:r>'),
        {"rId2": ("footnotes", "footnotes.xml", False)},
        footnotes=body("").replace("w:document", "w:footnotes").replace("<w:body></w:body>", notes),
        **{"_rels__footnotes.xml.rels": ""},
    )
    assert written(imported).startswith("Before. [1]\n")
    assert (imported.folder / imported.stories[0]).read_text(encoding="utf-8").endswith("[1] See there\n")


def test_an_equation_of_one_line_is_its_signs_and_others_are_named(bring_in: Importer) -> None:
    simple = "<m:oMath><m:r><m:rPr><m:sty/></m:rPr><m:t>a=b</m:t></m:r></m:oMath>"
    part = "<m:r><m:t>{}</m:t></m:r>"
    fraction = f"<m:f><m:num>{part.format('x')}</m:num><m:den>{part.format('y')}</m:den></m:f>"
    imported = bring_in(run(simple) + run(f"<m:oMath>{fraction}</m:oMath>"))
    assert written(imported) == "Before. a=b\n\nBefore."
    assert left(imported) == [
        "in ‘Youth forum’: an equation “xy”; add it as a picture",
    ]


def test_charts_and_smartart_are_named_by_their_words(bring_in: Importer) -> None:
    graphic = (
        "<w:r><w:drawing><wp:inline><a:graphic><a:graphicData>{}</a:graphicData></a:graphic>"
        "</wp:inline></w:drawing></w:r>"
    )
    said = body("").replace("<w:body></w:body>", "<a:p><a:r><a:t>{}</a:t></a:r></a:p>")
    imported = bring_in(
        run(graphic.format('<c:chart r:id="rId2"/>')) + run(graphic.format('<dgm:relIds r:dm="rId3"/>')),
        {"rId2": ("chart", "chart1.xml", False), "rId3": ("diagramData", "data1.xml", False)},
        chart1=said.format("Pupils by year"),
        data1=said.format("Plan, do, check"),
    )
    assert left(imported) == [
        "in ‘Youth forum’: a chart “Pupils by year”; save it as a picture in Word and add it to images/",
        "in ‘Youth forum’: SmartArt with the text “Plan, do, check”",
    ]


def test_objects_wordart_and_drawings_are_named(bring_in: Importer) -> None:
    imported = bring_in(
        run('<w:r><w:object><v:shape/><o:OLEObject ProgID="Excel.Sheet.12"/></w:object></w:r>')
        + run('<w:r><w:pict><v:shape><v:textpath string="Hooray"/></v:shape></w:pict></w:r>')
        + run('<w:r><w:pict><v:rect o:hr="t"/></w:pict></w:r>')
        + run("<w:r><w:drawing><wp:anchor/></w:drawing></w:r>")
    )
    assert left(imported) == [
        "in ‘Youth forum’: an embedded object (Excel.Sheet.12); copy its contents from Word",
        "in ‘Youth forum’: WordArt with the text “Hooray”",
        "in ‘Youth forum’: a drawing",
    ]


def test_hidden_words_and_the_table_of_contents_are_left_out(bring_in: Importer, tmp_path: Path) -> None:
    styles = (
        body("")
        .replace("w:document", "w:styles")
        .replace(
            "<w:body></w:body>",
            '<w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
            '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
            '<w:style w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>',
        )
    )
    contents = '<w:p><w:pPr><w:pStyle w:val="TOC1"/></w:pPr><w:r><w:t>Youth forum 2</w:t></w:r></w:p>'
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>Psst</w:t></w:r>"
    styled = '<w:r><w:rPr><w:rStyle w:val="Secret"/></w:rPr><w:t>Psst again</w:t></w:r>'
    imported = bring_in(contents * 2 + run(hidden + styled), styles=styles)
    assert written(imported) == "Before."
    assert left(imported) == [
        "in ‘Youth forum’: 2 lines of the table of contents, the first “Youth forum 2”, left out, "
        "because the email has its own",
        "in ‘Youth forum’: 2 hidden passages, the first “Psst”, left out",
    ]


@pytest.mark.parametrize(
    ("run_of_link", "told"),
    [
        (
            "<w:r><w:rPr><w:vanish/></w:rPr>{}<w:t>Psst</w:t></w:r>",
            "in ‘Youth forum’: a hidden passage “Psst”, left out",
        ),
        (
            "<w:del><w:r>{}<w:delText>Psst</w:delText></w:r></w:del>",
            "in ‘Youth forum’: a tracked deletion “Psst”, left out",
        ),
    ],
)
def test_a_link_of_which_nothing_is_left_is_named(bring_in: Importer, run_of_link: str, told: str) -> None:
    mark = '<w:fldChar w:fldCharType="{}"/>'
    begin = f"{mark.format('begin')}<w:instrText>HYPERLINK https://example.org/field</w:instrText>"
    field = run_of_link.format(begin + mark.format("separate")) + f"<w:r>{mark.format('end')}</w:r>"
    link = f'<w:hyperlink r:id="rId2">{run_of_link.format("")}</w:hyperlink>'
    imported = bring_in(run(link) + run(field), {"rId2": ("hyperlink", "https://example.org/link", True)})
    assert written(imported) == "Before.\n\nBefore."
    unseen = "in ‘Youth forum’: a link without text, which readers could not see: https://example.org/"
    several = told.replace(": a ", ": 2 ").replace(" “", "s, the first “")
    assert left(imported) == [f"{unseen}link", f"{unseen}field", several]


def test_a_picture_alone_in_a_text_box_is_kept(tmp_path: Path) -> None:
    box = BOX.replace("<w:p><w:r><w:t>Come and join us</w:t></w:r></w:p>", "<w:p>{}</w:p>", 1)
    fallback = box.index("<mc:Fallback>")
    box = f"{box[:fallback]}<mc:Fallback/></mc:AlternateContent></w:r>"
    xml = run(box.format(PICTURE.format(how="embed", alt="A hall")))
    path = write_package(
        tmp_path / "x.docx",
        {
            "word/document.xml": body(HEADING.format("Story") + xml + PARAGRAPH.format("End.")),
            "word/_rels/document.xml.rels": relations(
                {"rId1": STYLED, "rId2": ("image", "media/a.png", False)}
            ),
            "word/media/a.png": draw().getvalue(),
        },
    )
    imported = import_document(path, tmp_path / "editions", today=date(2026, 11, 24))
    assert "alt: A hall" in (imported.folder / imported.stories[0]).read_text(encoding="utf-8")


def test_headers_footers_and_macros_are_named(bring_in: Importer) -> None:
    page = (
        body("").replace("w:document", "w:hdr").replace("<w:body></w:body>", PARAGRAPH.format("Page 1 of 3"))
    )
    imported = bring_in(
        "", {"rId2": ("header", "header1.xml", False)}, header1=page, **{"vbaProject.bin": "x"}
    )
    assert left(imported) == ["in the whole document: a page header “Page 1 of 3”"]


def test_macros_are_named_and_never_read(tmp_path: Path) -> None:
    path = write_package(tmp_path / "x.docm", {"word/vbaProject.bin": b"\xd0\xcf\x11\xe0"})
    imported = import_document(path, tmp_path / "editions", today=date(2026, 11, 24))
    assert left(imported) == ["in the whole document: macros, which were not read or run"]


def test_a_sign_of_a_picture_font_is_kept_or_named(bring_in: Importer) -> None:
    known, unknown = (
        f'<w:r><w:sym w:font="{font}" w:char="F0E0"/></w:r>' for font in ("Wingdings", "Our Font")
    )
    imported = bring_in(run(known + unknown))
    assert written(imported) == "Before. 🡪"
    assert left(imported) == ["in the whole document: a symbol of the font Our Font, number F0E0"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "links that begin with file:"),
        ("../budget.xlsx", "is relative"),
        ("javascript:alert(1)", "links that begin with javascript:"),
        ("https://intranet/page", "which readers outside your network cannot reach"),
    ],
)
def test_a_link_no_mail_can_carry_becomes_words_and_is_named(
    bring_in: Importer, target: str, reason: str
) -> None:
    imported = bring_in(
        run('<w:hyperlink r:id="rId2"><w:r><w:t>there</w:t></w:r></w:hyperlink>'),
        {"rId2": ("hyperlink", target, True)},
    )
    assert written(imported) == "Before. there"
    (told,) = left(imported)
    assert told.startswith("in ‘Youth forum’: the link of “there”: ")
    assert reason in told


def test_jumps_within_the_document_become_words(bring_in: Importer) -> None:
    imported = bring_in(
        run(
            '<w:bookmarkStart w:id="1" w:name="here"/>'
            '<w:hyperlink w:anchor="here"><w:r><w:t>above</w:t></w:r></w:hyperlink>'
        )
    )
    assert written(imported) == "Before. above"
    assert imported.omissions == ()


def test_a_link_made_by_a_field_loses_what_is_seen_on_hovering(bring_in: Importer) -> None:
    char = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    code = '<w:r><w:instrText>HYPERLINK "https://example.org/x" \\o "A tip"</w:instrText></w:r>'
    imported = bring_in(
        run(
            char.format("begin")
            + code
            + char.format("separate")
            + "<w:r><w:t>it</w:t></w:r>"
            + char.format("end")
        )
    )
    assert written(imported) == "Before. [it](https://example.org/x)"


def test_a_heading_with_nothing_below_it_is_not_a_story(bring_in: Importer) -> None:
    imported = bring_in(HEADING.format("Education"))
    assert imported.stories == ("stories/010-education.md",)
    assert left(imported) == ["in ‘Youth forum’: a heading with nothing below it, so it is not a story"]


PICTURE = (
    '<w:r><w:drawing><wp:inline><wp:docPr descr="{alt}"/><a:graphic><a:graphicData><pic:pic><pic:blipFill>'
    '<a:blip r:{how}="rId2"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>'
    "</w:r>"
)


def test_a_picture_from_elsewhere_is_never_fetched(bring_in: Importer) -> None:
    imported = bring_in(
        run(PICTURE.format(how="link", alt="A hall")), {"rId2": ("image", "http://192.0.2.1/x.png", True)}
    )
    assert left(imported) == [
        "in ‘Youth forum’: a picture that is not in the file but linked from elsewhere “A hall”"
    ]
    assert imported.images == ()


def test_a_picture_of_an_old_kind_is_read_too(tmp_path: Path) -> None:
    xml = run('<w:r><w:pict><v:shape alt="A hall"><v:imagedata r:id="rId2"/></v:shape></w:pict></w:r>')
    path = write_package(
        tmp_path / "x.docx",
        {
            "word/document.xml": body(HEADING.format("Story") + xml),
            "word/_rels/document.xml.rels": relations(
                {"rId1": STYLED, "rId2": ("image", "media/a.png", False)}
            ),
            "word/media/a.png": draw().getvalue(),
        },
    )
    imported = import_document(path, tmp_path / "editions", today=date(2026, 11, 24))
    assert len(imported.images) == 1
    assert "alt: A hall" in (imported.folder / imported.stories[0]).read_text()


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("chart.emf", b"\x01\0\0\0", "a Windows drawing (EMF), chart.emf “A hall”; save it as PNG or JPEG"),
        (
            "IMG_1.heic",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "a picture that cannot be used (HEIC: only Apple's programs show it), IMG_1.heic “A hall”",
        ),
        ("logo.svg", b"<svg/>", "an SVG drawing, logo.svg “A hall”"),
        ("a.png", b"not a picture", "a picture that cannot be used (image format), a.png “A hall”"),
        ("a.png", draw().getvalue()[:60], "a picture that cannot be used (broken image), a.png “A hall”"),
    ],
)
def test_a_picture_that_cannot_be_sent_is_named(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = write_package(
        tmp_path / "x.docx",
        {
            "word/document.xml": body(
                HEADING.format("Story")
                + run(PICTURE.format(how="embed", alt="A hall"))
                + PARAGRAPH.format("End.")
            ),
            "word/_rels/document.xml.rels": relations(
                {"rId1": STYLED, "rId2": ("image", f"media/{name}", False)}
            ),
            f"word/media/{name}": data,
        },
    )
    imported = import_document(path, tmp_path / "editions", today=date(2026, 11, 24))
    assert imported.images == ()
    (left_behind,) = left(imported)
    assert left_behind.startswith(f"in ‘Story’: {told}")
    assert [problem.code for problem in inspect_edition(imported.folder, sectors=()).problems] == [
        "preheader-length"
    ]

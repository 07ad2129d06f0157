"""Newsletters as offices write them, in the .docx of Word, Google Docs, Pages and LibreOffice."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from editions.imports.importer import ImportedEdition, import_document
from tests.factories.word_documents import DECLARED, body, relations, write_package

TEXT = "The ministry and forty schools met for three days. They agreed on a plan for water, and on who pays."
BOLD, LARGE, HUGE = "<w:b/>", '<w:sz w:val="30"/>', '<w:sz w:val="56"/>'
LINK, OTHER_LINK = "https://example.org/report#chapter-2", "https://example.org/map"


def run(text: str, look: str = "") -> str:
    return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*runs: str, style: str = "") -> str:
    inner = "".join(each if each.startswith("<") else run(each) for each in runs)
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{inner}</w:p>'


def link(text: str, key: str = "link") -> str:
    return f'<w:hyperlink r:id="{key}">{run(text)}</w:hyperlink>'


def link_within(text: str) -> str:
    return f'<w:hyperlink w:anchor="_Toc1">{run(text)}</w:hyperlink>'


def style(identifier: str, name: str, based_on: str = "Normal", look: str = "", more: str = "") -> str:
    return (
        f'<w:style w:type="paragraph" w:styleId="{identifier}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="{based_on}"/><w:pPr>{more}</w:pPr><w:rPr>{look}</w:rPr></w:style>'
    )


def text_box(inner: str) -> str:
    box = f"<v:textbox><w:txbxContent>{inner}</w:txbxContent></v:textbox>"
    return f"<w:r><w:pict><v:shape>{box}</v:shape></w:pict></w:r>"


def bring_in(folder: Path, document: str, *styles: str) -> ImportedEdition:
    normal = '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    defaults = '<w:docDefaults><w:rPrDefault><w:rPr><w:sz w:val="22"/></w:rPr></w:rPrDefault></w:docDefaults>'
    related = {
        "rId1": ("styles", "styles.xml", False),
        "link": ("hyperlink", LINK, True),
        "other": ("hyperlink", OTHER_LINK, True),
    }
    path = write_package(
        folder / "news.docx",
        {
            "word/document.xml": body(document),
            "word/styles.xml": f"<w:styles {DECLARED}>{defaults}{normal}{''.join(styles)}</w:styles>",
            "word/_rels/document.xml.rels": relations(related),
        },
    )
    return import_document(path, folder / "editions", slug="x", today=date(2026, 11, 24))


def read_all(imported: ImportedEdition) -> str:
    return "".join(
        (imported.folder / name).read_text(encoding="utf-8") for name in ("edition.md", *imported.stories)
    )


GOOGLE_DOCS = (
    paragraph("Regional Digest", style="Title")
    + '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>'
    f"<w:sdtContent>{paragraph(link_within('Water for all'))}</w:sdtContent></w:sdt>"
    + paragraph("Hello everyone,")
    + paragraph(TEXT)
    + paragraph("Water for all", style="Heading2")
    + paragraph(TEXT, link("Read the report"))
    + paragraph("What next", style="Heading3")
    + paragraph(TEXT)
    + paragraph("Dancing", style="Heading2")
    + paragraph(TEXT)
)
GERMAN_WORD = (
    paragraph("Rundbrief", style="berschrift1")
    + paragraph("Liebe Freunde,")
    + paragraph(TEXT)
    + paragraph("Wasser für Schulen", style="berschrift2")
    + paragraph(TEXT)
    + paragraph("Termine (", link("alle"), ")", style="Mein")
    + paragraph(TEXT)
)
BOLD_LINES = (
    paragraph(run("THE RIVER POST", BOLD + HUGE))
    + paragraph("In this issue")
    + paragraph("Water for all … 2")
    + paragraph("Dancing … 3")
    + paragraph(run("Water for all", BOLD))
    + paragraph(TEXT)
    + paragraph(run("Read more", BOLD))
    + paragraph(run("Dancing", BOLD))
    + paragraph(TEXT, link("The report"))
    + paragraph(run("Read more", BOLD))
)
COLUMNS = "<w:tbl><w:tr>{0}{1}</w:tr><w:tr>{2}{1}</w:tr></w:tbl>".format(
    *(
        f"<w:tc>{paragraph(run(title, LARGE)) if title else ''}{paragraph(TEXT, link('More'))}"
        f"{paragraph('By the ministry')}</w:tc>"
        for title in ("Water for all", "", "Dancing")
    )
)
TEXT_BOXES = paragraph(run("News", HUGE)) + "".join(
    paragraph(text_box(paragraph(run(title, BOLD + LARGE)) + paragraph(TEXT) + paragraph(link("More"))))
    for title in ("Water for all", "Dancing")
)
PAGES = "".join(
    paragraph(title, style="StoryTitle") + paragraph(TEXT, link("More"), style="Body")
    for title in ("Water for all", "Dancing")
)
LIBREOFFICE = (
    paragraph("Water for all", style="Heading1")
    + paragraph("Water is life.", style="Quotations")
    + paragraph("So they say.", style="BlockText")
    + paragraph(TEXT, link("More"))
    + paragraph("Dancing", style="Heading1")
    + paragraph(TEXT)
)
FRENCH_SECTIONS = (
    paragraph("La Lettre", style="Titre")
    + paragraph("Éducation", style="Titre1")
    + paragraph("De l’eau", style="Titre2")
    + paragraph(TEXT, link("Plus"))
    + paragraph("Un prix", style="Titre2")
    + paragraph(TEXT)
)


@pytest.mark.parametrize(
    ("document", "styles", "told", "title", "stories"),
    [
        (
            GOOGLE_DOCS,
            [style(f"Heading{n}", f"heading {n}") for n in (2, 3)] + [style("Title", "Title")],
            "Heading 2",
            "Regional Digest",
            ["Water for all", "Dancing"],
        ),
        (
            GERMAN_WORD,
            [*(style(f"berschrift{n}", f"heading {n}") for n in (1, 2)), style("Mein", "M", "berschrift2")],
            "Heading 2",
            "Rundbrief",
            ["Wasser für Schulen", "Termine (alle)"],
        ),
        (BOLD_LINES, [], "short lines", "THE RIVER POST", ["Water for all", "Dancing"]),
        (COLUMNS, [], "short lines", "news", ["Water for all", "Dancing"]),
        (TEXT_BOXES, [], "short lines", "News", ["Water for all", "Dancing"]),
        (
            PAGES,
            [style("Body", "Body"), style("StoryTitle", "Story Title", "Body", BOLD)],
            "short lines",
            "news",
            ["Water for all", "Dancing"],
        ),
        (
            LIBREOFFICE,
            [
                style("Heading1", "Heading 1", more='<w:outlineLvl w:val="0"/>'),
                style("Quotations", "Quotations"),
                style("BlockText", "Block Text"),
            ],
            "Heading 1",
            "news",
            ["Water for all", "Dancing"],
        ),
        (
            FRENCH_SECTIONS,
            [style(f"Titre{n}", f"heading {n}") for n in (1, 2)] + [style("Titre", "Title")],
            "Heading 2",
            "La Lettre",
            ["De l’eau", "Un prix"],
        ),
    ],
    ids=["Google", "German", "bold lines", "columns", "text boxes", "Pages", "LibreOffice", "sections"],
)  # fmt: skip
def test_a_newsletter_becomes_its_stories(
    tmp_path: Path, document: str, styles: Sequence[str], told: str, title: str, stories: list[str]
) -> None:
    imported = bring_in(tmp_path, document, *styles)
    assert told in str(imported.starts)
    assert imported.title == title
    written = read_all(imported)
    assert [f"title: {story}" for story in stories] == [
        line for line in written.splitlines() if line in {f"title: {story}" for story in stories}
    ]
    assert len(imported.stories) == len(stories)
    assert LINK in written
    assert "In this issue" not in written


def test_libreoffice_s_quotations_are_quotations(tmp_path: Path) -> None:
    styles = [
        style("Heading1", "heading 1"),
        style("Quotations", "Quotations"),
        style("BlockText", "Block Text"),
    ]
    assert "> Water is life.\n>\n> So they say.\n" in read_all(bring_in(tmp_path, LIBREOFFICE, *styles))

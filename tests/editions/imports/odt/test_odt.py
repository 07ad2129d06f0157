"""An OpenDocument text becomes an edition as a Word document does."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from editions.errors import DocumentError
from editions.imports.importer import ImportedEdition, import_document
from editions.reader import inspect_edition
from tests.factories.odt_documents import (
    DECLARED,
    HEADING,
    MIMETYPE,
    PARAGRAPH,
    note,
    picture,
    text_box,
    write_odt,
)

TODAY = date(2026, 11, 24)
Importer = Callable[..., ImportedEdition]


def draw(colour: str, size: tuple[int, int] = (800, 500), dpi: int = 96) -> bytes:
    out = io.BytesIO()
    image = Image.new("RGB", size, colour)
    image.save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


@pytest.fixture
def bring_in(tmp_path: Path) -> Importer:
    """Import a document with one story, which has this XML in it."""

    def importer(xml: str, **options: object) -> ImportedEdition:
        text = HEADING.format("Youth forum") + xml + PARAGRAPH.format("Its end.")
        path = write_odt(tmp_path / "news.odt", text, **options)  # type: ignore[arg-type]
        return import_document(path, tmp_path / "editions", today=TODAY)

    return importer


def written(imported: ImportedEdition) -> str:
    """The body of the first story, without its last paragraph."""
    text = (imported.folder / imported.stories[0]).read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[1].strip().removesuffix("Its end.").strip()


def header(imported: ImportedEdition) -> str:
    return (imported.folder / imported.stories[0]).read_text(encoding="utf-8").split("\n---\n", 1)[0]


def left(imported: ImportedEdition) -> list[str]:
    return [f"{each.where}: {each.what}" for each in imported.omissions]


def test_title_letter_stories_and_properties_become_an_edition(tmp_path: Path) -> None:
    text = (
        '<text:p text:style-name="Title">Partner news</text:p>'
        '<text:p text:style-name="Subtitle">Autumn 2026</text:p><text:p>Dear colleagues,</text:p>'
        + PARAGRAPH.format(
            "We are glad to bring you the news of a long and busy season in all of our offices."
        )
        + "<text:p>Ann Other</text:p><text:p>Director</text:p>"
        + HEADING.format("Water")
        + PARAGRAPH.format("It is clean.")
        + '<text:h text:style-name="PH" text:outline-level="1">Youth</text:h>'
        + PARAGRAPH.format("They met.")
        + '<text:h text:outline-level="2">Part</text:h>'
        + PARAGRAPH.format("More.")
    )
    imported = import_document(write_odt(tmp_path / "a.odt", text), tmp_path / "editions", today=TODAY)
    assert imported.title == "Partner news"
    assert imported.stories == ("stories/010-water.md", "stories/020-youth.md")
    edition = (imported.folder / "edition.md").read_text()
    assert "period: Autumn 2026" in edition
    assert "language: en" in edition
    assert "title: Dear colleagues\n  name: Ann Other\n  titles:\n    - Director" in edition
    assert "## Part\n\nMore." in (imported.folder / imported.stories[1]).read_text()
    assert inspect_edition(imported.folder, sectors=()).edition is not None
    assert imported.omissions == ()


def test_formats_come_from_styles_and_what_they_are_based_on(bring_in: Importer) -> None:
    imported = bring_in(
        '<text:p text:style-name="PC">All bold but <text:span text:style-name="N">this</text:span>.</text:p>'
        '<text:p>An <text:span text:style-name="I">ital<text:span text:style-name="B">ic</text:span>'
        '</text:span>, <text:span text:style-name="S">struck</text:span>, '
        'm<text:span text:style-name="U">2</text:span>, '
        'H<text:span text:style-name="D">2</text:span>O.</text:p>',
        automatic='<style:style style:name="PC" style:family="paragraph" style:parent-style-name="PB"/>',
    )
    assert written(imported) == "**All bold but** this.\n\nAn *italic*, ~~struck~~, m², H₂O."


def test_spaces_tabs_and_line_breaks_are_kept_as_markdown_can(bring_in: Importer) -> None:
    imported = bring_in(
        '<text:p>One<text:tab/>two<text:s text:c="9999999999"/>three<text:line-break/>four</text:p>'
    )
    assert written(imported) == "One two three\\\nfour"


def test_lists_keep_their_numbers_and_the_lists_in_them(bring_in: Importer) -> None:
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    nested = f"<text:list>{item.format('nested', '')}</text:list>"
    imported = bring_in(
        f'<text:list text:style-name="LN" xml:id="l1"><text:list-item text:start-value="3">'
        f"<text:p>three</text:p>{nested}</text:list-item>{item.format('four', '')}</text:list>"
        "<text:p>Between.</text:p>"
        f'<text:list text:style-name="LN" text:continue-list="l1">{item.format("five", "")}</text:list>'
        f'<text:list text:style-name="LB">{item.format("point", "")}</text:list>'
    )
    assert written(imported) == "3. three\n   - nested\n4. four\n\nBetween.\n\n5. five\n\n- point"


def test_a_numbered_heading_begins_a_story(bring_in: Importer) -> None:
    imported = bring_in(
        f"<text:list><text:list-item>{HEADING.format('Numbered')}</text:list-item></text:list>"
        + PARAGRAPH.format("Words.")
    )
    assert imported.stories[0] == "stories/010-numbered.md"


def test_links_keep_their_fragments_and_pictures_theirs(bring_in: Importer) -> None:
    imported = bring_in(
        '<text:p><text:a xlink:href="https://example.org/a?b=1#part">Here</text:a>.</text:p><text:p>'
        f'<draw:a xlink:href="https://example.org/film#t=3">{picture("Pictures/a.png")}</draw:a></text:p>',
        parts={"Pictures/a.png": draw("red")},
    )
    assert "[Here](https://example.org/a?b=1#part)" in written(imported)
    assert "[example.org/film](https://example.org/film#t=3)" in written(imported)


def test_a_picture_with_its_caption_in_a_frame_is_the_storys_picture(bring_in: Importer) -> None:
    shown = picture("Pictures/a.png", inside="<svg:title>T</svg:title><svg:desc>A well</svg:desc>")
    framed = text_box(f'<text:p text:style-name="Illustration">{shown}Figure 1: The well</text:p>')
    imported = bring_in(f"<text:p>Before.{framed}</text:p>", parts={"Pictures/a.png": draw("red")})
    assert 'alt: A well\n  caption: "Figure 1: The well"' in header(imported)
    assert written(imported) == "Before."
    assert imported.omissions == ()


def test_what_was_cropped_off_is_not_in_the_picture(bring_in: Importer) -> None:
    crop = '<style:style style:name="G" style:family="graphic"><style:graphic-properties {}/></style:style>'
    imported = bring_in(
        f"<text:p>{picture('Pictures/a.png', style='G')}</text:p>",
        automatic=crop.format('fo:clip="rect(0in, 2in, 1in, 0in)"'),
        parts={"Pictures/a.png": draw("red", (800, 500), dpi=100)},
    )
    with Image.open(imported.folder / "images" / imported.images[0]) as image:
        assert abs(image.width - 600) <= 1
        assert abs(image.height - 400) <= 1


def test_stories_begin_at_bold_or_larger_lines_where_there_are_no_headings(tmp_path: Path) -> None:
    large = (
        '<style:style style:name="PL" style:family="paragraph">'
        '<style:text-properties fo:font-size="200%"/></style:style>'
    )
    words = PARAGRAPH.format("The offices have worked together on this for more than a year.")
    text = (
        '<text:p text:style-name="PL">Monthly brief</text:p><text:p text:style-name="PB">Clean water</text:p>'
        f'{words}<text:p><text:span text:style-name="B">New colleagues</text:span></text:p>{words}'
    )
    path = write_odt(tmp_path / "a.odt", text, automatic=large)
    imported = import_document(path, tmp_path / "editions", today=TODAY)
    assert imported.title == "Monthly brief"
    assert imported.stories == ("stories/010-clean-water.md", "stories/020-new-colleagues.md")


def test_a_picture_beside_a_title_belongs_to_it_and_numbers_stay_on_the_right(bring_in: Importer) -> None:
    cell = "<table:table-cell>{}</table:table-cell>"
    row = "<table:table-row>{}{}</table:table-row>"
    title = '<text:h text:outline-level="1">Grants</text:h><text:p>Apply.</text:p>'
    shown = row.format(cell.format(f"<text:p>{picture('Pictures/a.png')}</text:p>"), cell.format(title))
    number = '<text:p text:style-name="PR">{}</text:p>'
    rows = [("<text:p>Fund</text:p>", "Amount"), ("<text:p>Small</text:p>", "1,000")]
    data = "".join(row.format(cell.format(name), cell.format(number.format(sum_))) for name, sum_ in rows)
    imported = bring_in(
        f"<text:p>Theirs.</text:p><table:table>{shown}</table:table><table:table>{data}</table:table>",
        parts={"Pictures/a.png": draw("red")},
    )
    grants = (imported.folder / imported.stories[1]).read_text()
    assert "image:" not in header(imported)
    assert "image:" in grants
    assert "| --- | ---: |\n| Small | 1,000 |" in grants


def test_merged_cells_notes_and_quotations(bring_in: Importer) -> None:
    cell = "<table:table-cell {}><text:p>{}</text:p></table:table-cell>"
    heading = '<text:p text:style-name="TH">Head</text:p>'
    spanning = cell.format('table:number-columns-spanned="2"', "Head").replace(
        "<text:p>Head</text:p>", heading
    )
    rows = (
        f"<table:table-header-rows><table:table-row>{spanning}"
        "<table:covered-table-cell/></table:table-row></table:table-header-rows><table:table-row>"
        f"{cell.format('', 'a')}{cell.format('', 'b')}</table:table-row>"
    )
    imported = bring_in(
        f"<table:table>{rows}</table:table>"
        '<text:p text:style-name="Quotations">One.</text:p><text:p text:style-name="Quotations">Two.</text:p>'
        f"<text:p>Said{note('first')} and{note('second', 'endnote')}.</text:p>"
    )
    assert written(imported).startswith("| Head |  |\n| --- | --- |\n| a | b |\n\n> One.\n>\n> Two.\n\nSaid")
    text = (imported.folder / imported.stories[0]).read_text()
    assert text.index("Its end.") < text.index("first") < text.index("second")


def test_changes_comments_hidden_text_and_boxes_are_named(bring_in: Importer) -> None:
    region = '<text:changed-region text:id="{}"><text:{}>{}</text:{}></text:changed-region>'
    gone = "<office:change-info><dc:creator>Ann</dc:creator></office:change-info><text:p>gone</text:p>"
    changes = region.format("c1", "deletion", gone, "deletion") + region.format(
        "c2", "insertion", "", "insertion"
    )
    imported = bring_in(
        f"<text:tracked-changes>{changes}</text:tracked-changes>"
        '<text:p>A<text:change text:change-id="c1"/> <text:change-start text:change-id="c2"/>new'
        '<text:change-end text:change-id="c2"/> <text:span text:style-name="X">unseen</text:span>word'
        "<office:annotation><dc:creator>Bob</dc:creator><text:p>Right?</text:p></office:annotation>"
        f"{text_box('<text:p>Join us</text:p>')}</text:p><text:p text:style-name='PX'>also unseen</text:p>"
        '<text:section text:display="none"><text:p>secret</text:p></text:section>'
    )
    assert written(imported) == "A new word\n\nJoin us"
    assert left(imported) == [
        "in ‘Youth forum’: a comment by Bob “Right?”",
        "in ‘Youth forum’: a text box; its text is now in paragraphs of its own: “Join us”",
        "in ‘Youth forum’: a tracked deletion “gone”, left out",
        "in ‘Youth forum’: a tracked insertion “new”, taken as accepted",
        "in ‘Youth forum’: 3 hidden passages, the first “unseen”, left out",
    ]


def test_what_is_no_text_is_named(bring_in: Importer) -> None:
    chart = f"<office:x {DECLARED}><chart:chart><text:p>Rainfall</text:p></chart:chart></office:x>"
    fraction = (
        f"<math:math {DECLARED}><math:mfrac><math:mi>a</math:mi><math:mi>b</math:mi></math:mfrac></math:math>"
    )
    sum_ = f"<math:math {DECLARED}><math:mi>a</math:mi><math:mo>+</math:mo><math:mi>b</math:mi></math:math>"
    frame = '<draw:frame><draw:object xlink:href="./Object {}"/></draw:frame>'
    imported = bring_in(
        f"<text:p>See {frame.format(1)}{frame.format(2)}{frame.format(3)}.</text:p>"
        f"<text:p>{picture('https://example.org/x.png')}{picture('../../etc/passwd')}</text:p>"
        "<text:table-of-content><text:index-body><text:p>Youth forum 1</text:p></text:index-body>"
        "</text:table-of-content><text:p><draw:custom-shape/></text:p>",
        parts={
            "Object 1/content.xml": chart,
            "Object 2/content.xml": fraction,
            "Object 3/content.xml": sum_,
            "Basic/Standard/Module1.xml": "<x/>",
        },
        pages="<style:master-page><style:footer><text:p>Us</text:p></style:footer></style:master-page>",
    )
    assert written(imported) == "See a+b."
    assert left(imported) == [
        "in ‘Youth forum’: a chart “Rainfall”; save it as a picture in LibreOffice and add it to images/",
        "in ‘Youth forum’: an equation “ab”; add it as a picture",
        "in ‘Youth forum’: a picture that is not in the file but linked from elsewhere",
        "in ‘Youth forum’: a drawing",
        "in ‘Youth forum’: a line of the table of contents “Youth forum 1”, left out, because the email has "
        "its own",
        "in the whole document: a page footer “Us”",
        "in the whole document: macros, which were not read or run",
    ]


_WORD = st.integers(0, 10**6).map(lambda number: f"w{number}x")
_INLINE = st.deferred(
    lambda: st.one_of(
        _WORD,
        st.tuples(st.sampled_from("BISUDN"), st.lists(_INLINE, min_size=1, max_size=3)).map(
            lambda made: f'<text:span text:style-name="{made[0]}">{" ".join(made[1])}</text:span>'
        ),
        _INLINE.map(lambda inner: f'<text:a xlink:href="https://example.org/#a">to {inner}</text:a>'),
        _WORD.map(note),
        _WORD.map(lambda word: text_box(f"<text:p>{word}</text:p>")),
        _WORD.map(lambda word: f"<office:annotation><text:p>{word}</text:p></office:annotation>"),
        _WORD.map(lambda word: f"<draw:custom-shape><text:p>{word}</text:p></draw:custom-shape>"),
        _WORD.map(lambda word: f'<text:meta-field>{word}</text:meta-field><text:bookmark text:name="x"/>'),
        st.just("<text:line-break/>"),
        st.just("<text:s/>"),
    )
)
_LINE = st.lists(_INLINE, min_size=1, max_size=4).map(" ".join)
_BLOCK = st.deferred(
    lambda: st.one_of(
        st.tuples(st.sampled_from(["Text_20_body", "PB", "Quotations", "Caption", "PR"]), _LINE).map(
            lambda made: f'<text:p text:style-name="{made[0]}">{made[1]}</text:p>'
        ),
        st.tuples(st.integers(1, 4), _LINE).map(
            lambda made: f'<text:h text:outline-level="{made[0]}">{made[1]}</text:h>'
        ),
        st.tuples(st.sampled_from(["LN", "LB"]), st.lists(_BLOCK, min_size=1, max_size=3)).map(
            lambda made: (
                f'<text:list text:style-name="{made[0]}">'
                + "".join(f"<text:list-item>{block}</text:list-item>" for block in made[1])
                + "</text:list>"
            )
        ),
        st.lists(st.lists(_BLOCK, min_size=1, max_size=2), min_size=1, max_size=3).map(
            lambda rows: (
                "<table:table>"
                + "".join(
                    "<table:table-row>"
                    + "".join(f"<table:table-cell>{block}</table:table-cell>" for block in row)
                    + "</table:table-row>"
                    for row in rows
                )
                + "</table:table>"
            )
        ),
        st.lists(_BLOCK, min_size=1, max_size=2).map(
            lambda blocks: f"<text:section>{''.join(blocks)}</text:section>"
        ),
    )
)


@settings(max_examples=25, deadline=None)
@given(blocks=st.lists(_BLOCK, min_size=1, max_size=5))
def test_every_word_is_kept_or_named(tmp_path_factory: pytest.TempPathFactory, blocks: list[str]) -> None:
    folder = tmp_path_factory.mktemp("odt")
    text = HEADING.format("Start") + PARAGRAPH.format("begin") + "".join(blocks)
    imported = import_document(write_odt(folder / "x.odt", text), folder / "e", today=TODAY)
    files = "".join(path.read_text(encoding="utf-8") for path in imported.folder.rglob("*.md"))
    named = " ".join(left(imported))
    kept = files.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01234567890123456789"))
    assert [word for word in re.findall(r"w\d+x", text) if word not in kept and word not in named] == []
    assert ("example.org/#a" in text) == ("example.org/#a" in kept)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"META-INF/manifest.xml": "<x><manifest:encryption-data/></x>"}, "protected-document"),
        (
            {"content.xml": f"<!DOCTYPE x [<!ENTITY a 'b'>]><office:document-content {DECLARED}/>"},
            "document-type",
        ),
        ({"content.xml": "<broken"}, "broken-document"),
        ({"content.xml": f"<office:document-content {DECLARED}/>"}, "not-a-document"),
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, "not-a-document"),
    ],
)
def test_other_and_dangerous_documents_are_refused(tmp_path: Path, parts: dict[str, str], code: str) -> None:
    text = HEADING.format("A") + PARAGRAPH.format("b")
    path = write_odt(tmp_path / "x.docx", text, parts=parts)
    with pytest.raises(DocumentError) as refused:
        import_document(path, tmp_path / "editions", today=TODAY)
    assert refused.value.code == code
    assert not list((tmp_path / "editions").iterdir())


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.odt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", MIMETYPE)
        archive.writestr("content.xml", b" " * 17_000_000)
    with pytest.raises(DocumentError, match="too large for a newsletter"):
        import_document(path, tmp_path / "editions", today=TODAY)


@pytest.mark.spare
def test_a_table_repeated_a_million_times_is_cut(bring_in: Importer) -> None:
    cell = '<table:table-cell table:number-columns-repeated="1000000"><text:p>x</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="1000000">{cell}{cell}</table:table-row>'
    assert len(written(bring_in(f"<table:table>{row}</table:table>"))) < 30_000

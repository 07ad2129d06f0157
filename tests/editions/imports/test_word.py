"""A Word document becomes an edition that says what the document said."""

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from docx.document import Document
from docx.oxml import parse_xml
from docx.shared import Inches
from PIL import Image

from editions.errors import NewEditionError, ProblemLevel
from editions.imports.document import choose_alt
from editions.imports.importer import ImportedEdition, import_document
from editions.model import Edition
from editions.reader import inspect_edition, read_edition
from tests.factories.word_documents import DECLARED, append_run, append_xml, draw, start_document

SECTORS = ("education", "culture")
TODAY = date(2026, 11, 24)
Importer = Callable[[Document], ImportedEdition]


@pytest.fixture
def bring_in(tmp_path: Path) -> Importer:
    """Save a document and import it."""

    def importer(document: Document) -> ImportedEdition:
        path = tmp_path / "Autumn news.docx"
        document.save(str(path))
        return import_document(path, tmp_path / "editions", sectors=SECTORS, today=TODAY)

    return importer


def start_story(title: str = "Youth forum") -> Document:
    document = start_document("Our newsletter")
    document.add_heading(title, 1)
    return document


def story(imported: ImportedEdition, number: int = 0) -> str:
    return (imported.folder / imported.stories[number]).read_text(encoding="utf-8")


def body(imported: ImportedEdition, number: int = 0) -> str:
    return story(imported, number).split("\n---\n", 1)[1].strip()


def frame(imported: ImportedEdition) -> str:
    return (imported.folder / "edition.md").read_text(encoding="utf-8")


def left(imported: ImportedEdition) -> list[str]:
    return [str(each) for each in imported.omissions]


def finish(imported: ImportedEdition) -> Edition:
    """What a person would do next: choose sectors, say what pictures show, sign the letter."""
    for path in imported.folder.rglob("*.md"):
        lines = path.read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if not line.startswith("sector:")]
        path.write_text(
            "\n".join(
                f"{line.partition(':')[0]}: written by a person" if ":  # To do" in line else line
                for line in lines
            )
        )
    return read_edition(imported.folder, sectors=SECTORS)


# --- the whole ----------------------------------------------------------------------------------------------


def write_newsletter() -> Document:
    document = start_document("Core title")
    document.add_heading("UNESCO Beijing Newsletter", 0)
    document.add_paragraph("September to December 2021", style="Subtitle")
    document.add_paragraph("Dear colleagues,")
    document.add_paragraph("This autumn brought us together in five countries, and I thank you all for it.")
    document.add_paragraph("Shahbaz Khan")
    document.add_paragraph("Director and Representative")
    document.add_heading("Youth forum", 1)
    document.add_paragraph("It met in October.")
    document.add_picture(draw("JPEG"), width=Inches(5))
    document.add_paragraph("The forum in Xi’an", style="Caption")
    document.add_heading("新しいプロジェクト", 1)
    document.add_paragraph("日本語の本文。")
    return document


def test_a_newsletter_becomes_an_edition_of_its_stories(bring_in: Importer) -> None:
    imported = bring_in(write_newsletter())
    assert imported.slug == imported.folder.name == "autumn-news"
    assert imported.stories == (
        "stories/010-youth-forum.md",
        "stories/020-xin-shiipurojiekuto.md",
    )
    assert imported.omissions == ()
    edition = finish(imported)
    assert [each.texts["en"].title for each in edition.stories] == ["Youth forum", "新しいプロジェクト"]
    assert edition.stories[0].texts["en"].text == "It met in October."
    assert edition.stories[0].image is not None
    assert edition.stories[0].image.caption == "The forum in Xi’an"


def test_the_frame_is_made_of_the_document_and_the_day(bring_in: Importer) -> None:
    edition = finish(bring_in(write_newsletter()))
    assert edition.title == "UNESCO Beijing Newsletter"
    assert (edition.number, edition.period) == ("2026-11", "September to December 2021")
    assert (edition.date, edition.language) == (TODAY, "en")
    assert edition.subject == "UNESCO Beijing Newsletter: Youth forum"
    assert edition.preheader.startswith("新しいプロジェクト")


def test_the_text_before_the_first_heading_is_the_letter(bring_in: Importer) -> None:
    letter = finish(bring_in(write_newsletter())).letter
    assert letter is not None
    assert letter.texts["en"].title == "Dear colleagues"
    assert (letter.name, letter.titles) == ("Shahbaz Khan", ("Director and Representative",))
    assert letter.texts["en"].text == (
        "This autumn brought us together in five countries, and I thank you all for it."
    )


def test_check_complains_only_of_what_a_person_must_say_and_at_its_line(bring_in: Importer) -> None:
    imported = bring_in(write_newsletter())
    problems = inspect_edition(imported.folder, sectors=SECTORS).problems
    errors = [problem for problem in problems if problem.level is ProblemLevel.error]
    assert {problem.code for problem in errors} == {"unknown-sector", "missing-key"}
    for problem in errors:
        line = (imported.folder / problem.path).read_text(encoding="utf-8").splitlines()[problem.line - 1]
        assert line.strip().startswith(("sector: choose-one  # One of education, culture", "alt:  # To do"))


def test_an_edition_needs_neither_a_letter_nor_a_title(bring_in: Importer) -> None:
    document = start_document()
    document.add_heading("Only story", 1)
    document.add_paragraph("Words.")
    edition = finish(bring_in(document))
    assert edition.letter is None
    assert edition.title == "Autumn news"
    assert edition.period == "November 2026"


def test_a_line_before_the_first_heading_is_not_a_letter_and_is_listed(bring_in: Importer) -> None:
    document = start_document("News")
    document.add_paragraph("Working together")
    document.add_heading("Story", 1)
    document.add_paragraph("Words.")
    imported = bring_in(document)
    assert "letter" not in frame(imported)
    assert left(imported) == ["before the first heading: text too short for a letter: “Working together”"]


def test_an_unsigned_letter_leaves_the_name_open(bring_in: Importer) -> None:
    document = start_document("News")
    document.add_paragraph("This is a long sentence. " * 8)
    document.add_heading("Story", 1)
    document.add_paragraph("Words.")
    imported = bring_in(document)
    assert "  name:  # To do: who signs the letter." in frame(imported).splitlines()
    problems = inspect_edition(imported.folder, sectors=SECTORS).problems
    assert ("edition.md", "missing-key") in {(problem.path, problem.code) for problem in problems}


def test_an_edition_is_never_overwritten_and_the_command_that_works_is_named(bring_in: Importer) -> None:
    imported = bring_in(write_newsletter())
    before = {path: path.read_bytes() for path in imported.folder.rglob("*") if path.is_file()}
    with pytest.raises(NewEditionError, match=r"mailer import 'Autumn news\.docx' --edition autumn-news-2"):
        bring_in(start_story())
    assert {path: path.read_bytes() for path in imported.folder.rglob("*") if path.is_file()} == before


def test_a_failure_leaves_nothing_behind(bring_in: Importer, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="there is no text in it"):
        bring_in(start_document())
    assert list((tmp_path / "editions").iterdir()) == []


@pytest.mark.parametrize("slug", ["../outside", "a/b", ".hidden", "a b", ".."])
def test_an_edition_s_name_stays_within_its_folder(tmp_path: Path, slug: str) -> None:
    path = tmp_path / "x.docx"
    write_newsletter().save(str(path))
    with pytest.raises(NewEditionError, match="part of a web address"):
        import_document(path, tmp_path / "editions", slug=slug, today=TODAY)
    assert {each.name for each in tmp_path.iterdir()} <= {"x.docx", "editions"}


def test_the_answer_for_programs_has_its_shape(bring_in: Importer) -> None:
    answer = json.loads(json.dumps(bring_in(write_newsletter()).as_dict()))
    assert answer.keys() == {"edition", "folder", "stories_begin", "stories", "images", "left_behind"}
    assert answer["stories_begin"] == {"at": "heading", "level": 1}
    assert answer["stories"] == [
        "stories/010-youth-forum.md",
        "stories/020-xin-shiipurojiekuto.md",
    ]


def test_a_hundred_stories_are_numbered_in_order(bring_in: Importer) -> None:
    document = start_document("Many")
    for number in range(120):
        document.add_heading(f"Story {number}", 1)
        document.add_paragraph("Words.")
    imported = bring_in(document)
    assert imported.stories[0] == "stories/001-story-0.md"
    assert imported.stories[-1] == "stories/120-story-119.md"
    assert len(finish(imported).stories) == 120


def test_an_invisible_heading_is_not_a_story(bring_in: Importer) -> None:
    document = start_story()
    document.add_paragraph("Words.")
    document.add_heading("\u00ad\u200b ", 1)
    document.add_paragraph("More.")
    imported = bring_in(document)
    assert len(imported.stories) == 1
    assert finish(imported).stories


def test_stories_of_one_name_get_addresses_of_their_own(bring_in: Importer) -> None:
    document = start_document("Twice")
    for _ in range(3):
        document.add_heading("Workshop", 1)
        document.add_paragraph("Words.")
    assert bring_in(document).stories == (
        "stories/010-workshop.md",
        "stories/020-workshop-2.md",
        "stories/030-workshop-3.md",
    )


# --- languages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("教科文组织驻华代表处发布了新的通讯。", "zh-Hans"),
        ("これは日本語の本文です。", "ja"),
        ("이것은 한국어 본문입니다.", "ko"),
        ("Энэ бол монгол хэл дээрх мэдээ юм.", "mn"),
        ("These are English words, with 看见 in them.", "en"),
    ],
)
def test_the_script_says_the_language(bring_in: Importer, words: str, language: str) -> None:
    document = start_story()
    document.add_paragraph(words * 3)
    assert f"\nlanguage: {language}\n" in frame(bring_in(document))


def test_a_language_that_is_given_counts_more(tmp_path: Path) -> None:
    path = tmp_path / "x.docx"
    write_newsletter().save(str(path))
    imported = import_document(path, tmp_path / "editions", language="fr", today=TODAY)
    assert "\nlanguage: fr\n" in frame(imported)


# --- the words ----------------------------------------------------------------------------------------------


def test_headings_lists_links_and_emphasis_are_kept(bring_in: Importer) -> None:
    document = start_story()
    document.add_heading("Below", 2)
    paragraph = document.add_paragraph("Plain, ")
    paragraph.add_run("bold").bold = True
    paragraph.add_run(", ")
    paragraph.add_run("italic").italic = True
    paragraph.add_run(" and ")
    both = paragraph.add_run("both")
    both.bold = both.italic = True
    document.add_heading("Further below", 3)
    document.add_paragraph("One", style="List Bullet")
    document.add_paragraph("Deeper", style="List Bullet 2")
    document.add_paragraph("Two", style="List Bullet")
    document.add_paragraph("First", style="List Number")
    document.add_paragraph("As they said", style="Quote")
    link = document.part.relate_to(
        "https://example.org/a_(b)", "http://x/relationships/hyperlink", is_external=True
    )
    append_run(
        document.add_paragraph("See "), f'<w:hyperlink r:id="{link}"><w:r><w:t>it</w:t></w:r></w:hyperlink>'
    )
    assert body(bring_in(document)) == (
        "## Below\n\n"
        "Plain, **bold**, *italic* and ***both***\n\n"
        "### Further below\n\n"
        "- One\n  - Deeper\n- Two\n\n"
        "1. First\n\n"
        "> As they said\n\n"
        "See [it](<https://example.org/a_(b)>)"
    )


def test_a_list_by_its_numbering_alone_is_one(bring_in: Importer) -> None:
    document = start_story()
    for level, words in (("0", "One"), ("1", "Deeper"), ("0", "Two")):
        append_xml(
            document,
            f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="99"/></w:numPr></w:pPr>'
            f"<w:r><w:t>{words}</w:t></w:r></w:p>",
        )
    numbering = document.part.numbering_part.element
    levels = "".join(f'<w:lvl w:ilvl="{level}"><w:numFmt w:val="bullet"/></w:lvl>' for level in range(2))
    numbering.insert(0, parse_xml(f'<w:abstractNum {DECLARED} w:abstractNumId="99">{levels}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {DECLARED} w:numId="99"><w:abstractNumId w:val="99"/></w:num>'))
    assert body(bring_in(document)) == "- One\n  - Deeper\n- Two"


def test_a_numbered_list_goes_on_counting_after_a_paragraph(bring_in: Importer) -> None:
    document = start_story()
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="98"/></w:numPr></w:pPr>'
        "<w:r><w:t>{}</w:t></w:r></w:p>"
    )
    append_xml(document, item.format("One") + item.format("Two"))
    document.add_paragraph("Between.")
    append_xml(document, item.format("Three") + item.format("Four"))
    numbering = document.part.numbering_part.element
    level = '<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
    numbering.insert(0, parse_xml(f'<w:abstractNum {DECLARED} w:abstractNumId="98">{level}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {DECLARED} w:numId="98"><w:abstractNumId w:val="98"/></w:num>'))
    assert body(bring_in(document)) == "1. One\n2. Two\n\nBetween.\n\n3. Three\n4. Four"


@pytest.mark.parametrize(
    ("levels", "written"),
    [((2, 3), "##,###"), ((3,), "##"), ((2, 4), "##,###"), ((3, 2), "##,##"), ((2, 3, 4), "##,###,###")],
)
def test_headings_never_skip_a_level(bring_in: Importer, levels: tuple[int, ...], written: str) -> None:
    document = start_story()
    for level in levels:
        document.add_heading(f"Level {level}", level)
        document.add_paragraph("Words.")
    imported = bring_in(document)
    marks = [line.split()[0] for line in body(imported).splitlines() if line.startswith("#")]
    assert ",".join(marks) == written
    assert finish(imported).stories


def test_a_style_of_one_s_own_is_what_it_is_based_on(bring_in: Importer) -> None:
    document = start_document("News")
    own = document.styles.add_style("Our story title", 1)
    own.base_style = document.styles["Heading 1"]
    document.add_paragraph("By style", style=own)
    document.add_paragraph("Words.")
    assert bring_in(document).stories == ("stories/010-by-style.md",)


def test_a_table_stays_one(bring_in: Importer) -> None:
    document = start_story()
    table = document.add_table(3, 2)
    for row, cells in enumerate((("What", "When"), ("A | B", "**now**"), ("Last", ""))):
        for column, words in enumerate(cells):
            table.cell(row, column).text = words
    assert body(bring_in(document)) == (
        "| What | When |\n| --- | --- |\n| A \\| B | \\*\\*now\\*\\* |\n| Last |  |"
    )


def test_merged_cells_become_single_ones_and_are_named(bring_in: Importer) -> None:
    document = start_story()
    table = document.add_table(3, 3)
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"{row}{column}"
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(1, 2).merge(table.cell(2, 2)).text = "high"
    imported = bring_in(document)
    assert body(imported) == ("| wide |  | 02 |\n| --- | --- | --- |\n| 10 | 11 | high |\n| 20 | 21 |  |")
    assert any("merged cells of a table" in each for each in left(imported))


def test_a_table_that_only_arranges_is_taken_apart(bring_in: Importer) -> None:
    document = start_story()
    table = document.add_table(1, 2)
    table.cell(0, 0).paragraphs[0].add_run().add_picture(draw(), width=Inches(2))
    table.cell(0, 1).text = "Beside the picture."
    imported = bring_in(document)
    assert body(imported) == "Beside the picture."
    assert "image:" in story(imported)


def test_a_story_may_stand_in_a_table(bring_in: Importer) -> None:
    document = start_document("News")
    table = document.add_table(2, 1)
    for row, title in enumerate(("Left", "Right")):
        table.cell(row, 0).paragraphs[0].text = title
        table.cell(row, 0).paragraphs[0].style = document.styles["Heading 1"]
        table.cell(row, 0).add_paragraph("Words.")
    assert bring_in(document).stories == ("stories/010-left.md", "stories/020-right.md")


def test_raised_and_lowered_digits_are_kept(bring_in: Importer) -> None:
    document = start_story("CO2")
    paragraph = document.add_paragraph("CO")
    paragraph.add_run("2").font.subscript = True
    paragraph.add_run(" and 5 m")
    paragraph.add_run("2").font.superscript = True
    paragraph.add_run(" on the 21")
    paragraph.add_run("st").font.superscript = True
    assert body(bring_in(document)) == "CO₂ and 5 m² on the 21st"


def test_a_line_break_is_kept(bring_in: Importer) -> None:
    document = start_story()
    run = document.add_paragraph("One").add_run()
    run.add_break()
    run.add_text("- two")
    assert body(bring_in(document)) == "One\\\n\\- two"


def test_readings_above_characters_stand_in_brackets(bring_in: Importer) -> None:
    document = start_story()
    append_run(
        document.add_paragraph(""),
        "<w:r><w:ruby><w:rt><w:r><w:t>かんじ</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>漢字</w:t></w:r></w:rubyBase></w:ruby></w:r>",
    )
    assert body(bring_in(document)) == "漢字（かんじ）"


def test_fields_and_content_controls_keep_their_words(bring_in: Importer) -> None:
    document = start_story()
    append_run(
        document.add_paragraph("On "),
        '<w:fldSimple w:instr="DATE"><w:r><w:t>24 November</w:t></w:r></w:fldSimple>'
        "<w:sdt><w:sdtContent><w:r><w:t>, filled in</w:t></w:r></w:sdtContent></w:sdt>"
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr>"
        "<w:sdtContent><w:r><w:t>Click here</w:t></w:r></w:sdtContent></w:sdt>"
        "<w:bdo><w:r><w:t>.</w:t></w:r></w:bdo>",
    )
    assert body(bring_in(document)) == "On 24 November, filled in."


# --- pictures -----------------------------------------------------------------------------------------------


def add_picture(document: Document, data: object, alt: str = "") -> None:
    document.add_picture(data, width=Inches(4))  # type: ignore[arg-type]
    document.paragraphs[-1]._p.find(".//{*}docPr").set("descr", alt)


def test_a_picture_brings_word_s_alt_text(bring_in: Importer) -> None:
    document = start_story()
    add_picture(document, draw(), "Young people around a table")
    document.add_paragraph("Words.")
    imported = bring_in(document)
    assert "  alt: Young people around a table\n" in story(imported)
    assert imported.images[0].endswith(".png")
    assert len(imported.images[0]) == len("0123456789ab.png")


@pytest.mark.parametrize(
    "alt",
    ["", "IMG_0001.JPG", "image1.png", "A group of people. Description automatically generated", "As below"],
)
def test_an_alt_text_that_says_nothing_is_left_to_a_person(bring_in: Importer, alt: str) -> None:
    document = start_story()
    add_picture(document, draw(), alt)
    document.add_paragraph("As below", style="Caption")
    document.add_paragraph("Words.")
    assert "  alt:  # To do" in story(bring_in(document))


@pytest.mark.parametrize(
    "alt",
    [
        r"C:\Users\Jan Kramer\Pictures\forum 1.jpg",
        "file:///home/ann/forum",
        "Picture 4",
        "Ein Bild, das Text enthält. Automatisch generierte Beschreibung",
        "Une image contenant personne, intérieur Description générée automatiquement",
        "Imagen que contiene persona, interior Descripción generada automáticamente",
        "Immagine che contiene testo Descrizione generata automaticamente",
        "Uma imagem contendo pessoa Descrição gerada automaticamente com confiança média",
        "Afbeelding met tekst Automatisch gegenereerde beschrijving",
        "Изображение выглядит как текст Автоматически созданное описание",
        "图片包含 人, 室内 描述已自动生成",
        "人の写真 自動的に生成された説明",
        "사람, 실내이(가) 표시된 사진 자동 생성된 설명",
        "Obraz zawierający tekst Opis wygenerowany automatycznie",
        "A group of people AI-generated content may be incorrect.",
        "Le contenu généré par l’IA peut être incorrect.",
    ],
)
def test_a_program_s_own_words_are_no_description(alt: str) -> None:
    assert choose_alt(alt, "") == ""
    assert choose_alt("A pupil describes her automatic weather station", "") != ""


def test_a_phone_s_photograph_stays_a_jpeg_upright_and_of_a_size_to_send(bring_in: Importer) -> None:
    photograph = Image.radial_gradient("L").resize((5712, 4284)).convert("RGB")
    exif = Image.Exif()
    exif[274], exif[305] = 6, "the camera's program"
    data = io.BytesIO()
    photograph.save(data, "MPO", save_all=True, append_images=[photograph.copy()] * 2, exif=exif)
    document = start_story()
    add_picture(document, draw())
    document.part.package.image_parts._image_parts[0]._blob = data.getvalue()
    document.add_paragraph("Words.")
    imported = bring_in(document)
    with Image.open(imported.folder / "images" / imported.images[0]) as image:
        assert (image.format, image.size) == ("JPEG", (1800, 2400))
        assert 305 not in image.getexif()


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_a_picture_mail_programs_do_not_show_is_converted(bring_in: Importer, kind: str) -> None:
    document = start_story()
    document.add_picture(draw(kind), width=Inches(4))
    document.add_paragraph("Words.")
    imported = bring_in(document)
    with Image.open(imported.folder / "images" / imported.images[0]) as image:
        assert (image.format, image.size) == ("PNG", (1200, 700))


def test_what_was_cut_off_in_word_stays_cut_off(bring_in: Importer) -> None:
    document = start_story()
    picture = Image.new("RGB", (1000, 500), "white")
    picture.paste("#c00000", (0, 0, 500, 500))
    data = draw()
    data.seek(0)
    data.truncate()
    picture.save(data, "PNG")
    data.seek(0)
    add_picture(document, data)
    document.add_paragraph("Words.")
    append = document.element.body.find(".//{*}blipFill")
    append.insert(1, parse_xml(f'<a:srcRect {DECLARED} l="50000" b="20000"/>'))
    imported = bring_in(document)
    with Image.open(imported.folder / "images" / imported.images[0]) as image:
        assert image.size == (500, 400)
        assert image.convert("RGB").getcolors() == [(200_000, (255, 255, 255))]


def test_further_pictures_stand_below_the_story_and_icons_are_named(bring_in: Importer) -> None:
    document = start_story()
    add_picture(document, draw(colour="#111111"), "First")
    add_picture(document, draw(colour="#222222"), "Second")
    document.add_paragraph("Later that day", style="Caption")
    add_picture(document, draw(colour="#333333"))
    add_picture(document, draw(colour="#444444", width=32, height=32), "An icon")
    document.add_paragraph("Words.")
    imported = bring_in(document)
    assert len(imported.images) == 4
    (further,) = left(imported)
    assert further.startswith("in ‘Youth forum’: a picture, kept as images/")
    assert "“An icon”" in further
    (written,) = finish(imported).stories
    assert written.image is not None
    pictures = [(image.alt, image.caption) for image in (written.image, *written.images)]
    assert pictures == [("First", ""), ("Second", "Later that day"), ("written by a person", "")]


def test_a_picture_twice_in_the_document_is_one_file(bring_in: Importer) -> None:
    document = start_document("News")
    for title in ("One", "Two"):
        document.add_heading(title, 1)
        document.add_picture(draw(), width=Inches(4))
        document.add_paragraph("Words.")
    assert len(bring_in(document).images) == 1


def test_a_banner_is_not_a_portrait(bring_in: Importer) -> None:
    document = start_document("News")
    document.add_picture(draw(width=1200, height=200), width=Inches(6))
    document.add_picture(draw(width=400, height=500), width=Inches(2))
    document.add_paragraph("Dear colleagues,")
    document.add_paragraph("This autumn brought us together in five countries, and I thank you all for it.")
    document.add_heading("Story", 1)
    document.add_paragraph("Words.")
    imported = bring_in(document)
    portrait = frame(imported).partition("portrait:\n    file: ")[2].split("\n")[0]
    with Image.open(imported.folder / "images" / portrait) as image:
        assert image.size == (400, 500)
    assert any("a picture, kept as images/" in each for each in left(imported))

"""An edition's texts to a translator and back, as Word and as XLIFF."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from docx import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from editions.changes.front_matter_change import read_fields
from editions.errors import DocumentError
from editions.reader import inspect_edition
from editions.rich_text.nodes import Mark, MarkKind, Text
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from editions.translation_exchange.exchange import ImportedTranslations, export_texts, read_translations
from editions.translation_exchange.units import Exchange, ReturnedUnit, TranslatedFile, TranslationUnit
from editions.translation_exchange.word_format import read_docx, write_docx
from editions.translation_exchange.xliff import NAMESPACE, read_xliff, write_xliff
from tests.factories.draft_edition import SECTORS, Draft

FORMATS = [write_docx, write_xliff]
STORY = "stories/010-youth-forum.md"
BODY = """\
The *forum* met in **October**, with [a **bold** link](https://example.org/a_(b)).

## What came of it

- One thing,
  on two lines
- Another, with `code` and ~~an error~~

> A quotation,\\
> with a break

1. First
2. Second

---

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft(tmp_path / "2021-2")
    draft.change(STORY, "The forum met in October.", BODY)
    return draft


def read_back(data: bytes, exchange: Exchange) -> list[ReturnedUnit]:
    return read_docx("x", data, exchange) if data.startswith(b"PK") else read_xliff("x", data)[1]


def apply(draft: Draft, result: ImportedTranslations) -> None:
    for name, text in result.changes.items():
        (draft.folder / name).write_text(text, encoding="utf-8")


def translate(unit: ReturnedUnit) -> ReturnedUnit:
    """Words of another language, with the marks where they were."""
    words = {"The ": "论坛", "forum": "青年", "One thing, on two lines": "一件事"}
    texts = unit.source or ()
    return replace(unit, target=tuple(text._replace(text=words.get(text.text, text.text)) for text in texts))


@pytest.mark.parametrize("write", FORMATS)
def test_what_comes_back_as_it_was_sent_changes_nothing(
    draft: Draft, write: Callable[[Exchange], bytes]
) -> None:
    draft.translate()
    for language in ("zh", "ja"):
        exchange = export_texts(draft.folder, language)
        returned = read_back(write(exchange), exchange)
        assert [(unit.id, _join(unit.source or ())) for unit in returned] == [
            (unit.id, _join(unit.source)) for _, unit in exchange.list_units()
        ]
        result = ImportedTranslations(draft.folder, language, returned)
        assert (result.changes, result.problems, result.translated) == ({}, [], 0)


@pytest.mark.parametrize("write", FORMATS)
def test_a_translation_becomes_files_that_the_edition_reads(
    draft: Draft, write: Callable[[Exchange], bytes]
) -> None:
    exchange = export_texts(draft.folder, "ja")
    done = [translate(unit) for unit in read_back(write(exchange), exchange)]
    result = ImportedTranslations(draft.folder, "ja", done)
    assert not result.problems
    assert set(result.changes) == {"edition.ja.md", STORY.replace(".md", ".ja.md")}
    apply(draft, result)
    inspection = inspect_edition(draft.folder, sectors=SECTORS)
    assert inspection.edition is not None
    assert "ja" in inspection.edition.languages
    text = result.changes[STORY.replace(".md", ".ja.md")]
    assert "论坛*青年* met" in text
    assert "[a **bold** link](https://example.org/a_(b))" in text
    assert "- 一件事\n- Another, with `code`" in text
    # Sent out again, everything is there, and nothing changes any more.
    again = export_texts(draft.folder, "ja")
    assert all(unit.target for _, unit in again.list_units())
    assert ImportedTranslations(draft.folder, "ja", read_back(write(again), again)).changes == {}


def test_one_changed_text_changes_nothing_else_in_the_file(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    apply(
        draft,
        ImportedTranslations(draft.folder, "ja", map(translate, read_back(write_xliff(exchange), exchange))),
    )
    name = STORY.replace(".md", ".ja.md")
    before = (draft.folder / name).read_text("utf-8")
    odd = before.replace("- 一件事\n- Another", "*   一件事\n*   Another").replace(
        "title:", "# a note of ours\ntitle:  "
    )
    (draft.folder / name).write_text(odd, encoding="utf-8")
    exchange = export_texts(draft.folder, "ja")
    returned = read_back(write_xliff(exchange), exchange)
    heading = next(unit for unit in returned if unit.target == (Text("What came of it"),))
    result = ImportedTranslations(draft.folder, "ja", [replace(heading, target=(Text("结果"),))])
    assert result.changes == {name: odd.replace("## What came of it", "## 结果")}


def test_a_link_that_alone_is_translated_stays_in_its_place(draft: Draft) -> None:
    links = ["one", "two", "three"]
    written = "".join(f"  - what: {what}\n    url: https://example.org/{what}\n" for what in links)
    draft.write("stories/020-links.md", f"---\ntitle: Links\nread_more:\n{written}---\n\nWords.\n")
    name, returned = "stories/020-links.ja.md", {"read_more.1.what": "二", "title": "リンク"}
    units = [
        ReturnedUnit(file_id="stories.links", id=unit, source=None, target=(Text(words),), place="a row")
        for unit, words in returned.items()
    ]
    text = ImportedTranslations(draft.folder, "ja", units).changes[name]
    assert read_fields(text)["title"] == "リンク"
    # Known by its place alone: what stands before it, and is not translated yet, is there as it was.
    assert read_fields(text)["read_more"] == [{"what": "one"}, {"what": "二"}, {"what": "three"}]


def test_a_link_that_only_the_translation_has_stays(draft: Draft) -> None:
    link = "read_more:\n  - what: one\n    url: https://example.org/one\n"
    own = "read_more:\n  - what: 一\n  - what: 更多\n    url: https://example.org/ja\n"
    draft.write("stories/020-links.md", f"---\ntitle: Links\n{link}---\n\nWords.\n")
    name = "stories/020-links.ja.md"
    draft.write(name, f"---\ntitle: リンク\n{own}---\n\n文。\n")
    unit = ReturnedUnit(
        file_id="stories.links", id="read_more.0.what", source=None, target=(Text("壱"),), place="a row"
    )
    text = ImportedTranslations(draft.folder, "ja", [unit]).changes[name]
    assert read_fields(text)["read_more"] == [
        {"what": "壱"},
        {"what": "更多", "url": "https://example.org/ja"},
    ]


def test_a_text_whose_original_has_changed_is_not_taken_and_named(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    returned = list(map(translate, read_back(write_docx(exchange), exchange)))
    draft.change(STORY, "What came of it", "What became of it")
    result = ImportedTranslations(draft.folder, "ja", returned)
    assert ["What became of it" in message for _, message in result.problems] == [True]
    assert result.problems[0][0].startswith("Row ")
    assert "## What became of it" in result.changes[STORY.replace(".md", ".ja.md")]


def test_texts_that_are_unknown_or_there_twice_are_named(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    title, *_ = map(translate, read_back(write_xliff(exchange), exchange))
    title = replace(title, target=(Text("新闻"),))
    strange = [replace(title, id="body.99"), replace(title, file_id="stories.gone"), title, title]
    result = ImportedTranslations(draft.folder, "ja", strange)
    assert [message.partition(",")[0] for _, message in result.problems] == [
        "the edition has no such text any more",
        "the edition has no such story any more",
        "this text is there twice. The first was taken: delete one of them.",
    ]
    assert result.translated == 1


def test_a_link_to_a_script_is_refused_and_the_file_named(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    returned = read_back(write_xliff(exchange), exchange)
    evil = Text("here", (Mark(MarkKind.link, "javascript:alert(1)"),))
    body = next(unit for unit in returned if unit.id == "body.0" and unit.file_id != "edition")
    result = ImportedTranslations(draft.folder, "ja", [replace(body, target=(evil,))])
    assert not any("javascript" in text for text in result.changes.values())
    assert len(result.problems) == 1


def test_a_translation_that_is_divided_otherwise_goes_out_as_a_whole(draft: Draft) -> None:
    draft.translate()
    units = export_texts(draft.folder, "zh").files[1].units
    (whole,) = [unit for unit in units if unit.id.startswith("body")]
    assert (whole.id, whole.note) == ("body", "The whole text, in Markdown: keep its signs")


# --- Word ---------------------------------------------------------------------------------------------------


def test_word_opens_the_table_and_saves_it_with_what_was_typed(draft: Draft, tmp_path: Path) -> None:
    exchange = export_texts(draft.folder, "ja")
    document = Document(io.BytesIO(write_docx(exchange)))
    table = document.tables[0]
    row = next(row for row in table.rows if "What came of it" in row.cells[0].text)
    row.cells[1].paragraphs[0].add_run("“结").bold = True
    row.cells[1].add_paragraph("果”")
    document.save(str(tmp_path / "back.docx"))
    returned = read_docx("back.docx", (tmp_path / "back.docx").read_bytes(), exchange)
    heading = next(unit for unit in returned if unit.source == (Text("What came of it"),))
    assert heading.target == (Text("“结", (Mark(MarkKind.strong),)), Text("\n"), Text("果”"))


def test_a_row_that_has_lost_its_id_is_found_by_its_original(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    document = Document(io.BytesIO(write_docx(exchange)))
    row = next(row for row in document.tables[0].rows if "What came of it" in row.cells[0].text)
    paragraph = row.cells[0].paragraphs[0]
    paragraph._element.getparent().remove(paragraph._element)
    row.cells[1].paragraphs[0].add_run("结果")
    out = io.BytesIO()
    document.save(out)
    returned = read_docx("x", out.getvalue(), exchange)
    result = ImportedTranslations(draft.folder, "ja", returned)
    assert "## 结果" in result.changes[STORY.replace(".md", ".ja.md")]


def test_tracked_changes_count_as_accepted(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    packed = zipfile.ZipFile(io.BytesIO(write_docx(exchange)))
    xml = packed.read("word/document.xml").decode()
    space = 'xml:space="preserve"'
    run = f"<w:r><w:t {space}>{{}}</w:t></w:r>"
    changes = (
        f'<w:del w:id="1" w:author="a"><w:r><w:delText {space}>old</w:delText></w:r></w:del>'
        f'<w:ins w:id="2" w:author="a">{run.format("新")}</w:ins>'
    )
    after = xml.index("</w:tc>", xml.index("What came of it")) + len("</w:tc>")
    place = xml.index("</w:p>", after)
    changed = xml[:place] + changes + xml[place:]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in packed.namelist():
            archive.writestr(name, changed if name == "word/document.xml" else packed.read(name))
    returned = read_docx("x", out.getvalue(), exchange)
    assert next(unit.target for unit in returned if unit.source == (Text("What came of it"),)) == (
        Text("新"),
    )


# --- XLIFF --------------------------------------------------------------------------------------------------


def test_segments_that_a_tool_has_divided_are_put_together(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    root = etree.fromstring(write_xliff(exchange))
    ns = f"{{{NAMESPACE}}}"
    unit = next(one for one in root.iter(f"{ns}unit") if one.get("id") == "title")
    segment = unit.find(f"{ns}segment")
    assert segment is not None
    source = segment.find(f"{ns}source")
    assert source is not None
    words = source.text or ""
    source.text = words[:4]
    etree.SubElement(segment, f"{ns}target").text = "新"
    gap = etree.SubElement(unit, f"{ns}ignorable")
    etree.SubElement(gap, f"{ns}source").text = words[4:5]
    second = etree.SubElement(unit, f"{ns}segment")
    etree.SubElement(second, f"{ns}source").text = words[5:]
    etree.SubElement(second, f"{ns}target").text = "闻"
    _, returned = read_xliff("x", etree.tostring(root))
    title = returned[0]
    assert "".join(text.text for text in title.source or ()) == words
    assert "".join(text.text for text in title.target) == f"新{words[4:5]}闻"
    target = second.find(f"{ns}target")
    assert target is not None
    second.remove(target)
    assert read_xliff("x", etree.tostring(root))[1][0].target == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither a Word document"),
        (b"%PDF-1.7", "neither a Word document"),
        (b"PK\x03\x04garbage", "not a Word document"),
        (b"<xliff", "not XML"),
        (b"<html/>", "not XLIFF 2"),
        (b'<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2"/>', "XLIFF 1.2"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><xliff xmlns="%s"/>' % NAMESPACE.encode(), "document type"),
        (b'<xliff xmlns="%s" version="2.1" trgLang="fr"/>' % NAMESPACE.encode(), "into fr, not into ja"),
    ],
)
def test_a_file_that_is_no_translation_is_refused_with_words(draft: Draft, data: bytes, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_translations("x", data, draft.folder, "ja")


def test_the_kind_of_a_returned_file_is_found_out(draft: Draft) -> None:
    exchange = export_texts(draft.folder, "ja")
    for write in FORMATS:
        result = read_translations("x", write(exchange), draft.folder, "ja")
        assert (result.problems, result.unchanged) == ([], len(list(exchange.list_units())))


# --- any text -----------------------------------------------------------------------------------------------

LETTERS = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp"), exclude_characters="\ufffe\uffff"
    ),
    min_size=1,
)
MARKS = st.lists(
    st.sampled_from(
        [
            Mark(MarkKind.link, "https://example.org/?a=1&b=<2>"),
            Mark(MarkKind.em),
            Mark(MarkKind.strong),
            Mark(MarkKind.strike),
            Mark(MarkKind.code),
        ]
    ),
    unique=True,
    max_size=3,
).map(lambda marks: tuple(sorted(marks, key=lambda mark: list(MarkKind).index(mark.kind))))
TEXTS = st.lists(st.builds(Text, LETTERS, MARKS), min_size=1, max_size=6).map(tuple)


def _join(texts: tuple[Text, ...]) -> list[tuple[str, tuple[Mark, ...]]]:
    """Each character with its marks: how texts are divided says nothing."""
    return [(sign, text.marks) for text in texts for sign in text.text]


def _make_exchange(unit: TranslationUnit) -> Exchange:
    """An exchange of one file, whose only unit is ``unit``, whatever its texts are."""
    original = TextFile(name="stories/010-a.md", text="---\ntitle: A\n---\n")
    file = TranslatedFile(
        id="stories.a",
        original=original,
        front_matter=read_front_matter(original)[0],
        name="stories/010-a.ja.md",
        text=None,
    )
    vars(file)["units"] = (unit,)
    return Exchange(slug="e", title="E", source_language="en", language="ja", files=(file,))


@given(source=TEXTS, target=TEXTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_text_comes_back_from_xliff_with_its_marks(
    source: tuple[Text, ...], target: tuple[Text, ...]
) -> None:
    exchange = _make_exchange(TranslationUnit(id="body.0", note="Paragraph", source=source, target=target))
    (returned,) = read_xliff("x", write_xliff(exchange))[1]
    assert _join(returned.source or ()) == _join(source)
    assert _join(returned.target) == _join(target)


@given(target=TEXTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_text_comes_back_from_word_with_its_marks(target: tuple[Text, ...]) -> None:
    exchange = _make_exchange(
        TranslationUnit(id="body.0", note="Paragraph", source=(Text("a"),), target=target)
    )
    (returned,) = read_docx("x", write_docx(exchange), exchange)
    kept, wanted = _join(returned.target), _join(target)
    # Spaces at the ends of a cell say nothing.
    assert [sign for sign, _ in kept] == list("".join(sign for sign, _ in wanted).strip())
    assert all(pair in wanted for pair in kept)

"""What was written in Word is what is read in the edition, whatever signs it is made of."""

import html
import json
import re
import unicodedata
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from editions.changes.yaml_writer import quote_yaml
from editions.imports.html.chapters import Chapter
from editions.imports.html.cleaner import clean_chapter
from editions.imports.html.inline_spans import has_visible_text
from editions.imports.importer import import_document
from editions.imports.markdown_writer import escape_text, write_markdown
from editions.imports.source_document import OmissionLog
from editions.markdown.renderer import render_markdown
from editions.new_editions import make_slug
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from editions.unsafe_characters import remove_unsafe_characters
from tests.factories.word_documents import HEADING, body, write_package
from tests.paths import ROOT

NAUGHTY = ROOT.parent / "shared" / "corpora" / "naughty-strings" / "blns.json"
JOINER = "\u2060"
# Signs that mean something to Markdown, with letters, spaces and Chinese between them.
SIGNS = st.text(alphabet=st.sampled_from("a1 .*_-+#>|`[]()<&;!~=:\\/@{}\"'\n中。「」é"), max_size=24)
# What XML can hold; Word writes nothing else.
WRITTEN = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40
)
LOOKS = ("strong", "em", "s", "a")


def letters(text: str) -> str:
    """``text`` without what spaces and invisible joiners do to it."""
    return re.sub(
        r"\s+", "", unicodedata.normalize("NFC", remove_unsafe_characters(text)).replace(JOINER, "")
    )


def read(markdown: str) -> str:
    prose = render_markdown(markdown, language="en")
    assert prose.problems == (), markdown
    # A wide table says the titles of its columns in the cells again, for a phone.
    once = re.sub(r'<span class="tl">.*?</span>', "", prose.html, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", once))


def write(xml: str) -> str:
    """The Markdown of a block of HTML, as mammoth would give it."""
    tidied = clean_chapter(Chapter("", [etree.fromstring(xml)]), {}, OmissionLog())
    return write_markdown(tidied.blocks, language="en")


def xml_text(text: str) -> str:
    return escape(text.replace("\ufffe", "").replace("\uffff", ""))


@settings(max_examples=400, deadline=None)
@given(text=SIGNS | WRITTEN)
@example(text="1. not a list")
@example(text="- - -")
@example(text="===")
@example(text="    code")
@example(text="&amp; &#64;&#64; <b>x</b> <!-- y -->")
@example(text="[a]: https://example.org")
@example(text="a\\")
@example(text="@@unsubscribe_url@@@")
@example(text="| a | b |\n|---|---|")
def test_a_paragraph_reads_as_it_was_written(text: str) -> None:
    markdown = write(f"<p>{xml_text(text)}</p>")
    assert letters(read(markdown)) == letters(text)
    assert "@@" not in markdown
    assert "@@" not in read(markdown)


@settings(max_examples=300, deadline=None)
@given(text=SIGNS)
@pytest.mark.parametrize(
    "around", ["<ul><li>{}</li></ul>", "<h2>{}</h2>", "<blockquote><p>{}</p></blockquote>"]
)
def test_so_do_list_items_headings_and_quotations(around: str, text: str) -> None:
    markdown = write(around.format(xml_text(text))) if text.strip() else ""
    assert letters(read(markdown)) == letters(text)


@settings(max_examples=200, deadline=None)
@given(cells=st.lists(SIGNS, min_size=4, max_size=4))
@example(cells=["", "1", "1" * 18, "1" * 16 + "@@"])
def test_so_do_cells_and_each_stays_in_its_column(cells: list[str]) -> None:
    a, b, c, d = map(xml_text, cells)
    markdown = (
        write(f"<table><tr><td>{a}</td><td>{b}</td></tr><tr><td>{c}</td><td>{d}</td></tr></table>")
        if any(cell.strip() for cell in cells)
        else ""
    )
    assert letters(read(markdown)) == letters("".join(cells))
    assert all(len(re.findall(r"(?<!\\)\|", line.replace("\\\\", ""))) == 3 for line in markdown.splitlines())


@settings(max_examples=500, deadline=None)
@given(runs=st.lists(st.tuples(SIGNS, st.sets(st.sampled_from(LOOKS))), max_size=5))
@example(runs=[("Note:", {"strong"}), ("that", set())])
@example(runs=[("「重要」", {"strong"}), ("です", set())])
@example(runs=[("a", {"strong"}), ("b", {"em"}), ("c", {"strong", "em"})])
@example(runs=[("a", {"s"}), ("~b", {"strong"})])
@example(runs=[("!", set()), ("x", {"a"})])
@example(runs=[("@", {"strong"}), ("@", {"em"})])
def test_runs_of_every_look_read_as_they_were_written(runs: list[tuple[str, set[str]]]) -> None:
    parts = []
    for text, looks in runs:
        part = xml_text(text)
        for look in sorted(looks, key=LOOKS.index):
            href = ' href="https://example.org/"' if look == "a" else ""
            part = f"<{look}{href}>{part}</{look}>"
        parts.append(part)
    markdown = write(f"<p>{''.join(parts)}</p>") if any(text.strip() for text, _ in runs) else ""
    assert letters(read(markdown)) == letters("".join(text for text, _ in runs))


@pytest.mark.parametrize(
    ("xml", "markdown"),
    [
        ("<p><strong>Note:</strong>that</p>", "**Note**:that"),
        ("<p><strong>「重要」</strong>です。</p>", "**「重要」**です。"),
        ("<p>これは<em>（強調）</em>です</p>", "これは*（強調）*です"),
        ("<p>a<strong> b </strong>c</p>", "a **b** c"),
        ("<p><strong>one </strong><strong>two</strong></p>", "**one two**"),
        ("<p><strong>half</strong>word</p>", "**half**word"),
        ("<p><em>“Quoted.”</em> Then</p>", "*“Quoted.”* Then"),
        ("<p>snake_case and 2 * 3 &lt; 7 &amp; so on</p>", "snake_case and 2 * 3 < 7 & so on"),
        ("<p>Well done! See [1], [2] and C:\\new. 3.</p>", "Well done! See [1], [2] and C:\\new. 3."),
        ("<p>*Two* stars! [1] and ![2]</p>", "\\*Two\\* stars! [1] and ![2]"),
        ('<p>Here!<a href="https://x.org/">[1] there!</a></p>', "Here\\![[1] there!](https://x.org/)"),
        (
            '<p><a href="https://x.org/#a"><strong>All</strong> one</a></p>',
            "[**All** one](https://x.org/#a)",
        ),
        (
            "<table><tr><td><p>Year</p></td><td align='right'><p>Pupils</p></td></tr>"
            "<tr><td><p>2026</p></td><td align='right'><p>1,200</p></td></tr></table>",
            "| Year | Pupils |\n| --- | ---: |\n| 2026 | 1,200 |",
        ),
        ("<p>one <br/>\u00a0two\u00a0<br/>\u00a0\u3000</p>", "one\\\ntwo"),
        ("<p>one<br/>two<br/><br/></p>", "one\\\ntwo"),
        ("<p>#hashtag, C#</p>", "#hashtag, C#"),
    ],
)
def test_markdown_stays_pleasant_to_edit(xml: str, markdown: str) -> None:
    assert write(xml) == markdown


@settings(max_examples=200, deadline=None)
@given(text=SIGNS)
def test_looks_survive_wherever_markdown_can_show_them(text: str) -> None:
    words = f"x{text.replace(chr(10), ' ')}x".strip()
    prose = render_markdown(write(f"<p>See <strong>{xml_text(words)}</strong> there</p>"), language="en")
    assert "<strong>" in prose.html


@pytest.mark.parametrize("in_cell", [False, True])
@pytest.mark.parametrize("sign", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
def test_every_sign_alone_is_itself(sign: str, in_cell: bool) -> None:
    escaped = escape_text(sign, at_start=True, in_cell=in_cell)
    assert read(f"| {escaped} |\n| --- |" if in_cell else escaped) == sign


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=WRITTEN, text=SIGNS | WRITTEN)
def test_a_whole_document_says_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, title: str, text: str
) -> None:
    assert_imported_as_written(tmp_path_factory.mktemp("word"), f"T {title}", f"x {text}")


def assert_imported_as_written(folder: Path, title: str, text: str) -> None:
    paragraph = f'<w:p><w:r><w:t xml:space="preserve">{xml_text(text)}</w:t></w:r></w:p>'
    document = body(HEADING.format(xml_text(title)) + paragraph)
    path = write_package(folder / "x.docx", {"word/document.xml": document.encode()})
    imported = import_document(path, folder / "editions", today=date(2026, 11, 24))
    source = (imported.folder / imported.stories[0]).read_text(encoding="utf-8")
    front, problems = read_front_matter(TextFile(name="x", text=source))
    assert problems == []
    assert letters(front.text("title")) == letters(title)
    assert letters(read(front.body)) == letters(text)
    assert "@@" not in source


@pytest.mark.skipif(not NAUGHTY.exists(), reason="the list of naughty strings is not here")
def test_naughty_strings_are_read_as_they_were_written(tmp_path: Path) -> None:
    possible = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
    strings = [possible.sub("", each) for each in json.loads(NAUGHTY.read_text(encoding="utf-8"))]
    assert len(strings) > 500
    for text in strings:
        if remove_unsafe_characters(text).strip():
            assert letters(read(write(f"<p>{xml_text(text)}</p>"))) == letters(text), text
    assert_imported_as_written(tmp_path, "All of them", " ".join(strings))


# --- front matter -------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(text=SIGNS | WRITTEN)
@example(text="2021-12-31")
@example(text="NO")
@example(text="a: b # c")
@example(text="- x")
def test_a_value_is_read_as_it_was_quoted(text: str) -> None:
    line = " ".join(remove_unsafe_characters(text).split())
    line = line if has_visible_text(line) else ""  # In front matter, invisible text counts as none.
    source = f"---\nkey: {quote_yaml(line)}  # A note.\nrow: [{quote_yaml(line, in_flow=True)}, x]\n---\n"
    front, problems = read_front_matter(TextFile(name="x", text=source))
    assert problems == []
    assert front.text("key") == line
    assert front.value("row") == [line, "x"]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Où en est l’eau ?", "ou-en-est-l-eau"),
        ("新しい計画", "xin-shii-ji-hua"),
        ("教科文组织，北京", "jiao-ke-wen-zu-zhi-bei-jing"),
        ("새로운 소식", "saeloun-sosig"),
        ("Новости культуры", "novosti-kultury"),
        ("👍 — !", "story"),
        ("  ", "story"),
        ("word " * 30, "word-word-word-word-word-word-word-word-word-word-word-word"),
        ("x" * 80, "x" * 60),
    ],
)
def test_a_title_becomes_part_of_a_file_s_name(title: str, slug: str) -> None:
    assert make_slug(title, fallback="story") == slug

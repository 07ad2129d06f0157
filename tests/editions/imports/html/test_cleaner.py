"""Links, notes and captions of a chapter, none of which is lost."""

import pytest
from lxml import etree

from editions.imports.html.chapters import Chapter
from editions.imports.html.cleaner import CleanChapter, clean_chapter
from editions.imports.source_document import OmissionLog


def clean(xml: str, notes: str = "") -> tuple[CleanChapter, list[str]]:
    omissions = OmissionLog()
    blocks = list(etree.fromstring(f"<body>{xml}</body>"))
    found = {f"#{note.get('id')}": note for note in etree.fromstring(f"<ol>{notes}</ol>")}
    return clean_chapter(Chapter("Story", blocks), found, omissions), [
        each.what for each in omissions.list_omissions()
    ]


def addresses(chapter: CleanChapter) -> list[str]:
    return [str(link.get("href")) for block in chapter.blocks for link in block.iter("a")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://example.org/a#b", "https://example.org/a#b"),
        ("www.example.org/a", "https://www.example.org/a"),
        ("news@example.org", "mailto:news@example.org"),
        ("https://example.org/a b {c}.pdf", "https://example.org/a%20b%20%7Bc%7D.pdf"),
    ],
)
def test_an_address_is_read_as_a_browser_would(written: str, read: str) -> None:
    chapter, left = clean(f'<p>See <a href="{written}">it</a></p>')
    assert addresses(chapter) == [read]
    assert left == []


def test_a_link_that_cannot_be_kept_is_named_with_its_address() -> None:
    chapter, left = clean(
        '<p>x<a href="https://example.org/b"> </a> <a href="#top">up</a> <a href="tel:1">1</a></p>'
    )
    assert addresses(chapter) == []
    assert left[0] == "a link without text, which readers could not see: https://example.org/b"
    assert left[1].startswith("the link of “1”: ")


def test_notes_of_captions_and_of_several_paragraphs_are_kept() -> None:
    mark = '<sup><a href="#{}">[1]</a></sup>'
    chapter, _ = clean(
        f'<p><img src="0"/></p><p class="caption">A hall{mark.format("n1")}</p>'
        f"<p>Text{mark.format('n2')}</p>",
        '<li id="n1"><p>Photo by us.</p></li><li id="n2"><p>First.</p><p>Second.</p></li>',
    )
    assert chapter.images[0].caption == "A hall[1]"
    assert chapter.plain_text() == "Text[2] [1] Photo by us. [2] First. Second."


def test_only_the_first_item_says_where_a_list_begins() -> None:
    item, first = '<li><a id="item-{0}"></a>{0}</li>', "<li>1</li>"
    chapter, _ = clean(f"<ol>{first}{item.format(2)}</ol><ol>{item.format(5)}</ol>")
    assert [block.get("start") for block in chapter.blocks] == [None, "5"]

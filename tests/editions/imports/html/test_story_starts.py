"""Where the stories of a document begin, whatever marks their titles."""

import pytest
from lxml import etree

from editions.errors import DocumentError
from editions.imports.document import DocumentContent, read_content
from editions.imports.source_document import OmissionLog, SourceDocument

LONG = "<p>It met in October, and more than two hundred people came to listen, to ask and to plan.</p>"
NAME = '<p class="title">News</p>'


def read(blocks: str, *, level: int = 0) -> tuple[DocumentContent, list[str]]:
    """The content of a document of these ``blocks``, and what was left out of it."""
    omissions = OmissionLog()
    body = etree.fromstring(f"<body>{blocks}</body>")
    content = read_content(SourceDocument(name="Autumn news.docx", body=body), omissions, level=level)
    return content, [str(each) for each in omissions.list_omissions()]


def titles(content: DocumentContent) -> list[str]:
    return [story.title for story in content.stories]


def line(text: str, *, bold: bool = False, size: int = 100) -> str:
    inner = f"<strong>{text}</strong>" if bold else text
    return f'<p data-size="{size}">{inner}</p>'


def stories(tag: str, *names: str) -> str:
    return "".join(f"<{tag}>{name}</{tag}>{LONG}" for name in names)


@pytest.mark.parametrize(
    ("blocks", "told", "found", "title"),
    [
        (stories("h1", "One", "Two"), "Heading 1", ["One", "Two"], ""),
        (stories("h2", "One", "Two"), "Heading 2", ["One", "Two"], ""),
        (stories("h4", "One") + stories("h5", "Two"), "Heading 4", ["One"], ""),
        # A single heading above several is the newsletter's name, with or without a letter below it.
        ("<h1>News</h1>" + stories("h2", "One", "Two"), "Heading 2", ["One", "Two"], "News"),
        (stories("h1", "News") + stories("h2", "One", "Two"), "Heading 2", ["One", "Two"], "News"),
        # With a name above it, it is a story with subheadings, or one story among many.
        (NAME + stories("h1", "Forum") + stories("h2", "One", "Two"), "Heading 1", ["Forum"], "News"),
        (
            NAME + stories("h1", "Editorial") + stories("h2", "One", "Two", "Three"),
            "Heading 2",
            ["Editorial", "One", "Two", "Three"],
            "News",
        ),
        # Subheadings do not make stories of their own.
        ("<h1>One</h1><h2>Why</h2>" + LONG + stories("h1", "Two"), "Heading 1", ["One", "Two"], ""),
        # The style Title for every story, and for the newsletter's name as well.
        (
            f'<p class="title">One</p>{LONG}<p class="title">Two</p>{LONG}',
            "the style Title",
            ["One", "Two"],
            "",
        ),
        (
            '<p class="title">Our</p><p class="title">News</p><p class="subtitle">May</p>'
            f'<p class="title">One</p>{LONG}<p class="title">Two</p>{LONG}',
            "the style Title",
            ["One", "Two"],
            "Our News",
        ),
        # Short lines that stand out; the largest of which there are two, below the masthead.
        (line("One", bold=True) + LONG + line("Two", bold=True) + LONG, "short lines", ["One", "Two"], ""),
        (
            line("NEWS", size=300) + line("One", size=150) + LONG + line("Why", bold=True) + LONG
            + line("Two", size=150) + LONG,
            "short lines",
            ["One", "Two"],
            "NEWS",
        ),
        # A bold date below each title is not the title.
        (
            "".join(
                line(name, bold=True, size=140) + line(f"3 May, {name}", bold=True) + LONG
                for name in ("One", "Two")
            ),
            "short lines",
            ["One", "Two"],
            "",
        ),
        (LONG + LONG, "one story", ["Autumn news"], ""),
        (f'<p class="title">News</p>{LONG}', "one story", ["News"], "News"),
    ],
)  # fmt: skip
def test_stories_begin_where_the_document_shows_it(
    blocks: str, told: str, found: list[str], title: str
) -> None:
    content, left = read(blocks)
    assert told in str(content.starts)
    assert titles(content) == found
    assert content.title == title
    assert left == []


@pytest.mark.parametrize(
    "ordinary",
    [
        line("Note that this line is bold and ends like a sentence.", bold=True),
        line("A bold line that leads in to a list:", bold=True),
        line("Dear colleagues,", bold=True),
        line("W" * 130, bold=True),
        line("—", bold=True),
        "<p><strong>Half</strong> of it is bold</p>",
        line("Slightly larger", size=105),
        # A button at the end of each story is there more than once.
        line("Read more", bold=True) + LONG + line("Read more", bold=True),
        "<blockquote><p><strong>Quoted</strong></p></blockquote>",
    ],
)
def test_ordinary_lines_are_not_titles(ordinary: str) -> None:
    content, _ = read(LONG + ordinary + LONG + line("Only title", bold=True) + LONG)
    assert titles(content) == ["Autumn news"]


def test_headings_of_sections_are_left_out_and_named() -> None:
    content, left = read(
        "<h1>Education</h1>"
        + stories("h2", "One", "Two")
        + "<h1>Culture</h1>"
        + stories("h2", "Three", "Four")
    )
    assert titles(content) == ["One", "Two", "Three", "Four"]
    assert [each.partition(";")[0] for each in left] == [
        "before the first heading: the heading of several stories “Education”",
        "in ‘Two’: the heading of several stories “Culture”",
    ]


def test_a_level_given_by_hand_counts_more() -> None:
    content, _ = read(stories("h1", "One", "Two") + stories("h2", "Within"), level=2)
    assert titles(content) == ["One", "Two", "Within"]
    assert str(content.starts) == "Stories begin at Heading 2"
    with pytest.raises(
        DocumentError, match="no heading of level 3 has text below it; there are 2 of level 1"
    ):
        read(stories("h1", "One", "Two"), level=3)


def test_a_line_above_a_title_stays_with_the_story_below_it() -> None:
    content, _ = read(
        line("One", bold=True) + LONG + line("EDUCATION", bold=True) + line("Two", bold=True) + LONG
    )
    assert titles(content) == ["One", "Two"]
    assert content.stories[1].plain_text().startswith("EDUCATION It met")


def test_a_list_of_contents_is_left_out() -> None:
    contents = (
        '<p>In this issue</p><ul><li><a href="#a">Youth forum</a> … 2</li>'
        '<li><a href="#b">Water</a></li></ul>'
    )
    for listed in (contents, contents.replace('href="#', 'id="')):
        content, left = read(LONG + listed + stories("h1", "Youth forum", "Water"))
        assert content.preamble.plain_text() == "It met in October" + LONG[len("<p>It met in October") : -4]
        assert left == [
            "before the first heading: 2 lines of the table of contents, the first “In this issue”, "
            "left out, because the email has its own"
        ]


def test_a_table_of_prose_is_for_layout_and_may_hold_stories() -> None:
    prose = f"<p><strong>One</strong></p><p>{'words ' * 60}</p>"
    content, _ = read(
        f"<table><tr><td>{prose}</td><td>{prose.replace('One', 'Two')}</td></tr>"
        "<tr><td><p>x</p></td><td><p>y</p></td></tr></table>"
    )
    assert titles(content) == ["One", "Two"]


def test_a_link_in_a_title_is_read_more_and_its_note_stands_below() -> None:
    content, left = read(
        f'<h1><a href="https://example.org/a#b">Forum</a> and <a href="mailto:a@example.org">us</a>'
        f'<sup><a href="#n">[1]</a></sup></h1>{LONG}{stories("h1", "Two")}'
        '<ol><li id="n"><p>Held in May.</p></li></ol>'
    )
    story = content.stories[0]
    assert story.title == "Forum and us"
    assert story.read_more is not None
    assert story.read_more.url == "https://example.org/a#b"
    assert story.plain_text().endswith("us Held in May.")
    assert len(left) == 2

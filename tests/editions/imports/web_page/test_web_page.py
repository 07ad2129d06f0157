"""A saved page or newsletter becomes an edition: what readers saw of it, and nothing else."""

import base64
import io
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from editions.errors import DocumentError
from editions.imports.importer import ImportedEdition, import_document

TODAY = date(2026, 11, 24)
Importer = Callable[..., ImportedEdition]


def draw(colour: str = "red", size: tuple[int, int] = (800, 500)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def bring_in(tmp_path: Path) -> Importer:
    """Import a page with one story, which has this HTML in it."""

    def importer(html: str, head: str = "", **files: bytes) -> ImportedEdition:
        path = tmp_path / "news.html"
        body = f"<h1>Youth forum</h1><p>It begins.</p>{html}<p>Its end.</p>"
        path.write_text(
            f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>", "utf-8"
        )
        (tmp_path / "news_files").mkdir()
        for name, data in files.items():
            (tmp_path / "news_files" / name).write_bytes(data)
        return import_document(path, tmp_path / "editions", today=TODAY)

    return importer


def written(imported: ImportedEdition) -> str:
    """The body of the first story, without its first and last paragraphs."""
    text = (imported.folder / imported.stories[0]).read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[1].strip().removeprefix("It begins.").removesuffix("Its end.").strip()


def header(imported: ImportedEdition) -> str:
    return (imported.folder / imported.stories[0]).read_text(encoding="utf-8").split("\n---\n", 1)[0]


def left(imported: ImportedEdition) -> list[str]:
    return [f"{each.where}: {each.what}" for each in imported.omissions]


NEWSLETTER = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><title>*|MC:SUBJECT|* The Bulletin</title>
<style>@media (max-width:480px){.text{display:none!important}} .pre{display:none} .n{font-size:14px}</style>
</head><body><!--[if mso]><p>For Outlook only</p><![endif]--><div class="pre">The preheader&zwnj;&nbsp;</div>
<table role="presentation"><tr><td align="center"><table><tbody>
<tr><td><a href="https://example.org/archive/1">View this email in your browser</a></td></tr>
<tr><td><a href="https://example.org/"><img src="news_files/forum.png" alt="The Office"></a></td></tr>
<tr><td class="text n">Dear friends,<br><br>
this issue has the news of a long and busy season in all our offices.
<br><br>Ann Other<br>Director</td></tr>
<tr><td><img src="news_files/well.png" alt="A well" width="600"></td></tr>
<tr><td><h1>Water for <i>all</i></h1><div>The pumps <b>work</b> since May.</div><div>More on
<a href="https://example.org/a?x=1&amp;y=2#part">our page</a>.</div></td></tr>
<tr><td><table><tr><td><img src="news_files/forum.png" alt="A forum"></td>
<td><h1>Youth</h1><p>They met.</p></td><td><h1>Grants</h1><p>Apply now.</p></td></tr></table></td></tr>
<tr><td>You are on our list. <a href="https://example.org/u/unsubscribe?id=1">Unsubscribe</a>.</td></tr>
</tbody></table></td></tr></table>
<img src="https://track.example/o.gif" width="1" height="1"></body></html>"""


def test_a_newsletter_laid_out_in_tables_becomes_stories(tmp_path: Path) -> None:
    (tmp_path / "news_files").mkdir()
    (tmp_path / "news_files" / "well.png").write_bytes(draw("blue"))
    (tmp_path / "news_files" / "forum.png").write_bytes(draw("green"))
    (tmp_path / "news.htm").write_text(NEWSLETTER, encoding="utf-8")
    imported = import_document(tmp_path / "news.htm", tmp_path / "editions", today=TODAY)
    texts = [(imported.folder / name).read_text() for name in imported.stories]
    assert imported.title == "The Bulletin"
    assert (
        "title: Dear friends\n  name: Ann Other\n  titles:\n    - Director"
        in (imported.folder / "edition.md").read_text()
    )
    assert "title: Water for all" in texts[0]
    assert "alt: A well" in texts[0]
    assert "The pumps **work** since May.\n\nMore on [our page]" in texts[0]
    assert "(https://example.org/a?x=1&y=2#part)" in texts[0]
    assert "alt: A forum" in texts[1]
    assert "They met." in texts[1]
    assert texts[2].endswith("Apply now.\n\n[The Office](https://example.org/)\n")
    assert not re.search("Outlook only|preheader|browser|nsubscribe", "".join(texts))
    logo, *others = left(imported)
    assert logo.startswith("before the first heading: a picture, kept as images/")
    assert others == [
        "before the first heading: a hidden passage “The preheader”, left out",
        "in ‘Grants’: an invisible picture, left out",
        "in the whole document: what every mail has of its own “View this email in your browser” "
        "(https://example.org/archive/1)",
        "in the whole document: what every mail has of its own “You are on our list. Unsubscribe.” "
        "(https://example.org/u/unsubscribe?id=1)",
    ]


def test_formats_come_from_tags_and_styles(bring_in: Importer) -> None:
    imported = bring_in(
        '<p>A <span class="b">bold</span>, <b><span style="font-weight:normal">plain</span></b>, '
        '<em>slanted</em>, <del>struck</del>, m<sup>2</sup>, <font style="font-style: italic">so</font>.</p>',
        head="<style>p .b{font-weight:700} p{font-weight:400}</style>",
    )
    assert written(imported) == "A **bold**, plain, *slanted*, ~~struck~~, m², *so*."


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display:none">unseen</p>',
        "<p hidden>unseen</p>",
        '<div class="gone">unseen</div>',
        '<div style="max-height:0;overflow:hidden">unseen</div>',
        '<div style="font-size:1px;color:#fff">unseen</div>',
        '<div style="font-size:0">un<span>seen</span></div>',
        '<p style="visibility:hidden">unseen</p>',
        "<noscript>unseen</noscript>",
    ],
)
def test_what_readers_do_not_see_is_not_text(bring_in: Importer, hidden: str) -> None:
    imported = bring_in(hidden, head="<style>div.gone{display:none!important}</style>")
    assert written(imported) == ""
    assert "hidden passage" in left(imported)[0]


def test_text_that_only_phones_hide_is_text(bring_in: Importer) -> None:
    head = "<style>@media (max-width:600px){.x{display:none} p{display:none}} .y:hover{display:none}</style>"
    assert written(bring_in("<p class='x y'>Seen.</p>", head=head)) == "Seen."


def test_lists_tables_quotations_and_lines_are_kept(bring_in: Importer) -> None:
    imported = bring_in(
        '<ol start="3"><li>three<ul><li>nested</li></ul></li><li><p>four</p></li></ol>'
        "<blockquote>Said.</blockquote>"
        '<table border="1"><caption>Funds</caption><tr><th colspan="2">Fund</th></tr>'
        "<tr><td>Small</td>"
        '<td align="right">1</td></tr></table><dl><dt>Term</dt><dd>Meaning</dd></dl>'
        "<p>One<br>two<br><br>three</p>"
    )
    assert written(imported).startswith("3. three\n   - nested\n4. four\n\n> Said.\n\nFunds\n\n| Fund |  |\n")
    assert written(imported).endswith("**Term**\n\nMeaning\n\nOne\\\ntwo\n\nthree")


def test_pictures_come_from_the_page_and_the_folder_next_to_it(bring_in: Importer, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(draw("black"))
    inline = base64.b64encode(draw("yellow")).decode()
    imported = bring_in(
        "<figure><img src='news_files/a%20b.png' alt='A forum'><figcaption>The forum</figcaption></figure>"
        f"<img src='data:image/png;base64,{inline}' alt='Yellow'>"
        "<img src='cid:image001.png@01DA' alt='Mailed'>"
        "<img src='../secret.png' alt='S'><img src='https://example.org/far.png' alt='Far'>"
        "<img src='file:///etc/passwd' alt='F'><img src='news_files/spacer.gif' height=1>"
        "<img data-src='news_files/lazy.png' src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt='Lazy'>",
        **{"a b.png": draw("red"), "lazy.png": draw("green")},
    )
    assert "alt: A forum\n  caption: The forum" in header(imported)
    assert len(imported.images) == 3
    named = [line for line in left(imported) if "not next to the page" in line]
    assert [re.findall("“(.*?)”", line)[0] for line in named] == ["Mailed", "S", "Far", "F"]
    assert "https://example.org/far.png" in named[2]
    assert any("an invisible picture" in line for line in left(imported))


def test_a_link_leads_where_it_led_and_a_pictures_link_is_not_lost(bring_in: Importer) -> None:
    imported = bring_in(
        '<p><a href="/a#top">Here</a>, <a href="mailto:a@example.org">write</a>, <a href="#x">there</a>, '
        '<a href="javascript:go()">go</a>.</p><a href="https://example.org/film"><img src="news_files/a.png" '
        'alt="Our film"></a>'
        '<a href="https://social.example/us"><img src="f.png" width=24 height=24 alt="Us"></a>',
        head='<base href="https://example.org/news/">',
        **{"a.png": draw()},
    )
    assert "[Here](https://example.org/a#top), [write](mailto:a@example.org), there, go." in written(imported)
    assert "[Our film](https://example.org/film)" in written(imported)
    assert "[Us](https://social.example/us)" in written(imported)
    assert any("the link of “go”" in line for line in left(imported))


def test_scripts_forms_and_frames_are_dropped_and_named(bring_in: Importer) -> None:
    imported = bring_in(
        "<script>x()</script><form><p>Your name</p><input placeholder='Name'><select><option>One</select>"
        "<button>Send</button></form><iframe src='https://player.example/1'></iframe>"
        "<video src='v.mp4'></video>"
        "<svg><text>Chart</text></svg>"
    )
    assert written(imported) == "Your name"
    assert left(imported) == [
        "in ‘Youth forum’: a button or field of a form “Name”",
        "in ‘Youth forum’: a button or field of a form “One”",
        "in ‘Youth forum’: a button or field of a form “Send”",
        "in ‘Youth forum’: a page or player within the page, https://player.example/1; link to it instead",
        "in ‘Youth forum’: a film, v.mp4; link to it instead",
        "in ‘Youth forum’: a drawing “Chart”",
        "in the whole document: a script, which was not run",
    ]


def test_notes_of_a_page_stand_at_the_end_of_their_story(bring_in: Importer) -> None:
    imported = bring_in(
        '<p>Said<sup><a href="#n1">1</a></sup>.</p><ol><li id="n1">By us. <a href="#r1">↩</a></li></ol>'
        "<h1>Next</h1><p>More.</p>"
    )
    assert "\n\n[1] By us." in written(imported)
    assert "By us." not in (imported.folder / imported.stories[1]).read_text()


def test_a_story_with_a_link_like_that_of_a_mail_stays(bring_in: Importer) -> None:
    words = "The law says how readers are asked, what they are told, and when addresses must be deleted."
    imported = bring_in(f'<p>{words} <a href="https://example.org/law#u">Unsubscribe</a> and so on.</p>')
    assert written(imported) == f"{words} and so on."
    assert (
        "a link that every mail has of its own “Unsubscribe” (https://example.org/law#u)" in left(imported)[0]
    )


def test_lists_that_word_saved_as_paragraphs_are_lists(bring_in: Importer) -> None:
    item = (
        "<p class=MsoListParagraph style='text-indent:-18pt;mso-list:l0 level{} lfo1'><![if !supportLists]>"
        "<span style='mso-list:Ignore'>{}<span>&nbsp;&nbsp; </span></span><![endif]>{}</p>"
    )
    items = [item.format(1, "·", "First"), item.format(2, "o", "within"), item.format(1, "·", "Second")]
    numbered = item.format(1, "1.", "One") + item.format(1, "2.", "Two")
    imported = bring_in(f"{''.join(items)}<p>Between.</p>{numbered}")
    assert written(imported) == "- First\n  - within\n- Second\n\nBetween.\n\n1. One\n2. Two"


def test_stories_of_a_forwarded_mail_begin_at_its_large_lines(tmp_path: Path) -> None:
    row = '<tr><td style="font-size:20px;font-weight:bold">{}</td></tr><tr><td>{}</td></tr>'
    words = "The offices have worked together on this for more than a year."
    (tmp_path / "a.html").write_text(
        "<div class=gmail_quote><blockquote><table><tr><td style='font-size:30px'>October news</td></tr>"
        f"{row.format('A bridge', words)}{row.format('A school', words)}</table></blockquote></div>"
    )
    imported = import_document(tmp_path / "a.html", tmp_path / "editions", today=TODAY)
    assert imported.title == "October news"
    assert imported.stories == ("stories/010-a-bridge.md", "stories/020-a-school.md")


def test_text_in_the_wrong_place_of_a_list_or_table_is_kept(bring_in: Importer) -> None:
    imported = bring_in(
        "<ul>Loose <b>text</b><li>one</li>"
        "<a href='https://example.org/#x'>link</a> after<ul><li>in</li></ul></ul>"
        "<table border=1><tr>stray<td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"
    )
    assert written(imported).startswith(
        "- Loose **text**\n- one\n- [link](https://example.org/#x) after\n  - in\n\nstray\n\na"
    )


def test_the_links_of_a_site_are_named_and_not_text(bring_in: Importer) -> None:
    imported = bring_in("<nav><ul><li><a href='/x'>Home</a></li></ul></nav>")
    assert written(imported) == ""
    assert left(imported) == ["in ‘Youth forum’: the links by which one moves about the site “Home”"]
    assert imported.omissions[0].words == "Home /x"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="utf-8">', "utf-8"),
        ('<meta charset="utf-8">', "utf-8-sig"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "windows-1251"),
        ("<meta charset='gb2312'>", "gb18030"),
        ("<meta charset=iso-2022-jp>", "iso-2022-jp"),
        ("", "utf-16"),
        ("", "utf-8"),
    ],
)
def test_the_character_set_is_the_pages_own(tmp_path: Path, head: str, encoding: str) -> None:
    words = {"windows-1251": "Вода для всех", "gb18030": "人人有水", "iso-2022-jp": "みんなの水"}.get(
        encoding, "Où est l’eau ? 水"
    )
    page = f"<html><head>{head}</head><body><h1>{words}</h1><p>{words}</p></body></html>"
    (tmp_path / "a.html").write_bytes(page.encode(encoding))
    imported = import_document(tmp_path / "a.html", tmp_path / "editions", today=TODAY)
    assert f"\n{words}\n" in (imported.folder / imported.stories[0]).read_text(encoding="utf-8")


def test_a_page_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<html>" + "<div>" * 2000 + "x")
    with pytest.raises(DocumentError, match="in each other"):
        import_document(tmp_path / "a.html", tmp_path / "editions", today=TODAY)


_WORD = st.integers(0, 10**6).map(lambda number: f"w{number}x")
_TEXT = st.deferred(
    lambda: st.one_of(
        _WORD,
        st.tuples(
            st.sampled_from(
                ["b", "i", "span", "font", "sup", "u", "custom-tag", "label", "small", "div", "q"]
            ),
            st.lists(_TEXT, min_size=1, max_size=3),
        ).map(lambda made: f"<{made[0]}>{' '.join(made[1])}</{made[0]}>"),
        _TEXT.map(lambda inner: f'<a href="https://example.org/#a">to {inner}</a>'),
        st.sampled_from(["<br>", "<br><br>", "&nbsp;", "<!-- x -->", "<wbr>"]),
        _WORD.map(lambda word: f"<button>{word}</button>"),
        _WORD.map(lambda word: f"<svg><text>{word}</text></svg>"),
        _WORD.map(lambda word: f"<iframe>{word}</iframe>"),
    )
)
_LINE = st.lists(_TEXT, min_size=1, max_size=3).map(" ".join)
_BLOCK = st.deferred(
    lambda: st.one_of(
        _LINE,
        st.tuples(
            st.sampled_from(["p", "div", "section", "blockquote", "center", "pre", "address"]),
            _LINE,
        ).map(lambda made: f"<{made[0]}>{made[1]}</{made[0]}>"),
        st.tuples(st.sampled_from(["h1", "h2", "h4"]), _LINE).map(
            lambda made: f"<{made[0]}>{made[1]}</{made[0]}>"
        ),
        st.tuples(st.sampled_from(["ul", "ol"]), st.lists(_BLOCK, min_size=1, max_size=3)).map(
            lambda made: f"<{made[0]}>{''.join(f'<li>{block}</li>' for block in made[1])}</{made[0]}>"
        ),
        st.tuples(
            st.sampled_from(["", " border=1", " role=presentation"]),
            st.sampled_from(["td", "th"]),
            st.lists(st.lists(_BLOCK, min_size=1, max_size=3), min_size=1, max_size=3),
        ).map(
            lambda made: (
                f"<table{made[0]}>"
                + "".join(
                    f"<tr>{''.join(f'<{made[1]}>{block}</{made[1]}>' for block in row)}</tr>"
                    for row in made[2]
                )
                + "</table>"
            )
        ),
        st.lists(_BLOCK, min_size=1, max_size=2).map(lambda blocks: f"<div>{''.join(blocks)}</div>"),
    )
)


@settings(max_examples=20, deadline=None)
@given(blocks=st.lists(_BLOCK, min_size=1, max_size=4))
def test_every_word_is_kept_or_named(tmp_path_factory: pytest.TempPathFactory, blocks: list[str]) -> None:
    folder = tmp_path_factory.mktemp("page")
    page = "<html><body><h1>Start</h1><p>begin</p>" + "".join(blocks)
    (folder / "x.html").write_text(page, encoding="utf-8")
    imported = import_document(folder / "x.html", folder / "e", today=TODAY)
    files = "".join(path.read_text(encoding="utf-8") for path in imported.folder.rglob("*.md"))
    kept = files.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    named = " ".join(left(imported))
    assert [word for word in re.findall(r"w\d+x", page) if word not in kept and word not in named] == []
    assert "example.org/#a" not in page or "example.org/#a" in kept

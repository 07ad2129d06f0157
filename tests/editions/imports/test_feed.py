"""A feed becomes an edition: one story for each entry, with its date, its link and its pictures."""

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from editions.errors import DocumentError
from editions.imports.feed_parser import parse_date
from editions.imports.importer import ImportedEdition, import_feed
from editions.imports.source_document import FetchError, RemoteFile
from editions.reader import inspect_edition

TODAY = date(2026, 11, 24)
ADDRESS = "https://news.example.org/feed"
Importer = Callable[..., ImportedEdition]


def draw(colour: str, size: tuple[int, int] = (800, 500)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def bring_in(tmp_path: Path) -> Importer:
    """Import this feed, from a site with these other files."""

    def importer(
        feed: str | bytes, files: dict[str, bytes] | None = None, **options: object
    ) -> ImportedEdition:
        data = feed.encode() if isinstance(feed, str) else feed
        site = {
            ADDRESS: data,
            **{f"https://news.example.org/{name}": each for name, each in (files or {}).items()},
        }

        def fetch(address: str, max_bytes: int) -> RemoteFile:
            if address not in site:
                raise FetchError("it answers with the error 404. Open it in a browser.")
            assert len(site[address]) <= max_bytes
            return RemoteFile(address=address, data=site[address])

        return import_feed(ADDRESS, tmp_path / "editions", fetch, today=TODAY, **options)  # type: ignore[arg-type]

    return importer


def texts(imported: ImportedEdition) -> list[str]:
    return [(imported.folder / name).read_text(encoding="utf-8") for name in imported.stories]


def left(imported: ImportedEdition) -> list[str]:
    return [f"{each.where}: {each.what}" for each in imported.omissions]


def rss(*items: str, more: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>Office news</title><language>en-GB</language>{more}"
        + "".join(f"<item>{item}</item>" for item in items)
        + "</channel></rss>"
    )


WATER = (
    "<title>Water &amp;amp; light</title><link>/water#top</link>"
    "<pubDate>Tue, 3 Nov 2026 10:00:00 +0200</pubDate>"
    "<description>Short.</description><content:encoded><![CDATA[<p>The <b>pumps</b> work. "
    "<a href='more#part'>More</a></p><h1>Numbers</h1><p>Six villages.</p><img src='/well.png' alt='A well'>"
    "<img src='/count.gif'>]]></content:encoded>"
)
YOUTH = (
    "<title>Youth</title><link>https://news.example.org/youth</link><pubDate>5 Nov 2026 10:00 GMT</pubDate>"
    "<description>They met.</description>"
)


def test_entries_are_stories_the_newest_first(bring_in: Importer) -> None:
    imported = bring_in(rss(WATER, YOUTH), {"well.png": draw("blue"), "count.gif": draw("white", (1, 1))})
    youth, water = texts(imported)
    assert imported.title == "Office news"
    assert imported.slug == "office-news-2026-11-24"
    assert "date: 5 November 2026" in youth
    assert "read_more:\n  what: Youth\n  url: https://news.example.org/youth" in youth
    assert "title: Water & light\ndate: 3 November 2026" in water
    assert "url: https://news.example.org/water#top" in water
    assert "alt: A well" in water
    assert water.endswith(
        "The **pumps** work. [More](https://news.example.org/more#part)\n\n## Numbers\n\nSix villages.\n"
    )
    assert left(imported) == ["in ‘Water & light’: an invisible picture, left out"]
    assert inspect_edition(imported.folder, sectors=()).edition is not None
    assert str(imported.starts) == "Every entry of the feed is a story"


def test_since_leaves_out_what_is_older(bring_in: Importer) -> None:
    undated = "<title>Undated</title><description>Some day.</description>"
    imported = bring_in(rss(WATER, YOUTH, undated), since=date(2026, 11, 4))
    assert [text.split("title: ")[1].split("\n")[0] for text in texts(imported)] == ["Youth", "Undated"]
    assert left(imported) == ["in the whole document: an entry without a date, which may be older “Undated”"]


def test_a_feed_without_news_says_what_its_newest_is(bring_in: Importer) -> None:
    with pytest.raises(DocumentError, match=r"no entry since 2026-12-01\. The newest is of 2026-11-05"):
        bring_in(rss(WATER, YOUTH), since=date(2026, 12, 1))
    with pytest.raises(DocumentError, match="it has no entries"):
        bring_in(rss())


def test_atom_with_its_kinds_of_content_and_its_bases(bring_in: Importer) -> None:
    imported = bring_in(
        """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://news.example.org/a/" xml:lang="mn">
        <title type="html">Office &lt;i&gt;news&lt;/i&gt;</title>
        <entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">One <b>two</b></div></title>
        <link rel="alternate" href="one#x"/><link rel="enclosure" type="audio/mpeg" href="talk.mp3"/>
        <updated>2026-11-03T23:30:00.123-05:00</updated>
        <content type="xhtml"><h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p>Усны <h:em>тухай</h:em>
        <h:a href="b">ингэж</h:a></h:p></h:div></content></entry>
        <entry xml:base="/b/"><title>Three</title><published>2026-11-01</published><link href="three"/>
        <content type="html" xml:base="c/">
        &lt;p&gt;See &lt;a href="d"&gt;it&lt;/a&gt;&lt;/p&gt;</content></entry>
        <entry><title>Four</title><published>2026-10-01T00:00:00Z</published>
        <summary type="text">1 &lt; 2\n\nNext</summary></entry></feed>"""
    )
    one, three, four = texts(imported)
    assert "title: One two" in one
    assert "url: https://news.example.org/a/one#x" in one
    assert "[talk.mp3](https://news.example.org/a/talk.mp3)" in one
    assert "*тухай* [ингэж](https://news.example.org/a/" in one
    assert "url: https://news.example.org/b/three" in three
    assert "[it](https://news.example.org/b/c/d)" in three
    assert four.endswith("1 < 2\n\nNext\n")
    assert "language: mn" in (imported.folder / "edition.md").read_text()


def test_rss_1_and_broken_xml_are_read(bring_in: Importer) -> None:
    imported = bring_in(
        """  <?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>N&eacute;ws</title>
        </channel><item><title>A & B</title><link>https://news.example.org/1</link><dc:date>2026-11-02</dc:date>
        <description>Where&nbsp;from</description></item></rdf:RDF>"""
    )
    assert imported.title == "Néws"
    assert "title: A & B\ndate: 2 November 2026" in texts(imported)[0]
    assert texts(imported)[0].endswith("Where\xa0from\n")


def test_pictures_of_media_elements_and_enclosures_are_used(bring_in: Importer) -> None:
    media = (
        "<title>Forum</title><description>They met.</description><media:group><media:content url='/f.png' "
        "medium='image'/><media:description>The forum</media:description></media:group>"
    )
    enclosed = (
        "<title>Grants</title><description>Apply.</description><enclosure url='/g.png' type='image/png'/>"
    )
    imported = bring_in(rss(media, enclosed), {"f.png": draw("red"), "g.png": draw("green")})
    assert "alt: The forum" in texts(imported)[0]
    assert "file: " in texts(imported)[1]


def test_a_picture_that_cannot_be_fetched_is_named_with_the_reason(bring_in: Importer) -> None:
    imported = bring_in(
        rss("<title>A</title><description>Words. &lt;img src='/x.png' alt='X'&gt;</description>")
    )
    assert left(imported) == [
        "in ‘A’: a picture “X”, https://news.example.org/x.png: it answers with the error 404. "
        "Open it in a browser."
    ]


def test_a_page_leads_to_the_feed_it_names(bring_in: Importer) -> None:
    page = (
        "<html><head><link rel='stylesheet' href='x.css'><link rel='alternate' type='application/rss+xml' "
        "href='/rss.xml'></head><body>Welcome</body></html>"
    )
    assert texts(bring_in(page, {"rss.xml": rss(YOUTH).encode()}))
    with pytest.raises(DocumentError, match="not a feed, and it names none"):
        bring_in("<html><body>Welcome</body></html>")
    with pytest.raises(DocumentError, match="as its feed, but that is none"):
        bring_in(page, {"rss.xml": b"gone"})


def test_an_entity_bomb_is_not_expanded(bring_in: Importer) -> None:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]>' + rss(
        "<title>A &l9;</title><description>b</description>"
    )
    with pytest.raises(DocumentError, match="none of its entries has any text"):
        bring_in(bomb.replace('<?xml version="1.0" encoding="UTF-8"?>', ""))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Tue, 3 Nov 2026 10:00:00 GMT", "2026-11-03"),
        ("03 Nov 26 10:00 EST", "2026-11-03"),
        ("2026-11-03T10:00:00Z", "2026-11-03"),
        ("2026-11-03T10:00:00.5+09:00", "2026-11-03"),
        ("2026-11", "2026-11-01"),
        ("yesterday", ""),
        ("2026-13-45", ""),
        ("", ""),
    ],
)
def test_dates_are_read_in_both_ways(text: str, day: str) -> None:
    found = parse_date(text)
    assert (found.date().isoformat() if found else "") == day

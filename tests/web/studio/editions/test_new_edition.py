"""Beginning an edition: the example, an empty one, a copy, a document, a feed."""

import html
import re
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from editions.new_editions import suggest_name
from editions.reader import inspect_edition
from mailer.database.team_models import ActivityRecord, Role
from mailer.web.upload import clean_file_name
from tests.doctor.said_findings import find_english
from tests.factories.draft_edition import Draft
from tests.factories.unkept_documents import write_unkept_word
from tests.factories.word_documents import start_document
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient, list_files

BOUNDARY = "----x7MA4YWxk"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def write_form(fields: dict[str, str], name: str, content: bytes) -> bytes:
    """A form with a file, as a browser sends it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="document"; filename="{name}"\r\n\r\n'
    return b"".join([*parts, head.encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode()])


@pytest.fixture
def word(tmp_path: Path) -> bytes:
    document = start_document("Two stories")
    for title in ("The first", "The second"):
        document.add_heading(title, 1)
        document.add_paragraph("What we did, and what came of it for those who took part.")
    path = tmp_path / "news.docx"
    document.save(str(path))
    return path.read_bytes()


def list_editions(studio: Studio) -> list[str]:
    """Everything in the folder of editions, also what is hidden."""
    return sorted(path.name for path in studio.workspace.editions.iterdir())


def list_acts(studio: Studio) -> list[tuple[str, str, str]]:
    with Session(studio.engine) as session:
        return [(row.act, row.edition, row.subject) for row in session.exec(select(ActivityRecord))]


@pytest.mark.parametrize(
    ("slugs", "name"),
    [
        ([], "2026-11"),
        (["2026-2", "2026-1"], "2026-3"),
        (["beijing-2021-2"], "beijing-2026-1"),
        (["2026-09"], "2026-10"),
        (["news-41"], "news-42"),
        (["spring"], "2026-11"),
        (["spring", "2026-11"], "2026-11-2"),
        (["2030-1"], "2030-2"),
    ],
)
def test_the_next_name_follows_the_newest(slugs: list[str], name: str) -> None:
    assert suggest_name(slugs, date(2026, 11, 27)) == name


def test_the_first_edition_can_be_the_example(studio: Studio, author: StudioClient) -> None:
    ways = author.get("/editions/new").text
    assert "An example" in ways
    assert "From an earlier edition" not in ways
    assert (
        author.post("/editions/new/example", {"slug": "2026-1"}).headers["location"]
        == "/studio/editions/2026-1"
    )
    assert inspect_edition(
        studio.workspace.editions / "2026-1", sectors=studio.workspace.settings.sectors
    ).edition
    assert list_acts(studio) == [("created_edition", "2026-1", "")]


def test_an_empty_edition_goes_on_to_its_details(studio: Studio, author: StudioClient) -> None:
    form = {"slug": "2026-1", "title": "Our news", "language": "zh"}
    assert author.post("/editions/new/empty", form).headers["location"] == "/studio/editions/2026-1/details"
    assert "This edition has no story yet." in author.get("/editions/2026-1").text
    assert 'value="zh"' in author.get("/editions/2026-1/details").text


def test_a_copy_takes_what_was_chosen(studio: Studio, draft: Draft, author: StudioClient) -> None:
    page = author.get("/editions/new/copy").text
    assert "<option selected>2026-1</option>" in page
    answer = author.post("/editions/new/copy", {"slug": "2026-2", "source": "2026-1", "stories": "yes"})
    assert answer.headers["location"] == "/studio/editions/2026-2/details"
    files = list_files(studio.workspace.editions / "2026-2")
    assert "stories/020-museum.md" in files
    assert "stories/020-museum.zh.md" not in files


def test_a_word_document_becomes_an_edition_with_a_report(
    studio: Studio, author: StudioClient, word: bytes
) -> None:
    body = write_form(
        {"slug": "2026-1", "language": "", "stories_at": ""}, "C:\\Desk\\Our <b>news.docx", word
    )
    answer = author.send("/editions/new/file", body, content_type=MULTIPART)
    assert answer.headers["location"] == "/studio/editions/2026-1/import"
    report = author.get("/editions/2026-1/import").text
    assert re.search(r"It is an edition of 2 stories now\. \d pictures? came along\.", report)
    assert "Stories begin at Heading 1." in report
    assert "Our &lt;b&gt;news.docx" in report
    assert "<b>news" not in report
    assert list_acts(studio) == [("imported_edition", "2026-1", "Our <b>news.docx")]
    assert author.get("/editions/2026-1").text.count('id="story-') == 2
    draft_files = list_files(studio.workspace.editions / "2026-1")
    assert [name for name in draft_files if name.startswith("stories/")] == [
        "stories/010-the-first.md",
        "stories/020-the-second.md",
    ]
    assert author.get("/editions/none/import").status == 404


def test_what_a_document_could_not_keep_is_said_in_french(author: StudioClient, tmp_path: Path) -> None:
    word = write_unkept_word(tmp_path / "acta.docm").read_bytes()
    body = write_form({"slug": "2026-1", "language": "", "stories_at": ""}, "acta.docm", word)
    author.send("/editions/new/file", body, content_type=MULTIPART)
    page = html.unescape(author.get("/editions/2026-1/import", accept_language="fr").text)
    told = page[page.index('class="notice right"') : page.rindex("</section>")]
    assert "dans « Fabula prima »" in told
    assert "2 insertions suivies, en premier « Tres », comme si la modification était acceptée" in told
    assert "un commentaire de Anna « Duodecim »" in told
    assert 'lang="en"' not in told
    assert find_english(re.sub(r"<[^>]*>", " ", told)) == []


@pytest.mark.parametrize(
    ("way", "fields", "field", "words"),
    [
        ("example", {"slug": ""}, "slug", "Enter a name for the edition"),
        ("example", {"slug": "../x"}, "slug", "Write the name in letters, digits and hyphens"),
        ("example", {"slug": ".x"}, "slug", "Write the name in letters, digits and hyphens"),
        ("example", {"slug": "new"}, "slug", "There is an edition with the name new already."),
        ("example", {"slug": "2026-1"}, "slug", "There is an edition with the name 2026-1 already."),
        ("empty", {"slug": "x", "title": ""}, "title", "Enter a title."),
        (
            "empty",
            {"slug": "x", "title": "t", "language": "klingon"},
            "language",
            "Write the language as a tag",
        ),
        ("copy", {"slug": "x", "source": "../2026-1"}, "source", "Choose an edition to copy."),
        ("file", {"slug": "x"}, "document", "Choose a document."),
        ("feed", {"slug": "x", "address": "file:///etc/passwd"}, "address", "Enter the address of a feed"),
        ("feed", {"slug": "x", "address": "http://127.0.0.1:1/feed"}, "address", "is not a public address"),
        ("feed", {"slug": "x", "address": "https://e.org", "since": "soon"}, "since", "Write the date as"),
    ],
)
def test_what_cannot_be_made_is_refused_at_its_field_and_leaves_nothing(
    studio: Studio,
    draft: Draft,
    author: StudioClient,
    way: str,
    fields: dict[str, str],
    field: str,
    words: str,
) -> None:
    refused = author.post(f"/editions/new/{way}", fields)
    assert refused.status == 422
    assert words in refused.text
    assert f'<a href="#{field}">' in refused.text
    assert list_editions(studio) == ["2026-1"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.docx", b"PK\x03\x04 broken", "damaged"),
        ("x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "this is an old .doc"),
        ("x.pdf", b"%PDF-1.7", "PDF"),
        ("x.html", b"", "Choose a document."),
        ("", b"<html><body></body></html>", "document"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused_in_the_importer_s_words(
    studio: Studio, author: StudioClient, name: str, content: bytes, words: str
) -> None:
    body = write_form({"slug": "2026-1", "language": "mn"}, name, content)
    refused = author.send("/editions/new/file", body, content_type=MULTIPART)
    assert refused.status == 422
    assert words.lower() in refused.text.lower()
    assert 'value="mn"' in refused.text
    assert list_editions(studio) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.pdf", b"%PDF-1.7", "C’est un PDF, qui ne garde pas les titres."),
        ("x.docx", rb"{\rtf1", "C’est un document RTF. Ouvrez-le dans Word"),
        ("x.xml", b"<note>What we did</note>", "C’est du XML, et non une page web. Ouvrez-le dans Word"),
        ("x.docx", b"PK\x03\x04 and no more", "Le fichier est endommagé et ne peut pas être décompressé"),
    ],
)
def test_why_a_document_cannot_be_read_is_said_in_french(
    author: StudioClient, name: str, content: bytes, words: str
) -> None:
    body = write_form({"slug": "2026-1"}, name, content)
    refused = author.send("/editions/new/file", body, content_type=MULTIPART, accept_language="fr")
    assert refused.status == 422
    error = html.unescape(refused.text[refused.text.index('id="document-error"') :].partition("</p>")[0])
    assert words in error
    # In brackets stands what the library says that unpacks it.
    assert find_english(re.sub(r"\(File is.*?\)", "", error).replace("document-error", "")) == []


def test_a_file_larger_than_the_server_takes_is_refused(studio: Studio, author: StudioClient) -> None:
    refused = author.send(
        "/editions/new/file", b"", content_type=MULTIPART, content_length=str(50 * 1024 * 1024)
    )
    assert refused.status == 413
    assert list_editions(studio) == []


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("news.docx", "news.docx"),
        ("../../etc/passwd", "etc passwd"),
        ("a\0b\n.docx", "a b.docx"),
        ("", "document"),
        ("...", "document"),
        ("новости " * 40 + ".docx", None),
        ("\u202egpj.docx", "gpj.docx"),
    ],
)
def test_the_name_of_an_uploaded_file_is_a_name_and_nothing_else(name: str, clean: str | None) -> None:
    cleaned = clean_file_name(name)
    assert clean is None or cleaned == clean
    assert len(cleaned.encode()) < 140
    assert "/" not in cleaned


def test_guests_begin_no_edition(studio: Studio, draft: Draft) -> None:
    guest = StudioClient(studio, Role.guest)
    for way in ("", "/empty", "/file"):
        assert guest.get(f"/editions/new{way}").status == 403
    assert guest.post("/editions/new/example", {"slug": "x"}).status == 403
    assert list_editions(studio) == ["2026-1"]


def test_a_way_that_is_none_is_not_found(author: StudioClient) -> None:
    assert author.get("/editions/new/magic").status == 404
    assert author.post("/editions/new/magic", {"slug": "x"}).status == 404
    assert author.send("/editions/new/file", b"{}", content_type="application/json").status == 415


@pytest.mark.parametrize("script", [True, False])
def test_a_document_is_chosen_in_a_browser(
    studio: Studio, browser: Browser, word: bytes, script: bool
) -> None:
    with studio.browse(browser, studio.add_member(), java_script_enabled=script) as page:
        page.goto(f"{studio.url}/editions")
        page.get_by_role("link", name="New edition").click()
        page.get_by_role("link", name="From a document").click()
        page.get_by_label("Document").set_input_files(
            {"name": "ニュース.docx", "mimeType": "application/octet-stream", "buffer": word}
        )
        page.get_by_label("Name", exact=True).fill("2026-7")
        page.get_by_role("button", name="Import edition").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What became of the document")
        expect(page.locator(".head")).to_contain_text("ニュース.docx")
        page.get_by_role("link", name="Go to the edition").click()
        expect(page.locator(".story")).to_have_count(2)

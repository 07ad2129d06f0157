"""An edition is translated elsewhere: its texts go out as a file, and come back through a preview."""

import html
import io
import re
import zipfile

import pytest
from lxml import etree
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from editions.source.text_file import text_digest
from mailer.activity.acts import Act
from mailer.database.edition_models import EditionRevision, RevisionKind, TranslationBase
from mailer.database.team_models import ActivityRecord, Role
from tests.doctor.said_findings import find_english
from tests.factories.draft_edition import STORY, STORY_ZH, Draft
from tests.web.site import HttpResponse
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient, list_files

PATH = "/editions/2021-2/translations/zh"
FILE = "stories/010-youth-forum.zh.md"
XLIFF = "{urn:oasis:names:tc:xliff:document:2.0}"


def download(client: StudioClient, name: str = "texts.xlf") -> bytes:
    answer = client.get(f"{PATH}/{name}")
    assert answer.status == 200
    return answer.body


def translate(data: bytes, targets: dict[str, str], story: str = "stories.youth-forum") -> bytes:
    """The XLIFF file with a target for some units of a story, as a translator's program writes them."""
    root = etree.fromstring(data)
    file = next(file for file in root.iter(f"{XLIFF}file") if file.get("id") == story)
    for unit in file.iter(f"{XLIFF}unit"):
        if unit.get("id") in targets:
            segment = unit.find(f"{XLIFF}segment")
            for old in segment.findall(f"{XLIFF}target"):
                segment.remove(old)
            etree.SubElement(segment, f"{XLIFF}target").text = targets[unit.get("id")]
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def upload(
    client: StudioClient, data: bytes, name: str = "texts.xlf", *, language: str = "en"
) -> HttpResponse:
    body = (
        b'--sep\r\ncontent-disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n\r\n'
        + data + b"\r\n--sep--\r\n"
    )  # fmt: skip
    return client.send(PATH, body, content_type="multipart/form-data; boundary=sep", accept_language=language)


def read_hidden(text: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in found}


TARGETS = {
    "title": "青年论坛",
    "image.alt": "围坐在桌旁的年轻人",
    "image.caption": "西安论坛",
    "image.credit": "插图",
    "read_more.0.what": "西安论坛",
    "body.0": "论坛于十月举行。",
}


def test_a_translation_comes_back_through_a_preview(
    studio: Studio, author: StudioClient, draft: Draft
) -> None:
    before = list_files(draft.folder)
    shown = upload(author, translate(download(author), TARGETS))
    assert shown.status == 200
    assert "<ins>论坛于十月举行。</ins>" in shown.text
    assert "A forum for youth" in shown.text
    assert list_files(draft.folder) == before
    answer = author.post(f"{PATH}/apply", read_hidden(shown.text))
    assert "notice=translations-imported" in answer.headers["location"]
    text = (draft.folder / FILE).read_text(encoding="utf-8")
    assert "title: 青年论坛" in text
    assert text.endswith("论坛于十月举行。\n")
    assert f"translated_from: {text_digest(STORY)}" in text
    with Session(studio.engine) as session:
        assert session.exec(select(TranslationBase.text)).one() == STORY
        assert RevisionKind.imported in session.exec(select(EditionRevision.kind)).all()
        acts = session.exec(select(ActivityRecord.act, ActivityRecord.subject)).all()
    assert (Act.imported_translations.value, "texts.xlf") in acts


@pytest.mark.parametrize("name", ["texts.xlf", "texts.docx"])
def test_a_file_that_comes_back_as_it_went_changes_nothing(
    author: StudioClient, draft: Draft, name: str
) -> None:
    draft.translate()
    shown = upload(author, download(author, name), name)
    assert "changes nothing" in shown.text
    assert "not taken" not in shown.text


def test_a_word_document_is_downloaded_under_the_name_of_its_edition(
    author: StudioClient, draft: Draft
) -> None:
    answer = author.get(f"{PATH}/texts.docx")
    assert answer.headers["content-disposition"] == 'attachment; filename="2021-2.zh.docx"'
    assert "word/document.xml" in zipfile.ZipFile(io.BytesIO(answer.body)).namelist()


def test_texts_whose_original_has_changed_are_named_and_not_taken(author: StudioClient, draft: Draft) -> None:
    data = translate(download(author), TARGETS)
    draft.change("stories/010-youth-forum.md", "met in October", "met in November")
    shown = upload(author, data)
    assert "1 text was not taken" in shown.text
    assert "met in November" in shown.text


def test_a_file_that_was_changed_after_the_preview_is_left_alone_and_the_import_kept(
    author: StudioClient, draft: Draft
) -> None:
    draft.write(FILE, STORY_ZH)
    shown = upload(author, translate(download(author), {"title": "青年的论坛"}))
    draft.change(FILE, "论坛于十月举行。", "论坛在十月召开。")
    answer = author.post(f"{PATH}/apply", read_hidden(shown.text))
    assert answer.status == 409
    assert "/editions/2021-2/conflicts/" in answer.text
    assert "青年的论坛" not in (draft.folder / FILE).read_text(encoding="utf-8")
    number = re.search(r"/conflicts/(\d+)", answer.text)
    assert number is not None
    assert "青年的论坛" in author.get(f"/editions/2021-2/conflicts/{number[1]}").text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no zip",
        b"%PDF-1.7",
        b"<xliff",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    ],
)
def test_what_is_no_translation_is_refused_in_words(author: StudioClient, draft: Draft, data: bytes) -> None:
    answer = upload(author, data)
    assert answer.status == 422
    assert "There is a problem" in answer.text
    assert "root:" not in answer.text


def read_french(answer: HttpResponse) -> str:
    """What the page says, without what it quotes."""
    page = html.unescape(answer.text)
    main = page[page.index("<h1") : page.rindex("</main>")]
    return re.sub(r"<[^>]*>|\(.*?\)|« .*? »", " ", main)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 no zip", "ce n’est pas un document Word, ou il est endommagé"),
        (b"%PDF-1.7", "ce n’est ni un document Word"),
        (b"<xliff", "ce n’est pas du XML, ou il est endommagé"),
        (b"<!DOCTYPE x><x/>", "il a un type de document, ce que XLIFF n’a jamais"),
        (b"<x/>", "Ce n’est pas du XLIFF 2."),
        (b'<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2"/>', "C’est du XLIFF 1.2"),
        (
            b'<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" trgLang="mn"/>',
            "c’est une traduction en mn",
        ),
    ],
)
def test_why_a_translation_is_refused_is_said_in_french(
    author: StudioClient, draft: Draft, data: bytes, words: str
) -> None:
    told = read_french(upload(author, data, language="fr"))
    assert words in told
    assert find_english(told) == []


def test_what_was_not_taken_of_a_translation_is_said_in_french(author: StudioClient, draft: Draft) -> None:
    data = translate(download(author), TARGETS)
    draft.change("stories/010-youth-forum.md", "met in October", "met in November")
    answer = upload(author, data, language="fr")
    assert "son original n’est pas ce que le numéro dit à présent" in html.unescape(answer.text)
    assert 'lang="en"' not in answer.text.partition("<h1")[2]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "AAAA",
        "eJyLVkrLz1fSUUpKLFKKBQAYnwP2",
    ],
)
def test_a_preview_that_was_tampered_with_writes_nothing(
    author: StudioClient, draft: Draft, payload: str
) -> None:
    before = list_files(draft.folder)
    assert author.post(f"{PATH}/apply", {"changes": payload}).status == 422
    assert list_files(draft.folder) == before


def test_a_preview_of_one_language_writes_no_other(author: StudioClient, draft: Draft) -> None:
    shown = upload(author, translate(download(author), TARGETS))
    answer = author.post(PATH.replace("/zh", "/mn") + "/apply", read_hidden(shown.text))
    assert answer.status == 422
    assert not (draft.folder / FILE).exists()


def test_a_guest_takes_texts_away_and_puts_none_in(studio: Studio, draft: Draft) -> None:
    guest = StudioClient(studio, Role.guest)
    assert guest.get(PATH).status == 200
    assert "came back" not in guest.get(PATH).text
    assert upload(guest, download(guest)).status == 403
    assert guest.post(f"{PATH}/apply", {"changes": ""}).status == 403


@pytest.mark.parametrize("path", [PATH.replace("/zh", "/en"), PATH.replace("/zh", "/klingon")])
def test_a_language_that_an_edition_is_not_translated_into_is_not_found(
    author: StudioClient, draft: Draft, path: str
) -> None:
    for end in ("", "/texts.docx", "/texts.xlf"):
        assert author.get(path + end).status == 404


def test_a_translation_comes_back_without_javascript(
    studio: Studio, browser: Browser, author: StudioClient, draft: Draft
) -> None:
    returned = {"name": "zurück.xlf", "mimeType": "text/xml", "buffer": translate(download(author), TARGETS)}
    with studio.browse(browser, studio.add_member(), java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/2021-2/translations?add=zh")
        page.locator("#main").get_by_role("link", name="中文").last.click()
        page.get_by_label("The file that came back").set_input_files(returned)
        page.get_by_role("button", name="Show what it changes").click()
        expect(page.get_by_text("zurück.xlf")).to_be_visible()
        page.get_by_role("button", name="Save 1 file").click()
        expect(page.get_by_role("status").first).to_contain_text("translations are saved")
    assert "青年论坛" in (draft.folder / FILE).read_text(encoding="utf-8")

"""Writing a translation beside its original: what is shown, what is saved, and what nobody may lose."""

import html
import json
import re

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from editions.source.text_file import text_digest
from mailer.activity.acts import Act
from mailer.database.edition_models import TranslationBase
from mailer.database.team_models import ActivityRecord, Role
from tests.factories.draft_edition import EDITION, STORY, STORY_ZH, Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient, list_files

PATH = "/editions/2021-2/stories/youth-forum/translations/zh"
LETTER = "/editions/2021-2/letter/translations/zh"
ORIGINAL = "stories/010-youth-forum.md"
FILE = "stories/010-youth-forum.zh.md"


def read_form(text: str) -> dict[str, str]:
    """The fields of the page's form, with what they have."""
    form = re.search(r'<form id="story".*?</form>', text, re.DOTALL)
    assert form is not None
    inputs = re.findall(r'<input [^>]*name="([^"]+)"[^>]*?value="([^"]*)"', form[0])
    areas = re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', form[0], re.DOTALL)
    return {name: html.unescape(value) for name, value in (*inputs, *areas)}


def confirm(text: str, original: str) -> str:
    return text.replace("---\n", f"---\ntranslated_from: {text_digest(original)}\n", 1)


@pytest.fixture
def translated(draft: Draft) -> Draft:
    """The edition with a translation that says which original it was made from."""
    draft.translate()
    draft.write(FILE, confirm(STORY_ZH, STORY))
    return draft


def test_a_new_translation_says_which_original_it_was_made_from(
    studio: Studio, author: StudioClient, draft: Draft
) -> None:
    shown = author.get(PATH).text
    assert '<h1 lang="en">A forum for youth</h1>' in shown
    fields = read_form(shown)
    assert fields["title"] == ""
    answer = author.post(PATH, {**fields, "title": "青年论坛", "body": "论坛于十月举行。"})
    assert answer.status == 303
    text = (draft.folder / FILE).read_text(encoding="utf-8")
    assert text == f"---\ntitle: 青年论坛\ntranslated_from: {text_digest(STORY)}\n---\n\n论坛于十月举行。\n"
    with Session(studio.engine) as session:
        assert session.exec(select(TranslationBase.text)).one() == STORY


def test_what_is_not_changed_keeps_its_every_byte(author: StudioClient, translated: Draft) -> None:
    before = (translated.folder / FILE).read_text(encoding="utf-8")
    fields = read_form(author.get(PATH).text)
    author.post(PATH, fields)
    assert (translated.folder / FILE).read_text(encoding="utf-8") == before
    author.post(PATH, {**fields, "image.caption": "西安的论坛"})
    after = (translated.folder / FILE).read_text(encoding="utf-8")
    assert after == before.replace("caption: 西安论坛", "caption: 西安的论坛")


def test_a_copy_of_the_original_is_a_beginning_and_is_told_as_such(
    author: StudioClient, draft: Draft
) -> None:
    fields = read_form(author.get(PATH).text)
    author.post(PATH, {**fields, "title": "青年论坛", "then": "copy"})
    page = author.get(PATH)
    copied = read_form(page.text)
    assert copied["title"] == "青年论坛"
    assert copied["body"] == "The forum met in October.\n"
    assert copied["image.alt"] == "Young people around a table"
    assert "4 texts to translate" in page.text
    assert page.text.count("Still as in the original") == 3
    assert draft.inspect().edition is not None


def test_nothing_is_written_where_nothing_was_translated(author: StudioClient, draft: Draft) -> None:
    before = list_files(draft.folder)
    fields = read_form(author.get(PATH).text)
    answer = author.post(PATH, fields)
    assert answer.status == 422
    assert "nothing to save" in answer.text
    assert list_files(draft.folder) == before


def test_what_has_changed_in_the_original_is_marked(author: StudioClient, translated: Draft) -> None:
    fields = read_form(author.get(PATH).text)
    author.post(PATH, {**fields, "title": "青年的论坛"})
    translated.change(ORIGINAL, "met in October", "met in November")
    translated.change(ORIGINAL, "  caption: The forum", "  caption: A forum")
    text = author.get(PATH).text
    assert "changed in 2 places" in text
    assert "<del>October</del><ins>November</ins>" in text
    assert "<del>The</del><ins>A</ins>" in text
    assert '<a href="#change-2">' in text


def test_what_is_not_translated_is_no_change_to_look_at(author: StudioClient, translated: Draft) -> None:
    author.post(PATH, {**read_form(author.get(PATH).text), "title": "青年的论坛"})
    translated.change(ORIGINAL, "countries: [CN, MN]", "countries: [CN]")
    assert "but nothing that is translated" in author.get(PATH).text


def test_a_translation_with_texts_left_to_translate_is_not_called_up_to_date(
    author: StudioClient, translated: Draft
) -> None:
    fields = read_form(author.get(PATH).text)
    author.post(PATH, {**fields, "image.alt": ""})
    translated.change(ORIGINAL, "met in October", "met in November")
    answer = author.post(PATH, {**read_form(author.get(PATH).text), "then": "done"})
    assert "notice=translation-saved" in answer.headers["location"]
    page = author.get(PATH).text
    assert "1 text to translate" in page
    assert "Original changed" not in page


@pytest.mark.parametrize("role", [Role.author, Role.guest])
def test_each_text_has_its_name_once(studio: Studio, translated: Draft, role: Role) -> None:
    page = StudioClient(studio, role).get(PATH).text
    for name in ("Title", "Text", "Caption"):
        assert len(re.findall(rf"<(?:label|p)[^>]*>{name}</(?:label|p)>", page)) == 1, name


def test_a_translation_made_elsewhere_shows_no_changes_that_nobody_knows(
    author: StudioClient, translated: Draft
) -> None:
    translated.write(FILE, confirm(STORY_ZH, "Quite another text."))
    text = author.get(PATH).text
    assert "does not know what it said before" in text
    assert "<ins>" not in text


def test_somebody_says_that_a_translation_is_up_to_date(
    studio: Studio, author: StudioClient, translated: Draft
) -> None:
    translated.change(ORIGINAL, "met in October", "met in November")
    fields = read_form(author.get(PATH).text)
    answer = author.post(PATH, {**fields, "body": "论坛于十一月举行。", "then": "done"})
    assert "notice=translation-confirmed" in answer.headers["location"]
    now = (translated.folder / ORIGINAL).read_text(encoding="utf-8")
    assert f"translated_from: {text_digest(now)}" in (translated.folder / FILE).read_text(encoding="utf-8")
    assert "Original changed" not in author.get(PATH).text
    with Session(studio.engine) as session:
        acts = session.exec(select(ActivityRecord.act, ActivityRecord.subject)).all()
    assert (Act.confirmed_translation.value, FILE) in acts


def test_an_original_that_changed_while_one_translated_is_not_marked_as_seen(
    author: StudioClient, translated: Draft
) -> None:
    fields = read_form(author.get(PATH).text)
    translated.change(ORIGINAL, "met in October", "met in November")
    answer = author.post(PATH, {**fields, "title": "青年的论坛", "then": "done"})
    assert "notice=original-changed" in answer.headers["location"]
    assert "青年的论坛" in (translated.folder / FILE).read_text(encoding="utf-8")
    assert "Original changed" in author.get(PATH).text


def test_texts_that_are_meant_to_be_the_same_are_accepted(author: StudioClient, draft: Draft) -> None:
    author.post(PATH, {**read_form(author.get(PATH).text), "title": "A forum for youth", "then": "copy"})
    assert "In progress" in author.get(PATH).text
    author.post(PATH, {**read_form(author.get(PATH).text), "then": "done"})
    text = author.get(PATH).text
    assert "In progress" not in text
    assert "Still as in the original" not in text


def test_the_details_and_the_letter_are_translated_together(author: StudioClient, draft: Draft) -> None:
    draft.write(
        "edition.md",
        EDITION.replace("letter:", "introductions:\n  culture: |\n    One.\n\n    Two.\nletter:"),
    )
    fields = read_form(author.get(LETTER).text)
    written = {
        "title": "我们的通讯",
        "subject": "今年秋天",
        "preheader": "论坛、研讨会和四项联合活动",
        "letter.titles": "主任\r\n\r\n代表",
        "introductions.culture": "一。\r\n\r\n二。",
        "body": "各位同事：",
    }
    assert author.post(LETTER, {**fields, **written}).status == 303
    front = draft.inspect().edition
    assert front is not None
    text = (draft.folder / "edition.zh.md").read_text(encoding="utf-8")
    assert "titles: [主任, 代表]" in text or "- 主任\n" in text
    assert read_form(author.get(LETTER).text)["introductions.culture"] == "一。\n\n二。"
    # Without a heading, the file could not be read: the original's stands in.
    assert read_form(author.get(LETTER).text)["letter.title"] == "From the Director’s desk"


def test_items_of_a_list_stay_beside_their_originals(author: StudioClient, draft: Draft) -> None:
    links = "read_more:\n  - what: first\n    url: https://example.org/1\n  - what: second\n    url: https://example.org/2\n"
    draft.write(ORIGINAL, f"---\ntitle: A forum\n{links}---\n\nText.\n")
    fields = read_form(author.get(PATH).text)
    author.post(PATH, {**fields, "title": "论坛", "body": "文。", "read_more.1.what": "第二"})
    again = read_form(author.get(PATH).text)
    assert (again["read_more.0.what"], again["read_more.1.what"]) == ("first", "第二")
    assert draft.inspect().edition is not None


def test_two_who_translate_the_same_lose_nothing(author: StudioClient, translated: Draft) -> None:
    fields = read_form(author.get(PATH).text)
    translated.change(FILE, "论坛于十月举行。", "论坛在十月召开。")
    mine = {**fields, "title": "青年的论坛"}
    answer = author.post(PATH, mine, accept="application/json")
    assert answer.status == 409
    assert "/editions/2021-2/conflicts/" in json.loads(answer.text)["conflict"]
    assert "青年的论坛" not in (translated.folder / FILE).read_text(encoding="utf-8")


def test_a_file_whose_front_matter_is_broken_is_shown_whole(author: StudioClient, translated: Draft) -> None:
    translated.write(FILE, "---\ntitle: [\n---\n\n论坛。\n")
    fields = read_form(author.get(PATH).text)
    assert fields["source"] == "---\ntitle: [\n---\n\n论坛。\n"
    author.post(PATH, {**fields, "source": "---\r\ntitle: 论坛\r\n---\r\n\r\n论坛。\r\n"})
    assert (translated.folder / FILE).read_text(encoding="utf-8") == "---\ntitle: 论坛\n---\n\n论坛。\n"


def test_an_existing_file_with_another_spelling_of_its_language_is_the_one_that_is_written(
    author: StudioClient, draft: Draft
) -> None:
    draft.write("stories/010-youth-forum.zh-hans.md", STORY_ZH)
    path = PATH.replace("/zh", "/zh-Hans")
    author.post(path, {**read_form(author.get(path).text), "title": "青年的论坛"})
    assert [name for name in list_files(draft.folder) if "youth-forum." in name] == [
        ORIGINAL,
        "stories/010-youth-forum.zh-hans.md",
    ]


@pytest.mark.parametrize(
    "path",
    [
        PATH.replace("youth-forum", "no-such"),
        PATH.replace("2021-2", "no-such"),
        PATH.replace("/zh", "/en"),
        PATH.replace("/zh", "/klingon"),
        PATH.replace("/zh", "/..%2f..%2fkeys"),
        PATH.replace("/zh", "/zh-hans"),
    ],
)
def test_what_is_not_there_is_not_found(author: StudioClient, draft: Draft, path: str) -> None:
    assert author.get(path).status == 404
    assert author.post(path, {"title": "x"}).status == 404


def test_a_guest_reads_and_writes_nothing(studio: Studio, translated: Draft) -> None:
    guest = StudioClient(studio, Role.guest)
    text = guest.get(PATH).text
    assert "青年论坛" in text
    assert "<textarea" not in text
    assert guest.post(PATH, {"title": "x"}).status == 403


def test_hostile_texts_are_shown_as_text(author: StudioClient, translated: Draft) -> None:
    translated.write(
        ORIGINAL,
        "---\ntitle: <script>alert(1)</script>\n---\n\n[x](javascript:alert(1)) <img src=x onerror=a()>\n",
    )
    text = author.get(PATH).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert 'href="javascript:' not in text


def test_a_translation_is_written_in_the_browser_by_keyboard(
    studio: Studio, browser: Browser, translated: Draft
) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}{PATH}")
        page.get_by_role("textbox", name="Title", exact=True).fill("青年的论坛")
        expect(page.locator("#saving")).to_have_text(re.compile(r"^Saved at \d\d:\d\d$"))
        translated.change(ORIGINAL, "title: A forum", "title: The forum")
        translated.change(ORIGINAL, "met in October", "met in November")
        page.reload()
        expect(page.locator("#outdated")).to_contain_text("changed in 2 places")
        page.keyboard.press("Alt+ArrowRight")
        expect(page.locator("#change-1")).to_be_focused()
        page.keyboard.press("Alt+ArrowRight")
        expect(page.locator("#change-2")).to_be_focused()
        page.keyboard.press("Alt+ArrowLeft")
        expect(page.locator("#change-1")).to_be_focused()
        # Chinese as an input method writes it: first the pinyin, then the characters.
        page.locator(".prose").click()
        page.keyboard.press("Control+End")
        session = page.context.new_cdp_session(page)
        for pinyin in ("d", "da", "da j", "da jia"):
            session.send(
                "Input.imeSetComposition",
                {"text": pinyin, "selectionStart": len(pinyin), "selectionEnd": len(pinyin)},
            )
        session.send("Input.insertText", {"text": "大家都来了。"})
        page.keyboard.press("Control+s")
        expect(page.locator("#saving")).to_contain_text("Saved at")
        page.get_by_role("button", name="mark as up to date").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text("up to date")
    text = (translated.folder / FILE).read_text(encoding="utf-8")
    assert "title: 青年的论坛" in text
    assert "论坛于十月举行。大家都来了。" in text
    assert "da j" not in text


def test_a_translation_is_written_without_javascript(studio: Studio, browser: Browser, draft: Draft) -> None:
    with studio.browse(browser, studio.add_member(), java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/2021-2/translations?add=zh")
        page.get_by_role("link", name="A forum for youth").click()
        page.get_by_role("button", name="Begin with a copy").click()
        page.get_by_role("textbox", name="Title", exact=True).fill("青年论坛")
        page.locator("#body").fill("论坛于十月举行。")
        page.get_by_role("button", name="Save translation").first.click()
        expect(page.get_by_role("status").first).to_contain_text("The translation is saved")
    assert "论坛于十月举行。\n" in (draft.folder / FILE).read_text(encoding="utf-8")

"""The pages of the history: who wrote what, two texts compared, an earlier one restored."""

import re

from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.edition_models import RevisionKind
from mailer.database.team_models import ActivityRecord, Role
from mailer.revisions.edition_file import EditionFile
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION
from tests.web.studio.history.conftest import ROOT, WATER, Room, find_value, list_words

NEWER = BEFORE.replace("first", "very first")


def test_every_kind_of_entry_has_words() -> None:
    assert all(kind.words for kind in RevisionKind)


def test_the_history_says_who_wrote_what_and_which_text_the_file_has(room: Room) -> None:
    room.save(room.ben, NEWER)
    words = list_words(room.get(f"{WATER}/history").text)
    assert "Ben Author Written · 1 words more, 0 less The text now" in words
    assert "As Studio found it" in words
    (room.folder / STORY).write_text(BEFORE + "\nFrom Git.\n")
    words = list_words(room.get(f"{WATER}/history").text)
    assert "The file has been changed outside Studio since. See what changed" in words
    assert "The text now" not in words


def test_two_texts_are_compared_and_the_words_that_changed_are_marked(room: Room) -> None:
    room.save(room.ben, NEWER)
    assert "The <ins>very </ins>first paragraph." in room.get(f"{WATER}/history/changes").text
    (room.folder / STORY).write_text(BEFORE.replace("second", "2nd"))
    assert "The <del>second</del><ins>2nd</ins> paragraph." in room.get(f"{WATER}/history/changes?old=1").text


def test_an_earlier_text_is_restored_and_the_later_one_stays_in_the_history(room: Room) -> None:
    room.save(room.ben, NEWER)
    page = room.get(f"{WATER}/history/changes?new=1").text
    answer = room.post(f"{WATER}/history", number=find_value(page, "number"), base=find_value(page, "base"))
    assert answer.status == 303
    assert room.read() == BEFORE
    words = list_words(room.get(f"{WATER}/history").text)
    assert words.index("Ann Author Restored") < words.index("Ben Author Written")
    with Session(room.studio.engine) as session:
        acts = session.exec(select(ActivityRecord.act, ActivityRecord.subject)).all()
    assert (Act.restored_text.value, STORY) in acts


def test_restoring_overwrites_nothing_that_came_meanwhile(room: Room) -> None:
    room.save(room.ben, NEWER)
    page = room.get(f"{WATER}/history/changes?new=1").text
    (room.folder / STORY).write_text(BEFORE + "\nFrom Git.\n")
    answer = room.post(f"{WATER}/history", number=find_value(page, "number"), base=find_value(page, "base"))
    assert "/conflicts/" in answer.headers["location"]
    assert room.read() == BEFORE + "\nFrom Git.\n"


def test_a_removed_story_is_brought_back_from_the_page_of_the_edition(room: Room) -> None:
    room.save(room.ben, NEWER)
    room.save(room.ben, "水很清\n", name=TRANSLATION)
    for name in (STORY, TRANSLATION):
        (room.folder / name).unlink()
    page = room.get(f"{ROOT}/history").text
    assert room.post(f"{ROOT}/history", story=find_value(page, "story")).status == 303
    assert (room.read(), room.read(TRANSLATION)) == (NEWER, "水很清\n")
    refused = room.post(f"{ROOT}/history", story="water")
    assert (refused.status, "The story is there already." in refused.text) == (422, True)


def test_what_is_not_there_is_not_found_and_a_guest_changes_nothing(room: Room) -> None:
    room.save(room.ben, NEWER)
    guest = room.studio.add_member(Role.guest, "Guy Guest")
    for path in (
        *(f"{ROOT}/stories/fire/history", f"{ROOT}/stories/air/history/changes?new=1", f"{ROOT}x/history"),
        *(
            f"{WATER}/history/changes?new=99",
            f"{WATER}/history/changes?new=x",
            f"{WATER}/history/changes?old=%D9%A3",
        ),
        *(f"{ROOT}/stories/Water/history", f"{WATER}/translations/../history", f"{ROOT}/conflicts/0"),
        f"{ROOT}/conflicts/{'9' * 30}",
    ):
        assert room.get(path).status == 404, path
    assert room.get(f"{WATER}/history", guest).status == 200
    assert room.post(f"{WATER}/history", guest, number="1", base="").status == 403
    assert room.get(f"{ROOT}/conflicts/1", guest).status == 403
    assert room.read() == NEWER


def test_the_letter_and_translations_have_histories_too(room: Room) -> None:
    room.save(room.ben, "---\ntitle: L\n---\nHello\n", name="edition.md")
    room.save(room.ben, "水很清\n", name=TRANSLATION)
    for path in (f"{ROOT}/letter", f"{WATER}/translations/zh"):
        assert "Ben Author Written" in list_words(room.get(f"{path}/history").text)
    words = list_words(room.get(f"{ROOT}/history").text)
    assert "the letter" in words
    assert "Water (zh)" in words
    assert "Water" in list_words(room.get(f"{WATER}/history").text)


def test_crumbs_name_the_edition_and_the_story_and_not_their_files(room: Room) -> None:
    room.save(room.ben, "---\ntitle: Our News\nnumber: 1/2026\n---\nHello\n", name="edition.md")
    room.save(room.ben, NEWER.replace("title: Water", "title: Clear <water>"))
    for path in (f"{WATER}/history", f"{WATER}/history/changes"):
        page = room.get(path).text
        crumbs = page.partition('class="crumbs"')[2].partition("</p>")[0]
        assert "Our News 1/2026</a>" in crumbs
        assert f'<a href="{WATER}">Clear &lt;water&gt;</a>' in crumbs
    (room.folder / STORY).unlink()
    page = room.get(f"{ROOT}/history").text
    assert ">Clear &lt;water&gt;</a>" in page.partition('id="removed"')[2].partition("</section>")[0]


def test_every_page_about_a_text_leads_to_its_history(room: Room) -> None:
    for path in (ROOT, WATER, f"{ROOT}/letter", f"{WATER}/translations/zh"):
        assert f'href="{path}/history"' in room.get(path).text, path


def test_words_of_the_text_are_never_markup(room: Room) -> None:
    hostile = "<script>alert(1)</script> <ins onclick=x>\n"
    assert isinstance(room.save(room.ben, BEFORE + hostile), EditionFile)
    page = room.get(f"{WATER}/history/changes").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_one_goes_from_change_to_change_by_keyboard_and_sees_ones_own_clock(
    room: Room, browser: Browser
) -> None:
    room.save(room.ben, NEWER.replace("second", "2nd"))
    with room.studio.browse(browser, room.ann, timezone_id="Asia/Ulaanbaatar") as page:
        page.goto(f"{room.studio.url}/editions/{EDITION}/stories/water/history")
        assert "UTC" not in page.locator("ol time").first.inner_text()
        page.get_by_role("link", name="See what changed").first.click()
        page.wait_for_url("**/changes?new=*")
        for keys, words in (
            ("Alt+ArrowRight", "very first"),
            ("Alt+ArrowRight", "2nd"),
            ("Alt+ArrowLeft", "very"),
        ):
            page.keyboard.press(keys)
            expect(page.locator(":focus")).to_contain_text(words)


def test_a_browser_that_does_not_know_the_language_shows_a_time_in_numbers(
    room: Room, browser: Browser
) -> None:
    room.save(room.ben, NEWER.replace("second", "2nd"))
    with room.studio.browse(
        browser,
        room.ann,
        timezone_id="Asia/Ulaanbaatar",
        locale="mn-MN",
        extra_http_headers={"Accept-Language": "mn"},
    ) as page:
        page.goto(f"{room.studio.url}/editions/{EDITION}/stories/water/history")
        assert page.locator("html").get_attribute("lang") == "mn"
        expect(page.locator("ol time").first).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d, \d\d:\d\d$"))

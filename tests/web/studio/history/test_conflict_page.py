"""The page of a conflict: both texts, a choice for each place, and nothing lost on the way."""

import re

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.edition_models import UnsavedText
from mailer.database.engine import open_session
from mailer.revisions.edition_file import digest_text
from mailer.revisions.edition_save import Conflict
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION
from tests.web.site import send_request
from tests.web.studio.history.conftest import ROOT, WATER, Room, find_value, list_words

MINE = BEFORE.replace("first", "my first").replace("second", "my second")
THEIRS = BEFORE.replace("Water", "Seas").replace("second", "their second")


def make_conflict(room: Room) -> str:
    """The page of a conflict between Ann, who wrote it, and Ben, who was first."""
    room.save(room.ben, THEIRS)
    conflict = room.save(room.ann, MINE, base=digest_text(BEFORE))
    assert isinstance(conflict, Conflict)
    return f"{ROOT}/conflicts/{conflict.number}"


def count_unsaved(room: Room) -> int:
    with Session(room.studio.engine) as session:
        return len(session.exec(select(UnsavedText.id)).all())


def find_choice(page: str) -> str:
    found = re.search(r'name="(choice-\d+)"', page)
    assert found is not None
    return found[1]


def test_a_text_that_is_not_there_leaves_nothing_open(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Session] = []

    def open_watched(engine: Engine, *, read_only: bool = False) -> Session:
        sessions.append(open_session(engine, read_only=read_only))
        return sessions[-1]

    monkeypatch.setattr("mailer.web.studio.page.open_session", open_watched)
    assert room.get(ROOT).status == 200
    assert sessions
    for act in (room.get, room.post):
        assert act(f"{ROOT}/conflicts/99").status == 404
    assert not any(session.in_transaction() for session in sessions)


def test_both_texts_are_shown_with_what_each_changed(room: Room) -> None:
    page = room.get(make_conflict(room)).text
    words = list_words(page)
    assert "Ben Author saved this text while it was being written here. Both are kept." in words
    assert "One place was changed in both: choose." in words
    assert "The <ins>my </ins>second paragraph." in page
    assert "The <ins>their </ins>second paragraph." in page
    assert "Changed only here: Your text" in words
    assert "Changed only here: The text of Ben Author" in words


def test_the_choice_is_shown_before_it_is_kept_and_showing_changes_nothing(room: Room) -> None:
    path = make_conflict(room)
    choice = find_choice(room.get(path).text)
    shown = room.get(f"{path}?{choice}=both").text
    merged = "The my first paragraph.\n\nThe my second paragraph.\n\nThe their second paragraph.\n"
    assert f"---\ntitle: Seas\n---\n{merged}" in shown
    assert (room.read(), count_unsaved(room)) == (THEIRS, 1)
    answer = room.post(path, act="keep", theirs=find_value(shown, "theirs"), **{choice: "both"})
    assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, WATER)
    assert room.read() == f"---\ntitle: Seas\n---\n{merged}"
    assert count_unsaved(room) == 0
    assert room.get(path).status == 404
    assert "Set aside: never in the edition" in list_words(room.get(f"{WATER}/history").text)


def test_nothing_is_kept_without_a_choice_for_each_place(room: Room) -> None:
    path = make_conflict(room)
    refused = room.post(path, act="keep", theirs=digest_text(THEIRS))
    assert refused.status == 422
    choice = find_choice(refused.text)
    assert f'<a href="#{choice}-mine">Choose a text for each place' in refused.text
    hostile = room.post(
        path, act="keep", theirs=digest_text(THEIRS), **{choice: "yours", "choice-999": "mine"}
    )
    assert hostile.status == 422
    assert (room.read(), count_unsaved(room)) == (THEIRS, 1)


def test_a_text_that_changes_meanwhile_is_shown_again_and_not_overwritten(room: Room) -> None:
    path = make_conflict(room)
    page = room.get(path).text
    (room.folder / STORY).write_text(THEIRS + "\nAt the last moment.\n")
    answer = room.post(path, act="keep", theirs=find_value(page, "theirs"), **{find_choice(page): "mine"})
    assert answer.status == 409
    assert "The text has changed again." in answer.text
    assert "At the last moment." in answer.text
    assert (room.read(), count_unsaved(room)) == (THEIRS + "\nAt the last moment.\n", 1)


def test_ones_own_text_can_be_left_out_and_stays_in_the_history(room: Room) -> None:
    path = make_conflict(room)
    assert room.post(path, act="aside").status == 303
    assert room.read() == THEIRS
    page = room.get(f"{WATER}/history").text
    number = re.search(r"changes\?new=(\d+)", page)
    assert number is not None
    assert "my " in room.get(f"{WATER}/history/changes?new={number[1]}").text


def test_what_was_written_in_a_removed_story_is_put_back_with_its_translation(room: Room) -> None:
    room.save(room.ben, THEIRS)
    room.save(room.ben, "水很清\n", name=TRANSLATION)
    for name in (STORY, TRANSLATION):
        (room.folder / name).unlink()
    conflict = room.save(room.ann, MINE, base=digest_text(THEIRS))
    assert isinstance(conflict, Conflict)
    path = f"{ROOT}/conflicts/{conflict.number}"
    assert "The text was removed while it was being written." in list_words(room.get(path).text)
    assert room.post(path, act="back").status == 303
    assert (room.read(), room.read(TRANSLATION)) == (MINE, "水很清\n")
    assert count_unsaved(room) == 0


def test_what_could_not_be_written_is_tried_again_on_its_page(room: Room) -> None:
    (room.folder / STORY).chmod(0o444)
    conflict = room.save(room.ann, MINE)
    assert isinstance(conflict, Conflict)
    path = f"{ROOT}/conflicts/{conflict.number}"
    page = room.get(path).text
    assert "The text could not be written (the file is read-only)." in list_words(page)
    refused = room.post(path, act="keep", theirs=find_value(page, "theirs"))
    assert (refused.status, count_unsaved(room)) == (409, 1)
    (room.folder / STORY).chmod(0o644)
    assert room.post(path, act="keep", theirs=find_value(page, "theirs")).status == 303
    assert room.read() == MINE


def test_a_session_that_has_ended_loses_nothing_of_a_conflict(room: Room) -> None:
    path = make_conflict(room)
    page = room.get(path).text
    form = {
        "cookie": "studio=ended",
        "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert send_request(room.studio.url, "POST", path, b"act=aside", form).status == 401
    assert room.get(path).text.count("choice-") == page.count("choice-")


def test_a_conflict_is_settled_in_a_browser_without_script(room: Room, browser: Browser) -> None:
    path = make_conflict(room)
    with room.studio.browse(browser, room.ann, java_script_enabled=False) as page:
        page.goto(f"{room.studio.url}{path.removeprefix('/studio')}")
        page.get_by_label("The text of Ben Author").check()
        page.get_by_role("button", name="Show the text put together").click()
        expect(page.locator("pre.whole")).to_contain_text("The their second paragraph.")
        expect(page.get_by_label("The text of Ben Author")).to_be_checked()
        page.get_by_role("button", name="Keep the text put together").click()
        expect(page).to_have_url(re.compile(f"/editions/{EDITION}/stories/water"))
    assert room.read() == THEIRS.replace("first", "my first")

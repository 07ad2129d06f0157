"""Who else has a story open, as two browsers see it."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from mailer.database.edition_models import EditionRevision, RevisionKind, StoryPresence
from mailer.revisions.edition_file import lock_edition
from mailer.web.studio.history import history_pages
from tests.revisions.conftest import BEFORE, EDITION, STORY
from tests.web.studio.history.conftest import WATER, Room


def test_two_people_see_each_other_and_not_themselves(room: Room, browser: Browser) -> None:
    url = f"{room.studio.url}/editions/{EDITION}/stories/water"
    with room.studio.browse(browser, room.ann) as first, room.studio.browse(browser, room.ann) as second:
        first.goto(url)
        with first.expect_response("**/presence"):
            first.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        with second.expect_response("**/presence") as told:
            second.goto(url)
        assert told.value.text().strip() == ""
        with room.studio.browse(browser, room.ben) as third:
            third.goto(url)
            expect(third.locator("#present")).to_have_text("Ann Author has this open too.")
            with first.expect_response("**/presence"):
                first.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            expect(first.locator("#present")).to_have_text("Ben Author has this open too.")
            third.goto(f"{room.studio.url}/")
            expect(third.get_by_role("heading", level=1)).to_have_text("Home")
            first.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            expect(first.locator("#present")).to_have_text("")


def test_a_page_that_is_opened_enters_what_was_changed_outside(room: Room) -> None:
    room.save(room.ben, BEFORE.replace("first", "1st"))
    (room.folder / STORY).write_text(BEFORE + "\nFrom Git.\n")
    for _ in range(2):
        assert room.post(f"{WATER}/presence", sitting="abcdefgh", first="1").status == 200
    with Session(room.studio.engine) as session:
        kinds = session.exec(select(EditionRevision.kind).order_by(EditionRevision.id)).all()  # type: ignore[arg-type]
        assert kinds == [RevisionKind.found, RevisionKind.written, RevisionKind.outside]
        assert len(session.exec(select(StoryPresence)).all()) == 1


def test_a_page_that_is_opened_while_somebody_saves_enters_nothing_old(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.save(room.ben, BEFORE.replace("first", "1st"))

    def save_before(*given: Any) -> AbstractContextManager[None]:
        room.save(room.ben, BEFORE.replace("first", "2nd"))
        return lock_edition(*given)

    monkeypatch.setattr(history_pages, "lock_edition", save_before)
    assert room.post(f"{WATER}/presence", sitting="abcdefgh", first="1").status == 200
    with Session(room.studio.engine) as session:
        kinds = session.exec(select(EditionRevision.kind).order_by(EditionRevision.id)).all()  # type: ignore[arg-type]
    assert kinds == [RevisionKind.found, RevisionKind.written]


def test_a_name_that_is_no_page_is_refused_and_a_page_that_closes_is_gone(room: Room) -> None:
    assert room.post(f"{WATER}/presence", sitting="../x").status == 422
    assert room.post(f"{WATER}/presence", sitting="abcdefgh").status == 200
    assert (
        "Ann Author has this open too." in room.post(f"{WATER}/presence", room.ben, sitting="12345678").text
    )
    assert room.post(f"{WATER}/presence", sitting="abcdefgh", gone="1").status == 204
    assert "Ann" not in room.post(f"{WATER}/presence", room.ben, sitting="12345678").text

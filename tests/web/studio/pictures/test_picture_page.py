"""The page of a picture: choosing, describing and cropping, with and without JavaScript."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from sqlmodel import Session, select

from editions.model import Crop, Focus, ImageShape, PeopleShown
from editions.reader import read_edition
from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord, Role
from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio

STORY = "stories/010-youth-forum.md"


@pytest.fixture
def draft(studio: Studio) -> Draft:
    return Draft(studio.workspace.editions / "2021-2")


def draw(path: Path, size: tuple[int, int] = (1300, 900), colour: str = "teal") -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


def read_picture(studio: Studio, draft: Draft) -> object:
    edition = read_edition(draft.folder, sectors=studio.workspace.settings.sectors)
    return next(story for story in edition.stories if story.slug == "youth-forum").image


def test_a_picture_is_uploaded_described_and_cropped(
    studio: Studio, browser: Browser, draft: Draft, tmp_path: Path
) -> None:
    before = (draft.folder / STORY).read_text("utf-8")
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_label("Another picture from this computer").set_input_files(
            draw(tmp_path / "Бээжин 2021.png")
        )
        expect(page.get_by_text("beezhin-2021.png")).to_be_visible()
        # What was said about the picture before is kept, for who only replaces it by a better one.
        expect(page.get_by_label("Description")).to_have_value("Young people around a table")
        page.get_by_label("Description").fill("A teal sheet")
        page.get_by_role("button", name="Use this picture").click()
        expect(page.locator("#errors")).to_contain_text("people can be recognised")
        expect(page.get_by_label("Description")).to_have_value("A teal sheet")
        page.get_by_label("They agreed to be shown").check()
        page.get_by_label("AI had no part in it").check()
        page.get_by_label("Square").check()
        page.locator("[data-focus] img").click(position={"x": 4, "y": 4})
        page.keyboard.press("Control+s")
        page.wait_for_url("**/stories/youth-forum?*")
    image = read_picture(studio, draft)
    assert image.path.name == "beezhin-2021.png"  # type: ignore[attr-defined]
    assert image.alt == "A teal sheet"  # type: ignore[attr-defined]
    assert image.people is PeopleShown.agreed  # type: ignore[attr-defined]
    assert image.crop.shape is ImageShape.square  # type: ignore[attr-defined]
    assert image.crop.focus.x < 5  # type: ignore[attr-defined]
    after = (draft.folder / STORY).read_text("utf-8")
    assert after.partition("\n---\n")[2] == before.partition("\n---\n")[2]
    with Session(studio.engine) as session:
        lines = session.exec(select(ActivityRecord.act, ActivityRecord.edition, ActivityRecord.subject)).all()
    assert lines == [(Act.wrote_text, "2021-2", STORY)]


def test_a_picture_is_chosen_and_taken_out_without_javascript(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    draft.add_image("second.jpg")
    with studio.browse(browser, studio.add_member(), java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_text("pictures of this edition").or_(page.get_by_text("picture of this edition")).click()
        page.get_by_role("button", name="second.jpg").click()
        page.get_by_label("Nobody can be recognised").check()
        page.get_by_label("A person made it, and AI changed it").check()
        page.get_by_role("button", name="Use this picture").click()
        image = read_picture(studio, draft)
        assert image.path.name == "second.jpg"  # type: ignore[attr-defined]
        assert image.ai == "edited"  # type: ignore[attr-defined]
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_role("button", name="Remove the picture").click()
    assert read_picture(studio, draft) is None
    assert (draft.folder / "images" / "second.jpg").is_file()


def test_a_file_that_is_no_picture_is_refused_and_nothing_typed_is_lost(
    studio: Studio, browser: Browser, draft: Draft, tmp_path: Path
) -> None:
    (tmp_path / "letter.jpg").write_bytes(b"%PDF-1.7 not a picture")
    before = (draft.folder / STORY).read_bytes()
    names = sorted((draft.folder / "images").iterdir())
    with studio.browse(browser, studio.add_member(), java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_label("Caption").fill("Typed with care")
        page.get_by_label("Another picture").set_input_files(tmp_path / "letter.jpg")
        page.get_by_role("button", name="Upload the picture").click()
        expect(page.locator("#errors")).to_contain_text("PDF")
        expect(page.get_by_label("Caption")).to_have_value("Typed with care")
    assert (draft.folder / STORY).read_bytes() == before
    assert sorted((draft.folder / "images").iterdir()) == names


def test_a_picture_that_somebody_else_described_meanwhile_is_not_overwritten(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_label("Nobody can be recognised").check()
        page.get_by_label("AI had no part in it").check()
        page.get_by_label("Caption").fill("Mine")
        draft.change(STORY, "The forum in Xi’an", "Theirs")
        page.get_by_role("button", name="Use this picture").click()
        expect(page.locator("#errors")).to_contain_text("Somebody else")
        expect(page.get_by_label("Caption")).to_have_value("Mine")
        assert "Mine" not in (draft.folder / STORY).read_text("utf-8")
        page.get_by_role("button", name="Use this picture").click()
        page.wait_for_url("**/stories/youth-forum?*")
    assert "Mine" in (draft.folder / STORY).read_text("utf-8")


def test_a_picture_that_one_described_in_another_tab_is_said_to_be_one_s_own(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    with studio.open_context(browser, studio.add_member()) as context:
        tabs = {"First": context.new_page(), "Second": context.new_page()}
        for words, tab in tabs.items():
            tab.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
            tab.get_by_label("Nobody can be recognised").check()
            tab.get_by_label("AI had no part in it").check()
            tab.get_by_label("Caption").fill(words)
        for tab in tabs.values():
            tab.get_by_role("button", name="Use this picture").click()
            expect(tab.locator("[role=status].right, #errors")).to_be_visible()
        expect(tabs["Second"].locator("#errors")).to_contain_text("You have changed")
        expect(tabs["Second"].get_by_label("Caption")).to_have_value("Second")
    assert "First" in (draft.folder / STORY).read_text("utf-8")


def test_a_change_elsewhere_in_the_story_is_no_conflict(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        page.get_by_label("Nobody can be recognised").check()
        page.get_by_label("AI had no part in it").check()
        page.get_by_label("Caption").fill("Mine")
        draft.change(STORY, "The forum met in October.", "The forum met in November.")
        page.get_by_role("button", name="Use this picture").click()
        page.wait_for_url("**/stories/youth-forum?*")
    text = (draft.folder / STORY).read_text("utf-8")
    assert "Mine" in text
    assert "November" in text


@pytest.mark.parametrize(
    "path",
    [
        "/editions/2021-2/stories/youth-forum/picture?place=portrait",
        "/editions/2021-2/stories/youth-forum/picture?place=images-7",
        "/editions/2021-2/stories/youth-forum/picture?place=../../x",
        "/editions/2021-2/stories/no-such-story/picture",
        "/editions/no-such/stories/youth-forum/picture",
        "/editions/2021-2/letter/picture?place=image",
        "/editions/2021-2/pictures/edition.md",
        "/editions/2021-2/pictures/..%2fedition.md",
        "/editions/2021-2/pictures/forum.jpg?size=huge",
    ],
)
def test_what_is_not_there_is_not_found(studio: Studio, browser: Browser, draft: Draft, path: str) -> None:
    with studio.open_context(browser, studio.add_member()) as context:
        assert context.request.get(f"{studio.url}{path}").status == 404


def test_a_story_that_cannot_be_read_says_so_on_its_picture_page_too(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    draft.write(STORY, b"---\ntitle: Forum \xe9\n---\n")
    with studio.open_context(browser, studio.add_member()) as context:
        answer = context.request.get(f"{studio.url}/editions/2021-2/stories/youth-forum/picture")
        assert answer.status == 409
        assert "is not UTF-8" in answer.text()
        assert context.request.get(f"{studio.url}/editions/{'x' * 300}/pictures/a.jpg").status == 404


def test_the_team_sees_the_pictures_of_an_edition_and_nobody_else(
    studio: Studio, browser: Browser, draft: Draft
) -> None:
    url = f"{studio.url}/editions/2021-2/pictures/forum.jpg?size=view&shape=square&focus=0-0"
    with studio.open_context(browser, studio.add_member(Role.guest, "Gus Guest")) as context:
        answer = context.request.get(url)
        assert Image.open(io.BytesIO(answer.body())).size[0] == Image.open(io.BytesIO(answer.body())).size[1]
        tag = answer.headers["etag"]
        assert context.request.get(url, headers={"if-none-match": tag}).status == 304
        picture = f"{studio.url}/editions/2021-2/stories/youth-forum/picture"
        assert context.request.get(picture).status == 403
    anonymous = browser.new_context()
    assert anonymous.request.get(url, max_redirects=0).status == 303
    anonymous.close()


def test_the_crop_that_is_shown_is_the_crop_that_is_sent() -> None:
    shown = Crop(shape=ImageShape.wide, focus=Focus(x=10, y=90))
    assert shown.find_size(1600, 1600) == (1600, 900)

"""The page of a story and of the letter, as requests; a form without script does all of it."""

import json
import re

import pytest

from mailer.database.team_models import Role
from tests.factories.draft_edition import EDITION, STORY
from tests.web.studio.stories.conftest import (
    FILE,
    LETTER_PATH,
    STORY_PATH,
    Desk,
    change_field,
    list_page_fields,
)

JSON = "application/json"
OF_EDITIONS = '<a href="/studio/editions" aria-current="page">'
"""Where the menu is."""


def test_the_page_has_what_the_file_says(desk: Desk) -> None:
    page = desk.get()
    assert page.status == 200
    fields = dict(desk.read_form())
    assert fields["title"] == "A forum for youth"
    assert fields["sector"] == "culture"
    assert fields["body"] == "The forum met in October.\n"
    assert fields["read_more.0.url"] == "https://example.org/forum"
    ticked = [value for name, value in desk.read_form() if name == "countries"]
    assert sorted(ticked) == ["CN", "MN"]
    assert "Our newsletter 2021-2" in page.text


def test_saving_without_a_change_changes_no_byte(desk: Desk) -> None:
    for path, name in ((STORY_PATH, FILE), (LETTER_PATH, "edition.md")):
        before = (desk.draft.folder / name).read_bytes()
        assert desk.post(desk.read_form(path), path).status == 303
        assert (desk.draft.folder / name).read_bytes() == before


def test_a_form_without_script_saves_and_says_so(desk: Desk) -> None:
    fields = change_field(desk.read_form(), "title", "A forum for the young")
    answer = desk.post(change_field(fields, "body", "The forum met in May.\r\n"))
    assert answer.status == 303
    assert desk.read() == STORY.replace("title: A forum for youth", "title: A forum for the young").replace(
        "October", "May"
    )
    page = desk.get(answer.headers["location"]).text
    assert "Saved." in page
    # The next save belongs to the same sitting of the history.
    assert dict(list_page_fields(page))["sitting"] == dict(fields)["sitting"]


def test_the_letter_is_written_in_the_file_of_the_edition(desk: Desk) -> None:
    fields = desk.read_form(LETTER_PATH)
    assert dict(fields)["letter.titles"] == "Director\nRepresentative"
    fields = change_field(fields, "letter.name", "Ann Li")
    fields = change_field(fields, "body", "Dear friends.\r\n")
    assert desk.post(fields, LETTER_PATH).status == 303
    assert desk.read("edition.md") == EDITION.replace("Shahbaz Khan", "Ann Li").replace(
        "Dear colleagues, this was our autumn.", "Dear friends."
    )


def test_a_draft_is_saved_with_its_errors(desk: Desk) -> None:
    assert desk.post(change_field(desk.read_form(), "title", "")).status == 303
    assert "title:" not in desk.read()
    assert dict(desk.read_form())["title"] == ""


def test_what_the_file_has_and_nobody_offers_is_not_lost_by_saving(desk: Desk) -> None:
    strange = STORY.replace("sector: culture", "sector: cultur").replace("[CN, MN]", "[CN, Mongolei]")
    desk.draft.write(FILE, strange)
    assert desk.post(change_field(desk.read_form(), "date", "24 October")).status == 303
    assert desk.read() == strange.replace("kind", "kind").replace(
        "countries: [CN, Mongolei]\n", "countries: [CN, Mongolei]\ndate: 24 October\n"
    )


@pytest.mark.parametrize(
    ("typed", "status", "codes"),
    [
        ("Japan", 303, ["CN", "MN", "JP"]),
        ("日本", 303, ["CN", "MN", "JP"]),
        ("Japn", 422, []),
        ("Korea", 422, []),
    ],
)
def test_another_country_is_named_in_any_language(
    desk: Desk, typed: str, status: int, codes: list[str]
) -> None:
    fields = change_field(desk.read_form(), "another_country", typed)
    answer = desk.post(change_field(fields, "title", "Changed"))
    assert answer.status == status
    if status == 303:
        assert f"countries: [{', '.join(codes)}]" in desk.read()
        return
    assert desk.read() == STORY
    kept = dict(list_page_fields(answer.text))
    assert (kept["title"], kept["another_country"]) == ("Changed", typed)
    assert f"{typed} is not the name of a country." in answer.text
    assert '<a href="#another_country">' in answer.text


def test_a_script_is_told_the_digest_to_go_on_from(desk: Desk) -> None:
    fields = change_field(desk.read_form(), "body", "One.")
    first = desk.post(change_field(fields, "sequence", "1"), accept=JSON)
    told = json.loads(first.text)
    assert (first.status, told["problems"], told["adjusted"]) == (200, 0, False)
    assert told["digest"] == dict(desk.read_form())["base"]
    fields = change_field(change_field(fields, "base", told["digest"]), "sequence", "2")
    assert desk.post(change_field(fields, "body", "Two."), accept=JSON).status == 200
    assert desk.read().endswith("\n\nTwo.\n")


def test_a_document_of_the_editor_becomes_markdown(desk: Desk) -> None:
    page = desk.get().text
    document = re.search(r'data-document="([^"]*)"', page)
    assert document is not None
    sent = json.dumps(
        {
            "type": "doc",
            "content": [
                {"type": "paragraph", "content": [{"type": "text", "text": "It met."}]},
                {
                    "type": "paragraph",
                    "content": [{"type": "text", "text": "In May", "marks": [{"type": "strong"}]}],
                },
            ],
        }
    )
    fields = [(name, value) for name, value in desk.read_form() if name != "body"]
    assert desk.post([*fields, ("document", sent)], accept=JSON).status == 200
    assert desk.read().endswith("---\n\nIt met.\n\n**In May**\n")


@pytest.mark.parametrize("document", ['{"type":"doc","content":[{"type":"script"}]}', "no", "[]"])
def test_a_document_of_no_editor_is_refused_and_the_fields_are_kept(desk: Desk, document: str) -> None:
    fields = [(name, value) for name, value in desk.read_form() if name != "body"]
    sent = [*change_field(fields, "title", "Changed"), ("document", document)]
    assert json.loads(desk.post(sent, accept=JSON).text)["error"].startswith("What the editor sent")
    answer = desk.post(sent)
    assert answer.status == 422
    assert dict(list_page_fields(answer.text))["title"] == "Changed"
    assert desk.read() == STORY


def test_a_text_that_no_file_can_have_is_refused_and_shown_again(desk: Desk) -> None:
    answer = desk.post(change_field(desk.read_form(), "body", "A\0B"))
    assert answer.status == 422
    assert "NUL" in answer.text
    assert desk.read() == STORY


def test_a_change_underneath_is_not_written_over(desk: Desk) -> None:
    fields = desk.read_form()
    theirs = STORY.replace("October", "June")
    desk.draft.write(FILE, theirs)
    sent = change_field(fields, "body", "Mine.")
    answer = desk.post(sent, accept=JSON)
    assert answer.status == 409
    assert json.loads(answer.text)["conflict"].startswith("/studio/editions/2021-2/")
    assert desk.post(sent).status == 303
    assert desk.read() == theirs


def test_front_matter_that_cannot_be_read_is_shown_as_the_whole_file(desk: Desk) -> None:
    broken = STORY.replace("sector: culture", "sector: [culture")
    desk.draft.write(FILE, broken)
    page = desk.get()
    assert "cannot be read, so the whole file is shown" in page.text
    fields = list_page_fields(page.text)
    assert dict(fields)["source"] == broken
    assert desk.post(change_field(fields, "source", STORY.replace("\n", "\r\n"))).status == 303
    assert desk.read() == STORY


def test_parts_that_the_editor_cannot_show_are_named(desk: Desk) -> None:
    desk.draft.change(FILE, "The forum met in October.", "| a | b |\n|---|---|\n| 1 | 2 |")
    assert "because the editor has no such thing: a table." in desk.get().text
    markdown = desk.get(f"{STORY_PATH}?as=markdown").text
    assert "<story-editor" not in markdown
    assert dict(list_page_fields(markdown))["body"] == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_the_way_of_writing_is_kept_after_saving(desk: Desk) -> None:
    for wanted, leads in (("markdown", "as=markdown"), ("preview", "/preview?")):
        answer = desk.post([*desk.read_form(), ("then", wanted)])
        assert leads in answer.headers["location"]
    answer = desk.post([*desk.read_form(), ("then", "editor")])
    assert "as=markdown" not in answer.headers["location"]


@pytest.mark.parametrize(
    "path",
    [
        "/studio/editions/2021-2/stories/no-such-story",
        "/studio/editions/2021-2/stories/010-youth-forum",
        "/studio/editions/2021-2/stories/..",
        "/studio/editions/2021-3/stories/youth-forum",
        "/studio/editions/2021-3/letter",
        "/studio/editions/../letter",
        "/studio/editions/2021-2/stories/youth-forum.zh",
    ],
)
def test_what_is_not_there_is_not_found(desk: Desk, path: str) -> None:
    for further in ("", "/preview", "/preview/frame", "/checks"):
        assert desk.get(path + further).status == 404
    assert desk.post(desk.read_form(), path).status == 404


def test_a_story_that_was_moved_keeps_its_address(desk: Desk) -> None:
    fields = desk.read_form()
    (desk.draft.folder / FILE).rename(desk.draft.folder / "stories/030-youth-forum.md")
    assert desk.get().status == 200
    assert desk.post(change_field(fields, "body", "Moved.")).status == 303
    assert desk.read("stories/030-youth-forum.md").endswith("Moved.\n")


def test_a_story_that_was_removed_says_where_it_is(desk: Desk) -> None:
    (desk.draft.folder / FILE).unlink()
    page = desk.get()
    assert page.status == 404
    assert 'href="/studio/editions/2021-2/history"' in page.text
    assert OF_EDITIONS in page.text


def test_a_file_that_is_no_text_is_explained(desk: Desk) -> None:
    desk.draft.write(FILE, b"\xff\xfe\x00")
    page = desk.get()
    assert page.status == 409
    assert "is not UTF-8" in page.text
    assert OF_EDITIONS in page.text


def test_a_guest_reads_and_writes_nothing(desk: Desk) -> None:
    fields = desk.read_form()
    guest = desk.sign_in_as(Role.guest)
    page = guest.get()
    assert page.status == 200
    assert '<form id="story"' not in page.text
    assert guest.post(fields).status == 403
    assert guest.post(fields, f"{STORY_PATH}/preview/frame").status == 403
    assert desk.read() == STORY


def test_a_strange_sitting_is_not_taken_over(desk: Desk) -> None:
    page = desk.get(f"{STORY_PATH}?sitting=%22%3E%3Cscript%3E").text
    assert "<script>" not in page.replace('<script src="', "")

"""The table of translations: what is told of each, and how a language is added."""

import re

from mailer.database.team_models import Role
from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient

PATH = "/editions/2021-2/translations"


def read_cells(text: str) -> list[str]:
    """The cells of the table, as words."""
    cells = re.findall(r"<t[dh][ >].*?</t[dh]>", text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


def test_the_table_tells_how_far_each_translation_is(author: StudioClient, draft: Draft) -> None:
    draft.translate()
    draft.write("stories/020-bare.md", "---\ntitle: Bare\n---\n\nText.\n")
    cells = read_cells(author.get(PATH).text)
    assert "中文 1 of 3 translated" in cells
    assert cells[2:4] == [
        "Details and letter",
        "In progress · 中文 · Details and letter 2 texts to translate",
    ]
    assert cells[4:6] == ["A forum for youth", "Translated · 中文 · A forum for youth"]
    assert cells[6:8] == ["Bare", "Not begun · 中文 · Bare"]


def test_a_language_is_added_as_a_column_and_nothing_is_written(author: StudioClient, draft: Draft) -> None:
    before = sorted(draft.folder.rglob("*"))
    answer = author.get(f"{PATH}?add=mn")
    assert "Монгол" in answer.text
    assert "/editions/2021-2/letter/translations/mn" in answer.text
    assert sorted(draft.folder.rglob("*")) == before


def test_what_is_no_language_is_refused_with_what_to_write(author: StudioClient, draft: Draft) -> None:
    for wanted, words in (("Klingonish!", "not the tag of a language"), ("en", "is written in this")):
        answer = author.get(f"{PATH}?add={wanted}")
        assert answer.status == 422
        assert words in answer.text


def test_a_guest_sees_the_table_and_adds_nothing(studio: Studio, draft: Draft) -> None:
    draft.translate()
    answer = StudioClient(studio, Role.guest).get(PATH)
    assert answer.status == 200
    assert "Add language" not in answer.text


def test_an_edition_that_is_not_there_has_no_translations(author: StudioClient, draft: Draft) -> None:
    for name in ("nothing", "..", ".hidden", "%2e%2e%2f"):
        assert author.get(f"/editions/{name}/translations").status == 404

"""An empty edition, and a copy that takes over what was asked for and nothing else."""

from datetime import date
from pathlib import Path

import pytest

from editions.changes.front_matter_change import read_fields
from editions.errors import NewEditionError
from editions.new_editions import CopyChoice, copy_edition, create_empty_edition, guess_period
from tests.factories.draft_edition import Draft

TODAY = date(2027, 3, 1)
EVERYTHING = CopyChoice(stories=True, translations=True, subject=True, letter=True)


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft(tmp_path / "2026-1")
    draft.translate()
    draft.add_image("director.jpg")
    draft.change(
        "edition.md", "letter:\n", "letter:\n  # Who signs it.\n  portrait: {file: director.jpg, alt: x}\n"
    )
    return draft


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_empty_edition_has_its_title_and_dates_and_no_story(tmp_path: Path) -> None:
    folder = create_empty_edition(tmp_path, "2027-1", title="Wells: a year", language="mn", today=TODAY)
    assert (folder / "edition.md").read_text(encoding="utf-8") == (
        f'---\ntitle: "Wells: a year"\nnumber: 2027-1\nperiod: {guess_period(TODAY, "mn")}\n'
        "date: 2027-03-01\nlanguage: mn\n---\n\n"
    )
    assert list_files(folder) == ["edition.md"]
    assert (folder / "stories").is_dir()


def test_a_copy_takes_the_settings_and_the_signature_and_is_dated_anew(draft: Draft) -> None:
    folder = copy_edition(draft.folder.parent, "2026-1", "2027-1", CopyChoice(), today=TODAY)
    assert list_files(folder) == ["edition.md", "images/director.jpg"]
    text = (folder / "edition.md").read_text(encoding="utf-8")
    values = read_fields(text)
    assert (values["title"], values["number"], values["date"]) == ("Our newsletter", "2027-1", "2027-03-01")
    assert values["period"] == "March 2027"
    assert not {"subject", "preheader"} & set(values)
    assert "  # Who signs it.\n" in text
    assert text.endswith("---\n\n")


def test_a_copy_of_everything_differs_in_number_and_dates_alone(draft: Draft) -> None:
    folder = copy_edition(draft.folder.parent, "2026-1", "2027-1", EVERYTHING, today=TODAY)
    assert list_files(folder) == list_files(draft.folder)
    for name in list_files(folder):
        copied, own = (folder / name).read_bytes(), (draft.folder / name).read_bytes()
        if not name.startswith("edition"):
            assert copied == own, name
    assert "Dear colleagues, this was our autumn." in (folder / "edition.md").read_text(encoding="utf-8")
    assert read_fields((folder / "edition.zh.md").read_text(encoding="utf-8"))["title"] == "我们的通讯"
    assert Draft.problems.__get__(draft)() == ()


def test_an_edition_that_cannot_be_read_is_not_copied_and_nothing_is_left(draft: Draft) -> None:
    draft.change("edition.md", "title: Our newsletter", "title: [")
    with pytest.raises(NewEditionError, match=r"edition\.md cannot be copied. Line 2: the front matter"):
        copy_edition(draft.folder.parent, "2026-1", "2027-1", CopyChoice(), today=TODAY)
    assert [path.name for path in draft.folder.parent.iterdir()] == ["2026-1"]


def test_a_story_with_faults_is_copied_as_it_is(draft: Draft) -> None:
    draft.write("stories/020-broken.md", "no front matter")
    folder = copy_edition(draft.folder.parent, "2026-1", "2027-1", EVERYTHING, today=TODAY)
    assert (folder / "stories/020-broken.md").read_text() == "no front matter"


def test_a_picture_that_leads_elsewhere_is_not_copied(draft: Draft) -> None:
    (draft.folder / "images/passwords.jpg").symlink_to("/etc/passwd")
    folder = copy_edition(draft.folder.parent, "2026-1", "2027-1", EVERYTHING, today=TODAY)
    assert not (folder / "images/passwords.jpg").exists()


def test_an_edition_is_never_overwritten(draft: Draft) -> None:
    with pytest.raises(NewEditionError) as raised:
        copy_edition(draft.folder.parent, "2026-1", "2026-1", EVERYTHING, today=TODAY)
    assert raised.value.code == "edition-exists"

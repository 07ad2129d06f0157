"""Which file is what: by its name, and what is said about the others."""

from pathlib import Path

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import STORY, STORY_ZH, Draft


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "2021-2")


def test_a_missing_edition_file_is_named(draft: Draft) -> None:
    (draft.folder / "edition.md").unlink()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("edition.md", 1, "missing-edition-file")
    assert "edition.md is missing, so the email has no title and no subject" in problem.message


def test_an_edition_without_a_folder_of_stories_has_nothing_to_send(draft: Draft) -> None:
    (draft.folder / "stories/010-youth-forum.md").unlink()
    (draft.folder / "stories").rmdir()
    (draft.folder / "images/forum.jpg").unlink()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories", 1, "no-stories")
    assert "the folder stories/ is missing" in problem.message


def test_an_edition_without_a_story_has_nothing_to_send(draft: Draft) -> None:
    (draft.folder / "stories/010-youth-forum.md").unlink()
    (draft.folder / "images/forum.jpg").unlink()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories", 1, "no-stories")
    assert "there are no stories here" in problem.message


def test_a_file_in_the_place_of_the_stories_is_a_problem(draft: Draft) -> None:
    (draft.folder / "stories/010-youth-forum.md").unlink()
    (draft.folder / "stories").rmdir()
    draft.write("stories", "x")
    assert {problem.code for problem in draft.problems()} >= {"not-an-edition", "no-stories"}


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("Forum.md", "020-forum.md"),
        ("20-forum.md", "020-forum.md"),
        ("020-Forum In Xi’an.md", "020-forum-in-xi-an.md"),
        ("020_forum.MD", "020-forum.md"),
        ("020-.md", "020-story.md"),
        ("020-论坛.md", "020-story.md"),
        ("٠٢٠-forum.md", "020-forum.md"),
        ("020-forum.markdown", "020-forum.md"),
        ("020-forum.zh.Hans.md", "020-forum-zh-hans.md"),
    ],
)
def test_a_story_with_another_name_would_be_left_out(draft: Draft, name: str, suggested: str) -> None:
    draft.write(f"stories/{name}", STORY)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (f"stories/{name}", 1, "story-name")
    assert problem.level == ProblemLevel.error
    assert f"Rename this file, for example to {suggested}." in problem.message


def test_two_stories_with_one_number_are_refused(draft: Draft) -> None:
    draft.write("stories/010-a-second.md", STORY)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories/010-youth-forum.md", 1, "duplicate-number")
    assert (
        "stories/010-a-second.md has the number 010 too, so it is not clear which comes first"
        in problem.message
    )


def test_two_stories_with_one_slug_are_refused(draft: Draft) -> None:
    draft.write("stories/020-youth-forum.md", STORY)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories/020-youth-forum.md", 1, "duplicate-slug")
    assert "stories/010-youth-forum.md has the slug youth-forum too" in problem.message


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("notes.md", "Move it into stories/ if it is a story"),
        ("forum.JPG", "Move it into images/"),
        ("budget.xlsx", "Move it out of the edition"),
        ("stories/budget.xlsx", "this file is not a story and will not be sent"),
    ],
)
def test_a_stray_file_is_a_warning(draft: Draft, name: str, advice: str) -> None:
    draft.write(name, b"x")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code, problem.level) == (
        name,
        1,
        "stray-file",
        ProblemLevel.warning,
    )
    assert advice in problem.message


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "stories/.010-x.md.swp", "images/Thumbs.db", "desktop.ini", "stories/010-youth-forum.md~"],
)
def test_what_programs_leave_behind_is_passed_over(draft: Draft, name: str) -> None:
    draft.write(name, b"x")
    assert draft.problems() == ()


def test_a_picture_no_story_names_is_a_warning(draft: Draft) -> None:
    draft.add_image("spare.jpg")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("images/spare.jpg", 1, "unused-image")
    assert problem.level == ProblemLevel.warning
    assert "no story uses this picture" in problem.message


def test_a_picture_is_not_called_unused_while_a_story_cannot_be_read(draft: Draft) -> None:
    draft.write("stories/010-youth-forum.md", "---\ntitle: [\n---\nWords.\n")
    assert [problem.code for problem in draft.problems()] == ["yaml-syntax"]
    draft.write("stories/010-youth-forum.md", b"\xff")
    assert [problem.code for problem in draft.problems()] == ["not-utf-8"]


@pytest.mark.parametrize("name", ["zweite ausgabe", "2021#2", "二〇二一"])
def test_a_folder_s_name_must_do_for_a_web_address(tmp_path: Path, name: str) -> None:
    problem = Draft(tmp_path / name).problem()
    assert (problem.path, problem.line, problem.code) == (".", 1, "bad-folder-name")
    assert "becomes part of a web address" in problem.message


def test_a_translation_into_no_language_is_refused(draft: Draft) -> None:
    draft.write("stories/010-youth-forum.xx.md", STORY_ZH)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (
        "stories/010-youth-forum.xx.md",
        1,
        "unknown-language",
    )
    assert "'xx' in the file's name is not a known language tag" in problem.message


def test_a_translation_twice_is_refused(draft: Draft) -> None:
    draft.translate()
    draft.write("stories/010-youth-forum.ZH.md", STORY_ZH)
    problem = draft.problem()
    assert (problem.path, problem.code) == ("stories/010-youth-forum.zh.md", "duplicate-translation")
    assert "stories/010-youth-forum.ZH.md is a translation into zh too" in problem.message


def test_a_translation_of_a_story_that_is_not_there_is_refused(draft: Draft) -> None:
    draft.write("stories/020-other.zh.md", STORY_ZH)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories/020-other.zh.md", 1, "orphan-translation")
    assert "this is a translation of stories/020-other.md, which does not exist" in problem.message


def test_a_translation_with_another_number_is_told_its_story(draft: Draft) -> None:
    draft.write("stories/020-youth-forum.zh.md", STORY_ZH)
    assert "Did you mean stories/010-youth-forum.md? Give both the same number" in draft.problem().message

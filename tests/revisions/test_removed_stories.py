"""A removed story is brought back with its translations, as it was."""

from pathlib import Path

import pytest
from sqlmodel import Session

from mailer.database.edition_models import RevisionKind
from mailer.revisions import story_changes
from mailer.revisions.edition_file import (
    EditionFileError,
    FilePlace,
    list_story_names,
    list_story_slugs,
)
from mailer.revisions.history import list_edition_history, list_history, list_removed_stories
from mailer.revisions.story_changes import StoryRestoredError, remove_story, restore_story
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION, Desk


def remove(desk: Desk, member: Member, story: str = "water") -> int:
    with Session(desk.engine) as session:
        count = remove_story(desk.workspace, session, EDITION, story, member=member, now=desk.now)
        session.commit()
        return count


def restore(desk: Desk, member: Member, story: str = "water", **options: object) -> str:
    with Session(desk.engine) as session:
        name = restore_story(
            desk.workspace,
            session,
            EDITION,
            story,
            member=member,
            now=desk.now,
            **options,  # type: ignore[arg-type]
        )
        session.commit()
        return name


def list_gone(desk: Desk) -> list[str]:
    with Session(desk.engine) as session:
        found = list_removed_stories(session, EDITION, list_story_slugs(desk.folder))
        return [entry.place.story for entry in found]


@pytest.mark.usefixtures("either_workspace")
def test_a_removed_story_comes_back_whole_with_its_translation(desk: Desk, ann: Member) -> None:
    translated = desk.read(TRANSLATION).text
    assert remove(desk, ann) == 2
    assert not (desk.folder / STORY).exists()
    assert not (desk.folder / TRANSLATION).exists()
    assert list_gone(desk) == ["water"]
    assert restore(desk, ann) == STORY
    assert (desk.read().text, desk.read(TRANSLATION).text) == (BEFORE, translated)
    assert list_gone(desk) == []
    with Session(desk.engine) as session:
        kinds = [group[0].kind for group in list_edition_history(session, EDITION)]
        sizes = [len(group) for group in list_edition_history(session, EDITION)]
    assert kinds[:2] == [RevisionKind.restored, RevisionKind.removed]
    assert sizes[:2] == [2, 2]


def test_a_story_that_disappeared_outside_studio_comes_back_too(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}More.\n")
    desk.must_save(ann, "水很清\n", name=TRANSLATION)
    for name in (STORY, TRANSLATION):
        (desk.folder / name).unlink()
    assert list_gone(desk) == ["water"]
    assert restore(desk, ann) == STORY
    assert (desk.read().text, desk.read(TRANSLATION).text) == (f"{BEFORE}More.\n", "水很清\n")


def test_it_takes_the_next_free_number_if_its_own_is_taken(desk: Desk, ann: Member) -> None:
    remove(desk, ann)
    for number in ("010", "011"):
        (desk.folder / "stories" / f"{number}-fire.md").write_text("---\ntitle: Fire\n---\n")
    assert restore(desk, ann) == "stories/012-water.md"
    assert desk.read("stories/012-water.zh.md").place == FilePlace(story="water", language="zh")


def test_a_translation_that_was_removed_before_stays_away(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, "水很清\n", name=TRANSLATION)
    (desk.folder / TRANSLATION).unlink()
    desk.must_conflict(ann, "水\n", base=desk.read().digest, name=TRANSLATION)
    desk.pass_time(days=1)
    remove(desk, ann)
    with Session(desk.engine) as session:
        (latest, *_) = list_history(session, EDITION, FilePlace(story="water", language="zh"))
        assert latest.kind is RevisionKind.outside
    restore(desk, ann)
    assert not (desk.folder / TRANSLATION).exists()


def test_what_cannot_be_brought_back_is_said(desk: Desk, ann: Member) -> None:
    with pytest.raises(StoryRestoredError, match="is there already"):
        restore(desk, ann)
    with pytest.raises(StoryRestoredError, match="does not have the text"):
        restore(desk, ann, "never-there")
    remove(desk, ann)
    for number in range(1000):
        (desk.folder / "stories" / f"{number:03d}-x.md").touch()
    with pytest.raises(StoryRestoredError, match="no room"):
        restore(desk, ann)


def test_ones_own_words_replace_the_last_ones(desk: Desk, ann: Member) -> None:
    remove(desk, ann)
    restore(desk, ann, texts={"": "My words.\n"})
    assert desk.read().text == "My words.\n"
    assert (desk.folder / TRANSLATION).exists()


def test_the_texts_are_in_the_history_before_the_first_file_goes(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if killed at the moment: the exception ends the transaction without a commit.
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(story_changes, "_unlink", stop)
    with pytest.raises(KeyboardInterrupt):
        remove(desk, ann)
    (desk.folder / STORY).unlink()
    monkeypatch.undo()
    (desk.folder / TRANSLATION).unlink()
    restore(desk, ann)
    assert desk.read().text == BEFORE


def test_a_story_that_cannot_be_read_is_not_removed(desk: Desk, ann: Member) -> None:
    (desk.folder / TRANSLATION).write_bytes(b"\xff")
    with pytest.raises(EditionFileError, match="is not UTF-8"):
        remove(desk, ann)
    assert (desk.folder / STORY).exists()


def test_restoring_goes_on_where_it_was_interrupted(desk: Desk, ann: Member, tmp_path: Path) -> None:
    translated = desk.read(TRANSLATION).text
    remove(desk, ann)
    (desk.folder / TRANSLATION).write_text(translated)
    assert restore(desk, ann) == STORY
    assert desk.read(TRANSLATION).text == translated
    assert list_story_names(desk.folder, "water") == [STORY, TRANSLATION]


def test_an_original_that_was_removed_alone_comes_back_to_its_translation(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}More.\n")
    desk.must_save(ann, "水很清\n", name=TRANSLATION)
    desk.write_outside("水很清，也很深\n", name=TRANSLATION)
    (desk.folder / STORY).unlink()
    assert list_gone(desk) == ["water"]
    assert restore(desk, ann) == STORY
    assert list_story_names(desk.folder, "water") == [STORY, TRANSLATION]
    assert desk.read().text == f"{BEFORE}More.\n"
    assert desk.read(TRANSLATION).text == "水很清，也很深\n", "what was left stays as it is"


def test_one_s_own_words_do_not_replace_a_translation_that_was_left(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}More.\n")
    (desk.folder / STORY).unlink()
    left = desk.read(TRANSLATION).text
    with pytest.raises(StoryRestoredError, match=r"zh\.md is there already"):
        restore(desk, ann, texts={"zh": "我的话\n"})
    assert list_story_names(desk.folder, "water") == [TRANSLATION]
    assert desk.read(TRANSLATION).text == left


def test_an_original_follows_its_translation_that_has_moved(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, f"{BEFORE}More.\n")
    (desk.folder / STORY).unlink()
    (desk.folder / TRANSLATION).rename(desk.folder / "stories" / "050-water.zh.md")
    assert restore(desk, ann) == "stories/050-water.md"
    assert list_story_names(desk.folder, "water") == ["stories/050-water.md", "stories/050-water.zh.md"]

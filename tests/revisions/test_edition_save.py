"""Saving: the file is only replaced if it is what the writer began from, and no text is ever lost."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlmodel import Session, select

from mailer.database.edition_models import EditionRevision, RevisionKind, UnsavedReason
from mailer.errors import ConfigurationError
from mailer.revisions import edition_save
from mailer.revisions.conflict_settlement import OpenConflict, find_conflict
from mailer.revisions.edition_file import EditionFile, FileNameError, FilePlace, TextRefusedError, TextSave
from mailer.revisions.edition_save import Conflict
from mailer.revisions.history import TEXTS_KEPT, find_text
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.members import Member
from tests.acceptance.small_disk import fill, small_disk
from tests.revisions.conftest import BEFORE, EDITION, STORY, TRANSLATION, Desk

MINE = BEFORE.replace("first", "very first")
THEIRS = BEFORE.replace("second", "very second")


def list_kinds(desk: Desk) -> list[RevisionKind]:
    with Session(desk.engine) as session:
        return list(session.exec(select(EditionRevision.kind).order_by(EditionRevision.id)))  # type: ignore[arg-type]


def list_texts_kept(desk: Desk) -> list[str]:
    with Session(desk.engine) as session:
        return [one.mine for one, _ in list_unsaved(session, EDITION)]


def look_at(desk: Desk, conflict: Conflict) -> OpenConflict:
    with Session(desk.engine) as session:
        found = find_conflict(desk.workspace, session, EDITION, conflict.number)
    assert found is not None
    return found


def list_texts(desk: Desk, conflict: Conflict) -> tuple[str | None, str, str | None]:
    """What the writer began from, what they wrote, and what the file has now."""
    found = look_at(desk, conflict)
    return found.unsaved.base, found.unsaved.mine, found.theirs.text if found.theirs is not None else None


def find_author(desk: Desk, conflict: Conflict) -> str:
    """The name of the member who wrote what the file has now."""
    by = look_at(desk, conflict).by
    return by.who if by is not None else ""


def test_a_save_replaces_the_file_and_keeps_its_permissions(desk: Desk, ann: Member) -> None:
    path = desk.folder / STORY
    path.chmod(0o664)
    saved = desk.must_save(ann, MINE)
    assert path.read_text() == MINE
    assert path.stat().st_mode & 0o777 == 0o664
    assert saved == desk.read()
    assert list_kinds(desk) == [RevisionKind.found, RevisionKind.written]
    assert [one.name for one in (desk.folder / "stories").iterdir() if one.name.startswith(".")] == []


@pytest.mark.usefixtures("either_workspace")
def test_a_file_that_changed_underneath_is_left_alone_and_both_texts_are_kept(
    desk: Desk, ann: Member, ben: Member
) -> None:
    base = desk.read().digest
    desk.must_save(ben, THEIRS)
    conflict = desk.must_conflict(ann, MINE, base=base)
    assert list_texts(desk, conflict) == (BEFORE, MINE, THEIRS)
    by = look_at(desk, conflict).by
    assert by is not None
    assert (conflict.reason, by.who, by.revision.ended_at) == (UnsavedReason.changed, "Ben Author", desk.now)
    assert desk.read().text == THEIRS
    assert list_texts_kept(desk) == [MINE]


def test_a_change_outside_studio_is_entered_and_never_overwritten(desk: Desk, ann: Member) -> None:
    saved = desk.must_save(ann, MINE)
    desk.write_outside(THEIRS)
    conflict = desk.must_conflict(ann, f"{MINE}More.\n", base=saved.digest)
    assert list_texts(desk, conflict) == (MINE, f"{MINE}More.\n", THEIRS)
    assert find_author(desk, conflict) == ""
    assert desk.read().text == THEIRS
    assert list_kinds(desk) == [RevisionKind.found, RevisionKind.written, RevisionKind.outside]


def test_a_change_between_reading_and_renaming_is_not_overwritten(
    desk: Desk, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The moment itself: another program writes when everything has been compared but the last time.
    base = desk.read().digest
    encode = edition_save.encode_text

    def write_meanwhile(text: str, like: bytes = b"") -> bytes:
        if like:
            desk.write_outside(THEIRS)
        return encode(text, like=like)

    monkeypatch.setattr(edition_save, "encode_text", write_meanwhile)
    conflict = desk.must_conflict(ann, MINE, base=base)
    assert list_texts(desk, conflict) == (BEFORE, MINE, THEIRS)
    assert desk.read().text == THEIRS


def test_the_same_text_is_saved_without_an_entry_or_a_new_file(desk: Desk, ann: Member, ben: Member) -> None:
    desk.must_save(ann, MINE)
    before = (desk.folder / STORY).stat().st_ino
    for member in (ann, ben):
        done = desk.save(member, MINE.replace("\n", "\r\n"), base="of something old")
        assert isinstance(done, EditionFile)
    assert (desk.folder / STORY).stat().st_ino == before
    assert list_kinds(desk) == [RevisionKind.found, RevisionKind.written]
    assert list_texts_kept(desk) == []


def test_other_line_ends_alone_are_no_change(desk: Desk, ann: Member) -> None:
    base = desk.read().digest
    (desk.folder / STORY).write_bytes(BEFORE.replace("\n", "\r\n").encode())
    desk.must_save(ann, MINE, base=base)
    assert (desk.folder / STORY).read_bytes() == MINE.replace("\n", "\r\n").encode()
    assert list_kinds(desk) == [RevisionKind.found, RevisionKind.written]


def test_a_draft_with_errors_is_saved(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, "---\ntitle: [\n\n<script>")
    assert desk.read().text == "---\ntitle: [\n\n<script>"


def test_what_cannot_be_saved_at_all_changes_nothing(desk: Desk, ann: Member) -> None:
    for text in ("\0", "\ud800", "x" * 1_000_001):
        with pytest.raises(TextRefusedError):
            desk.save(ann, text, base=desk.read().digest)
    with pytest.raises(FileNameError):
        desk.save(ann, MINE, base="", name="stories/../../mailer.toml")
    assert desk.read().text == BEFORE
    with Session(desk.engine) as session, pytest.raises(ConfigurationError):
        edition_save.save_edition_file(
            desk.workspace,
            session,
            TextSave(edition="../x", name=STORY, text=MINE, base="", member=ann, sitting="", now=desk.now),
        )


def test_a_story_that_was_moved_is_saved_under_its_new_number(desk: Desk, ann: Member) -> None:
    base, of_translation = desk.read().digest, desk.read(TRANSLATION).digest
    for name in (STORY, TRANSLATION):
        (desk.folder / name).rename(desk.folder / name.replace("010", "035"))
    assert desk.save(ann, MINE, base=base) == desk.read("stories/035-water.md")
    done = desk.save(ann, "第二段。\n", base=of_translation, name=TRANSLATION)
    assert done.name == "stories/035-water.zh.md"
    new = desk.save(ann, "Eau\n", base="", name="stories/010-water.fr.md")
    assert isinstance(new, EditionFile)
    assert new.name == "stories/035-water.fr.md"
    assert not (desk.folder / STORY).exists()


@pytest.mark.usefixtures("either_workspace")
def test_what_was_written_in_a_removed_story_is_kept(desk: Desk, ann: Member) -> None:
    saved = desk.must_save(ann, MINE)
    (desk.folder / STORY).unlink()
    (desk.folder / TRANSLATION).unlink()
    conflict = desk.must_conflict(ann, THEIRS, base=saved.digest)
    assert conflict.reason is UnsavedReason.removed
    assert list_texts(desk, conflict) == (MINE, THEIRS, None)
    assert list_texts_kept(desk) == [THEIRS]
    assert list_kinds(desk)[-1] is RevisionKind.outside
    orphan = desk.must_conflict(ann, "水\n", base="", name=TRANSLATION)
    assert orphan.reason is UnsavedReason.removed
    assert not (desk.folder / STORY).exists()


def test_a_new_file_appears_and_one_that_is_there_already_is_not_replaced(
    desk: Desk, ann: Member, ben: Member
) -> None:
    name = "edition.fr.md"
    assert isinstance(desk.save(ann, "Cher lecteur\n", base="", name=name), EditionFile)
    assert (desk.folder / name).stat().st_mode & 0o777 == 0o644
    conflict = desk.must_conflict(ben, "Chers lecteurs\n", base="", name=name)
    assert list_texts(desk, conflict) == (None, "Chers lecteurs\n", "Cher lecteur\n")
    assert find_author(desk, conflict) == "Ann Author"


def test_a_read_only_file_is_left_alone_and_the_text_kept(desk: Desk, ann: Member) -> None:
    base = desk.read().digest
    (desk.folder / STORY).chmod(0o444)
    conflict = desk.must_conflict(ann, MINE, base=base)
    assert (conflict.reason, conflict.detail) == (UnsavedReason.not_written, "the file is read-only")
    assert (desk.read().text, list_texts_kept(desk)) == (BEFORE, [MINE])
    (desk.folder / STORY).chmod(0o644)
    desk.must_save(ann, MINE)
    assert list_texts_kept(desk) == []


def test_a_link_out_of_the_edition_is_not_followed(desk: Desk, ann: Member, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text(BEFORE)
    base = desk.read().digest
    (desk.folder / STORY).unlink()
    (desk.folder / STORY).symlink_to(outside)
    conflict = desk.must_conflict(ann, MINE, base=base)
    assert conflict.reason is UnsavedReason.not_written
    assert outside.read_text() == BEFORE
    assert list_texts_kept(desk) == [MINE]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a small disk")
def test_on_a_full_disk_the_text_is_kept_and_the_file_is_whole(
    desk: Desk, ann: Member, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        shutil.copytree(desk.folder, disk / EDITION)
        shutil.rmtree(desk.folder)
        desk.folder.symlink_to(disk / EDITION)
        base = desk.read().digest
        fill(disk)
        conflict = desk.must_conflict(ann, MINE * 100, base=base)
        assert conflict.reason is UnsavedReason.not_written
        assert conflict.detail == "No space left on device"
        assert desk.read().text == BEFORE
        assert [one.name for one in (desk.folder / "stories").iterdir() if one.name.startswith(".")] == []
        assert list_texts_kept(desk) == [MINE * 100]


@pytest.mark.usefixtures("either_workspace")
def test_a_page_goes_on_typing_in_a_conflict_and_its_last_text_is_kept(
    desk: Desk, ann: Member, ben: Member
) -> None:
    base = desk.read().digest
    desk.must_save(ben, THEIRS)
    numbers = {
        desk.must_conflict(ann, MINE + "x" * count, base=base, sequence=count).number for count in (1, 2, 4)
    }
    late = desk.must_conflict(ann, f"{MINE}xxx", base=base, sequence=3)
    assert numbers == {late.number}
    assert list_texts_kept(desk) == [f"{MINE}xxxx"]


def test_what_a_page_could_not_save_is_kept_when_it_begins_anew(desk: Desk, ann: Member, ben: Member) -> None:
    base = desk.read().digest
    saved = desk.must_save(ben, THEIRS)
    desk.must_conflict(ann, MINE, base=base)
    # Ann goes back to what the file has, in the same page, and writes something else.
    again = desk.must_save(ann, f"{THEIRS}And more.\n", base=saved.digest)
    assert list_texts_kept(desk) == [MINE]
    desk.write_outside(THEIRS)
    desk.must_conflict(ann, f"{THEIRS}And more still.\n", base=again.digest)
    assert list_texts_kept(desk) == [MINE, f"{THEIRS}And more still.\n"]


def test_a_page_whose_answer_got_lost_does_not_meet_itself(desk: Desk, ann: Member) -> None:
    base = desk.read().digest
    desk.must_save(ann, MINE, base=base, sequence=1)
    # The page never heard of it, and sends all it has with the same base.
    assert isinstance(desk.save(ann, f"{MINE}more", base=base, sequence=2), EditionFile)
    # The first request was under way all the time, and arrives once more.
    assert isinstance(desk.save(ann, MINE, base=base, sequence=1), EditionFile)
    assert desk.read().text == f"{MINE}more"


def test_the_same_person_in_another_tab_is_another_page(desk: Desk, ann: Member) -> None:
    base = desk.read().digest
    desk.must_save(ann, MINE, base=base, sitting="one", sequence=1)
    conflict = desk.must_conflict(ann, THEIRS, base=base, sitting="two", sequence=1)
    assert list_texts(desk, conflict) == (BEFORE, THEIRS, MINE)
    assert find_author(desk, conflict) == "Ann Author"


def test_a_text_that_somebody_may_have_begun_from_is_known_for_days(
    desk: Desk, ann: Member, ben: Member
) -> None:
    seen = desk.must_save(ann, MINE)
    desk.must_save(ann, f"{MINE}More.\n")
    assert look_at(desk, desk.must_conflict(ben, THEIRS, base=seen.digest)).unsaved.base == MINE
    desk.now += TEXTS_KEPT * 2
    desk.must_save(ann, f"{MINE}Much more.\n")
    with Session(desk.engine) as session:
        assert find_text(session, EDITION, seen.digest) is None
        assert find_text(session, EDITION, desk.read().digest) == f"{MINE}Much more.\n"


def test_drafts_of_a_killed_process_are_removed_after_an_hour(desk: Desk, ann: Member) -> None:
    old, new = (desk.folder / "stories" / f".010-water.md.{end}" for end in ("a1b2c3d4", "e5f6a7b8"))
    for path in (old, new):
        path.write_text("half of a text")
    os.utime(old, (0, 0))
    desk.must_save(ann, MINE)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.usefixtures("either_workspace")
def test_of_writers_at_the_same_moment_one_saves_and_every_other_text_is_kept(desk: Desk) -> None:
    members = [desk.add_member(f"Writer{number} X") for number in range(6)]
    base = desk.read().digest
    barrier = Barrier(len(members))

    def write(member: Member) -> EditionFile | Conflict:
        barrier.wait()
        return desk.save(member, f"{BEFORE}{member.name}\n", base=base)

    with ThreadPoolExecutor(len(members)) as pool:
        done = list(pool.map(write, members))
    assert sum(isinstance(one, EditionFile) for one in done) == 1
    kept = list_texts_kept(desk)
    assert len(kept) == len(members) - 1
    assert sorted([desk.read().text, *kept]) == sorted(f"{BEFORE}{member.name}\n" for member in members)
    assert list_kinds(desk) == [RevisionKind.found, RevisionKind.written]


def test_texts_of_the_letter_are_those_of_no_story(desk: Desk, ann: Member) -> None:
    desk.must_save(ann, "---\ntitle: L\n---\nHello\n", name="edition.md")
    with Session(desk.engine) as session:
        assert list_unsaved(session, EDITION, FilePlace()) == []
    assert desk.read("edition.md").place == FilePlace()

"""A server that is killed at any moment leaves a whole file, every text that it said was saved, and a history
that knows who wrote."""

import os
import random
import re
import signal
import time

import pytest
from sqlmodel import Session, select

from mailer.database.edition_models import RevisionKind, RevisionText
from mailer.revisions.edition_file import EditionFile, FilePlace
from mailer.revisions.history import list_history, read_text
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.members import Member
from tests.revisions.conftest import BEFORE, EDITION, Desk
from tests.revisions.killed_writer import make_text
from tests.servers.forked_programs import ForkTemplate
from tests.servers.process import wait_until


def kill_while_saving(
    desk: Desk, member: Member, chance: random.Random, template: ForkTemplate
) -> tuple[int, int]:
    """Start a writer, kill it at a random moment after its first save, and return its number and how often it
    was told that its text is saved."""
    writer = template.start((str(desk.workspace.root), str(member.id)), os.environ)
    wait_until(lambda: "\n" in writer.read() or writer.poll() is not None, what="a save", seconds=60)
    time.sleep(chance.uniform(0, 0.06))
    writer.kill()
    told, err = writer.communicate()
    assert writer.returncode == -signal.SIGKILL, err
    # The last line may be cut off by the kill itself.
    lines = [line for line in told.splitlines(keepends=True) if line.endswith("\n")]
    assert lines
    assert all(line.strip().isdecimal() for line in lines), lines
    return writer.pid, int(lines[-1])


def check_nothing_is_lost(desk: Desk, process: int, last: int) -> None:
    """The file is one whole text, none older than the last that was said to be saved, and the history goes on
    from it."""
    text = desk.read().text
    found = re.match(r"---\ntitle: Save (\d+) of (\d+)\n", text)
    assert found is not None
    assert text == make_text(int(found[2]), int(found[1]))
    assert int(found[2]) == process
    assert int(found[1]) >= last
    with Session(desk.engine) as session:
        assert make_text(process, last) in session.exec(select(RevisionText.text)).all()
        assert list_unsaved(session, EDITION) == []


def check_kills(desk: Desk, ann: Member, *, times: int) -> None:
    chance = random.Random(20261127)
    with ForkTemplate("tests.revisions.killed_writer:main") as template:
        for _ in range(times):
            process, last = kill_while_saving(desk, ann, chance, template)
            check_nothing_is_lost(desk, process, last)
    saved = desk.save(ann, f"{BEFORE}After all.\n", base=desk.read().digest)
    assert isinstance(saved, EditionFile)
    with Session(desk.engine) as session:
        entries = list_history(session, EDITION, FilePlace(story="water"), limit=10 * times)
        assert read_text(session, EDITION, entries[0]) == f"{BEFORE}After all.\n"
    assert {entry.who for entry in entries if entry.kind is not RevisionKind.found} == {ann.name}
    assert RevisionKind.outside not in {entry.kind for entry in entries}


def test_a_server_killed_ten_times_while_saving_loses_nothing(desk: Desk, ann: Member) -> None:
    check_kills(desk, ann, times=10)


@pytest.mark.soak
def test_a_server_killed_two_hundred_times_while_saving_loses_nothing(desk: Desk, ann: Member) -> None:
    check_kills(desk, ann, times=200)

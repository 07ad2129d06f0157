"""Removing stories in Studio while others write: nobody waits for ever, and every text can be had again."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from mailer.revisions.edition_file import digest_text
from tests.revisions.conftest import BEFORE, EDITION, STORY
from tests.web.studio.history.conftest import ROOT, Room


def test_a_story_is_removed_while_somebody_writes_in_it(room: Room) -> None:
    barrier = Barrier(2)

    def write() -> None:
        barrier.wait()
        for count in range(5):
            room.save(room.ann, f"{BEFORE}{count}\n", base=digest_text(BEFORE), sitting=str(count))

    def remove() -> int:
        barrier.wait()
        return room.post(f"{ROOT}/stories/water/remove", room.ben).status

    with ThreadPoolExecutor(2) as pool:
        writing, removing = pool.submit(write), pool.submit(remove)
        writing.result(timeout=25)
        assert removing.result(timeout=25) == 303
    assert not (room.folder / STORY).exists()
    assert room.post(f"{ROOT}/history", story="water").status == 303
    assert EDITION in str(room.folder)
    assert room.read().startswith(BEFORE)

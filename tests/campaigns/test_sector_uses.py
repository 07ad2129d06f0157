"""What a sector is used by, on both databases."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns import uses
from mailer.campaigns.uses import SectorUse, count_sector_use, make_lookups
from mailer.workspace import Workspace
from subscribers.models import SubscriberSector
from subscribers.segments.saved_segments import save_segment
from tests.factories.deliveries import START, add_subscribers


def write_story(folder: Path, name: str, head: str) -> None:
    (folder / "stories").mkdir(parents=True, exist_ok=True)
    (folder / "stories" / name).write_text(head, encoding="utf-8")


def count(engine: Engine, workspace: Workspace, sector: str) -> SectorUse:
    with Session(engine) as session:
        return count_sector_use(session, workspace.settings, workspace.editions, sector)


def test_stories_count_however_they_say_it(engine: Engine, workspace: Workspace) -> None:
    one, two = workspace.editions / "2026-1", workspace.editions / "2026-2"
    write_story(one, "010-a.md", "---\ntitle: A\nsector: culture\n---\n\nText about sciences.\n")
    write_story(one, "020-b.md", "---\ntitle: culture\n'sector': \"culture\"\n---\n")
    write_story(two, "010-c.md", "---\ntitle: culture\nsector: education\n---\n\nsector: culture\n")
    write_story(two, "020-d.md", "---\ntitle: [\nsector: culture\n")
    write_story(workspace.editions / ".draft", "010-e.md", "---\nsector: culture\n---\n")
    assert count(engine, workspace, "culture") == SectorUse(stories=3, editions=2)
    assert not count(engine, workspace, "sciences")


def test_people_and_segments_count(
    engine: Engine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = add_subscribers(engine, [f"p{number}@example.org" for number in range(4)])
    with Session(engine) as session:
        session.add_all(SubscriberSector(subscriber_id=one, sector="culture") for one in people)
        connection = session.connection()
        for name, text in (
            ("ours", "country:MN -(sector:education,culture or tag:x)"),
            ("theirs", "sector:education tag:culture"),
        ):
            save_segment(connection, name, text, make_lookups(connection, workspace.settings), now=START)
        session.commit()
    assert count(engine, workspace, "culture") == SectorUse(subscribers=4, segments=("ours",))
    monkeypatch.setattr(uses, "MOST_COUNTED", 2)
    assert count(engine, workspace, "culture").subscribers == 3

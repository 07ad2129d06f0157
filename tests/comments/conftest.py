"""Members who comment on a story, and a clock that moves when it is told to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.comments.thread_list import Anchor, ShownThread, list_threads
from mailer.comments.threads import begin_thread, reply
from mailer.database.team_models import Role
from mailer.team.members import Member, add_member

EDITION = "2026-1"
STORY = {"edition": EDITION, "story": "water", "title": "Water for all"}


@dataclass
class Office:
    """Three members and what they say."""

    session: Session
    now: datetime
    ann: Member
    bo: Member
    mei: Member
    requests: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def comment(self, member: Member, text: str, *, anchor: Anchor | None = None, **others: object) -> int:
        """Begin a thread and return its number."""
        values = {**STORY, "request": f"request-{next(self.requests)}", "now": self.now, **others}
        return begin_thread(self.session, member, text, anchor=anchor, **values)  # type: ignore[arg-type]

    def reply(self, member: Member, thread: int, text: str, **others: object) -> None:
        values = {"request": f"request-{next(self.requests)}", "now": self.now, **others}
        reply(self.session, member, thread, text, **values)  # type: ignore[arg-type]

    def threads(self, story: str = "water") -> list[ShownThread]:
        self.session.flush()
        return list_threads(self.session, EDITION, story)

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def office(session: Session, now: datetime) -> Office:
    return open_office(session, now)


@pytest.fixture
def sqlite_office(sqlite_engine: Engine, now: datetime) -> Iterator[Office]:
    with Session(sqlite_engine) as session:
        yield open_office(session, now)


def open_office(session: Session, now: datetime) -> Office:
    ann, bo, mei = (
        add_member(session, f"{name.split()[0].lower()}@example.org", name, role, now=now)
        for name, role in (("Ann Author", Role.author), ("Bo", Role.guest), ("Mei Lin 林", Role.manager))
    )
    session.commit()
    return Office(session=session, now=now, ann=ann, bo=bo, mei=mei)

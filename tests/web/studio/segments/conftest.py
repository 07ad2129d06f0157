"""A Studio with a list, editions that were sent, and saved segments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mailer.campaigns.uses import make_lookups
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.team_models import ActivityRecord, Role
from mailer.team.members import Member
from mailer.web.dependencies import utc_now
from mailer.workspace import open_workspace, write_keys
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.segments.saved_segments import list_saved_segments, save_segment
from tests.conftest import SETTINGS
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.editions.studio_client import StudioClient

SENT_AT = utc_now() - timedelta(days=40)
_PEOPLE = (
    *[("MN", ("education",), "zh", Status.active)] * 6,
    *[("MN", ("culture", "education"), "mn", Status.active)] * 2,
    *[("CN", ("sciences",), "zh", Status.active)] * 3,
    ("CN", (), "zh", Status.unsubscribed),
    (None, (), None, Status.active),
)
"""Who is on the list: country, sectors, language, status."""


@dataclass(frozen=True, kw_only=True)
class Office:
    """A served Studio with partners, and Ann, an author, who uses it without a browser."""

    studio: Studio
    ann: StudioClient
    member: Member

    def save(self, name: str, text: str) -> None:
        with Session(self.studio.engine) as session:
            lookups = make_lookups(session.connection(), self.studio.workspace.settings)
            save_segment(session.connection(), name, text, lookups, now=utc_now())
            session.commit()

    def list_saved(self) -> dict[str, str]:
        with Session(self.studio.engine) as session:
            return {saved.name: saved.text for saved in list_saved_segments(session.connection())}

    def list_acts(self) -> list[tuple[str, str, str]]:
        with Session(self.studio.engine) as session:
            rows = session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id))).all()
            return [(row.act, row.subject, row.detail) for row in rows]


def add_people(session: Session, joined: datetime) -> list[int]:
    """Add the people of this list, the last of whom has joined since."""
    ids = []
    for number, (country, sectors, language, status) in enumerate(_PEOPLE):
        one = Subscriber(
            email=f"person{number}@example.org",
            envelope=f"person{number}@example.org",
            name=f"Person {number}",
            organisation="Ministry of Education" if number % 2 else "",
            country=country,
            language=language,
            status=status,
            created_at=joined,
            updated_at=joined,
        )
        session.add(one)
        session.flush()
        assert one.id is not None
        session.add_all(SubscriberSector(subscriber_id=one.id, sector=sector) for sector in sectors)
        if number == 0:
            session.add(SubscriberTag(subscriber_id=one.id, tag="press"))
        ids.append(one.id)
    return ids


def add_sent_edition(session: Session, edition: str, segment: str, readers: list[int], at: datetime) -> None:
    campaign = Campaign(
        edition=edition,
        title=edition,
        segment=segment,
        state=CampaignState.finished,
        digest="d",
        created_at=at,
        launched_at=at,
    )
    session.add(campaign)
    session.flush()
    session.add_all(
        Delivery(campaign_id=campaign.id or 0, subscriber_id=one, state=DeliveryState.sent, updated_at=at)
        for one in readers
    )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Office]:
    root = tmp_path_factory.mktemp("office")
    (root / "editions").mkdir()
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    (root / "mailer.db").write_bytes(sqlite_template.read_bytes())
    with serve_studio(open_workspace(root, environ={})) as studio:
        with Session(studio.engine) as session:
            readers = add_people(session, SENT_AT - timedelta(days=300))
            add_sent_edition(session, "2025-4", "all", readers[:12], SENT_AT - timedelta(days=60))
            add_sent_edition(session, "2026-1", "country:MN", readers[:4], SENT_AT)
            session.commit()
        client = StudioClient(studio, Role.author)
        yield Office(studio=studio, ann=client, member=studio.add_member(Role.author, "Bea Browser"))

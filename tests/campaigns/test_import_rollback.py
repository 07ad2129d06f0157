"""Taking an import back."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.subscriber_history import plan_import_rollback, roll_back_import
from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from subscribers.consent.status_changes import erase, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import RollbackError
from subscribers.imports.importer import import_file, list_imports
from subscribers.imports.rollback import list_kept
from subscribers.models import ConsentRecord, ImportChange, Status, Subscriber
from subscribers.queries import find_subscriber, read_subscriber_details

SECTORS = {"education": "Education", "culture": "Culture"}
KEY = SuppressionKey(b"s" * 32)
HEADER = "email,name,organisation,country,sectors,language,tags\n"


def take(engine: Engine, folder: Path, text: str, at: datetime) -> int:
    path = folder / "partners.csv"
    path.write_text(text, encoding="utf-8")
    with Session(engine) as session:
        report = import_file(session, path, sectors=SECTORS, key=KEY, now=at)
        session.commit()
        return report.import_id or 0


def know(engine: Engine, address: str) -> dict[str, object]:
    with Session(engine) as session:
        known = read_subscriber_details(session, address)
        return {name: value for name, value in known.items() if name not in {"updated_at", "consent"}}


def test_who_came_goes_and_what_was_overwritten_is_put_back(
    engine: Engine, tmp_path: Path, now: datetime
) -> None:
    take(engine, tmp_path, HEADER + "ann@example.org,Ann,Ministry,MN,education,mn,press;vip\n", now)
    before = know(engine, "ann@example.org")
    later = now + timedelta(days=1)
    number = take(
        engine, tmp_path, HEADER + "ann@example.org,Anna,,CN,culture,,new\nbob@example.org,,,,,,\n", later
    )
    assert know(engine, "ann@example.org") != before
    dry = roll_back_import(engine, number, now=later, dry_run=True)
    with open_session(engine, read_only=True) as session:
        assert plan_import_rollback(session, number) == dry
    assert (dry.removed, dry.restored, dry.kept) == (1, 1, 0)
    assert know(engine, "bob@example.org")
    assert roll_back_import(engine, number, now=later) == dry
    assert know(engine, "ann@example.org") == before
    with Session(engine) as session:
        assert [person.email for person in session.exec(select(Subscriber))] == ["ann@example.org"]
        records = read_subscriber_details(session, "ann@example.org")["consent"]
        assert [(record["event"], record["method"]) for record in records] == [
            ("imported", "import"),
            ("updated", "import"),
            ("updated", "rollback"),
        ]
        assert records[-1]["evidence"] == f"import {number} taken back; changed: country, name, sectors, tags"
        (newest, _) = list_imports(session)
        assert newest.rolled_back_at is not None
        assert newest.added == 1


def test_who_has_done_something_since_is_kept(engine: Engine, tmp_path: Path, now: datetime) -> None:
    take(engine, tmp_path, HEADER + "old@example.org,Old,,,,,\n", now)
    text = "".join(f"{name}@example.org,New,,,,,\n" for name in ("old", "left", "gone", "here"))
    number = take(engine, tmp_path, HEADER + text, now + timedelta(days=1))
    take(engine, tmp_path, HEADER + "old@example.org,Newer,,,,,\n", now + timedelta(days=2))
    with Session(engine) as session:
        left = find_subscriber(session, "left@example.org")
        unsubscribe(session, left.id or 0, method="one-click", now=now)
        erase(session, "gone@example.org", key=KEY, method="command line", now=now)
        session.commit()
    with open_session(engine, read_only=True) as session:
        planned = plan_import_rollback(session, number)
        kept = list_kept(session, number, limit=5)
    report = roll_back_import(engine, number, now=now + timedelta(days=3))
    assert (report.removed, report.restored, report.kept) == (1, 0, 3)
    assert planned == report
    assert [email for _, email in kept] == ["left@example.org"]
    assert know(engine, "old@example.org")["name"] == "Newer"
    assert know(engine, "left@example.org")["status"] == Status.unsubscribed
    # And an import brings back neither of them.
    take(engine, tmp_path, HEADER + text, now + timedelta(days=4))
    assert know(engine, "left@example.org")["status"] == Status.unsubscribed
    with Session(engine) as session:
        assert session.exec(select(Subscriber).where(Subscriber.email == "gone@example.org")).all() == []


def test_what_an_import_overwrote_is_forgotten_with_the_person(
    engine: Engine, tmp_path: Path, now: datetime
) -> None:
    take(engine, tmp_path, HEADER + "ann@example.org,Ann Secret,,,,,\n", now)
    take(engine, tmp_path, HEADER + "ann@example.org,Anna,,,,,\n", now)
    with Session(engine) as session:
        assert len(session.exec(select(ImportChange)).all()) == 1
        erase(session, "ann@example.org", key=KEY, method="command line", now=now)
        session.commit()
        assert session.exec(select(ImportChange)).all() == []


@pytest.mark.parametrize("state", [DeliveryState.queued, DeliveryState.sent])
def test_an_import_whose_people_were_written_to_stays(
    engine: Engine, tmp_path: Path, now: datetime, state: DeliveryState
) -> None:
    number = take(engine, tmp_path, "email\nann@example.org\nbob@example.org\n", now)
    with Session(engine) as session:
        campaign = Campaign(
            edition="e", title="t", segment="", digest="", state=CampaignState.sending, created_at=now
        )
        session.add(campaign)
        session.flush()
        ann = find_subscriber(session, "ann@example.org")
        session.add(
            Delivery(campaign_id=campaign.id or 0, subscriber_id=ann.id or 0, state=state, updated_at=now)
        )
        session.commit()
    with pytest.raises(RollbackError, match=f"Import {number} cannot be rolled back: 1 of the people"):
        roll_back_import(engine, number, now=now)
    with Session(engine) as session:
        assert len(session.exec(select(Subscriber)).all()) == 2
        assert len(session.exec(select(ConsentRecord)).all()) == 2


def test_an_import_that_is_not_there_or_was_taken_back_is_named(
    engine: Engine, tmp_path: Path, now: datetime
) -> None:
    with pytest.raises(RollbackError, match=r"no import 7\. To list imports: mailer subscribers imports"):
        roll_back_import(engine, 7, now=now)
    number = take(engine, tmp_path, "email\nann@example.org\n", now)
    roll_back_import(engine, number, now=now)
    with pytest.raises(RollbackError, match="already been rolled back"):
        roll_back_import(engine, number, now=now)

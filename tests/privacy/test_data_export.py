"""Everything known about a person: complete, whatever tables there are and will be."""

import json
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Engine, ForeignKey, Integer, MetaData, String, Table
from sqlmodel import Session, SQLModel, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.cli import mailer
from mailer.comments.threads import begin_thread
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage, ProposedSuccessor
from mailer.database.models import Delivery, QueuedTransactionalMail, SentTest, TransactionalMailKind
from mailer.database.report_models import Click, ReaderClick
from mailer.database.team_models import Role
from mailer.privacy import data_export
from mailer.privacy.data_export import export_personal_data, list_personal_tables
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.consent.status_changes import add_consent_record, suppress
from subscribers.consent.team_changes import unsuppress
from subscribers.errors import UnknownSubscriberError
from subscribers.models import (
    ConsentEvent,
    ImportBatch,
    ImportChange,
    MergedSubscriber,
    SignUpReview,
    Status,
    Subscriber,
    SubscriberCountry,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.one_time_links import issue_link
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import add_campaign

ADDRESS = "mei@example.org"


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    return either_workspace


@pytest.fixture
def engine(workspace: Workspace, now: datetime) -> Iterator[Engine]:
    """Mei, with a row in every table that can have one, and a neighbour with one in each as well."""
    engine = workspace.open_database()
    add_campaign(engine, [ADDRESS, "bat@example.org"])
    with Session(engine) as session:
        former = [
            Subscriber(email=f"old{number}@{number}.example", envelope="x", created_at=now, updated_at=now)
            for number in (1, 2)
        ]
        session.add_all(former)
        session.flush()
        for one, number in zip(former, (1, 2), strict=True):
            one.status = Status.merged
            session.add(MergedSubscriber(subscriber_id=one.id or 0, kept_id=number, merged_at=now))
        for number in (1, 2):
            person = session.get(Subscriber, number)
            assert person is not None
            person.name = f"Name {number}"
            session.add(SubscriberSector(subscriber_id=number, sector=f"sector-{number}"))
            session.add(SubscriberTag(subscriber_id=number, tag=f"tag-{number}"))
            session.add(SubscriberCountry(subscriber_id=number, country="MN"))
            batch = ImportBatch(source="a.csv", form="CSV", basis="", at=now)
            session.add(batch)
            session.flush()
            session.add(ImportChange(import_id=batch.id or 0, subscriber_id=number, before=f"was {number}"))
            session.add(
                QueuedTransactionalMail(
                    kind=TransactionalMailKind.export,
                    subscriber_id=number,
                    language="en",
                    asked_at=now,
                    not_before=now,
                )
            )
            add_consent_record(
                session, person, ConsentEvent.imported, method="import", now=now, basis=f"basis {number}"
            )
            issue_link(session, workspace.keys.tokens, LinkPurpose.export, subscriber_id=number, now=now)
            came = FeedbackMessage(
                fingerprint=f"{number}",
                received_at=now,
                kind=FeedbackKind.reply,
                sender=person.email,
                raw=f"Dear all, reply {number}".encode(),
            )
            session.add(came)
            session.flush()
            session.add(FeedbackEvent(message_id=came.id or 0, subscriber_id=number, at=now))
            session.add(SignUpReview(subscriber_id=number, confirmed_at=now))
            session.add(ProposedSuccessor(subscriber_id=number, email=f"after{number}@example.org", at=now))
            session.add(
                Click(campaign_id=1, link_number=1, subscriber_id=number, clicked_at=now, visitor=bytes(16))
            )
            session.add(ReaderClick(campaign_id=1, link_number=1, subscriber_id=number, clicked_at=now))
        for delivery in session.exec(select(Delivery)).all():
            delivery.reason = f"550 no such user {delivery.subscriber_id}"
        session.commit()
    yield engine
    engine.dispose()


def test_every_row_of_the_person_is_told_and_none_of_anybody_else(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    with Session(engine) as session:
        for address in (ADDRESS, "bat@example.org"):
            session.add(
                SentTest(edition="2026-1", content_digest="d", address=address, sent_by="Kim", sent_at=now)
            )
        session.commit()
        known = export_personal_data(session, " MEI@example.org", key=workspace.keys.suppression, now=now)
    assert [(test["edition"], test["address"]) for test in known["tests"]] == [("2026-1", ADDRESS)]
    assert known["subscriber"]["email"] == ADDRESS
    assert known["subscriber"]["name"] == "Name 1"
    assert known["subscriber"]["status"] == "active"
    assert known["subscriber_sector"] == [{"subscriber_id": 1, "sector": "sector-1"}]
    assert known["subscriber_tag"] == [{"subscriber_id": 1, "tag": "tag-1"}]
    assert [row["basis"] for row in known["consent_record"]] == ["basis 1"]
    assert [row["purpose"] for row in known["mailed_link"]] == ["export"]
    (delivery,) = known["delivery"]
    assert (delivery["state"], delivery["reason"]) == ("queued", "550 no such user 1")
    assert (delivery["edition"], delivery["title"]) == ("2026-1", "Spring")
    assert [(one["sender"], one["text"]) for one in known["messages"]] == [(ADDRESS, "Dear all, reply 1")]
    assert known["suppression"] is None
    words = json.dumps(known, ensure_ascii=False)
    for neighbour in ("bat@example.org", "Name 2", "sector-2", "tag-2", "basis 2", "user 2", "reply 2"):
        assert neighbour not in words


def test_every_table_that_leads_to_a_subscriber_is_in_the_answer_with_a_row_of_each(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    """Found here by walking the foreign keys on its own: a new table makes this fail until the fixture gives
    it a row, and the answer has to hold that row."""
    personal = {"subscriber"}
    while True:
        more = {
            table.name
            for table in SQLModel.metadata.sorted_tables
            if any(key.column.table.name in personal for key in table.foreign_keys)
        }
        if more <= personal:
            break
        personal |= more
    with Session(engine) as session:
        known = export_personal_data(session, ADDRESS, key=workspace.keys.suppression, now=now)
    assert personal == set(known["tables"]) == {table.name for table in list_personal_tables()}
    assert [name for name in personal if not known[name]] == []
    for name in personal:
        columns = {column.name for column in SQLModel.metadata.tables[name].columns}
        row = known[name] if name == "subscriber" else known[name][0]
        assert columns <= set(row), name


def test_each_table_is_described_to_its_owner_in_a_sentence(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    """The sentences are the beginnings of docstrings, which whoever edits one does not see."""
    with Session(engine) as session:
        known = export_personal_data(session, ADDRESS, key=workspace.keys.suppression, now=now)
    assert known["tables"] == {
        "subscriber": "One person or shared mailbox at a partner.",
        "subscriber_country": "A country a subscriber follows besides their own, as alpha-2.",
        "subscriber_sector": "A sector a subscriber follows; sector is a configured slug.",
        "subscriber_tag": "A label the team gave a subscriber.",
        "merged_subscriber": "That two subscribers are one person: subscriber_id stands for kept_id from "
        "now on.",
        "consent_record": "Append-only: what happened, when (UTC), how, under which wording, and the "
        "evidence for it.",
        "sign_up_review": "A sign-up that its owner has confirmed, and that waits until a person of the team "
        "admits it.",
        "import_change": "What an import overwrote, so that it can be restored: before is the old values by "
        "name, as JSON.",
        "mailed_link": "A link mailed to a subscriber for one purpose, which works once and expires.",
        "letter": "A transactional mail requested on a web page and still to be sent. Its row is deleted "
        "once it is sent.",
        "delivery": "One row per campaign and subscriber: the ledger.",
        "click": "One request for a link, kept for some hours.",
        "reader_click": "A link that a reader followed, of those who have agreed that it is recorded with "
        "their name.",
        "feedback_event": "What an incoming message says of one recipient, and what was done about it.",
        "feedback_successor": "Somebody who follows a subscriber, as an automatic reply says; a person "
        "decides whether to add them.",
    }


def test_a_table_two_steps_away_belongs_to_the_person_too(monkeypatch: pytest.MonkeyPatch) -> None:
    other = MetaData()
    Table("subscriber", other, Column("id", Integer, primary_key=True))
    Table("visit", other, Column("id", Integer, primary_key=True), Column("who", ForeignKey("subscriber.id")))
    Table("click", other, Column("visit", ForeignKey("visit.id"), primary_key=True))
    Table("weather", other, Column("id", Integer, primary_key=True), Column("words", String))
    monkeypatch.setattr(data_export.SQLModel, "metadata", other)
    assert [table.name for table in list_personal_tables()] == ["subscriber", "visit", "click"]
    condition = str(data_export._make_owner_condition(other.tables["click"], [7]))
    assert "click.visit IN (SELECT visit.id" in condition
    assert "visit.who" in condition


def test_why_an_address_gets_no_mail_is_told(workspace: Workspace, engine: Engine, now: datetime) -> None:
    later, key = now + timedelta(hours=1), workspace.keys.suppression
    with Session(engine) as session:
        suppress(session, ADDRESS, key=key, reason=ConsentEvent.bounced, method="bounce", now=later)
        session.commit()
        known = export_personal_data(session, ADDRESS, key=key, now=now)
    assert known["suppression"] == {"reason": "bounced", "at": "2026-03-01T10:00:00Z"}
    with Session(engine) as session:
        unsuppress(session, ADDRESS, key=key, by="Bat", why="a letter", method="command line", now=now)
        session.commit()
        known = export_personal_data(session, ADDRESS, key=key, now=now)
    assert known["suppression"] is None
    (lifted,) = known["lifted_suppressions"]
    assert (lifted["reason"], lifted["since"], lifted["why"]) == (
        "bounced",
        "2026-03-01T10:00:00Z",
        "a letter",
    )
    assert "digest" not in lifted
    with Session(engine) as session, pytest.raises(UnknownSubscriberError):
        export_personal_data(session, "nobody@example.org", key=key, now=now)


def test_what_the_log_of_the_team_says_of_the_person_is_told(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    ann = Actor.from_command_line("ann")
    with Session(engine) as session:
        record_activity(
            session, ann, Deed(act=Act.edited_subscriber, subject=ADDRESS, detail="country"), now=now
        )
        record_activity(session, ann, Deed(act=Act.edited_subscriber, subject=f"a{ADDRESS}"), now=now)
        record_activity(session, ann, Deed(act=Act.edited_subscriber, subject="bat@example.org"), now=now)
        told = export_personal_data(session, ADDRESS, key=workspace.keys.suppression, now=now)
    assert told["activity"] == [
        {"at": "2026-03-01T09:00:00Z", "act": "edited_subscriber", "subject": ADDRESS, "detail": "country"}
    ]


def test_what_the_team_says_of_the_person_in_comments_is_told(
    workspace: Workspace, engine: Engine, now: datetime
) -> None:
    place = {"edition": "2026-1", "story": "water", "title": "Water"}
    with Session(engine) as session:
        ann = add_member(session, "ann@example.org", "Ann", Role.author, now=now)
        own = add_member(session, ADDRESS, "Mei", Role.guest, now=now)
        words = (f"Ask {ADDRESS}.", f"Ask a{ADDRESS}.", "Ask nobody.")
        for number, text in enumerate(words):
            begin_thread(session, ann, text, **place, request=str(number), now=now)
        begin_thread(session, own, "I say.", **place, request="own", now=now)
        told = export_personal_data(session, ADDRESS, key=workspace.keys.suppression, now=now)
    assert [comment["text"] for comment in told["comments"]] == [words[0], "I say."]
    assert told["comments"][0] | {"text": ""} == {
        "at": "2026-03-01T09:00:00Z",
        "edition": "2026-1",
        "story": "water",
        "passage": "",
        "text": "",
    }


def test_the_command_writes_a_file_that_its_owner_alone_may_read(
    workspace: Workspace, engine: Engine, tmp_path: Path
) -> None:
    target = tmp_path / "mei.json"
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url}
    words = ["-C", str(workspace.root), "subscribers", "data", ADDRESS]
    shown = CliRunner().invoke(mailer, words, env=environ)
    assert json.loads(shown.stdout)["subscriber"]["email"] == ADDRESS
    written = CliRunner().invoke(mailer, [*words, "-o", str(target)], env=environ)
    assert written.exit_code == 0
    assert "for this person only" in written.stderr
    assert json.loads(target.read_text(encoding="utf-8"))["subscriber_tag"][0]["tag"] == "tag-1"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

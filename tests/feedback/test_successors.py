"""An automatic reply proposes who follows a reader; a person accepts or refuses them."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlmodel import Session, select

from mailer.cli import mailer
from mailer.database.feedback_models import ProposedSuccessor
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import receive
from mailer.feedback.successors import SuccessorError, accept_successor, list_proposals, refuse_successor
from mailer.workspace import Workspace
from subscribers.consent.team_changes import DetailChanges
from subscribers.errors import OnListError
from subscribers.models import Status, Subscriber, SubscriberSector
from tests.factories.feedback import add_sent_campaign, read_records, read_statuses, set_feedback

NOTE = (
    "Auto-Submitted: auto-replied\r\nFrom: reader0@example.org\r\nSubject: Re: News\r\n\r\n"
    "I have left the ministry. My successor is Jonas Holt ({address}).\r\n"
)


@pytest.fixture
def context(either_workspace: Workspace, now: datetime) -> Iterator[FeedbackContext]:
    workspace = set_feedback(either_workspace, successors=True)
    engine = workspace.open_database(durable=False)
    add_sent_campaign(engine, 2, at=now - timedelta(days=1))
    with Session(engine) as session:
        reader = session.get_one(Subscriber, 1)
        reader.organisation, reader.country, reader.name = "Ministry of Culture", "MN", "Marta Lind"
        session.add(SubscriberSector(subscriber_id=1, sector=next(iter(workspace.settings.sectors))))
        session.add(reader)
        session.commit()
    yield FeedbackContext(workspace=workspace, engine=engine)
    engine.dispose()


def bring_note(
    context: FeedbackContext, now: datetime, address: str = "jonas.holt@example.org", before: str = ""
) -> None:
    receive(context, (before + NOTE.format(address=address)).encode(), source="imap", now=now)


def accept(
    context: FeedbackContext, now: datetime, *, number: int = 1, has_left: bool = False, **details: str
) -> None:
    with Session(context.engine) as session:
        accept_successor(
            session,
            context.workspace,
            number,
            by="Mei Lin",
            basis="took over the office",
            changes=DetailChanges(**details),
            has_left=has_left,
            now=now,
        )
        session.commit()


def test_a_successor_is_proposed_once_beside_the_words(context: FeedbackContext, now: datetime) -> None:
    bring_note(context, now)
    bring_note(context, now, "Jonas.Holt@Example.org", before="X: 1\r\n")
    with Session(context.engine) as session:
        (proposal,) = list_proposals(session)
    assert (proposal.email, proposal.name) == ("jonas.holt@example.org", "Jonas Holt")
    assert proposal.words == "I have left the ministry. My successor is Jonas Holt (jonas.holt@example.org)."
    assert (proposal.predecessor, proposal.organisation) == ("reader0@example.org", "Ministry of Culture")
    assert read_statuses(context.engine) == {1: "active", 2: "active"}


def test_nobody_is_proposed_who_is_on_the_list_or_where_it_is_switched_off(
    context: FeedbackContext, now: datetime
) -> None:
    bring_note(context, now, "reader1@example.org")
    off = FeedbackContext(workspace=set_feedback(context.workspace, successors=False), engine=context.engine)
    bring_note(off, now)
    with Session(context.engine) as session:
        assert list_proposals(session) == []


def test_accepting_adds_the_person_as_the_team_s_act_and_leaves_the_predecessor(
    context: FeedbackContext, now: datetime
) -> None:
    bring_note(context, now)
    accept(context, now)
    with Session(context.engine) as session:
        added = session.exec(select(Subscriber).where(Subscriber.email == "jonas.holt@example.org")).one()
        assert (added.status, added.name, added.organisation, added.country) == (
            *(Status.active, "Jonas Holt", "Ministry of Culture"),
            "MN",
        )
        sectors = session.exec(
            select(SubscriberSector.sector).where(SubscriberSector.subscriber_id == added.id)
        ).all()
        assert sectors == [next(iter(context.workspace.settings.sectors))]
        assert session.exec(select(ProposedSuccessor.decided_by)).one() == "Mei Lin"
    assert read_statuses(context.engine)[1] == "active"
    record = read_records(context.engine)[-1]
    assert record[1:3] == ("imported", "command line")
    with pytest.raises(SuccessorError, match="accepted by Mei Lin"):
        accept(context, now)


def test_the_team_may_change_details_and_say_that_the_predecessor_has_left(
    context: FeedbackContext, now: datetime
) -> None:
    bring_note(context, now)
    accept(context, now, has_left=True, name="J. Holt", country="CN", organisation="")
    with Session(context.engine) as session:
        added = session.exec(select(Subscriber).where(Subscriber.email == "jonas.holt@example.org")).one()
        assert (added.name, added.country, added.organisation) == ("J. Holt", "CN", "")
    assert read_statuses(context.engine)[1] == "unsubscribed"


def test_a_refused_person_is_not_proposed_again(context: FeedbackContext, now: datetime) -> None:
    bring_note(context, now)
    with Session(context.engine) as session:
        refuse_successor(session, 1, by="Mei Lin", now=now)
        session.commit()
    bring_note(context, now, "jonas.holt@example.org", before="X: 2\r\n")
    with Session(context.engine) as session:
        assert list_proposals(session) == []
        with pytest.raises(SuccessorError, match="no proposal 9"):
            refuse_successor(session, 9, by="Mei Lin", now=now)


def test_who_has_joined_meanwhile_is_not_added_twice(context: FeedbackContext, now: datetime) -> None:
    bring_note(context, now)
    with Session(context.engine) as session:
        email = "jonas.holt@example.org"
        session.add(Subscriber(email=email, envelope=email, created_at=now, updated_at=now))
        session.commit()
    with pytest.raises(OnListError):
        accept(context, now)


def test_the_commands_show_accept_and_refuse(context: FeedbackContext, now: datetime) -> None:
    bring_note(context, now)
    bring_note(context, now, "anna.berg@example.org")
    workspace = context.workspace
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url}

    def run(*words: str, code: int = 0) -> str:
        command = ["-C", str(workspace.root), "feedback", "successors", *words]
        result = CliRunner(env=environ).invoke(mailer, command)
        assert result.exit_code == code, result.output
        return result.output

    shown = run()
    assert "Jonas Holt <jonas.holt@example.org>" in shown
    assert "I have left the ministry." in shown
    assert [one["number"] for one in json.loads(run("--json"))] == [1, 2]
    assert "--basis" in run("accept", "1", "--as", "Mei Lin", code=2)
    assert "stays on the list" in run("accept", "1", "--as", "Mei Lin", "--basis", "met at the forum")
    assert "not proposed" in run("refuse", "2", "--as", "Mei Lin")
    assert json.loads(run("--json")) == []

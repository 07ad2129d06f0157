"""Keeping no longer than needed: told first, then done, and nobody half forgotten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import Actor, record_activity
from mailer.cli import mailer
from mailer.comments.threads import begin_thread, resolve_thread
from mailer.database.approval_models import (
    ApprovalAnswer,
    ApprovalReviewer,
    ApprovalRound,
    ApprovalVerdict,
    RoundState,
)
from mailer.database.edition_models import Comment, CommentMention
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage, FeedbackState
from mailer.database.models import Delivery, DeliveryState, SentTest
from mailer.database.secure_delete import MASK
from mailer.database.team_models import ActivityRecord, Role
from mailer.privacy import retention
from mailer.privacy.retention import plan_pruning, prune
from mailer.settings import RetentionSettings
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.consent.sign_ups import confirm_opt_in, decline_sign_up, hold_opt_in, request_opt_in
from subscribers.consent.status_changes import unsubscribe
from subscribers.imports.importer import import_file
from subscribers.models import ConsentRecord, MailedLink, Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.queries import find_subscriber
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import add_campaign

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 31, tzinfo=UTC)
RULES = RetentionSettings(pending_days=30, gone_months=12, reply_months=6)


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    settings = either_workspace.settings.model_copy(update={"retention": RULES})
    return replace(either_workspace, settings=settings)


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    """Two who got mail and left, long ago and lately; two who asked and never confirmed, likewise; links."""
    engine = workspace.open_database()
    add_campaign(engine, ["old.leaver@example.org", "new.leaver@example.org", "stays@example.org"])
    key, signer = workspace.keys.suppression, workspace.keys.tokens
    with Session(engine) as session:
        unsubscribe(session, 1, method="one-click", now=LONG_AGO)
        unsubscribe(session, 2, method="one-click", now=NOW - timedelta(days=20))
        for address, at in (
            ("old.asker@example.org", LONG_AGO),
            ("new.asker@example.org", NOW - timedelta(days=5)),
            ("confirmed@example.org", LONG_AGO),
        ):
            asked = request_opt_in(session, address, key=key, method="page", now=at, wording="Join us")
            assert asked is not None
            issue_link(session, signer, LinkPurpose.confirm, subscriber_id=asked.id or 0, now=at)
        confirm_opt_in(session, asked.id or 0, key=key, method="page", now=LONG_AGO)
        states = (DeliveryState.rejected, DeliveryState.in_doubt, DeliveryState.sent)
        for delivery, state in zip(session.exec(select(Delivery).order_by(Delivery.id)), states, strict=True):  # type: ignore[arg-type]
            delivery.state, delivery.reason, delivery.updated_at = state, "250 ok", LONG_AGO
        mei = Actor.from_command_line("mei")
        for asker in ("old.asker@example.org", "new.asker@example.org"):
            record_activity(session, mei, Deed(act=Act.edited_subscriber, subject=asker), now=LONG_AGO)
        for at in (LONG_AGO, NOW):
            address = f"tester.{at.year}@example.org"
            session.add(SentTest(edition="e", content_digest="d", address=address, sent_by="Mei", sent_at=at))
        session.commit()
    yield engine
    engine.dispose()


def list_statuses(engine: Engine) -> dict[str, Status]:
    with Session(engine) as session:
        return {person.email: Status(person.status) for person in session.exec(select(Subscriber))}


def test_it_says_first_what_it_would_do_and_changes_nothing(workspace: Workspace, engine: Engine) -> None:
    before = list_statuses(engine)
    assert [str(rule) for rule in plan_pruning(engine, RULES, now=NOW)] == [
        "1 sign-ups to delete: not confirmed within 30 days",
        "1 people to erase, except for a keyed hash: unsubscribed, bounced or complained, and unchanged for "
        "12 months",
        "2 deliveries to delete the server's reply from: settled more than 6 months ago; their state is kept",
        "1 tests to delete the address from: sent more than 12 months ago; the tests are kept",
        "0 fakes to delete: last submitted more than 12 months ago",
        "0 outside reviewers to delete the address of: asked for an approval that ended more than 12 months "
        "ago",
        "2 mailed links to delete: expired more than 30 days ago",
    ]
    assert list_statuses(engine) == before


def test_a_confirmed_sign_up_waits_for_the_team_however_long_and_a_declined_one_does_not(
    workspace: Workspace, engine: Engine
) -> None:
    with Session(engine) as session:
        waiting = find_subscriber(session, "old.asker@example.org")
        hold_opt_in(session, waiting.id or 0, key=workspace.keys.suppression, method="page", now=LONG_AGO)
        session.commit()
    assert plan_pruning(engine, RULES, now=NOW)[0].number == 0
    with Session(engine) as session:
        decline_sign_up(session, find_subscriber(session, "old.asker@example.org").id or 0, now=LONG_AGO)
        session.commit()
    assert plan_pruning(engine, RULES, now=NOW)[0].number == 1


def test_it_does_what_it_said_and_nothing_twice(workspace: Workspace, engine: Engine) -> None:
    (workspace.root / "list.csv").write_text("email\nold.leaver@example.org\nold.asker@example.org\n")
    forgotten: list[None] = []
    done = prune(workspace, engine, now=NOW, on_person=lambda: forgotten.append(None))
    assert [rule.number for rule in done] == [1, 1, 2, 1, 0, 0, 2]
    assert len(forgotten) == 2
    assert list_statuses(engine) == {
        "erased-1@erased.invalid": Status.erased,
        "new.leaver@example.org": Status.unsubscribed,
        "stays@example.org": Status.active,
        "new.asker@example.org": Status.pending,
        "confirmed@example.org": Status.active,
    }
    with Session(engine) as session:
        reasons = {delivery.state: delivery.reason for delivery in session.exec(select(Delivery))}
        assert len(session.exec(select(MailedLink)).all()) == 1
        tests = [(test.address, test.sent_by) for test in session.exec(select(SentTest).order_by("id"))]
        assert "old.asker" not in str(session.exec(select(ConsentRecord)).all())
        subjects = [one.subject for one in session.exec(select(ActivityRecord).order_by("id"))]
    assert subjects == [MASK, "new.asker@example.org"]
    assert reasons == {DeliveryState.rejected: "", DeliveryState.sent: "", DeliveryState.in_doubt: "250 ok"}
    assert tests == [("", "Mei"), ("tester.2026@example.org", "Mei")]
    assert (workspace.root / "list.csv").read_text() == "email\n"
    for path in workspace.root.glob("mailer.db*"):
        assert b"old.leaver" not in path.read_bytes()
        assert b"old.asker" not in path.read_bytes()
    assert [rule.number for rule in prune(workspace, engine, now=NOW)] == [0, 0, 0, 0, 0, 0, 0]


def test_comments_go_some_time_after_they_were_resolved(workspace: Workspace, engine: Engine) -> None:
    rules = RULES.model_copy(update={"comment_months": 12})
    workspace = replace(workspace, settings=workspace.settings.model_copy(update={"retention": rules}))
    place = {"edition": "2026-1", "story": "water", "title": "Water"}
    with Session(engine) as session:
        ann = add_member(session, "ann@example.org", "Ann", Role.author, now=LONG_AGO)
        add_member(session, "bo@example.org", "Bo", Role.author, now=LONG_AGO)
        for name, resolved_at in (("old", LONG_AGO), ("new", NOW), ("open", None)):
            thread = begin_thread(session, ann, f"@Bo {name}", **place, request=name, now=LONG_AGO)
            if resolved_at:
                resolve_thread(session, ann, thread, now=resolved_at)
        session.commit()
    planned = {rule.setting: str(rule) for rule in plan_pruning(engine, rules, now=NOW)}
    assert planned["comment_months"] == (
        "1 comments of the team to delete, with their replies: resolved more than 12 months ago"
    )
    prune(workspace, engine, now=NOW)
    with Session(engine) as session:
        assert {comment.text for comment in session.exec(select(Comment))} == {"@Bo new", "@Bo open"}
        assert len(session.exec(select(CommentMention)).all()) == 2


def test_addresses_of_outside_reviewers_go_and_their_answers_stay(
    workspace: Workspace, engine: Engine
) -> None:
    with Session(engine) as session:
        for campaign, ended_at in ((1, LONG_AGO), (1, NOW), (1, None)):
            add_review(session, campaign, ended_at)
        session.commit()
    planned = {rule.setting: str(rule) for rule in plan_pruning(engine, RULES, now=NOW)}
    assert planned["reviewer_months"] == (
        "2 outside reviewers to delete the address of: asked for an approval that ended more than 12 months "
        "ago"
    )
    prune(workspace, engine, now=NOW)
    with Session(engine) as session:
        kept = [
            (row.name, row.email, row.digest) for row in session.exec(select(ApprovalReviewer).order_by("id"))
        ]
        assert kept == [("Ana", "", None), ("Ana", "ana.2026@x.example", "2"), ("Ana", "", None)]
        assert {row.name for row in session.exec(select(ApprovalAnswer))} == {"Ana"}


def add_review(session: Session, campaign: int, ended_at: datetime | None) -> None:
    asked = ApprovalRound(
        campaign_id=campaign,
        edition="2026-1",
        segment="all",
        digest="d",
        settings="{}",
        steps="[]",
        facts="{}",
        state=RoundState.approved if ended_at else RoundState.open,
        asked_at=LONG_AGO,
        ended_at=ended_at,
    )
    session.add(asked)
    session.flush()
    reviewer = ApprovalReviewer(
        round_id=asked.id or 0, name="Ana", email="ana.2026@x.example", digest=str(asked.id)
    )
    session.add(reviewer)
    session.flush()
    session.add(
        ApprovalAnswer(
            round_id=asked.id or 0,
            person=f"reviewer:{reviewer.id}",
            reviewer_id=reviewer.id,
            name="Ana",
            verdict=ApprovalVerdict.approved,
            digest="d",
            answered_at=LONG_AGO,
        )
    )


def test_what_came_back_long_ago_is_emptied_and_still_counts_once(
    workspace: Workspace, engine: Engine
) -> None:
    rules = RULES.model_copy(update={"feedback_months": 12})
    workspace = replace(workspace, settings=workspace.settings.model_copy(update={"retention": rules}))
    states = {"old": "recorded", "waiting": "held", "new": "recorded"}
    with Session(engine) as session:
        for name, state in states.items():
            message = FeedbackMessage(
                fingerprint=name,
                received_at=NOW if name == "new" else LONG_AGO,
                kind=FeedbackKind.bounce,
                state=FeedbackState(state),
                sender="daemon@example.com",
                raw=b"words" if state == "held" else None,
            )
            session.add(message)
            session.flush()
            session.add(FeedbackEvent(message_id=message.id or 0, subscriber_id=3, words="550", at=NOW))
        session.commit()
    (planned,) = [one for one in plan_pruning(engine, rules, now=NOW) if one.setting == "feedback_months"]
    assert planned.number == 1
    prune(workspace, engine, now=NOW)
    with Session(engine) as session:
        senders = {row.fingerprint: row.sender for row in session.exec(select(FeedbackMessage))}
        assert senders == {"old": "", "waiting": "daemon@example.com", "new": "daemon@example.com"}
        assert len(session.exec(select(FeedbackEvent)).all()) == 2
    assert "feedback_months" in [
        one.setting for one in plan_pruning(engine, rules, now=NOW) if not one.number
    ]


def test_no_import_brings_back_somebody_who_left_and_was_pruned(workspace: Workspace, engine: Engine) -> None:
    prune(workspace, engine, now=NOW)
    people = workspace.root / "people.csv"
    people.write_text("email\nold.leaver@example.org\nold.asker@example.org\n")
    with Session(engine) as session:
        report = import_file(session, people, sectors=(), key=workspace.keys.suppression, now=NOW)
    assert (report.added, report.suppressed) == (1, 1)


def test_a_cut_leaves_the_rest_for_the_next_time(
    workspace: Workspace, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(retention, "erase_files_and_rows", lambda *_, **__: pytest.fail("cut"))
        with pytest.raises(pytest.fail.Exception):
            prune(workspace, engine, now=NOW)
    assert [rule.number for rule in prune(workspace, engine, now=NOW)] == [0, 1, 2, 1, 0, 0, 1]


def test_rules_that_are_off_do_nothing(workspace: Workspace, engine: Engine) -> None:
    off = RetentionSettings(pending_days=None, test_months=None, fake_months=None, reviewer_months=None)
    assert [rule.setting for rule in plan_pruning(engine, off, now=NOW)] == [""]


def run(workspace: Workspace, *words: str) -> Result:
    environ = {
        "MAILER_DATABASE__URL": workspace.settings.database.url,
        "MAILER_RETENTION__GONE_MONTHS": "12",
    }
    return CliRunner().invoke(
        mailer, ["-C", str(workspace.root), "subscribers", "prune", *words], env=environ
    )


def test_the_command_does_nothing_without_confirm(
    workspace: Workspace, engine: Engine, tmp_path: Path
) -> None:
    before = list_statuses(engine)
    assert "Add --confirm" in run(workspace).stderr
    assert json.loads(run(workspace, "--dry-run", "--confirm", "--json").stdout)["done"] is False
    assert list_statuses(engine) == before
    done = json.loads(run(workspace, "--confirm", "--json").stdout)
    assert done["done"] is True
    assert "old.leaver@example.org" not in list_statuses(engine)

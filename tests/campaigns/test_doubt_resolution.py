"""`mailer campaigns resolve`: doubts settled by a relay's log, a reader's own hand, a person who knows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, update
from sqlmodel import Session, select

from mailer.cli import mailer
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.database.team_models import ActivityRecord
from mailer.dispatch.liveness import Presence
from mailer.rendering.mail_merge import message_id
from mailer.selfservice.preferences import PreferenceOptions, parse_preferences, save_form
from mailer.selfservice.unsubscribe import (
    UnsubscribeBatcher,
    read_subscription,
    resubscribe_by_link,
    unsubscribe_by_link,
)
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.factories.deliveries import add_campaign, read_campaign, read_deliveries, read_states
from tests.factories.postfix_log import Relay

S = DeliveryState
LAUNCHED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LOST = "connection lost at dot"
BROKE = LAUNCHED + timedelta(minutes=2)


@pytest.fixture
def engine(either_workspace: Workspace) -> Iterator[Engine]:
    engine = either_workspace.open_database()
    yield engine
    engine.dispose()


@pytest.fixture
def campaign(engine: Engine) -> int:
    """Four readers in doubt since a little after the launch."""
    number = add_campaign(engine, 4, launched_at=LAUNCHED)
    with engine.begin() as connection:
        values = {
            "state": S.in_doubt,
            "doubted": True,
            "updated_at": BROKE,
            "reason": "connection lost at dot",
        }
        connection.execute(update(Delivery).values(**values))
    return number


def run(workspace: Workspace, *words: str, piped: str = "") -> Result:
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url}
    return CliRunner().invoke(
        mailer, ["-C", str(workspace.root), "campaigns", *words], env=environ, input=piped
    )


def identify(workspace: Workspace, engine: Engine, campaign: int) -> list[str]:
    domain, signer = workspace.settings.sender.domain, workspace.keys.tokens
    readers = [delivery.subscriber_id for delivery in read_deliveries(engine).values()]
    return [message_id(campaign, reader, domain, signer) for reader in readers]


@pytest.fixture
def log(either_workspace: Workspace, engine: Engine, campaign: int, tmp_path: Path) -> Path:
    """The first reader's message was taken, the second's bounced later, the third's cut off; no word of the
    fourth's.
    """
    first, second, third, _ = identify(either_workspace, engine, campaign)
    relay = Relay(LAUNCHED - timedelta(hours=1))
    relay.wait(hours=1, minutes=1)
    assert relay.accept(first) == "4F7B2100C3"
    relay.accept(second, status="bounced (host mx.example.org said: 550 5.1.1 No such user)")
    relay.cut_off(third)
    relay.wait(minutes=5)
    return relay.save(tmp_path / "mail.log")


def test_a_relays_log_settles_what_it_took_and_leaves_the_rest_in_doubt(
    either_workspace: Workspace, engine: Engine, campaign: int, log: Path
) -> None:
    result = run(either_workspace, "resolve", "1", "--postfix-log", str(log), "--log-zone", "UTC")
    assert result.exit_code == 0, result.output
    assert list(read_states(engine).values()) == [S.sent, S.sent, S.in_doubt, S.in_doubt]
    first, second, third, _ = read_deliveries(engine).values()
    assert first.reason == "in the relay's log: queue id 4F7B2100C3"
    assert "bounced" in second.reason
    assert (first.doubted, third.reason) == (True, LOST)
    assert "2 sent, 0 queued again, 2 in doubt" in result.stdout
    again = run(either_workspace, "resolve", "1", "--postfix-log", str(log), "--log-zone", "UTC")
    assert again.exit_code == 0, again.output
    with Session(engine) as session:
        lines = session.exec(select(ActivityRecord)).all()
        told = [(line.act, line.subject, line.detail) for line in lines]
    assert told == [("resolved_doubts", "1", "by the relay’s log: 2")], "in the words of Studio, and once"
    assert "--not-found-resend" in result.stderr


def test_what_the_log_shows_the_relay_has_not_got_is_queued_again_when_asked(
    either_workspace: Workspace, engine: Engine, campaign: int, log: Path
) -> None:
    words = ("resolve", "1", "--postfix-log", str(log), "--log-zone", "UTC", "--not-found-resend")
    result = run(either_workspace, *words)
    assert list(read_states(engine).values()) == [S.sent, S.sent, S.queued, S.queued]
    assert all(delivery.doubted for delivery in read_deliveries(engine).values())
    assert "campaigns resume 1" in result.stderr


@pytest.mark.parametrize("fault", ["begins late", "ends early", "session open"])
def test_nothing_is_queued_again_where_the_log_does_not_cover_the_time(
    either_workspace: Workspace, engine: Engine, campaign: int, tmp_path: Path, fault: str
) -> None:
    relay = Relay(
        LAUNCHED + timedelta(minutes=1) if fault == "begins late" else LAUNCHED - timedelta(hours=1)
    )
    if fault == "session open":
        relay.begin("<somebody@else.example>")
    if fault != "ends early":
        relay.wait(hours=2)
    path = relay.save(tmp_path / "mail.log")
    words = ("resolve", "1", "--postfix-log", str(path), "--log-zone", "UTC", "--not-found-resend")
    result = run(either_workspace, *words)
    assert set(read_states(engine).values()) == {S.in_doubt}
    assert "4 could not be decided" in result.stderr


def test_a_message_whose_header_alone_is_in_the_log_stays_in_doubt(
    either_workspace: Workspace, engine: Engine, campaign: int, tmp_path: Path
) -> None:
    relay = Relay(LAUNCHED - timedelta(hours=1))
    for name in identify(either_workspace, engine, campaign):
        relay.begin(name)
    relay.wait(hours=2)
    path = relay.save(tmp_path / "mail.log")
    run(
        either_workspace,
        "resolve",
        "1",
        "--postfix-log",
        str(path),
        "--log-zone",
        "UTC",
        "--not-found-resend",
    )
    assert set(read_states(engine).values()) == {S.in_doubt}


def test_a_dry_run_tells_the_same_and_changes_nothing(
    either_workspace: Workspace, engine: Engine, campaign: int, log: Path
) -> None:
    before = read_deliveries(engine)
    words = ("resolve", "1", "--postfix-log", str(log), "--log-zone", "UTC", "--not-found-resend", "--json")
    dry = json.loads(run(either_workspace, *words, "--dry-run").stdout)
    assert read_deliveries(engine) == before
    real = json.loads(run(either_workspace, *words).stdout)
    assert {**dry, "dry_run": False} == real
    assert (real["sent"], real["queued"], real["in_doubt"], len(real["changes"])) == (2, 2, 0, 4)


def test_a_log_comes_through_a_pipe_too(
    either_workspace: Workspace, engine: Engine, campaign: int, log: Path
) -> None:
    words = ("resolve", "1", "--postfix-log", "-", "--log-zone", "UTC")
    run(either_workspace, *words, piped=log.read_text())
    assert list(read_states(engine).values()).count(S.sent) == 2


def test_a_made_up_message_id_proves_nothing(
    either_workspace: Workspace, engine: Engine, campaign: int, tmp_path: Path
) -> None:
    relay = Relay(LAUNCHED)
    for delivery in read_deliveries(engine).values():
        relay.accept(f"<c1.s{delivery.subscriber_id}.0123456789ab@example.org>")
    path = relay.save(tmp_path / "mail.log")
    run(either_workspace, "resolve", "1", "--postfix-log", str(path))
    assert set(read_states(engine).values()) == {S.in_doubt}


def test_a_person_says_of_one_that_it_arrived_and_of_another_to_send_again(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    assert run(either_workspace, "resolve", "1", "Reader0@Example.org", "--arrived").exit_code == 0
    again = run(either_workspace, "resolve", "1", "reader1@example.org", "--send-again")
    assert list(read_states(engine).values()) == [S.sent, S.queued, S.in_doubt, S.in_doubt]
    reasons = [delivery.reason for delivery in read_deliveries(engine).values()]
    assert reasons[:2] == ["a person decided: it arrived", "a person decided: send it again"]
    assert "campaigns resume 1" in again.stderr


def test_an_operator_decides_about_all_doubts_together(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    assert "4 sent" in run(either_workspace, "resolve", "1", "--all", "--arrived").stdout
    assert set(read_states(engine).values()) == {S.sent}


def test_a_reader_who_is_not_in_doubt_is_named(either_workspace: Workspace, campaign: int) -> None:
    result = run(either_workspace, "resolve", "1", "nobody@example.org", "--arrived")
    assert result.exit_code == 1
    assert "nobody@example.org is not in doubt" in result.stderr


def test_what_a_running_dispatcher_holds_is_left_to_it(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    with Presence(engine, either_workspace.root, campaign) as presence:
        with engine.begin() as connection:
            connection.execute(update(Delivery).values(owner=presence.id))
        assert "0 sent" in run(either_workspace, "resolve", "1", "--all", "--arrived").stdout
    assert "4 sent" in run(either_workspace, "resolve", "1", "--all", "--arrived").stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("reader0@example.org",),
        ("--arrived",),
        ("--all", "--arrived", "--send-again"),
        ("reader0@example.org", "--all", "--arrived"),
        ("--not-found-resend", "--all", "--arrived"),
        ("--postfix-log", "-", "--all"),
        ("--postfix-log", "-", "--log-zone", "Mars/Olympus"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage_and_changes_nothing(
    either_workspace: Workspace, engine: Engine, campaign: int, words: tuple[str, ...]
) -> None:
    assert run(either_workspace, "resolve", "1", *words).exit_code == 2
    assert set(read_states(engine).values()) == {S.in_doubt}


def test_no_reader_of_a_cancelled_campaign_is_sent_to_again(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(state=CampaignState.cancelled))
    refused = run(either_workspace, "resolve", "1", "--all", "--send-again")
    assert (refused.exit_code, set(read_states(engine).values())) == (1, {S.in_doubt})
    assert "cancelled" in refused.stderr
    assert run(either_workspace, "resolve", "1", "--all", "--arrived").exit_code == 0


def test_a_finished_campaign_goes_on_with_what_was_queued_again(
    either_workspace: Workspace, engine: Engine, campaign: int
) -> None:
    from sqlmodel import Session

    from mailer.campaigns.lifecycle import resume_campaign

    with engine.begin() as connection:
        connection.execute(update(Campaign).values(state=CampaignState.finished, finished_at=BROKE))
    run(either_workspace, "resolve", "1", "reader0@example.org", "--send-again")
    assert read_campaign(engine, campaign).state is CampaignState.finished
    with Session(engine) as session:
        resume_campaign(session, campaign, now=BROKE)
        session.commit()
    resumed = read_campaign(engine, campaign)
    assert (resumed.state, resumed.finished_at) == (CampaignState.sending, None)


@pytest.fixture
def token(either_workspace: Workspace, engine: Engine, campaign: int) -> str:
    """The token in the first reader's mail."""
    first = next(iter(read_deliveries(engine).values()))
    signer = either_workspace.keys.tokens
    return signer.sign(LinkPurpose.subscription, subscriber_id=first.subscriber_id, campaign_id=campaign)


def first(engine: Engine) -> Delivery:
    return next(iter(read_deliveries(engine).values()))


def test_an_unsubscribe_through_the_link_proves_that_the_mail_arrived(
    either_workspace: Workspace, engine: Engine, token: str
) -> None:
    UnsubscribeBatcher(engine, either_workspace.keys).unsubscribe(token, now=LAUNCHED)
    assert first(engine).state is S.sent
    assert first(engine).reason == "proved by an unsubscribe through its link, 2026-11-24 10:00 UTC"
    assert list(read_states(engine).values())[1:] == [S.in_doubt] * 3


def test_coming_back_through_the_link_proves_it_too(
    either_workspace: Workspace, engine: Engine, campaign: int, token: str
) -> None:
    unsubscribe_by_link(engine, either_workspace.keys, token, now=LAUNCHED)
    with engine.begin() as connection:
        connection.execute(update(Delivery).values(state=S.in_doubt))
    resubscribe_by_link(engine, either_workspace.keys, token, wording="Again", now=LAUNCHED)
    assert first(engine).reason.startswith("proved by a return to the list")


@pytest.mark.parametrize("language", ["", "nonsense"])
def test_choosing_preferences_proves_it_whether_or_not_the_form_is_right(
    either_workspace: Workspace, engine: Engine, token: str, language: str
) -> None:
    options = PreferenceOptions(
        countries=frozenset(), sectors=frozenset(), languages=frozenset(), today=LAUNCHED.date()
    )
    form = parse_preferences([("name", "Mei"), ("language", language)])
    choosing = save_form(engine, either_workspace.keys, token, form, options=options, now=LAUNCHED)
    assert choosing.saved is not bool(language)
    assert first(engine).state is S.sent
    assert "preferences" in first(engine).reason


def test_looking_at_the_page_settles_nothing(either_workspace: Workspace, engine: Engine, token: str) -> None:
    read_subscription(engine, either_workspace.keys, token)
    assert set(read_states(engine).values()) == {S.in_doubt}

"""A rehearsal from start to finish: an edition goes to every simulated reader, and each ends as it should."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.campaigns.launch import launch
from mailer.campaigns.plan import plan_campaign
from mailer.campaigns.send import send_campaign
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.relays import BackoffPolicy
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.intake import Disposition, Intake
from mailer.feedback.lmtp_server import LmtpServer
from mailer.feedback.simulator.rehearsal import open_rehearsal
from mailer.feedback.simulator.returned_mails import ReturnedMail, SimulatedRecipient
from mailer.feedback.simulator.server import to_lmtp
from mailer.feedback.simulator.simulation import simulate
from mailer.network import parse_listen_address
from mailer.settings import RelaySettings
from mailer.workspace import Workspace
from subscribers.models import Subscriber
from subscribers.segments.segment import parse_segment
from tests.factories.deliveries import add_subscribers
from tests.factories.feedback import read_events, read_statuses, set_feedback
from tests.factories.small_edition import SLUG, write_edition
from tests.paths import ROOT
from tests.servers.process import free_port, wait_until

FAST = BackoffPolicy(max_failures=3, initial_delay=0.01, max_delay=0.02)


@pytest.fixture
def rehearsal(workspace: Workspace, tmp_path: Path) -> Workspace:
    write_edition(workspace.editions)
    return open_rehearsal(workspace, tmp_path / "rehearsal", port=free_port(), now=datetime.now(UTC))


def send_to(workspace: Workspace, engine: Engine, segment: str) -> None:
    now = datetime.now(UTC)
    plan = plan_campaign(workspace, engine, SLUG, parse_segment(segment), now=now)
    launch(engine, workspace, plan, now=now)
    send_campaign(workspace, 1, backoff=FAST)


def read_people(engine: Engine) -> dict[str, str]:
    """The status of each simulated reader."""
    with Session(engine) as session:
        names = {one.id: one.email.partition("@")[0] for one in session.exec(select(Subscriber))}
    return {names[number]: status for number, status in read_statuses(engine).items()}


def test_each_simulated_reader_ends_as_their_kind_does(rehearsal: Workspace) -> None:
    lines: list[str] = []
    engine = rehearsal.open_database()
    port = int(rehearsal.settings.smtp.url.rpartition(":")[2])
    with simulate(rehearsal, port=port, takes_everyone=False, report=lines.append):
        send_to(rehearsal, engine, "all")
        wait_until(lambda: len(read_events(engine)) == 7, what="seven messages to come back")
        wait_until(lambda: sum(line.endswith(".") for line in lines) == 7, what="what followed of them")
        # The replies of answer and silent go on to the team, whose address it takes.
        wait_until(lambda: lines.count("news@example.org: accepted") == 2, what="two letters to go on")
    statuses = {"bounce": "bounced", "reject": "bounced", "complain": "complained", "leave": "unsubscribed"}
    assert read_people(engine) == {name: statuses.get(name, "active") for name in read_people(engine)}
    # What is back before the relay's reply is recorded settles a doubt of that moment, too, and says so.
    told = {line.partition(";")[0].removesuffix(".") for line in lines}
    assert {
        "bounce@simulator.example bounced (no such user): gets no more mail",
        "full@simulator.example bounced (full): stays on the list",
        "away@simulator.example sent an automatic reply: stays on the list",
        "answer@simulator.example replied: stays on the list",
    } <= told
    (settled,) = [line for line in lines if "doubt" in line and line.startswith("silent@")]
    assert settled.startswith("silent@simulator.example replied: stays on the list; the doubt")
    engine.dispose()


def test_a_campaign_to_real_people_pauses_and_nobody_is_written_off(rehearsal: Workspace) -> None:
    engine = rehearsal.open_database()
    add_subscribers(engine, ["minister@example.net"], country="MN")
    port = int(rehearsal.settings.smtp.url.rpartition(":")[2])
    with simulate(rehearsal, port=port, takes_everyone=False, report=lambda _: None):
        send_to(rehearsal, engine, "country:MN")
    with Session(engine) as session:
        (delivery,) = session.exec(select(Delivery)).all()
        (campaign,) = session.exec(select(Campaign)).all()
    assert (delivery.state, campaign.state) == (DeliveryState.queued, CampaignState.paused)
    assert "tag:simulator" in campaign.state_reason
    engine.dispose()


def test_without_addresses_for_what_comes_back_it_says_which_to_set(workspace: Workspace) -> None:
    workspace = set_feedback(workspace, bounce_address="bounce@news.example.org")
    with simulate(workspace, port=0, takes_everyone=False, report=lambda _: None) as simulation:
        assert simulation.variables == (
            f"MAILER_SMTP__URL={simulation.url}",
            "MAILER_FEEDBACK__LEAVE_ADDRESS=leave@example.org",
        )


def test_it_does_not_run_where_a_command_would_send_to_real_relays(workspace: Workspace) -> None:
    relays = (RelaySettings(name="real", url="smtp://relay.example.org"),)
    smtp = workspace.settings.smtp.model_copy(update={"relays": relays})
    aimed = replace(workspace, settings=workspace.settings.model_copy(update={"smtp": smtp}))
    with (
        pytest.raises(ConfigurationError, match="--rehearsal"),
        simulate(aimed, port=0, takes_everyone=False, report=lambda _: None),
    ):
        pass


def test_a_port_in_use_is_said(workspace: Workspace) -> None:
    with (
        simulate(workspace, port=0, takes_everyone=False, report=lambda _: None) as simulation,
        pytest.raises(MailerError, match="--port"),
        simulate(
            workspace,
            port=int(simulation.url.rpartition(":")[2]),
            takes_everyone=False,
            report=lambda _: None,
        ),
    ):
        pass


@pytest.mark.parametrize("is_socket", [False, True])
def test_what_comes_back_goes_by_lmtp_where_the_settings_say(tmp_path: Path, is_socket: bool) -> None:
    place = str(tmp_path / "lmtp.sock") if is_socket else f"127.0.0.1:{free_port()}"
    received: list[bytes] = []

    def receive(raw: bytes) -> Disposition:
        received.append(raw)
        return Disposition.settled

    server = LmtpServer(parse_listen_address(place), Intake(receive=receive))
    server.start()
    try:
        letter = ReturnedMail(
            sender="", recipient="bounce@news.example.org", content=b"Subject: bounce\r\n\r\nhello\r\n"
        )
        to_lmtp(place, tmp_path)(letter)
    finally:
        server.stop()
    (raw,) = received
    assert b"bounce@news.example.org" in raw


def test_it_delivers_to_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="this machine only"):
        to_lmtp("192.0.2.1:24", tmp_path)


def test_the_command_introduces_its_readers_and_stops_cleanly(workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mailer", "-C", workspace.root, "simulator", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--rehearsal", tmp_path / "rehearsal"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    shown = ""
    while "Press Ctrl-C to stop." not in shown:
        line = process.stderr.readline()
        assert line, shown
        shown += line
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    process.stderr.close()
    assert all(recipient.address in shown for recipient in SimulatedRecipient)
    assert f"mailer -C {tmp_path / 'rehearsal'} send EDITION --segment all --confirm" in shown

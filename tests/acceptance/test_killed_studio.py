"""Studio open, its server killed at each step of the journey: after a restart the pages say what is true."""

import random
from collections.abc import Callable, Iterator

import pytest

from mailer.workspace import Workspace, open_workspace
from tests.acceptance import killed_approval, killed_campaign, killed_preparation
from tests.acceptance.killed_deliveries import list_named_doubts
from tests.acceptance.killed_journey import Journey
from tests.acceptance.killed_team import Team
from tests.servers.killable_server import KillableServer
from tests.servers.misbehaving_smtp import DROP, MisbehavingServer, Stage
from tests.servers.process import free_port
from tests.web.site import opened_engine

SEED = 20261127
SETTINGS = """
[web]
base_url = "https://news.example.org"

[studio]
enabled = true

[campaigns]
rate = 6

[smtp]
url = "{url}"
timeout = 5
final_timeout = 5
connections = 2
"""


@pytest.fixture
def mails() -> Iterator[MisbehavingServer]:
    """Bat is put off, Li is unknown, and the line breaks once after the mails to Kim and to Dorj."""
    with MisbehavingServer() as server:
        server.answer(Stage.rcpt, "451 4.7.1 Come back later", only="bat@")
        server.answer(Stage.rcpt, "550 5.1.1 No such user", only="li@")
        for name in ("kim@", "dorj@"):
            server.answer(Stage.dot, DROP, only=name, times=1)
        yield server


@pytest.fixture
def journey(workspace: Workspace, mails: MisbehavingServer) -> Iterator[Journey]:
    """The journey through an empty workspace."""
    file = workspace.root / "mailer.toml"
    file.write_text(file.read_text("utf-8") + SETTINGS.format(url=mails.url), "utf-8")
    workspace = open_workspace(workspace.root, environ={})
    with KillableServer(workspace.root, free_port()) as server, opened_engine(workspace) as engine:
        yield Journey(
            workspace=workspace, engine=engine, server=server, mails=mails, chance=random.Random(SEED)
        )


def describe(journey: Journey) -> str:
    kills = journey.kills
    how = ", ".join(f"{number} {when}" for when, number in kills.items())
    return (
        f"{kills.total()} kills of Studio's server at {journey.steps} steps ({how}; {journey.late_kills} of "
        f"them once the step was done; seed {SEED})"
    )


@pytest.mark.soak
def test_a_server_that_is_killed_at_each_step_to_a_test_mail_tells_the_truth_afterwards(
    journey: Journey, figure: Callable[[str], None]
) -> None:
    team = Team(journey, journey.server.port)
    for step in killed_preparation.STEPS:
        step(team)
    figure(f"{describe(journey)}: the pages say what is true")
    assert journey.kills.total() >= 70


@pytest.mark.soak
def test_a_server_that_is_killed_at_each_step_from_the_approval_to_a_correction_tells_the_truth_afterwards(
    journey: Journey, figure: Callable[[str], None]
) -> None:
    team = Team(journey, journey.server.port)
    for step in (*killed_approval.STEPS, *killed_campaign.STEPS):
        step(team)
    doubts = list_named_doubts(team)
    figure(
        f"{describe(journey)}: the pages say what is true, nobody lost, nobody twice unasked, and "
        f"{len(doubts)} in doubt at the end, all named"
    )
    assert journey.kills.total() >= 70

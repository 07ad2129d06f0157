"""Studio open, its server killed at each step until a test is sent: afterwards the pages say what is true."""

import random
from collections.abc import Callable, Iterator

import pytest

from mailer.workspace import Workspace, open_workspace
from tests.acceptance.killed_journey import Journey
from tests.acceptance.killed_preparation import STEPS
from tests.acceptance.killed_team import Team
from tests.servers.killable_server import KillableServer
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.process import free_port
from tests.web.site import opened_engine

SEED = 20261127
SETTINGS = """
[web]
base_url = "https://news.example.org"

[studio]
enabled = true

[smtp]
url = "{url}"
timeout = 5
final_timeout = 5
connections = 2
"""


@pytest.fixture
def mails() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
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


@pytest.mark.soak
def test_a_server_that_is_killed_at_each_step_to_a_test_mail_tells_the_truth_afterwards(
    journey: Journey, figure: Callable[[str], None]
) -> None:
    team = Team(journey, journey.server.port)
    for step in STEPS:
        step(team)
    kills = journey.kills
    figure(
        f"{kills.total()} kills of Studio's server at {journey.steps} steps "
        f"({', '.join(f'{number} {when}' for when, number in kills.items())}; seed {SEED}): the pages say "
        "what is true"
    )
    assert kills.total() >= 50

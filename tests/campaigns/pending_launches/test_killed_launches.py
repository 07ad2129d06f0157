"""A server killed at each write between a launch that was asked for and its start: after a restart there is
one campaign, and all of it."""

import json
import subprocess
import sys

import pytest

from mailer.workspace import Workspace
from tests.factories.pending_launches import add_team_member, ask, make_request
from tests.factories.small_edition import add_people, write_edition
from tests.paths import ROOT

_WRITES = 10
"""A launch of the small edition writes as often; the test fails if it does not die at each."""


@pytest.fixture
def asked(workspace: Workspace) -> Workspace:
    """A workspace with a launch that is due in ten seconds."""
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    ask(engine, make_request(workspace, engine), add_team_member(engine, "Ann Osei"))
    engine.dispose()
    return workspace


def run_kills(workspace: Workspace, first: int, last: int) -> list[dict[str, object]]:
    """Kill a process before and after each of its writes, start another each time; read what they left."""
    words = [sys.executable, "-m", "tests.servers.killed_launch", str(workspace.root), str(first), str(last)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(results: list[dict[str, object]]) -> None:
    assert results
    for result in results:
        assert result["killed"], result
        assert result["campaigns"] == ["sending"], result
        assert result["deliveries"] == 4, result
        assert result["audience"] == 4, result
        assert result["pending"] == ["started"], result


@pytest.mark.spare
def test_a_launch_happens_once_wherever_the_server_dies(asked: Workspace) -> None:
    check(run_kills(asked, 1, _WRITES))


@pytest.mark.soak
def test_a_launch_happens_once_however_often_the_server_dies(asked: Workspace) -> None:
    for _ in range(5):
        check(run_kills(asked, 1, _WRITES))

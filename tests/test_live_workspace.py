"""Settings that change under a running program: taken once, said once, and never half."""

import re
import threading

import pytest

from mailer.live_workspace import ChangeStop, LiveWorkspace
from mailer.settings import SETTINGS_FILE
from mailer.workspace import Workspace
from tests.conftest import SETTINGS

CHANGED = "mailer.toml has changed: the new settings are in use."


def write(workspace: Workspace, more: str = "") -> None:
    draft = workspace.root / "draft"
    draft.write_text(SETTINGS + more, encoding="utf-8")
    draft.replace(workspace.root / SETTINGS_FILE)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def live(workspace: Workspace, said: list[str]) -> LiveWorkspace:
    return LiveWorkspace(workspace, say=said.append, environ={})


def test_a_file_that_stays_as_it_is_is_the_same_workspace(
    workspace: Workspace, live: LiveWorkspace, said: list[str]
) -> None:
    assert live.refresh() is workspace
    write(workspace, "# only a comment\n")
    assert live.refresh() is workspace
    assert said == []


def test_new_settings_are_taken_and_said_once(
    workspace: Workspace, live: LiveWorkspace, said: list[str]
) -> None:
    write(workspace, "[web]\nsign_up = true\n")
    taken = live.refresh()
    assert taken is not None
    assert taken.settings.web.sign_up
    assert taken.keys is workspace.keys
    assert live.refresh() is taken is live.current
    assert said == [CHANGED]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("[web]\nsign_up = 7\n", "web.sign_up"),
        ("[web\n", "not valid TOML"),
        ('[database]\nurl = "sqlite:///other.db"\n', "names another database now.*Restart this program"),
    ],
)
def test_settings_that_cannot_be_used_are_not_taken_until_they_are_corrected(
    workspace: Workspace, live: LiveWorkspace, said: list[str], more: str, words: str
) -> None:
    write(workspace, more)
    assert (live.refresh(), live.refresh()) == (None, None)
    assert live.current is workspace
    (fault,) = said
    assert re.search(words, fault, re.DOTALL)
    write(workspace)
    assert live.refresh() is workspace
    assert said[1:] == ["mailer.toml can be used again."]


def test_a_file_that_is_gone_is_said(workspace: Workspace, live: LiveWorkspace, said: list[str]) -> None:
    (workspace.root / SETTINGS_FILE).unlink()
    assert (live.refresh(), live.refresh()) == (None, None)
    assert len(said) == 1


def test_what_only_a_restart_changes_is_said(
    workspace: Workspace, live: LiveWorkspace, said: list[str]
) -> None:
    write(workspace, '[web]\nmetrics = "127.0.0.1:9464"\n')
    assert live.refresh() is not None
    assert said == [f"{CHANGED} Restart this program to move the metrics."]


def test_work_stops_when_its_settings_are_no_longer_current(
    workspace: Workspace, live: LiveWorkspace
) -> None:
    stop = threading.Event()
    changed = ChangeStop(stop, live, workspace)
    assert not changed.is_set()
    write(workspace, "[web]\nsign_up = true\n")
    assert changed.wait(0)
    new = live.refresh()
    assert new is not None
    again = ChangeStop(stop, live, new)
    assert not again.is_set()
    stop.set()
    assert again.wait(5)


def test_work_that_waits_for_an_hour_ends_when_the_settings_change(
    workspace: Workspace, live: LiveWorkspace
) -> None:
    live.refresh()
    stop = threading.Event()
    waiting = threading.Thread(target=ChangeStop(stop, live, workspace).wait, args=(3600,))
    waiting.start()
    try:
        write(workspace, "[web]\nsign_up = true\n")
        waiting.join(20)
        assert not waiting.is_alive()
    finally:
        stop.set()
        waiting.join()

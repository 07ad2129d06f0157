"""Studio's server, killed at each place of an act that changes files: after a restart, the log has a line of
the act exactly if the files have changed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, func
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.team_models import ActivityRecord, Role, SignInMethod
from mailer.team.members import add_member
from mailer.team.sessions import open_team_session
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from tests.acceptance.form_browser import FormBrowser, SentForm, ServerGoneError
from tests.factories.draft_edition import Draft
from tests.servers.killable_server import KillableServer, PlannedKill, When
from tests.servers.process import free_port
from tests.web.site import opened_engine
from tests.web.studio.editions.studio_client import write_story

EDITION = "2026-1"
HOST = "news.example.org"
SETTINGS = """
[web]
base_url = "https://news.example.org"

[studio]
enabled = true
"""
_MAX_PLACES = 40


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Mei's browser, and what there is in the workspace."""

    workspace: Workspace
    engine: Engine
    server: KillableServer
    browser: FormBrowser

    def fill(self, path: str, button: str, values: Mapping[str, str]) -> SentForm:
        return self.browser.open(f"/studio{path}").fill(button, values)

    def see(self) -> dict[str, bytes]:
        """The files that a member can change, by name; drafts are none."""
        root = self.workspace.root
        paths = [root / "mailer.toml", *self.workspace.editions.rglob("*"), *(root / "templates").rglob("*")]
        return {
            str(path): path.read_bytes()
            for path in paths
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
        }

    def count_lines(self, act: Act) -> int:
        with Session(self.engine) as session:
            found = select(func.count()).select_from(ActivityRecord).where(ActivityRecord.act == act.value)
            return session.exec(found).one()


@pytest.fixture
def desk(workspace: Workspace) -> Iterator[Desk]:
    file = workspace.root / "mailer.toml"
    file.write_text(file.read_text("utf-8") + SETTINGS, "utf-8")
    draft = Draft(workspace.editions / EDITION)
    for number in range(_MAX_PLACES):
        write_story(draft, f"{100 + 10 * number}-old-{number}.md", f"Old {number}")
    workspace = open_workspace(workspace.root, environ={})
    port = free_port()
    with KillableServer(workspace.root, port) as server, opened_engine(workspace) as engine:
        with Session(engine) as session:
            mei = add_member(session, "mei@example.org", "Mei", Role.manager, now=utc_now())
            secret = open_team_session(session, mei.id, SignInMethod.link, browser="A browser", now=utc_now())
            session.commit()
        browser = FormBrowser(port=port, host=HOST, cookies={"__Host-studio": secret})
        yield Desk(workspace=workspace, engine=engine, server=server, browser=browser)


def save_story(desk: Desk, attempt: int) -> SentForm:
    return desk.fill(f"/editions/{EDITION}/stories/old-0", "Save", {"body": f"Attempt {attempt}."})


def save_details(desk: Desk, attempt: int) -> SentForm:
    return desk.fill(f"/editions/{EDITION}/details", "Save details", {"subject": f"Attempt {attempt}"})


def add_story(desk: Desk, attempt: int) -> SentForm:
    return desk.fill(f"/editions/{EDITION}/new-story", "Add story", {"title": f"New {attempt}"})


def move_story(desk: Desk, _: int) -> SentForm:
    return desk.fill(f"/editions/{EDITION}", "Down", {})


def remove_story(desk: Desk, _: int) -> SentForm:
    return desk.fill(f"/editions/{EDITION}", "Remove story", {})


def restore_story(desk: Desk, attempt: int) -> SentForm:
    desk.browser.send(remove_story(desk, attempt))
    return desk.fill(f"/editions/{EDITION}/history", "Bring back", {})


def make_edition(desk: Desk, attempt: int) -> SentForm:
    return desk.fill("/editions/new/empty", "Make edition", {"slug": f"2026-x{attempt}", "title": "News"})


def change_settings(desk: Desk, attempt: int) -> SentForm:
    return desk.fill("/settings/sender", "Save", {"sender.name": f"Attempt {attempt}"})


ACTS: Mapping[Act, Callable[[Desk, int], SentForm]] = {
    Act.wrote_text: save_story,
    Act.changed_details: save_details,
    Act.added_story: add_story,
    Act.moved_story: move_story,
    Act.removed_story: remove_story,
    Act.restored_story: restore_story,
    Act.created_edition: make_edition,
    Act.changed_settings: change_settings,
}


def kill_at_each_place(desk: Desk, act: Act) -> int:
    """Do an act again and again, and kill the server at one place after the other, until it comes to its end;
    return how many places there were."""
    for place in range(1, _MAX_PLACES):
        form = ACTS[act](desk, place)
        before, lines = desk.see(), desk.count_lines(act)
        desk.server.plan(PlannedKill(when=When.before, at=place))
        with suppress(ServerGoneError):
            page = desk.browser.send(form)
            assert page.status < 400, f"{act}: {page.status} {page.words[:1500]}"
        is_killed = desk.server.is_killed()
        if is_killed:
            desk.engine.dispose()
            desk.server.start()
            # It listens before Studio is open.
            desk.browser.open("/studio/")
        changed = [name for name, data in desk.see().items() if before.pop(name, None) != data] + [*before]
        written = desk.count_lines(act) - lines
        assert written == bool(changed), f"{act}, place {place}: {written} lines, changed are {changed}"
        if not is_killed:
            assert changed, f"{act} did nothing"
            return place - 1
    pytest.fail(f"{act} has no end")


@pytest.mark.soak
@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_changes_files_and_its_line_are_both_there_or_neither(
    desk: Desk, act: Act, figure: Callable[[str], None]
) -> None:
    kills = kill_at_each_place(desk, act)
    figure(f"{kills} kills of Studio's server, at each write and each change of a name: {act}")
    assert kills >= 4

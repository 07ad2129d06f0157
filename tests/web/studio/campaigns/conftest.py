"""A Studio in which campaigns are prepared: the small edition, people on the list, and a relay."""

import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.database.engine import open_session
from mailer.database.models import Campaign
from mailer.database.team_models import ActivityRecord, Role
from mailer.team.members import Member
from mailer.workspace import open_workspace, write_keys
from tests.conftest import SETTINGS
from tests.factories.small_edition import SLUG, add_people, write_edition, write_second_story
from tests.servers.scripted_smtp import ScriptedServer, usual
from tests.web.studio.conftest import serve_studio
from tests.web.studio.house import Answer, House

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
OTHER = "2025-4"
_COUNTING = ("counting…", "Who gets which is being counted.")
_MORE = """
[web]
base_url = "https://news.example.org"

[studio]
time_zone = "Asia/Shanghai"

[campaigns]
test_readers = ["desk@office.example"]
window = "08:00-18:00"
window_days = ["mon", "tue", "wed", "thu", "fri"]

[countries]
MN = "Mongolia"
DE = "Germany"
"""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A served Studio with a member of each role, at the time ``NOW``; ``relay`` takes its mail."""

    house: House
    relay: ScriptedServer
    author: Member | None = None

    def get(self, path: str, who: str = Role.author, *, status: int = 200, **headers: str) -> str:
        """A page, once the numbers on it are counted."""
        ends_at = time.monotonic() + 60
        while True:
            answer = self.house.ask("GET", path, who, **headers)
            assert answer.status == status, (path, answer.status)
            page = unescape(answer.body.decode())
            if not any(words in page for words in _COUNTING) or time.monotonic() > ends_at:
                return page
            time.sleep(0.05)

    def get_fragment(self, path: str, who: str = Role.author) -> str:
        """What htmx gets of a page."""
        return self.get(path, who, hx_request="true")

    def post(self, path: str, form: Mapping[str, str], who: str = Role.author) -> Answer:
        return self.house.ask("POST", path, who, form=form)

    def act(self, path: str, form: Mapping[str, str], who: str = Role.author) -> str:
        """Send a form that is accepted; return where that leads."""
        answer = self.post(path, form, who)
        assert answer.status == 303, unescape(answer.body.decode())[-3000:]
        return answer.headers["location"].removeprefix("/studio")

    def refuse(self, path: str, form: Mapping[str, str], who: str = Role.author, *, status: int = 422) -> str:
        """Send a form that is refused without changing anything; return the page that says why."""
        with self.house.unchanged(path):
            answer = self.post(path, form, who)
        assert answer.status == status, answer.status
        return unescape(answer.body.decode())

    def begin(self, edition: str = SLUG) -> int:
        """Begin to prepare a campaign; return its number."""
        found = re.match(r"/campaigns/(\d+)", self.act("/campaigns/new", {"edition": edition}))
        assert found is not None
        return int(found[1])

    def prepare(self, segment: str = "all", edition: str = SLUG) -> int:
        """Begin to prepare a campaign to ``segment``."""
        number = self.begin(edition)
        self.act(f"/campaigns/{number}/segment", {"q": segment})
        return number

    def read(self, number: int) -> Preparation:
        with open_session(self.house.studio.engine, read_only=True) as session:
            found = read_preparation(session, number)
        assert found is not None
        return found

    def change_campaign(self, number: int, **values: Any) -> None:
        """Make a campaign what the command line, or time, would have made of it."""
        with Session(self.house.studio.engine) as session:
            campaign = session.get_one(Campaign, number)
            for name, value in values.items():
                setattr(campaign, name, value)
            session.add(campaign)
            session.commit()

    def list_acts(self) -> list[tuple[str, str, str, str]]:
        """The log: act, edition, subject and detail, the latest first."""
        with Session(self.house.studio.engine) as session:
            rows = session.exec(select(ActivityRecord).order_by(ActivityRecord.id.desc())).all()  # type: ignore[union-attr]
        return [(row.act, row.edition, row.subject, row.detail) for row in rows]

    def write(self, name: str, text: str) -> None:
        """Write a file of the edition."""
        (self.house.studio.workspace.editions / SLUG / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def served_desk(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    root = folder / "workspace"
    (root / "editions").mkdir(parents=True)
    write_keys(root / "keys.toml")
    shutil.copy(sqlite_template, root / "mailer.db")
    write_second_story(write_edition(root / "editions"), personalise="filter")
    shutil.copytree(root / "editions" / SLUG, root / "editions" / OTHER)
    with ScriptedServer() as relay:
        settings = f'{SETTINGS}{_MORE}\n[smtp]\nurl = "{relay.url}"\ntimeout = 5\nfinal_timeout = 5\n'
        (root / "mailer.toml").write_text(settings, encoding="utf-8")
        workspace = open_workspace(root, environ={})
        with serve_studio(workspace, clock=lambda: NOW) as studio:
            add_people(studio.engine)
            members = {role.value: studio.add_member(role, f"{role.value.title()} X") for role in Role}
            cookies = {name: studio.sign_in(member) for name, member in members.items()}
            pristine = folder / "pristine"
            house = House(studio=studio, cookies=cookies, pristine=pristine)
            house.keep()
            yield Desk(house=house, relay=relay, author=members[Role.author])


@pytest.fixture
def desk(served_desk: Desk) -> Iterator[Desk]:
    """The Studio of the module, put back as it was after each test."""
    yield served_desk
    served_desk.relay.mails.clear()
    served_desk.relay.script = usual
    served_desk.house.restore()

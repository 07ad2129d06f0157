"""A Studio with a list of partners, and a member of each role."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlmodel import Session, col, select

from mailer.database.team_models import ActivityRecord, Role
from subscribers.models import Subscriber
from subscribers.queries import read_subscriber_details
from tests.factories.partners import add_partners
from tests.web.studio.house import Answer, House, open_house

_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True, kw_only=True)
class PartnerHouse:
    """The Studio, and the partners' numbers by the part of their address before the @."""

    house: House
    numbers: Mapping[str, int]

    def get(self, path: str, who: Role = Role.author, status: int = 200) -> str:
        """The words of a page below /studio/partners."""
        answer = self.house.ask("GET", f"/partners{path}", who)
        assert answer.status == status, answer.body.decode()
        return read_words(answer)

    def post(self, path: str, who: Role = Role.author, **form: str) -> Answer:
        """Send a form of a page below /studio/partners; an underscore in a name stands for a hyphen."""
        fields = {name.replace("_", "-"): value for name, value in form.items()}
        return self.house.ask("POST", f"/partners{path}", who, form=fields)

    def know(self, name: str) -> dict[str, object]:
        """Everything that is stored about a partner."""
        with Session(self.house.studio.engine) as session:
            person = session.get(Subscriber, self.numbers[name])
            assert person is not None
            return read_subscriber_details(session, person.email)

    def read_log(self) -> list[tuple[str, str, str]]:
        """The acts, subjects and details of the team's log, the last first."""
        with Session(self.house.studio.engine) as session:
            found = session.exec(select(ActivityRecord).order_by(col(ActivityRecord.id).desc())).all()
            return [(one.act, one.subject, one.detail) for one in found]


def read_words(answer: Answer) -> str:
    """What the main column of a page says."""
    text = answer.body.decode().partition("<main")[2]
    return " ".join(unescape(_TAG.sub(" ", text)).split())


def is_gone_on(answer: Answer, path: str, notice: str) -> bool:
    """Whether an act led on to a page below /studio with a notice."""
    target = urlsplit(answer.headers.get("location", ""))
    return (answer.status, target.path, target.query) == (303, f"/studio{path}", f"notice={notice}")


@pytest.fixture(scope="module")
def open_partners(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[tuple[House, Mapping[str, int]]]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        workspace, clock = house.studio.workspace, house.studio.clock
        numbers = add_partners(house.studio.engine, workspace.keys.suppression, clock())
        yield house, numbers


@pytest.fixture
def partners(
    open_partners: tuple[House, Mapping[str, int]], keep_list: Callable[[House], None]
) -> PartnerHouse:
    """The list as it was filled, whatever the test before has done."""
    house, numbers = open_partners
    keep_list(house)
    return PartnerHouse(house=house, numbers=numbers)


@pytest.fixture(scope="module")
def keep_list(tmp_path_factory: pytest.TempPathFactory) -> Callable[[House], None]:
    """Put the database back as it was at the first call."""
    import sqlite3

    kept = tmp_path_factory.mktemp("kept") / "mailer.db"

    def keep(house: House) -> None:
        live = house.studio.workspace.root / "mailer.db"
        source, target = (live, kept) if not kept.exists() else (kept, live)
        with sqlite3.connect(source, timeout=30) as old, sqlite3.connect(target, timeout=30) as new:
            old.backup(new)
        old.close()
        new.close()

    return keep

"""One Studio for all tests of a module, whose mailer.toml is put back before each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import Session

from mailer.activity.log import LogFilter, read_log
from mailer.settings import Settings, load_settings
from tests.conftest import SETTINGS
from tests.web.studio.house import Answer, House, open_house
from tests.web.studio.settings.form_fields import read_form


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a manager sees of the settings, and what is on the disk."""

    house: House

    @property
    def root(self) -> Path:
        return self.house.studio.workspace.root

    @property
    def file(self) -> Path:
        return self.root / "mailer.toml"

    @property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def settings(self) -> Settings:
        return load_settings(self.root, {})

    def write(self, text: str) -> None:
        draft = self.file.with_name("draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.file)

    def get(self, path: str, who: str = "manager") -> Answer:
        return self.house.ask("GET", path, who)

    def post(self, path: str, form: Sequence[tuple[str, str]] = (), who: str = "manager") -> Answer:
        return self.house.ask("POST", path, who, form=list(form))  # type: ignore[arg-type]

    def open_form(self, path: str, action: str = "") -> list[tuple[str, str]]:
        """The fields of a form on the page at ``path``."""
        return read_form(self.get(path).body, f"/studio{action or path}")

    def fill(self, path: str, fields: Mapping[str, str | None], action: str = "") -> Answer:
        """Send the form on the page at ``path`` with other values; None unticks a box."""
        return self.post(action or path, change_form(self.open_form(path, action), fields))

    def list_acts(self) -> list[tuple[str, str]]:
        """What the log says was done, the newest first."""
        with Session(self.house.studio.engine) as session:
            entries, _ = read_log(session, LogFilter())
        return [(one.act, one.subject) for one in entries]


def change_form(form: Sequence[tuple[str, str]], fields: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """The fields of ``form`` with others in place of some."""
    kept = [(name, value) for name, value in form if name not in fields]
    return [*kept, *((name, value) for name, value in fields.items() if value is not None)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture
def desk(house: House) -> Desk:
    desk = Desk(house=house)
    desk.write(SETTINGS)
    house.restore()
    return desk

"""A story of a small edition, and requests to its page."""

import html
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from mailer.database.team_models import Role
from mailer.team.members import Member
from mailer.workspace import Workspace, open_workspace, write_keys
from tests.conftest import SETTINGS
from tests.factories.draft_edition import Draft
from tests.web.site import HttpResponse, send_request
from tests.web.studio.conftest import Studio, serve_studio

FILE = "stories/010-youth-forum.md"
STORY_PATH = "/studio/editions/2021-2/stories/youth-forum"
SECOND = "---\ntitle: Museums at night\nsector: education\n---\n\nThe doors stay open.\n"
LETTER_PATH = "/studio/editions/2021-2/letter"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A running Studio with an edition of two stories, and a member who is signed in."""

    studio: Studio
    draft: Draft
    member: Member
    cookie: str

    def get(self, path: str = STORY_PATH, **headers: str) -> HttpResponse:
        return send_request(self.studio.url, "GET", path, headers={"cookie": self.cookie, **_named(headers)})

    def post(self, fields: list[tuple[str, str]], path: str = STORY_PATH, **headers: str) -> HttpResponse:
        sent = {
            "cookie": self.cookie,
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
            **_named(headers),
        }
        return send_request(self.studio.url, "POST", path, urlencode(fields).encode(), sent)

    def read_form(self, path: str = STORY_PATH) -> list[tuple[str, str]]:
        """What a browser without script would send for the page as it is."""
        return list_page_fields(self.get(path).text)

    def read(self, name: str = FILE) -> str:
        return (self.draft.folder / name).read_text(encoding="utf-8")

    def sign_in_as(self, role: Role) -> "Desk":
        """The same Studio as another member."""
        member = self.studio.add_member(role, email=f"{secrets.token_hex(4)}@example.org")
        return Desk(studio=self.studio, draft=self.draft, member=member, cookie=self.studio.sign_in(member))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def list_page_fields(page: str) -> list[tuple[str, str]]:
    """The fields of the form of a story, as a browser without script would send them."""
    form = page.partition('<form id="story"')[2].partition("</form>")[0]
    fields: list[tuple[str, str]] = []
    found = re.finditer(
        r"<input(?P<input>[^>]*)>|<textarea(?P<area>[^>]*)>\n(?P<text>.*?)</textarea>"
        r"|<select(?P<select>[^>]*)>(?P<options>.*?)</select>",
        form,
        re.DOTALL,
    )
    for field in found:
        attributes = field["input"] or field["area"] or field["select"]
        name = re.search(r' name="([^"]*)"', attributes)
        is_box = 'type="checkbox"' in attributes
        if name is None or (is_box and " checked" not in attributes):
            continue
        if field["area"] is not None:
            value = field["text"]
        elif field["select"] is not None:
            chosen = re.search(r'value="([^"]*)" selected', field["options"])
            value = chosen[1] if chosen else ""
        else:
            written = re.search(r' value="([^"]*)"', attributes)
            value = written[1] if written else "on"
        fields.append((name[1], html.unescape(value)))
    return fields


def change_field(fields: list[tuple[str, str]], name: str, value: str) -> list[tuple[str, str]]:
    """The fields with another value for one of them, which must be there."""
    assert name in dict(fields)
    return [(key, value if key == name else old) for key, old in fields]


def make_workspace(root: Path, database: Path) -> Workspace:
    """A workspace in the folder ``root``, with a copy of ``database``."""
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    shutil.copy(database, root / "mailer.db")
    return open_workspace(root, environ={})


@pytest.fixture(scope="module")
def shared_studio(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Studio]:
    """One Studio for the tests of a file: starting it takes longer than most of them."""
    with serve_studio(make_workspace(tmp_path_factory.mktemp("studio"), sqlite_template)) as studio:
        yield studio


@pytest.fixture
def desk(shared_studio: Studio) -> Iterator[Desk]:
    draft = Draft(shared_studio.workspace.editions / "2021-2")
    draft.write("stories/020-museums.md", SECOND)
    member = shared_studio.add_member(Role.author, email=f"{secrets.token_hex(4)}@example.org")
    yield Desk(studio=shared_studio, draft=draft, member=member, cookie=shared_studio.sign_in(member))
    shutil.rmtree(draft.folder)

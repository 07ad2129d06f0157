"""An edition in Studio with a history and two members who are signed in."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlmodel import Session

from mailer.database.team_models import Role
from mailer.revisions.edition_file import EditionFile, TextSave, read_edition_file
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.team.members import Member
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace
from tests.revisions.conftest import EDITION, STORY, write_edition
from tests.web.site import HttpResponse, send_request
from tests.web.studio.conftest import Studio, serve_studio

ROOT = f"/studio/editions/{EDITION}"
WATER = f"{ROOT}/stories/water"


@dataclass(frozen=True, kw_only=True)
class Room:
    """A running Studio with the edition of ``tests.revisions.conftest``, and two authors."""

    studio: Studio
    ann: Member
    ben: Member

    @property
    def folder(self) -> Path:
        return self.studio.workspace.editions / EDITION

    def read(self, name: str = STORY) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def get(self, path: str, member: Member | None = None) -> HttpResponse:
        return send_request(self.studio.url, "GET", path, headers={"cookie": self._cookie(member)})

    def post(self, path: str, member: Member | None = None, **fields: str) -> HttpResponse:
        sent = {
            "cookie": self._cookie(member),
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "same-origin",
        }
        return send_request(self.studio.url, "POST", path, urlencode(fields).encode(), sent)

    def save(
        self, member: Member, text: str, *, base: str = "", sitting: str = "", name: str = STORY
    ) -> EditionFile | Conflict:
        """Save as the story's page does; from what the file has now, unless ``base`` is given."""
        with Session(self.studio.engine) as session:
            done = save_edition_file(
                self.studio.workspace,
                session,
                TextSave(
                    edition=EDITION,
                    name=name,
                    text=text,
                    base=base or read_edition_file(self.folder, name).digest,
                    member=member,
                    sitting=sitting or f"page of {member.name}",
                    now=utc_now(),
                ),
            )
            session.commit()
            return done

    def _cookie(self, member: Member | None) -> str:
        return self.studio.sign_in(member or self.ann)


def list_words(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def find_value(page: str, name: str) -> str:
    """The value of the first field ``name`` of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


@pytest.fixture
def room(workspace: Workspace) -> Iterator[Room]:
    write_edition(workspace)
    with serve_studio(workspace) as studio:
        ann = studio.add_member(Role.author, "Ann Author")
        ben = studio.add_member(Role.author, "Ben Author")
        yield Room(studio=studio, ann=ann, ben=ben)

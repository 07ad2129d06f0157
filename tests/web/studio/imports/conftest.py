"""A member who imports lists through a served Studio, by plain requests."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from mailer.database.import_models import ImportFile
from mailer.database.team_models import ActivityRecord
from mailer.workspace import open_workspace, write_keys
from subscribers.models import Subscriber
from tests.conftest import SETTINGS
from tests.servers.process import wait_until
from tests.web.site import HttpResponse
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.editions.studio_client import StudioClient

BOUNDARY = "----WebKitFormBoundary7MA4"


class Importer(StudioClient):
    """A member who may change partners."""

    def upload(self, content: bytes | str, name: str = "list.csv") -> HttpResponse:
        data = content.encode() if isinstance(content, str) else content
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
        return self.send("/imports/upload", body, content_type=f"multipart/form-data; boundary={BOUNDARY}")

    def upload_file(self, content: bytes | str, name: str = "list.csv") -> str:
        """Upload a file, and return the path of its page once it was read."""
        answer = self.upload(content, name)
        assert answer.status == 303, answer.text
        path = answer.headers["location"].removeprefix("/studio")
        self.wait(path)
        return path

    def wait(self, path: str) -> HttpResponse:
        """Wait until nobody works on the file of a page, and return the page."""
        number = int(path.partition("?")[0].rpartition("/")[2])

        def is_done() -> bool:
            with Session(self.studio.engine) as session:
                return not session.get_one(ImportFile, number).is_being_worked_on

        wait_until(is_done, what="the file to be read")
        return self.get(path)

    def act(self, path: str, act: str, **fields: str) -> HttpResponse:
        """Send the form of the file's page as it is, with other values in ``fields``."""
        sent = {**read_fields(self.get(path).text), **fields, "act": act}
        answer = self.post(path, {name.replace("__", "-"): value for name, value in sent.items()})
        if answer.status == 303 and "/imports/new/" in answer.headers["location"]:
            self.wait(path)
        return answer

    def emails(self) -> list[str]:
        with Session(self.studio.engine) as session:
            return list(session.exec(select(Subscriber.email).order_by(col(Subscriber.email))))

    def log(self) -> list[tuple[str, str]]:
        with Session(self.studio.engine) as session:
            return [(one.act, one.subject) for one in session.exec(select(ActivityRecord))]


def read_fields(page: str) -> dict[str, str]:
    """The values of the form of a file's page."""
    form = page.partition('<input type="hidden" name="version"')
    values = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', "".join(form[1:])))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        first = re.search(r'<option value="([^"]*)"', options)
        values[name] = unescape((chosen or first or [None, ""])[1])  # type: ignore[index]
    return values


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Studio]:
    """One Studio for the tests of a module."""
    root = tmp_path_factory.mktemp("imports")
    (root / "editions").mkdir()
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    (root / "mailer.db").write_bytes(sqlite_template.read_bytes())
    with serve_studio(open_workspace(root, environ={})) as studio:
        yield studio

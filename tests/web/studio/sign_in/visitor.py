"""A browser without script, for tests of forms: it keeps cookies, follows nothing by itself, and reads the
mail that Studio sends."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx2

from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from tests.servers.process import wait_until
from tests.web.studio.conftest import Studio

_LINK = re.compile(r"http://localhost:\d+/studio(/link/[0-9a-f]+)")


class Visitor:
    """A browser at Studio. Paths are below /studio."""

    def __init__(self, studio: Studio, **headers: str) -> None:
        self.studio = studio
        self.client = httpx2.Client(
            headers={"sec-fetch-site": "same-origin", "user-agent": "A browser", **headers}, trust_env=False
        )

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self.client.get(self.studio.url + path, headers=headers)

    def post(self, path: str, **fields: str) -> httpx2.Response:
        return self.client.post(self.studio.url + path, data=fields)

    @property
    def session(self) -> str:
        """The secret of the session; "" if none."""
        return self.client.cookies.get("studio") or ""

    def is_signed_in(self) -> bool:
        return self.get("/").status_code == 200


@contextmanager
def visiting(studio: Studio, **headers: str) -> Iterator[Visitor]:
    visitor = Visitor(studio, **headers)
    try:
        yield visitor
    finally:
        visitor.client.close()


def with_maildir(workspace: Workspace) -> Workspace:
    """The workspace with a folder in place of a relay."""
    url = "maildir:mails"
    settings = workspace.settings.model_copy(update={"smtp": SmtpSettings(url=url)})
    # A variable, so that it stays when the file is read again.
    return replace(workspace, settings=settings, environ={**workspace.environ, "MAILER_SMTP__URL": url})


def read_mails(workspace: Workspace) -> list[EmailMessage]:
    """The mails in the folder, in the order in which they came."""
    paths = sorted((workspace.root / "mails").glob("new/*"), key=lambda path: path.stat().st_mtime_ns)
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
    return [mail for mail in found if isinstance(mail, EmailMessage)]


def await_mails(workspace: Workspace, count: int) -> list[EmailMessage]:
    wait_until(lambda: len(read_mails(workspace)) >= count, what=f"{count} mails")
    return read_mails(workspace)


def find_link(mail: EmailMessage) -> str:
    """The path of the link in a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = _LINK.search(str(body.get_content()))
    assert found is not None
    return found[1]

"""A running site with a reader of it, and what a person reads on its pages."""

import html
import re

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.workspace import Workspace
from subscribers.models import ConsentRecord, Status
from tests.web.site import HttpResponse, add_reader, find_reader, send_request

FORM = {"content-type": "application/x-www-form-urlencoded"}
OWN_FORM = {**FORM, "sec-fetch-site": "same-origin"}
ONE_CLICK = b"List-Unsubscribe=One-Click"


class Site:
    """A running site with one reader."""

    def __init__(self, workspace: Workspace, engine: Engine, url: str) -> None:
        self.workspace = workspace
        self.engine = engine
        self.url = url
        self.token = self.add("mei.lin@example.org", name="Mei Lin", sectors=("education",))

    def add(self, email: str, **details: object) -> str:
        return add_reader(self.engine, self.workspace.keys, email, **details)  # type: ignore[arg-type]

    def get(self, path: str, **headers: str) -> HttpResponse:
        return send_request(self.url, "GET", path, headers=headers)

    def post(self, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> HttpResponse:
        return send_request(self.url, "POST", path, body, FORM if headers is None else headers)

    def status(self, email: str = "mei.lin@example.org") -> Status:
        return find_reader(self.engine, email).status

    def records(self) -> list[ConsentRecord]:
        with Session(self.engine) as session:
            return list(session.exec(select(ConsentRecord)))


def words_of(answer: HttpResponse) -> str:
    """What a person reads on the page."""
    text = re.sub(r"<(style|script|head)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())

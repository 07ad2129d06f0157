"""The marks that Lighthouse gives ten pages of Studio: five of its first half, and five of its second."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.campaigns.uses import make_lookups
from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from subscribers.segments.saved_segments import save_segment
from tests.factories.partners import add_partners
from tests.judges.lighthouse import CATEGORIES, score_page
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.newsroom import EDITION, STORY, found_newsroom
from tests.web.studio.returns import add_returns
from tests.web.studio.sending import add_sending, write_own_sender
from tests.web.studio.sent_edition import send_small_edition
from tests.web.studio.sign_in.visitor import with_maildir
from tests.web.studio.test_every_page import need_judges

Figure = Callable[[str], None]
PAGES = {
    "sign-in": "/sign-in",
    "home": "/",
    "editions": "/editions",
    "edition": f"/editions/{EDITION}",
    "story": f"/editions/{EDITION}/stories/{STORY}",
    "partners": "/partners",
    "segment": "/segments/teachers",
    "checklist": "/campaigns/{prepared}",
    "live": "/campaigns/{live}/live",
    "report": "/campaigns/{sent}/report",
}
FULL_MARKS = dict.fromkeys(CATEGORIES, 100)


class Mute:
    """The app, whose pages do not say which language they are in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def plant(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                message = {**message, "headers": kept}
            elif message["type"] == "http.response.body":
                message = {
                    **message,
                    "body": message.get("body", b"").replace(b'<html lang="en">', b"<html>"),
                }
            await send(message)

        if scope["type"] == "http":
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]
        await self._app(scope, receive, plant if scope["type"] == "http" else send)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root: Path = tmp_path_factory.mktemp("studio") / "workspace"
    create_workspace(root, sample=True, now=utc_now())
    write_own_sender(root)
    return with_maildir(open_workspace(root, environ={}))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Studio with a team at work. ``cookie`` is the Cookie header of its manager, ``campaigns`` are the
    numbers of those that are looked at."""

    studio: Studio
    cookie: str
    campaigns: dict[str, int]


@pytest.fixture(scope="module")
def shown(sample: Workspace) -> Iterator[Shown]:
    with serve_studio(sample) as studio:
        cookie = studio.sign_in(found_newsroom(studio, utc_now()).mei)
        # Its messages have the numbers 1 to 3.
        sent = add_returns(studio.engine, "2026-0", utc_now()).campaign
        add_partners(studio.engine, sample.keys.suppression, utc_now())
        with Session(studio.engine) as session:
            connection = session.connection()
            lookups = make_lookups(connection, sample.settings)
            save_segment(connection, "teachers", "country:MN,CN sector:education", lookups, now=utc_now())
            session.commit()
        send_small_edition(studio)
        sending = add_sending(studio)
        campaigns = {"sent": sent, "prepared": sending.prepared, "live": sending.live}
        yield Shown(studio=studio, cookie=cookie, campaigns=campaigns)


@pytest.mark.judges
@pytest.mark.parametrize("name", PAGES)
def test_lighthouse_gives_full_marks(shown: Shown, name: str, figure: Figure) -> None:
    need_judges()
    address = f"{shown.studio.url}{PAGES[name].format(**shown.campaigns)}"
    # Another program may have had the processor meanwhile.
    for _ in range(3):
        marks = score_page(address, "" if name == "sign-in" else shown.cookie)
        if marks == FULL_MARKS:
            break
    figure(f"Lighthouse, {name}: " + ", ".join(f"{what} {mark}" for what, mark in marks.items()))
    # The mark for performance is made of times, which no test demands; it is written down beside the others.
    assert {**marks, "performance": 100} == FULL_MARKS


@pytest.mark.judges
def test_a_planted_fault_costs_marks(workspace: Workspace) -> None:
    need_judges()
    with serve_studio(workspace, Mute) as studio:
        assert score_page(f"{studio.url}/sign-in")["accessibility"] < FULL_MARKS["accessibility"]

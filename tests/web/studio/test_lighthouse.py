"""The marks that Lighthouse gives five pages of Studio."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.web.dependencies import utc_now
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from tests.judges.lighthouse import CATEGORIES, score_page
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.newsroom import EDITION, STORY, found_newsroom
from tests.web.studio.sign_in.visitor import with_maildir
from tests.web.studio.test_every_page import need_judges

Figure = Callable[[str], None]
PAGES = {
    "sign-in": "/sign-in",
    "home": "/",
    "editions": "/editions",
    "edition": f"/editions/{EDITION}",
    "story": f"/editions/{EDITION}/stories/{STORY}",
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
    return with_maildir(open_workspace(root, environ={}))


@pytest.fixture(scope="module")
def signed_in(sample: Workspace) -> Iterator[tuple[Studio, str]]:
    """Studio with a team at work, and the Cookie header of its manager."""
    with serve_studio(sample) as studio:
        yield studio, studio.sign_in(found_newsroom(studio, utc_now()).mei)


@pytest.mark.judges
@pytest.mark.parametrize("name", PAGES)
def test_lighthouse_gives_full_marks(signed_in: tuple[Studio, str], name: str, figure: Figure) -> None:
    need_judges()
    studio, cookie = signed_in
    # Another program may have had the processor meanwhile.
    for _ in range(3):
        marks = score_page(f"{studio.url}{PAGES[name]}", "" if name == "sign-in" else cookie)
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

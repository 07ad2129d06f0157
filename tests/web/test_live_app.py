"""The pages take new settings without a restart, and finish what they have begun with the old ones."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.responses import PlainTextResponse, Response

from mailer.live_workspace import LiveWorkspace
from mailer.web.app import create_app
from mailer.web.live_app import LiveApp
from mailer.web.page_renderer import PageRenderer
from mailer.web.server import start_in_thread
from mailer.web.studio.app import ROUTES, create_studio_app
from mailer.workspace import Workspace
from tests.conftest import SETTINGS
from tests.servers.process import wait_until
from tests.web.site import send_request


def write(workspace: Workspace, more: str) -> None:
    (workspace.root / "draft").write_text(SETTINGS + more, encoding="utf-8")
    (workspace.root / "draft").replace(workspace.root / "mailer.toml")


def test_the_pages_take_new_settings_and_keep_them_when_the_file_breaks(workspace: Workspace) -> None:
    said: list[str] = []
    live = LiveWorkspace(workspace, say=said.append, environ={})
    running = start_in_thread(LiveApp(live, create_app))
    try:
        assert send_request(running.url, "GET", "/subscribe").status == 404
        write(workspace, "[web]\nsign_up = true\n")
        wait_until(
            lambda: send_request(running.url, "GET", "/subscribe").status == 200, what="the new settings"
        )
        write(workspace, "[web]\nsign_up = 7\n")
        wait_until(lambda: len(said) == 2, what="the fault")
        assert send_request(running.url, "GET", "/subscribe").status == 200
    finally:
        running.stop()


def test_a_request_under_way_is_finished_before_its_app_is_closed(workspace: Workspace) -> None:
    asyncio.run(_change_during_a_request(workspace))


async def _change_during_a_request(workspace: Workspace) -> None:
    events: list[str] = []
    go_on = asyncio.Event()

    def make_app(opened: Workspace) -> FastAPI:
        name = "new" if opened.settings.web.sign_up else "old"

        async def answer() -> Response:
            events.append(f"{name} begins")
            if name == "old":
                await go_on.wait()
            return PlainTextResponse(name)

        async def close(app: FastAPI) -> Any:
            yield
            events.append(f"{name} closed")

        app = FastAPI(lifespan=asynccontextmanager(close))
        app.add_api_route("/", answer)
        return app

    live_app = LiveApp(LiveWorkspace(workspace, say=lambda _: None, environ={}), make_app)
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: list[str] = []

    async def tell(message: Any) -> None:
        told.append(message["type"])

    inbox.put_nowait({"type": "lifespan.startup"})
    lifespan = asyncio.create_task(live_app({"type": "lifespan"}, inbox.get, tell))
    while not told:
        await asyncio.sleep(0)
    first = asyncio.create_task(_ask(live_app))
    while events != ["old begins"]:
        await asyncio.sleep(0)
    write(workspace, "[web]\nsign_up = true\n")
    await live_app.take_changes()
    assert await _ask(live_app) == b"new"
    assert events == ["old begins", "new begins"]
    go_on.set()
    assert await first == b"old"
    assert events == ["old begins", "new begins", "old closed"]
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await lifespan
    assert events[-1] == "new closed"
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def _ask(app: LiveApp) -> bytes:
    body = b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal body
        body += message.get("body", b"")

    scope = {
        **{"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b""},
        **{"headers": [], "http_version": "1.1", "scheme": "http", "root_path": ""},
    }
    await app(scope, receive, send)
    return body


def test_the_first_request_after_a_change_is_known_meets_the_new_settings(workspace: Workspace) -> None:
    live = LiveWorkspace(workspace, say=lambda _: None, environ={})
    running = start_in_thread(LiveApp(live, create_app))
    try:
        for sign_up, status in ((True, 200), (False, 404), (True, 200)):
            write(workspace, f"[web]\nsign_up = {str(sign_up).lower()}\n")
            live.refresh()
            assert send_request(running.url, "GET", "/subscribe").status == status
    finally:
        running.stop()


def test_settings_with_which_no_app_can_be_made_are_tried_once(workspace: Workspace) -> None:
    tried: list[bool] = []

    def make_app(opened: Workspace) -> FastAPI:
        tried.append(opened.settings.web.sign_up)
        if opened.settings.web.sign_up:
            raise ValueError("not with these")
        return create_app(opened)

    live = LiveWorkspace(workspace, say=lambda _: None, environ={})
    running = start_in_thread(LiveApp(live, make_app))
    try:
        write(workspace, "[web]\nsign_up = true\n")
        live.refresh()
        assert [send_request(running.url, "GET", "/subscribe").status for _ in range(3)] == [404] * 3
    finally:
        running.stop()
    assert tried == [False, True]


def test_a_second_app_reads_no_signature_and_compiles_no_template_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://localhost/studio"
    first = create_studio_app(workspace, address=address)
    words = PageRenderer(workspace.settings).render_error(404).body

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Environment, "_compile", refuse)
    second = create_studio_app(workspace, address=address)
    theirs = {route.path: route for route in first.routes if isinstance(route, APIRoute)}
    ours = {route.path: route for route in second.routes if isinstance(route, APIRoute)}
    assert all(ours[route.path] is theirs[route.path] for route in ROUTES)
    assert PageRenderer(workspace.settings).render_error(404).body == words

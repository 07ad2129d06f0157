"""An answer of Studio has one connection at a time, and gives it back in the thread that took it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.database.engine import open_engine, open_session
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.app import ROUTES as ALL_ROUTES
from mailer.web.studio.history import conflict_page
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage


class State:
    """As much of Studio's state as a session needs."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    workspace = None

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        with open_session(self.engine, read_only=True) as session:
            yield session

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        with open_session(self.engine) as session:
            yield session
            session.commit()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[StudioPage]:
    engine = open_engine("sqlite:///a.db", root=tmp_path, durable=False)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE word (said TEXT)"))
    signed_in: Any = SimpleNamespace(member=None)
    yield StudioPage(state=State(engine), request=SimpleNamespace(), signed_in=signed_in)  # type: ignore[arg-type]
    engine.dispose()


def count_connections(page: StudioPage) -> int:
    return page.state.engine.pool.checkedout()  # type: ignore[attr-defined]


def list_words(page: StudioPage) -> list[str]:
    return list(page.session.execute(text("SELECT said FROM word")).scalars())


def test_nothing_is_opened_before_it_is_read(page: StudioPage) -> None:
    page.end_reading()
    assert count_connections(page) == 0
    assert list_words(page) == []
    assert page.session is page.session
    assert count_connections(page) == 1
    page.end_reading()
    assert count_connections(page) == 0


def test_who_writes_has_let_go_of_what_they_read(page: StudioPage) -> None:
    assert list_words(page) == []
    with page.writing() as session:
        session.execute(text("INSERT INTO word VALUES ('yes')"))
        assert count_connections(page) == 1
    assert count_connections(page) == 0
    assert list_words(page) == ["yes"]


def test_what_fails_while_it_is_written_is_not_there(page: StudioPage) -> None:
    with suppress(ZeroDivisionError), page.writing() as session:
        session.execute(text("INSERT INTO word VALUES ('no')"))
        raise ZeroDivisionError
    assert list_words(page) == []


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_ends_its_reading_in_its_own_thread(page: StudioPage, fails: bool) -> None:
    routes = Routes()
    seen: list[threading.Thread] = []

    @routes.get_route("/words", Permission.read)
    def show_words(page: StudioPage) -> Response:
        assert list_words(page) == []
        seen.append(threading.current_thread())
        or_404(not fails)
        return Response()

    (route,) = routes
    assert (route.path, list(route.methods), route.permission) == ("/words", [*GET], Permission.read)
    if fails:
        with pytest.raises(HTTPException):
            route.endpoint(page=page)
    else:
        route.endpoint(page=page)
    assert seen == [threading.current_thread()]
    assert count_connections(page) == 0
    assert show_words.__name__ == route.endpoint.__name__ == "show_words"


def test_a_conflict_that_is_gone_leaves_no_connection_open(
    page: StudioPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(_: object, session: Session, *__: object) -> None:
        session.execute(text("SELECT said FROM word"))

    monkeypatch.setattr(conflict_page, "find_conflict", find_nothing)
    with pytest.raises(HTTPException):
        conflict_page._open_conflict(page.about(EditionPage, edition="2026-1", folder=tmp_path), "7")
    assert count_connections(page) == 0


def test_a_thing_that_is_not_there_is_404() -> None:
    assert or_404("") == ""
    assert or_404(0) == 0
    for nothing in (None, False):
        with pytest.raises(HTTPException) as refused:
            or_404(nothing)
        assert refused.value.status_code == 404


def test_every_route_is_declared_once() -> None:
    declared = [(route.path, *route.methods) for route in ALL_ROUTES]
    assert len(declared) == len(set(declared))

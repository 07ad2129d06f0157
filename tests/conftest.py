"""Fixtures for every test: a database of either kind, a workspace, a fixed time, a clean environment."""

import contextlib
import gc
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dns.resolver
import pytest
from sqlalchemy import Engine, make_url
from sqlmodel import Session

from mailer.database import schema
from mailer.database.engine import open_engine
from mailer.settings import DatabaseSettings
from mailer.workspace import Workspace, open_workspace, write_keys
from scripts.translations import extract_messages
from scripts.turns import choose_due, list_folders, place_on_postgres, read_changes
from tests import unattended
from tests.figures import figure, pytest_terminal_summary  # noqa: F401 - pytest finds them here
from tests.hypothesis_profiles import register_profiles, settle
from tests.needs import mark_needs
from tests.paths import ROOT
from tests.servers.forked_programs import ForkTemplate
from tests.servers.postgres import find_postgres, running_postgres
from tests.servers.postgres_databases import PostgresDatabases, create_database, drop_database
from tests.statement_cache import share_statements

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from playwright.sync_api import Browser

    from tests.servers.browser import SharedChromium

register_profiles()
share_statements()

SETTINGS = """\
[sender]
name = "UNESCO Beijing"
address = "news@example.org"
organisation = "UNESCO Office in Beijing"
postal_address = "5-15-3 Waijiaogongyu, Jianguomenwai, Beijing 100600"
list_id = "newsletter.example.org"

[sectors]
education = "Education"
sciences = "Natural Sciences"
culture = "Culture"
"""

LONGEST = {
    "acceptance/test_injected_faults.py",
    "acceptance/test_kills.py",
    "acceptance/test_pages.py",
    "acceptance/test_send.py",
    "acceptance/test_studio_journey.py",
    "acceptance/test_suppression.py",
    "campaigns/test_worker.py",
    "docs/test_documents.py",
    "feedback/test_kills.py",
    "privacy/test_erasure.py",
    "rendering/test_incremental.py",
    "rendering/worker/test_client.py",
    "test_package.py",
    "web/studio/sign_in/test_by_passkey.py",
    "web/studio/stories/test_autosave.py",
    "web/studio/test_every_page.py",
    "web/studio/test_routes.py",
    "web/test_browser.py",
}
"""The test files that take half a minute or more."""

MANY_SOAKS = 50


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--turns", action="store_true", help="take tests on PostgreSQL in turn (scripts/turns.py)"
    )
    unattended.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    unattended.configure(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not config.option.turns:
        return []
    changes, folders = read_changes(), list_folders()
    due = choose_due(changes, folders)
    return [
        f"postgres: of {len(folders)} quarters of folders {len(due)} are due (scripts/turns.py)"
        + (f", because {changes.doubt}" if changes.doubt else ""),
    ]


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses among them
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process has to wait in the end for another's. Of the
    soak tests, those of a file that has many take seconds each, and fill what the long ones leave.
    """
    soaks = Counter(item.path for item in items if item.get_closest_marker("soak"))

    def is_long(item: pytest.Item) -> bool:
        return item.path.relative_to(ROOT / "tests").as_posix() in LONGEST

    items.sort(key=lambda item: (soaks[item.path] > MANY_SOAKS, not is_long(item)))
    begun: set[str] = set()
    for item in items:
        mark_needs(item)
        test = item.nodeid.partition("[")[0]
        if test in begun and (is_long(item) or item.get_closest_marker("database")):
            item.add_marker("spare")
        begun.add(test)
        settle(item)
    if config.option.turns:
        later = set(find_later_on_postgres(items))
        config.hook.pytest_deselected(items=[item for item in items if item in later])
        items[:] = [item for item in items if item not in later]


def find_later_on_postgres(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Find the tests that also run on SQLite, and whose turn on PostgreSQL it is not."""
    due = {(turn.quarter, turn.path) for turn in choose_due(read_changes(), list_folders())}
    names = {item.nodeid for item in items}
    for item in items:
        if item.get_closest_marker("postgres") and item.nodeid.replace("postgres", "sqlite") in names:
            place = place_on_postgres(item.nodeid.partition("[")[0])
            if place is not None and place not in due:
                yield item


def pytest_collection_finish() -> None:
    """Look for garbage no more among the tests and modules, a million objects that stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove MAILER_* variables of the environment, so that they cannot affect the tests."""
    for name in [name for name in os.environ if name.startswith("MAILER_") and name != "MAILER_TEST_PG"]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test ask the DNS of this machine: only the server that a test names in ``[dns]`` is asked."""

    def refuse(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", refuse)


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def messages() -> "Catalog":
    """Every message of the pages, as `make translations` finds them; to be read only."""
    return extract_messages()


@pytest.fixture(scope="session")
def template() -> Iterator[ForkTemplate]:
    """What `mailer` is forked from in tests that start it several times."""
    with ForkTemplate() as template:
        yield template


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server, started once for each xdist worker; MAILER_TEST_PG names another."""
    if url := os.environ.get("MAILER_TEST_PG"):
        yield url
        return
    programs = find_postgres()
    if programs is None:
        message = "PostgreSQL is not installed (no initdb in PATH or /usr/lib/postgresql/*/bin)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with running_postgres(programs) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_databases(postgres_url: str) -> Iterator[PostgresDatabases]:
    """Migrated databases on that server."""
    with _created(postgres_url, "template") as url:
        engine = open_engine(url, root=Path.cwd(), durable=False)
        schema.upgrade(engine)
        engine.dispose()
        databases = PostgresDatabases(postgres_url, str(make_url(url).database))
        yield databases
        databases.close()


@pytest.fixture
def postgres_database(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The address of a migrated PostgreSQL database without any row."""
    with postgres_databases.lend() as url:
        yield url


@pytest.fixture
def empty_postgres_database(postgres_url: str) -> Iterator[str]:
    """The address of a fresh PostgreSQL database without any table."""
    with _created(postgres_url, "test") as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that new ones are copied from."""
    path = tmp_path_factory.mktemp("template") / "mailer.db"
    engine = open_engine(f"sqlite:///{path}", root=path.parent, durable=False)
    schema.upgrade(engine)
    engine.dispose()
    # In WAL mode rows may be in a separate file; closing the last connection checkpoints them.
    assert not path.with_name("mailer.db-wal").exists()
    return path


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of a fresh, migrated SQLite database."""
    path = tmp_path / "mailer.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, migrated database; a test that asks for it runs on both kinds."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def engine(database: str, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a fresh, migrated database of each kind."""
    engine = open_engine(database, root=tmp_path, durable=False)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(sqlite_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(sqlite_database, root=tmp_path, durable=False)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def workspace(tmp_path: Path, sqlite_template: Path) -> Workspace:
    """A workspace with settings, keys, an empty list and a migrated SQLite database."""
    root = tmp_path / "workspace"
    (root / "editions").mkdir(parents=True)
    (root / "mailer.toml").write_text(SETTINGS, encoding="utf-8")
    write_keys(root / "keys.toml")
    shutil.copy(sqlite_template, root / "mailer.db")
    return open_workspace(root, environ={})


@pytest.fixture(params=["sqlite", "postgres"])
def either_workspace(request: pytest.FixtureRequest, workspace: Workspace) -> Workspace:
    """A workspace with its database in SQLite, and again with it in PostgreSQL."""
    if request.param == "sqlite":
        return workspace
    database = DatabaseSettings(url=request.getfixturevalue("postgres_database"))
    return replace(workspace, settings=workspace.settings.model_copy(update={"database": database}))


@pytest.fixture(scope="session")
def shared_chromium() -> Iterator["SharedChromium"]:
    # Playwright is slow to import, and most test files need none.
    from tests.servers.browser import SharedChromium

    shared = SharedChromium()
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def browser(shared_chromium: "SharedChromium") -> Iterator["Browser"]:
    """A Chromium; what a test file leaves open in it is closed after the file."""
    with shared_chromium.lend() as browser:
        yield browser


@contextlib.contextmanager
def _created(admin: str, purpose: str) -> Iterator[str]:
    """The address of a new database without any table, dropped afterwards."""
    name = f"mailer_{purpose}_{uuid.uuid4().hex[:12]}"
    create_database(admin, name)
    try:
        url = make_url(admin).set(drivername="postgresql", database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        drop_database(admin, name)

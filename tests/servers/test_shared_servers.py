"""What several tests share leaves nothing of one test to the next."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from mailer.database.engine import open_engine
from tests.factories.deliveries import add_campaign
from tests.factories.small_edition import add_people
from tests.servers.browser import SharedChromium
from tests.servers.postgres_databases import MAX_USES, PostgresDatabases
from tests.web.site import dump_tables


@pytest.fixture
def new_databases(postgres_url: str, postgres_databases: PostgresDatabases) -> Iterator[PostgresDatabases]:
    """Databases no other test has used: one of those that all tests share may be at its last use."""
    databases = PostgresDatabases(postgres_url, postgres_databases.template)
    yield databases
    databases.close()


@contextlib.contextmanager
def opened(url: str):
    engine = open_engine(url, root=Path("/"), durable=False)
    try:
        yield engine
    finally:
        engine.dispose()


def use(engine: Engine) -> None:
    """Write rows that are never deleted, and let a row that was refused use up a number."""
    add_people(engine)
    add_campaign(engine, 3)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("INSERT INTO saved_segment (name) VALUES (NULL)"))


def test_a_database_that_is_lent_again_is_as_the_migrations_left_it(
    new_databases: PostgresDatabases,
) -> None:
    with new_databases.lend() as url, opened(url) as engine:
        before = dump_tables(engine)
        numbers = read_numbers(url)
        use(engine)
        assert dump_tables(engine) != before
        assert read_numbers(url) != numbers
    with new_databases.lend() as again, opened(again) as engine:
        assert again == url
        assert dump_tables(engine) == before
        assert read_numbers(again) == numbers
        use(engine)


def test_a_database_is_lent_a_number_of_times_and_then_dropped(new_databases: PostgresDatabases) -> None:
    lent = []
    for _ in range(MAX_USES + 1):
        with new_databases.lend() as url:
            lent.append(url)
    assert lent[:-1] == [lent[0]] * MAX_USES
    assert lent[-1] != lent[0]
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(lent[0])


def read_numbers(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences ORDER BY sequencename"
        ).fetchall()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE own (number integer)",
        "ALTER TABLE click RENAME TO away; ALTER TABLE away RENAME TO click",
        "ALTER TABLE campaign DISABLE TRIGGER ALL",
        "ALTER TABLE subscriber ALTER COLUMN name DROP NOT NULL",
        "DROP INDEX ix_delivery_queued",
        "CREATE FUNCTION own() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ANALYZE campaign",
        "UPDATE alembic_version SET version_num = '0001'",
        "DROP TABLE alembic_version",
    ],
)
def test_a_database_with_another_schema_is_not_lent_again(
    new_databases: PostgresDatabases, change: str
) -> None:
    with new_databases.lend() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(change)
    with new_databases.lend() as other:
        assert other != url


def test_who_still_uses_a_database_is_put_out_before_it_is_lent_again(
    new_databases: PostgresDatabases,
) -> None:
    with new_databases.lend() as url:
        left = psycopg.connect(url)
        left.execute("LOCK TABLE subscriber IN ACCESS EXCLUSIVE MODE")
    with new_databases.lend() as again, opened(again) as engine:
        assert again == url
        add_people(engine)
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()


def test_after_the_tests_of_a_browser_asyncio_can_run_and_nothing_is_open(
    shared_chromium: SharedChromium,
) -> None:
    with shared_chromium.lend() as browser:
        browser.new_page().set_content("<h1>Here</h1>")
        assert len(browser.contexts) == 1
    asyncio.run(asyncio.sleep(0))
    with shared_chromium.lend() as again:
        assert again is browser
        assert again.contexts == []
        page = again.new_page()
        page.set_content("<h1>Again</h1>")
        assert page.locator("h1").inner_text() == "Again"


def test_a_browser_that_has_ended_is_started_again(shared_chromium: SharedChromium) -> None:
    with shared_chromium.lend() as browser:
        browser.close()
    with shared_chromium.lend() as other:
        assert other is not browser
        assert other.new_page().title() == ""

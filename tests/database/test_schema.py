"""The tables: made by migrations alone, the same on both databases, and never used when stale."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, Enum, String, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from mailer.database import schema
from mailer.database.engine import open_engine
from mailer.database.schema import create_job_tables, has_job_tables, is_own_table
from mailer.errors import StaleSchemaError
from tests.paths import ROOT

AT = "2026-03-01 09:00:00+00:00"

# The tables of all models are compared, whatever other tests have imported.
for models in (ROOT / "mailer" / "database").glob("*models.py"):
    import_module(f"mailer.database.{models.stem}")


@pytest.fixture(params=["sqlite", "postgres"])
def empty_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = "sqlite:///mailer.db"
    if request.param == "postgres":
        url = request.getfixturevalue("empty_postgres_database")
    engine = open_engine(url, root=tmp_path)
    yield engine
    engine.dispose()


def insert_row(engine: Engine, table: str, **values: object) -> None:
    """Insert as plain SQL: the models would refuse a bad value before the database could."""
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)


def add_subscriber(engine: Engine, status: str) -> None:
    address = "a@example.org"
    insert_row(
        engine,
        "subscriber",
        **{"id": 1, "email": address, "envelope": address, "name": "", "organisation": ""},
        **{"status": status, "created_at": AT, "updated_at": AT},
    )


def test_the_migrations_make_exactly_the_tables_of_the_models(empty_engine: Engine) -> None:
    schema.upgrade(empty_engine)
    with empty_engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": is_own_table}
        )
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_migrations_make_every_check_of_the_models(empty_engine: Engine) -> None:
    # Alembic does not compare CHECKs, so they are compared here by name.
    schema.upgrade(empty_engine)
    name_of = empty_engine.dialect.identifier_preparer.format_constraint
    expected = {
        (table.name, name_of(constraint))
        for table in SQLModel.metadata.sorted_tables
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    with empty_engine.connect() as connection:
        made = {
            (name, str(check["name"]))
            for name in empty_engine.dialect.get_table_names(connection)
            if is_own_table(name, "table", {})
            for check in empty_engine.dialect.get_check_constraints(connection, name)
        }
    assert made == expected


def test_no_check_of_sqlite_makes_a_list_for_every_row(sqlite_engine: Engine) -> None:
    # SQLite fills a table of its own with the values each time it is asked about one.
    with sqlite_engine.connect() as connection:
        tables = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
        healthy = connection.scalar(text("PRAGMA integrity_check"))
    assert [name for name, sql in tables if re.search(r" IN \((?:[^,()]+,){2}", sql)] == []
    assert healthy == "ok"


def test_every_value_of_every_choice_is_let_in_and_no_other(sqlite_engine: Engine) -> None:
    # The checks by themselves, over every column that holds one of a few words.
    choices = {
        (table.name, column.name): column.type.enums
        for table in SQLModel.metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, Enum)
    }
    assert ("delivery", "state") in choices
    with sqlite_engine.connect() as connection:
        for (table, column), values in choices.items():
            checks = sqlite_engine.dialect.get_check_constraints(connection, table)
            (check,) = [each["sqltext"] for each in checks if each["name"] == f"ck_{table}_{column}"]
            for word in (*values, "bananas", ""):
                asked = text(f"SELECT {check} FROM (SELECT :word AS {column})")
                assert connection.scalar(asked, {"word": word}) == (word in values), (table, word)


def test_the_tables_of_the_engine_are_made_on_postgresql_alone(empty_engine: Engine) -> None:
    schema.upgrade(empty_engine)
    on_postgresql = empty_engine.dialect.name == "postgresql"
    with empty_engine.connect() as connection:
        assert has_job_tables(connection) is on_postgresql
        names = empty_engine.dialect.get_table_names(connection)
        assert any(not is_own_table(name, "table", {}) for name in names) is on_postgresql


def test_workers_that_start_together_make_the_tables_once(
    empty_postgres_database: str, tmp_path: Path
) -> None:
    engine = open_engine(empty_postgres_database, root=tmp_path)

    def make(_: int) -> bool:
        with engine.begin() as connection:
            return create_job_tables(connection)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(make, range(4))) == [True] * 4
    engine.dispose()


def test_without_the_extra_there_are_no_tables_and_the_upgrade_goes_through(
    empty_postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "find_spec", lambda _: None)
    engine = open_engine(empty_postgres_database, root=tmp_path)
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert not has_job_tables(connection)
    engine.dispose()


def test_upgrading_twice_keeps_the_rows(empty_engine: Engine) -> None:
    schema.upgrade(empty_engine)
    add_subscriber(empty_engine, "active")
    schema.upgrade(empty_engine)
    schema.ensure_current(empty_engine)
    with empty_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM subscriber")) == 1


def test_a_status_that_does_not_exist_is_refused(engine: Engine) -> None:
    with pytest.raises(IntegrityError, match="ck_subscriber_status"):
        add_subscriber(engine, "bananas")


@pytest.mark.parametrize(
    ("state", "owner", "not_before", "check"),
    [
        ("lost", None, None, "ck_delivery_state"),
        ("claimed", None, None, "ck_delivery_claimed_has_owner"),
        ("sent", "somebody", None, "ck_delivery_owner_only_in_hand"),
        ("deferred", None, None, "ck_delivery_deferred_has_time"),
        ("queued", None, AT, "ck_delivery_deferred_has_time"),
    ],
)
def test_a_delivery_that_makes_no_sense_is_refused(
    engine: Engine, state: str, owner: str | None, not_before: str | None, check: str
) -> None:
    add_subscriber(engine, "active")
    campaign = {
        "edition": "e",
        "title": "t",
        "segment": "",
        "state": "sending",
        "state_reason": "",
        "digest": "",
    }
    campaign |= {"in_doubt_policy": "hold", "approved_by": "", "approved_digest": ""}
    insert_row(engine, "campaign", id=1, language="en", audience=1, created_at=AT, **campaign)
    delivery = {
        "campaign_id": 1,
        "subscriber_id": 1,
        "attempts": 0,
        "deferrals": 0,
        "doubted": False,
        "reason": "",
    }
    delivery |= {"state": state, "owner": owner, "not_before": not_before, "updated_at": AT}
    with pytest.raises(IntegrityError, match=check):
        insert_row(engine, "delivery", **delivery)


def test_an_empty_database_is_stale_and_the_command_is_named(empty_engine: Engine) -> None:
    with pytest.raises(StaleSchemaError, match=r"no tables yet. Run `mailer db upgrade`"):
        schema.ensure_current(empty_engine)


def test_an_older_database_is_stale_and_the_command_is_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = schema.HEAD
    monkeypatch.setattr(schema, "HEAD", "9999_next")
    with pytest.raises(StaleSchemaError, match=rf"version {stale}, .* needs 9999_next. Run `mailer db"):
        schema.ensure_current(engine)


def set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_a_newer_database_is_neither_used_nor_changed(engine: Engine) -> None:
    set_revision(engine, "0099_future")
    with pytest.raises(StaleSchemaError, match="is from a newer version"):
        schema.ensure_current(engine)
    with pytest.raises(StaleSchemaError, match="is from a newer version"):
        schema.upgrade(engine)


def test_a_database_of_an_unreleased_checkout_is_left_alone(engine: Engine) -> None:
    set_revision(engine, "0039_tests_in_doubt")
    for use in (schema.ensure_current, schema.upgrade):
        with pytest.raises(StaleSchemaError, match=r"before the first release made.*new database"):
            use(engine)
    with engine.connect() as connection:
        assert schema.read_revision(connection) == "0039_tests_in_doubt"


def test_the_newest_revision_is_the_one_written_down() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_a_migration_that_copies_a_table_does_not_empty_the_others(sqlite_engine: Engine) -> None:
    # Dropping the old copy deletes its rows, and ON DELETE CASCADE would follow.
    add_subscriber(sqlite_engine, "active")
    with sqlite_engine.begin() as connection:
        connection.execute(text("INSERT INTO subscriber_tag VALUES (1, 'press')"))
    with schema._migration_transaction(sqlite_engine) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("subscriber", recreate="always") as batch:
            batch.alter_column("name", type_=String(400))
    with sqlite_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM subscriber_tag")) == 1
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1

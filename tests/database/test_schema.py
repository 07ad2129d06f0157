"""The tables: made by migrations alone, the same on both databases, and never used when stale."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Engine, Enum, String, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from mailer.database import job_schema, schema
from mailer.database.engine import open_engine
from mailer.database.job_schema import create_job_tables, has_job_tables, is_own_table
from mailer.errors import StaleSchemaError

AT = "2026-03-01 09:00:00+00:00"


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
    monkeypatch.setattr(job_schema, "find_spec", lambda _: None)
    engine = open_engine(empty_postgres_database, root=tmp_path)
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert not has_job_tables(connection)
    engine.dispose()


def test_the_basis_of_earlier_imports_moves_to_its_own_column(empty_engine: Engine) -> None:
    upgrade_to(empty_engine, "0003_tickets")
    add_subscriber(empty_engine, "active")
    words = {
        1: "row 2; members of the network, who asked for it; by letter",
        2: "row 3; whoever imported the file vouches that everybody in it agreed to get the newsletter",
    }
    empty = {"source": "partners.csv", "wording": "", "wording_version": "", "language": ""}
    for number, evidence in words.items():
        values = {"id": number, "event": "imported", "method": "import", "evidence": evidence}
        insert_row(empty_engine, "consent_record", subscriber_id=1, at=AT, **values, **empty)
    values = {"id": 3, "event": "updated", "method": "import", "evidence": "row 2; changed: sectors"}
    insert_row(empty_engine, "consent_record", subscriber_id=1, at=AT, **values, **empty)
    schema.upgrade(empty_engine)
    with empty_engine.connect() as connection:
        kept = connection.execute(text("SELECT evidence, basis FROM consent_record ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [
        ("row 2", "members of the network, who asked for it; by letter"),
        ("row 3", ""),
        ("row 2; changed: sectors", ""),
    ]


def test_records_of_an_older_database_stay_and_stay_kept(empty_engine: Engine) -> None:
    upgrade_to(empty_engine, "0008_checks")
    add_subscriber(empty_engine, "unsubscribed")
    words = {
        "method": "x",
        "source": "",
        "wording": "",
        "wording_version": "",
        "language": "",
        "evidence": "",
    }
    insert_row(empty_engine, "consent_record", id=1, subscriber_id=1, event="suppressed", at=AT, **words)
    schema.upgrade(empty_engine)
    insert_row(
        empty_engine, "consent_record", id=2, subscriber_id=1, event="unsuppressed", at=AT, basis="", **words
    )
    with pytest.raises(IntegrityError, match="only ever added to"), empty_engine.begin() as connection:
        connection.execute(text("UPDATE consent_record SET event = 'erased'"))


def test_earlier_campaigns_get_the_subject_of_their_content(empty_engine: Engine) -> None:
    upgrade_to(empty_engine, "0010_approval")
    values = {
        "edition": "e",
        "title": "t",
        "segment": "all",
        "state": "sending",
        "state_reason": "",
        "digest": "",
        "in_doubt_policy": "hold",
        "approved_by": "",
        "approved_digest": "",
        "audience": 0,
        "created_at": AT,
    }
    bodies = {1: b'{"version": 2, "subject": "\xe6\x98\xa5"}', 2: b"not JSON", 3: None}
    for number, body in bodies.items():
        insert_row(empty_engine, "campaign", id=number, language="zh", **values)
        if body is not None:
            insert_row(empty_engine, "campaign_content", campaign_id=number, language="zh", body=body)
    insert_row(empty_engine, "campaign_content", campaign_id=1, language="en", body=b'{"subject": "Spring"}')
    schema.upgrade(empty_engine)
    with empty_engine.connect() as connection:
        subjects = connection.execute(text("SELECT subject FROM campaign ORDER BY id")).scalars().all()
    assert subjects == ["春", "", ""]


def test_mails_that_wait_in_an_older_database_stay_in_line(empty_engine: Engine) -> None:
    upgrade_to(empty_engine, "0010_approval")
    texts = dict.fromkeys(("detail", "token", "wording", "wording_version", "origin", "reason"), "")
    values = {"kind": "confirm", "email": "a@example.org", "language": "en", "attempts": 0, **texts}
    insert_row(empty_engine, "letter", id=1, asked_at=AT, not_before=AT, **values)
    schema.upgrade(empty_engine)
    insert_row(empty_engine, "letter", id=2, asked_at=AT, not_before=AT, network_rank=1, **values)
    with empty_engine.connect() as connection:
        assert connection.execute(text("SELECT id, network_rank FROM letter ORDER BY 1")).all() == [
            (1, 0),
            (2, 1),
        ]


def upgrade_to(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with schema._migration_transaction(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


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


def test_a_newer_database_is_neither_used_nor_changed(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099_future'"))
    with pytest.raises(StaleSchemaError, match="is from a newer version"):
        schema.ensure_current(engine)
    with pytest.raises(StaleSchemaError, match="is from a newer version"):
        schema.upgrade(engine)


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

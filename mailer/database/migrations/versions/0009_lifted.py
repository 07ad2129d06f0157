"""Suppressions that a person takes back: what was there, who did it and why, on the list or not."""

import sqlalchemy as sa
from alembic import op

revision = "0009_lifted"
down_revision = "0008_checks"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_EVENTS = (
    *("imported", "requested", "subscribed", "updated", "paused", "resumed", "unsubscribed"),
    *("bounced", "complained", "suppressed", "unsuppressed", "erased"),
)
_CHOICES = (("consent_record", "event"), ("suppression", "reason"))


def upgrade() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    if on_sqlite:
        _allow_on_sqlite()
    else:
        _allow_on_postgresql()
    op.create_table(
        "lifted_suppression",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.String(64), nullable=False),
        sa.Column("lifted_by", sa.String(300), nullable=False),
        sa.Column("why", sa.String(300), nullable=False),
        sa.CheckConstraint(_is_event("reason"), name=op.f("ck_lifted_suppression_reason")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lifted_suppression")),
    )
    op.create_index(op.f("ix_lifted_suppression_digest"), "lifted_suppression", ["digest"], unique=False)


def _is_event(column: str) -> str:
    # Comparisons, for SQLite: see the step before.
    return " OR ".join(f"{column} = '{event}'" for event in _EVENTS)


def _allow_on_postgresql() -> None:
    for table, column in _CHOICES:
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, sa.text(_is_event(column)))


def _allow_on_sqlite() -> None:
    """Change the schema's own text, as the step before does: a copy of the records would take minutes, and
    lose the triggers that keep them."""
    connection = op.get_bind()
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    for table, column in _CHOICES:
        last = f"{column} = 'erased'"
        changed = sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
            "WHERE type = 'table' AND name = :name AND sql LIKE '%' || :last || '%'"
        )
        values = {"last": last, "longer": f"{last} OR {column} = 'unsuppressed'", "name": table}
        assert connection.execute(changed, values).rowcount == 1  # noqa: S101 - every older step made it
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

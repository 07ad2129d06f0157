"""Subscribers that became one, and what finds them quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0031_partners"
down_revision = "0030_translations"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_STATUSES = ("pending", "active", "paused", "unsubscribed", "bounced", "complained", "erased", "merged")
_EVENTS = (
    *("imported", "requested", "subscribed", "updated", "paused", "resumed", "unsubscribed"),
    *("bounced", "complained", "suppressed", "unsuppressed", "erased", "reconfirmed", "merged"),
)
_CHOICES = (
    ("subscriber", "status", _STATUSES),
    ("consent_record", "event", _EVENTS),
    ("suppression", "reason", _EVENTS),
    ("lifted_suppression", "reason", _EVENTS),
)


def upgrade() -> None:
    op.create_table(
        "merged_subscriber",
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("kept_id", sa.Integer(), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("subscriber_id <> kept_id", name=op.f("ck_merged_subscriber_two_people")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            ondelete="CASCADE",
            name=op.f("fk_merged_subscriber_subscriber_id_subscriber"),
        ),
        sa.ForeignKeyConstraint(
            ["kept_id"],
            ["subscriber.id"],
            ondelete="CASCADE",
            name=op.f("fk_merged_subscriber_kept_id_subscriber"),
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_merged_subscriber")),
    )
    op.create_index(op.f("ix_merged_subscriber_kept_id"), "merged_subscriber", ["kept_id"])
    if op.get_bind().dialect.name == "sqlite":
        _allow_on_sqlite()
    else:
        _allow_on_postgresql()
        # In the order of their bytes, as on SQLite: only then does an index find how a text begins.
        op.execute(
            "ALTER TABLE subscriber "
            'ALTER COLUMN email TYPE VARCHAR(320) COLLATE "C", '
            'ALTER COLUMN name TYPE VARCHAR(300) COLLATE "C", '
            'ALTER COLUMN organisation TYPE VARCHAR(300) COLLATE "C"'
        )
    op.create_index(op.f("ix_subscriber_name"), "subscriber", ["name", "id"])
    op.create_index(op.f("ix_subscriber_organisation"), "subscriber", ["organisation", "id"])


def _allow_on_postgresql() -> None:
    for table, column, values in _CHOICES:
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table, type_="check")
        allowed = " OR ".join(f"{column} = '{value}'" for value in values)
        op.create_check_constraint(name, table, sa.text(allowed))


def _allow_on_sqlite() -> None:
    """Change the schema's own text, as earlier steps do: a copy of the list would take minutes, and lose the
    triggers that keep the records."""
    connection = op.get_bind()
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    for table, column, values in _CHOICES:
        # The last value stands where an earlier step has put it.
        last = f"{column} = '{values[-2]}'"
        changed = sa.text(
            "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
            "WHERE type = 'table' AND name = :name AND sql LIKE '%' || :last || '%'"
        )
        texts = {"last": last, "longer": f"{last} OR {column} = 'merged'", "name": table}
        assert connection.execute(changed, texts).rowcount == 1  # noqa: S101 - older steps made it
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

"""Who was asked whether they still want the newsletter, and the answer in the consent record."""

import sqlalchemy as sa
from alembic import op

revision = "0024_reconfirmation"
down_revision = "0023_verification"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_EVENTS = (
    *("imported", "requested", "subscribed", "updated", "paused", "resumed", "unsubscribed"),
    *("bounced", "complained", "suppressed", "unsuppressed", "erased", "reconfirmed"),
)
_CHOICES = (("consent_record", "event"), ("suppression", "reason"), ("lifted_suppression", "reason"))


def upgrade() -> None:
    op.create_table(
        "reconfirmation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconfirmation")),
        sa.UniqueConstraint("name", name=op.f("uq_reconfirmation_name")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _allow_on_sqlite()
    else:
        _allow_on_postgresql()


def _is_event(column: str) -> str:
    return " OR ".join(f"{column} = '{event}'" for event in _EVENTS)


def _allow_on_postgresql() -> None:
    for table, column in _CHOICES:
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, sa.text(_is_event(column)))


def _allow_on_sqlite() -> None:
    """Change the schema's own text, as an earlier step does: a copy of the records would take minutes, and
    lose the triggers that keep them."""
    connection = op.get_bind()
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    for table, column in _CHOICES:
        # The last of the events where the table was made, or allowed one more since.
        for last in (f"{column} = 'unsuppressed'", f"{column} = 'erased'"):
            changed = sa.text(
                "UPDATE sqlite_master SET sql = replace(sql, :last, :longer) "
                "WHERE type = 'table' AND name = :name AND sql LIKE '%' || :last || '%' "
                "AND sql NOT LIKE '%reconfirmed%'"
            )
            values = {"last": last, "longer": f"{last} OR {column} = 'reconfirmed'", "name": table}
            connection.execute(changed, values)
    allowing = sa.text(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND sql LIKE '%= ''reconfirmed''%'"
    )
    assert connection.execute(allowing).scalar_one() == len(_CHOICES)  # noqa: S101 - older steps made them
    connection.execute(sa.text(f"PRAGMA schema_version={int(version) + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))

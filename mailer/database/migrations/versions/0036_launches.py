"""Launches that wait for ten seconds or for a second person, and an index of what was in doubt."""

import sqlalchemy as sa
from alembic import op

revision = "0036_launches"
down_revision = "0035_approval_steps"
branch_labels = None
depends_on = None

# Written out, not imported: a step of the history must not change when the program does.
_STATES = ("unconfirmed", "waiting", "started", "undone", "refused", "expired")
_IS_ACTIVE = "state = 'unconfirmed' OR state = 'waiting'"


def upgrade() -> None:
    op.create_table(
        "pending_launch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("launched_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("edition", sa.String(100), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("counts_clicks", sa.Boolean(), nullable=False),
        sa.Column("preparation_version", sa.Integer(), nullable=True),
        sa.Column("options", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("found_count", sa.Integer(), nullable=True),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_by", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            " OR ".join(f"state = '{state}'" for state in _STATES), name=op.f("ck_pending_launch_state")
        ),
        _make_key("campaign_id", "campaign", ondelete="CASCADE"),
        _make_key("launched_id", "campaign", ondelete="SET NULL"),
        _make_key("asked_by", "team_member"),
        _make_key("confirmed_by", "team_member"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_launch")),
    )
    op.create_index(op.f("ix_pending_launch_campaign_id_id"), "pending_launch", ["campaign_id", "id"])
    op.create_index(
        "ix_pending_launch_active",
        "pending_launch",
        ["edition", "segment"],
        unique=True,
        sqlite_where=sa.text(_IS_ACTIVE),
        postgresql_where=sa.text(_IS_ACTIVE),
    )
    op.create_index(
        "ix_delivery_doubted",
        "delivery",
        ["campaign_id", "id"],
        sqlite_where=sa.text("doubted"),
        postgresql_where=sa.text("doubted"),
    )


def _make_key(column: str, table: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{table}.id"], ondelete=ondelete, name=op.f(f"fk_pending_launch_{column}_{table}")
    )
